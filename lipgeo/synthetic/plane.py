"""Tile the made country with cells, with jagged edges drawn once for both sides.

A cell is a point of :class:`~lipgeo.synthetic.land.Land` with the ground around it. Joining the
middles of the triangles of a triangulation gives outlines that meet three at a corner, so the
outline of any set of cells is found by walking its edges into rings, and two neighbours share
theirs vertex by vertex. Any unit of any level and vintage is a set of cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay

from lipgeo.arrays import Floats, Ints, Shapes
from lipgeo.census.data import hilbert
from lipgeo.synthetic.land import Land, chance

__all__ = ["EDGE_SHARE", "Plane", "assemble", "make_plane", "rings"]


def rings(step: Ints) -> tuple[Ints, Ints, Ints]:
    """Split a walk into rings: ring of each side, place in it, and the rings' sizes."""
    count = len(step)
    links = csr_matrix((np.ones(count, dtype=np.int8), step, np.arange(count + 1)))
    n_rings, ring = connected_components(links, directed=True, connection="weak")
    sizes = np.bincount(ring, minlength=n_rings)
    last = np.empty(n_rings, dtype=np.int64)
    last[ring] = np.arange(count)  # any one member: where the ring is cut open
    # distance to the cut by doubling: each round looks twice as far ahead
    ahead = step.copy()
    distance = np.ones(count, dtype=np.int64)
    ahead[last], distance[last] = last, 0
    for _ in range(int(np.ceil(np.log2(max(2, sizes.max()))))):
        distance += distance[ahead]
        ahead = ahead[ahead]
    return ring.astype(np.int64), sizes[ring] - 1 - distance, sizes


def assemble(vertices: Floats, starts: Ints, owner: Ints, count: int) -> Shapes:
    """Make the polygons of units from their rings (counter-clockwise shells, clockwise holes).

    Parameters
    ----------
    vertices
        Closed rings, one after the other; (v, 2).
    starts
        Where each ring begins, with the end as last entry; (r + 1,).
    owner
        Unit of each ring; (r,).
    count
        How many units there are.

    Returns
    -------
    numpy.ndarray
        Polygons and multipolygons, ``None`` for a unit without rings; (count,).
    """
    shapes = np.full(count, None, dtype=object)
    per_unit = np.bincount(owner, minlength=count)
    single = per_unit[owner] == 1
    if single.any():
        shapes[owner[single]] = _simple(vertices, starts, single)
    rest = np.flatnonzero(~single)
    if not len(rest):
        return shapes
    parts = [vertices[a:b] for a, b in zip(starts[rest], starts[rest + 1], strict=True)]
    sizes = starts[rest + 1] - starts[rest]
    lines = shapely.linearrings(
        np.concatenate(parts), indices=np.repeat(np.arange(len(rest)), sizes)
    )
    shell = shapely.is_ccw(lines)
    unit = owner[rest]
    one_shell = np.bincount(unit[shell], minlength=count)[unit] == 1
    order = np.lexsort((~shell, unit))
    order = order[one_shell[order]]
    if len(order):
        units, at = np.unique(unit[order], return_inverse=True)
        shapes[units] = shapely.polygons(lines[order], indices=at)
    if not one_shell.all():
        several = ~one_shell
        _several_parts(shapes, lines[several], unit[several], shell[several])
    return shapes


def _simple(vertices: Floats, starts: Ints, chosen: npt.NDArray[np.bool_]) -> Shapes:
    """Make polygons of one ring each."""
    if not chosen.all():
        sizes = np.diff(starts)
        vertices = vertices[np.repeat(chosen, sizes)]
        starts = np.concatenate([[0], np.cumsum(sizes[chosen])])
    polygon = shapely.GeometryType.POLYGON
    return np.asarray(
        shapely.from_ragged_array(polygon, vertices, (starts, np.arange(len(starts)))), dtype=object
    )


