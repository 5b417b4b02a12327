"""Census attribute tables as they come, by rows typed from the published layouts."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipgeo.errors import CensusError, FileError, IdError, InputError
from lipgeo.readers.statcan.attributes import from_frame, read_attributes
from lipgeo.readers.statcan.columns import layout, layouts

#: positions (first character 1) of the 2011 file, typed from the printed table and public readers,
#: not from layouts.toml: a shared mistake must not confirm itself
AT_2011 = {
    "DBuid": 1, "pop": 11, "tdwell": 19, "urdwell": 27, "area": 35, "ir": 48, "DAuid": 49,
    "lamx": 57, "lamy": 74, "lat": 91, "long": 100, "PRuid": 111, "PRname": 113, "PRename": 168,
    "PRfname": 198, "FEDuid": 248, "FEDname": 253, "ERuid": 338, "ERname": 342, "CDuid": 427,
    "CDname": 431, "CDtype": 471, "CSDuid": 474, "CSDname": 481, "CSDtype": 536, "CCSuid": 543,
    "CCSname": 550, "DPLuid": 605, "DPLname": 611, "DPLtype": 696, "CMAPuid": 699, "CMAuid": 704,
    "CMAname": 707, "CMAtype": 807, "CTuid": 808, "PCuid": 835, "PCname": 839, "PCclass": 940,
}  # fmt: skip

OTTAWA = {
    "DBuid": "3506000101", "pop": "      94", "tdwell": "      40", "urdwell": "      35",
    "area": "       3.4777", "DAuid": "35060001", "lamx": "  7495844.0257140",
    "lamy": "  1207922.6685710", "PRuid": "35", "PRname": "Ontario", "PRename": "Ontario",
    "PRfname": "Ontario", "FEDuid": "35064", "FEDname": "Ottawa--Orléans", "ERuid": "3510",
    "ERname": "Ottawa", "CDuid": "3506", "CDname": "Ottawa", "CDtype": "CDR", "CSDuid": "3506008",
    "CSDname": "Ottawa", "CSDtype": "CV", "CCSuid": "3506008", "CCSname": "Ottawa",
    "CMAPuid": "35505", "CMAuid": "505", "CMAname": "Ottawa - Gatineau", "CMAtype": "B",
    "CTuid": "5050171.06", "PCuid": "0616", "PCname": "Ottawa - Gatineau", "PCclass": "4",
}  # fmt: skip

KAHNAWAKE = {
    "DBuid": "2467005101", "pop": "       .", "tdwell": "       .", "urdwell": "       .",
    "area": "      12.0000", "ir": "T", "DAuid": "24670051", "PRuid": "24", "PRename": "Quebec",
    "PRfname": "Québec", "FEDuid": "24001", "ERuid": "2450", "CDuid": "2467",
    "CDname": "Roussillon", "CDtype": "MRC", "CSDuid": "2467802", "CSDname": "Kahnawake",
    "CSDtype": "IRI", "CCSuid": "2467025", "CMAuid": "996", "PCuid": "0000", "PCclass": "1",
}  # fmt: skip


def line(values, at=AT_2011, length=940):
    """Write one fixed-width line, each value at its printed position."""
    text = [" "] * length
    for name, value in values.items():
        start = at[name] - 1
        text[start : start + len(value)] = value
    assert len(text) == length
    return "".join(text)


@pytest.fixture
def gaf_2011(tmp_path):
    """Zip of the 2011 attribute file, in a sub-folder, with a guide beside it."""
    path = tmp_path / "2011_92-151_XBB_txt.zip"
    data = "\r\n".join([line(OTTAWA), line(KAHNAWAKE), ""]).encode("cp1252")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/2011_92-151_XBB_TXT.txt", data)
        archive.writestr("folder/README.txt", "x" * 10_000)
    return path


def test_2011_fixed_width(gaf_2011):
    """Each value is cut at its printed position; a zip with a folder and a guide is fine."""
    table = read_attributes(gaf_2011)
    assert (table.level, table.vintage, len(table.frame)) == ("DB", 2011, 2)
    first = table.frame.iloc[0]
    assert first[["population", "dwellings", "households", "land_km2"]].tolist() == [
        94,
        40,
        35,
        3.4777,
    ]
    assert first[["unit_id", "DA", "CD", "PR", "CSD", "CCS"]].tolist() == [
        "3506000101", "35060001", "3506", "35", "3506008", "3506008",
    ]  # fmt: skip
    assert first[["FED", "ER", "CMA", "CT", "POPCTR"]].tolist() == [
        "35064", "3510", "505", "5050171.06", "0616",
    ]  # fmt: skip
    assert table.names["FED"]["unit_name"].tolist()[0] == "Ottawa--Orléans"
    assert table.names["CSD"].set_index("unit_id").loc["2467802"].tolist() == ["Kahnawake", "IRI"]
    assert table.names["PR"].set_index("unit_id").loc["24"].tolist() == ["Quebec", "Québec"]


def test_the_point_of_the_file_is_the_da_s(gaf_2011):
    """The representative point belongs to the dissemination area: it is never given to a block."""
    table = read_attributes(gaf_2011)
    assert table.frame[["x", "y"]].isna().all().all()
    area = table.names["DA"].set_index("unit_id").loc["35060001"]
    assert area.tolist() == [7495844.025714, 1207922.668571]


def test_refusing_reserves_are_missing_not_zero(gaf_2011):
    """A flagged block has no population, whatever stands in the cell; the report says so."""
    table = read_attributes(gaf_2011)
    assert table.frame["incomplete_reserve"].tolist() == [False, True]
    assert np.isnan(table.frame["population"][1])
    assert "1 unit is flagged" in table.notes.only("reserves").findings[0].message


def test_codes_of_no_unit_are_no_parents(gaf_2011):
    """CMA 996, the rural class and the missing tract leave the block without such a parent."""
    table = read_attributes(gaf_2011)
    assert table.frame.loc[1, ["CMA", "POPCTR", "CT", "DPL"]].isna().all()
    assert "996" not in set(table.names["CMA"]["unit_id"])


def test_one_layout_serves_two_censuses_so_the_year_must_be_known(tmp_path):
    """Without a year in its name the fixed-width file is read, and its year left open."""
    path = tmp_path / "gaf.txt"
    path.write_bytes((line(OTTAWA) + "\r\n").encode("cp1252"))
    assert read_attributes(path).vintage is None
    assert read_attributes(path, vintage=2011).vintage == 2011
    urban = read_attributes(path, vintage=2006)
    assert urban.frame["UA"][0] == "0616"  # urban areas became population centres in 2011
    assert "POPCTR" not in urban.frame


def test_an_unknown_line_length_is_refused_with_numbers(tmp_path):
    """A file that begins like the attribute file but is longer is not cut at guessed places."""
    path = tmp_path / "2011_92-151.txt"
    path.write_text((line(OTTAWA) + "  ") + "\n" + line(OTTAWA) + "x \n", encoding="cp1252")
    with pytest.raises(FileError, match=r"942 characters.*gaf_2011: 940.*gaf_short: 928"):
        read_attributes(path)


def test_blanks_lost_at_the_line_end_are_no_other_layout(tmp_path):
    """Editors strip trailing blanks: one full line is enough to know the layout."""
    path = tmp_path / "2011_92-151.txt"
    path.write_text(f"{line(OTTAWA)}\n{line(KAHNAWAKE).rstrip()[:700]}\n", encoding="cp1252")
    assert read_attributes(path).frame["CSD"].tolist() == ["3506008", "2467802"]


def test_2011_header_line_is_passed_over(tmp_path):
    """Some copies have a line of names above the first block."""
    path = tmp_path / "2011_92-151.txt"
    path.write_text(f"DBuid     DBpop2011\n{line(OTTAWA)}\n", encoding="cp1252")
    assert len(read_attributes(path).frame) == 1


def test_the_shorter_layout_is_known_by_its_length(tmp_path):
    """The widths one public reader applies (928 characters) are tried when the line has them."""
    at = {
        name: start - (1 if start > 342 else 0) - (11 if start > 481 else 0)
        for name, start in AT_2011.items()
    }
    at |= {"CDuid": 426, "CSDuid": 473, "CSDname": 480}
    path = tmp_path / "2006_92-151_XBB.txt"
    path.write_text(line(OTTAWA, at, 928) + "\n", encoding="cp1252")
    table = read_attributes(path)
    assert table.vintage == 2006
    assert table.frame.loc[0, ["CD", "CSD", "CMA", "CT", "UA"]].tolist() == [
        "3506", "3506008", "505", "5050171.06", "0616",
    ]  # fmt: skip


def test_2016_positions_read_what_is_known(tmp_path):
    """Of the 2016 positions only the beginning is known: the rest is not read, and that is said."""
    text = "35060001001" + "      94" + "      40" + "      35" + "      3.4777" + " " + "35060001"
    text += "  7495844.0257140" + "  1207922.6685710" + " 45.12345" + "  -75.12345" + "35"
    assert len(text) == 112  # PRuid is printed at 111
    path = tmp_path / "2016_92-151_XBB_txt.txt"
    path.write_text(f"{text:<1600}\n{text:<1600}\n"[:1600] + "\n", encoding="cp1252")
    table = read_attributes(path)
    assert (table.vintage, table.frame["population"][0], table.frame["DA"][0]) == (
        2016,
        94,
        "35060001",
    )
    assert "CSD" not in table.frame
    assert table.notes.only("known_part").worst == "warning"


def test_2016_csv_headers(tmp_path):
    """Slash-joined bilingual names, with blanks before them; areas outside a CMA, a tract."""
    path = tmp_path / "2016_92-151_XBB.csv"
    header = (
        "DBuid/IDidu, DBpop2016/IDpop2016, DBtdwell2016/IDtlog2016, DBurdwell2016/IDrh2016,"
        " DBarea2016/IDsup2016, DBir2016/IDri2016, DAuid/ADidu, DArplamx/ADlamx, PRuid/PRidu,"
        " PRename/PRanom, PRfname/PRfnom, CSDuid/SDRidu, CSDname/SDRnom, CMAuid/RMRidu,"
        " CMAtype/RMRgenre, CTuid/SRidu, ADAuid/ADAidu"
    )
    rows = [
        "35060001001,94,40,35,3.4777,,35060001,7495844.02,35,Ontario,Ontario,3506008,Ottawa,505,B,"
        "5050171.06,35060001",
        "24660001001,5,2,2,0.5,,24660001,7600000.0,24,Quebec,Québec,2466007,Côte-Saint-Luc,999,,"
        "9990000.00,24660002",
        "48020001001,5,2,2,0.5,,48020001,4600000.0,48,Alberta,Alberta,4802012,Lethbridge,215,D,"
        "2150000.00,48020001",
    ]
    path.write_bytes("\r\n".join([header, *rows]).encode("cp1252"))
    table = read_attributes(path)
    assert (table.level, table.vintage) == ("DB", 2016)
    assert table.frame["CMA"].tolist()[::2] == ["505", "215"]
    assert table.frame["CT"].notna().tolist() == [True, False, False]
    assert table.frame["ADA"].tolist() == ["35060001", "24660002", "48020001"]
    assert table.names["CSD"]["unit_name"].tolist()[1] == "Côte-Saint-Luc"
    assert table.names["DA"]["x"].tolist()[0] == 7495844.02


def test_2021_bilingual_headers(tmp_path):
    """The 2021 file: ids, DGUIDs, names in both languages, the reserve flag."""
    path = tmp_path / "2021_92-151_X.zip"
    header = (
        "PRUID_PRIDU,PRDGUID_PRIDUGD,PRNAME_PRNOM,PRENAME_PRANOM,PRFNAME_PRFNOM,CDUID_DRIDU,"
        "CDDGUID_DRIDUGD,CDNAME_DRNOM,CDTYPE_DRGENRE,FEDUID_CEFIDU,FEDDGUID_CEFIDUGD,FEDNAME_CEFNOM,"
        "CSDUID_SDRIDU,CSDDGUID_SDRIDUGD,CSDNAME_SDRNOM,CSDTYPE_SDRGENRE,DPLUID_LDIDU,CMAPUID_RMRPIDU,"
        "CMAUID_RMRIDU,CMADGUID_RMRIDUGD,CMANAME_RMRNOM,CMATYPE_RMRGENRE,CTUID_SRIDU,"
        "POPCTRRAPUID_CTRPOPRRPIDU,POPCTRRAUID_CTRPOPRRIDU,POPCTRRANAME_CTRPOPRRNOM,"
        "POPCTRRACLASS_CTRPOPRRCLASSE,DAUID_ADIDU,DADGUID_ADIDUGD,DARPLAMX_ADLAMX,DARPLAMY_ADLAMY,"
        "DBUID_IDIDU,DBDGUID_IDIDUGD,DBPOP2021_IDPOP2021,DBTDWELL2021_IDTLOG2021,"
        "DBURDWELL2021_IDRHLOG2021,DBAREA2021_IDSUP2021,DBIR2021_IDRI2021,ADAUID_ADAIDU"
    )
    row = (
        "24,2021A000224,Quebec / Québec,Quebec,Québec,2466,2021A00032466,Montréal,TÉ,24001,"
        '2013A000424001,"Abitibi--Baie-James--Nunavik--Eeyou",2466007,2021A00052466007,'
        "Côte-Saint-Luc,V,240123,24462,462,2021S0503462,Montréal,B,4620100.00,240547,0547,Montréal,4,"
        "24660001,2021S051224660001,7600000.5,1200000.5,24660001001,2021S051324660001001,{},0.5,{},"
        "24660002"
    )
    rows = [row.format("12,6,5", ""), row.format("0,0,0", "1").replace("60001001", "60001002")]
    data = "\r\n".join([header, *rows]).encode("cp1252")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("2021_92-151_X.csv", data)
    table = read_attributes(path)
    assert (table.level, table.vintage) == ("DB", 2021)
    assert table.frame["dguid"].tolist() == ["2021S051324660001001", "2021S051324660001002"]
    assert table.frame["population"].tolist()[0] == 12
    assert np.isnan(table.frame["population"][1])
    assert table.frame["incomplete_reserve"].tolist() == [False, True]
    assert table.names["PR"].iloc[0].tolist() == ["24", "Quebec", "Québec", "2021A000224"]
    assert table.names["FED"]["dguid"][0] == "2013A000424001"
    assert table.names["CMA"].iloc[0].tolist() == ["462", "Montréal", "B", "2021S0503462"]
    assert table.names["CSD"].iloc[0].tolist() == [
        "2466007", "Côte-Saint-Luc", "V", "2021A00052466007",
    ]  # fmt: skip


def test_relationship_file(tmp_path):
    """98-26-0004 holds DGUIDs only: ids, parents of every level and the CMA's schema are read."""
    path = tmp_path / "2021_98260004.csv"
    path.write_text(
        "PRDGUID_PRIDUGD,CDDGUID_DRIDUGD,FEDDGUID_CEFIDUGD,CSDDGUID_SDRIDUGD,ERDGUID_REIDUGD,"
        "CARDGUID_RARIDUGD,CCSDGUID_SRUIDUGD,DADGUID_ADIDUGD,DBDGUID_IDIDUGD,ADADGUID_ADAIDUGD,"
        "DPLDGUID_LDIDUGD,CMAPDGUID_RMRPIDUGD,CMADGUID_RMRIDUGD,CTDGUID_SRIDUGD,"
        "POPCTRPDGUID_CTRPOPPIDUGD,POPCTRDGUID_CTRPOPIDUGD\n"
        "2021A000235,2021A00033506,2013A000435064,2021A00053506008,2021S05003510,2021S05013505,"
        "2021S05023506008,2021S051235060001,2021S051335060001001,2021S051635060001,,2021S050535505,"
        "2021S0503505,2021S05075050171.06,2021S0511350616,2021S05100616\n"
        "2021A000248,2021A00034802,2013A000448027,2021A00054802012,2021S05004810,2021S05014802,"
        "2021S05024802012,2021S051248020001,2021S051348020001001,2021S051648020001,2021A0006480123,"
        "2021S050648215,2021S0504215,,,\n"
    )
    table = read_attributes(path)
    assert (table.level, table.vintage) == ("DB", 2021)
    assert table.frame["unit_id"].tolist() == ["35060001001", "48020001001"]
    assert table.frame["CMA"].tolist() == ["505", "215"]
    assert table.frame["CAR"].tolist() == ["3505", "4802"]
    assert table.frame["CT"].isna().tolist() == [False, True]
    assert table.frame["DPL"].isna().tolist() == [True, False]
    assert table.frame["population"].isna().all()
    assert table.names["CMA"]["dguid"].tolist() == ["2021S0503505", "2021S0504215"]


