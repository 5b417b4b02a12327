"""Write the GeoPackage of an order: areas, units, areas as drawn, and a style for QGIS.

QGIS takes the style by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from lipgeo.files import whole_counts
from lipgeo.geopackages import THEN, geopackage_in_one_step
from lipgeo.order.content import Content

__all__ = ["LAYERS", "write_geopackage"]

LAYERS = ("areas", "units", "areas_as_drawn")
#: fill (red, green, blue, opacity), outline, width in mm, line: colours colour-blind people tell
_STYLES = {
    "areas": ("0,114,178,60", "8,48,107,255", "0.6", "solid"),
    "units": ("255,255,255,0", "110,110,110,255", "0.15", "solid"),
    "areas_as_drawn": ("255,255,255,0", "213,94,0,255", "0.5", "dash"),
}
_QML = """<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22" styleCategories="Symbology|Labeling" labelsEnabled="{labels}">
 <renderer-v2 type="singleSymbol" forceraster="0" symbollevels="0" enableorderby="0">
  <symbols><symbol type="fill" name="0" alpha="1" clip_to_extent="1" force_rhr="0">
   <layer class="SimpleFill" enabled="1" locked="0" pass="0"><Option type="Map">
    <Option type="QString" name="color" value="{fill}"/>
    <Option type="QString" name="style" value="solid"/>
    <Option type="QString" name="outline_color" value="{edge}"/>
    <Option type="QString" name="outline_style" value="{line}"/>
    <Option type="QString" name="outline_width" value="{width}"/>
    <Option type="QString" name="outline_width_unit" value="MM"/>
   </Option></layer></symbol></symbols>
 </renderer-v2>
 <labeling type="simple"><settings calloutType="simple">
  <text-style fieldName="{label}" fontSize="9" textColor="8,48,107,255" isExpression="0"/>
 </settings></labeling>
</qgis>
"""


def _layers(content: Content) -> dict[str, gpd.GeoDataFrame]:
    areas = content.areas.copy()
    for column in ("valid_from", "valid_to"):
        areas[column] = areas[column].astype("string")
    areas["below_floor"] = areas["below_floor"].astype(bool)
    areas["vintage"] = areas["vintage"].astype("int64")
    made = {"areas": areas, "units": content.shapes, "areas_as_drawn": content.drawn}
    for name, frame in made.items():
        made[name] = frame.assign(vintage=content.vintage, source=content.attribution_in("en"))
        made[name] = whole_counts(made[name]).set_geometry(
            _multi(frame.geometry.to_numpy()), crs=frame.crs
        )
    return made


def _multi(shapes: Any) -> Any:
    """One geometry type a layer: readers dislike a mix."""
    made = np.asarray(shapes, dtype=object).copy()
    single = shapely.get_type_id(made) == shapely.GeometryType.POLYGON
    made[single] = [shapely.multipolygons([polygon]) for polygon in made[single]]
    return made


def _styles() -> pd.DataFrame:
    rows = []
    for layer in LAYERS:
        fill, edge, width, line = _STYLES[layer]
        labelled = layer == "areas"
        qml = _QML.format(
            fill=fill, edge=edge, width=width, line=line, labels=int(labelled),
            label="name_en" if labelled else "",
        )  # fmt: skip
        rows.append(
            {
                "f_table_catalog": "", "f_table_schema": "", "f_table_name": layer,
                "f_geometry_column": "geom", "styleName": layer, "styleQML": qml, "styleSLD": "",
                "useAsDefault": True, "description": "lipgeo", "owner": "", "ui": "",
                "update_time": THEN,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def write_geopackage(content: Content, path: Path) -> Path:
    """Write the GeoPackage: layers :data:`LAYERS` in EPSG:3347 and their default styles.

    Parameters
    ----------
    content
        The order.
    path
        The file to write.

    Returns
    -------
    pathlib.Path
        ``path``; equal contents give equal bytes.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    layers = _layers(content)
    with geopackage_in_one_step(path) as draft:
        for name, frame in layers.items():
            pyogrio.write_dataframe(
                frame,
                draft,
                layer=name,
                driver="GPKG",
                geometry_type="MultiPolygon",
                layer_options={
                    "DESCRIPTION": f"{content.vintage}. {content.attribution_both}",
                    "IDENTIFIER": f"{name} {content.vintage}",
                },
            )
        pyogrio.write_dataframe(_styles(), draft, layer="layer_styles", driver="GPKG")
    return path
