"""Open a census of a store, and read of it only what is asked.

Single polygons come out of a Parquet column, so that an outline reads only the units it crosses.
Parquet is read by column chunk: a thousand polygons to get at one. The geometry column of a store
is therefore written plain, uncompressed and one page a row group; there the values stand one after
the other, each behind its length in four bytes, and the last ends where the chunk ends. With the
lengths (a small column of their own) every polygon has an address. Any Parquet reader still reads
the column as usual.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from lipgeo.census.census import Census
from lipgeo.census.data import (
    COUNTS,
    GRID,
    GROUP_ROWS,
    LAND_AND_POINT,
    TEXT,
    Rows,
    boxes_held,
    child_index,
    expand,
    require_membership,
)
from lipgeo.errors import MissingLevelError, StoreError, require_path, tell_damage
from lipgeo.files import MANIFEST, read_manifest
from lipgeo.geography.hierarchy import censuses_among, require_vintage
from lipgeo.report import CheckReport, finding
from lipgeo.store.checked_file import BlockSums, CheckedFile, is_whole
from lipgeo.store.layout import (
    CENSUS,
    PUBLISHED,
    STATES,
    level_file,
    no_store,
    other_sizes,
    read_vintage,
    rows_of,
    store_of,
    stored_vintages,
    sums_name,
)
from lipgeo.words import say

__all__ = [
    "SIZES",
    "ReadAt",
    "StoreData",
    "chunk_ends",
    "describe_store",
    "is_addressable",
    "open_census",
    "read_values",
]

#: column of the lengths, bytes of WKB; 0 where a unit has no polygon
SIZES = "geometry_bytes"
_PREFIX = 4
#: bytes between two polygons that are cheaper read than skipped
_GAP = 4_096


class ReadAt(Protocol):
    """Reads from a file at a place."""

    def __call__(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset``."""


def chunk_ends(metadata: pq.FileMetaData) -> Rows:
    """Return where the geometry chunk of each row group ends in the file; (groups,)."""
    ends = []
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        # the geometry is the last column of a store's file
        chunk = row_group.column(metadata.num_columns - 1)
        ends.append(chunk.data_page_offset + chunk.total_compressed_size)
    return np.array(ends, dtype=np.int64)


def is_addressable(parquet: pq.ParquetFile, read_at: ReadAt) -> bool:
    """Return whether the geometry column is written as addresses need it."""
    ends = chunk_ends(parquet.metadata)
    for group, end in enumerate(ends):
        sizes = parquet.read_row_group(group, [SIZES]).column(SIZES).to_numpy()
        values = sizes[sizes > 0].astype(np.int64)
        begin = int(end - (values + _PREFIX).sum())
        if len(values) and read_at(begin, _PREFIX) != int(values[0]).to_bytes(_PREFIX, "little"):
            return False
    return True


