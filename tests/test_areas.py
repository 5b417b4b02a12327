"""Drawn service areas: what is taken, what is repaired and said, what is refused by row."""

from __future__ import annotations

import datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from toytown import ORIGIN, areas, census, draw

from lipgeo import ServiceAreas
from lipgeo.census import Census, MemoryCensus
from lipgeo.errors import AreaError, CRSError, DatumError
from lipgeo.words import speaking

WEST, SOUTH = ORIGIN
BOW_TIE = shapely.Polygon([(WEST, SOUTH), (WEST + 200, SOUTH + 200), (WEST + 200, SOUTH),
                           (WEST, SOUTH + 200)])  # fmt: skip


def box(column: float, row: float, size: float = 100.0) -> shapely.Polygon:
    """Return a square of the toy town's grid."""
    x, y = WEST + 100 * column, SOUTH + 100 * row
    return shapely.box(x, y, x + size, y + size)


def layer(shapes: list, **columns: list) -> gpd.GeoDataFrame:
    """Return a layer on the grid."""
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:3347")


def refused(match: str, frame: gpd.GeoDataFrame, *args, **options) -> pd.DataFrame:
    """Read a layer that must be refused, and return the error's problems."""
    with pytest.raises(AreaError, match=match) as caught:
        ServiceAreas.from_frame(frame, *args, **options)
    return caught.value.problems


# ------------------------------------------------------------------------------- taken


def test_areas_keep_order_ids_and_outlines():
    """Ids are text in the order given, outlines those drawn, and nothing is remarked."""
    found = ServiceAreas.from_frame(areas(), id="area_id")
    assert found.ids.tolist() == ["1", "2", "3"]
    assert found.frame.index.name == "area_id"
    columns = ["name_en", "name_fr", "definition", "valid_from", "valid_to", "geometry"]
    assert found.frame.columns.tolist() == columns
    assert found.frame.crs.to_epsg() == 3347
    assert shapely.equals(found.frame.geometry.to_numpy(), areas().geometry.to_numpy()).all()
    assert found.drawn.tolist() == ["1", "2", "3"]
    assert found.listed.empty
    assert found.units.empty
    assert found.vintage is None
    assert len(found.report) == 0
    assert "3 drawn" in repr(found)


def test_what_is_given_does_not_change():
    """Neither the frame given nor what is handed out shares anything with the areas."""
    frame = areas().to_crs("EPSG:4326")
    before = frame.copy(deep=True)
    found = ServiceAreas.from_frame(frame, id="area_id")
    pd.testing.assert_frame_equal(frame, before)
    handed = found.frame
    handed.loc["1", "name_en"] = "changed"
    assert found.frame["name_en"].isna().all()


def test_a_layer_in_degrees_keeps_its_edges_where_they_were_drawn():
    """A 6-degree parallel drawn in degrees is bent on the grid, not cut across."""
    drawn = gpd.GeoDataFrame(
        {"id": ["south"]}, geometry=[shapely.box(-100, 49, -94, 50)], crs="EPSG:4326"
    )
    outline = ServiceAreas.from_frame(drawn, id="id").frame.geometry["south"]
    middle = gpd.GeoSeries([shapely.Point(-97, 49)], crs="EPSG:4326").to_crs("EPSG:3347")[0]
    assert shapely.distance(outline.exterior, middle) < 2.0
    assert shapely.get_num_coordinates(outline) > 50


def test_holes_parts_overlaps_and_provinces_are_kept():
    """Two parts, a hole, and areas that overlap stay as they were drawn."""
    ring = shapely.difference(box(0, 0, 300), box(1, 1))
    parts = shapely.MultiPolygon([ring, box(5, 5)])
    found = ServiceAreas.from_frame(layer([parts, box(0, 0, 600)], id=["a", "b"]), id="id")
    assert found.frame.area.tolist() == [90_000.0, 360_000.0]
    assert len(found.frame.geometry["a"].geoms) == 2


