"""A census that lipgeo does not know is data, not code; without its facts it is refused.

The made census of 2026 stands in ``census_2026/facts``; ``census_2026/journey.py`` takes its files
through store, fit, order and comparison in a process of its own, once for all these tests.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import lipgeo
from lipgeo import (
    add_census,
    facts,
    geography,
    open_census,
    read_profile,
    read_table,
    write_template,
)
from lipgeo.cli import main
from lipgeo.errors import FileError, InputError, LipgeoError
from lipgeo.geography import hierarchy, parse_dguids
from lipgeo.portal.coming import add_expected
from lipgeo.readers.statcan.attributes import read_attributes
from lipgeo.words import speaking

_HERE = Path(__file__).parent / "census_2026"
_NOT_YET = {"en": "not published yet", "fr": "pas encore publié"}


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    """What the journey of the made census of 2026 leaves."""
    folder = tmp_path_factory.mktemp("journey")
    paths = os.pathsep.join([str(_HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, _HERE / "journey.py", folder],
        env={**os.environ, "LIPGEO_FACTS": str(_HERE / "facts"), "PYTHONPATH": paths},
        capture_output=True, text=True, encoding="utf-8", errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_a_new_census_is_known_by_its_facts_alone(journey):
    """Its year, its DGUIDs and the order of its electoral districts come from the folder."""
    known = json.loads((journey / "known.json").read_text())
    assert known["vintages"] == [2006, 2011, 2016, 2021, 2026]
    assert known["dguid"] == "2026S051335060001001"
    assert known["fed"] == [2021, 2026]


def test_a_new_census_is_stored_with_its_own_dguids(journey):
    """The store holds both censuses, each with its year in the DGUIDs and all its people."""
    for year in (2021, 2026):
        blocks = pd.read_parquet(journey / "store" / str(year) / "DB.parquet")
        assert blocks["dguid"].str.startswith(f"{year}S0513").all()
        csd = pd.read_csv(journey / str(year) / f"population_dwellings_csd_{year}.csv")
        assert blocks["population"].sum() == csd["population"].sum() > 10_000


def test_a_new_census_is_fitted_and_ordered(journey):
    """The order says 2026 in its manifest, its file names and the DGUIDs of its units."""
    manifest = json.loads((journey / "build" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["parameters"]["vintage"] == 2026
    assert (journey / "order" / "for-you" / "areas_2026.gpkg").is_file()
    listed = pd.read_csv(journey / "order" / "send" / "concordance.csv", dtype=str)
    assert set(listed["VINTAGE"]) == {"2026"}
    assert listed["DGUID"].str.startswith("2026S0512").all()
    truth = pd.read_csv(journey / "2026" / "truth.csv", dtype={"unit_id": str}, index_col=0)
    people = listed.groupby("CUSTOM_ID")["UNIT_CODE"].apply(
        lambda units: truth["population"][units].sum()
    )
    areas = pd.read_csv(journey / "order" / "for-you" / "areas.csv", index_col="CUSTOM_ID")
    assert areas["POPULATION"].to_dict() == people.to_dict()


def test_a_new_census_is_compared_with_the_one_before(journey):
    """Every number of 2021 is brought to the areas and set beside that of 2026."""
    found = pd.read_csv(journey / "comparison.csv")
    assert set(found["year"]) == {2021}
    assert set(found["current_year"]) == {2026}
    assert found["status"].eq("comparable").all()
    assert len(found) == 4
    # the made country grew by about as much everywhere: so did its areas
    people = found[found["variable"].eq("population")]
    grown = [
        pd.read_csv(journey / str(year) / "truth.csv")["population"].sum() for year in (2021, 2026)
    ]
    assert (people["current"] / people["baseline"]).tolist() == pytest.approx(
        [grown[1] / grown[0]] * 2, rel=0.1
    )


def test_a_new_census_goes_through_a_portal_in_two_tranches(journey):
    """What has not come says expected and then has its number; boundaries are realised apart."""
    text = (journey / "site" / "indicator--immigrants-members.html").read_text("utf-8")
    cells = re.findall(r"<td>2026 Census</td><td[^>]*>([^<]*)<", text)
    assert cells == ["Expected"] * 3
    portal = lipgeo.open_portal(journey / "portal")
    whole = portal.frame()
    marked = add_expected(whole, whole, portal.coming, portal.dictionary)
    there = marked[marked["indicator"].eq("immigrants") & marked["period"].eq("2026")]
    # the areas that were realised by estimates still wait for their numbers
    symbols = dict(zip(there["area_id"], there["symbol"], strict=True))
    assert symbols == {"town": "", "lip-001": "expected", "lip-002": "expected"}
    frame = portal.frame("town", "immigrants")
    assert set(frame["period"]) == {"2021", "2026"}
    assert set(frame["origin"]) == {"published"}
    realised = portal.realisations.set_index(["area_id", "vintage"])
    for area in ("lip-001", "lip-002"):
        hashes = realised.loc[area, "realisation_hash"]
        assert hashes["2021"] != hashes["2026"]
    # the town of 2021 in the new census: its own list, and a misfit that was measured
    assert realised.loc[("town", "2021"), "misfit"] == 0.0
    assert realised.loc[("town", "2026"), "misfit"] >= 0.0
    assert len(set(realised.loc["town", "realisation_hash"])) == 2
    # what is expected has no ground yet, and no origin
    page = (journey / "site" / "fr" / "town-members.html").read_text("utf-8")
    assert "Personne n'a mesuré" not in html.unescape(page)
    assert "Attendu</strong> <small>" not in page
    assert "Recensement de 2026, à venir" in page
    # nobody has looked at the questions: the series is marked, and says why
    joined = portal.joins("town", "immigrants").iloc[0]
    assert (joined["from_period"], joined["to_period"], joined["verdict"]) == (
        "2021", "2026", "caution",
    )  # fmt: skip
    assert "nobody has looked" in joined["reason_en"]


def test_all_that_a_new_census_needed_is_data(journey):
    """The portal's own folder has tables of rows; no module of the library names the census."""
    written = sorted(path.name for path in (journey / "portal" / "dictionary").iterdir())
    assert written == ["comparability_2026.csv", "indicator_rows_2026.csv", "unsure_2026.csv"]
    package = Path(lipgeo.__file__).parent
    for path in (*package.rglob("*.py"), *package.rglob("*.csv")):
        text = path.read_text("utf-8")
        told = [line for line in text.splitlines() if re.search(r"(?<![\d-])2026(?![\d-])", line)]
        code = [line for line in told if not line.lstrip().startswith(("#", ">>>", "..."))]
        assert not any(re.search(r"(==|in|if) .*2026", line) for line in code), path


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_without_its_facts_a_census_to_come_is_refused_by_every_command(lang, tmp_path, capsys):
    """``--vintage 2026`` says that it is not published yet, whatever is or is not in the store."""
    areas, store = tmp_path / "areas.gpkg", tmp_path / "store"
    commands = {
        "build": [areas], "check": [areas], "find": ["Ottawa"], "gaps": [], "template": [],
        "weight": [areas, "--areas", areas],
        "census need": [areas], "census fetch": [areas], "census add": [areas],
        "compile": [tmp_path, "--set", "x"],
    }  # fmt: skip
    for command, words in commands.items():
        with speaking(lang), pytest.raises(SystemExit) as ended:
            main([*command.split(), *map(str, words), "--vintage", "2026", "--store", str(store),
                  "--lang", lang])  # fmt: skip
        assert ended.value.code == 2, command
        assert _NOT_YET[lang] in capsys.readouterr().err, command
    with speaking(lang), pytest.raises(SystemExit) as ended:
        main(["compare", str(areas), "--table", f"2026={areas}", "--lang", lang])
    assert ended.value.code == 2
    assert _NOT_YET[lang] in capsys.readouterr().err


