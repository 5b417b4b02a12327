"""The house keeps its order: no room imports one above it, the core does no I/O, names agree."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lipgeo

PACKAGE = Path(lipgeo.__file__).parent
PYPROJECT = PACKAGE.parent / "pyproject.toml"
#: the contract inside one room, which a package of empty rooms has not
INNER = r"(?s)\[\[tool\.importlinter\.contracts\]\]\nname = \"Inside .*?\n\]\n"
CORE = {"geography", "zones", "census", "areas", "crosswalk", "boundary", "tables"}

pytestmark = pytest.mark.skipif(not PYPROJECT.exists(), reason="needs the checkout: pyproject.toml")


def contracts() -> tuple[dict, dict, dict]:
    """Return the contract of the layers, the one of the core and the one inside the portal."""
    linter = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers, core, inner = linter["contracts"]
    assert [one["type"] for one in (layers, core, inner)] == ["layers", "forbidden", "layers"]
    return layers, core, inner


def floors() -> list[list[str]]:
    """Return the rooms of each floor that are there, the highest first."""
    found = [re.findall(r"\w+", floor) for floor in contracts()[0]["layers"]]
    return [[room for room in floor if room in rooms()] for floor in found]


def rooms() -> set[str]:
    """Return what stands at the top of the package: folders with code, and files."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    return folders | files


def against_the_order() -> set[tuple[str, str]]:
    """Return every (room, other room) it may not import: those above, and those beside it."""
    found = set()
    for height, floor in enumerate(floors()):
        others = [other for above in floors()[:height] for other in above]
        found |= {(room, other) for room in floor for other in [*others, *floor] if other != room}
    return found


def build(folder: Path, planted: dict[str, str]) -> Path:
    """Build a package of empty rooms called as ours, its contract, and the lines planted in it."""
    for room in rooms():
        (folder / "lipgeo" / room).mkdir(parents=True)
        (folder / "lipgeo" / room / "__init__.py").touch()
        (folder / "lipgeo" / room / "thing.py").touch()
    (folder / "lipgeo" / "__init__.py").touch()
    houses = re.sub(INNER, "", PYPROJECT.read_text(encoding="utf-8"))
    (folder / "pyproject.toml").write_text(houses, encoding="utf-8")
    allowed = [line.split(" -> ") for line in contracts()[0]["ignore_imports"]]
    lines = [(importer, f"import {imported}") for importer, imported in allowed]
    lines += [(imported, "") for _, imported in allowed]
    for module, line in [*lines, *planted.items()]:
        path = folder.joinpath(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    return folder


def lint(folder: Path) -> tuple[bool, str]:
    """Return whether import-linter keeps all contracts, and what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()",
         "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "400", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )  # fmt: skip
    assert "Contracts: " in done.stdout, done.stdout + done.stderr
    return done.returncode == 0, done.stdout


def broken(printed: str) -> set[tuple[str, str]]:
    """Return the planted imports that are named as broken: module and what it imports."""
    return set(re.findall(r"lipgeo\.(\w+\.to_\w+) -> (\S+)", printed))


def test_the_contract_names_every_room():
    """Each room stands on one floor, and each room of the core is held to do no I/O."""
    listed = [room for floor in floors() for room in floor]
    assert sorted(listed) == sorted(rooms())
    layers, core, inner = contracts()
    assert layers["exhaustive"]
    assert layers["exhaustive_ignores"] == []
    assert {f"lipgeo.{room}" for room in CORE} <= set(core["source_modules"])
    assert inner["exhaustive"], inner


def test_an_orderly_house_is_kept(tmp_path):
    """Rooms that import those below them, one floor after the other, break nothing."""
    down = {
        f"lipgeo.{room}.down": f"import lipgeo.{below}.thing"
        for upper, lower in zip(floors(), floors()[1:], strict=False)
        for room in upper
        for below in lower
    }
    kept, printed = lint(build(tmp_path, down))
    assert kept, printed


def test_an_import_upward_or_sideways_is_refused_in_every_room(tmp_path):
    """One import from each room of each room above or beside it: all are named, one by one."""
    planted = against_the_order()
    assert {room for room, _ in planted} == rooms() - {"__main__"}
    lines = {f"lipgeo.{room}.to_{other}": f"import lipgeo.{other}.thing" for room, other in planted}
    kept, printed = lint(build(tmp_path, lines))
    assert not kept
    expected = {(f"{room}.to_{other}", f"lipgeo.{other}.thing") for room, other in planted}
    assert expected - broken(printed) == set()


def test_a_room_that_no_floor_names_is_refused(tmp_path):
    """A new folder or file at the top has to be given its place, though it imports nothing."""
    for name in ("attic", "cellar"):
        assert name not in rooms()
    folder = build(tmp_path, {"lipgeo.attic.thing": ""})
    (folder / "lipgeo" / "attic" / "__init__.py").touch()
    (folder / "lipgeo" / "cellar.py").touch()
    kept, printed = lint(folder)
    assert not kept
    assert "attic" in printed
    assert "cellar" in printed


def test_input_and_output_are_refused_in_the_core(tmp_path):
    """Each room of the core, and each library or module that reads and writes: all are named."""
    core = contracts()[1]
    sources = [name.removeprefix("lipgeo.") for name in core["source_modules"]]
    assert {"pathlib", "io", "tempfile", "pyogrio", "folium"} <= set(core["forbidden_modules"])
    planted = {
        f"lipgeo.{room}.to_{name}": f"import {name}"
        for room in sources
        for name in core["forbidden_modules"]
    }
    kept, printed = lint(build(tmp_path, planted))
    assert not kept
    expected = {
        (f"{room}.to_{name}", name) for room in sources for name in core["forbidden_modules"]
    }
    assert expected - broken(printed) == set()


def test_no_room_imports_the_root():
    """The package itself is no floor: its names are for users, and load everything."""
    importers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                root = any(alias.name == "lipgeo" for alias in node.names)
            else:
                root = (
                    isinstance(node, ast.ImportFrom)
                    and node.module == "lipgeo"
                    and any(alias.name not in rooms() for alias in node.names)
                )
            if root:
                importers.add(path.relative_to(PACKAGE).as_posix())
    assert importers == set()


def test_public_names_are_typed_where_they_live():
    """``__init__.pyi``, the table of names that load on first use, and ``__all__`` agree."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    typed, listed = {}, None
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, f"{alias.name} is not handed on"
                typed[alias.name] = node.module
        elif isinstance(node, ast.Assign):
            listed = ast.literal_eval(node.value)
    files = {name: f"lipgeo.{file}" for name, file in lipgeo._FILES.items()}
    modules = dict.fromkeys(lipgeo._MODULES, "lipgeo")
    assert typed == {**files, **modules, "__version__": "lipgeo._version"}
    assert sorted(listed) == sorted(lipgeo.__all__)
    assert len(set(lipgeo.__all__)) == len(lipgeo.__all__)
    for name, module in files.items():
        assert getattr(importlib.import_module(module), name) is getattr(lipgeo, name)
