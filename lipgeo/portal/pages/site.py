"""``build_site``: a portal as a folder of pages that open by double click, in both languages.

Every number comes through :meth:`Portal.view <lipgeo.portal.portal.Portal.view>`. Pages load
nothing, need no script and name no day of building: equal state gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lipgeo.census.census import Census
from lipgeo.errors import FileError, require_path
from lipgeo.files import (
    FolderFormat,
    file_entries,
    folder_in_one_step,
    listed_files,
    require_free,
    write_manifest,
)
from lipgeo.portal.areas import UNCONFIRMED
from lipgeo.portal.observations import shown
from lipgeo.portal.pages.blocks import (
    AreaBlocks,
    Material,
    area_blocks,
    area_name,
    name_order,
    slug_of,
    topic_name,
)
from lipgeo.portal.pages.charts import draw_chart
from lipgeo.portal.pages.dashboard import DATA, write_dashboard
from lipgeo.portal.pages.dashboard import PAGES as NETWORK_PAGES
from lipgeo.portal.pages.downloads import (
    column_words,
    write_area_rows,
    write_area_workbook,
    write_long_table,
)
from lipgeo.portal.pages.gap_page import gap_tables
from lipgeo.portal.pages.outlines import places_of
from lipgeo.portal.pages.site_state import SiteState, state_of
from lipgeo.portal.pages.unchanged import MARKS, EarlierSite, mark_of, read_earlier
from lipgeo.portal.portal import Audience, Portal
from lipgeo.report import fill_template
from lipgeo.words import LANGUAGES, language, number, say, speaking

__all__ = ["SITE", "build_site"]

#: what a built site says it is
SITE = FolderFormat("site", 1, FileError, "site.no_manifest", {"files": {"*": {"sha256": str}}})
#: the site's own pages, in the order of their links
PAGES = ("index", "gaps", "releases", "methods", "glossary")
Table = tuple[str, list[str], list[list[str]]]


def build_site(
    portal: Portal,
    path: str | Path,
    audience: Audience = "public",
    *,
    census: Census | None = None,
    replace: bool = False,
) -> Path:
    """Write a portal as a folder of pages in English and French.

    Parameters
    ----------
    portal
        The portal.
    path
        The folder to make; ``index.html`` opens by double click.
    audience
        ``public`` or ``members``; pages and file names for members say so.
    census
        Says where the areas lie and what areas listed at different levels have in common; without
        it there is no map. Outlines are drawn where they may be shown, else a point.
    replace
        Whether an earlier site gives way.

    Returns
    -------
    pathlib.Path
        The folder: ``index.html``, a page an area, ``gaps.html``, ``releases.html``,
        ``methods.html``, ``glossary.html``, the same names in ``fr/``, ``downloads/``, ``share/``
        (one file an area, for e-mail) and ``embed/`` (a frame for somebody else's page).

    Raises
    ------
    InputError
        The audience is none.
    OutputError
        Something else stands there, or an earlier site and ``replace`` is false.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import lipgeo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     portal = lipgeo.open_portal(pathlib.Path(folder, "portal"), create=True)
    ...     site = lipgeo.build_site(portal, pathlib.Path(folder, "site"))
    ...     [one.name for one in sorted(site.glob("*.html"))][:4]
    ['changes.html', 'compare.html', 'gaps.html', 'glossary.html']
    """
    target = require_free(require_path(path), SITE, replace=replace)
    state = state_of(portal, audience, census)
    earlier = read_earlier(target, SITE)
    marks: dict[str, Any] = {}
    with folder_in_one_step(target, replace=replace) as made:
        for folder in ("fr", "downloads", "share", "embed", DATA):
            (made / folder).mkdir()
        files = write_long_table(
            state.long_table, made / "downloads", state.stem("all-numbers"), state.title
        )
        for lang in LANGUAGES:
            with speaking(lang):
                _write_language(state, made, files, earlier, marks)
        told = {"audience": audience, MARKS: marks}
        write_manifest(made, SITE, told, file_entries(made, listed_files(made)))
    portal.record_build("site", target, audience, state.whole)
    return target


# ---------------------------------------------------------------------- pages

_WORDS = (
    *("nav", "skip", "map", "map_note", "series", "sources", "cite", "chart_note", "embed"),
    *("head_indicator", "head_period", "facts", "whole"),
)


def words_of_page() -> dict[str, str]:
    """Return the fixed words of a page."""
    return {name: say(f"site.{name}") for name in _WORDS}


def fill_page(title: str, **parts: Any) -> str:
    """Fill a page; what is not given is not there."""
    empty: Mapping[str, Any] = {
        "links": (), "area": None, "body": "", "is_facts": False, "drawing": "",
        "lines": (), "heads": (),
        "texts": (), "places": (), "lists": (), "tables": (), "paste": (),
        "footer": say("site.footer"), "running": title,
    }  # fmt: skip
    return fill_template(
        "portal/pages/site_page.html.jinja",
        title=title,
        words=words_of_page(),
        **{**empty, **parts},
    )


def area_body(blocks: AreaBlocks) -> Markup:
    """Return what the page of an area and its copy for e-mail say alike, filled in."""
    topics = [
        {
            "title": one.title,
            "places": list(one.places),
            "lines": one.lines,
            "sources": one.sources,
            "drawing": Markup(draw_chart(one.chart)) if one.chart else "",
        }
        for one in blocks.topics
    ]
    return Markup(
        fill_template(
            "portal/pages/area_body.html.jinja", area=blocks, topics=topics, words=words_of_page()
        )
    )


def _links(state: SiteState, slug: str) -> list[tuple[str, str, str, bool]]:
    """Return address, word, other language and whether it is this page, of each link on top."""
    named = [("site", PAGES[0]), *(("dashboard", one) for one in NETWORK_PAGES)]
    named += [("site", one) for one in PAGES[1:]]
    links = [
        (state.name(name), say(f"{room}.page_{name}"), "", name == slug) for room, name in named
    ]
    there = "fr/" if language() == "en" else "../"
    other = "fr" if language() == "en" else "en"
    return [*links, (there + state.name(slug), say("site.other_language"), other, False)]


def _write_language(
    state: SiteState, made: Path, files: Sequence[str], earlier: EarlierSite, marks: dict[str, Any]
) -> None:
    lang = language()
    folder = made if lang == "en" else made / "fr"
    up = "" if lang == "en" else "../"
    material = state.material()

    def write(slug: str, title: str, **parts: Any) -> None:
        notice = [] if state.public else [say("site.members_only")]
        parts["texts"] = [*notice, *parts.get("texts", ())]
        named = title != state.title
        running = say("site.running", name=title, of=[state.title]) if named else title
        text = fill_page(title, links=_links(state, slug), running=running, **parts)
        (folder / state.name(slug)).write_text(text, encoding="utf-8", newline="\n")

    names: list[tuple[str, str, str]] = []
    told: list[tuple[str, str, Any]] = []
    for area in sorted(
        state.areas.to_dict("records"), key=lambda one: name_order(_listed_name(one))
    ):
        slug = slug_of(area["area_id"], area["definition"])
        names.append((state.name(slug), _listed_name(area), str(area["kind"] or "partnership")))
        told.append((slug, _listed_name(area), area))
        stem = f"{slug}-{lang}"
        mark = _area_mark(state, material, area, files)
        own = earlier.take_over(stem, mark, made)
        if not own:
            own = _write_area(state, made, area_blocks(material, area), area, files)
        marks[stem] = {"mark": mark, "files": list(own)}
    lists = [
        (title, [(address, name) for address, name, kind in names if (kind in _OWN) == own])
        for title, own in ((say("site.areas"), True), (say("site.others"), False))
    ]
    lists.append((say("site.get_data"), [(f"{up}downloads/{one}", one) for one in files]))
    places = _places(state)
    at = {one["key"]: (one["x"], one["y"]) for one in places}
    write_dashboard(state, material, made, told, at, lambda slug: _links(state, slug))
    texts = [say("site.home"), *_stamp(state)]
    if not places:
        texts.append(say("site.no_map"))
    lists = [one for one in lists if one[1]]
    write("index", state.title, texts=texts, lists=lists, places=places)
    tables = gap_tables(material, state.consortia)
    write("gaps", say("site.page_gaps"), texts=[say("site.gaps_about")], tables=tables)
    write("releases", say("site.page_releases"), texts=_stamp(state), tables=_releases(state))
    columns = (say("site.columns"), [say("site.head_column"), say("site.head_meaning")],
               column_words())  # fmt: skip
    texts = [say(f"site.methods_{one}") for one in _METHODS]
    write("methods", say("site.page_methods"), texts=texts, tables=[columns])
    write("glossary", say("site.page_glossary"), tables=_glossary(state))


def _write_area(
    state: SiteState, made: Path, blocks: AreaBlocks, area: Mapping[str, Any], files: Sequence[str]
) -> list[str]:
    """Write page, copy for e-mail, frame and downloads of an area; return their names."""
    lang = language()
    slug = slug_of(area["area_id"], area["definition"])
    stem = f"{slug}-{lang}"
    alone = state.name(stem)
    page, up = state.name(slug), ""
    if lang != "en":
        page, up = f"{lang}/{page}", "../"
    # what the page and its copy for e-mail say alike is filled in once
    body = area_body(blocks)
    framed = fill_template(
        "portal/pages/embed.html.jinja", title=blocks.title, area=blocks, words=words_of_page(),
        address=f"../{page}",
    )  # fmt: skip
    downloads = _write_downloads(state, blocks, stem, made)
    entries = [(f"{up}downloads/{one}", one) for one in downloads]
    if count := state.delivered.get(_key(area)):
        entries.append((f"{up}downloads/{files[0]}", say("site.delivered_rows", count=count)))
    entries.append((f"{up}share/{alone}", say("site.share")))
    entries.append((f"{up}embed/{alone}", say("site.embed_page")))
    running = blocks.running
    whole = fill_page(
        blocks.title, area=blocks, body=body, links=_links(state, slug), running=running,
        lists=[*_other_definitions(state, area), (say("site.get_data"), entries)],
        paste=_paste(state, blocks, alone),
    )  # fmt: skip
    texts = {
        page: whole,
        f"share/{alone}": fill_page(blocks.title, area=blocks, body=body, running=running),
        f"embed/{alone}": framed,
    }
    for name, text in texts.items():
        (made / name).write_text(text, encoding="utf-8", newline="\n")
    return [*texts, *(f"downloads/{one}" for one in downloads)]


_OWN = ("partnership", "community")
_METHODS = ("origins", "estimates", "missing", "small", "compare", "series", "map", "never")


def _area_mark(
    state: SiteState, material: Material, area: Mapping[str, Any], files: Sequence[str]
) -> str:
    """Return the mark of all that the files of an area are made from, in the language in force."""
    columns = material.columns(area)
    releases = {row["release"] for row in columns[0][1].rows}
    return mark_of(
        [
            *(language(), state.audience, material.title, material.contact),
            *(state.setting("address"), list(files), state.dictionary_mark),
            *(area, state.delivered.get(_key(area))),
            [(name, one.area, state.row_marks.get(_key(one.area))) for name, one in columns],
            state.realised.get(_key(area)),
            {one: material.dates.get(one) for one in sorted(releases)},
            _other_definitions(state, area),
        ]
    )


def _key(area: Mapping[str, Any]) -> tuple[str, str]:
    return str(area["area_id"]), str(area["definition"])


def _listed_name(area: Mapping[str, Any]) -> str:
    """Return an area's name for a list: with its definition, where it has one."""
    name = area_name(area)
    return name if area["definition"] in ("", "main") else f"{name} ({area['definition']})"


def _other_definitions(
    state: SiteState, area: Mapping[str, Any]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the pages of other definitions of the same area."""
    entries = [
        (state.name(slug_of(one["area_id"], one["definition"])), _listed_name(one))
        for one in state.definitions[area["area_id"]]
        if one["definition"] != area["definition"]
    ]
    return [(say("site.definitions"), entries)] if entries else []


def _paste(state: SiteState, blocks: AreaBlocks, alone: str) -> list[tuple[str, str]]:
    """Return what somebody puts into a page of their own: a frame, and the same as plain text."""
    address = state.setting("address").rstrip("/")
    source = f"{address}/embed/{alone}" if address else f"embed/{alone}"
    frame = (
        f'<iframe src="{Markup.escape(source)}" title="{Markup.escape(blocks.title)}" '
        'width="100%" height="420" loading="lazy" style="border:0"></iframe>'
    )
    said = [*blocks.sentences, blocks.citation]
    plain = f"<p>{Markup.escape(' '.join(one for one in said if one))}</p>"
    told = [(say("site.embed_frame"), frame)]
    return [*told, (say("site.embed_plain"), plain)] if blocks.sentences else told


def _stamp(state: SiteState) -> list[str]:
    told = set(state.whole["release"])
    releases = state.portal.releases
    mine = releases[releases["release"].isin(told)]
    if mine.empty:
        return [say("site.no_release")]
    newest = mine.iloc[-1]
    return [say("site.stamp", release=newest["release"], date=newest["date"])]


def _releases(state: SiteState) -> list[Table]:
    # rows that are no indicator were taken in as well, and count
    counts = shown(state.whole)["release"].value_counts()
    releases = state.portal.releases
    # files and licences of what nobody may see stay untold
    rows = [
        [one.release, one.date, say(f"site.made_{one.kind}"), number(int(counts[one.release]))]
        for one in releases.itertuples()
        if one.release in counts
    ]
    heads = [say(f"site.head_{one}") for one in ("release", "date", "made", "numbers")]
    return [(say("site.page_releases"), heads, rows)] if rows else []


def _glossary(state: SiteState) -> list[Table]:
    frame = state.portal.dictionary.frame
    told = frame["status"].isin(["core", "extended"]) | frame.index.isin(state.frame["indicator"])
    heads = [say(f"site.head_{one}") for one in ("indicator", "definition", "code")]
    lang = language()
    tables = []
    for topic, mine in frame[told].groupby("topic", sort=False):
        rows = [
            [one[f"name_{lang}"], one[f"definition_{lang}"], str(code)]
            for code, one in mine.iterrows()
        ]
        tables.append((topic_name(str(topic)), heads, rows))
    return tables


def _write_downloads(state: SiteState, blocks: AreaBlocks, stem: str, made: Path) -> list[str]:
    book, table = (state.name(stem, end) for end in ("xlsx", "csv"))
    if not blocks.topics:
        return []
    write_area_workbook(blocks, made / "downloads" / book)
    write_area_rows(blocks, made / "downloads" / table)
    return [book, table]


def _places(state: SiteState) -> list[dict[str, Any]]:
    """Return the places of the map, each with the address of its page."""
    shut = state.areas["extent_status"].isin(UNCONFIRMED) & ~(
        state.areas["confirmed_by"].ne("") & state.areas["confirmed_on"].ne("")
    )
    areas = state.areas[~shut] if state.public else state.areas
    names = {(str(one["area_id"]), str(one["definition"])): one for one in areas.to_dict("records")}
    return [
        {
            "key": place.key, "address": state.name(slug_of(*place.key)),
            "name": _listed_name(names[place.key]),
            "path": place.path, "point": place.point, "x": place.x, "y": place.y,
        }
        for place in places_of(areas, state.portal.units, state.census, public=state.public)
    ]  # fmt: skip
