"""Check fitted areas - conservation, coverage, floors, overlaps - and flag what must be said.

Checks return findings for the report. :func:`remarks` are findings and flags beyond the checks, and
:func:`add_flags` brings both into the column ``flags`` of the areas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.areas.outlines import OUTSIDE_SHARE, incomplete_units
from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.areas.unit_lists import codes_of
from lipgeo.arrays import Flags, distinct
from lipgeo.boundary.measures import unit_totals
from lipgeo.census.census import Census
from lipgeo.crosswalk.crosswalk import Crosswalk
from lipgeo.geography.floors import floors
from lipgeo.report import CheckReport, Finding, Severity, finding
from lipgeo.words import Sentence
from lipgeo.zones.validity import SLIVER_SHARE

__all__ = [
    "FLAGS",
    "LOOSE_FIT",
    "POOR_FIT",
    "Remarks",
    "add_flags",
    "check_conservation",
    "check_coverage",
    "check_fit",
    "check_floors",
    "check_overlaps",
    "remarks",
]

#: misfit of people above which an area is looked at, and above which it fits poorly
LOOSE_FIT = 0.10
POOR_FIT = 0.20
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
        Units of the unions: ``area`` (position), ``level``, ``census_row``.
    areas
        By position; ``population_union``.
    crosswalks
        The crosswalks the areas were made with.
    """
    findings: list[Finding] = [found for one in crosswalks for found in one.check()]
    given = 0.0
    for level, group in units.groupby("level", sort=False):
        rows, times = np.unique(group["census_row"].to_numpy(np.int64), return_counts=True)
        people = unit_totals(census, str(level), rows)["population"].to_numpy(np.float64)
        given += float(np.nansum(people * times))
    kept = float(areas["population_union"].sum())
    if abs(kept - given) > _EXACT * max(given, 1.0):
        findings.append(
            finding("boundary.union_not_conserved", "error", "", value=kept, kept=kept, given=given)
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
                    "boundary.below_floor",
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
                    "boundary.floor_unknown",
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
                "boundary.floor_certainty",
                "note",
                "",
                vintage=str(vintage),
                standard=facts["floor_standard"].value,
                blocks=facts["floor_blocks"].value,
            )
        )
    return CheckReport(findings)


def check_fit(
    census: Census, areas: pd.DataFrame, inside: pd.DataFrame, *, unit: str, by_land: Flags
) -> CheckReport:
    """Judge how well the unions hold the people of the areas as drawn.

    ``poor_fit``: the misfit is above :data:`POOR_FIT` (warning) or :data:`LOOSE_FIT` (note), worst
    first. The level named is the coarsest that would bring it below :data:`LOOSE_FIT`, else the
    one that fits best, by the majority of each unit's people. Where nobody lives the misfit is of
    land, and is not judged; an area without units is another finding.

    Parameters
    ----------
    census
        The census.
    areas
        By position; ``area_id, definition, unit_count, misfit_share, population_omitted,
        population_added, population_drawn``.
    inside
        What lies in the areas as drawn: ``area`` (position), ``atom`` (row of the finest level),
        ``share``.
    unit
        Level fitted at, or ``mixed``.
    by_land
        Areas whose misfit is of land; (n,).
    """
    judged = areas[
        areas["definition"].eq("drawn").to_numpy() & areas["unit_count"].gt(0).to_numpy() & ~by_land
    ]
    loose = judged[judged["misfit_share"].gt(LOOSE_FIT)]
    loose = loose.sort_values("misfit_share", ascending=False, kind="stable")
    findings = []
    for position, area in loose.iterrows():
        here = inside[inside["area"].to_numpy() == position]
        better, misfit = finer_fit(census, here, unit, float(area["misfit_share"]))
        poor = area["misfit_share"] > POOR_FIT
        findings.append(
            finding(
                "boundary.poor_fit",
                "warning" if poor else "note",
                area["area_id"],
                value=area["misfit_share"],
                limit=POOR_FIT if poor else LOOSE_FIT,
                area=area["area_id"],
                share=area["misfit_share"],
                people=area["population_drawn"],
                omitted=area["population_omitted"],
                added=area["population_added"],
                way=Sentence("boundary.finer_helps", {"level": better, "misfit": misfit})
                if better
                else Sentence("boundary.nothing_finer"),
            )
        )
    return CheckReport(findings)


