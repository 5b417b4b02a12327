"""Dissolving census units into areas: lipgeo beside the usual ways, on the same polygons.

::

    python benchmarks/dissolve.py --blocks 492768
    python benchmarks/dissolve.py --blocks 60000

Areas are rows of neighbouring dissemination areas of a made nation, of sizes up to ``--largest``,
and ninety of them together. Prints seconds (the best of ``--repeat``; checks of validity are in
lipgeo's time and in nobody else's), how many times as long the others take, whether the result is
valid, and how far its area is from the general union's. Then units that are no coverage, where the
fast way of others goes wrong: one unit overlaps its neighbours.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from lipgeo import synthetic
from lipgeo.zones.dissolve import dissolve

WAYS = ("lipgeo", "union_all", "coverage_union_all", "geopandas dissolve", "geopandas coverage")


def joined(way: str, shapes: np.ndarray, area: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Return the union of each area's units by one of the ways."""
    count = int(area.max()) + 1
    if way == "lipgeo":
        return dissolve(shapes, area, unit, count).geometry
    if way.startswith("geopandas"):
        frame = gpd.GeoDataFrame({"area": area}, geometry=shapes[unit], crs=3347)
        method = "coverage" if way.endswith("coverage") else "unary"
        return frame.dissolve("area", method=method).geometry.to_numpy()
    ends = np.searchsorted(area, np.arange(count + 1))
    union = getattr(shapely, way)
    return np.array([union(shapes[unit[ends[k] : ends[k + 1]]]) for k in range(count)])


def timed(work: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Return the shortest of some runs, and what the last gave."""
    spent = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        spent.append(time.perf_counter() - start)
    return min(spent), result


def compare(
    title: str,
    shapes: np.ndarray,
    area: np.ndarray,
    unit: np.ndarray,
    repeat: int,
    ways: tuple[str, ...] = WAYS,
) -> None:
    """Print one line a way."""
    base, truth = 0.0, None
    for way in ways:
        seconds, made = timed(lambda: joined(way, shapes, area, unit), repeat)  # noqa: B023
        base = base or seconds
        if way == "lipgeo":
            ours = made
            continue
        truth = shapely.area(made) if truth is None else truth
        if way == "union_all":
            line(title, "lipgeo", base, 1.0, ours, truth)
        line(title, way, seconds, seconds / base, made, truth)


def line(
    title: str, way: str, seconds: float, times: float, made: np.ndarray, truth: np.ndarray
) -> None:
    """Print one result."""
    off = float(np.max(np.abs(shapely.area(made) - truth) / truth))
    valid = "yes" if shapely.is_valid(made).all() else "NO"
    print(f"{title:26}{way:20}{seconds:9.3f}{times:7.1f}{valid:>7}{off:12.1e}", flush=True)


def main() -> None:
    """Make the nation, dissolve, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=60_000)
    parser.add_argument("--areas", type=int, default=90)
    parser.add_argument("--largest", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    census = synthetic.census(blocks=asked.blocks, seed=asked.seed)
    shapes = census.data.geometry("DA")
    shapes = shapes[~shapely.is_missing(shapes)]
    shapes = shapes[shapely.is_valid(shapes)]
    largest = min(asked.largest, len(shapes))
    print(
        f"{len(shapes):,} dissemination areas of {shapely.get_num_coordinates(shapes).sum():,} "
        f"vertices; {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, "
        f"shapely {shapely.__version__}, GEOS {shapely.geos_version_string}\n"
    )
    print(f"{'units':26}{'way':20}{'seconds':>9}{'times':>7}{'valid':>7}{'area off':>12}")
    random = np.random.default_rng(asked.seed)
    for size in sorted({min(size, largest) for size in (100, 1_000, 5_000, largest)}):
        first = int(random.integers(0, len(shapes) - size + 1))
        unit = np.arange(first, first + size)
        compare(f"{size:,}", shapes, np.zeros(size, dtype=np.int64), unit, asked.repeat)
    sizes = np.geomspace(20, largest, asked.areas).astype(int)
    firsts = random.integers(0, len(shapes) - sizes + 1)
    area = np.repeat(np.arange(asked.areas), sizes)
    unit = np.concatenate([np.arange(f, f + s) for f, s in zip(firsts, sizes, strict=True)])
    # geopandas unites as shapely does: minutes for what is known
    compare(f"{len(unit):,} in {asked.areas} areas", shapes, area, unit, 1, WAYS[:3])

    # one unit is moved over its neighbour
    size = min(1_000, largest)
    wrong = shapes[:size].copy()
    moved = size // 2
    wrong[moved] = shapely.transform(wrong[moved], lambda points: points + 25.0)
    print()
    unit = np.arange(size)
    compare(f"{size:,}, one out of place", wrong, unit * 0, unit, 1)
    faults = dissolve(wrong, unit * 0, unit, 1).faults
    print(f"lipgeo names units {faults['unit'].tolist()} at fault; {moved} was moved")


if __name__ == "__main__":
    main()
