"""Find out how a text file is written (encoding, delimiter, header), and say each assumption."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from lipgeo.errors import FileError
from lipgeo.report import CheckReport, Finding, Severity, finding
from lipgeo.words import Sentence, say

__all__ = [
    "SPACES",
    "TextForm",
    "TextSource",
    "decimal_mark",
    "name_of_source",
    "open_bytes",
    "sniff",
]

#: a path, the bytes themselves, or a function that opens them anew (a member of a zip)
TextSource = str | Path | bytes | Callable[[], BinaryIO]

_HEAD = 1 << 18  # bytes looked at for everything but the encoding
_CHUNK = 1 << 22
_HEAD_LINES = 50
_DELIMITERS = ("\t", ";", "|", ",")
SPACES = "\u00a0\u202f\u2009\u2007"
_UNDEFINED_1252 = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")
_NUMBER = re.compile(r"[-+]?\d[\d\s.,'" + SPACES + r"]*%?")
_YEAR = re.compile(r"(1[89]|20)\d\d")
#: share of the sampled lines that need the same number of fields
_CONSISTENT = 0.95
_TITLES = 10  # lines of title a table may have above its header
_FIXED_LINE = 60  # shorter lines of equal length are coincidence


@dataclass(frozen=True)
class TextForm:
    """What a text file was taken to be.

    Attributes
    ----------
    encoding
        ``utf-8``, ``utf-8-sig``, ``utf-16``, ``utf-16-le``, ``utf-16-be``, ``cp1252``, ``latin-1``.
    delimiter
        The character between fields; ``None`` where there is none (fixed width, one column).
    decimal
        ``"."`` or ``","``.
    header
        Whether the first line of the table names its columns.
    notes
        One finding an assumption.
    skip
        Lines above the table (titles, ``sep=;``).
    columns
        The names in the header, trimmed; empty without one.
    width
        Fields a line has; 1 without a delimiter.
    line_length
        Length in characters that all sampled lines share, or ``None``.
    header_lines
        Lines the header takes (a quoted name may hold a newline).
    short_header
        Whether the rows end in a delimiter and the header does not.
    head
        The first lines as they stand.
    """

    encoding: str
    delimiter: str | None
    decimal: Literal[".", ","]
    header: bool
    notes: CheckReport
    skip: int = 0
    columns: tuple[str, ...] = ()
    width: int = 1
    line_length: int | None = None
    header_lines: int = 0
    short_header: bool = False
    head: tuple[str, ...] = field(default=(), repr=False)


def open_bytes(source: TextSource) -> BinaryIO:
    """Open a source for reading bytes; a file that cannot be is a FileError."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if callable(source):
        return source()
    path = Path(source)
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise FileError("readers.text.missing", path=path) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError("readers.text.unreadable", path=path, reason=reason) from error


def name_of_source(source: TextSource, name: str | None) -> str:
    """Return how messages call a source."""
    if name is not None:
        return name
    return Path(source).name if isinstance(source, str | Path) else say("readers.these_bytes")


