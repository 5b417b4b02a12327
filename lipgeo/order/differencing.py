"""Find people who could be singled out by taking published areas from one another.

Tables of an area and of parts of it that do not overlap give, by subtraction, a table of what is
left. Where somebody lives in what is left and they are fewer than the floor, that table would not
have been released: Statistics Canada calls it residual disclosure and may refuse the order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

__all__ = ["Difference", "Published", "differences"]

Cells = frozenset[int]
Kind = Literal["order", "earlier", "standard"]

#: branches looked at for one area before the search gives up and says so
_BUDGET = 20_000
#: programs solved to tell a difference in the fewest parts; further ones are told as found
_EXPLAINED = 200
_RANK = {"order": 0, "earlier": 1, "standard": 2}


@dataclass(frozen=True)
class Published:
    """An area for which tables are, were or will be published.

    Attributes
    ----------
    name
        What it is called in a message.
    kind
        ``order`` (of this order), ``earlier`` (of an earlier one), ``standard``.
    cells
        Pieces of the ground that it is.
    level
        Level of a standard area, else empty.
    """

    name: str
    kind: Kind
    cells: Cells
    level: str = ""


@dataclass(frozen=True)
class Difference:
    """People found by subtraction.

    Attributes
    ----------
    whole
        The area subtracted from.
    parts
        What is subtracted: areas inside it that do not overlap; fewest first found.
    rest
        Pieces of the ground left, people in each.
    people, floor
        People left, and the floor that holds for such a rest.
    known
        Whether standard areas alone tell the same: then the order adds nothing to it.
    """

    whole: Published
    parts: tuple[Published, ...]
    rest: Cells
    people: float
    floor: float
    known: bool = False

    @property
    def blocky(self) -> bool:
        """Whether single dissemination areas have to be subtracted."""
        return any(part.level == "DA" for part in self.parts)


@dataclass(frozen=True)
class _Search:
    """What one search needs of the pieces: people, blocks, dissemination areas, standard areas."""

    people: npt.NDArray[np.float64]
    fine: npt.NDArray[np.bool_]
    own: npt.NDArray[np.int64]
    floors: tuple[float, float]
    standard: list[Cells] = field(default_factory=list)

    @cached_property
    def mates(self) -> dict[int, Cells]:
        """Dissemination area (by number) to its populated cells."""
        populated = np.flatnonzero((self.people > 0) & (self.own >= 0))
        groups = pd.Series(populated).groupby(self.own[populated])
        return {int(da): frozenset(cells.tolist()) for da, cells in groups}

    def whole_da(self, cells: Cells) -> bool:
        """Whether cells are one dissemination area, all of it that is populated."""
        own = int(self.own[next(iter(cells))])
        return own >= 0 and self.mates[own] == cells

    def size(self, cells: Cells) -> float:
        return float(self.people[list(cells)].sum()) if cells else 0.0

    def floor(self, cells: Cells) -> float:
        """Return 40 for whole dissemination areas, 100 where blocks are left."""
        split = any(
            self.fine[cell] and (self.own[cell] < 0 or not self.mates[int(self.own[cell])] <= cells)
            for cell in cells
        )
        return self.floors[1] if split else self.floors[0]


def differences(
    people: npt.ArrayLike,
    fine: npt.ArrayLike,
    own: npt.ArrayLike,
    published: Sequence[Published],
    floors: tuple[float, float],
) -> tuple[list[Difference], list[str]]:
    """Find every small rest that published areas leave of one another.

    For each area A, all sets of areas inside A that do not overlap are looked at, piece by piece,
    most people first: a piece is covered by an area that holds it, or left over. A branch ends
    when as many people as a floor are left over, or a rest already told. Pieces whose
    dissemination area is published and that no other part touches are not branched on:
    subtracting it leaves less. Areas that are exactly unions of published dissemination areas add
    nothing to those. So every rest that holds no smaller one is found, unless the search is cut
    (20,000 branches an area), and then it says so.

    Parameters
    ----------
    people
        People by piece of the ground, NaN where unknown (taken as nobody); (n,).
    fine
        Whether the piece is a block, so that the higher floor holds for it alone; (n,).
    own
        Number of the dissemination area it is (part of), -1 for none; (n,).
    published
        All areas; those of the kind ``standard`` are told only with an area of another kind.
    floors
        People below which nothing is released: of standard areas, and where blocks are left.

    Returns
    -------
    differences : list of Difference
        One for each rest, told by few parts, of orders rather than dissemination areas; by people
        left, fewest first.
    cut : list of str
        Names of areas whose search was cut.
    """
    counts = np.nan_to_num(np.asarray(people, dtype=np.float64))
    search = _Search(counts, np.asarray(fine, dtype=bool), np.asarray(own, dtype=np.int64), floors)
    areas = _keep_released(search, published)
    holders: dict[int, list[int]] = {}
    for at, area in enumerate(areas):
        for cell in area.cells:
            holders.setdefault(cell, []).append(at)
    found: dict[Cells, list[tuple[Published, list[Published]]]] = {}
    cut: list[str] = []
    for whole in areas:
        common = Counter(at for cell in whole.cells for at in holders[cell])
        size = len(whole.cells)
        inside = [
            areas[at]
            for at, cells in sorted(common.items())
            if cells == len(areas[at].cells) and cells < size
        ]
        if whole.kind == "standard" and all(area.kind == "standard" for area in inside):
            continue
        for rest, used in _rests(search, whole, inside, cut):
            found.setdefault(rest, []).append((whole, used))
    told = []
    for turn, (rest, ways) in enumerate(sorted(found.items(), key=lambda item: sorted(item[0]))):
        best = _find_difference(search, rest, ways, areas, explain=turn < _EXPLAINED)
        if best is not None:
            told.append(best)
    told.sort(key=lambda one: (one.people, one.whole.name))
    return told, cut


def _keep_released(search: _Search, published: Sequence[Published]) -> list[Published]:
    """Keep what is released: populated cells only, above its floor, each set of cells once."""
    kept: dict[Cells, Published] = {}
    for area in sorted(published, key=lambda a: (_RANK[a.kind], a.level == "DA", a.name)):
        cells = frozenset(int(cell) for cell in area.cells if search.people[cell] > 0)
        if not cells:
            continue
        floor = search.floors[0] if area.kind == "standard" else search.floor(cells)
        if search.size(cells) < floor:
            continue
        kept.setdefault(cells, Published(area.name, area.kind, cells, area.level))
        if area.kind == "standard":
            search.standard.append(cells)
    return list(kept.values())


def _rests(
    search: _Search, whole: Published, inside: Sequence[Published], cut: list[str]
) -> Iterator[tuple[Cells, list[Published]]]:
    """Yield small rests of an area, none holding another, and the parts taken to come to them.

    Sets of cells are whole numbers, a bit a cell, most people first: the lowest bit of what is
    open is the cell to decide next.
    """
    cells = sorted(whole.cells, key=lambda cell: (-search.people[cell], cell))
    people = [float(search.people[cell]) for cell in cells]
    bit = {cell: 1 << at for at, cell in enumerate(cells)}

    def mask(area: Published) -> int:
        return sum(bit[cell] for cell in area.cells)

    das = [(mask(area), area) for area in inside if search.whole_da(area.cells)]
    others = [(mask(area), area) for area in inside if not search.whole_da(area.cells)]
    # a union of whole dissemination areas adds nothing to them
    torn = {part: _cut_areas(part, [da for da, _ in das]) for part, _ in others}
    parts = [(part, area) for part, area in others if torn[part] is not None]
    holders: list[list[tuple[int, Published]]] = [
        [one for one in (*das, *parts) if one[0] >> at & 1] for at in range(len(cells))
    ]
    most = max(search.floors)
    if sum(n for n, held in zip(people, holders, strict=True) if not held) >= most:
        return
    contested = sum(bit.values()) & ~sum(da for da, _ in das)
    for part, _ in parts:
        contested |= part
    mates = [sum(da for da, _ in das if da >> at & 1) for at in range(len(cells))]
    found: list[int] = []
    seen: set[tuple[int, int, int]] = set()
    stack: list[tuple[int, int, int, float, tuple[Published, ...]]] = [(contested, 0, 0, 0.0, ())]
    budget = _BUDGET
    while stack:
        open_, left, taken, lost, used = stack.pop()
        if (open_, left, taken) in seen or any(not one & ~left for one in found):
            continue
        seen.add((open_, left, taken))
        budget -= 1
        if budget < 0:
            cut.append(whole.name)
            return
        if not open_:
            rest = frozenset(cell for cell in cells if bit[cell] & left)
            if 0 < lost < search.floor(rest) and all(one & ~left for one, _ in das):
                found.append(left)
                spare = [area for one, area in das if not one & (taken | left)]
                yield rest, [*used, *spare]
            continue
        at = (open_ & -open_).bit_length() - 1
        if lost + people[at] < most:
            alone = 1 << at
            # what is left of a dissemination area has to be covered by others, or is left too
            further = (open_ | mates[at]) & ~taken & ~left & ~alone
            stack.append((further, left | alone, taken, lost + people[at], used))
        for part, area in holders[at]:
            if not part & (taken | left):
                now = taken | part
                further = (open_ | (torn.get(part) or 0)) & ~now & ~left
                stack.append((further, left, now, lost, (*used, area)))


def _cut_areas(part: int, das: Sequence[int]) -> int | None:
    """Return the dissemination areas a part cuts, ``None`` where it is a union of whole ones."""
    met = [da for da in das if da & part]
    cut = sum(da for da in met if da & ~part)
    return None if not cut and sum(met) == part else cut


def _find_difference(
    search: _Search,
    rest: Cells,
    ways: list[tuple[Published, list[Published]]],
    areas: Sequence[Published],
    *,
    explain: bool,
) -> Difference | None:
    """Return the difference told by the fewest parts; none if standard areas alone tell it all."""
    best: Difference | None = None
    known = _standard_alone(search, rest)
    people, floor = search.size(rest), search.floor(rest)
    # the smallest wholes are told best, those of orders first; a few are enough
    ranked = sorted(ways, key=lambda way: (_RANK[way[0].kind], len(way[0].cells), way[0].name))
    for whole, used in ranked[:3]:
        parts = _fewest(whole.cells - rest, areas) if explain else used
        one = Difference(whole, tuple(parts or used), rest, people, floor, known)
        if all(part.kind == "standard" for part in (whole, *one.parts)):
            continue
        if known and one.blocky and whole.kind == "standard":
            continue
        if best is None or (one.blocky, len(one.parts)) < (best.blocky, len(best.parts)):
            best = one
    return best


def _standard_alone(search: _Search, rest: Cells) -> bool:
    """Whether a standard area less its published dissemination areas leaves just this rest."""
    free = (cells for cells in search.standard if search.whole_da(cells) and not cells & rest)
    published: Cells = frozenset().union(*free)
    return any(rest < cells and cells - rest <= published for cells in search.standard)


def _fewest(cells: Cells, areas: Sequence[Published]) -> list[Published] | None:
    """Partition cells into the fewest areas, those of orders first; ``None`` if not found."""
    parts = [area for area in areas if area.cells <= cells]
    number = {cell: at for at, cell in enumerate(sorted(cells))}
    column = np.repeat(np.arange(len(parts)), [len(part.cells) for part in parts])
    row = [number[cell] for part in parts for cell in part.cells]
    matrix = csr_array((np.ones(len(row)), (row, column)), shape=(len(cells), len(parts)))
    # a dissemination area costs most, so that a difference that needs none shows none
    cost = [1 + (part.level == "DA") + 1e-3 * _RANK[part.kind] for part in parts]
    answer = milp(
        np.array(cost), constraints=[LinearConstraint(matrix, 1, 1)],
        integrality=np.ones(len(parts)), bounds=Bounds(0, 1), options={"time_limit": 5.0},
    )  # fmt: skip
    if answer.x is None:
        return None
    return [parts[at] for at in np.flatnonzero(answer.x > 0.5)]
