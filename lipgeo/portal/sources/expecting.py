"""What a delivery is held against: what the order knew, and whether what came fits it.

Two kinds of findings. Structural ones (areas missing, extra or doubled, another order, another
census, cells that cannot be read) are refused, all at once. Those to look at (totals, rows that
look swapped, suppression unlike predicted, parts and wholes, rounding) are accepted row by row by
somebody who signs: predictions are guesses, and reserves, collective dwellings and the North are
known reasons.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.portal.indicators.dictionary import Dictionary
from lipgeo.portal.sources.families import (
    SLACK,
    find_below_nought,
    find_empty_cells,
    find_other_amounts,
    hold_genders,
    hold_parts,
    hold_rounding,
)
from lipgeo.portal.sources.levels import (
    find_exchanged_rows,
    find_rows_out_of_order,
    find_same_everywhere,
    hold_levels,
)
from lipgeo.readers.deliveries import Delivery, plain_words
from lipgeo.report import Finding, Severity, finding

__all__ = [
    "Expected",
    "look_at",
    "look_at_exchanges",
    "look_at_units",
    "other_census",
    "swapped_rows",
]

#: long-form total over population of real custom areas lies within (5th to 95th percentile)
LONG_FORM = (0.90, 1.03)
#: ... for areas of as many people
LONG_FORM_PEOPLE = 500
#: half-width within which a count of everybody is the order's own count
_POPULATION_SHARE = 0.02
_POPULATION_PEOPLE = 15.0
#: standard error of the long-form total over the population, and its middle
_LONG_FORM_MIDDLE, _LONG_FORM_SD = 0.975, 0.035
#: 90 % range in standard errors
_NORMAL = 1.6449
#: squared error beyond which a variable tells no more (heavy tails are no swaps)
_CAP = 16.0
#: gain in fit, in squared errors, from which two rows look swapped
SWAP_GAIN = 12.0
#: standard error of an estimate that says none, and the least of any
_ESTIMATE_SHARE, _LEAST_SHARE = 0.10, 0.02


class Expected:
    """What an order knew of its areas when it was written.

    Parameters
    ----------
    areas
        Of the order's manifest: ``area_id, population, dwellings``.
    estimates
        ``area_id, variable, value`` and, where known, ``likely_lower, likely_upper``.
    suppressed
        ``area_id`` to what was predicted of the table: ``released``, ``suppressed``, ``unknown``.
    """

    def __init__(
        self,
        areas: Sequence[Mapping[str, Any]],
        estimates: pd.DataFrame | None,
        suppressed: Mapping[str, str],
    ) -> None:
        self.ids = [str(area["area_id"]) for area in areas]
        self.population = pd.Series(
            {str(area["area_id"]): _number(area.get("population")) for area in areas}
        )
        self.dwellings = pd.Series(
            {str(area["area_id"]): _number(area.get("dwellings")) for area in areas}
        )
        self.estimates = estimates
        self.suppressed = dict(suppressed)

    def of(self, variable: str) -> tuple[pd.Series, pd.Series] | None:
        """Return the estimate of a variable and its standard error, by area."""
        if self.estimates is None:
            return None
        own = self.estimates[self.estimates["variable"].eq(variable)]
        own = own.drop_duplicates("area_id").set_index("area_id")
        if own.empty:
            return None
        value = own["value"].astype(float)
        error = value.abs() * _ESTIMATE_SHARE
        if {"likely_lower", "likely_upper"} <= set(own.columns):
            width = (own["likely_upper"] - own["likely_lower"]).astype(float) / (2 * _NORMAL)
            error = width.fillna(error)
        return value, np.maximum(error, value.abs() * _LEAST_SHARE)


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)


def other_census(delivery: Delivery, dictionary: Dictionary, vintage: int) -> int | None:
    """Return the census a delivery's words are of, where it is not the order's.

    Only words that one census has and the others do not count: a row's year, a class that moved.
    """
    if delivery.layout == "long":
        return _other_period(delivery, vintage)
    held = {plain_words(one) for one in delivery.rows["words"]}
    people = dictionary.rows[dictionary.rows["code"].eq("population")]
    dated = {
        int(one.census): plain_words(one.words)
        for one in people.itertuples()
        if one.census in one.words
    }
    # the population of the order's census would stand beside that of another
    strange = [year for year, words in dated.items() if words in held and year != vintage]
    if strange and dated.get(vintage) not in held:
        return max(strange)
    by_census: dict[str, set[str]] = {}
    for one in dictionary.rows[dictionary.rows["numerator"].ne("")].itertuples():
        for words in (*one.words.split(" | "), one.heading, one.denominator_words):
            key = plain_words(words)
            # only a year in the words tells one census from another for certain
            if re.search(r"\d{4}", words) and key:
                by_census.setdefault(one.census, set()).add(key)
    score = {}
    for census, keys in by_census.items():
        others = set().union(*(ks for year, ks in by_census.items() if year != census))
        score[int(census)] = len((keys - others) & held)
    mine = score.pop(vintage, 0)
    best = max(score, key=lambda year: score[year], default=None)
    return best if best is not None and score[best] > mine else None


def _other_period(delivery: Delivery, vintage: int) -> int | None:
    """Return the one census year of a long table, where it has one and it is another."""
    column = next((d for d in delivery.dimensions if plain_words(d) in _PERIODS), None)
    if column is None:
        return None
    years = set(delivery.rows[column])
    census = {int(one) for one in years if re.fullmatch(r"(19|20)\d\d", one)}
    known = {year for year in census if year % 5 == 1}
    if len(census) == 1 and known and vintage not in known:
        return known.pop()
    return None


_PERIODS = {"refdate", "perioddereference", "referenceperiod", "year", "annee", "censusyear"}


# ---------------------------------------------------------------------- to look at


def look_at(  # noqa: PLR0917
    delivery: Delivery,
    areas: Sequence[str],
    at: npt.NDArray[np.intp],
    matched: pd.DataFrame,
    expected: Expected,
    names: Mapping[str, str],
    before: pd.DataFrame | None = None,
) -> list[dict[str, Any]]:
    """Find what somebody has to look at before a delivery counts.

    Parameters
    ----------
    delivery
        As read.
    areas
        Area ids that labels were matched to.
    at
        Position of each of them among the delivery's labels.
    matched
        Indicators found among its rows (:func:`~lipgeo.portal.sources.matching.match_rows`).
    expected
        What the order knew.
    names
        Variable of the order's estimates to indicator.
    before
        What the portal has of the areas (:func:`~lipgeo.portal.sources.levels.known_before`).

    Returns
    -------
    list of dict
        ``finding`` (the :class:`~lipgeo.report.Finding`), ``area_id``, ``row`` (line or column of
        the file, 0 for the whole), ``id``: the same when the same file is looked at again.
    """
    values, symbols = delivery.values[at], delivery.symbols[at]
    found: list[dict[str, Any]] = []

    def note(key: str, area: str, row: int = 0, **values: Any) -> None:
        found.append(_to_sign(key, area, row, **values))

    _totals(delivery, areas, values, matched, expected, note)
    _swaps(areas, values, matched, expected, names, note)
    estimates = {code: expected.of(variable) for variable, code in names.items()}
    guesses = {code: one for code, one in estimates.items() if one is not None}
    hold_levels(delivery, areas, values, matched, guesses, before, note)
    find_same_everywhere(delivery, areas, values, note)
    find_rows_out_of_order(delivery, note)
    _suppression(areas, values, symbols, expected, note)
    hold_parts(delivery, areas, values, note)
    hold_genders(delivery, areas, values, note)
    hold_rounding(delivery, areas, values, note)
    find_other_amounts(delivery, values, matched, note)
    find_below_nought(delivery, areas, values, note)
    find_empty_cells(delivery, areas, values, symbols, matched, note)
    return found


def look_at_exchanges(
    delivery: Delivery,
    areas: Sequence[str],
    at: npt.NDArray[np.intp],
    earlier: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Find pairs of rows of one family that look exchanged beside what the portal has of them.

    Takes and returns what :func:`look_at` does; ``earlier`` is of
    :func:`~lipgeo.portal.sources.levels.rows_before`.
    """
    found: list[dict[str, Any]] = []

    def note(key: str, area: str, row: int = 0, **values: Any) -> None:
        found.append(_to_sign(key, area, row, **values))

    find_exchanged_rows(delivery, areas, delivery.values[at], earlier, note)
    return found


