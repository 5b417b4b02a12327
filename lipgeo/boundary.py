"""``Boundaries``: service areas fitted to census units, measured, covered and checked."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from lipgeo import __version__
from lipgeo.areas import ServiceAreas
from lipgeo.arguments import require_kind
from lipgeo.census import Census
from lipgeo.checks import (
    check_conservation,
    check_coverage,
    check_floors,
    check_overlaps,
)
from lipgeo.crosswalk import Crosswalk, build_crosswalk
from lipgeo.fitting import (
    Asked,
    By,
    Fit,
    Rule,
    as_lists,
    asked_of,
    covered,
    fitted,
    ordered,
    require_held,
    require_vintage,
)
from lipgeo.fitting.choosing import Terms
from lipgeo.fitting.chosen import Drawn, atoms_of, left_out, listed_units
from lipgeo.fitting.misfit import misfit
from lipgeo.fitting.optimal import said_of_choice
from lipgeo.fitting.outcome import (
    area_frame,
    cover_table,
    described,
    expressed_at,
    joined,
    shape_frame,
    unit_table,
)
from lipgeo.fitting.remarks import FLAGS, flagged, remarks
from lipgeo.ground import ground, no_ground
from lipgeo.report import CheckReport
from lipgeo.show import Card, Shown, flag_words, heads
from lipgeo.surroundings import no_surroundings, surroundings
from lipgeo.words import say

__all__ = ["FLAGS", "Boundaries", "By", "Rule", "fit_boundaries"]


class Boundaries(Shown):
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

            ======================  ==============================================================
            ``draft``               the registry does not settle the area; it is a draft
            ``no_units``            the rule admitted no unit; the union is empty
            ``not_proven``          ``optimal``: a better choice is not ruled out
            ``below_min_share``     ``optimal``: units below ``min_share`` were needed for the floor
            ``parts_unavoidable``   ``contiguous``: more parts than drawn, which none could join
            ``below_floor``         fewer people than the confidentiality floor
            ``population_unknown``  no unit of the union has a population
            ``counts_missing``      people or dwellings of some blocks are not known
            ``share_by_area``       units cut by the outline are shared by area: no block counts
            ``misfit_by_land``      nobody lives in the area as drawn: misfit is by land
            ``overlap``             the union has units in common with another area's
            ``partly_outside``      part of the area as drawn is in no unit held
            ``unit_incomplete``     the census holds less of a listed unit than is published
            ``parent_incomplete``   a larger unit could stand in the cover if it were proven whole
            ``unit_repaired``       a unit's polygon was invalid and was repaired
            ``edges_disagree``      edges of neighbours differ; joined by the general union
            ``no_polygon``          a unit has no polygon: in the union by id only
            ``land_measured``       some land area is not published and was measured
            ======================  ==============================================================
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
        context: gpd.GeoDataFrame | None = None,
        land: pd.DataFrame | None = None,
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
        self._context = context
        self._land = land

    @property
    def rule(self) -> str:
        """The rule the units were chosen by."""
        return str(self.meta["rule"])

    @property
    def proven(self) -> bool | None:
        """Whether no choice of units is better; ``None`` but for the rule ``optimal``."""
        return (self.meta.get("optimal") or {}).get("proven")

    @property
    def gap(self) -> float | None:
        """How much better a choice might be, as a share; ``None`` but for ``optimal``."""
        return (self.meta.get("optimal") or {}).get("gap")

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

    @property
    def context(self) -> gpd.GeoDataFrame:
        """The census subdivisions around, for maps only; read when first asked for.

        Columns as :func:`lipgeo.surroundings.surroundings`; empty where none is held.
        """
        if self._context is None:
            outlines = [self.areas.total_bounds, self.service_areas.frame.total_bounds]
            held = np.array([box for box in outlines if np.isfinite(box).all()])
            if self.census is None or not len(held):
                self._context = no_surroundings(self.areas.crs)
            else:
                around = np.array([*held[:, :2].min(axis=0), *held[:, 2:].max(axis=0)])
                self._context = surroundings(self.census, around)
        return self._context

    @property
    def land(self) -> pd.DataFrame:
        """The census around in pieces, to subtract areas by; read when first asked for.

        Columns as :func:`lipgeo.ground.ground`; empty where no census is held.
        """
        if self._land is None:
            self._land = no_ground() if self.census is None else ground(self.census, self.units)
        return self._land

    def explore(self, **options: Any) -> Any:
        """Return the map as one HTML page: :func:`lipgeo.preview` of these boundaries."""
        # the core names no room of the edge: the drawing is found when it is asked for
        return importlib.import_module("lipgeo.maps").preview(self, **options)

    def plot(self, **options: Any) -> Any:
        """Return the map as a matplotlib figure: :func:`lipgeo.maps.picture.figure` of these."""
        return importlib.import_module("lipgeo.maps.picture").figure(self, **options)

    def __len__(self) -> int:
        return len(self.areas)

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _card(self) -> Card:
        columns = heads("area_id", "name", "unit_count", "population", "misfit_share", "flags")
        table = pd.DataFrame(self.areas.drop(columns="geometry"))
        table["name"] = self.service_areas.labels.reindex(table["area_id"]).to_numpy()
        table["flags"] = table["flags"].map(flag_words)
        return Card(self._summary(), table, columns, shares=("misfit_share",))

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
    controls: pd.Series | pd.DataFrame | None = None,
    control_weight: float = 1.0,
    min_share: float = 0.1,
    max_units: int | None = None,
    floor: float | None = None,
    time_limit: float | None = None,
    gap: float = 0.0,
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
        area and not the outside has more of it), ``point`` (its representative point is inside),
        ``optimal`` (all chosen together by integer programming, see Notes).
    by
        What shares are of: ``population``, ``dwellings``, ``households`` or ``area``.
    threshold
        For ``majority``, in (0, 1].
    exclusive
        Let a unit be in one area only: the one with the largest share, ties by id. Units of
        unit-list areas stay theirs.
    contiguous
        ``optimal``: an area may have no more parts than as drawn; units that touch only at a
        corner are apart. A part is unavoidable, and allowed, where a unit wholly inside the area
        can be joined to the rest by no candidate, or where a unit is itself in parts.
    controls
        ``optimal``: known totals, indexed by area id (or with a column ``area_id``): a Series or
        a single column of whatever ``by`` counts, or columns ``population, dwellings,
        households``. Areas without a total are fitted by misfit alone.
    control_weight
        ``optimal``: what one person of deviation costs beside one of misfit (lambda).
    min_share
        ``optimal``: least share of a unit in an area that may take it. Units below it are used
        only where an area cannot reach the floor otherwise, and are flagged.
    max_units
        ``optimal``: most units of an area.
    floor
        ``optimal``: least population of an area's units.
    time_limit
        ``optimal``: seconds the solver may take for each group of areas that have to be decided
        together. Without one the choice is proven best and is the same on every machine.
    gap
        ``optimal``: stop when no choice can be better by more than this share.
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
        An option is not as above, the census has no counts to share by, or no choice of units
        keeps to the limits: ``problems`` says what each area lacks.
    AreaError
        Drawn areas that meet no unit of the census, or lists of another vintage.
    MissingLevelError
        The census does not hold the level.

    Notes
    -----
    ``optimal`` chooses the sets of units ``U`` that minimise, over all areas ``a`` at once::

        sum over a of  omitted(U_a) + added(U_a) + control_weight x |total(U_a) - controls_a|

    where what is omitted and added is counted in what ``by`` names. A total of another kind is
    brought to that size by its sum. Each unit is in one area with ``exclusive``. Ties go to the
    larger share. :attr:`Boundaries.proven`, :attr:`Boundaries.gap` and the flag ``not_proven``
    say whether no choice is better; ``b.meta["optimal"]`` has the figures.

    Examples
    --------
    >>> from lipgeo import ServiceAreas, fit_boundaries, synthetic
    >>> census = synthetic.census(blocks=1000, seed=3)
    >>> drawn = ServiceAreas.from_frame(synthetic.service_areas(census, 2), id="area_id")
    >>> b = fit_boundaries(census, drawn, unit="DA", rule="majority")
    >>> len(b), bool(b.areas.geometry.is_valid.all()), set(b.units["level"])
    (2, True, {'DA'})
    >>> best = fit_boundaries(census, drawn, unit="DA", rule="optimal", exclusive=True)
    >>> best.proven, best.gap
    (True, 0.0)
    """
    require_kind(census, Census, "arguments.census", "census")
    require_kind(threshold, Real, "arguments.number", "threshold")
    terms = Terms(threshold, sliver_share)
    together = {
        "contiguous": contiguous, "controls": controls, "control_weight": control_weight,
        "min_share": min_share, "max_units": max_units, "floor": floor,
        "time_limit": time_limit, "gap": gap,
    }  # fmt: skip
    asked = asked_of(
        areas, unit, rule, by, terms, accept=accept, exclusive=exclusive, optimal=together
    )
    given = Drawn.of(areas)
    require_vintage(areas, census)
    listed = listed_units(census, areas)
    if given.drawn.any():
        require_held(census, asked)
        fit = fitted(census, areas, given, listed, asked)
    else:
        fit = Fit(listed.iloc[:0], pd.DataFrame({"area": [], "atom": [], "share": []}), None)

    units = ordered(described(census, pd.concat([fit.chosen, listed], ignore_index=True)), census)
    union = atoms_of(census, units)
    at = expressed_at(census, union, [] if asked.level == "mixed" else [asked.level])
    membership = build_crosswalk(census.zones(at), as_lists(areas, units, census), weight=by)
    shares = membership if fit.shares is None else fit.shares
    cover, stopped = covered(census, given, units, union)
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
        check_conservation(census, units, frame, [shares, membership]),
        check_coverage(census, areas, quality["coverage"]),
        check_overlaps(census, union, areas.ids),
        check_floors(frame, census.vintage),
    ]
    # the crosswalk repeats what the areas said on the way in
    best = said_of_choice(frame, given, fit.choice, asked.limits)
    findings = [*areas.report, *shares.report, *made.findings, *said.findings, *best.findings]
    report = sum(checks, CheckReport(dict.fromkeys(findings)))
    return Boundaries(
        areas=flagged(frame, {**said.flags, **made.flags, **best.flags}, report),
        units=unit_table(units, areas.ids, sliver_share),
        cover=cover_table(cover, areas.ids),
        crosswalk=shares,
        membership=membership,
        service_areas=areas,
        meta=_meta(census, asked, fit),
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


def _meta(census: Census, asked: Asked, fit: Fit) -> dict[str, Any]:
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
        **({} if fit.choice is None else {"optimal": fit.choice.meta}),
        "boundary_type": held.get("boundary_type"),
        "made": bool(held.get("made", False)),
        "sources": [dict(source) for source in held.get("sources", [])],
        "levels": list(census.levels),
        "crs": "EPSG:3347",
        "lipgeo": __version__,
    }
