"""Open a table as the file it is in: text, workbook, Parquet, ``.ivt``, any of them in a zip."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from lipgeo import geography
from lipgeo.errors import FileError, InputError, TableError, tell_damage
from lipgeo.readers.ivt import is_ivt, read_ivt
from lipgeo.readers.sheets import Sheet, read_sheet
from lipgeo.readers.sniff import sniff
from lipgeo.report import CheckReport, finding
from lipgeo.workplace import scratch_folder

__all__ = ["as_text", "magic_of", "plain_file", "read_any_sheet", "read_headers"]

#: files of a zip that are no table
_ASIDE = ("metadata", "metadonnees", "_meta", "readme", "lisez", "geo_starting", "__macosx")


@contextmanager
def plain_file(path: Path, level: str | None) -> Iterator[Path]:
    """Give a file, or the one table in a zip as a file of its name: that of the level, of several.

    GeoSuite has one file a level, named for it.
    """
    if not zipfile.is_zipfile(path):
        yield path
        return
    with tell_damage(FileError, "readers.broken_zip", path=path):
        archive = zipfile.ZipFile(path)
    with archive:
        names = archive.namelist()
        if "[Content_Types].xml" in names or "mimetype" in names:  # a workbook, an OpenDocument
            yield path
            return
        tables = [
            name
            for name in names
            if name.casefold().endswith((".csv", ".tab", ".tsv", ".txt", ".xlsx", ".parquet"))
            and not any(word in name.casefold() for word in _ASIDE)
        ]
        if len(tables) > 1 and level is not None:
            wanted = geography.level(level).code
            tables = [name for name in tables if _level_named(name) == wanted] or tables
        if len(tables) != 1:
            known = sorted({str(code) for name in tables if (code := _level_named(name))})
            key = "readers.levels_in_zip" if level is None and known else "readers.tables_in_zip"
            raise FileError(key, path=path, tables=tables, levels=known)
        with scratch_folder() as folder:
            inner = Path(folder, Path(tables[0]).name)
            with (
                tell_damage(FileError, "readers.broken_zip", path=path),
                archive.open(tables[0]) as source,
                inner.open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
            yield inner


def _level_named(member: str) -> str | None:
    """Return the level that a file is named for (``DA.csv``), ``None`` where it is for none."""
    try:
        return geography.level(Path(member).stem).code
    except InputError:
        return None


def read_any_sheet(path: Path, sheet: str | None = None, encoding: str | None = None) -> Sheet:
    """Return what a file holds, one column a column, rows numbered."""
    if is_ivt(path):
        return read_ivt(path)
    if magic_of(path) == b"PAR1":
        with tell_damage(FileError, "readers.bad_parquet", path=path):
            held = pyarrow.parquet.ParquetFile(path)
            # outlines (GeoParquet) are no column of a table
            columns = [f for f in held.schema_arrow if not pa.types.is_binary(f.type)]
            nested = [f.name for f in columns if pa.types.is_nested(f.type)]
            plain = [f.name for f in columns if not pa.types.is_nested(f.type)]
            twice = sorted({str(name) for name in plain if plain.count(name) > 1})
            if twice:
                problems = [{"column": name} for name in twice]
                raise TableError("readers.columns_twice", problems, name=path.name, columns=twice)
            read = held.read(plain)
            read.validate(full=True)  # text that is no UTF-8 is found here, not by who uses it
            frame = read.to_pandas()
        if frame.index.name is not None or frame.index.nlevels > 1:
            frame = frame.reset_index()
        # blanks before a name are the depth of a delivery's rows
        frame.columns = [str(name) for name in frame.columns]
        left: dict[str, Any] = {"name": path.name, "columns": nested, "count": len(nested)}
        notes = [finding("readers.nested_left", "warning", path.name, **left)] if nested else []
        return Sheet(frame.set_axis(np.arange(1, len(frame) + 1)), CheckReport(notes))
    return read_sheet(path, sheet, encoding=encoding)


def magic_of(path: Path) -> bytes:
    """Return the first four bytes of a file, none where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(4)
    except OSError:
        return b""  # whoever reads it next says why it cannot be read


@contextmanager
def as_text(frame: pd.DataFrame, path: Path) -> Iterator[Path]:
    """Give a table as a text of the file's name, as if it had been saved so.

    Second headers of one name (``SYMBOL (2)``) are called what they were called in the file.
    """
    names = [str(name) for name in frame.columns]
    bare = [name.rsplit(" (", 1)[0] if name.endswith(")") else name for name in names]
    held = set(names)
    header = [short if short in held else name for name, short in zip(names, bare, strict=True)]
    with scratch_folder() as folder:
        text = Path(folder, f"{path.stem}.csv")
        frame.to_csv(text, index=False, header=header, encoding="utf-8")
        yield text


def read_headers(path: Path) -> tuple[str, ...]:
    """Return the headers of a text; of a workbook those of its first filled row."""
    if magic_of(path) == b"PAR1":
        with tell_damage(FileError, "readers.bad_parquet", path=path):
            return tuple(map(str, pyarrow.parquet.ParquetFile(path).schema_arrow.names))
    if magic_of(path) == b"PK\x03\x04":
        return tuple(str(name) for name in read_sheet(path).frame.columns)
    return sniff(path).columns
