"""Resolve registry ids to service areas; what cannot be is refused, each with its reason.

Units that ceased to exist between two censuses are told with what they became.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.census.census import Census
from lipgeo.errors import AreaError, IdError, RegistryError
from lipgeo.geography import parse_unit
from lipgeo.registry.table import Registry, listed_codes, open_registry
from lipgeo.report import CheckReport, Finding, finding, keep_notes
from lipgeo.words import listing, say
from lipgeo.zones.validity import SLIVER_SHARE, make_valid_polygons

__all__ = ["DRAFT", "became", "ceased_sentence", "resolve", "units"]


def became(level: str, unit_id: str, earlier: Census, census: Census) -> pd.DataFrame:
    """Return the units of a census that lie where a unit of an earlier one lay.

    By polygons where both hold them, else by name.

    Parameters
    ----------
    level, unit_id
        The unit, in the earlier census.
    earlier, census
        The two.

    Returns
    -------
    pandas.DataFrame
        Most first: ``unit_id, unit_name`` (text), ``population`` (persons in ``census``, NaN where
        missing), ``share`` of the old unit's surface now in it (NaN where found by name).

    Raises
    ------
    UnknownUnitError, MissingLevelError
        The earlier census does not hold the unit, or one of them not the level.
    """
    row = earlier.rows(level, [unit_id])
    now = census.units(level)
    old, *_ = make_valid_polygons(earlier.data.geometry(level, row))
    boxes = census.data.boxes(level)
    if old[0] is None or np.isnan(boxes).all():
        name = earlier.units(level)["unit_name"].iloc[int(row[0])]
        found = census.find(name, level=level) if pd.notna(name) else pd.DataFrame()
        ids = found["unit_id"] if len(found) else pd.Series(dtype="string")
        shares = pd.Series(np.nan, index=pd.Index(ids))
    else:
        west, south, east, north = np.nan_to_num(boxes, nan=np.inf).T
        x0, y0, x1, y1 = old[0].bounds
        near = np.flatnonzero((west <= x1) & (east >= x0) & (south <= y1) & (north >= y0))
        new, *_ = make_valid_polygons(census.data.geometry(level, near.astype(np.int64)))
        inside = shapely.area(shapely.intersection(new, old[0])) / old[0].area
        shares = pd.Series(inside, index=now.index[near])
        shares = shares[shares >= SLIVER_SHARE].sort_values(ascending=False, kind="stable")
    frame = now.reindex(shares.index)[["unit_name", "population"]]
    return frame.assign(share=shares.to_numpy()).rename_axis("unit_id").reset_index()


def ceased_sentence(codes: Iterable[str], census: Census, earlier: Census | None) -> str:
    """Say of each unit that only the earlier census holds what it became; empty where none is.

    Parameters
    ----------
    codes
        Units as people write them, ``CSD:1301006``; what is no unit of the earlier census is
        passed over.
    """
    if earlier is None:
        return ""
    said = []
    for code in dict.fromkeys(codes):
        try:
            level, unit_id = parse_unit(str(code), earlier.vintage)
        except IdError:
            continue
        if level not in earlier.levels or level not in census.levels:
            continue
        before = earlier.units(level)
        if unit_id in census.units(level).index or unit_id not in before.index:
            continue
        heirs = became(level, unit_id, earlier, census)
        shown = [
            say(
                "registry.heir" if pd.notna(heir.share) else "registry.heir_by_name",
                unit=f"{level}:{heir.unit_id}",
                name=heir.unit_name if pd.notna(heir.unit_name) else "",
                share=heir.share,
            )
            for heir in heirs.itertuples(index=False)
        ]
        name = before.loc[unit_id, "unit_name"]
        said.append(
            say(
                "registry.became" if shown else "registry.became_nothing",
                unit=f"{level}:{unit_id}",
                name="" if pd.isna(name) else name,
                vintage=str(earlier.vintage),
                now=str(census.vintage),
                heirs=listing(shown),
            )
        )
    return " ".join(said)


#: put before the id of an area that was not resolved cleanly, so that no output lacks the word
DRAFT = "DRAFT-"


@dataclass(frozen=True)
class _Reading:
    """Units taken for one id, or why none were."""

    codes: list[str]
    refusal: str = ""
    reason: str = ""
    valid_from: str = ""
    valid_to: str = ""


def units(
    ids: str | Iterable[str],
    *,
    draft: bool = False,
    on: str | None = None,
    folder: str | Path | None = None,
) -> pd.DataFrame:
    """Return the census units that registry ids stand for, as their sources write them.

    Parameters
    ----------
    ids
        Registry ids, or one text with commas between. ``id@choice`` says which of several readings
        is meant: the name of a definition (``ab-calgary@cma``), a unit listed as an alternative
        (``ab-medicine-hat@CSD:4801006``) or a day (``ab-calgary@2019-06-30``).
    draft
        Go on where an entry is not resolved: with the first reading, or without the missing units.
        The area's id and names then begin with DRAFT.
    on
        The day (ISO date) whose definition is meant, for ids without a choice.
    folder
        A registry of one's own.

    Returns
    -------
    pandas.DataFrame
        One row a unit: ``area_id, unit`` (``CSD:4806016``), ``name_en, name_fr, valid_from,
        valid_to`` (text, missing where not known), as
        :meth:`lipgeo.ServiceAreas.from_units` takes it, with notes.

    Raises
    ------
    RegistryError
        Ids are not in the registry; or entries need a choice, lack units, are placeholders or
        unknown: ``problems`` has one row each, ``area_id, status, reason``.

    Examples
    --------
    >>> from lipgeo import registry
    >>> registry.units("nb-moncton")["unit"].tolist()
    ['CSD:1307022', 'CSD:1307045', 'CSD:1306020']
    """
    registry = open_registry(folder)
    asked = _split(ids)
    entries = registry.entries([name for name, _ in asked])
    rows: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for (name, choice), (_, entry) in zip(asked, entries.iterrows(), strict=True):
        reading = _read(registry, entry, name, choice or on or "")
        mark = ""
        if reading.refusal:
            known = {"area_id": name, "status": reading.refusal, "reason": reading.reason}
            if not draft or reading.refusal == "bad_choice":
                problems.append(known)
                continue
            mark, reading = DRAFT, _draft_reading(entry, reading)
            if not reading.codes:
                findings.append(finding("registry.draft_without_units", "error", name, area=name))
                continue
            area = mark + name
            reason = known["reason"]
            findings.append(
                finding("registry.draft", "warning", area, area=area, units=reading.codes,
                        reason=reason)
            )  # fmt: skip
        rows += [
            {
                "area_id": mark + name,
                "unit": code,
                "name_en": _mark_name(entry["name_en"], mark),
                "name_fr": _mark_name(entry["name_fr"], mark),
                "valid_from": reading.valid_from or pd.NA,
                "valid_to": reading.valid_to or pd.NA,
            }
            for code in reading.codes
        ]
    if problems:
        reasons = " ".join(problem["reason"] for problem in problems)
        raise RegistryError("registry.unresolved", problems, count=len(problems), reasons=reasons)
    if not rows:
        raise RegistryError("registry.nothing_to_draft", ids=[name for name, _ in asked])
    frame = pd.DataFrame(rows, dtype="string").drop_duplicates(ignore_index=True)
    keep_notes(frame, CheckReport([*findings, *_notes(entries)]))
    return frame


def resolve(
    ids: str | Iterable[str],
    census: Census,
    *,
    draft: bool = False,
    on: str | None = None,
    earlier: Census | None = None,
    folder: str | Path | None = None,
) -> ServiceAreas:
    """Return the service areas that registry ids stand for, as units of a census.

    Parameters
    ----------
    ids, draft, on, folder
        See :func:`lipgeo.registry.units`.
    census
        The census whose units are wanted.
    earlier
        An older census: says what units that ceased to exist became.

    Returns
    -------
    ServiceAreas
        Unit lists. ``report`` says what is a draft, which extents are only assumed, and of which
        census the codes were checked.

    Raises
    ------
    RegistryError
        As for :func:`lipgeo.registry.units`; or units ceased to exist before this census.
    AreaError
        A unit is not in the census held.
    """
    listed = units(ids, draft=draft, on=on, folder=folder)
    try:
        areas = ServiceAreas.from_units(listed, census)
    except AreaError as error:
        became = ceased_sentence(listed["unit"], census, earlier)
        if not became:
            raise
        raise RegistryError(
            "registry.ceased", error.rows, became=became, vintage=census.vintage
        ) from error
    return areas


def _split(ids: str | Iterable[str]) -> list[tuple[str, str]]:
    several = ids.split(",") if isinstance(ids, str) else list(ids)
    pairs = [one.strip().partition("@") for one in several if one.strip()]
    if not pairs:
        raise RegistryError("registry.no_ids")
    split = [(name.strip(), choice.strip()) for name, _, choice in pairs]
    # one id, one area: an id asked for under two readings would be one area twice
    return list(dict(reversed(split)).items())[::-1]


def _read(registry: Registry, entry: pd.Series, name: str, choice: str) -> _Reading:
    definitions = registry.definitions[registry.definitions["lip_id"].eq(name)]
    if choice:
        return _choose_definition(entry, definitions, name, choice)
    if entry["units_status"] == "resolved" and not entry["missing_units"]:
        return _Reading(listed_codes(entry["units"]))
    status = "missing" if entry["missing_units"] else str(entry["units_status"])
    if entry["units_status"] in ("placeholder", "choose", "unknown"):
        status = str(entry["units_status"])
    return _Reading(
        [],
        status,
        say(
            f"registry.is_{status}",
            area=name,
            readings=listed_codes(entry["alternatives"]),
            choices=_choices(entry, definitions, name),
            missing=listed_codes(entry["missing_units"]),
            text=entry["service_area_text"],
            note=entry["note"],
        ),
    )


def _choose_definition(
    entry: pd.Series, definitions: pd.DataFrame, name: str, choice: str
) -> _Reading:
    day = _day(choice)
    if day:
        return _on_day(entry, definitions, name, day)
    version = definitions[definitions["version"].eq(choice)]
    if len(version):
        return _of_definition(version.iloc[0])
    if choice in listed_codes(entry["alternatives"]) or choice == entry["units"]:
        return _Reading([choice])
    choices = _choices(entry, definitions, name) or ["-"]
    reason = say("registry.bad_choice", area=name, choice=choice, choices=choices)
    return _Reading([], "bad_choice", reason)


def _on_day(entry: pd.Series, definitions: pd.DataFrame, name: str, day: str) -> _Reading:
    dated = definitions[definitions["valid_from"].ne("") | definitions["valid_to"].ne("")]
    ends = dated["valid_to"].where(dated["valid_to"].ne(""), "9999-12-31")
    holding = dated[dated["valid_from"].le(day) & ends.ge(day)]
    if len(holding) == 1:
        return _of_definition(holding.iloc[0])
    if definitions.empty and entry["units_status"] == "resolved":
        return _Reading(listed_codes(entry["units"]))
    choices = _choices(entry, definitions, name) or ["-"]
    reason = say("registry.bad_day", area=name, day=day, count=len(holding), choices=choices)
    return _Reading([], "bad_choice", reason)


def _of_definition(row: pd.Series) -> _Reading:
    return _Reading(
        listed_codes(row["units"]), valid_from=row["valid_from"], valid_to=row["valid_to"]
    )


def _choices(entry: pd.Series, definitions: pd.DataFrame, name: str) -> list[str]:
    versions = [
        f"{name}@{row.version} ({row.units})" for row in definitions.itertuples(index=False)
    ]
    told = {code for row in definitions["units"] for code in listed_codes(row)}
    codes = [code for code in listed_codes(entry["alternatives"]) if code not in told]
    return versions + [f"{name}@{code}" for code in codes]


def _draft_reading(entry: pd.Series, reading: _Reading) -> _Reading:
    if reading.refusal == "choose":
        return _Reading(listed_codes(entry["alternatives"])[:1])
    return _Reading(listed_codes(entry["units"]))


def _mark_name(name: str, mark: str) -> Any:
    return f"{mark.rstrip('-')} {name}".strip() if mark else name or pd.NA


def _day(text: str) -> str:
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def _notes(entries: pd.DataFrame) -> Sequence[Finding]:
    assumed = entries.index[entries["extent_status"].ne("sourced")].tolist()
    unsure = entries.index[entries["existence"].str.contains("unsure")].tolist()
    years = sorted(set(entries["codes_vintage"]) - {""})
    notes = []
    if assumed:
        notes.append(finding("registry.assumed", "note", "", areas=assumed))
    if unsure:
        notes.append(finding("registry.unsure", "note", "", areas=unsure))
    if years:
        notes.append(finding("registry.codes_vintage", "note", "", years=years))
    return notes
