"""``Gathered``: what is summed over the units of a table, and all that is summed.

Every number of a result is made from these sums, and each is one column of the table times one
column of weights, added up by group. So it does not matter who adds: arrays here
(:func:`gather`), or a database engine with one statement (:mod:`lipgeo.tables.engine`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from lipgeo.arrays import Flags, Floats
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.columns import REASONS, Classes, Columns, Range, classes_of, columns_of, range_of
from lipgeo.tables.pairs import Family, Pairs
from lipgeo.tables.variables import Variable

__all__ = ["Gathered", "Overall", "Parents", "Totals", "gather", "spread_of", "variance_of"]


@dataclass(frozen=True)
class Totals:
    """Sums over the sources of each target; arrays are targets by variables.

    ``s`` is the share of a source, ``q`` how open its split is (:attr:`Pairs.doubt`), ``x`` the
    count, or the denominator of a ratio.

    Attributes
    ----------
    n, d
        What was observed, by shares: sum of s n, s d.
    n_in, n_str, d_in, d_str
        What was observed in units wholly inside, and in straddling units, whole.
    n_square, d_square
        Sum of s² n, s² d.
    held, held_observed
        What the targets hold of what the variable counts (people, dwellings, households, else the
        crosswalk's weight), and where it was observed.
    share, share_observed
        The same of the shares themselves: for areas where nobody lives.
    missing_in, missing_str
        What units not observed could hold at most, whole.
    unbounded
        Units not observed of which not even that is known; a number.
    lost_square
        Sum of s² held² of units not observed.
    doubt_size, doubt_square
        Sum of q x and q x².
    n_max, d_max, n_var, d_var
        Greatest sum of rounding, and its variance, of numerators and denominators.
    units, straddling, area_based
        Units met, those that straddle, and those that straddle and were shared by area only for
        want of people; numbers.
    not_applicable
        Units whose symbol says that there is no such thing; a number.
    zeros
        Published zeros of a census whose suppressed cells are zeros; a number.
    """

    n: Floats
    d: Floats
    n_in: Floats
    n_str: Floats
    d_in: Floats
    d_str: Floats
    n_square: Floats
    d_square: Floats
    held: Floats
    held_observed: Floats
    share: Floats
    share_observed: Floats
    missing_in: Floats
    missing_str: Floats
    unbounded: Floats
    lost_square: Floats
    doubt_size: Floats
    doubt_square: Floats
    n_max: Floats
    d_max: Floats
    n_var: Floats
    d_var: Floats
    units: Floats
    straddling: Floats
    area_based: Floats
    not_applicable: Floats
    zeros: Floats


@dataclass(frozen=True)
class Parents:
    """Sums over the units of parents that targets cut, and over their splits.

    Attributes
    ----------
    n, d, lost
        What a parent holds, and its units not observed; parents by variables.
    fine_n, fine_d
        What a split holds by the units' own shares; splits by variables.
    """

    n: Floats
    d: Floats
    lost: Floats
    fine_n: Floats
    fine_d: Floats


@dataclass(frozen=True)
class Overall:
    """What is known of all sources together; arrays have one entry a variable.

    Attributes
    ----------
    given
        Sum of n.
    kept
        Sum of n outside all targets, less what lies in two targets: with what the targets hold it
        must be ``given``.
    rate_sd, rate_range
        Standard deviation, by denominator, and range of n / d among sources.
    variance
        Variance of n per what a source holds, each as weighty as that.
    """

    given: Floats
    kept: Floats
    rate_sd: Floats
    rate_range: Floats
    variance: Floats


@dataclass(frozen=True)
class Gathered:
    """All sums of one table over one crosswalk.

    Attributes
    ----------
    variables
        One a column.
    ratio
        Which are n over d; one a variable.
    sampling
        Variance of ``n`` over ``n``; 0 where not sampled; one a variable.
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
    totals: Totals
    overall: Overall
    parents: Parents | None
    classes: Mapping[int, Classes] = field(default_factory=dict)
    ranges: Mapping[int, Range] = field(default_factory=dict)

    def some(self, which: slice) -> Gathered:
        """Return what was gathered of some of the variables."""
        chosen = range(len(self.variables))[which]

        def part(sums: Any) -> Any:
            return None if sums is None else _each(lambda values: values[..., which], sums)

        return Gathered(
            variables=self.variables[which],
            ratio=self.ratio[which],
            sampling=self.sampling[which],
            totals=part(self.totals),
            overall=part(self.overall),
            parents=part(self.parents),
            classes={at - chosen.start: one for at, one in self.classes.items() if at in chosen},
            ranges={at - chosen.start: one for at, one in self.ranges.items() if at in chosen},
        )

    @classmethod
    def joined(cls, parts: Sequence[Gathered], order: Sequence[int]) -> Gathered:
        """Put together what was gathered of some variables each, of the same table and crosswalk.

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


def gather(
    table: CensusTable, variables: Sequence[Variable], pairs: Pairs, family: Family | None
) -> Gathered:
    """Take all sums of a table in memory, as sparse products.

    Raises
    ------
    TableError
        A denominator, numerator or group that a variable needs is not in the table.
    """
    columns = columns_of(table, variables, pairs)
    n, d = columns.n, columns.d
    classes: dict[int, Classes] = {}
    ranges: dict[int, Range] = {}
    for at, one in enumerate(variables):
        if one.groups:
            classes[at] = classes_of(table, one, pairs, columns.observed[:, at])
        elif one.rule == "median":
            ranges[at] = range_of(n[:, at], columns.observed[:, at], pairs)
    rate_sd, rate_range = _rates(n, d)
    return Gathered(
        variables=tuple(variables),
        ratio=columns.ratio,
        sampling=columns.sampling,
        totals=_totals(pairs, columns, table.vintage),
        overall=Overall(
            given=n.sum(axis=0),
            kept=pairs.kept @ n,
            rate_sd=rate_sd,
            rate_range=rate_range,
            variance=_variance_of_value(columns),
        ),
        parents=None if family is None else _parents(columns, family),
        classes=classes,
        ranges=ranges,
    )


def _totals(pairs: Pairs, columns: Columns, vintage: int | None) -> Totals:
    by_share, by_square, doubt = pairs.by_share, pairs.by_square, pairs.by_doubt
    inside, straddling, touching = pairs.by_inside, pairs.by_straddling, pairs.by_touching
    n, d, seen, held = columns.n, columns.d, columns.observed, columns.held
    lost = ~seen
    ceiling = np.where(lost, np.nan_to_num(columns.ceiling), 0.0)
    size = np.where(columns.ratio, d, n)
    var_n, var_d = (variance_of(base) for base in (columns.n_base, columns.d_base))
    ones = np.ones_like(n)
    zero = seen & (n == 0) & (columns.sampling > 0)
    return Totals(
        n=by_share @ n,
        d=by_share @ d,
        n_in=inside @ n,
        n_str=straddling @ n,
        d_in=inside @ d,
        d_str=straddling @ d,
        n_square=by_square @ n,
        d_square=by_square @ d,
        held=by_share @ held,
        held_observed=by_share @ (held * seen),
        share=by_share @ ones,
        share_observed=by_share @ (ones * seen),
        missing_in=inside @ ceiling,
        missing_str=straddling @ ceiling,
        unbounded=touching @ (lost & np.isnan(columns.ceiling)).astype(np.float64),
        lost_square=by_square @ (held**2 * lost),
        doubt_size=doubt @ size,
        doubt_square=doubt @ size**2,
        n_max=by_share @ np.maximum(columns.n_base - 1, 0),
        d_max=by_share @ np.maximum(columns.d_base - 1, 0),
        n_var=by_square @ var_n,
        d_var=by_square @ var_d,
        units=touching @ ones,
        straddling=straddling @ ones,
        area_based=straddling @ (ones * pairs.shared_by_area[:, None]),
        not_applicable=touching @ (columns.reason == REASONS.index("...")).astype(np.float64),
        zeros=touching @ (zero * float(vintage is not None and vintage <= 2006)),
    )


def _parents(columns: Columns, family: Family) -> Parents:
    n, d = columns.n[family.rows], columns.d[family.rows]
    lost = (~columns.observed[family.rows]).astype(np.float64)
    return Parents(
        n=family.unions @ n,
        d=family.unions @ d,
        lost=family.unions @ lost,
        fine_n=family.fine @ n,
        fine_d=family.fine @ d,
    )


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
    held = columns.held * columns.observed
    square = np.divide(columns.n**2, held, out=np.zeros_like(columns.n), where=held > 0)
    return spread_of(held.sum(axis=0), (columns.n * (held > 0)).sum(axis=0), square.sum(axis=0))


def spread_of(held: Floats, n: Floats, square: Floats) -> Floats:
    """Return the variance of n / held, weighted by held, from sums of held, n and n² / held.

    What is left of a difference of such sums where nothing varies is their rounding: below a
    10^-10 of the mean's square there is no variance.
    """
    mean = np.divide(n, held, out=np.zeros_like(held), where=held > 0)
    raw = np.divide(square, held, out=np.zeros_like(held), where=held > 0)
    variance = raw - mean**2
    return np.where(variance > 1e-10 * mean**2, variance, 0.0)
