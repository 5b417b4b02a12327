"""How well sources fit targets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.census import CensusZones
from lipgeo.crosswalk.amounts import planar_area
from lipgeo.crosswalk.kernel import DUST
from lipgeo.crosswalk.shares import Shares, owners
from lipgeo.crosswalk.targets import Targets
from lipgeo.zones import Zones

__all__ = ["SLIVER", "counted", "coverage_of", "fit_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: share of a unit's polygon below which an overlap is an accident of drawing
SLIVER = 0.005


def counted(sources: pd.DataFrame, weight: str) -> Floats:
    """Return what sources hold of one and the same thing, 0 where it is unknown or another.

    That is the weight asked for, or land where every source was shared out by area.
    """
    basis = sources["share_basis"]
    mine = basis.eq(weight).to_numpy(dtype=bool) | basis.eq("point").to_numpy(dtype=bool)
    if not mine.any():
        mine = basis.eq("area").to_numpy(dtype=bool)
    held: Floats = np.where(mine, sources["weight"].to_numpy(dtype=np.float64), 0.0)
    return np.asarray(np.nan_to_num(held), dtype=np.float64)


def coverage_of(source: Zones, targets: Targets, area: Shares) -> Floats:
    """Return the share of each target's surface that lies in sources; (targets,)."""
    pairs = area.pairs
    met = np.unique(pairs.unit)
    size = np.zeros(len(source))
    size[met] = np.nan_to_num(planar_area(source, met))
    inside = np.bincount(pairs.area, weights=pairs.share * size[pairs.unit], minlength=len(targets))
    whole = targets.outlines.size
    if len(targets.atom) and isinstance(source, CensusZones):
        held = size_of_atoms(source, targets)
        everywhere = np.arange(len(source), dtype=np.int64)
        listed = np.bincount(targets.area, weights=held, minlength=len(targets))
        owned = owners(source.census, str(source.level), everywhere)[targets.atom] >= 0
        within = np.bincount(targets.area, weights=held * owned, minlength=len(targets))
        inside, whole = np.where(listed > 0, within, inside), np.where(listed > 0, listed, whole)
    share = np.divide(inside, whole, out=np.zeros(len(targets)), where=whole > 0)
    return np.asarray(share, dtype=np.float64)


def fit_of(
    unit: Ints,
    area: Ints,
    share: Floats,
    area_share: Floats,
    *,
    remainder: Floats,
    held: Floats,
    coverage: Floats,
) -> pd.DataFrame:
    """Return one row a target: how well the sources fit it.

    Parameters
    ----------
    unit, area, share, area_share
        Pairs of source and target, ordered, with the share by the weight asked for and by area.
    remainder
        Share of each source outside all targets; (sources,).
    held
        What each source holds, 0 where unknown; (sources,).
    coverage
        Share of each target that lies in some source; (targets,).

    Returns
    -------
    pandas.DataFrame
        ``quality_index, best_fit_pct, coverage, straddling_share``; see
        :class:`lipgeo.crosswalk.Crosswalk`.
    """
    targets = len(coverage)
    amount = share * held[unit]
    total = np.bincount(area, weights=amount, minlength=targets)
    squares = np.bincount(area, weights=share * amount, minlength=targets)

    largest = remainder.copy()
    np.maximum.at(largest, unit, share)
    # the first of equals: pairs are ordered by unit, then target
    best = np.flatnonzero((share > 0) & (share >= largest[unit]))
    best = best[np.unique(unit[best], return_index=True)[1]]
    truly = np.bincount(area[best], weights=amount[best], minlength=targets)
    given = np.bincount(area[best], weights=held[unit[best]], minlength=targets)

    units = area_share > SLIVER
    straddling = units & (area_share < 1 - SLIVER)
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.DataFrame(
            {
                "quality_index": squares / total,
                "best_fit_pct": 100 * truly / given,
                "coverage": np.where(np.abs(coverage - 1) <= DUST, 1.0, coverage),
                "straddling_share": np.bincount(area[straddling], minlength=targets)
                / np.bincount(area[units], minlength=targets),
            }
        )


def size_of_atoms(source: CensusZones, targets: Targets) -> Floats:
    """Return the land of the finest units that targets list, or 1 each where it is not known."""
    data, level = source.census.data, source.census.atom_level
    if "land_km2" not in data.columns(level):
        return np.ones(len(targets.atom))
    land = data.attributes(level, ["land_km2"], targets.atom)["land_km2"]
    held = np.nan_to_num(land.to_numpy(dtype=np.float64, na_value=np.nan))
    return held if held.any() else np.ones(len(held))
