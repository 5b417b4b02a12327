"""An earlier census's tables brought to today's areas, each area the surest way there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.areas.faults import finding
from lipgeo.census import GRID
from lipgeo.comparison.continuity import moved_by_links, moved_by_points, own_rows
from lipgeo.comparison.legs import Leg, as_of, chain_to
from lipgeo.correspondence import Correspondence
from lipgeo.crosswalk import Crosswalk
from lipgeo.errors import CrosswalkError, MissingLevelError, TableError
from lipgeo.report import Finding
from lipgeo.tables import Estimates, Variable, weight_table
from lipgeo.vintages import points_crosswalk, vintage_crosswalk
from lipgeo.words import say

__all__ = ["Baseline", "absent", "followed_back"]


@dataclass
class Baseline:
    """What came of one earlier census."""

    estimates: list[Estimates] = field(default_factory=list)
    #: area -> how it was followed, or why it was not
    how: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    flags: dict[str, list[str]] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def followed_back(  # noqa: PLR0917
    areas: ServiceAreas,
    leg: Leg,
    newest: Leg,
    names: Sequence[str],
    links: Sequence[Correspondence],
    moved: float,
) -> Baseline:
    """Bring an earlier census's tables to the areas, each area the surest way there is."""
    done = Baseline()
    chosen = [as_of(name, leg) for name in names]
    chain, broken = chain_to(links, newest.year, leg.year)
    own = _own(areas, leg, newest, chain, moved, done)
    if own:
        shares = own_rows(areas, own, leg.tables, newest.census)
        pairs = [(leg.tables[level], xw) for level, xw in shares.items()]
        done.estimates.append(
            weight_table([t for t, _ in pairs], [xw for _, xw in pairs], variables=chosen)
        )
        done.how |= dict.fromkeys(own, "own rows")
    rest = [area for area in areas.ids if area not in set(own)]
    if rest:
        others = areas.select(rest)
        try:
            how, shares_by = _shares(others, leg, newest, chain, broken, chosen)
        except (CrosswalkError, MissingLevelError) as error:
            done.why |= dict.fromkeys(rest, str(error))
        else:
            try:
                done.estimates.append(weight_table(leg.base, shares_by, variables=chosen))
            except TableError as error:
                done.why |= dict.fromkeys(rest, str(error))
            else:
                done.how |= dict.fromkeys(rest, how)
                if how == "points" and _without_polygons(leg):
                    for area in rest:
                        done.flags.setdefault(area, []).append("points_only")
                unplaced = next(iter(shares_by.values())).meta.get("unplaced", {})
                done.rows += [
                    way(area, leg.year, how, unplaced=unplaced.get(area, np.nan)) for area in rest
                ]
    done.rows += [way(a, leg.year, "not comparable") for a in done.why]
    for one in done.estimates:
        done.findings += list(one.report)
    done.findings += _unfollowed(done, leg.year)
    return done


def absent(areas: ServiceAreas, leg: Leg) -> Baseline:
    """Return what can be said of a census without a table, or without a variable asked for."""
    said = "comparison.not_in_tables" if leg.tables else "comparison.no_table"
    done = Baseline(why=dict.fromkeys(areas.ids, say(said, year=str(leg.year))))
    done.rows = [way(area, leg.year, "not comparable") for area in areas.ids]
    done.findings = _unfollowed(done, leg.year)
    return done


def _unfollowed(done: Baseline, year: int) -> list[Finding]:
    """Return a finding for each reason why areas are not comparable."""
    findings = []
    for reason in dict.fromkeys(done.why.values()):
        lost = [area for area, why in done.why.items() if why == reason]
        findings.append(
            finding(
                "comparison.not_comparable",
                "warning",
                "",
                year=str(year),
                areas=lost,
                reason=reason,
            )
        )
    return findings


def way(
    area: str, year: int, how: str, *, moved: float = np.nan, unplaced: float = np.nan
) -> dict[str, object]:
    """Return a row of how an area was followed."""
    return {"area_id": area, "year": year, "how": how, "moved": moved, "unplaced": unplaced}


