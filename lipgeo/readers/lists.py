"""A person's unit list, from a sheet or TOML, with its columns known by what they are called."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.areas.faults import finding
from lipgeo.areas.fields import TEXTS, near
from lipgeo.errors import AreaError, FileError
from lipgeo.geography import fold, id_column, levels
from lipgeo.readers.sheets import Sheet
from lipgeo.report import CheckReport, Finding, keep_notes

__all__ = ["GEOMETRY", "list_of_sheet", "list_of_toml"]

#: columns that hold outlines as well-known text
GEOMETRY = {"wkt", "the_geom", "geom", "geometry", "wkt_geom"}

#: what columns are called, in order of preference
_HEADERS = {
    "area_id": """area_id, custom_id, service_area_id, lip_id, pli_id, id_territoire, territoire_id,
        area, service_area, lip, pli, partnership, partenariat, territoire, territoire_de_service,
        id, identifiant""",
    "level": "level, niveau, geo_level, geographic_level, niveau_geographique, unit_level",
    "unit": "unit, unite, units, unites, unites_de_recensement, census_units, dguid, idugd",
    "unit_id": """unit_id, unit_code, code_unite, code_de_l_unite, id_unite, geo_code, geocode,
        geouid, code_geo, code""",
    "unit_name": """unit_name, nom_unite, nom_de_l_unite, geo_name, nom_geo, municipality,
        municipalite, place, lieu""",
    "province": "province, prov, province_territory, province_territoire",
    "mode": "mode, include_exclude, inclure_exclure, action",
    "include": "include, included, inclure, inclus",
    "exclude": "exclude, excluded, exclure, exclu",
    "name_en": """area_name_en, name_en, name_english, english_name, nom_en, nom_anglais,
        area_name, name""",
    "name_fr": """area_name_fr, name_fr, name_french, french_name, nom_fr, nom_francais,
        nom_du_territoire, nom""",
    "valid_from": "valid_from, valide_du, en_vigueur_du",
    "valid_to": "valid_to, valide_au, en_vigueur_au",
    "vintage": "vintage, census_year, annee_de_recensement, annee, recensement",
    "share": "share, part",
}
#: a cell with units in it, not a mark
_CODES = r":|^\d{4}[AS]\d{4}"
_YES = {"1", "yes", "oui", "x", "true", "vrai", "y", "o"}
_NO = {"", "0", "no", "non", "false", "faux", "n"}
_TOML_KEYS = {"units", "exclude", *TEXTS}


def list_of_sheet(
    sheet: Sheet,
    path: Path,
    vintage: int,
    *,
    id: str | None,
    name_en: str | None,
    name_fr: str | None,
    group_by: str | None,
    as_one: str | None,
) -> pd.DataFrame:
    """Return a sheet as :meth:`ServiceAreas.from_units` takes it, with notes of what was assumed.

    Raises
    ------
    AreaError
        Columns cannot be told; or the sheet gives shares other than 1, another vintage, or codes
        that its own DGUIDs contradict.
    """
    frame = sheet.frame
    found = _headers(frame)
    notes: list[Finding] = list(sheet.notes)
    asked = {"area_id": group_by or id, "name_en": name_en, "name_fr": name_fr}
    found |= {role: column for role, column in asked.items() if column is not None}
    units = pd.DataFrame(index=frame.index)
    if as_one is not None:
        units["area_id"] = as_one
    elif "area_id" in found:
        units["area_id"] = frame[found["area_id"]]
        if asked["area_id"] is None and fold(found["area_id"]) != fold("area_id"):
            column = found["area_id"]
            notes.append(finding("areas.id_taken", "note", column, column=column))
    if not {"unit", "unit_id", "unit_name"} & set(found):
        notes += _by_column(frame, units, vintage)
    for role in ("level", "unit", "unit_id", "unit_name", "province", *TEXTS):
        if role in found:
            units[role] = frame[found[role]]
    named = {"unit", "unit_id", "unit_name"} & set(units)
    units["mode"] = _modes(frame, found)
    if "area_id" not in units or not named or not {"unit", "level"} & set(units):
        raise AreaError("readers.list_columns", path=path, columns=", ".join(map(str, frame)))
    _require_whole(frame, found, path)
    _require_vintage(frame, found, vintage, path)
    _require_agreement(units)
    if "exclude" in found and frame[found["exclude"]].str.contains(_CODES).any():
        units = _with_exclusions(units, frame[found["exclude"]])
    taken = {role: column for role, column in found.items() if fold(role) != fold(column)}
    notes += [
        finding("areas.column_taken", "note", column, column=column, field=role)
        for role, column in taken.items()
        if role != "area_id" and asked.get(role) is None
    ]
    keep_notes(units, CheckReport(notes))
    return units


def _headers(frame: pd.DataFrame) -> dict[str, str]:
    columns = {
        fold(part): str(column)
        for column in reversed(frame.columns)
        for part in (*str(column).split("/"), str(column))  # "Level / Niveau" is either
    }
    found = {}
    for role, names in _HEADERS.items():
        for name in names.split(","):
            if fold(name) in columns:
                found[role] = columns.pop(fold(name))
                break
    return found


def _by_column(frame: pd.DataFrame, units: pd.DataFrame, vintage: int) -> list[Finding]:
    """Take the units from a column of ids that says its level; of several, the finest."""
    order = levels(vintage)
    known = [(column, id_column(str(column))) for column in frame]
    of_level = [(column, said) for column, said in known if said and said.level in order]
    if not of_level:
        return []
    column, said = min(of_level, key=lambda pair: order.index(pair[1].level))
    if said.vintage is not None and said.vintage != vintage:
        raise AreaError(
            "readers.other_vintage", column=column, came=str(said.vintage), vintage=str(vintage)
        )
    units["unit"] = frame[column]
    units["level"] = said.level
    return [finding("readers.level_by_column", "note", column, column=column, level=said.level)]


def _modes(frame: pd.DataFrame, found: dict[str, str]) -> npt.NDArray[np.object_]:
    """Return include or exclude of each row; words that are neither pass, to be refused by row."""
    modes = np.full(len(frame), "", dtype=object)
    for role, yes, no in (("include", "", "exclude"), ("exclude", "exclude", ""), ("mode", "", "")):
        if role not in found:
            continue
        said = frame[found[role]].fillna("").str.strip()
        folded = said.str.casefold()
        if role == "exclude" and said.str.contains(_CODES).any():
            continue
        if role == "mode" or not folded.isin(_YES | _NO).all():
            modes = said.to_numpy(dtype=object)
        elif role == "include" and folded.eq("").all():
            continue
        else:
            modes = np.where(folded.isin(_YES), yes, np.where(modes == "", no, modes))
    return modes


def _with_exclusions(units: pd.DataFrame, exclude: pd.Series) -> pd.DataFrame:
    """Add a row for each cell of a column that holds the units to leave out."""
    rows = exclude.notna()
    without = units.loc[rows, [column for column in ("area_id", *TEXTS) if column in units]]
    return pd.concat([units, without.assign(unit=exclude[rows], mode="exclude")])


def _require_whole(frame: pd.DataFrame, found: dict[str, str], path: Path) -> None:
    """Refuse shares: a list is taken exactly, so a part of a unit has no place in it."""
    if "share" not in found:
        return
    given = frame[found["share"]].dropna().str.replace(",", ".", regex=False)
    part = given[~given.str.fullmatch(r"1(\.0+)?|100(\.0+)?\s*%")]
    if len(part):
        raise AreaError(
            "readers.shares",
            [{"row": row, "share": share} for row, share in part.items()],
            path=path,
            column=found["share"],
            rows=list(part.index),
        )


def _require_vintage(frame: pd.DataFrame, found: dict[str, str], vintage: int, path: Path) -> None:
    if "vintage" not in found:
        return
    given = frame[found["vintage"]].dropna()
    years = sorted(set(given.str.replace(r"[.,]0+$", "", regex=True)))
    if years and years != [str(vintage)]:
        raise AreaError("readers.vintages", path=path, came=years, vintage=str(vintage))


def _require_agreement(units: pd.DataFrame) -> None:
    """Refuse rows whose DGUID and code are not of one unit: somebody changed one of them."""
    if not {"unit", "unit_id"} <= set(units):
        return
    both = units[
        units["unit"].str.match(r"^\d{4}[AS]\d{4}").fillna(False) & units["unit_id"].notna()
    ]
    differs = both[both["unit"].str[9:] != both["unit_id"]]
    if len(differs):
        raise AreaError(
            "readers.dguid_and_code",
            [{"row": r.Index, "dguid": r.unit, "code": r.unit_id} for r in differs.itertuples()],
            rows=list(differs.index),
        )


# ------------------------------------------------------------------------------- TOML


def list_of_toml(path: Path, vintage: int) -> pd.DataFrame:
    """Return the areas of a TOML file as :meth:`ServiceAreas.from_units` takes them.

    Raises
    ------
    FileError
        The file is missing, unreadable or no TOML (the message has the line).
    AreaError
        It has no areas, keys that are none, units that are no list of texts, or another vintage.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise FileError("readers.missing", path=path) from error
    except OSError as error:
        raise FileError("readers.unreadable", path=path, reason=error.strerror) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileError("readers.not_toml", path=path, reason=str(error)) from error
    areas = content.get("area")
    if not isinstance(areas, dict) or not areas:
        raise AreaError("readers.no_areas", path=path, keys=list(content) or ["-"])
    if content.get("vintage", vintage) != vintage:
        came = [str(content["vintage"])]
        raise AreaError("readers.vintages", path=path, came=came, vintage=str(vintage))
    problems = _toml_problems(content, areas)
    if problems:
        raise AreaError(
            "readers.toml_keys",
            problems,
            path=path,
            keys=[f"{problem['area_id']}: {problem['key']}" for problem in problems],
            near=near([problem["key"] for problem in problems], _TOML_KEYS),
        )
    rows: list[dict[str, Any]] = []
    for area, entry in areas.items():
        texts = {key: _plain(entry.get(key)) for key in TEXTS}
        for key, mode in (("units", "include"), ("exclude", "exclude")):
            rows += [
                {"row": f"{area}.{key}[{n}]", "area_id": area, "unit": unit, "mode": mode, **texts}
                for n, unit in enumerate(entry.get(key, ()), start=1)
            ]
    return pd.DataFrame(rows).set_index("row")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.date) else value


def _toml_problems(content: dict[str, Any], areas: dict[str, Any]) -> list[dict[str, str]]:
    problems = [{"area_id": "-", "key": key} for key in content if key not in ("area", "vintage")]
    for area, entry in areas.items():
        if not isinstance(entry, dict):
            problems.append({"area_id": area, "key": area})
            continue
        problems += [{"area_id": area, "key": key} for key in entry if key not in _TOML_KEYS]
        for key in ("units", "exclude"):
            units = entry.get(key, [] if key == "exclude" else None)
            texts = isinstance(units, list) and all(isinstance(unit, str) for unit in units)
            if not texts or (key == "units" and not units):
                problems.append({"area_id": area, "key": key})
        problems += [
            {"area_id": area, "key": key}
            for key in TEXTS
            if not isinstance(entry.get(key, ""), str | datetime.date)
        ]
    return problems
