"""Bring drawn outlines to the census's grid as valid polygons, and hold areas against a census.

An outline that cannot be used is refused with its line. What of the areas lies outside of what the
opened census holds is a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from lipgeo.arrays import Flags, Shapes
from lipgeo.census.census import Census
from lipgeo.census.data import Rows
from lipgeo.census.units import rows_by_level
from lipgeo.geography.hierarchy import national_count
from lipgeo.report import Faults, Finding, finding
from lipgeo.zones.crs import area_km2, to_grid
from lipgeo.zones.dissolve import parts_and_holes
from lipgeo.zones.validity import (
    SLIVER_SHARE,
    find_swapped_axes,
    make_valid_polygons,
    polygon_parts,
)
from lipgeo.zones.zones import axis_problems, has_infinite

__all__ = [
    "OUTSIDE_SHARE",
    "incomplete_units",
    "levels_elsewhere",
    "list_and_outline",
    "outlines_on_grid",
    "outside_census",
    "provinces_met",
    "unite",
]

#: share of a surface outside the census up to which it is noted for the record alone
OUTSIDE_SHARE = 0.05
#: share of an outline inside the units held from which they are of its place
_MOSTLY = 0.5

_AXES = {
    "swapped_axes": "areas.swapped_axes",
    "degrees_as_metres": "areas.degrees_as_metres",
    "metres_as_degrees": "areas.metres_as_degrees",
}


def outlines_on_grid(
    geometry: npt.ArrayLike, crs: pyproj.CRS, lines: pd.DataFrame, faults: Faults
) -> tuple[Shapes, list[Finding]]:
    """Bring outlines to EPSG:3347 as valid polygons.

    Parameters
    ----------
    geometry
        Shapely geometries in ``crs``, ``None`` where missing; shape (n,).
    crs
        An accepted CRS.
    lines
        What messages call each outline: columns ``line, area_id``; (n,).
    faults
        Gets the lines that are missing, empty, points or lines, without surface, or outside Canada
        (with the reason where swapped axes or the wrong unit explain it).

    Returns
    -------
    numpy.ndarray
        Polygons and multipolygons, two-dimensional, ``None`` where at fault; shape (n,).
    list of Finding
        Outlines that crossed themselves and were repaired, with their square kilometres before
        and after (ESRI:102001); points and lines left out of collections.
    """
    # what is no polygon at all
    given = shapely.force_2d(np.array(geometry, dtype=object))
    missing = shapely.is_missing(given)
    empty = ~missing & shapely.is_empty(given)
    # a place that is no number has no hull, and GEOS says so by an error
    lost = has_infinite(given)
    _fault(faults, "areas.not_finite", lost, lines)
    given[lost] = None
    shapes = polygon_parts(given)
    other = ~missing & ~empty & ~lost & shapely.is_missing(shapes)
    _fault(faults, "areas.no_geometry", missing, lines)
    _fault(faults, "areas.empty_geometry", empty, lines)
    kinds = sorted({shape.geom_type for shape in given[other]})
    _fault(faults, "areas.not_polygons", other, lines, kinds=kinds)
    # what has no surface or lies elsewhere; before the grid, which may bend a flat ring open
    flat = shapely.area(shapely.convex_hull(shapes)) == 0
    shapes[flat | _outside(shapes, crs, lines, faults)] = None
    outlines, repaired = _repair(to_grid(shapes, crs), lines)
    flat |= shapely.is_missing(outlines) & ~shapely.is_missing(shapes)
    _fault(faults, "areas.no_surface", flat, lines)
    collections = (shapely.get_type_id(given) == shapely.GeometryType.GEOMETRYCOLLECTION) & ~other
    findings = [
        finding("areas.collection", "note", line.area_id, row=line.line, area=line.area_id)
        for line in lines[collections & ~empty].itertuples()
    ]
    return outlines, findings + repaired


def _fault(faults: Faults, key: str, which: Flags, lines: pd.DataFrame, /, **values: Any) -> None:
    bad = lines[which].rename(columns={"line": "row"})
    faults.add(key, bad.to_dict("records"), rows=list(bad["row"]), **values)


def _outside(shapes: Shapes, crs: pyproj.CRS, lines: pd.DataFrame, faults: Faults) -> Flags:
    """Flag outlines outside Canada, and say why where that is certain."""
    ids = lines["area_id"].fillna("—").to_numpy(dtype=object)
    explained = np.zeros(len(shapes), dtype=bool)
    problems = pd.DataFrame(axis_problems(ids, shapes, crs), columns=["row", "problem"])
    for problem, which in problems.groupby("problem", sort=False):
        here = np.zeros(len(shapes), dtype=bool)
        here[which["row"].to_numpy(dtype=np.int64) - 1] = True
        _fault(faults, _AXES[problem], here, lines, crs=crs.name)
        explained |= here
    bounds = shapely.bounds(shapes)
    bounds[explained] = np.nan
    _, outside = find_swapped_axes(bounds, crs)
    _fault(faults, "areas.outside_canada", outside, lines, crs=crs.name)
    return explained | outside


def _repair(outlines: Shapes, lines: pd.DataFrame) -> tuple[Shapes, list[Finding]]:
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
            line.area_id,
            value=now - was,
            row=line.line,
            area=line.area_id,
            reason=reason.partition("[")[0],
            was=was,
            now=now,
        )
        for line, reason, was, now in zip(
            lines[changed].itertuples(), reasons, before, after, strict=True
        )
    ]
    return fixed, findings


def unite(ids: pd.Series, outlines: Shapes) -> tuple[Shapes, list[Finding]]:
    """Unite the outlines of each area, in order of appearance of its id.

    Returns
    -------
    numpy.ndarray
        One polygon or multipolygon an area.
    list of Finding
        How many lines made each area, and how many parts and holes it has: holes may be slivers
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


