"""Shares of the units that outlines come near, measured in chunks on all cores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from lipgeo.cores import on_cores
from lipgeo.crosswalk.descent import Near, Outlines
from lipgeo.crosswalk.edges import Pairs, base_points, edges_of, ranges, shares_of
from lipgeo.crosswalk.polygons import even_cuts, usable

__all__ = ["DUST", "along", "facing_of", "noise"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Shapes = npt.NDArray[np.object_]

#: Numeric dust: an overlap below this share of both the unit and the area is no overlap, and a
#: unit that misses an area by less than this share of itself is wholly inside. Grid coordinates
#: are exact to about 1e-9 m, so neighbours that share an edge overlap by up to some 1e-10.
DUST = 1e-9

#: vertices handed to a core at a time: what it works on stays in the processor's cache
CHUNK_VERTICES = 1 << 15
#: one edge in this many tells which way an outline runs
_GLANCE = 4


def along(near: Near, polygons: Shapes, size: Floats, outlines: Outlines) -> Floats:
    """Return the share of each unit near an outline in its area.

    Parameters
    ----------
    near
        The pairs; ``at`` is the position among the polygons.
    polygons, size
        The units and their areas.
    outlines
        The areas.
    """
    boxes = shapely.bounds(polygons).reshape(-1, 4)[near.at]
    facing = facing_of(near, boxes, outlines)
    base = base_points(boxes, facing)
    winding = outlines.hold(near.area, base[:, 0], base[:, 1]).astype(np.float64)

    cuts = even_cuts(shapely.get_num_coordinates(polygons)[near.at], CHUNK_VERTICES)

    def work(chunk: int) -> tuple[Floats, Flags]:
        start, end = cuts[chunk], cuts[chunk + 1]
        at = near.at[start:end]
        units = edges_of(polygons[at[0] : at[-1] + 1])
        pairs = Pairs(
            at - at[0],
            size[at],
            boxes[start:end],
            near.first[start : end + 1],
            near.part,
            facing[start:end],
        )
        return shares_of(pairs, winding[start:end], units, outlines.edges)

    results = on_cores(work, len(cuts) - 1)
    share = np.concatenate([part for part, _ in results]) if results else np.empty(0)
    doubtful = np.concatenate([part for _, part in results]) if results else np.empty(0, dtype=bool)
    doubt = np.flatnonzero(doubtful)
    if len(doubt):
        shapes, _ = usable(polygons[near.at[doubt]])
        common = shapely.area(shapely.intersection(shapes, outlines.areas[near.area[doubt]]))
        share[doubt] = np.nan_to_num(common / shapely.area(shapes))
    return share


def facing_of(near: Near, boxes: Floats, outlines: Outlines) -> Ints:
    """Return how to look at pairs: across the way the outline runs, from the side it is near."""
    if not len(near.at):
        return np.zeros(0, dtype=np.int64)
    some = -(-np.diff(near.first) // _GLANCE)
    pair, number = ranges(np.zeros_like(some), some)
    point = near.part[near.first[:-1][pair] + number * _GLANCE]
    first = np.cumsum(some) - some
    extent, middle = [], []
    for axis, places in enumerate(outlines.edges.places.reshape(2, -1)):
        low, side = boxes[:, axis], boxes[:, axis + 2] - boxes[:, axis]
        at = np.clip((places[point] - low[pair]) / side[pair], 0.0, 1.0)
        extent.append((np.maximum.reduceat(at, first) - np.minimum.reduceat(at, first)) * side)
        middle.append(np.add.reduceat(at, first) / some)
    along_y = extent[1] >= extent[0]
    above = np.where(along_y, middle[0], middle[1]) > 0.5
    return np.asarray(along_y + 2 * above, dtype=np.int64)


def noise(near: Near, size: Floats, outlines: Outlines) -> Floats:
    """Return the share of each unit below which an overlap is none."""
    unit = size[near.at]
    smaller = np.minimum(unit, outlines.size[near.area])
    return np.asarray(DUST * smaller / np.where(unit > 0, unit, 1.0), dtype=np.float64)
