"""Bring columns of ids, names and dates, as people write them, to text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

import pandas as pd

from lipgeo.errors import AreaError
from lipgeo.geography.hierarchy import fold
from lipgeo.report import Faults, Finding, finding
from lipgeo.words import say

__all__ = [
    "TEXTS",
    "describe",
    "id_faults",
    "name_nearest",
    "obvious_id",
    "require_columns",
    "text_ids",
]

#: what an area has besides its id
TEXTS = ("name_en", "name_fr", "valid_from", "valid_to")

#: headers (folded) taken for them when none is said
_USUAL = {
    "name_en": ("name_en", "name_english", "english_name", "area_name_en", "nom_en", "nom_anglais"),
    "name_fr": ("name_fr", "name_french", "french_name", "area_name_fr", "nom_fr", "nom_francais"),
    "valid_from": ("valid_from", "valide_du", "en_vigueur_du"),
    "valid_to": ("valid_to", "valide_au", "en_vigueur_au"),
}
#: ... and those taken only where the ones above are absent
_PLAIN = {"name_en": ("name", "area_name"), "name_fr": ("nom", "nom_du_territoire")}

#: ids that programs make up anew at each export: unique, and worth nothing
_MACHINE = {
    fold(name)
    for name in (
        *("OBJECTID", "OBJECTID_1", "FID", "FID_1", "GlobalID", "ogc_fid", "gml_id", "GEO_ID"),
        *("cartodb_id", "gid", "oid", "rowid", "row_id", "_uid_", "feature_id"),
        *("Shape_Leng", "Shape_Length", "Shape_Area"),
    )
}


def require_columns(data: pd.DataFrame, asked: Iterable[str | None]) -> None:
    """Raise :class:`~lipgeo.errors.AreaError` unless all columns asked for exist."""
    columns = [str(column) for column in data.columns]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise AreaError(
            "areas.columns_twice", [{"column": column} for column in twice], columns=twice
        )
    missing = [column for column in asked if column is not None and column not in columns]
    if missing:
        raise AreaError(
            "areas.no_such_column",
            [{"column": column} for column in missing],
            missing=missing,
            near=name_nearest(missing, columns),
            columns=", ".join(columns) or "-",
        )


def name_nearest(missing: Iterable[str], known: Iterable[str]) -> str:
    """Name the known words nearest to the missing ones, in a sentence.

    Empty where none is near; else it begins with a space, to stand behind another sentence.

    Examples
    --------
    >>> from lipgeo.areas.fields import name_nearest
    >>> name_nearest(["ward_no"], ["WARD_NUM", "label"])
    ' Nearest: WARD_NUM.'
    >>> name_nearest(["ward_no"], ["label"])
    ''
    """
    found = nearest_words(missing, known)
    return say("areas.nearest", near=found) if found else ""


def nearest_words(missing: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the known words nearest to the missing ones, at most two to each, each once."""
    folded: dict[str, str] = {}
    for word in known:
        folded.setdefault(fold(word), word)
    found = [
        folded[match]
        for word in missing
        for match in difflib.get_close_matches(fold(word), folded, n=2, cutoff=0.6)
    ]
    return list(dict.fromkeys(found))


def obvious_id(data: pd.DataFrame) -> str:
    """Return the one column that is plainly the id: unique, complete, and called an id or a code.

    Numbers that a GIS makes up at each export (``OBJECTID`` and the like) are never taken.

    Raises
    ------
    AreaError
        None or several are; the message lists the columns and which are unique.
    """
    unique = [str(column) for column in data.columns if _identifies(data[column])]
    lasting = [column for column in unique if fold(column) not in _MACHINE and column != "_id"]
    for called in ("areaid", "id", "code"):
        ending = [column for column in lasting if fold(column).endswith(called)]
        exact = [column for column in ending if fold(column) == called]
        if len(exact or ending) == 1:
            return (exact or ending)[0]
        if ending:
            break
    raise AreaError(
        "areas.which_id",
        columns=", ".join(map(str, data.columns)) or "-",
        unique=", ".join(unique) or "-",
    )


