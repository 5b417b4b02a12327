"""What a file is: estimates, rows of the long table, local data, survey results, a workbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.errors import FileError, InputError, tell_damage
from lipgeo.files import read_sealed_parquet, sha256_of
from lipgeo.portal.observations import COLUMNS
from lipgeo.portal.sources.imdb_files import from_imdb, is_imdb
from lipgeo.portal.sources.intake import Intake, Known, codes_of, join_intakes
from lipgeo.portal.sources.legacy import from_legacy, mapping_path, write_mapping
from lipgeo.portal.sources.local import from_frame, from_local, from_survey
from lipgeo.readers.numbers import holds_numbers, read_numbers
from lipgeo.readers.sheets import read_sheet, read_sheets
from lipgeo.report import CheckReport, finding
from lipgeo.words import say

__all__ = ["kind_of", "read_source"]

_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
_WORKBOOKS = (".xlsx", ".xlsm")

#: what a table is by its columns, the first that fits
_KINDS = {
    "estimates": {"area_id", "variable", "value"},
    "survey": {"area_id", "question", "answers", "responses"},
    "observations": {"area_id", "indicator", "period", "value"},
    "local": {"area_id", "indicator", "value", "unit"},
}


def kind_of(path: Path) -> str:
    """Say what a file is: estimates, observations, local, survey, regional, imdb or legacy.

    Raises
    ------
    InputError
        It is none of them.
    FileError
        It cannot be read.
    """
    if holds_numbers(path):
        return "estimates"
    if _parts_of(path):
        return "regional"
    columns = {str(one).strip().casefold() for one in _frame(path).columns}
    for kind, needed in _KINDS.items():
        if needed <= columns:
            return kind
    if is_imdb(path):
        return "imdb"
    if path.suffix.casefold() in _WORKBOOKS:
        return "legacy"
    raise InputError("portal.not_recognised", path=path, columns=sorted(columns))


def _frame(path: Path) -> pd.DataFrame:
    if path.suffix.casefold() in (".parquet", ".pq"):
        with tell_damage(FileError, "readers.bad_parquet", path=path):
            return read_sealed_parquet(path)[0].to_pandas()
    sheet = read_sheet(path)
    if sheet.decimal != ",":
        return sheet.frame
    # a file written with decimal commas, as a French Excel opens it
    return sheet.frame.map(_with_point)


def _numbers(path: Path) -> pd.DataFrame:
    """Return the rows of a workbook or GeoPackage of estimates, with their census."""
    found = read_numbers(path)
    return found.frame if found.vintage is None else found.frame.assign(vintage=found.vintage)


def _with_point(cell: Any) -> Any:
    """Return a number with a decimal comma with a point, anything else as it is."""
    found = isinstance(cell, str) and _COMMA.fullmatch(cell.strip())
    return re.sub(r"\s", "", found[0]).replace(",", ".") if found else cell


_COMMA = re.compile(r"[-\u2212]?\d[\d\s]*,\d+")


def read_source(path: Path, known: Known) -> Intake:
    """Return what a file brings, whatever it is.

    Raises
    ------
    InputError
        It is nothing a portal takes; or a legacy workbook whose mapping was written just now and
        waits to be signed.
    """
    kind = kind_of(path)
    if kind == "legacy":
        if not mapping_path(path).is_file():
            raise InputError("portal.mapping_written", path=write_mapping(path, known))
        return from_legacy(path, known)
    if kind == "imdb":
        return from_imdb(path, known)
    if kind == "regional":
        return _regional(path, known)
    frame = _numbers(path) if holds_numbers(path) else _frame(path)
    frame.columns = [str(one).strip().casefold() for one in frame.columns]
    readers = {"local": from_local, "survey": from_survey}
    if kind in readers:
        taken = readers[kind](frame, known, path.name)
    elif kind == "estimates":
        taken = _estimates(frame, known, path)
    else:
        kept = [one for one in frame.columns if one in COLUMNS or one in _NAMED]
        taken = from_frame(frame[kept], known, path.name)
    source = [{"file": path.name, "sha256": sha256_of(path)}]
    whole = join_intakes([taken])
    return Intake(
        rows=whole.rows, kind=whole.kind, sources=source, areas=whole.areas,
        indicators=whole.indicators, report=whole.report, extra=whole.extra,
    )  # fmt: skip


def _parts_of(path: Path) -> dict[str, pd.DataFrame]:
    """Return the sheets *local* and *survey* of a workbook that a region sends."""
    if path.suffix.casefold() not in _WORKBOOKS:
        return {}
    found = read_sheets(path, ("local", "survey"))
    return {name: one.frame for name, one in found.items()}


def _regional(path: Path, known: Known) -> Intake:
    """Return what one workbook with survey and local data of several partnerships brings."""
    readers = {"local": from_local, "survey": from_survey}
    parts = [
        readers[name](frame, known, f"{path.name}, {name}")
        for name, frame in _parts_of(path).items()
    ]
    whole = join_intakes(parts)
    return Intake(
        rows=whole.rows, kind="reported", areas=whole.areas, indicators=whole.indicators,
        report=whole.report, sources=[{"file": path.name, "sha256": sha256_of(path)}],
    )  # fmt: skip


_NAMED = ("name_en", "name_fr", "topic", "unit", "rule", "decimals", "date")


def _estimates(frame: pd.DataFrame, known: Known, path: Path) -> Intake:
    """Return what a file of estimates brings: what ``lipgeo weight`` writes, read back.

    A column ``period``, ``vintage`` or ``census`` says of which census they are, or the file's
    name.
    """
    column = next((one for one in ("period", "vintage", "census") if one in frame), None)
    years = _YEAR.findall(path.stem)
    if column is None and len(set(years)) != 1:
        raise InputError("portal.estimates_no_census", path=path)
    codes = codes_of(dict.fromkeys(frame["variable"].astype(str)), known.dictionary)
    kept = frame[frame["variable"].isin(codes)].reset_index(drop=True)
    left = sorted(set(frame["variable"].astype(str)) - set(codes))
    if kept.empty:
        raise InputError("portal.nothing_for_portal", variables=left)
    facts = known.dictionary.frame
    indicator = kept["variable"].map(codes)
    numbers = ("value", "lower", "upper", "likely_lower", "likely_upper", "truth_lower",
               "truth_upper")  # fmt: skip
    made = pd.DataFrame(
        {
            "area_id": kept["area_id"].astype(str),
            "indicator": indicator,
            "period": kept[column].astype(str) if column else years[0],
            **{one: kept[one] for one in numbers if one in kept},
            "origin": "estimated",
            "universe": indicator.map(facts["universe"]),
            "dollars": indicator.map(facts["name_en"].str.contains("$", regex=False)).map(
                {True: "current", False: ""}
            ),
            "source": say("portal.source_file", name=path.name),
            "flags": kept["flag"].astype("string").fillna("") if "flag" in kept else "",
        }
    )
    taken = from_frame(made, known, path.name)
    notes = list(taken.report)
    if left:
        notes.append(finding("portal.no_such_indicator", "note", path.name, variables=left))
    return Intake(
        rows=taken.rows, kind="estimates", areas=taken.areas, indicators=taken.indicators,
        report=CheckReport(notes),
    )  # fmt: skip
