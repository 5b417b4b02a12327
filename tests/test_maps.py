"""Preview pages and pictures without a browser: what they hold, how heavy they are."""

from __future__ import annotations

import html
import itertools
import json
import pickle
import re
import shutil
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import toytown
from commands import run
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

import lipgeo
from lipgeo import synthetic
from lipgeo.census import around
from lipgeo.errors import InputError, OutputError
from lipgeo.maps import PreviewMap, picture, scene
from lipgeo.maps.display import TINTS, light, pieces, tints_of
from lipgeo.maps.preview import _in_order
from lipgeo.store.results import read_build, write_build
from lipgeo.words import speaking


@pytest.fixture(scope="module")
def town():
    """The toy town fitted to its blocks."""
    areas = lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id")
    return lipgeo.fit_boundaries(toytown.census(), areas, unit="DB")


@pytest.fixture(scope="module")
def within():
    """The toy town with whole blocks only: half of c, i and j is left out."""
    areas = lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id")
    return lipgeo.fit_boundaries(toytown.census(), areas, unit="DB", rule="within")


def layers(fitted, **options):
    """Return the layers of a scene by key."""
    return {layer.key: layer for layer in scene.scene_of(fitted, **options).layers}


class Numbers:
    """Estimates of the toy town's three areas."""

    def __init__(self, *names, basis="union", **columns):
        self.variables = {}
        self.sources = pd.DataFrame({"file": pd.Series(["98-401-X2021006.csv"], dtype="string")})
        one = pd.DataFrame(
            {
                "area_id": ["1", "2", "3"],
                "value": [100.0, np.nan, 40.0],
                "lower": [80.0, np.nan, 40.0],
                "upper": [130.0, np.nan, 40.0],
                "likely_lower": [90.0, np.nan, 40.0],
                "likely_upper": [110.0, np.nan, 40.0],
                "observed_share": [1.0, 0.1, 0.9],
                "flag": ["", "too_little_observed", "partly_observed;other_basis"],
                "basis": basis,
                **columns,
            }
        )
        self.frame = pd.concat([one.assign(variable=name) for name in names], ignore_index=True)


def test_what_is_left_out_are_the_pieces_inside_the_area(within):
    """Left out is the half block that lies in the area, not the whole block, and its people."""
    omitted = layers(within)["omitted"]
    assert shapely.area(omitted.shapes) == pytest.approx([2e4, 2e4, 2e4], rel=1e-6)
    drawn = within.service_areas.frame.geometry.union_all()
    assert all(shapely.covered_by(shapely.buffer(omitted.shapes, -0.01), drawn))
    people = omitted.cards.heads.index("People left out, about")
    assert sorted(row[people] for row in omitted.cards.rows) == ["25", "40", "75"]


def test_outlines_run_on_the_edges_of_their_units(town):
    """The union drawn is made of the units as drawn: no gap between them and their outline."""
    shown = layers(town)
    units = np.concatenate([shown["inside"].shapes, shown["straddling"].shapes])
    union = shapely.union_all(shown["union"].shapes)
    assert shapely.area(shapely.symmetric_difference(union, shapely.union_all(units))) < 1e-6


def test_light_shapes_share_their_edges_still():
    """Neighbours stay a coverage, missing stays missing, and the points grow fewer."""
    made = synthetic.census(blocks=500, seed=4)
    shapes = made.zones("DA").geometry
    thin = light(shapes, 5_000.0)
    held = ~pd.isna(shapes)
    assert (pd.isna(thin) == ~held).all()
    assert shapely.get_num_coordinates(thin[held]).sum() < (
        shapely.get_num_coordinates(shapes[held]).sum() / 2
    )
    before, after = shapely.total_bounds(shapes[held]), shapely.total_bounds(thin[held])
    assert np.abs(before - after).max() < 10_000


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_neighbours_have_other_tints(places):
    """Squares that touch differ in tint as long as no square has more neighbours than tints."""
    at = np.array(sorted(set(places)), dtype=float)
    at = at[(at.sum(axis=1) % 4) > 0]  # fewer neighbours than tints
    squares = shapely.box(at[:, 0], at[:, 1], at[:, 0] + 1, at[:, 1] + 1)
    tint = tints_of(squares)
    one, other = shapely.STRtree(squares).query(squares, predicate="touches")
    crowded = np.bincount(one, minlength=len(squares)) >= len(TINTS)
    assert ((tint[one] != tint[other]) | crowded[one] | crowded[other]).all()
    assert set(tint) <= set(range(len(TINTS)))


