"""Pages of the network: areas side by side, indicators over all areas, search."""

from __future__ import annotations

import html
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
import toytown
from browser import browser

import lipgeo
from lipgeo.portal.areas import REALISATION_COLUMNS, UNIT_COLUMNS, new_areas
from lipgeo.portal.observations import make_observations
from lipgeo.portal.pages.blocks import Material, rows_in_order, slug_of, value_text
from lipgeo.portal.pages.certainty import without_middles
from lipgeo.portal.pages.differences import Measured, difference
from lipgeo.portal.pages.indicator_pages import class_edges
from lipgeo.portal.sources.intake import Intake
from lipgeo.words import speaking

AREAS = ("west", "east", "north", "south")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of four areas on the toy town's ground: published, estimated and suppressed."""
    place = tmp_path_factory.mktemp("dashboard")
    census = toytown.census()
    year = str(census.vintage)
    made = lipgeo.open_portal(place / "portal", create=True)
    ids = list(census.units("DB").index)
    units = pd.concat(
        pd.DataFrame(
            {"area_id": area, "definition": "main", "vintage": year, "realisation_hash": area,
             "level": "DB", "unit_id": ids[3 * at : 3 * at + 3], "share": 1.0,
             "population": 1000.0},
            columns=list(UNIT_COLUMNS),
        )
        for at, area in enumerate(AREAS)
    )  # fmt: skip
    rows = pd.DataFrame(
        [
            ("west", "immigrants", 25.4, np.nan, np.nan, "", "published"),
            ("east", "immigrants", 9.8, np.nan, np.nan, "", "published"),
            ("north", "immigrants", 24.7, 21.2, 29.1, "", "estimated"),
            ("south", "immigrants", np.nan, np.nan, np.nan, "x", "published"),
            ("west", "population", 5000.0, np.nan, np.nan, "", "published"),
            ("east", "population", 6000.0, np.nan, np.nan, "", "published"),
        ],
        columns=["area_id", "indicator", "value", "likely_lower", "likely_upper", "symbol",
                 "origin"],
    ).assign(definition="main", period=year, source="Census")  # fmt: skip
    rows["realisation_hash"] = rows["area_id"]
    rows.loc[0, "denominator_value"] = 5000.0
    taken = Intake(make_observations(rows), "published", areas=new_areas(AREAS), units=units)
    with made.store.locked():
        made.write_release(taken, "one", licence="statcan-open")
    return lipgeo.build_site(made.reopen(), place / "site", census=census)


def test_an_indicator_page_has_every_area_by_name(site):
    """All stand in name order, the suppressed one with its reason; the map has a mark each."""
    for folder, word in ((site, "Suppressed"), (site / "fr", "Supprimé")):
        text = (folder / "indicator--immigrants.html").read_text("utf-8")
        rows = re.findall(r'scope="row"><a href="([^"]+)">([^<]+)</a>', text)
        assert [name for _, name in rows] == sorted(AREAS)
        assert all((folder / address).is_file() for address, _ in rows)
        assert word in text
        titles = re.findall(r"<circle[^>]*><title>([^<]+)</title>", text)
        assert len(titles) == len(AREAS)
        # an estimate has no middle anywhere on the page
        assert "24.7" not in text
        assert "24,7" not in text


def test_a_share_has_its_count_beside_it_on_the_pages_of_the_network(site):
    """The page of an indicator and the page that compares say of how many, as an area's does."""
    for folder, words in ((site, "1,270 of 5,000"), (site / "fr", "1\u202f270 sur 5\u202f000")):
        assert words in (folder / "indicator--immigrants.html").read_text("utf-8")
    assert "1,270 of 5,000" in (site / "data" / "west-en.js").read_text("utf-8")


def test_every_value_lies_in_a_class_of_the_map():
    """The bounds of the classes hold the least and the greatest number, whatever they are."""
    random = np.random.default_rng(3)
    for size in (0.01, 1.0, 40.0, 1e6):
        for _ in range(20):
            values = list(random.uniform(0, size, random.integers(1, 6)))
            edges = class_edges(values)
            assert len(edges) == 5
            assert edges[0] <= min(values) <= max(values) <= edges[-1] + 1e-9
    assert class_edges([]) == []


def test_an_estimate_s_middle_is_in_no_file_that_is_compared(site):
    """What the page that compares loads has an estimate's range and not its value."""
    text = (site / "data" / "north-en.js").read_text("utf-8")
    told = json.loads(text[text.index("{") : text.rindex("}") + 1])
    cell = next(one for one in told["numbers"] if one)
    assert cell[3] == [(21.2 + 29.1) / 2, 21.2, 29.1, 1]
    assert "24.7" not in text


