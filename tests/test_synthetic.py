"""The made census: its geometry, its hierarchy, its awkward cases, its truth and its files."""

from __future__ import annotations

import csv
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
import toytown

from lipgeo import geography, synthetic
from lipgeo.errors import InputError, OutputError
from lipgeo.store import add_census, open_census
from lipgeo.store.catalogue import published_files


@pytest.fixture(scope="module")
def made():
    """Return a made country of 10,000 blocks."""
    return synthetic.census(10_000)


def test_polygons_are_valid_but_for_those_planted(made):
    """Every polygon is valid, except the bow-ties named in the metadata."""
    for level in made.levels:
        shapes = made.data.geometry(level)
        bad = ~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)
        ids = made.data.attributes(level, ["unit_id"])["unit_id"].to_numpy(object)
        planted = made.data.meta["planted"]["invalid"] if level == "DB" else []
        assert sorted(ids[bad]) == sorted(planted)
    assert made.data.meta["planted"]["invalid"]


@pytest.mark.parametrize(
    "level", ["DA", "CSD", "CD", "PR", "ADA", "FED", "ER", "CAR", "FSA", "CCS"]
)
def test_levels_are_coverages_of_the_same_land(made, level):
    """Neighbours share their edges vertex by vertex, and each level covers the whole land."""
    shapes = made.data.geometry(level)
    shapes = shapes[~shapely.is_missing(shapes)]
    assert shapely.coverage_is_valid(shapes)
    land = shapely.area(made.data.geometry("PR")).sum()
    assert shapely.area(shapes).sum() == pytest.approx(land, rel=1e-12)


def test_parents_are_the_exact_union_of_their_children(made):
    """A parent's polygon is the coverage union of its children's, to the vertex."""
    for parent, child in (("DA", "DB"), ("CSD", "DA"), ("PR", "CD"), ("POPCTR", "DB")):
        rows = np.arange(len(made.units(parent)))[::7]
        owner, children = made.data.children(parent, rows, child)
        shapes = made.data.geometry(child)
        planted = set(made.data.meta["planted"]["invalid"])
        ids = made.data.attributes(child, ["unit_id"])["unit_id"].to_numpy(object)
        for place, row in enumerate(rows):
            mine = children[owner == place]
            if planted & set(ids[mine]):
                continue
            mine = mine[~shapely.is_missing(shapes[mine])]
            union = shapely.coverage_union_all(shapes[mine])
            whole = made.data.geometry(parent)[row]
            if whole is None:
                assert not len(mine)
            else:
                assert shapely.equals(shapely.normalize(union), shapely.normalize(whole))


def test_ids_are_those_of_their_level_and_year(made):
    """Ids have the form of their level, are unique, and begin with their parents' ids."""
    for level in made.levels:
        units = made.units(level)
        assert units.index.is_unique
        assert geography.are_ids(units.index.to_series(), level, made.vintage).all()
        for parent, cut in geography.parents_by_id(level, made.vintage).items():
            if parent in units:
                assert (units.index.str[cut] == units[parent]).all()


def test_awkward_cases_are_there(made):
    """Holes, parts, units without people or polygon, a CMA in two provinces, namesakes."""
    da = made.data.geometry("DA")
    assert (shapely.get_num_interior_rings(da) > 0).any()
    assert (shapely.get_num_geometries(da) > 1).any()
    blocks = made.units("DB")
    assert 0.1 < (blocks["population"] == 0).mean() < 0.4
    assert blocks["population"].isna().any()
    assert shapely.is_missing(da).sum() >= 2
    across = blocks.groupby("CMA")["PR"].nunique()
    assert across.max() == 2
    csd = made.units("CSD")
    assert csd.loc[csd["unit_name"] == "Windsor", "PR"].nunique() >= 2
    assert csd["unit_name"].str.contains("[éèÉ]").any()
    assert csd["unit_name"].str.contains("'").any()
    area = shapely.area(made.data.geometry("DB"))
    assert np.nanquantile(area, 0.99) / np.nanquantile(area, 0.01) > 1e4


def test_levels_that_do_not_nest(made):
    """Population centres, ridings and postal areas cross other units, tracts cross subdivisions."""
    blocks = made.units("DB")
    for level, other in (("POPCTR", "CSD"), ("FED", "DA"), ("ADA", "CSD")):
        assert blocks.groupby(level)[other].nunique().max() > 1
    assert blocks["DPL"].isna().mean() > 0.5
    assert blocks["CT"].isna().any()
    assert blocks.loc[blocks["CT"].notna(), "CMA"].notna().all()


