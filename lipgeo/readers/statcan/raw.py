"""Open a file of attributes as it comes: its columns by name, each read as text when asked for.

Members of a zip are opened where they are, or copied out for readers that need a file.
"""

from __future__ import annotations

import re
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

import numpy as np
import openpyxl
import pandas as pd

from lipgeo.errors import FileError, tell_damage
from lipgeo.readers.layers import read_attribute_table
from lipgeo.readers.sniff import TextForm, TextSource, sniff
from lipgeo.readers.statcan.columns import Layout, layouts
from lipgeo.readers.text import lines_of_rows, read_fixed_table, read_text_table
from lipgeo.readers.workbooks import refuse_other_workbook
from lipgeo.report import CheckReport, finding
from lipgeo.workplace import scratch_folder

__all__ = ["Raw", "extract_member", "open_member", "raw_of_frame", "read_raw"]


class _Member:
    """A member of a zip that takes its archive with it when closed, and tells damage plainly."""

    def __init__(self, path: Path, member: str) -> None:
        self._path = path
        with tell_damage(FileError, "readers.bad_zip", path=path):
            self._archive = zipfile.ZipFile(path)
            self._stream: IO[bytes] = self._archive.open(member)
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        with tell_damage(FileError, "readers.bad_zip", path=self._path):
            return self._stream.read(size)

    def close(self) -> None:
        self._stream.close()
        self._archive.close()
        self.closed = True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def __enter__(self) -> _Member:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_member(path: Path, member: str) -> BinaryIO:
    """Open a member of a zip for reading; damage met on the way is a FileError."""
    return _Member(path, member)  # type: ignore[return-value]  # the part of IO that is used


@contextmanager
def extract_member(path: Path, member: str) -> Iterator[Path]:
    """Give a copy of a member, with its ``.cpg``, for the length of a block."""
    with scratch_folder() as folder:
        # a .dbf takes its .cpg along, whatever the case of its ending
        stem = str(PurePosixPath(member).with_suffix("")).lower()
        with zipfile.ZipFile(path) as archive:
            kept = [
                name
                for name in archive.namelist()
                if name == member or name.lower() == f"{stem}.cpg"
            ]
        for name in kept:
            with _Member(path, name) as source, (Path(folder) / _last(name)).open("wb") as target:
                shutil.copyfileobj(source, target)
        yield Path(folder) / _last(member)


def _last(name: str) -> str:
    return PurePosixPath(name).name


_TEXT = (".csv", ".txt", ".tab", ".tsv", ".dat")
_BOOKS = (".xlsx", ".xlsm")
_TABLES = (".dbf", ".gpkg", ".shp", ".geojson", ".parquet")
#: what a zip holds beside the table
_GUIDES = re.compile(r"readme|lisez|licen[cs]e|guide|metadata|geo_starting", re.IGNORECASE)


def _rows_from_one(rows: Iterable[int]) -> list[int]:
    """Return numbers of rows that stand on no lines: the first is 1."""
    return [row + 1 for row in rows]


@dataclass(frozen=True)
class Raw:
    """What a file holds.

    Attributes
    ----------
    name
        How messages call it.
    columns
        Column names in order.
    read
        Positions of columns to a frame of text (or of numbers, where the format has them).
    decimal
        Decimal mark of its numbers.
    vintage
        The census year that its layout says, ``None`` where it says none.
    notes
        What was assumed.
    lines
        Positions of rows, the first 0, to where they stand, as an editor or Excel counts.
    """

    name: str
    columns: tuple[str, ...]
    read: Callable[[Sequence[int]], pd.DataFrame]
    decimal: str
    vintage: int | None
    notes: CheckReport
    lines: Callable[[Iterable[int]], list[int]] = _rows_from_one


def read_raw(path: Path, vintage: int | None) -> Raw:
    """Open a file of attributes, zipped or not.

    Raises
    ------
    FileError
        It is missing, damaged, or in no form known.
    """
    if not path.exists():
        raise FileError("readers.attributes.missing", path=path)
    if path.is_dir():
        raise FileError("readers.attributes.folder", path=path)
    with tell_damage(FileError, "readers.bad_table", path=path), path.open("rb") as stream:
        refuse_other_workbook(stream.read(200), path)
    if path.suffix.lower() == ".zip":
        return _from_zip(path, vintage)
    return _by_ending(path, path.name, path.suffix.lower(), vintage)


def _by_ending(path: Path, name: str, ending: str, vintage: int | None) -> Raw:
    if ending in _BOOKS:
        return _from_workbook(path, name)
    if ending in _TABLES:
        return _from_table(path, name)
    return _from_text(path, name, vintage)


