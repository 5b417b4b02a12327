"""Cover a set of blocks exactly with the fewest standard units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lipgeo.census.census import Census
from lipgeo.census.completeness import Completeness
from lipgeo.census.data import Rows
from lipgeo.census.units import find_rows
from lipgeo.geography.hierarchy import levels_for

__all__ = ["COVER_LEVELS", "Cover", "fewest_units"]

#: Levels a cover may use. Of two that are the same land the one that stands first is named.
COVER_LEVELS = levels_for("cover")

_Matrix = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cover:
    """The fewest standard units that are each area exactly.

    Attributes
    ----------
    units
        ``area`` (position), ``level``, ``census_row`` (of the unit in its level); by area, then
        level (coarse first), then census row.
    stopped
        Parents all of whose stored units are in the area but which are not proven to have no
        others, so that they may not stand for them: same columns.
    """

    units: pd.DataFrame
    stopped: pd.DataFrame


@dataclass(frozen=True)
class _Units:
    """Units that may stand in a cover, numbered across areas and levels."""

    area: Rows
    level: Rows  # position in the levels looked at, in the order of preference
    census_row: Rows
    size: Rows  # number of atoms


def fewest_units(
    census: Census, area: npt.ArrayLike, atom: npt.ArrayLike, chosen: pd.DataFrame
) -> Cover:
    """Return the exact partition of each area into the fewest standard units.

    A unit may stand when all of its atoms (units of the finest level held) are in the area and it
    is proven whole (:mod:`lipgeo.census.completeness`) or was chosen itself. Units of levels that
    do not nest overlap in part; where they do, a small integer program finds the
    partition with fewest units; among equals the one whose larger units come first (by the square
    roots of their ranks: most atoms, then the order of :data:`COVER_LEVELS`, then the id).

    Blocks are used only where the area cannot be told without them: an area that needs none has
    the floor of 40 persons, one that needs any has the floor of 100.

    Parameters
    ----------
    census
        The census.
    area, atom
        Pairs: position of the area, row of an atom in it; no pair twice; (m,) each.
    chosen
        Units that were chosen and so may stand without proof: ``area, level, row``.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.census import Census, MemoryCensus
    >>> from lipgeo.boundary.cover import fewest_units
    >>> block = pd.DataFrame({"unit_id": list("abc"), "DA": ["P", "P", "Q"]})
    >>> above = pd.DataFrame({"unit_id": ["P", "Q"]})
    >>> known = {"DA": {"P": {"db_count": 2}, "Q": {"db_count": 5}}}
    >>> town = Census(MemoryCensus(2021, {"DB": block, "DA": above}, {}, {"published": known}))
    >>> none = pd.DataFrame({"area": [], "level": [], "census_row": []})
    >>> made = fewest_units(town, [0, 0, 0], [0, 1, 2], none)
    >>> made.units["level"].tolist(), made.stopped["level"].tolist()
    (['DA', 'DB'], ['DA'])
    """
    areas, atoms = np.asarray(area, dtype=np.int64), np.asarray(atom, dtype=np.int64)
    finest = census.atom_level
    held = census.data.columns(finest)
    levels = [
        code for code in COVER_LEVELS if code in census.levels and code in held and code != finest
    ]
    # units that may stand, and atoms that lie in the same ones: they are covered together
    units, matrix, stopped = _candidates(census, levels, areas, atoms, chosen)
    cells, cell_of = _cells(areas, matrix)
    size = np.bincount(cell_of, minlength=len(cells.area)).astype(np.int64)
    # the choice, smaller for what no best cover needs
    matrix, dirty = _reduce(units, cells.matrix, size)
    taken, bare = _solve(units, matrix, dirty, cells.area, size, blocks=finest != "DB")
    found = _table(
        units.area[taken],
        np.asarray(levels, dtype=object)[units.level[taken]],
        units.census_row[taken],
    )
    # what no unit covers stands atom by atom
    alone = np.isin(cell_of, bare)
    single = _table(areas[alone], np.full(alone.sum(), finest, dtype=object), atoms[alone])
    covered = np.bincount(units.area[taken], units.size[taken], minlength=1).sum() + alone.sum()
    if covered != len(atoms):  # cells are covered once each by construction; this proves it
        raise AssertionError(f"cover holds {covered} atoms of {len(atoms)}")
    order = {code: place for place, code in enumerate([*levels, finest])}
    return Cover(_sort_units(pd.concat([found, single]), order), _sort_units(stopped, order))


def _table(area: Rows, level: npt.NDArray[np.object_], row: Rows) -> pd.DataFrame:
    return pd.DataFrame({"area": area, "level": level, "census_row": row})


def _sort_units(frame: pd.DataFrame, order: dict[str, int]) -> pd.DataFrame:
    place = frame["level"].map(order).astype(np.int64)
    sorted_frame = frame.assign(place=place).sort_values(["area", "place", "census_row"])
    return sorted_frame.drop(columns="place").reset_index(drop=True)


def _candidates(
    census: Census, levels: list[str], areas: Rows, atoms: Rows, chosen: pd.DataFrame
) -> tuple[_Units, _Matrix, pd.DataFrame]:
    """Units wholly in an area; for each pair the number of its candidate a level, -1 for none."""
    different, inverse = np.unique(atoms, return_inverse=True)
    parents = census.data.attributes(census.atom_level, levels, different)
    proofs = Completeness(census)
    matrix = np.full((len(atoms), len(levels)), -1, dtype=np.int64)
    parts: list[tuple[Rows, Rows, Rows, Rows]] = []
    stopped = [_table(_none(), np.array([], dtype=object), _none())]
    known = 0
    for place, level in enumerate(levels):
        ids = census.data.attributes(level, ["unit_id"])["unit_id"]
        parent = find_rows(ids, parents[level])[inverse]
        has = np.flatnonzero(parent >= 0)
        keys, number, inside = np.unique(
            areas[has] * len(ids) + parent[has], return_inverse=True, return_counts=True
        )
        owner, row = np.divmod(keys, max(len(ids), 1))
        # whole when these are all its atoms
        used, back = np.unique(row, return_inverse=True)
        total = np.bincount(census.atoms(level, used)[0], minlength=len(used))[back]
        whole = inside == total
        # sure when it was chosen itself, or is proven to have no other atoms
        these = chosen[chosen["level"] == level]
        sure = np.isin(
            keys,
            these["area"].to_numpy(np.int64) * len(ids) + these["census_row"].to_numpy(np.int64),
        )
        unsure = np.flatnonzero(whole & ~sure)
        sure[unsure] = proofs.proven(level, row[unsure])
        left = unsure[~sure[unsure]]
        stopped.append(_table(owner[left], np.full(len(left), level, dtype=object), row[left]))
        # those that stand are numbered across levels
        stands = whole & sure
        new = np.full(len(keys), -1, dtype=np.int64)
        new[stands] = known + np.arange(stands.sum())
        known += int(stands.sum())
        matrix[has, place] = new[number]
        parts.append((owner[stands], np.full(stands.sum(), place), row[stands], inside[stands]))
    columns = [np.concatenate([_none(), *column]) for column in zip(*parts, strict=True)] or [
        _none()
    ] * 4
    return _Units(*columns), matrix, pd.concat(stopped)


@dataclass(frozen=True)
class _Cells:
    """Atoms of an area that lie in the same candidates: they are covered together."""

    area: Rows
    matrix: _Matrix


def _cells(areas: Rows, matrix: _Matrix) -> tuple[_Cells, Rows]:
    """Put atoms of the same area and candidates together; also return the cell of each atom."""
    key = areas
    for column in matrix.T:
        key = np.unique(key * (column.max(initial=-1) + 2) + column + 1, return_inverse=True)[1]
    first = np.unique(key, return_index=True)[1]
    return _Cells(areas[first], matrix[first]), key


def _reduce(units: _Units, matrix: _Matrix, size: Rows) -> tuple[_Matrix, npt.NDArray[np.bool_]]:
    """Drop candidates that no best cover needs; say which of the rest overlap another in part.

    Of equal ones the first level stays. What lies inside a unit that overlaps nothing in part is
    dropped: that unit alone does for all of it.
    """
    matrix = matrix.copy()
    dirty = np.zeros(len(units.area), dtype=bool)
    for left in range(matrix.shape[1]):
        for right in range(left + 1, matrix.shape[1]):
            both = np.flatnonzero((matrix[:, left] >= 0) & (matrix[:, right] >= 0))
            if not len(both):
                continue
            # atoms that each pair of candidates of the two levels has in common
            keys, inverse = np.unique(
                matrix[both, left] * len(dirty) + matrix[both, right], return_inverse=True
            )
            common = np.bincount(inverse, size[both])
            one, other = np.divmod(keys, len(dirty))
            # the same land: the first level is named; part of the land: they cross
            equal = (common == units.size[one]) & (common == units.size[other])
            matrix[np.isin(matrix[:, right], other[equal]), right] = -1
            crossing = common < np.minimum(units.size[one], units.size[other])
            dirty[one[crossing]] = dirty[other[crossing]] = True
    # a unit dropped as equal to another crosses what that one crosses, so marks stay right
    sizes = np.where(matrix >= 0, units.size[matrix], 0) if len(dirty) else np.zeros_like(matrix)
    clean = (matrix >= 0) & ~dirty[matrix] if len(dirty) else np.zeros(matrix.shape, dtype=bool)
    # what lies inside a larger unit that crosses nothing is not needed
    largest = np.where(clean, sizes, 0).max(axis=1, initial=0)
    matrix[sizes < largest[:, None]] = -1
    return matrix, dirty


def _solve(
    units: _Units,
    matrix: _Matrix,
    dirty: npt.NDArray[np.bool_],
    area: Rows,
    size: Rows,
    *,
    blocks: bool,
) -> tuple[Rows, Rows]:
    """Return the candidates taken and the cells covered atom by atom."""
    present = matrix >= 0
    crossed = (present & dirty[matrix]).any(axis=1) if len(dirty) else np.zeros(len(area), bool)
    # where nothing crosses there is one candidate or none: it is taken
    plain = np.flatnonzero(~crossed)
    taken = [np.unique(matrix[plain][present[plain]])]
    bare = [plain[~present[plain].any(axis=1)]]
    # the rest, each knot of crossing candidates by itself
    problems = _components(matrix, np.flatnonzero(crossed), len(dirty))
    answers = [_partition(units, matrix, cells, size, blocks) for cells in problems]
    # an area that needs a block somewhere has the higher floor anyway: then fewest units counts
    needs = set(area[bare[0]].tolist())
    needs |= {
        int(area[cells[0]])
        for cells, answer in zip(problems, answers, strict=True)
        if answer is None
    }
    for cells, answer in zip(problems, answers, strict=True):
        again = not blocks and int(area[cells[0]]) in needs
        found = _partition(units, matrix, cells, size, blocks=True) if again else answer
        if found is None:
            raise AssertionError("cover: a partition into atoms always exists")
        taken.append(found[0])
        bare.append(found[1])
    return np.concatenate(taken), np.concatenate(bare)


def _components(matrix: _Matrix, cells: Rows, candidates: int) -> list[Rows]:
    """Group the cells that share a candidate, directly or through others."""
    if not len(cells):
        return []
    row, column = np.nonzero(matrix[cells] >= 0)
    links = coo_array(
        (np.ones(len(row)), (row, len(cells) + matrix[cells][row, column])),
        shape=(len(cells) + candidates, len(cells) + candidates),
    )
    label = connected_components(links, directed=False)[1][: len(cells)]
    order = np.argsort(label, kind="stable")
    return np.split(cells[order], np.flatnonzero(np.diff(label[order])) + 1)


def _partition(
    units: _Units, matrix: _Matrix, cells: Rows, size: Rows, blocks: bool
) -> tuple[Rows, Rows] | None:
    """Cover some cells exactly with fewest units; ``None`` where it cannot be done.

    A cell is covered by a candidate it shares with others, or by itself: by the candidate that
    holds it alone, else, with ``blocks``, by its atoms. Cells that share the same candidates are
    covered alike, and stand as one. One variable a shared candidate (cost 1) and one a group of
    cells that can be covered by themselves (cost: their units); each group is covered exactly once.
    """
    held = matrix[cells]
    row, column = np.nonzero(held >= 0)
    candidates, variable = np.unique(held[row, column], return_inverse=True)
    single = np.bincount(variable, minlength=len(candidates)) == 1
    place = np.lexsort(
        (units.census_row[candidates], units.level[candidates], -units.size[candidates])
    )
    rank = np.empty(len(place))
    rank[place] = np.sqrt((np.arange(len(place)) + 0.5) / (len(place) + 1))

    # what a cell costs by itself: units, and how much they are wanted; atoms come last
    alone = np.full(len(cells), -1, dtype=np.int64)
    alone[row[single[variable]]] = variable[single[variable]]
    cost = np.where(alone >= 0, 1.0, size[cells] if blocks else np.inf)
    wish = np.where(alone >= 0, rank[alone], cost)
    # what candidates that several cells share cover: one variable each
    shared, number = np.unique(variable[~single[variable]], return_inverse=True)
    link = np.zeros((len(cells), len(shared)), dtype=bool)
    link[row[~single[variable]], number] = True
    # cells that share the same ones stand as one, covered together or by themselves
    group = np.unique(np.packbits(link, axis=1), axis=0, return_inverse=True)[1].ravel()
    firsts = np.unique(group, return_index=True)[1]
    cost = np.bincount(group, cost)
    filled = np.flatnonzero(np.isfinite(cost))
    # each group covered once: by a shared candidate, or by itself
    links = scipy.sparse.hstack(
        [
            coo_array(link[firsts].astype(np.float64)),
            coo_array((np.ones(len(filled)), (filled, np.arange(len(filled)))),
                      shape=(len(firsts), len(filled))),
        ]
    )  # fmt: skip
    once = LinearConstraint(links.tocsr(), 1, 1)
    cost = np.concatenate([np.ones(len(shared)), cost[filled]])
    fewest = _integer_program(cost, [once])
    if fewest is None:
        return None
    # among the covers with so few units, the one whose larger units come first
    weight = np.concatenate([rank[shared], np.bincount(group, wish)[filled]])
    count = LinearConstraint(cost[None, :], 0, np.round(cost @ fewest) + 0.5)
    best = _integer_program(weight, [once, count])
    picked = fewest if best is None else best
    by_itself = np.isin(group, filled[picked[len(shared) :]])
    taken = np.concatenate([shared[picked[: len(shared)]], alone[by_itself & (alone >= 0)]])
    return np.sort(candidates[taken]), cells[by_itself & (alone < 0)]


def _integer_program(
    cost: npt.NDArray[np.float64], constraints: list[LinearConstraint]
) -> npt.NDArray[np.bool_] | None:
    """Return which variables are 1 at least cost, ``None`` where nothing fits."""
    found = milp(
        cost,
        constraints=constraints,
        integrality=np.ones(len(cost)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    return None if found.x is None else np.asarray(found.x > 0.5)


def _none() -> Rows:
    return np.array([], dtype=np.int64)
