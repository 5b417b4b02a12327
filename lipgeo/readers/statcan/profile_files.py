"""Census Profile files as they lie on disk: their layout and census, and their text in blocks.

A file's layout is one of ``layouts.toml``; its census is what its name, its rows and its DGUIDs
say, never assumed. Its text, unzipped, is read ahead and hashed, some megabytes of whole lines at
a time.
"""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
import zlib
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from lipgeo import geography
from lipgeo.arrays import Ints32
from lipgeo.errors import FileError, InputError, LipgeoError, TableError
from lipgeo.files import sha256_of
from lipgeo.geography.dguids import schemas
from lipgeo.readers.statcan.columns import facts
from lipgeo.words import say

__all__ = [
    "BLOCK",
    "PRODUCT",
    "Block",
    "ChangedError",
    "ProfileLayout",
    "ValueColumns",
    "check_census",
    "file_digest",
    "find_layout",
    "find_layouts",
    "is_profile",
    "line_ends",
    "read_blocks",
    "text_bytes",
]

#: a product's number in the name of a file; the census year stands in it
PRODUCT = re.compile(r"98-?40\d-?X(\d{4})\d{3}", re.IGNORECASE)
#: bytes of text read at a time: few enough to stay in the cache while they are parsed
BLOCK = 1 << 23
#: the header is within so many bytes
_HEAD = 1 << 16
_NEWLINE = 10
#: bytes looked at together: they stay in the cache
_STRETCH = 1 << 18
#: blocks read ahead
_AHEAD = 3


# ------------------------------------------------------------------------------------- layouts


@dataclass(frozen=True)
class ValueColumns:
    """Where the cells of one column of values stand: count, rate, and their symbols."""

    count: int
    symbol: int | None = None
    rate: int | None = None
    rate_symbol: int | None = None


@dataclass(frozen=True)
class ProfileLayout:
    """Where a profile file keeps what, by position, and of which census it is.

    Attributes
    ----------
    vintage
        Census year.
    width
        Columns of a row.
    columns
        Where ``year, id, name, member, words`` stand.
    values
        ``total``, and ``men`` and ``women`` where the file has them.
    dguids
        Whether ids are DGUIDs; else bare ids, of one of ``levels``.
    country
        Ids, or type and schema of DGUIDs, that stand for the country.
    """

    vintage: int
    width: int
    delimiter: str
    french: bool
    columns: Mapping[str, int]
    values: Mapping[str, ValueColumns]
    dguids: bool
    levels: tuple[str, ...]
    country: tuple[str, ...]


def find_layout(path: Path) -> ProfileLayout | None:
    """Return the layout of a file, ``None`` where it is no Census Profile.

    Raises
    ------
    TableError
        Its name or its first row says a census for which this layout is not known.
    FileError
        It cannot be read.
    """
    header, first, delimiter = _head(path)
    edition = _edition(header)
    if edition is None:
        return None
    columns = {name: _place(at, header) for name, at in edition["columns"].items()}
    counts = {name: _place(at, header) for name, at in edition["values"].items()}
    beside = edition.get("beside", {})
    values = {
        name: ValueColumns(at, **{cell: at + step for cell, step in beside.items()})
        for name, at in counts.items()
        if at is not None
    }
    found = {name: at for name, at in columns.items() if at is not None}
    level = re.search(edition.get("level", "$^"), header[found["member"]], re.IGNORECASE)
    return ProfileLayout(
        vintage=_vintage(path, edition, first, found),
        width=len(header),
        delimiter=delimiter,
        french=bool(re.search(edition.get("french", "$^"), header[found["id"]], re.IGNORECASE)),
        columns=found,
        values=values,
        dguids=edition["ids"] == "dguid",
        levels=(*edition.get("levels", ()), *([_level(level[1])] if level else ())),
        country=tuple(edition["country"]),
    )


