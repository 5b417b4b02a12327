"""Let a count follow its own geography inside cut units: ``find_own_shares``.

People of a cut unit are shared out by where they live; of what they are the shares say nothing:
half the people, half the immigrants. But the ground on either side of an outline has whole units,
and what those hold differs. A part of a cut unit takes more of a count, the more there is of it
among the people of the part's own side near the unit::

    count of the part ~ people of the part x (local rate)^strength

The local rate is that of the side's whole units near the unit (a Gaussian kernel, the bandwidth
the spacing of the units there), drawn to the rate of the unit itself as by as many people as such
neighbours usually are.

How far local rates are taken at their word is learned for each count, where the answer is known:
a whole unit on one side and a whole one on the other, joined, are split by the rates of their
neighbours. Neighbours farther apart differ more, so the strength is taken at the distance of two
halves of one unit; before the data speak it is half of what it is at the distance of neighbours.
It is drawn to nothing by its own uncertainty (James and Stein), and is 0 where it is not two
standard errors above: rates of rare groups are mostly noise.

What is part of one whole is moved together. The parts of a cut unit hold what they held of the
whole, and all together hold what the unit holds of each count (iterative proportional fitting): so
counts that add up to a whole do so in each area as before, nothing is below 0, and the totals stay.
Where there are more of them than of the whole (people by sex beside people by origin), those that
fill it are moved together, and the others each against the rest alone. What shares were calibrated
to is known: it stays where it is, with what it is part of, and the rest moves around it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse

from lipgeo.arrays import Flags, Floats, Ints
from lipgeo.report import finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.columns import ColumnReader, OwnShares, parts_needed
from lipgeo.tables.long_table import AnyTable
from lipgeo.tables.pairs import Pairs
from lipgeo.tables.small_counts import HiddenCells
from lipgeo.tables.variables import Variable

__all__ = ["OwnGeography", "counts_beside", "find_own_shares"]

#: whether counts follow their own geography inside cut units
OwnGeography = Literal["auto", "off"]

#: pairs of neighbours asked of each cut unit: nearest, second nearest ...
_RINGS = 4
#: pairs that teach anything
_FEWEST = 20
#: how far apart the halves of a unit stand, in distances to its eighth neighbour: on a mesh that
#: one is 1.4 units away, and the halves half a unit
_HALF = 0.35
#: how sure it is, before anything is learned, how the strength grows with the distance (standard
#: error a bandwidth)
_STEADY = 0.5
#: standard errors by which a strength must be above 0
_PROOF = 2.0
#: people beyond which a unit says no more (:data:`lipgeo.crosswalk.trials`)
_ENOUGH = 2300.0
#: share of units in which parts may exceed their whole, by more than rounding, and still be parts
_BEYOND = 0.01
#: sets of parts that are tried, for each that may be filled up to the whole
_TRIED = 500
#: columns that are read into memory of a long table for it
_LONG = 256
#: rounds of fitting at most, and how near the parts come to what they held of the whole
_ROUNDS, _NEAR = 500, 1e-14


class _Whole(NamedTuple):
    """What counts are part of, and the column of the table that stands for it."""

    name: str
    column: str


class _Family(NamedTuple):
    """Counts that share a whole, and are disjoint parts of it."""

    whole: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class _Parts:
    """Parts of cut units; ordered by unit.

    Attributes
    ----------
    unit
        Position of the source.
    number
        The same, numbered from 0 without gaps.
    share
        Share of the unit, by the crosswalk.
    pair
        Position of the pair, -1 of what lies in no target.
    kernel
        Weights of whole sources near the part; parts by sources, sparse.
    """

    unit: Ints
    number: Ints
    share: Floats
    pair: Ints
    kernel: Any


@dataclass(frozen=True)
class _Couples:
    """Whole units on either side of an outline; one entry a couple.

    Attributes
    ----------
    first, second
        Positions of the sources.
    one, other
        The parts they are neighbours of.
    first_weight, second_weight
        Their own weights in the kernels of those.
    apart
        How far apart they stand, in bandwidths.
    """

    first: Ints
    second: Ints
    one: Ints
    other: Ints
    first_weight: Floats
    second_weight: Floats
    apart: Floats


def find_own_shares(
    table: AnyTable, variables: Sequence[Variable], pairs: Pairs, hidden: HiddenCells
) -> OwnShares:
    """Find how counts are shared out inside cut units by their own geography.

    Parameters
    ----------
    table
        The table. All its counts of a whole are asked, whichever are weighted: so a number does
        not depend on what it is asked with.
    variables
        What is weighted by these pairs.
    pairs
        The crosswalk; without surroundings nothing is found.
    hidden
        What zeros of the table stand for.
    """
    known = {**table.variables, **{one.name: one for one in variables}}
    families = _families_of(table, known, variables, pairs.crosswalk.weight)
    if not families:
        return OwnShares()
    parts, couples = _look_around(pairs)
    if len(couples.first) < _FEWEST:
        return OwnShares()
    names = list(dict.fromkeys(name for one in families for name in (one.whole, *one.members)))
    if not isinstance(table, CensusTable):
        if len(names) > _LONG:
            note = finding("tables.own_geography_many", "note", "", count=len(names), most=_LONG)
            return OwnShares(notes=[note])
        table = table.part([*dict.fromkeys([*names, *hidden.universes(names)])])
    reader = ColumnReader(table, pairs, hidden)
    still = _calibrated(pairs, known, set(table.columns))
    found: dict[str, Floats] = {}
    strengths: dict[str, float] = {}
    left: dict[str, float] = {}
    for family in families:
        for some in _disjoint(family, reader, known):
            members = [name for name in some.members if name not in still]
            if not members:
                continue
            counts, seen = _counts_of(some, reader, still)
            learned, rest = _learn(counts, parts, couples)
            if not (learned > 0).any():
                continue
            # of a whole that was moved itself, its parts hold what they now hold of it
            share = found.get(family.whole, parts.share)
            shares = _fit(counts, seen, parts, share, learned)
            for at, name in enumerate(members):
                found[name] = shares[:, at]
                left[name] = float(rest[at])
                if learned[at] > 0:
                    strengths[name] = float(learned[at])
    if "calibration" not in pairs.crosswalk.meta:
        # most of what is missed is where people are, of which the neighbours' rates say nothing
        left = {}
    rows = np.flatnonzero(parts.pair >= 0)
    pair = parts.pair[rows]
    notes = []
    if strengths:
        listed = [f"{name} ({power:.2f})" for name, power in strengths.items()]
        notes.append(
            finding("tables.own_geography", "note", "", variables=listed, count=len(listed))
        )
    return OwnShares(
        pair,
        pairs.source[pair],
        pairs.target[pair],
        {name: share[rows] for name, share in found.items()},
        strengths,
        left,
        notes,
    )


def counts_beside(table: AnyTable, variables: Sequence[Variable], pairs: Pairs) -> list[Variable]:
    """Return the counts that shares of some are found with: their wholes, and other parts."""
    if pairs.crosswalk.surroundings is None:
        return []
    known = {**table.variables, **{one.name: one for one in variables}}
    families = _families_of(table, known, variables, pairs.crosswalk.weight)
    names = dict.fromkeys(name for one in families for name in (one.whole, *one.members))
    return [known[name] for name in names if name in known]


# ---------------------------------------------------------------- what is part of what


def _families_of(
    table: AnyTable, known: Mapping[str, Variable], variables: Sequence[Variable], weight: str
) -> list[_Family]:
    """Return the families of what is weighted, and of their wholes; wholes come first."""
    held = set(table.columns)
    members: dict[_Whole, list[str]] = {}
    for name in table.columns:
        whole = _whole_of(name, known, held)
        if whole is not None and known[name].basis == weight:
            members.setdefault(whole, []).append(str(name))
    found: dict[_Whole, _Family] = {}

    def add(name: str) -> None:
        whole = _whole_of(name, known, held)
        if whole is None or whole in found or whole not in members:
            return
        add(whole.column)
        found[whole] = _Family(whole.column, tuple(members[whole]))

    for name in _columns_of(variables):
        add(name)
    return list(found.values())


def _columns_of(variables: Iterable[Variable]) -> list[str]:
    """Return the columns that variables are made of."""
    return [part for one in variables if one.rule != "index" for part in parts_needed(one)]


def _whole_of(name: str, known: Mapping[str, Variable], held: set[str]) -> _Whole | None:
    """Return the count that a count is part of, the nearest that the table has.

    Where it has not the total that a count stands under, all people (dwellings, households) do.
    """
    one = known.get(name)
    if one is None or one.rule != "count" or not one.part or one.denominator is None:
        return None
    for whole in (one.within, one.denominator):
        if whole is not None and whole in held and whole != name:
            return _Whole(whole, whole)
    if one.ceiling is not None and one.ceiling in held and one.ceiling != name:
        return _Whole(one.denominator, one.ceiling)
    return None


def _calibrated(pairs: Pairs, known: Mapping[str, Variable], held: set[str]) -> set[str]:
    """Return the counts that shares were calibrated to, and what those are part of."""
    found: set[str] = set()
    for name in pairs.crosswalk.meta.get("calibration", {}).get("variables", ()):
        one: str | None = str(name)
        while one is not None and one not in found:
            found.add(one)
            whole = _whole_of(one, known, held)
            one = None if whole is None else whole.column
    return found


def _disjoint(
    family: _Family, reader: ColumnReader, known: Mapping[str, Variable]
) -> list[_Family]:
    """Return a family as it is where its members can be parts of the whole, else what fills it.

    Whatever fills the whole stays together; what is left over goes one by one.
    """
    whole, why = reader.column(family.whole)
    columns = [reader.column(name) for name in family.members]
    seen = (why == 0) & np.all([reason == 0 for _, reason in columns], axis=0)
    held = {name: values[seen] for name, (values, _) in zip(family.members, columns, strict=True)}
    # each is rounded by itself, small ones of a sample to ten
    slack = {name: 2.0 * known[name].rounding for name in held if name in known}
    whole, most = whole[seen], 2.0 * known[family.whole].rounding if family.whole in known else 0.0
    total = np.sum(list(held.values()), axis=0)
    if not _exceeds(total - whole, whole, most + sum(slack.values())):
        return [family]
    # the largest first, so that the order of columns does not matter
    rest = sorted(held, key=lambda name: (-float(held[name].sum()), name))
    found: list[tuple[str, ...]] = []
    while rest:
        some = _filling(whole, most, rest, held, slack)
        found.append(some)
        rest = [name for name in rest if name not in some]
    place = {name: at for at, name in enumerate(family.members)}
    return [_Family(family.whole, tuple(sorted(some, key=place.__getitem__))) for some in found]


def _exceeds(more: Floats, whole: Floats, slack: float) -> bool:
    """Say whether something is above 0 by more than rounding, in more than a few units."""
    return bool((more > slack + 1e-9 * whole).sum() > _BEYOND * len(whole))


def _filling(
    whole: Floats,
    most: float,
    names: Sequence[str],
    held: Mapping[str, Floats],
    slack: Mapping[str, float],
) -> tuple[str, ...]:
    """Return the first of some counts with those that it fills the whole with, else it alone."""
    tried = 0

    def fill(left: Floats, rounding: float, start: int) -> tuple[str, ...] | None:
        nonlocal tried
        if not _exceeds(left, whole, rounding):
            return ()
        for at in range(start, len(names)):
            tried += 1
            if tried > _TRIED:
                return None
            name = names[at]
            further, wider = left - held[name], rounding + slack.get(name, 0.0)
            if _exceeds(-further, whole, wider):
                continue
            found = fill(further, wider, at + 1)
            if found is not None:
                return (name, *found)
        return None

    first = names[0]
    found = fill(whole - held[first], most + slack.get(first, 0.0), 1)
    return (first, *(found or ()))


def _counts_of(
    family: _Family, reader: ColumnReader, still: Collection[str]
) -> tuple[Floats, Flags]:
    """Return members and what is left of the whole, sources by classes, and where all is known.

    Members that stay ``still`` are no class, and nothing of them is left.
    """
    whole, why = reader.column(family.whole)
    columns = [reader.column(name) for name in family.members]
    seen = (why == 0) & np.all([reason == 0 for _, reason in columns], axis=0)
    counts = np.column_stack([values for values, _ in columns])
    rest = np.maximum(whole - counts.sum(axis=1), 0.0)
    moves = [name not in still for name in family.members]
    counts = np.column_stack([counts[:, moves], rest])
    counts[~seen] = 0.0
    return counts, seen


# ---------------------------------------------------------------- who is near whom


def _look_around(pairs: Pairs) -> tuple[_Parts, _Couples]:
    """Part the cut units, with the whole ones near each part, and couple those across outlines."""
    near = pairs.crosswalk.surroundings
    count = len(pairs.sources)
    span = len(pairs.targets) + 1
    nothing = np.empty(0, dtype=np.int64)
    if near is None:
        near = pairs.crosswalk.frame.iloc[:0].assign(near_id="", distance=0.0)
    source = _positions(pairs.sources, near["source_id"])
    # what lies in no target comes last
    target = _positions(pairs.targets, near["target_id"])
    target[target < 0] = span - 1
    neighbour = _positions(pairs.sources, near["near_id"])
    distance = near["distance"].to_numpy(dtype=np.float64)
    # parts: pairs of cut units, and what is left of them
    outside = pairs.shares_outside
    known = np.zeros(count, dtype=bool)
    known[source] = True
    # of units that lie in two areas at once shares do not add up: they stay as they are
    summed = np.bincount(pairs.source, pairs.share, minlength=count)
    known &= (outside >= 0) & (np.abs(summed + outside - 1) < 1e-9)
    at = pairs.crosswalk.overlaps["source_id"]
    known[_positions(pairs.sources, at)] = False
    mine = np.flatnonzero(known[pairs.source] & (pairs.share > 0))
    rest = np.flatnonzero(known & (outside > 0))
    unit = np.concatenate([pairs.source[mine], rest])
    side = np.concatenate([pairs.target[mine], np.full(len(rest), span - 1)])
    share = np.concatenate([pairs.share[mine], outside[rest]])
    pair = np.concatenate([mine, np.full(len(rest), -1)])
    # of a unit that lies on one side nothing is to be moved
    use = np.bincount(unit, minlength=count)[unit] > 1
    order = np.lexsort((side[use], unit[use]))
    unit, side, share, pair = (one[use][order] for one in (unit, side, share, pair))
    keys = unit * span + side
    asked = source * span + target
    place = np.minimum(np.searchsorted(keys, asked), max(len(keys) - 1, 0))
    met = (keys[place] == asked) if len(keys) else np.zeros(len(asked), dtype=bool)
    part, neighbour, distance = place[met], neighbour[met], distance[met]
    kernel = np.exp(-0.5 * distance**2)
    weights = scipy.sparse.csr_matrix((kernel, (part, neighbour)), shape=(len(keys), count))
    number = np.unique(unit, return_inverse=True)[1] if len(unit) else nothing
    parts = _Parts(unit, number, share, pair, weights)
    return parts, _couple(parts, part, neighbour, kernel, distance)


def _positions(index: Any, ids: Any) -> Ints:
    return np.asarray(index.get_indexer(ids.to_numpy(dtype=object)), dtype=np.int64)


def _couple(
    parts: _Parts, part: Ints, neighbour: Ints, kernel: Floats, distance: Floats
) -> _Couples:
    """Couple the nearest whole units of the two largest parts of each cut unit, and the next."""
    order = np.lexsort((neighbour, distance, part))
    part, neighbour = part[order], neighbour[order]
    kernel, distance = kernel[order], distance[order]
    starts = np.searchsorted(part, np.arange(len(parts.unit) + 1))
    held = np.diff(starts)
    # parts whose neighbours are more than the one that is asked, the largest first
    able = np.flatnonzero(held > 1)
    able = able[np.lexsort((-parts.share[able], parts.unit[able]))]
    unit = parts.unit[able]
    first = np.flatnonzero(np.append(True, unit[1:] != unit[:-1])[: len(unit)])
    first = first[(first + 1 < len(unit))]
    first = first[unit[first + 1] == unit[first]]
    one, other = able[first], able[first + 1]
    columns = []
    for ring in range(_RINGS):
        there = (held[one] > max(ring, 1)) & (held[other] > max(ring, 1))
        a, b = starts[one[there]] + ring, starts[other[there]] + ring
        columns.append(
            (neighbour[a], neighbour[b], one[there], other[there], kernel[a], kernel[b],
             distance[a] + distance[b])
        )  # fmt: skip
    found = [np.concatenate(some) for some in zip(*columns, strict=True)]
    # neighbours of several cut units are one couple: the nearest
    low, high = np.minimum(found[0], found[1]), np.maximum(found[0], found[1])
    order = np.lexsort((found[2], found[6], high, low))
    low, high = low[order], high[order]
    new = np.append(True, (low[1:] != low[:-1]) | (high[1:] != high[:-1]))[: len(low)]
    return _Couples(*(some[order][new] for some in found))


# ---------------------------------------------------------------- strength, and what it moves


def _drawn(parts: _Parts, whole: Floats) -> float:
    """Return how many people's worth local rates are drawn to the rate of the unit itself."""
    held = parts.kernel @ whole
    return float(np.median(held[held > 0])) if (held > 0).any() else 1.0


