"""Ottawa and Calgary as published: the figures of the main job, against Statistics Canada's own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lipgeo.areas import ServiceAreas
from lipgeo.boundary import Boundaries, fit_boundaries
from lipgeo.census import Census
from lipgeo.readers import read_service_areas
from lipgeo.store import add_census, open_census

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def ottawa(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Census:
    """Return Ottawa imported from the three files as published."""
    store = tmp_path_factory.mktemp("ottawa")
    names = ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")
    add_census(store, [realdata / "ottawa_2021" / name for name in names])
    return open_census(store)


@pytest.fixture(scope="module")
def calgary(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Census:
    """Return Calgary's dissemination areas with their profile."""
    store = tmp_path_factory.mktemp("calgary")
    names = ("da.gpkg", "da_profile_2021.csv")
    add_census(store, [realdata / "calgary_2021" / name for name in names], vintage=2021)
    return open_census(store)


@pytest.fixture(scope="module")
def neighbourhoods(realdata: Path) -> ServiceAreas:
    """Return the 116 neighbourhoods, which ignore the dissemination areas."""
    return read_service_areas(realdata / "ottawa_2021" / "neighbourhoods.gpkg", id="ONS_ID")


@pytest.fixture(scope="module")
def truth(realdata: Path) -> pd.Series:
    """Return Statistics Canada's custom counts of the neighbourhoods."""
    path = realdata / "ottawa_2021" / "neighbourhood_counts_2021.csv"
    return pd.read_csv(path, dtype={"ONS_ID": str}).set_index("ONS_ID")["SF_TotalPop"]


def _wards(folder: Path) -> Path:
    return next(iter((folder / "wards").glob("*.shp")))


@pytest.mark.parametrize(
    ("unit", "rule", "most"),
    [
        ("DA", "majority", 0.039),
        ("DA", "largest", 0.0385),
        ("DB", "majority", 0.0285),
        ("mixed", "majority", 0.0285),
    ],
)
def test_error_against_the_custom_counts(ottawa, neighbourhoods, truth, unit, rule, most) -> None:
    """Unions of whole units come within the stated error of the published populations."""
    b = fit_boundaries(ottawa, neighbourhoods, unit=unit, rule=rule)
    frame = b.areas.set_index("area_id")
    assert (frame["population_union"] - truth).abs().sum() / truth.sum() <= most
    assert b.areas.geometry.is_valid.all()
    assert (frame["misfit_share"].dropna() >= 0).all()
    assert b.report.worst != "error"


def test_every_person_is_somewhere(ottawa, neighbourhoods) -> None:
    """People inside the outlines, as estimated, are those of the unions less added plus omitted."""
    frame = fit_boundaries(ottawa, neighbourhoods).areas
    again = frame["population_union"] - frame["population_added"] + frame["population_omitted"]
    assert again.to_numpy() == pytest.approx(frame["population_drawn"].to_numpy(), abs=1e-6)
    assert frame["population_drawn"].sum() <= 1_017_449


def test_exclusive_neighbourhoods_share_no_one(ottawa, neighbourhoods) -> None:
    """Even the rule that takes all it touches can be made a partition."""
    b = fit_boundaries(ottawa, neighbourhoods, rule="touching", exclusive=True)
    assert not b.units["unit_id"].duplicated().any()
    assert not b.report.only("overlap")


def test_the_whole_of_ottawa_is_its_division_and_never_the_province(ottawa, realdata) -> None:
    """All dissemination areas stored are in the city: told as CD 3506; PR 35 is not proven."""
    city = read_service_areas(_wards(realdata / "ottawa_2021"), as_one="ottawa")
    b = fit_boundaries(ottawa, city)
    assert len(b.units) == 1392
    assert (b.cover["level"] + ":" + b.cover["unit_id"]).tolist() == ["CD:3506"]
    assert b.areas["population_union"].iloc[0] == 1_017_449
    assert b.areas["classification"].iloc[0] == "standard"
    assert "PR:35" in b.report.only("parent_incomplete").findings[0].message


def test_each_ward_of_ottawa_is_covered_exactly(ottawa, realdata) -> None:
    """The cover of each ward holds its people, and no unit of a level that is not held whole."""
    b = fit_boundaries(ottawa, read_service_areas(_wards(realdata / "ottawa_2021"), id="WARD"))
    assert len(b) == 24
    _covers_hold_the_unions(b)
    assert set(b.cover["level"]) == {"DA"}


def test_blocks_are_told_by_dissemination_areas_where_whole(ottawa, neighbourhoods) -> None:
    """Unions of blocks: whole dissemination areas stand for their blocks, so far fewer units."""
    b = fit_boundaries(ottawa, neighbourhoods, unit="DB")
    _covers_hold_the_unions(b)
    assert len(b.cover) < 0.5 * len(b.units)
    custom = b.areas.set_index("area_id")["classification"].eq("custom")
    blocks = b.cover[b.cover["level"] == "DB"]["area_id"].unique()
    assert set(custom[custom].index) == set(blocks)
    # one has no block most of whose people are in it, and no floor of its own
    held = b.areas.set_index("area_id")["floor_persons"][custom.notna()]
    assert (held == custom.dropna().map({True: 100, False: 40})).all()


def test_calgary_as_one_is_its_subdivision_and_never_its_division(calgary, realdata) -> None:
    """The published population proves CSD 4806016; of division 4806 more exists than is stored."""
    city = read_service_areas(_wards(realdata / "calgary_2021"), as_one="calgary")
    b = fit_boundaries(calgary, city)
    assert (b.cover["level"] + ":" + b.cover["unit_id"]).tolist() == ["CSD:4806016"]
    assert b.areas["population_union"].iloc[0] == 1_306_784
    assert "edges_disagree" in b.areas["flags"].iloc[0]
    assert b.areas.geometry.is_valid.all()


def test_calgarys_wards(calgary, realdata) -> None:
    """Fourteen wards, each covered exactly; without blocks the shares are by area, and said so."""
    b = fit_boundaries(
        calgary, read_service_areas(_wards(realdata / "calgary_2021"), id="ward_num")
    )
    assert len(b) == 14
    _covers_hold_the_unions(b)
    assert b.report.only("share_by_area")
    assert "CD" not in set(b.cover["level"])


def _covers_hold_the_unions(b: Boundaries) -> None:
    people = b.cover.groupby("area_id")["population"].sum()
    union = b.areas.set_index("area_id")["population_union"]
    assert people.reindex(union.index, fill_value=0).to_dict() == union.to_dict()


def test_calgary_listed_as_a_subdivision(calgary) -> None:
    """The city as a unit list: nothing to fit, misfit 0, drawn from its dissemination areas."""
    listed = ServiceAreas.from_units({"ab-calgary": ["CSD:4806016"]}, calgary)
    b = fit_boundaries(calgary, listed)
    area = b.areas.iloc[0]
    assert (area["misfit_share"], area["population_union"]) == (0, 1_306_784)
    assert b.cover["unit_id"].tolist() == ["4806016"]
    assert area.geometry.is_valid
    assert area.geometry.area > 8e8
    assert b.membership.source_level == "DA"
    assert len(b.membership.frame) == 1675
