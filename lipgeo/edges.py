"""Areas of intersections from edges alone: exact, for many pairs at once, with no topology built.

The area that a unit U and an area A have in common is the integral of the product of their
indicators. Along a vertical line the indicator of A is a sum over its edges, plus or minus one
below each, so with w the winding number of A at one point above and beside U

    |U ∩ A| = w |U| + Σ_f Σ_e ± ∫ min(e(x), f(x)) dx

over the edges e of U and those edges f of A that pass near U, wherever both stand over the same
x. Every term is continuous in the coordinates: edges that touch, coincide, or cross in a vertex are
no special case, and no tolerance decides between inside and outside. Only the edges of A near U
take part, so the cost follows the outline.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

__all__ = ["PAD", "Edges", "Pairs", "base_points", "edges_of", "ranges", "shares_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Shapes = npt.NDArray[np.object_]

#: The winding number is asked for at a point outside the unit's box, by shares of its sides that
#: no drawing is likely to meet; a pair with an edge through that point is handed back.
_BESIDE, _ABOVE = 0.013718, 0.017173
_TOP = 1 + _ABOVE
#: an edge this close to that point, in sides of the box, is taken to pass through it
_CLOSE = 1e-9
#: Edges of the area up to this share of the unit's sides away take part.
PAD = 0.02
#: bins a pair's sides are sorted into; one bin holds a few sides
_SIDES_A_BIN = 3
_BINS = 1 << 14


class Edges(NamedTuple):
    """Directed edges of polygons.

    Attributes
    ----------
    first
        Where the edges of each polygon start, the end as last entry; (n + 1,).
    ends
        ``x0, y0, x1, y1`` of each edge; (m, 4).
    turn
        1 where the polygon lies to the left of the edge, -1 where to the right; (m,).
    """

    first: Ints
    ends: Floats
    turn: Floats


class Pairs(NamedTuple):
    """Pairs of a unit and an area, and the chains of the area's edges that pass near the unit.

    Attributes
    ----------
    unit
        Position among the units' edges; (p,).
    box
        The unit's box; (p, 4).
    first, chain
        The chains near each pair are ``chain[first[i]:first[i + 1]]``.
    turned
        Whether the pair is looked at along y instead of x; (p,).
    """

    unit: Ints
    box: Floats
    first: Ints
    chain: Ints
    turned: Flags

    def part(self, start: int, end: int) -> Pairs:
        """Return the pairs from ``start`` to ``end``."""
        return Pairs(
            self.unit[start:end],
            self.box[start:end],
            self.first[start : end + 1],
            self.chain,
            self.turned[start:end],
        )


class _Drawn(NamedTuple):
    """Edges in the square of their pair's unit: its box is 0 to 1 along both axes."""

    pair: Ints
    x0: Floats
    y0: Floats
    x1: Floats
    y1: Floats
    turn: Floats

    def take(self, which: Ints) -> _Drawn:
        """Return some of them."""
        return _Drawn(self.pair[which], *(column[which] for column in self[1:]))


class _Sides(NamedTuple):
    """Edges as functions over x, by pair; ``sign`` is what each adds to the indicator below it."""

    pair: Ints
    left: Floats
    right: Floats
    at_left: Floats
    at_right: Floats
    sign: Floats

    def take(self, which: Ints) -> _Sides:
        """Return some of them."""
        return _Sides(self.pair[which], *(column[which] for column in self[1:]))

    def with_(self, other: _Sides) -> _Sides:
        """Return both."""
        pair = np.concatenate([self.pair, other.pair])
        return _Sides(pair, *(np.concatenate(two) for two in zip(self[1:], other[1:], strict=True)))


def edges_of(polygons: Shapes) -> Edges:
    """Return the directed edges of polygons and multipolygons; empty ones have none."""
    if not (shapely.get_num_coordinates(polygons) > 0).any():
        return Edges(np.zeros(len(polygons) + 1, dtype=np.int64), np.empty((0, 4)), np.empty(0))
    kind, points, offsets = shapely.to_ragged_array(polygons, include_z=False)
    ring = np.asarray(offsets[0], dtype=np.int64)
    polygon = np.asarray(offsets[1], dtype=np.int64)
    shell = np.zeros(len(ring) - 1, dtype=bool)
    shell[polygon[:-1][np.diff(polygon) > 0]] = True
    if kind == shapely.GeometryType.MULTIPOLYGON:
        polygon = polygon[np.asarray(offsets[2], dtype=np.int64)]
    last = np.zeros(len(points), dtype=bool)
    last[ring[1:] - 1] = True
    start = np.flatnonzero(~last)
    ends = np.hstack([points[start], points[start + 1]])
    first = ring - np.arange(len(ring))  # a ring has one edge fewer than points
    count = np.diff(first)
    local = ends - np.repeat(np.tile(ends[first[:-1], :2], 2), count, axis=0)
    twice = np.add.reduceat(local[:, 0] * local[:, 3] - local[:, 2] * local[:, 1], first[:-1])
    turn = np.where((twice > 0) == shell, 1.0, -1.0)
    return Edges(first[polygon], ends, np.repeat(turn, count))


