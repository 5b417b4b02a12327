"""Count what Statistics Canada published, to prove a stored parent complete.

    python boundaries/make_published_counts.py FOLDER

FOLDER holds, as published: 2021_92-156-X_DA_AD.zip, 2016_92-156_DA_AD_csv.zip and
2016_92-156_DB_ID_csv.zip (correspondence files), csd_2021_generalised.gpkg and
cd_2021_generalised.gpkg (2021 population of every census subdivision and division), in it or in
its folder ``canada``; and lips.csv, whose units say which populations are needed. Writes
published_counts.csv beside this script, the same bytes each time.

What is counted. Dissemination areas (DA) and blocks (DB) by census division and province, from
the ids themselves. The 2021 file lists as many areas and blocks as the country had, the 2016 files
as many areas in 2016 and in 2011 (the country's totals of those years are general knowledge). Not
so the blocks: the 2016 files list 229 of 2016 and 153 of 2011 more than the country's stated total,
so those counts are marked ``listed``: a stored count equal to one is complete, an unequal one says
nothing.

Populations are the published ones, for the places partnerships name, not the whole table. That of
a census metropolitan area or a province is summed from its subdivisions.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd

HERE = Path(__file__).parent
COLUMNS = [
    "vintage",
    "level",
    "unit_id",
    "da_count",
    "db_count",
    "population",
    "source",
    "certainty",
]
SOURCE_2021 = "Statistics Canada, 92-156-X, 2021"
SOURCE_2016 = "Statistics Canada, 92-156-X, 2016"
LISTED = "DA verified, DB listed"
POPULATION = "Statistics Canada, 98-10-0002-01, 2021"


def main(folder: Path) -> None:
    """Write the counts found in a folder of published files."""
    areas_2021 = read_ids(find(folder, "2021_92-156-X_DA_AD.zip"))
    areas_2016 = read_ids(find(folder, "2016_92-156_DA_AD_csv.zip"))
    blocks_2016 = read_ids(find(folder, "2016_92-156_DB_ID_csv.zip"))
    counts = pd.concat(
        [
            count(2021, areas_2021["DAUID2021"], areas_2021["DBUID2021"], SOURCE_2021, "verified"),
            count(2016, areas_2016["DAUID2016"], blocks_2016["DBUID2016"], SOURCE_2016, LISTED),
            count(2011, areas_2016["DAUID2011"], blocks_2016["DBUID2011"], SOURCE_2016, LISTED),
        ]
    )
    table = counts.merge(populations(folder), on=["vintage", "level", "unit_id"], how="outer")
    sources = table[["source_count", "source_population"]].fillna("")
    table["source"] = (sources["source_count"] + "; " + sources["source_population"]).str.strip(
        "; "
    )
    marks = table[["certainty_count", "certainty_population"]].fillna("")
    both = marks["certainty_count"] + "; population " + marks["certainty_population"]
    table["certainty"] = both.str.removesuffix("; population ").str.removeprefix("; ")
    whole = ["da_count", "db_count", "population"]
    table[whole] = table[whole].astype("Int64")
    table = table.sort_values(["vintage", "level", "unit_id"], ascending=[False, True, True])
    target = HERE / "published_counts.csv"
    table[COLUMNS].to_csv(target, index=False, encoding="utf-8", lineterminator="\n")
    print(f"{target}: {len(table):,} rows")
    print(table.groupby(["vintage", "level"])[whole].sum().to_string())


def find(folder: Path, name: str) -> Path:
    """Return a published file in the folder or in its folder ``canada``."""
    return folder / name if (folder / name).exists() else folder / "canada" / name


def read_ids(path: Path) -> pd.DataFrame:
    """Read the one csv of a correspondence archive, columns by their English names."""
    with zipfile.ZipFile(path) as archive:
        (member,) = [name for name in archive.namelist() if name.endswith(".csv")]
        with archive.open(member) as lines:
            frame = pd.read_csv(lines, dtype=str, encoding="cp1252")
    return frame.rename(columns=lambda name: name.replace("/", "_").split("_")[0])


def count(
    vintage: int, areas: pd.Series, blocks: pd.Series, source: str, certainty: str
) -> pd.DataFrame:
    """Count distinct areas and blocks by division (4 digits of the id) and province (2)."""
    found = []
    for level, digits in (("CD", 4), ("PR", 2)):
        columns = {}
        for name, ids in (("da_count", areas), ("db_count", blocks)):
            distinct = pd.Series(ids.unique())
            columns[name] = distinct.groupby(distinct.str[:digits]).size()
        rows = pd.DataFrame(columns).rename_axis("unit_id").reset_index()
        found.append(rows.assign(vintage=vintage, level=level))
    return pd.concat(found).assign(source_count=source, certainty_count=certainty)


def populations(folder: Path) -> pd.DataFrame:
    """2021 populations of the places partnerships are made of."""
    partners = pd.read_csv(folder / "lips.csv", dtype=str)
    named = pd.concat([partners["units"], partners["alternatives"]]).dropna()
    units = named.str.split(";").explode().str.split(":", expand=True).drop_duplicates()
    csds = gpd.read_file(find(folder, "csd_2021_generalised.gpkg"), ignore_geometry=True)
    cds = gpd.read_file(find(folder, "cd_2021_generalised.gpkg"), ignore_geometry=True)
    # the file writes a CMA by its provincial part unless it lies in two provinces
    cmas = csds.groupby(csds["CMAUID"].str[-3:])["population_2021"].sum()
    by_level = {
        "CSD": (csds.set_index("rmapshaperid")["population_2021"], "verified"),
        "CD": (cds.set_index("rmapshaperid")["population_2021"], "verified"),
        "CMA": (cmas, "summed from subdivisions"),
        "PR": (csds.groupby("PRUID")["population_2021"].sum(), "summed from subdivisions"),
    }
    found = []
    for level, ids in units.groupby(0)[1]:
        known, certainty = by_level[str(level)]
        rows = known.reindex(sorted(ids)).dropna().rename("population").rename_axis("unit_id")
        found.append(rows.reset_index().assign(level=level, certainty_population=certainty))
    return pd.concat(found).assign(vintage=2021, source_population=POPULATION)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
