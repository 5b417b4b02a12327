"""Measure what overlapping areas have in common in a unit, and what they hold of it together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lipgeo.arrays import Floats, Ints, Shapes
from lipgeo.crosswalk.overlay.descent import Near, Outlines
from lipgeo.crosswalk.overlay.edges import ranges
from lipgeo.crosswalk.overlay.measure import DUST, dust_shares, measure_jointly

__all__ = ["MeasuredPairs", "couples", "shares_in_both", "shares_in_union"]


class MeasuredPairs(NamedTuple):
    """Pairs of positive area, ordered by unit and area, and the units opened for them.

    Attributes
    ----------
    unit, area, share
        Place of the unit, position of the area, share of the unit in the area; (p,).
    near_pair
        Position of the pair among those near an outline, -1 where boxes settled it; (p,).
    near
        The pairs near an outline; ``at`` is the position among the units opened.
    opened, polygons, size
        Places of the units opened, their polygons and areas; (u,).
    repaired
        Positions of the units opened whose polygon was repaired.
    """

    unit: Ints
    area: Ints
    share: Floats
    near_pair: Ints
    near: Near
    opened: Ints
    polygons: Shapes
    size: Floats
    repaired: Ints


def shares_in_both(found: MeasuredPairs, outlines: Outlines) -> tuple[Ints, Ints, Floats]:
    """Return two pairs of one unit whose areas overlap in it, and the share that lies in both."""
    # where one area holds the whole unit, what both hold is the other's share
    first, second = couples(found.unit)
    shared = np.where(found.share[first] == 1, found.share[second], found.share[first])
    # the others are measured
    cut = np.flatnonzero((found.share[first] < 1) & (found.share[second] < 1))
    which = np.column_stack([found.near_pair[first[cut]], found.near_pair[second[cut]]])
    near = found.near
    common = measure_jointly(near, which, found.polygons, found.size, outlines, outside=False)
    dust = np.minimum(
        dust_shares(near.some(which[:, 0]), found.size, outlines),
        dust_shares(near.some(which[:, 1]), found.size, outlines),
    )
    shared[cut] = np.where(common > dust, np.minimum(common, 1.0), 0.0)
    keep = shared > 0
    return first[keep], second[keep], shared[keep]


def shares_in_union(
    found: MeasuredPairs, first: Ints, second: Ints, shared: Floats, outlines: Outlines
) -> tuple[Ints, Floats]:
    """Return each unit in some area and its share in the union of its areas."""
    covered_unit, at = np.unique(found.unit, return_inverse=True)
    # an area that lies in another of the unit's areas, there, adds nothing to the union
    adds = np.ones(len(found.unit), dtype=bool)
    adds[second[shared >= found.share[second] - DUST]] = False
    within_second = shared >= found.share[first] - DUST
    adds[first[within_second & adds[second]]] = False
    # inclusion and exclusion: shares less what two of them have in common
    both = adds[first] & adds[second]
    covered: Floats = np.zeros(len(covered_unit))
    covered += np.bincount(at, weights=found.share * adds, minlength=len(covered_unit))
    covered -= np.bincount(at[first], weights=shared * both, minlength=len(covered_unit))
    overlaps = np.bincount(at[first[both]], minlength=len(covered_unit))
    # two overlaps have a part in common only where three areas meet
    crowded = overlaps >= 3
    several = np.bincount(at[adds], minlength=len(covered_unit))
    for count in np.unique(several[crowded]):
        some = np.flatnonzero(crowded & (several == count))
        which = found.near_pair[adds & np.isin(at, some)].reshape(-1, count)
        left = measure_jointly(
            found.near, which, found.polygons, found.size, outlines, outside=True
        )
        covered[some] = 1 - np.maximum(left, 0.0)
    covered = np.where(covered >= 1 - DUST, 1.0, covered)
    return covered_unit, covered


def couples(groups: Ints) -> tuple[Ints, Ints]:
    """Return all pairs of positions (first < second) that share a group; ``groups`` is ordered."""
    ends = np.searchsorted(groups, groups, side="right").astype(np.int64)
    return ranges(np.arange(1, len(groups) + 1, dtype=np.int64), ends)
