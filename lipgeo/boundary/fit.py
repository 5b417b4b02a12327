"""Fit service areas to census units: check what is asked, choose units, measure and check.

:func:`fit_boundaries` takes the steps one after the other; :mod:`lipgeo.boundary.tradeoff` takes
some of them many times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, cast, get_args

import geopandas as gpd
import numpy as np
import pandas as pd

from lipgeo._version import __version__
from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.boundary.boundaries import Boundaries
from lipgeo.boundary.checks import (
    add_flags,
    check_conservation,
    check_coverage,
    check_fit,
    check_floors,
    check_overlaps,
    remarks,
    remarks_of_shares,
)
from lipgeo.boundary.cover import fewest_units
from lipgeo.boundary.measures import (
    add_names,
    area_frame,
    cover_table,
    describe_units,
    dissolve_units,
    level_of_unions,
    misfit,
    shape_frame,
    shares_and_inside,
    unit_table,
)
from lipgeo.boundary.optimal import (
    DEFAULTS,
    Choice,
    Limits,
    best_units,
    limits_of,
    pool_of,
    remark_choice,
)
from lipgeo.boundary.rules import (
    RULES,
    FitAreas,
    Terms,
    atoms_in,
    atoms_of,
    childless,
    units_across_levels,
    units_by_rule,
    units_left_out,
    units_of_lists,
)
from lipgeo.census.census import Census
from lipgeo.census.data import COUNTS, Measure
from lipgeo.crosswalk.build import build_crosswalk
from lipgeo.crosswalk.crosswalk import Crosswalk, Placement
from lipgeo.errors import AreaError, FitError, require_kind
from lipgeo.geography.hierarchy import level as level_named
from lipgeo.report import CheckReport, Faults
from lipgeo.words import say
from lipgeo.zones.validity import SLIVER_SHARE

__all__ = [
    "Fit",
    "FitOptions",
    "as_lists",
    "build_shares",
    "check_options",
    "cover_areas",
    "fit_boundaries",
    "fit_drawn",
    "fit_optimal",
    "order_units",
    "require_held",
    "require_vintage",
]


@dataclass(frozen=True)
class FitOptions:
    """The options of a fit, checked."""

    level: str
    rule: str
    by: str
    terms: Terms
    accept: float
    exclusive: bool
    limits: Limits = field(default_factory=Limits)
    placement: Placement = "auto"


@dataclass(frozen=True)
class Fit:
    """What fitting drawn areas gave.

    Attributes
    ----------
    chosen
        Their units; columns as in :mod:`lipgeo.boundary.rules`.
    inside
        What lies in them as drawn: ``area``, ``atom``, ``share`` of its surface.
    shares
        The crosswalk the units were chosen by; ``None`` where no area is drawn.
    choice
        What the optimal rule says of its choice; ``None`` for other rules.
    """

    chosen: pd.DataFrame
    inside: pd.DataFrame
    shares: Crosswalk | None
    choice: Choice | None = None


def fit_boundaries(
    census: Census,
    areas: ServiceAreas,
    *,
    unit: str = "DA",
    rule: str = "majority",
    by: Measure = "population",
    threshold: float = 0.5,
    exclusive: bool = False,
    contiguous: bool = False,
    controls: pd.Series | pd.DataFrame | None = None,
    control_weight: float | Mapping[str, float] = 1.0,
    control_sources: pd.DataFrame | None = None,
    min_share: float = 0.1,
    max_units: int | None = None,
    floor: float | None = None,
    time_limit: float | None = None,
    gap: float = 0.0,
    sliver_share: float = SLIVER_SHARE,
    accept: float = 0.99,
    placement: Placement = "auto",
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
        households`` and those of ``control_sources``. Areas without a total are fitted by misfit
        alone.
    control_weight
        ``optimal``: what one person of deviation costs beside one of misfit (lambda); for all
        controls, or one a column.
    control_sources
        ``optimal``: what each unit of the level holds of further controls, which the census does
        not count: index unit ids, columns as in ``controls``. So the union is led to an estimate
        too, at less weight than what is known: ``controls`` with people and the areas' estimated
        immigrants (:func:`lipgeo.weight_areas`), ``control_weight={"immigrants": 0.3}``, and
        ``control_sources=table.frame``. Units without a value are taken to hold what the others
        hold by their people.
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
    placement
        How people of cut blocks are placed: as for :func:`lipgeo.build_crosswalk`. Shares, misfit
        and what is omitted and added go by it.

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
    require_kind(census, Census, "errors.census", "census")
    require_kind(threshold, Real, "errors.number", "threshold")
    terms = Terms(threshold, sliver_share)
    together = {
        "contiguous": contiguous, "controls": controls, "control_weight": control_weight,
        "control_sources": control_sources,
        "min_share": min_share, "max_units": max_units, "floor": floor,
        "time_limit": time_limit, "gap": gap,
    }  # fmt: skip
    asked = check_options(
        areas, unit, rule, by, terms, accept=accept, exclusive=exclusive, optimal=together,
        placement=placement,
    )  # fmt: skip
    # units: those listed as they are, those of drawn areas by the rule
    given = FitAreas.of(areas)
    require_vintage(areas, census)
    listed = units_of_lists(census, areas)
    if given.drawn.any():
        require_held(census, asked)
        fit = fit_drawn(census, areas, given, listed, asked)
    else:
        nothing = pd.DataFrame({"area": [], "atom": [], "share": [], "people_share": []})
        fit = Fit(listed.iloc[:0], nothing, None)

    units = order_units(
        describe_units(census, pd.concat([fit.chosen, listed], ignore_index=True)), census
    )
    # what the unions hold: as shares, as the fewest standard units, against the areas as drawn
    union = atoms_of(census, units)
    at = level_of_unions(census, union, [] if asked.level == "mixed" else [asked.level])
    membership = build_crosswalk(census.zones(at), as_lists(areas, units, census), weight=by)
    shares = membership if fit.shares is None else fit.shares
    cover, stopped = cover_areas(census, given, units, union)
    measures = misfit(census, fit.inside, union[given.drawn[union["area"]]], len(areas))
    # the unions as polygons, and the frame of the areas
    made = dissolve_units(census, units, areas.ids)
    quality = shares.quality.set_index("target_id")
    frame = area_frame(
        areas, units, cover, measures=measures, quality=quality, shapes=made.geometry,
        vintage=census.vintage,
    )  # fmt: skip
    # what must be said of them
    listed_only = not given.drawn.any()
    said = remarks(
        census, areas, frame,
        units=units, union=union, stopped=stopped, measures=measures, shares=shares,
        by="area" if listed_only else by,
    )  # fmt: skip
    checks = [
        check_conservation(census, units, frame, [shares, membership]),
        check_coverage(census, areas, quality["coverage"]),
        check_overlaps(census, union, areas.ids),
        check_floors(frame, census.vintage),
        check_fit(
            census, frame, fit.inside,
            unit=asked.level, by_land=measures["by_land"].to_numpy(bool),
        ),
    ]  # fmt: skip
    # the crosswalk repeats what the areas said on the way in
    best = remark_choice(frame, given, fit.choice, asked.limits)
    met = remarks_of_shares(census, shares, listed_only=listed_only)
    findings = [*areas.report, *met, *made.findings, *said.findings, *best.findings]
    report = sum(checks, CheckReport(dict.fromkeys(findings)))
    return Boundaries(
        areas=add_flags(frame, {**said.flags, **made.flags, **best.flags}, report),
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
    given: FitAreas,
    *,
    units: pd.DataFrame,
    union: pd.DataFrame,
    shares: Crosswalk,
    sliver_share: float,
) -> Callable[[], gpd.GeoDataFrame]:
    """Return what makes :attr:`Boundaries.shapes` when it is asked for."""

    def make() -> gpd.GeoDataFrame:
        rest = units_left_out(
            census, str(shares.source_level), shares, given, union=union, sliver_share=sliver_share
        )
        every = pd.concat([units, describe_units(census, rest).assign(out=True)], ignore_index=True)
        table = unit_table(every, areas.ids, sliver_share)
        return shape_frame(census, table.assign(census_row=every["census_row"]))

    return make


def _meta(census: Census, asked: FitOptions, fit: Fit) -> dict[str, Any]:
    """Return what the result hangs on: plain values, no clock."""
    held = census.data.meta
    return {
        "vintage": int(census.vintage),
        "unit": asked.level,
        "rule": asked.rule,
        "by": asked.by,
        "threshold": float(asked.terms.threshold),
        "exclusive": asked.exclusive,
        "placement": asked.placement,
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


# ------------------------------------------------------------------- what is asked


def check_options(
    areas: Any,
    unit: str,
    rule: str,
    by: str,
    terms: Terms,
    *,
    accept: float,
    exclusive: bool,
    optimal: dict[str, Any] | None = None,
    placement: Placement = "auto",
) -> FitOptions:
    """Check the options, all faults in one error; ``optimal`` are those of the optimal rule."""
    if not isinstance(areas, ServiceAreas):
        raise FitError("boundary.not_areas", given=type(areas).__name__)
    level = "mixed" if unit.casefold() == "mixed" else level_named(unit).code
    faults = Faults()
    chosen_by = RULES.get(rule)
    if chosen_by is None:
        faults.add_as_told("boundary.unknown_rule", rule=rule, rules=", ".join(RULES))
    if by not in get_args(Measure):
        faults.add_as_told("boundary.unknown_basis", by=by, known=[*COUNTS, "area"])
    if level == "mixed" and not (chosen_by and chosen_by.across_levels):
        faults.add_as_told("boundary.mixed_rule", rule=rule)
    if not 0 < terms.threshold <= 1:
        faults.add_as_told("boundary.bad_threshold", value=terms.threshold)
    if not 0 <= terms.sliver_share < 0.5:
        faults.add_as_told("boundary.bad_sliver", value=terms.sliver_share)
    if placement not in get_args(Placement):
        faults.add_as_told(
            "boundary.unknown_placement", placement=placement, known=list(get_args(Placement))
        )
    if not 0.5 < accept <= 1:
        faults.add_as_told("boundary.bad_accept", value=accept)
    faults.raise_if_any("boundary.bad_options", error=FitError)
    limits = Limits()
    if chosen_by is not None and chosen_by.together:
        limits = limits_of(areas, by, {**DEFAULTS, **(optimal or {})}, level)
    else:
        _require_other_rule(optimal or {})
    return FitOptions(level, rule, by, terms, accept, bool(exclusive), limits, placement)


def _require_other_rule(options: dict[str, Any]) -> None:
    """Refuse options of the rule that chooses units together."""
    asked = [name for name, value in options.items() if not _as_default(name, value)]
    if asked:
        raise FitError(
            "boundary.needs_optimal",
            options=asked,
            rules=[name for name, one in RULES.items() if not one.together],
        )


def _as_default(name: str, value: Any) -> bool:
    if name in ("controls", "control_sources"):  # a frame is not to be compared
        return value is None
    return bool(value == DEFAULTS[name])


def require_vintage(areas: ServiceAreas, census: Census) -> None:
    """Require unit lists of the census's own year."""
    if areas.vintage not in (None, census.vintage):
        raise AreaError(
            "areas.other_vintage_held", [{"area_id": area} for area in areas.listed],
            came=str(areas.vintage), vintage=str(census.vintage), areas=areas.listed,
        )  # fmt: skip


