"""Apache Spark in local mode: the same shares and sums as on one machine, and clear refusals."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from sparkhere import MARKS, end_spark, require_spark
from toytown import areas, draw

import lipgeo
import lipgeo.spark
from lipgeo import ServiceAreas, synthetic
from lipgeo import spark as parts
from lipgeo import spark as sessions
from lipgeo.crosswalk.overlay.descent import ArrayUnits, Outlines
from lipgeo.crosswalk.overlay.kernel import overlay
from lipgeo.errors import EngineError, InputError, MissingExtraError

pytestmark = MARKS

TABLES = ("frame", "remainder", "overlaps", "quality", "sources")


@pytest.fixture(scope="module")
def session():
    """Start Spark on two cores; stopped after the file, its JVM gone."""
    require_spark()
    started = lipgeo.spark.open_session(
        "local[2]", memory="1g", settings={"spark.sql.shuffle.partitions": "2"}
    )
    java = started.sparkContext._gateway.proc
    yield started
    started.stop()
    end_spark()
    assert java.poll() is not None, "Spark left its Java behind"


@pytest.fixture(scope="module")
def made():
    """Return a made census: units without polygon, polygons that cross themselves, provinces."""
    return synthetic.census(blocks=2_000, seed=3)


@pytest.fixture(scope="module")
def stored(made, tmp_path_factory):
    """Return the same census on disk, in a folder whose name is not all letters."""
    folder = tmp_path_factory.mktemp("spark") / "dépôt [2021] à 100 %20"
    folder.mkdir()
    files = synthetic.write_files(made, folder / "files", levels=["DA", "DB"])
    lipgeo.add_census(folder / "store", files, made=True)
    return lipgeo.open_census(folder / "store")


@pytest.fixture(scope="module")
def targets(stored):
    """Return areas that overlap, two of them in a third, and one that is a list of units."""
    drawn = ServiceAreas.from_frame(synthetic.service_areas(stored, count=6, seed=2), id="area_id")
    x, y = (stored.units("DA")[axis] for axis in ("x", "y"))
    half = (x.max() - x.min()) / 6
    around = [shapely.Point(x.median() + dx, y.median()).buffer(half) for dx in (0, half / 2, half)]
    round_ones = lipgeo.Zones(["round1", "round2", "round3"], around, "EPSG:3347")
    frame = drawn.frame.iloc[:0].reset_index()[["area_id", "geometry"]]
    frame = frame.reindex(range(3)).assign(area_id=round_ones.ids)
    frame = frame.set_geometry(around, crs="EPSG:3347")
    ids = stored.units("DA").index[:40:3]
    listed = ServiceAreas.from_units({"listed": [f"DA:{one}" for one in ids]}, stored)
    return ServiceAreas.concat([drawn, ServiceAreas.from_frame(frame, id="area_id"), listed])


def apart(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Return the largest relative difference of any number; everything else must be the same."""
    numbers = one.select_dtypes("number").columns
    pd.testing.assert_frame_equal(one.drop(columns=numbers), other.drop(columns=numbers))
    a, b = one[numbers].to_numpy(), other[numbers].to_numpy()
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    return (np.abs(a - b) / np.maximum(1.0, np.abs(b)))[~np.isnan(b)].max(initial=0.0)


def difference(one: lipgeo.Crosswalk, other: lipgeo.Crosswalk) -> float:
    """Return the largest difference of any number; ids, notes and counts must be the same."""
    assert dict(one.meta) == dict(other.meta)
    assert one.report == other.report
    return max(apart(getattr(one, name), getattr(other, name)) for name in TABLES)


# ---------------------------------------------------------------- the overlay


