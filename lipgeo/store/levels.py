"""Put one table a level together from all that the sources say about it.

Who lies in whom comes from ids and files, never from polygons. What an import finds on the way is
an ``ImportFinding``, with every unit it concerns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.census.data import COUNTS, LAND_AND_POINT, NAMES, Rows
from lipgeo.report import Finding, Severity, finding
from lipgeo.words import say, speaking

__all__ = [
    "FLAG",
    "NUMBERS",
    "Columns",
    "ImportFinding",
    "Levels",
    "Piece",
    "Role",
    "complete_membership",
    "empty",
    "gather_pieces",
    "report_orphans",
    "values_of",
]

#: units kept by id in the manifest; the number is always whole
_KEPT = 1000


class ImportFinding:
    """A finding of an import, before it is put in words.

    Parameters
    ----------
    name
        Short stable name (``nesting``).
    severity
        ``note``, ``warning`` or ``error``.
    subject
        The level or file it is about.
    key
        Key of its sentence in the catalogue.
    units
        Ids of the units it is about; the sentence may use ``{units}`` and ``{count}``.
    limit
        The number it was held against, if any.
    **values
        What else fills the sentence.
    """

    def __init__(
        self,
        name: str,
        severity: Severity,
        subject: str,
        key: str,
        *,
        units: tuple[str, ...] = (),
        limit: float | None = None,
        **values: Any,
    ) -> None:
        self.name = name
        self.severity = severity
        self.subject = subject
        self.key = key
        self.units = units
        self.limit = limit
        self.values = values

    def _sentence(self) -> str:
        values = {"subject": self.subject, "limit": self.limit, **self.values}
        return say(self.key, units=self.units, count=len(self.units), **values)

    @property
    def finding(self) -> Finding:
        """The finding in the language in force; its value is the number of units."""
        value = float(len(self.units)) if self.units else None
        given = {"subject": self.subject, "limit": self.limit, **self.values}
        values = {name: one for name, one in given.items() if name not in ("value", "limit")}
        return finding(
            self.key, self.severity, self.subject, check=self.name, value=value, limit=self.limit,
            units=self.units, count=len(self.units), **values,
        )  # fmt: skip

    def record(self) -> dict[str, Any]:
        """Return it for the manifest: in English, with the first thousand ids."""
        with speaking("en"):
            message = self._sentence()
        return {
            "check": self.name,
            "severity": self.severity,
            "subject": self.subject,
            "message": message,
            "count": len(self.units),
            "limit": self.limit,
            "units": list(self.units[:_KEPT]),
        }


FLAG = "incomplete_reserve"
NUMBERS = (*COUNTS, *LAND_AND_POINT)

#: a level in work: ``unit_id`` and its columns; text columns hold ``None`` where missing
Columns = dict[str, npt.NDArray[Any]]


class Levels:
    """Levels in work.

    Attributes
    ----------
    vintage
        Census year.
    order
        Every level there can be, finest first.
    tables
        Level to its columns, in no order that matters.
    checks
        What was found on the way.
    """

    def __init__(self, vintage: int) -> None:
        self.vintage = vintage
        self.order: Sequence[str] = geography.levels(vintage)
        self.tables: dict[str, Columns] = {}
        self.checks: list[ImportFinding] = []
        self._links: dict[tuple[str, str], Rows] = {}

    def with_units(self) -> list[str]:
        """Return the levels that hold units, finest first."""
        return [level for level in self.order if level in self.tables]

    @cached_property
    def finest(self) -> str:
        """The finest level that holds units."""
        return self.with_units()[0]

    def finer(self, level: str) -> list[str]:
        """Return the levels before a level, finest first."""
        return self.with_units()[: self.with_units().index(level)]

    def above(self, level: str) -> Sequence[str]:
        """Return the levels that can be parents of a level."""
        return self.order[self.order.index(level) + 1 :]

    def parents(self, level: str) -> list[str]:
        """Return the parent columns of a level, finest first."""
        return [other for other in self.order if other in self.tables[level]]

    def size(self, level: str) -> int:
        """Return how many units a level holds."""
        return len(self.tables[level]["unit_id"])

    def link(self, child: str, parent: str) -> Rows:
        """Return, for each unit of ``child``, the row of its ``parent``; -1 where it has none."""
        if (child, parent) not in self._links:
            ids = pd.Index(self.tables[parent]["unit_id"], dtype=object)
            named = pd.Index(self.tables[child][parent], dtype=object)
            rows = np.where(named.isna(), -1, ids.get_indexer(named))
            self._links[child, parent] = rows.astype(np.int64)
        return self._links[child, parent]

    def set_parent(self, child: str, parent: str, ids: npt.NDArray[np.object_]) -> None:
        """Say in which units of ``parent`` the units of ``child`` lie."""
        self.tables[child][parent] = ids
        self._links.pop((child, parent), None)


def empty(name: str, size: int) -> npt.NDArray[Any]:
    """Return a column that says nothing yet."""
    if name in NUMBERS:
        return np.full(size, np.nan)
    return np.zeros(size, dtype=bool) if name == FLAG else np.full(size, None, dtype=object)


def values_of(name: str, values: pd.Series) -> npt.NDArray[Any]:
    """Return a column of a frame as it stands in :data:`Columns`."""
    if name in NUMBERS:
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if name == FLAG:
        return np.asarray(values.fillna(False).to_numpy(dtype=bool))
    return np.asarray(values.to_numpy(dtype=object, na_value=None))


def complete_membership(levels: Levels) -> None:
    """Give every unit the parents of its parents, and those all its units agree on."""
    _inherit_all(levels)
    _agree_all(levels)
    _inherit_all(levels)


def _inherit_all(levels: Levels) -> None:
    for child in reversed(levels.with_units()):
        for parent in levels.with_units():
            if parent in levels.tables[child]:
                for above in levels.parents(parent):
                    if above != child:
                        _inherit(levels, child, parent, above)


def _inherit(levels: Levels, child: str, parent: str, above: str) -> None:
    have = levels.tables[child].get(above)
    missing = np.ones(levels.size(child), bool) if have is None else pd.isna(have)
    if not missing.any():
        return
    place = levels.link(child, parent)
    values = levels.tables[parent][above][place]
    values[place < 0] = None
    if pd.isna(values[missing]).all():
        return
    levels.set_parent(child, above, values if have is None else np.where(missing, values, have))


def _agree_all(levels: Levels) -> None:
    """Give a unit the parent in which all its units lie, where by definition it lies in one."""
    for level in levels.with_units():
        for above in geography.nests_in(level, levels.vintage):
            if above in levels.tables:
                for child in levels.finer(level):
                    if level in levels.tables[child] and above in levels.tables[child]:
                        _agree(levels, level, above, child)


def _agree(levels: Levels, level: str, above: str, child: str) -> None:
    columns = levels.tables[level]
    have = columns.get(above, empty(above, levels.size(level)))
    missing = pd.isna(have)
    if not missing.any():
        return
    place, inside = levels.link(child, level), levels.link(child, above)
    low = np.full(len(have), np.iinfo(np.int64).max)
    high = np.full(len(have), -1)
    np.minimum.at(low, place[place >= 0], inside[place >= 0])
    np.maximum.at(high, place[place >= 0], inside[place >= 0])
    one = missing & (low == high) & (high >= 0)
    if one.any():
        have[one] = levels.tables[above]["unit_id"][high[one]]
        levels.set_parent(level, above, have)


Role = Literal["boundary", "attributes", "named", "published"]
#: whose word counts where two sources speak of one unit, first wins: tables before the few columns
#: of a boundary file, a table of the unit's own level before what finer rows say of it
_RANK: dict[str, int] = {"attributes": 0, "boundary": 1, "named": 2, "published": 3}


@dataclass(frozen=True)
class Piece:
    """What one source file says about one level.

    Attributes
    ----------
    source
        SHA-256 of the file.
    file
        Name of the file.
    role
        ``boundary`` (has polygons), ``attributes`` (a table of the level), ``named`` (a coarser
        level named in the rows of a finer one), ``published`` (totals and names for units that
        others bring; brings none itself).
    level
        Level code.
    frame
        ``unit_id`` and any of the attribute columns; ids unique.
    """

    source: str
    file: str
    role: Role
    level: str
    frame: pd.DataFrame

    @property
    def ids(self) -> npt.NDArray[np.object_]:
        """Ids of its units."""
        return np.asarray(self.frame["unit_id"].to_numpy(dtype=object))

    @property
    def order(self) -> tuple[int, str, str]:
        """Whose word counts first."""
        return (_RANK[self.role], self.file, self.source)


def gather_pieces(levels: Levels, pieces: Sequence[Piece]) -> None:
    """Make one table a level, and units of every parent that is named.

    Fine to coarse, so that the parents a level names are known when their turn comes.
    """
    named: dict[str, list[npt.NDArray[np.object_]]] = {level: [] for level in levels.order}
    for level in levels.order:
        at_level = sorted(
            (piece for piece in pieces if piece.level == level), key=lambda p: p.order
        )
        named[level] += [piece.ids for piece in at_level if piece.role != "published"]
        if not named[level]:
            continue
        ids = pd.Index(pd.unique(np.concatenate(named[level])), dtype=object).sort_values()
        columns: Columns = {"unit_id": ids.to_numpy()}
        levels.tables[level] = columns
        for piece in at_level:
            _fill_missing(levels, columns, ids, piece)
        for parent, part in geography.parents_by_id(level, levels.vintage).items():
            if parent in levels.order:
                prefix = np.array([unit[part] for unit in columns["unit_id"]], dtype=object)
                _settle(levels, level, parent, prefix)
        for parent in levels.parents(level):
            values = columns[parent]
            named[parent].append(pd.unique(values[~pd.isna(values)]))


def _fill_missing(levels: Levels, columns: Columns, ids: pd.Index, piece: Piece) -> None:
    """Fill what is still missing with what a source says; report where it says otherwise."""
    wanted = (*NAMES[1:], *NUMBERS, FLAG, *levels.above(piece.level))
    place = ids.get_indexer(pd.Index(piece.ids, dtype=object))
    known = place >= 0
    for name in piece.frame.columns:
        if name not in wanted:
            continue
        values = empty(name, len(ids))
        values[place[known]] = values_of(name, piece.frame[name])[known]
        before = columns.get(name)
        if before is None:
            columns[name] = values
        elif name == FLAG:
            columns[name] = before | values
        else:
            missing = pd.isna(before)
            differ = ~missing & ~pd.isna(values) & (before != values)
            if differ.any() and (name in COUNTS or name in levels.order):
                levels.checks.append(
                    ImportFinding(
                        "conflict", "warning", piece.level, "store.conflict",
                        units=tuple(ids[differ]), column=name, file=piece.file,
                    )
                )  # fmt: skip
            columns[name] = np.where(missing, values, before)


def _settle(levels: Levels, level: str, parent: str, prefix: npt.NDArray[np.object_]) -> None:
    """Let the id say the parent; report rows whose parent column says otherwise."""
    columns = levels.tables[level]
    given = columns.get(parent)
    if given is not None:
        differ = ~pd.isna(given) & (given != prefix)
        if differ.any():
            levels.checks.append(
                ImportFinding(
                    "parent_against_id", "warning", level, "store.parent_against_id",
                    units=tuple(columns["unit_id"][differ]), parent=parent,
                )
            )  # fmt: skip
    levels.set_parent(level, parent, prefix)


def report_orphans(levels: Levels, pieces: Sequence[Piece]) -> None:
    """Report units that finer units name and the level's own sources do not hold."""
    for level in levels.with_units():
        own = [p for p in pieces if p.level == level and p.role in ("boundary", "attributes")]
        if not own:
            continue
        ids = pd.Index(levels.tables[level]["unit_id"], dtype=object)
        lost = ids[~ids.isin(np.concatenate([piece.ids for piece in own]))]
        if len(lost):
            levels.checks.append(
                ImportFinding(
                    "orphans", "warning", level, "store.orphans",
                    units=tuple(lost), files=tuple(piece.file for piece in own),
                )
            )  # fmt: skip
