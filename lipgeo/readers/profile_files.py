"""Census Profile files as they lie on disk: layout, encoding, zip; read batch by batch."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import pyarrow as pa
import pyarrow.csv

from lipgeo import geography
from lipgeo.errors import FileError, InputError, TableError

__all__ = [
    "TEXTS",
    "Layout",
    "batches",
    "layout_of",
    "layouts_of",
    "opened",
    "text_bytes",
    "words_of",
]

_BLOCK = 1 << 22
_HEAD = 1 << 16
#: columns by position; the files repeat the name SYMBOL, and French ones differ in names only
_2021 = {
    "year": 0,
    "id": 1,
    "level": 3,
    "name": 4,
    "member": 8,
    "words": 9,
    "value": 11,
    "symbol": 12,
    "rate": 17,
    "rate_symbol": 18,
}
_2021_WIDTH = 23
#: columns that may hold accents
TEXTS = ("name", "words")
_FRENCH = "IDUGD"


@dataclass(frozen=True)
class Layout:
    """Where a profile file keeps what; by position.

    ``sexes`` says where the counts of men and of women stand, beside the totals of ``columns``.
    """

    vintage: int
    columns: dict[str, int]
    width: int
    level: str | None
    delimiter: str
    french: bool
    sexes: dict[str, int]


@contextmanager
def opened(path: Path, digest: Any = None) -> Iterator[BinaryIO]:
    """Open a file, or the one data file of a zip."""
    if path.is_dir():
        raise FileError("readtable.folder", path=path)
    try:
        if zipfile.is_zipfile(path) and path.suffix.casefold() != ".xlsx":
            with (
                zipfile.ZipFile(path) as archive,
                archive.open(_data_file(archive, path)) as stream,
            ):
                yield stream  # type: ignore[misc]
        else:
            with path.open("rb") as stream:
                yield stream
    except FileNotFoundError as error:
        raise FileError("readers.missing", path=path) from error
    except FileError:
        raise
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise FileError("readers.unreadable", path=path, reason=str(error)) from error
    if digest is not None:
        with path.open("rb") as whole:
            while chunk := whole.read(_BLOCK):
                digest.update(chunk)


def text_bytes(path: Path) -> int:
    """Return the bytes of a file's text, unzipped."""
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(_data_file(archive, path)).file_size


def _data_file(archive: zipfile.ZipFile, path: Path) -> str:
    """Return the name of the table in a zip: the largest text that is no guide."""
    aside = ("meta", "geo_starting", "readme", "lisez")
    names = [
        name
        for name in archive.namelist()
        if name.lower().endswith((".csv", ".tab", ".txt"))
        and not any(word in name.lower() for word in aside)
    ]
    if not names:
        raise FileError("readtable.nothing_in_zip", path=path)
    return max(names, key=lambda name: archive.getinfo(name).file_size)


def layout_of(path: Path) -> Layout | None:
    """Return the layout a header tells, ``None`` where it is no Census Profile."""
    with opened(path) as stream:
        head = stream.read(_HEAD)
    text = head.decode("cp1252", errors="replace").removeprefix("ï»¿")
    line = text.splitlines()[0] if text.strip() else ""
    delimiter = "\t" if line.count("\t") > line.count(",") else ","
    header = next(csv.reader([line], delimiter=delimiter), [])
    names = [str(name).strip().upper() for name in header]
    if len(names) == _2021_WIDTH and names[1] in ("DGUID", _FRENCH):
        sexes = {"men": _2021["value"] + 2, "women": _2021["value"] + 4}
        return Layout(2021, _2021, len(names), None, delimiter, names[1] == _FRENCH, sexes)
    if (
        len(names) > 9
        and names[1].startswith("GEO_CODE")
        and any("MEMBER ID: PROFILE" in n for n in names)
    ):
        member = next(at for at, name in enumerate(names) if name.startswith("MEMBER ID: PROFILE"))
        total = next((at for at, name in enumerate(names) if "TOTAL - SEX" in name), None)
        if total is None:
            return None
        words = header[member].split("Profile of", 1)[-1].split("(")[0]
        at = {
            "year": 0,
            "id": 1,
            "level": 2,
            "name": 3,
            "member": member,
            "words": member - 1,
            "value": total,
        }
        sexes = {
            sex: place
            for sex, word in (("men", ": MALE"), ("women", ": FEMALE"))
            for place, name in enumerate(names)
            if name.startswith("DIM: SEX") and name.endswith(word)
        }
        return Layout(2016, at, len(names), _level_of(words), delimiter, False, sexes)
    return None


def layouts_of(paths: Sequence[Path]) -> list[Layout]:
    """Return the layouts of the files of one Census Profile.

    Raises
    ------
    TableError
        A file is none, or they are of several censuses.
    """
    layouts = [layout_of(path) for path in paths]
    strangers = [one.name for one, layout in zip(paths, layouts, strict=True) if layout is None]
    if strangers or not paths:
        raise TableError("readtable.no_profile", names=strangers)
    known = [layout for layout in layouts if layout is not None]
    years = sorted({layout.vintage for layout in known})
    if len(years) > 1:
        names = ", ".join(path.name for path in paths)
        raise TableError("readtable.mixed_vintages", name=names, vintages=list(map(str, years)))
    return known


def words_of(cells: Iterable[bytes | None]) -> list[str]:
    """Return texts of a profile: UTF-8 in some files, Windows-1252 in others.

    Examples
    --------
    >>> from lipgeo.readers.profile_files import words_of
    >>> words_of(["Montréal".encode("cp1252"), "Montréal".encode(), None])
    ['Montréal', 'Montréal', '']
    """
    texts = []
    for cell in cells:
        try:
            texts.append((cell or b"").decode("utf-8"))
        except UnicodeDecodeError:
            texts.append((cell or b"").decode("cp1252", errors="replace"))
    return texts


def _level_of(words: str) -> str:
    """Return the level that the header of 2016 names (``Census Metropolitan Areas/...``)."""
    for text in (words, words.partition("/")[0], words.partition(" and ")[0]):
        try:
            return geography.level(text.strip()).code
        except InputError:
            continue
    return "DA"


def batches(
    stream: IO[bytes], layout: Layout, path: Path, names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Read columns of a file, by what they hold, some megabytes at a time.

    Raises
    ------
    FileError
        A line has another number of fields: the file breaks off or is damaged.
    """
    positions = {name: layout.columns[name] for name in names}
    try:
        reader = pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(
                column_names=[str(at) for at in range(layout.width)],
                skip_rows=1,
                block_size=_BLOCK,
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=layout.delimiter,
                newlines_in_values=False,
                invalid_row_handler=lambda row: "skip" if row.actual_columns <= 1 else "error",
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                # texts stay bytes until they are wanted: decoding a file costs more than reading it
                column_types={
                    str(at): pa.binary() if name in TEXTS else pa.string()
                    for name, at in positions.items()
                },
                include_columns=[str(at) for at in positions.values()],
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
        for batch in reader:
            yield batch.rename_columns(list(positions))
    except pa.ArrowInvalid as error:
        raise FileError("readtable.breaks_off", path=path, reason=str(error)) from error
