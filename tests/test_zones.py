"""Zones: what stops a layer at the door, what its pre-flight report finds, what repair changes."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shapely.affinity import scale, translate
from toytown import CELL_M, ORIGIN, areas, blocks, census, draw

from lipgeo.errors import CRSError, DatumError, ZoneError
from lipgeo.words import speaking
from lipgeo.zones import Zones, check_layer
from lipgeo.zones.validity import make_valid_polygons, polygon_parts

X, Y = ORIGIN
BOW_TIE = shapely.Polygon([(X, Y), (X + 200, Y + 200), (X + 200, Y), (X, Y + 200)])


def checks(report) -> list[str]:
    """Name what a report found."""
    return [finding.check for finding in report]


def layer(*shapes, ids=None, crs="EPSG:3347", **columns) -> gpd.GeoDataFrame:
    """Make a frame of shapes with ids a, b, c ..."""
    ids = ids if ids is not None else list("abcdefgh")[: len(shapes)]
    return gpd.GeoDataFrame({"id": ids, **columns}, geometry=list(shapes), crs=crs)


def cell(column: float, row: float, width: float = 1, height: float = 1) -> shapely.Polygon:
    """Draw a box in units of the toy town's squares."""
    x, y = X + column * CELL_M, Y + row * CELL_M
    return shapely.box(x, y, x + width * CELL_M, y + height * CELL_M)


def pairs(report) -> set[frozenset[str]]:
    """Name the pairs that overlap."""
    return {frozenset(finding.subject.split(";")) for finding in report.only("overlap")}


# --- the door ------------------------------------------------------------------------------------


def test_a_frame_becomes_zones():
    """Ids, polygons, counts and other columns come in, in order; the frame stays as it is."""
    frame = blocks()
    before = frame.copy(deep=True)
    zones = Zones.from_frame(frame, id="zone_id")
    pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(before))
    assert zones.ids.tolist() == list("abcdefghijkl")
    assert zones.data.index.name == "zone_id"
    assert zones.data["population"].sum() == 1000
    assert zones.data.columns.tolist() == ["population", "dwellings"]
    assert zones.crs.to_epsg() == 3347
    assert repr(zones) == "<Zones: 12 in NAD83 / Statistics Canada Lambert>"
    assert zones.boxes.shape == (12, 4)
    back = Zones.from_frame(zones.frame)
    assert (back.ids == zones.ids).all()
    assert shapely.equals_exact(back.geometry, zones.geometry).all()
    assert not len(zones.check()), "the toy town is without fault"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([1, 2], ["1", "2"]),
        ([3506.0, 35.5], ["3506", "35.5"]),
        (["005", " 7 "], ["005", "7"]),
        ([np.int64(10), "5050125.00"], ["10", "5050125.00"]),
    ],
)
def test_ids_become_text(given, text):
    """A spreadsheet's 3506.0 is 3506; text is left alone, zeros and all."""
    assert Zones.from_frame(layer(cell(0, 0), cell(1, 0), ids=given), id="id").ids.tolist() == text


def test_the_index_serves_as_id():
    """Without a column named, the index holds the ids."""
    frame = layer(cell(0, 0), cell(1, 0)).set_index("id")
    assert Zones.from_frame(frame).ids.tolist() == ["a", "b"]


def test_no_such_column():
    """The message lists the columns there are."""
    with pytest.raises(
        ZoneError, match=r'no column "GEOID".*it has zone_id, population, dwelli.*--id'
    ):
        Zones.from_frame(blocks(), id="GEOID")


