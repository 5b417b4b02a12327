"""Hostile strings through every input field to every output: shown as typed, never obeyed."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import commands
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import toytown
from browser import browser

from lipgeo import (
    CensusTable,
    ServiceAreas,
    compile_set,
    fit_boundaries,
    preview,
    read_build,
    read_table,
    synthetic,
    weight_table,
    write_build,
    write_order,
)
from lipgeo.errors import LipgeoError, OrderError
from lipgeo.files import unguard_csv, write_csv
from lipgeo.order import read_order
from lipgeo.readers.numbers import read_numbers
from lipgeo.registry.set_files import write_set
from lipgeo.report import CheckReport, Finding, Shown
from lipgeo.store.results import write_estimates
from lipgeo.tables import Variable
from lipgeo.words import say, visible

#: what a template, a page, a script, a spreadsheet, Markdown, XML, a path or a shell would obey
HOSTILE = [
    "{{ 6 * 7 }}", "{% raw %}", "{# gone #}", "{% for x in", "{0}", "%s%n", "${6*7}", "#{6*7}",
    "<script>window.acted=1</script>", "</script><script>window.acted=1</script>",
    "<img src=x onerror='window.acted=1'>", '"><svg onload=window.acted=1>',
    "javascript:window.acted=1", "</style><b>", "<!-- x", "]]>", "&lt;b&gt; &amp;", "&#106;",
    "';window.acted=1;//", "`${window.acted=1}`", "\\u003cscript>", "</title><script>1</script>",
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "=HYPERLINK(\"https://a.invalid\",\"x\")", "'=1+1",
    "''=1", "\uff1d1+1", "=cmd|' /C calc'!A0", "_x0041_", "DDE;A;B",
    "![x](https://a.invalid/p.png)", "[x](javascript:window.acted=1)", "https://a.invalid/x",
    "www.a.invalid", "# head", "- item", "1. item", "| a | b |", "`code`", "**bold** _it_ ~~no~~",
    "<https://a.invalid>", "[x]: https://a.invalid", "$x^2$", "a\\|b",
    "..", "../../../etc/passwd", "/etc/passwd", "C:\\x", "a/b\\c", "CON", "nul.txt", "a\"b", "a:b",
    "* ? < >", "$(id)", "`id`", "; id", "--out x", "~", "[bold red]x[/]", "[/]", "[link=x]y[/link]",
    "<ogr:x/>", "<?xml version='1.0'?>", "<!ENTITY a SYSTEM 'file:///etc/passwd'>", "%00", "%2e%2e",
    "d'Orl\u00e9ans, \u00ab x \u00bb", "x,y;z q",
]  # fmt: skip
#: what a terminal would obey, or what would show another text than there is
ESCAPES = ["\x1b]0;owned\x07", "\x1b[2J\x1b[31mred", "a\rb", "\x9b31m", "a\u202eb", "\u2066x\u2069",
           "a\x08\x08b", "\x7f", "a\u2028b", "\u200ex"]  # fmt: skip
_LEFT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def census():
    """A made census."""
    return synthetic.census(blocks=800, seed=5)


@pytest.fixture(scope="module")
def fitted(census):
    """Each hostile string the id, and both names, of an area of one block of a made census."""
    units = list(census.zones("DB").frame.index)
    rows = [
        {"area_id": f"{text} n{turn}", "unit": f"DB:{unit}", "name_en": text, "name_fr": text}
        for turn, (text, unit) in enumerate(zip(HOSTILE, units, strict=False))
    ]
    areas = ServiceAreas.from_units(pd.DataFrame(rows), census)
    return fit_boundaries(census, areas, unit="DB")


@pytest.fixture(scope="module")
def order(fitted, tmp_path_factory) -> Path:
    """The order of them, through a build on disk; a hostile contact, title and variable."""
    folder = tmp_path_factory.mktemp("hostile")
    build = read_build(write_build(fitted, folder / "build"))
    tables = [{"table": text, "title": text, "variables": ""} for text in HOSTILE[:20]]
    return write_order(
        build, folder / "order", tables=tables, contact=HOSTILE[33], keep=build.areas["area_id"]
    )


def test_names_come_back_as_typed_from_every_file_of_data(fitted, order):
    """GeoJSON, KML, GeoPackage, shapefile, CSV, workbook and manifest hold the very strings."""
    names = set(HOSTILE)
    year = fitted.vintage
    held = {
        "geojson": gpd.read_file(order / "for-you" / f"areas_{year}.geojson"),
        "gpkg": pyogrio.read_dataframe(order / "for-you" / f"areas_{year}.gpkg", layer="areas"),
        "dbf": gpd.read_file(order / "send" / f"areas_{year}.zip"),
    }
    for surface, frame in held.items():
        column = next(name for name in frame if name.casefold() in ("name_en", "name"))
        assert {text.rstrip() for text in frame[column]} == names, surface
    manifest = json.loads((order / "manifest.json").read_text("utf-8"))
    assert {area["name_fr"] for area in manifest["areas"]} == names
    with zipfile.ZipFile(order / "for-you" / f"areas_{year}.kmz") as archive:
        root = ElementTree.fromstring(archive.read("doc.kml"))
    placed = {place.findtext("{*}name") for place in root.iter("{*}Placemark")}
    placed |= {place.findtext("{http://www.opengis.net/kml/2.2}name")
               for place in root.iter("{http://www.opengis.net/kml/2.2}Placemark")}  # fmt: skip
    assert placed - {None} == names
    raw = (order / "for-you" / "areas.csv").read_text("utf-8-sig")
    cells = pd.DataFrame(list(csv.DictReader(io.StringIO(raw))))
    assert set(unguard_csv(cells["AREA_NAME_EN"].astype("string"))) == names
    book = openpyxl.load_workbook(order / "send" / "concordance.xlsx")
    texts = {cell.value for row in book["areas"].iter_rows() for cell in row}
    assert names <= texts


def test_no_cell_of_any_table_is_a_formula(order):
    """No CSV cell starts as a formula does, and every text of a workbook is text."""
    for path in order.rglob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text("utf-8-sig"))):
            for cell in row:
                assert not re.match(r"[=+@\t\r\uff1d]|-(?![\d.])", cell), (path.name, cell)
    for path in order.rglob("*.xlsx"):
        for page in openpyxl.load_workbook(path):
            for row in page.iter_rows():
                assert all(cell.data_type != "f" and cell.hyperlink is None for cell in row)


def test_every_text_comes_back_from_a_csv(tmp_path):
    """The apostrophe put before a formula is told from an apostrophe of the text's own."""
    texts = pd.Series([*HOSTILE, *ESCAPES, "'x", "'", "''", "-", "=", "'-1"], dtype="string")
    held = tmp_path / "texts.csv"
    write_csv(pd.DataFrame({"=head": texts}), held)
    back = pd.read_csv(held, dtype="string", encoding="utf-8-sig", keep_default_na=False)
    assert list(back.columns) == ["'=head"]
    assert [t.replace("\r\n", "\n") for t in unguard_csv(back["'=head"])] == list(texts)


