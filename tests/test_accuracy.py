"""Where people live, what zeros hide, and what ranges hold: on towns that end at a line."""

import geopandas as gpd
import made_crosswalk
import numpy as np
import pandas as pd
import pytest
import shapely

import lipgeo
from lipgeo import CensusTable, ServiceAreas, Zones, build_crosswalk, calibrate, synthetic
from lipgeo.census import Census, MemoryCensus
from lipgeo.errors import TableError
from lipgeo.tables.hidden import find_hidden
from lipgeo.tables.variables import Variable
from lipgeo.tables.weight import weight_table


@pytest.fixture(scope="module")
def made():
    """Return a made census whose towns end at a line, its people, and areas along its streets."""
    census = synthetic.census(4000, seed=3, settled=True)
    people = synthetic.people(census)
    drawn = synthetic.service_areas(census, 15, seed=2, kind="streets")
    drawn = drawn[drawn.geometry.area > 0]
    areas = ServiceAreas.from_frame(drawn, id="area_id")
    truth = people.truth(areas)
    return census, people, areas.select(list(truth.index[truth["population"] > 200])), truth


def missed(xw, census, truth) -> float:
    """Return the sum of absolute errors of people over their total."""
    held = census.counts(xw.source_level)["population"]
    pairs = xw.frame
    people = pairs["share"] * held.reindex(pairs["source_id"]).fillna(0).to_numpy()
    known = truth["population"].reindex(xw.quality["target_id"])
    return float(
        (people.groupby(pairs["target_id"]).sum().reindex(known.index) - known).abs().sum()
        / known.sum()
    )


def test_density_sees_where_the_town_ends(made) -> None:
    """Areas along streets where towns end miss fewer people than by surface; none are lost."""
    census, _, areas, truth = made
    by = {
        placement: build_crosswalk(
            census.zones("DA"), areas, weight="population", placement=placement
        )
        for placement in ("surface", "auto")
    }
    assert missed(by["auto"], census, truth) < 0.8 * missed(by["surface"], census, truth)
    assert by["auto"].check().ok
    assert by["auto"].frame["area_share"].equals(by["surface"].frame["area_share"])
    assert by["auto"].meta["placed"]["density"] > 0
    assert len(by["auto"].report.only("placed")) == 1


def strips(step: bool) -> tuple[Zones, Zones]:
    """Return 1,000 squares, some of them cut, whose density ends at a line or thins out."""
    x, y = (one.ravel() for one in np.meshgrid(np.arange(20), np.arange(50)))
    noise = np.random.default_rng(1).uniform(0.7, 1.4, len(x))
    dense = np.where(x < 9.5, 90.0, 6.0) if step else 90 * np.exp(-x / 4)
    people = np.round(dense * noise)
    cells = Zones(
        [f"{a:02d}-{b:02d}" for a, b in zip(x, y, strict=True)],
        shapely.box(x * 100, y * 100, x * 100 + 100, y * 100 + 100),
        "EPSG:26917",
        data=pd.DataFrame({"population": people}).rename_axis("zone_id"),
    )
    # the outline runs through the squares of column 10 by a fifth, or half
    right = 1020 if step else 1050
    town = Zones(["t"], [shapely.box(0, 0, right, 5000)], "EPSG:26917")
    return cells, town


def test_strength_tells_an_edge_from_a_slope() -> None:
    """Where settled ground ends at the outline densities are taken at their word, else less."""
    power = {}
    for step in (True, False):
        cells, town = strips(step)
        xw = build_crosswalk(cells, town, weight="population", placement="density")
        assert xw.check().ok
        power[step] = xw.meta["strength"]["power"]
        assert xw.meta["strength"]["pairs"] > 12
    # half is what is believed of zones of any kind before anything is learned
    assert power[True] > 0.7 > 0.65 > power[False]


