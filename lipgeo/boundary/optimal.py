"""Choose the units of all areas together, by integer programming: ``rule="optimal"``.

Options are checked (:func:`limits_of`), candidates gathered into a program (:func:`pool_of`), the
program solved (:func:`best_units`), and what must be said of the choice is said
(:func:`remark_choice`). The program itself is :mod:`lipgeo.boundary.program`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.arrays import Floats, Ints
from lipgeo.boundary.candidates import (
    amounts_of,
    conflicts,
    links_of,
    neighbours,
    pairs_of_all_levels,
    pairs_of_level,
    without_listed,
)
from lipgeo.boundary.checks import Remarks
from lipgeo.boundary.program import Answer, Program, clusters, shortfall, solve
from lipgeo.boundary.rules import AtomShares, FitAreas
from lipgeo.census.census import Census
from lipgeo.census.data import COUNTS
from lipgeo.errors import FitError
from lipgeo.report import Faults, Finding, Severity, finding
from lipgeo.words import say

__all__ = [
    "DEFAULTS",
    "Choice",
    "Limits",
    "Pool",
    "best_units",
    "limits_of",
    "pool_of",
    "remark_choice",
]

_TIE = 1e-9
#: less than this much of a person is none
_PERSON = 1e-3
#: seconds to find out why nothing keeps to the limits
_DIAGNOSIS = 10.0
#: gravest first
_REASONS = ("fallback", "time_limit", "gap")


# ------------------------------------------------------------------- what it is held to

#: options of ``rule="optimal"`` where nothing is asked
DEFAULTS: dict[str, Any] = {
    "contiguous": False,
    "controls": None,
    "control_weight": 1.0,
    "control_sources": None,
    "min_share": 0.1,
    "max_units": None,
    "floor": None,
    "time_limit": None,
    "gap": 0.0,
}


@dataclass(frozen=True)
class Limits:
    """The options of :func:`lipgeo.fit_boundaries` that belong to the optimal rule.

    Attributes
    ----------
    controls
        Known totals: one row an area, by position; columns ``population, dwellings, households``
        or ``area``, or of ``sources``; float64, missing where unknown.
    control_weight
        One weight, or one a column (1 where it is not named).
    sources
        What each unit holds of controls that the census does not count: index unit ids.
    min_share, max_units, floor, contiguous, time_limit, gap
        As there.
    """

    controls: pd.DataFrame = field(default_factory=pd.DataFrame)
    control_weight: float | Mapping[str, float] = 1.0
    sources: pd.DataFrame = field(default_factory=pd.DataFrame)
    min_share: float = 0.1
    max_units: int | None = None
    floor: float | None = None
    contiguous: bool = False
    time_limit: float | None = None
    gap: float = 0.0

    @property
    def weights(self) -> Floats:
        """The weight of each control; (k,)."""
        names = [str(name) for name in self.controls.columns]
        if isinstance(self.control_weight, Mapping):
            return np.array([float(self.control_weight.get(name, 1.0)) for name in names])
        return np.full(len(names), float(self.control_weight))


def limits_of(areas: ServiceAreas, by: str, options: dict[str, Any], level: str) -> Limits:
    """Check the options; ``options`` has the names of :data:`DEFAULTS`."""
    faults = Faults()
    ranges = {
        "control_weight": (0.0, math.inf, False),
        "min_share": (0.0, 1.0, False),
        "floor": (0.0, math.inf, False),
        "time_limit": (0.0, math.inf, True),
        "gap": (0.0, 1.0, False),
    }
    weights = options["control_weight"]
    several = isinstance(weights, Mapping)
    asked = [
        (name, value)
        for name in ranges
        for value in (weights.values() if several and name == "control_weight" else [options[name]])
    ]
    for name, value in asked:
        low, high, above = ranges[name]
        if value is None and DEFAULTS[name] is None:
            continue
        number = _number(value)
        if not (low <= number <= high and number < math.inf and (number > low or not above)):
            rows = [{"option": name, "given": value}]
            faults.add_as_told(f"boundary.bad_{name}", rows, value=value)
    most = options["max_units"]
    whole = not isinstance(most, bool) and _number(most) >= 1 and _number(most) % 1 == 0
    if most is not None and not whole:
        rows = [{"option": "max_units", "given": most}]
        faults.add_as_told("boundary.bad_max_units", rows, value=most)
    sources = _sources(options["control_sources"], level, faults)
    controls = _controls(areas, by, options["controls"], list(sources), faults)
    strange = [str(name) for name in weights if name not in controls] if several else []
    if strange and not faults:
        rows = [{"column": name} for name in strange]
        known = list(controls)
        faults.add_as_told("boundary.control_weights", rows, columns=strange, known=known)
    faults.raise_if_any("boundary.bad_options", error=FitError)
    return Limits(
        controls=controls,
        control_weight=(
            {str(name): float(value) for name, value in weights.items()}
            if several
            else float(weights)
        ),
        sources=sources,
        min_share=float(options["min_share"]),
        max_units=None if most is None else int(most),
        floor=None if options["floor"] is None else float(options["floor"]),
        contiguous=bool(options["contiguous"]),
        time_limit=None if options["time_limit"] is None else float(options["time_limit"]),
        gap=float(options["gap"]),
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return math.nan
    return float(value)


def _sources(given: Any, level: str, faults: Faults) -> pd.DataFrame:
    """Return what units hold of controls that the census does not count."""
    if given is None:
        return pd.DataFrame()
    if not isinstance(given, pd.DataFrame):
        faults.add_as_told("boundary.not_control_sources", (), given=type(given).__name__)
        return pd.DataFrame()
    if level == "mixed":
        faults.add_as_told("boundary.control_sources_mixed", ())
    frame = given.set_axis(given.index.astype("string").str.strip(), axis=0)
    frame.columns = frame.columns.astype(str)
    twice = frame.index[frame.index.duplicated()].unique()
    if len(twice):
        rows = [{"unit_id": name} for name in twice]
        faults.add_as_told("boundary.control_sources_twice", rows, units=list(twice))
    return frame


def _controls(
    areas: ServiceAreas, by: str, given: Any, more: Sequence[str], faults: Faults
) -> pd.DataFrame:
    """Return the totals by position of the area; faults are added to those found before."""
    if given is None:
        return pd.DataFrame(index=pd.RangeIndex(len(areas)))
    if not isinstance(given, pd.Series | pd.DataFrame):
        faults.add_as_told("boundary.not_controls", (), given=type(given).__name__)
        return pd.DataFrame()
    frame = given.to_frame(by) if isinstance(given, pd.Series) else given
    if "area_id" in frame.columns:
        frame = frame.set_index("area_id")
    if frame.shape[1] == 1 and str(frame.columns[0]) not in more:
        frame = frame.set_axis([by], axis=1)
    counted = [*COUNTS, "area"]
    counted += [name for name in more if name not in counted]
    known = [name for name in counted if name in frame.columns]
    other = [str(name) for name in frame.columns if name not in known]
    if other:
        rows = [{"column": name} for name in other]
        faults.add_as_told("boundary.controls_columns", rows, columns=other, known=[*COUNTS, *more])
    ids = frame.index.astype("string").str.strip()
    unknown = ids[~ids.isin(areas.ids)]
    if len(unknown):
        rows = [{"area_id": name} for name in unknown]
        faults.add_as_told(
            "boundary.controls_unknown", rows, areas=list(unknown), given=list(areas.ids)
        )
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        rows = [{"area_id": name} for name in twice]
        faults.add_as_told("boundary.controls_twice", rows, areas=list(twice))
    values = frame[known].apply(pd.to_numeric, errors="coerce").astype("float64")
    unread = (values.isna() & frame[known].notna()) | np.isinf(values) | (values < 0)
    bad = ids[unread.any(axis=1).to_numpy(dtype=bool)]
    if len(bad):
        rows = [{"area_id": name} for name in bad]
        faults.add_as_told("boundary.controls_values", rows, areas=list(bad))
    if faults:
        return pd.DataFrame()
    return values.set_axis(ids, axis=0).reindex(areas.ids).reset_index(drop=True)


def scales(
    controls: pd.DataFrame, held: npt.NDArray[np.float64], by: str
) -> npt.NDArray[np.float64]:
    """Return what one unit of each control weighs in units of ``by``; (k,).

    Misfit is counted in ``by`` (people). A total of dwellings is brought to that size by the sum
    of the known totals, so that one per cent of either weighs the same.
    """
    sums = controls.sum().to_numpy(np.float64)
    scale = np.divide(held, sums, out=np.ones(len(sums)), where=sums > 0)
    return np.where(controls.columns == by, 1.0, scale)


# ------------------------------------------------------------------- what it chooses from


@dataclass(frozen=True)
class Pool:
    """What an optimal fit chooses from; the same for every weight of the controls.

    Attributes
    ----------
    pairs
        Candidates in a fixed order: ``area`` (position), ``level``, ``census_row``, ``share``,
        ``area_share``.
    program
        The program without control weights.
    scale
        What one unit of each control weighs beside the misfit; (k,).
    drawn
        What lies in the areas as drawn, by the basis: the sum the misfit is a share of.
    order
        Positions of the areas by id: the program numbers areas in this order.
    exclusive
        Whether a unit may be in one area only.
    """

    pairs: pd.DataFrame
    program: Program
    scale: Floats
    drawn: float
    order: Ints
    exclusive: bool


def pool_of(
    census: Census,
    level: str,
    shares: pd.DataFrame,
    inside: pd.DataFrame,
    areas: FitAreas,
    *,
    listed: pd.DataFrame,
    by: str,
    accept: float,
    exclusive: bool,
    sliver_share: float,
    limits: Limits,
) -> Pool:
    """Return the candidates, what they cost and what limits them.

    A candidate is a unit at least ``min_share`` of which lies in an area, whole units as much as
    those astride the outline. Where these cannot reach the floor, the units that meet the area
    at all are added, then their neighbours, ring by ring.

    The misfit, by the basis asked for, of an area that takes units ``U``::

        sum of w (1 - s) over U + sum of w s over the units not in U

    with ``w`` what a unit holds and ``s`` its share in the area.

    Parameters
    ----------
    level
        One level or ``"mixed"``.
    shares
        Frame of the crosswalk of the level (of the finest for mixed).
    inside
        ``area, atom, share`` of what lies in the drawn areas.
    """
    pairs, met = _find_pairs(
        census, level, shares, inside, areas,
        listed=listed, by=by, accept=accept, exclusive=exclusive, limits=limits,
    )  # fmt: skip
    # areas stand in the order of their ids: ties must not hang on the order given
    order = np.argsort(areas.rank)
    area = areas.rank[pairs["area"].to_numpy(np.int64)]
    # what a candidate holds, and what of it is in the area: taking it omits less and adds the rest
    share = np.clip(pairs["share"].to_numpy(np.float64), 0.0, 1.0)
    amount = amounts_of(census, pairs, by)
    met_amount = amounts_of(census, met, by) * met["share"].to_numpy(np.float64)
    base = np.bincount(
        areas.rank[met["area"].to_numpy(np.int64)], met_amount, minlength=len(order)
    ).astype(np.float64)
    # which candidates touch, where parts count
    links = np.zeros((0, 2), dtype=np.int64)
    if limits.contiguous and len(pairs):
        links = links_of(census, pairs)
    controls = limits.controls.iloc[order]
    drawn = areas.drawn[order]
    program = Program(
        area=area,
        cost=amount * (1 - 2 * share),
        preference=1 - 2 * share,
        base=base,
        people=amounts_of(census, pairs, "population"),
        amounts=np.column_stack(
            [
                np.zeros((len(pairs), 0)),
                *(amounts_of(census, pairs, str(c), limits.sources) for c in controls),
            ]
        ),
        controls=np.where(drawn[:, None], controls.to_numpy(np.float64), np.nan),
        control_weight=np.zeros(controls.shape[1]),
        conflict=conflicts(census, pairs, exclusive=exclusive),
        links=links,
        parts=_parts(pairs, area, links, areas, sliver_share) if limits.contiguous else None,
        # a list has no candidate and is held to nothing
        floor=limits.floor,
        max_units=limits.max_units,
    )
    program = _drop_lists(program, drawn)
    scale = scales(controls[drawn], np.full(controls.shape[1], base.sum()), by)
    return Pool(pairs, program, scale, float(base.sum()), order[drawn], exclusive)


def _find_pairs(
    census: Census,
    level: str,
    shares: pd.DataFrame,
    inside: pd.DataFrame,
    areas: FitAreas,
    *,
    listed: pd.DataFrame,
    by: str,
    accept: float,
    exclusive: bool,
    limits: Limits,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the candidates in a fixed order, and all units of the level that meet the areas."""
    if level == "mixed":
        met = pairs_of_level(census, census.atom_level, shares, areas)
        every = pairs_of_all_levels(
            census, AtomShares(census, inside, by), accept=accept, min_share=limits.min_share,
            coarse=limits.max_units is not None,
        )  # fmt: skip
    else:
        every = met = pairs_of_level(census, level, shares, areas)
    # units of lists stay theirs
    free = met
    if exclusive:
        every, free = (without_listed(census, frame, listed) for frame in (every, met))
    # as much of a unit as is asked for, or less where the floor needs it
    pairs = every[every["share"] >= max(limits.min_share, _TIE) - _TIE]
    if limits.floor is not None:
        pairs = _widen(
            census, pairs, free, areas=areas, listed=listed if exclusive else None, limits=limits
        )
    # by area id, coarse units first
    place = areas.rank[pairs["area"].to_numpy(np.int64)]
    depth = pairs["level"].map({code: -n for n, code in enumerate(census.levels)})
    pairs = pairs.assign(place=place, depth=depth).sort_values(["place", "depth", "census_row"])
    return pairs.drop(columns=["place", "depth"]).reset_index(drop=True), met


