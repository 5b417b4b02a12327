"""Over made portals: pages, files and documents say what the public may see, and no more."""

from __future__ import annotations

import html
import io
import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import test_portal_gate as gate_tests
from hypothesis import given, settings

import lipgeo
from lipgeo.portal.areas import REALISATION_COLUMNS, UNIT_COLUMNS, new_areas
from lipgeo.portal.book import SHEETS
from lipgeo.portal.gate import gate
from lipgeo.portal.indicators.dictionary import shipped_dictionary
from lipgeo.portal.observations import HIDDEN, KEY, make_observations
from lipgeo.portal.pages import fast_facts
from lipgeo.portal.pages.blocks import Material, area_blocks, facts_lines
from lipgeo.portal.pages.certainty import is_told, without_middles
from lipgeo.portal.pages.downloads import write_area_rows
from lipgeo.portal.pages.site import area_body, fill_page
from lipgeo.words import speaking

#: indicators without a number in their names
CODES = ("population", "immigrants", "recent_immigrants", "npr", "median_age")
ORIGINS = ("ordered", "published", "estimated")
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.sampled_from(CODES), st.sampled_from(["2016", "2021"]),
        st.sampled_from(ORIGINS), st.sampled_from(["", "", "r", "x", "F", ".."]), st.booleans(),
        st.booleans(),
    ),
    min_size=1, max_size=14, unique_by=lambda one: one[:4],
)  # fmt: skip


def table(drawn):
    """Return the long table of a made portal; no two of its numbers are the same."""
    shipped = shipped_dictionary().frame
    rows = []
    for at, (area, code, period, origin, symbol, secret, narrow) in enumerate(drawn, start=1):
        percent = shipped.loc[code, "rule"] == "percent"
        base = 20_000.0 + 1_310.0 * at
        value = 3.1 + 5.3 * at if percent else 51_000.0 + 4_211.0 * at
        mark = "" if origin == "estimated" else symbol
        gone = mark in (*HIDDEN, "..")
        wide = 0.05 if narrow else 0.35
        ranged = origin == "estimated" and not gone
        rows.append(
            {
                "area_id": area, "definition": "main", "indicator": code, "period": period,
                "origin": origin, "symbol": mark, "value": np.nan if gone else value,
                "denominator_value": base if percent and not gone else np.nan,
                "likely_lower": round(value * (1 - wide), 1) if ranged else np.nan,
                "likely_upper": round(value * (1 + wide), 1) if ranged else np.nan,
                "source": "Census", "release": "one",
                "licence": "secret" if secret else "statcan-open",
            }
        )  # fmt: skip
    return make_observations(pd.DataFrame(rows))


def public_side(whole):
    """Return what the gate lets through of a table."""
    areas = new_areas(["a", "b"])
    licences = pd.DataFrame(
        [("statcan-open", "table", "S", "D", "")],
        columns=["licence", "may_publish", "who", "document", "expiry"],
    )
    exceptions = pd.DataFrame(columns=["check", "subject", "allowed_by", "reason"])
    seen = pd.DataFrame(columns=[*KEY, "realisation_hash"], dtype=object)
    portal = SimpleNamespace(
        dictionary=shipped_dictionary(), areas=areas, store=SimpleNamespace(seen=seen),
        units=pd.DataFrame(columns=list(UNIT_COLUMNS)),
        book={
            "licences": licences, "exceptions": exceptions,
            "regions": pd.DataFrame(columns=SHEETS["regions"], dtype=object),
        },
    )  # fmt: skip
    frame, _ = gate(portal, whole, "public")
    return frame, areas


def material_of(frame, areas):
    """Return what blocks are made of; b is held against a."""
    return Material(
        frame, areas, comparators=pd.DataFrame({"area_id": ["a"], "comparator": ["b"]}),
        dictionary=shipped_dictionary(),
        realisations=pd.DataFrame(columns=list(REALISATION_COLUMNS)), dates={"one": "2026-01-01"},
        title="Portal", contact="", public=True,
    )  # fmt: skip


def read(text, lang):
    """Return the numbers of a text as a person reads them."""
    found = set()
    for one in re.findall(r"\d[\d\u202f.,]*\d|\d", text):
        plain = one.replace("\u202f", "")
        plain = plain.replace(",", "") if lang == "en" else plain.replace(",", ".")
        # a comma or a full stop of the sentence is no decimal mark
        found.add(float(plain.rstrip(".")))
    return found


