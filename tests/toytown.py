"""The toy town: maps drawn as letters, and a census of twelve blocks to try things on.

Most tests use only this. A map is drawn in ASCII, one letter a zone, ``.`` and space for nothing;
each character is a square of 100 m, the first row is the north. The town (EPSG:3347)::

    blocks      dissemination areas   service areas
    aabbccdd    PPPPQQQQ              11111.33   1 takes a, b and the west half of c
    aabbccdd    PPPPQQQQ              11111.33   3 is block d, whole
    eeffgghh    PPPPQQQQ              2222....   2 takes e, f and the north half of i, j
    eeffgghh    PPPPQQQQ              2222....
    iijjkkll    RRRRSSSS              2222....
    iijjkkll    RRRRSSSS              ........

    a 100 people, b 200, c 80, d 40, e 60, f 0, g 10, h 0, i 50, j 150, k 300, l 10  (1,000 in all)

So 1 and 2 share P, 1 cuts Q, 2 cuts R, and S is in none. P, Q are in census subdivision 3506008,
R, S in 3506012. Block f has dwellings and no people, block h has neither.
"""

from __future__ import annotations

import textwrap

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from lipgeo.census import Census, MemoryCensus

CELL_M = 100.0
#: west and south edge of every drawing, EPSG:3347 metres (near Ottawa)
ORIGIN = (7_470_000.0, 1_190_000.0)

BLOCKS = """
    aabbccdd
    aabbccdd
    eeffgghh
    eeffgghh
    iijjkkll
    iijjkkll
"""
AREAS = """
    11111.33
    11111.33
    2222....
    2222....
    2222....
    ........
"""
POPULATION = dict(
    zip("abcdefghijkl", (100, 200, 80, 40, 60, 0, 10, 0, 50, 150, 300, 10), strict=True)
)
DWELLINGS = dict(zip("abcdefghijkl", (50, 90, 40, 20, 30, 7, 5, 0, 25, 70, 150, 5), strict=True))
DA_OF = dict(zip("abcdefghijkl", "PPQQPPQQRRSS", strict=True))
#: letter of a dissemination area -> its id
DA_IDS = {"P": "35060001", "Q": "35060002", "R": "35060003", "S": "35060004"}
CSD_OF = {"P": "3506008", "Q": "3506008", "R": "3506012", "S": "3506012"}
#: letter of a block -> its id: the area's id and the letter's place in it
DB_IDS = {
    letter: DA_IDS[da] + f"{1 + [k for k in DA_OF if DA_OF[k] == da].index(letter):03d}"
    for letter, da in DA_OF.items()
}


def draw(
    drawing: str,
    *,
    id: str = "zone_id",
    cell_m: float = CELL_M,
    origin: tuple[float, float] = ORIGIN,
    crs: object = "EPSG:3347",
) -> gpd.GeoDataFrame:
    """Parse a drawing: one row a letter, sorted by letter, columns ``id`` and ``geometry``.

    A letter's squares are merged: squares that touch become one polygon, others a multipolygon.

    >>> frame = draw('''
    ...     ab
    ...     aa
    ... ''', cell_m=1, origin=(0, 0))
    >>> frame.zone_id.tolist(), frame.area.tolist()
    (['a', 'b'], [3.0, 1.0])
    """
    lines = [line for line in textwrap.dedent(drawing).splitlines() if line.strip()]
    cells = pd.DataFrame(
        [
            (letter, column, row)
            for row, line in enumerate(reversed(lines))
            for column, letter in enumerate(line)
            if letter not in ". "
        ],
        columns=["letter", "x", "y"],
    )
    west = origin[0] + cells["x"].to_numpy() * cell_m
    south = origin[1] + cells["y"].to_numpy() * cell_m
    squares = gpd.GeoSeries(shapely.box(west, south, west + cell_m, south + cell_m), crs=crs)
    merged = squares.groupby(cells["letter"].to_numpy()).agg(
        lambda group: shapely.union_all(group.to_numpy())
    )
    return gpd.GeoDataFrame(
        {id: merged.index.astype(str)}, geometry=np.asarray(merged, dtype=object), crs=crs
    )


def blocks() -> gpd.GeoDataFrame:
    """Return the twelve blocks: ``zone_id`` (a letter), ``population``, ``dwellings``."""
    frame = draw(BLOCKS)
    frame["population"] = frame["zone_id"].map(POPULATION).astype("float64")
    frame["dwellings"] = frame["zone_id"].map(DWELLINGS).astype("float64")
    return frame


def areas() -> gpd.GeoDataFrame:
    """Return the three service areas: ``area_id`` (1, 2, 3)."""
    return draw(AREAS, id="area_id")


def census() -> Census:
    """Return the town as a 2021 census in memory: DB, DA, CSD, CD and PR, with polygons."""
    drawn = blocks()
    letters = drawn["zone_id"]
    da = letters.map(DA_OF)
    db = pd.DataFrame(
        {
            "unit_id": letters.map(DB_IDS),
            "unit_name": letters,
            "DA": da.map(DA_IDS),
            "CSD": da.map(CSD_OF),
            "CD": "3506",
            "PR": "35",
            "population": drawn["population"],
            "dwellings": drawn["dwellings"],
            "households": drawn["dwellings"],
        }
    )
    polygons = drawn.geometry.to_numpy()
    points = shapely.point_on_surface(polygons)
    db["land_km2"] = shapely.area(polygons) / 1e6
    db["x"], db["y"] = shapely.get_x(points), shapely.get_y(points)
    frames, geometry = {"DB": db}, {"DB": polygons}
    above = {"DA": ["CSD", "CD", "PR"], "CSD": ["CD", "PR"], "CD": ["PR"], "PR": []}
    for level, parents in above.items():
        groups = db.groupby(level, sort=True)
        sums = groups[["population", "dwellings", "households", "land_km2"]].sum()
        frame = pd.concat([groups[parents].first(), sums], axis=1) if parents else sums
        frame["unit_name"] = [f"{level} {unit}" for unit in frame.index]
        shapes = np.array(
            [shapely.union_all(polygons[rows]) for rows in groups.indices.values()], dtype=object
        )
        points = shapely.point_on_surface(shapes)
        frame["x"], frame["y"] = shapely.get_x(points), shapely.get_y(points)
        frames[level] = frame.rename_axis("unit_id").reset_index()
        geometry[level] = shapes
    return Census(MemoryCensus(2021, frames, geometry))
