"""Build a crosswalk: share out sources among targets, and say what must be said about it.

Shares are computed by position; their frames, with ids, are put together last and ordered by ids.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo._version import __version__
from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.arrays import Floats, Ints, distinct
from lipgeo.census.census import CensusZones
from lipgeo.census.data import Measure
from lipgeo.crosswalk.crosswalk import (
    QUALITY,
    SURROUNDINGS,
    TRIALS,
    Crosswalk,
    Placement,
    fit_of,
    held_amounts,
    remaining_share,
    require_sums,
    target_coverage,
)
from lipgeo.crosswalk.density import STRENGTH, Near
from lipgeo.crosswalk.inputs import Targets, bring_to_one_grid, targets_of
from lipgeo.crosswalk.overlay.kernel import Overlay, overlay
from lipgeo.crosswalk.overlay.measure import DUST
from lipgeo.crosswalk.shares import (
    AmountsOf,
    OverlayFunction,
    Shares,
    are_points,
    shares_by_area,
    shares_by_weight,
)
from lipgeo.crosswalk.trials import Splits
from lipgeo.errors import CrosswalkError, require_kind
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.words import Sentence
from lipgeo.zones.zones import Zones

__all__ = ["assemble_crosswalk", "build_crosswalk", "build_with_blocks", "build_with_overlay"]

#: the dtype pandas gives to text
_TEXT = pd.Series(["text"]).dtype
#: a target covered more often than this says that sources overlap
_OVERLAP_TOLERANCE = 1e-6


def build_crosswalk(
    source: Zones,
    target: Zones | ServiceAreas,
    *,
    weight: Measure = "area",
    placement: Placement = "auto",
    blocks: Zones | gpd.GeoDataFrame | None = None,
) -> Crosswalk:
    """Share out source zones among targets.

    Parameters
    ----------
    source
        Zones, or a level of a census (``census.zones("DA")``).
    target
        Zones, a level of a census, or service areas. Drawn targets are overlaid; units of the
        source's own census and unit-list areas are matched by ids, exactly.
    weight
        What is shared: ``"area"``, or the people, dwellings or households of the blocks.
    placement
        Where the people of a block (or DA) are that an outline cuts: by how densely each area is
        settled near it (``"density"``, see Notes), evenly on its ``"surface"``, or at its
        representative ``"point"``, as Statistics Canada retrieves areas. ``"auto"`` is by density
        where blocks or DAs of one census are cut, else by surface.
    blocks
        Zones with columns ``population``, ``dwellings`` or ``households``; only those of
        sources that an outline crosses are looked at. The census's own blocks where the source
        is census zones and its blocks are held. Blocks may be points (:meth:`Zones.from_points`, a
        layer of points as it was read, or those of a census without polygons of blocks), with or
        without counts: each has the ground of its source that is closest to it, and without counts
        an equal part of its people.

    Returns
    -------
    Crosswalk
        Exact shares: shares and remainder of each source add up to 1. A source is shared out by
        the weight asked for; where its blocks hold none of it, or the count of some is missing,
        by dwellings, else by area, and ``share_basis`` says which. Without blocks, DAs are placed
        by their own density and every other share is by area. Area shares are exact whatever the
        placement; ``report`` says how many people were placed how.

    Raises
    ------
    CrosswalkError
        An option is not one of the above, an area is a list and the source is no census of its
        vintage, or ``blocks`` holds no counts.
    CRSError, DatumError
        Zones do not share a projected coordinate reference system. With a census or service areas
        everything is brought to EPSG:3347 first.

    Notes
    -----
    The share of a source without people is not 0: it is that of its dwellings, else of its area.
    An overlap below 1e-9 of both the source and the target is numeric dust and no overlap.

    *Density* (target density weighting, made local): the part of a cut unit in each area takes
    people by its surface times the density of that area's own units near it, to a power from 0 to 1
    that is learned from whole units on either side of the outlines (``meta["strength"]``);
    :mod:`lipgeo.crosswalk.density` has the formula. Areas are the
    faces of the overlay of all targets, the outside one of them: so the share of one target may
    depend on its neighbours in the same call.

    Examples
    --------
    >>> import shapely
    >>> from lipgeo import Zones, build_crosswalk
    >>> fields = Zones(["a", "b"], shapely.box([0, 2], 0, [2, 4], 2), "EPSG:26917")
    >>> town = Zones(["t"], [shapely.box(1, 0, 4, 2)], "EPSG:26917")
    >>> build_crosswalk(fields, town).frame[["source_id", "share"]].to_numpy().tolist()
    [['a', 0.5], ['b', 1.0]]
    """
    return build_with_overlay(
        source, target, weight=weight, placement=placement, blocks=blocks, overlay_with=overlay
    )


def build_with_overlay(
    source: Zones,
    target: Zones | ServiceAreas,
    *,
    weight: Measure,
    placement: Placement,
    blocks: Zones | gpd.GeoDataFrame | None,
    overlay_with: OverlayFunction,
) -> Crosswalk:
    """Share out as :func:`build_crosswalk`; ``overlay_with`` lays a census level over targets."""
    return build_with_blocks(
        source,
        target,
        weight=weight,
        placement=placement,
        blocks=blocks,
        overlay_with=overlay_with,
    )[0]


def build_with_blocks(
    source: Zones,
    target: Zones | ServiceAreas,
    *,
    weight: Measure,
    placement: Placement,
    blocks: Zones | gpd.GeoDataFrame | None,
    overlay_with: OverlayFunction,
) -> tuple[Crosswalk, tuple[Overlay, Overlay] | None]:
    """Share out as :func:`build_with_overlay`, and say where blocks lie (:class:`Shares`)."""
    _require_option("weight", weight, Measure)
    _require_option("placement", placement, Placement)
    if isinstance(blocks, gpd.GeoDataFrame):
        bare = bool((blocks.geometry.geom_type.dropna() == "Point").all())
        blocks = Zones.from_points(blocks) if bare else Zones.from_frame(blocks)
    if blocks is not None:
        require_kind(blocks, Zones, "errors.zones", "blocks")
    # everything on one grid, targets by outline or by ids
    source, target, blocks = bring_to_one_grid(source, target, blocks)
    targets = targets_of(source, target)
    # shares by area, then by the people where an outline cuts a source
    area = shares_by_area(source, targets, overlay_with)
    findings = [*target.report, *_overlay_findings(source, targets, area)]
    blocks, how = _blocks_and_placement(source, blocks, weight, placement)
    own = isinstance(blocks, CensusZones) and blocks.level == source.level
    points = blocks is not None and not own and are_points(blocks)
    weighted, amounts_of, notes = shares_by_weight(
        source,
        targets,
        area,
        weight=weight,
        placement=how,
        blocks=blocks,
        overlay_with=overlay_with,
    )
    meta: dict[str, Any] = {
        "source_level": source.level,
        "target_level": None if isinstance(target, ServiceAreas) else target.level,
        "target_kind": "areas" if isinstance(target, ServiceAreas) else "zones",
        "listed": _listed_targets(source, target),
        "vintage": source.vintage,
        "weight": weight,
        "placement": placement,
    }
    meta["placed"] = {name: round(count, 6) for name, count in weighted.placed.items()}
    if points:
        meta["blocks"] = "points"
    if weighted.strength is not None:
        meta["strength"] = {
            "power": round(weighted.strength.of_cut, 6),
            "pairs": weighted.strength.pairs,
        }
    notes += _placement_findings(weighted, how, weight)
    made = assemble_crosswalk(
        source, targets, area, weighted, amounts_of, meta=meta, findings=[*findings, *notes]
    )
    return made, weighted.blocks


def _blocks_and_placement(
    source: Zones, blocks: Zones | None, weight: Measure, placement: Placement
) -> tuple[Zones | None, str]:
    """Return the blocks that people are in, and how those are placed that an outline cuts."""
    census = source.census if isinstance(source, CensusZones) else None
    finest = None if census is None else census.atom_level
    if blocks is None and census is not None and "DB" in census.levels:
        blocks = census.zones("DB")
    if weight == "area":
        return blocks, "surface"
    if placement == "auto":
        # of one census: its blocks, points in its units, or its DAs
        mine = census is not None or isinstance(blocks, CensusZones)
        fine = blocks is not None or (finest in STRENGTH and source.level == finest)
        placement = "density" if mine and fine else "surface"
    if blocks is None and placement == "density":
        if census is not None:
            blocks = census.zones(str(finest))
        elif weight in source.data:
            blocks = source
    return blocks, placement


def _placement_findings(weighted: Shares, placement: str, weight: Measure) -> list[Finding]:
    """Return how many people of cut units were placed how, where any were placed by density."""
    if placement != "density" or not sum(weighted.placed.values()):
        return []
    people: dict[str, Any] = dict(weighted.placed)
    basis = Sentence(f"crosswalk.{weight}")
    return [finding("crosswalk.placed", "note", "", weight=basis, **people)]


def _listed_targets(source: Zones, target: Zones | ServiceAreas) -> list[str]:
    """Return the targets that are sets of units of the source's own census, by id."""
    if not isinstance(source, CensusZones):
        return []
    if isinstance(target, ServiceAreas):
        units = target.frame["definition"].eq("units")
        return sorted(str(area) for area in target.frame.index[units])
    own = isinstance(target, CensusZones) and target.census.data is source.census.data
    return sorted(map(str, target.ids)) if own else []


