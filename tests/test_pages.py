"""Pages of our own: one shell, nothing of a user's text run, and all of it shown as typed."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
import toytown

import lipgeo
from lipgeo.boundary.fit import fit_boundaries
from lipgeo.order.package import write_order
from lipgeo.report import Card, fill_template, script_json

#: what a template engine, a script, a tag or an entity would take for its own
HOSTILE = (
    "{{ 6 * 7 }} areas",
    "{{ cycler.__init__.__globals__.os.getcwd() }}",
    "{% for k in range(3) %}k{% endfor %}",
    "{# gone #} left",
    "{% raw %}",
    "50 {% of",
    "}} %} #} {{",
    '</script><script>alert("x")</script>',
    "<!-- <script>",
    '"lipgeo-slot-0"',
    "a & b &amp; 'c' \"d\" \u2028 \u2029 \\u003c",
)


class Page(HTMLParser):
    """The texts of a page, the scripts in it and the tags it opens."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts, self.scripts, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):  # noqa: D102
        self.tags.append(tag)

    def handle_data(self, data):  # noqa: D102
        (self.scripts if self.tags[-1:] == ["script"] else self.texts).append(data)


def town(name: str) -> lipgeo.Boundaries:
    """Return the toy town fitted, everything in it called ``name``."""
    frame = toytown.areas()
    frame["name_en"], frame["name_fr"] = name, name
    areas = lipgeo.ServiceAreas.from_frame(frame, id="area_id", name_en="name_en")
    fitted = fit_boundaries(toytown.census(), areas, unit="DB")
    fitted.shapes["unit_name"] = name
    fitted.meta["attribution"] = name
    return fitted


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_on_a_map_is_shown_as_typed_and_never_run(name):
    """Area names, unit names, titles and layer names: the same in the page, the data, the list."""
    fitted = town(name)
    text = lipgeo.preview(fitted, title=name, beside=fitted).html
    plain = town("plain")
    page = Page(text)
    assert page.texts.count(name) >= 2  # title and heading
    calls = [json.loads(one) for one in re.findall(r"lipgeo\.draw\(\w+, (\{.*\})\);", text)]
    cells = {cell for call in calls for row in call["rows"] or [] for cell in row}
    assert name in cells
    # nothing more is opened or run than where names are plain
    usual = Page(lipgeo.preview(plain, title="plain", beside=plain).html)
    assert page.tags == usual.tags
    assert "\u2028" not in text.split("<script>")[-1]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_layers_name_is_shown_as_typed(name, monkeypatch):
    """Leaflet's list of layers takes names as HTML: they come escaped twice over, for both."""
    from lipgeo.maps import scene

    fitted = town("plain")
    made = scene.scene_of(fitted)
    object.__setattr__(made.layers[0], "title", name)
    from lipgeo.maps.preview import page_of

    text = page_of([made], title="t", notes=[], basemap=False)
    listed = re.search(r"overlays :\s*\{(.*?)\n\s*\},", text, re.DOTALL)
    keys = [
        html.unescape(json.loads(one)) for one in re.findall(r'("(?:[^"\\]|\\.)*") :', listed[1])
    ]
    assert keys[0] == name
    assert "lipgeo-slot" not in re.sub(re.escape(script_json(html.escape(name))), "", listed[1])


def test_names_in_checks_are_shown_as_typed(tmp_path):
    """The page of an order's checks has every finding as it is in checks.json."""
    for number, name in enumerate(HOSTILE[:8]):
        frame = toytown.areas()
        frame["area_id"] = [f"{one} {name}"[:60] for one in frame["area_id"]]
        areas = lipgeo.ServiceAreas.from_frame(frame, id="area_id")
        folder = tmp_path / str(number)
        write_order(fit_boundaries(toytown.census(), areas, unit="DB"), folder)
        page = Page((folder / "for-you" / "checks.html").read_text(encoding="utf-8"))
        path = folder / "for-you" / "checks.json"
        said = json.loads(path.read_text(encoding="utf-8"))["findings"]
        shown = set(page.texts)
        assert {one["message"] for one in said} <= shown
        assert {one["subject"] for one in said} - {""} <= shown
        assert "script" not in page.tags


@pytest.mark.parametrize("name", HOSTILE)
def test_names_on_cards_are_shown_as_typed(name):
    """A card in a notebook escapes its title, its headings and its cells."""
    import pandas as pd

    card = Card(name, pd.DataFrame({"a": [name]}), {"a": name})
    page = Page(card.html())
    assert [" ".join(one.split()) for one in page.texts if one.strip()] == [
        " ".join(name.split())
    ] * 3
    assert page.tags == ["p", "strong", "table", "thead", "tr", "th", "tbody", "tr", "td"]


def test_script_json_is_read_back_the_same():
    """What is escaped is JSON still: the same value, and no mark a page could take for its own."""
    value = {"names": list(HOSTILE), "n": 1.5, "none": None}
    text = script_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_a_value_a_template_needs_is_never_silently_empty():
    """A page without its title is an error, not a page."""
    import jinja2

    with pytest.raises(jinja2.UndefinedError, match="title"):
        fill_template("page/card.html.jinja", heads=[], more="")


def test_every_page_extends_the_one_shell():
    """A room's template is a page's own part: no other file opens a document."""
    root = Path(str(resources.files("lipgeo")))
    templates = sorted(root.rglob("*.html.jinja"))
    opening = [path.name for path in templates if "<!DOCTYPE" in path.read_text(encoding="utf-8")]
    assert opening == ["shell.html.jinja"]
    # blocks that several pages share are macros, or a body of them: no page
    pages = [
        path
        for path in templates
        if path.parent.name != "page"
        and "{% macro" not in path.read_text(encoding="utf-8")
        and not path.name.endswith("_body.html.jinja")
    ]
    assert len(pages) >= 2
    for path in pages:
        # at once, or by the page of its room
        above = path
        while above.name != "shell.html.jinja":
            said = re.search(r'{% extends "(.+?)" %}', above.read_text(encoding="utf-8"))
            assert said is not None, path.name
            above = root / said.group(1)
    code = [p for p in root.rglob("*.py") if "<!DOCTYPE html" in p.read_text(encoding="utf-8")]
    assert code == []


def test_folium_gets_no_text_of_a_user():
    """What is handed to folium and branca, which compile it, holds no name at all."""
    from lipgeo.maps import scene
    from lipgeo.maps.preview import _map_of, _Slots

    slots = _Slots()
    made = _map_of(scene.scene_of(town("{{ 6 * 7 }}")), slots, basemap=False)
    waiting, seen = [made], []
    while waiting:
        part = waiting.pop()
        seen += [str(value) for value in vars(part).values() if isinstance(value, str)]
        waiting += list(part._children.values())
    assert [one for one in seen if "6 * 7" in one] == []
    assert any("6 * 7" in one for one in slots._kept)
