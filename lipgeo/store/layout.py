"""Where things stand in a store, and the manifest that says so.

``STORE/<vintage>/`` holds one GeoParquet file a level (``DA.parquet``), ``published.parquet``
(totals known independently of the units held), ``said/`` (what each source file said, as read;
a later import starts from it) and ``manifest.json``, which is written last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lipgeo.errors import StoreError

__all__ = [
    "LAYOUT",
    "SAID",
    "held",
    "level_file",
    "manifest_text",
    "no_store",
    "read_manifest",
    "rows_of",
]

#: raised whenever an older lipgeo could no longer read what is written
LAYOUT = 1
MANIFEST = "manifest.json"
PUBLISHED = "published.parquet"
SAID = "said"


def level_file(folder: Path, level: str) -> Path:
    """Return the file of a level."""
    return folder / f"{level}.parquet"


def rows_of(child: str) -> tuple[str, str]:
    """Return the columns that say which rows of ``child`` a unit holds: the first, how many."""
    return f"first_{child}", f"count_{child}"


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Return a manifest as text; equal manifests give equal bytes."""
    return json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"


def no_store(path: Path) -> StoreError:
    """Return the error for a path that is no folder: a file, or nothing at all."""
    return StoreError("store.is_file" if path.is_file() else "store.missing", path=path)


def held(store: Path) -> dict[int, Path]:
    """Return the vintages of a store, oldest first, and their folders.

    A folder left aside by an import that was killed between its two last steps counts as the
    vintage it was.
    """
    found: dict[int, Path] = {}
    for folder in store.glob(".lipgeo-*/old"):
        if (folder / MANIFEST).is_file():
            found[int(read_manifest(folder)["vintage"])] = folder
    for folder in store.iterdir():
        if folder.is_dir() and folder.name.isdigit() and len(folder.name) == 4:
            found[int(folder.name)] = folder
    return dict(sorted(found.items()))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a vintage.

    Raises
    ------
    StoreError
        There is none (a half-written store), it is damaged, or a newer lipgeo wrote it.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        layout = manifest["layout"]
    except FileNotFoundError as error:
        raise StoreError("store.half_written", folder=folder, missing=MANIFEST) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError("store.damaged", file=path, reason=str(error)) from error
    if layout > LAYOUT:
        raise StoreError("store.newer_layout", folder=folder, layout=layout, known=LAYOUT)
    return dict(manifest)
