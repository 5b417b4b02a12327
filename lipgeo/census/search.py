"""From a name or a code to the census units it may mean."""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np
import pandas as pd

from lipgeo import geography
from lipgeo.census.data import TEXT, CensusData, Rows
from lipgeo.census.names import MATCHES, NameIndex
from lipgeo.errors import InputError
from lipgeo.geography import fold
from lipgeo.geography.hierarchy import facts

__all__ = ["Search"]

_COLUMNS = ("level", "unit_id", "name", "type", "province", "population", "match")
#: what is read of each level
_READ = ("unit_id", "unit_name", "name_fr", "unit_type", "PR", "population")


class Search:
    """The names and codes of a census, read and indexed when first asked.

    Parameters
    ----------
    data
        The census.
    """

    def __init__(self, data: CensusData) -> None:
        self._data = data

    def find(self, name: str, level: str | None, province: str | None) -> pd.DataFrame:
        """Return candidates; see :meth:`lipgeo.census.Census.find`."""
        levels = None if level is None else (geography.level(level).code,)
        where = None if province is None else geography.province(province)
        found = self._by_code(name, levels)
        for text, kind, place in _readings(name):
            if found["match"].isin(("code", "exact")).any():
                break
            rows, match = self._names.find(text)
            candidates = self._named.iloc[rows].assign(match=match)
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
    def named(self) -> bool:
        """Whether any unit has a name."""
        return not self._named.empty

    # -- names ---------------------------------------------------------------------------------

    @cached_property
    def _named(self) -> pd.DataFrame:
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
        return NameIndex(self._named["name"], self._named["name_fr"])

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
        if frame["province"].isna().any():
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
            together = parts.groupby(level)["PR"].agg(";".join)
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
                return self._named.iloc[:0].assign(match="")
            levels, code = (dguid.level,), dguid.unit_id
        elif mark:
            try:
                levels, code = (geography.level(level.strip()).code,), rest.strip()
            except InputError:  # a name with a colon in it
                return self._named.iloc[:0].assign(match="")
        found = []
        for held in self._data.levels:
            if levels is not None and held not in levels:
                continue
            if len(code) != geography.id_length(held, self._data.vintage):
                continue
            ids = self._data.attributes(held, ["unit_id"])["unit_id"]
            rows = np.flatnonzero((ids == code.upper()).to_numpy(dtype=bool))
            if len(rows):
                found.append(self._units(held, rows).assign(match="code"))
        if not found:
            return self._named.iloc[:0].assign(match="")
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
    return str(facts()["provinces"][province]["abbr"][0])
