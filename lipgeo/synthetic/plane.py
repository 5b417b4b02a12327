"""The made country's ground: cells that tile it, with jagged edges drawn once for both sides.

A cell is a point of :class:`~lipgeo.synthetic.land.Land` with the ground around it. Joining the
middles of the triangles of a triangulation gives outlines that meet three at a corner, so the
outline of any set of cells is found by walking its edges, and two neighbours share theirs vertex
by vertex. Any unit of any level and vintage is a set of cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay

from lipgeo.synthetic.land import Land, chance

__all__ = ["EDGE_SHARE", "Plane", "make_plane"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Shapes = npt.NDArray[np.object_]

#: an edge keeps to this share of the triangle between it and the cell's centre, so no two
#: edges meet, and what lies deeper in the cell than this is inside whatever the edge does
EDGE_SHARE = 0.45
_CHUNK = 100_000  # edges drawn at a time
_BENDS = 3.7  # bends of an edge on average: gives blocks about 36 vertices


@dataclass(frozen=True, eq=False)
class Plane:
    """Cells and their edges.

    A side is an edge as one of its two cells has it: the cell on the left, travelled
    counter-clockwise around it. ``3 * triangle + corner`` is its number.

    Attributes
    ----------
    centres
        Centre of each cell (EPSG:3347 metres); (c, 2).
    dry
        Whether a cell is land; (c,).
    left, right, twin
        The cells of each side, and the same edge from the other cell; (s,). Sides of the
        outermost triangles that lead nowhere have twin -1.
    triangles
        Cells of each triangle, counter-clockwise; (t, 3).
    corners
        Where three cells meet, one a triangle; (t, 2).
    bends, bend_starts
        Vertices between the ends of each edge, in the direction of its lower-numbered side;
        (b, 2), and where each side's begin (s + 1,); none are stored for the other side.
    """

    centres: Floats
    dry: npt.NDArray[np.bool_]
    left: Ints
    right: Ints
    twin: Ints
    triangles: npt.NDArray[np.int32]
    corners: Floats
    bends: Floats
    bend_starts: Ints

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
        sides, step = self._walk(unit)
        ring, place, sizes = _rings(step)
        order = np.empty(len(sides), dtype=np.int64)
        order[np.concatenate([[0], np.cumsum(sizes)[:-1]])[ring] + place] = sides
        vertices, per_side = self._vertices(order)
        first_side = np.concatenate([[0], np.cumsum(sizes)])
        ring_starts = np.concatenate([[0], np.cumsum(per_side)])[first_side]
        owner = unit[self.left[order[first_side[:-1]]]]
        return _polygons(vertices, ring_starts, owner, count)

    def _walk(self, unit: Ints) -> tuple[Ints, Ints]:
        """Return the sides on units' outlines, and which of them follows each."""
        of_left = unit[self.left]
        sides = np.flatnonzero((of_left != unit[self.right]) & (of_left >= 0))
        there = self.twin[sides]
        triangle = there // 3
        ahead = self.triangles[triangle, there % 3]  # the third cell where the side ends
        same = unit[ahead] == of_left[sides]
        # leave the corner along the edge opposite the left cell (the unit goes on into `ahead`)
        # or opposite the right cell (the outline turns left around `ahead`)
        opposite = np.where(same, self.left[sides], self.right[sides])
        corner = (self.triangles[triangle] == opposite[:, None]).argmax(axis=1)
        number = np.full(len(self.left), -1, dtype=np.int64)
        number[sides] = np.arange(len(sides))
        return sides, number[3 * triangle + corner]

    def _vertices(self, sides: Ints) -> tuple[Floats, Ints]:
        """Return the vertices of sides (start corner and bends) one after the other."""
        twin = self.twin[sides]
        forward = sides < twin
        stored = np.where(forward, sides, twin)
        bends = self.bend_starts[stored + 1] - self.bend_starts[stored]
        per_side = bends + 1
        starts = np.concatenate([[0], np.cumsum(per_side)])
        vertices = np.empty((starts[-1], 2))
        # a running count within each side; backwards for sides drawn from their other end
        first = np.where(forward, self.bend_starts[stored], self.bend_starts[stored + 1] - 1)
        sign = np.where(forward, 1, -1)
        running = np.arange(starts[-1]) - np.repeat(starts[:-1] + 1, per_side)
        row = np.repeat(first, per_side) + np.repeat(sign, per_side) * running
        head = running < 0
        vertices[~head] = self.bends[row[~head]]
        vertices[head] = self.corners[sides // 3]
        return vertices, per_side


def make_plane(land: Land) -> Plane:
    """Return the ground of a land: its cells, and the edges between them."""
    centres = land.points()
    mesh = Delaunay(centres)
    triangles = mesh.simplices.astype(np.int32)
    depth = land.inside(centres[:, 0], centres[:, 1])
    dry = depth > 0
    luck = chance(np.arange(len(centres)), 0, land.seed * 97 + 41)
    dry = np.where((depth > -60e3) & ~dry, luck < 0.08, dry & (luck > 0.006))  # islands and ponds
    neighbours = mesh.neighbors.astype(np.int64)
    del mesh
    count = len(triangles)
    left = triangles[:, [2, 0, 1]].ravel().astype(np.int64)
    right = triangles[:, [1, 2, 0]].ravel().astype(np.int64)
    # the side's twin stands in the neighbouring triangle opposite the cell that is new there
    beyond = neighbours.ravel()
    here = np.repeat(np.arange(count), 3)
    at = (neighbours[beyond] == here[:, None]).argmax(axis=1)
    twin = np.where(beyond >= 0, 3 * beyond + at, -1)
    corners = centres[triangles].mean(axis=1)
    bare = Plane(centres, dry, left, right, twin, triangles, corners, centres[:0], left[:0])
    bends, starts = _draw_edges(land, bare)
    return replace(bare, bends=bends, bend_starts=starts)


def _draw_edges(land: Land, plane: Plane) -> tuple[Floats, Ints]:
    """Draw the bends of every edge that touches land.

    An edge runs from corner to corner through a point on the line between its two cells' centres,
    so each half lies between two small triangles (its ends and a centre), and all small triangles
    together tile the ground whatever the triangulation is like.
    """
    rng = np.random.default_rng([land.seed, 2])
    centres, dry, corners = plane.centres, plane.dry, plane.corners
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
    points = np.empty((starts[-1], 2))
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


def _rings(step: Ints) -> tuple[Ints, Ints, Ints]:
    """Split a walk into rings: ring of each side, place in it, and the rings' sizes."""
    count = len(step)
    if not count:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, empty
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


def _polygons(vertices: Floats, starts: Ints, owner: Ints, count: int) -> Shapes:
    """Make the polygons of units from their rings (counter-clockwise shells, clockwise holes)."""
    shapes = np.full(count, None, dtype=object)
    if not len(owner):
        return shapes
    sizes = np.diff(starts)
    # each ring is closed by repeating its first vertex
    source = np.arange(len(vertices) + len(owner)) - np.repeat(np.arange(len(owner)), sizes + 1)
    ends = starts[1:] + np.arange(len(owner))
    source[ends] = starts[:-1]
    closed = vertices[source]
    local = closed - np.repeat(vertices[starts[:-1]], sizes + 1, axis=0)  # keeps digits
    cross = np.append(local[:-1, 0] * local[1:, 1] - local[1:, 0] * local[:-1, 1], 0.0)
    cross[ends] = 0.0
    area = np.add.reduceat(cross, starts[:-1] + np.arange(len(owner))) / 2
    rings = shapely.linearrings(closed, indices=np.repeat(np.arange(len(owner)), sizes + 1))
    shell = area > 0
    shells_of = np.bincount(owner[shell], minlength=count)
    # one shell: the rest are its holes, no need to look where they lie
    simple = shells_of[owner] == 1
    order = np.lexsort((~shell, owner))
    order = order[simple[order]]
    if len(order):
        units, at = np.unique(owner[order], return_inverse=True)
        shapes[units] = shapely.polygons(rings[order], indices=at)
    if not simple.all():
        _several_parts(shapes, rings, owner, shell, np.flatnonzero(~simple))
    return shapes


def _several_parts(
    shapes: Shapes, rings: Shapes, owner: Ints, shell: npt.NDArray[np.bool_], rows: Ints
) -> None:
    """Fill in the units of several shells: each hole goes to the smallest shell around it."""
    shells = rows[shell[rows]]
    holes = rows[~shell[rows]]
    bodies = shapely.polygons(rings[shells])
    home = np.full(len(holes), -1, dtype=np.int64)
    if len(holes):
        inner = shapely.polygons(rings[holes])
        hole, body = shapely.STRtree(bodies).query(
            shapely.get_point(shapely.get_exterior_ring(inner), 0), predicate="intersects"
        )
        # a hole's vertex may lie on a shell of another unit, or on an island within the hole
        fits = (owner[holes[hole]] == owner[shells[body]]) & (
            shapely.area(bodies)[body] > shapely.area(inner)[hole]
        )
        hole, body = hole[fits], body[fits]
        order = np.lexsort((-shapely.area(bodies)[body], hole))
        home[hole[order]] = body[order]  # the last written is the smallest
    parts = np.concatenate([shells, holes])
    at = np.concatenate([np.arange(len(shells)), home])
    order = np.argsort(at, kind="stable")
    whole = shapely.polygons(rings[parts[order]], indices=at[order])
    units, of_unit = np.unique(owner[shells], return_inverse=True)
    order = np.argsort(of_unit, kind="stable")
    shapes[units] = shapely.multipolygons(whole[order], indices=of_unit[order])