def find_layouts(paths: Sequence[Path]) -> list[ProfileLayout]:
    """Return the layouts of the files of one Census Profile.

    Raises
    ------
    TableError
        A file is none, or they are of several censuses.
    """
    layouts = [find_layout(path) for path in paths]
    strangers = [one.name for one, layout in zip(paths, layouts, strict=True) if layout is None]
    if strangers or not paths:
        raise TableError("readers.no_profile", names=strangers, known=_list_vintages())
    known = [layout for layout in layouts if layout is not None]
    years = sorted({layout.vintage for layout in known})
    if len(years) > 1:
        names = ", ".join(path.name for path in paths)
        raise TableError("readers.mixed_vintages", name=names, vintages=list(map(str, years)))
    return known


def is_profile(path: Path) -> bool:
    """Say whether a file has the layout of a Census Profile, of whatever census."""
    try:
        return _edition(_head(path)[0]) is not None
    except FileError:
        return False


def has_profile_header(header: list[str]) -> bool:
    """Say whether column names are those of a Census Profile, of whatever census."""
    names = [name.strip() for name in header]
    return _edition(names) is not None


def _head(path: Path) -> tuple[list[str], list[str], str]:
    """Return the cells of the header and of the first row, and the delimiter."""
    with _open_text(path) as stream:
        text = stream.read(_HEAD).decode("cp1252", errors="replace").removeprefix("ï»¿")
    lines = text.splitlines() if text.strip() else []
    line = lines[0] if lines else ""
    delimiter = "\t" if line.count("\t") > line.count(",") else ","
    header, first = (
        next(csv.reader(some, delimiter=delimiter), []) for some in (lines[:1], lines[1:2])
    )
    return [name.strip() for name in header], first, delimiter


def _edition(header: list[str]) -> dict[str, Any] | None:
    """Return the layout of ``layouts.toml`` that a header has."""
    for row in facts()["profiles"].values():
        known = len(header) == row.get("width", len(header)) and all(
            int(at) < len(header) and re.search(pattern, header[int(at)], re.IGNORECASE)
            for at, pattern in row["known_by"].items()
        )
        needed = (*row["columns"].values(), row["values"]["total"])
        if known and all(_place(at, header) is not None for at in needed):
            return dict(row)
    return None


def _place(at: int | str, header: list[str]) -> int | None:
    """Return a column's place, given as such or as a pattern of its name."""
    if isinstance(at, int):
        return at if at < len(header) else None
    return next(
        (place for place, name in enumerate(header) if re.search(at, name, re.IGNORECASE)), None
    )


def _level(words: str) -> str:
    """Return the level that the header of 2016 names (``Census Metropolitan Areas/...``)."""
    for text in (words, words.partition("/")[0], words.partition(" and ")[0]):
        one = " ".join(word.removesuffix("s") for word in text.split())
        for name in (text.strip(), one):
            try:
                return geography.level(name).code
            except InputError:
                continue
    return "DA"


# ---------------------------------------------------------------------------- census of a file


def _vintage(
    path: Path, edition: Mapping[str, Any], first: list[str], columns: Mapping[str, int]
) -> int:
    """Return the census that the file's name and its first row agree on.

    Raises
    ------
    TableError
        They say another than those the layout is known for, differ, or leave a choice.
    """
    cells = {name: first[at].strip() for name, at in columns.items() if at < len(first)}
    product = PRODUCT.search(path.name)
    years = {product[1] if product else "", cells.get("year", "")} - {""}
    ids = [cells["id"]] if edition["ids"] == "dguid" and "id" in cells else []
    possible = [
        vintage
        for vintage in edition["vintages"]
        if years <= {str(vintage)} and not _strange_ids(ids, vintage, edition["country"])
    ]
    if len(possible) != 1:
        raise _error_of_census(path, [*sorted(years), *ids], edition["vintages"])
    return int(possible[0])


