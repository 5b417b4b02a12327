"""Rows of a profile, from bytes to arrays.

A Census Profile repeats itself: the rows of a unit begin with the same bytes, and every unit has
the same characteristics in the same order, with the same words. Where a unit's rows do so, byte
for byte, only what follows (the figures) is parsed, and equal figures once; where they do not, or
until it is known, all fields of all rows are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from lipgeo.errors import FileError, TableError
from lipgeo.readers.profile_files import Layout, words_of
from lipgeo.stored_tables.cells import Cells, Figures, Vocabulary, coded
from lipgeo.stored_tables.layout import VALUES
from lipgeo.words import say

__all__ = ["Characteristics", "Reader", "Rows", "cells_of"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]

_NEWLINE = 10
#: texts that repeat, kept once
_TEXT = pa.dictionary(pa.int32(), pa.binary())


def cells_of(layout: Layout) -> dict[str, Cells]:
    """Return the columns of values a file has, and where their cells stand."""
    counts = {"total": layout.columns["value"], **layout.sexes}
    counts = {name: counts[name] for name in VALUES if name in counts}
    if "symbol" not in layout.columns:
        return {name: Cells(at) for name, at in counts.items()}
    rate = layout.columns["rate"] - layout.columns["value"]
    return {name: Cells(at, at + 1, at + rate, at + rate + 1) for name, at in counts.items()}


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
        Byte after the last row of each unit, from the first byte given.
    places
        Place of each row's characteristic.
    figures
        The columns of values, each twice: from the count alone, and with rates.
    """

    ids: list[bytes]
    names: list[bytes | None]
    counts: Ints
    ends: npt.NDArray[np.int64]
    places: Ints
    figures: dict[str, Figures]

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
            self.places[rows], {name: one.take(rows) for name, one in self.figures.items()},
        )  # fmt: skip

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """Return the units of several, one after the other."""
        return Rows(
            [one for part in parts for one in part.ids],
            [one for part in parts for one in part.names],
            np.concatenate([part.counts for part in parts]),
            np.concatenate([part.ends for part in parts]),
            np.concatenate([part.places for part in parts]),
            {
                name: Figures.joined([part.figures[name] for part in parts])
                for name in parts[0].figures
            },
        )


@dataclass(frozen=True)
class _Pattern:
    """What the rows of every unit have in common: all between the unit's fields and its figures."""

    heads: list[bytes]
    lengths: Ints
    places: Ints


