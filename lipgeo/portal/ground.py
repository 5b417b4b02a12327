"""The ground that areas share: pieces, people in each, and what subtraction would tell.

Realisations of areas are lists of units. Units of all of them are cut into pieces, so that any two
areas are sets of pieces, and a piece is as large as can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lipgeo.arrays import Flags, Floats
from lipgeo.census.census import Census
from lipgeo.geography.floors import floors
from lipgeo.geography.hierarchy import levels, parents_by_id
from lipgeo.order.differencing import Difference, Published, differences

__all__ = ["Ground", "ground_of"]

#: income is told of an area only with as many people
INCOME_PEOPLE = "income_population"


@dataclass(frozen=True)
class Ground:
    """Areas of one census as sets of pieces.

    Attributes
    ----------
    vintage
        Census year.
    cells
        Realisation hash to its pieces.
    people
        People of each piece, missing where unknown.
    fine
        Whether a piece holds blocks.
    apart
        Realisations whose units cannot be held against the others' without a census.
    """

    vintage: str
    cells: Mapping[str, frozenset[int]]
    people: Floats
    fine: Flags
    apart: frozenset[str]

    def same(self, one: str, other: str) -> bool:
        """Whether two realisations are the same ground."""
        return one == other or (
            one in self.cells and other in self.cells and self.cells[one] == self.cells[other]
        )

    def complements(self, hashed: str) -> set[str]:
        """Return the realisations that, with this one, are exactly a third."""
        mine = self.cells.get(hashed)
        if not mine:
            return set()
        rests = {whole - mine for whole in self.cells.values() if mine < whole}
        return {name for name, cells in self.cells.items() if cells in rests}

    def residuals(
        self, areas: Mapping[str, str], *, income: bool = False
    ) -> tuple[list[Difference], list[str]]:
        """Find the small rests that some areas leave of one another.

        Parameters
        ----------
        areas
            Realisation hash to its kind: ``order`` or ``standard``.
        income
            Whether the floor of income holds.

        Returns
        -------
        list of Difference
            Named by hash.
        list of str
            Areas whose search was cut.
        """
        known = floors(int(self.vintage))
        limits = (
            float(known["floor_standard"].value),
            float(known["floor_blocks"].value),
        )
        if income:
            least = float(known[INCOME_PEOPLE].value)
            limits = (least, max(least, limits[1]))
        published = [
            Published(name, kind, self.cells[name])  # type: ignore[arg-type]
            for name, kind in areas.items()
            if self.cells.get(name)
        ]
        # pieces of no dissemination area of their own: each stands for itself
        own = np.full(len(self.people), -1, dtype=np.int64)
        return differences(self.people, self.fine, own, published, limits)


def ground_of(units: pd.DataFrame, vintage: str, census: Census | None = None) -> Ground:
    """Cut the units of all realisations of a census into pieces.

    Parameters
    ----------
    units
        As :attr:`lipgeo.portal.Portal.units`.
    vintage
        Census year.
    census
        Says what units of different levels have in common. Without it blocks are known to lie in
        their dissemination area, and small units in the division and province of their id; areas
        listed at other levels are told as ``apart``.
    """
    here = units[units["vintage"].eq(vintage)]
    if here.empty:
        return Ground(vintage, {}, np.zeros(0), np.zeros(0, dtype=bool), frozenset())
    atoms = _atoms(here, int(vintage), census)
    # atoms that are in exactly the same areas are one piece
    member = atoms.groupby("atom")["realisation_hash"].agg(lambda of: tuple(sorted(set(of))))
    piece, _ = pd.factorize(member)
    facts = atoms.drop_duplicates("atom").set_index("atom").loc[member.index]
    people = facts["population"].groupby(piece).sum(min_count=1).to_numpy(dtype=np.float64)
    fine = facts["fine"].groupby(piece).any().to_numpy(dtype=bool)
    number = pd.Series(piece, index=member.index)
    cells = {
        str(name): frozenset(number[own].tolist())
        for name, own in atoms.groupby("realisation_hash")["atom"]
    }
    listed = here.groupby("realisation_hash")["level"].agg(set)
    apart: set[str] = set()
    if census is None:
        apart = {
            str(name) for name, own in listed.items() if not _comparable(own, listed, int(vintage))
        }
    return Ground(vintage, cells, people, fine, frozenset(apart))


def _comparable(own: set[str], listed: Iterable[set[str]], vintage: int) -> bool:
    """Whether a list's levels can be held against all others by their ids alone."""
    others = set().union(*listed)
    return all(
        one == other or one in parents_by_id(other, vintage) or other in parents_by_id(one, vintage)
        for one in own
        for other in others
    )