def look_at_units(delivery: Delivery, matched: pd.DataFrame) -> list[dict[str, Any]]:
    """Find rows whose cells bear a unit where the indicators made of them have another.

    Takes all that :func:`~lipgeo.portal.sources.matching.match_rows` found; returns what
    :func:`look_at` does. Such indicators are not made.
    """
    rows = sorted({at for several in matched["foreign"] for at in several})
    return [
        _to_sign("portal.unit_unlike", "", int(delivery.rows["place"].iloc[at]),
                 words=delivery.rows["words"].iloc[at], unit=delivery.rows["unit"].iloc[at])
        for at in rows
    ]  # fmt: skip


def _to_sign(key: str, area: str, row: int, **values: Any) -> dict[str, Any]:
    severity: Severity = "warning"
    one = finding(key, severity, area, area=area, row=row, **values)
    mark = f"{one.check}|{area}|{row}|{values.get('other', '')}"
    id = hashlib.sha256(mark.encode("utf-8")).hexdigest()[:10]
    return {"finding": one, "area_id": area, "row": row, "id": id}


def _row_of(matched: pd.DataFrame, indicator: str, part: str = "numerator") -> int | None:
    own = matched[matched["indicator"].eq(indicator) & matched["gender"].eq("total")]
    places = own[part].iloc[0] if len(own) else []
    return int(places[0]) if len(places) == 1 else None


