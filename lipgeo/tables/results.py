"""From sums to results: value, certain bounds, likely range, rounding, sampling, flags.

``Sums``: what all tables together say of each target; all that is said is made from it.

What was gathered of a table, and variances by its own error model; sums of several tables add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from lipgeo.arrays import Flags, Floats
from lipgeo.errors import TableError
from lipgeo.tables.error_model import NORMAL, Spread
from lipgeo.tables.sums import Gathered, Totals
from lipgeo.tables.variables import Variable

__all__ = ["EXACT", "FLAGS", "Outcome", "Sums", "outcome_of", "prove_conserved", "sums_of"]

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
)


@dataclass(frozen=True)
class Outcome:
    """Results; arrays are targets by variables, ``flags`` one such array a flag."""

    value: Floats
    lower: Floats
    upper: Floats
    likely_lower: Floats
    likely_upper: Floats
    rounding_max: Floats
    rounding_sd: Floats
    sampling_se: Floats
    observed_share: Floats
    flags: dict[str, Flags]


@dataclass(frozen=True)
class _Errors:
    """Errors of a value: of the split, and standard errors of the rest."""

    split: Floats
    missing: Floats
    rounding_max: Floats
    rounding_sd: Floats
    sampling: Floats


def outcome_of(
    sums: Sums,
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
    empty = ratio & (sums.d <= 0) & ~little
    flags = {
        "no_source": sums.units == 0,
        "not_applicable": (sums.units > 0) & (sums.not_applicable == sums.units),
        "too_little_observed": little & (sums.units > 0),
        "no_denominator": empty,
        "partly_observed": ~little & (observed < 1 - 1e-12),
        "no_bounds": np.isnan(lower) & np.isnan(upper) & ratio & ~little & ~empty,
        "upper_unknown": np.isnan(upper) & ~np.isnan(lower),
        "sampling_unknown": np.isnan(errors.sampling) & ~little & ~empty,
        "shared_by_area": sums.area_based > 0,
        "zero_may_be_suppression": sums.zeros > 0,
    }
    blank = little | empty
    low, high = _likely(value, lower, upper, errors, width)
    ceiling = np.array(
        [one.per if one.part and one.rule != "average" else np.inf for one in variables]
    )
    signed = np.array([one.rule == "average" for one in variables])
    low = np.where(signed, low, np.maximum(low, 0.0))
    # N and D are rounded apart, so that N may be the greater
    high = np.where(ratio, np.minimum(high, np.fmax(ceiling, value)), high)
    return Outcome(
        value=np.where(blank, np.nan, value),
        lower=lower,
        upper=upper,
        likely_lower=np.where(blank, np.nan, low),
        likely_upper=np.where(blank, np.nan, high),
        rounding_max=np.where(blank, np.nan, errors.rounding_max),
        rounding_sd=np.where(blank, np.nan, errors.rounding_sd),
        sampling_se=np.where(blank, np.nan, errors.sampling),
        observed_share=observed,
        flags=flags,
    )


def _over(top: Floats, bottom: Floats) -> Floats:
    """Divide, NaN where there is nothing to divide by."""
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0))


def _observed_share(sums: Sums) -> Floats:
    """Return the share of what an area holds that was observed; of its units where it is empty."""
    by_held = _over(sums.held_observed, sums.held)
    by_share = _over(sums.share_observed, sums.share)
    share = np.where(sums.held > 0, by_held, by_share)
    return np.asarray(np.where(np.abs(share - 1) < 1e-12, 1.0, share))


def _counts(sums: Sums, observed: Floats) -> tuple[Floats, Floats, Floats, _Errors]:
    """Return counts, what was not observed put in at the rate of what was, and their bounds."""
    value = _over(sums.n, observed)
    lower = sums.n_in.copy()
    upper = sums.n_in + sums.n_str + sums.missing_in + sums.missing_str
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
            split=_over(np.sqrt(sums.split), observed),
            missing=np.sqrt(sums.missing),
            rounding_max=_over(sums.n_max, observed),
            rounding_sd=_over(np.sqrt(sums.n_var), observed),
            sampling=_over(np.sqrt(sums.n_samp), observed),
        ),
    )


def _ratios(
    sums: Sums,
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
    rate = _over(sums.n, sums.d)
    hidden = sums.missing_in + sums.missing_str
    low = _over(sums.n_in, sums.d_in + sums.d_str - sums.n_str + hidden)
    high = _over(sums.n_in + sums.n_str + hidden, sums.d_in + sums.n_str + hidden)
    lacking = sums.share - sums.share_observed > 1e-12
    low = np.where(sums.unbounded > 0, 0.0, low)
    high = np.where(sums.unbounded > 0, 1.0, high)
    free_low = np.where(lacking, np.nan, _over(sums.n_in, sums.d_in + sums.d_str))
    free_high = np.where(lacking, np.nan, _over(sums.n_in + sums.n_str, sums.d_in))
    low, high = np.where(part, low, free_low), np.where(part, high, free_high)
    # nothing in it can vary: all whole and observed, or all of one kind
    whole = (sums.straddling == 0) & ~lacking
    low = np.where(average, np.nan, low)
    high = np.where(average, np.nan, high)
    low = np.where(whole | (part & np.isnan(low)), rate, low)
    high = np.where(whole | (part & np.isnan(high)), rate, high)
    low, high = (
        np.where(np.isnan(low), low, np.fmin(low, rate)),
        np.where(np.isnan(high), high, np.fmax(high, rate)),
    )
    varying = np.where(average, rate_range, 1.0)
    return (
        per * rate,
        per * low,
        per * high,
        _Errors(
            split=per * _over(np.sqrt(sums.split), sums.d),
            missing=per * _over(np.sqrt(sums.missing), sums.held),
            rounding_max=per
            * _over(
                np.where(
                    average, sums.d_max * varying, sums.n_max + np.nan_to_num(rate) * sums.d_max
                ),
                sums.d,
            ),
            rounding_sd=per
            * _over(
                np.sqrt(
                    np.where(
                        average,
                        sums.d_var * rate_sd**2,
                        sums.n_var + np.nan_to_num(rate) ** 2 * sums.d_var,
                    )
                ),
                sums.d,
            ),
            sampling=np.where(
                average & sampled,
                np.nan,
                per * _over(np.sqrt(_sampling(sums, np.nan_to_num(rate), part)), sums.d),
            ),
        ),
    )


def _sampling(sums: Sums, rate: Floats, part: Flags) -> Floats:
    """Return the sampling variance of N - rate D: what N and D share falls out where N is part."""
    together = sums.n_samp * (1 - 2 * rate) + rate**2 * sums.d_samp
    apart = sums.n_samp + rate**2 * sums.d_samp
    return np.maximum(np.where(part, together, apart), 0.0)


def _likely(
    value: Floats, lower: Floats, upper: Floats, errors: _Errors, width: Floats
) -> tuple[Floats, Floats]:
    """Return the 90 % range: the split inside its certain bounds, then the rest around it."""
    split = width * np.nan_to_num(errors.split)
    below = np.fmin(split, np.where(np.isnan(lower), np.inf, value - lower))
    above = np.fmin(split, np.where(np.isnan(upper), np.inf, upper - value))
    rest = NORMAL * np.sqrt(
        np.nan_to_num(errors.missing) ** 2
        + np.nan_to_num(errors.rounding_sd) ** 2
        + np.nan_to_num(errors.sampling) ** 2
    )
    return value - np.hypot(below, rest), value + np.hypot(above, rest)


#: totals are conserved to this, relative
EXACT = 1e-9


@dataclass(frozen=True)
class Sums(Totals):
    """What is said of the targets by all tables; arrays are targets by variables.

    Attributes
    ----------
    missing
        Variance of what is put in for units not observed.
    split
        Variance of how straddling units split.
    n_samp, d_samp
        Variance of sampling of counts, and of denominators.
    """

    missing: Floats
    split: Floats
    n_samp: Floats
    d_samp: Floats

    def at(self, rows: npt.NDArray[np.int64], count: int) -> Sums:
        """Return the sums of more targets: these at ``rows``, nothing elsewhere."""
        spread = {}
        for one in fields(self):
            values = getattr(self, one.name)
            spread[one.name] = np.zeros((count, values.shape[1]))
            spread[one.name][rows] = values
        return Sums(**spread)

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def sums_of(gathered: Gathered, spread: Spread) -> Sums:
    """Return the sums of one table, variances by its error model.

    Raises
    ------
    TableError
        What targets and remainder hold is not what the sources hold (to 1e-9): never expected.
    """
    prove_conserved(gathered)
    totals = gathered.totals
    return Sums(
        **{one.name: getattr(totals, one.name) for one in fields(Totals)},
        missing=totals.lost_square * spread.missing,
        split=totals.doubt_size * spread.phi + totals.doubt_square * spread.tau2,
        n_samp=totals.n_square * gathered.sampling,
        d_samp=totals.d_square * gathered.sampling,
    )


def prove_conserved(gathered: Gathered) -> None:
    """Raise unless targets and remainder hold what the sources hold."""
    kept = gathered.totals.n.sum(axis=0) + gathered.overall.kept
    given = gathered.overall.given
    wrong = np.abs(kept - given) > EXACT * np.maximum(np.abs(given), 1.0)
    if wrong.any():
        names = [gathered.variables[row].name for row in np.flatnonzero(wrong)]
        raise TableError(
            "tables.not_conserved",
            [
                {"variable": name, "kept": float(k), "given": float(g)}
                for name, k, g in zip(names, kept[wrong], given[wrong], strict=True)
            ],
            variables=names,
        )
