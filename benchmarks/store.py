"""The census on disk: import of a made nation's files, the nation and single areas from the store.

::

    python benchmarks/store.py --blocks 492768
    python benchmarks/store.py --blocks 50000
    python benchmarks/store.py --store DIR          a store that is there, imported from such files

Every job runs in a process of its own, from its start to a written crosswalk file, and its peak
memory is that of the whole process. Prints seconds, peak and bytes read of how many: of the import;
of all areas at once; of single areas (the time after imports, median and most of ``--singles``);
and of the same areas where the country around them is a sixteenth, a quarter and the whole of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import peak_bytes

WEIGHTS = ("area", "population")
#: parts of the nation, and how often an area is timed in each
PARTS = (16, 4, 1)
REPEAT = 5


def size_bytes(folder: Path) -> int:
    """Return the bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# ---------------------------------------------------------------- jobs, each in a fresh process


def make(folder: Path, blocks: int, count: int, seed: int) -> None:
    """Make the nation, its files and its areas."""
    from lipgeo import synthetic

    census = synthetic.census(blocks=blocks, seed=seed)
    levels = ["DB", "DA", "CSD", "CD", "PR"]
    synthetic.write_files(census, folder / "files", levels=levels)
    synthetic.service_areas(census, count=count, seed=seed).to_file(folder / "areas.gpkg")


def put(store: Path, files: Path) -> None:
    """Import files."""
    import lipgeo

    began = time.perf_counter()
    lipgeo.add_census(store, sorted(files.iterdir()), made=True)
    tell(seconds=time.perf_counter() - began)


def share_out(store: Path, areas: Path, weight: str, only: str, out: Path) -> None:
    """Go from the store to a written crosswalk; ``only`` is one area's id, or empty for all."""
    import lipgeo

    names = (
        lipgeo.open_census,
        lipgeo.read_service_areas,
        lipgeo.build_crosswalk,
        lipgeo.write_crosswalk,
    )
    assert all(map(callable, names))  # loaded
    given = lipgeo.read_service_areas(areas, id="area_id")
    if only:
        given = given.select([only])
    began = time.perf_counter()
    census = lipgeo.open_census(store)
    made = lipgeo.build_crosswalk(census.zones("DA"), given, weight=weight)
    lipgeo.write_crosswalk(made, out, replace=True)
    tell(seconds=time.perf_counter() - began, read=census.data.bytes_read, pairs=len(made.frame))


def grow(folder: Path, store: Path, areas: Path) -> None:
    """Cut parts out of the nation and time the areas they have in common."""
    import numpy as np

    import lipgeo

    census = lipgeo.open_census(store)
    given = lipgeo.read_service_areas(areas, id="area_id")
    points = given.frame.geometry.centroid
    away = np.sort(
        np.hypot(*(np.subtract.outer(v, v) for v in (points.x.to_numpy(), points.y.to_numpy()))),
        axis=1,
    )
    middle = points.iloc[int(np.argmin(away[:, min(12, len(points) - 1)]))]
    stores = {}
    for part in PARTS:
        stores[part] = store if part == 1 else folder / f"part-{part}"
        if part > 1:
            cut_out(census, stores[part], part, (middle.x, middle.y))
    coverage = {
        part: lipgeo.build_crosswalk(
            lipgeo.open_census(stores[part]).zones("DA"), given
        ).quality.set_index("target_id")["coverage"]
        for part in (PARTS[0], 1)
    }
    common = given.ids[np.isclose(*coverage.values(), rtol=0, atol=1e-12)]
    common = [area for area in common if coverage[1][area] > 0.5]
    if not common:
        print("no area lies wholly in the smallest part: take more blocks")
        return
    for weight in WEIGHTS:
        built: dict[int, list[float]] = {part: [] for part in PARTS}
        written: dict[int, list[float]] = {part: [] for part in PARTS}
        for area in common:
            one = given.select([area])
            frames = {}
            spent: dict[int, list[tuple[float, float]]] = {part: [] for part in PARTS}
            for _ in range(REPEAT):
                for part in PARTS:
                    began = time.perf_counter()
                    zones = lipgeo.open_census(stores[part]).zones("DA")
                    made = lipgeo.build_crosswalk(zones, one, weight=weight)
                    middle = time.perf_counter()
                    lipgeo.write_crosswalk(made, folder / "one.parquet", replace=True)
                    spent[part].append((middle - began, time.perf_counter() - middle))
                    frames[part] = made.frame
            assert all(frame.equals(frames[1]) for frame in frames.values()), area
            for part in PARTS:
                built[part].append(min(first for first, _ in spent[part]))
                written[part].append(min(second for _, second in spent[part]))
        least = [statistics.median(times[PARTS[0]]) for times in (built, written)]
        for part in PARTS:
            held = lipgeo.open_census(stores[part]).size("DB")
            cells = [
                f"{now:9.3f}{now / then:8.2f}"
                for now, then in zip(
                    (statistics.median(times[part]) for times in (built, written)),
                    least,
                    strict=True,
                )
            ]
            print(
                f"{weight:>12}{f'1/{part}':>8}{held:>12,}{len(common):>8}{''.join(cells)}",
                flush=True,
            )


