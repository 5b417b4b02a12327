"""Look up confidentiality floors, and class an area by the units it is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from lipgeo.errors import InputError
from lipgeo.geography.hierarchy import Fact, facts, level, require_vintage

__all__ = [
    "Classification",
    "classify",
    "floor_persons",
    "floor_universes",
    "floors",
    "floors_of_universe",
]

Classification = Literal["standard", "semi-custom", "custom"]


def floors(vintage: int) -> dict[str, Fact]:
    """Return the confidentiality floors of a census and how sure they are.

    Returns
    -------
    dict
        ``floor_standard`` (persons, unions of standard units), ``floor_blocks`` (persons, areas
        built of blocks or drawn freely), ``income_population`` and ``income_households`` (income
        is released only at or above both).

    Examples
    --------
    >>> from lipgeo.geography import floors
    >>> floors(2016)["floor_blocks"]
    Fact(value=100, counts='persons', certainty='verified')
    >>> floors(2021)["floor_blocks"].certainty
    'carried forward'
    """
    year = str(require_vintage(vintage))
    return {
        name: Fact(row["value"], row["counts"], row["certainty"][year])
        for name, row in facts()["floors"].items()
    }


def floor_universes() -> tuple[str, ...]:
    """Return the universes of tables that have floors of their own.

    Examples
    --------
    >>> from lipgeo.geography.floors import floor_universes
    >>> floor_universes()
    ('income',)
    """
    rows = facts()["floors"].values()
    return tuple(dict.fromkeys(row["universe"] for row in rows if "universe" in row))


def floors_of_universe(universe: str, vintage: int) -> dict[str, Fact]:
    """Return the floors that tables of one universe are held against beside those of the area.

    Examples
    --------
    >>> from lipgeo.geography.floors import floors_of_universe
    >>> [(name, fact.value) for name, fact in floors_of_universe("income", 2021).items()]
    [('income_population', 250), ('income_households', 40)]
    """
    known = floors(vintage)
    rows = facts()["floors"].items()
    return {name: known[name] for name, row in rows if row.get("universe") == universe}


def floor_persons(unit_levels: Iterable[str], vintage: int) -> Fact:
    """Return the floor for an area made of units of these levels: 40, or 100 with blocks."""
    name = "floor_blocks" if "DB" in set(unit_levels) else "floor_standard"
    return floors(vintage)[name]


def classify(unit_levels: Iterable[str]) -> Classification:
    """Say what an area is by the levels of the units it is exactly, one entry a unit.

    ``standard`` is one standard unit, ``semi-custom`` a union of standard units, ``custom`` an
    area that needs blocks (a block has the floor of a drawn shape, so one block alone is custom).

    Examples
    --------
    >>> from lipgeo.geography import classify
    >>> classify(["CSD"]), classify(["CSD", "DPL"]), classify(["CSD", "DB"])
    ('standard', 'semi-custom', 'custom')
    """
    given = [level(name).code for name in unit_levels]
    if not given:
        raise InputError("geography.classify_nothing")
    if "DB" in given:
        return "custom"
    return "standard" if len(given) == 1 else "semi-custom"
