"""Rules that choose the units of each area: a rule takes candidates and returns membership."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from lipgeo.census import Rows

__all__ = ["RULES", "Candidates", "Rule", "Terms", "choose", "exclusive_pairs"]

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

#: shares closer than this are equal: they come from polygons cut in floating point
_TIE = 1e-9


@dataclass(frozen=True)
class Candidates:
    """Units that meet drawn areas, one entry a pair of unit and area.

    Attributes
    ----------
    unit
        Row of the unit in its level; (n,).
    area
        Position of the area; ties go to the lower one, so areas stand in the order of their ids;
        (n,).
    share
        Share of the unit in the area by the basis asked for (population, dwellings, area); (n,).
    area_share
        The same by area of the polygons; (n,).
    rival
        The largest share by that basis that any other area, or the outside of all, has of the
        unit; (n,).
    x, y
        Representative point of the unit, EPSG:3347 metres, NaN where it has none; (n,).
    outlines
        The areas as drawn, EPSG:3347, by position; (areas,).
    """

    unit: Rows
    area: Rows
    share: Floats
    area_share: Floats
    rival: Floats
    x: Floats
    y: Floats
    outlines: npt.NDArray[np.object_]


@dataclass(frozen=True)
class Terms:
    """What a rule is held to.

    Attributes
    ----------
    threshold
        Least share for ``majority``.
    sliver_share
        Share of a unit's polygon below which an overlap is an accident of drawing.
    """

    threshold: float = 0.5
    sliver_share: float = 0.005


Rule = Callable[[Candidates, Terms], Flags]


def _within(candidates: Candidates, terms: Terms) -> Flags:
    return np.asarray(candidates.area_share >= 1 - max(terms.sliver_share, _TIE))


def _touching(candidates: Candidates, terms: Terms) -> Flags:
    return np.asarray(candidates.area_share > terms.sliver_share)


def _majority(candidates: Candidates, terms: Terms) -> Flags:
    return np.asarray(candidates.share >= terms.threshold - _TIE)


def _largest(candidates: Candidates, terms: Terms) -> Flags:
    found = (candidates.share > 0) & (candidates.share >= candidates.rival - _TIE)
    return np.asarray(found)


def _point(candidates: Candidates, terms: Terms) -> Flags:
    outlines = candidates.outlines
    shapely.prepare(outlines)
    inside = np.zeros(len(candidates.unit), dtype=bool)
    known = ~(np.isnan(candidates.x) | np.isnan(candidates.y))
    inside[known] = shapely.intersects_xy(
        outlines[candidates.area[known]], candidates.x[known], candidates.y[known]
    )
    return inside


#: the rules of DESIGN by name
RULES: Mapping[str, Rule] = {
    "within": _within,
    "touching": _touching,
    "majority": _majority,
    "largest": _largest,
    "point": _point,
}


def choose(rule: str, candidates: Candidates, terms: Terms) -> Flags:
    """Return which pairs a rule admits; (n,).

    ``within``
        the unit lies in the area, but for slivers;
    ``touching``
        more than a sliver of it does;
    ``majority``
        at least ``threshold`` of it does, by the basis of ``share``;
    ``largest``
        no other area, and not the outside, has more of it by that basis (equals are all in);
    ``point``
        its representative point is in the area or on its edge.
    """
    return RULES[rule](candidates, terms)


def exclusive_pairs(unit: Rows, area: Rows, share: Floats) -> Flags:
    """Return which admitted pairs stay when a unit may be in one area only.

    The largest share wins; shares that are equal to 1e-9 go to the lower position of area.

    Examples
    --------
    >>> import numpy as np
    >>> from lipgeo.fitting.choosing import exclusive_pairs
    >>> unit, area = np.array([7, 7, 8, 8]), np.array([0, 1, 0, 1])
    >>> exclusive_pairs(unit, area, np.array([0.4, 0.6, 0.5, 0.5])).tolist()
    [False, True, True, False]
    """
    if not len(unit):
        return np.array([], dtype=bool)
    starts_of, inverse = np.unique(unit, return_inverse=True)
    best = np.full(len(starts_of), -np.inf)
    np.maximum.at(best, inverse, share)
    level = share >= best[inverse] - _TIE
    first = np.full(len(starts_of), np.iinfo(np.int64).max)
    np.minimum.at(first, inverse[level], area[level])
    return np.asarray(level & (area == first[inverse]))
