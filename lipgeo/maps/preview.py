"""The page a map stands on: folium with Leaflet inside, and nothing asked of the network.

The preview: one HTML page of fitted boundaries that opens with no network.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import folium
import geopandas as gpd
import numpy as np
import shapely
from branca.element import Element, Figure, MacroElement
from folium.template import Template
from xstatic.pkg import leaflet as leaflet_package

from lipgeo.errors import InputError, require_kind, require_path
from lipgeo.files import file_in_one_step
from lipgeo.maps.cards import Cards
from lipgeo.maps.display import PATTERNS, geojson, swatch
from lipgeo.maps.scene import Layer, Scene, scene_of
from lipgeo.words import language, say

if TYPE_CHECKING:
    from lipgeo.boundary.boundaries import Boundaries

__all__ = ["PreviewMap", "page_of", "preview"]

_LEAFLET = Path(leaflet_package.BASE_DIR)
#: folium forbids zooming with two fingers; people who see little need it
_NO_ZOOM = re.compile(r'<meta name="viewport".*?/>', re.DOTALL)
_VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1.0" />'
#: the browser itself holds the page to asking nobody for anything
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:{more}\">"
)
#: height of the first layer's pane; Leaflet's own shapes lie at 400, markers at 600
_FLOOR = 410


@cache
def _leaflet() -> tuple[str, str]:
    """Return Leaflet's script and its style with the images inside."""
    script = (_LEAFLET / "leaflet.js").read_text(encoding="utf-8")
    script = re.sub(r"//# sourceMappingURL=\S+", "", script)
    style = (_LEAFLET / "leaflet.css").read_text(encoding="utf-8")

    def inline(match: re.Match[str]) -> str:
        image = _LEAFLET / match[1].strip("'\"")
        if not image.exists():  # an old-browser behaviour such as #default#VML
            return "none"
        return f"url(data:image/png;base64,{base64.b64encode(image.read_bytes()).decode()})"

    return script, re.sub(r"url\(([^)]*)\)", inline, style)


@cache
def _own(name: str) -> str:
    return resources.files("lipgeo.maps").joinpath(name).read_text(encoding="utf-8")


def _script_json(value: Any) -> str:
    """Return JSON that is safe inside a script: no ``<`` can end it, no line separator break it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _safe(text)


def _safe(text: str) -> str:
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


class _Call(MacroElement):
    """A call of our script on the layer group it is added to."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "lipgeo.{{ this.name }}({{ this._parent.get_name() }}, {{ this.data }});"
        "{% endmacro %}"
    )

    def __init__(self, name: str, data: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = name
        self.name = name
        self.data = data


def _layer_data(layer: Layer, scene: Scene, level: int) -> str:
    """Return a layer as a script's literal; the shapes are GeoJSON text already."""
    said = layer.cards
    head = {
        "pane": f"lipgeo-{layer.key}",
        "level": level,
        "heads": said.heads if said else [],
        "rows": said.rows if said else None,
        "style": layer.style.leaflet(),
        "styles": [style.leaflet() for style, _ in layer.classes],
        "of": layer.member.tolist() if layer.classes else None,
    }
    shapes = ",".join(text or "null" for text in geojson(layer.shapes, scene.crs, scene.detail_m))
    return f'{_script_json(head)[:-1]},"geo":[{shapes}]}}'


def _labels_data(scene: Scene) -> str:
    points = shapely.points([(label.x, label.y) for label in scene.labels] or np.empty((0, 2)))
    degrees = gpd.GeoSeries(points, crs=scene.crs).to_crs(4326)
    return _script_json(
        [
            {"x": round(x, 5), "y": round(y, 5), "lines": label.lines, "kind": label.kind}
            for x, y, label in zip(degrees.x, degrees.y, scene.labels, strict=True)
        ]
    )


def _map_of(scene: Scene, basemap: bool) -> folium.Map:
    """Return a folium map of a scene with no outside files (but a basemap's, where asked for)."""
    made = folium.Map(
        tiles="OpenStreetMap" if basemap else None,
        control_scale=False,
        zoom_control=False,
        attribution_control=basemap,
        zoom_snap=0.25,
    )
    made.default_js, made.default_css = [], []
    for place, layer in enumerate(scene.layers):
        # Leaflet's layer list takes names as HTML
        group = folium.FeatureGroup(name=html.escape(layer.title), show=layer.shown)
        group.add_child(_Call("draw", _layer_data(layer, scene, _FLOOR + place)))
        group.add_to(made)
    if scene.labels:
        group = folium.FeatureGroup(name=say("maps.layer_labels"))
        group.add_child(_Call("label", _labels_data(scene)))
        group.add_to(made)
    folium.LayerControl(collapsed=False).add_to(made)
    return made


def _bounds(scenes: Sequence[Scene]) -> Sequence[float]:
    """Return what all maps show: the box of their outlines, in degrees."""
    boxes = [np.array([shapely.box(*scene.bounds)]) for scene in scenes]
    lines = [
        layer.shapes
        for scene in scenes
        for layer in scene.layers
        if layer.key in ("union", "drawn")
    ]
    shapes = gpd.GeoSeries(np.concatenate(lines or boxes), crs=scenes[0].crs)
    return tuple(shapes.to_crs(4326).total_bounds)


def _number(root: Any) -> None:
    """Name the map's parts in order: folium's random names would change every byte."""
    waiting, count = [root], 0
    while waiting:
        part = waiting.pop(0)
        part._id = f"{count:04d}"
        count += 1
        waiting += list(part._children.values())


def _legend(scene: Scene) -> str:
    return "".join(
        f"<li>{swatch(style)}<span>{html.escape(meaning)}</span></li>"
        for style, meaning in scene.legend
    )


def _table(said: Cards, caption: str) -> str:
    heads = "".join(f'<th scope="col">{html.escape(head)}</th>' for head in said.heads)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell or '')}</td>" for cell in row) + "</tr>"
        for row in said.rows
    )
    name = html.escape(caption)
    return (
        f'<div class="table"><details><summary>{name}</summary>'
        f'<div tabindex="0" role="region" aria-label="{name}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        "</details></div>"
    )


