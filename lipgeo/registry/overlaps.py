"""Find where the areas of a set overlap, and where neighbours leave land between them.

An index of outlines is kept up as areas come and go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import rtree
import shapely

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.census.census import Census
from lipgeo.crosswalk.build import build_crosswalk
from lipgeo.crosswalk.crosswalk import Crosswalk
from lipgeo.registry.table import Registry, listed_codes
from lipgeo.zones.crs import area_km2

__all__ = ["AreaIndex", "find_gaps", "find_overlaps", "intended_overlaps", "people_of", "shares_of"]

Box = tuple[float, float, float, float]


class AreaIndex:
    """Which areas touch a box, and which lie nearest, over areas that come and go.

    Boxes decide, so what it gives are candidates: whoever asks looks at the outlines.

    Examples
    --------
    >>> import shapely
    >>> from lipgeo.registry.overlaps import AreaIndex
    >>> index = AreaIndex()
    >>> index.insert("west", shapely.box(0, 0, 10, 10))
    >>> index.insert("east", shapely.box(20, 0, 30, 10))
    >>> index.ids_touching((5, 5, 25, 6)), index.nearest((12, 5, 12, 5), 1)
    (['east', 'west'], ['west'])
    >>> index.delete("west")
    >>> index.ids_touching((5, 5, 25, 6))
    ['east']
    """

    def __init__(self) -> None:
        self._tree = rtree.index.Index()
        self._number: dict[str, int] = {}
        self._name: dict[int, str] = {}
        self._box: dict[str, Box] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._box)

    def __contains__(self, area_id: object) -> bool:
        return area_id in self._box

    def insert(self, area_id: str, outline: shapely.Geometry) -> None:
        """Put an area in, in place of the one with that id; an empty outline is left out."""
        self.delete(area_id)
        if outline is None or outline.is_empty:
            return
        box: Box = outline.bounds
        self._number[area_id], self._name[self._next] = self._next, area_id
        self._box[area_id] = box
        self._tree.insert(self._next, box)
        self._next += 1

    def delete(self, area_id: str) -> None:
        """Take an area out; nothing where it is not in."""
        if area_id in self._box:
            number = self._number.pop(area_id)
            self._tree.delete(number, self._box.pop(area_id))
            del self._name[number]

    def ids_touching(self, box: Box) -> list[str]:
        """Return the ids of areas whose box touches a box, sorted."""
        return sorted(self._name[number] for number in self._tree.intersection(box))

    def nearest(self, box: Box, count: int = 1) -> list[str]:
        """Return the ids of the areas whose boxes are nearest to a box, nearest first."""
        found = [self._name[number] for number in self._tree.nearest(box, count)]
        return found[:count]


OVERLAPS = ("one", "other", "intended", "reason", "people", "share_of_smaller", "units")
GAPS = ("gap_id", "neighbours", "people", "land_km2", "geometry")
#: neighbours further apart than this leave a place between them, not a gap
_WIDTH_M = 500.0
#: closing rounds sharp corners of the outlines: what it fills there is smaller than this
_CORNER_M2 = 5 * (_WIDTH_M / 2) ** 2
#: a gap with less of both is the thickness of a line
_LEAST_PEOPLE, _LEAST_KM2 = 0.5, 0.01
#: an overlap below this share of both areas, without people, is the thickness of a line
_LINE = 1e-4


def shares_of(areas: ServiceAreas, census: Census) -> Crosswalk:
    """Return the shares of the finest units in the areas, by people."""
    return build_crosswalk(census.zones(census.atom_level), areas, weight="population")


def people_of(shares: Crosswalk, census: Census, ids: pd.Index) -> pd.Series:
    """Return the people in each area (index ``area_id``), NaN where the census has no counts."""
    people = census.counts(census.atom_level)["population"]
    if people.isna().all():
        return pd.Series(np.nan, index=ids)
    held = shares.frame["share"] * shares.frame["source_id"].map(people).fillna(0.0)
    return held.groupby(shares.frame["target_id"]).sum().reindex(ids, fill_value=0.0)


def intended_overlaps(
    kinds: Mapping[str, str], declared: Mapping[str, Sequence[str]], registry: Registry
) -> dict[frozenset[str], str]:
    """Return the pairs of areas whose overlap is meant, and why.

    Parameters
    ----------
    kinds
        Area id to its kind.
    declared
        Area id to the ids its partnership says it means to overlap.
    registry
        Its overlaps name ids, or kinds.
    """
    meant: dict[frozenset[str], str] = {}
    for row in registry.overlaps.itertuples(index=False):
        for one in _members(row.one, kinds):
            for other in _members(row.other, kinds):
                if one != other:
                    meant[frozenset((one, other))] = row.reason
    for one, others in declared.items():
        for other in others:
            meant.setdefault(frozenset((one, other)), "declared")
    return meant


def _members(cell: str, kinds: Mapping[str, str]) -> list[str]:
    named = set(listed_codes(cell))
    return [area for area, kind in kinds.items() if area in named or kind in named]


def find_overlaps(
    shares: Crosswalk, census: Census, people: pd.Series, meant: Mapping[frozenset[str], str]
) -> pd.DataFrame:
    """Return where areas overlap, and who would be counted twice.

    Returns
    -------
    pandas.DataFrame
        One row a pair, unexpected ones first, then most people first: ``one, other`` (ids);
        ``intended`` (bool), ``reason`` (text, empty where not intended); ``people`` in both;
        ``share_of_smaller``: of the people of the smaller area, NaN without counts; ``units``:
        how many of the finest units both meet.
    """
    held = census.counts(census.atom_level)["population"]
    frame = shares.overlaps
    there = held.reindex(frame["source_id"]).fillna(0.0).to_numpy(float)
    frame = frame.assign(people=frame["share"] * there)
    pairs = frame.groupby(["target_id", "other_id"], sort=True)
    found = pairs.agg(
        people=("people", "sum"), units=("source_id", "size"), most=("area_share", "max")
    ).reset_index()
    found = found.rename(columns={"target_id": "one", "other_id": "other"})
    both = np.minimum(
        people.reindex(found["one"]).to_numpy(), people.reindex(found["other"]).to_numpy()
    )
    if held.isna().all():
        found["people"] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        found["share_of_smaller"] = found["people"].to_numpy() / both
    thin = found["most"].lt(_LINE) & found["people"].fillna(0.0).lt(0.5)
    found = found[~thin]
    keys = [frozenset(pair) for pair in zip(found["one"], found["other"], strict=True)]
    found["intended"] = np.array([key in meant for key in keys], dtype=bool)
    found["reason"] = pd.array([meant.get(key, "") for key in keys], dtype="string")
    order = np.lexsort([-found["people"].fillna(0.0), found["intended"]])
    return found.iloc[order].reset_index(drop=True)[[*OVERLAPS]]


def find_gaps(areas: ServiceAreas, index: AreaIndex, census: Census) -> gpd.GeoDataFrame:
    """Return land that neighbouring areas leave between them: strips, and places shut in.

    A strip lies between two areas no more than 500 m apart; a shut-in place has two areas at
    least around it and none over it.

    Parameters
    ----------
    areas
        The areas, drawn.
    index
        Their index: neighbours are looked for in it.
    census
        Whose people are counted.

    Returns
    -------
    geopandas.GeoDataFrame
        EPSG:3347, one row for all that the same neighbours leave, most people first: ``gap_id``,
        ``neighbours`` (``;``-joined ids), ``people``
        (by the shares of the finest units, NaN without counts), ``land_km2`` (of the strip, in
        an equal-area grid), ``geometry``.
    """
    outlines = areas.frame.geometry.dropna()
    shapely.prepare(outlines.to_numpy())
    union = shapely.union_all(outlines.to_numpy())
    pieces = [*_strips(union), *_shut_in(union)]
    pieces = [piece for piece in pieces if not piece.is_empty]
    if not pieces:
        return _no_gaps(areas)
    whole = shapely.union_all(np.array(pieces, dtype=object))
    parts = shapely.get_parts(whole)
    parts = parts[shapely.get_type_id(parts) == 3]
    rows = []
    for part in parts:
        around = [
            area
            for area in index.ids_touching(tuple(shapely.bounds(shapely.buffer(part, 1.0))))
            if shapely.dwithin(outlines[area], part, 1.0)
        ]
        if len(around) > 1:
            rows.append({"neighbours": ";".join(around), "geometry": part})
    if not rows:
        return _no_gaps(areas)
    pieces_of = gpd.GeoDataFrame(rows, geometry="geometry", crs=areas.frame.crs)
    # outlines of one line drawn twice leave hundreds of splinters: one row for all of a pair
    found = pieces_of.dissolve("neighbours").reset_index()
    found["gap_id"] = [f"gap-{number + 1:03d}" for number in range(len(found))]
    found["land_km2"] = area_km2(found.geometry.to_numpy())
    strips = ServiceAreas.from_frame(found[["gap_id", "geometry"]], id="gap_id")
    people = people_of(shares_of(strips, census), census, strips.ids)
    found["people"] = people.to_numpy()
    found = found[found["people"].fillna(0.0).ge(_LEAST_PEOPLE) | found["land_km2"].ge(_LEAST_KM2)]
    order = np.lexsort([-found["land_km2"], -found["people"].fillna(0.0)])
    found = found.iloc[order].reset_index(drop=True)
    found["gap_id"] = [f"gap-{number + 1:03d}" for number in range(len(found))]
    return found[[*GAPS]]


def _no_gaps(areas: ServiceAreas) -> gpd.GeoDataFrame:
    empty = pd.DataFrame({name: pd.Series(dtype="object") for name in GAPS})
    frame = empty.astype(dict.fromkeys(("gap_id", "neighbours"), "string"))
    frame = frame.astype(dict.fromkeys(("people", "land_km2"), "float64"))
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=areas.frame.crs)


def _strips(union: shapely.Geometry) -> list[shapely.Geometry]:
    """Return what closing the union of all areas would fill, but for rounded corners."""
    half = _WIDTH_M / 2
    closed = union.buffer(half, quad_segs=4).buffer(-half, quad_segs=4)
    left = shapely.get_parts(shapely.difference(closed, union))
    return list(left[shapely.area(left) > _CORNER_M2])


def _shut_in(union: shapely.Geometry) -> list[shapely.Geometry]:
    """Return the holes of the union of all areas, less the islands of areas in them."""
    parts = shapely.get_parts(union)
    rings, owner = shapely.get_rings(parts, return_index=True)
    inner = np.append(False, owner[1:] == owner[:-1])
    holes = np.asarray(shapely.polygons(rings[inner]), dtype=object)
    island, inside = shapely.STRtree(parts).query(holes, predicate="contains")
    for row in np.unique(island):
        holes[row] = shapely.difference(holes[row], shapely.union_all(parts[inside[island == row]]))
    return [hole for hole in holes if not hole.is_empty]
