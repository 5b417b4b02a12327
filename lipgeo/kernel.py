"""The geometry kernel: which part of each unit lies in each area, at the cost of the outlines.

The work goes down a hierarchy of boxes: groups of about a thousand neighbouring units, then units,
then polygons. A group or a unit whose box lies wholly inside an area has share 1 there and nobody
looks at its polygon; one that meets no area is dropped; only what an outline crosses is opened.
Areas are cut once into tiles of few vertices, so that no intersection walks a long outline.

Arrays in, arrays out: no names, no frames, no files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import shapely

from lipgeo.census import GROUP_ROWS, CensusData, hilbert

__all__ = [
    "DUST",
    "ArrayUnits",
    "LevelUnits",
    "Overlay",
    "Tiles",
    "Units",
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

#: vertices a tile may have
TILE_VERTICES = 96
#: a unit with more vertices than this is cut into tiles as an area is
UNIT_VERTICES = 1024
#: pairs handed to a thread at a time
CHUNK = 1024
WORKERS = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


class Units(Protocol):
    """Source units the kernel can descend: groups of rows, boxes of units, polygons."""

    def group_boxes(self) -> tuple[Ints, Floats]:
        """Where each group of rows starts (end as last entry) and its box."""

    def boxes(self, rows: Ints) -> Floats:
        """Boxes of rows, NaN where a unit has no polygon."""

    def polygons(self, rows: Ints) -> Shapes:
        """Polygons of rows, ``None`` where a unit has none."""

    def original(self, rows: Ints) -> Ints:
        """Give the caller's numbers of these rows."""


class ArrayUnits:
    """Polygons in memory, grouped by place along a Hilbert curve.

    Parameters
    ----------
    geometry
        Polygons; ``None`` where there is none.
    boxes
        Their boxes where already known, (n, 4).
    """

    def __init__(self, geometry: Shapes, boxes: Floats | None = None) -> None:
        self._geometry = geometry
        self._boxes = shapely.bounds(geometry) if boxes is None else boxes
        self._order = by_place(self._boxes)

    def group_boxes(self) -> tuple[Ints, Floats]:
        """Give starts and boxes of the groups, by place."""
        return grouped(self._boxes[self._order])

    def boxes(self, rows: Ints) -> Floats:
        """Boxes of rows."""
        return self._boxes[self._order[rows]]

    def polygons(self, rows: Ints) -> Shapes:
        """Polygons of rows."""
        return self._geometry[self._order[rows]]

    def original(self, rows: Ints) -> Ints:
        """Numbers the rows had in the array given."""
        return self._order[rows]


class LevelUnits:
    """The units of a census level, or some rows of it, read as far as they are needed."""

    def __init__(self, data: CensusData, level: str, rows: Ints | None = None) -> None:
        self._data, self._level, self._rows = data, level, rows

    def group_boxes(self) -> tuple[Ints, Floats]:
        """Give starts and boxes of the groups, by place."""
        if self._rows is None:
            return self._data.group_boxes(self._level)
        return grouped(self._data.boxes(self._level, self._rows))

    def boxes(self, rows: Ints) -> Floats:
        """Boxes of rows."""
        return self._data.boxes(self._level, self.original(rows))

    def polygons(self, rows: Ints) -> Shapes:
        """Polygons of rows."""
        return self._data.geometry(self._level, self.original(rows))

    def original(self, rows: Ints) -> Ints:
        """Numbers the rows had in the array given."""
        return rows if self._rows is None else self._rows[rows]


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
    opened, size
        Units whose polygon was looked at, and its area in squared units of the CRS.
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
    opened: Ints
    size: Floats
    repaired: Ints


class Tiles:
    """Areas cut into tiles of few vertices.

    Parameters
    ----------
    areas
        Polygons and multipolygons, ``None`` where an area has none; (n,).
    limit
        Vertices a tile may have.

    Attributes
    ----------
    areas
        The areas, those that crossed themselves repaired.
    size
        Their planar areas in squared units of the CRS, 0 where there is no polygon; (n,).
    repaired
        Positions of the areas that were repaired.
    shapes, boxes
        The tiles and their boxes; tiles of one area share edges only.
    area
        Position of the area each tile belongs to.
    full
        Whether a tile is a whole rectangle.
    """

    def __init__(self, areas: Shapes, limit: int = TILE_VERTICES) -> None:
        self.areas, self.repaired = usable(np.asarray(areas, dtype=object))
        self.size = np.nan_to_num(shapely.area(self.areas))
        self.shapes, self.area = cut(self.areas, limit)
        self.boxes = shapely.bounds(self.shapes).reshape(-1, 4)
        self.full = (shapely.get_num_coordinates(self.shapes) == 5) & (
            shapely.area(self.shapes) == box_area(self.boxes)
        )
        shapely.prepare(self.shapes)

    @cached_property
    def tree(self) -> shapely.STRtree:
        """The tiles' boxes, searchable."""
        return shapely.STRtree(rectangles(self.boxes))