def read_values(
    rows: Rows, groups: Rows, sizes: npt.NDArray[np.int32], ends: Rows, read_at: ReadAt
) -> list[bytes | None]:
    """Return the WKB of rows.

    Parameters
    ----------
    rows
        Rows of the level, in any order; (n,).
    groups
        The row groups they lie in, ascending; (g,).
    sizes
        Lengths of all rows of those groups, one group after the other.
    ends
        Where the geometry chunk of every row group ends.
    read_at
        Reads from the file.

    Raises
    ------
    ValueError
        A length in the file is not the one in ``sizes``: the file is damaged.
    """
    owner = np.repeat(np.arange(len(groups)), GROUP_ROWS)[: len(sizes)]
    room = np.where(sizes > 0, sizes.astype(np.int64) + _PREFIX, 0)
    after = np.cumsum(room)
    # counted from the end of each chunk: what stands before the values needs no reading
    last = after[np.searchsorted(owner, np.arange(len(groups)), side="right") - 1]
    offsets = ends[groups][owner] - (last[owner] - (after - room))
    place = np.searchsorted(groups, rows // GROUP_ROWS) * GROUP_ROWS + rows % GROUP_ROWS
    wanted = np.unique(place[room[place] > 0])
    values: dict[int, bytes] = {}
    if len(wanted):
        begins, stops = offsets[wanted], offsets[wanted] + room[wanted]
        breaks = np.flatnonzero(begins[1:] - stops[:-1] > _GAP) + 1
        for run in np.split(np.arange(len(wanted)), breaks):
            base = int(begins[run[0]])
            data = read_at(base, int(stops[run[-1]]) - base)
            for k in run:
                start = int(begins[k]) - base
                size = int(room[wanted[k]]) - _PREFIX
                if data[start : start + _PREFIX] != size.to_bytes(_PREFIX, "little"):
                    raise ValueError(say("store.bad_polygon", at=base + start))
                values[int(wanted[k])] = data[start + _PREFIX : start + _PREFIX + size]
    return [values.get(int(k)) for k in place]


#: bytes in memory of a level's columns kept for the next reader
_KEPT_BYTES = 32_000_000
#: polygons decoded at a time
_DECODED = 16 * GROUP_ROWS
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_POLYGONS = ("geometry",)
#: stands for all row groups, where a column is read whole
_WHOLE = -1


def open_census(path: str | Path, vintage: int | None = None) -> Census:
    """Open a census that ``lipgeo census add`` put on disk.

    Parameters
    ----------
    path
        The store's folder.
    vintage
        Census year; the newest that the store holds where none is named, and where it holds
        several, ``report`` of the census says so.

    Returns
    -------
    Census
        Nothing but the manifest is read until something is asked for.

    Raises
    ------
    InputError
        The vintage is a census of which lipgeo has no facts.
    StoreError
        There is no store, it does not hold the vintage, it is half written or damaged, or a newer
        lipgeo wrote it.
    """
    store = require_path(path)
    if vintage is not None:
        censuses_among([int(vintage)])  # one to come is refused as such, store or no store
    vintages = _vintages(store)
    notes = []
    if vintage is None:
        vintage = max(vintages)
        if len(vintages) > 1:
            held = sorted(vintages)
            notes = [
                finding(
                    "store.newest", "note", str(store), year=str(vintage), other=str(held[-2]),
                    held=[str(year) for year in held],
                )
            ]  # fmt: skip
    elif int(vintage) not in vintages:
        raise StoreError("store.no_vintage", path=store, vintage=vintage, held=list(vintages))
    require_vintage(int(vintage))
    read_vintage(vintages[int(vintage)], int(vintage))
    return Census(StoreData(vintages[int(vintage)]), CheckReport(notes))


def describe_store(path: str | Path) -> pd.DataFrame:
    """Return what a store holds, one row a level of each census, and whether it looks whole.

    Manifests and the small files and footers of the levels are read, no polygon and no count:
    ``lipgeo.verify_store`` reads all.

    Returns
    -------
    pandas.DataFrame
        ``vintage, level, unit_count, polygon_count`` (int), ``population, dwellings`` (sums of
        what is known, float64, NaN where nothing is), ``boundary_type, sources`` (text; the names
        of the files that brought the level), ``state`` (``whole``, or ``damaged`` where a file is
        missing, of another size, or its footer or small files do not fit their sums).

    Raises
    ------
    StoreError
        There is no store, it is empty, half written, damaged, or a newer lipgeo wrote it.
    """
    store = Path(path)
    rows = []
    for vintage, folder in _vintages(store).items():
        manifest = read_vintage(folder, vintage)
        levels = manifest["levels"]
        own = {one: {level_file(folder, one).name, sums_name(one)} for one in levels}
        common = {*manifest.get("files", ())} - {name for names in own.values() for name in names}
        whole = not other_sizes(folder, manifest, common)
        for level, entry in levels.items():
            files = [source["name"] for source in manifest["sources"] if source["level"] == level]
            rows.append(
                {
                    "vintage": vintage,
                    "level": level,
                    "unit_count": entry["rows"],
                    "polygon_count": entry["polygons"],
                    "population": entry["sums"].get("population"),
                    "dwellings": entry["sums"].get("dwellings"),
                    "boundary_type": manifest["boundary_type"],
                    "sources": ", ".join(files),
                    "state": STATES[whole and _looks_whole(folder, manifest, level)],
                }
            )
    return pd.DataFrame(rows).astype({"population": np.float64, "dwellings": np.float64})


def _looks_whole(folder: Path, manifest: Mapping[str, Any], level: str) -> bool:
    """Whether the file of a level has its size, and its footer and block sums are as written."""
    name, sums = sums_name(level), None
    path, entry = level_file(folder, level), manifest.get("files", {}).get(name)
    try:
        if entry is not None:
            raw = (folder / name).read_bytes()
            if not is_whole(raw, entry):
                return False
            sums = np.frombuffer(raw, dtype="<u4")
        _LevelFile(
            path,
            manifest["levels"][level],
            sums,
            lambda path, reason: StoreError("store.damaged", file=path, reason=reason),
        )
    except (OSError, StoreError):
        return False
    return True


def _vintages(store: Path) -> dict[int, Path]:
    if not store.is_dir():
        raise no_store(store)
    found = stored_vintages(store)
    if not found:
        raise StoreError("store.empty", path=store)
    return found


class StoreData:
    """A census vintage on disk; the other half is :class:`lipgeo.census.MemoryCensus`.

    Parameters
    ----------
    folder
        ``STORE/<vintage>``.

    Attributes
    ----------
    bytes_read
        Bytes read from disk so far, footers and manifest included.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._manifest = read_manifest(self.folder, CENSUS)
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._files: dict[str, _LevelFile] = {}
        self._children: dict[tuple[str, str], tuple[Rows, Rows]] = {}
        #: bytes of the manifest and of other small files
        self.small_bytes = (self.folder / MANIFEST).stat().st_size
        for level, entry in self._manifest["levels"].items():
            _require_size(level_file(self.folder, level), int(entry["bytes"]))

    def __reduce__(self) -> tuple[Any, ...]:  # a worker process opens the files anew
        return (StoreData, (self.folder,))

    @property
    def vintage(self) -> int:
        """Census year."""
        return int(self._manifest["vintage"])

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels that hold units, finest first."""
        return tuple(self._manifest["levels"])

    @cached_property
    def meta(self) -> Mapping[str, Any]:
        """What the manifest says, and ``published``, which is read when first looked at."""
        return {**self._manifest, "published": _Published(self)}

    @property
    def bytes_read(self) -> int:
        """Bytes read from disk so far."""
        return self.small_bytes + sum(file.bytes_read for file in self._files.values())

    def columns(self, level: str) -> tuple[str, ...]:
        """Attribute columns of a level."""
        return tuple(self._manifest["levels"][level]["columns"])

    def attributes(
        self, level: str, columns: Sequence[str] | None = None, rows: Rows | None = None
    ) -> pd.DataFrame:
        """Attributes of a level, or of some rows of it."""
        wanted = self.columns(level) if columns is None else tuple(columns)
        table = self._file(level).read(wanted, rows)
        with tell_damage(StoreError, "store.damaged", file=self._file(level).path):
            frame = {name: _series(name, table.column(name)) for name in wanted}
        return pd.DataFrame(frame, columns=pd.Index(wanted), copy=False)

    def group_boxes(self, level: str) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Return starts and boxes of the groups of rows, from the footer's statistics."""
        return self._file(level).group_boxes

    def boxes(self, level: str, rows: Rows | None = None) -> npt.NDArray[np.float64]:
        """Boxes of a level, or of some rows of it."""
        table = self._file(level).read(("bbox",), rows)
        box = table.column("bbox").combine_chunks()
        if isinstance(box, pa.ChunkedArray):  # a level without rows has no chunk to combine
            return np.empty((0, 4))
        # flatten, unlike field, carries the nulls of units without a polygon to the sides
        return np.column_stack([side.to_numpy(zero_copy_only=False) for side in box.flatten()])

    def without_polygon(self, level: str) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Rows of the units that have no polygon, and the boxes of what they hold.

        The manifest says it where such units are few; else only groups that hold some are looked
        at.
        """
        bare = self._manifest["levels"][level].get("bare")
        if bare is not None:
            table = np.array(bare, dtype=np.float64).reshape(-1, 5)
            return table[:, 0].astype(np.int64), table[:, 1:]
        starts, _ = self.group_boxes(level)
        groups = np.flatnonzero(self._file(level).without_polygons)
        rows = np.concatenate([[], *(np.arange(starts[g], starts[g + 1]) for g in groups)])
        rows = rows.astype(np.int64)
        bare = rows[np.isnan(self.boxes(level, rows)[:, 0])] if len(rows) else rows
        return bare, boxes_held(self, level, bare)

    def geometry(self, level: str, rows: Rows | None = None) -> npt.NDArray[np.object_]:
        """Polygons of a level, or of some rows of it."""
        file = self._file(level)
        wanted = np.arange(file.rows) if rows is None else np.asarray(rows, dtype=np.int64)
        order = np.argsort(wanted, kind="stable")
        shapes = np.empty(len(wanted), dtype=object)
        # a few groups at a time: what is read is never held beside all that is made of it
        for part in np.array_split(order, max(1, -(-len(order) // _DECODED))):
            wkb = file.polygons(wanted[part])
            with tell_damage(StoreError, "store.damaged", file=file.path):
                shapes[part] = shapely.from_wkb(wkb)
        return shapes

    def children(self, level: str, rows: Rows, child: str) -> tuple[Rows, Rows]:
        """Pairs (position in ``rows``, row of ``child``).

        Where the units of ``child`` stand together their range of rows is stored with the parent
        and nothing of ``child`` is read.
        """
        rows = np.asarray(rows, dtype=np.int64)
        require_membership(self, level, child)
        if child in self._manifest["levels"][level]["ranges"]:
            table = self._file(level).read(rows_of(child), rows)
            first, count = (
                table.column(name).to_numpy().astype(np.int64) for name in rows_of(child)
            )
            owner = np.repeat(np.arange(len(rows), dtype=np.int64), count)
            within = np.arange(count.sum(), dtype=np.int64)
            within -= np.repeat(np.cumsum(count) - count, count)
            return owner, np.repeat(first, count) + within
        with self._lock:
            if (level, child) not in self._children:
                parents = self.attributes(level, ["unit_id"])["unit_id"]
                of_child = self.attributes(child, [level])[level]
                self._children[level, child] = child_index(parents, of_child)
        return expand(*self._children[level, child], rows)

    def read_small(self, name: str) -> bytes:
        """Return the bytes of a small file of the vintage, held against their sum.

        Raises
        ------
        StoreError
            It is missing, or not as it was written.
        """
        path = self.folder / name
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise self.refusal(path, error.strerror or str(error)) from error
        self.small_bytes += len(raw)
        entry = self._manifest.get("files", {}).get(name)
        if entry is not None and not is_whole(raw, entry):
            raise self.refusal(path, say("store.sum_differs"))
        return raw

    def refusal(self, path: Path, reason: str) -> StoreError:
        """Return the error for a file that is not as the manifest says."""
        with suppress(StoreError):
            if read_manifest(self.folder, CENSUS) == self._manifest:
                other = store_of(path)
                if other is not None and other != self._manifest.get("store"):
                    return StoreError("store.of_another", file=path)
                return StoreError("store.damaged", file=path, reason=reason)
        return StoreError("store.changed", file=path)

    def _file(self, level: str) -> _LevelFile:
        if self._process != os.getpid():
            # a forked child: its lock may be held by a thread that is not here, nor are engines
            self._lock, self._files, self._process = threading.RLock(), {}, os.getpid()
        with self._lock:
            if level not in self._files:
                if level not in self._manifest["levels"]:
                    raise MissingLevelError(
                        "census.missing_level", level=level, vintage=self.vintage, held=self.levels
                    )
                entry = self._manifest["levels"][level]
                path, sums = level_file(self.folder, level), None
                if sums_name(level) in self._manifest.get("files", {}):
                    sums = np.frombuffer(self.read_small(sums_name(level)), dtype="<u4")
                self._files[level] = _LevelFile(path, entry, sums, self.refusal)
            return self._files[level]


class _LevelFile:
    """The GeoParquet file of one level, its footer read once."""

    def __init__(
        self,
        path: Path,
        entry: Mapping[str, Any],
        sums: BlockSums | None,
        refusal: Callable[[Path, str], StoreError],
    ) -> None:
        self.path = path
        self.rows = int(entry["rows"])
        self._addressable = bool(entry["addressable"])
        self._refusal = refusal
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[tuple[str, ...], int], pa.Table] = OrderedDict()
        self._kept_bytes = 0
        _require_size(path, int(entry["bytes"]))
        with self._explain_damage():
            self._raw = CheckedFile(path, sums)
            # the counting file is read in place: a buffer would read ahead what nobody asked for
            self._parquet = pq.ParquetFile(
                self._raw, pre_buffer=False, page_checksum_verification=True
            )
        if self._parquet.metadata.num_rows != self.rows:
            raise StoreError("store.changed", file=path)

    @property
    def bytes_read(self) -> int:
        return self._raw.bytes_read

    @property
    def group_boxes(self) -> tuple[Rows, npt.NDArray[np.float64]]:
        starts = np.arange(len(self._groups_said[0]) + 1, dtype=np.int64) * GROUP_ROWS
        return np.minimum(starts, self.rows), self._groups_said[0]

    @property
    def without_polygons(self) -> npt.NDArray[np.bool_]:
        """Which groups hold units without polygon, or do not say."""
        return self._groups_said[1]

    @cached_property
    def _groups_said(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """What the footer says of each group: its box, and whether some unit has none."""
        metadata = self._parquet.metadata
        names = [metadata.schema.column(k).path for k in range(metadata.num_columns)]
        places = [names.index(f"bbox.{side}") for side in _SIDES]
        boxes = np.full((metadata.num_row_groups, 4), np.nan)
        lacking = np.ones(metadata.num_row_groups, dtype=bool)
        for group in range(metadata.num_row_groups):
            row_group = metadata.row_group(group)
            for k, place in enumerate(places):
                statistics = row_group.column(place).statistics
                if statistics is not None and statistics.has_min_max:
                    boxes[group, k] = statistics.min if k < 2 else statistics.max
                if statistics is not None and statistics.has_null_count:
                    lacking[group] = statistics.null_count > 0
        return boxes, lacking

    @cached_property
    def _ends(self) -> Rows:
        return chunk_ends(self._parquet.metadata)

    def read(self, columns: Sequence[str], rows: Rows | None) -> pa.Table:
        """Read columns of all rows, or of the row groups that hold ``rows``, in that order."""
        if rows is None:
            return self._groups(tuple(columns), None)
        rows = np.asarray(rows, dtype=np.int64)
        groups = np.unique(rows // GROUP_ROWS)
        table = self._groups(tuple(columns), groups)
        before = np.searchsorted(groups, rows // GROUP_ROWS) * GROUP_ROWS
        return table.take(before + rows % GROUP_ROWS)

    def _groups(self, columns: tuple[str, ...], groups: Rows | None) -> pa.Table:
        """Read whole row groups; what was read last is kept, up to a limit, but polygons."""
        with self._lock, self._explain_damage():
            if groups is None:
                return self._kept_or_read(columns, [_WHOLE])[_WHOLE]
            # each group is kept for itself: who looks a little further reads only what is new
            parts = self._kept_or_read(columns, groups.tolist())
            if not parts:
                return self._parquet.read_row_groups([], list(columns))
            return pa.concat_tables([parts[group] for group in groups.tolist()])

    def _kept_or_read(self, columns: tuple[str, ...], groups: list[int]) -> dict[int, pa.Table]:
        """Return the columns of each group; :data:`_WHOLE` is all groups in one."""
        parts = {}
        for group in groups:
            if (columns, group) in self._kept:
                self._kept.move_to_end((columns, group))
                parts[group] = self._kept[columns, group]
        new = [group for group in groups if group not in parts]
        if not new:
            return parts
        if new == [_WHOLE]:
            table = self._parquet.read(list(columns))
            read = {_WHOLE: table}
        else:
            table = self._parquet.read_row_groups(new, list(columns))
            read = {
                group: table.slice(place * GROUP_ROWS, GROUP_ROWS)
                for place, group in enumerate(new)
            }
        lacking = [name for name in columns if name not in table.column_names]
        if lacking:  # Arrow passes over a column that is not there
            raise ValueError(say("store.columns_lacking", columns=lacking))
        if table.nbytes <= _KEPT_BYTES and columns != _POLYGONS:
            self._kept |= {(columns, group): part for group, part in read.items()}
            self._kept_bytes += table.nbytes
            while self._kept_bytes > _KEPT_BYTES:
                self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return parts | read

    def polygons(self, rows: Rows) -> Any:
        """Read the WKB of rows; little else is read where they are few of their groups."""
        groups = np.unique(rows // GROUP_ROWS)
        if not self._addressable or 4 * len(rows) > 3 * len(groups) * GROUP_ROWS:
            return self.read(_POLYGONS, rows).column("geometry").to_numpy()
        sizes = self._groups((SIZES,), groups).column(SIZES).to_numpy()
        with self._lock, self._explain_damage():
            values = read_values(rows, groups, sizes, self._ends, self._raw.read_at)
        wkb = np.empty(len(values), dtype=object)
        wkb[:] = values
        return wkb

    @contextmanager
    def _explain_damage(self) -> Iterator[None]:
        try:
            with tell_damage(StoreError, "store.damaged", file=self.path):
                yield
        except StoreError as error:
            if error.key != "store.damaged":
                raise
            raise self._refusal(self.path, str(error.values["reason"])) from error


def _require_size(path: Path, size: int) -> None:
    try:
        found = path.stat().st_size
    except FileNotFoundError as error:
        raise StoreError("store.half_written", folder=path.parent, missing=path.name) from error
    if found != size:
        raise StoreError("store.wrong_size", file=path, needed=size, found=found)


def _series(name: str, column: pa.ChunkedArray) -> pd.Series:
    if name in (*COUNTS, *LAND_AND_POINT, GRID):
        return pd.Series(column.to_numpy().astype(np.float64, copy=False))
    if name == "incomplete_reserve":
        return pd.Series(column.to_numpy().astype(bool))
    return pd.Series(TEXT.__from_arrow__(column.cast(pa.large_string())))


class _Published(Mapping[str, Mapping[str, Mapping[str, float]]]):
    """Totals known independently of the units held; read when first looked at."""

    def __init__(self, data: StoreData) -> None:
        self._data = data

    @cached_property
    def _levels(self) -> dict[str, dict[str, dict[str, float]]]:
        raw = self._data.read_small(PUBLISHED)
        with tell_damage(StoreError, "store.damaged", file=self._data.folder / PUBLISHED):
            parquet = pq.ParquetFile(pa.BufferReader(raw), page_checksum_verification=True)
            frame = parquet.read().to_pandas()
        return published_mapping(frame)

    def __getitem__(self, level: str) -> Mapping[str, Mapping[str, float]]:
        return self._levels[level]

    def __iter__(self) -> Iterator[str]:
        return iter(self._levels)

    def __len__(self) -> int:
        return len(self._levels)

    def __repr__(self) -> str:
        return json.dumps({level: len(units) for level, units in self._levels.items()})


def published_mapping(frame: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Turn rows ``level, unit_id, population ...`` into level -> unit -> numbers that are known."""
    numbers = [column for column in frame.columns if column not in ("level", "unit_id", "source")]
    result: dict[str, dict[str, dict[str, float]]] = {}
    for level, units in frame.groupby("level", sort=False):
        values = units[numbers].to_numpy(dtype=np.float64)
        known = ~np.isnan(values)
        result[str(level)] = {
            unit: {name: float(v) for name, v, k in zip(numbers, row, has, strict=True) if k}
            for unit, row, has in zip(units["unit_id"].tolist(), values, known, strict=True)
        }
    return result
