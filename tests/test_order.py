"""The order package: what it holds, that it is the same bytes, and that any change is found."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import fiona
import geopandas as gpd
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
import toytown

from lipgeo import diff_orders, fit_boundaries, read_build, verify_order, write_build, write_order
from lipgeo.areas import ServiceAreas
from lipgeo.boundary import Boundaries
from lipgeo.census import Census, MemoryCensus
from lipgeo.errors import OrderError, OutputError
from lipgeo.order import FIELDS, custom_ids, read_order, read_tables, read_template
from lipgeo.order.manifest import ORDER, read_checks
from lipgeo.report import Finding
from lipgeo.words import speaking

NAMES = {"1": ("West", "Ouest"), "2": ("South", "Sud"), "3": ("Block d", None)}


def outlines(names=None) -> gpd.GeoDataFrame:
    """Return the toy town's areas with names, the last without a French one."""
    frame = toytown.areas()
    told = frame["area_id"].map(names or NAMES)
    frame["name_en"], frame["name_fr"] = told.str[0], told.str[1]
    return frame


def boundaries(frame=None, **options) -> Boundaries:
    """Fit areas of the toy town, by default to its blocks."""
    areas = ServiceAreas.from_frame(
        outlines() if frame is None else frame, id="area_id", name_en="name_en", name_fr="name_fr"
    )
    return fit_boundaries(toytown.census(), areas, **{"unit": "DB", **options})


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A build directory of the toy town."""
    return write_build(boundaries(), tmp_path_factory.mktemp("saved") / "build")


@pytest.fixture(scope="module")
def order(saved, tmp_path_factory) -> Path:
    """An order made from the saved build."""
    tables = [
        {"table": "T1", "title": "Income by age", "variables": "immigrants"},
        {"table": "T2", "title": "Mobility"},
        {"table": "T9", "title": "Place of work"},
    ]
    estimates = pd.DataFrame(
        {"area_id": ["1", "2"], "variable": "immigrants", "value": [40.0, 3.0], "rule": "count"}
    )
    return write_order(
        read_build(saved), tmp_path_factory.mktemp("orders") / "first", tables=tables,
        estimates=estimates, contact="Clerk, clerk@example.ca", keep=["3"],
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    """Return each file's bytes by its path in the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_package_holds_what_it_promises(order) -> None:
    """Every file named in the documentation is there, and nothing else."""
    assert set(contents(order)) == {
        "SHA256SUMS", "manifest.json",
        *(f"send/{name}" for name in (
            "README.html", "README.txt", "LISEZMOI.html", "LISEZMOI.txt", "areas_2021.zip",
            "concordance.csv", "concordance.xlsx",
        )),
        *(f"for-you/{name}" for name in (
            "areas_2021.gpkg", "areas_2021.geojson", "areas_2021.kmz", "areas/area_1.geojson",
            "areas/area_2.geojson", "areas/area_3.geojson", "areas.csv", "fewest_units.csv",
            "tables.csv", "areas.csv-metadata.json", "fewest_units.csv-metadata.json",
            "tables.csv-metadata.json", "concordance.csv-metadata.json", "checks.json",
            "checks.html", "verifications.html", "map.html", "estimates.parquet",
        )),
    }  # fmt: skip


def test_equal_inputs_give_equal_bytes(saved, order, tmp_path) -> None:
    """Written again a second later, in a folder of another name: every file is the same bytes."""
    time.sleep(1.1)
    again = write_order(
        read_build(saved), tmp_path / "another name", contact="Clerk, clerk@example.ca", keep=["3"],
        tables=[{"table": "T1", "title": "Income by age", "variables": "immigrants"},
                {"table": "T2", "title": "Mobility"}, {"table": "T9", "title": "Place of work"}],
        estimates=pd.DataFrame({"area_id": ["1", "2"], "variable": "immigrants",
                                "value": [40.0, 3.0], "rule": "count"}),
    )  # fmt: skip
    assert contents(again) == contents(order)


def test_a_saved_build_and_a_fresh_fit_give_the_same_order(saved, tmp_path) -> None:
    """The package is made from the saved units: reading the build back loses nothing."""
    one = write_order(read_build(saved), tmp_path / "one")
    other = write_order(boundaries(), tmp_path / "other")
    assert contents(one) == contents(other)


def test_an_intact_order_is_said_to_be(order) -> None:
    """Nothing changed: a note, and with the census outlines and counts are made again."""
    report = verify_order(order, toytown.census())
    assert report.ok
    assert [f.check for f in report] == ["intact", "made_again"]