def _atoms(here: pd.DataFrame, vintage: int, census: Census | None) -> pd.DataFrame:
    """Return the finest units of each realisation: ``realisation_hash, atom, population, fine``."""
    if census is not None and census.vintage == vintage:
        return _by_census(here, census)
    rows = here.assign(atom=here["level"] + ":" + here["unit_id"])
    rows["fine"] = rows["level"].eq("DB") | rows["share"].lt(1 - 1e-9)
    held = set(rows["level"])
    parts = [rows[["realisation_hash", "atom", "population", "fine"]]]
    # a larger unit holds the smaller ones listed elsewhere, and a rest that nobody lists
    named = {above for one in held for above in parents_by_id(one, vintage)}
    for level in (one for one in reversed(levels(vintage)) if one in named):
        below = [one for one in held if level in parents_by_id(one, vintage)]
        larger = rows[rows["level"].eq(level)]
        if larger.empty or not below:
            continue
        inside = rows[rows["level"].isin(below)].drop_duplicates("atom").copy()
        inside["above"] = [
            unit[parents_by_id(own, vintage)[level]] if level in parents_by_id(own, vintage) else ""
            for own, unit in zip(inside["level"], inside["unit_id"], strict=True)
        ]
        finest = inside[inside["level"].eq(_finest(inside["level"], vintage))]
        joined = larger[["realisation_hash", "atom", "unit_id", "population"]].merge(
            finest[["above", "atom", "population", "fine"]],
            left_on="unit_id",
            right_on="above",
            suffixes=("", "_inside"),
        )
        if joined.empty:
            continue
        parts.append(
            pd.DataFrame(
                {
                    "realisation_hash": joined["realisation_hash"],
                    "atom": joined["atom_inside"],
                    "population": joined["population_inside"],
                    "fine": joined["fine"],
                }
            )
        )
        there = joined.drop_duplicates(["atom", "atom_inside"]).groupby("atom")
        rest = parts[0]["atom"].map(there["population_inside"].sum())
        parts[0] = parts[0].assign(
            population=(parts[0]["population"] - rest.fillna(0))
            .clip(lower=0)
            .where(parts[0]["population"].notna())
        )
    whole = pd.concat(parts, ignore_index=True)
    return whole.drop_duplicates(["realisation_hash", "atom"], ignore_index=True)


def _finest(there: pd.Series, vintage: int) -> str:
    return min(map(str, there.unique()), key=levels(vintage).index)


def _by_census(here: pd.DataFrame, census: Census) -> pd.DataFrame:
    counts = census.counts(census.atom_level)["population"].to_numpy(dtype=np.float64)
    parts = []
    for level, own in here.groupby("level"):
        rows = census.rows(str(level), list(own["unit_id"]))
        at, atom = census.atoms(str(level), rows)
        parts.append(
            pd.DataFrame(
                {
                    "realisation_hash": own["realisation_hash"].to_numpy()[at],
                    "atom": atom,
                    "population": counts[atom],
                    # a block of a unit taken whole is no block that was asked for
                    "fine": str(level) == "DB",
                }
            )
        )
    whole = pd.concat(parts, ignore_index=True)
    return whole.drop_duplicates(["realisation_hash", "atom"], ignore_index=True)
