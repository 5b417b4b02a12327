"""Make shapes light for the eye, and say how each thing on a map looks.

Light shapes are for pictures only, never for shares or areas. One table of styles serves the page
and the paper.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.arrays import Shapes

__all__ = [
    "CLASSES",
    "NO_VALUE",
    "PATTERNS",
    "STYLES",
    "TINTS",
    "Pattern",
    "Style",
    "class_style",
    "detail_for",
    "geojson",
    "light",
    "pieces",
    "swatch",
    "thin",
    "tints_of",
    "unions",
]

Pattern = Literal["cut", "out", "none", "flag"]


@dataclass(frozen=True)
class Style:
    """One way to draw a shape.

    Attributes
    ----------
    line, width, dash
        Outline: colour, pixels, and dashes as pixels on and off (none: unbroken).
    fill, opacity
        Colour of the inside, ``None`` for none.
    pattern
        Strokes or dots over the fill, by which the shape is known without colour.
    """

    line: str
    width: float
    dash: tuple[int, ...] = ()
    fill: str | None = None
    opacity: float = 1.0
    pattern: Pattern | None = None

    def leaflet(self) -> dict[str, Any]:
        """Return the options of a Leaflet path."""
        options: dict[str, Any] = {"color": self.line, "weight": self.width}
        if self.dash:
            options["dashArray"] = " ".join(map(str, self.dash))
        if self.pattern:
            return {**options, "fillColor": f"url(#{self.pattern})", "fillOpacity": 1}
        if self.fill is None:
            return {**options, "fill": False}
        return {**options, "fillColor": self.fill, "fillOpacity": self.opacity}

    def paper(self) -> dict[str, Any]:
        """Return the keywords of a matplotlib collection of patches."""
        width = 0.6 * self.width
        # matplotlib counts dashes in widths of the line
        dash = (0, tuple(0.7 * pixels / width for pixels in self.dash))
        return {
            "edgecolor": self.line,
            "linewidth": width,
            "linestyle": dash if self.dash else "solid",
            "facecolor": (self.fill, self.opacity) if self.fill else "none",
            "hatch": _HATCHES.get(self.pattern or ""),
        }


_HATCHES = {"cut": "////", "out": "....", "none": "xxxx", "flag": "\\\\\\\\"}

#: blue, orange and grey that colour-blind people tell apart; dash and pattern say it again
STYLES = {
    "context": Style("#6b6b6b", 1.2),
    "inside": Style("#1b4f72", 0.6, fill="#0072B2", opacity=0.35),
    "straddling": Style("#7A5200", 0.8, fill="#E69F00", opacity=0.35, pattern="cut"),
    "omitted": Style("#444444", 0.8, dash=(2, 3), fill="#FFFFFF", opacity=0.6, pattern="out"),
    "ground": Style("#555555", 1.0, fill="#f2f2f2", opacity=0.9),
    "circles": Style("#08306b", 1.0, fill="#2c7fb8", opacity=0.65),
    "flagged": Style("#000000", 1.0, pattern="flag"),
    "union": Style("#08306b", 2.4),
    "drawn": Style("#D55E00", 2.2, dash=(8, 5)),
}
#: where a value is suppressed or not known
NO_VALUE = Style("#555555", 1.0, fill="#FFFFFF", opacity=1.0, pattern="none")

#: fills by which neighbouring areas are told apart; colour-blind people tell them apart too
TINTS = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#7B5EA7", "#A6A832")

#: light to dark: the order is read without seeing the hue (ColorBrewer YlGnBu)
CLASSES = ("#ffffcc", "#a1dab4", "#41b6c4", "#2c7fb8", "#253494")

#: the strokes and dots of :class:`Style` as SVG
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
<pattern id="flag" width="9" height="9" patternUnits="userSpaceOnUse"
patternTransform="rotate(-45)">
<line x1="0" y1="0" x2="0" y2="9" stroke="#FFFFFF" stroke-width="3"/>
<line x1="0" y1="0" x2="0" y2="9" stroke="#000000" stroke-width="1.2"/></pattern>
</defs></svg>
"""


def class_style(position: int, count: int) -> Style:
    """Return the fill of one class of several, the darkest last."""
    last = len(CLASSES) - 1
    colour = CLASSES[round(position * last / max(count - 1, 1))]
    return replace(STYLES["union"], width=1.0, fill=colour, opacity=0.9)


def swatch(style: Style) -> str:
    """Return a legend's picture of a style, as SVG."""
    options = style.leaflet()
    fill = options.get("fillColor", "none")
    return (
        '<svg width="34" height="18" aria-hidden="true"><rect x="2" y="2" width="30" height="14" '
        f'fill="{fill}" fill-opacity="{options.get("fillOpacity", 1)}" stroke="{style.line}" '
        f'stroke-width="{min(style.width + 0.6, 3)}" '
        f'stroke-dasharray="{options.get("dashArray", "none")}"/></svg>'
    )


#: finest detail kept, as a part of the map's width: less is not seen on a screen
_DETAIL = 1 / 4000
#: points beyond which a page grows too heavy to mail
_POINTS = 220_000
#: parts of a piece narrower than this many details are the simplification's, not the land's
_SLIVER = 4.0


