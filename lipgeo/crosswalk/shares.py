"""Share out sources among targets by area and by people: polygons where drawn, ids where listed.

Below stands the algebra of pairs it is done with: whole units added, particles summed to their
owners, the pairs of some units replaced or given other shares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypedDict

import numpy as np
import shapely

from lipgeo.arrays import Flags, Floats, Ints, Shapes, Texts, distinct
from lipgeo.census.census import Census, CensusZones
from lipgeo.census.data import COUNTS, GRID
from lipgeo.crosswalk.density import (
    STRENGTH,
    STRENGTH_ELSEWHERE,
    STRENGTH_OF_CELLS,
    Near,
    Settlement,
    settlement_of_census,
    settlement_of_pieces,
)
from lipgeo.crosswalk.inputs import Targets, counts_of, points_of, surface_m2
from lipgeo.crosswalk.overlay.descent import ArrayUnits, LevelUnits, Outlines, Units
from lipgeo.crosswalk.overlay.kernel import Overlay, locate, overlay, pieces
from lipgeo.crosswalk.overlay.overlaps import couples
from lipgeo.crosswalk.overlay.polygons import polygonal
from lipgeo.crosswalk.trials import Splits, Strength
from lipgeo.errors import CrosswalkError
from lipgeo.report import Finding, finding
from lipgeo.words import Sentence
from lipgeo.zones.zones import Zones

__all__ = [
    "CHAINS",
    "AmountsOf",
    "OverlayFunction",
    "Particles",
    "Shares",
    "add_whole_units",
    "are_points",
    "closest_ground",
    "replace_units",
    "shares_by_area",
    "shares_by_weight",
    "sum_to_owners",
    "take_shares",
]

#: sums of counts are exact to this, relative
_EXACT = 1e-12


#: lays the units of a census level over areas: :func:`~lipgeo.crosswalk.overlay.kernel.overlay`, or
#: the same in many places at once
OverlayFunction = Callable[[LevelUnits, Outlines], Overlay]
#: gives what sources hold of the basis they stand by, and that basis; asked by position
AmountsOf = Callable[[Ints], tuple[Floats, Texts]]

#: levels whose units hold any number of people: joined neighbours are like units that are cut.
#: Dissemination areas are drawn to hold about as many each, and their halves are not
_UNEVEN = ("DB", None)

#: what a weight falls back to where it is missing or zero; the last resort is area
CHAINS: dict[str, tuple[str, ...]] = {
    "population": ("population", "dwellings"),
    "dwellings": ("dwellings",),
    "households": ("households", "dwellings"),
}


@dataclass(frozen=True)
class Shares:
    """Shares of sources in targets, numbered by position.

    Attributes
    ----------
    pairs
        The shares, of the pairs, of the union and of two targets at once.
    basis
        What each source was shared out by where an outline cuts it; text, one a source.
    repaired
        Sources (or blocks, in a second pass) whose polygon had to be repaired.
    unplaced
        Sources with neither polygon nor point.
    missing
        Sources that fell back because the counts of some blocks are missing.
    coarse
        Gives the shares that the density of the sources themselves would give, one a pair: what is
        known one level up of how far densities miss. ``None`` where blocks were placed otherwise.
    placed
        People (dwellings, households) of cut particles by how they were placed: ``density``,
        ``surface``.
    strength
        How far densities were taken at their word; ``None`` where nothing was placed by density.
    trials
        Gives neighbours across the outlines, joined and split as cut units are: what is known of
        how far shares miss where sources have no parts. ``None`` where blocks were placed.
    near
        Gives the whole sources near cut ones, on either side; ``None`` where nobody is counted.
    blocks
        Where the particles lie among the targets, by surface (or point) and as they were placed:
        the same pairs; ``None`` where people were not asked for.
    """

    pairs: Overlay
    basis: Texts
    repaired: Ints
    unplaced: Ints
    missing: Ints
    coarse: Callable[[], Floats] | None = None
    placed: Mapping[str, float] = field(default_factory=dict)
    strength: Strength | None = None
    trials: Callable[[], Splits] | None = None
    near: Callable[[], Near] | None = None
    blocks: tuple[Overlay, Overlay] | None = None


@dataclass(frozen=True)
class Particles:
    """What sources are made of for counting people: blocks by id, or pieces of blocks.

    Attributes
    ----------
    owner
        Position of the source of each particle, -1 where none; (m,).
    counts
        ``population, dwellings, households`` of each, NaN where missing; (m,) each.
    pairs
        Where each lies among the targets.
    settlement
        What says how densely the ground around those that are cut is settled; ``None`` where they
        are not placed by density.
    own
        Whether the particles are the sources themselves, for want of blocks: what density does not
        place is then shared by area.
    """

    owner: Ints
    counts: dict[str, Floats]
    pairs: Overlay
    settlement: Settlement | None = None
    own: bool = False


def shares_by_area(
    source: Zones, targets: Targets, overlay_with: OverlayFunction = overlay
) -> Shares:
    """Return the shares by area of the polygons; by ids where a target is a set of units.

    A source without polygon is the union of its finest units; one that has no polygon at all goes
    whole to where its representative point lies.
    """
    if not isinstance(source, CensusZones):
        # zones of any kind
        without = np.flatnonzero(np.isnan(source.boxes[:, 0]))
        drawn = overlay(ArrayUnits(source.geometry, source.boxes), targets.outlines)
        pairs = drawn
    else:
        # a census level: outlines by polygons, sets and units without polygon by their atoms
        census, level = source.census, str(source.level)
        drawn = overlay_with(LevelUnits(census.data, level), targets.outlines)
        without, held = census.data.without_polygon(level)
        if level == census.atom_level:
            pairs = add_whole_units(drawn, targets.atom, targets.area)
        else:
            # what holds no polygon anywhere is placed by its point
            bare = np.isnan(held[:, 0])
            if not len(targets.atom):
                # and what no area comes near is not looked at
                bare, without = _drop_far_units(bare, without, held, targets.outlines)
            opened, without = without[~bare], without[bare]
            pairs = drawn
            if len(targets.atom) or len(opened):
                pairs, flat = _add_sets(
                    census, level, drawn, opened, targets, overlay_with=overlay_with
                )
                without = distinct(np.concatenate([without, flat]))
    # what has no polygon anywhere goes whole to where its point lies
    basis = np.full(len(source), "area", dtype=object)
    unplaced = without
    if len(without):
        x, y = points_of(source, without)
        placed, area = locate(x, y, targets.outlines)
        pairs = add_whole_units(pairs, without[placed], area)
        basis[without] = "point"
        unplaced = without[np.isnan(x)]
    return Shares(pairs, basis, drawn.repaired, unplaced, np.empty(0, dtype=np.int64))


def _drop_far_units(
    bare: Flags, rows: Ints, boxes: Floats, outlines: Outlines
) -> tuple[Flags, Ints]:
    """Leave out the units whose box lies beyond those of all areas."""
    west, south, east, north = (side[None, :] for side in outlines.boxes)
    meets = (boxes[:, :1] <= east) & (boxes[:, 2:3] >= west)
    meets &= (boxes[:, 1:2] <= north) & (boxes[:, 3:] >= south)
    stay = bare | meets.any(axis=1)
    return bare[stay], rows[stay]


def _add_sets(
    census: Census,
    level: str,
    drawn: Overlay,
    without: Ints,
    targets: Targets,
    *,
    overlay_with: OverlayFunction,
) -> tuple[Overlay, Ints]:
    """Add the targets that are sets, and the sources that have no polygon of their own."""
    count = census.size(level)
    # without sets, only what has no polygon is opened
    looked = np.arange(count, dtype=np.int64) if len(targets.atom) else without
    atoms = owners_of_atoms(census, level, looked)
    # sources all of whose atoms are in a set are wholly inside it
    members = np.bincount(atoms[atoms >= 0], minlength=count)
    owner = atoms[targets.atom]
    key, hits = np.unique((owner * len(targets) + targets.area)[owner >= 0], return_counts=True)
    unit, area = np.divmod(key, len(targets))
    whole = hits == members[unit]
    pairs = add_whole_units(drawn, unit[whole], area[whole])

    # sources partly in a set, or without polygon: their finest units decide everything
    opened = distinct(np.concatenate([unit[~whole], without]))
    rows = np.flatnonzero(np.isin(atoms, opened) & (atoms >= 0))
    inner = overlay_with(LevelUnits(census.data, census.atom_level, rows), targets.outlines)
    ours = np.isin(targets.atom, rows)
    inner = add_whole_units(inner, targets.atom[ours], targets.area[ours])
    # their atoms' shares, summed by the atoms' areas
    size = np.zeros(len(atoms))
    size[rows] = np.nan_to_num(shapely.area(census.data.geometry(census.atom_level, rows)))
    total = np.bincount(atoms[rows], weights=size[rows], minlength=count).astype(np.float64)
    shared_out = sum_to_owners(inner, atoms, size, total, len(targets))
    return replace_units(pairs, opened, shared_out), without[total[without] == 0]


def shares_by_people(
    area: Shares, parts: Particles, weight: str, count: int, targets: int
) -> Shares:
    """Share out by people the sources that an outline crosses; the others keep share 1.

    Each source takes the first basis of its chain (people, dwellings) that none of its particles
    misses and that is not zero, else its area. Particles that an outline cuts are placed by what
    they hold of that basis.
    """
    # sources that an outline cuts, and are placed by their polygons
    pairs = area.pairs
    opened = distinct(pairs.unit[pairs.share < 1])
    opened = opened[area.basis[opened] == "area"]
    basis = area.basis.copy()
    left = np.zeros(count, dtype=bool)
    left[opened] = True
    missing = left.copy()
    owned = parts.owner >= 0
    ours = owned.copy()
    ours[owned] = left[parts.owner[owned]]
    # each basis in turn takes the sources all of whose particles know it
    result, lying = pairs, parts.pairs
    placed = {"density": 0.0, "surface": 0.0}
    strength = None
    for name in CHAINS[weight]:
        counts = np.where(ours, parts.counts[name], 0.0)
        total = np.bincount(parts.owner[owned], weights=counts[owned], minlength=count)
        if name == CHAINS[weight][0]:
            missing &= np.isnan(total)
        take = np.flatnonzero(left & (total > 0))
        # particles that an outline cuts themselves, by density where that is asked for
        every = distinct(parts.pairs.unit[parts.pairs.share < 1])
        cut = every[(parts.owner[every] >= 0) & np.isin(parts.owner[every], take)]
        dense = cut[:0]
        if parts.settlement is not None and len(cut):
            # each is a neighbour of others, whatever its own source goes by
            first = name == CHAINS[weight][0]
            found = parts.settlement.place(every if first else cut, name)
            strength = strength or found.strength
            dense = np.intersect1d(found.units, cut)
            lying = take_shares(lying, dense, found.pairs, targets)
        if parts.own:
            take = np.intersect1d(take, dense)
        left[take] = False
        basis[take] = name
        totals = np.zeros(count)
        totals[take] = total[take]
        by_density = counts[np.intersect1d(cut, dense)].sum()
        placed["density"] += float(by_density)
        placed["surface"] += float(counts[cut].sum() - by_density)
        shares = sum_to_owners(lying, parts.owner, np.nan_to_num(counts), totals, targets)
        result = take_shares(result, take, shares, targets)
    return replace(
        area,
        pairs=result,
        basis=basis,
        missing=np.flatnonzero(missing),
        placed=placed,
        strength=strength,
        blocks=(parts.pairs, lying),
    )


def shares_by_weight(
    source: Zones,
    targets: Targets,
    area: Shares,
    *,
    weight: str,
    placement: str,
    blocks: Zones | None,
    overlay_with: OverlayFunction = overlay,
) -> tuple[Shares, AmountsOf, list[Finding]]:
    """Return shares by the weight asked for, what sources hold of their basis, and notes."""
    met = distinct(area.pairs.unit)
    if weight == "area":
        return area, lambda rows: (surface_m2(source, rows), area.basis[rows]), []
    surface = np.full(len(source), np.nan)
    surface[met] = surface_m2(source, met)
    label = Sentence(f"crosswalk.{weight}")
    if blocks is None:
        notes = [finding("crosswalk.no_blocks", "warning", "", weight=label)]
        return area, lambda rows: (surface[rows], area.basis[rows]), notes
    if not isinstance(blocks, CensusZones) and weight not in blocks.data and not are_points(blocks):
        raise CrosswalkError(
            "crosswalk.no_counts", weight=weight, label=label, held=list(blocks.data.columns)
        )

    # only sources that an outline cuts, or whose own count is missing, are opened into blocks
    opened = distinct(area.pairs.unit[area.pairs.share < 1])
    unknown = met[np.isnan(counts_of(source, met)[weight])]
    parts = particles(
        source,
        blocks,
        distinct(np.concatenate([opened, unknown])),
        targets,
        area,
        placement,
        overlay_with=overlay_with,
    )
    owned = parts.owner >= 0
    has = np.bincount(parts.owner[owned], minlength=len(source)) > 0
    summed = {
        name: np.bincount(
            parts.owner[owned], weights=parts.counts[name][owned], minlength=len(source)
        )
        for name in CHAINS[weight]
    }
    weighted = replace(
        shares_by_people(area, parts, weight, len(source), len(targets)),
        near=lambda: _ground_of(source, area, targets).look_about(weight),
    )
    if placement == "density" and isinstance(source, CensusZones) and source.level != blocks.level:

        def coarse() -> Floats:
            return _ground_of(source, area, targets).place(opened, weight).pairs.share

        weighted = replace(weighted, coarse=coarse)
    if source.level in _UNEVEN and source.level == blocks.level:

        def trials() -> Splits:
            return _ground_of(source, area, targets).try_out(weight, placement)

        weighted = replace(weighted, trials=trials)
    cut = np.zeros(len(source), dtype=bool)
    cut[opened] = True

    def amounts_of(rows: Ints) -> tuple[Floats, Texts]:
        # counts of the sources themselves, of their blocks where those are missing
        counts = counts_of(source, rows)
        for name in CHAINS[weight]:
            unsaid = np.isnan(counts[name]) & has[rows]
            counts[name] = np.where(unsaid, summed[name][rows], counts[name])
        # a source wholly inside, or wholly outside, was not opened: it stands by the first it holds
        basis = weighted.basis[rows]
        closed = (basis == "area") & ~cut[rows]
        for name in reversed(CHAINS[weight]):
            basis[closed & (counts[name] > 0)] = name
        amount = surface[rows]
        amount[basis == "point"] = counts[weight][basis == "point"]
        for name in CHAINS[weight]:
            amount[basis == name] = counts[name][basis == name]
        return amount, basis

    if parts.own and not weighted.placed.get("density"):
        return weighted, amounts_of, [finding("crosswalk.no_blocks", "warning", "", weight=label)]
    notes = [
        finding("crosswalk.missing_counts", "warning", one, id=one, weight=label)
        for one in (source.ids[weighted.missing] if len(weighted.missing) else ())
    ]
    return weighted, amounts_of, notes


def _ground_of(source: Zones, area: Shares, targets: Targets) -> Settlement:
    """Return what says how densely the ground around cut sources is settled, by the sources."""
    areas = targets.outlines.areas
    if isinstance(source, CensusZones):
        cut = distinct(area.pairs.unit[area.pairs.share < 1])
        return settlement_of_census(source, area.pairs, cut, areas)
    return settlement_of_pieces(
        source.geometry, counts_of(source), area.pairs, areas, STRENGTH_ELSEWHERE
    )


# ---------------------------------------------------------------- particles


def particles(  # noqa: PLR0917
    source: Zones,
    blocks: Zones,
    rows: Ints,
    targets: Targets,
    area: Shares,
    placement: str,
    *,
    overlay_with: OverlayFunction,
) -> Particles:
    """Return what the sources ``rows`` are made of and where it lies.

    Blocks of the sources' own census belong to them by id; other blocks are cut by the sources
    (``placement`` by surface or density) or belong to the source their representative point lies in
    (``"point"``).
    """
    areas = targets.outlines.areas
    settlement = None
    if blocks is source and not isinstance(source, CensusZones):
        counts = counts_of(source)
        if placement == "density":
            settlement = settlement_of_pieces(
                source.geometry, counts, area.pairs, areas, STRENGTH_ELSEWHERE
            )
        everything = np.arange(len(source), dtype=np.int64)
        return Particles(everything, counts, area.pairs, settlement, own=True)
    if not (
        isinstance(source, CensusZones)
        and isinstance(blocks, CensusZones)
        and blocks.census.data is source.census.data
        and str(blocks.level) == source.census.atom_level
    ):
        return _cut_blocks(source, blocks, rows, targets, placement)
    census = source.census
    if placement != "point" and source.level != blocks.level and are_points(blocks):
        return _cut_blocks(source, blocks, rows, targets, placement, census)
    mine = owners_of_atoms(census, str(source.level), rows)
    wanted = np.flatnonzero(mine >= 0)
    counts = {
        name: _spread_to(len(mine), wanted, values)
        for name, values in counts_of(blocks, wanted).items()
    }
    if source.level == blocks.level and placement != "point":
        # the sources are the blocks, and lie where they were laid
        pairs = area.pairs
    else:
        pairs = _place_blocks(blocks, wanted, targets, placement, overlay_with)
        listed = mine[targets.atom] >= 0
        pairs = add_whole_units(pairs, targets.atom[listed], targets.area[listed])
    if placement == "density":
        settlement = settlement_of_census(blocks, pairs, wanted, areas, around=(source, area.pairs))
    own = source.level == blocks.level != "DB"
    return Particles(mine, counts, pairs, settlement, own=own)


def are_points(blocks: Zones) -> bool:
    """Return whether blocks are representative points only."""
    if isinstance(blocks, CensusZones):
        held = set(blocks.census.data.columns(str(blocks.level)))
        # a level that knows areas of polygons has some: its boxes need not be read
        return {"x", "y"} <= held and GRID not in held and bool(np.isnan(blocks.boxes[:, 0]).all())
    return bool({"x", "y"} <= set(blocks.data.columns) and np.isnan(blocks.boxes[:, 0]).all())


def _cut_blocks(  # noqa: PLR0917
    source: Zones,
    blocks: Zones,
    rows: Ints,
    targets: Targets,
    placement: str,
    census: Census | None = None,
) -> Particles:
    """Cut blocks into the pieces that lie in the sources.

    Of blocks that are points only, a piece is the ground of its source closer to that point than
    to the source's others. Points without counts take equal parts of what their source holds.
    Points of the sources' own ``census`` belong to them by id, and to targets that are sets.
    """
    # sources as areas, the blocks laid over them
    if placement == "density":
        rows = _add_neighbours(source, rows)
    shapes = np.full(len(source), None, dtype=object)
    shapes[rows] = source.geometry[rows]
    outlines = Outlines(shapes)
    x, y = points_of(blocks)
    bare = np.isnan(blocks.boxes[:, 0])
    alone = np.arange(len(blocks)) if placement == "point" else np.flatnonzero(bare)
    # blocks that stand by their point belong to the source it lies in
    if census is None:
        at, by_point = locate(x[alone], y[alone], outlines)
        at = alone[at]
    else:
        mine = owners_of_atoms(census, str(source.level), rows)
        at = np.flatnonzero(mine >= 0)
        by_point = mine[at]
    block, owner, shape, share = at[:0], at[:0], shapes[:0], np.empty(0)
    if placement != "point" and bare.all():
        # by id a point may be of a source without polygon, or stand nowhere: it has no ground
        able = np.isfinite(x[at]) & np.isfinite(y[at]) & ~shapely.is_missing(shapes[by_point])
        point, holder, ground = closest_ground(at[able], by_point[able], x, y, shapes)
        drawn = np.asarray(shapely.area(ground) > 0)
        block, owner, shape = point[drawn], holder[drawn], ground[drawn]
        share = np.ones(len(block))
        at = np.concatenate([point[~drawn], at[~able]])
        by_point = np.concatenate([holder[~drawn], by_point[~able]])
    elif placement != "point":
        block, owner, shape, share = pieces(units_of(blocks), outlines)
    pairs = overlay(ArrayUnits(shape), targets.outlines)
    point, area = locate(x[at], y[at], targets.outlines)
    pairs = add_whole_units(pairs, len(block) + point, area)
    block, owner = np.concatenate([block, at]), np.concatenate([owner, by_point])
    share = np.concatenate([share, np.ones(len(at))])
    if census is not None:
        piece = np.full(len(blocks), -1, dtype=np.int64)
        piece[block] = np.arange(len(block))
        listed = piece[targets.atom] >= 0
        pairs = add_whole_units(pairs, piece[targets.atom[listed]], targets.area[listed])
    if set(COUNTS) & set(blocks.data.columns):
        counts = {name: values[block] * share for name, values in counts_of(blocks).items()}
    else:
        members = np.bincount(owner, minlength=len(source))[owner]
        counts = {name: values[owner] / members for name, values in counts_of(source).items()}
    settlement = None
    if placement == "density":
        every = np.concatenate([shape, np.full(len(at), None, dtype=object)])
        prior = STRENGTH_OF_CELLS if bare.all() else STRENGTH["DB"]
        settlement = settlement_of_pieces(every, counts, pairs, targets.outlines.areas, prior)
    return Particles(owner, counts, pairs, settlement)


def _add_neighbours(source: Zones, rows: Ints) -> Ints:
    """Return sources and those whose boxes meet theirs: the ground next to an outline."""
    boxes = source.boxes
    known = np.flatnonzero(~np.isnan(boxes[:, 0]))
    asked = rows[~np.isnan(boxes[rows, 0])]
    tree = shapely.STRtree(shapely.box(*boxes[known].T))
    met = tree.query(shapely.box(*boxes[asked].T))[1]
    return distinct(np.concatenate([rows, known[met]]))


def closest_ground(
    point: Ints, owner: Ints, x: Floats, y: Floats, shapes: Shapes
) -> tuple[Ints, Ints, Shapes]:
    """Part polygons among the points in them: to each the ground that is closest to it.

    Parameters
    ----------
    point, owner
        Pairs (position of a point, position of the polygon it is in).
    x, y
        Where points are.
    shapes
        Polygons.

    Returns
    -------
    tuple
        The pairs, ordered by polygon, and the ground of each; points at one place have it together.
    """
    order = np.lexsort((y[point], x[point], owner))
    point, owner = point[order], owner[order]
    places = shapely.points(x[point], y[point])
    ground = np.full(len(point), None, dtype=object)
    starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1])[: len(owner)])
    for first, end in zip(starts, np.append(starts, len(owner))[1:], strict=True):
        shape = shapes[owner[first]]
        some = np.arange(first, end)
        moves = (np.diff(x[point[some]]) != 0) | (np.diff(y[point[some]]) != 0)
        place = np.append(0, np.cumsum(moves))
        distinct = places[some[np.append(True, moves)]]
        cells = np.array([shape], dtype=object)
        if len(distinct) > 1:
            made = shapely.get_parts(
                shapely.voronoi_polygons(shapely.multipoints(distinct), extend_to=shape)
            )
            # a cell holds one point; one on the edge of two takes the first
            which, cell = shapely.STRtree(made).query(distinct, predicate="intersects")
            cells = made[cell[np.unique(which, return_index=True)[1]]]
            cells = polygonal(shapely.intersection(cells, shape))
        ground[some] = cells[place]
    return point, owner, ground


def _place_blocks(
    blocks: CensusZones, rows: Ints, targets: Targets, placement: str, overlay_with: OverlayFunction
) -> Overlay:
    """Place blocks among the drawn targets by polygon, or by point where asked or needed."""
    data, level = blocks.census.data, str(blocks.level)
    if placement != "point":
        pairs = overlay_with(LevelUnits(data, level, rows), targets.outlines)
        rows = rows[np.isnan(data.boxes(level, rows)[:, 0])]
    else:
        pairs = overlay(ArrayUnits(np.empty(0, dtype=object)), targets.outlines)
    x, y = points_of(blocks, rows)
    point, area = locate(x, y, targets.outlines)
    return add_whole_units(pairs, rows[point], area)


def units_of(zones: Zones) -> Units:
    """Return zones as units the kernel can descend."""
    if isinstance(zones, CensusZones):
        return LevelUnits(zones.census.data, str(zones.level))
    return ArrayUnits(zones.geometry, zones.boxes)


def owners_of_atoms(census: Census, level: str, rows: Ints) -> Ints:
    """Return, for each finest unit, which of these rows of a level it belongs to, else -1."""
    position, atom = census.atoms(level, rows)
    owner = np.full(census.size(census.atom_level), -1, dtype=np.int64)
    owner[atom] = rows[position]
    return owner


def _spread_to(count: int, rows: Ints, values: Floats) -> Floats:
    """Return values at their rows, NaN elsewhere; (count,)."""
    spread = np.full(count, np.nan)
    spread[rows] = values
    return spread


# ---------------------------------------------------------------- the algebra of pairs


class _Shared(TypedDict):
    shared_unit: Ints
    shared_area: Ints
    shared_other: Ints
    shared: Floats


def add_whole_units(pairs: Overlay, unit: Ints, area: Ints) -> Overlay:
    """Add units that lie wholly in areas; what they share with other areas follows."""
    if not len(unit):
        return pairs
    # the pairs of both, ordered
    new_unit = np.concatenate([pairs.unit, unit])
    new_area = np.concatenate([pairs.area, area])
    added = np.arange(len(new_unit)) >= len(pairs.unit)
    order = np.lexsort((new_area, new_unit))
    new_unit, new_area, added = new_unit[order], new_area[order], added[order]
    share = np.concatenate([pairs.share, np.ones(len(unit))])[order]
    # a unit wholly in one area shares with another all that it has there
    first, second = couples(new_unit)
    news = added[first] | added[second]
    first, second = first[news], second[news]
    shared = _sort_shared(
        np.concatenate([pairs.shared_unit, new_unit[first]]),
        np.concatenate([pairs.shared_area, new_area[first]]),
        np.concatenate([pairs.shared_other, new_area[second]]),
        np.concatenate([pairs.shared, np.where(share[first] == 1, share[second], share[first])]),
    )
    # units wholly inside are covered wholly
    old = ~np.isin(pairs.covered_unit, unit)
    inside = distinct(unit)
    covered_unit = np.concatenate([pairs.covered_unit[old], inside])
    covered = np.concatenate([pairs.covered[old], np.ones(len(inside))])
    place = np.argsort(covered_unit, kind="stable")
    return replace(
        pairs,
        unit=new_unit,
        area=new_area,
        share=share,
        covered_unit=covered_unit[place],
        covered=covered[place],
        **shared,
    )


def sum_to_owners(
    pairs: Overlay, owner: Ints, weight: Floats, total: Floats, targets: int
) -> Overlay:
    """Sum particles to their owners: shares of a weight of which each owner has ``total``.

    Owners with a total of 0 get no pair.
    """

    def sum_by_key(unit: Ints, key: Ints, share: Floats, span: int) -> tuple[Ints, Ints, Floats]:
        # one group an owner and key; particles of nobody, or of owners of nothing, are left out
        own = owner[unit]
        use = own >= 0
        use[use] = total[own[use]] > 0
        group, of = np.unique(own[use] * span + key[use], return_inverse=True)
        amount = np.bincount(of, weights=(weight[unit] * share)[use], minlength=len(group))
        own, key = np.divmod(group, span)
        value = amount / total[own]
        return own, key, np.where(value >= 1 - _EXACT, 1.0, value)

    unit, area, share = sum_by_key(pairs.unit, pairs.area, pairs.share, targets)
    covered_unit, _, covered = sum_by_key(
        pairs.covered_unit, np.zeros(len(pairs.covered_unit), dtype=np.int64), pairs.covered, 1
    )
    two = pairs.shared_area * targets + pairs.shared_other
    shared_unit, two, shared = sum_by_key(pairs.shared_unit, two, pairs.shared, targets * targets)
    shared_area, shared_other = np.divmod(two, targets)
    none = np.empty(0, dtype=np.int64)
    return Overlay(
        unit=unit,
        area=area,
        share=share,
        covered_unit=covered_unit,
        covered=covered,
        shared_unit=shared_unit,
        shared_area=shared_area,
        shared_other=shared_other,
        shared=shared,
        repaired=none,
    )


def replace_units(pairs: Overlay, units: Ints, other: Overlay) -> Overlay:
    """Take the pairs of ``units`` from another result."""
    keep = ~np.isin(pairs.unit, units)
    keep_covered = ~np.isin(pairs.covered_unit, units)
    keep_shared = ~np.isin(pairs.shared_unit, units)
    unit = np.concatenate([pairs.unit[keep], other.unit])
    area = np.concatenate([pairs.area[keep], other.area])
    order = np.lexsort((area, unit))
    covered_unit = np.concatenate([pairs.covered_unit[keep_covered], other.covered_unit])
    place = np.argsort(covered_unit, kind="stable")
    return replace(
        pairs,
        unit=unit[order],
        area=area[order],
        share=np.concatenate([pairs.share[keep], other.share])[order],
        covered_unit=covered_unit[place],
        covered=np.concatenate([pairs.covered[keep_covered], other.covered])[place],
        **_sort_shared(
            np.concatenate([pairs.shared_unit[keep_shared], other.shared_unit]),
            np.concatenate([pairs.shared_area[keep_shared], other.shared_area]),
            np.concatenate([pairs.shared_other[keep_shared], other.shared_other]),
            np.concatenate([pairs.shared[keep_shared], other.shared]),
        ),
    )


def take_shares(pairs: Overlay, units: Ints, other: Overlay, targets: int) -> Overlay:
    """Give the pairs of ``units`` the shares of another result; pairs at 1 stay at 1."""
    mine = np.isin(pairs.unit, units) & (pairs.share < 1)
    share = pairs.share.copy()
    share[mine] = _look_up(
        pairs.unit[mine] * targets + pairs.area[mine],
        other.unit * targets + other.area,
        other.share,
    )
    mine = np.isin(pairs.covered_unit, units) & (pairs.covered < 1)
    covered = pairs.covered.copy()
    covered[mine] = _look_up(pairs.covered_unit[mine], other.covered_unit, other.covered)
    mine = np.isin(pairs.shared_unit, units)
    shared = pairs.shared.copy()
    shared[mine] = _look_up(
        _shared_keys(pairs, targets)[mine], _shared_keys(other, targets), other.shared
    )
    return replace(pairs, share=share, covered=covered, shared=shared)


def _shared_keys(pairs: Overlay, targets: int) -> Ints:
    """Return one number for a unit and two areas."""
    return (pairs.shared_unit * targets + pairs.shared_area) * targets + pairs.shared_other


def _look_up(keys: Ints, known: Ints, values: Floats) -> Floats:
    """Return the value of each key, 0 where it is not known; ``known`` is ordered."""
    if not len(known):
        return np.zeros(len(keys))
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[at] == keys, values[at], 0.0)


def _sort_shared(unit: Ints, area: Ints, other: Ints, shared: Floats) -> _Shared:
    """Order what two areas have in common by unit, area and other."""
    order = np.lexsort((other, area, unit))
    return {
        "shared_unit": unit[order],
        "shared_area": area[order],
        "shared_other": other[order],
        "shared": shared[order],
    }
