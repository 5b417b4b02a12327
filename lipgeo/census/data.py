"""Say what a census is read from (the protocol ``CensusData``) and hold one in frames in memory.

A level's rows have one order: along the hierarchy, then by place, so that reads touch little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.census.units import find_rows
from lipgeo.errors import MissingLevelError
from lipgeo.geography.hierarchy import levels_for

__all__ = [
    "CHAIN",
    "COUNTS",
    "GRID",
    "GROUP_ROWS",
    "LAND_AND_POINT",
    "NAMES",
    "TEXT",
    "CensusData",
    "Measure",
    "MemoryCensus",
    "Rows",
    "boxes_around",
    "boxes_held",
    "child_index",
    "expand",
    "hierarchical_order",
    "hilbert",
    "require_membership",
    "set_dtypes",
]

#: the chain that nests by definition, coarse to fine; rows are ordered along it
CHAIN = levels_for("chain")

Rows = npt.NDArray[np.int64]

#: what a share is a share of: land, people, private dwellings, or households
Measure = Literal["area", "population", "dwellings", "households"]

#: counts a unit may carry; float64, NaN where missing
COUNTS = ("population", "dwellings", "households")
#: further numbers of a unit; float64, NaN where missing
LAND_AND_POINT = ("land_km2", "x", "y")
#: area of the polygon on the grid, m2: steers computing, never shown (the grid is not equal-area)
GRID = "grid_m2"
#: what a unit is called; text, ``pandas.NA`` where missing. Every other column is a parent's id.
NAMES = ("unit_id", "unit_name", "name_fr", "unit_type", "dguid")
#: dtype of every text column, from memory and from disk alike
TEXT = pd.StringDtype("pyarrow")

#: rows a group: small enough to skip most of a level, large enough to read in one go
GROUP_ROWS = 1024


class CensusData(Protocol):
    """What a census is read from: a store on disk, or frames in memory.

    A level's units have one fixed order, and ``rows`` are positions in it. The order follows the
    hierarchy (PR, CD, CSD, DA, DB) and, within it, place; so the children of a unit in that chain
    stand together and neighbours stand close.
    """

    @property
    def vintage(self) -> int:
        """Census year."""

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels that hold units, finest first."""

    @property
    def meta(self) -> Mapping[str, Any]:
        """What is known about the whole.

        ``made`` (bool), ``boundary_type``, ``sources`` (a list of ``name, sha256, bytes``),
        ``published`` (unit counts and populations known from outside: level -> unit_id -> dict).
        """

    def columns(self, level: str) -> tuple[str, ...]:
        """Attribute columns of a level (``unit_id`` first, geometry left out)."""

    def attributes(
        self, level: str, columns: Sequence[str] | None = None, rows: Rows | None = None
    ) -> pd.DataFrame:
        """Attributes: one row a unit in the level's order, RangeIndex, ``unit_id`` a column."""

    def group_boxes(self, level: str) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Where each group of rows starts, the end last; (g + 1,): and its box; (g, 4)."""

    def boxes(self, level: str, rows: Rows | None = None) -> npt.NDArray[np.float64]:
        """Boxes in EPSG:3347 metres, NaN where a unit has no polygon; (n, 4)."""

    def without_polygon(self, level: str) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Rows of the units that have no polygon, ascending, and the boxes of what they hold.

        The box is that of their units of the finest level, NaN where those have no polygon either;
        (n,) and (n, 4).
        """

    def geometry(self, level: str, rows: Rows | None = None) -> npt.NDArray[np.object_]:
        """Polygons in EPSG:3347, ``None`` where a unit has none; (n,)."""

    def children(self, level: str, rows: Rows, child: str) -> tuple[Rows, Rows]:
        """Pairs (position in ``rows``, row of ``child``): the units of ``child`` inside each unit.

        By ids and attribute files, never by geometry. Both arrays have one entry a pair, ordered
        by the first.
        """