def check_census(
    path: Path, layout: ProfileLayout, years: Sequence[str], ids: Sequence[str]
) -> None:
    """Check that rows are of the file's census, by what their year and their DGUID say.

    Raises
    ------
    TableError
        Some are of another.
    """
    strange = [year for year in years if year.strip() not in ("", str(layout.vintage))]
    if layout.dguids:
        strange += _strange_ids(ids, layout.vintage, layout.country)
    if strange:
        raise _error_of_census(path, strange, [layout.vintage])


def _strange_ids(ids: Sequence[str], vintage: int, country: Sequence[str]) -> list[str]:
    """Return the DGUIDs whose year is none of their level in a census."""
    heads = {id: (id.strip()[:4], id.strip()[4:9]) for id in ids}
    fit = {
        (year, schema): _is_year_of(year, schema, vintage, schema in country)
        for year, schema in set(heads.values())
    }
    return [id for id, head in heads.items() if not fit[head]]


def _is_year_of(year: str, schema: str, vintage: int, country: bool) -> bool:
    """Say whether a DGUID may begin so in a census; what is no DGUID is refused later."""
    if country:
        return year == str(vintage)
    having = {one.code for one in geography.all_levels(vintage)}
    levels = [code for code, _ in schemas().get(schema, ()) if code in having]
    if not levels or not year.isdecimal():
        return True
    # health regions have a calendar of their own
    years = [geography.geography_years(code, vintage) for code in levels]
    return any(not some or int(year) in some for some in years)


def _error_of_census(path: Path, given: Sequence[str], known: Sequence[int]) -> TableError:
    return TableError(
        "readers.profile_census",
        [{"file": path.name, "given": one} for one in given],
        name=path.name,
        given=list(given),
        known=", ".join(map(str, known)),
    )


def _list_vintages() -> str:
    years = {year for row in facts()["profiles"].values() for year in row["vintages"]}
    return ", ".join(str(year) for year in sorted(years))


# ------------------------------------------------------------------------------ text of a file


class ChangedError(Exception):
    """What was read of a file before is not what stands in it now."""


@dataclass(frozen=True)
class Block:
    """Whole lines of a file's text.

    Attributes
    ----------
    text
        Their bytes.
    begin, end
        Byte of the text (unzipped) at which they begin, and the one after them.
    line
        Number of the first line, as an editor counts.
    ends
        Byte of ``text`` after each line.
    digest
        SHA-256 of all text before ``end``.
    last
        Whether nothing comes after them.
    """

    text: pa.Buffer
    begin: int
    end: int
    line: int
    ends: Ints32
    digest: str
    last: bool


def read_blocks(
    path: Path, begin: int = 0, check: tuple[int, str] | None = None
) -> Generator[Block]:
    """Read the lines of a file below its header in blocks, a few ahead of the one in use.

    Blocks depend on the text and on :data:`BLOCK` alone: one that was read from its ``begin`` is
    cut where it was cut before.

    Parameters
    ----------
    path
        The file, zipped or not.
    begin
        The ``begin`` of a block to go on from; 0 for the first.
    check
        ``end`` and ``digest`` of that block or a later one, as they were.

    Raises
    ------
    ChangedError
        What stands before ``check`` has changed.
    FileError
        The file cannot be read, or breaks off.
    """
    blocks = _cut_blocks(path, begin, check)
    with ThreadPoolExecutor(1) as reader:
        ahead = deque(reader.submit(next, blocks, None) for _ in range(_AHEAD))
        try:
            while (block := ahead.popleft().result()) is not None:
                ahead.append(reader.submit(next, blocks, None))
                yield block
        finally:
            for one in ahead:
                one.cancel()
            reader.submit(blocks.close).result()