def _widen(
    census: Census,
    pairs: pd.DataFrame,
    met: pd.DataFrame,
    *,
    areas: FitAreas,
    listed: pd.DataFrame | None,
    limits: Limits,
) -> pd.DataFrame:
    """Add units to the areas whose candidates cannot reach the floor."""
    added = [pairs]
    for position in np.flatnonzero(areas.drawn):
        mine, near = (frame[frame["area"].eq(position)] for frame in (pairs, met))
        outline = areas.outlines[position]
        added += _units_for_floor(census, mine, near, outline, listed=listed, limits=limits)
    return pd.concat(added, ignore_index=True)


def _units_for_floor(
    census: Census,
    mine: pd.DataFrame,
    met: pd.DataFrame,
    outline: Any,
    *,
    listed: pd.DataFrame | None,
    limits: Limits,
) -> list[pd.DataFrame]:
    """Return the units one area needs besides its candidates to reach the floor, if any.

    First all it meets, then their neighbours ring by ring. Polygons are read only for the few
    areas that are so small.
    """
    floor = float(limits.floor or 0.0)
    parts = max(int(shapely.get_num_geometries(outline)), 1) if limits.contiguous else None

    def is_enough(frame: pd.DataFrame) -> bool:
        return _people_in_reach(census, frame, floor, parts, limits.max_units) >= floor

    if is_enough(mine):
        return []
    known = pd.concat([mine, met]).drop_duplicates(["level", "census_row"])
    added = [known.iloc[len(mine) :]]
    if is_enough(known) or not len(met):
        return added
    first = met.iloc[0]

    def as_pairs(rows: Ints) -> pd.DataFrame:
        nothing = {"share": 0.0, "area_share": 0.0}
        return pd.DataFrame(
            {"area": int(first["area"]), "level": first["level"], "census_row": rows, **nothing}
        )

    def keep_free(rows: Ints) -> Ints:
        frame = as_pairs(rows)
        frame = frame if listed is None else without_listed(census, frame, listed)
        return np.asarray(frame["census_row"], dtype=np.int64)

    around = neighbours(
        census,
        str(first["level"]),
        met["census_row"].to_numpy(np.int64),
        enough=lambda rows: is_enough(as_pairs(rows)),
        free=keep_free,
    )
    return [*added, as_pairs(around)]


