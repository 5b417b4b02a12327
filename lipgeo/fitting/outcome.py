"""From chosen units to the frames people read: units, areas, shapes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.areas import ServiceAreas
from lipgeo.areas.faults import finding
from lipgeo.areas.partition import codes_of, polygons_of
from lipgeo.census import Census, Rows
from lipgeo.census.data import located
from lipgeo.dissolve import dissolve, parts_and_holes
from lipgeo.fitting.misfit import MEASURES, unit_totals
from lipgeo.geography import classify, dguids, floor_persons
from lipgeo.report import Finding

__all__ = [
    "Joined",
    "area_frame",
    "cover_table",
    "described",
    "expressed_at",
    "joined",
    "named",
    "shape_frame",
    "unit_table",
]

Flags = npt.NDArray[np.bool_]

_UNITS = (
    "area_id", "level", "unit_id", "unit_name", "unit_type", "dguid", "share", "status",
    "population", "dwellings",
)  # fmt: skip
_COVER = ("area_id", "level", "unit_id", "unit_name", "unit_type", "dguid", "population")
_NAMES = ("unit_name", "unit_type", "dguid")
#: units whose polygons are held at once
_TOGETHER = 40_000


def named(census: Census, units: pd.DataFrame) -> pd.DataFrame:
    """Return units with what they are called: ``unit_id, unit_name, unit_type, dguid`` (text).

    ``units`` has ``level`` and ``row``. A DGUID that is not in the census is derived.
    """
    text = units.copy()
    for column in ("unit_id", *_NAMES):
        text[column] = pd.Series(pd.NA, index=units.index, dtype="string")
    for level, group in units.groupby("level", sort=False):
        held = [c for c in ("unit_id", *_NAMES) if c in census.data.columns(str(level))]
        found = census.data.attributes(str(level), held, group["row"].to_numpy(np.int64))
        for column in held:
            text.loc[group.index, column] = found[column].astype("string").to_numpy()
        these = text.loc[group.index]
        derived = dguids(str(level), these["unit_id"], census.vintage, types=these["unit_type"])
        text.loc[group.index, "dguid"] = these["dguid"].fillna(derived).to_numpy()
    return text


def described(census: Census, units: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`named` units with their own counts, as ``misfit.unit_totals`` gives them."""
    text = named(census, units)
    for column in MEASURES:
        text[column] = np.nan
    text["land_measured"] = False
    for level, group in units.groupby("level", sort=False):
        totals = unit_totals(census, str(level), group["row"].to_numpy(np.int64))
        for column in totals.columns:
            text.loc[group.index, column] = totals[column].to_numpy()
    return text


@dataclass(frozen=True)
class Joined:
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


def joined(census: Census, units: pd.DataFrame, ids: pd.Index) -> Joined:
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
    return Joined(shapes, findings + _geometry_notes(units, mended, wrong, ids), flags)


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
    count = len(areas)
    place = units["area"].to_numpy(np.int64)
    frame = areas.frame.drop(columns="geometry").reset_index()
    frame["area_id"] = frame["area_id"].astype("string")
    frame["vintage"] = vintage
    frame["unit_count"] = np.bincount(place, minlength=count)
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
    found = quality.reindex(areas.ids).reset_index(drop=True)
    for column in ("quality_index", "best_fit_pct", "coverage", "straddling_share"):
        frame[column] = found[column]
    frame["part_count"], frame["hole_count"] = parts_and_holes(shapes)
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
    straddling = table["area_share"].to_numpy(np.float64) < 1 - max(sliver_share, 1e-9)
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
        rows = units["row"].to_numpy(np.int64)[these]
        different, back = np.unique(rows, return_inverse=True)
        shapes[these] = census.data.geometry(str(level), different)[back]
    frame = units.drop(columns=["row"]).reset_index(drop=True)
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=census.crs)


def expressed_at(census: Census, union: pd.DataFrame, levels: Iterable[str]) -> str:
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
        ids = census.data.attributes(level, ["unit_id"])["unit_id"]
        parents = census.data.attributes(finest, [level], atom)[level]
        parent = located(ids, parents)[back]
        key, inside = np.unique(area * max(len(ids), 1) + parent, return_counts=True)
        used, of = np.unique(key % max(len(ids), 1), return_inverse=True)
        total = np.bincount(census.atoms(level, used)[0], minlength=len(used))
        if (parent >= 0).all() and (inside == total[of]).all():
            return level
    return finest
