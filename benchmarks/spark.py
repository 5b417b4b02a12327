"""Apache Spark in local mode beside one machine without it: agreement, seconds, memory.

::

    python benchmarks/spark.py --blocks 50000
    python benchmarks/spark.py --blocks 492768
    python benchmarks/spark.py --store DIR          a made census that is stored already

Prints what Spark costs to start, the overlay of dissemination areas by area and by people with
the largest difference of any share, and the peak memory of this process, of Spark's Java and of
its Python workers, each while Spark works. "First" is the first job of a session: Java compiles
itself, and the workers import lipgeo.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyspark

import lipgeo
import lipgeo.spark
from lipgeo import synthetic

WEIGHTS = ("area", "population")


class Memory:
    """Peak memory of this process's family while it is watched, in GB; Linux only."""

    def __init__(self) -> None:
        self.peak = {"this process": 0.0, "Java": 0.0, "Python workers": 0.0}

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look five times a second."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.2):
                for kind, held in self._now().items():
                    self.peak[kind] = max(self.peak[kind], held)

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _now(self) -> dict[str, float]:
        held = dict.fromkeys(self.peak, 0.0)
        for process in family():
            java = process != os.getpid() and name_of(process) == "java"
            mine = "this process" if process == os.getpid() else "Python workers"
            held["Java" if java else mine] += proportional(process)
        return held


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


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds some work takes, and what it gives."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def apart(one: lipgeo.Crosswalk, other: lipgeo.Crosswalk) -> float:
    """Return the largest difference of any share; the pairs must be the same."""
    a, b = one.frame, other.frame
    ids = ["source_id", "target_id", "share_basis"]
    assert a[ids].equals(b[ids])
    largest = [np.abs(a[name] - b[name]).max() for name in ("share", "area_share")]
    return max(*largest, np.abs(one.remainder["share"] - other.remainder["share"]).max())


def overlays(session: Any, store: Path, areas: lipgeo.ServiceAreas, memory: Memory) -> None:
    """Print seconds and agreement of the overlay."""
    print(
        f"{'shares of DA by':>16} {'here s':>8} {'Spark s, first':>15} {'again':>7} "
        f"{'pairs':>9} {'largest difference':>19}"
    )
    for weight in WEIGHTS:

        def here(weight: str = weight) -> lipgeo.Crosswalk:
            zones = lipgeo.open_census(store).zones("DA")
            return lipgeo.build_crosswalk(zones, areas, weight=weight)

        def there(weight: str = weight) -> lipgeo.Crosswalk:
            zones = lipgeo.open_census(store).zones("DA")
            return lipgeo.spark.build_crosswalk(session, zones, areas, weight=weight)

        alone, expected = min((timed(here) for _ in range(2)), key=lambda one: one[0])
        with memory.watched():
            first, found = timed(there)
            again, _ = timed(there)
        print(
            f"{weight:>16} {alone:8.2f} {first:15.2f} {again:7.2f} {len(found.frame):9,} "
            f"{apart(found, expected):19.1e}",
            flush=True,
        )


def main() -> None:
    """Make or open the census, start Spark, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=50_000)
    parser.add_argument("--areas", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
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
        print(
            f"made census of {counts}; {len(areas)} areas; Spark {pyspark.__version__} "
            f"in local mode, {asked.cores} of {os.cpu_count()} cores"
        )
        memory = Memory()
        master = f"local[{asked.cores}]"
        seconds, session = timed(lambda: lipgeo.spark.open_session(master, memory=asked.memory))
        print(f"start of Spark: {seconds:.1f} s")
        try:
            overlays(session, store, areas, memory)
        finally:
            session.stop()
        held = ", ".join(f"{kind} {peak:.2f} GB" for kind, peak in memory.peak.items())
        print(f"peak memory while Spark works: {held}")


if __name__ == "__main__":
    main()
