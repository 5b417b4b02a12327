"""Floors, income, reserves, and people who can be found by subtracting areas from one another."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import toytown
from hypothesis import given, settings
from hypothesis import strategies as st

from lipgeo import fit_boundaries, synthetic
from lipgeo.areas import ServiceAreas
from lipgeo.census import Census, MemoryCensus
from lipgeo.census.around import ground
from lipgeo.order.confidentiality import (
    check_cells,
    check_differences,
    check_income,
    check_reserves,
    margins,
)
from lipgeo.order.differencing import Published, differences

FLOORS = (40.0, 100.0)


def area(name: str, *cells: int, kind: str = "order", level: str = "") -> Published:
    """Return a published area."""
    return Published(name, kind, frozenset(cells), level)


def town_of_das(people: list[float]) -> tuple:
    """Return people, fine and own of a town whose pieces are dissemination areas, and them."""
    count = len(people)
    das = [area(f"DA:{n}", n, kind="standard", level="DA") for n in range(count)]
    return (people, [False] * count, range(count)), das


def rests(found) -> dict[str, float]:
    """Return the text of each difference to the people it leaves."""
    return {f"{d.whole.name} - {' - '.join(p.name for p in d.parts)}": d.people for d in found}


def test_a_pair_that_differs_by_twelve_people() -> None:
    """A less B leaves 12 people in a dissemination area of its own: found, once."""
    town, das = town_of_das([500, 600, 12, 700])
    areas = [area("A", 0, 1, 2), area("B", 0, 1)]
    found, cut = differences(*town, [*das, *areas], FLOORS)
    assert rests(found) == {"A - B": 12}
    assert not cut


def test_a_city_less_its_quadrants() -> None:
    """No pair tells, all four together do: 25 people are left."""
    town, das = town_of_das([500, 600, 700, 800, 25, 300])
    quadrants = [area(f"Q{n}", n) for n in range(4)]
    city = area("city", 0, 1, 2, 3, 4)
    found, _ = differences(*town, [*das, city, *quadrants], FLOORS)
    assert [(d.whole.name, len(d.parts), d.people) for d in found] == [("city", 4, 25)]


def test_a_city_that_is_a_standard_area_counts_too() -> None:
    """The municipality is not ordered, only its quadrants are: the rest is told all the same."""
    town, das = town_of_das([500, 600, 700, 30, 11])
    city = area("CSD:1", 0, 1, 2, 3, 4, kind="standard", level="CSD")
    quadrants = [area("north", 0, 3), area("south", 1, 2)]
    found, _ = differences(*town, [*das, city, *quadrants], FLOORS)
    assert rests(found)["CSD:1 - north - south"] == 11


def test_enough_people_or_none_are_no_finding() -> None:
    """What is left has 40 people, or nobody: nothing to say."""
    town, das = town_of_das([500, 600, 40, 0])
    areas = [area("A", 0, 1, 2, 3), area("B", 0, 1), area("C", 0, 1, 2)]
    assert differences(*town, [*das, *areas], FLOORS)[0] == []


def test_blocks_left_over_have_the_higher_floor() -> None:
    """An area of blocks less the dissemination areas in it leaves 60 people in a block: too few."""
    people, fine, own = [500, 60, 300], [False, True, True], [0, 1, 1]
    das = [area("DA:0", 0, kind="standard", level="DA"),
           area("DA:1", 1, 2, kind="standard", level="DA")]  # fmt: skip
    found, _ = differences(people, fine, own, [*das, area("A", 0, 1)], FLOORS)
    assert [(d.people, d.floor, d.known) for d in found] == [(60, 100, False)]


def test_areas_under_the_floor_are_no_parts() -> None:
    """What is not released cannot be subtracted: B has 30 people, so A less B tells nothing."""
    town, das = town_of_das([500, 30])
    assert not differences(*town, [*das[:1], area("B", 1)], FLOORS)[0]
    found, _ = differences(*town, [*das, area("A", 0, 1), area("B", 1)], FLOORS)
    assert rests(found) == {"A - DA:0": 30}


def test_earlier_orders_are_subtracted_too() -> None:
    """Last year's area less this year's leaves 20 people: both were or will be published."""
    town, _ = town_of_das([500, 20, 700])
    areas = [area("old", 0, 1, kind="earlier"), area("new", 0)]
    assert rests(differences(*town, areas, FLOORS)[0]) == {"old - new": 20}


def test_what_standard_areas_tell_by_themselves_is_known() -> None:
    """A municipality less its dissemination areas leaves 12 whatever is ordered: said as known."""
    town, das = town_of_das([500, 600, 12])
    csd = area("CSD:1", 0, 1, 2, kind="standard", level="CSD")
    found, _ = differences(*town, [*das, csd, area("A", 0, 2)], FLOORS)
    assert [(d.whole.name, d.known, d.blocky) for d in found] == [("A", True, True)]


def test_a_search_that_is_too_long_says_so(monkeypatch) -> None:
    """When there are more combinations than are looked at, the area is named."""
    monkeypatch.setattr("lipgeo.order.differencing._BUDGET", 0)
    town, das = town_of_das([500, 600, 12, 700])
    _, cut = differences(*town, [*das, area("A", 0, 1, 2), area("B", 0, 1, 2, 3)], FLOORS)
    assert cut == ["A", "B"]


@st.composite
def towns(draw):
    """Draw a town: dissemination areas of one to three pieces, unions of them, odd areas."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    own = np.repeat(np.arange(len(sizes)), sizes)
    some = st.sampled_from([0, 3, 12, 25, 41, 60, 150])
    people = draw(st.lists(some, min_size=len(own), max_size=len(own)))
    fine = [sizes[da] > 1 for da in own]
    das = [area(f"DA:{n}", *np.flatnonzero(own == n), kind="standard", level="DA")
           for n in range(len(sizes))]  # fmt: skip
    csd = area("CSD:1", *np.flatnonzero(own < len(sizes) - 1), kind="standard", level="CSD")
    cells = st.frozensets(st.integers(0, len(own) - 1), min_size=1)
    odd = [
        area(f"A{n}", *chosen, kind=draw(st.sampled_from(["order", "order", "earlier"])))
        for n, chosen in enumerate(draw(st.lists(cells, min_size=1, max_size=4)))
    ]
    return (people, fine, list(own)), [*das, csd, *odd]


