"""A legacy workbook of nineteen partnerships by two censuses, as people make them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl
from openpyxl.comments import Comment
from openpyxl.styles import Font

__all__ = ["NAMES", "sign_mapping", "write_legacy"]

#: as somebody types them: in the words of the registry and not
NAMES = [
    "Bow Valley Immigration Partnership", "Calgary Local Immigration Partnership (CLIP)",
    "Edmonton", "Grande Prairie LIP", "Lethbridge LIP", "Medicine Hat", "Red Deer LIP",
    "Regional Municipality of Wood Buffalo", "Brooks", "Saskatoon", "Regina", "Prince Albert",
    "Moose Jaw", "Winnipeg", "Brandon", "Steinbach", "Winkler-Morden", "Whitehorse",
    "Yellowknife",
]  # fmt: skip
#: heading in each census, column of the numbers, format
HEADINGS = (
    ("Total population", "Population", "people", "#,##0"),
    ("Immigrants (%)", "Immigrants (%)", "immigrants", "0.0%"),
    ("Non-permanent residents %", "Non-permanent residents %", "npr", "0.0%"),
    ("Median age", "Median age", "age", "0.0"),
    ("Unemployment Rate %", "Unemployment rate (%)", "jobless", "0.0"),
    ("Median household income ($)", "Median household income ($)", "income", "$#,##0"),
    ("# of settlement agencies", "# of settlement agencies", "agencies", "0"),
)


def numbers(year: int) -> dict[str, np.ndarray]:
    """Return the numbers of a census by column of :data:`HEADINGS`."""
    rng = np.random.default_rng(year)
    count = len(NAMES)
    return {
        "people": rng.lognormal(11, 1, count).round(),
        "immigrants": rng.uniform(0.05, 0.33, count).round(4),
        "npr": rng.uniform(0.005, 0.05, count).round(4),
        "age": rng.uniform(33, 44, count).round(1),
        "jobless": rng.uniform(4, 12, count).round(1),
        "income": rng.uniform(60_000, 110_000, count).round(-2),
        "agencies": rng.integers(1, 9, count).astype(float),
    }


def write_legacy(path: Path, years: tuple[int, int] = (2006, 2016)) -> Path:
    """Write it: titles, merged headings, percent formats, notes, an empty column, a total row."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for at, year in enumerate(years):
        page = book.create_sheet(f"{year} Census")
        page["A1"] = f"Immigration Dashboard - {year} Census of Population"
        page["A1"].font = Font(bold=True, size=14)
        page.merge_cells("A1:I1")
        page["A2"] = "compiled by the partnership council; last changed by M.T."
        page.append([])
        page.append(["Partnership", *(pair[at] for pair in HEADINGS), None, "Comments"])
        told = numbers(year)
        for row, name in enumerate(NAMES, start=5):
            page.cell(row, 1, name)
            for column, (_, _, key, form) in enumerate(HEADINGS, start=2):
                cell = page.cell(row, column, float(told[key][row - 5]))
                cell.number_format = form
            page.cell(row, 10, "see e-mail" if row % 5 == 0 else None)
        page.cell(7, 4, "x")  # suppressed
        page.cell(9, 4, "n/a")
        page.cell(5, 2).comment = Comment("from the profile", "M.T.")
        last = 5 + len(NAMES)
        page.cell(last + 1, 1, f"Source: Statistics Canada, Census {year}. Estimates by area.")
        page.column_dimensions["A"].width = 48
    notes = book.create_sheet("Notes")
    notes["A1"] = "2006 is the baseline."
    book.save(path)
    return path


def sign_mapping(path: Path, licence: str = "ours", *, choose: bool = True) -> Path:
    """Look at what is proposed, settle what is open, and sign it, as somebody in Excel would."""
    book = openpyxl.load_workbook(path)
    confirm = book["confirm"]
    heads = {cell.value: cell.column for cell in confirm[1]}
    for name, value in (
        ("confirmed_by", "A. Analyst"), ("confirmed_on", "2026-11-30"), ("licence", licence),
    ):  # fmt: skip
        confirm.cell(2, heads[name]).value = value
    areas = book["areas"]
    heads = {cell.value: cell.column for cell in areas[1]}
    for row in range(2, areas.max_row + 1):
        id = areas.cell(row, heads["area_id"])
        choices = str(areas.cell(row, heads["note"]).value or "")
        if (
            choose and f"{id.value}@city" in choices
        ):  # its note says that there are several definitions
            id.value = f"{id.value}@city"
    book.save(path)
    return path
