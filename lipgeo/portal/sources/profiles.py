"""Census Profiles for the areas of a portal: published rows, else weighted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

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
) -> list[Intake]:
    """Return the published rows of areas of whole units, and estimates of the others.

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
    made = [join_intakes(parts)] if parts else []
    told = {place for part in parts for place in _places(part.rows)}
    rest = listed[[place not in told for place in _places(listed)]]
    if census is not None and len(rest):
        made.append(_weighted(table, rest, known, census))
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


def _weighted(table: CensusTable, rest: pd.DataFrame, known: Known, census: Census) -> Intake:
    """Return estimates of areas whose units are of another level than the table's."""
    units = {
        f"{area.area_id}@{area.definition}": [
            one.strip() for one in area.units.split(";") if one.strip()
        ]
        for area in rest.itertuples()
    }
    areas = ServiceAreas.from_units(units, census)
    fitted = fit_boundaries(census, areas, unit=str(table.level))
    estimates = weight_table(
        table, fitted.membership, variables=indicator_variables(table, known.dictionary)
    )
    misfit = {
        str(area): float(share)
        for area, share in zip(fitted.areas["area_id"], fitted.areas["misfit_share"], strict=True)
    }
    return from_estimates(estimates, known, misfit=misfit)
