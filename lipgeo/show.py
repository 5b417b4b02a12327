"""How objects show themselves: one card, as HTML for a notebook and as text for a terminal.

Every object that a person meets describes itself once, as a :class:`Card`; :class:`Shown` turns
that into what notebooks (``_repr_html_``) and the ``rich`` library (``__rich__``) ask for. Names
come from files: everything is escaped, so markup in a name is shown and never obeyed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lipgeo.words import catalogue, number, say

__all__ = ["Card", "Shown", "flag_words"]

#: rows of a table shown before the rest is counted
_ROWS = 12
#: widest cell of a table in a terminal
_WIDE = 40
#: what rich takes for a style, with the backslashes before it
_TAG = re.compile(r"(\\*)(\[[a-z#/@][^[]*?])")


@dataclass(frozen=True)
class Card:
    """What an object says of itself.

    Attributes
    ----------
    title
        One sentence.
    table
        Rows to look at first; the first dozen are shown and the rest counted.
    heads
        Heading of each column shown, in order; other columns are not shown.
    shares
        Columns written as percentages.
    """

    title: str
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    heads: Mapping[str, str] = field(default_factory=dict)
    shares: Sequence[str] = ()

    def _cells(self) -> list[list[str]]:
        shown = self.table.head(_ROWS)
        columns = [self._column(shown[name], name in self.shares) for name in self.heads]
        return [list(row) for row in zip(*columns, strict=True)]

    def _column(self, values: pd.Series, share: bool) -> list[str]:
        return [_cell(value, share) for value in values]

    def _right(self) -> list[bool]:
        numeric = pd.api.types.is_numeric_dtype
        boolean = pd.api.types.is_bool_dtype
        return [numeric(self.table[n]) and not boolean(self.table[n]) for n in self.heads]

    def _more(self) -> str:
        more = len(self.table) - _ROWS
        return say("show.more", more=more) if more > 0 else ""

    def html(self) -> str:
        """Return the card as HTML, for a notebook."""
        parts = [f"<p><strong>{html.escape(self.title)}</strong></p>"]
        cells = self._cells()
        if cells:
            right = self._right()
            head = "".join(
                f'<th scope="col" style="text-align:{_side(r)}">{html.escape(name)}</th>'
                for name, r in zip(self.heads.values(), right, strict=True)
            )
            body = "".join(
                "<tr>"
                + "".join(
                    f'<td style="text-align:{_side(r)}">{html.escape(cell)}</td>'
                    for cell, r in zip(row, right, strict=True)
                )
                + "</tr>"
                for row in cells
            )
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        if more := self._more():
            parts.append(f"<p>{html.escape(more)}</p>")
        return "".join(parts)

    def text(self) -> str:
        """Return the card as plain text, for a terminal."""
        return "\n".join([self.title, *self._lines()])

    def markup(self) -> str:
        """Return the card in rich's markup, square brackets of names escaped."""
        return "\n".join(
            [f"[bold]{_unmarked(self.title)}[/bold]", *(_unmarked(line) for line in self._lines())]
        )

    def _lines(self) -> list[str]:
        cells = self._cells()
        if not cells:
            return []
        rows = [[_cut(cell) for cell in row] for row in [list(self.heads.values()), *cells]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        right = self._right()
        lines = [
            "  ".join(
                cell.rjust(width) if r else cell.ljust(width)
                for cell, width, r in zip(row, widths, right, strict=True)
            ).rstrip()
            for row in rows
        ]
        return [*lines, *([self._more()] if self._more() else [])]


class Shown:
    """An object that shows itself; its class gives :meth:`_card`."""

    def _card(self) -> Card:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return self._card().html()

    def __rich__(self) -> str:
        return self._card().markup()


def _side(right: bool) -> str:
    return "right" if right else "left"


def _cell(value: object, share: bool) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return say("show.yes") if value else say("show.no")
    if isinstance(value, int | float | np.integer | np.floating):
        if share:
            return say("show.percent", share=float(value))
        whole = float(value).is_integer() or abs(float(value)) >= 1000
        return number(float(value), 0 if whole else 3)
    return " ".join(str(value).split())


def _cut(cell: str) -> str:
    return cell if len(cell) <= _WIDE else cell[: _WIDE - 1] + "…"


def _unmarked(text: str) -> str:
    # as rich.markup.escape: [word] would be a style, and a last backslash would escape ours
    escaped = _TAG.sub(r"\1\1\\\2", text)
    return escaped + "\\" if escaped.endswith("\\") and not escaped.endswith("\\\\") else escaped


def flag_words(flags: str) -> str:
    """Return ``;``-joined flags in words; a flag without words stays as it is.

    Examples
    --------
    >>> from lipgeo.show import flag_words
    >>> flag_words("below_floor;overlap")
    'fewer people than the confidentiality floor; shares units with another area'
    """
    known = catalogue()
    return "; ".join(
        say(f"flags.{flag}") if f"flags.{flag}" in known else flag for flag in flags.split(";")
    )
