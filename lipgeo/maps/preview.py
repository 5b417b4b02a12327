"""What a preview shows: the areas as drawn, the union, the units in, cut and left out."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import folium
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from folium.utilities import JsCode

from lipgeo.atomic import file_in_one_step
from lipgeo.maps.page import empty_map, render
from lipgeo.words import number, say

if TYPE_CHECKING:
    from lipgeo.boundary import Boundaries

__all__ = ["PreviewMap", "preview"]

#: above this many units only areas and outlines are drawn
UNIT_LIMIT = 10_000
#: above this many shapes a canvas draws what SVG would make slow
_CANVAS_FROM = 2_500
#: widest detail kept, as a part of the map's width: finer is not seen on a screen
_DETAIL = 1 / 4000

#: blue, orange and grey that colour-blind people tell apart; dash and pattern say it again
_STYLES: dict[str, dict[str, Any]] = {
    "inside": {"color": "#1b4f72", "weight": 0.6, "fillColor": "#0072B2", "fillOpacity": 0.35},
    "straddling": {"color": "#7A5200", "weight": 0.8, "fillColor": "url(#cut)", "fillOpacity": 1},
    "left_out": {"color": "#444444", "weight": 0.8, "dashArray": "2 3", "fillColor": "url(#out)",
                 "fillOpacity": 1},
    "union": {"color": "#08306b", "weight": 3, "fill": False},
    "drawn": {"color": "#D55E00", "weight": 2.5, "dashArray": "8 5", "fill": False},
}  # fmt: skip
#: a canvas knows no patterns
_PLAIN = {"url(#cut)": ("#E69F00", 0.5), "url(#out)": ("#999999", 0.25)}

#: names and values become text nodes: markup in a name is shown, never run
_CARD = """
function (feature, layer) {
  var rows = feature.properties.card;
  function card() {
    var table = document.createElement('table'); table.className = 'card';
    rows.forEach(function (row) {
      var tr = table.insertRow(), th = document.createElement('th');
      th.textContent = row[0]; th.scope = 'row'; tr.appendChild(th);
      tr.insertCell().textContent = row[1];
    });
    return table;
  }
  layer.bindTooltip(card, {sticky: true}); layer.bindPopup(card);
  layer.on('add', function () {
    var path = layer.getElement && layer.getElement();
    if (!path) { return; }
    path.setAttribute('tabindex', '0'); path.setAttribute('role', 'button');
    path.setAttribute('aria-label', rows.map(function (r) { return r.join(': '); }).join('; '));
    path.addEventListener('keydown', function (event) {
      if (event.key === 'Enter' || event.key === ' ') { layer.openPopup(); event.preventDefault(); }
    });
  });
}
"""


class PreviewMap:
    """A finished preview page.

    Attributes
    ----------
    html
        The page, complete: it loads nothing.
    notes
        What was left out of the picture, one sentence each.
    """

    def __init__(self, page: str, notes: tuple[str, ...] = ()) -> None:
        self.html = page
        self.notes = notes

    def save(self, path: str | Path) -> Path:
        """Write the page.

        Raises
        ------
        OutputError
            The file cannot be written; an older one is as it was.
        """
        with file_in_one_step(path) as temporary:
            temporary.write_text(self.html, encoding="utf-8")
        return Path(path)

    def _repr_html_(self) -> str:
        inner = html.escape(self.html, quote=True)
        title = html.escape(say("maps.map_label"))
        return (
            f'<iframe srcdoc="{inner}" title="{title}" style="width:100%;height:600px;border:0">'
            "</iframe>"
        )


def _display(frame: gpd.GeoDataFrame, detail_m: float) -> gpd.GeoSeries:
    """Simplify for the screen along shared edges, then go to degrees; empty where no polygon."""
    shapes = frame.geometry.to_numpy().copy()
    there = ~(pd.isna(shapes) | shapely.is_empty(shapes))
    # the coverage keeps neighbours' edges the same; repeated polygons of overlapping areas are one
    unique, back = np.unique(shapely.to_wkb(shapes[there]), return_inverse=True)
    simple = shapely.coverage_simplify(shapely.make_valid(shapely.from_wkb(unique)), detail_m)
    shapes[there] = simple[back]
    return gpd.GeoSeries(shapes, crs=frame.crs).to_crs(4326)


def _features(
    shapes: gpd.GeoSeries, cards: list[list[list[str]]], style: dict[str, Any]
) -> dict[str, Any]:
    features = [
        {
            "type": "Feature",
            "properties": {"card": card, "style": style},
            "geometry": json.loads(text),
        }
        for text, card in zip(
            shapely.to_geojson(shapely.set_precision(shapes.to_numpy(), 1e-5)), cards, strict=True
        )
        if text is not None
    ]
    return {"type": "FeatureCollection", "features": features}


def _add(made: folium.Map, name: str, collection: dict[str, Any], *, shown: bool = True) -> None:
    if not collection["features"]:
        return
    group = folium.FeatureGroup(name=name, show=shown)
    folium.GeoJson(
        collection, on_each_feature=JsCode(_CARD), zoom_on_click=False, embed=True
    ).add_to(group)
    group.add_to(made)


def _count(value: Any, decimals: int = 0) -> str:
    return say("maps.missing") if pd.isna(value) else number(float(value), decimals)


def _unit_cards(units: pd.DataFrame) -> list[list[list[str]]]:
    status = {
        "inside": say("maps.status_inside"),
        "straddling": say("maps.status_straddling"),
        "left_out": say("maps.status_left_out"),
    }
    words = {
        key: say(key)
        for key in ("maps.unit", "maps.name", "maps.population", "maps.share", "maps.area",
                    "maps.status")
    }  # fmt: skip
    return [
        [
            [words["maps.unit"], f"{row.level} {row.unit_id}"],
            *([[words["maps.name"], str(row.unit_name)]] if pd.notna(row.unit_name) else []),
            [words["maps.population"], _count(row.population)],
            [words["maps.share"], _count(100 * row.share, 1) + " %"],
            [words["maps.status"], status[row.status]],
            [words["maps.area"], str(row.area_id)],
        ]
        for row in units.itertuples()
    ]


def _area_cards(areas: pd.DataFrame) -> list[list[list[str]]]:
    return [
        [
            [say("maps.area"), f"{row.area_id}"],
            [say("maps.name"), str(row.name_en if pd.notna(row.name_en) else row.area_id)],
            [say("maps.units"), _count(row.unit_count)],
            [say("maps.population"), _count(row.population)],
            [say("maps.misfit"), _count(100 * row.misfit_share, 1) + " %"],
            *([[say("maps.flags"), str(row.flags)]] if row.flags else []),
        ]
        for row in areas.itertuples()
    ]


def _swatch(style: dict[str, Any]) -> str:
    fill = style.get("fillColor", "none")
    dash = style.get("dashArray", "none")
    return (
        '<svg width="34" height="18" aria-hidden="true"><rect x="2" y="2" width="30" height="14" '
        f'fill="{fill}" fill-opacity="{style.get("fillOpacity", 1)}" stroke="{style["color"]}" '
        f'stroke-width="{min(style["weight"] + 0.6, 3)}" stroke-dasharray="{dash}"/></svg>'
    )


def preview(boundaries: Boundaries, *, title: str | None = None) -> PreviewMap:
    """Draw fitted boundaries as one HTML page that opens with no network.

    Parameters
    ----------
    boundaries
        What :func:`lipgeo.fit_boundaries` or :func:`lipgeo.read_build` gave.
    title
        Heading of the page; by default the areas' number, vintage and level.

    Returns
    -------
    PreviewMap
        Page in the language in force. Lines are simplified along shared edges for display only;
        above 10,000 units only areas and outlines are drawn, and ``notes`` says so.
    """
    areas, shapes = boundaries.areas, boundaries.shapes
    heading = title or say(
        "maps.title",
        areas=len(areas),
        vintage=boundaries.meta["vintage"],
        unit=boundaries.meta["unit"],
    )
    drawn = boundaries.service_areas.frame.reset_index()
    everything = [
        frame.total_bounds for frame in (areas, drawn) if np.isfinite(frame.total_bounds).all()
    ]
    west, south = np.min([b[:2] for b in everything], axis=0) if everything else (6.2e6, 1.5e6)
    east, north = np.max([b[2:] for b in everything], axis=0) if everything else (6.3e6, 1.6e6)
    detail_m = max(east - west, north - south) * _DETAIL
    frame = gpd.GeoSeries([shapely.box(west, south, east, north)], crs=areas.crs).to_crs(4326)
    too_many = len(shapes) > UNIT_LIMIT
    many = len(shapes) > _CANVAS_FROM
    made = empty_map(tuple(frame.total_bounds), many=many)

    notes: tuple[str, ...] = ()
    if too_many:
        notes = (say("maps.too_many", units=len(shapes), limit=UNIT_LIMIT),)
    else:
        display = _display(shapes, detail_m)
        for status in ("inside", "straddling", "left_out"):
            of = (shapes["status"] == status).to_numpy()
            style = dict(_STYLES[status])
            if many and style["fillColor"] in _PLAIN:
                style["fillColor"], style["fillOpacity"] = _PLAIN[style["fillColor"]]
            _add(
                made,
                say(f"maps.layer_{status}"),
                _features(display[of], _unit_cards(shapes[of]), style),
            )
    _add(
        made,
        say("maps.layer_union"),
        _features(_display(areas, detail_m), _area_cards(areas), _STYLES["union"]),
    )
    _add(
        made,
        say("maps.layer_drawn"),
        _features(
            _display(drawn, detail_m),
            [[[say("maps.area"), str(area)]] for area in drawn["area_id"]],
            _STYLES["drawn"],
        ),
    )
    folium.LayerControl(collapsed=False).add_to(made)
    layers = ("union", "drawn") if too_many else tuple(_STYLES)
    legend = "".join(
        f"<li>{_swatch(_STYLES[layer])}<span>{html.escape(name)}</span></li>"
        for layer, name in ((layer, say(f"maps.layer_{layer}")) for layer in layers)
    )
    page = render(
        made,
        title=heading,
        intro=" ".join([say("maps.notice"), *notes]),
        legend=legend,
        footer=html.escape(_attribution(boundaries)),
        body="",
    )
    return PreviewMap(page, notes)


def _attribution(boundaries: Boundaries) -> str:
    if boundaries.meta.get("made"):
        return say("maps.attribution_made")
    return say("maps.attribution", vintage=boundaries.meta["vintage"])
