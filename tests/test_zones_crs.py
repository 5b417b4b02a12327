"""The datum rule, and the way from a drawn edge to the census grid."""

from __future__ import annotations

import re

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj.transformer import TransformerGroup
from toytown import draw

from lipgeo.errors import CRSError, DatumError
from lipgeo.words import speaking
from lipgeo.zones.crs import (
    STATCAN_LAMBERT,
    accept_crs,
    area_km2,
    lonlat,
    on_grid,
    require_same_projected,
    same_crs,
    to_grid,
)

#: as published by the City of Calgary: no code, a datum named its own way
CALGARY_PRJ = (
    'GEOGCS["WGS84(DD)", DATUM["WGS84", SPHEROID["WGS84", 6378137.0, 298.257223563]], '
    'PRIMEM["Greenwich", 0.0], UNIT["degree", 0.017453292519943295], '
    'AXIS["Geodetic longitude", EAST], AXIS["Geodetic latitude", NORTH]]'
)
ESRI_PRJ = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)
#: as Statistics Canada's own files have it
STATCAN_PRJ = (
    'PROJCS["NAD_1983_Statistics_Canada_Lambert",GEOGCS["GCS_North_American_1983",'
    'DATUM["D_North_American_1983",SPHEROID["GRS_1980",6378137.0,298.257222101]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Lambert_Conformal_Conic"],PARAMETER["False_Easting",6200000.0],'
    'PARAMETER["False_Northing",3000000.0],PARAMETER["Central_Meridian",-91.8666666666667],'
    'PARAMETER["Standard_Parallel_1",49.0],PARAMETER["Standard_Parallel_2",77.0],'
    'PARAMETER["Latitude_Of_Origin",63.390675],UNIT["Meter",1.0]]'
)
UNNAMED_CSRS_PRJ = pyproj.CRS("EPSG:2958").to_wkt("WKT1_ESRI").replace("UTM_Zone_17N", "Mine")


@pytest.mark.parametrize(
    ("crs", "datum", "accuracy_m"),
    [
        ("EPSG:2951", "NAD83(CSRS)", 2.0),
        ("EPSG:2952", "NAD83(CSRS)", 2.0),
        ("EPSG:2955", "NAD83(CSRS)", 2.0),
        ("EPSG:2957", "NAD83(CSRS)", 2.0),
        ("EPSG:2958", "NAD83(CSRS)", 2.0),
        ("EPSG:3158", "NAD83(CSRS)", 2.0),
        ("EPSG:3153", "NAD83(CSRS)", 2.0),
        ("EPSG:3348", "NAD83(CSRS)", 2.0),
        ("EPSG:8237", "NAD83(CSRS)", 2.0),  # NAD83(CSRS)v2
        ("EPSG:22717", "NAD83(CSRS)", 2.0),  # NAD83(CSRS)v7 / UTM zone 17N
        ("EPSG:3347", "NAD83", 0.0),
        ("EPSG:4269", "NAD83", 0.0),
        ("EPSG:26917", "NAD83", 0.0),
        ("ESRI:102001", "NAD83", 0.0),
        ("EPSG:6318", "NAD83", 2.0),  # NAD83(2011)
        ("EPSG:4326", "WGS84", 4.0),
        ("OGC:CRS84", "WGS84", 4.0),
        ("EPSG:4979", "WGS84", 4.0),  # with heights
        ("EPSG:9055", "WGS84", 4.0),  # WGS 84 (G1150)
        ("EPSG:3857", "WGS84", 4.0),
        ("EPSG:6893", "WGS84", 4.0),  # compound
        ("+proj=utm +zone=17 +datum=NAD83", "NAD83", 0.0),
        (CALGARY_PRJ, "WGS84", 4.0),
        (ESRI_PRJ, "WGS84", 4.0),
        (STATCAN_PRJ, "NAD83", 0.0),
        (UNNAMED_CSRS_PRJ, "NAD83(CSRS)", 2.0),
    ],
)
def test_three_datums_are_accepted_with_their_accuracy(crs, datum, accuracy_m):
    """NAD83, NAD83(CSRS) and WGS84 pass, however written; what is uncertain is a note."""
    accepted = accept_crs(crs)
    assert [found.value for found in accepted.report] == [accuracy_m] * (accuracy_m > 0)
    assert len(accepted.crs.axis_info) == 2
    assert accepted.report.ok
    for finding in accepted.report:
        assert datum in finding.message
        assert f"{accuracy_m:.0f} m" in finding.message