def _require_option(name: str, value: str, options: Any) -> None:
    if value not in get_args(options):
        raise CrosswalkError(
            "crosswalk.option", name=name, value=value, options=list(get_args(options))
        )


def _overlay_findings(source: Zones, targets: Targets, area: Shares) -> list[Finding]:
    """Return what must be said about the overlay itself."""
    findings = [
        finding("crosswalk.repaired_source", "note", source.ids[row], id=source.ids[row])
        for row in area.repaired
    ]
    findings += [
        finding("crosswalk.repaired_target", "note", targets.ids[row], id=targets.ids[row])
        for row in targets.outlines.repaired
    ]
    findings += [
        finding("crosswalk.unplaced", "warning", source.ids[row], id=source.ids[row])
        for row in area.unplaced
    ]
    empty = np.flatnonzero(np.bincount(area.pairs.area, minlength=len(targets)) == 0)
    findings += [
        finding("crosswalk.no_overlap", "warning", targets.ids[row], id=targets.ids[row])
        for row in empty
    ]
    return findings


def assemble_crosswalk(
    source: Zones,
    targets: Targets,
    area: Shares,
    weighted: Shares,
    amounts_of: AmountsOf,
    *,
    meta: dict[str, Any],
    findings: list[Finding],
) -> Crosswalk:
    """Put ids to positions; order everything by ids."""
    # what the sources met are called and hold; ``rank`` is the place of each in the order of ids
    pairs, surface = weighted.pairs, area.pairs
    met = distinct(pairs.unit)
    named, rank = _rank_ids(_source_ids(source, met))
    amount, basis = amounts_of(met)
    code, bases = pd.factorize(basis)
    targeted, based = _texts(targets.ids), _texts(bases).take(code)
    coarse_of, trials_of, near_of = weighted.coarse, weighted.trials, weighted.near
    # the pairs, ordered by source, then target
    at = np.searchsorted(met, pairs.unit)
    by_ids = place = np.lexsort((pairs.area, rank[at]))
    at, column = at[place], pairs.area[place]
    frame = pd.DataFrame(
        {
            "source_id": named.take(rank[at]),
            "target_id": targeted.take(column),
            "share": pairs.share[place],
            "area_share": surface.share[place],
            "weight": pairs.share[place] * amount[at],
            "share_basis": based.take(at),
        }
    )
    # what two targets have in common in a source
    both = np.searchsorted(met, pairs.shared_unit)
    place = np.lexsort((rank[both], pairs.shared_other, pairs.shared_area))
    overlaps = pd.DataFrame(
        {
            "target_id": targeted.take(pairs.shared_area[place]),
            "other_id": targeted.take(pairs.shared_other[place]),
            "source_id": named.take(rank[both[place]]),
            "share": pairs.shared[place],
            "area_share": surface.shared[place],
        }
    )
    require_sums(pairs.unit, pairs.share, pairs.shared_unit, lambda rows: _source_ids(source, rows))
    # what lies in no target; all of a source that was not met
    outside = np.ones(len(source))
    outside[pairs.covered_unit] = remaining_share(pairs.covered)

    def every() -> tuple[pd.DataFrame, pd.DataFrame]:
        """Name and weigh all sources, also those not met: only when asked for."""
        named, rank = _rank_ids(np.asarray(source.ids, dtype=object))
        order = np.argsort(rank)
        amount, basis = amounts_of(np.arange(len(source), dtype=np.int64))
        code, bases = pd.factorize(basis)
        remainder = pd.DataFrame({"source_id": named, "share": outside[order]})
        sources = pd.DataFrame(
            {"weight": amount[order], "share_basis": _texts(bases).take(code[order])},
            index=pd.Index(named, name="source_id"),
        )
        return remainder, sources

    def trials() -> pd.DataFrame:
        splits = trials_of() if trials_of is not None else None
        return _name_trials(source, targeted, splits)

    def surroundings() -> pd.DataFrame:
        return _name_near(source, targets.ids, near_of() if near_of is not None else None)

    # how well the sources fit each target
    coverage = target_coverage(source, targets, area)
    fit = fit_of(
        pairs.unit,
        pairs.area,
        pairs.share,
        surface.share,
        remainder=outside,
        held=_held_by_position(met, (amount, basis), meta["weight"], len(source), every),
        coverage=coverage,
    )
    quality = fit.assign(target_id=targets.ids)[list(QUALITY)]
    findings += [
        finding("crosswalk.sources_overlap", "warning", one, value=share, id=one, share=share)
        for one, share in zip(targets.ids, coverage, strict=True)
        if share > 1 + _OVERLAP_TOLERANCE
    ]
    meta |= {
        "sources": len(source),
        "targets": len(quality),
        "pairs": len(frame),
        "lipgeo": __version__,
        "shapely": shapely.__version__,
        "geos": shapely.geos_version_string,
        "dust": DUST,
    }
    return Crosswalk.from_met_sources(
        frame,
        overlaps,
        quality,
        every,
        meta=meta,
        report=CheckReport(findings),
        coarse=None if coarse_of is None else lambda: coarse_of()[by_ids],
        trials=None if trials_of is None else trials,
        surroundings=None if near_of is None else surroundings,
    )


