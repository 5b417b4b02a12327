"""The store: layout, what a read touches, import in any order, findings, and nothing half done."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
import storefiles
import toytown
from commands import run
from hypothesis import given, settings
from hypothesis import strategies as st

import lipgeo
from lipgeo.census import Census, MemoryCensus
from lipgeo.errors import CensusError, FileError, OutputError, StoreError
from lipgeo.store import StoreData, add_census, describe_store, open_census
from lipgeo.store.checked_file import BLOCK_BYTES
from lipgeo.words import speaking


def contents(store: Path) -> dict[str, bytes]:
    """Return every file of a store but the lock."""
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def found(report: lipgeo.CheckReport, check: str) -> list[str]:
    """Return the messages of one check."""
    return [finding.message for finding in report.only(check)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the toy town's files."""
    return storefiles.town(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, files: dict[str, Path]) -> Path:
    """Return a store of the toy town; not to be changed."""
    folder = tmp_path_factory.mktemp("stores") / "town"
    add_census(folder, list(files.values()))
    return folder


@pytest.fixture
def own(tmp_path: Path, store: Path) -> Path:
    """Return a copy of the store, to be changed."""
    return Path(shutil.copytree(store, tmp_path / "own"))


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of 2,304 blocks: three row groups."""
    folder = tmp_path_factory.mktemp("county")
    add_census(folder / "store", list(storefiles.county(folder / "files").values()))
    return folder / "store"


# -- layout ------------------------------------------------------------------------------------


def test_a_level_is_a_geoparquet_file_that_geopandas_reads(store: Path):
    """Each level opens in GeoPandas, in EPSG:3347, with ids as text and a box filter."""
    blocks = gpd.read_parquet(store / "2021" / "DB.parquet")
    assert blocks.crs.to_epsg() == 3347
    assert set(blocks["unit_id"]) == set(toytown.DB_IDS.values())
    west, south = toytown.ORIGIN
    corner = gpd.read_parquet(
        store / "2021" / "DB.parquet", bbox=(west + 1, south + 1, west + 50, south + 50)
    )
    assert corner["unit_id"].tolist() == [toytown.DB_IDS["i"]]
    geo = json.loads(pq.read_schema(store / "2021" / "DB.parquet").metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["columns"]["geometry"]["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]


def test_a_level_without_polygons_is_a_file_too(store: Path):
    """Census divisions come without a boundary file: units are kept, geometry is null."""
    frame = gpd.read_parquet(store / "2021" / "CD.parquet")
    assert frame["unit_id"].tolist() == ["3506"]
    assert frame.geometry.isna().all()
    census = open_census(store)
    assert census.data.geometry("CD").tolist() == [None]
    assert np.isnan(census.data.boxes("CD")).all()


def test_polygons_come_as_asked_however_few_are_decoded_at_a_time(
    county: Path, monkeypatch: pytest.MonkeyPatch
):
    """Any rows in any order, some twice, dense or sparse in their groups: each its own polygon."""
    whole = open_census(county).data.geometry("DB")
    assert shapely.equals(whole, gpd.read_parquet(county / "2021" / "DB.parquet").geometry).all()
    monkeypatch.setattr("lipgeo.store.read._DECODED", 100)
    data = open_census(county).data
    assert shapely.equals(data.geometry("DB"), whole).all()
    random = np.random.default_rng(1)
    for rows in (random.permutation(len(whole)), random.integers(0, len(whole), 50), [], [7, 7, 0]):
        wanted = np.asarray(rows, dtype=np.int64)
        assert shapely.equals(data.geometry("DB", wanted), whole[wanted]).all()


def test_what_units_without_polygon_hold_is_known_without_reading_blocks(store: Path, own: Path):
    """The manifest says it; a store from before it did, and a census in memory, say the same."""
    census = open_census(store)
    rows, boxes = census.data.without_polygon("CD")
    assert rows.tolist() == [0]
    blocks = shapely.total_bounds(census.data.geometry("DB"))
    assert boxes.tolist() == [blocks.tolist()]
    assert set(census.data._files) == {"DB"}  # opened by this test alone
    manifest = json.loads((own / "2021" / "manifest.json").read_text(encoding="utf-8"))
    for entry in manifest["levels"].values():
        del entry["bare"]
    for key in ("kind", "lipgeo", "files", "own_sha256"):
        del manifest[key]
    (own / "2021" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    older = open_census(own)
    for level in census.levels:
        for one, other in zip(
            census.data.without_polygon(level), older.data.without_polygon(level), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    none, nowhere = census.data.without_polygon("DB")
    assert (none.shape, nowhere.shape) == ((0,), (0, 4))


def test_row_groups_follow_place(county: Path):
    """Groups of 1,024 rows have small boxes: Hilbert order, one group covers part of the county."""
    metadata = pq.ParquetFile(county / "2021" / "DB.parquet").metadata
    assert [metadata.row_group(g).num_rows for g in range(3)] == [1024, 1024, 256]
    starts, boxes = open_census(county).data.group_boxes("DB")
    assert starts.tolist() == [0, 1024, 2048, 2304]
    whole = shapely.box(*np.nanmin(boxes[:, :2], axis=0), *np.nanmax(boxes[:, 2:], axis=0))
    assert shapely.area(shapely.box(*boxes.T)).sum() < 2 * whole.area


def test_the_manifest_says_what_is_held(store: Path, files: dict[str, Path]):
    """Sources with their fingerprints, rows, sums and checks; no time, so equal files are equal."""
    manifest = json.loads((store / "2021" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["layout"], manifest["vintage"]) == (1, 2021)
    assert manifest["boundary_type"] == "cartographic"
    assert {source["name"] for source in manifest["sources"]} == {p.name for p in files.values()}
    assert all(len(source["sha256"]) == 64 for source in manifest["sources"])
    assert manifest["levels"]["DB"]["sums"]["population"] == 1000
    assert manifest["levels"]["DB"]["rows"] == 12
    assert {check["check"] for check in manifest["checks"]} == {"extract", "sum_below_published"}


def test_a_store_is_listed_without_reading_levels(store: Path):
    """One row a level, from the manifest."""
    listed = describe_store(store).set_index("level")
    assert listed.loc["DB", ["vintage", "unit_count", "polygon_count"]].tolist() == [2021, 12, 12]
    assert listed.loc["PR", "polygon_count"] == 0
    assert listed.loc["CSD", "population"] == 1000


# -- memory and disk are one -------------------------------------------------------------------


@pytest.fixture(scope="module", params=["memory", "disk"])
def census(request: pytest.FixtureRequest, store: Path) -> Census:
    """Return the toy town twice: in memory, and from the store."""
    return toytown.census() if request.param == "memory" else open_census(store)


def test_levels_and_columns(census: Census):
    """Both hold the same levels, finest first, and the same parents."""
    assert census.vintage == 2021
    assert census.levels == ("DB", "DA", "CSD", "CD", "PR")
    assert {"unit_id", "population", "dwellings", "land_km2", "x", "y"} < set(
        census.data.columns("DB")
    )
    assert {"DA", "CSD", "CD", "PR"} < set(census.data.columns("DB"))
    assert {"CSD", "CD", "PR"} < set(census.data.columns("DA"))


def test_dtypes(census: Census):
    """Text is text with NA, numbers are float64 with NaN, in every level."""
    for level in census.levels:
        frame = census.data.attributes(level)
        for column in frame:
            numeric = column in ("population", "dwellings", "households", "land_km2", "x", "y")
            kind = "float64" if numeric or column == "grid_m2" else "string"
            assert frame[column].dtype == kind, (level, column)
        assert isinstance(frame.index, pd.RangeIndex)


def test_counts_by_unit(census: Census):
    """Counts of a dissemination area are its blocks'."""
    counts = census.counts("DA")
    assert counts.loc[toytown.DA_IDS["P"], ["population", "dwellings"]].tolist() == [360.0, 177.0]
    assert counts["population"].sum() == 1000


