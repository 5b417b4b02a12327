"""``misfit``: what a union of units leaves out of an area as drawn, and what it adds to it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.census import Census, Rows
from lipgeo.crosswalk.amounts import surface_m2

__all__ = ["MEASURES", "misfit", "unit_totals"]

Floats = npt.NDArray[np.float64]

#: what is measured, and in what: people, private dwellings, square kilometres of land
MEASURES = ("population", "dwellings", "land_km2")


def misfit(census: Census, inside: pd.DataFrame, union: pd.DataFrame, count: int) -> pd.DataFrame:
    """Measure unions against the areas as drawn, by the finest units held.

    A block's people, dwellings and land are taken as evenly spread over it.

    Parameters
    ----------
    census
        The census.
    inside
        What lies in the areas as drawn: ``area`` (position), ``atom`` (row of the finest level),
        ``share`` of the atom's surface that is inside.
    union
        What the unions hold: ``area, atom``; no pair twice.
    count
        Number of areas.

    Returns
    -------
    pandas.DataFrame
        One row an area, by position. For each of :data:`MEASURES` ``_drawn`` (the area's
        estimated total), ``_omitted`` (of it, outside the union) and ``_added`` (of the union,
        outside the area). ``misfit_share`` = (omitted + added) / drawn, by population; by land
        where nobody lives in the area (``by_land``), missing where it has no land either.
        ``counts_missing``: some atom concerned has no count of people or dwellings;
        ``land_measured``: some atom's land area is not published and was measured.
    """
    span = int(census.data.group_boxes(census.atom_level)[0][-1])
    drawn_key = inside["area"].to_numpy(np.int64) * span + inside["atom"].to_numpy(np.int64)
    union_key = union["area"].to_numpy(np.int64) * span + union["atom"].to_numpy(np.int64)
    key = np.union1d(drawn_key, union_key)
    area, atom = np.divmod(key, max(span, 1))
    share = np.zeros(len(key))
    share[np.searchsorted(key, drawn_key)] = inside["share"].to_numpy(np.float64)
    held = np.zeros(len(key), dtype=bool)
    held[np.searchsorted(key, union_key)] = True

    rows, back = np.unique(atom, return_inverse=True)
    totals, measured = _amounts(census, census.atom_level, rows)
    result = pd.DataFrame(index=pd.RangeIndex(count))
    missing = np.zeros(len(key), dtype=bool)
    for name in MEASURES:
        amount = totals[name][back]
        missing |= np.isnan(amount) & (name != "land_km2")
        amount = np.nan_to_num(amount)
        parts = {
            "drawn": amount * share,
            "omitted": np.where(held, 0.0, amount * share),
            "added": np.where(held, amount * (1 - share), 0.0),
        }
        for part, values in parts.items():
            # of nothing, bincount counts in whole numbers
            sums = np.bincount(area, values, minlength=count).astype(np.float64)
            result[f"{name}_{part}"] = sums
    result["by_land"] = ~(result["population_drawn"] > 0)
    shares = []
    for name in ("population", "land_km2"):
        wrong = result[f"{name}_omitted"] + result[f"{name}_added"]
        shares.append(wrong / result[f"{name}_drawn"].where(result[f"{name}_drawn"] > 0))
    result["misfit_share"] = shares[0].where(~result["by_land"], shares[1])
    result["counts_missing"] = np.bincount(area[missing], minlength=count) > 0
    result["land_measured"] = np.bincount(area[measured[back]], minlength=count) > 0
    return result


def unit_totals(census: Census, level: str, rows: Rows) -> pd.DataFrame:
    """Return units' own counts; from their finest units where they carry none.

    Returns
    -------
    pandas.DataFrame
        One row a unit, in the order given: ``population, dwellings, land_km2`` (float64, missing
        where unknown even there) and ``land_measured`` (its land area is not published).
    """
    totals, measured = _amounts(census, level, rows)
    frame = pd.DataFrame(totals).assign(land_measured=measured)
    for name in ("population", "dwellings"):
        unknown = np.flatnonzero(frame[name].isna())
        if not len(unknown) or level == census.atom_level:
            continue
        owner, atom = census.atoms(level, rows[unknown])
        below = _counts(census, census.atom_level, name, atom)
        known = ~np.isnan(below)
        summed = np.bincount(owner[known], below[known], minlength=len(unknown))
        some = np.bincount(owner[known], minlength=len(unknown)) > 0
        frame.loc[unknown, name] = np.where(some, summed, np.nan)
    return frame


def _amounts(
    census: Census, level: str, rows: Rows
) -> tuple[dict[str, Floats], npt.NDArray[np.bool_]]:
    """Return counts and land of units as published, and whose land had to be measured."""
    amounts = {name: _counts(census, level, name, rows) for name in MEASURES}
    measured = np.isnan(amounts["land_km2"])
    if measured.any():
        land = surface_m2(census.zones(level), rows[measured]) / 1e6
        amounts["land_km2"][measured] = land
    return amounts, measured


def _counts(census: Census, level: str, name: str, rows: Rows) -> Floats:
    if name not in census.data.columns(level):
        return np.full(len(rows), np.nan)
    values = census.data.attributes(level, [name], rows)[name]
    return np.array(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
