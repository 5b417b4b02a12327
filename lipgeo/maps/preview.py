"""Write the preview: one HTML page of fitted boundaries that opens with no network.

The page is folium's with Leaflet inside, and nothing is asked of the network.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import folium
import geopandas as gpd
import numpy as np
import shapely
from branca.element import Figure, MacroElement
from folium.template import Template
from markupsafe import Markup
from xstatic.pkg import leaflet as leaflet_package

from lipgeo.errors import InputError, require_kind, require_path
from lipgeo.files import file_in_one_step, require_free_file
from lipgeo.geography.hierarchy import fold
from lipgeo.maps.display import PATTERNS, geojson, swatch
from lipgeo.maps.scene import Layer, Scene, scene_of
from lipgeo.report import fill_template, script_json
from lipgeo.words import language, say

if TYPE_CHECKING:
    from lipgeo.boundary.boundaries import Boundaries

__all__ = ["PAGE_ENDINGS", "PreviewMap", "page_of", "preview"]

#: how a page may be called
PAGE_ENDINGS = (".html", ".htm")
_LEAFLET = Path(leaflet_package.BASE_DIR)
#: folium forbids zooming with two fingers; people who see little need it, and the shell says so
_NO_ZOOM = re.compile(r'<meta name="viewport".*?/>', re.DOTALL)
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


class _Slots:
    """Data for scripts that folium renders, kept out of its sight.

    folium and branca compile what they have rendered as a template again: a name with ``{{ }}``
    would be run. They get the name of a slot; the JSON goes into the finished text.
    """

    _SLOT = re.compile(r'"lipgeo-slot-(\d+)"')

    def __init__(self) -> None:
        self._kept: list[str] = []

    def keep(self, json_text: str) -> str:
        """Keep JSON; return the slot's name, which stands in quotes where the JSON is to go."""
        self._kept.append(json_text)
        return f"lipgeo-slot-{len(self._kept) - 1}"

    def fill(self, script: str) -> str:
        """Return a rendered script with the JSON in its slots."""
        return self._SLOT.sub(lambda slot: self._kept[int(slot[1])], script)


