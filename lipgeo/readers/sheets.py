"""Read a person's CSV or workbook as a table of text, rows numbered as they see them."""

from __future__ import annotations

import bisect
import csv
import datetime
import io
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.errors import FileError, TableError
from lipgeo.readers.number_formats import show_number
from lipgeo.readers.sniff import TextForm, sniff
from lipgeo.readers.text import read_text_table
from lipgeo.readers.workbooks import Area, Workbook, cells_of, open_workbook, refuse_other_workbook
from lipgeo.report import CheckReport, Finding, finding, notes_of
from lipgeo.words import say

__all__ = [
    "Sheet",
    "choose_page",
    "column_names",
    "read_sheet",
    "read_sheets",
    "refuse_merged",
    "text_of_cell",
]

# outlines as text are longer than the 128 kB that csv takes for a field
csv.field_size_limit(1 << 30)

_WORKBOOKS = {".xlsx", ".xlsm", ".xltx", ".xltm"}
#: first bytes of a zip, as a workbook is one
_ZIP = b"PK\x03\x04"
#: how spreadsheets make a text of a code: ="0101", '0101
_QUOTED = re.compile(r'^(?:="(.*)"|\'(.*))$')
_ERRORS = {"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"}
#: how the first row of notes below a table begins
_NOTES = re.compile(
    r"\W*(notes?|sources?|footnotes?|symbols?|legend|symboles?|légende|remarques?|renvois?)\b",
    re.IGNORECASE,
)
#: lines a header may stand below
_TITLES = 20


@dataclass(frozen=True)
class Sheet:
    """A table as people keep it.

    Attributes
    ----------
    frame
        One row a row of the sheet that holds something; index ``row``, its number there (the
        first line is 1); every column text (``string``), trimmed, missing where empty. A column
        without a header is ``column_3``; the second of two equal headers ``name (2)``.
    notes
        What was assumed: encoding, separator, sheet, titles, merged cells, hidden rows.
    decimal
        The decimal mark of numbers in the text, ``"."`` or ``","``.
    merged
        Merged cells that show one number for several rows: their place, and their column.
    """

    frame: pd.DataFrame
    notes: CheckReport
    decimal: str = "."
    merged: tuple[tuple[str, str], ...] = ()


