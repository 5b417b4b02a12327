"""Counts that differ on two sides of an outline follow their own geography, and others do not."""

import numpy as np
import pandas as pd
import pytest
import shapely

from lipgeo import CensusTable, Crosswalk, Zones, build_crosswalk, calibrate
from lipgeo.errors import TableError
from lipgeo.store.results import read_crosswalk, write_crosswalk
from lipgeo.tables.variables import Variable, known_variables
from lipgeo.tables.weight import weight_table

#: counts of one whole: of the first two there is more in the west and in the east
PARTS = ["western", "eastern", "others"]
#: one alone, of which there is as much on both sides
EVEN = "even"
#: part of a part
NEAR = "western_young"


def _count(name: str, whole: str, within: str | None = None) -> Variable:
    return Variable(
        name, "count", denominator=whole, within=within, universe="population", rounding=0
    )


RULES = {
    "population": Variable("population", "count", universe="population", rounding=0),
    "asked": Variable("asked", "count", universe="population", rounding=0),
    **{name: _count(name, "asked") for name in PARTS},
    NEAR: _count(NEAR, "asked", "western"),
    EVEN: _count(EVEN, "population"),
    "western_pct": Variable("western_pct", "percent", denominator="asked", numerator="western"),
}


def draw_people(rng: np.random.Generator, west: np.ndarray) -> dict[str, np.ndarray]:
    """Return what people on one side of the line are: 60 in 100 western, or 20."""
    size = rng.integers(200, 400, len(west))
    rates = np.where(west[:, None], [0.6, 0.1, 0.3], [0.2, 0.5, 0.3])
    parts = np.array([rng.multinomial(n, rate) for n, rate in zip(size, rates, strict=True)])
    return {
        "population": size,
        **dict(zip(PARTS, parts.T, strict=True)),
        NEAR: rng.binomial(parts[:, 0], 0.3),
        EVEN: rng.binomial(size, 0.3),
    }


@pytest.fixture(scope="module")
def town() -> tuple[Zones, Zones, CensusTable, pd.DataFrame]:
    """Return squares, two areas whose outline cuts a column of them, counts, and the truth."""
    rng = np.random.default_rng(7)
    x, y = (one.ravel() for one in np.meshgrid(np.arange(16), np.arange(24)))
    # each square is two halves; the areas part the eighth column in its middle
    west, east = (draw_people(rng, half) for half in (x < 9, x < 8))
    both = pd.DataFrame({name: west[name] + east[name] for name in west})
    both.index = pd.Index([f"{a:02d}-{b:02d}" for a, b in zip(x, y, strict=True)], name="unit_id")
    both["asked"] = both["population"]
    cells = Zones(
        both.index,
        shapely.box(x * 100, y * 100, x * 100 + 100, y * 100 + 100),
        "EPSG:26917",
        data=both[["population"]].rename_axis("zone_id"),
    )
    halves = Zones(
        ["e", "w"],
        [shapely.box(850, 0, 1600, 2400), shapely.box(0, 0, 850, 2400)],
        "EPSG:26917",
    )
    inside = {"w": (x <= 8, x < 8), "e": (x > 8, x >= 8)}
    truth = pd.DataFrame(
        {
            area: {n: west[n][a].sum() + east[n][b].sum() for n in west}
            for area, (a, b) in inside.items()
        }
    ).T
    table = CensusTable(both.astype(float), RULES, level=None, vintage=None)
    return cells, halves, table, truth


def shares_of(cells: Zones, areas: Zones) -> Crosswalk:
    """Share out people by density: squares that are no census are else shared by surface."""
    return build_crosswalk(cells, areas, weight="population", placement="density")


@pytest.fixture(scope="module")
def both_ways(town):
    """Return the estimates by people and by own geography."""
    cells, areas, table, _ = town
    xw = shares_of(cells, areas)
    return tuple(
        weight_table(table, xw, variables=list(RULES), own_geography=choice)
        for choice in ("off", "auto")
    )


def test_counts_follow_the_ground_on_their_side_of_the_outline(town, both_ways) -> None:
    """Where they differ on two sides, much of what is missed by people's shares is found."""
    truth = town[3]
    off, on = (one.wide().loc[truth.index] for one in both_ways)
    for name in ("western", "eastern"):
        missed = (off[name] - truth[name]).abs().sum()
        assert (on[name] - truth[name]).abs().sum() < 0.6 * missed
        assert 0.3 < both_ways[1].meta["own_geography"][name] <= 1


def test_a_count_without_its_own_geography_stays(both_ways) -> None:
    """Nothing is learned of it, and none of its numbers moves."""
    off, on = both_ways
    assert EVEN not in on.meta["own_geography"]
    assert off.meta["own_geography"] == {}
    still = [EVEN, "population", "asked"]
    frames = [one.frame[one.frame["variable"].isin(still)] for one in both_ways]
    pd.testing.assert_frame_equal(*frames)


