"""What zones hold: people, dwellings, square metres, and where their representative points are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from lipgeo.census import COUNTS, CensusZones
from lipgeo.crs import STATCAN_LAMBERT, area_km2, lonlat, on_grid
from lipgeo.zones import Zones

__all__ = ["counts_of", "planar_area", "points_of", "surface_m2"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: sides beyond which a unit's areal scale on the grid is no longer one number
_LARGE_M = 100_000.0


def counts_of(zones: Zones, rows: Ints | None = None) -> dict[str, Floats]:
    """Return population, dwellings and households of zones, NaN where missing or not held."""
    names = list(COUNTS)
    if isinstance(zones, CensusZones):
        data, level = zones.census.data, str(zones.level)
        held = [name for name in names if name in data.columns(level)]
        frame = data.attributes(level, held, rows)
        count = len(zones) if rows is None else len(rows)
    else:
        frame = zones.data if rows is None else zones.data.iloc[rows]
        count = len(frame)
    return {
        name: _numbers(frame[name]) if name in frame else np.full(count, np.nan) for name in names
    }


def points_of(zones: Zones, rows: Ints | None = None) -> tuple[Floats, Floats]:
    """Return representative points: columns x and y where given, else a point on the surface."""
    if isinstance(zones, CensusZones):
        data, level = zones.census.data, str(zones.level)
        if not {"x", "y"} <= set(data.columns(level)):
            polygons = data.geometry(level, rows)
            points = shapely.point_on_surface(polygons)
            return shapely.get_x(points), shapely.get_y(points)
        frame = data.attributes(level, ["x", "y"], rows)
    else:
        frame = zones.data if rows is None else zones.data.iloc[rows]
        if not {"x", "y"} <= set(frame.columns):
            points = shapely.point_on_surface(
                zones.geometry if rows is None else zones.geometry[rows]
            )
            return shapely.get_x(points), shapely.get_y(points)
    return tuple(frame[axis].to_numpy(dtype=np.float64, na_value=np.nan) for axis in ("x", "y"))


def planar_area(zones: Zones, rows: Ints) -> Floats:
    """Return the planar area of polygons in squared units of their CRS; for ratios only.

    A census that knows it (column ``grid_m2``) is not asked for its polygons.
    """
    if isinstance(zones, CensusZones):
        data, level = zones.census.data, str(zones.level)
        if "grid_m2" in data.columns(level):
            return _numbers(data.attributes(level, ["grid_m2"], rows)["grid_m2"])
        return np.asarray(shapely.area(data.geometry(level, rows)), dtype=np.float64)
    return np.asarray(shapely.area(zones.geometry[rows]), dtype=np.float64)


def surface_m2(zones: Zones, rows: Ints) -> Floats:
    """Return square metres on the ground: published land area, else measured; NaN where neither.

    The census grid is not equal-area: what is measured on it is divided by its areal scale.
    """
    result = np.full(len(rows), np.nan)
    if isinstance(zones, CensusZones):
        data, level = zones.census.data, str(zones.level)
        if "land_km2" in data.columns(level):
            result = _numbers(data.attributes(level, ["land_km2"], rows)["land_km2"]) * 1e6
    unknown = np.flatnonzero(~(result > 0))
    if not len(unknown):
        return result
    measured = planar_area(zones, rows[unknown]).copy()  # from Parquet: read-only
    boxes = _boxes(zones, rows[unknown])
    if on_grid(zones.crs):
        centre = lonlat((boxes[:, :2] + boxes[:, 2:]) / 2, STATCAN_LAMBERT)
        known = np.isfinite(centre).all(axis=1)
        if known.any():  # units without polygon have no centre, and pyproj refuses empty arrays
            factors = pyproj.Proj(STATCAN_LAMBERT).get_factors(*centre[known].T)
            measured[known] /= np.asarray(factors.areal_scale)
        sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        large = np.flatnonzero(sides > _LARGE_M)
        if len(large):
            measured[large] = area_km2(_polygons(zones, rows[unknown[large]])) * 1e6
    else:
        measured *= zones.crs.axis_info[0].unit_conversion_factor ** 2
    result[unknown] = measured
    return result


def _boxes(zones: Zones, rows: Ints) -> Floats:
    if isinstance(zones, CensusZones):
        return zones.census.data.boxes(str(zones.level), rows)
    return zones.boxes[rows]


def _polygons(zones: Zones, rows: Ints) -> npt.NDArray[np.object_]:
    if isinstance(zones, CensusZones):
        return zones.census.data.geometry(str(zones.level), rows)
    return zones.geometry[rows]


def _numbers(column: pd.Series) -> Floats:
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
