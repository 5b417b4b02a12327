"""The units of each area: those a rule admits for drawn areas, those listed for unit lists.

Rules that choose the units of each area: a rule takes candidates and returns membership.

Mixed levels: take a coarse unit that fits whole, drop one that hardly meets, open the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.arrays import Flags, Floats
from lipgeo.boundary.cover import fewest_units
from lipgeo.census.census import Census
from lipgeo.census.completeness import Completeness
from lipgeo.census.data import CHAIN, Rows, located
from lipgeo.crosswalk.crosswalk import Crosswalk
from lipgeo.crosswalk.inputs import planar_area, points_of
from lipgeo.crosswalk.shares import CHAINS
from lipgeo.zones.validity import SLIVER_SHARE

__all__ = [
    "CHOICE",
    "RULES",
    "AtomShares",
    "Candidates",
    "FitAreas",
    "Rule",
    "Terms",
    "atoms_in",
    "atoms_of",
    "childless",
    "choose",
    "descend",
    "exclusive_pairs",
    "units_across_levels",
    "units_by_rule",
    "units_left_out",
    "units_of_lists",
]

#: shares closer than this are equal: they come from polygons cut in floating point
_TIE = 1e-9


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
        Share of the unit in the area by the basis asked for (population, dwellings, area); (n,).
    area_share
        The same by area of the polygons; (n,).
    rival
        The largest share by that basis that any other area, or the outside of all, has of the
        unit; (n,).
    x, y
        Representative point of the unit, EPSG:3347 metres, NaN where it has none; (n,).
    outlines
        The areas as drawn, EPSG:3347, by position; (areas,).
    """

    unit: Rows
    area: Rows
    share: Floats
    area_share: Floats
    rival: Floats
    x: Floats
    y: Floats
    outlines: npt.NDArray[np.object_]


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
    sliver_share: float = SLIVER_SHARE


Rule = Callable[[Candidates, Terms], Flags]


def _within(candidates: Candidates, terms: Terms) -> Flags:
    return np.asarray(candidates.area_share >= 1 - max(terms.sliver_share, _TIE))


def _touching(candidates: Candidates, terms: Terms) -> Flags:
    return np.asarray(candidates.area_share > terms.sliver_share)


def _majority(candidates: Candidates, terms: Terms) -> Flags:
    return np.asarray(candidates.share >= terms.threshold - _TIE)


def _largest(candidates: Candidates, terms: Terms) -> Flags:
    found = (candidates.share > 0) & (candidates.share >= candidates.rival - _TIE)
    return np.asarray(found)


def _point(candidates: Candidates, terms: Terms) -> Flags:
    outlines = candidates.outlines
    shapely.prepare(outlines)
    inside = np.zeros(len(candidates.unit), dtype=bool)
    known = ~(np.isnan(candidates.x) | np.isnan(candidates.y))
    inside[known] = shapely.intersects_xy(
        outlines[candidates.area[known]], candidates.x[known], candidates.y[known]
    )
    return inside


#: the rules of DESIGN by name
RULES: Mapping[str, Rule] = {
    "within": _within,
    "touching": _touching,
    "majority": _majority,
    "largest": _largest,
    "point": _point,
}


def choose(rule: str, candidates: Candidates, terms: Terms) -> Flags:
    """Return which pairs a rule admits; (n,).

    ``within``
        the unit lies in the area, but for slivers;
    ``touching``
        more than a sliver of it does;
    ``majority``
        at least ``threshold`` of it does, by the basis of ``share``;
    ``largest``
        no other area, and not the outside, has more of it by that basis (equals are all in);
    ``point``
        its representative point is in the area or on its edge.
    """
    return RULES[rule](candidates, terms)


def exclusive_pairs(unit: Rows, area: Rows, share: Floats) -> Flags:
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
    starts_of, inverse = np.unique(unit, return_inverse=True)
    best = np.full(len(starts_of), -np.inf)
    np.maximum.at(best, inverse, share)
    level = share >= best[inverse] - _TIE
    first = np.full(len(starts_of), np.iinfo(np.int64).max)
    np.minimum.at(first, inverse[level], area[level])
    return np.asarray(level & (area == first[inverse]))


