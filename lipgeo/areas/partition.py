"""Units of an area made a partition: exclusions opened, overlaps undone, no atom twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.areas.faults import finding
from lipgeo.census import CHAIN, Census, Rows
from lipgeo.census.completeness import Completeness
from lipgeo.geography import nests_in
from lipgeo.report import Finding
from lipgeo.words import number

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
    levels, ids = (listed[c].to_numpy(dtype=object) for c in ("level", "unit_id"))
    codes = np.array(codes_of(listed), dtype=object)
    out = listed["exclude"].to_numpy(dtype=bool)
    count = int(census.data.group_boxes(census.atom_level)[0][-1])
    forbidden = np.zeros(count, dtype=bool)
    forbidden[atom[out[owner]]] = True
    holder = np.full(count, -1, dtype=np.int64)
    candidates = [
        level
        for level in reversed(census.levels[1:])
        if (level in CHAIN or level in levels) and level in census.data.columns(census.atom_level)
    ]
    kept: list[tuple[int, str, str]] = []
    inside: dict[tuple[str, ...], list[str]] = {}
    findings: list[Finding] = []
    for unit in _largest_first(listed, np.diff(starts), census):
        mine = atom[starts[unit] : starts[unit + 1]]
        before = holder[mine]
        free = mine[(before < 0) & ~forbidden[mine]]
        holder[free] = unit
        if len(free) == len(mine):
            kept.append((unit, levels[unit], ids[unit]))
            continue
        others = tuple(codes[np.unique(before[before >= 0])])
        if not len(free):
            inside.setdefault(others, []).append(codes[unit])
            continue
        opened = _open(free, levels[unit], candidates, census)
        kept += [(unit, level, child) for level, children in opened for child in children]
        said = {"area": area, "unit": codes[unit]}
        said["made"] = [f"{number(len(children))} {level}" for level, children in opened]
        if forbidden[mine].any():
            findings.append(finding("areas.opened_for_exclusion", "note", area, **said))
        if others:
            said["others"] = list(others)
            findings.append(finding("areas.opened_for_overlap", "warning", area, **said))
    findings += [
        finding("areas.nested_units", "warning", area, area=area, units=units, others=others)
        if others
        else finding("areas.excluded_whole", "warning", area, area=area, units=units)
        for others, units in inside.items()
    ]
    covered = np.zeros(count, dtype=bool)
    covered[atom[~out[owner]]] = True
    idle = [u for u in np.flatnonzero(out) if not covered[atom[starts[u] : starts[u + 1]]].any()]
    if idle:
        units = list(codes[idle])
        findings.append(
            finding("areas.exclusion_elsewhere", "warning", area, area=area, units=units)
        )
    piece = pd.DataFrame(kept, columns=["unit", "level", "unit_id"])
    piece = piece.sort_values("unit", kind="stable", ignore_index=True)
    return piece.assign(area_id=area)[["area_id", "level", "unit_id"]], findings


def _largest_first(listed: pd.DataFrame, size: Rows, census: Census) -> Rows:
    """Order the included units so that one inside another comes after it.

    By number of atoms; of equal ones the higher level first, then by id.
    """
    rank = listed["level"].map({level: -at for at, level in enumerate(census.levels)})
    order = np.lexsort([listed["unit_id"].to_numpy(dtype=str), rank, -size])
    return np.asarray(order[~listed["exclude"].to_numpy(dtype=bool)[order]], dtype=np.int64)


def _open(
    free: Rows, level: str, candidates: Sequence[str], census: Census
) -> list[tuple[str, list[str]]]:
    """Return the largest units that lie wholly in some atoms of a unit, level by level."""
    proofs = Completeness(census)
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
        rows = census.rows(child, ids)
        owner, _ = census.atoms(child, rows)
        whole = have == np.bincount(owner, minlength=len(ids))
        if level not in nests_in(child, census.vintage):
            # of an extract, what is held of the child may lie inside and the rest outside
            whole &= proofs.proven(child, rows)
        if whole.any():
            opened.append((child, sorted(np.asarray(ids, dtype=object)[whole])))
            left = left[(codes < 0) | ~whole[codes]]
    if len(left):
        ids = census.data.attributes(census.atom_level, ["unit_id"], left)["unit_id"]
        opened.append((census.atom_level, sorted(ids)))
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
        different, back = np.unique(rows, return_inverse=True)
        polygons = census.data.geometry(level, different)[back]
        bare = np.array([polygon is None for polygon in polygons], dtype=bool)
        shapes.append(polygons[~bare])
        owners.append(these[~bare])
        if bare.any() and level != census.atom_level:
            owner, atom = census.atoms(level, rows[bare])
            shapes.append(census.data.geometry(census.atom_level, atom))
            owners.append(these[bare][owner])
    return np.concatenate(shapes), np.concatenate(owners)
