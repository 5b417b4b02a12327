"""Numbers come back from every file that ``weight --out`` writes, and are drawn on a map."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from commands import run

import lipgeo
from lipgeo import CensusTable, ServiceAreas, synthetic
from lipgeo.errors import FileError, InputError, OutputError, TableError
from lipgeo.readers.numbers import WrittenNumbers, read_numbers
from lipgeo.store.results import write_build, write_estimates
from lipgeo.words import speaking

VARIABLES = ["immigrants", "immigrants_pct", "median_income"]


@pytest.fixture(scope="module")
def made():
    """Return a build and its numbers in a small country; one area's id is a formula to Excel."""
    census = synthetic.census(blocks=600, seed=3)
    drawn = synthetic.service_areas(census, 3)
    drawn["area_id"] = ["=1", "2", "3"]
    build = lipgeo.fit_boundaries(census, ServiceAreas.from_frame(drawn, id="area_id"), unit="DA")
    table = synthetic.table(census, "DA")
    held = CensusTable(table.frame, level="DA", vintage=2021, symbols=table.symbols)
    return build, lipgeo.weight_table(held, build.crosswalk, variables=VARIABLES)


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("ending", ["xlsx", "csv", "parquet", "gpkg"])
def test_numbers_come_back_from_every_file(made, tmp_path, ending, lang):
    """Value, ranges, basis and rule of each area and variable, in either language and form."""
    build, estimates = made
    with speaking(lang):
        path = write_estimates(
            estimates, tmp_path / f"n.{ending}", names=build.service_areas.labels, csv=lang,
            shapes=build.areas.set_index("area_id").geometry,
        )[0]  # fmt: skip
    back = read_numbers(path, vintage=2021)
    keys = ["area_id", "variable"]
    frame = back.frame.set_index(keys).sort_index()
    wanted = estimates.frame.set_index(keys).sort_index()
    assert list(frame.index) == list(wanted.index)
    names = ["value", "likely_lower", "likely_upper"]
    if ending != "gpkg":  # what a map program shows, no more
        names += ["lower", "upper", "observed_share", "sampling_se"]
        assert list(frame["flag"]) == list(wanted["flag"].fillna(""))
    np.testing.assert_allclose(
        frame[names].to_numpy(float), wanted[names].to_numpy(float), rtol=1e-9
    )
    assert list(frame["basis"]) == list(wanted["basis"])
    assert list(frame["rule"]) == list(wanted["rule"])
    assert set(back.variables) == set(VARIABLES)
    assert back.vintage == 2021
    if ending == "gpkg":  # GDAL before 3.7 warns of 1.4
        with closing(sqlite3.connect(path)) as opened:
            assert opened.execute("PRAGMA user_version").fetchone() == (10300,)
    portal = lipgeo.open_portal(tmp_path / "portal", create=True)
    release = portal.add(path)  # the file says its census: nobody is asked
    rows = portal.store.rows(portal.store.named(release))
    assert set(rows["period"]) == {"2021"}
    share = frame["value"].xs("immigrants_pct", level="variable").sum()
    assert rows.loc[rows["indicator"].eq("immigrants"), "value"].sum() == pytest.approx(share)
    page = lipgeo.preview(build, estimates=back, variable="immigrants_pct")
    assert page.html.count("%") > 3