def test_neighbours_across_an_outline_teach_how_far_blocks_miss(made) -> None:
    """Blocks learn phi, tau2 and width from joined neighbours, by density, surface and point."""
    census, people, _, _ = made
    areas = ServiceAreas.from_frame(
        synthetic.service_areas(census, 15, seed=2, kind="freehand"), id="area_id"
    )
    table = CensusTable(census.units("DB")[["population"]], level="DB", vintage=2021)
    for placement in ("density", "surface", "point"):
        xw = build_crosswalk(census.zones("DB"), areas, weight="population", placement=placement)
        trials = xw.trials
        assert (trials["source_id"] != trials["other_id"]).all()
        lies = xw.frame[xw.frame["area_share"] == 1].set_index(["source_id", "target_id"]).index
        assert pd.MultiIndex.from_frame(trials[["source_id", "target_id"]]).isin(lies).all()
        assert not pd.MultiIndex.from_frame(trials[["other_id", "target_id"]]).isin(lies).any()
        est = weight_table(table, xw)
        assert est.error_model.loc["population", "splits"] > 20
        rows = est.frame.set_index("area_id")
        known = people.truth(areas)["population"].reindex(rows.index)
        assert known.between(rows["likely_lower"] - 1, rows["likely_upper"] + 1).mean() >= 0.8


def test_density_does_not_hang_on_the_order_of_units_or_areas(made) -> None:
    """The same shares whatever order units and areas come in."""
    census, _, areas, _ = made
    levels = ("DB", "DA")
    turned = Census(
        MemoryCensus(
            census.vintage,
            {one: census.data.attributes(one).drop(columns="grid_m2").iloc[::-1] for one in levels},
            {one: census.data.geometry(one)[::-1] for one in levels},
        )
    )
    straight = Census(
        MemoryCensus(
            census.vintage,
            {one: census.data.attributes(one).drop(columns="grid_m2") for one in levels},
            {one: census.data.geometry(one) for one in levels},
        )
    )
    one = build_crosswalk(straight.zones("DA"), areas, weight="population")
    other = build_crosswalk(
        turned.zones("DA"), areas.select(list(areas.ids[::-1])), weight="population"
    )
    assert one.frame["share"].to_numpy() == pytest.approx(other.frame["share"], abs=1e-9)


def test_areas_that_overlap_are_conserved_by_density(made) -> None:
    """A part in two areas counts for both; shares less what is common, and the rest, make 1."""
    census, _, areas, _ = made
    grown = areas.frame.copy()
    grown["geometry"] = grown.geometry.buffer(700)
    wide = ServiceAreas.from_frame(grown.reset_index()[["area_id", "geometry"]], id="area_id")
    xw = build_crosswalk(census.zones("DB"), wide, weight="population", placement="density")
    assert len(xw.overlaps)
    assert xw.check().ok


def test_points_serve_as_blocks_with_and_without_counts(made) -> None:
    """Representative points stand for the ground closest to them: better than the DA alone."""
    census, _, areas, truth = made
    levels = ("DA",)
    alone = Census(
        MemoryCensus(
            census.vintage,
            {one: census.data.attributes(one).drop(columns="grid_m2") for one in levels},
            {one: census.data.geometry(one) for one in levels},
        )
    )
    blocks = census.units("DB").dropna(subset=["x", "y"])
    layer = gpd.GeoDataFrame(
        blocks[["population"]].reset_index(),
        geometry=gpd.points_from_xy(blocks["x"], blocks["y"]),
        crs=3347,
    )
    without = build_crosswalk(alone.zones("DA"), areas, weight="population", placement="surface")
    for frame in (layer, layer[["unit_id", "geometry"]]):
        points = Zones.from_points(frame, id="unit_id")
        xw = build_crosswalk(alone.zones("DA"), areas, weight="population", blocks=points)
        assert xw.check().ok
        assert missed(xw, census, truth) < missed(without, census, truth)


def squares(count: int) -> Zones:
    """Return boxes in a row."""
    left = np.arange(count) * 100.0
    return Zones([f"s{at:04d}" for at in range(count)],
                 shapely.box(left, 0, left + 100, 100), "EPSG:26917")  # fmt: skip


