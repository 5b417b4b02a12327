"""Read back the numbers of areas that ``lipgeo weight --out`` wrote, to draw them on a map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.errors import FileError, TableError, require_path, tell_damage
from lipgeo.files import read_sealed_parquet, unguard_csv
from lipgeo.readers.vector_files import Dataset, list_layers, read_vector
from lipgeo.readers.workbooks import open_workbook
from lipgeo.tables.estimates import COLUMNS
from lipgeo.tables.variables import Variable, look_up_variable

__all__ = ["WrittenNumbers", "holds_numbers", "read_numbers"]

#: columns of text; the others are numbers
_TEXTS = ("area_id", "variable", "flag", "rule", "basis")
#: columns without which a number is none
_NEEDED = ("area_id", "variable", "value")
#: ends of the columns of a GeoPackage of numbers, and what they are
_ENDINGS = {"_likely_lower": "likely_lower", "_likely_upper": "likely_upper"}


@dataclass(frozen=True, eq=False)
class WrittenNumbers:
    """Numbers of areas as a file of them says.

    Attributes
    ----------
    frame
        As ``Estimates.frame``, one row an area and variable; a column that the file does not have
        is missing throughout (text: empty).
    variables
        Name to variable, of those that lipgeo's dictionary has.
    sources
        ``file``: the files the numbers were made from where the file says so, else the file itself.
    vintage
        The census they are of, ``None`` where the file does not say one.
    """

    frame: pd.DataFrame
    variables: dict[str, Variable]
    sources: pd.DataFrame
    vintage: int | None = None


def read_numbers(path: str | Path, *, vintage: int | None = None) -> WrittenNumbers:
    """Read numbers that ``lipgeo weight --out`` wrote (``lipgeo.store.results.write_estimates``).

    Parameters
    ----------
    path
        An ``.xlsx``, ``.csv`` (English or French), ``.parquet`` or ``.gpkg`` of them.
    vintage
        Census of the areas; whether a variable is sampled depends on it.

    Raises
    ------
    FileError
        The file is not there or damaged, has another ending, or is none of these.
    TableError
        A value is no number, or a variable of an area stands twice.
    """
    place = require_path(path)
    readers = {".xlsx": _workbook, ".csv": _text, ".parquet": _parquet, ".gpkg": _layer}
    reader = readers.get(place.suffix.lower())
    if reader is None:
        raise FileError("readers.numbers_ending", path=place, endings=list(readers))
    if not place.is_file():
        raise FileError("readers.numbers_missing", path=place)
    with tell_damage(FileError, "readers.numbers_damaged", path=place):
        given, files = reader(place)
    lost = [name for name in _NEEDED if name not in given.columns]
    if lost:
        raise FileError(
            "readers.numbers_not", path=place, missing=lost, columns=[str(c) for c in given.columns]
        )
    frame = _typed(given, place)
    names = dict.fromkeys(frame["variable"])
    known = {name: look_up_variable(str(name), {}, vintage) for name in names}
    rules = frame["variable"].map({name: one.rule for name, one in known.items() if one})
    frame["rule"] = frame["rule"].mask(frame["rule"].eq(""), rules).fillna("")
    sources = pd.DataFrame({"file": pd.array(files or [place.name], dtype="string")})
    return WrittenNumbers(
        frame,
        {name: one for name, one in known.items() if one},
        sources,
        _one_vintage(given),
    )


def _one_vintage(given: pd.DataFrame) -> int | None:
    """Return the census that every row names, if they do and it is one."""
    if "vintage" not in given or given["vintage"].isna().any():
        return None
    years = pd.to_numeric(given["vintage"], errors="coerce").unique()
    return int(years[0]) if len(years) == 1 and not np.isnan(years[0]) else None


def holds_numbers(path: str | Path) -> bool:
    """Say whether a workbook or GeoPackage is one that ``lipgeo weight --out`` writes.

    Examples
    --------
    >>> holds_numbers("numbers.csv")
    False
    """
    place = Path(path)
    ending = place.suffix.lower()
    if ending == ".gpkg":
        return "numbers" in [name for name, _ in list_layers(Dataset(place.name, place))]
    if ending != ".xlsx":
        return False
    sheets = open_workbook(place).values
    return any(
        _under(list(sheet.iter_rows(max_row=5, values_only=True)), _NEEDED) is not None
        for sheet in sheets
    )


def _typed(given: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the columns of ``Estimates.frame``, each of its type."""
    frame = pd.DataFrame(index=np.arange(len(given)))
    problems = []
    for name in COLUMNS:
        if name not in given.columns:
            frame[name] = "" if name in _TEXTS else np.nan
            continue
        cells = given[name].reset_index(drop=True)
        if name in _TEXTS:
            frame[name] = cells.astype("string").fillna("").astype(object)
            continue
        frame[name] = pd.to_numeric(cells, errors="coerce").astype(np.float64)
        wrong = frame[name].isna() & cells.notna() & cells.astype("string").str.strip().ne("")
        problems += [
            {"row": int(at) + 1, "column": name, "given": str(cells[at])}
            for at in np.flatnonzero(wrong.fillna(False))
        ]
    if problems:
        raise TableError(
            "readers.numbers_cells",
            problems,
            path=path,
            cells=[f"{one['column']} {one['row']}: {one['given']}" for one in problems],
        )
    twice = frame[frame.duplicated(["area_id", "variable"], keep=False)]
    if len(twice):
        pairs = twice[["area_id", "variable"]].drop_duplicates()
        raise TableError(
            "readers.numbers_twice",
            pairs.to_dict("records"),
            path=path,
            pairs=list(pairs["area_id"].str.cat(pairs["variable"], sep=" ")),
        )
    return frame


