"""Bring a census table to areas by a crosswalk: ``weight_table``.

Variables are taken some at a time, and each chunk goes the same way: sums of each table
(:mod:`lipgeo.tables.sums`), an error model learned from them (:mod:`lipgeo.tables.error_model`),
and from both the results (:mod:`lipgeo.tables.results`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo._version import __version__
from lipgeo.arrays import Floats
from lipgeo.crosswalk.crosswalk import Crosswalk
from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import has_trait
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.tables.calibrate import residuals
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.columns import Classes, Range, parts_needed
from lipgeo.tables.error_model import Spread, learn
from lipgeo.tables.estimates import Estimates, TableShares, result_frame
from lipgeo.tables.hidden import Hidden, find_hidden
from lipgeo.tables.larger_units import PublishedTotals
from lipgeo.tables.long_table import AnyTable, LongTable
from lipgeo.tables.own_geography import OwnGeography, counts_beside, find_own_shares
from lipgeo.tables.pairs import Family, Pairs
from lipgeo.tables.results import Outcome, ResultSums, outcome_of, sums_of
from lipgeo.tables.sums import TableSums
from lipgeo.tables.totals import sum_totals, variables_as_percent_of
from lipgeo.tables.variables import Variable, resolve_variables
from lipgeo.zones.validity import SLIVER_SHARE

__all__ = ["ResultBlock", "calculate_block", "weight_table"]

#: share of an area's people that must be observed for a number to be given
MIN_OBSERVED = 0.5
#: variables whose results are worked out at a time: that bounds what is held at once
_RESULTS_AT_A_TIME = 256
#: how far a median can lie from where evenly spread people would have it, in widths of its class:
#: where one end of the class holds three times the other, an eighth, and twice that is not passed
_UNEVEN = 0.25
Crosswalks = Crosswalk | Mapping[str, Crosswalk]


def weight_table(
    table: AnyTable | Sequence[AnyTable],
    xw: Crosswalks | Sequence[Crosswalks],
    *,
    variables: Sequence[str | Variable] | None = None,
    min_observed: float = MIN_OBSERVED,
    sliver_share: float = SLIVER_SHARE,
    official: pd.DataFrame | None = None,
    hidden: Hidden = "impute",
    totals: PublishedTotals | None = None,
    membership: pd.Series | None = None,
    own_geography: OwnGeography = "auto",
    percent_of: str | None = None,
) -> Estimates:
    """Bring a census table to areas: each number with bounds and a likely range.

    Parameters
    ----------
    table
        The table, in memory or in long form (:func:`lipgeo.open_table`); or several that share no
        ground (published rows of whole units, and the units
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
    hidden
        Sampled counts of 2021 under 10 are published as 0 for small areas. ``"impute"`` puts in
        what such zeros hold on average, estimated from the table's own cells
        (:mod:`lipgeo.tables.hidden`), and does so only where the table's cells show that small
        counts are hidden; ``"as_published"`` takes them for nobody.
    totals
        Published totals of larger units, to which what zeros hide is brought: a table of theirs
        (in memory or stored), or a frame (index unit ids, columns variables). A unit of the table
        is part of the one its ``parents`` name, or that its id begins with (division, province).
        Where the table lacks a tenth of a larger unit, its total says nothing.
    membership
        The larger unit of ``totals`` by unit of the table, where neither says
        (:func:`lipgeo.weight_areas` takes it from the census).
    own_geography
        ``"auto"``: inside units that an outline cuts, counts that are part of a whole follow their
        own geography as far as the data prove that it helps (:mod:`lipgeo.tables.own_geography`);
        ``"off"``: all variables are shared out as people (dwellings, households) are.
    percent_of
        The column of a count that percentages asked for by name (``immigrants_pct``) are to be of,
        instead of their own total.

    Returns
    -------
    Estimates

    Raises
    ------
    TableError
        Table and crosswalk are of different levels or censuses, or share no unit; a variable asked
        for has no rule, is an index, or lacks its denominator and what adds up to it; nothing can
        be weighted. Totals are of another census, of no column or no larger unit of the table, or
        below what their units are published to hold by more than rounding.

    Notes
    -----
    *Counts* add: the sum of share times value. Where units were not observed, what the others hold
    is scaled to what the area holds; ``observed_share`` says how much of it was seen.
    *Rates, percentages and averages* are weighted by their own denominators, masked where numerator
    or denominator is missing. A denominator that is not in the table is the sum of its parts where
    the dictionary knows them and the table has them all. *Medians* are interpolated from grouped
    counts, else only the range of the units' own medians is given. An *index* is refused.

    *Certain bounds* hold however straddling units split and whatever was rounded or hidden. Counts:
    the units wholly inside, each less what rounding can have added; all units touched, each with
    what rounding can have taken and zeros can hide. N of D: ``N_in / (D_in + D_str - N_str)`` and
    ``(N_in + N_str) / (D_in + N_str)``. Averages have none. Units not observed widen them by what
    they can hold at most. Nothing is scaled where only the land of units is known (``not_scaled``).

    Two ranges (90 %). ``likely_lower, likely_upper``: *what an order of the area would say*. It
    adds up what straddling units may split otherwise, learned from parents of units (see
    :mod:`lipgeo.tables.error_model`), what was put in for units not observed and for hidden cells,
    and rounding; an order is of the same sample, so that sampling is not in it. ``truth_lower,
    truth_upper``: *what is true*, with sampling. *Rounding* of base 5 moves a count by 4 at most,
    with a standard deviation of 2. *Sampling*: the standard error of a long-form count is about the
    square root of 3 times the count.

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
    [['t', 90.0, 36.0, 148.0]]
    """
    if hidden not in get_args(Hidden):
        raise TableError("tables.unknown_hidden", given=str(hidden), known=list(get_args(Hidden)))
    if own_geography not in get_args(OwnGeography):
        raise TableError(
            "tables.unknown_own_geography",
            given=str(own_geography),
            known=list(get_args(OwnGeography)),
        )
    table_shares = _pair_tables(table, xw, sliver_share)
    variables = [variables] if isinstance(variables, str) else variables
    if percent_of is not None:
        variables = variables_as_percent_of(table_shares[0].table, variables, percent_of)
    columns = list(table_shares[0].table.columns)
    table_shares, summed = _with_summed_totals(table_shares, variables)
    chosen, notes = _choose_variables(table_shares[0].table, variables, columns)
    notes = [*summed, *notes]
    if hidden == "impute":
        tables = [one.table for one in table_shares]
        beside = [_counts_beside(one, chosen, own_geography) for one in table_shares]
        cells = find_hidden(tables, chosen, totals, membership, beside=beside)
        table_shares = [
            replace(one, hidden=hides) for one, hides in zip(table_shares, cells, strict=True)
        ]
        notes += [note for one in table_shares for note in one.hidden.notes]
    elif totals is not None:
        notes.append(finding("tables.totals_unused", "warning", ""))
    if own_geography == "auto":
        table_shares = [_with_own_shares(one, chosen) for one in table_shares]
        notes += [note for one in table_shares for own in one.own.values() for note in own.notes]
    for shares in table_shares:
        notes += shares.notes
    areas = table_shares[0].areas
    for shares in table_shares[1:]:
        areas = areas.union(shares.areas, sort=False)
    order = {one.name: at for at, one in enumerate(chosen)}
    models: list[pd.DataFrame] = []

    def blocks() -> Iterator[tuple[Sequence[Variable], Outcome]]:
        for done in _calculate_blocks(chosen, table_shares, areas, min_observed):
            models.append(done.model)
            yield done.block

    frame = result_frame(blocks(), areas, order, _areas_of_lists(table_shares))
    model = pd.concat(models)
    return Estimates(
        frame=frame,
        table_shares=table_shares,
        variables=chosen,
        error_model=model.loc[[one.name for one in chosen]],
        official=_official(official, areas),
        report=CheckReport([*notes, *_flag_findings(frame, areas), *_medians_to_order(frame)]),
        meta={
            "min_observed": float(min_observed),
            "sliver_share": float(sliver_share),
            "likely": 0.9,
            "hidden": str(hidden),
            "own_geography": {
                name: round(power, 6)
                for one in table_shares
                for own in one.own.values()
                for name, power in own.strengths.items()
            },
            "conserved": True,
            "lipgeo": __version__,
        },
    )


def _medians_to_order(frame: pd.DataFrame) -> list[Finding]:
    """Note medians of which only a range can be given."""
    ranged = frame.loc[frame["flag"].str.contains("range_only").fillna(False), "variable"]
    names = list(ranged.unique())
    return [finding("tables.order_medians", "note", "", variables=names)] if names else []


# ------------------------------------------------------------------- what is weighted by what


def _pair_tables(
    table: AnyTable | Sequence[AnyTable],
    xw: Crosswalks | Sequence[Crosswalks],
    sliver: float,
) -> list[TableShares]:
    """Pair each table with its crosswalks; refuse what is no table or does not fit it."""
    tables = list(table) if isinstance(table, Sequence) else [table]
    given = list(xw) if isinstance(xw, Sequence) else [xw]
    wrong = [type(one).__name__ for one in tables if not isinstance(one, CensusTable | LongTable)]
    if wrong:
        raise TableError("tables.not_table", given=wrong)
    if len(tables) != len(given) or not tables:
        raise TableError("tables.not_pairs", tables=len(tables), crosswalks=len(given))
    found = []
    for one, shares in zip(tables, given, strict=True):
        several = list(shares.values()) if isinstance(shares, Mapping) else [shares]
        if not several or not all(isinstance(each, Crosswalk) for each in several):
            raise TableError("tables.not_crosswalk", given=type(shares).__name__)
        if isinstance(shares, Mapping):
            _require_alike(shares)
        pairs = {each.weight: Pairs.of(each, sliver) for each in several}
        families = {
            name: Family.of(each, one.parents, _known_amounts(one, each))
            for name, each in pairs.items()
        }
        found.append(
            TableShares(one, pairs, families, _match_units(one, next(iter(pairs.values()))))
        )
    return found


def _counts_beside(
    shares: TableShares, chosen: Sequence[Variable], own_geography: OwnGeography
) -> list[Variable]:
    """Return the counts that are looked at to say where what was asked for lives."""
    if own_geography == "off":
        return []
    return [
        one
        for pairs in shares.pairs.values()
        for one in counts_beside(
            shares.table, [one for one in chosen if shares.pairs_of(one) is pairs], pairs
        )
    ]


def _with_own_shares(shares: TableShares, chosen: Sequence[Variable]) -> TableShares:
    """Let counts of a table follow their own geography, each by the crosswalk it goes by."""
    own = {
        weight: find_own_shares(
            shares.table,
            [one for one in chosen if shares.pairs_of(one) is pairs],
            pairs,
            shares.hidden,
        )
        for weight, pairs in shares.pairs.items()
    }
    return replace(shares, own=own)


def _with_summed_totals(
    table_shares: Sequence[TableShares], asked: Sequence[str | Variable] | None
) -> tuple[list[TableShares], list[Finding]]:
    """Return tables with the totals they lack, and a note on each total that was summed."""
    found, notes = [], []
    for one in table_shares:
        table, told = sum_totals(one.table, asked)
        found.append(replace(one, table=table))
        notes += [note for note in told if note not in notes]
    return found, notes


def _known_amounts(table: AnyTable, pairs: Pairs) -> Floats | None:
    """Return what sources hold of the first variable that shares were calibrated to."""
    met = pairs.crosswalk.meta.get("calibration", {}).get("variables", ())
    name = next((one for one in met if one in table.columns), None)
    if name is None:
        return None
    held = table if isinstance(table, CensusTable) else table.part([name])
    at = held.unit_ids.get_indexer(pairs.sources)
    return np.where(at >= 0, np.nan_to_num(held.values(name))[at], 0.0)


def _require_alike(shares: Mapping[str, Crosswalk]) -> None:
    """Refuse crosswalks by weight that bear another weight, or share other units to other areas."""
    first = next(iter(shares.values()))
    problems = []
    for name, one in shares.items():
        if one.weight != name:
            problems.append({"key": name, "weight": one.weight, "problem": "weight"})
        same = list(one.quality["target_id"]) == list(first.quality["target_id"])
        if not same or not one.sources.index.equals(first.sources.index):
            problems.append({"key": name, "weight": one.weight, "problem": "units or areas"})
    if problems:
        raise TableError(
            "tables.crosswalks_differ",
            problems,
            weights=[f"{one['key']} ({one['weight']}: {one['problem']})" for one in problems],
        )


def _match_units(table: AnyTable, pairs: Pairs) -> list[Finding]:
    """Refuse a table that is not of the crosswalk's units; note the units that differ."""
    xw = pairs.crosswalk
    if table.level is not None and xw.source_level not in (None, table.level):
        raise TableError("tables.other_level_xw", table=table.level, xw=xw.source_level)
    if table.vintage is not None and xw.vintage not in (None, table.vintage):
        raise TableError("tables.other_vintage", table=str(table.vintage), xw=str(xw.vintage))
    known = pairs.sources.get_indexer(table.unit_ids) >= 0
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
    held = table.unit_ids.get_indexer(pairs.sources) >= 0
    absent = pairs.sources[pairs.is_touched & ~held]
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


def _choose_variables(
    table: AnyTable, asked: Sequence[str | Variable] | None, columns: Sequence[str]
) -> tuple[list[Variable], list[Finding]]:
    """Return the variables to weight; refuse those asked for that cannot be, note the others.

    Where nothing is asked for, these are ``columns``: totals that were summed are not among them.
    """
    names = list(columns) if asked is None else list(asked)
    held = set(table.columns)
    chosen: dict[str, Variable] = {}
    lacking: dict[str, list[str]] = {"no_rule": [], "no_part": []}
    texts = [str(name) for name in names if not isinstance(name, Variable)]
    elsewhere = [name for name in texts if name not in table.variables and name not in held]
    others = resolve_variables(elsewhere, table.variables, table.columns, table.vintage)
    for name in names:
        one = name if isinstance(name, Variable) else table.variables.get(name, others.get(name))
        if one is None:
            lacking["no_rule"].append(str(name))
        elif asked is None and not held.issuperset(
            parts_needed(_without_absent_classes(one, held))
        ):
            lacking["no_part"].append(one.name)
        elif asked is not None and one.rule == "index":
            raise TableError("tables.index_asked", [{"variable": one.name}], variables=[one.name])
        else:
            chosen[one.name] = _without_absent_classes(one, held)
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
        and table.greatest(name) > one.per
    ]
    if apart:
        chosen |= {name: replace(chosen[name], part=False) for name in apart}
        notes.append(finding("tables.above_whole", "note", "", variables=apart))
    voluntary = [name for name, one in chosen.items() if one.sampled]
    if has_trait(table.vintage, "voluntary_long_form") and voluntary:
        notes.append(finding("tables.voluntary", "warning", "", variables=voluntary))
    refused = [one.name for one in chosen.values() if one.rule == "index"]
    if refused:
        notes.append(finding("tables.index_refused", "warning", "", variables=refused))
    return list(chosen.values()), notes


