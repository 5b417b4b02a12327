"""Census tables as people have them: profiles, exports, spreadsheets, Parquet, ``.ivt``."""

from __future__ import annotations

import sys
import types
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest

import lipgeo
from lipgeo import synthetic
from lipgeo.errors import FileError, MissingExtraError, TableError
from lipgeo.readers.ivt import from_pyivt

HEAD_2021 = (
    '"CENSUS_YEAR","DGUID","ALT_GEO_CODE","GEO_LEVEL","GEO_NAME","TNR_SF","TNR_LF",'
    '"DATA_QUALITY_FLAG","CHARACTERISTIC_ID","CHARACTERISTIC_NAME","CHARACTERISTIC_NOTE",'
    '"C1_COUNT_TOTAL","SYMBOL","C2_COUNT_MEN+","SYMBOL","C3_COUNT_WOMEN+","SYMBOL",'
    '"C10_RATE_TOTAL","SYMBOL","C11_RATE_MEN+","SYMBOL","C12_RATE_WOMEN+","SYMBOL"'
)
ROWS_2021 = [
    (1, "Population, 2021"),
    (
        1527,
        "Total - Immigrant status and period of immigration for the population in private "
        "households - 25% sample data",
    ),
    (1528, "  Non-immigrants"),
    (1529, "  Immigrants"),
    (1600, "  Something else"),
]


def profile_2021(path, units, encoding="cp1252"):
    """Write a 2021 profile: units is {(dguid, level, name): {id: (value, symbol)}}."""
    lines = [HEAD_2021]
    for (dguid, level, name), cells in units.items():
        for id, words in ROWS_2021:
            value, symbol = cells.get(id, ("0", ""))
            lines.append(
                f'"2021","{dguid}","{dguid[9:]}","{level}","{name}",3.1,3.2,"00000",{id},'
                f'"{words}",,{value},"{symbol}",1,"",2,"",3.5,"",,"...",,"..."'
            )
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode(encoding))
    return path


ONE = {
    ("2021A000011124", "Country", "Canada"): {1: ("36991981", "")},
    ("2021A00054806016", "Census subdivision", "Montréal-Est"): {1: ("900", ""), 1529: ("300", "")},
    ("2021S051248060056", "Dissemination area", "48060056"): {1: ("465", ""), 1529: ("150", "")},
    ("2021S051248060057", "Dissemination area", "48060057"): {1: ("377", ""), 1529: ("", "x")},
}
TWO = {
    ("2021A000011124", "Country", "Canada"): {1: ("36991981", "")},
    ("2021S051235060001", "Dissemination area", "35060001"): {1: ("529", ""), 1529: ("40", "")},
}


def test_profile_of_2021_keeps_totals_symbols_and_ids(tmp_path):
    """The finest level, values from the column of totals, the symbol from the one beside it."""
    path = profile_2021(tmp_path / "98-401-X2021006_English_CSV_data_Prairies.csv", ONE)
    table = lipgeo.read_profile(path)
    assert (table.level, table.vintage) == ("DA", 2021)
    assert table.frame.index.tolist() == ["48060056", "48060057"]
    assert table.frame["immigrants"].tolist()[0] == 150
    assert np.isnan(table.frame.loc["48060057", "immigrants"])
    assert table.symbols.loc["48060057", "immigrants"] == "x"
    assert list(table.frame.columns) == [
        "population",
        "immigrant_status_total",
        "non_immigrants",
        "immigrants",
    ]
    assert len(table.sources.loc[0, "sha256"]) == 64


def test_profile_level_and_windows_1252(tmp_path):
    """Another level on request; accents of Windows-1252 are read."""
    path = profile_2021(tmp_path / "p.csv", ONE)
    table = lipgeo.read_profile(path, level="CSD")
    assert table.names.tolist() == ["Montréal-Est"]


def test_regional_profiles_are_put_together(tmp_path):
    """Rows that both files repeat (the country) are no double; origin says which file."""
    paths = [profile_2021(tmp_path / "a.csv", ONE), profile_2021(tmp_path / "b.csv", TWO)]
    table = lipgeo.read_profile(paths)
    assert table.frame.index.tolist() == ["48060056", "48060057", "35060001"]
    assert table.origin.tolist() == [0, 0, 1]


