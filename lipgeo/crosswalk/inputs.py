"""Bring sources, targets and blocks to one grid, and read what they hold and where they lie.

Targets are drawn polygons, sets of a census's finest units, or both. What zones hold is people,
dwellings, square metres; a zone lies where its polygon does, or its representative point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.arrays import Floats, Ints
from lipgeo.census.census import CensusZones
from lipgeo.census.data import COUNTS
from lipgeo.crosswalk.overlay.descent import Outlines
from lipgeo.errors import CrosswalkError
from lipgeo.zones.crs import STATCAN_LAMBERT, area_km2, lonlat, on_grid, require_same_projected
from lipgeo.zones.zones import Zones

__all__ = [
    "Targets",
    "bring_to_one_grid",
    "counts_of",
    "planar_area",
    "points_of",
    "surface_m2",
    "targets_of",
]

#: sides beyond which a unit's areal scale on the grid is no longer one number
_LARGE_M = 100_000.0


@dataclass(frozen=True)
class Targets:
    """Targets by position, in the order of their ids.

    Attributes
    ----------
    ids
        Text ids; (n,).
    outlines
        The drawn ones; a target that is only a set has no outline.
    atom, area
        Pairs (row of the finest level, position of the target) for those that are sets.
    """

    ids: npt.NDArray[np.object_]
    outlines: Outlines
    atom: Ints
    area: Ints

    def __len__(self) -> int:
        return len(self.ids)


def bring_to_one_grid(
    source: Zones, target: Zones | ServiceAreas, blocks: Zones | None
) -> tuple[Zones, Zones | ServiceAreas, Zones | None]:
    """Bring all to EPSG:3347 where one stands on it by nature; else require one projected CRS."""
    if not isinstance(source, Zones) or not isinstance(target, Zones | ServiceAreas):
        raise CrosswalkError(
            "crosswalk.not_zones", source=type(source).__name__, target=type(target).__name__
        )
    others = [zones for zones in (target, blocks) if zones is not None]
    if any(isinstance(zones, CensusZones | ServiceAreas) for zones in (source, *others)):
        target = target if isinstance(target, ServiceAreas) else _to_grid(target)
        return _to_grid(source), target, None if blocks is None else _to_grid(blocks)
    for other in others:
        if isinstance(other, Zones):
            require_same_projected(source.crs, other.crs)
    return source, target, blocks


def _to_grid(zones: Zones) -> Zones:
    return zones if isinstance(zones, CensusZones) or on_grid(zones.crs) else zones.to_grid()


def targets_of(source: Zones, target: Zones | ServiceAreas) -> Targets:
    """Return what the targets are made of: ids where the source's census knows them."""
    census = source.census if isinstance(source, CensusZones) else None
    if isinstance(target, ServiceAreas):
        ids = target.ids.to_numpy(dtype=object)
        polygons = target.frame.geometry.to_numpy()
        listed = target.frame["definition"].eq("units").to_numpy(dtype=bool)
    else:
        ids = np.asarray(target.ids, dtype=object)
        by_id = (
            census is not None
            and isinstance(target, CensusZones)
            and target.census.data is census.data
        )
        listed = np.full(len(ids), by_id)
        polygons = np.full(len(ids), None, dtype=object) if by_id else target.geometry
    # in the order of ids; a target that is a set needs no outline
    order = np.argsort(ids.astype(str), kind="stable")
    ids, polygons, listed = ids[order], polygons[order].copy(), listed[order]
    atom = area = np.empty(0, dtype=np.int64)
    if census is None:
        bare = ids[listed & shapely.is_missing(polygons)]
        if len(bare):
            raise CrosswalkError("crosswalk.not_drawn", [{"area_id": i} for i in bare], areas=bare)
    elif listed.any():
        polygons[listed] = None
        if isinstance(target, ServiceAreas):
            members = target.atoms(census)
            atom = members["row"].to_numpy(dtype=np.int64)
            area = np.asarray(pd.Index(ids).get_indexer(members["area_id"]), dtype=np.int64)
        else:
            level = str(target.level)
            area, atom = census.atoms(level, np.arange(len(ids), dtype=np.int64)[order])
    return Targets(ids, Outlines(polygons), atom, area)


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
    # the others are measured: on the grid, divided by its scale at their centre
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
        # where the scale is not one number, on the equal-area projection
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
