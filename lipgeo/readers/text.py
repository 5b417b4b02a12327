"""Read delimited and fixed-width text files by their form, every cell as text.

Cells become numbers afterwards; those that cannot are pointed at.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lipgeo.errors import FileError
from lipgeo.readers.sniff import SPACES, TextForm, TextSource, name_of_source, open_bytes
from lipgeo.report import CheckReport, finding, keep_notes

__all__ = ["MISSING", "lines_of_rows", "read_fixed_table", "read_text_table", "to_numbers"]

# outlines as text are longer than the 128 kB that csv takes for a field
csv.field_size_limit(1 << 30)

#: cells that mean "no number here"; Statistics Canada's symbols and what spreadsheets leave
MISSING = frozenset(
    '"" . .. ... x X F - – — #N/A <NA> NA N/A n/a NaN nan null NULL None'.replace('""', "").split(
        " "
    )
)


def to_numbers(
    values: pd.Series, decimal: str = "."
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Turn text cells into numbers; what cannot be read is pointed at, never guessed.

    Parameters
    ----------
    values
        Text (or already numbers).
    decimal
        The decimal mark; the other mark, spaces (also no-break) and apostrophes are accepted
        between groups of three digits only.

    Returns
    -------
    numbers : numpy.ndarray of float64
        NaN where the cell is missing (see :data:`MISSING`) or unreadable.
    unread : numpy.ndarray of bool
        Cells that hold something that is neither a number nor a missing symbol.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.readers.text import to_numbers
    >>> numbers, unread = to_numbers(pd.Series(["1 234,5", "94,0", "..", "dix"]), decimal=",")
    >>> numbers.tolist()[:2], unread.tolist()
    ([1234.5, 94.0], [False, False, False, True])
    """
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers, np.isinf(numbers)
    text = values.astype("string")
    numbers = np.full(len(text), np.nan)
    blank = text.isna().to_numpy(dtype=bool)
    # digits of other scripts are no plain numbers: the engine of text does not know them
    plain = text.str.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?" if decimal == "." else r"[-+]?[0-9]+")
    plain = plain.fillna(False).to_numpy(dtype=bool)
    if plain.any():
        numbers[plain] = text[plain].astype("float64").to_numpy()
    rest = np.flatnonzero(~plain & ~blank)
    unread = np.zeros(len(text), dtype=bool)
    if len(rest):
        numbers[rest], unread[rest] = _hard_numbers(text.iloc[rest], decimal)
    return numbers, unread


