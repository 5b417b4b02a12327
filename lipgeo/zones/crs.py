"""Accept a layer's coordinate system by its datum, and bring drawn edges to the census's grid."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from pyproj.exceptions import ProjError

from lipgeo.arrays import Floats, Shapes
from lipgeo.errors import CRSError, DatumError, tell_damage
from lipgeo.report import CheckReport, finding
from lipgeo.words import say
from lipgeo.zones.densify import Projector, project_edges

__all__ = [
    "CANADA_ALBERS",
    "STATCAN_LAMBERT",
    "AcceptedCRS",
    "accept_crs",
    "area_km2",
    "lonlat",
    "on_grid",
    "require_same_projected",
    "same_crs",
    "to_grid",
]

#: the census's own grid: conformal, so shares within a unit, never square kilometres
STATCAN_LAMBERT = pyproj.CRS.from_epsg(3347)
#: equal-area, for square kilometres where Statistics Canada's land area is not to be had
CANADA_ALBERS = pyproj.CRS.from_user_input("ESRI:102001")

#: family, pattern of the folded datum name, and the accuracy in metres of taking its coordinates
#: as NAD83 unchanged (the figures of the EPSG registry for Canada). First match wins.
_DATUMS: tuple[tuple[str, re.Pattern[str], float], ...] = (
    ("NAD83(CSRS)", re.compile(r"D?(NAD(19)?83|NORTHAMERICAN(DATUM)?(OF)?1983).*CSRS"), 2.0),
    ("NAD83(CSRS)", re.compile(r"D?NAD(19)?83CANADIANSPATIALREFERENCESYSTEM"), 2.0),
    ("NAD83", re.compile(r"D?(NAD(19)?83|NORTHAMERICAN(DATUM)?(OF)?1983)$"), 0.0),
    # HARN, CORS96, NSRS2007, 2011: the realisations of the United States
    ("NAD83", re.compile(r"D?(NAD(19)?83|NORTHAMERICAN(DATUM)?(OF)?1983)"), 2.0),
    ("WGS84", re.compile(r"D?(WGS(19)?84|WORLDGEODETICSYSTEM(OF)?1984)"), 4.0),
)
_NAD27 = re.compile(r"D?(NAD(19)?27|NORTHAMERICAN(DATUM)?(OF)?1927|NADCGQ77)")


@dataclass(frozen=True)
class AcceptedCRS:
    """A coordinate reference system whose coordinates can be taken as NAD83.

    Attributes
    ----------
    crs
        Its horizontal part, two-dimensional.
    report
        A note that the datum (NAD83(CSRS), WGS84) is taken as NAD83, its value the metres by which
        a position may be off for it; empty when the layer stands on NAD83 itself.
    """

    crs: pyproj.CRS
    report: CheckReport = field(default_factory=CheckReport)


def accept_crs(crs: Any) -> AcceptedCRS:
    """Accept a coordinate reference system by its datum, or refuse it by name.

    NAD83, NAD83(CSRS) in all its versions and WGS84 in all its realisations are accepted, however
    the system is written (an EPSG code, any WKT, an Esri ``.prj`` that names no code). The datum
    decides, not whether PROJ finds a transformation: without grids PROJ calls most ways between
    these three "ballpark", and with grids two computers would give two answers.

    Parameters
    ----------
    crs
        Anything :meth:`pyproj.CRS.from_user_input` takes.

    Raises
    ------
    CRSError
        There is none, it cannot be read, or it is not a system of map or geographic coordinates.
    DatumError
        It stands on NAD27 or on any other datum, or its datum's name and ellipsoid disagree.

    Examples
    --------
    >>> from lipgeo.zones.crs import accept_crs
    >>> accepted = accept_crs("EPSG:2951")
    >>> accepted.crs.name, [finding.value for finding in accepted.report]
    ('NAD83(CSRS) / MTM zone 9', [2.0])
    """
    if crs is None:
        raise CRSError("zones.missing")
    try:
        given = pyproj.CRS.from_user_input(crs)
        flat = _horizontal(given)
        if flat is not None:  # a damaged definition may read and lead nowhere
            _transformer(flat, _degrees(flat))
    except ProjError as err:
        raise CRSError("zones.unreadable", given=_short(crs), reason=_short(err)) from err
    if flat is None:
        raise CRSError("zones.not_a_map", name=given.name, kind=given.type_name)
    datum = flat.datum.name if flat.datum else say("zones.no_name")
    folded = re.sub(r"[^A-Z0-9]", "", datum.upper())
    if _NAD27.match(folded):
        raise DatumError("zones.nad27", name=flat.name, datum=datum)
    known = next((row for row in _DATUMS if row[1].match(folded)), None)
    if known is None:
        raise DatumError("zones.other_datum", name=flat.name, datum=datum)
    family, _, accuracy = known
    ellipsoid = flat.ellipsoid
    if not _is_modern(ellipsoid, folded) or _meridian(flat):
        raise DatumError(
            "zones.contradictory",
            name=flat.name,
            datum=datum,
            ellipsoid=ellipsoid.name if ellipsoid else say("zones.no_name"),
            meridian=_meridian(flat),
        )
    findings = []
    if accuracy:
        findings.append(
            finding(
                "zones.taken_as_nad83", "note", flat.name, check="datum", value=accuracy,
                name=flat.name, datum=family, metres=accuracy,
            )
        )  # fmt: skip
    return AcceptedCRS(flat, CheckReport(findings))


def _horizontal(crs: pyproj.CRS) -> pyproj.CRS | None:
    """Return the map or geographic part of a CRS in two dimensions, ``None`` if it has none."""
    if crs.is_bound and crs.source_crs is not None:
        return _horizontal(crs.source_crs)
    if crs.is_compound:
        return _horizontal(crs.sub_crs_list[0])
    if crs.is_geocentric or not (crs.is_projected or crs.is_geographic):
        return None
    return crs.to_2d() if len(crs.axis_info) > 2 else crs


def _is_modern(ellipsoid: Any, folded_datum: str) -> bool:
    """Whether the ellipsoid is GRS80's or WGS84's, as the three accepted datums require."""
    if ellipsoid is None or abs(ellipsoid.semi_major_metre - 6_378_137.0) > 0.5:
        return False
    # the web's first Mercator systems say WGS84 and give a sphere; their positions are WGS84
    return abs(ellipsoid.inverse_flattening - 298.2572) < 1e-3 or "SPHERE" in folded_datum


def _meridian(crs: pyproj.CRS) -> float:
    return float(crs.prime_meridian.longitude) if crs.prime_meridian else 0.0


def _short(value: object, length: int = 120) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= length else text[: length - 1] + "…"


def same_crs(a: Any, b: Any) -> bool:
    """Whether two systems give the same coordinates, however they are written.

    Examples
    --------
    >>> from lipgeo.zones.crs import same_crs
    >>> same_crs("EPSG:4326", "OGC:CRS84"), same_crs("EPSG:2951", "EPSG:2952")
    (True, False)
    """
    first, second = pyproj.CRS.from_user_input(a), pyproj.CRS.from_user_input(b)
    if first.equals(second, ignore_axis_order=True):
        return True
    return on_grid(first) and on_grid(second)


def on_grid(crs: Any) -> bool:
    """Whether coordinates of this system are EPSG:3347's as they stand.

    True for EPSG:3347 and 3348 and for the ``.prj`` of Statistics Canada's own files, which names
    no code: the projection is compared by its parameters.

    Examples
    --------
    >>> from lipgeo.zones.crs import on_grid
    >>> on_grid("EPSG:3348"), on_grid("ESRI:102002")
    (True, False)
    """
    crs = pyproj.CRS.from_user_input(crs)
    if crs == STATCAN_LAMBERT:
        return True
    # ESRI:102002 uses the same parallels: only all parameters together make the grid
    return crs.is_projected and _projection(crs) == _projection(STATCAN_LAMBERT)


def _projection(crs: pyproj.CRS) -> tuple[Any, ...]:
    """Return method, parameters in SI units, and axis units of a projected CRS, to compare."""
    operation = crs.coordinate_operation
    if operation is None:
        return ()
    parameters = sorted(
        (_PARALLELS.get(p.name, p.name), round(float(p.value) * p.unit_conversion_factor, 9))
        for p in operation.params
    )
    axes = tuple(axis.unit_conversion_factor for axis in crs.axis_info[:2])
    return operation.method_name, tuple(parameters), axes


#: a conic's two standard parallels may come in either order
_PARALLELS = {
    "Latitude of 1st standard parallel": "parallel",
    "Latitude of 2nd standard parallel": "parallel",
}


def require_same_projected(a: Any, b: Any) -> None:
    """Raise unless two layers share one projected coordinate reference system.

    Raises
    ------
    CRSError
        One of the two is geographic, or they differ.

    Examples
    --------
    >>> from lipgeo.zones.crs import require_same_projected
    >>> require_same_projected("EPSG:3347", "EPSG:3347")
    """
    first, second = pyproj.CRS.from_user_input(a), pyproj.CRS.from_user_input(b)
    geographic = [crs.name for crs in (first, second) if crs.is_geographic]
    if geographic:
        raise CRSError("zones.geographic", names=geographic)
    if not same_crs(first, second):
        raise CRSError("zones.different", first=first.name, second=second.name)


def to_grid(geometry: npt.ArrayLike, crs: Any, sagitta_m: float = 1.0) -> Shapes:
    """Bring geometries to EPSG:3347, keeping their edges where they were drawn.

    An edge is straight in the system it was drawn in and bends on the grid: a 500 km parallel by
    kilometres. Edges that would depart by more than ``sagitta_m`` get points first, as few as
    serve, spaced evenly from the edge's lesser end; so an edge shared by two neighbours gets the
    same points whichever way each draws it.

    Parameters
    ----------
    geometry
        Shapely geometries of any type, ``None`` for none; shape (n,).
    crs
        The system they are in; see :func:`accept_crs`.
    sagitta_m
        Largest distance in metres between a projected edge and the straight pieces for it.

    Returns
    -------
    numpy.ndarray
        The geometries in EPSG:3347 metres, two-dimensional; shape (n,). As given where they are
        already on the grid.

    Raises
    ------
    CRSError, DatumError
        The system is refused, or some coordinates are not finite or fall outside the projection;
        ``problems`` lists the rows.

    Examples
    --------
    >>> import shapely
    >>> from lipgeo.zones.crs import to_grid
    >>> parallel = shapely.LineString([(-95, 49), (-88, 49)])
    >>> len(to_grid([parallel], "EPSG:4326")[0].coords) > 50
    True
    """
    accepted = accept_crs(crs)
    shapes = np.asarray(geometry, dtype=object)
    if on_grid(accepted.crs):
        return shapes.copy()
    return _project(shapes, accepted.crs, STATCAN_LAMBERT, sagitta_m)


def area_km2(geometry: npt.ArrayLike, crs: Any = STATCAN_LAMBERT) -> Floats:
    """Return areas in square kilometres, measured on the equal-area ESRI:102001.

    Parameters
    ----------
    geometry
        Shapely geometries, ``None`` for none; shape (n,).
    crs
        The system they are in.

    Returns
    -------
    numpy.ndarray
        Square kilometres, NaN where there is no geometry; shape (n,).

    Raises
    ------
    CRSError, DatumError
        As :func:`to_grid`.

    Examples
    --------
    >>> import shapely
    >>> from lipgeo.zones.crs import area_km2
    >>> area_km2([shapely.box(7_470_000, 1_190_000, 7_471_000, 1_191_000)]).round(3).tolist()
    [0.97]
    """
    shapes = np.asarray(geometry, dtype=object)
    source = accept_crs(crs).crs
    return np.asarray(shapely.area(_project(shapes, source, CANADA_ALBERS, 1.0)) / 1e6, np.float64)


def lonlat(points: Floats, crs: Any) -> Floats:
    """Return longitude and latitude in degrees of points; infinite where out of reach; (n, 2).

    Examples
    --------
    >>> import numpy as np
    >>> from lipgeo.zones.crs import lonlat
    >>> lonlat(np.array([[6_200_000.0, 3_000_000.0]]), "EPSG:3347").round(4).tolist()
    [[-91.8667, 63.3907]]
    """
    source = accept_crs(crs).crs
    back = _transformer(source, _degrees(source))
    return np.column_stack(back.transform(points[:, 0], points[:, 1]))


def _projector(source: pyproj.CRS, target: pyproj.CRS) -> Projector:
    """Return the way from source to target coordinates with the datum taken as NAD83, unchanged.

    PROJ would choose among transformations by the grids that happen to be installed.
    """
    back = _transformer(source, _degrees(source))
    forth = _transformer(_degrees(target), target)

    def project(coordinates: Floats) -> Floats:
        degrees = back.transform(coordinates[:, 0], coordinates[:, 1])
        return np.column_stack(forth.transform(*degrees))

    return project


@functools.lru_cache(maxsize=32)
def _transformer(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    """Return the way between two systems; PROJ takes milliseconds to find it, so it is kept."""
    with tell_damage(CRSError, "zones.unreadable", given=_short(source)):
        return pyproj.Transformer.from_crs(source, target, always_xy=True)


@functools.lru_cache(maxsize=32)
def _degrees(crs: pyproj.CRS) -> pyproj.CRS:
    """Return longitude and latitude in degrees on a CRS's own datum."""
    return pyproj.crs.GeographicCRS(name=crs.name, datum=crs.datum)


def _project(shapes: Shapes, source: pyproj.CRS, target: pyproj.CRS, sagitta_m: float) -> Shapes:
    """Project geometries, their edges kept where they were drawn."""
    flat = shapely.force_2d(shapes)
    return project_edges(flat, _projector(source, target), sagitta_m, source.name)
