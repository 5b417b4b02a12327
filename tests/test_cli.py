"""The command line as people use it: exit status, streams, languages, code pages."""

from __future__ import annotations

import json
import subprocess
import sys

import geopandas as gpd
import pandas as pd
import pytest
import toytown
from commands import run

from lipgeo import words
from lipgeo.census import Census, MemoryCensus
from lipgeo.cli import main
from lipgeo.store.results import read_build


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the toy town's census files in a store and its areas in a file."""
    folder = tmp_path_factory.mktemp("cli l'été #1")
    census = toytown.census()
    for level in ("DA", "DB"):
        units = census.units(level).reset_index()
        frame = gpd.GeoDataFrame(
            units[["unit_id", "population"]].rename(columns={"unit_id": f"{level}UID"}),
            geometry=census.data.geometry(level),
            crs="EPSG:3347",
        )
        frame.to_file(folder / f"l{level.lower()}_000b21a_e.gpkg")
    areas = toytown.areas()
    areas.to_file(folder / "areas.gpkg")
    added = run(
        "census",
        "add",
        folder / "lda_000b21a_e.gpkg",
        folder / "ldb_000b21a_e.gpkg",
        "--store",
        folder / "store",
    )
    assert added.returncode in (0, 1), added.stderr
    return folder


def test_help_is_quick_and_says_the_exit_status():
    """Help names the commands and what exit status means."""
    shown = run("--help")
    assert shown.returncode == 0
    for command in ("demo", "find", "check", "build", "preview", "census"):
        assert command in shown.stdout
    assert "2 wrong call" in " ".join(shown.stdout.split())


def test_import_loads_no_pandas():
    """`import lipgeo` costs nothing: pandas and geopandas load with first use."""
    assert heavy_after("import lipgeo") == "[]"


def test_help_loads_no_pandas():
    """`lipgeo --help` makes every command and loads nothing that data need: half a second."""
    assert heavy_after("import lipgeo.cli.app") == "[]"


def test_find_shows_the_first_and_counts_the_rest(monkeypatch, capsys):
    """Of many candidates twenty are shown, best first, and the others counted; --json has all."""
    ids = [f"35060{at:02}" for at in range(1, 31)]
    names = ["Windsor" if at == 29 else f"East Windsor {at}" for at in range(30)]
    units = pd.DataFrame({"unit_id": ids, "unit_name": names, "unit_type": "T"})
    census = Census(MemoryCensus(2021, {"CSD": units}, {}))
    monkeypatch.setattr("lipgeo.cli.app.open_store", lambda *_: census)
    with pytest.raises(SystemExit) as ended:
        main(["find", "Windsor"])
    assert not ended.value.code
    shown = capsys.readouterr().out
    rows = [line for line in shown.splitlines() if "Windsor " in line and "|" in line]
    assert len(rows) == 20
    assert "3506030" in rows[0]
    assert "the name" in rows[0]
    assert "... and 10 more" in shown
    with pytest.raises(SystemExit):
        main(["find", "Windsor", "--json"])
    assert len(json.loads(capsys.readouterr().out)) == 30


