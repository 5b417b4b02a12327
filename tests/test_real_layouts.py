"""Files in the layouts of Statistics Canada, the CDP and cities: their right values, no guesses."""

from __future__ import annotations

import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

import lipgeo
from lipgeo.errors import AreaError, CensusError, FileError, IdError, TableError
from lipgeo.readers.areas import list_of_sheet, read_service_areas
from lipgeo.readers.sheets import read_sheet
from lipgeo.readers.statcan.attributes import read_attributes
from lipgeo.readers.statcan.cells import read_cells
from lipgeo.report import notes_of
from lipgeo.tables.variables import find_variables, known_variables

_ASKED = ("id", "name_en", "name_fr", "group_by", "as_one")

# ---------------------------------------------------------------------- no guesses

#: numbers that look like codes of every level, in columns that do not say so
GUESSES = {
    "row numbers": [str(n) for n in range(1, 30)],
    "row numbers of four digits": [str(n) for n in range(1000, 1030)],
    "provinces": ["35", "24", "10", "59"],
    "metropolitan areas": ["505", "535", "933"],
    "economic regions": ["3510", "3515", "5910"],
    "census divisions": ["3506", "3520", "2466"],
    "population centres": ["0616", "0944", "0459"],
    "districts": ["35076", "35077", "24001"],
    "subdivisions": ["3506008", "3520005", "2466023"],
    "consolidated subdivisions": ["3506008", "3502036", "1001101"],
    "dissemination areas": ["35060001", "35060002"],
    "aggregate areas": ["35060001", "35200003"],
    "blocks": ["35060001001", "35060001002"],
    "tracts": ["5050001.00", "5050002.00"],
    "tracts without a dot": ["505000100", "505000200"],
    "health regions": ["1011", "1012"],
    "incomes": ["31200", "29800", "50000"],
    "counts with one suppressed": ["7035", "4115", "x"],
    "years": ["2016", "2021"],
    "places": ["350001", "350002"],
}


