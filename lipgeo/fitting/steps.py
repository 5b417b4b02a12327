"""The steps of a fit: what was asked, the units of drawn areas, the cover."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import geopandas as gpd
import numpy as np
import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.census import Census
from lipgeo.crosswalk import Crosswalk, build_crosswalk
from lipgeo.errors import AreaError, FitError
from lipgeo.fitting.choosing import RULES, Terms
from lipgeo.fitting.chosen import Drawn, atoms_in, childless, mixed_units, ruled_units
from lipgeo.fitting.cover import fewest_units
from lipgeo.fitting.inside import shares_and_inside
from lipgeo.fitting.limits import DEFAULTS, Limits, limits_of
from lipgeo.fitting.optimal import Choice, best_units, pool_of
from lipgeo.fitting.outcome import described, named
from lipgeo.geography import level as level_named
from lipgeo.words import say

__all__ = [
    "OPTIMAL",
    "Asked",
    "By",
    "Fit",
    "Rule",
    "as_lists",
    "asked_of",
    "chosen_best",
    "covered",
    "fitted",
    "ordered",
    "prepared",
    "require_held",
    "require_vintage",
]

Rule = Literal["within", "touching", "majority", "largest", "point", "optimal"]
By = Literal["population", "dwellings", "households", "area"]

_BY = get_args(By)
#: the rule that chooses the units of all areas together
OPTIMAL = "optimal"


@dataclass(frozen=True)
class Asked:
    """The options of a fit, checked."""

    level: str
    rule: str
    by: str
    terms: Terms
    accept: float
    exclusive: bool
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Fit:
    """What fitting drawn areas gave.

    Attributes
    ----------
    chosen
        Their units; columns as in :mod:`lipgeo.fitting.chosen`.
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


def asked_of(
    areas: Any,
    unit: str,
    rule: str,
    by: str,
    terms: Terms,
    *,
    accept: float,
    exclusive: bool,
    optimal: dict[str, Any] | None = None,
) -> Asked:
    """Check the options, all faults in one error; ``optimal`` are those of the optimal rule."""
    if not isinstance(areas, ServiceAreas):
        raise FitError("boundary.not_areas", given=type(areas).__name__)
    level = unit if unit == "mixed" else level_named(unit).code
    faults = []
    rules = [*RULES, OPTIMAL]
    if rule not in rules:
        faults.append(say("boundary.unknown_rule", rule=rule, rules=", ".join(rules)))
    if by not in _BY:
        faults.append(say("boundary.unknown_basis", by=by, known=list(_BY)))
    if level == "mixed" and rule not in ("majority", OPTIMAL):
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
    limits = Limits()
    if rule == OPTIMAL:
        limits = limits_of(areas, by, {**DEFAULTS, **(optimal or {})})
    else:
        _require_other_rule(optimal or {})
    return Asked(level, rule, by, terms, accept, bool(exclusive), limits)


def _require_other_rule(options: dict[str, Any]) -> None:
    """Refuse options of the rule that chooses units together."""
    asked = [name for name, value in options.items() if not _as_default(name, value)]
    if asked:
        raise FitError("boundary.needs_optimal", options=asked, rules=list(RULES))


def _as_default(name: str, value: Any) -> bool:
    if name == "controls":  # a frame is not to be compared
        return value is None
    return bool(value == DEFAULTS[name])


def require_vintage(areas: ServiceAreas, census: Census) -> None:
    """Require unit lists of the census's own year."""
    if areas.vintage not in (None, census.vintage):
        raise AreaError(
            "areas.other_vintage_held", [{"area_id": area} for area in areas.listed],
            came=str(areas.vintage), vintage=str(census.vintage), areas=areas.listed,
        )  # fmt: skip


