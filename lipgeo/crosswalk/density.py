"""Place the people of cut units by how densely the ground of each area is settled near them.

Spread evenly over a unit, people stand in fields and water too, and most of what an estimate
misses lies where settled and empty ground meet. Here the part of a unit in each area takes people
by its surface times the density of *that area's own units near the unit* (target density weights:
Schroeder 2007, *Geographical Analysis* 39, 311-335; here local).

* An area is a face of the overlay of all areas: a part in two areas at once is ground of its own,
  and so is what lies in none.
* The density is a mean under a Gaussian kernel of the :data:`NEAREST` units (of parts of other cut
  units too) in the face; the bandwidth is the distance from the unit to its :data:`NEIGHBOURS`-th
  neighbour, so that it follows the spacing of the units: a street in a city, miles in the country.
* Parts of cut units count with what they were given the round before, :data:`ROUNDS` times.
* How far the densities are taken at their word, the power they are raised to, is learned in the
  call itself: from whole neighbours on either side of the outlines, joined and split again
  (:mod:`lipgeo.crosswalk.trials`).
* A unit stays spread over its surface where a part of it, slivers aside, has fewer than
  :data:`FEWEST` units of its own face within :data:`REACH` bandwidths, where nobody lives near any
  part, and where fewer than :data:`LEAST` units are at hand altogether.

Boxes, counts and surfaces are all that is read of the units around. What a unit holds is shared
out, nothing more: shares and remainder add up to 1 as before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.spatial
import shapely

from lipgeo.arrays import Flags, Floats, Ints, Shapes, distinct
from lipgeo.census.census import CensusZones
from lipgeo.crosswalk.inputs import counts_of, planar_area
from lipgeo.crosswalk.overlay.edges import ranges
from lipgeo.crosswalk.overlay.kernel import Overlay
from lipgeo.crosswalk.overlay.overlaps import couples
from lipgeo.crosswalk.trials import (
    FLOOR,
    Belief,
    Splits,
    Strength,
    Trials,
    learn_strength,
    splits_of,
    trials_of,
)
from lipgeo.zones.cores import CORES
from lipgeo.zones.validity import SLIVER_SHARE
from lipgeo.zones.zones import Zones

__all__ = [
    "NEIGHBOURS",
    "REACH",
    "STRENGTH",
    "STRENGTH_ELSEWHERE",
    "STRENGTH_OF_CELLS",
    "Ground",
    "Near",
    "Placed",
    "Settlement",
    "place_by_density",
    "settlement_of_census",
    "settlement_of_pieces",
    "spacing",
]

#: Power of the density by level of what is cut, before anything is learned, and how sure that is
#: (standard error). Blocks are bounded by streets, as most areas are, and hold any number of
#: people: whole ones tell much of cut ones. Dissemination areas are less bounded by what parts
#: settled from empty ground, and are drawn to hold about as many people each, so that whole ones
#: tell little of the halves of others. benchmarks/accuracy.py prints what is learned.
STRENGTH = {"DB": Belief(1.0, 0.25), "DA": Belief(0.75, 0.05)}
#: of the ground around points that stand for blocks: its bounds are not theirs, so that whole cells
#: tell less of cut ones
STRENGTH_OF_CELLS = Belief(1.0, 0.1)
#: of coarser units and zones that are not census, where density is asked for
STRENGTH_ELSEWHERE = Belief(0.5, 0.25)

#: which neighbour's distance is the bandwidth: on a mesh a unit has about eight around it
NEIGHBOURS = 8
#: least units of a ground: among fewer the neighbours of a unit are most of all there is, and
#: nothing is local
LEAST = NEIGHBOURS**2
#: units of a face that are asked: two rings on a mesh, beyond which the kernel is small
NEAREST = 16
#: bandwidths beyond which a unit is no neighbour: the kernel is 0.01 there
REACH = 3.0
#: least units of a face within reach that make a density: one alone says little of its ground
FEWEST = 2
#: rounds in which parts of cut units take what the round before gave them
ROUNDS = 3
#: faces smaller than this share of their unit are rounding
_DUST = 1e-9


@dataclass(frozen=True)
class Ground:
    """Units that say how densely ground is settled: cut ones, and whole ones around them.

    Attributes
    ----------
    unit
        Their numbers, each once; (n,).
    x, y
        The middle of each unit's box, metres; NaN where it has no polygon; (n,).
    surface
        Planar area of its polygon; (n,).
    bandwidth
        Distance to the :data:`NEIGHBOURS`-th neighbour, of the cut units; infinite where there are
        too few; (n,).
    member, area
        Pairs (position here, area): the areas that hold the whole unit.
    """

    unit: Ints
    x: Floats
    y: Floats
    surface: Floats
    bandwidth: Floats
    member: Ints
    area: Ints


@dataclass(frozen=True)
class Faces:
    """Parts of cut units, one a face of the overlay of all areas; ordered by unit.

    Attributes
    ----------
    unit
        The cut units, ordered.
    owner, share
        Position among the cut units, and share of the unit's surface; one a part.
    member, area
        Pairs (position of the part, area that holds it), ordered.
    """

    unit: Ints
    owner: Ints
    share: Floats
    member: Ints
    area: Ints


@dataclass(frozen=True)
class Settlement:
    """What places the people of cut units by density: the ground, and what it holds.

    Attributes
    ----------
    ground
        The cut units and those around.
    counts
        ``population, dwellings, households`` of the ground, NaN where unknown; (n,) each.
    prior
        Power of the density, before anything is learned.
    areas
        Polygons of the areas, ``None`` where an area is a list of units.
    polygons
        Gives the polygons of units by number; asked only where many areas meet.
    pairs
        Shares of the units in areas by surface.
    """

    ground: Ground
    counts: Mapping[str, Floats]
    prior: Belief
    areas: Shapes
    polygons: Callable[[Ints], Shapes]
    pairs: Overlay

    def place(self, units: Ints, measure: str) -> Placed:
        """Place some cut units by density, as strongly as neighbours across outlines bear out."""
        return place_by_density(
            self.pairs, self.faces, self.ground, self.counts[measure], units, prior=self.prior
        )

    def try_out(self, measure: str, placement: str) -> Splits:
        """Split whole neighbours across the outlines as cut units are placed."""
        cut = np.unique(self.pairs.unit[self.pairs.share < 1])
        done = self.place(cut, measure)
        if done.trials is None or done.strength is None:
            none = np.empty(0, dtype=np.int64)
            return Splits(none, none, none, np.empty(0), np.empty(0))
        held = np.lexsort((self.ground.area, self.ground.member))
        lying = self.ground.unit[self.ground.member[held]], self.ground.area[held]
        return splits_of(done.trials, done.strength, placement, lying)

    def look_about(self, measure: str) -> Near:
        """Name the whole units of each side's own ground near the parts of cut units."""
        at = np.searchsorted(self.ground.unit, self.faces.unit)
        counts = self.counts[measure]
        return _near_of(_look_around(self.faces, self.ground, at, counts[at] > 0, counts), self)

    @cached_property
    def faces(self) -> Faces:
        """The parts of the cut units."""
        at = np.searchsorted(self.ground.unit, distinct(self.pairs.unit[self.pairs.share < 1]))
        at = at[self.ground.surface[at] > 0]
        return faces_of(self.pairs, self.ground.unit[at], self.areas, self.polygons)