def test_without_a_script_the_page_that_compares_is_a_list(site):
    """Every area and every indicator with numbers is a link on it, in both languages."""
    for folder in (site, site / "fr"):
        text = (folder / "compare.html").read_text("utf-8")
        lists = re.findall(r'<ul class="found">(.*?)</ul>', text, re.S)
        links = re.findall(r'href="([^"]+)"', "".join(lists))
        wanted = {f"{slug_of(area, 'main')}.html" for area in AREAS}
        wanted |= {"indicator--immigrants.html", "indicator--population.html"}
        assert set(links) == wanted


def test_a_difference_is_told_where_its_interval_leaves_zero_out():
    """Likely ranges add as squares, hard bounds as they are; a side without one is exact."""
    likely = difference(Measured(30, 27, 33, True), Measured(25, 21, 29, True))
    assert (likely.low, likely.high) == (0.0, 10.0)
    assert likely.verdict == "close"
    assert difference(Measured(30, 27, 33, True), Measured(24.9, 20.9, 28.9, True)).verdict == (
        "higher"
    )
    hard = difference(Measured(30, 27, 33), Measured(25, 21, 29))
    assert (hard.low, hard.high) == (-2, 12)
    assert difference(Measured(20, 19.5, 20.5), Measured(20.9)).verdict == "close"
    assert difference(Measured(20), Measured(22.1)).verdict == "lower"
    assert math.isnan(difference(Measured(20), Measured(22.1)).low)


def test_the_pages_work_in_a_browser(site):
    """The script tells what the library tells, keeps its choice in the address, and asks no net."""
    random = np.random.default_rng(7)
    cases = []
    for mine, other in random.uniform(1, 40, (60, 2)):
        sides = []
        for value in (mine, other):
            low, high = value - random.uniform(0, 6), value + random.uniform(0, 6)
            ranged = bool(random.integers(3))
            ends = (low, high) if ranged else (math.nan, math.nan)
            sides.append(Measured(value, *ends, bool(random.integers(2))))
        cases.append(sides)
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    asked, wrong, found = [], [], {}
    with browser() as chrome:
        page = chrome.new_context(offline=True, bypass_csp=False).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
        page.goto((site / "fr" / "compare.html").as_uri() + "#west,north")
        page.wait_for_selector("#side-by-side table")
        heads = page.locator("#side-by-side thead th").all_inner_texts()
        assert heads[2:] == ["west", "north"]
        assert "proche du territoire suivant : west" in page.inner_text("#side-by-side")
        page.locator("#choose select").nth(2).select_option("east")
        page.wait_for_selector("#side-by-side thead th:nth-child(5)")
        assert page.url.endswith("#west,north,east")
        assert "plus faible que : west, de 15,6 points" in page.inner_text("#side-by-side")
        plain = [
            [[one.value, one.low if one.ranged else None, one.high if one.ranged else None,
              int(one.likely)] for one in sides]
            for sides in cases
        ]  # fmt: skip
        told = page.evaluate(
            "(all) => all.map(([a, b]) => lipgeoCompare.difference(a, b, {least: 1, close: 2}))",
            plain,
        )
        page.set_viewport_size({"width": 320, "height": 900})
        for name in ("compare", "indicator--immigrants", "search", "indicators"):
            page.goto((site / f"{name}.html").as_uri())
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 320, name
            # the policy of the pages stops the checker's own script
            text = (site / f"{name}.html").read_text("utf-8")
            bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
            (site / f"bare-{name}.html").write_text(bare, "utf-8")
            page.goto((site / f"bare-{name}.html").as_uri())
            if name == "search":
                page.locator("input").fill("ÉAST")
                assert page.locator("ul.found li:visible").all_inner_texts() == ["east"]
                page.locator("input").fill("")
            violations = axe.run(page).response["violations"]
            if violations:
                found[name] = [one["id"] for one in violations]
            (site / f"bare-{name}.html").unlink()
    for (mine, other), js in zip(cases, told, strict=True):
        ours = difference(mine, other)
        assert js["verdict"] == ours.verdict
        assert js["apart"] == pytest.approx(ours.value)
        if not math.isnan(ours.low):
            assert (js["low"], js["high"]) == pytest.approx((ours.low, ours.high))
    assert found == {}
    assert wrong == []
    assert all(one.startswith("file:") for one in asked)


