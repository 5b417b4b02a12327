"""Rows of a profile, from bytes to arrays.

A Census Profile repeats itself: the rows of a unit begin with the same bytes, and every unit has
the same characteristics in the same order, with the same words. Where a unit's rows do so, byte
for byte, only what follows (the figures) is parsed, and equal figures once; where they do not, or
until it is known, all fields of all rows are.

Cells of a profile as numbers and symbols: every text is read once, however often it stands.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lipgeo.arrays import Bytes, Floats, Ints32
from lipgeo.errors import FileError, TableError
from lipgeo.readers.statcan.profile import SYMBOLS, Layout, read_cells, words_of
from lipgeo.readers.statcan.profile_blocks import coded, parsed
from lipgeo.tables.variables import missing_symbols
from lipgeo.words import say

__all__ = [
    "VALUES",
    "Cells",
    "Characteristics",
    "Figured",
    "Figures",
    "Reader",
    "Rows",
    "Vocabulary",
]

Codes = npt.NDArray[np.int16]

#: columns of values; each has one of symbols beside it (``total_symbol``)
VALUES = ("total", "men", "women")
#: texts remembered before memory is given back
_REMEMBERED = 300_000


@dataclass(frozen=True)
class Cells:
    """Where the cells of one column of values stand: count, rate, and their symbols."""

    count: int
    symbol: int | None = None
    rate: int | None = None
    rate_symbol: int | None = None

    @property
    def counts(self) -> tuple[int | None, ...]:
        """The columns of the count and its symbol."""
        return (self.count, self.symbol)

    @property
    def all(self) -> tuple[int | None, ...]:
        """Those and the columns of the rate."""
        return (*self.counts, self.rate, self.rate_symbol)


@dataclass(frozen=True)
class Figures:
    """One column of values, read: NaN where there is no number, code 0 where no symbol.

    ``bad`` is, of a cell that is neither number nor symbol, the place of its text in
    :attr:`Vocabulary.unread`; else 0. It is ``None`` where there is no such cell.
    """

    values: Floats
    symbols: Codes
    bad: Ints32 | None

    def take(self, rows: npt.NDArray[np.bool_]) -> Figures:
        """Return the figures of some rows."""
        bad = None if self.bad is None else self.bad[rows]
        return Figures(self.values[rows], self.symbols[rows], bad)

    @staticmethod
    def joined(parts: Sequence[Figures]) -> Figures:
        """Return the figures of several, one after the other."""
        bad = None
        if any(one.bad is not None for one in parts):
            bad = np.concatenate(
                [np.zeros(len(p.values), np.int32) if p.bad is None else p.bad for p in parts]
            )
        return Figures(
            np.concatenate([one.values for one in parts]),
            np.concatenate([one.symbols for one in parts]),
            bad,
        )


@dataclass(frozen=True)
class Figured:
    """Figures of rows: those of row ``n`` are in every column at ``codes[n]``.

    ``not_believed`` counts the numbers that stood beside a symbol that says there is none: they
    are missing here.
    """

    codes: Ints32
    columns: dict[str, Figures]
    not_believed: int


def cells_of(layout: Layout) -> dict[str, Cells]:
    """Return the columns of values a file has, and where their cells stand."""
    counts = {"total": layout.columns["value"], **layout.sexes}
    counts = {name: counts[name] for name in VALUES if name in counts}
    if "symbol" not in layout.columns:
        return {name: Cells(at) for name, at in counts.items()}
    rate = layout.columns["rate"] - layout.columns["value"]
    return {name: Cells(at, at + 1, at + rate, at + rate + 1) for name, at in counts.items()}


class Vocabulary:
    """What texts of cells mean; symbols and unreadable texts met so far, numbered from 1."""

    def __init__(self) -> None:
        self.symbols: list[str] = [""]
        self.unread: list[str] = [""]
        self._codes: dict[str, int] = {"": 0}
        self._cells: dict[bytes, tuple[float, int, int]] = {}
        self._marks: dict[bytes, int] = {}

    def _plain(self, table: pa.Table, cells: Cells) -> Figures:
        """Return a column of values from its counts alone."""
        values, symbols, bad = self._numbers(table, cells.count)
        return Figures(values, self._beside(table, cells.symbol, symbols), bad)

    def _rated(self, table: pa.Table, cells: Cells, plain: Figures) -> Figures:
        """Return a column of values with the rate where the count is no number.

        The rule is that of :func:`lipgeo.read_profile`.
        """
        if cells.rate is None:
            return plain
        rates, marks, unread = self._numbers(table, cells.rate)
        blank = np.isnan(plain.values)
        take = blank & ~np.isnan(rates)
        bad = plain.bad
        if unread is not None:
            unread = np.where(blank & (plain.symbols == 0), unread, 0)
            bad = unread if bad is None else np.maximum(bad, unread)
        marks = self._beside(table, cells.rate_symbol, marks)
        return Figures(
            np.where(take, rates, plain.values), np.where(take, marks, plain.symbols), bad
        )

    def _numbers(self, table: pa.Table, place: int) -> tuple[Floats, Codes, Ints32 | None]:
        codes, texts = coded(table, place)
        known = self._cells
        new = [text for text in texts if text not in known]
        if new:
            if len(known) > _REMEMBERED:
                known.clear()
                new = texts
            words = words_of(new)
            values, symbols, bad = read_cells(pd.Series(words, dtype="string"), ".")
            for row, text in enumerate(new):
                if bad[row]:
                    self.unread.append(words[row])
                spoilt = len(self.unread) - 1 if bad[row] else 0
                known[text] = (float(values[row]), self._code(symbols[row]), spoilt)
        met = [*(known[text] for text in texts), (np.nan, 0, 0)]
        numbers = np.array([one[0] for one in met])
        signs = np.array([one[1] for one in met], dtype=np.int16)
        unread = np.array([one[2] for one in met], dtype=np.int32)
        return numbers[codes], signs[codes], unread[codes] if unread.any() else None

    def _beside(self, table: pa.Table, place: int | None, symbols: Codes) -> Codes:
        if place is None:
            return symbols
        codes, texts = coded(table, place)
        if not texts:
            return symbols
        for text in texts:
            if text not in self._marks:
                word = words_of([text])[0].strip()
                self._marks[text] = self._code(SYMBOLS.get(word, word))
        signs = np.array([*(self._marks[text] for text in texts), 0], dtype=np.int16)[codes]
        return np.where(signs != 0, signs, symbols)

    def _code(self, symbol: str) -> int:
        if symbol not in self._codes:
            self._codes[symbol] = len(self.symbols)
            self.symbols.append(symbol)
        return self._codes[symbol]

    def read(
        self, tails: pa.ChunkedArray, layout: Layout, places: Ints32, counts: list[bool]
    ) -> Figured:
        """Read rows cut down to their figures; a rate only where no plain count is meant.

        Parameters
        ----------
        tails
            What stands in each row from its first figure on.
        layout
            Where the file's columns are.
        places
            Place of each row's characteristic; of one unit's rows where all units are alike.
        counts
            Which characteristics are known as plain counts.

        Raises
        ------
        pyarrow.ArrowInvalid
            A row has more or fewer fields.
        """
        texts = pa.concat_arrays([chunk.dictionary for chunk in tails.chunks])
        firsts = np.cumsum([0, *(len(chunk.dictionary) for chunk in tails.chunks)], dtype=np.int32)
        codes = np.concatenate(
            [
                chunk.indices.to_numpy() + first
                for chunk, first in zip(tails.chunks, firsts[:-1], strict=True)
            ]
        )
        columns = cells_of(layout)
        table = _parsed_tails(texts, layout, [cells.counts for cells in columns.values()])
        plain = {name: self._plain(table, cells) for name, cells in columns.items()}
        blank = np.logical_or.reduce([np.isnan(one.values) for one in plain.values()])
        if not blank.any() or next(iter(columns.values())).rate is None:
            return self._believed(codes, plain)
        # few rows have no count: only they are looked at again
        again = _parsed_tails(
            texts.filter(pa.array(blank)), layout, [cells.all for cells in columns.values()]
        )
        second = {
            name: self._rated(again, cells, plain[name].take(blank))
            for name, cells in columns.items()
        }
        moved = np.cumsum(blank, dtype=np.int32) + np.int32(len(table) - 1)
        rows = np.flatnonzero(blank[codes])
        rows = rows[~np.array(counts)[places[rows % len(places)]]]
        codes[rows] = moved[codes[rows]]
        return self._believed(
            codes, {name: Figures.joined([plain[name], second[name]]) for name in plain}
        )

    def _believed(self, codes: Ints32, columns: dict[str, Figures]) -> Figured:
        """Leave out numbers beside a symbol that says there is none; count them."""
        none = frozenset(missing_symbols())
        lost = np.array([symbol in none for symbol in self.symbols])
        found, doubted = {}, 0
        for name, one in columns.items():
            wrong = lost[one.symbols] & ~np.isnan(one.values)
            found[name] = one
            if wrong.any():
                doubted += int(np.count_nonzero(wrong[codes]))
                found[name] = replace(one, values=np.where(wrong, np.nan, one.values))
        return Figured(codes, found, doubted)


def _parsed_tails(
    tails: pa.Array, layout: Layout, wanted: Iterable[Iterable[int | None]]
) -> pa.Table:
    columns = range(layout.columns["value"], layout.width)
    places = [place for some in wanted for place in some if place is not None]
    table = parsed(tails.buffers()[2], columns, places, layout.delimiter)
    if len(table) != len(tails):
        raise pa.ArrowInvalid(say("store.line_breaks"))
    return table


#: lines parsed in full at first, where it is not known what units have in common
_FIRST_LINES = 8192


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

    def place(self, member: int, words: bytes | None) -> int:
        """Return the place of a characteristic; a new one goes last."""
        place = self._places.get(member)
        if place is None:
            place = len(self.ids)
            name = words_of([words])[0]
            self.add(member, name.strip(), (len(name) - len(name.lstrip())) // 2)
        return place

    def add(self, member: int, name: str, depth: int) -> None:
        """Add a characteristic; ``counts`` is to be told."""
        self._places[member] = len(self.ids)
        self.ids.append(member)
        self.names.append(name)
        self.depths.append(depth)


@dataclass(frozen=True)
class Rows:
    """Rows of whole units, as they follow each other.

    Attributes
    ----------
    ids, names
        Id and name of each unit, as they stand in the file.
    counts
        Rows of each unit.
    ends
        Byte of the file after the last row of each unit.
    places
        Place of each row's characteristic; of one unit's rows where all units have the same.
    alike
        Whether they have.
    tails
        What stands in each row from its first figure on: texts that repeat are kept once a chunk
        (so that they stay in the cache while they are looked up).
    """

    ids: list[bytes]
    names: list[bytes | None]
    counts: Ints32
    ends: npt.NDArray[np.int64]
    places: Ints32
    alike: bool
    tails: pa.ChunkedArray

    def __len__(self) -> int:
        return len(self.tails)

    @property
    def each(self) -> Ints32:
        """Place of each row's characteristic."""
        return np.tile(self.places, len(self.counts)) if self.alike else self.places

    def split(self, units: int) -> tuple[Rows, Rows]:
        """Return the first units, and the others."""
        cut = int(self.counts[:units].sum())
        return (
            self._part(slice(0, units), slice(0, cut)),
            self._part(slice(units, None), slice(cut, len(self))),
        )

    def _part(self, units: slice, rows: slice) -> Rows:
        places = self.places if self.alike else self.places[rows]
        tails = self.tails.slice(rows.start, rows.stop - rows.start)
        return Rows(
            self.ids[units], self.names[units], self.counts[units], self.ends[units],
            places, self.alike, tails,
        )  # fmt: skip

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """Return the units of several, one after the other."""
        first = parts[0].places
        alike = all(part.alike and np.array_equal(part.places, first) for part in parts)
        return Rows(
            [one for part in parts for one in part.ids],
            [one for part in parts for one in part.names],
            np.concatenate([part.counts for part in parts]),
            np.concatenate([part.ends for part in parts]),
            first if alike else np.concatenate([part.each for part in parts]),
            alike,
            pa.chunked_array([chunk for part in parts for chunk in part.tails.chunks]),
        )


