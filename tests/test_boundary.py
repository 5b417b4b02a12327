"""Fitting service areas to census units: rules, measures, unit lists, mixed levels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import toytown
from geopandas.testing import assert_geodataframe_equal
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lipgeo.areas import ServiceAreas
from lipgeo.boundary import Boundaries, fit_boundaries
from lipgeo.boundary.checks import FLAGS
from lipgeo.boundary.rules import RULES
from lipgeo.census import Census, MemoryCensus
from lipgeo.cli.options import RuleChoice
from lipgeo.crosswalk import build_crosswalk
from lipgeo.errors import AreaError, FitError, MissingLevelError
from lipgeo.words import catalogue

DA, DB = toytown.DA_IDS, toytown.DB_IDS
PEOPLE = toytown.POPULATION
_TOWN = toytown.census()
LETTER = {unit: letter for letter, unit in {**DB, **DA}.items()}


@pytest.fixture(scope="module")
def town() -> Census:
    """Return the toy town."""
    return _TOWN


@pytest.fixture(scope="module")
def areas() -> ServiceAreas:
    """Return the toy town's three areas."""
    return ServiceAreas.from_frame(toytown.areas(), id="area_id")


def changed(census: Census, **meta: object) -> Census:
    """Return a census with other metadata and, by `drop`, without some columns or levels."""
    drop = meta.pop("drop", ())
    levels = [level for level in census.levels if level not in drop]
    data = census.data
    frames = {
        level: data.attributes(level).drop(columns=[*drop, "grid_m2"], errors="ignore")
        for level in levels
    }
    polygons = {level: data.geometry(level) for level in levels}
    return Census(MemoryCensus(2021, frames, polygons, {**data.meta, **meta}))


def outline(*drawing: str, **options: object) -> ServiceAreas:
    """Return areas drawn in the toy town's grid, or shifted from it."""
    return ServiceAreas.from_frame(
        toytown.draw("\n".join(drawing), id="area_id", **options), id="area_id"
    )


def members(b: Boundaries) -> dict[str, str]:
    """Return the letters of each area's units."""
    return {
        area: "".join(sorted(LETTER[unit] for unit in group["unit_id"]))
        for area, group in b.units.groupby("area_id")
    }


# ------------------------------------------------------------------------------------ rules


@pytest.mark.parametrize(
    ("rule", "options", "expected"),
    [
        ("within", {}, {"1": "ab", "2": "ef", "3": "d"}),
        ("touching", {}, {"1": "abc", "2": "efij", "3": "d"}),
        ("majority", {}, {"1": "abc", "2": "efij", "3": "d"}),
        ("majority", {"threshold": 0.6}, {"1": "ab", "2": "ef", "3": "d"}),
        ("largest", {}, {"1": "abc", "2": "efij", "3": "d"}),
        ("point", {}, {"1": "abc", "2": "efij", "3": "d"}),
    ],
)
def test_each_rule_takes_the_blocks_it_says(town, areas, rule, options, expected) -> None:
    """Blocks cut in half stand on the line: half is a majority, equal to the outside, a point."""
    assert members(fit_boundaries(town, areas, unit="DB", rule=rule, **options)) == expected


def test_majority_goes_by_people_not_by_land(town) -> None:
    """Area 1 holds 83 % of the people of P on half its land: in by people and by half the land."""
    one = outline("11111...", "11111...", "........", "........", "........", "........")
    by_people = fit_boundaries(town, one, threshold=0.6)
    by_land = fit_boundaries(town, one, threshold=0.6, by="area")
    assert members(by_people) == {"1": "P"}
    assert members(by_land) == {}
    assert by_people.units["share"].iloc[0] == pytest.approx(300 / 360)


def test_largest_competes_with_the_outside_and_with_other_areas(town) -> None:
    """A share of 0.4 loses to an outside of 0.6 and wins against 0.3 twice."""
    alone = outline("1.......", "........", "........", "........", "........", "........")
    assert members(fit_boundaries(town, alone, rule="largest")) == {}
    three = outline("11223344", "11223344", "11113344", "........", "........", "........")
    assert members(fit_boundaries(town, three, rule="largest", by="area"))["1"] == "P"