def _people_in_reach(
    census: Census, frame: pd.DataFrame, floor: float, parts: int | None, most: int | None
) -> float:
    """Return the most people some units can have, in so many parts and with so many units."""
    # the largest units, so many of them; parts need not be looked at where one does alone
    people = amounts_of(census, frame, "population")
    reach = float(np.sort(people)[::-1][:most].sum())
    if parts is None or reach < floor or people.max(initial=0.0) >= floor:
        return reach
    # the largest groups of units that touch, so many of them
    links = links_of(census, frame.reset_index(drop=True))
    count, label = clusters(len(frame), links, np.arange(len(frame)))
    together = np.bincount(label, people, minlength=count)
    return float(np.sort(together)[::-1][:parts].sum())


def _drop_lists(program: Program, drawn: npt.NDArray[np.bool_]) -> Program:
    """Leave out the unit lists, which have no candidates and are held to nothing."""
    place = np.cumsum(drawn) - 1
    return replace(
        program,
        area=place[program.area],
        base=program.base[drawn],
        controls=program.controls[drawn],
        parts=None if program.parts is None else program.parts[drawn],
    )


def _parts(
    pairs: pd.DataFrame, area: Ints, links: Ints, areas: FitAreas, sliver_share: float
) -> Ints:
    """Return the parts each area may have, by rank: those drawn, or those that cannot be joined.

    A part is unavoidable where no candidate joins a unit wholly inside the area to the rest.
    """
    ranked = areas.outlines[np.argsort(areas.rank)]
    drawn = np.maximum(shapely.get_num_geometries(ranked), 1)
    label = clusters(len(pairs), links, np.arange(len(pairs)))[1]
    whole = pairs["area_share"].to_numpy(np.float64) >= 1 - max(sliver_share, _TIE)
    firm = np.unique(np.column_stack([label[whole], area[whole]]), axis=0)
    return np.asarray(np.maximum(drawn, np.bincount(firm[:, 1], minlength=len(ranked))), np.int64)