def _without_absent_classes(one: Variable, held: set[str]) -> Variable:
    """Return a median without its classes where the table does not hold them all."""
    if one.groups and not held.issuperset(group.variable for group in one.groups):
        return replace(one, groups=())
    return one


def _areas_of_lists(table_shares: Sequence[TableShares]) -> set[str]:
    """Return the areas that are sets of units in every crosswalk they appear in."""
    drawn: set[str] = set()
    listed: set[str] = set()
    for shares in table_shares:
        for pairs in shares.pairs.values():
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


# ------------------------------------------------------------------- some variables at a time


def _calculate_blocks(
    chosen: Sequence[Variable],
    table_shares: Sequence[TableShares],
    areas: pd.Index,
    min_observed: float,
) -> Iterator[ResultBlock]:
    """Yield results, variables parted by the crosswalks they go by, some at a time."""
    kinds: dict[tuple[str, ...], list[Variable]] = {}
    for one in chosen:
        weights = tuple(shares.pairs_of(one).crosswalk.weight for shares in table_shares)
        kinds.setdefault(weights, []).append(one)
    at_a_time = min(shares.table.at_a_time for shares in table_shares)
    for many in kinds.values():
        for start in range(0, len(many), at_a_time):
            chunk = many[start : start + at_a_time]
            sums_by_table = [shares.sums(chunk) for shares in table_shares]
            for first in range(0, len(chunk), _RESULTS_AT_A_TIME):
                which = slice(first, first + _RESULTS_AT_A_TIME)
                some = [one.select(which) for one in sums_by_table]
                yield calculate_block(chunk[which], table_shares, some, areas, min_observed)


