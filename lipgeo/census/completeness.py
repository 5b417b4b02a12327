"""Prove which units a census holds whole: ``Completeness``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.arrays import Flags
from lipgeo.census.census import Census
from lipgeo.census.data import Rows
from lipgeo.geography.hierarchy import nests_in

__all__ = ["Completeness"]


class Completeness:
    """Proofs that units are held whole.

    A store may hold an extract: the blocks of one city, and of the province only those. A parent
    unit may stand for its children only when it is proven to have no others. The proof is a
    figure known independently of the children held (``census.data.meta["published"]``):

    * the published number of its finest units equals the number held; or
    * its published population is positive and equals the sum over the finest units held; or
    * it nests, by definition of its level, in a unit so proven; or
    * every province and territory published is so proven: then the whole country is held.

    What cannot be proven counts as not whole.

    Parameters
    ----------
    census
        The census.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.census import Census, MemoryCensus
    >>> from lipgeo.census.completeness import Completeness
    >>> parents = {"CSD": ["3506008"] * 2, "CD": ["3506"] * 2, "PR": ["35"] * 2}
    >>> town = {
    ...     "DA": pd.DataFrame({"unit_id": ["35060001", "35060002"], **parents}),
    ...     "CSD": pd.DataFrame({"unit_id": ["3506008"], "CD": ["3506"], "PR": ["35"]}),
    ...     "CD": pd.DataFrame({"unit_id": ["3506"], "PR": ["35"]}),
    ... }
    >>> known = {"CSD": {"3506008": {"population": 100}}, "CD": {"3506": {"population": 900}}}
    >>> town["DA"]["population"] = [40.0, 60.0]
    >>> proofs = Completeness(Census(MemoryCensus(2021, town, {}, {"published": known})))
    >>> [proofs.proven(level, [0]).item() for level in ("DA", "CSD", "CD")]
    [True, True, False]
    """

    def __init__(self, census: Census) -> None:
        self._census = census
        self._published: Mapping[str, Mapping[str, Mapping[str, Any]]] = census.data.meta.get(
            "published", {}
        )
        self._known: dict[str, npt.NDArray[np.int8]] = {}
        self._country: bool | None = None

    def proven(self, level: str, rows: npt.ArrayLike) -> Flags:
        """Return whether each unit is proven to be held whole.

        Parameters
        ----------
        level
            A level the census holds.
        rows
            Positions in the level; (n,).
        """
        asked = np.asarray(rows, dtype=np.int64)
        if level == self._census.atom_level:
            return np.ones(len(asked), dtype=bool)
        if level not in self._known:
            size = self._census.size(level)
            self._known[level] = np.full(size, -1, dtype=np.int8)
        known = self._known[level]
        open_rows = np.unique(asked[known[asked] < 0])
        if len(open_rows):
            flags = self._by_figures(level, open_rows)
            if not flags.all():
                flags[~flags] = self._by_parents(level, open_rows[~flags])
            if not flags.all() and level != "PR":
                flags |= self._whole_country()
            known[open_rows] = flags
        return np.asarray(known[asked] == 1)

    def _by_figures(self, level: str, rows: Rows) -> Flags:
        figures = self._published.get(level) or {}
        ids = self._census.data.attributes(level, ["unit_id"], rows)["unit_id"]
        records = [figures.get(unit_id) for unit_id in ids]
        # only units of which something is published can be proven by figures
        told = np.array([record is not None for record in records], dtype=bool)
        proven = np.zeros(len(rows), dtype=bool)
        if not told.any():
            return proven
        atom_level = self._census.atom_level
        found = pd.DataFrame([record for record in records if record is not None]).reindex(
            columns=["population", f"{atom_level.lower()}_count"]
        )
        population, count = found.to_numpy(dtype=np.float64, na_value=np.nan).T
        # what is held of them: the number of finest units, and their people
        owner, atom = self._census.atoms(level, rows[told])
        stored = np.bincount(owner, minlength=len(population))
        people = np.zeros(len(population), dtype=np.float64)
        if "population" in self._census.data.columns(atom_level):
            # a reserve that was not enumerated has no population, in the published sum neither
            values = self._census.data.attributes(atom_level, ["population"], atom)["population"]
            weights = np.nan_to_num(values.to_numpy(dtype=np.float64))
            people += np.bincount(owner, weights, minlength=len(population))
        proven[told] = (count == stored) | ((population > 0) & (np.abs(people - population) < 0.5))
        return proven

    def _by_parents(self, level: str, rows: Rows) -> Flags:
        data = self._census.data
        proven = np.zeros(len(rows), dtype=bool)
        columns = set(data.columns(level))
        for parent in nests_in(level, self._census.vintage):
            if parent not in self._census.levels or parent not in columns or proven.all():
                continue
            ids = data.attributes(level, [parent], rows)[parent]
            above = self._census.find_rows(parent, ids)
            has = (above >= 0) & ~proven
            proven[has] = self.proven(parent, above[has])
        return proven

    def _whole_country(self) -> bool:
        if self._country is None:
            provinces = list(self._published.get("PR") or {})
            self._country = False  # until proven: the provinces themselves ask no further
            if provinces and "PR" in self._census.levels:
                found = self._census.find_rows("PR", provinces)
                self._country = bool((found >= 0).all() and self.proven("PR", found).all())
        return self._country
