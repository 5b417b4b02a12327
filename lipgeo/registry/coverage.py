"""Find which partnerships a data consortium covers, by what is known of both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.arrays import Ints
from lipgeo.census.census import Census
from lipgeo.errors import LipgeoError, require_kind
from lipgeo.geography import parse_unit
from lipgeo.geography.hierarchy import levels_for, parents_by_id, usual_vintage
from lipgeo.registry.table import KINDS, Registry, listed_codes, open_registry, require_one_of
from lipgeo.words import say

__all__ = ["VERDICTS", "gaps"]

#: the columns that say which page names a consortium, and what to call the page
_PAGES = {
    "listed_2011_page": "registry.listed_2011_page",
    "listed_2006_release": "registry.listed_2006_release",
}
VERDICTS = ("covered", "partly", "not_covered", "unknown")
#: the facts name the subdivision a partnership without a list lies in
_INSIDE = re.compile(r"part of ([A-Z]+:\d+)")


def gaps(
    census: Census | None = None, *, kind: str | None = "LIP", folder: str | Path | None = None
) -> pd.DataFrame:
    """Hold partnerships against the data consortia named in public pages.

    About 33 consortia are said to exist and 21 are named, so ``not_covered`` means by none of
    those named; and the codes of a consortium's area are general knowledge.

    Parameters
    ----------
    census
        With it areas of any level are compared exactly, and people are counted. Without it only
        units whose ids nest (PR, CD, CSD) can be compared.
    kind
        ``"LIP"``, ``"ZIP"``, ``"RIF"``, or ``None`` for all.
    folder
        A registry of one's own.

    Returns
    -------
    pandas.DataFrame
        One row a partnership, in the registry's order: ``lip_id, name_en, name_fr, province``;
        ``status``: ``covered``, ``partly`` (at least in part, under every reading of both areas),
        ``not_covered`` or ``unknown`` (also where the readings disagree); ``consortia``
        (``;``-joined ids), ``named_in`` (the pages that name them), ``reason`` (a sentence);
        ``population, population_covered, population_uncovered`` (people, covered under every
        reading; NaN without counts, where the area is not resolved, or its coverage unknown).
        ``attrs["totals"]``: one dictionary a status and one for ``all``: ``partnerships``,
        ``people_counted`` (overlaps counted again each time) and ``people`` (each person once).
        ``attrs["consortia_without_partnership"]``: ids.

    Raises
    ------
    RegistryError
        The kind is none of those.

    Examples
    --------
    >>> import lipgeo
    >>> found = lipgeo.gaps().set_index("lip_id")["status"]
    >>> found[["on-ottawa", "on-toronto-east", "ab-brooks", "mb-pembina-valley"]].tolist()
    ['covered', 'covered', 'not_covered', 'unknown']
    """
    if census is not None:
        require_kind(census, Census, "errors.census", "census")
    registry = open_registry(folder)
    lips = registry.lips
    if kind is not None:
        lips = lips[lips["kind"].eq(require_one_of(kind.upper(), KINDS, "kind"))]
    consortia = [_consortium(row) for row in registry.consortia.itertuples(index=False)]
    land = _Land(census)
    looked = [_look(entry, consortia, land) for _, entry in lips.iterrows()]
    frame = lips[["lip_id", "name_en", "name_fr", "province"]].reset_index(drop=True)
    frame["status"] = [one.status for one in looked]
    frame["consortia"] = [";".join(c.name for c in one.by) for one in looked]
    frame["named_in"] = [";".join(dict.fromkeys(c.named_in for c in one.by)) for one in looked]
    frame["reason"] = [one.reason for one in looked]
    people = [land.people(one.rows) for one in looked]
    inside = [land.people(one.covered) for one in looked]
    frame["population"] = np.array(people, dtype=np.float64)
    frame["population_covered"] = np.array(inside, dtype=np.float64)
    frame["population_uncovered"] = frame["population"] - frame["population_covered"]
    frame.attrs["totals"] = _totals(frame, looked, land)
    frame.attrs["consortia_without_partnership"] = _alone(registry)
    return frame


@dataclass(frozen=True)
class _Consortium:
    name: str
    readings: list[list[str]]
    partners: list[str]
    named_in: str


@dataclass
class _Look:
    status: str
    reason: str
    by: list[_Consortium] = field(default_factory=list)
    rows: Ints | None = None
    covered: Ints | None = None


class _Land:
    """Where units lie: by atoms of a census where it holds them, else by what ids nest in."""

    def __init__(self, census: Census | None) -> None:
        self._census = census
        self._known: dict[str, Ints | None] = {}

    def atoms(self, codes: Iterable[str]) -> Ints | None:
        """Return the atoms of a union, or ``None`` where the census does not hold all of it."""
        found = [self._atoms(code) for code in codes]
        if not found or any(rows is None for rows in found):
            return None
        return np.unique(np.concatenate([rows for rows in found if rows is not None]))

    def _atoms(self, code: str) -> Ints | None:
        if self._census is None:
            return None
        if code not in self._known:
            try:
                level, unit_id = parse_unit(code, self._census.vintage)
                row = self._census.rows(level, [unit_id])
                _, atoms = self._census.atoms(level, row)
            except LipgeoError:  # not in this census, or a level it does not hold
                atoms = np.empty(0, dtype=np.int64)
            self._known[code] = atoms if len(atoms) else None
        return self._known[code]

    @cached_property
    def _population(self) -> npt.NDArray[np.float64] | None:
        if self._census is None:
            return None
        level = self._census.atom_level
        if "population" not in self._census.data.columns(level):
            return None
        people = self._census.counts(level)["population"]
        return np.asarray(people.to_numpy(dtype=np.float64))

    def people(self, rows: Ints | None) -> float:
        """Return the people on atoms, NaN where nothing is known."""
        if rows is None or self._population is None:
            return np.nan
        return float(np.nansum(self._population[rows]))

    def compare(self, codes: Sequence[str], others: Sequence[Sequence[str]]) -> tuple[str, bool]:
        """Say how far several unions cover one, and whether all could be compared."""
        mine = self.atoms(codes)
        theirs = [self.atoms(other) for other in others]
        if mine is not None and all(rows is not None for rows in theirs):
            held = np.concatenate([np.empty(0, np.int64), *(r for r in theirs if r is not None)])
            inside = np.isin(mine, held).sum()
            return _verdict(int(inside), len(mine)), True
        flat = [code for other in others for code in other]
        verdicts = [_by_id(code, flat) for code in codes]
        sure = all(known for _, known in verdicts)
        kinds = {verdict for verdict, _ in verdicts}
        if len(kinds) == 1:
            return kinds.pop(), sure
        return "partly", sure


def _verdict(inside: int, count: int) -> str:
    return "covered" if inside == count else "partly" if inside else "not_covered"


def _parts_by_id(level: str, parent: str) -> slice | None:
    """Return where the id of a level holds its parent's, ``None`` where it does not."""
    chain = levels_for("chain")
    if level not in chain or parent not in chain:
        return None
    return parents_by_id(level, usual_vintage()).get(parent)


