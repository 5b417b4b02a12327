"""Prove that cells of workbooks are read as a person sees them, and written whole."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

import lipgeo
from lipgeo.errors import FileError, OutputError, TableError
from lipgeo.files import Sheet, write_workbook
from lipgeo.readers.areas import read_service_areas
from lipgeo.readers.deliveries import read_delivery
from lipgeo.readers.number_formats import show_number
from lipgeo.readers.sheets import read_sheet
from lipgeo.readers.statcan.attributes import read_attributes
from lipgeo.readers.workbooks import open_workbook

ACCOUNTING = '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)'

#: a number, its format, and what a person takes it for
SHOWN = [
    (20, "General", "20"), (1234.5, "#,##0", "1234.5"), (3002, "0000000", "0003002"),
    (0.2, "0%", "20%"), (0.2045, "0.0%", "20.45%"), (20, '0" %"', "20%"), (20, "0\\%", "20%"),
    (20, '0"‰"', "20‰"), (20, '"$"0', "$20"), (20, "[$$-409]#,##0.00", "$20"),
    (-3, ACCOUNTING, "$-3"),
    (0, ACCOUNTING, "$0"), (9, '#,##0\\ "$"', "9$"), (4, '"±"0', "±4"), (0, '0;-0;"-"', "0"),
    (0, '_-* #,##0_-;-* #,##0_-;_-* "-"_-;_-@_-', "0"), (5, '0" people"', "5"), (4, '"x"', "x"),
    (4, '[<10]"x";0', "x"), (40, '[<10]"x";0', "40"), (7, ";;;", "7"), (-5, "0_);[Red](0)", "-5"),
    (20, '0"000"', "20000"), (0.5, "# ?/?", "0.5"), (40, "0.00E+00", "40"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "form", "seen"), SHOWN, ids=[one[1] for one in SHOWN])
def test_a_number_is_what_its_format_shows(value, form, seen):
    """Percent, currency, zeros of codes and symbols; decimals are never cut."""
    assert show_number(value, form) == seen


def _book(path: Path, rows: list[list[object]], formats: dict[str, str]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cell, form in formats.items():
        book.active[cell].number_format = form
    book.save(path)
    return path


@pytest.mark.parametrize("form", ['0" %"', "0.0%", '"$"0', ACCOUNTING])
def test_cells_of_percent_and_dollars_are_no_counts(tmp_path, form):
    """Whatever the header says, and where only some of the cells show the sign."""
    rows = [["DAUID", "Immigrants"], ["35060001", 20], ["35060002", 30], ["35060003", "x"]]
    for marked in (("B2", "B3"), ("B3",)):
        path = _book(tmp_path / "t_2021.xlsx", rows, dict.fromkeys(marked, form))
        table = lipgeo.read_table(path)
        assert list(table.columns) == ["Immigrants"]
        assert table.frame["Immigrants"].iloc[1] == (3_000 if form == "0.0%" else 30)
        assert "Immigrants" in table.notes.only("no_counts").findings[0].message


def test_a_sign_that_no_number_bears_is_refused_with_its_cells(tmp_path):
    """A margin is no number of its own."""
    rows = [["DAUID", "Immigrants"], ["35060001", 20], ["35060002", 30], ["35060003", 9]]
    path = _book(tmp_path / "t_2021.xlsx", rows, {"B2": '"±"0'})
    with pytest.raises(TableError, match="Immigrants, 2: ±20"):
        lipgeo.read_table(path)


def test_a_suppressed_cell_of_a_format_is_suppressed(tmp_path):
    """A format that shows x for small numbers shows x to whoever ordered."""
    rows = [["DAUID", "Immigrants"], ["35060001", 4], ["35060002", 30]]
    path = _book(tmp_path / "t_2021.xlsx", rows, {"B2": '[<10]"x";0', "B3": '[<10]"x";0'})
    table = lipgeo.read_table(path)
    assert table.symbols["immigrants"].tolist() == ["x", ""]
    assert table.frame["immigrants"].tolist()[1:] == [30]


def test_a_delivery_passes_the_door_of_workbooks(tmp_path):
    """Percent formats, a first sheet of lines, a claim of a million rows: as for any workbook."""
    rows = [["Geography", "Total - Immigrant status", "  Share"], ["LIP - A1 ( 4.0%)", 1000, 0.2]]
    path = _book(tmp_path / "d.xlsx", rows, {"C2": "0%", "B65536": "0"})
    found = read_delivery(path)
    assert found.values.tolist() == [[1000, 20]]
    assert found.rows["unit"].tolist() == ["", "%"]
    (tmp_path / "broken.xlsx").write_bytes(path.read_bytes()[:900])
    with pytest.raises(FileError):
        read_delivery(tmp_path / "broken.xlsx")


TEXTS = ["a\x1b[31mb", "a\rb", "\x07", "_x001B_", "_x0041_", "_x005F_", "plain", "\x7f"]


def test_every_text_comes_back_from_a_workbook(tmp_path):
    """Control characters, and texts that look like their escapes."""
    path = tmp_path / "t.xlsx"
    write_workbook([Sheet("s", pd.DataFrame({"a\x1bb": TEXTS}))], path)
    page = open_workbook(path).values["s"]
    assert [cell.value for cell in page["A"]] == ["a\x1bb", *TEXTS]
    assert read_sheet(path).frame["a\x1bb"].iloc[0] == "a\x1b[31mb"


def test_a_text_that_no_cell_holds_is_refused_before_it_is_lost(tmp_path):
    """All such cells at once, by column and row; one at the limit is written."""
    path = tmp_path / "t.xlsx"
    frame = pd.DataFrame({"id": ["a", "b", "c"], "units": ["x" * 32_767, "y" * 32_768, None]})
    with pytest.raises(OutputError, match=r"units 3 \(32,768\)") as caught:
        write_workbook([Sheet("s", frame)], path)
    assert caught.value.problems.to_dict("records") == [
        {"column": "units", "row": 3, "letters": 32_768}
    ]
    assert not path.exists()
    write_workbook([Sheet("s", frame.iloc[:1])], path)
    assert len(open_workbook(path).values["s"]["B2"].value) == 32_767


def test_an_open_document_is_named_by_every_reader(tmp_path):
    """A table, a list of units, a delivery and a census file: save it as .xlsx."""
    path = tmp_path / "t_2021.ods"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<x/>")
    for read in (lipgeo.read_table, read_service_areas, read_delivery, read_attributes):
        with pytest.raises(FileError, match=r"OpenDocument.*\.xlsx"):
            read(path)


def test_what_a_census_file_claims_costs_nothing(tmp_path):
    """A format in the last cell of the sheet took minutes; rows of lines in a sheet are passed."""
    path = _book(
        tmp_path / "da_2021.xlsx",
        [["DAUID", "Population"], ["35060001", 5], ["35060002", 7]],
        {"XFD65536": "0"},
    )
    assert read_attributes(path).frame["population"].tolist() == [5, 7]


def test_a_census_workbook_damaged_in_its_middle_is_a_sentence(tmp_path):
    """Its rows are parsed as they are read: what is damaged there ended in a traceback."""
    whole = _book(tmp_path / "da_2021.xlsx", [["DAUID", "Population"], ["35060001", 5]] * 3, {})
    damaged = tmp_path / "da.xlsx"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(damaged, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            cut = len(part) * 2 // 3 if name.startswith("xl/worksheets/") else len(part)
            target.writestr(name, part[:cut])
    with pytest.raises(FileError):
        read_attributes(damaged, vintage=2021, level="DA")


@pytest.mark.parametrize(("blocks", "seed"), [(502, 3)])
def test_the_smallest_censuses_are_made(blocks, seed):
    """A country without a metropolitan area is one."""
    census = lipgeo.synthetic.census(blocks=blocks, seed=seed)
    assert len(census.zones("CSD").frame) > 0