def test_totals_and_sums_of_parts_stay(town, both_ways) -> None:
    """Areas hold what units hold; parts add up to their whole in each; the rest follows."""
    _cells, _, table, _ = town
    on = both_ways[1].wide()
    for name in [*PARTS, NEAR]:
        assert on[name].sum() == pytest.approx(table.frame[name].sum(), rel=1e-9)
    np.testing.assert_allclose(on[PARTS].sum(axis=1), on["asked"], rtol=1e-9)
    np.testing.assert_allclose(on["western_pct"], 100 * on["western"] / on["asked"], rtol=1e-9)
    assert (on[NEAR] < on["western"]).all()
    # unit by unit, nothing is below 0 or above what the unit holds
    parts = both_ways[1].explain_all([*PARTS, NEAR])
    units = parts[parts["row"].eq("unit")]
    assert units["share"].between(0, 1).all()
    held = units.groupby(["variable", "source_id"])["contribution"].sum().unstack(0)
    np.testing.assert_allclose(held, table.frame.reindex(held.index)[held.columns], rtol=1e-9)
    value = parts[parts["row"].eq("value")].set_index(["area_id", "variable"])["published"]
    summed = parts[parts["row"].eq("sum")].set_index(["area_id", "variable"])["contribution"]
    np.testing.assert_allclose(value, summed.reindex(value.index), rtol=1e-9)