def _by_id(code: str, others: Sequence[str]) -> tuple[str, bool]:
    """Compare a unit with others by their ids; False where levels do not nest by id."""
    level, _, unit_id = code.partition(":")
    sure = True
    verdict = "not_covered"
    for other in others:
        kind, _, other_id = other.partition(":")
        if kind == level and other_id == unit_id:
            return "covered", True
        outer, inner = _parts_by_id(level, kind), _parts_by_id(kind, level)
        if outer is not None and unit_id[outer] == other_id:
            return "covered", True
        if inner is not None and other_id[inner] == unit_id:
            verdict = "partly"
        sure = sure and (kind == level or outer is not None or inner is not None)
    return verdict, sure


def _consortium(row: object) -> _Consortium:
    cells: dict[str, str] = row._asdict()  # type: ignore[attr-defined]
    units = listed_codes(cells["units"])
    readings = [units] if units else [[code] for code in listed_codes(cells["alternatives"])]
    pages = [say(key) for page, key in _PAGES.items() if cells[page] == "yes"]
    partners = listed_codes(cells["matching_lip_ids"])
    return _Consortium(cells["consortium_id"], readings, partners, " + ".join(pages))


def _look(entry: pd.Series, consortia: Sequence[_Consortium], land: _Land) -> _Look:
    name, status = entry["lip_id"], entry["units_status"]
    readings, host = _readings(entry)
    matched = [one for one in consortia if name in one.partners]
    if not readings:
        return _Look(
            "unknown", say("registry.gap_no_area", text=entry["service_area_text"]), matched
        )
    near = [
        one
        for one in consortia
        if one in matched or any(_touch(reading, one, land) for reading in readings)
    ]
    rows = land.atoms(readings[0]) if len(readings) == 1 and status == "resolved" else None
    if not near:
        every = [reading for one in consortia for reading in one.readings]
        sure = all(land.compare(reading, every)[1] for reading in readings)
        reason = say("registry.gap_none" if sure else "registry.gap_none_by_name")
        return _Look("not_covered", reason, rows=rows, covered=_none(rows))
    looks = {
        (tuple(reading), choice): land.compare(reading, _choices(near, choice, land))
        for reading in readings
        for choice in ("least", "most")
    }
    verdicts = {verdict for verdict, _ in looks.values()}
    names = [one.name for one in near]
    if not all(sure for _, sure in looks.values()):
        reason = say("registry.gap_not_comparable", consortia=names, units=readings[0])
        return _Look("unknown", reason, near, rows)
    covered = None
    if rows is not None:
        held = [land.atoms(other) for other in _choices(near, "least", land)]
        covered = rows[np.isin(rows, np.concatenate([np.empty(0, np.int64), *filter(_is, held)]))]
    if len(verdicts) == 1:
        verdict = verdicts.pop()
        if host and verdict != "covered":
            return _Look("unknown", say("registry.gap_inside_partly", host=host), near, rows)
        key = "registry.gap_covered_inside" if host else f"registry.gap_{verdict}"
        reason = say(key, consortia=names, host=host)
        return _Look(verdict, reason, near, rows, covered)
    told = [
        say(
            "registry.gap_if",
            units=list(reading),
            extent=say(f"registry.extent_{choice}"),
            verdict=say(f"registry.verdict_{verdict}"),
        )
        for (reading, choice), (verdict, _) in looks.items()
    ]
    status = "partly" if verdicts == {"covered", "partly"} else "unknown"
    reason = say("registry.gap_readings", consortia=names, readings="; ".join(dict.fromkeys(told)))
    return _Look(status, reason, near, rows, covered if status == "partly" else None)