@dataclass(frozen=True)
class _Pattern:
    """What the rows of every unit have in common: all between the unit's fields and its figures."""

    heads: list[bytes]
    lengths: Ints32
    places: Ints32


class Reader:
    """Reads the rows of one file, whole units at a time.

    Parameters
    ----------
    path, layout
        The file, and where its columns are.
    characteristics
        Those of the table; new ones are added.
    learn
        Called when characteristics were added.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        characteristics: Characteristics,
        learn: Callable[[], None],
    ) -> None:
        self._path = path
        self._layout = layout
        self._characteristics = characteristics
        self._learn = learn
        #: fields of the unit alone, and fields before the figures
        self._unit_fields = min(layout.columns["member"], layout.columns["words"])
        self._head_fields = layout.columns["value"]
        self._delimiter = layout.delimiter.encode()
        self._pattern: _Pattern | None = None

    def read(self, text: Bytes, newlines: Ints32, at: int, *, last: bool) -> Iterator[Rows]:
        """Read whole units; what is left over is the text after the last ``ends``.

        Parameters
        ----------
        text
            Bytes that begin with a line.
        newlines
            Where its newlines are.
        at
            Place of the first in the file.
        last
            Whether nothing comes after them.

        Raises
        ------
        FileError
            A line has another number of fields: the file breaks off or is damaged.
        TableError
            An id of a characteristic is no number.
        """
        done = 0
        while len(newlines):
            rows = None
            if self._pattern is not None:
                if len(newlines) < len(self._pattern.heads) and not last:
                    return
                rows = self._alike(text, done, newlines, self._pattern)
            lines = _FIRST_LINES
            while rows is None:
                # a few units tell what the others have in common
                whole = lines >= len(newlines)
                rows = self._any(text, done, newlines[:lines], last=last and whole)
                if rows is None and whole:
                    return
                lines *= 4
            done = int(rows.ends[-1])
            newlines = newlines[np.searchsorted(newlines, done) :]
            yield replace(rows, ends=rows.ends + at)

    # ------------------------------------------------------------------ units that are alike

    def _alike(self, text: Bytes, begin: int, newlines: Ints32, pattern: _Pattern) -> Rows | None:
        """Return the leading units whose rows have the pattern; ``None`` where none has."""
        each = len(pattern.heads)
        units = len(newlines) // each
        if units == 0:
            return None
        stops = newlines[: units * each] + np.int32(1)
        starts = np.append(np.int32(begin), stops[:-1])
        prefixes = self._prefixes(text, starts[::each], stops[::each], pattern)
        if not prefixes:
            return None
        units = len(prefixes)
        rows = units * each
        starts, stops = starts[:rows], stops[:rows]
        sizes = np.array([len(one) for one in prefixes], dtype=np.int32)
        heads = (starts.reshape(units, each) + sizes[:, None]).ravel()
        tails = heads + np.tile(pattern.lengths, units)
        if (tails > stops).any():
            return None
        edges = np.empty(3 * rows + 1, dtype=np.int32)
        edges[0:-1:3], edges[1::3], edges[2::3], edges[-1] = starts, heads, tails, stops[-1]
        thirds = pa.Array.from_buffers(
            pa.binary(), 3 * rows, [None, pa.py_buffer(edges), pa.py_buffer(text)]
        )
        lines = pa.Array.from_buffers(
            pa.binary(), rows, [None, pa.py_buffer(edges[::3].copy()), pa.py_buffer(text)]
        )
        units = _equal_units(lines, thirds, prefixes, pattern)
        if units == 0:
            return None
        rows = units * each
        found = self._units_of(prefixes[:units])
        if found is None:
            return None
        ids, names = found
        return Rows(
            ids,
            names,
            np.full(units, each, dtype=np.int32),
            stops[each - 1 : rows : each].astype(np.int64),
            pattern.places,
            True,
            pa.chunked_array([_every_third(thirds[: 3 * rows], 2).dictionary_encode()]),
        )

    def _prefixes(
        self, text: Bytes, starts: Ints32, stops: Ints32, pattern: _Pattern
    ) -> list[bytes]:
        """Return the unit's fields as they stand in the first row of each unit."""
        found = []
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            line = text[start:stop].tobytes()
            size = line.find(self._delimiter + pattern.heads[0]) + 1
            if size == 0:
                break
            found.append(line[:size])
        return found

    def _units_of(self, prefixes: list[bytes]) -> tuple[list[bytes], list[bytes | None]] | None:
        """Return ids and names; ``None`` where the fields of a unit are not as many as needed."""
        # Latin-1 gives every byte back as it was
        lines = [prefix.decode("latin-1") for prefix in prefixes]
        try:
            rows = list(csv.reader(lines, delimiter=self._layout.delimiter))
        except csv.Error:
            return None
        # a prefix ends with a delimiter: one empty field more
        if any(len(row) != self._unit_fields + 1 or row[-1] for row in rows):
            return None
        id, name = (self._layout.columns[column] for column in ("id", "name"))
        return (
            [row[id].encode("latin-1") for row in rows],
            [row[name].encode("latin-1") for row in rows],
        )

    # ---------------------------------------------------------------------------- any units

    def _any(self, text: Bytes, begin: int, newlines: Ints32, *, last: bool) -> Rows | None:
        """Return the units of a text, of whatever rows; the last may go on in the next text."""
        at = self._layout.columns
        starts = np.append(np.int32(begin), newlines[:-1] + 1)
        stops = newlines + np.int32(1)
        table, reason = self._fields(pa.py_buffer(text[begin : stops[-1]]))
        if table is None or len(table) != len(stops):
            starts, stops, lines = self._without_notes(text, starts, stops)
            table, reason = self._fields(pa.py_buffer(b"".join(lines)))
        if table is None or len(table) != len(stops):
            reason = reason or say("store.line_breaks")
            raise FileError("readers.breaks_off", path=self._path, reason=reason)
        if not len(table):
            return None
        units, texts = coded(table, at["id"])
        firsts = np.flatnonzero(np.diff(units, prepend=-2))
        if not last:
            # the last unit may go on in what comes next
            end = int(firsts[-1])
            starts, stops = starts[:end], stops[:end]
            table, firsts = table.slice(0, end), firsts[:-1]
        if not len(firsts):
            return None
        places = self._places(table)
        self._pattern = self._common(text, starts[firsts[-1] :], stops[firsts[-1] :], places)
        last_rows = np.append(firsts[1:], len(table)) - 1
        counts = np.diff(last_rows, prepend=-1).astype(np.int32)
        unit = places[: counts[0]]
        alike = bool((counts == counts[0]).all()) and len(np.unique(unit)) == len(unit)
        alike = alike and bool((places.reshape(len(counts), -1) == unit).all())
        return Rows(
            [texts[code] if code >= 0 else b"" for code in units[firsts]],
            table.column(str(at["name"])).take(pa.array(firsts)).to_pylist(),
            counts,
            stops[last_rows].astype(np.int64),
            unit if alike else places,
            alike,
            self._tails(text, starts, stops),
        )

    def _tails(self, text: Bytes, starts: Ints32, stops: Ints32) -> pa.ChunkedArray:
        """Cut rows down to their figures."""
        edges = np.empty(2 * len(starts) + 1, dtype=np.int32)
        for row, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
            line = text[start:stop].tobytes()
            edges[2 * row] = start
            edges[2 * row + 1] = start + (_field_end(line, self._delimiter, self._head_fields) or 0)
        edges[-1] = stops[-1]
        halves = pa.Array.from_buffers(
            pa.binary(), 2 * len(starts), [None, pa.py_buffer(edges), pa.py_buffer(text)]
        )
        odd = np.arange(1, 2 * len(starts), 2, dtype=np.int32)
        return pa.chunked_array([halves.take(pa.array(odd)).dictionary_encode()])

    def _fields(self, text: pa.Buffer) -> tuple[pa.Table | None, str]:
        """Parse the fields that say what a row is of; or say why they cannot be parsed."""
        if not len(text):
            return pa.table({}), ""
        at = self._layout.columns
        fields = (at["id"], at["name"], at["member"], at["words"])
        try:
            return parsed(text, range(self._layout.width), fields, self._layout.delimiter), ""
        except pa.ArrowInvalid as error:
            return None, str(error)

    def _without_notes(
        self, text: Bytes, starts: Ints32, stops: Ints32
    ) -> tuple[Ints32, Ints32, list[bytes]]:
        """Leave out lines that are empty or a note: they hold one field."""
        lines = [text[start:stop].tobytes() for start, stop in zip(starts, stops, strict=True)]
        kept = np.array([_field_end(line, self._delimiter, 1) is not None for line in lines])
        return starts[kept], stops[kept], list(compress(lines, kept))

    def _places(self, table: pa.Table) -> Ints32:
        """Return the place of each row's characteristic, adding new ones."""
        at = self._layout.columns
        codes, texts = coded(table, at["member"])
        members, firsts = np.unique(codes, return_index=True)
        order = np.argsort(firsts)  # as the rows stand
        members, firsts = members[order], firsts[order]
        words = table.column(str(at["words"])).take(pa.array(firsts)).to_pylist()
        found = np.zeros(len(texts) + 1, dtype=np.int32)
        before = len(self._characteristics)
        for code, word in zip(members.tolist(), words, strict=True):
            text = texts[code].decode("cp1252").strip() if code >= 0 else ""
            if not text.isdecimal():
                raise TableError("store.no_member", path=self._path, given=text)
            found[code] = self._characteristics.place(int(text), word)
        if len(self._characteristics) > before:
            self._learn()
        return found[codes]

    def _common(
        self, text: Bytes, starts: Ints32, stops: Ints32, places: Ints32
    ) -> _Pattern | None:
        """Return what the rows of a unit have in common with those of others."""
        prefixes, heads = set(), []
        for start, stop in zip(starts, stops, strict=True):
            line = text[start:stop].tobytes()
            unit = _field_end(line, self._delimiter, self._unit_fields)
            head = _field_end(line, self._delimiter, self._head_fields)
            if unit is None or head is None:
                return None
            prefixes.add(line[:unit])
            heads.append(line[unit:head])
        places = places[len(places) - len(heads) :]
        if len(prefixes) > 1 or len(np.unique(places)) < len(places):
            return None
        lengths = np.array([len(head) for head in heads], dtype=np.int32)
        return _Pattern(heads, lengths, places)