def sniff(source: TextSource, *, name: str | None = None) -> TextForm:
    r"""Find the encoding, delimiter, header and decimal mark of a text file.

    The encoding is decided by the whole file (a single byte that is not UTF-8 makes it
    Windows-1252), the rest by its first 256 kB.

    Parameters
    ----------
    source
        A path, bytes, or a function that opens the bytes.
    name
        How messages call it; the file's name by default.

    Returns
    -------
    TextForm
        With one note an assumption.

    Raises
    ------
    FileError
        The file is missing, unreadable, empty, or no text.

    Examples
    --------
    >>> from lipgeo.readers.sniff import sniff
    >>> form = sniff("Unité;Part\nA;1,5\nB;2,25\n".encode("cp1252"))
    >>> form.encoding, form.delimiter, form.decimal, form.columns
    ('cp1252', ';', ',', ('Unité', 'Part'))
    """
    called = name_of_source(source, name)
    found: list[Finding] = []

    def note(check: str, severity: Severity = "note", **values: Any) -> None:
        found.append(finding(f"readers.{check}", severity, called, name=called, **values))

    encoding, head, whole = _sniff_encoding(source, called)
    note("encoding", encoding=encoding)
    if encoding == "latin-1":
        note("odd_bytes", "warning")
    text = head.decode(encoding, errors="ignore").lstrip("\ufeff")
    if any(space in text for space in SPACES):
        note("no_break_spaces")
    lines = text.splitlines()
    if not whole and len(lines) > 1:
        lines.pop()  # the last one may be cut
    if not any(line.strip() for line in lines):
        raise FileError("readers.empty", name=called)
    length = _equal_length(lines)
    head_lines = tuple(lines[:_HEAD_LINES])

    declared = re.fullmatch(r'"?sep=(.)"?', lines[0].strip(), re.IGNORECASE)
    delimiter = declared.group(1) if declared else _delimiter(lines, length)
    if delimiter is None:
        note("no_delimiter", length=length or Sentence("readers.varying"))
        return TextForm(
            encoding, None, ".", False, CheckReport(found), line_length=length, head=head_lines
        )
    note("delimiter", delimiter=_show(delimiter))

    rows, ends = _parse(lines, delimiter)
    rows = rows[: _end_of_table(rows)]
    if declared:  # "sep=;" splits like a row of two fields where it stands above two columns
        rows[0] = []
    split = Counter(len(row) for row in rows if len(row) > 1)  # titles and notes are one field
    width = split.most_common(1)[0][0] if split else 1
    top = next(at for at, row in enumerate(rows) if len(row) == width and any(row))
    # rows that end in a delimiter have a field more than their header
    short = bool(
        top
        and width > 2
        and len(rows[top - 1]) == width - 1
        and not any(row[-1].strip() for row in rows[top:] if len(row) == width)
        and _is_header([rows[top - 1]])
    )
    if short:
        top -= 1
        rows[top] = [*rows[top], ""]
    skip = ends[top - 1] if top else int(bool(declared))
    if top and not declared:
        note("titles", lines=skip)
    body = [row for row in rows[top:] if len(row) == width]
    header = _is_header(body)
    columns = tuple(_clean(cell) for cell in body[0]) if header else ()
    note("header", columns=columns) if header else note("no_header", width=width)
    decimal, doubtful = decimal_mark(body[1:] if header else body)
    if decimal == ",":
        note("decimal_comma")
    if doubtful:
        note("decimal_doubtful", "warning", cells=doubtful, decimal=decimal)
    return TextForm(
        encoding,
        delimiter,
        decimal,
        header,
        CheckReport(found),
        skip=skip,
        columns=columns,
        width=width,
        line_length=length,
        header_lines=(ends[top] - skip) if header else 0,
        short_header=short,
        head=head_lines,
    )


