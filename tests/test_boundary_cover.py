"""The cover: the exact partition of an area into the fewest standard units."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipgeo.boundary.cover import COVER_LEVELS, Cover, fewest_units
from lipgeo.census import Census, MemoryCensus
from lipgeo.census.completeness import Completeness

_NONE = pd.DataFrame({"area": [], "level": [], "census_row": []})


def _census(parents: dict[str, list[str | None]], finest: str = "DA", **meta: object) -> Census:
    """Return a census of atoms with these parents; every parent's atoms are all published."""
    atoms = len(next(iter(parents.values())))
    frame = pd.DataFrame(
        {"unit_id": [f"{n:03d}" for n in range(atoms)], "population": 10.0, **parents}
    )
    frames = {finest: frame}
    published: dict[str, dict[str, dict[str, float]]] = {}
    for level, ids in parents.items():
        counts = pd.Series(ids).value_counts()
        frames[level] = pd.DataFrame({"unit_id": sorted(counts.index)})
        key = f"{finest.lower()}_count"
        published[level] = {unit: {key: float(n)} for unit, n in counts.items()}
    return Census(MemoryCensus(2021, frames, {}, {"published": published, **meta}))


def _cover(census: Census, *areas: Iterable[int], chosen: pd.DataFrame = _NONE) -> Cover:
    """Cover areas given as numbers of atoms (their ids; rows of a census have its own order)."""
    area = np.repeat(np.arange(len(areas)), [len(list(atoms)) for atoms in areas])
    ids = [f"{atom:03d}" for atoms in areas for atom in atoms]
    return fewest_units(census, area, census.rows(census.atom_level, ids), chosen)


def _names(census: Census, units: pd.DataFrame) -> list[str]:
    def name_of(level: str, census_row: int) -> str:
        return census.data.attributes(level, ["unit_id"], [census_row])["unit_id"][0]

    return [f"{unit.level}:{name_of(unit.level, unit.census_row)}" for unit in units.itertuples()]


def _atoms_of(census: Census, units: pd.DataFrame) -> list[int]:
    """Return the number of every atom of every unit, with repetition."""
    found: list[int] = []
    ids = census.data.attributes(census.atom_level, ["unit_id"])["unit_id"]
    for unit in units.itertuples():
        found += ids[census.atoms(unit.level, np.array([unit.census_row]))[1]].astype(int).tolist()
    return sorted(found)


def _fewest_by_enumeration(parents: dict[str, list[str | None]], wanted: set[int]) -> int:
    """Return the size of the smallest exact partition, by trying them all (the oracle)."""
    sets = {frozenset({atom}) for atom in wanted}
    for ids in parents.values():
        for unit in {i for i in ids if i is not None}:
            members = frozenset(n for n, i in enumerate(ids) if i == unit)
            if members <= wanted:
                sets.add(members)
    for count in range(1, len(wanted) + 1):
        for chosen in combinations(sorted(sets, key=len, reverse=True), count):
            if sum(map(len, chosen)) == len(wanted) and set().union(*chosen) == wanted:
                return count
    return 0


_PARENT = st.one_of(st.none(), st.sampled_from("uvwx"))


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(*[st.lists(_PARENT, min_size=9, max_size=9)] * 3),
    st.sets(st.integers(0, 8), min_size=1),
)
def test_fewest_units_equal_enumeration(rows, wanted) -> None:
    """Three levels that cut across each other: the cover is exact and no partition is smaller."""
    parents = {
        level: [None if i is None else level + i for i in ids]
        for level, ids in zip(("CSD", "CT", "POPCTR"), rows, strict=True)
        if any(i is not None for i in ids)
    }
    parents = parents or {"CSD": ["CSDu"] * 9}
    census = _census(parents)
    made = _cover(census, wanted)
    assert _atoms_of(census, made.units) == sorted(wanted)
    assert len(made.units) == _fewest_by_enumeration(parents, wanted)


def test_levels_that_do_not_nest_need_the_integer_program() -> None:
    """The largest unit first is not always best: two tracts beat a population centre and rests."""
    census = _census(
        {
            "CT": ["p", "p", "p", "q", "q", "q"],
            "POPCTR": ["z", "z", "z", "z", None, None],
        }
    )
    made = _cover(census, range(6))
    assert _names(census, made.units) == ["CT:p", "CT:q"]


def test_equal_units_are_named_by_the_first_level() -> None:
    """A city that is its own division is named as the division; ties go by level, then id."""
    census = _census({"CD": ["d"] * 3, "CSD": ["c"] * 3, "FED": ["f"] * 3})
    made = _cover(census, range(3))
    assert _names(census, made.units) == ["CD:d"]
    assert COVER_LEVELS.index("CD") < COVER_LEVELS.index("CSD")


def test_ties_prefer_the_cover_whose_larger_units_come_first() -> None:
    """Of two covers with two units the one that holds the largest unit is taken."""
    census = _census({"CT": ["p", "p", "q", "q"], "POPCTR": ["z", "z", "z", None]})
    made = _cover(census, range(4))
    assert _names(census, made.units) == ["POPCTR:z", "DA:003"]


def test_a_parent_not_proven_whole_is_stopped_and_named() -> None:
    """A province of which only one division is stored never stands for it."""
    census = _census({"PR": ["35"] * 3, "CD": ["3506"] * 3})
    published = dict(census.data.meta["published"])
    published["PR"] = {"35": {"population": 14_223_942}}
    census.data.meta = {**census.data.meta, "published": published}
    made = _cover(census, range(3))
    assert _names(census, made.units) == ["CD:3506"]
    assert _names(census, made.stopped) == ["PR:35"]


