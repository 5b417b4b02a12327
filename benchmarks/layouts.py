"""Read every file of the real layouts: what it is read as, or the sentence it is refused in.

::

    python benchmarks/layouts.py            the files beside the checkout, in ../shared/data
    python benchmarks/layouts.py FOLDER     another folder of layouts, deliveries and members

A file is first given as it is; where the sentence asks for something, it is given again with
that. Below stand how many characteristics of the dictionary Statistics Canada's own lists bear
out, census by census, and what becomes of numbers that look like codes of every level.
"""

from __future__ import annotations

import csv
import re
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.errors import LipgeoError, TableError
from lipgeo.readers.areas import read_service_areas
from lipgeo.readers.tables import read_table
from lipgeo.tables.variables import find_variables, known_variables

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
FOLDERS = ("layouts", "deliveries", "members")
#: what the sentence asks for
ASKED: dict[str, dict[str, Any]] = {
    "2021_92-150-X_eng.zip": {"level": "DA"},
    "98-400-X2016001_layout.csv": {
        "level": "CD", "where": {"Age (in single years) and average age": "Total"},
    },
    "98-400-X2016001_total.csv": {"level": "CD"},
    "98100002-eng.zip": {"level": "CSD"},
    "98100002_en.csv": {"level": "CSD"},
    "98100002_fr.csv": {"level": "CSD"},
    "98100015_en.csv": {"level": "DA"},
    "98100307_en.csv": {"where": {"Age": "Total", "Gender": "Total"}},
    "PN.csv": {"vintage": 2021},
    "chass.csv": {"id": "COL0", "level": "DA", "vintage": 2021},
    "symbol_rE.csv": {"vintage": 2021},
    "accounting_zero.csv": {"vintage": 2021},
    "dollar_cells.csv": {"vintage": 2021},
    "no_column_recognised.csv": {"id": "da_id", "level": "DA", "vintage": 2021},
    "cdp_lip_long_shape.csv": {"where": {"Tax year": "2021"}},
    "wds_long_shape.csv": {"where": {"Immigrant admission category": "Total"}},
    "cartodb.geojson": {"id": "name"},
    "lambert_no_crs.geojson": {"crs": "EPSG:3347"},
}  # fmt: skip
#: files of areas, drawn or as lists of units; the others are tables
AREAS = {
    "cartodb.geojson": {},
    "free_hole.geojson": {},
    "lambert_no_crs.geojson": {},
    "ok_the_geom.csv": {"crs": "EPSG:4326", "id": "COMM_CODE"},
    "socrata_long_wkt.csv": {"crs": "EPSG:4326", "id": "COMM_CODE"},
    "share1.csv": {"id": "ONS_ID"},
    "share2.csv": {"id": "ONS_ID"},
    "socrata_multipolygon_header.csv": {"crs": "EPSG:4326", "id": "COMM_CODE"},
}
#: numbers that fit a level, under a header that says nothing
GUESSES = {
    "row numbers": range(1, 30), "of four digits": range(1000, 1030),
    "provinces": (35, 24, 10, 59), "metropolitan areas": (505, 535, 933),
    "economic regions": (3510, 3515, 5910), "divisions": (3506, 3520, 2466),
    "population centres": ("0616", "0944", "0459"), "districts": (35076, 35077, 24001),
    "subdivisions": (3506008, 3520005, 2466023), "consolidated": (3502036, 1001101, 3506008),
    "dissemination areas": (35060001, 35060002), "aggregate areas": (35060001, 35200003),
    "blocks": (35060001001, 35060001002), "tracts": ("5050001.00", "5050002.00"),
    "tracts without a point": (505000100, 505000200), "health regions": (1011, 1012),
    "incomes": (31200, 29800, 50000), "counts with x": (7035, 4115, "x"),
    "years": (2016, 2021), "places": (350001, 350002),
}  # fmt: skip


def read_as_table(path: Path, options: dict[str, Any]) -> str:
    """Return what a table is read as, in a line."""
    table = read_table(path, **options)
    units = "own areas" if table.level is None else table.level
    first = table.frame.iloc[0].dropna()
    shown = f"{first.index[0]} {first.iloc[0]:,g}" if len(first) else "no number"
    return (
        f"{units} {table.vintage or '-'}, {len(table.frame):,} by {len(table.columns):,}; "
        f"{table.unit_ids[0]}: {shown}"
    )