def _learn(counts: Floats, parts: _Parts, couples: _Couples) -> tuple[Floats, Floats]:
    """Return the strength of each class, 0 where none is proved, and what is missed with it.

    What was missed is the variance over that of shares of the whole alone.
    """
    whole = counts.sum(axis=1)
    near, held = parts.kernel @ counts, parts.kernel @ whole
    drawn = _drawn(parts, whole)
    p, q = couples.first, couples.second
    both, size = counts[p] + counts[q], whole[p] + whole[q]
    use = (whole[p] > 0) & (whole[q] > 0)
    rate = np.divide(both, size[:, None], out=np.zeros_like(both), where=size[:, None] > 0)

    # local rates on both sides, the couple left out
    def local(part: Ints, weight: Floats, left_out: Ints) -> Floats:
        n = np.maximum(near[part] - weight[:, None] * counts[left_out], 0.0)
        d = np.maximum(held[part] - weight * whole[left_out], 0.0)
        return np.asarray((n + drawn * rate) / (d + drawn)[:, None])

    differ = local(couples.one, couples.first_weight, p)
    differ = differ - local(couples.other, couples.second_weight, q)
    share = np.divide(whole[p], size, out=np.zeros(len(size)), where=size > 0)
    open_ = size * share * (1 - share)
    # what the first holds beyond its share of the people, and what the local rates make of that
    miss = counts[p] - share[:, None] * both
    said = open_[:, None] * differ
    worth = np.divide(1.0, open_ * (1 + size / _ENOUGH), out=np.zeros(len(size)), where=use)
    beyond = couples.apart - _HALF
    usual = float(np.mean(beyond[use])) if use.any() else 1.0
    further = beyond[:, None] * said
    # half of what usual couples differ by is theirs for standing apart, as far as is known before
    believed = said + further / max(usual, _HALF)
    power, error = _regress(miss, believed, further, worth, _times_asked(couples, use))
    doubt = np.divide(_PROOF * error, power, out=np.ones(len(power)), where=power > 0)
    strength = np.clip(power, 0.0, 1.0) * np.maximum(1 - doubt**2, 0.0)
    before = worth @ miss**2
    after = worth @ (miss - strength * said) ** 2
    left = np.divide(after, before, out=np.ones(len(before)), where=before > 0)
    return strength, np.minimum(left, 1.0)