def read_sheet(path: str | Path, sheet: str | None = None, *, encoding: str | None = None) -> Sheet:
    r"""Read a CSV or a workbook, every cell as text.

    Parameters
    ----------
    path
        Delimited text in UTF-8, UTF-16 or Windows-1252 with any usual separator, or an ``.xlsx``.
        What the file holds decides, not its ending.
    sheet
        Name of the worksheet; the first visible one that is not empty by default.
    encoding
        Encoding of a text, where the one found is wrong.

    Returns
    -------
    Sheet
        Codes that Excel made numbers are whole again where it shows them whole (``3002.0`` is
        ``3002``, a number shown by the format ``0000000`` has its leading zeros); merged cells
        repeat their value; rows hidden by a filter are read, and said.

    Raises
    ------
    FileError
        The file is missing, unreadable, open elsewhere, empty, an old ``.xls``, protected by a
        password, or holds formulas never calculated; or there is no such sheet.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from lipgeo.readers.sheets import read_sheet
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "units.csv")
    ...     _ = path.write_text("area;unit\nA;CSD:3506008\n", encoding="utf-8")
    ...     read_sheet(path).frame.loc[2, "unit"]
    'CSD:3506008'
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(200)
    except FileNotFoundError as error:
        raise FileError("readers.missing", path=path) from error
    except PermissionError as error:
        raise FileError("readers.locked", path=path) from error
    except OSError as error:
        raise FileError("readers.unreadable", path=path, reason=error.strerror) from error
    refuse_other_workbook(head, path)
    if head.startswith(_ZIP):
        return _from_workbook(path, sheet)
    if path.suffix.casefold() in _WORKBOOKS and head:
        raise FileError("readers.not_a_workbook", path=path)
    return _from_text(path, encoding)


def refuse_merged(sheet: Sheet, columns: Collection[str], path: Path) -> None:
    """Raise where a column of numbers has one cell merged over several rows.

    Raises
    ------
    TableError
        One figure stands for several units; ``problems`` has each merged area.
    """
    held = [(area, column) for area, column in sheet.merged if column in columns]
    if held:
        raise TableError(
            "readers.merged_numbers",
            [{"cells": area, "column": column} for area, column in held],
            name=path.name,
            cells=[area for area, _ in held],
            columns=list(dict.fromkeys(column for _, column in held)),
        )


# ------------------------------------------------------------------------------- text


def _from_text(path: Path, encoding: str | None) -> Sheet:
    form = sniff(path)
    if encoding is not None:
        form = replace(form, encoding=encoding)
    lines = _lines(path, form)
    if form.delimiter is None:
        _require_one_column(lines, path)
        return Sheet(_table([number for number, _ in lines], [c for _, c in lines]), form.notes)
    frame = read_text_table(path, form)
    notes = list(form.notes) + list(notes_of(frame))
    frame = frame.astype("string")
    numbers = [number for number, cells in lines if len(cells) == form.width]
    numbers = numbers[int(form.header and not form.short_header) :]
    if len(numbers) != len(frame):  # two parsers part a stray quote in two ways
        reason = say("readers.stray_quote")
        raise FileError("readers.not_a_table", name=path.name, reason=reason)
    frame.index = pd.Index(numbers, name="row")
    return Sheet(_strip_quotes(frame.dropna(how="all")), CheckReport(notes), form.decimal)


def _lines(path: Path, form: TextForm) -> list[tuple[int, list[str]]]:
    """Return the rows of a text from its table on, with the number of the line each begins on."""
    try:
        text = path.read_bytes().decode(form.encoding).lstrip("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise FileError(
            "readers.wrong_encoding", path=path, encoding=form.encoding, reason=str(error)
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=form.delimiter or "\0")
    rows, begins = [], 1
    try:
        for cells in reader:
            if begins > form.skip and cells:
                rows.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error as error:  # a field without end, a character no text holds
        reason = f"{reader.line_num}: {error}"
        raise FileError("readers.not_a_table", name=path.name, reason=reason) from error
    return rows


def _require_one_column(lines: Sequence[tuple[int, list[str]]], path: Path) -> None:
    """Raise where the header has fields and the rows do not keep to them."""
    header = lines[0][1][0]
    delimiter = max(",;\t|", key=header.count)
    width = header.count(delimiter) + 1
    if width == 1:
        return
    ragged = [number for number, cells in lines if cells[0].count(delimiter) + 1 != width]
    problems = [{"line": number} for number in ragged]
    raise FileError("readers.ragged", problems, name=path.name, width=width, lines=ragged)


def _strip_quotes(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(lambda column: column.str.replace(_QUOTED, r"\1\2", regex=True))


# ------------------------------------------------------------------------------- workbooks


def read_sheets(path: str | Path, names: Iterable[str]) -> dict[str, Sheet]:
    """Read several worksheets of a workbook, which is opened once; see :func:`read_sheet`.

    Parameters
    ----------
    path
        An ``.xlsx``.
    names
        Worksheets wanted; those that are not there, or hold nothing, are left out.

    Returns
    -------
    dict of str to Sheet
        By the name asked for.

    Raises
    ------
    FileError
        As for :func:`read_sheet`.
    """
    path = Path(path)
    book = open_workbook(path)
    by_name = {sheet.title.strip().casefold(): sheet for sheet in book.values.worksheets}
    there = {name: by_name.get(name.strip().casefold()) for name in names}
    found = {}
    for name, sheet in there.items():
        if sheet is not None and any(cell.value is not None for cell in cells_of(sheet)):
            found[name] = _from_page(book, sheet, path, [])
    return found


def _from_workbook(path: Path, wanted: str | None) -> Sheet:
    book = open_workbook(path)
    sheet, notes = choose_page(book.values, wanted, path)
    return _from_page(book, sheet, path, notes)


def _from_page(book: Workbook, sheet: Any, path: Path, notes: list[Finding]) -> Sheet:
    merged = book.merged.get(sheet.title, [])
    rows, figures = _cells(sheet, book.formulas[sheet.title], merged, path, notes)
    if not rows:
        raise FileError("readers.empty_sheet", path=path, sheet=sheet.title)
    end = _end_of_table(rows)
    if end < len(rows):
        below = [number for number, _ in rows[end:]]
        notes.append(finding("readers.notes_below", "note", sheet.title, rows=below))
        rows = rows[:end]
    columns = _hidden_columns(sheet)
    if columns:
        notes.append(
            finding("readers.hidden_columns", "warning", sheet.title, columns=list(columns))
        )
    hidden = [n for n, _ in rows if sheet.row_dimensions[n].hidden]
    if hidden:
        notes.append(finding("readers.hidden_rows", "warning", sheet.title, rows=hidden))
    top = _header(rows)
    if top:
        notes.append(
            finding("readers.sheets.titles", "note", sheet.title, rows=[n for n, _ in rows[:top]])
        )
    numbers = [number for number, _ in rows[top:]]
    cells = [cells for _, cells in rows[top:]]
    if len(cells) > 1 and _spans_two_rows(merged, numbers[0]):
        # a group's header above its columns' headers
        joined = [
            " ".join(dict.fromkeys(part for part in pair if part))
            for pair in zip(cells[0], cells[1], strict=True)
        ]
        notes.append(finding("readers.two_headers", "note", sheet.title, rows=numbers[:2]))
        cells, numbers = [joined, *cells[2:]], numbers[1:]
    frame = _table(numbers, cells)
    names = column_names(cells[0])
    repeated = tuple((area, names[column - 1]) for area, column, row in figures if row > numbers[0])
    return Sheet(frame, CheckReport(notes), merged=repeated)


def _hidden_columns(sheet: Any) -> list[str]:
    """Return the letters of hidden columns that hold something."""
    held = {cell.column_letter for cell in cells_of(sheet) if cell.value is not None}
    hidden: list[str] = []
    for letter, column in sheet.column_dimensions.items():
        if column.hidden:
            first, last = column.min or 0, column.max or 0
            inside = [one for one in held if one == letter or first <= _position(one) <= last]
            hidden += sorted(inside, key=_position)
    return hidden


def _position(letters: str) -> int:
    """Return the number of a column, A being 1."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number


