"""Compute areas of intersections from edges alone: exact, for many pairs at once, no topology.

The area that a unit U and an area A have in common is the integral of the product of their
indicators. Along a vertical line the indicator of A is a sum over its edges, plus or minus one
below each, so with w the winding number of A at one point above and beside U

    |U ∩ A| = w |U| + Σ_f Σ_e ± ∫ max(f(x) - e(x), 0) dx

over the edges e of U and those edges f of A that pass near U, wherever both stand over the same
x. Every term is continuous in the coordinates: edges that touch, coincide, or cross in a vertex are
no special case, and no tolerance decides between inside and outside. Only the edges of A near U
take part, so the cost follows the outline.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely

from lipgeo.arrays import Flags, Floats, Ints, Shapes

__all__ = [
    "PAD",
    "Bins",
    "Edges",
    "Lines",
    "Pairs",
    "base_points",
    "edge_boxes",
    "edges_of",
    "ranges",
    "shares_of",
    "signed_area_between",
    "upper_lines",
]

#: The winding number is asked for at a point outside the unit's box, by shares of its sides that
#: no drawing is likely to meet; a pair with an edge through that point is handed back.
_BESIDE, _ABOVE = 1.3718e-4, 1.7173e-4
_TOP = 1 + _ABOVE
#: an edge this close to that point, in sides of the box, is taken to pass through it
_CLOSE = 1e-9
#: Edges of the area up to this share of the unit's sides away take part.
PAD = 2e-4
#: edges of a unit to a bin, and bins a unit may have
_EDGES_A_BIN = 4
_BINS = 1 << 14
#: bands of height in a bin
_BANDS = 4
#: no height: kept from dividing nothing by nothing
_TINY = 1e-300


class Edges(NamedTuple):
    """Edges of polygons as runs of points: edge i goes from point i to point i + 1.

    Attributes
    ----------
    first
        Where the points of each polygon start, the end as last entry; (n + 1,).
    places
        All x, then all y; (2 m,).
    turn
        1 where the polygon lies to the left of edge i, -1 where to the right, 0 where point i ends
        its ring and no edge starts there; (m,).
    """

    first: Ints
    places: Floats
    turn: Floats


class Pairs(NamedTuple):
    """Pairs of a unit and an area, and the area's edges that pass near the unit.

    Attributes
    ----------
    unit
        Position among the units' edges; (p,).
    size
        The unit's area; (p,).
    box
        The unit's box; (p, 4).
    first, edge
        The edges near each pair are ``edge[first[i]:first[i + 1]]``.
    facing
        How the pair is looked at: along x from below (0) or from above (2), along y from the west
        (1) or from the east (3); (p,). Least work where the outline runs near the side looked from.
    """

    unit: Ints
    size: Floats
    box: Floats
    first: Ints
    edge: Ints
    facing: Ints


class Lines(NamedTuple):
    """Edges as straight lines y = rise x + start over part of the square, by pair.

    ``sign`` is what each adds to the indicator of its polygon below it. A steep edge is short
    along x, so what the steepness costs in precision does not reach the area.
    """

    pair: Ints
    left: Floats
    right: Floats
    rise: Floats
    start: Floats
    sign: Floats

    def some(self, which: Ints) -> Lines:
        """Return some of the lines."""
        pair, left, right, rise, start, sign = self
        return Lines(pair[which], left[which], right[which], rise[which], start[which], sign[which])


def edges_of(polygons: Shapes) -> Edges:
    """Return the edges of polygons and multipolygons; empty ones have none."""
    points = shapely.get_coordinates(polygons)
    counts = shapely.get_num_coordinates(polygons).astype(np.int64)
    first = np.append(0, np.cumsum(counts))
    # most polygons are one ring; the others are taken apart to know where rings end
    lone = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
    lone &= shapely.get_num_interior_rings(polygons) == 0
    many = np.flatnonzero(~lone & (counts > 0))
    parts, of_part = shapely.get_parts(polygons[many], return_index=True)
    rings, of_ring = shapely.get_rings(parts, return_index=True)
    start = np.append(first[:-1][counts > 0], 0)[:-1]
    hole = np.zeros(len(start), dtype=bool)
    if len(rings):
        length = shapely.get_num_coordinates(rings).astype(np.int64)
        owner = of_part[of_ring]
        before = np.cumsum(length) - length
        leading = np.searchsorted(owner, owner)
        inner = first[many[owner]] + before - before[leading]
        later = np.flatnonzero(np.append(False, of_ring[1:] == of_ring[:-1]))
        follows = np.flatnonzero(leading != np.arange(len(owner)))
        start = np.concatenate([start, inner[follows]])
        hole = np.concatenate([hole, np.isin(follows, later)])
        order = np.argsort(start)
        start, hole = start[order], hole[order]
    # which way each ring turns, by its signed area
    x, y = points[:, 0], points[:, 1]
    length = np.diff(np.append(start, len(points)))
    near_x = x - np.repeat(x[start], length)
    near_y = y - np.repeat(y[start], length)
    twice = np.zeros(len(points))
    twice[:-1] = near_x[:-1] * near_y[1:] - near_x[1:] * near_y[:-1]
    # a ring starts and ends in its own first point, which is 0 here: no edge leads to the next
    last = start + length - 1
    twice[last] = 0.0
    left = np.add.reduceat(twice, start) > 0 if len(start) else hole
    turn = np.repeat(np.where(left != hole, 1.0, -1.0), length)
    turn[last] = 0.0
    return Edges(first, np.concatenate([x, y]), turn)


def edge_boxes(edges: Edges) -> Floats:
    """Return west, south, east and north of each edge, inside out where none starts; (4, m)."""
    x, y = edges.places.reshape(2, -1)
    boxes = np.empty((4, len(x)))
    for side, (places, pick) in enumerate(
        ((x, np.minimum), (y, np.minimum), (x, np.maximum), (y, np.maximum))
    ):
        boxes[side] = pick(places, np.append(places[1:], places[-1:]))
    boxes[:2, edges.turn == 0] = np.inf
    boxes[2:, edges.turn == 0] = -np.inf
    return boxes


def base_points(box: Floats, facing: Ints) -> Floats:
    """Return the point beside each unit at which the winding number of the area is needed."""
    side = box[:, 2:] - box[:, :2]
    low, high = box[:, :2], box[:, 2:]
    beside = low - _BESIDE * side
    above = np.where((facing & 2 > 0)[:, None], low - _ABOVE * side, high + _ABOVE * side)
    along_x = np.column_stack([beside[:, 0], above[:, 1]])
    along_y = np.column_stack([above[:, 0], beside[:, 1]])
    return np.where((facing & 1 > 0)[:, None], along_y, along_x)


def shares_of(pairs: Pairs, winding: Floats, units: Edges, areas: Edges) -> tuple[Floats, Flags]:
    """Return the share of each unit in its area, and the pairs that edges cannot tell.

    Parameters
    ----------
    pairs
        What is asked.
    winding
        Winding number of each area at the pair's base point: 1 inside, 0 outside; (p,).
    units, areas
        Their edges.
    """
    upper, doubtful = upper_lines(pairs, areas)
    doubt = np.zeros(len(winding), dtype=bool)
    doubt[doubtful] = True
    scale = np.prod(pairs.box[:, 2:] - pairs.box[:, :2], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = winding + signed_area_between(upper, pairs, units) * scale / pairs.size
    # what is not a share speaks of a polygon that is none
    return share, doubt | ~((share > -1e-6) & (share < 1 + 1e-6))


def _to_square(pairs: Pairs, pair: Ints, edges: Edges, point: Ints, *, across: bool) -> Floats:
    """Return one coordinate of points in the square of their pair's unit (its box is 0 to 1).

    ``across`` gives the one looked along, x unless the pair is turned, else the other. Turning
    mirrors units and areas alike, so signs that are multiplied need no change.
    """
    axis = ((pairs.facing & 1 > 0) == across).astype(np.int64)
    each = np.arange(len(axis))
    low, high = pairs.box[each, axis], pairs.box[each, axis + 2]
    scale = 1 / (high - low)
    if not across:
        behind = pairs.facing & 2 > 0
        low, scale = np.where(behind, high, low), np.where(behind, -scale, scale)
    places: Floats = edges.places[point + (axis * len(edges.turn))[pair]]
    places -= low[pair]
    places *= scale[pair]
    return places


def upper_lines(pairs: Pairs, areas: Edges) -> tuple[Lines, Ints]:
    """Return the area's edges near each unit up to the line through the base point.

    Right of where an edge crosses that line the winding number along it is another: as if an edge
    ran from there to the right above everything. Pairs with an edge through the base point come
    second.
    """
    pair, place = ranges(pairs.first[:-1], pairs.first[1:])
    edge = pairs.edge[place]
    turn = areas.turn[edge]
    x0 = _to_square(pairs, pair, areas, edge, across=True)
    y0 = _to_square(pairs, pair, areas, edge, across=False)
    x1 = _to_square(pairs, pair, areas, edge + 1, across=True)
    y1 = _to_square(pairs, pair, areas, edge + 1, across=False)
    # where edges cross the line through the base point, and which pass through that point
    high0, high1 = y0 > _TOP, y1 > _TOP
    crosses = high0 != high1
    with np.errstate(divide="ignore", invalid="ignore"):
        over = x0 + (_TOP - y0) / (y1 - y0) * (x1 - x0)
        beside = y0 + (-_BESIDE - x0) / (x1 - x0) * (y1 - y0)
    spans = (np.minimum(x0, x1) <= -_BESIDE + _CLOSE) & (np.maximum(x0, x1) >= -_BESIDE - _CLOSE)
    close = (crosses & (np.abs(over + _BESIDE) < _CLOSE)) | (
        spans & (np.abs(beside - _TOP) < _CLOSE)
    )
    # right of a crossing a lid above everything
    lid = np.flatnonzero(crosses & (over > -_BESIDE) & (over < 1))
    lids = Lines(
        pair[lid],
        np.maximum(over[lid], 0.0),
        np.ones(len(lid)),
        np.zeros(len(lid)),
        np.full(len(lid), 2.0),
        np.where(high1, -turn, turn)[lid],
    )
    # edges are cut at that line
    cut0, cut1 = crosses & high0, crosses & high1
    x0, y0 = np.where(cut0, over, x0), np.where(cut0, _TOP, y0)
    x1, y1 = np.where(cut1, over, x1), np.where(cut1, _TOP, y1)
    low = np.flatnonzero(~(high0 & high1))
    lines = _lines(pair[low], x0[low], y0[low], x1[low], y1[low], turn[low])
    both = Lines(
        np.concatenate([lids.pair, lines.pair]),
        *(np.concatenate(two) for two in zip(lids[1:], lines[1:], strict=True)),
    )
    return both, pair[close]


def _lines(  # noqa: PLR0917
    pair: Ints, x0: Floats, y0: Floats, x1: Floats, y1: Floats, turn: Floats
) -> Lines:
    """Return edges as lines over the square; vertical ones stand over nothing."""
    left, right = np.minimum(x0, x1), np.maximum(x0, x1)
    keep = np.flatnonzero((right > 0) & (left < 1) & (right > left))
    x0, y0, x1, y1, turn = x0[keep], y0[keep], x1[keep], y1[keep], turn[keep]
    rise = (y1 - y0) / (x1 - x0)
    return Lines(
        pair[keep],
        np.maximum(left[keep], 0.0),
        np.minimum(right[keep], 1.0),
        rise,
        y0 - rise * x0,
        np.where(x1 < x0, turn, -turn),
    )


def signed_area_between(upper: Lines, pairs: Pairs, units: Edges) -> Floats:
    """Return, for each pair, the signed sum of what lies between its edges; (p,).

    That is, over every edge of the area and every edge of the unit, the area below the first and
    above the second. What lies above the first needs no look: of the unit's edges over one x as
    many lead right as left. Edges meet in bins along x, and there in bands from the ground up.
    """
    bins = Bins.of(units.first[pairs.unit + 1] - units.first[pairs.unit])
    first, last = bins.under(upper.pair, upper.left, upper.right)
    entry, spot = ranges(first, last + 1)
    top = np.maximum(upper.start + upper.rise * upper.left, upper.start + upper.rise * upper.right)
    lower, shelves = _shelve_edges(
        pairs, units, bins, spot, ceiling=_highest(upper.pair, top, pairs)
    )

    # a piece of an edge of the area over one bin, against the unit's edges there that begin below
    pair = upper.pair[entry]
    number = spot - bins.base[pair]
    from_x = np.maximum(upper.left[entry], number / bins.many[pair])
    to_x = np.minimum(upper.right[entry], (number + 1) / bins.many[pair])
    band = np.clip(np.floor(top * _BANDS), -1, _BANDS - 1).astype(np.int64)[entry]
    spot *= _BANDS
    owner, two = ranges(shelves[spot], shelves[spot + band + 1])
    from_x = np.maximum(from_x[owner], lower.left[two])
    to_x = np.minimum(to_x[owner], lower.right[two])
    over = np.flatnonzero(to_x > from_x)
    from_x, to_x = from_x[over], to_x[over]
    one, two = entry[owner[over]], two[over]
    rise = upper.rise[one] - lower.rise[two]
    start = upper.start[one] - lower.start[two]
    gap_from, gap_to = rise * from_x + start, rise * to_x + start
    # the mean height of a straight line where it is above another
    high = np.maximum(gap_from, 0.0) + np.maximum(gap_to, 0.0)
    span = np.abs(gap_from) + np.abs(gap_to) + _TINY
    amount = upper.sign[one] * lower.sign[two] * (from_x - to_x) * (high * high / (2 * span))
    summed = np.bincount(upper.pair[one], amount, len(pairs.unit))
    return np.asarray(summed, dtype=np.float64)


def _highest(pair: Ints, top: Floats, pairs: Pairs) -> Floats:
    """Return how high the area's edges reach near each unit."""
    ceiling = np.full(len(pairs.unit), -np.inf)
    np.maximum.at(ceiling, pair, top)
    return ceiling


