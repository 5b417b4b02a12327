"""``weight_table``: a census table brought to areas by a crosswalk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import __version__
from lipgeo.areas.faults import finding
from lipgeo.crosswalk import Crosswalk
from lipgeo.errors import TableError
from lipgeo.report import CheckReport, Finding
from lipgeo.tables.calculating import Calculated, calculated
from lipgeo.tables.columns import parts_needed
from lipgeo.tables.estimates import Estimates, Leg, result_frame
from lipgeo.tables.family import Family
from lipgeo.tables.long import AnyTable, LongTable
from lipgeo.tables.outcome import Outcome
from lipgeo.tables.pairs import SLIVER, Pairs
from lipgeo.tables.table import CensusTable
from lipgeo.tables.variables import Variable, asked_for

__all__ = ["weight_table"]

Floats = npt.NDArray[np.float64]

#: the census whose long form was the National Household Survey, voluntary
_VOLUNTARY = 2011
#: share of an area's people that must be observed for a number to be given
MIN_OBSERVED = 0.5
#: variables whose results are worked out at a time: that bounds what is held at once
_RESULTS_AT_A_TIME = 256

Crosswalks = Crosswalk | Mapping[str, Crosswalk]


def weight_table(
    table: AnyTable | Sequence[AnyTable],
    xw: Crosswalks | Sequence[Crosswalks],
    *,
    variables: Sequence[str | Variable] | None = None,
    min_observed: float = MIN_OBSERVED,
    sliver_share: float = SLIVER,
    official: pd.DataFrame | None = None,
) -> Estimates:
    """Bring a census table to areas: each number with bounds and a likely range.

    Parameters
    ----------
    table
        The table, in memory or in long form (:func:`lipgeo.open_table`); or several that share no
        ground (published rows of whole units, and the units
        of the rest), each with its crosswalk.
    xw
        Shares of the table's units in the areas: a fit's ``crosswalk`` (areas as drawn) or its
        ``membership`` (the union of units). Or several by what they share out (``population``,
        ``dwellings`` ...): each variable goes by its own basis, else by the first.
    variables
        What to weight: names in the table or in the dictionary (``immigrants_pct`` is made from
        ``immigrants`` and its denominator), or variables. All that have a rule where not given.
    min_observed
        Share of what an area holds (by the crosswalk's weight) that must be observed; with less,
        the value is missing and the flag ``too_little_observed`` says so.
    sliver_share
        Share of a unit's polygon below which an overlap is an accident of drawing.
    official
        Totals known otherwise: index area ids, columns variables. They change no number;
        :meth:`Estimates.explain` sets them beside.

    Returns
    -------
    Estimates

    Raises
    ------
    TableError
        Table and crosswalk are of different levels or censuses, or share no unit; a variable asked
        for has no rule, is an index, or lacks its denominator; nothing can be weighted.

    Notes
    -----
    *Counts* add: the sum of share times value. Where units were not observed, what the others hold
    is scaled to what the area holds; ``observed_share`` says how much of it was seen.
    *Rates, percentages and averages* are weighted by their own denominators, masked where numerator
    or denominator is missing. *Medians* are interpolated from grouped counts, else only the range
    of the units' own medians is given. An *index* is refused.

    *Certain bounds* are of the published values and hold however straddling units split. Counts:
    the units wholly inside; all units touched. N of D: ``N_in / (D_in + D_str - N_str)`` and
    ``(N_in + N_str) / (D_in + N_str)``. Averages have none. Units not observed widen them by what
    they can hold at most.

    The *likely range* (90 %) adds up what straddling units may split otherwise, learned from
    parents of units (see :mod:`lipgeo.tables.spread`), what was put in for units not observed,
    rounding, and sampling. *Rounding* of base 5 moves a count by 4 at most, with a standard
    deviation of 2. *Sampling*: the standard error of a long-form count is about the square root of
    3 times the count.

    Totals are conserved: targets and remainder hold what the sources hold, to 1e-9, proved on
    every call.

    Examples
    --------
    >>> import pandas as pd, shapely
    >>> from lipgeo import CensusTable, Zones, build_crosswalk, weight_table
    >>> fields = Zones(["a", "b"], shapely.box([0, 2], 0, [2, 4], 2), "EPSG:26917")
    >>> town = Zones(["t"], [shapely.box(1, 0, 4, 2)], "EPSG:26917")
    >>> table = CensusTable(pd.DataFrame({"people": [100, 40]}, index=["a", "b"]),
    ...                     {"people": "count"}, level=None, vintage=None)
    >>> est = weight_table(table, build_crosswalk(fields, town))
    >>> est.frame[["area_id", "value", "lower", "upper"]].to_numpy().tolist()
    [['t', 90.0, 40.0, 140.0]]
    """
    legs = _legs(table, xw, sliver_share)
    variables = [variables] if isinstance(variables, str) else variables
    chosen, notes = _chosen(legs[0].table, variables)
    for leg in legs:
        notes += leg.notes
    areas = legs[0].areas
    for leg in legs[1:]:
        areas = areas.union(leg.areas, sort=False)
    order = {one.name: at for at, one in enumerate(chosen)}
    models: list[pd.DataFrame] = []

    def blocks() -> Iterator[tuple[Sequence[Variable], Outcome]]:
        for done in _calculated(chosen, legs, areas, min_observed):
            models.append(done.model)
            yield done.block

    frame = result_frame(blocks(), areas, order, _listed(legs))
    model = pd.concat(models)
    return Estimates(
        frame=frame,
        legs=legs,
        variables=chosen,
        error_model=model.loc[[one.name for one in chosen]],
        official=_official(official, areas),
        report=CheckReport([*notes, *_said(frame, areas)]),
        meta={
            "min_observed": float(min_observed),
            "sliver_share": float(sliver_share),
            "likely": 0.9,
            "conserved": True,
            "lipgeo": __version__,
        },
    )


# ---------------------------------------------------------------- what is weighted by what


def _legs(
    table: AnyTable | Sequence[AnyTable],
    xw: Crosswalks | Sequence[Crosswalks],
    sliver: float,
) -> list[Leg]:
    tables = list(table) if isinstance(table, Sequence) else [table]
    given = list(xw) if isinstance(xw, Sequence) else [xw]
    wrong = [type(one).__name__ for one in tables if not isinstance(one, CensusTable | LongTable)]
    if wrong:
        raise TableError("tables.not_table", given=wrong)
    if len(tables) != len(given) or not tables:
        raise TableError("tables.not_pairs", tables=len(tables), crosswalks=len(given))
    legs = []
    for one, shares in zip(tables, given, strict=True):
        several = list(shares.values()) if isinstance(shares, Mapping) else [shares]
        if not several or not all(isinstance(each, Crosswalk) for each in several):
            raise TableError("tables.not_crosswalk", given=type(shares).__name__)
        if isinstance(shares, Mapping):
            _require_alike(shares)
        pairs = {each.weight: Pairs.of(each, sliver) for each in several}
        families = {name: Family.of(each, one.parents) for name, each in pairs.items()}
        legs.append(Leg(one, pairs, families, _matched(one, next(iter(pairs.values())))))
    return legs


def _require_alike(shares: Mapping[str, Crosswalk]) -> None:
    """Refuse crosswalks by weight that bear another weight, or share other units to other areas."""
    first = next(iter(shares.values()))
    problems = []
    for name, one in shares.items():
        if one.weight != name:
            problems.append({"key": name, "weight": one.weight, "problem": "weight"})
        same = list(one.quality["target_id"]) == list(first.quality["target_id"])
        if not same or not one.sources.index.equals(first.sources.index):
            problems.append({"key": name, "weight": one.weight, "problem": "units or areas"})
    if problems:
        raise TableError(
            "tables.crosswalks_differ",
            problems,
            weights=[f"{one['key']} ({one['weight']}: {one['problem']})" for one in problems],
        )


def _matched(table: AnyTable, pairs: Pairs) -> list[Finding]:
    """Refuse a table that is not of the crosswalk's units; note the units that differ."""
    xw = pairs.crosswalk
    if table.level is not None and xw.source_level not in (None, table.level):
        raise TableError("tables.other_level_xw", table=table.level, xw=xw.source_level)
    if table.vintage is not None and xw.vintage not in (None, table.vintage):
        raise TableError("tables.other_vintage", table=str(table.vintage), xw=str(xw.vintage))
    known = pairs.sources.get_indexer(table.unit_ids) >= 0
    if not known.any():
        raise TableError(
            "tables.no_unit_shared",
            table=table.unit_ids[:5],
            xw=pairs.sources[:5],
        )
    notes = []
    strangers = table.unit_ids[~known]
    if len(strangers):
        notes.append(
            finding(
                "tables.unknown_units",
                "warning" if len(strangers) > len(table) / 2 else "note",
                "",
                value=float(len(strangers)),
                limit=float(len(table)),
                units=strangers,
                count=len(strangers),
                total=len(table),
            )
        )
    held = table.unit_ids.get_indexer(pairs.sources) >= 0
    absent = pairs.sources[pairs.touched & ~held]
    if len(absent):
        notes.append(
            finding(
                "tables.absent_units",
                "warning",
                "",
                value=float(len(absent)),
                units=absent,
                count=len(absent),
            )
        )
    return notes


def _chosen(
    table: AnyTable, asked: Sequence[str | Variable] | None
) -> tuple[list[Variable], list[Finding]]:
    """Return the variables to weight; refuse those asked for that cannot be, note the others."""
    names = list(table.columns) if asked is None else list(asked)
    held = set(table.columns)
    chosen: dict[str, Variable] = {}
    lacking: dict[str, list[str]] = {"no_rule": [], "no_part": []}
    for name in names:
        one = name if isinstance(name, Variable) else table.variables.get(name)
        if one is None and asked is not None and name not in held:
            one = asked_for(str(name), table.variables, table.vintage)
        if one is None:
            lacking["no_rule"].append(str(name))
        elif asked is None and not held.issuperset(parts_needed(_grouped_if_held(one, held))):
            lacking["no_part"].append(one.name)
        elif asked is not None and one.rule == "index":
            raise TableError("tables.index_asked", [{"variable": one.name}], variables=[one.name])
        else:
            chosen[one.name] = _grouped_if_held(one, held)
    if asked is not None and lacking["no_rule"]:
        rows = [{"variable": name} for name in lacking["no_rule"]]
        raise TableError("tables.no_rule_asked", rows, variables=lacking["no_rule"])
    if not any(one.rule != "index" for one in chosen.values()):
        raise TableError(
            "tables.nothing_to_weight",
            [{"variable": name} for name in names],
            variables=names,
        )
    notes = [
        finding(f"tables.{kind}", "warning", "", value=float(len(which)), variables=which)
        for kind, which in lacking.items()
        if which
    ]
    apart = [
        name
        for name, one in chosen.items()
        if one.rule in ("rate", "percent")
        and one.part
        and one.numerator is None
        and table.greatest(name) > one.per
    ]
    if apart:
        chosen |= {name: replace(chosen[name], part=False) for name in apart}
        notes.append(finding("tables.above_whole", "note", "", variables=apart))
    voluntary = [name for name, one in chosen.items() if one.sampled]
    if table.vintage == _VOLUNTARY and voluntary:
        notes.append(finding("tables.voluntary", "warning", "", variables=voluntary))
    refused = [one.name for one in chosen.values() if one.rule == "index"]
    if refused:
        notes.append(finding("tables.index_refused", "warning", "", variables=refused))
    return list(chosen.values()), notes


def _grouped_if_held(one: Variable, held: set[str]) -> Variable:
    """Return a median without its classes where the table does not hold them all."""
    if one.groups and not held.issuperset(group.variable for group in one.groups):
        return replace(one, groups=())
    return one


def _calculated(
    chosen: Sequence[Variable], legs: Sequence[Leg], areas: pd.Index, min_observed: float
) -> Iterator[Calculated]:
    """Gather and calculate, variables parted by the crosswalks they go by, some at a time."""
    kinds: dict[tuple[str, ...], list[Variable]] = {}
    for one in chosen:
        weights = tuple(leg.pairs_of(one).crosswalk.weight for leg in legs)
        kinds.setdefault(weights, []).append(one)
    at_a_time = min(leg.table.at_a_time for leg in legs)
    for many in kinds.values():
        for start in range(0, len(many), at_a_time):
            chunk = many[start : start + at_a_time]
            gathered = [leg.gather(chunk) for leg in legs]
            for first in range(0, len(chunk), _RESULTS_AT_A_TIME):
                which = slice(first, first + _RESULTS_AT_A_TIME)
                some = [one.some(which) for one in gathered]
                yield calculated(chunk[which], legs, some, areas, min_observed)


def _listed(legs: Sequence[Leg]) -> set[str]:
    """Return the areas that are sets of units in every crosswalk they appear in."""
    drawn: set[str] = set()
    listed: set[str] = set()
    for leg in legs:
        for pairs in leg.pairs.values():
            sets = set(pairs.crosswalk.meta.get("listed", ()))
            listed |= sets
            drawn |= set(pairs.targets) - sets
    return listed - drawn


def _official(official: pd.DataFrame | None, areas: pd.Index) -> pd.DataFrame:
    if official is None:
        return pd.DataFrame(index=areas)
    given = official.set_axis(official.index.astype(str), axis=0)
    strange = given.index.difference(areas)
    if len(strange):
        raise TableError(
            "tables.official_unknown", [{"area_id": one} for one in strange], areas=strange
        )
    return given.reindex(areas)


def _said(frame: pd.DataFrame, areas: pd.Index) -> list[Finding]:
    """Return one finding a flag that the user must see: which areas, how many numbers."""
    found = []
    code, texts = pd.factorize(frame["flag"])
    for flag in ("no_source", "too_little_observed", "partly_observed", "partly_outside"):
        bears = np.array([flag in text.split(";") for text in texts], dtype=bool)
        rows = frame[bears[code]]
        if len(rows):
            which = rows["area_id"].unique()
            found.append(
                finding(
                    f"tables.{flag}",
                    "note" if flag == "partly_outside" else "warning",
                    "",
                    value=float(len(rows)),
                    areas=which,
                    count=len(which),
                    total=len(areas),
                    numbers=len(rows),
                )
            )
    return found
