"""Parts of a table: a batch of units, content and characteristic after the other, as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lipgeo.atomic import sync
from lipgeo.stored_tables.cells import Figured, Figures, Vocabulary
from lipgeo.stored_tables.layout import CONTENT, DATA, part_name, range_name
from lipgeo.stored_tables.rows import Rows

__all__ = ["Long", "earlier_rows", "write_parts"]

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

#: rows of a row group
_GROUP = 131_072
_KEYS = ("unit", "characteristic", "content")


class Long:
    """Rows of a batch as arrays: unit, characteristic, values and symbols.

    Parameters
    ----------
    rows
        Rows of whole units.
    figured
        Their figures.
    numbers
        Number of each unit of ``rows`` in the table; -1 for units that are left out.
    members
        Ids of the table's characteristics, by their place.
    """

    def __init__(self, rows: Rows, figured: Figured, numbers: Ints, members: list[int]) -> None:
        self.rows = rows
        self.figured = figured
        self.numbers = numbers
        self.members = np.array(members, dtype=np.int32)

    @property
    def units(self) -> Ints:
        """Number of each row's unit."""
        return np.repeat(self.numbers, self.rows.counts)

    @property
    def characteristics(self) -> Ints:
        """Id of each row's characteristic."""
        return self.members[self.rows.each]

    @property
    def contents(self) -> npt.NDArray[np.int8]:
        """What rows hold, by their code: see ``CONTENT`` of the layout."""
        values = np.stack([one.values for one in self.figured.columns.values()])
        missing = np.isnan(values).any(axis=0)
        number = (np.nan_to_num(values) != 0).any(axis=0)
        return np.where(missing, np.where(number, 2, 3), number).astype(np.int8)

    def groups(
        self, wanted: Bools, spare: Bools | None
    ) -> Iterator[tuple[Ints, Ints, Ints, npt.NDArray[np.int8]]]:
        """Give number, characteristic, code and content of rows: by content, then as named.

        Parameters
        ----------
        wanted
            Units whose rows are wanted.
        spare
            Rows that are not.
        """
        if self.rows.alike and spare is None:
            members = self.members[self.rows.places]
            columns = np.argsort(members, kind="stable")
            units = self.numbers[wanted]
            codes = self.figured.codes.reshape(len(wanted), -1)[wanted][:, columns].T.ravel()
            numbers = np.tile(units, len(columns))
            members = np.repeat(members[columns], len(units))
        else:
            chosen = np.repeat(wanted, self.rows.counts)
            rows = np.flatnonzero(chosen if spare is None else chosen & ~spare)
            rows = rows[np.lexsort((self.units[rows], self.characteristics[rows]))]
            numbers, members = self.units[rows], self.characteristics[rows]
            codes = self.figured.codes[rows]
        content = self.contents[codes]
        for kind in range(len(CONTENT)):
            mine = np.flatnonzero(content == kind)
            for at in range(0, len(mine), _GROUP):
                some = mine[at : at + _GROUP]
                yield numbers[some], members[some], codes[some], content[some]

    def frame(self, wanted: Bools, symbols: list[str]) -> pd.DataFrame:
        """Return rows of some units as a frame, in the order of the file; index is their place."""
        rows = np.flatnonzero(np.repeat(wanted, self.rows.counts))
        words = np.array([None, *symbols[1:]], dtype=object)
        columns: dict[str, Any] = {
            "unit": self.units[rows],
            "characteristic": self.characteristics[rows],
        }
        codes = self.figured.codes[rows]
        for name, one in self.figured.columns.items():
            columns[name] = one.values[codes]
            columns[f"{name}_symbol"] = words[one.symbols[codes]]
        return pd.DataFrame(columns, index=rows)


def earlier_rows(folder: Path, units: Ints, columns: list[str]) -> pd.DataFrame:
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
    spare: Bools | None,
    vocabulary: Vocabulary,
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
    vocabulary
        What the codes of symbols stand for.

    Returns
    -------
    parts, ranges : list of dict
        ``file, bytes, rows`` of each.
    """
    parts, ranges = [], []
    columns = long.figured.columns
    words = _words_of(long.figured, vocabulary.symbols)
    for level in sorted(set(levels[long.numbers >= 0])):
        part = _Part(folder / part_name(level, number), columns, words)
        for group in long.groups((levels == level) & (long.numbers >= 0), spare):
            part.write(*group)
        if part.rows == 0:
            continue
        path = folder / range_name(level, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(part.close(), path)
        parts.append(_record(folder, part_name(level, number), part.rows))
        ranges.append(_record(folder, range_name(level, number), part.rows))
    return parts, ranges


def _record(folder: Path, name: str, rows: int) -> dict[str, Any]:
    return {"file": name, "bytes": (folder / name).stat().st_size, "rows": rows}


class _Part:
    """A part that is being written, one group of rows after the other.

    A group is small enough for its columns to stay in the cache while they are made and written.
    """

    def __init__(self, path: Path, columns: dict[str, Figures], words: dict[str, _Words]) -> None:
        self.rows = 0
        self._path = path
        self._columns = columns
        self._words = words
        self._seen: list[pa.Table] = []
        self._writer: pq.ParquetWriter | None = None

    def write(self, units: Ints, members: Ints, codes: Ints, content: npt.NDArray[np.int8]) -> None:
        """Write rows as a row group."""
        columns: dict[str, Any] = {
            "unit": pa.array(units),
            "characteristic": pa.array(members),
            "content": pa.array(content),
        }
        firsts = np.flatnonzero(np.diff(members, prepend=members[0] - 1))
        seen: dict[str, Any] = {
            "characteristic": members[firsts],
            "cells": np.diff(firsts, append=len(members)),
        }
        for name, one in self._columns.items():
            values = one.values[codes]
            missing = np.isnan(values)
            columns[name] = pa.array(values, mask=missing)
            columns[f"{name}_symbol"] = self._words[name].of(codes)
            seen[f"{name}_least"] = _known(np.fmin.reduceat(values, firsts))
            seen[f"{name}_greatest"] = _known(np.fmax.reduceat(values, firsts))
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


def _known(values: npt.NDArray[np.float64]) -> pa.Array:
    """Return numbers, null where there is none."""
    return pa.array(values, mask=np.isnan(values))


def _words_of(figured: Figured, symbols: list[str]) -> dict[str, _Words]:
    """Return the symbols of each column; only those of the rows, so equal rows give equal bytes."""
    met = np.zeros(len(next(iter(figured.columns.values())).values), dtype=bool)
    met[figured.codes] = True
    return {name: _Words(one.symbols, met, symbols) for name, one in figured.columns.items()}


class _Words:
    """Symbols of a column as Parquet keeps them: its words, in their own order.

    Parameters
    ----------
    codes
        Code of the symbol by place of the figures.
    met
        Places that rows have.
    symbols
        What the codes stand for.
    """

    def __init__(self, codes: npt.NDArray[np.int16], met: Bools, symbols: list[str]) -> None:
        used = [code for code in np.unique(codes[met]).tolist() if code]
        words = sorted(symbols[code] for code in used)
        table = np.zeros(len(symbols), dtype=np.int8)
        for code in used:
            table[code] = words.index(symbols[code])
        self._words = pa.array(words, pa.string())
        self._indices = table[codes]
        self._none = codes == 0

    def of(self, rows: Ints) -> pa.Array:
        """Return the symbols of some rows, null where there is none."""
        indices = pa.array(self._indices[rows], mask=self._none[rows])
        return pa.DictionaryArray.from_arrays(indices, self._words, safe=False)