@pytest.mark.parametrize(
    ("level", "weight", "placement"),
    [
        ("DA", "area", "surface"),
        ("DA", "population", "surface"),
        ("DA", "dwellings", "point"),
        ("DB", "area", "surface"),
        ("CT", "population", "surface"),  # no polygons of its own: all by blocks
    ],
)
def test_crosswalk_is_the_one_of_one_machine(session, stored, targets, level, weight, placement):
    """Shares, remainder, overlaps, quality, sources, notes: as without Spark, to 1e-12."""
    source = stored.zones(level)
    options = {"weight": weight, "placement": placement}
    here = lipgeo.build_crosswalk(source, targets, **options)
    there = lipgeo.spark.build_crosswalk(session, source, targets, **options)
    assert len(here.overlaps)
    assert difference(there, here) <= 1e-12
    assert not there.check()


def test_partition_does_not_matter(session, stored, targets):
    """Partitioned by province, by division, or not at all: the same crosswalk."""
    source = stored.zones("DA")
    here = lipgeo.build_crosswalk(source, targets)
    for by in ("CD", None):
        assert difference(lipgeo.spark.build_crosswalk(session, source, targets, by=by), here) == 0


def test_census_in_memory_goes_to_the_workers(session, made):
    """A census in no store is sent; units without polygon and repaired ones are as elsewhere."""
    crossed = made.data.meta["planted"]["invalid"]
    west, south, east, north = made.data.boxes("DB", made.rows("DB", crossed[:1]))[0]
    halves = [shapely.box(west - 1e5, south - 1e5, (west + east) / 2, (south + north) / 2)]
    areas = lipgeo.Zones(["half"], halves, "EPSG:3347")
    here = lipgeo.build_crosswalk(made.zones("DB"), areas)
    there = lipgeo.spark.build_crosswalk(session, made.zones("DB"), areas)
    assert here.report.only("repaired_source")
    assert here.sources["share_basis"].eq("point").any()
    assert difference(there, here) <= 1e-12


def test_folder_says_where_workers_find_the_census(session, stored, targets, tmp_path):
    """The files may stand elsewhere for the workers; where they do not, the message says so."""
    source = stored.zones("DA")
    (tmp_path / "there").symlink_to(stored.data.folder)
    elsewhere = f"file://{tmp_path}/there/"
    here = lipgeo.build_crosswalk(source, targets)
    there = lipgeo.spark.build_crosswalk(session, source, targets, folder=elsewhere)
    assert difference(there, here) <= 1e-12
    with pytest.raises(EngineError, match=r"level DA failed.*nowhere.*folder="):
        lipgeo.spark.build_crosswalk(session, source, targets, folder="file:///nowhere")


def test_workers_run_the_same_python(session):
    """Every worker runs this interpreter, and is told that it has one core."""

    def told(_):
        yield sys.executable, os.environ.get("OMP_NUM_THREADS")

    found = session.sparkContext.parallelize(range(2), 2).mapPartitions(told).collect()
    assert {(Path(python), cores) for python, cores in found} == {(Path(sys.executable), "1")}


def test_other_lipgeo_on_the_workers_is_refused(session, stored, targets, monkeypatch):
    """Workers with another version of lipgeo do not work: their numbers could differ."""
    monkeypatch.setattr(parts, "__version__", "0.0.7")
    with pytest.raises(EngineError, match=r"lipgeo 0\.0\.7 sent work to lipgeo"):
        lipgeo.spark.build_crosswalk(session, stored.zones("DA"), targets)


# ---------------------------------------------------------------- sums of a stored table


@pytest.fixture(scope="module")
def profile(made, tmp_path_factory):
    """Return a made profile as published, and the store it was added to."""
    folder = tmp_path_factory.mktemp("profile")
    table = synthetic.table(made, "DA", suppressed=0.1)
    files = synthetic.write_profile(made, [table], folder)
    lipgeo.add_table(folder / "store", files)
    return files, folder / "store"


