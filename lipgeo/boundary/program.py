"""Solve the integer program of ``rule="optimal"``: arrays in, the best choice of candidates out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from lipgeo.arrays import Flags, Floats, Ints

__all__ = ["Answer", "Program", "clusters", "shortfall", "solve", "value_of"]

#: the objective is brought to this size, so that the solver's absolute tolerances mean the same
_SIZE = 1e6
#: of it, at most so much goes to breaking ties
_TIES = 0.1
#: a gap the solver cannot tell from none
_PROVEN = 1e-6


@dataclass(frozen=True)
class Program:
    """Which candidates to take, each a pair of a unit and an area.

    Minimises the sum over areas of ``base`` plus the ``cost`` of what is taken, plus the sum over
    controls of ``control_weight`` times ``|sum of amounts - controls|``.

    Attributes
    ----------
    area
        Position of each candidate's area; (n,).
    cost
        What taking a candidate adds to the misfit, negative where it takes away; (n,).
    preference
        Ties: of equal choices the one with the lowest sum; in [-1, 1]; (n,).
    base
        Misfit of each area with no unit at all; (areas,).
    people
        Population of each candidate; (n,).
    amounts, controls, control_weight
        What each candidate adds to each total, the totals known (missing: not held to one) and
        what a deviation costs; (n, k), (areas, k), (k,).
    conflict
        Row by candidate, 1 where a row holds a candidate: of each row one may be taken; (m, n).
    links
        Pairs of candidates of one area that touch along an edge; (l, 2).
    parts
        Parts each area may have; ``None`` where parts do not count; (areas,).
    floor, max_units
        Least people and most units of an area, ``None`` for no such limit.
    """

    area: Ints
    cost: Floats
    preference: Floats
    base: Floats
    people: Floats
    amounts: Floats
    controls: Floats
    control_weight: Floats
    conflict: csr_array
    links: Ints
    parts: Ints | None = None
    floor: float | None = None
    max_units: int | None = None


@dataclass(frozen=True)
class Answer:
    """What the solver found.

    Attributes
    ----------
    taken
        Which candidates; (n,).
    group
        Areas that were decided together have the same number; (areas,).
    value, bound
        The objective of each group, and what no choice can go below; (groups,).
    proven
        Whether no choice is better; (groups,).
    reason
        Why a group is not proven: ``time_limit`` (the best found in the time), ``fallback`` (the
        solver found none in the time: majority, then repaired), ``gap`` (it stopped at the gap
        asked for); empty where it is; (groups,).
    """

    taken: Flags
    group: Ints
    value: Floats
    bound: Floats
    proven: Flags
    reason: list[str]

    @property
    def gap(self) -> Floats:
        """How far each group may be above the best, relative to its value; (groups,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = (self.value - self.bound) / self.value
        return np.where(self.proven | (self.value <= 0), 0.0, np.clip(gap, 0.0, 1.0))


def value_of(program: Program, taken: Flags) -> float:
    """Return the objective of a choice."""
    held = np.zeros(program.controls.shape)
    np.add.at(held, program.area[taken], program.amounts[taken])
    off = np.nansum(np.abs(held - program.controls), axis=0)
    misfit = program.base.sum() + program.cost[taken].sum()
    return float(misfit + (program.control_weight * off).sum())


def clusters(count: int, links: Ints, members: Ints) -> tuple[int, Ints]:
    """Return how many connected groups candidates form, and the group of each member."""
    inside = np.zeros(count, dtype=bool)
    inside[members] = True
    kept = links[inside[links].all(axis=1)]
    graph = coo_array((np.ones(len(kept)), (kept[:, 0], kept[:, 1])), shape=(count, count))
    label = connected_components(graph, directed=False)[1][members]
    found, renumbered = np.unique(label, return_inverse=True)
    return len(found), renumbered.astype(np.int64)


def solve(program: Program, *, time_limit: float | None = None, gap: float = 0.0) -> Answer | None:
    """Solve; areas that no row of ``conflict`` ties together are decided apart.

    Contiguity is a flow from at most ``parts`` roots to every unit taken, and is put into the
    program only for the areas that fall apart without it. What is asked is exact either way.

    Parameters
    ----------
    program
        The program.
    time_limit
        Seconds for each group of areas and each time contiguity had to be added.
    gap
        Stop when a choice is proven to be within this share of the best.

    Returns
    -------
    Answer or None
        ``None`` where no choice keeps to the limits; only the floor can make it so.
    """
    group = _groups(program)
    taken = np.zeros(len(program.area), dtype=bool)
    found = []
    for part, candidates in _parts(program, group):
        one = _solve_group(part, time_limit, gap)
        if one is None:
            return None
        taken[candidates] = one[0]
        found.append(one[1:])
    value, bound, proven, reason = zip(*found, strict=True) if found else ((), (), (), ())
    return Answer(
        taken, group, np.array(value, dtype=np.float64), np.array(bound, dtype=np.float64),
        np.array(proven, dtype=bool), list(reason),
    )  # fmt: skip


def shortfall(program: Program, *, time_limit: float | None = None) -> Floats:
    """Return how many people each area must lack of the floor, least in sum; (areas,)."""
    lacking = np.zeros(len(program.base))
    group = _groups(program)
    for number, (part, _) in enumerate(_parts(program, group)):
        flowing = np.zeros(len(part.base), dtype=bool)
        if part.parts is not None:
            flowing[:] = True
        model = _Model(part, flowing=flowing, short=True)
        found = model.run(time_limit, 0.0)
        if found.x is not None:
            lacking[group == number] = np.maximum(found.x[model.short], 0.0)
    return np.round(lacking, 6)


def _groups(program: Program) -> Ints:
    """Return the group of each area: those that share a conflict, in the order of their firsts."""
    row, candidate = program.conflict.nonzero()
    areas, rows = len(program.base), program.conflict.shape[0]
    links = coo_array(
        (np.ones(len(row)), (program.area[candidate], areas + row)),
        shape=(areas + rows, areas + rows),
    )
    label = connected_components(links, directed=False)[1][:areas]
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return np.asarray(place[inverse], dtype=np.int64)


def _parts(program: Program, group: Ints) -> Iterator[tuple[Program, Ints]]:
    """Yield the program of each group and the candidates it is about."""
    for number in range(int(group.max(initial=-1)) + 1):
        areas = np.flatnonzero(group == number)
        inside = np.isin(program.area, areas)
        candidates = np.flatnonzero(inside)
        place = np.full(len(program.area), -1, dtype=np.int64)
        place[candidates] = np.arange(len(candidates))
        conflict = program.conflict[:, candidates]
        conflict = conflict[np.diff(conflict.indptr) > 1]
        yield (
            replace(
                program,
                area=np.searchsorted(areas, program.area[candidates]),
                cost=program.cost[candidates],
                preference=program.preference[candidates],
                base=program.base[areas],
                people=program.people[candidates],
                amounts=program.amounts[candidates],
                controls=program.controls[areas],
                conflict=conflict,
                links=place[program.links[inside[program.links].all(axis=1)]],
                parts=None if program.parts is None else program.parts[areas],
            ),
            candidates,
        )


def _solve_group(
    program: Program, time_limit: float | None, gap: float
) -> tuple[Flags, float, float, bool, str] | None:
    """Return the choice, its value, the bound, whether it is proven and else why not."""
    # areas whose parts the program counts: none at first, then those that fall apart
    flowing = np.zeros(len(program.base), dtype=bool)
    while True:
        model = _Model(program, flowing=flowing)
        found = model.run(time_limit, gap)
        # 2: nothing keeps to the limits
        if found.status == 2:
            return None
        bound = model.unscale(found.mip_dual_bound)
        if found.x is None:
            taken = _majority(program)
            return (
                None if taken is None else (*_with_value(program, taken, bound), False, "fallback")
            )
        taken = found.x[: len(program.area)] > 0.5
        fallen = _too_many_parts(program, taken) & ~flowing
        if not fallen.any():
            break
        if found.status == 1:  # no time to go on: keep the best parts of what was found
            kept = _repair(program, taken)
            if kept is None:
                kept = _majority(program)
            return (
                None if kept is None else (*_with_value(program, kept, bound), False, "time_limit")
            )
        flowing |= fallen
    # 0: done, the best of all or within the gap asked for
    if found.status == 0 and (found.mip_gap or 0.0) <= _PROVEN:
        value = value_of(program, taken)
        return taken, value, value, True, ""
    # 1: out of time; the majority of each unit may be better than what was found
    other = _majority(program) if found.status == 1 else None
    if other is not None and value_of(program, other) < value_of(program, taken):
        return (*_with_value(program, other, bound), False, "fallback")
    return (
        *_with_value(program, taken, bound),
        False,
        "time_limit" if found.status == 1 else "gap",
    )


def _with_value(program: Program, taken: Flags, bound: float) -> tuple[Flags, float, float]:
    """Return the choice, its value, and a bound no better than what could help at all."""
    value = value_of(program, taken)
    least = float(program.base.sum() + np.minimum(program.cost, 0).sum())  # at worst all that helps
    return taken, value, min(value, max(bound, least, 0.0))


class _Model:
    """The program as the solver takes it.

    Columns: the candidates; one that is always 1 and carries the constant, so that gaps are
    relative to the whole objective; what each control is over and under; what each area lacks of
    the floor; roots, supply of roots and flow along links for the areas in ``flowing``.
    """

    def __init__(
        self, program: Program, *, flowing: Flags | None = None, short: bool = False
    ) -> None:
        self.program = program
        n, areas = len(program.area), len(program.base)
        known = np.argwhere(~np.isnan(program.controls))
        self._rows: list[tuple[csr_array, Floats, Floats]] = []
        self._n, self._known, self._short = n, known, short
        self._flow_areas = np.flatnonzero(flowing) if flowing is not None else np.arange(0)
        rooted = np.isin(program.area, self._flow_areas)
        self._rooted = np.flatnonzero(rooted)
        links = program.links[rooted[program.links].all(axis=1)]
        self._arcs = np.concatenate([links, links[:, ::-1]])
        sizes = [n, 1, len(known), len(known), areas if short else 0]
        sizes += [len(self._rooted), len(self._rooted), len(self._arcs)]
        self._start = np.concatenate([[0], np.cumsum(sizes)])
        self._columns = int(self._start[-1])
        self.short = slice(self._start[4], self._start[5])
        self._build()

    def _block(self, number: int) -> Ints:
        """Return the columns of one kind, numbered as in the head of this class."""
        return np.arange(self._start[number], self._start[number + 1])

    def _add(
        self, entries: list[tuple[Ints, Ints, npt.ArrayLike]], low: Floats, high: Floats
    ) -> None:
        """Add rows between ``low`` and ``high``; an entry is rows, columns and values."""
        row = np.concatenate([entry[0] for entry in entries])
        column = np.concatenate([entry[1] for entry in entries])
        value = np.concatenate(
            [np.broadcast_to(np.asarray(e[2], dtype=np.float64), e[0].shape) for e in entries]
        )
        matrix = coo_array((value, (row, column)), shape=(len(low), self._columns)).tocsr()
        self._rows.append((matrix, low, high))

    def _build(self) -> None:
        """Add the rows: totals, conflicts, most units, floor, parts."""
        p, candidate = self.program, np.arange(self._n)
        areas = len(p.base)
        if len(self._known) and not self._short:
            self._build_controls()
        if p.conflict.shape[0]:
            row, column = p.conflict.nonzero()
            rows = p.conflict.shape[0]
            self._add([(row, column, 1.0)], np.full(rows, -np.inf), np.ones(rows))
        if p.max_units is not None:
            most = np.full(areas, float(p.max_units))
            self._add([(p.area, candidate, 1.0)], np.full(areas, -np.inf), most)
        if p.floor is not None:
            entries: list[tuple[Ints, Ints, npt.ArrayLike]] = [(p.area, candidate, p.people)]
            if self._short:
                entries.append((np.arange(areas), self._block(4), 1.0))
            self._add(entries, np.full(areas, float(p.floor)), np.full(areas, np.inf))
        if len(self._flow_areas) and p.parts is not None:
            self._build_flow(p.parts)

    def _build_controls(self) -> None:
        """Add a row a known total: what is taken, less what is over, plus what is under, is it."""
        p = self.program
        where = np.arange(len(self._known))
        number = np.full(p.controls.shape, -1, dtype=np.int64)
        number[tuple(self._known.T)] = where
        row = number[p.area]
        column = np.broadcast_to(np.arange(self._n)[:, None], p.amounts.shape)
        held = row >= 0
        totals = p.controls[tuple(self._known.T)]
        self._add(
            [
                (row[held], column[held], p.amounts[held]),
                (where, self._block(2), -1.0),
                (where, self._block(3), 1.0),
            ],
            totals,
            totals,
        )

    def _build_flow(self, parts: Ints) -> None:
        """Add the flow from roots to every unit taken: units it cannot reach are another part."""
        p = self.program
        # candidates of the areas that flow; supply and flow are at most the units an area can have
        nodes = self._rooted
        where = np.arange(len(nodes))
        place = np.full(self._n, -1, dtype=np.int64)
        place[nodes] = where
        root, supply, flow = self._block(5), self._block(6), self._block(7)
        sender, receiver = place[self._arcs].T
        size = np.bincount(p.area[nodes], minlength=len(p.base))[p.area[nodes]].astype(np.float64)
        if p.max_units is not None:
            size = np.minimum(size, p.max_units)
        none, below = np.zeros(len(nodes)), np.full(len(nodes), -np.inf)
        # every unit taken uses one of what it receives and passes on the rest
        self._add(
            [
                (where, supply, 1.0),
                (receiver, flow, 1.0),
                (sender, flow, -1.0),
                (where, nodes, -1.0),
            ],
            none,
            none,
        )
        # only a root is supplied; nothing flows into a unit that is not taken, and it is no root
        self._add([(where, supply, 1.0), (where, root, -size)], below, none)
        self._add([(receiver, flow, 1.0), (where, nodes, -size)], below, none)
        self._add([(where, root, 1.0), (where, nodes, -1.0)], below, none)
        # so many roots, so many parts
        number = np.searchsorted(self._flow_areas, p.area[nodes])
        most = parts[self._flow_areas].astype(np.float64)
        self._add([(number, root, 1.0)], np.full(len(most), -np.inf), most)

    def _cost(self) -> Floats:
        """Return the cost of each column: the objective brought to one size, then the ties."""
        p, cost = self.program, np.zeros(self._columns)
        if self._short:
            cost[self.short] = 1.0
            return cost
        weight = p.control_weight[self._known[:, 1]]
        cost[self._block(0)] = p.cost
        cost[self._block(1)] = p.base.sum()
        cost[self._block(2)] = cost[self._block(3)] = weight
        self._scale = _SIZE / max(float(np.abs(p.cost).sum() + p.base.sum()), 1e-9)
        cost *= self._scale
        cost[self._block(0)] += p.preference * _TIES / max(self._n, 1)
        return cost

    def unscale(self, bound: float | None) -> float:
        """Return a bound of the solver in the objective's own unit."""
        if bound is None or not np.isfinite(bound):
            return 0.0
        return float((bound - _TIES) / self._scale)

    def run(self, time_limit: float | None, gap: float) -> Any:
        """Solve and return what SciPy says."""
        # candidates and roots are 0 or 1, the constant is 1, the rest is 0 or more
        whole = np.zeros(self._columns)
        whole[self._block(0)] = whole[self._block(5)] = 1
        low, high = np.zeros(self._columns), np.full(self._columns, np.inf)
        high[self._block(0)] = high[self._block(5)] = 1
        low[self._block(1)] = high[self._block(1)] = 1
        options: dict[str, float] = {"mip_rel_gap": gap}
        if time_limit is not None:
            options["time_limit"] = time_limit
        return milp(
            self._cost(),
            constraints=[LinearConstraint(*rows) for rows in self._rows],
            integrality=whole,
            bounds=Bounds(low, high),
            options=options,
        )


# ------------------------------------------------------------------- where time runs out


def _too_many_parts(program: Program, taken: Flags) -> Flags:
    """Return which areas have more parts than they may; (areas,)."""
    areas = len(program.base)
    if program.parts is None:
        return np.zeros(areas, dtype=bool)
    members = np.flatnonzero(taken)
    count, label = clusters(len(taken), program.links, members)
    owner = np.zeros(count, dtype=np.int64)
    owner[label] = program.area[members]
    return np.asarray(np.bincount(owner, minlength=areas) > program.parts)


def _majority(program: Program) -> Flags | None:
    """Return what takes people in rather than out, repaired; ``None`` if it misses the floor."""
    order = np.lexsort((np.arange(len(program.cost)), program.preference, program.cost))
    good = (program.cost < 0) | ((program.cost == 0) & (program.preference < 0))
    taken = np.zeros(len(program.cost), dtype=bool)
    used = np.zeros(program.conflict.shape[0], dtype=bool)
    count = np.zeros(len(program.base), dtype=np.int64)
    _add_while_free(program, order[good[order]], taken, used, count)
    return _repair(program, taken)


def _repair(program: Program, taken: Flags) -> Flags | None:
    """Keep the best parts, fill up to the floor; ``None`` where that does not do."""
    kept = _best_parts(program, taken)
    if program.floor is None:
        return kept
    used = program.conflict @ kept > 0
    count = np.bincount(program.area[kept], minlength=len(program.base))
    order = np.lexsort((np.arange(len(kept)), program.cost - program.people))
    _add_while_free(program, order, kept, used, count, until=float(program.floor))
    people = np.bincount(program.area[kept], program.people[kept], minlength=len(program.base))
    short = people < program.floor
    return None if short.any() or _too_many_parts(program, kept).any() else kept


def _best_parts(program: Program, taken: Flags) -> Flags:
    """Keep the parts of each area that are worth most, as many as it may have."""
    if program.parts is None:
        return taken.copy()
    # the parts, and what each takes away from the misfit
    members = np.flatnonzero(taken)
    count, label = clusters(len(taken), program.links, members)
    worth = np.bincount(label, -program.cost[members], minlength=count)
    owner = np.zeros(count, dtype=np.int64)
    owner[label] = program.area[members]
    # of each area the most worthy
    order = np.lexsort((-worth, owner))
    starts = np.searchsorted(owner[order], owner[order])
    stays = np.zeros(count, dtype=bool)
    stays[order] = np.arange(count) - starts < program.parts[owner[order]]
    kept = np.zeros_like(taken)
    kept[members[stays[label]]] = True
    return kept


def _add_while_free(
    program: Program,
    order: Ints,
    taken: Flags,
    used: Flags,
    count: Ints,
    *,
    until: float = np.inf,
) -> None:
    """Take candidates in order, in place, where no limit stands against it."""
    columns = program.conflict.tocsc()
    most = np.inf if program.max_units is None else program.max_units
    people = np.bincount(program.area[taken], program.people[taken], minlength=len(program.base))
    for candidate in order:  # each depends on those before; only where the solver ran out of time
        area = program.area[candidate]
        rows = columns.indices[columns.indptr[candidate] : columns.indptr[candidate + 1]]
        if taken[candidate] or used[rows].any() or count[area] >= most or people[area] >= until:
            continue
        taken[candidate] = True
        used[rows] = True
        count[area] += 1
        people[area] += program.people[candidate]