def read_as_areas(path: Path, options: dict[str, Any]) -> str:
    """Return what a file of outlines is read as, in a line."""
    found = read_service_areas(path, **options)
    return f"{len(found)} areas: {', '.join(map(str, found.ids[:3]))}"


def outcome(read: Callable[..., str], path: Path, options: dict[str, Any]) -> tuple[str, str]:
    """Return ``read``, ``refused`` or ``FAULT``, and what was read or said."""
    try:
        return "read", read(path, options)
    except LipgeoError as error:
        return "refused", " ".join(str(error).split())
    except Exception as error:
        return "FAULT", f"{type(error).__name__}: {error}"


def print_files(folder: Path) -> Counter[str]:
    """Print what becomes of each file, as it is and with what its sentence asks for."""
    counted: Counter[str] = Counter()
    for part in FOLDERS:
        for path in sorted((folder / part).iterdir()):
            if path.suffix == ".py":
                continue
            read = read_as_areas if path.name in AREAS else read_as_table
            options = AREAS.get(path.name, {})
            came, said = outcome(read, path, options)
            last = came
            print(f"{part}/{path.name}: {came}")
            print(textwrap.indent(textwrap.fill(said, 96), "    "))
            if came == "refused" and path.name in ASKED:
                last, said = outcome(read, path, options | ASKED[path.name])
                print(f"  with {ASKED[path.name]}: {last}")
                print(textwrap.indent(textwrap.fill(said, 96), "    "))
            counted[last] += 1
            counted["at once"] += came == "read"
    return counted


def print_dictionary(folder: Path) -> None:
    """Print how many ids of the dictionary stand in the official list with their words."""
    lists = {2016: ("98-401-X2016058_meta.txt", "utf-8-sig"),
             2021: ("98-401-X2021003_meta.txt", "cp1252")}  # fmt: skip
    for vintage in (2006, 2011, 2016, 2021):
        places = [
            place
            for one in known_variables(vintage).values()
            for place in one.characteristics
            if place.vintage == vintage
        ]
        line = f"{vintage}: {len(places)} variables, {sum(p.id is not None for p in places)} ids"
        if vintage in lists:
            name, encoding = lists[vintage]
            rows = characteristics_of((folder / "members" / name).read_text(encoding))
            found = find_variables(rows, vintage)
            sure = int((found["certainty"] == "verified").sum())
            line += f", {sure} of them in the list of {len(rows):,} with their words"
        else:
            line += f", found by words ({places[0].certainty})"
        print(line)


def characteristics_of(text: str) -> pd.DataFrame:
    """Return ``id, name`` of the longest list numbered from 1 in a text."""
    runs: list[list[tuple[str, str]]] = [[]]
    for number, words in re.findall(r"^ *(\d+)(?:\.|\t)\s*(\S.*)$", text, re.MULTILINE):
        if number == "1":
            runs.append([])
        if int(number) == len(runs[-1]) + 1:
            runs[-1].append((number, words))
    return pd.DataFrame(max(runs, key=len), columns=["id", "name"])


def print_guesses() -> int:
    """Print how many columns of numbers were taken for codes; return that number."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        for words, numbers in GUESSES.items():
            path = Path(folder, "t.csv")
            with path.open("w", newline="", encoding="utf-8") as stream:
                rows = [(one, at + 5) for at, one in enumerate(numbers)]
                csv.writer(stream).writerows([("Nombre", "Immigrants"), *rows])
            for vintage in (None, 2021):
                try:
                    read_table(path, vintage=vintage)
                except TableError:
                    continue
                taken.append(words)
    print(f"{len(GUESSES)} columns of numbers that fit a level: {len(taken)} taken for codes")
    return len(taken)


def main(arguments: list[str]) -> int:
    """Print all three; exit 1 where something but a sentence came out."""
    folder = Path(arguments[0]) if arguments else REAL
    counted = print_files(folder)
    files = counted["read"] + counted["refused"] + counted["FAULT"]
    print(
        f"\n{files} files: {counted['at once']} read as they are, "
        f"{counted['read'] - counted['at once']} with what was asked for, "
        f"{counted['refused']} refused, {counted['FAULT']} faults"
    )
    print_dictionary(folder)
    return int(bool(print_guesses() or counted["FAULT"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