@dataclass(frozen=True)
class ResultBlock:
    """What weighting one chunk gave: a block of results, and the error model used."""

    block: tuple[Sequence[Variable], Outcome]
    model: pd.DataFrame


def calculate_block(
    chunk: Sequence[Variable],
    table_shares: Sequence[TableShares],
    sums_by_table: Sequence[TableSums],
    areas: pd.Index,
    min_observed: float,
) -> ResultBlock:
    """Turn the sums of some variables, one a table, into results.

    Parameters
    ----------
    chunk
        The variables; all go by the same crosswalks.
    table_shares, sums_by_table
        Tables and crosswalks, and the sums of each.
    areas
        Ids of all areas.
    min_observed
        As for :func:`lipgeo.weight_table`.
    """
    sums: ResultSums | None = None
    classes: dict[int, Classes] = {}
    ranges: dict[int, Range] = {}
    spreads: list[Spread] = []
    outside = np.zeros(len(areas), dtype=bool)
    other = np.zeros((len(areas), len(chunk)), dtype=bool)
    # the tables one after the other: learn the error model, add the sums up
    for shares, found in zip(table_shares, sums_by_table, strict=True):
        pairs = shares.pairs_of(chunk[0])
        spread = learn(found, pairs, shares.families[pairs.crosswalk.weight])
        spreads.append(spread)
        rows = np.asarray(areas.get_indexer(pairs.targets), np.int64)
        mine = sums_of(found, spread).at(rows, len(areas))
        sums = mine if sums is None else sums + mine
        for at, grouped in found.classes.items():
            merged = grouped.at(rows, len(areas))
            classes[at] = classes[at] + merged if at in classes else merged
        for at, own in found.ranges.items():
            spanned = own.at(rows, len(areas))
            ranges[at] = ranges[at] + spanned if at in ranges else spanned
        coverage = pairs.crosswalk.quality["coverage"].to_numpy()
        if len(table_shares) == 1:
            outside[rows] = coverage < 1 - SLIVER_SHARE
        differs = np.array([one.basis != pairs.crosswalk.weight for one in chunk])
        other[rows] |= differs & (mine.straddling[rows] > 0)
    assert sums is not None
    width = np.max([spread.width for spread in spreads], axis=0)
    # results of the sums; the widest range of all tables holds
    outcome = outcome_of(
        sums,
        chunk,
        width=width,
        rate_sd=np.max([one.overall.rate_sd for one in sums_by_table], axis=0),
        rate_range=np.max([one.overall.rate_range for one in sums_by_table], axis=0),
        sampled=sums_by_table[0].sampling > 0,
        min_observed=min_observed,
    )
    outcome.flags["partly_outside"] = np.broadcast_to(outside[:, None], other.shape)
    outcome.flags["other_basis"] = other
    # what no sums say: medians, indices, totals that are known
    for at, grouped in classes.items():
        _interpolate(outcome, at, chunk[at], grouped, ranges.get(at))
    for at, spanned in ranges.items():
        if at not in classes:
            _span(outcome, at, spanned, sums)
    for at, one in enumerate(chunk):
        if one.rule == "index":
            _refuse(outcome, at)
    _hold_controls(outcome, chunk, table_shares, areas)
    return ResultBlock((chunk, outcome), _model(chunk, spreads[0], width))