@pytest.mark.parametrize("crs", ["EPSG:4269", "EPSG:4326", "EPSG:2951", "EPSG:3158", "EPSG:3348"])
def test_any_crs_on_an_accepted_datum_gives_the_same_areas(crs):
    """The same outlines in degrees, MTM, UTM or Lambert come to the same place within 5 m."""
    found = ServiceAreas.from_frame(areas().to_crs(crs), id="area_id").frame.geometry
    apart = shapely.hausdorff_distance(found.to_numpy(), areas().geometry.to_numpy())
    assert apart.max() < 5.0


def test_ids_from_numbers_are_whole_numbers():
    """3002.0 of a float column and of a text column is 3002, with a note; 5.1 stays 5.1."""
    shapes = [box(0, 0), box(1, 0)]
    for ids in ([3002.0, 14.0], ["3002.0", "14.0"], ["3002.0", "14"]):
        found = ServiceAreas.from_frame(layer(shapes, ward=ids), id="ward")
        assert found.ids.tolist() == ["3002", "14"]
        assert found.report.only("whole_ids").findings[0].message == (
            "Ids in ward were numbers with a decimal point: 3002.0 was read as 3002, and so on."
        )
    found = ServiceAreas.from_frame(layer(shapes, ward=["5.0", "5.1"]), id="ward")
    assert found.ids.tolist() == ["5.0", "5.1"]
    assert ServiceAreas.from_frame(layer(shapes, ward=[7, 8]), id="ward").ids.tolist() == ["7", "8"]
    found = ServiceAreas.from_frame(layer(shapes, ward=[" a ", "b"]), id="ward")
    assert found.ids.tolist() == ["a", "b"]


def test_an_obvious_id_column_is_taken_and_said():
    """A unique column called an id is taken; GIS numbers never; a tie is asked about."""
    shapes = [box(0, 0), box(1, 0)]
    found = ServiceAreas.from_frame(
        layer(shapes, OBJECTID=[1, 2], ONS_ID=["a", "b"], label=["x", "y"])
    )
    assert found.ids.tolist() == ["a", "b"]
    assert found.report.only("id_taken").findings[0].message == (
        "The column ONS_ID was taken for the ids of the areas."
    )
    with pytest.raises(
        AreaError, match=r"no column is plainly it.*Unique in every row: FID, label\."
    ):
        ServiceAreas.from_frame(layer(shapes, FID=[1, 2], label=["x", "y"], city=["o", "o"]))
    with pytest.raises(AreaError, match="no column is plainly it"):
        ServiceAreas.from_frame(layer(shapes, city_id=[1, 2], ward_id=[3, 4]))
    with pytest.raises(AreaError, match="as_one"):
        ServiceAreas.from_frame(layer(shapes))


def test_names_and_dates():
    """Names come from columns asked for or usual ones; dates from text, days or moments."""
    frame = layer([box(0, 0), box(1, 0)], id=["a", "b"], nom=["Été", " "], label=["Summer", None])
    frame["valid_from"] = pd.to_datetime(["2019-03-31", None])
    frame["valid_to"] = ["2021-12-31", None]
    found = ServiceAreas.from_frame(frame, id="id", name_en="label")
    assert found.frame.loc["a"].drop("geometry").tolist() == [
        "Summer", "Été", "drawn", "2019-03-31", "2021-12-31",
    ]  # fmt: skip
    assert found.frame.loc["b", ["name_en", "name_fr", "valid_from", "valid_to"]].isna().all()
    assert [f.subject for f in found.report.only("column_taken")] == ["nom"]
    assert found.labels.tolist() == ["Summer", "b"]
    with speaking("fr"):
        assert found.labels.tolist() == ["Été", "b"]
    frame["valid_to"] = [datetime.date(2021, 12, 31), None]
    again = ServiceAreas.from_frame(frame, id="id", name_en="label")
    assert again.frame["valid_to"].tolist() == found.frame["valid_to"].tolist()