def test_all_problems_of_a_layer_are_told_at_once():
    """Missing and duplicate ids, points, lines and bad counts: one error, one row each."""
    frame = layer(
        cell(0, 0), cell(1, 0), cell(2, 0), shapely.Point(X, Y),
        shapely.LineString([(X, Y), (X, Y + 1)]), cell(3, 0), cell(4, 0),
        ids=["a", "a", None, "d", "e", " ", "g"],
        population=[1, 2, 3, 4, 5, -6, None],
        dwellings=["1", "2", "3", "4", "5", "6", "many"],
    )  # fmt: skip
    with pytest.raises(ZoneError) as caught:
        Zones.from_frame(frame, id="id")
    message = str(caught.value)
    for part in (
        "Each zone needs an id, and rows 3, 6 have none",
        "these stand more than once: a. Give each zone its own id",
        "need to be polygons; rows 4, 5 (ids d, e) are LineString, Point",
        "dwellings, population have something else in rows 6, 7 (ids g)",
    ):
        assert part in message
    assert caught.value.problems.groupby("problem")["row"].agg(list).to_dict() == {
        "missing_id": [3, 6],
        "duplicate_id": [1, 2],
        "not_a_polygon": [4, 5],
        "not_a_count": [6, 7],
    }


def test_long_lists_are_cut():
    """Five rows are named, the others counted."""
    frame = layer(*[shapely.Point(X + i, Y) for i in range(8)])
    with pytest.raises(ZoneError, match="rows 1, 2, 3, 4, 5 and 3 more"):
        Zones.from_frame(frame, id="id")


def test_missing_polygons_stay_and_are_told():
    """A unit without a polygon is a zone without area, never dropped in silence."""
    zones = Zones.from_frame(layer(cell(0, 0), None, shapely.Polygon()), id="id")
    assert [shape is None for shape in zones.geometry] == [False, True, True]
    assert np.isnan(zones.boxes[1:]).all()
    found = zones.check().only("no_geometry")
    assert [finding.subject for finding in found] == ["b", "c"]
    assert found.worst == "warning"


def test_of_a_collection_the_polygons_are_taken():
    """What some tools write after an intersection: polygons count, a line beside them is noted."""
    line = shapely.LineString([(X, Y), (X + 1, Y)])
    mixed = shapely.GeometryCollection(
        [cell(0, 0), shapely.MultiPolygon([cell(2, 0), cell(4, 0)]), line]
    )
    zones = Zones.from_frame(layer(mixed), id="id")
    assert zones.geometry[0].geom_type == "MultiPolygon"
    assert zones.geometry[0].area == 3 * CELL_M**2
    assert checks(zones.report) == ["collection"]
    with pytest.raises(ZoneError, match=r"rows 2 \(ids b\) are GeometryCollection"):
        Zones.from_frame(layer(mixed, shapely.GeometryCollection([line])), id="id")


def test_parts_of_a_nested_collection_that_overlap_are_one():
    """Overlapping parts give a valid polygon, not a multipolygon that counts area twice."""
    nested = shapely.GeometryCollection(
        [shapely.GeometryCollection([cell(0, 0, 2)]), cell(1, 0, 2)]
    )
    taken = polygon_parts(np.array([nested, None, shapely.Point(0, 0)], dtype=object))
    assert taken[0].is_valid
    assert taken[0].area == 3 * CELL_M**2
    assert taken[1] is None
    assert taken[2] is None


def test_a_geographic_layer_is_brought_to_the_grid():
    """Degrees never measure areas; long edges stay where they were drawn."""
    frame = layer(shapely.box(-80, 44, -75, 46), crs="EPSG:4326")
    zones = Zones.from_frame(frame, id="id")
    assert zones.crs.to_epsg() == 3347
    assert shapely.get_num_coordinates(zones.geometry[0]) > 50
    assert checks(zones.report) == ["datum", "to_grid"]
    with pytest.raises(CRSError, match="never in degrees"):
        Zones(["a"], [shapely.box(-80, 44, -75, 46)], "EPSG:4326")


