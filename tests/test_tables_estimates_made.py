"""Estimates on a made census whose truth is known: error, bounds, gaps, whole units, files."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely

import lipgeo
from lipgeo import Zones, build_crosswalk, synthetic, weight_areas, weight_table
from lipgeo.cli import main
from lipgeo.errors import FileError, OutputError, TableError
from lipgeo.order.tables import read_estimates
from lipgeo.store.results import write_estimates
from lipgeo.tables import CensusTable
from lipgeo.tables.wide import table_of_numbers

#: what the made people have
COUNTS = ("immigrants", "recent_immigrants", "non_permanent_residents", "english_only",
          "french_only", "low_income", "population", "dwellings", "households")  # fmt: skip


@pytest.fixture(scope="module")
def census():
    """Return a made census."""
    return synthetic.census(3000, seed=3)


@pytest.fixture(scope="module")
def people(census):
    """Return its people."""
    return synthetic.people(census)


@pytest.fixture(scope="module")
def areas(census):
    """Return areas drawn without regard to its units."""
    drawn = synthetic.service_areas(census, 12, seed=2, kind="freehand")
    return lipgeo.ServiceAreas.from_frame(drawn, id="area_id")


@pytest.fixture(scope="module")
def crosswalks(census, areas):
    """Return shares of dissemination areas by what each variable goes by."""
    zones = census.zones("DA")
    return {
        weight: lipgeo.build_crosswalk(zones, areas, weight=weight)
        for weight in ("population", "dwellings", "households")
    }


@pytest.fixture(scope="module")
def truth(people, areas):
    """Return the people in the areas, counted one by one."""
    return people.truth(areas, incomes=True)


def tabled(census, people, level: str = "DA", **more) -> CensusTable:
    """Tabulate a level as published."""
    made = synthetic.table(census, level, people=people, **more)
    return CensusTable(made.frame, level=level, vintage=2021, symbols=made.symbols)


def beside(est, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers with the truth beside them."""
    frame = est.frame
    known = truth.stack().rename("truth")
    return frame.join(known, on=["area_id", "variable"]).dropna(subset=["truth"])


def error(frame: pd.DataFrame) -> float:
    """Return the sum of absolute errors over the total."""
    return float((frame["value"] - frame["truth"]).abs().sum() / frame["truth"].sum())


def test_the_estimates_come_near_the_truth_by_every_rule(census, people, crosswalks, truth):
    """Counts, percentages and averages are within a percent or two of what was counted."""
    found = beside(weight_table(tabled(census, people), crosswalks), truth)
    by_rule = {rule: error(rows) for rule, rows in found.groupby("rule") if rule != "median"}
    assert by_rule["count"] < 0.007
    assert by_rule["percent"] < 0.02
    assert by_rule["average"] < 0.03
    medians = found[found["rule"].eq("median")]
    assert medians["truth"].between(medians["lower"], medians["upper"]).all()
    assert medians["value"].isna().all()


@pytest.mark.parametrize("suppressed", [0.0, 0.05, 0.2, 0.6])
def test_certain_bounds_always_hold(census, people, crosswalks, truth, suppressed):
    """However much is suppressed, the truth lies within every bound that is given."""
    table = tabled(census, people, suppressed=suppressed, rounded=False, floors=False)
    found = beside(weight_table(table, crosswalks), truth)
    # the range of medians is that of the units observed
    found = found[~found["rule"].eq("median") | found["observed_share"].eq(1)]
    slack = 1e-9 * found["truth"]
    assert (found["lower"].isna() | (found["lower"] <= found["truth"] + slack)).all()
    assert (found["upper"].isna() | (found["truth"] <= found["upper"] + slack)).all()
    counted = found[found["rule"].eq("count")]
    assert counted[["lower", "upper"]].notna().all(axis=None)