def require_held(census: Census, asked: FitOptions) -> None:
    """Require the level, and counts to share by."""
    if asked.level != "mixed":
        census.require_level(asked.level)
    if asked.by == "area" or not RULES[asked.rule].by_measure:
        return
    for level in {census.atom_level, asked.level} - {"mixed"}:
        if asked.by in census.data.columns(level):
            counts = census.data.attributes(level, [asked.by])[asked.by]
            if counts.notna().any():
                return
    raise FitError(
        "boundary.no_counts", by=say(f"boundary.by_{asked.by}"), vintage=str(census.vintage)
    )


# ------------------------------------------------------------------- the units of drawn areas


def fit_drawn(
    census: Census, areas: ServiceAreas, given: FitAreas, listed: pd.DataFrame, asked: FitOptions
) -> Fit:
    """Choose the units of the drawn areas."""
    shares, inside = build_shares(census, areas, given, asked)
    if RULES[asked.rule].together:
        return fit_optimal(census, given, listed, asked, shares=shares, inside=inside)
    if asked.level == "mixed":
        chosen = units_across_levels(
            census, inside, given, listed=listed, by=asked.by, accept=asked.accept,
            threshold=asked.terms.threshold, exclusive=asked.exclusive,
        )  # fmt: skip
    else:
        chosen = units_by_rule(
            census, asked.level, shares, given, listed=listed, rule=asked.rule,
            terms=asked.terms, exclusive=asked.exclusive,
        )  # fmt: skip
    return Fit(chosen, inside, shares)


