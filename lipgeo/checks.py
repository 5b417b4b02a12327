"""Checks on fitted areas: conservation, coverage, floors, overlaps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.areas.faults import finding
from lipgeo.areas.held import incomplete_units
from lipgeo.census import Census
from lipgeo.crosswalk import Crosswalk
from lipgeo.fitting.misfit import unit_totals
from lipgeo.geography import floors
from lipgeo.report import CheckReport, Finding

__all__ = [
    "OUTSIDE_LIMIT",
    "check_conservation",
    "check_coverage",
    "check_floors",
    "check_overlaps",
]

#: an outline may leave the census by this share of its surface without a word
OUTSIDE_LIMIT = 0.005
#: sums over areas equal sums over units to this, relative
_EXACT = 1e-9


def check_conservation(
    census: Census, units: pd.DataFrame, areas: pd.DataFrame, crosswalks: Iterable[Crosswalk]
) -> CheckReport:
    """Prove that nobody is lost or made on the way from units to areas.

    For each crosswalk, shares and remainder of each source add up to 1 and the totals agree
    (``not_conserved``, ``total_not_conserved``; errors). For the areas, the people of all unions
    together are those of their units, each counted as often as areas hold it
    (``union_not_conserved``; error).

    Parameters
    ----------
    census
        The census.
    units
        Units of the unions: ``area`` (position), ``level``, ``row``.
    areas
        By position; ``population_union``.
    crosswalks
        The crosswalks the areas were made with.
    """
    findings: list[Finding] = [found for one in crosswalks for found in one.check()]
    given = 0.0
    for level, group in units.groupby("level", sort=False):
        rows, times = np.unique(group["row"].to_numpy(np.int64), return_counts=True)
        people = unit_totals(census, str(level), rows)["population"].to_numpy(np.float64)
        given += float(np.nansum(people * times))
    kept = float(areas["population_union"].sum())
    if abs(kept - given) > _EXACT * max(given, 1.0):
        findings.append(
            finding("checks.union_not_conserved", "error", "", value=kept, kept=kept, given=given)
        )
    return CheckReport(findings)


def check_floors(areas: pd.DataFrame, vintage: int) -> CheckReport:
    """Hold areas against the confidentiality floors.

    ``below_floor`` (warning): the union has fewer people than Statistics Canada releases data
    for; an area without units is another finding. ``floor_unknown`` (warning): its population is
    not known. ``floor_certainty`` (note): the floor of this census is carried forward from an
    earlier one.

    Parameters
    ----------
    areas
        ``area_id, unit_count, population_union, floor_persons, below_floor``.
    vintage
        Census year.
    """
    findings = []
    for area in areas.itertuples():
        if area.below_floor and area.unit_count:
            findings.append(
                finding(
                    "checks.below_floor",
                    "warning",
                    area.area_id,
                    value=float(area.population_union),
                    limit=float(area.floor_persons),
                    area=area.area_id,
                    people=area.population_union,
                    floor=area.floor_persons,
                )
            )
        elif np.isnan(area.population_union) and area.unit_count:
            findings.append(
                finding(
                    "checks.floor_unknown",
                    "warning",
                    area.area_id,
                    limit=float(area.floor_persons),
                    area=area.area_id,
                )
            )
    facts = floors(vintage)
    unsure = {facts[name].certainty for name in ("floor_standard", "floor_blocks")} - {"verified"}
    if unsure and len(areas):
        findings.append(
            finding(
                "checks.floor_certainty",
                "note",
                "",
                vintage=str(vintage),
                standard=facts["floor_standard"].value,
                blocks=facts["floor_blocks"].value,
            )
        )
    return CheckReport(findings)


def check_overlaps(census: Census, union: pd.DataFrame, ids: pd.Index) -> CheckReport:
    """Find people who are in two areas at once.

    ``overlap``: two unions share units; a warning where somebody lives there, else a note.
    ``value`` is the number of people counted twice.

    Parameters
    ----------
    census
        The census.
    union
        ``area`` (position), ``atom`` (row of the finest level); no pair twice.
    ids
        Area ids by position.
    """
    shared = union[union["atom"].duplicated(keep=False)]
    if shared.empty:
        return CheckReport()
    pairs = shared.merge(shared, on="atom", suffixes=("", "_other"))
    pairs = pairs[pairs["area"] < pairs["area_other"]]
    rows = np.unique(pairs["atom"].to_numpy(np.int64))
    people = unit_totals(census, census.atom_level, rows)["population"].to_numpy(np.float64)
    pairs["people"] = np.nan_to_num(people)[np.searchsorted(rows, pairs["atom"])]
    groups = pairs.groupby(["area", "area_other"])["people"].agg(["sum", "size"]).reset_index()
    return CheckReport(
        finding(
            "checks.overlap",
            "warning" if row["sum"] > 0 else "note",
            ids[int(row["area"])],
            value=float(row["sum"]),
            area=ids[int(row["area"])],
            other=ids[int(row["area_other"])],
            people=row["sum"],
            units=row["size"],
            level=census.atom_level,
        )
        for row in groups.to_dict("records")
    )


def check_coverage(census: Census, areas: ServiceAreas, coverage: pd.Series) -> CheckReport:
    """Hold the areas against what the census covers.

    ``partly_outside`` (warning): part of an outline lies in no unit held; ``value`` is its share
    of the surface, water included. ``nothing_held, fewer_units, fewer_people`` (warnings): the
    census holds less of a listed unit than Statistics Canada publishes.

    Parameters
    ----------
    census
        The census.
    areas
        The areas as they came.
    coverage
        Share of each drawn area's surface that lies in some unit; index ``area_id``.
    """
    outside = 1 - coverage.reindex(areas.drawn)
    findings = [
        finding(
            "areas.partly_outside",
            "warning",
            area,
            value=float(share),
            limit=OUTSIDE_LIMIT,
            area=area,
            share=share,
            vintage=str(census.vintage),
        )
        for area, share in outside[outside > OUTSIDE_LIMIT].items()
    ]
    return CheckReport([*findings, *incomplete_units(areas.units, census)])
