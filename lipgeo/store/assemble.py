"""From what each source says to the levels of one census, whatever the order of the sources.

Nothing is computed from polygons but the places of units: membership comes from ids and files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo import geography
from lipgeo.census import COUNTS, GRID, MEASURES, NAMES, TEXT, Rows, hierarchical_order, typed
from lipgeo.store.findings import Check

__all__ = ["Assembled", "Piece", "Role", "assemble"]

Role = Literal["boundary", "attributes", "named", "published"]
#: whose word counts where two sources speak of one unit, first wins: tables before the few columns
#: of a boundary file, a table of the unit's own level before what finer rows say of it
_RANK: dict[str, int] = {"attributes": 0, "boundary": 1, "named": 2, "published": 3}
FLAG = "incomplete_reserve"
_NUMBERS = (*COUNTS, *MEASURES)
#: further totals that prove a unit complete
PROOFS = (*COUNTS, "da_count", "db_count")
#: a block's population below 15 is rounded to base 5 under control; what is above stays within it
ROUNDING = 5.0


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
    def order(self) -> tuple[int, str, str]:
        """Whose word counts first."""
        return (_RANK[self.role], self.file, self.source)


@dataclass
class Assembled:
    """The levels of a census, finest first, rows in their final order."""

    frames: dict[str, pd.DataFrame]
    geometry: dict[str, npt.NDArray[np.object_]]
    boxes: dict[str, npt.NDArray[np.float64]]
    published: pd.DataFrame
    checks: list[Check] = field(default_factory=list)


def assemble(
    pieces: Sequence[Piece],
    polygons: Mapping[str, tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]],
    vintage: int,
    totals: pd.DataFrame,
) -> Assembled:
    """Put together the levels of a census.

    Parameters
    ----------
    pieces
        What each source says.
    polygons
        Level to (unit ids, polygons in EPSG:3347).
    vintage
        Census year.
    totals
        Totals known from outside: ``level, unit_id`` and counts.

    Notes
    -----
    A count of a unit is the one published for it, else the sum of the finest units inside it
    whose counts are all known; a block flagged as an incompletely enumerated reserve counts as
    nothing, as in Statistics Canada's own totals.
    """
    work = _Work(vintage, geography.levels(vintage))
    work.join(pieces)
    work.inherit()
    work.agree()
    work.orphans(pieces)
    published = _published(pieces, totals, work.finest)
    work.count()
    work.compare(published)
    work.place(polygons)
    work.name()
    frames = work.frames()
    geometry = {
        level: _aligned(frame["unit_id"], polygons.get(level)) for level, frame in frames.items()
    }
    boxes = {level: np.asarray(shapely.bounds(shapes)) for level, shapes in geometry.items()}
    for level, shapes in geometry.items():
        if not shapely.is_missing(shapes).all():
            frames[level][GRID] = shapely.area(shapes)
    for level, order in hierarchical_order(frames, boxes).items():
        frames[level] = frames[level].iloc[order].reset_index(drop=True)
        geometry[level] = geometry[level][order]
        boxes[level] = boxes[level][order]
    return Assembled(frames, geometry, boxes, published, work.checks)


#: a level in work: ``unit_id`` and its columns; text columns hold ``None`` where missing
Columns = dict[str, npt.NDArray[Any]]


class _Work:
    """The levels while they are put together."""

    def __init__(self, vintage: int, order: Sequence[str]) -> None:
        self.vintage = vintage
        self.order = tuple(order)
        self.levels: dict[str, Columns] = {}
        self.checks: list[Check] = []
        self._links: dict[tuple[str, str], Rows] = {}

    @cached_property
    def finest(self) -> str:
        return next(level for level in self.order if level in self.levels)

    def held(self) -> list[str]:
        """Return levels held, finest first."""
        return [level for level in self.order if level in self.levels]

    def _above(self, level: str) -> tuple[str, ...]:
        return self.order[self.order.index(level) + 1 :]

    def parents(self, level: str) -> list[str]:
        """Return the parent columns of a level, finest first."""
        return [other for other in self.order if other in self.levels[level]]

    # -- units and columns ---------------------------------------------------------------------

    def join(self, pieces: Sequence[Piece]) -> None:
        """Make one table a level of all that is said about it, and units of every parent named.

        Fine to coarse, so that the parents a level names are known when their turn comes.
        """
        named: dict[str, list[npt.NDArray[np.object_]]] = {level: [] for level in self.order}
        for level in self.order:
            said = sorted((p for p in pieces if p.level == level), key=lambda p: p.order)
            for piece in said:
                if piece.role != "published":
                    named[level].append(piece.frame["unit_id"].to_numpy(dtype=object))
            if not named[level]:
                continue
            ids = pd.Index(pd.unique(np.concatenate(named[level])), dtype=object).sort_values()
            columns: Columns = {"unit_id": ids.to_numpy()}
            for piece in said:
                self._take(level, columns, ids, piece)
            self.levels[level] = columns
            for parent, part in geography.parents_by_id(level, self.vintage).items():
                if parent in self.order:
                    prefix = np.array([unit[part] for unit in columns["unit_id"]], dtype=object)
                    self._settle(level, parent, prefix)
            for parent in self.parents(level):
                values = columns[parent]
                named[parent].append(pd.unique(values[~pd.isna(values)]))

    def _take(self, level: str, columns: Columns, ids: pd.Index, piece: Piece) -> None:
        place = ids.get_indexer(pd.Index(piece.frame["unit_id"].to_numpy(dtype=object)))
        known = place >= 0
        for name in piece.frame.columns:
            if name not in (*NAMES[1:], *_NUMBERS, FLAG, *self._above(level)):
                continue
            values = _empty(name, len(ids))
            values[place[known]] = _values(name, piece.frame[name])[known]
            if name not in columns:
                columns[name] = values
                continue
            before = columns[name]
            if name == FLAG:
                columns[name] = before | values
                continue
            missing = pd.isna(before)
            if name in COUNTS or name in self.order:
                differ = ~missing & ~pd.isna(values) & (before != values)
                self._conflict(level, name, ids[differ], piece)
            columns[name] = np.where(missing, values, before)

    def _conflict(self, level: str, name: str, units: pd.Index, piece: Piece) -> None:
        if len(units):
            self.checks.append(
                Check(
                    "conflict", "warning", level, "store.conflict",
                    units=tuple(units), column=name, file=piece.file,
                )
            )  # fmt: skip

    def _settle(self, level: str, parent: str, prefix: npt.NDArray[np.object_]) -> None:
        """Let the id say the parent; report rows whose parent column says otherwise."""
        columns = self.levels[level]
        if parent in columns:
            said = columns[parent]
            differ = ~pd.isna(said) & (said != prefix)
            if differ.any():
                self.checks.append(
                    Check(
                        "parent_against_id", "warning", level, "store.parent_against_id",
                        units=tuple(columns["unit_id"][differ]), parent=parent,
                    )
                )  # fmt: skip
        columns[parent] = prefix

    # -- membership ----------------------------------------------------------------------------

    def link(self, child: str, parent: str) -> Rows:
        """Return, for each unit of ``child``, the row of its ``parent``; -1 where it has none."""
        if (child, parent) not in self._links:
            ids = pd.Index(self.levels[parent]["unit_id"], dtype=object)
            named = pd.Index(self.levels[child][parent], dtype=object)
            self._links[child, parent] = np.where(named.isna(), -1, ids.get_indexer(named))
        return self._links[child, parent]

    def inherit(self) -> None:
        """Give every unit the parents of its parents."""
        for child in reversed(self.held()):
            for parent in self.held():
                if parent in self.levels[child]:
                    for above in self.parents(parent):
                        if above != child:
                            self._inherit(child, parent, above)

    def _inherit(self, child: str, parent: str, above: str) -> None:
        columns = self.levels[child]
        have = columns.get(above)
        missing = np.ones(len(columns["unit_id"]), bool) if have is None else pd.isna(have)
        if not missing.any():
            return
        place = self.link(child, parent)
        values = self.levels[parent][above][place]
        values[place < 0] = None
        if have is None and pd.isna(values).all():
            return
        columns[above] = values if have is None else np.where(missing, values, have)
        self._links.pop((child, above), None)

    def agree(self) -> None:
        """Give a unit the parent in which all its units lie, where such units nest by definition."""
        for level in self.held():
            for above in geography.nests_in(level, self.vintage):
                if above not in self.levels:
                    continue
                for child in self.held()[: self.held().index(level)]:
                    if level in self.levels[child] and above in self.levels[child]:
                        self._agree(level, above, child)
        self.inherit()

    def _agree(self, level: str, above: str, child: str) -> None:
        columns = self.levels[level]
        have = columns.setdefault(above, _empty(above, len(columns["unit_id"])))
        missing = pd.isna(have)
        if not missing.any():
            return
        place, inside = self.link(child, level), self.link(child, above)
        low = np.full(len(have), np.iinfo(np.int64).max)
        high = np.full(len(have), -1)
        np.minimum.at(low, place[place >= 0], inside[place >= 0])
        np.maximum.at(high, place[place >= 0], inside[place >= 0])
        one = missing & (low == high) & (high >= 0)
        have[one] = self.levels[above]["unit_id"][high[one]]
        self._links.pop((level, above), None)

    def orphans(self, pieces: Sequence[Piece]) -> None:
        """Report units that finer units name and the level's own sources do not hold."""
        for level in self.held():
            own = [p for p in pieces if p.level == level and p.role in ("boundary", "attributes")]
            if not own:
                continue
            ids = self.levels[level]["unit_id"]
            here = np.concatenate([p.frame["unit_id"].to_numpy(dtype=object) for p in own])
            lost = ids[~np.isin(ids.astype(str), here.astype(str))]
            if len(lost):
                self.checks.append(
                    Check(
                        "orphans", "warning", level, "store.orphans",
                        units=tuple(lost), files=tuple(p.file for p in own),
                    )
                )  # fmt: skip

    # -- counts --------------------------------------------------------------------------------

    def count(self) -> None:
        """Fill counts that no source gives with the sums of the units inside."""
        held = self.held()
        for level in held[1:]:
            columns = self.levels[level]
            self._flag(level)
            for name in (*COUNTS, "land_km2"):
                own = columns.get(name)
                values = np.full(len(columns["unit_id"]), np.nan) if own is None else own.copy()
                for child in held[: held.index(level)]:
                    open_ = np.isnan(values)
                    if open_.any() and level in self.levels[child] and name in self.levels[child]:
                        values = np.where(open_, self.sums(level, child, name), values)
                if own is not None or not np.isnan(values).all():
                    columns[name] = values
        self._incomplete()

    def sums(self, level: str, child: str, name: str) -> npt.NDArray[np.float64]:
        """Return a count of each unit summed over ``child``, NaN where one is missing or none is."""
        columns = self.levels[child]
        values = columns[name]
        if FLAG in columns and name in COUNTS:
            values = np.where(columns[FLAG] & np.isnan(values), 0.0, values)
        place = self.link(child, level)
        size = len(self.levels[level]["unit_id"])
        inside = place >= 0
        total = np.bincount(place[inside], weights=values[inside], minlength=size)
        units = np.bincount(place[inside], minlength=size)
        return np.where(units > 0, total, np.nan)

    def _flag(self, level: str) -> None:
        for child in self.held()[: self.held().index(level)]:
            columns = self.levels[child]
            if FLAG in columns and level in columns:
                size = len(self.levels[level]["unit_id"])
                flags = self.levels[level].setdefault(FLAG, np.zeros(size, dtype=bool))
                place = self.link(child, level)
                flags[place[columns[FLAG] & (place >= 0)]] = True

    def _incomplete(self) -> None:
        """Say which finest units have no counts: every sum above them is then missing."""
        columns = self.levels[self.finest]
        for name in ("population", "dwellings", "households"):
            if name not in columns:
                continue
            missing = np.isnan(columns[name])
            if FLAG in columns:
                missing &= ~columns[FLAG]
            if missing.any():
                self.checks.append(
                    Check(
                        "counts_missing", "warning", self.finest, "store.counts_missing",
                        units=tuple(columns["unit_id"][missing]), column=name,
                        held=len(missing),
                    )
                )  # fmt: skip
        if "population" not in columns:
            self.checks.append(
                Check("no_counts", "warning", self.finest, "store.no_counts", held=len(columns["unit_id"]))
            )  # fmt: skip

    def compare(self, published: pd.DataFrame) -> None:
        """Hold the sums of the finest units against totals published for the units above."""
        finest = self.finest
        for level in self.held()[1:]:
            totals = published[published["level"] == level].set_index("unit_id")
            if level not in self.levels[finest] or not len(totals):
                continue
            totals = totals.reindex(self.levels[level]["unit_id"])
            for name in COUNTS:
                if name not in self.levels[finest]:
                    continue
                stored = self.sums(level, finest, name)
                gap = stored - totals[name].to_numpy()
                for check, severity, wrong in (
                    ("sum_above_published", "warning", gap > ROUNDING),
                    ("sum_below_published", "note", gap < -ROUNDING),
                ):
                    if wrong.any():
                        worst = int(np.nanargmax(np.where(wrong, np.abs(gap), -1)))
                        units = self.levels[level]["unit_id"]
                        self.checks.append(
                            Check(
                                check, severity, level, f"store.{check}",
                                units=tuple(units[wrong]), column=name, finest=finest,
                                worst=units[worst], stored=stored[worst],
                                published=float(totals[name].iloc[worst]),
                                limit=ROUNDING,
                            )
                        )  # fmt: skip

    # -- places and names ----------------------------------------------------------------------

    def place(
        self,
        polygons: Mapping[str, tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]],
    ) -> None:
        """Fill representative points: published, else a point inside the polygon, else a child's.

        Without a polygon a unit takes the point of the child nearest to the mean of its children:
        a place where the unit is.
        """
        for level in self.held():
            columns = self.levels[level]
            size = len(columns["unit_id"])
            x = columns.setdefault("x", np.full(size, np.nan))
            y = columns.setdefault("y", np.full(size, np.nan))
            open_ = np.flatnonzero(np.isnan(x) | np.isnan(y))
            if level in polygons and len(open_):
                shapes = _aligned(columns["unit_id"][open_], polygons[level])
                points = shapely.point_on_surface(shapes)
                x[open_], y[open_] = shapely.get_x(points), shapely.get_y(points)
            for child in self.held()[: self.held().index(level)]:
                open_ = np.isnan(x) | np.isnan(y)
                if not open_.any() or level not in self.levels[child]:
                    continue
                nearest = self._nearest(level, child)
                take = open_ & (nearest >= 0)
                x[take] = self.levels[child]["x"][nearest[take]]
                y[take] = self.levels[child]["y"][nearest[take]]

    def _nearest(self, level: str, child: str) -> Rows:
        """Return, for each unit, the child nearest to the mean of those inside; -1 for none."""
        fine = self.levels[child]
        place = self.link(child, level)
        rows = np.flatnonzero((place >= 0) & ~np.isnan(fine["x"]))
        owner, x, y = place[rows], fine["x"][rows], fine["y"][rows]
        size = len(self.levels[level]["unit_id"])
        many = np.maximum(np.bincount(owner, minlength=size), 1)
        mean_x = np.bincount(owner, weights=x, minlength=size) / many
        mean_y = np.bincount(owner, weights=y, minlength=size) / many
        order = np.lexsort([np.hypot(x - mean_x[owner], y - mean_y[owner]), owner])
        first = order[np.flatnonzero(np.diff(owner[order], prepend=-1))]
        nearest = np.full(size, -1, dtype=np.int64)
        nearest[owner[first]] = rows[first]
        return nearest

    def name(self) -> None:
        """Build the DGUIDs that no file gives."""
        for level in self.held():
            columns = self.levels[level]
            ids = pd.Series(columns["unit_id"])
            types = columns.get("unit_type", _empty("unit_type", len(ids)))
            built = geography.dguids(level, ids, self.vintage, pd.Series(types, dtype=TEXT))
            derived = built.to_numpy(dtype=object, na_value=None)
            given = columns.get("dguid", derived)
            columns["dguid"] = np.where(pd.isna(given), derived, given)

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the levels as frames: names, numbers, flag, parents fine to coarse."""
        result = {}
        for level in self.held():
            columns = self.levels[level]
            wanted = [*NAMES, *_NUMBERS, FLAG, *self.parents(level)]
            kept = {
                name: columns[name]
                for name in wanted
                if name in columns
                and (name in ("unit_id", FLAG) or not pd.isna(columns[name]).all())
            }
            result[level] = typed(pd.DataFrame(kept))
        return result


def _published(pieces: Sequence[Piece], totals: pd.DataFrame, finest: str) -> pd.DataFrame:
    """Return the totals known independently of the units inside: own files first."""
    own = sorted((p for p in pieces if p.level != finest), key=lambda p: p.order)
    frames = [
        p.frame.assign(level=p.level)
        for p in own
        if p.role != "named" and set(PROOFS) & set(p.frame.columns)
    ]
    columns = ["level", "unit_id", *PROOFS]
    parts = [frame.reindex(columns=columns) for frame in [*frames, totals] if len(frame)]
    if not parts:
        return pd.DataFrame(
            {c: pd.Series(dtype="float64" if c in PROOFS else "str") for c in columns}
        )
    together = pd.concat([part.astype(dict.fromkeys(PROOFS, "float64")) for part in parts])
    # first() skips what is missing, column by column
    merged = together.groupby(["level", "unit_id"], sort=True).first().reset_index()
    return merged[merged[list(PROOFS)].notna().any(axis=1)].reset_index(drop=True)


def _aligned(
    ids: Any, given: tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]] | None
) -> npt.NDArray[np.object_]:
    """Return the polygons of these units, ``None`` where there is none."""
    shapes = np.full(len(ids), None, dtype=object)
    if given is not None:
        place = pd.Index(given[0], dtype=object).get_indexer(
            pd.Index(np.asarray(ids, dtype=object), dtype=object)
        )
        shapes[place >= 0] = given[1][place[place >= 0]]
    return shapes


def _empty(name: str, size: int) -> npt.NDArray[Any]:
    if name in _NUMBERS:
        return np.full(size, np.nan)
    return np.zeros(size, dtype=bool) if name == FLAG else np.full(size, None, dtype=object)


def _values(name: str, values: pd.Series) -> npt.NDArray[Any]:
    if name in _NUMBERS:
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    if name == FLAG:
        return values.fillna(False).to_numpy(dtype=bool)
    return values.to_numpy(dtype=object, na_value=None)