def test_profile_in_a_zip_and_through_read_table(tmp_path):
    """A zip as downloaded; read_table knows a profile when it sees one."""
    inner = profile_2021(tmp_path / "98-401-X2021006_English_CSV_data.csv", ONE)
    path = tmp_path / "98-401-X2021006_eng_CSV.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Geo_starting_row_CSV.csv", "a,b\n" * 5)
        archive.write(inner, inner.name)
    assert lipgeo.read_table(path).frame.loc["48060056", "population"] == 465


def test_profile_characteristics_wanted(tmp_path):
    """By variable, by id and by words; one that is not there is named."""
    path = profile_2021(tmp_path / "p.csv", ONE)
    table = lipgeo.read_profile(path, characteristics=["immigrants", 1600])
    assert list(table.frame.columns) == ["immigrants", "Something else"]
    with pytest.raises(TableError, match="no characteristic 999999"):
        lipgeo.read_profile(path, characteristics=[999999])


def test_profile_with_one_unit_differing_in_two_files(tmp_path):
    """A unit with other numbers in a second file is an error, not a choice."""
    other = {k: {1: ("999", "")} if "48060056" in k[0] else v for k, v in ONE.items()}
    paths = [profile_2021(tmp_path / "a.csv", ONE), profile_2021(tmp_path / "b.csv", other)]
    with pytest.raises(TableError, match="more than once with different numbers: 48060056"):
        lipgeo.read_profile(paths)


@pytest.mark.parametrize("level", ["DA", "CSD"])
def test_made_profiles_come_back(tmp_path, level):
    """The made census's regional profiles hold what its tables hold, symbols too."""
    census = synthetic.census(800)
    made = [synthetic.table(census, one, incomes=False) for one in ("PR", "CD", "CSD", "DA")]
    paths = synthetic.write_profile(census, made, tmp_path)
    assert len(paths) > 1
    table = lipgeo.read_profile(paths, level=level)
    truth = made[("PR", "CD", "CSD", "DA").index(level)]
    assert table.level == level
    assert set(table.frame.index) == set(truth.frame.index)
    common = [name for name in table.frame if name in truth.frame]
    assert {"population", "immigrants", "recent_immigrants"} <= set(common)
    for name in common:
        mine = table.frame[name]
        there = truth.frame[name].reindex(mine.index)
        pd.testing.assert_series_equal(mine, there, check_names=False, check_index_type=False)
        marks = truth.symbols[name].reindex(mine.index).fillna("")
        if name in table.symbols:
            assert table.symbols[name].tolist() == marks.tolist()
        else:
            assert marks.eq("").all()


def test_a_profile_that_breaks_off(tmp_path):
    """A download cut in the middle of a line is an error, not a shorter table."""
    path = profile_2021(tmp_path / "p.csv", ONE)
    path.write_bytes(path.read_bytes()[:-120])
    with pytest.raises(FileError, match="breaks off"):
        lipgeo.read_profile(path)


def profile_2016(path, what="Dissemination Areas"):
    """Write a 2016 profile, in UTF-8."""
    words = f"Profile of {what} (2247)"
    lines = [
        '"CENSUS_YEAR","GEO_CODE (POR)","GEO_LEVEL","GEO_NAME","GNR","GNR_LF","DATA_QUALITY_FLAG",'
        f'"CSD_TYPE_NAME","ALT_GEO_CODE","DIM: {words}","Member ID: {words}","Notes: {words}",'
        '"Dim: Sex (3): Member ID: [1]: Total - Sex","Dim: Sex (3): Member ID: [2]: Male",'
        '"Dim: Sex (3): Member ID: [3]: Female"'
    ]
    rows = [
        (1, "Population, 2016"),
        (
            1139,
            "Total - Immigrant status and period of immigration for the population in private "
            "households - 25% sample data",
        ),
        (1140, "  Non-immigrants"),
        (1142, "  Immigrants"),
    ]
    cells = {
        "01": "9999",
        "48": "4067175",
        "4806016": "1239220",
        "48060056": "450",
        "48060057": "x",
    }
    for code, value in cells.items():
        lines += [
            f'2016,"{code}",4,"Montréal",4.0,5.1,"00000","","{code}","{name}",{id},,'
            f'"{value if id != 1140 else "..."}","...","..."'
            for id, name in rows
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_profile_of_2016(tmp_path):
    """Levels by the length of the code and the header; symbols stand in the cells."""
    table = lipgeo.read_profile(profile_2016(tmp_path / "98-401-X2016044.csv"))
    assert (table.level, table.vintage) == ("DA", 2016)
    assert table.frame["immigrants"].iloc[0] == 450
    assert table.symbols.loc["48060057", "immigrants"] == "x"
    assert table.symbols["non_immigrants"].tolist() == ["...", "..."]
    assert table.notes.only("by_name")
    assert (
        lipgeo.read_profile(tmp_path / "98-401-X2016044.csv", level="CSD").frame.index[0]
        == "4806016"
    )


def test_profile_of_2016_ada_is_no_da(tmp_path):
    """Eight digits are an ADA where the header says so."""
    path = profile_2016(tmp_path / "98-401-X2016050.csv", "Aggregate Dissemination Areas")
    assert lipgeo.read_profile(path).level == "ADA"


def test_profiles_of_two_censuses(tmp_path):
    """Vintages are never mixed."""
    paths = [profile_2021(tmp_path / "a.csv", ONE), profile_2016(tmp_path / "b.csv")]
    with pytest.raises(TableError, match=r"One census is needed.*2016, 2021"):
        lipgeo.read_profile(paths)


def test_profile_that_is_none(tmp_path):
    """A file that is no profile is named."""
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match=r"these are not: t\.csv"):
        lipgeo.read_profile(path)


