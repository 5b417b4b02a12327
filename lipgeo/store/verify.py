"""Verify the polygons of an import: validity, nesting, areas, and who has none."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo import geography
from lipgeo.census.data import CHAIN, Rows
from lipgeo.report import Severity
from lipgeo.store.assemble import Assembled
from lipgeo.store.levels import ImportFinding

__all__ = ["verify"]

_WORKERS = os.cpu_count() or 1
#: a child leaves its parent when this share of it, and this many square metres, lie outside
_OUTSIDE_SHARE = 1e-6
_OUTSIDE_M2 = 1.0
#: land area beyond the polygon by this factor: the grid stretches areas by 7 % at most, and water
#: only makes the polygon larger than the land
_LAND_FACTOR = 1.5
#: ... and by this many km2: land area is published to 0.0001 km2
_LAND_KM2 = 0.01


def verify(
    census: Assembled,
    vintage: int,
    sourced: frozenset[str],
    described: frozenset[str],
    *,
    made: bool = False,
) -> list[ImportFinding]:
    """Look at the polygons of an assembled census.

    Parameters
    ----------
    census
        The census.
    vintage
        Census year.
    sourced
        Levels whose boundary file was added.
    described
        Levels of which a table was added.
    made
        The census is a made one: the country's unit counts say nothing of it.
    """
    checks: list[ImportFinding] = []
    for level, frame in census.frames.items():
        ids = frame["unit_id"].to_numpy(dtype=object)
        if not made:
            checks += _check_counts(level, len(ids), vintage)
        if level in sourced:
            checks += _without_polygon(level, ids, census.geometry[level])
            checks += _invalid(level, ids, census.geometry[level])
            if "land_km2" in frame:
                land = frame["land_km2"].to_numpy()
                checks += _areas(level, ids, census.geometry[level], land)
        if level in sourced | described:
            checks += _childless(level, ids, census, sourced)
    for parent in sourced:
        child = _nested_level(parent, census, sourced, vintage)
        if child is not None:
            checks += _check_nesting(parent, child, census)
    return checks


def _check_counts(level: str, held: int, vintage: int) -> list[ImportFinding]:
    known = geography.national_count(level, vintage)
    if known is None or held >= known.value:
        return []
    values: dict[str, Any] = {"held": held, "known": known.value, "vintage": vintage}
    return [ImportFinding("extract", "note", level, "store.extract", **values)]


def _without_polygon(
    level: str, ids: npt.NDArray[np.object_], shapes: npt.NDArray[np.object_]
) -> list[ImportFinding]:
    missing = shapely.is_missing(shapes)
    if not missing.any():
        return []
    return [
        ImportFinding("no_polygon", "note", level, "store.no_polygon", units=tuple(ids[missing]))
    ]


def _invalid(
    level: str, ids: npt.NDArray[np.object_], shapes: npt.NDArray[np.object_]
) -> list[ImportFinding]:
    parts = np.array_split(shapes, _WORKERS)
    with ThreadPoolExecutor(_WORKERS) as pool:
        valid = np.concatenate(list(pool.map(shapely.is_valid, parts)))
    wrong = ~valid & ~shapely.is_missing(shapes)
    if not wrong.any():
        return []
    return [
        ImportFinding(
            "invalid_polygon", "note", level, "store.invalid_polygon", units=tuple(ids[wrong])
        )
    ]


def _areas(
    level: str,
    ids: npt.NDArray[np.object_],
    shapes: npt.NDArray[np.object_],
    land: npt.NDArray[np.float64],
) -> list[ImportFinding]:
    """Hold the published land area against the polygon: exchanged polygons, other units."""
    drawn = shapely.area(shapes) / 1e6
    both = (drawn > 0) & (land > 0)
    if not both.any():
        return []
    ratio = float(np.median(land[both] / drawn[both]))
    if not 0.05 < ratio < _LAND_FACTOR:
        return [ImportFinding("land_units", "warning", level, "store.land_units", ratio=ratio)]
    beyond = land > _LAND_FACTOR * drawn + _LAND_KM2
    if not beyond.any():
        return []
    worst = int(np.argmax(np.where(beyond, land - drawn, -1)))
    return [
        ImportFinding(
            "land_beyond_polygon", "warning", level, "store.land_beyond_polygon",
            units=tuple(ids[beyond]), worst=ids[worst], land=land[worst], drawn=drawn[worst],
        )
    ]  # fmt: skip


def _childless(
    level: str, ids: npt.NDArray[np.object_], census: Assembled, sourced: frozenset[str]
) -> list[ImportFinding]:
    """Report units with nothing inside them at the finest level whose own file was added."""
    finest = next(iter(census.frames))
    if level == finest or level not in census.frames[finest]:
        return []
    empty = ~pd.Index(ids).isin(census.frames[finest][level].dropna())
    if not empty.any():
        return []
    severity: Severity = "warning" if level in sourced else "note"
    return [
        ImportFinding("no_children", severity, level, "store.no_children",
              units=tuple(ids[empty]), finest=finest)
    ]  # fmt: skip


def _nested_level(
    parent: str, census: Assembled, sourced: frozenset[str], vintage: int
) -> str | None:
    """Return the level whose polygons are held against those of ``parent``: the next inside it."""
    inside = [
        level
        for level in census.frames
        if level in sourced and level != parent and parent in census.frames[level]
        if parent in geography.nests_in(level, vintage)
    ]
    chained = [level for level in inside if level in CHAIN] if parent in CHAIN else inside
    return min(chained, key=lambda level: len(census.frames[level]), default=None)


def _check_nesting(parent: str, child: str, census: Assembled) -> list[ImportFinding]:
    frame = census.frames[child]
    place = pd.Index(census.frames[parent]["unit_id"].to_numpy(dtype=object)).get_indexer(
        pd.Index(frame[parent].to_numpy(dtype=object))
    )
    outer, inner = census.geometry[parent], census.geometry[child]
    rows = np.flatnonzero((place >= 0) & ~shapely.is_missing(inner))
    rows = rows[~shapely.is_missing(outer[place[rows]])]
    if not len(rows):
        return []
    rows = rows[~_covers(outer, place[rows], inner[rows])]
    if not len(rows):
        return []
    # the few left may touch, bow-tie or truly leave: measure what lies outside
    shapes = shapely.make_valid(inner[rows])
    around = shapely.make_valid(outer[place[rows]])
    outside = shapely.area(shapely.difference(shapes, around))
    leaving = outside > np.maximum(_OUTSIDE_M2, _OUTSIDE_SHARE * shapely.area(shapes))
    if not leaving.any():
        return []
    rows, outside = rows[leaving], outside[leaving]
    ids = frame["unit_id"].to_numpy(dtype=object)[rows]
    worst = int(np.argmax(outside))
    return [
        ImportFinding(
            "nesting", "warning", child, "store.nesting",
            units=tuple(ids), parent=parent, worst=ids[worst], outside=float(outside[worst]),
            limit=_OUTSIDE_M2,
        )
    ]  # fmt: skip


def _covers(
    outer: npt.NDArray[np.object_], place: Rows, inner: npt.NDArray[np.object_]
) -> npt.NDArray[np.bool_]:
    """Return whether each inner polygon lies in the outer one of its place.

    A prepared polygon serves one thread: the work is parted where the outer polygon changes.
    """
    order = np.argsort(place, kind="stable")
    place, inner = place[order], inner[order]
    even = np.linspace(0, len(place), _WORKERS + 1).astype(np.int64)[1:-1]
    cuts = np.searchsorted(place, place[even])
    shapely.prepare(outer)
    with ThreadPoolExecutor(_WORKERS) as pool:
        parts = pool.map(shapely.covers, np.split(outer[place], cuts), np.split(inner, cuts))
        covered = np.concatenate(list(parts))
    shapely.destroy_prepared(outer)
    result = np.empty(len(order), dtype=bool)
    result[order] = covered
    return result
