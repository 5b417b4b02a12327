r"""Exact area shares of a made nation: lipgeo beside the usual tools, on the same polygons.

::

    python benchmarks/crosswalk.py --blocks 492768 --areas 90
    python benchmarks/crosswalk.py --blocks 30000 --tools lipgeo,tobler
    python benchmarks/crosswalk.py --level DB --tools "lipgeo flat,tobler,sedonadb"
    python benchmarks/crosswalk.py --level DB --tools "lipgeo flat,tobler,sedonadb" \
        --blocks 30000,60000,120000 --limit 600

Each tool works in a process of its own, frames in memory, and is timed from polygons to shares.
Prints one table: seconds (the best of ``--repeat`` for lipgeo, one run for the others), the
processor's seconds (of all cores: what a shared machine does not blur), the process's peak memory
while it works with the polygons of DB and DA in it, and how far pairs and shares agree with
lipgeo's.
Peers that are not installed, or do not load, are named and left out; with several sizes there is a
table a size and one of how times grow, and a tool that does not end within ``--limit`` seconds is
not asked at larger sizes.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from measuring import forget_peak, peak_bytes

import lipgeo
from lipgeo.census import MemoryCensus

#: tool -> distribution it needs
NEEDS = {
    "lipgeo": "lipgeo",
    "lipgeo flat": "lipgeo",
    "lipgeo people": "lipgeo",
    "tobler": "tobler",
    "maup": "maup",
    "geopandas": "geopandas",
    "strtree": "shapely",
    "sedonadb": "sedonadb",
    "duckdb": "duckdb",
}
#: the shares as SQL; the peers that are data bases work it on all cores
SHARES = """
    SELECT u.i, t.j, ST_Area(ST_Intersection(u.geometry, t.geometry)) AS common
    FROM u JOIN t ON ST_Intersects(u.geometry, t.geometry)
"""
#: Rows SedonaDB joins at a time, and rows of the table it is handed. It copies the area to every
#: pair, and at its usual 8,192 rows outlines of 46,000 vertices overflow; so it is also faster.
SEDONA_ROWS = 512
#: pairs below this share are slivers that tools keep or drop as they please
SLIVER = 1e-9


def made(blocks: int, areas: int, seed: int) -> tuple[lipgeo.Census, gpd.GeoDataFrame]:
    """Make the nation and its areas."""
    census = lipgeo.synthetic.census(blocks=blocks, seed=seed)
    drawn = lipgeo.synthetic.service_areas(census, count=areas, seed=seed)
    levels = ("DB", "DA")
    frames = {level: census.data.attributes(level) for level in levels}
    polygons = {level: census.data.geometry(level) for level in levels}
    return lipgeo.Census(MemoryCensus(census.vintage, frames, polygons, census.data.meta)), drawn


def ours(census: lipgeo.Census, areas: gpd.GeoDataFrame, repeat: int, tool: str, level: str):
    """Time lipgeo; the shares come as a frame of ``source, target, share``.

    Flat zones have no hierarchy; making them is in their time.
    """
    targets = lipgeo.ServiceAreas.from_frame(areas, id="area_id")
    zones = source = census.zones(level)
    weight = "population" if tool.endswith("people") else "area"
    ids, polygons = zones.ids, zones.geometry
    spent, busy = [], []
    for _ in range(repeat):
        start, at = time.perf_counter(), time.process_time()
        if tool.endswith("flat"):
            source = lipgeo.Zones(ids, polygons, zones.crs)
        crosswalk = lipgeo.build_crosswalk(source, targets, weight=weight)
        spent.append(time.perf_counter() - start)
        busy.append(time.process_time() - at)
    frame = crosswalk.frame
    return (min(spent), min(busy)), frame["source_id"], frame["target_id"], frame["area_share"]


def theirs(census: lipgeo.Census, areas: gpd.GeoDataFrame, tool: str, level: str):
    """Time a peer. It gets polygons that are all valid: repairing them is not in its time."""
    zones = census.zones(level)
    kept = ~shapely.is_missing(zones.geometry)
    polygons = zones.geometry[kept].copy()
    wrong = ~shapely.is_valid(polygons)
    polygons[wrong] = shapely.make_valid(polygons[wrong], method="structure")
    source = gpd.GeoDataFrame({"source": zones.ids[kept]}, geometry=polygons, crs=zones.crs)
    outlines = lipgeo.ServiceAreas.from_frame(areas, id="area_id").frame.geometry.to_numpy()
    target = gpd.GeoDataFrame(
        {"target": areas["area_id"].to_numpy()}, geometry=outlines, crs=zones.crs
    )
    start, at = time.perf_counter(), time.process_time()
    if tool == "tobler":
        # the table its public functions share out by; they add the variables to it
        from tobler.area_weighted.area_interpolate import _area_tables_binning

        table = _area_tables_binning(source, target, "auto").tocoo()
        i, j, common = table.row, table.col, table.data
    elif tool == "maup":
        import maup

        cut = maup.intersections(source, target, area_cutoff=0)
        pairs = cut.index.to_frame(index=False)
        i, j, common = pairs["source"], pairs["target"], cut.area
    elif tool == "geopandas":
        cut = gpd.overlay(source, target, keep_geom_type=True)
        i = pd.Index(source["source"]).get_indexer(cut["source"])
        j = pd.Index(target["target"]).get_indexer(cut["target"])
        common = cut.area
    elif tool == "sedonadb":
        pairs = in_sedonadb(source, target)
        i, j, common = pairs["i"].to_numpy(), pairs["j"].to_numpy(), pairs["common"]
    elif tool == "duckdb":
        pairs = in_duckdb(source, target)
        i, j, common = pairs["i"].to_numpy(), pairs["j"].to_numpy(), pairs["common"]
    else:
        j, i = shapely.STRtree(polygons).query(outlines, predicate="intersects")
        common = shapely.area(shapely.intersection(polygons[i], outlines[j]))
    share = np.asarray(common) / shapely.area(polygons)[i]
    spent = time.perf_counter() - start, time.process_time() - at
    return spent, source["source"].to_numpy()[i], target["target"].to_numpy()[j], share


def in_sedonadb(source: gpd.GeoDataFrame, target: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return pairs of positions and the area in common, by SedonaDB."""
    import pyarrow as pa
    import sedonadb

    session = sedonadb.connect()
    session.sql(f"SET datafusion.execution.batch_size = {SEDONA_ROWS}").execute()
    for name, column, frame in (("u", "i", source), ("t", "j", target)):
        numbered = frame[["geometry"]].assign(**{column: np.arange(len(frame))})
        table = pa.table(numbered.to_arrow(index=False, geometry_encoding="WKB"))
        batches = table.to_batches(max_chunksize=SEDONA_ROWS)
        session.create_data_frame(pa.Table.from_batches(batches)).to_view(name)
    return session.sql(SHARES).to_pandas()