def require_held(census: Census, asked: Asked) -> None:
    """Require the level, and counts to share by."""
    if asked.level != "mixed":
        census.require_level(asked.level)
    if asked.by == "area" or asked.rule not in ("majority", "largest", OPTIMAL):
        return
    for level in {census.atom_level, asked.level} - {"mixed"}:
        if asked.by in census.data.columns(level):
            counts = census.data.attributes(level, [asked.by])[asked.by]
            if counts.notna().any():
                return
    raise FitError(
        "boundary.no_counts", by=say(f"boundary.by_{asked.by}"), vintage=str(census.vintage)
    )


def fitted(
    census: Census, areas: ServiceAreas, given: Drawn, listed: pd.DataFrame, asked: Asked
) -> Fit:
    """Choose the units of the drawn areas."""
    shares, inside = prepared(census, areas, given, asked)
    if asked.rule == OPTIMAL:
        return chosen_best(census, given, listed, asked, shares=shares, inside=inside)
    if asked.level == "mixed":
        chosen = mixed_units(
            census, inside, given, listed=listed, by=asked.by, accept=asked.accept,
            threshold=asked.terms.threshold, exclusive=asked.exclusive,
        )  # fmt: skip
    else:
        chosen = ruled_units(
            census, asked.level, shares, given, listed=listed, rule=asked.rule,
            terms=asked.terms, exclusive=asked.exclusive,
        )  # fmt: skip
    return Fit(chosen, inside, shares)


def chosen_best(
    census: Census,
    given: Drawn,
    listed: pd.DataFrame,
    asked: Asked,
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


def prepared(
    census: Census, areas: ServiceAreas, given: Drawn, asked: Asked
) -> tuple[Crosswalk, pd.DataFrame]:
    """Return the crosswalk of the level and what lies in the drawn areas, see :class:`Fit`."""
    fine = census.atom_level
    level = fine if asked.level == "mixed" else asked.level
    by = cast("By", asked.by)
    if level == fine:
        shares = build_crosswalk(census.zones(level), areas, weight=by)
        inside = atoms_in(census, shares, given)
    else:
        shares, inside = shares_and_inside(census, level, areas, by)
    lost = areas.drawn.difference(pd.Index(shares.frame["target_id"]), sort=False)
    if len(lost):
        raise AreaError(
            "boundary.no_overlap", [{"area_id": area} for area in lost],
            areas=lost, vintage=str(census.vintage),
        )  # fmt: skip
    return shares, inside


def ordered(units: pd.DataFrame, census: Census) -> pd.DataFrame:
    """Order units by area, level (coarse first) and id."""
    place = units["level"].map({code: -n for n, code in enumerate(census.levels)})
    ordered = units.assign(place=place.astype(np.int64)).sort_values(["area", "place", "unit_id"])
    return ordered.drop(columns="place").reset_index(drop=True)


def as_lists(areas: ServiceAreas, units: pd.DataFrame, census: Census) -> ServiceAreas:
    """Return the unions as unit lists."""
    frame = areas.frame.assign(definition="units")
    nothing = gpd.GeoSeries(np.full(len(frame), None, dtype=object), index=frame.index)
    members = units[["level", "unit_id", "unit_name"]].reset_index(drop=True)
    members.insert(0, "area_id", areas.ids[units["area"].to_numpy(np.int64)])
    return ServiceAreas(
        frame.set_geometry(nothing.set_crs(census.crs)), members, vintage=census.vintage
    )


def covered(
    census: Census, given: Drawn, units: pd.DataFrame, union: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cover, described, and parents that could not be proven whole.

    Unit lists and units that have no finer unit stand as they are.
    """
    fitted = union[given.drawn[union["area"].to_numpy(np.int64)]]
    made = fewest_units(census, fitted["area"], fitted["atom"], units)
    as_they_are = ~given.drawn[units["area"].to_numpy(np.int64)] | childless(census, units)
    kept = units.loc[as_they_are, ["area", "level", "row"]]
    cover = ordered(described(census, pd.concat([made.units, kept], ignore_index=True)), census)
    return cover, named(census, made.stopped)
