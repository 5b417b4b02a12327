"""The door of :mod:`lipgeo.zones`: cheap checks that a layer passes before it becomes zones."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from lipgeo.errors import ZoneError
from lipgeo.report import Finding
from lipgeo.words import say
from lipgeo.zones.preflight import CANADA_DEGREES, polygon_parts, swapped_axes

__all__ = [
    "WEIGHTS",
    "Problem",
    "as_finding",
    "axis_problems",
    "collection_notes",
    "column_ids",
    "door_problems",
    "id_problems",
    "refuse",
    "text_ids",
]

Ids = npt.NDArray[np.object_]
Geometries = npt.NDArray[np.object_]
Mask = npt.NDArray[np.bool_]

#: columns that serve as weights: float64, NaN where missing
WEIGHTS = ("population", "dwellings", "households")
_POLYGONAL = (
    shapely.GeometryType.MISSING,
    shapely.GeometryType.POLYGON,
    shapely.GeometryType.MULTIPOLYGON,
    shapely.GeometryType.GEOMETRYCOLLECTION,
)

#: one fault of one row: ``row`` (the first is 1), ``id``, ``problem`` and what tells more
Problem = dict[str, Any]


def column_ids(frame: gpd.GeoDataFrame, id: str | None) -> Ids:
    """Return a column, or the index, as text ids; see :func:`text_ids`.

    Raises
    ------
    ZoneError
        The frame has no polygons, or no such column; the message lists those there are.
    """
    if not isinstance(frame, gpd.GeoDataFrame) or frame.active_geometry_name is None:
        raise ZoneError("door.not_a_geoframe", given=type(frame).__name__)
    if id is not None and id not in frame.columns:
        names = [str(name) for name in frame.columns if name != frame.geometry.name]
        raise ZoneError("door.no_column", column=id, columns=names)
    values = frame.index.to_series() if id is None else frame[id]
    return text_ids(values.to_numpy(dtype=object))


def text_ids(values: npt.ArrayLike) -> Ids:
    """Write ids as text, ``None`` where missing or blank; a spreadsheet's 3506.0 is 3506.

    Examples
    --------
    >>> from lipgeo.zones.door import text_ids
    >>> text_ids([3506.0, 35, " 35060001 ", "5050125.00", None, ""]).tolist()
    ['3506', '35', '35060001', '5050125.00', None, None]
    """
    given = np.asarray(values, dtype=object)
    return np.array([_text(value) for value in given], dtype=object)


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if pd.isna(value):
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def id_problems(ids: Ids) -> list[Problem]:
    """Find rows without an id, and rows whose id stands more than once."""
    missing = np.asarray(pd.isna(ids), dtype=bool)
    duplicated = pd.Index(ids, dtype=object).duplicated(keep=False) & ~missing
    return _problems("missing_id", missing, ids) + _problems("duplicate_id", duplicated, ids)


def _problems(problem: str, rows: Mask, ids: Ids, **more: Any) -> list[Problem]:
    return [
        {"row": int(row) + 1, "id": ids[row], "problem": problem, **more}
        for row in np.flatnonzero(rows)
    ]


def door_problems(frame: gpd.GeoDataFrame, ids: Ids, geometry: Geometries) -> list[Problem]:
    """Find what stops a layer, by cheap checks: ids, geometry types, weights."""
    problems = id_problems(ids)
    kinds = shapely.get_type_id(geometry)
    wrong: Mask = np.asarray(~np.isin(kinds, _POLYGONAL) & ~shapely.is_empty(geometry))
    mixed = np.flatnonzero(kinds == shapely.GeometryType.GEOMETRYCOLLECTION)
    wrong[mixed] = shapely.is_missing(polygon_parts(geometry[mixed])) & ~shapely.is_empty(
        geometry[mixed]
    )
    for row in np.flatnonzero(wrong):
        kind = geometry[row].geom_type
        problems.append(
            {"row": int(row) + 1, "id": ids[row], "problem": "not_a_polygon", "kind": kind}
        )
    for column in WEIGHTS:
        if column in frame:
            numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(float, na_value=np.nan)
            given = frame[column].notna().to_numpy()
            bad = given & ~(np.isfinite(numbers) & (numbers >= 0))
            problems += _problems("not_a_count", bad, ids, column=column)
    return problems


def axis_problems(ids: Ids, geometry: Geometries, crs: pyproj.CRS) -> list[Problem]:
    """Find rows whose coordinates are in the other order, or the other unit, than their CRS says.

    Only certain cases: the coordinates are outside Canada as declared and inside it otherwise.
    """
    boxes = np.asarray(shapely.bounds(geometry), dtype=np.float64)
    if not len(boxes):
        return []
    west, south, east, north = CANADA_DEGREES
    misread: Mask
    if crs.is_geographic:
        problem = "metres_as_degrees"
        misread = np.asarray((np.abs(boxes) > 360.0).any(axis=1))
    else:
        problem = "degrees_as_metres"
        straight = (boxes >= (west, south, west, south)) & (boxes <= (east, north, east, north))
        turned = (boxes >= (south, west, south, west)) & (boxes <= (north, east, north, east))
        misread = np.asarray(straight.all(axis=1) | turned.all(axis=1))
    swapped, _ = swapped_axes(np.where(misread[:, None], np.nan, boxes), crs)
    return _problems(problem, misread, ids) + _problems("swapped_axes", swapped, ids)


def collection_notes(ids: Ids, geometry: Geometries) -> list[Finding]:
    """Note collections of which only the polygons are taken."""
    mixed = np.flatnonzero(shapely.get_type_id(geometry) == shapely.GeometryType.GEOMETRYCOLLECTION)
    kept = ~shapely.is_missing(polygon_parts(geometry[mixed]))
    return [
        Finding("collection", "note", str(ids[row]), say("door.collection", id=ids[row]))
        for row in mixed[kept]
    ]


def as_finding(problem: Problem) -> Finding:
    """Put a problem in a report, as an error."""
    message = say(f"door.row_{problem['problem']}", **problem)
    subject = problem["id"] if problem["id"] is not None else f"#{problem['row']}"
    return Finding(problem["problem"], "error", str(subject), message)


def refuse(problems: list[Problem]) -> None:
    """Raise one error that tells all problems, a sentence for each kind.

    Raises
    ------
    ZoneError
        There are any; ``problems`` has one row each.
    """
    if not problems:
        return
    kinds = list(dict.fromkeys(problem["problem"] for problem in problems))
    sentences = []
    for kind in kinds:
        found = [problem for problem in problems if problem["problem"] == kind]
        sentences.append(
            say(
                f"door.{kind}",
                which=_which(found),
                ids=list(dict.fromkeys(problem["id"] for problem in found)),
                columns=sorted({str(problem.get("column")) for problem in found}),
                kinds=sorted({str(problem.get("kind")) for problem in found}),
            )
        )
    raise ZoneError("door.unfit", problems, sentences=" ".join(sentences))


def _which(found: list[Problem]) -> str:
    rows = [problem["row"] for problem in found]
    ids = list(dict.fromkeys(problem["id"] for problem in found if problem["id"] is not None))
    return say("door.rows_and_ids", rows=rows, ids=ids) if ids else say("door.rows", rows=rows)
