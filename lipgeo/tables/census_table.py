"""Hold a census table in memory: values by unit and variable, symbols, where they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import require_level
from lipgeo.geography.identifiers import are_ids
from lipgeo.report import Card, CheckReport, Faults, Shown
from lipgeo.tables.variables import MISSING, Variable, known_variables, rules_for, variable
from lipgeo.words import say

__all__ = ["CensusTable"]

_SOURCES = ("file", "sha256")
#: variables shown in a notebook
_SHOWN = 12


class CensusTable(Shown):
    """A census table: units by variables. Checked once, then never changes.

    Parameters
    ----------
    frame
        Index: unit ids (text, each once); one column a variable (numbers; missing as NaN).
    variables
        What the columns are: name to :class:`Variable`, or to the name of a rule for a plain
        count. Columns not named here are looked up in the dictionary; one that is in neither is
        kept, and cannot be weighted until it has a rule.
    level
        Level of the units (``DA``), ``None`` where they are zones of no census.
    vintage
        Census year, ``None`` likewise.
    symbols
        Same index; for some columns, the symbol that stood in the cell (``x``, ``F``, ``..``,
        ``...``, ``E``, ``r``), empty or missing where none did. A value beside one of the first
        four is not believed.
    names
        Names by unit id.
    sources
        ``file, sha256`` of each file read, and which row of them a unit came from in ``origin``.
    origin
        Position in ``sources`` by unit id; all from the first where not given.
    parents
        What each unit is part of (its census tract), by unit id, missing where in none: unions of
        units whose own totals are known teach how units split (see :func:`weight_table`).
    notes
        What had to be assumed while reading.

    Attributes
    ----------
    frame, symbols, names, sources, origin, parents, notes, variables, level, vintage
        As given; frames are copies. ``frame`` is float64.

    Raises
    ------
    TableError
        Ids missing, repeated or not of this level and census; cells that are no numbers, infinite,
        or counts below 0; symbols of units or variables that are not in the table. ``problems``
        lists every cell.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo import CensusTable
    >>> frame = pd.DataFrame({"immigrants": [40.0, None]}, index=["35060001", "35060002"])
    >>> table = CensusTable(frame, level="DA", vintage=2021,
    ...                     symbols=pd.DataFrame({"immigrants": ["", "x"]}, index=frame.index))
    >>> table.variables["immigrants"].denominator
    'immigrant_status_total'
    """

    #: how many variables are summed at a time: that bounds what is held at once
    at_a_time = 64

    def __init__(
        self,
        frame: pd.DataFrame,
        variables: Mapping[str, Variable | str] | None = None,
        *,
        level: str | None,
        vintage: int | None,
        symbols: pd.DataFrame | None = None,
        names: pd.Series | None = None,
        sources: pd.DataFrame | None = None,
        origin: pd.Series | None = None,
        parents: pd.Series | None = None,
        notes: CheckReport | None = None,
    ) -> None:
        self.level = None if level is None else _level_code(level, vintage)
        self.vintage = vintage
        index = _ids(frame, self.level, vintage)
        self._frame = _numbers(frame, index)
        self.variables: Mapping[str, Variable] = MappingProxyType(
            _rules(self._frame.columns, variables or {}, vintage)
        )
        _require_counts(self._frame, self.variables)
        self._symbols = _symbols(symbols, self._frame)
        self._names = _align(names, index, "string")
        self._sources = (
            pd.DataFrame(columns=list(_SOURCES), dtype="string")
            if sources is None
            else sources[list(_SOURCES)].astype("string").reset_index(drop=True)
        )
        self._origin = (
            pd.Series(0 if len(self._sources) else -1, index=index, dtype="int64")
            if origin is None
            else _align(origin, index, "Int64").fillna(-1).astype("int64")
        )
        self._parents = _align(parents, index, "string")
        self.notes = CheckReport() if notes is None else notes
        self._summed: Mapping[str, tuple[str, ...]] = {}

    def __getstate__(self) -> dict[str, Any]:  # a read-only view of a dict cannot be pickled
        return {**self.__dict__, "variables": dict(self.variables)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, variables=MappingProxyType(state["variables"]))

    @property
    def frame(self) -> pd.DataFrame:
        """Values; a copy."""
        return self._frame.copy()

    @property
    def symbols(self) -> pd.DataFrame:
        """Symbols of the columns that have any, empty text where there is none; a copy."""
        return self._symbols.copy()

    @property
    def names(self) -> pd.Series:
        """Names by unit id; a copy."""
        return self._names.copy()

    @property
    def sources(self) -> pd.DataFrame:
        """Files read and their hashes; a copy."""
        return self._sources.copy()

    @property
    def origin(self) -> pd.Series:
        """Position in ``sources`` by unit id, -1 where unknown; a copy."""
        return self._origin.copy()

    @property
    def parents(self) -> pd.Series:
        """What each unit is part of; a copy."""
        return self._parents.copy()

    @property
    def columns(self) -> pd.Index:
        """Names of the columns."""
        return self._frame.columns

    def values(self, name: str) -> npt.NDArray[np.float64]:
        """Return one column; not to be written to."""
        return np.asarray(self._frame[name].to_numpy(), dtype=np.float64)

    def marks(self, name: str) -> npt.NDArray[np.object_] | None:
        """Return the symbols of one column, ``None`` where it has none."""
        if name not in self._symbols:
            return None
        return np.asarray(self._symbols[name].to_numpy(dtype=object), dtype=object)

    @property
    def unit_ids(self) -> pd.Index:
        """Ids of the units."""
        return self._frame.index

    def with_parents(self, parents: pd.Series) -> CensusTable:
        """Return the table with what its units are part of, by unit id (see ``parents``)."""
        return self._again(parents=parents)

    def with_sources(self, sources: pd.DataFrame, notes: CheckReport) -> CensusTable:
        """Return the table as read from one other file, with notes before its own."""
        return self._again(sources=sources, notes=notes + self.notes)

    def with_variables(self, variables: Mapping[str, Variable | str]) -> CensusTable:
        """Return the table with rules for some of its columns, the others as they are."""
        return self._again(variables={**self.variables, **rules_for(self.columns, variables)})

    def with_totals(self, totals: Mapping[str, Sequence[str]]) -> CensusTable:
        """Return the table with columns more: totals, each the sum of columns that partition it.

        A unit has no total where one of the parts is not known; the symbol of that part stands
        there.
        """
        frame, symbols = self._frame.copy(), self._symbols.copy()
        for total, parts in totals.items():
            known = np.logical_and.reduce([self.is_observed(name) for name in parts])
            frame[total] = self._frame[list(parts)].sum(axis=1).where(known)
            marks = [self._symbols[name] for name in parts if name in self._symbols]
            if marks:
                first = pd.concat([one.where(one.isin(MISSING)) for one in marks], axis=1)
                symbols[total] = first.bfill(axis=1).iloc[:, 0].fillna("")
        given = {name: list(parts) for name, parts in totals.items()}
        again = self._again(frame=frame, symbols=symbols)
        again._summed = {**self._summed, **{name: tuple(of) for name, of in given.items()}}
        return again

    def parts_summed(self, name: str) -> tuple[str, ...]:
        """Return the columns that a column was summed of; none where it is the table's own."""
        return self._summed.get(name, ())

    def only(self, keep: npt.ArrayLike | Callable[[pd.Index], Any]) -> CensusTable:
        """Return the table with some of its units: a mask, or a function of the ids giving one."""
        mask = np.asarray(keep(self.unit_ids) if callable(keep) else keep, dtype=bool)
        return self._again(frame=self._frame[mask], symbols=self._symbols[mask])

    def _again(self, **changed: Any) -> CensusTable:
        given: dict[str, Any] = {
            "frame": self._frame,
            "variables": dict(self.variables),
            "level": self.level,
            "vintage": self.vintage,
            "symbols": self._symbols,
            "names": self._names,
            "sources": self._sources,
            "origin": self._origin,
            "parents": self._parents,
            "notes": self.notes,
            **changed,
        }
        again = CensusTable(given.pop("frame"), given.pop("variables"), **given)
        again._summed = self._summed
        return again

    def greatest(self, name: str) -> float:
        """Return the greatest value of a column, 0 where it has none."""
        return float(np.nanmax(self.values(name), initial=0.0))

    def pieces(
        self, variables: Sequence[Variable]
    ) -> Iterator[tuple[Sequence[Variable], CensusTable]]:
        """Part variables into bounded numbers, each with a table of all they are made from."""
        for start in range(0, len(variables), self.at_a_time):
            yield variables[start : start + self.at_a_time], self

    def is_observed(self, name: str) -> npt.NDArray[np.bool_]:
        """Return which units have a value of a variable that can be believed."""
        known: npt.NDArray[np.bool_] = self._frame[name].notna().to_numpy()
        if name in self._symbols:
            known = known & ~self._symbols[name].isin(MISSING).to_numpy()
        return known

    def __len__(self) -> int:
        return len(self._frame)

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _card(self) -> Card:
        first = self._frame.iloc[:, :_SHOWN]
        heads = ["unit_id", *map(str, first)]
        # by position: a variable may be called as the ids are
        table = first.rename_axis(None).reset_index().set_axis(map(str, range(len(heads))), axis=1)
        return Card(self._summary(), table, dict(zip(table, heads, strict=True)))

    def _summary(self) -> str:
        return say(
            "tables.summary",
            vintage="" if self.vintage is None else f"{self.vintage} ",
            level=self.level or say("tables.zones"),
            units=len(self._frame),
            variables=self._frame.shape[1],
            missing=int(self._frame.isna().to_numpy().sum()),
            ruled=len(self.variables),
        )