def test_french_columns(tmp_path):
    """A French boundary table (2021): DA ids, DGUID, land area with a decimal comma."""
    path = tmp_path / "lad_000b21a_f.csv"
    path.write_bytes(b"ADIDU;IDUGD;SUPTERRE;PRIDU\n35060001;2021S051235060001;6,5379;35\n")
    table = read_attributes(path)
    assert (table.level, table.vintage) == ("DA", 2021)
    assert table.frame["land_km2"].tolist() == [6.5379]
    assert table.frame["dguid"].tolist() == ["2021S051235060001"]


def test_french_plain_table(tmp_path):
    """A person's own table in French: names, thousands by no-break spaces."""
    path = tmp_path / "municipalités d'ici #1 2021.csv"
    text = "SDRIDU;SDRNOM;Population;Logements;Ménages\n"
    text += "2466007;Côte-Saint-Luc;34\u00a0504;15 981;15 224\n"
    path.write_bytes(text.encode("cp1252"))
    table = read_attributes(path)
    assert (table.level, table.vintage) == ("CSD", 2021)
    assert table.frame[["population", "dwellings", "households"]].to_numpy().tolist() == [
        [34504, 15981, 15224]
    ]
    assert table.frame["unit_name"].tolist() == ["Côte-Saint-Luc"]


