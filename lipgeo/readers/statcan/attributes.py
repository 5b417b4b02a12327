"""Read a census attribute file, as published, into one table of units with their parents.

The level of its rows is found from the file; what is wrong is gathered, then raised together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.arrays import Flags
from lipgeo.errors import CensusError, IdError, InputError, LipgeoError
from lipgeo.geography.dguids import level_of
from lipgeo.readers.components import compose_ids, composing_columns
from lipgeo.readers.statcan.columns import Column, counts_in, facts, has_sign, recognise
from lipgeo.readers.statcan.raw import Raw, raw_of_frame, read_raw
from lipgeo.readers.text import to_numbers
from lipgeo.report import CheckReport, Faults, Finding, Severity, finding, notes_of
from lipgeo.words import say

__all__ = ["AttributeTable", "Reading", "find_level", "from_frame", "read_attributes"]


def find_level(reading: Reading, said: str | None) -> str:
    """Return the level of the rows.

    Parameters
    ----------
    reading
        The file.
    said
        The level the caller names, ``None`` to find it.

    Raises
    ------
    CensusError
        Nothing says it, or rows are of several.
    """
    held = {column.level for column in reading.columns if column.role in ("id", "dguid")}
    everything = ", ".join(reading.raw.columns)
    if said is not None:
        if not held & {said, ""}:
            raise CensusError(
                "readers.no_id_column", name=reading.raw.name, level=said, columns=everything
            )
        return said
    if not held:
        raise CensusError("readers.no_ids", name=reading.raw.name, columns=everything)
    fine = [code for code in geography.levels(reading.year) if code in held]
    if reading.column("", "id") is None and fine:
        return str(fine[0])
    found = _level_of_rows(reading) or _level_of_dguids(reading) or _level_of_name(reading)
    if found is None:
        column = reading.column("", "id") or reading.column("", "dguid")
        raise CensusError(
            "readers.which_level", name=reading.raw.name, column=column.name if column else ""
        )
    return found


#: what stands for Canada in a column of levels
_COUNTRY = ("country", "pays", "canada")


def _level_of_rows(reading: Reading) -> str | None:
    kinds = _kinds_of_rows(reading)
    return None if kinds is None else _only_one(reading, kinds, "level")


def _level_of_dguids(reading: Reading) -> str | None:
    kinds = _kinds_of_dguids(reading)
    return None if kinds is None else _only_one(reading, kinds, "dguid")


def _only_one(reading: Reading, kinds: pd.Series, role: str) -> str | None:
    """Return the one level of the rows; ask where there are several."""
    found, column = sorted(kinds.dropna().unique()), reading.column("", role)
    if len(found) > 1:
        raise CensusError(
            "readers.several_levels",
            name=reading.raw.name,
            column=column.name if column else "",
            levels=found,
        )
    return str(found[0]) if found else None


def _kinds_of_rows(reading: Reading) -> pd.Series | None:
    """Return the level of each row by the column that names it, missing where it names none."""
    kinds = reading.values("", "level")
    if kinds is None:
        return None
    try:
        codes = {
            kind: "CAN"
            if geography.fold(str(kind)) in _COUNTRY
            else geography.level(str(kind)).code
            for kind in kinds.dropna().unique()
        }
    except InputError:  # a column of that name that holds something else
        return None
    return kinds.map(codes)


def _kinds_of_dguids(reading: Reading) -> pd.Series | None:
    """Return the level of each row by its DGUID, missing where it is none."""
    given = reading.values("", "dguid")
    if given is None or given.isna().all():
        return None
    heads = given.astype("string").str.extract(r"^(\d{4}[AS]\d{4}).", expand=False)
    codes: dict[str, str] = {}
    for head in heads.dropna().unique():
        found = level_of(head[4:], int(head[:4]))
        if found is not None:
            codes[head] = found[0]
    return heads.map(codes)


def _leave_other_levels(reading: Reading, code: str) -> None:
    """Leave out the rows that say they are of another level, and count them."""
    for kinds in (_kinds_of_rows(reading), _kinds_of_dguids(reading)):
        if kinds is None:
            continue
        others = (kinds.notna() & kinds.ne(code)).to_numpy(dtype=bool)
        if not others.any():
            continue
        if others.all():
            raise CensusError("readers.level_absent", name=reading.raw.name, level=code)
        reading.keep(~others)
        reading.note("other_levels", value=int(others.sum()), count=int(others.sum()), level=code)


def _level_of_name(reading: Reading) -> str | None:
    ids = reading.values("", "id")
    if ids is None:
        return None
    for word in re.split(r"[^a-z]+", reading.name.lower()):
        try:
            code: str = geography.level(word).code if word else ""
        except InputError:
            continue
        if code not in geography.levels(reading.year):
            continue
        if geography.are_ids(ids.dropna().astype("string"), code, reading.year).mean() > 0.5:
            reading.note("level_from_name", "warning", level=code)
            return code
    return None


COUNTS = ("population", "dwellings", "households")
NUMBERS = (*COUNTS, "land_km2", "x", "y")
NAMES = ("unit_name", "name_fr", "unit_type", "dguid")

_NAME_AND_TYPE = r"^(?P<name>.*?)(?: \((?P<type>[^()]{1,5})\))?$"


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
        #: positions in the file of the rows that are looked at
        self.rows = np.arange(len(self.text))
        self.faults = Faults()
        self._last: tuple[type[LipgeoError], str, dict[str, Any]] | None = None
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

    def keep(self, wanted: Flags) -> None:
        """Look at some rows only."""
        self.text = self.text[wanted].reset_index(drop=True)
        self.rows = self.rows[wanted]

    def note(self, check: str, severity: Severity = "note", **values: Any) -> None:
        """Add a finding; its sentence is ``attributes.<check>``."""
        name = self.raw.name
        self.notes.append(finding(f"readers.{check}", severity, name, name=name, **values))

    def fault(
        self, error: type[LipgeoError], key: str, problems: list[dict[str, Any]], /, **values: Any
    ) -> None:
        """Keep a fault for the end."""
        values = {"name": self.raw.name, **values}
        self.faults.add_as_told(key, problems, **values)
        self._last = (error, key, values)

    def raise_faults(self) -> None:
        """Raise what was found wrong, all of it at once."""
        if len(self.faults.sentences) == 1 and self._last is not None:
            error, key, values = self._last
            raise error(key, self.faults.rows, **values)
        self.faults.raise_if_any("readers.several_faults", error=CensusError, name=self.raw.name)

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

    def own_column(self, level: str, role: str) -> tuple[Column, pd.Series] | None:
        """Return column and cells of the rows' own role, under their level or under none."""
        for slot in (level, ""):
            column, values = self.column(slot, role), self.values(slot, role)
            if column is not None and values is not None:
                return column, values
        return None

    def lines(self, rows: Iterable[int]) -> list[int]:
        """Return where rows stand in the file; it is looked at again only where one is bad."""
        positions = [int(self.rows[row]) for row in rows]
        return self.raw.lines(positions) if positions else []

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
            replace(f, subject=f"{level} {column.name}")
            for f in done.report
            if f.severity != "error"  # what is refused is raised with its rows
        ]
        if len(done.refused):
            lines = self.lines(done.refused["row"])
            rows = done.refused.assign(row=lines, column=column.name, level=level)
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
                {"row": line, "column": column.name, "level": level, "given": given.iloc[row]}
                for row, line in zip(rows, self.lines(rows), strict=True)
            ]
            self._refuse(column, level, refused, [say("readers.no_dguid", level=level)])
        units = parsed["unit_id"].where(good)
        return units.take(np.maximum(where, 0)).reset_index(drop=True).mask(where < 0)

    def _refuse(
        self, column: Column, level: str, rows: list[dict[str, Any]], reasons: Iterable[str]
    ) -> None:
        self.fault(
            IdError,
            "readers.refused_ids",
            rows,
            column=column.name,
            level=level,
            count=len(rows),
            cells=[f"{row['row']}: {row['given']}" for row in rows],
            reasons=list(reasons),
        )

    # -- the table -----------------------------------------------------------------------------

    def read(self, level: str) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
        """Return the frame and the names of :class:`AttributeTable`."""
        ids = self.ids(level, own=True)
        if ids is None:
            raise CensusError(
                "readers.no_ids", name=self.raw.name, columns=", ".join(self.raw.columns)
            )
        if not self.faults:
            blank = self.lines(np.flatnonzero(ids.isna()))
            if blank:
                rows = [{"row": row} for row in blank]
                self.fault(CensusError, "readers.blank_ids", rows, rows=blank)
        frame = pd.DataFrame({"unit_id": ids})
        self._read_names(frame, level)
        self._numbers(frame, level)
        frame["incomplete_reserve"] = self._reserves(frame, level)
        parents = self._parents(frame, level)
        self.raise_faults()
        twice = frame["unit_id"][frame["unit_id"].duplicated()].unique()
        if len(twice):
            self.note("duplicate_ids", "warning", ids=twice)
        names = {code: self._name_parents(frame, code) for code in parents}
        return frame, {code: named for code, named in names.items() if named.shape[1] > 1}

    def _read_names(self, frame: pd.DataFrame, level: str) -> None:
        for role in NAMES:
            found = self.own_column(level, role)
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
            found = self.own_column(level, role)
            if found is None:
                frame[role] = np.nan
                continue
            column, given = found
            numbers, bad = to_numbers(given, self.raw.decimal)
            if role not in ("x", "y"):
                bad = bad | (numbers < 0)
            cells = given.to_numpy(dtype=object)
            rows = np.flatnonzero(bad)
            unread += [
                {"row": line, "column": column.name, "given": cells[row]}
                for row, line in zip(rows, self.lines(rows), strict=True)
            ]
            frame[role] = np.where(bad, np.nan, numbers)
        if unread:
            cells = [f"{row['column']} {row['row']}: {row['given']}" for row in unread]
            self.fault(CensusError, "readers.unread_numbers", unread, cells=cells)

    def _reserves(self, frame: pd.DataFrame, level: str) -> Flags:
        found = self.own_column(level, "incomplete_reserve")
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
            given, held = self._given_parents(parent), None
            if parent in by_id:
                held = geography.parent_ids(frame["unit_id"], level, self.year, parent)
            if given is not None and held is not None:
                differ = given.ne(held).fillna(False).to_numpy(dtype=bool)
                rows = np.flatnonzero(differ)
                against += [
                    {
                        "row": line,
                        "unit_id": frame["unit_id"].iloc[row],
                        "level": parent,
                        "given": given.iloc[row],
                    }
                    for row, line in zip(rows, self.lines(rows), strict=True)
                ]
            column = held if held is not None else given
            if column is not None:
                frame[parent] = column
                added.append(parent)
        if against:
            units = [f"{row['unit_id']}: {row['level']} {row['given']}" for row in against]
            self.fault(CensusError, "readers.contradictions", against, units=units)
        return added

    def _given_parents(self, parent: str) -> pd.Series | None:
        """Return the parents that the file gives, missing where a unit lies in none."""
        given, part_level = self.ids(parent), geography.part_level(parent)
        if given is not None or part_level is None:
            return given
        part = self.ids(part_level)
        if part is None:
            return None
        whole = geography.parent_ids(part, part_level, self.year, parent)
        return whole.mask(np.asarray(whole.isin(_none(parent))))

    def _name_parents(self, frame: pd.DataFrame, code: str) -> pd.DataFrame:
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