def choose_page(book: Any, wanted: str | None, path: Path) -> tuple[Any, list[Finding]]:
    """Return the worksheet of a name, or the first visible one that holds a table."""
    sheets = book.worksheets
    if wanted is not None:
        for sheet in sheets:
            if sheet.title.strip().casefold() == wanted.strip().casefold():
                return sheet, []
        names = [sheet.title for sheet in sheets]
        raise FileError("readers.no_such_sheet", path=path, sheet=wanted, sheets=names)
    filled = [sheet for sheet in sheets if any(cell.value is not None for cell in cells_of(sheet))]
    visible = [sheet for sheet in filled if sheet.sheet_state == "visible"]
    # a sheet of nothing but lines of text ("Read me") is passed over for a table
    tables = [sheet for sheet in visible if _holds_table(sheet)]
    if not filled:
        raise FileError("readers.empty_sheet", path=path, sheet=", ".join(s.title for s in sheets))
    chosen = (tables or visible or filled)[0]
    others = [sheet.title for sheet in filled if sheet is not chosen]
    if not others:
        return chosen, []
    note = finding("readers.sheet_taken", "note", chosen.title, sheet=chosen.title, others=others)
    return chosen, [note]


def _holds_table(sheet: Any) -> bool:
    """Whether a row of a sheet has two cells that hold something."""
    seen: set[int] = set()
    for cell in cells_of(sheet):
        if cell.value is not None:
            if cell.row in seen:
                return True
            seen.add(cell.row)
    return False