def _times_asked(couples: _Couples, use: Flags) -> float:
    """Return in how many couples a unit is: they say so much less than as many units apart."""
    units = np.concatenate([couples.first[use], couples.second[use]])
    return len(units) / max(len(np.unique(units)), 1)


def _regress(
    miss: Floats, said: Floats, further: Floats, worth: Floats, times: float
) -> tuple[Floats, Floats]:
    """Return the strength at the distance of halves, and its standard error; one a class.

    Weighted least squares of what was missed by what was said and how that grows with distance
    beyond what is believed. The error is the sandwich's, which asks for no law of the misses.
    """
    weight = worth[:, None]
    scale = (weight * miss**2).sum(axis=0) / max(int((worth > 0).sum()), 1)
    a, b, c = (
        (weight * one * two).sum(axis=0)
        for one, two in ((said, said), (said, further), (further, further))
    )
    c = c + scale / _STEADY**2
    p, q = (weight * said * miss).sum(axis=0), (weight * further * miss).sum(axis=0)
    det = a * c - b * b
    good = det > 0
    det = np.where(good, det, 1.0)
    power, growth = (p * c - q * b) / det, (q * a - p * b) / det
    apart = miss - power * said - growth * further
    # each couple's part in the strength, as if it had not been heard in its own case
    pull = (c * said - b * further) / det
    heard = weight * (said * pull + further * (a * further - b * said) / det)
    part = weight * apart * pull / np.maximum(1 - heard, 0.1)
    error = np.sqrt(times * (part**2).sum(axis=0))
    return np.where(good, power, 0.0), np.where(good, error, np.inf)