def _several_parts(
    shapes: Shapes, lines: Shapes, owner: Ints, shell: npt.NDArray[np.bool_]
) -> None:
    """Fill in the units of several shells: each hole goes to the smallest shell around it."""
    bodies = shapely.polygons(lines[shell])
    holes = shapely.polygons(lines[~shell])
    of_body, of_hole = owner[shell], owner[~shell]
    home = np.zeros(len(holes), dtype=np.int64)
    if len(holes):
        first = shapely.get_point(shapely.get_exterior_ring(holes), 0)
        body, hole = shapely.STRtree(first).query(bodies, predicate="intersects")
        # a hole's vertex may lie on a shell of another unit, or on an island within the hole
        fits = (of_hole[hole] == of_body[body]) & (
            shapely.area(bodies)[body] > shapely.area(holes)[hole]
        )
        body, hole = body[fits], hole[fits]
        order = np.lexsort((-shapely.area(bodies)[body], hole))
        home[hole[order]] = body[order]  # the last written is the smallest
    rows = np.concatenate([lines[shell], lines[~shell]])
    at = np.concatenate([np.arange(len(bodies)), home])
    order = np.argsort(at, kind="stable")
    whole = shapely.polygons(rows[order], indices=at[order])
    units, of_unit = np.unique(of_body, return_inverse=True)
    order = np.argsort(of_unit, kind="stable")
    shapes[units] = shapely.multipolygons(whole[order], indices=of_unit[order])


#: an edge keeps to this share of the triangle between it and the cell's centre, so no two
#: edges meet, and what lies deeper in the cell than this is inside whatever the edge does
EDGE_SHARE = 0.45
_CHUNK = 100_000  # edges drawn at a time
_BENDS = 3.85  # bends of an edge on average: gives blocks about 36 vertices


@dataclass(frozen=True, eq=False)
class Plane:
    """Cells and their edges.

    A side is an edge as one of its two cells has it: the cell on the left, travelled
    counter-clockwise around it. ``3 * triangle + corner`` is its number.

    Attributes
    ----------
    centres
        Centre of each cell (EPSG:3347 metres), neighbours close together; (c, 2).
    dry
        Whether a cell is land; (c,).
    left, right, twin
        The cells of each side, and the same edge from the other cell; (s,). Sides of the
        outermost triangles that lead nowhere have twin -1.
    triangles
        Cells of each triangle, counter-clockwise; (t, 3). Three cells meet at its middle.
    points
        Vertices: the bends of every edge in the direction of its lower-numbered side, then the
        corners, one a triangle; (p, 2).
    bends
        Where the bends of each side begin in ``points`` (s + 1,); none are stored for the
        higher-numbered side.
    """

    centres: Floats
    dry: npt.NDArray[np.bool_]
    left: Ints
    right: Ints
    twin: Ints
    triangles: Ints
    points: Floats
    bends: Ints

    def pairs(self) -> tuple[Ints, Ints]:
        """Return the pairs of neighbouring land cells, each pair once."""
        once = (self.twin > np.arange(len(self.twin))) & self.dry[self.left] & self.dry[self.right]
        return self.left[once], self.right[once]

    def shore(self) -> npt.NDArray[np.bool_]:
        """Return whether a side has land on its left and water on its right."""
        return np.asarray(self.dry[self.left] & ~self.dry[self.right])

    def outlines(self, unit: Ints, count: int) -> Shapes:
        """Return the polygon of each unit.

        Parameters
        ----------
        unit
            Unit of each cell, -1 for none; (c,).
        count
            How many units there are.

        Returns
        -------
        numpy.ndarray
            Polygons and multipolygons; ``None`` for a unit without cells. Neighbours share
            their edge vertex by vertex.
        """
        sides, step = self._walk(unit.astype(np.int32))
        if not len(sides):
            return np.full(count, None, dtype=object)
        ring, place, sizes = rings(step)
        # the first side of a ring stands again at its end: its start closes the ring
        first = np.cumsum(sizes + 1) - (sizes + 1)
        order = np.empty(len(sides) + len(sizes), dtype=np.int64)
        order[first[ring] + place] = sides
        order[first + sizes] = order[first]
        closing = np.zeros(len(order), dtype=bool)
        closing[first + sizes] = True
        vertices, starts = self._vertices(order, closing)
        owner = unit[self.left[order[first]]]
        return assemble(vertices, starts[np.append(first, len(order))], owner, count)

    def _walk(self, unit: Ints) -> tuple[Ints, Ints]:
        """Return the sides on units' outlines, and which of them follows each."""
        of_left = unit[self.left]
        sides = np.flatnonzero((of_left != unit[self.right]) & (of_left >= 0))
        there = self.twin[sides]
        triangle = there // 3
        ahead = self.triangles.ravel()[there]  # the third cell where the side ends
        same = unit[ahead] == of_left[sides]
        # leave the corner along the edge opposite the left cell (the unit goes on into `ahead`)
        # or opposite the right cell (the outline turns left around `ahead`)
        opposite = np.where(same, self.left[sides], self.right[sides])
        following = 3 * triangle
        for corner in (1, 2):
            following += corner * (self.triangles[triangle, corner] == opposite)
        number = np.empty(len(self.left), dtype=np.int64)
        number[sides] = np.arange(len(sides))
        return sides, number[following]

    def _vertices(self, sides: Ints, closing: npt.NDArray[np.bool_]) -> tuple[Floats, Ints]:
        """Return the vertices of sides one after the other, and where each side's begin.

        A side has its start corner, then its bends; a closing one has its start corner only.
        """
        twin = self.twin[sides]
        forward = sides < twin
        stored = np.where(forward, sides, twin)
        begin, end = self.bends[stored], self.bends[stored + 1]
        per_side = np.where(closing, 1, end - begin + 1)
        starts = np.concatenate([[0], np.cumsum(per_side)])
        # bends run up from `begin`, or down from `end` where the side is drawn from its other end
        sign = np.where(forward, 1, -1).astype(np.int8)
        base = np.where(forward, begin, end - 1) - sign * (starts[:-1] + 1)
        row = np.arange(starts[-1])
        row *= np.repeat(sign, per_side)
        row += np.repeat(base, per_side)
        row[starts[:-1]] = self.bends[-1] + sides // 3
        return self.points.take(row, axis=0), starts


