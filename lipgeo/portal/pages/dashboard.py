"""The pages of the network: areas side by side, an indicator over all areas, search.

One place that calls the module of each kind of page, so that a site has them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from lipgeo.portal.pages.blocks import Material, topic_name
from lipgeo.portal.pages.changes_page import changes_parts
from lipgeo.portal.pages.compare_page import DATA, write_compare_page
from lipgeo.portal.pages.indicator_pages import indicator_parts, indicator_slug, told_indicators
from lipgeo.portal.pages.regional_pages import region_name, region_parts, region_slug
from lipgeo.portal.regional import regions_of
from lipgeo.report import fill_template, script_json
from lipgeo.words import language, say

if TYPE_CHECKING:
    from lipgeo.portal.pages.site_state import SiteState

__all__ = ["DATA", "PAGES", "write_dashboard"]

#: names of the pages that every page links to
PAGES = ("indicators", "compare", "changes", "search")


def write_dashboard(  # noqa: PLR0917
    state: SiteState,
    material: Material,
    made: Path,
    areas: list[tuple[str, str, pd.Series]],
    places: Mapping[tuple[str, str], tuple[str, str]],
    links: Any,
) -> None:
    """Write the pages of the network in the language in force.

    Parameters
    ----------
    state, material
        What the site is made from, and what its areas are told from in the language in force.
    made
        The site's folder; it has the folder :data:`DATA`.
    areas
        Slug, name and row of each area.
    places
        Area and definition to its point on the map; empty without a map.
    links
        Slug to the links on top of a page.
    """
    folder = made if language() == "en" else made / "fr"

    def write(slug: str, text: str) -> None:
        (folder / state.name(slug)).write_text(text, encoding="utf-8", newline="\n")

    told = told_indicators(state)
    names = {code: told.dictionary.name(code) for code in told.listed}
    by_topic: dict[str, list[tuple[str, str]]] = {}
    waiting = []
    for code, name in names.items():
        if code not in told.numbers:
            waiting.append(("", name))
            continue
        slug = indicator_slug(code)
        parts = indicator_parts(state, material, told, code, areas, places)
        write(slug, _page(state, name, links=links(slug), **parts))
        topic = topic_name(str(told.dictionary[code]["topic"]))
        by_topic.setdefault(topic, []).append((state.name(slug), name))
    topics = list(by_topic.items())
    open_areas = [(state.name(slug), name) for slug, name, _ in areas]
    title = say("dashboard.page_indicators")
    texts = [say("dashboard.indicators_what")]
    empty = [(say("dashboard.indicators_empty"), waiting)] if waiting else []
    write("indicators", _page(
        state, title, links=links("indicators"), texts=texts, lists=[*topics, *empty]
    ))  # fmt: skip
    lists = [(say("site.areas"), open_areas), *topics]
    lists = [one for one in lists if one[1]]
    said = [say(f"dashboard.compare_{one}") for one in ("how", "address", "without")]
    notice = [] if state.public else [say("site.members_only")]
    page = write_compare_page(
        state, material, made, areas, links=links("compare"), lists=lists, texts=[*notice, *said]
    )
    write("compare", page)
    regions = []
    for region in regions_of(state.portal.book, told.dictionary):
        slug, name = region_slug(region), region_name(region)
        parts = region_parts(state, region, areas)
        write(slug, _page(state, name, links=links(slug), **parts))
        regions.append((state.name(slug), name))
    if regions:
        lists.append((say("dashboard.regions"), regions))
    parts = changes_parts(state, areas)
    write("changes", _page(state, say("dashboard.page_changes"), links=links("changes"), **parts))
    pages = [
        (state.name(name), say(f"site.page_{name}")) for name in ("index", "releases", "methods")
    ]
    lists.append((say("site.nav"), pages))
    write("search", _page(
        state, say("dashboard.page_search"), "portal/pages/search_page.html.jinja",
        links=links("search"), texts=[say("dashboard.search_what")], lists=lists,
        # safe JSON of a sentence of our own
        start=Markup(script_json(say("dashboard.search_left", count="{count}"))),
    ))  # fmt: skip


def _page(
    state: SiteState,
    title: str,
    template: str = "portal/pages/dashboard_page.html.jinja",
    **parts: Any,
) -> str:
    """Fill a page of the network; what is not given is not there."""
    empty: Mapping[str, Any] = {
        "links": (), "texts": (), "marks": (), "legend": (), "tables": (), "foreign": (),
        "lists": (),
    }  # fmt: skip
    whole = {**empty, **parts}
    if not state.public:
        whole["texts"] = [say("site.members_only"), *whole["texts"]]
    words = {
        "nav": say("site.nav"),
        "skip": say("site.skip"),
        "map": say("dashboard.map"),
        "search": say("dashboard.page_search"),
    }
    return fill_template(
        template, title=title, words=words, footer=say("dashboard.footer"),
        running=say("site.running", name=title, of=[state.title]), **whole,
    )  # fmt: skip
