"""One table a level from all that the sources say about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.census.data import COUNTS, NAMES
from lipgeo.store.findings import Check
from lipgeo.store.levels import FLAG, NUMBERS, Columns, Levels, empty, values_of

__all__ = ["Piece", "Role", "gather", "report_orphans"]

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


def gather(levels: Levels, pieces: Sequence[Piece]) -> None:
    """Make one table a level, and units of every parent that is named.

    Fine to coarse, so that the parents a level names are known when their turn comes.
    """
    named: dict[str, list[npt.NDArray[np.object_]]] = {level: [] for level in levels.order}
    for level in levels.order:
        said = sorted((piece for piece in pieces if piece.level == level), key=lambda p: p.order)
        named[level] += [piece.ids for piece in said if piece.role != "published"]
        if not named[level]:
            continue
        ids = pd.Index(pd.unique(np.concatenate(named[level])), dtype=object).sort_values()
        columns: Columns = {"unit_id": ids.to_numpy()}
        levels.tables[level] = columns
        for piece in said:
            _take(levels, columns, ids, piece)
        for parent, part in geography.parents_by_id(level, levels.vintage).items():
            if parent in levels.order:
                prefix = np.array([unit[part] for unit in columns["unit_id"]], dtype=object)
                _settle(levels, level, parent, prefix)
        for parent in levels.parents(level):
            values = columns[parent]
            named[parent].append(pd.unique(values[~pd.isna(values)]))


def _take(levels: Levels, columns: Columns, ids: pd.Index, piece: Piece) -> None:
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
                    Check(
                        "conflict", "warning", piece.level, "store.conflict",
                        units=tuple(ids[differ]), column=name, file=piece.file,
                    )
                )  # fmt: skip
            columns[name] = np.where(missing, values, before)


def _settle(levels: Levels, level: str, parent: str, prefix: npt.NDArray[np.object_]) -> None:
    """Let the id say the parent; report rows whose parent column says otherwise."""
    columns = levels.tables[level]
    said = columns.get(parent)
    if said is not None:
        differ = ~pd.isna(said) & (said != prefix)
        if differ.any():
            levels.checks.append(
                Check(
                    "parent_against_id", "warning", level, "store.parent_against_id",
                    units=tuple(columns["unit_id"][differ]), parent=parent,
                )
            )  # fmt: skip
    levels.set_parent(level, parent, prefix)


def report_orphans(levels: Levels, pieces: Sequence[Piece]) -> None:
    """Report units that finer units name and the level's own sources do not hold."""
    for level in levels.held():
        own = [p for p in pieces if p.level == level and p.role in ("boundary", "attributes")]
        if not own:
            continue
        ids = pd.Index(levels.tables[level]["unit_id"], dtype=object)
        lost = ids[~ids.isin(np.concatenate([piece.ids for piece in own]))]
        if len(lost):
            levels.checks.append(
                Check(
                    "orphans", "warning", level, "store.orphans",
                    units=tuple(lost), files=tuple(piece.file for piece in own),
                )
            )  # fmt: skip