def test_a_projected_layer_keeps_its_system():
    """Zones of another projection are overlaid in it, and can be brought to the grid."""
    frame = areas().to_crs("EPSG:2951")
    zones = Zones.from_frame(frame, id="area_id")
    assert zones.crs.to_epsg() == 2951
    assert checks(zones.report) == ["datum"]
    moved = zones.to_grid()
    assert moved.crs.to_epsg() == 3347
    assert shapely.equals_exact(
        moved.geometry, np.asarray(areas().geometry.array, dtype=object), tolerance=1e-3
    ).all()


def test_no_system_and_nad27_stop_at_the_door():
    """The datum rule holds for zones, whichever way they are made."""
    with pytest.raises(CRSError, match="came without one"):
        Zones.from_frame(layer(cell(0, 0), crs=None), id="id")
    with pytest.raises(CRSError, match="came without one"):
        Zones(["a"], [cell(0, 0)], None)
    with pytest.raises(DatumError, match="NAD27"):
        Zones.from_frame(layer(shapely.box(4e5, 4.9e6, 5e5, 5e6), crs="EPSG:26717"), id="id")


def test_the_constructor_wants_ids():
    """Missing and duplicate ids are refused there too."""
    with pytest.raises(ZoneError, match="these stand more than once: a"):
        Zones(["a", "a"], [cell(0, 0), cell(1, 0)], 3347)
    with pytest.raises(ZoneError, match="rows 2 have none"):
        Zones(["a", None], [cell(0, 0), cell(1, 0)], 3347)
    assert Zones([1.0], [cell(0, 0)], 3347).ids.tolist() == ["1"]


OTTAWA = shapely.box(-75.8, 45.3, -75.6, 45.5)
LATITUDE_FIRST = shapely.box(45.3, -75.8, 45.5, -75.6)
NORTHING_FIRST = shapely.Polygon([(y, x) for x, y in cell(0, 0, 10, 10).exterior.coords])


@pytest.mark.parametrize(
    ("shape", "crs", "message", "problem"),
    [
        (LATITUDE_FIRST, "EPSG:4326", "x and y are exchanged", "swapped_axes"),
        (NORTHING_FIRST, "EPSG:3347", "x and y are exchanged", "swapped_axes"),
        (OTTAWA, "EPSG:3347", "look like degrees", "degrees_as_metres"),
        (LATITUDE_FIRST, "EPSG:2951", "look like degrees", "degrees_as_metres"),
        (cell(0, 0), "EPSG:4326", "go beyond 360", "metres_as_degrees"),
    ],
)  # fmt: skip
def test_swapped_axes_and_wrong_units_are_told(shape, crs, message, problem):
    """Latitude first, northing first, degrees called metres, metres called degrees."""
    good = {"EPSG:4326": OTTAWA, "EPSG:3347": cell(5, 5)}.get(
        crs, shapely.box(360e3, 5.02e6, 361e3, 5.03e6)
    )
    frame = layer(good, shape, crs=crs)
    with pytest.raises(ZoneError, match=message) as caught:
        Zones.from_frame(frame, id="id")
    assert caught.value.problems[["row", "problem"]].to_numpy().tolist() == [[2, problem]]
    assert problem in checks(check_layer(frame, "id"))


def test_a_layer_from_elsewhere_is_no_error_but_is_told():
    """Paris is neither swapped nor refused; the report says it is outside Canada."""
    zones = Zones.from_frame(layer(shapely.box(2.2, 48.8, 2.4, 48.9), crs="EPSG:4326"), id="id")
    assert "outside_canada" in checks(zones.check())


# --- the pre-flight report -----------------------------------------------------------------------


def test_invalid_polygons_are_reported_with_the_reason():
    """A bow-tie is an error, named with its reason."""
    zones = Zones(["a", "b"], [cell(9, 9), BOW_TIE], 3347)
    found = zones.check().only("invalid")
    assert len(found) == 1
    assert "Self-intersection" in found.findings[0].message
    assert found.worst == "error"
    assert found.findings[0].subject == "b"


