"""Hold a census table too large for memory: one row a unit and characteristic, summed by SQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lipgeo.census.data import COUNTS
from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import has_trait
from lipgeo.report import CheckReport
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.columns import (
    ColumnReader,
    HiddenCells,
    OwnShares,
    parts_needed,
    require_parts,
)
from lipgeo.tables.engine import Cell, Plan, counts_expression, sums_from_engine
from lipgeo.tables.pairs import Family, Pairs
from lipgeo.tables.sums import TableSums, sum_table
from lipgeo.tables.variables import Variable, known_variables, rules_for
from lipgeo.words import say

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["AnyTable", "LongTable"]

#: counts that one statement sums: at most, at least, and so that groups times counts stay bounded
_AT_A_TIME = 1024
_LEAST_AT_A_TIME = 128
_SUMS_AT_A_TIME = 2_000_000
#: other variables, whose columns are read into memory
_READ_AT_A_TIME = 64


#: cells of the processes that this one was forked from: ending their engines here would wait for
#: threads that are not here
_OF_PARENTS: list[Any] = []


class _Engine:
    """The cells where they lie: one question at a time, and in a forked child opened anew."""

    def __init__(
        self,
        cells: Any,
        guard: Callable[[], None] | None,
        reopen: Callable[[], LongTable] | None,
    ) -> None:
        self._cells = cells
        self._guard = guard
        self._reopen = reopen
        self._process = os.getpid()
        # a connection to an engine ends one question where another begins
        self._lock = threading.Lock()

    @property
    def reopening(self) -> Callable[[], LongTable]:
        """What opens the table in another process.

        Raises
        ------
        TableError
            The engine was given, and stays in its process.
        """
        if self._reopen is None:
            raise TableError("tables.engine_stays")
        return self._reopen

    def ask(self, question: Callable[[Any], Any]) -> pa.Table:
        """Return the answer to an expression over the cells."""
        if self._process != os.getpid():
            again = self.reopening()._engine
            _OF_PARENTS.append(self._cells)
            self._cells, self._guard, self._lock = again._cells, again._guard, again._lock
            self._process = os.getpid()
        with self._lock:
            if self._guard is not None:
                self._guard()
            return question(self._cells).to_pyarrow()


class LongTable:
    """A census table in long form that stays where it is; a database engine adds it up.

    Made by :func:`lipgeo.open_table`; or of any ibis table with these columns.
    :func:`lipgeo.weight_table` takes it as it takes a :class:`CensusTable` and gives the same
    numbers: counts are summed by one statement (see :mod:`lipgeo.tables.engine`), rates,
    averages and medians by reading their columns, some at a time.

    Parameters
    ----------
    cells
        ibis table, one row a unit and characteristic: ``unit, characteristic`` (integers) and for
        each column of values the values (float64, null where there is none, also where a symbol
        stands instead) and ``NAME_symbol`` (text, null where none stands). A column ``content``
        spares reading (see :func:`~lipgeo.tables.engine.counts_expression`).
    units
        Index: unit ids (text, each once); ``unit`` (its number in ``cells``), ``name``, and
        ``origin`` (position in ``sources``).
    columns
        What the columns of the table are called: name to characteristic and column of values.
    variables
        Name to :class:`Variable`, for the columns whose rule is known.
    ranges
        Index: names of columns; ``least, greatest`` of their values, missing where there is none;
        ``cells``: how many rows the table has of each.
    level, vintage
        Of the units; ``None`` where they are zones of no census.
    sources
        ``file, sha256`` of the files read.
    parents
        As for :class:`CensusTable`.
    notes
        What had to be assumed.
    guard
        Called before anything is read; raises where what was opened is no longer there.
    reopen
        Opens the same table in another process; without it the table cannot be pickled.

    Attributes
    ----------
    units, variables, level, vintage, sources, parents, notes
        As given.

    Raises
    ------
    TableError
        Counts or percentages below 0.
    """

    #: how many variables :func:`lipgeo.weight_table` takes at a time
    at_a_time = _AT_A_TIME

    def __init__(
        self,
        cells: Any,
        *,
        units: pd.DataFrame,
        columns: Mapping[str, tuple[int, str]],
        variables: Mapping[str, Variable],
        ranges: pd.DataFrame,
        level: str | None,
        vintage: int | None,
        sources: pd.DataFrame,
        parents: pd.Series | None = None,
        notes: CheckReport | None = None,
        guard: Callable[[], None] | None = None,
        reopen: Callable[[], LongTable] | None = None,
    ) -> None:
        self._engine = _Engine(cells, guard, reopen)
        self._columns = dict(columns)
        self._summed: dict[str, tuple[str, ...]] = {}
        self._ranges = ranges
        self.units = units
        self.variables: Mapping[str, Variable] = MappingProxyType(dict(variables))
        self.level, self.vintage = level, vintage
        self.sources = sources
        self.parents = (
            pd.Series(pd.NA, index=units.index, dtype="string")
            if parents is None
            else parents.reindex(units.index).astype("string")
        )
        self.notes = CheckReport() if notes is None else notes
        self._measured: CensusTable | None = None
        _require_counts(self.variables, ranges)

    @property
    def unit_ids(self) -> pd.Index:
        """Ids of the units."""
        return self.units.index

    @property
    def columns(self) -> pd.Index:
        """Names of the columns."""
        return pd.Index([*self._columns, *self._summed], dtype=object)

    def greatest(self, name: str) -> float:
        """Return the greatest value of a column, 0 where it has none."""
        return float(np.nan_to_num(self._ranges["greatest"].get(name, 0.0)))

    def with_parents(self, parents: pd.Series) -> LongTable:
        """Return the table with what its units are part of, by unit id."""
        return self._again(parents=parents)

    def with_variables(self, variables: Mapping[str, Variable | str]) -> LongTable:
        """Return the table with rules for some of its columns, the others as they are."""
        given = rules_for(self.columns, variables)
        return self._again(variables={**self.variables, **given})

    def with_totals(self, totals: Mapping[str, Sequence[str]]) -> LongTable:
        """Return the table with columns more, as :meth:`CensusTable.with_totals` does.

        They are summed whenever they are read.
        """
        known = known_variables(self.vintage)
        again = self._again(variables={**self.variables, **{name: known[name] for name in totals}})
        again._summed |= {name: tuple(parts) for name, parts in totals.items()}
        return again

    def parts_summed(self, name: str) -> tuple[str, ...]:
        """Return the columns that a column is summed of; none where it is the table's own."""
        return self._summed.get(name, ())

    def _again(self, **changed: Any) -> LongTable:
        given: dict[str, Any] = {
            "units": self.units,
            "columns": self._columns,
            "variables": self.variables,
            "ranges": self._ranges,
            "level": self.level,
            "vintage": self.vintage,
            "sources": self.sources,
            "parents": self.parents,
            "notes": self.notes,
            **changed,
        }
        again = LongTable(None, **given)
        again._summed = dict(self._summed)
        again._engine = self._engine  # one engine answers one question at a time
        return again

    def __copy__(self) -> LongTable:
        return self._again()

    def __deepcopy__(self, memo: dict[int, Any]) -> LongTable:  # the stored cells never change
        return self._again()

    def __reduce__(self) -> tuple[Any, ...]:  # a worker process opens the files anew
        return _open_again, (
            self._engine.reopening,
            dict(self.variables),
            self.parents,
            self._summed,
        )

    def part(self, names: Sequence[str]) -> CensusTable:
        """Read some columns into memory.

        Raises
        ------
        TableError
            There is no such column.
        """
        named = list(dict.fromkeys([names] if isinstance(names, str) else names))
        totals = {name: self._summed[name] for name in named if name in self._summed}
        own = [name for name in named if name not in totals]
        wanted = list(dict.fromkeys([*own, *(part for of in totals.values() for part in of)]))
        lost = [name for name in wanted if name not in self._columns]
        if lost:
            raise TableError(
                "tables.no_such_columns",
                [{"column": name} for name in lost],
                lost=lost,
                columns=list(self._columns),
            )
        values, symbols = self._read(wanted)
        held = CensusTable(
            values,
            {name: self.variables[name] for name in wanted if name in self.variables},
            level=self.level,
            vintage=self.vintage,
            symbols=symbols,
            names=self.units["name"],
            sources=self.sources,
            origin=self.units["origin"],
            parents=self.parents,
            notes=self.notes,
        )
        return held.with_totals(totals) if totals else held

    def _read(self, names: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return values and symbols of columns, units in order."""
        size = int(self.units["unit"].max()) + 1 if len(self.units) else 0
        place = np.full(size, -1, dtype=np.int64)
        place[self.units["unit"].to_numpy()] = np.arange(len(self.units))
        ids = sorted({self._columns[name][0] for name in names})
        kinds = list(dict.fromkeys(self._columns[name][1] for name in names))
        values = {name: np.full(len(self.units), np.nan) for name in names}
        symbols = {name: np.full(len(self.units), "", dtype=object) for name in names}
        if ids:
            found = self._engine.ask(
                lambda cells: cells.filter(
                    cells["characteristic"].between(ids[0], ids[-1]),
                    cells["characteristic"].isin(ids),
                ).select("unit", "characteristic", *kinds, *(f"{kind}_symbol" for kind in kinds))
            )
            unit = found["unit"].to_numpy()
            row = np.where((unit >= 0) & (unit < size), place[np.minimum(unit, size - 1)], -1)
            of = found["characteristic"].to_numpy()
            for name in names:
                characteristic, kind = self._columns[name]
                mine = np.flatnonzero((of == characteristic) & (row >= 0))
                values[name][row[mine]] = found[kind].to_numpy(zero_copy_only=False)[mine]
                marked = found[f"{kind}_symbol"].is_valid().to_numpy()[mine]
                marks = found[f"{kind}_symbol"].take(mine[marked])
                symbols[name][row[mine[marked]]] = np.array(marks.to_pylist(), dtype=object)
        index = self.units.index
        return (
            pd.DataFrame(values, index=index, columns=list(names)),
            pd.DataFrame(
                {name: marks for name, marks in symbols.items() if (marks != "").any()},
                index=index,
            ),
        )

    def sums(
        self,
        variables: Sequence[Variable],
        pairs: Pairs,
        family: Family | None,
        hidden: HiddenCells | None = None,
        *,
        own: OwnShares | None = None,
    ) -> TableSums:
        """Sum the table over the sources of each target: counts by the engine, the rest in memory.

        Raises
        ------
        TableError
            A denominator, numerator or group that a variable needs is not in the table.
        """
        require_parts(self.columns, variables)
        # what zeros hide is put in, and what has shares of its own moved, unit by unit, in memory
        put_in = {
            *(() if hidden is None else hidden.values),
            *(() if own is None else own.shares),
        }
        plain = [self._is_plain(one) and one.name not in put_in for one in variables]
        counts = [at for at, yes in enumerate(plain) if yes]
        others = [at for at, yes in enumerate(plain) if not yes]
        parts = []
        # so many counts a statement that groups times counts stay bounded
        groups = len(pairs.targets) + (0 if family is None else sum(family.shape))
        step = int(np.clip(_SUMS_AT_A_TIME // max(groups, 1), _LEAST_AT_A_TIME, _AT_A_TIME))
        for start in range(0, len(counts), step):
            some = counts[start : start + step]
            parts.append(self._sum_counts([variables[at] for at in some], pairs, family))
        for chosen, piece in self.pieces([variables[at] for at in others]):
            parts.append(sum_table(piece, chosen, pairs, family, hidden, own=own))
        return TableSums.concat(parts, [*counts, *others])

    def _is_plain(self, one: Variable) -> bool:
        """Return whether a variable is a count that the statement knows how to sum.

        Zeros of 2006 may stand for suppression, a ceiling may be of another column of values or
        summed of several, and a row that is not there is no zero.
        """
        if one.rule != "count" or has_trait(self.vintage, "zeros_may_be_suppressed"):
            return False
        if one.name in self._summed or (one.part and one.denominator in self._summed):
            return False
        parts = [one.name, *([str(one.denominator)] if one.part else [])]
        if any(self._ranges["cells"].get(name, len(self)) < len(self) for name in parts):
            return False
        whole = self._columns.get(str(one.denominator)) if one.part else None
        return whole is None or whole[1] == self._columns.get(one.name, whole)[1]

    def _sum_counts(
        self, variables: Sequence[Variable], pairs: Pairs, family: Family | None
    ) -> TableSums:
        """Sum counts by one statement."""
        held = set(self._columns)
        cells = [
            Cell(
                *self._columns[one.name],
                self._columns[str(one.denominator)][0]
                if one.part and one.denominator in held
                else None,
            )
            for one in variables
        ]
        units = self.units["unit"].reindex(pairs.sources).fillna(-1).to_numpy(dtype=np.int64)
        plan = Plan.of(variables, cells, units, ColumnReader(self._measures(), pairs), family)
        return sums_from_engine(
            self._engine.ask(lambda cells: counts_expression(cells, plan)), plan
        )

    def _measures(self) -> CensusTable:
        """Return people, dwellings and households, as far as the table has them."""
        if self._measured is None:
            self._measured = self.part([name for name in COUNTS if name in self._columns])
        return self._measured

    def _columns_needed(self, variables: Sequence[Variable]) -> list[str]:
        """Return the columns that variables, their ceilings and their measures are made from."""
        wanted = [part for one in variables for part in parts_needed(one)]
        wanted += [str(one.denominator) for one in variables if one.denominator]
        held = set(self.columns)
        return [name for name in dict.fromkeys([*wanted, *COUNTS]) if name in held]

    def pieces(
        self, variables: Sequence[Variable]
    ) -> Iterator[tuple[Sequence[Variable], CensusTable]]:
        """Read variables into memory, some at a time, each with all it is made from."""
        for start in range(0, len(variables), _READ_AT_A_TIME):
            some = variables[start : start + _READ_AT_A_TIME]
            yield some, self.part(self._columns_needed(some))

    def __len__(self) -> int:
        return len(self.units)

    def __repr__(self) -> str:
        summary = say(
            "tables.long_summary",
            vintage="" if self.vintage is None else f"{self.vintage} ",
            level=self.level or say("tables.zones"),
            units=len(self.units),
            variables=len(self._columns),
            ruled=len(self.variables),
        )
        return f"<{summary}>"


def _open_again(
    reopen: Callable[[], LongTable],
    variables: Mapping[str, Variable],
    parents: pd.Series,
    summed: Mapping[str, tuple[str, ...]],
) -> LongTable:
    again = reopen()._again(variables=variables, parents=parents)
    again._summed = dict(summed)
    return again


#: what can be weighted
AnyTable = CensusTable | LongTable


def _require_counts(variables: Mapping[str, Variable], ranges: pd.DataFrame) -> None:
    """Refuse counts and percentages below 0."""
    names = [name for name, one in variables.items() if one.rule in ("count", "percent", "rate")]
    least = ranges["least"].reindex(names)
    below = least[least < 0]
    if len(below):
        problems = [{"variable": name, "given": f"{value:g}"} for name, value in below.items()]
        cells = [f"{one['variable']} ({one['given']})" for one in problems]
        raise TableError("tables.negative", problems, cells=cells)