def _parquet(path: Path) -> tuple[pd.DataFrame, list[str]]:
    return read_sealed_parquet(path)[0].to_pandas(), []


def _text(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a CSV of either form: its header says which."""
    with path.open(encoding="utf-8-sig") as stream:
        header = stream.readline()
    french = header.count(";") > header.count(",")
    frame = pd.read_csv(path, sep=";" if french else ",", dtype=str, encoding="utf-8-sig")
    for name in frame.columns:
        if name in _TEXTS:
            frame[name] = unguard_csv(frame[name])
        elif french and name in COLUMNS:
            frame[name] = frame[name].str.replace(",", ".", regex=False)
    return frame, []


def _workbook(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read the sheet of results and that of sources, whatever language they are called in."""
    sheets = [list(sheet.iter_rows(values_only=True)) for sheet in open_workbook(path).values]
    found = [frame for rows in sheets if (frame := _under(rows, _NEEDED)) is not None]
    frame = found[0] if found else pd.DataFrame(sheets[0])
    files = [_under(rows, ("file", "sha256")) for rows in sheets]
    # an explanation names the file of each row too
    names = [one["file"].dropna() for one in files if one is not None and len(one.columns) == 2]
    return frame, [str(name) for part in names for name in part]


def _under(rows: list[tuple[Any, ...]], needed: tuple[str, ...]) -> pd.DataFrame | None:
    """Return the table under the row that has certain headers, in the first rows of a sheet."""
    for at, row in enumerate(rows[:5]):
        if set(needed) <= set(row):
            frame = pd.DataFrame(rows[at + 1 :], columns=list(row))
            return frame.loc[:, [name is not None for name in row]]
    return None


def _layer(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read the areas of a GeoPackage of numbers: a column a variable, made one row each."""
    wide = read_vector(Dataset(path.name, path), layer="numbers", read_geometry=False)
    ends = tuple(_ENDINGS)
    aside = {"area_id", "area_name", "basis", "vintage"}
    names = [name for name in wide.columns if name not in aside and not name.endswith(ends)]
    parts = []
    for name in names:
        part = wide[["area_id"]].assign(variable=name, value=wide[name])
        for ending, column in _ENDINGS.items():
            if name + ending in wide:
                part[column] = wide[name + ending]
        for fact in ("basis", "vintage"):
            if fact in wide:
                part[fact] = wide[fact]
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else wide, []