def heavy_after(code: str) -> str:
    """Return which large libraries a new process holds after some code."""
    code += (
        "; import sys; heavy = ('pandas', 'geopandas', 'shapely', 'numpy', 'pyarrow', 'rich'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return shown.stdout.strip()


def test_an_estimate_leads_the_choice_beside_what_is_known(place, tmp_path):
    """``--estimated`` is worked out from a table of the units, and the build tells its weight."""
    people, ids = toytown.POPULATION, toytown.DB_IDS
    rows = [f"{ids[one]},{count},{count // 2}" for one, count in people.items()]
    table, known = tmp_path / "held.csv", tmp_path / "known.csv"
    table.write_text("\n".join(["DBUID,population,immigrants", *rows, ""]), encoding="utf-8")
    known.write_text("area_id,population\n1,380\n2,60\n", encoding="utf-8")
    call = ["build", place / "areas.gpkg", "--id", "area_id", "--store", place / "store"]
    call += ["--unit", "DB", "--rule", "optimal", "--estimated", "immigrants=0.3"]
    lacking = run(*call, "--out", tmp_path / "none", "--controls", known)
    assert lacking.returncode == 2
    assert "--control-table" in lacking.stderr
    wrong = [*call[:-1], "immigrants", "--control-table", table, "--out", tmp_path / "none"]
    assert "immigrants=0.3" in run(*wrong).stderr
    call += ["--control-table", table]
    for extra, weights in (
        (["--controls", known], {"population": 1.0, "immigrants": 0.3}),
        ([], {"immigrants": 0.3}),
    ):
        out = tmp_path / str(len(extra))
        done = run(*call, *extra, "--out", out)
        assert done.returncode in (0, 1), done.stderr
        fitted = read_build(out).meta["optimal"]
        assert fitted["control_weight"] == weights
        assert set(fitted["deviation"]) == set(weights)


def test_build_writes_its_directory_and_prints_json_only(place, tmp_path):
    """With --json, stdout is one JSON document and the directory is whole."""
    shown = run(
        *("build", place / "areas.gpkg", "--id", "area_id", "--store", place / "store"),
        *("--out", tmp_path / "out", "--json"),
    )
    assert shown.returncode in (0, 1), shown.stderr
    result = json.loads(shown.stdout)
    assert {area["area_id"] for area in result["areas"]} == set(toytown.areas()["area_id"])
    assert {
        "areas.parquet",
        "units.csv",
        "cover.csv",
        "crosswalk.parquet",
        "membership.parquet",
        "checks.json",
        "manifest.json",
    } <= {path.name for path in (tmp_path / "out").iterdir()}


def test_one_command_makes_build_order_and_map(place, tmp_path):
    """From file to order and map: each as its own command makes it, all or nothing, replaceable."""
    call = ("make", place / "areas.gpkg", "--id", "area_id", "--store", place / "store")
    call = (*call, "--unit", "DB", "--keep", "1,2,3", "--out", tmp_path / "all")
    shown = run(*call, "--json")
    assert shown.returncode in (0, 1), shown.stderr
    result = json.loads(shown.stdout)
    assert [area["area_id"] for area in result["areas"]] == list(toytown.areas()["area_id"])
    assert {path.name for path in (tmp_path / "all").iterdir()} == {
        "build", "order", "map.html", "manifest.json",
    }  # fmt: skip
    run("build", *call[1:6], "--unit", "DB", "--out", tmp_path / "b")
    run("order", tmp_path / "b", "--keep", "1,2,3", "--out", tmp_path / "o")
    for name in ("send/concordance.csv", "manifest.json"):
        made = (tmp_path / "all" / "order" / name).read_bytes()
        assert made == (tmp_path / "o" / name).read_bytes()
    assert run("verify", tmp_path / "all" / "order").returncode == 0
    again = run(*call)
    assert (again.returncode, again.stdout) == (2, "")
    assert "already exists" in again.stderr
    replaced = run(*call, "--replace")
    assert replaced.returncode in (0, 1), replaced.stderr
    assert "Order written to" in replaced.stdout
    assert str(tmp_path / "all" / "order" / "for-you" / "checks.json") in replaced.stderr
    (tmp_path / "all" / "note.txt").write_text("mine")
    assert "note.txt" in run(*call, "--replace").stderr
    wrong = run(*call[:-1], tmp_path / "new", "--tables", "none.csv")
    assert wrong.returncode == 2
    assert not (tmp_path / "new").exists()


def test_a_list_of_units_is_areas_for_every_command(place, tmp_path):
    """Build, check, need and make take units as they take a file; wrong ones are told."""
    unit = f"DA:{toytown.DA_IDS['P']}"
    store = ("--store", place / "store")
    made = run("build", unit, "--as-one", "p", "--as-one-name-en", "Place P", *store,
               "--out", tmp_path / "p", "--json")  # fmt: skip
    assert made.returncode in (0, 1), made.stderr
    (area,) = json.loads(made.stdout)["areas"]
    assert (area["area_id"], area["unit_count"], area["misfit_share"]) == ("p", 1, 0.0)
    assert "Place P" in run("make", unit, "--as-one", "p", "--as-one-name-en", "Place P", *store,
                            "--keep", "p", "--out", tmp_path / "m").stdout  # fmt: skip
    assert run("check", unit, *store).returncode == 0
    wrong = run("check", "DA:35060999", *store)
    assert wrong.returncode == 1
    assert "35060999" in wrong.stderr
    needed = json.loads(run("census", "need", unit, "--store", tmp_path / "no", "--json").stdout)
    assert "lda_000b21a_e.zip" in [one["file"] for one in needed]


def test_results_are_not_written_over(place, tmp_path):
    """A second build into the same folder is refused with status 2 and no traceback."""
    call = ("build", place / "areas.gpkg", "--id", "area_id", "--store", place / "store", "--out")
    run(*call, tmp_path / "out")
    again = run(*call, tmp_path / "out")
    assert again.returncode == 2
    assert "already exists" in again.stderr
    assert "Traceback" not in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "none.gpkg", "--out", "x"), "none.gpkg"),
        (("build", "AREAS", "--id", "WARD", "--out", "x"), "There is no column WARD"),
        (("build", "AREAS", "--id", "area_id", "--unit", "CT", "--out", "x"), "needs the level CT"),
        (("build", "AREAS", "--id", "area_id", "--unit", "QQ", "--out", "x"), "'QQ' was given"),
        (("build", "AREAS", "--id", "area_id", "--vintage", "2016", "--out", "x"), "2016"),
        (("preview", "nowhere"), "is not a build directory"),
        (("build", "AREAS"), "--out"),
        (("census", "add", "nowhere.zip"), "nowhere.zip"),
        (("census", "add", "AREAS", "--map", "CSD"), "NAME=COLUMN"),
    ],
)
def test_wrong_calls_end_with_status_2_and_no_traceback(place, tmp_path, arguments, message):
    """A user's mistake is told in a sentence on stderr."""
    given = [str(place / "areas.gpkg") if word == "AREAS" else word for word in arguments]
    shown = run(*given, cwd=tmp_path, env={"LIPGEO_STORE": str(place / "store")})
    assert shown.returncode == 2, shown.stdout
    assert message in shown.stderr
    assert "Traceback" not in shown.stderr
    assert shown.stdout == ""