def test_a_cut_that_matters_is_drawn_as_one(town, monkeypatch):
    """A unit of which less than 2 % lies outside is drawn as inside; the card says its share."""
    units = town.shapes.copy()
    straddling = units["status"].eq("straddling")
    units.loc[straddling, "share"] = np.where(np.arange(straddling.sum()) == 0, 0.985, 0.9)
    monkeypatch.setattr(town, "_shapes", units)
    drawn = layers(town)
    assert len(drawn["straddling"].shapes) == straddling.sum() - 1
    assert len(drawn["inside"].shapes) == units["status"].eq("inside").sum() + 1
    assert any("98.5%" in row for row in drawn["inside"].cards.rows)


def test_names_are_listed_as_people_count_and_spell():
    """2 before 10, accents and case apart."""
    names = ["10", "Ward 10", "éb", "2", "Ward 2", "Ea"]
    assert sorted(names, key=_in_order) == ["2", "10", "Ea", "éb", "Ward 2", "Ward 10"]


def test_pieces_of_nothing_are_nothing():
    """A unit that only touches its area leaves no piece."""
    one, two = shapely.box(0, 0, 10, 10), shapely.box(10, 0, 20, 10)
    found = pieces(np.array([one, one, None]), np.array([two, one, one]), 0.1)
    assert found[0] is None
    assert found[1].equals(one)
    assert found[2] is None


def test_above_the_limit_only_outlines_and_it_says_so(town, monkeypatch):
    """Too many units: areas and outlines are drawn, units are not, and the page says why."""
    monkeypatch.setattr(scene, "UNIT_LIMIT", 3)
    page = lipgeo.preview(town)
    assert page.notes == (
        "The 8 units are not drawn one by one (limit 3): areas and outlines only.",
    )
    assert page.notes[0] in page.html
    assert not {"inside", "straddling", "omitted"} & set(layers(town))
    assert {"union", "drawn"} <= set(layers(town))


def test_ten_thousand_units_weigh_less_than_8_mb():
    """A page of ten thousand units of thirty points each stays light enough to mail."""
    side, step = 100, 500.0
    turn = np.linspace(0, 1, 9)[:-1]
    x, y = (k.ravel() * step for k in np.mgrid[0:side, 0:side])
    # every edge is a jagged line that its two owners share
    wave = np.where(np.arange(8) % 2, 40.0, -40.0) * (turn > 0)
    south = np.stack([x[:, None] + step * turn, y[:, None] + wave], axis=-1)
    east = np.stack([x[:, None] + step + wave, y[:, None] + step * turn], axis=-1)
    north = np.stack([x[:, None] + step * turn, y[:, None] + step + wave], axis=-1)
    west = np.stack([x[:, None] + wave, y[:, None] + step * turn], axis=-1)
    corner = np.stack([x + step, y + step], axis=-1)[:, None]
    start = np.stack([x, y + step], axis=-1)[:, None]
    ring = np.concatenate(
        [south, east, corner, north[:, :0:-1], start, west[:, :0:-1], south[:, :1]], axis=1
    )
    cells = shapely.polygons(ring + np.array([7.4e6, 1.1e6]))
    assert shapely.is_valid(cells).all()
    ids = [f"3506{k:04d}" for k in range(len(cells))]
    units = gpd.GeoDataFrame(
        {
            "area_id": "all", "level": "DA", "unit_id": ids, "unit_name": pd.NA, "unit_type": pd.NA,
            "dguid": [f"2021S0512{unit}" for unit in ids], "share": 0.5, "status": "straddling",
            "population": 500.0, "dwellings": 200.0,
        },
        geometry=cells, crs=3347,
    )  # fmt: skip
    outline = gpd.GeoDataFrame({"area_id": ["all"]}, geometry=[shapely.box(*units.total_bounds)])
    given = lipgeo.ServiceAreas.from_frame(outline.set_crs(3347), id="area_id")
    areas = outline.set_crs(3347).assign(
        population=5e6, misfit_share=0.0, unit_count=len(units), population_omitted=0.0,
        population_added=0.0, population_drawn=5e6, definition="drawn", flags="",
    )  # fmt: skip
    fitted = lipgeo.Boundaries(
        areas=areas, units=units, cover=units, crosswalk=None, membership=None,
        service_areas=given, shapes=units, report=lipgeo.CheckReport(),
        meta={"vintage": 2021, "unit": "DA", "rule": "majority", "by": "area"},
    )  # fmt: skip
    page = lipgeo.preview(fitted)
    assert page.notes == ()
    assert len(page.html.encode()) < 8e6