# ------------------------------------------------------------------- what it chooses


@dataclass(frozen=True)
class Choice:
    """What was chosen and what is to be said of it.

    Attributes
    ----------
    units
        Columns as in :mod:`lipgeo.boundary.rules`.
    meta
        Plain values: ``proven, gap, reason, objective, bound, misfit, deviation`` and the limits.
    flags
        By position of the area.
    findings
        For the report.
    """

    units: pd.DataFrame
    meta: dict[str, Any]
    flags: dict[str, npt.NDArray[np.bool_]]
    findings: list[Finding]


def best_units(pool: Pool, areas: FitAreas, limits: Limits) -> Choice:
    """Choose: least misfit plus ``control_weight`` times the deviation from the totals known.

    Raises
    ------
    FitError
        No choice keeps to the limits: which areas lack how many people, and what would relax it.
    """
    program = replace(pool.program, control_weight=limits.weights * pool.scale)
    answer = None
    if limits.floor is None or (_people_in_reach_of_areas(program) >= limits.floor).all():
        answer = solve(program, time_limit=limits.time_limit, gap=limits.gap)
    if answer is None:
        raise _impossible(pool, areas, limits)
    units = pool.pairs[answer.taken].reset_index(drop=True)
    flags, findings = _remark_choice(pool, areas, limits, answer, units)
    return Choice(units, _meta(pool, program, limits, answer), flags, findings)


