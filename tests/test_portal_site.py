"""The site and Fast Facts: every number parsed back, both languages, equal bytes, no markup."""

from __future__ import annotations

import html
import re
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
import toytown
from browser import browser

import lipgeo
from lipgeo.errors import InputError, OutputError
from lipgeo.portal.areas import UNIT_COLUMNS, new_areas
from lipgeo.portal.blocks import slug_of
from lipgeo.portal.intake import Intake
from lipgeo.portal.observations import make_observations

EVIL = '<script>alert(1)</script>{{ 6 * 7 }} #strong[a] =1+1 "&'
PLAIN = ("", "r", "E")


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    """Three areas, two censuses, every kind of number, and one source that is not public."""
    place = tmp_path_factory.mktemp("site") / "portal"
    made = lipgeo.open_portal(place, create=True)
    book = openpyxl.load_workbook(place / "portal.xlsx")
    for sheet, cells in (
        ("areas", {"area_id": "west", "definition": "main", "name_en": EVIL, "name_fr": EVIL}),
        ("areas", {"area_id": "east", "definition": "main", "name_en": "East", "name_fr": "Est"}),
        ("areas", {"area_id": "land", "definition": "main", "kind": "province",
                   "name_en": "Land", "name_fr": "Pays"}),
        ("comparators", {"area_id": "west", "comparator": "land"}),
    ):  # fmt: skip
        page = book[sheet]
        heads = {cell.value: cell.column for cell in page[1]}
        row = page.max_row + 1
        for name, value in cells.items():
            cell = page.cell(row, heads[name], value)
            cell.data_type = "s"
    book.save(place / "portal.xlsx")
    made = made.reopen()
    rows = [
        ("west", "population", "2016", 11234.0, "", "ordered"),
        ("west", "population", "2021", 12345.0, "", "ordered"),
        ("west", "immigrants", "2021", 25.4, "", "ordered"),
        ("west", "npr", "2021", np.nan, "x", "ordered"),
        ("west", "median_age", "2021", 41.3, "", "published"),
        ("east", "population", "2021", 5432.0, "", "published"),
        ("east", "immigrants", "2021", 9.8, "r", "published"),
        ("land", "population", "2021", 4321987.0, "", "published"),
        ("land", "immigrants", "2021", 23.1, "", "published"),
    ]
    frame = pd.DataFrame(
        rows, columns=["area_id", "indicator", "period", "value", "symbol", "origin"]
    ).assign(definition="main", source="Census")
    frame["denominator_value"] = np.where(frame["indicator"].eq("immigrants"), 5000.0, np.nan)
    guess = pd.DataFrame(
        {"area_id": ["east"], "definition": "main", "indicator": "recent_immigrants",
         "period": "2021", "value": [7.7], "lower": [6.1], "upper": [9.2], "origin": "estimated"}
    )  # fmt: skip
    secret = frame[frame["area_id"].eq("east")].head(1).assign(indicator="median_age", value=77.7)
    with made.store.locked():
        for name, part, licence in (
            ("one", pd.concat([frame, guess]), "statcan-open"),
            ("secret", secret, ""),
        ):
            taken = Intake(make_observations(part), "published", areas=new_areas([]))
            made.write_release(taken, name, licence=licence)
    return made.reopen()


@pytest.fixture(scope="module")
def site(portal):
    """The public site."""
    return lipgeo.build_site(portal, portal.folder.parent / "public")


def parsed(text, lang):
    """Read a number as a person would in a language."""
    text = text.replace("\u202f", "").replace("\u00a0", "").replace("%", "")
    text = text.replace(",", "") if lang == "en" else text.replace(",", ".")
    return float(re.match(r"[\d.]+", text)[0])