def test_ids_are_never_paths(order):
    """Every file of the order lies in it, under a name that any system takes."""
    files = [path for path in order.parent.rglob("*") if path.is_file()]
    assert all(re.fullmatch(r"[\w.-]{1,120}", path.name) for path in files)
    assert len(list((order / "for-you" / "areas").iterdir())) == len(HOSTILE)


def test_readmes_show_names_as_typed(order):
    """The READMEs hold every name: as text on its own, as a page without markup of a name."""
    typed = {" ".join(one.split()) for one in HOSTILE}
    for name in ("README", "LISEZMOI"):
        text = (order / "send" / f"{name}.txt").read_text("utf-8-sig")
        lines = {" ".join(line.split()) for line in text.splitlines()}
        assert all(any(one in line for line in lines) for one in typed), name
        page = (order / "send" / f"{name}.html").read_text("utf-8")
        assert not re.search(r"<(img|script|svg|a|b|em|del)\b", page), name
        cells = re.findall(r"<td[^>]*>(.*?)</td>", page, re.S)
        assert typed <= {" ".join(html.unescape(cell).split()) for cell in cells}, name


def test_pages_obey_nothing_and_ask_nothing(fitted, order, tmp_path):
    """Chromium opens the map, the checks and a notebook's card: no script of a name has run."""
    report = CheckReport(Finding("x", "warning", text, text) for text in HOSTILE)
    pages = {
        "map.html": (order / "for-you" / "map.html").read_text("utf-8"),
        "titled.html": preview(fitted, title=" ".join(HOSTILE), beside=fitted).html,
        "checks.html": (order / "for-you" / "checks.html").read_text("utf-8"),
        "findings.html": report._repr_html_(),
        "card.html": fitted.service_areas._repr_html_(),
        "notebook.html": preview(fitted)._repr_html_(),
    }
    with browser() as chrome:
        context = chrome.new_context(offline=True)
        for name, html in pages.items():
            path = tmp_path / name
            path.write_text(f"<meta charset=utf-8>{html}" if "<!DOCTYPE" not in html else html)
            page, asked, wrong = context.new_page(), [], []
            page.on("request", lambda one, asked=asked: asked.append(one.url))
            page.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
            page.on("dialog", lambda one, wrong=wrong: (wrong.append("dialog"), one.dismiss()))
            page.goto(path.as_uri())
            page.wait_for_timeout(300)
            assert not wrong, (name, wrong)
            assert all(u.startswith(("data:", "about:", "file:")) for u in asked), (name, asked)
            assert [u for u in asked if u.startswith("file:")] == [path.as_uri()], name
            for frame in page.frames:
                assert frame.evaluate("() => window.acted === undefined"), name
                assert frame.evaluate(
                    "() => !document.querySelector('img[src=x], main svg[onload]')"
                )
            if name in ("map.html", "titled.html"):
                shown = page.evaluate("() => document.body.textContent")
                missing = [t for t in HOSTILE if " ".join(t.split()) not in " ".join(shown.split())]
                assert missing == [], name