def page_of(scenes: Sequence[Scene], *, title: str, notes: Sequence[str], basemap: bool) -> str:
    """Return the finished page.

    Parameters
    ----------
    scenes
        One map, or two side by side that move together.
    title
        Plain text: page title and heading.
    notes
        Sentences under the heading.
    basemap
        Whether to lay the maps on tiles from the network.
    """
    maps = [_map_of(scene, basemap) for scene in scenes]
    root = Figure()
    for made in maps:
        root.add_child(made)
    _number(root)
    script, style = _leaflet()
    more = " https://*.openstreetmap.org https://tile.openstreetmap.org" if basemap else ""
    root.header.add_child(
        Element(
            f"{_POLICY.format(more=more)}<title>{html.escape(title)}</title>"
            f"<style>{style}</style><style>{_own('map.css')}</style><script>{script}</script>"
            f"<script>{_own('map.js')}</script>"
        ),
        name="leaflet",
        index=0,
    )
    text = root.render()
    text = _NO_ZOOM.sub(_VIEWPORT, text)
    text = text.replace("<html>", f'<html lang="{language()}-CA">', 1)
    for made, scene in zip(maps, scenes, strict=True):
        heading = f"<h2>{html.escape(scene.fit)}</h2>" if len(scenes) > 1 else ""
        place = re.search(rf'<div class="folium-map" id="{made.get_name()}"\s*></div>', text)
        assert place is not None
        text = text.replace(place[0], f'<div class="one">{heading}{place[0]}</div>', 1)
    return _framed(text, scenes, maps, title=title, notes=notes)