class MemoryCensus:
    """A census held in frames in memory (the made census, tests, notebooks).

    Parameters
    ----------
    vintage
        Census year.
    frames
        Level to its attributes (``unit_id`` a column; parents named by level code), finest level
        first. The rows are put in the order :class:`CensusData` asks for.
    geometry
        Level to its polygons in EPSG:3347, in the order of its frame; a level may be left out.
    meta
        See :attr:`CensusData.meta`.
    """

    def __init__(
        self,
        vintage: int,
        frames: Mapping[str, pd.DataFrame],
        geometry: Mapping[str, npt.NDArray[np.object_]],
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.vintage = vintage
        self.levels = tuple(frames)
        self.meta: Mapping[str, Any] = {
            "made": True,
            "boundary_type": "cartographic",
            "sources": [],
            "published": {},
            **(meta or {}),
        }
        self._frames: dict[str, pd.DataFrame] = {}
        self._geometry: dict[str, npt.NDArray[np.object_]] = {}
        self._boxes: dict[str, npt.NDArray[np.float64]] = {}
        for level, frame in frames.items():
            polygons = geometry.get(level)
            if polygons is None:
                polygons = np.full(len(frame), None, dtype=object)
            self._frames[level] = set_dtypes(frame)
            self._geometry[level] = np.asarray(polygons, dtype=object)
            self._boxes[level] = np.asarray(shapely.bounds(self._geometry[level]), dtype=np.float64)
            if not np.isnan(self._boxes[level]).all():
                self._frames[level][GRID] = shapely.area(self._geometry[level])
        for level, order in hierarchical_order(self._frames, self._boxes).items():
            self._frames[level] = self._frames[level].iloc[order].reset_index(drop=True)
            self._geometry[level] = self._geometry[level][order]
            self._boxes[level] = self._boxes[level][order]
        self._groups: dict[str, tuple[Rows, npt.NDArray[np.float64]]] = {}
        self._children: dict[tuple[str, str], tuple[Rows, Rows]] = {}

    def columns(self, level: str) -> tuple[str, ...]:
        """Attribute columns of a level."""
        return tuple(self._frames[level].columns)

    def attributes(
        self, level: str, columns: Sequence[str] | None = None, rows: Rows | None = None
    ) -> pd.DataFrame:
        """Attributes of a level, or of some rows of it."""
        frame = self._frames[level]
        if columns is not None:
            frame = frame[list(columns)]
        if rows is not None:
            frame = frame.iloc[rows].reset_index(drop=True)
        return frame.copy()

    def group_boxes(self, level: str) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Return starts and boxes of the groups of rows."""
        if level not in self._groups:
            boxes = self._boxes[level]
            starts = np.arange(0, len(boxes), GROUP_ROWS, dtype=np.int64)
            low = np.fmin.reduceat(boxes[:, :2], starts, axis=0)
            high = np.fmax.reduceat(boxes[:, 2:], starts, axis=0)
            self._groups[level] = np.append(starts, len(boxes)), np.hstack([low, high])
        return self._groups[level]

    def boxes(self, level: str, rows: Rows | None = None) -> npt.NDArray[np.float64]:
        """Boxes of a level, or of some rows of it."""
        return self._boxes[level] if rows is None else self._boxes[level][rows]

    def without_polygon(self, level: str) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Rows of the units that have no polygon, and the boxes of what they hold."""
        rows = np.flatnonzero(np.isnan(self._boxes[level][:, 0]))
        return rows, boxes_held(self, level, rows)

    def geometry(self, level: str, rows: Rows | None = None) -> npt.NDArray[np.object_]:
        """Polygons of a level, or of some rows of it."""
        return self._geometry[level] if rows is None else self._geometry[level][rows]

    def children(self, level: str, rows: Rows, child: str) -> tuple[Rows, Rows]:
        """Pairs (position in ``rows``, row of ``child``)."""
        require_membership(self, level, child)
        if (level, child) not in self._children:
            self._children[level, child] = child_index(
                self._frames[level]["unit_id"], self._frames[child][level]
            )
        starts, order = self._children[level, child]
        return expand(starts, order, rows)


def require_membership(data: CensusData, level: str, child: str) -> None:
    """Raise unless both levels are held and the units of ``child`` say in which of ``level``.

    Raises
    ------
    MissingLevelError
        A level, or the parent column, is not held.
    """
    for wanted in (level, child):
        if wanted not in data.levels:
            raise MissingLevelError(
                "census.missing_level", level=wanted, vintage=data.vintage, held=data.levels
            )
    if level not in data.columns(child):
        raise MissingLevelError("census.no_parent", level=level, child=child, vintage=data.vintage)


def set_dtypes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return attributes in their dtypes: numbers float64, the flag bool, the rest text."""
    kinds: dict[str, Any] = {}
    for column in frame.columns:
        if column in (*COUNTS, *LAND_AND_POINT, GRID):
            kinds[column] = np.float64
        elif column == "incomplete_reserve":
            kinds[column] = bool
        else:
            kinds[column] = TEXT
    return frame.astype(kinds)


def boxes_held(data: CensusData, level: str, rows: Rows) -> npt.NDArray[np.float64]:
    """Return the boxes around the finest units of each unit, NaN where none has a polygon."""
    finest = data.levels[0]
    if level == finest or not len(rows) or level not in data.columns(finest):
        return np.full((len(rows), 4), np.nan)
    owner, atom = data.children(level, rows, finest)
    return boxes_around(data.boxes(finest, atom), owner, len(rows))


def boxes_around(
    boxes: npt.NDArray[np.float64], owner: Rows, count: int
) -> npt.NDArray[np.float64]:
    """Return the box around the boxes of each owner, NaN where it has none; (count, 4)."""
    around = np.full((count, 4), np.inf) * [1, 1, -1, -1]
    there = ~np.isnan(boxes[:, 0])
    np.minimum.at(around[:, :2], owner[there], boxes[there, :2])
    np.maximum.at(around[:, 2:], owner[there], boxes[there, 2:])
    return np.where(np.isfinite(around), around, np.nan)


def child_index(parents: pd.Series, parent_of_child: pd.Series) -> tuple[Rows, Rows]:
    """Index children by parent: starts (n + 1,) into the returned order of child rows."""
    codes = find_rows(parents, parent_of_child)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(parents) + 1))
    return starts.astype(np.int64), order.astype(np.int64)


def expand(starts: Rows, order: Rows, rows: Rows) -> tuple[Rows, Rows]:
    """Turn an index of children into pairs (position in ``rows``, child row)."""
    counts = starts[rows + 1] - starts[rows]
    owner = np.repeat(np.arange(len(rows), dtype=np.int64), counts)
    within = np.arange(counts.sum(), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, order[np.repeat(starts[rows], counts) + within]


def hierarchical_order(
    frames: Mapping[str, pd.DataFrame], boxes: Mapping[str, npt.NDArray[np.float64]]
) -> dict[str, npt.NDArray[np.int64]]:
    """Return, for each level, the order of its rows: along the chain, then by place, then by id.

    A unit's place is the position of its box's centre on a Hilbert curve; a unit without a polygon
    comes after its neighbours of the same parent. Whatever the order of the frames given, equal
    units get the same order.
    """
    orders: dict[str, npt.NDArray[np.int64]] = {}
    ranks: dict[str, tuple[pd.Index, npt.NDArray[np.int64]]] = {}
    chain = [level for level in CHAIN if level in frames]
    for level in (*chain, *(level for level in frames if level not in chain)):
        frame = frames[level]
        ids = frame["unit_id"].to_numpy(dtype=object)
        above = chain[: chain.index(level)] if level in chain else ["PR"]
        keys: list[npt.NDArray[Any]] = [ids, hilbert(boxes[level])]
        for parent in reversed(above):
            if parent not in frame:
                continue
            values = frame[parent].to_numpy(dtype=object)
            if parent in ranks and len(ranks[parent][1]):
                index, rank = ranks[parent]
                found = index.get_indexer(pd.Index(values))
                keys.append(np.where(found < 0, len(index), rank[found]))
            else:
                codes = pd.factorize(values, sort=True)[0]
                keys.append(np.where(codes < 0, len(codes), codes))
        # the last key of a lexsort is the first to sort by
        order = np.lexsort([pd.factorize(key, sort=True)[0] for key in keys])
        orders[level] = np.asarray(order, dtype=np.int64)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        ranks[level] = (pd.Index(ids), rank)
    return orders


def hilbert(boxes: npt.NDArray[np.float64], bits: int = 16) -> npt.NDArray[np.float64]:
    """Return the position of each box's centre on a Hilbert curve over EPSG:3347's extent.

    The extent is fixed (Canada with a margin), so a unit keeps its place whatever else is held;
    infinite where the box is missing. Shape (n,).
    """
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    missing = np.isnan(centre).any(axis=1)
    side = 1 << bits
    cells = np.clip((np.nan_to_num(centre) - (3.0e6, 0.0)) / 7.0e6 * side, 0, side - 1)
    x, y = cells.astype(np.int64).T
    position = np.zeros(len(boxes), dtype=np.int64)
    step = side >> 1
    while step:
        right, upper = ((x & step) > 0).astype(np.int64), ((y & step) > 0).astype(np.int64)
        position += step * step * ((3 * right) ^ upper)
        flip = (upper == 0) & (right == 1)
        x, y = np.where(flip, side - 1 - x, x), np.where(flip, side - 1 - y, y)
        turn = upper == 0
        x, y = np.where(turn, y, x), np.where(turn, x, y)
        step >>= 1
    return np.where(missing, np.inf, position.astype(np.float64))