def _hard_numbers(
    text: pd.Series, decimal: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    cells, where = np.unique(text.to_numpy(dtype=object).astype(str), return_inverse=True)
    group = "." if decimal == "," else ","
    mark = re.escape(decimal)
    between = rf"[{re.escape(group)} '’{SPACES}]"
    pattern = re.compile(
        rf"([-+]?(?:\d{{1,3}}(?:{between}\d{{3}})+|\d+))(?:{mark}(\d+)?)?(?:[eE]([-+]?\d+))?"
    )
    numbers = np.full(len(cells), np.nan)
    unread = np.zeros(len(cells), dtype=bool)
    for at, given in enumerate(cells):
        cell = given.strip().strip(SPACES)
        if cell in MISSING:
            continue
        match = pattern.fullmatch(cell)
        if match is None:
            unread[at] = True
            continue
        whole = re.sub(between, "", match.group(1))
        numbers[at] = float(f"{whole}.{match.group(2) or '0'}e{match.group(3) or '0'}")
    return numbers[where], unread[where]


_BLOCK = 1 << 25
_ONE_BYTE = ("cp1252", "latin-1")


def _blocks(source: TextSource, encoding: str) -> Iterator[tuple[list[bytes], str]]:
    """Lines as bytes of a one-byte encoding, so that a character is a column; and that encoding."""
    kept = encoding if encoding in _ONE_BYTE else "cp1252"
    with open_bytes(source) as stream:
        if encoding not in (*_ONE_BYTE, "utf-8"):  # UTF-16 newlines are two bytes: read it whole
            text = stream.read().decode(encoding)
            yield [line.encode(kept) for line in text.splitlines()], kept
            return
        rest = b""
        while block := stream.read(_BLOCK):
            *lines, rest = (rest + block).split(b"\n")
            yield _to_one_byte(lines, encoding, kept), kept
        yield _to_one_byte([rest], encoding, kept), kept


def _to_one_byte(lines: list[bytes], encoding: str, kept: str) -> list[bytes]:
    if encoding == kept:
        return lines
    text = b"\n".join(lines)
    return lines if text.isascii() else text.decode(encoding).encode(kept).split(b"\n")


def read_fixed_table(
    source: TextSource,
    form: TextForm,
    fields: Mapping[str, tuple[int, int]],
    length: int,
    *,
    name: str | None = None,
) -> pd.DataFrame:
    r"""Cut columns from lines of fixed width.

    Parameters
    ----------
    source, form
        As for :func:`~lipgeo.readers.text.read_text_table`; ``form.skip`` lines are passed over.
    fields
        Column name to its start (the first character is 0) and width.
    length
        Characters a line has. Shorter lines are taken to have lost blanks at their end.
    name
        How messages call it.

    Returns
    -------
    pandas.DataFrame
        RangeIndex; text columns in the order of ``fields``; trimmed, empty cells missing.

    Raises
    ------
    FileError
        Lines are longer than ``length`` (``problems`` lists them), or hold characters that a
        one-byte encoding lacks.

    Examples
    --------
    >>> from lipgeo.readers.sniff import sniff
    >>> from lipgeo.readers.text import read_fixed_table
    >>> text = b"3506000101     12Ottawa    \r\n3506000102      5Gatineau  \r\n"
    >>> read_fixed_table(text, sniff(text), {"id": (0, 10), "name": (17, 10)}, 27)["name"].tolist()
    ['Ottawa', 'Gatineau']
    """
    called = name_of_source(source, name)
    parts: dict[str, list[pd.Series]] = {column: [] for column in fields}
    long: list[dict[str, int]] = []
    seen = 0
    try:
        for given, encoding in _blocks(source, form.encoding):
            lines = [line.rstrip(b"\r") for line in given]
            numbered = range(seen + 1, seen + len(lines) + 1)
            seen += len(lines)
            kept = [
                (at, line)
                for at, line in zip(numbered, lines, strict=True)
                if line.strip(b" \x1a") and at > form.skip  # 1A: the end mark of DOS files
            ]
            long += [{"line": at, "length": len(line)} for at, line in kept if len(line) > length]
            if not kept or long:
                continue
            joined = b"".join(line.ljust(length) for _, line in kept)
            grid = np.frombuffer(joined, dtype=np.uint8).reshape(len(kept), length)
            for column, (start, width) in fields.items():
                parts[column].append(_cut_column(grid, start, width, encoding))
    except UnicodeError as error:
        raise FileError("readers.not_a_table", name=called, reason=str(error)) from error
    if long:
        raise FileError(
            "readers.long_lines",
            long,
            name=called,
            length=length,
            lines=[row["line"] for row in long],
            longest=max(row["length"] for row in long),
        )
    return pd.DataFrame(
        {column: pd.concat(pieces, ignore_index=True) for column, pieces in parts.items()}
    )


def _cut_column(grid: npt.NDArray[np.uint8], start: int, width: int, encoding: str) -> pd.Series:
    cells = np.ascontiguousarray(grid[:, start : start + width]).view(f"S{width}").ravel()
    codes, distinct = pd.factorize(cells.astype(object))  # hashed: far quicker than sorting
    text = [cell.decode(encoding).strip() or None for cell in distinct]
    return pd.Series(text, dtype=pd.StringDtype("pyarrow")).take(codes).reset_index(drop=True)


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
    called = name_of_source(source, name)
    if form.delimiter is None:
        raise FileError("readers.not_delimited", name=called)
    wanted = list(range(form.width)) if columns is None else list(columns)
    bare = [f"column_{at + 1}" for at in range(form.width)]
    names = _unique(given or blank for given, blank in zip(form.columns or bare, bare, strict=True))
    odd: list[pyarrow.csv.InvalidRow] = []

    def skip_odd_row(row: pyarrow.csv.InvalidRow) -> str:
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
                    delimiter=form.delimiter, invalid_row_handler=skip_odd_row
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={str(at): pa.string() for at in range(form.width)},
                    include_columns=[str(at) for at in wanted],
                    strings_can_be_null=False,
                    check_utf8=True,
                ),
            )

    try:
        table = parse(threads=True)
        if odd:
            table = parse(threads=False)  # lines are only numbered by a single thread
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise FileError("readers.not_a_table", name=called, reason=str(error)) from error
    ragged = _ragged(source, form) if any(row.actual_columns > 1 for row in odd) else []
    if ragged and not _are_below(source, form, ragged[0]["line"]):
        lines = [row["line"] for row in ragged]
        raise FileError("readers.ragged", ragged, name=called, width=form.width, lines=lines)
    notes = [finding("readers.footnote", "note", called, name=called, text=row.text) for row in odd]
    try:
        # the tail that rows ending in a delimiter leave is no column
        held = wanted[:-1] if form.short_header and columns is None else wanted
        frame = pd.DataFrame({names[at]: _text(table[str(at)]) for at in held})
    except pa.ArrowInvalid as error:  # the head was UTF-8 and the rest is not
        raise FileError("readers.not_a_table", name=called, reason=str(error)) from error
    keep_notes(frame, CheckReport(notes))
    return frame


