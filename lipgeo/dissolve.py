"""Dissolve census units into areas: fast where their edges agree, right where they do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.zones.preflight import make_valid_polygons

__all__ = ["Dissolved", "dissolve", "parts_and_holes"]

_Geometries = npt.NDArray[np.object_]
_Rows = npt.NDArray[np.int64]

#: relative difference in area that a union may not show against its units
_AREA_TOLERANCE = 1e-9


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
    are joined by dropping the shared edges, which is many times faster than a union and exact.
    That way silently returns a wrong shape where the units are no coverage, so each area is
    tested first: the units at fault are set apart and joined by the general union, and named in
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
    made = np.full(count, shapely.Polygon(), dtype=object)
    faults = []
    for position in range(count):
        members = units[ends[position] : ends[position + 1]]
        if not len(members):
            continue
        made[position], at_fault, lengths = _union(shapes[members])
        if len(at_fault):
            faults.append(
                pd.DataFrame({"area": position, "unit": members[at_fault], "edge_m": lengths})
            )
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
    if len(shapes) == 1:
        return shapes[0], _none(), np.array([], dtype=np.float64)
    at_fault, lengths = _none(), np.array([], dtype=np.float64)
    apart = shapes[:0]
    if shapely.coverage_is_valid(shapes):
        joined = _coverage_union(shapes)
    else:
        edges = shapely.coverage_invalid_edges(shapes)
        wrong = ~(shapely.is_missing(edges) | shapely.is_empty(edges))
        at_fault, lengths = np.flatnonzero(wrong), shapely.length(edges[wrong])
        apart, sound = shapes[wrong], shapes[~wrong]
        joined = _coverage_union(sound) if shapely.coverage_is_valid(sound) else None
    if joined is None:
        return shapely.union_all(shapes), at_fault, lengths
    if len(apart):
        joined = shapely.union_all(np.append(apart, joined))
    return joined, at_fault, lengths


def _coverage_union(shapes: _Geometries) -> shapely.Geometry | None:
    """Union of a coverage, or ``None`` where the units turn out not to be one after all."""
    if not len(shapes):
        return shapely.Polygon()
    joined = shapely.coverage_union_all(shapes)
    # a coverage has no overlap, so its union has exactly the area of its units
    expected = float(shapely.area(shapes).sum())
    if not shapely.is_valid(joined) or abs(joined.area - expected) > _AREA_TOLERANCE * expected:
        return None
    return joined


def _repair(shapes: _Geometries, used: _Rows) -> tuple[_Geometries, pd.DataFrame]:
    """Make the polygons used valid, on a copy, and say by how much each changed."""
    valid, changed, change = make_valid_polygons(shapes[used])
    fixed = shapes
    if changed.any():
        fixed = shapes.copy()
        fixed[used[changed]] = valid[changed]
    return fixed, pd.DataFrame({"unit": used[changed], "area_change": change[changed]})


def _none() -> _Rows:
    return np.array([], dtype=np.int64)
