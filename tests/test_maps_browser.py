"""The maps as a person meets them: in a browser without a network, by mouse and by keyboard."""

from __future__ import annotations

import pandas as pd
import pytest
import toytown
from browser import Opened, browser

import lipgeo
from lipgeo import synthetic
from lipgeo.words import speaking

#: a name that would run if it were ever taken for markup
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u2028"


@pytest.fixture(scope="module")
def chrome():
    """One browser for all tests here."""
    with browser() as started:
        yield started


@pytest.fixture
def visit(chrome, tmp_path):
    """Open a preview in a fresh window: ``visit(preview)``; all windows must stay quiet."""
    opened, contexts = [], []

    def go(preview, *, width=1200, height=800):
        context = chrome.new_context(viewport={"width": width, "height": height}, offline=True)
        contexts.append(context)
        path = preview.save(tmp_path / f"map{len(opened)}.html")
        opened.append(Opened(context.new_page(), path))
        return opened[-1]

    yield go
    for one in opened:
        assert one.errors == []
        assert one.asked == []
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def made():
    """Three areas drawn over a made census and fitted to its dissemination areas."""
    census = synthetic.census(blocks=2_000, seed=2)
    drawn = synthetic.service_areas(census, 3)
    return lipgeo.fit_boundaries(census, lipgeo.ServiceAreas.from_frame(drawn, id="area_id"))


@pytest.fixture(scope="module")
def town():
    """The toy town fitted to its twelve blocks."""
    areas = lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id")
    return lipgeo.fit_boundaries(toytown.census(), areas, unit="DB")


class Numbers:
    """Estimates of one variable, as ``Estimates`` holds them."""

    def __init__(self, values, flags, basis="union"):
        self.variables = {}
        self.sources = pd.DataFrame({"file": ["table.csv"]})
        count = len(values)
        value = pd.Series(values, dtype="float64")
        self.frame = pd.DataFrame(
            {
                "area_id": [str(k + 1) for k in range(count)],
                "variable": "immigrants",
                "value": value,
                "lower": value - 20,
                "upper": value + 20,
                "likely_lower": value - 5,
                "likely_upper": value + 5,
                "observed_share": 0.9,
                "flag": flags,
                "basis": basis,
            }
        )


def pane(page, key):
    """Return the shapes of one layer."""
    return page.locator(f".leaflet-lipgeo-{key}-pane path.leaflet-interactive")


def test_every_shape_is_there_and_nothing_is_asked(visit, made):
    """Leaflet runs from inside the page and draws each unit, union and outline once."""
    one = visit(lipgeo.preview(made))
    one.page.wait_for_timeout(200)
    one.picture("made")
    # one unit of the made census has no polygon
    units = made.shapes[made.shapes.geometry.notna()]
    cut = units["status"].eq("straddling") & units["share"].le(0.98)
    assert one.page.evaluate("L.version").startswith("1.9")
    assert pane(one.page, "inside").count() == (units["status"].ne("left_out") & ~cut).sum()
    assert pane(one.page, "straddling").count() == cut.sum()
    assert pane(one.page, "union").count() == 3
    assert pane(one.page, "drawn").count() == 3
    assert pane(one.page, "context").count() == len(made.context)
    assert one.page.locator(".leaflet-control-scale-line").inner_text().endswith(("km", "m"))


def test_pointing_and_clicking_tell(visit, town):
    """Pointing at a unit shows its code and share, clicking opens the panel with its DGUID."""
    one = visit(lipgeo.preview(town))
    shape = pane(one.page, "straddling").first
    # beside the middle, through which the outline runs
    box = shape.bounding_box()
    spot = box["x"] + 0.62 * box["width"], box["y"] + 0.5 * box["height"]
    one.page.mouse.move(*spot)
    tip = one.page.locator(".leaflet-tooltip")
    tip.wait_for()
    unit = town.units[town.units["status"].eq("straddling")].iloc[0]
    assert f"DB {unit['unit_id']}" in tip.inner_text()
    assert "%" in tip.inner_text()
    one.page.mouse.click(*spot)
    panel = one.page.locator(".leaflet-popup")
    panel.wait_for()
    assert unit["dguid"] in panel.inner_text()
    one.page.mouse.move(spot[0] + 3, spot[1])
    tip.wait_for(state="detached")  # the panel says the same and more
    assert panel.locator(".leaflet-popup-close-button").get_attribute("aria-label") == (
        "Close the panel"
    )
    one.picture("town-panel")


