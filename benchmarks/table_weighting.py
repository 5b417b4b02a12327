"""A Census Profile too large to hold, brought to areas: lipgeo beside pandas and polars.

::

    python benchmarks/table_weighting.py --units 57936 --characteristics 2631
    python benchmarks/table_weighting.py --units 3000

Makes a table in a store (values and symbols for total, men and women; a share of cells suppressed,
about a third of them zero), and areas over a row of units of which some straddle. Every tool runs
in a process of its own and is timed from Parquet to numbers. lipgeo gives each number with its
bounds, likely range and flags; pandas and polars give the plain sums of share times value, and how
much of the shares was observed, which is what people write by hand. Prints seconds, peak memory
and how far the sums agree; for tables that fit, also lipgeo on the table read into memory, and how
far all its numbers, bounds, ranges and errors agree.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from measuring import forget_peak, peak_bytes

import lipgeo
from lipgeo.files import file_entries, listed_files, write_manifest
from lipgeo.store.tables import layout
from lipgeo.tables import LongTable, Variable

KINDS = ("total", "men", "women")
UNITS_A_PART = 256
NAME = "made"
SYMBOLS = pa.array(["x", "F", "..", "..."])
TOOLS = ("lipgeo", "polars", "pandas")
#: rows up to which lipgeo weights the table in memory as well
IN_MEMORY = 2_000_000


def unit_ids(count: int) -> list[str]:
    """Return ids of dissemination areas."""
    return [f"35{number:06d}" for number in range(1, count + 1)]


def make(store: Path, units: int, characteristics: int, seed: int = 1) -> None:
    """Write a table in the layout that an import leaves."""
    folder = layout.table_folder(store, 2021, NAME)
    (folder / layout.DATA / "level=DA").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    size = rng.gamma(0.6, 60, characteristics)
    for number, first in enumerate(range(0, units, UNITS_A_PART)):
        some = np.arange(first, min(first + UNITS_A_PART, units), dtype=np.int32)
        shape = (characteristics, len(some))
        total = np.floor(rng.random(shape) * 2 * size[:, None] / 5) * 5
        men = np.floor(total * rng.random(shape) / 5) * 5
        # whole units lose their rows, single cells theirs; some rows do not apply to some units
        lost = (rng.random(len(some)) < 0.02) | (rng.random(shape) < 0.01)
        not_applicable = np.zeros(shape, dtype=bool)
        not_applicable[7::50, : len(some) // 3] = True
        symbol = np.where(not_applicable, 3, rng.integers(0, 3, shape)).astype(np.int8).ravel()
        gone = (lost | not_applicable).ravel()
        columns = {
            "unit": np.tile(some, characteristics),
            "characteristic": np.repeat(
                np.arange(1, characteristics + 1, dtype=np.int16), len(some)
            ),
        }
        for kind, values in zip(KINDS, (total, men, total - men), strict=True):
            columns[kind] = pa.array(values.ravel(), mask=gone)
            columns[f"{kind}_symbol"] = pa.DictionaryArray.from_arrays(
                pa.array(symbol, mask=~gone), SYMBOLS
            )
        # men and women are 0 where the total is, and lost where it is
        columns["content"] = np.where(gone, 3, total.ravel() != 0).astype(np.int8)
        rows = pa.table(columns).take(np.argsort(columns["content"], kind="stable"))
        ends = np.searchsorted(rows["content"].to_numpy(), np.arange(5))
        with pq.ParquetWriter(
            folder / layout.part_name("DA", number),
            rows.schema,
            compression="zstd",
            write_statistics=["unit", "characteristic", "content"],
        ) as writer:
            for start, end in pairwise(ends):
                if end > start:
                    writer.write_table(rows.slice(start, end - start), row_group_size=131_072)
    ids = unit_ids(units)
    pq.write_table(
        pa.table(
            {
                "unit": np.arange(units, dtype=np.int32),
                "level": ["DA"] * units,
                "unit_id": ids,
                "name": ids,
                "origin": np.zeros(units, dtype=np.int32),
            }
        ),
        folder / layout.UNITS,
    )
    known = np.arange(1, characteristics + 1, dtype=np.int32)
    nothing = pa.nulls(characteristics, pa.string())
    pq.write_table(
        pa.table(
            {
                "characteristic": known,
                "name": [f"characteristic {one}" for one in known],
                "variable": nothing,
                "certainty": nothing,
            }
        ),
        folder / layout.CHARACTERISTICS,
    )
    pq.write_table(
        pa.table(
            {
                "level": ["DA"] * characteristics * len(KINDS),
                "characteristic": np.repeat(known, len(KINDS)),
                "column": list(KINDS) * characteristics,
                "least": np.zeros(characteristics * len(KINDS)),
                "greatest": np.repeat(size * 2, len(KINDS)),
                "cells": np.full(characteristics * len(KINDS), units),
            }
        ),
        folder / layout.RANGES,
    )
    write_manifest(
        folder,
        layout.TABLE,
        {
            "name": NAME,
            "vintage": 2021,
            "levels": ["DA"],
            "values": list(KINDS),
            "units": {"DA": units},
            "rows": {"DA": units * characteristics},
            "characteristics": characteristics,
            "sources": [{"file": "made", "sha256": "0" * 64}],
            "parts": [
                {"file": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size}
                for path in sorted((folder / layout.DATA).rglob("*.parquet"))
            ],
            "finished": True,
        },
        file_entries(folder, listed_files(folder)),
    )


def crosswalk(units: int, areas: int) -> lipgeo.Crosswalk:
    """Return shares of a strip of units, in order, in areas that cut it at any place."""
    side = 241
    x, y = np.divmod(np.arange(units), side)
    # a column to and fro, so that neighbours in number are neighbours in place
    y = np.where(x % 2, side - 1 - y, y)
    cells = shapely.box(x * 1000.0, y * 1000.0, x * 1000.0 + 1000, y * 1000.0 + 1000)
    width, columns = int(x.max()) + 1, int(np.ceil(np.sqrt(areas)))
    rows = -(-areas // columns)
    at = np.arange(areas)
    left = (at % columns) * width / columns * 1000 + 0.37
    low = (at // columns) * side / rows * 1000 + 0.37
    drawn = shapely.box(left, low, left + width / columns * 940, low + side / rows * 940)
    source = lipgeo.Zones(unit_ids(units), cells, "EPSG:3347")
    target = lipgeo.Zones([f"area {one:03d}" for one in at], drawn, "EPSG:3347")
    return lipgeo.build_crosswalk(source, target)


def ours(store: Path, shares: lipgeo.Crosswalk, in_memory: bool) -> lipgeo.Estimates:
    """Weight with lipgeo; every characteristic is taken as a count of the long form."""
    table: LongTable = lipgeo.open_table(store, NAME)
    counts = {name: Variable(name, "count", sampled=True) for name in table.columns}
    ruled = table.with_variables(counts)
    return lipgeo.weight_table(ruled.part(list(counts)) if in_memory else ruled, shares)


def _pairs(shares: lipgeo.Crosswalk) -> pd.DataFrame:
    """Return unit numbers, positions of areas and shares."""
    ids = pd.Index(unit_ids(len(shares.sources)))
    areas = pd.Index(shares.quality["target_id"])
    return pd.DataFrame(
        {
            "unit": ids.get_indexer(shares.frame["source_id"]).astype(np.int32),
            "area": areas.get_indexer(shares.frame["target_id"]).astype(np.int32),
            "share": shares.frame["share"],
        }
    )


def with_polars(data: Path, shares: lipgeo.Crosswalk) -> pd.DataFrame:
    """Sum with polars, streaming."""
    import polars as pl

    pairs = pl.from_pandas(_pairs(shares)).lazy()
    share = pl.col("share")
    found = (
        pl.scan_parquet(data / "*.parquet")
        .select("unit", "characteristic", *KINDS)
        .join(pairs, on="unit")
        .group_by("area", "characteristic")
        .agg(
            *((share * pl.col(kind)).sum().alias(f"sum {kind}") for kind in KINDS),
            *((share * pl.col(kind).is_not_null()).sum().alias(f"seen {kind}") for kind in KINDS),
        )
        .collect(engine="streaming")
    )
    return found.to_pandas()


def with_pandas(data: Path, shares: lipgeo.Crosswalk) -> pd.DataFrame:
    """Sum with pandas, file by file."""
    pairs = _pairs(shares)
    whole = None
    for path in sorted(data.glob("*.parquet")):
        part = pd.read_parquet(path, columns=["unit", "characteristic", *KINDS])
        part = part.merge(pairs, on="unit")
        for kind in KINDS:
            part[f"seen {kind}"] = part["share"] * part[kind].notna()
            part[f"sum {kind}"] = part["share"] * part[kind]
        wanted = [f"{what} {kind}" for what in ("sum", "seen") for kind in KINDS]
        sums = part.groupby(["area", "characteristic"])[wanted].sum()
        whole = sums if whole is None else whole.add(sums, fill_value=0.0)
    return whole.reset_index()


def work(store: Path, tool: str) -> None:
    """Run one tool in this process; leave its sums and print its figures."""
    shares = lipgeo.read_crosswalk(store / "shares.parquet")
    data = layout.table_folder(store, 2021, NAME) / layout.DATA / "level=DA"
    forget_peak()
    start = time.perf_counter()
    if tool in ("lipgeo", "memory"):
        found = ours(store, shares, tool == "memory")
    else:
        found = {"polars": with_polars, "pandas": with_pandas}[tool](data, shares)
    spent, peak = time.perf_counter() - start, peak_bytes()
    if tool in ("lipgeo", "memory"):
        frame = found.frame
        frame.to_pickle(store / f"{tool} all.pkl")
        name = frame["variable"].str.partition("_")
        kind = name[2].replace("", KINDS[0])
        # the sum of what was observed, before it is scaled to the whole: what the others give
        sums = frame["value"] * frame["observed_share"]
        long = pd.Series(sums.to_numpy(), index=[frame["area_id"], name[0].astype(int), kind])
    else:
        areas = shares.quality["target_id"].to_numpy()
        keyed = found.set_index([areas[found["area"]], found["characteristic"].astype(int)])
        long = keyed[[f"sum {kind}" for kind in KINDS]].set_axis(KINDS, axis=1).stack()  # noqa: PD013
    long.rename_axis(["area", "characteristic", "kind"]).to_pickle(store / f"{tool}.pkl")
    print(json.dumps({"seconds": spent, "peak_gb": peak / 1e9, "numbers": len(long)}))


def main() -> None:
    """Make the table, run the tools, print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=57_936)
    parser.add_argument("--characteristics", type=int, default=2_631)
    parser.add_argument("--areas", type=int, default=90)
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(Path(options.work[0]), options.work[1])
        return
    with tempfile.TemporaryDirectory() as place:
        store = Path(place)
        make(store, options.units, options.characteristics)
        shares = crosswalk(options.units, options.areas)
        lipgeo.write_crosswalk(shares, store / "shares.parquet")
        held = sum(path.stat().st_size for path in store.rglob("part-*.parquet"))
        straddling = int((shares.frame["share"] < 1).sum())
        print(
            f"{options.units * options.characteristics:,} rows, {held / 1e6:.0f} MB of Parquet, "
            f"{options.areas} areas, {len(shares.frame):,} pairs ({straddling:,} straddling); "
            f"Python {platform.python_version()}\n"
        )
        print(f"{'tool':9}{'version':>9}{'seconds':>9}{'times':>7}{'GB':>6}{'numbers':>10}"
              f"{'largest difference':>20}")  # fmt: skip
        base = reference = None
        tools = options.tools.split(",")
        if "lipgeo" in tools and options.units * options.characteristics <= IN_MEMORY:
            tools.append("memory")
        for tool in tools:
            if find_spec("lipgeo" if tool == "memory" else tool) is None:
                print(f"{tool:9} not installed")
                continue
            done = subprocess.run(
                [sys.executable, __file__, "--work", place, tool],
                check=True,
                capture_output=True,
                text=True,
            )
            figures = json.loads(done.stdout.splitlines()[-1])
            sums = pd.read_pickle(store / f"{tool}.pkl")
            base = base or figures
            reference = sums if reference is None else reference
            one, two = reference.align(sums, join="inner")
            apart = (one - two).abs() / two.abs().clip(lower=1.0)
            number = version("lipgeo" if tool == "memory" else tool)
            print(
                f"{tool:9}{number:>9}{figures['seconds']:9.1f}"
                f"{figures['seconds'] / base['seconds']:7.1f}{figures['peak_gb']:6.2f}"
                f"{figures['numbers']:10,}{apart.max():20.1e}",
                flush=True,
            )
        if "memory" in tools:
            engine, memory = (
                pd.read_pickle(store / f"{tool} all.pkl") for tool in ("lipgeo", "memory")
            )
            numbers = engine.select_dtypes("float64").columns
            one, two = engine[numbers].to_numpy(), memory[numbers].to_numpy()
            same = (np.isnan(one) == np.isnan(two)).all() and engine.drop(columns=numbers).equals(
                memory.drop(columns=numbers)
            )
            # a bound is a value less a width: what is left of it is as sure as the value is
            size = np.fmax(np.abs(one), np.abs(engine[["value"]].to_numpy()))
            apart = np.abs(one - two) / np.where(size > 0, size, 1.0)
            print(
                f"\nby DuckDB and in memory, {len(numbers)} columns of numbers: "
                f"gaps, flags and texts {'the same' if same else 'DIFFER'}, "
                f"largest relative difference "
                f"{np.nanmax(apart):.1e}"
            )


if __name__ == "__main__":
    main()
