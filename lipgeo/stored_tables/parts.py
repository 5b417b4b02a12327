"""Parts of a table: a batch of units, characteristic after characteristic, as Parquet."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lipgeo.stored_tables.cells import Figured, Vocabulary
from lipgeo.stored_tables.layout import DATA, part_name, range_name
from lipgeo.stored_tables.rows import Rows

__all__ = ["Long", "earlier_rows", "whole_ranges", "write_parts"]

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

#: rows of a row group: one characteristic of all units of a part stands in one or two
_GROUP = 131_072


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

    def order(self, wanted: Bools, spare: Bools | None) -> tuple[Ints, Ints, Ints]:
        """Return number, characteristic and code of rows, by characteristic, then unit.

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
            numbers = self.numbers[wanted]
            codes = self.figured.codes.reshape(len(wanted), -1)[wanted].T[columns]
            return (
                np.tile(numbers, len(members)),
                np.repeat(members[columns], len(numbers)),
                codes.ravel(),
            )
        chosen = np.repeat(wanted, self.rows.counts)
        rows = np.flatnonzero(chosen if spare is None else chosen & ~spare)
        numbers, members = self.units[rows], self.characteristics[rows]
        order = np.lexsort((numbers, members))
        return numbers[order], members[order], self.figured.codes[rows[order]]

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
    for level in sorted(set(levels[long.numbers >= 0])):
        wanted = (levels == level) & (long.numbers >= 0)
        units, members, codes = long.order(wanted, spare)
        if not len(codes):
            continue
        columns: dict[str, Any] = {"unit": pa.array(units), "characteristic": pa.array(members)}
        firsts = np.flatnonzero(np.diff(members, prepend=members[0] - 1))
        seen: dict[str, Any] = {
            "characteristic": members[firsts],
            "cells": np.diff(firsts, append=len(members)),
        }
        met = np.zeros(len(next(iter(long.figured.columns.values())).values), dtype=bool)
        met[codes] = True
        for name, one in long.figured.columns.items():
            values = one.values[codes]
            missing = np.isnan(values)
            columns[name] = pa.array(values, mask=missing)
            columns[f"{name}_symbol"] = _words(one.symbols, met, vocabulary.symbols, codes)
            seen[f"{name}_least"] = np.fmin.reduceat(values, firsts)
            seen[f"{name}_greatest"] = np.fmax.reduceat(values, firsts)
            seen[f"{name}_missing"] = np.add.reduceat(missing, firsts, dtype=np.int64)
        parts.append(_written(folder, part_name(level, number), columns))
        ranges.append(_written(folder, range_name(level, number), seen))
    return parts, ranges


def _written(folder: Path, name: str, columns: dict[str, Any]) -> dict[str, Any]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table(columns),
        path,
        row_group_size=_GROUP,
        compression="zstd",
        write_statistics=["unit", "characteristic"],
    )
    rows = len(columns["characteristic"])
    return {"file": name, "bytes": path.stat().st_size, "rows": rows}


def whole_ranges(folder: Path, ranges: list[dict[str, Any]], values: list[str]) -> pd.DataFrame:
    """Return ``level, characteristic, column, least, greatest, missing, cells`` of a table.

    Parameters
    ----------
    folder
        The folder of the table.
    ranges
        Ranges of its parts, as :func:`write_parts` told.
    values
        Columns of values.

    Returns
    -------
    pandas.DataFrame
        ``least`` and ``greatest`` float64, missing where no cell has a value; ``missing`` and
        ``cells`` int64.
    """
    by_part = []
    for one in ranges:
        frame = pq.read_table(folder / one["file"]).to_pandas()
        by_part.append(frame.assign(level=PurePosixPath(one["file"]).name.split("-")[0]))
    parts = pd.concat(by_part)
    long = pd.concat(
        [
            parts[["level", "characteristic", "cells"]].assign(
                column=name,
                least=parts[f"{name}_least"],
                greatest=parts[f"{name}_greatest"],
                missing=parts[f"{name}_missing"],
            )
            for name in values
        ]
    )
    keys = ["level", "characteristic", "column"]
    found = long.groupby(keys, as_index=False).agg(
        {"least": "min", "greatest": "max", "missing": "sum", "cells": "sum"}
    )
    return found.astype({"characteristic": np.int32})


def _words(codes: npt.NDArray[np.int16], met: Bools, symbols: list[str], rows: Ints) -> pa.Array:
    """Return symbols of rows; those met, in their own order: equal rows give equal bytes."""
    used = np.flatnonzero(np.bincount(codes[met], minlength=1)[1:]) + 1
    words = sorted(symbols[code] for code in used)
    table = np.zeros(len(symbols), dtype=np.int8)
    for code in used:
        table[code] = words.index(symbols[code])
    indices = pa.array(table[codes][rows], mask=(codes == 0)[rows])
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()), safe=False)
