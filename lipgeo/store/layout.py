"""Say where things stand in a store, and read the manifest of a vintage.

``STORE/<vintage>/`` holds one GeoParquet file a level (``DA.parquet``), ``published.parquet``
(totals known independently of the units held), ``said/`` (what each source file said, as read;
a later import starts from it) and ``manifest.json``, which is written last.
"""

from __future__ import annotations

from pathlib import Path

from lipgeo.errors import StoreError
from lipgeo.files import MANIFEST, FolderFormat, read_manifest

__all__ = [
    "CENSUS",
    "LAYOUT",
    "SOURCES",
    "level_file",
    "no_store",
    "rows_of",
    "stored_vintages",
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


def level_file(folder: Path, level: str) -> Path:
    """Return the file of a level."""
    return folder / f"{level}.parquet"


def rows_of(child: str) -> tuple[str, str]:
    """Return the columns that say which rows of ``child`` a unit holds: the first, how many."""
    return f"first_{child}", f"count_{child}"


def no_store(path: Path) -> StoreError:
    """Return the error for a path that is no folder: a file, or nothing at all."""
    return StoreError("store.is_file" if path.is_file() else "store.missing", path=path)


def stored_vintages(store: Path) -> dict[int, Path]:
    """Return the vintages of a store, oldest first, and their folders.

    A folder left aside by an import that was killed between its two last steps counts as the
    vintage it was.
    """
    found: dict[int, Path] = {}
    for folder in store.glob(".lipgeo-*/old"):
        if (folder / MANIFEST).is_file():
            found[int(read_manifest(folder, CENSUS)["vintage"])] = folder
    for folder in store.iterdir():
        if folder.is_dir() and folder.name.isdigit() and len(folder.name) == 4:
            found[int(folder.name)] = folder
    return dict(sorted(found.items()))
