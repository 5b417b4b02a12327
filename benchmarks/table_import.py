"""A large Census Profile CSV into Parquet: ours, and polars doing the same selection.

::

    python benchmarks/table_import.py                    about 1.5 GB of text
    python benchmarks/table_import.py --units 57936      the census of 2021 by dissemination area

The file is made (``made_profile.py``). polars scans it, takes the DGUID, the characteristic's id
and the counts and symbols of total, men and women, and sinks Parquet: its fastest way. Ours keeps
the same, and takes rates where no count is, splits by level, orders by characteristic, checks
every row against its unit, and hashes the file. Each runs in a process of its own, imports aside;
the least of several runs, in turns. Prints seconds, MB of text a second, seconds of processor,
peak memory, rows, MB written.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from made_profile import write_made_profile

TOOLS = ("lipgeo", "polars")
#: DGUID, characteristic, then count and symbol of total, men, women
WANTED = (1, 8, 11, 12, 13, 14, 15, 16)


def with_lipgeo() -> Callable[[Path, Path], object]:
    """Return the import of lipgeo."""
    from lipgeo.store.tables.importing import add_table

    return lambda source, target: add_table(target, source)


def with_polars() -> Callable[[Path, Path], object]:
    """Return scan, selection and sink of polars."""
    import polars as pl

    names = [str(place) for place in range(23)]
    kinds = dict.fromkeys(names, pl.String)
    kinds |= {"8": pl.Int32, "11": pl.Float64, "13": pl.Float64, "15": pl.Float64}

    def run(source: Path, target: Path) -> object:
        rows = pl.scan_csv(source, encoding="utf8-lossy", new_columns=names, schema=kinds)
        return rows.select([str(place) for place in WANTED]).sink_parquet(target)

    return run


def rows_of(target: Path) -> tuple[int, int]:
    """Return rows and bytes of what was written."""
    import pyarrow.parquet as pq

    parts = [target] if target.is_file() else list(target.rglob("part-*.parquet"))
    rows = sum(pq.ParquetFile(part).metadata.num_rows for part in parts)
    return rows, sum(part.stat().st_size for part in parts)


def alone(tool: str, source: Path, target: Path) -> None:
    """Run one tool in this process and print what it took, as JSON."""
    run = {"lipgeo": with_lipgeo, "polars": with_polars}[tool]()
    before, began = time.process_time(), time.perf_counter()
    run(source, target)
    seconds, processor = time.perf_counter() - began, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    rows, written = rows_of(target)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "processor": processor,
                "peak": peak,
                "rows": rows,
                "written": written,
            }
        )
    )


def main() -> None:
    """Make, import, print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=3900)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--file", type=Path, help="a made file that is there already")
    parser.add_argument("--alone", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        alone(asked.alone[0], Path(asked.alone[1]), Path(asked.alone[2]))
        return
    with tempfile.TemporaryDirectory() as place:
        source = asked.file or Path(place) / "98-401-X2021006_made.csv"
        if asked.file is None:
            write_made_profile(source, asked.units)
        size = source.stat().st_size
        runs: dict[str, list[dict[str, float]]] = {tool: [] for tool in TOOLS}
        for turn in range(asked.repeats):
            for tool in TOOLS:
                target = Path(place) / f"{tool}-{turn}"
                command = [sys.executable, __file__, "--alone", tool, str(source), str(target)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                runs[tool].append(json.loads(done.stdout))
        rows = {tool: {one["rows"] for one in of} for tool, of in runs.items()}
        if len(set().union(*rows.values())) != 1:
            raise SystemExit(f"rows differ: {rows}")
        print(f"{size / 1e6:,.0f} MB of text, {runs['lipgeo'][0]['rows']:,} rows")
        heads = ("", "seconds", "MB/s", "CPU s", "peak MB", "MB written")
        print(" ".join(f"{head:>10}" for head in heads))
        least = {}
        for tool, of in runs.items():
            best = min(of, key=lambda one: one["seconds"])
            least[tool] = best["seconds"]
            cells = (
                best["seconds"],
                size / 1e6 / best["seconds"],
                min(one["processor"] for one in of),
                max(one["peak"] for one in of) / 1e6,
                best["written"] / 1e6,
            )
            print(f"{tool:>10} " + " ".join(f"{cell:>10,.1f}" for cell in cells))
        print(f"ours over polars, speed: {least['polars'] / least['lipgeo']:.2f}")


if __name__ == "__main__":
    main()
