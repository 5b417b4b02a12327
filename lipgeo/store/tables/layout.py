"""Where imported tables stand in a store, and the manifest that says what they hold.

``STORE/tables/<vintage>/<NAME>/`` holds ``data/level=DA/part-00000.parquet`` (one row a unit and
characteristic, split by level), ``units.parquet``, ``characteristics.parquet``, ``ranges.parquet``
(least and greatest value by level and characteristic) and ``manifest.json``. It stands beside the
vintages, not in them: every import of census files writes a vintage anew.
"""

from __future__ import annotations

from pathlib import Path

from lipgeo.errors import StoreError
from lipgeo.files import MANIFEST, FolderFormat

__all__ = [
    "CHARACTERISTICS",
    "CONTENT",
    "DATA",
    "FORMAT",
    "RANGES",
    "TABLE",
    "TABLES",
    "UNITS",
    "find_tables",
    "old_folder",
    "part_name",
    "range_name",
    "table_folder",
    "work_folder",
]

#: raised whenever an older lipgeo could no longer read what is written
FORMAT = 1
TABLE = FolderFormat(
    "table",
    FORMAT,
    StoreError,
    "store.tables.half_written",
    {
        "name": str,
        "vintage": int,
        "levels": [str],
        "values": [str],
        "units": {"*": int},
        "rows": {"*": int},
        "characteristics": int,
        "sources": [{"file": str, "sha256": str}],
        "parts": [{"file": str, "bytes": int}],
    },
    sort=False,
)
TABLES = "tables"
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


def find_tables(store: Path) -> dict[tuple[int, str], Path]:
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