def test_one_flipped_bit_is_found_in_each_file(order, tmp_path) -> None:
    """First byte, last byte and some between of every file: the file is named."""
    copy = shutil.copytree(order, tmp_path / "copy")
    for name, data in contents(order).items():
        for at in sorted({0, len(data) // 3, len(data) // 2, len(data) - 1}):
            spoiled = bytearray(data)
            spoiled[at] ^= 1 << (at % 7)
            (copy / name).write_bytes(spoiled)
            assert name in told_of(copy), (name, at)
        (copy / name).write_bytes(data)
    assert verify_order(copy).ok


def told_of(folder: Path) -> set[str]:
    """Return the files a verification complains of; a refusal complains of the manifest."""
    try:
        return {f.subject for f in verify_order(folder).only(severity="error")}
    except OrderError:
        return {"manifest.json"}


def test_missing_and_extra_files_are_found(order, tmp_path) -> None:
    """A file taken out and one put in are named, each for what it is."""
    copy = shutil.copytree(order, tmp_path / "copy")
    (copy / "send" / "concordance.csv").unlink()
    (copy / "for-you" / "areas" / "area_9.geojson").write_text("{}")
    report = verify_order(copy)
    assert {(f.check, f.subject) for f in report} == {
        ("missing", "send/concordance.csv"), ("extra", "for-you/areas/area_9.geojson"),
    }  # fmt: skip


def test_a_file_changed_together_with_its_sums_is_found(order, tmp_path) -> None:
    """Whoever mends SHA256SUMS too is caught by the manifest."""
    copy = shutil.copytree(order, tmp_path / "copy")
    name = "send/concordance.csv"
    (copy / name).write_bytes((copy / name).read_bytes().replace(b"West", b"East"))
    lines = (copy / "SHA256SUMS").read_text().splitlines()
    from lipgeo.files import sha256_of

    mended = [
        f"{sha256_of(copy / name)}  {name}" if li.endswith(f"  {name}") else li for li in lines
    ]
    (copy / "SHA256SUMS").write_text("\n".join(mended) + "\n")
    assert told_of(copy) == {name}


def test_another_census_than_the_orders_is_found(order) -> None:
    """A person more in a block, a unit that is gone: counts and units are told by area."""
    from lipgeo.census import Census, MemoryCensus

    town = toytown.census()
    frames = {level: town.units(level).reset_index() for level in town.levels}
    shapes = {level: town.data.geometry(level) for level in town.levels}
    blocks = frames["DB"]
    blocks.loc[blocks["unit_name"].eq("a"), "population"] += 1
    report = verify_order(order, Census(MemoryCensus(2021, frames, shapes)))
    assert [(f.check, f.subject) for f in report.only(severity="error")] == [("count_differs", "1")]
    gone = {**frames, "DB": blocks[~blocks["unit_name"].eq("d")]}
    keep = ~blocks["unit_name"].eq("d").to_numpy()
    less = Census(MemoryCensus(2021, gone, {**shapes, "DB": shapes["DB"][keep]}))
    report = verify_order(order, less)
    assert ("unit_unknown", "3") in {(f.check, f.subject) for f in report}
    moved = {**shapes, "DB": shapely.transform(shapes["DB"], lambda xy: xy + 10)}
    report = verify_order(order, Census(MemoryCensus(2021, frames, moved)))
    assert {f.check for f in report.only(severity="error")} == {"count_differs", "shape_differs"}


def test_the_shapefile_has_the_widths_promised(order, tmp_path) -> None:
    """Read back by fiona and by pyogrio: names, types, widths, CRS, code page, EPSG:3347."""
    with zipfile.ZipFile(order / "send" / "areas_2021.zip") as archive:
        archive.extractall(tmp_path)
    path = tmp_path / "areas_2021.shp"
    with fiona.open(path) as source:
        assert dict(source.schema["properties"]) == FIELDS
        assert len(source) == 3
    frame = pyogrio.read_dataframe(path)
    assert frame.columns.tolist() == [*FIELDS, "geometry"]
    assert frame.crs.to_epsg(min_confidence=20) == 3347
    assert frame["NAME_FR"].tolist() == ["Ouest", "Sud", "Block d"]
    assert frame["VINTAGE"].eq("2021").all()
    assert frame.geometry.is_valid.all()


def test_the_geopackage_has_three_layers_and_styles(order) -> None:
    """Areas, units, areas as drawn, in EPSG:3347, and a default style for each."""
    path = order / "for-you" / "areas_2021.gpkg"
    layers = dict(pyogrio.list_layers(path))
    assert {"areas", "units", "areas_as_drawn", "layer_styles"} == set(layers)
    assert all(layers[name] == "MultiPolygon" for name in ("areas", "units", "areas_as_drawn"))
    areas = pyogrio.read_dataframe(path, layer="areas")
    units = pyogrio.read_dataframe(path, layer="units")
    assert areas.crs.to_epsg() == 3347
    both = units[units["area_id"] == "2"].geometry.union_all()
    assert shapely.equals(both, areas.geometry[areas["area_id"] == "2"].iloc[0])
    styles = pyogrio.read_dataframe(path, layer="layer_styles", read_geometry=False)
    assert styles["f_table_name"].tolist() == ["areas", "units", "areas_as_drawn"]
    assert styles["useAsDefault"].all()


def test_the_geojson_is_rfc_7946(order) -> None:
    """Longitude and latitude, seven decimals, outer rings counter-clockwise, no crs member."""
    for path in [
        order / "for-you" / "areas_2021.geojson",
        *sorted((order / "for-you" / "areas").iterdir()),
    ]:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text)
        assert "crs" not in found
        assert found["vintage"] == 2021
        for feature in found["features"]:
            shape = shapely.geometry.shape(feature["geometry"])
            assert shape.is_valid
            for part in shapely.get_parts(shape):
                assert part.exterior.is_ccw
                assert not any(hole.is_ccw for hole in part.interiors)
            xy = shapely.get_coordinates(shape)
            assert ((xy[:, 0] > -142) & (xy[:, 0] < -52) & (xy[:, 1] > 41)).all()
        longest = max(
            len(number.partition(".")[2])
            for number in text.replace("[", " ").replace("]", " ").replace(",", " ").split()
            if "." in number and number.lstrip("-").replace(".", "").isdigit()
        )
        assert longest <= 7
    grid = gpd.read_file(order / "for-you" / "areas_2021.geojson").to_crs(3347)
    exact = pyogrio.read_dataframe(order / "for-you" / "areas_2021.gpkg", layer="areas")
    apart = grid.geometry.symmetric_difference(exact.geometry).area
    assert (apart < 10.0).all()


def test_the_kmz_opens(order) -> None:
    """One doc.kml that names areas in both languages and has no date."""
    with zipfile.ZipFile(order / "for-you" / "areas_2021.kmz") as archive:
        assert archive.namelist() == ["doc.kml"]
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
        text = archive.read("doc.kml").decode()
    assert text.count("<Placemark") == 3
    assert "Ouest" in text
    import xml.etree.ElementTree as ET

    ET.fromstring(text)


def test_the_workbook_holds_ids_as_text(order) -> None:
    """Every cell of the concordance is text in openpyxl, leading zeros and all."""
    book = openpyxl.load_workbook(order / "send" / "concordance.xlsx")
    assert book.sheetnames == ["concordance", "areas", "about"]
    cells = [cell for row in book["concordance"].iter_rows(min_row=2) for cell in row]
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}
    assert {cell.number_format for cell in cells} == {"@"}
    about = " ".join(str(cell.value) for row in book["about"].iter_rows() for cell in row)
    assert "2021" in about