def base_points(box: Floats, turned: Flags) -> Floats:
    """Return the point beside each unit at which the winding number of the area is needed."""
    side = box[:, 2:] - box[:, :2]
    beside, above = box[:, :2] - _BESIDE * side, box[:, 2:] + _ABOVE * side
    along_x = np.column_stack([beside[:, 0], above[:, 1]])
    along_y = np.column_stack([above[:, 0], beside[:, 1]])
    return np.where(turned[:, None], along_y, along_x)


def shares_of(
    pairs: Pairs, winding: Floats, units: Edges, areas: Edges, chains: Ints
) -> tuple[Floats, Flags]:
    """Return the share of each unit in its area, and the pairs that edges cannot tell.

    Parameters
    ----------
    pairs
        What is asked.
    winding
        Winding number of each area at the pair's base point: 1 inside, 0 outside; (p,).
    units, areas
        Their edges.
    chains
        Where each chain of the areas' edges starts, the end as last entry.
    """
    pair, edge = ranges(units.first[pairs.unit], units.first[pairs.unit + 1])
    drawn = _in_square(pairs, pair, units, edge)
    twice = drawn.turn * (drawn.x0 * drawn.y1 - drawn.x1 * drawn.y0)
    size = np.bincount(pair, weights=twice, minlength=len(winding)) / 2
    below = _rightward(drawn)

    at, link = ranges(pairs.first[:-1], pairs.first[1:])
    chain = pairs.chain[link]
    link, edge = ranges(chains[chain], chains[chain + 1])
    drawn = _in_square(pairs, at[link], areas, edge)
    near = (np.maximum(drawn.x0, drawn.x1) > -_BESIDE) & (np.minimum(drawn.x0, drawn.x1) < 1)
    near &= (np.maximum(drawn.y0, drawn.y1) > 0) & (np.minimum(drawn.y0, drawn.y1) <= _TOP)
    above, doubtful = _cut_at_top(drawn.take(np.flatnonzero(near)))
    doubt = np.zeros(len(winding), dtype=bool)
    doubt[doubtful] = True
    with np.errstate(divide="ignore", invalid="ignore"):
        share = winding + _common(above, below, len(winding)) / size
    # what is not a share speaks of a polygon that is none
    return share, doubt | ~((share > -1e-6) & (share < 1 + 1e-6))


def _in_square(pairs: Pairs, pair: Ints, edges: Edges, edge: Ints) -> _Drawn:
    """Bring edges to the square of their pair's unit, axes swapped where the pair is turned."""
    low, side = pairs.box[:, :2], pairs.box[:, 2:] - pairs.box[:, :2]
    ends = (edges.ends[edge] - np.tile(low, 2)[pair]) * np.tile(1 / side, 2)[pair]
    turned = pairs.turned[pair]
    return _Drawn(
        pair,
        np.where(turned, ends[:, 1], ends[:, 0]),
        np.where(turned, ends[:, 0], ends[:, 1]),
        np.where(turned, ends[:, 3], ends[:, 2]),
        np.where(turned, ends[:, 2], ends[:, 3]),
        np.where(turned, -edges.turn[edge], edges.turn[edge]),
    )


def _rightward(drawn: _Drawn) -> _Sides:
    """Return edges from left to right, within the square; vertical ones are no function over x."""
    back = drawn.x1 < drawn.x0
    left, right = np.minimum(drawn.x0, drawn.x1), np.maximum(drawn.x0, drawn.x1)
    keep = np.flatnonzero((right > 0) & (left < 1) & (right > left))
    back, left, right = back[keep], left[keep], right[keep]
    y0, y1 = drawn.y0[keep], drawn.y1[keep]
    at_left, at_right = np.where(back, y1, y0), np.where(back, y0, y1)
    slope = (at_right - at_left) / (right - left)
    turn = drawn.turn[keep]
    return _Sides(
        drawn.pair[keep],
        np.maximum(left, 0.0),
        np.minimum(right, 1.0),
        np.where(left < 0, at_left - left * slope, at_left),
        np.where(right > 1, at_right + (1 - right) * slope, at_right),
        np.where(back, turn, -turn),
    )


