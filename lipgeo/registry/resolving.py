"""From registry ids to service areas; what cannot be resolved is refused, each with its reason."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.areas.faults import finding
from lipgeo.census import Census
from lipgeo.errors import AreaError, RegistryError
from lipgeo.registry.succession import ceased_sentence
from lipgeo.registry.table import Registry, listed_codes, open_registry
from lipgeo.report import CheckReport, Finding, keep_notes
from lipgeo.words import say

__all__ = ["DRAFT", "resolve", "units"]

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
            mark, reading = DRAFT, _drafted(entry, reading)
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
                "name_en": _marked(entry["name_en"], mark),
                "name_fr": _marked(entry["name_fr"], mark),
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
        return _chosen(entry, definitions, name, choice)
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


def _chosen(entry: pd.Series, definitions: pd.DataFrame, name: str, choice: str) -> _Reading:
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


def _drafted(entry: pd.Series, reading: _Reading) -> _Reading:
    if reading.refusal == "choose":
        return _Reading(listed_codes(entry["alternatives"])[:1])
    return _Reading(listed_codes(entry["units"]))


def _marked(name: str, mark: str) -> Any:
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
