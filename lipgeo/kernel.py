"""The geometry kernel: which part of each unit lies in each area, at the cost of the outlines.

The work goes down a hierarchy of boxes: groups of about a thousand neighbouring units, then units,
then polygons. A group or a unit whose box no outline comes near is wholly inside an area or wholly
outside, and one point tells which; nobody looks at its polygon. Only units near an outline are
opened, and only the edges near them take part (:mod:`lipgeo.edges`). Groups of rows, ordered by
hierarchy and place, serve census levels and other zones alike: descending the polygons of coarser
levels would add intersections, and boxes of groups cost none.

Arrays in, arrays out: no names, no frames, no files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import shapely

from lipgeo.census import GROUP_ROWS, CensusData, hilbert
from lipgeo.edges import PAD, Pairs, base_points, edge_boxes, edges_of, ranges, shares_of

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
T = TypeVar("T")

#: Numeric dust: an overlap below this share of both the unit and the area is no overlap, and a
#: unit that misses an area by less than this share of itself is wholly inside. Grid coordinates
#: are exact to about 1e-9 m, so neighbours that share an edge overlap by up to some 1e-10.
DUST = 1e-9

_POLYGONAL = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
#: neighbouring units looked at together before each is looked at
RUN = 16
#: edges of an outline that are found together
CHAIN = 8
#: vertices handed to a thread at a time: what it works on stays in the processor's cache
CHUNK_VERTICES = 1 << 15
#: polygons handed to a thread at a time where each is its own work
CHUNK = 256
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


class Outlines:
    """Areas, their outlines in chains of few edges that can be searched.

    Parameters
    ----------
    areas
        Polygons and multipolygons, ``None`` where an area has none; (n,).

    Attributes
    ----------
    areas
        The areas, those that crossed themselves repaired.
    size
        Their planar areas in squared units of the CRS, 0 where there is no polygon; (n,).
    repaired
        Positions of the areas that were repaired.
    """

    def __init__(self, areas: Shapes) -> None:
        self.areas, self.repaired = usable(np.asarray(areas, dtype=object))
        self.size = np.asarray(np.nan_to_num(shapely.area(self.areas)), dtype=np.float64)
        self.boxes = shapely.bounds(self.areas).reshape(-1, 4)
        self.edges = edges_of(self.areas)
        first = self.edges.first
        # the last point of a polygon starts no edge, and must not be a chain of its own
        chains = -(-np.maximum(np.diff(first) - 1, 0) // CHAIN)
        self.chain_area, number = ranges(np.zeros_like(chains), chains)
        self.chains = np.append(first[self.chain_area] + number * CHAIN, first[-1])
        self.edge_boxes = edge_boxes(self.edges)
        shapely.prepare(self.areas)

    @cached_property
    def chain_tree(self) -> shapely.STRtree:
        """Boxes of the chains, searchable."""
        if not len(self.chain_area):
            return shapely.STRtree([])
        low = np.minimum.reduceat(self.edge_boxes[:2], self.chains[:-1], axis=1)
        high = np.maximum.reduceat(self.edge_boxes[2:], self.chains[:-1], axis=1)
        return shapely.STRtree(rectangles(np.vstack([low, high]).T))

    @cached_property
    def area_tree(self) -> shapely.STRtree:
        """Boxes of the areas, searchable."""
        return shapely.STRtree(rectangles(self.boxes))


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
    at, area = outlines.area_tree.query(shapely.points(x[known], y[known]))
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


# ---------------------------------------------------------------- the way down


class _Found(NamedTuple):
    """Pairs of positive area, ordered by row and area, and the units opened for them."""

    row: Ints
    area: Ints
    share: Floats
    rows: Ints
    polygons: Shapes
    size: Floats
    repaired: Ints


class _Near(NamedTuple):
    """Pairs of a box and an area whose outline passes near it, ordered, and its chains."""

    at: Ints
    area: Ints
    first: Ints
    chain: Ints

    def some(self, which: Ints) -> _Near:
        """Return some of the pairs."""
        _, place = ranges(self.first[which], self.first[which + 1])
        counts = self.first[which + 1] - self.first[which]
        first = np.append(0, np.cumsum(counts))
        return _Near(self.at[which], self.area[which], first, self.chain[place])


def _measured(units: Units, outlines: Outlines) -> _Found:
    """Return the shares: 1 where boxes settle it, measured along the outlines."""
    starts, boxes = units.group_boxes()
    settled, opened = _settled(starts, boxes, outlines)
    held = ~np.isnan(units.boxes(settled[0])[:, 0])
    settled = settled[0][held], settled[1][held]
    boxes = units.boxes(opened)
    # neighbours in one group first share a box of their own: most need no look at their boxes
    starts, run_boxes = grouped(boxes, RUN)
    runs, rest = _settled(starts, run_boxes, outlines)
    runs = runs[0][~np.isnan(boxes[runs[0], 0])], runs[1][~np.isnan(boxes[runs[0], 0])]
    row = opened[rest]
    at, area, near = _by_box(boxes[rest], outlines, finely=True)
    whole_row = np.concatenate([settled[0], opened[runs[0]], row[at]])
    whole_area = np.concatenate([settled[1], runs[1], area])
    rows, near_at = np.unique(row[near.at], return_inverse=True)
    near = near._replace(at=near_at)
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

    all_rows = np.concatenate([whole_row, rows[near_at[positive]]])
    all_areas = np.concatenate([whole_area, near.area[positive]])
    all_shares = np.concatenate([np.ones(len(whole_row)), share[positive]])
    order = np.lexsort((all_areas, all_rows))
    return _Found(
        all_rows[order], all_areas[order], all_shares[order], rows, polygons, size, repaired
    )


def _settled(starts: Ints, boxes: Floats, outlines: Outlines) -> tuple[tuple[Ints, Ints], Ints]:
    """Return pairs (row, area) of groups wholly inside, and the rows of groups to open."""
    group, area, near = _by_box(boxes, outlines, finely=False)
    opened = np.unique(near.at)
    closed = ~np.isin(group, opened)
    owner, row = ranges(starts[group[closed]], starts[group[closed] + 1])
    _, rest = ranges(starts[opened], starts[opened + 1])
    return (row, area[closed][owner]), rest


def _noise(near: _Near, size: Floats, outlines: Outlines) -> Floats:
    """Return the share of each unit below which an overlap is none."""
    unit = size[near.at]
    smaller = np.minimum(unit, outlines.size[near.area])
    return np.asarray(DUST * smaller / np.where(unit > 0, unit, 1.0), dtype=np.float64)


def _by_box(boxes: Floats, outlines: Outlines, *, finely: bool) -> tuple[Ints, Ints, _Near]:
    """Return pairs (box, area) with the box wholly inside, and pairs an outline passes near.

    ``finely`` asks each edge of a chain whether it is near, not only the chain.
    """
    known = np.flatnonzero(~np.isnan(boxes[:, 0]))
    margin = PAD * np.maximum(boxes[known, 2:] - boxes[known, :2], 1e-6)
    wide = boxes[known] + np.hstack([-margin, margin])
    inner, area = outlines.area_tree.query(rectangles(wide))
    touched = np.unique(inner)
    place, chain = outlines.chain_tree.query(rectangles(wide[touched]))
    place = touched[place]
    if finely:
        place, chain = _with_edge_in(wide, place, chain, outlines)
    near = _near(known[place], chain, outlines)

    box, around = boxes[known[inner]], outlines.boxes[area]
    could = (box[:, :2] >= around[:, :2]).all(axis=1) & (box[:, 2:] <= around[:, 2:]).all(axis=1)
    count = len(outlines.size)
    could &= ~np.isin(known[inner] * count + area, near.at * count + near.area)
    at, area = known[inner[could]], area[could]
    inside = shapely.contains_xy(outlines.areas[area], boxes[at, 0], boxes[at, 1])
    return at[inside], area[inside], near


def _with_edge_in(boxes: Floats, at: Ints, chain: Ints, outlines: Outlines) -> tuple[Ints, Ints]:
    """Return those pairs of a box and a chain where the box of an edge meets the box."""
    link, edge = ranges(outlines.chains[chain], outlines.chains[chain + 1])
    west, south, east, north = outlines.edge_boxes
    left, lower, right, upper = boxes[at].T
    meets = (west[edge] <= right[link]) & (east[edge] >= left[link])
    meets &= (south[edge] <= upper[link]) & (north[edge] >= lower[link])
    kept = np.zeros(len(at), dtype=bool)
    kept[link[meets]] = True
    return at[kept], chain[kept]


def _near(at: Ints, chain: Ints, outlines: Outlines) -> _Near:
    """Gather pairs of a box and a chain by box and area."""
    key = at * len(outlines.size) + outlines.chain_area[chain]
    order = np.argsort(key, kind="stable")
    pair, first = np.unique(key[order], return_index=True)
    at, area = np.divmod(pair, len(outlines.size))
    return _Near(at, area, np.append(first, len(key)), chain[order])


def _along(near: _Near, polygons: Shapes, size: Floats, outlines: Outlines) -> Floats:
    """Return the share of each unit near an outline in its area."""
    boxes = shapely.bounds(polygons).reshape(-1, 4)[near.at]
    turned = _turned(near, boxes, outlines)
    base = base_points(boxes, turned)
    winding = shapely.contains_xy(outlines.areas[near.area], base[:, 0], base[:, 1]).astype(float)

    vertices = np.cumsum(shapely.get_num_coordinates(polygons)[near.at])
    total = int(vertices[-1]) if len(vertices) else 0
    cuts = np.searchsorted(vertices, np.arange(0, total, CHUNK_VERTICES), side="left")
    cuts = np.unique(np.append(cuts, len(vertices)))

    def work(chunk: int) -> tuple[Floats, Flags]:
        start, end = cuts[chunk], cuts[chunk + 1]
        at = near.at[start:end]
        units = edges_of(polygons[at[0] : at[-1] + 1])
        pairs = Pairs(
            at - at[0],
            size[at],
            boxes[start:end],
            near.first[start : end + 1],
            near.chain,
            turned[start:end],
        )
        return shares_of(pairs, winding[start:end], units, outlines.edges, outlines.chains)

    results = on_cores(work, len(cuts) - 1)
    share = np.concatenate([part for part, _ in results]) if results else np.empty(0)
    doubtful = np.concatenate([part for _, part in results]) if results else np.empty(0, dtype=bool)
    doubt = np.flatnonzero(doubtful)
    if len(doubt):
        shapes = polygons[near.at[doubt]]
        common = shapely.area(shapely.intersection(shapes, outlines.areas[near.area[doubt]]))
        share[doubt] = np.nan_to_num(common / shapely.area(shapes))
    return share


def _turned(near: _Near, boxes: Floats, outlines: Outlines) -> Flags:
    """Return which pairs to look at along y: where the outline runs along x."""
    link, _ = ranges(near.first[:-1], near.first[1:])
    if not len(link):
        return np.zeros(0, dtype=bool)
    # a chain is short: its first point stands for it
    x, y = outlines.edges.places.reshape(2, -1)
    start = outlines.chains[near.chain]
    west, south, east, north = boxes[link].T
    wide = np.clip(x[start], west, east)
    high = np.clip(y[start], south, north)
    extent_x = np.maximum.reduceat(wide, near.first[:-1]) - np.minimum.reduceat(
        wide, near.first[:-1]
    )
    extent_y = np.maximum.reduceat(high, near.first[:-1]) - np.minimum.reduceat(
        high, near.first[:-1]
    )
    return np.asarray(extent_x > extent_y, dtype=bool)


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
        inner = _measured(units, lenses)
        keys = units.original(inner.row) * len(couple) + inner.area
        shared[cut] = looked_up(at * len(couple) + of, keys, inner.share)
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


# ---------------------------------------------------------------- polygons


def without_none(polygons: Shapes) -> Shapes:
    """Return polygons with an empty one for ``None``; a copy."""
    polygons = polygons.copy()
    polygons[shapely.is_missing(polygons)] = shapely.Polygon()
    return polygons


def usable(polygons: Shapes) -> tuple[Shapes, Ints]:
    """Return polygons that do not cross themselves, and positions of those that were repaired.

    ``None`` becomes an empty polygon.
    """
    polygons = without_none(polygons)
    valid = spread(lambda part: shapely.is_valid(polygons[part]), len(polygons))
    wrong = np.flatnonzero(~valid)
    made = shapely.make_valid(polygons[wrong], method="structure", keep_collapsed=False)
    polygons[wrong] = polygonal(made)
    return polygons, wrong


def polygonal(shapes: Shapes) -> Shapes:
    """Return the polygons of mixed results: lines and points where neighbours touch go."""
    mixed = np.flatnonzero(~np.isin(shapely.get_type_id(shapes), _POLYGONAL))
    if not len(mixed):
        return shapes
    parts, owner = shapely.get_parts(shapes[mixed], return_index=True)
    flat = shapely.get_dimensions(parts) == 2
    shapes = shapes.copy()
    shapes[mixed] = shapely.Polygon()
    if flat.any():
        kept, heap = np.unique(owner[flat], return_inverse=True)
        heaps = shapely.geometrycollections(parts[flat], indices=heap)
        shapes[mixed[kept]] = shapely.union_all(heaps[:, None], axis=1)
    return shapes


# ---------------------------------------------------------------- boxes, ranges, threads


def rectangles(boxes: Floats) -> Shapes:
    """Return boxes as polygons."""
    return np.asarray(shapely.box(*boxes.reshape(-1, 4).T), dtype=object)


def overlap(one: Floats, two: Floats) -> Floats:
    """Return the common box of boxes, inside out where they are apart."""
    return np.hstack([np.maximum(one[:, :2], two[:, :2]), np.minimum(one[:, 2:], two[:, 2:])])


def couples(groups: Ints) -> tuple[Ints, Ints]:
    """Return all pairs of positions (first < second) that share a group; ``groups`` is ordered."""
    ends = np.searchsorted(groups, groups, side="right").astype(np.int64)
    return ranges(np.arange(1, len(groups) + 1, dtype=np.int64), ends)


def grouped(boxes: Floats, size: int = GROUP_ROWS) -> tuple[Ints, Floats]:
    """Group boxes by their order: where each group starts, the end as last entry, and its box."""
    starts = np.arange(0, len(boxes), size, dtype=np.int64)
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


def looked_up(keys: Ints, held: Ints, values: Floats) -> Floats:
    """Return the value of each key, 0 where it is not held."""
    if not len(held):
        return np.zeros(len(keys))
    order = np.argsort(held, kind="stable")
    at = np.minimum(np.searchsorted(held[order], keys), len(held) - 1)
    return np.where(held[order][at] == keys, values[order][at], 0.0)


def on_cores(work: Callable[[int], T], count: int) -> list[T]:
    """Do work 0 to ``count`` - 1 on all cores; GEOS and numpy release the lock."""
    if count <= 1 or WORKERS == 1:
        return [work(number) for number in range(count)]
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, range(count)))


def spread(work: Callable[[slice], Any], count: int, size: int = CHUNK) -> Any:
    """Do work over ``count`` entries, ``size`` at a time, on all cores; return one array."""
    parts = on_cores(lambda part: work(slice(part * size, (part + 1) * size)), -(-count // size))
    return np.concatenate(parts) if parts else work(slice(0, 0))
