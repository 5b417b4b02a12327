"""Read service areas from a file of outlines (formats: ``layers``), a unit list, or both.

A person's unit list comes from a sheet or a TOML file; its columns are known by what they are
called.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.areas.fields import TEXTS, name_nearest
from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.areas.unit_lists import entries, levels_named
from lipgeo.census.census import Census
from lipgeo.errors import AreaError, FileError, InputError, require_paths
from lipgeo.geography.hierarchy import fold, levels, require_level
from lipgeo.geography.identifiers import id_column
from lipgeo.readers.layers import read_layer
from lipgeo.readers.sheets import Sheet, read_sheet
from lipgeo.readers.vector_files import LAYER_FORMATS
from lipgeo.report import CheckReport, Finding, finding, keep_notes

__all__ = [
    "AREA_FORMATS",
    "GEOMETRY",
    "form_of",
    "list_of_sheet",
    "list_of_toml",
    "listed_entries",
    "named_levels",
    "read_service_areas",
    "units_in_words",
]

#: how a file is read: by a vector driver, as rows of cells, or as TOML
Form = Literal["layer", "sheet", "toml"]

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
    "share": """share, part, pct_overlap, percent_overlap, overlap, overlap_pct, weight, percent,
        percentage, pct, proportion, fraction, area_share, pourcentage, poids, ponderation,
        quote_part, partie""",
}
#: a cell with units in it, not a mark
_CODES = r":|^\d{4}[AS]\d{4}"
#: what the row that sums a list up is called, folded
_TOTALS = {"total", "totals", "grandtotal", "sum", "totaux", "totalgeneral", "somme"}
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
    used = set(found.values())
    if not {"unit", "unit_id", "unit_name"} & set(found):
        by_column = _by_column(frame, units, vintage) or _by_name_column(frame, units, vintage)
        used |= {note.subject for note in by_column}
        notes += by_column
    for role in ("level", "unit", "unit_id", "unit_name", "province", *TEXTS):
        if role in found:
            units[role] = frame[found[role]]
    named = {"unit", "unit_id", "unit_name"} & set(units)
    if named == {"unit_name"} and "level" not in units:
        notes += _by_level_word(found.get("unit_name", ""), units, vintage)
    units["mode"] = _modes(frame, found)
    sums = _total_rows(units, sorted(named))
    if len(sums):
        notes.append(
            finding("readers.total_row", "note", path.name, file=path.name, count=len(sums))
        )
        units, frame = units.drop(index=sums), frame.drop(index=sums)
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
    unused = [str(name) for name in frame if str(name) not in used and frame[name].notna().any()]
    if unused:
        notes.append(finding("readers.unused_columns", "note", path.name, columns=unused))
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
            "readers.areas.other_vintage",
            column=column,
            came=str(said.vintage),
            vintage=str(vintage),
        )
    units["unit"] = frame[column]
    units["level"] = said.level
    return [finding("readers.level_by_column", "note", column, column=column, level=said.level)]


def _by_name_column(frame: pd.DataFrame, units: pd.DataFrame, vintage: int) -> list[Finding]:
    """Take the units from a column of names that says its level (``CSD name``, ``Nom SDR``)."""
    for column in frame:
        level = re.sub(r"^(name|nom)(of|de)?|(name|nom)$", "", fold(str(column)))
        if not level or level == fold(str(column)):
            continue
        try:
            code = require_level(level, vintage).code
        except InputError:
            continue
        units["unit_name"], units["level"] = frame[column], code
        return [finding("readers.level_by_column", "note", column, column=column, level=code)]
    return []


def _by_level_word(column: str, units: pd.DataFrame, vintage: int) -> list[Finding]:
    """Take the level from a header that is a word for one (``Municipality``)."""
    try:
        code = require_level(column, vintage).code
    except InputError:
        return []
    units["level"] = code
    return [finding("readers.level_by_column", "note", column, column=column, level=code)]


def _total_rows(units: pd.DataFrame, named: list[str]) -> pd.Index:
    """Return the rows that sum the list up: called a total, and without a unit."""
    if "area_id" not in units or not named:
        return units.index[:0]
    summed = units["area_id"].astype("string").fillna("").map(fold).isin(_TOTALS)
    for column in named:
        summed &= units[column].astype("string").fillna("").str.strip().eq("")
    return units.index[summed.to_numpy(dtype=bool)]


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
            [{"row": line, "share": share} for line, share in part.items()],
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
            [
                {"row": line.Index, "dguid": line.unit, "code": line.unit_id}
                for line in differs.itertuples()
            ],
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
    except (ValueError, RecursionError) as error:
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
            near=name_nearest([problem["key"] for problem in problems], _TOML_KEYS),
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


#: the files service areas come in, by suffix, and how each is read: a format is an entry here
AREA_FORMATS: dict[str, Form] = {
    **dict.fromkeys((*LAYER_FORMATS, ".zip", ".parquet", ".geoparquet"), "layer"),
    **dict.fromkeys((".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".ods"), "sheet"),
    ".toml": "toml",
}
#: what a table of MapInfo begins with; any other .tab is text between tabs
_MAPINFO = b"!table"
_COLUMNS = ("id", "name_en", "name_fr", "group_by")


def read_service_areas(
    path: str | Path | Sequence[str | Path],
    *,
    id: str | None = None,
    name_en: str | None = None,
    name_fr: str | None = None,
    crs: str | None = None,
    layer: str | None = None,
    encoding: str | None = None,
    as_one: str | None = None,
    as_one_name_en: str | None = None,
    as_one_name_fr: str | None = None,
    group_by: str | None = None,
    census: Census | None = None,
) -> ServiceAreas:
    """Read service areas.

    Parameters
    ----------
    path
        A vector file in any format (zipped or not), or a unit list as CSV, workbook or TOML; or
        several of them: an area drawn in one and listed in another is both.
    id
        Column of the areas' ids. Without it an obvious one is taken, and named in the report.
    name_en, name_fr
        Columns of the names.
    crs
        The coordinate reference system, where the file does not say it.
    layer
        Layer of the file, or worksheet of the workbook.
    encoding
        Encoding of the texts, where the file does not say it or says it wrong.
    as_one
        Id of the one area that all rows together are.
    as_one_name_en, as_one_name_fr
        What that one area is called.
    group_by
        Column whose values are the ids: rows that share one are parts of one area.
    census
        The census whose codes a unit list uses.

    Returns
    -------
    ServiceAreas

    Raises
    ------
    FileError
        A file is missing, unreadable or not what its name says.
    AreaError, AmbiguousNameError
        See :meth:`ServiceAreas.from_frame` and :meth:`ServiceAreas.from_units`; or a list's
        columns cannot be told, or it came without ``census``.
    CRSError, DatumError
        The CRS is missing or stands on NAD27.

    Notes
    -----
    **A sheet** has one row a unit. Its columns are known by their usual headers, English or
    French: the area (``area_id``, ``territoire``, ...), and either ``unit`` (``CSD:4806016``, a
    DGUID, or ``CSD: Windsor, ON``), or ``level`` (``CSD``, ``SDR``, ``census subdivision``, ...)
    with ``unit_code`` or ``unit_name``, or one column of ids as Statistics Canada calls them
    (``CSDUID``, ``SDRIDU``); further ``province``, ``mode`` (include or exclude), ``name_en``,
    ``name_fr``, ``valid_from``, ``valid_to``, ``vintage``. A concordance that lipgeo wrote is such
    a sheet. A sheet with a column of outlines as WKT is read as drawn areas.

    **TOML** holds any number of areas::

        vintage = 2021                       # optional: refused with another census

        [area.ab-calgary]
        name_en = "Calgary"                  # optional, as are name_fr, valid_from, valid_to
        name_fr = "Calgary"
        valid_from = 2019-04-01
        units = ["CSD:4806016"]

        [area.ab-bow-valley]
        units = ["CSD: Canmore", "CSD: Banff", "DPL: Exshaw"]
        exclude = ["DA:48150123"]            # optional
    """
    paths = require_paths(path)
    if not paths:
        raise AreaError("areas.no_rows")
    called = (as_one_name_en, as_one_name_fr)
    if as_one is None and called != (None, None):
        raise AreaError("readers.name_of_what")
    given = [(one, _open(one, layer=layer, encoding=encoding, crs=crs)) for one in paths]
    asked = {"id": id, "name_en": name_en, "name_fr": name_fr, "group_by": group_by}
    _require_somewhere(asked, [content for _, content in given])
    parts = []
    for one, content in given:
        if isinstance(content, gpd.GeoDataFrame):
            here = {key: c if c in content.columns else None for key, c in asked.items()}
            parts.append(ServiceAreas.from_frame(content, as_one=as_one, **here))
            continue
        if census is None:
            raise AreaError("readers.needs_census", path=one)
        if content is None:
            units = list_of_toml(one, census.vintage)
            if as_one is not None:
                units["area_id"] = as_one
        else:
            here = {key: c if c in content.frame else None for key, c in asked.items()}
            units = list_of_sheet(content, one, census.vintage, as_one=as_one, **here)
        parts.append(ServiceAreas.from_units(units, census))
    areas = parts[0] if len(parts) == 1 else ServiceAreas.concat(parts)
    return areas if called == (None, None) else areas.with_names({areas.ids[0]: called})


#: a unit by its code, with its level before it or as a DGUID; less it, where a minus is before it
_LISTED_UNIT = re.compile(r"-?(?:[A-Za-zÀ-ÿ]{2,8}:\s*[\w.]+|\d{4}[AS]\d{4}[\w.]+)")


def units_in_words(text: str) -> tuple[list[str], list[str]] | None:
    """Return the units that a text lists, and those it leaves out; ``None`` where it is no list.

    Examples
    --------
    >>> from lipgeo.readers.areas import units_in_words
    >>> units_in_words("CSD:3501004, DPL:350123,-DA:35010155")
    (['CSD:3501004', 'DPL:350123'], ['DA:35010155'])
    >>> units_in_words("areas.gpkg"), units_in_words("C:areas.gpkg"), units_in_words("ab-calgary")
    (None, None, None)
    """
    parts = [part.strip() for part in re.split("[,;]", text) if part.strip()]
    if not parts or not all(_LISTED_UNIT.fullmatch(part) for part in parts):
        return None
    out = [part.removeprefix("-") for part in parts if part.startswith("-")]
    return [part for part in parts if not part.startswith("-")], out


def form_of(path: str | Path) -> Form:
    """Return how a file of service areas is read; one of no known format is tried as a layer.

    Examples
    --------
    >>> from lipgeo.readers.areas import form_of
    >>> form_of("areas.GPKG"), form_of("list.xlsx"), form_of("areas.toml"), form_of("areas")
    ('layer', 'sheet', 'toml', 'layer')
    """
    suffix = Path(path).suffix.casefold()
    if suffix == ".tab" and not _is_mapinfo(Path(path)):
        return "sheet"
    return AREA_FORMATS.get(suffix, "layer")


def _is_mapinfo(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAPINFO)).lower() == _MAPINFO
    except OSError:  # told by who opens it
        return True


def listed_entries(
    path: str | Path, vintage: int, *, layer: str | None = None, encoding: str | None = None
) -> pd.DataFrame | None:
    """Return the units that a list names, as they stand there; ``None`` for a drawn file.

    No census is needed: it tells which files a job needs before there is one. The form is that of
    :func:`lipgeo.areas.unit_lists.entries`.

    Raises
    ------
    FileError, AreaError
        As for :func:`read_service_areas`, as far as the file alone can tell.
    """
    one = Path(path)
    if form_of(one) == "layer":
        return None
    content = _open(one, layer=layer, encoding=encoding, crs=None)
    if isinstance(content, gpd.GeoDataFrame):
        return None
    if content is None:
        units = list_of_toml(one, vintage)
    else:
        # which area a unit belongs to does not matter here
        nothing = dict.fromkeys(_COLUMNS)
        units = list_of_sheet(content, one, vintage, as_one="-", **nothing)
    return entries(units)


def named_levels(
    path: str | Path, vintage: int, *, layer: str | None = None, encoding: str | None = None
) -> tuple[str, ...] | None:
    """Return the census levels that a unit list names, finest first; ``None`` for a drawn file.

    Raises
    ------
    FileError, AreaError
        As :func:`listed_entries`.
    """
    listed = listed_entries(path, vintage, layer=layer, encoding=encoding)
    return None if listed is None else levels_named(listed, vintage)


def _open(
    path: Path, *, layer: str | None, encoding: str | None, crs: str | None
) -> gpd.GeoDataFrame | Sheet | None:
    """Read a file: a layer, a sheet, or ``None`` for TOML, which is read with the vintage known."""
    form = form_of(path)
    if form == "toml":
        return None
    if form == "layer":
        return read_layer(path, layer=layer, encoding=encoding, crs=crs)
    sheet = read_sheet(path, layer, encoding=encoding)
    column = next((c for c in sheet.frame if str(c).casefold() in GEOMETRY), None)
    if column is None:
        # portals call the column as they like: what it holds says what it is
        column = next((c for c in sheet.frame if _holds_outlines(sheet.frame[c])), None)
    if column is None:
        return sheet
    written = sheet.frame[column]
    outlines = shapely.from_wkt(written.to_numpy(dtype=object, na_value=None), on_invalid="ignore")
    bad = written.index[shapely.is_missing(outlines) & written.notna()]
    if len(bad):
        problems = [{"row": line} for line in bad]
        raise AreaError("readers.bad_wkt", problems, path=path, column=column, rows=bad)
    frame = gpd.GeoDataFrame(sheet.frame.drop(columns=column), geometry=outlines, crs=crs)
    note = finding("readers.wkt", "note", path.name, column=column)
    keep_notes(frame, sheet.notes + CheckReport([note]))
    return frame


#: how an outline begins as text
_OUTLINE = r"^\s*(?:SRID=\d+;\s*)?(?:MULTI)?POLYGON\s*(?:Z|M|ZM)?\s*\("


def _holds_outlines(cells: pd.Series) -> bool:
    """Say whether a column holds outlines, in any case, missing in some rows or not."""
    given = cells.dropna().astype("string")
    return bool(len(given)) and bool(given.str.contains(_OUTLINE, case=False, regex=True).all())


def _require_somewhere(
    asked: dict[str, str | None], contents: Sequence[gpd.GeoDataFrame | Sheet | None]
) -> None:
    """Raise unless each column asked for is in one of the files at least."""
    columns = [
        str(column)
        for content in contents
        if content is not None
        for column in (content.frame if isinstance(content, Sheet) else content)
        if column != "geometry"
    ]
    missing = [column for column in asked.values() if column is not None and column not in columns]
    if missing:
        raise AreaError(
            "areas.no_such_column",
            [{"column": column} for column in missing],
            missing=missing,
            near=name_nearest(missing, columns),
            columns=", ".join(dict.fromkeys(columns)) or "-",
        )