def overlay(units: Units, tiles: Tiles) -> Overlay:
    """Return the share of every unit in every area and in the union of the areas.

    Parameters
    ----------
    units
        What is shared out.
    tiles
        The areas, cut.
    """
    found = _fragments(units, tiles)
    areas = len(tiles.size)
    row, area, share = _pairs(found, areas)
    first, second, shared = _both(row, area, share, found, tiles)
    covered_row, covered = _union(row, share, first, shared, found)
    number = units.original
    one = np.lexsort((area, number(row)))
    two = np.lexsort((area[second], area[first], number(row[first])))
    three = np.argsort(number(covered_row), kind="stable")
    return Overlay(
        unit=number(row)[one],
        area=area[one],
        share=share[one],
        covered_unit=number(covered_row)[three],
        covered=covered[three],
        shared_unit=number(row[first])[two],
        shared_area=area[first][two],
        shared_other=area[second][two],
        shared=shared[two],
        opened=number(found.rows),
        size=found.size,
        repaired=number(found.rows[found.repaired]),
    )


def pieces(units: Units, tiles: Tiles) -> tuple[Ints, Ints, Shapes, Floats]:
    """Return the pieces the areas cut units into: unit, area, polygon, share of the unit.

    A unit may lie in one area in several pieces; their shares add up.
    """
    found = _fragments(units, tiles)
    inside = units.polygons(found.inside_row)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = shapely.area(found.shape) / found.size[found.at]
    return (
        units.original(np.concatenate([found.inside_row, found.rows[found.at]])),
        np.concatenate([found.inside_area, found.area]),
        np.concatenate([inside, found.shape]),
        np.concatenate([np.ones(len(inside)), share]),
    )


def locate(x: Floats, y: Floats, tiles: Tiles) -> tuple[Ints, Ints]:
    """Return pairs (point, area): the areas each point lies in; ordered.

    A point on an outline goes to the area that holds it strictly, if one does, else to the first
    area it touches, so that areas which share an edge never both take it.
    """
    known = np.flatnonzero(~(np.isnan(x) | np.isnan(y)))
    at, tile = tiles.tree.query(shapely.points(x[known], y[known]))
    hit = shapely.intersects_xy(tiles.shapes[tile], x[known[at]], y[known[at]])
    point, area = np.divmod(
        np.unique(known[at[hit]] * len(tiles.size) + tiles.area[tile[hit]]), len(tiles.size)
    )
    several = np.isin(point, point[1:][point[1:] == point[:-1]])
    strict = ~several
    strict[several] = shapely.contains_xy(
        tiles.areas[area[several]], x[point[several]], y[point[several]]
    )
    held = np.isin(point, point[strict])
    leading = np.append(True, point[1:] != point[:-1])[: len(point)]
    keep = strict | (~held & leading)
    return point[keep], area[keep]


# ---------------------------------------------------------------- the way down


class _Fragments(NamedTuple):
    """Pairs settled by boxes, and what intersections gave for the rest."""

    inside_row: Ints
    inside_area: Ints
    rows: Ints  # opened units
    size: Floats  # their areas
    repaired: Ints  # positions in rows
    at: Ints  # a fragment's position in rows; ordered by (at, area)
    area: Ints
    shape: Shapes


def _fragments(units: Units, tiles: Tiles) -> _Fragments:
    """Settle what boxes settle; intersect the rest, tile by tile."""
    inside_row, inside_area, row, tile = _descend(units, tiles)
    rows, at = np.unique(row, return_inverse=True)
    polygons, repaired = usable(units.polygons(rows))
    size = shapely.area(polygons)
    shapes, at, tile = _cut_large(polygons, at, tile, tiles)
    parts = spread(
        lambda chunk: shapely.intersection(shapes[chunk], tiles.shapes[tile[chunk]]), len(tile)
    )
    parts = polygonal(parts)
    area = tiles.area[tile]
    pair, of_pair = np.unique(at * len(tiles.size) + area, return_inverse=True)
    amount = np.bincount(of_pair, weights=shapely.area(parts), minlength=len(pair))
    unit_at, area_at = np.divmod(pair, len(tiles.size))
    positive = amount > DUST * np.minimum(size[unit_at], tiles.size[area_at])
    used = np.flatnonzero(positive[of_pair])
    used = used[np.argsort(pair[of_pair[used]], kind="stable")]
    return _Fragments(
        inside_row, inside_area, rows, size, repaired, at[used], area[used], parts[used]
    )


