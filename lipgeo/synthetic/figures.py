"""Make census tables: rounded, suppressed, with symbols, and the truth beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.arrays import Floats
from lipgeo.census.census import Census
from lipgeo.synthetic.census import country_of
from lipgeo.synthetic.people import COUNTED, People
from lipgeo.synthetic.people import people as people_of

__all__ = ["MadeTable", "table"]

#: levels of small areas, whose tables hide small counts of a sample
_SMALL = ("DB", "DA")
#: columns that are published as counted; all others come from the long form
_SHORT = ("population", "dwellings", "households", "official_languages_total", "english_only",
          "french_only", "english_and_french", "neither_language")  # fmt: skip
_EXACT = ("population", "dwellings", "households")
_MONEY = ("median_income", "average_income", "income_recipients", "low_income_total",
          "low_income", "low_income_prevalence")  # fmt: skip


@dataclass(frozen=True, eq=False)
class MadeTable:
    """A census table as published, and what is behind it.

    Attributes
    ----------
    frame
        As published: index ``unit_id`` (text), one column a variable (float64, missing where a
        symbol stands).
    symbols
        What stands in place of a number: ``x``, ``F``, ``..``, ``...``; empty text elsewhere.
        Same index and columns.
    truth
        The same cells before rounding and suppression.
    rules
        Variable to its rule: ``count``, ``percent``, ``median``, ``average``.
    denominators
        Variable to the variable it is weighted by, where it is not a count.
    level, vintage
        Level of the units and census year.
    """

    frame: pd.DataFrame
    symbols: pd.DataFrame
    truth: pd.DataFrame
    rules: dict[str, str]
    denominators: dict[str, str]
    level: str
    vintage: int


def table(
    census: Census,
    level: str = "DA",
    *,
    people: People | None = None,
    incomes: bool = True,
    rounded: bool = True,
    hidden: bool | None = None,
    floors: bool = True,
    suppressed: float = 0.0,
    seed: int = 1,
) -> MadeTable:
    """Tabulate the people of a made census by the units of a level.

    Parameters
    ----------
    census
        A made census.
    level
        Level of the rows.
    people
        Its people, where they are at hand already (:func:`~lipgeo.synthetic.people`).
    incomes
        Whether medians and averages of income are wanted; leave out for a whole country.
    rounded
        Round counts at random to base 5, long-form counts below 10 to 0 or 10, and percentages
        and dollars as published. Population, dwellings and households are never rounded.
    hidden
        Publish long-form counts below 10 as 0, as the tables of small areas of 2021 do, and do not
        round them; by default as the census did.
    floors
        Suppress what Statistics Canada suppresses: characteristics below 40 people, income below
        250 people or 40 households.
    suppressed
        Share of the remaining cells, population and dwellings apart, that lose their number to a
        symbol at random.
    seed
        Seed of rounding and suppression.

    Returns
    -------
    MadeTable
        Units without people have zero counts, and ``...`` for what cannot be told of nobody.
        A reserve that was not enumerated has ``..`` throughout.

    Raises
    ------
    InputError
        The census is not a made one, or has too many people for their incomes.

    Examples
    --------
    >>> from lipgeo import synthetic
    >>> made = synthetic.table(synthetic.census(500), "CSD")
    >>> made.rules["median_income"], made.denominators["average_income"]
    ('median', 'income_recipients')
    """
    level = census.require_level(level)
    persons = people_of(census) if people is None else people
    country = country_of(census)
    group = country.units.of_blocks(level)[persons.block] if level != "FSA" else None
    if group is None:
        group = np.where(persons.cell >= 0, country.units.fsa[persons.cell], -1)
    ids = pd.Index(country.ids[level].to_numpy(dtype=object), name="unit_id")
    truth = persons.of_groups(group, ids, incomes=incomes)
    order = census.data.attributes(level, ["unit_id"])["unit_id"].to_numpy(dtype=object)
    truth = truth.reindex(pd.Index(order, name="unit_id"))
    rng = np.random.default_rng([seed, 23, geography.require_vintage(census.vintage)])
    frame = truth.copy()
    if hidden is None:
        hidden = geography.has_trait(census.vintage, "small_counts_hidden") and level in _SMALL
    if rounded:
        for name in frame.columns:
            frame[name] = _round_values(name, frame[name].to_numpy(), rng, hidden=hidden)
    silent = census.units(level)["population"].isna().to_numpy()
    symbols = _symbols(truth, silent, floors, suppressed, rng)
    frame = frame.mask(symbols != "")
    rules = dict.fromkeys(COUNTED, "count") | {"low_income_prevalence": "percent"}
    denominators = {"low_income_prevalence": "low_income_total"}
    if incomes:
        rules |= {"median_income": "median", "average_income": "average"}
        denominators |= dict.fromkeys(("median_income", "average_income"), "income_recipients")
    return MadeTable(frame, symbols, truth, rules, denominators, level, census.vintage)


def _round_values(name: str, values: Floats, rng: np.random.Generator, *, hidden: bool) -> Floats:
    if name in _EXACT:
        return values
    if name == "low_income_prevalence":
        return np.round(values, 1)
    if name in ("median_income", "average_income"):
        return np.where(values < 100_000, np.round(values / 400) * 400, np.round(values, -3))
    luck = rng.random(len(values))
    if name not in _SHORT:
        small = values < 10
        to_ten = np.where((luck < values / 10) & ~np.bool_(hidden), 10.0, 0.0)
        return np.where(small, to_ten, _to_five(values, luck))
    return _to_five(values, luck)


def _to_five(values: Floats, luck: Floats) -> Floats:
    """Round to base 5, up as often as the remainder is large: on average nothing is lost."""
    down = np.floor(values / 5) * 5
    return np.asarray(np.where(luck < (values - down) / 5, down + 5, down), dtype=np.float64)


def _symbols(
    truth: pd.DataFrame,
    silent: npt.NDArray[np.bool_],
    floors: bool,
    suppressed: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the symbol of each cell, empty where the number stands."""
    population, households = truth["population"].to_numpy(), truth["households"].to_numpy()
    found = np.full(truth.shape, "", dtype=object)
    for column, name in enumerate(truth.columns):
        if name in _EXACT:
            found[silent, column] = ".."
            continue
        luck = rng.random(len(truth))
        kinds = np.array(["x", "F", "..", "..."], dtype=object)
        symbol = kinds[np.minimum(rng.integers(0, 8, len(truth)) // 2, 3)]
        found[:, column] = np.where(luck < suppressed, symbol, "")
        if floors:
            below = (population < 40) & (population > 0)
            if name in _MONEY:
                below |= ((population < 250) | (households < 40)) & (population > 0)
            found[below, column] = "x"
        found[truth[name].isna().to_numpy(), column] = "..."
        found[silent, column] = ".."
    return pd.DataFrame(found, index=truth.index, columns=truth.columns)