def test_largest_counts_unit_lists_among_the_rivals(town) -> None:
    """A unit that a list holds whole is not another area's largest."""
    drawn = outline("1111....", "1111....", "1111....", "........", "........", "........")
    listed = ServiceAreas.from_units({"csd": ["CSD:3506008"]}, town)
    alone = fit_boundaries(town, drawn, rule="largest")
    both = fit_boundaries(town, ServiceAreas.concat([drawn, listed]), rule="largest")
    assert members(alone) == {"1": "P"}
    assert both.units["area_id"].tolist() == ["csd"]


def test_point_falls_back_to_a_point_on_the_polygon(town, areas) -> None:
    """A census without representative points is fitted by points on the surface."""
    bare = changed(town, drop=("x", "y"))
    assert members(fit_boundaries(bare, areas, unit="DB", rule="point"))["1"].startswith("ab")


def test_within_and_touching_ignore_slivers(town) -> None:
    """An outline a hand's breadth off changes neither rule; with no sliver allowed it does."""
    shifted = outline(*["1111...."] * 4, *["........"] * 2, origin=(7_470_000.1, 1_190_000.1))
    kinds = {
        (rule, sliver): members(
            fit_boundaries(town, shifted, unit="DB", rule=rule, sliver_share=sliver)
        ).get("1")
        for rule in ("within", "touching")
        for sliver in (0.005, 0.0)
    }
    assert kinds["within", 0.005] == kinds["touching", 0.005] == "abef"
    assert len(kinds["within", 0.0] or "") < 4 < len(kinds["touching", 0.0] or "")


def test_exclusive_gives_each_unit_to_the_largest_share_and_ties_to_the_first_id(town) -> None:
    """Two areas over one block: the larger share has it; equal shares go by id."""
    left = toytown.draw("1111....\n........\n........\n........\n........\n........", id="area_id")
    wide = toytown.draw("22222222\n22222222\n........\n........\n........\n........", id="area_id")
    over = ServiceAreas.from_frame(pd.concat([left, wide], ignore_index=True), id="area_id")
    shared = fit_boundaries(town, over, unit="DB")
    assert members(shared) == {"1": "ab", "2": "abcd"}
    assert "overlap" in shared.areas["flags"].iloc[0]
    assert "overlap" in shared.areas["flags"].iloc[1]
    found = shared.report.only("overlap")
    assert [f.value for f in found] == [300.0]
    assert members(fit_boundaries(town, over, unit="DB", exclusive=True)) == {"2": "abcd"}
    twins = ServiceAreas.from_frame(
        pd.concat([wide.assign(area_id="9"), wide], ignore_index=True), id="area_id"
    )
    assert members(fit_boundaries(town, twins, unit="DB", exclusive=True)) == {"2": "abcd"}


def test_exclusive_never_takes_from_a_unit_list(town) -> None:
    """Units a list holds are not admitted to a drawn area, which the lists outlive unchanged."""
    drawn = outline(*["11111111"] * 6)
    listed = ServiceAreas.from_units({"q": [f"DA:{DA['Q']}"]}, town)
    b = fit_boundaries(town, ServiceAreas.concat([drawn, listed]), exclusive=True)
    assert members(b) == {"1": "PRS", "q": "Q"}
    assert not b.report.only("overlap")


#: rules that take each unit by itself
_SINGLE = sorted(name for name, rule in RULES.items() if not rule.together)
_LAND = st.lists(st.text("123.", min_size=8, max_size=8), min_size=6, max_size=6)
_GRID = np.array([list(row) for row in toytown.BLOCKS.split()])