def _totals(  # noqa: PLR0917
    delivery: Delivery,
    areas: Sequence[str],
    values: Any,
    matched: pd.DataFrame,
    expected: Expected,
    note: Any,
) -> None:
    """Hold the population, and the total of the long form, against the order's population."""
    people = expected.population.reindex(areas).to_numpy(dtype=float)
    row = _row_of(matched, "population")
    if row is not None:
        came = values[:, row]
        limit = np.maximum(_POPULATION_SHARE * people, _POPULATION_PEOPLE)
        for one in np.flatnonzero(np.abs(came - people) > limit):
            note("portal.total_unlike", areas[int(one)], int(delivery.rows["place"].iloc[row]),
                 came=float(came[one]), known=float(people[one]))  # fmt: skip
    row = _row_of(matched, "immigrants", "denominator")
    if row is not None:
        came = values[:, row]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = came / people
        wrong = ((share < LONG_FORM[0]) | (share > LONG_FORM[1])) & (people >= LONG_FORM_PEOPLE)
        for one in np.flatnonzero(wrong):
            place = int(delivery.rows["place"].iloc[row])
            note("portal.long_form_unlike", areas[int(one)], place, came=float(came[one]),
                 known=float(people[one]), share=float(share[one]))  # fmt: skip


def evidence_of(
    areas: Sequence[str],
    values: Any,
    matched: pd.DataFrame,
    expected: Expected,
    names: Mapping[str, str],
) -> tuple[Any, Any, Any]:
    """Return what came, what was known and its standard error; areas by variables.

    The first variable is the population, or the total of the long form; then those the order has
    estimates of. Parameters as of :func:`look_at`.
    """
    came, known, error = [], [], []

    def put(one: Any, other: Any, sd: Any) -> None:
        came.append(np.asarray(one, dtype=float))
        known.append(np.asarray(other, dtype=float))
        error.append(np.asarray(sd, dtype=float))

    people = expected.population.reindex(areas).to_numpy(dtype=float)
    row = _row_of(matched, "population")
    if row is not None:
        put(values[:, row], people, np.maximum(0.01 * people, SLACK))
    else:
        row = _row_of(matched, "immigrants", "denominator")
        if row is not None:
            middle = _LONG_FORM_MIDDLE * people
            put(values[:, row], middle, np.maximum(_LONG_FORM_SD * people, 2 * SLACK))
    for variable, code in names.items():
        found = expected.of(variable)
        own = matched[matched["indicator"].eq(code) & matched["gender"].eq("total")]
        if found is None or own.empty or code == "population":
            continue
        tops, bottoms = own["numerator"].iloc[0], own["denominator"].iloc[0]
        top = values[:, tops].sum(axis=1)
        value, sd = (one.reindex(areas).to_numpy(dtype=float) for one in found)
        if bottoms:
            bottom = values[:, bottoms[0]]
            with np.errstate(invalid="ignore", divide="ignore"):
                share = 100 * top / bottom
                # what rounding and the sample do to a percentage of so few
                noise = 100 * np.sqrt(3 * top * np.maximum(bottom - top, 1) / bottom**3)
            put(share, value, np.hypot(sd, np.nan_to_num(noise)))
        else:
            put(top, value, sd)
    if not came:
        empty = np.zeros((len(areas), 0))
        return empty, empty, empty
    return np.column_stack(came), np.column_stack(known), np.column_stack(error)


