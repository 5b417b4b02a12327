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
#: part of the width shown on each side of the areas; a map is seldom as wide as its areas
_MARGIN = 0.3
#: finest detail kept, as a part of the width
_DETAIL = 1 / 2000
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
        where unknown), ``x, y`` (where a label may stand) and ``geometry``: their outlines as
        lines, EPSG:3347, cut to the rectangle with a margin and simplified along shared edges
        for display. Empty where the census holds no such level with polygons.
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
    empty = empty.astype({"population": "float64"}).assign(x=0.0, y=0.0)
    return gpd.GeoDataFrame(empty, geometry=[], crs=crs)


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
    simple, window = shapely.make_valid(simple), shapely.box(*frame)
    inside = shapely.intersection(simple, window)
    kept = shapely.area(inside) > 0
    points = shapely.point_on_surface(inside[kept])
    units = census.units(level).iloc[rows[kept]].reset_index()[list(_COLUMNS[1:])]
    units.insert(0, "level", pd.Series(level, index=units.index, dtype="string"))
    units["x"], units["y"] = shapely.get_x(points), shapely.get_y(points)
    # lines, so that the window's own edges are no outline
    outlines = shapely.intersection(shapely.boundary(simple[kept]), window)
    return gpd.GeoDataFrame(units, geometry=outlines, crs=census.crs)
