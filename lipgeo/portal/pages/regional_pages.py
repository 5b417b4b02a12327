"""A page a region: who has reported what, and the numbers of its members side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lipgeo.portal.pages.blocks import (
    form_of,
    name_order,
    period_text,
    slug_of,
    source_text,
    subject_text,
    value_text,
)
from lipgeo.portal.regional import Item, Region, status_of
from lipgeo.words import language, number, say

if TYPE_CHECKING:
    from lipgeo.portal.pages.site_state import SiteState

__all__ = ["region_name", "region_parts", "region_slug"]

#: how a page of a region is called; no area's page begins so
REGION = "region--"


def region_slug(region: Region) -> str:
    """Return the file name of a region's page."""
    return REGION + slug_of(region.region, "main")


def region_name(region: Region) -> str:
    """Return what a region is called in the language in force."""
    return region.name_en if language() == "en" else region.name_fr


def region_parts(
    state: SiteState, region: Region, areas: list[tuple[str, str, pd.Series]]
) -> dict[str, Any]:
    """Return what stands on the page of a region, in the language in force.

    Parameters
    ----------
    state
        What the site is made from.
    region
        The region.
    areas
        Slug, name and row of each area.
    """
    members = [one for one in areas if one[2]["area_id"] in region.members]
    members.sort(key=lambda one: (name_order(one[1]), one[0]))
    texts = [
        say("dashboard.region_what", count=len(region.members)),
        say("dashboard.region_rules"),
    ]
    heads = [say("site.head_place"), *(_head(one) for one in region.items)]
    rows = [
        [
            (state.name(slug), name),
            *(_status(state, str(area["area_id"]), one) for one in region.items),
        ]
        for slug, name, area in members
    ]
    tables = [(say("dashboard.reporting"), heads, rows)] if rows and region.items else []
    tables += [
        table for one in region.items if (table := _numbers(state, one, members)) is not None
    ]
    return {"texts": texts, "tables": tables}


def _head(item: Item) -> str:
    name = item.name_en if language() == "en" else item.name_fr
    return say("dashboard.item", name=name, period=item.period)


def _status(state: SiteState, area: str, item: Item) -> str:
    status = status_of(state.frame, area, item)
    if status == "waits" and item.due:
        return say("dashboard.status_due", day=item.due)
    return say(f"dashboard.status_{status}")


def _numbers(
    state: SiteState, item: Item, members: list[tuple[str, str, pd.Series]]
) -> tuple[str, list[str], list[Any]] | None:
    """Return the numbers of one item, members down; ``None`` where nobody has any."""
    if not item.code:
        return None
    rule, decimals = form_of(state.portal.dictionary, item.code)
    frame = state.frame
    mine = frame[frame["indicator"].eq(item.code) & frame["period"].eq(item.period)]
    rows = []
    for slug, name, area in members:
        own = mine[mine["area_id"].eq(area["area_id"]) & mine["definition"].eq(area["definition"])]
        for row in own.to_dict("records"):
            whole = float(row["denominator_value"])
            told = value_text(row, rule, decimals)
            if "withheld_few" in str(row["flags"]):
                told = say("dashboard.status_withheld")
            rows.append(
                [
                    (state.name(slug), name),
                    *(subject_text(row, ""), period_text(row), told),
                    *("" if np.isnan(whole) else number(whole), source_text(row)),
                ]
            )
    heads = [say("site.head_place"), say("dashboard.head_who"), say("site.head_period"),
             say("site.head_value"), say("dashboard.head_answers"),
             say("site.head_source")]  # fmt: skip
    return (_head(item), heads, rows) if rows else None