@pytest.mark.parametrize("crs", ["EPSG:26717", "EPSG:4267", "EPSG:4609", "EPSG:2031"])
def test_nad27_is_refused_by_name(crs):
    """NAD27, also as readjusted in Quebec and Ontario, needs grids that the wheels do not carry."""
    with pytest.raises(
        DatumError, match=r"on NAD27 \(.*27.*\).*Reproject it to EPSG:3347"
    ) as caught:
        accept_crs(crs)
    assert pyproj.CRS(crs).name in str(caught.value)


@pytest.mark.parametrize(
    ("crs", "datum"),
    [
        ("EPSG:2039", "Israel 1993"),
        ("EPSG:4258", "European Terrestrial Reference System 1989"),
        ("EPSG:4322", "World Geodetic System 1972"),
        ("+proj=utm +zone=17 +ellps=GRS80", "Unknown based on GRS 1980"),
    ],
)
def test_any_other_datum_is_refused_by_name(crs, datum):
    """The message names the datum that came, and the three that serve."""
    with pytest.raises(DatumError, match=f"NAD83.*WGS84.*{datum}.*--crs EPSG:4326"):
        accept_crs(crs)


def test_a_name_its_ellipsoid_denies_is_refused():
    """A datum called NAD83 on Clarke's ellipsoid of 1866 is neither."""
    lie = ESRI_PRJ.replace("D_WGS_1984", "NAD83").replace(
        "6378137.0,298.257223563", "6378206.4,294.98"
    )
    with pytest.raises(DatumError, match='datum "NAD83" but gives the ellipsoid'):
        accept_crs(lie)


@pytest.mark.parametrize(
    ("crs", "message"),
    [
        (None, "came without one.*--crs EPSG:4326"),
        ("metres", '"metres" was given and cannot be read'),
        ("EPSG:7789", "ITRF2014.*Geocentric"),
        ('LOCAL_CS["drawing"]', '"drawing" .Engineering CRS.'),
    ],
)
def test_no_map_no_way(crs, message):
    """No system, an unreadable one and one without a map are told apart."""
    with pytest.raises(CRSError, match=message):
        accept_crs(crs)


def test_messages_speak_french():
    """The datum rule explains itself in French too."""
    with speaking("fr"), pytest.raises(DatumError, match="doit reposer sur le NAD83"):
        accept_crs("EPSG:26717")


@pytest.mark.parametrize(("code", "accuracy_m"), [(4326, 4.0), (4617, 2.0)])
def test_stated_accuracies_are_the_registry_s(code, accuracy_m):
    """The metres of the report are those the EPSG registry gives for the way to NAD83 in Canada."""
    registry = TransformerGroup(code, 4269, always_xy=True).transformers[0].accuracy
    assert registry == accept_crs(code).report.findings[0].value == accuracy_m


@pytest.mark.parametrize("code", [2951, 2952, 2955, 2957, 2958, 3158, 3153, 4269, 4326, 3857, 8255])
def test_points_go_where_proj_puts_them(code):
    """Without grids PROJ's own way gives the same metres, to less than a micrometre."""
    crs = pyproj.CRS(code)
    degrees = np.array([[-114.07, 51.05], [-75.7, 45.4], [-68.5, 63.75], [-52.7, 47.6]])
    out = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    points = shapely.points(np.column_stack(out.transform(*degrees.T)))
    there = pyproj.Transformer.from_crs(crs, STATCAN_LAMBERT, always_xy=True)
    expected = np.column_stack(there.transform(shapely.get_x(points), shapely.get_y(points)))
    assert np.abs(expected - shapely.get_coordinates(to_grid(points, crs))).max() < 1e-6


def test_the_way_to_the_grid_does_not_depend_on_grids_installed():
    """NAD83(HARN) to NAD83 has a published shift of a metre; coordinates are taken unchanged."""
    point = shapely.points([[-120.0, 48.5]])
    assert shapely.equals_exact(to_grid(point, 4152), to_grid(point, 4269), 1e-6).all()


def test_grid_coordinates_stay_as_they_are():
    """EPSG:3347, its CSRS twin and Statistics Canada's own .prj need no projection at all."""
    town = np.asarray(draw("ab\nba").geometry.array, dtype=object)
    for crs in ("EPSG:3347", "EPSG:3348", STATCAN_PRJ):
        assert on_grid(crs)
        assert (shapely.to_wkb(to_grid(town, crs)) == shapely.to_wkb(town)).all()
    assert not on_grid("ESRI:102001")
    assert not on_grid("ESRI:102002")  # the same parallels, another origin
    assert not on_grid("EPSG:4326")


