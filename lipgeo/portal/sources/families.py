"""Rows of a delivery held against their own family: wholes, parts, men and women, rounding.

Nothing is known here but the delivery itself: what adds up everywhere else adds up here, a row of
noughts has no people below it, a part of a rounded whole is rounded, nobody is counted below
nought, and a cell has something in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.portal.indicators.dictionary import is_rate
from lipgeo.readers.deliveries import Delivery

__all__ = ["SLACK", "find_below_nought", "find_empty_cells", "find_other_amounts", "hold_genders",
           "hold_parts", "hold_rounding"]  # fmt: skip

Floats = npt.NDArray[np.float64]
Note = Callable[..., None]

#: counts are rounded at random to the next 5 up or down
_BASE = 5
#: a count may lie as far from the sum of its parts for each part rounded
SLACK = 5.0
#: men and women may lie as far from everybody: small counts are rounded to 0 or 10
_GENDERS = 4 * SLACK
#: findings of one kind told for one area
_TOLD = 20
#: areas from which something is said of a whole row
_AREAS = 3
#: people in a whole, over all areas, from which none of them in a row is news
_PEOPLE = 2_000.0


def _counts(delivery: Delivery) -> npt.NDArray[np.bool_]:
    """Say which rows count people (or dwellings): no unit, no rate, no median."""
    rows = delivery.rows
    return ~np.array(
        [
            bool(unit) or is_rate(words)
            for unit, words in zip(rows["unit"], rows["words"], strict=True)
        ],
        dtype=bool,
    )


def hold_parts(delivery: Delivery, areas: Sequence[str], values: Floats, note: Note) -> None:
    """Hold parts against their wholes: none is greater, and those that add up elsewhere add up."""
    rows = delivery.rows
    counts = _counts(delivery)
    whole = rows["whole"].to_numpy()
    same = rows["gender"].to_numpy()
    parts = np.flatnonzero((whole >= 0) & counts)
    parts = parts[counts[whole[parts]]]
    over = values[:, parts] - values[:, whole[parts]] > 2 * SLACK
    # a row that is no part where it stands (a sum over others) is above its parent in most areas
    real = np.nan_to_num(over).mean(axis=0) < 0.5 if len(areas) > 2 else np.ones(len(parts), bool)
    wrong: dict[int, list[int]] = {}
    for area, part in zip(*np.nonzero(over & real[None, :]), strict=True):
        wrong.setdefault(int(area), []).append(int(parts[part]))
    for area, several in wrong.items():
        for row in several[:_TOLD]:
            note("portal.part_above_whole", areas[int(area)], int(rows["place"].iloc[row]),
                 words=rows["words"].iloc[row], came=float(values[area, row]),
                 whole=float(values[area, whole[row]]))  # fmt: skip
    for parent in np.unique(whole[parts]):
        own = [p for p in parts[whole[parts] == parent] if same[p] == same[parent]]
        if len(own) < 2:
            continue
        rest = values[:, parent] - values[:, own].sum(axis=1)
        slack = SLACK * (1 + np.sqrt(len(own)))
        fits = np.abs(rest) <= slack
        seen = ~np.isnan(rest)
        if seen.sum() >= 5 and fits[seen].mean() >= 0.9:
            for area in np.flatnonzero(seen & ~fits & (np.abs(rest) > SLACK * (1 + len(own)))):
                note("portal.parts_unlike", areas[int(area)], int(rows["place"].iloc[parent]),
                     words=rows["words"].iloc[parent], came=float(values[area, parent]),
                     rest=float(rest[area]))  # fmt: skip


def hold_genders(delivery: Delivery, areas: Sequence[str], values: Floats, note: Note) -> None:
    """Hold everybody against men and women of the same row: where both are told they add up.

    A row where they do not in most areas is told once: it may bear another row's numbers. Nothing
    is told where they do not add up in most rows, which is a way of counting and no fault.
    """
    fractions = (np.mod(np.nan_to_num(values), 1) != 0).any(axis=0)
    rows = delivery.rows[_counts(delivery) & ~fractions]
    told = [
        {key: int(at) for at, key in rows.loc[rows["gender"].eq(one), "key"].items()}
        for one in ("total", "men", "women")
    ]
    three = np.array(
        [[one[key] for one in told] for key in told[0] if all(key in one for one in told)],
        dtype=int,
    ).reshape(-1, 3)
    rest = values[:, three[:, 0]] - values[:, three[:, 1]] - values[:, three[:, 2]]
    seen = ~np.isnan(rest)
    apart = seen & (np.abs(rest) > _GENDERS)
    most = apart.sum(axis=0) > 0.5 * np.maximum(seen.sum(axis=0), 1)
    if not len(three) or most.mean() > 0.5:
        return
    for one in np.flatnonzero(apart.any(axis=0)):
        row = int(three[one, 0])
        words = str(delivery.rows["words"].iloc[row]).strip()
        place = int(delivery.rows["place"].iloc[row])
        if most[one] and seen[:, one].sum() >= _AREAS:
            note("portal.genders_unlike", "", place, words=words,
                 count=int(apart[:, one].sum()))  # fmt: skip
            continue
        for area in np.flatnonzero(apart[:, one])[:_TOLD]:
            note("portal.genders_unlike_here", areas[int(area)], place,
                 words=words,
                 came=float(values[area, row]), rest=float(rest[area, one]))  # fmt: skip


def hold_rounding(delivery: Delivery, areas: Sequence[str], values: Floats, note: Note) -> None:
    """Find counts that are not rounded as the others are, or are no whole numbers."""
    rows = delivery.rows
    counts = _counts(delivery)
    seen = ~np.isnan(values)
    broken = seen & (np.abs(values - np.round(values)) > 1e-9) & counts[None, :]
    for row in np.flatnonzero(broken.sum(axis=0)):
        share = broken[:, row].sum() / max(seen[:, row].sum(), 1)
        if share > 0.5 and len(areas) > 1:
            note("portal.not_counts", "", int(rows["place"].iloc[row]),
                 words=rows["words"].iloc[row])  # fmt: skip
            continue
        for area in np.flatnonzero(broken[:, row])[:_TOLD]:
            note("portal.not_whole", areas[int(area)], int(rows["place"].iloc[row]),
                 words=rows["words"].iloc[row], came=float(values[area, row]))  # fmt: skip
    odd = seen & counts[None, :] & ~broken & (np.mod(values, _BASE) != 0)
    rounded = 1 - odd.sum() / max((seen & counts[None, :]).sum(), 1)
    by_row = odd.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    if rounded < 0.5:
        # nothing here is rounded: said once
        note("portal.not_rounded", "", 0)
        return
    whole = rows["whole"].to_numpy()
    for row in np.flatnonzero((by_row >= 0.5) & (whole >= 0)):
        # counts of everybody are told to the person; a part of a rounded whole is not
        if seen[:, row].sum() >= _AREAS and by_row[whole[row]] < 0.1 and counts[whole[row]]:
            note("portal.row_not_rounded", "", int(rows["place"].iloc[row]),
                 words=rows["words"].iloc[row])  # fmt: skip
    for row in np.flatnonzero((odd.sum(axis=0) > 0) & (by_row < 0.5)):
        for area in np.flatnonzero(odd[:, row])[:_TOLD]:
            note("portal.rounding_broken", areas[int(area)], int(rows["place"].iloc[row]),
                 words=rows["words"].iloc[row], came=float(values[area, row]))  # fmt: skip


#: what may well be below nought, as its words say it
_BALANCE = re.compile(
    r"\b(?:change|net|nette?s?|growth|balance|difference|variation|croissance|solde|écart)\b",
    re.IGNORECASE,
)


def find_below_nought(delivery: Delivery, areas: Sequence[str], values: Floats, note: Note) -> None:
    """Find numbers below nought; a change or a balance may well be."""
    rows = delivery.rows
    plain = np.array([not _BALANCE.search(words) for words in rows["words"]], dtype=bool)
    # what is missing is not below nought
    below = (np.nan_to_num(values) < 0) & plain[None, :]
    for row in np.flatnonzero(below.any(axis=0)):
        for area in np.flatnonzero(below[:, row])[:_TOLD]:
            note("portal.below_nought", areas[int(area)], int(rows["place"].iloc[row]),
                 words=str(rows["words"].iloc[row]).strip(),
                 came=float(values[area, row]))  # fmt: skip


def find_empty_cells(  # noqa: PLR0917
    delivery: Delivery,
    areas: Sequence[str],
    values: Floats,
    symbols: npt.NDArray[np.object_],
    matched: pd.DataFrame,
    note: Note,
) -> None:
    """Find cells with neither number nor symbol: a file cut short, a column lost.

    An area is told of once where most others have something; a row of nothing at all, which a
    heading may well be, where an indicator is made of it. What a long table has no row of was not
    ordered.
    """
    rows = delivery.rows
    empty = np.isnan(values) & (symbols == "")
    share = empty.mean(axis=0) if len(areas) else np.zeros(values.shape[1])
    lost = empty & (share < 0.5)[None, :]
    for area in np.flatnonzero(lost.any(axis=1)):
        first = int(np.flatnonzero(lost[area])[0])
        note("portal.cells_empty", areas[int(area)], int(rows["place"].iloc[first]),
             words=str(rows["words"].iloc[first]).strip(), count=int(lost[area].sum()))  # fmt: skip
    for row in _rows_used(matched):
        if share[row] >= 0.5:
            note("portal.row_empty", "", int(rows["place"].iloc[row]),
                 words=str(rows["words"].iloc[row]).strip(),
                 count=int(empty[:, row].sum()))  # fmt: skip


def _rows_used(matched: pd.DataFrame) -> list[int]:
    """Return the rows that indicators are made of."""
    return sorted({int(at) for column in ("numerator", "denominator")
                   for several in matched[column] for at in several})  # fmt: skip


#: amounts in thousands or millions, as headings say it
_MULTIPLE = re.compile(
    r"\(\s*(?:[$]?\s*'?000s?|k\s*[$]|[$]\s*k|m\s*[$]|[$]\s*m)\s*[$]?\s*\)"
    r"|\b(?:in|en)\s+(?:[$]\s*)?(?:thousands?|milliers?|millions?)\b|[$]\s*'000"
    r"|\((?:[$]\s*)?(?:thousands?|milliers?|millions?)\b[^)]*\)",
    re.IGNORECASE,
)


def find_other_amounts(
    delivery: Delivery, values: Floats, matched: pd.DataFrame, note: Note
) -> None:
    """Find rows that are not in people or dollars: in thousands, percentages, nought everywhere.

    Parameters
    ----------
    delivery, values, matched
        As in :func:`lipgeo.portal.sources.expecting.look_at`.
    note
        Takes a finding.
    """
    rows = delivery.rows
    for row, words in enumerate(rows["words"]):
        if _MULTIPLE.search(words):
            note("portal.in_thousands", "", int(rows["place"].iloc[row]), words=words.strip())
    for row in _noughts(delivery, values, matched):
        note("portal.nought_everywhere", "", int(rows["place"].iloc[row]),
             words=str(rows["words"].iloc[row]).strip())  # fmt: skip
    for row in _percentages(delivery, values):
        note("portal.percentage_of_whole", "", int(rows["place"].iloc[row]),
             words=str(rows["words"].iloc[row]).strip())  # fmt: skip


def _noughts(delivery: Delivery, values: Floats, matched: pd.DataFrame) -> list[int]:
    """Return rows of noughts alone that cannot be: an indicator's, or with people in a part.

    Rows of a rare language or birthplace may well be so, and nothing is said of them.
    """
    rows = delivery.rows
    seen = ~np.isnan(values)
    none = (seen.sum(axis=0) >= _AREAS) & (np.nan_to_num(values) == 0).all(axis=0)
    whole = rows["whole"].to_numpy()
    held = np.nansum(values, axis=0)
    used = set(_rows_used(matched))
    found = []
    for row in map(int, np.flatnonzero(none)):
        # in one area or two, small counts may well be rounded so
        below = (np.nansum(values[:, whole == row], axis=1) > 2 * SLACK).sum()
        # an indicator's row of nobody, where there are people enough above it
        above = held[whole[row]] if whole[row] >= 0 else held.max(initial=0.0)
        if below > 0.5 * seen[:, row].sum() or (
            row in used and rows["gender"].iloc[row] == "total" and above > _PEOPLE
        ):
            found.append(row)
    return found


def _percentages(delivery: Delivery, values: Floats) -> list[int]:
    """Return rows that make their family add up only if read as percentages of the whole."""
    rows, counts = delivery.rows, _counts(delivery)
    whole, gender = rows["whole"].to_numpy(), rows["gender"].to_numpy()
    found = []
    for parent in np.unique(whole[whole >= 0]):
        own = np.flatnonzero((whole == parent) & counts & (gender == gender[parent]))
        total = values[:, parent]
        large = total >= 40 * _BASE
        if len(own) < 2 or not counts[parent] or large.sum() < _AREAS:
            continue
        rest = total - values[:, own].sum(axis=1)
        for row in own:
            came = values[:, row]
            as_count = rest + came
            # whole percentages, at times of five: to the half of one or of five points
            with np.errstate(invalid="ignore"):
                near = np.abs(as_count - total * came / 100) <= 0.03 * total + SLACK
                far = np.abs(rest) > 0.06 * total + SLACK * (1 + len(own))
                fits = (near & far & (came > 0) & (came <= 100))[large]
            if fits.mean() >= 0.8:
                found.append(int(row))
    return found
