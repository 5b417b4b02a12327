"""Regions of partnerships: who belongs, what each reports a year, and what has come.

The sheet *regions* of ``portal.xlsx`` names the members of each region, *framework* what each of
them reports: an indicator or question, a period and the day it is due. A region's own total is no
sum of ours, and it is kept back where it would tell what its members withhold by subtraction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lipgeo.portal.indicators.dictionary import Dictionary
from lipgeo.portal.observations import NUMBERS
from lipgeo.portal.sources.local import FEWEST_ANSWERS, local_code
from lipgeo.report import Finding, finding

__all__ = ["Item", "Region", "regions_of", "status_of", "withhold_regions"]

_LINE = ["indicator", "category", "group", "gender", "period"]


@dataclass(frozen=True)
class Item:
    """One thing that the members of a region report.

    Attributes
    ----------
    code
        Its indicator; empty where nobody has reported it yet.
    name_en, name_fr
        What it is called.
    period
        Of which year or season.
    due
        Day it is due, as written.
    """

    code: str
    name_en: str
    name_fr: str
    period: str
    due: str


@dataclass(frozen=True)
class Region:
    """A region.

    Attributes
    ----------
    region
        Its id.
    name_en, name_fr
        What it is called.
    members
        Area ids, in the sheet's order.
    items
        What they report, in the sheet's order.
    """

    region: str
    name_en: str
    name_fr: str
    members: tuple[str, ...]
    items: tuple[Item, ...]


def regions_of(book: Mapping[str, pd.DataFrame], dictionary: Dictionary) -> list[Region]:
    """Return the regions that a portal's workbook names."""
    found = []
    listed = book["regions"][book["regions"]["region"].ne("")]
    for name, own in listed.groupby("region", sort=False):
        due = book["framework"][book["framework"]["region"].isin([str(name), "*"])]
        items = [_item(row, dictionary) for row in due.to_dict("records") if row["indicator"]]
        named = own[own["name_en"].ne("") | own["name_fr"].ne("")]
        first = named.iloc[0] if len(named) else own.iloc[0]
        english = first["name_en"] or first["name_fr"] or str(name)
        members = tuple(dict.fromkeys(one for one in own["area_id"] if one))
        found.append(Region(str(name), english, first["name_fr"] or english, members, tuple(items)))
    return found


def _item(row: Mapping[str, str], dictionary: Dictionary) -> Item:
    given = row["indicator"]
    codes = (given, local_code(given, "local"), local_code(given, "survey"))
    code = next((one for one in codes if one in dictionary), "")
    told = dictionary[code] if code else None
    names = {
        lang: row[f"name_{lang}"] or (str(told[f"name_{lang}"]) if told is not None else given)
        for lang in ("en", "fr")
    }
    return Item(code, names["en"], names["fr"], row["period"], row["due"])


def status_of(frame: pd.DataFrame, area: str, item: Item) -> str:
    """Return the state of what a member reports: ``reported``, ``withheld`` or ``waits``.

    Parameters
    ----------
    frame
        Rows that an audience may see.
    area
        Area id of the member.
    item
        What it reports.
    """
    mine = frame[
        frame["area_id"].eq(area)
        & frame["indicator"].eq(item.code)
        & frame["period"].eq(item.period)
        & frame["origin"].eq("reported")
    ]
    if mine.empty or not item.code:
        return "waits"
    return "reported" if mine["value"].notna().any() else "withheld"


def withhold_regions(
    frame: pd.DataFrame, sheet: pd.DataFrame, dictionary: Dictionary
) -> tuple[pd.DataFrame, list[Finding]]:
    """Take out a region's own number where it tells what was withheld of its members.

    The number of a region less those of its members that are shown is what is left of the others.
    Where that is fewer than five people, or of one member alone, the region's number is withheld
    too: even a large answer that one member withholds gives its small one away.
    """
    rules = frame["indicator"].map(dictionary.frame["rule"])
    reported = frame["origin"].eq("reported") & rules.isin(["count", "percent"])
    gone: list[int] = []
    for region, own in sheet[sheet["region"].ne("")].groupby("region", sort=False):
        whole = frame[reported & frame["area_id"].eq(str(region)) & frame["value"].notna()]
        if whole.empty:
            continue
        members = set(own["area_id"]) - {"", str(region)}
        parts = frame[reported & frame["area_id"].isin(members)]
        hidden = parts["flags"].str.contains("withheld_few", regex=False)
        lines = Counter(parts.loc[hidden, _LINE].itertuples(index=False, name=None))
        shown = _people(parts).groupby([parts[key] for key in _LINE]).sum()
        people = _people(whole)
        for at, line in zip(whole.index, whole[_LINE].itertuples(index=False, name=None),
                            strict=True):  # fmt: skip
            rest = people[at] - shown.get(line, 0.0)
            # half a person of slack: percentages are rounded
            if lines[line] == 1 or (line in lines and rest < FEWEST_ANSWERS - 0.5):
                gone.append(at)
    if not gone:
        return frame, []
    frame = frame.copy()
    frame.loc[gone, list(NUMBERS)] = np.nan
    frame.loc[gone, "flags"] = "withheld_few"
    return frame, [
        finding("portal.withheld_region", "note", "", value=float(len(gone)), count=len(gone))
    ]


def _people(rows: pd.DataFrame) -> pd.Series:
    """Return the people behind each number: of a percentage, its share of who answered."""
    whole = rows["denominator_value"]
    return rows["value"].where(whole.isna(), rows["value"] * whole / 100)
