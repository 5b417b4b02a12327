"""Turn sums into results: value, certain bounds, likely range, rounding, sampling, flags.

``ResultSums`` are the sums of a table with variances by its own error model (:func:`sums_of`). Sums
of several tables add up, and all that is said of a target is made from them (:func:`outcome_of`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from lipgeo.arrays import Flags, Floats
from lipgeo.errors import TableError
from lipgeo.tables.error_model import NORMAL, Spread
from lipgeo.tables.sums import TableSums, Totals
from lipgeo.tables.variables import Variable

__all__ = ["EXACT", "FLAGS", "Outcome", "ResultSums", "outcome_of", "prove_conserved", "sums_of"]

#: what may be said of a number, in the order flags stand
FLAGS = (
    "no_source",
    "not_applicable",
    "too_little_observed",
    "no_denominator",
    "index_refused",
    "range_only",
    "open_class",
    "partly_observed",
    "partly_outside",
    "no_bounds",
    "upper_unknown",
    "sampling_unknown",
    "other_basis",
    "shared_by_area",
    "zero_may_be_suppression",
    "not_scaled",
    "hidden_imputed",
)
#: totals are conserved to this, relative
EXACT = 1e-9


# ------------------------------------------------------------------- sums with their variances


@dataclass(frozen=True)
class ResultSums(Totals):
    """What is said of the targets by all tables; arrays are targets by variables.

    Attributes
    ----------
    missing_variance
        Variance of what is put in for units not observed.
    split_variance
        Variance of how straddling units split.
    numerator_sampling, denominator_sampling
        Variance of sampling of counts, and of denominators.
    unscaled
        Tables that cannot say what units not observed hold; a number.
    """

    missing_variance: Floats
    split_variance: Floats
    numerator_sampling: Floats
    denominator_sampling: Floats
    unscaled: Floats

    def at(self, rows: npt.NDArray[np.int64], count: int) -> ResultSums:
        """Return the sums of more targets: these at ``rows``, nothing elsewhere."""
        spread = {}
        for one in fields(self):
            values = getattr(self, one.name)
            spread[one.name] = np.zeros((count, values.shape[1]))
            spread[one.name][rows] = values
        return ResultSums(**spread)

    def __add__(self, other: ResultSums) -> ResultSums:
        return ResultSums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def sums_of(sums: TableSums, spread: Spread) -> ResultSums:
    """Return the sums of one table, variances by its error model.

    Raises
    ------
    TableError
        What targets and remainder hold is not what the sources hold (to 1e-9): never expected.
    """
    prove_conserved(sums)
    totals = sums.totals
    return ResultSums(
        **{one.name: getattr(totals, one.name) for one in fields(Totals)},
        missing_variance=totals.missing_square * spread.missing,
        split_variance=totals.doubt_size * spread.phi + totals.doubt_size_square * spread.tau2,
        numerator_sampling=totals.numerator_square * sums.sampling,
        denominator_sampling=totals.denominator_square * sums.sampling,
        unscaled=np.broadcast_to(~sums.scaled, totals.numerator.shape).astype(np.float64),
    )


def prove_conserved(sums: TableSums) -> None:
    """Raise unless targets and remainder hold what the sources hold."""
    kept = sums.totals.numerator.sum(axis=0) + sums.overall.outside
    given = sums.overall.total
    wrong = np.abs(kept - given) > EXACT * np.maximum(np.abs(given), 1.0)
    if wrong.any():
        names = [sums.variables[row].name for row in np.flatnonzero(wrong)]
        raise TableError(
            "tables.not_conserved",
            [
                {"variable": name, "kept": float(k), "given": float(g)}
                for name, k, g in zip(names, kept[wrong], given[wrong], strict=True)
            ],
            variables=names,
        )


# ------------------------------------------------------------------- results


@dataclass(frozen=True)
class Outcome:
    """Results; arrays are targets by variables, ``flags`` one such array a flag."""

    value: Floats
    lower: Floats
    upper: Floats
    likely_lower: Floats
    likely_upper: Floats
    truth_lower: Floats
    truth_upper: Floats
    rounding_max: Floats
    rounding_sd: Floats
    sampling_se: Floats
    observed_share: Floats
    hidden_share: Floats
    flags: dict[str, Flags]


@dataclass(frozen=True)
class _Errors:
    """Errors of a value: of the split, and standard errors of the rest."""

    split: Floats
    missing: Floats
    rounding_max: Floats
    rounding_sd: Floats
    hidden: Floats
    sampling: Floats


def outcome_of(
    sums: ResultSums,
    variables: Sequence[Variable],
    *,
    width: Floats,
    rate_sd: Floats,
    rate_range: Floats,
    sampled: Flags,
    min_observed: float,
) -> Outcome:
    """Turn sums into results: counts by what was observed, ratios by numerator and denominator.

    Parameters
    ----------
    sums
        Of all tables together.
    variables
        One a column of the sums.
    width
        Half-width of the likely range in standard errors of the split; one a variable.
    rate_sd, rate_range
        How far rates vary among units; one a variable.
    sampled
        Which variables come from a sample; one a variable.
    min_observed
        Share of what an area holds that must be observed for a number to be given.
    """
    ratio = np.array([one.is_ratio or bool(one.groups) for one in variables], dtype=bool)
    observed = _observed_share(sums)
    counts = _counts(sums, observed)
    ratios = _ratios(sums, variables, rate_sd=rate_sd, rate_range=rate_range, sampled=sampled)
    value, lower, upper = (
        np.where(ratio, *pair) for pair in zip(ratios[:3], counts[:3], strict=True)
    )
    errors = _Errors(
        *(
            np.where(ratio, getattr(ratios[3], name), getattr(counts[3], name))
            for name in _Errors.__dataclass_fields__
        )
    )
    # of nothing observed nothing is said, whatever is asked
    little = ~(observed >= min_observed) | ~(observed > 0)
    empty = ratio & (sums.denominator <= 0) & ~little
    flags = {
        "no_source": sums.units == 0,
        "not_applicable": (sums.units > 0) & (sums.not_applicable == sums.units),
        "too_little_observed": little & (sums.units > 0),
        "no_denominator": empty,
        "partly_observed": ~little & (observed < 1 - 1e-12),
        "no_bounds": np.isnan(lower) & np.isnan(upper) & ratio & ~little & ~empty,
        "upper_unknown": np.isnan(upper) & ~np.isnan(lower),
        "sampling_unknown": np.isnan(errors.sampling) & ~little & ~empty,
        "shared_by_area": sums.shared_by_area_count > 0,
        "zero_may_be_suppression": sums.zeros > 0,
        "not_scaled": ~ratio & (sums.unscaled > 0) & (observed < 1 - 1e-12) & ~little,
        "hidden_imputed": (sums.hidden > 0) & ~little & ~empty,
    }
    blank = little | empty
    # an order of the area would be of the same sample
    low, high = _range(value, lower, upper, errors, width, np.zeros_like(value))
    true_low, true_high = _range(value, lower, upper, errors, width, errors.sampling**2)
    ceiling = np.array(
        [one.per if one.part and one.rule != "average" else np.inf for one in variables]
    )
    signed = np.array([one.rule == "average" for one in variables])
    low, true_low = (np.where(signed, one, np.maximum(one, 0.0)) for one in (low, true_low))
    # N and D are rounded apart, so that N may be the greater
    high, true_high = (
        np.where(ratio, np.minimum(one, np.fmax(ceiling, value)), one) for one in (high, true_high)
    )
    hidden_share = np.nan_to_num(_over(sums.hidden, sums.numerator))
    return Outcome(
        value=np.where(blank, np.nan, value),
        lower=lower,
        upper=upper,
        likely_lower=np.where(blank, np.nan, low),
        likely_upper=np.where(blank, np.nan, high),
        truth_lower=np.where(blank, np.nan, true_low),
        truth_upper=np.where(blank, np.nan, true_high),
        rounding_max=np.where(blank, np.nan, errors.rounding_max),
        rounding_sd=np.where(blank, np.nan, errors.rounding_sd),
        sampling_se=np.where(blank, np.nan, errors.sampling),
        observed_share=observed,
        hidden_share=np.where(blank, np.nan, hidden_share),
        flags=flags,
    )


def _over(top: Floats, bottom: Floats) -> Floats:
    """Divide, NaN where there is nothing to divide by."""
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0))


def _observed_share(sums: ResultSums) -> Floats:
    """Return the share of what an area holds that was observed; of its units where it is empty."""
    by_held = _over(sums.amount_observed, sums.amount)
    by_share = _over(sums.share_observed, sums.share)
    share = np.where(sums.amount > 0, by_held, by_share)
    return np.asarray(np.where(np.abs(share - 1) < 1e-12, 1.0, share))


def _counts(sums: ResultSums, observed: Floats) -> tuple[Floats, Floats, Floats, _Errors]:
    """Return counts, what was not observed put in at the rate of what was, and their bounds."""
    # what was observed, scaled to all that the target holds
    # nothing says how much that is where only the land of units is known
    observed = np.where((sums.unscaled > 0) & (observed > 0), 1.0, observed)
    value = _over(sums.numerator, observed)
    # at least what is wholly inside, at most all that is touched, what is missing at its ceiling;
    # each less or more by what it was rounded, and what zeros may hide
    lower = np.maximum(sums.numerator_inside - sums.rounded_down, 0.0)
    upper = (
        sums.numerator_inside
        + sums.numerator_straddling
        + sums.missing_inside
        + sums.missing_straddling
        + sums.rounded_up
    )
    upper = np.where(sums.unbounded > 0, np.nan, upper)
    # slivers may hold people: a bound never excludes the value
    lower = np.fmin(lower, np.where(np.isnan(value), lower, value))
    upper = np.where(np.isnan(upper) | np.isnan(value), upper, np.maximum(upper, value))
    lower = np.where(sums.units > 0, lower, np.nan)
    upper = np.where(sums.units > 0, upper, np.nan)
    return (
        value,
        lower,
        upper,
        _Errors(
            split=_over(np.sqrt(sums.split_variance), observed),
            missing=np.sqrt(sums.missing_variance),
            rounding_max=_over(sums.numerator_rounding_max, observed),
            rounding_sd=_over(np.sqrt(sums.numerator_rounding_variance), observed),
            hidden=_over(np.sqrt(sums.hidden_variance), observed),
            sampling=_over(np.sqrt(sums.numerator_sampling), observed),
        ),
    )


def _ratios(
    sums: ResultSums,
    variables: Sequence[Variable],
    *,
    rate_sd: Floats,
    rate_range: Floats,
    sampled: Flags,
) -> tuple[Floats, Floats, Floats, _Errors]:
    """Return N over D of what was observed, and bounds where N is part of D or any ratio."""
    per = np.array([one.per for one in variables])
    average = np.array([one.rule == "average" for one in variables])
    part = np.array([one.part for one in variables]) & ~average
    rate = _over(sums.numerator, sums.denominator)
    low, high = _ratio_bounds(sums, rate, average, part)
    known = np.nan_to_num(rate)
    # N of an average is D times it: what D is rounded by moves it by how far rates vary
    rounding_max = np.where(
        average,
        sums.denominator_rounding_max * rate_range,
        sums.numerator_rounding_max + known * sums.denominator_rounding_max,
    )
    rounding_variance = np.where(
        average,
        sums.denominator_rounding_variance * rate_sd**2,
        sums.numerator_rounding_variance + known**2 * sums.denominator_rounding_variance,
    )
    # how an average varies among those asked is not known
    sampling = per * _over(np.sqrt(_sampling_variance(sums, known, part)), sums.denominator)
    errors = _Errors(
        split=per * _over(np.sqrt(sums.split_variance), sums.denominator),
        missing=per * _over(np.sqrt(sums.missing_variance), sums.amount),
        rounding_max=per * _over(rounding_max, sums.denominator),
        rounding_sd=per * _over(np.sqrt(rounding_variance), sums.denominator),
        hidden=per * _over(np.sqrt(sums.hidden_variance), sums.denominator),
        sampling=np.where(average & sampled, np.nan, sampling),
    )
    return per * rate, per * low, per * high, errors


def _ratio_bounds(
    sums: ResultSums, rate: Floats, average: Flags, part: Flags
) -> tuple[Floats, Floats]:
    """Return the bounds of N over D; ``average`` and ``part`` say which is which kind."""
    # by as much as numerators and denominators were rounded, an average's as they stand
    down = np.where(average, 0.0, sums.rounded_down)
    up = np.where(average, 0.0, sums.rounded_up)
    fewer = np.where(average, 0.0, sums.denominator_rounded_down)
    more = np.where(average, 0.0, sums.denominator_rounded_up)
    straddling = sums.numerator_straddling + up
    inside = np.maximum(sums.numerator_inside - down, 0.0)
    most = sums.numerator_inside + straddling
    all_held = sums.denominator_inside + sums.denominator_straddling + more
    least_held = np.maximum(sums.denominator_inside - fewer, 0.0)
    hidden = sums.missing_inside + sums.missing_straddling
    lacking = sums.share - sums.share_observed > 1e-12
    # N is part of D: straddling units give D without N, or N alone, and what is hidden likewise
    other = np.maximum(all_held - np.maximum(sums.numerator_straddling - up, 0.0), inside)
    low = _over(inside, other + hidden)
    high = _over(most + hidden, np.maximum(least_held + straddling, most) + hidden)
    high = np.where(least_held + straddling > most, high, np.minimum(high, 1.0))
    low = np.where(sums.unbounded > 0, 0.0, low)
    high = np.where(sums.unbounded > 0, 1.0, high)
    # N is no part of D: they give all their D, or all their N; nothing bounds what is hidden
    free_low = _over(inside, all_held)
    free_high = _over(most, least_held)
    low = np.where(part, low, np.where(lacking, np.nan, free_low))
    high = np.where(part, high, np.where(lacking, np.nan, free_high))
    # an average has none, unless nothing in it can vary: all is whole and observed
    whole = (sums.straddling == 0) & ~lacking & (up + down + more + fewer == 0)
    low = np.where(average, np.nan, low)
    high = np.where(average, np.nan, high)
    # nor has a part anything to vary by where its bounds are none
    low = np.where(whole | (part & np.isnan(low)), rate, low)
    high = np.where(whole | (part & np.isnan(high)), rate, high)
    # slivers may hold people: a bound never excludes the value
    return (
        np.where(np.isnan(low), low, np.fmin(low, rate)),
        np.where(np.isnan(high), high, np.fmax(high, rate)),
    )


def _sampling_variance(sums: ResultSums, rate: Floats, part: Flags) -> Floats:
    """Return the sampling variance of N - rate D: what N and D share falls out where N is part."""
    together = sums.numerator_sampling * (1 - 2 * rate) + rate**2 * sums.denominator_sampling
    apart = sums.numerator_sampling + rate**2 * sums.denominator_sampling
    return np.maximum(np.where(part, together, apart), 0.0)


def _range(  # noqa: PLR0917
    value: Floats, lower: Floats, upper: Floats, errors: _Errors, width: Floats, besides: Floats
) -> tuple[Floats, Floats]:
    """Return a 90 % range: the split inside its certain bounds, then the rest around it.

    ``besides`` is the variance of what belongs to this range alone.
    """
    # the split of straddling units can go no further than the certain bounds
    split = width * np.nan_to_num(errors.split)
    below = np.fmin(split, np.where(np.isnan(lower), np.inf, value - lower))
    above = np.fmin(split, np.where(np.isnan(upper), np.inf, upper - value))
    # what is missing, rounded and hidden is independent of it
    rest = NORMAL * np.sqrt(
        np.nan_to_num(errors.missing) ** 2
        + np.nan_to_num(errors.rounding_sd) ** 2
        + np.nan_to_num(errors.hidden) ** 2
        + np.nan_to_num(besides)
    )
    return value - np.hypot(below, rest), value + np.hypot(above, rest)