def table_rows(path):
    """Return the cells of the tables of numbers on a page."""
    text = path.read_text(encoding="utf-8")
    bodies = re.findall(r'<table class="numbers">.*?<tbody>(.*?)</tbody>', text, re.S)
    rows = re.findall(r"<tr>(.*?)</tr>", "".join(bodies), re.S)
    return [
        [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
        for row in rows
    ]


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("area", ["west", "east", "land"])
def test_every_number_of_a_page_is_the_store_s(portal, site, lang, area):
    """Values, ranges and denominators parsed back from a page are those the public may see."""
    folder = site if lang == "en" else site / "fr"
    places = [area, "land"] if area == "west" else [area]
    frame = portal.shown(audience="public")
    frame = frame[frame["area_id"].isin(places)]
    names = portal.dictionary.frame[f"name_{lang}"]
    areas = portal.areas.set_index("area_id")[f"name_{lang}"]
    rows = table_rows(folder / f"{area}.html")
    assert len(rows) == len(frame) > 0
    cells = {(one[0], one[1], re.search(r"\d{4}", one[2])[0]): one for one in rows}
    assert len(cells) == len(rows)
    for one in frame.itertuples():
        told = cells[names[one.indicator], areas[one.area_id], one.period]
        if one.origin == "estimated":
            assert not re.search(r"\d", told[3])
            low, high = re.findall(r"[\d.,]+", told[4])
            assert (parsed(low, lang), parsed(high, lang)) == (one.lower, one.upper)
        elif np.isnan(one.value):
            assert not re.search(r"\d", told[3])
        else:
            assert parsed(told[3], lang) == one.value
        if not np.isnan(one.denominator_value):
            assert parsed(told[5], lang) == one.denominator_value


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_sentences_and_large_numbers_are_the_store_s(portal, site, lang):
    """What is written large or in a sentence is a value of the area or its comparator."""
    folder = site if lang == "en" else site / "fr"
    text = (folder / "west.html").read_text(encoding="utf-8")
    large = [
        parsed(html.unescape(one), lang) for one in re.findall(r"<strong>(.*?)</strong>", text)
    ]
    assert large == [12345.0, 25.4]
    said = html.unescape(re.search(r"</ul>\s*<p>(.*?)</p>", text, re.S)[1])
    assert ("close to" if lang == "en" else "proche") not in said
    assert ("higher than" if lang == "en" else "plus élevée") in said
    assert {12345.0, 25.4, 23.1, 2021.0} == {
        parsed(one, lang) for one in re.findall(r"\d[\d\u202f.,]*", said)
    }


def test_the_public_never_reads_a_members_number(portal, site, tmp_path):
    """A source without a licence is in no public file; members have it, and files say so."""
    texts = [p.read_text("utf-8") for p in site.rglob("*") if p.suffix in (".html", ".csv")]
    assert not any("77.7" in one or "77,7" in one or "secret" in one for one in texts)
    members = lipgeo.build_site(portal, tmp_path / "members", audience="members")
    assert "77.7" in (members / "east-members.html").read_text("utf-8")
    pages = list(members.rglob("*.html"))
    assert all("-members" in one.name for one in pages)
    for page in pages:
        text = page.read_text("utf-8")
        assert "For members only" in text or "Réservé aux membres" in text


def test_names_stand_as_typed(site):
    """Markup and templates in a name are text on every page."""
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert "<script>alert" not in text
        assert "42 #strong" not in text
    for data in site.rglob("*.js"):
        assert "<" not in data.read_text("utf-8")
    assert EVIL in html.unescape((site / "west.html").read_text("utf-8"))


def test_equal_state_gives_equal_bytes(portal, site, tmp_path):
    """A second build has the same files with the same bytes, and every link leads somewhere."""
    again = lipgeo.build_site(portal, tmp_path / "again")
    first, second = (
        {p.relative_to(of).as_posix(): p.read_bytes() for p in of.rglob("*") if p.is_file()}
        for of in (site, again)
    )
    assert first == second
    for page in site.rglob("*.html"):
        for address in re.findall(r'href="([^"]+)"', page.read_text("utf-8")):
            assert (page.parent / address).is_file(), (page, address)


def test_a_site_is_not_written_over(portal, site):
    """An earlier site gives way only when asked to."""
    with pytest.raises(OutputError):
        lipgeo.build_site(portal, site)
    assert lipgeo.build_site(portal, site, replace=True) == site


@pytest.mark.parametrize("ending", ["html", "xlsx", "docx", "pdf"])
def test_facts_of_each_kind_have_equal_bytes(portal, tmp_path, ending):
    """Each kind is written twice with the same bytes, in French."""
    one, two = (
        lipgeo.write_facts(portal, "west", tmp_path / f"{n}.{ending}", lang="fr") for n in "ab"
    )
    assert one.read_bytes() == two.read_bytes()
    if ending == "docx":
        text = zipfile.ZipFile(one).read("word/document.xml").decode()
        assert EVIL in html.unescape(text)
        assert "12\u202f345" in text
        assert text.count("w:tblHeader") == text.count("<w:tbl>") > 0
    if ending == "xlsx":
        cells = [c.value for s in openpyxl.load_workbook(one) for r in s.iter_rows() for c in r]
        assert {12345, 25.4, 41.3} <= set(cells)


def test_facts_are_refused_in_words(portal, tmp_path):
    """Another ending or language is refused; a members' file says so in its name."""
    with pytest.raises(InputError, match="docx"):
        lipgeo.write_facts(portal, "west", tmp_path / "a.txt")
    with pytest.raises(InputError):
        lipgeo.write_facts(portal, "west", tmp_path / "a.html", lang="de")
    told = lipgeo.write_facts(portal, "west", tmp_path / "a.html", audience="members")
    assert told.name == "a-members.html"


def test_pages_ask_for_nothing_and_pass_axe(site):
    """Every type of page, in both languages, is quiet, offline and without a finding of axe."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found, asked = {}, []
    with browser() as chrome:
        page = chrome.new_context(offline=True, bypass_csp=True).new_page()
        page.on("request", lambda request: asked.append(request.url))
        for name in ("index", "west", "releases", "methods", "glossary"):
            for folder in (site, site / "fr"):
                path = folder / f"{name}.html"
                page.goto(path.as_uri())
                told = axe.run(page).response["violations"]
                if told:
                    found[f"{folder.name}/{name}"] = [one["id"] for one in told]
    assert found == {}
    assert all(one.startswith("file:") for one in asked)


def test_the_map_has_a_point_an_area(tmp_path):
    """With a census each area with units is one point inside the map, named, and no outline."""
    census = toytown.census()
    made = lipgeo.open_portal(tmp_path / "portal", create=True)
    ids = list(census.units("DB").index)
    halves = {"west": ids[:4], "east": ids[-4:]}
    units = pd.concat(
        pd.DataFrame(
            {"area_id": area, "definition": "main", "vintage": str(census.vintage),
             "realisation_hash": area, "level": "DB", "unit_id": mine, "share": 1.0,
             "population": 1000.0},
            columns=list(UNIT_COLUMNS),
        )
        for area, mine in halves.items()
    )  # fmt: skip
    rows = make_observations(
        {"area_id": ["west", "east"], "definition": "main", "realisation_hash": ["west", "east"],
         "indicator": "population", "period": str(census.vintage), "value": [5000.0, 6000.0],
         "origin": "published", "source": "Census"}
    )  # fmt: skip
    taken = Intake(rows, "published", areas=new_areas(["east", "west"]), units=units)
    with made.store.locked():
        made.write_release(taken, "one", licence="statcan-open")
    site = lipgeo.build_site(made.reopen(), tmp_path / "site", census=census)
    text = (site / "index.html").read_text("utf-8")
    points = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)".*?<title>(.*?)</title>', text)
    assert [one[2] for one in points] == ["east", "west"]
    assert all(0 < float(x) < 800 and 0 < float(y) < 500 for x, y, _ in points)
    assert len({one[:2] for one in points}) == 2
    assert "<path" not in text


def test_no_two_areas_share_a_page():
    """Names that fold alike, leave the folder or are a page of the site get their own file."""
    names = ["west", "West", "we st", "we-st", "index", "../west", "wést", "西"]
    assert slug_of("ab-calgary", "city") != slug_of("ab-calgary-city", "main")
    slugs = [slug_of(one, "main") for one in names]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", one) for one in slugs)
    assert "index" not in slugs