def make_plane(land: Land) -> Plane:
    """Return the ground of a land: its cells, and the edges between them."""
    centres = land.points()
    centres = centres[np.argsort(hilbert(np.hstack([centres, centres])), kind="stable")]
    mesh = Delaunay(centres)
    # triangles in the order of their cells: what is near on the ground is near in memory
    order = np.argsort(mesh.simplices.min(axis=1), kind="stable")
    triangles = mesh.simplices[order].astype(np.int64)
    number = np.empty(len(order) + 1, dtype=np.int64)
    number[order] = np.arange(len(order))
    number[-1] = -1
    beyond = number[mesh.neighbors[order]]
    del mesh
    depth = land.inside(centres[:, 0], centres[:, 1])
    dry = depth > 0
    luck = chance(np.arange(len(centres)), 0, land.seed * 97 + 41)
    dry = np.where(
        (depth > -land.islands) & ~dry, luck < 0.08, dry & (luck > 0.006)
    )  # islands and ponds
    left, right = triangles[:, [2, 0, 1]].ravel(), triangles[:, [1, 2, 0]].ravel()
    # the twin stands in the neighbouring triangle, opposite the cell that is new there
    here = np.arange(len(triangles))
    twin = np.full((len(triangles), 3), -1, dtype=np.int64)
    for side in range(3):
        there = beyond[:, side]
        at = (beyond[there, 1] == here) + 2 * (beyond[there, 2] == here)
        twin[:, side] = np.where(there >= 0, 3 * there + at, -1)
    bare = Plane(centres, dry, left, right, twin.ravel(), triangles, centres[:0], left[:0])
    points, bends = _draw_edges(land, bare, centres[triangles].mean(axis=1))
    return replace(bare, points=points, bends=bends)


