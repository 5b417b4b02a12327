"""Bring a table's columns to the order of a crosswalk's sources, and say why values are missing.

Medians cannot be summed: of those with grouped counts the classes are summed, to interpolate in
(:class:`Classes`); of the others only the range of the units' own medians is known
(:class:`Range`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lipgeo.arrays import Flags, Floats, Ints
from lipgeo.census.data import COUNTS
from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import has_trait
from lipgeo.report import Finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.pairs import Pairs
from lipgeo.tables.variables import MISSING, Group, Variable, sampling_factor

__all__ = [
    "REASONS",
    "Classes",
    "ColumnReader",
    "Columns",
    "HiddenCells",
    "OwnShares",
    "Range",
    "Rounding",
    "classes_of",
    "columns_of",
    "parts_needed",
    "range_of",
    "require_parts",
    "rounding_of",
]

#: why a unit has no value, by code; 0 is a value
REASONS = ("", "x", "F", "..", "...", "blank", "not_in_table", "zero", "denominator")
#: long-form counts below this were rounded to 0 or to it
_SMALL = 10.0
#: blocks below this population are rounded to base 5
_SMALL_BLOCK = 15.0


@dataclass(frozen=True)
class HiddenCells:
    """What the zeros of a table stand for.

    Attributes
    ----------
    values, variances
        By variable: mean and variance of what each unit's cell hides, 0 where it hides nothing;
        in the order of the table's units.
    notes
        What was found.
    """

    values: Mapping[str, Floats] = field(default_factory=dict)
    variances: Mapping[str, Floats] = field(default_factory=dict)
    notes: Sequence[Finding] = ()


@dataclass(frozen=True)
class OwnShares:
    """Shares of counts that follow their own geography, by one crosswalk.

    Attributes
    ----------
    rows
        Positions of the pairs that have other shares.
    source, target
        Their source and target.
    shares
        By count: what stands instead of the crosswalk's share; one a row.
    strengths
        By count: how far local rates are taken at their word, above 0 and at most 1.
    left
        By count: variance of what is missed, over what was missed without.
    notes
        What was found.
    """

    rows: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    source: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    target: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    shares: Mapping[str, Floats] = field(default_factory=dict)
    strengths: Mapping[str, float] = field(default_factory=dict)
    left: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[Finding] = ()

    def share_of(self, name: str, pairs: Pairs) -> Floats:
        """Return the shares of a count; one a pair."""
        if name not in self.shares:
            return pairs.share
        share = pairs.share.copy()
        share[self.rows] = self.shares[name]
        return share

    def moved(self, name: str, held: Floats, pairs: Pairs) -> Floats:
        """Return what targets hold more of a count than by the crosswalk's shares.

        Parameters
        ----------
        name
            The count.
        held
            What sources hold of it, or of what stands for it.
        pairs
            The crosswalk.
        """
        if name not in self.shares:
            return np.zeros(len(pairs.targets))
        more = (self.shares[name] - pairs.share[self.rows]) * held[self.source]
        return np.bincount(self.target, more, minlength=len(pairs.targets)).astype(np.float64)


@dataclass(frozen=True)
class Columns:
    """Numerators, denominators and what is known of them; arrays are sources by variables.

    Attributes
    ----------
    variables
        One a column.
    numerator, denominator
        Counts, or numerators and denominators; 0 where not observed. A count has denominator 0.
    observed
        Where all that is needed is known.
    reason
        Why not: position in ``REASONS``.
    ceiling
        What numerator and denominator of a unit cannot exceed where it is not observed; NaN where
        nothing is known.
    numerator_base, denominator_base
        Base of their random rounding, 0 where exact.
    sampling
        Variance of the numerator over the numerator; 0 where not sampled; one a column.
    ratio
        Which columns are N over D; one a column.
    amount
        What each source holds of what the variable counts (people, dwellings, households), else of
        the crosswalk's weight: the measure of what was observed.
    scaled
        Which may be scaled by that measure to what was not observed; one a column. Land says
        nothing of people.
    hidden
        The part of the numerator that was published as 0.
    hidden_variance
        Variance of it, and of what the denominator has of the kind at the rate of all.
    numerator_moved, denominator_moved, hidden_moved
        What targets hold more of them than by the crosswalk's shares, where counts follow their own
        geography; targets by variables.
    """

    variables: tuple[Variable, ...]
    numerator: Floats
    denominator: Floats
    observed: Flags
    reason: npt.NDArray[np.int8]
    ceiling: Floats
    numerator_base: Floats
    denominator_base: Floats
    sampling: Floats
    ratio: Flags
    amount: Floats
    scaled: Flags
    hidden: Floats
    hidden_variance: Floats
    numerator_moved: Floats
    denominator_moved: Floats
    hidden_moved: Floats


def columns_of(
    table: CensusTable,
    variables: Sequence[Variable],
    pairs: Pairs,
    hidden: HiddenCells | None = None,
    own: OwnShares | None = None,
) -> Columns:
    """Bring a table to the order of a crosswalk's sources.

    Grouped medians become the share of people below the middle class's own middle: what can be
    said of how that share splits says how far the median can move.

    Raises
    ------
    TableError
        A denominator, numerator or group that a variable needs is not in the table.
    """
    require_parts(table.columns, variables)
    reader = ColumnReader(table, pairs, hidden, own)
    shape = (len(pairs.sources), len(variables))
    # written column by column
    n, d, ceiling, numerator_base, denominator_base, held, put_in, put_in_variance = (
        np.zeros(shape, order="F") for _ in range(8)
    )
    moved = np.zeros((3, len(pairs.targets), len(variables)))
    scaled = np.ones(len(variables), dtype=bool)
    reason = np.zeros(shape, dtype=np.int8, order="F")
    for at, one in enumerate(variables):
        n[:, at], d[:, at], reason[:, at] = reader.parts(one)
        seen = reason[:, at] == 0
        ceiling[:, at] = reader.ceiling_of(one)
        held[:, at] = reader.amounts_of(one)
        scaled[at] = reader.may_scale(one)
        put_in[:, at], put_in_variance[:, at] = reader.hidden_of(one)
        numerator_base[:, at], denominator_base[:, at] = reader.bases(one, n[:, at])
        for values in (n, d, numerator_base, denominator_base, put_in, put_in_variance):
            values[~seen, at] = 0.0
        moved[:, :, at] = reader.moved_of(one, seen)
    observed = reason == 0
    return Columns(
        variables=tuple(variables),
        numerator=n,
        denominator=d,
        observed=observed,
        reason=reason,
        ceiling=ceiling,
        numerator_base=numerator_base,
        denominator_base=denominator_base,
        sampling=np.array(
            [sampling_factor(table.vintage) if one.sampled else 0.0 for one in variables]
        ),
        ratio=np.array([one.is_ratio or bool(one.groups) for one in variables], dtype=bool),
        amount=held,
        scaled=scaled,
        hidden=put_in,
        hidden_variance=put_in_variance,
        numerator_moved=moved[0],
        denominator_moved=moved[1],
        hidden_moved=moved[2],
    )


def parts_needed(one: Variable) -> list[str]:
    """Return the columns a variable is made from."""
    if one.rule == "median":
        return [group.variable for group in one.groups] or [one.name]
    if one.is_ratio:
        return [one.numerator or one.name, str(one.denominator)]
    return [one.name]


def require_parts(columns: Iterable[str], variables: Sequence[Variable]) -> None:
    """Raise unless a table has the columns that variables are made from."""
    held = set(columns)
    problems = [
        {"variable": one.name, "needed": part}
        for one in variables
        for part in parts_needed(one)
        if part not in held
    ]
    if problems:
        raise TableError(
            "tables.parts_absent",
            problems,
            parts=[f"{p['needed']} ({p['variable']})" for p in problems],
            held=sorted(held),
        )


class Rounding(NamedTuple):
    """How a count was rounded: base ``small`` up to ``limit``, base ``base`` above."""

    base: float
    limit: float
    small: float


def rounding_of(one: Variable, level: str | None) -> Rounding:
    """Return how a count of a level was rounded; ``limit`` -1 where small counts are no other."""
    base = float(one.rounding)
    if one.sampled and one.rounding:
        return Rounding(base, _SMALL, _SMALL)
    if level == "DB" and one.ceiling == "population":
        return Rounding(base, _SMALL_BLOCK, max(base, 5.0))
    return Rounding(base, -1.0, base)


class ColumnReader:
    """Reads columns of a table in the order of a crosswalk's sources."""

    def __init__(
        self,
        table: CensusTable,
        pairs: Pairs,
        hidden: HiddenCells | None = None,
        own: OwnShares | None = None,
    ) -> None:
        self.table, self.pairs = table, pairs
        self.hidden = HiddenCells() if hidden is None else hidden
        self.own = OwnShares() if own is None else own
        self.at = table.unit_ids.get_indexer(pairs.sources)
        self.known = self.at >= 0
        self._read: dict[str, tuple[Floats, npt.NDArray[np.int8]]] = {}

    def column(self, name: str) -> tuple[Floats, npt.NDArray[np.int8]]:
        """Return values (0 where not known) and why they are not known."""
        if name not in self._read:
            values = np.full(len(self.at), np.nan)
            values[self.known] = self.table.values(name)[self.at[self.known]]
            reason = np.where(np.isnan(values), REASONS.index("blank"), 0).astype(np.int8)
            marks = self.table.marks(name)
            if marks is not None:
                symbols = np.full(len(self.at), "", dtype=object)
                symbols[self.known] = marks[self.at[self.known]]
                for symbol in MISSING:
                    reason[symbols == symbol] = REASONS.index(symbol)
            reason[~self.known] = REASONS.index("not_in_table")
            if name in self.hidden.values:
                values = values + self._hidden(self.hidden.values, name)
            self._read[name] = np.where(reason == 0, values, 0.0), reason
        return self._read[name]

    def _hidden(self, of: Mapping[str, Floats], name: str) -> Floats:
        """Return means or variances of what the zeros of a column hide, 0 where they hide nothing.

        They stand in the order of the table's units.
        """
        found = np.zeros(len(self.at))
        if name in of:
            found[self.known] = of[name][self.at[self.known]]
        return found

    def hidden_of(self, one: Variable) -> tuple[Floats, Floats]:
        """Return what of a numerator was published as 0, and the variance of it over D."""
        if one.groups or one.rule == "median":
            return np.zeros(len(self.at)), np.zeros(len(self.at))
        name = one.numerator or one.name
        mean = self._hidden(self.hidden.values, name)
        variance = self._hidden(self.hidden.variances, name)
        if one.is_ratio and str(one.denominator) in self.hidden.variances:
            top, bottom = self.column(name)[0].sum(), self.column(str(one.denominator))[0].sum()
            rate = top / bottom if one.numerator and bottom > 0 else 0.0
            variance = variance + rate**2 * self._hidden(
                self.hidden.variances, str(one.denominator)
            )
        return mean, variance

    def moved_of(self, one: Variable, seen: Flags) -> tuple[Floats, Floats, Floats]:
        """Return what targets hold more of numerator, denominator and what the numerator hides.

        Beside the crosswalk's shares, of the sources that were ``seen``.
        """

        def moved(name: str) -> Floats:
            if name not in self.own.shares:
                return np.zeros(len(self.pairs.targets))
            return self.own.moved(name, np.where(seen, self.column(name)[0], 0.0), self.pairs)

        if one.groups:
            columns = [self.column(group.variable)[0] for group in one.groups]
            below = _below(one.groups, np.sum(columns, axis=1))
            each = np.stack([moved(group.variable) for group in one.groups], axis=1)
            return each @ below, each.sum(axis=1), np.zeros(len(each))
        name = one.numerator or one.name
        put_in = self.own.moved(name, self._hidden(self.hidden.values, name) * seen, self.pairs)
        n = moved(name) if one.rule == "count" or one.numerator else np.zeros(len(put_in))
        # a rate that is published without its numerator goes by the crosswalk's shares
        d = moved(str(one.denominator)) if one.numerator else np.zeros(len(put_in))
        return n, d, put_in

    def parts(self, one: Variable) -> tuple[Floats, Floats, npt.NDArray[np.int8]]:
        """Return numerator, denominator and reason of a variable."""
        if one.groups:
            return self._group_parts(one)
        if not one.is_ratio:
            values, reason = self.column(one.name)
            return values, np.zeros(len(values)), self._zeros(one, values, reason)
        d, d_reason = self.column(str(one.denominator))
        values, n_reason = self.column(one.numerator or one.name)
        n = values if one.numerator else values * d / one.per
        # what has nobody in it has no rate, and none is missing
        empty = (d_reason == 0) & (d == 0)
        n = np.where(empty, 0.0, n)
        reason = np.where(empty, 0, n_reason).astype(np.int8)
        hidden = (reason == 0) & (d_reason != 0)
        reason = np.where(hidden, REASONS.index("denominator"), reason).astype(np.int8)
        return n, d, self._zeros(one, d, reason)

    def _zeros(
        self, one: Variable, values: Floats, reason: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int8]:
        """Mark the zeros of 2006 that stand for suppression: nobody in a unit with people."""
        if not (one.sampled and has_trait(self.table.vintage, "zeros_may_be_suppressed")):
            return reason
        whole = values
        if one.rule == "count" and one.denominator in self.table.columns:
            whole, _ = self.column(str(one.denominator))
        hidden = (reason == 0) & (whole == 0) & (self.amounts_of(one) > 0)
        return np.where(hidden, REASONS.index("zero"), reason).astype(np.int8)

    def _group_parts(self, one: Variable) -> tuple[Floats, Floats, npt.NDArray[np.int8]]:
        """Return people below a fixed point and all people of the classes of a median."""
        columns = [self.column(group.variable) for group in one.groups]
        counts = np.stack([values for values, _ in columns], axis=1)
        reason = np.max(np.stack([why for _, why in columns], axis=1), axis=1)
        below = _below(one.groups, counts.sum(axis=0))
        return counts @ below, counts.sum(axis=1), reason.astype(np.int8)

    def ceiling_of(self, one: Variable) -> Floats:
        """Return what a unit's count cannot exceed: its denominator, else its people."""
        unknown = np.full(len(self.at), np.nan)
        if one.denominator in self.table.columns and one.part:
            values, reason = self.column(str(one.denominator))
            unknown = np.where(reason == 0, values, np.nan)
        counted = None if one.ceiling is None else self.counts_of(one.ceiling)
        if counted is None:
            return unknown
        return np.where(np.isnan(unknown), counted, unknown)

    def counts_of(self, kind: str) -> Floats | None:
        """Return the people, dwellings or households of each source, where they are all known."""
        if self.pairs.counts_held and self.pairs.crosswalk.weight == kind:
            return self.pairs.amounts
        if kind not in self.table.columns:
            return None
        values, reason = self.column(kind)
        return values if not reason[self.pairs.is_touched].any() else None

    def measure_of(self, one: Variable) -> str | None:
        """Return what measures what was observed: what is counted, else people, else nothing.

        Where the crosswalk goes by land, any full count of the table is better than that.
        """
        kinds = [kind for kind in (one.ceiling, "population") if kind is not None]
        if not self.pairs.counts_held:
            kinds += [kind for kind in COUNTS if kind not in kinds]
            kinds += self._full_counts
        return next((kind for kind in kinds if self.counts_of(kind) is not None), None)

    @cached_property
    def _full_counts(self) -> list[str]:
        """Counts of the table that every unit has and that are of all people, largest first."""
        full = []
        for name, one in self.table.variables.items():
            if one.rule != "count" or one.ceiling != "population" or one.sampled:
                continue
            values, reason = self.column(name)
            if not reason[self.pairs.is_touched].any():
                full.append((float(values.sum()), name))
        return [name for _, name in sorted(full, reverse=True)[:1]]

    def may_scale(self, one: Variable) -> bool:
        """Whether what was not observed can be told by that measure: not of people by land."""
        if self.measure_of(one) is not None or self.pairs.counts_held:
            return True
        return one.ceiling is None and one.basis == "area"

    def amounts_of(self, one: Variable) -> Floats:
        """Return that measure by source; the crosswalk's weight (land) where there is none."""
        kind = self.measure_of(one)
        counted = None if kind is None else self.counts_of(kind)
        return self.pairs.amounts if counted is None else counted

    def bases(self, one: Variable, n: Floats) -> tuple[Floats, Floats]:
        """Return the bases of random rounding of numerators and denominators."""
        nothing = np.zeros(len(self.at))
        if one.rule == "count":
            return self._base(one, n), nothing
        if not one.is_ratio and not one.groups:
            return nothing, nothing
        known: Mapping[str, Variable] = self.table.variables
        if one.groups:
            first = known.get(one.groups[0].variable, one)
            base = self._base(first, n)
            return base, base
        whole = known.get(str(one.denominator))
        denominator_base = (
            nothing if whole is None else self._base(whole, self.column(whole.name)[0])
        )
        top = known.get(one.numerator) if one.numerator else None
        numerator_base = (
            denominator_base if one.rule == "average" or top is None else self._base(top, n)
        )
        return (nothing if one.rule == "average" else numerator_base), denominator_base

    def _base(self, one: Variable, values: Floats) -> Floats:
        base, limit, small = rounding_of(one, self.table.level)
        parts = self.table.parts_summed(one.name)
        if not parts:
            return np.where(values <= limit, small, base)
        # each part was rounded by itself, and moves by its base less one at most
        moved = np.zeros(len(values))
        for name in parts:
            part = self.table.variables.get(name, one)
            moved += np.maximum(self._base(part, self.column(name)[0]) - 1, 0)
        return moved + 1


