"""Descend boxes to tell which units lie wholly inside areas and which ones an outline comes near.

Units stand in groups of about a thousand neighbours and those in runs of a few; an outline is cut
into stretches and those into chains of a few edges. Boxes are compared with boxes from large to
small on both sides, so the work follows the length of the outlines. A box that no part of an
outline comes near is wholly inside the area or wholly outside, and one point tells which.
"""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import NamedTuple, Protocol

import numpy as np
import shapely

from lipgeo.arrays import Flags, Floats, Ints, Shapes
from lipgeo.census.data import GROUP_ROWS, CensusData, hilbert
from lipgeo.crosswalk.overlay.edges import PAD, edge_boxes, edges_of, ranges
from lipgeo.crosswalk.overlay.polygons import usable
from lipgeo.zones.cores import on_cores

__all__ = ["ArrayUnits", "Descent", "LevelUnits", "Near", "Outlines", "Units", "descend"]

#: neighbouring units in a run, which divides the rows of a group, and in a part of a run
RUN = 16
FEW = 4
#: edges in a chain, and chains in a stretch, of an outline
CHAIN = 8
STRETCH = 16
#: pairs of a group of units and an area that go down together: their boxes fit the cache
TOGETHER = 4


class Units(Protocol):
    """Source units the kernel can descend: groups of units, boxes of units, polygons.

    A unit is asked for by its place: its position in an order in which neighbours stand close.
    """

    def group_boxes(self) -> tuple[Ints, Floats]:
        """Where each group of places starts (end as last entry) and its box."""

    def boxes(self, places: Ints) -> Floats:
        """Boxes of units, NaN where one has no polygon."""

    def polygons(self, places: Ints) -> Shapes:
        """Polygons of units, ``None`` where one has none."""

    def original(self, places: Ints) -> Ints:
        """Give the caller's numbers of these units."""


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
        self._order = order_by_place(self._boxes)

    def group_boxes(self) -> tuple[Ints, Floats]:
        """Give starts and boxes of the groups, by place."""
        return group_by_order(self._boxes[self._order])

    def boxes(self, places: Ints) -> Floats:
        """Boxes of units."""
        return self._boxes[self._order[places]]

    def polygons(self, places: Ints) -> Shapes:
        """Polygons of units."""
        return self._geometry[self._order[places]]

    def original(self, places: Ints) -> Ints:
        """Numbers the units had in the array given."""
        return self._order[places]


class LevelUnits:
    """The units of a census level, or some of them, read as far as they are needed.

    Attributes
    ----------
    data, level
        Where they are read from.
    census_rows
        Their positions in the level; ``None`` for all.
    """

    def __init__(self, data: CensusData, level: str, census_rows: Ints | None = None) -> None:
        self.data, self.level, self.census_rows = data, level, census_rows

    def group_boxes(self) -> tuple[Ints, Floats]:
        """Give starts and boxes of the groups, by place."""
        if self.census_rows is None:
            return self.data.group_boxes(self.level)
        return group_by_order(self.data.boxes(self.level, self.census_rows))

    def boxes(self, places: Ints) -> Floats:
        """Boxes of units."""
        return self.data.boxes(self.level, self.original(places))

    def polygons(self, places: Ints) -> Shapes:
        """Polygons of units."""
        return self.data.geometry(self.level, self.original(places))

    def original(self, places: Ints) -> Ints:
        """Numbers the units had in the array given."""
        return places if self.census_rows is None else self.census_rows[places]


class Outlines:
    """Areas and their outlines, in stretches of chains of edges.

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
    edges
        All their edges.
    chains, stretches
        Where each chain starts among the edges, and each stretch among the chains; the end last.
    """

    def __init__(self, areas: Shapes) -> None:
        self.areas, self.repaired = usable(np.asarray(areas, dtype=object))
        self.size = np.asarray(np.nan_to_num(shapely.area(self.areas)), dtype=np.float64)
        self.boxes = shapely.bounds(self.areas).reshape(-1, 4).T.copy()
        self.edges = edges_of(self.areas)
        self.edge_boxes = edge_boxes(self.edges)
        first = self.edges.first
        # the last point of an area starts no edge, and must not be a chain of its own
        self.chains, chain_first = _cut_ranges(first, np.maximum(np.diff(first) - 1, 0), CHAIN)
        self.chain_boxes = _boxes_around(self.edge_boxes, self.chains)
        self.stretches, self.stretch_first = _cut_ranges(chain_first, np.diff(chain_first), STRETCH)
        self.stretch_boxes = _boxes_around(self.chain_boxes, self.stretches)
        shapely.prepare(self.areas)
        # a prepared polygon answers one thread at a time: two at once break the heap of GEOS
        self._asking = Lock()

    @cached_property
    def tree(self) -> shapely.STRtree:
        """The areas, searchable by box."""
        return shapely.STRtree(self.areas)

    def hold(self, area: Ints, x: Floats, y: Floats) -> Flags:
        """Return whether each area holds its point, strictly; any thread may ask."""
        with self._asking:
            return np.asarray(shapely.contains_xy(self.areas[area], x, y), dtype=bool)