@dataclass(frozen=True)
class Near:
    """Whole units near parts of cut ones, each on the same side of all outlines as its part.

    Ordered by unit, area and distance. Parts that lie in two areas at once are left out.

    Attributes
    ----------
    unit, area
        The part: its unit, and the area it lies in, -1 where in none.
    near
        A whole unit of its ground.
    distance
        From the middle of the unit, in bandwidths.
    """

    unit: Ints
    area: Ints
    near: Ints
    distance: Floats


@dataclass(frozen=True)
class Placed:
    """Shares by density.

    Attributes
    ----------
    pairs
        The shares.
    units
        The units placed by density: of those asked for, the others hold nobody or stay spread over
        their surface.
    strength
        How far densities were taken at their word; ``None`` where nothing was to be placed.
    trials
        Neighbours across the outlines that it was learned from.
    """

    pairs: Overlay
    units: Ints
    strength: Strength | None = None
    trials: Trials | None = None


def settlement_of_pieces(
    shapes: Shapes,
    counts: Mapping[str, Floats],
    pairs: Overlay,
    areas: Shapes,
    prior: Belief,
) -> Settlement:
    """Take polygons in memory, numbered as in ``pairs``, for the ground."""
    boxes = shapely.bounds(shapes).reshape(-1, 4)
    whole = pairs.share == 1
    centre = _centres(boxes)
    cut = distinct(pairs.unit[pairs.share < 1])
    bandwidth = np.full(len(shapes), np.inf)
    bandwidth[cut] = spacing(centre, cut)
    ground = Ground(
        unit=np.arange(len(shapes), dtype=np.int64),
        x=centre[:, 0],
        y=centre[:, 1],
        bandwidth=bandwidth,
        surface=np.nan_to_num(np.asarray(shapely.area(shapes), dtype=np.float64)),
        member=pairs.unit[whole],
        area=pairs.area[whole],
    )
    return Settlement(
        ground,
        counts,
        prior,
        areas,
        lambda rows: shapes[rows],
        pairs,
    )


