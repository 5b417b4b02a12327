"""Lay numbers out as people read them: an area a row, a variable a column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lipgeo.tables.comparison import Comparison
from lipgeo.tables.estimates import Estimates
from lipgeo.tables.variables import Variable
from lipgeo.words import number, say

__all__ = ["NumberTable", "table_of_changes", "table_of_numbers"]

#: how a spreadsheet shows whole people, and a percentage or average
WHOLE, ONE_DECIMAL = "#,##0", "#,##0.0"


@dataclass(frozen=True)
class NumberTable:
    """A table of areas as people read it.

    Attributes
    ----------
    frame
        Columns by heading: id and name of the area, then numbers (a median of which only the
        range is known is text, ``"22,600 to 83,000"``), missing where there is none.
    formats
        Heading of each column of numbers to how a spreadsheet shows them.
    """

    frame: pd.DataFrame
    formats: Mapping[str, str]

    def text(self) -> pd.DataFrame:
        """Return the cells as text, numbers as their format shows them."""
        shown = self.frame.astype(object).where(self.frame.notna(), "")
        for head, form in self.formats.items():
            decimals = 1 if form == ONE_DECIMAL else 0
            shown[head] = [
                value if isinstance(value, str) else number(float(value), decimals)
                for value in shown[head]
            ]
        return shown

    def with_notes(self) -> tuple[NumberTable, list[str]]:
        """Return the table with numbers in brackets in its last column, and the texts they mean."""
        last = self.frame.columns[-1]
        texts = self.frame[last].astype("string").fillna("")
        notes = [text for text in dict.fromkeys(texts) if text]
        marks = {text: f"({at})" for at, text in enumerate(notes, 1)}
        numbered = [marks.get(text, "") for text in texts]
        return NumberTable(self.frame.assign(**{last: numbered}), self.formats), notes


def table_of_numbers(estimates: Estimates, names: pd.Series | None = None) -> NumberTable:
    """Lay estimates out as areas by variables, areas in the order of their ids.

    Parameters
    ----------
    estimates
        What was weighted.
    names
        What areas are called, by id.
    """
    table = _areas(estimates.area_ids, names)
    frame = estimates.frame
    formats = {}
    for one in estimates.variables.values():
        rows = frame[frame["variable"].eq(one.name)].set_index("area_id").loc[table.index]
        cells = rows["value"].astype(object).where(rows["value"].notna(), None)
        ranged = rows["value"].isna() & rows["lower"].notna() & rows["upper"].notna()
        ranged &= rows["flag"].str.contains("range_only").fillna(False)
        for area, row in rows[ranged].iterrows():
            cells[area] = say("tables.range", low=row["lower"], high=row["upper"])
        head = _heading(one, table.columns)
        table[head] = cells if ranged.any() else rows["value"]
        formats[head] = _format(one)
    return NumberTable(table.reset_index(drop=True), formats)


def table_of_changes(comparison: Comparison, names: pd.Series | None = None) -> NumberTable:
    """Lay a comparison out: an area, variable and earlier census a row, with the change in percent.

    Parameters
    ----------
    comparison
        What was compared.
    names
        What areas are called, by id.
    """
    frame = comparison.frame
    areas = _areas(list(dict.fromkeys(frame["area_id"])), names)
    place = pd.Series(range(len(areas)), index=areas.index)
    frame = frame.iloc[frame["area_id"].map(place).argsort(kind="stable")]
    here = areas.loc[frame["area_id"]].reset_index(drop=True)
    exceeds = frame["exceeds"].map({True: say("report.yes"), False: say("report.no")})
    columns: dict[str, tuple[Any, str]] = {
        "variable": (frame["variable"], ""),
        "year": (frame["year"].astype("string"), ""),
        "before": (frame["baseline"], WHOLE),
        "now": (frame["current"], WHOLE),
        "change": (frame["change"], WHOLE),
        "change_pct": (frame["change_pct"], ONE_DECIMAL),
        "exceeds": (exceeds, ""),
        "status": (frame["reason"], ""),
    }
    formats = {}
    for name, (values, form) in columns.items():
        head = say(f"tables.head_{name}")
        here[head] = values.to_numpy()
        if form:
            formats[head] = form
    return NumberTable(here, formats)


def _areas(ids: list[str], names: pd.Series | None) -> pd.DataFrame:
    """Return id and name of the areas in the order people count, ``9`` before ``10``."""
    ordered = sorted(map(str, ids), key=_counting)
    table = pd.DataFrame({say("report.head_area_id"): ordered}, index=ordered)
    if names is not None:
        labels = dict(zip(map(str, names.index), names, strict=True))
        table[say("report.head_name")] = [labels.get(one) for one in ordered]
    return table


def _counting(area: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", area)
    return [(0, int(one), "") if one.isdecimal() else (1, 0, one) for one in parts]


def _heading(one: Variable, taken: pd.Index) -> str:
    head = one.label
    while head in taken:  # an area's own columns, or another variable of the same label
        head = f"{head} ({one.name})"
    return head


def _format(one: Variable) -> str:
    """Return how many decimals a variable is read with: none for people and for dollars."""
    return ONE_DECIMAL if one.rule in ("percent", "rate", "average") else WHOLE
