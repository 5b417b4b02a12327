"""Cells of a profile as numbers and symbols: every text is read once, however often it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from lipgeo.readers.cells import SYMBOLS, read_cells
from lipgeo.readers.profile_files import Layout, words_of
from lipgeo.stored_tables.csvbytes import coded, parsed
from lipgeo.stored_tables.layout import VALUES
from lipgeo.tables.variables import missing_symbols
from lipgeo.words import say

__all__ = ["Cells", "Figured", "Figures", "Vocabulary"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int16]
Ints = npt.NDArray[np.int32]

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
    bad: Ints | None

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

    codes: Ints
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

    def _numbers(self, table: pa.Table, place: int) -> tuple[Floats, Codes, Ints | None]:
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
        self, tails: pa.ChunkedArray, layout: Layout, places: Ints, counts: list[bool]
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

    def _believed(self, codes: Ints, columns: dict[str, Figures]) -> Figured:
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
        raise pa.ArrowInvalid(say("stored_tables.line_breaks"))
    return table
