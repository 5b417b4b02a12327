"""Bring an earlier census's tables to today's areas, each area the surest way there is.

Three ways, tried in this order: a listed unit that is the same place at both censuses goes by its
own published row; else correspondences lead back from today's blocks; else the older census's block
points are laid into the area. Where none is open, the area is not comparable, and it is said why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.census.census import Census
from lipgeo.census.data import GRID
from lipgeo.crosswalk.build import build_crosswalk
from lipgeo.crosswalk.correspondence import Correspondence
from lipgeo.crosswalk.crosswalk import Crosswalk, Placement
from lipgeo.crosswalk.vintages import points_crosswalk, vintage_crosswalk
from lipgeo.errors import CrosswalkError, InputError, LipgeoError, MissingLevelError, TableError
from lipgeo.report import Finding, finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.columns import parts_needed
from lipgeo.tables.estimates import Estimates
from lipgeo.tables.variables import Variable, variable
from lipgeo.tables.weight import weight_table
from lipgeo.words import say
from lipgeo.zones.zones import Zones

__all__ = [
    "Baseline",
    "Edition",
    "Tables",
    "as_of",
    "baseline_without_table",
    "chain_to",
    "crosswalks_of_own_rows",
    "editions_of",
    "follow_back",
    "misfit_by_points",
    "share_moved_by_links",
    "share_moved_by_points",
    "variables_to_compare",
]

Tables = CensusTable | Sequence[CensusTable]


@dataclass(frozen=True)
class Edition:
    """What is known of one census."""

    year: int
    census: Census | None
    tables: dict[str, CensusTable]

    @property
    def base(self) -> CensusTable:
        """The table of the finest level."""
        return next(iter(self.tables.values()))

    def holds(self, name: str) -> bool:
        """Whether every table has what a variable is made from."""
        if not self.tables:
            return False
        try:
            needed = set(parts_needed(as_of(name, self)))
        except TableError:  # another census's table has it under a name of its own
            return False
        return all(needed <= set(table.columns) for table in self.tables.values())


def editions_of(given: Mapping[int, tuple[Census | None, Tables | None]]) -> list[Edition]:
    """Return the censuses given, oldest first, finest table first; refuse what cannot be."""
    if len(given) < 2:
        raise InputError("tables.two_years", years=[str(year) for year in given])
    editions, wrong = [], []
    for year in sorted(given):
        census, tables = given[year]
        several = [tables] if isinstance(tables, CensusTable) else list(tables or ())
        if not several and year == max(given):
            raise InputError("tables.comparison.no_table", year=str(year))
        wrong += [
            {"year": year, "table": table.vintage, "level": table.level}
            for table in several
            if table.vintage != year or table.level is None
        ]
        if census is not None and census.vintage != year:
            wrong.append({"year": year, "table": census.vintage, "level": "census"})
        order = ["DB", "DA"]
        several.sort(
            key=lambda table: (order.index(table.level) if table.level in order else 2, -len(table))
        )
        editions.append(Edition(int(year), census, {str(table.level): table for table in several}))
    if wrong:
        shown = [f"{one['year']}: {one['table']} {one['level']}" for one in wrong]
        raise TableError("tables.other_year", wrong, tables=shown)
    if editions[-1].census is None:
        raise InputError("tables.newest_closed", year=str(editions[-1].year))
    return editions


def variables_to_compare(editions: Sequence[Edition], variables: Sequence[str] | None) -> list[str]:
    """Return the names to compare: those asked for, else all the newest table can weight."""
    newest = editions[-1]
    if variables is None:
        return [name for name, one in newest.base.variables.items() if one.rule != "index"]
    if not any(newest.holds(name) for name in variables):
        # nothing could be compared with anything
        raise TableError(
            "tables.no_variable",
            [{"variable": name} for name in variables],
            variables=list(variables),
        )
    lost = [name for name in variables if not any(edition.holds(name) for edition in editions)]
    if lost:
        raise TableError(
            "tables.no_variable", [{"variable": name} for name in lost], variables=lost
        )
    return list(dict.fromkeys(variables))


def as_of(name: str, edition: Edition) -> Variable:
    """Return a variable as the census of an edition has it."""
    own = edition.base.variables.get(name) if edition.tables else None
    return own if own is not None else variable(name, edition.year)


# ------------------------------------------------------------------- an area the surest way


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


def follow_back(  # noqa: PLR0917
    areas: ServiceAreas,
    edition: Edition,
    newest: Edition,
    names: Sequence[str],
    links: Sequence[Correspondence],
    moved: float,
    placement: Placement,
) -> Baseline:
    """Bring an earlier census's tables to the areas, each area the surest way there is."""
    done = Baseline()
    chosen = [as_of(name, edition) for name in names]
    chain, broken = chain_to(links, newest.year, edition.year)
    own = _follow_by_own_rows(areas, edition, newest, chain, moved, done)
    if own:
        shares = crosswalks_of_own_rows(areas, own, edition.tables, newest.census)
        pairs = [(edition.tables[level], xw) for level, xw in shares.items()]
        done.estimates.append(
            weight_table([t for t, _ in pairs], [xw for _, xw in pairs], variables=chosen)
        )
        done.how |= dict.fromkeys(own, "own rows")
    rest = [area for area in areas.ids if area not in set(own)]
    if rest:
        others = areas.select(rest)
        try:
            how, shares_by = _shares(others, edition, newest, chain, broken, chosen, placement)
        except (CrosswalkError, MissingLevelError) as error:
            done.why |= dict.fromkeys(rest, str(error))
        else:
            try:
                done.estimates.append(weight_table(edition.base, shares_by, variables=chosen))
            except TableError as error:
                done.why |= dict.fromkeys(rest, str(error))
            else:
                done.how |= dict.fromkeys(rest, how)
                if how == "points" and _without_polygons(edition):
                    for area in rest:
                        done.flags.setdefault(area, []).append("points_only")
                unplaced = next(iter(shares_by.values())).meta.get("unplaced", {})
                done.rows += [
                    way_record(area, edition.year, how, unplaced=unplaced.get(area, np.nan))
                    for area in rest
                ]
    done.rows += [way_record(a, edition.year, "not comparable") for a in done.why]
    for one in done.estimates:
        done.findings += list(one.report)
    done.findings += _not_comparable(done, edition.year)
    return done