def has_shape(shapes: Shapes) -> npt.NDArray[np.bool_]:
    """Return which places hold a shape that can be drawn."""
    return np.asarray(~(pd.isna(shapes) | shapely.is_empty(shapes)), dtype=bool)


def detail_for(bounds: npt.NDArray[np.float64]) -> float:
    """Return the detail, in metres, that a map of these bounds shows."""
    return float(max(bounds[2] - bounds[0], bounds[3] - bounds[1])) * _DETAIL


def light(shapes: Shapes, detail_m: float) -> Shapes:
    """Return shapes with fewer points, shared edges still shared.

    Parameters
    ----------
    shapes
        Polygons in metres; missing ones stay missing.
    detail_m
        Width of what may be lost; doubled until the whole is light enough for a page.
    """
    result = shapes.copy()
    held = has_shape(shapes)
    if not held.any():
        return result
    # areas that share a unit hold its polygon twice: one copy, or the coverage would be none
    wkb, back = np.unique(shapely.to_wkb(shapes[held]), return_inverse=True)
    unique = shapely.from_wkb(wkb)
    broken = ~shapely.is_valid(unique)
    unique[broken] = shapely.make_valid(unique[broken])
    # one pass at about the right detail costs less than several
    detail_m *= max(1.0, int(shapely.get_num_coordinates(unique).sum()) / (1.5 * _POINTS))
    simple = shapely.coverage_simplify(unique, detail_m)
    while int(shapely.get_num_coordinates(simple).sum()) > _POINTS and detail_m < 1e6:
        detail_m *= 2
        simple = shapely.coverage_simplify(simple, detail_m)
    result[held] = simple[back]
    return result


def thin(shapes: Shapes, detail_m: float) -> Shapes:
    """Return outlines with fewer points, each by itself: areas as drawn share no edges."""
    result = shapes.copy()
    held = has_shape(shapes)
    result[held] = shapely.make_valid(shapely.simplify(shapes[held], detail_m / 2))
    return result


def unions(
    light_units: Shapes, owner: npt.NDArray[np.int64], whole: Shapes, detail_m: float
) -> Shapes:
    """Return each area's union out of its lightened units, so that outlines run on their edges.

    Parameters
    ----------
    light_units, owner
        Lightened units and the position of the area of each.
    whole
        The areas' own shapes, lightened where units without polygon leave a union incomplete.
    detail_m
        Width of what may be lost there.
    """
    held = has_shape(light_units)
    complete = np.bincount(owner, ~held, minlength=len(whole)) == 0
    result = whole.copy()
    result[~complete] = light(whole[~complete], detail_m)
    order = np.argsort(owner, kind="stable")
    ends = np.cumsum(np.bincount(owner, minlength=len(whole)))
    for area, members in enumerate(np.split(order, ends[:-1])):
        if complete[area] and len(members):
            result[area] = _union_of(light_units[members])
    return result


def _union_of(units: Shapes) -> Any:
    # the fast union silently gives a wrong shape where the units are no coverage
    if shapely.coverage_is_valid(units):
        return shapely.coverage_union_all(units)
    return shapely.union_all(units)


def pieces(left_out: Shapes, drawn: Shapes, detail_m: float) -> Shapes:
    """Return the part of each unit left out that lies in the area as drawn, pair by pair."""
    held = has_shape(left_out) & has_shape(drawn)
    result = np.full(len(left_out), None, dtype=object)
    units, areas = left_out[held], drawn[held]
    shapely.prepare(areas)
    whole = shapely.covers(areas, units)
    cut = units.copy()
    cut[~whole] = shapely.intersection(units[~whole], areas[~whole])
    # both outlines were lightened apart: where they ran together only threads are left
    kept = shapely.buffer(cut, -detail_m / _SLIVER, quad_segs=1)
    cut[shapely.is_empty(kept)] = None
    result[held] = cut
    return result


def geojson(shapes: Shapes, crs: object, detail_m: float) -> list[str | None]:
    """Return each shape as GeoJSON text in degrees, rounded to less than the detail."""
    degrees = gpd.GeoSeries(shapes, crs=crs).to_crs(4326).to_numpy()
    decimals = int(np.clip(6 - np.floor(np.log10(max(detail_m, 1.0))), 3, 6))
    rounded = shapely.transform(degrees, lambda points: np.round(points, decimals))
    return list(shapely.to_geojson(rounded))


def tints_of(shapes: Shapes) -> npt.NDArray[np.int64]:
    """Return a place in :data:`TINTS` for each area, another than its neighbours' where it can be.

    The area with the most neighbours chooses first, and takes the least used of those free.

    Examples
    --------
    >>> import shapely
    >>> from lipgeo.maps.display import tints_of
    >>> tints_of(shapely.box([0, 1, 2], 0, [1, 2, 3], 1)).tolist()
    [1, 0, 2]
    """
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    apart = one != other
    neighbours = [other[apart & (one == k)] for k in range(len(shapes))]
    tint = np.full(len(shapes), -1, dtype=np.int64)
    used = np.zeros(len(TINTS), dtype=np.int64)
    for k in sorted(range(len(shapes)), key=lambda k: (-len(neighbours[k]), k)):
        taken = np.bincount(tint[neighbours[k]][tint[neighbours[k]] >= 0], minlength=len(TINTS))
        tint[k] = min(range(len(TINTS)), key=lambda c: (taken[c], used[c], c))
        used[tint[k]] += 1
    return tint
