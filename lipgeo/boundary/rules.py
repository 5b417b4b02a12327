"""Choose the census units of each area: by a fitting rule, across levels, or as listed.

Adding a fitting rule is one entry in :data:`RULES`, and its sentence ``rule_NAME`` in
``words/boundary.toml``: the command line, the checks and the order take it from there.

Units chosen are a frame with one row a pair of area and unit: ``area`` (position), ``level``,
``census_row`` (row of the unit in its level), ``share`` (of the unit in the area, by the measure
asked for) and ``area_share`` (by area of the polygons).

With ``unit="mixed"`` the levels are gone through from coarse to fine: a unit that fits whole is
taken, one that hardly meets the area is dropped, the rest are opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import shapely

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.arrays import Flags, Floats, Ints, Shapes
from lipgeo.boundary.cover import fewest_units
from lipgeo.census.census import Census
from lipgeo.census.completeness import Completeness
from lipgeo.census.data import CHAIN, Rows
from lipgeo.census.units import find_rows
from lipgeo.crosswalk.crosswalk import Crosswalk
from lipgeo.crosswalk.inputs import planar_area, points_of
from lipgeo.crosswalk.shares import CHAINS

__all__ = [
    "RULES",
    "AtomShares",
    "Candidates",
    "FitAreas",
    "FittingRule",
    "Terms",
    "atoms_in",
    "atoms_of",
    "childless",
    "descend",
    "exclusive_pairs",
    "units_across_levels",
    "units_by_rule",
    "units_left_out",
    "units_of_lists",
]

#: shares closer than this are equal: they come from polygons cut in floating point
_TIE = 1e-9


# ------------------------------------------------------------------- what rules are given


@dataclass(frozen=True)
class FitAreas:
    """What rules need to know of the areas, all of them, by position.

    Attributes
    ----------
    ids
        Area ids.
    drawn
        Which are drawn (the others are unit lists); (n,).
    rank
        Place of each id among the sorted ids: ties between areas go to the lower; (n,).
    outlines
        Outlines in EPSG:3347, ``None`` for unit lists; (n,).
    """

    ids: pd.Index
    drawn: Flags
    rank: Ints
    outlines: Shapes

    @classmethod
    def of(cls, areas: ServiceAreas) -> FitAreas:
        """Take them from service areas."""
        ids = areas.ids
        rank = np.empty(len(ids), dtype=np.int64)
        by_id = np.argsort(ids.to_numpy(dtype=object).astype(str), kind="stable")
        rank[by_id] = np.arange(len(ids))
        drawn = areas.frame["definition"].eq("drawn").to_numpy(dtype=bool)
        return cls(ids, drawn, rank, areas.frame.geometry.to_numpy())


@dataclass(frozen=True)
class Terms:
    """What a rule is held to.

    Attributes
    ----------
    threshold
        Least share for ``majority``.
    sliver_share
        Share of a unit's polygon below which an overlap is an accident of drawing.
    """

    threshold: float = 0.5
    sliver_share: float = 0.005


@dataclass(frozen=True)
class Candidates:
    """Units that meet drawn areas, one entry a pair of unit and area.

    Attributes
    ----------
    unit
        Row of the unit in its level; (n,).
    area
        Position of the area; ties go to the lower one, so areas stand in the order of their ids;
        (n,).
    share
        Share of the unit in the area by the measure asked for (population, dwellings, households,
        area); (n,).
    area_share
        The same by area of the polygons; (n,).
    rival
        The largest share by that measure that any other area, or the outside of all, has of the
        unit; (n,).
    x, y
        Representative point of the unit, EPSG:3347 metres, NaN where it has none; (n,).
    outlines
        The areas as drawn, EPSG:3347, by position; (areas,).
    """

    unit: Rows
    area: Ints
    share: Floats
    area_share: Floats
    rival: Floats
    x: Floats
    y: Floats
    outlines: Shapes


# ------------------------------------------------------------------- the rules


def _admit_within(candidates: Candidates, terms: Terms) -> Flags:
    """Admit a unit that lies in the area, but for slivers."""
    return np.asarray(candidates.area_share >= 1 - max(terms.sliver_share, _TIE))


def _admit_touching(candidates: Candidates, terms: Terms) -> Flags:
    """Admit a unit of which more than a sliver lies in the area."""
    return np.asarray(candidates.area_share > terms.sliver_share)


def _admit_majority(candidates: Candidates, terms: Terms) -> Flags:
    """Admit a unit of which at least ``threshold`` lies in the area, by the measure."""
    return np.asarray(candidates.share >= terms.threshold - _TIE)


def _admit_largest(candidates: Candidates, terms: Terms) -> Flags:
    """Admit a unit of which no other area, nor the outside, has more; equals are all in."""
    found = (candidates.share > 0) & (candidates.share >= candidates.rival - _TIE)
    return np.asarray(found)


def _admit_point(candidates: Candidates, terms: Terms) -> Flags:
    """Admit a unit whose representative point is in the area or on its edge."""
    outlines = candidates.outlines
    shapely.prepare(outlines)
    inside = np.zeros(len(candidates.unit), dtype=bool)
    known = ~(np.isnan(candidates.x) | np.isnan(candidates.y))
    inside[known] = shapely.intersects_xy(
        outlines[candidates.area[known]], candidates.x[known], candidates.y[known]
    )
    return inside


@dataclass(frozen=True)
class FittingRule:
    """How a rule chooses units.

    Attributes
    ----------
    admit
        Which pairs of unit and area it takes, each pair by itself; (n,). ``None`` where the units
        of all areas are chosen together (:mod:`lipgeo.boundary.optimal`).
    by_measure
        Whether it looks at shares by the measure asked for: then the census must have counts.
    across_levels
        Whether it can choose among units of several levels (``unit="mixed"``).
    needs_points
        Whether it looks at representative points.
    """

    admit: Callable[[Candidates, Terms], Flags] | None
    by_measure: bool = False
    across_levels: bool = False
    needs_points: bool = False

    @property
    def together(self) -> bool:
        """Whether the units of all areas are chosen together."""
        return self.admit is None


#: the fitting rules by name
RULES: Mapping[str, FittingRule] = {
    "within": FittingRule(_admit_within),
    "touching": FittingRule(_admit_touching),
    "majority": FittingRule(_admit_majority, by_measure=True, across_levels=True),
    "largest": FittingRule(_admit_largest, by_measure=True),
    "point": FittingRule(_admit_point, needs_points=True),
    "optimal": FittingRule(None, by_measure=True, across_levels=True),
}


# ------------------------------------------------------------------- units of lists, and by a rule


def units_of_lists(census: Census, areas: ServiceAreas) -> pd.DataFrame:
    """Return the units of the unit-list areas, as listed; shares 1."""
    units = areas.units
    census_row = np.zeros(len(units), dtype=np.int64)
    for level in units["level"].unique():
        these = units["level"].eq(level).to_numpy()
        census_row[these] = census.rows(
            str(level), units.loc[these, "unit_id"].to_numpy(dtype=object)
        )
    area = np.asarray(areas.ids.get_indexer(units["area_id"]), dtype=np.int64)
    ones = np.ones(len(units))
    return _choice(area, units["level"].to_numpy(dtype=object), census_row, ones, ones)


def _choice(
    area: Ints, level: object, census_row: Rows, share: Floats, area_share: Floats
) -> pd.DataFrame:
    """Return units chosen as a frame; columns as at the head of this file."""
    return pd.DataFrame(
        {
            "area": area,
            "level": level,
            "census_row": census_row,
            "share": share,
            "area_share": area_share,
        }
    )


def units_by_rule(
    census: Census,
    level: str,
    shares: Crosswalk,
    areas: FitAreas,
    *,
    listed: pd.DataFrame,
    rule: str,
    terms: Terms,
    exclusive: bool,
) -> pd.DataFrame:
    """Return the units of one level that a rule admits to the drawn areas.

    Parameters
    ----------
    census, level, shares
        The units and their shares in all areas.
    areas
        The areas.
    listed
        Units of the unit-list areas: with ``exclusive`` no admitted unit may meet them.
    rule, terms
        A name in :data:`RULES` that admits each pair by itself, and what it is held to.
    exclusive
        Whether a unit may be in one area only.

    Returns
    -------
    pandas.DataFrame
        Columns as at the head of this file.
    """
    chosen_by = RULES[rule]
    assert chosen_by.admit is not None
    row, area, candidates = _candidates(census, level, shares, areas, points=chosen_by.needs_points)
    keep = chosen_by.admit(candidates, terms)
    if exclusive:
        # units of lists stay theirs; of the drawn areas the largest share wins
        taken = atoms_of(census, listed)["atom"].to_numpy(np.int64)
        keep &= ~np.isin(row, _units_holding(census, level, taken))
        admitted = np.flatnonzero(keep)
        stays = exclusive_pairs(
            row[admitted], areas.rank[area[admitted]], candidates.share[admitted]
        )
        keep[admitted[~stays]] = False
    return _choice(
        area[keep], level, row[keep], candidates.share[keep], candidates.area_share[keep]
    )


def _candidates(
    census: Census, level: str, shares: Crosswalk, areas: FitAreas, *, points: bool
) -> tuple[Rows, Ints, Candidates]:
    """Return the census row and the area (by position) of each candidate, and the candidates."""
    pairs = shares.frame
    row = census.rows(level, pairs["source_id"].to_numpy(dtype=object))
    area = np.asarray(areas.ids.get_indexer(pairs["target_id"]), dtype=np.int64)
    share = pairs["share"].to_numpy(np.float64)
    # a unit's rival may be a list or the outside, so it is looked for among all pairs
    outside = shares.remainder.set_index("source_id")["share"]
    rival = np.maximum(
        _best_of_others(row, share), outside.reindex(pairs["source_id"]).to_numpy(np.float64)
    )
    # only drawn areas are fitted
    here = areas.drawn[area]
    row, area = row[here], area[here]
    nowhere = np.full(len(row), np.nan)
    x, y = _points(census, level, row) if points else (nowhere, nowhere)
    return (
        row,
        area,
        Candidates(
            unit=row,
            area=areas.rank[area],
            share=share[here],
            area_share=pairs["area_share"].to_numpy(np.float64)[here],
            rival=rival[here],
            x=x,
            y=y,
            outlines=areas.outlines[np.argsort(areas.rank)],
        ),
    )


def _points(census: Census, level: str, rows: Rows) -> tuple[Floats, Floats]:
    """Return representative points, a point on the surface where none is published."""
    x, y = (np.array(axis, dtype=np.float64) for axis in points_of(census.zones(level), rows))
    unknown = np.isnan(x) | np.isnan(y)
    if unknown.any():
        points = shapely.point_on_surface(census.data.geometry(level, rows[unknown]))
        x[unknown], y[unknown] = shapely.get_x(points), shapely.get_y(points)
    return x, y


def _best_of_others(row: Rows, share: Floats) -> Floats:
    """Return, for each pair, the largest share any other area has of its unit; 0 for none."""
    # pairs of a unit stand together, the largest share first
    order = np.lexsort((-share, row))
    first = np.ones(len(row), dtype=bool)
    first[1:] = row[order][1:] != row[order][:-1]
    group = np.cumsum(first) - 1
    starts = np.flatnonzero(first)
    best = share[order][starts]
    # where several areas meet a unit, the second share is the one after the first
    second = np.zeros(len(starts))
    several = np.diff(np.append(starts, len(row))) > 1
    second[several] = share[order][starts[several] + 1]
    # the best sees the second, all others see the best
    result = np.empty(len(row))
    result[order] = np.where(first, second[group], best[group])
    return result


def _units_holding(census: Census, level: str, atoms: Rows) -> Rows:
    """Return the units of a level that hold any of these atoms."""
    if level == census.atom_level or not len(atoms):
        return atoms
    parents = census.data.attributes(census.atom_level, [level], np.unique(atoms))[level].dropna()
    return census.rows(level, parents.unique().tolist())


def exclusive_pairs(unit: Rows, area: Ints, share: Floats) -> Flags:
    """Return which admitted pairs stay when a unit may be in one area only.

    The largest share wins; shares that are equal to 1e-9 go to the lower position of area.

    Examples
    --------
    >>> import numpy as np
    >>> from lipgeo.boundary.rules import exclusive_pairs
    >>> unit, area = np.array([7, 7, 8, 8]), np.array([0, 1, 0, 1])
    >>> exclusive_pairs(unit, area, np.array([0.4, 0.6, 0.5, 0.5])).tolist()
    [False, True, True, False]
    """
    if not len(unit):
        return np.array([], dtype=bool)
    units, inverse = np.unique(unit, return_inverse=True)
    # the largest share of each unit, and the pairs that have it
    best = np.full(len(units), -np.inf)
    np.maximum.at(best, inverse, share)
    level = share >= best[inverse] - _TIE
    # of these the lowest area
    first = np.full(len(units), np.iinfo(np.int64).max)
    np.minimum.at(first, inverse[level], area[level])
    return np.asarray(level & (area == first[inverse]))


def units_left_out(
    census: Census,
    level: str,
    shares: Crosswalk,
    areas: FitAreas,
    *,
    union: pd.DataFrame,
    sliver_share: float,
) -> pd.DataFrame:
    """Return units that meet a drawn area by more than a sliver and are not in its union.

    Returns
    -------
    pandas.DataFrame
        Columns as at the head of this file.
    """
    pairs = shares.frame
    pairs = pairs[pairs["area_share"] > sliver_share]
    area = np.asarray(areas.ids.get_indexer(pairs["target_id"]), dtype=np.int64)
    row = census.rows(level, pairs["source_id"].to_numpy(dtype=object))
    # a unit is in a union when any of its atoms is
    owner, atom = census.atoms(level, row)
    span = max(int(census.data.group_boxes(census.atom_level)[0][-1]), 1)
    held = np.isin(
        area[owner] * span + atom, union["area"].to_numpy() * span + union["atom"].to_numpy()
    )
    out = areas.drawn[area] & (np.bincount(owner, held, minlength=len(row)) == 0)
    return _choice(
        area[out],
        level,
        row[out],
        pairs["share"].to_numpy(np.float64)[out],
        pairs["area_share"].to_numpy(np.float64)[out],
    )


# ------------------------------------------------------------------- units across levels


def units_across_levels(
    census: Census,
    inside: pd.DataFrame,
    areas: FitAreas,
    *,
    listed: pd.DataFrame,
    by: str,
    accept: float,
    threshold: float,
    exclusive: bool,
) -> pd.DataFrame:
    """Return units of several levels for the drawn areas, see :func:`descend`.

    With ``exclusive`` each block that two areas took goes to the one with more of its surface,
    and an area that lost blocks is made of the fewest units that are what is left of it.

    Parameters
    ----------
    inside
        What lies in the drawn areas: ``area, atom, share``.

    Returns
    -------
    pandas.DataFrame
        Columns as at the head of this file.
    """
    shares = AtomShares(census, inside, by)
    chosen = descend(census, shares, accept=accept, threshold=threshold)
    if not exclusive:
        return chosen
    # each block to one area; blocks of lists stay theirs
    union = atoms_of(census, chosen).merge(inside, how="left", on=["area", "atom"])
    area, atom = union["area"].to_numpy(np.int64), union["atom"].to_numpy(np.int64)
    stays = exclusive_pairs(atom, areas.rank[area], union["share"].fillna(0.0).to_numpy())
    stays &= ~np.isin(atom, atoms_of(census, listed)["atom"].to_numpy())
    # areas that lost a block are put together again from what is left
    torn = np.unique(area[~stays])
    again = stays & np.isin(area, torn)
    rest = fewest_units(census, area[again], atom[again], chosen.iloc[:0]).units
    parts = [chosen[~chosen["area"].isin(torn)]]
    for level, group in rest.groupby("level", sort=False):
        of = group["area"].to_numpy(np.int64)
        row = group["census_row"].to_numpy(np.int64)
        parts.append(_choice(of, str(level), row, *shares.shares(str(level), of, row)))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class _Open:
    """Pairs of area and atom not yet decided."""

    area: Ints
    atom: Rows
    of_area: Floats

    def keep(self, which: Flags) -> _Open:
        """Return some of the pairs."""
        return _Open(self.area[which], self.atom[which], self.of_area[which])


def descend(census: Census, shares: AtomShares, *, accept: float, threshold: float) -> pd.DataFrame:
    """Return the units of each area, from coarse to fine along PR, CD, CSD, DA, DB.

    A unit that is proven whole is taken when its share is at least ``accept``. One is dropped
    when its share is at most ``1 - accept`` and so is that part's share of the area: a
    neighbourhood is less than a hundredth of its city and must not be dropped with it. Else the
    unit is opened. Units of the finest level are taken when their share is at least ``threshold``.

    Returns
    -------
    pandas.DataFrame
        Columns as at the head of this file.
    """
    finest = census.atom_level
    columns = census.data.columns(finest)
    levels = [code for code in CHAIN if code in census.levels and code in columns]
    proofs = Completeness(census)
    left = _Open(shares.area, shares.atom, shares.of_area)
    taken = []
    for level in [code for code in levels if code != finest]:
        # the unit of this level that each open atom lies in
        ids = census.data.attributes(level, ["unit_id"])["unit_id"]
        rows, back = np.unique(left.atom, return_inverse=True)
        parents = census.data.attributes(finest, [level], rows)[level]
        parent = find_rows(ids, parents)[back]
        has = parent >= 0
        # pairs of area and unit, and what of each area lies in the unit
        span = max(len(ids), 1)
        keys, group = np.unique(left.area[has] * span + parent[has], return_inverse=True)
        area, row = np.divmod(keys, span)
        share, area_share = shares.shares(level, area, row)
        of_area = np.bincount(group, left.of_area[has], minlength=len(keys))
        # nearly all of it inside, and known to be whole: taken
        enough = share >= accept - _TIE
        enough[enough] = proofs.proven(level, row[enough])
        taken.append(_choice(area, level, row, share, area_share)[enough])
        # hardly any of it inside, and little of the area: dropped; all else is opened
        little = np.maximum(share, of_area) <= 1 - accept + _TIE
        settled = np.isin(left.area * span + parent, keys[enough | little]) & has
        left = left.keep(~settled)
    share, area_share = shares.shares(finest, left.area, left.atom)
    enough = share >= threshold - _TIE
    taken.append(_choice(left.area, finest, left.atom, share, area_share)[enough])
    return pd.concat(taken, ignore_index=True)


class AtomShares:
    """Shares of units of any level in drawn areas, summed from their finest units.

    Parameters
    ----------
    census
        The census.
    inside
        ``area`` (position), ``atom`` (row of the finest level), ``share`` of its surface inside and
        ``people_share`` of its people.
    by
        ``population``, ``dwellings``, ``households`` or ``area``. A unit that holds none of it
        is shared by dwellings, else by the area of its polygons.
    """

    def __init__(self, census: Census, inside: pd.DataFrame, by: str) -> None:
        self._census = census
        self._names = (*CHAINS.get(by, ()), "area")
        self.area = inside["area"].to_numpy(np.int64)
        self.atom = inside["atom"].to_numpy(np.int64)
        self._inside = {
            name: inside[name].to_numpy(np.float64) for name in ("share", "people_share")
        }

    @cached_property
    def of_area(self) -> Floats:
        """Share of each area that lies in each atom, by the measure; by pair."""
        result = np.zeros(len(self.area))
        left = np.ones(len(self.area), dtype=bool)
        atoms, back = np.unique(self.atom, return_inverse=True)
        # by the first measure that the area holds any of
        for name, amount in self._amounts(atoms).items():
            held = np.nan_to_num(amount)[back] * self._part_inside(name)
            total = np.bincount(self.area, held, minlength=1)[self.area]
            use = left & (total > 0)
            result[use] = held[use] / total[use]
            left &= ~use
        return result

    def shares(self, level: str, area: Ints, row: Rows) -> tuple[Floats, Floats]:
        """Return the share of each unit in each area, by the measure and by area; (n,) each."""
        units, back = np.unique(row, return_inverse=True)
        owner, atom = self._census.atoms(level, units)
        span = len(units)
        # pairs of the areas as drawn, brought to the units asked for
        order = np.argsort(atom, kind="stable")
        at = np.searchsorted(atom[order], self.atom)
        at = np.minimum(at, max(len(atom) - 1, 0))
        ours = np.flatnonzero(atom[order][at] == self.atom) if len(atom) else np.arange(0)
        place = order[at[ours]]
        # pairs of area and unit, and which of those asked for are among them
        keys, group = np.unique(self.area[ours] * span + owner[place], return_inverse=True)
        wanted = area * span + back
        found = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        met = (keys[found] == wanted) if len(keys) else np.zeros(len(wanted), dtype=bool)
        result = np.full(len(wanted), np.nan)
        for name, amount in self._amounts(atom).items():
            # what the unit holds, and what of it lies in the area
            total = np.bincount(owner, np.nan_to_num(amount), minlength=span)
            part = np.bincount(
                group,
                np.nan_to_num(amount)[place] * self._part_inside(name)[ours],
                minlength=len(keys),
            )
            share = np.zeros(len(wanted))
            share[met] = part[found[met]]
            with np.errstate(divide="ignore", invalid="ignore"):
                share = share / total[back]
            # as for shares of one level: a measure that lacks the count of a block is passed over
            known = np.bincount(owner, np.isnan(amount), minlength=span)[back] == 0
            result = np.where(np.isnan(result) & known, share, result)
            by_area = share  # the last is by area
        return np.nan_to_num(result), np.nan_to_num(by_area)

    def _part_inside(self, name: str) -> Floats:
        """Return the share of each atom that is inside: of its people, or of its surface."""
        return np.asarray(self._inside["share" if name == "area" else "people_share"])

    def _amounts(self, atom: Rows) -> dict[str, Floats]:
        """Return what atoms hold of each measure, in the order they are tried; area is last."""
        data, level = self._census.data, self._census.atom_level
        held = [name for name in self._names if name in data.columns(level)]
        frame = data.attributes(level, held, atom)
        amounts = {name: frame[name].to_numpy(np.float64, na_value=np.nan) for name in held}
        amounts["area"] = np.nan_to_num(planar_area(self._census.zones(level), atom))
        return amounts


# ------------------------------------------------------------------- atoms: the finest units


def atoms_of(census: Census, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return what chosen units are made of: ``area``, ``atom`` (row of the finest level)."""
    areas, atoms = [np.array([], dtype=np.int64)], [np.array([], dtype=np.int64)]
    for level, group in chosen.groupby("level", sort=False):
        owner, atom = census.atoms(str(level), group["census_row"].to_numpy(np.int64))
        areas.append(group["area"].to_numpy(np.int64)[owner])
        atoms.append(atom)
    return pd.DataFrame({"area": np.concatenate(areas), "atom": np.concatenate(atoms)})


def childless(census: Census, chosen: pd.DataFrame) -> Flags:
    """Return which chosen units have no finest unit in the census; (n,)."""
    bare = np.zeros(len(chosen), dtype=bool)
    for level in chosen["level"].unique():
        these = np.flatnonzero(chosen["level"].eq(level).to_numpy())
        rows = chosen["census_row"].to_numpy(np.int64)[these]
        bare[these] = np.bincount(census.atoms(str(level), rows)[0], minlength=len(rows)) == 0
    return bare


def atoms_in(census: Census, shares: Crosswalk, areas: FitAreas) -> pd.DataFrame:
    """Return what lies in the drawn areas: ``area``, ``atom``, ``share``, ``people_share``.

    ``shares`` are of the finest units.
    """
    pairs = shares.frame
    area = areas.ids.get_indexer(pairs["target_id"])
    row = census.rows(census.atom_level, pairs["source_id"].to_numpy(dtype=object))
    frame = pd.DataFrame(
        {
            "area": area,
            "atom": row,
            "share": pairs["area_share"].to_numpy(),
            "people_share": pairs["share"].to_numpy(),
        }
    )
    return frame[areas.drawn[area]].reset_index(drop=True)