def test_areas_of_a_day():
    """An area holds from its first to its last day, both included."""
    frame = layer([box(0, 0), box(1, 0)], id=["old", "new"])
    frame["valid_from"], frame["valid_to"] = [None, "2020-04-01"], ["2020-03-31", None]
    found = ServiceAreas.from_frame(frame, id="id")
    assert found.on("2020-03-31").ids.tolist() == ["old"]
    assert found.on("2020-04-01").ids.tolist() == ["new"]
    with pytest.raises(AreaError, match="A day is written year-month-day"):
        found.on("1 April 2020")


# ------------------------------------------------------------------------------- one area of many


def test_all_rows_as_one_area():
    """Every row together is one area of the id given, whatever the rows' own ids."""
    found = ServiceAreas.from_frame(layer([box(0, 0), box(1, 0), box(5, 5)]), as_one="city")
    assert found.ids.tolist() == ["city"]
    assert found.frame.area.tolist() == [30_000.0]
    assert found.report.only("merged").findings[0].message == (
        "city is the union of 3 rows: 2 parts, 0 holes."
    )


def test_rows_grouped_by_a_column():
    """Rows that share a value are one area; their names are kept only where they agree."""
    frame = layer(
        [box(0, 0), box(1, 0), box(3, 3)],
        city=["o", "o", "k"], name_en=["Ottawa", "Ottawa", "K"], ward=["1", "2", "3"],
    )  # fmt: skip
    found = ServiceAreas.from_frame(frame, group_by="city", name_fr="ward")
    assert found.ids.tolist() == ["o", "k"]
    assert found.frame.area.tolist() == [20_000.0, 10_000.0]
    assert found.frame["name_en"].tolist() == ["Ottawa", "K"]
    assert found.frame["name_fr"].isna().tolist() == [True, False]
    assert found.report.only("names_differ").findings[0].subject == "o"
    with pytest.raises(AreaError, match="not both"):
        ServiceAreas.from_frame(frame, group_by="city", as_one="all")


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)), st.lists(st.sampled_from("ab"), min_size=6, max_size=6))
def test_grouping_does_not_depend_on_the_order_of_rows(order, groups):
    """The union of each group is the same whichever row comes first."""
    shapes = [box(column, 0) for column in range(6)]
    frame = layer(shapes, group=groups)
    first = ServiceAreas.from_frame(frame, group_by="group").frame.geometry
    turned = ServiceAreas.from_frame(frame.iloc[order], group_by="group").frame.geometry
    assert set(first.index) == set(turned.index)
    for area in first.index:
        assert first[area].equals(turned[area])
    assert first.area.sum() == pytest.approx(60_000.0, rel=1e-12)


# ------------------------------------------------------------------------------- repaired and said


def test_an_outline_that_crosses_itself_is_repaired_and_said():
    """Both wings of a bow-tie stay; the finding gives the square kilometres before and after."""
    found = ServiceAreas.from_frame(layer([BOW_TIE], id=["tie"]), id="id")
    outline = found.frame.geometry["tie"]
    assert outline.is_valid
    assert outline.area == pytest.approx(20_000.0)
    remark = found.report.only("repaired").findings[0]
    assert remark.severity == "warning"
    assert remark.subject == "tie"
    # 0.02 km2 on the grid, whose scale is some percent too large here
    assert remark.value == pytest.approx(0.0194, abs=0.0001)
    assert "0.000 km² as drawn, 0.019 km² now" in remark.message


def test_polygons_are_taken_out_of_collections():
    """A KML collection of a polygon and its label point is the polygon, and it is said."""
    mixed = shapely.GeometryCollection([box(0, 0), shapely.Point(WEST, SOUTH)])
    found = ServiceAreas.from_frame(layer([mixed], id=["a"]), id="id")
    assert found.frame.geometry["a"].equals(box(0, 0))
    assert found.report.only("collection").findings[0].severity == "note"