def _below(groups: Sequence[Group], totals: Floats) -> Floats:
    """Return the part of each class that lies below the median of all classes together."""
    upto = np.cumsum(totals)
    if not upto[-1] > 0:
        return np.zeros(len(groups))
    half = upto[-1] / 2
    middle = int(np.searchsorted(upto, half))
    part = np.zeros(len(groups))
    part[:middle] = 1.0
    before = upto[middle - 1] if middle else 0.0
    part[middle] = (half - before) / totals[middle]
    return part


# ------------------------------------------------------------------- medians


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
        # the class in which the people counted from below reach the share
        low = np.array([group.low for group in one.groups])
        high = np.array([group.high for group in one.groups])
        upto = np.cumsum(self.by_share, axis=1)
        total = upto[:, -1]
        wanted = np.clip(share, 0, 1) * total
        at = np.argmax(upto >= wanted[:, None] * (1 - 1e-12), axis=1)
        rows = np.arange(len(total))
        here = self.by_share[rows, at]
        before = upto[rows, at] - here
        # how far into that class
        part = np.divide(wanted - before, here, out=np.zeros(len(total)), where=here > 0)
        width = (high - low)[at]
        # an open class has no inside; its lower edge is only reached from below
        inside = np.where(np.isinf(width), np.where(part > 0, np.nan, 0.0), width * part)
        return np.where(total > 0, low[at] + inside, np.nan)

    def middle_width(self, one: Variable) -> Floats:
        """Return how wide the class is that the median of each target lies in; 0 if open."""
        upto = np.cumsum(self.by_share, axis=1)
        at = np.argmax(upto >= 0.5 * upto[:, -1:] * (1 - 1e-12), axis=1)
        width = np.array([group.high - group.low for group in one.groups])[at]
        return np.where(np.isfinite(width), width, 0.0)

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


