"""Census Profiles imported into a store: the same values, resumable, all or nothing."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from commands import run
from hypothesis import given, settings
from hypothesis import strategies as st
from test_readers_tables import profile_2016

import lipgeo
from lipgeo import synthetic
from lipgeo.errors import FileError, InputError, OutputError, StoreError, TableError
from lipgeo.files import read_manifest
from lipgeo.readers.statcan import profile_files
from lipgeo.store.add import import_lock
from lipgeo.store.tables import importing, intake
from lipgeo.store.tables.layout import TABLE, find_tables, table_folder, work_folder
from lipgeo.store.tables.opening import describe_tables
from lipgeo.synthetic.files import COLUMNS

VALUES = ("total", "men", "women")
#: id, words; 345 is a percentage of the dictionary, 1 and 384 are counts, 9999 is unknown to it
ROWS = (
    (1, "Population, 2021"),
    (345, "  Prevalence of low income based on the Low-income measure, after tax (LIM-AT) (%)"),
    (
        383,
        "Total - Knowledge of official languages for the total population excluding "
        "institutional residents",
    ),
    (384, "  English only"),
    (9999, '  Né à "Québec", ailleurs'),
)


def profile(path, units, encoding="cp1252", ending="\r\n", rows=ROWS):
    """Write a 2021 profile: units is [(dguid, name, {id: the twelve cells})]; others are 0."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, lineterminator=ending)
        writer.writerow(COLUMNS)
        for dguid, name, cells in units:
            for id, words in rows:
                figures = cells.get(
                    id, ["0", "", "0", "", "0", "", "0.0", "", "0.0", "", "0.0", ""]
                )
                if figures is not None:
                    head = ["2021", dguid, dguid[9:], "Level", name, "3.1", "4.3", "00000"]
                    note = "" if id < 100 else id % 90
                    writer.writerow([*head, id, words, note, *figures])
    return path


def figures(total, symbol="", rate="0.0", rate_symbol=""):
    """Return the twelve cells of a row: the same for everybody."""
    return [total, symbol] * 3 + [rate, rate_symbol] * 3


def das(count, seed=1, first=35060001):
    """Return made dissemination areas, figures differing from unit to unit."""
    random = np.random.default_rng(seed)
    return [
        (
            f"2021S0512{first + place}",
            f"Unité {first + place}, d'où",
            {id: figures(str(random.integers(0, 500))) for id, _ in ROWS},
        )
        for place in range(count)
    ]


def held(store, name, vintage=2021):
    """Return all rows of a table, as a frame by level, unit and characteristic."""
    folder = table_folder(Path(store), vintage, name)
    parts = []
    for path in sorted((folder / "data").rglob("*.parquet")):
        frame = pq.ParquetFile(path).read().to_pandas()
        parts.append(frame.assign(level=path.parent.name.removeprefix("level=")))
    units = pq.ParquetFile(folder / "units.parquet").read().to_pandas()
    rows = pd.concat(parts).merge(units, on=["unit", "level"], validate="many_to_one")
    return rows.set_index(["level", "unit_id", "characteristic"]).sort_index()


