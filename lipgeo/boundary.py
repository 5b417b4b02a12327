"""``Boundaries``: service areas fitted to census units, measured, covered and checked."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import geopandas as gpd
import numpy as np
import pandas as pd

from lipgeo import __version__
from lipgeo.areas import ServiceAreas
from lipgeo.census import Census
from lipgeo.checks import (
    check_conservation,
    check_coverage,
    check_floors,
    check_overlaps,
)
from lipgeo.choosing import RULES, Terms
from lipgeo.chosen import (
    Drawn,
    atoms_in,
    atoms_of,
    childless,
    left_out,
    listed_units,
    mixed_units,
    ruled_units,
)
from lipgeo.cover import fewest_units
from lipgeo.crosswalk import Crosswalk, build_crosswalk
from lipgeo.errors import AreaError, FitError
from lipgeo.geography import level as level_named
from lipgeo.misfit import misfit
from lipgeo.outcome import (
    area_frame,
    cover_table,
    described,
    expressed_at,
    joined,
    named,
    shape_frame,
    unit_table,
)
from lipgeo.remarks import FLAGS, flagged, remarks
from lipgeo.report import CheckReport
from lipgeo.words import say

__all__ = ["FLAGS", "Boundaries", "By", "Rule", "fit_boundaries"]

Rule = Literal["within", "touching", "majority", "largest", "point"]
By = Literal["population", "dwellings", "households", "area"]

_BY = ("population", "dwellings", "households", "area")


class Boundaries:
    """Semi-custom boundaries: what each area is made of, how well it fits, what it is called.

    Made by :func:`fit_boundaries`, or by ``lipgeo.read_build`` from a build directory.

    Attributes
    ----------
    areas
        GeoDataFrame in EPSG:3347, one row an area in the order given, RangeIndex:

        ``area_id, name_en, name_fr, valid_from, valid_to``
            text, missing where not given;
        ``vintage, definition, classification``
            census year; ``drawn`` (fitted) or ``units`` (taken as listed); ``standard`` (one
            standard unit exactly), ``semi-custom`` (a union of standard units) or ``custom``
            (blocks are needed), missing where the area has no unit;
        ``unit_count``
            units of the union;
        ``population, population_union``
            people of the union by its units' own counts, missing where no unit has any;
        ``population_omitted, population_added, population_drawn``
            people inside the area as drawn but not in the union, in the union but outside the
            area, and inside the area, estimated from the finest units held;
        ``dwellings_*, land_km2_*``
            the same for private dwellings, and for square kilometres of land (Statistics
            Canada's own; measured in ESRI:102001 where missing, and flagged);
        ``misfit_share``
            (omitted + added) / drawn, by population; 0 for unit lists;
        ``quality_index, best_fit_pct, coverage, straddling_share``
            as :attr:`lipgeo.Crosswalk.quality`, of the units in the area as drawn;
        ``part_count, hole_count``
            of the union's polygon;
        ``floor_persons, below_floor``
            40, or 100 when the cover holds blocks; whether the union has fewer people;
        ``flags``
            text, ``;``-joined in this order, empty where there is nothing to say:

            =====================  ==============================================================
            ``no_units``           the rule admitted no unit; the union is empty
            ``below_floor``        fewer people than the confidentiality floor
            ``population_unknown`` no unit of the union has a population
            ``counts_missing``     people or dwellings of some blocks are not known
            ``share_by_area``      units cut by the outline are shared by area: no block counts
            ``misfit_by_land``     nobody lives in the area as drawn: misfit is by land
            ``overlap``            the union has units in common with another area's
            ``partly_outside``     part of the area as drawn is in no unit held
            ``unit_incomplete``    the census holds less of a listed unit than is published
            ``parent_incomplete``  a larger unit could stand in the cover if it were proven whole
            ``unit_repaired``      a unit's polygon was invalid and was repaired
            ``edges_disagree``     edges of neighbours differ; joined by the general union
            ``no_polygon``         a unit has no polygon: in the union by id only
            ``land_measured``      some land area is not published and was measured
            =====================  ==============================================================
        ``geometry``
            the union, valid; an empty polygon where there is no unit.
    units
        One row a unit of a union, ordered by area, level (coarse first) and id: ``area_id,
        level, unit_id, unit_name, unit_type, dguid`` (text), ``share`` (by the basis of the
        fit), ``status`` (``inside``, or ``straddling``: more than ``sliver_share`` of its
        polygon is outside), ``population, dwellings`` (its own counts, missing where unknown).
    cover
        The fewest standard units that are each union exactly: ``area_id, level, unit_id,
        unit_name, unit_type, dguid, population``. For a unit list, the list.
    crosswalk
        Shares of the units in the areas as they came (unit lists: 0 or 1, by ids). With
        ``unit="mixed"`` the shares of the finest units.
    membership
        Shares of units in the unions, 0 or 1: at the level fitted, or the finest where some
        union is not made of whole units of it.
    service_areas
        The areas as they came.
    census
        The census, ``None`` when read from a build directory.
    meta
        ``vintage, unit, rule, by, threshold, exclusive`` and what else the result hangs on.
    report
        Everything met on the way and every check (:class:`~lipgeo.report.CheckReport`).
    """

    def __init__(
        self,
        *,
        areas: gpd.GeoDataFrame,
        units: pd.DataFrame,
        cover: pd.DataFrame,
        crosswalk: Crosswalk,
        membership: Crosswalk,
        service_areas: ServiceAreas,
        meta: Mapping[str, Any],
        report: CheckReport,
        shapes: gpd.GeoDataFrame | Callable[[], gpd.GeoDataFrame],
        census: Census | None = None,
    ) -> None:
        self.areas = areas
        self.units = units
        self.cover = cover
        self.crosswalk = crosswalk
        self.membership = membership
        self.service_areas = service_areas
        self.meta = dict(meta)
        self.report = report
        self.census = census
        self._shapes = shapes

    @property
    def rule(self) -> str:
        """The rule the units were chosen by."""
        return str(self.meta["rule"])

    @property
    def vintage(self) -> int:
        """Census year."""
        return int(self.meta["vintage"])

    @property
    def shapes(self) -> gpd.GeoDataFrame:
        """The units with their polygons, and those cut but left out; read when first asked for.

        Columns as :attr:`units`, ``status`` also ``left_out``, and ``geometry`` (EPSG:3347,
        ``None`` where a unit's level has no polygon).
        """
        if callable(self._shapes):
            self._shapes = self._shapes()
        return self._shapes

    def __len__(self) -> int:
        return len(self.areas)

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _repr_html_(self) -> str:
        shown = ["area_id", "name_en", "unit_count", "population", "misfit_share", "flags"]
        table = pd.DataFrame(self.areas[shown]).to_html(index=False)
        return f"<p>{html.escape(self._summary())}</p>{table}"

    def _summary(self) -> str:
        fitted = self.areas[self.areas["definition"].eq("drawn")]
        wrong = fitted["population_omitted"].sum() + fitted["population_added"].sum()
        total = fitted["population_drawn"].sum()
        return say(
            "boundary.summary" if len(fitted) else "boundary.summary_lists",
            vintage=str(self.vintage),
            areas=len(self.areas),
            fitted=len(fitted),
            listed=len(self.areas) - len(fitted),
            units=len(self.units),
            unit=self.meta["unit"],
            rule=self.rule,
            by=say(f"boundary.by_{self.meta['by']}"),
            misfit=float(wrong / total) if total > 0 else 0.0,
            below=int(self.areas["below_floor"].sum()),
            people=float(self.areas["population_union"].sum()),
        )


def fit_boundaries(
    census: Census,
    areas: ServiceAreas,
    *,
    unit: str = "DA",
    rule: Rule = "majority",
    by: By = "population",
    threshold: float = 0.5,
    exclusive: bool = False,
    contiguous: bool = False,
    controls: pd.DataFrame | None = None,
    sliver_share: float = 0.005,
    accept: float = 0.99,
) -> Boundaries:
    """Fit areas to census units: drawn areas by a rule, unit lists exactly as listed.

    Parameters
    ----------
    census
        The census.
    areas
        Service areas, drawn, listed or both.
    unit
        Level whose units make up the drawn areas, or ``"mixed"``: from province down to block,
        a unit is taken when its share is at least ``accept``, dropped when it is at most
        ``1 - accept``, else opened; the finest go by ``rule="majority"``.
    rule
        Which units are in: ``within`` (wholly inside but for slivers), ``touching`` (more than a
        sliver is inside), ``majority`` (a share of at least ``threshold``), ``largest`` (no other
        area and not the outside has more of it), ``point`` (its representative point is inside).
    by
        What shares are of: ``population``, ``dwellings``, ``households`` or ``area``.
    threshold
        For ``majority``, in (0, 1].
    exclusive
        Let a unit be in one area only: the one with the largest share, ties by id. Units of
        unit-list areas stay theirs.
    contiguous, controls
        Belong to a rule that chooses units together; refused with these.
    sliver_share
        Share of a unit's polygon below which an overlap is an accident of drawing.
    accept
        For ``unit="mixed"``, above 0.5.

    Returns
    -------
    Boundaries

    Raises
    ------
    FitError
        An option is not as above, or the census has no counts to share by.
    AreaError
        Drawn areas that meet no unit of the census, or lists of another vintage.
    MissingLevelError
        The census does not hold the level.

    Examples
    --------
    >>> from lipgeo import fit_boundaries, synthetic
    >>> census = synthetic.census(blocks=600, seed=3)
    >>> b = fit_boundaries(census, synthetic.areas(census, 2, seed=1))
    >>> len(b), bool(b.areas.geometry.is_valid.all())
    (2, True)
    """
    terms = Terms(threshold, sliver_share)
    asked = _asked(areas, unit, rule, by, terms, accept=accept, exclusive=exclusive)
    _require_other_rule(contiguous=contiguous, controls=controls)
    given = Drawn.of(areas)
    _require_vintage(areas, census)
    listed = listed_units(census, areas)
    if given.drawn.any():
        _require_held(census, asked)
        fit = _fitted(census, areas, given, listed, asked)
    else:
        fit = _Fit(listed.iloc[:0], pd.DataFrame({"area": [], "atom": [], "share": []}), [])

    units = _ordered(described(census, pd.concat([fit.chosen, listed], ignore_index=True)), census)
    union = atoms_of(census, units)
    at = expressed_at(census, union, [] if asked.level == "mixed" else [asked.level])
    membership = build_crosswalk(census.zones(at), _as_lists(areas, units, census), weight=by)
    shares = fit.crosswalks[0] if fit.crosswalks else membership
    cover, stopped = _cover(census, given, units, union)
    measures = misfit(census, fit.inside, union[given.drawn[union["area"]]], len(areas))
    made = joined(census, units, areas.ids)
    quality = shares.quality.set_index("target_id")
    frame = area_frame(
        areas, units, cover, measures=measures, quality=quality, shapes=made.geometry,
        vintage=census.vintage,
    )  # fmt: skip
    said = remarks(
        census, areas, frame,
        units=units, union=union, stopped=stopped, measures=measures, shares=shares,
        by=by if given.drawn.any() else "area",
    )  # fmt: skip
    checks = [
        check_conservation(census, units, frame, [*fit.crosswalks, membership]),
        check_coverage(census, areas, quality["coverage"]),
        check_overlaps(census, union, areas.ids),
        check_floors(frame, census.vintage),
    ]
    # the crosswalk repeats what the areas said on the way in
    findings = [*areas.report, *shares.report, *made.findings, *said.findings]
    report = sum(checks, CheckReport(dict.fromkeys(findings)))
    return Boundaries(
        areas=flagged(frame, {**said.flags, **made.flags}, report),
        units=unit_table(units, areas.ids, sliver_share),
        cover=cover_table(cover, areas.ids),
        crosswalk=shares,
        membership=membership,
        service_areas=areas,
        meta=_meta(census, asked),
        report=report,
        shapes=_shapes(
            census,
            areas,
            given,
            units=units,
            union=union,
            shares=shares,
            sliver_share=sliver_share,
        ),
        census=census,
    )


@dataclass(frozen=True)
class _Asked:
    """The options of a fit, checked."""

    level: str
    rule: str
    by: str
    terms: Terms
    accept: float
    exclusive: bool


@dataclass(frozen=True)
class _Fit:
    """What fitting drawn areas gave: units, what lies inside, crosswalks (of the units first)."""

    chosen: pd.DataFrame
    inside: pd.DataFrame
    crosswalks: list[Crosswalk]


def _asked(
    areas: Any, unit: str, rule: str, by: str, terms: Terms, *, accept: float, exclusive: bool
) -> _Asked:
    """Check the options, all faults in one error."""
    if not isinstance(areas, ServiceAreas):
        raise FitError("boundary.not_areas", given=type(areas).__name__)
    level = unit if unit == "mixed" else level_named(unit).code
    faults = []
    if rule not in RULES:
        faults.append(say("boundary.unknown_rule", rule=rule, rules=list(RULES)))
    if by not in _BY:
        faults.append(say("boundary.unknown_basis", by=by, known=list(_BY)))
    if level == "mixed" and rule != "majority":
        faults.append(say("boundary.mixed_rule", rule=rule))
    if not 0 < terms.threshold <= 1:
        faults.append(say("boundary.bad_threshold", value=terms.threshold))
    if not 0 <= terms.sliver_share < 0.5:
        faults.append(say("boundary.bad_sliver", value=terms.sliver_share))
    if not 0.5 < accept <= 1:
        faults.append(say("boundary.bad_accept", value=accept))
    if faults:
        raise FitError(
            "boundary.bad_options", [{"fault": fault} for fault in faults], faults=" ".join(faults)
        )
    return _Asked(level, rule, by, terms, accept, bool(exclusive))


def _require_other_rule(**options: Any) -> None:
    """Refuse options of rules that choose units together."""
    asked = [name for name, value in options.items() if value is not None and value is not False]
    if asked:
        raise FitError("boundary.needs_optimal", options=asked, rules=list(RULES))


def _require_vintage(areas: ServiceAreas, census: Census) -> None:
    """Require unit lists of the census's own year."""
    if areas.vintage not in (None, census.vintage):
        raise AreaError(
            "areas.other_vintage_held", [{"area_id": area} for area in areas.listed],
            came=str(areas.vintage), vintage=str(census.vintage), areas=areas.listed,
        )  # fmt: skip


def _require_held(census: Census, asked: _Asked) -> None:
    """Require the level, and counts to share by."""
    if asked.level != "mixed":
        census.require_level(asked.level)
    if asked.by == "area" or asked.rule not in ("majority", "largest"):
        return
    for level in {census.atom_level, asked.level} - {"mixed"}:
        if asked.by in census.data.columns(level):
            counts = census.data.attributes(level, [asked.by])[asked.by]
            if counts.notna().any():
                return
    raise FitError(
        "boundary.no_counts", by=say(f"boundary.by_{asked.by}"), vintage=str(census.vintage)
    )


def _fitted(
    census: Census, areas: ServiceAreas, given: Drawn, listed: pd.DataFrame, asked: _Asked
) -> _Fit:
    """Choose the units of the drawn areas."""
    fine = census.atom_level
    level = fine if asked.level == "mixed" else asked.level
    by = cast("By", asked.by)
    shares = build_crosswalk(census.zones(level), areas, weight=by)
    lost = areas.drawn.difference(pd.Index(shares.frame["target_id"]), sort=False)
    if len(lost):
        raise AreaError(
            "boundary.no_overlap", [{"area_id": area} for area in lost],
            areas=lost, vintage=str(census.vintage),
        )  # fmt: skip
    crosswalks = [shares]
    if level != fine:
        drawn = areas.select(areas.drawn)
        crosswalks.append(build_crosswalk(census.zones(fine), drawn, weight="area"))
    inside = atoms_in(census, crosswalks[-1], given)
    if asked.level == "mixed":
        chosen = mixed_units(
            census, inside, given, listed=listed, by=by, accept=asked.accept,
            threshold=asked.terms.threshold, exclusive=asked.exclusive,
        )  # fmt: skip
    else:
        chosen = ruled_units(
            census, level, shares, given, listed=listed, rule=asked.rule, terms=asked.terms,
            exclusive=asked.exclusive,
        )  # fmt: skip
    return _Fit(chosen, inside, crosswalks)


def _ordered(units: pd.DataFrame, census: Census) -> pd.DataFrame:
    """Order units by area, level (coarse first) and id."""
    place = units["level"].map({code: -n for n, code in enumerate(census.levels)})
    ordered = units.assign(place=place.astype(np.int64)).sort_values(["area", "place", "unit_id"])
    return ordered.drop(columns="place").reset_index(drop=True)


def _as_lists(areas: ServiceAreas, units: pd.DataFrame, census: Census) -> ServiceAreas:
    """Return the unions as unit lists."""
    frame = areas.frame.assign(definition="units")
    nothing = gpd.GeoSeries(np.full(len(frame), None, dtype=object), index=frame.index)
    members = units[["level", "unit_id", "unit_name"]].reset_index(drop=True)
    members.insert(0, "area_id", areas.ids[units["area"].to_numpy(np.int64)])
    return ServiceAreas(
        frame.set_geometry(nothing.set_crs(census.crs)), members, vintage=census.vintage
    )


def _cover(
    census: Census, given: Drawn, units: pd.DataFrame, union: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cover, described, and parents that could not be proven whole.

    Unit lists and units that have no finer unit stand as they are.
    """
    fitted = union[given.drawn[union["area"].to_numpy(np.int64)]]
    made = fewest_units(census, fitted["area"], fitted["atom"], units)
    as_they_are = ~given.drawn[units["area"].to_numpy(np.int64)] | childless(census, units)
    kept = units.loc[as_they_are, ["area", "level", "row"]]
    cover = _ordered(described(census, pd.concat([made.units, kept], ignore_index=True)), census)
    return cover, named(census, made.stopped)


def _shapes(
    census: Census,
    areas: ServiceAreas,
    given: Drawn,
    *,
    units: pd.DataFrame,
    union: pd.DataFrame,
    shares: Crosswalk,
    sliver_share: float,
) -> Callable[[], gpd.GeoDataFrame]:
    """Return what makes :attr:`Boundaries.shapes` when it is asked for."""

    def make() -> gpd.GeoDataFrame:
        rest = left_out(
            census, str(shares.source_level), shares, given, union=union, sliver_share=sliver_share
        )
        every = pd.concat([units, described(census, rest).assign(out=True)], ignore_index=True)
        table = unit_table(every, areas.ids, sliver_share)
        return shape_frame(census, table.assign(row=every["row"]))

    return make


def _meta(census: Census, asked: _Asked) -> dict[str, Any]:
    """Return what the result hangs on: plain values, no clock."""
    held = census.data.meta
    return {
        "vintage": int(census.vintage),
        "unit": asked.level,
        "rule": asked.rule,
        "by": asked.by,
        "threshold": float(asked.terms.threshold),
        "exclusive": asked.exclusive,
        "sliver_share": float(asked.terms.sliver_share),
        "accept": float(asked.accept),
        "boundary_type": held.get("boundary_type"),
        "made": bool(held.get("made", False)),
        "sources": [dict(source) for source in held.get("sources", [])],
        "levels": list(census.levels),
        "crs": "EPSG:3347",
        "lipgeo": __version__,
    }