def test_the_concordance_alone_rebuilds_the_areas(order) -> None:
    """Units looked up by level and code and joined are the areas, to the vertex."""
    census = toytown.census()
    areas = pyogrio.read_dataframe(order / "for-you" / "areas_2021.gpkg", layer="areas")
    for name in ("send/concordance.csv", "for-you/fewest_units.csv"):
        table = pd.read_csv(order / name, dtype=str, encoding="utf-8-sig")
        assert table["VINTAGE"].eq("2021").all()
        assert "SHARE" not in table.columns
        for custom, group in table.groupby("CUSTOM_ID"):
            shapes = [
                census.data.geometry(level, census.rows(level, list(units)))
                for level, units in group.groupby("LEVEL")["UNIT_CODE"]
            ]
            union = shapely.union_all([shape for some in shapes for shape in some])
            (area,) = areas.geometry[areas["custom_id"] == custom]
            assert shapely.equals(union, area)
    assert table.columns.tolist() == [
        "VINTAGE", "LEVEL", "UNIT_CODE", "UNIT_NAME", "DGUID", "CUSTOM_ID", "AREA_NAME_EN",
        "AREA_NAME_FR",
    ]  # fmt: skip


def test_every_file_names_its_vintage_and_source(order) -> None:
    """Each file says 2021 and that the census is made; a CSV in the description beside it."""
    source = b"made census"
    data = contents(order)
    assert set(data) - {
        name
        for name, found in data.items()
        if b"2021" in found and (source in found or b"Recensement invent" in found)
    } <= {
        # zipped: proven below; lists beside whose *.csv-metadata.json stands
        "send/areas_2021.zip", "for-you/areas_2021.kmz", "send/concordance.xlsx", "SHA256SUMS",
        "send/concordance.csv", "for-you/fewest_units.csv", "for-you/areas.csv",
        "for-you/tables.csv",
    }  # fmt: skip
    for name in ("send/areas_2021.zip", "for-you/areas_2021.kmz", "send/concordance.xlsx"):
        with zipfile.ZipFile(order / name) as archive:
            inside = b"".join(archive.read(member) for member in archive.namelist())
        assert b"2021" in inside
        assert source in inside
    for name in ("concordance", "fewest_units", "areas", "tables"):
        said = json.loads(data[f"for-you/{name}.csv-metadata.json"])
        assert said["dc:temporal"] == "2021"
        assert "made census" in said["dc:rights"]["en"]