@pytest.fixture(scope="module")
def weighted(census):
    """Two areas, and a table whose units, variables, labels and notes are hostile."""
    texts = [*HOSTILE, *ESCAPES]
    units = list(census.zones("DB").frame.index)[: len(texts)]
    rows = [
        {"area_id": "ab"[at % 2], "unit": f"DB:{unit}", "name_en": "x"}
        for at, unit in enumerate(units)
    ]
    areas = ServiceAreas.from_units(pd.DataFrame(rows), census)
    fitted = fit_boundaries(census, areas, unit="DB")
    values = np.arange(20.0, 20.0 + len(units) * len(texts)).reshape(len(units), len(texts))
    frame = pd.DataFrame(values, index=pd.Index(units, name="unit_id"), columns=texts)
    symbols = pd.DataFrame("", index=frame.index, columns=texts)
    symbols.iloc[0], frame.iloc[0] = "x", np.nan
    table = CensusTable(
        frame,
        {text: Variable(text, "count", name_en=text, name_fr=text) for text in texts},
        level="DB",
        vintage=census.vintage,
        symbols=symbols,
        names=pd.Series(texts[: len(units)], index=frame.index),
        notes=CheckReport(Finding("x", "warning", text, text) for text in texts),
    )
    return table, weight_table(table, fitted.membership), fitted


