"""``compare``: areas followed through censuses, and whether a change is more than noise."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.areas.faults import finding
from lipgeo.census import Census
from lipgeo.continuity import moved_by_links, moved_by_points, own_rows
from lipgeo.correspondence import Correspondence
from lipgeo.crosswalk import Crosswalk
from lipgeo.errors import CrosswalkError, InputError, LipgeoError, MissingLevelError, TableError
from lipgeo.report import CheckReport, Finding
from lipgeo.tables import CensusTable, Estimates, Variable, variable, weight_areas, weight_table
from lipgeo.tables.columns import parts_needed
from lipgeo.vintages import points_crosswalk, vintage_crosswalk
from lipgeo.words import say

__all__ = ["Comparison", "compare"]

#: share of a listed unit's people that may have changed sides before it is another place
MOVED = 0.01
_COLUMNS = (
    *("area_id", "variable", "year", "baseline", "current_year", "current", "change"),
    *("change_pct", "margin", "exceeds", "status", "reason", "how", "flags"),
)
_NUMBERS = ("baseline", "current", "change", "change_pct", "margin")

Tables = CensusTable | Sequence[CensusTable]


@dataclass(frozen=True)
class _Leg:
    """What is known of one census."""

    year: int
    census: Census | None
    tables: dict[str, CensusTable]

    @property
    def base(self) -> CensusTable:
        """The table of the finest level."""
        return next(iter(self.tables.values()))

    def holds(self, one: Variable) -> bool:
        """Whether every table has what a variable is made from."""
        needed = set(parts_needed(one))
        return bool(self.tables) and all(
            needed <= set(table.frame.columns) for table in self.tables.values()
        )


@dataclass
class _Baseline:
    """What came of one earlier census."""

    estimates: list[Estimates] = field(default_factory=list)
    #: area -> how it was followed, or why it was not
    how: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    flags: dict[str, list[str]] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


class Comparison:
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

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._summary())}</p>{self._frame.head(20).to_html(index=False)}"

    def _summary(self) -> str:
        frame = self._frame
        return say(
            "comparison.summary",
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
    """
    known = _legs(legs)
    newest = known[-1]
    chosen = _chosen(known, variables)
    here = [one for one in chosen if newest.holds(_as_of(one, newest))]
    current = weight_areas(
        newest.census,  # type: ignore[arg-type]
        areas,
        list(newest.tables.values()),
        variables=[_as_of(one, newest) for one in here],
    )
    links = (
        [correspondences] if isinstance(correspondences, Correspondence) else list(correspondences)
    )
    frames, estimates = [], {newest.year: [current]}
    followed: list[dict[str, object]] = []
    findings = list(current.report)
    for leg in known[:-1]:
        there = [one for one in here if leg.tables and leg.holds(_as_of(one, leg))]
        done = _followed(areas, leg, newest, there, links, moved) if there else _absent(areas, leg)
        estimates[leg.year] = done.estimates
        findings += done.findings
        followed += done.rows
        frames.append(_rows(areas, chosen, there, leg, newest, current, done))
    frame = pd.concat(frames, ignore_index=True)
    return Comparison(frame, pd.DataFrame(followed), estimates, CheckReport(findings))


# ---------------------------------------------------------------- what is given


def _legs(given: Mapping[int, tuple[Census | None, Tables | None]]) -> list[_Leg]:
    if len(given) < 2:
        raise InputError("comparison.two_years", years=[str(year) for year in given])
    legs, wrong = [], []
    for year in sorted(given):
        census, tables = given[year]
        several = [tables] if isinstance(tables, CensusTable) else list(tables or ())
        if not several and year == max(given):
            raise InputError("comparison.no_table", year=str(year))
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
        legs.append(_Leg(int(year), census, {str(table.level): table for table in several}))
    if wrong:
        shown = [f"{one['year']}: {one['table']} {one['level']}" for one in wrong]
        raise TableError("comparison.other_year", wrong, tables=shown)
    if legs[-1].census is None:
        raise InputError("comparison.newest_closed", year=str(legs[-1].year))
    return legs


def _chosen(legs: Sequence[_Leg], variables: Sequence[str] | None) -> list[str]:
    newest = legs[-1]
    if variables is None:
        return [name for name, one in newest.base.variables.items() if one.rule != "index"]
    lost = [name for name in variables if not any(leg.holds(_as_of(name, leg)) for leg in legs)]
    if lost:
        raise TableError(
            "comparison.no_variable", [{"variable": name} for name in lost], variables=lost
        )
    return list(dict.fromkeys(variables))


def _as_of(name: str, leg: _Leg) -> Variable:
    own = leg.base.variables.get(name) if leg.tables else None
    return own if own is not None else variable(name, leg.year)


# ---------------------------------------------------------------- following areas back


def _followed(  # noqa: PLR0917
    areas: ServiceAreas,
    leg: _Leg,
    newest: _Leg,
    names: Sequence[str],
    links: Sequence[Correspondence],
    moved: float,
) -> _Baseline:
    """Bring an earlier census's tables to the areas, each area the surest way there is."""
    done = _Baseline()
    chosen = [_as_of(name, leg) for name in names]
    chain, broken = _chain(links, newest.year, leg.year)
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
                unplaced = next(iter(shares_by.values())).meta.get("unplaced", {})
                done.rows += [
                    _row(area, leg.year, how, unplaced=unplaced.get(area, np.nan)) for area in rest
                ]
    done.rows += [_row(a, leg.year, "not comparable") for a in done.why]
    for one in done.estimates:
        done.findings += list(one.report)
    done.findings += _unfollowed(done, leg.year)
    return done


