"""Lay units over areas: which part of each unit lies in each area, at the cost of the outlines.

Boxes settle most units (``descent``): nobody looks at the polygon of a unit that no outline comes
near. The others are measured from the edges near them (``edges``, ``measure``). Groups of units,
ordered by hierarchy and place, serve census levels and other zones alike: descending the polygons
of coarser levels would add measurements, and the boxes of groups cost none.

Arrays in, arrays out: no names, no frames, no files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from lipgeo.arrays import Floats, Ints, Shapes, distinct
from lipgeo.crosswalk.overlay.descent import ArrayUnits, LevelUnits, Outlines, Units, descend
from lipgeo.crosswalk.overlay.measure import DUST, dust_shares, measure_along_outlines
from lipgeo.crosswalk.overlay.overlaps import (
    MeasuredPairs,
    couples,
    shares_in_both,
    shares_in_union,
)
from lipgeo.crosswalk.overlay.polygons import polygonal, usable, without_none
from lipgeo.zones.cores import spread

__all__ = [
    "DUST",
    "ArrayUnits",
    "LevelUnits",
    "Outlines",
    "Overlay",
    "Units",
    "couples",
    "locate",
    "overlay",
    "pieces",
]


@dataclass(frozen=True)
class Overlay:
    """Shares of units in areas, by area of the polygons.

    Attributes
    ----------
    unit, area, share
        Pairs of positive area: the unit's number, the area's position, the share in (0, 1],
        exactly 1 where the unit is wholly inside; ordered by unit, then area.
    covered_unit, covered
        For each unit in some area, its share in the union of the areas; ordered by unit.
    shared_unit, shared_area, shared_other, shared
        For each unit and two areas that overlap in it, the share that lies in both, ``area``
        before ``other``; ordered.
    repaired
        Units whose polygon crosses itself and was repaired before use.
    """

    unit: Ints
    area: Ints
    share: Floats
    covered_unit: Ints
    covered: Floats
    shared_unit: Ints
    shared_area: Ints
    shared_other: Ints
    shared: Floats
    repaired: Ints


def overlay(units: Units, outlines: Outlines) -> Overlay:
    """Return the share of every unit in every area and in the union of the areas.

    Parameters
    ----------
    units
        What is shared out.
    outlines
        The areas.
    """
    found = _measure_pairs(units, outlines)
    first, second, shared = shares_in_both(found, outlines)
    covered_place, covered = shares_in_union(found, first, second, shared, outlines)
    # by the numbers of the caller, ordered
    number = units.original
    unit, area = found.unit, found.area
    one = np.lexsort((area, number(unit)))
    two = np.lexsort((area[second], area[first], number(unit[first])))
    three = np.argsort(number(covered_place), kind="stable")
    return Overlay(
        unit=number(unit)[one],
        area=area[one],
        share=found.share[one],
        covered_unit=number(covered_place)[three],
        covered=covered[three],
        shared_unit=number(unit[first])[two],
        shared_area=area[first][two],
        shared_other=area[second][two],
        shared=shared[two],
        repaired=np.sort(number(found.opened[found.repaired])),
    )


def pieces(units: Units, outlines: Outlines) -> tuple[Ints, Ints, Shapes, Floats]:
    """Return the pieces the areas cut units into: unit, area, polygon, share of the unit."""
    found = _measure_pairs(units, outlines)
    shapes = units.polygons(found.unit)
    cut = np.flatnonzero(found.share < 1)
    at = np.searchsorted(found.opened, found.unit[cut])
    shapes[cut] = polygonal(
        spread(
            lambda part: shapely.intersection(
                found.polygons[at[part]], outlines.areas[found.area[cut[part]]]
            ),
            len(cut),
        )
    )
    return units.original(found.unit), found.area, shapes, found.share


def locate(x: Floats, y: Floats, outlines: Outlines) -> tuple[Ints, Ints]:
    """Return pairs (point, area): the areas each point lies in; ordered.

    A point on an outline goes to the area that holds it strictly, if one does, else to the first
    area it touches, so that areas which share an edge never both take it.
    """
    known = np.flatnonzero(~(np.isnan(x) | np.isnan(y)))
    at, area = outlines.tree.query(shapely.points(x[known], y[known]))
    point = known[at]
    hit = shapely.intersects_xy(outlines.areas[area], x[point], y[point])
    point, area = point[hit], area[hit]
    order = np.lexsort((area, point))
    point, area = point[order], area[order]
    # a point that several areas touch goes to one that holds it strictly, else to the first
    several = np.isin(point, point[1:][point[1:] == point[:-1]])
    strict = ~several
    strict[several] = shapely.contains_xy(
        outlines.areas[area[several]], x[point[several]], y[point[several]]
    )
    is_inside = np.isin(point, point[strict])
    leading = np.append(True, point[1:] != point[:-1])[: len(point)]
    keep = strict | (~is_inside & leading)
    return point[keep], area[keep]


def _measure_pairs(units: Units, outlines: Outlines) -> MeasuredPairs:
    """Return the shares: 1 where boxes settle it, measured along the outlines."""
    # boxes settle most; the units an outline comes near are opened
    whole_unit, whole_area, near = descend(units, outlines)
    opened, at = np.unique(near.at, return_inverse=True)
    near = near._replace(at=at)
    polygons = without_none(units.polygons(opened))
    size = np.asarray(shapely.area(polygons), dtype=np.float64)
    share = measure_along_outlines(near, polygons, size, outlines)
    # a polygon that crosses itself matters only where it is cut
    cut = distinct(near.at[(share > dust_shares(near, size, outlines)) & (share < 1 - DUST)])
    mended, wrong = usable(polygons[cut])
    repaired = cut[wrong]
    if len(repaired):
        polygons[cut] = mended
        size[repaired] = shapely.area(polygons[repaired])
        again = np.flatnonzero(np.isin(near.at, repaired))
        share[again] = measure_along_outlines(near.some(again), polygons, size, outlines)
    positive = np.flatnonzero(share > dust_shares(near, size, outlines))
    share = np.where(share >= 1 - DUST, 1.0, share)

    # both kinds of pairs together, ordered
    unit = np.concatenate([whole_unit, opened[near.at[positive]]])
    area = np.concatenate([whole_area, near.area[positive]])
    share = np.concatenate([np.ones(len(whole_unit)), share[positive]])
    near_pair = np.concatenate([np.full(len(whole_unit), -1), positive])
    order = np.lexsort((area, unit))
    return MeasuredPairs(
        unit[order],
        area[order],
        share[order],
        near_pair[order],
        near,
        opened,
        polygons,
        size,
        repaired,
    )
