"""Make the country at earlier censuses: most units are the same, some were split or merged since.

An earlier census is made from the later one: blocks and dissemination areas that a later census
split are joined again, those it joined are apart again, and a few areas are drawn otherwise.
An id goes on where the unit does. Some ids come back for other land, as they do in real censuses.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lipgeo.arrays import Ints
from lipgeo.geography.hierarchy import geography_years, id_length, vintages
from lipgeo.synthetic.forming import RURAL, Links, connect, contract, count_within, grow
from lipgeo.synthetic.land import Land
from lipgeo.synthetic.plane import Plane
from lipgeo.synthetic.units import Units

__all__ = ["earlier", "new_districts"]

#: share of the units that change between two censuses, for each kind of change
_BLOCKS_CHANGED, _AREAS_CHANGED, _SUBDIVISIONS_MERGED = 0.012, 0.02, 0.01
#: electoral districts of the Representation Order of 2003, against 338 of that of 2013
_FEWER_DISTRICTS = 308 / 338
#: a block's number has two digits in the oldest censuses, and goes on to the newest
_MOST_NUMBERS = 10 ** min(id_length("DB", one) - id_length("DA", one) for one in vintages()) - 1


def earlier(units: Units, land: Land, plane: Plane, year: int) -> Units:
    """Return the hierarchy of the census of ``year`` from that of the census after it."""
    rng = np.random.default_rng([land.seed, 7, year])
    units = _blocks_before(units, rng)
    units = _areas_before(units, plane, rng)
    units = _subdivisions_before(units, plane, rng)
    classes = units.cma_class.copy()
    metropolitan = np.flatnonzero(classes == "B")
    if len(metropolitan) > 1:  # the smallest was a census agglomeration still
        classes[metropolitan[-1]] = "K"
    units = replace(units, cma_class=classes)
    if new_districts(year):
        xy = plane.centres[units.cells[units.seat]]
        pr = units.pr[units.cd[units.csd[units.da]]]
        share = _FEWER_DISTRICTS * len(np.unique(units.fed)) / len(xy)
        near = _near(units)
        units = replace(units, fed=grow(xy, share, near, rng, pr))
    return units


def new_districts(year: int) -> bool:
    """Return whether electoral districts are of another order than those of the census after."""
    after = min(later for later in vintages() if later > year)
    return geography_years("FED", year)[0] != geography_years("FED", after)[0]


def _near(units: Units) -> Links:
    """Return the pairs of neighbouring blocks."""
    return contract(units.block, units.links)


def _match_pairs(pairs: Links, count: int, wanted: int, rng: np.random.Generator) -> Links:
    """Return up to ``wanted`` pairs drawn so that no member is in two."""
    order = rng.permutation(len(pairs[0]))
    one, two = pairs[0][order], pairs[1][order]
    first = np.full(count, len(order), dtype=np.int64)
    np.minimum.at(first, one, np.arange(len(order)))
    np.minimum.at(first, two, np.arange(len(order)))
    alone = (first[one] == np.arange(len(order))) & (first[two] == np.arange(len(order)))
    return one[alone][:wanted], two[alone][:wanted]


def _blocks_before(units: Units, rng: np.random.Generator) -> Units:
    """Join some blocks of one area, and take as many blocks of two cells apart."""
    count = len(units.seat)
    one, two = _near(units)
    same = np.ones(len(one), dtype=bool)
    for labels in (units.da, units.fed, units.popctr, units.dpl):
        same &= labels[one] == labels[two]
    wanted = max(1, int(_BLOCKS_CHANGED * count))
    keep, gone = _match_pairs((one[same], two[same]), count, wanted, rng)
    size = np.bincount(units.block, minlength=count)
    size[keep] = size[gone] = 0
    pairs = np.flatnonzero(size == 2)
    apart = rng.permutation(pairs)[: len(keep)]
    keep, gone = keep[: len(apart)], gone[: len(apart)]
    # a block that is gone lends its number to a cell that was a block of its own
    block = units.block.copy()
    joined = np.arange(count)
    joined[gone] = keep
    block = joined[block]
    seat = units.seat.copy()
    cell = np.zeros(count, dtype=np.int64)
    free = np.arange(len(block)) != seat[units.block]
    cell[units.block[free]] = np.flatnonzero(free)  # the cell of a pair that is not its seat
    lone = cell[apart]
    block[lone] = gone
    seat[gone] = lone
    changed = {
        name: _with(getattr(units, name), gone, apart) for name in ("da", "fed", "popctr", "dpl")
    }
    number = units.db_number.copy()
    number[gone] = 0  # to be given a number of its own
    return replace(units, block=block, seat=seat, db_number=number, **changed)  # type: ignore[arg-type]


def _with(labels: Ints, rows: Ints, source: Ints) -> Ints:
    """Return labels with those of ``rows`` taken from ``source``."""
    labels = labels.copy()
    labels[rows] = labels[source]
    return labels


def _areas_before(units: Units, plane: Plane, rng: np.random.Generator) -> Units:
    """Join, take apart and redraw some dissemination areas, and number what is new."""
    near = _near(units)
    da, count = units.da.copy(), len(units.csd)
    size = np.bincount(da, minlength=count)
    one, two = contract(da, near)
    alike = np.ones(len(one), dtype=bool)
    for labels in (units.csd, units.ct, units.ada):
        alike &= labels[one] == labels[two]
    alike &= size[one] + size[two] <= 60
    wanted = max(1, int(_AREAS_CHANGED * count))
    first, second = _match_pairs((one[alike], two[alike]), count, 2 * wanted, rng)
    half = len(first) // 2
    # joined: one area before, two since; redrawn: a block on their border changed sides
    joined = np.arange(count)
    joined[second[:half]] = first[:half]
    touched = np.zeros(count, dtype=bool)
    touched[first] = touched[second] = True
    partner = np.full(count, -1, dtype=np.int64)
    partner[first[half:]] = second[half:]
    u, v = np.concatenate(near), np.concatenate(near[::-1])
    border = (partner[da[u]] == da[v]) & (size[da[u]] > 3)
    mover = np.full(count, -1, dtype=np.int64)
    mover[da[u[border]]] = u[border]
    mover = mover[mover >= 0]
    da[mover] = partner[da[mover]]
    number = units.db_number.copy()
    number[mover] = 0
    # apart: two areas before, one since
    whole = rng.permutation(np.flatnonzero(~touched & (size >= 6)))[:wanted]
    new = _halves(units, plane, da, whole)
    joined = np.append(joined, count + np.arange(len(whole)))
    da = joined[np.where(new >= 0, count + new, da)]
    da = connect(da, near, units.csd[units.da])
    return _number_areas(units, da, np.append(np.arange(count), whole), number)


def _halves(units: Units, plane: Plane, da: Ints, whole: Ints) -> Ints:
    """Cut areas in two; return for blocks of a new half the area's place in ``whole``, else -1."""
    xy = plane.centres[units.cells[units.seat]]
    place = np.full(len(units.csd), -1, dtype=np.int64)
    place[whole] = np.arange(len(whole))
    rows = np.flatnonzero((place[da] >= 0) & (units.water < 0))
    group = place[da[rows]]
    order = np.lexsort((xy[rows, 0] + xy[rows, 1], group))
    nth = np.empty(len(rows), dtype=np.int64)
    nth[order] = count_within(group, xy[rows, 0] + xy[rows, 1])[order]
    new = np.full(len(da), -1, dtype=np.int64)
    new[rows] = np.where(nth < np.bincount(group, minlength=len(whole))[group] // 2, group, -1)
    return new


def _number_areas(units: Units, da: Ints, source: Ints, number: Ints) -> Units:
    """Return the units with new areas: their parents, their numbers and those of their blocks.

    ``source`` is the later area each new label stands for.
    """
    kept, dense_da = np.unique(da, return_inverse=True)
    origin = source[kept]
    cd = units.cd[units.csd[origin]]
    da_number = units.da_number[origin]
    # a new half, and every second joined area, gets a number that was given up since
    fresh = kept >= len(units.csd)
    was = units.da != source[da]
    fresh |= (np.bincount(dense_da, was) > 1) & (kept % 2 == 0)
    last = np.zeros(int(units.cd.max()) + 1, dtype=np.int64)
    np.maximum.at(last, units.cd[units.csd], units.da_number)
    da_number[fresh] = last[cd[fresh]] + 1 + count_within(cd[fresh], kept[fresh])
    number = np.where(units.da == origin[dense_da], number, 0)
    return replace(
        units,
        da=np.asarray(dense_da, dtype=np.int64),
        csd=units.csd[origin],
        ct=units.ct[origin],
        ada=units.ada[origin],
        settlement=units.settlement[origin],
        remote=units.remote[origin],
        da_number=da_number,
        db_number=_block_numbers(np.asarray(dense_da, dtype=np.int64), number),
    )


def _block_numbers(da: Ints, number: Ints) -> Ints:
    """Return the numbers, with those of blocks that have none (0) after the last of their area."""
    last = np.zeros(int(da.max()) + 1, dtype=np.int64)
    np.maximum.at(last, da, number)
    new = number == 0
    number = number.copy()
    number[new] = last[da[new]] + 1 + count_within(da[new], np.flatnonzero(new))
    over = np.zeros(len(last), dtype=bool)
    over[da[number > _MOST_NUMBERS]] = True
    again = over[da]
    number[again] = 1 + count_within(da[again], number[again])
    return number


def _subdivisions_before(units: Units, plane: Plane, rng: np.random.Generator) -> Units:
    """Take some rural subdivisions apart: they were two municipalities that merged since."""
    size = np.bincount(units.csd, minlength=len(units.kind))
    rural = np.flatnonzero((units.kind == RURAL) & (size >= 4))
    merged = rng.permutation(rural)[: max(1, int(_SUBDIVISIONS_MERGED * len(size)))]
    place = np.full(len(size), -1, dtype=np.int64)
    place[merged] = np.arange(len(merged))
    xy = plane.centres[units.cells[units.seat]]
    x = np.bincount(units.da, xy[:, 0]) / np.bincount(units.da)
    rows = np.flatnonzero(place[units.csd] >= 0)
    nth = count_within(units.csd[rows], x[rows])
    new = nth < size[units.csd[rows]] // 2
    csd = units.csd.copy()
    csd[rows[new]] = len(size) + place[csd[rows[new]]]
    near = contract(units.da, _near(units))
    csd = connect(csd, near, units.cd[units.csd])
    kept = np.unique(np.concatenate([np.arange(len(size)), csd]))
    origin = np.concatenate([np.arange(len(size)), merged])[kept]
    return replace(
        units,
        csd=np.searchsorted(kept, csd),
        cd=units.cd[origin],
        cma=units.cma[origin],
        ccs=units.ccs[origin],
        kind=units.kind[origin],
    )