def test_the_readme_speaks_both_languages(order) -> None:
    """Method, floors, contact in each; the missing French name shows the English one."""
    english = (order / "send" / "README.txt").read_text(encoding="utf-8")
    french = (order / "send" / "LISEZMOI.txt").read_text(encoding="utf-8")
    for text in (english, french):
        assert "clerk@example.ca" in text
        assert re.search(r"3 +Block d +1 +40 +100 !", text)
        # for the receiver: nothing that the sender is to do, no sums of files
        assert "sha256" not in text
        assert not re.search(r"--[a-z]", text)
    assert "ordered all the same: 3" in english
    assert re.search(r"1 +Ouest ", french)
    for name, inside in (("README.html", "Block d"), ("LISEZMOI.html", "Ouest")):
        page = (order / "send" / name).read_text(encoding="utf-8")
        assert inside in page
        assert "<script" not in page
    said = json.loads((order / "for-you" / "checks.json").read_text(encoding="utf-8"))["findings"]
    assert [f["check"] for f in said if f["check"].startswith("no_name")] == ["no_name_fr"]


def test_the_checks_are_in_both_languages(order) -> None:
    """Whatever language the build was made in, each page says every finding in its own."""
    said = json.loads((order / "for-you" / "checks.json").read_text(encoding="utf-8"))["findings"]
    assert all(one["key"] for one in said)
    french = html.unescape((order / "for-you" / "verifications.html").read_text(encoding="utf-8"))
    english = html.unescape((order / "for-you" / "checks.html").read_text(encoding="utf-8"))
    for one in said:
        assert one["message"] in english
        assert one["message"] not in french
        with speaking("fr"):
            assert Finding.from_record(one).message in french


def test_areas_without_people_or_below_the_floor_are_not_ordered_unasked(tmp_path) -> None:
    """Left out with the reason and off the map; named, they are ordered; strange names refused."""
    b = boundaries()
    made = write_order(b, tmp_path / "order")
    manifest = read_order(made).manifest
    assert [area["area_id"] for area in manifest["areas"]] == ["1", "2"]
    assert [(a["area_id"], a["reason"]) for a in manifest["left_out"]] == [("3", "below_floor")]
    assert "Block d" in (made / "send" / "README.txt").read_text(encoding="utf-8-sig")
    assert "2 service areas" in (made / "for-you" / "map.html").read_text(encoding="utf-8")
    checks = read_checks(made)
    assert [(f.check, f.subject) for f in checks if f.subject == "3"] == [("left_out", "3")]
    kept = write_order(b, tmp_path / "kept", keep=["3"])
    assert read_order(kept).manifest["left_out"] == []
    with pytest.raises(OrderError, match="these are not: 7"):
        write_order(b, tmp_path / "strange", keep=["7"])
    with pytest.raises(OrderError, match="Nothing is left to order"):
        write_order(b.select(["3"]), tmp_path / "nothing")


def test_an_order_of_the_first_version_is_still_read(tmp_path) -> None:
    """Verified, compared, kept from: the folder of before had everything in one place."""
    old = Path(__file__).parent / "golden" / "toytown_first"
    assert verify_order(old, toytown.census()).ok
    copy = shutil.copytree(old, tmp_path / "old")
    (copy / "package.zip").write_bytes(b"")
    assert "package.zip" in told_of(copy)
    new = write_order(boundaries(), tmp_path / "new", since=old, keep=["3"])
    assert diff_orders(old, new).changed == []
    assert {one["change"] for one in diff_orders(old, new).areas.to_dict("records")} == {"same"}


def test_numbers_are_whole_where_they_count(order) -> None:
    """People, parts and floors have no decimal point in any file."""
    for name in ("for-you/areas.csv", "for-you/fewest_units.csv", "send/concordance.csv",
                 "for-you/areas_2021.geojson", "manifest.json"):  # fmt: skip
        text = (order / name).read_text(encoding="utf-8-sig")
        assert not re.search(r"[ ,:][0-9]+\.0[,\r\n ]", text), name


def test_tables_tell_what_is_likely_suppressed(order) -> None:
    """Income below 250 people, place of work unknown, cells below 10 counted."""
    table = pd.read_csv(
        order / "for-you" / "tables.csv", dtype=str, encoding="utf-8-sig"
    ).set_index(["TABLE", "CUSTOM_ID"])
    assert table.loc["T1", "EXPECTED"].to_dict() == {
        "1": "released", "2": "released", "3": "suppressed",
    }  # fmt: skip
    assert table.loc[("T1", "3"), "REASON"] == "floor_persons"
    assert set(table.loc["T9", "EXPECTED"]) == {"unknown"}
    assert table.loc[("T1", "2"), "CELLS_NOTHING"] == "1"
    assert table.loc[("T1", "1"), "CELLS_ROUNDED"] == "0"


