"""Learn how far straddling units split otherwise than their shares say: ``learn``, ``Spread``.

The model: of a unit that holds ``x`` and straddles an outline, the part inside misses the share's
by an error of variance ``phi x q + tau2 x² q``, where ``q`` is how open the split is
(:attr:`Pairs.doubt`): people fall on either side in clumps, and whole parts of a unit are denser
than others. For N over D it is the same with D's size, times the variance of the rate among units.

It is learned one level up, where the answer is known. Census tracts are unions of the table's
units. A tract is estimated in each target the way a unit is: by what its parts hold, each placed as
the blocks of a unit are (by its own density, else by area); the answer is the sum of its parts by
their finer shares. What was missed fits ``phi`` and ``tau2``; and because misses have long tails,
the 90 % range is taken as wide as the 90th percentile of the misses of whole targets asks.

Where shares were calibrated, tracts are split by the variable that was met: of that nothing is
missed, of others how they depart from it.

Blocks have no parts to learn from. Their neighbours across the outlines do instead: a whole block
on one side and a whole one on the other, joined, are split as a cut block is, and how that one is
to be split is known (:mod:`lipgeo.crosswalk.trials`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse

from lipgeo.arrays import Floats
from lipgeo.tables.pairs import Family, Pairs
from lipgeo.tables.sums import Parents, TableSums

__all__ = ["LEVEL", "NORMAL", "Spread", "learn"]

#: what the likely range is meant to hold
LEVEL = 0.90
#: half-width of a 90 % range of the normal distribution, in standard errors
NORMAL = 1.6449
#: borrowed from Ottawa's census tracts of 2021 where there are no parents to learn from: of counts
#: placed by density and by surface, each with the width; and of ratios. benchmarks/accuracy.py
#: prints them
DENSITY = ((37.0, 0.016), 2.1)
SURFACE = ((140.0, 0.014), 2.2)
RATIO = (5.0, 0.08)
#: units that have no parts of their own miss more than tracts that were parted into theirs by
#: surface: variance, and the width that holds nine areas in ten. Of Ottawa's dissemination areas
#: of 2021 in unions of its blocks, in straight-sided areas and in its wards, against block counts
ALONE = (3.4, 1.55)
#: cells around points are not the blocks: variance of people placed by density, and by surface or
#: point, over what tracts teach of blocks, and the least width; of the same areas
POINTS = (2.0, 2.3)
#: shares by area alone miss by more: their variance is about twice that, and their tails longer
BY_AREA = (2.0, 3.1)
#: of ratios, and by area
WIDTH = SURFACE[1]
#: people are asked by household, and most live in one of three or more
_HOUSEHOLD = 3.0
#: how many observed splits the borrowed values count for
_WORTH = 10.0
#: how many observed splits it takes to part clumps from uneven density
_TOGETHER = 200.0
#: targets from which the width of the range is learned
_TARGETS = 30


@dataclass(frozen=True)
class Spread:
    """The error model of each variable; arrays have one entry a variable.

    Attributes
    ----------
    phi, tau2
        Of the model; for a ratio already times the variance of the rate among units.
    width
        Half-width of the 90 % range in standard errors of the split.
    missing
        Variance of a unit's value per what it holds: what is put in where it is not observed.
    splits, targets
        Splits of parents, and targets, that were learned from; 0 where all is borrowed.
    """

    phi: Floats
    tau2: Floats
    width: Floats
    missing: Floats
    splits: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]


def learn(sums: TableSums, pairs: Pairs, family: Family | None) -> Spread:
    """Learn the spread of each variable from the parents of the table's units.

    Parameters
    ----------
    sums
        The sums of the table.
    pairs
        The crosswalk.
    family
        The parents that areas cut; ``None`` where there are none: all is borrowed.

    Notes
    -----
    Where shares were calibrated, parents are split by those shares too: what is missed is only
    how a variable departs from the totals met.
    """
    count = len(sums.variables)
    ratio = sums.ratio
    variance = sums.overall.rate_sd**2
    # what is borrowed, and all there is where nothing can be learned
    tried = family is not None and family.tried
    dense = _is_dense(pairs)
    alone = pairs.crosswalk.coarse is None and not pairs.by_atoms and not tried
    borrowed, widest = DENSITY if dense and not alone else SURFACE
    more, least, by_area = 1.0, 0.0, 1.0
    if pairs.by_area and not tried:
        by_area, least = BY_AREA
    elif alone and dense:
        more, least = ALONE
    elif pairs.crosswalk.meta.get("blocks") == "points":
        more, least = POINTS
    first = np.where(ratio, RATIO[0], borrowed[0]) * by_area
    second = np.where(ratio, RATIO[1], borrowed[1]) * by_area
    scale = np.where(ratio, variance, 1.0)
    width = np.full(count, max(widest, least))
    splits = np.zeros(count, dtype=np.int64)
    targets = np.zeros(count, dtype=np.int64)
    phi, tau2 = first.copy(), second.copy()
    if family is not None and sums.parents is not None and not (alone and dense):
        found = _one_level_up(sums, sums.parents, family, len(pairs.targets))
        # what each split was to miss by the borrowed model, and the part of it that is clumps
        expected = found.doubt[:, None] * scale * (first * found.size + second * found.size**2)
        usable = found.usable & (expected > 0)
        splits = usable.sum(axis=0)
        part = np.divide(
            found.doubt[:, None] * scale * first * found.size,
            expected,
            out=np.zeros_like(expected),
            where=usable,
        )
        # what it did miss beside that: both terms are multiplied until they agree
        miss = np.divide(found.miss**2, expected, out=np.zeros_like(expected), where=usable)
        if tried:
            u = v = _one_factor(np.where(usable, found.miss**2, 0), np.where(usable, expected, 0))
        else:
            u, v = _fit(np.where(usable, part, 0), np.where(usable, 1 - part, 0), miss)
        phi, tau2 = phi * u, tau2 * v
        # misses have long tails: the range is as wide as nine whole targets in ten ask
        if tried and found.count < _TARGETS <= len(found.target):
            found = _in_runs(found)
        learned, targets = _widths(found, phi * scale, tau2 * scale)
        width = np.where(targets > 0, np.maximum(learned, least), width)
        if "calibration" in pairs.crosswalk.meta:
            base = DENSITY[0] if dense else SURFACE[0]
            phi, tau2 = _beside_what_was_met(sums, found, family.held, (phi, tau2), width, base)
    if alone and dense:  # nothing one level up is like them
        width = np.full(count, least)
    return Spread(
        phi=phi * scale * more * sums.left,
        tau2=tau2 * scale * more * sums.left,
        width=width,
        missing=np.where(ratio, variance, sums.overall.variance),
        splits=splits,
        targets=targets,
    )


def _one_factor(missed: Floats, expected: Floats) -> Floats:
    """Return what the borrowed values are to be multiplied with, all splits weighed together.

    Neighbours may be split the wrong way altogether: taken one by one such a split would decide.
    """
    splits = (expected > 0).sum(axis=0)
    hoped = expected.sum(axis=0)
    usual = np.divide(hoped, splits, out=np.zeros(len(hoped)), where=splits > 0)
    top, bottom = missed.sum(axis=0) + _WORTH * usual, hoped + _WORTH * usual
    return np.asarray(np.divide(top, bottom, out=np.ones(len(hoped)), where=hoped > 0))


def _beside_what_was_met(  # noqa: PLR0917
    sums: TableSums,
    found: _Misses,
    held: Floats,
    learned: tuple[Floats, Floats],
    width: Floats,
    base: tuple[float, float],
) -> tuple[Floats, Floats]:
    """Add what calibrated shares miss though parents do not show it: phi and tau2 of counts.

    ``base`` is the model of what was met, before it was.
    """
    phi, tau2 = learned
    # in standard errors of a normal range, as the width will multiply them
    normal = np.divide(NORMAL, width, out=np.ones(len(width)), where=width > 0) ** 2
    normal = np.where(sums.ratio, 0.0, normal)
    vary, rate = _rates_of_parents(found, held)
    phi = phi + base[0] * vary * rate * normal
    tau2 = tau2 + base[1] * vary * normal
    return np.maximum(phi, _split_of_sample(sums) * normal), tau2


def _rates_of_parents(found: _Misses, held: Floats) -> tuple[Floats, Floats]:
    """Return the variance of a variable per what was met, over the mean's square, and the mean.

    An area that is given what it holds of people may be given those of the wrong units: of a
    variable that is much the same everywhere nothing is missed thereby, of others as much as they
    vary.
    """
    use = found.usable & (held > 0)[:, None]
    weight = np.where(use, (found.doubt * held)[:, None], 0.0)
    each = np.divide(
        found.size, held[:, None], out=np.zeros_like(found.size), where=(held > 0)[:, None]
    )
    total = weight.sum(axis=0)
    nothing = np.zeros(len(total))
    mean = np.divide((weight * each).sum(axis=0), total, out=nothing.copy(), where=total > 0)
    spread = (weight * (each - mean) ** 2).sum(axis=0)
    return np.divide(spread, total * mean**2, out=nothing, where=total * mean > 0), mean


def _split_of_sample(sums: TableSums) -> Floats:
    """Return the least variance, per what a cut unit holds, of how its sample falls on two sides.

    Those asked fall on either side as they live, each standing for ``1 + sampling`` others; people
    are asked by household. Tracts do not show it of numbers that are adjusted to what was counted
    in each of their units.
    """
    people = np.array([one.ceiling == "population" for one in sums.variables])
    each = np.where(people, _HOUSEHOLD, 1.0)
    return np.asarray(np.where(sums.sampling > 0, (1 + sums.sampling) * each, 0.0))


def _is_dense(pairs: Pairs) -> bool:
    """Whether most people of cut units were placed by density."""
    placed = pairs.crosswalk.meta.get("placed", {})
    return bool(placed.get("density", 0.0) > placed.get("surface", 0.0))


@dataclass(frozen=True)
class _Misses:
    """Parents split among targets: what was missed; arrays are splits by variables.

    Attributes
    ----------
    target
        Position of the target; one a split.
    doubt
        How open the split is; one a split.
    size, miss
        What the parent holds, and estimate minus answer.
    usable
        Straddling splits of parents that were observed whole.
    known
        Splits of parents that were observed whole.
    count
        Number of targets.
    """

    target: npt.NDArray[np.int64]
    doubt: Floats
    size: Floats
    miss: Floats
    usable: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    count: int


def _one_level_up(sums: TableSums, parents: Parents, family: Family, targets: int) -> _Misses:
    """Estimate each parent in each target as if it were a unit, beside the answer."""
    # estimate minus answer: the parent's share of what it holds, less what its units' shares give
    whole_n, whole_d = parents.numerator[family.parent], parents.denominator[family.parent]
    n_miss = whole_n * family.share[:, None] - parents.split_numerator
    d_miss = whole_d * family.share[:, None] - parents.split_denominator
    # of a ratio: what was missed of N beyond what the miss of D explains
    top, bottom = sums.totals.numerator, sums.totals.denominator
    rate = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)[family.target]
    known = (parents.missing == 0)[family.parent] & family.peopled[:, None]
    return _Misses(
        target=family.target,
        doubt=family.doubt,
        size=np.where(sums.ratio, whole_d, whole_n),
        miss=np.where(sums.ratio, n_miss - rate * d_miss, n_miss),
        usable=known & (family.doubt > 0)[:, None],
        known=known,
        count=targets,
    )


def _fit(part: Floats, rest: Floats, miss: Floats) -> tuple[Floats, Floats]:
    """Fit what the borrowed values are to be multiplied with, by least squares, never below 0.

    One factor for both is sure, two are not: parents are all of one size, and clumps and uneven
    density look alike in them. So both are drawn to the one factor, and that to 1.
    """
    # one factor for both, drawn to 1 as by so many splits
    splits = (part + rest).sum(axis=0)
    both = (miss.sum(axis=0) + _WORTH) / (splits + _WORTH)
    # normal equations of the two factors, drawn to that one
    a = (part**2).sum(axis=0) + _TOGETHER
    b = (part * rest).sum(axis=0)
    c = (rest**2).sum(axis=0) + _TOGETHER
    p = (part * miss).sum(axis=0) + _TOGETHER * both
    q = (rest * miss).sum(axis=0) + _TOGETHER * both
    u = (p * c - q * b) / (a * c - b * b)
    v = (q * a - p * b) / (a * c - b * b)
    # where one would be below 0 it is 0, and the other is fitted alone
    return (
        np.where(v < 0, np.maximum(p / a, 0), np.maximum(u, 0)),
        np.where(u < 0, np.maximum(q / c, 0), np.maximum(v, 0)),
    )


def _in_runs(found: _Misses) -> _Misses:
    """Take neighbours along the outlines together where there are few targets, as if one each."""
    run = np.arange(len(found.target)) * _TARGETS // len(found.target)
    return replace(found, target=run, count=_TARGETS)


def _widths(found: _Misses, phi: Floats, tau2: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return how many standard errors hold nine targets in ten, and the targets counted."""
    by_target = scipy.sparse.csr_matrix(
        (np.ones(len(found.target)), (found.target, np.arange(len(found.target)))),
        shape=(found.count, len(found.target)),
    )
    # what whole targets missed, and what the model expects of them
    missed = np.abs(by_target @ np.where(found.known, found.miss, 0.0))
    size = np.where(found.known, found.size, 0.0) * found.doubt[:, None]
    variance = (by_target @ size) * phi + (by_target @ (size * found.size)) * tau2
    width = np.full(len(phi), WIDTH)
    targets = (variance > 0).sum(axis=0)
    # the 90th percentile of their ratio, where there are targets enough
    for at in np.flatnonzero(targets >= _TARGETS):
        asked = variance[:, at] > 0
        errors = np.sort(missed[asked, at] / np.sqrt(variance[asked, at]))
        width[at] = errors[min(len(errors), int(np.ceil((len(errors) + 1) * LEVEL))) - 1]
    return width, np.where(targets >= _TARGETS, targets, 0).astype(np.int64)