@settings(max_examples=25, deadline=None)
@given(_LAND, st.sampled_from(_SINGLE), st.sampled_from(["DA", "DB", "mixed"]), st.booleans())
def test_what_always_holds(land: list[str], rule: str, unit: str, exclusive: bool) -> None:
    """For any areas and rule: measures balance, membership is the units, the cover is the union.

    The oracle counts squares of the drawing: a block has four.
    """
    assume(set("".join(land)) - {"."})
    town, rule = _TOWN, "majority" if unit == "mixed" else rule
    b = fit_boundaries(town, outline(*land), unit=unit, rule=rule, exclusive=exclusive)
    parents = town.units("DB")[["DA", "CSD", "CD", "PR"]]
    areas = b.areas.set_index("area_id")
    squares = np.array([list(row) for row in land])
    for area, row in areas.iterrows():
        inside = {x: (squares[x == _GRID] == area).mean() for x in PEOPLE}
        people = sum(PEOPLE[x] * share for x, share in inside.items())
        assert row["population_drawn"] == pytest.approx(people)
        held = _blocks(b.units, parents, area)
        assert _blocks(b.cover, parents, area) == held
        assert len(held) == len(set(held))
        omitted = sum(PEOPLE[x] * s for x, s in inside.items() if x not in held)
        added = sum(PEOPLE[x] * (1 - inside[x]) for x in held)
        assert row["population_omitted"] == pytest.approx(omitted)
        assert row["population_added"] == pytest.approx(added)
        assert row["population_union"] == pytest.approx(sum(PEOPLE[x] for x in held))
        assert row["geometry"].is_valid
        assert row["geometry"].area == pytest.approx(40_000 * len(held))
    assert (b.membership.frame["share"] == 1).all()
    assert b.report.worst != "error"
    if exclusive:
        assert not b.report.only("overlap")


def _blocks(units: pd.DataFrame, parents: pd.DataFrame, area: object) -> list[str]:
    """Return the blocks of an area's units, with repetition."""
    ids = units.loc[units["area_id"] == area, "unit_id"]
    return sorted(
        LETTER[block] for unit in ids for block in parents.index
        if unit == block or unit in parents.loc[block].tolist()
    )  # fmt: skip


# --------------------------------------------------------------------------------- measures


def test_measures_by_hand(town, areas) -> None:
    """Area 1 with P: misses half of c (40 of 80 people), gains e and f (60); 340 are drawn."""
    b = fit_boundaries(town, areas)
    one = b.areas.set_index("area_id").loc["1"]
    assert one["population_drawn"] == 340
    assert (one["population_omitted"], one["population_added"]) == (40, 60)
    assert one["misfit_share"] == pytest.approx(100 / 340)
    assert (one["dwellings_omitted"], one["dwellings_added"]) == (20, 37)
    assert one["land_km2_omitted"] == pytest.approx(0.02)
    assert one["land_km2_union"] == pytest.approx(0.16)
    assert one["population"] == one["population_union"] == 360


def test_misfit_is_by_land_where_nobody_lives(town) -> None:
    """A park has no people to misplace: its misfit is by land, and the flag says so."""
    park = outline("........", "........", "..11..11", "..11..11", "........", "........")
    b = fit_boundaries(town, park, unit="DB")
    area = b.areas.iloc[0]
    assert area["population_drawn"] == 0
    assert "misfit_by_land" in area["flags"]
    assert area["misfit_share"] == pytest.approx(0.0)
    assert [LETTER[u] for u in b.units["unit_id"]] == ["f", "h"]


def test_an_area_that_gets_no_unit_stays_and_is_said(town) -> None:
    """Nothing admitted: the area keeps its row, an empty valid polygon, and a warning."""
    corner = outline("1.......", *["........"] * 5)
    b = fit_boundaries(town, corner)
    area = b.areas.iloc[0]
    assert (area["unit_count"], area["population_union"], area["part_count"]) == (0, 0, 0)
    assert area.geometry.is_empty
    assert area.geometry.is_valid
    assert area["flags"].startswith("no_units")
    assert b.report.only("no_units").worst == "warning"
    assert area["misfit_share"] == 1


