"""Bring tables to service areas, listed units by their own published rows: ``weight_areas``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.census.census import Census
from lipgeo.census.data import Measure
from lipgeo.crosswalk.build import build_crosswalk
from lipgeo.crosswalk.crosswalk import Crosswalk, Placement
from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import levels_of_totals
from lipgeo.report import Finding, finding
from lipgeo.tables.calibrate import calibrate
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.estimates import Estimates
from lipgeo.tables.hidden import Hidden
from lipgeo.tables.long_table import AnyTable, LongTable
from lipgeo.tables.own_geography import OwnGeography
from lipgeo.tables.totals import variables_as_percent_of
from lipgeo.tables.variables import Variable, resolve_variables
from lipgeo.tables.weight import MIN_OBSERVED, weight_table
from lipgeo.zones.validity import SLIVER_SHARE

__all__ = ["values_of_controls", "weight_areas"]


def weight_areas(
    census: Census,
    areas: ServiceAreas,
    tables: AnyTable | Iterable[AnyTable],
    *,
    variables: Sequence[str | Variable] | None = None,
    min_observed: float = MIN_OBSERVED,
    sliver_share: float = SLIVER_SHARE,
    official: pd.DataFrame | None = None,
    placement: Placement = "auto",
    hidden: Hidden = "impute",
    totals: pd.DataFrame | pd.Series | None = None,
    controls: pd.DataFrame | None = None,
    own_geography: OwnGeography = "auto",
    percent_of: str | None = None,
) -> Estimates:
    """Bring census tables to service areas, building the crosswalks they need.

    The finest table is shared out. Units that an area lists are taken by their own published rows
    where a table of their level has them: a city's row is exact, the sum of its areas is rounded
    many times. Only the rest is shared out.

    Parameters
    ----------
    census
        The census the tables are of.
    areas
        Service areas, drawn, listed or both.
    tables
        One table a level.
    variables, min_observed, sliver_share, official
        As for :func:`weight_table`. With several tables, variables that all of them have.
    placement
        How people of cut blocks are placed: as for :func:`lipgeo.build_crosswalk`.
    hidden, totals
        As for :func:`weight_table`.
    controls
        Known totals of areas, by which their shares are calibrated (:func:`lipgeo.calibrate`):
        index area ids, columns variables of the finest table.
    own_geography, percent_of
        As for :func:`weight_table`.

    Returns
    -------
    Estimates

    Raises
    ------
    TableError
        A table has no level or is of another census, or two are of one level; and all that
        :func:`weight_table` raises.
    """
    given = _by_level(
        census, [tables] if isinstance(tables, CensusTable | LongTable) else list(tables)
    )
    base = next(level for level in census.levels if level in given)
    if percent_of is not None:
        variables = variables_as_percent_of(given[base], variables, percent_of)
    common = _common(list(given.values()), variables)
    weights = _weights(given[base], common)
    own, rest = _part_lists(census, areas, given, base)
    weighted: list[AnyTable] = []
    shares: list[dict[str, Crosswalk]] = []
    notes: list[Finding] = []
    for level, part in own.items():
        weighted.append(given[level])
        shares.append(_crosswalks(census, level, part, weights, placement))
        ids = part.units["unit_id"]
        notes.append(finding("tables.own_rows", "note", "", level=level, units=ids, count=len(ids)))
    if len(rest):
        weighted.append(_with_parents(census, given[base]))
        drawn = _crosswalks(census, base, rest, weights, placement)
        if controls is not None:
            values = values_of_controls(given[base], controls)
            drawn = {name: calibrate(one, controls, values) for name, one in drawn.items()}
        shares.append(drawn)
    result = weight_table(
        weighted,
        shares,
        variables=common,
        min_observed=min_observed,
        sliver_share=sliver_share,
        official=official,
        hidden=hidden,
        totals=totals,
        own_geography=own_geography,
    )
    return result.reorder(areas.ids, notes)


def values_of_controls(table: AnyTable, controls: pd.DataFrame) -> pd.DataFrame:
    """Return what each unit of a table holds of the controlled variables.

    Raises
    ------
    TableError
        A column of the controls is no column of the table.
    """
    strange = [str(name) for name in controls.columns if name not in table.columns]
    if strange:
        raise TableError(
            "tables.controls_unknown",
            [{"variable": name} for name in strange],
            variables=strange,
            held=list(table.columns),
        )
    names = [str(name) for name in controls.columns]
    held = table if isinstance(table, CensusTable) else table.part(names)
    return pd.DataFrame({name: held.values(name) for name in names}, index=held.unit_ids)


def _by_level(census: Census, tables: Sequence[AnyTable]) -> dict[str, AnyTable]:
    """Return the tables by level; refuse those that are of no level or census of these."""
    found: dict[str, AnyTable] = {}
    for one in tables:
        if one.level is None:
            raise TableError("tables.of_no_units", ids=one.unit_ids[:5], count=len(one))
        if one.vintage != census.vintage:
            raise TableError(
                "tables.not_of_census",
                level=one.level,
                table=str(one.vintage),
                census=str(census.vintage),
            )
        if one.level in found:
            raise TableError("tables.two_of_level", level=one.level)
        census.require_level(one.level)
        found[one.level] = one
    if not found:
        raise TableError("tables.no_table")
    return found


def _common(
    tables: Sequence[AnyTable], asked: Sequence[str | Variable] | None
) -> Sequence[str | Variable] | None:
    """Return what all tables have, where nothing is asked for."""
    if asked is not None or len(tables) == 1:
        return asked
    first = tables[0]
    shared = set.intersection(*(set(one.columns) for one in tables))
    return [
        name
        for name in first.columns
        if name in shared and name in first.variables and first.variables[name].rule != "index"
    ]


def _weights(table: AnyTable, asked: Sequence[str | Variable] | None) -> list[str]:
    """Return the weights that the variables go by, people first."""
    names = list(table.variables) if asked is None else asked
    texts = [str(name) for name in names if not isinstance(name, Variable)]
    lost = [name for name in texts if name not in table.variables and name not in table.columns]
    others = resolve_variables(lost, table.variables, table.columns, table.vintage)
    known = {**table.variables, **others}
    given = (name if isinstance(name, Variable) else known.get(str(name)) for name in names)
    found = [one.basis for one in given if one is not None]
    return [*dict.fromkeys(["population", *found])]


def _part_lists(
    census: Census, areas: ServiceAreas, tables: dict[str, AnyTable], base: str
) -> tuple[dict[str, ServiceAreas], ServiceAreas]:
    """Part listed units into those with a published row of their own, by level, and the rest."""
    units = areas.units
    own: dict[str, ServiceAreas] = {}
    taken = pd.Series(False, index=units.index)
    for level, table in tables.items():
        mine = units["level"].eq(level) & units["unit_id"].isin(table.unit_ids)
        if level != base and mine.any():
            own[level] = ServiceAreas.from_units(units[mine], census)
            taken |= mine
    left = units[~taken]
    parts = [areas.select(areas.drawn)] if len(areas.drawn) else []
    if len(left):
        parts.append(ServiceAreas.from_units(left, census))
    if not parts:
        return own, areas.select([])
    return own, ServiceAreas.concat(parts)


def _crosswalks(
    census: Census,
    level: str,
    areas: ServiceAreas,
    weights: Sequence[str],
    placement: Placement,
) -> dict[str, Crosswalk]:
    zones = census.zones(level)
    return {
        weight: build_crosswalk(zones, areas, weight=cast("Measure", weight), placement=placement)
        for weight in weights
    }


def _with_parents(census: Census, table: AnyTable) -> AnyTable:
    """Return the table with what its units are part of, where it does not say so itself."""
    if table.parents.notna().any():
        return table
    levels = [one for one in levels_of_totals(table.level) if one in census.levels]
    units = census.units(str(table.level))
    parents = pd.Series(pd.NA, index=units.index, dtype="string")
    for level in levels:
        if level in units:
            # a tract and a subdivision may bear the same code
            parents = parents.fillna(level + ":" + units[level].astype("string"))
    return table.with_parents(parents) if parents.notna().any() else table
