"""Compare two orders: areas, units, names, people added and lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.errors import require_path
from lipgeo.files import sha256_of
from lipgeo.order.manifest import OldOrder, read_order
from lipgeo.report import Card, Shown
from lipgeo.words import say

__all__ = ["OrderDiff", "diff_orders"]

_AREAS = {
    "area_id": "string", "custom_id": "string", "change": "string", "name_en": "string",
    "name_en_before": "string", "name_fr": "string", "name_fr_before": "string",
    "units_added": "int64", "units_removed": "int64", "units_kept": "int64",
    "people_added": "float64",
    "people_lost": "float64", "population": "float64", "population_before": "float64",
    "same_bytes": "bool",
}  # fmt: skip
_UNITS = {
    "area_id": "string", "change": "string", "level": "string", "unit_id": "string",
    "population": "float64",
}  # fmt: skip


@dataclass(frozen=True)
class OrderDiff(Shown):
    """What changed from one order to the next.

    Attributes
    ----------
    areas
        One row an area of either order, by area id: ``area_id, custom_id``; ``change``:
        ``added``, ``removed``, ``same``, or ``;``-joined ``units``, ``names``, ``counts``,
        ``vintage``, ``definition``; names now and before; ``units_added, units_removed``;
        ``units_kept``, those of both orders; ``people_added, people_lost`` (people of those
        added and removed, each by its own order's count; missing between two censuses, where a
        new code is no new person), ``population, population_before`` (missing where unknown or
        not there); ``same_bytes``: whether the area's own file is the same in both.
    units
        One row a unit added or removed: ``area_id, change, level, unit_id, population``. Between
        two censuses a unit is the same by level and code; equal codes are mostly, not always,
        the same land.
    """

    areas: pd.DataFrame
    units: pd.DataFrame

    @property
    def changed(self) -> list[str]:
        """Ids of the areas that are not the same."""
        return list(self.areas.loc[self.areas["change"] != "same", "area_id"])

    def __len__(self) -> int:
        return len(self.changed)

    def __repr__(self) -> str:
        if not len(self):
            return say("order.diff_same", same=len(self.areas))
        moved = self.areas["change"].str.contains("vintage")
        if moved.any():
            known = self.areas[["population", "population_before"]].notna().all(axis=1)
            both = self.areas[moved & known]
            return say(
                "order.diff_censuses",
                areas=int(moved.sum()),
                added=int(self.areas["change"].eq("added").sum()),
                removed=int(self.areas["change"].eq("removed").sum()),
                before=float(both["population_before"].sum()),
                now=float(both["population"].sum()),
                units_kept=int(both["units_kept"].sum()),
                units_added=int(self.areas["units_added"].sum()),
                units_removed=int(self.areas["units_removed"].sum()),
            )
        return say(
            "order.diff_summary",
            changed=len(self),
            same=len(self.areas) - len(self),
            areas=self.changed,
            added=float(self.areas["people_added"].sum()),
            lost=float(self.areas["people_lost"].sum()),
        )

    def _card(self) -> Card:
        shown = self.areas[self.areas["change"] != "same"]
        return Card(repr(self), shown, {name: name for name in shown})


def diff_orders(old: str | Path, new: str | Path) -> OrderDiff:
    """Say what changed between two orders; areas are matched by area id.

    Parameters
    ----------
    old, new
        Folders that :func:`lipgeo.write_order` wrote.

    Raises
    ------
    OrderError
        One of them is no order, or of a newer lipgeo.
    """
    before, after = (read_order(require_path(one)) for one in (old, new))
    areas, units = [], []
    for area_id in sorted({*before.areas, *after.areas}):
        then, now = before.areas.get(area_id), after.areas.get(area_id)
        rows = _unit_rows(area_id, then, now)
        units += rows
        areas.append(_area_row(area_id, then, now, rows, (before, after)))
    return OrderDiff(
        pd.DataFrame(areas, columns=list(_AREAS)).astype(_AREAS),
        pd.DataFrame(units, columns=list(_UNITS)).astype(_UNITS),
    )


def _flat(area: dict[str, Any] | None) -> dict[tuple[str, str], float | None]:
    if area is None:
        return {}
    return {(lv, unit): n for lv, units in area["units"].items() for unit, n in units.items()}


def _unit_rows(
    area_id: str, then: dict[str, Any] | None, now: dict[str, Any] | None
) -> list[dict[str, Any]]:
    was, is_ = _flat(then), _flat(now)
    gone, come = [u for u in was if u not in is_], [u for u in is_ if u not in was]
    return [
        {"area_id": area_id, "change": change, "level": level, "unit_id": unit,
         "population": counts[level, unit]}
        for change, found, counts in (("removed", gone, was), ("added", come, is_))
        for level, unit in sorted(found)
    ]  # fmt: skip


def _area_row(
    area_id: str,
    then: dict[str, Any] | None,
    now: dict[str, Any] | None,
    rows: list[dict[str, Any]],
    orders: tuple[OldOrder, OldOrder],
) -> dict[str, Any]:
    def people(change: str) -> float:
        return float(sum(row["population"] or 0.0 for row in rows if row["change"] == change))

    held = now or then or {}
    across = then is not None and now is not None and then["vintage"] != now["vintage"]
    return {
        "area_id": area_id,
        "custom_id": held["custom_id"],
        "change": _change(then, now, rows),
        "name_en": now and now["name_en"],
        "name_en_before": then and then["name_en"],
        "name_fr": now and now["name_fr"],
        "name_fr_before": then and then["name_fr"],
        "units_added": sum(row["change"] == "added" for row in rows),
        "units_removed": sum(row["change"] == "removed" for row in rows),
        "units_kept": len(_flat(then).keys() & _flat(now).keys()),
        # people of units that came or went are known of one census alone
        "people_added": math.nan if across else people("added"),
        "people_lost": math.nan if across else people("removed"),
        "population": now and now["population"],
        "population_before": then and then["population"],
        "same_bytes": bool(then and now) and _file(orders[0], then) == _file(orders[1], now),
    }


def _file(order: OldOrder, area: dict[str, Any] | None) -> str | None:
    path = None if area is None else order.file_of(area)
    return sha256_of(path) if path and path.is_file() else None


def _change(
    then: dict[str, Any] | None, now: dict[str, Any] | None, rows: list[dict[str, Any]]
) -> str:
    if then is None:
        return "added"
    if now is None:
        return "removed"
    found = []
    if then["vintage"] != now["vintage"]:
        found.append("vintage")
    if rows:
        found.append("units")
    if any(then[key] != now[key] for key in ("name_en", "name_fr")):
        found.append("names")
    if not rows and any(then[key] != now[key] for key in ("population", "dwellings", "units")):
        found.append("counts")
    if any(then[key] != now[key] for key in ("definition", "valid_from", "valid_to")):
        found.append("definition")
    return ";".join(found) or "same"