def test_counts_add_up_to_what_is_published(made):
    """Stored blocks add up to the published totals, and the published counts are theirs."""
    blocks = made.units("DB")
    for level, units in made.data.meta["published"].items():
        sums = blocks.groupby(level)["population"].agg(lambda s: s.sum(min_count=1))
        for unit, known in units.items():
            assert known["population"] == pytest.approx(sums[unit], nan_ok=True)
            assert known["db_count"] == (blocks[level] == unit).sum()


def test_same_seed_same_census():
    """A census is the same each time it is made, and another seed gives another one."""
    one, two, other = (synthetic.census(1_000, seed=seed) for seed in (3, 3, 4))
    assert one.units("DB").equals(two.units("DB"))
    assert (
        shapely.equals_exact(one.data.geometry("DA"), two.data.geometry("DA")).sum()
        == (~shapely.is_missing(one.data.geometry("DA"))).sum()
    )
    assert not one.units("DA").equals(other.units("DA"))


def test_exactly_as_many_blocks_as_asked_for():
    """The number of blocks is exact; too few are refused with the least number."""
    assert len(synthetic.census(1_234).units("DB")) == 1_234
    with pytest.raises(InputError, match=r"at least 500 blocks.*499 were asked for"):
        synthetic.census(499)


def test_small_countries_hold_together():
    """From 500 blocks on, with any seed and year, a census can be made."""
    for seed in range(1, 9):
        for vintage in (2006, 2021):
            made = synthetic.census(500, vintage=vintage, seed=seed)
            assert len(made.units("DB")) == 500
            assert made.levels == geography.levels(vintage)


@pytest.mark.parametrize("vintage", [2006, 2011, 2016])
def test_earlier_censuses_are_of_the_same_country(made, vintage):
    """Earlier censuses have right ids and valid polygons, and most areas are the same land."""
    before = synthetic.census(10_000, vintage=vintage)
    assert len(before.units("DB")) == 10_000
    for level in before.levels:
        assert geography.are_ids(before.units(level).index.to_series(), level, vintage).all()
        assert before.units(level).index.is_unique
        shapes = before.data.geometry(level)
        bad = ~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)
        assert bad.sum() == (len(before.data.meta["planted"]["invalid"]) if level == "DB" else 0)
    now, then = (
        dict(zip(c.units("DA").index, shapely.to_wkb(c.data.geometry("DA")), strict=True))
        for c in (made, before)
    )
    shared = now.keys() & then.keys()
    same = sum(now[unit] == then[unit] for unit in shared)
    assert 0.7 < same / len(now) < 1
    assert same < len(shared)  # equal digits, other land


def test_service_areas_are_valid_and_awkward(made):
    """Drawn areas are valid, of both kinds, overlap, straddle two provinces, have holes, parts."""
    areas = synthetic.service_areas(made, 20, seed=2)
    assert list(areas.columns[:3]) == ["area_id", "name_en", "name_fr"]
    assert areas.crs == made.crs
    assert areas.geometry.is_valid.all()
    assert areas["kind"].value_counts().to_dict() == {"redrawn": 10, "freehand": 10}
    shapes = areas.geometry.to_numpy()
    one, two = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    assert (one < two).any()
    assert (shapely.get_num_interior_rings(shapes) > 0).any()
    assert (shapely.get_num_geometries(shapes) > 1).any()
    points = shapely.points(made.units("DA")[["x", "y"]].to_numpy())
    area, unit = shapely.STRtree(points).query(shapes, predicate="intersects")
    provinces = made.units("DA")["PR"].iloc[unit].groupby(area).nunique()
    assert provinces.max() >= 2
    covered = made.units("DA")["population"].iloc[np.unique(unit)].sum()
    assert covered > 0.5 * made.units("DA")["population"].sum()


def test_redrawn_areas_stay_within_metres_of_their_units(made):
    """A redrawn outline differs from a union of areas by a strip of a few metres."""
    areas = synthetic.service_areas(made, 5, seed=3, kind="redrawn")
    points = shapely.points(made.units("DA")[["x", "y"]].to_numpy())
    shapes = made.data.geometry("DA")
    for drawn in areas.geometry:
        inside = shapes[shapely.contains(drawn, points) & ~shapely.is_missing(shapes)]
        union = shapely.coverage_union_all(inside)
        assert drawn.symmetric_difference(union).area < 12 * union.length


