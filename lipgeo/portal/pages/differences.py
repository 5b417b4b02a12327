"""The difference of two numbers with their ranges: how far apart, and whether that is sure.

One rule for sentences, pages and the script of the page that compares. Two likely ranges are
independent guesses, so the range of the difference is their root sum of squares on each side; hard
bounds hold for certain, so they add.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["CLOSE_POINTS", "LEAST_POINTS", "Difference", "Measured", "Verdict", "difference"]

Verdict = Literal["higher", "lower", "close"]
#: percentage points between which nothing is called higher or lower: with ranges, without
LEAST_POINTS = 1.0
CLOSE_POINTS = 2.0


@dataclass(frozen=True)
class Measured:
    """A number and its range.

    Attributes
    ----------
    value
        The number.
    low, high
        Its range; NaN where it has none.
    likely
        Whether the range is the likely one (nine times in ten), and no hard bound.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    likely: bool = False

    @property
    def ranged(self) -> bool:
        """Whether there is a range."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    @property
    def arms(self) -> tuple[float, float]:
        """How far the range goes below and above the number; 0 where there is none."""
        if not self.ranged:
            return 0.0, 0.0
        return max(self.value - self.low, 0.0), max(self.high - self.value, 0.0)


@dataclass(frozen=True)
class Difference:
    """How far a number is from another.

    Attributes
    ----------
    value
        The first less the second.
    low, high
        The range of that difference; NaN where neither number has one.
    verdict
        ``higher``, ``lower`` or ``close``.
    """

    value: float
    low: float
    high: float
    verdict: Verdict


def difference(mine: Measured, other: Measured) -> Difference:
    """Return how far a percentage is from another, and what may be said of it.

    Parameters
    ----------
    mine, other
        Percentages with their ranges. A side without a range beside one with a range is taken at
        its value.

    Notes
    -----
    Higher or lower only where the range of the difference leaves 0 out and the difference is one
    point or more; without any range, from two points on.

    Examples
    --------
    >>> from lipgeo.portal.pages.differences import Measured, difference
    >>> difference(Measured(25.4), Measured(23.1)).verdict
    'higher'
    >>> likely = Measured(25.4, 23.4, 27.4, likely=True)
    >>> difference(likely, Measured(23.1, 21.1, 25.1, likely=True)).verdict
    'close'
    """
    apart = mine.value - other.value
    if not (mine.ranged or other.ranged):
        close = abs(apart) < CLOSE_POINTS
        return Difference(apart, math.nan, math.nan, _verdict(apart, close))
    # the difference is least where mine is lowest and the other highest
    (below, above), (under, over) = mine.arms, other.arms
    guessed = (mine.likely or not mine.ranged) and (other.likely or not other.ranged)
    low = apart - (math.hypot(below, over) if guessed else below + over)
    high = apart + (math.hypot(above, under) if guessed else above + under)
    close = low <= 0 <= high or abs(apart) < LEAST_POINTS
    return Difference(apart, low, high, _verdict(apart, close))


def _verdict(apart: float, close: bool) -> Verdict:
    return "close" if close else "higher" if apart > 0 else "lower"
