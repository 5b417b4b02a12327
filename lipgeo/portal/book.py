"""``portal.xlsx``: what the person who keeps a portal writes in Excel.

Areas and their names, indicators to add and hide, licences, comparators, orders, local data, survey
results and exceptions: one sheet each, with a sheet that says what goes where in both languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.errors import FileError, InputError
from lipgeo.files import Sheet, file_in_one_step, write_workbook
from lipgeo.portal.areas import AREA_COLUMNS, KINDS
from lipgeo.readers.sheets import Sheet as Read
from lipgeo.readers.sheets import read_sheets
from lipgeo.words import LANGUAGES, say, speaking

__all__ = ["BOOK", "SHEETS", "PortalBook", "read_book", "write_book"]

BOOK = "portal.xlsx"
#: the sheets and their columns
SHEETS: dict[str, tuple[str, ...]] = {
    "areas": AREA_COLUMNS,
    "indicators": (
        *("code", "topic", "name_en", "name_fr", "definition_en", "definition_fr", "rule"),
        *("universe", "decimals", "hide"),
    ),
    "comparators": ("area_id", "comparator"),
    "licences": ("licence", "may_publish", "who", "date", "document", "expiry", "note"),
    "orders": ("file", "order", "table", "licence", "mapping"),
    "local": (
        *("area_id", "indicator", "name_en", "name_fr", "category", "group", "gender", "date"),
        *("value", "unit", "universe", "source", "licence"),
    ),
    "survey": (
        *("area_id", "question", "name_en", "name_fr", "category", "group", "gender", "date"),
        *("answers", "responses", "universe", "source", "licence"),
    ),
    "regions": ("region", "name_en", "name_fr", "area_id"),
    "framework": ("region", "indicator", "name_en", "name_fr", "period", "due"),
    "wishes": ("area_id", "indicator", "priority", "note"),
    "exceptions": ("check", "subject", "allowed_by", "allowed_on", "reason"),
    "settings": ("setting", "value_en", "value_fr"),
}
#: who may show a source's numbers
MAY_PUBLISH = ("no", "table", "aggregate")
#: what is published under Statistics Canada's open licence may be shown with its source named
OPEN_LICENCE = "statcan-open"


class PortalBook(dict[str, pd.DataFrame]):
    """The sheets of ``portal.xlsx``: name to frame, all text, empty where nothing is said."""


def write_book(path: Path, areas: pd.DataFrame) -> None:
    """Write a new workbook with the areas there are; nothing else is filled in but one licence."""
    frames: dict[str, pd.DataFrame] = {
        name: pd.DataFrame(columns=list(columns), dtype="string")
        for name, columns in SHEETS.items()
    }
    frames["areas"] = areas.astype("string")
    frames["licences"] = pd.DataFrame(
        [
            {
                "licence": OPEN_LICENCE,
                "may_publish": "table",
                "who": "Statistics Canada | Statistique Canada",
                "document": "Statistics Canada Open Licence | "
                "Licence ouverte de Statistique Canada",
            }
        ]
    ).reindex(columns=list(SHEETS["licences"]))
    frames["settings"] = pd.DataFrame(
        [{"setting": "title"}, {"setting": "contact"}, {"setting": "citation"}]
    ).reindex(columns=list(SHEETS["settings"]))
    sheets = [Sheet("read me", _about()), *(Sheet(name, frames[name]) for name in SHEETS)]
    with file_in_one_step(path) as temporary:
        write_workbook(sheets, temporary)


def _about() -> pd.DataFrame:
    """Return what each sheet is for, in both languages."""
    rows: dict[str, list[str]] = {"sheet": [*SHEETS]}
    for lang in LANGUAGES:
        with speaking(lang):
            rows[lang] = [say(f"portal.sheet_{name}") for name in SHEETS]
    return pd.DataFrame(rows, dtype="string")


def read_book(path: Path) -> PortalBook:
    """Read the workbook; a sheet or column that is not there is empty.

    Raises
    ------
    FileError
        The workbook is missing, open elsewhere or broken.
    InputError
        Cells hold what their column cannot: every one is listed.
    """
    if not path.is_file():
        raise FileError("portal.no_book", path=path)
    there = read_sheets(path, SHEETS)
    book = PortalBook()
    for name, columns in SHEETS.items():
        book[name] = _sheet(there.get(name), columns)
    problems = [*_of_areas(book["areas"]), *_of_licences(book["licences"])]
    if problems:
        shown = [f"{one['sheet']} {one['row']}: {one['problem']}" for one in problems]
        raise InputError("portal.book_refused", problems, path=path, cells=shown)
    return book


def _sheet(sheet: Read | None, columns: tuple[str, ...]) -> pd.DataFrame:
    if sheet is None:
        return pd.DataFrame(columns=list(columns), dtype=object)
    frame = sheet.frame
    frame = frame.rename(columns={one: str(one).strip().casefold() for one in frame.columns})
    frame = frame.reindex(columns=list(columns)).astype("string").fillna("")
    frame = frame.apply(lambda column: column.str.strip()).astype(object)
    return frame[frame.ne("").any(axis=1)]


def _of_areas(areas: pd.DataFrame) -> list[dict[str, Any]]:
    problems = []
    twice = areas.duplicated(["area_id", "definition"], keep=False)
    for one in areas[twice].itertuples():
        problem = say("portal.area_twice", area=f"{one.area_id}@{one.definition}")
        problems.append({"sheet": "areas", "row": one.Index, "problem": problem})
    for one in areas.itertuples():
        if not one.area_id or not one.definition:
            problem = say("portal.area_nameless")
            problems.append({"sheet": "areas", "row": one.Index, "problem": problem})
        if one.kind and one.kind not in KINDS:
            problem = say("portal.bad_kind", kind=one.kind, kinds=list(KINDS))
            problems.append({"sheet": "areas", "row": one.Index, "problem": problem})
    return problems


def _of_licences(licences: pd.DataFrame) -> list[dict[str, Any]]:
    problems = []
    for one in licences.itertuples():
        if one.may_publish and one.may_publish not in MAY_PUBLISH:
            problem = say("portal.bad_licence", given=one.may_publish, known=list(MAY_PUBLISH))
            problems.append({"sheet": "licences", "row": one.Index, "problem": problem})
        if one.expiry and pd.isna(pd.to_datetime(one.expiry, errors="coerce")):
            problem = say("portal.bad_date", given=one.expiry)
            problems.append({"sheet": "licences", "row": one.Index, "problem": problem})
    return problems


def add_areas(path: Path, areas: pd.DataFrame) -> None:
    """Append areas to the workbook's list, everything else in it as it stands."""
    add_rows(path, {"areas": areas})


