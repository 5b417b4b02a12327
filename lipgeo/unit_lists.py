"""From what people list to units of the census: codes and names resolved, overlaps undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.census import CHAIN, Census, Rows
from lipgeo.errors import AreaError, InputError
from lipgeo.faults import Faults, finding
from lipgeo.fields import TEXTS
from lipgeo.report import Finding

__all__ = ["atoms_of", "codes_of", "entries", "incomplete", "partition", "polygons_of", "resolve"]

_DGUID = r"^\d{4}[AS]\d{4}\S+$"
#: digits with the marks spreadsheets put into them, or a forward sortation area
_CODE = r"^(?:[\d][\d .,\u00a0\u202f]*|[A-Za-z]\d[A-Za-z])$"
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
        One row a listed unit, RangeIndex; columns ``row`` (where it stood, for messages),
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
        modes = {"": units, "exclude": exclude or {}}
        rows = [
            (area, unit, mode)
            for mode, lists in modes.items()
            for area, listed in lists.items()
            for unit in ([listed] if isinstance(listed, str) else listed)
        ]
        frame = pd.DataFrame(rows, columns=["area_id", "unit", "mode"])
        frame.insert(0, "row", np.arange(1, len(frame) + 1))
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
    # the level may stand before the unit: "CSD:4806016", "CSD: Windsor, ON"
    prefixed = frame["unit"].str.contains(":", regex=False)
    if prefixed.any():
        parts = frame.loc[prefixed, "unit"].str.partition(":")
        frame.loc[prefixed, "level"] = parts[0].str.strip()
        frame.loc[prefixed, "unit"] = parts[2].str.strip()
    return frame


def _from_frame(units: pd.DataFrame) -> pd.DataFrame:
    columns = set(units.columns)
    named = columns & {"unit", "unit_id", "unit_name"}
    if "area_id" not in columns or not named or ("unit" not in columns and "level" not in columns):
        raise AreaError("areas.list_columns", columns=list(map(str, units.columns)))
    frame = pd.DataFrame({"area_id": units["area_id"].to_numpy()})
    rows = units.index if units.index.name == "row" else np.arange(1, len(units) + 1)
    frame.insert(0, "row", rows)
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


def resolve(
    entries: pd.DataFrame, census: Census, faults: Faults
) -> tuple[pd.DataFrame, list[Finding]]:
    """Resolve listed codes, DGUIDs and names to units of the census.

    Returns
    -------
    pandas.DataFrame
        One row a resolved entry; columns ``row, area_id, level, unit_id, unit_row, exclude``
        (``unit_row`` the position in the level). Entries that are none are left out, and said
        in ``faults``.
    list of Finding
        Codes that were restored.
    """
    listed = entries[["row", "area_id", "province"]].copy()
    listed["given"] = entries["unit"].where(
        entries["level"].eq(""), entries["level"] + ":" + entries["unit"]
    )
    mode = entries["mode"].str.casefold()
    listed["exclude"] = mode.isin(_EXCLUDE)
    _fault(faults, "areas.unknown_modes", listed[~mode.isin(_EXCLUDE | _INCLUDE)])
    listed["unit_id"] = entries["unit"]
    listed["level"] = _levels(entries["level"], census.vintage, listed, faults)
    is_dguid = listed["unit_id"].str.match(_DGUID)
    _open_dguids(listed, is_dguid, census, faults)
    is_code = is_dguid | listed["unit_id"].str.match(_CODE)
    no_level = listed["level"].isna() & entries["level"].eq("") & ~is_dguid
    _fault(faults, "areas.no_level", listed[no_level])

    findings: list[Finding] = []
    listed["unit_row"] = -1
    for level in listed.loc[listed["level"].notna(), "level"].unique():
        of_level = listed["level"].eq(level)
        if level not in census.levels:
            held = ", ".join(census.levels)
            _fault(faults, "areas.level_not_held", listed[of_level], level=level, held=held)
            continue
        findings += _codes(listed, of_level & is_code, level, census, faults)
        _names(listed, of_level & ~is_code, level, census, faults)
    resolved = listed[listed["unit_row"] >= 0].reset_index(drop=True)
    return resolved.drop(columns=["given", "province"]), findings


def _fault(faults: Faults, key: str, listed: pd.DataFrame, /, **values: Any) -> None:
    """Add a fault of listed units: the sentence names the units as they were written."""
    rows = listed[["row", "area_id", "given"]].to_dict("records")
    faults.add(key, rows, units=list(listed["given"]), rows=list(listed["row"]), **values)


def _levels(given: pd.Series, vintage: int, listed: pd.DataFrame, faults: Faults) -> pd.Series:
    codes: dict[str, str] = {}
    for text in given[given.ne("")].unique():
        try:
            codes[text] = geography.require_level(text, vintage).code
        except InputError as error:
            _fault(faults, "areas.unknown_level", listed[given.eq(text)], reason=str(error))
    return given.map(codes)


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
    index = pd.Index(census.data.attributes(level, ["unit_id"])["unit_id"].to_numpy(dtype=object))
    found = index.get_indexer(pd.Index(listed.loc[good, "unit_id"].to_numpy(dtype=object)))
    listed.loc[good, "unit_row"] = found
    _diagnose(listed[good & listed["unit_row"].lt(0)], level, census, faults)
    return list(restored.report)


def _diagnose(unknown: pd.DataFrame, level: str, census: Census, faults: Faults) -> None:
    """Say of unknown codes whether the level, the province or the vintage is the likely error."""
    for other in census.levels:
        if other == level or unknown.empty:
            continue
        ids = census.data.attributes(other, ["unit_id"])["unit_id"]
        here = unknown["unit_id"].isin(ids)
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
        return set(census.data.attributes("PR", ["unit_id"])["unit_id"])
    atoms = census.data.attributes(census.atom_level, ["unit_id"])["unit_id"]
    return set(atoms.str[:2])


def _names(
    listed: pd.DataFrame,
    these: pd.Series,
    level: str,
    census: Census,
    faults: Faults,
) -> None:
    """Look names up; a name that several units bear is refused with its candidates."""
    for position in np.flatnonzero(these):
        entry = listed.iloc[[position]]
        given = str(entry["unit_id"].iloc[0])
        found, near = _bearers(given, str(entry["province"].iloc[0]), level, census)
        if len(found) == 1:
            unit_id = found["unit_id"].iloc[0]
            listed.loc[listed.index[position], ["unit_id", "unit_row"]] = [
                unit_id,
                int(census.rows(level, [unit_id])[0]),
            ]
        elif len(found):
            _fault(faults, "areas.ambiguous_names", entry, level=level, candidates=_shown(found))
            faults.rows[-1]["candidates"] = list(found["unit_id"])
        elif len(near):
            _fault(faults, "areas.near_names", entry, level=level, candidates=_shown(near))
        else:
            _fault(faults, "areas.unknown_names", entry, level=level, vintage=census.vintage)


def _bearers(
    name: str, province: str, level: str, census: Census
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the units of a level that bear a name, and those that nearly do.

    The name may end in a province or a type that tells units apart: ``Windsor, ON``,
    ``Langley (DM)``.
    """
    readings = [(name, "")]
    head, mark, tail = name.rpartition("(") if name.endswith(")") else name.rpartition(",")
    if mark:
        readings.append((head.strip(), tail.strip(" )")))
    near = pd.DataFrame()
    for text, qualifier in readings:
        candidates = census.find(text)
        candidates = candidates[candidates["level"] == level]
        same = candidates[candidates["name"].map(geography.fold) == geography.fold(text)]
        for wanted in (province, qualifier):
            if wanted:
                folded = geography.fold(wanted)
                fits = same["province"].map(geography.fold).eq(folded)
                fits |= same["type"].fillna("").map(geography.fold).eq(folded)
                fits |= same["unit_id"].str[:2].eq(wanted)
                same = same[fits]
        if len(same):
            return same, near
        near = candidates if near.empty else near
    return near.iloc[:0], near


