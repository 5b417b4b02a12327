"""Shapes made light for the eye: for pictures only, never for shares or areas."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

__all__ = ["detail_for", "geojson", "light", "pieces", "thin", "unions"]

Shapes = npt.NDArray[np.object_]

#: finest detail kept, as a part of the map's width: less is not seen on a screen
_DETAIL = 1 / 4000
#: points beyond which a page grows too heavy to mail
_POINTS = 220_000
#: parts of a piece narrower than this many details are the simplification's, not the land's
_SLIVER = 4.0


def there(shapes: Shapes) -> npt.NDArray[np.bool_]:
    """Return which places hold a shape that can be drawn."""
    return np.asarray(~(pd.isna(shapes) | shapely.is_empty(shapes)), dtype=bool)


def detail_for(bounds: npt.NDArray[np.float64]) -> float:
    """Return the detail, in metres, that a map of these bounds shows."""
    return float(max(bounds[2] - bounds[0], bounds[3] - bounds[1])) * _DETAIL


def light(shapes: Shapes, detail_m: float) -> Shapes:
    """Return shapes with fewer points, shared edges still shared.

    Parameters
    ----------
    shapes
        Polygons in metres; missing ones stay missing.
    detail_m
        Width of what may be lost; doubled until the whole is light enough for a page.
    """
    result = shapes.copy()
    held = there(shapes)
    if not held.any():
        return result
    # areas that share a unit hold its polygon twice: one copy, or the coverage would be none
    wkb, back = np.unique(shapely.to_wkb(shapes[held]), return_inverse=True)
    unique = shapely.from_wkb(wkb)
    broken = ~shapely.is_valid(unique)
    unique[broken] = shapely.make_valid(unique[broken])
    # one pass at about the right detail costs less than several
    detail_m *= max(1.0, int(shapely.get_num_coordinates(unique).sum()) / (1.5 * _POINTS))
    simple = shapely.coverage_simplify(unique, detail_m)
    while int(shapely.get_num_coordinates(simple).sum()) > _POINTS and detail_m < 1e6:
        detail_m *= 2
        simple = shapely.coverage_simplify(simple, detail_m)
    result[held] = simple[back]
    return result


def thin(shapes: Shapes, detail_m: float) -> Shapes:
    """Return outlines with fewer points, each by itself: areas as drawn share no edges."""
    result = shapes.copy()
    held = there(shapes)
    result[held] = shapely.make_valid(shapely.simplify(shapes[held], detail_m / 2))
    return result


def unions(
    light_units: Shapes, owner: npt.NDArray[np.int64], whole: Shapes, detail_m: float
) -> Shapes:
    """Return each area's union out of its lightened units, so that outlines run on their edges.

    Parameters
    ----------
    light_units, owner
        Lightened units and the position of the area of each.
    whole
        The areas' own shapes, lightened where units without polygon leave a union incomplete.
    detail_m
        Width of what may be lost there.
    """
    held = there(light_units)
    complete = np.bincount(owner, ~held, minlength=len(whole)) == 0
    result = whole.copy()
    result[~complete] = light(whole[~complete], detail_m)
    order = np.argsort(owner, kind="stable")
    ends = np.cumsum(np.bincount(owner, minlength=len(whole)))
    for area, members in enumerate(np.split(order, ends[:-1])):
        if complete[area] and len(members):
            result[area] = _joined(light_units[members])
    return result


def _joined(units: Shapes) -> Any:
    # the fast union silently gives a wrong shape where the units are no coverage
    if shapely.coverage_is_valid(units):
        return shapely.coverage_union_all(units)
    return shapely.union_all(units)


def pieces(left_out: Shapes, drawn: Shapes, detail_m: float) -> Shapes:
    """Return the part of each unit left out that lies in the area as drawn, pair by pair."""
    held = there(left_out) & there(drawn)
    result = np.full(len(left_out), None, dtype=object)
    units, areas = left_out[held], drawn[held]
    shapely.prepare(areas)
    whole = shapely.covers(areas, units)
    cut = units.copy()
    cut[~whole] = shapely.intersection(units[~whole], areas[~whole])
    # both outlines were lightened apart: where they ran together only threads are left
    kept = shapely.buffer(cut, -detail_m / _SLIVER, quad_segs=1)
    cut[shapely.is_empty(kept)] = None
    result[held] = cut
    return result


def geojson(shapes: Shapes, crs: object, detail_m: float) -> list[str | None]:
    """Return each shape as GeoJSON text in degrees, rounded to less than the detail."""
    degrees = gpd.GeoSeries(shapes, crs=crs).to_crs(4326).to_numpy()
    decimals = int(np.clip(6 - np.floor(np.log10(max(detail_m, 1.0))), 3, 6))
    rounded = shapely.transform(degrees, lambda points: np.round(points, decimals))
    return list(shapely.to_geojson(rounded))