def _field_end(line: bytes, delimiter: bytes, fields: int) -> int | None:
    """Return where field number ``fields`` begins (counted from 0), ``None`` if it is not there."""
    at = 0
    for _ in range(fields):
        if line[at : at + 1] == b'"':
            at += 1
            while (at := line.find(b'"', at) + 1) and line[at : at + 1] == b'"':
                at += 1
            if at == 0:
                return None
        at = line.find(delimiter, at) + 1
        if at == 0:
            return None
    return at


def _equal_units(
    lines: pa.Array, thirds: pa.Array, prefixes: list[bytes], pattern: _Pattern
) -> int:
    """Return how many leading units begin all their rows as they should, byte for byte."""
    each = len(pattern.heads)
    heads = _every_third(thirds, 1).buffers()[2]
    wanted = pa.py_buffer(b"".join(pattern.heads))
    for place, prefix in enumerate(prefixes):
        mine = lines.slice(place * each, each)
        if pc.starts_with(mine, pattern=prefix).false_count:
            return place
        if not wanted.equals(heads.slice(place * len(wanted), len(wanted))):
            return place
    return len(prefixes)


def _every_third(texts: pa.Array, first: int) -> pa.Array:
    places = pa.array(np.arange(first, len(texts), 3, dtype=np.int32))
    return pc.take(texts, places, boundscheck=False)
