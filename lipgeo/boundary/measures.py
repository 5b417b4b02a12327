"""Measure chosen units against the areas as drawn, and make the frames people read of them.

First what lies in the areas as drawn, by the finest units, from the overlay that gave the shares;
then :func:`misfit`, what a union leaves out of an area and what it adds; then the unions as
polygons, and the frames of units, areas, cover and shapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.areas.unit_lists import codes_of, polygons_of
from lipgeo.arrays import Flags, Floats, distinct
from lipgeo.census.census import Census
from lipgeo.census.data import Measure, Rows
from lipgeo.census.units import find_rows
from lipgeo.crosswalk.build import build_with_blocks
from lipgeo.crosswalk.crosswalk import Crosswalk, Placement
from lipgeo.crosswalk.inputs import points_of, surface_m2
from lipgeo.crosswalk.overlay.descent import LevelUnits, Outlines
from lipgeo.crosswalk.overlay.kernel import Overlay, locate, overlay
from lipgeo.geography.dguids import dguids
from lipgeo.geography.floors import classify, floor_persons
from lipgeo.report import Finding, finding
from lipgeo.zones.dissolve import dissolve, parts_and_holes

__all__ = [
    "MEASURES",
    "Unions",
    "add_names",
    "area_frame",
    "cover_table",
    "describe_units",
    "dissolve_units",
    "level_of_unions",
    "misfit",
    "shape_frame",
    "shares_and_inside",
    "unit_table",
    "unit_totals",
]

#: what is measured, and in what: people, private dwellings, square kilometres of land
MEASURES = ("population", "dwellings", "land_km2")
#: units whose polygons are held at once
_TOGETHER = 40_000


# ------------------------------------------------------------------- what lies in areas as drawn


def shares_and_inside(
    census: Census, level: str, areas: ServiceAreas, by: Measure, placement: Placement = "auto"
) -> tuple[Crosswalk, pd.DataFrame]:
    """Return the crosswalk of a level, and what blocks of its units lie where.

    A unit wholly inside an area gives it all its blocks, by ids; those of a unit that an outline
    crosses are laid over the areas, once: shares by people need that too.

    Parameters
    ----------
    census, level
        The units; coarser than the finest level.
    areas
        Service areas.
    by
        What is shared.
    placement
        How people of cut blocks are placed.

    Returns
    -------
    crosswalk
        Of all areas.
    inside
        ``area`` (position in ``areas``), ``atom`` (row of the finest level), ``share`` of its
        surface, and ``people_share``, of its people as they are placed; of the drawn areas.
    """
    blocks = _Blocks(census)
    crosswalk, lying = build_with_blocks(
        census.zones(level),
        areas,
        weight=by,
        placement=placement,
        blocks=None,
        overlay_with=blocks.lay,
    )
    pairs = crosswalk.frame
    area = np.asarray(areas.ids.get_indexer(pairs["target_id"]), dtype=np.int64)
    row = census.rows(level, pairs["source_id"].to_numpy(dtype=object))
    # units wholly inside give all their atoms, those that are cut are opened
    cut = pairs["area_share"].to_numpy(np.float64) < 1
    drawn = areas.frame["definition"].eq("drawn").to_numpy(dtype=bool)[area]
    whole = drawn & ~cut
    owner, atom = census.atoms(level, row[whole])
    opened = np.sort(census.atoms(level, distinct(row[drawn & cut]))[1])
    # where the atoms of those lie, as the overlay found it
    found = blocks.find_areas(opened) if lying is None else _pairs_among(*lying, opened)
    # targets of a crosswalk stand in the order of their ids
    place = areas.ids.get_indexer(crosswalk.quality["target_id"])[found["area"]]
    # a unit may be cut by one area and lie wholly in another
    span = max(census.size(census.atom_level), 1)
    given = area[whole][owner] * span + atom
    new = ~np.isin(place * span + found["atom"], given)
    new &= areas.frame["definition"].eq("drawn").to_numpy(dtype=bool)[place]
    inside = pd.DataFrame(
        {
            "area": np.concatenate([area[whole][owner], place[new]]),
            "atom": np.concatenate([atom, found["atom"].to_numpy()[new]]),
            "share": np.concatenate([np.ones(len(atom)), found["share"].to_numpy()[new]]),
            "people_share": np.concatenate(
                [np.ones(len(atom)), found["people_share"].to_numpy()[new]]
            ),
        }
    )
    return crosswalk, inside.sort_values(["atom", "area"], ignore_index=True)


class _Blocks:
    """Lays units over areas as asked, and remembers what that said of the finest ones."""

    def __init__(self, census: Census) -> None:
        self._census = census
        self._outlines: Outlines | None = None
        self._rows: list[Rows] = []
        self._found: list[Overlay] = []

    def lay(self, units: LevelUnits, outlines: Outlines) -> Overlay:
        """Lay units over areas."""
        found = overlay(units, outlines)
        self._outlines = outlines
        if units.level == self._census.atom_level and units.census_rows is not None:
            self._rows.append(units.census_rows)
            self._found.append(found)
        return found

    def find_areas(self, rows: Rows) -> pd.DataFrame:
        """Return the areas that finest units lie in: ``area, atom, share, people_share``."""
        outlines = self._outlines
        if outlines is None or not len(rows):
            return _table(rows[:0], rows[:0], np.empty(0))
        data, level = self._census.data, self._census.atom_level
        known = next(
            (
                found
                for asked, found in zip(self._rows, self._found, strict=True)
                if np.isin(rows, asked).all()
            ),
            None,
        )
        found = overlay(LevelUnits(data, level, rows), outlines) if known is None else known
        ours = np.isin(found.unit, rows)
        drawn = _table(found.area[ours], found.unit[ours], found.share[ours])
        # what has no polygon lies where its point is
        bare = np.intersect1d(rows, data.without_polygon(level)[0])
        x, y = points_of(self._census.zones(level), bare)
        point, area = locate(x, y, outlines)
        return pd.concat([drawn, _table(area, bare[point], np.ones(len(area)))], ignore_index=True)


def _pairs_among(surface: Overlay, placed: Overlay, rows: Rows) -> pd.DataFrame:
    """Return where some finest units lie, by people and by surface."""
    ours = np.isin(placed.unit, rows)
    return _table(placed.area[ours], placed.unit[ours], surface.share[ours]).assign(
        people_share=placed.share[ours]
    )


def _table(area: Rows, atom: Rows, share: npt.NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame({"area": area, "atom": atom, "share": share, "people_share": share})


# ------------------------------------------------------------------- what unions hold and miss


def misfit(census: Census, inside: pd.DataFrame, union: pd.DataFrame, count: int) -> pd.DataFrame:
    """Measure unions against the areas as drawn, by the finest units held.

    People and dwellings of a block lie where the fit placed them, its land evenly over it.

    Parameters
    ----------
    census
        The census.
    inside
        What lies in the areas as drawn: ``area`` (position), ``atom`` (row of the finest level),
        ``share`` of the atom's surface and ``people_share`` of its people that are inside.
    union
        What the unions hold: ``area, atom``; no pair twice.
    count
        Number of areas.

    Returns
    -------
    pandas.DataFrame
        One row an area, by position. For each of :data:`MEASURES` ``_drawn`` (the area's
        estimated total), ``_omitted`` (of it, outside the union) and ``_added`` (of the union,
        outside the area). ``misfit_share`` = (omitted + added) / drawn, by population; by land
        where nobody lives in the area (``by_land``), missing where it has no land either.
        ``counts_missing``: some atom concerned has no count of people or dwellings;
        ``land_measured``: some atom's land area is not published and was measured.
    """
    # pairs of area and atom that are inside as drawn, in the union, or both
    span = int(census.data.group_boxes(census.atom_level)[0][-1])
    drawn_key = inside["area"].to_numpy(np.int64) * span + inside["atom"].to_numpy(np.int64)
    union_key = union["area"].to_numpy(np.int64) * span + union["atom"].to_numpy(np.int64)
    key = distinct(np.concatenate([drawn_key, union_key]))
    area, atom = np.divmod(key, max(span, 1))
    # how much of the atom is inside, and whether the union has it
    inside_share = {}
    for name in ("share", "people_share"):
        inside_share[name] = np.zeros(len(key))
        inside_share[name][np.searchsorted(key, drawn_key)] = inside[name].to_numpy(np.float64)
    held = np.zeros(len(key), dtype=bool)
    held[np.searchsorted(key, union_key)] = True

    # each measure summed by area: drawn, omitted, added
    rows, back = np.unique(atom, return_inverse=True)
    totals, measured = _amounts(census, census.atom_level, rows)
    result = pd.DataFrame(index=pd.RangeIndex(count))
    missing = np.zeros(len(key), dtype=bool)
    for name in MEASURES:
        amount = totals[name][back]
        missing |= np.isnan(amount) & (name != "land_km2")
        amount = np.nan_to_num(amount)
        share = inside_share["share" if name == "land_km2" else "people_share"]
        parts = {
            "drawn": amount * share,
            "omitted": np.where(held, 0.0, amount * share),
            "added": np.where(held, amount * (1 - share), 0.0),
        }
        for part, values in parts.items():
            # of nothing, bincount counts in whole numbers
            sums = np.bincount(area, values, minlength=count).astype(np.float64)
            result[f"{name}_{part}"] = sums
    # the misfit by people, by land where nobody lives
    result["by_land"] = ~(result["population_drawn"] > 0)
    shares = []
    for name in ("population", "land_km2"):
        wrong = result[f"{name}_omitted"] + result[f"{name}_added"]
        shares.append(wrong / result[f"{name}_drawn"].where(result[f"{name}_drawn"] > 0))
    result["misfit_share"] = shares[0].where(~result["by_land"], shares[1])
    result["counts_missing"] = np.bincount(area[missing], minlength=count) > 0
    result["land_measured"] = np.bincount(area[measured[back]], minlength=count) > 0
    return result


def unit_totals(census: Census, level: str, rows: Rows) -> pd.DataFrame:
    """Return units' own counts; from their finest units where they carry none.

    Returns
    -------
    pandas.DataFrame
        One row a unit, in the order given: ``population, dwellings, land_km2`` (float64, missing
        where unknown even there) and ``land_measured`` (its land area is not published).
    """
    totals, measured = _amounts(census, level, rows)
    frame = pd.DataFrame(totals).assign(land_measured=measured)
    for name in ("population", "dwellings"):
        unknown = np.flatnonzero(frame[name].isna())
        if not len(unknown) or level == census.atom_level:
            continue
        owner, atom = census.atoms(level, rows[unknown])
        below = _counts(census, census.atom_level, name, atom)
        known = ~np.isnan(below)
        summed = np.bincount(owner[known], below[known], minlength=len(unknown))
        some = np.bincount(owner[known], minlength=len(unknown)) > 0
        frame.loc[unknown, name] = np.where(some, summed, np.nan)
    return frame


def _amounts(
    census: Census, level: str, rows: Rows
) -> tuple[dict[str, Floats], npt.NDArray[np.bool_]]:
    """Return counts and land of units as published, and whose land had to be measured."""
    amounts = {name: _counts(census, level, name, rows) for name in MEASURES}
    measured = np.isnan(amounts["land_km2"])
    if measured.any():
        land = surface_m2(census.zones(level), rows[measured]) / 1e6
        amounts["land_km2"][measured] = land
    return amounts, measured


def _counts(census: Census, level: str, name: str, rows: Rows) -> Floats:
    if name not in census.data.columns(level):
        return np.full(len(rows), np.nan)
    values = census.data.attributes(level, [name], rows)[name]
    return np.array(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


# ------------------------------------------------------------------- unions as polygons

_NAMES = ("unit_name", "unit_type", "dguid")


def add_names(census: Census, units: pd.DataFrame) -> pd.DataFrame:
    """Return units with what they are called: ``unit_id, unit_name, unit_type, dguid`` (text).

    ``units`` has ``level`` and ``census_row``. A DGUID that is not in the census is derived.
    """
    text = units.copy()
    for column in ("unit_id", *_NAMES):
        text[column] = pd.Series(pd.NA, index=units.index, dtype="string")
    for level, group in units.groupby("level", sort=False):
        held = [c for c in ("unit_id", *_NAMES) if c in census.data.columns(str(level))]
        found = census.data.attributes(str(level), held, group["census_row"].to_numpy(np.int64))
        for column in held:
            text.loc[group.index, column] = found[column].astype("string").to_numpy()
        these = text.loc[group.index]
        derived = dguids(str(level), these["unit_id"], census.vintage, types=these["unit_type"])
        text.loc[group.index, "dguid"] = these["dguid"].fillna(derived).to_numpy()
    return text


def describe_units(census: Census, units: pd.DataFrame) -> pd.DataFrame:
    """Return units with names (:func:`add_names`) and own counts (:func:`unit_totals`)."""
    text = add_names(census, units)
    for column in MEASURES:
        text[column] = np.nan
    text["land_measured"] = False
    for level, group in units.groupby("level", sort=False):
        totals = unit_totals(census, str(level), group["census_row"].to_numpy(np.int64))
        for column in totals.columns:
            text.loc[group.index, column] = totals[column].to_numpy()
    return text


@dataclass(frozen=True)
class Unions:
    """The unions as polygons.

    Attributes
    ----------
    geometry
        One valid polygon, multipolygon or empty polygon an area, EPSG:3347; (areas,).
    findings
        Units without polygon, repaired, or whose edges disagree.
    flags
        ``no_polygon``, ``unit_repaired``, ``edges_disagree`` by area.
    """

    geometry: npt.NDArray[np.object_]
    findings: list[Finding]
    flags: dict[str, Flags]


def dissolve_units(census: Census, units: pd.DataFrame, ids: pd.Index) -> Unions:
    """Dissolve the units of each area.

    ``units`` has ``area`` (position), ``level``, ``unit_id``. A unit without polygon at its level
    is drawn from its finest units; one that has none there either is in the union by id only.
    """
    units = units.reset_index(drop=True)
    area = units["area"].to_numpy(np.int64)
    shapes = np.full(len(ids), shapely.Polygon(), dtype=object)
    drawn = np.zeros(len(units), dtype=bool)
    repaired, faults = [], []
    # some areas at a time: the polygons of a country are never held at once
    for batch in _batches(area, len(ids)):
        these = np.flatnonzero((area >= batch.start) & (area < batch.stop))
        polygons, owner = polygons_of(units.iloc[these], census)
        owner = these[owner]
        made = dissolve(polygons, area[owner] - batch.start, np.arange(len(polygons)), len(batch))
        shapes[batch.start : batch.stop] = made.geometry
        drawn[owner[[polygon is not None for polygon in polygons]]] = True
        repaired.append(made.repaired.assign(unit=owner[made.repaired["unit"]]))
        faults.append(
            made.faults.assign(
                unit=owner[made.faults["unit"]], area=made.faults["area"] + batch.start
            )
        )
    mended, wrong = pd.concat(repaired), pd.concat(faults)
    flags = {name: np.zeros(len(ids), dtype=bool) for name in ("no_polygon", "unit_repaired")}
    flags["no_polygon"][area[~drawn]] = True
    flags["unit_repaired"][area[mended["unit"].to_numpy()]] = True
    flags["edges_disagree"] = np.isin(np.arange(len(ids)), wrong["area"].to_numpy())
    findings = [
        finding(
            "boundary.no_polygon", "note", ids[position], area=ids[position], units=codes_of(group)
        )
        for position, group in units[~drawn].groupby("area")
    ]
    return Unions(shapes, findings + _geometry_notes(units, mended, wrong, ids), flags)


def _batches(area: Rows, count: int) -> list[range]:
    """Put neighbouring areas together, up to so many units; one may have more."""
    size = np.bincount(area, minlength=count)
    batches, first, held = [], 0, 0
    for position in range(count):
        if held and held + size[position] > _TOGETHER:
            batches.append(range(first, position))
            first, held = position, 0
        held += int(size[position])
    return [*batches, range(first, count)]


def _geometry_notes(
    units: pd.DataFrame, repaired: pd.DataFrame, faults: pd.DataFrame, ids: pd.Index
) -> list[Finding]:
    """Say what was repaired and what does not fit; ``unit`` is a position in ``units``."""
    notes = []
    if len(repaired):
        change = float(repaired["area_change"].max())
        codes = sorted(set(codes_of(units.iloc[np.unique(repaired["unit"].to_numpy())])))
        notes.append(
            finding(
                "boundary.unit_repaired", "note", "", value=change,
                units=codes, count=len(codes), change=change,
            )
        )  # fmt: skip
    for position, group in faults.groupby("area"):
        codes = sorted(set(codes_of(units.iloc[group["unit"].to_numpy()])))
        length = float(group["edge_m"].sum())
        notes.append(
            finding(
                "boundary.edges_disagree", "note", ids[position], value=length,
                area=ids[position], units=codes, metres=length,
            )
        )  # fmt: skip
    return notes


def level_of_unions(census: Census, union: pd.DataFrame, levels: Iterable[str]) -> str:
    """Return the first level of whose whole units every union is made; else the finest level."""
    finest = census.atom_level
    columns = census.data.columns(finest)
    atom, back = np.unique(union["atom"].to_numpy(np.int64), return_inverse=True)
    area = union["area"].to_numpy(np.int64)
    for level in levels:
        if level == finest:
            break
        if level not in census.levels or level not in columns:
            continue
        # the unit of this level that each atom is of, and how many of its atoms a union has
        ids = census.data.attributes(level, ["unit_id"])["unit_id"]
        parents = census.data.attributes(finest, [level], atom)[level]
        parent = find_rows(ids, parents)[back]
        key, inside = np.unique(area * max(len(ids), 1) + parent, return_counts=True)
        used, of = np.unique(key % max(len(ids), 1), return_inverse=True)
        # all of them, for every unit: then this level will do
        total = np.bincount(census.atoms(level, used)[0], minlength=len(used))
        if (parent >= 0).all() and (inside == total[of]).all():
            return level
    return finest


# ------------------------------------------------------------------- frames people read

_UNITS = (
    "area_id", "level", "unit_id", "unit_name", "unit_type", "dguid", "share", "status",
    "population", "dwellings",
)  # fmt: skip
_COVER = ("area_id", "level", "unit_id", "unit_name", "unit_type", "dguid", "population")


def area_frame(
    areas: ServiceAreas,
    units: pd.DataFrame,
    cover: pd.DataFrame,
    *,
    measures: pd.DataFrame,
    quality: pd.DataFrame,
    shapes: npt.NDArray[np.object_],
    vintage: int,
) -> gpd.GeoDataFrame:
    """Return one row an area, all columns of ``b.areas`` but ``flags``, which comes last.

    Parameters
    ----------
    areas
        The areas as they came.
    units, cover
        ``area`` (position), ``level``; ``units`` with their own counts.
    measures
        By position: ``<measure>_drawn, _omitted, _added`` and ``misfit_share``.
    quality
        Index ``area_id``: ``quality_index, best_fit_pct, coverage, straddling_share``.
    shapes
        The unions.
    vintage
        Census year.
    """
    # what came with the area
    count = len(areas)
    place = units["area"].to_numpy(np.int64)
    frame = areas.frame.drop(columns="geometry").reset_index()
    frame["area_id"] = frame["area_id"].astype("string")
    frame["vintage"] = vintage
    frame["unit_count"] = np.bincount(place, minlength=count)
    # what its units hold, and how that differs from the area as drawn
    sums = units.groupby("area")[list(MEASURES)].sum(min_count=1).reindex(range(count))
    # an area without units holds nobody; one whose units have no counts holds nobody knows how many
    sums = sums.mask(frame["unit_count"].eq(0), 0.0)
    frame["population"] = sums["population"]
    for name in MEASURES:
        frame[f"{name}_union"] = sums[name]
        for part in ("omitted", "added", "drawn"):
            frame[f"{name}_{part}"] = measures[f"{name}_{part}"]
    listed = frame["definition"].eq("units")
    for name in MEASURES:  # a list is exactly its union
        frame.loc[listed, f"{name}_drawn"] = frame.loc[listed, f"{name}_union"]
    frame["misfit_share"] = measures["misfit_share"].mask(listed, 0.0)
    # how well its units fit, and the union's shape
    found = quality.reindex(areas.ids).reset_index(drop=True)
    for column in ("quality_index", "best_fit_pct", "coverage", "straddling_share"):
        frame[column] = found[column]
    frame["part_count"], frame["hole_count"] = parts_and_holes(shapes)
    # what Statistics Canada will call it, and the floor that holds for it
    levels = cover.groupby("area")["level"].agg(list).reindex(range(count))
    known = [found if isinstance(found, list) else [] for found in levels]
    frame["classification"] = pd.Series(
        [classify(found) if found else pd.NA for found in known], dtype="string"
    )
    frame["floor_persons"] = [floor_persons(found, vintage).value for found in known]
    frame["below_floor"] = (frame["population_union"] < frame["floor_persons"]).to_numpy(bool)
    return gpd.GeoDataFrame(frame[_columns()], geometry=shapes, crs=areas.frame.crs)


def _columns() -> list[str]:
    measured = [f"{m}_{p}" for m in MEASURES for p in ("union", "omitted", "added", "drawn")]
    return [
        "area_id", "name_en", "name_fr", "valid_from", "valid_to", "vintage", "definition",
        "classification", "unit_count", "population", *measured, "misfit_share", "quality_index",
        "best_fit_pct", "coverage", "straddling_share", "part_count", "hole_count",
        "floor_persons", "below_floor",
    ]  # fmt: skip


def unit_table(units: pd.DataFrame, ids: pd.Index, sliver_share: float) -> pd.DataFrame:
    """Return ``b.units`` from described units; rows marked ``out`` get status ``left_out``."""
    table = units.assign(area_id=_texts(ids, units["area"]))
    # as `Estimates.explain` has it: by surface, or by people where they say so
    least = 1 - max(sliver_share, 1e-9)
    straddling = table["area_share"].to_numpy(np.float64) < least
    straddling |= table["share"].to_numpy(np.float64) < least
    status = np.where(straddling, "straddling", "inside").astype(object)
    if "out" in table:
        status[table["out"].eq(True).to_numpy(dtype=bool)] = "left_out"
    table["status"] = pd.Series(status, index=table.index, dtype="string")
    table["level"] = table["level"].astype("string")
    return table[list(_UNITS)]


def cover_table(cover: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    """Return ``b.cover`` from described units."""
    table = cover.assign(area_id=_texts(ids, cover["area"]), level=cover["level"].astype("string"))
    return table[list(_COVER)]


def _texts(ids: pd.Index, place: pd.Series) -> pd.Series:
    values = ids.to_numpy(dtype=object)[place.to_numpy(np.int64)]
    return pd.Series(values, index=place.index, dtype="string")


def shape_frame(census: Census, units: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return units with their polygons, ``None`` where their level has none; EPSG:3347."""
    shapes = np.full(len(units), None, dtype=object)
    for level in units["level"].unique():
        these = np.flatnonzero(units["level"].eq(level).to_numpy())
        rows = units["census_row"].to_numpy(np.int64)[these]
        different, back = np.unique(rows, return_inverse=True)
        shapes[these] = census.data.geometry(str(level), different)[back]
    frame = units.drop(columns=["census_row"]).reset_index(drop=True)
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=census.crs)