class Reader:
    """Reads the rows of one file, whole units at a time.

    Parameters
    ----------
    path, layout
        The file, and where its columns are.
    characteristics
        Those of the table; new ones are added.
    vocabulary
        Texts read so far.
    learn
        Called when characteristics were added.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        characteristics: Characteristics,
        vocabulary: Vocabulary,
        learn: Callable[[], None],
    ) -> None:
        self._path = path
        self._layout = layout
        self._characteristics = characteristics
        self._vocabulary = vocabulary
        self._learn = learn
        self._cells = cells_of(layout)
        #: fields of the unit alone, and fields before the figures
        self._unit_fields = min(layout.columns["member"], layout.columns["words"])
        self._head_fields = layout.columns["value"]
        self._delimiter = layout.delimiter.encode()
        self._pattern: _Pattern | None = None

    def read(self, text: Bytes, at: int, *, last: bool) -> Iterator[Rows]:
        """Read whole units; what is left over is the text after the last ``ends``.

        Parameters
        ----------
        text
            Bytes that begin with a line.
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
        newlines = np.flatnonzero(text == _NEWLINE).astype(np.int32)
        done = 0
        while len(newlines):
            rows = None
            if self._pattern is not None:
                if len(newlines) < len(self._pattern.heads) and not last:
                    return
                rows = self._alike(text, done, newlines, self._pattern)
            rows = rows or self._any(text, done, newlines, last=last)
            if rows is None:
                return
            done = int(rows.ends[-1])
            newlines = newlines[np.searchsorted(newlines, done) :]
            yield replace(rows, ends=rows.ends + at)

    # ------------------------------------------------------------------ units that are alike

    def _alike(self, text: Bytes, begin: int, newlines: Ints, pattern: _Pattern) -> Rows | None:
        """Return the leading units whose rows have the pattern; ``None`` where none has."""
        each = len(pattern.heads)
        units = len(newlines) // each
        stops = newlines[: units * each] + np.int32(1)
        starts = np.append(np.int32(begin), stops[:-1])
        prefixes = self._prefixes(text, starts[::each], stops[::each], pattern)
        if not prefixes:
            return None
        units = len(prefixes)
        rows = units * each
        starts, stops = starts[:rows], stops[:rows]
        lengths = np.array([len(one) for one in prefixes], dtype=np.int32)
        cuts = starts.reshape(units, each) + pattern.lengths + lengths[:, None]
        cuts = cuts.ravel()
        edges = np.empty(2 * rows + 1, dtype=np.int32)
        edges[0:-1:2], edges[1::2], edges[-1] = starts, cuts, stops[-1]
        if (cuts > stops).any():
            return None
        halves = pa.Array.from_buffers(
            pa.binary(), 2 * rows, [None, pa.py_buffer(edges), pa.py_buffer(text)]
        )
        heads = halves.take(pa.array(np.arange(0, 2 * rows, 2, dtype=np.int32)))
        units = _equal_units(heads, prefixes, pattern)
        if units == 0:
            return None
        rows = units * each
        tails = halves.take(pa.array(np.arange(1, 2 * rows, 2, dtype=np.int32)))
        tails = tails.dictionary_encode()
        try:
            figures = self._figures_of(tails.dictionary)
            ids, names = self._units_of(prefixes[:units])
        except pa.ArrowInvalid:
            return None
        if figures is None or len(ids) != units:
            return None
        places = np.tile(pattern.places, units)
        codes = tails.indices.to_numpy()
        return Rows(
            ids,
            names,
            np.full(units, each, dtype=np.int32),
            stops[each - 1 : rows : each].astype(np.int64),
            places,
            self._chosen(figures, codes, places),
        )

    def _prefixes(self, text: Bytes, starts: Ints, stops: Ints, pattern: _Pattern) -> list[bytes]:
        """Return the unit's fields as they stand in the first row of each unit."""
        found = []
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            line = text[start:stop].tobytes()
            size = line.find(self._delimiter + pattern.heads[0]) + 1
            if size == 0:
                break
            found.append(line[:size])
        return found

    def _figures_of(self, tails: pa.Array) -> dict[str, tuple[Figures, Figures]] | None:
        """Read rows cut down to their figures; ``None`` where one is not whole."""
        columns = range(self._head_fields, self._layout.width)
        table = _parsed(tails.buffers()[2], columns, self._wanted(), self._layout.delimiter)
        if len(table) != len(tails):
            return None
        return {name: self._vocabulary.figures(table, cells) for name, cells in self._cells.items()}

    def _units_of(self, prefixes: list[bytes]) -> tuple[list[bytes], list[bytes | None]]:
        at = self._layout.columns
        # a prefix ends with a delimiter: one empty field more
        table = _parsed(
            pa.py_buffer(b"\n".join(prefixes) + b"\n"),
            range(self._unit_fields + 1),
            (at["id"], at["name"]),
            self._layout.delimiter,
            kind=pa.binary(),
        )
        ids, names = (table.column(str(at[name])).to_pylist() for name in ("id", "name"))
        return [one or b"" for one in ids], names

    # ---------------------------------------------------------------------------- any units

    def _any(self, text: Bytes, begin: int, newlines: Ints, *, last: bool) -> Rows | None:
        """Return the units of a text, of whatever rows; the last may go on in the next text."""
        at = self._layout.columns
        fields = (at["id"], at["name"], at["member"], at["words"])
        try:
            table = _parsed(
                pa.py_buffer(text[begin : newlines[-1] + 1]),
                range(self._layout.width),
                (*fields, *self._wanted()),
                self._layout.delimiter,
                invalid=_pass_over,
            )
        except pa.ArrowInvalid as error:
            raise FileError("readtable.breaks_off", path=self._path, reason=str(error)) from error
        starts = np.append(np.int32(begin), newlines[:-1] + 1)
        stops = newlines + np.int32(1)
        if len(stops) != len(table):
            starts, stops = self._without_notes(text, starts, stops)
        if len(stops) != len(table):
            raise FileError(
                "readtable.breaks_off", path=self._path, reason=say("stored_tables.line_breaks")
            )
        if not len(table):
            return None
        codes, texts = coded(table, at["id"])
        firsts = np.flatnonzero(np.diff(codes, prepend=-2))
        if not last:
            # the last unit may go on in what comes next
            end = int(firsts[-1])
            codes, starts, stops = codes[:end], starts[:end], stops[:end]
            table, firsts = table.slice(0, end), firsts[:-1]
        if not len(firsts):
            return None
        places = self._places(table)
        self._pattern = self._common(text, starts[firsts[-1] :], stops[firsts[-1] :], places)
        figures = {
            name: self._vocabulary.figures(table, cells) for name, cells in self._cells.items()
        }
        ends = np.append(firsts[1:], len(codes))
        return Rows(
            [texts[code] if code >= 0 else b"" for code in codes[firsts]],
            table.column(str(at["name"])).take(pa.array(firsts)).to_pylist(),
            (ends - firsts).astype(np.int32),
            stops[ends - 1].astype(np.int64),
            places,
            self._chosen(figures, np.arange(len(codes), dtype=np.int32), places),
        )

    def _without_notes(self, text: Bytes, starts: Ints, stops: Ints) -> tuple[Ints, Ints]:
        """Leave out lines that are empty or a note: they hold one field."""
        lines = [text[start:stop].tobytes() for start, stop in zip(starts, stops, strict=True)]
        kept = np.array([_field_end(line, self._delimiter, 1) is not None for line in lines])
        return starts[kept], stops[kept]

    def _places(self, table: pa.Table) -> Ints:
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
                raise TableError("stored_tables.no_member", path=self._path, given=text)
            found[code] = self._characteristics.place(int(text), word)
        if len(self._characteristics) > before:
            self._learn()
        return found[codes]

    def _common(self, text: Bytes, starts: Ints, stops: Ints, places: Ints) -> _Pattern | None:
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

    # ------------------------------------------------------------------------------- figures

    def _wanted(self) -> tuple[int, ...]:
        """Return the columns of figures and symbols."""
        return tuple(
            place
            for cells in self._cells.values()
            for place in (cells.count, cells.symbol, cells.rate, cells.rate_symbol)
            if place is not None
        )

    def _chosen(
        self, figures: dict[str, tuple[Figures, Figures]], codes: Ints, places: Ints
    ) -> dict[str, Figures]:
        """Return the figures of rows: a rate only where the characteristic is no plain count."""
        rated = ~np.array(self._characteristics.counts)[places]
        chosen = {}
        for name, (plain, with_rates) in figures.items():
            if with_rates is plain:
                chosen[name] = plain.take(codes)
            else:
                size = np.int32(len(plain.values))
                chosen[name] = Figures.joined([plain, with_rates]).take(codes + size * rated)
        return chosen


