"""Take in rows of profiles, a batch of units at a time, and write them as parts of a table.

An ``Intake`` numbers units, tells repeated ones and counts what is left out; a part is Parquet, in
it one content and characteristic after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lipgeo.arrays import Flags, Ints, Ints32
from lipgeo.errors import TableError
from lipgeo.files import sha256_of, sync
from lipgeo.readers.statcan.cells import Codes, Vocabulary
from lipgeo.readers.statcan.profile import plain_counts, units_of, variables_of
from lipgeo.readers.statcan.profile_files import ProfileLayout
from lipgeo.readers.statcan.profile_rows import Characteristics, Place, Rows, Values
from lipgeo.store.tables.layout import CONTENT, DATA, part_name, range_name
from lipgeo.tables.variables import missing_symbols

__all__ = ["Intake", "Long", "Unit", "earlier_rows", "write_parts"]

#: rows of a row group
_GROUP = 131_072
_KEYS = ("unit", "characteristic", "content")


class Long:
    """Rows of a batch as arrays: unit, characteristic, values and symbols.

    Parameters
    ----------
    rows
        Rows of whole units.
    numbers
        Number of each unit of ``rows`` in the table; -1 for units that are left out.
    members
        Ids of the table's characteristics, by their place.
    symbols
        What the codes of symbols stand for.
    """

    def __init__(self, rows: Rows, numbers: Ints32, members: list[int], symbols: list[str]) -> None:
        self.numbers = numbers
        self.counts = rows.counts
        self.alike = rows.alike
        self.values = rows.values
        self.symbols = symbols
        self.units = np.repeat(numbers, rows.counts)
        self.characteristics = np.array(members, dtype=np.int32)[rows.places]

    def __len__(self) -> int:
        return len(self.units)

    def groups(self, wanted: Flags, spare: Flags | None) -> Iterator[tuple[Ints, int]]:
        """Give rows and what they hold: by content, then characteristic, then unit.

        Parameters
        ----------
        wanted
            Units whose rows are wanted.
        spare
            Rows that are not.
        """
        # rows by characteristic, then as units are numbered
        if self.alike and spare is None:
            each = int(self.counts[0])
            columns = np.argsort(self.characteristics[:each], kind="stable")
            rows = np.add.outer(columns, np.flatnonzero(wanted) * each).ravel()
        else:
            chosen = np.repeat(wanted, self.counts)
            rows = np.flatnonzero(chosen if spare is None else chosen & ~spare)
            rows = rows[np.lexsort((self.units[rows], self.characteristics[rows]))]
        # what holds the same stands together
        contents = self._contents[rows]
        for kind in range(len(CONTENT)):
            mine = rows[contents == kind]
            for at in range(0, len(mine), _GROUP):
                yield mine[at : at + _GROUP], kind

    @cached_property
    def _contents(self) -> npt.NDArray[np.int8]:
        """What rows hold, by their code: see ``CONTENT`` of the layout."""
        missing = np.zeros(len(self), dtype=bool)
        number = np.zeros(len(self), dtype=bool)
        for one in self.values.values():
            gaps = np.isnan(one.numbers)
            missing |= gaps
            number |= ~gaps & (one.numbers != 0)
        return np.where(missing, np.where(number, 2, 3), number).astype(np.int8)

    def frame(self, wanted: Flags) -> pd.DataFrame:
        """Return rows of some units as a frame, in the order of the file; index is their place."""
        rows = np.flatnonzero(np.repeat(wanted, self.counts))
        words = np.array([None, *self.symbols[1:]], dtype=object)
        columns: dict[str, Any] = {
            "unit": self.units[rows],
            "characteristic": self.characteristics[rows],
        }
        for name, one in self.values.items():
            columns[name] = one.numbers[rows]
            columns[f"{name}_symbol"] = words[one.symbols[rows]]
        return pd.DataFrame(columns, index=rows)


def earlier_rows(folder: Path, units: Ints32, columns: list[str]) -> pd.DataFrame:
    """Return what parts hold of some units."""
    parts = sorted(str(path) for path in (folder / DATA).rglob("*.parquet"))
    if not parts:
        return pd.DataFrame(columns=columns)
    rows = ds.dataset(parts).to_table(columns=columns, filter=ds.field("unit").isin(units.tolist()))
    frame = rows.to_pandas()
    for name in columns:
        if name.endswith("_symbol"):
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return frame


def write_parts(
    folder: Path,
    number: int,
    long: Long,
    *,
    levels: npt.NDArray[np.object_],
    spare: Flags | None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write a batch, one part a level, and the ranges of its values.

    Parameters
    ----------
    folder
        The folder of the table.
    number
        The batch's number.
    long
        Its rows.
    levels
        Level of each unit.
    spare
        Rows that repeat earlier ones.

    Returns
    -------
    parts, ranges : list of dict
        ``file, bytes, rows`` of each.
    """
    parts, ranges = [], []
    # symbols are those of these rows alone, so equal rows give equal bytes
    words = {name: _Words(one.symbols, long.symbols) for name, one in long.values.items()}
    for level in sorted(set(levels[long.numbers >= 0])):
        part = _Part(folder / part_name(level, number), long, words)
        for rows, content in long.groups((levels == level) & (long.numbers >= 0), spare):
            part.write(rows, content)
        if part.rows == 0:
            continue
        path = folder / range_name(level, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(part.close(), path, write_page_checksum=True)
        parts.append(_record(folder, part_name(level, number), part.rows))
        ranges.append(_record(folder, range_name(level, number), part.rows))
    return parts, ranges


def _record(folder: Path, name: str, rows: int) -> dict[str, Any]:
    return {
        "file": name,
        "bytes": (folder / name).stat().st_size,
        "sha256": sha256_of(folder / name),
        "rows": rows,
    }


class _Part:
    """A part that is being written, one group of rows after the other.

    A group is small enough for its columns to stay in the cache while they are made and written.
    """

    def __init__(self, path: Path, long: Long, words: dict[str, _Words]) -> None:
        self.rows = 0
        self._path = path
        self._long = long
        self._words = words
        self._seen: list[pa.Table] = []
        self._writer: pq.ParquetWriter | None = None

    def write(self, rows: Ints, content: int) -> None:
        """Write rows that hold the same as a row group."""
        members = self._long.characteristics[rows]
        columns: dict[str, Any] = {
            "unit": pa.array(self._long.units[rows]),
            "characteristic": pa.array(members),
            "content": pa.array(np.full(len(rows), content, dtype=np.int8)),
        }
        firsts = np.flatnonzero(np.diff(members, prepend=members[0] - 1))
        seen: dict[str, Any] = {
            "characteristic": members[firsts],
            "cells": np.diff(firsts, append=len(members)),
        }
        for name, one in self._long.values.items():
            # most rows are all zeros, and few have gaps: neither is looked for where it is known
            values = one.numbers[rows] if content else np.zeros(len(rows))
            gaps = "gaps" in CONTENT[content]
            missing = np.isnan(values) if gaps else np.zeros(len(rows), dtype=bool)
            columns[name] = pa.array(values, mask=missing) if gaps else pa.array(values)
            columns[f"{name}_symbol"] = self._words[name].of(rows)
            seen[f"{name}_least"] = _with_nulls(np.fmin.reduceat(values, firsts))
            seen[f"{name}_greatest"] = _with_nulls(np.fmax.reduceat(values, firsts))
            seen[f"{name}_missing"] = np.add.reduceat(missing, firsts, dtype=np.int64)
        table = pa.table(columns)
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # numbers of units and characteristics are ranges: packing them takes longer than
            # squeezing them, and does no better
            self._writer = pq.ParquetWriter(
                self._path,
                table.schema,
                compression="snappy",
                use_dictionary=[name for name in columns if name not in _KEYS],
                write_statistics=list(_KEYS),
                write_page_checksum=True,
            )
        self._writer.write_table(table, row_group_size=len(table))
        self._seen.append(pa.table(seen))
        self.rows += len(table)

    def close(self) -> pa.Table:
        """End the part; return the ranges of its values."""
        if self._writer is not None:
            self._writer.close()
            sync(self._path)
        return pa.concat_tables(self._seen)


def _with_nulls(values: npt.NDArray[np.float64]) -> pa.Array:
    """Return numbers, null where there is none."""
    return pa.array(values, mask=np.isnan(values))


class _Words:
    """Symbols of a column as Parquet keeps them: its words, in their own order.

    Parameters
    ----------
    codes
        Code of each row's symbol.
    symbols
        What the codes stand for.
    """

    def __init__(self, codes: Codes, symbols: list[str]) -> None:
        counts = np.bincount(codes, minlength=1)
        used = [code for code in np.flatnonzero(counts).tolist() if code]
        words = sorted(symbols[code] for code in used)
        self._places = np.zeros(len(symbols), dtype=np.int8)
        for code in used:
            self._places[code] = words.index(symbols[code])
        self._words = pa.array(words, pa.string())
        self._codes = codes

    def of(self, rows: Ints) -> pa.Array:
        """Return the symbols of some rows, null where there is none."""
        codes = self._codes[rows]
        indices = pa.array(self._places[codes], mask=codes == 0)
        return pa.DictionaryArray.from_arrays(indices, self._words, safe=False)


class Unit(NamedTuple):
    """A unit of a table; its place in the list is its number."""

    level: str
    unit_id: str
    name: str
    origin: int


class Intake:
    """The table as far as it is taken in.

    Attributes
    ----------
    characteristics, units
        In the order they came.
    sources
        Files that are done: ``file, sha256, bytes, rows``.
    parts, ranges
        Parts written, and the ranges of their values: ``file, bytes, rows``.
    not_believed
        Numbers beside a symbol that says there is none.
    dropped
        Rows left out, by reason.
    twice
        Ids of units that came again with the same figures.
    short
        Files whose last unit has fewer rows than the one before it, and that unit's id.
    rows_read, end, check
        Of the file being read: rows so far, the place after them, and what was read with its hash.
    """

    def __init__(self, folder: Path, layout: ProfileLayout) -> None:
        self.vintage = layout.vintage
        self.vocabulary = Vocabulary()
        self.characteristics = Characteristics()
        self.units: list[Unit] = []
        self.sources: list[dict[str, Any]] = []
        self.parts: list[dict[str, Any]] = []
        self.ranges: list[dict[str, Any]] = []
        self.not_believed = 0
        self.values: list[str] = []
        self.dropped: dict[str, int] = {}
        self.twice: list[str] = []
        self.short: dict[str, str] = {}
        self.rows_read = 0
        self.end = Place(0, 0)
        self.check: tuple[int, str] | None = None
        self._folder = folder
        self._numbers: dict[tuple[str, str], int] = {}
        self._origin = -1
        self._batches = 0
        self._told = 0
        # of the last file: of an import that goes on with all files read none is opened
        self._layout = layout
        self._file = ""

    def open(self, origin: int, file: str, layout: ProfileLayout) -> None:
        """Begin or take up a file."""
        self._layout, self._file = layout, file
        self.learn()
        if origin != self._origin:
            self._origin, self.rows_read, self.end, self.check = origin, 0, Place(0, 0), None

    def learn(self) -> None:
        """Say of characteristics that came last whether the dictionary knows them as counts."""
        mine = self.characteristics
        if len(mine.counts) == len(mine):
            return
        counts = plain_counts(self.variables(), self.vintage)
        mine.counts += [str(id) in counts for id in mine.ids[len(mine.counts) :]]

    def variables(self) -> pd.DataFrame:
        """Return the variables of the dictionary: ``id, variable, certainty``, an id once."""
        mine = self.characteristics
        rows = pd.DataFrame({"id": list(map(str, mine.ids)), "name": mine.names})
        return variables_of(rows, self._layout).drop_duplicates("id")

    def take_up(self, entry: dict[str, Any]) -> None:
        """Take up a batch that an earlier run imported."""
        for member, name, depth in entry["characteristics"]:
            self.characteristics.add(member, name, depth)
        self._told = len(self.characteristics)
        for level, unit_id, name in entry["units"]:
            self._numbers[level, unit_id] = len(self.units)
            self.units.append(Unit(level, unit_id, name, entry["origin"]))
        self._origin, self.rows_read = entry["origin"], entry["rows_read"]
        self.end, self.check = Place(*entry["end"]), (entry["check"][0], entry["check"][1])
        self._batches += 1
        self.values = entry["values"]
        self._add_entry(entry)

    def _add_entry(self, entry: dict[str, Any]) -> None:
        self.parts += entry["parts"]
        self.ranges += entry["ranges"]
        self.not_believed += entry["not_believed"]
        self.twice += entry["twice"]
        for reason, rows in entry["dropped"].items():
            self.dropped[reason] = self.dropped.get(reason, 0) + rows

    def batch(self, rows: Rows, check: tuple[int, str]) -> Callable[[], dict[str, Any]]:
        """Return what writes a batch and says what it is; its units are numbered.

        Raises
        ------
        IdError
            An id is no DGUID.
        TableError
            A unit came before with other figures.
        """
        places = units_of(rows.ids, self._layout)
        levels = places["level"].to_numpy(dtype=object, na_value="")
        unit_ids = places["unit_id"].to_numpy(dtype=object, na_value="")
        numbers, new, again = self._number(levels, unit_ids, rows.names)
        self._look_at_last(rows, unit_ids)
        rows, not_believed = _without_doubtful(rows, self.vocabulary.symbols)
        long = Long(rows, numbers, self.characteristics.ids, self.vocabulary.symbols.copy())
        out = numbers < 0
        dropped = self._reasons(places["country"].to_numpy()[out], rows.counts[out])
        spare: Flags | None = None
        twice: list[str] = []
        if again.any() or not long.alike:
            spare, twice = self._settle(long, again, unit_ids)
        self.rows_read += len(rows)
        self.end, self.check = rows.ends[-1], check
        added = slice(self._told, len(self.characteristics))
        self._told = len(self.characteristics)
        self.values = list(rows.values)
        entry = {
            "origin": self._origin,
            "end": list(self.end),
            "check": list(check),
            "rows_read": self.rows_read,
            "values": self.values,
            "characteristics": [
                *zip(
                    self.characteristics.ids[added],
                    self.characteristics.names[added],
                    self.characteristics.depths[added],
                    strict=True,
                )
            ],
            "units": [[unit.level, unit.unit_id, unit.name] for unit in new],
            "dropped": dropped,
            "not_believed": not_believed,
            "twice": twice,
        }
        number, self._batches = self._batches, self._batches + 1

        def write() -> dict[str, Any]:
            parts, ranges = write_parts(self._folder, number, long, levels=levels, spare=spare)
            entry["parts"], entry["ranges"] = parts, ranges
            self._add_entry(entry)
            return entry

        return write

    def _number(
        self, levels: npt.NDArray[np.object_], unit_ids: npt.NDArray[np.object_], names: list[str]
    ) -> tuple[Ints32, list[Unit], Flags]:
        """Return the number of each unit (-1: left out), the new units, and which came before."""
        numbers = np.full(len(levels), -1, dtype=np.int32)
        again = np.zeros(len(levels), dtype=bool)
        before = len(self.units)
        for place, key in enumerate(zip(levels, unit_ids, strict=True)):
            if not key[0]:
                continue
            again[place] = key in self._numbers
            if not again[place]:
                self._numbers[key] = len(self.units)
                self.units.append(Unit(*key, names[place].strip(), self._origin))
            numbers[place] = self._numbers[key]
        return numbers, self.units[before:], again

    def _reasons(self, country: Flags, counts: Ints32) -> dict[str, int]:
        """Return how many rows are left out for what."""
        found: dict[str, int] = {}
        for one, rows in zip(country.tolist(), counts.tolist(), strict=True):
            reason = "country" if one else "unknown_level"
            found[reason] = found.get(reason, 0) + rows
        return found

    def _look_at_last(self, rows: Rows, unit_ids: npt.NDArray[np.object_]) -> None:
        """Remember the last unit where it has fewer rows than the one before it."""
        self.short.pop(self._file, None)
        if len(rows.counts) > 1 and rows.counts[-1] < rows.counts[-2]:
            self.short[self._file] = unit_ids[-1]

    def _settle(
        self, long: Long, again: Flags, unit_ids: npt.NDArray[np.object_]
    ) -> tuple[Flags | None, list[str]]:
        """Return which rows repeat earlier ones, and of which units.

        Raises
        ------
        TableError
            Figures differ.
        """
        here = long.numbers >= 0
        if long.alike:
            here &= np.isin(long.numbers, long.numbers[again])
        mine = long.frame(here)
        before = earlier_rows(self._folder, np.unique(long.numbers[again]), list(mine.columns))
        keys = ["unit", "characteristic"]
        both = pd.concat([before.set_axis([-1] * len(before)), mine]) if len(before) else mine
        twice = both.duplicated(keys, keep="first").to_numpy()
        if not twice.any():
            return None, []
        met = both[both.duplicated(keys, keep=False)]
        differing = met[~met.duplicated(keep=False)]
        if len(differing):
            units = [self.units[unit].unit_id for unit in differing["unit"].unique()]
            problems = differing.assign(
                unit_id=[self.units[unit].unit_id for unit in differing["unit"]]
            )
            raise TableError(
                "readers.twice",
                problems[["unit_id", "characteristic", "total"]].to_dict("records"),
                name=", ".join([*(one["file"] for one in self.sources), self._file]),
                units=units,
            )
        spare = np.zeros(len(long), dtype=bool)
        spare[both.index.to_numpy()[twice]] = True
        return spare, [self.units[unit].unit_id for unit in both["unit"][twice].unique()]


def _without_doubtful(rows: Rows, symbols: list[str]) -> tuple[Rows, int]:
    """Leave out numbers beside a symbol that says there is none; say how many."""
    none = np.array([symbol in missing_symbols() for symbol in symbols])
    values, count = dict(rows.values), 0
    for name, one in rows.values.items():
        # most rows have no symbol at all
        signs = np.flatnonzero(one.symbols)
        doubtful = signs[none[one.symbols[signs]] & ~np.isnan(one.numbers[signs])]
        if len(doubtful):
            count += len(doubtful)
            numbers = one.numbers.copy()
            numbers[doubtful] = np.nan
            values[name] = Values(numbers, one.symbols)
    return replace(rows, values=values), count
