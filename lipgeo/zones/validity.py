"""Find what is wrong with a set of polygons, one finding a fault, and make polygons valid.

Works on arrays of polygons in one plane; :class:`lipgeo.zones.Zones` is the way in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.arrays import Flags, Floats, Ints, Shapes
from lipgeo.report import Finding, Severity, finding
from lipgeo.zones.crs import area_km2, lonlat

__all__ = [
    "CANADA_DEGREES",
    "GAP_MAX_KM2",
    "SLIVER_SHARE",
    "SLIVER_WIDTH_M",
    "check_polygons",
    "find_swapped_axes",
    "make_valid_polygons",
    "polygon_parts",
]

#: west, south, east, north of everything in Canada, with a margin, in degrees
CANADA_DEGREES = (-142.0, 41.0, -52.0, 84.0)
#: a strip narrower than this (mean width, in metres) is a fault of drawing, not a place
SLIVER_WIDTH_M = 5.0
#: what is less of a polygon than this share of its surface is a fault of drawing, not a place
SLIVER_SHARE = 0.005
#: a hole in the union of all zones larger than this is taken to be meant
GAP_MAX_KM2 = 1.0
#: overlaps and gaps of a mean width below this are rounding of coordinates
_ROUNDING_M = 1e-3


def check_polygons(
    ids: npt.NDArray[np.object_],
    geometry: Shapes,
    crs: Any,
    *,
    gap_max_km2: float = GAP_MAX_KM2,
    sliver_width_m: float = SLIVER_WIDTH_M,
) -> list[Finding]:
    """Look for every fault of a set of polygons.

    Parameters
    ----------
    ids
        Text ids, to name the zones; shape (n,).
    geometry
        Polygons and multipolygons, ``None`` for none; shape (n,).
    crs
        Their projected system. ``None`` leaves out what needs a place on Earth.
    gap_max_km2
        Holes in the union of all zones up to this size count as gaps.
    sliver_width_m
        Overlaps, gaps and parts of mean width (twice the area over the outline) below this are
        slivers.

    Returns
    -------
    list of Finding
        Checks ``no_geometry``, ``invalid``, ``swapped_axes``, ``outside_canada``,
        ``duplicate_geometry``, ``overlap``, ``gap`` and ``sliver``. The value of an overlap is its
        share of the smaller zone, of a gap or sliver its square kilometres.
    """
    absent = np.asarray(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    findings = _finding_each("no_geometry", "warning", ids[absent])
    valid = np.asarray(shapely.is_valid(geometry)) & ~absent
    broken = ~valid & ~absent
    reasons = shapely.is_valid_reason(geometry[broken])
    findings += [
        finding("zones.invalid", "error", one, id=one, reason=reason)
        for one, reason in zip(ids[broken], reasons, strict=True)
    ]
    if crs is not None:
        findings += _place_findings(ids, geometry, crs)
    # an invalid polygon is looked at as what its repair would be
    whole = geometry.copy()
    whole[broken] = make_valid_polygons(geometry[broken])[0]
    filled = ~(shapely.is_missing(whole) | shapely.is_empty(whole))
    names, shapes = ids[filled], whole[filled]
    if not len(shapes):
        return findings
    # a pair that overlaps has an edge of one inside or along the other, and the coverage check
    # finds such edges many times faster than all neighbours can be intersected
    suspects = np.flatnonzero(~shapely.is_empty(shapely.coverage_invalid_edges(shapes)))
    findings += _overlap_findings(names, shapes, suspects, crs, sliver_width_m)
    # the others are a valid coverage, whose union costs next to nothing
    union = shapely.coverage_union_all(np.delete(shapes, suspects))
    if len(suspects):
        union = shapely.union_all([union, *shapes[suspects]])
    findings += _gap_findings(union, crs, gap_max_km2, sliver_width_m)
    return findings + _sliver_findings(names, shapes, crs, sliver_width_m)


def _finding_each(check: str, severity: Severity, ids: Any) -> list[Finding]:
    return [finding(f"zones.{check}", severity, one, id=one) for one in ids]


def _place_findings(ids: npt.NDArray[np.object_], geometry: Shapes, crs: Any) -> list[Finding]:
    """Find zones whose coordinates are swapped, or that lie outside Canada."""
    swapped, outside = find_swapped_axes(shapely.bounds(geometry), crs)
    return _finding_each("find_swapped_axes", "error", ids[swapped]) + _finding_each(
        "outside_canada", "warning", ids[outside & ~swapped]
    )


def find_swapped_axes(boxes: Floats, crs: Any) -> tuple[Flags, Flags]:
    """Tell which boxes lie in Canada only with their axes swapped, and which lie outside it.

    Parameters
    ----------
    boxes
        minx, miny, maxx, maxy in ``crs``, NaN for none; shape (n, 4).
    crs
        Their system, projected or geographic.

    Returns
    -------
    swapped, outside
        Shape (n,) each. A box is swapped when its centre is outside Canada as given and inside it
        with x and y exchanged.
    """
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    known = np.isfinite(centre).all(axis=1)
    outside = known & ~_in_canada(lonlat(centre, crs))
    swapped = np.zeros(len(boxes), dtype=bool)
    swapped[outside] = _in_canada(lonlat(centre[outside, ::-1], crs))
    return swapped, outside


def _in_canada(degrees: Floats) -> Flags:
    west, south, east, north = CANADA_DEGREES
    longitude, latitude = degrees.T
    return np.asarray(
        (longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north)
    )


def _width(shapes: Shapes) -> Floats:
    """Return the mean width: that of a strip with this area and outline."""
    outline = shapely.length(shapes)
    return np.asarray(2 * shapely.area(shapes) / np.where(outline > 0, outline, np.inf), float)


def _km2(shapes: Shapes, crs: Any) -> Floats:
    # the plane's own square units where nothing says where on Earth it lies
    return np.asarray(shapely.area(shapes) / 1e6, float) if crs is None else area_km2(shapes, crs)


def _overlap_findings(
    ids: npt.NDArray[np.object_],
    shapes: Shapes,
    suspects: Ints,
    crs: Any,
    sliver_width_m: float,
) -> list[Finding]:
    """Find equal polygons, and pairs that share area; one of each pair is among the suspects."""
    # equal polygons, however their rings begin
    keys = pd.factorize(shapely.to_wkb(shapely.normalize(shapely.force_2d(shapes[suspects]))))[0]
    code = np.full(len(shapes), -1, dtype=np.int64)
    code[suspects] = keys
    repeated = np.flatnonzero(pd.Index(keys).duplicated(keep=False))
    twins = [suspects[keys == key] for key in np.unique(keys[repeated])]
    findings = [
        finding(
            "zones.duplicate_geometry",
            "warning",
            ids[group[0]],
            value=len(group),
            ids=ids[group],
        )
        for group in twins
    ]
    # pairs that share area, twins aside
    tree = shapely.STRtree(shapes)
    first, second = tree.query(shapes[suspects], predicate="intersects")
    first = suspects[first]
    different = (first != second) & ((code[first] < 0) | (code[first] != code[second]))
    pairs = np.unique(np.sort(np.column_stack([first, second])[different], axis=1), axis=0)
    shared = np.asarray(
        shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]]), dtype=object
    )
    areas = shapely.area(shapes)
    smaller = np.minimum(areas[pairs[:, 0]], areas[pairs[:, 1]])
    share = shapely.area(shared) / np.where(smaller > 0, smaller, np.inf)
    width = _width(shared)
    met = width > _ROUNDING_M
    pairs, shared, share = pairs[met], shared[met], share[met]
    # thin ones are slivers
    thin = width[met] < sliver_width_m
    sizes = _km2(shared, crs)
    for (one, other), is_thin, part, km2 in zip(ids[pairs], thin, share, sizes, strict=True):
        values = {"a": one, "b": other, "share": part, "km2": km2, "m2": km2 * 1e6}
        subject = f"{one};{other}"
        findings.append(
            finding("zones.sliver_overlap", "note", subject, check="sliver", value=km2, **values)
            if is_thin
            else finding("zones.overlap", "warning", subject, value=part, **values)
        )
    return findings


def _gap_findings(
    union: shapely.Geometry, crs: Any, gap_max_km2: float, sliver_width_m: float
) -> list[Finding]:
    """Find holes in the union of all zones."""
    parts = shapely.get_parts(union)
    rings, owner = shapely.get_rings(parts, return_index=True)
    # the first ring of each part is its outline, the others are holes
    inner = np.append(False, owner[1:] == owner[:-1])
    holes = np.asarray(shapely.polygons(rings[inner]), dtype=object)
    holes = holes[_width(holes) > _ROUNDING_M]
    if not len(holes):
        return []
    # an island of zones inside a hole is no gap
    tree = shapely.STRtree(parts)
    island, inside = tree.query(holes, predicate="contains")
    for row in np.unique(island):
        holes[row] = shapely.difference(holes[row], shapely.union_all(parts[inside[island == row]]))
    km2 = _km2(holes, crs)
    order = np.argsort(-km2, kind="stable")
    findings = []
    for row in order[km2[order] <= gap_max_km2]:
        point = shapely.point_on_surface(holes[row])
        thin = _width(holes[row : row + 1])[0] < sliver_width_m
        findings.append(
            finding(
                "zones.sliver_gap" if thin else "zones.gap",
                "note" if thin else "warning",
                f"{point.x:.0f},{point.y:.0f}",
                check="sliver" if thin else "gap",
                value=km2[row],
                limit=gap_max_km2,
                km2=km2[row],
                m2=km2[row] * 1e6,
                x=point.x,
                y=point.y,
            )
        )
    return findings


def _sliver_findings(
    ids: npt.NDArray[np.object_], geometry: Shapes, crs: Any, sliver_width_m: float
) -> list[Finding]:
    """Find parts of zones, or whole zones, that are mere strips."""
    parts, owner = shapely.get_parts(geometry, return_index=True)
    filled = ~shapely.is_empty(parts)
    parts, owner = parts[filled], owner[filled]
    thin = _width(parts) < sliver_width_m
    km2 = _km2(parts[thin], crs)
    return [
        finding(
            "zones.sliver_part",
            "note",
            ids[row],
            check="sliver",
            value=size,
            id=ids[row],
            m2=size * 1e6,
        )
        for row, size in zip(owner[thin], km2, strict=True)
    ]


def polygon_parts(geometry: Shapes) -> Shapes:
    """Keep the polygons of each geometry: a polygon, a multipolygon, or ``None`` when it has none.

    Examples
    --------
    >>> import numpy as np, shapely
    >>> from lipgeo.zones.validity import polygon_parts
    >>> mixed = shapely.from_wkt("GEOMETRYCOLLECTION (POINT (0 0), POLYGON ((0 0, 1 0, 0 1, 0 0)))")
    >>> polygon_parts(np.array([mixed, shapely.Point(0, 0)]))[1] is None
    True
    """
    kinds = shapely.get_type_id(geometry)
    result = geometry.copy()
    fine = np.isin(kinds, (_POLYGON, _MULTIPOLYGON)) & ~shapely.is_empty(geometry)
    result[~fine] = None
    mixed = np.flatnonzero(kinds == shapely.GeometryType.GEOMETRYCOLLECTION)
    parts, owner = shapely.get_parts(geometry[mixed], return_index=True)
    while (shapely.get_type_id(parts) > _POLYGON).any():  # multi and nested parts, level by level
        parts, inner = shapely.get_parts(parts, return_index=True)
        owner = owner[inner]
    keep = (shapely.get_type_id(parts) == _POLYGON) & ~shapely.is_empty(parts)
    parts, owner = parts[keep], owner[keep]
    for row in np.unique(owner):  # parts of a collection may overlap; those of a multipolygon not
        result[mixed[row]] = shapely.union_all(parts[owner == row])
    return np.asarray(result, dtype=object)


_POLYGON = shapely.GeometryType.POLYGON
_MULTIPOLYGON = shapely.GeometryType.MULTIPOLYGON


def make_valid_polygons(geometry: Shapes) -> tuple[Shapes, Flags, Floats]:
    """Make polygons valid, keeping only polygons.

    Parameters
    ----------
    geometry
        Polygons and multipolygons, ``None`` for none; shape (n,).

    Returns
    -------
    geometry
        The same, the invalid ones repaired; ``None`` where no area is left.
    changed
        Which were repaired; shape (n,).
    area_change
        Absolute change of area over the larger of before and after, in [0, 1]; 0 where nothing
        changed; shape (n,). The area before is that of the rings as drawn, so both lobes of a
        figure of eight count against each other.

    Examples
    --------
    >>> import numpy as np, shapely
    >>> from lipgeo.zones.validity import make_valid_polygons
    >>> bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    >>> fixed, changed, area_change = make_valid_polygons(np.array([bow_tie]))
    >>> fixed[0].area, bool(changed[0]), float(area_change[0])
    (2.0, True, 1.0)
    """
    changed = np.asarray(~(shapely.is_valid(geometry) | shapely.is_missing(geometry)), dtype=bool)
    result = geometry.copy()
    area_change = np.zeros(len(geometry))
    if changed.any():
        before = shapely.area(geometry[changed])
        # by structure, not by linework: where an official hole crosses its shell, linework turns
        # the crossing inside out
        fixed = polygon_parts(_by_structure(geometry[changed]))
        # GEOS now and then leaves two parts that share an edge
        for row in np.flatnonzero(~(shapely.is_valid(fixed) | shapely.is_missing(fixed))):
            fixed[row] = shapely.union_all(shapely.get_parts(shapely.make_valid(fixed[row])))
        result[changed] = polygon_parts(fixed)
        after = np.nan_to_num(shapely.area(result[changed]))
        larger = np.maximum(before, after)
        area_change[changed] = np.abs(after - before) / np.where(larger > 0, larger, 1.0)
    return np.asarray(result, dtype=object), changed, area_change


def _by_structure(geometry: Shapes) -> Shapes:
    """Make geometry valid by its structure.

    GEOS cannot where a hole lies outside a shell that crosses itself: there shells are mended
    without their holes, and the holes taken out of them. Linework would make land of such a hole.
    """
    try:
        made = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    except shapely.errors.GEOSException:
        if len(geometry) > 1:
            return np.concatenate(
                [_by_structure(geometry[at : at + 1]) for at in range(len(geometry))]
            )
        parts = shapely.get_parts(geometry)
        shells = _union_valid([shapely.Polygon(one.exterior) for one in parts])
        holes = _union_valid([shapely.Polygon(ring) for one in parts for ring in one.interiors])
        made = np.array([shapely.difference(shells, holes)], dtype=object)
    return np.asarray(made, dtype=object)


def _union_valid(rings: list[shapely.Polygon]) -> shapely.Geometry:
    # a ring alone has no hole that linework could make land of
    return shapely.union_all([shapely.make_valid(one, method="linework") for one in rings])