def add_rows(path: Path, rows: Mapping[str, pd.DataFrame]) -> None:
    """Append rows to sheets of the workbook, everything else in it as it stands.

    A row of which the sheet has the name and nothing else yet (a setting) is filled in.
    """
    import openpyxl

    book = openpyxl.load_workbook(path)
    for name, frame in rows.items():
        page = book[name] if name in book.sheetnames else book.create_sheet(name)
        if page.max_row <= 1 and page.cell(1, 1).value is None:
            for at, column in enumerate(SHEETS[name], start=1):
                page.cell(1, at, column)
        heads = {str(cell.value).strip().casefold(): cell.column for cell in page[1] if cell.value}
        bare = {
            str(cells[0].value): cells[0].row
            for cells in page.iter_rows(min_row=2)
            if all(cell.value is None for cell in cells[1:])
        }
        end = page.max_row
        for one in frame.to_dict("records"):
            row = bare.get(str(one.get(SHEETS[name][0])), end + 1)
            end = max(end, row)
            for column, value in one.items():
                if value and column in heads:
                    cell = page.cell(row, heads[column])
                    cell.value = str(value)
                    # text stays text: an area called =1+1 is no formula
                    cell.data_type = "s"
                    cell.number_format = "@"
    with file_in_one_step(path) as temporary:
        book.save(temporary)
