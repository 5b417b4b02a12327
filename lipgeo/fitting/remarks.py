"""What must be said of fitted areas: findings for the report, flags for the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.areas.faults import finding
from lipgeo.areas.partition import codes_of
from lipgeo.census import Census
from lipgeo.crosswalk import Crosswalk
from lipgeo.fitting.misfit import unit_totals
from lipgeo.report import CheckReport, Finding, Severity
from lipgeo.words import say

__all__ = ["FLAGS", "Remarks", "flagged", "remarks"]

Flags = npt.NDArray[np.bool_]

#: what may be said of an area, in the order it stands in ``flags``; told in ``Boundaries``
FLAGS = (
    "draft",
    "no_units",
    "not_proven",
    "below_min_share",
    "parts_unavoidable",
    "below_floor",
    "population_unknown",
    "counts_missing",
    "share_by_area",
    "misfit_by_land",
    "overlap",
    "partly_outside",
    "unit_incomplete",
    "parent_incomplete",
    "unit_repaired",
    "edges_disagree",
    "no_polygon",
    "land_measured",
)
#: flags that are findings of checks
_CHECKS = {
    "draft": {"draft"},
    "partly_outside": {"partly_outside"},
    "unit_incomplete": {"nothing_held", "fewer_units", "fewer_people"},
}


@dataclass(frozen=True)
class Remarks:
    """Findings, and flags by position of the area."""

    findings: list[Finding]
    flags: dict[str, Flags]


def remarks(
    census: Census,
    areas: ServiceAreas,
    frame: pd.DataFrame,
    *,
    units: pd.DataFrame,
    union: pd.DataFrame,
    stopped: pd.DataFrame,
    measures: pd.DataFrame,
    shares: Crosswalk,
    by: str,
) -> Remarks:
    """Return what must be said of the areas beyond the checks.

    Parameters
    ----------
    census, areas
        What was fitted to what.
    frame
        The areas, measured; by position.
    units, union, stopped
        Units chosen, with counts; atoms of the unions; parents not proven whole.
    measures
        See :func:`lipgeo.fitting.misfit.misfit`.
    shares
        Shares of the units in the areas.
    by
        Basis of the shares asked for.
    """
    place = np.arange(len(frame))
    drawn = frame["definition"].eq("drawn").to_numpy()
    unknown = frame["population_union"].isna().to_numpy()
    by_area, cut = _shared_by_area(census, areas, shares, by)
    measured = units.loc[units["land_measured"].to_numpy(dtype=bool), "area"]
    twice = union.loc[union["atom"].duplicated(keep=False), "area"]
    flags = {
        "no_units": frame["unit_count"].eq(0).to_numpy(),
        "below_floor": frame["below_floor"].to_numpy(),
        "population_unknown": unknown,
        "counts_missing": measures["counts_missing"].to_numpy() & drawn,
        "share_by_area": np.isin(place, by_area),
        "misfit_by_land": measures["by_land"].to_numpy() & drawn,
        "overlap": np.isin(place, twice),
        "parent_incomplete": np.isin(place, stopped["area"]),
        "land_measured": (measures["land_measured"].to_numpy() & drawn) | np.isin(place, measured),
    }
    findings = []
    severities: dict[str, Severity] = {
        "no_units": "warning",
        "counts_missing": "warning",
        "misfit_by_land": "note",
        "land_measured": "note",
    }
    for name, severity in severities.items():
        named_areas = list(areas.ids[flags[name]])
        if named_areas:
            key = f"boundary.{name}"
            subject = named_areas[0] if len(named_areas) == 1 else ""
            count = len(named_areas)
            findings.append(
                finding(
                    key, severity, subject, value=count,
                    areas=named_areas, count=count, level=census.atom_level,
                )
            )  # fmt: skip
    if cut:
        basis = say(f"boundary.by_{by}")
        findings.append(
            finding(
                "boundary.share_by_area", "warning", "", value=cut,
                count=cut, level=shares.source_level, by=basis,
            )
        )  # fmt: skip
    for position, group in stopped.groupby("area"):
        area = areas.ids[int(position)]
        findings.append(
            finding("boundary.parent_incomplete", "note", area, area=area, units=codes_of(group))
        )
    return Remarks(findings, flags)


def _shared_by_area(
    census: Census, areas: ServiceAreas, shares: Crosswalk, by: str
) -> tuple[npt.NDArray[np.int64], int]:
    """Return areas that cut units whose people had to be shared by area, and how many units.

    Where nobody lives no people are shared, and blocks have nothing finer to go by.
    """
    none = np.array([], dtype=np.int64)
    if by == "area" or shares.source_level == "DB":
        return none, 0
    pairs = shares.frame
    pairs = pairs[(pairs["share_basis"] == "area") & (pairs["area_share"] < 1)]
    level = str(shares.source_level)
    rows = census.rows(level, pairs["source_id"].to_numpy(dtype=object))
    wrong = ~(unit_totals(census, level, rows)["population"].to_numpy(np.float64) == 0)
    place = areas.ids.get_indexer(pairs.loc[wrong, "target_id"])
    return np.unique(place), int(pairs.loc[wrong, "source_id"].nunique())


def flagged(
    frame: gpd.GeoDataFrame, flags: Mapping[str, npt.ArrayLike], report: CheckReport
) -> gpd.GeoDataFrame:
    """Return the areas with column ``flags`` before the geometry.

    Flags are ``;``-joined in the order of :data:`FLAGS`; some are findings of ``report``.
    """
    text = np.full(len(frame), "", dtype=object)
    for name in FLAGS:
        if name in _CHECKS:
            met = {found.subject for found in report if found.check in _CHECKS[name]}
            here = frame["area_id"].isin(met).to_numpy()
        else:
            here = np.asarray(flags[name])
        text[here.astype(bool)] += name + ";"
    result = frame.copy()
    place = result.columns.get_loc("geometry")
    result.insert(place, "flags", pd.Series([t.rstrip(";") for t in text], dtype="string"))
    return result