def test_missing_counts_stay_missing(town, areas) -> None:
    """A block without a count is not a block of nobody: its areas are flagged."""
    frames = {level: town.data.attributes(level).drop(columns="grid_m2") for level in town.levels}
    frames["DB"].loc[frames["DB"]["unit_id"] == DB["a"], "population"] = np.nan
    polygons = {level: town.data.geometry(level) for level in town.levels}
    torn = Census(MemoryCensus(2021, frames, polygons))
    b = fit_boundaries(torn, areas, unit="DB").areas.set_index("area_id")
    assert "counts_missing" in b.loc["1", "flags"]
    assert "counts_missing" not in b.loc["3", "flags"]
    assert b.loc["1", "population_union"] == PEOPLE["b"] + PEOPLE["c"]


def test_land_that_is_not_published_is_measured_and_said(town, areas) -> None:
    """Without Statistics Canada's land area the polygons are measured, off the conformal grid."""
    b = fit_boundaries(changed(town, drop=("land_km2",)), areas, unit="DB")
    assert b.areas["flags"].str.contains("land_measured").all()
    assert b.areas["land_km2_union"].iloc[0] == pytest.approx(0.12, rel=0.1)
    assert b.areas["land_km2_union"].iloc[0] != pytest.approx(0.12, rel=1e-6)


def test_without_blocks_shares_are_by_area_and_said(town, areas) -> None:
    """A census of dissemination areas alone has nothing finer to share people by."""
    b = fit_boundaries(changed(town, drop=("DB",)), areas)
    assert b.report.only("share_by_area").worst == "warning"
    assert b.areas["flags"].str.contains("share_by_area").any()


def test_units_that_hold_the_tables(town, areas) -> None:
    """Columns, names and order are the contract."""
    b = fit_boundaries(town, areas, unit="DB")
    assert b.units.columns.tolist() == [
        "area_id", "level", "unit_id", "unit_name", "unit_type", "dguid", "share", "status",
        "population", "dwellings",
    ]  # fmt: skip
    assert b.cover.columns.tolist() == [
        "area_id", "level", "unit_id", "unit_name", "unit_type", "dguid", "population",
    ]  # fmt: skip
    wanted = {
        "area_id", "name_en", "name_fr", "vintage", "definition", "unit_count", "misfit_share",
        "part_count", "hole_count", "floor_persons", "below_floor", "flags", "geometry",
        "population", "classification",
    }  # fmt: skip
    wanted |= {
        f"{m}_{p}"
        for m in ("population", "dwellings", "land_km2")
        for p in ("union", "omitted", "added", "drawn")
    }
    assert wanted <= set(b.areas.columns)
    assert b.areas["area_id"].tolist() == ["1", "2", "3"]
    assert b.areas.crs.to_epsg() == 3347
    assert b.units["dguid"].iloc[0] == "2021S0513" + DB["a"]
    assert b.units.set_index("unit_id").loc[DB["c"], "status"] == "straddling"
    assert (b.rule, b.vintage, len(b)) == ("majority", 2021, 3)
    assert b.meta["by"] == "population"
    assert set(";".join(b.areas["flags"]).split(";")) - {""} <= set(FLAGS)


def test_membership_is_the_union_and_crosswalk_the_drawn_area(town, areas) -> None:
    """The order buys the union: 0 or 1; the drawn area's shares stand apart."""
    b = fit_boundaries(town, areas)
    pairs = b.membership.frame
    assert set(zip(pairs["target_id"], pairs["source_id"], strict=True)) == set(
        zip(b.units["area_id"], b.units["unit_id"], strict=True)
    )
    assert b.crosswalk == build_crosswalk(town.zones("DA"), areas, weight="population")
    weighted = pairs.assign(
        people=town.units("DA")["population"].reindex(pairs["source_id"]).values
    )
    sums = weighted.groupby("target_id")["people"].sum()
    union = b.areas.set_index("area_id")["population_union"]
    assert sums.to_dict() == union[union > 0].to_dict()


def test_shapes_hold_the_chosen_and_the_cut_but_left_out(town, areas) -> None:
    """The preview shows what was chosen and what an outline cut and left."""
    b = fit_boundaries(town, areas)
    left = b.shapes[b.shapes["status"] == "left_out"]
    assert {LETTER[u] for u in left["unit_id"]} == {"P", "Q"}
    chosen = b.shapes[b.shapes["status"] != "left_out"]
    assert chosen["unit_id"].tolist() == b.units["unit_id"].tolist()
    assert b.shapes.geometry.notna().all()
    assert b.shapes is b.shapes