def test_areas_are_found_by_name_and_home_shows_all(visit, town):
    """Typing narrows the list, a name goes to its area and opens it, home comes back; sorted."""
    one = visit(lipgeo.preview(town))
    page, scale = one.page, one.page.locator(".leaflet-control-scale-line")
    names = page.locator(".areas li:visible")
    assert names.count() == len(town.areas)
    name = names.last.inner_text()
    before = scale.inner_text()
    page.locator(".areas input").fill(name.upper())
    assert name in names.all_inner_texts()
    names.get_by_text(name, exact=True).click()
    assert name in page.locator(".leaflet-popup").inner_text()
    assert scale.inner_text() != before
    page.keyboard.press("Escape")
    page.locator(".home a").click()
    assert scale.inner_text() == before
    page.locator("summary").click()
    head = page.locator(".table th", has_text="Population").first
    people = f".table td:nth-child({1 + head.evaluate('cell => cell.cellIndex')})"
    for _ in range(2):  # up, then down
        head.locator("button").click()
    shown = [int(text.replace(",", "")) for text in page.locator(people).all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"


def test_layers_switch(visit, town):
    """A layer's box takes its shapes away and brings them back, in their old place."""
    one = visit(lipgeo.preview(town))
    box = one.page.get_by_label("Semi-custom boundary")
    box.uncheck()
    assert pane(one.page, "union").count() == 0
    box.check()
    assert pane(one.page, "union").count() == len(town)
    assert pane(one.page, "union").first.get_attribute("tabindex") == "0"


def test_all_is_reached_by_keyboard(visit, town):
    """Tab reaches a layer, arrows go on in it, Enter opens the panel, Escape gives focus back."""
    one = visit(lipgeo.preview(town))
    reached = []
    for _ in range(20):
        one.page.keyboard.press("Tab")
        reached.append(one.page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert any(label and "DB 3506000" in label for label in reached)
    first = pane(one.page, "union").first
    first.focus()
    one.page.keyboard.press("ArrowRight")
    label = one.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert "Area: 2" in label
    one.page.keyboard.press("Enter")
    one.page.locator(".leaflet-popup").wait_for()
    one.page.keyboard.press("Escape")
    one.page.locator(".leaflet-popup").wait_for(state="detached")
    assert one.page.evaluate("document.activeElement.getAttribute('aria-label')") == label


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_axe_finds_nothing(visit, town, lang):
    """The axe-core rules for people who see little or not at all find no fault."""
    from axe_playwright_python.sync_playwright import Axe

    with speaking(lang):
        one = visit(lipgeo.preview(town))
    one.page.locator("summary").click()
    found = Axe().run(one.page)
    grave = [v["id"] for v in found.response["violations"]]
    assert grave == [], found.generate_report()


def test_french_page_is_french(visit, town):
    """Language, words and numbers of the page are French; no English sentence is left."""
    with speaking("fr"):
        one = visit(lipgeo.preview(town))
    page = one.page
    assert page.evaluate("document.documentElement.lang") == "fr-CA"
    text = page.locator("body").inner_text()
    assert "Légende" in text
    assert "Territoire de service tel que dessiné" in text
    assert not {"Legend", "Units", "Service area", "Layers"} & set(text.replace("\n", " ").split())
    label = pane(page, "straddling").first.get_attribute("aria-label")
    assert "%" in label
    assert "," in label
    assert page.locator(".leaflet-control-zoom-in").get_attribute("title") == "Agrandir"
    one.picture("town-french")


def test_markup_in_names_is_shown_and_never_run(visit):
    """A name, id or title that holds a script is text everywhere: heading, label, tip, table."""
    frame = toytown.areas()
    frame["name"] = EVIL
    frame["area_id"] = [f"{EVIL}{k}" for k in range(3)]
    areas = lipgeo.ServiceAreas.from_frame(frame, id="area_id", name_en="name")
    fitted = lipgeo.fit_boundaries(toytown.census(), areas, unit="DB")
    fitted.shapes["unit_name"] = EVIL
    one = visit(lipgeo.preview(fitted, title=EVIL))
    page = one.page
    shown = EVIL.replace("\u2028", "")
    assert page.locator("h1").inner_text().replace("\u2028", "").strip() == shown
    assert page.title().startswith("</script>")
    assert page.locator("img").count() == 0
    assert "<img src=x onerror" in page.locator(".label b").first.inner_text()
    pane(page, "union").first.focus()
    page.keyboard.press("Enter")
    assert "<img src=x onerror" in page.locator(".leaflet-popup").inner_text()
    assert "<img src=x onerror" in page.locator(".areas button").first.inner_text()
    page.locator(".areas button").last.click()
    assert "<img src=x onerror" in page.locator(".leaflet-popup").last.inner_text()
    page.locator("summary").click()
    page.locator(".table th button").first.click()
    assert "<img src=x onerror" in page.locator("table").first.inner_text()
    one.picture("markup-in-names")


def test_two_fits_move_together(visit, town):
    """Two fits stand side by side, each with its own shapes, and move as one."""
    areas = lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id")
    within = lipgeo.fit_boundaries(toytown.census(), areas, unit="DB", rule="within")
    one = visit(lipgeo.preview(town, beside=within))
    maps = one.page.locator(".folium-map")
    assert maps.count() == 2
    assert "within" in one.page.locator(".one h2").nth(1).inner_text()
    assert pane(maps.nth(0), "straddling").count() > pane(maps.nth(1), "straddling").count()
    before = maps.nth(1).locator(".leaflet-control-scale-line").inner_text()
    maps.nth(0).locator(".leaflet-control-zoom-in").click()
    one.page.wait_for_timeout(600)
    assert maps.nth(1).locator(".leaflet-control-scale-line").inner_text() != before
    one.picture("two-fits")


def test_a_variable_colours_the_areas(visit, town):
    """Values stand in the areas with their range; what is suppressed is hatched, and said."""
    numbers = Numbers([1234, float("nan"), 40], ["", "too_little_observed", "partly_observed"])
    one = visit(lipgeo.preview(town, estimates=numbers))
    page = one.page
    fills = [shape.get_attribute("fill") for shape in pane(page, "value").all()]
    assert "url(#none)" in fills
    assert len(set(fills)) == 3
    flagged = page.locator(".leaflet-lipgeo-flagged-pane path")
    assert flagged.count() == 1
    assert flagged.first.get_attribute("fill") == "url(#flag)"
    label = pane(page, "value").first.get_attribute("aria-label")
    assert "Value: 1,234" in label
    assert "Likely range (90%): 1,229 to 1,239" in label
    assert "suppressed or not known" in page.locator(".side").inner_text()
    assert any("1,234" in text for text in page.locator(".label span").all_inner_texts())
    assert not page.get_by_label("Units inside").is_checked()
    one.picture("variable")


def test_a_narrow_screen_scrolls_only_down(visit, town):
    """On a telephone the page is as wide as the screen, and may be zoomed."""
    one = visit(lipgeo.preview(town), width=360, height=740)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert "user-scalable" not in one.page.content().replace(" ", "")
    one.picture("telephone")


def test_in_a_notebook_the_map_stands_in_a_frame(visit, chrome, tmp_path, town):
    """The notebook's frame holds the whole page and runs it."""
    path = tmp_path / "notebook.html"
    shown = lipgeo.preview(town)._repr_html_()
    path.write_text(f"<!doctype html><title>n</title>{shown}", encoding="utf-8")
    page = chrome.new_page()
    page.goto(path.as_uri())
    inside = page.frame_locator("iframe")
    inside.locator("path.leaflet-interactive").first.wait_for()
    assert inside.locator("h1").inner_text().startswith("3 service areas")
    page.close()
