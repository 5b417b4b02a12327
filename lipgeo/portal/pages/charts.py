"""Charts of shares: bars with their ranges, as one drawing a page, a Word file and a PDF can hold.

Text does not grow or shrink with the page: bars do. Every number of a chart stands in the table
beside it. No line joins two censuses.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from lipgeo.report import fill_template
from lipgeo.words import say

__all__ = ["Bar", "BarGroup", "Chart", "chart_words", "draw_chart"]

#: letters of a label on a line, and of a place's name after its bar
_LABEL = 34
_PLACE = 18
#: part of the width that bars may take, in percent
_WIDE = 38.0
#: width of the narrowest range that still looks like one, in percent
_NARROWEST = 0.8
_LINE = 18
_BAR = 20


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes
    ----------
    place
        Of which place.
    value
        How long; ``None`` where only a range may be told.
    ranged
        From and to of its range, where it has one.
    text
        What stands after it.
    """

    place: str
    value: float | None
    ranged: tuple[float, float] | None
    text: str


@dataclass(frozen=True)
class BarGroup:
    """Bars of one indicator: the area's first."""

    label: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Chart:
    """All bars of a topic, on one scale."""

    title: str
    groups: Sequence[BarGroup]

    @property
    def top(self) -> float:
        """The end of the scale: the next ten above all there is."""
        ends = [
            end
            for group in self.groups
            for bar in group.bars
            for end in (bar.value or 0.0, *(bar.ranged or ()))
        ]
        return max(math.ceil(max(ends, default=0.0) / 10) * 10, 10)


def draw_chart(chart: Chart, *, width: int | None = None, font: str = "sans-serif") -> str:
    """Return a chart as SVG.

    Parameters
    ----------
    chart
        What to draw.
    width
        Of a drawing that stands by itself, in points; without it the drawing is as wide as the
        page it stands in, and its text as large as the page's.
    font
        Of its text.
    """
    labels, bars, height = _laid(chart)
    return fill_template(
        "portal/pages/chart.svg.jinja", title=chart.title, labels=labels, height=height + 4,
        width=width, font=font,
        own=[one for one in bars if one.own and one.value],
        beside=[one for one in bars if not one.own and one.value],
        ranges=[one for one in bars if not one.value],
        both=[one for one in bars if one.value and one.low],
        bars=bars,
    )  # fmt: skip


def chart_words(chart: Chart) -> str:
    """Return a chart in words: every bar."""
    told = [
        f"{group.label}: " + ", ".join(f"{bar.place} {bar.text}" for bar in group.bars)
        for group in chart.groups
    ]
    return say("site.chart_alt", title=chart.title, bars="; ".join(told))


@dataclass(frozen=True)
class _BarMark:
    """Where a bar lies: from above in points, across in percent, empty where there is none."""

    own: bool
    y: int
    value: str
    low: str
    wide: str
    high: str
    end: str
    text: str


def _laid(chart: Chart) -> tuple[list[tuple[int, str]], list[_BarMark], int]:
    """Return labels with where they stand, bars, and how high all of it is."""
    at = 0
    scale = _WIDE / chart.top
    labels, bars, bottom = [], [], 0
    for group in chart.groups:
        for text in textwrap.wrap(group.label, _LABEL):
            at += _LINE
            labels.append((at - 4, text))
            bottom = at
        for nth, bar in enumerate(group.bars):
            long = len(bar.place) > _PLACE
            place = bar.place[: _PLACE - 1].rstrip() + "…" if long else bar.place
            ends = [0.0 if bar.value is None else bar.value, *(bar.ranged or ())]
            low, high = bar.ranged or (0.0, 0.0)
            bars.append(
                _BarMark(
                    own=nth == 0,
                    y=at + 3,
                    value="" if bar.value is None else f"{bar.value * scale:.1f}",
                    low=f"{low * scale:.1f}" if bar.ranged else "",
                    wide=f"{max((high - low) * scale, _NARROWEST):.1f}" if bar.ranged else "",
                    high=f"{high * scale:.1f}" if bar.ranged else "",
                    end=f"{max(ends) * scale + 2:.1f}",
                    text=f"{bar.text} {place}",
                )
            )
            at += _BAR
            bottom = at
        at += 6
    return labels, bars, bottom
