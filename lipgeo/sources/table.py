"""``PublishedFile``: one file Statistics Canada publishes, from ``sources.toml``; ``identify``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lipgeo import geography
from lipgeo.errors import InputError

__all__ = ["PublishedFile", "boundary_file", "identify", "published_files", "table_file"]

_BOUNDARY = re.compile(
    r"(?P<projection>[gl])(?P<letters>[a-z]{2}_|[a-z]{3})000"
    r"(?P<kind>[a-h])(?P<year>\d\d)(?P<format>[a-z])_(?P<language>[ef])"
)


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
    vintage
        Census year; of a correspondence file, the later one.
    levels
        Codes of the levels it is about; empty for tables that give every level.
    boundary_type
        ``digital`` (with coastal water), ``cartographic`` (land), another kind of outline
        (``water``, ``ecumene``, ``great_lakes``), or empty for a table.
    crs
        The coordinate reference system its name promises (its ``.prj`` decides); else empty.
    format
        ``shapefile``, ``gml``, ``mapinfo``, ``geodatabase`` or ``table``.
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
    return tomllib.loads((resources.files("lipgeo") / "sources.toml").read_text("utf-8"))


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
    >>> from lipgeo.sources import boundary_file
    >>> boundary_file("DA", 2021).name, boundary_file("DB", 2021, "digital", "fr").name
    ('lda_000b21a_e.zip', 'lid_000a21a_f.zip')
    >>> boundary_file("ADA", 2016).name, boundary_file("UA", 2006).crs
    ('lada000b16a_e.zip', 'EPSG:4269')
    """
    code = geography.level(level).code
    row = facts()["boundaries"].get(str(vintage))
    kinds = {kind: letter for letter, kind in facts()["name"]["kind"].items() if letter in "ab"}
    if row is None or code not in row["levels"]:
        having = [y for y, r in facts()["boundaries"].items() if code in r["levels"]]
        raise InputError(
            "sources.no_boundaries", level=code, vintage=str(vintage), having=", ".join(having)
        )
    if boundary_type not in kinds:
        raise InputError("sources.boundary_type", given=boundary_type, kinds=", ".join(kinds))
    spoken = lang if lang in row["languages"] else "en"
    letters = facts()["letters"][code]
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


def table_file(role: str, vintage: int, level: str = "") -> PublishedFile | None:
    """Return the table of a role (``attributes``, ``relationship``, ``correspondence``).

    Examples
    --------
    >>> from lipgeo.sources import table_file
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
        levels=(row["level"],) if "level" in row else (),
        address=row["folder"] + row["name"],
        size_bytes=facts()["bytes"].get(row["name"]),
        browser=row.get("browser", False),
        certainty=row["certainty"],
    )


def _profile(vintage: int, number: str, region: str = "", lang: str = "en") -> PublishedFile:
    row = facts()["profiles"][str(vintage)]
    asked = f"{number}_{region}" if region else number
    ending = "fra" if lang == "fr" else "eng"
    middle = f"{region}_" if region else ""
    return PublishedFile(
        name=f"{row['prefix']}{number}_{middle}{ending}_CSV.zip",
        role="profile",
        vintage=vintage,
        levels=tuple(row["numbers"][number]),
        lang=lang,
        address=row["address"].format(lang="F" if lang == "fr" else "E", number=asked),
        certainty=row["certainty"],
    )


def published_files(vintage: int | None = None, lang: str = "en") -> Iterator[PublishedFile]:
    """Go through every file known: boundaries of both kinds, tables, profiles.

    Examples
    --------
    >>> from lipgeo.sources import published_files
    >>> sum(file.role == "boundary" for file in published_files(2021))
    30
    """
    for year, row in facts()["boundaries"].items():
        if vintage in (None, int(year)):
            for level in row["levels"]:
                for kind in ("cartographic", "digital"):
                    yield boundary_file(level, int(year), kind, lang)
    for row in facts()["tables"]:
        if vintage in (None, row["vintage"]):
            yield _table(row)
    for year, row in facts()["profiles"].items():
        if vintage in (None, int(year)):
            for number in row["numbers"]:
                yield _profile(int(year), number, lang=lang)


def identify(name: str | Path) -> PublishedFile | None:
    """Say which published file a name is, zipped or unpacked; ``None`` where it is none.

    Parameters
    ----------
    name
        A path or a file name; a copy's ``(1)`` and any ending are passed over.

    Examples
    --------
    >>> from lipgeo.sources import identify
    >>> found = identify("downloads/ldr_000b21a_f (1).zip")
    >>> found.levels, found.boundary_type, found.lang, found.vintage
    (('CD',), 'cartographic', 'fr', 2021)
    >>> identify("2016_92-151_XBB_xlsx.zip").role, identify("wards.shp")
    ('attributes', None)
    """
    stem = re.split(r"[/\\]", str(name))[-1]
    match = _BOUNDARY.match(stem.lower())
    if match is not None:
        return _identify_boundary(match, stem)
    for row in facts()["tables"]:
        if re.match(rf"(?:{row['pattern']})(?=[^0-9A-Za-z]|$)", stem, re.IGNORECASE):
            return _table(row)
    for year, row in facts()["profiles"].items():
        match = re.match(rf"{row['prefix']}(\d\d\d)(?:.*_(fra|French))?", stem, re.IGNORECASE)
        if match is not None and match.group(1) in row["numbers"]:
            region = next((place for place in row.get("regions", ()) if place in stem), "")
            lang = "fr" if match.group(2) else "en"
            return _profile(int(year), match.group(1), region, lang)
    return None


def _identify_boundary(match: re.Match[str], stem: str) -> PublishedFile | None:
    names = facts()["name"]
    lang = names["language"][match["language"]]
    year = 2000 + int(match["year"])
    spoken = 1 if lang == "fr" else 0
    level = next(
        (
            code
            for code, letters in facts()["letters"].items()
            if match["letters"] in (letters[spoken:] if spoken else letters[:1])
        ),
        None,
    )
    if level is None or match["kind"] not in names["kind"]:
        return None
    row = facts()["boundaries"].get(str(year), {})
    name = f"{match.group(0)}.zip"
    listed = level in row.get("levels", ()) and match["kind"] in "ab" and match["format"] == "a"
    return PublishedFile(
        name=name,
        role="boundary",
        vintage=year,
        levels=(level,),
        boundary_type=names["kind"][match["kind"]],
        crs=names["projection"][match["projection"]],
        format=names["format"].get(match["format"], ""),
        lang=lang,
        address=row["folder"] + name if listed else "",
        page=row.get("page", ""),
        size_bytes=facts()["bytes"].get(name),
        certainty=row["certainty"] if listed else "general knowledge",
    )
