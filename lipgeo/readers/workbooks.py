"""Open a workbook as what it holds: bounded by its cells, whatever its sizes and merges claim.

A sheet's XML is made plain before openpyxl sees it: merged areas are taken out (openpyxl makes a
cell for each place of one, and one may claim seventeen thousand million), and the namespaces of
"Strict Open XML" become the usual ones.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lipgeo.errors import FileError, tell_damage

__all__ = ["Area", "Workbook", "cells_of", "open_workbook", "refuse_other_workbook"]

#: an OLE file: an old .xls, or a workbook with a password
_OLE = b"\xd0\xcf\x11\xe0"
#: an OpenDocument file names itself in its first member
_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument"
_STRICT = (
    (
        b"http://purl.oclc.org/ooxml/spreadsheetml/main",
        b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    ),
    (
        b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    ),
    (
        b"http://purl.oclc.org/ooxml/drawingml/main",
        b"http://schemas.openxmlformats.org/drawingml/2006/main",
    ),
)
_MERGES = re.compile(
    rb"<((?:\w+:)?)mergeCells\b[^>]*(?:(?<=/)>|(?<!/)>.*?</\1mergeCells>)", re.DOTALL
)
_PLACE = rb"[A-Z]{1,3}\d{1,7}"
_MERGE = re.compile(
    rb"<(?:\w+:)?mergeCell\b[^>]*?\bref=[\"'](" + _PLACE + rb":" + _PLACE + rb")[\"']"
)
#: a control character, or an underscore before what looks like one, as workbooks write them
_ESCAPE = re.compile(rb"_x00([01][0-9A-F]|5F|7F)_")
#: where such a character is kept while the XML is read, which may hold none
_KEPT = 0xF700
_CONTROLS = {_KEPT + code: code for code in (*range(0x20), ord("_"), ord("x"), 0x7F)}
#: openpyxl takes this out of every text, an escape or not
_TAKEN_OUT, _KEPT_IN = b"x005F_", chr(_KEPT + ord("x")).encode() + b"005F_"
#: bytes that the parts of a workbook may have, unpacked: a zip of a few kB can claim a terabyte
_LARGEST = 1 << 30


@dataclass(frozen=True)
class Area:
    """A merged area, rows and columns from 1, both ends included."""

    name: str
    first_column: int
    first_row: int
    last_column: int
    last_row: int


@dataclass(frozen=True)
class Workbook:
    """A workbook's values, its formulas, and the merged areas of each sheet by its title."""

    values: Any
    formulas: Any
    merged: dict[str, list[Area]]


def open_workbook(path: Path) -> Workbook:
    """Open a workbook.

    Raises
    ------
    FileError
        It is unreadable, damaged, an OpenDocument spreadsheet, or too large to be one.
    """
    # most files are no workbook, and openpyxl is heavy
    import openpyxl
    from openpyxl.utils.cell import range_boundaries

    with tell_damage(FileError, "readers.broken_workbook", path=path):
        content = path.read_bytes()
        refuse_other_workbook(content[:200], path)
        plain, merges, escaped = _plain(content, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles it does not know are no matter here
            values = openpyxl.load_workbook(io.BytesIO(plain), data_only=True)
            formulas = openpyxl.load_workbook(io.BytesIO(plain))
        if escaped:
            _unescape(values)
        named = _titles(plain, values)
    merged = {
        named[part]: [Area(ref, *range_boundaries(ref)) for ref in refs]
        for part, refs in merges.items()
        if part in named
    }
    return Workbook(values, formulas, merged)


def refuse_other_workbook(head: bytes, path: Path) -> None:
    """Raise where the first bytes of a file are those of a spreadsheet that is not read.

    Raises
    ------
    FileError
        It is an OpenDocument spreadsheet, or an ``.xls``.
    """
    if head.startswith(b"PK") and _OPEN_DOCUMENT in head:
        raise FileError("readers.open_document", path=path)
    if head.startswith(_OLE):
        raise FileError("readers.old_workbook", path=path)


def cells_of(sheet: Any) -> Iterator[Any]:
    """Give the cells that a sheet holds, by row and column; none that it merely claims."""
    held = sheet._cells
    for place in sorted(held):
        yield held[place]


def _unescape(book: Any) -> None:
    for sheet in book.worksheets:
        for cell in cells_of(sheet):
            if isinstance(cell.value, str):
                # not by openpyxl's own setter, which takes no control character
                cell._value = cell.value.translate(_CONTROLS)


def _keep_control(found: re.Match[bytes]) -> bytes:
    return chr(_KEPT + int(found.group(1), 16)).encode()


def _plain(content: bytes, path: Path) -> tuple[bytes, dict[str, list[str]], bool]:
    """Return the workbook without merged areas, these by their part, and if texts are escaped."""
    merges: dict[str, list[str]] = {}
    escaped = 0
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as archive,
        zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as target,
    ):
        size = sum(member.file_size for member in archive.infolist())
        if size > _LARGEST:
            raise FileError("readers.large_workbook", path=path, size=size, limit=_LARGEST)
        for name in dict.fromkeys(archive.namelist()):
            part = archive.read(name)
            if name.endswith((".xml", ".rels")):
                for strict, usual in _STRICT:
                    part = part.replace(strict, usual)
            if name == "xl/sharedStrings.xml" or name.startswith("xl/worksheets/"):
                part, count = _ESCAPE.subn(_keep_control, part)
                escaped += count
                part = part.replace(_TAKEN_OUT, _KEPT_IN) if count else part
            if name.startswith("xl/worksheets/") and (found := _MERGES.search(part)):
                merges[name] = [ref.decode("ascii") for ref in _MERGE.findall(found.group(0))]
                part = part[: found.start()] + part[found.end() :]
            target.writestr(name, part)
    return made.getvalue(), merges, bool(escaped)


def _titles(content: bytes, book: Any) -> dict[str, str]:
    """Return the title of the sheet each part holds."""
    from openpyxl.reader.excel import ExcelReader

    reader = ExcelReader(io.BytesIO(content))
    reader.read_manifest()
    reader.read_workbook()
    parts = {
        relation.target.lstrip("/"): sheet.name for sheet, relation in reader.parser.find_sheets()
    }
    return {part: title for part, title in parts.items() if title in book.sheetnames}