def baseline_without_table(areas: ServiceAreas, edition: Edition) -> Baseline:
    """Return what can be said of a census without a table, or without a variable asked for."""
    said = "tables.not_in_tables" if edition.tables else "tables.comparison.no_table"
    done = Baseline(why=dict.fromkeys(areas.ids, say(said, year=str(edition.year))))
    done.rows = [way_record(area, edition.year, "not comparable") for area in areas.ids]
    done.findings = _not_comparable(done, edition.year)
    return done


def _not_comparable(done: Baseline, year: int) -> list[Finding]:
    """Return a finding for each reason why areas are not comparable."""
    findings = []
    for reason in dict.fromkeys(done.why.values()):
        lost = [area for area, why in done.why.items() if why == reason]
        findings.append(
            finding(
                "tables.not_comparable",
                "warning",
                "",
                year=str(year),
                areas=lost,
                reason=reason,
            )
        )
    return findings


def way_record(
    area: str, year: int, how: str, *, moved: float = np.nan, unplaced: float = np.nan
) -> dict[str, object]:
    """Return a row of how an area was followed."""
    return {"area_id": area, "year": year, "how": how, "moved": moved, "unplaced": unplaced}


# ------------------------------------------------------------------- by own rows


def _follow_by_own_rows(  # noqa: PLR0917
    areas: ServiceAreas,
    edition: Edition,
    newest: Edition,
    chain: Correspondence | None,
    moved: float,
    done: Baseline,
) -> list[str]:
    """Return the listed areas whose own units go on, code and boundary."""
    kept = []
    units = areas.units
    for area, mine in units.groupby("area_id", sort=False):
        known = all(
            level in edition.tables and set(part["unit_id"]) <= set(edition.tables[level].unit_ids)
            for level, part in mine.groupby("level")
        )
        if not known:
            continue
        share = _share_moved(mine, edition, newest, chain)
        if share is not None and share > moved:
            done.findings.append(
                finding(
                    "tables.moved",
                    "note",
                    str(area),
                    value=share,
                    limit=moved,
                    area=area,
                    year=str(edition.year),
                    share=share,
                )
            )
            continue
        if share is None:
            done.flags.setdefault(str(area), []).append("unchecked_boundary")
        kept.append(str(area))
        done.rows.append(
            way_record(
                str(area),
                edition.year,
                "own rows",
                moved=np.nan if share is None else share,
                unplaced=0.0,
            )
        )
    return kept


def _share_moved(
    units: pd.DataFrame, edition: Edition, newest: Edition, chain: Correspondence | None
) -> float | None:
    """Return the share of units' people that changed sides, ``None`` where nothing says it."""
    census = newest.census
    assert census is not None
    if chain is not None:
        try:
            return max(
                share_moved_by_links(
                    census,
                    chain.raised(level, _parents(edition, chain.old_level, level)),
                    level,
                    list(part["unit_id"]),
                )
                for level, part in units.groupby("level")
            )
        except (CrosswalkError, MissingLevelError):
            pass
    if edition.census is None or any(
        level not in edition.census.levels for level in units["level"].unique()
    ):
        return None
    return max(
        share_moved_by_points(edition.census, census, level, list(part["unit_id"]))
        for level, part in units.groupby("level")
    )


