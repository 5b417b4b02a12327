"""Areas that overlap: what two of them have in common in a unit, and what all hold together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

from lipgeo.cores import spread
from lipgeo.crosswalk.along import DUST, along, noise
from lipgeo.crosswalk.descent import ArrayUnits, Outlines, descend
from lipgeo.crosswalk.edges import ranges

__all__ = ["Found", "couples", "in_both", "in_union"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]


class Found(NamedTuple):
    """Pairs of positive area, ordered by row and area, and the units opened for them."""

    row: Ints
    area: Ints
    share: Floats
    rows: Ints
    polygons: Shapes
    size: Floats
    repaired: Ints


def in_both(found: Found, outlines: Outlines) -> tuple[Ints, Ints, Floats]:
    """Return, for two pairs of one row whose areas overlap in it, their positions and the share."""
    first, second = couples(found.row)
    shared = np.where(found.share[first] == 1, found.share[second], found.share[first])
    cut = np.flatnonzero((found.share[first] < 1) & (found.share[second] < 1))
    shared[cut] = _measured(found, found.row[first[cut]], first[cut], second[cut], outlines)
    keep = shared > 0
    return first[keep], second[keep], shared[keep]


def _measured(found: Found, row: Ints, first: Ints, second: Ints, outlines: Outlines) -> Floats:
    """Return the share in both of two areas that each hold a part of a unit.

    What two areas have in common is a third area, and units are measured against it as well.
    """
    lenses, lens = outlines.lenses(found.area[first], found.area[second])
    shared = np.zeros(len(row))
    if not lenses.size[lens].any():
        return shared
    rows, at = np.unique(row, return_inverse=True)
    units = ArrayUnits(found.polygons[np.searchsorted(found.rows, rows)])
    whole_row, whole_lens, near = descend(units, lenses)
    count = len(lenses.size)
    asked = at * count + lens
    near = near.some(np.flatnonzero(np.isin(units.original(near.at) * count + near.area, asked)))
    rows, place = np.unique(near.at, return_inverse=True)
    near = near._replace(at=place)
    polygons = units.polygons(rows)
    size = np.asarray(shapely.area(polygons), dtype=np.float64)
    share = along(near, polygons, size, lenses)
    share[share <= noise(near, size, lenses)] = 0.0
    keys = np.concatenate(
        [
            units.original(rows[near.at]) * count + near.area,
            units.original(whole_row) * count + whole_lens,
        ]
    )
    share = np.concatenate([share, np.ones(len(whole_row))])
    return looked_up(asked, keys, np.where(share >= 1 - DUST, 1.0, share))


def in_union(
    found: Found, first: Ints, second: Ints, shared: Floats, outlines: Outlines
) -> tuple[Ints, Floats]:
    """Return each row in some area and its share in the union of its areas."""
    covered_row, at = np.unique(found.row, return_inverse=True)
    # an area that lies in another of the unit's areas, there, adds nothing to the union
    adds = np.ones(len(found.row), dtype=bool)
    adds[second[shared >= found.share[second] - DUST]] = False
    within_second = shared >= found.share[first] - DUST
    adds[first[within_second & adds[second]]] = False
    both = adds[first] & adds[second]
    covered: Floats = np.zeros(len(covered_row))
    covered += np.bincount(at, weights=found.share * adds, minlength=len(covered_row))
    covered -= np.bincount(at[first], weights=shared * both, minlength=len(covered_row))
    overlaps = np.bincount(at[first[both]], minlength=len(covered_row))
    # two overlaps have a part in common only where three areas meet
    crowded = np.flatnonzero(overlaps >= 3)
    if len(crowded):
        row, area = found.row[np.isin(at, crowded)], found.area[np.isin(at, crowded)]
        polygons = found.polygons[np.searchsorted(found.rows, row)]
        parts = spread(
            lambda part: shapely.intersection(polygons[part], outlines.areas[area[part]]), len(row)
        )
        heaps = shapely.geometrycollections(parts, indices=np.unique(row, return_inverse=True)[1])
        merged = spread(
            lambda part: shapely.area(shapely.union_all(heaps[part, None], axis=1)), len(heaps), 16
        )
        covered[crowded] = merged / found.size[np.searchsorted(found.rows, covered_row[crowded])]
    covered = np.where(covered >= 1 - DUST, 1.0, covered)
    return covered_row, covered


def couples(groups: Ints) -> tuple[Ints, Ints]:
    """Return all pairs of positions (first < second) that share a group; ``groups`` is ordered."""
    ends = np.searchsorted(groups, groups, side="right").astype(np.int64)
    return ranges(np.arange(1, len(groups) + 1, dtype=np.int64), ends)


def looked_up(keys: Ints, held: Ints, values: Floats) -> Floats:
    """Return the value of each key, 0 where it is not held."""
    if not len(held):
        return np.zeros(len(keys))
    order = np.argsort(held, kind="stable")
    at = np.minimum(np.searchsorted(held[order], keys), len(held) - 1)
    return np.where(held[order][at] == keys, values[order][at], 0.0)