def _own(  # noqa: PLR0917
    areas: ServiceAreas,
    leg: Leg,
    newest: Leg,
    chain: Correspondence | None,
    moved: float,
    done: Baseline,
) -> list[str]:
    """Return the listed areas whose own units go on, code and boundary."""
    kept = []
    units = areas.units
    for area, mine in units.groupby("area_id", sort=False):
        known = all(
            level in leg.tables and set(part["unit_id"]) <= set(leg.tables[level].unit_ids)
            for level, part in mine.groupby("level")
        )
        if not known:
            continue
        share = _moved(mine, leg, newest, chain)
        if share is not None and share > moved:
            done.findings.append(
                finding(
                    "comparison.moved",
                    "note",
                    str(area),
                    value=share,
                    limit=moved,
                    area=area,
                    year=str(leg.year),
                    share=share,
                )
            )
            continue
        if share is None:
            done.flags.setdefault(str(area), []).append("unchecked_boundary")
        kept.append(str(area))
        done.rows.append(
            way(
                str(area),
                leg.year,
                "own rows",
                moved=np.nan if share is None else share,
                unplaced=0.0,
            )
        )
    return kept


def _moved(
    units: pd.DataFrame, leg: Leg, newest: Leg, chain: Correspondence | None
) -> float | None:
    """Return the share of units' people that changed sides, ``None`` where nothing says it."""
    census = newest.census
    assert census is not None
    if chain is not None:
        try:
            return max(
                moved_by_links(
                    census,
                    chain.raised(level, _parents(leg, chain.old_level, level)),
                    level,
                    list(part["unit_id"]),
                )
                for level, part in units.groupby("level")
            )
        except (CrosswalkError, MissingLevelError):
            pass
    if leg.census is None or any(
        level not in leg.census.levels for level in units["level"].unique()
    ):
        return None
    return max(
        moved_by_points(leg.census, census, level, list(part["unit_id"]))
        for level, part in units.groupby("level")
    )


def _parents(leg: Leg, below: str, level: str) -> pd.Series | None:
    """Return which unit of a level each lower unit of an older census lies in, where known."""
    if leg.census is None or below not in leg.census.levels:
        return None
    units = leg.census.units(below)
    return units.get(level)


def _shares(  # noqa: PLR0917
    areas: ServiceAreas,
    leg: Leg,
    newest: Leg,
    chain: Correspondence | None,
    broken: str,
    chosen: Sequence[Variable],
) -> tuple[str, dict[str, Crosswalk]]:
    """Return how areas are followed, and the crosswalks of the finest table by weight."""
    table = leg.base
    level = str(table.level)
    weights = list(dict.fromkeys(one.basis for one in chosen))
    assert newest.census is not None
    why = broken
    if chain is not None:
        try:
            raised = chain.raised(level, _parents(leg, chain.old_level, level))
            return "blocks", {
                weight: vintage_crosswalk(
                    newest.census, raised, areas, weight=weight, held=_held(leg, level, weight)
                )
                for weight in weights
            }
        except (CrosswalkError, MissingLevelError) as error:
            why = str(error)
    if leg.census is None or level not in leg.census.levels:
        raise CrosswalkError("comparison.no_way", year=str(leg.year), level=level, why=why)
    return "points", {
        weight: points_crosswalk(leg.census, level, areas, newest.census, weight)
        for weight in weights
    }


def _without_polygons(leg: Leg) -> bool:
    """Whether nothing says which units of an older census an outline cuts."""
    level = str(leg.base.level)
    return leg.census is not None and GRID not in leg.census.data.columns(level)


def _held(leg: Leg, level: str, weight: str) -> pd.Series | None:
    """Return what older units held then: from their table, else from their census."""
    if weight in leg.base.frame:
        return leg.base.frame[weight]
    if leg.census is not None and level in leg.census.levels and weight != "area":
        return leg.census.counts(level)[weight]
    return None