def test_calibration_bears_slivers_where_neighbours_overlap() -> None:
    """Targets that overlap by a millionth of a unit are calibrated all the same."""
    source = squares(6)
    target = Zones(
        ["a", "b"],
        [shapely.box(0, 0, 250 + 1e-4, 100), shapely.box(250, 0, 600, 100)],
        "EPSG:26917",
    )
    inner = Zones(
        ["a", "b"],
        [shapely.box(0, 0, 300 + 1e-4, 100), shapely.box(250, 0, 600, 100).intersection(
            shapely.box(300, 0, 600, 100))], "EPSG:26917",
    )  # fmt: skip
    held = pd.DataFrame({"people": [100.0] * 6}, index=source.ids)
    for drawn in (target, inner):
        xw = build_crosswalk(source, drawn)
        assert len(xw.overlaps)
        done = calibrate(xw, pd.DataFrame({"people": [280.0]}, index=["a"]), held)
        assert done.check().ok


def test_missing_cells_are_not_scaled_by_land() -> None:
    """A lake without a value is not taken to hold people; a full count of the table says more."""
    source = Zones(["lake", "town"], [shapely.box(0, 0, 9, 1), shapely.box(9, 0, 10, 1)],
                   "EPSG:26917")  # fmt: skip
    xw = build_crosswalk(source, Zones(["t"], [shapely.box(0, 0, 10, 1)], "EPSG:26917"))
    rule = {"n": Variable("n", "count", universe="population")}
    frame = pd.DataFrame({"n": [np.nan, 100.0]}, index=["lake", "town"])
    row = weight_table(CensusTable(frame, rule, level=None, vintage=None), xw, min_observed=0.0)
    assert row.frame["value"].item() == 100
    assert "not_scaled" in row.frame["flag"].item()
    full = frame.assign(population=[25.0, 100.0])
    known = CensusTable(full, rule, level=None, vintage=None)
    assert weight_table(known, xw, variables=["n"]).frame["value"].item() == pytest.approx(125)


def test_zeros_that_hide_small_counts_are_read(made) -> None:
    """Where tens are missing zeros are imputed and come nearer; rounded tables are left alone."""
    census, people, areas, truth = made
    xw = build_crosswalk(census.zones("DA"), areas, weight="population")
    name = "non_permanent_residents"
    error = {}
    for state in (True, False):
        made_table = synthetic.table(census, "DA", people=people, incomes=False, hidden=state)
        table = CensusTable(made_table.frame, level="DA", vintage=2021, symbols=made_table.symbols)
        (found,) = find_hidden([table], [table.variables[name]])
        assert (name in found) is state
        for hidden in ("impute", "as_published"):
            est = weight_table(table, xw, variables=[name], hidden=hidden)
            value = est.wide()[name]
            known = truth[name].reindex(value.index)
            error[state, hidden] = float((value - known).abs().sum() / known.sum())
            assert (est.frame["hidden_share"] > 0).any() == (state and hidden == "impute")
    assert error[True, "impute"] < error[True, "as_published"]
    assert error[False, "impute"] == error[False, "as_published"]
    total = float(made_table.truth[name].sum())
    table = CensusTable(
        synthetic.table(census, "DA", people=people, incomes=False).frame,
        level="DA", vintage=2021,
    )  # fmt: skip
    group = pd.Series("all", index=table.unit_ids)
    published = pd.DataFrame({name: [total]}, index=["all"])
    (raked,) = find_hidden([table], [table.variables[name]], published, group)
    held = np.nansum(table.values(name)) + raked.of(table, name)[0].sum()
    assert held == pytest.approx(total, rel=0.02)


@pytest.fixture(scope="module")
def hiding(made):
    """Return the tables of DAs, which hide small counts, and of CSDs of the made census."""
    census, people, _, _ = made
    tables = []
    for level in ("DA", "CSD"):
        one = synthetic.table(census, level, people=people, incomes=False)
        tables.append(CensusTable(one.frame, level=level, vintage=2021, symbols=one.symbols))
    return tables


def sums_in(estimates, table, census, name):
    """Return by municipality what the table's units hold with what their zeros hide."""
    (shares,) = estimates._table_shares
    held = np.nan_to_num(table.values(name)) + shares.hidden.of(table, name)[0]
    within = census.units("DA")["CSD"].reindex(table.unit_ids)
    return pd.Series(held, index=table.unit_ids).groupby(within.to_numpy()).sum()


