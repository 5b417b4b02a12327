"""How each thing on a map looks, on a page and on paper: one table for both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

__all__ = ["CLASSES", "NO_VALUE", "PATTERNS", "STYLES", "Pattern", "Style", "class_style", "swatch"]

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
    "flagged": Style("#000000", 1.0, pattern="flag"),
    "union": Style("#08306b", 2.4),
    "drawn": Style("#D55E00", 2.2, dash=(8, 5)),
}
#: where a value is suppressed or not known
NO_VALUE = Style("#555555", 1.0, fill="#FFFFFF", opacity=1.0, pattern="none")

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
