"""What lies behind the name of a vector file: its parts, in a folder or in a zip, on disk."""

from __future__ import annotations

import difflib
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from lipgeo.errors import FileError
from lipgeo.words import say

__all__ = ["Dataset", "existing", "members", "on_disk", "require_parts", "sniff_dbf"]

#: the file to open, by its suffix, and the files that must stand beside it
_PARTS: dict[str, tuple[str, ...]] = {
    ".shp": (".shx", ".dbf"),
    ".tab": (".dat", ".map", ".id"),
    ".mif": (".mid",),
    ".gpkg": (),
    ".geojson": (),
    ".json": (),
    ".kml": (),
    ".kmz": (),
    ".gml": (),
    ".fgb": (),
    ".gdb": (),
}
#: files that belong to another, which is the one to open
_BESIDE = {
    ".shx": ".shp",
    ".dbf": ".shp",
    ".prj": ".shp",
    ".cpg": ".shp",
    ".sbn": ".shp",
    ".sbx": ".shp",
    ".qpj": ".shp",
    ".dat": ".tab",
    ".map": ".tab",
    ".id": ".tab",
    ".mid": ".mif",
}
_ZIP_START = b"PK"
#: what the language byte of a .dbf means where it is not the Windows code page
_DBF_LANGUAGES = {0x01: "cp437", 0x02: "cp850"}


@dataclass(frozen=True)
class Dataset:
    """One set of files that opens as one.

    Attributes
    ----------
    name
        As shown to the user: the file's name, inside a zip with its folder.
    path
        The file or folder to open.
    """

    name: str
    path: Path


def existing(path: Path) -> Path:
    """Return the absolute path of a file, or of a file geodatabase's folder, that can be read.

    A folder that holds one vector file stands for that file.

    Raises
    ------
    FileError
        It does not exist (the message shows names near it), is empty or a folder with none or
        several, or refuses to open.
    """
    try:
        there = path.exists()
    except OSError as err:  # a name too long, a drive gone
        reason = err.strerror or str(err)
        raise FileError("layers.unreadable", path=str(path), reason=reason) from err
    if not there:
        folder = path.parent
        if not folder.is_dir():
            raise FileError("layers.no_folder", path=str(path), folder=str(folder))
        names = sorted(entry.name for entry in folder.iterdir())
        by_fold = {name.casefold(): name for name in names}
        near = difflib.get_close_matches(path.name.casefold(), list(by_fold), n=3, cutoff=0.6)
        if near:
            near = [by_fold[name] for name in near]
            raise FileError("layers.missing_near", path=str(path), near=near)
        raise FileError("layers.missing", path=str(path))
    path = path.absolute()
    if path.is_dir():
        if path.suffix.lower() != ".gdb":
            held = sorted(e.name for e in path.iterdir() if e.suffix.lower() in (*_PARTS, ".zip"))
            if len(held) == 1:
                return existing(path / held[0])
            key = "layers.folder" if held else "layers.folder_empty"
            raise FileError(key, path=str(path), names=held)
        return path
    try:
        with path.open("rb") as file:
            started = file.read(1)
    except OSError as err:
        reason = err.strerror or str(err)
        raise FileError("layers.unreadable", path=str(path), reason=reason) from err
    if not started:
        raise FileError("layers.empty", path=str(path))
    return path


@contextmanager
def on_disk(path: Path) -> Iterator[list[Dataset]]:
    """Give the datasets behind a path, as files that GDAL can open by their plain name.

    A zip is unpacked to a temporary folder, whatever its folders and names, for GDAL neither finds
    sidecars of another case nor takes all names inside a zip; so is a path that holds ``!``, which
    pyogrio takes for the way into an archive, and a GML file, beside which GDAL writes another.

    Raises
    ------
    FileError
        The zip is truncated, locked by a password or holds no vector file; or there is no room.
    """
    suffix = path.suffix.lower()
    zipped = path.is_file() and suffix != ".kmz" and _starts_as_zip(path)
    if suffix == ".zip" and not zipped:
        raise FileError("layers.not_a_zip", path=str(path))
    if suffix == ".kmz" and not zipfile.is_zipfile(path):
        raise FileError("layers.broken_zip", path=str(path), reason=say("layers.no_directory"))
    if not zipped and "!" not in str(path) and suffix != ".gml":
        yield [Dataset(path.name, path)]
        return
    with tempfile.TemporaryDirectory(prefix="lipgeo-", ignore_cleanup_errors=True) as folder:
        try:
            found = _unzip(path, Path(folder)) if zipped else [_copy(path, Path(folder))]
        except (zipfile.BadZipFile, EOFError) as err:
            raise FileError("layers.broken_zip", path=str(path), reason=str(err)) from err
        except (RuntimeError, NotImplementedError) as err:  # a password, an unknown compression
            raise FileError("layers.locked_zip", path=str(path), reason=str(err)) from err
        except OSError as err:
            if isinstance(err, FileError):
                raise
            reason = err.strerror or str(err)
            raise FileError("layers.no_room", path=str(path), reason=reason) from err
        yield found


