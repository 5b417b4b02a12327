"""Fits on the made census: levels that do not nest, missing polygons, reserves, two provinces."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from lipgeo import synthetic
from lipgeo.areas import ServiceAreas
from lipgeo.boundary import Boundaries, fit_boundaries
from lipgeo.boundary.cover import COVER_LEVELS, fewest_units
from lipgeo.boundary.measures import shares_and_inside
from lipgeo.census import Census
from lipgeo.crosswalk import build_crosswalk


@pytest.fixture(scope="module")
def made() -> Census:
    """Return a made census of three thousand blocks."""
    return synthetic.census(blocks=3000, seed=3)


@pytest.fixture(scope="module")
def drawn(made: Census) -> ServiceAreas:
    """Return eight areas drawn over it."""
    return ServiceAreas.from_frame(synthetic.service_areas(made, 8, seed=2), id="area_id")


def _atoms(census: Census, units: pd.DataFrame) -> list[int]:
    """Return the blocks of units, with repetition."""
    found: list[int] = []
    for level, group in units.groupby("level"):
        rows = census.rows(level, group["unit_id"].to_numpy(dtype=object))
        found += census.atoms(level, rows)[1].tolist()
    return sorted(found)


def _covers_are_exact(census: Census, b: Boundaries) -> None:
    for area in b.areas["area_id"]:
        union = _atoms(census, b.units[b.units["area_id"] == area])
        cover = _atoms(census, b.cover[b.cover["area_id"] == area])
        assert cover == union
        assert len(set(cover)) == len(cover)


@pytest.mark.parametrize("unit", ["CSD", "ADA", "DA", "mixed", "DB"])
def test_covers_are_exact_and_no_larger_than_the_union(made, drawn, unit) -> None:
    """At every level: each block of the union once, by no more units than were chosen."""
    b = fit_boundaries(made, drawn, unit=unit)
    _covers_are_exact(made, b)
    chosen = b.units.groupby("area_id").size()
    cover = b.cover.groupby("area_id").size()
    assert (cover <= chosen.reindex(cover.index)).all()
    assert set(b.cover["level"]) <= set(COVER_LEVELS)
    assert b.areas.geometry.is_valid.all()
    assert b.report.worst != "error"


def test_a_few_areas_at_a_time_give_what_all_give(made, drawn, monkeypatch) -> None:
    """However few polygons are held at once: the same shapes, flags and findings."""
    at_once = fit_boundaries(made, drawn, unit="DB")
    monkeypatch.setattr("lipgeo.boundary.measures._TOGETHER", 50)
    b = fit_boundaries(made, drawn, unit="DB")
    assert b.areas.geometry.geom_equals_exact(at_once.areas.geometry, 0).all()
    assert b.areas["flags"].tolist() == at_once.areas["flags"].tolist()
    assert b.report == at_once.report


@pytest.mark.parametrize("by", ["population", "area"])
def test_what_lies_inside_is_what_blocks_laid_over_areas_say(made, drawn, by) -> None:
    """Blocks of whole units by id, of cut ones by the overlay of their shares: as all laid over."""
    crosswalk, inside = shares_and_inside(made, "DA", drawn, by)
    plain = build_crosswalk(made.zones("DB"), drawn, weight="area").frame
    told = pd.DataFrame(
        {
            "area": drawn.ids.get_indexer(plain["target_id"]),
            "atom": made.rows("DB", plain["source_id"].to_numpy(dtype=object)),
            "slow": plain["share"].to_numpy(),
        }
    )
    both = inside.merge(told, on=["area", "atom"], how="outer")
    assert not inside.duplicated(["area", "atom"]).any()
    np.testing.assert_allclose(both["share"].fillna(0), both["slow"].fillna(0), atol=1e-9)
    assert crosswalk == build_crosswalk(made.zones("DA"), drawn, weight=by)


def test_levels_that_do_not_nest_stand_together_in_covers(made, drawn) -> None:
    """Tracts, aggregate areas, centres: found in covers, each where it saves units."""
    levels = set(fit_boundaries(made, drawn, unit="DB").cover["level"])
    assert levels & {"ADA", "CT", "POPCTR", "DPL", "CMA"}
    assert levels & {"CSD", "CD", "PR"}


def test_a_metropolitan_area_in_two_provinces_is_one_unit(made) -> None:
    """Its blocks in both provinces are told as the one CMA, never as its parts."""
    blocks = made.data.attributes("DB", ["CMA", "PR"]).dropna()
    both = blocks.groupby("CMA")["PR"].nunique()
    cma = both.index[both > 1][0]
    atoms = blocks.index[blocks["CMA"] == cma].to_numpy()
    none = pd.DataFrame({"area": [], "level": [], "census_row": []})
    units = fewest_units(made, np.zeros(len(atoms), dtype=int), atoms, none).units
    named = made.data.attributes("CMA", ["unit_id"], units["census_row"].to_numpy())["unit_id"]
    assert units["level"].tolist() == ["CMA"]
    assert named.tolist() == [cma]


def test_a_partnership_of_subdivisions_and_designated_places(made) -> None:
    """A unit list keeps its levels: misfit 0, the cover is the list, the people are its units'."""
    places = made.units("DPL")
    held = made.data.attributes("DB", ["DPL", "CSD", "population"]).dropna(subset=["DPL"])
    place = places.index[places["population"] > 0][0]
    inside = set(held.loc[held["DPL"] == place, "CSD"])
    towns = made.units("CSD").drop(index=list(inside))
    towns = towns[towns["population"] > 0].index[:2].tolist()
    listed = ServiceAreas.from_units({"p": [f"DPL:{place}", *(f"CSD:{t}" for t in towns)]}, made)
    b = fit_boundaries(made, listed)
    area = b.areas.iloc[0]
    assert sorted(b.units["level"]) == sorted(b.cover["level"]) == ["CSD", "CSD", "DPL"]
    assert area["misfit_share"] == area["population_omitted"] == area["population_added"] == 0
    people = made.units("CSD").loc[towns, "population"].sum() + places.loc[place, "population"]
    assert area["population_union"] == people
    assert (area["classification"], area["floor_persons"]) == ("semi-custom", 40)
    # what tables are weighted by is 0 or 1 and holds the same people
    weighted = b.membership.frame
    assert (weighted["share"] == 1).all()
    level = b.membership.source_level
    of_units = made.units(level).loc[weighted["source_id"], "population"].sum()
    assert of_units == pytest.approx(people)
    _covers_are_exact(made, b)