def test_zeros_are_brought_to_a_table_of_municipalities(made, hiding) -> None:
    """``totals`` may be the table of larger units itself: its units are met, and areas gain."""
    census, _, areas, truth = made
    table, larger = hiding
    name = "non_permanent_residents"
    error, off = {}, {}
    universe = str(table.variables[name].denominator)
    # the other parts of the whole are brought to theirs, too
    parts = ["non_immigrants", "immigrants", name]
    for totals in (None, larger, larger.frame[[*parts, universe]]):
        est = lipgeo.weight_areas(census, areas, table, variables=[name], totals=totals)
        value = est.wide()[name]
        known = truth[name].reindex(value.index)
        kind = type(totals).__name__
        error[kind] = float((value - known).abs().sum() / known.sum())
        held = sums_in(est, table, census, name)
        off[kind] = float((held - larger.frame[name].reindex(held.index)).abs().sum())
        assert any(one.key == "tables.totals_met" for one in est.report) == (totals is not None)
    # municipalities whose zeros cannot hold so much stay short of their total
    assert off["CensusTable"] < 0.2 * off["NoneType"]
    assert error["CensusTable"] < error["NoneType"]
    assert error["DataFrame"] == error["CensusTable"]


def test_totals_that_cannot_be_are_refused(made, hiding) -> None:
    """Another census, level or unit, and totals below their own units beyond rounding."""
    census, _, areas, _ = made
    table, larger = hiding
    name = "non_permanent_residents"
    own, older = larger.frame[[name]], CensusTable(larger.frame, level="CSD", vintage=2016)
    least = CensusTable(own * 0.2, level="CSD", vintage=2021)
    strange = own.rename(index={own.index[0]: "9999999"})
    wrong = {
        "tables.totals_of_census": older,
        "tables.totals_level": table,
        "tables.totals_units": strange,
        "tables.totals_below": least,
        "tables.totals_unknown": own.set_axis(["nobody"], axis=1),
    }
    for key, totals in wrong.items():
        with pytest.raises(TableError) as refused:
            lipgeo.weight_areas(census, areas, table, variables=[name], totals=totals)
        assert refused.value.key == key
        assert len(refused.value.problems) or key in (
            "tables.totals_of_census",
            "tables.totals_level",
        )


def test_a_total_of_which_most_units_are_not_in_the_table_says_nothing(made, hiding) -> None:
    """Half a municipality's units are not made to hold what all of it holds."""
    census, _, areas, _ = made
    table, larger = hiding
    part = table.only(np.arange(len(table)) % 2 == 0)
    name = "non_permanent_residents"
    units = census.units("DA")
    people = units["population"].groupby(units["CSD"]).sum()
    here = units.reindex(part.unit_ids)
    most = here["population"].groupby(here["CSD"]).sum().reindex(people.index) >= 0.88 * people
    alone = lipgeo.weight_areas(census, areas, part, variables=[name])
    # by the municipality's universe where the totals have it, else by its units
    for totals in (larger, larger.frame[[name]]):
        est = lipgeo.weight_areas(census, areas, part, variables=[name], totals=totals)
        assert "tables.totals_left" in {one.key for one in est.report}
        moved = sums_in(est, part, census, name) - sums_in(alone, part, census, name)
        touched = moved.index[moved.abs() > 1e-9]
        assert set(touched) <= set(most.index[most])
        assert (~most).sum() > 20


def test_a_variable_of_the_weight_has_a_range_after_calibration(made) -> None:
    """By dwellings, calibrated to people, dwellings are not known: their range is no point."""
    census, _, areas, truth = made
    units = census.units("DA")
    frame = units[["population", "dwellings"]].fillna(0.0)
    table = CensusTable(frame, level="DA", vintage=2021).with_parents(
        units["CT"].fillna(units["CSD"])
    )
    xw = build_crosswalk(census.zones("DA"), areas, weight="dwellings")
    known = truth.loc[list(areas.ids), ["population"]]
    done = calibrate(xw, known, frame[["population"]])
    rows = weight_table(table, done, variables=["dwellings"]).frame
    cut = rows["upper"] > rows["lower"]
    assert ((rows["likely_upper"] - rows["likely_lower"])[cut] > 0).all()