def test_rows_pick_units_in_any_order(census: Census):
    """Attributes, boxes and polygons follow the rows asked for, repeated and reversed."""
    rows = np.array([7, 0, 7, 3])
    whole, some = census.data.attributes("DB"), census.data.attributes("DB", rows=rows)
    pd.testing.assert_frame_equal(some, whole.iloc[rows].reset_index(drop=True))
    assert np.array_equal(census.data.boxes("DB", rows), census.data.boxes("DB")[rows])
    assert shapely.equals(census.data.geometry("DB", rows), census.data.geometry("DB")[rows]).all()


def test_no_rows(census: Census):
    """Asking for nothing gives nothing."""
    none = np.empty(0, dtype=np.int64)
    assert len(census.data.attributes("DB", ["unit_id"], none)) == 0
    assert census.data.boxes("DB", none).shape == (0, 4)
    assert census.data.geometry("DB", none).shape == (0,)
    assert [part.tolist() for part in census.data.children("DA", none, "DB")] == [[], []]


def test_polygons_belong_to_their_ids(census: Census):
    """The polygon of a row is the one drawn for its unit."""
    drawn = toytown.blocks().set_index("zone_id").geometry
    ids = census.data.attributes("DB", ["unit_id"])["unit_id"]
    letters = {unit: letter for letter, unit in toytown.DB_IDS.items()}
    shapes = census.data.geometry("DB")
    assert all(
        shapely.equals(shape, drawn[letters[unit]]) for unit, shape in zip(ids, shapes, strict=True)
    )


def test_children_by_ids(census: Census):
    """Every pair of levels: the children are those whose parent column says so."""
    for fine, level in itertools.combinations(census.levels, 2):
        ids = census.data.attributes(level, ["unit_id"])["unit_id"]
        of_child = census.data.attributes(fine, [level])[level]
        rows = np.arange(len(ids))[::-1].copy()
        owner, child = census.data.children(level, rows, fine)
        assert (np.diff(owner) >= 0).all()
        assert (of_child.iloc[child].to_numpy() == ids.iloc[rows[owner]].to_numpy()).all()
        assert sorted(child) == list(range(len(of_child)))


def test_children_of_the_chain_stand_together(census: Census):
    """Blocks of a unit of the chain are a range of rows."""
    for level in ("DA", "CSD", "CD", "PR"):
        units = len(census.data.attributes(level, ["unit_id"]))
        for row in range(units):
            _, child = census.data.children(level, np.array([row]), "DB")
            assert (np.diff(child) == 1).all()


def test_both_have_one_order(store: Path):
    """A census in memory and the same one on disk put their units in the same rows."""
    memory, disk = toytown.census(), open_census(store)
    for level in memory.levels:
        assert (
            memory.data.attributes(level, ["unit_id"])["unit_id"].tolist()
            == disk.data.attributes(level, ["unit_id"])["unit_id"].tolist()
        )


# -- what a read touches -----------------------------------------------------------------------


def test_opening_reads_the_manifest_only(county: Path):
    """Nothing but the manifest is read until something is asked for."""
    data = open_census(county).data
    assert data.bytes_read == (county / "2021" / "manifest.json").stat().st_size


def test_a_few_polygons_cost_a_few_bytes(county: Path):
    """Ten polygons out of 2,304 read the blocks they lie in, not the geometry column."""
    data = StoreData(county / "2021")
    data.boxes("DB", np.arange(10))
    before = data.bytes_read
    data.geometry("DB", np.arange(10))
    assert data.bytes_read - before <= 2 * BLOCK_BYTES


def test_who_looks_a_little_further_reads_only_what_is_new(county: Path):
    """Groups of rows that were read before are not read again, whichever others come with them."""
    first, both = np.array([5]), np.array([5, 1030, 2100])
    alone, together = StoreData(county / "2021"), StoreData(county / "2021")
    alone.attributes("DB", ["population"], first)
    before = alone.bytes_read
    asked = alone.attributes("DB", ["population"], both)
    further = alone.bytes_read
    assert asked.equals(together.attributes("DB", ["population"], both))
    assert further <= together.bytes_read
    assert alone.attributes("DB", ["population"], np.array([2101, 6])).to_numpy().shape == (2, 1)
    assert before < further == alone.bytes_read