def share_moved_by_links(
    newest: Census, links: Correspondence, level: str, unit_ids: Sequence[str]
) -> float:
    """Return the largest share of a unit's people that changed sides, by a correspondence.

    A unit without people goes by its number of blocks.

    Parameters
    ----------
    newest
        The newest census, with its blocks.
    links
        From its blocks to the older units of the level.
    level, unit_ids
        The units; their codes are the same in both censuses.

    Raises
    ------
    CrosswalkError
        The newest census does not say which unit each block lies in.
    """
    below = links.block_level
    if below not in newest.levels:
        raise MissingLevelError(
            "census.missing_level", level=below, vintage=newest.vintage, held=newest.levels
        )
    units = newest.units(below)
    if level not in units:
        raise CrosswalkError("crosswalk.vintages.no_parent", level=below, parent=level)
    frame = links.frame
    at = pd.Index(frame["block_id"].astype(object))
    now = units[level].reindex(at).astype(object).to_numpy()
    then = frame["old_id"].astype(object).to_numpy()
    part = frame["weight"].to_numpy()
    people = np.nan_to_num(units["population"].reindex(at).to_numpy(dtype=np.float64)) * part
    shares = []
    for unit in unit_ids:
        here, before = now == unit, then == unit
        # a unit without people is held together by its blocks
        amount = people if people[here].sum() > 0 else part
        crossed = amount[here ^ (before & ~pd.isna(now))].sum()
        shares.append(crossed / amount[here].sum() if here.any() else 1.0)
    return float(max(shares))


def share_moved_by_points(
    older: Census, newest: Census, level: str, unit_ids: Sequence[str]
) -> float:
    """Return the largest share of a unit's people that changed sides, by the older block points."""
    frame = _by_points(older, newest, level, unit_ids)
    came = frame[frame["source_id"] != frame["target_id"]].groupby("target_id")["weight"].sum()
    stayed = frame[frame["source_id"] == frame["target_id"]].set_index("target_id")["weight"]
    held = older.counts(level)["population"].reindex(list(unit_ids)).fillna(0.0)
    came, stayed = (one.reindex(list(unit_ids)).fillna(0.0) for one in (came, stayed))
    crossed = came + (held - stayed).clip(lower=0.0)
    share = crossed / held.where(held > 0)
    return float(share.fillna(1.0).max())


def misfit_by_points(older: Census, newest: Census, level: str, unit_ids: Sequence[str]) -> float:
    """Return how far equal codes of two censuses are other ground: as a whole, by block points.

    Parameters
    ----------
    older, newest
        Two censuses, either may be the one in which the units were listed.
    level, unit_ids
        The units; their codes are in both.

    Returns
    -------
    float
        People of the older census that are in the units of one and not in those of the other, over
        the people of the older units; 1 where nobody lived there.
    """
    frame = _by_points(older, newest, level, unit_ids)
    own = frame["source_id"].isin(list(unit_ids))
    held = float(older.counts(level)["population"].reindex(list(unit_ids)).fillna(0.0).sum())
    came, stayed = (float(frame.loc[one, "weight"].sum()) for one in (~own, own))
    return (came + max(held - stayed, 0.0)) / held if held > 0 else 1.0


def _by_points(older: Census, newest: Census, level: str, unit_ids: Sequence[str]) -> pd.DataFrame:
    """Return who of the older census's units lives in units of the newest, by block points."""
    shapes = newest.data.geometry(level, newest.rows(level, list(unit_ids)))
    zones = Zones(list(unit_ids), shapes, newest.crs)
    xw = build_crosswalk(older.zones(level), zones, weight="population", placement="point")
    return xw.frame.assign(weight=xw.frame["weight"].fillna(0.0))