def _meta(pool: Pool, program: Program, limits: Limits, answer: Answer) -> dict[str, Any]:
    """Return what the choice is worth and what it was held to: plain values."""
    misfit = float(program.base.sum() + program.cost[answer.taken].sum())
    held = np.zeros(program.controls.shape)
    np.add.at(held, program.area[answer.taken], program.amounts[answer.taken])
    off = np.nansum(np.abs(held - program.controls), axis=0)
    total = np.nansum(program.controls, axis=0)
    value, bound = float(answer.value.sum()), float(answer.bound.sum())
    proven = bool(answer.proven.all())
    return {
        "proven": proven,
        "gap": 0.0 if proven or value <= 0 else max(0.0, (value - bound) / value),
        "reason": next((why for why in _REASONS if why in answer.reason), ""),
        "objective": value,
        "bound": bound,
        "misfit": misfit,
        "deviation": {
            str(name): {"sum": float(a), "of": float(b)}
            for name, a, b in zip(limits.controls.columns, off, total, strict=True)
        },
        "candidates": len(pool.pairs),
        "groups": len(answer.value),
        "control_weight": limits.control_weight,
        "min_share": limits.min_share,
        "max_units": limits.max_units,
        "floor": limits.floor,
        "contiguous": limits.contiguous,
        "time_limit": limits.time_limit,
        "gap_asked": limits.gap,
    }


