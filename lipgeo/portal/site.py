"""``build_site``: a portal as a folder of pages that open by double click, in both languages.

Every number comes through :meth:`Portal.view <lipgeo.portal.portal.Portal.view>`. Pages load
nothing, need no script and name no day of building: equal state gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.census.census import Census
from lipgeo.errors import FileError, require_path
from lipgeo.files import (
    FolderFormat,
    Sheet,
    file_entries,
    folder_in_one_step,
    listed_files,
    require_free,
    write_csv,
    write_manifest,
    write_workbook,
)
from lipgeo.portal.areas import UNCONFIRMED
from lipgeo.portal.blocks import AreaBlocks, area_blocks, area_name, slug_of, topic_name
from lipgeo.portal.dashboard import DATA, PAGES, write_dashboard
from lipgeo.portal.observations import shown
from lipgeo.portal.portal import Audience, Portal
from lipgeo.report import fill_template
from lipgeo.words import LANGUAGES, language, number, say, speaking

__all__ = ["SITE", "build_site"]

#: what a built site says it is
SITE = FolderFormat("site", 1, FileError, "site.no_manifest", {"files": {"*": {"sha256": str}}})
_MAP = (800.0, 500.0)
_MARGIN = 30.0


@dataclass(frozen=True)
class SiteState:
    """What one site is made from."""

    portal: Portal
    frame: pd.DataFrame
    areas: pd.DataFrame
    audience: Audience
    census: Census | None

    @property
    def public(self) -> bool:
        return self.audience == "public"

    def name(self, slug: str, end: str = "html") -> str:
        """Return a file's name; one for members says so."""
        return f"{slug}.{end}" if self.public else f"{slug}-members.{end}"

    def setting(self, name: str) -> str:
        sheet = self.portal.book["settings"]
        mine = sheet[sheet["setting"].eq(name)]
        other = "fr" if language() == "en" else "en"
        texts = [str(mine[f"value_{one}"].iloc[0]) for one in (language(), other) if len(mine)]
        return next((one for one in texts if one), "")

    @property
    def title(self) -> str:
        return self.setting("title") or say("site.title")

    def blocks(self, area: pd.Series) -> AreaBlocks:
        return area_blocks(
            self.frame,
            area,
            self.areas,
            comparators=self.portal.book["comparators"],
            dictionary=self.portal.dictionary,
            title=self.title,
            public=self.public,
        )


