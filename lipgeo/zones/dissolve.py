"""Dissolve census units into areas by cancelling the edges that neighbours share.

Walked with its inside on the left, a polygon adds 1 to how often each place inside it is covered.
An edge that neighbours walk in opposite directions adds nothing; what is left over is the border
of all together. Where that is the border of a valid polygon, every place is covered once or not at
all: the polygons do not overlap and the outline is their union, exactly, with nothing computed but
comparisons. So the check is the result, and looks at the outline alone. Where edges do not agree,
the units at fault go to the general union: slower, and as right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.arrays import Flags, Floats, Ints, Shapes
from lipgeo.zones.cores import on_cores, spread
from lipgeo.zones.validity import make_valid_polygons

__all__ = ["Dissolved", "dissolve", "join_by_edges", "parts_and_holes"]

Hashes = npt.NDArray[np.uint64]
#: a place is one number, so that places are compared and picked as numbers are
Points = npt.NDArray[np.complex128]

#: vertices looked at together: neighbours mostly are, and they fit the processor's cache
_CHUNK_VERTICES = 1 << 16
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0xD6E8FEB86659FD93))
_SHIFT = np.uint64(32)


@dataclass(frozen=True)
class Dissolved:
    """What :func:`dissolve` made and met.

    Attributes
    ----------
    geometry
        One valid polygon or multipolygon an area; an empty polygon where no member has a
        polygon; shape (count,).
    repaired
        Units whose polygon was invalid: ``unit`` (position in the polygons given) and
        ``area_change`` (of the larger of before and after, in [0, 1]).
    faults
        Units whose edges do not run together with a neighbour's (they overlap, or one has a
        vertex the other lacks): ``area, unit``, ``edge_m`` (length of the edges concerned, grid
        metres).
    missing
        Members without a polygon: ``area, unit``.
    """

    geometry: Shapes
    repaired: pd.DataFrame
    faults: pd.DataFrame
    missing: pd.DataFrame


def dissolve(
    polygons: npt.ArrayLike, area: npt.ArrayLike, unit: npt.ArrayLike, count: int
) -> Dissolved:
    """Return the union of the units of each area.

    Units that form a coverage (neighbours share their edges vertex by vertex, nothing overlaps)
    are joined by dropping the edges they share (:func:`join_by_edges`), which is many times
    faster than a general union, exact, and tells by its result whether they are one. Where they
    are not, the units at fault are set apart and joined by the general union, and named in
    ``faults``.

    Parameters
    ----------
    polygons
        Polygons and multipolygons in one projected CRS, ``None`` where a unit has none; (u,).
    area, unit
        Pairs: position of the area, position of its member in ``polygons``; (m,) each. A unit may
        be in several areas.
    count
        Number of areas.

    Examples
    --------
    >>> import shapely
    >>> from lipgeo.zones.dissolve import dissolve
    >>> boxes = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(5, 0, 6, 1)]
    >>> made = dissolve(boxes, [0, 0, 1], [0, 1, 2], count=2)
    >>> made.geometry[0].equals(shapely.box(0, 0, 2, 1)), made.faults.empty
    (True, True)
    """
    # members that have a valid polygon, area by area
    given = np.asarray(polygons, dtype=object)
    areas, units = np.asarray(area, dtype=np.int64), np.asarray(unit, dtype=np.int64)
    shapes, repaired = _repair(given, np.unique(units))
    absent = shapely.is_missing(shapes[units]) | shapely.is_empty(shapes[units])
    missing = pd.DataFrame({"area": areas[absent], "unit": units[absent]})
    areas, units = areas[~absent], units[~absent]
    order = np.argsort(areas, kind="stable")
    areas, units = areas[order], units[order]
    ends = np.searchsorted(areas, np.arange(count + 1))
    # one union an area, on all cores
    unions = on_cores(lambda one: _union(shapes[units[ends[one] : ends[one + 1]]]), count)
    made = np.full(count, shapely.Polygon(), dtype=object)
    made[:] = [union for union, _, _ in unions]
    faults = [
        pd.DataFrame({"area": one, "unit": units[ends[one] + at_fault], "edge_m": lengths})
        for one, (_, at_fault, lengths) in enumerate(unions)
        if len(at_fault)
    ]
    empty = pd.DataFrame({"area": _none(), "unit": _none(), "edge_m": np.array([], dtype=float)})
    return Dissolved(
        made, repaired, pd.concat(faults, ignore_index=True) if faults else empty, missing
    )


def parts_and_holes(geometry: npt.ArrayLike) -> tuple[Ints, Ints]:
    """Return the number of parts and of interior rings of each polygon; (n,) each."""
    shapes = np.asarray(geometry, dtype=object)
    parts, owner = shapely.get_parts(shapes, return_index=True)
    solid = ~shapely.is_empty(parts)
    parts, owner = parts[solid], owner[solid]
    count = np.bincount(owner, minlength=len(shapes))
    holes = np.bincount(owner, shapely.get_num_interior_rings(parts), minlength=len(shapes))
    return count.astype(np.int64), holes.astype(np.int64)


def _union(shapes: Shapes) -> tuple[shapely.Geometry, Ints, npt.NDArray[np.float64]]:
    """Union of one area's units; positions and edge lengths of those that fit no coverage."""
    no_length = np.array([], dtype=np.float64)
    if not len(shapes):
        return shapely.Polygon(), _none(), no_length
    union, border = join_by_edges(shapes)
    if union is not None:
        return union, _none(), no_length
    # what is at fault has edges that no neighbour shares: nothing else need be looked at
    edges = shapely.coverage_invalid_edges(shapes[border])
    wrong = ~(shapely.is_missing(edges) | shapely.is_empty(edges))
    at_fault, lengths = border[wrong], shapely.length(edges[wrong])
    # the others are joined by edges still, and the general union puts both together
    others = np.delete(shapes, at_fault)
    union = join_by_edges(others)[0] if len(others) else shapely.Polygon()
    if union is None:
        return shapely.union_all(shapes), at_fault, lengths
    return shapely.union_all(np.append(shapes[at_fault], union)), at_fault, lengths


