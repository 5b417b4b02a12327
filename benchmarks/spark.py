"""Apache Spark in local mode beside one machine without it: agreement, seconds, memory.

::

    python benchmarks/spark.py --blocks 50000
    python benchmarks/spark.py --blocks 492768
    python benchmarks/spark.py --store DIR          a made census that is stored already

Prints what Spark costs to start; the overlay of dissemination areas by area and by people, with
the largest difference of any share; a long table of made counts brought to the areas by the one
expression on DuckDB and on Spark, with the largest relative difference of any number; and the peak
memory of this process (the work without Spark included), of Spark's Java and of its Python
workers. Seconds are by the clock and, in brackets, of all cores together, which a busy machine
changes less. "First" is the first job of its kind: Java compiles itself, and the workers import
lipgeo.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

import lipgeo
import lipgeo.spark
from lipgeo import synthetic
from lipgeo.errors import EngineError, MissingExtraError
from lipgeo.tables import Variable

WEIGHTS = ("area", "population")
#: units of a part of the long table
PART_UNITS = 1024
#: a cell in so many is suppressed
SUPPRESSED = 0.02


class Family:
    """This process and all it started: what they hold at most, what they worked. Linux only.

    Looks five times a second; what a process had worked when it was last seen still counts when
    it has ended.
    """

    def __init__(self) -> None:
        self.worked: dict[int, float] = {}
        self.forget()
        threading.Thread(target=self._watch, daemon=True).start()

    def forget(self) -> None:
        """Begin anew with the peaks."""
        self.peak = {"this process": 0.0, "Java": 0.0, "Python workers": 0.0}

    def say(self, work: str) -> None:
        """Print the peaks."""
        held = ", ".join(f"{kind} {peak:.2f} GB" for kind, peak in self.peak.items())
        print(f"peak memory, {work}: {held}", flush=True)

    def cores(self) -> float:
        """Return the seconds that all cores together have worked for the family."""
        self._look()
        return sum(self.worked.copy().values())

    def _watch(self) -> None:
        while True:
            time.sleep(0.2)
            self._look()

    def _look(self) -> None:
        held = dict.fromkeys(self.peak, 0.0)
        for process in family():
            java = process != os.getpid() and name_of(process) == "java"
            mine = "this process" if process == os.getpid() else "Python workers"
            held["Java" if java else mine] += proportional(process)
            self.worked[process] = max(worked(process), self.worked.get(process, 0.0))
        for kind, size in held.items():
            self.peak[kind] = max(self.peak[kind], size)


def family() -> list[int]:
    """Return this process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found = [os.getpid()]
    for process in found:
        found.extend(children.get(process, []))
    return found


def name_of(process: int) -> str:
    """Return the name of a process's program."""
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""


