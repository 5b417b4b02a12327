"""Write boundaries in longitude and latitude: GeoJSON as RFC 7946 has it, and KMZ."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.files import write_zip
from lipgeo.order.content import Content

__all__ = ["area_geojson", "on_the_globe", "write_geojson", "write_kmz"]

#: RFC 7946 asks for no more; a ten-millionth of a degree is a centimetre
_DECIMALS = 7
#: a straight edge of the grid is not straight in degrees: parts this long stay within a metre
_EDGE_M = 5_000.0


def on_the_globe(shapes: gpd.GeoSeries) -> npt.NDArray[np.object_]:
    """Return polygons in longitude and latitude (WGS84), valid, outer rings counter-clockwise."""
    grid = gpd.GeoSeries(shapely.segmentize(shapes.to_numpy(), _EDGE_M), crs=shapes.crs)
    degrees = grid.to_crs(4326).to_numpy()
    rounded = shapely.set_precision(degrees, 10.0**-_DECIMALS)
    return np.asarray(shapely.orient_polygons(shapely.normalize(rounded)), dtype=object)


def _coordinates(ring: Any) -> list[list[float]]:
    points: list[list[float]] = np.round(shapely.get_coordinates(ring), _DECIMALS).tolist()
    return points


def _rings(polygon: Any) -> list[list[list[float]]]:
    return [_coordinates(ring) for ring in (polygon.exterior, *polygon.interiors)]


def _parts(shape: Any) -> list[Any]:
    return [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]


def _geometry(shape: Any) -> dict[str, Any]:
    polygons = [_rings(part) for part in _parts(shape)]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    plain = value.item() if hasattr(value, "item") else value
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain


def _properties(area: Any, content: Content) -> dict[str, Any]:
    return {
        "custom_id": area.custom_id,
        "area_id": area.area_id,
        "name_en": area.name_en,
        "name_fr": area.name_fr,
        "vintage": content.vintage,
        "unit_count": int(area.unit_count),
        "population": _plain(area.population_union),
        "dwellings": _plain(area.dwellings_union),
    }


def _feature(area: Any, shape: Any, content: Content) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": area.custom_id,
        "properties": _properties(area, content),
        "geometry": _geometry(shape),
    }


def _collection(features: list[dict[str, Any]], shapes: Any, content: Content) -> str:
    head = {
        "type": "FeatureCollection",
        "vintage": content.vintage,
        "attribution": {lang: content.attribution_in(lang) for lang in ("en", "fr")},
        "bbox": np.round(shapely.total_bounds(shapes), _DECIMALS).tolist(),
    }
    opened = json.dumps(head, ensure_ascii=False)[:-1]
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in features)
    return f'{opened}, "features": [\n{lines}\n]}}\n'


def write_geojson(content: Content, shapes: Iterable[Any], path: Path) -> Path:
    """Write the areas as one RFC 7946 file.

    ``shapes`` are the areas' polygons :func:`on_the_globe`. The file has ``vintage`` and
    ``attribution`` beside ``features``: members a reader that does not know them ignores.
    """
    held = np.asarray(list(shapes), dtype=object)
    features = [
        _feature(area, shape, content)
        for area, shape in zip(content.areas.itertuples(), held, strict=True)
    ]
    path.write_text(_collection(features, held, content), encoding="utf-8", newline="\n")
    return path


def area_geojson(content: Content, area: Any, shape: Any) -> str:
    """Return one area as an RFC 7946 file of its own, its units listed.

    What it says hangs on the area alone: an area that did not change gives the same bytes in
    every order of its census.
    """
    feature = _feature(area, shape, content)
    units = content.units[content.units["custom_id"] == area.custom_id]
    feature["properties"]["units"] = (units["level"] + ":" + units["unit_id"]).tolist()
    return _collection([feature], [shape], content)


def write_kmz(content: Content, shapes: Iterable[Any], path: Path, doc: Path) -> Path:
    """Write the areas as KMZ; ``doc`` is where its ``doc.kml`` is drafted."""
    places = [
        _placemark(area, shape)
        for area, shape in zip(content.areas.itertuples(), shapes, strict=True)
    ]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>',
        f"<name>{content.vintage}</name>",
        f"<description>{escape(content.attribution_both)}</description>",
        '<Style id="area"><LineStyle><color>ff6b3008</color><width>2</width></LineStyle>'
        "<PolyStyle><color>3cb27200</color></PolyStyle></Style>",
        *places,
        "</Document></kml>",
    ]
    doc.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    write_zip(path, {"doc.kml": doc})
    return path


def _placemark(area: Any, shape: Any) -> str:
    polygons = "".join(_polygon(part) for part in _parts(shape))
    data = "".join(
        f'<Data name="{name}"><value>{escape(str(value))}</value></Data>'
        for name, value in (
            ("custom_id", area.custom_id),
            ("area_id", area.area_id),
            ("name_en", area.name_en),
            ("name_fr", area.name_fr),
            ("vintage", area.vintage),
        )
    )
    return (
        f'<Placemark id="area-{escape(area.custom_id)}"><name>{escape(area.name_en)}</name>'
        f"<styleUrl>#area</styleUrl><ExtendedData>{data}</ExtendedData>"
        f"<MultiGeometry>{polygons}</MultiGeometry></Placemark>"
    )


def _polygon(polygon: Any) -> str:
    outer, *inner = (
        "<LinearRing><coordinates>"
        + " ".join(f"{x:.{_DECIMALS}f},{y:.{_DECIMALS}f}" for x, y in ring)
        + "</coordinates></LinearRing>"
        for ring in _rings(polygon)
    )
    holes = "".join(f"<innerBoundaryIs>{ring}</innerBoundaryIs>" for ring in inner)
    return f"<Polygon><outerBoundaryIs>{outer}</outerBoundaryIs>{holes}</Polygon>"
