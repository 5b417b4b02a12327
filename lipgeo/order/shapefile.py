"""Write the zipped shapefile of an order and read it back, field by field, with fiona.

The dictionary of fields is explicit: names, types and widths are what is promised.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiona
import pandas as pd
import shapely

from lipgeo.errors import OrderError
from lipgeo.files import file_in_one_step, write_zip
from lipgeo.order.content import Content
from lipgeo.workplace import scratch_folder

__all__ = ["FIELDS", "write_shapefile"]

#: name (at most 10 characters) -> fiona type with width and decimals
FIELDS: dict[str, str] = {
    "CUSTOM_ID": "str:64",
    "AREA_ID": "str:64",
    "NAME_EN": "str:254",
    "NAME_FR": "str:254",
    "VINTAGE": "str:4",
    "UNITS": "int32:9",
    "POP": "int32:9",
    "DWELLINGS": "int32:9",
    "LAND_KM2": "float:18.4",
    "MISFIT": "float:10.6",
    "PARTS": "int32:9",
    "FLOOR": "int32:9",
    "FLAGS": "str:254",
    "SOURCE": "str:254",
}
#: the DBF header carries a date; a fixed one keeps equal contents equal bytes
_DBF_DATE = "1980-01-01"
_SIDECARS = (".shp", ".shx", ".dbf", ".prj", ".cpg")


def _records(content: Content) -> pd.DataFrame:
    areas = content.areas
    return pd.DataFrame(
        {
            "CUSTOM_ID": areas["custom_id"],
            "AREA_ID": areas["area_id"],
            "NAME_EN": areas["name_en"],
            "NAME_FR": areas["name_fr"],
            "VINTAGE": areas["vintage"].astype(str),
            "UNITS": areas["unit_count"],
            "POP": areas["population_union"].round(),
            "DWELLINGS": areas["dwellings_union"].round(),
            "LAND_KM2": areas["land_km2_union"].round(4),
            "MISFIT": areas["misfit_share"].round(6),
            "PARTS": areas["part_count"],
            "FLOOR": areas["floor_persons"],
            "FLAGS": areas["flags"].fillna(""),
            "SOURCE": content.attribution_in("en"),
        }
    )


def _check_fits(records: pd.DataFrame) -> None:
    """Refuse texts that would be cut: a DBF field holds so many bytes, and cuts in silence."""
    problems: list[dict[str, Any]] = []
    for name, kind in FIELDS.items():
        if kind.startswith("str"):
            width = int(kind.partition(":")[2])
            for area, text in zip(records["AREA_ID"], records[name], strict=True):
                size = len(str(text).encode("utf-8")) if pd.notna(text) else 0
                if size > width:
                    problems.append({"area_id": area, "field": name, "bytes": size, "limit": width})
    if problems:
        raise OrderError(
            "order.text_too_long",
            problems,
            places=[f"{p['area_id']}.{p['field']} ({p['bytes']}>{p['limit']})" for p in problems],
        )


def _value(value: Any, kind: str) -> Any:
    if pd.isna(value):
        return None
    if kind.startswith("int"):
        return int(value)
    return float(value) if kind.startswith("float") else str(value)


def write_shapefile(content: Content, path: str | Path) -> Path:
    """Write the areas as a zipped shapefile: EPSG:3347, UTF-8, one feature an area.

    Parameters
    ----------
    content
        The order.
    path
        The ``.zip`` to write; its stem names the shapefile inside.

    Returns
    -------
    pathlib.Path
        The zip, with ``.shp .shx .dbf .prj .cpg`` at its top level. Fields and widths are
        :data:`FIELDS`; a missing count is an empty cell, never 0.

    Raises
    ------
    OrderError
        A text is longer than its field, or the widths read back are not those promised.
    OutputError
        The zip cannot be written; an older one is as it was.
    """
    target = Path(path)
    records = _records(content)
    _check_fits(records)
    geometry = content.areas.geometry.to_numpy()
    # one geometry type for the whole layer: readers dislike a mix
    shapes = [shapely.multipolygons([g]) if g.geom_type == "Polygon" else g for g in geometry]
    schema = {"geometry": "MultiPolygon", "properties": FIELDS}
    with scratch_folder() as folder:
        layer = Path(folder) / f"{target.stem}.shp"
        with fiona.open(
            layer,
            "w",
            driver="ESRI Shapefile",
            schema=schema,
            crs_wkt=content.areas.crs.to_wkt("WKT1_ESRI"),
            encoding="UTF-8",
            DBF_DATE_LAST_UPDATE=_DBF_DATE,
        ) as sink:
            sink.writerecords(
                {
                    "type": "Feature",
                    "geometry": shapely.geometry.mapping(shape),
                    "properties": {
                        name: _value(record[name], kind) for name, kind in FIELDS.items()
                    },
                }
                for record, shape in zip(records.to_dict("records"), shapes, strict=True)
            )
        _assert_as_promised(layer, len(records))
        with file_in_one_step(target) as temporary:
            write_zip(
                temporary, {layer.with_suffix(s).name: layer.with_suffix(s) for s in _SIDECARS}
            )
    return target


def _assert_as_promised(layer: Path, rows: int) -> None:
    """Read the shapefile back: fields, widths, decimals, rows and the code page."""
    with fiona.open(layer) as source:
        found = dict(source.schema["properties"])
        rows_found = len(source)
    code_page = layer.with_suffix(".cpg").read_text(encoding="ascii").strip()
    if list(found.items()) != list(FIELDS.items()) or rows_found != rows or code_page != "UTF-8":
        raise OrderError(
            "order.not_as_promised",
            path=layer.name,
            fields=[*(f"{name}={kind}" for name, kind in found.items()), rows_found, code_page],
        )