def state_of(portal: Portal, audience: Audience, census: Census | None = None) -> SiteState:
    """Return what an audience may be told of a portal: its numbers and its areas."""
    frame, _ = portal.view(audience, census=census)
    frame = shown(frame)
    areas = portal.areas
    if audience == "public":
        # an area that only a members' release brought is not told of
        named = [portal.book["areas"], frame]
        told = pd.concat([one[["area_id", "definition"]] for one in named]).drop_duplicates()
        areas = areas.merge(told, on=["area_id", "definition"], how="inner")
    areas = areas.sort_values(["area_id", "definition"], kind="stable", ignore_index=True)
    return SiteState(portal, frame, areas, audience, census)


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
        Says where the areas lie (a point each) and what areas listed at different levels have in
        common; without it there is no map.
    replace
        Whether an earlier site gives way.

    Returns
    -------
    pathlib.Path
        The folder: ``index.html``, a page an area, ``releases.html``, ``methods.html``,
        ``glossary.html``, the same names in ``fr/``, ``downloads/`` and ``share/``.

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
    ...     sorted(one.name for one in site.glob("*.html"))
    ['glossary.html', 'index.html', 'methods.html', 'releases.html']
    """
    target = require_free(require_path(path), SITE, replace=replace)
    state = state_of(portal, audience, census)
    with folder_in_one_step(target, replace=replace) as made:
        for folder in ("fr", "downloads", "share", DATA):
            (made / folder).mkdir()
        for lang in LANGUAGES:
            with speaking(lang):
                _write_language(state, made)
        write_csv(state.frame, made / "downloads" / state.name("all-numbers", "csv"))
        write_manifest(made, SITE, {"audience": audience}, file_entries(made, listed_files(made)))
    portal.record_build("site", target, audience, state.frame)
    return target


# ---------------------------------------------------------------------- pages


def words_of_page() -> dict[str, str]:
    """Return the fixed words of a page."""
    return {name: say(f"site.{name}") for name in ("nav", "map", "series", "sources", "cite")}


def fill_page(title: str, **parts: Any) -> str:
    """Fill a page; what is not given is not there."""
    empty: Mapping[str, Any] = {
        "links": (), "area": None, "texts": (), "points": (), "lists": (), "tables": (),
        "footer": say("site.footer"),
    }  # fmt: skip
    return fill_template(
        "portal/site_page.html.jinja", title=title, words=words_of_page(), **{**empty, **parts}
    )


def _links(state: SiteState, slug: str) -> list[tuple[str, str, str]]:
    links = [
        (state.name(name), say(f"site.page_{name}"), "")
        for name in ("index", "releases", "methods", "glossary")
    ]
    links[1:1] = [(state.name(name), say(f"dashboard.page_{name}"), "") for name in PAGES]
    there = "fr/" if language() == "en" else "../"
    other = "fr" if language() == "en" else "en"
    return [*links, (there + state.name(slug), say("site.other_language"), other)]


def _write_language(state: SiteState, made: Path) -> None:
    lang = language()
    folder = made if lang == "en" else made / "fr"
    up = "" if lang == "en" else "../"

    def write(slug: str, title: str, **parts: Any) -> None:
        notice = [] if state.public else [say("site.members_only")]
        parts["texts"] = [*notice, *parts.get("texts", ())]
        text = fill_page(title, links=_links(state, slug), **parts)
        (folder / state.name(slug)).write_text(text, encoding="utf-8", newline="\n")

    names: list[tuple[str, str, str]] = []
    told: list[tuple[str, str, pd.Series]] = []
    for _, area in state.areas.iterrows():
        slug = slug_of(area["area_id"], area["definition"])
        blocks = state.blocks(area)
        names.append((state.name(slug), blocks.title, str(area["kind"] or "partnership")))
        told.append((slug, blocks.title, area))
        files = _write_downloads(state, blocks, f"{slug}-{lang}", made)
        share = state.name(f"{slug}-{lang}")
        alone = fill_page(blocks.title, area=blocks)
        (made / "share" / share).write_text(alone, encoding="utf-8", newline="\n")
        entries = [(f"{up}downloads/{one}", one) for one in files]
        entries.append((f"{up}share/{share}", say("site.share")))
        text = fill_page(
            blocks.title, area=blocks, links=_links(state, slug),
            lists=[(say("site.get_data"), entries)],
        )  # fmt: skip
        (folder / state.name(slug)).write_text(text, encoding="utf-8", newline="\n")
    lists = [
        (title, [(address, name) for address, name, kind in names if (kind in _OWN) == own])
        for title, own in ((say("site.areas"), True), (say("site.others"), False))
    ]
    data = state.name("all-numbers", "csv")
    lists.append((say("site.get_data"), [(f"{up}downloads/{data}", data)]))
    places = _points(state)
    points = [(*places[key], name) for key, name in _named(state) if key in places]
    write_dashboard(state, made, told, places, lambda slug: _links(state, slug))
    texts = [say("site.home"), *_stamp(state)]
    if not points:
        texts.append(say("site.no_map"))
    lists = [one for one in lists if one[1]]
    write("index", state.title, texts=texts, lists=lists, points=points)
    write("releases", say("site.page_releases"), texts=_stamp(state), tables=_releases(state))
    write("methods", say("site.page_methods"), texts=[say(f"site.methods_{n}") for n in _METHODS])
    write("glossary", say("site.page_glossary"), tables=_glossary(state))


_OWN = ("partnership", "community")
_METHODS = ("origins", "estimates", "missing", "small", "compare", "never")


def _stamp(state: SiteState) -> list[str]:
    told = set(state.frame["release"])
    releases = state.portal.releases
    mine = releases[releases["release"].isin(told)]
    if mine.empty:
        return [say("site.no_release")]
    newest = mine.iloc[-1]
    return [say("site.stamp", release=newest["release"], date=newest["date"])]


def _releases(state: SiteState) -> list[tuple[str, list[str], list[list[str]]]]:
    counts = state.frame["release"].value_counts()
    releases = state.portal.releases
    # files and licences of what nobody may see stay untold
    rows = [
        [one.release, one.date, say(f"site.made_{one.kind}"), number(int(counts[one.release]))]
        for one in releases.itertuples()
        if one.release in counts
    ]
    heads = [say(f"site.head_{one}") for one in ("release", "date", "made", "numbers")]
    return [(say("site.page_releases"), heads, rows)] if rows else []


def _glossary(state: SiteState) -> list[tuple[str, list[str], list[list[str]]]]:
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
    whole = pd.concat([one.frame for one in blocks.topics], ignore_index=True)
    write_csv(whole, made / "downloads" / table, language())
    return [book, table]


def write_area_workbook(blocks: AreaBlocks, path: Path) -> None:
    """Write an area's tables as a workbook, a sheet a topic."""
    about = [*blocks.notices, blocks.lead, *blocks.sentences, *blocks.sources, blocks.citation]
    lines = pd.DataFrame({blocks.title: [one for one in about if one]}, dtype="string")
    sheets = [Sheet(say("site.sheet_about"), lines)]
    sheets += [
        Sheet(name, topic.frame) for name, topic in zip(_tabs(blocks), blocks.topics, strict=True)
    ]
    write_workbook(sheets, path)


