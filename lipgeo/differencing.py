"""Differencing: people who can be found by taking published areas from one another.

Tables of an area and of parts of it that do not overlap give, by subtraction, a table of what is
left. Where somebody lives in what is left and they are fewer than the floor, that table would not
have been released: Statistics Canada calls it residual disclosure and may refuse the order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    """What one search needs: people by cell, the standard areas whose whole is one cell or more."""

    people: npt.NDArray[np.float64]
    fine: npt.NDArray[np.bool_]
    own: npt.NDArray[np.int64]
    floors: tuple[float, float]

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

    For each area A, all sets of areas inside A that do not overlap are looked at: the pieces of A
    in no dissemination area that is published and inside A (or cut by a part already taken) are
    taken one by one, most people first; each is left over, or covered by one of the areas that
    hold it. A branch ends when more than a floor is left over. Dissemination areas that no part
    cuts are subtracted always: leaving one out only makes the rest larger. Areas that are exactly
    unions of published dissemination areas add nothing to those and are not branched on. The
    search is exact unless it is cut (20,000 branches an area), and then it says so.

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
        One for each rest, told by the fewest parts; by people left, fewest first.
    cut : list of str
        Names of areas whose search was cut.
    """
    counts = np.nan_to_num(np.asarray(people, dtype=np.float64))
    search = _Search(counts, np.asarray(fine, dtype=bool), np.asarray(own, dtype=np.int64), floors)
    areas = _populated(search, published)
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
        best = _told(search, rest, ways, areas, explain=turn < _EXPLAINED)
        if best is not None:
            told.append(best)
    told.sort(key=lambda one: (one.people, one.whole.name))
    return told, cut


def _populated(search: _Search, published: Sequence[Published]) -> list[Published]:
    """Keep what is released: populated cells only, above its floor, each set of cells once."""
    kept: dict[Cells, Published] = {}
    for area in sorted(published, key=lambda a: (_RANK[a.kind], a.level == "DA", a.name)):
        cells = frozenset(cell for cell in area.cells if search.people[cell] > 0)
        floor = search.floors[0] if area.kind == "standard" else search.floor(cells)
        if cells and search.size(cells) >= floor and cells not in kept:
            kept[cells] = Published(area.name, area.kind, cells, area.level)
    return list(kept.values())


def _rests(
    search: _Search, whole: Published, inside: Sequence[Published], cut: list[str]
) -> Iterator[tuple[Cells, list[Published]]]:
    """Yield small rests of an area, and the parts taken to come to them."""
    das = [area for area in inside if search.whole_da(area.cells)]
    covered = frozenset().union(*(da.cells for da in das))
    of_cell = {cell: da for da in das for cell in da.cells}
    parts = [
        area
        for area in inside
        if not search.whole_da(area.cells)
        and any(cell not in covered or not of_cell[cell].cells <= area.cells for cell in area.cells)
    ]
    holders: dict[int, list[Published]] = {}
    for part in parts:
        for cell in part.cells:
            holders.setdefault(cell, []).append(part)
    most = max(search.floors)
    hard = whole.cells - covered
    if sum(search.people[cell] for cell in hard if cell not in holders) >= most:
        return
    budget = _BUDGET
    stack: list[tuple[Cells, Cells, Cells, list[Published]]] = [
        (hard, frozenset(), frozenset(), [])
    ]
    seen: set[tuple[Cells, Cells]] = set()
    while stack:
        open_cells, left, taken, used = stack.pop()
        if (open_cells, left | taken) in seen:
            continue
        seen.add((open_cells, left | taken))
        budget -= 1
        if budget < 0:
            cut.append(whole.name)
            return
        if not open_cells:
            people = search.size(left)
            if 0 < people < search.floor(left):
                free = [da for da in das if not da.cells & taken]
                yield left, [*used, *free]
            continue
        cell = max(open_cells, key=lambda at: (search.people[at], -at))
        if search.size(left) + search.people[cell] < most:
            stack.append((open_cells - {cell}, left | {cell}, taken, used))
        for part in holders.get(cell, ()):
            if part.cells & taken or part.cells & left:
                continue
            now = taken | part.cells
            torn = frozenset().union(
                *(of_cell[c].cells for c in part.cells if c in of_cell), frozenset()
            )
            stack.append(((open_cells | torn) - now - left, left, now, [*used, part]))


def _told(
    search: _Search,
    rest: Cells,
    ways: list[tuple[Published, list[Published]]],
    areas: Sequence[Published],
    *,
    explain: bool,
) -> Difference | None:
    """Return the difference told by the fewest parts; none if standard areas alone tell it all."""
    best: Difference | None = None
    known = _standard_alone(search, rest, areas)
    people, floor = search.size(rest), search.floor(rest)
    # the smallest wholes are told best; a few are enough
    for whole, used in sorted(ways, key=lambda way: (len(way[0].cells), way[0].name))[:3]:
        parts = _fewest(whole.cells - rest, areas) if explain else used
        one = Difference(whole, tuple(parts or used), rest, people, floor, known)
        if all(part.kind == "standard" for part in (whole, *one.parts)):
            continue
        if known and one.blocky and whole.kind == "standard":
            continue
        if best is None or (one.blocky, len(one.parts)) < (best.blocky, len(best.parts)):
            best = one
    return best


def _standard_alone(search: _Search, rest: Cells, areas: Sequence[Published]) -> bool:
    """Whether a standard area less its published dissemination areas leaves just this rest."""
    standard = [area for area in areas if area.kind == "standard"]
    whole_das = [area.cells for area in standard if search.whole_da(area.cells)]
    published = frozenset().union(*whole_das)
    return any(rest < area.cells and area.cells - rest <= published - rest for area in standard)


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
