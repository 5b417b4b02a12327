"""Mixed levels: take a coarse unit that fits whole, drop one that hardly meets, open the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.census import CHAIN, Census, Rows
from lipgeo.census.completeness import Completeness
from lipgeo.census.data import located
from lipgeo.crosswalk.amounts import planar_area
from lipgeo.crosswalk.shares import CHAINS

__all__ = ["Basis", "descend"]

Floats = npt.NDArray[np.float64]

_TIE = 1e-9


class Basis:
    """Shares of units of any level in drawn areas, summed from their finest units.

    Parameters
    ----------
    census
        The census.
    inside
        ``area`` (position), ``atom`` (row of the finest level), ``share`` of its surface inside.
    by
        ``population``, ``dwellings``, ``households`` or ``area``. A unit that holds none of it
        is shared by dwellings, else by the area of its polygons.
    """

    def __init__(self, census: Census, inside: pd.DataFrame, by: str) -> None:
        self._census = census
        self._names = (*CHAINS.get(by, ()), "area")
        self.area = inside["area"].to_numpy(np.int64)
        self.atom = inside["atom"].to_numpy(np.int64)
        self.inside = inside["share"].to_numpy(np.float64)

    @cached_property
    def of_area(self) -> Floats:
        """Share of each area that lies in each atom, by the basis; by pair."""
        result = np.zeros(len(self.area))
        left = np.ones(len(self.area), dtype=bool)
        atoms, back = np.unique(self.atom, return_inverse=True)
        for amount in self._weights(atoms).values():
            held = np.nan_to_num(amount)[back] * self.inside
            total = np.bincount(self.area, held, minlength=1)[self.area]
            use = left & (total > 0)
            result[use] = held[use] / total[use]
            left &= ~use
        return result

    def shares(self, level: str, area: Rows, row: Rows) -> tuple[Floats, Floats]:
        """Return the share of each unit in each area, by the basis and by area; (n,) each."""
        units, back = np.unique(row, return_inverse=True)
        owner, atom = self._census.atoms(level, units)
        span = len(units)
        amounts = self._weights(atom)
        # pairs of the areas as drawn, brought to the units asked for
        order = np.argsort(atom, kind="stable")
        at = np.searchsorted(atom[order], self.atom)
        at = np.minimum(at, max(len(atom) - 1, 0))
        ours = np.flatnonzero(atom[order][at] == self.atom) if len(atom) else np.arange(0)
        place = order[at[ours]]
        key = self.area[ours] * span + owner[place]
        keys, group = np.unique(key, return_inverse=True)
        wanted = area * span + back
        found = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        met = (keys[found] == wanted) if len(keys) else np.zeros(len(wanted), dtype=bool)
        result = np.full(len(wanted), np.nan)
        for amount in amounts.values():
            total = np.bincount(owner, np.nan_to_num(amount), minlength=span)
            part = np.bincount(
                group, np.nan_to_num(amount)[place] * self.inside[ours], minlength=len(keys)
            )
            share = np.zeros(len(wanted))
            share[met] = part[found[met]]
            with np.errstate(divide="ignore", invalid="ignore"):
                share = share / total[back]
            # as for shares of one level: a basis that misses the count of some block is passed over
            known = np.bincount(owner, np.isnan(amount), minlength=span)[back] == 0
            result = np.where(np.isnan(result) & known, share, result)
            by_area = share  # the last is by area
        return np.nan_to_num(result), np.nan_to_num(by_area)

    def _weights(self, atom: Rows) -> dict[str, Floats]:
        data, level = self._census.data, self._census.atom_level
        held = [name for name in self._names if name in data.columns(level)]
        frame = data.attributes(level, held, atom)
        weights = {name: frame[name].to_numpy(np.float64, na_value=np.nan) for name in held}
        weights["area"] = np.nan_to_num(planar_area(self._census.zones(level), atom))
        return weights


@dataclass(frozen=True)
class _Open:
    """Pairs of area and atom not yet decided."""

    area: Rows
    atom: Rows
    of_area: Floats


def descend(census: Census, basis: Basis, *, accept: float, threshold: float) -> pd.DataFrame:
    """Return the units of each area, from coarse to fine along PR, CD, CSD, DA, DB.

    A unit that is proven whole is taken when its share is at least ``accept``. One is dropped
    when its share is at most ``1 - accept`` and so is that part's share of the area: a
    neighbourhood is less than a hundredth of its city and must not be dropped with it. Else the
    unit is opened. Units of the finest level are taken when their share is at least ``threshold``.

    Returns
    -------
    pandas.DataFrame
        ``area`` (position), ``level``, ``row``, ``share``, ``area_share``.
    """
    finest = census.atom_level
    columns = census.data.columns(finest)
    levels = [code for code in CHAIN if code in census.levels and code in columns]
    proofs = Completeness(census)
    left = _Open(basis.area, basis.atom, basis.of_area)
    taken = []
    for level in [code for code in levels if code != finest]:
        ids = census.data.attributes(level, ["unit_id"])["unit_id"]
        rows, back = np.unique(left.atom, return_inverse=True)
        parents = census.data.attributes(finest, [level], rows)[level]
        parent = located(ids, parents)[back]
        has = parent >= 0
        span = max(len(ids), 1)
        keys, group = np.unique(left.area[has] * span + parent[has], return_inverse=True)
        area, row = np.divmod(keys, span)
        share, area_share = basis.shares(level, area, row)
        enough = share >= accept - _TIE
        enough[enough] = proofs.proven(level, row[enough])
        of_area = np.bincount(group, left.of_area[has], minlength=len(keys))
        little = np.maximum(share, of_area) <= 1 - accept + _TIE
        taken.append(_table(area, level, row, share, area_share)[enough])
        settled = np.isin(left.area * span + parent, keys[enough | little]) & has
        left = _Open(left.area[~settled], left.atom[~settled], left.of_area[~settled])
    share, area_share = basis.shares(finest, left.area, left.atom)
    enough = share >= threshold - _TIE
    taken.append(_table(left.area, finest, left.atom, share, area_share)[enough])
    return pd.concat(taken, ignore_index=True)


def _table(area: Rows, level: str, row: Rows, share: Floats, area_share: Floats) -> pd.DataFrame:
    return pd.DataFrame(
        {"area": area, "level": level, "row": row, "share": share, "area_share": area_share}
    )
