"""The map of the house is the house: its rooms, and the files that a change is said to touch."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import lipgeo

_PACKAGE = Path(lipgeo.__file__).parent
_TEXT = (_PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: what is no room: the package itself, its version, its entrance and the templates of its pages
_NO_ROOMS = {"__init__.py", "__init__.pyi", "__main__.py", "_version.py", "py.typed", "page"}


def _rows(heading):
    """Return the cells of the table under a heading."""
    part = _TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def test_every_room_is_one_line_of_the_map():
    """No room is missing from the map, and the map names none that is not there."""
    named = [cells[0].strip("`") for cells in _rows("The house")]
    rooms = {
        path.name for path in _PACKAGE.iterdir()
        if path.name not in _NO_ROOMS and path.name != "__pycache__"
    }  # fmt: skip
    assert sorted(named) == sorted(rooms)


def test_the_files_of_a_change_are_there():
    """Every file that the text names in code marks exists."""
    named = set(re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|toml|md))`", _TEXT))
    root = _PACKAGE.parent
    missing = [name for name in named if not ((root / name).exists() or (_PACKAGE / name).exists())]
    assert len(named) > 15
    assert missing == []


def test_no_census_year_stands_in_code():
    """Years are facts of the tables: a new census is data, not code."""
    known = {str(year) for year in (2001, 2003, 2006, 2011, 2013, 2016, 2021, 2023, 2026)}
    found = [
        f"{path.relative_to(_PACKAGE)}:{node.lineno} {node.value}"
        for path in sorted(_PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and str(node.value) in known
    ]
    assert found == []
