"""Write what would come back for an order of a made census: a custom tabulation, from its truth."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.arrays import Floats
from lipgeo.census.census import Census
from lipgeo.facts import fact_table
from lipgeo.files import file_in_one_step, require_free_file
from lipgeo.order.manifest import read_order
from lipgeo.synthetic.census import country_of
from lipgeo.synthetic.people import People
from lipgeo.synthetic.people import people as people_of

__all__ = ["write_delivery"]

#: people below which nothing is released, and nothing of income
_FLOOR, _INCOME_FLOOR = 40, 250
#: name of what is left of immigrants without the recent ones, for shares of it
_OLDER = "older"


def write_delivery(
    census: Census,
    order: str | Path,
    path: str | Path,
    *,
    people: People | None = None,
    seed: int = 1,
    replace: bool = False,
) -> Path:
    """Write a delivery of an order as the Community Data Program sends one (Beyond 20/20 CSV).

    Counts are those of the made people in the very units ordered, rounded at random to base 5;
    small areas are suppressed. Ages, periods and places of birth are drawn as shares, as made
    people have none.

    Parameters
    ----------
    census
        The made census of 2021 the order was built on.
    order
        The order's folder.
    path
        The CSV file to write: areas down, characteristics across.
    people
        Its people, where they are at hand already.
    seed
        Seed of rounding and shares.
    replace
        Whether an earlier delivery of lipgeo gives way; nothing else does.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        The census is not a made one.
    OrderError
        The folder is no order.
    OutputError
        Something stands there, or the file cannot be written.
    """
    require_free_file(path, replace=replace)
    areas = read_order(order).manifest["areas"]
    rng = np.random.default_rng([seed, 26])
    truth = _truth(census, areas, people_of(census) if people is None else people)
    truth[_OLDER] = truth["immigrants"] - truth["recent_immigrants"]
    rows = fact_table("made_delivery")["rows"]
    values = _filled(truth, rows, rng)
    heads, columns = ["Geography"], []
    for row in rows:
        heads.append(" " * row.get("depth", 0) + row["words"])
        columns.append(_printed(values[_name(row)], truth, row, rng))
    half = rng.uniform(0.47, 0.53, len(truth))
    for words, share in (("Men+", half), ("Women+", 1 - half)):
        for at, row in enumerate(row for row in rows if row.get("gender")):
            depth = 2 if at == 0 else 2 + row.get("depth", 0)
            heads.append(" " * depth + (words if at == 0 else row["words"]))
            whole = np.round(values[_name(row)] * share)
            columns.append(_printed(whole, truth, row, rng))
    lines = [
        # consortium, set, custom code and non-response, as its labels are made
        [f"MADE - LIP - {area['custom_id']} ( {rng.uniform(2, 9):.1f}%)", *cells]
        for area, *cells in zip(areas, *columns, strict=True)
    ]
    with (
        file_in_one_step(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        csv.writer(stream).writerows([heads, *lines])
    return Path(path)


def _name(row: dict[str, Any]) -> str:
    return str(row.get("column") or row["name"])


def _truth(census: Census, areas: list[dict[str, Any]], people: People) -> pd.DataFrame:
    """Count the people in the units of each area."""
    blocks = census.units("DB")
    ids = country_of(census).ids["DB"].to_numpy(dtype=object)
    parts = []
    for area in areas:
        inside = pd.Series(data=False, index=blocks.index)
        for level, units in area["units"].items():
            own = blocks.index.to_series() if level == "DB" else blocks[level]
            inside |= own.isin(list(units)).fillna(False).astype(bool)
        held = inside.reindex(ids, fill_value=False).to_numpy(dtype=bool)[people.block]
        group = np.where(held, 0, -1)
        index = pd.Index([area["area_id"]], name="area_id")
        parts.append(people.of_groups(group, index, incomes=True))
    return pd.concat(parts)


def _filled(
    truth: pd.DataFrame, rows: list[dict[str, Any]], rng: np.random.Generator
) -> dict[str, Floats]:
    """Return the value of every row before rounding: shares first, then what they leave."""
    values = {str(name): truth[name].to_numpy(dtype=float) for name in truth}
    for row in rows:
        if "share" in row:
            low, high = row["share"]
            drawn = rng.uniform(low, high, len(truth))
            more = values[row["plus"]] if "plus" in row else 0.0
            values[row["name"]] = np.round(values[row["of"]] * drawn) + more
    for row in rows:
        if "without" in row:
            left = values[row["of"]] - sum(values[one] for one in row["without"])
            values[row["name"]] = np.maximum(left, 0.0)
    return values


def _printed(
    values: Floats, truth: pd.DataFrame, row: dict[str, Any], rng: np.random.Generator
) -> list[str]:
    """Round, suppress and write one row's cells."""
    if row.get("exact"):
        step = row.get("to", 1)
        shown = np.round(values / step) * step
    else:
        low = np.floor(values / 5) * 5
        shown = low + 5 * (rng.random(len(values)) < (values - low) / 5)
    floor = _INCOME_FLOOR if row.get("income") else _FLOOR
    hidden = truth["population"].to_numpy() < floor
    return [
        "x" if gone or np.isnan(one) else f"{one:.0f}"
        for one, gone in zip(shown, hidden, strict=True)
    ]