def _repair(shapes: Shapes, used: Ints) -> tuple[Shapes, pd.DataFrame]:
    """Make the polygons used valid, on a copy, and say by how much each changed."""
    valid = spread(lambda part: shapely.is_valid(shapes[used[part]]), len(used), 1024)
    wrong = used[~valid & ~shapely.is_missing(shapes[used])]
    if not len(wrong):
        return shapes, pd.DataFrame({"unit": wrong, "area_change": np.zeros(0)})
    fixed = shapes.copy()
    fixed[wrong], _, change = make_valid_polygons(shapes[wrong])
    return fixed, pd.DataFrame({"unit": wrong, "area_change": change})


def _none() -> Ints:
    return np.array([], dtype=np.int64)


# ---------------------------------------------------------------- from polygons to a border


class _Edges(NamedTuple):
    """Edges with the inside on their left.

    Attributes
    ----------
    start, end
        Their points, as complex numbers: x + iy; (n,).
    from_, to
        Hashes of those points: equal points have equal ones; (n,).
    unit
        Whose they are; (n,).
    """

    start: Points
    end: Points
    from_: Hashes
    to: Hashes
    unit: Ints

    def some(self, which: Ints | Flags) -> _Edges:
        """Return some of the edges."""
        return _Edges(
            self.start[which], self.end[which], self.from_[which], self.to[which], self.unit[which]
        )


def join_by_edges(shapes: Shapes) -> tuple[shapely.Geometry | None, Ints]:
    """Return the union of polygons that share their edges, and the polygons on its border.

    Parameters
    ----------
    shapes
        Valid polygons and multipolygons, at least one, none missing or empty; (n,).

    Returns
    -------
    geometry
        A valid polygon or multipolygon, the same whatever the order of ``shapes``; ``None`` where
        they are no coverage: some overlap, or have a vertex on an edge of a neighbour.
    unit
        Positions of the polygons that have an edge on the border; ascending. Where there is no
        union, those at fault are among them.

    Examples
    --------
    >>> import numpy as np, shapely
    >>> from lipgeo.zones.dissolve import join_by_edges
    >>> both, border = join_by_edges(shapely.box(np.array([0, 1]), 0, np.array([1, 2]), 1))
    >>> both.area, border.tolist()
    (2.0, [0, 1])
    >>> join_by_edges(shapely.box(np.array([0, 1]), 0, np.array([1, 2]), [1, 2]))[0] is None
    True
    """
    # neighbours mostly stand together: chunks cancel within, then what is left of all
    vertices = np.cumsum(shapely.get_num_coordinates(shapes))
    cuts = np.searchsorted(vertices, np.arange(0, vertices[-1], _CHUNK_VERTICES))
    cuts = np.unique(np.append(cuts, len(shapes)))
    left = on_cores(
        lambda k: _cancel_opposites(_edges_of(shapes[cuts[k] : cuts[k + 1]], int(cuts[k]))),
        len(cuts) - 1,
    )
    border = _Edges(*(np.concatenate(parts) for parts in zip(*left, strict=True)))
    if len(left) > 1:
        border = _cancel_opposites(border)
    return _polygon(border), np.unique(border.unit)


