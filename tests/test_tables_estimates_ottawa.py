"""Estimates against Statistics Canada's own counts: Ottawa's neighbourhoods, Calgary's wards."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import lipgeo
from lipgeo.store import add_census
from lipgeo.tables import CensusTable, residuals

pytestmark = pytest.mark.realdata

#: variable -> the custom count that is its truth
TRUTH = {
    "population": "SF_TotalPop",
    "dwellings": "SF_PTDWELL",
    "households": "LF_Households",
    "immigrant_status_total": "LF_POP_PRIV",
}


def profile_of(path: Path) -> CensusTable:
    """Read an extract; who was asked their status is the sum of its three parts."""
    table = lipgeo.read_table(path, level="DA", vintage=2021)
    frame = table.frame
    parts = ["non_immigrants", "immigrants", "non_permanent_residents"]
    frame["immigrant_status_total"] = frame[parts].sum(axis=1, min_count=3)
    return CensusTable(
        frame, level="DA", vintage=2021, parents=table.parents, sources=table.sources
    )


@pytest.fixture(scope="module")
def profile(realdata):
    """Return Ottawa's profile by dissemination area."""
    return profile_of(realdata / "ottawa_2021" / "da_profile_2021.csv")


@pytest.fixture(scope="module")
def truth(realdata):
    """Return the custom counts of the 116 neighbourhoods."""
    path = realdata / "ottawa_2021" / "neighbourhood_counts_2021.csv"
    return pd.read_csv(path, dtype={"ONS_ID": str}).set_index("ONS_ID")


@pytest.fixture(scope="module")
def ottawa(realdata, tmp_path_factory):
    """Return Ottawa's census."""
    folder = tmp_path_factory.mktemp("store")
    names = ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")
    add_census(folder, [realdata / "ottawa_2021" / name for name in names])
    return lipgeo.open_census(folder)


@pytest.fixture(scope="module")
def areas(realdata):
    """Return the neighbourhoods, whose outlines ignore the dissemination areas."""
    return lipgeo.read_service_areas(realdata / "ottawa_2021" / "neighbourhoods.gpkg", id="ONS_ID")


@pytest.fixture(scope="module")
def shares(ottawa, areas):
    """Return shares of dissemination areas by people and by dwellings."""
    return {
        weight: lipgeo.build_crosswalk(ottawa.zones("DA"), areas, weight=weight)
        for weight in ("population", "dwellings")
    }


def rows_of(est, name: str, truth: pd.DataFrame) -> pd.DataFrame:
    """Return one variable's numbers with the truth beside them."""
    rows = est.frame[est.frame["variable"].eq(name)].set_index("area_id")
    return rows.assign(truth=truth[TRUTH[name]].reindex(rows.index))


def error(rows: pd.DataFrame) -> float:
    """Return the sum of absolute errors over the total."""
    return float((rows["value"] - rows["truth"]).abs().sum() / rows["truth"].sum())


@pytest.mark.parametrize(
    ("variable", "most"),
    [("population", 0.013), ("dwellings", 0.014), ("immigrant_status_total", 0.014)],
)
def test_estimates_are_near_and_their_ranges_hold(profile, shares, truth, variable, most):
    """Under 1.4 % error; all 116 within the certain bounds; the 90 % range holds 88 to 96 %."""
    rows = rows_of(lipgeo.weight_table(profile, shares), variable, truth)
    assert error(rows) < most
    assert rows["truth"].between(rows["lower"], rows["upper"]).all()
    held = rows["truth"].between(rows["likely_lower"], rows["likely_upper"]).mean()
    assert 0.88 <= held <= 0.96
    width = (rows["likely_upper"] - rows["likely_lower"]) / rows["value"]
    assert width.median() < 0.085


def test_blocks_do_as_well_and_area_does_worse(ottawa, areas, profile, truth):
    """Straight from blocks 2.8 %, by area 8.3 %."""
    blocks = CensusTable(ottawa.units("DB")[["population"]], level="DB", vintage=2021)
    at = lipgeo.build_crosswalk(ottawa.zones("DB"), areas, weight="population")
    assert error(rows_of(lipgeo.weight_table(blocks, at), "population", truth)) < 0.029
    at = lipgeo.build_crosswalk(ottawa.zones("DA"), areas, weight="area")
    by_area = error(rows_of(lipgeo.weight_table(profile, at), "population", truth))
    assert 0.08 < by_area < 0.09