def _from_zip(path: Path, vintage: int | None) -> Raw:
    with tell_damage(FileError, "readers.bad_zip", path=path), zipfile.ZipFile(path) as archive:
        # a name of nothing is no file; ZipInfo.is_dir stumbles over it
        members = [held for held in archive.infolist() if held.filename and not held.is_dir()]
    known = (*_TEXT, *_BOOKS, ".dbf", ".gpkg")
    tables = [
        member
        for member in members
        if PurePosixPath(member.filename).suffix.lower() in known
        and not _GUIDES.search(PurePosixPath(member.filename).name)
    ]
    if not tables:
        raise FileError(
            "readers.empty_zip", path=path, members=[member.filename for member in members]
        )
    chosen = max(tables, key=lambda member: member.file_size)
    name = f"{path.name}/{chosen.filename}"
    ending = PurePosixPath(chosen.filename).suffix.lower()
    if ending in _TEXT:
        raw = _from_text(partial(open_member, path, chosen.filename), name, vintage)
    else:
        with extract_member(path, chosen.filename) as member:
            raw = _by_ending(member, name, ending, vintage)

        def read(positions: Sequence[int]) -> pd.DataFrame:
            with extract_member(path, chosen.filename) as member:
                return _by_ending(member, name, ending, vintage).read(positions)

        def lines(positions: Iterable[int]) -> list[int]:
            with extract_member(path, chosen.filename) as member:
                return _by_ending(member, name, ending, vintage).lines(positions)

        raw = replace(raw, read=read, lines=lines)  # the copy read above is gone by then
    others = [member.filename for member in tables if member is not chosen]
    if others:
        note = finding(
            "readers.chosen_member", "warning", path.name,
            path=path.name, member=chosen.filename, others=others,
        )  # fmt: skip
        raw = replace(raw, notes=CheckReport([note]) + raw.notes)
    return raw


def _pick(frame: pd.DataFrame, positions: Sequence[int]) -> pd.DataFrame:
    return frame.iloc[:, list(positions)]


# -- text --------------------------------------------------------------------------------------


def _from_text(source: TextSource, name: str, vintage: int | None) -> Raw:
    form = sniff(source, name=name)
    fixed = _fixed_layout(form, name)
    if fixed is not None:
        return _from_fixed(source, name, form, fixed)
    if form.delimiter is None:
        raise FileError(
            "readers.no_layout",
            name=name,
            length=form.line_length or max(len(line) for line in form.head),
            known=", ".join(str(known.line) for known in layouts().values() if known.line),
        )
    columns, found, notes = form.columns, None, form.notes
    if not form.header:
        layout = _headless_layout(form)
        if layout is None:
            raise FileError("readers.attributes.no_header", name=name, width=form.width)
        year = vintage or layout.vintages[-1]
        columns, found = layout.names(year), vintage
        note = finding(
            "readers.headless", "warning", name,
            name=name, layout=layout.product, width=form.width,
        )  # fmt: skip
        notes = notes + CheckReport([note])

    def read(positions: Sequence[int]) -> pd.DataFrame:
        wanted = list(positions)
        frame = read_text_table(source, form, columns=wanted, name=name)
        frame.columns = pd.Index([columns[at] for at in wanted])
        return frame

    lines = partial(lines_of_rows, source, form)
    return Raw(name, tuple(columns), read, form.decimal, found, notes, lines)


def _headless_layout(form: TextForm) -> Layout | None:
    """Find the layout by width: copies saved from the workbook of 2011 come without its header."""
    first = form.head[form.skip].split(form.delimiter or ",")[0].strip().strip('"')
    for layout in layouts().values():
        if len(layout.columns) == form.width and first.isdigit() and len(first) in (10, 11):
            return layout
    return None


@dataclass(frozen=True)
class _Fixed:
    """A fixed layout that fits: its line length in this file and the lines above the table."""

    layout: Layout
    length: int
    skip: int


def _fixed_layout(form: TextForm, name: str) -> _Fixed | None:
    """Return the fixed layout that fits the first lines, or ``None`` for a delimited file."""
    lines = [line.rstrip("\r\n") for line in form.head if line.strip()]
    skip = int(not lines[0][:10].isdigit())
    body = lines[skip:]
    longest = max((len(line) for line in body), default=0)
    fits = []
    for layout in layouts().values():
        if layout.form != "fixed":
            continue
        end = sum(layout.widths)
        slices = layout.slices(layout.vintages[-1])
        block, area = (
            next(where for key, where in slices.items() if key.upper().startswith(stem))
            for stem in ("DBUID", "DAUID")
        )
        plausible = [
            line[slice(block[0], sum(block))].isdigit()
            and line[slice(area[0], sum(area))] == line[: area[1]]
            for line in body
        ]
        if body and all(plausible):
            fits.append((layout, end))
    if not fits:
        return None
    exact = [layout for layout, end in fits if layout.line is not None and end == longest]
    loose = [layout for layout, end in fits if layout.line is None and longest >= end]
    if not exact and not loose:
        raise FileError(
            "readers.line_length",
            name=name,
            length=longest,
            known=[f"{layout.name}: {end}" for layout, end in fits],
        )
    return _Fixed((exact or loose)[0], longest, skip)


