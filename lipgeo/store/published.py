"""Read the published totals that prove a stored parent complete.

They stand in ``boundaries/published_counts.csv``.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import pandas as pd

from lipgeo.errors import FileError
from lipgeo.geography.hierarchy import require_vintage

__all__ = ["TOTALS", "published_facts", "published_totals"]

#: totals a unit may have
TOTALS = ("da_count", "db_count", "population")


def published_totals(vintage: int) -> dict[str, dict[str, dict[str, int]]]:
    """Return what is known from outside the store about units that have children.

    A parent may stand for its children only where the stored children are proved to be all of
    them: their number is the published number, or their population the published one. Numbers of
    dissemination areas are counted in Statistics Canada's correspondence files and are proof.
    Numbers of blocks are proof in 2021; those of 2011 and 2016 are as listed, a little above the
    country's total, so that equality is proof and inequality is none (:func:`published_facts`
    says which is which).

    Parameters
    ----------
    vintage
        Census year.

    Returns
    -------
    dict
        Level code to unit id to a dictionary of what is known among ``da_count``, ``db_count``
        and ``population`` (persons). Empty where nothing is known (2006).

    Raises
    ------
    InputError
        No such census.
    FileError
        The table is not in this installation.

    Examples
    --------
    >>> from lipgeo.store.published import published_totals
    >>> published_totals(2021)["CD"]["3506"]
    {'da_count': 1392, 'db_count': 8559, 'population': 1017449}
    """
    require_vintage(vintage)
    table = published_facts()
    table = table[table["vintage"] == vintage]
    found: dict[str, dict[str, dict[str, int]]] = {}
    for row in table[["level", "unit_id", *TOTALS]].itertuples(index=False):
        known = {
            name: int(value)
            for name, value in zip(TOTALS, row[2:], strict=True)
            if not pd.isna(value)
        }
        found.setdefault(row[0], {})[row[1]] = known
    return found


def published_facts() -> pd.DataFrame:
    """Return the whole table with its sources.

    Returns
    -------
    pandas.DataFrame
        One row a unit and census: ``vintage`` (int), ``level``, ``unit_id`` (text), ``da_count``,
        ``db_count``, ``population`` (Int64, missing where not known), ``source``, ``certainty``.

    Raises
    ------
    FileError
        The table is not in this installation.
    """
    return _table().copy()


@cache
def _table() -> pd.DataFrame:
    path = boundaries() / "published_counts.csv"
    if not path.is_file():
        raise FileError("store.counts.missing", path=str(path))
    types = {"vintage": "int64"} | dict.fromkeys(TOTALS, "Int64")
    texts = dict.fromkeys(("level", "unit_id", "source", "certainty"), "string")
    with path.open("rb") as lines:
        return pd.read_csv(lines, dtype=types | texts)


def boundaries() -> Traversable:
    """Return the folder of facts: in the package when installed, beside it in a checkout."""
    package = resources.files("lipgeo")
    inside = package / "boundaries"
    if inside.is_dir():
        return inside
    return Path(str(package)).parent / "boundaries"
