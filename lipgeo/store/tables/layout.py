"""Where imported tables stand in a store, and the manifest that says what they hold.

``STORE/tables/<vintage>/<NAME>/`` holds ``data/level=DA/part-00000.parquet`` (one row a unit and
characteristic, split by level), ``units.parquet``, ``characteristics.parquet``, ``ranges.parquet``
(least and greatest value by level and characteristic) and ``manifest.json``. It stands beside the
vintages, not in them: every import of census files writes a vintage anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lipgeo.errors import StoreError
from lipgeo.store.layout import manifest_text

__all__ = [
    "CHARACTERISTICS",
    "CONTENT",
    "DATA",
    "FORMAT",
    "MANIFEST",
    "RANGES",
    "TABLES",
    "UNITS",
    "held_tables",
    "old_folder",
    "part_name",
    "range_name",
    "read_manifest",
    "table_folder",
    "work_folder",
    "write_manifest",
]

#: raised whenever an older lipgeo could no longer read what is written
FORMAT = 1
TABLES = "tables"
MANIFEST = "manifest.json"
CHARACTERISTICS = "characteristics.parquet"
UNITS = "units.parquet"
RANGES = "ranges.parquet"
DATA = "data"
#: what the column ``content`` says of a row, by its number; sums pass over zeros, and only they are
#: most of a profile; rows stand by it first, so that no more is read than has a number, or a gap
CONTENT = ("zeros", "numbers", "numbers and gaps", "gaps")
_PART_RANGES = "ranges"
_WORK, _OLD = "-import", "-old"


def table_folder(store: Path, vintage: int, name: str) -> Path:
    """Return the folder of a table."""
    return store / TABLES / str(vintage) / name


def work_folder(table: Path) -> Path:
    """Return the hidden folder in which a table is imported."""
    return table.with_name(f".{table.name}{_WORK}")


def old_folder(table: Path) -> Path:
    """Return the hidden folder in which a table stands while another takes its place."""
    return table.with_name(f".{table.name}{_OLD}")


def part_name(level: str, number: int) -> str:
    """Return a part's place in the folder of a table."""
    return f"{DATA}/level={level}/part-{number:05d}.parquet"


def range_name(level: str, number: int) -> str:
    """Return where the ranges of a part stand until the import is done."""
    return f"{_PART_RANGES}/{level}-{number:05d}.parquet"


def held_tables(store: Path) -> dict[tuple[int, str], Path]:
    """Return the tables of a store: vintage and name, and the folder.

    A table left aside by an import that was killed while replacing it counts as held; an
    unfinished import does not.
    """
    found: dict[tuple[int, str], Path] = {}
    for manifest in sorted((store / TABLES).glob(f"*/*/{MANIFEST}")):
        folder = manifest.parent
        if not folder.parent.name.isdigit():
            continue
        name = folder.name
        if name.startswith("."):
            if name.endswith(_WORK):
                continue
            name = name[1:].removesuffix(_OLD)
        found.setdefault((int(folder.parent.name), name), folder)
        if name == folder.name:
            found[int(folder.parent.name), name] = folder
    return dict(sorted(found.items()))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a table.

    Raises
    ------
    StoreError
        There is none, it is damaged, or a newer lipgeo wrote it.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        written = manifest["format"]
    except FileNotFoundError as error:
        raise StoreError(
            "store.stored_tables_half_written", folder=folder, missing=MANIFEST
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError("store.stored_tables_damaged", file=path, reason=str(error)) from error
    if written > FORMAT:
        raise StoreError("store.stored_tables_newer", folder=folder, format=written, known=FORMAT)
    return dict(manifest)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a table, the last of its files; equal manifests give equal bytes."""
    text = manifest_text({"format": FORMAT, **manifest})
    (folder / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
