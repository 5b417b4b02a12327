"""Make polygons fit for overlay: none missing, none that crosses itself, nothing but polygons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from lipgeo.arrays import Ints, Shapes
from lipgeo.zones.cores import on_cores
from lipgeo.zones.validity import make_valid_polygons

__all__ = ["even_cuts", "polygonal", "usable", "without_none"]

#: vertices a core looks at in one go
_TOGETHER = 1 << 14
_POLYGONAL = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


def without_none(polygons: Shapes) -> Shapes:
    """Return polygons with an empty one for ``None``; a copy."""
    polygons = polygons.copy()
    polygons[shapely.is_missing(polygons)] = shapely.Polygon()
    return polygons


def even_cuts(vertices: npt.NDArray[np.integer], size: int) -> Ints:
    """Return where to cut polygons into runs of about ``size`` vertices; both ends included."""
    before = np.cumsum(vertices)
    total = int(before[-1]) if len(before) else 0
    cuts = np.searchsorted(before, np.arange(0, total, size), side="left")
    return np.unique(np.concatenate([[0], cuts, [len(vertices)]])).astype(np.int64)


def usable(polygons: Shapes) -> tuple[Shapes, Ints]:
    """Return polygons that do not cross themselves, and positions of those that were repaired.

    ``None`` becomes an empty polygon.
    """
    polygons = without_none(polygons)
    cuts = even_cuts(shapely.get_num_coordinates(polygons), _TOGETHER)
    parts = on_cores(
        lambda part: shapely.is_valid(polygons[cuts[part] : cuts[part + 1]]), len(cuts) - 1
    )
    wrong = np.flatnonzero(~np.concatenate([*parts, np.ones(0, dtype=bool)]))
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