def test_sums_are_those_of_one_machine(session, made, profile):
    """Every number, bound and flag: in memory, on DuckDB and on Spark alike, to 1e-12."""
    pytest.importorskip("duckdb", reason="needs the extra tables")
    files, store = profile
    areas = ServiceAreas.from_frame(synthetic.service_areas(made, count=5, seed=4), id="area_id")
    crosswalk = lipgeo.build_crosswalk(made.zones("DA"), areas, weight="population")
    memory = lipgeo.weight_table(lipgeo.read_profile(files), crosswalk)
    names = list(memory.frame["variable"].unique())
    assert len(names) > 15
    for engine in (None, lipgeo.spark.engine(session)):
        table = lipgeo.open_table(store, engine=engine)
        found = lipgeo.weight_table(table, crosswalk, variables=names)
        assert apart(found.frame, memory.frame) <= 1e-12
        assert found.report == memory.report


# ---------------------------------------------------------------- what a worker does, without Spark


@given(data=st.data())
@settings(max_examples=25)
def test_batches_in_any_order_make_the_overlay(data):
    """However units are cut into partitions and batches, together they make the kernel's result."""
    town = draw("aabb.c\naabbcc\nddeeff\nddeeff")
    units = town.geometry.to_numpy()
    outlines = Outlines(areas().geometry.to_numpy())
    whole = overlay(ArrayUnits(units), outlines)
    order = data.draw(st.permutations(range(len(units))))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(units) - 1))))
    rows = np.arange(len(units))[order]
    frame = pd.DataFrame(shapely.bounds(units[order]), columns=parts.COLUMNS[1:5])
    frame = frame.assign(row=rows, geometry=shapely.to_wkb(units[order]))
    batches = [frame.iloc[i:j] for i, j in zip([0, *cuts], [*cuts, len(units)], strict=True)]
    found = pd.concat(parts.shares(batches, parts.Areas.of(outlines, "here")))
    merged = parts.merge_overlays(*(found[name].to_numpy() for name in found.columns))
    for name, values in vars(whole).items():
        np.testing.assert_array_equal(getattr(merged, name), values, err_msg=name)


# ---------------------------------------------------------------- what is refused


def test_without_pyspark_the_extra_is_named(monkeypatch):
    """Without pyspark, the message names the extra to install."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MissingExtraError, match=r"\.\[spark\]"):
        lipgeo.spark.open_session("local[1]")
    with pytest.raises(MissingExtraError, match=r"\.\[spark\]"):
        sessions.require_fit(None)


def test_without_ibis_the_extra_is_named(monkeypatch):
    """Without ibis no table can be summed on Spark; the message names the extra."""
    monkeypatch.setattr(sessions, "require_fit", lambda session: session)
    monkeypatch.setitem(sys.modules, "ibis", None)
    with pytest.raises(MissingExtraError, match=r"ibis-framework.*\.\[spark\]"):
        lipgeo.spark.engine(None)


def java(folder: Path, said: str, status: int = 0) -> Path:
    """Write a java that says something about itself; return its JAVA_HOME."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit {status}\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ('openjdk version "11.0.2" 2019-01-15', r"Java 17 or later; .*bin/java is Java 11\."),
        ('java version "1.8.0_402"', r"is Java 8\."),
        ("Unrecognized option", r"does not say which Java it is.*Unrecognized option"),
    ],
)
def test_java_too_old(said, match, tmp_path, monkeypatch):
    """Another Java than 17 or later is refused: what is needed, what came, what to do."""
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "jdk", said)))
    with pytest.raises(EngineError, match=match):
        sessions._require_java()


@pytest.mark.parametrize("said", ['openjdk version "17.0.15"', 'java version "21" 2023-09-19'])
def test_java_new_enough(said, tmp_path, monkeypatch):
    """Java 17 and later are taken."""
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "jdk", said)))
    sessions._require_java()


def test_no_java(tmp_path, monkeypatch):
    """Without Java the message says which one, and how to say where it is."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"needs Java 17 or later, and no java.*JAVA_HOME"):
        sessions._require_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    with pytest.raises(EngineError, match=r"JAVA_HOME is .*gone, and there is no bin/java"):
        sessions._require_java()


def test_python_the_user_chose_is_kept(monkeypatch):
    """Spark's processes run this Python unless the user named one, and nothing stays behind."""
    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    monkeypatch.setenv("PYSPARK_DRIVER_PYTHON", "/opt/mine/python")
    with sessions._same_python():
        assert os.environ["PYSPARK_PYTHON"] == sys.executable
        assert os.environ["PYSPARK_DRIVER_PYTHON"] == "/opt/mine/python"
    assert "PYSPARK_PYTHON" not in os.environ
    assert os.environ["PYSPARK_DRIVER_PYTHON"] == "/opt/mine/python"


