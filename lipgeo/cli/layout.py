"""Lay a table out for a terminal: how wide each column is, and which of them there is room for.

A number is never broken, a word hardly ever; headings of numbers go over several lines, and texts
take the room that is left.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["column_widths"]

#: what a column takes beside its text
_GAP = 3
#: a longer word (an address) is broken
_LONGEST = 24
#: a word is never broken into shorter pieces
_SHORTEST = 8


def column_widths(
    columns: Sequence[Sequence[str]], numeric: Sequence[bool], room: int, *, keep: int = 0
) -> list[int]:
    """Return how wide each column is; fewer than there are columns where the last do not fit.

    Parameters
    ----------
    columns
        Heading and cells of each column.
    numeric
        Whether its cells are numbers.
    room
        Characters of a line.
    keep
        How many columns from the left are never left out; all where 0.

    Examples
    --------
    >>> from lipgeo.cli.layout import column_widths
    >>> names = ["Name", "Local Immigration Partnership of the Bay"]
    >>> column_widths([names, ["People inside", "1,234"]], [False, True], 40)
    [27, 6]
    >>> column_widths([names, ["a", "1"], ["b", "2"]], [False, True, True], 22, keep=2)
    [14, 1]
    """
    least = [_least(*column) for column in zip(columns, numeric, strict=True)]
    kept = len(columns)
    while keep and kept > keep and sum(least[:kept]) + _GAP * kept > room - 1:
        kept -= 1
    widths = least[:kept]
    _squeeze(widths, numeric, room - 1 - _GAP * kept)
    wanted = [
        width if number else max(map(len, column))
        for column, number, width in zip(columns, numeric, widths, strict=False)
    ]
    spare = room - 1 - sum(widths) - _GAP * kept
    # a letter at a time to the narrowest: short texts are whole before long ones grow
    while spare > 0 and widths != wanted:
        widths[min((k for k in range(kept) if widths[k] < wanted[k]), key=lambda k: widths[k])] += 1
        spare -= 1
    return widths


def _squeeze(widths: list[int], numeric: Sequence[bool], room: int) -> None:
    """Break the longest words where there is no room even for whole words; codes stay whole."""
    while sum(widths) > room:
        texts = [k for k in range(1, len(widths)) if not numeric[k] and widths[k] > _SHORTEST]
        if not texts:
            return
        widths[max(texts, key=lambda k: widths[k])] -= 1


def _least(column: Sequence[str], number: bool) -> int:
    head, *cells = column
    words = [len(word) for text in ([head] if number else column) for word in text.split()]
    longest = min(max(words, default=1), _LONGEST)
    return max([longest, *map(len, cells)] if number else [longest])