def test_equal_polygons_under_two_ids():
    """The same outline twice, started at another corner, is found once, with all its ids."""
    turned = shapely.Polygon(np.roll(cell(0, 0).exterior.coords[:-1], 2, axis=0))
    report = Zones(["a", "b", "c"], [cell(0, 0), cell(5, 5), turned], 3347).check()
    assert [(f.check, f.message) for f in report] == [
        ("duplicate_geometry", "The zones a, c have the same polygon.")
    ]


def test_one_outline_drawn_with_more_points_is_an_overlap():
    """Not the same polygon to the letter, but all of the smaller lies in the other."""
    found = Zones(["a", "b"], [cell(0, 0), shapely.segmentize(cell(0, 0), 50)], 3347).check()
    assert checks(found) == ["overlap"]
    assert found.findings[0].value == pytest.approx(1.0)


def test_overlaps_are_pairs_with_the_share_of_the_smaller():
    """Half of the small zone lies in the large one; touching neighbours are no overlap."""
    zones = Zones(
        ["big", "small", "next"], [cell(0, 0, 4, 4), cell(3, 1, 2, 1), cell(0, 4, 4, 1)], 3347
    )
    report = zones.check()
    assert checks(report) == ["overlap"]
    found = report.findings[0]
    assert found.subject == "big;small"
    assert found.value == pytest.approx(0.5)
    assert found.severity == "warning"
    # 0.0100 km2 on the conformal grid are 0.0097 on the ground
    assert "50.00% of the smaller one, 0.00970 km²" in found.message


def test_a_zone_inside_another_is_an_overlap():
    """Containment touches no outline, and is found all the same."""
    found = Zones(["big", "in"], [cell(0, 0, 9, 9), cell(3, 3)], 3347).check().only("overlap")
    assert found.findings[0].value == pytest.approx(1.0)


def test_slivers_are_notes():
    """Strips of a metre are told apart from overlaps and gaps that mean something."""
    overlap = Zones(["a", "b"], [cell(0, 0, 1.01, 1), cell(1, 0)], 3347).check()
    assert checks(overlap) == ["sliver"]
    ring = [cell(0, 0, 3, 1), cell(0, 1, 1, 1), cell(1.02, 1, 2, 1), cell(0, 2, 3, 1)]
    gap = Zones(list("abcd"), ring, 3347).check()
    assert checks(gap) == ["sliver"]
    strip = shapely.MultiPolygon([cell(0, 0), cell(5, 5, 0.01, 1)])
    part = Zones(["a"], [strip], 3347).check()
    assert checks(part) == ["sliver"]
    for report in (overlap, gap, part):
        assert report.ok


def test_gaps_are_holes_between_zones():
    """A square left out among its neighbours is a gap; a lake of many square kilometres is not."""
    frame = draw("aab\nc.b\ncdd")
    report = Zones.from_frame(frame, id="zone_id").check()
    assert checks(report) == ["gap"]
    assert report.findings[0].value == pytest.approx(0.0097, abs=1e-4)
    lake = draw("aab\nc.b\ncdd", cell_m=5000)
    zones = Zones.from_frame(lake, id="zone_id")
    assert not len(zones.check())
    assert checks(zones.check(gap_max_km2=30)) == ["gap"]


def test_an_island_inside_a_hole_is_no_gap():
    """Only the ring of water around the island is missing."""
    frame = draw("aaaaa\na...a\na.b.a\na...a\naaaaa")
    report = Zones.from_frame(frame, id="zone_id").check()
    assert checks(report) == ["gap"]
    assert report.findings[0].value == pytest.approx(8 * 0.0097, abs=1e-3)
    corner = draw("aaaaa\na...a\na...a\na...a\naaaaa").geometry[0]
    touching = shapely.Polygon([(X + 100, Y + 100), (X + 200, Y + 150), (X + 150, Y + 200)])
    found = Zones(["a", "b"], [corner, touching], 3347).check()
    assert checks(found) == ["gap"]
    assert found.findings[0].value == pytest.approx(0.97 * (0.09 - touching.area / 1e6), abs=1e-4)


