"""Whether a listed unit is the same place at two censuses, and its own published rows if so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.census import Census
from lipgeo.correspondence import Correspondence
from lipgeo.crosswalk import Crosswalk, build_crosswalk
from lipgeo.errors import CrosswalkError, MissingLevelError
from lipgeo.tables import CensusTable
from lipgeo.zones import Zones

__all__ = ["moved_by_links", "moved_by_points", "own_rows"]


def moved_by_links(
    newest: Census, links: Correspondence, level: str, unit_ids: Sequence[str]
) -> float:
    """Return the largest share of a unit's people that changed sides, by a correspondence.

    A unit without people goes by its number of blocks.

    Parameters
    ----------
    newest
        The newest census, with its blocks.
    links
        From its blocks to the older units of the level.
    level, unit_ids
        The units; their codes are the same in both censuses.

    Raises
    ------
    CrosswalkError
        The newest census does not say which unit each block lies in.
    """
    below = links.block_level
    if below not in newest.levels:
        raise MissingLevelError(
            "census.missing_level", level=below, vintage=newest.vintage, held=newest.levels
        )
    units = newest.units(below)
    if level not in units:
        raise CrosswalkError("vintages.no_parent", level=below, parent=level)
    frame = links.frame
    at = pd.Index(frame["block_id"].astype(object))
    now = units[level].reindex(at).astype(object).to_numpy()
    then = frame["old_id"].astype(object).to_numpy()
    part = frame["weight"].to_numpy()
    people = np.nan_to_num(units["population"].reindex(at).to_numpy(dtype=np.float64)) * part
    shares = []
    for unit in unit_ids:
        here, before = now == unit, then == unit
        # a unit without people is held together by its blocks
        amount = people if people[here].sum() > 0 else part
        crossed = amount[here ^ (before & ~pd.isna(now))].sum()
        shares.append(crossed / amount[here].sum() if here.any() else 1.0)
    return float(max(shares))


def moved_by_points(older: Census, newest: Census, level: str, unit_ids: Sequence[str]) -> float:
    """Return the largest share of a unit's people that changed sides, by the older block points."""
    shapes = newest.data.geometry(level, newest.rows(level, list(unit_ids)))
    zones = Zones(list(unit_ids), shapes, newest.crs)
    xw = build_crosswalk(older.zones(level), zones, weight="population", placement="point")
    frame = xw.frame.assign(weight=xw.frame["weight"].fillna(0.0))
    came = frame[frame["source_id"] != frame["target_id"]].groupby("target_id")["weight"].sum()
    stayed = frame[frame["source_id"] == frame["target_id"]].set_index("target_id")["weight"]
    held = older.counts(level)["population"].reindex(list(unit_ids)).fillna(0.0)
    came, stayed = (one.reindex(list(unit_ids)).fillna(0.0) for one in (came, stayed))
    crossed = came + (held - stayed).clip(lower=0.0)
    share = crossed / held.where(held > 0)
    return float(share.fillna(1.0).max())


def own_rows(
    areas: ServiceAreas,
    ids: Sequence[str],
    tables: Mapping[str, CensusTable],
    newest: Census | None,
) -> dict[str, Crosswalk]:
    """Return, by level, the crosswalk that takes areas' own units whole from their table.

    What units hold is their population in the table; in the newest census where it has none.
    """
    listed = areas.units
    listed = listed[listed["area_id"].isin(list(ids))]
    shares = {}
    for level, part in listed.groupby("level", sort=False):
        table = tables[str(level)]
        units = pd.Index(sorted(table.unit_ids), name="source_id")
        held = table.frame.get("population")
        if held is None and newest is not None and level in newest.levels:
            held = newest.counts(str(level))["population"]
        amount = (
            np.ones(len(units)) if held is None else held.reindex(units).to_numpy(dtype=np.float64)
        )
        basis = "area" if held is None else "population"
        sources = pd.DataFrame({"weight": amount, "share_basis": basis}, index=units)
        frame = pd.DataFrame(
            {
                "source_id": part["unit_id"].astype(object),
                "target_id": part["area_id"].astype(object),
                "share": 1.0,
                "area_share": 1.0,
            }
        ).sort_values(["source_id", "target_id"], ignore_index=True)
        frame["weight"] = sources["weight"].reindex(frame["source_id"]).to_numpy()
        frame["share_basis"] = basis
        targets = sorted(frame["target_id"].unique())
        outside = (~units.isin(frame["source_id"])).astype(np.float64)
        names = ("quality_index", "coverage", "straddling_share")
        quality = pd.DataFrame({"target_id": targets} | dict.fromkeys(names, 1.0))
        quality["best_fit_pct"], quality["straddling_share"] = 100.0, 0.0
        columns = ["target_id", "quality_index", "best_fit_pct", "coverage", "straddling_share"]
        shares[str(level)] = Crosswalk(
            frame,
            pd.DataFrame({"source_id": units.to_numpy(), "share": outside}),
            _shared(frame),
            quality[columns],
            sources,
            meta={
                "source_level": str(level),
                "target_level": None,
                "target_kind": "areas",
                "listed": targets,
                "vintage": table.vintage,
                "weight": basis,
                "placement": "surface",
                "sources": len(units),
                "targets": len(targets),
                "pairs": len(frame),
            },
        )
    return shares


def _shared(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the units that several areas list."""
    twice = frame.merge(frame, on="source_id", suffixes=("", "_other"))
    twice = twice[twice["target_id"] < twice["target_id_other"]]
    twice = twice.rename(columns={"target_id_other": "other_id"})
    return twice[["target_id", "other_id", "source_id", "share", "area_share"]].reset_index(
        drop=True
    )