def outside_census(outlines: gpd.GeoSeries, census: Census) -> list[Finding]:
    """Return findings on drawn areas (index ``area_id``, EPSG:3347) that the census does not cover.

    ``outside_census`` is an error, ``partly_outside`` a warning with the share outside; a note
    where that is at most :data:`OUTSIDE_SHARE`: a river's width, or the accuracy of drawing.
    """
    if outlines.empty:
        return []
    level = next((level for level in ("DA", census.atom_level) if _has_polygons(census, level)), "")
    if not level:
        return [finding("areas.no_polygons", "error", "", vintage=census.vintage)]
    findings = []
    shares = _share_inside(outlines.to_numpy(), census, level)
    for area, share in zip(outlines.index, shares, strict=True):
        if share == 0:
            findings.append(
                finding(
                    "areas.outside_census",
                    "error",
                    area,
                    value=1.0,
                    area=area,
                    vintage=census.vintage,
                )
            )
        elif share < 1 - SLIVER_SHARE:
            findings.append(
                finding(
                    "areas.partly_outside",
                    "warning" if 1 - share > OUTSIDE_SHARE else "note",
                    area,
                    value=1 - share,
                    limit=OUTSIDE_SHARE,
                    area=area,
                    share=1 - share,
                    vintage=census.vintage,
                )
            )
    return findings


def levels_elsewhere(
    outlines: npt.NDArray[np.object_], census: Census, levels: Sequence[str]
) -> list[str]:
    """Return the levels whose units the census holds in part, and not where outlines lie.

    A level held whole covers what land there is. Of an extract the units need to cover half of each
    outline: less may be water, which no unit covers.

    Parameters
    ----------
    outlines
        Polygons, EPSG:3347; (n,).
    census
        The census.
    levels
        Codes of levels; those without polygons are passed over.
    """
    found = []
    for level in levels:
        if not _has_polygons(census, level):
            continue
        country = national_count(level, census.vintage)
        if country is not None and census.size(level) >= country.value:
            continue
        if (_share_inside(outlines, census, level) < _MOSTLY).any():
            found.append(level)
    return found


def provinces_met(outlines: npt.NDArray[np.object_], census: Census) -> set[str]:
    """Return the ids of the provinces whose units' boxes outlines (EPSG:3347) meet."""
    level = census.atom_level
    west, south, east, north = np.nan_to_num(census.data.boxes(level), nan=np.inf).T
    met = np.zeros(len(west), dtype=bool)
    for x0, y0, x1, y1 in shapely.bounds(outlines):
        met |= (west <= x1) & (east >= x0) & (south <= y1) & (north >= y0)
    return {unit[:2] for unit in census.ids(level)[met]}


