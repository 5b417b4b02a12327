"""Resolve listed codes, DGUIDs and names to census units, and make each area a partition of them.

What is no unit is refused with its line. Exclusions are opened and overlaps undone, so that no
atom of an area lies in two of its units. A ``line`` is where an entry stood in the user's list, a
``census_row`` the position of its unit in its level.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.areas.fields import TEXTS
from lipgeo.census.census import Census
from lipgeo.census.completeness import Completeness
from lipgeo.census.data import CHAIN, Rows
from lipgeo.census.units import rows_by_level, unit_atoms
from lipgeo.errors import AreaError, InputError
from lipgeo.geography.hierarchy import nests_in
from lipgeo.report import Faults, Finding, finding
from lipgeo.words import number, say

__all__ = ["codes_of", "entries", "levels_named", "partition", "polygons_of", "resolve"]

_DGUID = r"^\d{4}[AS]\d{4}\S+$"
#: digits with the marks spreadsheets put into them, or a forward sortation area
_CODE = r"^[\"']?(?:\d[\d .,\u00a0\u202f]*(?:[Ee][+]?\d+)?|[A-Za-z]\d[A-Za-z])[\"']?$"
#: what stands between several units in one cell
_BETWEEN = r"\s*[;|\n]\s*"
_EXCLUDE = {"exclude", "excluded", "exclure", "exclu", "exclus", "exclusion", "minus", "moins"}
_INCLUDE = {"", "include", "included", "inclure", "inclus", "inclusion", "plus"}


def entries(
    units: Mapping[str, Sequence[str]] | pd.DataFrame,
    exclude: Mapping[str, Sequence[str]] | None = None,
    names: Mapping[str, str | tuple[str, str]] | None = None,
) -> pd.DataFrame:
    """Bring a unit list to one form.

    Returns
    -------
    pandas.DataFrame
        One row a listed unit, RangeIndex; columns ``line`` (where it stood, for messages),
        ``area_id`` (as given), ``level, unit, province, mode`` (text, ``unit`` a code, a DGUID or
        a name, ``mode`` as given), and ``name_en, name_fr, valid_from, valid_to`` as given.

    Raises
    ------
    AreaError
        The list has no rows or lacks a column.
    """
    if isinstance(units, pd.DataFrame):
        frame = _from_frame(units)
    else:
        _require_lists(units)
        _require_lists(exclude or {})
        modes = {"": units, "exclude": exclude or {}}
        listed_units = [
            (area, unit, mode)
            for mode, lists in modes.items()
            for area, listed in lists.items()
            for unit in ([listed] if isinstance(listed, str) else listed)
        ]
        frame = pd.DataFrame(listed_units, columns=["area_id", "unit", "mode"])
        frame["unit"] = _text(frame["unit"].astype(object))  # a bare number may come
        frame.insert(0, "line", np.arange(1, len(frame) + 1))
        frame["level"] = frame["province"] = ""
        none = [area for area, listed in units.items() if len(listed) == 0]
        if none:
            raise AreaError("areas.empty_list", [{"area_id": area} for area in none], areas=none)
    if frame.empty:
        raise AreaError("areas.no_rows")
    for column in TEXTS:
        if column not in frame:
            frame[column] = pd.NA
    if names is not None:
        strangers = [area for area in names if area not in set(frame["area_id"])]
        if strangers:
            raise AreaError(
                "areas.names_of_strangers",
                [{"area_id": area} for area in strangers],
                areas=strangers,
            )
        pairs = {
            area: (name, pd.NA) if isinstance(name, str) else name for area, name in names.items()
        }
        for place, column in enumerate(("name_en", "name_fr")):
            frame[column] = frame["area_id"].map(
                {area: pair[place] for area, pair in pairs.items()}
            )
    return _without_prefix(_split_cells(frame))


def _require_lists(units: object) -> None:
    """Refuse what is no mapping of areas to texts or lists of them."""
    if not isinstance(units, Mapping):
        raise AreaError("areas.not_a_unit_list", given=type(units).__name__)
    odd = [area for area, listed in units.items() if not isinstance(listed, Collection)]
    if odd:
        kinds = sorted({type(units[area]).__name__ for area in odd})
        problems = [{"area_id": area} for area in odd]
        raise AreaError("areas.units_not_listed", problems, areas=odd, kinds=kinds)


def _split_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Take apart cells that hold several units: ``CSD:4815035; CSD:4815032``."""
    several = frame["unit"].str.contains(_BETWEEN)
    if not several.any():
        return frame
    units = frame["unit"].where(~several, frame["unit"].str.strip(";| ").str.split(_BETWEEN))
    apart = frame.assign(unit=units).explode("unit", ignore_index=True)
    apart["unit"] = apart["unit"].str.strip()
    return apart[~(apart["unit"].eq("") & apart["line"].isin(frame.loc[several, "line"]))]


