"""A folder of what partnerships sent, taken apart into submissions; clutter is named, not read."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lipgeo.errors import FileError

__all__ = ["Submission", "submissions"]

#: what can be read as service areas
_READABLE = {
    ".shp", ".zip", ".gpkg", ".geojson", ".json", ".kml", ".kmz", ".gml", ".tab", ".mif", ".fgb",
    ".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".toml", ".gdb",
}  # fmt: skip
#: files that belong to another one of the same stem
_SIDECARS = {
    ".shp": {
        ".shx", ".dbf", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".qpj", ".qmd", ".ain", ".aih",
        ".atx", ".ixs", ".mxs", ".xml",
    },
    ".tab": {".dat", ".id", ".map", ".ind"},
    ".mif": {".mid"},
    ".gpkg": {".gpkg-wal", ".gpkg-shm"},
}  # fmt: skip
_CLUTTER_NAMES = {"thumbs.db", "desktop.ini", ".ds_store", "__macosx"}
_CLUTTER_SUFFIXES = {".lnk", ".url", ".webloc", ".tmp", ".bak", ".part", ".crdownload"}


@dataclass(frozen=True)
class Submission:
    """One thing a partnership sent.

    Attributes
    ----------
    name
        Its path below the folder, ``/`` between.
    path
        Where it is.
    sha256
        Of its bytes; of a file with sidecars, of all of them.
    received
        Day the file was last changed (UTC, ISO).
    clutter
        Why it is not read (``temporary``, ``shortcut``, ``hidden``), or empty.
    readable
        Whether its kind of file can hold service areas.
    """

    name: str
    path: Path
    sha256: str
    received: str
    clutter: str = ""
    readable: bool = True


def submissions(folder: str | Path) -> list[Submission]:
    """Return what is in a folder and its sub-folders, in order of names.

    Raises
    ------
    FileError
        There is no such folder, or nothing in it.
    """
    top = Path(folder)
    if not top.is_dir():
        raise FileError("sets.no_folder", path=top)
    found = [_submission(path, top) for path in _walk(top)]
    if not found:
        raise FileError("sets.empty_folder", path=top)
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """Yield files, and folders that are one data set, without what belongs to another file."""
    entries = sorted(folder.iterdir(), key=lambda path: path.name.casefold())
    owned = set(_sidecars(entries))
    for path in entries:
        if path.is_dir() and not path.is_symlink():
            if path.suffix.casefold() == ".gdb":
                yield path
            elif not _clutter(path):
                yield from _walk(path)
        elif path not in owned:
            yield path


def _sidecars(entries: list[Path]) -> Iterator[Path]:
    for main in entries:
        endings = _SIDECARS.get(main.suffix.casefold(), set())
        for path in entries if endings else ():
            same = path.stem.casefold() in (main.stem.casefold(), main.name.casefold())
            if path != main and same and path.suffix.casefold() in endings:
                yield path


def _clutter(path: Path) -> str:
    name = path.name.casefold()
    if name.startswith("~") or path.suffix.casefold() in {".tmp", ".bak", ".part", ".crdownload"}:
        return "temporary"
    if path.is_symlink() or path.suffix.casefold() in _CLUTTER_SUFFIXES:
        return "shortcut"
    if name in _CLUTTER_NAMES or name.startswith("."):
        return "hidden"
    return ""


def _submission(path: Path, top: Path) -> Submission:
    name = path.relative_to(top).as_posix()
    clutter = _clutter(path)
    if clutter:
        return Submission(name, path, "", "", clutter)
    if path.is_dir():
        parts = sorted(part for part in path.rglob("*") if part.is_file())
    else:
        parts = [path, *_sidecars_of(path)]
    changed = max((part.stat().st_mtime for part in parts), default=path.stat().st_mtime)
    day = datetime.datetime.fromtimestamp(changed, datetime.UTC).date().isoformat()
    readable = path.suffix.casefold() in _READABLE
    return Submission(name, path, _hash(parts), day, readable=readable)


def _sidecars_of(path: Path) -> list[Path]:
    endings = _SIDECARS.get(path.suffix.casefold())
    if not endings:
        return []
    beside = sorted(path.parent.iterdir())
    return sorted(set(_sidecars(beside)) & {p for p in beside if _belongs(p, path)})


def _belongs(path: Path, main: Path) -> bool:
    return path.stem.casefold() in (main.stem.casefold(), main.name.casefold())


def _hash(parts: list[Path]) -> str:
    digests = []
    for part in parts:
        with part.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    named = sorted(zip((part.name.casefold() for part in parts), digests, strict=True))
    return hashlib.sha256("\n".join(f"{n} {d}" for n, d in named).encode()).hexdigest()