def test_equal_boundaries_give_equal_pages_and_pictures(town):
    """No clock, no random name: two pages, two PNG and two PDF are the same bytes."""
    assert lipgeo.preview(town).html == lipgeo.preview(town).html
    for kind in ("png", "pdf"):
        assert town.plot()._bytes(kind) == town.plot()._bytes(kind)


def test_no_address_but_a_basemap_asked_for(town):
    """The page names no place on the network to fetch from, unless a basemap is asked for."""
    fetched = re.compile(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|url\(\s*["']?https?:|@import""")
    plain = lipgeo.preview(town).html
    script = re.sub(r"<a [^>]*leafletjs[^>]*>", "", plain)  # Leaflet's own credit, switched off
    assert not fetched.search(script)
    assert "tile.openstreetmap.org" not in plain
    assert 'img-src data:"' in plain
    based = lipgeo.preview(town, basemap=True).html
    assert "tile.openstreetmap.org" in based
    assert "OpenStreetMap contributors" in based


def test_a_variable_falls_into_classes(town):
    """Equal classes, one for what is suppressed, strokes over what is to be read with care."""
    shown = layers(town, estimates=Numbers("immigrants"))
    said = [meaning for _, meaning in shown["value"].classes]
    assert said == [
        "Immigrants: 40 (areas: 1)",
        "Immigrants: 100 (areas: 1)",
        "Immigrants: suppressed or not known, or only a range (areas: 1)",
    ]
    assert shown["value"].member.tolist() == [1, 2, 0]
    assert len(shown["flagged"].shapes) == 1
    assert not shown["inside"].shown
    numbers = Numbers("median_income")
    numbers.frame.loc[1, ["lower", "upper"]] = [31_000.0, 42_000.0]
    lines = [label.lines for label in scene.scene_of(town, numbers).labels]
    assert ("2", "31,000 to 42,000") in lines
    drawn = layers(town, estimates=Numbers("immigrants", basis="drawn"))
    assert shapely.area(drawn["value"].shapes).sum() < shapely.area(shown["value"].shapes).sum()


def test_counts_are_circles_as_large_as_they_are(town):
    """Surfaces go with the counts, each circle where its area is; what is missing has none."""
    shown = layers(town, estimates=Numbers("immigrants", rule="count"))
    circles = shown["circles"]
    large, small = shapely.area(circles.shapes)
    assert large / small == pytest.approx(100 / 40, rel=1e-3)
    assert (
        circles.title == "Immigrants, from 40 to 100: the surface of a circle goes with the number"
    )
    held = shown["value"].shapes[[0, 2]]
    assert shapely.intersects(held, shapely.centroid(circles.shapes)).all()
    assert [meaning for _, meaning in shown["value"].classes][1:] == [
        "Immigrants: suppressed or not known, or only a range (areas: 1)"
    ]
    assert shown["value"].member.tolist() == [0, 1, 0]
    order = list(shown)
    assert order.index("flagged") < order.index("circles")


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        ("drawn", "areas as drawn"),
        ("union", "whole census units put together"),
        (["drawn", "drawn", "union"], "Listed areas"),
        ("", "Estimates for the areas on the map."),
    ],
)
def test_the_heading_of_numbers_says_what_they_are_of(town, basis, words, monkeypatch):
    """The subtitle goes by the basis, the source by the table, and what is off is in no legend."""
    made = scene.scene_of(town, Numbers("low_income_pct", basis=basis, rule="percent"))
    assert words in made.notice
    assert made.heading == "Low_income_pct: 3 service areas, 2021 Census"
    assert "stand in for the area as drawn" not in made.notice
    assert "made by lipgeo from 98-401-X2021006.csv" in made.source  # a made census's own
    monkeypatch.setitem(town.meta, "made", False)
    source = scene.scene_of(town, Numbers("one")).source
    assert "Census Profile, 2021 Census (98-401-X2021006.csv)" in source
    assert not {"Units inside", "Land and people left out"} & {m for _, m in made.legend}
    assert any(meaning.endswith("40.0% (areas: 1)") for _, meaning in made.legend)
    assert ("1", "100.0%", "90.0% to 110.0%") in [label.lines for label in made.labels]
    page = lipgeo.preview(town, estimates=Numbers("x", basis=basis, rule="percent")).html
    assert html.escape(made.notice, quote=False) in page.replace("&#39;", "'")


