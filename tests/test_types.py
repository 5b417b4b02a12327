"""Types reach the user's editor: checkers find the mistakes of a script, and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lipgeo

ROOT = Path(lipgeo.__file__).resolve().parents[1]
#: a user's script; the lines that say so hold a mistake each
SCRIPT = '''"""From a file of areas to an order, a map and numbers."""

import lipgeo

census = lipgeo.open_census("store")
areas = lipgeo.read_service_areas("areas.gpkg", id="area_id", census=census)
build = lipgeo.fit_boundaries(census, areas, unit="DA", rule="majority", by="population")
year: str = build.vintage  # mistake
print(build.areaz)  # mistake
lipgeo.fit_boundaries(census, "areas.gpkg")  # mistake
lipgeo.fit_boundaries(census, areas, by="people")  # mistake
lipgeo.fit_bounds(census, areas)  # mistake
table = lipgeo.read_table("table.csv", level="DA", vintage=2021)
lipgeo.read_table("table.csv", vintage="2021")  # mistake
estimates = lipgeo.weight_table(table, build.crosswalk, variables=["immigrants"])
lipgeo.weight_table(table, build.crosswalk, variable=["immigrants"])  # mistake
lipgeo.weight_table(table, build.crosswalk, variables=["immigrants_pct"], percent_of="population")
lipgeo.weight_table(table, build.crosswalk, percent_of=100)  # mistake
estimates.frame.to_csv("numbers.csv")
estimates.explain("west")  # mistake
order = lipgeo.write_order(build, "order", contact="Data desk")
lipgeo.write_order(build)  # mistake
page = lipgeo.preview(build, estimates=estimates, variable="immigrants")
page.save("map.html", replace=True)
page.write("map.html")  # mistake
page.save(3)  # mistake
past = lipgeo.compare(areas, {2021: (census, table)}, ["immigrants"])
lipgeo.compare(areas, 2021)  # mistake
print(lipgeo.verify_order(order).ok, past.frame["change"].sum(), census.zones("DA").ids[0])
census.zones(3)  # mistake
'''


def planted(script: str) -> list[int]:
    """Return the lines that hold a mistake."""
    return [at for at, line in enumerate(script.splitlines(), 1) if line.endswith("# mistake")]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Return a folder with the script, away from the project."""
    folder = tmp_path_factory.mktemp("types")
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    names = [name for name in lipgeo.__all__ if name != "__version__"]
    lines = ["import lipgeo", *(f"reveal_type(lipgeo.{name})" for name in names)]
    (folder / "names.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def run_mypy(place: Path, name: str) -> str:
    """Return what mypy says of a script, in its strict mode."""
    options = ["--strict", "--follow-imports=silent", "--no-error-summary", "--config-file="]
    return subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--cache-dir", place / "cache", name],
        cwd=place, env={**os.environ, "MYPYPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    ).stdout  # fmt: skip


def test_mypy_finds_each_mistake_and_no_other(place):
    """An error on each line with a mistake, none on the others."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    said = run_mypy(place, "script.py")
    found = {int(line) for line in re.findall(r"script\.py:(\d+): error", said)}
    assert sorted(found) == planted(SCRIPT), said


def test_no_public_name_is_of_any_type(place):
    """An editor knows every public name: its signature, class or module."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    said = run_mypy(place, "names.py")
    revealed = re.findall(r'note: Revealed type is "(.*)"', said)
    assert len(revealed) == len(lipgeo.__all__) - 1, said
    assert [one for one in revealed if one in ("Any", "builtins.object")] == []
    # a function of which nothing is known takes and gives anything
    assert [one for one in revealed if re.fullmatch(r"def \(\*.*Any.*\) -> Any", one)] == []


def test_pyright_finds_each_mistake_and_no_other(place):
    """The checker behind the most used editor agrees, where it is installed."""
    command = Path(sys.executable).with_name("pyright")
    if not command.exists():
        pytest.skip("pyright is not installed")
    (place / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(ROOT)]}))
    said = subprocess.run(
        [command, "--outputjson", "--pythonpath", sys.executable, "script.py"],
        cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not said.stdout.startswith("{"):
        pytest.skip(f"pyright does not run here: {said.stderr[:200]}")
    errors = [
        one for one in json.loads(said.stdout)["generalDiagnostics"] if one["severity"] == "error"
    ]
    assert sorted({one["range"]["start"]["line"] + 1 for one in errors}) == planted(SCRIPT), errors