def test_repr_answers_the_first_question(town, areas) -> None:
    """How many areas, of what, how well, how many below the floor."""
    shown = repr(fit_boundaries(town, areas))
    assert "3 areas" in shown
    assert "DA by majority of population" in shown
    assert "misfit" in shown
    html = fit_boundaries(town, areas)._repr_html_()
    assert "<table" in html
    assert "misfit" in html


# ------------------------------------------------------------------------------- unit lists


def test_unit_lists_are_taken_exactly_at_their_levels(town) -> None:
    """Two subdivisions stay two subdivisions, though together they are the division."""
    listed = ServiceAreas.from_units({"all": ["CSD:3506008", "CSD:3506012"]}, town)
    known = {"CD": {"3506": {"population": 1000}}}
    b = fit_boundaries(changed(town, published=known), listed)
    area = b.areas.iloc[0]
    assert (area["definition"], area["misfit_share"], area["population_union"]) == (
        "units",
        0,
        1000,
    )
    assert area["population_omitted"] == area["population_added"] == 0
    assert b.units["level"].tolist() == b.cover["level"].tolist() == ["CSD", "CSD"]
    assert (b.units["share"] == 1).all()
    assert (b.units["status"] == "inside").all()
    assert area["floor_persons"] == 40
    assert area["classification"] == "semi-custom"
    assert area.geometry.area == pytest.approx(12 * 40_000)


def test_a_list_needs_no_unit_level_and_no_drawn_area(town) -> None:
    """A store of municipalities alone serves a list of municipalities."""
    small = changed(town, drop=("DB", "DA"))
    b = fit_boundaries(small, ServiceAreas.from_units({"c": ["CSD:3506012"]}, small))
    assert b.areas["population_union"].tolist() == [510]
    assert b.membership.frame["source_id"].tolist() == ["3506012"]


def test_lists_and_outlines_in_one_call(town, areas) -> None:
    """Each kind as itself: the outline is fitted, the list is not."""
    listed = ServiceAreas.from_units({"c": ["CSD:3506012", f"DB:{DB['d']}"]}, town)
    b = fit_boundaries(town, ServiceAreas.concat([areas, listed]))
    frame = b.areas.set_index("area_id")
    assert frame["definition"].to_dict() == {"1": "drawn", "2": "drawn", "3": "drawn", "c": "units"}
    assert frame.loc["c", "population_union"] == 550
    assert frame.loc["c", "floor_persons"] == 100
    assert frame.loc["c", "classification"] == "custom"
    assert frame.loc["1", "population_union"] == 360
    # the list holds a block: memberships are told at the level of blocks
    assert b.membership.source_level == "DB"
    assert (b.membership.frame["share"] == 1).all()
    assert b.crosswalk.source_level == "DA"


def test_units_without_polygon_are_in_the_union_by_id(town) -> None:
    """A subdivision without a polygon is drawn from its blocks; a block without one is named."""
    polygons = {level: town.data.geometry(level).copy() for level in town.levels}
    polygons["CSD"][:] = None
    frames = {level: town.data.attributes(level).drop(columns="grid_m2") for level in town.levels}
    lost = frames["DB"].index[frames["DB"]["unit_id"] == DB["l"]][0]
    polygons["DB"][lost] = None
    torn = Census(MemoryCensus(2021, frames, polygons))
    listed = {"c": ["CSD:3506012"], "d": [f"DB:{DB['l']}", f"DB:{DB['k']}"]}
    b = fit_boundaries(torn, ServiceAreas.from_units(listed, torn))
    assert b.areas["population_union"].tolist() == [510, 310]
    assert b.areas.geometry.area.tolist() == pytest.approx([3 * 40_000, 40_000])
    assert "no_polygon" in b.areas["flags"].iloc[1]
    assert DB["l"] in b.report.only("no_polygon").findings[0].message


