"""From what people list to units of the census: codes, DGUIDs and names resolved or refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.areas.faults import Faults
from lipgeo.areas.fields import TEXTS
from lipgeo.census import Census
from lipgeo.errors import AreaError, InputError
from lipgeo.report import Finding
from lipgeo.words import say

__all__ = ["entries", "levels_named", "resolve"]

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
        _require_lists(units)
        _require_lists(exclude or {})
        modes = {"": units, "exclude": exclude or {}}
        rows = [
            (area, unit, mode)
            for mode, lists in modes.items()
            for area, listed in lists.items()
            for unit in ([listed] if isinstance(listed, str) else listed)
        ]
        frame = pd.DataFrame(rows, columns=["area_id", "unit", "mode"])
        frame["unit"] = _text(frame["unit"].astype(object))  # a bare number may come
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
    return _without_prefix(_one_a_row(frame))


def _require_lists(units: object) -> None:
    """Refuse what is no mapping of areas to texts or lists of them."""
    if not isinstance(units, Mapping):
        raise AreaError("areas.not_a_unit_list", given=type(units).__name__)
    odd = [area for area, listed in units.items() if not isinstance(listed, Collection)]
    if odd:
        kinds = sorted({type(units[area]).__name__ for area in odd})
        problems = [{"area_id": area} for area in odd]
        raise AreaError("areas.units_not_listed", problems, areas=odd, kinds=kinds)


def _one_a_row(frame: pd.DataFrame) -> pd.DataFrame:
    """Take apart cells that hold several units: ``CSD:4815035; CSD:4815032``."""
    several = frame["unit"].str.contains(_BETWEEN)
    if not several.any():
        return frame
    units = frame["unit"].where(~several, frame["unit"].str.strip(";| ").str.split(_BETWEEN))
    apart = frame.assign(unit=units).explode("unit", ignore_index=True)
    apart["unit"] = apart["unit"].str.strip()
    return apart[~(apart["unit"].eq("") & apart["row"].isin(frame.loc[several, "row"]))]


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
    listed["unit_row"] = -1
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
        name, province = entry["unit_id"].iloc[0], entry["province"].iloc[0]
        try:
            found = census.find(name, level=level, province=province or None)
        except InputError as error:  # the province is none of the thirteen
            _fault(faults, "areas.unknown_province", entry, reason=str(error))
            continue
        bearers = found[found["match"].isin(["exact", "code"])]
        if len(bearers) == 1:
            unit_id = bearers["unit_id"].iloc[0]
            listed.loc[listed.index[position], ["unit_id", "unit_row"]] = [
                unit_id,
                int(census.rows(level, [unit_id])[0]),
            ]
        elif len(bearers):
            shown = _shown(bearers)
            _fault(faults, "areas.ambiguous_names", entry, level=level, candidates=shown)
            faults.rows[-1]["candidates"] = shown
        elif len(found):
            _fault(faults, "areas.near_names", entry, level=level, candidates=_shown(found))
        else:
            _fault(faults, "areas.unknown_names", entry, level=level, vintage=census.vintage)


def _shown(candidates: pd.DataFrame) -> list[str]:
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