def finer_fit(
    census: Census, inside: pd.DataFrame, unit: str, misfit: float
) -> tuple[str | None, float]:
    """Return the finer level that would fit one area better, and the misfit it would have.

    A level helps where its units, each taken by the majority of its people, fit at least a tenth
    better than the ``misfit`` there is.

    Returns
    -------
    str or None
        The coarsest level below :data:`LOOSE_FIT`, else the best of those that help.
    float
        Its misfit.
    """
    finest = census.atom_level
    levels = list(census.levels)  # fine first
    finer = levels[: levels.index(unit)][::-1] if unit in levels else [finest]
    nested = [level for level in finer if level == finest or level in census.data.columns(finest)]
    best: tuple[str | None, float] = (None, 0.9 * misfit)
    rows = inside["atom"].to_numpy(np.int64)
    for level in nested:
        if level == finest:
            atoms, owner = rows, np.arange(len(rows))
        else:
            parents = census.data.attributes(finest, [level], rows)[level].dropna().unique()
            owner, atoms = census.atoms(level, census.rows(level, parents))
        people = unit_totals(census, finest, atoms)["population"].fillna(0).to_numpy(np.float64)
        share = pd.Series(inside["share"].to_numpy(np.float64), index=rows)
        part = people * share.reindex(atoms).fillna(0).to_numpy()
        held, whole = np.bincount(owner, part), np.bincount(owner, people)
        if not held.sum() > 0:
            continue
        wrong = float(np.where(2 * held >= whole, whole - held, held).sum() / held.sum())
        if wrong < LOOSE_FIT and wrong < best[1]:
            return level, wrong
        if wrong < best[1]:
            best = (level, wrong)
    return best if best[0] else (None, misfit)


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
    rows = distinct(pairs["atom"].to_numpy(np.int64))
    people = unit_totals(census, census.atom_level, rows)["population"].to_numpy(np.float64)
    pairs["people"] = np.nan_to_num(people)[np.searchsorted(rows, pairs["atom"])]
    groups = pairs.groupby(["area", "area_other"])["people"].agg(["sum", "size"]).reset_index()
    return CheckReport(
        finding(
            "boundary.overlap",
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

    ``partly_outside``: part of an outline lies in no unit held; ``value`` is its share of the
    surface, water included: above :data:`~lipgeo.areas.outlines.OUTSIDE_SHARE` a warning, below
    a note. ``nothing_held, fewer_units, fewer_people`` (warnings): the
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
            "warning" if share > OUTSIDE_SHARE else "note",
            area,
            value=float(share),
            limit=OUTSIDE_SHARE,
            area=area,
            share=share,
            vintage=str(census.vintage),
        )
        for area, share in outside[outside > SLIVER_SHARE].items()
    ]
    return CheckReport([*findings, *incomplete_units(areas.units, census)])


#: what may be said of an area, in the order it stands in ``flags``; told in ``Boundaries``
FLAGS = (
    "draft",
    "no_units",
    "poor_fit",
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
    "poor_fit": {"poor_fit"},
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
        See :func:`lipgeo.boundary.measures.misfit`.
    shares
        Shares of the units in the areas.
    by
        Basis of the shares asked for.
    """
    place = np.arange(len(frame))
    drawn = frame["definition"].eq("drawn").to_numpy()
    unknown = frame["population_union"].isna().to_numpy()
    by_area, cut = _find_shared_by_area(census, areas, shares, by)
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
        basis = Sentence(f"boundary.by_{by}")
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


def remarks_of_shares(census: Census, shares: Crosswalk, *, listed_only: bool) -> list[Finding]:
    """Return what the crosswalk's report says of these areas.

    Units that are nowhere to be placed are one finding (``unplaced``: a warning where people live
    in them). Lists are exact: units elsewhere, and shares that were never needed, are not theirs.
    """
    own = [f for f in shares.report if f.check not in ("unplaced", "no_blocks")]
    if listed_only:
        return own
    lost = [f.subject for f in shares.report if f.check == "unplaced"]
    own += [f for f in shares.report if f.check == "no_blocks"]
    if lost:
        level = str(shares.source_level)
        rows = census.rows(level, np.asarray(lost, dtype=object))
        people = float(np.nansum(unit_totals(census, level, rows)["population"]))
        own.append(
            finding(
                "boundary.unplaced", "warning" if people else "note", "", value=people,
                count=len(lost), level=level, people=people, units=lost,
            )
        )  # fmt: skip
    return own


def _find_shared_by_area(
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


def add_flags(
    frame: gpd.GeoDataFrame, flags: Mapping[str, npt.ArrayLike], report: CheckReport
) -> gpd.GeoDataFrame:
    """Return the areas with column ``flags`` before the geometry.

    Flags are ``;``-joined in the order of :data:`FLAGS`; some are findings of ``report`` graver
    than a note.
    """
    text = np.full(len(frame), "", dtype=object)
    for name in FLAGS:
        if name in _CHECKS:
            met = {
                found.subject
                for found in report
                if found.check in _CHECKS[name] and found.severity != "note"
            }
            here = frame["area_id"].isin(met).to_numpy()
        else:
            here = np.asarray(flags[name])
        text[here.astype(bool)] += name + ";"
    result = frame.copy()
    place = result.columns.get_loc("geometry")
    result.insert(place, "flags", pd.Series([t.rstrip(";") for t in text], dtype="string"))
    return result
