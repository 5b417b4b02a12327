"""Project geometries with points added along long edges, so that what was straight stays there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely

from lipgeo.arrays import Floats, Ints, Shapes
from lipgeo.errors import CRSError

__all__ = ["Projector", "project_edges"]

#: coordinates (n, 2) before to coordinates (n, 2) after, in metres
Projector = Callable[[Floats], Floats]

#: share of the allowed sagitta that the probes along an edge may reach: the deepest point of a bent
#: edge lies near a probe, not on it
_MARGIN = 0.9
_PROBES = np.array([0.25, 0.5, 0.75])
#: no straight edge of an accepted CRS bends on the grid tighter than this within Canada
_MIN_RADIUS_M = 125_000.0
#: pieces that no edge needs: one across Canada, bent that tight and kept to a millimetre, takes as
#: many; where a projection is torn no number is enough
_MOST_PIECES = 200_000


def project_edges(shapes: Shapes, project: Projector, sagitta_m: float, name: str) -> Shapes:
    """Project geometries; no projected edge departs from the drawn one by more than the sagitta.

    Parameters
    ----------
    shapes
        Two-dimensional geometries of any type, ``None`` for none; shape (n,).
    project
        The projection.
    sagitta_m
        The largest departure allowed, in metres.
    name
        What the coordinates before are called, for the message.

    Returns
    -------
    numpy.ndarray
        Projected geometries of the same types; shape (n,).

    Raises
    ------
    CRSError
        Some coordinates are not finite, before or after, or an edge runs where one of the systems
        is torn, so that no points along it make it whole; ``problems`` lists the rows.
    """
    coordinates, owner = shapely.get_coordinates(shapes, return_index=True)
    projected = project(coordinates)
    wrong = np.unique(owner[~np.isfinite(projected).all(axis=1)])
    if len(wrong):
        problems = [{"row": int(row) + 1, "problem": "not_finite"} for row in wrong]
        raise CRSError("zones.not_finite", problems, rows=wrong + 1, name=name)
    result = shapely.set_coordinates(shapes.copy(), projected)
    # the step from one ring to the next counts here as an edge: at worst a shape is looked at twice
    steps = np.hypot(*np.diff(projected, axis=0).T)
    long = (steps > _safe_length(sagitta_m)) & (owner[1:] == owner[:-1])
    candidates = np.unique(owner[1:][long])
    if len(candidates):
        try:
            result[candidates] = _bend(shapes[candidates], project, sagitta_m)
        except _TornEdgeError as error:
            torn = np.array(
                [row for row in candidates if _is_torn(shapes[row], project, sagitta_m)]
            )
            problems = [{"row": int(row) + 1, "problem": "torn"} for row in torn]
            raise CRSError("zones.torn", problems, rows=torn + 1, name=name) from error
    return np.asarray(result, dtype=object)


class _TornEdgeError(Exception):
    """An edge is longer on the grid than any sum of pieces of it."""


def _is_torn(shape: shapely.Geometry, project: Projector, sagitta_m: float) -> bool:
    try:
        _bend(np.array([shape], dtype=object), project, sagitta_m)
    except _TornEdgeError:
        return True
    return False


def _safe_length(sagitta_m: float) -> float:
    """Return the chord in metres below which no edge departs by more than the sagitta."""
    return float(np.sqrt(8.0 * _MIN_RADIUS_M * _MARGIN * sagitta_m))


def _bend(shapes: Shapes, project: Projector, sagitta_m: float) -> Shapes:
    """Project shapes whose edges are long, with points added along them."""
    kinds = shapely.get_type_id(shapes)
    result = np.empty(len(shapes), dtype=object)
    for row in np.flatnonzero(kinds == shapely.GeometryType.GEOMETRYCOLLECTION):
        parts = _bend(shapely.get_parts(shapes[row]), project, sagitta_m)
        result[row] = shapely.geometrycollections(parts)
    # kind by kind: parts are bent, then put together as they were
    for single, multi, build in _BUILD:
        rows = np.flatnonzero(np.isin(kinds, [k for k in (single, multi) if k is not None]))
        if not len(rows):
            continue
        parts, owner = shapely.get_parts(shapes[rows], return_index=True)
        filled = ~shapely.is_empty(parts)
        parts, owner = parts[filled], owner[filled]
        made = build(parts, project, sagitta_m)
        whole = _MULTI[multi](made, indices=owner) if multi is not None else made
        result[rows] = whole
        alone = np.flatnonzero(kinds[rows] == single)
        result[rows[alone]] = made[np.searchsorted(owner, alone)]
    return result


def _bend_polygons(polygons: Shapes, project: Projector, sagitta_m: float) -> Shapes:
    rings, owner = shapely.get_rings(polygons, return_index=True)
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    bent, bent_ring = _insert_points(coordinates, ring, project, sagitta_m)
    made = shapely.linearrings(bent, indices=bent_ring)
    return np.asarray(shapely.polygons(made, indices=owner), dtype=object)


def _bend_lines(lines: Shapes, project: Projector, sagitta_m: float) -> Shapes:
    coordinates, line = shapely.get_coordinates(lines, return_index=True)
    bent, bent_line = _insert_points(coordinates, line, project, sagitta_m)
    return np.asarray(shapely.linestrings(bent, indices=bent_line), dtype=object)


def _bend_points(points: Shapes, project: Projector, sagitta_m: float) -> Shapes:
    return np.asarray(shapely.points(project(shapely.get_coordinates(points))), dtype=object)


_KIND = shapely.GeometryType
_BUILD: tuple[tuple[int, int | None, Callable[[Shapes, Projector, float], Shapes]], ...] = (
    (_KIND.POLYGON, _KIND.MULTIPOLYGON, _bend_polygons),
    (_KIND.LINESTRING, _KIND.MULTILINESTRING, _bend_lines),
    (_KIND.LINEARRING, None, _bend_lines),
    (_KIND.POINT, _KIND.MULTIPOINT, _bend_points),
)
_MULTI: dict[int | None, Callable[..., Shapes]] = {
    _KIND.MULTIPOLYGON: shapely.multipolygons,
    _KIND.MULTILINESTRING: shapely.multilinestrings,
    _KIND.MULTIPOINT: shapely.multipoints,
}


def _insert_points(
    coordinates: Floats, line: Ints, project: Projector, sagitta_m: float
) -> tuple[Floats, Ints]:
    """Return projected coordinates with points added to long edges, and the line of each."""
    # long edges, and from which end each is walked
    start, end = coordinates[:-1], coordinates[1:]
    pieces = np.ones(len(start), dtype=np.int64)
    projected = project(coordinates)
    long = np.hypot(*np.diff(projected, axis=0).T) > _safe_length(sagitta_m)
    edges = np.flatnonzero(long & (line[1:] == line[:-1]))
    # from the lesser end, so that a neighbour who draws the edge the other way gets the same points
    turned = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    low = np.where(turned[:, None], end, start)
    high = np.where(turned[:, None], start, end)
    # each edge in so many pieces that none departs too far: tried, counted again, until it holds
    open_ = edges
    while len(open_):
        depth = _departure(low[open_], high[open_], pieces[open_], project) / (_MARGIN * sagitta_m)
        pieces[open_] = np.where(
            depth > 1.0,
            # the sagitta falls with the square of the length
            np.maximum(pieces[open_] + 1, np.ceil(pieces[open_] * np.sqrt(depth))),
            pieces[open_],
        ).astype(np.int64)
        open_ = open_[depth > 1.0]
        if (pieces[open_] > _MOST_PIECES).any():
            raise _TornEdgeError
    # the points between the pieces, put where their edge starts
    added = pieces - 1
    owner = np.repeat(np.arange(len(pieces)), added)
    step = 1 + np.arange(added.sum()) - np.repeat(np.cumsum(added) - added, added)
    step = np.where(turned[owner], pieces[owner] - step, step)
    points = _points_between(low[owner], high[owner], step / pieces[owner])
    where = owner + 1
    return (
        np.insert(projected, where, project(points), axis=0),
        np.insert(line, where, line[owner]),
    )


def _departure(low: Floats, high: Floats, pieces: Ints, project: Projector) -> Floats:
    """Return how far, in metres, each edge departs from its straight pieces on the grid; (n,)."""
    # the ends of every piece, and how far points inside it lie off the chord
    owner = np.repeat(np.arange(len(pieces)), pieces)
    step = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    low, high, count = low[owner], high[owner], pieces[owner]
    a = project(_points_between(low, high, step / count))
    b = project(_points_between(low, high, (step + 1) / count))
    chord = b - a
    length = np.maximum(np.hypot(chord[:, 0], chord[:, 1]), 1e-9)
    depth = np.zeros(len(owner))
    for fraction in _PROBES:
        off = project(_points_between(low, high, (step + fraction) / count)) - a
        across = np.abs(chord[:, 0] * off[:, 1] - chord[:, 1] * off[:, 0]) / length
        depth = np.maximum(depth, across)
    starts = np.cumsum(pieces) - pieces
    return np.asarray(np.maximum.reduceat(depth, starts), dtype=np.float64)


def _points_between(low: Floats, high: Floats, fraction: Floats) -> Floats:
    """Return the point at a fraction of the way from each low end to its high end; (n, 2)."""
    return np.asarray(low + (high - low) * fraction[:, None], dtype=np.float64)
