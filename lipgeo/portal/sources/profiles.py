"""Census Profiles for the areas of a portal: published rows, else weighted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.boundary.fit import fit_boundaries
from lipgeo.census.census import Census
from lipgeo.errors import InputError, TableError, require_paths
from lipgeo.portal.indicators.dictionary import Dictionary
from lipgeo.portal.sources.intake import (
    Intake,
    Known,
    from_estimates,
    from_table,
    indicator_columns,
    indicator_table,
    indicator_variables,
    join_intakes,
)
from lipgeo.readers.statcan.profile import read_profile
from lipgeo.readers.statcan.profile_files import find_layouts
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.earlier import misfit_by_points
from lipgeo.tables.weight import weight_table

__all__ = ["from_profile", "read_indicators"]


def read_indicators(
    path: str | Path | Sequence[str | Path], dictionary: Dictionary, *, level: str | None = None
) -> CensusTable:
    """Read from Census Profiles what indicators are made of.

    Rows that the files do not have are left out, and with them the indicators that need them.

    Raises
    ------
    TableError
        The files are no Census Profiles, of several censuses, or have none of the rows.
    """
    paths = require_paths(path)
    wanted = indicator_columns(dictionary, find_layouts(paths)[0].vintage)
    try:
        table = read_profile(paths, characteristics=wanted, level=level)
    except TableError as error:
        lost = (
            set(error.values.get("lost", ())) if error.key == "readers.no_characteristics" else ()
        )
        kept = {name: id for name, id in wanted.items() if id not in lost}
        if not lost or not kept:
            raise
        table = read_profile(paths, characteristics=kept, level=level)
    return indicator_table(table, dictionary)


def from_profile(
    path: str | Path | Sequence[str | Path],
    known: Known,
    *,
    census: Census | None,
    level: str | None,
    defined_in: Sequence[Census] = (),
) -> list[Intake]:
    """Return the published rows of areas of whole units, and estimates of the others.

    An area whose units were listed in another census is realised in that of the files: by the rows
    of its own codes where they are there, else by its outline; each with how far it misses.

    Raises
    ------
    InputError
        The files tell of no area of the portal.
    """
    table = read_indicators(path, known.dictionary, level=level)
    listed = known.areas[known.areas["units"].ne("")]
    parts: list[Intake] = []
    problem: InputError | None = None
    for one in [table, *_other_levels(path, table, listed, known, level)]:
        try:
            parts.append(from_table(one, known))
        except InputError as error:
            problem = problem or error
    older = {str(one.vintage): one for one in defined_in}
    made = [_measured(join_intakes(parts), listed, census, older)] if parts else []
    told = {place for part in parts for place in _places(part.rows)}
    rest = listed[[place not in told for place in _places(listed)]]
    if census is not None and len(rest):
        made += _weighted(table, rest, known, census, older)
    if not made and problem is not None:
        raise problem
    return made


def _other_levels(
    path: str | Path | Sequence[str | Path],
    table: CensusTable,
    listed: pd.DataFrame,
    known: Known,
    level: str | None,
) -> Iterable[CensusTable]:
    """Yield the rows of the other levels that areas are listed by, where the files have them."""
    if level is not None:
        return
    units = ";".join(listed["units"]).split(";")
    for other in dict.fromkeys(one.strip().partition(":")[0] for one in units):
        if other in ("", table.level):
            continue
        try:
            yield read_indicators(path, known.dictionary, level=other)
        except TableError:  # the files have no rows of that level
            continue


def _places(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(frame["area_id"], frame["definition"], strict=True))


def _measured(
    taken: Intake, listed: pd.DataFrame, census: Census | None, older: Mapping[str, Census]
) -> Intake:
    """Return an intake with how far equal codes of another census miss an area, where it can be."""
    realised = taken.realisations
    if census is None or realised is None or not older:
        return taken
    realised = realised.copy()
    areas = listed.set_index(["area_id", "definition"])
    for at, one in realised[realised["misfit"].isna()].iterrows():
        area = areas.loc[(one["area_id"], one["definition"])]
        then = older.get(str(area["vintage"]))
        units = [unit.partition(":") for unit in _units_of(area)]
        level = units[0][0]
        if then is not None and level in then.levels and level in census.levels:
            ids = [id for _, _, id in units]
            realised.loc[at, "misfit"] = misfit_by_points(then, census, level, ids)
    return replace(taken, realisations=realised)


def _units_of(area: Any) -> list[str]:
    return [one.strip() for one in str(area["units"]).split(";") if one.strip()]


def _weighted(
    table: CensusTable,
    rest: pd.DataFrame,
    known: Known,
    census: Census,
    older: Mapping[str, Census],
) -> Iterable[Intake]:
    """Yield estimates of areas whose units are of another level than the table's, or old."""
    here = rest["vintage"].isin(["", str(census.vintage)])
    if here.any():
        yield _estimated(table, _listed(rest[here], census), known, census)
    for year, own in rest[~here].groupby("vintage"):
        if year not in older:
            continue
        # the outline of the old list is the definition: fitted anew, as a drawn area is
        old = _listed(own, older[str(year)])
        outlines = fit_boundaries(older[str(year)], old).areas[["area_id", "geometry"]]
        areas = ServiceAreas.from_frame(outlines, id="area_id")
        yield _estimated(table, areas, known, census)


def _listed(rest: pd.DataFrame, census: Census) -> ServiceAreas:
    units = {f"{one['area_id']}@{one['definition']}": _units_of(one) for _, one in rest.iterrows()}
    return ServiceAreas.from_units(units, census)


def _estimated(table: CensusTable, areas: ServiceAreas, known: Known, census: Census) -> Intake:
    fitted = fit_boundaries(census, areas, unit=str(table.level))
    estimates = weight_table(
        table, fitted.membership, variables=indicator_variables(table, known.dictionary)
    )
    misfit = {
        str(area): float(share)
        for area, share in zip(fitted.areas["area_id"], fitted.areas["misfit_share"], strict=True)
    }
    return from_estimates(estimates, known, misfit=misfit)
