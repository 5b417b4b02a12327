"""Compile what many partnerships sent into one named set that says what to ask back.

Two sets are compared area by area: only what differs is said.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.census.census import Census
from lipgeo.errors import AreaError, LipgeoError
from lipgeo.registry.intake import ReadSubmission, read_submission, submissions
from lipgeo.registry.overlaps import (
    AreaIndex,
    find_gaps,
    find_overlaps,
    intended_overlaps,
    people_of,
    shares_of,
)
from lipgeo.registry.resolving import units
from lipgeo.registry.table import Registry, open_registry
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.words import Sentence, language, name_of, say

__all__ = ["COLUMNS", "CompiledSet", "compile_set", "diff_sets", "fingerprints"]

COLUMNS = (
    "area_id", "change", "what", "units_added", "units_removed", "people_before", "people_now",
)  # fmt: skip
_TEXTS = ("name_en", "name_fr", "valid_from", "valid_to")
#: outlines are compared on a grid of this many metres
_GRID_M = 0.01


def fingerprints(areas: ServiceAreas, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Return what an area is, in columns that can be compared: ``units, outline``, names, kind.

    Index ``area_id``; texts, empty where nothing is said; an outline is the hash of its points.
    """
    frame = areas.frame
    listed = areas.units
    codes = (listed["level"] + ":" + listed["unit_id"]).groupby(listed["area_id"])
    units = codes.agg(lambda held: ";".join(sorted(held))).reindex(frame.index, fill_value="")
    texts = frame[[*_TEXTS]].fillna("").astype(str)
    drawn = frame["definition"].eq("drawn")
    outlines = [
        _digest(shape) if is_drawn and shape is not None else ""
        for shape, is_drawn in zip(frame.geometry, drawn, strict=True)
    ]
    return texts.assign(
        units=units.to_numpy(),
        outline=outlines,
        kind=[kinds.get(area, "") for area in frame.index],
    )


def _digest(shape: shapely.Geometry) -> str:
    plain = shapely.normalize(shapely.set_precision(shape, _GRID_M, mode="pointwise"))
    return hashlib.sha256(shapely.to_wkb(plain)).hexdigest()


def diff_sets(old: CompiledSet, new: CompiledSet) -> pd.DataFrame:
    """Return what changed from one set to the next, and only that.

    Parameters
    ----------
    old, new
        Sets, as compiled or read back.

    Returns
    -------
    pandas.DataFrame
        One row an area that changed, in order of ids: ``area_id``; ``change``: ``added``,
        ``removed`` or ``changed``; ``what`` changed, ``;``-joined (``units, outline, name_en,
        name_fr, valid_from, valid_to, kind``); ``units_added, units_removed`` (``;``-joined
        units); ``people_before, people_now`` (NaN where not known).
    """
    before = fingerprints(old.areas, old.kinds)
    now = fingerprints(new.areas, new.kinds)
    rows = []
    for area in sorted({*before.index, *now.index}):
        gone, come = area not in now.index, area not in before.index
        was = set() if come else _codes(before.loc[area, "units"])
        held = set() if gone else _codes(now.loc[area, "units"])
        if gone or come:
            change, what = ("removed" if gone else "added"), ""
        else:
            differing = before.columns[before.loc[area].ne(now.loc[area])]
            if differing.empty:
                continue
            change, what = "changed", ";".join(differing)
        rows.append(
            {
                "area_id": area,
                "change": change,
                "what": what,
                "units_added": ";".join(sorted(held - was)),
                "units_removed": ";".join(sorted(was - held)),
                "people_before": old.people.get(area, np.nan),
                "people_now": new.people.get(area, np.nan),
            }
        )
    frame = pd.DataFrame(rows, columns=[*COLUMNS])
    numbers = dict.fromkeys(("people_before", "people_now"), "float64")
    return frame.astype(dict.fromkeys(COLUMNS[:5], "string") | numbers)


def _codes(cell: str) -> set[str]:
    return {code for code in cell.split(";") if code}


INTAKE = (
    "area_ids", "kind", "name", "contact", "email", "file", "sha256", "received", "status",
    "fault", "problems", "question", "question_other",
)  # fmt: skip
#: below this share of an area, of either reading, two areas are of different places
_SAME_PLACE = 1e-3
#: at most this many overlaps and gaps are told one by one in the report
_TOLD = 10


