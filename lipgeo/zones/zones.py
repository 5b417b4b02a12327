"""Hold a layer of polygons fit for work: ``Zones``, and the cheap checks a layer passes first."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from lipgeo.arrays import Flags, Shapes
from lipgeo.errors import CRSError, LipgeoError, ZoneError
from lipgeo.report import CheckReport, Faults, Finding, finding, finding_of
from lipgeo.words import say
from lipgeo.zones.crs import STATCAN_LAMBERT, accept_crs, on_grid, to_grid
from lipgeo.zones.validity import (
    CANADA_DEGREES,
    GAP_MAX_KM2,
    SLIVER_WIDTH_M,
    check_polygons,
    find_swapped_axes,
    make_valid_polygons,
    polygon_parts,
)

__all__ = [
    "WEIGHTS",
    "Problem",
    "Zones",
    "as_finding",
    "axis_problems",
    "check_layer",
    "collection_notes",
    "column_ids",
    "has_infinite",
    "id_problems",
    "layer_problems",
    "refuse",
    "text_ids",
]

Ids = npt.NDArray[np.object_]

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


class Zones:
    """Polygons with unique text ids in one projected coordinate reference system.

    Build one with :meth:`from_frame`, or take a census level with ``census.zones("DA")``.
    The constructor checks what is cheap (ids, CRS); :meth:`check` looks at everything.

    Parameters
    ----------
    ids, geometry, crs, data, level, vintage
        As the attributes. ``crs`` is anything :func:`lipgeo.zones.crs.accept_crs` accepts and is
        projected; ``data`` has one row a zone, in the order of ``ids``.
    report
        What was noted on the way in.

    Attributes
    ----------
    ids
        Text ids, in the order of the layer; shape (n,).
    geometry
        Shapely polygons and multipolygons in ``crs``, ``None`` where a zone has none; shape (n,).
    crs
        The coordinate reference system, projected.
    data
        Further columns by id (index ``zone_id``); ``population``, ``dwellings``, ``households``
        serve as weights where present, missing is NaN.
    level, vintage
        Census level and year when the zones are census units, else ``None``.
    report
        What was noted on the way in: the datum, a layer brought to the grid, zones without
        geometry, parts left out.

    Raises
    ------
    CRSError, DatumError
        There is no system, it is refused, or it is geographic.
    ZoneError
        Ids missing or more than one zone with the same.
    """

    report: CheckReport = CheckReport()

    def __init__(
        self,
        ids: npt.ArrayLike,
        geometry: npt.ArrayLike,
        crs: Any,
        *,
        data: pd.DataFrame | None = None,
        level: str | None = None,
        vintage: int | None = None,
        report: CheckReport | None = None,
    ) -> None:
        self.ids = text_ids(ids)
        self._geometry = np.asarray(geometry, dtype=object)
        accepted = accept_crs(crs).crs
        if accepted.is_geographic:
            raise CRSError("zones.geographic", names=[accepted.name])
        self.crs: pyproj.CRS = STATCAN_LAMBERT if on_grid(accepted) else accepted
        self.level = level
        self.vintage = vintage
        refuse(id_problems(self.ids))
        index = pd.Index(self.ids, name="zone_id", dtype=object)
        self.data = pd.DataFrame(index=index) if data is None else data.set_axis(index)
        self.report = CheckReport() if report is None else report

    @classmethod
    def from_frame(cls, frame: gpd.GeoDataFrame, id: str | None = None) -> Zones:
        """Make zones of a GeoDataFrame.

        Ids become text (``3506.0`` becomes ``3506``). A geographic layer is brought to EPSG:3347
        by :func:`~lipgeo.zones.crs.to_grid`, for areas are never measured in degrees; a projected
        one keeps its system. Of a geometry collection the polygons are taken.

        Parameters
        ----------
        frame
            One polygon a row, in NAD83, NAD83(CSRS) or WGS84 coordinates; a missing or empty
            polygon stays as a zone without area and is noted. Columns ``population``,
            ``dwellings`` and ``households`` need to be numbers, missing where unknown.
        id
            Column of the ids; the index when left out.

        Returns
        -------
        Zones
            In the order of the frame; the other columns in ``data``; what was noted in ``report``.

        Raises
        ------
        CRSError, DatumError
            There is no coordinate reference system, or it is refused.
        ZoneError
            No such column; ids missing or duplicate; points or lines; weights that are no counts;
            axes swapped, or degrees declared as metres. All problems at once, one row each in
            ``problems``.

        Examples
        --------
        >>> import geopandas, shapely
        >>> from lipgeo.zones import Zones
        >>> boxes = shapely.box([0, 1], [0, 0], [1, 2], [1, 1])
        >>> frame = geopandas.GeoDataFrame({"GEOID": [1.0, 2.0]}, geometry=boxes, crs="EPSG:3347")
        >>> Zones.from_frame(frame, id="GEOID").ids.tolist()
        ['1', '2']
        """
        twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
        if twice:
            problems = [{"column": name} for name in twice]
            raise ZoneError("zones.columns_twice", problems, columns=twice)
        ids = column_ids(frame, id)
        accepted = accept_crs(frame.crs)
        geometry = np.asarray(frame.geometry.array, dtype=object)
        refuse(layer_problems(frame, ids, geometry) + axis_problems(ids, geometry, accepted.crs))
        notes = list(accepted.report) + collection_notes(ids, geometry)
        geometry = polygon_parts(geometry)
        crs = accepted.crs
        if crs.is_geographic:
            notes.append(finding("zones.to_grid", "note", "", name=crs.name))
            geometry, crs = to_grid(geometry, crs), STATCAN_LAMBERT
        data = pd.DataFrame(frame.drop(columns=[frame.geometry.name, *([id] if id else [])]))
        for column in WEIGHTS:
            if column in data:
                data[column] = pd.to_numeric(data[column]).astype("float64")
        return cls(ids, geometry, crs, data=data, report=CheckReport(notes))

    @classmethod
    def from_points(cls, frame: gpd.GeoDataFrame, id: str | None = None) -> Zones:
        """Make zones of a layer of points: blocks by their representative points alone.

        They have no polygons and serve as ``blocks`` of :func:`lipgeo.build_crosswalk`, with or
        without columns ``population, dwellings, households``.

        Parameters
        ----------
        frame
            One point a row; a geographic layer is brought to EPSG:3347.
        id
            Column of the ids; the index when left out.

        Returns
        -------
        Zones
            ``data`` has the points as columns ``x, y`` in the system of the zones.

        Raises
        ------
        CRSError, DatumError, ZoneError
            As :meth:`from_frame`; a row that is no point.

        Examples
        --------
        >>> import geopandas, shapely
        >>> from lipgeo.zones import Zones
        >>> points = geopandas.GeoDataFrame({"DBUID": ["1"]}, geometry=[shapely.Point(7.4e6, 1e6)],
        ...                                 crs="EPSG:3347")
        >>> Zones.from_points(points, id="DBUID").data[["x", "y"]].to_numpy().tolist()
        [[7400000.0, 1000000.0]]
        """
        ids = column_ids(frame, id)
        geometry = np.asarray(frame.geometry.array, dtype=object)
        wrong = np.flatnonzero(shapely.get_type_id(geometry) != shapely.GeometryType.POINT)
        if len(wrong):
            raise ZoneError(
                "zones.not_points",
                [{"row": int(row) + 1, "id": ids[row]} for row in wrong],
                rows=[int(row) + 1 for row in wrong],
            )
        accepted = accept_crs(frame.crs)
        moved = to_grid(geometry, accepted.crs) if accepted.crs.is_geographic else geometry
        nothing = gpd.GeoSeries(np.full(len(frame), None), index=frame.index, crs=frame.crs)
        told = frame.assign(x=shapely.get_x(moved), y=shapely.get_y(moved))
        return cls.from_frame(told.set_geometry(nothing), id=id)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        name = f"{self.level} {self.vintage}" if self.level else self.crs.name
        return f"<Zones: {len(self):,} in {name}>"

    @property
    def geometry(self) -> npt.NDArray[np.object_]:
        """Polygons and multipolygons in ``crs``, ``None`` where a zone has none; (n,)."""
        return self._geometry

    @cached_property
    def boxes(self) -> npt.NDArray[np.float64]:
        """Bounding boxes (minx, miny, maxx, maxy) in ``crs``, NaN where no polygon; (n, 4)."""
        return np.asarray(shapely.bounds(self.geometry), dtype=np.float64)

    @property
    def frame(self) -> gpd.GeoDataFrame:
        """A copy as a GeoDataFrame, index ``zone_id``."""
        data = self.data.copy()
        return gpd.GeoDataFrame(data, geometry=self.geometry.copy(), crs=self.crs)

    def check(
        self, *, gap_max_km2: float = GAP_MAX_KM2, sliver_width_m: float = SLIVER_WIDTH_M
    ) -> CheckReport:
        """Look at every polygon; :func:`lipgeo.zones.validity.check_polygons` says for what.

        Parameters
        ----------
        gap_max_km2
            Holes in the union of all zones up to this many square kilometres count as gaps.
        sliver_width_m
            Overlaps, gaps and parts of a mean width below this many metres are slivers, and notes.

        Returns
        -------
        CheckReport
            What was noted on the way in, then one finding a fault.

        Examples
        --------
        >>> import shapely
        >>> from lipgeo.zones import Zones
        >>> squares = [shapely.box(7.4e6, 1.2e6, 7.401e6, 1.201e6)] * 2
        >>> Zones(["a", "b"], squares, "EPSG:3347").check().findings[0].check
        'duplicate_geometry'
        """
        found = check_polygons(
            self.ids,
            self.geometry,
            self.crs,
            gap_max_km2=gap_max_km2,
            sliver_width_m=sliver_width_m,
        )
        return self.report + CheckReport(found)

    def repair(self) -> tuple[Zones, CheckReport]:
        """Make invalid polygons valid.

        Returns
        -------
        zones
            The same zones, every polygon valid; a zone of which no area is left has none.
        report
            One finding a repaired zone: what was wrong, and the change of its area as a share
            (``repaired``, its value), or that nothing was left (``repaired_away``, an error).
            Empty when all were valid.

        Examples
        --------
        >>> import shapely
        >>> from lipgeo.zones import Zones
        >>> bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
        >>> zones, report = Zones(["a"], [bow_tie], "EPSG:3347").repair()
        >>> zones.geometry[0].is_valid, report.findings[0].check
        (True, 'repaired')
        """
        geometry, changed, change = make_valid_polygons(self.geometry)
        reasons = shapely.is_valid_reason(self.geometry[changed])
        findings = []
        for row, reason in zip(np.flatnonzero(changed), reasons, strict=True):
            one = str(self.ids[row])
            if geometry[row] is None:
                findings.append(
                    finding("zones.repaired_away", "error", one, value=1, id=one, reason=reason)
                )
            else:
                findings.append(
                    finding(
                        "zones.repaired", "warning", one, value=change[row],
                        id=one, reason=reason, share=change[row],
                    )
                )  # fmt: skip
        zones = Zones(
            self.ids.copy(),
            geometry,
            self.crs,
            data=self.data.copy(),
            level=self.level,
            vintage=self.vintage,
            report=self.report,
        )
        return zones, CheckReport(findings)

    def to_grid(self) -> Zones:
        """Return the zones in EPSG:3347, their edges kept where they were drawn."""
        return Zones(
            self.ids.copy(),
            to_grid(self.geometry, self.crs),
            STATCAN_LAMBERT,
            data=self.data.copy(),
            level=self.level,
            vintage=self.vintage,
            report=self.report,
        )


def check_layer(frame: gpd.GeoDataFrame, id: str | None = None) -> CheckReport:
    """Look at a layer as it came and report every fault, row by row; nothing stops at the first.

    Parameters
    ----------
    frame
        Any GeoDataFrame, with or without a coordinate reference system.
    id
        Column of the ids; the index when left out.

    Returns
    -------
    CheckReport
        What :meth:`Zones.from_frame` would refuse (``missing_id``, ``duplicate_id``,
        ``not_a_polygon``, ``not_a_count``, ``crs``, ``swapped_axes``, ``degrees_as_metres``,
        ``metres_as_degrees``) as errors, and what :meth:`Zones.check` would find.

    Raises
    ------
    ZoneError
        There is no such column: everything else would be guesswork.

    Examples
    --------
    >>> import geopandas, shapely
    >>> from lipgeo.zones import check_layer
    >>> layer = geopandas.GeoDataFrame({"id": ["a"]}, geometry=[shapely.Point(0, 0)])
    >>> [finding.check for finding in check_layer(layer, "id")]
    ['crs', 'not_a_polygon', 'no_geometry']
    """
    ids = column_ids(frame, id)
    geometry = np.asarray(frame.geometry.array, dtype=object)
    findings: list[Finding] = []
    crs = None
    try:
        accepted = accept_crs(frame.crs)
    except CRSError as err:
        findings.append(finding_of(err, check="crs"))
    else:
        findings += accepted.report
        crs = accepted.crs
    problems = layer_problems(frame, ids, geometry)
    axes = axis_problems(ids, geometry, crs) if crs is not None else []
    findings += [as_finding(problem) for problem in problems + axes]
    findings += collection_notes(ids, geometry)
    shapes = polygon_parts(geometry)
    if axes:  # places and areas mean nothing in the wrong unit or order
        crs = None
    elif crs is not None and crs.is_geographic:
        try:
            shapes, crs = to_grid(shapes, crs), STATCAN_LAMBERT
        except LipgeoError as err:
            findings.append(finding_of(err, check="crs"))
            crs = None
    names = np.array([f"#{row + 1}" if one is None else one for row, one in enumerate(ids)], object)
    return CheckReport(findings + check_polygons(names, shapes, crs))


# ---------------------------------------------------------------- the checks of a layer


def column_ids(frame: gpd.GeoDataFrame, id: str | None) -> Ids:
    """Return a column, or the index, as text ids; see :func:`text_ids`.

    Raises
    ------
    ZoneError
        The frame has no polygons, or no such column; the message lists those there are.
    """
    if not isinstance(frame, gpd.GeoDataFrame) or frame.active_geometry_name is None:
        raise ZoneError("zones.not_a_geoframe", given=type(frame).__name__)
    if id is not None and id not in frame.columns:
        names = [str(name) for name in frame.columns if name != frame.geometry.name]
        raise ZoneError("zones.no_column", column=id, columns=names)
    values = frame.index.to_series() if id is None else frame[id]
    return text_ids(values.to_numpy(dtype=object))


def text_ids(values: npt.ArrayLike) -> Ids:
    """Write ids as text, ``None`` where missing or blank; a spreadsheet's 3506.0 is 3506.

    Examples
    --------
    >>> from lipgeo.zones.zones import text_ids
    >>> text_ids([3506.0, 35, " 35060001 ", "5050125.00", None, ""]).tolist()
    ['3506', '35', '35060001', '5050125.00', None, None]
    """
    given = np.asarray(values, dtype=object)
    missing = np.asarray(pd.isna(given), dtype=bool)
    if _are_tidy(given[~missing]):  # half a million ids of a census are, and are not gone through
        ids = given.copy()
        ids[missing] = None
        return ids
    return np.array([_text(value) for value in given], dtype=object)


def _are_tidy(values: npt.NDArray[np.object_]) -> bool:
    """Return whether all are text without white space, none empty: looked at as one text."""
    try:
        together = "\0".join(["", *values.tolist(), ""])
    except TypeError:  # some are no text
        return False
    return len(together.split(maxsplit=1)) == 1 and "\0\0" not in together


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


def _problems(problem: str, rows: Flags, ids: Ids, **more: Any) -> list[Problem]:
    return [
        {"row": int(row) + 1, "id": ids[row], "problem": problem, **more}
        for row in np.flatnonzero(rows)
    ]


def layer_problems(frame: gpd.GeoDataFrame, ids: Ids, geometry: Shapes) -> list[Problem]:
    """Find what stops a layer, by cheap checks: ids, geometry types, weights."""
    problems = id_problems(ids)
    kinds = shapely.get_type_id(geometry)
    wrong: Flags = np.asarray(~np.isin(kinds, _POLYGONAL) & ~shapely.is_empty(geometry))
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


def has_infinite(geometry: Shapes) -> Flags:
    """Return which geometries have a coordinate that is no finite number."""
    coordinates, owner = shapely.get_coordinates(geometry, return_index=True)
    infinite = np.zeros(len(geometry), dtype=bool)
    infinite[owner[~np.isfinite(coordinates).all(axis=1)]] = True
    return infinite


def axis_problems(ids: Ids, geometry: Shapes, crs: pyproj.CRS) -> list[Problem]:
    """Find rows whose coordinates are in the other order, or the other unit, than their CRS says.

    Only certain cases: the coordinates are outside Canada as declared and inside it otherwise.
    """
    boxes = np.asarray(shapely.bounds(geometry), dtype=np.float64)
    if not len(boxes):
        return []
    infinite = has_infinite(geometry)
    if infinite.any():
        return _problems("not_finite", infinite, ids)
    west, south, east, north = CANADA_DEGREES
    misread: Flags
    if crs.is_geographic:
        problem = "metres_as_degrees"
        misread = np.asarray((np.abs(boxes) > 360.0).any(axis=1))
    else:
        problem = "degrees_as_metres"
        straight = (boxes >= (west, south, west, south)) & (boxes <= (east, north, east, north))
        turned = (boxes >= (south, west, south, west)) & (boxes <= (north, east, north, east))
        misread = np.asarray(straight.all(axis=1) | turned.all(axis=1))
    swapped, _ = find_swapped_axes(np.where(misread[:, None], np.nan, boxes), crs)
    return _problems(problem, misread, ids) + _problems("swapped_axes", swapped, ids)


def collection_notes(ids: Ids, geometry: Shapes) -> list[Finding]:
    """Note collections of which only the polygons are taken."""
    mixed = np.flatnonzero(shapely.get_type_id(geometry) == shapely.GeometryType.GEOMETRYCOLLECTION)
    kept = ~shapely.is_missing(polygon_parts(geometry[mixed]))
    return [finding("zones.collection", "note", ids[row], id=ids[row]) for row in mixed[kept]]


def as_finding(problem: Problem) -> Finding:
    """Put a problem in a report, as an error."""
    subject = problem["id"] if problem["id"] is not None else f"#{problem['row']}"
    name = problem["problem"]
    return finding(f"zones.row_{name}", "error", subject, check=name, **problem)


def refuse(problems: list[Problem]) -> None:
    """Raise one error that tells all problems, a sentence for each kind.

    Raises
    ------
    ZoneError
        There are any; ``problems`` has one row each.
    """
    faults = Faults()
    for kind in dict.fromkeys(problem["problem"] for problem in problems):
        found = [problem for problem in problems if problem["problem"] == kind]
        faults.add_as_told(
            f"zones.refused_{kind}",
            found,
            which=_name_rows(found),
            ids=list(dict.fromkeys(problem["id"] for problem in found)),
            columns=sorted({str(problem.get("column")) for problem in found}),
            kinds=sorted({str(problem.get("kind")) for problem in found}),
        )
    faults.raise_if_any("zones.unfit", error=ZoneError)


def _name_rows(found: list[Problem]) -> str:
    rows = [problem["row"] for problem in found]
    ids = list(dict.fromkeys(problem["id"] for problem in found if problem["id"] is not None))
    return say("zones.rows_and_ids", rows=rows, ids=ids) if ids else say("zones.rows", rows=rows)