def departure(
    edge: shapely.LineString, crs: int, result: shapely.LineString, steps: int = 20_000
) -> float:
    """Walk the drawn edge in many steps, and measure how far each lies from the result."""
    steps = np.linspace(0, 1, steps + 1)
    walked = shapely.points(
        shapely.get_coordinates(shapely.line_interpolate_point(edge, steps, normalized=True))
    )
    return float(shapely.distance(to_grid(walked, crs), result).max())


def test_an_edge_that_leaves_the_projection_is_refused():
    """An edge past the pole of Lambert's cone jumps: no number of points makes it a line."""
    whole = shapely.box(7_400_000, 1_190_000, 7_410_000, 1_200_000)
    torn = shapely.Polygon([(0, 1_197_414), (7_445_789, 1_197_418), (7_445_245, 34_119_755)])
    for shapes, rows in (([whole, torn], [2]), ([torn, whole, torn], [1, 3])):
        with pytest.raises(CRSError) as caught:
            area_km2(shapes, 3347)
        assert caught.value.key == "zones.torn"
        assert caught.value.problems["row"].tolist() == rows


@pytest.mark.parametrize("sagitta_m", [0.1, 1.0, 50.0])
def test_a_parallel_of_500_km_stays_within_the_sagitta(sagitta_m):
    """The chord of the 49th parallel departs by kilometres; the points added bring it to 1 m."""
    edge = shapely.LineString([(-101.0, 49.0), (-94.15, 49.0)])
    chord = shapely.LineString(shapely.get_coordinates(to_grid(shapely.points(edge.coords), 4326)))
    assert chord.length == pytest.approx(500_000, rel=0.02)
    assert departure(edge, 4326, chord) > 4_000
    bent = to_grid([edge], 4326, sagitta_m)[0]
    assert departure(edge, 4326, bent) <= sagitta_m
    # as few as serve: half as many would not do
    assert departure(edge, 4326, shapely.LineString(bent.coords[::2])) > sagitta_m


ENDS = st.tuples(st.floats(-140, -53), st.floats(42, 83))


@settings(max_examples=50, deadline=None)
@given(ENDS, ENDS)
def test_no_edge_departs_and_both_ways_give_the_same_points(start, end):
    """Any edge in Canada stays within 1 m, and drawn backwards gets bit for bit the same points."""
    edge = shapely.LineString([start, end])
    there, back = to_grid([edge, edge.reverse()], 4326)
    assert there.coords[:] == back.coords[::-1]
    assert departure(edge, 4326, there, steps=3_000) <= 1.0


@pytest.mark.parametrize("code", [3857, 2958, 3153])
def test_edges_straight_on_another_map_bend_too(code):
    """A long edge of a projected layer is straight in its own system, not on the grid."""
    crs = pyproj.CRS(code)
    ends = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform([-84, -77], [43, 51])
    edge = shapely.LineString(np.column_stack(ends))
    assert departure(edge, code, to_grid([edge], code)[0]) <= 1.0


def test_neighbours_of_long_edges_still_share_them():
    """Two provinces drawn as boxes, in opposite directions, are a valid coverage on the grid."""
    west = shapely.box(-110, 49, -101.36, 60)
    east = shapely.box(-101.36, 49, -89, 60).reverse()
    assert shapely.coverage_is_valid(to_grid([west, east], 4326))


def test_holes_parts_and_kinds_survive():
    """Rings, parts, lines, points and nested collections come out as they went in, with points."""
    shell = shapely.box(-110, 49, -100, 60)
    holed = shapely.difference(shell, shapely.box(-108, 50, -102, 58))
    parts = shapely.multipolygons([holed, shapely.box(-98, 49, -97, 50), shapely.Polygon()])
    lines = shapely.multilinestrings([[(-98, 49), (-90, 49)], [(-98, 50), (-97.999, 50)]])
    mixed = shapely.geometrycollections(
        [parts, lines, shapely.Point(-98, 49), shapely.MultiPoint([(-80, 45), (-81, 45)])]
    )
    tiny = shapely.box(-98, 49, -97.999, 49.001)
    given_ = np.array(
        [shell, holed, parts, lines, mixed, tiny, None, shapely.Polygon()], dtype=object
    )
    result = to_grid(given_, 4326)
    assert (shapely.get_type_id(result) == shapely.get_type_id(given_)).all()
    assert shapely.get_num_interior_rings(result[1]) == 1
    assert shapely.get_num_geometries(result[2]) == 2
    assert shapely.get_num_geometries(result[4]) == 4
    assert shapely.equals_exact(result[3], shapely.get_geometry(result[4], 1))
    assert len(result[5].exterior.coords) == 5, "short edges get no points"
    assert result[6] is None
    assert result[7].is_empty
    assert shapely.is_valid(result[[0, 1, 2, 5]]).all()
    assert given_[0].equals(shell), "what is given stays as it is"