def test_postal_areas_never_stand_in_a_cover() -> None:
    """An FSA is not made of whole blocks in Statistics Canada's own retrieval."""
    census = _census({"FSA": ["K1A"] * 3, "CSD": ["c", "c", "d"]})
    made = _cover(census, [0, 1])
    assert _names(census, made.units) == ["CSD:c"]
    assert "FSA" not in COVER_LEVELS


def test_blocks_stand_only_where_nothing_else_can() -> None:
    """Fewer units with a block lose to more without: a block raises the floor to 100."""
    parents = {
        "DA": ["P", "P", "Q", "Q", "R", "R"],
        "POPCTR": ["z", "z", "z", "z", "z", None],
    }
    census = _census(parents, finest="DB")
    whole = _cover(census, range(6))
    assert _names(census, whole.units) == ["DA:P", "DA:Q", "DA:R"]
    # one area needs a block in any case, the other not: each for itself
    both = _cover(census, range(5), range(4))
    assert _names(census, both.units) == ["POPCTR:z", "DA:P", "DA:Q"]
    torn = _cover(census, range(3))
    assert _names(census, torn.units) == ["DA:P", "DB:002"]


def test_where_a_block_is_needed_anyway_fewest_units_count() -> None:
    """With a lone block elsewhere in the area the block beside the population centre may stand."""
    parents = {
        "DA": ["P", "P", "Q", "Q", "R", "R", "S", "S"],
        "POPCTR": ["z", "z", "z", "z", "z", None, None, None],
    }
    census = _census(parents, finest="DB")
    made = _cover(census, range(7))
    assert _names(census, made.units) == ["POPCTR:z", "DB:005", "DB:006"]


def test_a_chosen_unit_stands_without_proof() -> None:
    """What a rule chose is in the union as it is, proven whole or not."""
    census = _census({"CSD": ["c", "c", "d"]}, finest="DA")
    census.data.meta = {**census.data.meta, "published": {}}
    assert _names(census, _cover(census, [0, 1]).units) == ["DA:000", "DA:001"]
    chosen = pd.DataFrame({"area": [0], "level": ["CSD"], "census_row": [0]})
    assert _names(census, _cover(census, [0, 1], chosen=chosen).units) == ["CSD:c"]


def test_many_areas_at_once_equal_each_alone() -> None:
    """Areas that share units do not disturb each other."""
    census = _census({"CSD": ["c", "c", "d", "d"], "POPCTR": ["z", None, "z", None]})
    alone = [_cover(census, range(n)).units["census_row"].tolist() for n in (2, 3, 4)]
    together = _cover(census, range(2), range(3), range(4)).units
    assert [g["census_row"].tolist() for _, g in together.groupby("area")] == alone


def test_nothing_in_nothing_out() -> None:
    """An area without atoms has an empty cover."""
    census = _census({"CSD": ["c", "c"]})
    made = _cover(census, [])
    assert made.units.empty
    assert made.units.columns.tolist() == ["area", "level", "census_row"]


@pytest.mark.parametrize(
    ("published", "proven"),
    [
        ({"CSD": {"c": {"da_count": 2}}}, [True, False]),
        ({"CSD": {"c": {"population": 20}}}, [True, False]),
        ({"CSD": {"c": {"population": 21}, "d": {"da_count": 3}}}, [False, False]),
        # either is enough: the file may leave out units where nobody lives
        ({"CSD": {"c": {"population": 20, "da_count": 3}}}, [True, False]),
        # nobody lives there: equal zeros prove nothing
        ({"CSD": {"c": {"population": 0}}}, [False, False]),
        # what nests in a proven unit is whole
        ({"CD": {"e": {"population": 30}}}, [True, True]),
        # all provinces proven: the whole country is held
        ({"PR": {"35": {"population": 30}}}, [True, True]),
        ({"PR": {"35": {"population": 30}, "24": {"population": 9}}}, [True, True]),
        ({}, [False, False]),
    ],
)
def test_what_proves_a_unit_whole(published, proven) -> None:
    """Counts, people, nesting and the whole country prove; anything less does not."""
    census = _census({"CSD": ["c", "c", "d"], "CD": ["e"] * 3, "PR": ["35"] * 3})
    frames = {
        level: census.data.attributes(level).drop(columns="grid_m2", errors="ignore")
        for level in census.levels
    }
    frames["CSD"] = frames["CSD"].assign(CD="e", PR="35")
    frames["CD"] = frames["CD"].assign(PR="35")
    census = Census(MemoryCensus(2021, frames, {}, {"published": published}))
    assert Completeness(census).proven("CSD", [0, 1]).tolist() == proven


def test_a_tract_is_not_proven_by_one_province_of_two() -> None:
    """Tracts nest in no province by definition: only figures or the whole country prove them."""
    census = _census({"CT": ["t", "t"], "PR": ["35", "35"]})
    people = {"PR": {"35": {"population": 20}, "24": {"population": 9}}}
    census.data.meta = {**census.data.meta, "published": people}
    assert Completeness(census).proven("CT", [0]).tolist() == [False]
    del people["PR"]["24"]
    census.data.meta = {**census.data.meta, "published": people}
    assert Completeness(census).proven("CT", [0]).tolist() == [True]
