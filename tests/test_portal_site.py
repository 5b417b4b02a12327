"""The site and Fast Facts: every number parsed back, both languages, equal bytes, no markup."""

from __future__ import annotations

import datetime
import html
import re
import shutil
import zipfile
from html.parser import HTMLParser

import numpy as np
import openpyxl
import pandas as pd
import pytest
import toytown
from browser import browser

import lipgeo
from lipgeo.errors import InputError, OutputError
from lipgeo.portal.areas import UNIT_COLUMNS, new_areas
from lipgeo.portal.observations import make_observations
from lipgeo.portal.pages.blocks import area_blocks, facts_lines, slug_of
from lipgeo.portal.pages.certainty import is_trusted
from lipgeo.portal.pages.outlines import places_of
from lipgeo.portal.pages.site_state import state_of
from lipgeo.portal.sources.intake import Intake

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
    # a median of several units has a range and no middle
    median = guess.assign(indicator="median_income", value=np.nan, lower=31_000.0, upper=52_400.0)
    secret = frame[frame["area_id"].eq("east")].head(1).assign(indicator="median_age", value=77.7)
    with made.store.locked():
        for name, part, licence in (
            ("one", pd.concat([frame, guess, median]), "statcan-open"),
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


def cells_of(text):
    """Return the cells of the tables of numbers: subject, place and period to value and details."""
    found, subject = {}, ""
    for table in re.findall(r'<table class="numbers.*?</table>', text, re.S):
        head, *rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.S)
        _, _, *places = re.findall(r"<th[^>]*>(.*?)</th>", head)
        for row in rows:
            # a subject stands once beside all its periods
            own = re.search(r"<th[^>]*>(.*?) <small>", row, re.S)
            subject = html.unescape(own[1]) if own else subject
            period, *cells = re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)
            for place, cell in zip(places, cells, strict=True):
                value = html.unescape(re.search(r"<b>(.*?)</b>", cell)[1])
                details = [html.unescape(one) for one in cell.split(" <br>")[1:]]
                key = (subject, html.unescape(place), re.search(r"\d{4}", period)[0])
                assert key not in found
                found[key] = (value, details)
    return found


def numbers_in(text, lang):
    """Read all numbers of a text as a person would."""
    return [parsed(one, lang) for one in re.findall(r"\d[\d\u202f.,]*\d|\d", text)]


def require_equal(cells, frame, names, areas, lang):
    """Every number of the cells is the frame's, and every row of the frame has its cell."""
    told = dict(cells)
    for one in frame.itertuples():
        value, details = told.pop((names[one.indicator], areas[one.area_id], one.period))
        if one.origin == "estimated" and not is_trusted(one._asdict()):
            assert numbers_in(value, lang)[:2] == [one.lower, one.upper]
            assert not any("/" in text or " of " in text or " sur " in text for text in details)
        elif np.isnan(one.value):
            assert not numbers_in(value, lang)
        else:
            assert parsed(value, lang) == one.value
            if not np.isnan(one.denominator_value):
                count = one.value * one.denominator_value / 100
                assert numbers_in(details[0], lang) == [round(count), one.denominator_value]
    for value, details in told.values():
        assert not numbers_in(" ".join([value, *details]), lang)


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("area", ["west", "east", "land"])
def test_every_number_of_a_page_is_the_store_s(portal, site, lang, area):
    """Values, ranges and counts parsed back from a page are those the public may see."""
    folder = site if lang == "en" else site / "fr"
    places = [area, "land"] if area == "west" else [area]
    frame = portal.shown(audience="public")
    frame = frame[frame["area_id"].isin(places)]
    names = portal.dictionary.frame[f"name_{lang}"]
    areas = portal.areas.set_index("area_id")[f"name_{lang}"]
    cells = cells_of((folder / f"{area}.html").read_text(encoding="utf-8"))
    assert len(cells) >= len(frame) > 0
    require_equal(cells, frame, names, areas, lang)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_sentences_and_large_numbers_are_the_store_s(portal, site, lang):
    """What is written large or in a sentence is a value of the area or its comparator."""
    folder = site if lang == "en" else site / "fr"
    text = (folder / "west.html").read_text(encoding="utf-8")
    block = re.search(r'<ul class="large">(.*?)</ul>', text, re.S)[1]
    large = [
        parsed(html.unescape(one), lang) for one in re.findall(r"<strong>(.*?)</strong>", block)
    ]
    assert large == [12345.0, 25.4]
    said = html.unescape(re.search(r'<p class="said">(.*?)</p>', text, re.S)[1])
    assert ("close to" if lang == "en" else "proche") not in said
    assert ("higher than" if lang == "en" else "plus élevée") in said
    assert ("one person in four" if lang == "en" else "une personne sur quatre") in said
    # 1,270 people are 25.4 % of 5,000
    assert {12345.0, 25.4, 23.1, 2021.0, 1270.0, 5000.0} == set(numbers_in(said, lang))


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
    """A second build has the same files with the same bytes."""
    again = lipgeo.build_site(portal, tmp_path / "again")
    first, second = (
        {p.relative_to(of).as_posix(): p.read_bytes() for p in of.rglob("*") if p.is_file()}
        for of in (site, again)
    )
    assert first == second