def _level_code(level: str, vintage: int | None) -> str:
    if vintage is None:
        raise TableError("tables.no_vintage", level=level)
    return require_level(level, vintage).code


def _ids(frame: pd.DataFrame, level: str | None, vintage: int | None) -> pd.Index:
    """Return the ids as text; refuse what is missing, repeated or of another level."""
    given = frame.index
    if isinstance(given, pd.MultiIndex) or pd.api.types.is_numeric_dtype(given.dtype):
        raise TableError("tables.ids_not_text", given=str(given.dtype))
    ids = pd.Series(given.to_numpy(dtype=object), dtype="string").str.strip()
    missing = (ids.isna() | ids.eq("")).to_numpy(dtype=bool)
    twice = (ids.duplicated(keep=False) & ~missing).to_numpy(dtype=bool)
    wrong = np.zeros(len(ids), dtype=bool)
    if level is not None and vintage is not None:
        wrong = ~are_ids(ids, level, vintage).to_numpy(dtype=bool) & ~missing
    parts = {"missing_id": missing, "duplicate_id": twice, "other_level": wrong}
    known = ids.astype(object).where(ids.notna(), None)
    faults = Faults()
    for name, rows in parts.items():
        if rows.any():
            faults.add_as_told(
                f"tables.{name}",
                [
                    {
                        "row": int(row) + 1,
                        "unit_id": known[row],
                        "problem": name,
                    }
                    for row in np.flatnonzero(rows)
                ],
                rows=np.flatnonzero(rows) + 1,
                ids=list(dict.fromkeys(ids[rows].dropna())),
                level=level,
                vintage=str(vintage),
            )
    faults.raise_if_any("tables.unfit_ids", error=TableError)
    return pd.Index(ids.to_numpy(dtype=object), name="unit_id")


