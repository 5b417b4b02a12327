"""The page a map stands on: folium with Leaflet inside, and nothing asked of the network."""

from __future__ import annotations

import base64
import html
import re
from functools import cache
from pathlib import Path
from typing import Any

import folium
from branca.element import Element
from xstatic.pkg import leaflet as leaflet_package

from lipgeo.words import language, say

__all__ = ["empty_map", "render"]

_LEAFLET = Path(leaflet_package.BASE_DIR)
#: folium forbids zooming with two fingers; people who see little need it
_NO_ZOOM = re.compile(r'<meta name="viewport".*?/>', re.DOTALL)
_VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1.0" />'

#: fills by which a map can be read without colour
PATTERNS = """
<svg width="0" height="0" style="position:absolute" aria-hidden="true" focusable="false"><defs>
<pattern id="cut" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="8" height="8" fill="#E69F00" fill-opacity="0.35"/>
<line x1="0" y1="0" x2="0" y2="8" stroke="#7A5200" stroke-width="2"/></pattern>
<pattern id="out" width="7" height="7" patternUnits="userSpaceOnUse">
<rect width="7" height="7" fill="#FFFFFF" fill-opacity="0.6"/>
<circle cx="3.5" cy="3.5" r="1.2" fill="#444444"/></pattern>
<pattern id="none" width="6" height="6" patternUnits="userSpaceOnUse">
<rect width="6" height="6" fill="#FFFFFF"/>
<path d="M0 0L6 6M6 0L0 6" stroke="#777777" stroke-width="0.8"/></pattern>
</defs></svg>
"""

_STYLE = """
html, body { height: 100%; margin: 0; font: 16px/1.4 system-ui, "Segoe UI", Arial, sans-serif; }
body { display: flex; flex-direction: column; color: #111; background: #fff; }
header { padding: .5rem 1rem; } header h1 { font-size: 1.2rem; margin: 0; }
header p { margin: .2rem 0 0; }
main { flex: 1; position: relative; min-height: 20rem; }
.folium-map { position: absolute !important; inset: 0; background: #f4f4f1; }
.legend { position: absolute; left: .75rem; bottom: 2rem; z-index: 800; max-width: 20rem;
  background: #fff; border: 1px solid #555; padding: .5rem .75rem; font-size: .9rem;
  max-height: 60%; overflow: auto; }
.legend h2 { font-size: .95rem; margin: 0 0 .25rem; }
.legend ul { list-style: none; margin: 0; padding: 0; }
.legend li { display: flex; gap: .5rem; align-items: center; margin: .15rem 0; }
.legend svg { flex: none; }
footer { padding: .4rem 1rem; font-size: .85rem; border-top: 1px solid #999; }
.card th { text-align: left; padding-right: .75rem; font-weight: 600; vertical-align: top; }
.leaflet-interactive:focus { outline: 3px solid #000; stroke-width: 4; }
a { color: #003f8c; }
@media print { .leaflet-control { display: none; } }
"""


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


def empty_map(bounds: tuple[float, float, float, float], *, many: bool) -> folium.Map:
    """Return a map with no tiles and no outside files.

    Parameters
    ----------
    bounds
        West, south, east, north in degrees.
    many
        Whether to draw on a canvas (thousands of shapes) instead of SVG.
    """
    west, south, east, north = bounds
    made = folium.Map(tiles=None, control_scale=True, prefer_canvas=many, zoom_snap=0.25)
    made.default_js, made.default_css = [], []
    made.fit_bounds([[south, west], [north, east]])
    return made


def _number(element: Any) -> None:
    """Name the map's parts in order: folium's random names would change every byte."""
    waiting, count = [element.get_root()], 0
    while waiting:
        part = waiting.pop(0)
        part._id = f"{count:04d}"
        count += 1
        waiting += list(part._children.values())


def render(made: folium.Map, *, title: str, intro: str, legend: str, footer: str, body: str) -> str:
    """Return the finished page.

    Parameters
    ----------
    made
        The map with its layers.
    title, intro
        Plain text: page title and the paragraph under it.
    legend, footer, body
        HTML made by this package: legend items, attribution, scripts after the map.
    """
    _number(made)
    root = made.get_root()
    script, style = _leaflet()
    root.header.add_child(
        Element(
            f"<title>{html.escape(title)}</title><style>{style}</style><script>{script}</script>"
        ),
        name="leaflet",
        index=0,
    )
    root.header.add_child(Element(f"<style>{_STYLE}</style>"), name="page")
    text = root.render()
    text = _NO_ZOOM.sub(_VIEWPORT, text)
    text = text.replace("<html>", f'<html lang="{language()}-CA">', 1)
    before = (
        f"<body>{PATTERNS}<header><h1>{html.escape(title)}</h1><p>{html.escape(intro)}</p></header>"
        f'<main aria-label="{html.escape(say("maps.map_label"))}">'
    )
    after = (
        f'<section class="legend" aria-label="{html.escape(say("maps.legend"))}">'
        f"<h2>{html.escape(say('maps.legend'))}</h2><ul>{legend}</ul></section></main>"
        f"<footer>{footer}</footer></body>"
    )
    text = text.replace("<body>", before, 1).replace("</body>", after, 1)
    return text.replace("</html>", f"<script>{body}</script></html>", 1)