def _starts_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _ZIP_START


def members(path: str | Path) -> list[str]:
    """Return the names of the files in a zip, in its order, with ``/`` between folders.

    Raises
    ------
    FileError
        The file is missing, empty or no whole zip.
    """
    path = existing(Path(path))
    try:
        with zipfile.ZipFile(path) as archive:
            return list(_names(archive))
    except zipfile.BadZipFile as err:
        raise FileError("layers.broken_zip", path=str(path), reason=str(err)) from err


def _names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the files of a zip: name with ``/`` to name as stored, the Mac's shadows left out."""
    named = {name.replace("\\", "/"): name for name in archive.namelist()}
    return {
        name: stored
        for name, stored in named.items()
        if not name.endswith("/")
        and not name.startswith("__MACOSX")
        and not PurePosixPath(name).name.startswith(".")
    }


def _unzip(path: Path, folder: Path) -> list[Dataset]:
    with zipfile.ZipFile(path) as archive:
        stored = _names(archive)
        leads = _leads(stored)
        if not leads:
            raise FileError("layers.nothing_in_zip", path=str(path), names=list(stored))
        found = []
        for number, lead in enumerate(leads):
            target = folder / str(number)
            for member, placed in _members(lead, stored):
                destination = target / placed
                destination.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(stored[member]) as source, destination.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
            found.append(Dataset(lead.as_posix(), target / _safe(lead.name)))
    return found


def _safe(name: str) -> str:
    return name.replace("!", "_")


def _leads(names: Iterable[str]) -> list[PurePosixPath]:
    """Return the files, and geodatabase folders, of a zip that can be opened."""
    paths = [PurePosixPath(name) for name in names]
    folders = {
        parent for path in paths for parent in path.parents if parent.suffix.lower() == ".gdb"
    }
    files = {
        path
        for path in paths
        if path.suffix.lower() in _PARTS and not folders.intersection(path.parents)
    }
    return sorted(folders | files)