def _name_trials(source: Zones, targeted: Any, splits: Splits | None) -> pd.DataFrame:
    """Return splits of joined neighbours with ids."""
    if splits is None:
        return pd.DataFrame(columns=list(TRIALS))
    return pd.DataFrame(
        {
            "source_id": _source_ids(source, splits.unit),
            "other_id": _source_ids(source, splits.other),
            "target_id": targeted.take(splits.area),
            "share": splits.share,
            "area_share": splits.surface,
        }
    )


def _name_near(source: Zones, areas: Any, near: Near | None) -> pd.DataFrame:
    """Return the neighbours of cut sources with ids; a part in no target has an empty one."""
    if near is None:
        return pd.DataFrame(columns=list(SURROUNDINGS))
    # each source once: naming a census is the dear part
    named = distinct(np.concatenate([near.unit, near.near]))
    ids = _texts(_source_ids(source, named))
    sides = _texts(np.append(np.asarray(areas, dtype=object), ""))
    return pd.DataFrame(
        {
            "source_id": ids.take(np.searchsorted(named, near.unit)),
            "target_id": sides.take(np.where(near.area < 0, len(areas), near.area)),
            "near_id": ids.take(np.searchsorted(named, near.near)),
            "distance": near.distance,
        }
    )


def _held_by_position(
    met: Ints,
    held: tuple[Floats, npt.NDArray[np.object_]],
    weight: str,
    count: int,
    every: Callable[[], tuple[pd.DataFrame, pd.DataFrame]],
) -> Floats:
    """Return :func:`held_amounts` by position, 0 for sources that were not met."""
    amount, basis = held
    mine = pd.DataFrame({"weight": amount, "share_basis": pd.Series(basis, dtype=object)})
    if weight != "area" and not np.isin(basis, [weight, "point"]).any():
        # by land only where nobody is counted anywhere: the rest of the sources says so
        others = every()[1]["share_basis"]
        if (others.eq(weight) | others.eq("point")).any():
            mine["weight"] = 0.0
    by_position = np.zeros(count)
    by_position[met] = held_amounts(mine, weight)
    return by_position


def _source_ids(source: Zones, rows: Ints) -> npt.NDArray[np.object_]:
    """Return the ids of some sources; a census is asked for no others."""
    if isinstance(source, CensusZones):
        held = source.census.data.attributes(str(source.level), ["unit_id"], rows)
        return np.asarray(held["unit_id"].to_numpy(dtype=object))
    return np.asarray(source.ids[rows], dtype=object)


def _rank_ids(ids: npt.NDArray[np.object_]) -> tuple[Any, Ints]:
    """Return ids in their order, as pandas keeps texts, and the place of each in it."""
    order = np.argsort(ids.astype(str), kind="stable")
    rank = np.empty(len(ids), dtype=np.int64)
    rank[order] = np.arange(len(ids))
    return _texts(ids[order]), rank


def _texts(values: npt.NDArray[np.object_]) -> Any:
    """Return texts as pandas keeps them, also where there are none."""
    return pd.Series(values, dtype=_TEXT).array