def _fit(counts: Floats, seen: Flags, parts: _Parts, share: Floats, strength: Floats) -> Floats:
    """Return the shares of the classes in the parts, the last class left out.

    Each unit's table of parts by classes starts from share times (local rate)^strength and is
    fitted to what the unit holds of each class, and the parts of all together.
    """
    whole = counts.sum(axis=1)
    near, held = parts.kernel @ counts, parts.kernel @ whole
    drawn = _drawn(parts, whole)
    mine, all_mine = counts[parts.unit], whole[parts.unit]
    rate = np.divide(mine, all_mine[:, None], out=np.zeros_like(mine), where=mine > 0)
    local = (near + drawn * rate) / (held + drawn)[:, None]
    tilt = np.divide(local, rate, out=np.ones_like(rate), where=rate > 0) ** strength
    start = share[:, None] * tilt
    wanted = share * all_mine
    count = int(parts.number.max(initial=-1)) + 1
    starts = np.searchsorted(parts.number, np.arange(count))
    level = np.ones(len(share))
    for _ in range(_ROUNDS):
        given = start * level[:, None]
        given /= np.maximum(np.add.reduceat(given, starts, axis=0), 1e-300)[parts.number]
        holds = (given * mine).sum(axis=1)
        change = np.divide(wanted, holds, out=np.ones(len(share)), where=holds > 0)
        if np.abs(change - 1).max(initial=0.0) < _NEAR:
            break
        level *= change
    # of a unit that is not known whole, and of classes it has none of, the shares stay
    keep = seen[parts.unit][:, None] & (mine > 0)
    return np.where(keep, given, share[:, None])[:, :-1]