BOXES = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 5), st.integers(1, 5)),
    min_size=1,
    max_size=9,
)


@settings(max_examples=50, deadline=None)
@given(BOXES)
def test_overlaps_equal_the_slow_way(boxes):
    """Every pair that shares area, and no other, is reported with its share."""
    shapes = [cell(*box) for box in boxes]
    ids = [str(i) for i in range(len(shapes))]
    expected = {}
    for i, one in enumerate(shapes):
        for j in range(i + 1, len(shapes)):
            shared = one.intersection(shapes[j]).area
            if shared and not one.equals(shapes[j]):
                expected[f"{i};{j}"] = shared / min(one.area, shapes[j].area)
    found = Zones(ids, shapes, 3347).check().only("overlap")
    assert {f.subject: f.value for f in found} == pytest.approx(expected)


def test_census_zones_are_checked_and_repaired_like_any():
    """A census level reads its polygons when they are looked at."""
    zones = census().zones("DB")
    assert not len(zones.check())
    fixed, report = zones.repair()
    assert (fixed.level, fixed.vintage, len(report)) == ("DB", 2021, 0)
    assert shapely.is_valid(zones.geometry).all()
    assert repr(zones) == "<Zones: 12 in DB 2021>"


def test_a_layer_is_looked_at_as_it_came():
    """No system, a bow-tie, a duplicate id, a point, nothing: every fault in one report."""
    frame = layer(
        cell(0, 0), BOW_TIE, shapely.Point(X, Y), None, cell(7, 7),
        ids=["a", "a", "c", None, "e"], crs=None,
    )  # fmt: skip
    report = check_layer(frame, "id")
    assert checks(report.only(severity="error")) == [
        "crs", "missing_id", "duplicate_id", "duplicate_id", "not_a_polygon", "invalid",
    ]  # fmt: skip
    assert "#4" in [finding.subject for finding in report]
    assert len(report.only("overlap")) == 1, "the repaired bow-tie covers half of a"
    assert not len(check_layer(areas(), "area_id"))
    geographic = check_layer(areas().to_crs(4326), "area_id")
    assert checks(geographic) == ["datum"]


def test_reports_speak_french():
    """Findings come from the catalogue."""
    with speaking("fr"):
        report = Zones(["a", "b"], [cell(0, 0, 2, 2), cell(1, 1, 2, 2)], 3347).check()
        assert "se chevauchent" in report.findings[0].message
        with pytest.raises(ZoneError, match=r"polygones, et certaines ne le sont pas \(lignes 1"):
            Zones.from_frame(layer(shapely.Point(X, Y)), id="id")


# --- repair --------------------------------------------------------------------------------------


def test_repair_says_what_changed():
    """A bow-tie keeps both lobes, a hole outside its shell what was left; the others stay."""
    hole_outside = shapely.Polygon(
        cell(20, 20, 4, 4).exterior.coords, [cell(23, 21, 2, 1).exterior.coords]
    )
    zones = Zones(["a", "b", "c"], [cell(9, 9), BOW_TIE, hole_outside], 3347)
    fixed, report = zones.repair()
    assert shapely.is_valid(fixed.geometry).all()
    assert fixed.geometry[0] is zones.geometry[0]
    assert fixed.geometry[1].area == pytest.approx(20_000)
    assert fixed.geometry[2].area == pytest.approx(15 * CELL_M**2)
    assert [(f.subject, f.check) for f in report] == [("b", "repaired"), ("c", "repaired")]
    assert report.findings[0].value == pytest.approx(1.0)
    assert report.findings[1].value == pytest.approx(1 / 15)
    assert "Self-intersection" in report.findings[0].message
    assert not zones.geometry[1].is_valid, "what is given stays as it is"
    assert len(fixed.repair()[1]) == 0