def test_variables_of_tables_come_back_as_typed(weighted, tmp_path):
    """Workbook, CSV, GeoPackage and Parquet of numbers hold the very names; none is a formula."""
    _, estimates, fitted = weighted
    assert estimates.frame["value"].notna().all()
    outlines = fitted.areas.set_index("area_id").geometry
    for ending in ("xlsx", "csv", "gpkg", "parquet"):
        path = tmp_path / f"n.{ending}"
        shapes = outlines if ending == "gpkg" else None
        write_estimates(estimates, path, shapes=shapes, explain=HOSTILE[:3])
        held = set(read_numbers(path).frame["variable"])
        assert held == {*HOSTILE, *ESCAPES}, ending
    for page in openpyxl.load_workbook(tmp_path / "n.xlsx"):
        assert all(c.data_type != "f" and not c.hyperlink for row in page.iter_rows() for c in row)
    for path in tmp_path.glob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text("utf-8-sig"))):
            assert not any(re.match(r"[=+@\t\r\uff1d]|-(?![\d.])", cell) for cell in row), path.name


def test_tables_show_hostile_words_and_obey_none(weighted, tmp_path):
    """Cards, texts, sentences and the map of a variable: names of units, variables and labels."""
    table, estimates, fitted = weighted
    made_of = estimates.explain_all([HOSTILE[9]])
    shown = [table, estimates, table.notes, estimates.report]
    for one in shown:
        assert not _LEFT.search(repr(one).replace("\n", ""))
        assert not re.search(r"<(script|img|svg|style|b)\b(?! )", _bare(one._repr_html_()))
    assert set(made_of["variable"]) == {HOSTILE[9]}
    with pytest.raises(LipgeoError) as told:
        weight_table(table, fitted.membership, variables=["nobody\x1b[2J"])
    assert not _LEFT.search(str(told.value).replace("\n", ""))
    names = [HOSTILE[9]]
    pages = {at: preview(fitted, estimates=estimates, variable=one).html
             for at, one in enumerate(names)}  # fmt: skip
    with browser() as chrome:
        context = chrome.new_context(offline=True)
        for at, html_of in pages.items():
            path = tmp_path / f"{at}.html"
            path.write_text(html_of, "utf-8")
            page, wrong = context.new_page(), []
            page.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
            page.goto(path.as_uri())
            page.wait_for_timeout(200)
            assert not wrong
            assert page.evaluate("() => window.acted === undefined")
            assert names[at] in page.evaluate("() => document.body.textContent")


def _bare(page: str) -> str:
    """Return a card without the style that lipgeo gives it."""
    return re.sub(r"<style>.*?</style>", "", page, flags=re.S)


def test_headers_of_a_hostile_file_pass_through_the_commands(tmp_path):
    """A CSV with hostile headers, read and refused: what is said shows escapes and obeys none."""
    path = tmp_path / "t_2021.csv"
    texts = [text for text in [*HOSTILE[8:16], *ESCAPES] if not set(text) & set("\r\n\u2028")]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["DAUID", *texts])
        writer.writerow(["35060001", *range(len(texts))])
        writer.writerow(["35060002", *["1"] * (len(texts) - 1), "not a number\x1b[2J"])
        writer.writerow(["35060003", *["2"] * len(texts)])
    with pytest.raises(LipgeoError) as told:
        read_table(path)
    assert not _LEFT.search(str(told.value).replace("\n", ""))
    path.write_text(path.read_text("utf-8").replace("not a number\x1b[2J", "3"), "utf-8")
    table = read_table(path)
    assert len(table.columns) == len(texts)
    assert not _LEFT.search(repr(table).replace("\n", ""))
    assert not any(_LEFT.search(one.message.replace("\n", "")) for one in table.notes)