def fit_optimal(
    census: Census,
    given: FitAreas,
    listed: pd.DataFrame,
    asked: FitOptions,
    *,
    shares: Crosswalk,
    inside: pd.DataFrame,
) -> Fit:
    """Choose the units of the drawn areas together."""
    pool = pool_of(
        census, asked.level, shares.frame, inside, given, listed=listed, by=asked.by,
        accept=asked.accept, exclusive=asked.exclusive, sliver_share=asked.terms.sliver_share,
        limits=asked.limits,
    )  # fmt: skip
    choice = best_units(pool, given, asked.limits)
    return Fit(choice.units, inside, shares, choice)


def build_shares(
    census: Census, areas: ServiceAreas, given: FitAreas, asked: FitOptions
) -> tuple[Crosswalk, pd.DataFrame]:
    """Return the crosswalk of the level and what lies in the drawn areas, see :class:`Fit`."""
    fine = census.atom_level
    level = fine if asked.level == "mixed" else asked.level
    by = cast("Measure", asked.by)
    if level == fine:
        shares = build_crosswalk(census.zones(level), areas, weight=by, placement=asked.placement)
        inside = atoms_in(census, shares, given)
    else:
        shares, inside = shares_and_inside(census, level, areas, by, asked.placement)
    lost = areas.drawn.difference(pd.Index(shares.frame["target_id"]), sort=False)
    if len(lost):
        raise AreaError(
            "boundary.no_overlap", [{"area_id": area} for area in lost],
            areas=lost, vintage=str(census.vintage),
        )  # fmt: skip
    return shares, inside