def test_what_cannot_be_found_is_told(place):
    """No name, a name where the census has none, and a file for a store: a sentence each."""
    nothing = run("find", " ", "--store", place / "store")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert "A name or a code is needed" in nothing.stderr
    unknown = run("find", "Nowhere at all", "--store", place / "store")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "has no names, so Nowhere at all cannot be found by name" in unknown.stderr
    wrong = run("find", "x", "--store", place / "store" / "2021" / "manifest.json")
    assert wrong.returncode == 2
    assert "A census store is a folder" in wrong.stderr


def test_check_names_rows_by_their_id_and_a_wrong_column_is_a_wrong_call(place, tmp_path):
    """Findings name areas by the column that is plainly the id; a column that is not there is 2."""
    areas = gpd.read_file(place / "areas.gpkg")
    layer = gpd.GeoDataFrame(
        {"area_id": ["north", "south"]}, geometry=[areas.geometry[0]] * 2, crs=areas.crs
    )
    layer.to_file(tmp_path / "two.gpkg")
    shown = run("check", tmp_path / "two.gpkg", "--store", place / "store")
    assert shown.returncode == 1
    assert "north" in shown.stderr
    assert "Zones 0" not in shown.stderr
    wrong = run("check", tmp_path / "two.gpkg", "--store", place / "store", "--group-by", "nope")
    assert wrong.returncode == 2
    assert "There is no column nope. Columns: area_id." in wrong.stderr


def test_french_is_spoken(place):
    """--lang fr anywhere turns help and messages to French."""
    shown = run("find", "nulle part", "--store", place / "store", "--lang", "fr")
    assert "n'a pas de noms" in shown.stderr
    assert "Langue des messages" in run("build", "--help", "--lang", "fr").stdout


def test_windows_code_page_does_not_crash(place):
    """Output redirected in cp1252 goes through, whatever signs it would hold."""
    shown = run(*("census", "list", "--store", place / "store", "--lang", "fr"), encoding="cp1252")
    assert shown.returncode == 0, shown.stderr
    assert "DA" in shown.stdout


def test_check_tells_and_find_finds(place):
    """`check` ends with 0 or 1 and a count; `find` finds a unit by its code."""
    shown = run("check", place / "areas.gpkg", "--store", place / "store", "--id", "area_id")
    assert shown.returncode in (0, 1)
    assert "findings" in shown.stdout
    unit = toytown.census().units("DA").index[0]
    found = run("find", unit, "--store", place / "store", "--json")
    assert json.loads(found.stdout)[0]["unit_id"] == unit


def test_preview_opens_without_a_network(place, tmp_path):
    """The page asks for nothing: no address in it is loaded, and Leaflet is inside."""
    run(
        *("build", place / "areas.gpkg", "--id", "area_id", "--store", place / "store"),
        *("--out", tmp_path / "out"),
    )
    shown = run("preview", tmp_path / "out", "--out", tmp_path / "map.html")
    assert shown.returncode == 0, shown.stderr
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "L.map(" in page
    assert 'src="http' not in page
    assert 'href="http' not in page.replace('href="https://leafletjs.com"', "")


def test_language_of_the_process_is_left_alone():
    """Speaking French for one call does not change the next."""
    with words.speaking("fr"):
        pass
    assert words.language() == "en"


def test_census_need_of_a_file_that_is_not_there(tmp_path):
    """A mistyped name is told, not answered with the files of any drawn area."""
    done = run("census", "need", "missing.gpkg", cwd=tmp_path)
    assert done.returncode == 2
    assert "There is no file missing.gpkg" in done.stderr