def _identifies(values: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(values) or values.isna().any():
        return False
    # a GeoJSON property may be a list or an object, which pandas cannot compare
    if values.dtype == object and values.map(lambda cell: isinstance(cell, list | dict)).any():
        return False
    return bool(values.is_unique)


#: characters without a width: two ids that differ by them look the same
_UNSEEN = "[\u00ad\u200b-\u200f\u2060\ufeff]"


def text_ids(values: pd.Series, column: str) -> tuple[pd.Series, list[Finding]]:
    """Return ids as text: stripped, whole numbers without their ``.0``, missing where blank.

    Returns
    -------
    pandas.Series
        ``string``, ``pd.NA`` where missing; index as given.
    list of Finding
        A note where ``3002.0`` became ``3002``.
    """
    given = values.astype("string").str.strip().replace("", pd.NA)
    text, notes = _tidy(given, column)
    pointed = text.str.fullmatch(r"\d+\.0+").fillna(False).astype(bool)
    # "5.0" is a name beside "5.1": only a column of nothing but whole numbers is restored
    if not pointed.any() or not text[~pointed].dropna().str.fullmatch(r"\d+").all():
        return text, notes
    restored = text.str.replace(r"\.0+$", "", regex=True)
    came, now = text[pointed].iloc[0], restored[pointed].iloc[0]
    note = finding("areas.whole_ids", "note", column, column=column, came=came, id=now)
    return restored, [*notes, note]


def _tidy(given: pd.Series, column: str) -> tuple[pd.Series, list[Finding]]:
    """Write ids that look the same in one way, and say which did and which still look alike."""
    shown = given.str.normalize("NFC").str.replace(_UNSEEN, "", regex=True)
    shown = shown.str.replace(r"\s+", " ", regex=True).str.strip().replace("", pd.NA)
    notes = []
    changed = given[(given != shown).fillna(False)].unique()
    if len(changed):
        merged = shown.nunique() < given.nunique()
        notes.append(
            finding(
                "areas.tidy_ids", "warning" if merged else "note", column,
                column=column, ids=list(shown[given.isin(changed)].unique()),
            )
        )  # fmt: skip
    ids = pd.Series(shown.dropna().unique(), dtype="string")
    alike = ids[ids.str.casefold().duplicated(keep=False)]
    if len(alike):
        notes.append(
            finding("areas.look_alike_ids", "warning", column, column=column, ids=list(alike))
        )
    return shown, notes


def id_faults(
    ids: pd.Series, lines: pd.Series, column: str, faults: Faults, *, unique: bool
) -> None:
    """Put lines without an id in ``faults``, and those that share one where ids are unique."""
    missing = ids.isna().to_numpy(dtype=bool)
    faults.add(
        "areas.missing_ids",
        [{"row": line} for line in lines[missing]],
        rows=list(lines[missing]),
        column=column,
    )
    twice = (ids.duplicated(keep=False) & ids.notna()).to_numpy(dtype=bool) & unique
    faults.add(
        "areas.duplicate_ids",
        [{"row": line, "area_id": id} for line, id in zip(lines[twice], ids[twice], strict=True)],
        ids=list(ids[twice].unique()),
        rows=list(lines[twice]),
        column=column,
    )


def describe(
    ids: pd.Series,
    data: pd.DataFrame,
    asked: Mapping[str, str | None],
    lines: pd.Series,
    faults: Faults,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the names and dates of each area from columns that may repeat them line by line.

    Parameters
    ----------
    ids
        Area id of each line, ``pd.NA`` where missing.
    data
        The columns, in the order of ``ids``.
    asked
        ``name_en, name_fr, valid_from, valid_to`` to the column that holds it, or ``None``: then a
        column of that name, or a usual one, is taken where there is one.
    lines
        What messages call each line.

    Returns
    -------
    pandas.DataFrame
        Index ``area_id`` in order of appearance; columns :data:`TEXTS` (``string``, missing where
        not given, where blank, and where the lines of an area bear different names).
    list of Finding
        Columns taken unasked, and names that differ.
    """
    findings: list[Finding] = []
    areas = pd.Index(ids.dropna().unique(), name="area_id")
    texts = pd.DataFrame(index=areas, columns=list(TEXTS), dtype="string")
    for field in TEXTS:
        column = asked.get(field) or _usual(field, data)
        if column is None:
            continue
        if asked.get(field) is None and column != field:
            findings.append(
                finding("areas.column_taken", "note", column, column=column, field=field)
            )
        is_date = field.startswith("valid")
        values = data[column].reset_index(drop=True)
        values = _dates(values, column, lines, ids, faults) if is_date else _names(values)
        given = pd.DataFrame({"area": ids.to_numpy(), "value": values}).dropna().drop_duplicates()
        differing = given.loc[given["area"].duplicated(), "area"].unique()
        if len(differing) and is_date:
            faults.add(
                "areas.dates_differ",
                [{"area_id": area} for area in differing],
                column=column,
                areas=differing,
            )
        elif len(differing) and (asked.get(field) is not None or column == field):
            findings += [
                finding("areas.names_differ", "warning", area, area=area, column=column)
                for area in differing
            ]
        kept = given[~given["area"].isin(differing)]
        texts[field] = pd.Series(kept["value"].to_numpy(), index=kept["area"]).reindex(areas)
    texts = texts.astype("string")
    backward = texts["valid_from"].gt(texts["valid_to"]).fillna(False)
    faults.add(
        "areas.dates_backward",
        [{"area_id": area} for area in areas[backward]],
        areas=areas[backward],
    )
    return texts, findings


def _usual(field: str, data: pd.DataFrame) -> str | None:
    folded = {fold(str(column)): str(column) for column in reversed(data.columns)}
    for name in (*_USUAL[field], *_PLAIN.get(field, ())):
        if fold(name) in folded:
            return folded[fold(name)]
    return None


def _names(values: pd.Series) -> pd.Series:
    text = values.astype("string").str.replace(r"\s+", " ", regex=True).str.strip()
    return text.replace("", pd.NA)


def _dates(
    values: pd.Series, column: str, lines: pd.Series, ids: pd.Series, faults: Faults
) -> pd.Series:
    """Return ISO dates as text; cells that are no date go to ``faults``."""
    text = _names(values)
    # GIS files and spreadsheets give midnight with the day
    text = text.str.replace(r"[T ]00:00(:00(\.0+)?)?(Z|\+00:00)?$", "", regex=True)
    dates = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce", exact=True)
    bad = (dates.isna() & text.notna()).to_numpy(dtype=bool)
    faults.add(
        "areas.bad_dates",
        [
            {"row": line, "area_id": area, "given": given}
            for line, area, given in zip(lines[bad], ids[bad], text[bad], strict=True)
        ],
        column=column,
        rows=list(lines[bad]),
        given=list(text[bad]),
    )
    return dates.dt.strftime("%Y-%m-%d").astype("string")