def test_a_site_takes_over_what_is_unchanged_and_nothing_else(portal, tmp_path):
    """After an update the site is as if made anew; with a page somebody wrote in it stays."""
    place = tmp_path / "portal"
    shutil.copytree(portal.folder, place)
    site = lipgeo.build_site(lipgeo.open_portal(place), tmp_path / "site")
    own = site / "east.html"
    kept = own.read_bytes()
    own.write_bytes(kept.replace(b"5,432", b"5,433"))
    changed = lipgeo.open_portal(place)
    more = pd.DataFrame(
        {"area_id": ["west"], "definition": "main", "indicator": "immigrants", "period": "2021",
         "value": [26.5], "origin": "ordered", "source": "Census"}
    )  # fmt: skip
    with changed.store.locked():
        taken = Intake(make_observations(more), "published", areas=new_areas([]))
        changed.write_release(taken, "two", licence="statcan-open")
    changed = changed.reopen()
    with pytest.raises(OutputError, match=r"east\.html"):
        lipgeo.build_site(changed, site, replace=True)
    own.write_bytes(kept)
    lipgeo.build_site(changed, site, replace=True)
    anew = lipgeo.build_site(changed, tmp_path / "anew")
    first, second = (
        {p.relative_to(of).as_posix(): p.read_bytes() for p in of.rglob("*") if p.is_file()}
        for of in (site, anew)
    )
    assert first == second
    assert own.read_bytes() == kept


class Links(HTMLParser):
    """What a page asks for, and the places in it that others may lead to."""

    def __init__(self):
        super().__init__()
        self.leads, self.loads, self.ids = [], [], set()

    def handle_starttag(self, tag, attrs):
        """Note what a tag leads to, loads and is called."""
        told = dict(attrs)
        self.ids.add(told.get("id"))
        self.leads += [told["href"]] if "href" in told and tag == "a" else []
        self.loads += [told[one] for one in ("src", "srcset", "data", "poster") if one in told]
        self.loads += [told["href"]] if "href" in told and tag != "a" else []


def test_every_link_leads_somewhere_and_nothing_is_loaded(site):
    """Every page parsed: each link is a file of the site or a place on the page."""
    pages = {}
    for path in site.rglob("*.html"):
        text = path.read_text("utf-8")
        pages[path] = Links()
        pages[path].feed(text)
        assert not re.search(r"url\(|@import", text)
    assert len(pages) > 20
    for path, page in pages.items():
        # the page that compares writes the tags of its own files of numbers
        assert page.loads == []
        assert page.leads or path.parent.name == "share"
        for address in page.leads:
            name, _, place = address.partition("#")
            target = (path.parent / name).resolve() if name else path
            assert target.is_file(), (path, address)
            assert not place or place in pages[target].ids


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
    # last month's gives way where it is asked to
    assert lipgeo.write_facts(portal, "west", one, replace=True) == one
    with pytest.raises(OutputError):
        lipgeo.write_facts(portal, "west", one)
    one = two
    if ending == "docx":
        text = zipfile.ZipFile(one).read("word/document.xml").decode()
        assert EVIL in html.unescape(text)
        assert "12\u202f345" in text
        assert text.count("w:tblHeader") == text.count("<w:tbl>") > 0
        # what somebody worked in since never does
        book = pytest.importorskip("docx").Document(one)
        book.core_properties.modified = datetime.datetime(2026, 5, 1)
        book.save(one)
        with pytest.raises(OutputError):
            lipgeo.write_facts(portal, "west", one, replace=True)
    if ending == "xlsx":
        cells = [c.value for s in openpyxl.load_workbook(one) for r in s.iter_rows() for c in r]
        assert {12345, 25.4, 41.3} <= set(cells)
        # a chart of Excel's own draws the cells, and says itself in words
        drawn = zipfile.ZipFile(one)
        assert "$B$2" in drawn.read("xl/charts/chart1.xml").decode()
        assert "25,4" in drawn.read("xl/drawings/drawing1.xml").decode()