def bytes_of(folder):
    """Return the contents of a folder's files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def oracle(path, encoding="cp1252"):
    """Read a profile row by row, slowly: (dguid, id) -> total, men, women and their symbols."""
    rows = {}
    with path.open(encoding=encoding, newline="") as file:
        for row in list(csv.reader(file))[1:]:
            found = []
            for count in (11, 13, 15):
                value, symbol = row[count], row[count + 1]
                if not value and row[count + 6] and row[8] not in ("1", "383", "384"):
                    value, symbol = row[count + 6], row[count + 7]
                lost = symbol in ("x", "F", "..", "...")
                found += [np.nan if lost or not value else float(value), symbol or None]
            rows[row[1][9:], int(row[8])] = found
    return rows


def assert_held(store, name, path, encoding="cp1252"):
    """Assert that a table holds what a slow reading of its file gives."""
    rows = held(store, name)
    wanted = oracle(path, encoding)
    assert len(rows) == len(wanted)
    for (_, unit_id, characteristic), row in rows.iterrows():
        for place, value in enumerate(VALUES):
            number, symbol = wanted[unit_id, characteristic][2 * place : 2 * place + 2]
            assert row[value] == number or (np.isnan(row[value]) and np.isnan(number))
            given = row[f"{value}_symbol"]
            assert (None if pd.isna(given) else given) == symbol


# ----------------------------------------------------------------------------------- the values


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Give regional profiles of a made census, as published."""
    census = synthetic.census(900, seed=3)
    made = [synthetic.table(census, level, suppressed=0.05) for level in ("DA", "CSD", "CD", "PR")]
    return synthetic.write_profile(census, made, tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def imported(published, tmp_path_factory):
    """Give a store with those profiles as one table."""
    store = tmp_path_factory.mktemp("imported")
    lipgeo.add_table(store, published)
    return store


def assert_as_read(store, paths, name="98-401-X2021006"):
    """Assert that a table holds what read_profile reads, at every level."""
    rows = held(store, name)
    characteristics = pd.read_parquet(table_folder(store, 2021, name) / "characteristics.parquet")
    ids = characteristics.dropna(subset="variable").set_index("variable")["characteristic"]
    for level in ("DA", "CSD", "CD", "PR"):
        table = lipgeo.read_profile(paths, level=level)
        mine = rows.loc[level]
        totals = mine["total"].unstack().reindex(table.frame.index)
        symbols = mine["total_symbol"].astype(object).unstack().reindex(table.frame.index)
        for column in table.frame:
            pd.testing.assert_series_equal(
                totals[ids[column]], table.frame[column], check_names=False, check_exact=True
            )
            if column in table.symbols:
                told = symbols[ids[column]].fillna("")
                assert told.tolist() == table.symbols[column].tolist()
        names = mine["name"].groupby("unit_id").first()
        assert names.reindex(table.names.index).tolist() == table.names.tolist()


def test_values_are_those_of_the_reader(published, imported):
    """Every value, symbol, name and id of every level is what read_profile gives."""
    assert_as_read(imported, published)


def test_utf8_and_zip_give_the_same_table(published, imported, tmp_path):
    """Files in UTF-8, and zipped, hold the same table as Windows-1252 ones."""
    again = []
    for path in published:
        text = path.read_bytes().decode("cp1252")
        other = tmp_path / path.name
        other.write_bytes(text.encode("utf-8"))
        zipped = tmp_path / f"{path.stem}.zip"
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(other, f"folder/{path.name}")
            archive.writestr("folder/98-401-X2021006_English_meta.txt", "about")
        again.append(zipped)
    lipgeo.add_table(tmp_path / "store", again)
    assert_as_read(tmp_path / "store", published)
    one, two = (
        bytes_of(table_folder(store, 2021, "98-401-X2021006") / "data")
        for store in (imported, tmp_path / "store")
    )
    assert one == two


def test_the_folder_is_as_agreed(imported):
    """Levels, units, characteristics, ranges and manifest stand where readers look for them."""
    folder = table_folder(imported, 2021, "98-401-X2021006")
    manifest = read_manifest(folder, TABLE)
    assert manifest["levels"] == ["DA", "CSD", "CD", "PR"]
    assert manifest["values"] == list(VALUES)
    assert manifest["finished"] is True
    units = pd.read_parquet(folder / "units.parquet")
    assert units["unit"].tolist() == list(range(len(units)))
    assert units.groupby("level").size().to_dict() == manifest["units"]
    part = next((folder / "data" / "level=DA").glob("*.parquet"))
    rows = pq.ParquetFile(part).read()
    assert [str(kind) for kind in rows.schema.types[:4]] == ["int32", "int32", "int8", "double"]
    keys = rows.select(["content", "characteristic", "unit"]).to_pandas()
    assert keys.equals(keys.sort_values(list(keys), ignore_index=True))
    values = rows.select(list(VALUES)).to_pandas()
    number, gap = values.fillna(0).ne(0).any(axis=1), values.isna().any(axis=1)
    assert keys["content"].tolist() == (number + gap * (3 - 2 * number)).tolist()
    assert keys["content"].nunique() > 2
    ranges = pd.read_parquet(folder / "ranges.parquet")
    whole = held(imported, "98-401-X2021006").reset_index()
    for value in VALUES:
        mine = ranges[ranges["column"] == value].set_index(["level", "characteristic"]).sort_index()
        by_row = whole.groupby(["level", "characteristic"])[value]
        assert mine["least"].equals(by_row.min().rename("least"))
        assert mine["greatest"].equals(by_row.max().rename("greatest"))
        assert (mine["cells"] - mine["missing"]).equals(by_row.count())
    assert not list(folder.glob("ranges/*"))


def test_awkward_words_quotes_and_rates(tmp_path):
    """Commas, quotes and accents in words; rates where no count is; symbols of both kinds."""
    units = das(9)
    units[3][2][345] = figures("", "...", "12.5", "")
    units[4][2][345] = figures("", "", "7.5", "E")
    units[5][2][384] = figures("", "x", "9.9", "")
    units[6][2][9999] = figures("", "", "3.5", "r")
    units[7][2][9999] = figures("120", "E", "", "..")
    path = profile(tmp_path / "p.csv", units)
    lipgeo.add_table(tmp_path / "store", path, name="p")
    assert_held(tmp_path / "store", "p", path)
    rows = held(tmp_path / "store", "p")
    assert rows["total"].loc["DA", "35060004", 345] == 12.5
    assert np.isnan(rows["total"].loc["DA", "35060006", 384])
    assert rows["total"].loc["DA", "35060007", 9999] == 3.5
    assert rows["name"].iloc[0] == "Unité 35060001, d'où"
    folder = table_folder(tmp_path / "store", 2021, "p")
    members = pd.read_parquet(folder / "characteristics.parquet")
    assert members["name"].iloc[4] == 'Né à "Québec", ailleurs'
    assert members["depth"].tolist() == [0, 1, 0, 1, 1]
    assert members["variable"].iloc[0] == "population"


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_quotes_everywhere_or_nowhere(tmp_path, quoting, ending):
    """Every field in quotes, or those that need them; either end of line; none at the end."""
    path = profile(tmp_path / "p.csv", das(12), ending=ending)
    with path.open(encoding="cp1252", newline="") as file:
        rows = list(csv.reader(file))
    with path.open("w", encoding="cp1252", newline="") as file:
        csv.writer(file, quoting=quoting, lineterminator=ending).writerows(rows)
    path.write_bytes(path.read_bytes().removesuffix(ending.encode()))
    lipgeo.add_table(tmp_path / "store", path, name="p")
    assert_held(tmp_path / "store", "p", path)


def test_numbers_beside_a_symbol_of_none_are_not_believed(tmp_path):
    """A number beside x, F, .. or ... is left out and counted; beside E or r it stays."""
    units = das(4)
    units[0][2][384] = figures("35", "x", "1.0", "")
    units[1][2][384] = figures("35", "E", "1.0", "")
    path = profile(tmp_path / "p.csv", units)
    report = lipgeo.add_table(tmp_path / "store", path, name="p")
    assert_held(tmp_path / "store", "p", path)
    assert read_manifest(table_folder(tmp_path / "store", 2021, "p"), TABLE)["not_believed"] == 3
    assert report.only("not_believed", "warning")


def test_profile_of_2016(tmp_path):
    """Levels by the length of ids; Male and Female are men and women; symbols stand in cells."""
    path = profile_2016(tmp_path / "98-401-X2016044.csv")
    report = lipgeo.add_table(tmp_path / "store", path)
    rows = held(tmp_path / "store", "98-401-X2016044", 2016)
    assert rows["total"].loc["DA", "48060056", 1142] == 450
    assert rows["total_symbol"].loc["DA", "48060057", 1142] == "x"
    assert (rows["men_symbol"] == "...").all()
    table = lipgeo.read_profile(path)
    assert table.frame["immigrants"].tolist()[0] == rows["total"].loc["DA", "48060056", 1142]
    assert report.only("country")
    assert describe_tables(tmp_path / "store")["level"].tolist() == ["DA", "CSD", "PR"]


def test_the_country_is_left_out(tmp_path):
    """Rows of the country are of no level: left out, counted and said."""
    path = profile(tmp_path / "p.csv", [("2021A000011124", "Canada", {}), *das(3)])
    report = lipgeo.add_table(tmp_path / "store", path, name="p")
    assert read_manifest(table_folder(tmp_path / "store", 2021, "p"), TABLE)["dropped"] == {
        "country": 5
    }
    assert "5 rows" in report.only("country").findings[0].message
    assert len(held(tmp_path / "store", "p")) == 15


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_rows_are_read_as_a_slow_reader_reads_them(data, tmp_path_factory):
    """Rows missing here and there, blocks and batches of any size: a slow reading agrees."""
    folder = tmp_path_factory.mktemp("any")
    units = das(data.draw(st.integers(2, 14)))
    cells = st.sampled_from(["0", "5", "1250", "12.5", ""])
    symbols = st.sampled_from(["", "", "x", "...", "E", "F"])
    for _, _, unit in data.draw(st.lists(st.sampled_from(units), max_size=6)):
        for id, _ in data.draw(st.lists(st.sampled_from(ROWS[1:]), max_size=3)):
            row = [data.draw(one) for _ in range(6) for one in (cells, symbols)]
            unit[id] = data.draw(st.sampled_from([row, None]))
    path = profile(folder / "p.csv", units)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile_files, "BLOCK", data.draw(st.integers(1, 5)) * 700)
        patch.setattr(importing, "BATCH_UNITS", data.draw(st.integers(1, 7)))
        lipgeo.add_table(folder / "store", path, name="p")
    assert_held(folder / "store", "p", path)


