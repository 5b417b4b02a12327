"""What sources are shared out among: drawn polygons, sets of a census's finest units, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.areas import ServiceAreas
from lipgeo.census import CensusZones
from lipgeo.crosswalk.kernel import Outlines
from lipgeo.crs import on_grid, require_same_projected
from lipgeo.errors import CrosswalkError
from lipgeo.zones import Zones

__all__ = ["Targets", "on_one_grid", "targets_of"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Targets:
    """Targets by position, in the order of their ids.

    Attributes
    ----------
    ids
        Text ids; (n,).
    outlines
        The drawn ones; a target that is only a set has no outline.
    atom, area
        Pairs (row of the finest level, position of the target) for those that are sets.
    """

    ids: npt.NDArray[np.object_]
    outlines: Outlines
    atom: Ints
    area: Ints

    def __len__(self) -> int:
        return len(self.ids)


def on_one_grid(
    source: Zones, target: Zones | ServiceAreas, blocks: Zones | None
) -> tuple[Zones, Zones | ServiceAreas, Zones | None]:
    """Bring all to EPSG:3347 where one stands on it by nature; else require one projected CRS."""
    if not isinstance(source, Zones) or not isinstance(target, Zones | ServiceAreas):
        raise CrosswalkError(
            "crosswalk.not_zones", source=type(source).__name__, target=type(target).__name__
        )
    others = [zones for zones in (target, blocks) if zones is not None]
    if any(isinstance(zones, CensusZones | ServiceAreas) for zones in (source, *others)):
        target = target if isinstance(target, ServiceAreas) else _gridded(target)
        return _gridded(source), target, None if blocks is None else _gridded(blocks)
    for other in others:
        if isinstance(other, Zones):
            require_same_projected(source.crs, other.crs)
    return source, target, blocks


def _gridded(zones: Zones) -> Zones:
    return zones if isinstance(zones, CensusZones) or on_grid(zones.crs) else zones.to_grid()


def targets_of(source: Zones, target: Zones | ServiceAreas) -> Targets:
    """Return what the targets are made of: ids where the source's census knows them."""
    census = source.census if isinstance(source, CensusZones) else None
    if isinstance(target, ServiceAreas):
        ids = target.ids.to_numpy(dtype=object)
        polygons = target.frame.geometry.to_numpy()
        listed = target.frame["definition"].eq("units").to_numpy(dtype=bool)
    else:
        ids = np.asarray(target.ids, dtype=object)
        by_id = (
            census is not None
            and isinstance(target, CensusZones)
            and target.census.data is census.data
        )
        listed = np.full(len(ids), by_id)
        polygons = np.full(len(ids), None, dtype=object) if by_id else target.geometry
    order = np.argsort(ids.astype(str), kind="stable")
    ids, polygons, listed = ids[order], polygons[order].copy(), listed[order]
    atom = area = np.empty(0, dtype=np.int64)
    if census is None:
        bare = ids[listed & shapely.is_missing(polygons)]
        if len(bare):
            raise CrosswalkError("crosswalk.not_drawn", [{"area_id": i} for i in bare], areas=bare)
    elif listed.any():
        polygons[listed] = None
        if isinstance(target, ServiceAreas):
            members = target.atoms(census)
            atom = members["row"].to_numpy(dtype=np.int64)
            area = np.asarray(pd.Index(ids).get_indexer(members["area_id"]), dtype=np.int64)
        else:
            level = str(target.level)
            area, atom = census.atoms(level, np.arange(len(ids), dtype=np.int64)[order])
    return Targets(ids, Outlines(polygons), atom, area)