def test_units_without_polygon_are_placed_by_their_point(made) -> None:
    """An all-water block with people and no polygon is in the area around it, and named."""
    block = made.data.meta["planted"]["no_polygon"]["DB"][0]
    row = made.rows("DB", [block])
    at = made.data.attributes("DB", ["x", "y", "population"], row).iloc[0]
    around = gpd.GeoDataFrame(
        {"id": ["bay"]}, geometry=[shapely.Point(at["x"], at["y"]).buffer(50_000)], crs=3347
    )
    b = fit_boundaries(made, ServiceAreas.from_frame(around, id="id"), unit="DB")
    assert block in set(b.units["unit_id"])
    assert "no_polygon" in b.areas["flags"].iloc[0]
    assert block in b.report.only("no_polygon").findings[0].message


def test_incomplete_reserves_are_not_empty(made) -> None:
    """A reserve that refused the census has no count: its area says so, and is not taken for 0."""
    reserve = made.data.meta["planted"]["incomplete_reserve"][0]
    listed = ServiceAreas.from_units({"r": [f"CSD:{reserve}"]}, made)
    b = fit_boundaries(made, listed)
    assert np.isnan(b.areas["population_union"].iloc[0])
    assert "population_unknown" in b.areas["flags"].iloc[0]
    assert not b.areas["below_floor"].iloc[0]


def test_exclusive_fits_share_no_block(made, drawn) -> None:
    """Overlapping partnerships made exclusive: no block in two, at one level and at several."""
    for unit in ("DA", "mixed"):
        free, alone = (fit_boundaries(made, drawn, unit=unit, exclusive=e) for e in (False, True))
        blocks = _atoms(made, alone.units)
        assert len(set(blocks)) == len(blocks)
        assert set(blocks) == set(_atoms(made, free.units))
        _covers_are_exact(made, alone)