def test_a_mapping_names_unusual_columns(tmp_path):
    """What the caller says of a column goes before what its name seems to say."""
    path = tmp_path / "t.csv"
    path.write_text("zone,habitants,municipality,Population\n35060001,529,3506008,1\n")
    table = read_attributes(
        path,
        vintage=2021,
        level="DA",
        mapping={"unit_id": "zone", "population": "habitants", "CSD": "municipality"},
    )
    assert table.frame.loc[0, ["unit_id", "population", "CSD"]].tolist() == [
        "35060001", 529, "3506008",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mapping", "error", "message"),
    [
        ({"unit_id": "Zone"}, InputError, "not there: Zone. The file has: zone, n"),
        ({"people": "n"}, InputError, "neither a level nor one of unit_id"),
    ],
)
def test_a_wrong_mapping_says_what_there_is(tmp_path, mapping, error, message):
    """The message lists the columns present, or the roles that exist."""
    path = tmp_path / "t.csv"
    path.write_text("zone,n\n35060001,529\n")
    with pytest.raises(error, match=message):
        read_attributes(path, vintage=2021, level="DA", mapping=mapping)


def test_frame_of_a_layer():
    """The attribute table of a layer in memory is read as the file would be."""
    frame = pd.DataFrame(
        {
            "DBUID": ["35060001001"],
            "DGUID": ["2021S051335060001001"],
            "DBRPLAMX": [7495844.025714],
            "DBRPLAMY": [1207922.668571],
            "LANDAREA": [3.4777],
            "PRUID": ["35"],
        },
        index=[7],
    )
    table = from_frame(frame, "ldb_000b21a_e")
    assert (table.level, table.vintage) == ("DB", 2021)
    assert table.frame.loc[0, ["x", "y", "land_km2"]].tolist() == [
        7495844.025714,
        1207922.668571,
        3.4777,
    ]


