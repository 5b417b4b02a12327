"""A wide table as an order comes back, read by lipgeo, and by pandas with its cells as numbers.

::

    python benchmarks/wide_tables.py                      2,390 characteristics by 165 areas
    python benchmarks/wide_tables.py --rows 500 --areas 20

The file is made: characteristics down with leading blanks, areas across with codes and response
rates in their labels, thousands marks and ``x`` in cells. pandas reads the text and turns every
column into numbers; lipgeo also turns the table, tells areas from units, keeps the symbols and
names what the dictionary knows. Each runs in a process of its own, imports aside; the least of
several runs, in turns. Prints seconds, seconds of processor, peak memory.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOOLS = ("lipgeo", "pandas")
CELLS = ("0", "5", "10", "x", "120", "1,250")


def write_wide_table(path: Path, rows: int, areas: int) -> None:
    """Write a made table of an order: areas across, characteristics down, three deep."""
    rng = random.Random(1)
    labels = [f"MADE - ORDER - Area {at} ({3000 + at}) 00000 (  {at % 9}.{at % 10}%)"
              for at in range(areas)]  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Age (33P)", *labels])
        for row in range(rows):
            words = "  " * (row % 4) + f"Characteristic {row}"
            writer.writerow([words, *(rng.choice(CELLS) for _ in labels)])


def read_with(tool: str, path: Path) -> tuple[int, ...]:
    """Read the table with one tool; return rows and columns."""
    import pandas as pd

    if tool == "lipgeo":
        from lipgeo.readers.tables import read_table

        return read_table(path).frame.shape
    frame = pd.read_csv(path, dtype="string").set_index("Age (33P)").T
    plain = frame.apply(lambda column: column.str.replace(",", ""))
    return plain.apply(pd.to_numeric, errors="coerce").shape


def alone(tool: str, path: Path) -> None:
    """Read the table in this process and print what it took, as JSON."""
    import pandas as pd

    import lipgeo

    lipgeo.read_table  # noqa: B018  what is imported when first named is imported now
    pd.DataFrame({"a": ["1"]}, dtype="string").apply(pd.to_numeric)
    before, began = time.process_time(), time.perf_counter()
    shape = read_with(tool, path)
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - began,
                "processor": time.process_time() - before,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "shape": shape,
            }
        )
    )


def main(arguments: list[str]) -> int:
    """Make the table, read it in turns, print one row a tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_390)
    parser.add_argument("--areas", type=int, default=165)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--alone", nargs=2, metavar=("TOOL", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.alone:
        alone(given.alone[0], Path(given.alone[1]))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "order_2021.csv")
        write_wide_table(path, given.rows, given.areas)
        took: dict[str, list[dict[str, float]]] = {tool: [] for tool in TOOLS}
        for _ in range(given.runs):
            for tool in TOOLS:
                done = subprocess.run(
                    [sys.executable, __file__, "--alone", tool, path],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                took[tool].append(json.loads(done.stdout))
        megabytes = path.stat().st_size / 1e6
    print(f"{given.rows:,} characteristics by {given.areas} areas, {megabytes:.1f} MB")
    print(f"{'tool':<10}{'seconds':>10}{'processor':>12}{'peak MB':>10}  rows, columns")
    for tool in TOOLS:
        seconds, processor, peak = (
            min(one[key] for one in took[tool]) for key in ("seconds", "processor", "peak")
        )
        shape = took[tool][0]["shape"]
        print(f"{tool:<10}{seconds:>10.2f}{processor:>12.2f}{peak:>10.0f}  {shape}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