def proportional(process: int) -> float:
    """Return the GB a process holds; pages that several share are parted among them."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e6


def worked(process: int) -> float:
    """Return the seconds cores have worked for a process."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """Seconds by the clock, and of all cores together."""

    clock: float
    cores: float

    def __str__(self) -> str:
        return f"{self.clock:.1f} ({self.cores:.1f})"


def timed(us: Family, work: Callable[[], Any]) -> tuple[Cost, Any]:
    """Return what some work costs, and what it gives."""
    began, before = time.perf_counter(), us.cores()
    result = work()
    return Cost(time.perf_counter() - began, us.cores() - before), result


def head(work: str, here: str, count: str) -> None:
    """Print the head of a table."""
    print(f"{work:>16} {here:>12} {'Spark, first':>14} {'again':>14} {count:>9} {'apart by':>9}")


def row(work: str, costs: list[Cost], count: int, apart: float) -> None:
    """Print a row of a table."""
    alone, first, again = map(str, costs)
    print(f"{work:>16} {alone:>12} {first:>14} {again:>14} {count:9,} {apart:9.1e}", flush=True)


def apart(one: lipgeo.Crosswalk, other: lipgeo.Crosswalk) -> float:
    """Return the largest difference of any share; the pairs must be the same."""
    a, b = one.frame, other.frame
    ids = ["source_id", "target_id", "share_basis"]
    assert a[ids].equals(b[ids])
    largest = [np.abs(a[name] - b[name]).max() for name in ("share", "area_share")]
    return max(*largest, np.abs(one.remainder["share"] - other.remainder["share"]).max())


def overlays(session: Any, store: Path, areas: lipgeo.ServiceAreas, us: Family) -> None:
    """Print seconds and agreement of the overlay."""
    head("shares of DA by", "here", "pairs")
    for weight in WEIGHTS:

        def here(weight: str = weight) -> lipgeo.Crosswalk:
            zones = lipgeo.open_census(store).zones("DA")
            return lipgeo.build_crosswalk(zones, areas, weight=weight)

        def there(weight: str = weight) -> lipgeo.Crosswalk:
            zones = lipgeo.open_census(store).zones("DA")
            return lipgeo.spark.build_crosswalk(session, zones, areas, weight=weight)

        alone, expected = min((timed(us, here) for _ in range(2)), key=lambda one: one[0])
        first, found = timed(us, there)
        again, _ = timed(us, there)
        row(weight, [alone, first, again], len(found.frame), apart(found, expected))


def write_cells(folder: Path, units: int, characteristics: int, seed: int) -> None:
    """Write a long table of made counts, in parts, as a store holds one."""
    random = np.random.default_rng(seed)
    folder.mkdir()
    for first in range(0, units, PART_UNITS):
        here = min(PART_UNITS, units - first)
        gone = random.random(here * characteristics) < SUPPRESSED
        count = 5.0 * random.poisson(8, here * characteristics)
        marks = pa.DictionaryArray.from_arrays(pa.array(np.where(gone, 0, None)), ["x"])
        cells = {
            "unit": np.repeat(np.arange(first, first + here, dtype=np.int32), characteristics),
            "characteristic": np.tile(np.arange(1, characteristics + 1, dtype=np.int32), here),
            "total": pa.array(count, mask=gone),
            "total_symbol": marks.cast(pa.string()),
        }
        pq.write_table(pa.table(cells), folder / f"part-{first // PART_UNITS:05d}.parquet")


def long_table(cells: Any, census: lipgeo.Census, characteristics: int) -> lipgeo.LongTable:
    """Return the long table, whoever reads its cells."""
    names = [f"count_{number}" for number in range(1, characteristics + 1)]
    ids = census.units("DA").index
    return lipgeo.LongTable(
        cells,
        units=pd.DataFrame({"unit": np.arange(len(ids)), "name": ids, "origin": 0}, index=ids),
        columns={name: (number, "total") for number, name in enumerate(names, 1)},
        variables={name: Variable(name, "count") for name in names},
        ranges=pd.DataFrame({"least": 0.0, "greatest": 200.0}, index=names),
        level="DA",
        vintage=census.vintage,
        sources=pd.DataFrame({"file": ["made"], "sha256": [""]}),
    )


def sums(
    session: Any, census: lipgeo.Census, areas: lipgeo.ServiceAreas, characteristics: int,
    cells: Path, us: Family,
) -> None:  # fmt: skip
    """Print seconds and agreement of a table's sums."""
    crosswalk = lipgeo.build_crosswalk(census.zones("DA"), areas, weight="population")

    def weighted(engine: Any, path: Path) -> pd.DataFrame:
        table = long_table(engine.read_parquet(str(path)), census, characteristics)
        return lipgeo.weight_table(table, crosswalk).frame

    alone, expected = min(
        (timed(us, lambda: weighted(ibis.duckdb.connect(), cells / "*.parquet")) for _ in "12"),
        key=lambda one: one[0],
    )
    engine = lipgeo.spark.engine(session)
    first, found = timed(us, lambda: weighted(engine, cells))
    again, _ = timed(us, lambda: weighted(engine, cells))
    numbers = expected.select_dtypes("number").columns
    a, b = found[numbers].to_numpy(), expected[numbers].to_numpy()
    assert found.drop(columns=numbers).equals(expected.drop(columns=numbers))
    assert np.array_equal(np.isnan(a), np.isnan(b))
    largest = np.nanmax(np.abs(a - b) / np.maximum(np.abs(b), 1.0))
    rows = len(census.zones("DA")) * characteristics
    head("sums of rows", "DuckDB", "numbers")
    row(f"{rows:,}", [alone, first, again], a.size, largest)


def main() -> None:
    """Make or open the census, start Spark, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=50_000)
    parser.add_argument("--areas", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--characteristics", type=int, default=100)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--memory", default="2g")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        store = asked.store
        if store is None:
            store = Path(place) / "store"
            made = synthetic.census(blocks=asked.blocks, seed=asked.seed)
            files = synthetic.write_files(made, Path(place) / "files", levels=["DA", "DB"])
            lipgeo.add_census(store, files, made=True)
            del made
        census = lipgeo.open_census(store)
        drawn = synthetic.service_areas(census, count=asked.areas, seed=asked.seed)
        areas = lipgeo.ServiceAreas.from_frame(drawn, id="area_id")
        counts = ", ".join(f"{len(census.zones(level)):,} {level}" for level in ("DB", "DA"))
        us = Family()
        master = f"local[{asked.cores}]"
        try:
            start, session = timed(
                us, lambda: lipgeo.spark.open_session(master, memory=asked.memory)
            )
        except (MissingExtraError, EngineError) as error:
            print(f"left out: {error}")
            return
        print(
            f"made census of {counts}; {len(areas)} areas; Spark {session.version} "
            f"in local mode, {asked.cores} of {os.cpu_count()} cores, {asked.memory} for Java"
        )
        sent = sum(map(len, shapely.to_wkb(areas.frame.geometry.to_numpy()))) / 1e6
        print(f"start of Spark: {start} s; outlines broadcast: {sent:.1f} MB", flush=True)
        try:
            us.forget()
            overlays(session, store, areas, us)
            us.say("overlay")
            cells = Path(place) / "cells"
            write_cells(cells, len(census.zones("DA")), asked.characteristics, asked.seed)
            us.forget()
            sums(session, census, areas, asked.characteristics, cells, us)
            us.say("sums")
        finally:
            session.stop()


if __name__ == "__main__":
    main()
