"""``need``: which published files a job needs, where they are, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from lipgeo import geography
from lipgeo.census import Census
from lipgeo.errors import InputError
from lipgeo.sources.table import PublishedFile, boundary_file, table_file
from lipgeo.words import say

__all__ = ["Held", "Needed", "held_by", "need"]

_BY = ("population", "dwellings", "households", "area")
#: levels that the attribute file does not give, and the relationship file of 2021 does
_ONLY_RELATIONSHIP = ("CAR",)
#: levels that no table links to blocks: only their polygons place them
_ONLY_POLYGONS = ("FSA",)


@dataclass(frozen=True)
class Held:
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
class Needed:
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


def held_by(census: Census) -> Held:
    """Say what an opened census has.

    Examples
    --------
    >>> import numpy as np, pandas as pd, shapely
    >>> from lipgeo.census import Census, MemoryCensus
    >>> from lipgeo.sources import held_by
    >>> frame = pd.DataFrame({"unit_id": ["35060001"], "CD": ["3506"], "population": [5.0]})
    >>> data = MemoryCensus(2021, {"DA": frame}, {"DA": np.array([shapely.box(0, 0, 1, 1)])})
    >>> held = held_by(Census(data))
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
    return Held(
        files=frozenset(str(source["name"]) for source in data.meta.get("sources", ())),
        polygons=frozenset(polygons),
        counts=frozenset(counts),
        parents=frozenset((known & set(finest)) | {census.atom_level}),
    )


def need(
    levels: Iterable[str],
    vintage: int,
    by: str = "population",
    have: Held | None = None,
    lang: str = "en",
    *,
    drawn: bool = True,
    boundary_type: str = "cartographic",
) -> list[Needed]:
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
        What the store has (:func:`held_by`); nothing by default.
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
    >>> from lipgeo.sources import need
    >>> [needed.file.name for needed in need(["DA"], 2021)]
    ['lda_000b21a_e.zip', 'ldb_000b21a_e.zip', '2021_92-151_X.zip']
    >>> [needed.file.name for needed in need(["CSD", "DPL"], 2016, drawn=False)]
    ['lcsd000b16a_e.zip', 'ldpl000b16a_e.zip', '2016_92-151_XBB_csv.zip']
    """
    if by not in _BY:
        raise InputError("sources.by", given=by, known=", ".join(_BY))
    have = have or Held()
    wanted = [geography.require_level(level, vintage).code for level in levels]
    wanted = [code for code in reversed(geography.levels(vintage)) if code in wanted]
    found: list[Needed] = []

    def add(file: PublishedFile | None, why: str, **values: str) -> None:
        if file is None or file.name in have.files or file in [held.file for held in found]:
            return
        sentence = say(f"sources.why_{why}", **values)
        if file.browser:
            sentence += " " + say("sources.why_browser")
        found.append(Needed(file, file.address, file.size_mb, sentence))

    for code in wanted:
        if code not in have.polygons:
            why = "choose" if drawn else "draw"
            add(boundary_file(code, vintage, boundary_type, lang), why, level=code)
    people = by != "area"
    if drawn and people and "DB" not in have.polygons:
        add(boundary_file("DB", vintage, boundary_type, lang), "blocks", by=say(f"sources.{by}"))
    tabled = [code for code in wanted if code not in (*_ONLY_POLYGONS, *_ONLY_RELATIONSHIP)]
    counted = "DB" in have.counts if drawn and people else bool(have.counts)
    if not counted or set(tabled) - have.parents:
        file = table_file("attributes", vintage)
        add(file, "counts" if drawn else "members", levels=", ".join(tabled) or "DB")
    for code in wanted:
        if code in _ONLY_RELATIONSHIP and code not in have.parents:
            add(table_file("relationship", vintage), "relationship", level=code)
    return found