# ------------------------------------------------------------------------------- people's files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_french_numbers_in_any_encoding(tmp_path, encoding):
    """Semicolons, decimal commas, no-break spaces and French symbols, in every usual encoding."""
    path = tmp_path / "données_2021.csv"
    space = "\u00a0"
    text = (
        "ADIDU;Région;Immigrants;Âge médian\n"
        f"35060001;Québec;1{space}040;41,5\n35060002;Montréal;..;39,2\n35060003;Laval;F;x\n"
    )
    path.write_bytes(text.encode(encoding))
    table = lipgeo.read_table(path)
    assert table.frame["immigrants"].tolist()[0] == 1040
    assert table.frame["median_age"].tolist()[:2] == [41.5, 39.2]
    assert table.symbols["immigrants"].tolist() == ["", "..", "F"]
    assert table.symbols["median_age"].tolist() == ["", "", "x"]
    assert {"encoding", "decimal_comma"} <= {note.check for note in table.notes}


def test_workbook_with_numbers_for_codes(tmp_path):
    """Excel's numbers are ids again, a marked number keeps its mark."""
    book = openpyxl.Workbook()
    for row in (["DAUID", "Immigrants"], [35060001, 40], [35060002.0, "55 E"], [35060003, "..."]):
        book.active.append(row)
    book.save(tmp_path / "immigrants_2021.xlsx")
    table = lipgeo.read_table(tmp_path / "immigrants_2021.xlsx")
    assert table.frame.index.tolist() == ["35060001", "35060002", "35060003"]
    assert table.frame["immigrants"].tolist()[:2] == [40, 55]
    assert table.symbols["immigrants"].tolist() == ["", "E", "..."]


def test_columns_of_lists_are_left_out_and_named(tmp_path):
    """A Parquet cell may hold a list or a record, which is no number of a unit."""
    held = {"DAUID": ["35060001", "35060002"], "population": [10, 20]}
    nested = {"tags": [[1, 2], [3]], "bbox": [{"xmin": 1.0}, {"xmin": 2.0}]}
    pd.DataFrame({**held, **nested}).to_parquet(tmp_path / "t.parquet")
    table = lipgeo.read_table(tmp_path / "t.parquet", vintage=2021)
    assert list(table.columns) == ["population"]
    (found,) = [one for one in table.notes if one.check == "nested_left"]
    assert "tags" in found.message
    assert "bbox" in found.message


def test_parquet(tmp_path):
    """Parquet, with ids as integers in its index."""
    frame = pd.DataFrame(
        {"immigrants": [1.0, None]}, index=pd.Index([35060001, 35060002], name="DAUID2021")
    )
    frame.to_parquet(tmp_path / "t.parquet")
    table = lipgeo.read_table(tmp_path / "t.parquet")
    assert (table.level, table.vintage) == ("DA", 2021)
    assert table.frame.index.tolist() == ["35060001", "35060002"]