def test_unit_lists_are_of_this_census(made):
    """Listed units exist, at four levels at least, and one is excluded."""
    listed = synthetic.unit_lists(made, 10)
    assert listed["area_id"].nunique() == 10
    assert set(listed["level"]) == {"CSD", "DPL", "CMA", "CD", "POPCTR"}
    assert "exclude" in set(listed["mode"])
    for level, units in listed.groupby("level")["unit_id"]:
        made.rows(level, units)


@pytest.mark.parametrize("vintage", [2006, 2011, 2016, 2021])
def test_files_as_published_come_back_as_they_were(vintage, tmp_path):
    """Files written in the layouts of a year, added to a store, give the same census again."""
    made = synthetic.census(1_000, vintage=vintage)
    files = synthetic.write_files(made, tmp_path / "files")
    published = {Path(file.name).stem for file in published_files(vintage)}
    assert {path.stem for path in files[: len(made.levels)]} <= published
    add_census(tmp_path / "store", files)
    read = open_census(tmp_path / "store")
    assert read.levels == made.levels
    for level in made.levels:
        before, after = made.units(level), read.units(level).reindex(made.units(level).index)
        assert len(read.units(level)) == len(before)
        for parent in geography.nests_in(level, vintage):
            if parent in before and parent in after:
                assert before[parent].equals(after[parent].astype(before[parent].dtype))
        if level not in ("FSA", "CAR"):
            heard = before["population"].notna()
            assert after.loc[heard, "population"].equals(before.loc[heard, "population"])
            assert np.allclose(after["land_km2"], before["land_km2"], atol=0.02)
    assert read.units("CSD")["unit_name"].equals(
        made.units("CSD")["unit_name"].reindex(read.units("CSD").index)
    )
    assert read.units("DB")["population"].isna().any()
    ours = dict(zip(made.units("DA").index, made.data.geometry("DA"), strict=True))
    for unit, shape in zip(read.units("DA").index, read.data.geometry("DA"), strict=True):
        assert (shape is None) == (ours[unit] is None)
        if shape is not None:
            # long edges straight in degrees bend on the grid; edges on the grid stay
            off = 5e-3 * shape.area if vintage < 2016 else 1e-3
            assert shape.symmetric_difference(ours[unit]).area < off


def test_french_files_have_french_names_and_columns(tmp_path):
    """French boundary files of 2021 have French names and columns."""
    made = synthetic.census(500)
    files = synthetic.write_files(made, tmp_path, levels=["DB", "DA", "CD"], language="fr")
    assert [path.name for path in files[:3]] == [
        "lid_000b21a_f.zip",
        "lad_000b21a_f.zip",
        "ldr_000b21a_f.zip",
    ]
    columns = [list(pyogrio.read_info(path)["fields"]) for path in files[:3]]
    assert columns == [
        ["IDIDU", "IDUGD", "IDRPLAMX", "IDRPLAMY", "SUPTERRE", "PRIDU"],
        ["ADIDU", "IDUGD", "SUPTERRE", "PRIDU"],
        ["DRIDU", "IDUGD", "DRNOM", "DRGENRE", "SUPTERRE", "PRIDU"],
    ]


def test_people_add_up_to_the_counts_of_every_unit(made):
    """Points are inside their blocks and add up to population, dwellings and households."""
    persons = synthetic.people(made)
    country = made.data.country
    ids = country.ids["DB"].to_numpy(dtype=object)
    shapes = dict(zip(made.units("DB").index, made.data.geometry("DB"), strict=True))
    planted = set(made.data.meta["planted"]["invalid"])
    rows = np.flatnonzero(persons.cell >= 0)[::5]
    rows = rows[[ids[b] not in planted for b in persons.block[rows]]]
    own = np.array([shapes[ids[b]] for b in persons.block[rows]], dtype=object)
    assert shapely.contains_xy(own, *persons.xy[rows].T).all()
    blocks = made.units("DB")
    for name in ("population", "dwellings", "households"):
        heard = ~persons.silent
        sums = np.bincount(persons.block[heard], persons.counts[name][heard], minlength=len(ids))
        assert np.array_equal(sums, blocks[name].reindex(ids).fillna(0))
    parts = persons.counts[["non_immigrants", "immigrants", "non_permanent_residents"]]
    assert (parts.sum(axis=1) == persons.counts["population"]).all()
    assert (persons.counts["recent_immigrants"] <= persons.counts["immigrants"]).all()
    assert (persons.counts >= 0).all(axis=None)
    assert 0.1 < persons.counts["immigrants"].sum() / persons.counts["population"].sum() < 0.4


