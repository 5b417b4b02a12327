"""Rows of a Census Profile as arrays, whole units at a time: the one parser of profiles.

Each block of a file's text goes to pyarrow.csv, which keeps a text that repeats once; texts become
numbers and symbols by :class:`~lipgeo.readers.statcan.cells.Vocabulary`. What few rows need (words,
names, rates) is parsed of these rows alone. ``read_profile`` and ``add_table`` both read by it.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lipgeo.arrays import Flags, Floats, Ints32
from lipgeo.errors import FileError, TableError
from lipgeo.readers.statcan.cells import Codes, Vocabulary, words_of
from lipgeo.readers.statcan.profile_files import (
    Block,
    ProfileLayout,
    check_census,
    line_ends,
    read_blocks,
)
from lipgeo.words import say

__all__ = ["Characteristics", "Place", "Reader", "Rows", "Unread", "Values"]

#: digits an id of a characteristic may have
_LONGEST_ID = 18
#: places in an array
Places = npt.NDArray[np.intp]
#: blocks parsed at a time
_PARSERS = 2
#: texts of a column, each once a block
_TEXT = pa.dictionary(pa.int32(), pa.binary())


class Characteristics:
    """The characteristics of a table, in the order they are met."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.names: list[str] = []
        self.depths: list[int] = []
        #: whether a characteristic is known as a plain count, whose rate is never taken for it
        self.counts: list[bool] = []
        self._places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def place(self, member: int) -> int | None:
        """Return the place of a characteristic, ``None`` if it is new."""
        return self._places.get(member)

    def add(self, member: int, name: str, depth: int) -> None:
        """Add a characteristic; whether it is a plain count is still to be said."""
        self._places[member] = len(self.ids)
        self.ids.append(member)
        self.names.append(name)
        self.depths.append(depth)


class Place(NamedTuple):
    """A place between two rows of a file: so many rows into the block that begins at a byte."""

    begin: int
    rows: int


_START = Place(0, 0)


class Unread(NamedTuple):
    """A cell that is neither number nor symbol; its line counts as an editor does."""

    line: int
    id: str
    characteristic: int
    column: str
    given: str


@dataclass(frozen=True)
class Values:
    """One column of values, a cell a row: NaN where there is no number, code 0 where no symbol."""

    numbers: Floats
    symbols: Codes

    def take(self, rows: slice | Flags) -> Values:
        """Return the cells of some rows."""
        return Values(self.numbers[rows], self.symbols[rows])


@dataclass(frozen=True)
class Rows:
    """Rows of units as they follow each other.

    Attributes
    ----------
    ids, names
        Id and name of each unit, as they stand in the file.
    counts
        Rows of each unit.
    ends
        The place after the last row of each unit.
    places
        Place of each row's characteristic.
    values
        Values by column (``total``, ``men``, ``women``).
    """

    ids: list[str]
    names: list[str]
    counts: Ints32
    ends: list[Place]
    places: Ints32
    values: Mapping[str, Values]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def alike(self) -> bool:
        """Whether all units have the same characteristics in the same order, each once."""
        each = self.counts[0] if len(self.counts) else 0
        if not each or (self.counts != each).any():
            return False
        unit = self.places[:each]
        same = (self.places.reshape(-1, each) == unit).all()
        return bool(same) and len(np.unique(unit)) == each

    def split(self, units: int) -> tuple[Rows, Rows]:
        """Return the first units, and the others."""
        cut = int(self.counts[:units].sum())
        return (
            self._part(slice(0, units), slice(0, cut)),
            self._part(slice(units, None), slice(cut, None)),
        )

    def _part(self, units: slice, rows: slice) -> Rows:
        return Rows(
            self.ids[units], self.names[units], self.counts[units], self.ends[units],
            self.places[rows], {name: one.take(rows) for name, one in self.values.items()},
        )  # fmt: skip

    @staticmethod
    def concat(parts: Sequence[Rows]) -> Rows:
        """Return the units of several, one after the other; a unit cut in two is one again."""
        ids: list[str] = []
        names: list[str] = []
        ends: list[Place] = []
        counts: list[int] = []
        for part in parts:
            for id, name, count, end in zip(
                part.ids, part.names, part.counts.tolist(), part.ends, strict=True
            ):
                if ids and ids[-1] == id:
                    counts[-1] += count
                    ends[-1] = end
                    continue
                ids.append(id)
                names.append(name)
                counts.append(count)
                ends.append(end)
        values = {
            name: Values(
                np.concatenate([part.values[name].numbers for part in parts]),
                np.concatenate([part.values[name].symbols for part in parts]),
            )
            for name in parts[0].values
        }
        return Rows(
            ids,
            names,
            np.array(counts, dtype=np.int32),
            ends,
            np.concatenate([part.places for part in parts]),
            values,
        )