def test_bounds_of_rounded_tables_hold_but_for_the_rounding(census, people, crosswalks, truth):
    """Bounds are of the published values: each unit may be off by its base, no more."""
    est = weight_table(tabled(census, people, floors=False), crosswalks, variables=list(COUNTS))
    found = beside(est, truth)
    units = est.explain_all(list(COUNTS)).query("row == 'unit'")
    most = units.groupby(["area_id", "variable"]).size().rename("units") * 9.0
    found = found.join(most, on=["area_id", "variable"])
    found.loc[found["rounding_max"].eq(0), "units"] = 1e-6
    assert (found["truth"] >= found["lower"] - found["units"]).all()
    assert (found["truth"] <= found["upper"] + found["units"]).all()


@pytest.mark.parametrize(("suppressed", "most"), [(0.05, 0.02), (0.2, 0.06), (0.6, 0.15)])
def test_suppression_costs_numbers_and_not_truth(
    census, people, crosswalks, truth, suppressed, most
):
    """With cells gone there are fewer numbers, not smaller ones; every loss is in the report."""
    est = weight_table(tabled(census, people, suppressed=suppressed), crosswalks)
    found = beside(est, truth).query("rule == 'count'")
    given = found.dropna(subset=["value"])
    assert error(given) < most
    lean = (given["value"] - given["truth"]).sum() / given["truth"].sum()
    assert abs(lean) < most / 2
    lost = found[found["value"].isna()]
    assert lost["flag"].str.contains("too_little_observed").all()
    assert (given["observed_share"] >= 0.5).all()
    assert set(est.missing["reason"]) <= {"x", "F", "..", "...", "denominator"}
    assert len(lost) > 0 or suppressed < 0.6


def test_the_likely_range_holds_most_of_the_truth(census, people, crosswalks, truth):
    """Rounded and suppressed tables: the 90 % range holds about nine truths in ten."""
    table = tabled(census, people).with_parents(census.units("DA")["CSD"])
    est = weight_table(table, crosswalks, variables=list(COUNTS))
    found = beside(est, truth).dropna(subset=["value"])
    held = found["truth"].between(found["likely_lower"] - 1e-9, found["likely_upper"] + 1e-9)
    assert held.mean() > 0.85


def test_the_union_is_counted_as_ordered(census, people, areas):
    """By membership, numbers are those of whole units, and they say so."""
    fitted = lipgeo.fit_boundaries(census, areas)
    table = tabled(census, people, rounded=False, floors=False)
    est = weight_table(table, fitted.membership, variables=["immigrants"], hidden="as_published")
    frame = est.frame.set_index("area_id")
    units = fitted.units.groupby("area_id")["unit_id"].agg(list)
    for area, members in units.items():
        assert frame.loc[area, "value"] == table.frame["immigrants"].reindex(members).sum()
    assert (frame["basis"] == "union").all()
    assert (frame["lower"] <= frame["value"]).all()
    assert (frame["upper"] >= frame["value"]).all()


def test_listed_units_are_taken_by_their_own_rows(census, people):
    """A listed city's own row counts, not the sum of its parts; the rest is shared out."""
    csds = census.units("CSD").sort_values("population", ascending=False).index[:2]
    das = census.units("DA")
    loose = das.index[das["CSD"].eq(census.units("CSD").index[5]).fillna(False)][:2]
    areas = lipgeo.ServiceAreas.from_units(
        {
            "city": [f"CSD:{csds[0]}"],
            "both": [f"CSD:{csds[1]}", *(f"DA:{unit}" for unit in loose)],
        },
        census,
    )
    tables = [tabled(census, people), tabled(census, people, "CSD")]
    est = weight_areas(
        census, areas, tables, variables=["immigrants", "median_income"], hidden="as_published"
    )
    wide = est.wide()
    published = tables[1].frame
    assert wide.loc["city", "immigrants"] == published.loc[csds[0], "immigrants"]
    rest = tables[0].frame["immigrants"].reindex(loose).sum()
    assert wide.loc["both", "immigrants"] == published.loc[csds[1], "immigrants"] + rest
    # one whole unit's own median is its median
    assert wide.loc["city", "median_income"] == published.loc[csds[0], "median_income"]
    assert est.report.only("own_rows").frame["value"].isna().all()
    assert est.frame["basis"].unique().tolist() == ["union"]
    only = weight_areas(census, areas, tables[0], variables=["immigrants"]).wide()
    assert only.loc["city", "immigrants"] != wide.loc["city", "immigrants"]