def _cut_blocks(path: Path, begin: int, check: tuple[int, str] | None) -> Generator[Block]:
    """Read and hash a file's text, cut at line ends."""
    digest = hashlib.sha256()
    with _open_text(path) as stream:
        # the header, or all that comes before the block wanted
        header = stream.readline(_HEAD)
        digest.update(header)
        end, lines = len(header), 1
        while end < begin and (text := stream.read(min(BLOCK, begin - end))):
            digest.update(text)
            end, lines = end + len(text), lines + text.count(b"\n")
        _check_text(check, 0, end, digest)
        rest, last = b"", False
        while not last:
            # the end of the line that the block before left over, and as much again
            buffer = bytearray(BLOCK)
            buffer[: len(rest)] = rest
            size = len(rest) + _fill(stream, memoryview(buffer)[len(rest) :])
            last = size < BLOCK
            cut = size if last else buffer.rfind(b"\n") + 1
            if cut == 0 and not last:
                reason = say("readers.long_line", line=lines + 1)
                raise FileError("readers.breaks_off", path=path, reason=reason)
            rest = bytes(buffer[cut:size])
            here = memoryview(buffer)[:cut]
            digest.update(here)
            before, end = end, end + cut
            _check_text(check, before, end, digest)
            if last and check is not None and end < check[0]:
                raise ChangedError
            ends = line_ends(here)
            so_far = digest.copy().hexdigest()
            yield Block(pa.py_buffer(here), before, end, lines + 1, ends, so_far, last)
            lines += len(ends)


def _check_text(check: tuple[int, str] | None, before: int, end: int, digest: Any) -> None:
    """Raise where text that was read again is not what it was."""
    if check is None or check[0] <= before:
        return
    if end > check[0] or (end == check[0] and digest.hexdigest() != check[1]):
        raise ChangedError


def line_ends(text: bytes | memoryview | pa.Buffer) -> Ints32:
    """Return the byte after each line of a text, the last of which may have no end."""
    array = np.frombuffer(text, dtype=np.uint8)
    starts = range(0, len(array), _STRETCH)
    parts = [np.flatnonzero(array[at : at + _STRETCH] == _NEWLINE) + (at + 1) for at in starts]
    if len(array) and array[-1] != _NEWLINE:
        parts.append(np.array([len(array)]))
    return (
        np.concatenate(parts, dtype=np.int32, casting="same_kind")
        if parts
        else np.empty(0, np.int32)
    )


def _fill(stream: BinaryIO, room: memoryview) -> int:
    """Fill a buffer from a stream, however little it gives at a time; return the bytes read."""
    size = 0
    while size < len(room) and (got := stream.readinto(room[size:])):  # type: ignore[attr-defined]
        size += got
    return size


@contextmanager
def _open_text(path: Path) -> Iterator[BinaryIO]:
    """Open a file, or the one data file of a zip."""
    if path.is_dir():
        raise FileError("readers.folder", path=path)
    try:
        if zipfile.is_zipfile(path) and path.suffix.casefold() != ".xlsx":
            with (
                zipfile.ZipFile(path) as archive,
                archive.open(_data_file(archive, path)) as stream,
            ):
                yield stream  # type: ignore[misc]
        else:
            with path.open("rb") as stream:
                yield stream
    except FileNotFoundError as error:
        raise FileError("readers.missing", path=path) from error
    except LipgeoError:
        raise
    except (
        OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError
    ) as error:  # fmt: skip
        raise FileError("readers.unreadable", path=path, reason=str(error)) from error


def text_bytes(path: Path) -> int:
    """Return the bytes of a file's text, unzipped."""
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(_data_file(archive, path)).file_size


def file_digest(path: Path, text_digest: str) -> str:
    """Return the SHA-256 of a file, which is that of its text unless it is zipped."""
    return sha256_of(path) if zipfile.is_zipfile(path) else text_digest


def _data_file(archive: zipfile.ZipFile, path: Path) -> str:
    """Return the name of the table in a zip: the largest text that is no guide."""
    aside = ("meta", "geo_starting", "readme", "lisez")
    names = [
        name
        for name in archive.namelist()
        if name.lower().endswith((".csv", ".tab", ".txt"))
        and not any(word in name.lower() for word in aside)
    ]
    if not names:
        raise FileError("readers.tables.nothing_in_zip", path=path)
    return max(names, key=lambda name: archive.getinfo(name).file_size)
