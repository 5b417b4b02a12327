"""Tables written for people: CSV that Excel opens right, workbooks whose ids stay text.

Writing that leaves a whole old file or a whole new one, never half of either.
"""

from __future__ import annotations

import datetime
import errno
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import xlsxwriter

from lipgeo.errors import OutputError

__all__ = [
    "CsvStyle",
    "Sheet",
    "explained",
    "file_in_one_step",
    "folder_in_one_step",
    "sync",
    "write_csv",
    "write_workbook",
    "write_zip",
]

#: date of every member of a zip we write: equal contents give equal bytes (1980 is zip's first)
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def explained(path: Path, error: OSError) -> OutputError:
    """Return what an error of the operating system means to who wanted to write ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError("files.disk_full", path=path)
    if isinstance(error, PermissionError) or error.errno in (errno.EBUSY, errno.ETXTBSY):
        return OutputError("files.in_use", path=path)
    return OutputError("files.cannot_write", path=path, reason=error.strerror or str(error))


def _folder_of(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(path, error) from error
    return path.parent


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on disk before going on."""
    # Windows opens no folders for fsync; the rename itself is still atomic there
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def file_in_one_step(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; move it into place when the block ends well.

    Raises
    ------
    OutputError
        The disk is full, the target is open in another program, or the place cannot be written;
        the old file is as it was.
    """
    target = Path(path)
    try:
        with tempfile.TemporaryDirectory(prefix=".lipgeo-", dir=_folder_of(target)) as folder:
            temporary = Path(folder) / target.name
            yield temporary
            sync(temporary)
            temporary.replace(target)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise explained(target, error) from error


@contextmanager
def folder_in_one_step(path: str | Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; move it into place when the block ends well.

    Parameters
    ----------
    path
        The folder to make.
    replace
        Whether a folder that exists gives way (it is moved aside first and put back on failure).

    Raises
    ------
    OutputError
        The folder exists and may not give way, the disk is full, or the place cannot be written.
    """
    target = Path(path)
    if target.exists() and not replace and (not target.is_dir() or any(target.iterdir())):
        raise OutputError("files.exists", path=target)
    try:
        with tempfile.TemporaryDirectory(prefix=".lipgeo-", dir=_folder_of(target)) as aside:
            made = Path(aside) / "new"
            made.mkdir()
            yield made
            for member in made.rglob("*"):
                if member.is_file():
                    sync(member)
            old = Path(aside) / "old"
            if target.exists():
                target.rename(old)
            try:
                made.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
            sync(target.parent)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise explained(target, error) from error


def write_zip(path: Path, members: Mapping[str, Path]) -> None:
    """Write a zip whose bytes depend only on the members' names and contents."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # the same on every platform
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name].read_bytes())


CsvStyle = Literal["en", "fr"]
#: separator and decimal mark: Excel in French reads the semicolon and the comma
_CSV: dict[str, tuple[str, str]] = {"en": (",", "."), "fr": (";", ",")}
#: rows of a worksheet, header included
XLSX_ROWS = 1_048_576
#: what a spreadsheet would take for the start of a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: workbooks carry a creation date; a fixed one keeps equal contents equal bytes
_CREATED = datetime.datetime(1980, 1, 1)


@dataclass(frozen=True)
class Sheet:
    """One worksheet.

    Attributes
    ----------
    name
        Tab name, at most 31 characters.
    frame
        What it shows; text columns become text cells, numbers number cells, missing empty cells.
    title
        A line above the header (units, source), or empty.
    """

    name: str
    frame: pd.DataFrame
    title: str = ""


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def write_csv(frame: pd.DataFrame, path: Path, style: CsvStyle = "en") -> None:
    """Write a CSV for people: UTF-8 with a byte-order mark, missing cells empty.

    Parameters
    ----------
    frame
        What to write; its index is left out.
    path
        The file to write (an edge caller moves it into place).
    style
        ``"en"``: comma and decimal point; ``"fr"``: semicolon and decimal comma.

    Notes
    -----
    A text that a spreadsheet would run as a formula (``=``, ``+``, ``-``, ``@`` first) gets an
    apostrophe before it, as Excel itself writes such text.
    """
    separator, decimal = _CSV[style]
    safe = frame.copy()
    for name in safe.columns:
        if not _is_number(safe[name]):
            text = safe[name].astype("string")
            risky = text.str.startswith(_FORMULA).fillna(False)
            safe[name] = text.mask(risky, "'" + text)
    safe.to_csv(
        path,
        sep=separator,
        decimal=decimal,
        index=False,
        encoding="utf-8-sig",
        lineterminator="\r\n",
    )


def write_workbook(sheets: Sequence[Sheet], path: Path) -> None:
    """Write an ``.xlsx`` whose text cells are text: no number, date, link or formula is guessed.

    Raises
    ------
    OutputError
        A sheet has more rows than the format holds (1,048,576 with the header).
    """
    for sheet in sheets:
        if len(sheet.frame) + 1 + bool(sheet.title) > XLSX_ROWS:
            raise OutputError("files.too_long", path=path, sheet=sheet.name, rows=len(sheet.frame))
    book = xlsxwriter.Workbook(
        str(path),
        {"strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False},
    )
    book.set_properties({"created": _CREATED})
    formats: Mapping[str, xlsxwriter.format.Format] = {
        "head": book.add_format({"bold": True, "bottom": 1, "num_format": "@"}),
        "text": book.add_format({"num_format": "@"}),
        "note": book.add_format({"italic": True}),
    }
    for sheet in sheets:
        page = book.add_worksheet(sheet.name[:31])
        top = 0
        if sheet.title:
            page.write_string(0, 0, sheet.title, formats["note"])
            top = 1
        for at, name in enumerate(sheet.frame.columns):
            column = sheet.frame[name]
            page.write_string(top, at, str(name), formats["head"])
            number = _is_number(column)
            width = len(str(name))
            for row, value in enumerate(column.tolist(), start=top + 1):
                if pd.isna(value):
                    continue
                if number:
                    page.write_number(row, at, value)
                else:
                    page.write_string(row, at, str(value), formats["text"])
                    width = max(width, len(str(value)))
            page.set_column(at, at, min(width + 2, 60), None if number else formats["text"])
        page.freeze_panes(top + 1, 0)
        page.autofilter(top, 0, top + len(sheet.frame), max(len(sheet.frame.columns) - 1, 0))
    book.close()
