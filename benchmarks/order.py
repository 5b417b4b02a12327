"""Orders: equal bytes, flipped bits, kills, widths, planted differences, three of ninety changed.

Run from the checkout, with the real data beside it for Ottawa (../shared/data)::

    python benchmarks/order.py [DATA]

Everything printed is measured in this run.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import fiona
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import shapely

import lipgeo
from lipgeo.census import Census, MemoryCensus
from lipgeo.census.around import ground
from lipgeo.errors import OrderError
from lipgeo.order import FIELDS
from lipgeo.order.confidentiality import check_differences
from lipgeo.store import add_census

HERE = Path(__file__).resolve().parents[1]
_WRITER = """
import sys
from lipgeo import read_build, write_order
import lipgeo.maps
build = read_build(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
write_order(build, sys.argv[2], leave_out_empty=True)
"""


def files(folder: Path) -> dict[str, bytes]:
    """Return each file's bytes."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def ottawa(data: Path, work: Path) -> tuple[Path, Census, float]:
    """Build Ottawa's 116 neighbourhoods from dissemination areas; order them."""
    folder = data / "ottawa_2021"
    names = ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")
    add_census(work / "store", [folder / name for name in names])
    census = lipgeo.open_census(work / "store")
    areas = lipgeo.read_service_areas(
        folder / "neighbourhoods.gpkg", id="ONS_ID", name_en="ONS_Name"
    )
    build = lipgeo.write_build(lipgeo.fit_boundaries(census, areas), work / "build")
    start = time.perf_counter()
    lipgeo.write_order(lipgeo.read_build(build), work / "one", leave_out_empty=True)
    return build, census, time.perf_counter() - start


def bytes_and_bits(work: Path, build: Path, census: Census, spent: float) -> None:
    """Print equality of two orders and how many flipped bits are found."""
    held = files(work / "one")
    size = sum(map(len, held.values())) / 1e6
    print(f"order of Ottawa: {len(held)} files, {size:.1f} MB, {spent:.1f} s")
    time.sleep(2)
    again = lipgeo.write_order(lipgeo.read_build(build), work / "two", leave_out_empty=True)
    same = sum(files(again)[name] == data for name, data in held.items())
    print(f"written again later: {same} of {len(held)} files are the same bytes")
    start = time.perf_counter()
    report = lipgeo.verify_order(again, census)
    took = time.perf_counter() - start
    print(f"verify with the census: {took:.2f} s: {report.frame.check.tolist()}")
    draw, tried, found = random.Random(1), 0, 0
    for name, data in held.items():
        for at in {0, len(data) - 1, *(draw.randrange(len(data)) for _ in range(2))}:
            spoiled = bytearray(data)
            spoiled[at] ^= 1 << draw.randrange(8)
            (again / name).write_bytes(spoiled)
            tried += 1
            try:
                told = {f.subject for f in lipgeo.verify_order(again).only(severity="error")}
            except OrderError:
                told = {"manifest.json"}
            found += name in told
        (again / name).write_bytes(data)
    print(f"flipped bits: {tried} in {len(held)} files; found in the right file: {found}")
    shutil.rmtree(again)


def started(build: Path, target: Path) -> subprocess.Popen:
    """Start a process that writes an order; return it when it begins to write."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(build), str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    writer.stdout.readline()
    writer.stdin.write("go\n")
    writer.stdin.flush()
    return writer


def kills(work: Path, build: Path) -> None:
    """Print what twenty kills leave."""
    writer = started(build, work / "timed")
    start = time.perf_counter()
    while not (work / "timed").exists():
        time.sleep(0.01)
    spent = time.perf_counter() - start
    writer.communicate()
    whole = none = broken = 0
    for point in range(20):
        target = work / f"killed-{point}"
        writer = started(build, target)
        time.sleep(spent * (point + 0.5) / 16)
        writer.kill()
        writer.communicate()
        if not target.exists():
            none += 1
        elif lipgeo.verify_order(target).ok:
            whole += 1
        else:
            broken += 1
    print(f"kill -9 at 20 points of the write: {whole} whole, {none} none, {broken} broken")


def widths_and_text(work: Path, census: Census) -> None:
    """Print what is read back from the shapefile, the workbook and the concordance."""
    order = work / "one"
    with zipfile.ZipFile(order / "areas_2021.zip") as archive:
        archive.extractall(work / "shape")
    path = work / "shape" / "areas_2021.shp"
    with fiona.open(path) as source:
        promised = dict(source.schema["properties"]) == FIELDS
        rows = len(source)
    frame = pyogrio.read_dataframe(path)
    print(
        f"shapefile: {rows} rows; fiona reads the {len(FIELDS)} fields as promised: {promised}; "
        f"pyogrio the same names: {frame.columns.tolist()[:-1] == list(FIELDS)}"
    )
    book = openpyxl.load_workbook(order / "concordance.xlsx", read_only=True)
    kinds = {c.data_type for r in book["concordance"].iter_rows(min_row=2) for c in r if c.value}
    print(f"workbook: cell types of the concordance {sorted(kinds)} (s is text)")
    areas = pyogrio.read_dataframe(order / "areas_2021.gpkg", layer="areas").set_index("custom_id")
    for name in ("concordance", "fewest_units"):
        table = pd.read_csv(order / f"{name}.csv", dtype=str, encoding="utf-8-sig")
        exact = 0
        for custom, group in table.groupby("CUSTOM_ID"):
            shapes = np.concatenate(
                [
                    census.data.geometry(level, census.rows(level, list(units)))
                    for level, units in group.groupby("LEVEL")["UNIT_CODE"]
                ]
            )
            exact += shapely.equals(shapely.union_all(shapes), areas.geometry[custom])
        print(f"{name}.csv: {len(table)} rows rebuild {exact} of {len(areas)} areas exactly")


def squares(people: list[float]) -> Census:
    """Return a made country of square dissemination areas in one subdivision."""
    count, side = len(people), int(np.ceil(np.sqrt(len(people))))
    west = 7_400_000.0 + 500 * (np.arange(count) % side)
    south = 1_200_000.0 + 500 * (np.arange(count) // side)
    da = pd.DataFrame({"unit_id": [f"3506{n:04d}" for n in range(count)]})
    da["CSD"], da["population"], da["land_km2"] = "3506008", people, 0.25
    da["dwellings"] = da["households"] = np.round(da["population"] / 2)
    town = pd.DataFrame({"unit_id": ["3506008"]})
    shapes = {"DA": shapely.box(west, south, west + 500, south + 500)}
    return Census(MemoryCensus(2021, {"DA": da, "CSD": town}, shapes))


def units(**areas: list[int]) -> pd.DataFrame:
    """Return a unit list."""
    return pd.DataFrame(
        [(name, "DA", f"3506{n:04d}") for name, of in areas.items() for n in of],
        columns=["area_id", "level", "unit_id"],
    )


def planted() -> None:
    """Print the differences found among overlapping areas where two were planted."""
    draw = np.random.default_rng(7)
    people = draw.integers(60, 900, 900).astype(float)
    people[77], people[430] = 12, 25
    areas = {f"lip{n:02d}": sorted({*draw.integers(0, 60, 12).tolist()} - {77}) for n in range(40)}
    areas |= {"big": list(range(70, 95)), "small": [n for n in range(70, 95) if n != 77]}
    quarter = [[n for n in range(400 + 25 * q, 425 + 25 * q) if n != 430] for q in range(4)]
    areas |= {f"quadrant{q}": quarter[q] for q in range(4)} | {"city": list(range(400, 500))}
    census = squares(people.tolist())
    start = time.perf_counter()
    report = check_differences(ground(census, units(**areas)), 2021)
    print(
        f"planted differences, {len(areas)} overlapping areas of {len(people)} units: "
        f"{time.perf_counter() - start:.2f} s"
    )
    for found in report.only("differencing"):
        print(f"  {found.value:.0f} people: {found.message[:150]}...")


def ninety(work: Path) -> None:
    """Print what the difference of two orders says when three areas of ninety changed."""
    census = squares([200.0 + (37 * n) % 700 for n in range(400)])
    then = {f"a{n:02d}": list(range(4 * n, 4 * n + 4)) for n in range(90)}
    now = {**then, "a07": [29, 30, 31], "a41": [*then["a41"], 361], "a66": [264, 265, 266, 362]}
    old, new = work / "old", work / "new"
    for folder, areas, since in ((old, then, None), (new, now, old)):
        given = lipgeo.ServiceAreas.from_units(units(**areas), census)
        lipgeo.write_order(lipgeo.fit_boundaries(census, given), folder, since=since)
    found = lipgeo.diff_orders(old, new)
    print(f"diff: {found!r}")
    same = found.areas.set_index("area_id")["same_bytes"]
    print(f"files of areas that are the same bytes: {same.sum()} of {len(same)}")
    one, other = files(old), files(new)
    print(f"areas/ by bytes: {sum(other.get(n) == d for n, d in one.items() if n[:6] == 'areas/')}")


def main() -> None:
    """Run everything."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared" / "data"
    with tempfile.TemporaryDirectory(prefix="lipgeo-") as folder:
        work = Path(folder)
        if (data / "ottawa_2021").exists():
            build, census, spent = ottawa(data, work)
            bytes_and_bits(work, build, census, spent)
            widths_and_text(work, census)
            kills(work, build)
        else:
            print(f"the real data are not at {data}: Ottawa is left out")
        planted()
        ninety(work)


if __name__ == "__main__":
    main()
