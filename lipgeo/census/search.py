"""Find the census units that a name or a code may mean: candidates, never a choice.

A name is found however it is written: accents, case, St. and Saint, halves of bilingual names.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.census.data import TEXT, CensusData, Rows
from lipgeo.census.units import UnitRows
from lipgeo.errors import InputError
from lipgeo.geography.hierarchy import facts, fold

__all__ = ["MATCHES", "NameIndex", "Search", "key", "spellings"]

#: how a candidate fits, best first
MATCHES = ("code", "exact", "starts", "contains", "close")

_SAINTS = {"st": "saint", "ste": "sainte", "sts": "saints", "stes": "saintes"}
_MARKS = re.compile(r"[\s.\-–—/]+")
#: what people put before a name; taken off only when the name as given is nobody's
_KINDS = re.compile(
    r"^(the\s+)?((regional|district|rural|united)\s+)?"
    r"(city|town|village|township|county|counties|region|municipality|district|hamlet|parish)\s+of\s+"
    r"|^(la\s+|le\s+)?(ville|village|municipalit[ée]|paroisse|canton|comt[ée]|r[ée]gion|district)"
    r"\s+(de\s+la\s+|de\s+|du\s+|des\s+|d['’]\s*)",
    re.IGNORECASE,
)
_REMARK = re.compile(r"(?<!\s)\s*\([^()]*\)$")
#: shorter words are in every other name
_SHORTEST = 3
#: likeness of a close spelling (difflib's ratio), and how many are shown
_CLOSE, _MANY = 0.8, 10


def key(text: str) -> str:
    """Return what a name is compared by: folded, St. and Ste written out.

    Examples
    --------
    >>> from lipgeo.census.search import key
    >>> key("St. John's"), key("SAINT-JEAN"), key("Ste-Thérèse")
    ('saintjohns', 'saintjean', 'saintetherese')
    """
    return "".join(map(_key_of_word, _MARKS.split(text)))


@lru_cache(maxsize=1 << 16)  # names of a country share most of their words
def _key_of_word(word: str) -> str:
    folded = fold(word)
    return _SAINTS.get(folded, folded)


def spellings(name: str) -> Iterator[str]:
    """Return a name, the name without a remark in brackets, and each half of a bilingual one.

    Examples
    --------
    >>> from lipgeo.census.search import spellings
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
            found = self._names_with(wanted)
            starting = np.array([self._keys[k].startswith(wanted) for k in found], dtype=bool)
            self._take(best, "starts", found[starting])
            self._take(best, "contains", found[~starting])
        if not exact:
            near = difflib.get_close_matches(wanted, set(self._keys.tolist()), _MANY, _CLOSE)
            self._take(best, "close", np.flatnonzero(np.isin(self._keys, near)))
        ordered = sorted(best, key=lambda row: (MATCHES.index(best[row]), row))
        return np.array(ordered, dtype=np.int64), np.array([best[r] for r in ordered], dtype=object)

    def _names_with(self, wanted: str) -> npt.NDArray[np.int64]:
        """Return the positions of the names that hold a text anywhere."""
        places = [match.start() for match in re.finditer(re.escape(wanted), self._text)]
        found = np.searchsorted(self._starts, np.array(places, dtype=np.int64), "right") - 1
        return np.unique(found)

    def _take(self, best: dict[int, str], match: str, places: npt.NDArray[np.int64]) -> None:
        for row in self._rows[places]:
            best.setdefault(int(row), match)


_COLUMNS = ("level", "unit_id", "name", "type", "province", "population", "match")
#: what is read of each level
_READ = ("unit_id", "unit_name", "name_fr", "unit_type", "PR", "population")