def _cells(
    sheet: Any, formulas: Any, areas: Sequence[Area], path: Path, notes: list[Finding]
) -> tuple[list[tuple[int, list[str]]], list[tuple[str, int, int]]]:
    """Return the rows that hold something as text, merged cells filled with the value they show.

    Also the merged areas that repeat a number downwards: name, column, and last row.
    """
    held = {(cell.row, cell.column): cell for cell in cells_of(sheet)}
    shown = {place: text_of_cell(cell) for place, cell in held.items()}
    shown = {place: text for place, text in shown.items() if text}
    refuse_bare_formulas(formulas, held, path)
    numbers = sorted({row for row, _ in shown})
    width = max((column for _, column in shown), default=0)
    rows = {number: [""] * width for number in numbers}
    for (row, column), text in shown.items():
        rows[row][column - 1] = text
    merged, figures = [], []
    for area in areas:
        value = shown.get((area.first_row, area.first_column))
        merged.append(area.name)
        if value is None:
            continue
        # only rows and columns that hold something: an area may claim a million more
        inside = numbers[
            bisect.bisect_left(numbers, area.first_row) : bisect.bisect(numbers, area.last_row)
        ]
        for row in inside:
            for column in range(area.first_column, min(area.last_column, width) + 1):
                rows[row][column - 1] = value
        given = held[area.first_row, area.first_column].value
        if len(inside) > 1 and isinstance(given, int | float) and not isinstance(given, bool):
            figures.append((area.name, area.first_column, area.last_row))
    if merged:
        notes.append(finding("readers.merged_cells", "note", sheet.title, cells=sorted(merged)))
    errors = [f"{n}" for n, cells in rows.items() if _ERRORS & set(cells)]
    if errors:
        notes.append(finding("readers.error_cells", "warning", sheet.title, rows=errors))
        rows = {n: ["" if c in _ERRORS else c for c in cells] for n, cells in rows.items()}
    return [(number, cells) for number, cells in rows.items() if any(cells)], figures


def refuse_bare_formulas(formulas: Any, held: Mapping[tuple[int, int], Any], path: Path) -> None:
    """Raise where a sheet has formulas whose values were never stored.

    Parameters
    ----------
    formulas
        The sheet as it was typed.
    held
        Its cells with their values, by row and column.
    path
        The file.

    Raises
    ------
    FileError
        There are such; all their cells are named.
    """
    bare = [
        cell.coordinate
        for cell in cells_of(formulas)
        if cell.data_type == "f"
        and ((cell.row, cell.column) not in held or held[cell.row, cell.column].value is None)
    ]
    if bare:
        problems = [{"cell": cell} for cell in bare]
        raise FileError("readers.no_values", problems, path=path, cells=bare)


def text_of_cell(cell: Any) -> str:
    """Return a cell as it shows, where that is certain: codes with their zeros, days as ISO."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return show_number(value, cell.number_format or "General")
    if isinstance(value, datetime.datetime) and value.time() == datetime.time(0):
        value = value.date()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return _QUOTED.sub(r"\1\2", str(value).strip())


def _header(rows: Sequence[tuple[int, Sequence[str]]]) -> int:
    """Return the position of the header: the first row as wide as a table, past its titles."""
    # a title stands in one cell, or in one value repeated over merged cells
    distinct = [len({cell for cell in cells if cell}) for _, cells in rows[:_TITLES]]
    widest = max(distinct)
    return next((at for at, count in enumerate(distinct) if count > 1), 0) if widest > 1 else 0


def _end_of_table(rows: Sequence[tuple[int, Sequence[str]]]) -> int:
    """Return the position of the notes below: after an empty row, and saying that they are."""
    for at in range(2, len(rows)):
        (before, _), (number, cells) = rows[at - 1], rows[at]
        if number > before + 1 and _NOTES.match(cells[0]) and sum(map(bool, cells)) == 1:
            return at
    return len(rows)


def _spans_two_rows(areas: Sequence[Area], row: int) -> bool:
    """Whether cells of a row are merged sideways, so that the next row holds their columns."""
    return any(
        area.first_row == area.last_row == row and area.last_column > area.first_column
        for area in areas
    )


def column_names(header: Sequence[str]) -> list[str]:
    """Return the names of columns, each once."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for at, given in enumerate(header):
        name = " ".join(given.split()) or f"column_{at + 1}"
        bare = re.sub(r" \(\d+\)$", "", name)
        seen[bare] += 1
        names.append(f"{name} ({seen[bare]})" if seen[bare] > 1 and name == bare else name)
    return names


def _table(numbers: Sequence[int], cells: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Make a frame of a header and its rows; columns with nothing in them are dropped."""
    header, *body = cells
    frame = pd.DataFrame(body, index=pd.Index(numbers[1:], name="row"), dtype="string")
    frame = frame.apply(lambda column: column.str.strip()).replace("", pd.NA)
    names = column_names(header)
    frame = frame.reindex(columns=range(len(names)))
    frame.columns = names
    blank = [
        n for n, given in zip(names, header, strict=True) if not given and frame[n].isna().all()
    ]
    return frame.drop(columns=blank).astype("string")
