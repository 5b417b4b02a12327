"""The page of changes: what moved on each area's page with the newest release, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from lipgeo.portal.changes import tell_changes
from lipgeo.portal.pages.blocks import form_of, period_text, range_text, subject_text, value_text
from lipgeo.words import say

if TYPE_CHECKING:
    from lipgeo.portal.indicators.dictionary import Dictionary
    from lipgeo.portal.pages.site_state import SiteState

__all__ = ["changes_of", "changes_parts"]

_ENDS = ("value", "symbol", "origin", "dollars", "lower", "upper", "likely_lower", "likely_upper",
         "flags")  # fmt: skip


def changes_of(state: SiteState) -> tuple[str, str] | None:
    """Return the newest release that the audience sees numbers of, and the one before it."""
    told = set(state.whole["release"])
    ids = [one.id for one in state.portal.store.releases]
    newest = max((ids.index(one) for one in told), default=0)
    return (ids[newest - 1], ids[newest]) if newest else None


def changes_parts(state: SiteState, areas: list[tuple[str, str, pd.Series]]) -> dict[str, Any]:
    """Return what stands on the page of changes, in the language in force.

    Parameters
    ----------
    state
        What the site is made from.
    areas
        Slug, name and row of each area.
    """
    between = changes_of(state)
    if between is None:
        return {"texts": [say("dashboard.changes_first")]}
    moved = tell_changes(state.portal, *state.states(*between))
    texts = [say("dashboard.changes_between", old=between[0], new=between[1])]
    if moved.empty:
        return {"texts": [*texts, say("dashboard.changes_none")]}
    known = state.portal.dictionary
    named = moved[moved["indicator"].map(known.frame["status"]).ne("delivered")]
    by_area = dict(list(named.groupby(["area_id", "definition"], sort=False)))
    tables = []
    heads = [say("site.head_indicator"), say("site.head_period"),
             *(say(f"dashboard.head_{one}") for one in ("before", "now", "why"))]  # fmt: skip
    for _, name, area in areas:
        mine = by_area.get((area["area_id"], area["definition"]))
        if mine is None:
            continue
        # new numbers are counted: their page has them
        rows = [
            [
                subject_text(row, known.name(row["indicator"])),
                period_text(_side(row, "new" if row["change"] != "gone" else "old")),
                side_text(row, "old", known),
                side_text(row, "new", known),
                row["why"],
            ]
            for row in mine[mine["change"].ne("added")].to_dict("records")
        ]
        fresh = mine[mine["change"].eq("added")]
        for why, own in fresh.groupby("why", sort=True):
            rows.append([say("dashboard.numbers_added", count=len(own)), "", "", "", str(why)])
        tables.append((name, heads, rows))
    return {"texts": texts, "tables": tables}


def _side(row: Any, end: str) -> dict[str, Any]:
    """Return one state of a number that moved as a row of the long table."""
    ends = {name: row[f"{end}_{name}"] for name in _ENDS}
    return {**ends, "period": row["period"], "indicator": row["indicator"]}


def side_text(row: Any, end: str, known: Dictionary) -> str:
    """Return a number as it was (``old``) or is (``new``) in words, empty where there is none."""
    if row["change"] == ("added" if end == "old" else "gone"):
        return ""
    side = _side(row, end)
    rule, decimals = form_of(known, row["indicator"])
    value, spread = value_text(side, rule, decimals), range_text(side, rule, decimals)
    if side["dollars"] not in ("", "current"):
        value = say("site.in_dollars", period=value, year=side["dollars"])
    return spread if spread and side["origin"] == "estimated" else value