def _descend(units: Units, tiles: Tiles) -> tuple[Ints, Ints, Ints, Ints]:
    """Return pairs (row, area) wholly inside by their boxes, and pairs (row, tile) to look at."""
    starts, group_boxes = units.group_boxes()
    group, area, open_group, _ = _by_box(group_boxes, tiles)
    opened = np.unique(open_group)
    settled = ~np.isin(group, opened)
    owner, row = ranges(starts[group[settled]], starts[group[settled] + 1])
    held = ~np.isnan(units.boxes(row)[:, 0])
    inside_row, inside_area = row[held], area[settled][owner[held]]

    _, row = ranges(starts[opened], starts[opened + 1])
    at, area, cross_at, cross_tile = _by_box(units.boxes(row), tiles)
    return (
        np.concatenate([inside_row, row[at]]),
        np.concatenate([inside_area, area]),
        row[cross_at],
        cross_tile,
    )


def _by_box(boxes: Floats, tiles: Tiles) -> tuple[Ints, Ints, Ints, Ints]:
    """Return pairs (box, area) where the area covers the box, and pairs (box, tile) undecided."""
    known = np.flatnonzero(~np.isnan(boxes[:, 0]))
    at, tile = tiles.tree.query(rectangles(boxes[known]))
    at = known[at]
    met = overlap(boxes[at], tiles.boxes[tile])
    meets = box_area(met) > 0
    at, tile, met = at[meets], tile[meets], met[meets]
    covered = tiles.full[tile].copy()
    cut = np.flatnonzero(~covered)
    corner = rectangles(met[cut])
    shapes = tiles.shapes[tile[cut]]
    covered[cut] = shapely.covers(shapes, corner)
    apart = np.zeros(len(at), dtype=bool)
    rest = cut[~covered[cut]]
    apart[rest] = ~shapely.intersects(tiles.shapes[tile[rest]], rectangles(met[rest]))

    pair, of_pair = np.unique(at * len(tiles.size) + tiles.area[tile], return_inverse=True)
    amount = np.bincount(of_pair, weights=box_area(met) * covered, minlength=len(pair))
    box, area = np.divmod(pair, len(tiles.size))
    inside = amount >= box_area(boxes[box]) * (1 - 1e-12)
    undecided = ~inside[of_pair] & ~apart
    return box[inside], area[inside], at[undecided], tile[undecided]


def _cut_large(polygons: Shapes, at: Ints, tile: Ints, tiles: Tiles) -> tuple[Shapes, Ints, Ints]:
    """Replace units of very many vertices by their own tiles, paired with the tiles they meet."""
    large = shapely.get_num_coordinates(polygons) > UNIT_VERTICES
    plain = ~large[at]
    if plain.all():
        return polygons[at], at, tile
    which = np.flatnonzero(large)
    shapes, owner = cut(polygons[which], TILE_VERTICES)
    part, near = tiles.tree.query(rectangles(shapely.bounds(shapes).reshape(-1, 4)))
    part_at = which[owner[part]]
    count = len(tiles.shapes)
    wanted = np.isin(part_at * count + near, at[~plain] * count + tile[~plain])
    return (
        np.concatenate([polygons[at[plain]], shapes[part[wanted]]]),
        np.concatenate([at[plain], part_at[wanted]]),
        np.concatenate([tile[plain], near[wanted]]),
    )


# ---------------------------------------------------------------- shares


def _pairs(found: _Fragments, areas: int) -> tuple[Ints, Ints, Floats]:
    """Return all pairs (row, area, share), ordered."""
    pair, of_pair = np.unique(found.at * areas + found.area, return_inverse=True)
    amount = np.bincount(of_pair, weights=shapely.area(found.shape), minlength=len(pair))
    at, area = np.divmod(pair, areas)
    share = amount / found.size[at]
    share = np.where(share >= 1 - DUST, 1.0, share)
    row = np.concatenate([found.inside_row, found.rows[at]])
    area = np.concatenate([found.inside_area, area])
    share = np.concatenate([np.ones(len(found.inside_row)), share])
    order = np.lexsort((area, row))
    return row[order], area[order], share[order]


