"""What moved between two releases, for people: each number that a page shows, and why.

Both states are seen as an audience sees them, one number of each quantity. Figures that a product
gives anew in the dollars of another year are one change, told with both years.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from lipgeo.errors import InputError
from lipgeo.portal.observations import EMPTY, QUANTITY, shown
from lipgeo.words import say

if TYPE_CHECKING:
    from lipgeo.portal.portal import Audience, Portal

__all__ = ["CHANGE_COLUMNS", "last_two", "page_changes"]

#: what makes two rows of two states the same line of a page, whatever its dollars
_LINE = list(QUANTITY[:-1])
_TOLD = ("value", "symbol", "origin", "dollars", "release", "source", "lower", "upper",
         "likely_lower", "likely_upper", "flags")  # fmt: skip
CHANGE_COLUMNS = (
    *_LINE,
    "change",
    *(f"{end}_{name}" for name in _TOLD for end in ("old", "new")),
    "why",
)


def last_two(portal: Portal) -> tuple[str, str]:
    """Return the newest release and the one before it.

    Raises
    ------
    InputError
        The portal has fewer than two releases.
    """
    ids = [one.id for one in portal.store.releases]
    if len(ids) < 2:
        raise InputError("portal.one_release", folder=portal.folder)
    return ids[-2], ids[-1]


def page_changes(
    portal: Portal, old: str, new: str, *, audience: Audience = "public"
) -> pd.DataFrame:
    """Return what an audience sees otherwise than before, number by number, and why.

    Parameters
    ----------
    portal
        The portal.
    old, new
        Releases: the states when each was the newest.
    audience
        Who looks.

    Returns
    -------
    pandas.DataFrame
        One row a number that moved: ``area_id, definition, indicator, category, group, gender,
        period``; ``change`` (``added``, ``gone``, ``changed``); for each of value, symbol, origin,
        dollars, release, source, bounds and flags ``old_`` and ``new_``; ``why``: a sentence in
        the language in force.
    """
    states = [shown(portal.view(audience, release=one)[0]) for one in (old, new)]
    before, after = _lines(*states)
    both = before.merge(after, on=[*_LINE, "_dollars"], how="outer", indicator=True)
    same = both["_merge"].eq("both")
    for name in ("value", "lower", "upper", "likely_lower", "likely_upper"):
        first, second = both[f"old_{name}"], both[f"new_{name}"]
        same &= first.eq(second) | (first.isna() & second.isna())
    for name in ("symbol", "origin", "dollars", "flags"):
        same &= both[f"old_{name}"].eq(both[f"new_{name}"])
    moved = both[~same].copy()
    kinds = {"left_only": "gone", "right_only": "added", "both": "changed"}
    moved["change"] = moved["_merge"].map(kinds).astype(object)
    for name in _TOLD:
        if moved[f"old_{name}"].dtype == object:
            for end in ("old", "new"):
                moved[f"{end}_{name}"] = moved[f"{end}_{name}"].fillna("")
    records = {one.id: one.record for one in portal.store.releases}
    reasons = {one["release"]: str(one["reason"]) for one in portal.store.withdrawals}
    moved["why"] = [_why(row, records, reasons) for row in moved.to_dict("records")]
    return moved[list(CHANGE_COLUMNS)].reset_index(drop=True)


def _lines(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both states keyed by line; dollars count only where a line has several."""
    several: set[tuple[str, ...]] = set()
    for frame in (before, after):
        twice = frame.loc[frame.duplicated(_LINE, keep=False), _LINE]
        several |= set(twice.itertuples(index=False, name=None))
    made = []
    for frame, end in ((before, "old"), (after, "new")):
        lines = list(frame[_LINE].itertuples(index=False, name=None))
        dollars = [
            of if line in several else "" for line, of in zip(lines, frame["dollars"], strict=True)
        ]
        part = frame[[*_LINE, *_TOLD]].rename(columns={name: f"{end}_{name}" for name in _TOLD})
        made.append(part.assign(_dollars=dollars))
    return made[0], made[1]


def _why(row: Any, records: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    """Return why a number moved, in a sentence."""
    release = row["new_release"]
    source = row["new_source"] or release
    restated = row["old_release"] in records.get(release, {}).get("supersedes", ())
    if row["change"] == "gone":
        told = say("dashboard.why_gone")
    elif row["new_symbol"] == "withdrawn":
        told = say("dashboard.why_withdrawn", reason=reasons.get(release, ""))
    elif row["change"] == "added" or row["old_symbol"] in EMPTY:
        told = say("dashboard.why_added", source=source)
    elif restated and row["old_dollars"] != row["new_dollars"]:
        told = say("dashboard.why_dollars", old=row["old_dollars"], new=row["new_dollars"])
    elif restated:
        told = say("dashboard.why_restated")
    elif row["old_origin"] != row["new_origin"]:
        ends = {end: say(f"site.origin_{row[f'{end}_origin']}") for end in ("old", "new")}
        told = say("dashboard.why_origin", **ends)
    elif row["old_release"] == release:
        told = say("dashboard.why_rule")
    else:
        told = say("dashboard.why_newer", source=source)
    return told
