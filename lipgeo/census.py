"""``Census``: one opened vintage: its levels, hierarchy and counts; reads only what is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.errors import MissingLevelError, UnknownUnitError
from lipgeo.zones import Zones

__all__ = ["COUNTS", "TEXT", "Census", "CensusData", "CensusZones", "MemoryCensus", "Rows"]

Rows = npt.NDArray[np.int64]

#: counts a unit may carry; float64, NaN where missing
COUNTS = ("population", "dwellings", "households")
#: further numbers of a unit; float64, NaN where missing
MEASURES = ("land_km2", "x", "y")
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

    def geometry(self, level: str, rows: Rows | None = None) -> npt.NDArray[np.object_]:
        """Polygons in EPSG:3347, ``None`` where a unit has none; (n,)."""

    def children(self, level: str, rows: Rows, child: str) -> tuple[Rows, Rows]:
        """Pairs (position in ``rows``, row of ``child``): the units of ``child`` inside each unit.

        By ids and attribute files, never by geometry. Both arrays have one entry a pair, ordered
        by the first.
        """


class CensusZones(Zones):
    """A census level as zones; polygons are read when first asked for.

    Attributes
    ----------
    census
        The census they come from: the crosswalk descends its hierarchy and reads only the
        units along an outline.
    """

    def __init__(self, census: Census, level: str) -> None:
        ids = census.data.attributes(level, ["unit_id"])["unit_id"].to_numpy(dtype=object)
        self.census = census
        # ids of a census are unique by construction of the store: no second look
        self.ids = ids
        self.level = level
        self.vintage = census.vintage
        self.crs = census.crs

    @property
    def geometry(self) -> npt.NDArray[np.object_]:
        """Polygons, read when first asked for."""
        return self._read

    @cached_property
    def _read(self) -> npt.NDArray[np.object_]:
        return self.census.data.geometry(str(self.level))

    @cached_property
    def boxes(self) -> npt.NDArray[np.float64]:
        """Boxes, read without the polygons."""
        return self.census.data.boxes(str(self.level))

    @cached_property
    def data(self) -> pd.DataFrame:
        """Attributes by id, read when first asked for."""
        return self.census.units(str(self.level)).rename_axis("zone_id")


class Census:
    """One census vintage, opened.

    Parameters
    ----------
    data
        Where it is read from.

    Notes
    -----
    Coordinates are EPSG:3347 metres. That grid is conformal, not equal-area: land area comes from
    the ``land_km2`` column (Statistics Canada's own figure), never from the polygons.
    """

    def __init__(self, data: CensusData) -> None:
        self.data = data
        from lipgeo.crs import STATCAN_LAMBERT

        self.crs = STATCAN_LAMBERT
        self._units: dict[str, pd.DataFrame] = {}

    @property
    def vintage(self) -> int:
        """Census year."""
        return self.data.vintage

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels held, finest first."""
        return self.data.levels

    @property
    def atom_level(self) -> str:
        """The finest level held: every unit of every level is a set of these."""
        return self.levels[0]

    def require_level(self, level: str) -> None:
        """Raise :class:`~lipgeo.errors.MissingLevelError` unless the level is held."""
        if level not in self.levels:
            raise MissingLevelError(
                "census.missing_level", level=level, vintage=self.vintage, held=self.levels
            )

    def units(self, level: str) -> pd.DataFrame:
        """Return all units of a level.

        Returns
        -------
        pandas.DataFrame
            Index ``unit_id`` (text); columns ``unit_name, unit_type, dguid`` (text),
            ``population, dwellings, households, land_km2, x, y`` (float64, NaN where missing;
            x and y the representative point in EPSG:3347 metres), and one column a parent level
            named by its code (``PR``, ``CD``, ``CSD``, ``CT`` ...; text, missing where the unit
            has no such parent). Columns the census does not hold are absent, except ids, names
            and counts, which are then missing in every row.
        """
        self.require_level(level)
        if level not in self._units:
            wanted = [column for column in self.data.columns(level) if column != GRID]
            frame = self.data.attributes(level, wanted)
            for column in ("unit_name", "unit_type", "dguid"):
                if column not in frame:
                    frame[column] = pd.Series(pd.NA, index=frame.index, dtype="string")
            for column in (*COUNTS, "land_km2"):
                if column not in frame:
                    frame[column] = np.nan
            self._units[level] = frame.set_index("unit_id")
        return self._units[level].copy()

    def rows(self, level: str, unit_ids: Sequence[str] | pd.Index) -> Rows:
        """Return the positions of units in their level.

        Raises
        ------
        UnknownUnitError
            Some ids are not in this census; ``problems`` lists them.
        """
        self.require_level(level)
        wanted = pd.Index(unit_ids, dtype=object)
        found = self._index(level).get_indexer(wanted)
        missing = wanted[found < 0]
        if len(missing):
            raise UnknownUnitError(
                "census.unknown_units",
                [{"level": level, "unit_id": unit} for unit in missing],
                level=level,
                vintage=self.vintage,
                units=missing,
            )
        return np.asarray(found, dtype=np.int64)

    def _index(self, level: str) -> pd.Index:
        if level not in self._indexes:
            ids = self.data.attributes(level, ["unit_id"])["unit_id"]
            self._indexes[level] = pd.Index(ids.to_numpy(dtype=object))
        return self._indexes[level]

    @cached_property
    def _indexes(self) -> dict[str, pd.Index]:
        return {}

    def atoms(self, level: str, rows: Rows) -> tuple[Rows, Rows]:
        """Pairs (position in ``rows``, row of the finest level): what each unit is made of."""
        if level == self.atom_level:
            return np.arange(len(rows), dtype=np.int64), rows
        return self.data.children(level, rows, self.atom_level)

    def zones(self, level: str) -> CensusZones:
        """Return a level as zones; polygons are read on demand."""
        self.require_level(level)
        return CensusZones(self, level)

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{len(self.data.attributes(level, ['unit_id'])):,} {level}" for level in self.levels
        )
        return f"<Census {self.vintage}: {parts}>"


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
            self._frames[level] = typed(frame)
            self._geometry[level] = np.asarray(polygons, dtype=object)
            self._boxes[level] = np.asarray(shapely.bounds(self._geometry[level]), dtype=np.float64)
            if not np.isnan(self._boxes[level]).all():
                self._frames[level][GRID] = shapely.area(self._geometry[level])
        for level, order in hierarchical_order(self._frames, self._boxes).items():
            self._frames[level] = self._frames[level].iloc[order].reset_index(drop=True)
            self._geometry[level] = self._geometry[level][order]
            self._boxes[level] = self._boxes[level][order]
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
        boxes = self._boxes[level]
        starts = np.arange(0, len(boxes), GROUP_ROWS, dtype=np.int64)
        grouped = np.column_stack(
            [
                np.fmin.reduceat(boxes[:, 0], starts),
                np.fmin.reduceat(boxes[:, 1], starts),
                np.fmax.reduceat(boxes[:, 2], starts),
                np.fmax.reduceat(boxes[:, 3], starts),
            ]
        )
        return np.append(starts, len(boxes)).astype(np.int64), grouped

    def boxes(self, level: str, rows: Rows | None = None) -> npt.NDArray[np.float64]:
        """Boxes of a level, or of some rows of it."""
        return self._boxes[level] if rows is None else self._boxes[level][rows]

    def geometry(self, level: str, rows: Rows | None = None) -> npt.NDArray[np.object_]:
        """Polygons of a level, or of some rows of it."""
        return self._geometry[level] if rows is None else self._geometry[level][rows]

    def children(self, level: str, rows: Rows, child: str) -> tuple[Rows, Rows]:
        """Pairs (position in ``rows``, row of ``child``)."""
        if (level, child) not in self._children:
            self._children[level, child] = child_index(
                self._frames[level]["unit_id"], self._frames[child][level]
            )
        starts, order = self._children[level, child]
        return expand(starts, order, rows)


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return attributes in their dtypes: numbers float64, the flag bool, the rest text."""
    kinds: dict[str, Any] = {}
    for column in frame.columns:
        if column in (*COUNTS, *MEASURES, GRID):
            kinds[column] = np.float64
        elif column == "incomplete_reserve":
            kinds[column] = bool
        else:
            kinds[column] = TEXT
    return frame.astype(kinds)


def child_index(parents: pd.Series, parent_of_child: pd.Series) -> tuple[Rows, Rows]:
    """Index children by parent: starts (n + 1,) into the returned order of child rows."""
    codes = pd.Index(parents.to_numpy(dtype=object)).get_indexer(
        pd.Index(parent_of_child.to_numpy(dtype=object))
    )
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(parents) + 1))
    return starts.astype(np.int64), order.astype(np.int64)


def expand(starts: Rows, order: Rows, rows: Rows) -> tuple[Rows, Rows]:
    """Turn an index of children into pairs (position in ``rows``, child row)."""
    counts = starts[rows + 1] - starts[rows]
    owner = np.repeat(np.arange(len(rows), dtype=np.int64), counts)
    within = np.arange(counts.sum(), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, order[np.repeat(starts[rows], counts) + within]


#: the chain that nests by definition, coarse to fine; rows are ordered along it
CHAIN = ("PR", "CD", "CSD", "DA", "DB")


def hierarchical_order(
    frames: Mapping[str, pd.DataFrame], boxes: Mapping[str, npt.NDArray[np.float64]]
) -> dict[str, Rows]:
    """Return, for each level, the order of its rows: along the chain, then by place, then by id.

    A unit's place is the position of its box's centre on a Hilbert curve; a unit without a polygon
    comes after its neighbours of the same parent. Whatever the order of the frames given, equal
    units get the same order.
    """
    orders: dict[str, Rows] = {}
    ranks: dict[str, tuple[pd.Index, Rows]] = {}
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
