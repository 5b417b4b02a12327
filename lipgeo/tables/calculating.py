"""Results of some variables: from what was gathered to values, bounds, ranges and flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.tables.calibration import residuals
from lipgeo.tables.estimates import Leg
from lipgeo.tables.gathered import Gathered
from lipgeo.tables.medians import Classes, Range
from lipgeo.tables.outcome import OUTSIDE, Outcome, outcome_of
from lipgeo.tables.spread import Spread, learn
from lipgeo.tables.sums import Sums, sums_of
from lipgeo.tables.variables import Variable

__all__ = ["Calculated", "calculated"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calculated:
    """What weighting one chunk gave: a block of results, and the error model used."""

    block: tuple[Sequence[Variable], Outcome]
    model: pd.DataFrame


def calculated(
    chunk: Sequence[Variable],
    legs: Sequence[Leg],
    gathered: Sequence[Gathered],
    areas: pd.Index,
    min_observed: float,
) -> Calculated:
    """Turn what was gathered of some variables, one a leg, into results.

    Parameters
    ----------
    chunk
        The variables; all go by the same crosswalks.
    legs, gathered
        Tables and crosswalks, and what was gathered of each.
    areas
        Ids of all areas.
    min_observed
        As for :func:`lipgeo.weight_table`.
    """
    sums: Sums | None = None
    classes: dict[int, Classes] = {}
    ranges: dict[int, Range] = {}
    spreads: list[Spread] = []
    outside = np.zeros(len(areas), dtype=bool)
    other = np.zeros((len(areas), len(chunk)), dtype=bool)
    for leg, found in zip(legs, gathered, strict=True):
        pairs = leg.pairs_of(chunk[0])
        spread = learn(found, pairs, leg.families[pairs.crosswalk.weight])
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
        if len(legs) == 1:
            outside[rows] = coverage < 1 - OUTSIDE
        differs = np.array([one.basis != pairs.crosswalk.weight for one in chunk])
        other[rows] |= differs & (mine.straddling[rows] > 0)
    assert sums is not None
    width = np.max([spread.width for spread in spreads], axis=0)
    outcome = outcome_of(
        sums,
        chunk,
        width=width,
        rate_sd=np.max([one.overall.rate_sd for one in gathered], axis=0),
        rate_range=np.max([one.overall.rate_range for one in gathered], axis=0),
        sampled=gathered[0].sampling > 0,
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
    return Calculated((chunk, outcome), _model(chunk, spreads[0], width))


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
    pairs = legs[0].pairs_of(chunk[0])
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
