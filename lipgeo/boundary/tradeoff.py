"""Compare what each level, and each weight of the known totals, costs and brings: ``tradeoff``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.boundary.fit import (
    Fit,
    FitOptions,
    build_shares,
    check_options,
    cover_areas,
    fit_drawn,
    order_units,
    require_held,
    require_vintage,
)
from lipgeo.boundary.measures import describe_units, dissolve_units, misfit
from lipgeo.boundary.optimal import best_units, pool_of
from lipgeo.boundary.rules import FitAreas, Terms, atoms_of, units_of_lists
from lipgeo.census.census import Census
from lipgeo.census.data import Measure
from lipgeo.crosswalk.crosswalk import Placement
from lipgeo.errors import MissingLevelError, require_kind
from lipgeo.geography.floors import floor_persons
from lipgeo.geography.hierarchy import levels_for
from lipgeo.report import Card, CheckReport, Shown, finding
from lipgeo.words import say
from lipgeo.zones.dissolve import parts_and_holes

__all__ = ["Tradeoff", "tradeoff"]

_COLUMNS = (
    "level", "rule", "lambda", "unit_count", "misfit_share", "deviation_share", "below_floor",
    "part_count", "areas_in_parts", "empty", "proven",
)  # fmt: skip


class Tradeoff(Shown):
    """What a partnership decides by. Made by :func:`tradeoff`.

    Attributes
    ----------
    frame
        One row a way to fit, RangeIndex: ``level, rule`` (text), ``lambda`` (the weight of the
        known totals; missing for ``majority``), ``unit_count`` (units of all areas),
        ``misfit_share`` ((omitted + added) / population as drawn, over all drawn areas),
        ``deviation_share`` (sum of absolute deviations from the known totals over their sum;
        missing without controls), ``below_floor`` (areas under their confidentiality floor),
        ``part_count`` (parts of all unions together), ``areas_in_parts`` (areas in more parts
        than one), ``empty`` (areas without a unit), ``proven`` (boolean, missing for majority).
    report
        Levels asked for that the census does not hold.
    """

    def __init__(self, frame: pd.DataFrame, report: CheckReport) -> None:
        self.frame = frame
        self.report = report

    def plot(self) -> Any:
        """Return the picture, a matplotlib figure: misfit against deviation, a line a level.

        Without controls, misfit against the number of units.
        """
        # an arrow back, as geopandas has it; the contract lists it by name
        from lipgeo.maps.picture import frontier

        return frontier(self)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        return self._card().text()

    def _card(self) -> Card:
        heads = {name: say(f"boundary.head_{name}") for name in _COLUMNS}
        title = say(
            "boundary.tradeoff_summary", ways=len(self.frame), levels=self.frame["level"].nunique()
        )
        return Card(title, self.frame, heads, shares=("misfit_share", "deviation_share"))


#: what is fitted where nothing is named
_UNITS = (*levels_for("tradeoff"), "mixed")


def tradeoff(
    census: Census,
    areas: ServiceAreas,
    *,
    units: Sequence[str] = _UNITS,
    control_weights: Sequence[float] = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0),
    controls: pd.Series | pd.DataFrame | None = None,
    by: Measure = "population",
    exclusive: bool = False,
    contiguous: bool = False,
    min_share: float = 0.1,
    max_units: int | None = None,
    floor: float | None = None,
    time_limit: float | None = None,
    gap: float = 0.0,
    placement: Placement = "auto",
) -> Tradeoff:
    """Fit areas at several levels, by majority and optimally along the weight of known totals.

    Parameters
    ----------
    census, areas, controls, by, exclusive, contiguous, min_share, max_units, floor, placement
        As for :func:`lipgeo.fit_boundaries`.
    time_limit, gap
        As there, for each fit.
    units
        Levels; those the census does not hold are left out and reported.
    control_weights
        Weights of the totals (lambda); without controls only 0.

    Returns
    -------
    Tradeoff

    Raises
    ------
    FitError, AreaError
        As for :func:`lipgeo.fit_boundaries`.
    MissingLevelError
        The census holds none of the levels.

    Examples
    --------
    >>> from lipgeo import ServiceAreas, synthetic, tradeoff
    >>> census = synthetic.census(blocks=600, seed=3)
    >>> drawn = ServiceAreas.from_frame(synthetic.service_areas(census, 2), id="area_id")
    >>> tradeoff(census, drawn, units=["DA", "DB"]).frame["rule"].tolist()
    ['majority', 'optimal', 'majority', 'optimal']
    """
    together = {
        "contiguous": contiguous, "controls": controls, "min_share": min_share,
        "max_units": max_units, "floor": floor, "time_limit": time_limit, "gap": gap,
    }  # fmt: skip
    require_kind(census, Census, "errors.census", "census")
    weights = list(control_weights) if controls is not None else [0.0]
    asked = {
        unit: check_options(
            areas, unit, "optimal", by, Terms(), accept=0.99, exclusive=exclusive,
            optimal=together, placement=placement,
        )
        for unit in units
    }  # fmt: skip
    for weight in weights:  # all weights are looked at before any work is done
        options = {**together, "control_weight": weight}
        check_options(
            areas, "mixed", "optimal", by, Terms(), accept=0.99, exclusive=exclusive,
            optimal=options,
        )  # fmt: skip
    held = {unit: one for unit, one in asked.items() if one.level in (*census.levels, "mixed")}
    missing = [one.level for unit, one in asked.items() if unit not in held]
    if not held:
        raise MissingLevelError(
            "census.missing_level", level=missing, vintage=census.vintage, held=census.levels
        )
    require_vintage(areas, census)
    rows = [row for one in held.values() for row in _level_rows(census, areas, one, weights)]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    for name in ("level", "rule"):
        frame[name] = frame[name].astype("string")
    frame["lambda"] = frame["lambda"].astype("float64")
    frame["proven"] = frame["proven"].astype("boolean")
    report = []
    if missing:
        report = [
            finding(
                "boundary.not_held", "note", "", levels=missing, vintage=str(census.vintage),
                held=list(census.levels),
            )
        ]  # fmt: skip
    return Tradeoff(frame, CheckReport(report))


def _level_rows(
    census: Census, areas: ServiceAreas, asked: FitOptions, weights: list[float]
) -> list[dict[str, Any]]:
    """Fit at one level; the crosswalk and the candidates are the same for every weight."""
    require_held(census, asked)
    given = FitAreas.of(areas)
    listed = units_of_lists(census, areas)
    shares, inside = build_shares(census, areas, given, asked)
    first = replace(asked, rule="majority")
    fits = [("majority", np.nan, fit_drawn(census, areas, given, listed, first))]
    pool = pool_of(
        census, asked.level, shares.frame, inside, given, listed=listed, by=asked.by,
        accept=asked.accept, exclusive=asked.exclusive, sliver_share=asked.terms.sliver_share,
        limits=asked.limits,
    )  # fmt: skip
    for weight in weights:
        choice = best_units(pool, given, replace(asked.limits, control_weight=float(weight)))
        fits.append(("optimal", float(weight), Fit(choice.units, inside, shares, choice)))
    return [
        {
            "level": asked.level,
            "rule": rule,
            "lambda": weight,
            **_measure_fit(census, given, asked, fit),
            "proven": None if fit.choice is None else fit.choice.meta["proven"],
        }
        for rule, weight, fit in fits
    ]


def _measure_fit(census: Census, given: FitAreas, asked: FitOptions, fit: Fit) -> dict[str, Any]:
    """Measure the drawn areas of one fit."""
    count = len(given.ids)
    units = order_units(describe_units(census, fit.chosen), census)
    union = atoms_of(census, units)
    cover, _ = cover_areas(census, given, units, union)
    measures = misfit(census, fit.inside, union, count)
    people = units.groupby("area")[["population", "dwellings"]].sum().reindex(range(count))
    people = people.fillna(0.0)
    levels = cover.groupby("area")["level"].agg(list).reindex(range(count))
    floors = [
        floor_persons(found if isinstance(found, list) else [], census.vintage).value
        for found in levels
    ]
    parts = parts_and_holes(dissolve_units(census, units, given.ids).geometry)[0][given.drawn]
    wrong = measures["population_omitted"].sum() + measures["population_added"].sum()
    drawn = float(measures["population_drawn"].sum())
    return {
        "unit_count": len(units),
        "misfit_share": float(wrong / drawn) if drawn > 0 else np.nan,
        "deviation_share": _deviation(fit, people, asked, given),
        "below_floor": int((people["population"].to_numpy() < floors)[given.drawn].sum()),
        "part_count": int(parts.sum()),
        "areas_in_parts": int((parts > 1).sum()),
        "empty": int((~np.isin(np.arange(count), units["area"]) & given.drawn).sum()),
    }


def _deviation(fit: Fit, people: pd.DataFrame, asked: FitOptions, given: FitAreas) -> float:
    controls = asked.limits.controls
    if fit.choice is not None:
        first = next(iter(fit.choice.meta["deviation"].values()), None)
        return first["sum"] / first["of"] if first and first["of"] > 0 else np.nan
    name = next(iter(controls.columns), None)
    if name not in people:
        return np.nan
    known = controls[name].where(given.drawn)
    off = (people[name] - known).abs().sum()
    return float(off / known.sum()) if known.sum() > 0 else np.nan