def test_tracts_that_lost_zeros(tmp_path):
    """A third of such files has lost trailing zeros: they come back, and it is said."""
    path = tmp_path / "ct.csv"
    path.write_text(
        "CTUID,vintage,Immigrants\n5050125.4,2021,5\n5050125,2021,6\n5050125.04,2021,7\n"
    )
    table = lipgeo.read_table(path)
    assert table.frame.index.tolist() == ["5050125.40", "5050125.00", "5050125.04"]
    assert table.notes.only("id_tract")


def test_dguids_of_one_level_and_of_two(tmp_path):
    """DGUIDs say level and census; two levels need a choice, two censuses are refused."""
    path = tmp_path / "t.csv"
    path.write_text("DGUID,Immigrants\n2021A00054806016,5\n2021A00053506008,6\n")
    assert lipgeo.read_table(path).frame.index.tolist() == ["4806016", "3506008"]
    path.write_text("DGUID,Immigrants\n2021A00054806016,5\n2021S051235060001,6\n")
    with pytest.raises(TableError, match=r"One level is needed.*CSD, DA"):
        lipgeo.read_table(path)
    assert lipgeo.read_table(path, level="DA").frame.index.tolist() == ["35060001"]
    path.write_text("DGUID,Immigrants\n2016A00054806016,5\n2021A00053506008,6\n")
    with pytest.raises(TableError, match=r"One census is needed.*2016, 2021"):
        lipgeo.read_table(path)


def test_unknown_geography_column(tmp_path):
    """No column of units: the message lists the columns; id= with own zones is allowed."""
    path = tmp_path / "t_2021.csv"
    path.write_text("quartier,Immigrants\nA,5\nB,6\n")
    with pytest.raises(TableError, match=r"needs a column of census units.*quartier"):
        lipgeo.read_table(path)
    table = lipgeo.read_table(path, id="quartier")
    assert table.level is None
    assert table.frame.index.tolist() == ["A", "B"]
    with pytest.raises(TableError, match="no column ward"):
        lipgeo.read_table(path, id="ward")


def test_eight_digits_are_da_or_ada(tmp_path):
    """The level is never guessed between DA and ADA."""
    path = tmp_path / "t_2021.csv"
    path.write_text("geo_code,Immigrants\n35060001,5\n35060002,6\n")
    with pytest.raises(TableError, match="several levels: ADA, DA"):
        lipgeo.read_table(path)
    assert lipgeo.read_table(path, level="DA").level == "DA"


def test_no_census_said(tmp_path):
    """Where nothing says the census, it is asked for."""
    path = tmp_path / "t.csv"
    path.write_text("DAUID,Immigrants\n35060001,5\n35060002,6\n")
    with pytest.raises(TableError, match="nothing says of which census"):
        lipgeo.read_table(path)
    assert lipgeo.read_table(path, vintage=2016).vintage == 2016


def test_rows_that_are_no_unit(tmp_path):
    """A total row is left out and said; where most rows are none, it is an error."""
    path = tmp_path / "t_2021.csv"
    path.write_text("DAUID,Immigrants\n35060001,5\n35060002,6\nTotal,11\n")
    table = lipgeo.read_table(path)
    assert len(table) == 2
    assert "Total" in table.notes.only("rows_left_out").findings[0].message
    path.write_text("DAUID,Immigrants\n3506,5\n3507,6\n35060001,7\n")
    with pytest.raises(TableError, match="2 of 3 are none"):
        lipgeo.read_table(path)


def test_duplicated_rows(tmp_path):
    """Equal rows are kept once and said; different ones are an error with their rows."""
    path = tmp_path / "t_2021.csv"
    path.write_text("DAUID,Immigrants\n35060001,5\n35060001,5\n35060002,6\n")
    table = lipgeo.read_table(path)
    assert len(table) == 2
    assert table.notes.only("same_twice")
    path.write_text("DAUID,Immigrants\n35060001,5\n35060001,7\n35060002,6\n")
    with pytest.raises(TableError, match=r"different numbers: 35060001 \(2\), 35060001 \(3\)"):
        lipgeo.read_table(path)


def test_cells_that_are_no_numbers(tmp_path):
    """A word in a column of numbers is an error with its row, never a zero."""
    path = tmp_path / "t_2021.csv"
    path.write_text("DAUID,Immigrants\n35060001,5\n35060002,dix\n35060003,7\n")
    with pytest.raises(TableError, match="Immigrants, 3: dix"):
        lipgeo.read_table(path)


