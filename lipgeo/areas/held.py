"""What of the areas lies outside of what the opened census holds."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.areas.faults import finding
from lipgeo.census import Census, Rows
from lipgeo.report import Finding
from lipgeo.zones.preflight import make_valid_polygons

__all__ = ["incomplete_units", "list_and_outline", "outside_census"]

#: an outline may leave the census by this share of its surface without a word
_OUTSIDE_LIMIT = 0.005


def outside_census(outlines: gpd.GeoSeries, census: Census) -> list[Finding]:
    """Return findings on drawn areas (index ``area_id``, EPSG:3347) that the census does not cover.

    ``outside_census`` is an error, ``partly_outside`` a warning with the share outside.
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
        elif share < 1 - _OUTSIDE_LIMIT:
            findings.append(
                finding(
                    "areas.partly_outside",
                    "warning",
                    area,
                    value=1 - share,
                    limit=_OUTSIDE_LIMIT,
                    area=area,
                    share=1 - share,
                    vintage=census.vintage,
                )
            )
    return findings


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
        rows = np.flatnonzero((west <= x1) & (east >= x0) & (south <= y1) & (north >= y0))
        units, *_ = make_valid_polygons(census.data.geometry(level, rows.astype(np.int64)))
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
    counted = f"{census.atom_level.lower()}_count"
    findings = []
    for level in units["level"].unique():
        if level == census.atom_level:
            continue
        of_level = units[units["level"].eq(level)]
        rows = census.rows(level, of_level["unit_id"].to_numpy(dtype=object))
        owner, atom = census.atoms(level, rows)
        counts = np.bincount(owner, minlength=len(rows))
        people = _people(owner, atom, len(rows), census)
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
            published = known.get("population" if by_people else counted, np.nan)
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
