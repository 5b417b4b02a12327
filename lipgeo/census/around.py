"""Show the land around some areas: as pieces to subtract areas by, and as outlines for a map.

``ground`` gives the pieces, each wholly in or out of every area and published unit; from them it
is computed what the difference of two publications would tell. ``surroundings`` gives the standard
areas around as lines, for the eye only.
"""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.arrays import distinct
from lipgeo.census.census import Census
from lipgeo.census.completeness import Completeness
from lipgeo.census.data import COUNTS, Rows
from lipgeo.census.units import unit_atoms
from lipgeo.geography.hierarchy import levels_for

__all__ = ["STANDARD", "ground", "is_crowded", "no_ground", "no_surroundings", "surroundings"]

#: levels for which Statistics Canada publishes characteristics, coarse first (FSA are not made of
#: whole blocks; of blocks only counts are published)
STANDARD = levels_for("profile")
#: the municipality whose other areas are looked at with those an area touches; the first held
_AROUND = levels_for("municipality")
#: types of census subdivisions that are reserves and settlements of First Nations
_RESERVES = ("IRI", "S-É", "S-E", "IGD", "TC", "TK", "R", "NL", "TL", "TWL")

#: levels people find their way by, finest first
_LEVELS = levels_for("map")
#: outlines beyond which a map is a tangle: the next level is taken
_MOST = 250
#: part of the width shown on each side of the areas; a map is seldom as wide as its areas
_MARGIN = 0.3
#: finest detail kept, as a part of the width
_DETAIL = 1 / 2000
_COLUMNS = ("level", "unit_id", "unit_name", "population")


def ground(census: Census, units: pd.DataFrame) -> pd.DataFrame:
    """Return the land around areas as pieces, each wholly in or out of every area and unit.

    A piece is a dissemination area, or, where an area or a published unit cuts one, its blocks
    (units of the finest level held). All pieces of the municipalities touched are there.

    Parameters
    ----------
    census
        The census.
    units
        Units of the areas: ``area_id, level, unit_id``.

    Returns
    -------
    pandas.DataFrame
        RangeIndex; ``level, unit_id`` (text); ``population, dwellings, households`` (float64, NaN
        where unknown); ``incomplete`` (some block was not or not fully enumerated), ``reserve``
        (in a reserve or settlement of a First Nation, by the type of its subdivision; ``False``
        also where the type is not held); ``areas`` (ids of the areas that hold it, a list);
        for each level of :data:`STANDARD` held, the id of the unit that holds it (text, missing
        where none); ``whole``: levels of which that unit lies wholly in the frame, a list.
    """
    fine = census.atom_level
    # what the areas are made of, and all atoms of the municipalities they touch
    area_ids, owner, atom = _members(census, units)
    if not len(atom):
        return no_ground()
    columns = [c for c in STANDARD if c in census.data.columns(fine) and c != fine]
    rows = _around(census, fine, columns, distinct(atom))
    held = census.data.attributes(fine, columns, rows)
    ids = census.data.attributes(fine, ["unit_id"], rows)["unit_id"]
    place = np.searchsorted(rows, atom)
    # which piece each atom belongs to, and what each piece is and holds
    piece, level, names = _pieces(fine, held, ids, place, owner)
    frame = pd.DataFrame({"level": level, "unit_id": names}, dtype="string")
    first = np.unique(piece, return_index=True)[1]
    for name, values in _counts(census, fine, rows, piece, frame).items():
        frame[name] = values
    frame["incomplete"], frame["reserve"] = _marks(census, rows, piece, held, len(frame))
    # which areas hold each piece, and which units
    pairs = np.unique(np.column_stack([piece[place], owner]), axis=0)
    members: list[list[str]] = [[] for _ in range(len(frame))]
    named = [str(area) for area in area_ids]
    for at, area in pairs.tolist():
        members[at].append(named[area])
    frame["areas"] = pd.Series(members, dtype=object)
    for column in columns:
        frame[column] = held[column].iloc[first].astype("string").to_numpy()
    frame["whole"] = _whole(census, fine, frame, rows, held)
    return frame


def no_ground() -> pd.DataFrame:
    """Return the frame of nothing."""
    empty = pd.DataFrame({"level": [], "unit_id": []}, dtype="string")
    for name in COUNTS:
        empty[name] = np.array([], dtype=np.float64)
    for name in ("incomplete", "reserve"):
        empty[name] = np.array([], dtype=bool)
    for name in ("areas", "whole"):
        empty[name] = pd.Series([], dtype=object)
    return empty


def _members(census: Census, units: pd.DataFrame) -> tuple[pd.Index, Rows, Rows]:
    """Return area ids and pairs (position of the area, atom)."""
    area_ids = pd.Index(units["area_id"].unique())
    unit, atom = unit_atoms(census, units)
    area = area_ids.get_indexer(units["area_id"])[unit]
    return area_ids, area.astype(np.int64), atom