def test_heights_are_dropped():
    """Three-dimensional outlines become flat."""
    found = ServiceAreas.from_frame(layer([shapely.force_3d(box(0, 0), 70)], id=["a"]), id="id")
    assert not found.frame.geometry["a"].has_z


# ------------------------------------------------------------------------------- refused


def test_every_fault_of_a_layer_is_told_at_once():
    """Missing and duplicate ids and five kinds of bad geometry come in one error, row by row."""
    line = shapely.LineString([(WEST, SOUTH), (WEST + 100, SOUTH)])
    flat = shapely.Polygon([(WEST, SOUTH), (WEST + 100, SOUTH), (WEST + 50, SOUTH)])
    far = shapely.box(0, 0, 100, 100)
    shapes = [box(0, 0), None, shapely.Polygon(), line, shapely.Point(WEST, SOUTH), flat, far]
    frame = layer(shapes, id=["a", "a", " ", "d", "e", "f", "g"])
    problems = refused(r"The layer \(7 rows\) cannot be used", frame, id="id")
    told = problems.groupby("fault", sort=False)["row"].apply(list).to_dict()
    assert told == {
        "missing_ids": [3],
        "duplicate_ids": [1, 2],
        "no_geometry": [2],
        "empty_geometry": [3],
        "not_polygons": [4, 5],
        "outside_canada": [7],
        "no_surface": [6],
    }


@pytest.mark.parametrize(
    ("match", "shapes", "ids"),
    [
        (r"column id is empty in rows 1, 2", [box(0, 0), box(1, 0)], [None, ""]),
        (
            r"a stand more than once in id \(rows 1, 2\).*group_by=\"id\"",
            [box(0, 0), box(1, 0)],
            ["a", "a "],
        ),
        (r"row 2 has no geometry", [box(0, 0), None], ["a", "b"]),
        (r"geometry of row 2 is empty", [box(0, 0), shapely.Polygon()], ["a", "b"]),
        (r"rows 2 are Point", [box(0, 0), shapely.Point(WEST, SOUTH)], ["a", "b"]),
        (
            r"rows 2 are LineString.*Close lines",
            [box(0, 0), shapely.LineString([(WEST, SOUTH), (WEST, SOUTH + 1)])],
            ["a", "b"],
        ),
    ],
)
def test_a_bad_row_is_named(match, shapes, ids):
    """Each fault says what was needed, which rows, and what to do."""
    refused(match, layer(shapes, id=ids), id="id")


def test_six_bad_rows_are_shown_as_five_and_one_more():
    """A message names the first five rows and counts the rest; problems has all."""
    frame = layer([None] * 6 + [box(0, 0)], id=list("abcdefg"))
    problems = refused(r"rows 1, 2, 3, 4, 5 and 1 more have no geometry", frame, id="id")
    assert problems["row"].tolist() == [1, 2, 3, 4, 5, 6]


def test_swapped_axes_and_wrong_units_are_recognised():
    """Latitude before longitude, degrees called metres and metres called degrees are told so."""
    ottawa = shapely.box(-75.8, 45.3, -75.6, 45.5)
    turned = shapely.box(45.3, -75.8, 45.5, -75.6)
    degrees = gpd.GeoDataFrame({"id": ["a", "b"]}, geometry=[ottawa, turned], crs="EPSG:4326")
    problems = refused(r"Row 2 lies in Canada only when x and y are exchanged", degrees, id="id")
    assert problems["fault"].tolist() == ["swapped_axes"]
    as_metres = degrees.iloc[[0]].set_crs("EPSG:3347", allow_override=True)
    refused(r"coordinates of row 1 look like degrees.*crs=\"EPSG:4326\"", as_metres, id="id")
    as_degrees = areas().set_crs("EPSG:4269", allow_override=True)
    refused(r"rows 1, 2, 3 go beyond 360", as_degrees, id="area_id")
    turned_grid = areas().set_geometry(
        shapely.transform(areas().geometry.to_numpy(), lambda xy: xy[:, ::-1]), crs="EPSG:3347"
    )
    refused(r"Rows 1, 2, 3 lie in Canada only when x and y", turned_grid, id="area_id")


