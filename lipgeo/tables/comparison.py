"""Set the numbers of areas at several censuses beside each other: ``compare``, ``Comparison``.

Areas are followed back from the newest census (:mod:`lipgeo.tables.earlier`), and of each change it
is said whether it is more than noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.census.census import Census
from lipgeo.crosswalk.correspondence import Correspondence
from lipgeo.crosswalk.crosswalk import Placement
from lipgeo.geography.hierarchy import has_trait
from lipgeo.report import Card, CheckReport, Shown
from lipgeo.tables.earlier import (
    Baseline,
    Edition,
    Tables,
    as_of,
    baseline_without_table,
    editions_of,
    follow_back,
    variables_to_compare,
)
from lipgeo.tables.estimates import Estimates
from lipgeo.tables.variables import Variable
from lipgeo.tables.weight_areas import weight_areas
from lipgeo.words import say

__all__ = ["Comparison", "compare", "compare_editions"]

_COLUMNS = (
    *("area_id", "variable", "year", "baseline", "current_year", "current", "change"),
    *("change_pct", "margin", "exceeds", "status", "reason", "how", "flags"),
)
_NUMBERS = ("baseline", "current", "change", "change_pct", "margin")
#: share of a listed unit's people that may have changed sides before it is another place
MOVED = 0.01


class Comparison(Shown):
    """Numbers of areas at several censuses. Made by :func:`compare`.

    Attributes
    ----------
    frame
        One row an area, variable and earlier census: ``area_id, variable`` (text), ``year`` and
        ``current_year`` (int64), ``baseline, current, change`` in the variable's own unit and
        ``change_pct`` (float64, percent of the baseline), ``margin``: what rounding, straddling
        units, cells not observed and sampling can explain of a change (90 %); ``exceeds``
        (boolean): the change is greater than that; ``status`` (``comparable`` or
        ``not comparable``), ``reason`` why not; ``how`` the area was followed (``own rows``,
        ``blocks``, ``points``); ``flags`` (``;``-joined):

        ===========================  ==========================================================
        ``nhs_voluntary``            the National Household Survey of 2011 was voluntary
        ``zero_may_be_suppression``  zeros of 2006 may be suppressed cells
        ``universe_2006``            in 2006 the long form also counted collective dwellings
        ``other_dollars``            dollars of different years, not adjusted
        ``points_only``              older units were placed by their points, without polygons:
                                     how they straddle is not known, and there is no margin
        ``unchecked_boundary``       nothing said whether the listed units' boundary is the same
        ===========================  ==========================================================
    followed
        One row an area and earlier census: ``area_id, year, how, moved`` (share of the listed
        units' people whose land changed sides), ``unplaced`` (share of the area's newest people
        that came with older units lying in it only in part).
    estimates
        Year to the estimates behind the numbers, a list.
    report
        What was met (:class:`~lipgeo.report.CheckReport`).
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        followed: pd.DataFrame,
        estimates: Mapping[int, Sequence[Estimates]],
        report: CheckReport,
    ) -> None:
        self._frame, self._followed = frame, followed
        self.estimates = {year: tuple(ones) for year, ones in estimates.items()}
        self.report = report

    @property
    def frame(self) -> pd.DataFrame:
        """The comparison; a copy."""
        return self._frame.copy()

    @property
    def followed(self) -> pd.DataFrame:
        """How each area was followed; a copy."""
        return self._followed.copy()

    def wide(self) -> pd.DataFrame:
        """Return values by year: index ``area_id, variable``, one column a census, oldest first."""
        years = self._frame.pivot_table(
            index=["area_id", "variable"],
            columns="year",
            values="baseline",
            sort=False,
            dropna=False,
        )
        now = self._frame.groupby(["area_id", "variable"], sort=False)["current"].first()
        newest = int(self._frame["current_year"].iloc[0])
        return years.sort_index(axis=1).assign(**{str(newest): now}).rename(columns=int)

    def __len__(self) -> int:
        return len(self._frame)

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _card(self) -> Card:
        table = self._frame.astype({"year": "string", "current_year": "string"})  # no thousands
        return Card(self._summary(), table, {name: name for name in table})

    def _summary(self) -> str:
        frame = self._frame
        return say(
            "tables.comparison_summary",
            areas=frame["area_id"].nunique(),
            years=[str(year) for year in sorted(frame["year"].unique())],
            newest=str(frame["current_year"].iloc[0]),
            comparable=int(frame["status"].eq("comparable").sum()),
            total=len(frame),
            exceeds=int(frame["exceeds"].fillna(False).sum()),
        )