@dataclass
class CompiledSet:
    """A named, versioned set of service areas, and how it came together.

    Attributes
    ----------
    name
        What the set is called.
    areas
        The areas, drawn; those taken from lists keep their units.
    kinds
        Area id to ``LIP``, ``ZIP`` or ``RIF``.
    people
        Area id to the people in it, by the shares of the finest units; NaN without counts.
    intake
        One row a submission: ``area_ids`` (``;``-joined), ``kind, name, contact, email, file,
        sha256, received`` (day), ``status`` (``accepted``; ``question``: accepted, something to
        ask; ``refused``; ``ignored``: no submission), ``fault``, ``problems``, ``question``:
        what to ask back, and ``question_other``: the same in the other official language.
    overlaps
        Pairs that overlap: ``one, other, intended, reason, people, share_of_smaller, units``.
    gaps
        Land between neighbours (EPSG:3347): ``gap_id, neighbours, people, land_km2, geometry``.
    changes
        What differs from the set before, see :func:`diff_sets`; empty without one.
    report
        What the user must see.
    meta
        ``set, version, fingerprint, vintage, since``, counts, and totals of people with and
        without double counting; plain values, no clock.
    index
        The outlines, indexed; kept up as files come and go.
    """

    name: str
    areas: ServiceAreas
    kinds: dict[str, str]
    people: dict[str, float]
    intake: pd.DataFrame
    overlaps: pd.DataFrame
    gaps: gpd.GeoDataFrame
    changes: pd.DataFrame
    report: CheckReport
    meta: dict[str, Any]
    index: AreaIndex = field(default_factory=AreaIndex)

    @property
    def since(self) -> str | None:
        """Fingerprint of the set this one was compared with."""
        value = self.meta.get("since")
        return None if value is None else str(value)

    def __repr__(self) -> str:
        counts = Counter(self.intake["status"])
        return say(
            "registry.repr",
            name=self.name,
            areas=len(self.areas),
            refused=counts["refused"],
            questions=counts["question"],
        )