def test_places_outside_canada_are_refused():
    """A square in the Sahara is no service area."""
    frame = gpd.GeoDataFrame({"id": ["a"]}, geometry=[shapely.box(5, 20, 6, 21)], crs="EPSG:4326")
    refused("Row 1 lies outside Canada as WGS 84", frame, id="id")


def test_the_crs_is_needed_and_must_not_be_nad27():
    """No CRS, and NAD27, are refused by name before anything is computed."""
    with pytest.raises(CRSError):
        ServiceAreas.from_frame(areas().set_crs(None, allow_override=True), id="area_id")
    with pytest.raises(DatumError, match="NAD27"):
        frame = areas().set_crs("EPSG:26718", allow_override=True)
        ServiceAreas.from_frame(frame, id="area_id")


def test_columns_that_do_not_exist_get_a_suggestion():
    """The nearest column is named, whatever its accents and case."""
    frame = layer([box(0, 0)], WARD_NUM=["1"], NAME=["x"])
    with pytest.raises(AreaError, match=r"no column ward_no\. Nearest: WARD_NUM\. Columns: WARD_"):
        ServiceAreas.from_frame(frame, id="ward_no")
    with pytest.raises(AreaError, match=r"no column zzz\. Columns: "):
        ServiceAreas.from_frame(frame, group_by="zzz")


def test_bad_dates_are_refused():
    """A date that is none, one period backward, and two periods of one area are told."""
    frame = layer([box(0, 0), box(1, 0)], id=["a", "b"])
    frame["valid_from"], frame["valid_to"] = ["31/03/2019", "2022-01-01"], [None, "2021-01-01"]
    problems = refused(r"valid_from has 31/03/2019 in row 1\. .*it is later for b", frame, id="id")
    assert problems["fault"].tolist() == ["bad_dates", "dates_backward"]
    frame["valid_from"], frame["valid_to"] = ["2019-01-01", "2020-01-01"], None
    frame["city"] = "o"
    refused("rows of o bear different dates in valid_from", frame, group_by="city")


def test_what_is_no_layer_is_refused():
    """A plain frame, no rows, and an empty as_one are each refused."""
    with pytest.raises(AreaError, match="need to be a GeoDataFrame; DataFrame was given"):
        ServiceAreas.from_frame(pd.DataFrame({"id": [1]}), id="id")
    with pytest.raises(AreaError, match="there are no rows"):
        ServiceAreas.from_frame(areas().iloc[:0], id="area_id")
    with pytest.raises(AreaError, match=r"none is set; the columns are id\. Set one"):
        ServiceAreas.from_frame(gpd.GeoDataFrame({"id": [1]}), id="id")
    refused("column as_one is empty", areas(), as_one=" ")


# ------------------------------------------------------------------------------- sets of areas


def test_areas_of_several_sets():
    """Sets are put together in order; an id drawn twice is refused."""
    first = ServiceAreas.from_frame(areas(), id="area_id")
    other = ServiceAreas.from_frame(draw("x", id="area_id"), id="area_id")
    both = ServiceAreas.concat([first, other])
    assert both.ids.tolist() == ["1", "2", "3", "x"]
    assert both.frame.crs.to_epsg() == 3347
    with pytest.raises(AreaError, match="x are drawn twice or listed twice"):
        ServiceAreas.concat([first, other, other])
    with pytest.raises(AreaError, match="At least one service area"):
        ServiceAreas.concat([])