def test_what_an_order_would_say_is_narrower_than_what_is_true(made) -> None:
    """An order is of the same sample: sampling is in the range of the truth alone."""
    census, people, areas, _ = made
    given = synthetic.table(census, "DA", people=people, incomes=False)
    table = CensusTable(given.frame, level="DA", vintage=2021, symbols=given.symbols)
    xw = build_crosswalk(census.zones("DA"), areas, weight="population")
    rows = weight_table(table, xw, variables=["immigrants", "population"]).frame
    order = rows["likely_upper"] - rows["likely_lower"]
    true = rows["truth_upper"] - rows["truth_lower"]
    sampled = rows["variable"].eq("immigrants") & rows["value"].gt(0)
    assert (true[sampled] > order[sampled]).all()
    assert (
        true[rows["variable"].eq("population")] == order[rows["variable"].eq("population")]
    ).all()


def test_older_people_are_counted_in_their_own_blocks() -> None:
    """With the older census at hand nobody is put into what was built since; area is by land."""
    newest, older = synthetic.census(1000, seed=2), synthetic.census(1000, seed=2, vintage=2016)
    areas = ServiceAreas.from_frame(synthetic.service_areas(newest, 4), id="area_id")
    units = newest.units("DB")
    links = pd.DataFrame({"block_id": units.index, "new_id": units["DA"], "old_id": units["DA"]})
    same = lipgeo.Correspondence(links, level="DA", vintage=2021, old_level="DA", old_vintage=2016)
    xw = lipgeo.vintage_crosswalk(newest, same, areas, older=older)
    own = build_crosswalk(older.zones("DA"), areas, weight="population")
    assert xw.meta["by"] == 2016
    pairs = xw.frame.merge(own.frame, on=["source_id", "target_id"])
    assert (pairs["share_x"] == pairs["share_y"]).all()
    land = lipgeo.vintage_crosswalk(newest, same, areas, weight="area")
    assert set(land.sources["share_basis"]) == {"area"}


def test_a_unit_cut_by_its_people_is_straddling_everywhere(made) -> None:
    """``b.units`` and ``explain`` have one word for it."""
    census, _, areas, _ = made
    b = lipgeo.fit_boundaries(census, areas, unit="DA")
    table = CensusTable(census.units("DA")[["population"]], level="DA", vintage=2021)
    est = weight_table(table, b.crosswalk)
    told = est.explain_all(["population"]).query("row == 'unit'")
    told = told.set_index(["area_id", "source_id"])["status"]
    units = b.units.set_index(["area_id", "unit_id"])["status"]
    both = pd.concat({"fit": units, "explain": told}, axis=1).dropna()
    assert (both["fit"] == both["explain"]).all()


