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

__all__ = ["Card", "Shown", "flag_words", "heads"]

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
    of
        Rows there are, where the table is only the first of them.
    """

    title: str
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    heads: Mapping[str, str] = field(default_factory=dict)
    shares: Sequence[str] = ()
    of: int | None = None

    def _shown(self) -> list[tuple[str, bool, list[str]]]:
        """Return heading, whether it holds numbers, and cells of each column that says anything."""
        rows = self.table.head(_ROWS)
        columns = [
            (
                head,
                _numeric(rows[name]),
                [_cell(value, name in self.shares) for value in rows[name]],
            )
            for name, head in self.heads.items()
        ]
        return [column for column in columns if any(column[2])]

    def _more(self) -> str:
        more = (len(self.table) if self.of is None else self.of) - _ROWS
        return say("show.more", more=more) if more > 0 else ""

    def html(self) -> str:
        """Return the card as HTML, for a notebook."""
        parts = [f"<p><strong>{html.escape(self.title)}</strong></p>"]
        columns = self._shown()
        if columns:
            sides = ["right" if numeric else "left" for _, numeric, _ in columns]
            head = "".join(
                f'<th scope="col" style="text-align:{side}">{html.escape(name)}</th>'
                for (name, _, _), side in zip(columns, sides, strict=True)
            )
            body = "".join(
                "<tr>"
                + "".join(
                    f'<td style="text-align:{side}">{html.escape(cell)}</td>'
                    for cell, side in zip(row, sides, strict=True)
                )
                + "</tr>"
                for row in zip(*(cells for _, _, cells in columns), strict=True)
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
        columns = self._shown()
        if not columns:
            return []
        aligned = []
        for place, (head, numeric, cells) in enumerate(columns):
            last = place == len(columns) - 1
            words = [head, *cells] if last else [_cut(cell) for cell in (head, *cells)]
            width = 0 if last and not numeric else max(map(len, words))
            aligned.append([w.rjust(width) if numeric else w.ljust(width) for w in words])
        lines = ["  ".join(row).rstrip() for row in zip(*aligned, strict=True)]
        return [*lines, *([self._more()] if self._more() else [])]


class Shown:
    """An object that shows itself; its class gives :meth:`_card`."""

    def _card(self) -> Card:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return self._card().html()

    def __rich__(self) -> str:
        return self._card().markup()


def heads(*columns: str) -> dict[str, str]:
    """Return the heading of each column, in the language in force."""
    return {name: say(f"show.head_{name}") for name in columns}


def _numeric(values: pd.Series) -> bool:
    types = pd.api.types
    return types.is_numeric_dtype(values) and not types.is_bool_dtype(values)


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