class AtomShares:
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


def descend(census: Census, basis: AtomShares, *, accept: float, threshold: float) -> pd.DataFrame:
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


#: columns of the units chosen: position of the area, unit, its shares in the area
CHOICE = ("area", "level", "row", "share", "area_share")


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
    drawn: npt.NDArray[np.bool_]
    rank: Rows
    outlines: npt.NDArray[np.object_]

    @classmethod
    def of(cls, areas: ServiceAreas) -> FitAreas:
        """Take them from service areas."""
        ids = areas.ids
        rank = np.empty(len(ids), dtype=np.int64)
        rank[np.argsort(ids.to_numpy(dtype=object).astype(str), kind="stable")] = np.arange(
            len(ids)
        )
        drawn = areas.frame["definition"].eq("drawn").to_numpy(dtype=bool)
        return cls(ids, drawn, rank, areas.frame.geometry.to_numpy())


def units_of_lists(census: Census, areas: ServiceAreas) -> pd.DataFrame:
    """Return the units of the unit-list areas, as listed; columns :data:`CHOICE`, shares 1."""
    units = areas.units
    rows = np.zeros(len(units), dtype=np.int64)
    for level in units["level"].unique():
        these = units["level"].eq(level).to_numpy()
        rows[these] = census.rows(str(level), units.loc[these, "unit_id"].to_numpy(dtype=object))
    area = areas.ids.get_indexer(units["area_id"])
    level_of = units["level"].to_numpy(dtype=object)
    return pd.DataFrame(
        {"area": area, "level": level_of, "row": rows, "share": 1.0, "area_share": 1.0}
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
        See :func:`lipgeo.boundary.rules.choose`.
    exclusive
        Whether a unit may be in one area only.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`CHOICE`.
    """
    pairs = shares.frame
    row = census.rows(level, pairs["source_id"].to_numpy(dtype=object))
    area = areas.ids.get_indexer(pairs["target_id"])
    share = pairs["share"].to_numpy(np.float64)
    outside = shares.remainder.set_index("source_id")["share"]
    rival = np.maximum(
        _best_of_others(row, share), outside.reindex(pairs["source_id"]).to_numpy(np.float64)
    )
    here = areas.drawn[area]
    row, area = row[here], np.asarray(area[here], dtype=np.int64)
    x, y = _points(census, level, row) if rule == "point" else (np.full(len(row), np.nan),) * 2
    candidates = Candidates(
        row,
        areas.rank[area],
        share[here],
        pairs["area_share"].to_numpy(np.float64)[here],
        rival[here],
        x,
        y,
        areas.outlines[np.argsort(areas.rank)],
    )
    keep = choose(rule, candidates, terms)
    if exclusive:
        keep &= ~np.isin(
            row, _units_holding(census, level, atoms_of(census, listed)["atom"].to_numpy())
        )
        admitted = np.flatnonzero(keep)
        stays = exclusive_pairs(
            row[admitted], areas.rank[area[admitted]], candidates.share[admitted]
        )
        keep[admitted[~stays]] = False
    return pd.DataFrame(
        {
            "area": area[keep],
            "level": level,
            "row": row[keep],
            "share": candidates.share[keep],
            "area_share": candidates.area_share[keep],
        }
    )


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
        Columns :data:`CHOICE`.
    """
    basis = AtomShares(census, inside, by)
    chosen = descend(census, basis, accept=accept, threshold=threshold)
    if not exclusive:
        return chosen
    union = atoms_of(census, chosen).merge(inside, how="left", on=["area", "atom"])
    area, atom = union["area"].to_numpy(np.int64), union["atom"].to_numpy(np.int64)
    stays = exclusive_pairs(atom, areas.rank[area], union["share"].fillna(0.0).to_numpy())
    stays &= ~np.isin(atom, atoms_of(census, listed)["atom"].to_numpy())
    torn = np.unique(area[~stays])
    again = stays & np.isin(area, torn)
    rest = fewest_units(census, area[again], atom[again], chosen.iloc[:0]).units
    parts = [chosen[~chosen["area"].isin(torn)]]
    for level, group in rest.groupby("level", sort=False):
        of, row = group["area"].to_numpy(np.int64), group["row"].to_numpy(np.int64)
        share, area_share = basis.shares(str(level), of, row)
        parts.append(group.assign(share=share, area_share=area_share))
    return pd.concat(parts, ignore_index=True)


def atoms_of(census: Census, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return what chosen units are made of: ``area``, ``atom`` (row of the finest level)."""
    areas, atoms = [np.array([], dtype=np.int64)], [np.array([], dtype=np.int64)]
    for level, group in chosen.groupby("level", sort=False):
        owner, atom = census.atoms(str(level), group["row"].to_numpy(np.int64))
        areas.append(group["area"].to_numpy(np.int64)[owner])
        atoms.append(atom)
    return pd.DataFrame({"area": np.concatenate(areas), "atom": np.concatenate(atoms)})


def childless(census: Census, chosen: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which chosen units have no finest unit in the census; (n,)."""
    bare = np.zeros(len(chosen), dtype=bool)
    for level in chosen["level"].unique():
        these = np.flatnonzero(chosen["level"].eq(level).to_numpy())
        rows = chosen["row"].to_numpy(np.int64)[these]
        bare[these] = np.bincount(census.atoms(str(level), rows)[0], minlength=len(rows)) == 0
    return bare


def atoms_in(census: Census, shares: Crosswalk, areas: FitAreas) -> pd.DataFrame:
    """Return what lies in the drawn areas: ``area``, ``atom``, ``share`` of its surface.

    ``shares`` are of the finest units.
    """
    pairs = shares.frame
    area = areas.ids.get_indexer(pairs["target_id"])
    row = census.rows(census.atom_level, pairs["source_id"].to_numpy(dtype=object))
    frame = pd.DataFrame({"area": area, "atom": row, "share": pairs["area_share"].to_numpy()})
    return frame[areas.drawn[area]].reset_index(drop=True)


def _points(
    census: Census, level: str, rows: Rows
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return representative points, a point on the surface where none is published."""
    x, y = (np.array(axis, dtype=np.float64) for axis in points_of(census.zones(level), rows))
    unknown = np.isnan(x) | np.isnan(y)
    if unknown.any():
        points = shapely.point_on_surface(census.data.geometry(level, rows[unknown]))
        x[unknown], y[unknown] = shapely.get_x(points), shapely.get_y(points)
    return x, y


def _best_of_others(row: Rows, share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return, for each pair, the largest share any other area has of its unit; 0 for none."""
    order = np.lexsort((-share, row))
    first = np.ones(len(row), dtype=bool)
    first[1:] = row[order][1:] != row[order][:-1]
    group = np.cumsum(first) - 1
    starts = np.flatnonzero(first)
    best = share[order][starts]
    second = np.zeros(len(starts))
    several = np.diff(np.append(starts, len(row))) > 1
    second[several] = share[order][starts[several] + 1]
    result = np.empty(len(row))
    result[order] = np.where(first, second[group], best[group])
    return result


def _units_holding(census: Census, level: str, atoms: Rows) -> Rows:
    """Return the units of a level that hold any of these atoms."""
    if level == census.atom_level or not len(atoms):
        return atoms
    parents = census.data.attributes(census.atom_level, [level], np.unique(atoms))[level].dropna()
    return census.rows(level, parents.unique().tolist())


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
        Columns :data:`CHOICE`.
    """
    pairs = shares.frame
    pairs = pairs[pairs["area_share"] > sliver_share]
    area = np.asarray(areas.ids.get_indexer(pairs["target_id"]), dtype=np.int64)
    row = census.rows(level, pairs["source_id"].to_numpy(dtype=object))
    owner, atom = census.atoms(level, row)
    span = max(int(census.data.group_boxes(census.atom_level)[0][-1]), 1)
    held = np.isin(
        area[owner] * span + atom, union["area"].to_numpy() * span + union["atom"].to_numpy()
    )
    out = areas.drawn[area] & (np.bincount(owner, held, minlength=len(row)) == 0)
    return pd.DataFrame(
        {
            "area": area[out],
            "level": level,
            "row": row[out],
            "share": pairs["share"].to_numpy()[out],
            "area_share": pairs["area_share"].to_numpy()[out],
        }
    )