def test_calibration_mends_what_played_no_part(profile, shares, truth):
    """Calibrated to people alone, dwellings and the long form's people come within 1.3 %."""
    wanted = truth[["SF_TotalPop"]].set_axis(["population"], axis=1)
    xw = shares["population"]
    done = lipgeo.calibrate(xw, wanted, profile.frame[["population"]])
    before, after = lipgeo.weight_table(profile, xw), lipgeo.weight_table(profile, done)
    for name in ("dwellings", "immigrant_status_total"):
        assert error(rows_of(before, name, truth)) > 0.012
        assert error(rows_of(after, name, truth)) < 0.007
        # what is missed though tracts do not show it is in the range: four in five, and narrow
        rows = rows_of(after, name, truth)
        assert rows["truth"].between(rows["likely_lower"], rows["likely_upper"]).mean() > 0.8
        width = (rows["likely_upper"] - rows["likely_lower"]) / rows["value"]
        assert width.median() < 0.04
    left = residuals(done)["residual"].abs()
    assert (left > 0.5).sum() <= 1
    assert done.check().ok


def test_one_lone_area_moves_and_the_city_gives(profile, shares, truth):
    """Statistics Canada's count for one neighbourhood comes out of its neighbours."""
    xw = shares["population"]
    wanted = truth.loc[["3110"], ["SF_TotalPop"]].set_axis(["population"], axis=1)
    done = lipgeo.calibrate(xw, wanted, profile.frame[["population"]])
    before = lipgeo.weight_table(profile, xw).wide()["population"]
    after = lipgeo.weight_table(profile, done).wide()["population"]
    assert after["3110"] == pytest.approx(4695, rel=1e-9)
    changed = (after - before).drop("3110")
    assert (changed < 0.5).all()
    assert 2 <= (changed < -1).sum() <= 8


def test_explain_names_units_shares_and_the_file(profile, shares):
    """The extract's file and hash stand beside each dissemination area."""
    shown = lipgeo.weight_table(profile, shares).explain("3001", "immigrants")
    units = shown[shown["row"].eq("unit")]
    assert units["file"].eq("da_profile_2021.csv").all()
    assert units["sha256"].str.len().eq(64).all()
    total = shown.set_index("row").loc["sum", "contribution"]
    assert units["contribution"].sum() == pytest.approx(total)


def test_calgary_adds_up(realdata, tmp_path):
    """The city is the sum of its dissemination areas; what was suppressed is put in, and said."""
    home = realdata / "calgary_2021"
    add_census(tmp_path, [home / "da.gpkg", home / "da_profile_2021.csv"], vintage=2021)
    census = lipgeo.open_census(tmp_path)
    profile = profile_of(home / "da_profile_2021.csv")
    listed = [f"DA:{unit}" for unit in census.units("DA").index]
    city = lipgeo.ServiceAreas.from_units({"calgary": listed}, census)
    est = lipgeo.weight_areas(census, city, profile, variables=["population", "immigrants"])
    wide = est.wide().loc["calgary"]
    assert wide["population"] == 1_306_784
    published = profile.frame["immigrants"].sum()
    assert 0 < wide["immigrants"] - published < 1468
    wards = lipgeo.read_service_areas(next((home / "wards").glob("*.shp")), id="ward_num")
    by_ward = lipgeo.weight_areas(census, wards, profile, variables=["population"])
    assert by_ward.wide()["population"].sum() == pytest.approx(1_306_784, rel=1e-3)


def test_a_database_engine_gives_the_same(profile, shares):
    """DuckDB and memory: every number, bound and range of Ottawa to 1e-12, flags and texts too."""
    tables = pytest.importorskip("longtables", reason="needs the extra tables")
    memory = lipgeo.weight_table(profile, shares)
    engine = lipgeo.weight_table(tables.long_of(profile), shares)
    tables.assert_equal(memory.frame, engine.frame)
    tables.assert_equal(memory.error_model, engine.error_model)
    assert len(memory.frame) > 1_000
