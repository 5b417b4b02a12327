"""``Levels``: the levels of a census while they are put together, and who lies in whom."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.census.data import COUNTS, MEASURES, Rows
from lipgeo.store.findings import Check

__all__ = ["FLAG", "NUMBERS", "Columns", "Levels", "empty", "values_of"]

FLAG = "incomplete_reserve"
NUMBERS = (*COUNTS, *MEASURES)

#: a level in work: ``unit_id`` and its columns; text columns hold ``None`` where missing
Columns = dict[str, npt.NDArray[Any]]


class Levels:
    """Levels in work.

    Attributes
    ----------
    vintage
        Census year.
    order
        Every level there can be, finest first.
    tables
        Level to its columns, in no order that matters.
    checks
        What was found on the way.
    """

    def __init__(self, vintage: int) -> None:
        self.vintage = vintage
        self.order: Sequence[str] = geography.levels(vintage)
        self.tables: dict[str, Columns] = {}
        self.checks: list[Check] = []
        self._links: dict[tuple[str, str], Rows] = {}

    def held(self) -> list[str]:
        """Return the levels that hold units, finest first."""
        return [level for level in self.order if level in self.tables]

    @cached_property
    def finest(self) -> str:
        """The finest level that holds units."""
        return self.held()[0]

    def finer(self, level: str) -> list[str]:
        """Return the levels before a level, finest first."""
        return self.held()[: self.held().index(level)]

    def above(self, level: str) -> Sequence[str]:
        """Return the levels that can be parents of a level."""
        return self.order[self.order.index(level) + 1 :]

    def parents(self, level: str) -> list[str]:
        """Return the parent columns of a level, finest first."""
        return [other for other in self.order if other in self.tables[level]]

    def size(self, level: str) -> int:
        """Return how many units a level holds."""
        return len(self.tables[level]["unit_id"])

    def link(self, child: str, parent: str) -> Rows:
        """Return, for each unit of ``child``, the row of its ``parent``; -1 where it has none."""
        if (child, parent) not in self._links:
            ids = pd.Index(self.tables[parent]["unit_id"], dtype=object)
            named = pd.Index(self.tables[child][parent], dtype=object)
            rows = np.where(named.isna(), -1, ids.get_indexer(named))
            self._links[child, parent] = rows.astype(np.int64)
        return self._links[child, parent]

    def set_parent(self, child: str, parent: str, ids: npt.NDArray[np.object_]) -> None:
        """Say in which units of ``parent`` the units of ``child`` lie."""
        self.tables[child][parent] = ids
        self._links.pop((child, parent), None)


def empty(name: str, size: int) -> npt.NDArray[Any]:
    """Return a column that says nothing yet."""
    if name in NUMBERS:
        return np.full(size, np.nan)
    return np.zeros(size, dtype=bool) if name == FLAG else np.full(size, None, dtype=object)


def values_of(name: str, values: pd.Series) -> npt.NDArray[Any]:
    """Return a column of a frame as it stands in :data:`Columns`."""
    if name in NUMBERS:
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if name == FLAG:
        return np.asarray(values.fillna(False).to_numpy(dtype=bool))
    return np.asarray(values.to_numpy(dtype=object, na_value=None))
