"""One area in memory while the country around it grows: the outline costs, not the country.

::

    python benchmarks/growth.py --blocks 492768
    python benchmarks/growth.py --blocks 60000 --areas 30

Makes a nation and its areas once, and cuts a sixteenth and a quarter out of it: the census
subdivisions nearest to one place. The areas that lie wholly in the sixteenth lie wholly in all
three, with the same units, so only what is around them differs. Prints the median over up to
``--singles`` of them of the time from census to crosswalk of one area, and how it grows.
``benchmarks/store.py`` prints the same from disk.
"""

from __future__ import annotations

import argparse
import statistics
import time

import geopandas as gpd
import numpy as np
import shapely

import lipgeo
from lipgeo.census import MemoryCensus

PARTS = (16, 4, 1)
LEVELS = ("DB", "DA")


def parts_of(nation: lipgeo.Census, areas: gpd.GeoDataFrame) -> dict[int, lipgeo.Census]:
    """Cut parts out of a nation, round the place where areas stand closest together."""
    blocks = nation.data.attributes("DB", ["CSD", "x", "y"])
    places = blocks.groupby("CSD")[["x", "y"]].median()
    centres = shapely.get_coordinates(shapely.centroid(areas.geometry.to_numpy()))
    away = np.sort(np.hypot(*(centres[:, None] - centres).T), axis=1)
    middle = centres[np.argmin(away[:, min(12, len(centres) - 1)])]
    near = places.index[np.argsort(np.hypot(*(places.to_numpy() - middle).T))]
    held = blocks["CSD"].value_counts().reindex(near).cumsum().to_numpy()
    made = {}
    for part in PARTS:
        kept = near[: int(np.searchsorted(held, len(blocks) / part)) + 1]
        frames, polygons = {}, {}
        for level in LEVELS:
            frame = nation.data.attributes(level)
            rows = np.flatnonzero(frame["CSD"].isin(kept))
            frames[level], polygons[level] = frame.iloc[rows], nation.data.geometry(level, rows)
        made[part] = lipgeo.Census(MemoryCensus(nation.vintage, frames, polygons))
    return made


def main() -> None:
    """Make the nation, cut it, time the areas all parts have in common."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=492_768)
    parser.add_argument("--areas", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--singles", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    nation = lipgeo.synthetic.census(blocks=options.blocks, seed=options.seed)
    drawn = lipgeo.synthetic.service_areas(nation, count=options.areas, seed=options.seed)
    areas = lipgeo.ServiceAreas.from_frame(drawn, id="area_id")
    parts = parts_of(nation, areas.frame)
    # an area lies wholly in a part where its units cover as much of it as the nation's do
    coverage = {
        part: lipgeo.build_crosswalk(parts[part].zones("DA"), areas).quality.set_index("target_id")[
            "coverage"
        ]
        for part in (PARTS[0], 1)
    }
    same = np.isclose(coverage[PARTS[0]], coverage[1], rtol=0, atol=1e-12) & (coverage[1] > 0.5)
    common = coverage[1].index[same][: options.singles]
    if not len(common):
        print("no area lies wholly in the smallest part: take more blocks")
        return
    print(f"{'weight':>12}{'part':>8}{'blocks':>10}{'areas':>7}{'ms':>9}{'growth':>8}")
    for weight in ("area", "population"):
        times: dict[int, list[float]] = {part: [] for part in PARTS}
        for area in common:
            one = areas.select([area])
            spent: dict[int, list[float]] = {part: [] for part in PARTS}
            frames = {}
            for _ in range(options.repeat):
                for part in PARTS:
                    began = time.perf_counter()
                    made = lipgeo.build_crosswalk(parts[part].zones("DA"), one, weight=weight)
                    frames[part] = made.frame
                    spent[part].append(time.perf_counter() - began)
            assert all(frame.equals(frames[1]) for frame in frames.values()), area
            for part in PARTS:
                times[part].append(min(spent[part]))
        middle = {part: statistics.median(times[part]) for part in PARTS}
        for part in PARTS:
            count = parts[part].data.group_boxes("DB")[0][-1]
            print(
                f"{weight:>12}{f'1/{part}':>8}{count:>10,}{len(common):>7}"
                f"{1000 * middle[part]:9.1f}{middle[part] / middle[PARTS[0]]:8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