def _interpolate(
    outcome: Outcome, at: int, one: Variable, classes: Classes, own: Range | None
) -> None:
    """Turn how far the share below the middle can move into how far the median can.

    In a class without an end the units' own medians, ``own``, say where the middle is.
    """
    # how far the share of people below the middle can move
    given = ~np.isnan(outcome.value[:, at])
    moves = {
        kind: (
            outcome.value[:, at] - getattr(outcome, f"{kind}_lower")[:, at],
            getattr(outcome, f"{kind}_upper")[:, at] - outcome.value[:, at],
        )
        for kind in ("likely", "truth")
    }
    half = {
        "rounding_max": outcome.rounding_max[:, at].copy(),
        "rounding_sd": outcome.rounding_sd[:, at].copy(),
        "sampling_se": outcome.sampling_se[:, at].copy(),
    }
    median = classes.median(one)
    low, high = classes.bounds(one)

    def blank(values: Floats) -> Floats:
        return np.where(given, values, np.nan)

    def spread_about_middle(share: Floats) -> Floats:
        return blank((classes.quantile(one, 0.5 + share) - classes.quantile(one, 0.5 - share)) / 2)

    # the same for the median: quantiles that far from the middle
    outcome.value[:, at] = blank(median)
    hidden = outcome.observed_share[:, at] < 1
    outcome.lower[:, at] = np.where(hidden, np.nan, low)
    outcome.upper[:, at] = np.where(hidden, np.nan, high)
    # and people are not evenly spread over the class the middle lies in
    uneven = _UNEVEN * classes.middle_width(one)
    for kind, (down, up) in moves.items():
        below = np.hypot(median - classes.quantile(one, 0.5 - down), uneven)
        above = np.hypot(classes.quantile(one, 0.5 + up) - median, uneven)
        getattr(outcome, f"{kind}_lower")[:, at] = np.fmax(
            blank(median - below), outcome.lower[:, at]
        )
        getattr(outcome, f"{kind}_upper")[:, at] = np.fmin(
            blank(median + above), outcome.upper[:, at]
        )
    is_open = given & np.isnan(median)
    if own is not None:
        edge = one.groups[-1].low
        told = is_open & (own.middle >= edge)
        outcome.value[told, at] = own.middle[told]
        for kind in ("likely", "truth"):
            getattr(outcome, f"{kind}_lower")[told, at] = edge
            getattr(outcome, f"{kind}_upper")[told, at] = own.greatest[told]
    for name, share in half.items():
        getattr(outcome, name)[:, at] = spread_about_middle(np.nan_to_num(share))
    _flag(outcome, "open_class", at, is_open)
    _flag(outcome, "no_bounds", at, np.isnan(outcome.lower[:, at]) & np.isnan(outcome.upper[:, at]))
    outcome.flags["upper_unknown"][:, at] = np.isnan(outcome.upper[:, at]) & ~np.isnan(
        outcome.lower[:, at]
    )