def settlement_of_census(
    zones: CensusZones,
    pairs: Overlay,
    rows: Ints,
    areas: Shapes,
    *,
    around: tuple[Zones, Overlay] | None = None,
) -> Settlement:
    """Take units of a census level, and those near the cut ones, for the ground.

    Parameters
    ----------
    zones
        The level.
    pairs
        Shares of the units ``rows`` in areas, by surface.
    rows
        Units that were laid over the areas.
    areas
        Polygons of the areas.
    around
        Sources and their shares: a unit that is not among ``rows`` lies in what holds the whole of
        its source. The level itself, with ``pairs``, where not given.

    Notes
    -----
    Only groups of rows that come within reach of a cut unit are read, and of them boxes, counts
    and surfaces: the cost follows the outlines.
    """
    data, level = zones.census.data, str(zones.level)
    cut = distinct(pairs.unit[pairs.share < 1])
    every, centre, reach = _rows_near(zones, rows, cut)
    bandwidth = np.full(len(every), np.inf)
    bandwidth[np.searchsorted(every, cut)] = reach
    counts = counts_of(zones, every)
    # units laid over the areas lie in those that hold all of them
    mine = np.isin(every, rows)
    whole = (pairs.share == 1) & np.isin(pairs.unit, rows)
    member = [np.searchsorted(every, pairs.unit[whole])]
    inside = [pairs.area[whole]]
    # others lie where their source does
    others = np.flatnonzero(~mine)
    source, sourced = (zones, pairs) if around is None else around
    owner = _owners(zones, every[others], source)
    lost = np.zeros(len(every), dtype=bool)
    lost[others[owner < 0]] = True
    counts = {name: np.where(lost, np.nan, values) for name, values in counts.items()}
    holds = np.flatnonzero(sourced.share == 1)
    first = np.searchsorted(sourced.unit[holds], owner, side="left")
    last = np.searchsorted(sourced.unit[holds], owner, side="right")
    length = np.where(owner >= 0, last - first, 0)
    at = np.repeat(np.arange(len(others)), length)
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    member.append(others[at])
    inside.append(sourced.area[holds[first[at] + within]])
    ground = Ground(
        unit=every,
        x=centre[:, 0],
        y=centre[:, 1],
        bandwidth=bandwidth,
        surface=np.nan_to_num(planar_area(zones, every)),
        member=np.concatenate(member),
        area=np.concatenate(inside),
    )
    return Settlement(
        ground,
        counts,
        STRENGTH.get(level, STRENGTH_ELSEWHERE),
        areas,
        lambda asked: data.geometry(level, asked),
        pairs,
    )


def _owners(zones: CensusZones, rows: Ints, source: Zones) -> Ints:
    """Return the source each unit is part of, -1 where that is not known."""
    if not isinstance(source, CensusZones) or source.census.data is not zones.census.data:
        return np.full(len(rows), -1, dtype=np.int64)
    if source.level == zones.level:
        return rows
    parent = str(source.level)
    if parent not in zones.census.data.columns(str(zones.level)):
        return np.full(len(rows), -1, dtype=np.int64)
    named = zones.census.data.attributes(str(zones.level), [parent], rows)[parent]
    return source.census.find_rows(parent, named)