def _pass_over(row: Any) -> str:
    """Pass over notes; anything else that is no row is an error."""
    return "skip" if row.actual_columns <= 1 else "error"


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


def _equal_units(heads: pa.Array, prefixes: list[bytes], pattern: _Pattern) -> int:
    """Return how many leading units begin their rows with their prefix and the common heads."""
    data = heads.buffers()[2]
    at = 0
    for place, prefix in enumerate(prefixes):
        wanted = pa.py_buffer(prefix + prefix.join(pattern.heads))
        if not wanted.equals(data.slice(at, len(wanted))):
            return place
        at += len(wanted)
    return len(prefixes)


def _parsed(
    buffer: pa.Buffer,
    columns: Iterable[int],
    wanted: Iterable[int],
    delimiter: str,
    *,
    kind: pa.DataType = _TEXT,
    invalid: Callable[[Any], str] | None = None,
) -> pa.Table:
    """Parse rows of so many columns; keep those wanted, as bytes, null where empty."""
    names = [str(place) for place in columns]
    kept = [str(place) for place in wanted]
    return pyarrow.csv.read_csv(
        buffer,
        read_options=pyarrow.csv.ReadOptions(
            column_names=names, block_size=max(len(buffer), 1), use_threads=False
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=False, invalid_row_handler=invalid
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(kept, kind),
            include_columns=kept,
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    )