def test_some_areas_of_a_set():
    """Areas are selected in the order asked; an unknown id gets a suggestion."""
    found = ServiceAreas.from_frame(areas(), id="area_id")
    assert found.select(["3", "1"]).ids.tolist() == ["3", "1"]
    with pytest.raises(AreaError, match=r"no service area 11\. Nearest: 1"):
        found.select(["11"])


# ------------------------------------------------------------------------------- the census


def test_areas_outside_the_census_are_told():
    """An area in the town is clean, one half out of it is warned of, one beyond it is an error."""
    shapes = [box(0, 0, 200), box(-1, 0, 200), box(500, 500)]
    found = ServiceAreas.from_frame(layer(shapes, id=["in", "half", "out"]), id="id")
    report = found.against(census())
    assert [(f.check, f.severity, f.subject) for f in report] == [
        ("partly_outside", "warning", "half"),
        ("outside_census", "error", "out"),
    ]
    assert report.findings[0].value == pytest.approx(0.5)
    assert "50.0% of the surface of half" in report.findings[0].message
    assert "lipgeo census add" in report.findings[1].message


def test_a_census_without_polygons_cannot_hold_drawn_areas():
    """The report says that a boundary file is missing, not that every area is outside."""
    frames = {"DA": pd.DataFrame({"unit_id": ["35060001"]})}
    bare = Census(MemoryCensus(2021, frames, {}))
    report = ServiceAreas.from_frame(areas(), id="area_id").against(bare)
    assert [f.check for f in report] == ["no_polygons"]


def test_invalid_census_polygons_count_with_their_surface():
    """A block drawn as a bow-tie covers both its wings."""
    frames = {"DB": pd.DataFrame({"unit_id": ["35060001001"], "DA": ["35060001"]})}
    one = Census(MemoryCensus(2021, frames, {"DB": np.array([BOW_TIE], dtype=object)}))
    inside = shapely.Polygon([(WEST, SOUTH), (WEST, SOUTH + 200), (WEST + 100, SOUTH + 100)])
    found = ServiceAreas.from_frame(layer([inside], id=["a"]), id="id")
    assert len(found.against(one)) == 0


@pytest.mark.realdata
def test_calgary_s_fourteen_wards_are_one_city(realdata):
    """Its .prj names no EPSG code; the wards are fourteen areas, or one of the same surface."""
    wards = gpd.read_file(realdata / "calgary_2021" / "wards")
    each = ServiceAreas.from_frame(wards, id="ward_num", name_en="label")
    assert sorted(each.ids, key=int) == [str(n) for n in range(1, 15)]
    city = ServiceAreas.from_frame(wards, as_one="ab-calgary")
    assert city.report.only("merged").findings[0].message == (
        "ab-calgary is the union of 14 rows: 1 part, 0 holes."
    )
    assert city.frame.area.sum() == pytest.approx(each.frame.area.sum(), rel=1e-6)


@pytest.mark.realdata
def test_ottawa_s_neighbourhoods_and_wards(realdata):
    """116 neighbourhoods find their own id; wards are grouped by sector; two names each."""
    found = ServiceAreas.from_frame(gpd.read_file(realdata / "ottawa_2021/neighbourhoods.gpkg"))
    assert len(found) == 116
    assert found.report.only("id_taken").findings[0].subject == "ONS_ID"
    wards = gpd.read_file(realdata / "ottawa_2021" / "wards")
    each = ServiceAreas.from_frame(wards, id="WARD", name_en="NAME", name_fr="NAME_FR")
    assert each.frame.loc["23", ["name_en", "name_fr"]].tolist() == ["Kanata South", "Kanata-Sud"]
    sectors = ServiceAreas.from_frame(wards, group_by="SECTOR_EN")
    assert sectors.ids.tolist() == ["Urban", "Suburban", "Rural"]
    assert sectors.frame.area.sum() == pytest.approx(each.frame.area.sum(), rel=1e-6)