def _cut_at_top(drawn: _Drawn) -> tuple[_Sides, Ints]:
    """Return the area's edges up to the line through the base point, and what crosses that line.

    Right of a crossing the winding number along the line is another: as if an edge ran from there
    to the right above everything. Pairs with an edge through the base point come second.
    """
    pair, x0, y0, x1, y1, turn = drawn
    high0, high1 = y0 > _TOP, y1 > _TOP
    crosses = high0 != high1
    with np.errstate(divide="ignore", invalid="ignore"):
        x = x0 + (_TOP - y0) / (y1 - y0) * (x1 - x0)
        y = y0 + (-_BESIDE - x0) / (x1 - x0) * (y1 - y0)
    beside = (np.minimum(x0, x1) <= -_BESIDE + _CLOSE) & (np.maximum(x0, x1) >= -_BESIDE - _CLOSE)
    close = (crosses & (np.abs(x + _BESIDE) < _CLOSE)) | (beside & (np.abs(y - _TOP) < _CLOSE))

    lid = np.flatnonzero(crosses & (x > -_BESIDE) & (x < 1))
    over = np.full(len(lid), 2.0)
    sign = np.where(high1, -turn, turn)[lid]
    lids = _Sides(pair[lid], np.maximum(x[lid], 0.0), np.ones(len(lid)), over, over, sign)

    cut = _Drawn(
        pair,
        np.where(crosses & high0, x, x0),
        np.where(high0, _TOP, y0),
        np.where(crosses & high1, x, x1),
        np.where(high1, _TOP, y1),
        turn,
    )
    under = _rightward(cut.take(np.flatnonzero(~(high0 & high1))))
    return lids.with_(under), pair[close]


def _common(above: _Sides, below: _Sides, count: int) -> Floats:
    """Return, for each pair, the signed sum of the areas below both sides; (count,)."""
    bins = np.clip(np.bincount(below.pair, minlength=count) // _SIDES_A_BIN, 1, _BINS)
    base = np.cumsum(bins) - bins
    above_low, above_high = _binned(above, bins, base)
    below_low, below_high = _binned(below, bins, base)
    # only sides of the unit over some side of the area
    entry, place = ranges(above_low, above_high + 1)
    busy = np.zeros(int(bins.sum()) + 1, dtype=np.int64)
    busy[1:] = np.cumsum(np.bincount(place, minlength=len(busy) - 1) > 0)
    met = np.flatnonzero(busy[below_high + 1] > busy[below_low])
    below = below.take(met)
    below_low, below_high = below_low[met], below_high[met]

    held, spot = ranges(below_low, below_high + 1)
    small = np.uint16 if len(busy) <= 1 << 16 else np.int64  # numpy sorts 16 bits by radix
    held = held[np.argsort(spot.astype(small), kind="stable")]
    start = np.zeros(len(busy), dtype=np.int64)
    np.cumsum(np.bincount(spot, minlength=len(busy) - 1), out=start[1:])
    hit, at = ranges(start[place], start[place + 1])
    one, two = entry[hit], held[at]
    # a couple that meets in several bins counts in the first
    left = np.maximum(above.left[one], below.left[two])
    right = np.minimum(above.right[one], below.right[two])
    once = np.flatnonzero(
        (right > left) & (np.maximum(above_low[one], below_low[two]) == place[hit])
    )
    one, two, left, right = one[once], two[once], left[once], right[once]

    high_left, high_right = _heights(above, one, left, right)
    low_left, low_right = _heights(below, two, left, right)
    gap_left, gap_right = high_left - low_left, high_right - low_right
    dip = np.minimum(gap_left, 0.0) + np.minimum(gap_right, 0.0)
    span = np.abs(gap_left) + np.abs(gap_right)
    lower = (low_left + low_right) / 2
    lower -= np.divide(dip * dip, 2 * span, out=np.zeros(len(dip)), where=span > 0)
    amount = above.sign[one] * below.sign[two] * (right - left) * lower
    summed = np.bincount(above.pair[one], weights=amount, minlength=count)
    return np.asarray(summed, dtype=np.float64)


def _binned(sides: _Sides, bins: Ints, base: Ints) -> tuple[Ints, Ints]:
    """Return the first and last bin each side stands over, numbered through all pairs."""
    of = bins[sides.pair]
    start = base[sides.pair]
    low = np.minimum((sides.left * of).astype(np.int64), of - 1)
    high = np.minimum((sides.right * of).astype(np.int64), of - 1)
    return start + low, start + high


def _heights(sides: _Sides, which: Ints, left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Return how high sides are at two places they stand over."""
    start, at_start = sides.left[which], sides.at_left[which]
    slope = (sides.at_right[which] - at_start) / (sides.right[which] - start)
    return at_start + (left - start) * slope, at_start + (right - start) * slope


def ranges(starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Expand ranges: the position of the range and the number, one entry a number."""
    counts = ends - starts
    owner = np.repeat(np.arange(len(starts), dtype=np.int64), counts)
    return owner, np.arange(len(owner), dtype=np.int64) + np.repeat(
        starts - (np.cumsum(counts) - counts), counts
    )