def lines_of_rows(source: TextSource, form: TextForm, rows: Iterable[int]) -> list[int]:
    r"""Return the lines, as an editor counts them, on which rows of a text table begin.

    Parameters
    ----------
    source, form
        As for :func:`read_text_table` or :func:`read_fixed_table`.
    rows
        Positions in the frame it gave; the first is 0.

    Examples
    --------
    >>> from lipgeo.readers.sniff import sniff
    >>> from lipgeo.readers.text import lines_of_rows
    >>> text = b'id,note\n1,"two\nlines"\n\n2,one\n'
    >>> lines_of_rows(text, sniff(text), [0, 1])
    [2, 5]
    """
    if form.delimiter is None:
        with open_bytes(source) as stream:
            lines = stream.read().decode(form.encoding, errors="replace").split("\n")
        kept = [at for at, line in enumerate(lines, 1) if at > form.skip and line.strip(" \x1a\r")]
        return [kept[row] for row in rows]
    begins = [line for line, cells in _rows(source, form) if len(cells) == form.width]
    return [begins[row] for row in rows]


def _rows(source: TextSource, form: TextForm) -> Iterator[tuple[int, list[str]]]:
    """Return the rows below the header with the line on which each begins, as an editor counts."""
    with open_bytes(source) as stream:
        text = stream.read().decode(form.encoding, errors="replace").lstrip("\ufeff")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=form.delimiter or ",")
    begins = 1
    for cells in reader:
        if cells and begins > form.skip + form.header_lines:
            yield begins, cells
        begins = reader.line_num + 1


def _ragged(source: TextSource, form: TextForm) -> list[dict[str, int]]:
    """Return line and fields of the rows of another width; pyarrow counts rows, not lines."""
    return [
        {"line": line, "fields": len(cells)}
        for line, cells in _rows(source, form)
        if len(cells) not in (1, form.width)
    ]


def _are_below(source: TextSource, form: TextForm, first: int) -> bool:
    """Say whether odd lines are notes below the table: a blank line parts them from its end."""
    with open_bytes(source) as stream:
        lines = stream.read().decode(form.encoding, errors="replace").splitlines()
    # a table that breaks off has no blank line before its last one
    starts = [at for at, line in enumerate(lines) if at > form.skip and not line.strip(' ,;"')]
    if not starts or starts[0] >= first:
        return False
    below = csv.reader(
        (line for line in lines[starts[0] :] if line.strip()), delimiter=form.delimiter or ","
    )
    return all(len(row) != form.width for row in below)


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
