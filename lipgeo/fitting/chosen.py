"""The units of each area: those a rule admits for drawn areas, those listed for unit lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.areas import ServiceAreas
from lipgeo.census import Census, Rows
from lipgeo.crosswalk import Crosswalk
from lipgeo.crosswalk.amounts import points_of
from lipgeo.fitting.choosing import Candidates, Terms, choose, exclusive_pairs
from lipgeo.fitting.cover import fewest_units
from lipgeo.fitting.mixed import Basis, descend

__all__ = [
    "CHOICE",
    "Drawn",
    "atoms_in",
    "atoms_of",
    "childless",
    "left_out",
    "listed_units",
    "mixed_units",
    "ruled_units",
]

#: columns of the units chosen: position of the area, unit, its shares in the area
CHOICE = ("area", "level", "row", "share", "area_share")


@dataclass(frozen=True)
class Drawn:
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
    def of(cls, areas: ServiceAreas) -> Drawn:
        """Take them from service areas."""
        ids = areas.ids
        rank = np.empty(len(ids), dtype=np.int64)
        rank[np.argsort(ids.to_numpy(dtype=object).astype(str), kind="stable")] = np.arange(
            len(ids)
        )
        drawn = areas.frame["definition"].eq("drawn").to_numpy(dtype=bool)
        return cls(ids, drawn, rank, areas.frame.geometry.to_numpy())


def listed_units(census: Census, areas: ServiceAreas) -> pd.DataFrame:
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


def ruled_units(
    census: Census,
    level: str,
    shares: Crosswalk,
    areas: Drawn,
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
        See :func:`lipgeo.fitting.choosing.choose`.
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
        keep &= ~np.isin(row, _met(census, level, atoms_of(census, listed)["atom"].to_numpy()))
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


def mixed_units(
    census: Census,
    inside: pd.DataFrame,
    areas: Drawn,
    *,
    listed: pd.DataFrame,
    by: str,
    accept: float,
    threshold: float,
    exclusive: bool,
) -> pd.DataFrame:
    """Return units of several levels for the drawn areas, see :func:`lipgeo.fitting.mixed.descend`.

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
    basis = Basis(census, inside, by)
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


def atoms_in(census: Census, shares: Crosswalk, areas: Drawn) -> pd.DataFrame:
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


def _met(census: Census, level: str, atoms: Rows) -> Rows:
    """Return the units of a level that hold any of these atoms."""
    if level == census.atom_level or not len(atoms):
        return atoms
    parents = census.data.attributes(census.atom_level, [level], np.unique(atoms))[level].dropna()
    return census.rows(level, parents.unique().tolist())


def left_out(
    census: Census,
    level: str,
    shares: Crosswalk,
    areas: Drawn,
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