class Near(NamedTuple):
    """Pairs of a box and an area whose outline passes near it, and the parts of the outline there.

    Attributes
    ----------
    at, area
        Position of the box and of the area; (p,).
    first, part
        The parts near pair i are ``part[first[i]:first[i + 1]]``.
    """

    at: Ints
    area: Ints
    first: Ints
    part: Ints

    def some(self, which: Ints) -> Near:
        """Return some of the pairs."""
        first, place = _expand(self.first, which)
        return Near(self.at[which], self.area[which], first, self.part[place])

    def part_of(self, start: int, count: int) -> Near:
        """Return some neighbouring pairs."""
        at = self.at[start : start + count]
        first = self.first[start : start + len(at) + 1]
        return Near(
            at, self.area[start : start + count], first - first[0], self.part[first[0] : first[-1]]
        )


class Descent(NamedTuple):
    """What boxes settle and what they do not.

    Attributes
    ----------
    unit, area
        Places of units wholly inside areas; in no order.
    near
        Units an outline comes near, ordered by unit and area: ``at`` is the place, ``part`` the
        edges.
    """

    unit: Ints
    area: Ints
    near: Near


def descend(units: Units, outlines: Outlines) -> Descent:
    """Go down from groups of units to units, and from stretches of outlines to chains."""
    # which outlines come near each group; groups no outline comes near are settled at once
    starts, groups = units.group_boxes()
    groups = np.ascontiguousarray(groups.T)
    known = np.flatnonzero(~np.isnan(groups[0]))
    # a tree looks at boxes only, and a line across a box is its cheapest stand-in
    lines = shapely.linestrings(_pad(groups[:, known]).T.reshape(-1, 2, 2))
    at, area = outlines.tree.query(lines)
    whole = Near(known[at], area, *_expand(outlines.stretch_first, area))
    near, held = _sift(whole, groups, outlines.stretch_boxes, outlines)
    owner, unit = ranges(starts[held.at], starts[held.at + 1])
    has_polygon = ~np.isnan(units.boxes(unit)[:, 0])
    found = [(unit[has_polygon], held.area[owner[has_polygon]])]

    # the units of open groups, in runs
    opened, at = np.unique(near.at, return_inverse=True)
    length = np.diff(starts)[opened]
    _, places = ranges(starts[opened], starts[opened + 1])
    family = _Family(np.ascontiguousarray(units.boxes(places).T), length)
    near = near._replace(at=at)
    # down to units and edges, some groups at a time on each core
    parts = -(-len(near.at) // TOGETHER)
    done = on_cores(
        lambda part: _descend_groups(near.part_of(part * TOGETHER, TOGETHER), family, outlines),
        parts,
    )
    found += [(places[at], area) for held, _ in done for at, area in held]
    unit, area = (np.concatenate(column) for column in zip(*found, strict=True))
    near = _join([near for _, near in done])
    order = np.lexsort((near.area, near.at))
    near = near.some(order)
    return Descent(unit, area, near._replace(at=places[near.at]))


class _Family:
    """Units of the open groups: in runs, the runs in parts; where each starts, and its box."""

    def __init__(self, boxes: Floats, length: Ints) -> None:
        self.boxes = boxes
        self.runs, self.run_first = _cut_ranges(np.append(0, np.cumsum(length)), length, RUN)
        self.run_boxes = _boxes_around(boxes, self.runs)
        self.parts, self.part_first = _cut_ranges(self.runs, np.diff(self.runs), FEW)
        self.part_boxes = _boxes_around(boxes, self.parts)


def _descend_groups(
    near: Near, family: _Family, outlines: Outlines
) -> tuple[list[tuple[Ints, Ints]], Near]:
    """Go from groups and stretches to units and edges; units wholly inside come first."""
    boxes, found = family.boxes, []
    # from groups to runs of units, then from stretches to chains of edges
    near = _into_children(near, family.run_first)
    near, held = _sift(near, family.run_boxes, outlines.stretch_boxes, outlines)
    found.append(_members(held, family.runs, boxes))
    near = _into_parts(near, outlines.stretches)
    near, held = _sift(near, family.run_boxes, outlines.chain_boxes, outlines)
    found.append(_members(held, family.runs, boxes))

    # to parts of runs, to units, and at last to single edges
    near = _into_children(near, family.part_first)
    near, held = _sift(near, family.part_boxes, outlines.chain_boxes, outlines)
    found.append(_members(held, family.parts, boxes))
    near = _into_children(near, family.parts)
    near, held = _sift(near, boxes, outlines.chain_boxes, outlines)
    found.append((held.at, held.area))
    near = _into_parts(near, outlines.chains)
    near, held = _sift(near, boxes, outlines.edge_boxes, outlines)
    found.append((held.at, held.area))
    return found, near


def _sift(near: Near, boxes: Floats, parts: Floats, outlines: Outlines) -> tuple[Near, Near]:
    """Keep the parts whose box comes near; pairs left with none are settled by one point.

    Returns pairs still open, and pairs with the box wholly inside the area.
    """
    # parts whose box meets that of the pair, on both axes
    pair = np.repeat(np.arange(len(near.at)), np.diff(near.first))
    box, part = _pad(boxes[:, near.at]), near.part
    for axis in (0, 1):
        meets = parts[axis][part] <= box[axis + 2][pair]
        meets &= parts[axis + 2][part] >= box[axis][pair]
        pair, part = pair[meets], part[meets]
    count = np.bincount(pair, minlength=len(near.at))
    first = np.append(0, np.cumsum(count[count > 0]))
    still = Near(near.at[count > 0], near.area[count > 0], first, part)

    # pairs without any: in the area with one corner means wholly inside
    at, area = near.at[count == 0], near.area[count == 0]
    low, high = boxes[:2, at], boxes[2:, at]
    could = (low >= outlines.boxes[:2, area]).all(axis=0)
    could &= (high <= outlines.boxes[2:, area]).all(axis=0)
    at, area = at[could], area[could]
    inside = outlines.hold(area, boxes[0, at], boxes[1, at])
    return still, Near(at[inside], area[inside], first[:1], part[:0])


def _into_children(near: Near, first: Ints) -> Near:
    """Go from boxes to the boxes in them; each takes all parts near its parent."""
    parent, child = ranges(first[near.at], first[near.at + 1])
    starts, part = _expand(near.first, parent)
    return Near(child, near.area[parent], starts, near.part[part])


def _into_parts(near: Near, first: Ints) -> Near:
    """Go from parts of an outline to the parts in them."""
    counts = first[near.part + 1] - first[near.part]
    before = np.append(0, np.cumsum(counts))
    _, part = ranges(first[near.part], first[near.part + 1])
    return near._replace(first=before[near.first], part=part)


def _join(parts: list[Near]) -> Near:
    """Put pairs one after another."""
    if not parts:
        none = np.empty(0, dtype=np.int64)
        return Near(none, none, np.zeros(1, dtype=np.int64), none)
    counts = np.concatenate([np.diff(near.first) for near in parts])
    at, area, part = (
        np.concatenate([getattr(near, name) for near in parts]) for name in ("at", "area", "part")
    )
    return Near(at, area, np.append(0, np.cumsum(counts)), part)


def _expand(first: Ints, which: Ints) -> tuple[Ints, Ints]:
    """Return all members of some ranges, and where those of each start."""
    counts = first[which + 1] - first[which]
    _, member = ranges(first[which], first[which + 1])
    return np.append(0, np.cumsum(counts)), member


def _members(held: Near, first: Ints, boxes: Floats) -> tuple[Ints, Ints]:
    """Return the units in boxes that areas hold; one without a polygon lies nowhere."""
    owner, unit = ranges(first[held.at], first[held.at + 1])
    has_polygon = ~np.isnan(boxes[0, unit])
    return unit[has_polygon], held.area[owner[has_polygon]]


def _pad(boxes: Floats) -> Floats:
    """Return boxes with the margin in which edges take part; (4, n)."""
    margin = PAD * np.maximum(boxes[2:] - boxes[:2], 1e-6)
    return np.vstack([boxes[:2] - margin, boxes[2:] + margin])


def _cut_ranges(first: Ints, count: Ints, length: int) -> tuple[Ints, Ints]:
    """Cut ranges into runs of at most ``length``.

    Returns where each run starts, the end as last entry, and which run is the first of each range,
    the number of runs as last entry.
    """
    runs = -(-count // length)
    owner, number = ranges(np.zeros_like(runs), runs)
    return np.append(first[owner] + number * length, first[-1]), np.append(0, np.cumsum(runs))


def _boxes_around(boxes: Floats, starts: Ints) -> Floats:
    """Return the boxes around runs of boxes; (4, runs)."""
    if len(starts) < 2:
        return np.empty((4, 0))
    low = np.fmin.reduceat(boxes[:2], starts[:-1], axis=1)
    high = np.fmax.reduceat(boxes[2:], starts[:-1], axis=1)
    return np.vstack([low, high])


def group_by_order(boxes: Floats) -> tuple[Ints, Floats]:
    """Group boxes by their order: where each group starts, the end as last entry, and its box."""
    starts, _ = _cut_ranges(np.array([0, len(boxes)]), np.array([len(boxes)]), GROUP_ROWS)
    return starts, _boxes_around(boxes.T, starts).T


def order_by_place(boxes: Floats) -> Ints:
    """Return an order in which neighbours stand close: along a Hilbert curve over the extent."""
    if not len(boxes) or np.isnan(boxes).all():
        return np.arange(len(boxes), dtype=np.int64)
    west, south = np.nanmin(boxes[:, :2], axis=0)
    east, north = np.nanmax(boxes[:, 2:], axis=0)
    side = max(east - west, north - south) or 1.0
    place = hilbert((boxes - [west, south, west, south]) / side * 7.0e6 + [3.0e6, 0.0, 3.0e6, 0.0])
    return np.argsort(place, kind="stable").astype(np.int64)