def _both(
    row: Ints, area: Ints, share: Floats, found: _Fragments, tiles: Tiles
) -> tuple[Ints, Ints, Floats]:
    """Return, for two pairs of one row whose areas overlap in it, their positions and the share."""
    first, second = couples(row)
    shared = np.where(share[first] == 1, share[second], share[first])
    cut_both = np.flatnonzero((share[first] < 1) & (share[second] < 1))
    count = len(tiles.size)
    keys = found.at * count + found.area
    at = np.searchsorted(found.rows, row[first[cut_both]])
    one, two = at * count + area[first[cut_both]], at * count + area[second[cut_both]]
    couple, left = ranges(np.searchsorted(keys, one), np.searchsorted(keys, one, side="right"))
    again, right = ranges(
        np.searchsorted(keys, two)[couple], np.searchsorted(keys, two, side="right")[couple]
    )
    couple, left = couple[again], left[again]
    boxes = shapely.bounds(found.shape).reshape(-1, 4)
    near = box_area(overlap(boxes[left], boxes[right])) > 0
    couple, left, right = couple[near], left[near], right[near]
    amount = np.bincount(
        couple,
        weights=spread_area(found.shape[left], found.shape[right]),
        minlength=len(cut_both),
    )
    limit = DUST * np.minimum(
        found.size[at],
        np.minimum(tiles.size[area[first[cut_both]]], tiles.size[area[second[cut_both]]]),
    )
    shared[cut_both] = np.where(amount > limit, amount / found.size[at], 0.0)
    keep = shared > 0
    return first[keep], second[keep], shared[keep]


def _union(
    row: Ints, share: Floats, first: Ints, shared: Floats, found: _Fragments
) -> tuple[Ints, Floats]:
    """Return each row in some area and its share in the union of its areas."""
    covered_row, at = np.unique(row, return_inverse=True)
    covered = np.bincount(at, weights=share, minlength=len(covered_row)).astype(np.float64)
    overlaps = np.bincount(at[first], minlength=len(covered_row))
    covered -= np.bincount(at[first], weights=shared, minlength=len(covered_row))
    whole = np.zeros(len(covered_row), dtype=bool)
    whole[at[share == 1]] = True
    # overlaps in a unit have no part in common unless three areas meet in one place
    crowded = np.flatnonzero(~whole & (overlaps >= 3))
    if len(crowded):
        position = np.searchsorted(found.rows, covered_row[crowded])
        group, fragment = ranges(
            np.searchsorted(found.at, position), np.searchsorted(found.at, position, side="right")
        )
        heaps = shapely.geometrycollections(found.shape[fragment], indices=group)
        merged = shapely.union_all(heaps[:, None], axis=1)
        covered[crowded] = shapely.area(merged) / found.size[position]
    covered[whole | (covered >= 1 - DUST)] = 1.0
    return covered_row, covered


# ---------------------------------------------------------------- polygons


def usable(polygons: Shapes) -> tuple[Shapes, Ints]:
    """Return polygons fit for intersection and the positions of those that had to be repaired.

    ``None`` becomes an empty polygon.
    """
    missing = shapely.is_missing(polygons)
    wrong = np.flatnonzero(~shapely.is_valid(polygons) & ~missing)
    if missing.any() or len(wrong):
        polygons = polygons.copy()
        polygons[missing] = shapely.Polygon()
        polygons[wrong] = polygonal(
            shapely.make_valid(polygons[wrong], method="structure", keep_collapsed=False)
        )
    return polygons, wrong


def polygonal(shapes: Shapes) -> Shapes:
    """Return the polygons of mixed results: lines and points left where neighbours touch go."""
    mixed = np.flatnonzero(shapely.get_type_id(shapes) == 7)
    if not len(mixed):
        return shapes
    parts, owner = shapely.get_parts(shapes[mixed], return_index=True)
    flat = shapely.get_dimensions(parts) == 2
    shapes = shapes.copy()
    shapes[mixed] = shapely.Polygon()
    whole = shapely.union_all(
        shapely.geometrycollections(parts[flat], indices=owner[flat])[:, None], axis=1
    )
    shapes[mixed[np.unique(owner[flat])]] = whole
    return shapes


def cut(areas: Shapes, limit: int) -> tuple[Shapes, Ints]:
    """Cut polygons in halves until none has more than ``limit`` vertices; return tiles, owners."""
    shapes, owner = areas, np.arange(len(areas), dtype=np.int64)
    done: list[tuple[Shapes, Ints]] = []
    while len(shapes):
        small = shapely.get_num_coordinates(shapes) <= limit
        done.append((shapes[small], owner[small]))
        shapes, owner = shapes[~small], owner[~small]
        shapes, owner = _halves(shapes), np.concatenate([owner, owner])
    tiles = np.concatenate([part for part, _ in done])
    owners = np.concatenate([part for _, part in done])
    kept = shapely.area(tiles) > 0
    order = np.argsort(owners[kept], kind="stable")
    return tiles[kept][order], owners[kept][order]