def test_all_refused_ids_come_at_once(tmp_path):
    """Ids that cannot be restored are refused by row, in every column, in one error."""
    path = tmp_path / "t.csv"
    path.write_text(
        "DAUID,CTUID,Population\n35060001,5050171.06,5\nabc,5050171.06,6\n35060003,505.0.1,7\n"
    )
    with pytest.raises(CensusError, match=r"3: abc.*4: 505\.0\.1") as error:
        read_attributes(path, vintage=2021)
    assert error.value.problems["row"].tolist() == [3, 4]
    with pytest.raises(IdError, match="not an id of the level DA"):
        path.write_text("DAUID,Population\nabc,6\n")
        read_attributes(path, vintage=2021)


def test_lost_zeros_are_restored_and_said(tmp_path):
    """Tracts read as numbers get their zeros back, a CMA part its CMA; the rows are counted."""
    path = tmp_path / "t.csv"
    path.write_text(
        "DAUID,CTUID,CMA_UID,Population\n35060001,5050170.1,35505,94.0\n35060002,5050102,35505,5\n"
    )
    table = read_attributes(path, vintage=2021)
    assert table.frame["CT"].tolist() == ["5050170.10", "5050102.00"]
    assert table.frame["CMA"].tolist() == ["505", "505"]
    assert "2 CMA ids restored" in str(table.notes.frame["message"].tolist())
    assert table.frame["population"].tolist() == [94, 5]


