"""Measure the units near outlines from edges: their share in an area, or in several at once.

The indicator of each area is a sum over its edges, plus or minus one below each, so that of two
areas at once is the product of two sums: plus or minus one below the lower of two edges, wherever
both stand over the same x. That is again a sum over straight lines, and units are measured against
it as against the edges of one area (``edges``). No area is cut out of another. Work goes in chunks
to all cores.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely

from lipgeo.arrays import Flags, Floats, Ints, Shapes
from lipgeo.crosswalk.overlay.descent import Near, Outlines
from lipgeo.crosswalk.overlay.edges import (
    Bins,
    Lines,
    Pairs,
    base_points,
    edges_of,
    ranges,
    shares_of,
    signed_area_between,
    upper_lines,
)
from lipgeo.crosswalk.overlay.polygons import even_cuts, usable
from lipgeo.zones.cores import on_cores

__all__ = ["DUST", "dust_shares", "look_directions", "measure_along_outlines", "measure_jointly"]

#: Numeric dust: an overlap below this share of both the unit and the area is no overlap, and a
#: unit that misses an area by less than this share of itself is wholly inside. Grid coordinates
#: are exact to about 1e-9 m, so neighbours that share an edge overlap by up to some 1e-10.
DUST = 1e-9

#: vertices handed to a core at a time: what it works on stays in the processor's cache
CHUNK_VERTICES = 1 << 15
#: one edge in this many tells which way an outline runs
_GLANCE = 4
#: edges of areas handed to a core at a time
CHUNK_EDGES = 1 << 13
#: Lines closer than this, in sides of the unit's box, may lie either way by rounding; the steeper,
#: the less their height is known.
_CLOSE, _STEEP = 1e-9, 1e-14
#: a mean this near 0 or 1 is it
_EVEN = 1e-11


def measure_along_outlines(
    near: Near, polygons: Shapes, size: Floats, outlines: Outlines
) -> Floats:
    """Return the share of each unit near an outline in its area.

    Parameters
    ----------
    near
        The pairs; ``at`` is the position among the polygons.
    polygons, size
        The units and their areas.
    outlines
        The areas.
    """
    # how each pair is looked at, and whether the point beside the unit lies in the area
    boxes = shapely.bounds(polygons).reshape(-1, 4)[near.at]
    facing = look_directions(near, boxes, outlines)
    base = base_points(boxes, facing)
    winding = outlines.hold(near.area, base[:, 0], base[:, 1]).astype(np.float64)

    cuts = even_cuts(shapely.get_num_coordinates(polygons)[near.at], CHUNK_VERTICES)

    def work(chunk: int) -> tuple[Floats, Flags]:
        start, end = cuts[chunk], cuts[chunk + 1]
        at = near.at[start:end]
        units = edges_of(polygons[at[0] : at[-1] + 1])
        pairs = Pairs(
            at - at[0],
            size[at],
            boxes[start:end],
            near.first[start : end + 1],
            near.part,
            facing[start:end],
        )
        return shares_of(pairs, winding[start:end], units, outlines.edges)

    results = on_cores(work, len(cuts) - 1)
    share = np.concatenate([part for part, _ in results]) if results else np.empty(0)
    doubtful = np.concatenate([part for _, part in results]) if results else np.empty(0, dtype=bool)
    # what edges cannot tell is left to the general intersection
    doubt = np.flatnonzero(doubtful)
    if len(doubt):
        shapes, _ = usable(polygons[near.at[doubt]])
        common = shapely.area(shapely.intersection(shapes, outlines.areas[near.area[doubt]]))
        share[doubt] = np.nan_to_num(common / shapely.area(shapes))
    return share


def look_directions(near: Near, boxes: Floats, outlines: Outlines) -> Ints:
    """Return how to look at pairs: across the way the outline runs, from the side it is near."""
    if not len(near.at):
        return np.zeros(0, dtype=np.int64)
    # a few points of each outline near its unit
    some = -(-np.diff(near.first) // _GLANCE)
    pair, number = ranges(np.zeros_like(some), some)
    point = near.part[near.first[:-1][pair] + number * _GLANCE]
    first = np.cumsum(some) - some
    # how far they reach along each axis, and on which side they lie
    extent, middle = [], []
    for axis, places in enumerate(outlines.edges.places.reshape(2, -1)):
        low, side = boxes[:, axis], boxes[:, axis + 2] - boxes[:, axis]
        at = np.clip((places[point] - low[pair]) / side[pair], 0.0, 1.0)
        extent.append((np.maximum.reduceat(at, first) - np.minimum.reduceat(at, first)) * side)
        middle.append(np.add.reduceat(at, first) / some)
    along_y = extent[1] >= extent[0]
    above = np.where(along_y, middle[0], middle[1]) > 0.5
    return np.asarray(along_y + 2 * above, dtype=np.int64)


def dust_shares(near: Near, size: Floats, outlines: Outlines) -> Floats:
    """Return the share of each unit below which an overlap is none."""
    unit = size[near.at]
    smaller = np.minimum(unit, outlines.size[near.area])
    return np.asarray(DUST * smaller / np.where(unit > 0, unit, 1.0), dtype=np.float64)


def measure_jointly(
    near: Near, which: Ints, polygons: Shapes, size: Floats, outlines: Outlines, *, outside: bool
) -> Floats:
    """Return the share of units in all of some areas at once, or outside all of them.

    Parameters
    ----------
    near
        Pairs of units and areas; ``at`` is the position among the polygons.
    which
        For each unit asked about the positions of its pairs; (n, areas).
    polygons, size
        Units, none of which crosses itself, and their areas.
    outlines
        The areas.
    outside
        Whether what is left of the unit is asked for.
    """
    at = near.at[which[:, 0]]
    boxes = shapely.bounds(polygons).reshape(-1, 4)[at]
    sides = [near.some(column) for column in which.T]
    facing = look_directions(sides[0], boxes, outlines)
    base = base_points(boxes, facing)
    windings = [outlines.hold(side.area, *base.T).astype(np.float64) for side in sides]
    counts = np.sum([np.diff(side.first) for side in sides], axis=0)
    cuts = even_cuts(counts, CHUNK_EDGES)

    def work(chunk: int) -> tuple[Floats, Flags]:
        part = slice(cuts[chunk], cuts[chunk + 1])
        here = at[part]
        doubt = np.zeros(len(here), dtype=bool)
        # signs of units and areas turn round together in a mirror; a product of areas does not
        mirror = np.where(np.isin(facing[part], (1, 2)), -1.0, 1.0)
        # the lines of what lies in all areas so far, area by area
        lines, winding = None, np.empty(0)
        for side, holds in zip(sides, windings, strict=True):
            pairs = Pairs(
                np.arange(len(here), dtype=np.int64),
                size[here],
                boxes[part],
                side.first[cuts[chunk] : cuts[chunk + 1] + 1],
                side.part,
                facing[part],
            )
            more, doubtful = upper_lines(pairs, outlines.edges)
            doubt[doubtful] = True
            more = more._replace(sign=more.sign * mirror[more.pair])
            other = holds[part]
            if outside:
                more, other = more._replace(sign=-more.sign), 1 - other
            if lines is None:
                lines, winding = more, other
            else:
                lines, winding = _multiply_lines(lines, winding, more, other), winding * other
        assert lines is not None
        lines = lines._replace(sign=lines.sign * mirror[lines.pair])
        scale = np.prod(boxes[part, 2:] - boxes[part, :2], axis=1) / size[here]
        share = winding + signed_area_between(lines, pairs, edges_of(polygons[here])) * scale
        return share, doubt | ~((share > -1e-6) & (share < 1 + 1e-6))

    results = on_cores(work, len(cuts) - 1)
    share = np.concatenate([part for part, _ in results]) if results else np.empty(0)
    doubtful = np.concatenate([part for _, part in results]) if results else np.empty(0, dtype=bool)
    # what edges cannot tell is left to the general intersection
    for pair in np.flatnonzero(doubtful):
        areas = outlines.areas[[side.area[pair] for side in sides]]
        shape = polygons[at[pair]]
        for area in areas:
            shape = shape.difference(area) if outside else shape.intersection(area)
        share[pair] = shape.area / size[at[pair]]
    return share


class _Pieces(NamedTuple):
    """Lines cut by bins, in the order of the bins; what lies below the ground is left out."""

    line: Ints
    spot: Ints
    left: Floats
    right: Floats
    dips: Flags

    @classmethod
    def of(cls, lines: Lines, bins: Bins) -> _Pieces:
        """Cut lines; ``dips`` are pieces that go below the ground."""
        first, last = bins.under(lines.pair, lines.left, lines.right)
        line, spot = ranges(first, last + 1)
        pair = lines.pair[line]
        number = spot - bins.base[pair]
        left = np.maximum(lines.left[line], number / bins.many[pair])
        right = np.minimum(lines.right[line], (number + 1) / bins.many[pair])
        rise, start = lines.rise[line], lines.start[line]
        ends = rise * left + start, rise * right + start
        above = np.flatnonzero((left < right) & (np.maximum(*ends) > 0))
        order = above[np.argsort(spot[above], kind="stable")]
        dips = np.minimum(*ends) < 0
        return cls(line[order], spot[order], left[order], right[order], dips[order])


def _multiply_lines(one: Lines, winding: Floats, two: Lines, other: Floats) -> Lines:
    """Return the lines of what lies in two sets at once, given those of each.

    A line counts below itself as far as the other set holds it: not at all, or wholly. Where no
    line of the other meets a piece of it and the mean over the piece is 0 or 1, so is all of it.
    """
    # pieces of lines that stand over the same x, by bins
    bins = Bins.of(np.bincount(two.pair, minlength=len(winding)))
    first, second = _Pieces.of(one, bins), _Pieces.of(two, bins)
    starts = np.searchsorted(second.spot, np.arange(int(bins.many.sum()) + 1))
    i, j = ranges(starts[first.spot], starts[first.spot + 1])
    left = np.maximum(first.left[i], second.left[j])
    right = np.minimum(first.right[i], second.right[j])
    over = np.flatnonzero(right > left)
    i, j, left, right = i[over], j[over], left[over], right[over]
    a, b = first.line[i], second.line[j]
    rise, start = one.rise[a] - two.rise[b], one.start[a] - two.start[b]
    gap_left, gap_right = rise * left + start, rise * right + start
    # lines that come closer than rounding can tell apart are taken to meet
    close = _CLOSE + _STEEP * (np.abs(one.rise[a]) + np.abs(two.rise[b]))
    meets = (np.minimum(gap_left, gap_right) < close) & (np.maximum(gap_left, gap_right) > -close)
    made = []
    # each set's pieces below lines of the other
    for lines, holds, pieces, at, others, its, low in (
        (one, other, first, i, two, b, gap_left < 0),
        (two, winding, second, j, one, a, gap_left > 0),
    ):
        # how far the other set holds the piece: 0 or 1 where no line of it comes near
        weight = holds[lines.pair[pieces.line]]
        clear = np.flatnonzero(low & ~meets)
        covered = np.bincount(
            at[clear],
            others.sign[its[clear]] * (right[clear] - left[clear]),
            minlength=len(weight),
        )
        mean = weight + covered / (pieces.right - pieces.left)
        rough = pieces.dips | (np.bincount(at[meets], minlength=len(weight)) > 0)
        rough |= np.minimum(np.abs(mean), np.abs(mean - 1)) > _EVEN
        weight = np.where(rough, weight, np.rint(mean))
        made.append(_cut_lines(lines, pieces.line, pieces.left, pieces.right, weight))
        # elsewhere every line of the other set above speaks for itself
        some = clear[rough[at[clear]]]
        made.append(
            _cut_lines(
                lines, pieces.line[at[some]], left[some], right[some], others.sign[its[some]]
            )
        )
    # two that meet: first the one is lower, then the other
    some = np.flatnonzero(meets)
    begin, end = gap_left[some], gap_right[some]
    cross = np.divide(begin, begin - end, out=np.ones(len(begin)), where=begin * end < 0)
    middle = left[some] + cross * (right[some] - left[some])
    falls = (begin > 0) | ((begin == 0) & (end > 0))  # the second is the lower one, to begin with
    for lines, its, others, theirs, from_, to in (
        (one, a, two, b, np.where(falls, middle, left[some]), np.where(falls, right[some], middle)),
        (two, b, one, a, np.where(falls, left[some], middle), np.where(falls, middle, right[some])),
    ):
        made.append(_cut_lines(lines, its[some], from_, to, others.sign[theirs[some]]))
    return Lines(*(np.concatenate(column) for column in zip(*made, strict=True)))


def _cut_lines(lines: Lines, which: Ints, left: Floats, right: Floats, weight: Floats) -> Lines:
    """Return parts of lines that count."""
    keep = np.flatnonzero((weight != 0) & (left < right))
    which = which[keep]
    return Lines(
        lines.pair[which],
        left[keep],
        right[keep],
        lines.rise[which],
        lines.start[which],
        lines.sign[which] * weight[keep],
    )
