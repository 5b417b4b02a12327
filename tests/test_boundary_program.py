"""The integer program of the optimal fit, against enumeration of every choice."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.sparse import csr_array

from lipgeo.boundary.program import Program, clusters, shortfall, solve, value_of


def instance(seed: int) -> Program:
    """Return a small program at random: two areas over a grid of units, each limit now and then."""
    rng = np.random.default_rng(seed)
    units = int(rng.integers(3, 8))
    people = np.round(rng.gamma(1.0, 100.0, units))
    people[rng.random(units) < 0.2] = 0
    first = rng.random(units)
    pairs = [(u, a) for u in range(units) for a in (0, 1) if rng.random() < 0.75]
    unit, area = (np.array(x, dtype=np.int64) for x in zip(*pairs, strict=True))
    share = np.where(area == 0, first[unit], 1 - first[unit]) * rng.choice([1.0, 0.8])
    touching = [(i, j) for i, j in combinations(range(units), 2) if rng.random() < 0.3]
    links = [
        (i, j)
        for i in range(len(unit))
        for j in range(len(unit))
        if area[i] == area[j] and (unit[i], unit[j]) in touching
    ]
    exclusive = rng.random() < 0.5
    conflict = np.array([unit == u for u in range(units)], dtype=float).reshape(units, -1)
    held = conflict.sum(axis=1) > 1
    known = rng.choice([0, 1, 2])
    amounts = np.column_stack([people[unit], np.round(people[unit] / 2.3)])[:, :known]
    controls = np.round(rng.random((2, known)) * people.sum())
    controls[rng.random((2, known)) < 0.2] = np.nan
    return Program(
        area=area,
        cost=people[unit] * (1 - 2 * share),
        preference=1 - 2 * share,
        base=np.bincount(area, people[unit] * share, minlength=2),
        people=people[unit],
        amounts=amounts,
        controls=controls,
        control_weight=rng.choice([0.25, 1.0, 4.0], known),
        conflict=csr_array(conflict[held] if exclusive else np.zeros((0, len(unit)))),
        links=np.array(links, dtype=np.int64).reshape(-1, 2),
        parts=rng.integers(1, 3, 2) if rng.random() < 0.6 else None,
        floor=float(rng.integers(0, 300)) if rng.random() < 0.5 else None,
        max_units=int(rng.integers(1, 5)) if rng.random() < 0.5 else None,
    )


def allowed(program: Program, taken: np.ndarray) -> bool:
    """Say whether a choice keeps to every limit, counted the slow way."""
    if (program.conflict @ taken > 1).any():
        return False
    for area in (0, 1):
        mine = np.flatnonzero(taken & (program.area == area))
        if program.max_units is not None and len(mine) > program.max_units:
            return False
        if program.floor is not None and program.people[mine].sum() < program.floor:
            return False
        if program.parts is not None and parts_of(mine.tolist(), program) > program.parts[area]:
            return False
    return True


def parts_of(members: list[int], program: Program) -> int:
    """Count connected parts by walking."""
    left, parts = set(members), 0
    while left:
        parts, walk = parts + 1, [left.pop()]
        while walk:
            here = walk.pop()
            near = {int(b) for a, b in [*program.links, *program.links[:, ::-1]] if a == here}
            walk += near & left
            left -= near
    return parts


def choices(program: Program) -> list[np.ndarray]:
    """Return every choice that is allowed."""
    n = len(program.area)
    bits = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
    return [taken for taken in bits if allowed(program, taken)]


_SEEDS = [seed for seed in range(400) if len(instance(seed).area) <= 10][:200]


def test_there_are_two_hundred_instances_and_each_limit_is_met_in_many() -> None:
    """The comparison below is of 200 programs, with floors, unit limits, parts and conflicts."""
    made = [instance(seed) for seed in _SEEDS]
    assert len(made) == 200
    for name in ("floor", "max_units", "parts"):
        assert sum(getattr(program, name) is not None for program in made) > 60
    assert sum(program.conflict.shape[0] > 0 for program in made) > 60


@pytest.mark.parametrize("block", range(10))
def test_equal_to_enumeration(block: int) -> None:
    """The choice is allowed and its value the least of all allowed; no choice means none exists."""
    for seed in _SEEDS[20 * block : 20 * block + 20]:
        program = instance(seed)
        every = choices(program)
        found = solve(program)
        if not every:
            assert found is None, seed
            assert shortfall(program).sum() > 0, seed
            continue
        assert found is not None, seed
        least = min(value_of(program, taken) for taken in every)
        assert allowed(program, found.taken), seed
        assert value_of(program, found.taken) == pytest.approx(least, rel=1e-6, abs=1e-6), seed
        assert found.value.sum() == pytest.approx(least, rel=1e-6, abs=1e-6), seed
        assert found.proven.all(), seed


@pytest.mark.parametrize("block", range(4))
def test_what_lacks_of_the_floor_is_least(block: int) -> None:
    """The shortfall is that of the best of all choices that keep to the other limits."""
    for seed in _SEEDS[20 * block : 20 * block + 20]:
        program = replace(instance(seed), floor=400.0)
        free = choices(replace(program, floor=None))
        least = min(
            sum(max(400 - program.people[taken & (program.area == a)].sum(), 0) for a in (0, 1))
            for taken in free
        )
        assert shortfall(program).sum() == pytest.approx(least, abs=1e-3), seed


def test_out_of_time_the_choice_still_keeps_to_every_limit() -> None:
    """With no time at all what comes is allowed, not better than the best, and says so."""
    for seed in _SEEDS[:60]:
        program = instance(seed)
        found = solve(program, time_limit=0.0)
        if found is None:
            continue
        assert allowed(program, found.taken), seed
        assert (found.bound <= found.value + 1e-6).all()
        assert all(bool(why) != sure for why, sure in zip(found.reason, found.proven, strict=True))


def test_ties_go_by_preference() -> None:
    """Of two candidates without people the one that lies inside is taken, always the same."""
    program = replace(
        instance(1),
        area=np.zeros(2, dtype=np.int64), cost=np.zeros(2), preference=np.array([0.4, -0.4]),
        base=np.zeros(1), people=np.zeros(2), amounts=np.zeros((2, 0)), controls=np.zeros((1, 0)),
        control_weight=np.zeros(0), conflict=csr_array(np.zeros((0, 2))),
        links=np.zeros((0, 2), dtype=np.int64), parts=None, floor=None, max_units=None,
    )  # fmt: skip
    assert [solve(program).taken.tolist() for _ in range(3)] == [[False, True]] * 3


def test_clusters_are_of_the_members_only() -> None:
    """Two ends are apart when what links them is not a member."""
    links = np.array([[0, 1], [1, 2]])
    assert clusters(3, links, np.array([0, 1, 2]))[0] == 1
    assert clusters(3, links, np.array([0, 2]))[0] == 2