@pytest.mark.parametrize("numbers", GUESSES.values(), ids=GUESSES)
@pytest.mark.parametrize("vintage", [None, 2021])
def test_no_number_is_a_code_because_its_digits_fit(tmp_path, numbers, vintage):
    """Twenty columns of numbers that fit a level, none named as ids: refused, never taken."""
    path = tmp_path / "t.csv"
    lines = [f"{one},{at + 5}" for at, one in enumerate(numbers)]
    path.write_text("Nombre,Immigrants\n" + "\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(TableError, match="needs a column of census units"):
        lipgeo.read_table(path, vintage=vintage)


@pytest.mark.parametrize("code", ["3001", "3506", "616", "35", "35076", "505"])
def test_codes_in_labels_of_an_order_are_the_areas_own(tmp_path, code):
    """A code in brackets that fits a level is an area's own: the table is of no census."""
    path = tmp_path / "order_2021.csv"
    other = str(int(code) + 1)
    path.write_text(
        f"Age (33P),NORTH ({code}) 00000 (  6.7%),SOUTH ({other}) 09999 (  0.0%)\n"
        "Total - Age,300,x\n  0 to 14 years,60,x\n",
        encoding="utf-8",
    )
    table = lipgeo.read_table(path)
    assert table.level is None
    assert table.unit_ids.tolist() == [code, other]
    assert table.names.tolist() == ["NORTH", "SOUTH"]
    assert table.symbols.iloc[1].tolist() == ["x", "x"]


def test_response_rates_are_no_part_of_an_areas_id(tmp_path):
    """Every table of one order has the same ids."""
    found = []
    for rate in ("15.6", " 2.1"):
        path = tmp_path / f"order{rate.strip()}.csv"
        path.write_text(
            "Geography,Total - Immigrant status,  Immigrants (81)\n"
            f"WAT - PD - C10 ({rate}%),7035,5\n"
            f"WAT - PD - C1014 ( 28.9%),4115,x\n",
            encoding="utf-8",
        )
        found.append(lipgeo.read_table(path).unit_ids.tolist())
    assert found[0] == found[1] == ["WAT - PD - C10", "WAT - PD - C1014"]


# ---------------------------------------------------------------------- long tables

WIDE = (
    'REF_DATE,DGUID,GEO,Age (8D),Gender (3),Coordinate,"Status (11):Total - Status[1]",Symbols,'
    '"Status (11):Immigrants[3]",Symbols\n'
)


def _long(path):
    rows = [
        f"2021,2021A0005{csd},{name},{age},{gender},1.1,{n},,{'' if csd == '3520005' else n - 7},"
        f"{'x' if csd == '3520005' else ''}"
        for csd, name in (("3506008", "Ottawa"), ("3520005", "Toronto"))
        for age, gender, n in (
            ("Total - Age", "Total - Gender", 100),
            ("Total - Age", "Men+", 50),
            ("0 to 14 years", "Total - Gender", 20),
        )
    ]
    path.write_text(WIDE + "\n".join(rows) + "\n", encoding="utf-8-sig")
    return path


def test_a_long_table_names_what_is_to_be_chosen(tmp_path):
    """Dimensions and their members are named, with the words of the option."""
    path = _long(tmp_path / "98100307.csv")
    with pytest.raises(TableError, match=r"Age: Total - Age / 0 to 14 years.*--where"):
        lipgeo.read_table(path)
    with pytest.raises(TableError, match="Age=Nobody"):
        lipgeo.read_table(path, where={"Age": "Nobody"})


def test_a_long_table_gives_the_member_chosen_and_its_symbols(tmp_path):
    """Totals are variables; a member that is none keeps its words in the name of the column."""
    path = _long(tmp_path / "98100307.csv")
    table = lipgeo.read_table(path, where={"Age": "Total", "Gender": "Total"})
    assert table.frame["immigrants"].iloc[0] == 93
    assert np.isnan(table.frame["immigrants"].iloc[1])
    assert table.symbols["immigrants"].tolist() == ["", "x"]
    assert not {"REF_DATE", "Coordinate", "GEO"} & set(table.columns)
    young = lipgeo.read_table(path, where={"Age": "0 to 14 years", "Gender": "Total"})
    assert "immigrants" not in young.columns
    assert young.frame["Immigrants - 0 to 14 years"].iloc[0] == 13


def test_where_on_a_plain_table_is_refused(tmp_path):
    """There is nothing to choose in a table without dimensions."""
    path = tmp_path / "t_2021.csv"
    path.write_text("DAUID,Immigrants\n35060001,5\n", encoding="utf-8")
    with pytest.raises(TableError, match="no long table"):
        lipgeo.read_table(path, where={"Sex": "Total"})


CROSSED = (
    '"CENSUS_YEAR","GEO_CODE (POR)","GEO_LEVEL","GEO_NAME","GNR","ALT_GEO_CODE","DIM: Age (3)",'
    '"Member ID: Age (3)","Dim: Sex (3): Member ID: [1]: Total - Sex"\n'
)


def _crossed(path, codes):
    rows = [f'2016,"{code}","1","n",4.0,"{code}","Total - Age",1,{at}' for at, code in codes]
    path.write_text(CROSSED + "\n".join(rows) + "\n", encoding="utf-8-sig")
    return path


def test_tracts_of_cross_tabulations_get_their_point_back(tmp_path):
    """Nine digits are a tract, alone and among rows of other levels."""
    codes = [(1, "01"), (2, "505"), (3, "505000100"), (4, "505012504")]
    for held, level in ((codes, "CT"), (codes[2:], None)):
        table = lipgeo.read_table(_crossed(tmp_path / "98-400.csv", held), level=level)
        assert table.level == "CT"
        assert table.frame["Total - Sex"].to_dict() == {"5050001.00": 3, "5050125.04": 4}


def test_a_cross_tabulation_of_several_levels_asks_for_one(tmp_path):
    """The message names what the ids may be, not ids that are none."""
    path = _crossed(tmp_path / "98-400.csv", [(1, "01"), (2, "35"), (3, "3506"), (4, "3506008")])
    with pytest.raises(TableError, match=r"35 \(PR\), 3506 \(.*CD.*3506008 \(CSD / CCS\)"):
        lipgeo.read_table(path)
    assert lipgeo.read_table(path, level="CD").unit_ids.tolist() == ["3506"]


def test_the_flag_of_a_suppressed_value_is_x(tmp_path):
    """The CSV of the profile's API leaves a suppressed value empty, with the flag 6."""
    path = tmp_path / "sdmx.csv"
    path.write_text(
        "DATAFLOW,TIME_PERIOD,REF_AREA,GENDER,CHARACTERISTIC,STATISTIC,OBS_VALUE,FLAG\n"
        "D,2021,2021A00053506008,1,1,1,1016,\n"
        "D,2021,2021A00053502036,1,1,1,,6\n",
        encoding="utf-8",
    )
    table = lipgeo.read_table(path)
    assert table.symbols["1"].tolist() == ["", "x"]
    assert np.isnan(table.frame["1"].iloc[1])


def test_a_profile_of_2011_with_its_notes(tmp_path):
    """Title above, notes below, the level from the header; one column a characteristic."""
    path = tmp_path / "98-316-XWE2011001-301.CSV"
    path.write_text(
        "Census Profile - Census Subdivisions (CSDs)\n"
        "Geo_Code,Prov_Name,CD_Name,CSD_Name,CSD_Type,Topic,Characteristics,Note,Total,Flag_Total,"
        "Male,Flag_Male,Female,Flag_Female\n"
        "1001101,N.L.,Div. 1,Subd. V,Town,Population,Population in 2011,1,62,,,...,,...\n"
        "1001105,N.L.,Div. 1,Portugal Cove,Town,Population,Population in 2011,1,160,,,...,,...\n"
        "\nNote: one, two\nSource: Statistics Canada, 2011 Census, 98-316\n",
        encoding="cp1252",
    )
    table = lipgeo.read_table(path)
    assert (table.level, table.vintage) == ("CSD", 2011)
    assert table.frame["population"].tolist() == [62, 160]


# ---------------------------------------------------------------------- files of several levels

SEVERAL = {
    "by DGUID": (
        "DGUID,GEO,Population\n2021A000011124,Canada,9\n2021A000235,Ontario,8\n"
        "2021A00033506,Ottawa,7\n2021A00053506008,Ottawa,5\n2021A00053502036,Rockland,2\n"
    ),
    "by a column": (
        "GeoUID,Type,Population\n01,Canada,9\n35,PR,8\n3506,CD,7\n3506008,CSD,5\n3502036,CSD,2\n"
    ),
}


@pytest.mark.parametrize("text", SEVERAL.values(), ids=SEVERAL)
def test_a_census_file_of_several_levels_gives_the_one_wanted(tmp_path, text):
    """The rows of the level asked for are taken, the others counted; unasked, the message asks."""
    path = tmp_path / "t_2021.csv"
    path.write_text(text, encoding="utf-8")
    table = read_attributes(path, level="CSD")
    assert table.frame["unit_id"].tolist() == ["3506008", "3502036"]
    assert table.frame["population"].tolist() == [5, 2]
    assert "3 rows of other levels than CSD" in table.notes.only("other_levels").findings[0].message
    with pytest.raises(CensusError, match=r"several levels.*CAN, CD, CSD, PR.*\(--level\)"):
        read_attributes(path)
    with pytest.raises(CensusError, match=r"no rows of the level wanted \(DA\)"):
        read_attributes(path, level="DA")
    path.write_text(text.replace(",2\n", ",two\n"), encoding="utf-8")
    with pytest.raises(CensusError, match="Population 6: two"):
        read_attributes(path, level="CSD")


def test_a_store_takes_the_polygons_of_the_level_wanted(tmp_path):
    """Rows of a layer that are of other levels bring no polygons."""
    layer = gpd.GeoDataFrame(
        {"DGUID": ["2021A00033506", "2021A00053506008"], "CDNAME": ["Ottawa", "Ottawa"]},
        geometry=[
            shapely.box(7.4e6, 1.4e6, 7.5e6, 1.5e6),
            shapely.box(7.4e6, 1.4e6, 7.41e6, 1.41e6),
        ],
        crs=3347,
    )
    layer.to_file(tmp_path / "units_2021.gpkg")
    report = lipgeo.add_census(tmp_path / "store", tmp_path / "units_2021.gpkg", level="CSD")
    assert report.only("other_levels")
    zones = lipgeo.open_census(tmp_path / "store").zones("CSD")
    assert zones.frame.geometry.area.round(-5).tolist() == [1e8]


# ---------------------------------------------------------------------- unit lists


def test_columns_of_a_unit_list_that_were_not_used_are_named(tmp_path):
    """A person sees which columns changed nothing; those that did are not among them."""
    path = tmp_path / "list.csv"
    path.write_text(
        "area_id,unit,province,households,remark,empty\nw,CSD:3506008,,5,near,\n", encoding="utf-8"
    )
    notes = notes_of(list_of_sheet(read_sheet(path), path, 2021, **dict.fromkeys(_ASKED)))
    assert notes.only("unused_columns").findings[0].message.endswith("used: households, remark.")
    path.write_text("area,CSDUID,CSDNAME\nw,3506008,Ottawa\n", encoding="utf-8")
    notes = notes_of(list_of_sheet(read_sheet(path), path, 2021, **dict.fromkeys(_ASKED)))
    assert notes.only("unused_columns").findings[0].message.endswith("used: CSDNAME.")


# ---------------------------------------------------------------------- parts of ids

GEOSUITE = (
    "DBuid,DBpop_2021,DBir_2021,PRuid,DBcode,CDcode,ADAcode,DAcode,CSDcode,CMAuid,CTname,CTcode\n"
    "35060001001,60,,35,001,{cd},0001,0001,008,505,0001.00,0001\n"
    "35060002001,41,,35,001,{cd},0001,0002,008,505,0001.10,0001\n"
)


@pytest.mark.parametrize("cd", ["06", "6"])
def test_codes_that_are_parts_of_ids_are_put_together(tmp_path, cd):
    """GeoSuite: no part is a number; the tract comes of its name and the metropolitan area."""
    path = tmp_path / "DB.csv"
    path.write_text(GEOSUITE.format(cd=cd), encoding="cp1252")
    table = lipgeo.read_table(path)
    assert (table.level, table.vintage, list(table.columns)) == ("DB", 2021, ["population"])
    assert table.parents.tolist() == ["5050001.00", "5050001.10"]
    frame = read_attributes(path).frame
    parents = frame[["CD", "CSD", "ADA", "DA", "CT"]].iloc[1].tolist()
    assert parents == ["3506", "3506008", "35060001", "35060002", "5050001.10"]


def test_of_a_zip_of_several_levels_the_one_named_is_read(tmp_path):
    """GeoSuite has a file a level, and others; without a level the message lists the levels."""
    path = tmp_path / "2021_92-150-X_eng.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("2021_92-150-X_eng/DB.csv", GEOSUITE.format(cd="06"))
        archive.writestr(
            "2021_92-150-X_eng/CSD.csv", "CSDuid,CSDpop_2021,PRuid,CDcode\n3506008,101,35,06\n"
        )
        archive.writestr("2021_92-150-X_eng/PN.csv", "PNuid,CSDuid\n1,3506008\n")
    for level, unit, people in (("CSD", "3506008", 101), ("blocks", "35060002001", 41)):
        table = lipgeo.read_table(path, level=level)
        assert (table.vintage, table.frame.loc[unit, "population"]) == (2021, people)
    with pytest.raises(FileError, match=r"\(--level\): CSD, DB; or unzip"):
        lipgeo.read_table(path)
    with pytest.raises(FileError, match="Unzip it and give"):
        lipgeo.read_table(path, level="CD")


@pytest.mark.parametrize(
    ("header", "level"),
    [("DAuid,DApop_2021,DAurdwell_2021", "DA"), ("ADidu,ADpop2021,ADrh2021", "DA"),
     ("CSDuid,CSDpop2021,CSDurdwell2021", "CSD"), ("DBuid,DBpop2021,DBurdwell2021", "DB")],
)  # fmt: skip
def test_counts_are_known_by_the_headers_of_any_level(tmp_path, header, level):
    """Of the table's own level and census; those of other units, or years, keep their words."""
    unit = {"DA": "35060001", "CSD": "3506008", "DB": "35060001001"}[level]
    path = tmp_path / "t_2021.csv"
    path.write_text(f"{header},CDpop2021,{level}pop2016\n{unit},60,30,999,55\n", encoding="utf-8")
    frame = lipgeo.read_table(path, vintage=2021).frame
    assert list(frame.columns) == ["population", "households", "CDpop2021", f"{level}pop2016"]


def test_parts_that_contradict_the_ids_are_refused(tmp_path):
    """Columns sorted apart are found by either reader."""
    path = tmp_path / "DB.csv"
    path.write_text(GEOSUITE.format(cd="20"), encoding="utf-8")
    with pytest.raises(TableError, match="35060001001: CD 3520"):
        lipgeo.read_table(path)
    with pytest.raises(CensusError, match="35060001001: CD 3520"):
        read_attributes(path)


def test_parts_alone_are_left_out_and_named(tmp_path):
    """Without the province a part says nothing; it is not a number for all that."""
    path = tmp_path / "t_2021.csv"
    path.write_text("DAUID,CSDcode,Immigrants\n35060001,8,5\n", encoding="utf-8")
    table = lipgeo.read_table(path)
    assert list(table.columns) == ["immigrants"]
    assert "CSDcode" in next(f.message for f in table.notes if f.check == "parts_left")


def test_a_unit_whose_own_id_is_in_parts(tmp_path):
    """The parts of the rows' own ids make them; whole ids under such a header are ids."""
    path = tmp_path / "t_2021.csv"
    path.write_text("PRuid,CDcode,CSDcode,Immigrants\n35,6,8,5\n35,20,5,7\n", encoding="utf-8")
    assert lipgeo.read_table(path).unit_ids.tolist() == ["3506008", "3520005"]
    path.write_text("CSDcode,Immigrants\n3506008,5\n3520005,7\n", encoding="utf-8")
    assert lipgeo.read_table(path).unit_ids.tolist() == ["3506008", "3520005"]


# ---------------------------------------------------------------------- another census's units


@pytest.mark.parametrize(
    ("name", "year", "said"),
    [("lcsd000a19a_e.csv", 2019, None), ("lcsd000a22a_e.csv", 2022, 2021), ("csd.csv", 2019, 2021)],
)
def test_boundaries_between_censuses_are_told_from_those_of_a_census(tmp_path, name, year, said):
    """An annual file is refused by its name and by its DGUIDs, whatever census is asked for."""
    path = tmp_path / name
    path.write_text(f"CSDUID,DGUID,CSDNAME\n3506008,{year}A00053506008,Ottawa\n", "utf-8")
    with pytest.raises(CensusError, match=f"units of {year}, a year between censuses"):
        read_attributes(path, vintage=said)


def test_dguids_of_another_census_are_no_ids_of_this_one(tmp_path):
    """Subdivisions of 2016 do not pass for those of 2021; districts of 2013 serve both."""
    path = tmp_path / "units.csv"
    path.write_text("CSDUID,DGUID\n3506008,2016A00053506008\n", "utf-8")
    with pytest.raises(CensusError, match="the file is of 2016"):
        read_attributes(path, vintage=2021)
    assert read_attributes(path).vintage == 2016
    path.write_text("FEDUID,DGUID\n35076,2013A000435076\n", "utf-8")
    assert read_attributes(path, vintage=2021).frame["unit_id"].tolist() == ["35076"]


@pytest.mark.parametrize("mark", [" ", ",", ";"])
def test_the_correspondence_of_2011_has_no_header(tmp_path, mark):
    """Blocks of 2011 and 2006 and the flag, one character between; other lines are refused."""
    path = tmp_path / "2011_92-156_DB_ID.txt"
    lines = ["3506000101", "3506000101", "1"], ["3506000103", "3506000102", "1"]
    path.write_text("".join(mark.join(line) + "\r\n" for line in lines), "ascii")
    links = lipgeo.read_correspondence(path)
    assert (links.level, links.vintage, links.old_level, links.old_vintage) == (
        "DB", 2011, "DB", 2006,
    )  # fmt: skip
    assert links.frame[["new_id", "old_id"]].iloc[1].tolist() == ["3506000103", "3506000102"]
    assert not links.report.only("flags")
    path.write_text("35060001 35060001 1\n35060002 35060002 1\n", "ascii")
    with pytest.raises(FileError, match=r"no header.*35060001 35060001 1"):
        lipgeo.read_correspondence(path)


# ---------------------------------------------------------------------- lines as an editor counts


@pytest.mark.parametrize(
    ("bad", "read"),
    [
        ("35060002,abc,c", lipgeo.read_table),
        ("35060002,abc,c", read_attributes),
        ("3506ZZZZ,7,c", read_attributes),
        (",7,c", read_attributes),
        ("35060002,7,c,9", lipgeo.read_table),
        ("35060002,7,c,9", read_attributes),
    ],
)
def test_lines_are_those_an_editor_shows(tmp_path, bad, read):
    """Titles, empty lines and cells of two lines count, whoever reads the file."""
    good = "".join(f"3506{at},6,d\n" for at in range(1000, 1040))
    text = f'A title\n\nDAUID,DAPOP2021,DANAME\n35060001,5,"a\nb"\n\n{good}{bad}\n35069999,6,d\n'
    path = tmp_path / "t_2021.csv"
    path.write_text(text, encoding="utf-8")
    line = text.split("\n").index(bad) + 1
    with pytest.raises((TableError, CensusError, FileError, IdError), match=rf"\b{line}\b"):
        read(path)


def test_rows_of_a_workbook_are_those_excel_shows(tmp_path):
    """Empty rows count."""
    path = tmp_path / "t_2021.xlsx"
    cells = [["DAUID", "DAPOP2021"], ["35060001", 5], [None, None], ["35060002", "abc"]]
    pd.DataFrame(cells).to_excel(path, index=False, header=False)
    with pytest.raises(CensusError, match="DAPOP2021 4: abc"):
        read_attributes(path)


# ---------------------------------------------------------------------- cells and tails


def test_cells_of_money_percent_dashes_and_composed_symbols():
    """Every mark that real cells bear."""
    cells = pd.Series(["$21,070", "12.5%", " -   ", "120 rE", "r,E", "40 r", "1,310", "abc"])
    values, symbols, unread = read_cells(cells)
    assert values[[0, 1, 2, 3, 5, 6]].tolist() == [21070, 12.5, 0, 120, 40, 1310]
    assert symbols.tolist() == ["", "", "-", "rE", "rE", "r", "", ""]
    assert unread.tolist() == [False] * 7 + [True]


def test_notes_below_a_table_may_have_commas(tmp_path):
    """A blank line parts notes from the table; without one the lines are broken and refused."""
    path = tmp_path / "t.csv"
    table = 'Geographic code,Province,"Population, 2016"\nA0A,N.L.,100\nA0B,N.L.,200\n'
    path.write_text(table + '\nNote:\n"Reserves, 2016","T = excludes"\n', encoding="utf-8")
    assert lipgeo.read_table(path).frame["population"].tolist() == [100, 200]
    path.write_text(table + "A0C,N.L.\n", encoding="utf-8")
    with pytest.raises(FileError, match="fields on every line"):
        lipgeo.read_table(path)


# ---------------------------------------------------------------------- the same in every form


@settings(max_examples=15)
@given(st.lists(st.integers(0, 99999), min_size=2, max_size=6), st.sampled_from(["x", "F", ".."]))
def test_a_table_is_the_same_in_every_form(tmp_path_factory, numbers, symbol):
    """CSV, French CSV, workbook, Parquet and zip give the same ids, numbers and symbols."""
    folder = tmp_path_factory.mktemp("forms")
    ids = [str(35060001 + at) for at in range(len(numbers))]
    cells = [str(one) for one in numbers[:-1]] + [symbol]
    frame = pd.DataFrame({"DAUID": ids, "Immigrants": cells})
    frame.to_csv(folder / "en_2021.csv", index=False)
    french = frame.set_axis(["ADIDU", "Immigrants"], axis=1)
    french.to_csv(folder / "fr_2021.csv", index=False, sep=";", encoding="cp1252")
    frame.to_excel(folder / "book_2021.xlsx", index=False)
    frame.to_parquet(folder / "t_2021.parquet", index=False)
    with zipfile.ZipFile(folder / "zip_2021.zip", "w") as archive:
        archive.write(folder / "en_2021.csv", "t_2021.csv")
        archive.writestr("t_MetaData.csv", "a,b\n1,2\n")
    first = lipgeo.read_table(folder / "en_2021.csv")
    for name in ("fr_2021.csv", "book_2021.xlsx", "t_2021.parquet", "zip_2021.zip"):
        other = lipgeo.read_table(folder / name)
        pd.testing.assert_frame_equal(first.frame, other.frame)
        pd.testing.assert_frame_equal(first.symbols, other.symbols)


# ---------------------------------------------------------------------- areas


def test_outlines_under_any_header_and_of_any_length(tmp_path):
    """A column of outlines is known by what it holds."""
    ring = ", ".join(f"-75.{at:05d} 45.1" for at in range(1, 20000))
    path = tmp_path / "areas.csv"
    path.write_text(
        f'COMM_CODE,NAME,multipolygon\nA,Hills,"POLYGON ((-75 45, {ring}, -75 45))"\n',
        encoding="utf-8",
    )
    assert read_service_areas(path, crs="EPSG:4326").ids.tolist() == ["A"]


def test_tracts_of_nine_digits_get_their_point_back():
    """98-400 writes a tract without its point; one reading is possible."""
    assert lipgeo.geography.restore_ids(["505012504"], "CT", 2021).ids.tolist() == ["5050125.04"]


# ---------------------------------------------------------------------- the real files


def _table(folder, name, **options):
    return lipgeo.read_table(folder / name, **options)


@pytest.mark.realdata
def test_vancouvers_order_of_2016(realdata):
    """A city's order as published: areas across by name, both samples."""
    table = _table(realdata, "deliveries/vancouver_local_areas_2016.csv")
    assert (table.level, table.vintage, table.frame.shape) == (None, 2016, (24, 5493))
    assert table.frame.loc["Arbutus-Ridge", "age_total"] == 15295
    assert table.frame.loc["Vancouver CSD", "age_total"] == 631485


#: file, what is asked, level, census, unit, column, its value
FILES = [
    ("layouts/98100002_en.csv", {"level": "CSD"}, "CSD", 2021, "3506008", "population", 1016),
    ("layouts/98100002_fr.csv", {"level": "CSD"}, "CSD", 2021, "3506008", "population", 1016),
    ("layouts/98100002-eng.zip", {"level": "CD"}, "CD", 2021, "3506", "population", 1017),
    ("layouts/98100015_en.csv", {"level": "DA"}, "DA", 2021, "35060001", "population", 60),
    ("layouts/symbols.csv", {}, "DA", 2021, "35060003", "population", 40),
    ("layouts/symbol.csv", {}, "DA", 2021, "35060003", "population", 40),
    ("layouts/symbol_rE.csv", {"vintage": 2021}, "DA", 2021, "35060001", "immigrants", 120),
    ("layouts/wds.csv", {}, "CSD", 2021, "3506008", "Immigrant taxfilers", 1040),
    ("layouts/2021_92-150-X_eng.zip", {"level": "DA"}, "DA", 2021, "35060001", "population", 101),
    ("layouts/DB.csv", {}, "DB", 2021, "35060001002", "population", 41),
    ("layouts/highlight_footer.csv", {}, "FSA", 2016, "A0B", "population", 200),
    ("layouts/highlight_footer2.csv", {}, "FSA", 2016, "A1P", "population", 111),
    ("layouts/98-316-2011_one_characteristic.csv", {}, "CSD", 2011, "1001105",
     "population", 160),
    ("layouts/99-004-XWE2011001-201_head.CSV", {}, "CMA", 2011, "001", "citizenship_total", 193830),
    ("layouts/98-400-X2016001_total.csv", {"level": "CD"}, "CD", 2016, "3506", "Total - Sex", 100),
    ("layouts/98-401-X2016044_QUEBEC_Francais_CSV_data.csv", {}, "DA", 2016, "24660002",
     "dwellings", 200),
    ("layouts/98-401-X2016058_hr_small.csv", {"level": "PR"}, "PR", 2016, "10",
     "population", 519716),
    ("layouts/98-401-X2021020_Francais_CSV_data.csv", {}, "CSD", 2021, "2423027",
     "households", 380),
    ("layouts/98-401-X2021025_CI_English_CSV_data.csv", {}, "DA", 2021, "35060001",
     "population", 600),
    ("layouts/cdp_custom_labels.csv", {}, None, None, "3001", "age_total", 300),
    ("deliveries/cdp_custom_2021_shape.csv", {}, None, 2021, "LIP-002 Fort Fenwick Bay",
     "immigrants", 7110),
    ("deliveries/cdp_custom_nhs_2011_shape.csv", {}, None, 2011, "WAT - PD - C10",
     "immigrants", 1800),
    ("deliveries/cdp_first_column_suppressed.csv", {}, None, None, "WAT - PD - C1014",
     "immigrants", 790),
    ("deliveries/cdp_none_suppressed.csv", {}, None, None, "WAT - PD - C10", "immigrants", 1800),
    ("deliveries/accounting_zero.csv", {"vintage": 2021}, "DA", 2021, "35060001",
     "Western Africa", 0),
    ("deliveries/dollar_cells.csv", {"vintage": 2021}, "CSD", 2021, "4811061",
     "median_income", 24841),
]  # fmt: skip


@pytest.mark.realdata
@pytest.mark.parametrize("case", FILES, ids=[one[0] for one in FILES])
def test_every_layout_has_its_right_value(realdata, case):
    """Level, census, unit, variable and number of each file."""
    name, asked, level, vintage, unit, column, value = case
    table = _table(realdata, name, **asked)
    assert (table.level, table.vintage) == (level, vintage)
    assert table.frame.loc[unit, column] == value


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("vintage", "name", "encoding", "count"),
    [
        (2016, "98-401-X2016058_meta.txt", "utf-8-sig", 2247),
        (2021, "98-401-X2021003_meta.txt", "cp1252", 2631),
    ],
)
def test_every_id_of_the_dictionary_stands_in_the_official_list(
    realdata, vintage, name, encoding, count
):
    """All variables of 2016 and 2021 have an id, and the list has their words at it."""
    text = (realdata / "members" / name).read_text(encoding=encoding)
    runs: list[list[tuple[str, str]]] = [[]]
    for number, words in pd.Series(text.splitlines()).str.extract(
        r"^ *(\d+)(?:\.|\t)\s*(\S.*)$"
    ).dropna().itertuples(index=False):  # fmt: skip
        if number == "1":
            runs.append([])
        if int(number) == len(runs[-1]) + 1:
            runs[-1].append((number, words))
    rows = pd.DataFrame(max(runs, key=len), columns=["id", "name"])
    assert len(rows) == count
    wanted = {
        name: place.id
        for name, one in known_variables(vintage).items()
        for place in one.characteristics
        if place.vintage == vintage
    }
    found = find_variables(rows, vintage)
    assert dict(zip(found["variable"], found["id"], strict=True)) == wanted
    assert set(found["certainty"]) == {"verified"}


@pytest.mark.realdata
def test_real_areas_are_read_or_refused_in_a_sentence(realdata):
    """System numbers are no ids; a free hole is taken out, not drawn as land."""
    with pytest.raises(AreaError, match="cartodb_id"):
        read_service_areas(realdata / "layouts" / "cartodb.geojson")
    assert len(read_service_areas(realdata / "layouts" / "free_hole.geojson")) == 1
    for name in ("ok_the_geom.csv", "socrata_multipolygon_header.csv", "socrata_long_wkt.csv"):
        found = read_service_areas(realdata / "layouts" / name, crs="EPSG:4326", id="COMM_CODE")
        assert found.ids[0] == "AAA"