def _numbers(frame: pd.DataFrame, index: pd.Index) -> pd.DataFrame:
    """Return the cells as float64; refuse what is no number."""
    columns = pd.Index([str(name) for name in frame.columns])
    if columns.has_duplicates:
        raise TableError("tables.duplicate_columns", columns=columns[columns.duplicated()].unique())
    values: dict[str, npt.NDArray[np.float64]] = {}
    problems = []
    for at, name in enumerate(columns):
        given = frame.iloc[:, at]
        numbers = pd.to_numeric(given, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        bad = (np.isnan(numbers) & given.notna().to_numpy()) | np.isinf(numbers)
        problems += [
            {"unit_id": index[row], "variable": name, "given": str(given.iloc[row])}
            for row in np.flatnonzero(bad)
        ]
        values[name] = numbers
    if problems:
        raise TableError("tables.not_numbers", problems, cells=_cells(problems))
    return pd.DataFrame(values, index=index, columns=columns)


def _cells(problems: Iterable[Mapping[str, Any]]) -> list[str]:
    return [f"{one['unit_id']} {one['variable']} ({one['given']})" for one in problems]


def _rules(
    columns: Iterable[str], given: Mapping[str, Variable | str], vintage: int | None
) -> dict[str, Variable]:
    """Return the variable of each column that has one."""
    known = known_variables(vintage)
    found: dict[str, Variable] = {}
    for name in columns:
        if name in given:
            rule = given[name]
            found[name] = rule if isinstance(rule, Variable) else Variable(name, rule)  # type: ignore[arg-type]
        elif name in known:
            found[name] = known[name]
        elif name.endswith("_pct") and name.removesuffix("_pct") in known:
            found[name] = variable(name, vintage)
    return found


def _require_counts(frame: pd.DataFrame, variables: Mapping[str, Variable]) -> None:
    """Refuse counts and percentages below 0."""
    problems = []
    for name, one in variables.items():
        if one.rule in ("count", "percent", "rate"):
            values = frame[name].to_numpy()
            problems += [
                {"unit_id": frame.index[row], "variable": name, "given": f"{values[row]:g}"}
                for row in np.flatnonzero(values < 0)
            ]
    if problems:
        raise TableError("tables.negative", problems, cells=_cells(problems))


def _symbols(symbols: pd.DataFrame | None, frame: pd.DataFrame) -> pd.DataFrame:
    if symbols is None:
        return pd.DataFrame(index=frame.index)
    strange = [str(name) for name in symbols.columns if str(name) not in frame.columns]
    ids = symbols.index.astype(str).str.strip()
    lost = ids.difference(frame.index)
    if strange or len(lost):
        raise TableError("tables.symbols_elsewhere", columns=strange, ids=lost)
    found = symbols.set_axis(ids, axis=0).reindex(frame.index)
    found.columns = found.columns.astype(str)
    return found.astype("string").fillna("").apply(lambda column: column.str.strip())


def _align(given: pd.Series | None, index: pd.Index, dtype: str) -> pd.Series:
    if given is None:
        return pd.Series(pd.NA, index=index, dtype=dtype)
    found = given.set_axis(given.index.astype(str).str.strip())
    return found[~found.index.duplicated()].reindex(index).astype(dtype)
