"""The standard areas around some areas, as a map shows them: for the eye only."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.census import Census

__all__ = ["no_surroundings", "surroundings"]

#: levels people find their way by, finest first
_LEVELS = ("CSD", "CD", "PR")
#: outlines beyond which a map is a tangle: the next level is taken
_MOST = 250
#: part of the width shown on each side of the areas
_MARGIN = 0.05
#: finest detail kept, as a part of the width
_DETAIL = 1 / 4000
_COLUMNS = ("level", "unit_id", "unit_name", "population")


def surroundings(census: Census, bounds: npt.NDArray[np.float64]) -> gpd.GeoDataFrame:
    """Return the census subdivisions that meet a rectangle; divisions or provinces where too many.

    Parameters
    ----------
    census
        The census.
    bounds
        West, south, east, north in EPSG:3347 metres.

    Returns
    -------
    geopandas.GeoDataFrame
        RangeIndex; columns ``level, unit_id, unit_name`` (text), ``population`` (float64, missing
        where unknown) and ``geometry``: EPSG:3347, cut to the rectangle with a margin and
        simplified along shared edges for display. Empty where the census holds no such level
        with polygons.
    """
    if not np.isfinite(bounds).all():
        return no_surroundings(census.crs)
    width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
    margin = _MARGIN * max(width, height)
    frame = np.array([*(bounds[:2] - margin), *(bounds[2:] + margin)])
    for level in (level for level in _LEVELS if level in census.levels):
        boxes = census.zones(level).boxes
        # units without polygon have boxes of NaN, which meet nothing
        meets = (boxes[:, :2] <= frame[2:]).all(axis=1) & (boxes[:, 2:] >= frame[:2]).all(axis=1)
        rows = np.flatnonzero(meets)
        if not len(rows) or (len(rows) > _MOST and level != _LEVELS[-1]):
            continue
        return _cut(census, level, rows, frame, max(width, height) * _DETAIL)
    return no_surroundings(census.crs)


def no_surroundings(crs: object) -> gpd.GeoDataFrame:
    """Return the frame of :func:`surroundings` without rows."""
    empty = pd.DataFrame({name: pd.Series(dtype="string") for name in _COLUMNS})
    return gpd.GeoDataFrame(empty.astype({"population": "float64"}), geometry=[], crs=crs)


def _cut(
    census: Census,
    level: str,
    rows: npt.NDArray[np.int64],
    frame: npt.NDArray[np.float64],
    detail_m: float,
) -> gpd.GeoDataFrame:
    polygons = census.data.geometry(level, rows)
    held = ~pd.isna(polygons)
    rows, polygons = rows[held], polygons[held]
    broken = ~shapely.is_valid(polygons)
    polygons[broken] = shapely.make_valid(polygons[broken])
    simple = shapely.coverage_simplify(polygons, detail_m)
    cut = shapely.intersection(shapely.make_valid(simple), shapely.box(*frame))
    kept = shapely.area(cut) > 0
    units = census.units(level).iloc[rows[kept]].reset_index()
    units["level"] = pd.Series(level, index=units.index, dtype="string")
    return gpd.GeoDataFrame(units[list(_COLUMNS)], geometry=cut[kept], crs=census.crs)
