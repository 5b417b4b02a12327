"""Tables in long form: a database engine gives the numbers that memory gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longtables import assert_equal, long_of

import lipgeo
from lipgeo import CensusTable, ServiceAreas, build_crosswalk, synthetic, weight_table
from lipgeo.cli import main
from lipgeo.errors import StoreError, TableError
from lipgeo.tables import Variable

SEXES = ("men", "women")


@pytest.fixture(scope="module")
def country():
    """Return a made census, areas that overlap some, and its people."""
    census = synthetic.census(3_000, seed=5)
    areas = ServiceAreas.from_frame(synthetic.service_areas(census, count=9, seed=5), id="area_id")
    return census, areas, synthetic.people(census)


def made(country, suppressed: float, seed: int = 1) -> CensusTable:
    """Return a table of the made census by dissemination area, within tracts."""
    census, _, people = country
    table = synthetic.table(census, "DA", people=people, suppressed=suppressed, seed=seed)
    return CensusTable(
        table.frame,
        level="DA",
        vintage=table.vintage,
        symbols=table.symbols,
        parents=census.units("DA")["CT"],
    )


@pytest.mark.parametrize("weight", ["population", "area"])
@pytest.mark.parametrize("suppressed", [0.0, 0.05, 0.4])
def test_the_engine_gives_what_memory_gives(country, suppressed, weight):
    """Every number, bound, range, flag and finding, and the error model; units absent, too."""
    census, areas, _ = country
    table = made(country, suppressed)
    crosswalk = build_crosswalk(census.zones("DA"), areas, weight=weight)
    for part in (table, table.only(np.arange(len(table)) % 7 != 3)):
        memory, engine = weight_table(part, crosswalk), weight_table(long_of(part), crosswalk)
        assert_equal(memory.frame, engine.frame)
        assert_equal(memory.error_model, engine.error_model)
        assert memory.report.frame.equals(engine.report.frame)
        assert memory.frame["value"].notna().sum() > 50


def test_what_a_number_is_made_of_is_the_same(country):
    """Explanations and missing cells come from the columns read."""
    census, areas, _ = country
    table = made(country, 0.1)
    crosswalk = build_crosswalk(census.zones("DA"), areas, weight="population")
    names = ["immigrants", "immigrants_pct", "median_income", "average_income"]
    memory = weight_table(table, crosswalk, variables=names)
    engine = weight_table(long_of(table), crosswalk, variables=names)
    assert_equal(memory.frame, engine.frame)
    assert_equal(memory.missing, engine.missing)
    assert_equal(memory.explain_all(), engine.explain_all())
    assert len(engine.missing) > 20


def test_men_and_women_are_columns_beside_the_total(country):
    """Each column of values is weighted as a table of its own would be, ceilings included."""
    census, areas, _ = country
    kinds = {"men": made(country, 0.05, 2), "women": made(country, 0.2, 3)}
    total = made(country, 0.1)
    crosswalk = build_crosswalk(census.zones("DA"), areas, weight="population")
    counts = ["immigrants", "recent_immigrants", "refugees", "visible_minority"]
    counts = [name for name in counts if name in total.columns]
    rules = {
        f"{name}_{kind}": _renamed(total.variables[name], kind, total)
        for name in total.columns
        for kind in SEXES
        if total.variables[name].rule == "count"
    }
    long = long_of(total, kinds).with_variables(rules)
    for kind, table in kinds.items():
        names = [f"{name}_{kind}" for name in counts]
        found = weight_table(long, crosswalk, variables=names).frame
        frame = table.frame
        # measures are those of the total: people are counted once
        for measure in ("population", "dwellings", "households"):
            frame[measure] = total.frame[measure]
        alone = CensusTable(
            frame, level="DA", vintage=2021, symbols=table.symbols, parents=table.parents
        )
        expected = weight_table(alone, crosswalk, variables=counts).frame
        assert_equal(found.drop(columns="variable"), expected.drop(columns="variable"))


def test_zeros_are_read_in_blocks_of_columns(country, monkeypatch):
    """However few columns are held at a time, what zeros hide is what memory gives."""
    census, areas, _ = country
    monkeypatch.setattr("lipgeo.tables.hidden._COLUMNS_AT_A_TIME", 2)
    table = made(country, 0.05)
    counts = [
        name
        for name, one in table.variables.items()
        if one.rule == "count" and one.sampled and name in table.columns
    ]
    names = [*counts, "immigrants_pct", "non_permanent_residents_pct"]
    crosswalk = build_crosswalk(census.zones("DA"), areas, weight="population")
    memory = weight_table(table, crosswalk, variables=names)
    engine = weight_table(long_of(table), crosswalk, variables=names)
    assert len(counts) > 2
    assert_equal(memory.frame, engine.frame)
    assert memory.report.frame.equals(engine.report.frame)
    assert engine.frame.query("variable in @counts")["hidden_share"].gt(0).any()


def _renamed(one: Variable, kind: str, table: CensusTable) -> Variable:
    from dataclasses import replace

    whole = one.denominator
    if whole is not None and whole in table.columns:
        whole = f"{whole}_{kind}"
    return replace(one, name=f"{one.name}_{kind}", denominator=whole)


def test_own_rows_of_listed_units_and_areas_through_one_door(country):
    """``weight_areas`` takes long tables as it takes others, two levels together."""
    census, _, people = country
    csd = census.units("CSD").index[:3]
    areas = ServiceAreas.from_units({"three": [f"CSD:{one}" for one in csd]}, census)
    tables = {}
    for level in ("DA", "CSD"):
        one = synthetic.table(census, level, people=people, suppressed=0.1)
        tables[level] = CensusTable(one.frame, level=level, vintage=2021, symbols=one.symbols)
    memory = lipgeo.weight_areas(census, areas, tables.values())
    engine = lipgeo.weight_areas(census, areas, [long_of(one) for one in tables.values()])
    assert_equal(memory.frame, engine.frame)


cell = st.one_of(
    st.integers(0, 40).map(lambda n: float(5 * n)), st.sampled_from(["x", "F", "..", "...", ""])
)


@settings(max_examples=12)
@given(data=st.data())
def test_any_cells_any_shares(data):
    """Overlapping squares over a row of squares: whatever the cells, both ways agree."""
    import shapely

    count = 6
    ids = [f"u{at}" for at in range(count)]
    fields = lipgeo.Zones(
        ids, shapely.box(np.arange(count) * 2.0, 0, np.arange(count) * 2.0 + 2, 2), "EPSG:26917"
    )
    starts = data.draw(st.lists(st.integers(0, 10), min_size=2, max_size=3))
    widths = data.draw(st.lists(st.integers(1, 9), min_size=len(starts), max_size=len(starts)))
    town = lipgeo.Zones(
        [f"t{at}" for at in range(len(starts))],
        [shapely.box(a, 0, a + w, 2) for a, w in zip(starts, widths, strict=True)],
        "EPSG:26917",
    )
    rows = data.draw(st.lists(st.lists(cell, min_size=3, max_size=3), min_size=1, max_size=count))
    index = pd.Index(ids[: len(rows)])
    cells = pd.DataFrame(rows, index=index, columns=["a", "b", "whole"])
    given_ = cells.map(lambda one: np.nan if isinstance(one, str) else one).astype(float)
    marks = cells.map(lambda one: one if isinstance(one, str) else "")
    variables = {
        "a": Variable("a", "count", denominator="whole", sampled=True),
        "b": Variable("b", "count", rounding=0.0),
        "whole": Variable("whole", "count"),
    }
    table = CensusTable(given_, variables, level=None, vintage=None, symbols=marks)
    crosswalk = build_crosswalk(fields, town)
    least = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    memory = weight_table(table, crosswalk, min_observed=least)
    for ragged in (False, True):
        long = long_of(table, ragged=ragged)
        engine = weight_table(long, crosswalk, min_observed=least)
        assert_equal(memory.frame, engine.frame)


def test_a_count_below_zero_is_refused(country):
    """What the file holds below 0 is known before anything is read."""
    table = made(country, 0.0)
    long = long_of(table)
    ranges = long._ranges.copy()
    ranges.loc["immigrants", "least"] = -5.0
    with pytest.raises(TableError, match="immigrants"):
        long._again(ranges=ranges)


def test_a_column_that_is_not_there(country):
    """Asking for it names it, and what there is."""
    with pytest.raises(TableError, match="moon_landings"):
        long_of(made(country, 0.0)).part(["moon_landings"])
    census, areas, _ = country
    crosswalk = build_crosswalk(census.zones("DA"), areas)
    with pytest.raises(TableError, match="moon_landings"):
        weight_table(
            long_of(made(country, 0.0)), crosswalk, variables=[Variable("moon_landings", "count")]
        )


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Return a store, under a name with every awkward letter, with a table; and its files."""
    folder = tmp_path_factory.mktemp("long")
    census = synthetic.census(3_000, seed=5)
    made = [synthetic.table(census, one, suppressed=0.1) for one in ("PR", "CD", "CSD", "DA")]
    files = synthetic.write_profile(census, made, folder / "files")
    store = folder / "dépôt [1] *"
    store.mkdir()
    lipgeo.add_table(store, files)
    return store, files, census