def _absent(areas: ServiceAreas, leg: _Leg) -> _Baseline:
    """Return what can be said of a census without a table, or without a variable asked for."""
    said = "comparison.not_in_tables" if leg.tables else "comparison.no_table"
    done = _Baseline(why=dict.fromkeys(areas.ids, say(said, year=str(leg.year))))
    done.rows = [_row(area, leg.year, "not comparable") for area in areas.ids]
    done.findings = _unfollowed(done, leg.year)
    return done


def _unfollowed(done: _Baseline, year: int) -> list[Finding]:
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


def _row(
    area: str, year: int, how: str, *, moved: float = np.nan, unplaced: float = np.nan
) -> dict[str, object]:
    return {"area_id": area, "year": year, "how": how, "moved": moved, "unplaced": unplaced}


def _own(  # noqa: PLR0917
    areas: ServiceAreas,
    leg: _Leg,
    newest: _Leg,
    chain: Correspondence | None,
    moved: float,
    done: _Baseline,
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
            _row(
                str(area),
                leg.year,
                "own rows",
                moved=np.nan if share is None else share,
                unplaced=0.0,
            )
        )
    return kept


def _moved(
    units: pd.DataFrame, leg: _Leg, newest: _Leg, chain: Correspondence | None
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


def _parents(leg: _Leg, below: str, level: str) -> pd.Series | None:
    """Return which unit of a level each lower unit of an older census lies in, where known."""
    if leg.census is None or below not in leg.census.levels:
        return None
    units = leg.census.units(below)
    return units.get(level)


def _shares(  # noqa: PLR0917
    areas: ServiceAreas,
    leg: _Leg,
    newest: _Leg,
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


def _held(leg: _Leg, level: str, weight: str) -> pd.Series | None:
    """Return what older units held then: from their table, else from their census."""
    if weight in leg.base.frame:
        return leg.base.frame[weight]
    if leg.census is not None and level in leg.census.levels and weight != "area":
        return leg.census.counts(level)[weight]
    return None


def _chain(
    links: Sequence[Correspondence], newest: int, year: int
) -> tuple[Correspondence | None, str]:
    """Return the correspondence from the newest census to a year, or why there is none."""
    found: Correspondence | None = None
    at = newest
    while at > year:
        steps = [one for one in links if one.vintage == at and one.old_vintage >= year]
        if not steps:
            return None, say("comparison.no_link", newest=str(at), year=str(year))
        same = [one for one in steps if found is not None and one.block_level == found.old_level]
        step = min(same or steps, key=lambda one: (one.old_vintage, one.level != "DA"))
        try:
            found = step if found is None else found.chain(step)
        except LipgeoError as error:
            return None, str(error)
        at = found.old_vintage
    return found, ""


# ---------------------------------------------------------------- the comparison


def _rows(  # noqa: PLR0917
    areas: ServiceAreas,
    chosen: Sequence[str],
    there: Sequence[str],
    leg: _Leg,
    newest: _Leg,
    current: Estimates,
    done: _Baseline,
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
    exceeds = (change.abs() > margin).astype("boolean").mask(margin.isna() | change.isna())
    base = then["value"].where(then["value"] != 0)
    frame = pd.DataFrame(
        {
            "year": leg.year,
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
    absent = ~frame["variable"].isin(list(there))
    reason = reason.mask(
        absent & reason.isna(), say("comparison.not_in_tables", year=str(leg.year))
    )
    for side, year in ((now, newest.year), (then, leg.year)):
        flags = side["flag"].fillna("").to_numpy(dtype=object)
        unknown = side["value"].isna().to_numpy() & reason.isna().to_numpy()
        reason = reason.mask(
            unknown, [say("comparison.no_value", year=str(year), flags=one or "-") for one in flags]
        )
    frame["reason"] = reason.fillna("").astype("string")
    lost = frame["reason"].ne("")
    frame["status"] = np.where(lost, "not comparable", "comparable")
    frame["how"] = frame["area_id"].map(done.how).astype("string").fillna("")
    noted = then["flag"].fillna("").str.contains("zero_may_be_suppression").to_numpy(dtype=bool)
    frame["flags"] = [
        ";".join([*_universe(_as_of(name, newest), leg, zero=zero), *done.flags.get(area, [])])
        for area, name, zero in zip(frame["area_id"], frame["variable"], noted, strict=True)
    ]
    return frame[list(_COLUMNS)]


def _universe(one: Variable, leg: _Leg, *, zero: bool) -> list[str]:
    """Return what is not the same between two censuses, by the names of the flags."""
    flags = []
    if leg.year == 2011 and one.sampled:
        flags.append("nhs_voluntary")
    if zero or (leg.year == 2006 and one.sampled and one.rule == "count"):
        flags.append("zero_may_be_suppression")
    if leg.year == 2006 and one.universe == "private_households":
        flags.append("universe_2006")
    if "income" in one.name and one.rule in ("median", "average"):
        flags.append("other_dollars")
    return flags
