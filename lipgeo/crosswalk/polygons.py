"""Polygons fit for overlay: none missing, none that crosses itself, nothing but polygons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from lipgeo.cores import spread
from lipgeo.zones.preflight import make_valid_polygons

__all__ = ["polygonal", "usable", "without_none"]

Ints = npt.NDArray[np.int64]
Shapes = npt.NDArray[np.object_]

_POLYGONAL = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


def without_none(polygons: Shapes) -> Shapes:
    """Return polygons with an empty one for ``None``; a copy."""
    polygons = polygons.copy()
    polygons[shapely.is_missing(polygons)] = shapely.Polygon()
    return polygons


def usable(polygons: Shapes) -> tuple[Shapes, Ints]:
    """Return polygons that do not cross themselves, and positions of those that were repaired.

    ``None`` becomes an empty polygon.
    """
    polygons = without_none(polygons)
    valid = spread(lambda part: shapely.is_valid(polygons[part]), len(polygons))
    wrong = np.flatnonzero(~valid)
    if len(wrong):
        polygons[wrong] = without_none(make_valid_polygons(polygons[wrong])[0])
    return polygons, wrong


def polygonal(shapes: Shapes) -> Shapes:
    """Return the polygons of mixed results: lines and points where neighbours touch go."""
    mixed = np.flatnonzero(~np.isin(shapely.get_type_id(shapes), _POLYGONAL))
    if not len(mixed):
        return shapes
    parts, owner = shapely.get_parts(shapes[mixed], return_index=True)
    flat = shapely.get_dimensions(parts) == 2
    shapes = shapes.copy()
    shapes[mixed] = shapely.Polygon()
    if flat.any():
        kept, heap = np.unique(owner[flat], return_inverse=True)
        heaps = shapely.geometrycollections(parts[flat], indices=heap)
        shapes[mixed[kept]] = shapely.union_all(heaps[:, None], axis=1)
    return shapes