def _remark_choice(
    pool: Pool, areas: FitAreas, limits: Limits, answer: Answer, units: pd.DataFrame
) -> tuple[dict[str, npt.NDArray[np.bool_]], list[Finding]]:
    """Return flags and findings: what is not proven, units below the share, totals not held to."""
    flags = {
        name: np.zeros(len(areas.ids), dtype=bool) for name in ("not_proven", "below_min_share")
    }
    findings = []
    open_areas = pool.order[~answer.proven[answer.group]]
    flags["not_proven"][open_areas] = True
    for why in _REASONS:
        groups = [n for n, reason in enumerate(answer.reason) if reason == why]
        if not groups:
            continue
        here = np.sort(pool.order[np.isin(answer.group, groups)])
        value = float(answer.value[groups].sum())
        gap = (value - float(answer.bound[groups].sum())) / value if value > 0 else 0.0
        severity: Severity = "note" if why == "gap" else "warning"
        findings.append(
            finding(
                f"boundary.not_proven_{why}", severity, "", value=gap, limit=limits.gap,
                areas=list(areas.ids[here]), count=len(here), gap=gap, seconds=limits.time_limit,
            )
        )  # fmt: skip
    low = units["share"].to_numpy(np.float64) < limits.min_share - _TIE
    for position, group in units[low].groupby("area"):
        area = areas.ids[int(position)]
        flags["below_min_share"][int(position)] = True
        findings.append(
            finding(
                "boundary.below_min_share", "warning", area, value=len(group),
                limit=limits.min_share, area=area, units=len(group), share=limits.min_share,
                floor=limits.floor,
            )
        )  # fmt: skip
    held = limits.controls.notna().to_numpy()
    if limits.controls.shape[1]:
        without = np.flatnonzero(areas.drawn & ~held.all(axis=1))
        if len(without):
            names = list(areas.ids[without])
            findings.append(
                finding("boundary.no_control", "note", "", areas=names, count=len(names))
            )
        listed = np.flatnonzero(~areas.drawn & held.any(axis=1))
        if len(listed):
            names = list(areas.ids[listed])
            findings.append(
                finding("boundary.control_of_list", "note", "", areas=names, count=len(names))
            )
    return flags, findings