def test_names_that_look_like_formulas_stay_text(tmp_path) -> None:
    """=cmd, +, - and @ in names: text in the workbook, an apostrophe before them in the CSV."""
    names = {"1": ("=cmd|' /C calc'!A0", "+1"), "2": ("-2", "@SUM(A1)"), "3": ("plain", "é")}
    made = write_order(boundaries(outlines(names)), tmp_path / "order")
    book = openpyxl.load_workbook(made / "send" / "concordance.xlsx")
    values = {c.value: c.data_type for r in book["concordance"].iter_rows() for c in r}
    assert values["=cmd|' /C calc'!A0"] == "s"
    assert not any(kind == "f" for kind in values.values())
    text = (made / "send" / "concordance.csv").read_text(encoding="utf-8-sig")
    assert "'=cmd" in text
    assert ",=cmd" not in text


def test_ids_are_stable_and_never_given_to_another() -> None:
    """An area keeps its id; an id that is gone stays gone; accents go."""
    assert custom_ids(["é 1", "b/c"]).tolist() == ["E-1", "B-C"]
    assert custom_ids(["b c"], {"B-C": "b/c"}).tolist() == ["B-C-2"]
    assert custom_ids(["b/c"], {"B-C": "b c", "B-C-2": "b/c"}).tolist() == ["B-C-2"]
    with pytest.raises(OrderError, match="would share one or have none: b c, b/c, …") as caught:
        custom_ids(["b c", "b/c", "…"])
    assert len(caught.value.rows) == 3


def ninety(change: bool) -> pd.DataFrame:
    """Return ninety areas, each some dissemination areas of a made country; three changed."""
    rows = [(f"a{n:02d}", f"3506{4 * n + k:04d}") for n in range(90) for k in range(4)]
    frame = pd.DataFrame(rows, columns=["area_id", "unit_id"])
    if change:
        frame = frame[~((frame["area_id"] == "a07") & (frame["unit_id"] == "35060028"))]
        more = pd.DataFrame({"area_id": ["a41"], "unit_id": ["35060361"]})
        frame = pd.concat([frame, more], ignore_index=True)
    frame["level"] = "DA"
    name = frame["area_id"].str.upper()
    frame["name_en"] = name.where(~frame["area_id"].eq("a88") | (not change), "Renamed")
    frame["name_fr"] = name
    return frame