def test_tables_of_no_census_level_or_two_of_one_are_refused(census, people, areas):
    """weight_areas needs one table a level, of the census opened."""
    table = tabled(census, people)
    with pytest.raises(TableError, match="Two tables are of level DA"):
        weight_areas(census, areas, [table, table])
    with pytest.raises(TableError, match="No table"):
        weight_areas(census, areas, [])
    zones = CensusTable(pd.DataFrame({"population": [1.0]}, index=["z"]), level=None, vintage=None)
    with pytest.raises(TableError, match="A table of census units is needed"):
        weight_areas(census, areas, zones)


# ---------------------------------------------------------------- files and the command line


@pytest.fixture
def estimates(census, people, crosswalks):
    """Return a few estimates with gaps."""
    table = tabled(census, people, suppressed=0.1)
    return weight_table(table, crosswalks, variables=["immigrants", "immigrants_pct"])


def test_the_workbook_explains_itself(estimates, tmp_path):
    """The table for people first, then results and what they are made of; ids are text."""
    path = tmp_path / "estimates.xlsx"
    names = pd.Series(["Somewhere"] * 12, index=estimates.area_ids)
    assert write_estimates(estimates, path, names=names) == [path]
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == [
        "table", "columns", "results", "explain", "missing", "variables", "flags", "sources",
        "findings",
    ]  # fmt: skip
    told = {(row[0].value, row[1].value) for row in book["columns"].iter_rows(min_row=2)}
    under_title = {"results": 2, "missing": 2}
    for sheet in book.sheetnames[2:]:
        head = {cell.value for cell in book[sheet][under_title.get(sheet, 1)]}
        assert head - {None} == {column for name, column in told if name == sheet}
    table = book["table"]
    label = estimates.variables["immigrants"].label
    assert [cell.value for cell in table[1]][:3] == ["Id", "Name", label]
    assert table.cell(2, 3).number_format == "#,##0"
    assert table.cell(2, 4).number_format == "#,##0.0"
    assert table.max_row == 1 + len(estimates.area_ids)
    results = book["results"]
    head = [cell.value for cell in results[2]]
    assert head[:4] == ["area_id", "area_name", "variable", "value"]
    first = [cell.value for cell in results[3]]
    assert first[:3] == [estimates.area_ids[0], "Somewhere", "immigrants"]
    assert first[3] == pytest.approx(estimates.frame["value"].iloc[0])
    assert isinstance(book["explain"].cell(2, 5).value, str)
    assert book["missing"].max_row > 3


def test_where_the_likely_range_comes_from_is_said(estimates, tmp_path):
    """Beside the model's parameters: learned from so many splits, or borrowed."""
    learned = estimates.error_model["splits"].copy()
    estimates.error_model["splits"] = [400, 0]
    write_estimates(estimates, tmp_path / "e.xlsx")
    estimates.error_model["splits"] = learned
    head, *rows = openpyxl.load_workbook(tmp_path / "e.xlsx")["variables"].values
    at = head.index("likely_range_is")
    assert head[at + 1] == "phi"
    assert rows[0][at].startswith("learned from 400 splits of larger units in ")
    assert rows[1][at].startswith("borrowed: nothing in these data to learn from")


@pytest.mark.parametrize(("ending", "csv"), [("xlsx", "en"), ("csv", "fr"), ("gpkg", "en")])
def test_an_order_takes_every_file_of_numbers(estimates, tmp_path, ending, csv):
    """What was written is read back for an order as the frame itself is; others are refused."""
    ids = estimates.area_ids
    shapes = gpd.GeoSeries(shapely.box(range(len(ids)), 0, range(1, len(ids) + 1), 1), ids, 3347)
    path, *_ = write_estimates(estimates, tmp_path / f"e.{ending}", shapes=shapes, csv=csv)
    key = ["area_id", "variable"]
    back = read_estimates(path).set_index(key)["value"]
    given = read_estimates(estimates).set_index(key)["value"]
    np.testing.assert_allclose(back.reindex(given.index), given)
    with pytest.raises(FileError, match=r"e\.txt"):
        read_estimates(tmp_path / "e.txt")


