"""What a user had before a command is there after it: every command with a full target."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import commands
import pandas as pd
import pytest

from lipgeo import (
    open_census,
    open_portal,
    preview,
    read_build,
    read_table,
    weight_areas,
    write_build,
    write_crosswalk,
    write_order,
    write_template,
)
from lipgeo.errors import OutputError
from lipgeo.files import is_ours, require_free
from lipgeo.order.manifest import ORDER
from lipgeo.portal.indicators.proposing import Proposal
from lipgeo.portal.pages.fast_facts import write_facts
from lipgeo.portal.sources.receiving import Receipt
from lipgeo.portal.wishlist import Wishlist
from lipgeo.report import CheckReport
from lipgeo.sealing import is_stamped
from lipgeo.store.results import BUILD, write_estimates

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


def edit_text(path):
    """Correct a number, or a letter, as a text editor does."""
    raw = path.read_bytes()
    at = next(k for k in range(len(raw) - 1, 0, -1) if raw[k : k + 1].isdigit())
    path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])


def edit_workbook(path):
    """Add a remark, as a script does that keeps the times a workbook tells."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    with zipfile.ZipFile(path, "w") as book:
        for name, part in parts.items():
            book.writestr(name, part.replace(b"</t>", b" (see notes)</t>", 1))


def edit_geopackage(path):
    """Add a column of notes, as QGIS does."""
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute("ALTER TABLE numbers ADD COLUMN notes TEXT")
        base.commit()


def edit_parquet(path):
    """Add a column of notes."""
    frame = pd.read_parquet(path)
    frame.assign(notes="asked again").to_parquet(path)


def append(path):
    """Append, as annotating a picture or a document does."""
    with path.open("ab") as stream:
        stream.write(b"% a remark")


def test_a_result_that_somebody_worked_in_never_gives_way(demo, tmp_path):
    """Every kind of file lipgeo writes: edited in the way of its kind it stays, byte by byte."""
    fitted = read_build(demo / "build")
    table = read_table(demo / "immigration.csv", vintage=fitted.crosswalk.vintage)
    numbers = weight_areas(open_census(demo / "store"), fitted.service_areas, table)
    shapes = fitted.service_areas.frame.geometry.where(
        fitted.service_areas.frame.geometry.notna(),
        fitted.areas.set_index("area_id").geometry,
    )
    page, sheet = preview(fitted), fitted.plot()
    empty = pd.DataFrame({"id": ["1"]}, dtype="string")
    receipt = Receipt(None, empty, empty.assign(accept="1"), CheckReport(), empty)
    wishes, rows = Wishlist(empty, empty), Proposal(empty, empty, empty)
    portal = open_portal(tmp_path / "portal", create=True, areas="on-ottawa")

    def estimates(path, **given):
        write_estimates(numbers, path, shapes=shapes, **given)

    def facts(path, **given):
        write_facts(portal, "on-ottawa", path, lang="en", **given)

    def propose(path, **given):
        rows.write(path.parent, 2021)

    kinds = {
        "numbers.csv": (estimates, edit_text),
        "numbers_missing.csv": (lambda path, **given: estimates(
            path.with_name("numbers.csv"), **given), edit_text),
        "numbers.xlsx": (estimates, edit_workbook),
        "numbers.gpkg": (estimates, edit_geopackage),
        "numbers.parquet": (estimates, edit_parquet),
        "x.parquet": (lambda path, **given: write_crosswalk(
            fitted.crosswalk, path, **given), edit_parquet),
        "map.html": (page.save, edit_text),
        "map.png": (sheet.save, append),
        "map.pdf": (sheet.save, append),
        "intake.xlsx": (write_template, edit_workbook),
        "city-en.html": (facts, edit_text),
        "city-en.docx": (facts, edit_workbook),
        "city-en.pdf": (facts, append),
        "city-en.xlsx": (facts, edit_workbook),
        "t.findings.csv": (receipt.write, edit_text),
        "wishes.csv": (wishes.write, edit_text),
        "wishes-places.csv": (lambda path, **given: wishes.write(
            path.with_name("wishes.csv"), **given), edit_text),
        "unsure_2021.csv": (propose, edit_text),
    }  # fmt: skip
    for name, (write, edit) in kinds.items():
        folder = tmp_path / name
        folder.mkdir()
        made = demo / "facts" / name if name.startswith("city") else demo / name
        if made.exists():
            shutil.copy2(made, folder / name)
        else:
            write(folder / name)
        assert is_stamped(folder / name), name
        first = state(folder)
        edit(folder / name)
        before = state(folder)
        assert before[name] != first[name]
        with pytest.raises(OutputError, match="worked in it"):
            write(folder / name, replace=True)
        assert state(folder) == before, name


@pytest.mark.parametrize("file", ["units.csv", "manifest.json"])
def test_a_folder_in_which_somebody_changed_a_file_never_gives_way(demo, tmp_path, file):
    """A table of a build that was corrected by hand is named, and nothing changes."""
    target = tmp_path / "build"
    shutil.copytree(demo / "build", target)
    edit_text(target / file)
    before = state(target)
    with pytest.raises(OutputError, match=file):
        write_build(read_build(demo / "build"), target, replace=True)
    assert state(target) == before


def test_sums_of_an_order_that_somebody_changed_never_give_way(demo, tmp_path):
    """The sums are listed nowhere, yet known: they follow from the manifest; copies are as good."""
    target = tmp_path / "order"
    shutil.copytree(demo / "order", target, copy_function=shutil.copy)
    assert require_free(target, ORDER, replace=True) == target
    edit_text(target / "SHA256SUMS")
    with pytest.raises(OutputError, match="SHA256SUMS"):
        require_free(target, ORDER, replace=True)


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