def _rows_near(zones: CensusZones, rows: Ints, cut: Ints) -> tuple[Ints, Floats, Floats]:
    """Return the rows laid over the areas and all in groups within reach of cut ones; ordered.

    With them, the middles of their boxes, and the spacing of units around the cut ones.
    """
    data, level = zones.census.data, str(zones.level)
    starts, boxes = data.group_boxes(level)
    group = np.unique(np.searchsorted(starts, rows, side="right") - 1)
    known = np.flatnonzero(~np.isnan(boxes[:, 0]))
    tree = shapely.STRtree(shapely.box(*boxes[known].T))
    while True:
        every = ranges(starts[group], starts[group + 1])[1]
        centre = _centres(data.boxes(level, every))
        place = np.searchsorted(every, cut)
        # what is held already says how far to look at most
        bandwidth = spacing(centre, place)
        near = np.isfinite(bandwidth)
        met = tree.query(
            shapely.points(centre[place[near]]),
            predicate="dwithin",
            distance=REACH * bandwidth[near],
        )[1]
        wider = np.union1d(group, known[met])
        if len(wider) == len(group):
            return every, centre, bandwidth
        group = wider


def _centres(boxes: Floats) -> Floats:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def spacing(centre: Floats, of: Ints) -> Floats:
    """Return the distance of some units to their :data:`NEIGHBOURS`-th neighbour; (of,).

    Infinite where there are fewer than :data:`LEAST` units, or the unit has no polygon.
    """
    known = np.flatnonzero(~np.isnan(centre[:, 0]))
    found = np.full(len(of), np.inf)
    asked = np.flatnonzero(~np.isnan(centre[of, 0]))
    if len(known) >= LEAST and len(asked):
        tree = scipy.spatial.cKDTree(centre[known])
        found[asked] = tree.query(centre[of[asked]], k=[NEIGHBOURS + 1], workers=CORES)[0][:, 0]
    return found


def place_by_density(
    pairs: Overlay,
    faces: Faces,
    ground: Ground,
    counts: Floats,
    units: Ints,
    *,
    prior: Belief,
) -> Placed:
    """Place what cut units hold by target density.

    Parameters
    ----------
    pairs
        Shares of units in areas by surface.
    faces
        The parts of the cut units.
    ground
        The cut units, and those around them; ordered by number.
    counts
        What each unit of the ground holds, NaN where unknown; (n,).
    units
        The cut units to place; others keep their shares.
    prior
        Power of the density before anything is learned: 1 takes it at its word, 0 is by surface.
    """
    at = np.searchsorted(ground.unit, faces.unit)
    wanted = np.isin(faces.unit, units) & (counts[at] > 0)
    if not wanted.any():
        return Placed(pairs, units[:0])
    around = _look_around(faces, ground, at, wanted, counts)
    trials = _trials(around, faces, ground)
    strength = learn_strength(trials, prior)
    share = _shares(around, faces, ground, strength.of_cut)
    lost = np.bincount(faces.owner[np.isnan(share)], minlength=len(at)) > 0
    done = wanted & ~lost
    return Placed(_with(pairs, faces, share, done), faces.unit[done], strength, trials)


# ---------------------------------------------------------------- faces


