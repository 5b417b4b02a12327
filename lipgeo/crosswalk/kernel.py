"""The geometry kernel: which part of each unit lies in each area, at the cost of the outlines.

Boxes settle most units (``descent``): nobody looks at the polygon of a unit that no outline comes
near. The others are measured from the edges near them (``edges``). Groups of rows, ordered by
hierarchy and place, serve census levels and other zones alike: descending the polygons of coarser
levels would add measurements, and the boxes of groups cost none.

Arrays in, arrays out: no names, no frames, no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

from lipgeo.cores import on_cores, spread
from lipgeo.crosswalk.descent import ArrayUnits, LevelUnits, Near, Outlines, Units, descend
from lipgeo.crosswalk.edges import Pairs, base_points, edges_of, ranges, shares_of
from lipgeo.crosswalk.polygons import even_cuts, polygonal, usable, without_none

__all__ = [
    "DUST",
    "ArrayUnits",
    "LevelUnits",
    "Outlines",
    "Overlay",
    "Units",
    "couples",
    "locate",
    "overlay",
    "pieces",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Shapes = npt.NDArray[np.object_]

#: Numeric dust: an overlap below this share of both the unit and the area is no overlap, and a
#: unit that misses an area by less than this share of itself is wholly inside. Grid coordinates
#: are exact to about 1e-9 m, so neighbours that share an edge overlap by up to some 1e-10.
DUST = 1e-9

#: vertices handed to a core at a time: what it works on stays in the processor's cache
CHUNK_VERTICES = 1 << 15
#: one edge in this many tells which way an outline runs
_GLANCE = 4


@dataclass(frozen=True)
class Overlay:
    """Shares of units in areas, by area of the polygons.

    Attributes
    ----------
    unit, area, share
        Pairs of positive area: the unit's number, the area's position, the share in (0, 1],
        exactly 1 where the unit is wholly inside; ordered by unit, then area.
    covered_unit, covered
        For each unit in some area, its share in the union of the areas; ordered by unit.
    shared_unit, shared_area, shared_other, shared
        For each unit and two areas that overlap in it, the share that lies in both, ``area``
        before ``other``; ordered.
    repaired
        Units whose polygon crosses itself and was repaired before use.
    """

    unit: Ints
    area: Ints
    share: Floats
    covered_unit: Ints
    covered: Floats
    shared_unit: Ints
    shared_area: Ints
    shared_other: Ints
    shared: Floats
    repaired: Ints


def overlay(units: Units, outlines: Outlines) -> Overlay:
    """Return the share of every unit in every area and in the union of the areas.

    Parameters
    ----------
    units
        What is shared out.
    outlines
        The areas.
    """
    found = _measured(units, outlines)
    first, second, shared = _both(found, outlines)
    covered_row, covered = _union(found, first, second, shared, outlines)
    number = units.original
    row, area = found.row, found.area
    one = np.lexsort((area, number(row)))
    two = np.lexsort((area[second], area[first], number(row[first])))
    three = np.argsort(number(covered_row), kind="stable")
    return Overlay(
        unit=number(row)[one],
        area=area[one],
        share=found.share[one],
        covered_unit=number(covered_row)[three],
        covered=covered[three],
        shared_unit=number(row[first])[two],
        shared_area=area[first][two],
        shared_other=area[second][two],
        shared=shared[two],
        repaired=np.sort(number(found.rows[found.repaired])),
    )


def pieces(units: Units, outlines: Outlines) -> tuple[Ints, Ints, Shapes, Floats]:
    """Return the pieces the areas cut units into: unit, area, polygon, share of the unit."""
    found = _measured(units, outlines)
    shapes = units.polygons(found.row)
    cut = np.flatnonzero(found.share < 1)
    at = np.searchsorted(found.rows, found.row[cut])
    shapes[cut] = polygonal(
        spread(
            lambda part: shapely.intersection(
                found.polygons[at[part]], outlines.areas[found.area[cut[part]]]
            ),
            len(cut),
        )
    )
    return units.original(found.row), found.area, shapes, found.share


def locate(x: Floats, y: Floats, outlines: Outlines) -> tuple[Ints, Ints]:
    """Return pairs (point, area): the areas each point lies in; ordered.

    A point on an outline goes to the area that holds it strictly, if one does, else to the first
    area it touches, so that areas which share an edge never both take it.
    """
    known = np.flatnonzero(~(np.isnan(x) | np.isnan(y)))
    at, area = outlines.tree.query(shapely.points(x[known], y[known]))
    point = known[at]
    hit = shapely.intersects_xy(outlines.areas[area], x[point], y[point])
    point, area = point[hit], area[hit]
    order = np.lexsort((area, point))
    point, area = point[order], area[order]
    several = np.isin(point, point[1:][point[1:] == point[:-1]])
    strict = ~several
    strict[several] = shapely.contains_xy(
        outlines.areas[area[several]], x[point[several]], y[point[several]]
    )
    held = np.isin(point, point[strict])
    leading = np.append(True, point[1:] != point[:-1])[: len(point)]
    keep = strict | (~held & leading)
    return point[keep], area[keep]


# ---------------------------------------------------------------- along the outlines


class _Found(NamedTuple):
    """Pairs of positive area, ordered by row and area, and the units opened for them."""

    row: Ints
    area: Ints
    share: Floats
    rows: Ints
    polygons: Shapes
    size: Floats
    repaired: Ints


def _measured(units: Units, outlines: Outlines, only: Ints | None = None) -> _Found:
    """Return the shares: 1 where boxes settle it, measured along the outlines.

    ``only`` names the pairs asked for, unit times the number of areas plus area; the rest is not
    measured.
    """
    whole_row, whole_area, near = descend(units, outlines)
    if only is not None:
        asked = np.isin(units.original(near.at) * len(outlines.size) + near.area, only)
        near = near.some(np.flatnonzero(asked))
    rows, at = np.unique(near.at, return_inverse=True)
    near = near._replace(at=at)
    polygons = without_none(units.polygons(rows))
    size = np.asarray(shapely.area(polygons), dtype=np.float64)
    share = _along(near, polygons, size, outlines)
    # a polygon that crosses itself matters only where it is cut
    cut = np.unique(near.at[(share > _noise(near, size, outlines)) & (share < 1 - DUST)])
    mended, wrong = usable(polygons[cut])
    repaired = cut[wrong]
    if len(repaired):
        polygons[cut] = mended
        size[repaired] = shapely.area(polygons[repaired])
        again = np.flatnonzero(np.isin(near.at, repaired))
        share[again] = _along(near.some(again), polygons, size, outlines)
    positive = np.flatnonzero(share > _noise(near, size, outlines))
    share = np.where(share >= 1 - DUST, 1.0, share)

    row = np.concatenate([whole_row, rows[near.at[positive]]])
    area = np.concatenate([whole_area, near.area[positive]])
    share = np.concatenate([np.ones(len(whole_row)), share[positive]])
    order = np.lexsort((area, row))
    return _Found(row[order], area[order], share[order], rows, polygons, size, repaired)


def _noise(near: Near, size: Floats, outlines: Outlines) -> Floats:
    """Return the share of each unit below which an overlap is none."""
    unit = size[near.at]
    smaller = np.minimum(unit, outlines.size[near.area])
    return np.asarray(DUST * smaller / np.where(unit > 0, unit, 1.0), dtype=np.float64)


def _along(near: Near, polygons: Shapes, size: Floats, outlines: Outlines) -> Floats:
    """Return the share of each unit near an outline in its area."""
    boxes = shapely.bounds(polygons).reshape(-1, 4)[near.at]
    facing = _facing(near, boxes, outlines)
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
    doubt = np.flatnonzero(doubtful)
    if len(doubt):
        shapes, _ = usable(polygons[near.at[doubt]])
        common = shapely.area(shapely.intersection(shapes, outlines.areas[near.area[doubt]]))
        share[doubt] = np.nan_to_num(common / shapely.area(shapes))
    return share


def _facing(near: Near, boxes: Floats, outlines: Outlines) -> Ints:
    """Return how to look at pairs: across the way the outline runs, from the side it is near."""
    if not len(near.at):
        return np.zeros(0, dtype=np.int64)
    some = -(-np.diff(near.first) // _GLANCE)
    pair, number = ranges(np.zeros_like(some), some)
    point = near.part[near.first[:-1][pair] + number * _GLANCE]
    first = np.cumsum(some) - some
    extent, middle = [], []
    for axis, places in enumerate(outlines.edges.places.reshape(2, -1)):
        low, side = boxes[:, axis], boxes[:, axis + 2] - boxes[:, axis]
        at = np.clip((places[point] - low[pair]) / side[pair], 0.0, 1.0)
        extent.append((np.maximum.reduceat(at, first) - np.minimum.reduceat(at, first)) * side)
        middle.append(np.add.reduceat(at, first) / some)
    along_y = extent[1] >= extent[0]
    above = np.where(along_y, middle[0], middle[1]) > 0.5
    return np.asarray(along_y + 2 * above, dtype=np.int64)


# ---------------------------------------------------------------- areas that overlap


def _both(found: _Found, outlines: Outlines) -> tuple[Ints, Ints, Floats]:
    """Return, for two pairs of one row whose areas overlap in it, their positions and the share."""
    first, second = couples(found.row)
    shared = np.where(found.share[first] == 1, found.share[second], found.share[first])
    cut = np.flatnonzero((found.share[first] < 1) & (found.share[second] < 1))
    shared[cut] = 0.0
    # what two areas have in common is a third area, and units are measured against it as well
    count = len(outlines.size)
    couple, of = np.unique(
        found.area[first[cut]] * count + found.area[second[cut]], return_inverse=True
    )
    one, two = np.divmod(couple, count)
    lenses = Outlines(
        polygonal(
            spread(
                lambda part: shapely.intersection(
                    outlines.areas[one[part]], outlines.areas[two[part]]
                ),
                len(couple),
                1,
            )
        )
    )
    if lenses.size.any():
        rows, at = np.unique(found.row[first[cut]], return_inverse=True)
        units = ArrayUnits(found.polygons[np.searchsorted(found.rows, rows)])
        asked = at * len(couple) + of
        inner = _measured(units, lenses, only=asked)
        keys = units.original(inner.row) * len(couple) + inner.area
        shared[cut] = looked_up(asked, keys, inner.share)
    keep = shared > 0
    return first[keep], second[keep], shared[keep]


def _union(
    found: _Found, first: Ints, second: Ints, shared: Floats, outlines: Outlines
) -> tuple[Ints, Floats]:
    """Return each row in some area and its share in the union of its areas."""
    covered_row, at = np.unique(found.row, return_inverse=True)
    # an area that lies in another of the unit's areas, there, adds nothing to the union
    adds = np.ones(len(found.row), dtype=bool)
    adds[second[shared >= found.share[second] - DUST]] = False
    within_second = shared >= found.share[first] - DUST
    adds[first[within_second & adds[second]]] = False
    both = adds[first] & adds[second]
    covered: Floats = np.zeros(len(covered_row))
    covered += np.bincount(at, weights=found.share * adds, minlength=len(covered_row))
    covered -= np.bincount(at[first], weights=shared * both, minlength=len(covered_row))
    overlaps = np.bincount(at[first[both]], minlength=len(covered_row))
    # two overlaps have a part in common only where three areas meet
    crowded = np.flatnonzero(overlaps >= 3)
    if len(crowded):
        row, area = found.row[np.isin(at, crowded)], found.area[np.isin(at, crowded)]
        polygons = found.polygons[np.searchsorted(found.rows, row)]
        parts = spread(
            lambda part: shapely.intersection(polygons[part], outlines.areas[area[part]]), len(row)
        )
        heaps = shapely.geometrycollections(parts, indices=np.unique(row, return_inverse=True)[1])
        merged = spread(
            lambda part: shapely.area(shapely.union_all(heaps[part, None], axis=1)), len(heaps), 16
        )
        covered[crowded] = merged / found.size[np.searchsorted(found.rows, covered_row[crowded])]
    covered = np.where(covered >= 1 - DUST, 1.0, covered)
    return covered_row, covered


# ---------------------------------------------------------------- arrays


def couples(groups: Ints) -> tuple[Ints, Ints]:
    """Return all pairs of positions (first < second) that share a group; ``groups`` is ordered."""
    ends = np.searchsorted(groups, groups, side="right").astype(np.int64)
    return ranges(np.arange(1, len(groups) + 1, dtype=np.int64), ends)


def looked_up(keys: Ints, held: Ints, values: Floats) -> Floats:
    """Return the value of each key, 0 where it is not held."""
    if not len(held):
        return np.zeros(len(keys))
    order = np.argsort(held, kind="stable")
    at = np.minimum(np.searchsorted(held[order], keys), len(held) - 1)
    return np.where(held[order][at] == keys, values[order][at], 0.0)