def test_parents_that_contradict_the_id_are_refused(tmp_path):
    """A column sorted apart from the others shows: the division is not the one in the id."""
    path = tmp_path / "t.csv"
    path.write_text("DAUID,CDUID,Population\n35060001,3506,5\n35060002,4806,6\n")
    with pytest.raises(CensusError, match=r"contradict the ids of the units: 35060002: CD 4806"):
        read_attributes(path, vintage=2021)


@pytest.mark.parametrize("cell", ["dix", "1.2.3", "-5", "12 34"])
def test_cells_that_are_no_numbers_are_refused(tmp_path, cell):
    """A count is a number of zero or more, or empty: anything else is named, never dropped."""
    path = tmp_path / "t.csv"
    path.write_text(f"DAUID,Population\n35060001,5\n35060002,{cell}\n35060003,..\n")
    with pytest.raises(CensusError, match=f"Population 3: {cell}"):
        read_attributes(path, vintage=2021)


def test_several_kinds_of_fault_come_in_one_error(tmp_path):
    """Refused ids, unreadable numbers and contradictions are told together."""
    path = tmp_path / "t.csv"
    path.write_text("DAUID,CDUID,Population\nabc,3506,5\n35060002,4806,six\n")
    with pytest.raises(CensusError, match=r"several things.*abc.*six.*CD 4806") as error:
        read_attributes(path, vintage=2021)
    assert len(error.value.problems) == 3


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("DBUID,pop\n3506000101,1\n", {"vintage": 2021}, "not an id of the level DB"),
        (
            "DBUID,dbpop2016\n35060001001,1\n",
            {"vintage": 2021},
            "asked for, and the file is of 2016",
        ),
        ("DAUID,pop2016,dapop2021\n35060001,1,2\n", {}, "several censuses: 2016, 2021"),
        ("DAUID2021,DAUID2016\n35060001,35060001\n", {}, "correspondence file"),
        ("name,people\nA,1\n", {}, "no column of census ids"),
        ("GeoUID,Population\n35060001,1\n", {"vintage": 2021}, "nothing says of which level"),
        ("GeoUID,Type,Population\n35060001,DA,1\n3506,CD,2\n", {}, "of several levels.*CD, DA"),
        ("GeoUID,Population\n35060001,1\n,2\n", {"level": "DA"}, "these rows have none: 3"),
        ("Name,Population\nA,1\n", {"level": "DA"}, "needs a column of DA ids"),
        ("35060001001,1\n35060001002,2\n", {}, "first line that names its 2 columns"),
    ],
)
def test_tables_that_say_too_little_or_too_much(tmp_path, text, options, message):
    """Wrong year, two years, no ids, no level, several levels, no header: each says what to do."""
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises((CensusError, IdError, FileError), match=message):
        read_attributes(path, **options)