class Search:
    """The names and codes of a census, read and indexed when first asked.

    Parameters
    ----------
    data
        The census.
    unit_rows
        Where its units stand.
    """

    def __init__(self, data: CensusData, unit_rows: UnitRows) -> None:
        self._data = data
        self._unit_rows = unit_rows

    def find(self, name: str, level: str | None, province: str | None) -> pd.DataFrame:
        """Return candidates; see :meth:`lipgeo.census.Census.find`."""
        levels = None if level is None else (geography.level(level).code,)
        where = None if province is None else geography.province(province)
        found = self._by_code(name, levels)
        for text, kind, place in _readings(name):
            if found["match"].isin(("code", "exact")).any():
                break
            rows, match = self._names.find(text)
            candidates = self._named_units.iloc[rows].assign(match=match)
            if kind:
                candidates = candidates[candidates["type"].map(fold, na_action="ignore") == kind]
            if place:
                candidates = candidates[_lies_in(candidates["province"], place)]
            # a later reading counts where it is a name, or where the first ones are nobody's
            if not len(found) or candidates["match"].eq("exact").any():
                found = candidates
        if levels:
            found = found[found["level"].isin(levels)]
        if where:
            found = found[_lies_in(found["province"], _abbreviation(where))]
        rank = found["match"].map(MATCHES.index)
        coarse = found["level"].map({code: k for k, code in enumerate(reversed(self._data.levels))})
        order = np.lexsort([found["unit_id"], coarse, -found["population"].fillna(-1), rank])
        return self._with_published(found.iloc[order].reset_index(drop=True))[list(_COLUMNS)]

    @property
    def has_names(self) -> bool:
        """Whether any unit has a name."""
        return not self._named_units.empty

    # -- names ---------------------------------------------------------------------------------

    @cached_property
    def _named_units(self) -> pd.DataFrame:
        """Every unit that has a name."""
        frames = [
            self._units(level)
            for level in self._data.levels
            if "unit_name" in self._data.columns(level)
        ]
        if not frames:
            return self._units(self._data.levels[0]).iloc[:0]
        named = pd.concat(frames, ignore_index=True)
        return named[named["name"].notna()].reset_index(drop=True)

    @cached_property
    def _names(self) -> NameIndex:
        return NameIndex(self._named_units["name"], self._named_units["name_fr"])

    def _units(self, level: str, rows: Rows | None = None) -> pd.DataFrame:
        held = [name for name in _READ if name in self._data.columns(level)]
        frame = self._data.attributes(level, held, rows)
        for name in ("unit_name", "name_fr", "unit_type", "PR"):
            if name not in frame:
                frame[name] = pd.Series(pd.NA, index=frame.index, dtype=TEXT)
        if "population" not in frame:
            frame["population"] = np.nan
        frame["level"] = level
        if level == "PR":
            frame["PR"] = frame["unit_id"]
        frame["province"] = frame["PR"].map(_abbreviation, na_action="ignore").astype(TEXT)
        if level != "PR" and frame["province"].isna().any():
            frame = self._place(level, frame)
        return frame.rename(columns={"unit_name": "name", "unit_type": "type"})

    def _place(self, level: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Fill the provinces of units that may lie in several from the coarsest units inside."""
        for child in reversed(self._data.levels[: self._data.levels.index(level)]):
            if not {level, "PR"} <= set(self._data.columns(child)):
                continue
            parts = self._data.attributes(child, [level, "PR"]).dropna().drop_duplicates()
            parts = parts.sort_values([level, "PR"])
            parts["PR"] = parts["PR"].map(_abbreviation)
            several = parts[level].duplicated(keep=False)  # few lie in more than one
            together = pd.concat(
                [
                    parts[~several].set_index(level)["PR"],
                    parts[several].groupby(level)["PR"].agg(";".join),
                ]
            )
            inside = frame["unit_id"].map(together).astype(TEXT)
            frame["province"] = frame["province"].fillna(inside)
            break
        return frame

    # -- codes ---------------------------------------------------------------------------------

    def _by_code(self, given: str, levels: tuple[str, ...] | None) -> pd.DataFrame:
        """Return the units whose code, level and code, or DGUID this is."""
        code = given.strip()
        level, mark, rest = code.partition(":")
        if re.fullmatch(r"\d{4}[AS]\d{4}\S+", code):
            try:
                dguid = geography.parse_dguid(code)
            except InputError:
                return self._named_units.iloc[:0].assign(match="")
            levels, code = (dguid.level,), dguid.unit_id
        elif mark:
            try:
                levels, code = (geography.level(level.strip()).code,), rest.strip()
            except InputError:  # a name with a colon in it
                return self._named_units.iloc[:0].assign(match="")
        found = []
        for held in self._data.levels:
            if levels is not None and held not in levels:
                continue
            if len(code) != geography.id_length(held, self._data.vintage):
                continue
            rows = self._unit_rows.find(held, [code.upper()])
            if rows[0] >= 0:
                found.append(self._units(held, rows).assign(match="code"))
        if not found:
            return self._named_units.iloc[:0].assign(match="")
        return pd.concat(found, ignore_index=True)

    def _with_published(self, found: pd.DataFrame) -> pd.DataFrame:
        """Show the published population where one is known: the store may hold a part."""
        if not len(found):
            return found
        published = self._data.meta.get("published", {})
        known = [
            (published.get(level) or {}).get(unit, {}).get("population", np.nan)
            for level, unit in zip(found["level"], found["unit_id"], strict=True)
        ]
        return found.assign(
            population=pd.Series(known, dtype="float64").fillna(found["population"])
        )


def _readings(name: str) -> list[tuple[str, str, str]]:
    """Return ways to read a name: (name, type, province), the name alone first."""
    readings = [(name, "", "")]
    head, mark, tail = name.rpartition("(") if name.endswith(")") else name.rpartition(",")
    tail = tail.strip(" )")
    if mark and head.strip() and tail:
        try:
            readings.append((head.strip(), "", _abbreviation(geography.province(tail))))
        except InputError:
            readings.append((head.strip(), fold(tail), ""))
    return readings


def _lies_in(provinces: pd.Series, abbreviation: str) -> pd.Series:
    return provinces.fillna("").str.split(";").map(lambda held: abbreviation in held).astype(bool)


def _abbreviation(province: str) -> str:
    known = facts()["provinces"].get(province)
    # a store may hold what is no province: it is called by its code
    return str(known["abbr"][0]) if known is not None else province