def test_notes_and_empty_lines_are_passed_over(tmp_path):
    """Empty lines and a note at the end are no rows."""
    path = profile(tmp_path / "p.csv", das(4))
    text = path.read_bytes().split(b"\r\n")
    text.insert(8, b"")
    path.write_bytes(b"\r\n".join([*text[:-1], b'"Source: a census, of a country"', b"", b""]))
    lipgeo.add_table(tmp_path / "store", path, name="p")
    assert len(held(tmp_path / "store", "p")) == 20


def test_a_note_with_accents_is_passed_over_in_either_code_page(tmp_path):
    """A French note is no row, whatever its code page; what follows keeps its line number."""
    units = das(4)
    units[3][2][384] = figures("douze")
    for encoding in ("cp1252", "utf-8"):
        path = profile(tmp_path / f"{encoding}.csv", units, encoding=encoding)
        text = path.read_bytes().split(b"\r\n")
        text[3:3] = [b"", '"Données révisées, à Montréal"'.encode(encoding)]
        path.write_bytes(b"\r\n".join(text))
        with pytest.raises(TableError, match=rf"{encoding}\.csv:22.*35060004 384.*douze"):
            lipgeo.add_table(tmp_path / "store", path, name="p")
        assert path.read_bytes().split(b"\r\n")[21].count(b"douze") == 3