def _draw_edges(land: Land, plane: Plane, corners: Floats) -> tuple[Floats, Ints]:
    """Draw the bends of every edge that touches land.

    An edge runs from corner to corner through a point on the line between its two cells' centres,
    so each half lies between two small triangles (its ends and a centre), and all small triangles
    together tile the ground whatever the triangulation is like.
    """
    rng = np.random.default_rng([land.seed, 2])
    centres, dry = plane.centres, plane.dry
    left, right, twin = plane.left, plane.right, plane.twin
    sides = np.flatnonzero((twin > np.arange(len(twin))) & (dry[left] | dry[right]))
    length = np.hypot(*(centres[left[sides]] - centres[right[sides]]).T)
    # streets are straighter than country roads, and both than shores
    wild = np.clip(np.log10(length / 60) / 1.3, 0.25, 1.6)
    wild = np.where(dry[left[sides]] & dry[right[sides]], wild, 2.0)
    wanted = rng.standard_gamma(0.6, (len(sides), 2)) * wild[:, None]
    wanted *= (_BENDS - 1) / 2 / wanted.mean()
    bends = np.minimum(wanted + rng.random(wanted.shape), 60).astype(np.int64)
    bends[:, 1] += 1  # the second half begins with the point between the centres
    starts = np.zeros(len(left) + 1, dtype=np.int64)
    starts[sides + 1] = bends.sum(axis=1)
    np.cumsum(starts, out=starts)
    points = np.empty((starts[-1] + len(corners), 2))
    points[starts[-1] :] = corners
    for first in range(0, len(sides), _CHUNK):
        some = slice(first, first + _CHUNK)
        one, two = centres[left[sides[some]]], centres[right[sides[some]]]
        between = one + rng.uniform(0.35, 0.65, (len(one), 1)) * (two - one)
        begin, end = corners[sides[some] // 3], corners[twin[sides[some]] // 3]
        points[starts[sides[first]] : starts[sides[some][-1] + 1]] = _bend(
            (_pairs(begin, between), _pairs(between, end)),
            (np.repeat(one, 2, axis=0), np.repeat(two, 2, axis=0)),
            bends[some].ravel(),
            np.repeat(wild[some], 2),
            rng,
        )
    return points, starts


def _pairs(one: Floats, two: Floats) -> Floats:
    """Return two sets of points in turn."""
    return np.stack([one, two], axis=1).reshape(-1, 2)


def _bend(
    ends: tuple[Floats, Floats],
    centres: tuple[Floats, Floats],
    bends: Ints,
    wild: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Draw half edges: begin (every second one), then bends.

    A bend stands at share t of the way and is moved off it by less than the triangle (begin, end,
    centre) allows. t grows from bend to bend, so an edge never meets itself, and triangles do not
    overlap, so it meets no other edge.
    """
    begin = ends[0]
    way = ends[1] - begin
    length = np.hypot(*way.T)
    way /= length[:, None]
    half = np.repeat(np.arange(len(begin)), bends)
    lead = half % 2
    nth = np.arange(len(half)) - np.repeat(np.cumsum(bends) - bends, bends) - lead
    t = (nth + 0.1 + 0.8 * rng.random(len(half))) / np.maximum(bends[half] - lead, 1)
    t[nth < 0] = 0.0
    wave = np.sin(2 * np.pi * (rng.random(len(begin))[half] + t * (0.5 + wild[half])))
    sway = 0.6 * wave + 0.4 * (2 * rng.random(len(half)) - 1)
    room = np.empty((2, len(half)))
    for row, centre in enumerate(centres):
        to = (centre - begin) / length[:, None]
        foot = (to * way).sum(axis=1)
        high = np.abs(way[:, 0] * to[:, 1] - way[:, 1] * to[:, 0])
        rise, fall = high / np.maximum(foot, 1e-9), high / np.maximum(1 - foot, 1e-9)
        room[row] = np.minimum(np.minimum(t * rise[half], (1 - t) * fall[half]), high[half])
    off = EDGE_SHARE * sway * np.where(sway > 0, room[0], room[1])
    across = np.column_stack([-way[:, 1], way[:, 0]])
    shift = t[:, None] * way[half] + off[:, None] * across[half]
    return np.asarray(begin[half] + length[half, None] * shift)
