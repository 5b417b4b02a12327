"""Where areas lie, as a drawing: outlines that may be shown, else a point each.

A union of municipalities, metropolitan areas or provinces is public ground. What is made of
smaller units gives a member's own line away, so it is drawn for the public only where the
workbook's column *outline* allows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import shapely

from lipgeo.census.census import Census
from lipgeo.geography.hierarchy import levels

__all__ = ["ALLOWED", "Place", "places_of"]

Key = tuple[str, str]
#: what allows an outline, in the workbook
ALLOWED = ("x", "yes", "oui", "1", "true", "vrai")
#: width and height of the drawing, and what is left free around it
MAP = (800.0, 500.0)
_MARGIN = 30.0
#: outlines under this many points of the drawing are shown as a point too
_SMALLEST = 12.0
#: what may be lost of an outline, as a part of the drawing's width
_DETAIL = 1 / 500


@dataclass(frozen=True)
class Place:
    """One area on the map.

    Attributes
    ----------
    key
        Area and definition.
    x, y
        Its middle, as written in the drawing.
    path
        Its outline, empty where it has none that may be shown.
    point
        Whether a point is drawn.
    """

    key: Key
    x: str
    y: str
    path: str = ""
    point: bool = True


def places_of(
    areas: pd.DataFrame, units: pd.DataFrame, census: Census | None, *, public: bool
) -> list[Place]:
    """Return the places of areas, the largest first: what lies in another is drawn over it.

    Parameters
    ----------
    areas
        The areas to show.
    units
        What they are made of.
    census
        Where units lie; without it there is no map.
    public
        Whether outlines need to be allowed.
    """
    if census is None:
        return []
    mine = units[units["vintage"].astype(str).eq(str(census.vintage))]
    by_area = dict(list(mine.groupby(["area_id", "definition"], sort=False)))
    middles: dict[Key, tuple[float, float]] = {}
    shown: dict[Key, pd.DataFrame] = {}
    for area in areas.to_dict("records"):
        key = (str(area["area_id"]), str(area["definition"]))
        own = by_area.get(key)
        middle = None if own is None else _middle(census, own)
        if own is None or middle is None:
            continue
        middles[key] = middle
        if not public or _may_show(area, set(own["level"]), census.vintage):
            shown[key] = own
    shapes = _shapes(census, shown)
    return _on_paper(middles, shapes)


def _may_show(area: Mapping[str, Any], held: set[str], vintage: int) -> bool:
    fine_to_coarse = levels(vintage)
    public = set(fine_to_coarse[fine_to_coarse.index("CSD") :])
    return held <= public or str(area["outline"]).strip().casefold() in ALLOWED


def _middle(census: Census, own: pd.DataFrame) -> tuple[float, float] | None:
    """Return the middle of the units of an area, each unit alike."""
    parts = [
        census.units(str(level)).reindex(of["unit_id"])[["x", "y"]]
        for level, of in own.groupby("level")
        if str(level) in census.levels
    ]
    places = pd.concat(parts).dropna() if parts else pd.DataFrame()
    return (places["x"].mean(), places["y"].mean()) if len(places) else None


def _shapes(census: Census, shown: Mapping[Key, pd.DataFrame]) -> dict[Key, Any]:
    """Return the outline of each area, with as many points as the drawing can show."""
    if not shown:
        return {}
    # a site without a map does not wait for what draws maps
    from lipgeo.maps.display import has_shape, light

    whole = pd.concat([own[["level", "unit_id"]] for own in shown.values()]).drop_duplicates()
    found: dict[tuple[str, str], Any] = {}
    for level, of in whole.groupby("level"):
        if str(level) not in census.levels:
            continue
        rows = census.find_rows(str(level), list(of["unit_id"]))
        there = rows >= 0
        geometry = census.zones(str(level)).geometry[rows[there]]
        held = has_shape(geometry)
        names = of["unit_id"].to_numpy()[there][held]
        found |= {(str(level), name): one for name, one in zip(names, geometry[held], strict=True)}
    if not found:
        return {}
    named = list(found)
    given = np.array(list(found.values()), dtype=object)
    bounds = shapely.total_bounds(given)
    detail = max(bounds[2] - bounds[0], bounds[3] - bounds[1]) * _DETAIL
    simple = dict(zip(named, light(given, detail), strict=True))
    outlines = {}
    for key, own in shown.items():
        parts = [
            simple.get((level, unit))
            for level, unit in zip(own["level"], own["unit_id"], strict=True)
        ]
        if all(part is not None for part in parts):
            outlines[key] = shapely.union_all(np.array(parts, dtype=object))
    return outlines


def _on_paper(middles: Mapping[Key, tuple[float, float]], shapes: Mapping[Key, Any]) -> list[Place]:
    if not middles:
        return []
    points = np.array(list(middles.values()))
    boxes = [shapely.bounds(one) for one in shapes.values()]
    corners = np.vstack([points, *(np.reshape(box, (2, 2)) for box in boxes)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    room = np.array(MAP) - 2 * _MARGIN
    # one scale for both axes; a single point stands in the middle
    scale = float(np.min(room / np.maximum(high - low, 1.0)))
    middle = (low + high) / 2

    def put(given: Any) -> Any:
        moved = (np.asarray(given) - middle) * scale * [1, -1]
        return moved + np.array(MAP) / 2

    places = []
    for key, point in middles.items():
        x, y = put([point])[0]
        place = Place(key, f"{x:.1f}", f"{y:.1f}")
        if key in shapes:
            outline = shapely.transform(shapes[key], put)
            wide, high_ = (outline.bounds[2] - outline.bounds[0],
                           outline.bounds[3] - outline.bounds[1])  # fmt: skip
            small = max(wide, high_) < _SMALLEST
            place = replace(place, path=_path(outline), point=small)
        places.append(place)
    sizes = {key: shapely.area(shape) for key, shape in shapes.items()}
    return sorted(places, key=lambda one: (-sizes.get(one.key, 0.0), one.key))


def _path(shape: Any) -> str:
    rings = []
    for part in shapely.get_parts(shape):
        if part.geom_type != "Polygon":
            continue
        for ring in (part.exterior, *part.interiors):
            points = [f"{x:.1f} {y:.1f}" for x, y in ring.coords[:-1]]
            # a ring that is a dot in the drawing is left out
            points = [one for at, one in enumerate(points) if at == 0 or one != points[at - 1]]
            if len(points) > 2:
                rings.append(f"M{'L'.join(points)}Z")
    return "".join(rings)