def _has_polygons(census: Census, level: str) -> bool:
    return level in census.levels and not np.isnan(census.data.group_boxes(level)[1]).all()


def _share_inside(
    outlines: npt.NDArray[np.object_], census: Census, level: str
) -> npt.NDArray[np.float64]:
    """Return the share of each outline's surface that units of a level cover; shape (n,).

    On the grid: its scale nearly cancels in a share.
    """
    west, south, east, north = np.nan_to_num(census.data.boxes(level), nan=np.inf).T
    covered = np.zeros(len(outlines))
    for at, outline in enumerate(outlines):
        x0, y0, x1, y1 = outline.bounds
        census_rows = np.flatnonzero((west <= x1) & (east >= x0) & (south <= y1) & (north >= y0))
        if not len(census_rows):
            continue
        units, *_ = make_valid_polygons(census.data.geometry(level, census_rows))
        shapely.prepare(outline)
        whole = shapely.contains_properly(outline, units)
        crossed = units[~whole & shapely.intersects(outline, units)]
        inside = shapely.area(shapely.intersection(crossed, outline)).sum()
        covered[at] = shapely.area(units[whole]).sum() + inside
    return np.asarray(np.clip(covered / shapely.area(outlines), 0.0, 1.0))


def incomplete_units(units: pd.DataFrame, census: Census) -> list[Finding]:
    """Return a warning for each listed unit of which the census holds nothing, or not all.

    Held against its published population, else against the published number of its finest units.
    """
    count_column = f"{census.atom_level.lower()}_count"
    findings = []
    coarser = units[units["level"].ne(census.atom_level)]
    for level, these, census_rows in rows_by_level(census, coarser):
        of_level = coarser.iloc[these]
        owner, atom = census.atoms(level, census_rows)
        counts = np.bincount(owner, minlength=len(census_rows))
        people = _people(owner, atom, len(census_rows), census)
        totals = census.data.meta["published"].get(level, {})
        for at, unit in enumerate(of_level.itertuples()):
            known = totals.get(unit.unit_id) or {}
            values = {"area": unit.area_id, "unit": f"{level}:{unit.unit_id}"}
            values["level"] = census.atom_level
            if counts[at] == 0:
                findings.append(finding("areas.nothing_held", "warning", unit.area_id, **values))
                continue
            by_people = "population" in known and not np.isnan(people[at])
            held = people[at] if by_people else counts[at]
            published = known.get("population" if by_people else count_column, np.nan)
            if held < published - _slack(published, by_people):
                findings.append(
                    finding(
                        "areas.fewer_people" if by_people else "areas.fewer_units",
                        "warning",
                        unit.area_id,
                        value=held,
                        limit=float(published),
                        held=held,
                        published=published,
                        **values,
                    )
                )
    return findings


def _people(owner: Rows, atom: Rows, count: int, census: Census) -> npt.NDArray[np.float64]:
    """Return the people of each unit's atoms, NaN where no atom has a count; shape (count,)."""
    given = census.data.attributes(census.atom_level, ["population"], atom)["population"]
    people = np.bincount(owner, given.fillna(0), minlength=count).astype(np.float64)
    people[np.bincount(owner, given.notna(), minlength=count) == 0] = np.nan
    return people


def _slack(published: float, by_people: bool) -> float:
    """Return how much less may be held of a unit held whole.

    Block populations below 15 are rounded under control: an area's stay within 5. The numbers of
    blocks published for 2011 and 2016 stand a little above what was released.
    """
    return 5.0 if by_people else 0.01 * published


def list_and_outline(unions: gpd.GeoSeries, outlines: gpd.GeoSeries) -> list[Finding]:
    """Compare areas that came both ways: one index, the union of the units and the outline.

    The value is the larger of the share of the outline outside the units and of them outside it.
    """
    common = shapely.area(shapely.intersection(unions.to_numpy(), outlines.to_numpy()))
    out, beyond = 1 - common / outlines.area, 1 - common / unions.area
    return [
        finding(
            "areas.list_and_outline",
            "note",
            area,
            value=max(out[area], beyond[area]),
            area=area,
            out=max(out[area], 0.0),
            beyond=max(beyond[area], 0.0),
        )
        for area in outlines.index[unions.notna()]
    ]
