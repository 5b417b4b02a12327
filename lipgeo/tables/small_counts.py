"""Model counts under 10 that are published as 0: what a zero stands for, and its variance.

Counts of a variable are taken to be negative binomial, ``mean = rate x universe of the unit``, one
rate and one spread a variable; the cells are what rounding and hiding make of them; both are found
by maximum likelihood. A zero then stands for the mean of what is under 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.optimize
import scipy.special

from lipgeo.arrays import Flags, Floats, Ints
from lipgeo.report import Finding
from lipgeo.tables.census_table import CensusTable

__all__ = [
    "LIMIT",
    "HiddenCells",
    "PublishedCells",
    "SmallCounts",
    "cells_of",
    "evidence_of_hiding",
    "expect",
    "fit_small_counts",
    "read_count",
    "small_of",
]

#: counts below this are hidden
LIMIT = 10
#: cells with a number that a variable needs before its zeros are read
_FEWEST = 20
#: counts from which the probability is smooth enough to be taken at the number itself
_SMOOTH = 40.0


@dataclass(frozen=True)
class PublishedCells:
    """Cells of one variable: published values and universes, each pair once and how often."""

    value: Floats
    universe: Floats
    times: Floats


@dataclass(frozen=True)
class SmallCounts:
    """What counts of a variable are drawn from.

    Attributes
    ----------
    rate, shape
        People per person of the universe, and the shape of the negative binomial.
    likelihood
        Logarithm of how likely the cells are by it.
    universe
        Column of the universe.
    factor
        By larger unit, what brings its zeros to its published total; ``None`` where none is known.
    """

    rate: float
    shape: float
    likelihood: float
    universe: str = ""
    factor: Floats | None = None


@dataclass(frozen=True)
class HiddenCells:
    """What the zeros of a table stand for; worked out column by column, so that none is held.

    Attributes
    ----------
    models
        By variable, what its counts are drawn from.
    group
        The larger unit each unit of the table is part of, by position, -1 where in none; ``None``
        without published totals.
    notes
        What was found.
    summed
        By total that was summed of columns, the parts of it that have models: it hides what they
        hide.
    """

    models: Mapping[str, SmallCounts] = field(default_factory=dict)
    group: Ints | None = None
    notes: Sequence[Finding] = ()
    summed: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.models or name in self.summed

    def universes(self, names: Iterable[str]) -> list[str]:
        """Return the columns that are needed beside some to say what they hide."""
        every = [part for name in names for part in (self.summed.get(name) or [name])]
        return [self.models[name].universe for name in every if name in self.models]

    def of(self, table: CensusTable, name: str) -> tuple[Floats, Floats]:
        """Return mean and variance of what each cell of a column hides, 0 where it hides nothing.

        ``table`` is the table, or a part of its columns with the variable and its universe; both
        arrays are in the order of its units.
        """
        if name in self.summed:
            parts = [self.of(table, part) for part in self.summed[name]]
            mean, variance = (np.sum(some, axis=0) for some in zip(*parts, strict=True))
            return mean, variance
        if name not in self.models:
            return np.zeros(len(table)), np.zeros(len(table))
        model = self.models[name]
        value, universe, seen = read_count(table, name, model.universe)
        mean, variance, most = expect(model, value, universe, seen)
        if model.factor is not None and self.group is not None:
            factor = np.where(self.group >= 0, model.factor[np.maximum(self.group, 0)], 1.0)
            mean = np.minimum(mean * factor, most)
            variance = variance * np.minimum(factor, 1.0) ** 2
        return mean, variance


def read_count(table: CensusTable, name: str, universe: str | None) -> tuple[Floats, Floats, Flags]:
    """Return a count, its universe, and where both are known."""
    value, whole = table.values(name), table.values(str(universe))
    seen = table.is_observed(name) & table.is_observed(str(universe))
    return np.nan_to_num(value), np.nan_to_num(whole), seen


def cells_of(table: CensusTable, name: str, universe: str | None) -> PublishedCells | None:
    """Return the cells of a variable, ``None`` where too few hold a number or none is 0."""
    value, whole, seen = read_count(table, name, universe)
    seen &= whole > 0
    # rounded to base 5 and never 5: another count is no such count
    used = value[seen]
    if (used >= LIMIT).sum() < _FEWEST or not (used == 0).any() or ((used % 5) != 0).any():
        return None
    if ((used > 0) & (used < LIMIT)).any():
        return None
    # universes in steps of 3 percent: nothing hangs on less; value and step make one number
    steps = np.round(np.log(whole[seen]) / 0.03)
    first = steps.min()
    width = int(steps.max() - first) + 1
    key = used.astype(np.int64) * width + (steps - first).astype(np.int64)
    pairs, times = np.unique(key, return_counts=True)
    known: Floats = np.exp((pairs % width + first) * 0.03)
    return PublishedCells((pairs // width).astype(np.float64), known, times.astype(np.float64))


def small_of(cells: PublishedCells) -> float:
    """Return how many cells hold a small count: these tell hiding from rounding."""
    return float(cells.times[(cells.value > 0) & (cells.value <= 2 * LIMIT)].sum())


def evidence_of_hiding(cells: Sequence[PublishedCells]) -> float:
    """Return how much likelier (log) the cells are if small counts are hidden than if rounded.

    Above 0 tens are missing beside fifteens: small counts were published as 0. Below, small counts
    were rounded to 0 or 10 at random.
    """
    return float(
        sum(
            fit_small_counts(one, hides=True).likelihood
            - fit_small_counts(one, hides=False).likelihood
            for one in cells
        )
    )


def _log_probability(count: Floats, mean: Floats, shape: float) -> Floats:
    """Return the logarithm of the negative binomial."""
    count = np.maximum(count, 0.0)
    return np.asarray(
        scipy.special.gammaln(count + shape)
        - scipy.special.gammaln(shape)
        - scipy.special.gammaln(count + 1)
        + shape * np.log(shape / (shape + mean))
        + count * np.log(mean / (shape + mean))
    )


def fit_small_counts(cells: PublishedCells, *, hides: bool) -> SmallCounts:
    """Find rate and shape by maximum likelihood."""
    start = max(float((cells.times * cells.value).sum() / (cells.times @ cells.universe)), 1e-7)

    def loss(point: Floats) -> float:
        rate, shape = np.exp(np.clip(point, -18, 8))
        return -_likelihood(cells, rate, shape, hides=hides)

    found = scipy.optimize.minimize(
        loss,
        np.log([start, 0.5]),
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-3, "maxiter": 200},
    )
    rate, shape = np.exp(np.clip(found.x, -18, 8))
    return SmallCounts(float(rate), float(shape), -float(found.fun))


def _likelihood(cells: PublishedCells, rate: float, shape: float, *, hides: bool) -> float:
    """Return the log likelihood of cells: small counts hidden, or rounded to 0 or 10."""
    mean = rate * cells.universe
    zero, large = cells.value == 0, cells.value >= _SMOOTH
    middle = ~zero & ~large
    found = np.empty(len(mean))
    under = np.arange(LIMIT, dtype=np.float64)[:, None]
    small = np.exp(_log_probability(under, mean[None, zero], shape))
    found[zero] = (small if hides else small * (1 - under / LIMIT)).sum(axis=0)
    # a count is rounded to base 5, up or down at random, so that its mean stays
    moved = np.arange(-4, 5, dtype=np.float64)[:, None]
    count = cells.value[None, middle] + moved
    each = np.exp(_log_probability(count, mean[None, middle], shape)) * (1 - np.abs(moved) / 5)
    found[middle] = np.where(count >= LIMIT, each, 0.0).sum(axis=0)
    if not hides:
        ten = middle & (cells.value == LIMIT)
        each = np.exp(_log_probability(under, mean[None, ten], shape))
        found[ten] += (each * under / LIMIT).sum(axis=0)
    found[large] = 5 * np.exp(_log_probability(cells.value[large], mean[large], shape))
    return float(cells.times @ np.log(np.maximum(found, 1e-300)))


def _under_limit(model: SmallCounts, universe: Floats) -> tuple[Floats, Floats]:
    """Return mean and variance of a count under the limit."""
    under = np.arange(LIMIT, dtype=np.float64)[:, None]
    weight = np.exp(_log_probability(under, model.rate * universe[None, :], model.shape))
    weight /= weight.sum(axis=0)
    mean = (under * weight).sum(axis=0)
    return mean, (under**2 * weight).sum(axis=0) - mean**2


def expect(
    model: SmallCounts, value: Floats, universe: Floats, seen: Flags
) -> tuple[Floats, Floats, Floats]:
    """Return mean and variance of what cells hide, and the most they can."""
    zero = seen & (value == 0) & (universe > 0)
    mean, variance = np.zeros(len(value)), np.zeros(len(value))
    if zero.any():
        mean[zero], variance[zero] = _under_limit(model, universe[zero])
    # nobody can be more than there are
    most = np.minimum(universe, LIMIT - 1)
    return np.minimum(mean, most), variance, most
