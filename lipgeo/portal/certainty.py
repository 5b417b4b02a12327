"""How sure a number is: its range, whether it may stand alone, and what two ranges say of a pair.

``coverage.csv`` beside this module holds what was measured of the ranges of estimates. A variable
that is not in it has not been measured, and its estimates are told as ranges alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
import pandas as pd

from lipgeo.portal.observations import NUMBERS

__all__ = [
    "WITHHELD",
    "Verdict",
    "bounds",
    "is_told",
    "is_trusted",
    "measured_coverage",
    "small_flag",
    "verdict",
    "without_middles",
]

Verdict = Literal["higher", "lower", "close"]
#: flags of numbers that are kept small on purpose
WITHHELD = ("fewer_than_10", "small_denominator", "small_base")
#: half the range of nine in ten over the value, up to which an estimate may stand alone
NEAR = 0.10
#: share of known areas whose true value the range has to have held
LEAST_HELD = 0.85
#: percentage points under which nothing is called higher or lower: with ranges, without
_LEAST_POINTS = 1.0
_CLOSE_POINTS = 2.0
#: what stands in the long table for the middle of a range
_MIDDLES = ("value", "denominator_value")


@cache
def measured_coverage() -> Mapping[str, float]:
    """Return how often the range of an estimate held a number that was known, by indicator.

    Measured on real areas whose custom counts are published (``python benchmarks/accuracy.py``);
    the lowest of the ways in which numbers are brought to areas.
    """
    with (resources.files("lipgeo.portal") / "coverage.csv").open(encoding="utf-8") as stream:
        frame = pd.read_csv(stream)
    return dict(zip(frame["indicator"], frame["held"].astype(float), strict=True))


def bounds(row: Any) -> tuple[float, float, bool]:
    """Return the range of a number, and whether it is the one that holds nine times in ten."""
    if pd.notna(row["likely_lower"]) and pd.notna(row["likely_upper"]):
        return float(row["likely_lower"]), float(row["likely_upper"]), True
    return float(row["lower"]), float(row["upper"]), False


def is_trusted(row: Any) -> bool:
    """Whether the middle of an estimate may be told.

    Its range of nine in ten lies within 10 % of the value, and ranges of this indicator were
    measured to hold at least 85 % of known numbers.

    Examples
    --------
    >>> from lipgeo.portal.certainty import is_trusted
    >>> row = {"indicator": "population", "value": 1000.0, "likely_lower": 950.0,
    ...        "likely_upper": 1060.0}
    >>> is_trusted(row), is_trusted({**row, "likely_upper": 1200.0})
    (True, False)
    >>> is_trusted({**row, "indicator": "immigrants"})
    False
    """
    value, low, high = (row[name] for name in ("value", "likely_lower", "likely_upper"))
    if pd.isna(value) or pd.isna(low) or pd.isna(high):
        return False
    near = max(value - low, high - value) <= NEAR * abs(value)
    return bool(near and measured_coverage().get(str(row["indicator"]), 0.0) >= LEAST_HELD)


def small_flag(row: Any) -> str:
    """Return the flag of a number that is kept small on purpose, else nothing."""
    return next((one for one in str(row["flags"]).split(";") if one in WITHHELD), "")


def is_told(row: Any) -> bool:
    """Whether a number is told as a number, and not as words or a range alone."""
    return bool(
        pd.notna(row["value"])
        and not small_flag(row)
        and (row["origin"] != "estimated" or is_trusted(row))
    )


def verdict(mine: Any, other: Any) -> Verdict:
    """Return ``higher``, ``lower`` or ``close``, as sure as the ranges let it be.

    Parameters
    ----------
    mine, other
        Two numbers in percent, each with its range or without.

    Notes
    -----
    With ranges of nine in ten the interval of the difference d is, by Zou and Donner,
    ``d - sqrt((a - a_low)^2 + (b_high - b)^2)`` to ``d + sqrt((a_high - a)^2 + (b - b_low)^2)``;
    with certain bounds it is the difference of the bounds. Nothing is called higher or lower where
    it holds 0, nor under one point; without any range, nor under two points.

    Examples
    --------
    >>> from lipgeo.portal.certainty import verdict
    >>> none = dict.fromkeys(["lower", "upper", "likely_lower", "likely_upper"], float("nan"))
    >>> verdict({**none, "value": 25.4}, {**none, "value": 23.0})
    'higher'
    >>> unsure = {**none, "value": 25.4, "likely_lower": 20.0, "likely_upper": 31.0}
    >>> verdict(unsure, {**none, "value": 23.0})
    'close'
    """
    one, two = float(mine["value"]), float(other["value"])
    apart = one - two
    (low, high, likely), (least, most, probable) = bounds(mine), bounds(other)
    known = not math.isnan(low + high) or not math.isnan(least + most)
    if not known:
        close = abs(apart) < _CLOSE_POINTS
    else:
        # a side without a range is taken at its value
        low, high = (low, high) if not math.isnan(low + high) else (one, one)
        least, most = (least, most) if not math.isnan(least + most) else (two, two)
        if likely or probable:
            below = apart - math.hypot(one - low, most - two)
            above = apart + math.hypot(high - one, two - least)
        else:
            below, above = low - most, high - least
        close = below <= 0 <= above or abs(apart) < _LEAST_POINTS
    return "close" if close else "higher" if apart > 0 else "lower"


def without_middles(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of the long table in which no estimate has a middle that may not be told.

    Parameters
    ----------
    frame
        Rows of the long table.

    Returns
    -------
    pandas.DataFrame
        The same rows and columns; ``value`` and ``denominator_value`` of such estimates are
        missing and ``flags`` has ``range_only``. Numbers that are too small to be told have none.
    """
    guess = frame["origin"].eq("estimated") & frame["value"].notna()
    only = guess & ~frame[guess].apply(is_trusted, axis=1).reindex(frame.index, fill_value=False)
    small = frame["flags"].map(lambda cell: any(one in WITHHELD for one in str(cell).split(";")))
    if not only.any() and not small.any():
        return frame
    frame = frame.copy()
    frame.loc[only, list(_MIDDLES)] = np.nan
    told = frame.loc[only, "flags"]
    frame.loc[only, "flags"] = (told + ";range_only").str.strip(";")
    frame.loc[small, list(NUMBERS)] = np.nan
    return frame