def test_a_listed_unit_of_which_less_is_held_is_said(town) -> None:
    """An extract cannot pass for the whole: held and published people differ."""
    extract = changed(town, published={"CD": {"3506": {"population": 5000}}})
    b = fit_boundaries(extract, ServiceAreas.from_units({"cd": ["CD:3506"]}, extract))
    assert "unit_incomplete" in b.areas["flags"].iloc[0]


# ----------------------------------------------------------------------------- mixed levels


def test_mixed_takes_coarse_where_whole_and_fine_along_the_outline(town) -> None:
    """A proven subdivision is taken whole; the other is opened to areas and blocks."""
    published = {"CSD": {c: {"population": n} for c, n in {"3506008": 490, "3506012": 510}.items()}}
    census = changed(town, published=published)
    drawn = outline(*["11111111"] * 4, "1111....", "1111....")
    b = fit_boundaries(census, drawn, unit="mixed")
    assert b.units["level"].tolist() == ["CSD", "DA"]
    assert b.areas["misfit_share"].iloc[0] == pytest.approx(0)
    assert b.cover["level"].tolist() == ["CSD", "DA"]
    cut = outline(*["11111111"] * 4, "11......", "11......")
    assert fit_boundaries(census, cut, unit="mixed").units["level"].tolist() == ["CSD", "DB"]


def test_mixed_never_takes_what_is_not_proven_whole(town) -> None:
    """Of a province only this town is held: its blocks are all inside and it is still opened."""
    b = fit_boundaries(town, outline(*["11111111"] * 6), unit="mixed")
    assert set(b.units["level"]) == {"DB"}
    assert "parent_incomplete" in b.areas["flags"].iloc[0]


def test_mixed_keeps_an_area_smaller_than_a_hundredth_of_its_parent(town) -> None:
    """Less than 1 % of the division, and all of the area: opened, not dropped."""
    frames = {level: town.data.attributes(level).drop(columns="grid_m2") for level in town.levels}
    frames["DB"].loc[frames["DB"]["unit_id"] == DB["k"], "population"] = 100_000.0
    polygons = {level: town.data.geometry(level) for level in town.levels}
    census = Census(MemoryCensus(2021, frames, polygons))
    drawn = outline("11......", "11......", *["........"] * 4)
    assert members(fit_boundaries(census, drawn, unit="mixed")) == {"1": "a"}


def test_mixed_and_exclusive_share_no_block(town) -> None:
    """Two overlapping areas of coarse units part at the blocks, each block where more of it is."""
    published = {"CSD": {c: {"population": n} for c, n in {"3506008": 490, "3506012": 510}.items()}}
    census = changed(town, published=published)
    top = toytown.draw("\n".join(["11111111"] * 4 + ["........"] * 2), id="area_id")
    wide = toytown.draw("\n".join(["......22"] * 6), id="area_id")
    both = ServiceAreas.from_frame(pd.concat([top, wide], ignore_index=True), id="area_id")
    free = fit_boundaries(census, both, unit="mixed")
    assert free.units["level"].tolist()[0] == "CSD"
    assert len(free.report.only("overlap"))
    b = fit_boundaries(census, both, unit="mixed", exclusive=True)
    assert not b.report.only("overlap")
    assert b.areas["population_union"].sum() == 490 + PEOPLE["l"]


# ------------------------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"rule": "best"}, r"within, touching, majority, largest, point, optimal; \"best\" was"),
        ({"by": "income"}, r"by one of population, dwellings.*\"income\" was given"),
        ({"threshold": 0}, "above 0 and at most 1; 0 was given"),
        ({"sliver_share": 0.7}, "at least 0 and below 0.5; 0.7 was given"),
        ({"unit": "mixed", "accept": 0.4}, "above 0.5 and at most 1; 0.4 was given"),
        ({"unit": "mixed", "rule": "point"}, "Mixed levels go with the rules majority and optimal"),
        ({"contiguous": True}, r"rule that chooses units together.*contiguous"),
        ({"controls": pd.DataFrame()}, r"rule that chooses units together.*controls"),
    ],
)
def test_options_that_cannot_be(town, areas, options, match) -> None:
    """A wrong option is told with what is possible."""
    with pytest.raises(FitError, match=match):
        fit_boundaries(town, areas, **options)


