"""Find the units an optimal fit may choose from, and which of them conflict or touch.

There must be enough of them that what is asked can be met: see :func:`neighbours`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.sparse import coo_array, csr_array

from lipgeo.areas.unit_lists import polygons_of
from lipgeo.arrays import Floats, Ints
from lipgeo.boundary.measures import unit_totals
from lipgeo.boundary.rules import AtomShares, FitAreas, atoms_of, descend
from lipgeo.census.census import Census
from lipgeo.census.completeness import Completeness
from lipgeo.census.data import CHAIN, COUNTS, Rows

__all__ = [
    "amounts_of",
    "conflicts",
    "links_of",
    "neighbours",
    "pairs_of_all_levels",
    "pairs_of_level",
    "without_listed",
]

_TIE = 1e-9


def pairs_of_level(
    census: Census, level: str, frame: pd.DataFrame, areas: FitAreas
) -> pd.DataFrame:
    """Return the units of one level that meet drawn areas; ``frame`` is of their crosswalk."""
    area = np.asarray(areas.ids.get_indexer(frame["target_id"]), dtype=np.int64)
    here = areas.drawn[area]
    table = pd.DataFrame(
        {
            "area": area[here],
            "level": level,
            "census_row": census.rows(level, frame["source_id"].to_numpy(dtype=object)[here]),
            "share": frame["share"].to_numpy(np.float64)[here],
            "area_share": frame["area_share"].to_numpy(np.float64)[here],
        }
    )
    return table[table["area_share"] > 0]


def pairs_of_all_levels(
    census: Census, shares: AtomShares, *, accept: float, min_share: float, coarse: bool
) -> pd.DataFrame:
    """Return the units of all levels that mixed levels may be made of.

    Those that :func:`lipgeo.boundary.rules.descend` takes with the threshold ``min_share``; with
    ``coarse`` also the larger units it opened, for where few units are asked for.
    """
    finest = census.atom_level
    taken = descend(census, shares, accept=accept, threshold=max(min_share, _TIE))
    if not coarse:
        return taken
    opened = [taken]
    atoms = taken[taken["level"].eq(finest)]
    columns = census.data.columns(finest)
    for level in [c for c in CHAIN if c in census.levels and c in columns and c != finest]:
        parents = census.data.attributes(finest, [level], atoms["census_row"].to_numpy(np.int64))[
            level
        ]
        known = parents.notna().to_numpy()
        rows = census.rows(level, parents[known].to_numpy(dtype=object))
        pairs = pd.DataFrame({"area": atoms["area"].to_numpy(np.int64)[known], "census_row": rows})
        pairs = pairs.drop_duplicates().sort_values(["area", "census_row"])
        area, row = (pairs[name].to_numpy(np.int64) for name in ("area", "census_row"))
        share, area_share = shares.shares(level, area, row)
        enough = (share >= max(min_share, _TIE) - _TIE) & Completeness(census).proven(level, row)
        table = {"area": area, "level": level, "census_row": row, "share": share}
        opened.append(pd.DataFrame({**table, "area_share": area_share})[enough])
    return pd.concat(opened, ignore_index=True).drop_duplicates(["area", "level", "census_row"])


def without_listed(census: Census, pairs: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs whose units meet no unit of a list."""
    if not len(listed) or not len(pairs):
        return pairs
    made = atoms_of(census, pairs.assign(area=np.arange(len(pairs))))
    met = np.isin(made["atom"], atoms_of(census, listed)["atom"])
    return pairs[~np.isin(np.arange(len(pairs)), made.loc[met, "area"])]


def amounts_of(
    census: Census, units: pd.DataFrame, name: str, sources: pd.DataFrame | None = None
) -> Floats:
    """Return what units hold of a measure, 0 where it is not known; by area, km2 of land.

    ``sources``: what units of one level hold of measures that the census does not count, by id;
    where it is missing, what units with a value hold by their people is taken.
    """
    values = np.zeros(len(units))
    if sources is not None and name in sources.columns and name not in (*COUNTS, "area"):
        return _amounts_by_id(census, units, sources[name])
    for level in units["level"].unique():
        these = np.flatnonzero(units["level"].eq(level).to_numpy())
        rows = units["census_row"].to_numpy(np.int64)[these]
        if name == "households":
            values[these] = _counts_of(census, str(level), rows, name)
        else:
            column = "land_km2" if name == "area" else name
            values[these] = unit_totals(census, str(level), rows)[column].to_numpy(np.float64)
    return np.nan_to_num(values)


def _amounts_by_id(census: Census, units: pd.DataFrame, held: pd.Series) -> Floats:
    """Return what units hold by their ids; by the rate of the others where that is missing."""
    numbers = pd.to_numeric(held, errors="coerce")
    values = np.full(len(units), np.nan)
    for level in units["level"].unique():
        these = np.flatnonzero(units["level"].eq(level).to_numpy())
        ids = census.ids(str(level))[units["census_row"].to_numpy(np.int64)[these]]
        values[these] = numbers.reindex(ids).to_numpy(np.float64)
    people = amounts_of(census, units, "population")
    seen = ~np.isnan(values)
    whole = people[seen].sum()
    return np.where(seen, values, people * (values[seen].sum() / whole if whole > 0 else 0.0))


