"""How sure a number is: its range, and whether it may stand alone.

``coverage.csv`` beside this module holds what was measured of the ranges of estimates. A variable
that is not in it has not been measured, and its estimates are told as ranges alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.portal.observations import NUMBERS

__all__ = [
    "WITHHELD",
    "bounds",
    "is_missing",
    "is_told",
    "is_trusted",
    "measured_coverage",
    "small_flag",
    "without_middles",
]

#: flags of numbers that are kept small on purpose
WITHHELD = ("fewer_than_10", "small_denominator", "small_base", "withheld_few")
#: half the range of nine in ten over the value, up to which an estimate may stand alone
NEAR = 0.10
#: share of known areas whose true value the range has to have held
LEAST_HELD = 0.85
#: what stands in the long table for the middle of a range
_MIDDLES = ("value", "denominator_value")


@cache
def measured_coverage() -> Mapping[str, float]:
    """Return how often the range of an estimate held a number that was known, by indicator.

    Measured on real areas whose custom counts are published (``python benchmarks/accuracy.py``);
    the lowest of the ways in which numbers are brought to areas.
    """
    with (resources.files("lipgeo.portal.pages") / "coverage.csv").open(encoding="utf-8") as stream:
        frame = pd.read_csv(stream)
    return dict(zip(frame["indicator"], frame["held"].astype(float), strict=True))


def is_missing(value: Any) -> bool:
    """Whether a number of a row is missing; asked so often that pandas takes too long for it."""
    return value is None or value is pd.NA or math.isnan(value)


def bounds(row: Any) -> tuple[float, float, bool]:
    """Return the range of a number, and whether it is the one that holds nine times in ten."""
    if not is_missing(row["likely_lower"]) and not is_missing(row["likely_upper"]):
        return float(row["likely_lower"]), float(row["likely_upper"]), True
    return float(row["lower"]), float(row["upper"]), False


def is_trusted(row: Any) -> bool:
    """Whether the middle of an estimate may be told.

    Its range of nine in ten lies within 10 % of the value, and ranges of this indicator were
    measured to hold at least 85 % of known numbers.

    Examples
    --------
    >>> from lipgeo.portal.pages.certainty import is_trusted
    >>> row = {"indicator": "population", "value": 1000.0, "likely_lower": 950.0,
    ...        "likely_upper": 1060.0}
    >>> is_trusted(row), is_trusted({**row, "likely_upper": 1200.0})
    (True, False)
    >>> is_trusted({**row, "indicator": "immigrants"})
    False
    """
    value, low, high = (row[name] for name in ("value", "likely_lower", "likely_upper"))
    if is_missing(value) or is_missing(low) or is_missing(high):
        return False
    near = max(value - low, high - value) <= NEAR * abs(value)
    return bool(near and measured_coverage().get(str(row["indicator"]), 0.0) >= LEAST_HELD)


def small_flag(row: Any) -> str:
    """Return the flag of a number that is kept small on purpose, else nothing."""
    flags = row["flags"]
    # most numbers have no flag, and each is asked many times
    return next((one for one in str(flags).split(";") if one in WITHHELD), "") if flags else ""


def is_told(row: Any) -> bool:
    """Whether a number is told as a number, and not as words or a range alone."""
    return bool(
        not is_missing(row["value"])
        and not small_flag(row)
        and (row["origin"] != "estimated" or is_trusted(row))
    )


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
    trusted = [is_trusted(row) for row in frame[guess].to_dict("records")]
    only = guess.copy()
    only[guess] = ~np.array(trusted, dtype=bool)
    small = frame["flags"].map(lambda cell: bool(small_flag({"flags": cell}))).astype(bool)
    # what was taken out already says of how many it was, as of a survey it should
    small &= frame["value"].notna()
    if not only.any() and not small.any():
        return frame
    frame = frame.copy()
    frame.loc[only, list(_MIDDLES)] = np.nan
    told = frame.loc[only, "flags"]
    frame.loc[only, "flags"] = (told + ";range_only").str.strip(";")
    frame.loc[small, list(NUMBERS)] = np.nan
    return frame