def test_all_wrong_options_at_once(town, areas) -> None:
    """Three faults are one error with three rows."""
    with pytest.raises(FitError, match=r"(?s)rule.*Shares.*threshold") as caught:
        fit_boundaries(town, areas, rule="best", by="luck", threshold=2)
    assert len(caught.value.rows) == 3


def test_a_plain_frame_is_told_how_to_become_areas(town) -> None:
    """A GeoDataFrame is no set of areas yet."""
    with pytest.raises(FitError, match="service areas; a GeoDataFrame was given"):
        fit_boundaries(town, toytown.areas())


def test_a_level_that_is_not_held(town, areas) -> None:
    """The census says what it holds and how to add the rest."""
    with pytest.raises(MissingLevelError, match=r"needs the level DA.*holds"):
        fit_boundaries(changed(town, drop=("DA",)), areas)


def test_no_counts_at_all(town, areas) -> None:
    """Shares of people need people; by area does without."""
    bare = changed(town, drop=("population", "dwellings", "households"))
    with pytest.raises(FitError, match=r"population needs counts.*92-151"):
        fit_boundaries(bare, areas)
    b = fit_boundaries(bare, areas, by="area")
    assert b.areas["population_union"].iloc[0] != b.areas["population_union"].iloc[0]
    assert "population_unknown" in b.areas["flags"].iloc[0]
    assert b.report.only("floor_unknown").worst == "warning"


def test_areas_that_miss_the_census(town, areas) -> None:
    """An area elsewhere in Canada is named; the others are not fitted behind its back."""
    far = toytown.draw("x", id="area_id", origin=(7_000_000.0, 1_500_000.0))
    both = pd.concat([toytown.areas(), far], ignore_index=True)
    with pytest.raises(AreaError, match="meet none of its units: x") as caught:
        fit_boundaries(town, ServiceAreas.from_frame(both, id="area_id"))
    assert caught.value.problems["area_id"].tolist() == ["x"]


def test_lists_of_another_vintage(town) -> None:
    """Codes of 2021 are not fitted to 2016."""
    listed = ServiceAreas.from_units({"c": ["CSD:3506012"]}, town)
    old = Census(
        MemoryCensus(2016, {"CSD": town.data.attributes("CSD").drop(columns="grid_m2")}, {}, {})
    )
    with pytest.raises(AreaError, match=r"2021.*2016|2016.*2021"):
        fit_boundaries(old, listed)


def test_nothing_given_is_changed(town, areas) -> None:
    """The areas and the census are as they were."""
    before = areas.frame.copy()
    fit_boundaries(town, areas, unit="DB", exclusive=True)
    assert_geodataframe_equal(areas.frame, before)


def test_same_input_same_result(town, areas) -> None:
    """Twice the same call, twice the same frames; another order of areas, the same areas."""
    first, second = (fit_boundaries(town, areas, unit="mixed") for _ in range(2))
    pd.testing.assert_frame_equal(first.units, second.units)
    pd.testing.assert_frame_equal(first.cover, second.cover)
    turned = fit_boundaries(town, areas.select(["3", "1", "2"]), unit="mixed")
    order: Callable[[pd.DataFrame], pd.DataFrame] = lambda f: f.sort_values(  # noqa: E731
        ["area_id", "unit_id"], ignore_index=True
    )
    pd.testing.assert_frame_equal(order(turned.units), order(first.units))
    assert turned.areas["area_id"].tolist() == ["3", "1", "2"]


def test_a_rule_is_known_wherever_rules_are_named() -> None:
    """The command line's choice, the sentences of the order and the docs know every rule."""
    said = {key.removeprefix("boundary.rule_") for key in catalogue() if "boundary.rule_" in key}
    assert [choice.value for choice in RuleChoice] == list(RULES)
    assert said == set(RULES)
    assert all(f"``{rule}``" in str(fit_boundaries.__doc__) for rule in RULES)
