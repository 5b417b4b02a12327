"""Delimited and fixed-width text as people send it: its form is found, said, and read as text.

Nothing is guessed in silence: :func:`sniff` returns what it took a file to be, with a note for
each assumption, and :func:`read_text_table` reads by that form and no other.
"""

from __future__ import annotations

from lipgeo.textfiles.fixed import read_fixed_table
from lipgeo.textfiles.numbers import MISSING, to_numbers
from lipgeo.textfiles.sniffing import TextForm, TextSource, sniff
from lipgeo.textfiles.tables import read_text_table

__all__ = [
    "MISSING",
    "TextForm",
    "TextSource",
    "read_fixed_table",
    "read_text_table",
    "sniff",
    "to_numbers",
]