def _counts_of(census: Census, level: str, rows: Rows, name: str) -> Floats:
    if name not in COUNTS or name not in census.data.columns(level):
        return np.zeros(len(rows))
    values = census.data.attributes(level, [name], rows)[name]
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def conflicts(census: Census, pairs: pd.DataFrame, *, exclusive: bool) -> csr_array:
    """Return rows of candidates of which one may be taken: they have finest units in common.

    Without ``exclusive`` only within an area, where a unit and its parent may both be candidates.
    """
    count = len(pairs)
    if pairs["level"].nunique() < 2:  # no unit has two levels: rows are the units
        if not exclusive:
            return csr_array((0, count))
        key, candidate = pairs["census_row"].to_numpy(np.int64), np.arange(count)
    else:
        made = atoms_of(census, pairs.assign(area=np.arange(count)))
        candidate, key = made["area"].to_numpy(np.int64), made["atom"].to_numpy(np.int64)
        if not exclusive:
            key = key * (int(pairs["area"].max()) + 1)
            key += pairs["area"].to_numpy(np.int64)[candidate]
    # keys that several candidates have make a row each
    _, row = np.unique(key, return_inverse=True)
    size = np.bincount(row)
    several = size[row] > 1
    numbers, row = np.unique(row[several], return_inverse=True)
    matrix = coo_array(
        (np.ones(len(row)), (row, candidate[several])), shape=(len(numbers), count)
    ).tocsr()
    # units that the same candidates hold make the same row: one of them says it
    mark = np.random.default_rng(0).random((count, 2))
    _, first = np.unique(np.round(matrix @ mark, 9), axis=0, return_index=True)
    return csr_array(matrix[np.sort(first)])


def links_of(census: Census, pairs: pd.DataFrame) -> Ints:
    """Return pairs of candidates of one area whose polygons touch along an edge; (l, 2)."""
    # edges between units, each looked at once, both ways
    units = pairs[["level", "census_row"]].drop_duplicates(ignore_index=True)
    touching = _find_edges(census, units)
    both = np.concatenate([touching, touching[:, ::-1]])
    number = pd.MultiIndex.from_frame(units).get_indexer(
        pd.MultiIndex.from_frame(pairs[["level", "census_row"]])
    )
    table = pd.DataFrame(
        {"unit": number, "area": pairs["area"].to_numpy(), "one": np.arange(len(pairs))}
    )
    # from a candidate over an edge to the next unit's candidates for the same area
    step = table.merge(pd.DataFrame(both, columns=["unit", "next"]), on="unit")
    other = table.rename(columns={"unit": "next", "one": "other"})
    found = step.merge(other, on=["next", "area"])[["one", "other"]].to_numpy(np.int64)
    return np.unique(found[found[:, 0] < found[:, 1]].reshape(-1, 2), axis=0)


def _find_edges(census: Census, units: pd.DataFrame) -> Ints:
    """Return pairs of units with an edge in common; (p, 2)."""
    named = units.assign(unit_id=_ids(census, units))
    polygons, owner = polygons_of(named, census)
    drawn = np.flatnonzero(~pd.isna(polygons))
    polygons, owner = polygons[drawn], owner[drawn]
    broken = ~shapely.is_valid(polygons)
    polygons[broken] = shapely.make_valid(polygons[broken])
    one, other = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    apart = owner[one] < owner[other]
    one, other = one[apart], other[apart]
    shared = shapely.length(shapely.intersection(polygons[one], polygons[other])) > 0
    # corners have no length; polygons that overlap a little have the length of their overlap
    return np.unique(np.column_stack([owner[one], owner[other]])[shared], axis=0)


def _ids(census: Census, units: pd.DataFrame) -> npt.NDArray[np.object_]:
    ids = np.full(len(units), None, dtype=object)
    for level in units["level"].unique():
        these = np.flatnonzero(units["level"].eq(level).to_numpy())
        rows = units["census_row"].to_numpy(np.int64)[these]
        ids[these] = census.data.attributes(str(level), ["unit_id"], rows)["unit_id"].to_numpy()
    return ids


def neighbours(
    census: Census,
    level: str,
    rows: Rows,
    *,
    enough: Callable[[Rows], bool],
    free: Callable[[Rows], Rows],
) -> Rows:
    """Return units around some units, ring by ring, until they are enough; at most three rings.

    Parameters
    ----------
    rows
        Units to start from.
    enough
        Whether some units will do.
    free
        Those of some units that may be added.
    """
    boxes = census.zones(level).boxes
    held = rows
    for _ in range(3):
        frame = boxes[held]
        west, south = np.nanmin(frame[:, :2], axis=0)
        east, north = np.nanmax(frame[:, 2:], axis=0)
        near = np.flatnonzero(
            (boxes[:, 0] <= east) & (boxes[:, 1] <= north)
            & (boxes[:, 2] >= west) & (boxes[:, 3] >= south)
        )  # fmt: skip
        near = np.union1d(near, held)
        pairs = near[_find_edges(census, pd.DataFrame({"level": level, "census_row": near}))]
        touched = np.concatenate(
            [pairs[np.isin(pairs[:, 0], held), 1], pairs[np.isin(pairs[:, 1], held), 0]]
        )
        ring = free(np.setdiff1d(touched, held))
        held = np.union1d(held, ring)
        if enough(held) or not len(ring):
            break
    return np.setdiff1d(held, rows)
