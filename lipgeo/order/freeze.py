"""Freezing: areas that did not change since the order before keep its very bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio

from lipgeo.order.content import Content
from lipgeo.order.manifest import OldOrder
from lipgeo.order.records import area_records, same_area

__all__ = ["frozen"]


def frozen(content: Content, old: OldOrder) -> tuple[Content, dict[str, Path]]:
    """Give unchanged areas the outline of the order before.

    An area is unchanged when its ids, names, census, units and counts are: a newer lipgeo or GEOS
    that joins the same units with another first vertex does not change it.

    Returns
    -------
    Content
        With the outlines of the order before where nothing changed.
    dict
        Area id of each unchanged area to its file in the order before.
    """
    before = old.areas
    same = [
        record["area_id"]
        for record in area_records(content)
        if record["area_id"] in before and same_area(record, before[record["area_id"]])
    ]
    if not same:
        return content, {}
    layer = old.folder / f"areas_{old.vintage}.gpkg"
    held = pyogrio.read_dataframe(layer, layer="areas", columns=["area_id"]).set_index("area_id")
    areas = content.areas.copy()
    here = areas["area_id"].isin(same).to_numpy(bool)
    shapes = areas.geometry.to_numpy().copy()
    shapes[here] = held.geometry.reindex(areas.loc[here, "area_id"]).to_numpy()
    # a GeoPackage layer holds multipolygons only: one part is a polygon again
    shapes[here] = [s.geoms[0] if len(s.geoms) == 1 else s for s in shapes[here]]
    areas = areas.set_geometry(gpd.GeoSeries(np.asarray(shapes), crs=areas.crs))
    files = {area: old.file_of(before[area]) for area in same}
    return replace(content, areas=areas), files