def _tabs(blocks: AreaBlocks) -> list[str]:
    """Return names of sheets that Excel takes: short, each once, without its own signs."""
    made: list[str] = []
    used = {say("site.sheet_about").casefold()}
    for at, topic in enumerate(blocks.topics, start=1):
        plain = "".join(" " if one in "[]:*?/\\'" else one for one in topic.title)[:26].strip()
        name = plain if plain and plain.casefold() not in used else f"{plain} {at}".strip()
        used.add(name.casefold())
        made.append(name)
    return made


# ---------------------------------------------------------------------- the map


def _named(state: SiteState) -> list[tuple[tuple[str, str], str]]:
    """Return area and definition of each area, and its name."""
    return [
        ((str(area["area_id"]), str(area["definition"])), area_name(area))
        for _, area in state.areas.iterrows()
    ]


def _points(state: SiteState) -> dict[tuple[str, str], tuple[str, str]]:
    """Return a point an area: the middle of its units, each unit alike; no outline."""
    if state.census is None:
        return {}
    units = state.portal.units
    units = units[units["vintage"].astype(str).eq(str(state.census.vintage))]
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for _, area in state.areas.iterrows():
        if state.public and area["extent_status"] in UNCONFIRMED and not area["confirmed_by"]:
            continue
        mine = units[
            units["area_id"].eq(area["area_id"]) & units["definition"].eq(area["definition"])
        ]
        parts = [_places(state.census, str(level), of) for level, of in mine.groupby("level")]
        places = pd.concat(parts) if parts else pd.DataFrame(columns=["x", "y"])
        places = places.dropna(subset=["x", "y"])
        if len(places):
            key = (str(area["area_id"]), str(area["definition"]))
            found[key] = (places["x"].mean(), places["y"].mean())
    return _on_paper(found)


def _places(census: Census, level: str, units: pd.DataFrame) -> pd.DataFrame:
    if level not in census.levels:
        return pd.DataFrame(columns=["x", "y"], dtype="float64")
    return census.units(level).reindex(units["unit_id"])[["x", "y"]]


def _on_paper(
    found: Mapping[tuple[str, str], tuple[float, float]],
) -> dict[tuple[str, str], tuple[str, str]]:
    if not found:
        return {}
    xs, ys = [one[0] for one in found.values()], [one[1] for one in found.values()]
    wide, high = _MAP[0] - 2 * _MARGIN, _MAP[1] - 2 * _MARGIN
    # one scale for both axes; a single point stands in the middle
    scale = min(wide / max(max(xs) - min(xs), 1.0), high / max(max(ys) - min(ys), 1.0))
    middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)
    return {
        key: (
            f"{_MAP[0] / 2 + (x - middle[0]) * scale:.1f}",
            f"{_MAP[1] / 2 - (y - middle[1]) * scale:.1f}",
        )
        for key, (x, y) in found.items()
    }