def test_ranges_need_no_look_at_the_children(county: Path):
    """Children along the chain come from the parent's file."""
    data = StoreData(county / "2021")
    owner, child = data.children("DA", np.array([3, 1]), "DB")
    assert len(owner) == len(child) == 32
    assert list(data._files) == ["DA"]


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.integers(0, 2303), max_size=60))
def test_single_polygons_are_those_of_a_whole_read(county: Path, rows: list[int]):
    """Whatever rows are asked for, their polygons are those of a whole read."""
    data = StoreData(county / "2021")
    picked = data.geometry("DB", np.array(rows, dtype=np.int64))
    whole = gpd.read_parquet(county / "2021" / "DB.parquet").geometry.to_numpy()
    assert [shape.wkb for shape in picked] == [whole[row].wkb for row in rows]


def test_a_store_survives_a_worker_process(store: Path):
    """A pickled store opens its files anew."""
    data = pickle.loads(pickle.dumps(open_census(store).data))
    assert data.attributes("DB", ["population"])["population"].sum() == 1000


# -- opening what is not there or not whole ------------------------------------------------------


def test_no_store(tmp_path: Path):
    """The message says how to make one, in either language."""
    with pytest.raises(StoreError, match=r"does not exist. Make one with `lipgeo census add"):
        open_census(tmp_path / "nowhere é #1")
    with speaking("fr"), pytest.raises(StoreError, match="Il faut un dépôt"):
        open_census(tmp_path / "nulle part")


def test_a_file_is_no_store(tmp_path: Path, files: dict[str, Path]):
    """A file in place of the folder is named as such, to read and to add."""
    place = tmp_path / "store.csv"
    place.write_text("x")
    with pytest.raises(StoreError, match=r"a folder, and .*store.csv is a file"):
        open_census(place)
    with pytest.raises(StoreError, match=r"a folder, and .*store.csv is a file"):
        add_census(place, files["counts"])


def test_an_empty_store(tmp_path: Path):
    """A folder without a census says what to add."""
    with pytest.raises(StoreError, match="holds no census"):
        open_census(tmp_path)


def test_another_vintage(store: Path):
    """A vintage that is not held is named with those that are."""
    with pytest.raises(StoreError, match="holds the censuses of 2021, not of 2016"):
        open_census(store, 2016)


def test_of_two_vintages_the_newest_is_taken_and_said(own: Path):
    """Two censuses in a store: the newest unless another is named; its report says so."""
    frame = pd.DataFrame({"CSDUID": ["3506008"], "CSDNAME": ["Ottawa"]})
    frame.to_csv(own.parent / "csd_2016.csv", index=False)
    add_census(own, own.parent / "csd_2016.csv")
    newest = open_census(own)
    assert newest.vintage == 2021
    (said,) = newest.report
    assert said.severity == "note"
    assert "2021 was taken, the newest of 2016, 2021" in said.sentence
    assert "--vintage 2016" in said.sentence
    earlier = open_census(own, 2016)
    assert earlier.levels[0] == "CSD"
    assert len(earlier.report) == len(open_census(own, 2021).report) == 0
    shown = run("find", "Ottawa", "--store", own)
    assert "2021 was taken" in shown.stderr
    assert "2021 was taken" not in run("find", "Ottawa", "--store", own, "--vintage", 2021).stderr


def test_half_written(own: Path):
    """A vintage without a manifest, or without one of its levels, is half written."""
    (own / "2021" / "DA.parquet").unlink()
    with pytest.raises(StoreError, match=r"half written: DA.parquet is missing"):
        open_census(own)
    (own / "2021" / "manifest.json").unlink()
    with pytest.raises(StoreError, match=r"half written: manifest.json is missing"):
        open_census(own)


def test_a_cut_file(own: Path):
    """A level file that lost its end is seen on opening, with both sizes."""
    path = own / "2021" / "DB.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"DB.parquet needs to have [\d,]+ bytes and has"):
        open_census(own)


def test_a_damaged_file(own: Path):
    """A level file of the right size and the wrong contents is named when it is read."""
    path = own / "2021" / "DB.parquet"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(StoreError, match=r"DB.parquet is damaged"):
        open_census(own).units("DB")


def test_damaged_polygons(county: Path, tmp_path: Path):
    """A polygon whose length is not the one stored is damage, not a wrong shape."""
    own = Path(shutil.copytree(county, tmp_path / "own"))
    path = own / "2021" / "DB.parquet"
    raw = bytearray(path.read_bytes())
    raw[4:60_000] = bytes(len(raw[4:60_000]))
    path.write_bytes(raw)
    with pytest.raises(StoreError, match=r"DB.parquet is damaged"):
        open_census(own).data.geometry("DB", np.arange(3))


def test_a_damaged_manifest(own: Path):
    """A manifest that is no JSON is damage."""
    (own / "2021" / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match=r"manifest.json is damaged"):
        open_census(own)


def test_a_newer_layout(own: Path):
    """A store written by a newer lipgeo asks for an update, on reading and on adding."""
    path = own / "2021" / "manifest.json"
    path.write_text(path.read_text().replace('"layout": 1', '"layout": 9'))
    with pytest.raises(StoreError, match="layout 9, written by a newer lipgeo"):
        open_census(own)


# -- adding in any order -------------------------------------------------------------------------


def test_order_does_not_matter(tmp_path: Path, files: dict[str, Path], store: Path):
    """One file at a time, in any order, gives the same bytes as all at once."""
    expected = contents(store)
    for number, order in enumerate(itertools.permutations(files.values())):
        if number % 5:  # five of the 24 orders, one beginning with each file
            continue
        other = tmp_path / str(number)
        for path in order:
            add_census(other, path)
        assert contents(other) == expected


def test_adding_again_changes_nothing_and_says_so(own: Path, files: dict[str, Path]):
    """The same file twice is read again; the store keeps its bytes but for that note."""
    before = contents(own)
    report = add_census(own, files["counts"])
    assert found(report, "replaced") == [
        "DB: db_counts_2021.csv had been added before; it was read again."
    ]
    after = contents(own)
    assert {k: v for k, v in after.items() if "manifest" not in k} == {
        k: v for k, v in before.items() if "manifest" not in k
    }


