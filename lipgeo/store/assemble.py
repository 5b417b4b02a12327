"""Assemble the levels of one census from its sources, whatever the order of the sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo import geography
from lipgeo.census.data import GRID, NAMES, TEXT, Rows, hierarchical_order, set_dtypes
from lipgeo.store.levels import (
    FLAG,
    NUMBERS,
    ImportFinding,
    Levels,
    Piece,
    complete_membership,
    empty,
    gather_pieces,
    report_orphans,
)
from lipgeo.store.totals import compare, fill_counts, published_totals_of

__all__ = ["Assembled", "Polygons", "assemble"]

#: level -> (unit ids, their polygons in EPSG:3347)
Polygons = Mapping[str, tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]]


@dataclass(frozen=True)
class Assembled:
    """The levels of a census, finest first, rows in their final order.

    Attributes
    ----------
    frames, geometry, boxes
        Level to its attributes, polygons (``None`` where a unit has none) and their boxes.
    published
        ``level, unit_id`` and totals known independently of the finest units.
    checks
        What was found.
    """

    frames: dict[str, pd.DataFrame]
    geometry: dict[str, npt.NDArray[np.object_]]
    boxes: dict[str, npt.NDArray[np.float64]]
    published: pd.DataFrame
    checks: tuple[ImportFinding, ...]


def assemble(
    pieces: Sequence[Piece], polygons: Polygons, vintage: int, outside: pd.DataFrame
) -> Assembled:
    """Put together the levels of a census.

    Parameters
    ----------
    pieces
        What each source says.
    polygons
        The polygons of the boundary files.
    vintage
        Census year.
    outside
        Totals that come with lipgeo: ``level, unit_id`` and counts.
    """
    levels = Levels(vintage)
    gather_pieces(levels, pieces)
    complete_membership(levels)
    report_orphans(levels, pieces)
    fill_counts(levels)
    published = published_totals_of(pieces, outside, levels.finest)
    compare(levels, published)
    geometry = {
        level: _align_polygons(levels.tables[level]["unit_id"], polygons.get(level))
        for level in levels.with_units()
    }
    for level in levels.with_units():
        _place(levels, level, geometry[level])
        _name(levels, level)
    frames = {level: _frame(levels, level, geometry[level]) for level in levels.with_units()}
    boxes = {level: np.asarray(shapely.bounds(shapes)) for level, shapes in geometry.items()}
    for level, order in hierarchical_order(frames, boxes).items():
        frames[level] = frames[level].iloc[order].reset_index(drop=True)
        geometry[level] = geometry[level][order]
        boxes[level] = boxes[level][order]
    return Assembled(frames, geometry, boxes, published, tuple(levels.checks))


def _align_polygons(
    ids: npt.NDArray[np.object_],
    given: tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]] | None,
) -> npt.NDArray[np.object_]:
    """Return the polygons of these units, ``None`` where there is none."""
    shapes = np.full(len(ids), None, dtype=object)
    if given is not None:
        place = pd.Index(given[0], dtype=object).get_indexer(pd.Index(ids, dtype=object))
        shapes[place >= 0] = given[1][place[place >= 0]]
    return shapes


def _place(levels: Levels, level: str, shapes: npt.NDArray[np.object_]) -> None:
    """Fill representative points: published, else inside the polygon, else a child's.

    Without a polygon a unit takes the point of the child nearest to the mean of its children: a
    place where the unit is. Levels are asked finest first.
    """
    columns = levels.tables[level]
    x = columns.setdefault("x", np.full(levels.size(level), np.nan))
    y = columns.setdefault("y", np.full(levels.size(level), np.nan))
    open_ = np.flatnonzero((np.isnan(x) | np.isnan(y)) & ~shapely.is_missing(shapes))
    points = shapely.point_on_surface(shapes[open_])
    x[open_], y[open_] = shapely.get_x(points), shapely.get_y(points)
    for child in levels.finer(level):
        missing = np.isnan(x) | np.isnan(y)
        if missing.any() and level in levels.tables[child]:
            nearest = _nearest(levels, level, child)
            take = missing & (nearest >= 0)
            x[take] = levels.tables[child]["x"][nearest[take]]
            y[take] = levels.tables[child]["y"][nearest[take]]


def _nearest(levels: Levels, level: str, child: str) -> Rows:
    """Return, for each unit, the child nearest to the mean of its children; -1 for none."""
    columns = levels.tables[child]
    place = levels.link(child, level)
    rows = np.flatnonzero((place >= 0) & ~np.isnan(columns["x"]))
    owner, x, y = place[rows], columns["x"][rows], columns["y"][rows]
    size = levels.size(level)
    many = np.maximum(np.bincount(owner, minlength=size), 1)
    mean_x = np.bincount(owner, weights=x, minlength=size) / many
    mean_y = np.bincount(owner, weights=y, minlength=size) / many
    order = np.lexsort([np.hypot(x - mean_x[owner], y - mean_y[owner]), owner])
    first = order[np.flatnonzero(np.diff(owner[order], prepend=-1))]
    nearest = np.full(size, -1, dtype=np.int64)
    nearest[owner[first]] = rows[first]
    return nearest


def _name(levels: Levels, level: str) -> None:
    """Build the DGUIDs that no file gives."""
    columns = levels.tables[level]
    types = columns.get("unit_type", empty("unit_type", levels.size(level)))
    built = geography.dguids(
        level, pd.Series(columns["unit_id"]), levels.vintage, pd.Series(types, dtype=TEXT)
    ).to_numpy(dtype=object, na_value=None)
    given = columns.get("dguid", built)
    columns["dguid"] = np.where(pd.isna(given), built, given)


def _frame(levels: Levels, level: str, shapes: npt.NDArray[np.object_]) -> pd.DataFrame:
    """Return a level as a frame: names, numbers, flag, parents fine to coarse."""
    columns = levels.tables[level]
    wanted = [*NAMES, *NUMBERS, FLAG, *levels.parents(level)]
    filled = {name: columns[name] for name in wanted if name in columns}
    kept = {name: v for name, v in filled.items() if name == "unit_id" or not pd.isna(v).all()}
    frame = set_dtypes(pd.DataFrame(kept))
    if not shapely.is_missing(shapes).all():
        frame[GRID] = shapely.area(shapes)
    return frame
