"""The legacy workbook: areas down, indicators across, a sheet a year, as people make them.

First time: a mapping workbook is written beside it (``old.mapping.xlsx``), with their headings,
what each is proposed to be, and guesses marked. Somebody looks, signs, and adds the workbook again.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.errors import FileError, InputError
from lipgeo.files import Sheet, file_in_one_step, sha256_of, write_workbook
from lipgeo.geography.hierarchy import fold
from lipgeo.portal.indicators.dictionary import Dictionary
from lipgeo.portal.observations import ORIGINS, make_observations
from lipgeo.portal.sources.intake import Intake, Known
from lipgeo.portal.sources.local import local_code
from lipgeo.readers.sheets import read_sheet
from lipgeo.readers.statcan.cells import read_cells
from lipgeo.registry.table import open_registry
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.words import LANGUAGES, say, speaking

__all__ = ["from_legacy", "mapping_path", "write_mapping"]

COLUMNS_SHEET = (
    "sheet",
    "heading",
    "code",
    "census",
    "universe",
    "origin",
    "scale",
    "guess",
    "note",
)
AREAS_SHEET = ("label", "area_id", "guess", "note")
CONFIRM_SHEET = ("confirmed_by", "confirmed_on", "licence")
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
#: words of a heading that tell nothing of what it measures
_IDLE = {
    *("of", "the", "in", "and", "a", "an", "to", "for", "by", "percent", "pct", "number", "no"),
    *("de", "des", "du", "la", "le", "les", "et", "en", "dans", "pour", "total", "share", "rate"),
    *("who", "are", "people", "population", "persons", "aged", "years", "over", "taux", "part"),
}
#: likeness from which a heading is proposed to be an indicator
_LIKE = 0.6
#: share of cells that are numbers in a column of numbers
_NUMBERS = 0.5
_OF_PARTNERSHIP = re.compile(
    r"\b(local immigration partnership|immigration partnership|lip|rif|partenariat local en "
    r"(matière d.)?immigration)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Table:
    """One sheet: labels of areas down, columns of numbers across."""

    sheet: str
    year: str
    labels: pd.Series
    values: pd.DataFrame
    symbols: pd.DataFrame
    percent: dict[str, bool]
    texts: list[str]
    notes: CheckReport


def mapping_path(path: Path) -> Path:
    """Return where the mapping of a workbook stands."""
    return path.with_name(f"{path.stem}.mapping.xlsx")


# ---------------------------------------------------------------------- reading it


def _tables(path: Path) -> list[_Table]:
    import openpyxl

    read_sheet(path)  # says what is wrong with the file: password, old form, formulas
    book = openpyxl.load_workbook(path, data_only=True)
    made = []
    for page in book.worksheets:
        if page.sheet_state != "visible" or not any(
            any(row) for row in page.iter_rows(values_only=True)
        ):
            continue
        table = _table(path, page)
        if table is not None:
            made.append(table)
    if not made:
        raise InputError("portal.legacy_empty", path=path)
    return made


def _table(path: Path, page: Any) -> _Table | None:
    try:
        read = read_sheet(path, page.title)
    except FileError as error:
        if error.key == "readers.empty_sheet":
            return None
        raise
    frame = read.frame
    if len(frame) < 1 or len(frame.columns) < 2:
        return None
    numbers: dict[str, np.ndarray[Any, Any]] = {}
    marks: dict[str, np.ndarray[Any, Any]] = {}
    texts = []
    for name in frame.columns:
        cells = frame[name].str.replace("$", "", regex=False).str.strip()
        cells = cells.str.removesuffix("%").str.strip()
        values, symbols, unread = read_cells(cells, read.decimal)
        filled = int(cells.notna().sum())
        if filled and (~unread & cells.notna().to_numpy()).sum() >= _NUMBERS * filled:
            numbers[name], marks[name] = values, symbols
        else:
            texts.append(name)
    if not texts or not numbers:
        return None
    # the names of areas: the column of words with the most different words
    named = max(texts, key=lambda one: frame[one].nunique())
    labels = frame[named].fillna("").astype(str).str.strip()
    values = pd.DataFrame(numbers, index=frame.index)
    rows = labels.ne("") & values.notna().any(axis=1)
    percent = _percent_columns(page, frame)
    title = " ".join(
        str(cell) for row in page.iter_rows(max_row=4, values_only=True) for cell in row if cell
    )
    years = _YEAR.findall(page.title) or _YEAR.findall(title)
    return _Table(
        sheet=page.title,
        year=years[0] if years else "",
        labels=labels[rows],
        values=values[rows],
        symbols=pd.DataFrame(marks, index=frame.index)[rows],
        percent={name: percent.get(name, False) for name in numbers},
        texts=[one for one in texts if one != named],
        notes=read.notes,
    )


def _percent_columns(page: Any, frame: pd.DataFrame) -> dict[str, bool]:
    """Return which columns show their numbers as percentages, by the format of their cells."""
    rows = {row[0].row: row for row in page.iter_rows()}
    body = [rows[number] for number in frame.index if number in rows]
    if not body:
        return {}
    top = rows.get(min(frame.index) - 1, body[0])
    kept = [
        at
        for at in range(len(body[0]))
        if (at < len(top) and top[at].value is not None)
        or any(row[at].value is not None for row in body)
    ]
    if len(kept) != len(frame.columns):
        return {}
    return {
        name: any("%" in str(row[at].number_format) for row in body if row[at].value is not None)
        for name, at in zip(frame.columns, kept, strict=True)
    }


# ---------------------------------------------------------------------- proposing


def write_mapping(path: Path, known: Known) -> Path:
    """Write what each heading and area of a legacy workbook is proposed to be.

    Returns
    -------
    pathlib.Path
        ``old.mapping.xlsx`` beside ``old.xlsx``: sheets *columns*, *areas*, *confirm* and *read
        me*. A cross under ``guess`` marks what was not told by equal words.

    Raises
    ------
    InputError
        No sheet has areas down and numbers across.
    FileError
        The workbook cannot be read.
    """
    tables = _tables(path)
    columns = pd.DataFrame(
        [row for table in tables for row in _proposed(table, known.dictionary)],
        columns=list(COLUMNS_SHEET),
        dtype="string",
    )
    labels = list(dict.fromkeys(one for table in tables for one in table.labels))
    areas = pd.DataFrame(
        [_area_of(label, known) for label in labels], columns=list(AREAS_SHEET), dtype="string"
    )
    confirm = pd.DataFrame([dict.fromkeys(CONFIRM_SHEET, "")], dtype="string")
    about: dict[str, list[str]] = {}
    for lang in LANGUAGES:
        with speaking(lang):
            about[lang] = [say(f"portal.about_{name}") for name in ("how", "columns", "areas",
                                                                      "confirm")]  # fmt: skip
    sheets = [
        Sheet("columns", columns),
        Sheet("areas", areas),
        Sheet("confirm", confirm),
        Sheet("read me", pd.DataFrame(about, dtype="string")),
    ]
    target = mapping_path(path)
    with file_in_one_step(target) as temporary:
        write_workbook(sheets, temporary)
    return target


def _proposed(table: _Table, dictionary: Dictionary) -> Iterable[dict[str, str]]:
    for heading in table.values.columns:
        values = table.values[heading].to_numpy()
        years = _YEAR.findall(heading)
        year = years[-1] if years else table.year
        code, sure = _indicator_of(heading, dictionary)
        scale, note = "1", ""
        largest = np.nanmax(np.abs(values), initial=0.0)
        rule = dictionary.frame.loc[code, "rule"] if code else ""
        shares = largest <= 1 and bool(np.any(np.mod(np.nan_to_num(values), 1) != 0))
        # a cell that shows 25 % holds 0.25, and is read as it shows
        if rule == "percent" and shares and not table.percent[heading]:
            scale, note, sure = "100", say("portal.note_shares"), False
        if rule == "percent" and largest * float(scale) > 100.5:
            code, note, sure = "", say("portal.note_counts"), False
        yield {
            "sheet": table.sheet,
            "heading": heading,
            "code": code,
            "census": year,
            "universe": str(dictionary.frame.loc[code, "universe"]) if code else "",
            "origin": "reported",
            "scale": scale,
            "guess": "" if sure and year else "x",
            "note": note if year else say("portal.note_no_year"),
        }


def _bare(text: str) -> str:
    """Return a heading without its year, percent sign, brackets and dollars."""
    words = " ".join(_YEAR.sub(" ", text).split())
    return re.sub(r"\(? ?[%$] ?\)?|, ?%|\( ?\)", " ", words).strip(" ,-–:()")


def _words(text: str) -> set[str]:
    found = {fold(one) for one in re.split(r"[\s,/()\-–:]+", _bare(text)) if one}
    return {re.sub(r"s$", "", one) for one in found} - _IDLE - {""}


def _indicator_of(heading: str, dictionary: Dictionary) -> tuple[str, bool]:
    """Return the indicator a heading is likely to be, and whether its words are equal."""
    frame = dictionary.frame
    wanted = fold(_bare(heading))
    # a total is the count itself: nothing else of such a heading tells what it measures
    count = re.sub(r"^(total|totale)|(total|totale)$", "", wanted)
    best, like = "", 0.0
    words = _words(heading)
    for code, en, fr in zip(frame.index, frame["name_en"], frame["name_fr"], strict=True):
        for name in (en, fr):
            if fold(_bare(name)) == wanted or fold(str(code)) == wanted:
                return str(code), True
            if count and count != wanted and fold(_bare(name)) == count:
                best, like = str(code), 1.0
            other = _words(name)
            if words and other:
                shared = len(words & other) / len(words | other)
                close = difflib.SequenceMatcher(None, wanted, fold(_bare(name))).ratio()
                score = max(shared, close if close > 0.75 else 0.0)
                if score > like:
                    best, like = str(code), score
    return (best, False) if like >= _LIKE else ("", False)


def _area_of(label: str, known: Known) -> dict[str, str]:
    """Return the area a label is likely to be: of the portal, else of the registry, else new."""
    areas = known.areas
    wanted = fold(label)
    for column in ("area_id", "name_en", "name_fr"):
        same = areas[areas[column].map(fold).eq(wanted)]
        if len(same) == 1:
            one = same.iloc[0]
            return _area(label, f"{one['area_id']}@{one['definition']}", sure=True)
    bare = fold(_OF_PARTNERSHIP.sub("", label).strip(" -–,()"))
    several = [
        f"{one.area_id}@{one.definition}"
        for one in areas.itertuples()
        if bare and bare == fold(_OF_PARTNERSHIP.sub("", one.name_en).strip(" -–,()"))
    ]
    if len(several) == 1:
        return _area(label, several[0], sure=False)
    if several:
        return _area(label, "", sure=False, note=say("portal.note_several", areas=several))
    registry = open_registry()
    there = _named_in_registry(label, registry.lips)
    if len(there) > 1:
        return _area(label, "", sure=False, note=say("portal.note_several", areas=there))
    if there:
        id = there[0]
        versions = registry.definitions.loc[registry.definitions["lip_id"].eq(id), "version"]
        choices = [f"{id}@{one}" for one in versions] if len(versions) > 1 else []
        note = say("portal.note_definitions", areas=choices) if choices else ""
        return _area(label, id, sure=False, note=note)
    slug = "-".join(filter(None, (fold(word) for word in label.split()))) or "area"
    return _area(label, slug, sure=False, note=say("portal.note_new_area"))


def _named_in_registry(label: str, lips: pd.DataFrame) -> list[str]:
    """Return the partnerships a label may name: all its words are theirs, or their area's.

    Those of just these words come before all others; what is said of the area counts last.
    """
    wanted = _place_words(label)
    lips = lips[lips["kind"].ne("RIF")]
    if not wanted:
        return []
    ids = [str(one) for one in lips["lip_id"]]
    named = [
        _place_words(f"{en} {fr}") for en, fr in zip(lips["name_en"], lips["name_fr"], strict=True)
    ]
    told = [_place_words(one) for one in lips["service_area_text"]]
    for fits in (
        [wanted == one for one in named],
        [wanted <= one for one in named],
        [wanted <= one | other for one, other in zip(named, told, strict=True)],
    ):
        if any(fits):
            return [id for id, fit in zip(ids, fits, strict=True) if fit]
    return []


#: words of names that tell no place
_NO_PLACE = {
    *("local", "locale", "immigration", "partnership", "partenariat", "lip", "pli", "rif"),
    *("network", "council", "reseau", "conseil", "matiere", "regional", "municipality", "city"),
    *("town", "region", "district", "county", "ville", "municipalite", "regionale", "comte"),
    *("of", "the", "and", "d", "l", "de", "du", "des", "la", "le", "les", "et", "en"),
}


def _place_words(text: str) -> set[str]:
    """Return the words of a name that tell a place; abbreviations in brackets do not."""
    bare = re.sub(r"\([A-Z]+\)", " ", str(text))
    return {fold(one) for one in re.split(r"[^\w.]+", bare) if one} - _NO_PLACE - {""}


def _area(label: str, id: str, *, sure: bool, note: str = "") -> dict[str, str]:
    return {"label": label, "area_id": id, "guess": "" if sure else "x", "note": note}


# ---------------------------------------------------------------------- taking it in


def from_legacy(path: Path, known: Known) -> Intake:
    """Return what a legacy workbook brings, by the mapping beside it that somebody signed.

    Columns without a code stay as indicators of one's own; columns of words are left out, and said.

    Raises
    ------
    InputError
        The mapping is not signed, names an indicator or origin that is none, lacks a year or an
        area, or does not cover the workbook. ``problems`` lists every cell.
    """
    mapping = mapping_path(path)
    columns, areas, confirm = (
        _read(mapping, name, needed)
        for name, needed in (
            ("columns", COLUMNS_SHEET),
            ("areas", AREAS_SHEET),
            ("confirm", CONFIRM_SHEET),
        )
    )
    signed = confirm[confirm["confirmed_by"].ne("") & confirm["confirmed_on"].ne("")]
    if signed.empty:
        raise InputError("portal.mapping_unsigned", path=mapping)
    tables = _tables(path)
    _require_fit(mapping, columns, areas, tables, known.dictionary)
    ids = dict(zip(areas["label"], areas["area_id"], strict=True))
    wanted = [ids[one] for table in tables for one in table.labels if ids[one]]
    places, more = known.places(wanted)
    names = {places.loc[id, "area_id"]: label for label, id in ids.items() if id}
    for column in ("name_en", "name_fr"):
        # an area the registry does not know is called as the workbook calls it
        own = more["extent_status"].eq("own")
        more.loc[own, column] = more.loc[own, "area_id"].map(names).fillna(more.loc[own, column])
    parts, own_rows, notes = [], [], []
    for table in tables:
        rows, own, found = _rows_of(table, columns, ids, places, known, path.name)
        parts += rows
        own_rows += own
        notes += found
    frame = pd.concat(parts, ignore_index=True)
    licence = str(signed.iloc[0]["licence"])
    frame["licence"] = licence
    return Intake(
        rows=frame,
        kind="legacy",
        sources=[{"file": one.name, "sha256": sha256_of(one)} for one in (path, mapping)],
        areas=more,
        indicators=pd.DataFrame(own_rows).drop_duplicates("code") if own_rows else None,
        report=CheckReport(notes),
        extra={
            "confirmed_by": str(signed.iloc[0]["confirmed_by"]),
            "confirmed_on": str(signed.iloc[0]["confirmed_on"]),
        },
    )


def _read(path: Path, sheet: str, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        frame = read_sheet(path, sheet).frame
    except FileError as error:
        if error.key == "readers.empty_sheet":
            return pd.DataFrame(columns=list(columns), dtype=object)
        raise
    frame = frame.reindex(columns=list(columns)).astype("string").fillna("")
    return frame.apply(lambda column: column.str.strip()).astype(object)


def _require_fit(
    path: Path,
    columns: pd.DataFrame,
    areas: pd.DataFrame,
    tables: list[_Table],
    dictionary: Dictionary,
) -> None:
    """Refuse a mapping that cannot be used, or does not cover the workbook; all at once."""
    problems: list[dict[str, Any]] = []

    def put(page: str, row: Any, key: str, **values: Any) -> None:
        problems.append({"sheet": page, "row": row, "problem": say(key, **values)})

    for one in columns.itertuples():
        faults = {
            "portal.row_indicator": bool(one.code) and one.code not in dictionary,
            "portal.row_origin": one.origin not in ORIGINS,
            "portal.note_no_year": not one.census,
            "portal.bad_scale": one.scale not in ("1", "100", "0.01"),
        }
        given = {"portal.row_indicator": one.code, "portal.row_origin": one.origin}
        for key, wrong in faults.items():
            if wrong:
                put("columns", one.Index, key, given=given.get(key, one.scale))
    told = set(zip(columns["sheet"], columns["heading"], strict=True))
    labels = set(areas["label"])
    for table in tables:
        for heading in table.values.columns:
            if (table.sheet, heading) not in told:
                put("columns", "-", "portal.heading_not_mapped", sheet=table.sheet, heading=heading)
        for label in [one for one in dict.fromkeys(table.labels) if one not in labels]:
            put("areas", "-", "portal.label_not_mapped", label=label)
    known = areas[areas["area_id"].ne("")]
    for id, own in known.groupby("area_id"):
        if len(own) > 1:
            put("areas", own.index[0], "portal.area_doubled", area=id, labels=list(own["label"]))
    if problems:
        cells = [f"{one['sheet']} {one['row']}: {one['problem']}" for one in problems]
        raise InputError("portal.mapping_refused", problems, path=path, cells=cells)


def _rows_of(  # noqa: PLR0917
    table: _Table,
    columns: pd.DataFrame,
    ids: dict[str, str],
    places: pd.DataFrame,
    known: Known,
    name: str,
) -> tuple[list[pd.DataFrame], list[dict[str, Any]], list[Finding]]:
    here = columns[columns["sheet"].eq(table.sheet)].set_index("heading")
    taken = table.labels.map(ids).ne("").to_numpy()
    place = places.loc[[ids[one] for one in table.labels[taken]]]
    rows, own = [], []
    for heading in table.values.columns:
        said = here.loc[heading]
        code = said["code"] or local_code(_bare(heading), "local")
        if not said["code"]:
            own.append(
                {
                    "code": code,
                    "topic": "local",
                    "name_en": _bare(heading),
                    "name_fr": _bare(heading),
                    "rule": "percent" if table.percent[heading] else "count",
                    "universe": said["universe"],
                    "status": "local",
                }
            )
        symbols = table.symbols[heading].to_numpy(dtype=object)[taken]
        values = table.values[heading].to_numpy()[taken] * float(said["scale"])
        kept = ~(np.isnan(values) & (symbols == ""))
        rows.append(
            make_observations(
                {
                    "area_id": place["area_id"].to_numpy()[kept],
                    "definition": place["definition"].to_numpy()[kept],
                    "indicator": code,
                    "period": str(said["census"]),
                    "value": values[kept],
                    "symbol": symbols[kept],
                    "origin": str(said["origin"]),
                    "universe": str(said["universe"]),
                    "source": name,
                }
            )
        )
    notes = list(table.notes)
    if table.texts:
        notes.append(finding("portal.columns_of_words", "note", table.sheet, sheet=table.sheet,
                             columns=table.texts))  # fmt: skip
    left = sorted({one for one in table.labels if not ids[one]})
    if left:
        notes.append(finding("portal.labels_left", "note", table.sheet, sheet=table.sheet,
                             labels=left))  # fmt: skip
    return rows, own, notes