@dataclass(frozen=True)
class AttributeTable:
    """What a census attribute file says.

    Attributes
    ----------
    level
        Code of the level of its rows (``DB``).
    vintage
        Census year, ``None`` where neither the file nor the caller said one.
    frame
        One row a unit, RangeIndex, in the file's order: ``unit_id`` (text); ``unit_name``,
        ``name_fr``, ``unit_type``, ``dguid`` (text) where the file gives its own units those;
        ``population, dwellings, households`` (float64, NaN where missing; those the file lacks
        are NaN throughout); ``land_km2``; ``x, y`` (representative point of the unit itself, in
        metres of Statistics Canada's Lambert grid, NaN where not given); ``incomplete_reserve``
        (bool); and one text column a parent level the file or the id gives, named by its code,
        missing where the unit lies in no such parent. An id that stands twice is left as it is,
        with a finding.
    names
        Level code to what the file says of the parents: ``unit_id`` and those of ``unit_name,
        name_fr, unit_type, dguid`` (text), ``x, y`` (float64) that it gives; one row a parent.
    notes
        What was assumed, restored and left out.
    rows
        Positions in the file of the rows of ``frame``, the first 0: a file of several levels has
        others.
    lines
        Positions of rows of ``frame`` to where they stand in the file, as an editor or Excel
        counts; of a layer the features, the first 1.
    """

    level: str
    vintage: int | None
    frame: pd.DataFrame
    names: dict[str, pd.DataFrame]
    notes: CheckReport
    rows: npt.NDArray[np.int64]
    lines: Callable[[Iterable[int]], list[int]]

    def __repr__(self) -> str:
        parents = ", ".join(self.names) or "-"
        year = self.vintage if self.vintage is not None else "?"
        return (
            f"<AttributeTable {self.level} {year}: {len(self.frame):,} units; names of {parents}>"
        )