def test_rates_are_taken_alike_in_memory_and_in_a_store(tmp_path):
    """Where no count is, both take the rate unless the dictionary knows a plain count."""
    units = das(3)
    for _, _, cells in units:
        cells[345] = figures("", "", "12.5", "E")
        cells[384] = figures("", "x", "9.9", "")
        cells[9999] = figures("", "", "3.5", "r")
    path = profile(tmp_path / "p.csv", units)
    lipgeo.add_table(tmp_path / "store", path, name="p")
    rows = held(tmp_path / "store", "p").loc["DA"]
    table = lipgeo.read_profile(path, characteristics=[345, 384, 9999])
    for column, id in zip(table.frame, (345, 384, 9999), strict=True):
        mine = rows.xs(id, level="characteristic")
        assert table.frame[column].equals(mine["total"].rename(column))
        assert table.symbols[column].tolist() == mine["total_symbol"].tolist()
    assert table.frame.iloc[0, [0, 2]].tolist() == [12.5, 3.5]
    assert np.isnan(table.frame.iloc[0, 1])


# ---------------------------------------------------------------------------- census of a file


def of_2026(path, *, name=False, year=False, dguids=False, last=False):
    """Write a profile that says 2026 somewhere: in its name, its years, its DGUIDs or its last."""
    units = das(3)
    if dguids or last:
        units = [
            (dguid.replace("2021", "2026") if dguids or place == 2 else dguid, unit, cells)
            for place, (dguid, unit, cells) in enumerate(units)
        ]
    path = profile(path / ("98-401-X2026006_data.csv" if name else "p.csv"), units)
    if year:
        path.write_bytes(path.read_bytes().replace(b"\r\n2021,", b"\r\n2026,"))
    return path


