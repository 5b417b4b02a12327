"""A profile file as blocks of bytes, read ahead and hashed while they are read.

CSV in memory, as bytes: texts that repeat are kept once and never decoded unasked.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from lipgeo.arrays import Bytes, Ints32
from lipgeo.errors import FileError
from lipgeo.readers.statcan.profile import opened

__all__ = ["Blocks", "ChangedError", "coded", "parsed"]

#: small enough to be in the cache when it is hashed and looked through
BLOCK = 1 << 22
#: room before a block for what the one before it left over: about four units
_MARGIN = 1 << 21
#: blocks read ahead: a batch of units takes longer to write than a few blocks to read
_AHEAD = 12
_NEWLINE = 10
#: bytes looked at together: they stay in the cache
_STRETCH = 1 << 18
#: times a word whose byte k is 1, this has k in the top byte
_WHICH_BYTE, _TOP_BYTE, _ONE = np.uint64(0x0001020304050607), np.uint64(56), np.uint64(1)
#: bytes read and hashed at a time
_STEP = 1 << 19


class ChangedError(Exception):
    """What was read of a file before is not what stands in it now."""


@dataclass
class _Block:
    buffer: Bytes
    newlines: Ints32
    size: int
    end: int
    digest: str
    last: bool


class Blocks:
    """The rows of a file, some megabytes at a time; the header is passed over.

    Iterating gives bytes that begin with a line, and where their newlines are; what is not used
    up (``leave``) comes again, with more after it. After the last bytes, ``digest`` is the SHA-256
    of the text.

    Parameters
    ----------
    path
        The file, zipped or not.
    begin
        Byte (of the text, unzipped) where to go on; 0 for the first row.
    check
        A place further on and the SHA-256 of all before it, as ``seen`` gave them.

    Raises
    ------
    ChangedError
        What stands before ``check`` has changed.
    FileError
        The file cannot be read.
    """

    def __init__(self, path: Path, begin: int = 0, check: tuple[int, str] | None = None) -> None:
        self._path = path
        self._begin = begin
        self._check = check
        self.digest = ""
        #: byte of the text at which what was given last begins
        self.at = 0
        #: how far the text was read, and the SHA-256 so far
        self.seen = (0, "")
        self.last = False
        self._rest: Bytes = np.empty(0, dtype=np.uint8)

    def leave(self, rest: Bytes) -> None:
        """Say what was not used up."""
        self._rest = rest

    def __iter__(self) -> Generator[tuple[Bytes, Ints32]]:
        full: queue.Queue[_Block | BaseException] = queue.Queue(_AHEAD)
        free: queue.Queue[Bytes | None] = queue.Queue()
        for _ in range(_AHEAD + 2):
            free.put(np.empty(_MARGIN + BLOCK, dtype=np.uint8))
        reader = threading.Thread(target=_read, args=(self._path, full, free), daemon=True)
        reader.start()
        try:
            yield from self._given(full, free)
        finally:
            free.put(None)
            while reader.is_alive():
                try:
                    full.get(timeout=0.05)
                except queue.Empty:
                    continue
                free.put(None)
            reader.join()

    def _given(
        self, full: queue.Queue[_Block | BaseException], free: queue.Queue[Bytes | None]
    ) -> Iterator[tuple[Bytes, Ints32]]:
        held: Bytes | None = None
        header_seen = False
        checked = self._check is None
        while True:
            block = full.get()
            if isinstance(block, BaseException):
                raise block
            start, end = _MARGIN, _MARGIN + block.size
            first = block.end - block.size
            if not checked and self._check is not None and block.end >= self._check[0]:
                if (block.end, block.digest) != self._check:
                    raise ChangedError
                checked = True
            if not header_seen:
                header_seen = True
                line = int(block.newlines[0]) + 1 if len(block.newlines) else end
                self._begin = max(self._begin, line - _MARGIN)
            skipped = min(max(self._begin - first, 0), block.size)
            start += skipped
            left = len(self._rest)
            self.at = first + skipped - left
            if left <= start:
                block.buffer[start - left : start] = self._rest
                text = block.buffer[start - left : end]
            else:
                text = np.concatenate([self._rest, block.buffer[start:end]])
            newlines = block.newlines[np.searchsorted(block.newlines, start) :]
            newlines = np.append(newlines_of(self._rest), newlines - np.int32(start - left))
            if block.last and len(text) and text[-1] != _NEWLINE:
                text = np.append(text, np.uint8(_NEWLINE))
                newlines = np.append(newlines, np.int32(len(text) - 1))
            if held is not None:
                free.put(held)
            held = block.buffer
            self.seen, self.last = (block.end, block.digest), block.last
            self._rest = text[:0]
            if len(text):
                yield text, newlines
            if block.last:
                self.digest = block.digest
                return


def _read(path: Path, full: queue.Queue[Any], free: queue.Queue[Bytes | None]) -> None:
    """Read a file into the buffers that are free, hashing it on the way."""
    digest = hashlib.sha256()
    end = 0
    try:
        with opened(path) as stream:
            while True:
                buffer = free.get()
                if buffer is None:
                    return
                room = memoryview(buffer.data)[_MARGIN:]
                size = _fill(stream, room, digest)
                end += size
                last = size < BLOCK
                newlines = newlines_of(buffer[_MARGIN : _MARGIN + size]) + np.int32(_MARGIN)
                so_far = digest.copy().hexdigest()
                full.put(_Block(buffer, newlines, size, end, so_far, last))
                if last:
                    return
    except FileError as error:
        full.put(error)
    except Exception as error:
        full.put(FileError("readers.unreadable", path=path, reason=str(error)))


def _fill(stream: BinaryIO, room: memoryview, digest: Any) -> int:
    """Fill a buffer from a stream, however little it gives at a time; return the bytes read."""
    size = 0
    while size < len(room):
        got = stream.readinto(room[size : size + _STEP])  # type: ignore[attr-defined]
        if not got:
            break
        digest.update(room[size : size + got])
        size += got
    return size


def newlines_of(text: Bytes) -> Ints32:
    """Return where the newlines of a text are; a third faster than asking of every byte."""
    found = []
    for at in range(0, len(text), _STRETCH):
        here = text[at : at + _STRETCH] == _NEWLINE
        if len(here) % 8 == 0:
            # eight bytes at a time: few hold a newline, and hardly one holds two
            words = here.view("<u8")
            places = np.flatnonzero(words != 0)
            words = words[places]
            if not (words & (words - _ONE)).any():
                inside = (words * _WHICH_BYTE) >> _TOP_BYTE
                found.append(places * 8 + (inside.astype(np.int64) + at))
                continue
        found.append(np.flatnonzero(here) + at)
    return np.concatenate(found).astype(np.int32) if found else np.empty(0, np.int32)


_TEXT = pa.dictionary(pa.int32(), pa.binary())


def parsed(
    buffer: pa.Buffer,
    columns: Iterable[int],
    wanted: Iterable[int],
    delimiter: str,
) -> pa.Table:
    """Parse rows of so many columns; keep those wanted, as bytes, null where empty."""
    names = [str(place) for place in columns]
    kept = [str(place) for place in wanted]
    return pyarrow.csv.read_csv(
        buffer,
        read_options=pyarrow.csv.ReadOptions(
            column_names=names, block_size=max(len(buffer), 1), use_threads=False
        ),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(kept, _TEXT),
            include_columns=kept,
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    )


def coded(table: pa.Table, place: int) -> tuple[npt.NDArray[np.int32], list[bytes]]:
    """Return which text stands in each row of a column, -1 where none, and the texts."""
    column = table.column(str(place)).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, column.dictionary.to_pylist()