def test_a_newer_table_replaces_the_one_of_its_name(
    own: Path, files: dict[str, Path], tmp_path: Path
):
    """Corrected counts under the same name take the place of the old ones."""
    table = pd.read_csv(files["counts"], dtype={"DBUID": str})
    table["dbpop2021"] *= 2
    table.to_csv(tmp_path / files["counts"].name, index=False)
    report = add_census(own, tmp_path / files["counts"].name)
    assert "replaces" in found(report, "replaced")[0]
    assert open_census(own).counts("PR")["population"].tolist() == [2000.0]


def test_a_smaller_boundary_file_says_what_is_gone(own: Path, tmp_path: Path):
    """Units of a replaced boundary file that the new one lacks are named."""
    keep = [toytown.DA_IDS["P"]]
    frame = storefiles.boundary_frame("DA", keep, [toytown.blocks().union_all().envelope])
    frame.to_file(tmp_path / "lda_000b21a_e.shp")
    report = add_census(own, tmp_path / "lda_000b21a_e.shp")
    assert "3 units of the replaced file are not in" in found(report, "units_gone")[0]
    assert "DA: 3 units have no polygon" in found(report, "no_polygon")[0]


def test_extracts_of_other_places_are_put_together(own: Path, tmp_path: Path):
    """A boundary file whose units are all new adds to the level."""
    shapes = [shapely.box(4_680_000, 1_920_000, 4_681_000, 1_921_000)]
    storefiles.boundary_frame("DA", ["48060056"], shapes).to_file(tmp_path / "lda_000b21a_e.shp")
    report = add_census(own, tmp_path / "lda_000b21a_e.shp")
    census = open_census(own)
    assert len(census.units("DA")) == 5
    assert "1 unit holds no DB: 48060056" in found(report, "no_children")[0]


def test_published_forms(tmp_path: Path, files: dict[str, Path], store: Path):
    """GeoPackage, GML, unzipped shapefile and French columns bring the same census."""
    blocks = gpd.read_file(files["db"])
    french = {
        "DBUID": "IDIDU",
        "DGUID": "IDUGD",
        "DBRPLAMX": "IDPRLAMX",
        "DBRPLAMY": "IDPRLAMY",
        "LANDAREA": "SUPTERRE",
        "PRUID": "PRIDU",
    }
    forms = {
        "gpkg": tmp_path / "a" / "ldb_000b21a_e.gpkg",
        "gml": tmp_path / "b" / "ldb_000b21g_e.gml",
        "french": tmp_path / "c" / "lid_000b21a_f.shp",
    }
    expected = open_census(store).units("DB")
    for key, path in forms.items():
        path.parent.mkdir()
        (blocks.rename(columns=french) if key == "french" else blocks).to_file(path)
        others = [files[name] for name in ("da", "counts", "csd")]
        add_census(tmp_path / key, [path, *others])
        units = open_census(tmp_path / key).units("DB")
        pd.testing.assert_frame_equal(units, expected, rtol=1e-9)


def test_a_folder_stands_for_its_files(tmp_path: Path, files: dict[str, Path], store: Path):
    """A folder with spaces, accents and # adds what is in it, other files left alone."""
    folder = tmp_path / "données d'été #1"
    shutil.copytree(files["da"].parent, folder)
    (folder / "readme.md").write_text("nothing")
    add_census(tmp_path / "stock d'été #2", folder)
    assert contents(tmp_path / "stock d'été #2") == contents(store)


def test_latitudes_come_to_the_grid(tmp_path: Path, files: dict[str, Path], store: Path):
    """A file in NAD83 latitude and longitude is projected, and the report says so."""
    gpd.read_file(files["db"]).to_crs("EPSG:4269").to_file(tmp_path / "gdb_000b21a_e.shp")
    report = add_census(tmp_path / "store", [tmp_path / "gdb_000b21a_e.shp", files["counts"]])
    assert "to the census grid (EPSG:3347)" in found(report, "projected")[0]
    mine, theirs = open_census(tmp_path / "store"), open_census(store)
    rows = mine.rows("DB", theirs.units("DB").index)
    assert np.allclose(mine.data.boxes("DB", rows), theirs.data.boxes("DB"), atol=0.01)


# -- what is derived -----------------------------------------------------------------------------


def test_levels_from_parent_columns(store: Path):
    """Census subdivisions come from the parents of the areas: ids, names, types, sums."""
    csd = open_census(store).units("CSD")
    assert csd.loc["3506008", ["unit_name", "unit_type", "dguid"]].tolist() == [
        "Place 008",
        "CY",
        "2021A00053506008",
    ]
    assert csd["population"].to_dict() == {"3506008": 490.0, "3506012": 510.0}
    assert csd["CD"].tolist() == ["3506", "3506"]
    blocks = open_census(store).units("DB")
    assert blocks["CSD"].notna().all()
    assert csd[["x", "y"]].notna().all().all()


def test_a_representative_point_is_in_its_unit(store: Path):
    """Without polygon a unit takes the point of one of its blocks."""
    census = open_census(store)
    points = set(zip(*census.units("DB")[["x", "y"]].to_numpy().T, strict=True))
    assert set(zip(*census.units("CSD")[["x", "y"]].to_numpy().T, strict=True)) <= points


def test_own_counts_before_sums(own: Path, tmp_path: Path):
    """A count published for a unit is kept, proves it, and is held against the sum."""
    frame = pd.DataFrame({"CSDUID": ["3506008", "3506012"], "population": [490, 700]})
    frame.to_csv(tmp_path / "csd_2021.csv", index=False)
    report = add_census(own, tmp_path / "csd_2021.csv")
    census = open_census(own)
    assert census.counts("CSD")["population"].to_dict() == {"3506008": 490.0, "3506012": 700.0}
    assert census.data.meta["published"]["CSD"]["3506008"]["population"] == 490
    (message,) = [m for m in found(report, "sum_below_published") if m.startswith("CSD")]
    assert "1 unit is held in part" in message
    assert "510 held, 700 published" in message