@pytest.mark.parametrize(
    "says",
    [
        {"name": True},
        {"year": True},
        {"dguids": True},
        {"last": True},
        {"name": True, "year": True, "dguids": True},
    ],
    ids=["name", "years", "DGUIDs", "the last DGUID", "all"],
)
def test_a_profile_of_2026_is_never_read_as_2021(tmp_path, says):
    """Whatever says 2026, name, years, DGUIDs or one unit of them: refused, and by what it says."""
    path = of_2026(tmp_path, **says)
    for read in (
        lipgeo.read_profile,
        lipgeo.read_table,
        lambda one: lipgeo.add_table(tmp_path / "store", one),
    ):
        with pytest.raises(TableError, match="2026"):
            read(path)
    assert not find_tables(tmp_path / "store")


def test_a_subdivision_of_a_later_census_is_refused(tmp_path):
    """Subdivisions are issued every year: one of 2026 parses, and is still none of 2021."""
    path = profile(tmp_path / "p.csv", [("2026A00053506008", "Ottawa", {})])
    with pytest.raises(TableError, match="2026A00053506008"):
        lipgeo.read_profile(path)


def test_a_district_keeps_the_year_of_its_order(tmp_path):
    """A federal electoral district of 2013 or 2023 is one of the census of 2021."""
    path = profile(tmp_path / "p.csv", [("2013A000435075", "a", {}), ("2023A000435076", "b", {})])
    assert lipgeo.read_profile(path).frame.index.tolist() == ["35075", "35076"]
    lipgeo.add_table(tmp_path / "store", path, name="p")
    assert len(held(tmp_path / "store", "p").loc["FED"]) == 10


# ------------------------------------------------------------------------------- several files


def test_units_that_come_again_with_the_same_figures_are_kept_once(tmp_path):
    """A unit of two files, or twice in one, with equal rows is one unit; the report names it."""
    units = das(5)
    paths = [
        profile(tmp_path / "a.csv", [*units, units[1]]),
        profile(tmp_path / "b.csv", [units[0], *das(3, first=48060001)]),
    ]
    report = lipgeo.add_table(tmp_path / "store", paths, name="p")
    rows = held(tmp_path / "store", "p")
    assert len(rows) == 8 * 5
    assert rows.index.is_unique
    assert "35060001" in report.only("same_twice").findings[0].message
    assert rows["origin"].loc["DA", "48060001", 1] == 1


@pytest.mark.parametrize("batch", [2, 256])
def test_units_that_come_again_with_other_figures_are_refused(tmp_path, monkeypatch, batch):
    """A unit that differs between files stops the import, by name; nothing is left to see."""
    monkeypatch.setattr(importing, "BATCH_UNITS", batch)
    units = das(5)
    dguid, name, cells = units[2]
    other = [(dguid, name, {**cells, 384: figures("7777")})]
    paths = [profile(tmp_path / "a.csv", units), profile(tmp_path / "b.csv", [*other, *units[:1]])]
    with pytest.raises(TableError, match="35060003"):
        lipgeo.add_table(tmp_path / "store", paths, name="p")
    assert not find_tables(tmp_path / "store")


