"""Fitting a made nation: seconds and peak memory by level and rule, from the store.

::

    python benchmarks/fit.py --blocks 492768
    python benchmarks/fit.py --blocks 50000
    python benchmarks/fit.py --store DIR --outlines FILE      a store that is there, and its areas

Every fit runs in a process of its own. Prints the seconds of ``fit_boundaries`` (by the clock, and
of all cores' work), of writing the build, the peak memory of the whole process, and what came out.
Then, for the first of them, the processor's seconds of writing and reading a build that leaves
what is around its areas to the first map, and of one that has it: made first, then written.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import peak_bytes

FITS = (
    ("DA", "majority"),
    ("DA", "largest"),
    ("mixed", "majority"),
    ("DB", "majority"),
)


def fit(store: Path, areas: Path, unit: str, rule: str, out: Path) -> None:
    """Fit in this process and print what it took."""
    import lipgeo

    assert all(map(callable, (lipgeo.open_census, lipgeo.fit_boundaries)))  # loaded
    given = lipgeo.read_service_areas(areas, id="area_id")
    census = lipgeo.open_census(store)
    began, worked = time.perf_counter(), time.process_time()
    made = lipgeo.fit_boundaries(census, given, unit=unit, rule=rule, by="population")
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    peak = peak_bytes()
    began = time.perf_counter()
    builds = {}
    lipgeo.write_build(made, out)
    write = time.perf_counter() - began
    worked = time.process_time()
    lipgeo.write_build(made, out, replace=True)  # the polygons of its units are read by now
    builds["later"] = [time.process_time() - worked, *read(out)]
    worked = time.process_time()
    len(made.context)
    again = out.with_name(out.name + "-with-context")
    lipgeo.write_build(made, again)
    builds["at once"] = [time.process_time() - worked, *read(again)]
    print(
        json.dumps(
            {
                "builds": builds,
                "seconds": seconds,
                "work": work,
                "write": write,
                "peak": peak,
                "units": len(made.units),
                "cover": len(made.cover),
                "misfit": float(made.areas["misfit_share"].median()),
            }
        )
    )


def read(build: Path) -> tuple[float, float]:
    """Return the processor's seconds of reading a build, and of what is around its areas."""
    import lipgeo

    began = time.process_time()
    made = lipgeo.read_build(build)
    between = time.process_time()
    assert len(made.context)
    return between - began, time.process_time() - between


def main() -> None:
    """Make a store where none is given, fit, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=50_000)
    parser.add_argument("--areas", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=Path, help="a store with DA and DB; needs --outlines")
    parser.add_argument("--outlines", type=Path, help="its areas, with a column area_id")
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        store, areas, unit, rule, out = asked.work
        fit(Path(store), Path(areas), unit, rule, Path(out))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store, areas = asked.store, asked.outlines
        if store is None:
            store, areas = folder / "store", folder / "areas.gpkg"
            other = [sys.executable, str(Path(__file__).with_name("store.py")), "--work"]
            sizes = map(str, (asked.blocks, asked.areas, asked.seed))
            subprocess.run([*other, "make", place, *sizes], check=True)
            files = str(folder / "files")
            subprocess.run([*other, "put", str(store), files], check=True, capture_output=True)
        print(f"{len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}\n")
        print(f"{'unit':>7}{'rule':>10}{'seconds':>9}{'work':>7}{'write':>7}{'peak GB':>9}"
              f"{'units':>9}{'cover':>8}{'median misfit':>15}")  # fmt: skip
        builds: dict[str, list[float]] = {}
        for unit, rule in FITS:
            job = [store, areas, unit, rule, folder / f"{unit}-{rule}"]
            command = [sys.executable, __file__, "--work", *map(str, job)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            one = json.loads(done.stdout.splitlines()[-1])
            builds = builds or one["builds"]
            print(
                f"{unit:>7}{rule:>10}{one['seconds']:9.2f}{one['work']:7.1f}{one['write']:7.2f}"
                f"{one['peak'] / 1e9:9.2f}{one['units']:9,}{one['cover']:8,}"
                f"{one['misfit']:15.2%}",
                flush=True,
            )
        print(f"\n{'what is around is made':24}{'write cpu s':>12}{'read':>7}{'first map':>11}")
        for when, (wrote, back, context) in builds.items():
            print(f"{when:24}{wrote:12.2f}{back:7.2f}{context:11.2f}")


if __name__ == "__main__":
    main()
