"""``Spread``: how far straddling units split otherwise than their shares say, learned from data.

The model: of a unit that holds ``x`` and straddles an outline, the part inside misses the share's
by an error of variance ``phi x q + tau2 x² q``, where ``q`` is how open the split is
(:attr:`Pairs.doubt`): people fall on either side in clumps, and whole parts of a unit are denser
than others. For N over D it is the same with D's size, times the variance of the rate among units.

It is learned one level up, where the answer is known. Census tracts are unions of the table's
units. A tract is estimated in each target the way a unit is: by what its parts hold, each cut by
area; the answer is the sum of its parts by their finer shares. What was missed fits ``phi`` and
``tau2``; and because misses have long tails, the 90 % range is taken as wide as the 90th
percentile of the misses of whole targets asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from lipgeo.tables.columns import Columns
from lipgeo.tables.pairs import Pairs

__all__ = ["LEVEL", "NORMAL", "Family", "Spread", "learn"]

Floats = npt.NDArray[np.float64]

#: what the likely range is meant to hold
LEVEL = 0.90
#: half-width of a 90 % range of the normal distribution, in standard errors
NORMAL = 1.6449
#: borrowed from Ottawa's census tracts of 2021 where there are no parents to learn from; see
#: benchmarks/estimates.py, which prints them
COUNT = (70.0, 0.025)
RATIO = (5.0, 0.08)
WIDTH = 2.2
#: shares by area alone miss by more: their variance is about twice that, and their tails longer
BY_AREA = (2.0, 3.1)
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


def learn(pairs: Pairs, columns: Columns, family: Family | None) -> Spread:
    """Learn the spread of each variable from the parents of the table's units.

    Parameters
    ----------
    pairs, columns
        The crosswalk, and the table in its order.
    family
        The parents that areas cut; ``None`` where there are none: all is borrowed.

    Notes
    -----
    Where shares were calibrated, parents are split by those shares too: what is missed is only
    how a variable departs from the totals met.
    """
    count = len(columns.variables)
    variance = columns.rate_sd**2
    more, widest = BY_AREA if pairs.by_area else (1.0, WIDTH)
    first = np.where(columns.ratio, RATIO[0], COUNT[0]) * more
    second = np.where(columns.ratio, RATIO[1], COUNT[1]) * more
    scale = np.where(columns.ratio, variance, 1.0)
    width = np.full(count, widest)
    splits = np.zeros(count, dtype=np.int64)
    targets = np.zeros(count, dtype=np.int64)
    phi, tau2 = first.copy(), second.copy()
    if family is not None:
        found = _one_level_up(pairs, columns, family)
        expected = found.doubt[:, None] * scale * (first * found.size + second * found.size**2)
        usable = found.usable & (expected > 0)
        splits = usable.sum(axis=0)
        part = np.divide(
            found.doubt[:, None] * scale * first * found.size,
            expected,
            out=np.zeros_like(expected),
            where=usable,
        )
        miss = np.divide(found.miss**2, expected, out=np.zeros_like(expected), where=usable)
        u, v = _fit(np.where(usable, part, 0), np.where(usable, 1 - part, 0), miss)
        phi, tau2 = phi * u, tau2 * v
        learned, targets = _widths(found, phi * scale, tau2 * scale)
        least = widest if more > 1 else 0.0
        width = np.where(targets > 0, np.maximum(learned, least), width)
    return Spread(
        phi=phi * scale,
        tau2=tau2 * scale,
        width=width,
        missing=np.where(columns.ratio, variance, _variance_of_value(columns)),
        splits=splits,
        targets=targets,
    )


@dataclass(frozen=True)
class Family:
    """Parents that areas cut, and how they are split: what learning needs of a crosswalk.

    Attributes
    ----------
    rows
        Sources that are members of such parents.
    unions
        1 where a source is part of a parent; parents by ``rows``, sparse.
    fine
        Shares of sources; splits by ``rows``, sparse. A split is a parent and a target.
    parent, target
        Positions; one a split.
    share
        Share of the parent in the target, taken as a unit's is; one a split.
    doubt
        How open the split is; 0 where it does not straddle.
    peopled
        Whether the parent holds anything; one a split.
    """

    rows: npt.NDArray[np.int64]
    unions: Any
    fine: Any
    parent: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    share: Floats
    doubt: Floats
    peopled: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, pairs: Pairs, parents: pd.Series) -> Family | None:
        """Find the parents that targets cut; ``None`` where there is nothing to learn."""
        if not pairs.straddling.any() or not parents.notna().any():
            return None
        codes, known = pd.factorize(parents.reindex(pairs.sources))
        cut = np.zeros(len(known), dtype=bool)
        owner = codes[pairs.source]
        cut[owner[(owner >= 0) & (pairs.area_share < 1)]] = True
        whole = pd.Series(pairs.target[owner >= 0]).groupby(owner[owner >= 0]).nunique()
        cut[whole.index[whole > 1]] = True
        member = (codes >= 0) & cut[codes]
        rows = np.flatnonzero(member)
        place = np.cumsum(member) - 1
        code, count = pd.factorize(codes[rows])[0], int(cut.sum())
        unions = scipy.sparse.csr_matrix(
            (np.ones(len(rows)), (code, np.arange(len(rows)))), shape=(count, len(rows))
        )
        mine = member[pairs.source]
        at = place[pairs.source[mine]]
        key = code[at] * len(pairs.targets) + pairs.target[mine]
        split, which = np.unique(key, return_inverse=True)
        parent, target = np.divmod(split, len(pairs.targets))
        shape = (len(split), len(rows))

        def gather(values: Floats) -> Any:
            return scipy.sparse.csr_matrix((values[mine], (which, at)), shape)

        held = pairs.held[rows]
        total = (unions @ held)[parent]
        calibrated = "calibration" in pairs.crosswalk.meta
        part = gather(pairs.share if calibrated else pairs.area_share) @ held
        share = np.divide(part, total, out=np.zeros(len(split)), where=total > 0)
        surface = np.asarray(gather(pairs.area_share).sum(axis=1)).ravel()
        surface = surface / np.asarray(unions.sum(axis=1)).ravel()[parent]
        if pairs.by_area and pairs.counts_held:
            # units are themselves shared by area: so are their parents, of units alike in size
            share = surface
        straddling = (surface > pairs.sliver) & (surface < 1 - pairs.sliver)
        return cls(
            rows=rows,
            unions=unions,
            fine=gather(pairs.share),
            parent=parent,
            target=target,
            share=share,
            doubt=np.where(straddling, share * (1 - share) + (share - surface) ** 2, 0.0),
            peopled=total > 0,
        )


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


def _one_level_up(pairs: Pairs, columns: Columns, family: Family) -> _Misses:
    """Estimate each parent in each target as if it were a unit, beside the answer."""
    n, d = columns.n[family.rows], columns.d[family.rows]
    whole_n, whole_d = (family.unions @ n)[family.parent], (family.unions @ d)[family.parent]
    n_miss = whole_n * family.share[:, None] - family.fine @ n
    d_miss = whole_d * family.share[:, None] - family.fine @ d
    top, bottom = pairs.by_share @ columns.n, pairs.by_share @ columns.d
    rate = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)[family.target]
    lacking = family.unions @ (~columns.observed[family.rows]).astype(np.float64)
    known = (lacking == 0)[family.parent] & family.peopled[:, None]
    return _Misses(
        target=family.target,
        doubt=family.doubt,
        size=np.where(columns.ratio, whole_d, whole_n),
        miss=np.where(columns.ratio, n_miss - rate * d_miss, n_miss),
        usable=known & (family.doubt > 0)[:, None],
        known=known,
        count=len(pairs.targets),
    )


def _fit(part: Floats, rest: Floats, miss: Floats) -> tuple[Floats, Floats]:
    """Fit what the borrowed values are to be multiplied with, by least squares, never below 0.

    One factor for both is sure, two are not: parents are all of one size, and clumps and uneven
    density look alike in them. So both are drawn to the one factor, and that to 1.
    """
    splits = (part + rest).sum(axis=0)
    both = (miss.sum(axis=0) + _WORTH) / (splits + _WORTH)
    a = (part**2).sum(axis=0) + _TOGETHER
    b = (part * rest).sum(axis=0)
    c = (rest**2).sum(axis=0) + _TOGETHER
    p = (part * miss).sum(axis=0) + _TOGETHER * both
    q = (rest * miss).sum(axis=0) + _TOGETHER * both
    u = (p * c - q * b) / (a * c - b * b)
    v = (q * a - p * b) / (a * c - b * b)
    return (
        np.where(v < 0, np.maximum(p / a, 0), np.maximum(u, 0)),
        np.where(u < 0, np.maximum(q / c, 0), np.maximum(v, 0)),
    )


def _widths(found: _Misses, phi: Floats, tau2: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return how many standard errors hold nine targets in ten, and the targets counted."""
    by_target = scipy.sparse.csr_matrix(
        (np.ones(len(found.target)), (found.target, np.arange(len(found.target)))),
        shape=(found.count, len(found.target)),
    )
    missed = np.abs(by_target @ np.where(found.known, found.miss, 0.0))
    size = np.where(found.known, found.size, 0.0) * found.doubt[:, None]
    variance = (by_target @ size) * phi + (by_target @ (size * found.size)) * tau2
    width = np.full(len(phi), WIDTH)
    targets = (variance > 0).sum(axis=0)
    for at in np.flatnonzero(targets >= _TARGETS):
        asked = variance[:, at] > 0
        errors = np.sort(missed[asked, at] / np.sqrt(variance[asked, at]))
        width[at] = errors[min(len(errors), int(np.ceil((len(errors) + 1) * LEVEL))) - 1]
    return width, np.where(targets >= _TARGETS, targets, 0).astype(np.int64)


def _variance_of_value(columns: Columns) -> Floats:
    """Return the variance of a count per what its unit holds, each as weighty as that."""
    held = columns.held * columns.observed
    whole = held.sum(axis=0)
    zero = np.zeros(columns.n.shape[1])
    mean = np.divide((columns.n * (held > 0)).sum(axis=0), whole, out=zero.copy(), where=whole > 0)
    rate = np.divide(columns.n, held, out=np.zeros_like(columns.n), where=held > 0)
    return np.asarray(
        np.divide((held * (rate - mean) ** 2).sum(axis=0), whole, out=zero, where=whole > 0)
    )
