"""``read_fixed_table``: columns cut from lines of fixed width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.errors import FileError
from lipgeo.textfiles.sniffing import TextForm, TextSource, called_by, open_bytes

__all__ = ["read_fixed_table"]

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
        As for :func:`~lipgeo.textfiles.read_text_table`; ``form.skip`` lines are passed over.
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
    >>> from lipgeo.textfiles import read_fixed_table, sniff
    >>> text = b"3506000101     12Ottawa    \r\n3506000102      5Gatineau  \r\n"
    >>> read_fixed_table(text, sniff(text), {"id": (0, 10), "name": (17, 10)}, 27)["name"].tolist()
    ['Ottawa', 'Gatineau']
    """
    called = called_by(source, name)
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
                parts[column].append(_cut(grid, start, width, encoding))
    except UnicodeError as error:
        raise FileError("textfiles.not_a_table", name=called, reason=str(error)) from error
    if long:
        raise FileError(
            "textfiles.long_lines",
            long,
            name=called,
            length=length,
            lines=[row["line"] for row in long],
            longest=max(row["length"] for row in long),
        )
    return pd.DataFrame(
        {column: pd.concat(pieces, ignore_index=True) for column, pieces in parts.items()}
    )


def _cut(grid: npt.NDArray[np.uint8], start: int, width: int, encoding: str) -> pd.Series:
    cells = np.ascontiguousarray(grid[:, start : start + width]).view(f"S{width}").ravel()
    codes, distinct = pd.factorize(cells.astype(object))  # hashed: far quicker than sorting
    text = [cell.decode(encoding).strip() or None for cell in distinct]
    return pd.Series(text, dtype=pd.StringDtype("pyarrow")).take(codes).reset_index(drop=True)
