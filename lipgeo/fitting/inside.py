"""What lies in areas as drawn, by the finest units: from the overlay that gave the shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.census import Census, Rows
from lipgeo.crosswalk import Crosswalk
from lipgeo.crosswalk.amounts import points_of
from lipgeo.crosswalk.building import laid_out
from lipgeo.crosswalk.descent import LevelUnits, Outlines
from lipgeo.crosswalk.kernel import Overlay, locate, overlay
from lipgeo.crosswalk.table import Weight

__all__ = ["shares_and_inside"]


def shares_and_inside(
    census: Census, level: str, areas: ServiceAreas, by: Weight
) -> tuple[Crosswalk, pd.DataFrame]:
    """Return the crosswalk of a level, and what blocks of its units lie where.

    A unit wholly inside an area gives it all its blocks, by ids; those of a unit that an outline
    crosses are laid over the areas, once: shares by people need that too.

    Parameters
    ----------
    census, level
        The units; coarser than the finest level.
    areas
        Service areas.
    by
        What is shared.

    Returns
    -------
    crosswalk
        Of all areas.
    inside
        ``area`` (position in ``areas``), ``atom`` (row of the finest level), ``share`` of its
        surface; of the drawn areas.
    """
    blocks = _Blocks(census)
    crosswalk = laid_out(
        census.zones(level), areas, weight=by, placement="surface", blocks=None, lay=blocks.lay
    )
    pairs = crosswalk.frame
    area = np.asarray(areas.ids.get_indexer(pairs["target_id"]), dtype=np.int64)
    row = census.rows(level, pairs["source_id"].to_numpy(dtype=object))
    cut = pairs["area_share"].to_numpy(np.float64) < 1
    drawn = areas.frame["definition"].eq("drawn").to_numpy(dtype=bool)[area]
    whole = drawn & ~cut
    owner, atom = census.atoms(level, row[whole])
    opened = np.sort(census.atoms(level, np.unique(row[drawn & cut]))[1])
    found = blocks.placed(opened)
    # targets of a crosswalk stand in the order of their ids
    place = areas.ids.get_indexer(crosswalk.quality["target_id"])[found["area"]]
    # a unit may be cut by one area and lie wholly in another
    span = max(census.size(census.atom_level), 1)
    given = area[whole][owner] * span + atom
    new = ~np.isin(place * span + found["atom"], given)
    inside = pd.DataFrame(
        {
            "area": np.concatenate([area[whole][owner], place[new]]),
            "atom": np.concatenate([atom, found["atom"].to_numpy()[new]]),
            "share": np.concatenate([np.ones(len(atom)), found["share"].to_numpy()[new]]),
        }
    )
    return crosswalk, inside.sort_values(["atom", "area"], ignore_index=True)


class _Blocks:
    """Lays units over areas as asked, and remembers what that said of the finest ones."""

    def __init__(self, census: Census) -> None:
        self._census = census
        self._outlines: Outlines | None = None
        self._rows: list[Rows] = []
        self._found: list[Overlay] = []

    def lay(self, units: LevelUnits, outlines: Outlines) -> Overlay:
        """Lay units over areas."""
        found = overlay(units, outlines)
        self._outlines = outlines
        if units.level == self._census.atom_level and units.rows is not None:
            self._rows.append(units.rows)
            self._found.append(found)
        return found

    def placed(self, rows: Rows) -> pd.DataFrame:
        """Return the areas that finest units lie in: ``area, atom, share``."""
        outlines = self._outlines
        if outlines is None or not len(rows):
            return _table(rows[:0], rows[:0], np.empty(0))
        data, level = self._census.data, self._census.atom_level
        known = next(
            (
                found
                for asked, found in zip(self._rows, self._found, strict=True)
                if np.isin(rows, asked).all()
            ),
            None,
        )
        found = overlay(LevelUnits(data, level, rows), outlines) if known is None else known
        ours = np.isin(found.unit, rows)
        drawn = _table(found.area[ours], found.unit[ours], found.share[ours])
        # what has no polygon lies where its point is
        bare = np.intersect1d(rows, data.without_polygon(level)[0])
        x, y = points_of(self._census.zones(level), bare)
        point, area = locate(x, y, outlines)
        return pd.concat([drawn, _table(area, bare[point], np.ones(len(area)))], ignore_index=True)


def _table(area: Rows, atom: Rows, share: npt.NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame({"area": area, "atom": atom, "share": share})
