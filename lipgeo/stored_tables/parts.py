"""Parts of a table: a batch of units, characteristic after characteristic, as Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lipgeo.stored_tables.cells import Vocabulary
from lipgeo.stored_tables.layout import DATA, part_name
from lipgeo.stored_tables.rows import Characteristics, Rows

__all__ = ["Long", "earlier_rows", "write_parts"]

Ints = npt.NDArray[np.int32]

#: rows of a row group: one characteristic of all units of a part stands in one or two
_GROUP = 131_072


class Long:
    """Rows of a batch as arrays: unit, characteristic, values and symbols.

    Parameters
    ----------
    rows
        Rows of whole units.
    numbers
        Number of each unit of ``rows`` in the table; -1 for units that are left out.
    """

    def __init__(self, rows: Rows, numbers: Ints, characteristics: Characteristics) -> None:
        self.numbers = numbers
        self.rows = rows
        self.members = np.array(characteristics.ids, dtype=np.int32)
        counts = rows.counts
        each = int(counts[0])
        self.alike = bool((counts == each).all()) and bool(
            (rows.places.reshape(len(counts), -1) == rows.places[:each]).all()
        )
        if self.alike:
            self.alike = len(np.unique(rows.places[:each])) == each

    @property
    def units(self) -> Ints:
        """Number of each row's unit."""
        return np.repeat(self.numbers, self.rows.counts)

    @property
    def characteristics(self) -> Ints:
        """Id of each row's characteristic."""
        return self.members[self.rows.places]

    def order(self, wanted: npt.NDArray[np.bool_]) -> tuple[Ints, Ints, npt.NDArray[np.intp]]:
        """Return units, characteristics and places of the rows of some units, sorted."""
        if self.alike:
            members = self.members[self.rows.places[: self.rows.counts[0]]]
            columns = np.argsort(members, kind="stable")
            units = np.flatnonzero(wanted)
            rows = (columns[:, None] + units * len(members)).ravel()
            numbers = np.tile(self.numbers[units], len(members))
            return numbers, np.repeat(members[columns], len(units)), rows
        rows = np.flatnonzero(np.repeat(wanted, self.rows.counts))
        numbers, members = self.units[rows], self.characteristics[rows]
        order = np.lexsort((numbers, members))
        return numbers[order], members[order], rows[order]

    def frame(self, wanted: npt.NDArray[np.bool_], symbols: list[str]) -> pd.DataFrame:
        """Return rows of some units as a frame, in the order of the file; index is their place."""
        rows = np.flatnonzero(np.repeat(wanted, self.rows.counts))
        words = np.array([None, *symbols[1:]], dtype=object)
        columns: dict[str, Any] = {
            "unit": self.units[rows],
            "characteristic": self.characteristics[rows],
        }
        for name, one in self.rows.figures.items():
            columns[name] = one.values[rows]
            columns[f"{name}_symbol"] = words[one.symbols[rows]]
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
    spare: npt.NDArray[np.bool_] | None,
    vocabulary: Vocabulary,
) -> list[dict[str, Any]]:
    """Write a batch, one part a level; return ``file, bytes, rows`` of each.

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
    """
    written = []
    for level in sorted(
        {one for one, place in zip(levels, long.numbers, strict=True) if place >= 0}
    ):
        wanted = (levels == level) & (long.numbers >= 0)
        units, members, rows = long.order(wanted)
        if spare is not None:
            kept = ~spare[rows]
            units, members, rows = units[kept], members[kept], rows[kept]
        if not len(rows):
            continue
        columns: dict[str, Any] = {"unit": pa.array(units), "characteristic": pa.array(members)}
        for name, one in long.rows.figures.items():
            values = one.values[rows]
            columns[name] = pa.array(values, mask=np.isnan(values))
            columns[f"{name}_symbol"] = _words(one.symbols[rows], vocabulary.symbols)
        path = folder / part_name(level, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            pa.table(columns),
            path,
            row_group_size=_GROUP,
            compression="zstd",
            write_statistics=["unit", "characteristic"],
        )
        written.append(
            {"file": part_name(level, number), "bytes": path.stat().st_size, "rows": len(rows)}
        )
    return written


def _words(codes: npt.NDArray[np.int16], symbols: list[str]) -> pa.DictionaryArray:
    """Return symbols as a dictionary in their own order: equal rows give equal bytes."""
    met = np.flatnonzero(np.bincount(codes, minlength=len(symbols))[1:]) + 1
    words = sorted(symbols[code] for code in met)
    table = np.zeros(len(symbols), dtype=np.int8)
    for code in met:
        table[code] = words.index(symbols[code])
    return pa.DictionaryArray.from_arrays(
        pa.array(table[codes], mask=codes == 0), pa.array(words, pa.string())
    )