def test_numbers_with_their_shapes(estimates, tmp_path):
    """A GeoPackage: an area a row, a variable a column with its likely range; shapes are needed."""
    ids = estimates.area_ids
    shapes = gpd.GeoSeries(shapely.box(range(len(ids)), 0, range(1, len(ids) + 1), 1), ids, 3347)
    (path,) = write_estimates(estimates, tmp_path / "e.gpkg", shapes=shapes)
    back = gpd.read_file(path).set_index("area_id")
    assert back.crs.to_epsg() == 3347
    wide = estimates.wide()
    np.testing.assert_allclose(back["immigrants"], wide["immigrants"])
    assert {"immigrants_likely_lower", "immigrants_pct_likely_upper"} <= set(back.columns)
    assert back.geometry.geom_equals(shapes.set_axis(back.index)).all()
    with pytest.raises(OutputError, match="these have none"):
        write_estimates(estimates, tmp_path / "f.gpkg", shapes=shapes.iloc[1:])


def test_a_median_without_groups_is_its_range_in_the_table():
    """People read from what to what it lies, and are told to order it; 9 stands before 10."""
    fields = Zones(["a", "b"], shapely.box([0, 2], 0, [2, 4], 2), "EPSG:26917")
    towns = Zones(["10", "9"], [shapely.box(1, 0, 4, 2), shapely.box(0, 0, 3, 2)], "EPSG:26917")
    frame = pd.DataFrame({"median_income": [22600, 83000]}, index=["a", "b"])
    table = CensusTable(frame, {"median_income": "median"}, level=None, vintage=None)
    found = weight_table(table, build_crosswalk(fields, towns))
    made = table_of_numbers(found)
    assert made.frame["Id"].tolist() == ["9", "10"]
    assert set(made.text().iloc[:, 1]) == {"22,600 to 83,000"}
    assert [one.check for one in found.report if one.check == "order_medians"] == ["order_medians"]


def test_csv_and_parquet_hold_the_same(estimates, tmp_path):
    """CSV: three files, French form on demand; Parquet: the results, types kept."""
    written = write_estimates(estimates, tmp_path / "e.csv", csv="fr")
    assert [path.name for path in written] == ["e.csv", "e_explain.csv", "e_missing.csv"]
    back = pd.read_csv(
        written[0], sep=";", decimal=",", dtype={"area_id": str}, keep_default_na=True
    )
    np.testing.assert_allclose(back["value"], estimates.frame["value"])
    (parquet,) = write_estimates(estimates, tmp_path / "e.parquet")
    read = pd.read_parquet(parquet)
    assert set(read.pop("vintage")) == {estimates.vintages[0]}
    pd.testing.assert_frame_equal(read, estimates.frame, check_dtype=False, check_column_type=False)
    assert write_estimates(estimates, tmp_path / "e.csv", csv="fr", replace=True) == written
    with pytest.raises(OutputError, match="ends otherwise"):
        write_estimates(estimates, tmp_path / "e.doc")


def test_the_command_weights_a_profile_to_areas(tmp_path, capsys):
    """A profile, areas and a store in; a workbook and JSON out; nothing is written over."""
    census = synthetic.census(1500, seed=3)
    people = synthetic.people(census)
    areas = lipgeo.ServiceAreas.from_frame(
        synthetic.service_areas(census, 4, seed=2, kind="freehand"), id="area_id"
    )
    files = tmp_path / "files"
    store = tmp_path / "store"
    lipgeo.add_census(store, synthetic.write_files(census, files, levels=["DA", "DB"]))
    made = synthetic.table(census, "DA", people=people)
    profile = synthetic.write_profile(census, [made], tmp_path / "profile")
    drawn = tmp_path / "areas.gpkg"
    areas.frame.reset_index()[["area_id", "name_en", "geometry"]].to_file(drawn)
    out = tmp_path / "out.xlsx"
    call = ["weight", *map(str, profile), "--areas", str(drawn), "--id", "area_id",
            "--store", str(store), "--out", str(out), "--variables", "immigrants,immigrants_pct",
            "--json"]  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(call)
    shown = pd.read_json(pd.io.common.StringIO(capsys.readouterr().out), typ="series")
    assert ended.value.code in (0, 1)
    assert out.exists()
    frame = pd.DataFrame(shown["estimates"])
    assert set(frame["variable"]) == {"immigrants", "immigrants_pct"}
    assert len(frame) == 2 * len(areas)
    with pytest.raises(SystemExit) as ended:
        main(call)
    assert ended.value.code == 2
    assert "--replace" in capsys.readouterr().err