def test_truth_of_areas_is_a_count_of_points(made):
    """The truth of an area equals counting by hand; that of a province equals its table."""
    persons = synthetic.people(made)
    areas = synthetic.service_areas(made, 6, seed=4)
    truth = persons.truth(areas, incomes=True)
    assert truth.index.tolist() == areas["area_id"].tolist()
    for area, shape in zip(truth.index, areas.geometry, strict=True):
        inside = shapely.contains_xy(shape, *persons.xy.T) & ~persons.silent
        assert truth.loc[area, "immigrants"] == persons.counts["immigrants"][inside].sum()
        point, income = persons.incomes
        assert truth.loc[area, "median_income"] == np.median(income[inside[point]])
    provinces = gpd.GeoDataFrame(
        {"area_id": made.units("PR").index}, geometry=made.data.geometry("PR"), crs=made.crs
    )
    by_place = persons.truth(provinces)
    by_label = synthetic.table(made, "PR", people=persons, incomes=False).truth
    by_label = by_label.reindex(by_place.index)
    afloat = by_label["population"] - by_place["population"]  # those on boats are on no land
    assert sorted(afloat)[-2:] == [0, 12]
    ashore = afloat == 0
    assert by_place.loc[ashore, "immigrants"].equals(by_label.loc[ashore, "immigrants"])


def test_tables_are_rounded_and_suppressed_as_published(made):
    """Rounding to base 5 and 10, floors, symbols, and the share of cells suppressed."""
    table = synthetic.table(made, "DA", suppressed=0.2, hidden=False)
    shown = table.frame["immigrants"].dropna()
    assert (shown % 5 == 0).all()
    assert not (shown == 5).any()
    off = (table.frame["immigrants"] - table.truth["immigrants"]).dropna()
    assert off.abs().max() < 10
    assert abs(off.mean()) < 0.3
    assert table.frame["population"].dropna().eq(made.units("DA")["population"].dropna()).all()
    small = (table.truth["population"] < 40) & (table.truth["population"] > 0)
    assert table.symbols.loc[small, "immigrants"].isin(["x"]).all()
    assert ((table.symbols != "") == table.frame.isna()).all(axis=None)
    assert set(np.unique(table.symbols)) == {"", "x", "F", "..", "..."}
    large = table.truth["population"] >= 250
    assert 0.15 < (table.symbols.loc[large, "immigrants"] != "").mean() < 0.25
    silent = made.units("DA")["population"].isna()
    assert (table.symbols.loc[silent] == "..").all(axis=None)
    open_table = synthetic.table(made, "CSD", rounded=False, floors=False, hidden=False)
    shown = ~made.units("CSD")["population"].isna()
    told = open_table.frame.loc[shown].stack()
    assert told.eq(open_table.truth.loc[shown].stack().reindex(told.index)).all()


@pytest.mark.parametrize("level", ["PR", "CD", "CSD", "CT", "FSA", "POPCTR", "FED"])
def test_tables_of_all_levels_add_up_to_the_census(made, level):
    """The population of each unit's row is the census's."""
    table = synthetic.table(made, level, incomes=False)
    assert table.frame["population"].equals(made.units(level)["population"])


def test_correspondence_tells_the_change_of_every_block(made):
    """Every block of both censuses is there; unchanged areas are 1, splits 3, merges 2."""
    before = synthetic.census(10_000, vintage=2016)
    frame = synthetic.correspondence(made, before)
    assert set(frame["db_id"]) == set(made.units("DB").index)
    assert set(frame["old_id"]) == set(before.units("DA").index)
    assert (made.units("DB")["DA"].reindex(frame["db_id"]).to_numpy() == frame["new_id"]).all()
    assert set(frame["flag"]) == {"1", "2", "3", "4"}
    now, then = (
        dict(zip(c.units("DA").index, c.data.geometry("DA"), strict=True)) for c in (made, before)
    )
    whole = frame[frame["flag"] == "1"].drop_duplicates(["new_id", "old_id"])
    for new, old in zip(whole["new_id"], whole["old_id"], strict=True):
        assert (now[new] is None) == (then[old] is None)
        assert now[new] is None or now[new].area == pytest.approx(then[old].area)
    parts = frame[frame["flag"] == "3"].drop_duplicates(["new_id", "old_id"])
    for old, rows in parts.groupby("old_id"):
        assert sum(now[new].area for new in rows["new_id"]) == pytest.approx(then[old].area)


