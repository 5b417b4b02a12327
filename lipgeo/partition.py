"""Units of an area made a partition: exclusions opened, overlaps undone, no atom twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.census import CHAIN, Census, Rows
from lipgeo.faults import finding
from lipgeo.report import Finding

__all__ = ["atoms_of", "codes_of", "partition", "polygons_of"]


def partition(listed: pd.DataFrame, census: Census) -> tuple[pd.DataFrame, list[Finding]]:
    """Make each area a partition: exclusions taken out, no atom in two units.

    The largest units stay whole. A unit inside others is dropped; one that overlaps a larger one
    or holds an exclusion is opened into the largest units that lie wholly in the rest of it, of
    the levels that nest (PR, CD, CSD, DA) and of the levels the area lists, then into atoms.

    Parameters
    ----------
    listed
        As :func:`resolve` returns it.

    Returns
    -------
    pandas.DataFrame
        ``area_id, level, unit_id, unit_name``, areas and units in the order listed; an area of
        which nothing is left has no row.
    list of Finding
        Units listed twice, inside another, overlapping, opened; exclusions that touch nothing.
    """
    findings: list[Finding] = []
    key = ["area_id", "level", "unit_id", "exclude"]
    twice = listed.duplicated(key)
    for area, units in listed[twice].groupby("area_id", sort=False):
        findings.append(
            finding("areas.unit_listed_twice", "note", area, area=area, units=codes_of(units))
        )
    listed = listed[~twice].reset_index(drop=True)
    pieces = []
    for area, group in listed.groupby("area_id", sort=False):
        # units of one level never overlap: nothing to look at
        if group["level"].eq(group["level"].iloc[0]).all() and not group["exclude"].any():
            pieces.append(group[["area_id", "level", "unit_id"]])
        else:
            piece, notes = _without_overlap(str(area), group.reset_index(drop=True), census)
            pieces.append(piece)
            findings += notes
    members = pd.concat(pieces, ignore_index=True)
    members["unit_name"] = _unit_names(members, census)
    return members.astype("string"), findings


def _without_overlap(
    area: str, listed: pd.DataFrame, census: Census
) -> tuple[pd.DataFrame, list[Finding]]:
    owner, atom = atoms_of(listed, census)
    order = np.argsort(owner, kind="stable")
    owner, atom = owner[order], atom[order]
    starts = np.searchsorted(owner, np.arange(len(listed) + 1))
    size = np.diff(starts)
    out = listed["exclude"].to_numpy(dtype=bool)
    count = int(census.data.group_boxes(census.atom_level)[0][-1])
    forbidden = np.zeros(count, dtype=bool)
    forbidden[atom[out[owner]]] = True
    holder = np.full(count, -1, dtype=np.int64)
    listed["rank"] = listed["level"].map({level: -i for i, level in enumerate(census.levels)})
    includes = np.flatnonzero(~out)
    # a unit inside another comes after it; equal ones: the higher level first
    ranked = listed.loc[includes].assign(size=-size[includes])
    includes = ranked.sort_values(["size", "rank", "unit_id"], kind="stable").index.to_numpy()

    kept: list[tuple[int, str, npt.ArrayLike]] = []
    findings: list[Finding] = []
    candidates = [
        level
        for level in reversed(census.levels[1:])
        if (level in CHAIN or level in set(listed["level"]))
        and level in census.data.columns(census.atom_level)
    ]
    for unit in includes:
        mine = atom[starts[unit] : starts[unit + 1]]
        level, shown = listed["level"].iloc[unit], _code_of(listed.iloc[unit])
        before = holder[mine]
        free = mine[(before < 0) & ~forbidden[mine]]
        if len(free) == len(mine):
            kept.append((unit, level, [listed["unit_id"].iloc[unit]]))
        elif len(free) == 0 and (before >= 0).any():
            others = codes_of(listed.iloc[np.unique(before[before >= 0])])
            findings.append(
                finding("areas.nested_unit", "warning", area, area=area, unit=shown, others=others)
            )
        elif len(free) == 0:
            findings.append(finding("areas.excluded_whole", "warning", area, area=area, unit=shown))
        else:
            opened = _open(free, level, candidates, census)
            kept += [(unit, child, ids) for child, ids in opened]
            made = [f"{len(ids):,} {child}" for child, ids in opened]
            if forbidden[mine].any():
                findings.append(
                    finding(
                        "areas.opened_for_exclusion", "note", area, area=area, unit=shown, made=made
                    )
                )
            others = codes_of(listed.iloc[np.unique(before[before >= 0])])
            if others:
                findings.append(
                    finding(
                        "areas.opened_for_overlap",
                        "warning",
                        area,
                        area=area,
                        unit=shown,
                        others=others,
                        made=made,
                    )
                )
        holder[free] = unit
    covered = np.zeros(count, dtype=bool)
    covered[atom[~out[owner]]] = True
    findings += [
        finding("areas.exclusion_elsewhere", "warning", area, area=area, unit=code)
        for unit, code in zip(np.flatnonzero(out), codes_of(listed[out]), strict=True)
        if not covered[atom[starts[unit] : starts[unit + 1]]].any()
    ]

    rows = [(unit, level, unit_id) for unit, level, ids in kept for unit_id in ids]  # type: ignore[union-attr]
    piece = pd.DataFrame(rows, columns=["unit", "level", "unit_id"])
    piece = piece.sort_values("unit", kind="stable", ignore_index=True)
    piece["area_id"] = area
    return piece[["area_id", "level", "unit_id"]], findings


def _open(
    free: Rows, level: str, candidates: Sequence[str], census: Census
) -> list[tuple[str, list[str]]]:
    """Return the largest units that lie wholly in some atoms, level by level, then the atoms."""
    opened: list[tuple[str, list[str]]] = []
    left = np.sort(free)
    for child in candidates:
        if child == level or not len(left):
            continue
        parents = census.data.attributes(census.atom_level, [child], left)[child]
        codes, ids = pd.factorize(parents)
        if not len(ids):
            continue
        have = np.bincount(codes[codes >= 0], minlength=len(ids))
        owner, _ = census.atoms(child, census.rows(child, ids))
        whole = have == np.bincount(owner, minlength=len(ids))
        if whole.any():
            opened.append((child, list(np.asarray(ids, dtype=object)[whole])))
            left = left[(codes < 0) | ~whole[codes]]
    if len(left):
        ids = census.data.attributes(census.atom_level, ["unit_id"], left)["unit_id"]
        opened.append((census.atom_level, list(ids)))
    return opened


def atoms_of(units: pd.DataFrame, census: Census) -> tuple[Rows, Rows]:
    """Pairs (position in ``units``, row of the finest level) of units of any levels.

    ``units`` has ``level`` and ``unit_id``; both arrays have one entry a pair, grouped by level.

    Raises
    ------
    UnknownUnitError, MissingLevelError
        Units or a level that the census does not hold.
    """
    owners, atoms = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for level in units["level"].unique():
        these = np.flatnonzero(units["level"].eq(level).to_numpy())
        rows = census.rows(level, units["unit_id"].iloc[these].to_numpy(dtype=object))
        owner, atom = census.atoms(level, rows)
        owners.append(these[owner])
        atoms.append(atom)
    return np.concatenate(owners), np.concatenate(atoms)


def _unit_names(members: pd.DataFrame, census: Census) -> pd.Series:
    names = pd.Series(pd.NA, index=members.index, dtype="string")
    for level in members["level"].unique():
        if "unit_name" not in census.data.columns(level):
            continue
        these = members["level"].eq(level)
        rows = census.rows(level, members.loc[these, "unit_id"].to_numpy(dtype=object))
        found = census.data.attributes(level, ["unit_name"], rows)["unit_name"]
        names[these] = found.astype("string").to_numpy()
    return names


def _code_of(unit: pd.Series) -> str:
    return f"{unit['level']}:{unit['unit_id']}"


def codes_of(units: pd.DataFrame) -> list[str]:
    """Return units as people write them: ``CSD:4806016``."""
    return list(units["level"] + ":" + units["unit_id"])


def polygons_of(
    units: pd.DataFrame, census: Census
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]:
    """Return the polygons of units of any levels, from the atoms where their level has none.

    Returns
    -------
    polygons
        EPSG:3347, ``None`` where an atom has none either.
    owner
        Position in ``units`` of each polygon's unit.
    """
    shapes: list[npt.NDArray[np.object_]] = [np.empty(0, dtype=object)]
    owners: list[Rows] = [np.empty(0, np.int64)]
    for level in units["level"].unique():
        these = np.flatnonzero(units["level"].eq(level).to_numpy())
        rows = census.rows(level, units["unit_id"].iloc[these].to_numpy(dtype=object))
        polygons = census.data.geometry(level, rows)
        bare = np.array([polygon is None for polygon in polygons], dtype=bool)
        shapes.append(polygons[~bare])
        owners.append(these[~bare])
        if bare.any() and level != census.atom_level:
            owner, atom = census.atoms(level, rows[bare])
            shapes.append(census.data.geometry(census.atom_level, atom))
            owners.append(these[bare][owner])
    return np.concatenate(shapes), np.concatenate(owners)