def may_stand(whole):
    """Return every number that a public page may show of a whole table: the rules said anew.

    Open licences only; of an estimate its range alone, but for a narrow one of the population; no
    estimate where the number is closed; of two roundings of one count the ordered one.
    """
    found = {2016.0, 2021.0, 2026.0, 1.0}
    rows = whole.to_dict("records")
    keys = [(row["area_id"], row["indicator"], row["period"]) for row in rows]
    closed = {key for key, row in zip(keys, rows, strict=True) if row["symbol"] in ("x", "F")}
    open_ = [row["licence"] == "statcan-open" for row in rows]
    ordered = {
        key
        for key, row, may in zip(keys, rows, open_, strict=True)
        if may and row["origin"] == "ordered" and row["value"] == row["value"]
    }
    for key, row, may in zip(keys, rows, open_, strict=True):
        guess = row["origin"] == "estimated"
        if not may or (guess and key in closed):
            continue
        if row["origin"] == "published" and key in ordered and row["indicator"] != "median_age":
            continue
        value, low, high = row["value"], row["likely_lower"], row["likely_upper"]
        narrow = row["indicator"] == "population" and high - low < 0.2 * value
        numbers = [low, high] if guess else []
        if not guess or narrow:
            numbers.append(value)
        if not guess:
            base = row["denominator_value"]
            numbers += [base, round(value * base / 100) if base == base else base]
        found |= {round(one, places) for one in numbers if one == one for places in (0, 1)}
    return found


