"""The census on disk: import of a made nation's files, then single areas read from the store.

::

    python benchmarks/store.py --blocks 492768
    python benchmarks/store.py --blocks 50000

Prints the import's seconds and size, and for single areas (shares of dissemination areas, by area
and by population) the median seconds and the bytes read of how many.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import lipgeo
from lipgeo import synthetic


def size_bytes(folder: Path) -> int:
    """Return the bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Make, import, read; print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=50_000)
    parser.add_argument("--areas", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        made = synthetic.census(blocks=asked.blocks, seed=asked.seed)
        files = synthetic.write_files(made, Path(place) / "files", levels=["DA", "DB"])
        areas = lipgeo.ServiceAreas.from_frame(
            synthetic.service_areas(made, count=asked.areas, seed=asked.seed), id="area_id"
        )
        store = Path(place) / "store"
        began = time.perf_counter()
        lipgeo.add_census(store, files, made=True)
        seconds = time.perf_counter() - began
        levels = store / str(made.vintage)
        held = sum((levels / f"{level}.parquet").stat().st_size for level in ("DA", "DB"))
        print(f"import: {asked.blocks:,} blocks, {seconds:.1f} s, DA and DB {held / 1e6:.0f} MB")
        print(f"{'one area by':>12} {'median s':>9} {'median kB':>10} {'of store':>9} {'most':>6}")
        for weight in ("area", "population"):
            times, reads = [], []
            for area in areas.ids:
                census = lipgeo.open_census(store)
                began = time.perf_counter()
                lipgeo.build_crosswalk(census.zones("DA"), areas.select([area]), weight=weight)
                times.append(time.perf_counter() - began)
                reads.append(census.data.bytes_read)
            middle = statistics.median(reads)
            print(
                f"{weight:>12} {statistics.median(times):9.3f} {middle / 1e3:10.0f} "
                f"{middle / held:9.2%} {max(reads) / held:6.1%}"
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"peak memory, making included: {peak / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
