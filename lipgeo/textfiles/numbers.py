"""``to_numbers``: text cells into numbers, or pointed at."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.textfiles.sniffing import SPACES

__all__ = ["MISSING", "to_numbers"]

#: cells that mean "no number here"; Statistics Canada's symbols and what spreadsheets leave
MISSING = frozenset(
    '"" . .. ... x X F - – — #N/A <NA> NA N/A n/a NaN nan null NULL None'.replace('""', "").split(
        " "
    )
)


def to_numbers(
    values: pd.Series, decimal: str = "."
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Turn text cells into numbers; what cannot be read is pointed at, never guessed.

    Parameters
    ----------
    values
        Text (or already numbers).
    decimal
        The decimal mark; the other mark, spaces (also no-break) and apostrophes are accepted
        between groups of three digits only.

    Returns
    -------
    numbers : numpy.ndarray of float64
        NaN where the cell is missing (see :data:`MISSING`) or unreadable.
    unread : numpy.ndarray of bool
        Cells that hold something that is neither a number nor a missing symbol.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.textfiles import to_numbers
    >>> numbers, unread = to_numbers(pd.Series(["1 234,5", "94,0", "..", "dix"]), decimal=",")
    >>> numbers.tolist()[:2], unread.tolist()
    ([1234.5, 94.0], [False, False, False, True])
    """
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers, np.isinf(numbers)
    text = values.astype("string")
    numbers = np.full(len(text), np.nan)
    blank = text.isna().to_numpy(dtype=bool)
    plain = text.str.fullmatch(r"[-+]?\d+(\.\d+)?" if decimal == "." else r"[-+]?\d+")
    plain = plain.fillna(False).to_numpy(dtype=bool)
    if plain.any():
        numbers[plain] = text[plain].astype("float64").to_numpy()
    rest = np.flatnonzero(~plain & ~blank)
    unread = np.zeros(len(text), dtype=bool)
    if len(rest):
        numbers[rest], unread[rest] = _hard_numbers(text.iloc[rest], decimal)
    return numbers, unread


def _hard_numbers(
    text: pd.Series, decimal: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    cells, where = np.unique(text.to_numpy(dtype=object).astype(str), return_inverse=True)
    group = "." if decimal == "," else ","
    mark = re.escape(decimal)
    between = rf"[{re.escape(group)} '’{SPACES}]"
    pattern = re.compile(
        rf"([-+]?(?:\d{{1,3}}(?:{between}\d{{3}})+|\d+))(?:{mark}(\d+)?)?(?:[eE]([-+]?\d+))?"
    )
    numbers = np.full(len(cells), np.nan)
    unread = np.zeros(len(cells), dtype=bool)
    for at, given in enumerate(cells):
        cell = given.strip().strip(SPACES)
        if cell in MISSING:
            continue
        match = pattern.fullmatch(cell)
        if match is None:
            unread[at] = True
            continue
        whole = re.sub(between, "", match.group(1))
        numbers[at] = float(f"{whole}.{match.group(2) or '0'}e{match.group(3) or '0'}")
    return numbers[where], unread[where]
