"""Bad input of every kind through the commands of a portal: told in words, nothing written."""

from __future__ import annotations

import csv
import hashlib
import shutil

import made_deliveries as made_files
import numpy as np
import openpyxl
import pandas as pd
import pytest
from openpyxl.comments import Comment

import lipgeo
from lipgeo.cli import main
from lipgeo.portal.book import BOOK, add_rows


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A made order of eight areas, one too small for any table."""
    return made_files.made_order(tmp_path_factory.mktemp("bad") / "order", 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, made):
    """A portal of the areas of the order, one with a name of markup, and what it may publish."""
    portal = lipgeo.open_portal(tmp_path_factory.mktemp("bad") / "portal", create=True)
    areas = pd.DataFrame(
        {"area_id": made.ids, "definition": "main", "kind": "partnership",
         "extent_status": "published", "name_en": [HOSTILE, *made.ids[1:]],
         "name_fr": made.ids}
    )  # fmt: skip
    shut = {"licence": "shut", "may_publish": "no", "who": "x", "document": "y"}
    add_rows(portal.folder / BOOK, {"areas": areas, "licences": pd.DataFrame([shut])})
    return portal.folder


HOSTILE = "<b>{{ 7 * 7 }}</b>=1+1|,;\"'"


def bytes_of(folder):
    """Return the hash of every file of a portal."""
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def told(capsys, *arguments):
    """Run a command as ``lipgeo`` does and return its status and what it printed."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([str(one) for one in arguments])
    said = capsys.readouterr()
    return left.value.code, " ".join(f"{said.out} {said.err}".split())


def delivery(change):
    """Return what writes a delivery whose printed numbers are changed."""
    return lambda made, path: made_files.write_down(made, path, change(made.printed.copy(), made))


def cells(change):
    """Return what writes a delivery whose cells are changed, the first row its headers."""

    def write(made, path):
        made_files.write_down(made, path)
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
        rows = change(rows)
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(rows)
        return path

    return write


def labelled(*labels):
    """Return what renames the first areas of a delivery."""
    return cells(lambda rows: [
        rows[0], *([label, *row[1:]] for label, row in zip(labels, rows[1:], strict=False)),
        *rows[1 + len(labels):],
    ])  # fmt: skip


def older(rows):
    """Say the words of the census before."""
    words = (("Population, 2021", "Population, 2016"), ("Before 1980", "Before 1981"),
             ("2016 to 2021", "2011 to 2016"), ("in 2020", "in 2015"))  # fmt: skip
    for new, old in words:
        rows[0] = [cell.replace(new, old) for cell in rows[0]]
    return rows


def areas_wrong(rows):
    """Name areas nobody ordered, two in one, one twice; and break a cell."""
    rows = [list(row) for row in rows]
    rows[1][0], rows[2][0], rows[3][0] = "OTT - ONS - Nowhere", "OTT 3001 3002", "3004"
    rows[5][1] = "12b"
    return [*rows, ["Elsewhere", *rows[6][1:]]]