def _members(lead: PurePosixPath, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give the members that belong to a dataset, and the name each gets on disk."""
    safe = _safe(lead.name)
    for name in names:
        path = PurePosixPath(name)
        if lead in path.parents:
            inner = [part for part in path.relative_to(lead).parts if part not in ("..", "/")]
            yield name, "/".join([safe, *inner])
        elif path.parent == lead.parent and _belongs(path.name, lead.name):
            # the name of the file to open, so that a sidecar of another case is found
            tail = path.name[len(PurePosixPath(lead.name).stem) :]
            yield name, PurePosixPath(safe).stem + (tail if path == lead else tail.lower())


def _belongs(name: str, lead: str) -> bool:
    """Whether a file is the lead or stands beside it: the same stem, in any case."""
    stem = PurePosixPath(lead).stem
    same = name[: len(stem)].casefold() == stem.casefold() and name[len(stem) :].startswith(".")
    tail = name[len(stem) :].lower()
    # a.shp and a.gpkg in one folder are two datasets
    return name == lead or (same and tail not in _PARTS)


def _copy(path: Path, folder: Path) -> Dataset:
    target = folder / _safe(path.name)
    if path.is_dir():
        shutil.copytree(path, target)
        return Dataset(path.name, target)
    for entry in path.parent.iterdir():
        if entry.is_file() and _belongs(entry.name, path.name):
            shutil.copyfile(entry, folder / _safe(entry.name))
    return Dataset(path.name, target)


def require_parts(dataset: Dataset) -> None:
    """Raise unless the files that must stand beside a file do, and none is cut short.

    A shapefile cut short is not noticed by GDAL, which gives the rows that are left without
    polygons.

    Raises
    ------
    FileError
        A part is missing or truncated, or the file is itself a part of another.
    """
    path = dataset.path
    suffix = path.suffix.lower()
    beside = _beside(path)
    if suffix in _BESIDE:
        lead = beside.get(_BESIDE[suffix])
        if lead is None:
            raise FileError("layers.a_part_alone", name=dataset.name, lead=_BESIDE[suffix])
        raise FileError("layers.a_part", name=dataset.name, lead=lead.name)
    missing = [part for part in _PARTS.get(suffix, ()) if part not in beside]
    if suffix == ".shp":
        for part in missing:
            key = "layers.no_shx" if part == ".shx" else "layers.no_dbf"
            raise FileError(key, name=dataset.name)
        for part in (".shp", ".shx", ".dbf"):
            _require_whole(beside.get(part, path), dataset)
    elif path.suffix.lower() == ".gpkg":
        _require_whole(path, dataset)
    elif missing:
        raise FileError("layers.no_part", name=dataset.name, parts=missing)


def _beside(path: Path) -> dict[str, Path]:
    """Return the files of a dataset in the same folder, by suffix in lower case."""
    if path.is_dir():
        return {}
    return {
        entry.suffix.lower(): entry
        for entry in path.parent.iterdir()
        if entry.stem.casefold() == path.stem.casefold()
    }


def _sqlite_size(head: bytes) -> int:
    """Return the bytes that the header of a SQLite file promises, 0 where it does not say."""
    # the count of pages holds only where the change counter is the one it was written with
    if not head.startswith(b"SQLite format 3\0") or head[24:28] != head[92:96]:
        return 0
    page = int.from_bytes(head[16:18], "big")
    return (65_536 if page == 1 else page) * int.from_bytes(head[28:32], "big")


def _require_whole(part: Path, dataset: Dataset) -> None:
    size = part.stat().st_size
    with part.open("rb") as file:
        head = file.read(100)
    if part.suffix.lower() == ".dbf":
        rows, start, width = _dbf_shape(head)
        promised = start + rows * width
    elif part.suffix.lower() == ".gpkg":
        promised = _sqlite_size(head)
    else:  # .shp and .shx give their length in 16-bit words
        promised = 2 * int.from_bytes(head[24:28], "big")
    if size < promised or (len(head) < 32 and part.suffix.lower() != ".gpkg"):
        raise FileError(
            "layers.cut_short",
            name=dataset.name,
            part=part.suffix.lower(),
            size=size,
            promised=promised,
        )


def _dbf_shape(head: bytes) -> tuple[int, int, int]:
    """Return rows, start of the first row, and width of a row in bytes, from a .dbf header."""
    little = [int.from_bytes(head[a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12))]
    return little[0], little[1], little[2]


def sniff_dbf(dataset: Dataset) -> tuple[str | None, bool, str | None]:
    """Tell in which encoding the text of a shapefile is.

    Returns
    -------
    encoding
        ``utf-8``, ``cp1252`` or an older code page; ``None`` when it is no shapefile or all text
        is plain ASCII, so that it does not matter.
    declared
        Whether the file's ``.cpg`` says so; if not, it is an assumption.
    wrong
        What the ``.cpg`` says, where the text cannot be in it.
    """
    if dataset.path.suffix.lower() != ".shp":
        return None, True, None
    beside = _beside(dataset.path)
    raw = np.fromfile(beside[".dbf"], dtype=np.uint8)
    text = raw[_dbf_shape(raw[:32].tobytes())[1] :]
    if not (text >= 0x80).any():
        return None, True, None
    declared = ""
    if ".cpg" in beside:
        declared = beside[".cpg"].read_text(encoding="ascii", errors="replace").strip()
    if not declared:
        assumed = "utf-8" if _is_utf8(text) else _DBF_LANGUAGES.get(int(raw[29]), "cp1252")
        return assumed, False, None
    if declared.upper().replace("-", "") in ("UTF8", "65001") and not _is_utf8(text):
        return "cp1252", False, declared
    return None, True, None


def _is_utf8(text: npt.NDArray[np.uint8]) -> bool:
    try:
        text.tobytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