def test_without_its_facts_no_file_of_a_census_to_come_is_read_as_another_s(journey, tmp_path):
    """Store, boundary files, attribute file, profile and ids of 2026 are each refused."""
    files = journey / "2026"
    boundaries, attributes = files / "lda_000b26a_e.zip", files / "2026_92-151_X.zip"
    profile = next(files.glob("98-401-X2026006*.csv"))
    ids = pd.DataFrame({"DGUID": ["2026S051235060001"], "people": [1]})
    ids.to_csv(tmp_path / "table.csv", index=False)
    attempts = {
        "store": lambda: open_census(journey / "store", 2026),
        "boundaries": lambda: add_census(tmp_path / "s", [boundaries]),
        "boundaries said to be of 2021": lambda: add_census(
            tmp_path / "s", [boundaries], vintage=2021
        ),
        "attribute file": lambda: read_attributes(attributes),
        "attribute file said to be of 2021": lambda: read_attributes(attributes, vintage=2021),
        "profile": lambda: read_profile(profile, level="DA"),
        "table by DGUID": lambda: read_table(tmp_path / "table.csv"),
        "dguids": lambda: parse_dguids(ids["DGUID"]),
        "restored ids": lambda: geography.require_ids(ids["DGUID"], "DA", 2021),
        "listed units": lambda: geography.parse_units(ids["DGUID"], 2021),
        "workbook": lambda: write_template(tmp_path / "x.xlsx", vintage=2026),
    }
    for lang in ("en", "fr"):
        for name, attempt in attempts.items():
            with speaking(lang), pytest.raises(LipgeoError) as refused:
                attempt()
            # a list or a profile says what of 2026 it met, the others that it is not published yet
            told = "2026" if name in ("profile", "restored ids") else _NOT_YET[lang]
            assert told in str(refused.value), name
            assert "2026" in str(refused.value), name


