"""Medians of areas: interpolated from grouped counts, else only the range of the units' own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lipgeo.tables.pairs import Pairs
from lipgeo.tables.table import CensusTable
from lipgeo.tables.variables import Variable

__all__ = ["Classes", "Range", "classes_of", "range_of"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Classes:
    """Grouped counts of each target; arrays are targets by classes. Those of tables add up.

    Attributes
    ----------
    by_share, inside, straddling
        Counts by shares, in units wholly inside, and in straddling units, whole.
    """

    by_share: Floats
    inside: Floats
    straddling: Floats

    def __add__(self, other: Classes) -> Classes:
        return Classes(
            self.by_share + other.by_share,
            self.inside + other.inside,
            self.straddling + other.straddling,
        )

    def at(self, rows: npt.NDArray[np.int64], count: int) -> Classes:
        """Return the counts of more targets: these at ``rows``, nothing elsewhere."""
        parts = []
        for values in (self.by_share, self.inside, self.straddling):
            spread = np.zeros((count, values.shape[1]))
            spread[rows] = values
            parts.append(spread)
        return Classes(*parts)

    def median(self, one: Variable) -> Floats:
        """Return the median of each target, NaN where nobody is counted or its class is open."""
        return self.quantile(one, np.full(len(self.by_share), 0.5))

    def quantile(self, one: Variable, share: Floats) -> Floats:
        """Return the value that a share of the people lie below, interpolated in its class."""
        low = np.array([group.low for group in one.groups])
        high = np.array([group.high for group in one.groups])
        upto = np.cumsum(self.by_share, axis=1)
        total = upto[:, -1]
        wanted = np.clip(share, 0, 1) * total
        at = np.argmax(upto >= wanted[:, None] * (1 - 1e-12), axis=1)
        rows = np.arange(len(total))
        here = self.by_share[rows, at]
        before = upto[rows, at] - here
        part = np.divide(wanted - before, here, out=np.zeros(len(total)), where=here > 0)
        width = (high - low)[at]
        # an open class has no inside; its lower edge is only reached from below
        inside = np.where(np.isinf(width), np.where(part > 0, np.nan, 0.0), width * part)
        return np.where(total > 0, low[at] + inside, np.nan)

    def bounds(self, one: Variable) -> tuple[Floats, Floats]:
        """Return edges of the classes that no split of straddling units takes the median across."""
        low = np.array([group.low for group in one.groups])
        high = np.array([group.high for group in one.groups])
        below_in, below_str = np.cumsum(self.inside, axis=1), np.cumsum(self.straddling, axis=1)
        above_in = self.inside.sum(axis=1)[:, None] - below_in
        above_str = self.straddling.sum(axis=1)[:, None] - below_str
        # lowest: all straddling people below the edge are in and none above it; highest: the other
        lowest = np.argmax(below_in + below_str >= above_in, axis=1)
        reached = below_in >= above_in + above_str
        highest = np.where(reached.any(axis=1), np.argmax(reached, axis=1), len(high) - 1)
        counted = (self.inside + self.straddling).sum(axis=1) > 0
        upper = np.where(np.isinf(high[highest]), np.nan, high[highest])
        return np.where(counted, low[lowest], np.nan), np.where(counted, upper, np.nan)


def classes_of(table: CensusTable, one: Variable, pairs: Pairs, observed: Flags) -> Classes:
    """Sum the classes of a median over units where all of them are observed."""
    at = table.unit_ids.get_indexer(pairs.sources)
    values = np.stack([table.values(group.variable)[at] for group in one.groups], axis=1)
    counts = np.where(observed[:, None], np.nan_to_num(values), 0.0)
    return Classes(
        np.asarray(pairs.by_share @ counts),
        np.asarray(pairs.by_inside @ counts),
        np.asarray(pairs.by_straddling @ counts),
    )


@dataclass(frozen=True)
class Range:
    """Least and greatest of the units' own values in each target; those of tables merge.

    Attributes
    ----------
    least, greatest
        NaN where none was observed.
    units
        Units observed in the target.
    """

    least: Floats
    greatest: Floats
    units: Floats

    def __add__(self, other: Range) -> Range:
        return Range(
            np.fmin(self.least, other.least),
            np.fmax(self.greatest, other.greatest),
            self.units + other.units,
        )

    def at(self, rows: npt.NDArray[np.int64], count: int) -> Range:
        """Return the ranges of more targets: these at ``rows``, nothing elsewhere."""
        parts = [np.full(count, np.nan), np.full(count, np.nan), np.zeros(count)]
        for whole, values in zip(parts, (self.least, self.greatest, self.units), strict=True):
            whole[rows] = values
        return Range(*parts)


def range_of(values: Floats, observed: Flags, pairs: Pairs) -> Range:
    """Return the range of units' own values among those that lie in each target beyond slivers."""
    met = (pairs.inside | pairs.straddling) & observed[pairs.source]
    count = len(pairs.targets)
    least, greatest = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(least, pairs.target[met], values[pairs.source[met]])
    np.maximum.at(greatest, pairs.target[met], values[pairs.source[met]])
    units = np.bincount(pairs.target[met], minlength=count).astype(np.float64)
    return Range(np.where(units > 0, least, np.nan), np.where(units > 0, greatest, np.nan), units)
