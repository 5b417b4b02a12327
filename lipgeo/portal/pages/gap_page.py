"""What is missing: for each area and topic what there is, and the emptiest places.

Only core indicators count. A place is filled where a number is ordered, published or reported;
an estimate fills it in part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from lipgeo.portal.observations import HIDDEN
from lipgeo.portal.pages.blocks import Material, Row, area_name, name_order, topic_name
from lipgeo.portal.pages.certainty import small_flag
from lipgeo.registry.coverage import gaps as consortium_gaps
from lipgeo.registry.table import open_registry
from lipgeo.words import listing, say

__all__ = ["consortia_of", "gap_tables"]

Table = tuple[str, list[str], list[list[str]]]
_OWN = ("", "partnership", "community")
#: states of a place, the best first
_STATES = ("stated", "withheld", "estimated", "expected", "empty")


def gap_tables(material: Material, consortia: Mapping[str, str]) -> list[Table]:
    """Return the tables of the page: areas by topic, and indicators by how often they are missing.

    Parameters
    ----------
    material
        What an audience may be told.
    consortia
        Of areas that are in the registry: whether a data consortium is known to cover them.
    """
    areas = [one for one in material.areas.to_dict("records") if one["kind"] in _OWN]
    areas.sort(key=lambda one: name_order(_named(one)))
    core = {code: one for code, one in material.indicators.items() if one.core}
    if not areas or not core:
        return []
    states = {
        (area["area_id"], area["definition"]): _states(material.rows(area), core) for area in areas
    }
    return [_by_area(areas, states, core, consortia), *_wanted(areas, states, core, material)]


def _states(rows: Iterable[Row], core: Mapping[str, Any]) -> dict[str, str]:
    """Return the state of each core indicator of an area: the best of all its periods."""
    found = dict.fromkeys(core, "empty")
    for row in rows:
        code = row["indicator"]
        if code in found:
            found[code] = min(found[code], _state(row), key=_STATES.index)
    return found


def _state(row: Row) -> str:
    if row["symbol"] in HIDDEN or small_flag(row):
        return "withheld"
    if pd.isna(row["value"]):
        return "expected" if row["symbol"] == "expected" else "empty"
    return "estimated" if row["origin"] == "estimated" else "stated"


def _by_area(
    areas: Sequence[Row], states: Mapping[tuple[str, str], Mapping[str, str]],
    core: Mapping[str, Any],
    told: Mapping[str, str],
) -> Table:  # fmt: skip
    topics: dict[str, list[str]] = {}
    for code, one in core.items():
        topics.setdefault(one.topic, []).append(code)
    heads = [say("site.head_place"), *(topic_name(one) for one in topics)]
    heads += [say("site.head_consortium")] if told else []
    rows = []
    for area in areas:
        mine = states[area["area_id"], area["definition"]]
        cells = [_cell(Counter(mine[code] for code in codes)) for codes in topics.values()]
        status = told.get(area["area_id"], "unknown")
        ending = [say(f"site.consortium_{status}")] if told else []
        rows.append([_named(area), *cells, *ending])
    return say("site.gaps_by_area"), heads, rows


def _named(area: Row) -> str:
    name = area_name(area)
    return name if area["definition"] in ("", "main") else f"{name} ({area['definition']})"


def _cell(counts: Counter[str]) -> str:
    parts = [say("site.gap_stated", stated=counts["stated"], of=counts.total())]
    parts += [
        say(f"site.gap_{state}", count=counts[state])
        for state in ("withheld", "estimated", "expected")
        if counts[state]
    ]
    return "; ".join(parts)


def consortia_of(ids: Iterable[str]) -> dict[str, str]:
    """Return what is known of the data consortium of each area that is in the registry."""
    wanted = set(ids) & set(open_registry().lips["lip_id"])
    if not wanted:
        return {}
    frame = consortium_gaps(kind=None)
    mine = frame[frame["lip_id"].isin(wanted)]
    return dict(zip(mine["lip_id"].astype(str), mine["status"].astype(str), strict=True))


def _wanted(
    areas: Sequence[Row], states: Mapping[tuple[str, str], Mapping[str, str]],
    core: Mapping[str, Any], material: Material,
) -> list[Table]:  # fmt: skip
    needs = material.dictionary.frame["needs"]
    rows = []
    for code, one in core.items():
        lacking = [
            area for area in areas
            if states[area["area_id"], area["definition"]][code] in ("empty", "estimated")
        ]  # fmt: skip
        guessed = sum(
            states[area["area_id"], area["definition"]][code] == "estimated" for area in lacking
        )
        if lacking:
            comes = say(f"site.needs_{needs[code]}")
            names = listing([_named(area) for area in lacking])
            rows.append((len(lacking), [one.name, say("site.lacking", count=len(lacking),
                        of=len(areas), estimated=guessed), comes, names]))  # fmt: skip
    rows.sort(key=lambda one: -one[0])
    if not rows:
        return []
    heads = [say(f"site.head_{one}") for one in ("indicator", "lacking", "needs", "places")]
    return [(say("site.gaps_wanted"), heads, [cells for _, cells in rows])]