def test_a_zone_without_area_is_not_lost():
    """A polygon folded onto a line keeps its row and id, and the report calls it an error."""
    flat = shapely.Polygon([(X, Y), (X + 10, Y), (X + 5, Y)])
    fixed, report = Zones(["a"], [flat], 3347).repair()
    assert fixed.ids.tolist() == ["a"]
    assert fixed.geometry[0] is None
    assert checks(report) == ["repaired_away"]
    assert report.worst == "error"


RINGS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=3, max_size=9)


@settings(max_examples=100, deadline=None)
@given(st.lists(RINGS, min_size=1, max_size=5))
@example([[(1, 1), (1, 0), (0, 0), (1, 1), (0, 1), (0, 0)]])  # GEOS leaves it invalid
def test_repair_gives_polygons_and_touches_no_valid_one(rings):
    """Whatever the ring: valid polygons or nothing, valid ones untouched, change in [0, 1]."""
    shapes = np.array([shapely.Polygon(ring) for ring in rings], dtype=object)
    fixed, changed, change = make_valid_polygons(shapes)
    assert (changed == ~shapely.is_valid(shapes)).all()
    assert np.isin(shapely.get_type_id(fixed), (-1, 3, 6)).all()
    assert (shapely.is_valid(fixed) | shapely.is_missing(fixed)).all()
    assert all(fixed[row] is shapes[row] for row in np.flatnonzero(~changed))
    assert ((change >= 0) & (change <= 1)).all()
    assert (change[~changed] == 0).all()


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(12)), st.integers(-50, 50))
def test_order_and_place_do_not_change_the_report(order, step):
    """Reordering and shifting the zones changes no finding but its place."""
    frame = blocks()
    frame.loc[3, "geometry"] = scale(frame.geometry[3], 1.5, 1.5)
    expected = Zones.from_frame(frame, id="zone_id").check()
    moved = frame.iloc[order].copy()
    moved["geometry"] = [translate(shape, step * CELL_M, step * CELL_M) for shape in moved.geometry]
    found = Zones.from_frame(moved, id="zone_id").check()
    assert pairs(found) == pairs(expected)
    assert sorted(f.value for f in found) == pytest.approx(
        sorted(f.value for f in expected), rel=1e-3
    )


# --- real data -----------------------------------------------------------------------------------


@pytest.mark.realdata
def test_official_blocks_are_repaired_without_loss(realdata):
    """Ten Ottawa blocks are invalid as published; repair changes their area by next to nothing."""
    frame = gpd.read_file(realdata / "ottawa_2021" / "ldb_000b21a_e.zip")
    zones = Zones.from_frame(frame, id="DBUID")
    fixed, report = zones.repair()
    assert len(report) == 10
    assert max(finding.value for finding in report) < 1e-3
    assert shapely.is_valid(fixed.geometry).all()


@pytest.mark.realdata
def test_published_neighbourhoods_pass_the_door(realdata):
    """116 neighbourhoods in degrees come to the grid; the report is of overlaps and gaps."""
    frame = gpd.read_file(realdata / "ottawa_2021" / "neighbourhoods.gpkg")
    report = Zones.from_frame(frame, id="ONS_ID").check()
    assert set(checks(report)) <= {"datum", "to_grid", "overlap", "gap", "sliver", "invalid"}


def test_a_table_without_polygons_is_named():
    """A plain DataFrame, or a geometry column that is not set, is refused in words."""
    with pytest.raises(ZoneError, match=r"need a GeoDataFrame.*DataFrame was given"):
        Zones.from_frame(pd.DataFrame({"ID": [1]}), id="ID")
    with pytest.raises(ZoneError, match=r"frame.set_geometry"):
        Zones.from_frame(gpd.GeoDataFrame({"ID": [1]}), id="ID")