def compare(
    areas: ServiceAreas,
    legs: Mapping[int, tuple[Census | None, Tables | None]],
    variables: Sequence[str] | None = None,
    *,
    correspondences: Correspondence | Sequence[Correspondence] = (),
    moved: float = MOVED,
    placement: Placement = "auto",
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
    placement
        How people of cut blocks are placed: as for :func:`lipgeo.build_crosswalk`.

    Returns
    -------
    Comparison
        Listed areas by the published rows of their own units, where code and boundary go on;
        else by the older census's own blocks where it is open and a correspondence leads back, by
        the newest blocks where it is not; without a correspondence by the older census's own blocks
        or block points. What can be followed in none of these ways is ``not comparable``.

    Raises
    ------
    InputError
        Fewer than two censuses; the newest is not opened; no table.
    TableError
        A table is of another census than its edition, or has no level; a variable is in no table.

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
    known = editions_of(legs)
    newest = known[-1]
    chosen = variables_to_compare(known, variables)
    here = [one for one in chosen if newest.holds(one)]
    current = weight_areas(
        newest.census,  # type: ignore[arg-type]
        areas,
        list(newest.tables.values()),
        variables=[as_of(one, newest) for one in here],
        placement=placement,
    )
    links = (
        [correspondences] if isinstance(correspondences, Correspondence) else list(correspondences)
    )
    frames, estimates = [], {newest.year: [current]}
    followed: list[dict[str, object]] = []
    findings = list(current.report)
    for edition in known[:-1]:
        there = [one for one in here if edition.holds(one)]
        done = (
            follow_back(areas, edition, newest, there, links, moved, placement)
            if there
            else baseline_without_table(areas, edition)
        )
        estimates[edition.year] = done.estimates
        findings += done.findings
        followed += done.rows
        frames.append(compare_editions(areas, chosen, there, edition, newest, current, done))
    frame = pd.concat(frames, ignore_index=True)
    return Comparison(frame, pd.DataFrame(followed), estimates, CheckReport(findings))


def compare_editions(  # noqa: PLR0917
    areas: ServiceAreas,
    chosen: Sequence[str],
    there: Sequence[str],
    edition: Edition,
    newest: Edition,
    current: Estimates,
    done: Baseline,
) -> pd.DataFrame:
    """Put the numbers of two censuses beside each other."""
    index = pd.MultiIndex.from_product(
        [list(areas.ids), list(chosen)], names=["area_id", "variable"]
    )
    now = current.frame.set_index(["area_id", "variable"]).reindex(index)
    before = [one.frame for one in done.estimates]
    empty = current.frame.iloc[:0]
    then = pd.concat(before or [empty]).set_index(["area_id", "variable"]).reindex(index)
    change = now["value"] - then["value"]
    up = np.hypot(now["value"] - now["likely_lower"], then["likely_upper"] - then["value"])
    down = np.hypot(now["likely_upper"] - now["value"], then["value"] - then["likely_lower"])
    margin = up.where(change >= 0, down)
    # without polygons nobody knows how the older units straddle
    bare = {area for area, flags in done.flags.items() if "points_only" in flags}
    margin = margin.mask(margin.index.get_level_values("area_id").isin(bare))
    exceeds = (change.abs() > margin).astype("boolean").mask(margin.isna() | change.isna())
    base = then["value"].where(then["value"] != 0)
    frame = pd.DataFrame(
        {
            "year": edition.year,
            "baseline": then["value"],
            "current_year": newest.year,
            "current": now["value"],
            "change": change,
            "change_pct": 100 * change / base,
            "margin": margin,
            "exceeds": exceeds,
        }
    ).reset_index()
    frame[list(_NUMBERS)] = frame[list(_NUMBERS)].astype(np.float64)
    reason = frame["area_id"].map(done.why).astype(object)
    not_held = ~frame["variable"].isin(list(there))
    reason = reason.mask(
        not_held & reason.isna(), say("tables.not_in_tables", year=str(edition.year))
    )
    for side, year in ((now, newest.year), (then, edition.year)):
        flags = side["flag"].fillna("").to_numpy(dtype=object)
        unknown = side["value"].isna().to_numpy() & reason.isna().to_numpy()
        reason = reason.mask(
            unknown, [say("tables.no_value", year=str(year), flags=one or "-") for one in flags]
        )
    frame["reason"] = reason.fillna("").astype("string")
    lost = frame["reason"].ne("")
    frame["status"] = np.where(lost, "not comparable", "comparable")
    frame["how"] = frame["area_id"].map(done.how).astype("string").fillna("")
    noted = then["flag"].fillna("").str.contains("zero_may_be_suppression").to_numpy(dtype=bool)
    known = {
        name: next((one for one in (edition, newest) if one.holds(name)), newest) for name in chosen
    }
    frame["flags"] = [
        ";".join(
            [*_universe(as_of(name, known[name]), edition, zero=zero), *done.flags.get(area, [])]
        )
        for area, name, zero in zip(frame["area_id"], frame["variable"], noted, strict=True)
    ]
    return frame[list(_COLUMNS)]


def _universe(one: Variable, edition: Edition, *, zero: bool) -> list[str]:
    """Return what is not the same between two censuses, by the names of the flags."""
    flags = []
    if has_trait(edition.year, "voluntary_long_form") and one.sampled:
        flags.append("nhs_voluntary")
    hidden = has_trait(edition.year, "zeros_may_be_suppressed")
    if zero or (hidden and one.sampled and one.rule == "count"):
        flags.append("zero_may_be_suppression")
    if has_trait(edition.year, "collectives_in_long_form") and one.universe == "private_households":
        flags.append("universe_2006")
    if "income" in one.name and one.rule in ("median", "average"):
        flags.append("other_dollars")
    return flags