@pytest.fixture(scope="module")
def built(census, people, areas, tmp_path_factory):
    """Return a build of areas that do not overlap, in a folder, and a table in a file."""
    home = tmp_path_factory.mktemp("built")
    shapes, apart = areas.frame.geometry, []
    for area in areas.ids:
        if not shapes[apart].intersects(shapes[area]).any():
            apart.append(area)
    fitted = lipgeo.fit_boundaries(census, areas.select(apart))
    folder = lipgeo.write_build(fitted, home / "build")
    table = tabled(census, people).frame.reset_index()
    path = home / "table.csv"
    table.rename(columns={"unit_id": "DAUID"}).to_csv(path, index=False)
    return folder, path


def test_the_command_weights_by_a_build(built, tmp_path, capsys):
    """With a build, drawn areas by their shares, or unions by membership; ``estimate`` too."""
    folder, path = built
    values = {}
    for basis in ("drawn", "union"):
        out = tmp_path / f"{basis}.parquet"
        with pytest.raises(SystemExit):
            main(["estimate", str(path), "--build", str(folder), "--basis", basis,
                  "--out", str(out), "--variables", "population", "--quiet"])  # fmt: skip
        values[basis] = pd.read_parquet(out)
        assert (values[basis]["basis"] == basis).all()
    assert not np.allclose(values["drawn"]["value"], values["union"]["value"])
    capsys.readouterr()


def test_the_command_brings_estimates_to_known_totals(built, truth, tmp_path, capsys):
    """``weight --controls`` meets the totals of its file in every area; without it they are missed.

    A file whose totals cannot be told, that holds no number or names a column the table lacks, or
    that names areas not asked for, ends with status 2, says so, and leaves what was written.
    """
    folder, path = built
    told = truth["population"].reindex(lipgeo.read_build(folder).service_areas.ids)
    known = tmp_path / "known.csv"
    told.rename_axis("area_id").to_csv(known)
    out = tmp_path / "out.parquet"
    call = ["weight", str(path), "--build", str(folder), "--out", str(out), "--replace", "--quiet",
            "--hidden", "as_published", "--variables", "population,immigrants"]  # fmt: skip
    made = {}
    for extra in ([], ["--controls", str(known)]):
        with pytest.raises(SystemExit) as ended:
            main([*call, *extra])
        assert ended.value.code in (0, 1), capsys.readouterr().err
        rows = pd.read_parquet(out).pivot(index="area_id", columns="variable", values="value")
        made[bool(extra)] = rows.reindex(told.index)
    missed = {met: (rows["population"] / told - 1).abs() for met, rows in made.items()}
    assert missed[True].max() < 0.003 < missed[False].max()
    # what was not told moves with what was
    assert not np.allclose(made[True]["immigrants"], made[False]["immigrants"])
    before = out.read_bytes()
    for text, message in (
        ("area_id,a,b\nlip-001,2,3\n", "--controls-column"),
        ("area_id,wolves\nlip-001,2\n", "wolves"),
        ("area_id,population\nlip-001,many\n", "many"),
        ("area_id,population\nelsewhere,2\n", "elsewhere"),
    ):
        known.write_text(text)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*call, "--controls", str(known)])
        assert ended.value.code == 2
        assert message in capsys.readouterr().err
    assert out.read_bytes() == before


def test_a_wrong_call_says_what_to_give(capsys, tmp_path):
    """Neither or both of --areas and --build, or a union without a build: status 2."""
    for extra, message in (
        ([], "either --areas"),
        (["--areas", "a", "--build", "b"], "either --areas"),
        (["--areas", "a", "--basis", "union"], "needs --build"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["weight", "t.csv", "--out", str(tmp_path / "o.xlsx"), *extra])
        assert ended.value.code == 2
        assert message in capsys.readouterr().err