class _Call(MacroElement):
    """A call of our script on the layer group it is added to."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "lipgeo.{{ this.name }}({{ this._parent.get_name() }}, {{ this.slot|tojson }});"
        "{% endmacro %}"
    )

    def __init__(self, name: str, slot: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = name
        self.name = name
        self.slot = slot


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
    return f'{script_json(head)[:-1]},"geo":[{shapes}]}}'


def _labels_data(scene: Scene) -> str:
    points = shapely.points([(label.x, label.y) for label in scene.labels] or np.empty((0, 2)))
    degrees = gpd.GeoSeries(points, crs=scene.crs).to_crs(4326)
    return script_json(
        [
            {"x": round(x, 5), "y": round(y, 5), "lines": label.lines, "kind": label.kind}
            for x, y, label in zip(degrees.x, degrees.y, scene.labels, strict=True)
        ]
    )


def _map_of(scene: Scene, slots: _Slots, basemap: bool) -> folium.Map:
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
        name = slots.keep(script_json(html.escape(layer.title)))
        group = folium.FeatureGroup(name=name, show=layer.shown)
        data = _layer_data(layer, scene, _FLOOR + place)
        group.add_child(_Call("draw", slots.keep(data)))
        group.add_to(made)
    if scene.labels:
        name = slots.keep(script_json(html.escape(say("maps.layer_labels"))))
        group = folium.FeatureGroup(name=name)
        group.add_child(_Call("label", slots.keep(_labels_data(scene))))
        group.add_to(made)
    folium.LayerControl(collapsed=False).add_to(made)
    return made


def _in_order(name: str) -> list[tuple[int, int, str]]:
    """Return what names are listed by: accents and case do not count, and 2 comes before 10."""
    parts = re.split(r"(\d+)", name)
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, fold(part)) for part in parts if part
    ]


def _list_data(scene: Scene) -> dict[str, Any]:
    """Return the areas by name: where each is on the map, and what its panel says."""
    held = [k for k, shape in enumerate(scene.places) if shape is not None]
    named = sorted(held, key=lambda k: _in_order(scene.names[k]))
    shapes = gpd.GeoSeries(scene.places[named], crs=scene.crs)
    boxes = gpd.GeoSeries(shapely.box(*shapely.bounds(shapes.to_numpy()).T), crs=scene.crs)
    points = gpd.GeoSeries(shapely.point_on_surface(shapes.to_numpy()), crs=scene.crs).to_crs(4326)
    west, south, east, north = np.round(boxes.to_crs(4326).bounds.to_numpy(), 5).T
    return {
        "names": [scene.names[k] for k in named],
        "boxes": [[[s, w], [n, e]] for s, w, n, e in zip(south, west, north, east, strict=True)],
        "points": [[round(y, 5), round(x, 5)] for x, y in zip(points.x, points.y, strict=True)],
        "heads": scene.table.heads,
        "rows": [scene.table.rows[k] for k in named],
    }


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
    slots = _Slots()
    maps = [_map_of(scene, slots, basemap) for scene in scenes]
    root = Figure()
    root.header._children.clear()  # the shell says the character set
    for made in maps:
        root.add_child(made)
    _number(root)
    for made in maps:
        made.render()  # type: ignore[no-untyped-call]
    script, style = _leaflet()
    several = len(scenes) > 1
    told = [s for s in scenes if s is scenes[0] or s.legend != scenes[0].legend]
    return fill_template(
        "maps/map.html.jinja",
        title=title,
        notes=" ".join(notes),
        basemap=basemap,
        leaflet_style=Markup(style),
        leaflet_script=Markup(script),
        folium_head=Markup(_NO_ZOOM.sub("", root.header.render())),
        patterns=Markup(PATTERNS),
        maps=[
            {
                "heading": scene.fit if several else "",
                "place": Markup(root.html._children[made.get_name()].render()),
            }
            for made, scene in zip(maps, scenes, strict=True)
        ],
        legends=[
            {
                "heading": scene.fit if len(told) > 1 else "",
                "rows": [(Markup(swatch(style)), meaning) for style, meaning in scene.legend],
            }
            for scene in told
        ],
        tables=[
            {
                "caption": say("maps.table_of", heading=scene.fit)
                if several
                else say("maps.table"),
                "heads": scene.table.heads,
                "rows": scene.table.rows,
            }
            for scene in scenes
        ],
        sources=list(dict.fromkeys(scene.source for scene in scenes)),
        several=len(scenes[0].places) > 1,
        words={
            name: say(f"maps.{name}")
            for name in ("legend", "keyboard", "made_with", "find_area", "areas_found")
        },
        script=Markup(slots.fill(root.script.render()) + _finish(scenes, maps)),
    )


def _finish(scenes: Sequence[Scene], maps: Sequence[folium.Map]) -> str:
    """Return the script that ends the page: what Leaflet says in English only, and the view."""
    words: dict[str, Any] = {
        name: say(f"maps.{name}")
        for name in ("zoom_in", "zoom_out", "close", "layers", "map_label", "home", "sort_by")
    }
    words["comma"] = language() == "fr"
    words["areas"] = _list_data(scenes[0])
    west, south, east, north = _bounds(scenes)
    words["view"] = [[south, west], [north, east]]
    names = ", ".join(made.get_name() for made in maps)
    return f"lipgeo.finish([{names}], {script_json(words)});"


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

    def save(self, path: str | Path, *, replace: bool = False) -> Path:
        """Write the page; an earlier page of lipgeo gives way where ``replace`` is true.

        Raises
        ------
        OutputError
            The name does not end in ``.html``, something stands there, or the file cannot be
            written; what was there is as it was.
        """
        require_free_file(require_path(path), replace=replace, endings=PAGE_ENDINGS)
        with file_in_one_step(require_path(path)) as temporary:
            temporary.write_text(self.html, encoding="utf-8")
        return Path(path)

    def _repr_html_(self) -> str:
        frame = '<iframe srcdoc="{}" title="{}" style="width:100%;height:700px;border:0"></iframe>'
        return str(Markup(frame).format(self.html, say("maps.map_label")))


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
        Weighted variables to show in the areas: what :func:`lipgeo.weight_table` gave, or
        :func:`lipgeo.readers.numbers.read_numbers` of a file of them. A count is a circle as large
        as it is; a percentage, rate, average or median colours its area.
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
    notices = dict.fromkeys(scene.notice for scene in scenes)
    said = (*notices, *notes, *([say("maps.asks_network")] if basemap else []))
    return PreviewMap(page_of(scenes, title=heading, notes=said, basemap=basemap), notes)