def test_a_missing_count_leaves_sums_missing(tmp_path: Path, files: dict[str, Path]):
    """One block without a count: it is named, and its area, division and province have no sum."""
    table = pd.read_csv(files["counts"], dtype={"DBUID": str})
    table[table["DBUID"] != toytown.DB_IDS["a"]].to_csv(
        tmp_path / "db_counts_2021.csv", index=False
    )
    report = add_census(
        tmp_path / "store", [files["da"], files["db"], tmp_path / "db_counts_2021.csv"]
    )
    assert (
        f"population is missing for 1 of 12 units: {toytown.DB_IDS['a']}"
        in found(report, "counts_missing")[0]
    )
    census = open_census(tmp_path / "store")
    population = census.counts("DA")["population"]
    assert np.isnan(population[toytown.DA_IDS["P"]])
    assert population[toytown.DA_IDS["R"]] == 200
    assert np.isnan(census.counts("PR")["population"]).all()


def test_a_reserve_that_refused_adds_nothing(tmp_path: Path, files: dict[str, Path]):
    """An incompletely enumerated reserve is missing, flags its parents, leaves the sums."""
    table = pd.read_csv(files["counts"], dtype={"DBUID": str})
    table["DBIR2021"] = (table["DBUID"] == toytown.DB_IDS["f"]).astype(int)
    table.to_csv(tmp_path / "db_counts_2021.csv", index=False)
    add_census(tmp_path / "store", [files["db"], tmp_path / "db_counts_2021.csv"])
    census = open_census(tmp_path / "store")
    blocks = census.units("DB")
    assert np.isnan(blocks.loc[toytown.DB_IDS["f"], "population"])
    assert blocks["incomplete_reserve"].sum() == 1
    assert census.counts("DA").loc[toytown.DA_IDS["P"], "population"] == 360
    assert census.units("DA").loc[toytown.DA_IDS["P"], "incomplete_reserve"]


def test_counts_may_come_before_polygons(tmp_path: Path, files: dict[str, Path]):
    """A store of counts alone opens; its units have no polygons yet."""
    add_census(tmp_path, files["counts"])
    census = open_census(tmp_path)
    assert census.levels == ("DB", "DA", "CD", "PR")
    assert census.counts("CD")["population"].tolist() == [1000.0]
    assert np.isnan(census.data.group_boxes("DB")[1]).all()


def test_generalised_outlines_never_become_polygons(own: Path, tmp_path: Path):
    """Outlines for previews bring names and totals for units held, and totals for all."""
    frame = gpd.GeoDataFrame(
        {
            "rmapshaperid": ["3506008", "5915022"],
            "CDNAME": ["Ottawa (CV)", "Vancouver (CY)"],
            "population_2021": [490.0, 662_248.0],
        },
        geometry=[shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)],
        crs="EPSG:4326",
    )
    frame.to_file(tmp_path / "csd_2021_generalised.gpkg")
    report = add_census(own, tmp_path / "csd_2021_generalised.gpkg")
    assert "never for shares" in found(report, "outlines_left_out")[0]
    census = open_census(own)
    assert census.units("CSD").index.tolist() == ["3506008", "3506012"]
    assert shapely.is_missing(census.data.geometry("CSD")).all()
    assert census.data.meta["published"]["CSD"]["5915022"] == {"population": 662_248.0}


def test_attributes_only_on_request(own: Path, tmp_path: Path):
    """A layer under any name can be added for its columns alone."""
    frame = storefiles.boundary_frame("CSD", ["3506008"], [shapely.box(0, 0, 1, 1)])
    frame["population"] = 490
    frame.to_file(tmp_path / "lcsd000b21a_e.shp")
    add_census(own, tmp_path / "lcsd000b21a_e.shp", attributes_only=True)
    census = open_census(own)
    assert shapely.is_missing(census.data.geometry("CSD")).all()
    assert census.data.meta["published"]["CSD"]["3506008"]["population"] == 490


def test_a_mapping_for_unusual_headers(tmp_path: Path, files: dict[str, Path]):
    """A mapping names the columns of the file that has them; other files are read as usual."""
    table = pd.DataFrame({"Secteur": [toytown.DA_IDS["P"]], "Gens": [361], "Ville": ["3506008"]})
    table.to_csv(tmp_path / "table_2021.csv", index=False)
    mapping = {"unit_id": "Secteur", "population": "Gens", "CSD": "Ville"}
    given = [files["da"], tmp_path / "table_2021.csv"]
    add_census(tmp_path / "store", given, mapping=mapping, level="DA")
    units = open_census(tmp_path / "store").units("DA")
    assert units.loc[toytown.DA_IDS["P"], ["population", "CSD"]].tolist() == [361.0, "3506008"]


# -- what does not fit ---------------------------------------------------------------------------


def test_two_vintages_in_one_call(tmp_path: Path, files: dict[str, Path]):
    """Files of two censuses are refused together, each with its year; nothing is written."""
    pd.DataFrame({"DBUID": ["35060001001"], "dbpop2016": [3]}).to_csv(
        tmp_path / "db_2016.csv", index=False
    )
    with pytest.raises(
        CensusError, match=r"of one census.*lda_000b21a_e.zip: 2021.*db_2016.csv: 2016"
    ):
        add_census(tmp_path / "store", [files["da"], tmp_path / "db_2016.csv"])
    assert not (tmp_path / "store").exists()


def test_no_vintage_anywhere(tmp_path: Path):
    """A file that does not say its census asks for it; said, it is taken."""
    frame = pd.DataFrame({"DAUID": ["35060001"], "population": [5]})
    frame.to_csv(tmp_path / "areas.csv", index=False)
    with pytest.raises(CensusError, match=r"say which census.*vintage=2021 \(--vintage 2021\)"):
        add_census(tmp_path / "store", tmp_path / "areas.csv")
    add_census(tmp_path / "store", tmp_path / "areas.csv", vintage=2016)
    assert open_census(tmp_path / "store").vintage == 2016


def test_files_that_are_not_there(tmp_path: Path):
    """All missing files are named at once."""
    with pytest.raises(FileError, match=r"do not exist: .*a.zip, .*b.csv"):
        add_census(tmp_path / "store", [tmp_path / "a.zip", tmp_path / "b.csv"])
    with pytest.raises(FileError, match="holds no boundary file and no table"):
        add_census(tmp_path / "store", tmp_path)


def test_a_cut_zip(tmp_path: Path, files: dict[str, Path]):
    """Half a download is named as such."""
    path = tmp_path / "lda_000b21a_e.zip"
    path.write_bytes(files["da"].read_bytes()[:500])
    with pytest.raises(FileError, match=r"lda_000b21a_e.zip.*[Dd]ownload it again"):
        add_census(tmp_path / "store", path)


