"""Names of places, found again however they are written; candidates, never a choice."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.geography import fold

__all__ = ["MATCHES", "NameIndex", "key", "spellings"]

#: how a candidate fits, best first
MATCHES = ("code", "exact", "starts", "contains", "close")

_SAINTS = {"st": "saint", "ste": "sainte", "sts": "saints", "stes": "saintes"}
#: what people put before a name; taken off only when the name as given is nobody's
_KINDS = re.compile(
    r"^(the\s+)?((regional|district|rural|united)\s+)?"
    r"(city|town|village|township|county|counties|region|municipality|district|hamlet|parish)\s+of\s+"
    r"|^(la\s+|le\s+)?(ville|village|municipalit[ée]|paroisse|canton|comt[ée]|r[ée]gion|district)"
    r"\s+(de\s+la\s+|de\s+|du\s+|des\s+|d['’]\s*)",
    re.IGNORECASE,
)
_REMARK = re.compile(r"\s*\([^()]*\)$")
#: shorter words are in every other name
_SHORTEST = 3
#: likeness of a close spelling (difflib's ratio), and how many are shown
_CLOSE, _MANY = 0.8, 10


def key(text: str) -> str:
    """Return what a name is compared by: folded, St. and Ste written out.

    Examples
    --------
    >>> from lipgeo.census.names import key
    >>> key("St. John's"), key("SAINT-JEAN"), key("Ste-Thérèse")
    ('saintjohns', 'saintjean', 'saintetherese')
    """
    words = re.split(r"[\s.\-–—/]+", text)
    return "".join(_SAINTS.get(word, word) for word in map(fold, words))


def spellings(name: str) -> Iterator[str]:
    """Return a name, the name without a remark in brackets, and each half of a bilingual one.

    Examples
    --------
    >>> from lipgeo.census.names import spellings
    >>> list(spellings("Greater Sudbury / Grand Sudbury"))
    ['Greater Sudbury / Grand Sudbury', 'Greater Sudbury', 'Grand Sudbury']
    >>> list(spellings("Lloydminster (Part)"))
    ['Lloydminster (Part)', 'Lloydminster']
    """
    yield name
    bare = _REMARK.sub("", name)
    if bare and bare != name:
        yield bare
    if " / " in bare:
        yield from bare.split(" / ")


class NameIndex:
    """The names of many units, indexed once.

    Parameters
    ----------
    names, names_fr
        Name of each unit, and its French name where there is one; missing or empty where none.
    """

    def __init__(self, names: pd.Series, names_fr: pd.Series | None = None) -> None:
        keys: list[str] = []
        rows: list[int] = []
        for column in (names, names_fr):
            if column is None:
                continue
            known = column.notna().to_numpy()
            for row, name in zip(np.flatnonzero(known), column[known], strict=True):
                for spelling in spellings(name):
                    keys.append(key(spelling))
                    rows.append(int(row))
        self._keys = np.array(keys, dtype=object)
        self._rows = np.array(rows, dtype=np.int64)
        # one text with marks between names: a search in it is a search in all of them
        self._starts = np.cumsum([0, *(len(k) + 1 for k in keys)])
        self._text = "\n".join(keys) + "\n"

    def find(self, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
        """Return rows that may bear a name, best first and then in order, and how each fits.

        Close spellings come only where no name is the one given.
        """
        best: dict[int, str] = {}
        wanted = key(name)
        if not wanted:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=object)
        bare = key(_KINDS.sub("", name))
        self._take(best, "exact", np.flatnonzero(self._keys == wanted))
        if not best and bare and bare != wanted:
            self._take(best, "exact", np.flatnonzero(self._keys == bare))
            wanted = bare
        exact = bool(best)
        if len(wanted) >= _SHORTEST:
            found = self._holding(wanted)
            starting = np.array([self._keys[k].startswith(wanted) for k in found], dtype=bool)
            self._take(best, "starts", found[starting])
            self._take(best, "contains", found[~starting])
        if not exact:
            near = difflib.get_close_matches(wanted, set(self._keys.tolist()), _MANY, _CLOSE)
            self._take(best, "close", np.flatnonzero(np.isin(self._keys, near)))
        ordered = sorted(best, key=lambda row: (MATCHES.index(best[row]), row))
        return np.array(ordered, dtype=np.int64), np.array([best[r] for r in ordered], dtype=object)

    def _holding(self, wanted: str) -> npt.NDArray[np.int64]:
        places = [match.start() for match in re.finditer(re.escape(wanted), self._text)]
        found = np.searchsorted(self._starts, np.array(places, dtype=np.int64), "right") - 1
        return np.unique(found)

    def _take(self, best: dict[int, str], match: str, places: npt.NDArray[np.int64]) -> None:
        for row in self._rows[places]:
            best.setdefault(int(row), match)