def test_negative_counts(tmp_path):
    """A count below zero is refused."""
    path = tmp_path / "t_2021.csv"
    path.write_text("DAUID,Immigrants\n35060001,-5\n35060002,6\n")
    with pytest.raises(TableError, match="35060001"):
        lipgeo.read_table(path)


def test_columns_of_one_sex_and_shared_words(tmp_path):
    """Men are never taken for everybody; words of two variables keep their own name."""
    path = tmp_path / "t_2021.csv"
    path.write_text(
        'DAUID,"v_CA21_4410: Immigrants, - Total","v_CA21_4411: Immigrants, - Men+",Americas\n'
        "35060001,5,2,1\n35060002,6,3,1\n"
    )
    table = lipgeo.read_table(path)
    assert list(table.frame.columns) == [
        "immigrants",
        "v_CA21_4411: Immigrants, - Men+",
        "Americas",
    ]
    assert table.notes.only("unclear")


def test_symbols_in_a_column_of_their_own(tmp_path):
    """Symbols beside values, by name or as a repeated SYMBOL column."""
    path = tmp_path / "t_2021.csv"
    path.write_text(
        "DAUID,Immigrants,SYMBOL,Non-immigrants,SYMBOL\n35060001,,x,5,\n35060002,6,,,F\n"
    )
    table = lipgeo.read_table(path)
    assert table.symbols["immigrants"].tolist() == ["x", ""]
    assert table.symbols["non_immigrants"].tolist() == ["", "F"]


# ------------------------------------------------------------------------------- Beyond 20/20


def test_beyond_2020_units_down(tmp_path):
    """Codes are read from the labels, titles above and notes below are no rows."""
    path = tmp_path / "94-581-XCB2006.csv"
    path.write_text(
        '"Profile for Census Subdivisions, 2006"\n\n'
        '"Geography","Total population by immigrant status and place of birth","  Immigrants"\n'
        '"Ottawa (3506008) 00000 (4.2%)","801275","178545"\n'
        '"Clarence-Rockland (3502036) 00000","20675","x"\n\n"Note: see the guide"\n',
        encoding="utf-8",
    )
    with pytest.raises(TableError, match="several levels: CCS, CSD"):
        lipgeo.read_table(path)
    table = lipgeo.read_table(path, level="CSD")
    assert (table.level, table.vintage) == ("CSD", 2006)
    assert table.frame["immigrants"].tolist()[0] == 178545
    assert table.symbols["immigrants"].tolist() == ["", "x"]
    assert table.names.iloc[0].startswith("Ottawa")


def test_beyond_2020_units_across(tmp_path):
    """The same view with units across is turned."""
    path = tmp_path / "2006.csv"
    path.write_text(
        '"Characteristics","Ottawa (3506008) 00000","Clarence-Rockland (3502036) 00000"\n'
        '"Immigrants","178545","x"\n"Non-immigrants","600000","20000"\n'
    )
    table = lipgeo.read_table(path, level="CSD")
    assert table.frame["non_immigrants"].tolist() == [600000, 20000]
    assert table.symbols["immigrants"].tolist() == ["", "x"]


class _Ivt:
    """A stand-in with pyivt's own names (0.0.3): pyivt ships no file to read."""

    def __init__(self):
        text = types.SimpleNamespace
        labels = text(en=["Ottawa (3506008) 00000", "Clarence-Rockland (3502036) 00000"], fr=None)
        self.layout = text(counts=[2, 2, 2], slugs=["geo", "status", "sex"], n_dim=3, geo_dim=1)
        dims = [
            text(count=2, members=labels),
            text(count=2, members=text(en=["Non-immigrants", "  Immigrants"], fr=None)),
            text(count=2, members=text(en=None, fr=["Total - Sexe", "Hommes"])),
        ]
        self.metadata = text(
            title=text(en="Immigrants 2006", fr=None),
            dimensions=dims,
            geographies=text(
                geo_uid=["3506008", "3502036"], geo_label=labels, geo_name=["Ottawa", "C-R"]
            ),
        )

    def to_arrow(self):
        value = [600.0, 300.0, 178.0, 90.0, 20.0, 10.0, None, 2.5]
        symbol = [None] * 6 + ["x", None]
        return pa.table({"value": value, "symbol": pa.array(symbol, pa.string())})