def test_points_for_polygons(tmp_path: Path):
    """A layer of points is refused with its rows and what to do."""
    frame = gpd.GeoDataFrame(
        {"DAUID": ["35060001"], "DGUID": ["2021S051235060001"]},
        geometry=[shapely.Point(7.4e6, 1.2e6)],
        crs="EPSG:3347",
    )
    frame.to_file(tmp_path / "lda_000b21a_e.gpkg")
    with pytest.raises(CensusError, match=r"needs to hold polygons; row 1 holds points"):
        add_census(tmp_path / "store", tmp_path / "lda_000b21a_e.gpkg")


def test_points_for_blocks(tmp_path: Path, files: dict[str, Path], store: Path):
    """Representative points of blocks place people, in any order, as points given beside do."""
    layer = toytown.blocks()
    points = gpd.GeoDataFrame(
        {"DBUID": list(layer["zone_id"].map(toytown.DB_IDS))},
        geometry=layer.geometry.representative_point(),
        crs="EPSG:3347",
    )
    path = tmp_path / "points_2021.gpkg"
    points.to_file(path)
    given = [files["da"], path, files["counts"]]
    for name, order in (("a", given), ("b", given[::-1])):
        report = add_census(tmp_path / name, order, vintage=2021)
        assert "representative points" in found(report, "points_taken")[0]
        assert not found(report, "no_point")
    census = open_census(tmp_path / "a")
    again = open_census(tmp_path / "b")
    units = census.units("DB")
    pd.testing.assert_frame_equal(units, again.units("DB"))
    assert shapely.is_missing(census.data.geometry("DB")).all()
    where = points.set_index("DBUID").geometry.reindex(units.index)
    np.testing.assert_allclose(units[["x", "y"]], np.column_stack([where.x, where.y]))
    # the same as a store without blocks that is given them
    add_census(tmp_path / "c", files["da"])
    alone = open_census(tmp_path / "c")
    beside = points.set_index("DBUID").join(units[["population", "dwellings", "households"]])
    beside = lipgeo.Zones.from_points(beside.rename_axis("zone_id").reset_index())
    areas = lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id")
    drawn = areas.frame.copy()
    drawn["geometry"] = drawn.geometry.translate(30, 30)
    areas = lipgeo.ServiceAreas.from_frame(drawn.reset_index(), id="area_id")
    for placement in ("point", "surface", "auto"):
        mine, theirs = (
            lipgeo.build_crosswalk(
                one.zones("DA"), areas, weight="population", placement=placement, blocks=blocks
            )
            for one, blocks in ((census, None), (alone, beside))
        )
        assert mine.meta["blocks"] == theirs.meta["blocks"] == "points"
        pd.testing.assert_frame_equal(mine.frame, theirs.frame)
    # where nothing is cut no ground is asked for: units by id
    whole = lipgeo.build_crosswalk(census.zones("DA"), census.zones("DB"), weight="population")
    held = units["population"] / units.groupby("DA")["population"].transform("sum")
    shares = whole.frame.set_index("target_id")["share"]
    np.testing.assert_allclose(shares, held.reindex(shares.index))
    # polygons that come later are taken, whatever the points said
    add_census(tmp_path / "a", files["db"])
    assert not shapely.is_missing(open_census(tmp_path / "a").data.geometry("DB")).any()


def test_a_block_without_a_point_is_told(tmp_path: Path):
    """A row without a point, and without coordinates, is named; one with coordinates keeps them."""
    frame = gpd.GeoDataFrame(
        {
            "DBUID": [f"3506000100{n}" for n in (1, 2, 3)],
            "DBRPLAMX": [7.4e6, 7.4e6, None],
            "DBRPLAMY": [1.2e6, 1.2e6, None],
        },
        geometry=[shapely.Point(7.41e6, 1.21e6), None, None],
        crs="EPSG:3347",
    )
    frame.to_file(tmp_path / "points_2021.gpkg")
    report = add_census(tmp_path / "store", tmp_path / "points_2021.gpkg", vintage=2021)
    assert "1 block has neither a point" in found(report, "no_point")[0]
    assert "35060001003" in found(report, "no_point")[0]
    held = open_census(tmp_path / "store").units("DB")["x"].fillna(0)
    assert held.tolist() == [7.41e6, 7.4e6, 0]


def test_two_counts_for_one_unit(tmp_path: Path):
    """Rows that contradict each other are named as an editor counts; equal ones are one."""
    (tmp_path / "db_2021.csv").write_text(
        'A title\n\nDBUID,dbpop2021,DBNAME\n35060001002,1,"a\nb"\n\n'
        "35060001001,5,\n35060001001,6,\n",
        "utf-8",
    )
    with pytest.raises(CensusError, match=r"35060001001 \(7\), 35060001001 \(8\)") as caught:
        add_census(tmp_path / "store", tmp_path / "db_2021.csv")
    assert caught.value.problems["row"].tolist() == [7, 8]
    frame = pd.DataFrame({"DBUID": ["35060001001"] * 2, "dbpop2021": [5, 6]})
    frame["dbpop2021"] = 5
    frame.to_csv(tmp_path / "db_2021.csv", index=False)
    report = add_census(tmp_path / "store", tmp_path / "db_2021.csv")
    assert "stands twice in equal rows" in found(report, "same_row_twice")[0]


def test_parts_of_a_unit_in_several_rows(tmp_path: Path):
    """A unit whose parts stand in several rows becomes one multipolygon, with a warning."""
    shapes = [shapely.box(7.4e6, 1.2e6, 7.4e6 + 10, 1.2e6 + 10)]
    shapes.append(shapely.box(7.4e6 + 50, 1.2e6, 7.4e6 + 60, 1.2e6 + 10))
    frame = storefiles.boundary_frame("DA", ["35060001"] * 2, shapes)
    frame.to_file(tmp_path / "lda_000b21a_e.shp")
    report = add_census(tmp_path / "store", tmp_path / "lda_000b21a_e.shp")
    assert "its polygons were put together: 35060001" in found(report, "several_rows")[0]
    (shape,) = open_census(tmp_path / "store").data.geometry("DA")
    assert (shape.geom_type, shape.area) == ("MultiPolygon", 200.0)