def test_heights_are_left_out():
    """A KML's altitudes do not reach the grid."""
    solid = shapely.Polygon([(-76, 45, 80), (-75, 45, 80), (-75, 46, 80)])
    assert not shapely.has_z(to_grid([solid], 4326))[0]


@pytest.mark.parametrize("bad", [(np.nan, 45), (np.inf, 45), (-76, 95)])
def test_coordinates_beyond_reach_are_told_by_row(bad):
    """Not a number, infinite, beyond the pole: the row is named."""
    triangle = shapely.Polygon([(-76, 45), (-75, 45), (-75, 46)])
    with np.errstate(invalid="ignore"):  # GEOS itself frowns at it
        wrong = shapely.LineString([(-76, 45), bad])
    with pytest.raises(CRSError, match=r"finite.*WGS 84.*rows 2, 3 are not") as caught:
        to_grid([triangle, wrong, wrong], 4326)
    assert [row["row"] for row in caught.value.rows] == [2, 3]


def test_half_a_million_vertices_pass_quickly():
    """A whole country's blocks are projected in one go, not one at a time."""
    angles = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    ring = np.column_stack([np.cos(angles), np.sin(angles)]) * 0.01
    centres = np.random.default_rng(1).uniform((-120, 45), (-60, 60), (10_000, 1, 2))
    shapes = shapely.polygons(centres + ring)
    result = to_grid(shapes, 4326)
    assert shapely.get_num_coordinates(result).sum() == 510_000
    assert shapely.is_valid(result).all()


def test_square_kilometres_are_equal_area():
    """Windsor stands 6.4 % too large on the census grid, Iqaluit 6.0 % too small."""
    geod = pyproj.Geod(ellps="GRS80")
    for longitude, latitude, distortion in ((-83.0, 42.3, 1.064), (-68.5, 63.75, 0.940)):
        box = shapely.box(longitude, latitude, longitude + 0.1, latitude + 0.1)
        true = (
            abs(geod.polygon_area_perimeter(*shapely.segmentize(box, 0.001).exterior.xy)[0]) / 1e6
        )
        assert area_km2([box], 4326)[0] == pytest.approx(true, rel=2e-4)
        grid = shapely.area(to_grid([box], 4326))[0] / 1e6
        assert grid / true == pytest.approx(distortion, abs=0.002)
    assert np.isnan(area_km2([None])[0])


def test_same_system_however_written():
    """Axis order and spelling do not matter; the zone does."""
    assert same_crs("EPSG:4326", "OGC:CRS84")
    assert same_crs("EPSG:3347", STATCAN_PRJ)
    assert not same_crs("EPSG:2951", "EPSG:2952")
    require_same_projected("EPSG:3347", STATCAN_PRJ)
    with pytest.raises(CRSError, match=r"one is in .*zone 9.* and the other in .*zone 10"):
        require_same_projected("EPSG:2951", "EPSG:2952")
    with pytest.raises(CRSError, match=r"never in degrees.*WGS 84"):
        require_same_projected("EPSG:3347", "EPSG:4326")


def test_longitude_and_latitude_of_grid_points():
    """The grid's origin is where Statistics Canada says it is."""
    assert lonlat(np.array([[6_200_000.0, 3_000_000.0]]), 3347) == pytest.approx(
        np.array([[-91.866667, 63.390675]]), abs=1e-6
    )


@pytest.mark.realdata
def test_published_prj_files(realdata):
    """The .prj of Calgary's and Ottawa's wards, as published, are WGS84."""
    for path in sorted(realdata.glob("*/wards/*.prj")):
        text = path.read_text()
        assert not re.search("EPSG", text), "names no code"
        assert "WGS84" in accept_crs(text).report.findings[0].message
