"""Read a file of a store block by block, each held against its sum: no damaged byte is used.

Parquet's own checksums cover the pages alone, not the footer that says where they lie, nor their
heads; and polygons are read from the middle of a page. So each level has a file of sums beside it,
one CRC-32 a block, and the manifest has the SHA-256 of that file. A block is as much as a disk
gives at once anyway: little more is read for it, and the sums are a thousandth of the file.
"""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lipgeo.words import say

__all__ = ["BLOCK_BYTES", "BlockSums", "CheckedFile", "block_sums", "is_whole"]

BLOCK_BYTES = 4096
#: CRC-32 of each block of a file; (blocks,)
BlockSums = npt.NDArray[np.uint32]
#: bytes of a file that are summed at a time
_AT_ONCE = 1024 * BLOCK_BYTES


def block_sums(path: Path) -> BlockSums:
    """Return the CRC-32 of each block of a file, little-endian."""
    found: list[int] = []
    with path.open("rb") as file:
        while data := file.read(_AT_ONCE):
            found += _sums_of(data)
    return np.array(found, dtype="<u4")


def _sums_of(data: bytes) -> list[int]:
    view = memoryview(data)
    return [zlib.crc32(view[at : at + BLOCK_BYTES]) for at in range(0, len(data), BLOCK_BYTES)]


def is_whole(raw: bytes, entry: Mapping[str, Any]) -> bool:
    """Return whether the bytes of a small file are those that its entry in a manifest says."""
    return bool(hashlib.sha256(raw).hexdigest() == entry["sha256"])


class CheckedFile(io.RawIOBase):
    """A file whose blocks are checked as they are read, and whose bytes read are counted.

    Parameters
    ----------
    path
        The file.
    sums
        What :func:`block_sums` gave, or ``None`` for files from before there were any.

    Attributes
    ----------
    bytes_read
        Bytes read from disk so far.

    Notes
    -----
    The place stands here and not in the file of the operating system: threads and forked children
    that share the file do not move each other.
    """

    def __init__(self, path: Path, sums: BlockSums | None) -> None:
        self._file = path.open("rb", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size
        self._sums = sums
        self._place = 0
        #: the block read last: the next column often begins in it
        self._last: tuple[int, bytes] = (-1, b"")
        self.bytes_read = 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether places can be sought: always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, and return it."""
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = begin + offset
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return bytes from the place on, checked; to the end unless told how many."""
        data = self.read_at(self._place, self._size - self._place if size < 0 else size)
        self._place += len(data)
        return data

    def read_at(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from a place, fewer at the end of the file.

        Raises
        ------
        ValueError
            A block they lie in is not as it was written.
        """
        end = min(offset + size, self._size)
        if end <= offset:
            return b""
        if self._sums is None:
            return self._read(offset, end)
        first, last = offset // BLOCK_BYTES, -(-end // BLOCK_BYTES)
        begin = first * BLOCK_BYTES
        held, block = self._last
        known = block if held == first else b""
        data = known + self._read(begin + len(known), min(last * BLOCK_BYTES, self._size))
        wanted = self._sums[first:last].tolist()
        found = _sums_of(data)
        if found != wanted:
            place = next(
                at for at in range(last - first) if found[at : at + 1] != wanted[at : at + 1]
            )
            raise ValueError(say("store.bad_block", at=begin + place * BLOCK_BYTES))
        self._last = (last - 1, data[(last - 1) * BLOCK_BYTES - begin :])
        return data[offset - begin : end - begin]

    def _read(self, begin: int, end: int) -> bytes:
        data = _read_at(self._file, begin, end - begin)
        self.bytes_read += len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _read_at(file: io.FileIO, offset: int, size: int) -> bytes:
    """Return bytes of a file; one read of the operating system may bring fewer than asked."""
    parts = []
    while size > 0:
        if hasattr(os, "pread"):
            part = os.pread(file.fileno(), size, offset)
        else:  # Windows: processes are not forked, and threads wait for each other to read
            file.seek(offset)
            part = file.read(size) or b""
        if not part:
            break
        parts.append(part)
        offset, size = offset + len(part), size - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