# -- what is verified ----------------------------------------------------------------------------


def spoiled(files: dict[str, Path], folder: Path, change) -> list[Path]:
    """Return the town's files with the block layer changed by a function."""
    blocks = gpd.read_file(files["db"])
    blocks = change(blocks.set_index("DBUID")).reset_index()
    blocks.to_file(folder / "ldb_000b21a_e.shp")
    return [files["da"], folder / "ldb_000b21a_e.shp", files["counts"]]


def test_a_block_outside_its_area(tmp_path: Path, files: dict[str, Path]):
    """A block that leaves its area is found by area, with the worst; a touch is not."""
    unit = toytown.DB_IDS["a"]

    def move(blocks: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        blocks.loc[unit, "geometry"] = shapely.affinity.translate(blocks.geometry[unit], 0, 25)
        return blocks

    report = add_census(tmp_path / "store", spoiled(files, tmp_path, move))
    (message,) = found(report, "nesting")
    assert f"1 unit leaves its DA by more than 1 m²: {unit}" in message
    assert "5,000 m² outside" in message


def test_exchanged_polygons(tmp_path: Path, files: dict[str, Path]):
    """Two units with each other's polygons: land area and nesting both tell."""
    small, large = toytown.DB_IDS["i"], toytown.DB_IDS["l"]

    def exchange(blocks: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        blocks.loc[small, "geometry"] = shapely.box(7_470_000, 1_190_000, 7_470_100, 1_190_100)
        blocks.loc[small, "LANDAREA"] = 4.0
        return blocks

    report = add_census(tmp_path / "store", spoiled(files, tmp_path, exchange))
    assert (
        f"land area of 1 unit is larger than its polygon: {small}"
        in found(report, "land_beyond_polygon")[0]
    )
    assert large not in found(report, "land_beyond_polygon")[0]


def test_land_area_in_other_units(tmp_path: Path, files: dict[str, Path]):
    """Land area in hectares is seen at once for the whole level."""

    def hectares(blocks: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        blocks["LANDAREA"] *= 100
        return blocks

    report = add_census(tmp_path / "store", spoiled(files, tmp_path, hectares))
    assert "typically 100.00 times the polygon's" in found(report, "land_units")[0]


def test_bow_ties_are_kept_and_counted(tmp_path: Path, files: dict[str, Path]):
    """An invalid polygon stays as published and is reported."""
    unit = toytown.DB_IDS["h"]
    bow = shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])

    def tie(blocks: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        west, south, *_ = blocks.geometry[unit].bounds
        blocks.loc[unit, "geometry"] = shapely.affinity.translate(bow, west, south)
        return blocks

    report = add_census(tmp_path / "store", spoiled(files, tmp_path, tie))
    assert f"1 polygon is invalid as published: {unit}" in found(report, "invalid_polygon")[0]
    census = open_census(tmp_path / "store")
    assert not shapely.is_valid(census.data.geometry("DB", census.rows("DB", [unit]))).any()
    assert found(report, "nesting") == []


def test_orphans_and_units_without_polygon(tmp_path: Path, files: dict[str, Path]):
    """Blocks of an area that the area file lacks, and counts of blocks without polygon."""
    lost = toytown.DA_IDS["S"]
    areas = lipgeo.read_layer(files["da"])
    areas[areas["DAUID"] != lost].to_file(tmp_path / "lda_000b21a_e.shp")
    blocks = gpd.read_file(files["db"])
    blocks[blocks["DBUID"] != toytown.DB_IDS["a"]].to_file(tmp_path / "ldb_000b21a_e.shp")
    report = add_census(
        tmp_path / "store",
        [tmp_path / "lda_000b21a_e.shp", tmp_path / "ldb_000b21a_e.shp", files["counts"]],
    )
    assert (
        f"1 unit is named by finer units and is not in lda_000b21a_e.shp: {lost}"
        in found(report, "orphans")[0]
    )
    messages = found(report, "no_polygon")
    assert any(toytown.DB_IDS["a"] in message for message in messages)
    assert open_census(tmp_path / "store").counts("PR")["population"].tolist() == [1000.0]


def test_parents_that_contradict_ids(tmp_path: Path, files: dict[str, Path]):
    """A province column against the id is refused by the reader or reported; ids are believed."""

    def elsewhere(blocks: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        blocks.loc[toytown.DB_IDS["a"], "PRUID"] = "24"
        return blocks

    with pytest.raises(CensusError, match=toytown.DB_IDS["a"]):
        add_census(tmp_path / "store", spoiled(files, tmp_path, elsewhere))


def test_digital_and_cartographic_do_not_mix(tmp_path: Path, files: dict[str, Path]):
    """Two boundary types in one census are reported."""
    gpd.read_file(files["db"]).to_file(tmp_path / "ldb_000a21a_e.shp")
    report = add_census(tmp_path / "store", [files["da"], tmp_path / "ldb_000a21a_e.shp"])
    assert found(report, "mixed_boundaries")
    assert open_census(tmp_path / "store").data.meta["boundary_type"] == "mixed"


# -- nothing half done ---------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
from pathlib import Path
import lipgeo.files
from lipgeo.store import add_census
step = sys.argv[3]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if step.startswith("rename"):
    # as where the operating system exchanges no folders
    lipgeo.files.exchange = lambda one, other: False
    real, left = Path.rename, [int(step[6:])]
    def rename(self, target):
        left[0] -= 1
        if left[0] < 0:
            die()
        return real(self, target)
    Path.rename = rename
    progress = None
else:
    def progress(sentence, done, total):
        if done == int(step):
            die()
add_census(sys.argv[1], sys.argv[2], progress=progress)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("step", ["0", "2", "3", "5", "rename0", "rename1"])
def test_a_killed_import_leaves_the_store_as_it_was(own: Path, tmp_path: Path, step: str):
    """Killed while reading, assembling, writing, or between the two last steps: nothing changed."""
    frame = pd.DataFrame({"CSDUID": ["3506008", "3506012"], "population": [1, 2]})
    frame.to_csv(tmp_path / "csd_2021.csv", index=False)
    before = open_census(own).units("CSD")
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(own), str(tmp_path / "csd_2021.csv"), step],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    pd.testing.assert_frame_equal(open_census(own).units("CSD"), before)
    add_census(own, tmp_path / "csd_2021.csv")
    assert open_census(own).counts("CSD")["population"].tolist() == [1.0, 2.0]
    assert [path.name for path in own.iterdir() if path.name != ".lock"] == ["2021"]


_FULL = """
import resource, signal, sys
from lipgeo.store import add_census
from lipgeo.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    add_census(sys.argv[1], sys.argv[2])
except OutputError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sets no file size limit")
def test_a_disk_that_takes_no_more(own: Path, files: dict[str, Path]):
    """A write that fails is said in words and leaves the store as it was."""
    before = contents(own)
    full = subprocess.run(
        [sys.executable, "-c", _FULL, str(own), str(files["counts"])],
        capture_output=True,
        check=False,
        text=True,
    )
    assert full.returncode == 7, full.stderr
    assert "cannot be written" in full.stdout
    assert contents(own) == before


def test_a_full_disk(own: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    """No space left: the message says that nothing was changed."""
    from lipgeo.store import add

    def full(*_args: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(add, "write_vintage", full)
    before = contents(own)
    with pytest.raises(OutputError, match=r"more room than the disk has left. Nothing was changed"):
        add_census(own, files["counts"])
    assert contents(own) == before


_HOLDING = """
import sys, time
from pathlib import Path
from lipgeo.store.add import import_lock
with import_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_import_at_a_time(own: Path, files: dict[str, Path]):
    """A second import says which process is at work; when it is gone the store is free."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDING, str(own)], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(StoreError, match=r"Another import \(process [\d?]+\) is at work"):
                add_census(own, files["counts"])
            assert open_census(own).counts("PR")["population"].tolist() == [1000.0]
        finally:
            other.kill()
    add_census(own, files["counts"])


def test_a_census_open_while_it_is_replaced(own: Path, tmp_path: Path):
    """A census opened before an import says so rather than mixing old and new levels."""
    census = open_census(own)
    table = pd.DataFrame({"DAUID": list(toytown.DA_IDS.values()), "CTUID": "5050001.00"})
    table.to_csv(tmp_path / "tracts_2021.csv", index=False)
    add_census(own, tmp_path / "tracts_2021.csv")
    with pytest.raises(StoreError, match="Open the store anew"):
        census.units("DB")


def test_progress_goes_from_none_to_all(tmp_path: Path, files: dict[str, Path]):
    """Steps never go back, and the last one is all of them."""
    steps: list[tuple[int, int]] = []
    add_census(tmp_path, [files["db"]], progress=lambda _, done, total: steps.append((done, total)))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1][0] == steps[-1][1]


def test_the_public_name():
    """``lipgeo.add_census`` is the engine of ``lipgeo census add``."""
    assert lipgeo.add_census is add_census
    assert lipgeo.open_census is open_census


# -- real files ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ottawa(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of the three Ottawa files."""
    folder = realdata / "ottawa_2021"
    store = tmp_path_factory.mktemp("ottawa")
    began = time.perf_counter()
    report = add_census(
        store,
        [
            folder / name
            for name in ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")
        ],
    )
    assert time.perf_counter() - began < 20
    assert report.ok
    assert "10 polygons are invalid" in found(report, "invalid_polygon")[0]
    return store


@pytest.mark.realdata
def test_ottawa(ottawa: Path):
    """The blocks sum to the official population, and nest without exception."""
    census = open_census(ottawa)
    assert census.levels == ("DB", "DA", "CD", "PR")
    assert census.counts("CD")["population"].to_dict() == {"3506": 1_017_449.0}
    assert census.data.meta["published"]["CD"]["3506"]["db_count"] == len(census.units("DB"))


@pytest.mark.realdata
def test_a_damaged_profile_brings_parents(ottawa: Path, realdata: Path, tmp_path: Path):
    """The profile's tracts get their zeros back; Ottawa and its tracts become levels."""
    store = Path(shutil.copytree(ottawa, tmp_path / "store"))
    add_census(store, realdata / "ottawa_2021" / "da_profile_2021.csv", level="DA")
    add_census(store, realdata / "canada" / "csd_2021_generalised.gpkg")
    census = open_census(store)
    assert census.counts("CSD")["population"].to_dict() == {"3506008": 1_017_449.0}
    tracts = census.units("CT")
    assert tracts.index.str.fullmatch(r"\d{7}\.\d\d").all()
    assert tracts["population"].sum() == 1_017_449
    assert census.units("CSD").loc["3506008", "unit_name"] == "Ottawa"


@pytest.mark.realdata
def test_calgary(realdata: Path, tmp_path: Path):
    """A layer in latitudes without a year, and a profile whose CMA column holds the part."""
    folder = realdata / "calgary_2021"
    report = add_census(tmp_path, [folder / "da.gpkg", folder / "da_profile_2021.csv"], level="DA")
    census = open_census(tmp_path)
    assert census.counts("CSD")["population"].to_dict() == {"4806016": 1_306_784.0}
    assert census.units("CMA").index.tolist() == ["825"]
    assert len(census.units("DA")) == 1675
    assert found(report, "land_units") == []


@pytest.mark.realdata
def test_all_subdivisions_of_2016(realdata: Path, tmp_path: Path):
    """The official table of 2016 makes five levels above it, names with their accents."""
    add_census(tmp_path, realdata / "canada" / "lcsd000b16a_e.dbf")
    census = open_census(tmp_path)
    assert len(census.units("CSD")) == 5162
    assert (len(census.units("CD")), len(census.units("PR"))) == (293, 13)
    assert census.units("CD").loc["2423", "unit_name"] == "Québec"


def test_memory_census_of_a_store(store: Path):
    """What a store holds can be held in memory again, and stays the same."""
    disk = open_census(store)
    memory = MemoryCensus(
        2021,
        {
            level: disk.data.attributes(level).drop(columns="grid_m2", errors="ignore")
            for level in disk.levels
        },
        {level: disk.data.geometry(level) for level in disk.levels},
    )
    for level in disk.levels:
        pd.testing.assert_frame_equal(memory.attributes(level), disk.data.attributes(level))