def test_the_terminal_obeys_no_text(tmp_path):
    """Names, ids and file names with escapes reach neither stdout nor stderr as they are."""
    rows = [
        {"lip_id": f"on-x{turn}", "name": text, "question": text}
        for turn, text in enumerate(ESCAPES)
    ]
    script = (
        "import json, sys, pandas as pd\n"
        "from lipgeo.cli.reporting import print_findings, print_frame\n"
        "from lipgeo.report import CheckReport, Finding\n"
        "rows = json.loads(sys.argv[1])\n"
        "names = {'name': rows[0]['name']}\n"
        "print_frame(pd.DataFrame(rows).rename(columns=names), rows[1]['name'])\n"
        "report = CheckReport(Finding('x', 'warning', r['name'], r['name']) for r in rows)\n"
        "print_findings(report); print(repr(report)); print(report._card().text())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, json.dumps(rows)], capture_output=True, check=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    for stream in (ended.stdout, ended.stderr):
        assert not _LEFT.search(stream.decode().replace("\n", "")), stream
    assert rb"\x1b" in ended.stdout
    assert rb"\u202e" in ended.stdout


def test_errors_and_commands_show_escapes(tmp_path):
    """A sentence shows the escapes of an id, a column and a file name; so does every command."""
    for text in ESCAPES:
        assert not _LEFT.search(say("cli.error", message=text).replace("\n", ""))
        assert not _LEFT.search(visible(text))
    frame = toytown.areas().assign(area_id="\x1b[31mx")
    for path in ("\x1b]0;owned\x07.geojson", "plain\u202egpj.geojson"):
        target = tmp_path / path
        target.write_text(frame.to_crs(4326).to_json())
        for command in (["check", target], ["build", target, "--out", tmp_path / "b"],
                        ["verify", target], ["preview", target], ["order", target, "--out", "x"],
                        ["find", path], ["compile", tmp_path, "--set", "x"]):  # fmt: skip
            ended = commands.run(*command, cwd=tmp_path)
            said = (ended.stdout + ended.stderr).replace("\n", "")
            assert not _LEFT.search(said), (command, said)
            assert "Traceback" not in said, said


@pytest.mark.parametrize("bad", ["../../..", 'a"b', "", "a\0b", "x/y", "a" * 300, "\x1b[2J", ".."])
def test_ids_of_an_old_order_pass_the_door_of_new_ones(fitted, order, tmp_path, bad):
    """A manifest that names another custom id is refused before anything is written."""
    import hashlib
    import shutil

    old = tmp_path / "old"
    shutil.copytree(order, old)
    manifest = json.loads((old / "manifest.json").read_text("utf-8"))
    first = next(iter(manifest["custom_ids"]))
    manifest["custom_ids"] = {bad: manifest["custom_ids"].pop(first), **manifest["custom_ids"]}
    # somebody who means harm mends the manifest's own sum too
    manifest["own_sha256"] = "0" * 64
    blank = (json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
    real = hashlib.sha256(blank).hexdigest()
    (old / "manifest.json").write_bytes(blank.replace(b"0" * 64, real.encode(), 1))
    with pytest.raises(OrderError, match="custom id") as told:
        read_order(old)
    assert not _LEFT.search(str(told.value))
    with pytest.raises(LipgeoError):
        write_order(fitted, tmp_path / "new", since=old, keep=fitted.areas["area_id"])
    assert not (tmp_path / "new").exists()


def test_a_set_of_hostile_submissions_is_shown_and_never_obeyed(tmp_path, census):
    """Submissions named and filled with hostile strings: compiled, or asked about, as typed."""
    folder = tmp_path / "in"
    folder.mkdir()
    units = list(census.zones("DB").frame.index)
    for turn, text in enumerate([*HOSTILE[::4], *ESCAPES[:5]]):
        name = re.sub(r"[/\x00]", "_", text)[:60]
        row = {"id": text, "level": "DB", "unit_id": units[turn], "name_en": text}
        pd.DataFrame([row]).to_csv(folder / f"{name}.csv", index=False)
    made = compile_set(folder, name='={{ 6*7 }}"x"', census=census)
    assert len(made.intake) == len(list(folder.iterdir()))
    written = write_set(made, tmp_path / "set")
    for row in csv.reader(io.StringIO((written / "intake.csv").read_text("utf-8-sig"))):
        assert all(not re.match(r"[=+@\t\r]", cell) for cell in row)
    for page in openpyxl.load_workbook(written / "intake.xlsx"):
        assert all(cell.data_type != "f" for row in page.iter_rows() for cell in row)
    asked = made.intake["question"].fillna("")
    assert not any(_LEFT.search(text.replace("\n", "")) for text in asked)
    if isinstance(made, Shown):
        assert "<script>" not in made._repr_html_()