def test_a_folder_of_facts_that_cannot_be_used_is_refused_whole(tmp_path, monkeypatch):
    """A missing folder, a misspelt table and a broken one are named, all at once."""
    read = facts._own_tables.__wrapped__
    monkeypatch.setenv(facts.FACTS_FOLDER, str(tmp_path / "nowhere"))
    with pytest.raises(FileError, match=r"LIPGEO_FACTS names the folder .*nowhere"):
        read()
    monkeypatch.setenv(facts.FACTS_FOLDER, str(tmp_path))
    (tmp_path / "geografy.toml").write_text("")
    (tmp_path / "sources.toml").write_text("[boundaries")
    (tmp_path / "README.md").write_text("A note.")
    with pytest.raises(FileError, match=r"geografy\.toml.*sources\.toml") as refused:
        read()
    assert [row["file"] for row in refused.value.rows] == ["geografy.toml", "sources.toml"]


def test_a_census_without_a_needed_fact_is_refused_whole(monkeypatch):
    """A census that the table names and does not describe is refused with all that lacks."""
    table = json.loads(json.dumps(hierarchy.facts()))
    table["vintages"]["2026"] = {"traits": []}
    monkeypatch.setattr(hierarchy, "fact_table", lambda name: table)
    with pytest.raises(InputError, match="does not say this of a census") as refused:
        hierarchy.facts.__wrapped__()
    lacking = [row["needed"] for row in refused.value.rows]
    assert "levels.DB.form.2026" in lacking
    assert "levels.FED.years.2026" in lacking
    assert "floors.floor_blocks.certainty.2026" in lacking


def test_facts_go_over_those_that_lipgeo_carries():
    """Tables merge, lists of tables are put on end, everything else is replaced."""
    below = {"a": {"x": 1, "y": [1]}, "rows": [{"n": 1}], "list": [1, 2]}
    above = {"a": {"y": [2], "z": 3}, "rows": [{"n": 2}], "list": [3], "new": {"b": 1}}
    assert facts._put_over(below, above) == {
        "a": {"x": 1, "y": [2], "z": 3}, "rows": [{"n": 1}, {"n": 2}], "list": [3], "new": {"b": 1},
    }  # fmt: skip
    assert below["list"] == [1, 2]


def test_the_guide_shows_the_facts_that_the_journey_goes_by():
    """What the guide prints for a new census is what the made one of these tests is made of."""
    guide = (_HERE.parents[1] / "docs" / "how-to" / "put-in-a-new-census.md").read_text("utf-8")
    shown = re.findall(r"<!-- file: facts-2026/(\S+) -->\n```toml\n(.*?)```", guide, re.DOTALL)
    assert [name for name, _ in shown] == ["geography.toml", "layouts.toml"]
    for name, text in shown:
        assert tomllib.loads(text) == tomllib.loads((_HERE / "facts" / name).read_text("utf-8"))