def test_repeated_ids_are_left_and_said(tmp_path):
    """Which of two rows is right is not for the reader to say."""
    path = tmp_path / "t.csv"
    path.write_text("DAUID,Population\n35060001,5\n35060001,6\n")
    table = read_attributes(path, vintage=2021)
    assert table.frame["population"].tolist() == [5, 6]
    assert "35060001" in table.notes.only("duplicate_ids").findings[0].message


def test_workbook(tmp_path):
    """A workbook with numbers for ids reads as its CSV would."""
    path = tmp_path / "blocks 2021.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["DBUID", "Population", "Dwellings"])
    book.active.append([35060001001, 94, 40.0])
    book.active.append([35060001002, None, 16])
    book.save(path)
    table = read_attributes(path)
    assert (table.level, table.vintage) == ("DB", 2021)
    assert table.frame["unit_id"].tolist() == ["35060001001", "35060001002"]
    assert table.frame["population"].isna().tolist() == [False, True]


def test_what_is_no_workbook(tmp_path):
    """A file with the ending of a workbook, and a workbook without rows."""
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"DBUID,Population\n")
    with pytest.raises(FileError, match=r"t\.xlsx needs to be a workbook"):
        read_attributes(path)
    openpyxl.Workbook().save(path)
    with pytest.raises(FileError, match="fewer than two lines"):
        read_attributes(path)


