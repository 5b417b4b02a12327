"""Drawn outlines brought to the census's grid as valid polygons, or refused row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from lipgeo.census import Census
from lipgeo.crs import area_km2, to_grid
from lipgeo.dissolve import parts_and_holes
from lipgeo.errors import CRSError
from lipgeo.faults import Faults, finding
from lipgeo.report import Finding

__all__ = ["merged", "outlines_on_grid", "share_inside"]

_Geometries = npt.NDArray[np.object_]
_Flags = npt.NDArray[np.bool_]

#: Canada in degrees (longitude, latitude) and on the grid (EPSG:3347 metres), with a margin
_CANADA_DEGREES = shapely.box(-145.0, 39.0, -45.0, 86.0)
_CANADA_GRID = shapely.box(3.4e6, 0.3e6, 9.4e6, 5.4e6)

_POLYGON, _MULTIPOLYGON, _COLLECTION = 3, 6, 7


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
        Gets the rows that are missing, empty, points or lines, without area, or outside Canada.

    Returns
    -------
    numpy.ndarray
        Polygons and multipolygons, two-dimensional, ``None`` where at fault; shape (n,).
    list of Finding
        Outlines that crossed themselves and were repaired, with the change of area in square
        kilometres on the equal-area ESRI:102001; points and lines dropped from collections.
    """
    shapes = shapely.force_2d(np.array(geometry, dtype=object))
    shapes, findings = _polygons_of_collections(shapes, rows)
    missing = shapely.is_missing(shapes)
    empty = ~missing & shapely.is_empty(shapes)
    kinds = shapely.get_type_id(shapes)
    other = ~missing & ~empty & ~np.isin(kinds, (_POLYGON, _MULTIPOLYGON))
    _fault(faults, "areas.no_geometry", missing, rows)
    _fault(faults, "areas.empty_geometry", empty, rows)
    _fault(
        faults,
        "areas.not_polygons",
        other,
        rows,
        kinds=sorted({shape.geom_type for shape in shapes[other]}),
    )
    sound = ~missing & ~empty & ~other
    sound &= ~_elsewhere(shapes, sound, crs, rows, faults)
    outlines = np.full(len(shapes), None, dtype=object)
    outlines[sound] = to_grid(shapes[sound], crs)
    outlines, repaired = _repair(outlines, rows)
    flat = sound & ~(shapely.area(outlines) > 0)
    _fault(faults, "areas.no_surface", flat, rows)
    return outlines, findings + repaired


def _fault(faults: Faults, key: str, which: _Flags, rows: pd.DataFrame, /, **values: Any) -> None:
    bad = rows[which]
    faults.add(key, bad.to_dict("records"), rows=list(bad["row"]), **values)


def _polygons_of_collections(
    shapes: _Geometries, rows: pd.DataFrame
) -> tuple[_Geometries, list[Finding]]:
    """Take the polygons out of collections (KML wraps them so); one without any stays as it is."""
    findings = []
    for at in np.flatnonzero(shapely.get_type_id(shapes) == _COLLECTION):
        parts = shapely.get_parts(shapes[at])
        while (nested := shapely.get_type_id(parts) == _COLLECTION).any():
            parts = np.concatenate([parts[~nested], shapely.get_parts(parts[nested])])
        surfaces = shapely.get_dimensions(parts) == 2
        if surfaces.any():
            shapes[at] = shapely.multipolygons(shapely.get_parts(parts[surfaces]))
            lost = int((~surfaces).sum())
            if lost:
                row, area = rows["row"].iloc[at], rows["area_id"].iloc[at]
                findings.append(
                    finding("areas.collection", "note", area, row=row, area=area, lost=lost)
                )
    return shapes, findings


def _elsewhere(
    shapes: _Geometries, sound: _Flags, crs: pyproj.CRS, rows: pd.DataFrame, faults: Faults
) -> _Flags:
    """Flag outlines outside Canada; say of those whose axes are swapped that they are."""
    canada = _CANADA_DEGREES if crs.is_geographic else _CANADA_GRID
    outside, swapped = np.zeros(len(shapes), dtype=bool), np.zeros(len(shapes), dtype=bool)
    bounds = shapely.bounds(shapes[sound])
    for turned in (False, True):
        x, y = (1, 0) if turned else (0, 1)
        corners = [shapely.points(bounds[:, x + at], bounds[:, y + at]) for at in (0, 2)]
        if not crs.is_geographic:
            try:
                corners = [to_grid(points, crs) for points in corners]
            except CRSError:  # turned, they may lie where the projection has no place for them
                if turned:
                    break
                raise
        there = np.logical_and(*(shapely.covers(canada, points) for points in corners))
        if turned:
            swapped[sound] = there
        else:
            outside[sound] = ~there
            if there.all():
                return outside
    _fault(faults, "areas.swapped_axes", outside & swapped, rows, crs=crs.name)
    _fault(faults, "areas.outside_canada", outside & ~swapped, rows, crs=crs.name)
    return outside


def _repair(outlines: _Geometries, rows: pd.DataFrame) -> tuple[_Geometries, list[Finding]]:
    """Make outlines valid and say of each how its area changed."""
    wrong = np.flatnonzero(~(shapely.is_valid(outlines) | shapely.is_missing(outlines)))
    findings: list[Finding] = []
    if not len(wrong):
        return outlines, findings
    reasons = shapely.is_valid_reason(outlines[wrong])
    before = area_km2(outlines[wrong])
    # "structure": a ring that overlaps itself keeps its overlap, a bow-tie keeps both wings
    fixed = shapely.make_valid(outlines[wrong], method="structure", keep_collapsed=False)
    outlines[wrong] = fixed
    after = area_km2(fixed)
    for at, reason, was, now in zip(wrong, reasons, before, after, strict=True):
        row, area = rows["row"].iloc[at], rows["area_id"].iloc[at]
        findings.append(
            finding(
                "areas.repaired",
                "warning",
                area,
                value=now - was,
                row=row,
                area=area,
                reason=reason.partition("[")[0],
                was=was,
                now=now,
            )
        )
    return outlines, findings


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


def share_inside(outlines: _Geometries, census: Census) -> npt.NDArray[np.float64]:
    """Return the share of each outline's surface that the census's units cover; shape (n,).

    Measured with dissemination areas where the census has their polygons, else with its atoms,
    on the grid (its scale nearly cancels in a share).
    """
    level = "DA" if "DA" in census.levels else census.atom_level
    boxes = census.data.boxes(level)
    if np.isnan(boxes).all():
        level, boxes = census.atom_level, census.data.boxes(census.atom_level)
    west, south, east, north = np.nan_to_num(boxes, nan=np.inf).T
    covered = np.zeros(len(outlines))
    bounds = shapely.bounds(outlines)
    for at, outline in enumerate(outlines):
        x0, y0, x1, y1 = bounds[at]
        rows = np.flatnonzero((west <= x1) & (east >= x0) & (south <= y1) & (north >= y0))
        units = census.data.geometry(level, rows.astype(np.int64))
        units = units[shapely.is_valid(units)]
        shapely.prepare(outline)
        whole = shapely.contains_properly(outline, units)
        crossed = units[~whole & shapely.intersects(outline, units)]
        covered[at] = shapely.area(units[whole]).sum()
        covered[at] += shapely.area(shapely.intersection(crossed, outline)).sum()
    return np.asarray(np.clip(covered / shapely.area(outlines), 0.0, 1.0))
