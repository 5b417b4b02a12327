"""Fast Facts of several areas, languages and kinds of files at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lipgeo.census.census import Census
from lipgeo.errors import InputError, LipgeoError, OutputError
from lipgeo.files import require_free_file
from lipgeo.portal.areas import resolve_area
from lipgeo.portal.pages.blocks import slug_of
from lipgeo.portal.pages.fast_facts import write_each_facts
from lipgeo.portal.portal import Audience, Portal
from lipgeo.words import Language, say

__all__ = ["FactsFile", "facts_endings", "facts_files", "write_facts_of_areas"]

#: kinds of files, and what has to be installed for each
_NEEDS = {".html": "", ".xlsx": "", ".docx": "docx", ".pdf": "typst"}


@dataclass(frozen=True)
class FactsFile:
    """One file to write: whose Fast Facts, in which language, where."""

    area: str
    lang: Language
    path: Path


def facts_endings() -> list[str]:
    """Return the kinds of files that can be written with what is installed."""
    return [one for one, needed in _NEEDS.items() if not needed or find_spec(needed) is not None]


def facts_files(
    portal: Portal,
    areas: Sequence[str],
    out: str | Path,
    *,
    langs: Sequence[Language] = ("en",),
    audience: Audience = "public",
) -> list[FactsFile]:
    """Return the files of some areas.

    Parameters
    ----------
    portal
        The portal.
    areas
        Each an id or ``id@definition``; all partnerships an audience may be told of where none
        is named.
    out
        A file: its ending says the kind, and its name gets the area's where there are several and
        the language where there are two. A path without an ending is a folder: a file of each kind
        that can be written for each area and language.
    langs
        ``en``, ``fr`` or both.
    audience
        ``public`` or ``members``.

    Raises
    ------
    InputError
        Some areas are not in the portal, or have several definitions; all of them at once.
    """
    known = portal.areas
    if not areas:
        told = set(portal.view(audience)[0]["area_id"])
        own = known["kind"].isin(["partnership", "community", ""]) & known["area_id"].isin(told)
        areas = [f"{one.area_id}@{one.definition}" for one in known[own].itertuples()]
        if not areas:
            raise InputError("portal.no_facts_yet", folder=portal.folder)
    found, wrong = [], []
    for one in dict.fromkeys(areas):
        try:
            found.append(resolve_area(one, known))
        except LipgeoError as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise InputError(
            "portal.areas_refused",
            [row for one in wrong for row in one.rows],
            reasons=" ".join(str(one) for one in wrong),
        )
    place = Path(out)
    files = []
    for id, definition in found:
        slug = slug_of(id, definition)
        for lang in langs:
            said = [slug] if len(found) > 1 or not place.suffix else []
            said += [lang] if len(langs) > 1 or not place.suffix else []
            name = "-".join([*([place.stem] if place.suffix else []), *said])
            endings = [place.suffix] if place.suffix else facts_endings()
            folder = place.parent if place.suffix else place
            files += [
                FactsFile(f"{id}@{definition}", lang, folder / f"{name}{ending}")
                for ending in endings
            ]
    return files


def write_facts_of_areas(
    portal: Portal,
    files: Iterable[FactsFile],
    *,
    audience: Audience = "public",
    census: Census | None = None,
    replace: bool = False,
    progress: Callable[[str, float], None] = lambda step, done: None,
) -> list[Path]:
    """Write files that :func:`facts_files` lists; nothing is written where one is in the way.

    Parameters
    ----------
    portal, audience, census, replace
        As for :func:`lipgeo.write_facts`.
    files
        What to write.
    progress
        Called with a sentence and how far the work is, 0 to 1.

    Returns
    -------
    list of pathlib.Path
        The files written, in order.

    Raises
    ------
    OutputError
        A file exists or cannot be written; or a kind needs the extra ``documents``.
    InputError
        An ending is none, or an audience may not know of an area.
    """
    wanted = list(files)
    missing = {one.path.suffix.lower() for one in wanted} & set(_NEEDS) - set(facts_endings())
    if missing:
        raise OutputError("site.no_documents")
    for one in wanted:
        if one.path.suffix.lower() in _NEEDS:
            end = "" if audience == "public" or one.path.stem.endswith("-members") else "-members"
            path = one.path.with_name(f"{one.path.stem}{end}{one.path.suffix}")
            require_free_file(path, replace=replace, endings=[path.suffix.lower()])
    each = write_each_facts(
        portal,
        [(one.area, one.lang, one.path) for one in wanted],
        audience=audience,
        census=census,
        replace=replace,
    )
    written = []
    progress(say("portal.writing_facts", count=len(wanted)), 0.0)
    for path in each:
        written.append(path)
        progress(say("portal.writing_facts", count=len(wanted)), len(written) / len(wanted))
    return written
