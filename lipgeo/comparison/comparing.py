"""``compare``: areas followed through censuses, and whether a change is more than noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.census import Census
from lipgeo.comparison.following import absent, followed_back
from lipgeo.comparison.legs import Tables, as_of, chosen_of, legs_of
from lipgeo.comparison.result import Comparison, beside
from lipgeo.correspondence import Correspondence
from lipgeo.report import CheckReport
from lipgeo.tables import weight_areas

__all__ = ["compare"]

#: share of a listed unit's people that may have changed sides before it is another place
MOVED = 0.01


def compare(
    areas: ServiceAreas,
    legs: Mapping[int, tuple[Census | None, Tables | None]],
    variables: Sequence[str] | None = None,
    *,
    correspondences: Correspondence | Sequence[Correspondence] = (),
    moved: float = MOVED,
) -> Comparison:
    """Compare areas between censuses, on the areas as they are at the newest.

    Parameters
    ----------
    areas
        Service areas, drawn, or lists of units of the newest census.
    legs
        Census year to the opened census (``None`` where it is not at hand, except for the newest)
        and its table, or tables of several levels; an earlier census without a table is kept as
        not comparable.
    variables
        Names in the tables or in the dictionary; all that the newest table has a rule for by
        default.
    correspondences
        Correspondence files read, in any order; chained as needed.
    moved
        Share of a listed unit's people that may have changed sides before its own row is no
        longer compared.

    Returns
    -------
    Comparison
        Listed areas by the published rows of their own units, where code and boundary go on;
        else by the newest blocks, through the correspondence; without one by the older census's
        own block points. What can be followed in none of these ways is ``not comparable``.

    Raises
    ------
    InputError
        Fewer than two censuses; the newest is not opened; no table.
    TableError
        A table is of another census than its leg, or has no level; a variable is in no table.

    Examples
    --------
    >>> from lipgeo import CensusTable, ServiceAreas, compare, synthetic
    >>> now, then = synthetic.census(500), synthetic.census(500, vintage=2016)
    >>> areas = ServiceAreas.from_frame(synthetic.service_areas(now, count=2), id="area_id")
    >>> legs = {}
    >>> for census in (then, now):
    ...     made = synthetic.table(census, "DA", incomes=False)
    ...     table = CensusTable(made.frame, level="DA", vintage=census.vintage)
    ...     legs[census.vintage] = (census, table)
    >>> found = compare(areas, legs, ["population"])
    >>> found.frame[["year", "how", "status"]].to_numpy().tolist()
    [[2016, 'points', 'comparable'], [2016, 'points', 'comparable']]
    """
    known = legs_of(legs)
    newest = known[-1]
    chosen = chosen_of(known, variables)
    here = [one for one in chosen if newest.holds(one)]
    current = weight_areas(
        newest.census,  # type: ignore[arg-type]
        areas,
        list(newest.tables.values()),
        variables=[as_of(one, newest) for one in here],
    )
    links = (
        [correspondences] if isinstance(correspondences, Correspondence) else list(correspondences)
    )
    frames, estimates = [], {newest.year: [current]}
    followed: list[dict[str, object]] = []
    findings = list(current.report)
    for leg in known[:-1]:
        there = [one for one in here if leg.holds(one)]
        done = (
            followed_back(areas, leg, newest, there, links, moved) if there else absent(areas, leg)
        )
        estimates[leg.year] = done.estimates
        findings += done.findings
        followed += done.rows
        frames.append(beside(areas, chosen, there, leg, newest, current, done))
    frame = pd.concat(frames, ignore_index=True)
    return Comparison(frame, pd.DataFrame(followed), estimates, CheckReport(findings))
