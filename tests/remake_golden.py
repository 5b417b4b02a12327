"""Remake the golden order of the toy town: ``python3 dev.py golden`` (or run this file).

Look at what changed before it is committed: a golden file that changes is a change users meet.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import toytown

from lipgeo import fit_boundaries, write_order
from lipgeo.areas import ServiceAreas

GOLDEN = Path(__file__).resolve().parent / "golden" / "toytown"
NAMES = {"1": ("West", "Ouest"), "2": ("South", "Sud"), "3": ("Block d", None)}
TABLES = [
    {"table": "T1", "title": "Income by age"},
    {"table": "T2", "title": "Mobility"},
    {"table": "T9", "title": "Place of work"},
]


def make(folder: Path) -> Path:
    """Write the order of the toy town into a folder."""
    frame = toytown.areas()
    told = frame["area_id"].map(NAMES)
    frame["name_en"], frame["name_fr"] = told.str[0], told.str[1]
    areas = ServiceAreas.from_frame(frame, id="area_id", name_en="name_en", name_fr="name_fr")
    boundaries = fit_boundaries(toytown.census(), areas, unit="DB")
    contact = "Clerk, clerk@example.ca"
    return write_order(boundaries, folder, tables=TABLES, contact=contact, keep=["3"])


if __name__ == "__main__":
    shutil.rmtree(GOLDEN, ignore_errors=True)
    print(make(GOLDEN), file=sys.stderr)
