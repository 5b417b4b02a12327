"""Cells of a profile as numbers and symbols: every text is read once, however often it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from lipgeo.readers.cells import SYMBOLS, read_cells
from lipgeo.readers.profile_files import words_of

__all__ = ["Cells", "Figures", "Vocabulary", "coded"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int16]

#: texts remembered before memory is given back
_REMEMBERED = 300_000


@dataclass(frozen=True)
class Cells:
    """Where the cells of one column of values stand: count, rate, and their symbols."""

    count: int
    symbol: int | None = None
    rate: int | None = None
    rate_symbol: int | None = None


@dataclass(frozen=True)
class Figures:
    """One column of values, read: NaN where there is no number, code 0 where no symbol.

    ``bad`` is, of a cell that is neither number nor symbol, the place of its text in
    :attr:`Vocabulary.unread`; else 0. It is ``None`` where there is no such cell.
    """

    values: Floats
    symbols: Codes
    bad: npt.NDArray[np.int32] | None

    def take(self, rows: Any) -> Figures:
        """Return these rows: their places, or a slice."""
        bad = None if self.bad is None else self.bad[rows]
        return Figures(self.values[rows], self.symbols[rows], bad)

    @staticmethod
    def joined(parts: Sequence[Figures]) -> Figures:
        """Return the rows of several, one after the other."""
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


class Vocabulary:
    """What texts of cells mean; symbols and unreadable texts met so far, numbered from 1."""

    def __init__(self) -> None:
        self.symbols: list[str] = [""]
        self.unread: list[str] = [""]
        self._codes: dict[str, int] = {"": 0}
        self._cells: dict[bytes, tuple[float, int, int]] = {}
        self._marks: dict[bytes, int] = {}

    def figures(self, table: pa.Table, cells: Cells) -> tuple[Figures, Figures]:
        """Return a column of values, twice: from the count alone; with the rate where none is.

        The rule is that of :func:`lipgeo.read_profile`.
        """
        values, symbols, bad = self._numbers(table, cells.count)
        symbols = self._beside(table, cells.symbol, symbols)
        plain = Figures(values, symbols, bad)
        if cells.rate is None:
            return plain, plain
        rates, marks, unread = self._numbers(table, cells.rate)
        blank = np.isnan(values)
        take = blank & ~np.isnan(rates)
        if unread is not None:
            unread = np.where(blank & (symbols == 0), unread, 0)
        if not take.any() and unread is None:
            return plain, plain
        marks = self._beside(table, cells.rate_symbol, marks)
        if bad is not None:
            unread = bad if unread is None else np.maximum(bad, unread)
        return plain, Figures(np.where(take, rates, values), np.where(take, marks, symbols), unread)

    def _numbers(
        self, table: pa.Table, place: int
    ) -> tuple[Floats, Codes, npt.NDArray[np.int32] | None]:
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
        met = [known[text] for text in texts]
        numbers = np.array([*(one[0] for one in met), np.nan])
        signs = np.array([*(one[1] for one in met), 0], dtype=np.int16)
        unread = np.array([*(one[2] for one in met), 0], dtype=np.int32)
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


def coded(table: pa.Table, place: int) -> tuple[npt.NDArray[np.int32], list[bytes]]:
    """Return the texts of a column and which stands in each row; -1 (the last) for none."""
    column = table.column(str(place)).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, column.dictionary.to_pylist()