def crosswalks_of_own_rows(
    areas: ServiceAreas,
    ids: Sequence[str],
    tables: Mapping[str, CensusTable],
    newest: Census | None,
) -> dict[str, Crosswalk]:
    """Return, by level, the crosswalk that takes areas' own units whole from their table.

    What units hold is their population in the table; in the newest census where it has none.
    """
    listed = areas.units
    listed = listed[listed["area_id"].isin(list(ids))]
    shares = {}
    for level, part in listed.groupby("level", sort=False):
        table = tables[str(level)]
        units = pd.Index(sorted(table.unit_ids), name="source_id")
        held = table.frame.get("population")
        if held is None and newest is not None and level in newest.levels:
            held = newest.counts(str(level))["population"]
        amount = (
            np.ones(len(units)) if held is None else held.reindex(units).to_numpy(dtype=np.float64)
        )
        basis = "area" if held is None else "population"
        sources = pd.DataFrame({"weight": amount, "share_basis": basis}, index=units)
        frame = pd.DataFrame(
            {
                "source_id": part["unit_id"].astype(object),
                "target_id": part["area_id"].astype(object),
                "share": 1.0,
                "area_share": 1.0,
            }
        ).sort_values(["source_id", "target_id"], ignore_index=True)
        frame["weight"] = sources["weight"].reindex(frame["source_id"]).to_numpy()
        frame["share_basis"] = basis
        targets = sorted(frame["target_id"].unique())
        outside = (~units.isin(frame["source_id"])).astype(np.float64)
        names = ("quality_index", "coverage", "straddling_share")
        quality = pd.DataFrame({"target_id": targets} | dict.fromkeys(names, 1.0))
        quality["best_fit_pct"], quality["straddling_share"] = 100.0, 0.0
        columns = ["target_id", "quality_index", "best_fit_pct", "coverage", "straddling_share"]
        shares[str(level)] = Crosswalk(
            frame,
            pd.DataFrame({"source_id": units.to_numpy(), "share": outside}),
            _overlaps(frame),
            quality[columns],
            sources,
            meta={
                "source_level": str(level),
                "target_level": None,
                "target_kind": "areas",
                "listed": targets,
                "vintage": table.vintage,
                "weight": basis,
                "placement": "surface",
                "sources": len(units),
                "targets": len(targets),
                "pairs": len(frame),
            },
        )
    return shares


def _overlaps(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the units that several areas list."""
    twice = frame.merge(frame, on="source_id", suffixes=("", "_other"))
    twice = twice[twice["target_id"] < twice["target_id_other"]]
    twice = twice.rename(columns={"target_id_other": "other_id"})
    return twice[["target_id", "other_id", "source_id", "share", "area_share"]].reset_index(
        drop=True
    )


# ------------------------------------------------------------------- by blocks, else by points


def chain_to(
    links: Sequence[Correspondence], newest: int, year: int
) -> tuple[Correspondence | None, str]:
    """Return the correspondence from the newest census to a year, or why there is none."""
    found: Correspondence | None = None
    at = newest
    while at > year:
        steps = [one for one in links if one.vintage == at and one.old_vintage >= year]
        if not steps:
            return None, say("tables.no_link", newest=str(at), year=str(year))
        same = [one for one in steps if found is not None and one.block_level == found.old_level]
        # by blocks on the way, so that nothing is lost there; by areas at the end
        step = min(
            same or steps,
            key=lambda one: (
                one.old_vintage,
                one.level != ("DA" if one.old_vintage == year else "DB"),
            ),
        )
        try:
            found = step if found is None else found.chain(step)
        except LipgeoError as error:
            return None, str(error)
        at = found.old_vintage
    return found, ""


def _shares(  # noqa: PLR0917
    areas: ServiceAreas,
    edition: Edition,
    newest: Edition,
    chain: Correspondence | None,
    broken: str,
    chosen: Sequence[Variable],
    placement: Placement,
) -> tuple[str, dict[str, Crosswalk]]:
    """Return how areas are followed, and the crosswalks of the finest table by weight."""
    table = edition.base
    level = str(table.level)
    weights = list(dict.fromkeys(one.basis for one in chosen))
    assert newest.census is not None
    why = broken
    if chain is not None:
        try:
            raised = chain.raised(level, _parents(edition, chain.old_level, level))
            return "blocks", {
                weight: vintage_crosswalk(
                    newest.census,
                    raised,
                    areas,
                    weight=weight,
                    held=_older_amounts(edition, level, weight),
                    older=edition.census,
                    placement=placement,
                )
                for weight in weights
            }
        except (CrosswalkError, MissingLevelError) as error:
            why = str(error)
    if edition.census is None or level not in edition.census.levels:
        raise CrosswalkError("tables.no_way", year=str(edition.year), level=level, why=why)
    return "points", {
        weight: points_crosswalk(
            edition.census, level, areas, newest.census, weight, placement=placement
        )
        for weight in weights
    }


def _parents(edition: Edition, below: str, level: str) -> pd.Series | None:
    """Return which unit of a level each lower unit of an older census lies in, where known."""
    if edition.census is None or below not in edition.census.levels:
        return None
    units = edition.census.units(below)
    return units.get(level)


def _without_polygons(edition: Edition) -> bool:
    """Whether nothing says which units of an older census an outline cuts."""
    level = str(edition.base.level)
    return edition.census is not None and GRID not in edition.census.data.columns(level)


def _older_amounts(edition: Edition, level: str, weight: str) -> pd.Series | None:
    """Return what older units held then: from their table, else from their census."""
    if weight in edition.base.frame:
        return edition.base.frame[weight]
    if edition.census is not None and level in edition.census.levels and weight != "area":
        return edition.census.counts(level)[weight]
    return None
