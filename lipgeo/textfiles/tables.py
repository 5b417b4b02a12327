"""``read_text_table``: a delimited file read by its form, every cell as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lipgeo.errors import FileError
from lipgeo.report import CheckReport, Finding, keep_notes
from lipgeo.textfiles.sniffing import TextForm, TextSource, called_by, open_bytes
from lipgeo.words import say

__all__ = ["read_text_table"]

_CHUNK = 1 << 22


def read_text_table(
    source: TextSource,
    form: TextForm,
    *,
    columns: Sequence[int] | None = None,
    name: str | None = None,
) -> pd.DataFrame:
    """Read a delimited file by its form, every cell as text.

    Parameters
    ----------
    source
        As for :func:`sniff`.
    form
        What :func:`sniff` found, or an amended copy of it.
    columns
        Positions of the columns wanted; all by default.
    name
        How messages call it.

    Returns
    -------
    pandas.DataFrame
        RangeIndex; text columns named as in the header (``column_1`` … without one; the second
        of two equal names becomes ``name (2)``); cells are trimmed, empty cells missing.
        :func:`~lipgeo.report.notes_of` it tells of lines left out (footnotes).

    Raises
    ------
    FileError
        The file has no delimiter, or lines have another number of fields than the table;
        ``problems`` lists them.
    """
    called = called_by(source, name)
    if form.delimiter is None:
        raise FileError("textfiles.not_delimited", name=called)
    wanted = list(range(form.width)) if columns is None else list(columns)
    names = _unique(form.columns or [f"column_{at + 1}" for at in range(form.width)])
    odd: list[pyarrow.csv.InvalidRow] = []

    def left_out(row: pyarrow.csv.InvalidRow) -> str:
        odd.append(row)
        return "skip"

    def parse(threads: bool) -> pa.Table:
        odd.clear()
        with open_bytes(source) as stream:
            return pyarrow.csv.read_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(
                    column_names=[str(at) for at in range(form.width)],
                    skip_rows=form.skip + form.header_lines,
                    encoding="utf8" if form.encoding.startswith("utf-8") else form.encoding,
                    use_threads=threads,
                    block_size=_CHUNK,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=form.delimiter, invalid_row_handler=left_out
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={str(at): pa.string() for at in range(form.width)},
                    include_columns=[str(at) for at in wanted],
                    strings_can_be_null=False,
                    check_utf8=False,
                ),
            )

    try:
        table = parse(threads=True)
        if odd:
            table = parse(threads=False)  # lines are only numbered by a single thread
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise FileError("textfiles.not_a_table", name=called, reason=str(error)) from error
    ragged = [row for row in odd if row.actual_columns > 1]
    if ragged:
        raise FileError(
            "textfiles.ragged",
            [{"line": row.number, "fields": row.actual_columns} for row in ragged],
            name=called,
            width=form.width,
            lines=[row.number for row in ragged],
        )
    notes = [
        Finding("footnote", "note", called, say("textfiles.footnote", name=called, text=row.text))
        for row in odd
    ]
    frame = pd.DataFrame({names[at]: _text(table[str(at)]) for at in wanted})
    keep_notes(frame, CheckReport(notes))
    return frame


def _unique(names: Iterable[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _text(column: pa.ChunkedArray) -> pd.Series:
    trimmed = pc.utf8_trim_whitespace(column)
    filled = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    return pd.Series(pd.StringDtype("pyarrow").__from_arrow__(filled))