def slow_rests(town, published) -> tuple[set, set]:
    """Look at every set of parts that do not overlap, of every area: the rests, by who tells them.

    Ten lines and no cleverness: what the search must find, and what standard areas tell alone.
    """
    people, fine, own = (np.asarray(x) for x in town)
    populated = {n for n in range(len(people)) if people[n] > 0}
    mates = {da: {n for n in populated if own[n] == da} for da in set(own.tolist())}

    def floor(cells):
        split = any(fine[n] and not mates[own[n]] <= set(cells) for n in cells)
        return FLOORS[1] if split else FLOORS[0]

    def released(one):
        cells = one.cells & populated
        limit = FLOORS[0] if one.kind == "standard" else floor(cells)
        return people[list(cells)].sum() >= limit if cells else False

    areas = [(one, one.cells & populated) for one in published if released(one)]
    ours, theirs = set(), set()
    for whole, cells in areas:
        inside = [(one, part) for one, part in areas if part < cells]
        for count in range(1, len(inside) + 1):
            for parts in combinations(inside, count):
                taken = [n for _, part in parts for n in part]
                rest = cells - set(taken)
                if len(set(taken)) == len(taken) and 0 < people[list(rest)].sum() < floor(rest):
                    alone = {one.kind for one, _ in parts} | {whole.kind} == {"standard"}
                    (theirs if alone else ours).add(frozenset(rest))
    return ours, theirs


@settings(max_examples=150, deadline=None)
@given(towns())
def test_the_search_finds_what_looking_at_everything_finds(town) -> None:
    """Every rest is real, and every real one holds one that is told (or that all knew)."""
    (people, fine, own), published = town
    ours, theirs = slow_rests((people, fine, own), published)
    found, cut = differences(people, fine, own, published, FLOORS)
    told = {d.rest for d in found}
    assert not cut
    assert told <= ours | theirs
    for rest in ours - theirs:
        assert any(small <= rest for small in told | theirs)
    for one in found:
        parts = [n for part in one.parts for n in part.cells]
        assert len(parts) == len(set(parts))
        populated = {n for n in one.whole.cells if people[n] > 0}
        assert set(parts) | one.rest == populated
        assert one.people == sum(people[n] for n in one.rest) < one.floor


def grid_census(people: list[float]) -> Census:
    """Return a made town: one dissemination area of two blocks for each number of people."""
    da = pd.DataFrame({"unit_id": [f"3506{n:04d}" for n in range(len(people))]})
    blocks = pd.DataFrame({"DA": da["unit_id"].repeat(2).to_numpy()})
    blocks["unit_id"] = blocks["DA"] + np.tile(["001", "002"], len(people))
    blocks["population"] = np.repeat(np.array(people, dtype=float), 2) / 2
    blocks["households"] = blocks["dwellings"] = np.ceil(blocks["population"] / 2)
    above = {"CSD": "3506008", "CD": "3506", "PR": "35"}
    for level, unit in above.items():
        blocks[level] = da[level] = unit
    da["population"] = np.array(people, dtype=float)
    frames = {"DB": blocks, "DA": da}
    for level, unit in above.items():
        frames[level] = pd.DataFrame({"unit_id": [unit]}).assign(
            **{up: above[up] for up in list(above)[list(above).index(level) + 1 :]}
        )
    return Census(MemoryCensus(2021, frames, {}))


