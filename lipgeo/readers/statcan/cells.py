"""Cells of a census table, read as numbers and the symbols that stood with them.

One rule for every reader: :func:`read_cells`. A :class:`Vocabulary` asks it once a text, for
tables whose texts repeat by the million.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.arrays import Flags, Floats
from lipgeo.readers.text import to_numbers

__all__ = ["SYMBOLS", "Codes", "Vocabulary", "read_cells", "words_of"]

#: symbols by their place in a vocabulary
Codes = npt.NDArray[np.int16]

#: how the symbols are written, and how lipgeo writes them
SYMBOLS = {
    "x": "x",
    "X": "x",
    "F": "F",
    "f": "F",
    "..": "..",
    "...": "...",
    "…": "...",
    "‥": "..",
    "E": "E",
    "r": "r",
    # revised, and to be used with caution
    "rE": "rE",
    "r,E": "rE",
    "r, E": "rE",
    "E,r": "rE",
    # nothing, as accounts print it: the number is 0
    "-": "-",
    "–": "-",
}
_DIGITS = r"[-+]?\d[\d., ]*"
#: a number with its mark: "120 E", "120r", "120 rE"
_MARKED = r"^(.*\d)\s*(rE|r,\s*E|E,\s*r|[Er])$"
#: a sign of money before or behind a number, or of percent behind it
_SIGNS = r"^\$\s*(?=[-+\d])|(?<=\d)\s*[$%]$"


def read_cells(
    cells: pd.Series, decimal: str = ".", beside: pd.Series | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    """Part cells into numbers and symbols.

    Parameters
    ----------
    cells
        Text, or numbers.
    decimal
        Decimal mark of numbers in text.
    beside
        Symbols in a column of their own, same index.

    Returns
    -------
    values : numpy.ndarray of float64
        NaN where the cell holds no number.
    symbols : numpy.ndarray of str
        ``x``, ``F``, ``..``, ``...``, ``E``, ``r``, ``rE``, ``-`` (a zero) or empty; text of a
        column of symbols that is none of them is kept as it stands.
    unread : numpy.ndarray of bool
        Cells that hold something that is neither a number nor a symbol.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.readers.statcan.cells import read_cells
    >>> values, symbols, unread = read_cells(pd.Series(["1 250,5", "x", "40 E", "..."]), ",")
    >>> values.tolist()[:3], symbols.tolist(), unread.any()
    ([1250.5, nan, 40.0], ['', 'x', 'E', '...'], np.False_)
    """
    symbols = np.full(len(cells), "", dtype=object)
    if pd.api.types.is_numeric_dtype(cells.dtype):
        values, unread = to_numbers(cells)
    else:
        text = cells.astype("string").str.strip()
        # what begins with a digit and goes on with digits and marks is no symbol, nor beside one
        other = np.flatnonzero(~text.str.fullmatch(_DIGITS).fillna(True).to_numpy(dtype=bool))
        if len(other):
            some = text.iloc[other]
            alone = some.map(SYMBOLS)
            has = alone.notna().to_numpy(dtype=bool)
            symbols[other[has]] = alone[has].to_numpy(dtype=object)
            marked = some.mask(has).str.extract(_MARKED)
            tail = marked[1].notna().to_numpy(dtype=bool)
            symbols[other[tail]] = marked.loc[tail, 1].map(SYMBOLS).to_numpy(dtype=object)
            text = text.copy()
            rest = some.mask(has).where(~tail, marked[0])
            text.iloc[other] = rest.str.replace(_SIGNS, "", regex=True)
        values, unread = to_numbers(text, decimal)
        values[symbols == "-"] = 0.0
    if beside is not None:
        given = beside.astype("string").str.strip()
        held = (given.notna() & given.ne("")).to_numpy(dtype=bool)
        symbols[held] = given[held].map(SYMBOLS).fillna(given[held]).to_numpy(dtype=object)
    return values, symbols, unread


def words_of(cells: Iterable[bytes | None]) -> list[str]:
    """Return texts of a profile: UTF-8 in some files, Windows-1252 in others.

    Examples
    --------
    >>> from lipgeo.readers.statcan.cells import words_of
    >>> words_of(["Montréal".encode("cp1252"), "Montréal".encode(), None])
    ['Montréal', 'Montréal', '']
    """
    texts = []
    for cell in cells:
        try:
            texts.append((cell or b"").decode("utf-8"))
        except UnicodeDecodeError:
            texts.append((cell or b"").decode("cp1252", errors="replace"))
    return texts


#: texts remembered before memory is given back
_REMEMBERED = 300_000


class Vocabulary:
    """What texts of cells mean, each read once by :func:`read_cells` however often it stands.

    Attributes
    ----------
    symbols
        Symbols met, by their code; code 0 is none.
    """

    def __init__(self) -> None:
        self.symbols: list[str] = [""]
        self._codes: dict[str, int] = {"": 0}
        self._marks: dict[bytes, int] = {}
        self._forget()

    def _forget(self) -> None:
        self._places: dict[bytes, int] = {}
        self._numbers: Floats = np.empty(0)
        self._signs: Codes = np.empty(0, dtype=np.int16)
        self._unread: Flags = np.empty(0, dtype=bool)

    def read_numbers(self, columns: list[list[bytes]]) -> list[tuple[Floats, Codes, Flags]]:
        """Return numbers (NaN where none), codes of symbols, and which are neither, by column.

        What is new in all columns is read at once: a few texts cost as much as thousands.
        """
        if len(self._places) > _REMEMBERED:
            self._forget()
        known = self._places
        new = list(dict.fromkeys(t for texts in columns for t in texts if t not in known))
        if new:
            values, symbols, unread = read_cells(pd.Series(words_of(new), dtype="string"))
            codes = np.array([self._code(symbol) for symbol in symbols], dtype=np.int16)
            known |= {text: at for at, text in enumerate(new, len(known))}
            self._numbers = np.append(self._numbers, values)
            self._signs = np.append(self._signs, codes)
            self._unread = np.append(self._unread, unread)
        places = [np.fromiter(map(known.__getitem__, texts), np.int64) for texts in columns]
        return [(self._numbers[at], self._signs[at], self._unread[at]) for at in places]

    def read_symbols(self, texts: list[bytes]) -> Codes:
        """Return the codes of texts of a column of symbols; one that is none is kept as it is."""
        for text in texts:
            if text not in self._marks:
                word = words_of([text])[0].strip()
                self._marks[text] = self._code(SYMBOLS.get(word, word))
        return np.array([self._marks[text] for text in texts], dtype=np.int16)

    def _code(self, symbol: str) -> int:
        if symbol not in self._codes:
            self._codes[symbol] = len(self.symbols)
            self.symbols.append(symbol)
        return self._codes[symbol]