def test_a_whole_stands_before_its_parts_and_a_list_by_its_numbers(tmp_path):
    """Men and women follow their total, the first country is the most frequent; no empty column."""
    portal = lipgeo.open_portal(tmp_path / "portal", create=True)
    told = [("immigrants", "", "men", 24.0), ("immigrants", "", "total", 25.0),
            ("immigrants", "", "women", 26.0), ("top_birthplaces_recent", "Chad", "total", 15.0),
            ("top_birthplaces_recent", "Peru", "total", 455.0)]  # fmt: skip
    rows = pd.DataFrame(told, columns=["indicator", "category", "gender", "value"]).assign(
        area_id="west", definition="main", period="2021", origin="ordered", source="Census"
    )
    with portal.store.locked():
        taken = Intake(make_observations(rows), "delivery", areas=new_areas(["west"]))
        portal.write_release(taken, "one", licence="statcan-open")
    state = state_of(portal.reopen(), "public")
    material, area = state.material(), state.areas.iloc[0].to_dict()
    lines = [one for topic in area_blocks(material, area).topics for one in topic.lines]
    assert [one.cells[0].number for one in lines] == [25.0, 24.0, 26.0, 455.0, 15.0]
    heads, short = facts_lines(material, area)
    assert len(heads) == 2
    assert [one.cells[0].number for one in short] == [25.0]


def test_facts_are_refused_in_words(portal, tmp_path):
    """Another ending or language is refused; a members' file says so in its name."""
    with pytest.raises(InputError, match="docx"):
        lipgeo.write_facts(portal, "west", tmp_path / "a.txt")
    with pytest.raises(InputError):
        lipgeo.write_facts(portal, "west", tmp_path / "a.html", lang="de")
    told = lipgeo.write_facts(portal, "west", tmp_path / "a.html", audience="members")
    assert told.name == "a-members.html"


def test_pages_ask_for_nothing_and_pass_axe(portal, site, tmp_path):
    """Every type of page is quiet, offline and without a finding of axe, in both languages."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found, asked = {}, []
    facts = lipgeo.write_facts(portal, "west", tmp_path / "facts.html", lang="fr")
    with browser() as chrome:
        page = chrome.new_context(offline=True, bypass_csp=True).new_page()
        page.on("request", lambda request: asked.append(request.url))
        for name in (
            *("index", "west", "gaps", "releases", "methods", "glossary", "share/west-en"),
            *("embed/west-en", "fr/index", "fr/west", "facts"),
        ):
            path = facts if name == "facts" else site / f"{name}.html"
            page.goto(path.as_uri())
            told = axe.run(page).response["violations"]
            if told:
                found[name] = [one["id"] for one in told]
    assert found == {}
    assert all(one.startswith("file:") for one in asked)


def test_the_map_draws_what_may_be_shown(tmp_path):
    """Municipalities are drawn, smaller units are a point until allowed; each is a link."""
    census = toytown.census()
    towns, blocks = (list(census.units(level).index) for level in ("CSD", "DB"))
    made = {"town": ("CSD", towns[:1]), "west": ("DB", blocks[:4]), "east": ("DB", blocks[-4:])}
    units = pd.concat(
        pd.DataFrame(
            {"area_id": area, "definition": "main", "vintage": str(census.vintage),
             "realisation_hash": area, "level": level, "unit_id": mine, "share": 1.0,
             "population": 1000.0},
            columns=list(UNIT_COLUMNS),
        )
        for area, (level, mine) in made.items()
    )  # fmt: skip
    areas = new_areas([*made, "nowhere"])
    areas.loc[areas["area_id"].eq("east"), "outline"] = "yes"
    public, members = (places_of(areas, units, census, public=one) for one in (True, False))
    assert {one.key[0]: bool(one.path) for one in public} == {
        "town": True, "west": False, "east": True,
    }  # fmt: skip
    assert all(one.path for one in members)
    assert all(one.point for one in public if not one.path)
    # the largest first: what lies in another is drawn over it and can be reached
    assert members[0].key[0] == "town"
    for one in members:
        corners = [float(x) for x in re.findall(r"[\d.]+", one.path)]
        assert all(0 <= corner <= 800 for corner in corners)
        assert 0 < float(one.x) < 800
        assert 0 < float(one.y) < 500
    assert places_of(areas, units, None, public=True) == []


def test_no_two_areas_share_a_page():
    """Names that fold alike, leave the folder or are a page of the site get their own file."""
    names = ["west", "West", "we st", "we-st", "index", "../west", "wést", "西"]
    assert slug_of("ab-calgary", "city") != slug_of("ab-calgary-city", "main")
    slugs = [slug_of(one, "main") for one in names]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", one) for one in slugs)
    assert "index" not in slugs
