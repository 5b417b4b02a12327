"""Draw docs/_static/placement.svg: a cut block among its neighbours, by surface and by density.

Run from the checkout::

    python docs/make_placement.py

Everything in it is of a made census; the numbers are what the library gives and what is true there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely

import lipgeo
from lipgeo import synthetic

HERE = Path(__file__).resolve().parent
#: size of the picture, and metres around the block that are shown, in widths of the block
WIDTH, REACH = 420, 3.0
#: colours from nobody to many, of the outline and of the cut block
SHADES = ["#f7f7f2", "#e3eadb", "#c5dabd", "#9cc49b", "#6aa878", "#3f8a5c", "#1f6b44"]
OUTLINE, CUT = "#b3261e", "#1a3d8f"


def path_of(shape: shapely.Geometry, west: float, north: float, scale: float) -> str:
    """Return a polygon as a path, in pixels."""
    rings = []
    for part in shapely.get_parts(shape):
        for ring in (part.exterior, *part.interiors):
            points = shapely.get_coordinates(ring)
            pixels = np.column_stack([(points[:, 0] - west), (north - points[:, 1])]) * scale
            rings.append("M" + " ".join(f"{x:.0f},{y:.0f}" for x, y in pixels) + "Z")
    return "".join(rings)


def draw() -> str:
    """Return the picture."""
    census = synthetic.census(3_000, seed=3, settled=True)
    people = synthetic.people(census)
    drawn = synthetic.service_areas(census, 10, seed=2, kind="streets")
    areas = lipgeo.ServiceAreas.from_frame(drawn[drawn.geometry.area > 0], id="area_id")
    units = census.units("DB")
    shapes = dict(zip(units.index, census.data.geometry("DB"), strict=True))
    shares = {
        placement: lipgeo.build_crosswalk(
            census.zones("DB"), areas, weight="population", placement=placement
        ).frame.set_index(["source_id", "target_id"])["share"]
        for placement in ("surface", "density")
    }
    outlines = areas.frame.geometry.to_crs(3347)
    held = units["population"].fillna(0)

    # the block that shows it best: many people, cut near the middle, and told most by density
    both = shares["surface"].to_frame("surface").join(shares["density"].rename("density"))
    both = both[both["surface"].between(0.3, 0.7)]
    both["people"] = held.reindex(both.index.get_level_values(0)).to_numpy()
    moved = (both["density"] - both["surface"]).clip(lower=0) * both["people"]
    block, area = moved.sort_values(kind="stable").index[-1]
    shape, outline = shapes[block], outlines[area]
    inside = people.within(shapely.intersection(shape, outline))
    true = int(people.counts["population"].to_numpy()[inside].sum())
    told = {name: one[block, area] * held[block] for name, one in shares.items()}

    # the ground around it, shaded by people per square kilometre
    west, south, east, north = shape.bounds
    half = REACH * max(east - west, north - south) / 2
    middle = shape.centroid
    west, north = middle.x - half, middle.y + half
    frame = shapely.box(west, middle.y - half, middle.x + half, north)
    scale = WIDTH / (2 * half)
    rows = []
    for unit, one in shapes.items():
        if one is None or not one.intersects(frame):
            continue
        dense = held[unit] / one.area * 1e6
        shade = SHADES[int(np.clip(np.log2(dense / 8 + 1), 0, len(SHADES) - 1))]
        seen = path_of(one.intersection(frame), west, north, scale)
        rows.append(f'<path d="{seen}" fill="{shade}" stroke="#8b8f86" stroke-width="0.7"/>')
    border = shapely.get_parts(shapely.intersection(outline.boundary, frame))
    for line in shapely.get_parts(shapely.line_merge(shapely.multilinestrings(border))):
        points = shapely.get_coordinates(line)
        pixels = np.column_stack([points[:, 0] - west, north - points[:, 1]]) * scale
        way = " ".join(f"{x:.0f},{y:.0f}" for x, y in pixels)
        rows.append(
            f'<polyline points="{way}" fill="none" stroke="{OUTLINE}" stroke-width="3" '
            'stroke-dasharray="7 3"/>'
        )
    cut = path_of(shape, west, north, scale)
    rows.append(f'<path d="{cut}" fill="none" stroke="{CUT}" stroke-width="2.5"/>')
    text = [
        f"cut block / îlot coupé: {held[block]:,.0f}",
        f"inside, by surface / selon la surface: {told['surface']:,.0f}",
        f"inside, by density / selon la densité: {told['density']:,.0f}",
        f"inside, in truth / en vérité: {true:,}",
    ]
    words = "".join(
        f'<text x="10" y="{WIDTH + 22 + 19 * at}">{one}</text>' for at, one in enumerate(text)
    )
    height = WIDTH + 22 + 19 * len(text)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="14"><title>{text[0]}</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>' + "".join(rows) + words
        + "</svg>\n"
    )  # fmt: skip


if __name__ == "__main__":
    (HERE / "_static" / "placement.svg").write_text(draw(), encoding="utf-8")