def _edges_of(shapes: Shapes, first: int) -> _Edges:
    """Return the edges of polygons, numbered from ``first``."""
    kind, pairs, offsets = shapely.to_ragged_array(shapes, include_z=False)
    rings, polygons = (np.asarray(part, dtype=np.int64) for part in offsets[:2])
    pairs = np.ascontiguousarray(pairs) + 0.0  # the zero that is negative is the same place
    points = pairs.view(np.complex128)[:, 0]
    hashed = _hashes(pairs.view(np.uint64))
    # an edge starts at every point but the last of a ring, unless the next is the same place
    there = np.ones(len(points), dtype=bool)
    there[:-1] = points[1:] != points[:-1]
    there[rings[1:] - 1] = False
    begin = np.flatnonzero(there)
    # rings that turn the wrong way (shells to the right, holes to the left) are walked backward
    outer = np.zeros(len(rings) - 1, dtype=bool)
    outer[polygons[:-1]] = True
    backward = (_twice_area(points, rings) > 0) != outer
    unit = np.repeat(np.arange(first, first + len(polygons) - 1), np.diff(polygons))
    if kind == shapely.GeometryType.MULTIPOLYGON:
        parts = np.repeat(np.arange(first, first + len(shapes)), np.diff(offsets[2]))
        unit = parts[unit - first]
    size = np.diff(rings)
    turned, unit = np.repeat(backward, size)[begin], np.repeat(unit, size)[begin]
    one, two = begin + turned, begin + ~turned
    return _Edges(points[one], points[two], hashed[one], hashed[two], unit)


def _hashes(bits: Hashes) -> Hashes:
    """Return a hash of each point's bits; (n,)."""
    x, y = bits[:, 0] * _ODD[0], bits[:, 1] * _ODD[1]
    x ^= x >> _SHIFT
    y ^= y >> _SHIFT
    y *= _ODD[2]
    x += y
    x ^= x >> _SHIFT
    return x


def _twice_area(points: Points, rings: Ints) -> Floats:
    """Return twice the signed area of closed rings, positive where they turn left."""
    away = points - np.repeat(points[rings[:-1]], np.diff(rings))
    # from a ring's last point, its first, back to itself: nothing
    cross = np.zeros(len(points))
    x, y = away.real, away.imag
    cross[:-1] = x[:-1] * y[1:] - x[1:] * y[:-1]
    cross[rings[1:] - 1] = 0.0
    return np.asarray(np.add.reduceat(cross, rings[:-1]), dtype=np.float64)


def _cancel_opposites(edges: _Edges) -> _Edges:
    """Return the edges that no other walks in the opposite direction, one for one."""
    # edges sorted by a key that opposite edges share
    count = len(edges.unit)
    bits = np.uint64(max(count, 1).bit_length())
    number = np.uint64((1 << int(bits)) - 1)
    # an edge and its opposite have one key; its upper bits are sorted with the edge's number below
    keys = (edges.from_ + edges.to) * _ODD[0]
    packed = np.sort((keys & ~number) | np.arange(count, dtype=np.uint64))
    edge, key = (packed & number).astype(np.int64), packed >> bits
    alike = np.concatenate([[False], key[1:] == key[:-1], [False]])[: count + 1]
    before, after = alike[:-1], alike[1:]
    # two alike that run in opposite directions are gone
    two = np.flatnonzero(~before & after)
    two = two[~after[np.minimum(two + 1, count - 1)]]
    one, other = edge[two], edge[two + 1]
    opposite = edges.start[one] == edges.end[other]
    opposite &= edges.end[one] == edges.start[other]
    gone = np.zeros(count, dtype=bool)
    gone[one[opposite]] = gone[other[opposite]] = True
    # where more than two are alike each is matched one for one
    crowd = before | after
    crowd[two] = crowd[two + 1] = False
    many = np.sort(edge[crowd])
    gone[many[_find_cancelling(edges.some(many))]] = True
    return edges.some(~gone)


