"""Census files as Statistics Canada publishes them, of the toy town and of a gridded county."""

from __future__ import annotations

import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import toytown

#: west and south edge of the county, EPSG:3347 metres
WEST, SOUTH = 7_400_000.0, 1_150_000.0


def zipped(shapefile: Path, *, folder: str = "") -> Path:
    """Zip a shapefile's parts, under a folder inside the zip if asked; remove the parts."""
    target = shapefile.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for part in sorted(shapefile.parent.glob(shapefile.stem + ".*")):
            if part != target:
                archive.write(part, f"{folder}/{part.name}" if folder else part.name)
                part.unlink()
    return target


def boundary_frame(level: str, ids: list[str], shapes: list[object]) -> gpd.GeoDataFrame:
    """Return a boundary layer with the columns of the 2021 English files."""
    schema = {"DA": "S0512", "DB": "S0513", "CSD": "A0005"}[level]
    frame = gpd.GeoDataFrame(
        {
            f"{level}UID": ids,
            "DGUID": [f"2021{schema}{unit}" for unit in ids],
            "LANDAREA": np.round(shapely.area(np.asarray(shapes)) / 1e6, 4),
            "PRUID": [unit[:2] for unit in ids],
        },
        geometry=list(shapes),
        crs="EPSG:3347",
    )
    if level == "DB":
        points = shapely.point_on_surface(np.asarray(frame.geometry))
        frame.insert(2, "DBRPLAMX", shapely.get_x(points))
        frame.insert(3, "DBRPLAMY", shapely.get_y(points))
    return frame


def town(folder: Path) -> dict[str, Path]:
    """Write the toy town: ``da`` (zip, sub-folder), ``db`` (zip), ``counts`` and ``csd`` (CSV)."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = toytown.blocks()
    letters = blocks["zone_id"]
    da = blocks.dissolve(letters.map(toytown.DA_OF))
    layers = {
        "da": (
            "lda_000b21a_e",
            boundary_frame("DA", [toytown.DA_IDS[k] for k in da.index], da.geometry),
        ),
        "db": (
            "ldb_000b21a_e",
            boundary_frame("DB", list(letters.map(toytown.DB_IDS)), blocks.geometry),
        ),
    }
    paths = {}
    for key, (stem, frame) in layers.items():
        frame.to_file(folder / f"{stem}.shp", engine="pyogrio")
        paths[key] = zipped(folder / f"{stem}.shp", folder=stem if key == "da" else "")
    counts = pd.DataFrame(
        {
            "DBUID": letters.map(toytown.DB_IDS),
            "dbpop2021": blocks["population"],
            "dbtdwell2021": blocks["dwellings"],
            "dburdwell2021": blocks["dwellings"],
        }
    )
    paths["counts"] = folder / "db_counts_2021.csv"
    counts.to_csv(paths["counts"], index=False)
    csd = pd.DataFrame(
        [(toytown.DA_IDS[k], v, f"Place {v[-3:]}", "CY") for k, v in toytown.CSD_OF.items()],
        columns=["DAUID", "CSDUID", "CSDNAME", "CSDTYPE"],
    )
    paths["csd"] = folder / "da_parents_2021.csv"
    csd.to_csv(paths["csd"], index=False)
    return paths


def county(folder: Path, side: int = 48, da_side: int = 4) -> dict[str, Path]:
    """Write a county of ``side`` x ``side`` square blocks of 100 m: ``da``, ``db``, ``counts``."""
    folder.mkdir(parents=True, exist_ok=True)
    column, row = (part.ravel() for part in np.meshgrid(np.arange(side), np.arange(side)))
    das = side // da_side
    da = row // da_side * das + column // da_side
    place = row % da_side * da_side + column % da_side
    da_ids = np.array([f"3506{number:04d}" for number in range(das * das)])
    db_ids = [f"{da_ids[a]}{p:03d}" for a, p in zip(da, place, strict=True)]
    west, south = WEST + column * 100.0, SOUTH + row * 100.0
    blocks = shapely.box(west, south, west + 100, south + 100)
    size = 100.0 * da_side
    corner_x = WEST + np.arange(das * das) % das * size
    corner_y = SOUTH + np.arange(das * das) // das * size
    areas = shapely.box(corner_x, corner_y, corner_x + size, corner_y + size)
    paths = {}
    for key, stem, frame in (
        ("da", "lda_000b21a_e", boundary_frame("DA", list(da_ids), list(areas))),
        ("db", "ldb_000b21a_e", boundary_frame("DB", db_ids, list(blocks))),
    ):
        frame.to_file(folder / f"{stem}.shp", engine="pyogrio")
        paths[key] = folder / f"{stem}.shp"
    population = (np.arange(len(db_ids)) * 7) % 90
    paths["counts"] = folder / "db_counts_2021.csv"
    pd.DataFrame(
        {"DBUID": db_ids, "dbpop2021": population, "dbtdwell2021": population // 2}
    ).to_csv(paths["counts"], index=False)
    return paths
