"""Dissolve census units into areas: fast where their edges agree, right where they do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.cores import on_cores, spread
from lipgeo.coverage import joined_by_edges
from lipgeo.zones.preflight import make_valid_polygons

__all__ = ["Dissolved", "dissolve", "parts_and_holes"]

_Geometries = npt.NDArray[np.object_]
_Rows = npt.NDArray[np.int64]


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

    geometry: _Geometries
    repaired: pd.DataFrame
    faults: pd.DataFrame
    missing: pd.DataFrame


def dissolve(
    polygons: npt.ArrayLike, area: npt.ArrayLike, unit: npt.ArrayLike, count: int
) -> Dissolved:
    """Return the union of the units of each area.

    Units that form a coverage (neighbours share their edges vertex by vertex, nothing overlaps)
    are joined by dropping the edges they share (:mod:`lipgeo.coverage`), which is many times
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
    >>> from lipgeo.dissolve import dissolve
    >>> boxes = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(5, 0, 6, 1)]
    >>> made = dissolve(boxes, [0, 0, 1], [0, 1, 2], count=2)
    >>> made.geometry[0].equals(shapely.box(0, 0, 2, 1)), made.faults.empty
    (True, True)
    """
    given = np.asarray(polygons, dtype=object)
    areas, units = np.asarray(area, dtype=np.int64), np.asarray(unit, dtype=np.int64)
    shapes, repaired = _repair(given, np.unique(units))
    absent = shapely.is_missing(shapes[units]) | shapely.is_empty(shapes[units])
    missing = pd.DataFrame({"area": areas[absent], "unit": units[absent]})
    areas, units = areas[~absent], units[~absent]
    order = np.argsort(areas, kind="stable")
    areas, units = areas[order], units[order]
    ends = np.searchsorted(areas, np.arange(count + 1))
    unions = on_cores(lambda one: _union(shapes[units[ends[one] : ends[one + 1]]]), count)
    made = np.full(count, shapely.Polygon(), dtype=object)
    made[:] = [joined for joined, _, _ in unions]
    faults = [
        pd.DataFrame({"area": one, "unit": units[ends[one] + at_fault], "edge_m": lengths})
        for one, (_, at_fault, lengths) in enumerate(unions)
        if len(at_fault)
    ]
    empty = pd.DataFrame({"area": _none(), "unit": _none(), "edge_m": np.array([], dtype=float)})
    return Dissolved(
        made, repaired, pd.concat(faults, ignore_index=True) if faults else empty, missing
    )


def parts_and_holes(geometry: npt.ArrayLike) -> tuple[_Rows, _Rows]:
    """Return the number of parts and of interior rings of each polygon; (n,) each."""
    shapes = np.asarray(geometry, dtype=object)
    parts, owner = shapely.get_parts(shapes, return_index=True)
    solid = ~shapely.is_empty(parts)
    parts, owner = parts[solid], owner[solid]
    count = np.bincount(owner, minlength=len(shapes))
    holes = np.bincount(owner, shapely.get_num_interior_rings(parts), minlength=len(shapes))
    return count.astype(np.int64), holes.astype(np.int64)


def _union(shapes: _Geometries) -> tuple[shapely.Geometry, _Rows, npt.NDArray[np.float64]]:
    """Union of one area's units; positions and edge lengths of those that fit no coverage."""
    no_length = np.array([], dtype=np.float64)
    if not len(shapes):
        return shapely.Polygon(), _none(), no_length
    joined, border = joined_by_edges(shapes)
    if joined is not None:
        return joined, _none(), no_length
    # what is at fault has edges that no neighbour shares: nothing else need be looked at
    edges = shapely.coverage_invalid_edges(shapes[border])
    wrong = ~(shapely.is_missing(edges) | shapely.is_empty(edges))
    at_fault, lengths = border[wrong], shapely.length(edges[wrong])
    sound = np.delete(shapes, at_fault)
    joined = joined_by_edges(sound)[0] if len(sound) else shapely.Polygon()
    if joined is None:
        return shapely.union_all(shapes), at_fault, lengths
    return shapely.union_all(np.append(shapes[at_fault], joined)), at_fault, lengths


def _repair(shapes: _Geometries, used: _Rows) -> tuple[_Geometries, pd.DataFrame]:
    """Make the polygons used valid, on a copy, and say by how much each changed."""
    valid = spread(lambda part: shapely.is_valid(shapes[used[part]]), len(used), 1024)
    wrong = used[~valid & ~shapely.is_missing(shapes[used])]
    if not len(wrong):
        return shapes, pd.DataFrame({"unit": wrong, "area_change": np.zeros(0)})
    fixed = shapes.copy()
    fixed[wrong], _, change = make_valid_polygons(shapes[wrong])
    return fixed, pd.DataFrame({"unit": wrong, "area_change": change})


def _none() -> _Rows:
    return np.array([], dtype=np.int64)