def test_numbers_that_do_not_fit_are_refused(town):
    """No variable named where there are two, one that is not held, other areas, two fits."""
    with pytest.raises(InputError, match=r"none was given\. They hold: one, two"):
        lipgeo.preview(town, estimates=Numbers("one", "two"))
    with pytest.raises(InputError, match=r"onne was given\. Nearest: one\."):
        lipgeo.preview(town, estimates=Numbers("one", "two"), variable="onne")
    with pytest.raises(InputError, match="three was given"):
        lipgeo.preview(town, estimates=Numbers("one", "two"), variable="three")
    other = Numbers("one")
    other.frame["area_id"] += "x"
    with pytest.raises(InputError, match="need to be of the areas on the map"):
        lipgeo.preview(town, estimates=other)
    with pytest.raises(InputError, match="one fit"):
        lipgeo.preview(town, beside=town, estimates=Numbers("one"))


def test_data_in_the_script_cannot_end_it(town):
    """Every ``<`` of the data is written so that no name can close the script."""
    fitted = lipgeo.fit_boundaries(
        town.census, lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id"), unit="DB"
    )
    fitted.shapes["unit_name"] = "</script><!-- \u2028 "
    page = lipgeo.preview(fitted, title="</title><script>alert(1)</script>").html
    assert page.count("<script>alert(1)") == 0
    assert "\\u003c/script\\u003e\\u003c!-- \\u2028" in page
    assert "\u2028" not in page
    calls = re.findall(r"lipgeo\.draw\(\w+, (\{.*\})\);", page)
    assert len(calls) == len(layers(fitted))
    assert all(json.loads(data)["geo"] for data in calls)


def test_pictures_are_one_page_and_light(town, tmp_path):
    """PNG and PDF carry title, legend, scale, source and date, weigh little, and dollars stay."""
    with speaking("fr"):
        sheet = town.plot(title="Cost: $5 and $6 _x_", date="2026-11-22")
    words = [
        text.get_text() for text in sheet.findobj(match=lambda part: hasattr(part, "get_text"))
    ]
    assert any("$5 and $6" in text for text in words)
    assert any("2026-11-22. Recensement de 2021." in text for text in words)
    assert "Limite semi-personnalisée" in words
    assert any(text.endswith(" m") for text in words)
    png, pdf = sheet.save(tmp_path / "a.png"), sheet.save(tmp_path / "a.pdf")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert b"/Count 1" in pdf.read_bytes()
    assert max(png.stat().st_size, pdf.stat().st_size) < 2e6
    assert sheet._repr_png_() == png.read_bytes()
    with pytest.raises(OutputError, match="ends in png, pdf"):
        sheet.save(tmp_path / "a.docx")


def test_lists_and_empty_unions_are_drawn_too():
    """A unit list without outline, and an area with no unit, make a map all the same."""
    census = toytown.census()
    listed = lipgeo.ServiceAreas.from_units({"town": ["CSD:3506008"]}, census)
    page = lipgeo.preview(lipgeo.fit_boundaries(census, listed))
    assert "Service area as drawn" not in page.html
    areas = lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id")
    empty = lipgeo.fit_boundaries(census, areas, unit="CSD", rule="within")
    assert not len(empty.units)
    assert "Service area as drawn" in lipgeo.preview(empty).html
    assert empty.plot()._bytes("png")


def test_a_build_keeps_what_the_map_needs(town, tmp_path):
    """A map of a build directory is the map of the boundaries it was written from."""
    lipgeo.write_build(town, tmp_path / "build")
    again = lipgeo.read_build(tmp_path / "build")
    assert set(again.context["level"]) == {"CSD"}
    assert lipgeo.preview(again).html == lipgeo.preview(town).html
    assert isinstance(again.explore(), PreviewMap)