@pytest.fixture(scope="module")
def country():
    """A made country of 400 dissemination areas of 30 to 1,000 people, in squares."""
    from lipgeo.census import Census, MemoryCensus

    count = 400
    west = 7_400_000.0 + 500 * (pd.RangeIndex(count).to_numpy() % 20)
    south = 1_200_000.0 + 500 * (pd.RangeIndex(count).to_numpy() // 20)
    shapes = shapely.box(west, south, west + 500, south + 500)
    da = pd.DataFrame({"unit_id": [f"3506{n:04d}" for n in range(count)]})
    da["population"] = [200.0 + (37 * n) % 700 for n in range(count)]
    da["dwellings"] = da["households"] = (da["population"] / 2).round()
    da["land_km2"] = 0.25
    return Census(MemoryCensus(2021, {"DA": da}, {"DA": shapes}))


def test_three_areas_of_ninety_changed(country, tmp_path) -> None:
    """The difference names the three and only them; the others' files are the same bytes."""
    fits = [
        fit_boundaries(country, ServiceAreas.from_units(ninety(change), country))
        for change in (False, True)
    ]
    old = write_order(fits[0], tmp_path / "old")
    new = write_order(fits[1], tmp_path / "new", since=old)
    found = diff_orders(old, new)
    assert found.changed == ["a07", "a41", "a88"]
    areas = found.areas.set_index("area_id")
    assert areas.loc[found.changed, "change"].tolist() == ["units", "units", "names"]
    assert areas.loc["a07", "people_lost"] == country.counts("DA").loc["35060028", "population"]
    assert areas.loc["a41", "people_added"] == country.counts("DA").loc["35060361", "population"]
    assert found.units["unit_id"].tolist() == ["35060028", "35060361"]
    assert areas["same_bytes"].sum() == 87
    assert not areas.loc[found.changed, "same_bytes"].any()
    same = [name for name, data in contents(old).items() if contents(new).get(name) == data]
    assert sum(name.startswith("for-you/areas/") for name in same) == 87
    assert "3 areas changed, 87 are the same" in repr(found)
    assert verify_order(new, country).ok


def test_across_censuses_people_are_not_said_to_have_moved(tmp_path) -> None:
    """Of two censuses: people before and now, units kept and new codes, and nobody "added"."""
    now = boundaries(unit="DA", rule="touching")
    data = toytown.census().data
    frames = {level: data.attributes(level) for level in data.levels}
    for level in ("DB", "DA"):  # Q had another code, and everyone there were half as many
        for name in {"unit_id", "DA"} & set(frames[level]):
            frames[level][name] = frames[level][name].str.replace("35060002", "35060009")
        frames[level]["population"] /= 2
    shapes = {level: data.geometry(level) for level in data.levels}
    then = fit_boundaries(
        Census(MemoryCensus(2016, frames, shapes)),
        ServiceAreas.from_frame(outlines(), id="area_id"), unit="DA", rule="touching",
    )  # fmt: skip
    orders = [write_order(one, tmp_path / str(one.vintage)) for one in (then, now)]
    found = diff_orders(*orders)
    areas = found.areas.set_index("area_id")
    assert areas["change"].str.contains("vintage").all()
    one = areas.loc["1"]  # P is kept, Q is a new code
    assert (one["units_kept"], one["units_added"], one["units_removed"]) == (1, 1, 1)
    assert (one["population_before"], one["population"]) == (245, 490)
    assert areas[["people_added", "people_lost"]].isna().all(axis=None)
    said = repr(found)
    before, people = areas["population_before"].sum(), areas["population"].sum()
    assert f"{before:,.0f}" in said
    assert f"{people:,.0f}" in said


def test_since_keeps_ids_and_freezes_outlines(tmp_path) -> None:
    """Ids stay with their areas, a gone one is not given again, unchanged outlines are copied."""
    first = write_order(boundaries(), tmp_path / "first", keep=["3"])
    frame = outlines()
    frame.loc[frame["area_id"] == "3", "area_id"] = "3 "
    frame["area_id"] = frame["area_id"].replace({"3 ": "3!"})
    frame["name_en"] = frame["name_en"].fillna("x")
    second = write_order(boundaries(frame), tmp_path / "second", since=first, keep=["3!"])
    ids = {area["area_id"]: area["custom_id"] for area in read_order(second).manifest["areas"]}
    assert ids == {"1": "1", "2": "2", "3!": "3-2"}
    assert read_order(second).manifest["custom_ids"]["3"] == "3"
    third = write_order(boundaries(), tmp_path / "third", since=second, keep=["3"])
    ids = {area["area_id"]: area["custom_id"] for area in read_order(third).manifest["areas"]}
    assert ids == {"1": "1", "2": "2", "3": "3"}
    assert {"3-2", "3"} <= set(read_order(third).used_ids)
    for name in ("for-you/areas/area_1.geojson", "for-you/areas/area_2.geojson"):
        assert (third / name).read_bytes() == (first / name).read_bytes()
    assert diff_orders(first, third).changed == []


def test_areas_of_earlier_orders_are_compared(country, tmp_path) -> None:
    """Last year's area less this year's leaves few people: found through the manifests."""
    small = country.counts("DA")["population"].to_dict()
    from lipgeo.census import Census, MemoryCensus

    da = country.units("DA").reset_index()
    da.loc[da["unit_id"] == "35060005", "population"] = 12.0
    few = Census(MemoryCensus(2021, {"DA": da}, {"DA": country.data.geometry("DA")}))
    assert small["35060005"] != 12

    def fit(*units: int) -> Boundaries:
        return fit_boundaries(
            few, ServiceAreas.from_units({"a": [f"DA:3506{n:04d}" for n in units]}, few)
        )

    old = write_order(fit(3, 4, 5), tmp_path / "old")
    middle = write_order(fit(3, 4), tmp_path / "middle", since=old)
    found = json.loads((middle / "for-you" / "checks.json").read_text(encoding="utf-8"))["findings"]
    told = [f for f in found if f["check"] == "differencing"]
    assert [f["value"] for f in told] == [12]
    last = write_order(fit(3), tmp_path / "last", since=middle)
    assert len(read_order(last).manifest["earlier"]) == 2


def test_findings_never_stop_an_order(tmp_path) -> None:
    """An area under the floor that is kept is ordered, and flagged in every list."""
    made = write_order(boundaries(), tmp_path / "order", keep=["3"])
    table = pd.read_csv(made / "for-you" / "areas.csv", dtype=str, encoding="utf-8-sig").set_index(
        "CUSTOM_ID"
    )
    assert table.loc["3", "BELOW_FLOOR"] == "yes"
    assert "below_floor" in table.loc["3", "FLAGS"]
    checks = json.loads((made / "for-you" / "checks.json").read_text(encoding="utf-8"))
    assert "below_floor" in {f["check"] for f in checks["findings"]}
    floors = {row["area_id"]: row["margin"] for row in checks["floors"]}
    assert floors["3"] == -60


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "cannot be read"),
        ("max_rows = 10", "needs an array of tables"),
        ('[[columns]]\nheader = "A"\nfield = "SHARE"', "Unknown fields: SHARE"),
        ('[[columns]]\nheader = "A"\nfield = "LEVEL"', "VINTAGE, UNIT_CODE, CUSTOM_ID"),
        ('[[columns]]\nheader = "A"\nfield = "LEVEL"\nwidth = 3', "mean nothing here: width"),
    ],
)
def test_templates_that_cannot_be_used(tmp_path, text, message) -> None:
    """Unknown and missing columns are refused, and named."""
    path = tmp_path / "template.toml"
    path.write_text(text)
    with pytest.raises(OrderError, match=message):
        write_order(boundaries(), tmp_path / "order", template=path)
    assert not (tmp_path / "order").exists()