def check_classes_of_one_whole(town, seed: int) -> None:
    """Weight people by origin and by age, and a few that are of neither."""
    cells, areas, table, _ = town
    rng = np.random.default_rng(seed)
    young = rng.binomial(table.frame["asked"].astype(int), 0.2 + 0.4 * table.frame["western"] / 800)
    also = {"young": young, "old": table.frame["asked"] - young, "few": young // 9}
    frame = table.frame.assign(**also)
    frame = frame[rng.permutation(frame.columns)]
    rules = {**RULES, **{name: _count(name, "asked") for name in also}}
    several = CensusTable(frame, rules, level=None, vintage=None)
    est = weight_table(several, shares_of(cells, areas), variables=list(rules))
    assert {"western", "young"} <= set(est.meta["own_geography"])
    on = est.wide()
    for some in (PARTS, ["young", "old"]):
        np.testing.assert_allclose(on[some].sum(axis=1), on["asked"], rtol=1e-9)
    counts = on[list(several.columns)]
    np.testing.assert_allclose(counts.sum(), several.frame.sum(), rtol=1e-9)


def test_two_classes_of_one_whole_add_up_each(town) -> None:
    """People by origin add up to all in each area, and so do people by age beside them."""
    check_classes_of_one_whole(town, 1)


@pytest.mark.parametrize("known", ["western", NEAR, "eastern"])
def test_totals_that_shares_were_calibrated_to_are_met(town, known: str) -> None:
    """They stay as they are known, with what they are part of; all else moves and adds up."""
    cells, areas, table, truth = town
    xw = calibrate(shares_of(cells, areas), truth[[known]], table.frame[[known]])
    off, on = (
        weight_table(table, xw, variables=list(RULES), own_geography=choice).wide()
        for choice in ("off", "auto")
    )
    np.testing.assert_allclose(on[known], truth.loc[on.index, known], rtol=1e-6)
    if known == NEAR:
        np.testing.assert_allclose(on["western"], off["western"], rtol=1e-9)
    assert not np.allclose(on["others"], off["others"], rtol=1e-6)
    np.testing.assert_allclose(on[PARTS].sum(axis=1), on["asked"], rtol=1e-9)
    np.testing.assert_allclose(on[PARTS].sum(), table.frame[PARTS].sum(), rtol=1e-9)
    assert (on[NEAR] < on["western"]).all()


def test_ranges_follow(town, both_ways) -> None:
    """They are about the new value, and narrower only where people are known."""
    _cells, areas, table, truth = town
    xw = build_crosswalk(_cells, areas, weight="population", placement="density")
    people = calibrate(xw, truth[["population"]], table.frame[["population"]])
    known = [weight_table(table, people, own_geography=one) for one in ("off", "auto")]
    widths = []
    for one in (*both_ways, *known):
        rows = one.frame[one.frame["variable"].eq("western")].set_index("area_id")
        assert rows["value"].between(rows["lower"], rows["upper"]).all()
        assert rows["value"].between(rows["likely_lower"], rows["likely_upper"]).all()
        widths.append(rows["likely_upper"] - rows["likely_lower"])
    assert (widths[3] < widths[2]).all()
    left, left_known = (
        on.error_model["phi"] / off.error_model["phi"] for off, on in (both_ways, known)
    )
    assert left["western"] == 1
    assert left_known["western"] < 0.9
    assert left_known[EVEN] == 1


def test_it_does_not_hang_on_order_or_on_what_else_is_asked(town, both_ways) -> None:
    """Other orders of units, areas and variables, and one alone, give the same numbers."""
    cells, areas, table, _ = town
    mixed = np.random.default_rng(1).permutation(len(cells))
    again = shares_of(
        Zones(
            cells.ids[mixed], cells.geometry[mixed], cells.crs,
            data=cells.data.iloc[mixed],
        ),
        Zones(areas.ids[::-1], areas.geometry[::-1], areas.crs),
    )  # fmt: skip
    order = CensusTable(table.frame.iloc[mixed[::-1], ::-1], RULES, level=None, vintage=None)
    alone = weight_table(order, again, variables=["western"])
    told = both_ways[1].wide()["western"]
    np.testing.assert_allclose(alone.wide().loc[told.index, "western"], told, rtol=1e-9)


def published(town, seed: int) -> CensusTable:
    """Return counts of the town as a census of 2021 has them: no total, few people hidden."""
    counts, rng = town[2].frame, np.random.default_rng(seed)
    few = rng.binomial(counts["eastern"].astype(int), 0.1)
    parts = pd.DataFrame(
        {
            "immigrants": counts["western"],
            "non_permanent_residents": few,
            "non_immigrants": counts["asked"] - counts["western"] - few,
            "recent_immigrants": rng.binomial(counts["western"].astype(int), 0.1),
        }
    )
    rounded = 5.0 * (parts // 5 + (rng.random(parts.shape) < parts % 5 / 5))
    frame = rounded.mask(rounded < 10, 0.0).assign(population=counts["population"])
    known = known_variables(2021)
    return CensusTable(frame, {name: known[name] for name in frame}, level=None, vintage=2021)


def check_alone_as_together(town, seed: int) -> None:
    """Weight counts and percentages all at once, and each alone."""
    cells, areas, _, _ = town
    table, xw = published(town, seed), shares_of(cells, areas)
    names = ["non_immigrants", "recent_immigrants", "immigrants_pct"]
    every = weight_table(table, xw, variables=names)
    assert "non_immigrants" in every.meta["own_geography"]
    assert every.frame["hidden_share"].max() > 0
    for name in names:
        one = weight_table(table, xw, variables=[name]).frame
        among = every.frame[every.frame["variable"].eq(name)].reset_index(drop=True)
        pd.testing.assert_frame_equal(one, among, rtol=1e-9)
    nothing = weight_table(table, xw)
    assert list(nothing.variables) == list(table.columns)


def test_a_number_alone_is_the_number_among_all(town) -> None:
    """Zeros that hide, and totals that are summed, are read alike whatever else is asked for."""
    check_alone_as_together(town, 1)


def test_a_kept_crosswalk_knows_the_surroundings(town, both_ways, tmp_path) -> None:
    """Written and read again, shares give the same numbers."""
    cells, areas, table, _ = town
    write_crosswalk(shares_of(cells, areas), tmp_path / "xw.parquet")
    read = read_crosswalk(tmp_path / "xw.parquet")
    again = weight_table(table, read, variables=list(RULES))
    pd.testing.assert_frame_equal(again.frame, both_ways[1].frame)


def test_a_stored_table_gives_the_same_numbers(town, both_ways) -> None:
    """A table that a database sums moves the same counts by as much."""
    longtables = pytest.importorskip("longtables", reason="needs the extra tables")
    cells, areas, table, _ = town
    stored = longtables.long_of(table)
    again = weight_table(stored, shares_of(cells, areas), variables=list(RULES))
    assert again.meta["own_geography"] == both_ways[1].meta["own_geography"]
    pd.testing.assert_frame_equal(again.frame, both_ways[1].frame, rtol=1e-9)


def test_units_in_two_areas_keep_their_shares(town) -> None:
    """Where areas overlap, cut units stay as they were, and all is conserved."""
    cells, _areas, table, _ = town
    wide = Zones(
        ["e", "w"],
        [shapely.box(830, 0, 1600, 2400), shapely.box(0, 0, 860, 1200)],
        "EPSG:26917",
    )
    xw = shares_of(cells, wide)
    off, on = (
        weight_table(table, xw, variables=PARTS, own_geography=choice).explain_all(["western"])
        for choice in ("off", "auto")
    )
    twice = set(xw.overlaps["source_id"])
    assert twice
    rows = [one[one["source_id"].isin(twice)].reset_index(drop=True) for one in (off, on)]
    pd.testing.assert_frame_equal(*rows)
    assert not off["share"].equals(on["share"])


def test_another_word_is_refused(town) -> None:
    """Only the words there are can be asked for."""
    cells, areas, table, _ = town
    with pytest.raises(TableError, match="own_geography"):
        weight_table(table, shares_of(cells, areas), own_geography="maybe")  # type: ignore[arg-type]