def test_profiles_of_two_censuses_or_of_none(tmp_path):
    """Files of two censuses, or that are no profile, are refused before anything is read."""
    old = profile_2016(tmp_path / "98-401-X2016044.csv")
    new = profile(tmp_path / "p.csv", das(1))
    with pytest.raises(TableError, match="2016"):
        lipgeo.add_table(tmp_path / "store", [old, new])
    (tmp_path / "q.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match=r"q\.csv"):
        lipgeo.add_table(tmp_path / "store", tmp_path / "q.csv")


# --------------------------------------------------------------------------- what stops it


def test_cells_that_are_no_numbers_are_all_named(tmp_path):
    """File, line, unit and characteristic of every such cell; nothing of the table is seen."""
    units = das(8)
    units[2][2][384] = figures("twelve")
    units[7][2][1] = ["5", "", "5", "", "?", "", "1.0", "", "1.0", "", "1.0", ""]
    path = profile(tmp_path / "p.csv", units)
    with pytest.raises(TableError, match=r"4 are not.*p\.csv:15.*35060003 384.*twelve") as caught:
        lipgeo.add_table(tmp_path / "store", path, name="p")
    assert sorted(row["line"] for row in caught.value.rows) == [15, 15, 15, 37]
    assert not find_tables(tmp_path / "store")
    units[2][2][384] = units[7][2][1] = figures("12")
    profile(path, units)
    lipgeo.add_table(tmp_path / "store", path, name="p")
    assert_held(tmp_path / "store", "p", path)


@pytest.mark.parametrize("units", [4, 40])
def test_a_file_that_breaks_off(tmp_path, units):
    """A line cut short, or a field with a line break in it, is said to be damage."""
    path = profile(tmp_path / "p.csv", das(units))
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    last = 1 + units * len(ROWS)
    with pytest.raises(FileError, match=rf"breaks off.*line {last} has"):
        lipgeo.add_table(tmp_path / "store", path, name="p")
    path.write_bytes(whole.replace(b"English only", b"English\r\nonly"))
    with pytest.raises(FileError, match="breaks off"):
        lipgeo.add_table(tmp_path / "store", path, name="p")
    assert not find_tables(tmp_path / "store")


def test_a_file_cut_between_rows_is_suspected(tmp_path):
    """A last unit with fewer characteristics than the one before it is pointed at."""
    units = das(6)
    units[-1][2][9999] = None
    report = lipgeo.add_table(tmp_path / "store", profile(tmp_path / "p.csv", units), name="p")
    assert report.only("short", "warning").findings[0].subject == "35060006"


def test_a_bad_name_and_a_busy_store(tmp_path):
    """A name that is no folder's is refused; so is a store in which an import is at work."""
    path = profile(tmp_path / "p.csv", das(1))
    with pytest.raises(InputError, match="letters"):
        lipgeo.add_table(tmp_path / "store", path, name="../up")
    with import_lock(tmp_path / "store"), pytest.raises(StoreError, match="at work"):
        lipgeo.add_table(tmp_path / "store", path)


def test_the_same_files_again_and_others_under_the_same_name(tmp_path):
    """The same files are known again; others need another name, or leave to replace."""
    path = profile(tmp_path / "98-401-X2021006_data.csv", das(3))
    store = tmp_path / "store"
    lipgeo.add_table(store, path)
    folder = table_folder(store, 2021, "98-401-X2021006")
    before = bytes_of(folder)
    report = lipgeo.add_table(store, path)
    assert report.only("already_in")
    assert bytes_of(folder) == before
    other = profile(tmp_path / "98-401-X2021006_other.csv", das(4))
    with pytest.raises(StoreError, match="another table 98-401-X2021006"):
        lipgeo.add_table(store, other)
    assert bytes_of(folder) == before
    lipgeo.add_table(store, other, replace=True)
    assert read_manifest(folder, TABLE)["units"] == {"DA": 4}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_census_added_later_leaves_tables_alone(tmp_path):
    """Importing census files into the store writes the vintage anew, not its tables."""
    store = tmp_path / "store"
    lipgeo.add_table(store, profile(tmp_path / "p.csv", das(3)), name="p")
    census = synthetic.census(600, seed=2)
    lipgeo.add_census(store, synthetic.write_files(census, tmp_path / "files", levels=["DA", "DB"]))
    assert describe_tables(store)["name"].tolist() == ["p"]
    assert len(held(store, "p")) == 15


# ------------------------------------------------------------------------------------ resuming

#: an import in small steps, slow enough to be killed between any two
SLOW = """
import sys, time
import lipgeo
from lipgeo.readers.statcan import profile_files
from lipgeo.store.tables import importing, intake
profile_files.BLOCK, importing.BATCH_UNITS = 1 << 14, 8
write = intake.write_parts
def slowly(*given, **named):
    time.sleep(0.03)
    return write(*given, **named)
intake.write_parts = slowly
lipgeo.add_table(sys.argv[1], sys.argv[2:], name="p")
"""


def small_steps(patch):
    """Import in the steps of SLOW."""
    patch.setattr(profile_files, "BLOCK", 1 << 14)
    patch.setattr(importing, "BATCH_UNITS", 8)


def killed(store, paths, entries):
    """Start an import and kill it when its journal has so many lines; say how many it had."""
    journal = work_folder(table_folder(store, 2021, "p")) / "journal.jsonl"
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(store), *map(str, paths)])
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") >= entries:
                break
            time.sleep(0.002)
        assert process.poll() is None, "the import ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    return journal.read_bytes().count(b"\n")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_import_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    """Killed four times, in both files, the import ends with the bytes of one never killed."""
    units = das(150)
    units[77][2][345] = None
    units[90][2][345] = figures("", "", "12.5", "E")
    units[20][2][384] = figures("", "x", "", "x")
    paths = [
        profile(tmp_path / "a.csv", units),
        profile(tmp_path / "b.csv", [units[5], *das(60, seed=2, first=48060001)]),
    ]
    store = tmp_path / "killed"
    reached = [killed(store, paths, entries) for entries in (1, 5, 12, 24)]
    assert reached == sorted(reached)
    assert reached[-1] >= 24
    assert not find_tables(store)
    assert describe_tables(store).empty
    # what a kill in the middle of a part or of a line leaves
    work = work_folder(table_folder(store, 2021, "p"))
    (work / "data" / "level=DA" / "part-99999.parquet").write_bytes(b"half")
    with (work / "journal.jsonl").open("ab") as file:
        file.write(b'{"origin": 1, "en')
    small_steps(monkeypatch)
    report = lipgeo.add_table(store, paths, name="p")
    assert report.only("continued")
    lipgeo.add_table(tmp_path / "whole", paths, name="p")
    folders = [table_folder(one, 2021, "p") for one in (store, tmp_path / "whole")]
    one, two = map(bytes_of, folders)
    assert one.keys() == two.keys()
    assert one == two
    assert report.only("same_twice")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("change", ["same size", "longer"])
def test_a_file_that_changed_since_is_read_anew(tmp_path, monkeypatch, change):
    """Whatever changed in a file that was half in, the import begins again and says so."""
    path = profile(tmp_path / "a.csv", das(150))
    store = tmp_path / "store"
    killed(store, [path], 6)
    text = path.read_bytes()
    at = text.index(b"35060002")
    row = text[at : text.index(b"\r\n", at)]
    if change == "longer":
        path.write_bytes(text.replace(row, row.replace(b",0.0,", b",12.5,"), 1))
    else:
        path.write_bytes(text.replace(row, row.replace(b",0.0,", b",1.5,"), 1))
    small_steps(monkeypatch)
    report = lipgeo.add_table(store, path, name="p")
    assert report.only("anew")
    assert not report.only("continued")
    assert_held(store, "p", path)


def test_a_kill_while_a_table_is_replaced_leaves_the_old_one(tmp_path):
    """Moved aside and not yet replaced, the old table is still found, and put back."""
    store = tmp_path / "store"
    path = profile(tmp_path / "p.csv", das(3))
    lipgeo.add_table(store, path, name="p")
    folder = table_folder(store, 2021, "p")
    folder.rename(folder.with_name(".p-old"))
    assert list(find_tables(store)) == [(2021, "p")]
    assert lipgeo.add_table(store, path, name="p").only("already_in")
    assert folder.is_dir()


def test_a_disk_that_is_full(tmp_path, monkeypatch):
    """A part that cannot be written is a sentence; the import goes on when there is room."""

    def full(*given, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    store = tmp_path / "store"
    path = profile(tmp_path / "p.csv", das(30))
    with monkeypatch.context() as patch:
        patch.setattr(intake, "write_parts", full)
        with pytest.raises(OutputError, match="full"):
            lipgeo.add_table(store, path, name="p")
    assert not find_tables(store)
    lipgeo.add_table(store, path, name="p")
    assert_held(store, "p", path)


def test_damaged_and_newer_manifests(tmp_path):
    """A manifest that cannot be read, or that a newer lipgeo wrote, says what to do."""
    store = tmp_path / "store"
    lipgeo.add_table(store, profile(tmp_path / "p.csv", das(1)), name="p")
    manifest = table_folder(store, 2021, "p") / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**told, "format": 99}))
    with pytest.raises(StoreError, match="newer lipgeo"):
        describe_tables(store)
    manifest.write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        describe_tables(store)


# -------------------------------------------------------------------------------- command line


def test_command_line(tmp_path):
    """``census table add`` and ``list``: findings, JSON, exit status; a mistake is a sentence."""
    path = profile(tmp_path / "98-401-X2021006_data.csv", das(3))
    store = tmp_path / "store"
    done = run("census", "table", "add", path, "--store", store)
    assert done.returncode == 0
    assert "DA: 3 units, 15 rows" in done.stderr
    told = run("census", "table", "list", "--store", store, "--json")
    assert json.loads(told.stdout)[0]["name"] == "98-401-X2021006"
    other = profile(tmp_path / "98-401-X2021006_other.csv", das(2))
    refused = run("census", "table", "add", other, "--store", store, "--lang", "fr")
    assert refused.returncode == 2
    assert "autre tableau" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert run("census", "table", "add", other, "--store", store, "--replace").returncode == 0


# ---------------------------------------------------------- damage, threads and forked children


def flipped(path, place):
    """Flip one bit of a file; return what it held."""
    raw = path.read_bytes()
    bent = bytearray(raw)
    bent[place] ^= 1
    path.write_bytes(bent)
    return raw


def test_one_flipped_bit_anywhere_in_a_table_is_noticed(tmp_path):
    """Whatever file of a table is damaged, parts that the engine reads too, no number comes."""
    store = tmp_path / "store"
    lipgeo.add_table(store, profile(tmp_path / "p.csv", das(5)), name="p")
    folder = table_folder(store, 2021, "p")
    whole = lipgeo.open_table(store).part(["population"]).frame
    rng = np.random.default_rng(1)
    for path in [one for one in folder.rglob("*") if one.is_file()]:
        for place in rng.integers(path.stat().st_size, size=1):
            raw = flipped(path, place)
            with pytest.raises(StoreError):
                lipgeo.open_table(store).part(["population"])
            path.write_bytes(raw)
    table = lipgeo.open_table(store)
    assert table.part(["population"]).frame.equals(whole)
    part = next((folder / "data").rglob("*.parquet"))
    flipped(part, part.stat().st_size // 2)
    # it was whole when the table was opened and asked
    with pytest.raises(StoreError, match=rf"a file is not as written: .*{part.name}"):
        table.part(["population"])


def test_a_table_under_another_name_is_noticed(tmp_path):
    """A folder of another table or year is never read as what its place says."""
    store = tmp_path / "store"
    lipgeo.add_table(store, profile(tmp_path / "p.csv", das(2)), name="p")
    table_folder(store, 2021, "p").rename(table_folder(store, 2021, "q"))
    with pytest.raises(StoreError, match=r"hold the table q \(2021\), .* holds p \(2021\)"):
        lipgeo.open_table(store, "q")


def test_one_open_table_serves_threads_and_forked_children(imported):
    """Eight threads, and children forked from them, get what one alone gets; nothing hangs."""
    table = lipgeo.open_table(imported)
    names = list(table.columns)[:6]
    alone = {name: table.part([name]).frame for name in names}

    def ask(at):
        name = names[at % len(names)]
        return table.part([name]).frame.equals(alone[name])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(24)))
    if not hasattr(os, "fork"):
        return
    children = []
    for at in range(2):
        child = os.fork()
        if not child:
            code = 1
            try:
                signal.alarm(50)
                code = 0 if all(map(ask, range(at, at + 2))) else 2
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in children] == [0, 0]
    assert ask(0)


def test_an_import_killed_when_all_is_read_goes_on(tmp_path, monkeypatch):
    """Killed between the last file and the end, nothing is read again and the table is whole."""
    store, path = tmp_path / "store", profile(tmp_path / "p.csv", das(3))

    def stop(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(importing.Journal, "remove", stop)
        with pytest.raises(OutputError):
            lipgeo.add_table(store, path, name="p")
    assert lipgeo.add_table(store, path, name="p").only("continued")
    assert_held(store, "p", path)