def test_a_template_orders_and_names_the_columns(tmp_path) -> None:
    """Headers, order and number of columns are the receiver's; the row limit is held."""
    columns = [("CODE", "UNIT_CODE"), ("YEAR", "VINTAGE"), ("GEO", "LEVEL"), ("AREA", "CUSTOM_ID")]
    path = tmp_path / "template.toml"
    path.write_text(
        "\n".join(f'[[columns]]\nheader = "{h}"\nfield = "{f}"' for h, f in columns) + "\n"
    )
    made = write_order(boundaries(), tmp_path / "order", template=path)
    table = pd.read_csv(made / "send" / "concordance.csv", dtype=str, encoding="utf-8-sig")
    assert table.columns.tolist() == ["CODE", "YEAR", "GEO", "AREA"]
    path.write_text("max_rows = 5\n" + path.read_text())
    with pytest.raises(OrderError, match=r"holds 5 rows.*concordance has 7 units"):
        write_order(boundaries(), tmp_path / "short", template=path)
    assert read_template().max_rows == 1_048_576


def test_names_no_file_can_hold(tmp_path) -> None:
    """Too many bytes for a DBF field; control characters: all named, nothing written."""
    with pytest.raises(OrderError, match=r"1.NAME_FR \(300>254\)"):
        write_order(boundaries(outlines({**NAMES, "1": ("a", "é" * 150)})), tmp_path / "order")
    with pytest.raises(OrderError, match="control characters"):
        write_order(boundaries(outlines({**NAMES, "2": ("a\x00b", "c")})), tmp_path / "order")
    assert not (tmp_path / "order").exists()


def test_areas_without_units_are_refused_or_left_out(tmp_path) -> None:
    """By default an error names them; left out when asked, and then listed everywhere."""
    b = boundaries(unit="DA")
    with pytest.raises(OrderError, match="no unit is in these: 3"):
        write_order(b, tmp_path / "order")
    made = write_order(b, tmp_path / "order", leave_out_empty=True)
    table = pd.read_csv(made / "for-you" / "areas.csv", dtype=str, encoding="utf-8-sig")
    assert table["AREA_ID"].tolist() == ["1", "2", "3"]
    assert table["UNIT_COUNT"].tolist() == ["1", "1", "0"]
    assert "- 3: Block d (no census unit is in it)" in (made / "send" / "README.txt").read_text(
        encoding="utf-8"
    )
    with pytest.raises(OrderError, match="no unit"):
        write_order(boundaries(outlines(), unit="CD", rule="within"), tmp_path / "none",
                    leave_out_empty=True)  # fmt: skip


def test_an_existing_folder_is_never_written_over(order) -> None:
    """The order that is there stays as it was."""
    before = contents(order)
    with pytest.raises(OutputError, match="already exists"):
        write_order(boundaries(), order)
    assert contents(order) == before


def test_manifests_that_are_refused(order, tmp_path) -> None:
    """A newer layout, a path out of the folder, a folder that is no order."""
    copy = shutil.copytree(order, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    for name in ("../evil", "/etc/passwd", "C:\\evil", "a/../../b"):
        spoiled = {**manifest, "files": {**manifest["files"], name: {"sha256": "", "bytes": 0}}}
        (copy / "manifest.json").write_text(json.dumps(spoiled))
        with pytest.raises(OrderError, match="leave its folder"):
            verify_order(copy)
    for key in manifest["areas"][0].keys() & ORDER.needs["areas"][0].keys():
        areas = [{k: v for k, v in area.items() if k != key} for area in manifest["areas"]]
        (copy / "manifest.json").write_text(json.dumps({**manifest, "areas": areas}))
        with pytest.raises(OrderError, match=key):
            diff_orders(order, copy)
    (copy / "manifest.json").write_text(json.dumps({**manifest, "order_version": 99}))
    with pytest.raises(OrderError, match="newer lipgeo"):
        diff_orders(order, copy)
    with pytest.raises(OrderError, match="is not an order"):
        verify_order(tmp_path)
    with pytest.raises(OrderError, match="not as it was written"):
        (copy / "manifest.json").write_text(json.dumps(manifest))
        write_order(boundaries(), tmp_path / "new", since=copy)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([{"table": "T", "colour": "x"}], "Unknown columns: colour"),
        ([{"table": ""}], "needs a name"),
        (["T", "T"], "Tables listed twice: T"),
        ([{"table": "T", "universe": "cats"}], "Unknown universes: cats"),
    ],
)
def test_lists_of_tables_that_cannot_be_used(given, message) -> None:
    """Each fault is told."""
    with pytest.raises(OrderError, match=message):
        read_tables(given)


