"""Make service areas of a made census: outlines drawn or redrawn from units, and unit lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.arrays import Floats, Ints
from lipgeo.census.census import Census
from lipgeo.synthetic.census import country_of
from lipgeo.synthetic.land import noise
from lipgeo.synthetic.units import settled_cells

__all__ = ["service_areas", "unit_lists"]

Kind = Literal["mixed", "redrawn", "freehand", "streets"]

_CORNERS = 240  # of an outline drawn by hand
_SHIFT_M = 6.0  # how far a redrawn outline strays from the units'


def service_areas(
    census: Census, count: int = 90, *, seed: int = 1, kind: Kind = "mixed"
) -> gpd.GeoDataFrame:
    """Draw service areas over a census, as partnerships draw them.

    The first ones stand around the largest cities, a few take in whole regions; together they
    hold most of the people. Areas overlap here and there; one straddles two provinces, some have
    a hole or an outlying part.

    Parameters
    ----------
    census
        The census, with dissemination areas and their polygons.
    count
        How many areas.
    seed
        The same seed gives the same areas.
    kind
        ``"redrawn"``: unions of dissemination areas, their outlines drawn again with other
        vertices and a few metres off; ``"freehand"``: outlines that ignore the units;
        ``"streets"``: settled ground, outlines along the streets where towns end, whatever units
        they cut (of a census made with ``settled=True``); ``"mixed"``: the first two, one after the
        other.

    Returns
    -------
    geopandas.GeoDataFrame
        RangeIndex; ``area_id``, ``name_en``, ``name_fr`` (text), ``kind`` (redrawn, freehand,
        streets), ``geometry`` (polygons, EPSG:3347).

    Examples
    --------
    >>> from lipgeo import synthetic
    >>> areas = synthetic.service_areas(synthetic.census(1_000), 4)
    >>> areas["area_id"].tolist(), areas["kind"].tolist()
    (['lip-001', 'lip-002', 'lip-003', 'lip-004'], ['redrawn', 'freehand', 'redrawn', 'freehand'])
    """
    rng = np.random.default_rng([seed, 11])
    units = census.units("DA")
    xy = units[["x", "y"]].to_numpy()
    people = units["population"].fillna(0).to_numpy()
    hearts = _hearts(census, units, people, count, rng)
    wanted = rng.lognormal(0.0, 0.5, count) * 0.75 * people.sum() / count
    wanted *= np.where(rng.random(count) < 0.1, 4.0, 1.0)
    kinds = np.array(["redrawn", "freehand"])[np.arange(count) % 2]
    if kind != "mixed":
        kinds[:] = kind
    polygons = census.data.geometry("DA")
    shapes: list[object] = []
    for number, heart in enumerate(hearts):
        distance = np.hypot(*(xy - xy[heart]).T)
        order = np.argsort(distance, kind="stable")
        reached = int(np.searchsorted(np.cumsum(people[order]), wanted[number])) + 1
        inside = order[:reached]
        if kinds[number] == "streets":
            shapes.append(_along_streets(census, xy[heart], xy[order[:reached]], shapes))
        elif kinds[number] == "redrawn":
            shapes.append(redrawn_outline(polygons[inside], seed * 1_000 + number))
        else:
            radius = distance[inside].max() + 0.4 * np.sqrt(_surface(polygons[heart]))
            shapes.append(_freehand(xy[heart], radius, number, rng))
    names = _names(census, units.index[hearts])
    return gpd.GeoDataFrame(
        {
            "area_id": [f"lip-{number + 1:03d}" for number in range(count)],
            "name_en": [f"{name} Local Immigration Partnership" for name in names],
            "name_fr": [f"Partenariat local en immigration : {name}" for name in names],
            "kind": kinds,
        },
        geometry=np.array(shapes, dtype=object),
        crs=census.crs,
    )


def _along_streets(census: Census, heart: Floats, reached: Floats, taken: list[object]) -> object:
    """Draw the settled ground around a heart that no area has yet, along the sides of cells."""
    country = country_of(census)
    plane, units = country.plane, country.units
    centre = plane.centres[units.cells]
    radius = np.hypot(*(reached - heart).T).max() + 1.0
    inside = settled_cells(country.land, plane, units)
    inside &= np.hypot(*(centre - heart).T) <= radius
    for other in taken:
        inside &= ~shapely.contains_xy(other, centre[:, 0], centre[:, 1])
    label = np.full(len(plane.dry), -1, dtype=np.int64)
    label[units.cells[inside]] = 0
    shape = plane.outlines(label, 1)[0] if inside.any() else shapely.Polygon()
    return shape if shapely.is_valid(shape) else shapely.make_valid(shape, method="structure")


def _surface(polygon: object) -> float:
    return float(np.nan_to_num(shapely.area(polygon), nan=1e6))


def _hearts(
    census: Census, units: pd.DataFrame, people: Floats, count: int, rng: np.random.Generator
) -> Ints:
    """Choose where areas stand: in the largest cities, then wherever people live.

    The second stands in the metropolitan area that lies in two provinces, where there is one.
    """
    chosen: list[int] = []
    seen = pd.Series(people, index=units.index)
    if "CMA" in units and units["CMA"].notna().any():
        city = units["CMA"].to_numpy(dtype=object, na_value=None)
        size = seen.groupby(city).sum().sort_values(ascending=False)
        across = units.groupby("CMA")["PR"].nunique()
        twice = [code for code in size.index if across[code] > 1]
        listed = [code for code in size.index if code not in twice]
        for code in [*listed[:1], *twice[:1], *listed[1:], *twice[1:]]:
            rows = np.flatnonzero(city == code)
            chosen.append(int(rows[people[rows].argmax()]))
    live = np.flatnonzero(people > 0)
    more = rng.choice(live, min(count, len(live)), replace=False, p=people[live] / people.sum())
    return np.array([*chosen, *more, *rng.choice(live, count)][:count], dtype=np.int64)


def redrawn_outline(polygons: npt.NDArray[np.object_], seed: int) -> shapely.Geometry:
    """Draw the union of polygons again: fewer vertices, others between, a few metres off."""
    union = shapely.coverage_union_all(polygons[~shapely.is_missing(polygons)])
    plain = shapely.simplify(union, 2.0)
    length = max(60.0, float(shapely.length(plain)) / 30_000)
    drawn = shapely.segmentize(plain, length)

    def off(points: Floats) -> Floats:
        # a field this smooth cannot fold an outline over itself
        east, north = (noise(points[:, 0], points[:, 1], 400.0, seed * 2 + axis) for axis in (0, 1))
        return np.asarray(points + _SHIFT_M * np.column_stack([east + 0.4, north - 0.3]))

    moved = shapely.transform(drawn, off)
    return moved if shapely.is_valid(moved) else shapely.make_valid(moved, method="structure")


def freehand_outline(heart: Floats, radius: float, rng: np.random.Generator) -> shapely.Geometry:
    """Draw a closed line around a heart, as by hand."""
    return shapely.polygons(_loop(heart, radius, rng))


def _freehand(heart: Floats, radius: float, number: int, rng: np.random.Generator) -> object:
    """Draw a closed line around a heart, every fifth with a hole, every seventh with a part."""
    outline = freehand_outline(heart, radius, rng)
    if number % 10 in (3, 8):
        hole = shapely.polygons(_loop(heart + 0.3 * radius, 0.12 * radius, rng))
        outline = shapely.difference(outline, hole)
    if number % 14 in (5, 12):
        away = heart + np.array([2.2 * radius, 0.3 * radius])
        outline = shapely.union(outline, shapely.polygons(_loop(away, 0.3 * radius, rng)))
    return outline


def _loop(heart: Floats, radius: float, rng: np.random.Generator) -> Floats:
    angle = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    wave = sum(
        rng.uniform(-1, 1) / k * np.sin(k * angle + rng.uniform(0, 2 * np.pi))
        for k in (2, 3, 5, 8, 13, 34)
    )
    away = radius * np.exp(0.35 * wave + 0.03 * rng.standard_normal(_CORNERS))
    return np.asarray(heart + away[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))


def _names(census: Census, areas: pd.Index) -> list[str]:
    """Return the name of the municipality each heart is in."""
    csd = census.units("DA")["CSD"].reindex(areas)
    return [str(name) for name in census.units("CSD")["unit_name"].reindex(csd)]


def unit_lists(census: Census, count: int = 6, *, seed: int = 1) -> pd.DataFrame:
    """List service areas by their census units, as partnerships state them.

    In turn: a city with its neighbours and two designated places; a metropolitan area by its
    code; a division without one of its subdivisions; a population centre; a subdivision.

    Parameters
    ----------
    census
        The census.
    count
        How many areas.
    seed
        The same seed gives the same lists.

    Returns
    -------
    pandas.DataFrame
        One row a unit: ``area_id, level, unit_id, mode`` (include or exclude), ``name_en,
        name_fr``.

    Examples
    --------
    >>> from lipgeo import synthetic
    >>> synthetic.unit_lists(synthetic.census(1_000), 2)["level"].unique().tolist()
    ['CSD', 'DPL', 'CMA']
    """
    rng = np.random.default_rng([seed, 12])
    csd, blocks = census.units("CSD"), census.units("DB")
    towns = csd.sort_values("population", ascending=False)
    centre = "POPCTR" if "POPCTR" in census.levels else "UA"
    rows: list[tuple[str, str, str, str, str]] = []
    for number in range(count):
        area, turn = f"units-{number + 1:03d}", number % 5
        town = str(towns.index[(number // 5 * 3 + turn) % len(towns)])
        name = str(csd.loc[town, "unit_name"])
        listed: Sequence[tuple[str, str, str]] = [("CSD", town, "include")]
        if turn == 0:
            cd = csd.loc[town, "CD"]
            beside = csd.index[(csd["CD"] == cd) & (csd.index != town)][:2]
            outside = blocks.loc[blocks["DPL"].notna() & ~blocks["CSD"].isin([town, *beside])]
            places = rng.permutation(outside["DPL"].unique().to_numpy(dtype=object))[:2]
            listed = [
                *listed,
                *(("CSD", str(code), "include") for code in beside),
                *(("DPL", str(code), "include") for code in places),
            ]
        elif turn == 1:
            codes = census.units("CMA").index
            listed = [("CMA", str(codes[rng.integers(len(codes))]), "include")]
        elif turn == 2:
            size = csd.groupby("CD").size()
            cd = str(rng.choice(size.index[size == size.max()].to_numpy(dtype=object)))
            left = csd.index[csd["CD"] == cd][-1]
            listed = [("CD", cd, "include"), ("CSD", str(left), "exclude")]
        elif turn == 3:
            codes = census.units(centre).index
            listed = [(centre, str(codes[rng.integers(len(codes))]), "include")]
        rows += [(area, *unit, name) for unit in listed]
    frame = pd.DataFrame(rows, columns=["area_id", "level", "unit_id", "mode", "name_en"])
    return frame.assign(name_fr=frame["name_en"])