def test_correspondence_files_have_the_published_form(tmp_path):
    """The zipped tables have the columns and names of the published ones."""
    censuses = {year: synthetic.census(500, vintage=year) for year in (2021, 2016, 2011)}
    paths = [
        synthetic.write_correspondence(censuses[2021], censuses[2016], tmp_path),
        synthetic.write_correspondence(censuses[2016], censuses[2011], tmp_path),
        synthetic.write_correspondence(censuses[2016], censuses[2011], tmp_path, "DB"),
    ]
    assert [path.name for path in paths] == [
        "2021_92-156-X_DA_AD.zip",
        "2016_92-156_DA_AD_csv.zip",
        "2016_92-156_DB_ID_csv.zip",
    ]
    heads = [pd.read_csv(path, dtype=str, nrows=2).columns.tolist() for path in paths]
    assert heads[0][:4] == [
        "DAUID2021_ADIDU2021",
        "DAUID2016_ADIDU2016",
        "DBUID2021_IDIDU2021",
        "DARELFLAG_ADINDREL",
    ]
    assert heads[1] == [
        "DAUID2016/ADIDU2016",
        "DAUID2011/ADIDU2011",
        "DBUID2016/IDIDU2016",
        "DA_rel_flag/AD_ind_rel",
    ]
    assert heads[2] == ["DBUID2016/IDIDU2016", "DBUID2011/IDIDU2011", "DB_rel_flag/ID_ind_rel"]
    with pytest.raises(InputError, match="two censuses of one made country"):
        synthetic.correspondence(censuses[2021], synthetic.census(501, vintage=2016))


def test_profile_is_written_as_published(made, tmp_path):
    """23 columns with SYMBOL six times, Windows-1252, one block of rows a unit, by region."""
    tables = [synthetic.table(made, level, suppressed=0.1) for level in ("CSD", "DA")]
    paths = synthetic.write_profile(made, tables, tmp_path)
    assert "98-401-X2021006_English_CSV_data_Ontario.csv" in [path.name for path in paths]
    rows = []
    for path in paths:
        with path.open(encoding="cp1252", newline="") as file:
            head, *body = csv.reader(file)
        assert len(head) == 23
        assert head.count("SYMBOL") == 6
        rows += body
    found = {(row[2], row[8]): (row[11], row[12]) for row in rows}
    for table in tables:
        for unit in table.frame.index[::9]:
            value, sign = found[unit, "1529"]
            number, symbol = (f.loc[unit, "immigrants"] for f in (table.frame, table.symbols))
            assert sign == symbol
            assert (value == "") == (symbol != "")
            assert value == "" or float(value) == number
    with pytest.raises(InputError, match="written for 2021"):
        synthetic.write_profile(made, [synthetic.table(made, "CT", incomes=False)], tmp_path)


def test_a_census_from_elsewhere_has_no_people():
    """Only a made census has people; the message says what to do."""
    with pytest.raises(InputError, match=r"only where `synthetic.census` made it.*Make it again"):
        synthetic.people(toytown.census())


def test_made_files_never_take_the_place_of_published_ones(tmp_path):
    """Files of the names of published ones stay, asked or not; made ones give way when asked."""
    made, older = synthetic.census(500), synthetic.census(500, vintage=2016)
    writers = (
        lambda **asked: synthetic.write_files(made, tmp_path, levels=["CSD"], **asked),
        lambda **asked: [synthetic.write_correspondence(made, older, tmp_path, **asked)],
    )
    for write in writers:
        files = write()
        with pytest.raises(OutputError, match="already exists"):
            write()
        assert write(replace=True) == files
        for path in files:
            path.write_bytes(b"PK as it was downloaded")
            with pytest.raises(OutputError, match="never writes over it"):
                write(replace=True)
            assert path.read_bytes() == b"PK as it was downloaded"
            path.unlink()