def test_numbers_of_two_realisations_are_joined_marked_or_parted_by_their_misfit(tmp_path):
    """Up to 1 % nothing is said, to 3 % a mark, above no series: on pages of each kind."""
    portal = lipgeo.open_portal(tmp_path / "portal", create=True)
    misfits = {"joined": 0.01, "marked": 0.03, "parted": 0.031}
    rows = pd.DataFrame(
        [
            (area, period, value, f"{area}-{period}", origin)
            for area in misfits
            for period, value, origin in (("2016", 30.0, "published"), ("2021", 33.0, "ordered"))
        ],
        columns=["area_id", "period", "value", "realisation_hash", "origin"],
    ).assign(definition="main", indicator="renters", source="Census")
    realised = pd.DataFrame(
        [
            (area, "main", period, f"{area}-{period}", misfit if period == "2021" else 0.0, 1)
            for area, misfit in misfits.items()
            for period in ("2016", "2021")
        ],
        columns=list(REALISATION_COLUMNS[:-1]),
    )
    taken = Intake(make_observations(rows), "delivery", areas=new_areas(list(misfits)),
                   realisations=realised)  # fmt: skip
    with portal.store.locked():
        portal.write_release(taken, "one", licence="statcan-open")
    portal = portal.reopen()
    site = lipgeo.build_site(portal, tmp_path / "site")
    words = {
        site: ("compare with 2021 with caution", "not comparable with 2021", "3.1%"),
        site / "fr": ("à comparer avec prudence à 2021", "non comparable à 2021", "3,1\u00a0%"),
    }
    for folder, (caution, no, share) in words.items():
        lang = "fr" if folder.name == "fr" else "en"
        pages = {area: (folder / f"{area}.html").read_text("utf-8") for area in misfits}
        rows_of = (folder / "indicator--renters.html").read_text("utf-8").split("<tr>")
        loaded = {area: (site / "data" / f"{area}-{lang}.js").read_text("utf-8")
                  for area in misfits}  # fmt: skip
        for area, told in (("joined", ""), ("marked", caution), ("parted", no)):
            row = next(one for one in rows_of if f">{area}<" in one and "2016" in one)
            for text in (pages[area], row):
                assert [one in text for one in (caution, no)] == [told == caution, told == no]
            assert ("notices" in loaded[area]) == bool(told)
        assert share in html.unescape(pages["parted"]).replace("\u202f", "\u00a0")
    verdicts = {area: portal.joins(area, "renters")["verdict"].item() for area in misfits}
    assert verdicts == {"joined": "yes", "marked": "caution", "parted": "no"}


def test_no_text_of_a_user_ends_the_script(tmp_path):
    """A name with markup stands in data and page as text."""
    evil = "</script><script>alert(1)</script>"
    made = lipgeo.open_portal(tmp_path / "portal", create=True)
    frame = pd.DataFrame(
        {"area_id": [evil], "indicator": "population", "period": "2021", "value": [10.0],
         "universe": "population", "source": "x", "licence": "statcan-open"}
    )  # fmt: skip
    made.add(frame, release="one")
    site = lipgeo.build_site(made.reopen(), tmp_path / "site")
    for path in [*site.rglob("*.js"), *site.rglob("*.html")]:
        assert "<script>alert" not in path.read_text("utf-8"), path
    assert evil in html.unescape((site / "compare.html").read_text("utf-8"))


def test_a_list_is_told_from_its_greatest_number_and_other_rows_by_their_parts():
    """In each period the greatest first; what is suppressed comes last."""
    numbers = [("India", "2021", 20.0), ("China", "2021", 90.0), ("Syria", "2021", math.nan),
               ("India", "2016", 95.0)]  # fmt: skip
    rows = [
        {"category": category, "group": "total", "gender": "total", "period": period,
         "dollars": "", "value": value, "symbol": "", "origin": "ordered", "flags": ""}
        for category, period, value in numbers
    ]  # fmt: skip

    def order(rule):
        return [(row["category"], row["period"]) for row in rows_in_order(rows, rule)]

    newest = [("China", "2021"), ("India", "2021"), ("Syria", "2021"), ("India", "2016")]
    assert order("list") == newest
    assert order("count") == sorted(newest, key=lambda one: (one[0], -int(one[1])))


def test_what_is_withheld_says_why_and_of_how_many():
    """An answer of too few is no empty place: words on the page, its responses in the table."""
    row = {"value": math.nan, "denominator_value": 41.0, "flags": "withheld_few", "symbol": "",
           "origin": "reported"}  # fmt: skip
    for lang, words in (("en", "too few people"), ("fr", "trop peu de personnes")):
        with speaking(lang):
            assert words in value_text(row, "percent", 1)
    frame = make_observations(pd.DataFrame([{**row, "area_id": "west"}]))
    assert without_middles(frame)["denominator_value"].tolist() == [41.0]


def test_places_of_one_name_and_definition_keep_a_column_each():
    """Two communities of one name beside an area of that name too: three columns."""
    place = {"name_en": "Made", "name_fr": "", "definition": "main"}
    areas = [{**place, "area_id": id} for id in ("one", "two", "three")]

    class Beside:
        others = staticmethod(lambda area: areas[1:])
        column = staticmethod(dict)

    columns = Material.columns(Beside, areas[0])
    assert [column["area_id"] for _, column in columns] == ["one", "two", "three"]
    assert len({name for name, _ in columns}) == 3
