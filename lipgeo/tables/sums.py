"""Sum a table's columns over the sources of each target: ``TableSums``.

Every number of a result is made from these sums, and each is one column of the table times one
column of weights, added up by group. So it does not matter who adds: arrays here
(:func:`sum_table`), or a database engine with one statement (:mod:`lipgeo.tables.engine`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from lipgeo.arrays import Flags, Floats
from lipgeo.geography.hierarchy import has_trait
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.columns import (
    REASONS,
    Classes,
    ColumnReader,
    Columns,
    HiddenCells,
    OwnShares,
    Range,
    classes_of,
    columns_of,
    range_of,
)
from lipgeo.tables.pairs import Family, Pairs
from lipgeo.tables.variables import Variable

__all__ = [
    "BASE",
    "Overall",
    "Parents",
    "TableSums",
    "Totals",
    "rounded_down",
    "spread_of",
    "sum_table",
    "variance_of",
]

#: base to which counts are rounded; small ones of a sample to a greater
BASE = 5.0


@dataclass(frozen=True)
class Totals:
    """Sums over the sources of each target; arrays are targets by variables.

    ``n`` is a source's count, or the numerator of a ratio, and ``d`` its denominator; ``s`` is the
    share of the source, ``q`` how open its split is (:attr:`Pairs.doubt`), ``x`` the count, or the
    denominator of a ratio.

    Attributes
    ----------
    numerator, denominator
        What was observed, by shares: sum of s n, s d.
    numerator_inside, numerator_straddling, denominator_inside, denominator_straddling
        What was observed in units wholly inside, and in straddling units, whole.
    numerator_square, denominator_square
        Sum of s² n, s² d.
    amount, amount_observed
        What the targets hold of what the variable counts (people, dwellings, households, else the
        crosswalk's weight), and where it was observed.
    share, share_observed
        The same of the shares themselves: for areas where nobody lives.
    missing_inside, missing_straddling
        What units not observed could hold at most, whole.
    unbounded
        Units not observed of which not even that is known; a number.
    missing_square
        Sum of the squares of s times what a unit holds, of units not observed.
    doubt_size, doubt_size_square
        Sum of q x and q x².
    numerator_rounding_max, denominator_rounding_max
        Greatest sum of rounding, of numerators and denominators.
    numerator_rounding_variance, denominator_rounding_variance
        Variance of it.
    units, straddling, shared_by_area_count
        Units met, those that straddle, and those that straddle and were shared by area only for
        want of people; numbers.
    not_applicable
        Units whose symbol says that there is no such thing; a number.
    zeros
        Published zeros of a census whose suppressed cells are zeros; a number.
    hidden, hidden_variance
        What was published as 0 and put in: sum of s times it, and of s² times its variance.
    rounded_down, rounded_up
        How much less the units wholly inside, and how much more all that are touched, can hold than
        stands in the table, by rounding and by hiding; of numerators.
    denominator_rounded_down, denominator_rounded_up
        The same of denominators.
    """

    numerator: Floats
    denominator: Floats
    numerator_inside: Floats
    numerator_straddling: Floats
    denominator_inside: Floats
    denominator_straddling: Floats
    numerator_square: Floats
    denominator_square: Floats
    amount: Floats
    amount_observed: Floats
    share: Floats
    share_observed: Floats
    missing_inside: Floats
    missing_straddling: Floats
    unbounded: Floats
    missing_square: Floats
    doubt_size: Floats
    doubt_size_square: Floats
    numerator_rounding_max: Floats
    denominator_rounding_max: Floats
    numerator_rounding_variance: Floats
    denominator_rounding_variance: Floats
    units: Floats
    straddling: Floats
    shared_by_area_count: Floats
    not_applicable: Floats
    zeros: Floats
    hidden: Floats
    hidden_variance: Floats
    rounded_down: Floats
    rounded_up: Floats
    denominator_rounded_down: Floats
    denominator_rounded_up: Floats


@dataclass(frozen=True)
class Parents:
    """Sums over the units of parents that targets cut, and over their splits.

    Attributes
    ----------
    numerator, denominator, missing
        What a parent holds, and how many of its units were not observed; parents by variables.
    split_numerator, split_denominator
        What a split holds by the units' own shares; splits by variables.
    """

    numerator: Floats
    denominator: Floats
    missing: Floats
    split_numerator: Floats
    split_denominator: Floats


@dataclass(frozen=True)
class Overall:
    """What is known of all sources together; arrays have one entry a variable.

    Attributes
    ----------
    total
        Sum of n.
    outside
        Sum of n outside all targets, less what lies in two targets: with what the targets hold it
        must be ``total``.
    rate_sd, rate_range
        Standard deviation, by denominator, and range of n / d among sources.
    variance
        Variance of n per what a source holds, each as weighty as that.
    """

    total: Floats
    outside: Floats
    rate_sd: Floats
    rate_range: Floats
    variance: Floats


@dataclass(frozen=True)
class TableSums:
    """All sums of one table over one crosswalk.

    Attributes
    ----------
    variables
        One a column.
    ratio
        Which are n over d; one a variable.
    sampling
        Variance of ``n`` over ``n``; 0 where not sampled; one a variable.
    scaled
        Which may be scaled to what was not observed (:attr:`Columns.scaled`); one a variable.
    left
        Variance of what splits miss over what they missed by the crosswalk's shares, where a count
        follows its own geography, else 1; one a variable.
    totals, overall
        By target, and of all.
    parents
        Of parents, ``None`` where there are none to learn from.
    classes, ranges
        Of medians, by position of the variable: grouped counts, or the units' own medians.
    """

    variables: tuple[Variable, ...]
    ratio: Flags
    sampling: Floats
    scaled: Flags
    left: Floats
    totals: Totals
    overall: Overall
    parents: Parents | None
    classes: Mapping[int, Classes] = field(default_factory=dict)
    ranges: Mapping[int, Range] = field(default_factory=dict)

    def select(self, which: slice) -> TableSums:
        """Return the sums of some of the variables."""
        chosen = range(len(self.variables))[which]

        def part(sums: Any) -> Any:
            return None if sums is None else _each(lambda values: values[..., which], sums)

        return TableSums(
            variables=self.variables[which],
            ratio=self.ratio[which],
            sampling=self.sampling[which],
            scaled=self.scaled[which],
            left=self.left[which],
            totals=part(self.totals),
            overall=part(self.overall),
            parents=part(self.parents),
            classes={at - chosen.start: one for at, one in self.classes.items() if at in chosen},
            ranges={at - chosen.start: one for at, one in self.ranges.items() if at in chosen},
        )

    @classmethod
    def concat(cls, parts: Sequence[TableSums], order: Sequence[int]) -> TableSums:
        """Put together the sums of some variables each, of the same table and crosswalk.

        Parameters
        ----------
        parts
            The parts.
        order
            Position in the whole of the parts' variables, one after the other.
        """
        if len(parts) == 1:
            return parts[0]
        back = np.argsort(order)

        def whole(sums: Sequence[Any]) -> Any:
            if sums[0] is None:
                return None
            return _each(lambda *values: np.concatenate(values, axis=-1)[..., back], *sums)

        variables = [one for part in parts for one in part.variables]
        starts = np.cumsum([0, *(len(part.variables) for part in parts)])
        return cls(
            variables=tuple(variables[at] for at in back),
            ratio=np.concatenate([part.ratio for part in parts])[back],
            sampling=np.concatenate([part.sampling for part in parts])[back],
            scaled=np.concatenate([part.scaled for part in parts])[back],
            left=np.concatenate([part.left for part in parts])[back],
            totals=whole([part.totals for part in parts]),
            overall=whole([part.overall for part in parts]),
            parents=whole([part.parents for part in parts]),
            classes={
                order[start + at]: one
                for start, part in zip(starts, parts, strict=False)
                for at, one in part.classes.items()
            },
            ranges={
                order[start + at]: one
                for start, part in zip(starts, parts, strict=False)
                for at, one in part.ranges.items()
            },
        )


def _each(change: Callable[..., Floats], *sums: Any) -> Any:
    """Apply a function to each array of one kind of sums."""
    kind = type(sums[0])
    return kind(*(change(*(getattr(one, f.name) for one in sums)) for f in fields(kind)))


def sum_table(
    table: CensusTable,
    variables: Sequence[Variable],
    pairs: Pairs,
    family: Family | None,
    hidden: HiddenCells | None = None,
    *,
    own: OwnShares | None = None,
) -> TableSums:
    """Sum a table in memory over the sources of each target, as sparse products.

    Raises
    ------
    TableError
        A denominator, numerator or group that a variable needs is not in the table.
    """
    # columns in the order of the crosswalk's sources, 0 where not observed
    own = OwnShares() if own is None else own
    columns = columns_of(table, variables, pairs, hidden, own)
    n, d = columns.numerator, columns.denominator
    # medians are no sums: their classes are, or else their range is kept
    classes: dict[int, Classes] = {}
    ranges: dict[int, Range] = {}
    for at, one in enumerate(variables):
        if one.groups:
            classes[at] = classes_of(table, one, pairs, columns.observed[:, at], hidden, own=own)
            if one.name in table.columns:
                # where the middle lies in a class without an end
                values, reason = ColumnReader(table, pairs).column(one.name)
                ranges[at] = range_of(values, reason == 0, pairs)
        elif one.rule == "median":
            ranges[at] = range_of(n[:, at], columns.observed[:, at], pairs)
    rate_sd, rate_range = _rates(n, d)
    return TableSums(
        variables=tuple(variables),
        ratio=columns.ratio,
        sampling=columns.sampling,
        scaled=columns.scaled,
        left=np.array([own.left.get(one.numerator or one.name, 1.0) for one in variables]),
        totals=_totals(pairs, columns, table.vintage),
        overall=Overall(
            total=n.sum(axis=0),
            outside=pairs.shares_outside @ n - columns.numerator_moved.sum(axis=0),
            rate_sd=rate_sd,
            rate_range=rate_range,
            variance=_variance_of_value(columns),
        ),
        parents=None if family is None else _parents(columns, family),
        classes=classes,
        ranges=ranges,
    )


def _totals(pairs: Pairs, columns: Columns, vintage: int | None) -> Totals:
    """Return the sums over the sources of each target: matrices of weights times columns."""
    by_share, by_square, doubt = pairs.by_share, pairs.by_square, pairs.by_doubt
    inside, straddling, touching = pairs.by_inside, pairs.by_straddling, pairs.by_touching
    n, d, seen, held = columns.numerator, columns.denominator, columns.observed, columns.amount
    # what was not observed, and what it could hold at most; nothing is known of a NaN
    lost = ~seen
    ceiling = np.where(lost, np.nan_to_num(columns.ceiling), 0.0)
    # what the error of a split grows with, and the variances of rounding
    size = np.where(columns.ratio, d, n)
    var_n, var_d = (
        variance_of(base) for base in (columns.numerator_base, columns.denominator_base)
    )
    ones = np.ones_like(n)
    # zeros of a sample that may stand for suppression
    zero = seen & (n == 0) & (columns.sampling > 0)
    return Totals(
        numerator=_without_dust(by_share @ n, columns.numerator_moved),
        denominator=_without_dust(by_share @ d, columns.denominator_moved),
        numerator_inside=inside @ n,
        numerator_straddling=straddling @ n,
        denominator_inside=inside @ d,
        denominator_straddling=straddling @ d,
        numerator_square=by_square @ n,
        denominator_square=by_square @ d,
        amount=by_share @ held,
        amount_observed=by_share @ (held * seen),
        share=by_share @ ones,
        share_observed=by_share @ (ones * seen),
        missing_inside=inside @ ceiling,
        missing_straddling=straddling @ ceiling,
        unbounded=touching @ (lost & np.isnan(columns.ceiling)).astype(np.float64),
        missing_square=by_square @ (held**2 * lost),
        doubt_size=doubt @ size,
        doubt_size_square=doubt @ size**2,
        numerator_rounding_max=by_share @ np.maximum(columns.numerator_base - 1, 0),
        denominator_rounding_max=by_share @ np.maximum(columns.denominator_base - 1, 0),
        numerator_rounding_variance=by_square @ var_n,
        denominator_rounding_variance=by_square @ var_d,
        units=touching @ ones,
        straddling=straddling @ ones,
        shared_by_area_count=straddling @ (ones * pairs.is_shared_by_area[:, None]),
        not_applicable=touching @ (columns.reason == REASONS.index("...")).astype(np.float64),
        zeros=touching @ (zero * has_trait(vintage, "zeros_may_be_suppressed")),
        hidden=_without_dust(by_share @ columns.hidden, columns.hidden_moved),
        hidden_variance=by_square @ columns.hidden_variance,
        rounded_down=inside @ rounded_down(n, columns.numerator_base),
        rounded_up=touching @ (np.maximum(columns.numerator_base - 1, 0) - columns.hidden),
        denominator_rounded_down=inside @ rounded_down(d, columns.denominator_base),
        denominator_rounded_up=touching @ np.maximum(columns.denominator_base - 1, 0),
    )


def _without_dust(held: Floats, more: Floats) -> Floats:
    """Add what was moved; nothing is below 0 but by the rounding of such a sum."""
    return np.asarray(np.maximum(held + more, 0.0))


def _parents(columns: Columns, family: Family) -> Parents:
    """Return what parents hold, and what their splits hold by the units' own shares."""
    n, d = columns.numerator[family.rows], columns.denominator[family.rows]
    lost = (~columns.observed[family.rows]).astype(np.float64)
    return Parents(
        numerator=family.unions @ n,
        denominator=family.unions @ d,
        missing=family.unions @ lost,
        split_numerator=family.fine @ n,
        split_denominator=family.fine @ d,
    )


def rounded_down(count: Floats, base: Floats) -> Floats:
    """Return how much less than a published count there can be.

    A small one of a sample (base 10) may have been nothing; others lie within their base.
    """
    most = np.where(base > BASE, count, np.maximum(base - 1, 0))
    return np.minimum(count, most)


def variance_of(base: Floats) -> Floats:
    """Return the variance of unbiased random rounding to a base, over all last digits alike."""
    return np.where(base > 0, (base**2 - 1) / 6, 0.0)


def _rates(n: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Return the standard deviation of N / D among units, by their D, and its range."""
    whole = d.sum(axis=0)
    zero = np.zeros(n.shape[1])
    mean = np.divide(n.sum(axis=0), whole, out=zero.copy(), where=whole > 0)
    rate = np.divide(n, d, out=np.broadcast_to(mean, n.shape).copy(), where=d > 0)
    variance = np.divide((d * (rate - mean) ** 2).sum(axis=0), whole, out=zero, where=whole > 0)
    return np.sqrt(variance), np.ptp(rate, axis=0) if len(rate) else zero


def _variance_of_value(columns: Columns) -> Floats:
    """Return the variance of a count per what its unit holds, each as weighty as that."""
    held = columns.amount * columns.observed
    square = np.divide(
        columns.numerator**2, held, out=np.zeros_like(columns.numerator), where=held > 0
    )
    return spread_of(
        held.sum(axis=0), (columns.numerator * (held > 0)).sum(axis=0), square.sum(axis=0)
    )


def spread_of(held: Floats, n: Floats, square: Floats) -> Floats:
    """Return the variance of n / held, weighted by held, from sums of held, n and n² / held.

    What is left of a difference of such sums where nothing varies is their rounding: below a
    10^-10 of the mean's square there is no variance.
    """
    mean = np.divide(n, held, out=np.zeros_like(held), where=held > 0)
    raw = np.divide(square, held, out=np.zeros_like(held), where=held > 0)
    variance = raw - mean**2
    return np.where(variance > 1e-10 * mean**2, variance, 0.0)