class Bins(NamedTuple):
    """Bins of equal width along x: how many each pair has, and where they start among all."""

    many: Ints
    base: Ints

    @classmethod
    def of(cls, edges: Ints) -> Bins:
        """Give bins for so many edges a pair."""
        count = np.clip(edges // _EDGES_A_BIN, 1, _BINS)
        return cls(count, np.cumsum(count) - count)

    def under(self, pair: Ints, left: Floats, right: Floats) -> tuple[Ints, Ints]:
        """Return the first and last bin each edge stands over, numbered through all pairs."""
        of, start = self.many[pair], self.base[pair]
        low = np.clip((left * of).astype(np.int64), 0, of - 1)
        high = np.clip((right * of).astype(np.int64), 0, of - 1)
        return start + low, start + high


def _shelve_edges(
    pairs: Pairs, units: Edges, bins: Bins, spot: Ints, *, ceiling: Floats
) -> tuple[Lines, Ints]:
    """Return the unit's edges by bin and band, and where those of each begin, the end last.

    Edges are left out over bins that no edge of the area stands over (``spot`` names the others),
    and where they begin above the area's highest.
    """
    # bins that an edge of the area stands over
    total = int(bins.many.sum())
    busy = np.zeros(total + 1, dtype=np.int64)
    np.cumsum(np.bincount(spot, minlength=total) > 0, out=busy[1:])
    # the unit's edges over those bins, then those that begin low enough
    pair, point = ranges(units.first[pairs.unit], units.first[pairs.unit + 1])
    x = _to_square(pairs, pair, units, point, across=True)
    left, right = np.minimum(x[:-1], x[1:]), np.maximum(x[:-1], x[1:])
    edge = np.flatnonzero((units.turn[point[:-1]] != 0) & (left < right))
    first, last = bins.under(pair[edge], left[edge], right[edge])
    met = busy[last + 1] > busy[first]
    edge, first, last = edge[met], first[met], last[met]
    y0 = _to_square(pairs, pair[edge], units, point[edge], across=False)
    y1 = _to_square(pairs, pair[edge], units, point[edge] + 1, across=False)
    ground = np.minimum(y0, y1)
    low = np.flatnonzero(ground < ceiling[pair[edge]])
    edge, first, last = edge[low], first[low], last[low]
    lines = _lines(pair[edge], x[edge], y0[low], x[edge + 1], y1[low], units.turn[point[edge]])
    # sorted by bin and band
    line, bin_ = ranges(first, last + 1)
    shelf = bin_ * _BANDS
    shelf += np.minimum(ground[low] * _BANDS, _BANDS - 1).astype(np.int64)[line]
    small = np.uint16 if total * _BANDS <= 1 << 16 else np.int64  # numpy sorts 16 bits by radix
    line = line[np.argsort(shelf.astype(small), kind="stable")]
    starts = np.zeros(total * _BANDS + 1, dtype=np.int64)
    np.cumsum(np.bincount(shelf, minlength=total * _BANDS), out=starts[1:])
    return lines.some(line), starts


def ranges(starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Expand ranges: the position of the range and the number, one entry a number."""
    counts = ends - starts
    owner = np.repeat(np.arange(len(starts), dtype=np.int64), counts)
    number = (starts - (np.cumsum(counts) - counts))[owner]
    number += np.arange(len(owner), dtype=np.int64)
    return owner, number