def _framed(
    text: str,
    scenes: Sequence[Scene],
    maps: Sequence[folium.Map],
    *,
    title: str,
    notes: Sequence[str],
) -> str:
    """Put heading, legend, table and source around the maps."""
    told = [s for s in scenes if s is scenes[0] or s.legend != scenes[0].legend]
    legend_name = html.escape(say("maps.legend"))
    legends = "".join(
        (f"<h3>{html.escape(scene.fit)}</h3>" if len(told) > 1 else "")
        + f"<ul>{_legend(scene)}</ul>"
        for scene in told
    )
    tables = "".join(
        _table(
            scene.table,
            say("maps.table") if len(scenes) == 1 else say("maps.table_of", heading=scene.fit),
        )
        for scene in scenes
    )
    sources = "".join(
        f"<p>{html.escape(source)}</p>" for source in dict.fromkeys(s.source for s in scenes)
    )
    before = (
        f"<body>{PATTERNS}<header><h1>{html.escape(title)}</h1>"
        f"<p>{html.escape(' '.join(notes))}</p></header>"
        f'<main><div class="maps">'
    )
    after = (
        f'</div><section class="side" aria-label="{legend_name}"><h2>{legend_name}</h2>{legends}'
        f"<p>{html.escape(say('maps.keyboard'))}</p></section></main>{tables}"
        f"<footer>{sources}<p>{html.escape(say('maps.made_with'))}</p></footer></body>"
    )
    words: dict[str, Any] = {
        name: say(f"maps.{name}")
        for name in ("zoom_in", "zoom_out", "close", "layers", "map_label")
    }
    west, south, east, north = _bounds(scenes)
    words["view"] = [[south, west], [north, east]]
    names = ", ".join(made.get_name() for made in maps)
    finish = f"lipgeo.finish([{names}], {_script_json(words)});"
    text = text.replace("<body>", before, 1).replace("</body>", after, 1)
    return text.replace("</html>", f"<script>{finish}</script></html>", 1)


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
        with file_in_one_step(require_path(path)) as temporary:
            temporary.write_text(self.html, encoding="utf-8")
        return Path(path)

    def _repr_html_(self) -> str:
        inner = html.escape(self.html, quote=True)
        title = html.escape(say("maps.map_label"))
        return (
            f'<iframe srcdoc="{inner}" title="{title}" style="width:100%;height:700px;border:0">'
            "</iframe>"
        )


def preview(
    boundaries: Boundaries,
    *,
    beside: Boundaries | None = None,
    estimates: Any = None,
    variable: str | None = None,
    title: str | None = None,
    basemap: bool = False,
) -> PreviewMap:
    """Draw fitted boundaries as one HTML page that opens with no network.

    Parameters
    ----------
    boundaries
        What :func:`lipgeo.fit_boundaries` or :func:`lipgeo.read_build` gave.
    beside
        Another fit, or another vintage, on a second map that moves with the first.
    estimates
        Weighted variables (``est`` of :func:`lipgeo.weight_table`) to colour the areas by.
    variable
        Which of them; not needed where there is one.
    title
        Heading of the page; by default the areas' number, vintage and level.
    basemap
        Lay the map on OpenStreetMap's tiles. The page then asks the network for them.

    Returns
    -------
    PreviewMap
        Page in the language in force. Lines are simplified along shared edges for display only;
        above 10,000 units only areas and outlines are drawn, and ``notes`` says so.

    Raises
    ------
    InputError
        The estimates lack the variable, hold several and none is named, or are of other areas;
        or they are to be shown beside a second fit, of which they are not.

    Examples
    --------
    >>> import lipgeo
    >>> from lipgeo import synthetic
    >>> census = synthetic.census(blocks=1000, seed=3)
    >>> drawn = synthetic.service_areas(census, 2)
    >>> areas = lipgeo.ServiceAreas.from_frame(drawn, id="area_id")
    >>> page = lipgeo.preview(lipgeo.fit_boundaries(census, areas, unit="DA"))
    >>> page.notes, "https://" in page.html.split("<main>")[0].split("</script>")[-1]
    ((), False)
    """
    from lipgeo.boundary.boundaries import Boundaries

    require_kind(boundaries, Boundaries, "errors.boundaries", "boundaries")
    if beside is not None:
        require_kind(beside, Boundaries, "errors.boundaries", "beside")
    if beside is not None and estimates is not None:
        raise InputError("maps.one_fit")
    scenes = [scene_of(boundaries, estimates, variable)]
    if beside is not None:
        scenes.append(scene_of(beside))
    heading = title or scenes[0].heading
    if beside is not None and not title:
        heading = say("maps.two", first=scenes[0].fit, second=scenes[1].fit)
    notes = tuple(dict.fromkeys(note for scene in scenes for note in scene.notes))
    said = (say("maps.notice"), *notes, *([say("maps.asks_network")] if basemap else []))
    return PreviewMap(page_of(scenes, title=heading, notes=said, basemap=basemap), notes)