def test_an_imported_table_is_the_table_read(imported):
    """Import, open and weight: the numbers of ``read_profile``, drawn areas and listed units."""
    store, files, census = imported
    areas = ServiceAreas.concat(
        [
            ServiceAreas.from_frame(synthetic.service_areas(census, count=4, seed=5), id="area_id"),
            ServiceAreas.from_units(
                {"three": [f"CSD:{one}" for one in census.units("CSD").index[:3]]}, census
            ),
        ]
    )
    levels = ("DA", "CSD")
    read = [lipgeo.read_profile(files, level=level) for level in levels]
    opened = [lipgeo.open_table(store, level=level) for level in levels]
    names = list(read[0].columns)
    memory = lipgeo.weight_areas(census, areas, read, variables=names)
    engine = lipgeo.weight_areas(census, areas, opened, variables=names)
    assert_equal(memory.frame, engine.frame)
    some = ["population", "immigrants"]
    assert_equal(memory.explain_all(some), engine.explain_all(some), tolerance=1e-9)
    assert engine.sources.equals(memory.sources)


def test_men_and_women_have_columns_where_there_are_any(imported):
    """Columns of men and women follow the total's; land has none."""
    table = lipgeo.open_table(imported[0])
    assert {"immigrants", "immigrants_men", "immigrants_women"} <= set(table.columns)
    assert table.variables["immigrants_men"].denominator == "immigrant_status_total_men"
    assert table.variables["immigrants_men"].name_fr.endswith("hommes+")
    assert table.level == "DA"
    assert "DA" in repr(table)