def _is(rows: Ints | None) -> bool:
    return rows is not None


def _none(rows: Ints | None) -> Ints | None:
    return None if rows is None else rows[:0]


def _readings(entry: pd.Series) -> tuple[list[list[str]], str]:
    """Return the unions a partnership's area may be, and the unit it is only known to lie in."""
    units = listed_codes(entry["units"])
    if units:
        return [units], ""
    if entry["alternatives"]:
        return [[code] for code in listed_codes(entry["alternatives"])], ""
    host = _INSIDE.search(entry["note"])
    if entry["units_status"] == "placeholder" and host:
        return [[host.group(1)]], host.group(1)
    return [], ""


def _touch(codes: Sequence[str], consortium: _Consortium, land: _Land) -> bool:
    return any(
        land.compare(codes, [reading])[0] != "not_covered" for reading in consortium.readings
    )


def _choices(consortia: Sequence[_Consortium], choice: str, land: _Land) -> list[list[str]]:
    """Return the area of each consortium under all of its readings at once, or under any."""
    if choice == "most":
        return [[*chain.from_iterable(one.readings)] for one in consortia if one.readings]
    chosen = []
    for one in consortia:
        # of readings that nest, what all have in common is the innermost
        common = (
            reading
            for reading in one.readings
            if all(land.compare(reading, [other])[0] == "covered" for other in one.readings)
        )
        chosen += [reading for reading in [next(common, [])] if reading]
    return chosen


def _totals(frame: pd.DataFrame, looked: Sequence[_Look], land: _Land) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for status in (*VERDICTS, "all"):
        here = [one for one in looked if status in (one.status, "all")]
        held = [one.rows for one in here if one.rows is not None]
        once = np.unique(np.concatenate(held)) if held else None
        counted = [land.people(one.rows) for one in here]
        rows.append(
            {
                "status": status,
                "partnerships": len(here),
                "with_counts": int(np.count_nonzero(~np.isnan(counted))),
                "people_counted": float(np.nansum(counted)) if held else None,
                "people": land.people(once) if once is not None else None,
            }
        )
    return rows


def _alone(registry: Registry) -> list[str]:
    bare = registry.consortia["matching_lip_ids"].eq("")
    return [str(name) for name in registry.consortia.loc[bare, "consortium_id"]]