def _find_cancelling(edges: _Edges) -> Flags:
    """Return which edges cancel out, where more than two may run between the same points."""
    # edges between the same two points, in either direction; complex numbers go by x, then y
    ahead = edges.start < edges.end
    low, high = np.where(ahead, edges.start, edges.end), np.where(ahead, edges.end, edges.start)
    order = np.lexsort((high, low))
    low, high = low[order], high[order]
    place = np.empty(len(order), dtype=np.int64)
    news = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    place[order] = np.append(0, np.cumsum(news))[: len(order)]
    one_way = np.bincount(place[ahead], minlength=len(place) + 1)
    other_way = np.bincount(place[~ahead], minlength=len(place) + 1)
    cancel = np.minimum(one_way, other_way)[place]
    # of each direction so many go as there are of the other
    group = place * 2 + ahead
    order = np.argsort(group, kind="stable")
    firsts = np.searchsorted(group[order], group[order])
    rank = np.empty(len(place), dtype=np.int64)
    rank[order] = np.arange(len(place)) - firsts
    return np.asarray(rank < cancel, dtype=bool)


# ---------------------------------------------------------------- from a border to a polygon


def _polygon(border: _Edges) -> shapely.Geometry | None:
    """Return the polygon with this border, ``None`` where it is the border of no valid one."""
    if not len(border.unit):
        return None
    # closed rings: shells turn left, holes right
    walked = _rings(border)
    if walked is None:
        return None
    points, rings = walked
    doubled = _twice_area(points, rings)
    shells, holes = np.flatnonzero(doubled > 0), np.flatnonzero(doubled < 0)
    if len(shells) + len(holes) < len(doubled) or not len(shells):
        return None
    owner = _find_shells(points, rings, shells, holes)
    if owner is None:
        return None
    # each shell before its holes
    order = np.concatenate([shells, holes])
    order = order[np.argsort(np.concatenate([np.arange(len(shells)), owner]), kind="stable")]
    sizes = np.diff(rings)[order]
    points = points[_ranges(rings[:-1][order], sizes)]
    starts = np.append(0, np.cumsum(sizes))
    of_shell = np.append(0, np.cumsum(1 + np.bincount(owner, minlength=len(shells))))
    offsets = (starts, of_shell, np.array([0, len(shells)]))
    made = shapely.from_ragged_array(shapely.GeometryType.MULTIPOLYGON, _pairs(points), offsets)[0]
    if not shapely.is_valid(made):
        return None
    return shapely.normalize(made.geoms[0] if len(shells) == 1 else made)


def _find_shells(points: Points, rings: Ints, shells: Ints, holes: Ints) -> Ints | None:
    """Return the shell around each hole, by position; ``None`` where one has none."""
    if len(shells) == 1 or not len(holes):
        return np.zeros(len(holes), dtype=np.int64)
    sizes = np.diff(rings)

    def fill(which: Ints) -> Shapes:
        starts = np.append(0, np.cumsum(sizes[which]))
        own = points[_ranges(rings[:-1][which], sizes[which])]
        return np.asarray(
            shapely.from_ragged_array(
                shapely.GeometryType.POLYGON, _pairs(own), (starts, np.arange(len(which) + 1))
            )
        )

    around = fill(shells)
    inside = shapely.point_on_surface(fill(holes))
    shell, hole = shapely.STRtree(inside).query(around, predicate="contains")
    # an island in a lake has shores of its own: the smallest shell is the one around the hole
    order = np.lexsort((shapely.area(around)[shell], hole))
    found, first = np.unique(hole[order], return_index=True)
    return shell[order][first] if len(found) == len(holes) else None


