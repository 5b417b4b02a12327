"""``weight_table``: a census table brought to areas by a crosswalk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import __version__
from lipgeo.areas.faults import finding
from lipgeo.crosswalk import Crosswalk
from lipgeo.errors import TableError
from lipgeo.report import CheckReport, Finding
from lipgeo.tables.calibration import residuals
from lipgeo.tables.columns import parts_needed
from lipgeo.tables.estimates import Estimates, Leg, result_frame
from lipgeo.tables.explaining import chunks
from lipgeo.tables.family import Family
from lipgeo.tables.gathered import Gathered
from lipgeo.tables.medians import Classes, Range
from lipgeo.tables.outcome import OUTSIDE, Outcome, outcome_of
from lipgeo.tables.pairs import SLIVER, Pairs
from lipgeo.tables.spread import Spread, learn
from lipgeo.tables.sums import Sums, sums_of
from lipgeo.tables.table import CensusTable
from lipgeo.tables.variables import Variable, variable

__all__ = ["weight_table"]

Floats = npt.NDArray[np.float64]

#: the census whose long form was the National Household Survey, voluntary
_VOLUNTARY = 2011
#: share of an area's people that must be observed for a number to be given
MIN_OBSERVED = 0.5

Crosswalks = Crosswalk | Mapping[str, Crosswalk]


def weight_table(
    table: CensusTable | Sequence[CensusTable],
    xw: Crosswalks | Sequence[Crosswalks],
    *,
    variables: Sequence[str | Variable] | None = None,
    min_observed: float = MIN_OBSERVED,
    sliver_share: float = SLIVER,
    official: pd.DataFrame | None = None,
) -> Estimates:
    """Bring a census table to areas: each number with bounds and a likely range.

    Parameters
    ----------
    table
        The table; or several that share no ground (published rows of whole units, and the units
        of the rest), each with its crosswalk.
    xw
        Shares of the table's units in the areas: a fit's ``crosswalk`` (areas as drawn) or its
        ``membership`` (the union of units). Or several by what they share out (``population``,
        ``dwellings`` ...): each variable goes by its own basis, else by the first.
    variables
        What to weight: names in the table or in the dictionary (``immigrants_pct`` is made from
        ``immigrants`` and its denominator), or variables. All that have a rule where not given.
    min_observed
        Share of what an area holds (by the crosswalk's weight) that must be observed; with less,
        the value is missing and the flag ``too_little_observed`` says so.
    sliver_share
        Share of a unit's polygon below which an overlap is an accident of drawing.
    official
        Totals known otherwise: index area ids, columns variables. They change no number;
        :meth:`Estimates.explain` sets them beside.

    Returns
    -------
    Estimates

    Raises
    ------
    TableError
        Table and crosswalk are of different levels or censuses, or share no unit; a variable asked
        for has no rule, is an index, or lacks its denominator; nothing can be weighted.

    Notes
    -----
    *Counts* add: the sum of share times value. Where units were not observed, what the others hold
    is scaled to what the area holds; ``observed_share`` says how much of it was seen.
    *Rates, percentages and averages* are weighted by their own denominators, masked where numerator
    or denominator is missing. *Medians* are interpolated from grouped counts, else only the range
    of the units' own medians is given. An *index* is refused.

    *Certain bounds* are of the published values and hold however straddling units split. Counts:
    the units wholly inside; all units touched. N of D: ``N_in / (D_in + D_str - N_str)`` and
    ``(N_in + N_str) / (D_in + N_str)``. Averages have none. Units not observed widen them by what
    they can hold at most.

    The *likely range* (90 %) adds up what straddling units may split otherwise, learned from
    parents of units (see :mod:`lipgeo.tables.spread`), what was put in for units not observed,
    rounding, and sampling. *Rounding* of base 5 moves a count by 4 at most, with a standard
    deviation of 2. *Sampling*: the standard error of a long-form count is about the square root of
    3 times the count.

    Totals are conserved: targets and remainder hold what the sources hold, to 1e-9, proved on
    every call.

    Examples
    --------
    >>> import pandas as pd, shapely
    >>> from lipgeo import CensusTable, Zones, build_crosswalk, weight_table
    >>> fields = Zones(["a", "b"], shapely.box([0, 2], 0, [2, 4], 2), "EPSG:26917")
    >>> town = Zones(["t"], [shapely.box(1, 0, 4, 2)], "EPSG:26917")
    >>> table = CensusTable(pd.DataFrame({"people": [100, 40]}, index=["a", "b"]),
    ...                     {"people": "count"}, level=None, vintage=None)
    >>> est = weight_table(table, build_crosswalk(fields, town))
    >>> est.frame[["area_id", "value", "lower", "upper"]].to_numpy().tolist()
    [['t', 90.0, 40.0, 140.0]]
    """
    legs = _legs(table, xw, sliver_share)
    chosen, notes = _chosen(legs[0].table, variables)
    for leg in legs:
        notes += leg.notes
    areas = legs[0].areas
    for leg in legs[1:]:
        areas = areas.union(leg.areas, sort=False)
    calculated = [_weighted(part, legs, areas, min_observed) for part in _chunks(chosen, legs)]
    order = {one.name: at for at, one in enumerate(chosen)}
    frame = result_frame([done.block for done in calculated], areas, order, _listed(legs))
    model = pd.concat([done.model for done in calculated])
    return Estimates(
        frame=frame,
        legs=legs,
        variables=chosen,
        error_model=model.loc[[one.name for one in chosen]],
        official=_official(official, areas),
        report=CheckReport([*notes, *_said(frame, areas)]),
        meta={
            "min_observed": float(min_observed),
            "sliver_share": float(sliver_share),
            "likely": 0.9,
            "conserved": True,
            "lipgeo": __version__,
        },
    )


# ---------------------------------------------------------------- what is weighted by what


def _legs(
    table: CensusTable | Sequence[CensusTable],
    xw: Crosswalks | Sequence[Crosswalks],
    sliver: float,
) -> list[Leg]:
    tables = [table] if isinstance(table, CensusTable) else list(table)
    given = [xw] if isinstance(xw, Crosswalk | Mapping) else list(xw)
    wrong = [type(one).__name__ for one in tables if not isinstance(one, CensusTable)]
    if wrong or len(tables) != len(given) or not tables:
        raise TableError("tables.not_pairs", tables=len(tables), crosswalks=len(given), wrong=wrong)
    legs = []
    for one, shares in zip(tables, given, strict=True):
        several = list(shares.values()) if isinstance(shares, Mapping) else [shares]
        if not several or not all(isinstance(each, Crosswalk) for each in several):
            raise TableError("tables.not_crosswalk", given=type(shares).__name__)
        pairs = {each.weight: Pairs.of(each, sliver) for each in several}
        families = {name: Family.of(each, one.parents) for name, each in pairs.items()}
        legs.append(Leg(one, pairs, families, _matched(one, next(iter(pairs.values())))))
    return legs


def _matched(table: CensusTable, pairs: Pairs) -> list[Finding]:
    """Refuse a table that is not of the crosswalk's units; note the units that differ."""
    xw = pairs.crosswalk
    if table.level is not None and xw.source_level not in (None, table.level):
        raise TableError("tables.other_level_xw", table=table.level, xw=xw.source_level)
    if table.vintage is not None and xw.vintage not in (None, table.vintage):
        raise TableError("tables.other_vintage", table=str(table.vintage), xw=str(xw.vintage))
    known = table.unit_ids.isin(pairs.sources)
    if not known.any():
        raise TableError(
            "tables.no_unit_shared",
            table=table.unit_ids[:5],
            xw=pairs.sources[:5],
        )
    notes = []
    strangers = table.unit_ids[~known]
    if len(strangers):
        notes.append(
            finding(
                "tables.unknown_units",
                "warning" if len(strangers) > len(table) / 2 else "note",
                "",
                value=float(len(strangers)),
                limit=float(len(table)),
                units=strangers,
                count=len(strangers),
                total=len(table),
            )
        )
    absent = pairs.sources[pairs.touched & ~pairs.sources.isin(table.unit_ids)]
    if len(absent):
        notes.append(
            finding(
                "tables.absent_units",
                "warning",
                "",
                value=float(len(absent)),
                units=absent,
                count=len(absent),
            )
        )
    return notes


def _chosen(
    table: CensusTable, asked: Sequence[str | Variable] | None
) -> tuple[list[Variable], list[Finding]]:
    """Return the variables to weight; refuse those asked for that cannot be, note the others."""
    names = list(table.columns) if asked is None else list(asked)
    held = set(table.columns)
    chosen: dict[str, Variable] = {}
    lacking: dict[str, list[str]] = {"no_rule": [], "no_part": []}
    for name in names:
        one = name if isinstance(name, Variable) else table.variables.get(name)
        if one is None and asked is not None and name not in held:
            one = variable(str(name), table.vintage)
        if one is None:
            lacking["no_rule"].append(str(name))
        elif asked is None and not held.issuperset(parts_needed(_grouped_if_held(one, held))):
            lacking["no_part"].append(one.name)
        elif asked is not None and one.rule == "index":
            raise TableError("tables.index_asked", [{"variable": one.name}], variables=[one.name])
        else:
            chosen[one.name] = _grouped_if_held(one, held)
    if asked is not None and lacking["no_rule"]:
        rows = [{"variable": name} for name in lacking["no_rule"]]
        raise TableError("tables.no_rule_asked", rows, variables=lacking["no_rule"])
    if not any(one.rule != "index" for one in chosen.values()):
        raise TableError(
            "tables.nothing_to_weight",
            [{"variable": name} for name in names],
            variables=names,
        )
    notes = [
        finding(f"tables.{kind}", "warning", "", value=float(len(which)), variables=which)
        for kind, which in lacking.items()
        if which
    ]
    apart = [
        name
        for name, one in chosen.items()
        if one.rule in ("rate", "percent")
        and one.part
        and one.numerator is None
        and np.nanmax(table.values(name), initial=0.0) > one.per
    ]
    if apart:
        chosen |= {name: replace(chosen[name], part=False) for name in apart}
        notes.append(finding("tables.above_whole", "note", "", variables=apart))
    voluntary = [name for name, one in chosen.items() if one.sampled]
    if table.vintage == _VOLUNTARY and voluntary:
        notes.append(finding("tables.voluntary", "warning", "", variables=voluntary))
    refused = [one.name for one in chosen.values() if one.rule == "index"]
    if refused:
        notes.append(finding("tables.index_refused", "warning", "", variables=refused))
    return list(chosen.values()), notes


def _grouped_if_held(one: Variable, held: set[str]) -> Variable:
    """Return a median without its classes where the table does not hold them all."""
    if one.groups and not held.issuperset(group.variable for group in one.groups):
        return replace(one, groups=())
    return one


def _basis_of(one: Variable, leg: Leg) -> str:
    """Return which of a leg's crosswalks a variable goes by: its own basis, else the first."""
    return one.basis if one.basis in leg.pairs else next(iter(leg.pairs))


def _chunks(chosen: Sequence[Variable], legs: Sequence[Leg]) -> Iterator[Sequence[Variable]]:
    """Part the variables by the crosswalks they go by, a bounded number at a time."""
    kinds: dict[tuple[str, ...], list[Variable]] = {}
    for one in chosen:
        kinds.setdefault(tuple(_basis_of(one, leg) for leg in legs), []).append(one)
    for many in kinds.values():
        yield from chunks(many)


# ---------------------------------------------------------------- one chunk


@dataclass(frozen=True)
class _Done:
    """What weighting one chunk gave: a block of results, and the error model used."""

    block: tuple[Sequence[Variable], Outcome]
    model: pd.DataFrame


def _weighted(
    chunk: Sequence[Variable], legs: Sequence[Leg], areas: pd.Index, min_observed: float
) -> _Done:
    """Weight one chunk of variables over all legs."""
    sums: Sums | None = None
    classes: dict[int, Classes] = {}
    ranges: dict[int, Range] = {}
    parts: list[tuple[Gathered, Spread]] = []
    outside = np.zeros(len(areas), dtype=bool)
    other = np.zeros((len(areas), len(chunk)), dtype=bool)
    for leg in legs:
        pairs = leg.pairs[_basis_of(chunk[0], leg)]
        family = leg.families[pairs.crosswalk.weight]
        gathered = leg.table.gather(chunk, pairs, family)
        spread = learn(gathered, pairs, family)
        parts.append((gathered, spread))
        rows = np.asarray(areas.get_indexer(pairs.targets), np.int64)
        found = sums_of(gathered, spread).at(rows, len(areas))
        sums = found if sums is None else sums + found
        for at, grouped in gathered.classes.items():
            merged = grouped.at(rows, len(areas))
            classes[at] = classes[at] + merged if at in classes else merged
        for at, own in gathered.ranges.items():
            spanned = own.at(rows, len(areas))
            ranges[at] = ranges[at] + spanned if at in ranges else spanned
        coverage = pairs.crosswalk.quality["coverage"].to_numpy()
        if len(legs) == 1:
            outside[rows] = coverage < 1 - OUTSIDE
        differs = np.array([one.basis != pairs.crosswalk.weight for one in chunk])
        other[rows] |= differs & (found.straddling[rows] > 0)
    assert sums is not None
    width = np.max([spread.width for _, spread in parts], axis=0)
    outcome = outcome_of(
        sums,
        chunk,
        width=width,
        rate_sd=np.max([one.overall.rate_sd for one, _ in parts], axis=0),
        rate_range=np.max([one.overall.rate_range for one, _ in parts], axis=0),
        sampled=parts[0][0].sampling > 0,
        min_observed=min_observed,
    )
    outcome.flags["partly_outside"] = np.broadcast_to(outside[:, None], other.shape)
    outcome.flags["other_basis"] = other
    for at, grouped in classes.items():
        _interpolate(outcome, at, chunk[at], grouped)
    for at, spanned in ranges.items():
        _span(outcome, at, spanned, sums)
    for at, one in enumerate(chunk):
        if one.rule == "index":
            _refuse(outcome, at)
    _hold_controls(outcome, chunk, legs, areas)
    return _Done((chunk, outcome), _model(chunk, parts, width))


def _interpolate(outcome: Outcome, at: int, one: Variable, classes: Classes) -> None:
    """Turn how far the share below the middle can move into how far the median can."""
    given = ~np.isnan(outcome.value[:, at])
    down = outcome.value[:, at] - outcome.likely_lower[:, at]
    up = outcome.likely_upper[:, at] - outcome.value[:, at]
    half = {
        "rounding_max": outcome.rounding_max[:, at].copy(),
        "rounding_sd": outcome.rounding_sd[:, at].copy(),
        "sampling_se": outcome.sampling_se[:, at].copy(),
    }
    median = classes.median(one)
    low, high = classes.bounds(one)

    def blank(values: Floats) -> Floats:
        return np.where(given, values, np.nan)

    def moved(share: Floats) -> Floats:
        return blank((classes.quantile(one, 0.5 + share) - classes.quantile(one, 0.5 - share)) / 2)

    outcome.value[:, at] = blank(median)
    hidden = outcome.observed_share[:, at] < 1
    outcome.lower[:, at] = np.where(hidden, np.nan, low)
    outcome.upper[:, at] = np.where(hidden, np.nan, high)
    outcome.likely_lower[:, at] = np.fmax(
        blank(classes.quantile(one, 0.5 - down)), outcome.lower[:, at]
    )
    outcome.likely_upper[:, at] = np.fmin(
        blank(classes.quantile(one, 0.5 + up)), outcome.upper[:, at]
    )
    for name, share in half.items():
        getattr(outcome, name)[:, at] = moved(np.nan_to_num(share))
    _flag(outcome, "open_class", at, given & np.isnan(median))
    _flag(outcome, "no_bounds", at, np.isnan(outcome.lower[:, at]) & np.isnan(outcome.upper[:, at]))
    outcome.flags["upper_unknown"][:, at] = np.isnan(outcome.upper[:, at]) & ~np.isnan(
        outcome.lower[:, at]
    )


def _span(outcome: Outcome, at: int, spanned: Range, sums: Sums) -> None:
    """Give the range of the units' medians; the median itself only where one whole unit is all."""
    one_whole = (spanned.units == 1) & (sums.straddling[:, at] == 0) & (sums.units[:, at] == 1)
    outcome.value[:, at] = np.where(one_whole, spanned.least, np.nan)
    outcome.lower[:, at] = spanned.least
    outcome.upper[:, at] = spanned.greatest
    for name in ("likely_lower", "likely_upper", "rounding_max", "rounding_sd", "sampling_se"):
        getattr(outcome, name)[:, at] = np.nan
    _flag(outcome, "range_only", at, ~one_whole & (spanned.units > 0))
    for name in ("no_bounds", "upper_unknown", "sampling_unknown", "zero_may_be_suppression"):
        outcome.flags[name][:, at] = False


def _hold_controls(
    outcome: Outcome, chunk: Sequence[Variable], legs: Sequence[Leg], areas: pd.Index
) -> None:
    """Let the likely range hold the totals that shares were calibrated to: they are known."""
    if len(legs) > 1:
        return
    pairs = legs[0].pairs[_basis_of(chunk[0], legs[0])]
    known = residuals(pairs.crosswalk)
    for at, one in enumerate(chunk):
        totals = known[known["variable"].eq(one.name)].set_index("target_id")["control"]
        control = totals.reindex(areas).to_numpy(dtype=np.float64)
        given = ~np.isnan(outcome.value[:, at]) & ~np.isnan(control)
        low, high = outcome.likely_lower[:, at], outcome.likely_upper[:, at]
        outcome.likely_lower[:, at] = np.where(given, np.fmin(low, control), low)
        outcome.likely_upper[:, at] = np.where(given, np.fmax(high, control), high)


def _refuse(outcome: Outcome, at: int) -> None:
    """Leave nothing of an index but the flag."""
    for name in Outcome.__dataclass_fields__:
        if name != "flags":
            getattr(outcome, name)[:, at] = np.nan
    for values in outcome.flags.values():
        if values.flags.writeable:
            values[:, at] = False
    _flag(outcome, "index_refused", at, np.ones(len(outcome.value), dtype=bool))


def _flag(outcome: Outcome, name: str, at: int, rows: npt.NDArray[np.bool_]) -> None:
    if name not in outcome.flags:
        outcome.flags[name] = np.zeros(outcome.value.shape, dtype=bool)
    outcome.flags[name][:, at] = rows


def _model(
    chunk: Sequence[Variable], parts: Sequence[tuple[Gathered, Spread]], width: Floats
) -> pd.DataFrame:
    """Return the error model of each variable: the first table's, and the width used."""
    spread = parts[0][1]
    return pd.DataFrame(
        {
            "phi": spread.phi,
            "tau2": spread.tau2,
            "width": width,
            "splits": spread.splits,
            "targets": spread.targets,
        },
        index=pd.Index([one.name for one in chunk], name="variable"),
    )


def _listed(legs: Sequence[Leg]) -> set[str]:
    """Return the areas that are sets of units in every crosswalk they appear in."""
    drawn: set[str] = set()
    listed: set[str] = set()
    for leg in legs:
        for pairs in leg.pairs.values():
            sets = set(pairs.crosswalk.meta.get("listed", ()))
            listed |= sets
            drawn |= set(pairs.targets) - sets
    return listed - drawn


def _official(official: pd.DataFrame | None, areas: pd.Index) -> pd.DataFrame:
    if official is None:
        return pd.DataFrame(index=areas)
    given = official.set_axis(official.index.astype(str), axis=0)
    strange = given.index.difference(areas)
    if len(strange):
        raise TableError(
            "tables.official_unknown", [{"area_id": one} for one in strange], areas=strange
        )
    return given.reindex(areas)


def _said(frame: pd.DataFrame, areas: pd.Index) -> list[Finding]:
    """Return one finding a flag that the user must see: which areas, how many numbers."""
    found = []
    for flag in ("no_source", "too_little_observed", "partly_observed", "partly_outside"):
        rows = frame[frame["flag"].str.split(";").map(lambda flags, flag=flag: flag in flags)]
        if len(rows):
            which = rows["area_id"].unique()
            found.append(
                finding(
                    f"tables.{flag}",
                    "note" if flag == "partly_outside" else "warning",
                    "",
                    value=float(len(rows)),
                    areas=which,
                    count=len(which),
                    total=len(areas),
                    numbers=len(rows),
                )
            )
    return found
