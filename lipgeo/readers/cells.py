"""``read_cells``: cells of a census table as numbers and the symbols that stood with them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.textfiles import to_numbers

__all__ = ["SYMBOLS", "read_cells"]

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
}
#: a number with its mark: "120 E", "120r"
_MARKED = r"^(.*\d)\s*([Er])$"


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
        ``x``, ``F``, ``..``, ``...``, ``E``, ``r`` or empty; text of a column of symbols that is
        none of them is kept as it stands.
    unread : numpy.ndarray of bool
        Cells that hold something that is neither a number nor a symbol.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.readers.cells import read_cells
    >>> values, symbols, unread = read_cells(pd.Series(["1 250,5", "x", "40 E", "..."]), ",")
    >>> values.tolist()[:3], symbols.tolist(), unread.any()
    ([1250.5, nan, 40.0], ['', 'x', 'E', '...'], np.False_)
    """
    symbols = np.full(len(cells), "", dtype=object)
    if pd.api.types.is_numeric_dtype(cells.dtype):
        values, unread = to_numbers(cells)
    else:
        text = cells.astype("string").str.strip()
        alone = text.map(SYMBOLS)
        has = alone.notna().to_numpy(dtype=bool)
        symbols[has] = alone[has].to_numpy(dtype=object)
        marked = text.mask(has).str.extract(_MARKED)
        tail = marked[1].notna().to_numpy(dtype=bool)
        symbols[tail] = marked.loc[tail, 1].to_numpy(dtype=object)
        values, unread = to_numbers(text.mask(has).where(~tail, marked[0]), decimal)
    if beside is not None:
        given = beside.astype("string").str.strip()
        held = (given.notna() & given.ne("")).to_numpy(dtype=bool)
        symbols[held] = given[held].map(SYMBOLS).fillna(given[held]).to_numpy(dtype=object)
    return values, symbols, unread
