"""Drawn outlines brought to the census's grid as valid polygons, or refused row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from lipgeo.areas.faults import Faults, finding
from lipgeo.crs import area_km2, to_grid
from lipgeo.dissolve import parts_and_holes
from lipgeo.report import Finding
from lipgeo.zones.door import axis_problems
from lipgeo.zones.preflight import make_valid_polygons, polygon_parts, swapped_axes

__all__ = ["merged", "outlines_on_grid"]

_Geometries = npt.NDArray[np.object_]
_Flags = npt.NDArray[np.bool_]

_AXES = {
    "swapped_axes": "areas.swapped_axes",
    "degrees_as_metres": "areas.degrees_as_metres",
    "metres_as_degrees": "areas.metres_as_degrees",
}


def outlines_on_grid(
    geometry: npt.ArrayLike, crs: pyproj.CRS, rows: pd.DataFrame, faults: Faults
) -> tuple[_Geometries, list[Finding]]:
    """Bring outlines to EPSG:3347 as valid polygons.

    Parameters
    ----------
    geometry
        Shapely geometries in ``crs``, ``None`` where missing; shape (n,).
    crs
        An accepted CRS.
    rows
        What messages call each outline: columns ``row, area_id``; (n,).
    faults
        Gets the rows that are missing, empty, points or lines, without surface, or outside Canada
        (with the reason where swapped axes or the wrong unit explain it).

    Returns
    -------
    numpy.ndarray
        Polygons and multipolygons, two-dimensional, ``None`` where at fault; shape (n,).
    list of Finding
        Outlines that crossed themselves and were repaired, with their square kilometres before
        and after (ESRI:102001); points and lines left out of collections.
    """
    given = shapely.force_2d(np.array(geometry, dtype=object))
    missing = shapely.is_missing(given)
    empty = ~missing & shapely.is_empty(given)
    shapes = polygon_parts(given)
    other = ~missing & ~empty & shapely.is_missing(shapes)
    _fault(faults, "areas.no_geometry", missing, rows)
    _fault(faults, "areas.empty_geometry", empty, rows)
    kinds = sorted({shape.geom_type for shape in given[other]})
    _fault(faults, "areas.not_polygons", other, rows, kinds=kinds)
    # before the way to the grid, which may bend a flat ring open
    flat = shapely.area(shapely.convex_hull(shapes)) == 0
    shapes[flat | _outside(shapes, crs, rows, faults)] = None
    outlines, repaired = _repair(to_grid(shapes, crs), rows)
    flat |= shapely.is_missing(outlines) & ~shapely.is_missing(shapes)
    _fault(faults, "areas.no_surface", flat, rows)
    collections = (shapely.get_type_id(given) == shapely.GeometryType.GEOMETRYCOLLECTION) & ~other
    findings = [
        finding("areas.collection", "note", row.area_id, row=row.row, area=row.area_id)
        for row in rows[collections & ~empty].itertuples()
    ]
    return outlines, findings + repaired


def _fault(faults: Faults, key: str, which: _Flags, rows: pd.DataFrame, /, **values: Any) -> None:
    bad = rows[which]
    faults.add(key, bad.to_dict("records"), rows=list(bad["row"]), **values)


def _outside(shapes: _Geometries, crs: pyproj.CRS, rows: pd.DataFrame, faults: Faults) -> _Flags:
    """Flag outlines outside Canada, and say why where that is certain."""
    ids = rows["area_id"].fillna("—").to_numpy(dtype=object)
    explained = np.zeros(len(shapes), dtype=bool)
    problems = pd.DataFrame(axis_problems(ids, shapes, crs), columns=["row", "problem"])
    for problem, which in problems.groupby("problem", sort=False):
        here = np.zeros(len(shapes), dtype=bool)
        here[which["row"].to_numpy(dtype=np.int64) - 1] = True
        _fault(faults, _AXES[problem], here, rows, crs=crs.name)
        explained |= here
    bounds = shapely.bounds(shapes)
    bounds[explained] = np.nan
    _, outside = swapped_axes(bounds, crs)
    _fault(faults, "areas.outside_canada", outside, rows, crs=crs.name)
    return explained | outside


def _repair(outlines: _Geometries, rows: pd.DataFrame) -> tuple[_Geometries, list[Finding]]:
    """Make outlines valid, ``None`` where no surface is left; say how the area of each changed."""
    fixed, changed, _ = make_valid_polygons(outlines)
    fixed[~(shapely.area(fixed) > 0)] = None
    changed &= ~shapely.is_missing(fixed)
    if not changed.any():
        return fixed, []
    reasons = shapely.is_valid_reason(outlines[changed])
    before, after = area_km2(outlines[changed]), area_km2(fixed[changed])
    findings = [
        finding(
            "areas.repaired",
            "warning",
            row.area_id,
            value=now - was,
            row=row.row,
            area=row.area_id,
            reason=reason.partition("[")[0],
            was=was,
            now=now,
        )
        for row, reason, was, now in zip(
            rows[changed].itertuples(), reasons, before, after, strict=True
        )
    ]
    return fixed, findings


def merged(ids: pd.Series, outlines: _Geometries) -> tuple[_Geometries, list[Finding]]:
    """Unite the outlines of each area, in order of appearance of its id.

    Returns
    -------
    numpy.ndarray
        One polygon or multipolygon an area.
    list of Finding
        How many rows made each area, and how many parts and holes it has: holes may be slivers
        between outlines that do not meet.
    """
    codes, areas = pd.factorize(ids)
    united = np.array(
        [shapely.union_all(outlines[codes == code]) for code in range(len(areas))], dtype=object
    )
    parts, holes = parts_and_holes(united)
    count = np.bincount(codes)
    findings = [
        finding("areas.merged", "note", area, area=area, rows=n, parts=p, holes=h)
        for area, n, p, h in zip(areas, count, parts, holes, strict=True)
    ]
    return united, findings
