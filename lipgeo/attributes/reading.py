"""One attribute file on its way to a table; what is wrong is gathered, then raised together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.attributes.columns import Column
from lipgeo.attributes.layouts import facts
from lipgeo.attributes.raw import Raw
from lipgeo.errors import CensusError, IdError, LipgeoError
from lipgeo.report import Finding, Severity, notes_of
from lipgeo.textfiles import to_numbers
from lipgeo.words import say

__all__ = ["Reading"]

COUNTS = ("population", "dwellings", "households")
NUMBERS = (*COUNTS, "land_km2", "x", "y")
NAMES = ("unit_name", "name_fr", "unit_type", "dguid")
_PARTS = {"CMA": "CMAP", "POPCTR": "POPCTRP"}

_NAME_AND_TYPE = r"^(?P<name>.*?)(?: \((?P<type>[^()]{1,5})\))?$"

_Flags = npt.NDArray[np.bool_]


class Reading:
    """The recognised columns of a file, and what was noted and found wrong while reading them.

    Parameters
    ----------
    raw, columns
        The file and what its columns hold.
    name
        File or layer name, which may say the level.
    vintage
        Census year, ``None`` where not known.
    """

    def __init__(self, raw: Raw, columns: Iterable[Column], name: str, vintage: int | None) -> None:
        self.raw = raw
        self.name = name
        self.columns = list(columns)
        self.text = raw.read([column.at for column in self.columns])
        self.text.columns = pd.RangeIndex(self.text.shape[1])
        self.notes: list[Finding] = [*raw.notes, *notes_of(self.text)]
        self.faults: list[tuple[type[LipgeoError], str, list[dict[str, Any]], dict[str, Any]]] = []
        #: the year whose forms the ids must have; the latest form where no year is known
        self.year = vintage if vintage is not None else self._year_of_blocks()
        # the population centre columns of the attribute file hold urban areas in 2006
        if "POPCTR" not in geography.levels(self.year):
            self.columns = [
                Column(c.at, c.name, "UA", c.role, c.vintage) if c.level == "POPCTR" else c
                for c in self.columns
            ]

    def _year_of_blocks(self) -> int:
        years: list[int] = list(geography.vintages())
        blocks = self.values("DB", "id")
        if blocks is None:
            return years[-1]
        length = blocks.astype("string").str.len().median()
        fitting = [year for year in years if geography.id_length("DB", year) == length]
        return (fitting or years)[-1]

    def note(self, check: str, severity: Severity = "note", **values: Any) -> None:
        """Add a finding; its sentence is ``attributes.<check>``."""
        sentence = say(f"attributes.{check}", name=self.raw.name, **values)
        self.notes.append(Finding(check, severity, self.raw.name, sentence))

    def fault(
        self, error: type[LipgeoError], key: str, problems: list[dict[str, Any]], /, **values: Any
    ) -> None:
        """Keep a fault for the end."""
        self.faults.append((error, key, problems, {"name": self.raw.name, **values}))

    def raise_faults(self) -> None:
        """Raise what was found wrong, all of it at once."""
        if not self.faults:
            return
        if len(self.faults) == 1:
            error, key, rows, values = self.faults[0]
            raise error(key, rows, **values)
        raise CensusError(
            "attributes.several_faults",
            [row for _, _, rows, _ in self.faults for row in rows],
            name=self.raw.name,
            faults=" ".join(say(key, **values) for _, key, _, values in self.faults),
        )

    def column(self, level: str, role: str) -> Column | None:
        """Return the column that holds a role of a level (empty: the rows' own)."""
        for column in self.columns:
            if (column.level, column.role) == (level, role):
                return column
        return None

    def values(self, level: str, role: str) -> pd.Series | None:
        """Return the cells of such a column."""
        column = self.column(level, role)
        return None if column is None else self.text[self.columns.index(column)]

    def own(self, level: str, role: str) -> tuple[Column, pd.Series] | None:
        """Return column and cells of the rows' own role, under their level or under none."""
        for slot in (level, ""):
            column, values = self.column(slot, role), self.values(slot, role)
            if column is not None and values is not None:
                return column, values
        return None

    # -- ids -----------------------------------------------------------------------------------

    def ids(self, level: str, *, own: bool = False) -> pd.Series | None:
        """Return the ids of a level, from its ids or its DGUIDs, restored; text, RangeIndex."""
        slots = (level, "") if own else (level,)
        given = [
            (column, values.reset_index(drop=True))
            for role in ("id", "dguid")
            for slot in slots
            if (column := self.column(slot, role)) is not None
            and (values := self.values(slot, role)) is not None
        ]
        if not given:
            return None
        # some copies leave the ids empty and give DGUIDs
        column, values = next((pair for pair in given if pair[1].notna().any()), given[0])
        if not own:
            values = self._without_none(column, values, level)
        if values.isna().all():
            return pd.Series(pd.NA, index=range(len(values)), dtype="string")
        read = self._of_ids if column.role == "id" else self._of_dguids
        return read(column, values, level)

    def _without_none(self, column: Column, given: pd.Series, level: str) -> pd.Series:
        """Blank the codes that the files give to blocks outside all units of a level."""
        table = facts()["none"]
        kinds, rural = self.values("CMA", "unit_type"), self.values(level, "class")
        if level in ("POPCTR", "UA") and rural is not None:
            given = given.mask(np.asarray(rural.isin(table["POPCTR_class"])))
        if level == "CT" and kinds is not None and kinds.notna().any():
            given = given.where(np.asarray(kinds.isin(table["CT_types"])))
        if column.role == "dguid" or pd.api.types.is_numeric_dtype(given):
            return given
        text = given.astype("string")
        text = text.mask(np.asarray(text.isin(_none(level))))
        zero = np.asarray(text.str.fullmatch(r"0+(\.0*)?").fillna(False), dtype=bool)
        if zero.any():  # no unit is called 0: some files write it for none
            self.note("zero_ids", column=column.name, level=level, rows=int(zero.sum()))
        return text.mask(zero)

    def _of_ids(self, column: Column, given: pd.Series, level: str) -> pd.Series:
        done = geography.restore_ids(given, level, self.year)
        self.notes += [
            Finding(f.check, f.severity, f"{level} {column.name}", f.message, f.value, f.limit)
            for f in done.report
            if f.severity != "error"  # what is refused is raised with its rows
        ]
        if len(done.refused):
            rows = done.refused.assign(row=done.refused["row"] + 1, column=column.name, level=level)
            self._refuse(column, level, rows.to_dict("records"), rows["reason"].unique())
        return done.ids

    def _of_dguids(self, column: Column, given: pd.Series, level: str) -> pd.Series:
        where, distinct = pd.factorize(given.astype("string"))
        unique = pd.Series(distinct, dtype="string")
        good = np.ones(len(unique), dtype=bool)
        try:
            parsed = geography.parse_dguids(unique)
        except IdError as error:
            good[[row["row"] for row in error.rows]] = False
            parsed = geography.parse_dguids(unique.where(good))
        good &= parsed["level"].eq(level).fillna(False).to_numpy(dtype=bool)
        if not good.all():
            rows = np.flatnonzero((where >= 0) & ~good[where])
            refused = [
                {
                    "row": int(row) + 1,
                    "column": column.name,
                    "level": level,
                    "given": given.iloc[row],
                }
                for row in rows
            ]
            self._refuse(column, level, refused, [say("attributes.no_dguid", level=level)])
        units = parsed["unit_id"].where(good)
        return units.take(np.maximum(where, 0)).reset_index(drop=True).mask(where < 0)

    def _refuse(
        self, column: Column, level: str, rows: list[dict[str, Any]], reasons: Iterable[str]
    ) -> None:
        self.fault(
            IdError,
            "attributes.refused_ids",
            rows,
            column=column.name,
            level=level,
            count=len(rows),
            cells=[f"{row['row']}: {row['given']}" for row in rows],
            reasons=list(reasons),
        )

    # -- the table -----------------------------------------------------------------------------

    def read(self, level: str) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
        """Return the frame and the names of :class:`~lipgeo.attributes.AttributeTable`."""
        ids = self.ids(level, own=True)
        if ids is None:
            raise CensusError(
                "attributes.no_ids", name=self.raw.name, columns=", ".join(self.raw.columns)
            )
        if not self.faults:
            blank = [int(row) + 1 for row in np.flatnonzero(ids.isna())]
            if blank:
                rows = [{"row": row} for row in blank]
                self.fault(CensusError, "attributes.blank_ids", rows, rows=blank)
        frame = pd.DataFrame({"unit_id": ids})
        self._own_names(frame, level)
        self._numbers(frame, level)
        frame["incomplete_reserve"] = self._reserves(frame, level)
        parents = self._parents(frame, level)
        self.raise_faults()
        twice = frame["unit_id"][frame["unit_id"].duplicated()].unique()
        if len(twice):
            self.note("duplicate_ids", "warning", ids=twice)
        names = {code: self._named(frame, code) for code in parents}
        return frame, {code: named for code, named in names.items() if named.shape[1] > 1}

    def _own_names(self, frame: pd.DataFrame, level: str) -> None:
        for role in NAMES:
            found = self.own(level, role)
            if found is None:
                continue
            text = found[1].astype("string").reset_index(drop=True)
            if not text.eq(frame["unit_id"]).all():  # a DA is called by its id: no name
                frame[role] = text
        if "unit_name" not in frame:
            self._name_under_another(frame, level)
        if "unit_name" in frame and "unit_type" not in frame:
            split = frame["unit_name"].str.extract(_NAME_AND_TYPE)
            if split["type"].notna().mean() > 0.5:
                frame["unit_name"] = split["name"].astype("string")
                frame["unit_type"] = split["type"].astype("string")
                self.note("type_in_name", level=level)

    def _name_under_another(self, frame: pd.DataFrame, level: str) -> None:
        """Take the name from a parent's name column where it names the rows, as in some copies."""
        for at, column in enumerate(self.columns):
            parent = self.values(column.level, "id")
            if column.role != "unit_name" or parent is None or column.level in ("PR", level):
                continue
            text = self.text[at].astype("string").reset_index(drop=True)
            if text.nunique() <= parent.nunique():
                continue
            frame["unit_name"] = text
            self.columns[at] = Column(column.at, column.name, "", "unused")
            self.note("own_name", column=column.name, level=level)
            return

    def _numbers(self, frame: pd.DataFrame, level: str) -> None:
        unread: list[dict[str, Any]] = []
        for role in NUMBERS:
            found = self.own(level, role)
            if found is None:
                frame[role] = np.nan
                continue
            column, given = found
            numbers, bad = to_numbers(given, self.raw.decimal)
            if role not in ("x", "y"):
                bad = bad | (numbers < 0)
            cells = given.to_numpy(dtype=object)
            unread += [
                {"row": int(row) + 1, "column": column.name, "given": cells[row]}
                for row in np.flatnonzero(bad)
            ]
            frame[role] = np.where(bad, np.nan, numbers)
        if unread:
            cells = [f"{row['column']} {row['row']}: {row['given']}" for row in unread]
            self.fault(CensusError, "attributes.unread_numbers", unread, cells=cells)

    def _reserves(self, frame: pd.DataFrame, level: str) -> _Flags:
        found = self.own(level, "incomplete_reserve")
        if found is None:
            return np.zeros(len(frame), dtype=bool)
        text = found[1].astype("string").fillna("").reset_index(drop=True)
        flagged = np.asarray(~text.isin(facts()["flags"]["no"]), dtype=bool)
        if not flagged.any():
            return flagged
        counted = flagged & np.asarray(frame["population"] > 0)
        for role in COUNTS:  # never enumerated: missing, not zero
            frame.loc[flagged & ~counted & np.asarray(frame[role] == 0), role] = np.nan
        letters = sorted(text[flagged].unique())
        self.note("reserves", units=int(flagged.sum()), letters=letters)
        if counted.any():
            self.note("counted_reserves", "warning", units=frame["unit_id"][counted].tolist())
        return flagged

    def _parents(self, frame: pd.DataFrame, level: str) -> list[str]:
        """Add the parent columns, from the file and from the ids; keep where the two disagree."""
        by_id = geography.parents_by_id(level, self.year)
        against: list[dict[str, Any]] = []
        added = []
        for parent in reversed(geography.levels(self.year)):
            if parent == level:
                continue
            given, held = self._given(parent), None
            if parent in by_id:
                held = geography.parent_ids(frame["unit_id"], level, self.year, parent)
            if given is not None and held is not None:
                differ = given.ne(held).fillna(False).to_numpy(dtype=bool)
                against += [
                    {
                        "row": int(row) + 1,
                        "unit_id": frame["unit_id"].iloc[row],
                        "level": parent,
                        "given": given.iloc[row],
                    }
                    for row in np.flatnonzero(differ)
                ]
            column = held if held is not None else given
            if column is not None:
                frame[parent] = column
                added.append(parent)
        if against:
            units = [f"{row['unit_id']}: {row['level']} {row['given']}" for row in against]
            self.fault(CensusError, "attributes.contradictions", against, units=units)
        return added

    def _given(self, parent: str) -> pd.Series | None:
        """Return the parents that the file gives, missing where a unit lies in none."""
        given = self.ids(parent)
        if given is not None or parent not in _PARTS:
            return given
        part = self.ids(_PARTS[parent])
        if part is None:
            return None
        whole = geography.parent_ids(part, _PARTS[parent], self.year, parent)
        return whole.mask(np.asarray(whole.isin(_none(parent))))

    def _named(self, frame: pd.DataFrame, code: str) -> pd.DataFrame:
        first = np.asarray(~frame[code].duplicated() & frame[code].notna())
        named = {"unit_id": frame[code][first].reset_index(drop=True)}
        for role in (*NAMES, "x", "y"):
            # provinces have a bilingual name and one in each language
            given = self.values(code, "name_en") if role == "unit_name" else None
            given = given if given is not None else self.values(code, role)
            if given is None:
                continue
            kept = given.reset_index(drop=True)[first].reset_index(drop=True)
            named[role] = (
                pd.Series(to_numbers(kept, self.raw.decimal)[0])
                if role in ("x", "y")
                else kept.astype("string")
            )
        return pd.DataFrame(named)


def _none(level: str) -> list[str]:
    """Ids of a level that mean none (see ``[none]`` of ``layouts.toml``)."""
    table: Mapping[str, list[str]] = facts()["none"]
    if level == "CMA":
        return list(table["CMA"])
    return [f"{cma}{name}" for cma in table["CMA"] for name in table["CT"]] if level == "CT" else []