def remark_choice(
    frame: pd.DataFrame, areas: FitAreas, choice: Choice | None, limits: Limits
) -> Remarks:
    """Return flags and findings of a choice and of the parts its unions fell into.

    Parameters
    ----------
    frame
        The areas, measured: ``part_count``; by position.
    """
    names = ("not_proven", "below_min_share", "parts_unavoidable")
    flags = {name: np.zeros(len(frame), dtype=bool) for name in names}
    if choice is None:
        return Remarks([], flags)
    flags.update(choice.flags)
    findings = list(choice.findings)
    if limits.contiguous:
        drawn = np.zeros(len(frame), dtype=np.int64)
        drawn[areas.drawn] = shapely.get_num_geometries(areas.outlines[areas.drawn])
        made = frame["part_count"].to_numpy(np.int64)
        flags["parts_unavoidable"] = areas.drawn & (made > drawn)
        findings += [
            finding(
                "boundary.parts_unavoidable", "note", areas.ids[at], value=int(made[at]),
                limit=int(drawn[at]), area=areas.ids[at], parts=int(made[at]), drawn=int(drawn[at]),
            )
            for at in np.flatnonzero(flags["parts_unavoidable"])
        ]  # fmt: skip
    return Remarks(findings, flags)


# ------------------------------------------------------------------- where nothing will do


def _impossible(pool: Pool, areas: FitAreas, limits: Limits) -> FitError:
    """Return the error that says which areas lack people for the floor, and what would help."""
    floor = float(limits.floor or 0.0)
    lacking = _people_lacking(pool.program, limits)
    short = np.flatnonzero(lacking > _PERSON)
    if not len(short):
        return FitError("boundary.no_time", seconds=limits.time_limit, floor=floor)
    ids = areas.ids[pool.order[short]]
    problems = [
        {"area_id": name, "floor": floor, "reachable": floor - lack, "lacking": lack}
        for name, lack in zip(ids, lacking[short], strict=True)
    ]
    least = min(problem["reachable"] for problem in problems)
    ways = [say("boundary.relax_floor", least=least)]
    easier: dict[str, Program] = {}
    if limits.max_units is not None:
        easier["max_units"] = replace(pool.program, max_units=None)
    if limits.contiguous:
        easier["contiguous"] = replace(pool.program, parts=None)
    if pool.exclusive:
        none = pool.program.conflict[:0]
        easier["exclusive"] = replace(pool.program, conflict=none)
    ways += [
        say(f"boundary.relax_{name}")
        for name, program in easier.items()
        if not (_people_lacking(program, limits) > _PERSON).any()
    ]
    return FitError(
        "boundary.impossible", problems,
        areas=[f"{p['area_id']} ({p['reachable']:.0f})" for p in problems],
        count=len(problems), floor=floor, ways=" ".join(ways),
    )  # fmt: skip


def _people_lacking(program: Program, limits: Limits) -> Floats:
    """Return how many people each area lacks: for itself alone, else beside the others."""
    alone = np.maximum(float(limits.floor or 0.0) - _people_in_reach_of_areas(program), 0.0)
    if alone.any():
        return alone
    seconds = _DIAGNOSIS if limits.time_limit is None else min(limits.time_limit, _DIAGNOSIS)
    return shortfall(program, time_limit=seconds)


def _people_in_reach_of_areas(program: Program) -> Floats:
    """Return the most people each area can have when it has all candidates to itself; (areas,)."""
    # the largest candidates of each area, so many of them
    areas = len(program.base)
    order = np.lexsort((-program.people, program.area))
    area = program.area[order]
    place = np.arange(len(order)) - np.searchsorted(area, area)
    most = len(order) if program.max_units is None else program.max_units
    first = order[place < most]
    reach = np.bincount(program.area[first], program.people[first], minlength=areas)
    # the largest groups of candidates that touch, so many of them
    if program.parts is not None:
        count, label = clusters(len(order), program.links, np.arange(len(order)))
        people = np.bincount(label, program.people, minlength=count)
        owner = np.zeros(count, dtype=np.int64)
        owner[label] = program.area
        largest = np.lexsort((-people, owner))
        place = np.arange(count) - np.searchsorted(owner[largest], owner[largest])
        kept = largest[place < program.parts[owner[largest]]]
        reach = np.minimum(reach, np.bincount(owner[kept], people[kept], minlength=areas))
    return np.asarray(reach, dtype=np.float64)