def _span(outcome: Outcome, at: int, spanned: Range, sums: ResultSums) -> None:
    """Give the range of the units' medians; the median itself only where one whole unit is all."""
    one_whole = (spanned.units == 1) & (sums.straddling[:, at] == 0) & (sums.units[:, at] == 1)
    outcome.value[:, at] = np.where(one_whole, spanned.least, np.nan)
    outcome.lower[:, at] = spanned.least
    outcome.upper[:, at] = spanned.greatest
    for name in (
        "likely_lower", "likely_upper", "truth_lower", "truth_upper", "rounding_max",
        "rounding_sd", "sampling_se", "hidden_share",
    ):  # fmt: skip
        getattr(outcome, name)[:, at] = np.nan
    _flag(outcome, "range_only", at, ~one_whole & (spanned.units > 0))
    for name in ("no_bounds", "upper_unknown", "sampling_unknown", "zero_may_be_suppression"):
        outcome.flags[name][:, at] = False


def _hold_controls(
    outcome: Outcome,
    chunk: Sequence[Variable],
    table_shares: Sequence[TableShares],
    areas: pd.Index,
) -> None:
    """Let the likely range hold the totals that shares were calibrated to: they are known."""
    if len(table_shares) > 1:
        return
    pairs = table_shares[0].pairs_of(chunk[0])
    known = residuals(pairs.crosswalk)
    met = set(known["variable"])
    for at, one in enumerate(chunk):
        if one.name not in met:
            continue
        totals = known[known["variable"].eq(one.name)].set_index("target_id")["control"]
        control = totals.reindex(areas).to_numpy(dtype=np.float64)
        given = ~np.isnan(outcome.value[:, at]) & ~np.isnan(control)
        low, high = outcome.likely_lower[:, at], outcome.likely_upper[:, at]
        outcome.likely_lower[:, at] = np.where(given, np.fmin(low, control), low)
        outcome.likely_upper[:, at] = np.where(given, np.fmax(high, control), high)
        low, high = outcome.truth_lower[:, at], outcome.truth_upper[:, at]
        outcome.truth_lower[:, at] = np.where(given, np.fmin(low, control), low)
        outcome.truth_upper[:, at] = np.where(given, np.fmax(high, control), high)


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


def _model(chunk: Sequence[Variable], spread: Spread, width: Floats) -> pd.DataFrame:
    """Return the error model of each variable: the first table's, and the width used."""
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


# ------------------------------------------------------------------- what must be said


def _flag_findings(frame: pd.DataFrame, areas: pd.Index) -> list[Finding]:
    """Return one finding a flag that the user must see: which areas, how many numbers."""
    found = []
    code, texts = pd.factorize(frame["flag"])
    for flag in ("no_source", "too_little_observed", "partly_observed", "partly_outside"):
        bears = np.array([flag in text.split(";") for text in texts], dtype=bool)
        rows = frame[bears[code]]
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