def test_which_table_is_said_or_asked(imported, tmp_path):
    """No store, no table, a level it has not, several that answer: what there is, is said."""
    store, files, _ = imported
    with pytest.raises(StoreError, match="98-401-X2021006"):
        lipgeo.open_table(store, "another")
    with pytest.raises(StoreError, match="ADA"):
        lipgeo.open_table(store, level="ADA")
    with pytest.raises(StoreError, match="nowhere"):
        lipgeo.open_table(tmp_path / "nowhere")
    lipgeo.add_table(tmp_path, files[:1], name="one")
    lipgeo.add_table(tmp_path, files[1:2], name="two")
    with pytest.raises(StoreError, match=r"one.*two"):
        lipgeo.open_table(tmp_path)


def test_a_stored_table_by_its_name_on_the_command_line(imported, tmp_path, capsys):
    """``lipgeo weight NAME`` takes the store's table where no file is called so."""
    _, files, census = imported
    work = tmp_path / "census"
    lipgeo.add_census(work, synthetic.write_files(census, tmp_path / "files"), made=True)
    lipgeo.add_table(work, files)
    areas = tmp_path / "areas.csv"
    unit = census.units("CSD").index[0]
    areas.write_text(f"area_id,level,unit_id\nx,CSD,{unit}\n", encoding="utf-8")
    asked = ["--areas", str(areas), "--store", str(work), "--variables", "population,immigrants"]
    with pytest.raises(SystemExit) as ended:
        main(["weight", "98-401-X2021006", *asked, "--out", str(tmp_path / "out.csv"), "--quiet"])
    assert ended.value.code in (0, 1), capsys.readouterr()
    found = pd.read_csv(tmp_path / "out.csv").set_index("variable")["value"]
    own = lipgeo.read_profile(files, level="CSD").frame.loc[unit]
    assert found["population"] == own["population"]
    # areas of dissemination areas, their zeros brought to the store's own rows of municipalities
    name = "non_permanent_residents"
    within = census.units("DA")["CSD"]
    fine = lipgeo.read_profile(files, level="DA")
    seen = pd.Series(fine.is_observed(name), fine.unit_ids).groupby(within).mean()
    whole = lipgeo.read_profile(files, level="CSD").frame
    whole = whole[whole[name].gt(0) & seen.reindex(whole.index).gt(0.95)]
    unit = within[within.isin(whole.index)].value_counts().index[0]
    own = whole.loc[unit]
    rows = [f"x,DA,{one}" for one in within.index[within.eq(unit)]]
    areas.write_text("\n".join(["area_id,level,unit_id", *rows, ""]), encoding="utf-8")
    asked = [*asked[:4], "--variables", name]
    held = []
    for more in ([], ["--totals", "98-401-X2021006"]):
        out = tmp_path / f"{len(more)}.csv"
        with pytest.raises(SystemExit) as ended:
            main(["weight", "98-401-X2021006", *asked, *more, "--out", str(out), "--quiet"])
        assert ended.value.code in (0, 1), capsys.readouterr()
        held.append(float(pd.read_csv(out).set_index("variable")["value"][name]))
    assert abs(held[1] - own[name]) < abs(held[0] - own[name])