def test_what_is_no_file_of_numbers_is_told(made, tmp_path):
    """Another ending, nothing there, other columns, a cell of words, an area twice."""
    with pytest.raises(FileError, match=r"\.xlsx, \.csv, \.parquet, \.gpkg"):
        read_numbers(tmp_path / "n.txt")
    with pytest.raises(FileError, match="there is no file"):
        read_numbers(tmp_path / "n.csv")
    (tmp_path / "other.csv").write_text("area_id,people\n1,2\n", encoding="utf-8")
    with pytest.raises(FileError, match=r"variable, value are missing.*area_id, people"):
        read_numbers(tmp_path / "other.csv")
    rows = "area_id,variable,value\n1,a,2\n1,a,3\n"
    (tmp_path / "twice.csv").write_text(rows, encoding="utf-8")
    with pytest.raises(TableError, match="twice: 1 a"):
        read_numbers(tmp_path / "twice.csv")
    (tmp_path / "words.csv").write_text(rows.replace("3", "many"), encoding="utf-8")
    with pytest.raises(TableError, match="value 2: many"):
        read_numbers(tmp_path / "words.csv")
    for ending in ("xlsx", "parquet", "gpkg"):
        (tmp_path / f"bad.{ending}").write_bytes(b"\0 no such thing")
        with pytest.raises(FileError, match=f"bad.{ending}"):
            read_numbers(tmp_path / f"bad.{ending}")
    layer = gpd.GeoDataFrame({"area_id": ["1"]}, geometry=[shapely.Point(0, 0)], crs=3347)
    layer.to_file(tmp_path / "none.gpkg", layer="numbers")
    with pytest.raises(FileError, match="variable, value are missing"):
        read_numbers(tmp_path / "none.gpkg")


def test_numbers_are_drawn_from_the_command_line(made, tmp_path):
    """``preview --numbers`` draws page and picture; which variable, and from where, is said."""
    build, estimates = made
    write_build(build, tmp_path / "build")
    write_estimates(estimates, tmp_path / "n.xlsx")
    call = ("preview", tmp_path / "build", "--numbers", tmp_path / "n.xlsx", "--out")
    drawn = run(*call, tmp_path / "a.html", "--variable", "immigrants_pct",
                "--png", tmp_path / "a.png", "--lang", "fr")  # fmt: skip
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "a.png").stat().st_size > 10_000
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<h1>Immigrants (%)" in text
    assert "tels que dessinés" in text
    which = run(*call, tmp_path / "b.html")
    assert which.returncode == 2
    assert "immigrants, immigrants_pct, median_income" in which.stderr
    alone = run("preview", tmp_path / "build", "--out", tmp_path / "b.html", "--variable", "x")
    assert alone.returncode == 2
    assert "--numbers" in alone.stderr
    assert not (tmp_path / "b.html").exists()


def test_numbers_of_other_areas_are_refused(made):
    """Numbers of another build say so."""
    build, estimates = made
    frame = estimates.frame
    other = WrittenNumbers(
        frame.assign(area_id="x" + frame["area_id"]), {}, pd.DataFrame({"file": ["n.csv"]})
    )
    with pytest.raises(InputError, match="need to be of the areas on the map"):
        lipgeo.preview(build, estimates=other, variable="immigrants")


@pytest.mark.parametrize(
    "name", ["basis", "area_id", "Geometry", "geom", "FID", "immigrants_likely_lower"]
)
def test_a_variable_named_like_a_column_of_the_layer_is_never_lost(made, tmp_path, name):
    """A GeoPackage knows no capitals and has columns of its own: it is refused, by name."""
    build, _ = made
    table = CensusTable(
        pd.DataFrame({"immigrants": [1.0], name: [2.0]}, index=[build.crosswalk.sources.index[0]]),
        {"immigrants": "count", name: "count"}, level="DA", vintage=2021,
    )  # fmt: skip
    numbers = lipgeo.weight_table(table, build.crosswalk, min_observed=0)
    shapes = build.areas.set_index("area_id").geometry
    with pytest.raises(OutputError, match=name):
        write_estimates(numbers, tmp_path / "n.gpkg", shapes=shapes)
    assert not (tmp_path / "n.gpkg").exists()
    for ending in ("xlsx", "csv", "parquet"):
        write_estimates(numbers, tmp_path / f"n.{ending}")
    heads = pd.read_excel(tmp_path / "n.xlsx", "table").columns
    assert sum(name in head for head in heads) >= 1
    assert heads.is_unique