def plain(page):
    """Return what a page shows: no tags, no style, no coordinates of drawings."""
    body = re.sub(r"<style>.*?</style>|<head>.*?</head>", " ", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", " ", body))


@settings(max_examples=12)
@given(ROWS)
def test_no_page_or_file_says_what_the_public_may_not_see(drawn):
    """Every number of a page, of its rows and of the long table is one the gate let through."""
    whole = table(drawn)
    frame, areas = public_side(whole)
    allowed = may_stand(whole)
    long_table = without_middles(frame)[["value", "denominator_value", "likely_lower"]]
    assert {round(one, 1) for one in long_table.to_numpy().ravel() if one == one} <= allowed
    for lang in ("en", "fr"):
        with speaking(lang):
            material = material_of(frame, areas)
            for area in areas.to_dict("records"):
                blocks = area_blocks(material, area)
                page = plain(fill_page(blocks.title, area=blocks, body=area_body(blocks)))
                assert all(one.subject in page for topic in blocks.topics for one in topic.lines)
                strangers = {one for one in read(page, lang) if one not in allowed}
                series = read(" ".join(blocks.series), lang)
                assert strangers <= series
                for topic in blocks.topics:
                    for record in topic.records:
                        held = {one for one in record[4:8] if one == one}
                        assert {round(one, 1) for one in held} <= allowed
                heads, lines = facts_lines(material, area)
                for line in lines:
                    assert len(line.cells) == len(heads) - 1
                    for cell in line.cells:
                        told = read(" ".join([cell.value, *cell.details]), lang)
                        assert told <= allowed


@pytest.fixture(scope="module")
def public():
    """A made portal with a number of every kind."""
    drawn = [
        (area, code, period, ORIGINS[at % 3], "x" if at % 7 == 5 else "", at % 11 == 4, at % 2 == 0)
        for at, (area, code, period) in enumerate(
            (area, code, period)
            for area in ("a", "b") for code in CODES for period in ("2016", "2021")
        )
    ]  # fmt: skip
    # a closed number with an estimate of it, and an open one with its estimate
    drawn += [("a", "immigrants", "2021", "estimated", "", False, True)]
    drawn += [("a", "median_age", "2021", "estimated", "", False, True)]
    drawn = [
        (*one[:3], "ordered", "x", *one[5:]) if one[:3] == ("a", "immigrants", "2021")
        and one[3] != "estimated" else one
        for one in drawn
    ]  # fmt: skip
    drawn = list({one[:4]: one for one in drawn}.values())
    whole = table(drawn)
    return *public_side(whole), may_stand(whole)


def short_of(frame, areas, *, chart=False):
    """Return the Fast Facts of the first area, in the language in force."""
    material = material_of(frame, areas)
    area = areas.iloc[0].to_dict()
    blocks = area_blocks(material, area)
    drawn = fast_facts._chart(blocks) if chart else None
    return fast_facts._Short(blocks, *facts_lines(material, area), drawn, list(blocks.series))


def word_texts(raw):
    """Return the paragraphs of a Word document."""
    body = zipfile.ZipFile(io.BytesIO(raw)).read("word/document.xml").decode()
    return [
        html.unescape("".join(re.findall(r"<w:t[^>]*>(.*?)</w:t>", one)))
        for one in re.findall(r"<w:p[ >].*?</w:p>", body, re.DOTALL)
    ]


def pdf_text(raw, folder):
    """Return the text of a PDF; skips, saying so, where there is no program to read it."""
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip(
            "no pdftotext on this machine: the PDF was not read (apt install poppler-utils)"
        )
    (folder / "facts.pdf").write_bytes(raw)
    told = subprocess.run(
        [program, "-layout", folder / "facts.pdf", "-"], check=True, capture_output=True
    )
    # the narrow space of a French number comes back as a plain one
    return re.sub(r"(?<=\d) (?=\d{3}(?!\d))", "", told.stdout.decode("utf-8"))


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_every_number_of_a_document_is_the_public_s(public, lang, tmp_path):
    """Word's cells are the blocks' cells; each number of Word and PDF is one that may be seen."""
    frame, areas, allowed = public
    with speaking(lang):
        short = short_of(frame, areas)
        series = read(" ".join(short.blocks.series), lang)
        word = word_texts(fast_facts._word(short, lang))
        for line in short.lines:
            for cell in line.cells:
                assert " ".join([cell.value, "; ".join(cell.details)]).strip() in word
        told = read(" ".join(word), lang)
        assert told <= allowed | series
        mine = frame[frame["area_id"].eq("a")].to_dict("records")
        newest = {row["value"] for row in mine if row["period"] == "2021" and is_told(row)}
        assert {round(one, 1) for one in newest} <= told
        paper = pdf_text(fast_facts._pdf(short, lang), tmp_path)
        # the foot has the number of the page and how many there are
        assert read(paper, lang) <= allowed | series | {2.0}


def crowded():
    """Return the public side of a portal with every core indicator, over two places."""
    core = shipped_dictionary().frame
    core = core[core["status"].eq("core") & core["rule"].eq("percent")]
    rows = [
        {"area_id": area, "definition": "main", "indicator": code, "period": period,
         "origin": "published", "value": 12.5, "denominator_value": 4000.0, "source": "Census",
         "release": "one", "licence": "statcan-open"}
        for area in ("a", "b") for code in core.index for period in ("2016", "2021")
    ]  # fmt: skip
    return public_side(make_observations(pd.DataFrame(rows)))


@pytest.fixture(scope="module")
def full():
    """Fast Facts in French that do not fit on two pages, and what was made of them to fit."""
    frame, areas = crowded()
    with speaking("fr"):
        whole = short_of(frame, areas, chart=True)
        return whole, fast_facts._fit(whole, "fr", fast_facts._ROOM_FOR_WORD)


def test_documents_have_two_pages_and_say_what_they_leave_out(full):
    """What does not fit is left out from the end, the most that fits stays, and it is said."""
    whole, short = full
    with speaking("fr"):
        kept = len(short.lines)
        assert 10 < kept < len(whole.lines)
        assert short.lines == whole.lines[:kept]
        assert "deux pages" in " ".join(short.notes)
        room = fast_facts._ROOM_FOR_WORD
        assert fast_facts._laid_out(short, "fr", room)[0] == 2
        more = replace(short, lines=whole.lines[: kept + 1])
        assert fast_facts._laid_out(more, "fr", room)[0] > 2
        raw = fast_facts._pdf(short, "fr")
    assert len(re.findall(rb"/Type\s*/Page\b", raw)) in (0, 2)


def test_word_sets_two_pages_as_an_office_program_lays_them_out(full, tmp_path):
    """LibreOffice, where asked for (``LIPGEO_OFFICE=1``), sets the Word document on two pages."""
    office, info = shutil.which("soffice"), shutil.which("pdfinfo")
    if not (os.environ.get("LIPGEO_OFFICE") and office and info):
        pytest.skip(
            "set LIPGEO_OFFICE=1, with LibreOffice and poppler-utils, to lay Word files out"
        )
    with speaking("fr"):
        (tmp_path / "facts.docx").write_bytes(fast_facts._word(full[1], "fr"))
    home = f"-env:UserInstallation={(tmp_path / 'home').as_uri()}"
    order = [office, home, "--headless", "--convert-to", "pdf", "--outdir", tmp_path]
    subprocess.run([*order, tmp_path / "facts.docx"], check=True, capture_output=True)
    told = subprocess.run([info, tmp_path / "facts.pdf"], check=True, capture_output=True)
    assert re.search(rb"Pages:\s+(\d+)", told.stdout)[1] == b"2"


def test_rows_of_an_area_come_back_from_its_file(public, tmp_path):
    """The CSV of an area holds values, ranges and denominators of its public rows, in French."""
    frame, areas, allowed = public
    with speaking("fr"):
        first, blocks = (
            area_blocks(material_of(frame, areas), one) for one in areas.to_dict("records")
        )
        write_area_rows(blocks, tmp_path / "b.csv")
    records = [record for topic in first.topics for record in topic.records]
    told = {round(one, 1) for record in records for one in record[4:8] if one == one}
    assert told <= allowed
    back = pd.read_csv(tmp_path / "b.csv", sep=";", decimal=",", encoding="utf-8-sig")
    mine = frame[frame["area_id"].eq("b")]
    assert len(back) == len(mine)
    keys = list(zip(back["Code"], back["Période"].astype(str), back["Provenance"], strict=True))
    assert len(set(keys)) == len(keys)
    words = {
        "ordered": "commandé à Statistique Canada",
        "published": "publié par Statistique Canada",
        "estimated": "estimé",
    }
    told = dict(zip(keys, back.to_dict("records"), strict=True))
    for row in mine.to_dict("records"):
        cell = told[row["indicator"], row["period"], words[row["origin"]]]
        value = row["value"] if is_told(row) else np.nan
        over = row["denominator_value"] if row["origin"] != "estimated" else np.nan
        for one, head in ((value, "Valeur"), (row["likely_lower"], "Bas"), (over, "Sur")):
            assert cell[head] == pytest.approx(one, nan_ok=True)


#: numbers as nobody else has them: of members, a guess over a closed cell and its range, what a
#: rest of thirty people would tell
KEPT_BACK = {
    "a member's": 41_237.0, "a member's share": 37.3, "over a closed cell": 43.7,
    "its range": (42.3, 45.1), "a rest of few": 52_391.0,
}  # fmt: skip


def as_written(number):
    """Return a number as files and pages of both languages write it."""
    point = f"{number:.1f}" if number % 1 else f"{int(number)}"
    grouped = f"{number:,.1f}" if number % 1 else f"{int(number):,}"
    french = grouped.replace(",", " ").replace(".", ",")
    spaces = [french.replace(" ", blank) for blank in ("\u202f", "\u00a0", "&nbsp;", "&#8239;")]
    return {point, grouped, french, *spaces, point.replace(".", ",")}


def texts_of(path):
    """Return all a file says: its text, that of its parts, or the numbers of its columns."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_csv()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as parts:
            return " ".join(parts.read(one).decode("utf-8", "replace") for one in parts.namelist())
    return path.read_text(encoding="utf-8", errors="replace")


def test_no_file_of_a_public_site_holds_what_is_kept_back(tmp_path):
    """Pages, share, embed, downloads, scripts and Fast Facts are read byte for byte."""
    portal = lipgeo.open_portal(tmp_path / "portal", create=True)
    low, high = KEPT_BACK["its range"]
    people = {"indicator": "population", "period": "2021", "source": "Census"}
    share = {**people, "indicator": "immigrants", "denominator_value": 20_000.0}
    members = [
        {**people, "area_id": "secret", "value": KEPT_BACK["a member's"], "origin": "ordered"},
        {**share, "area_id": "secret", "value": KEPT_BACK["a member's share"],
         "origin": "ordered"},
    ]  # fmt: skip
    rows = [
        {**people, "area_id": "secret", "period": "2016", "value": 61_000.0, "origin": "ordered"},
        {**share, "area_id": "shut", "symbol": "x", "origin": "ordered"},
        {**share, "area_id": "shut", "value": KEPT_BACK["over a closed cell"],
         "likely_lower": low, "likely_upper": high, "origin": "estimated"},
        {**people, "area_id": "all", "value": 52_421.0, "origin": "ordered"},
        {**people, "area_id": "part", "value": KEPT_BACK["a rest of few"], "origin": "ordered"},
    ]  # fmt: skip
    gate_tests.add(portal, "members", members, licence="council")
    # DAs of 500 and 30 people: the part leaves thirty of the whole
    units = {"all": gate_tests.DAS[:2], "part": gate_tests.DAS[:1]}
    gate_tests.add(portal, "open", rows, units=units)
    shown, _ = portal.view("public")
    assert {52_421.0, 61_000.0} <= set(shown["value"])
    site = lipgeo.build_site(portal, tmp_path / "site")
    files = [path for path in site.rglob("*") if path.is_file()]
    files += [
        lipgeo.write_facts(portal, "secret", tmp_path / f"facts.{ending}")
        for ending in ("html", "docx", "xlsx")
    ]
    said = {path: texts_of(path) for path in files}
    # the search is one that finds: what may be shown is there, in each language and kind of file
    shown = as_written(61_000.0) | as_written(52_421.0)
    found = {path.suffix for path, text in said.items() if any(one in text for one in shown)}
    assert {".html", ".xlsx", ".csv", ".parquet", ".js", ".docx"} <= found
    assert {"share", "embed", "downloads", "data", "fr"} <= {
        path.relative_to(site).parts[0] for path in files if path.is_relative_to(site)
    }
    numbers = [one for several in KEPT_BACK.values() for one in np.ravel(several)]
    words = {one for number in numbers for one in as_written(number)}
    rule = re.compile(rf"(?<![\d.,])(?:{'|'.join(map(re.escape, words))})(?!\d)")
    told = [(path.name, rule.findall(text)) for path, text in said.items() if rule.search(text)]
    assert told == []