def faces_of(  # noqa: PLR0915
    pairs: Overlay, cut: Ints, areas: Shapes, polygons: Callable[[Ints], Shapes]
) -> Faces:
    """Part cut units, one part a face of the overlay of all areas; ``cut`` is ordered."""
    count, span = len(cut), _span(pairs)
    mine = np.flatnonzero(np.isin(pairs.unit, cut))
    owner, area, share = np.searchsorted(cut, pairs.unit[mine]), pairs.area[mine], pairs.share[mine]
    # an area that holds the whole unit holds each of its parts and parts nothing
    whole = share == 1
    held = owner[whole] * span + area[whole]
    owned, inside = owner[whole], area[whole]
    owner, area, share = owner[~whole], area[~whole], share[~whole]
    mine = np.flatnonzero(np.isin(pairs.shared_unit, cut))
    two = np.searchsorted(cut, pairs.shared_unit[mine])
    parts = ~_is_in(two * span + pairs.shared_area[mine], held)
    parts &= ~_is_in(two * span + pairs.shared_other[mine], held)
    two, mine = two[parts], mine[parts]
    one, other, common = pairs.shared_area[mine], pairs.shared_other[mine], pairs.shared[mine]
    covered = np.ones(count)
    mine = np.flatnonzero(np.isin(pairs.covered_unit, cut))
    covered[np.searchsorted(cut, pairs.covered_unit[mine])] = pairs.covered[mine]
    covered[np.unique(owned)] = np.nan
    total = np.bincount(owner, share, minlength=count)
    both = np.bincount(two, common, minlength=count)
    number, several = np.bincount(two, minlength=count), np.bincount(owner, minlength=count)
    # three areas that all meet: what lies in all is what the union says beyond the pairs
    triple = (number == 3) & (several == 3) & ~np.isnan(covered)
    all_three = np.where(triple, covered - total + both, 0.0)
    all_three = np.where(all_three > _DUST, all_three, 0.0)
    crowded = (number >= 3) & ~triple
    # what lies in two areas is a part of its own, and taken off both
    common = common - all_three[two]
    lone = share - _summed_at(
        owner * span + area,
        np.concatenate([two, two]) * span + np.concatenate([one, other]),
        np.concatenate([common, common]),
    )
    lone -= all_three[owner]
    outer = 1 - total + both + np.where(triple, both * 0 - all_three, 0.0)
    threes = np.flatnonzero(all_three > 0)
    in_three = _is_in(owner, threes)
    # each part: its unit, its share, and up to three areas
    nobody = np.full(count, -1)
    trio = area[in_three].reshape(-1, 3)
    part_owner = np.concatenate([owner, two, np.arange(count), threes])
    part_share = np.concatenate([lone, common, outer, all_three[threes]])
    columns = [
        np.concatenate([area, one, nobody, trio[:, 0]]),
        np.concatenate([np.full(len(area), -1), other, nobody, trio[:, 1]]),
        np.concatenate([np.full(len(area) + len(one), -1), nobody, trio[:, 2]]),
    ]
    keep = (part_share > _DUST) & ~crowded[part_owner]
    part_owner, part_share = part_owner[keep], part_share[keep]
    columns = [column[keep] for column in columns]
    member = np.concatenate([np.flatnonzero(column >= 0) for column in columns])
    holder = np.concatenate([column[column >= 0] for column in columns])
    if crowded.any():
        more = _overlaid(np.flatnonzero(crowded), owner, area, cut, areas, polygons)
        member = np.concatenate([member, len(part_owner) + more.member])
        holder = np.concatenate([holder, more.area])
        part_owner = np.concatenate([part_owner, more.owner])
        part_share = np.concatenate([part_share, more.share])
    order = np.argsort(part_owner, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    part_owner, part_share, member = part_owner[order], part_share[order], place[member]
    # areas that hold the whole unit hold all its parts
    starts = np.searchsorted(part_owner, np.arange(count + 1))
    at, part = ranges(starts[owned], starts[owned + 1])
    member, holder = np.concatenate([member, part]), np.concatenate([holder, inside[at]])
    order = np.lexsort((holder, member))
    summed = np.bincount(part_owner, part_share, minlength=count)
    return Faces(cut, part_owner, part_share / summed[part_owner], member[order], holder[order])


def _overlaid(  # noqa: PLR0917
    which: Ints,
    owner: Ints,
    area: Ints,
    cut: Ints,
    areas: Shapes,
    polygons: Callable[[Ints], Shapes],
) -> Faces:
    """Part the few units in which four areas or more may meet by their polygons."""
    owners: list[int] = []
    shares: list[float] = []
    members: list[int] = []
    inside: list[int] = []
    for at, polygon in zip(which, polygons(cut[which]), strict=True):
        west, south, east, north = polygon.bounds
        least = _DUST * polygon.area
        parts: list[tuple[shapely.Geometry, tuple[int, ...]]] = [(shapely.make_valid(polygon), ())]
        for one in area[owner == at]:
            # an outline may have fifty thousand vertices, and the unit sees few of them
            near = shapely.make_valid(shapely.clip_by_rect(areas[one], west, south, east, north))
            split = []
            for shape, holders in parts:
                split.append((shapely.intersection(shape, near), (*holders, int(one))))
                split.append((shapely.difference(shape, near), holders))
            parts = [(shape, holders) for shape, holders in split if shape.area > least]
        for shape, holders in parts:
            members += [len(owners)] * len(holders)
            inside += holders
            owners.append(int(at))
            shares.append(shape.area / polygon.area)
    return Faces(
        cut,
        np.array(owners, dtype=np.int64),
        np.array(shares, dtype=np.float64),
        np.array(members, dtype=np.int64),
        np.array(inside, dtype=np.int64),
    )


def _span(pairs: Overlay) -> int:
    return int(pairs.area.max(initial=0)) + 1


def _is_in(keys: Ints, held: Ints) -> Flags:
    """Return which keys are held; ``held`` is ordered."""
    if not len(held):
        return np.zeros(len(keys), dtype=bool)
    return np.asarray(held[np.minimum(np.searchsorted(held, keys), len(held) - 1)] == keys)


def _summed_at(wanted: Ints, keys: Ints, values: Floats) -> Floats:
    """Return the sum of the values of each wanted key."""
    held, which = np.unique(keys, return_inverse=True)
    if not len(held):
        return np.zeros(len(wanted))
    sums = np.bincount(which, values, minlength=len(held))
    at = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
    return np.where(held[at] == wanted, sums[at], 0.0)


def _codes(group: Ints, area: Ints, count: int) -> Ints:
    """Return one number a group, equal where groups have the same areas; pairs are ordered."""
    code = np.zeros(count, dtype=np.int64)
    starts = np.searchsorted(group, np.arange(count + 1))
    span = int(area.max(initial=0)) + 2
    for rank in range(int(np.diff(starts).max(initial=0))):
        there = np.diff(starts) > rank
        following = np.zeros(count, dtype=np.int64)
        following[there] = area[starts[:-1][there] + rank] + 1
        code = np.unique(code * span + following, return_inverse=True)[1]
    return code


# ---------------------------------------------------------------- densities


@dataclass(frozen=True)
class _Around:
    """The parts of cut units, then the whole units, and the neighbours of the parts asked.

    Attributes
    ----------
    unit
        Position in the ground; (parts + whole,).
    surface, held
        Surface of each, and what its unit holds.
    asked
        Parts to place.
    near, kernel
        Nearest of each asked part's own face, nearest first, and their weights, 0 beyond reach.
    """

    unit: Ints
    surface: Floats
    held: Floats
    asked: Ints
    near: Ints
    kernel: Floats


def _look_around(faces: Faces, ground: Ground, at: Ints, wanted: Flags, counts: Floats) -> _Around:
    """Find the neighbours of parts; ``at`` is where the cut units stand in the ground."""
    parts = len(faces.owner)
    usable = ~np.isnan(ground.x) & (ground.surface > 0) & (counts >= 0)
    is_cut = np.zeros(len(usable), dtype=bool)
    is_cut[at] = True
    whole = np.flatnonzero(usable & ~is_cut)
    mine = at[faces.owner]
    unit = np.concatenate([mine, whole])
    surface = ground.surface[unit]
    surface[:parts] *= faces.share
    code = _face_codes(faces, ground, whole)
    code[np.flatnonzero(~usable[mine])] = -1
    asked = np.flatnonzero(wanted[faces.owner])
    near, kernel = _neighbours(code, asked, unit, ground)
    return _Around(unit, surface, np.nan_to_num(counts[unit]), asked, near, kernel)


def _near_of(around: _Around, of: Settlement) -> Near:
    """Return the whole neighbours within reach of each part that lies in one area, or in none."""
    faces, ground, asked = of.faces, of.ground, around.asked
    parts = len(faces.owner)
    holders = np.bincount(faces.member, minlength=parts)
    area = np.full(parts, -1, dtype=np.int64)
    area[faces.member] = faces.area
    # what parts of cut units hold is yet to be found, but of those that are all but a sliver of it
    whole = np.append(faces.share >= 1 - SLIVER_SHARE, np.ones(len(around.unit) - parts, bool))
    there = (around.kernel > 0) & whole[around.near] & (holders[asked] < 2)[:, None]
    row, rank = np.nonzero(there)
    unit, side = faces.unit[faces.owner[asked[row]]], area[asked[row]]
    near = ground.unit[around.unit[around.near[row, rank]]]
    distance = np.sqrt(-2 * np.log(around.kernel[row, rank]))
    order = np.lexsort((rank, side, unit))
    return Near(unit[order], side[order], near[order], distance[order])


def _trials(around: _Around, faces: Faces, ground: Ground) -> Trials:
    """Join whole neighbours of the two largest parts of each cut unit."""
    parts, asked = len(faces.owner), around.asked
    people = around.held.copy()
    people[:parts] *= faces.share
    order = np.lexsort((-faces.share[asked], faces.owner[asked]))
    owner = faces.owner[asked][order]
    first = np.flatnonzero(np.append(True, owner[1:] != owner[:-1])[: len(owner)])
    first = first[first + 1 < len(owner)]
    first = first[owner[first + 1] == owner[first]]
    one, other = order[first], order[first + 1]
    unit = around.unit[asked[one]]
    return trials_of(
        (around.near[one], around.near[other]),
        (around.kernel[one], around.kernel[other]),
        np.column_stack([ground.x, ground.y])[around.unit],
        around.surface,
        people,
        ground.unit[around.unit],
        least=parts,
        fewest=FEWEST,
        bandwidth=ground.bandwidth[unit],
        size=np.sqrt(ground.surface[unit]),
        weight=around.held[asked[one]] * faces.share[asked[one]] * faces.share[asked[other]],
    )


def _shares(around: _Around, faces: Faces, ground: Ground, strength: float) -> Floats:
    """Return the share of each part in what its unit holds; NaN where no density is known."""
    asked, near, kernel, surface = around.asked, around.near, around.kernel, around.surface
    parts, count = len(faces.owner), len(faces.unit)
    mean = around.held[asked] / ground.surface[around.unit[asked]]
    # a sliver of ground without neighbours is as densely settled as its unit
    alone = np.where(faces.share[asked] < SLIVER_SHARE, mean, np.nan)
    ground_near = (kernel * surface[near]).sum(axis=1)
    owner, first = faces.owner[asked], faces.share[asked]
    people = around.held.copy()
    people[:parts] *= faces.share
    for _ in range(ROUNDS):
        people_near = (kernel * people[near]).sum(axis=1)
        density = np.divide(people_near, ground_near, out=alone.copy(), where=ground_near > 0)
        nobody = np.bincount(owner, density, minlength=count)[owner] == 0
        given = surface[asked] * np.where(nobody, 0.0, density + FLOOR * mean) ** max(
            strength, 1e-9
        )
        # a part without neighbours leaves its whole unit as it is
        total = np.bincount(owner, given, minlength=count)[owner]
        share = np.divide(given, total, out=first.copy(), where=total > 0)
        people[asked] = around.held[asked] * share
    result = faces.share.copy()
    result[asked] = np.where(total > 0, share, np.nan)
    return result


def _face_codes(faces: Faces, ground: Ground, whole: Ints) -> Ints:
    """Return the face of each part and of each whole unit, one number a face."""
    parts = len(faces.owner)
    place = np.full(len(ground.unit), -1, dtype=np.int64)
    place[whole] = np.arange(len(whole))
    mine = place[ground.member] >= 0
    group = np.concatenate([faces.member, parts + place[ground.member[mine]]])
    area = np.concatenate([faces.area, ground.area[mine]])
    order = np.lexsort((area, group))
    return _codes(group[order], area[order], parts + len(whole))


def _neighbours(code: Ints, asked: Ints, unit: Ints, ground: Ground) -> tuple[Ints, Floats]:
    """Return the nearest units of each asked part's face, and the kernel, 0 beyond the reach."""
    x, y, size = ground.x[unit], ground.y[unit], ground.surface[unit]
    near = np.zeros((len(asked), NEAREST + 1), dtype=np.int64)
    distance = np.full(near.shape, np.inf)
    # in an order of their own, so that ties do not hang on the order units came in
    order = np.lexsort((size, y, x, code))
    starts = np.searchsorted(code[order], np.arange(code.max(initial=0) + 2))
    by_code = np.argsort(code[asked], kind="stable")
    ends = np.searchsorted(code[asked][by_code], np.arange(code.max(initial=0) + 2))
    for one in np.unique(code[asked]):
        members = order[starts[one] : starts[one + 1]]
        asking = by_code[ends[one] : ends[one + 1]]
        tree = scipy.spatial.cKDTree(np.column_stack([x[members], y[members]]))
        most = min(NEAREST + 1, len(members))
        points = np.column_stack([x[asked[asking]], y[asked[asking]]])
        found, which = tree.query(points, k=np.arange(1, most + 1), workers=CORES)
        near[asking[:, None], np.arange(most)] = members[which]
        distance[asking[:, None], np.arange(most)] = found
    # no unit is its own neighbour
    distance[unit[near] == unit[asked][:, None]] = np.inf
    bandwidth = ground.bandwidth[unit[asked]]
    width = np.where(np.isfinite(bandwidth), bandwidth, 0.0)[:, None]
    within = (distance <= REACH * width) & (width > 0)
    within &= (within.sum(axis=1) >= FEWEST)[:, None]
    scaled = np.where(within, distance, 0.0) / np.where(width > 0, width, 1.0)
    return near, np.where(within, np.exp(-0.5 * scaled**2), 0.0)


# ---------------------------------------------------------------- the result


def _with(pairs: Overlay, faces: Faces, share: Floats, placed: Flags) -> Overlay:
    """Give the units that were placed their new shares, of areas, of all, and of two at once."""
    cut, done = faces.unit, faces.unit[placed]
    span = _span(pairs)
    owner = faces.owner[faces.member]
    use = placed[owner]
    held, which = np.unique(owner[use] * span + faces.area[use], return_inverse=True)
    sums = np.bincount(which, share[faces.member[use]], minlength=len(held)).astype(np.float64)
    result = pairs.share.copy()
    mine = np.flatnonzero(np.isin(pairs.unit, done) & (pairs.share < 1))
    keys = np.searchsorted(cut, pairs.unit[mine]) * span + pairs.area[mine]
    result[mine] = _exact(_looked_up(keys, held, sums))

    inside = np.zeros(len(faces.owner), dtype=bool)
    inside[faces.member] = True
    outer = np.bincount(faces.owner[~inside], np.nan_to_num(share[~inside]), minlength=len(cut))
    covered = pairs.covered.copy()
    mine = np.flatnonzero(np.isin(pairs.covered_unit, done) & (pairs.covered < 1))
    covered[mine] = _exact(
        1.0 - outer.astype(np.float64)[np.searchsorted(cut, pairs.covered_unit[mine])]
    )

    first, second = couples(faces.member)
    part = faces.member[first]
    use = placed[faces.owner[part]]
    first, second, part = first[use], second[use], part[use]
    keys = (faces.owner[part] * span + faces.area[first]) * span + faces.area[second]
    held, which = np.unique(keys, return_inverse=True)
    sums = np.bincount(which, share[part], minlength=len(held)).astype(np.float64)
    shared = pairs.shared.copy()
    mine = np.flatnonzero(np.isin(pairs.shared_unit, done))
    keys = np.searchsorted(cut, pairs.shared_unit[mine]) * span + pairs.shared_area[mine]
    shared[mine] = _exact(_looked_up(keys * span + pairs.shared_other[mine], held, sums))
    return replace(pairs, share=result, covered=covered, shared=shared)


def _looked_up(keys: Ints, held: Ints, values: Floats) -> Floats:
    """Return the value of each key, 0 where it is not held; ``held`` is ordered."""
    if not len(held):
        return np.zeros(len(keys))
    at = np.minimum(np.searchsorted(held, keys), len(held) - 1)
    return np.where(held[at] == keys, values[at], 0.0)


def _exact(share: Floats) -> Floats:
    """Return shares, 1 and 0 where nothing is missing but rounding."""
    share = np.where(share >= 1 - 1e-12, 1.0, share)
    return np.where(share <= 1e-12, 0.0, share)
