"""The way from published files to a comparison, for a census that stands in a folder of facts.

Run with ``LIPGEO_FACTS`` naming ``facts`` beside this file: ``python journey.py FOLDER``. It makes
censuses of 2026 and 2021 of one country, writes them as published, and takes the files through
store, table, fit, order and comparison by the commands. What is left in FOLDER the tests read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from portal_journey import through_a_portal

from lipgeo import open_census, read_correspondence, synthetic
from lipgeo.cli import main
from lipgeo.geography import dguid, parse_dguid, vintages

LEVELS = ("DB", "DA", "CSD", "CD", "FED", "PR")


def run(*words):
    """Run one command; what it found is no failure, a wrong call is."""
    try:
        main([str(word) for word in words])
    except SystemExit as ended:
        if ended.code not in (None, 0, 1):
            raise


def journey(folder):
    """Leave the files, the store, the build, the order and the comparison in a folder."""
    newer = synthetic.census(1_000, vintage=2026, seed=4)
    older = synthetic.census(1_000, vintage=2021, seed=4)
    store, tables = folder / "store", {}
    for census in (newer, older):
        year = census.vintage
        files = folder / str(year)
        written = synthetic.write_files(census, files, levels=LEVELS)
        run("census", "add", *written, "--store", store, "--quiet")
        made = [synthetic.table(census, level, incomes=False) for level in ("CSD", "DA")]
        tables[year] = synthetic.write_profile(census, made, files)
        truth = made[-1].truth[["population", "immigrants"]]
        truth.to_csv(files / "truth.csv")
    links = [
        synthetic.write_correspondence(newer, older, folder / "2026", level)
        for level in ("DA", "DB")
    ]
    drawn = folder / "areas.gpkg"
    synthetic.service_areas(newer, 2, seed=2).to_file(drawn)
    here = ("--store", store, "--id", "area_id")
    run("build", drawn, "--vintage", 2026, "--out", folder / "build", *here, "--quiet")
    run("order", folder / "build", "--out", folder / "order")
    run("verify", folder / "order")
    named = [word for year in tables for path in tables[year]
             for word in ("--table", f"{year}={path}")]  # fmt: skip
    named += [word for link in links for word in ("--correspondence", link)]
    out = folder / "comparison.csv"
    run("compare", drawn, *named, "--variables", "population,immigrants", "--out", out, *here)
    opened = [open_census(store, census.vintage) for census in (newer, older)]
    through_a_portal(folder, opened, tables, [read_correspondence(link) for link in links])
    known = {
        "vintages": vintages(),
        "dguid": dguid("DB", "35060001001", 2026),
        "fed": parse_dguid("2023A000435076").censuses,
    }
    (folder / "known.json").write_text(json.dumps(known))


if __name__ == "__main__":
    journey(Path(sys.argv[1]))