def compile_set(
    folder: str | Path,
    *,
    name: str,
    census: Census,
    earlier: Census | None = None,
    since: CompiledSet | None = None,
    registry: str | Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> CompiledSet:
    """Compile what many partnerships sent into one set.

    Parameters
    ----------
    folder
        The submissions: outlines, lists, workbooks made by :func:`lipgeo.write_template`; in
        sub-folders too. A file named as an entry of the registry is that area.
    name
        What to call the set (``"lip-2026"``).
    census
        The census whose units the lists use.
    earlier
        An older census: tells what became of units that ceased to exist.
    since
        The set before: areas that moved away from where their id was are refused, and
        ``changes`` says what differs.
    registry
        A registry of one's own.
    progress
        Called with the name of the step and how much of it is done.

    Returns
    -------
    CompiledSet
        A file that cannot be used is a row of ``intake`` with what to ask back, and stops no
        other.

    Raises
    ------
    FileError
        There is no such folder, or it is empty.
    AreaError
        Not one submission could be used.
    """
    show = progress or (lambda step, done: None)
    known = open_registry(registry)
    found = submissions(folder)
    taken = []
    for at, submission in enumerate(found):
        show(say("registry.step_read"), at / len(found))
        taken.append(read_submission(submission, census, known, earlier))
    show(say("registry.step_read"), 1.0)
    _one_partnership_an_id(taken)
    index = AreaIndex()
    for one in taken:
        if one.areas is not None:
            one.areas = one.areas.draw(census)
            for area, outline in one.areas.frame.geometry.items():
                index.insert(str(area), outline)
    show(say("registry.step_place"), 0.0)
    place = _Places(census, known, registry, since)
    for one in taken:
        _stay_in_place(one, index, place)
    show(say("registry.step_place"), 1.0)
    used = [one for one in taken if one.areas is not None]
    if not used:
        problems = [
            {
                "file": one.submission.name,
                "fault": one.fault,
                "question": one.question.get(language(), ""),
            }
            for one in taken
            if one.status == "refused"
        ]
        raise AreaError(
            "registry.nothing_used", problems, files=[problem["file"] for problem in problems]
        )
    areas = ServiceAreas.concat([one.areas for one in used if one.areas is not None])
    kinds = _kinds(used, known)
    show(say("registry.step_overlaps"), 0.0)
    shares = shares_of(areas, census)
    people = people_of(shares, census, areas.ids)
    declared = {area: one.about.overlaps for one in used for area in one.areas.ids}  # type: ignore[union-attr]
    meant = intended_overlaps(kinds, declared, known)
    overlaps = find_overlaps(shares, census, people, meant)
    show(say("registry.step_overlaps"), 1.0)
    show(say("registry.step_gaps"), 0.0)
    gaps = find_gaps(areas, index, census)
    show(say("registry.step_gaps"), 1.0)
    meta = {
        "set": name,
        "version": 1 if since is None else int(since.meta["version"]) + 1,
        "fingerprint": _fingerprint(areas, kinds),
        "since": None if since is None else since.meta["fingerprint"],
        "vintage": census.vintage,
        "kinds": dict(sorted(Counter(kinds.values()).items())),
        "people_counted": float(people.sum()) if people.notna().any() else None,
        "people": _once(shares, census) if people.notna().any() else None,
    }
    intake = _intake(taken, known)
    made = CompiledSet(
        name=name,
        areas=areas,
        kinds=kinds,
        people={str(area): float(count) for area, count in people.items()},
        intake=intake,
        overlaps=overlaps,
        gaps=gaps,
        changes=pd.DataFrame(columns=[*COLUMNS]),
        report=CheckReport(_findings(intake, overlaps, gaps, meta)),
        meta=meta,
        index=index,
    )
    if since is not None:
        made.changes = diff_sets(since, made)
    return made


def _one_partnership_an_id(taken: list[ReadSubmission]) -> None:
    """Refuse ids that several files claim, unless one lists what another draws."""
    claims: dict[str, list[ReadSubmission]] = {}
    for one in taken:
        for area in one.areas.ids if one.areas is not None else ():
            claims.setdefault(str(area), []).append(one)
    for area, claimants in claims.items():
        if len(claimants) == 1:
            continue
        forms = [one.areas.frame.loc[area, "definition"] for one in claimants if one.areas]
        if len(claimants) == 2 and sorted(forms) == ["drawn", "units"]:
            continue
        files = [one.submission.name for one in claimants]
        digests = {one.submission.sha256 for one in claimants}
        again = claimants[1:] if len(digests) == 1 else claimants
        key = "registry.sent_twice" if len(digests) == 1 else "registry.one_id"
        for one in again:
            if one.areas is not None:
                tell = Sentence(key, {"area": area, "files": files})
                one.refuse(name_of(key), tell.__str__)


class _Places:
    """Where ids stood until now: in the set before, else by the registry where it is settled."""

    def __init__(
        self,
        census: Census,
        registry: Registry,
        folder: str | Path | None,
        since: CompiledSet | None,
    ) -> None:
        self._census, self._folder = census, folder
        self._ids = set(registry.lips["lip_id"])
        self._before = None if since is None else since.areas.frame.geometry

    def of(self, area: str) -> Any | None:
        """Return an outline, ``None`` where nothing is known."""
        if self._before is not None and area in self._before.index:
            return self._before[area]
        if area not in self._ids:
            return None
        try:
            listed = ServiceAreas.from_units(units(area, folder=self._folder), self._census)
        except LipgeoError:  # not settled, or not of this census: nothing to hold it against
            return None
        return listed.draw(self._census).frame.geometry.iloc[0]


def _stay_in_place(taken: ReadSubmission, index: AreaIndex, places: _Places) -> None:
    """Refuse an area that lies nowhere near where its id was: an id is never used again."""
    if taken.areas is None:
        return
    moved, there = [], []
    for area, outline in taken.areas.frame.geometry.items():
        was = None if outline is None else places.of(str(area))
        if was is None:
            continue
        both = was.intersection(outline).area if was.intersects(outline) else 0.0
        if both <= _SAME_PLACE * min(was.area, outline.area):
            moved.append(str(area))
            there += [one for one in index.nearest(outline.bounds, 2) if one != area][:1]
    if moved:
        for area in taken.areas.ids:
            index.delete(str(area))
        tell = Sentence("registry.id_reused", {"areas": moved, "near": there or ["-"]})
        taken.refuse("id_reused", tell.__str__)


def _kinds(used: list[ReadSubmission], registry: Registry) -> dict[str, str]:
    known = registry.lips.drop_duplicates("lip_id").set_index("lip_id")["kind"]
    kinds = {}
    for one in used:
        said = one.about["kind"].upper()
        for area in one.areas.ids if one.areas is not None else ():
            guess = "RIF" if str(area).startswith("rif-") else "LIP"
            kinds[str(area)] = said if said in ("LIP", "ZIP", "RIF") else known.get(area, guess)
    return kinds


def _once(shares: Any, census: Census) -> float:
    """Return the people in any of the areas, each once."""
    held = census.counts(census.atom_level)["population"].fillna(0.0)
    left = shares.remainder.set_index("source_id")["share"]
    return float((held * (1.0 - left.reindex(held.index).fillna(1.0))).sum())


def _fingerprint(areas: ServiceAreas, kinds: Mapping[str, str]) -> str:
    frame = fingerprints(areas, kinds).sort_index()
    lines = ["\t".join([str(area), *map(str, row)]) for area, *row in frame.itertuples()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _intake(taken: list[ReadSubmission], registry: Registry) -> pd.DataFrame:
    known = registry.lips.drop_duplicates("lip_id").set_index("lip_id")
    rows = []
    for one in taken:
        ids = [] if one.areas is None else [str(area) for area in one.areas.ids]
        frame = None if one.areas is None else one.areas.frame
        name = one.about["name_en"] or one.about["name_fr"]
        if frame is not None and not name:
            name = "; ".join(frame["name_en"].fillna(frame["name_fr"]).dropna())
        contact = one.about["contact"]
        if not contact and ids and ids[0] in known.index:
            contact = " ".join(known.loc[ids[0], ["lead_org", "website"]]).strip()
        claimed = ids or ([one.about["lip_id"]] if one.about["lip_id"] else [])
        rows.append(
            {
                "area_ids": ";".join(claimed),
                "kind": ";".join(sorted(set(_kinds([one], registry).values()))),
                "name": name,
                "contact": contact,
                "email": one.about["email"],
                "file": one.submission.name,
                "sha256": one.submission.sha256,
                "received": one.submission.received,
                "status": one.status,
                "fault": one.fault,
                "problems": " ".join(dict.fromkeys(one.problems)),
                "question": one.question.get(language(), ""),
                "question_other": one.question.get("fr" if language() == "en" else "en", ""),
            }
        )
    return pd.DataFrame(rows, columns=[*INTAKE], dtype="string")


def _findings(
    intake: pd.DataFrame, overlaps: pd.DataFrame, gaps: gpd.GeoDataFrame, meta: Mapping[str, Any]
) -> list[Finding]:
    found = [
        finding("registry.refused", "warning", row.file, file=row.file, question=row.question)
        for row in intake[intake["status"].eq("refused")].itertuples(index=False)
    ]
    found += [
        finding("registry.to_ask", "warning", row.file, file=row.file, question=row.question)
        for row in intake[intake["status"].eq("question")].itertuples(index=False)
    ]
    unexpected = overlaps[~overlaps["intended"]]
    for row in unexpected.head(_TOLD).itertuples(index=False):
        found.append(
            finding(
                "registry.overlap", "warning", f"{row.one};{row.other}",
                value=row.people, one=row.one, other=row.other, people=row.people,
            )
        )  # fmt: skip
    if len(unexpected) > _TOLD:
        more = len(unexpected) - _TOLD
        found.append(finding("registry.more_overlaps", "warning", "", more=more))
    meant = overlaps[overlaps["intended"]]
    if len(meant):
        people = meant["people"].sum()
        found.append(finding("registry.intended", "note", "", count=len(meant), people=people))
    for row in gaps.head(_TOLD).itertuples(index=False):
        found.append(
            finding(
                "registry.gap", "note", row.gap_id, value=row.people, neighbours=row.neighbours,
                people=row.people, km2=row.land_km2,
            )
        )  # fmt: skip
    if meta["people"] is not None:
        counted, once = meta["people_counted"], meta["people"]
        twice = counted - once
        found.append(
            finding("registry.counted_twice", "note", "", value=twice, counted=counted, once=once,
                    twice=twice)
        )  # fmt: skip
    return found