def read_attributes(
    path: str | Path,
    *,
    vintage: int | None = None,
    level: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> AttributeTable:
    r"""Read a census attribute table as it comes.

    The geographic attribute file 92-151 (2006 and 2011 fixed width, 2016, 2021), the relationship
    file 98-26-0004, the attribute table of a boundary file, or any table of units with usual
    column names, English or French; zipped or not; delimited text, workbook, ``.dbf``,
    GeoPackage.

    Parameters
    ----------
    path
        The file.
    vintage
        Census year; needed where the file says none (the fixed-width files serve two censuses).
    level
        Level of the rows; needed where neither columns nor the file's name say it.
    mapping
        Columns with unusual names: ``unit_id``, a count, ``land_km2``, ``x``, ``y``,
        ``unit_name``, ``unit_type``, ``dguid``, ``incomplete_reserve`` or a level code, to the
        name of its column, such as ``{"unit_id": "GeoUID", "CSD": "CSD_UID"}``.

    Returns
    -------
    AttributeTable
        Units, counts, parents and names.

    Raises
    ------
    FileError
        The file is missing, damaged, or in no form known.
    CensusError
        The columns are not those of one level, ids are blank, parents contradict the ids, the
        year is another, or numbers cannot be read.
    IdError
        Ids that are none of their level and year and cannot be restored with certainty.
    InputError
        The mapping names a column that is not there.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from lipgeo.readers.statcan.attributes import read_attributes
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "blocks.csv"
    >>> _ = path.write_text("DBUID,dbpop2021\n35060001001,94.0\n35060001002,23.0\n")
    >>> table = read_attributes(path)
    >>> table.level, table.vintage, float(table.frame["population"].sum()), table.frame["DA"][0]
    ('DB', 2021, 117.0, '35060001')
    """
    path = Path(path)
    said = None if vintage is None else geography.require_vintage(vintage)
    return _table(read_raw(path, said), path.name, said, level, mapping)


def from_frame(
    frame: pd.DataFrame,
    name: str,
    *,
    vintage: int | None = None,
    level: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> AttributeTable:
    """Read the attributes of a layer already in memory, without its geometry.

    Parameters
    ----------
    frame
        Its columns, of any type.
    name
        File or layer name; it may say the year and the level (``lda_000b21a_e``).
    vintage, level, mapping
        As for :func:`read_attributes`.

    Raises
    ------
    CensusError, IdError, InputError
        As :func:`read_attributes`.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.readers.statcan.attributes import from_frame
    >>> table = from_frame(pd.DataFrame({"DRIDU": ["3506"], "SUPTERRE": [2778.0]}), "ldr_000b21a_f")
    >>> table.level, table.vintage, float(table.frame["land_km2"][0])
    ('CD', 2021, 2778.0)
    """
    said = None if vintage is None else geography.require_vintage(vintage)
    return _table(raw_of_frame(frame, name), name, said, level, mapping)


def _table(
    raw: Raw, name: str, said: int | None, level: str | None, mapping: Mapping[str, str] | None
) -> AttributeTable:
    raw = _with_whole_ids(raw, said)
    counts = [one for one in counts_in(raw.columns) if one.name not in (mapping or {}).values()]
    signed = [one.name for one in counts if has_sign(one.name)]
    columns = recognise(raw.columns, mapping, raw.name, leave=signed)
    if not columns:
        raise CensusError(
            "readers.attributes.no_census_column", name=raw.name, columns=list(raw.columns)
        )
    plain = [one for one in counts if one.name not in signed]
    vintage = _vintage(raw, [*columns, *plain], name, said)
    others = [one.name for one in plain if one.vintage not in (None, vintage)]
    if others:
        columns = recognise(raw.columns, mapping, raw.name, leave=[*signed, *others])
    reading = Reading(raw, columns, name, vintage)
    if signed:
        reading.notes.append(finding("readers.no_counts", "warning", raw.name, columns=signed))
    if others:
        reading.notes.append(
            finding("readers.other_years", "note", raw.name, columns=others, vintage=vintage)
        )
    if reading.text.empty:
        raise CensusError("readers.attributes.no_rows", name=raw.name)
    code = find_level(reading, None if level is None else geography.level(level).code)
    if vintage is None:
        told = _census_of_dguids(reading, code)
        if told is not None:  # forms of ids are those of a census
            return _table(raw, name, told, level, mapping)
    _leave_other_levels(reading, code)
    if vintage is not None:
        _require_dguids_of(reading, code, vintage)
    frame, names = reading.read(code)
    return AttributeTable(
        code, vintage, frame, names, CheckReport(reading.notes), reading.rows, reading.lines
    )


def _with_whole_ids(raw: Raw, vintage: int | None) -> Raw:
    """Return a file whose parts of ids (``CDcode`` beside ``PRuid``) stand as ids beside them."""
    needed = composing_columns(raw.columns)
    if not needed:
        return raw
    parts = raw.read([raw.columns.index(name) for name in needed])
    parts.columns = pd.Index(needed)
    composed, notes = compose_ids(parts, vintage, raw.name)
    composed = composed[[name for name in composed.columns if name not in needed]]
    columns = (*raw.columns, *composed.columns)

    def read(positions: Sequence[int]) -> pd.DataFrame:
        wanted = [at for at in positions if at < len(raw.columns)]
        frame = raw.read(wanted)
        places = iter(range(len(wanted)))
        both = [
            frame.iloc[:, next(places)]
            if at < len(raw.columns)
            else composed.iloc[:, at - len(raw.columns)].set_axis(frame.index)
            for at in positions
        ]
        whole = pd.concat(both, axis=1) if both else frame
        whole.attrs = frame.attrs
        return whole

    return replace(raw, columns=columns, read=read, notes=raw.notes + CheckReport(notes))


def _refuse_between(name: str, year: int) -> NoReturn:
    """Refuse units of a year between censuses: they were renamed, merged and moved since."""
    known = [str(vintage) for vintage in geography.vintages()]
    raise CensusError("readers.between_censuses", name=name, year=str(year), known=known)


def _years_of_dguids(reading: Reading, code: str) -> list[int]:
    """Return the years of the rows' own DGUIDs."""
    held = reading.own_column(code, "dguid")
    if held is None:
        return []
    years = held[1].astype("string").str.extract(r"^(\d{4})[AS]\d{4}", expand=False).dropna()
    return sorted(map(int, years.unique()))


def _census_of_dguids(reading: Reading, code: str) -> int | None:
    """Return the one census whose geography all DGUIDs are of; ``None`` where it is not one."""
    years = _years_of_dguids(reading, code)
    found = [set(geography.Dguid(year, code, "").censuses) for year in years]
    both = set.intersection(*found) if found else set()
    return both.pop() if len(both) == 1 else None


def _require_dguids_of(reading: Reading, code: str, vintage: int) -> None:
    """Refuse rows whose DGUIDs are of another year than those of the census."""
    if not geography.geography_years(code, vintage):
        return
    for year in _years_of_dguids(reading, code):
        of = geography.Dguid(year, code, "").censuses
        if vintage in of:
            continue
        if not of:
            _refuse_between(reading.raw.name, year)
        raise CensusError(
            "readers.attributes.other_vintage",
            name=reading.raw.name,
            said=str(vintage),
            found=sorted(map(str, of)),
        )


def _vintage(raw: Raw, columns: Iterable[Column], name: str, said: int | None) -> int | None:
    """Return the census year, from the caller, the columns, the layout or the file's name."""
    # a column of ids may carry another year (that of a Representation Order)
    named = {column.vintage for column in columns if column.vintage is not None}
    named |= {raw.vintage} if raw.vintage is not None else set()
    named = geography.censuses_among(named)
    stem = name.lower()
    match = re.match(r"[gl](?:[a-z]{2}_|[a-z]{3})000[a-h](\d\d)[a-z]_[ef]", stem)
    match = match or re.match(r"20(\d\d)_9\d-?\d\d-?\d{3,4}", stem)
    if match:
        # a file of a census to come is no other census's, whoever says so
        published = geography.censuses_among({2000 + int(match.group(1))})
        # districts are called by the year of their Representation Order
        if not published and stem[1:4] != "fed":
            _refuse_between(raw.name, 2000 + int(match.group(1)))
        named = named or published
    else:
        years = {int(text) for text in re.findall(r"(?<!\d)20\d\d(?!\d)", stem)}
        by_name = years & set(geography.vintages())
        # a table of one census often has the people of the one before
        named = named if named & by_name else named | by_name
    found = [str(year) for year in sorted(named)]
    if said is not None and named and said not in named:
        raise CensusError(
            "readers.attributes.other_vintage", name=raw.name, said=str(said), found=found
        )
    if said is None and len(named) > 1:
        raise CensusError("readers.two_vintages", name=raw.name, found=found)
    return said if said is not None else next(iter(named), None)