def in_duckdb(source: gpd.GeoDataFrame, target: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return pairs of positions and the area in common, by DuckDB's spatial extension."""
    import duckdb

    session = duckdb.connect()
    try:
        session.execute("LOAD spatial")
    except duckdb.Error as err:
        raise UnavailableError(str(err).splitlines()[0]) from err
    for name, column, frame in (("u", "i", source), ("t", "j", target)):
        wkb = pd.DataFrame({column: np.arange(len(frame)), "wkb": frame.geometry.to_wkb()})
        session.register(f"{name}_wkb", wkb)
        session.execute(
            f"CREATE TABLE {name} AS "
            f"SELECT {column}, ST_GeomFromWKB(wkb) AS geometry FROM {name}_wkb"
        )
    return session.sql(SHARES).df()


class UnavailableError(Exception):
    """A peer is installed and cannot be used here."""


def work(folder: Path, tool: str, repeat: int, level: str) -> None:
    """Run one tool in this process; leave its shares and print its figures."""
    census, areas = pickle.loads((folder / "nation").read_bytes())
    forget_peak()
    try:
        result = (
            ours(census, areas, repeat, tool, level)
            if tool.startswith("lipgeo")
            else theirs(census, areas, tool, level)
        )
    except UnavailableError as err:
        print(json.dumps({"unavailable": type(err).__name__}))
        return
    peak = peak_bytes()
    (spent, busy), source, target, share = result
    found = pd.DataFrame({"source": source, "target": target, "share": np.asarray(share)})
    found.groupby(["source", "target"], as_index=False).sum().to_pickle(folder / tool)
    print(json.dumps({"seconds": spent, "cpu": busy, "peak_gb": peak / 1e9}))


def main() -> None:
    """Make the nation, run the tools, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", default="492768", help="one size, or several with commas")
    parser.add_argument("--limit", type=float, help="seconds a tool may take, loading included")
    parser.add_argument("--areas", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--tools", default=",".join(NEEDS))
    parser.add_argument("--level", choices=("DA", "DB"), default="DA")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(Path(options.work[0]), options.work[1], options.repeat, options.level)
        return
    tools = ["lipgeo", *(tool for tool in options.tools.split(",") if tool != "lipgeo")]
    grown: dict[str, dict[int, dict[str, float]]] = {"seconds": {}, "processor's seconds": {}}
    sizes = [int(size) for size in options.blocks.split(",")]
    for blocks in sizes:
        *both, late = measure(options, tools, blocks)
        for kind, spent in zip(grown, both, strict=True):
            grown[kind][blocks] = spent
        tools = [tool for tool in tools if tool not in late]
    if len(sizes) > 1:
        for kind, by_size in grown.items():
            print_growth(kind, by_size)


def measure(
    options: argparse.Namespace, tools: list[str], blocks: int
) -> tuple[dict[str, float], dict[str, float], set[str]]:
    """Run the tools on one nation and print its table.

    Returns seconds and processor's seconds by tool, and the tools that did not end.
    """
    late: set[str] = set()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        census, areas = made(blocks, options.areas, options.seed)
        (folder / "nation").write_bytes(pickle.dumps((census, areas), protocol=5))
        vertices = shapely.get_num_coordinates(census.data.geometry(options.level)).sum()
        print(
            f"{census!r}\n{len(areas)} areas of {areas.get_coordinates().shape[0]:,} vertices over "
            f"{vertices:,} of the {options.level}s; {os.cpu_count()} cores, "
            f"Python {platform.python_version()}\n"
        )
        print(f"{'tool':14}{'version':>9}{'seconds':>9}{'times':>7}{'cpu s':>8}{'GB':>6}"
              f"{'pairs':>9}{'same pairs':>12}{'largest difference':>20}")  # fmt: skip
        spent: dict[str, float] = {}
        busy: dict[str, float] = {}
        reference = None
        for tool in tools:
            if find_spec(NEEDS[tool]) is None:
                print(f"{tool:14} not installed")
                continue
            command = [sys.executable, __file__, "--work", place, tool]
            command += ["--repeat", str(options.repeat), "--level", options.level]
            try:
                done = subprocess.run(
                    command, check=True, capture_output=True, text=True, timeout=options.limit
                )
            except subprocess.TimeoutExpired:
                late.add(tool)
                print(f"{tool:14}{metadata.version(NEEDS[tool]):>9} not within "
                      f"{options.limit:.0f} s", flush=True)  # fmt: skip
                continue
            except subprocess.CalledProcessError as err:
                late.add(tool)
                reason = (err.stderr.strip().splitlines() or [f"status {err.returncode}"])[-1]
                print(f"{tool:14}{metadata.version(NEEDS[tool]):>9} fails: {reason[:100]}",
                      flush=True)  # fmt: skip
                continue
            figures = json.loads(done.stdout.splitlines()[-1])
            if "unavailable" in figures:
                print(f"{tool:14}{metadata.version(NEEDS[tool]):>9} does not load: "
                      f"{figures['unavailable']}", flush=True)  # fmt: skip
                continue
            found = pd.read_pickle(folder / tool).set_index(["source", "target"])["share"]
            found = found[found > SLIVER]
            reference = found if reference is None else reference
            spent[tool], busy[tool] = figures["seconds"], figures["cpu"]
            one, two = reference.align(found)
            same = float((one.notna() & two.notna()).mean())
            largest = float((one.fillna(0) - two.fillna(0)).abs().max())
            print(
                f"{tool:14}{metadata.version(NEEDS[tool]):>9}{figures['seconds']:9.2f}"
                f"{spent[tool] / spent['lipgeo']:7.1f}{figures['cpu']:8.1f}"
                f"{figures['peak_gb']:6.1f}{len(found):9,}{same:12.2%}{largest:20.1e}",
                flush=True,
            )
        print_ratios(spent)
    return spent, busy, late


def print_growth(kind: str, grown: dict[int, dict[str, float]]) -> None:
    """Print each peer's time over those of flat zones and of census zones, size by size."""
    peers = [tool for tool in NEEDS if not tool.startswith("lipgeo")]
    peers = [tool for tool in peers if any(tool in spent for spent in grown.values())]
    print(f"\n{kind} over lipgeo's, by number of blocks")
    print(f"{'':30}" + "".join(f"{blocks:>10,}" for blocks in grown))
    for ours in ("lipgeo flat", "lipgeo"):
        for peer in peers:
            cells = [
                f"{spent[peer] / spent[ours]:10.1f}" if {peer, ours} <= set(spent) else f"{'-':>10}"
                for spent in grown.values()
            ]
            print(f"{peer + ' over ' + ours:30}" + "".join(cells))


def print_ratios(spent: dict[str, float]) -> None:
    """Print the ratios that are promised, as far as their tools ran."""
    peers = {tool: seconds for tool, seconds in spent.items() if not tool.startswith("lipgeo")}
    if peers:
        best = min(peers, key=lambda tool: peers[tool])
        print(f"\nbest peer: {best}, {peers[best]:.1f} s")
        for tool, name in (("lipgeo", "census zones"), ("lipgeo flat", "flat zones, made")):
            if tool in spent:
                ratios = (f"{peers[one] / spent[tool]:.1f} times {one}" for one in peers)
            print(f"{name}: {', '.join(ratios)}")
    if "lipgeo people" in spent:
        ratio = spent["lipgeo people"] / spent["lipgeo"]
        print(f"shares by people take {ratio:.2f} times what shares by area take")


if __name__ == "__main__":
    main()