def classes_of(
    table: CensusTable,
    one: Variable,
    pairs: Pairs,
    observed: Flags,
    hidden: HiddenCells | None = None,
    *,
    own: OwnShares | None = None,
) -> Classes:
    """Sum the classes of a median over units where all of them are observed."""
    reader = ColumnReader(table, pairs, hidden, own)
    values = np.stack([reader.column(group.variable)[0] for group in one.groups], axis=1)
    counts = np.where(observed[:, None], values, 0.0)
    moved = [
        reader.own.moved(group.variable, counts[:, at], pairs)
        for at, group in enumerate(one.groups)
    ]
    return Classes(
        np.asarray(pairs.by_share @ counts + np.stack(moved, axis=1)),
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
    middle
        Their weighted median, by what each gives to the target.
    """

    least: Floats
    greatest: Floats
    units: Floats
    middle: Floats

    def __add__(self, other: Range) -> Range:
        return Range(
            np.fmin(self.least, other.least),
            np.fmax(self.greatest, other.greatest),
            self.units + other.units,
            np.where(other.units > self.units, other.middle, self.middle),
        )

    def at(self, rows: npt.NDArray[np.int64], count: int) -> Range:
        """Return the ranges of more targets: these at ``rows``, nothing elsewhere."""
        parts = [np.full(count, np.nan), np.full(count, np.nan), np.zeros(count)]
        parts.append(np.full(count, np.nan))
        own = (self.least, self.greatest, self.units, self.middle)
        for whole, values in zip(parts, own, strict=True):
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
    middle = np.full(count, np.nan)
    rows = np.flatnonzero(met)
    rows = rows[np.lexsort((values[pairs.source[rows]], pairs.target[rows]))]
    weight = pairs.share[rows] * pairs.amounts[pairs.source[rows]]
    for target in np.unique(pairs.target[rows]):
        mine = rows[pairs.target[rows] == target]
        upto = np.cumsum(weight[pairs.target[rows] == target])
        if upto[-1] > 0:
            middle[target] = values[pairs.source[mine[np.searchsorted(upto, upto[-1] / 2)]]]
    return Range(
        np.where(units > 0, least, np.nan), np.where(units > 0, greatest, np.nan), units, middle
    )
