"""Rings out of walked edges, and polygons out of rings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

__all__ = ["assemble", "rings"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Shapes = npt.NDArray[np.object_]


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