def _from_fixed(source: TextSource, name: str, form: TextForm, fixed: _Fixed) -> Raw:
    layout, length = fixed.layout, fixed.length
    year = layout.vintages[0] if len(layout.vintages) == 1 else None
    slices = layout.slices(year or layout.vintages[-1])
    columns = tuple(slices)
    if year is None:  # one layout, two censuses: its year is said elsewhere
        columns = tuple(re.sub(r"(?:19|20)\d\d$", "", column) for column in columns)
    where = dict(zip(columns, slices.values(), strict=True))
    notes = [
        finding(
            "readers.fixed_layout",
            "note",
            name,
            check="layout",
            name=name,
            layout=layout.name,
            length=length,
        )
    ]
    if layout.line is None:
        known = sum(layout.widths)
        notes.append(
            finding("readers.known_part", "warning", name, name=name, known=known, length=length)
        )
    body = TextForm(form.encoding, None, ".", False, form.notes, skip=fixed.skip)

    def read(positions: Sequence[int]) -> pd.DataFrame:
        fields = {columns[at]: where[columns[at]] for at in positions}
        return read_fixed_table(source, body, fields, length, name=name)

    said = [note for note in form.notes if note.check in ("encoding", "odd_bytes")]
    lines = partial(lines_of_rows, source, body)
    return Raw(name, columns, read, ".", year, CheckReport([*said, *notes]), lines)


# -- workbooks and tables ----------------------------------------------------------------------


def _from_workbook(path: Path, name: str) -> Raw:
    with _rows(path) as (sheet, rows):
        header = next(rows, None)
        if header is None or next(rows, None) is None:
            raise FileError("readers.empty_workbook", name=name, sheet=sheet)
    columns = tuple("" if cell is None else str(cell).strip() for cell in header)

    def read(positions: Sequence[int]) -> pd.DataFrame:
        wanted = list(positions)
        cells: list[list[str | None]] = [[] for _ in wanted]
        with _rows(path) as (_, rows):
            next(rows)
            for row in rows:  # a workbook of half a million rows is never held whole
                for column, at in zip(cells, wanted, strict=True):
                    column.append(_cell(row[at]) if at < len(row) else None)
        frame = pd.DataFrame(
            {at: pd.Series(column, dtype="string") for at, column in enumerate(cells)}
        )
        frame.columns = pd.Index([columns[at] for at in wanted])
        return frame

    def lines(positions: Iterable[int]) -> list[int]:
        with _rows(path, numbered=True) as (_, rows):
            numbers = [int(row[0]) for row in rows][1:]  # type: ignore[call-overload]
        return [numbers[at] for at in positions]

    notes = CheckReport([finding("readers.sheet", "note", name, name=name, sheet=sheet)])
    return Raw(name, columns, read, ".", None, notes, lines)


@contextmanager
def _rows(
    path: Path, *, numbered: bool = False
) -> Iterator[tuple[str, Iterator[tuple[object, ...]]]]:
    """Name of the first sheet with more than a line, and its rows that hold anything.

    With ``numbered`` a row's number in the sheet stands before its cells.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles it does not know are no matter here
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # zip, xml and key errors: whatever it is, it is no workbook
        raise FileError("readers.bad_workbook", path=path, reason=str(error)) from error
    try:
        with tell_damage(FileError, "readers.bad_workbook", path=path):
            for page in book.worksheets:
                page.reset_dimensions()  # what a sheet claims to hold costs nothing
            page = next(
                (page for page in book.worksheets if len(list(islice(_filled(page), 2))) > 1),
                book.worksheets[0],
            )
        held = _filled(page)
        # the rest of the sheet is parsed as it is read
        with tell_damage(FileError, "readers.bad_workbook", path=path):
            yield page.title, ((at, *row) if numbered else row for at, row in held)
    finally:
        book.close()


def _filled(page: Any) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Give the rows of a sheet that hold anything, each with its number."""
    rows = enumerate(page.iter_rows(values_only=True), 1)
    return ((at, row) for at, row in rows if any(cell is not None for cell in row))


def _cell(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() or None


def raw_of_frame(frame: pd.DataFrame, name: str) -> Raw:
    """Take a frame in memory (the attribute table of a layer) as a file."""
    tidy = pd.DataFrame({at: _as_text(frame.iloc[:, at]) for at in range(frame.shape[1])})
    tidy.columns = pd.Index([str(column) for column in frame.columns])
    tidy = tidy.reset_index(drop=True)
    return Raw(name, tuple(tidy.columns), partial(_pick, tidy), ".", None, CheckReport())


def _from_table(path: Path, name: str) -> Raw:
    if path.suffix.lower() == ".parquet":
        with tell_damage(FileError, "readers.bad_table", path=path):
            return raw_of_frame(pd.read_parquet(path), name)
    frame, notes = read_attribute_table(path, name)
    return replace(raw_of_frame(frame, name), notes=CheckReport(notes))


def _as_text(column: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(column):
        whole = column.dropna()
        if len(whole) and (np.mod(whole, 1) == 0).all():  # ids that were read as numbers
            return column.astype("Int64").astype("string")
        return column  # numbers stay numbers: no digit is lost by printing them
    text = column.astype("string").str.strip()
    return text.mask(text == "")
