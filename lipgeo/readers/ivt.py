"""Read a Beyond 20/20 table (``.ivt``) through pyivt, which is young: it is used here only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.errors import FileError, MissingExtraError
from lipgeo.readers.sheets import Sheet
from lipgeo.report import CheckReport, Finding, finding

__all__ = ["from_pyivt", "is_ivt", "read_ivt"]

#: rows of a whole table that are unfolded in memory at most
_MOST = 200_000_000


def is_ivt(path: Path) -> bool:
    """Say whether a file is a Beyond 20/20 table, by its ending (it has no fixed first bytes)."""
    return path.suffix.casefold() == ".ivt"


def read_ivt(path: Path) -> Sheet:
    """Read a Beyond 20/20 table as one row a unit, one column a combination of the others.

    Raises
    ------
    MissingExtraError
        pyivt is not installed.
    FileError
        The file is missing, or no table pyivt can read.
    """
    try:
        import pyivt
    except ImportError as error:
        raise MissingExtraError("readers.no_pyivt", path=path) from error
    if not path.exists():
        raise FileError("readers.missing", path=path)
    try:
        return from_pyivt(pyivt.open(path), path.name)
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError("readers.bad_ivt", path=path, reason=str(error)) from error


def from_pyivt(table: Any, name: str) -> Sheet:
    """Turn an opened ``pyivt.Ivt`` into one row a unit.

    Member ids are counted from 1 and the last dimension varies fastest, as pyivt documents; the
    status symbol of a cell stands in the place of its value.

    Raises
    ------
    FileError
        The table is too large to hold.
    """
    layout, metadata = table.layout, table.metadata
    cells = int(np.prod([int(count) for count in layout.counts], dtype=np.int64))
    if cells > _MOST:
        raise FileError("readers.ivt_too_large", name=name, cells=cells, most=_MOST)
    at = layout.geo_dim - 1
    arrow = table.to_arrow()
    value = arrow["value"].to_pandas()
    shown = value.map(_plain, na_action="ignore").astype("string")
    symbol = arrow["symbol"].to_pandas().astype("string")
    shown = shown.where(value.notna(), symbol)
    grid = shown.to_numpy(dtype=object).reshape([int(count) for count in layout.counts])
    grid = np.moveaxis(grid, at, 0).reshape(int(layout.counts[at]), -1)
    labels = [
        _members(dimension) for place, dimension in enumerate(metadata.dimensions) if place != at
    ]
    columns = [" | ".join(one) for one in _combinations(labels)]
    columns = [
        f"{c} ({columns[:i].count(c) + 1})" if c in columns[:i] else c
        for i, c in enumerate(columns)
    ]
    places = metadata.geographies
    frame = pd.DataFrame(grid, columns=columns, dtype="string")
    uids = places.geo_uid or [None] * len(frame)
    given = places.geo_label.en or places.geo_label.fr or uids
    frame.insert(0, "geo_uid", pd.array(uids, dtype="string"))
    frame.insert(1, "geo_name", pd.array(places.geo_name or given, dtype="string"))
    frame.index = pd.Index(np.arange(1, len(frame) + 1), name="row")
    title = metadata.title.en or metadata.title.fr or name
    notes: list[Finding] = [finding("readers.ivt", "note", name, title=title, cells=cells)]
    return Sheet(frame, CheckReport(notes))


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _members(dimension: Any) -> list[str]:
    labels = dimension.members.en or dimension.members.fr
    if labels is None:
        return [str(number) for number in range(1, int(dimension.count) + 1)]
    return [label.strip() for label in labels]


def _combinations(labels: list[list[str]]) -> list[tuple[str, ...]]:
    """Return the members of every column, the last dimension varying fastest."""
    found: list[tuple[str, ...]] = [()]
    for members in labels:
        found = [(*before, member) for before in found for member in members]
    return found