# ------------------------------------------------------------------- the unions


def order_units(units: pd.DataFrame, census: Census) -> pd.DataFrame:
    """Order units by area, level (coarse first) and id."""
    place = units["level"].map({code: -n for n, code in enumerate(census.levels)})
    place = place.astype(np.int64)
    in_order = units.assign(place=place).sort_values(["area", "place", "unit_id"])
    return in_order.drop(columns="place").reset_index(drop=True)


def as_lists(areas: ServiceAreas, units: pd.DataFrame, census: Census) -> ServiceAreas:
    """Return the unions as unit lists."""
    frame = areas.frame.assign(definition="units")
    nothing = gpd.GeoSeries(np.full(len(frame), None, dtype=object), index=frame.index)
    members = units[["level", "unit_id", "unit_name"]].reset_index(drop=True)
    members.insert(0, "area_id", areas.ids[units["area"].to_numpy(np.int64)])
    return ServiceAreas(
        frame.set_geometry(nothing.set_crs(census.crs)), members, vintage=census.vintage
    )


def cover_areas(
    census: Census, given: FitAreas, units: pd.DataFrame, union: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cover, described, and parents that could not be proven whole.

    Unit lists and units that have no finer unit stand as they are.
    """
    drawn = union[given.drawn[union["area"].to_numpy(np.int64)]]
    made = fewest_units(census, drawn["area"], drawn["atom"], units)
    as_they_are = ~given.drawn[units["area"].to_numpy(np.int64)] | childless(census, units)
    kept = units.loc[as_they_are, ["area", "level", "census_row"]]
    cover = order_units(
        describe_units(census, pd.concat([made.units, kept], ignore_index=True)), census
    )
    return cover, add_names(census, made.stopped)