def test_ivt_grid_is_unfolded():
    """Rows follow file order, last dimension fastest; symbols stand for missing values."""
    sheet = from_pyivt(_Ivt(), "t.ivt")
    assert sheet.frame["geo_uid"].tolist() == ["3506008", "3502036"]
    assert sheet.frame["Immigrants | Total - Sexe"].tolist() == ["178", "x"]
    assert sheet.frame["Immigrants | Hommes"].tolist() == ["90", "2.5"]


def test_ivt_without_the_extra(tmp_path, monkeypatch):
    """The message names the extra."""
    (tmp_path / "t.ivt").write_bytes(b"abc")
    monkeypatch.setitem(sys.modules, "pyivt", None)
    with pytest.raises(MissingExtraError, match=r"\.\[ivt\]"):
        lipgeo.read_table(tmp_path / "t.ivt")


def test_ivt_that_is_none(tmp_path):
    """What pyivt cannot read is a FileError that says what to do."""
    pytest.importorskip("pyivt")
    (tmp_path / "t.ivt").write_bytes(b"this is no table")
    with pytest.raises(FileError, match="Save it as CSV"):
        lipgeo.read_table(tmp_path / "t.ivt")


# ------------------------------------------------------------------------------- real files


@pytest.mark.realdata
@pytest.mark.parametrize(("place", "units"), [("ottawa", 1392), ("calgary", 1675)])
def test_real_extracts(realdata, place, units):
    """The damaged extracts are read whole: every unit, every variable known, tracts restored."""
    table = lipgeo.read_table(realdata / f"{place}_2021" / "da_profile_2021.csv")
    assert (len(table), table.level, table.vintage) == (units, "DA", 2021)
    assert set(table.variables) == set(table.frame.columns)
    tracts = table.parents.dropna()
    assert len(tracts) > 0.95 * units
    assert tracts.str.fullmatch(r"\d{7}\.\d{2}").all()
    total = {"ottawa": 1_017_449, "calgary": 1_306_784}[place]
    assert table.frame["population"].sum() == total


def test_characteristics_of_later_files_are_read_too(tmp_path):
    """One product cut by characteristic: what only the second file holds is not dropped."""
    census = synthetic.census(600)
    made = synthetic.table(census, "DA", incomes=False)
    (path, *_) = synthetic.write_profile(census, [made], tmp_path / "whole")
    header, *lines = path.read_text("cp1252").splitlines(keepends=True)
    ids = [
        line.split('","')[8].strip('"') if '","' in line else line.split(",")[8] for line in lines
    ]
    first = dict.fromkeys(ids[:3])
    for name, mine in (("one.csv", True), ("two.csv", False)):
        rows = [line for line, id in zip(lines, ids, strict=True) if (id in first) == mine]
        (tmp_path / name).write_text(header + "".join(rows), "cp1252")
    whole = lipgeo.read_profile(path)
    both = lipgeo.read_profile([tmp_path / "one.csv", tmp_path / "two.csv"])
    assert set(both.columns) == set(whole.columns)
    assert len(lipgeo.read_profile(tmp_path / "one.csv").columns) == 3
    assert both.frame[list(whole.columns)].equals(whole.frame)


def test_a_folder_is_no_profile(tmp_path):
    """It is said in a sentence, by the reader and by the import alike."""
    for call in (
        lambda: lipgeo.read_profile(tmp_path),
        lambda: lipgeo.add_table(tmp_path, tmp_path),
    ):
        with pytest.raises((FileError, TableError), match="folder"):
            call()


def test_codes_beside_the_ids_named_are_no_numbers(tmp_path):
    """Ids of other levels, however they are called, and codes with zeros before are left out."""
    path = tmp_path / "t.csv"
    path.write_text(
        "key,ct_id,DAUID,PR code,route,Population,age\n"
        "35060001001,5050001.00,35060001,35,01234,0010,40\n"
        "35060001002,5050001.00,35060001,35,11235,0020,41\n"
    )
    table = lipgeo.read_table(path, id="key", level="DB", vintage=2021)
    assert list(table.frame.columns) == ["population", "age"]
    assert table.frame["population"].tolist() == [10.0, 20.0]
    (left,) = [one for one in table.notes if one.check == "texts"]
    assert "ct_id, route" in left.message
