"""Say which cells make up which unit of the made hierarchy, and how many people a cell has.

Everything here is labels (0, 1, 2 ..., -1 for none); ids and names come later. Blocks make
dissemination areas, these make subdivisions, these divisions and provinces; the other levels are
grouped from cells, blocks, areas or subdivisions on their own, so that they nest in nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lipgeo.arrays import Flags, Floats, Ints
from lipgeo.census.data import hilbert
from lipgeo.geography.hierarchy import vintages
from lipgeo.synthetic.forming import (
    BLOCKS_PER_DA,
    CITY,
    DA_PER,
    TOWN,
    Links,
    Sites,
    contract,
    count_within,
    dense,
    form_areas,
    form_blocks,
    form_centres,
    form_divisions,
    form_metropolitan,
    form_subdivisions,
    grow,
    means,
    renumber,
    value_of,
)
from lipgeo.synthetic.land import Land, chance, noise
from lipgeo.synthetic.plane import Plane

__all__ = ["Units", "cell_counts", "make_units", "settled_cells"]

#: how far apart towns of settled ground stand, metres
_TOWN_M = 6e3


def settled_cells(land: Land, plane: Plane, units: Units) -> Flags:
    """Return which land cells are settled ground where towns end at a line; (cells,).

    Town and field stand side by side: the line runs along the sides of cells, as streets do, and
    through blocks and areas.
    """
    xy = plane.centres[units.cells]
    return np.asarray(noise(xy[:, 0], xy[:, 1], _TOWN_M, land.seed * 97 + 74) > -0.2)


def cell_counts(
    land: Land, plane: Plane, units: Units, vintage: int, *, settled: bool = False
) -> dict[str, Ints]:
    """Return the counts of each land cell.

    With ``settled``, one cell in thirty keeps its people outside towns (:func:`settled_cells`).

    Returns
    -------
    dict
        ``population``, ``dwellings`` (private) and ``households`` (dwellings occupied by usual
        residents). A third of the cells has nobody, a few have a tower; a cell keeps its nature
        from census to census and grows or shrinks a little.
    """
    rng = np.random.default_rng([land.seed, 4])
    count = len(units.cells)
    xy = plane.centres[units.cells]
    remote = units.remote[units.da[units.block]]
    dense = 18 + 62 / (1 + (remote / 2.5) ** 2)
    dense *= np.exp(0.7 * noise(xy[:, 0], xy[:, 1], 4e3, land.seed * 97 + 71))
    lived = rng.random(count) > 0.22 + 0.2 * (remote < 1.2)
    people = rng.gamma(1.1, dense) * lived
    people *= np.where(rng.random(count) < 0.012, 6.0, 1.0)
    if settled:
        kept = chance(units.cells, 5, land.seed * 97 + 75) < 1 / 30
        people *= settled_cells(land, plane, units) | kept
    drift = 1 + 0.11 * noise(xy[:, 0], xy[:, 1], 60e3, land.seed * 97 + 72) + 0.06
    people *= drift ** ((vintage - vintages()[-1]) / 5)
    population = np.floor(people + rng.random(count)).astype(np.int64)
    size = 1.9 + 0.9 * rng.random(count)
    households = np.ceil(population / size).astype(np.int64)
    empty = chance(units.cells, 3, land.seed * 97 + 73)
    dwellings = households + rng.binomial(households + 1, 0.05) + (empty < 0.01) * 7
    return {"population": population, "dwellings": dwellings, "households": households}


#: level -> the level it is made of, and the attribute of Units that says how
_MADE_OF = {
    "DA": ("DB", "da"),
    "FED": ("DB", "fed"),
    "POPCTR": ("DB", "popctr"),
    "UA": ("DB", "popctr"),
    "DPL": ("DB", "dpl"),
    "CSD": ("DA", "csd"),
    "CT": ("DA", "ct"),
    "ADA": ("DA", "ada"),
    "CD": ("CSD", "cd"),
    "CMA": ("CSD", "cma"),
    "CCS": ("CSD", "ccs"),
    "ER": ("CCS", "er"),
    "CAR": ("CD", "car"),
    "PR": ("CD", "pr"),
}


@dataclass(frozen=True, eq=False)
class Units:
    """The hierarchy as labels.

    Attributes
    ----------
    cells
        Land cells, as rows of the plane.
    links
        Neighbouring land cells (positions in ``cells``).
    block, fsa
        Block and postal area of each land cell: postal areas are not made of blocks.
    seat
        The land cell a block stands around.
    water
        For the few blocks all in water, which have no polygon, the cell of the plane they are in;
        -1 for all others. They are the last blocks.
    da, fed, popctr, dpl
        Units of each block; -1 for none.
    csd, ct, ada
        Units of each dissemination area; -1 for none.
    cd, cma, ccs, kind
        Units of each census subdivision, -1 for none; and whether it is a city, a town, rural or
        a reserve.
    er, car, pr
        Economic region of each consolidated subdivision; agricultural region and province (its
        code) of each census division.
    cma_class, cma_pr
        B, K or D; the province that numbers it.
    settlement, remote
        Row of :attr:`Land.settlements` nearest to each dissemination area, and the distance from
        it in its radii.
    da_number, db_number
        The last digits of the ids of dissemination areas (in their division) and blocks (in
        their dissemination area).
    """

    cells: Ints
    links: Links
    block: Ints
    fsa: Ints
    seat: Ints
    water: Ints
    da: Ints
    fed: Ints
    popctr: Ints
    dpl: Ints
    csd: Ints
    ct: Ints
    ada: Ints
    cd: Ints
    cma: Ints
    ccs: Ints
    kind: Ints
    er: Ints
    car: Ints
    pr: Ints
    cma_class: npt.NDArray[np.object_]
    cma_pr: Ints
    settlement: Ints
    remote: Floats
    da_number: Ints
    db_number: Ints

    def of_blocks(self, level: str) -> Ints:
        """Return the unit of a level each block is in, -1 for none (not for FSA)."""
        if level == "DB":
            return np.arange(len(self.seat))
        below, name = _MADE_OF[level]
        labels = dense(self.pr) if name == "pr" else getattr(self, name)
        return np.asarray(labels[self.of_blocks(below)])

    def of_cells(self, level: str) -> Ints:
        """Return the unit of a level each land cell is in, -1 for none."""
        return self.fsa if level == "FSA" else self.of_blocks(level)[self.block]


def make_units(land: Land, plane: Plane, blocks: int) -> Units:
    """Group the land cells of a plane into exactly ``blocks`` blocks, and these into units."""
    rng = np.random.default_rng([land.seed, 3])
    cells = np.flatnonzero(plane.dry)
    at = np.full(len(plane.dry), -1, dtype=np.int64)
    at[cells] = np.arange(len(cells))
    first, second = plane.pairs()
    links = at[first], at[second]
    coast = np.zeros(len(cells), dtype=bool)
    coast[at[plane.left[plane.shore()]]] = True
    wet_areas = 2 + blocks // 125_000
    block, seat = form_blocks(coast, links, blocks - 2 * wet_areas, rng)
    xy = plane.centres[cells[seat]]
    near = contract(block, links)
    da = form_areas(xy, near, np.bincount(block, coast) > 0, rng)
    sites = _sites(land, means(xy, da), contract(da, near), np.bincount(da, coast[seat]) > 0)
    csd, kind, csd_pr = form_subdivisions(land, sites, rng)
    csd_xy, csd_near = means(sites.xy, csd), contract(csd, sites.links)
    share = max(land.divisions, len(csd) / DA_PER["CD"]) / len(csd_xy)
    cd, pr = form_divisions(csd_xy, share, csd_pr, csd_near, rng)
    cma, cma_class, cma_pr = form_metropolitan(land, sites, csd, pr[cd], kind)
    tracted = np.append(np.isin(cma_class, ["B", "K"]), False)[cma]
    metropolis = np.where(tracted[csd], cma[csd] * 100 + pr[cd[csd]], -1)
    ct = grow(sites.xy, 1 / DA_PER["CT"], sites.links, rng, metropolis + 1)
    ccs = grow(csd_xy, 0.33, csd_near, rng, cd)
    cd_xy, cd_near = means(csd_xy, cd), contract(cd, csd_near)
    er_of_cd = grow(cd_xy, 0.26, cd_near, rng, pr)
    fsa_share = blocks / len(cells) / DA_PER["FSA"] / BLOCKS_PER_DA
    popctr, dpl = form_centres(land, xy, near, np.isin(kind[csd[da]], [CITY, TOWN]))
    none = np.zeros(0, dtype=np.int64)
    units = Units(
        cells=cells,
        links=links,
        block=block,
        fsa=grow(plane.centres[cells], fsa_share, links, rng, pr[cd[csd[da[block]]]]),
        seat=seat,
        water=np.full(len(seat), -1, dtype=np.int64),
        da=da,
        fed=grow(xy, 1 / DA_PER["FED"] / BLOCKS_PER_DA, near, rng, pr[cd[csd[da]]]),
        popctr=popctr,
        dpl=dpl,
        csd=csd,
        ct=renumber(np.where(metropolis >= 0, ct, -1)),
        ada=grow(sites.xy, 1 / DA_PER["ADA"], sites.links, rng, cd[csd]),
        cd=cd,
        cma=cma,
        ccs=ccs,
        kind=kind,
        er=dense(_split_one_division(value_of(ccs, cd), er_of_cd, pr)),
        car=grow(cd_xy, 0.28, cd_near, rng, pr),
        pr=pr,
        cma_class=cma_class,
        cma_pr=cma_pr,
        settlement=sites.settlement,
        remote=sites.remote,
        da_number=none,
        db_number=none,
    )
    units = _with_water(units, plane, at, wet_areas, rng)
    xy = plane.centres[units.cells[units.seat]]
    place = hilbert(np.column_stack([xy, xy]))
    da_place = np.full(len(units.csd), np.inf)
    np.minimum.at(da_place, units.da, place)
    return replace(
        units,
        da_number=16 + count_within(units.cd[units.csd], da_place),
        db_number=1 + count_within(units.da, place),
    )


def _sites(land: Land, xy: Floats, links: Links, wet: npt.NDArray[np.bool_]) -> Sites:
    settlement, remote = land.nearest(xy[:, 0], xy[:, 1])
    province = land.province(xy[:, 0], xy[:, 1]).astype(np.int64)
    return Sites(xy, links, wet, settlement, remote, province)


def _split_one_division(cd_of_ccs: Ints, er: Ints, pr: Ints) -> Ints:
    """Return the economic region of each consolidated subdivision: that of its division.

    But for one division, which lies in two, as Halton does.
    """
    er_of_ccs = er[cd_of_ccs]
    for cd in np.argsort(-np.bincount(cd_of_ccs)):
        others = np.flatnonzero((pr == pr[cd]) & (er != er[cd]))
        mine = np.flatnonzero(cd_of_ccs == cd)
        if len(others) and len(mine) > 1:
            er_of_ccs[mine[: len(mine) // 2]] = er[others[0]]
            break
    return er_of_ccs


def _with_water(
    units: Units, plane: Plane, at: Ints, areas: int, rng: np.random.Generator
) -> Units:
    """Add ``areas`` dissemination areas of one block, and as many blocks of others, all in water.

    They belong to the units of the shore beside them.
    """
    shore = np.flatnonzero(plane.shore())
    shore = shore[np.unique(plane.right[shore], return_index=True)[1]]
    shore = rng.choice(shore, 2 * areas, replace=False)
    host = units.block[at[plane.left[shore]]]
    new_da = len(units.csd) + np.arange(areas)

    def longer(names: tuple[str, ...], rows: Ints) -> dict[str, Any]:
        held = {name: getattr(units, name) for name in names}
        return {name: np.concatenate([labels, labels[rows]]) for name, labels in held.items()}

    return replace(
        units,
        water=np.concatenate([units.water, plane.right[shore]]),
        da=np.concatenate([units.da, new_da, units.da[host[areas:]]]),
        **longer(("seat", "fed", "popctr", "dpl"), host),
        **longer(("csd", "ct", "ada", "settlement", "remote"), units.da[host[:areas]]),
    )