def test_what_is_no_session(session, stored, targets):
    """Something else than a session, and sessions of Spark Connect, are refused by name."""
    with pytest.raises(EngineError, match=r"Spark session is needed and str came"):
        lipgeo.spark.build_crosswalk("local[2]", stored.zones("DA"), targets)
    remote = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})()
    with pytest.raises(EngineError, match=r"Spark Connect, which cannot broadcast"):
        lipgeo.spark.engine(remote)
    with pytest.raises(InputError, match="planet"):
        lipgeo.spark.build_crosswalk(session, stored.zones("DA"), targets, by="planet")
    with pytest.raises(EngineError, match=r"level of a census is needed.*Zones came"):
        zones = lipgeo.Zones(["a"], [shapely.box(0, 0, 1, 1)], "EPSG:3347")
        lipgeo.spark.build_crosswalk(session, zones, targets)


def test_session_whose_workers_run_another_python(session, monkeypatch):
    """A session of the user's own whose workers would take another Python is told so."""
    context = session.sparkContext
    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    monkeypatch.setattr(context, "pythonExec", "no-such-python3")
    with pytest.raises(EngineError, match=r"would run no-such-python3, and this program runs"):
        sessions.require_fit(session)
    monkeypatch.setenv("PYSPARK_PYTHON", "no-such-python3")
    assert sessions.require_fit(session) is session


def test_stopped_session(session, monkeypatch):
    """A stopped session is told from one that works."""
    monkeypatch.setattr(session.sparkContext, "_jsc", None)
    with pytest.raises(EngineError, match=r"has been stopped"):
        sessions.require_fit(session)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "An error occurred while calling o1.getResult.\n: org.x.SparkException: Job aborted.\n"
            "\tat org.x.Run(Run.java:1)\nCaused by: java.io.IOException: Cannot run program "
            '"/no/python3": error=2, No such file\n\tat java.Process(Process.java:2)\n'
            "Caused by: java.io.IOException: error=2, No such file\n",
            'java.io.IOException: Cannot run program "/no/python3": error=2, No such file',
        ),
        (
            "An error occurred while calling None.X.\n: org.x.SparkException: Could not parse\n",
            "org.x.SparkException: Could not parse",
        ),
        (
            "\n  An exception was thrown.\nTraceback (most recent call last):\n"
            "  File \"w.py\", line 1, in f\nModuleNotFoundError: No module named 'lipgeo'\n",
            "ModuleNotFoundError: No module named 'lipgeo'",
        ),
        ("[PATH_NOT_FOUND] Path does not exist: file:/x. SQLSTATE: 42K03;\n'Project [a]", None),
        ("", "RuntimeError"),
    ],
)
def test_one_line_of_what_spark_said(said, reason):
    """Out of pages of Java and Python, the line that says what went wrong."""
    expected = reason or said.splitlines()[0]
    assert sessions.reason_of(RuntimeError(said)) == expected


def test_spark_that_does_not_start(monkeypatch):
    """Where Spark does not start, its own first line is said."""
    monkeypatch.setattr(sessions, "_require_java", lambda: None)

    class Builder:
        def __getattr__(self, _name):
            return lambda *_: self

        def getOrCreate(self):  # noqa: N802
            raise RuntimeError("Could not parse Master URL: 'nowhere'\nmore")

    fake = types.SimpleNamespace(
        SparkSession=types.SimpleNamespace(builder=Builder(), getActiveSession=lambda: None)
    )
    monkeypatch.setattr(sessions, "_pyspark", lambda: fake)
    with pytest.raises(EngineError, match=r"did not start on nowhere: Could not parse Master URL"):
        lipgeo.spark.open_session("nowhere")