def numbers_wrong(frame, made):
    """Put numbers where none should be and the reverse, a part above its whole, a wrong total."""
    frame = frame.fillna(made.truth // 5 * 5)
    frame.loc["3001"] = np.nan
    frame.loc["3002", "population"] = 99_000
    frame.loc["3003", "recent"] = 90_000
    return frame


DELIVERIES = {
    "labels and cells": (
        cells(areas_wrong), 2,
        ("not there: 3001, 3002, 3003", "Nowhere, Elsewhere", "fits several areas: 3001, 3002",
         "3004 stands under several labels", "1 cell is neither a number nor a symbol", "12b"),
    ),
    "an area too few": (cells(lambda rows: [rows[0], *rows[2:]]), 2, ("not there: 3001.",)),
    "another order": (labelled(*(f"A - B - 99{at}" for at in range(8))), 2, ("another order",)),
    "another census": (cells(older), 2, ("2016", "2021")),
    "numbers to look at": (
        delivery(numbers_wrong), 1,
        ("3002, row 2: the file counts 99,000", "3008: numbers came", "3003, row 22", "90,000",
         "3001: the table came suppressed"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DELIVERIES)
def test_a_bad_delivery_is_told_and_leaves_the_portal_as_it_was(
    folder, made, tmp_path, capsys, kind
):
    """What is not the order's is refused; what has to be looked at waits for a signature."""
    write, status, words = DELIVERIES[kind]
    before = bytes_of(folder)
    path = write(made, tmp_path / "T1.csv")
    code, said = told(capsys, "portal", "receive", folder, path, "--order", made.order,
                      "--table", "T1")  # fmt: skip
    assert code == status, said
    assert all(one in said for one in words), said
    assert bytes_of(folder) == before
    assert (tmp_path / "T1.findings.csv").is_file() == (status == 1)


LOCAL = {
    "area_id": ["3001"], "indicator": ["Newcomers served"], "value": ["120"], "unit": ["people"],
    "universe": ["clients"], "date": ["2025"], "source": ["Agency"],
}  # fmt: skip


def local(**changes):
    """Return what writes a table of local data."""

    def write(path):
        pd.DataFrame({**LOCAL, **changes}).to_csv(path, index=False)
        return path

    return write


def reported(**changes):
    """Return what writes numbers in the portal's own columns."""
    columns = {"area_id": ["3001", "3002"], "indicator": "median_income", "period": "2021",
               "value": [1.0, 2.0], "origin": "reported", "source": "Agency",
               "universe": "population"}  # fmt: skip

    def write(path):
        pd.DataFrame({**columns, **changes}).to_csv(path, index=False)
        return path

    return write


TABLES = {
    "a number without a unit": (local(unit=[""]), ("unit",)),
    "a number of nobody": (reported(universe=["population", ""]), ("3: universe",)),
    "an indicator that is none": (reported(indicator="happiness"), ("happiness",)),
    "dollars of two years": (reported(dollars=["2015", "2020"]), ("2015", "2020")),
    "a value outside its range": (reported(lower=[3.0, 3.0], upper=[4.0, 4.0]), ("range",)),
    "an unknown origin": (reported(origin="rumoured"), ("rumoured",)),
    "a file of nothing": (lambda path: path.write_bytes(b"") or path, ("empty",)),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_bad_table_is_refused_and_leaves_the_portal_as_it_was(folder, tmp_path, capsys, kind):
    """Local data and numbers in the portal's columns: the sentence names what is wrong."""
    write, words = TABLES[kind]
    before = bytes_of(folder)
    code, said = told(capsys, "portal", "add", folder, write(tmp_path / "t.csv"))
    assert code == 2, said
    assert all(one in said for one in words), said
    assert bytes_of(folder) == before


def test_a_delivery_as_people_save_it_from_excel_is_read_as_they_see_it(
    folder, made, tmp_path, capsys
):
    """Merged titles, percent formats and notes are read; a formula without a result is refused."""
    rows = made_files.columns_of(made)
    book = openpyxl.Workbook()
    page = book.active
    page.append(["Census of 2021, custom tabulation"])
    page.merge_cells(start_row=1, start_column=1, end_row=1, end_column=5)
    page.append(["Geography", *(" " * depth + words for words, depth, _ in rows)])
    for id, row in made.printed.iterrows():
        numbers = [row[column] for _, _, column in rows]
        page.append([f"OTT - ONS - {id}", *("x" if np.isnan(one) else one for one in numbers)])
    page["B4"].comment = Comment("checked by hand", "clerk")
    path = tmp_path / "T1.xlsx"
    book.save(path)
    asked = ("portal", "receive", folder, path, "--order", made.order, "--dry-run")
    code, said = told(capsys, *asked)
    assert (code, "would be taken in: 8 areas of the order" in said) == (0, True), said
    at = 2 + [words for words, _, _ in rows].index("Immigrants (81)")
    for line in range(3, 10):
        page.cell(line, at, 0.25).number_format = "0.0%"
    book.save(path)
    code, said = told(capsys, *asked)
    assert (code, "Immigrants (81)" in said, "would have to be signed" in said) == (1, True, True)
    page.cell(3, at, "=1+1")
    book.save(path)
    code, said = told(capsys, *asked)
    assert code == 2
    assert "formula" in said


def test_an_area_that_a_table_brings_anew_is_told(folder, tmp_path, capsys):
    """It may be a new one, or one misspelt: it is named, with what to do."""
    own = shutil.copytree(folder, tmp_path / "portal")
    code, said = told(capsys, "portal", "add", own, local(area_id=["nowhere"])(tmp_path / "t.csv"))
    assert code == 0
    assert "1 area is new in the portal: nowhere@main" in said


def test_what_must_not_be_shown_is_told_and_on_no_page(folder, tmp_path, capsys):
    """A licence that says no, answers of 1 to 4, a name of markup: the site has none of them."""
    own = shutil.copytree(folder, tmp_path / "portal")
    shares = reported(indicator="immigrants", value=[34.56, 34.57], denominator_value=5_000.0)
    code, said = told(capsys, "portal", "add", own, shares(tmp_path / "a.csv"),
                      "--licence", "shut")  # fmt: skip
    assert code == 0, said
    survey = pd.DataFrame(
        {"area_id": "3002", "question": "Feel at home", "category": ["Yes", "No", "Other"],
         "answers": [61, 3, 36], "responses": 100, "date": "2026", "universe": "newcomers",
         "source": "Survey"}
    )  # fmt: skip
    survey.to_csv(tmp_path / "s.csv", index=False)
    code, said = told(capsys, "portal", "add", own, tmp_path / "s.csv", "--licence", "statcan-open")
    assert code == 0, said
    code, said = told(capsys, "portal", "check", own)
    assert code == 0, said
    assert "shut: the licence does not allow the public to see it" in said
    code, said = told(capsys, "portal", "build", own, "--out", tmp_path / "site")
    assert code == 0, said
    text = "".join(
        path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.*")
        if path.suffix in (".html", ".js", ".csv", ".json", ".svg")
    )  # fmt: skip
    assert "34.5" not in text
    assert "34,5" not in text
    assert "<b>{{" not in text
    assert ">49<" not in text
    stored = pd.concat(pd.read_parquet(one) for one in own.rglob("observations.parquet"))
    shown = stored[stored["category"].ne("")].set_index("category")["value"]
    assert shown.notna().to_dict() == {"Yes": True, "No": False, "Other": False}