def test_lists_of_tables_are_read_from_files(tmp_path) -> None:
    """CSV and TOML say the same; words tell the universe where the list does not."""
    (tmp_path / "t.csv").write_text("table,title\nT1,Revenu\nT2,Mobility\n", encoding="utf-8-sig")
    (tmp_path / "t.toml").write_text(
        '[[tables]]\ntable = "T1"\ntitle = "Revenu"\n[[tables]]\ntable = "T2"\ntitle = "Mobility"\n'
    )
    assert read_tables(tmp_path / "t.csv") == read_tables(tmp_path / "t.toml")
    assert [one.universe for one in read_tables(tmp_path / "t.csv")] == ["income", "population"]


def test_a_cell_too_many_is_told_by_its_line(tmp_path) -> None:
    """A comma that no quotes hold makes a cell too many: the line is named, and what to do."""
    (tmp_path / "t.csv").write_text("table,title\nT1,Age\nT2,Income, total\nT3,a,b,c\n")
    with pytest.raises(OrderError, match=r"Lines 3, 4 have more cells than the header") as caught:
        read_tables(tmp_path / "t.csv")
    assert caught.value.problems["line"].tolist() == [3, 4]
    (tmp_path / "t.csv").write_text("table;title\nT1;Âge\nT2;Revenu; total\n")
    with speaking("fr"), pytest.raises(OrderError, match=r"La ligne 3 a plus .* contiennent « ; »"):
        read_tables(tmp_path / "t.csv")


def test_the_order_speaks_french(tmp_path) -> None:
    """Both pages of the checks are there whatever language is in force; the data do not change."""
    with speaking("fr"):
        made = write_order(boundaries(), tmp_path / "commande", csv="fr")
    for name, lang in (("checks", "en"), ("verifications", "fr")):
        page = (made / "for-you" / f"{name}.html").read_text(encoding="utf-8")
        assert f'<html lang="{lang}-CA">' in page
    table = pd.read_csv(made / "for-you" / "areas.csv", sep=";", decimal=",", encoding="utf-8-sig")
    assert table["LAND_KM2"].dtype == float
    assert verify_order(made).ok


_WRITER = """
import sys
from lipgeo import read_build, write_order
print("ready", flush=True)
sys.stdin.readline()
write_order(read_build(sys.argv[1]), sys.argv[2])
"""


def test_a_kill_leaves_a_whole_order_or_none(saved, tmp_path) -> None:
    """Killed at points all through the write: what stands under the name is whole, or nothing."""
    if not hasattr(signal, "SIGKILL"):
        pytest.skip("this platform has no SIGKILL")
    whole = 0
    for point in (1, 3):
        target = tmp_path / f"order-{point}"
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(saved), str(target)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ},
        )  # fmt: skip
        writer.stdout.readline()
        writer.stdin.write("go\n")
        writer.stdin.flush()
        time.sleep(0.3 * point)
        writer.kill()
        writer.communicate()
        if target.exists():
            assert verify_order(target).ok
            whole += 1
    assert whole <= 2


@pytest.mark.realdata
def test_ottawa_is_ordered_and_made_again(realdata, tmp_path) -> None:
    """116 neighbourhoods of Ottawa: seven have no unit, two nobody; 107 are ordered and proven."""
    from lipgeo import open_census, read_service_areas
    from lipgeo.store import add_census

    folder = realdata / "ottawa_2021"
    names = ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")
    add_census(tmp_path / "store", [folder / name for name in names])
    census = open_census(tmp_path / "store")
    areas = read_service_areas(folder / "neighbourhoods.gpkg", id="ONS_ID", name_en="ONS_Name")
    build = write_build(fit_boundaries(census, areas), tmp_path / "build")
    made = write_order(read_build(build), tmp_path / "order", leave_out_empty=True)
    report = verify_order(made, census)
    assert report.ok
    assert [f.check for f in report] == ["intact", "made_again"]
    assert len(read_order(made).areas) == 107
    assert "Statistics Canada" in (made / "send" / "README.txt").read_text(encoding="utf-8")
    found = json.loads((made / "for-you" / "checks.json").read_text(encoding="utf-8"))["findings"]
    assert sorted(f["value"] for f in found if f["check"] == "differencing") == [10, 31]


def test_counts_are_whole_numbers_in_every_file(saved, tmp_path):
    """People and dwellings of published units are integers in GeoPackage and Parquet, never 5.0."""
    build = read_build(saved)
    assert build.areas["population"].dtype == build.shapes["population"].dtype == "float64"
    folder = write_order(build, tmp_path / "order", keep=["3"])
    (package,) = folder.glob("for-you/*.gpkg")
    for layer, columns in (
        ("areas", ("population", "population_union", "dwellings_union")),
        ("units", ("population", "dwellings")),
    ):
        info = pyogrio.read_info(package, layer=layer)
        types = dict(zip(info["fields"], info["dtypes"], strict=True))
        assert {types[name] for name in columns} == {"int64"}
    for name in ("areas", "shapes", "land"):
        schema = pq.read_schema(saved / f"{name}.parquet")
        assert str(schema.field("population").type) == "int64"