def cells_of_rare_group(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what 300 units hold of a rare group, and what is published of it."""
    rng = np.random.default_rng(seed)
    true = rng.negative_binomial(0.6, 0.6 / (0.6 + 8.0), 300).astype(float)
    down = 5 * np.floor(true / 5)
    rounded = down + 5 * (rng.random(300) < (true - down) / 5)
    return true, np.where(true < 10, 0.0, rounded)


@pytest.mark.parametrize("hidden", ["impute", "as_published"])
def test_certain_bounds_have_rounding_and_hidden_cells_in_them(hidden) -> None:
    """Sums of whole units and of cut ones lie within: no unit's rounding or zero is left out."""
    share = np.zeros((300, 20))
    share[np.arange(300), np.arange(300) // 15] = 1.0
    half = share.copy()
    cut = np.arange(300) % 15 == 0
    half[cut] *= 0.5
    name = "non_permanent_residents"
    for seed in range(3):
        true, published = cells_of_rare_group(seed)
        ids = [f"3506{at:04d}" for at in range(300)]
        columns = {"population": 600.0, "immigrant_status_total": 600.0, name: published}
        table = CensusTable(pd.DataFrame(columns, index=ids), level="DA", vintage=2021)
        for shares in (share, half):
            xw = made_crosswalk.crosswalk(shares, ids=ids)
            rows = weight_table(table, xw, variables=[name], hidden=hidden).frame
            assert (shares.T @ true >= rows["lower"].to_numpy()).all()
            assert (shares.T @ true <= rows["upper"].to_numpy()).all()


def test_the_range_of_a_median_has_uneven_classes_in_it() -> None:
    """A whole unit without rounding: the middle may lie elsewhere in its class."""
    edges = (0.0, 20.0, 60.0, 100.0)
    names = ("young", "middle", "old")
    groups = tuple(
        lipgeo.tables.Group(name, low, high)
        for name, low, high in zip(names, edges[:-1], edges[1:], strict=True)
    )
    rules = {name: Variable(name, "count", rounding=0.0) for name in names}
    rules["age"] = Variable("age", "median", groups=groups, rounding=0.0)
    # ages crowd at one end of the class the middle lies in: three times as many as at the other
    ages = np.concatenate([np.full(100, 10.0), np.linspace(20, 40, 150), np.linspace(40, 60, 50)])
    ages = np.concatenate([ages, np.full(100, 80.0)])
    counts = np.histogram(ages, edges)[0].astype(float)
    frame = pd.DataFrame([[*counts, 1.0]], columns=[*names, "age"], index=["a"])
    table = CensusTable(frame, rules, level=None, vintage=None)
    xw = made_crosswalk.crosswalk(np.ones((1, 1)), ids=["a"])
    (row,) = weight_table(table, xw, variables=["age"]).frame.itertuples()
    assert row.value == pytest.approx(40.0, abs=0.2)
    assert row.likely_lower <= float(np.median(ages)) < row.value - 5
    assert row.likely_upper > row.value


def test_a_range_after_calibration_knows_how_a_sample_falls(made) -> None:
    """A sampled count adjusted to people in each unit shows no miss in tracts; areas miss it."""
    census, people, areas, truth = made
    rng = np.random.default_rng(1)
    units = census.units("DA")
    shapes = census.zones("DA").geometry
    persons = people.counts["population"].to_numpy(dtype=float)
    point, row = shapely.STRtree(shapes).query(shapely.points(people.xy), predicate="within")
    unit = np.full(len(persons), -1)
    unit[point] = row
    unit[people.silent] = -1
    held = np.bincount(unit[unit >= 0], persons[unit >= 0], minlength=len(units))
    # one household in four is asked, and stands for as many as its unit has people
    asked = 10.0 * rng.binomial(np.round(persons / 2.5).astype(int), 0.25)
    said = np.bincount(unit[unit >= 0], asked[unit >= 0], minlength=len(units))
    factor = np.divide(held, said, out=np.zeros(len(units)), where=said > 0)
    adjusted = np.where(unit >= 0, asked * factor[unit], 0.0)
    inside = [people.within(shape) for shape in areas.frame.geometry.to_crs(3347)]
    order = np.array([adjusted[rows].sum() for rows in inside])
    columns = {"population": held, "immigrant_status_total": np.where(said > 0, held, 0.0)}
    frame = pd.DataFrame(columns, index=units.index)
    table = CensusTable(frame, level="DA", vintage=2021, parents=units["CT"].fillna(units["CSD"]))
    xw = build_crosswalk(census.zones("DA"), areas, weight="population")
    known = truth.loc[list(areas.ids), ["population"]]
    done = calibrate(xw, known, frame[["population"]])
    est = weight_table(table, done, variables=["immigrant_status_total"])
    rows = est.frame
    within = (order >= rows["likely_lower"]) & (order <= rows["likely_upper"])
    assert within.mean() >= 0.85
    # a household of two or three on either side of the outline stands for four times as many
    model = est.error_model.loc["immigrant_status_total"]
    assert model["phi"] * (model["width"] / 1.645) ** 2 >= 4 * 2.5
