"""Single polygons out of a Parquet column, so that an outline reads only the units it crosses.

Parquet is read by column chunk: a thousand polygons to get at one. The geometry column of a store
is therefore written plain, uncompressed and one page a row group; there the values stand one after
the other, each behind its length in four bytes, and the last ends where the chunk ends. With the
lengths (a small column of their own) every polygon has an address. Any Parquet reader still reads
the column as usual.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from lipgeo.census.data import GROUP_ROWS, Rows

__all__ = ["SIZES", "ReadAt", "chunk_ends", "is_addressable", "read_values"]

#: column of the lengths, bytes of WKB; 0 where a unit has no polygon
SIZES = "geometry_bytes"
_PREFIX = 4
#: bytes between two polygons that are cheaper read than skipped
_GAP = 16_384


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
                    raise ValueError(f"polygon at byte {base + start}")
                values[int(wanted[k])] = data[start + _PREFIX : start + _PREFIX + size]
    return [values.get(int(k)) for k in place]
