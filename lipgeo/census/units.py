"""Find the census row of each unit by its level and id, and the atoms each unit is made of.

A census row is the position of a unit in its level. It is looked up here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from lipgeo.arrays import Ints, Texts

__all__ = ["UnitRows", "find_rows", "rows_by_level", "unit_atoms"]


class _HoldsIds(Protocol):
    """What unit ids are read from: :class:`~lipgeo.census.data.CensusData`."""

    def attributes(self, level: str, columns: Sequence[str]) -> pd.DataFrame: ...


class _HoldsUnits(Protocol):
    """What units and their atoms are looked up in: :class:`~lipgeo.census.census.Census`."""

    def rows(self, level: str, unit_ids: Sequence[str]) -> Ints: ...

    def atoms(self, level: str, rows: Ints) -> tuple[Ints, Ints]: ...


def find_rows(ids: Any, wanted: Any) -> Ints:
    """Return the position of each text among unique ids, -1 where it is missing or none of them.

    Texts that repeat, as those of parents do, are looked for once.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.census.units import find_rows
    >>> find_rows(pd.Series(["a", "b"]), pd.Series(["b", pd.NA, "b", "c"])).tolist()
    [1, -1, 1, -1]
    """
    texts = wanted if hasattr(wanted, "dtype") else pd.Index(wanted, dtype=object)
    code, different = pd.factorize(texts)
    place = pd.Index(ids).get_indexer(pd.Index(different))
    return np.asarray(np.append(place, -1)[code], dtype=np.int64)


class UnitRows:
    """The unit ids of each level and the census row of each id; a level is read when asked for.

    Parameters
    ----------
    data
        The census.
    """

    def __init__(self, data: _HoldsIds) -> None:
        self._data = data
        self._ids: dict[str, Texts] = {}
        self._indexes: dict[str, pd.Index] = {}

    def ids(self, level: str) -> Texts:
        """Return the unit ids of a level in its order, text; not to be changed; (n,)."""
        if level not in self._ids:
            ids = self._data.attributes(level, ["unit_id"])["unit_id"].to_numpy(dtype=object)
            ids.flags.writeable = False
            self._ids[level] = ids
        return self._ids[level]

    def find(self, level: str, unit_ids: Any) -> Ints:
        """Return the census row of each id, -1 where it is missing or no such unit; (n,)."""
        if level not in self._indexes:
            self._indexes[level] = pd.Index(self.ids(level))
        return find_rows(self._indexes[level], unit_ids)


def rows_by_level(census: _HoldsUnits, units: pd.DataFrame) -> Iterator[tuple[str, Ints, Ints]]:
    """Yield each level of some units, the positions of its units among them, their census rows.

    Parameters
    ----------
    census
        The census.
    units
        One row a unit: ``level, unit_id``.

    Raises
    ------
    UnknownUnitError, MissingLevelError
        Units or a level that the census does not hold.
    """
    for level in units["level"].unique():
        these = np.flatnonzero(units["level"].eq(level).to_numpy(dtype=bool))
        ids: Sequence[str] = units["unit_id"].iloc[these].to_numpy(dtype=object)
        yield str(level), these, census.rows(str(level), ids)


def unit_atoms(census: _HoldsUnits, units: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return pairs (position in ``units``, census row of an atom) of units of any levels.

    ``units`` has ``level`` and ``unit_id``; both arrays have one entry a pair, grouped by level.

    Raises
    ------
    UnknownUnitError, MissingLevelError
        Units or a level that the census does not hold.
    """
    owners, atoms = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for level, these, rows in rows_by_level(census, units):
        owner, atom = census.atoms(level, rows)
        owners.append(these[owner])
        atoms.append(atom)
    return np.concatenate(owners), np.concatenate(atoms)
