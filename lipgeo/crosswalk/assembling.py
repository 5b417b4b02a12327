"""From positions to ids: the frames of a crosswalk, ordered by ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo import __version__
from lipgeo.areas.faults import finding
from lipgeo.census import CensusZones
from lipgeo.crosswalk.along import DUST
from lipgeo.crosswalk.quality import counted, coverage_of, fit_of
from lipgeo.crosswalk.shares import Held, Shares
from lipgeo.crosswalk.sound import QUALITY, left, require_sums
from lipgeo.crosswalk.table import Crosswalk
from lipgeo.crosswalk.targets import Targets
from lipgeo.report import CheckReport, Finding
from lipgeo.zones import Zones

__all__ = ["assembled"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: a target covered more often than this says that sources overlap
_OVER = 1e-6


def assembled(
    source: Zones,
    targets: Targets,
    area: Shares,
    weighted: Shares,
    held: Held,
    *,
    meta: dict[str, Any],
    findings: list[Finding],
) -> Crosswalk:
    """Put ids to positions; order everything by ids."""
    pairs, surface = weighted.pairs, area.pairs
    met = np.unique(pairs.unit)
    named, rank = _ranked(_ids(source, met))
    amount, basis = held(met)
    code, bases = pd.factorize(basis)
    targeted, based = _texts(targets.ids), _texts(bases).take(code)
    at = np.searchsorted(met, pairs.unit)
    place = np.lexsort((pairs.area, rank[at]))
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
    require_sums(pairs.unit, pairs.share, pairs.shared_unit, lambda rows: _ids(source, rows))
    outside = np.ones(len(source))
    outside[pairs.covered_unit] = left(pairs.covered)

    def every() -> tuple[pd.DataFrame, pd.DataFrame]:
        named, rank = _ranked(np.asarray(source.ids, dtype=object))
        order = np.argsort(rank)
        amount, basis = held(np.arange(len(source), dtype=np.int64))
        code, bases = pd.factorize(basis)
        remainder = pd.DataFrame({"source_id": named, "share": outside[order]})
        sources = pd.DataFrame(
            {"weight": amount[order], "share_basis": _texts(bases).take(code[order])},
            index=pd.Index(named, name="source_id"),
        )
        return remainder, sources

    coverage = coverage_of(source, targets, area)
    fit = fit_of(
        pairs.unit,
        pairs.area,
        pairs.share,
        surface.share,
        remainder=outside,
        held=_counted_here(met, (amount, basis), meta["weight"], len(source), every),
        coverage=coverage,
    )
    quality = fit.assign(target_id=targets.ids)[list(QUALITY)]
    findings += [
        finding("crosswalk.sources_overlap", "warning", one, value=share, id=one, share=share)
        for one, share in zip(targets.ids, coverage, strict=True)
        if share > 1 + _OVER
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
    return Crosswalk._met(frame, overlaps, quality, every, meta=meta, report=CheckReport(findings))


def _counted_here(
    met: Ints,
    told: tuple[Floats, npt.NDArray[np.object_]],
    weight: str,
    count: int,
    every: Callable[[], tuple[pd.DataFrame, pd.DataFrame]],
) -> Floats:
    """Return :func:`counted` by position, 0 for sources that were not met."""
    amount, basis = told
    mine = pd.DataFrame({"weight": amount, "share_basis": pd.Series(basis, dtype=object)})
    if weight != "area" and not np.isin(basis, [weight, "point"]).any():
        # by land only where nobody is counted anywhere: the rest of the sources says so
        others = every()[1]["share_basis"]
        if (others.eq(weight) | others.eq("point")).any():
            mine["weight"] = 0.0
    held = np.zeros(count)
    held[met] = counted(mine, weight)
    return held


def _ids(source: Zones, rows: Ints) -> npt.NDArray[np.object_]:
    """Return the ids of some sources; a census is asked for no others."""
    if isinstance(source, CensusZones):
        held = source.census.data.attributes(str(source.level), ["unit_id"], rows)
        return np.asarray(held["unit_id"].to_numpy(dtype=object))
    return np.asarray(source.ids[rows], dtype=object)


def _ranked(ids: npt.NDArray[np.object_]) -> tuple[Any, Ints]:
    """Return ids in their order, as pandas keeps texts, and the place of each in it."""
    order = np.argsort(ids.astype(str), kind="stable")
    rank = np.empty(len(ids), dtype=np.int64)
    rank[order] = np.arange(len(ids))
    return _texts(ids[order]), rank


def _texts(values: npt.NDArray[np.object_]) -> Any:
    """Return texts as pandas keeps them."""
    return pd.Series(values).array