def _rings(border: _Edges) -> tuple[Points, Ints] | None:
    """Walk the border: closed rings that pass no point twice, ``None`` where it does not close.

    Returns their points, the first again as the last of each, and where each ring starts.
    """
    count = len(border.unit)
    order = np.argsort(border.from_, kind="stable")
    leaving = border.from_[order]
    doubled = leaving[1:][leaving[1:] == leaving[:-1]]
    met = np.isin(border.from_, doubled)
    # edges mostly follow one another as they stand; only where they do not is the next looked for
    following = np.arange(1, count + 1)
    follows = np.append(border.to[:-1] == border.from_[1:], False) & ~np.append(met[1:], False)
    open_ = np.flatnonzero(~follows)
    low = np.minimum(np.searchsorted(leaving, border.to[open_]), count - 1)
    if (leaving[low] != border.to[open_]).any():
        return None
    following[open_] = order[low]
    meeting = np.flatnonzero(np.isin(border.to, doubled))
    after = _turns(border, meeting, np.flatnonzero(met))
    if after is None:
        return None
    following[meeting] = after
    if (border.end != border.start[following]).any():
        return None
    # runs of edges that follow one another as they stand, and the run after each
    begins = met.copy()
    begins[0] = True
    begins[following[open_]] = True
    begins[open_[open_ < count - 1] + 1] = True
    first = np.flatnonzero(begins)
    size = np.diff(np.append(first, count))
    run_of = np.cumsum(begins) - 1
    after = run_of[following[first + size - 1]]
    walks = _walks(after.tolist(), met[first].tolist(), border.from_[first].tolist())
    # the points of each closed walk, its first again as its last
    runs = np.array([run for walk in walks for run in walk], dtype=np.int64)
    of_walk = np.repeat(np.arange(len(walks)), [len(walk) for walk in walks])
    edges = np.bincount(of_walk, size[runs], minlength=len(walks)).astype(np.int64)
    starts = np.append(0, np.cumsum(edges + 1))
    points = np.empty(starts[-1], dtype=np.complex128)
    last = np.zeros(starts[-1], dtype=bool)
    last[starts[1:] - 1] = True
    points[~last] = border.start[_ranges(first[runs], size[runs])]
    points[last] = points[starts[:-1]]
    return points, starts


def _walks(after: list[int], met: list[bool], corner: list[int]) -> list[list[int]]:
    """Follow runs to closed walks; one that comes to a point again is closed there."""
    walks = []
    seen = [False] * len(after)
    for begin in range(len(after)):
        if seen[begin]:
            continue
        walk: list[int] = []
        place: dict[int, int] = {}
        run = begin
        while not seen[run]:
            seen[run] = True
            if met[run]:
                if corner[run] in place:
                    closed = place[corner[run]]
                    walks.append(walk[closed:])
                    for gone in walk[closed:]:
                        if met[gone]:
                            del place[corner[gone]]
                    del walk[closed:]
                place[corner[run]] = len(walk)
            walk.append(run)
            run = after[run]
        walks.append(walk)
    return walks


def _turns(border: _Edges, coming: Ints, leaving: Ints) -> Ints | None:
    """Return the edge to go on with where several leave a point: the next one to the right.

    ``None`` where edges do not come and leave in turns: something overlaps there.
    """
    edge = np.concatenate([coming, leaving])
    at = np.concatenate([border.to[coming], border.from_[leaving]])
    out = np.arange(len(edge)) >= len(coming)
    away = np.where(out, 1, -1) * (border.end[edge] - border.start[edge])
    order = np.lexsort((-np.angle(away), at))
    at, out = at[order], out[order]
    first = np.searchsorted(at, at, side="left")
    last = np.searchsorted(at, at, side="right") - 1
    position = np.arange(len(at))
    onward = np.where(position == last, first, position + 1)
    if (out == out[onward]).any():
        return None
    come = np.flatnonzero(~out)
    result = np.empty(len(coming), dtype=np.int64)
    result[order[come]] = edge[order[onward[come]]]
    return result


def _pairs(points: Points) -> Floats:
    """Return points as pairs of x and y; (n, 2)."""
    return points.view(np.float64).reshape(-1, 2)


def _ranges(first: Ints, size: Ints) -> Ints:
    """Return ``first[0], first[0] + 1, ...``, ``size[0]`` of them, then of the next."""
    ends = np.cumsum(size)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(first - (ends - size), size), dtype=np.int64)
