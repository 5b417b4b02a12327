"""A made file in each layout that Statistics Canada, the CDP and cities hand out, a few rows each.

Layouts are real, numbers are made. Each says what has to be told, and one value that is right.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class MadeFile:
    """A file and what it must be read as.

    Attributes
    ----------
    name, content
        The file.
    asked
        What ``read_table`` has to be told.
    level, vintage
        What its units are.
    unit, column, value
        A cell.
    symbols
        Unit and column to the symbol that stands there.
    without
        A piece of the sentence that refuses it where nothing is told.
    """

    name: str
    content: bytes
    level: str | None
    vintage: int | None
    unit: str
    column: str
    value: float
    asked: dict[str, Any] = field(default_factory=dict)
    symbols: dict[tuple[str, str], str] = field(default_factory=dict)
    without: str = ""


def _csv(rows: Iterable[Sequence[object]], mark: str = ",", quoted: bool = False) -> str:
    stream = io.StringIO()
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    csv.writer(stream, delimiter=mark, lineterminator="\r\n", quoting=quoting).writerows(rows)
    return stream.getvalue()


# ------------------------------------------------------------------------------- profiles

#: id, words in English and French, count, rate
PROFILE_2021 = [
    (1, "Population, 2021", "Population, 2021", "1016", ""),
    (3, "Population percentage change, 2016 to 2021",
     "Variation en pourcentage de la population, 2016 à 2021", "8.9", "8.9"),
    (4, "Total private dwellings", "Total - Logements privés", "427", ""),
    (5, "Private dwellings occupied by usual residents",
     "Logements privés occupés par des résidents habituels", "407", ""),
    (8, "Total - Age groups of the population - 100% data",
     "Total - Groupes d'âge de la population - Données intégrales", "1015", "100.0"),
    (9, "  0 to 14 years", "  0 à 14 ans", "165", "16.3"),
    (1527, "Total - Immigrant status and period of immigration for the population in private "
     "households - 25% sample data",
     "Total - Statut d'immigrant et période d'immigration pour la population dans les ménages "
     "privés - Données-échantillon (25 %)", "1000", "100.0"),
    (1529, "  Immigrants", "  Immigrants", "", "25.5"),
]  # fmt: skip
_HEADS_2021 = {
    "en": ["CENSUS_YEAR", "DGUID", "ALT_GEO_CODE", "GEO_LEVEL", "GEO_NAME", "TNR_SF", "TNR_LF",
           "DATA_QUALITY_FLAG", "CHARACTERISTIC_ID", "CHARACTERISTIC_NAME", "CHARACTERISTIC_NOTE"],
    "fr": ["ANNÉE_RECENSEMENT", "IDUGD", "CODE_GÉO_ALT", "NIVEAU_GÉO", "NOM_GÉO", "TNR_ABRÉGÉ",
           "TNR_DÉTAILLÉ", "INDICATEUR_QUALITÉ_DONNÉES", "ID_CARACTÉRISTIQUE",
           "NOM_CARACTÉRISTIQUE", "NOTE_CARACTÉRISTIQUE"],
}  # fmt: skip
_VALUES_2021 = {
    "en": ["C1_COUNT_TOTAL", "C2_COUNT_MEN+", "C3_COUNT_WOMEN+", "C10_RATE_TOTAL", "C11_RATE_MEN+",
           "C12_RATE_WOMEN+"],
    "fr": ["C1_CHIFFRE_TOTAL", "C2_CHIFFRE_HOMMES+", "C3_CHIFFRE_FEMMES+", "C10_TAUX_TOTAL",
           "C11_TAUX_HOMMES+", "C12_TAUX_FEMMES+"],
}  # fmt: skip
_SEXES = ("TOTAL", "MEN+", "WOMEN+")
_INTERVALS = [
    f"C{3 * at + turn + 1}_{kind}_{sex}"
    for at, kind in enumerate(("COUNT", "COUNT_LOW_CI", "COUNT_HI_CI", "RATE", "RATE_LOW_CI",
                               "RATE_HI_CI"))
    for turn, sex in enumerate(_SEXES)
]  # fmt: skip
UNITS_2021 = [
    ("2021A00053506008", "3506008", "Census subdivision", "Ottawa, City (CV)"),
    ("2021A00053502036", "3502036", "Census subdivision", "Clarence-Rockland, City (CY)"),
]


def profile_2021(
    language: str = "en", *, intervals: bool = False, rows_of: Sequence[Any] = PROFILE_2021
) -> str:
    """Return a Census Profile of 2021: English or French, plain or with confidence intervals."""
    values = _INTERVALS if intervals else _VALUES_2021[language]
    symbol = "SYMBOL" if language == "en" else "SYMBOLE"
    rows: list[Sequence[object]] = [
        [*_HEADS_2021[language], *(one for name in values for one in (name, symbol))]
    ]
    for dguid, code, level, name in UNITS_2021:
        said = level if language == "en" else "Subdivision de recensement"
        for id, english, french, count, rate in rows_of:
            words = english if language == "en" else french
            cells: list[str] = []
            for value in values:
                if value.startswith("C1_"):
                    cells += [count, "" if count else "x"]
                elif value.startswith("C10_"):
                    cells += [rate, "" if rate else "..."]
                else:
                    cells += ["", "..."]
            rows.append([2021, dguid, code, said, name, "2.1", "3.4", "00000", id, words, id,
                         *cells])  # fmt: skip
    return _csv(rows)


#: member id, words in English and French, total
PROFILE_2016 = [
    (1, "Population, 2016", "Population, 2016", "600"),
    (4, "Total private dwellings", "Total des logements privés", "250"),
    (1142, "Immigrants", "Immigrants", "x"),
]


def profile_2016(language: str = "en", rows_of: Sequence[Any] = PROFILE_2016) -> str:
    """Return a Census Profile of 2016 by dissemination area, every header in quotes."""
    if language == "en":
        dim = "Profile of Dissemination Areas (2247)"
        header = ["CENSUS_YEAR", "GEO_CODE (POR)", "GEO_LEVEL", "GEO_NAME", "GNR", "GNR_LF",
                  "DATA_QUALITY_FLAG", "CSD_TYPE_NAME", "ALT_GEO_CODE", f"DIM: {dim}",
                  f"Member ID: {dim}", f"Notes: {dim}"]  # fmt: skip
        sexes = ["Dim: Sex (3): Member ID: [1]: Total - Sex", "Dim: Sex (3): Member ID: [2]: Male",
                 "Dim: Sex (3): Member ID: [3]: Female"]  # fmt: skip
    else:
        dim = "Profil des aires de diffusion (2247)"
        header = ["ANNÉE_RECENSEMENT", "CODE_GÉO (LDR)", "NIVEAU_GÉO", "NOM_GÉO", "TGN", "TGN_FL",
                  "INDICATEUR_QUALITÉ_DONNÉES", "GENRE_SDR", "CODE_GÉO_ALT", f"DIM: {dim}",
                  f"Membre ID: {dim}", f"Notes: {dim}"]  # fmt: skip
        sexes = ["Dim: Sexe (3): Membre ID: [1]: Total - Sexe",
                 "Dim: Sexe (3): Membre ID: [2]: Sexe masculin",
                 "Dim: Sexe (3): Membre ID: [3]: Sexe féminin"]  # fmt: skip
    rows: list[Sequence[object]] = [[*header, *sexes]]
    for code in ("24660001", "24660002"):
        for id, english, french, total in rows_of:
            words = english if language == "en" else french
            rows.append([2016, code, "4", code, 2.1, 3.4, "00000", " ", code, words, id, 1, total,
                         "...", "..."])  # fmt: skip
    return _csv(rows, quoted=True)


_HEAD_2011 = ["Topic", "Characteristics", "Note", "Total", "Flag_Total", "Male", "Flag_Male",
              "Female", "Flag_Female"]  # fmt: skip

# ------------------------------------------------------------------------------- long tables

_COUNTS = {
    "en": ["Population and dwelling counts (13): Population, 2021 [1]",
           "Population and dwelling counts (13): Total private dwellings, 2021 [4]"],
    "fr": ["Chiffres de population et des logements (13) : Population, 2021 [1]",
           "Chiffres de population et des logements (13) : Total des logements privés, 2021 [4]"],
}  # fmt: skip


def counts_2021(language: str = "en", symbols: str = "Symbols") -> str:
    """Return the table of counts 98-10-0002: several levels, a symbol beside each value."""
    comma = language == "en"
    first = ["REF_DATE", "GEO", "DGUID", "Coordinate"]
    if not comma:
        first = ["PÉRIODE DE RÉFÉRENCE", "GÉO", "DGUID", "Coordonnée"]
    header = [*first, *(one for name in _COUNTS[language] for one in (name, symbols))]
    rows = [
        ("Canada", "2021A000011124", "36991.5", "", "16284", ""),
        ("Ontario", "2021A000235", "14223", "", "5929", ""),
        ("Ottawa", "2021A00053506008", "1016", "", "427", "r"),
        ("Casselman", "2021A00053502044", "", "x", "15", "r,E"),
    ]
    body = [
        [2021, geo, dguid, at, *(one if comma else one.replace(".", ",") for one in cells)]
        for at, (geo, dguid, *cells) in enumerate(rows, 1)
    ]
    return _csv([header, *body], "," if comma else ";")


def _wds(rows: Iterable[Sequence[str]], dimensions: Sequence[str]) -> str:
    header = ["REF_DATE", "GEO", "DGUID", *dimensions, "UOM", "UOM_ID", "SCALAR_FACTOR",
              "SCALAR_ID", "VECTOR", "COORDINATE", "VALUE", "STATUS", "SYMBOL", "TERMINATED",
              "DECIMALS"]  # fmt: skip
    body = [
        ["2021", *named, "Number", "223", "units", "0", f"v{at}", f"{at}.1", value, status, "", "",
         "0"]
        for at, (*named, value, status) in enumerate(rows, 1)
    ]  # fmt: skip
    return _csv([header, *body], quoted=True)


# ------------------------------------------------------------------------------- all of them


def _zip(**members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text.encode("utf-8-sig"))
    return packed.getvalue()


_TAXFILERS = [
    ("Ottawa", "2021A00053506008", "Total, sex", "Immigrant taxfilers", "1040", ""),
    ("Ottawa", "2021A00053506008", "Males", "Immigrant taxfilers", "500", ""),
    ("Casselman", "2021A00053502044", "Total, sex", "Immigrant taxfilers", "", "x"),
    ("Casselman", "2021A00053502044", "Males", "Immigrant taxfilers", "85", "E"),
]
_STATUS = "Immigrant status and period of immigration (11)"
_CROSSED = [
    ["REF_DATE", "DGUID", "GEO", "Age (8D)", "Gender (3)", "Coordinate",
     f"{_STATUS}:Total - Immigrant status and period of immigration[1]", "Symbols",
     f"{_STATUS}:Immigrants[3]", "Symbols"],
    *([2021, f"2021A0005{unit}", unit, age, gender, "1.1.1", total, "", some, sign]
      for unit, total, some, sign in (("3506008", 100, 30, ""), ("3502036", 80, "", "x"))
      for age, gender in (("Total - Age", "Total - Gender"), ("Total - Age", "Men+"),
                          ("0 to 14 years", "Total - Gender"))),
]  # fmt: skip
_ORDER = [
    ["Age (33P)", "Province of Made 00000 (  3.8%)", "Made Division (3506) 00000 (  3.1%)",
     "MADE - XYZ2022 - NORTH (3001) 00000 (  6.7%)", "MADE - XYZ2022 - SOUTH (3002) 09999 (  0%)"],
    ["Total - Age groups of the population - 25% sample data", "1,000", "900", "300", "x"],
    ["  0 to 14 years", "200", "180", "60", "x"],
]  # fmt: skip
_INCOME = "2020 - 2019 - Median total income"
_GNR = ["GNR", "DATA_QUALITY_FLAG", "CSD_TYPE_NAME", "ALT_GEO_CODE"]
_AGES = "Age (in single years) and average age (127)"


def made_files() -> list[MadeFile]:
    """Return one file in each layout."""
    bom = b"\xef\xbb\xbf"
    immigrants = {("3506008", "immigrants"): "x"}
    return [
        MadeFile("98-401-X2021003_English_CSV_data.csv", profile_2021().encode("cp1252"),
                 "CSD", 2021, "3506008", "population_change", 8.9, symbols=immigrants),
        MadeFile("98-401-X2021003_Francais_CSV_data.csv", profile_2021("fr").encode("cp1252"),
                 "CSD", 2021, "3506008", "households", 407, symbols=immigrants),
        MadeFile("98-401-X2021025_CI_English_CSV_data.csv",
                 profile_2021(intervals=True).encode("cp1252"),
                 "CSD", 2021, "3502036", "age_0_to_14", 165, symbols=immigrants),
        MadeFile("98-401-X2016044_English_CSV_data.csv", bom + profile_2016().encode(),
                 "DA", 2016, "24660002", "dwellings", 250,
                 symbols={("24660001", "immigrants"): "x"}),
        MadeFile("98-401-X2016044_Francais_CSV_data.csv", bom + profile_2016("fr").encode(),
                 "DA", 2016, "24660002", "dwellings", 250,
                 symbols={("24660001", "immigrants"): "x"}),
        MadeFile("98-316-XWE2011001-301.CSV", (
            "Census Profile - Census Subdivisions (CSDs)\r\n" + _csv([
                ["Geo_Code", "Prov_Name", "CD_Name", "CSD_Name", "CSD_Type", *_HEAD_2011],
                ["1001101", "N.L.", "Division", "Subd. é", "Town", "Population and dwelling counts",
                 "Population in 2011", 1, 62, "", "", "...", "", "..."],
                ["1001105", "N.L.", "Division", "Cove", "Town", "Population and dwelling counts",
                 "Population in 2011", 1, 160, "", "", "...", "", "..."],
            ]) + "\r\nNote: 1\r\nPopulation, of course\r\nSource: Statistics Canada, 98-316\r\n"
        ).encode("cp1252"), "CSD", 2011, "1001105", "population", 160),
        MadeFile("99-004-XWE2011001-201.CSV", (
            "National Household Survey - Census Metropolitan Areas (CMAs)\r\n" + _csv([
                ["Geo_Code", "Prov_Name", "CMA_CA_Name", "Geo_Type", "GNR", "Topic",
                 "Characteristic", *_HEAD_2011[2:]],
                ["001", "N.L.", "St. John's", "CMA", 27.5, "Citizenship",
                 "Total population in private households by citizenship", 1, 193830, "", 93615, "",
                 100210, ""],
            ])
        ).encode("cp1252"), "CMA", 2011, "001", "citizenship_total", 193830),
        MadeFile("98-400-X2016001_English_CSV_data.csv", bom + _csv([
            ["CENSUS_YEAR", "GEO_CODE (POR)", "GEO_LEVEL", "GEO_NAME", *_GNR, f"DIM: {_AGES}",
             f"Member ID: {_AGES}", f"Notes: {_AGES}", "Dim: Sex (3): Member ID: [1]: Total - Sex",
             "Dim: Sex (3): Member ID: [2]: Male"],
            *([2016, code, at, code, 4.0, "00000", " ", code, age, member, "", 100 * member + at,
               50]
              for at, code in enumerate(("01", "35", "3506", "3506008"))
              for member, age in ((1, "Total - Age"), (2, "0 to 14 years"))),
        ], quoted=True).encode(), "CD", 2016, "3506", "Total - Sex", 102,
            {"level": "CD", "where": {_AGES.removesuffix(" (127)"): "Total"}},
            without="Choose one member"),
        MadeFile("98100002.csv", bom + counts_2021().encode(), "CSD", 2021, "3506008",
                 "population", 1016, {"level": "CSD"},
                 {("3502044", "population"): "x", ("3506008", "dwellings"): "r"},
                 without="CAN, CSD, PR"),
        MadeFile("98100002_fr.csv", bom + counts_2021("fr", "Symboles").encode(), "CSD", 2021,
                 "3506008", "population", 1016, {"level": "CSD"},
                 {("3502044", "population"): "x", ("3506008", "dwellings"): "r"},
                 without="CAN, CSD, PR"),
        MadeFile("98100002-eng.zip", _zip(**{"98100002.csv": counts_2021(symbols="Symbol"),
                                             "98100002_MetaData.csv": "Cube Title,x\n"}),
                 "CSD", 2021, "3506008", "dwellings", 427, {"level": "CSD"},
                 without="CAN, CSD, PR"),
        MadeFile("98100307.csv", bom + _csv(_CROSSED).encode(), "CSD", 2021, "3506008",
                 "immigrants", 30, {"where": {"Age": "Total", "Gender": "Total"}},
                 {("3502036", "immigrants"): "x"}, without="Age: Total - Age / 0 to 14 years"),
        MadeFile("43100010.csv", _wds(_TAXFILERS, ["Sex", "Statistics"]).encode("utf-8-sig"),
                 "CSD", 2021, "3502044", "Males - Immigrant taxfilers", 85,
                 {"where": {"Sex": "Males"}}, {("3502044", "Males - Immigrant taxfilers"): "E"},
                 without="Sex: Total, sex / Males"),
        MadeFile("98-401-X2021006_sdmx.csv", _csv([
            ["DATAFLOW", "FREQ", "TIME_PERIOD", "REF_AREA", "GENDER", "CHARACTERISTIC",
             "STATISTIC", "OBS_VALUE", "DECIMALS", "FLAG", "TOPIC", "GEO_LEVEL", "ALT_GEO_CODE",
             "GEO_DESC", "PROV_TERR", "TNR_LF", "CI_LOW"],
            *(["STC_CP:DF_CSD(1.3)", "A5", 2021, f"2021A0005{unit}", 1, 1, 1, value, 0, flag, 1,
               "Census subdivision", unit, "Name", 35, 3.4, ""]
              for unit, value, flag in (("3506008", 1016, ""), ("3502036", "", 6))),
        ]).encode(), "CSD", 2021, "3506008", "1", 1016, symbols={("3502036", "1"): "x"}),
        MadeFile("cdp_2021.csv", _csv(_ORDER).encode(), None, 2021, "3001", "age_total", 300,
                 symbols={("3002", "age_total"): "x"}),
        MadeFile("b2020_2016.csv", _csv([
            ["Geography", "Total - Sex", "  Male"],
            ["Portugal Cove South (1001105) T 01000", 160, 80],
            ["Division No.  1, Subd. V (1001101) SNO 00000", 60, "x"],
        ]).encode(), "CSD", 2016, "1001105", "Total - Sex", 160, {"level": "CSD"},
            without="CCS, CSD"),
        MadeFile("city_2016.csv", (
            "Made city,,,\r\nCustom order 2016,,,\r\n" + _csv([
                ["Variable", "North Side  ", "South Side  ", "Made CSD"],
                ["Total - Age groups and average age of the population - 100% data", "1,200",
                 " -   ", "1,200"],
                ["  Median total income in 2015 among recipients ($)", "$24,841", "x", "$25,000"],
                ["25% Data Below", "", "", ""],
                ["Non-permanent residents é", "5", "0", "5"],
            ])
        ).encode("cp1252"), None, 2016, "South Side", "age_total", 0,
            symbols={("South Side", "median_income"): "x", ("South Side", "age_total"): "-"}),
        MadeFile("imdb.csv", _csv([
            ["Geography", "Sex", "Admission year", "Tax year", "Settlement services", "Measure",
             "Value"],
            *([area, "Total", 2019, year, "Total", "Median total income", value]
              for area, value in (("LIP-001 North", 31200), ("LIP-002 South", "x"))
              for year in (2020, 2021)),
        ]).encode("utf-8-sig"), None, None, "LIP-001 North", _INCOME, 31200,
            {"where": {"Tax year": "2020"}}, {("LIP-002 South", _INCOME): "x"},
            without="Tax year: 2020 / 2021"),
        MadeFile("T1201EN.csv", (_csv([
            ["Geographic code", "Geographic name", "Province or territory", "Population, 2016"],
            ["A0A", "A0A", "Newfoundland and Labrador", 100],
            ["A0B", "A0B", "Newfoundland and Labrador", 200],
        ]) + '\r\n"Note:"\r\n"Reserves, 2016","T = excludes"\r\n').encode("cp1252"),
            "FSA", 2016, "A0B", "population", 200),
        MadeFile("DB.csv", _csv([
            ["DBuid", "DBdguid", "DBpop_2021", "DBtdwell_2021", "DBarea", "DBir_2021", "PRuid",
             "DBcode", "CDcode", "DAcode", "CSDcode", "CMAuid", "CTname"],
            ["35060001001", "2021S051335060001001", 60, 20, 0.05, "", 35, "001", "06", "0001",
             "008", 505, "0001.00"],
            ["35060001002", "2021S051335060001002", 41, 22, 0.01, "", 35, "002", "06", "0001",
             "008", 505, "0001.00"],
        ]).encode("cp1252"), "DB", 2021, "35060001002", "population", 41),
        MadeFile("chass.csv", b'"COL0","COL1"\r\n"35060001",464\r\n"35060002",500\r\n', "DA", 2021,
                 "35060001", "COL1", 464, {"id": "COL0", "level": "DA", "vintage": 2021},
                 without="COL0, COL1"),
    ]  # fmt: skip