def _sniff_encoding(source: TextSource, called: str) -> tuple[str, bytes, bool]:
    """Return the encoding, the head and whether the head is all there is."""
    with open_bytes(source) as stream:
        head = stream.read(_HEAD)
        if not head:
            raise FileError("readers.empty", name=called)
        whole = len(head) < _HEAD
        if head.startswith(codecs.BOM_UTF8):
            return "utf-8-sig", head, whole
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16", head[: len(head) // 2 * 2], whole
        if b"\0" in head:
            nul = np.frombuffer(head[: len(head) // 2 * 2], dtype=np.uint8).reshape(-1, 2) == 0
            if nul[:, 1].mean() > 0.6 and not nul[:, 0].any():
                return "utf-16-le", head[: len(head) // 2 * 2], whole
            if nul[:, 0].mean() > 0.6 and not nul[:, 1].any():
                return "utf-16-be", head[: len(head) // 2 * 2], whole
            raise FileError("readers.binary", name=called)
        utf8 = codecs.getincrementaldecoder("utf-8")()
        valid, odd, chunk = True, False, head
        while chunk:
            if valid and not (chunk.isascii() and not utf8.getstate()[0]):
                try:
                    utf8.decode(chunk)
                except UnicodeDecodeError:
                    valid = False
            if not chunk.isascii():
                odd = odd or any(mark in chunk for mark in _UNDEFINED_1252)
            chunk = stream.read(_CHUNK)
        if valid and not utf8.getstate()[0]:
            return "utf-8", head, whole
        return ("latin-1" if odd else "cp1252"), head, whole


def _equal_length(lines: Sequence[str]) -> int | None:
    lengths = {len(line) for line in lines if line.strip()}
    return lengths.pop() if len(lengths) == 1 else None


def _parse(lines: Sequence[str], delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Split the lines; also the number of the line each row ends on."""
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
    rows, ends = [], []
    try:
        for row in reader:
            rows.append(row)
            ends.append(reader.line_num)
    except csv.Error:  # a stray quote swallowed the rest: no table by this delimiter
        pass
    return rows, ends


def _end_of_table(rows: Sequence[Sequence[str]]) -> int:
    """Return where the notes below a table begin: at a blank line with nothing as wide after it."""
    widths = [len(row) if any(cell.strip() for cell in row) else 0 for row in rows]
    width = max(widths, default=0)
    last = max((at for at, one in enumerate(widths) if one == width), default=0)
    blank = next((at for at in range(last + 1, len(rows)) if widths[at] == 0), None)
    return len(rows) if blank is None or blank != last + 1 else blank


def _delimiter(lines: Sequence[str], length: int | None) -> str | None:
    found: dict[str, tuple[int, int, bool]] = {}  # titles above, fields, commas only in numbers
    for delimiter in _DELIMITERS:
        rows, _ = _parse(lines, delimiter)
        rows = rows[: _end_of_table(rows)]
        filled = [row for row in rows if any(cell.strip() for cell in row)]
        while len(filled) > 1 and len(filled[-1]) == 1:  # notes below the table
            filled.pop()
        if not filled:
            continue
        width, _ = Counter(len(row) for row in filled).most_common(1)[0]
        titles = next(at for at, row in enumerate(filled) if len(row) == width)
        table = filled[titles:] if titles <= _TITLES else filled
        share = sum(len(row) == width for row in table) / len(table)
        if width < 2 or share < _CONSISTENT:
            continue
        cells = [cell for row in table for cell in row if "," in cell]
        found[delimiter] = (titles, width, all(_is_number(cell) for cell in cells))
    if not found:
        return None
    fixed = length is not None and length >= _FIXED_LINE and len(lines) > 1
    if fixed and max(width for _, width, _ in found.values()) < 5:
        blank = sum(line.count(" ") for line in lines) / sum(len(line) for line in lines)
        if blank > 0.3:  # names padded with spaces, not a table with a comma in it
            return None
    # a mark that is missing above (in the header) belongs to the cells
    fewest = min(titles for titles, _, _ in found.values())
    comma = found.get(",", (0, 0, False))[1]
    for delimiter, (titles, width, numbers) in found.items():
        # commas inside the cells are decimal marks, or the comma is the delimiter after all
        if titles == fewest and (delimiter == "," or numbers or width >= comma):
            return delimiter
    return ","


def _clean(cell: str) -> str:
    return " ".join(cell.replace("\ufeff", "").split())


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell.strip()))


def _is_header(body: Sequence[Sequence[str]]) -> bool:
    first = [cell.strip() for cell in body[0]]
    if not any(first) or (len(set(first)) == 1 and len(first) > 1):
        return False
    numbers = [cell for cell in first if _is_number(cell)]
    if not numbers:
        return True
    # years may head columns of numbers; any other number is data
    return len(numbers) < len(first) and all(_YEAR.fullmatch(cell) for cell in numbers)


def _show(delimiter: str) -> str:
    return say("readers.tab") if delimiter == "\t" else delimiter


def decimal_mark(body: Sequence[Sequence[str]]) -> tuple[Literal[".", ","], list[str]]:
    """Return the decimal mark, and cells that could be read either way when nothing decides."""
    comma, point, either = 0, 0, []
    for row in body:
        for given in row:
            cell = given.strip().lstrip("+-").rstrip("%").strip()
            if not _NUMBER.fullmatch(cell):
                continue
            if "," in cell and "." in cell:
                comma += cell.rfind(",") > cell.rfind(".")
                point += cell.rfind(".") > cell.rfind(",")
            elif cell.count(",") == 1:
                whole, _, rest = cell.partition(",")
                if len(rest) != 3 or len(whole) > 3 or whole.startswith("0"):
                    comma += 1
                else:
                    either.append(given.strip())
            elif cell.count(",") > 1 or cell.count(".") == 1:
                point += 1
    mark: Literal[".", ","] = "," if comma > point else "."
    if comma and point:
        return mark, either or ["1,5 / 1.5"]
    return mark, either if either and not comma and not point else []