def test_the_command_writes_page_picture_and_document(town, tmp_path):
    """``lipgeo preview`` writes what is asked, another build beside the first, and says where."""
    lipgeo.write_build(town, tmp_path / "build")
    written = [tmp_path / name for name in ("map.html", "map.png", "map.pdf")]
    asked = ["preview", tmp_path / "build", "--beside", tmp_path / "build", "--date", "2026-11-22"]
    places = ["--out", written[0], "--png", written[1], "--pdf", written[2]]
    done = run(*asked, *places, "--json", "--lang", "fr")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said == {
        "map": str(written[0]), "png": str(written[1]), "pdf": str(written[2])
    }  # fmt: skip
    assert "Côte à côte" in written[0].read_text(encoding="utf-8")
    assert all(path.stat().st_size > 10_000 for path in written)


@pytest.mark.realdata
def test_ottawa_by_dissemination_area(realdata, tmp_path):
    """116 neighbourhoods by 1,392 dissemination areas: page under 2 MB, sheet under 1 MB."""
    folder = realdata / "ottawa_2021"
    lipgeo.add_census(tmp_path / "store", [folder / "lda_000b21a_e.zip"])
    census = lipgeo.open_census(tmp_path / "store")
    areas = lipgeo.read_service_areas(
        folder / "neighbourhoods.gpkg", id="ONS_ID", name_en="ONS_Name"
    )
    fitted = lipgeo.fit_boundaries(census, areas, unit="DA", by="area")
    assert len(lipgeo.preview(fitted).html.encode()) < 2e6
    assert len(fitted.plot()._bytes("png")) < 1e6


def test_names_without_room_are_numbered_and_listed_beside_the_map(town, monkeypatch):
    """Of many areas close together no words run into others, and none is lost or told twice."""
    made = scene.scene_of(town)
    west, south, east, north = made.bounds
    crowd = tuple(
        scene.Label(
            west + (0.1 + 0.8 * k % 6 / 6) * (east - west),
            south + (0.1 + 0.8 * (k // 6) / 6) * (north - south),
            (f"Neighbourhood of the long name {k:02}",),
            "area",
        )
        for k in range(36)
    )
    monkeypatch.setattr(picture, "scene_of", lambda *_: replace(made, labels=crowd))
    sheet = picture.figure(town)
    renderer = FigureCanvasAgg(sheet).get_renderer()
    on_map = [text for text in sheet.axes[0].texts if text.get_zorder() in (90, 91)]
    boxes = [text.get_window_extent(renderer) for text in on_map]
    assert not any(one.overlaps(two) for one, two in itertools.combinations(boxes, 2))
    numbers = {text.get_text() for text in on_map if text.get_text().isdigit()}
    named = [" ".join(text.get_text().split()) for text in on_map]
    listed = [text.get_text() for text in sheet.texts if text.get_text().split()[0].isdigit()]
    assert numbers == {one.split()[0] for one in listed}
    told = [name for name in (*named, *listed) if "Neighbourhood" in name]
    assert len(told) == len(crowd)
    assert numbers
    beside = [text for text in sheet.texts if text.get_text() in listed]
    assert max(text.get_window_extent(renderer).x1 for text in beside) <= sheet.bbox.x1


def test_what_is_around_a_country_is_read_when_a_map_first_asks(
    demonstration, tmp_path, monkeypatch
):
    """Writing and reading such a build simplifies no outline; without its census a note says so."""
    store = shutil.copytree(demonstration["store"], tmp_path / "store")
    census = lipgeo.open_census(store)
    municipality = census.units("CSD").index[0]
    areas = lipgeo.ServiceAreas.from_units({"a": [f"CSD:{municipality}"]}, census)
    near = write_build(lipgeo.fit_boundaries(census, areas), tmp_path / "near")
    assert (near / "context.parquet").is_file()  # a few neighbours: the build needs no store
    monkeypatch.setattr(around, "_MOST", 0)

    def refuse(*_):
        raise AssertionError("an outline is simplified")

    with monkeypatch.context() as patch:
        patch.setattr(shapely, "coverage_simplify", refuse)
        build = write_build(lipgeo.fit_boundaries(census, areas), tmp_path / "far")
        made, other = read_build(build), pickle.loads(pickle.dumps(read_build(build)))
    assert not (build / "context.parquet").exists()
    assert len(made.context) == len(lipgeo.fit_boundaries(census, areas).context) > 0
    shutil.rmtree(store)
    assert other.context.empty
    (note,) = scene.scene_of(other).notes
    assert str(store) in note
    # written on, it still names the census: put back, the map has what is around
    again = read_build(write_build(other, tmp_path / "again"))
    shutil.copytree(demonstration["store"], store)
    assert len(again.context) == len(made.context)