def _shown(candidates: pd.DataFrame) -> list[str]:
    return [
        f"{row.level}:{row.unit_id} {row.name_} ({row.type}, {row.province})"
        for row in candidates.rename(columns={"name": "name_"}).itertuples()
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
    return members, findings


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


def incomplete(units: pd.DataFrame, census: Census) -> list[Finding]:
    """Return a warning for each listed unit of which the census holds less than is published.

    Told by the published number of its finest units, else by its published population.
    """
    published = census.data.meta["published"]
    counted = f"{census.atom_level.lower()}_count"
    findings = []
    for level in units["level"].unique():
        totals = published.get(level, {})
        of_level = units[units["level"].eq(level)]
        if level == census.atom_level or not totals:
            continue
        rows = census.rows(level, of_level["unit_id"].to_numpy(dtype=object))
        owner, atom = census.atoms(level, rows)
        people = census.data.attributes(census.atom_level, ["population"], atom)["population"]
        held = {
            counted: np.bincount(owner, minlength=len(rows)),
            "population": np.bincount(owner, people.fillna(0), minlength=len(rows)),
        }
        for at, unit in enumerate(of_level.itertuples()):
            known = totals.get(unit.unit_id) or {}
            what = next((key for key in (counted, "population") if key in known), None)
            if what is None or not held[what][at] < known[what]:
                continue
            findings.append(
                finding(
                    f"areas.incomplete_{'population' if what == 'population' else 'count'}",
                    "warning",
                    unit.area_id,
                    value=float(held[what][at]),
                    limit=float(known[what]),
                    area=unit.area_id,
                    unit=f"{level}:{unit.unit_id}",
                    held=held[what][at],
                    published=known[what],
                    level=census.atom_level,
                )
            )
    return findings