@settings(deadline=None)  # a busy machine is no fault
@given(st.permutations(["DBUID", "CSD_UID", "CT_UID", "dbpop2021", "LANDAREA", "note"]))
def test_the_order_of_columns_is_no_matter(order):
    """Columns are known by their names alone."""
    frame = pd.DataFrame(
        {
            "DBUID": ["35060001001", "35060001002"],
            "CSD_UID": ["3506008", "3506008"],
            "CT_UID": ["5050171.06", None],
            "dbpop2021": ["94.0", ".."],
            "LANDAREA": [3.4777, 0.5],
            "note": ["x", "y"],
        }
    )
    expected = from_frame(frame, "blocks").frame
    pd.testing.assert_frame_equal(from_frame(frame[order], "blocks").frame, expected)


def test_headless_copy_of_the_workbook(tmp_path):
    """The 2011 workbook saved as CSV without names: 46 columns, in the order of 92-151."""
    cells = dict.fromkeys(layout("92-151", 2011).names(2011), "")
    cells |= {"DBuid": "3506000101", "DBpop2011": "94", "DAuid": "35060001", "CSDuid": "3506008"}
    path = tmp_path / "2011_92-151.csv"
    path.write_text((";".join(cells.values()) + "\n") * 2)
    table = read_attributes(path)
    assert table.frame.loc[0, ["population", "CSD"]].tolist() == [94, "3506008"]
    assert table.notes.only("headless").worst == "warning"


def test_damaged_zips(gaf_2011, tmp_path):
    """A zip cut short, one whose bytes changed, one without a table: each is named."""
    cut = tmp_path / "cut.zip"
    cut.write_bytes(gaf_2011.read_bytes()[:400])
    with pytest.raises(FileError, match=r"cut\.zip needs to be a whole zip.*download it again"):
        read_attributes(cut)
    rotten = tmp_path / "2011 rotten.zip"
    with zipfile.ZipFile(rotten, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", (line(OTTAWA) + "\n") * 50)
    data = bytearray(rotten.read_bytes())
    data[60:80] = b"\xff" * 20
    rotten.write_bytes(data)
    with pytest.raises(FileError, match=r"rotten\.zip needs to be a whole zip"):
        read_attributes(rotten)
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("guide.pdf", b"%PDF")
    with pytest.raises(FileError, match=r"needs to hold a table.*guide\.pdf"):
        read_attributes(empty)


def test_missing_files_and_folders(tmp_path):
    """A path that is not there, and a folder, are told apart."""
    with pytest.raises(FileError, match="nothing is there"):
        read_attributes(tmp_path / "none.csv")
    with pytest.raises(FileError, match="is a folder"):
        read_attributes(tmp_path)


def test_layouts_add_up():
    """The fixed layouts end where the printed tables end; delimited ones name a column once."""
    for found in layouts().values():
        year = found.vintages[-1]
        assert len(set(found.names(year))) == len(found.columns)
        if found.line is not None:
            assert sum(found.widths) == found.line
    widths = layouts()["gaf_2011"].slices(2011)
    for name, start in {"CSDname": 481, "CTuid": 808, "POPCTRRAuid": 835}.items():
        assert widths[name][0] == start - 1
    assert len(layouts()["gaf_2021"].columns) == 63
    assert layout("98-26-0004", 2021).name == "dgrf_2021"
    assert layout("92-151", 2016).name == "gaf_2016"


@pytest.mark.realdata
def test_ottawa_blocks_sum_to_the_published_population(realdata):
    """The plain table of block counts needs no options and sums to the official population."""
    table = read_attributes(realdata / "ottawa_2021" / "db_counts_2021.csv")
    assert (table.level, table.vintage, len(table.frame)) == ("DB", 2021, 8559)
    assert table.frame["population"].sum() == 1_017_449
    assert table.frame["CD"].unique().tolist() == ["3506"]


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("city", "population", "cma"), [("ottawa", 1_017_449, "505"), ("calgary", 1_306_784, "825")]
)
def test_damaged_profiles_are_restored(realdata, city, population, cma):
    """The profile extracts: lost zeros of tracts, a CMA part for the CMA, counts that read 94.0."""
    table = read_attributes(realdata / f"{city}_2021" / "da_profile_2021.csv")
    assert (table.level, table.vintage) == ("DA", 2021)
    assert table.frame["population"].sum() == population
    assert table.frame["CMA"].unique().tolist() == [cma]
    assert table.frame["CT"].str.fullmatch(r"\d{7}\.\d\d").all()


