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


def _profile(vintage: int, number: str, lang: str = "en") -> PublishedFile:
    row = facts()["profiles"][str(vintage)]
    ending = "fra" if lang == "fr" else "eng"
    return PublishedFile(
        name=f"{row['prefix']}{number}_{ending}_CSV.zip",
        role="profile",
        vintage=vintage,
        levels=tuple(row["numbers"][number]),
        lang=lang,
        address=row["address"].format(lang="F" if lang == "fr" else "E", number=number),
        certainty=row["certainty"],
    )


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


def holdings_of(census: Census) -> Holdings:
    """Say what an opened census has.

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
    return Holdings(
        files=frozenset(str(source["name"]) for source in data.meta.get("sources", ())),
        polygons=frozenset(polygons),
        counts=frozenset(counts),
        parents=frozenset((known & set(finest)) | {census.atom_level}),
    )


def need(
    levels: Iterable[str],
    vintage: int,
    by: str = "population",
    have: Holdings | None = None,
    lang: str = "en",
    *,
    drawn: bool = True,
    boundary_type: str = "cartographic",
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

    Returns
    -------
    list of Needed
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
    return found
