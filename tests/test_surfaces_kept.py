"""What a user had before a command is there after it: every command with a full target."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import commands
import pytest

from lipgeo import preview, read_build, write_build, write_order, write_template
from lipgeo.errors import OutputError
from lipgeo.files import is_ours
from lipgeo.store.results import BUILD

_PARTNERS = "thesis.docx"


@pytest.fixture(scope="module")
def demo(demonstration) -> Path:
    """A demonstration: a store, areas, a build."""
    return demonstration["store"].parent


def run(*arguments, cwd: Path) -> subprocess.CompletedProcess:
    """Run the command line as a process of its own."""
    return commands.run(*arguments, cwd=cwd, env={"LIPGEO_STORE": "none"})


def state(folder: Path) -> dict[str, str]:
    """Return the sum of each file under a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def writing_commands(demo: Path) -> dict[str, list]:
    """Return every command that writes, with ``OUT`` where its target goes."""
    table = next((demo / "census-files").glob("*"))
    areas, build = demo / "service-areas.gpkg", demo / "build"
    store = ["--store", demo / "store"]
    return {
        "demo": ["demo", "--out", "OUT"],
        "build": ["build", areas, "--out", "OUT", *store],
        "make": ["make", areas, "--out", "OUT", *store],
        "order": ["order", build, "--leave-out-empty", "--out", "OUT"],
        "compile": ["compile", demo, "--set", "x", "--out", "OUT", *store],
        "preview": ["preview", build, "--out", "OUT.html"],
        "preview as a picture": ["preview", build, "--out", "OUT.png"],
        "preview beside": ["preview", build, "--out", "new.html", "--pdf", "OUT.pdf"],
        "preview over a map of another's": ["preview", build, "--out", "OUT.gpkg"],
        "template": ["template", "--out", "OUT.xlsx"],
        "weight": ["weight", table, "--build", build, "--out", "OUT.csv"],
        "weight beside": ["weight", table, "--build", build, "--out", "OUT_of.csv"],
        "weight to a workbook": ["weight", table, "--build", build, "--out", "OUT.xlsx"],
        "compare": ["compare", areas, "--table", f"2021={table}", "--out", "OUT.csv", *store],
        "census add": ["census", "add", *sorted((demo / "census-files").iterdir()),
                       "--store", "OUT"],
    }  # fmt: skip


def test_no_command_touches_what_lipgeo_did_not_make(demo, tmp_path):
    """A folder and files of the user's are there, byte by byte, even with ``--replace``."""
    for name, arguments in writing_commands(demo).items():
        home = tmp_path / name
        (home / "OUT" / "2021").mkdir(parents=True)
        mine = ["OUT/thesis.docx", "OUT/manifest.json", "OUT/2021/notes.txt", "OUT_of_explain.csv"]
        mine += [f"OUT.{end}" for end in ("html", "png", "pdf", "gpkg", "xlsx", "csv")]
        for file in mine:
            (home / file).write_text('{"order": 7, "what": "a person\'s own work"}')
        before = state(home)
        given = [*arguments, *(["--replace"] if name != "census add" else [])]
        ended = run(*given, cwd=home)
        after = state(home)
        after.pop("OUT/.lock", None)  # an import leaves its lock in the store
        assert after == before, name
        assert ended.returncode == 2, (name, ended.stdout, ended.stderr)
        assert "Traceback" not in ended.stderr, (name, ended.stderr)


def test_results_give_way_only_where_asked_and_never_with_files_of_others(demo, tmp_path):
    """Results are refused, then replaced where asked, and never with guests in them."""
    fitted = read_build(demo / "build")
    page, sheet = preview(fitted), fitted.plot()
    writers = {
        "build": lambda path, **given: write_build(fitted, path, **given),
        "order": lambda path, **given: write_order(fitted, path, leave_out_empty=True, **given),
        "map.html": page.save,
        "map.png": sheet.save,
        "map.pdf": sheet.save,
        "intake.xlsx": write_template,
    }
    for name, write in writers.items():
        target = tmp_path / name
        write(target)
        first = state(tmp_path)
        with pytest.raises(OutputError, match="replace=True"):
            write(target)
        write(target, replace=True)
        assert set(state(tmp_path)) == set(first), name
        if target.is_dir():
            (target / _PARTNERS).write_text("mine")
            with pytest.raises(OutputError, match=_PARTNERS):
                write(target, replace=True)
            assert (target / _PARTNERS).read_text() == "mine"
        else:
            target.write_bytes(target.read_bytes()[::-1])
            with pytest.raises(OutputError, match="not a result"):
                write(target, replace=True)
    assert is_ours(tmp_path / "build", BUILD)


def test_a_template_that_somebody_filled_in_never_gives_way(tmp_path):
    """A workbook saved by a spreadsheet program is somebody's, though its marks are ours."""
    import openpyxl

    path = write_template(tmp_path / "intake.xlsx")
    book = openpyxl.load_workbook(path)
    book.worksheets[0]["B2"] = "3506008"
    book.save(path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="worked in it"):
        write_template(path, replace=True)
    assert path.read_bytes() == before


def test_a_picture_is_drawn_where_the_name_is_a_picture(demo, tmp_path):
    """``preview --out map.png`` and ``.pdf`` draw what their names say."""
    for ending, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        ended = run("preview", demo / "build", "--out", f"map.{ending}", cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert (tmp_path / f"map.{ending}").read_bytes().startswith(start)


def test_the_target_is_looked_at_before_the_work_begins(tmp_path):
    """A full target is refused even where nothing else of the call could work."""
    (tmp_path / "OUT").mkdir()
    (tmp_path / "OUT" / "a").write_text("a")
    for command in (["build", "none.gpkg"], ["order", "none"], ["compile", "none", "--set", "x"]):
        ended = run(*command, "--out", "OUT", cwd=tmp_path)
        assert ended.returncode == 2
        assert "never writes over it" in ended.stderr, ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("arguments", [["registry", "list"], ["registry", "list", "--json"],
                                       ["--help"], ["--version"]])  # fmt: skip
def test_output_that_cannot_be_written_is_a_sentence(arguments, tmp_path):
    """A full standard output ends with status 2 and a sentence."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "lipgeo", *arguments], stdout=full, stderr=subprocess.PIPE,
            text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "cannot be written to standard output" in ended.stderr
