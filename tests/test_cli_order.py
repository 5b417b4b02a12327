"""``lipgeo order``, ``verify`` and ``diff`` as people use them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import toytown
from commands import run

from lipgeo import fit_boundaries, write_build
from lipgeo.areas import ServiceAreas


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a build of the toy town."""
    folder = tmp_path_factory.mktemp("l'été #2")
    areas = ServiceAreas.from_frame(toytown.areas(), id="area_id")
    write_build(fit_boundaries(toytown.census(), areas, unit="DB"), folder / "build")
    return folder


def test_order_verify_and_diff(place) -> None:
    """Written with findings: status 1; verified: 0; the same again: no difference."""
    (place / "tables.csv").write_text("table\nT1 income\n", encoding="utf-8")
    made = run("order", place / "build", "--out", place / "one", "--tables", place / "tables.csv",
               "--contact", "Clerk", "--keep", "3")  # fmt: skip
    assert made.returncode == 1, made.stderr
    # the build said it, so it is counted and not said again
    assert "below the floor" not in made.stderr
    assert "not repeated here (2 warnings" in made.stderr
    assert str(place / "one") in made.stdout
    again = run("order", place / "build", "--out", place / "two", "--since", place / "one",
                "--json", "--keep", "3")  # fmt: skip
    assert again.returncode == 1
    assert {f["check"] for f in json.loads(again.stdout)["findings"]} >= {"below_floor"}
    proven = run("verify", place / "one")
    assert proven.returncode == 0, proven.stderr
    assert "whole and unchanged" in proven.stdout
    told = run("diff", place / "one", place / "two", "--json")
    assert told.returncode == 0
    assert json.loads(told.stdout)["changed"] == []
    assert (
        "Nothing changed: 3 areas are the same" in run("diff", place / "one", place / "two").stdout
    )
    (place / "two" / "send" / "README.txt").write_text("other", encoding="utf-8")
    found = run("verify", place / "two", "--json")
    assert found.returncode == 1
    assert [f["subject"] for f in json.loads(found.stdout)["findings"]] == ["send/README.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("order", "nowhere", "--out", "x"), "not a build directory"),
        (("order", "build", "--out", "build"), "already exists"),
        (("order", "build", "--out", "x", "--template", "none.toml"), "cannot be read"),
        (("order", "build", "--out", "x", "--since", "build"), "an order is needed"),
        (("verify", "build", "--lang", "fr"), "il faut une commande"),
        (("diff", "nowhere", "build"), "is not an order"),
    ],
)
def test_wrong_calls_end_with_status_2_and_no_traceback(place, arguments, message) -> None:
    """A user's mistake is told in a sentence on stderr, in the language asked for."""
    shown = run(*arguments, cwd=place)
    assert shown.returncode == 2, shown.stdout
    assert message in shown.stderr
    assert "Traceback" not in shown.stderr
    assert not (place / "x").exists()