def listed(census: Census, **areas: list[int]) -> pd.DataFrame:
    """Return units of areas made of dissemination areas, by number."""
    return pd.DataFrame(
        [(name, "DA", f"3506{n:04d}") for name, units in areas.items() for n in units],
        columns=["area_id", "level", "unit_id"],
    )


def test_planted_differences_are_found_and_only_they() -> None:
    """Twelve people in a pair, 25 in a city less its quadrants, among areas that overlap."""
    people = [400.0] * 40
    people[7], people[30] = 12, 25
    census = grid_census(people)
    quadrants = {f"q{n}": list(range(20 + 5 * n, 25 + 5 * n)) for n in range(4)}
    quadrants["q2"].remove(30)
    units = listed(
        census, big=[5, 6, 7, 8], small=[5, 6, 8], city=list(range(20, 40)), other=[0, 1, 2],
        wide=[0, 1, 2, 3, 4], **quadrants,
    )  # fmt: skip
    report = check_differences(ground(census, units), 2021)
    told = {(f.subject, f.value) for f in report.only("differencing")}
    assert told == {("big", 12), ("city", 25)}
    messages = " ".join(f.message for f in report.only("differencing"))
    assert "big less 1 area (small) leaves DA:35060007" in messages
    assert "city less 4 areas (q0, q1, q2, q3) leaves DA:35060030" in messages


def test_the_ground_is_in_pieces_that_no_area_cuts() -> None:
    """Only a dissemination area that an area cuts is in blocks; people add up; all is there."""
    census = toytown.census()
    areas = ServiceAreas.from_frame(toytown.areas(), id="area_id")
    b = fit_boundaries(census, areas, unit="DB")
    pieces = b.land
    assert pieces["population"].sum() == 1000
    assert sorted(pieces["level"].unique()) == ["DA", "DB"]
    assert pieces.loc[pieces["level"].eq("DA"), "unit_id"].tolist() == [
        toytown.DA_IDS["R"],
        toytown.DA_IDS["S"],
    ]
    for name, group in b.units.groupby("area_id"):
        held = pieces["areas"].map(lambda of, name=name: name in of)
        assert pieces.loc[held, "population"].sum() == group["population"].sum()
    assert pieces["whole"].map(lambda of: {"CSD", "CD", "PR"} <= set(of)).all()


def test_the_ground_of_the_made_census_adds_up() -> None:
    """Levels that do not nest cut dissemination areas into blocks; every whole unit adds up."""
    census = synthetic.census(blocks=2000, seed=5)
    areas = ServiceAreas.from_frame(synthetic.service_areas(census, 6, seed=2), id="area_id")
    b = fit_boundaries(census, areas, unit="DA")
    pieces = b.land
    assert not pieces["unit_id"].duplicated().any()
    for level in ("CSD", "DPL", "CT"):
        own = census.counts(level)["population"]
        whole = pieces[pieces["whole"].map(lambda of, level=level: level in of)]
        sums = whole.groupby(level)["population"].sum(min_count=1)
        known = own.reindex(sums.index)
        both = known.notna() & sums.notna()
        assert both.any()
        # a dissemination area's own population and its blocks' may differ by rounding
        assert np.abs(known[both] - sums[both]).max() <= 5
    for name, group in b.units.groupby("area_id"):
        held = pieces["areas"].map(lambda of, name=name: name in of)
        assert pieces.loc[held, "population"].sum() == pytest.approx(group["population"].sum())


def test_margins_and_income() -> None:
    """Below 250 people or 40 households no income; the margin to the floor is told."""
    census = grid_census([100.0, 150.0, 90.0, 600.0])
    units = listed(census, one=[0], two=[0, 1], big=[3])
    areas = pd.DataFrame(
        {
            "area_id": ["one", "two", "big"],
            "population_union": [100.0, 250.0, 600.0],
            "floor_persons": 40,
        }
    )
    made = margins(areas, ground(census, units), 2021)
    assert made["margin"].tolist() == [60, 210, 560]
    assert made["income_margin"].tolist() == [-150, 0, 350]
    assert made["households"].tolist() == [50, 126, 300]
    assert set(made["certainty"]) == {"carried forward"}
    report = check_income(made, vintage=2021)
    assert [f.subject for f in report.only("income_below")] == ["one"]
    assert report.only("place_of_work")
    few = made.assign(households=39.0, income_households_margin=-1.0)
    assert len(check_income(few, vintage=2021).only("income_below")) == 3