def _halves(shapes: Shapes) -> Shapes:
    """Cut polygons across the middle of their longer side; first all lower halves, then upper."""
    west, south, east, north = shapely.bounds(shapes).reshape(-1, 4).T
    wide = east - west > north - south
    x, y = (west + east) / 2, (south + north) / 2
    low = np.column_stack([west, south, np.where(wide, x, east), np.where(wide, north, y)])
    high = np.column_stack([np.where(wide, x, west), np.where(wide, south, y), east, north])
    whole = np.concatenate([shapes, shapes])
    boxes = np.concatenate([low, high])
    clipped = np.array(
        [
            shapely.clip_by_rect(shape, *box)
            for shape, box in zip(whole, boxes.tolist(), strict=True)
        ],
        dtype=object,
    )
    # clip_by_rect is ten times faster than intersection and now and then wrong: both halves of a
    # polygon must be valid and together its area
    halves = shapely.area(clipped).reshape(2, -1).sum(axis=0)
    size = shapely.area(shapes)
    sound = shapely.is_valid(clipped).reshape(2, -1).all(axis=0)
    wrong = np.flatnonzero(np.tile(~sound | (np.abs(halves - size) > 1e-12 * size), 2))
    clipped[wrong] = shapely.intersection(whole[wrong], rectangles(boxes[wrong]))
    return polygonal(clipped)


# ---------------------------------------------------------------- boxes, ranges, threads


def rectangles(boxes: Floats) -> Shapes:
    """Return boxes as polygons."""
    return np.asarray(shapely.box(*boxes.reshape(-1, 4).T), dtype=object)


def box_area(boxes: Floats) -> Floats:
    """Return the area of boxes, 0 where a box is turned inside out."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    return np.asarray(sides[:, 0] * sides[:, 1], dtype=np.float64)


def overlap(one: Floats, two: Floats) -> Floats:
    """Return the common box of boxes, inside out where they are apart."""
    return np.hstack([np.maximum(one[:, :2], two[:, :2]), np.minimum(one[:, 2:], two[:, 2:])])


def ranges(starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Expand ranges: the position of the range and the number, one entry a number."""
    counts = ends - starts
    owner = np.repeat(np.arange(len(starts), dtype=np.int64), counts)
    within = np.arange(counts.sum(), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, starts[owner] + within


def couples(groups: Ints) -> tuple[Ints, Ints]:
    """Return all pairs of positions (first < second) that share a group; ``groups`` is ordered."""
    ends = np.searchsorted(groups, groups, side="right").astype(np.int64)
    return ranges(np.arange(1, len(groups) + 1, dtype=np.int64), ends)


def grouped(boxes: Floats) -> tuple[Ints, Floats]:
    """Group boxes by their order: where each group starts, the end as last entry, and its box."""
    starts = np.arange(0, len(boxes), GROUP_ROWS, dtype=np.int64)
    if not len(boxes):
        return np.zeros(1, dtype=np.int64), np.empty((0, 4))
    low = np.fmin.reduceat(boxes[:, :2], starts, axis=0)
    high = np.fmax.reduceat(boxes[:, 2:], starts, axis=0)
    return np.append(starts, len(boxes)), np.hstack([low, high])


def by_place(boxes: Floats) -> Ints:
    """Return an order in which neighbours stand close: along a Hilbert curve over the extent."""
    if not len(boxes) or np.isnan(boxes).all():
        return np.arange(len(boxes), dtype=np.int64)
    west, south = np.nanmin(boxes[:, :2], axis=0)
    east, north = np.nanmax(boxes[:, 2:], axis=0)
    side = max(east - west, north - south) or 1.0
    place = hilbert((boxes - [west, south, west, south]) / side * 7.0e6 + [3.0e6, 0.0, 3.0e6, 0.0])
    return np.argsort(place, kind="stable").astype(np.int64)


def spread(work: Callable[[slice], Shapes], count: int) -> Shapes:
    """Do work over ``count`` entries in chunks on all cores (GEOS releases the lock)."""
    chunks = [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]
    if len(chunks) <= 1:
        return work(slice(0, count))
    with ThreadPoolExecutor(WORKERS) as pool:
        return np.concatenate(list(pool.map(work, chunks)))


def spread_area(one: Shapes, two: Shapes) -> Floats:
    """Return the area two polygons have in common, entry by entry."""
    return np.asarray(
        spread(lambda part: shapely.area(shapely.intersection(one[part], two[part])), len(one)),
        dtype=np.float64,
    )