def test_parts_lost_and_tables_replaced_are_refused(imported, tmp_path):
    """A part that is missing or cut short, and a table imported anew since: never a number."""
    _, files, census = imported
    shares = build_crosswalk(
        census.zones("DA"),
        ServiceAreas.from_frame(synthetic.service_areas(census, count=2, seed=5), id="area_id"),
    )
    lipgeo.add_table(tmp_path, files, name="one")
    opened = lipgeo.open_table(tmp_path, "one")
    assert len(weight_table(opened, shares, variables="population").frame) == 2
    part = sorted(tmp_path.glob("tables/2021/one/data/level=DA/*.parquet"))[-1]
    whole = part.read_bytes()
    part.write_bytes(whole[:-10])
    for call in (lambda: lipgeo.open_table(tmp_path), lambda: weight_table(opened, shares)):
        with pytest.raises(StoreError, match=part.name):
            call()
    part.unlink()
    with pytest.raises(StoreError, match=part.name):
        lipgeo.open_table(tmp_path)
    part.write_bytes(whole)
    lipgeo.add_table(tmp_path, files[::-1], name="one", replace=True)
    with pytest.raises(StoreError, match="anew"):
        weight_table(opened, shares)


def test_a_table_may_be_called_as_an_import_is(imported, tmp_path):
    """Only hidden folders are imports: a name that ends alike is a name."""
    lipgeo.add_table(tmp_path, imported[1][:1], name="a-import")
    assert len(lipgeo.open_table(tmp_path, "a-import")) > 0


def test_crosswalks_by_weight_must_fit_together(country):
    """Another weight under a key, or other areas: refused, for numbers would go astray."""
    census, areas, _ = country
    table = made(country, 0.0)
    people = build_crosswalk(census.zones("DA"), areas, weight="population")
    fewer = build_crosswalk(census.zones("DA"), areas.select(areas.ids[:3]), weight="dwellings")
    for second in (people, fewer):
        with pytest.raises(TableError, match="dwellings"):
            weight_table(table, {"population": people, "dwellings": second})


def test_percentages_of_what_can_be_one(country):
    """A count has a percentage of its own denominator; a rate or an average has none."""
    census, areas, _ = country
    table = made(country, 0.0)
    crosswalk = build_crosswalk(census.zones("DA"), areas, weight="population")
    rules = {"immigrants": Variable("immigrants", "count", denominator="population")}
    own = table.with_variables(rules)
    found = weight_table(own, crosswalk, variables=["immigrants_pct", "immigrants", "population"])
    assert found.variables["immigrants_pct"].denominator == "population"
    for name in ("average_income_pct", "low_income_prevalence_pct"):
        with pytest.raises(TableError, match=name):
            weight_table(table, crosswalk, variables=[name])
    with pytest.raises(TableError, match="another"):
        table.with_variables({"another": "count"})
    with pytest.raises(TableError, match="nonsense"):
        found.explain_all(["nonsense"])