def test_near_the_floor_rounding_decides() -> None:
    """Forty-four people in small blocks may be fewer than 40: a note."""
    pieces = pd.DataFrame(
        {
            "level": "DB",
            "unit_id": ["1", "2", "3", "4"],
            "population": [10.0, 10.0, 10.0, 14.0],
            "households": 5.0,
            "areas": [["a"]] * 4,
        }
    )
    areas = pd.DataFrame({"area_id": ["a"], "population_union": [44.0], "floor_persons": [40]})
    made = margins(areas, pieces, 2016)
    assert made["rounding"].tolist() == [16]
    assert check_income(made, vintage=2016).only("near_floor")


def test_reserves_and_incomplete_enumeration() -> None:
    """Of 2006, areas with reserves are warned of; of any year, blocks not fully enumerated."""
    pieces = pd.DataFrame(
        {
            "level": ["DA", "DA"],
            "unit_id": ["48150001", "48150002"],
            "CSD": ["4815001", "4815802"],
            "incomplete": [False, True],
            "reserve": [False, True],
            "areas": [["town"], ["town", "band"]],
        }
    )
    report = check_reserves(pieces, 2006)
    assert [(f.check, f.subject) for f in report] == [
        ("incomplete_enumeration", "band"), ("incomplete_enumeration", "town"),
        ("reserves_2006", "band"), ("reserves_2006", "town"),
    ]  # fmt: skip
    assert "CSD:4815802" in report.only("reserves_2006").findings[0].message
    assert not check_reserves(pieces, 2016).only("reserves_2006")
    assert check_reserves(pieces.assign(reserve=False), 2006).only("reserves_unknown")


def test_reserves_of_the_made_census_are_seen() -> None:
    """A union of 2006 with a reserve of the made census is warned of."""
    census = synthetic.census(blocks=2000, vintage=2006, seed=3)
    towns = census.units("CSD")
    reserve = towns.index[towns["unit_type"].isin(["IRI"])]
    if not len(reserve):
        pytest.skip("the made census of 2006 has no reserve here")
    units = pd.DataFrame({"area_id": "a", "level": "CSD", "unit_id": [reserve[0]]})
    assert check_reserves(ground(census, units), 2006).only("reserves_2006")


def test_earlier_areas_of_another_census_are_not_compared() -> None:
    """Equal digits of two censuses need not be the same land: said, not guessed."""
    census = grid_census([500.0, 20.0, 300.0])
    land = ground(census, listed(census, new=[0]))
    assert not check_differences(land, 2021).only("differencing")
    old = {"custom_id": "OLD", "vintage": 2021, "units": {"DA": {"35060000": 1, "35060001": 1}}}
    report = check_differences(land, 2021, [old])
    assert [f.value for f in report.only("differencing")] == [20]
    report = check_differences(land, 2021, [{**old, "vintage": 2016}])
    assert report.only("earlier_not_compared")
    assert not report.only("differencing")


def test_cells_that_come_back_as_nothing_are_predicted() -> None:
    """Counts below 10 are named; rates are not looked at; areas not ordered are not."""
    estimates = pd.DataFrame(
        {
            "area_id": pd.array(["a", "a", "a", "z"], dtype="string"),
            "variable": ["immigrants", "refugees", "rate", "immigrants"],
            "value": [400.0, 6.0, 0.4, 1.0],
            "rule": ["count", "count", "rate", "count"],
        }
    )
    report = check_cells(pd.Series(["a", "b"]), estimates)
    assert [(f.subject, f.value, f.limit) for f in report] == [("a", 1, 2)]
    assert "refugees" in report.findings[0].message


def test_earlier_areas_that_lie_elsewhere_or_cut_are_compared() -> None:
    """Units of an earlier area that are not around, and blocks of a whole area, are pieced in."""
    census = grid_census([500.0, 300.0, 400.0])
    land = ground(census, listed(census, new=[0, 1, 2]))
    far = {"DA": {"24660001": 15.0, **{f"3506{n:04d}": 1.0 for n in range(3)}}}
    old = {"custom_id": "OLD", "vintage": 2021, "units": far}
    report = check_differences(land, 2021, [old])
    assert [(f.subject, f.value) for f in report.only("differencing")] == [("OLD *", 15)]
    blocks = {"DA": {"35060000": 500.0, "35060001": 300.0}, "DB": {"35060002001": 370.0}}
    report = check_differences(land, 2021, [{**old, "units": blocks}])
    assert [(f.value, f.limit) for f in report.only("differencing")] == [(30, 100)]
