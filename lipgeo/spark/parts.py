"""What a Spark worker does: lay the units of its partition over the areas, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo import __version__
from lipgeo.crosswalk.descent import grouped
from lipgeo.crosswalk.kernel import Outlines, Overlay, overlay

__all__ = ["COLUMNS", "SCHEMA", "Areas", "merged", "shares"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: what Spark hands over: the unit's row in its level, its box and its polygon
COLUMNS = ("row", "xmin", "ymin", "xmax", "ymax", "geometry")
#: what comes back: one row a pair, a union, two areas at once, or a repaired unit
SCHEMA = "what tinyint, unit bigint, area int, other int, share double"
PAIR, COVERED, SHARED, REPAIRED = range(4)


@dataclass(frozen=True)
class Areas:
    """The areas as they are broadcast.

    Attributes
    ----------
    token
        Differs from one broadcast to the next; areas are equal where it is.
    version
        Of the lipgeo that sent them.
    polygons
        WKB, ``None`` where an area has no outline.
    """

    token: str
    version: str = field(compare=False)
    polygons: tuple[bytes | None, ...] = field(compare=False)

    @classmethod
    def of(cls, outlines: Outlines, token: str) -> Areas:
        """Return the areas of some outlines."""
        return cls(token, __version__, tuple(shapely.to_wkb(outlines.areas).tolist()))


class BatchUnits:
    """Units of one batch, decoded as far as an outline comes near them.

    Parameters
    ----------
    frame
        Columns :data:`COLUMNS`.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        row = frame["row"].to_numpy(dtype=np.int64)
        # neighbours stand together in a level; a shuffle brings them in pieces
        order = np.argsort(row, kind="stable")
        self._row: Ints = row[order]
        self._boxes: Floats = frame[list(COLUMNS[1:5])].to_numpy(dtype=np.float64)[order]
        self._wkb = frame["geometry"].to_numpy(dtype=object)[order]

    def group_boxes(self) -> tuple[Ints, Floats]:
        """Give starts and boxes of the groups."""
        return grouped(self._boxes)

    def boxes(self, rows: Ints) -> Floats:
        """Boxes of rows."""
        return self._boxes[rows]

    def polygons(self, rows: Ints) -> npt.NDArray[np.object_]:
        """Polygons of rows."""
        return np.asarray(shapely.from_wkb(self._wkb[rows]), dtype=object)

    def original(self, rows: Ints) -> Ints:
        """Rows of the level."""
        return self._row[rows]


@lru_cache(maxsize=1)
def _outlines(areas: Areas) -> Outlines:
    """Cut the areas' outlines once a process, however many partitions it works on."""
    wkb = np.empty(len(areas.polygons), dtype=object)
    wkb[:] = areas.polygons
    return Outlines(shapely.from_wkb(wkb))


def shares(batches: Iterable[pd.DataFrame], areas: Areas) -> Iterator[pd.DataFrame]:
    """Yield, for each batch of units, the rows of :data:`SCHEMA`.

    No unit's shares depend on another unit, so it does not matter how units are cut into
    partitions and batches.

    Raises
    ------
    RuntimeError
        The worker runs another lipgeo than the program that sent the areas.
    """
    if areas.version != __version__:
        raise RuntimeError(f"lipgeo {areas.version} sent work to lipgeo {__version__}")
    outlines = _outlines(areas)
    for batch in batches:
        yield _rows(overlay(BatchUnits(batch), outlines))


def _rows(found: Overlay) -> pd.DataFrame:
    kinds = (found.unit, found.covered_unit, found.shared_unit, found.repaired)
    count = [len(kind) for kind in kinds]
    what = np.repeat(np.arange(len(kinds), dtype=np.int8), count)
    frame = pd.DataFrame({"what": what, "unit": np.concatenate(kinds)})
    frame["area"] = frame["other"] = np.full(len(frame), -1, dtype=np.int32)
    frame["share"] = 0.0
    for kind, column, values in (
        (PAIR, "area", found.area),
        (PAIR, "share", found.share),
        (COVERED, "share", found.covered),
        (SHARED, "area", found.shared_area),
        (SHARED, "other", found.shared_other),
        (SHARED, "share", found.shared),
    ):
        frame.loc[what == kind, column] = values.astype(frame[column].dtype)
    return frame


def merged(what: Ints, unit: Ints, area: Ints, other: Ints, share: Floats) -> Overlay:
    """Put the rows of all workers, in any order, together as the kernel would have given them."""
    pair, covered, shared, repaired = (
        place[what[place] == kind]
        for place in (np.lexsort((other, area, unit)),)
        for kind in (PAIR, COVERED, SHARED, REPAIRED)
    )
    return Overlay(
        unit=unit[pair],
        area=area[pair],
        share=share[pair],
        covered_unit=unit[covered],
        covered=share[covered],
        shared_unit=unit[shared],
        shared_area=area[shared],
        shared_other=other[shared],
        shared=share[shared],
        repaired=unit[repaired],
    )