def _without_prefix(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the level off units that have it before them: ``CSD:4806016``, ``CSD: Windsor, ON``."""
    frame = frame.reset_index(drop=True)
    parts = frame["unit"].str.partition(":")
    colon = parts[1].eq(":")
    # a colon may also belong to a name whose level stands in a column of its own
    levels = [text for text in parts.loc[colon, 0].unique() if _is_level(text)]
    prefixed = colon & (frame["level"].eq("") | parts[0].isin(levels))
    frame["level"] = frame["level"].where(~prefixed, parts[0].str.strip())
    frame["unit"] = frame["unit"].where(~prefixed, parts[2].str.strip())
    return frame


def _is_level(text: str) -> bool:
    try:
        geography.level(text)
    except InputError:
        return False
    return True


def _from_frame(units: pd.DataFrame) -> pd.DataFrame:
    columns = set(units.columns)
    named = columns & {"unit", "unit_id", "unit_name"}
    if "area_id" not in columns or not named or ("unit" not in columns and "level" not in columns):
        raise AreaError("areas.list_columns", columns=list(map(str, units.columns)))
    frame = pd.DataFrame({"area_id": units["area_id"].to_numpy()})
    # a table that was read says in its index which row of the file each line stood in
    lines = units.index if units.index.name == "row" else np.arange(1, len(units) + 1)
    frame.insert(0, "line", lines)
    for column in ("level", "province", "mode"):
        frame[column] = _text(units[column]) if column in columns else ""
    frame["unit"] = ""
    for column in ("unit", "unit_id", "unit_name"):  # the first that says something
        if column in columns:
            said = _text(units[column])
            frame["unit"] = frame["unit"].where(frame["unit"].ne("").to_numpy(), said)
    for column in TEXTS:
        if column in columns:
            frame[column] = units[column].to_numpy()
    return frame


def _text(values: pd.Series) -> npt.NDArray[np.object_]:
    text = values.astype("string").fillna("").str.strip()
    return np.asarray(text.to_numpy(dtype=object))


def levels_named(entries: pd.DataFrame, vintage: int) -> tuple[str, ...]:
    """Return the levels that entries name, finest first; words that are no level are passed over.

    Needs no census, so it can tell which files a list needs.
    """
    named = {found for text in entries["level"].unique() if (found := _level_code(text, vintage))}
    dguids = entries.loc[entries["unit"].str.match(_DGUID), "unit"]
    for example in dguids.groupby(dguids.str[:9]).first():
        try:
            named.add(geography.parse_dguid(example).level)
        except InputError:
            continue
    return tuple(level for level in geography.levels(vintage) if level in named)


def _level_code(text: str, vintage: int) -> str:
    try:
        return geography.require_level(text, vintage).code
    except InputError:
        return ""


def resolve(
    entries: pd.DataFrame, census: Census, faults: Faults
) -> tuple[pd.DataFrame, list[Finding]]:
    """Resolve listed codes, DGUIDs and names to units of the census.

    Returns
    -------
    pandas.DataFrame
        One row a resolved entry; columns ``line, area_id, level, unit_id, census_row,
        exclude``. Entries that are no unit are left out, and said in ``faults``.
    list of Finding
        Codes that were restored.
    """
    listed = entries[["line", "area_id", "province"]].copy()
    listed["given"] = entries["unit"].where(
        entries["level"].eq(""), entries["level"] + ":" + entries["unit"]
    )
    mode = entries["mode"].str.casefold()
    listed["exclude"] = mode.isin(_EXCLUDE)
    _fault(faults, "areas.unknown_modes", listed[~mode.isin(_EXCLUDE | _INCLUDE)])
    blank = entries["unit"].eq("")
    _fault(faults, "areas.no_unit", listed[blank])
    listed["unit_id"] = entries["unit"]
    listed["level"] = _levels(entries["level"], census.vintage, listed, faults)
    is_dguid = listed["unit_id"].str.match(_DGUID)
    _open_dguids(listed, is_dguid, census, faults)
    is_code = is_dguid | listed["unit_id"].str.match(_CODE)
    no_level = listed["level"].isna() & entries["level"].eq("") & ~is_dguid & ~blank
    _fault(faults, "areas.no_level", listed[no_level])

    findings: list[Finding] = []
    listed["census_row"] = -1
    for level in listed.loc[listed["level"].notna() & ~blank, "level"].unique():
        of_level = listed["level"].eq(level) & ~blank
        if level not in census.levels:
            held = ", ".join(census.levels)
            _fault(faults, "areas.level_not_held", listed[of_level], level=level, held=held)
            continue
        if level != census.atom_level and level not in census.data.columns(census.atom_level):
            atoms = census.atom_level
            _fault(faults, "areas.level_not_tied", listed[of_level], level=level, atoms=atoms)
            continue
        findings += _codes(listed, of_level & is_code, level, census, faults)
        _names(listed, of_level & ~is_code, level, census, faults)
    resolved = listed[listed["census_row"] >= 0].reset_index(drop=True)
    return resolved.drop(columns=["given", "province"]), findings


def _fault(faults: Faults, key: str, listed: pd.DataFrame, /, **values: Any) -> None:
    """Add a fault of listed units: the sentence names the units as they were written."""
    bad = listed[["line", "area_id", "given"]].rename(columns={"line": "row"})
    faults.add(
        key, bad.to_dict("records"), units=list(bad["given"]), rows=list(bad["row"]), **values
    )


def _levels(given: pd.Series, vintage: int, listed: pd.DataFrame, faults: Faults) -> pd.Series:
    codes: dict[str, str] = {}
    for text in given[given.ne("")].unique():
        try:
            codes[text] = geography.require_level(text, vintage).code
        except InputError as error:
            _fault(faults, "areas.unknown_level", listed[given.eq(text)], reason=str(error))
    return given.map(codes).astype("string")


def _open_dguids(listed: pd.DataFrame, is_dguid: pd.Series, census: Census, faults: Faults) -> None:
    """Put level and id of DGUIDs in place; the first nine characters fix vintage and level."""
    for head in listed.loc[is_dguid, "unit_id"].str[:9].unique():
        of_head = is_dguid & listed["unit_id"].str.startswith(head)
        example = listed.loc[of_head, "unit_id"].iloc[0]
        try:
            dguid = geography.parse_dguid(example)
        except InputError as error:
            _fault(faults, "areas.bad_dguids", listed[of_head], reason=str(error))
            listed.loc[of_head, "level"] = pd.NA
            continue
        if census.vintage not in dguid.censuses:
            _fault(
                faults,
                "areas.other_vintage",
                listed[of_head],
                came=head[:4],
                vintage=str(census.vintage),
            )
            listed.loc[of_head, "level"] = pd.NA
            continue
        differs = of_head & listed["level"].notna() & listed["level"].ne(dguid.level)
        if differs.any():
            _fault(
                faults,
                "areas.level_against_dguid",
                listed[differs],
                level=dguid.level,
                said=list(listed.loc[differs, "level"].unique()),
            )
        listed.loc[of_head, "level"] = dguid.level
        listed.loc[of_head, "unit_id"] = listed.loc[of_head, "unit_id"].str[9:]


def _codes(
    listed: pd.DataFrame, these: pd.Series, level: str, census: Census, faults: Faults
) -> list[Finding]:
    """Restore codes of one level and look them up; unknown ones are diagnosed in ``faults``."""
    if not these.any():
        return []
    restored = geography.restore_ids(listed.loc[these, "unit_id"], level, census.vintage)
    refused = these.copy()
    refused[these] = restored.ids.isna().to_numpy()
    good = these & ~refused
    listed.loc[these, "unit_id"] = restored.ids.to_numpy(dtype=object)
    if refused.any():
        reasons = sorted(set(restored.refused["reason"].astype(str)))
        _fault(
            faults,
            "areas.refused_codes",
            listed[refused],
            level=level,
            vintage=census.vintage,
            reasons="; ".join(reasons),
        )
    listed.loc[good, "census_row"] = census.find_rows(level, listed.loc[good, "unit_id"])
    _diagnose(listed[good & listed["census_row"].lt(0)], level, census, faults)
    return list(restored.report)


def _diagnose(unknown: pd.DataFrame, level: str, census: Census, faults: Faults) -> None:
    """Say of unknown codes whether the level, the province or the vintage is the likely error."""
    for other in census.levels:
        if other == level or unknown.empty:
            continue
        here = census.find_rows(other, unknown["unit_id"]) >= 0
        _fault(faults, "areas.other_level", unknown[here], level=level, other=other)
        unknown = unknown[~here]
    if unknown.empty:
        return
    if "PR" in geography.parents_by_id(level, census.vintage):
        held = _provinces(census)
        elsewhere = ~unknown["unit_id"].str[:2].isin(held)
        _fault(
            faults,
            "areas.province_not_held",
            unknown[elsewhere],
            level=level,
            provinces=sorted(set(unknown.loc[elsewhere, "unit_id"].str[:2])),
            held=sorted(held),
        )
        unknown = unknown[~elsewhere]
    _fault(faults, "areas.not_in_vintage", unknown, level=level, vintage=census.vintage)


def _provinces(census: Census) -> set[str]:
    if "PR" in census.levels:
        return set(census.ids("PR"))
    return {atom[:2] for atom in census.ids(census.atom_level)}


def _names(
    listed: pd.DataFrame,
    these: pd.Series,
    level: str,
    census: Census,
    faults: Faults,
) -> None:
    """Look names up; a name that several units bear is refused with its candidates."""
    for place in np.flatnonzero(these.fillna(False).to_numpy(dtype=bool)):
        entry = listed.iloc[[place]]
        name, province = entry["unit_id"].iloc[0], entry["province"].fillna("").iloc[0]
        try:
            found = census.find(name, level=level, province=province or None)
        except InputError as error:  # the province is none of the thirteen
            _fault(faults, "areas.unknown_province", entry, reason=str(error))
            continue
        bearers = found[found["match"].isin(["exact", "code"])]
        if len(bearers) == 1:
            unit_id = bearers["unit_id"].iloc[0]
            listed.loc[listed.index[place], ["unit_id", "census_row"]] = [
                unit_id,
                int(census.rows(level, [unit_id])[0]),
            ]
        elif len(bearers):
            candidates = _describe_candidates(bearers)
            _fault(faults, "areas.ambiguous_names", entry, level=level, candidates=candidates)
            faults.rows[-1]["candidates"] = candidates
        elif len(found):
            candidates = _describe_candidates(found)
            _fault(faults, "areas.near_names", entry, level=level, candidates=candidates)
        else:
            _fault(faults, "areas.unknown_names", entry, level=level, vintage=census.vintage)


def _describe_candidates(candidates: pd.DataFrame) -> list[str]:
    """Return candidates as messages name them: code, name, type and province, people."""
    type_ = candidates["type"].fillna("")
    place = (type_ + ", " + candidates["province"].fillna("")).str.strip(", ")
    code = candidates["level"] + ":" + candidates["unit_id"]
    return [
        say("areas.candidate", unit=unit, name=name, place=where, people=people)
        if pd.notna(people)
        else f"{unit} {name} ({where})"
        for unit, name, where, people in zip(
            code, candidates["name"], place, candidates["population"], strict=True
        )
    ]


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
    """Return the units of one area without overlaps and exclusions; see :func:`partition`."""
    # the atoms of each unit, one unit after another
    owner, atom = unit_atoms(census, listed)
    order = np.argsort(owner, kind="stable")
    owner, atom = owner[order], atom[order]
    starts = np.searchsorted(owner, np.arange(len(listed) + 1))
    levels, ids = (listed[c].to_numpy(dtype=object) for c in ("level", "unit_id"))
    codes = np.array(codes_of(listed), dtype=object)
    out = listed["exclude"].to_numpy(dtype=bool)
    count = census.size(census.atom_level)
    forbidden = np.zeros(count, dtype=bool)
    forbidden[atom[out[owner]]] = True
    # which unit holds each atom; the largest come first and stay whole
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
        values = {"area": area, "unit": codes[unit]}
        values["made"] = [f"{number(len(children))} {level}" for level, children in opened]
        if forbidden[mine].any():
            findings.append(finding("areas.opened_for_exclusion", "note", area, **values))
        if others:
            values["others"] = list(others)
            findings.append(finding("areas.opened_for_overlap", "warning", area, **values))
    findings += [
        finding("areas.nested_units", "warning", area, area=area, units=units, others=others)
        if others
        else finding("areas.excluded_whole", "warning", area, area=area, units=units)
        for others, units in inside.items()
    ]
    # exclusions that touch nothing of the area
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
    # level by level: units all of whose atoms are left stand for them
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
        census_rows = census.rows(child, ids)
        owner, _ = census.atoms(child, census_rows)
        whole = have == np.bincount(owner, minlength=len(ids))
        if level not in nests_in(child, census.vintage):
            # of an extract, what is held of the child may lie inside and the rest outside
            whole &= proofs.proven(child, census_rows)
        if whole.any():
            opened.append((child, sorted(np.asarray(ids, dtype=object)[whole])))
            left = left[(codes < 0) | ~whole[codes]]
    if len(left):
        ids = census.data.attributes(census.atom_level, ["unit_id"], left)["unit_id"]
        opened.append((census.atom_level, sorted(ids)))
    return opened


def _unit_names(members: pd.DataFrame, census: Census) -> pd.Series:
    names = pd.Series(pd.NA, index=members.index, dtype="string")
    for level, these, census_rows in rows_by_level(census, members):
        if "unit_name" in census.data.columns(level):
            found = census.data.attributes(level, ["unit_name"], census_rows)["unit_name"]
            names.iloc[these] = found.astype("string").to_numpy()
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
    for level, these, census_rows in rows_by_level(census, units):
        # a unit that several areas list is read once
        different, back = np.unique(census_rows, return_inverse=True)
        polygons = census.data.geometry(level, different)[back]
        bare = np.array([polygon is None for polygon in polygons], dtype=bool)
        shapes.append(polygons[~bare])
        owners.append(these[~bare])
        if bare.any() and level != census.atom_level:
            owner, atom = census.atoms(level, census_rows[bare])
            shapes.append(census.data.geometry(census.atom_level, atom))
            owners.append(these[bare][owner])
    return np.concatenate(shapes), np.concatenate(owners)