def cut_out(census, store: Path, part: int, around: tuple[float, float]) -> None:
    """Write a store of the census subdivisions nearest to a place."""
    import numpy as np
    import pandas as pd

    from lipgeo.store.assemble import Assembled
    from lipgeo.store.write import write_vintage

    data = census.data
    blocks = data.attributes("DB", ["CSD", "x", "y"])
    places = blocks.groupby("CSD")[["x", "y"]].median()
    near = pd.Index(places.index[np.argsort(np.hypot(*(places.to_numpy() - around).T))])
    held = blocks["CSD"].value_counts().reindex(near).cumsum()
    kept = near[: int(np.searchsorted(held.to_numpy(), len(blocks) / part)) + 1]
    own = data.attributes("DB").loc[lambda frame: frame["CSD"].isin(kept)]
    frames, geometry, boxes = {}, {}, {}
    for level in census.levels:
        rows = own.index.to_numpy()
        if level != "DB":
            rows = np.sort(census.rows(level, own[level].dropna().unique().tolist()))
        frames[level] = data.attributes(level, None, rows)
        geometry[level], boxes[level] = data.geometry(level, rows), data.boxes(level, rows)
    nothing = pd.DataFrame({"level": [], "unit_id": [], "population": []}).astype(
        {"level": str, "unit_id": str, "population": float}
    )
    home = store / str(census.vintage)
    home.mkdir(parents=True)
    about = {
        "vintage": census.vintage,
        "store": f"part-{part}",
        "made": True,
        "boundary_type": "cartographic",
    }
    write_vintage(
        home,
        {**about, "sources": [], "checks": []},
        Assembled(frames, geometry, boxes, nothing, ()),
        lambda level: None,
    )


def tell(**figures: float) -> None:
    """Print what a job measured."""
    print(json.dumps({**figures, "peak": peak_bytes()}))


# ---------------------------------------------------------------- the table


def run(*job: object) -> dict[str, float]:
    """Run a job in a fresh process; ``whole`` is its seconds from start to end."""
    command = [sys.executable, __file__, "--work", *map(str, job)]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    return {**figures, "whole": time.perf_counter() - began}


def main() -> None:
    """Make, import, read; print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=50_000)
    parser.add_argument("--areas", type=int, default=90)
    parser.add_argument("--singles", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=Path, help="a store with DA and DB; needs --outlines")
    parser.add_argument("--outlines", type=Path, help="its areas, with a column area_id")
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(*asked.work)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store, areas = asked.store, asked.outlines
        cores = len(os.sched_getaffinity(0))
        print(f"{cores} cores, Python {platform.python_version()}\n")
        if store is None:
            store, areas = folder / "store", folder / "areas.gpkg"
            run("make", folder, asked.blocks, asked.areas, asked.seed)
            done = run("put", store, folder / "files")
            print(
                f"import of {asked.blocks:,} blocks: {done['seconds']:.1f} s, "
                f"peak {done['peak'] / 1e9:.2f} GB"
            )
        show(folder, store, areas, asked.singles)


def show(folder: Path, store: Path, areas: Path, singles: int) -> None:
    """Print what reading costs."""
    import lipgeo

    held = size_bytes(store)
    ids = lipgeo.read_service_areas(areas, id="area_id").ids.tolist()
    print(f"the store has {held / 1e6:.0f} MB\n")
    print(f"{'':>12}{'weight':>12}{'seconds':>9}{'most':>7}{'whole':>7}{'peak GB':>9}{'MB read':>9}"
          f"{'of store':>10}{'most':>7}")  # fmt: skip
    out = folder / "crosswalk.parquet"
    for weight in WEIGHTS:
        done = [run("share_out", store, areas, weight, "", out) for _ in range(3)]
        line(f"{len(ids)} areas", weight, done, held)
    chosen = ids[:: max(1, len(ids) // singles)][:singles]
    for weight in WEIGHTS:
        done = [run("share_out", store, areas, weight, one, out) for one in chosen]
        line("one area", weight, done, held)
    print("\nseconds, most: after imports and reading the areas, median and most of the runs;")
    print("whole: the process from start to end, median; peak: of the process, most;")
    print("MB read, of store, most: median of the runs, its share of the store, and the most\n")
    print("the same areas in a larger country: the shares, and the file, which names every source")
    print(f"{'weight':>12}{'nation':>8}{'blocks':>12}{'areas':>8}{'shares s':>9}{'times':>8}"
          f"{'file s':>9}{'times':>8}")  # fmt: skip
    print(subprocess.run(
        [sys.executable, __file__, "--work", "grow", folder, store, areas],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout, end="")  # fmt: skip


def line(what: str, weight: str, done: list[dict[str, float]], held: int) -> None:
    """Print one line."""
    seconds = [one["seconds"] for one in done]
    read = [one["read"] for one in done]
    print(
        f"{what:>12}{weight:>12}{statistics.median(seconds):9.3f}{max(seconds):7.2f}"
        f"{statistics.median(one['whole'] for one in done):7.2f}"
        f"{max(one['peak'] for one in done) / 1e9:9.2f}{statistics.median(read) / 1e6:9.2f}"
        f"{statistics.median(read) / held:10.2%}{max(read) / held:7.2%}",
        flush=True,
    )


def work(job: str, *given: str) -> None:
    """Do one job."""
    if job == "make":
        make(Path(given[0]), *map(int, given[1:]))
    elif job == "put":
        put(Path(given[0]), Path(given[1]))
    elif job == "share_out":
        share_out(Path(given[0]), Path(given[1]), given[2], given[3], Path(given[4]))
    elif job == "grow":
        grow(*map(Path, given))


if __name__ == "__main__":
    main()