def swap_gains(
    came: npt.NDArray[np.float64], known: npt.NDArray[np.float64], error: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return how much better each pair of areas fits swapped than as it stands.

    Parameters as of :func:`swapped_rows`; areas by areas, symmetric, in squared standard errors.
    """
    count = len(came)
    cost = np.zeros((count, count))
    for at in range(came.shape[1]):
        with np.errstate(invalid="ignore", divide="ignore"):
            squared = ((came[:, None, at] - known[None, :, at]) / error[None, :, at]) ** 2
        cost += np.minimum(np.nan_to_num(squared, nan=0.0), _CAP)
    own = np.diag(cost)
    gains: npt.NDArray[np.float64] = own[:, None] + own[None, :] - cost - cost.T
    return gains


def swapped_rows(
    came: npt.NDArray[np.float64],
    known: npt.NDArray[np.float64],
    error: npt.NDArray[np.float64],
    gain: float = SWAP_GAIN,
) -> list[tuple[int, int]]:
    """Find pairs of areas whose numbers fit each other's expectations better than their own.

    Parameters
    ----------
    came, known, error
        What came, what was expected and its standard error; areas by variables, missing where
        nothing is known.
    gain
        How much better, in squared standard errors over both areas and all variables.

    Returns
    -------
    list of (int, int)
        Each area in at most one pair, the best fitting pairs first.

    Notes
    -----
    The fit of area ``i``'s numbers to area ``j``'s place is the sum over variables of the squared
    error in standard errors of ``j``, each cut at 16: one variable that is far off in both is no
    evidence of a swap. All pairs are looked at.
    """
    better = swap_gains(came, known, error)
    if len(better) < 2:
        return []
    better[np.tril_indices(len(better))] = -np.inf
    pairs, taken = [], set()
    for flat in np.argsort(-better, axis=None):
        one, other = np.unravel_index(flat, better.shape)
        if better[one, other] < gain:
            break
        if one not in taken and other not in taken:
            taken |= {one, other}
            pairs.append((int(one), int(other)))
    return pairs


def _swaps(  # noqa: PLR0917
    areas: Sequence[str],
    values: Any,
    matched: pd.DataFrame,
    expected: Expected,
    names: Mapping[str, str],
    note: Any,
) -> None:
    came, known, error = evidence_of(areas, values, matched, expected, names)
    for one, other in swapped_rows(came, known, error):
        note("portal.looks_swapped", areas[int(one)], other=areas[int(other)])


def _suppression(
    areas: Sequence[str], values: Any, symbols: Any, expected: Expected, note: Any
) -> None:
    """Hold what is suppressed against what was predicted, both ways."""
    if not values.shape[1]:
        return
    # an area is suppressed where next to nothing of it is told
    hidden = np.isin(symbols, ("x", "F", ".."))
    gone = (hidden | np.isnan(values)).mean(axis=1) > 0.95
    for at, area in enumerate(areas):
        told = expected.suppressed.get(area, "unknown")
        if told == "suppressed" and not gone[at]:
            note("portal.should_be_suppressed", area)
        elif told == "released" and gone[at]:
            note("portal.suppressed_unlike", area)


def signed(
    findings: list[dict[str, Any]], accept: pd.DataFrame | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Part findings into those somebody accepted and those that wait.

    A row of ``accept`` counts with the finding's ``id``, a yes, a name and a reason.
    """
    if accept is None or accept.empty:
        return [], findings
    frame = accept.rename(columns={one: str(one).strip().casefold() for one in accept.columns})
    frame = frame.reindex(columns=["id", "accept", "by", "reason"]).astype("string").fillna("")
    frame = frame.apply(lambda column: column.str.strip())
    yes = frame["accept"].str.casefold().isin(["yes", "y", "oui", "o", "x", "1", "true"])
    done = frame[yes & frame["by"].ne("") & frame["reason"].ne("")].set_index("id")
    accepted, waiting = [], []
    for one in findings:
        if one["id"] in done.index:
            row = done.loc[[one["id"]]].iloc[0]
            accepted.append({**one, "by": str(row["by"]), "reason": str(row["reason"])})
        else:
            waiting.append(one)
    return accepted, waiting


def finding_frame(waiting: list[dict[str, Any]], accepted: list[dict[str, Any]]) -> pd.DataFrame:
    """Return findings as the table that somebody signs, those that wait first."""
    rows = []
    for state, several in (("", waiting), ("yes", accepted)):
        for one in several:
            told: Finding = one["finding"]
            rows.append(
                {
                    "id": one["id"],
                    "check": told.check,
                    "area_id": one["area_id"],
                    "row": one["row"],
                    "message": told.message,
                    "accept": state,
                    "by": one.get("by", ""),
                    "reason": one.get("reason", ""),
                }
            )
    columns = ["id", "check", "area_id", "row", "message", "accept", "by", "reason"]
    return pd.DataFrame(rows, columns=columns)
