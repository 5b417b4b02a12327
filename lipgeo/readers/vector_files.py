"""The one door to GDAL: files are what their names say, and nothing is asked of the network.

GDAL opens by content, follows links and fetches what a file refers to. So a file is looked at
before GDAL sees it, and for as long as GDAL reads, its settings take every address away.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyogrio

from lipgeo.errors import FileError
from lipgeo.words import say
from lipgeo.workplace import scratch_folder

__all__ = [
    "AWKWARD",
    "LAYER_FORMATS",
    "PARTS",
    "SIDECARS",
    "Dataset",
    "belongs",
    "copy_dataset",
    "count_features",
    "list_layers",
    "read_vector",
    "require_content",
    "safe_name",
]

#: the file to open, by its suffix, and the files that must stand beside it
LAYER_FORMATS: dict[str, tuple[str, ...]] = {
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
#: files that belong to another of the same stem, which is the one to open
SIDECARS = {
    ".shp": (
        ".shx", ".dbf", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".qpj", ".qmd", ".ain", ".aih",
        ".atx", ".ixs", ".mxs", ".xml",
    ),
    ".tab": (".dat", ".id", ".map", ".ind"),
    ".mif": (".mid",),
    ".gpkg": (".gpkg-wal", ".gpkg-shm"),
}  # fmt: skip
#: those that are nothing but a part of another; an .xml may be anything
PARTS = {part: lead for lead, parts in SIDECARS.items() for part in parts if part != ".xml"}
#: what pyogrio takes for the way into an archive, or drops from a path
AWKWARD = re.compile(r"[!\x00-\x1f]")
#: no address is reached: not by /vsicurl, not by links, schemas, capabilities or coordinate systems
_OFFLINE = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_HTTP_PROXY": "127.0.0.1:9",  # the port that throws everything away
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_HTTP_CONNECTTIMEOUT": "1",
    "GDAL_HTTP_TIMEOUT": "1",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "GML_SKIP_RESOLVE_ELEMS": "ALL",
}


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


#: what a file that GDAL may open holds in its head, by suffix; beside it there is nothing
_CONTENT: dict[str, re.Pattern[bytes]] = {
    ".shp": re.compile(rb"\A\x00\x00\x27\x0a"),
    ".gpkg": re.compile(rb"\ASQLite format 3\0"),
    ".geojson": re.compile(rb"\A(\xef\xbb\xbf)?\s*[{\[\x1e]"),
    ".json": re.compile(rb"\A(\xef\xbb\xbf)?\s*[{\[\x1e]"),
    ".kml": re.compile(rb"<(\w+:)?kml\b"),
    ".gml": re.compile(rb"opengis\.net/gml"),
    ".fgb": re.compile(rb"\Afgb"),
    # the version, which no text begins with but for a few digits and letters
    ".dbf": re.compile(rb"\A[\x02-\x05\x30-\x32\x43\x63\x7b\x83\x8b\x8c\xcb\xf5\xfb]"),
    ".tab": re.compile(rb"\A(\xef\xbb\xbf)?\s*!table", re.IGNORECASE),
    ".mif": re.compile(rb"\A(\xef\xbb\xbf)?\s*version", re.IGNORECASE),
}
#: what makes GDAL open another file, or an address, whatever the name says
_ELSEWHERE = re.compile(
    rb"<OGR(VRT|WFS)\w*|<VRTDataset|gdal_streamed_alg|WFS_Capabilities|<OGRWFSDataSource"
    rb"|\"type\"\s*:\s*\"link\"|\bopen\s+table\s+\"|/vsi(curl|s3|gs|az|swift|hdfs|webhdfs|sub)",
    re.IGNORECASE,
)
_HEAD = 1 << 16


def require_content(dataset: Dataset) -> None:
    """Raise unless a file is what its name says, and sends GDAL nowhere else.

    GDAL opens by content: a ``.geojson`` that holds an OGR VRT would read other files of this
    machine, or ask an address. So nothing is handed to it but one of the formats of
    :data:`LAYER_FORMATS`, recognised by its own first bytes.

    Raises
    ------
    FileError
        The content is of another format, or refers to other files or addresses.
    """
    path = dataset.path
    suffix = path.suffix.lower()
    if path.is_dir():
        if not any(entry.suffix.lower() == ".gdbtable" for entry in path.iterdir()):
            raise _not_its_content(dataset)
        return
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if suffix in (".json", ".geojson"):  # what is said of the whole may stand at its end
            file.seek(max(_HEAD, path.stat().st_size - _HEAD))
            head += file.read()
    # UTF-16 is text as well
    plain = head.replace(b"\0", b"") if head[:2] in (b"\xff\xfe", b"\xfe\xff") else head
    plain = plain.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    if suffix not in (".shp", ".gpkg", ".fgb") and (found := _ELSEWHERE.search(plain)):
        word = found.group(0).decode("ascii", errors="replace")
        raise FileError("readers.elsewhere", name=dataset.name, word=word)
    if suffix in _CONTENT and not _CONTENT[suffix].search(plain):
        raise _not_its_content(dataset)
    if suffix not in LAYER_FORMATS and suffix not in PARTS:
        raise _not_its_content(dataset)


def _not_its_content(dataset: Dataset) -> FileError:
    reason = say("readers.other_content", suffix=dataset.path.suffix.lower() or "-")
    return FileError("readers.not_vector", path=dataset.name, reason=reason)


def safe_name(name: str) -> str:
    """Return a name that GDAL takes as it stands."""
    return AWKWARD.sub("_", name)


def belongs(name: str, lead: str) -> bool:
    """Whether a file is the lead or stands beside it: the same stem, in any case."""
    stem = PurePosixPath(lead).stem
    same = name[: len(stem)].casefold() == stem.casefold() and name[len(stem) :].startswith(".")
    tail = name[len(stem) :].lower()
    # a.shp and a.gpkg in one folder are two datasets
    return name == lead or (same and tail not in LAYER_FORMATS)


def copy_dataset(path: Path, folder: Path) -> Dataset:
    """Copy a dataset, all of its files, into a folder."""
    target = folder / safe_name(path.name)
    if path.is_dir():
        shutil.copytree(path, target)
        return Dataset(path.name, target)
    for entry in path.parent.iterdir():
        if entry.is_file() and belongs(entry.name, path.name):
            shutil.copyfile(entry, folder / safe_name(entry.name))
    return Dataset(path.name, target)


# ------------------------------------------------------------------------------- reading


_LOCK = threading.Lock()
#: how many read at this moment, and what was set before the first of them
_reading = 0
_before: dict[str, Any] = {}


@contextmanager
def _offline() -> Iterator[None]:
    """Take GDAL's network away for the length of a block; settings are those of the process."""
    global _reading  # noqa: PLW0603  settings of GDAL are global too
    with _LOCK:
        if not _reading:
            _before.update({name: pyogrio.get_gdal_config_option(name) for name in _OFFLINE})
            pyogrio.set_gdal_config_options(_OFFLINE)
        _reading += 1
    try:
        yield
    finally:
        with _LOCK:
            _reading -= 1
            if not _reading:
                pyogrio.set_gdal_config_options(_before)


@contextmanager
def _openable(dataset: Dataset) -> Iterator[Path]:
    """Give a path of a dataset that pyogrio takes as it stands, with the network off."""
    require_content(dataset)
    with ExitStack() as held:
        path = dataset.path
        if AWKWARD.search(str(path)) and path.exists():
            path = copy_dataset(path, held.enter_context(scratch_folder())).path
        with _offline():
            yield path


def read_vector(dataset: Dataset, **options: Any) -> Any:
    """Read a layer or a table with pyogrio; ``options`` are those of ``read_dataframe``."""
    with _openable(dataset) as path:
        return pyogrio.read_dataframe(path, **options)


def list_layers(dataset: Dataset) -> list[tuple[str, str | None]]:
    """Return the layers of a file, each with its kind of geometry, ``None`` for a table."""
    with _openable(dataset) as path:
        return [(name, kind) for name, kind in pyogrio.list_layers(path)]


def count_features(dataset: Dataset, layer: str) -> int:
    """Return how many features a layer has."""
    with _openable(dataset) as path:
        info = pyogrio.read_info(path, layer=layer, force_feature_count=True)
    return int(info["features"])
