"""Say where things stand in a store, and read the manifest of a vintage.

``STORE/<vintage>/`` holds one GeoParquet file a level (``DA.parquet``), ``published.parquet``
(totals known independently of the units held), ``said/`` (what each source file said, as read;
a later import starts from it), ``sums/`` (of the blocks of each level's file) and
``manifest.json``, which is written last. Manifest and Parquet files carry the same ``store``, made
of the sources, so that a file of another store is known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lipgeo.errors import StoreError
from lipgeo.files import FolderFormat, is_ours, json_text, read_manifest

__all__ = [
    "CENSUS",
    "LAYOUT",
    "SOURCES",
    "SUMS",
    "level_file",
    "no_store",
    "read_vintage",
    "rows_of",
    "store_id",
    "store_of",
    "stored_vintages",
    "sums_name",
]

#: raised whenever an older lipgeo could no longer read what is written
LAYOUT = 1
#: a vintage of a store; its levels stand finest first
CENSUS = FolderFormat(
    "census",
    LAYOUT,
    StoreError,
    "store.half_written",
    {
        "vintage": int,
        "made": bool,
        "boundary_type": (str, type(None)),
        "sources": [{"name": str, "level": str, "role": str, "sha256": str}],
        "levels": {
            "*": {
                "rows": int,
                "polygons": int,
                "bytes": int,
                "columns": [str],
                "ranges": [str],
                "addressable": bool,
                "sums": dict,
            }
        },
    },
    sort=False,
)
PUBLISHED = "published.parquet"
SOURCES = "said"
SUMS = "sums"


#: what a listing says of a level, by whether it looks whole
STATES = {True: "whole", False: "damaged"}


def other_sizes(folder: Path, manifest: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return the files that are missing or of another size than a manifest says; none is read."""
    found = {name: manifest["files"][name].get("bytes") for name in names}
    return [
        name
        for name, size in found.items()
        if not (folder / name).is_file() or size not in (None, (folder / name).stat().st_size)
    ]


def level_file(folder: Path, level: str) -> Path:
    """Return the file of a level."""
    return folder / f"{level}.parquet"


def sums_name(level: str) -> str:
    """Return where the sums of a level's blocks stand in the folder of a vintage."""
    return f"{SUMS}/{level}.crc32"


def store_id(of: Any) -> str:
    """Return what binds the files of a vintage or a table together: equal sources, equal id."""
    return hashlib.sha256(json_text(of).encode()).hexdigest()[:32]


def store_of(path: Path) -> str | None:
    """Return the ``store`` that a Parquet file says it belongs to; ``None`` where it cannot."""
    try:
        about = json.loads(pq.read_metadata(path).metadata[b"lipgeo"])
        return str(about["store"])
    # a damaged file ends in errors of every kind; what it belongs to is then not known
    except Exception:
        return None


def rows_of(child: str) -> tuple[str, str]:
    """Return the columns that say which rows of ``child`` a unit holds: the first, how many."""
    return f"first_{child}", f"count_{child}"


def no_store(path: Path) -> StoreError:
    """Return the error for a path that is no folder: a file, or nothing at all."""
    return StoreError("store.is_file" if path.is_file() else "store.missing", path=path)


def read_vintage(folder: Path, vintage: int) -> dict[str, Any]:
    """Read the manifest of a vintage.

    Raises
    ------
    StoreError
        It is missing or damaged, or the folder holds another vintage than its name says.
    """
    manifest = read_manifest(folder, CENSUS)
    if manifest["vintage"] != vintage:
        raise StoreError("store.renamed", folder=folder, needed=vintage, found=manifest["vintage"])
    return manifest


def stored_vintages(store: Path) -> dict[int, Path]:
    """Return the vintages of a store, oldest first, and their folders.

    A folder left aside by an import that was killed between its two last steps counts as the
    vintage it was.
    """
    found: dict[int, Path] = {}
    for folder in store.glob(".lipgeo-*/old"):
        if is_ours(folder, CENSUS):
            found[int(read_manifest(folder, CENSUS)["vintage"])] = folder
    for folder in store.iterdir():
        if folder.is_dir() and folder.name.isdigit() and len(folder.name) == 4:
            found[int(folder.name)] = folder
    return dict(sorted(found.items()))
