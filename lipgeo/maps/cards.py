"""Write the card of a shape on a map: rows of words and numbers, in the language in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.report import flag_words
from lipgeo.words import number, say

__all__ = [
    "Cards",
    "area_cards",
    "area_names",
    "context_cards",
    "drawn_cards",
    "estimate_cards",
    "piece_cards",
    "unit_cards",
    "value_text",
]


class Cards:
    """The cards of one layer.

    Attributes
    ----------
    heads
        What the rows of every card are, in order.
    rows
        One list a shape: the text of each row, ``None`` where there is nothing to say.
    """

    def __init__(self, columns: dict[str, Sequence[str | None]]) -> None:
        self.heads = list(columns)
        self.rows = [list(row) for row in zip(*columns.values(), strict=True)]


def _text(values: pd.Series) -> list[str | None]:
    return [None if pd.isna(value) or value == "" else str(value) for value in values]


def _write_values(values: pd.Series, write: Callable[[float], str]) -> list[str | None]:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    unknown = say("maps.missing")
    return [unknown if np.isnan(value) else write(float(value)) for value in numbers]


def _counts(values: pd.Series) -> list[str | None]:
    return _write_values(values, number)


def _shares(values: pd.Series) -> list[str | None]:
    return _write_values(values, lambda share: say("report.percent", share=share))


def _flags(values: pd.Series) -> list[str | None]:
    return [flag_words(text) if isinstance(text, str) and text else None for text in values]


def area_names(frame: pd.DataFrame, labels: pd.Series) -> list[str]:
    """Return what each area is called: its name in the language in force, else its id."""
    return [str(labels.get(area, area)) for area in frame["area_id"]]


def _unit_columns(units: pd.DataFrame, labels: pd.Series) -> dict[str, Sequence[str | None]]:
    codes = units["level"].astype(str) + " " + units["unit_id"].astype(str)
    names = units["unit_name"].mask(units["unit_name"].eq(units["unit_id"]).fillna(False))
    return {
        say("maps.unit"): _text(codes),
        say("maps.name"): _text(names),
        say("maps.area"): area_names(units, labels),
        say("maps.population"): _counts(units["population"]),
        say("maps.share"): _shares(units["share"]),
    }


def unit_cards(units: pd.DataFrame, labels: pd.Series) -> Cards:
    """Return the cards of units in a union."""
    status = {name: say(f"maps.status_{name}") for name in ("inside", "straddling")}
    return Cards(
        {
            **_unit_columns(units, labels),
            say("maps.status"): [status[name] for name in units["status"]],
            say("maps.dwellings"): _counts(units["dwellings"]),
            say("maps.type"): _text(units["unit_type"]),
            say("maps.dguid"): _text(units["dguid"]),
        }
    )


def piece_cards(units: pd.DataFrame, labels: pd.Series) -> Cards:
    """Return the cards of the pieces of units left out."""
    columns = _unit_columns(units, labels)
    return Cards(
        {
            say("maps.left_out_of"): columns.pop(say("maps.area")),
            say("maps.people_left_out"): _counts(units["population"] * units["share"]),
            **columns,
            say("maps.status"): [say("maps.status_left_out")] * len(units),
        }
    )


def area_cards(areas: pd.DataFrame, labels: pd.Series) -> Cards:
    """Return the cards of the unions."""
    kinds = {name: say(f"maps.definition_{name}") for name in ("drawn", "units")}
    return Cards(
        {
            say("maps.area"): area_names(areas, labels),
            say("maps.code"): _text(areas["area_id"]),
            say("maps.population"): _counts(areas["population"]),
            say("maps.misfit"): _shares(areas["misfit_share"]),
            say("maps.units"): _counts(areas["unit_count"]),
            say("maps.people_left_out"): _counts(areas["population_omitted"]),
            say("maps.people_added"): _counts(areas["population_added"]),
            say("maps.definition"): [kinds.get(name) for name in areas["definition"]],
            say("maps.flags"): _flags(areas["flags"]),
        }
    )


def drawn_cards(areas: pd.DataFrame, labels: pd.Series) -> Cards:
    """Return the cards of the areas as drawn: rows of ``b.areas``."""
    return Cards(
        {
            say("maps.layer_drawn"): area_names(areas, labels),
            say("maps.code"): _text(areas["area_id"]),
            say("maps.population_drawn"): _counts(areas["population_drawn"]),
        }
    )


def context_cards(frame: pd.DataFrame) -> Cards:
    """Return the cards of the standard areas around."""
    return Cards(
        {
            say("maps.unit"): _text(frame["level"].astype(str) + " " + frame["unit_id"]),
            say("maps.name"): _text(frame["unit_name"]),
            say("maps.population"): _counts(frame["population"]),
        }
    )


def _decimals(values: pd.DataFrame) -> int:
    largest = float(np.nanmax(np.abs(values.to_numpy(np.float64)), initial=0.0))
    return 0 if largest >= 100 else 1 if largest >= 10 else 2 if largest > 1 else 3


def value_text(estimates: pd.DataFrame) -> Callable[[Any], str]:
    """Return how numbers of one variable are written: as fine as their size asks, percent as %."""
    # of a median only the range may be known
    decimals = _decimals(estimates[["value", "lower", "upper"]])
    percent = "rule" in estimates and estimates["rule"].eq("percent").any()

    def write(value: Any) -> str:
        if pd.isna(value):
            return say("maps.missing")
        if percent:
            return say("maps.percent", value=number(float(value), min(max(decimals, 1), 2)))
        return number(float(value), decimals)

    return write


def _ranges(lower: pd.Series, upper: pd.Series, write: Callable[[Any], str]) -> list[str | None]:
    return [
        None
        if pd.isna(low) and pd.isna(high)
        else say("maps.range", low=write(low), high=write(high))
        for low, high in zip(lower, upper, strict=True)
    ]


def estimate_cards(estimates: pd.DataFrame, labels: pd.Series) -> Cards:
    """Return the cards of one variable's estimates: rows of ``est.frame``."""
    write = value_text(estimates)
    return Cards(
        {
            say("maps.area"): area_names(estimates, labels),
            say("maps.value"): [write(value) for value in estimates["value"]],
            say("maps.likely"): _ranges(
                estimates["likely_lower"], estimates["likely_upper"], write
            ),
            say("maps.certain"): _ranges(estimates["lower"], estimates["upper"], write),
            say("maps.observed"): [
                None if pd.isna(share) else text
                for share, text in zip(
                    estimates["observed_share"], _shares(estimates["observed_share"]), strict=True
                )
            ],
            say("maps.code"): _text(estimates["area_id"]),
            say("maps.flags"): _flags(estimates["flag"]),
        }
    )
