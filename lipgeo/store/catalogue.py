"""Say which files Statistics Canada publishes, and which of them a job needs, where and why.

Names, addresses and sizes come from ``sources.toml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, get_args

import numpy as np

from lipgeo import geography
from lipgeo.census.census import Census
from lipgeo.census.data import COUNTS, Measure
from lipgeo.errors import InputError
from lipgeo.facts import fact_table
from lipgeo.words import say

__all__ = [
    "Holdings",
    "NeededFile",
    "PublishedFile",
    "boundary_file",
    "holdings_of",
    "need",
    "need_profile",
    "profile_regions",
    "published_files",
    "table_file",
]


@dataclass(frozen=True)
class PublishedFile:
    """One published file.

    Attributes
    ----------
    name
        Its file name as published.
    role
        ``boundary``, ``attributes`` (92-151), ``relationship`` (98-26-0004), ``correspondence``
        (92-156), ``profile`` or ``geosuite``.
    product
        Catalogue number of a table; else empty.
    vintage
        Census year; of a correspondence file, the later one.
    levels
        Codes of the levels it is about; empty for tables that give every level.
    region
        Of a profile published by region, which (``prairies``); empty for the whole country.
    boundary_type
        ``digital`` (with coastal water), ``cartographic`` (land), or empty for a table.
    crs
        The coordinate reference system its name promises (its ``.prj`` decides); else empty.
    format
        ``shapefile`` or ``table``.
    lang
        ``en`` or ``fr``: the language of its column names; both in bilingual tables (``en``).
    address
        Where it is downloaded; empty where no address is known.
    page
        The page where a person finds it.
    size_bytes
        What a server said once, ``None`` where it is not known until asked.
    browser
        Whether a browser was needed to download it, when last heard.
    certainty
        How far name and address may be trusted.
    """

    name: str
    role: str
    vintage: int
    product: str = ""
    levels: tuple[str, ...] = ()
    region: str = ""
    boundary_type: str = ""
    crs: str = ""
    format: str = "table"
    lang: str = "en"
    address: str = ""
    page: str = ""
    size_bytes: int | None = None
    browser: bool = False
    certainty: str = "verified"

    @property
    def size_mb(self) -> float | None:
        """Size in megabytes (10^6 bytes), ``None`` where it is not known until asked."""
        return None if self.size_bytes is None else self.size_bytes / 1e6


@cache
def facts() -> dict[str, Any]:
    """Return the table as it stands in ``sources.toml``."""
    return fact_table("sources")


def boundary_file(
    level: str, vintage: int, boundary_type: str = "cartographic", lang: str = "en"
) -> PublishedFile:
    """Return the boundary file of a level.

    Parameters
    ----------
    level, vintage
        Level and census year.
    boundary_type
        ``cartographic`` (land and islands) or ``digital`` (with coastal water).
    lang
        Language of its columns; English where French names are not known (before 2021).

    Raises
    ------
    InputError
        That census published no boundary file of the level, or the kind is neither.

    Examples
    --------
    >>> from lipgeo.store.catalogue import boundary_file
    >>> boundary_file("DA", 2021).name, boundary_file("DB", 2021, "digital", "fr").name
    ('lda_000b21a_e.zip', 'lid_000a21a_f.zip')
    >>> boundary_file("ADA", 2016).name, boundary_file("UA", 2006).crs
    ('lada000b16a_e.zip', 'EPSG:4269')
    """
    code, letters = geography.level(level).code, geography.level(level).letters
    row = facts()["boundaries"].get(str(geography.require_vintage(vintage)))
    kinds = {kind: letter for letter, kind in facts()["name"]["kind"].items()}
    if row is None or code not in _drawn_levels(vintage):
        having = [y for y in facts()["boundaries"] if code in _drawn_levels(int(y))]
        raise InputError(
            "store.no_boundaries", level=code, vintage=str(vintage), having=", ".join(having)
        )
    if boundary_type not in kinds:
        raise InputError("store.boundary_type", given=boundary_type, kinds=", ".join(kinds))
    spoken = lang if lang in row["languages"] else "en"
    name = "{}{}000{}{:02d}a_{}.zip".format(
        row["projection"],
        letters[1] if spoken == "fr" and len(letters) > 1 else letters[0],
        kinds[boundary_type],
        vintage % 100,
        "f" if spoken == "fr" else "e",
    )
    return PublishedFile(
        name=name,
        role="boundary",
        vintage=vintage,
        levels=(code,),
        boundary_type=boundary_type,
        crs=facts()["name"]["projection"][row["projection"]],
        format="shapefile",
        lang=spoken,
        address=row["folder"] + name,
        page=row["page"],
        size_bytes=facts()["bytes"].get(name),
        certainty=row["certainty"],
    )


def _drawn_levels(vintage: int) -> tuple[str, ...]:
    """Return the levels of a census that have a boundary file."""
    drawn = (code for code in geography.levels(vintage) if geography.level(code).letters)
    return tuple(reversed(tuple(drawn)))


def table_file(role: str, vintage: int, level: str = "") -> PublishedFile | None:
    """Return the table of a role (``attributes``, ``relationship``, ``correspondence``).

    Examples
    --------
    >>> from lipgeo.store.catalogue import table_file
    >>> table_file("attributes", 2011).name, table_file("relationship", 2016)
    ('2011_92-151_XBB_txt.zip', None)
    """
    for row in facts()["tables"]:
        if (row["role"], row["vintage"]) == (role, vintage) and row.get("level", level) == level:
            return _table(row)
    return None


def _table(row: dict[str, Any]) -> PublishedFile:
    return PublishedFile(
        name=row["name"],
        role=row["role"],
        vintage=row["vintage"],
        product=row["product"],
        levels=(row["level"],) if "level" in row else (),
        address=row["folder"] + row["name"],
        size_bytes=facts()["bytes"].get(row["name"]),
        browser=row.get("browser", False),
        certainty=row["certainty"],
    )


def _profile(vintage: int, number: str, lang: str = "en", region: str = "") -> PublishedFile:
    row = facts()["profiles"][str(vintage)]
    place = row["regions"][region] if region else {}
    ending = "fra" if lang == "fr" else "eng"
    part = f"_{place['part']}" if place else ""
    name = f"{row['prefix']}{number}{part}_{ending}_CSV.zip"
    letter = "F" if lang == "fr" else "E"
    return PublishedFile(
        name=name,
        role="profile",
        product=f"{row['prefix']}{number}",
        vintage=vintage,
        levels=tuple(row["numbers"][number]),
        region=region,
        lang=lang,
        address=row["address"].format(lang=letter, number=f"{number}{part}"),
        page=row.get("page", "").format(lang=letter),
        size_bytes=facts()["bytes"].get(name),
        certainty=place.get("certainty", row["certainty"]),
    )


def profile_regions(vintage: int) -> dict[str, tuple[str, ...]]:
    """Return the regions by which a census's profile is published, and the provinces of each.

    Examples
    --------
    >>> from lipgeo.store.catalogue import profile_regions
    >>> profile_regions(2021)["prairies"]
    ('46', '47', '48')
    """
    regions = facts()["profiles"].get(str(vintage), {}).get("regions", {})
    return {name: tuple(row["provinces"]) for name, row in regions.items()}


def published_files(vintage: int | None = None, lang: str = "en") -> Iterator[PublishedFile]:
    """Go through every file known: boundaries of both kinds, tables, profiles.

    Examples
    --------
    >>> from lipgeo.store.catalogue import published_files
    >>> sum(file.role == "boundary" for file in published_files(2021))
    30
    """
    for year in facts()["boundaries"]:
        if vintage in (None, int(year)):
            for level in _drawn_levels(int(year)):
                for kind in ("cartographic", "digital"):
                    yield boundary_file(level, int(year), kind, lang)
    for row in facts()["tables"]:
        if vintage in (None, row["vintage"]):
            yield _table(row)
    for year, row in facts()["profiles"].items():
        if vintage in (None, int(year)):
            for number in row["numbers"]:
                yield _profile(int(year), number, lang=lang)
            for region, place in row.get("regions", {}).items():
                if "part" in place:
                    yield _profile(int(year), place["number"], lang, region)


@dataclass(frozen=True)
class Holdings:
    """What a store has of one census.

    Attributes
    ----------
    files
        Names of the files added.
    polygons
        Levels with polygons.
    counts
        Levels whose units have a population.
    parents
        Levels by which the finest units are grouped.
    """

    files: frozenset[str] = field(default_factory=frozenset)
    polygons: frozenset[str] = field(default_factory=frozenset)
    counts: frozenset[str] = field(default_factory=frozenset)
    parents: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class NeededFile:
    """A file to get.

    Attributes
    ----------
    file
        What it is.
    address
        Where it is downloaded.
    size_mb
        Size in megabytes, ``None`` where it is not known until the server is asked.
    reason
        Why the job needs it, in the language in force.
    """

    file: PublishedFile
    address: str
    size_mb: float | None
    reason: str


def holdings_of(census: Census, lacking: Iterable[str] = ()) -> Holdings:
    """Say what an opened census has.

    Parameters
    ----------
    census
        The census.
    lacking
        Levels that it holds elsewhere only, not where the areas are: those count as not held, and
        so do the files that bring them.

    Examples
    --------
    >>> import numpy as np, pandas as pd, shapely
    >>> from lipgeo.census import Census, MemoryCensus
    >>> from lipgeo.store.catalogue import holdings_of
    >>> frame = pd.DataFrame({"unit_id": ["35060001"], "CD": ["3506"], "population": [5.0]})
    >>> data = MemoryCensus(2021, {"DA": frame}, {"DA": np.array([shapely.box(0, 0, 1, 1)])})
    >>> held = holdings_of(Census(data))
    >>> sorted(held.polygons), sorted(held.counts), sorted(held.parents)
    (['DA'], ['DA'], ['CD', 'DA'])
    """
    data = census.data
    polygons, counts = set(), set()
    for level in census.levels:
        if np.isfinite(data.boxes(level)).any():
            polygons.add(level)
        counted = "population" in data.columns(level)
        if counted and data.attributes(level, ["population"])["population"].notna().any():
            counts.add(level)
    known = set(geography.levels(census.vintage))
    finest = data.columns(census.atom_level)
    away = set(lacking)
    elsewhere = {
        file.name
        for lang in ("en", "fr")
        for file in published_files(census.vintage, lang)
        if away & set(file.levels)
        or (census.atom_level in away and file.role in ("attributes", "relationship"))
    }
    files = {str(source["name"]) for source in data.meta.get("sources", ())}
    return Holdings(
        files=frozenset(files - elsewhere),
        polygons=frozenset(polygons - away),
        counts=frozenset(counts - away),
        parents=frozenset((known & set(finest)) | {census.atom_level})
        if census.atom_level not in away
        else frozenset(),
    )


def need_profile(
    level: str,
    vintage: int,
    regions: Iterable[str] = (),
    have: Iterable[str] = (),
    lang: str = "en",
) -> list[NeededFile]:
    """Say which files of the Census Profile bring a level's table, region by region where it is so.

    Parameters
    ----------
    level
        Level of the units of the table.
    vintage
        Census year.
    regions
        Names of regions (:func:`profile_regions`); all by default. They matter for the set that
        goes down to dissemination areas; the others are of the whole country.
    have
        Names of the files imported already.
    lang
        Language of the files.

    Returns
    -------
    list of NeededFile
        One a region; where the address of a region's part is not known, the whole set, alone if
        regions were named. Empty where all are there.

    Raises
    ------
    InputError
        No such level or region, or no profile of that census, or of that level in it, whose
        address is known.

    Examples
    --------
    >>> from lipgeo.store.catalogue import need_profile
    >>> [needed.file.name for needed in need_profile("DA", 2021, ["ontario", "prairies"])]
    ['98-401-X2021006_Ontario_eng_CSV.zip', '98-401-X2021006_Prairies_eng_CSV.zip']
    >>> need_profile("CT", 2021)[0].file.name
    '98-401-X2021007_eng_CSV.zip'
    """
    code = geography.require_level(level, vintage).code
    row = facts()["profiles"].get(str(geography.require_vintage(vintage)))
    number = next((n for n, codes in row["numbers"].items() if code in codes), "") if row else ""
    if row is None or not number:
        having = [
            year
            for year, other in facts()["profiles"].items()
            if any(code in codes for codes in other["numbers"].values())
        ]
        raise InputError("store.no_profile", level=code, vintage=str(vintage), having=having)
    known = {name: one for name, one in row.get("regions", {}).items() if one["number"] == number}
    named = list(dict.fromkeys(regions))
    asked = named or list(known)
    strange = [name for name in asked if name not in row.get("regions", {})]
    if strange:
        raise InputError("store.no_region", given=strange, known=list(row.get("regions", {})))
    here = [str(name).casefold() for name in have]
    mine = [name for name in here if name.startswith(f"{row['prefix']}{number}".casefold())]
    whole = _profile(vintage, number, lang)
    if whole.name.casefold() in mine:
        return []
    if not known:
        return [] if mine else [_needed(whole, "profile", level=code)]
    found = []
    for name in asked:
        words = [word.casefold() for word in known[name]["words"]]
        if any(word in file for word in words for file in mine):
            continue
        place = say(f"store.region_{name}")
        if "part" in known[name]:
            found.append(_needed(_profile(vintage, number, lang, name), "region", region=place))
        elif whole not in [one.file for one in found]:
            found.append(_needed(whole, "whole", region=place))
    complete = [one for one in found if one.file == whole]
    return complete if named and complete else found


def _needed(file: PublishedFile, why: str, **values: str) -> NeededFile:
    return NeededFile(file, file.address, file.size_mb, say(f"store.why_{why}", **values))


def need(
    levels: Iterable[str],
    vintage: int,
    by: str = "population",
    have: Holdings | None = None,
    lang: str = "en",
    *,
    drawn: bool = True,
    boundary_type: str = "cartographic",
    context: bool = False,
) -> list[NeededFile]:
    """Say which files a job needs that the store has not.

    Parameters
    ----------
    levels
        Levels of the units: those to choose from for drawn areas, those named for unit lists.
    vintage
        Census year.
    by
        What shares are of: ``population``, ``dwellings``, ``households`` or ``area``.
    have
        What the store has (:func:`holdings_of`); nothing by default.
    lang
        Language of the files' columns.
    drawn
        Whether the areas are drawn (fitted) or lists of units (taken exactly).
    boundary_type
        ``cartographic`` by default: an outline that follows the shore cuts a digital block, which
        reaches out into the lake, and its people would seem to live on the water. ``digital`` for
        areas drawn to the limits in the water.
    context
        Whether the municipalities around are wanted too: a map without them shows the areas alone.

    Returns
    -------
    list of NeededFile
        In the order in which to add them; empty when the store has all.

    Raises
    ------
    InputError
        A level that the census has not, a census without published files, ``by`` unknown.

    Examples
    --------
    >>> from lipgeo.store.catalogue import need
    >>> [needed.file.name for needed in need(["DA"], 2021)]
    ['lda_000b21a_e.zip', 'ldb_000b21a_e.zip', '2021_92-151_X.zip']
    >>> [needed.file.name for needed in need(["CSD", "DPL"], 2016, drawn=False)]
    ['lcsd000b16a_e.zip', 'ldpl000b16a_e.zip', '2016_92-151_XBB_csv.zip']
    """
    if by not in get_args(Measure):
        raise InputError("store.by", given=by, known=", ".join((*COUNTS, "area")))
    have = have or Holdings()
    wanted = [geography.require_level(level, vintage).code for level in levels]
    wanted = [code for code in reversed(geography.levels(vintage)) if code in wanted]
    found: list[NeededFile] = []

    def add(file: PublishedFile | None, why: str, **values: str) -> None:
        if file is None or file.name in have.files or file in [held.file for held in found]:
            return
        sentence = say(f"store.why_{why}", **values)
        if file.browser:
            sentence += " " + say("store.why_browser")
        found.append(NeededFile(file, file.address, file.size_mb, sentence))

    for code in wanted:
        if code not in have.polygons:
            why = "choose" if drawn else "draw"
            add(boundary_file(code, vintage, boundary_type, lang), why, level=code)
    people = by != "area"
    if drawn and people and "DB" not in have.polygons:
        add(boundary_file("DB", vintage, boundary_type, lang), "blocks", by=say(f"store.{by}"))
    tabled = [code for code in wanted if geography.level(code).blocks_by == "attributes"]
    counted = "DB" in have.counts if drawn and people else bool(have.counts)
    if not counted or set(tabled) - have.parents:
        file = table_file("attributes", vintage)
        add(file, "counts" if drawn else "members", levels=", ".join(tabled) or "DB")
    for code in wanted:
        if geography.level(code).blocks_by == "relationship" and code not in have.parents:
            add(table_file("relationship", vintage), "relationship", level=code)
    around = geography.levels_for("map")[0]
    if context and around not in have.polygons:
        add(boundary_file(around, vintage, boundary_type, lang), "context")
    return found
