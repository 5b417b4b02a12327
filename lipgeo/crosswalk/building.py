"""``build_crosswalk``: sources shared out among targets, and what must be said about it."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from lipgeo.areas import ServiceAreas
from lipgeo.areas.faults import finding
from lipgeo.arguments import require_kind
from lipgeo.census import CensusZones
from lipgeo.crosswalk.assembling import assembled
from lipgeo.crosswalk.kernel import overlay
from lipgeo.crosswalk.shares import Lay, Shares, by_area, by_weight
from lipgeo.crosswalk.table import Crosswalk, Placement, Weight
from lipgeo.crosswalk.targets import Targets, on_one_grid, targets_of
from lipgeo.errors import CrosswalkError
from lipgeo.report import Finding
from lipgeo.zones import Zones

__all__ = ["build_crosswalk", "laid_out"]


def build_crosswalk(
    source: Zones,
    target: Zones | ServiceAreas,
    *,
    weight: Weight = "area",
    placement: Placement = "surface",
    blocks: Zones | None = None,
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
        Where a block's people are: evenly on its ``"surface"``, or at its representative
        ``"point"``, as Statistics Canada retrieves areas.
    blocks
        Zones with columns ``population``, ``dwellings`` or ``households``; only those of
        sources that an outline crosses are looked at. The census's own blocks where the source
        is census zones and its blocks are held.

    Returns
    -------
    Crosswalk
        Exact shares: shares and remainder of each source add up to 1. A source is shared out by
        the weight asked for; where its blocks hold none of it, or the count of some is missing,
        by dwellings, else by area, and ``share_basis`` says which. Without blocks every share is
        by area.

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

    Examples
    --------
    >>> import shapely
    >>> from lipgeo import Zones, build_crosswalk
    >>> fields = Zones(["a", "b"], shapely.box([0, 2], 0, [2, 4], 2), "EPSG:26917")
    >>> town = Zones(["t"], [shapely.box(1, 0, 4, 2)], "EPSG:26917")
    >>> build_crosswalk(fields, town).frame[["source_id", "share"]].to_numpy().tolist()
    [['a', 0.5], ['b', 1.0]]
    """
    return laid_out(source, target, weight=weight, placement=placement, blocks=blocks, lay=overlay)


def laid_out(
    source: Zones,
    target: Zones | ServiceAreas,
    *,
    weight: Weight,
    placement: Placement,
    blocks: Zones | None,
    lay: Lay,
) -> Crosswalk:
    """Share out as :func:`build_crosswalk`, with ``lay`` to lay a census level over targets."""
    _require_option("weight", weight, Weight)
    _require_option("placement", placement, Placement)
    if blocks is not None:
        require_kind(blocks, Zones, "arguments.zones", "blocks")
    source, target, blocks = on_one_grid(source, target, blocks)
    targets = targets_of(source, target)
    area = by_area(source, targets, lay)
    findings = [*target.report, *_met(source, targets, area)]
    if blocks is None and isinstance(source, CensusZones) and "DB" in source.census.levels:
        blocks = source.census.zones("DB")
    weighted, held, notes = by_weight(
        source, targets, area, weight=weight, placement=placement, blocks=blocks, lay=lay
    )
    meta = {
        "source_level": source.level,
        "target_level": None if isinstance(target, ServiceAreas) else target.level,
        "target_kind": "areas" if isinstance(target, ServiceAreas) else "zones",
        "listed": _listed(source, target),
        "vintage": source.vintage,
        "weight": weight,
        "placement": placement,
    }
    return assembled(source, targets, area, weighted, held, meta=meta, findings=[*findings, *notes])


def _listed(source: Zones, target: Zones | ServiceAreas) -> list[str]:
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


def _met(source: Zones, targets: Targets, area: Shares) -> list[Finding]:
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
    empty = np.setdiff1d(np.arange(len(targets)), area.pairs.area)
    findings += [
        finding("crosswalk.no_overlap", "warning", targets.ids[row], id=targets.ids[row])
        for row in empty
    ]
    return findings