def _around(census: Census, fine: str, columns: Sequence[str], touched: Rows) -> Rows:
    """Return the atoms touched and all others of their municipalities, in order."""
    found = touched
    for level in _AROUND:
        if level in columns and level in census.levels:
            parent = census.data.attributes(fine, [level], touched)[level].dropna().unique()
            municipalities = census.rows(level, list(parent))
            found = distinct(np.concatenate([touched, census.atoms(level, municipalities)[1]]))
            break
    else:
        # no municipality is known: all that is held
        found = np.arange(len(census.zones(fine)))
    return np.asarray(found, dtype=np.int64)


def _pieces(
    fine: str, held: pd.DataFrame, ids: pd.Series, place: Rows, owner: Rows
) -> tuple[Rows, npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Return the number of each atom's piece, and the level and id of each piece."""
    code, areas = pd.factorize(held["DA"]) if "DA" in held else (np.arange(len(held)), ids)
    alone = (code < 0) | ("DA" not in held)
    # an area or a unit that holds part of a dissemination area cuts it
    size = np.bincount(code[~alone], minlength=max(len(areas), 1))
    inside = place[~alone[place]]
    pairs, count = np.unique(
        np.column_stack([owner[~alone[place]], code[inside]]), axis=0, return_counts=True
    )
    cut = np.zeros(len(size), dtype=bool)
    cut[pairs[count < size[pairs[:, 1]], 1]] = True
    for column in held.columns.difference(["DA"]):
        # -1 (in no unit) differs from every unit: a unit may hold part of a dissemination area
        value = pd.factorize(held[column])[0]
        low = pd.Series(value[~alone]).groupby(code[~alone])
        cut[low.first().index[low.min().to_numpy() != low.max().to_numpy()]] = True
    # an atom stands alone where its dissemination area is cut or not known
    single = alone | cut[np.where(alone, 0, code)]
    key = np.where(single, len(areas) + np.arange(len(held)), code)
    _, first, piece = np.unique(key, return_index=True, return_inverse=True)
    level = np.where(single[first], fine, "DA").astype(object)
    own = ids.to_numpy(dtype=object)[first]
    parents = held["DA"].to_numpy(dtype=object)[first] if "DA" in held else own
    names = np.where(single[first], own, parents)
    return np.asarray(piece, dtype=np.int64), level, np.asarray(names, dtype=object)


def _counts(
    census: Census, fine: str, rows: Rows, piece: Rows, frame: pd.DataFrame
) -> dict[str, npt.NDArray[np.float64]]:
    """Sum the atoms' counts, but take a dissemination area's own where it stands whole."""
    counts: dict[str, npt.NDArray[np.float64]] = {}
    da = np.flatnonzero(frame["level"].eq("DA").to_numpy(bool))
    for name in COUNTS:
        counts[name] = np.full(len(frame), np.nan)
        if name in census.data.columns(fine):
            values = census.data.attributes(fine, [name], rows)[name].to_numpy(np.float64)
            known = ~np.isnan(values)
            sums = np.bincount(piece[known], values[known], minlength=len(frame))
            some = np.bincount(piece[known], minlength=len(frame)) > 0
            counts[name] = np.where(some, sums, np.nan)
        if len(da) and "DA" in census.levels and name in census.data.columns("DA"):
            own_rows = census.rows("DA", frame["unit_id"].iloc[da].to_numpy(dtype=object))
            own = census.data.attributes("DA", [name], own_rows)[name].to_numpy(np.float64)
            counts[name][da] = np.where(np.isnan(own), counts[name][da], own)
    return counts


def _marks(
    census: Census, rows: Rows, piece: Rows, held: pd.DataFrame, count: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Flag pieces not or not fully enumerated, and pieces in a reserve or settlement."""
    fine = census.atom_level
    incomplete = np.zeros(count, dtype=bool)
    if "incomplete_reserve" in census.data.columns(fine):
        marked = census.data.attributes(fine, ["incomplete_reserve"], rows)["incomplete_reserve"]
        incomplete[piece[marked.to_numpy(bool)]] = True
    reserve = np.zeros(count, dtype=bool)
    if "CSD" in held and "CSD" in census.levels and "unit_type" in census.data.columns("CSD"):
        kinds = census.data.attributes("CSD", ["unit_id", "unit_type"])
        those = kinds.loc[kinds["unit_type"].isin(_RESERVES), "unit_id"]
        reserve[piece[held["CSD"].isin(those).to_numpy(bool)]] = True
    return incomplete, reserve


def _whole(
    census: Census, fine: str, frame: pd.DataFrame, rows: Rows, held: pd.DataFrame
) -> pd.Series:
    """Return, for each piece, the levels of which its unit lies wholly in the frame.

    A unit with fewer atoms in the store than are published is not whole; one of which nothing is
    published counts as whole: a difference that may be there is told, not hidden.
    """
    proofs = Completeness(census)
    published = census.data.meta.get("published", {})
    levels: list[list[str]] = [[] for _ in range(len(frame))]
    for column in held.columns:
        if column not in census.levels:
            continue
        found = pd.Index(held[column].dropna().unique())
        units = census.rows(column, found.to_numpy(dtype=object))
        owner, atom = census.atoms(column, units)
        there = np.isin(atom, rows)
        known = published.get(column) or {}
        told = np.array([unit in known for unit in found], dtype=bool)
        whole = np.bincount(owner[there], minlength=len(units)) == np.bincount(
            owner, minlength=len(units)
        )
        whole &= ~told | proofs.proven(column, units)
        for at in np.flatnonzero(frame[column].isin(found[whole]).to_numpy(bool)).tolist():
            levels[at].append(column)
    for at in np.flatnonzero(frame["level"].eq("DA").to_numpy(bool)).tolist():
        if "DA" not in levels[at]:
            levels[at].append("DA")
    return pd.Series(levels, index=frame.index, dtype=object)


def surroundings(census: Census, bounds: npt.NDArray[np.float64]) -> gpd.GeoDataFrame:
    """Return the census subdivisions that meet a rectangle; divisions or provinces where too many.

    Parameters
    ----------
    census
        The census.
    bounds
        West, south, east, north in EPSG:3347 metres.

    Returns
    -------
    geopandas.GeoDataFrame
        RangeIndex; columns ``level, unit_id, unit_name`` (text), ``population`` (float64, missing
        where unknown), ``x, y`` (where a label may stand) and ``geometry``: their outlines as
        lines, EPSG:3347, cut to the rectangle with a margin and simplified along shared edges
        for display. Empty where the census holds no such level with polygons.
    """
    if not np.isfinite(bounds).all():
        return no_surroundings(census.crs)
    frame, wide = _frame_of(bounds)
    for level in (level for level in _LEVELS if level in census.levels):
        rows = _meeting(census, level, frame)
        if not len(rows) or (len(rows) > _MOST and level != _LEVELS[-1]):
            continue
        return _outlines_in(census, level, rows, frame, wide * _DETAIL)
    return no_surroundings(census.crs)


def is_crowded(census: Census, bounds: npt.NDArray[np.float64]) -> bool:
    """Whether so many municipalities meet a rectangle that a coarser level is shown around it.

    Then the outlines around are long, and slow to make light.
    """
    frame, _ = _frame_of(bounds)
    held = (level for level in _LEVELS if level in census.levels)
    finest = next((rows for level in held if len(rows := _meeting(census, level, frame))), ())
    return len(finest) > _MOST


def _frame_of(bounds: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """Return a rectangle with its margin, and how wide it is without."""
    wide = max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    margin = _MARGIN * wide
    return np.array([*(bounds[:2] - margin), *(bounds[2:] + margin)]), float(wide)


def _meeting(census: Census, level: str, frame: npt.NDArray[np.float64]) -> Rows:
    """Return the units of a level whose boxes meet a rectangle."""
    boxes = census.zones(level).boxes
    # units without polygon have boxes of NaN, which meet nothing
    meets = (boxes[:, :2] <= frame[2:]).all(axis=1) & (boxes[:, 2:] >= frame[:2]).all(axis=1)
    return np.flatnonzero(meets)


def no_surroundings(crs: object) -> gpd.GeoDataFrame:
    """Return the frame of :func:`surroundings` without rows."""
    empty = pd.DataFrame({name: pd.Series(dtype="string") for name in _COLUMNS})
    empty = empty.astype({"population": "float64"}).assign(x=0.0, y=0.0)
    return gpd.GeoDataFrame(empty, geometry=[], crs=crs)


def _outlines_in(
    census: Census,
    level: str,
    rows: npt.NDArray[np.int64],
    frame: npt.NDArray[np.float64],
    detail_m: float,
) -> gpd.GeoDataFrame:
    """Return the outlines of some units inside a rectangle, as :func:`surroundings` does."""
    polygons = census.data.geometry(level, rows)
    held = ~pd.isna(polygons)
    rows, polygons = rows[held], polygons[held]
    # simplified together, so that neighbours keep one line between them
    broken = ~shapely.is_valid(polygons)
    polygons[broken] = shapely.make_valid(polygons[broken])
    simple = shapely.coverage_simplify(polygons, detail_m)
    simple, window = shapely.make_valid(simple), shapely.box(*frame)
    inside = shapely.intersection(simple, window)
    kept = shapely.area(inside) > 0
    # a label stands on what is seen of its unit
    points = shapely.point_on_surface(inside[kept])
    units = census.units(level).iloc[rows[kept]].reset_index()[list(_COLUMNS[1:])]
    units.insert(0, "level", pd.Series(level, index=units.index, dtype="string"))
    units["x"], units["y"] = shapely.get_x(points), shapely.get_y(points)
    # lines, so that the window's own edges are no outline
    outlines = shapely.intersection(shapely.boundary(simple[kept]), window)
    return gpd.GeoDataFrame(units, geometry=outlines, crs=census.crs)
