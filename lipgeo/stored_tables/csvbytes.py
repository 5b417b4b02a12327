"""CSV in memory, as bytes: texts that repeat are kept once and never decoded unasked."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

__all__ = ["coded", "parsed"]

_TEXT = pa.dictionary(pa.int32(), pa.binary())


def parsed(
    buffer: pa.Buffer,
    columns: Iterable[int],
    wanted: Iterable[int],
    delimiter: str,
) -> pa.Table:
    """Parse rows of so many columns; keep those wanted, as bytes, null where empty."""
    names = [str(place) for place in columns]
    kept = [str(place) for place in wanted]
    return pyarrow.csv.read_csv(
        buffer,
        read_options=pyarrow.csv.ReadOptions(
            column_names=names, block_size=max(len(buffer), 1), use_threads=False
        ),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(kept, _TEXT),
            include_columns=kept,
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    )


def coded(table: pa.Table, place: int) -> tuple[npt.NDArray[np.int32], list[bytes]]:
    """Return which text stands in each row of a column, -1 where none, and the texts."""
    column = table.column(str(place)).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, column.dictionary.to_pylist()