class Reader:
    """Reads the rows of one file, whole units at a time.

    Parameters
    ----------
    path, layout
        The file, and where its columns are.
    characteristics
        Those of the table; new ones are added.
    vocabulary
        What texts of cells mean.
    columns
        Columns of values to read, of those the file has.
    only
        Whether rows of new characteristics are passed over.
    learn
        Called when characteristics were added.

    Attributes
    ----------
    block
        The block that was read last.
    unread
        Cells met so far that are neither numbers nor symbols; the caller may empty it.
    """

    def __init__(
        self,
        path: Path,
        layout: ProfileLayout,
        characteristics: Characteristics,
        vocabulary: Vocabulary,
        *,
        columns: Iterable[str] | None = None,
        only: bool = False,
        learn: Callable[[], None] = lambda: None,
    ) -> None:
        self.block: Block | None = None
        self.unread: list[Unread] = []
        self._path = path
        self._layout = layout
        self._characteristics = characteristics
        self._vocabulary = vocabulary
        wanted = layout.values if columns is None else columns
        self._columns = {name: layout.values[name] for name in wanted}
        self._only = only
        self._learn = learn
        #: ids of characteristics as they stood in rows, and their places
        self._met = pa.array([], pa.binary())
        self._met_places: Ints32 = np.empty(0, dtype=np.int32)

    def read(self, begin: Place = _START, check: tuple[int, str] | None = None) -> Generator[Rows]:
        """Read units from a place on.

        Parameters
        ----------
        begin
            Where the rows wanted begin, as ``Rows.ends`` gave it.
        check
            ``end`` and ``digest`` of that place's block or a later one, as they were.

        Raises
        ------
        ChangedError
            What stands before ``check`` has changed.
        FileError
            The file cannot be read; a row has another number of fields: it breaks off or is
            damaged.
        TableError
            An id of a characteristic is no number; rows are of another census.
        """
        carry: Rows | None = None
        skipped = begin.rows
        with closing(self._parse_blocks(begin.begin, check)) as blocks:
            for block, parsed in blocks:
                self.block = block
                here = None if parsed is None else self._rows(parsed, skipped)
                skipped = 0
                if here is None:
                    continue
                # the last unit of the block before may go on in this one
                if carry is not None and carry.ids[0] == here.ids[0]:
                    first, here = here.split(1)
                    carry = Rows.concat([carry, first])
                if here.ids:
                    if carry is not None:
                        yield carry
                    whole, carry = here.split(len(here.ids) - 1)
                    if whole.ids:
                        yield whole
        if carry is not None:
            yield carry

    def _parse_blocks(
        self, begin: int, check: tuple[int, str] | None
    ) -> Generator[tuple[Block, _Parsed | None]]:
        """Give blocks and their rows, parsed a few ahead."""
        ahead: deque[tuple[Block, Future[_Parsed | None]]] = deque()
        with (
            closing(read_blocks(self._path, begin, check)) as blocks,
            ThreadPoolExecutor(_PARSERS) as pool,
        ):
            for block in blocks:
                ahead.append((block, pool.submit(self._parse, block)))
                if len(ahead) > _PARSERS:
                    first, parsed = ahead.popleft()
                    yield first, parsed.result()
            for last, parsed in ahead:
                yield last, parsed.result()

    def _parse(self, block: Block) -> _Parsed | None:
        """Parse a block; ``None`` where it has no rows."""
        wanted = [self._layout.columns["id"], self._layout.columns["member"]]
        if not self._only:
            wanted += self._count_places
        try:
            table = _parse_text(block.text, self._layout, wanted)
        except pa.ArrowInvalid:
            table = None
        if table is not None and len(table) == len(block.ends):
            return _Parsed(block, self._layout, table, block.text, block.ends)
        # empty lines and notes, which are of one field, are no rows; they are left out here, for
        # pyarrow's handler of invalid rows takes their text for UTF-8
        lines = _lines_of(block, self._layout)
        ragged = [line for line in lines if line.fields not in (0, 1, self._layout.width)]
        if ragged:
            reason = say(
                "readers.fields",
                line=ragged[0].number,
                fields=ragged[0].fields,
                needed=self._layout.width,
            )
            raise FileError("readers.breaks_off", path=self._path, reason=reason)
        rows = [line.text for line in lines if line.fields > 1]
        if not rows:
            return None
        text = pa.py_buffer(b"\n".join(rows))
        try:
            table = _parse_text(text, self._layout, wanted)
        except pa.ArrowInvalid as error:
            raise FileError("readers.breaks_off", path=self._path, reason=str(error)) from error
        if len(table) != len(rows):
            reason = say("readers.line_breaks")
            raise FileError("readers.breaks_off", path=self._path, reason=reason)
        return _Parsed(block, self._layout, table, text, line_ends(text))

    @property
    def _count_places(self) -> list[int]:
        """Where counts and their symbols stand."""
        cells = [cell for one in self._columns.values() for cell in (one.count, one.symbol)]
        return [place for place in cells if place is not None]

    # --------------------------------------------------------------------------- text to arrays

    def _rows(self, parsed: _Parsed, skipped: int) -> Rows | None:
        """Return the rows of a block, ``None`` where none is wanted."""
        at = self._layout.columns
        places = self._places(parsed)
        rows = np.arange(skipped, len(places))
        if self._only:
            rows = rows[places[rows] >= 0]
        if not len(rows):
            return None
        places = places[rows]
        # where units begin and end, what they are called
        ids, texts = _codes_of(parsed.table, at["id"])
        ids = ids[rows]
        firsts = np.flatnonzero(np.diff(ids, prepend=-2))
        lasts = np.append(firsts[1:], len(ids)) - 1
        heads = parsed.columns(rows[firsts], [at["year"], at["name"]])
        units = words_of(texts[id] if id >= 0 else None for id in ids[firsts].tolist())
        years = words_of(heads.column(str(at["year"])).unique().to_pylist())
        check_census(self._path, self._layout, years, units)
        # their figures
        if self._only:
            cells = parsed.columns(rows, self._count_places)
        else:
            cells = parsed.table.slice(skipped)
        return Rows(
            ids=units,
            names=words_of(heads.column(str(at["name"])).to_pylist()),
            counts=np.diff(lasts, prepend=-1).astype(np.int32),
            ends=[Place(parsed.block.begin, row + 1) for row in rows[lasts].tolist()],
            places=places,
            values=self._values(parsed, cells, rows, places),
        )

    def _places(self, parsed: _Parsed) -> Ints32:
        """Return the place of each row's characteristic, adding new ones; -1 if passed over."""
        column = _dictionary_of(parsed.table, self._layout.columns["member"])
        if column.null_count:
            raise TableError("readers.no_member", path=self._path, given="")
        codes = column.indices.to_numpy()
        found = pc.index_in(column.dictionary, self._met)
        if found.null_count:
            self._meet(parsed, codes, column.dictionary.to_pylist())
            found = pc.index_in(column.dictionary, self._met)
        places: Ints32 = self._met_places[found.to_numpy()][codes]
        return places

    def _meet(self, parsed: _Parsed, codes: Places, texts: list[bytes]) -> None:
        """Learn which characteristics the texts of a block stand for."""
        members = [text.decode("cp1252", errors="replace").strip() for text in texts]
        wrong = [text for text in members if not text.isdecimal() or len(text) > _LONGEST_ID]
        if wrong:
            raise TableError("readers.no_member", path=self._path, given=wrong[0])
        ids = [int(text) for text in members]
        mine = self._characteristics
        if not self._only and any(mine.place(id) is None for id in ids):
            # words are parsed for their first rows alone, as the rows stand
            firsts = np.sort(np.unique(codes, return_index=True)[1])
            at = self._layout.columns["words"]
            words = parsed.columns(firsts, [at]).column(str(at)).to_pylist()
            for code, name in zip(codes[firsts].tolist(), words_of(words), strict=True):
                if mine.place(ids[code]) is None:
                    mine.add(ids[code], name.strip(), (len(name) - len(name.lstrip())) // 2)
            self._learn()
        places = [mine.place(id) for id in ids]
        self._met = pa.array(texts, pa.binary())
        self._met_places = np.array([-1 if one is None else one for one in places], np.int32)

    def _values(
        self, parsed: _Parsed, cells: pa.Table, rows: Places, places: Ints32
    ) -> dict[str, Values]:
        """Return columns of values: counts, and rates where no plain count is meant."""
        pairs: list[tuple[int | None, int | None]]
        pairs = [(one.count, one.symbol) for one in self._columns.values()]
        found = dict(zip(self._columns, self._cells(cells, pairs), strict=True))
        rated = {name: one for name, one in self._columns.items() if one.rate is not None}
        blank = np.zeros(len(rows), dtype=bool)
        for name in rated:
            blank |= np.isnan(found[name][0])
        again = np.flatnonzero(blank)
        again = again[~np.array(self._characteristics.counts, dtype=bool)[places[again]]]
        if len(again):
            # few rows have no count: the rates of these alone are parsed
            pairs = [(one.rate, one.rate_symbol) for one in rated.values()]
            wanted = [at for pair in pairs for at in pair if at is not None]
            rates = self._cells(parsed.columns(rows[again], wanted), pairs)
            for name, (rate, mark, bad) in zip(rated, rates, strict=True):
                numbers, symbols, unread = found[name]
                blank = np.isnan(numbers[again])
                # a rate that cannot be read is named where nothing else stands in the row
                unread[again] |= blank & bad & (symbols[again] == 0)
                take = blank & ~np.isnan(rate)
                numbers[again[take]], symbols[again[take]] = rate[take], mark[take]
        for name, (_, _, unread) in found.items():
            if unread.any():
                at = np.flatnonzero(unread)
                self._remember(parsed, name, rows[at], places[at])
        return {name: Values(numbers, symbols) for name, (numbers, symbols, _) in found.items()}

    def _cells(
        self, table: pa.Table, pairs: Sequence[tuple[int | None, int | None]]
    ) -> list[tuple[Floats, Codes, Flags]]:
        """Return numbers, symbols and which cells are neither, of columns and those beside them."""
        columns = [_codes_of(table, place) for place, _ in pairs]
        # one more text, which is none: its code is -1
        words = [[*texts, b""] for _, texts in columns]
        read = self._vocabulary.read_numbers(words)
        found = []
        for (codes, _), (_, beside), (numbers, signs, bad) in zip(
            columns, pairs, read, strict=True
        ):
            symbols = signs[codes] if signs.any() else np.zeros(len(codes), dtype=np.int16)
            unread = bad[codes] if bad.any() else np.zeros(len(codes), dtype=bool)
            if beside is not None:
                # few rows have a symbol beside
                column = _dictionary_of(table, beside)
                rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
                given = self._vocabulary.read_symbols(column.dictionary.to_pylist())
                given = given[column.indices.drop_null().to_numpy()]
                symbols[rows] = np.where(given != 0, given, symbols[rows])
            found.append((numbers[codes], symbols, unread))
        return found

    def _remember(self, parsed: _Parsed, name: str, rows: Places, places: Ints32) -> None:
        """Remember cells that are neither numbers nor symbols."""
        one = self._columns[name]
        wanted = [self._layout.columns["id"], one.count, *([] if one.rate is None else [one.rate])]
        table = parsed.columns(rows, wanted)
        ids, *cells = (words_of(table.column(str(at)).to_pylist()) for at in wanted)
        lines = [line.number for line in _lines_of(parsed.block, self._layout) if line.fields > 1]
        for row, place, id, *given in zip(rows.tolist(), places.tolist(), ids, *cells, strict=True):
            member = self._characteristics.ids[place]
            text = next((one for one in given if one), "")
            self.unread.append(Unread(lines[row], id, member, name, text))


class _Parsed:
    """A block, those of its columns that all rows need, and the others of few rows.

    Parameters
    ----------
    block, layout
        The block, and where its columns are.
    table
        Columns by their place.
    text, ends
        Its rows, a line each, and the byte after each.
    """

    def __init__(
        self,
        block: Block,
        layout: ProfileLayout,
        table: pa.Table,
        text: pa.Buffer,
        ends: Ints32,
    ) -> None:
        self.block = block
        self.table = table
        self._layout = layout
        edges = pa.py_buffer(np.append(np.int32(0), ends))
        self._lines = pa.Array.from_buffers(pa.binary(), len(ends), [None, edges, text])

    def columns(self, rows: Places, wanted: Sequence[int]) -> pa.Table:
        """Return columns of some rows, in ascending order, by their place."""
        if not len(rows) or not wanted:
            return pa.table({})
        lines = self._lines.take(pa.array(rows))
        size = int(np.frombuffer(lines.buffers()[1], dtype=np.int32)[len(lines)])
        return _parse_text(lines.buffers()[2].slice(0, size), self._layout, wanted)


def _dictionary_of(table: pa.Table, place: int | None) -> pa.DictionaryArray:
    """Return a column as one array of codes and the texts they stand for."""
    column = table.column(str(place)).combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _codes_of(table: pa.Table, place: int | None) -> tuple[Places, list[bytes]]:
    """Return which text stands in each row of a column, -1 where none, and the texts."""
    column = _dictionary_of(table, place)
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes.astype(np.intp), column.dictionary.to_pylist()


def _parse_text(text: pa.Buffer, layout: ProfileLayout, wanted: Sequence[int]) -> pa.Table:
    """Parse columns of rows as bytes, null where empty.

    Raises
    ------
    pyarrow.ArrowInvalid
        A row has more or fewer fields, or there is none.
    """
    kept = [str(place) for place in wanted]
    return pyarrow.csv.read_csv(
        pa.BufferReader(text),
        read_options=pyarrow.csv.ReadOptions(
            column_names=[str(place) for place in range(layout.width)],
            block_size=max(text.size, 1),
            use_threads=False,
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=layout.delimiter, newlines_in_values=False
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            # bytes: decoding all costs more than reading it, and code pages differ
            column_types=dict.fromkeys(kept, _TEXT),
            include_columns=kept,
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    )


class _Line(NamedTuple):
    number: int
    text: bytes
    fields: int


def _lines_of(block: Block, layout: ProfileLayout) -> list[_Line]:
    """Return the lines of a block, with their number and how many fields each has: slow."""
    found = []
    for number, line in enumerate(block.text.to_pybytes().split(b"\n"), block.line):
        text = line.rstrip(b"\r")
        # Latin-1 takes every byte
        try:
            cells = next(csv.reader([text.decode("latin-1")], delimiter=layout.delimiter), [])
        except csv.Error:
            cells = [""] * (layout.width + 1)  # a field beyond all bounds
        found.append(_Line(number, text, len(cells)))
    return found
