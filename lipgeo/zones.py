"""``Zones``: a layer of polygons fit for work, and its pre-flight report."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from lipgeo.errors import CRSError, ZoneError

__all__ = ["Zones"]


class Zones:
    """Polygons with unique text ids in one projected coordinate reference system.

    Build one with :meth:`from_frame`, or take a census level with ``census.zones("DA")``.
    The constructor checks what is cheap (ids, CRS); :meth:`check` looks at everything.

    Attributes
    ----------
    ids
        Text ids, in the order of the layer; shape (n,).
    geometry
        Shapely polygons and multipolygons in ``crs``, ``None`` where a zone has none; shape (n,).
    crs
        The coordinate reference system, projected.
    data
        Further columns by id (index ``zone_id``); ``population``, ``dwellings``, ``households``
        serve as weights where present, missing is NaN.
    level, vintage
        Census level and year when the zones are census units, else ``None``.
    """

    def __init__(
        self,
        ids: npt.ArrayLike,
        geometry: npt.ArrayLike,
        crs: Any,
        *,
        data: pd.DataFrame | None = None,
        level: str | None = None,
        vintage: int | None = None,
    ) -> None:
        self.ids = np.asarray(ids, dtype=object)
        self._geometry = np.asarray(geometry, dtype=object)
        if crs is None:
            raise CRSError("zones.no_crs")
        self.crs = pyproj.CRS.from_user_input(crs)
        self.level = level
        self.vintage = vintage
        duplicated = pd.Index(self.ids).duplicated(keep=False)
        if duplicated.any():
            raise ZoneError("zones.duplicate_ids", ids=sorted(set(self.ids[duplicated])))
        self.data = (
            data if data is not None else pd.DataFrame(index=pd.Index(self.ids, name="zone_id"))
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def geometry(self) -> npt.NDArray[np.object_]:
        return self._geometry

    @cached_property
    def boxes(self) -> npt.NDArray[np.float64]:
        """Bounding boxes (minx, miny, maxx, maxy) in the CRS's unit, NaN where no polygon; (n, 4)."""
        return np.asarray(shapely.bounds(self.geometry), dtype=np.float64)

    @property
    def frame(self) -> gpd.GeoDataFrame:
        """A copy as a GeoDataFrame, index ``zone_id``."""
        data = self.data.copy()
        return gpd.GeoDataFrame(data, geometry=self.geometry.copy(), crs=self.crs)