@pytest.mark.realdata
def test_other_public_tables(realdata, tmp_path):
    """A GeoPackage, generalised outlines and a Windows-1252 .dbf without .cpg."""
    calgary = read_attributes(realdata / "calgary_2021" / "da.gpkg")
    assert (calgary.level, calgary.vintage) == ("DA", None)
    assert calgary.frame["population"].sum() == 1_306_784
    whole = read_attributes(realdata / "canada" / "csd_2021_generalised.gpkg")
    assert (whole.level, len(whole.frame)) == ("CSD", 5161)
    named = whole.frame.set_index("unit_id")
    assert named.loc["1001101", ["unit_name", "unit_type"]].tolist() == [
        "Division No.  1, Subd. V", "SNO",
    ]  # fmt: skip
    shutil.copy(realdata / "canada" / "lcsd000b16a_e.dbf", tmp_path)
    official = read_attributes(tmp_path / "lcsd000b16a_e.dbf")
    assert (official.level, official.vintage, len(official.frame)) == ("CSD", 2016, 5162)
    assert official.frame["unit_name"].str.contains("Rivière").any()
    assert len(official.names["CD"]) == 293


@pytest.mark.realdata
def test_a_correspondence_file_is_no_attribute_file(realdata):
    """92-156 is told from 92-151 by its two years of ids."""
    with pytest.raises(CensusError, match="correspondence file"):
        read_attributes(realdata / "canada" / "2021_92-156-X_DA_AD.zip")


def test_a_table_with_names_and_no_rows_is_refused(tmp_path):
    """A header alone is said to have no rows: it came as a KeyError from the store."""
    path = tmp_path / "db_counts_2021.csv"
    path.write_text("DBUID,dbpop2021,dbtdwell2021\n", encoding="utf-8")
    with pytest.raises(CensusError, match=r"db_counts_2021\.csv needs a row for each unit"):
        read_attributes(path, vintage=2021)


# ---------------------------------------------------------------------- signs and years of headers


@pytest.mark.parametrize(
    "header",
    ["% Population", "Population (%)", "Population ±", "Population ($)", "Population ‰",
     "Households (+/-)", "Land area (%)", "Taux Population"],
)  # fmt: skip
def test_a_header_with_a_sign_is_no_count_of_a_census(tmp_path, header):
    """Percentages, errors and dollars are left out and said; a mapping may still say otherwise."""
    path = tmp_path / "da_2021.csv"
    path.write_text(f"DAUID,Dwellings,{header}\n35060001,3,5\n35060002,4,7\n", encoding="utf-8")
    table = read_attributes(path)
    assert table.frame["population"].isna().all()
    assert table.frame["households"].isna().all()
    assert table.frame["land_km2"].isna().all()
    if header != "Taux Population":
        assert header in table.notes.only("no_counts").findings[0].message
    told = read_attributes(path, mapping={"population": header}).frame
    assert told["population"].tolist() == [5, 7]


def test_of_counts_of_two_censuses_those_of_the_one_told_are_taken(tmp_path):
    """Whatever their order; untold, both years are named; a year in the file's name counts too."""
    path = tmp_path / "da.csv"
    for header, values in (("Pop2016,Pop2021", "1,2"), ("Pop2021,Pop2016", "2,1")):
        path.write_text(f"DAUID,{header}\n35060001,{values}\n", encoding="utf-8")
        table = read_attributes(path, vintage=2021)
        assert table.frame["population"].tolist() == [2]
        assert "Pop2016" in table.notes.only("other_years").findings[0].message
        with pytest.raises(CensusError, match="several censuses: 2016, 2021"):
            read_attributes(path)
    named = tmp_path / "da_2021.csv"
    named.write_text("DAUID,Dwellings,Pop2016\n35060001,3,1\n", encoding="utf-8")
    with pytest.raises(CensusError, match="several censuses: 2016, 2021"):
        read_attributes(named)
    assert read_attributes(named, vintage=2021).frame["population"].isna().all()
