"""Read a census table as people have it, in any of its usual forms, into a ``CensusTable``.

One form is a Beyond 20/20 export: the browser saves the view on screen, units down or across,
their codes inside labels (``Toronto (3520005) 00000 (4.2%)``), totals of other dimensions above
the table, notes below.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from lipgeo import geography
from lipgeo.errors import FileError, TableError, require_path
from lipgeo.files import sha256_of
from lipgeo.geography.hierarchy import fold
from lipgeo.geography.restoring import restore_ids
from lipgeo.readers.columns import (
    Places,
    codes_in_labels,
    find_places,
    known_units,
    name_columns,
    only_level,
)
from lipgeo.readers.ivt import is_ivt, read_ivt
from lipgeo.readers.sheets import Sheet, read_sheet
from lipgeo.readers.statcan.cells import read_cells
from lipgeo.readers.statcan.profile import read_profile
from lipgeo.readers.statcan.profile_files import is_profile
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.tables.census_table import CensusTable

__all__ = ["as_units_by_rows", "read_table"]

#: share of headers with a code that says that units stand across
_ACROSS = 0.5
#: the mark the browser leaves on a header of a blank corner
_BLANK = re.compile(r"^column_\d+$")


def as_units_by_rows(frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[Finding]]:
    """Return a table with one row a unit, turned where its headers bear the units' codes.

    Parameters
    ----------
    frame
        As the file stands.
    name
        How messages call it.

    Returns
    -------
    pandas.DataFrame
        The same frame, or the turned one: index the position of the column (1 is the first),
        ``geography`` with the labels, one column a row of the file.
    list of Finding
        One note where it was turned.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.readers.tables import as_units_by_rows
    >>> frame = pd.DataFrame({"Characteristics": ["Immigrants"], "Ottawa (3506008) 00000": ["9"],
    ...                       "Clarence-Rockland (3502036) 00000": ["8"]})
    >>> as_units_by_rows(frame, "table.csv")[0].iloc[0].tolist()
    ['Ottawa (3506008) 00000', '9']
    """
    headers = pd.Series([str(column) for column in frame.columns], dtype="string")
    first, others = headers.iloc[:1], headers.iloc[1:]
    if len(others) < 2:
        return frame, []
    coded = codes_in_labels(others).notna()
    known = any(geography.id_column(str(column)) for column in frame.columns)
    year_like = others.str.fullmatch(r"\d{4}").all()
    if known or year_like or coded.mean() <= _ACROSS:
        return frame, []
    rows = frame.iloc[:, 0].astype("string")
    there = rows.notna()
    turned = frame.loc[there].iloc[:, 1:].T
    turned.columns = _unique([" ".join(label.split()) for label in rows[there]])
    turned.insert(0, "geography", others.to_numpy())
    turned.index = pd.Index(range(2, len(others) + 2), name="row")
    corner = "" if _BLANK.match(str(first.iloc[0])) else str(first.iloc[0])
    return turned[coded.to_numpy()], [finding("readers.turned", "note", name, corner=corner)]


def _unique(labels: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        result.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return result


#: columns of symbols: "immigrants_symbol", "immigrants (symbole)"
_SYMBOL_ENDINGS = ("symbol", "symbole", "flag", "indicateur")


def read_table(
    path: str | Path,
    *,
    id: str | None = None,
    level: str | None = None,
    vintage: int | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
) -> CensusTable:
    r"""Read a census table: what people keep, what Beyond 20/20 exports, ``.ivt`` and Parquet.

    What the file is decides, not its ending. Delimiter, encoding (UTF-8, UTF-16, Windows-1252),
    decimal mark and thousands separators are found; the column of units, their level and their
    census are told from names, DGUIDs, labels and ids; and all of it is said in ``notes``.

    Parameters
    ----------
    path
        CSV, TSV, workbook (``.xlsx``), Parquet, ``.ivt`` (extra ``ivt``), the CSV that the Beyond
        20/20 browser saves, or a Census Profile (see :func:`read_profile`). One row a unit, or
        one column a unit where its header bears the unit's code.
    id
        Column of the units' ids; needed where no name gives it away.
    level, vintage
        What the ids are; needed where nothing says it. With ``id`` and ids of no census level
        the rows are zones of your own.
    sheet
        Worksheet.
    encoding
        Encoding of a text, where the one found is wrong.

    Returns
    -------
    CensusTable
        Ids whole again, as text; columns called as the dictionary of variables calls them where
        their words leave no doubt, else as in the file; missing as NaN, the symbol beside it.

    Raises
    ------
    TableError
        No column of units; level or census unknown, or several of them; most ids are none; a unit
        stands twice with different numbers; cells that are no numbers. ``problems`` lists rows.
    FileError
        The file cannot be read.
    MissingExtraError
        An ``.ivt`` without the extra ``ivt``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import lipgeo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "da_2021.csv")
    ...     _ = path.write_text("ADIDU;Immigrants\n35060001;1 040,0\n35060002;x\n", "utf-8")
    ...     table = lipgeo.read_table(path)
    >>> table.level, table.vintage, table.frame["immigrants"].tolist()
    ('DA', 2021, [1040.0, nan])
    >>> table.symbols["immigrants"].tolist()
    ['', 'x']
    """
    path = require_path(path)
    if is_profile(path):
        return read_profile(path, level=level)
    held = _read(path, sheet, encoding)
    frame, turned = as_units_by_rows(held.frame, path.name)
    places = find_places(frame, path, id=id, level=level, vintage=vintage)
    kept = only_level(places.ids, places.level)
    frame = frame[kept]
    ids, found = known_units(_rows(places, kept), path)
    findings = [*held.notes, *turned, *places.findings, *found]
    numbers, symbols, notes = _numbers(frame, places, held.decimal, path)
    findings += notes
    named, notes = name_columns(list(numbers.columns), places.vintage, path.name)
    findings += notes
    there = ids.notna()
    units = pd.Index(ids[there].astype(object), name="unit_id")
    numbers = numbers[there].rename(columns=named).set_axis(units)
    symbols = symbols[there].rename(columns=named).set_axis(units)
    first, notes = _once(numbers, symbols, frame.index[there], path)
    findings += notes
    if not len(numbers):
        raise TableError("readers.no_rows", name=path.name)
    return CensusTable(
        numbers[first],
        level=places.level,
        vintage=places.vintage,
        symbols=symbols[first],
        names=_values_of_units(places.names, kept, there, units, first),
        sources=sources_of([path]),
        parents=_tracts(places, frame, there, units, first),
        notes=CheckReport(findings),
    )


def sources_of(paths: list[Path]) -> pd.DataFrame:
    """Return ``file, sha256`` of files read."""
    hashes = [sha256_of(path) for path in paths]
    return pd.DataFrame({"file": [path.name for path in paths], "sha256": hashes})


def _read(path: Path, sheet: str | None, encoding: str | None) -> Sheet:
    """Return what a file holds, one column a column, rows numbered."""
    if is_ivt(path):
        return read_ivt(path)
    if _magic(path) == b"PAR1":
        try:
            frame = pyarrow.parquet.ParquetFile(path).read().to_pandas()
        except (pa.ArrowInvalid, OSError) as error:
            raise FileError("readers.bad_parquet", path=path, reason=str(error)) from error
        if frame.index.name is not None or frame.index.nlevels > 1:
            frame = frame.reset_index()
        frame.columns = [str(name) for name in frame.columns]
        return Sheet(frame.set_axis(np.arange(1, len(frame) + 1)), CheckReport())
    return read_sheet(path, sheet, encoding=encoding)


def _magic(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(4)
    except OSError:
        return b""  # whoever reads it next says why it cannot be read


def _rows(places: Places, kept: pd.Series) -> Places:
    return Places(places.column, places.level, places.vintage, places.ids[kept])


def _numbers(
    frame: pd.DataFrame, places: Places, decimal: str, path: Path
) -> tuple[pd.DataFrame, pd.DataFrame, list[Finding]]:
    """Return numbers and symbols of the columns that hold numbers, and which do not.

    Raises
    ------
    TableError
        Cells of a column of numbers that are neither numbers nor symbols.
    """
    values: dict[str, npt.NDArray[np.float64]] = {}
    marks: dict[str, npt.NDArray[np.object_]] = {}
    problems: list[dict[str, object]] = []
    texts: list[str] = []
    beside = _symbol_columns(frame)
    for name in frame.columns:
        if name == places.column or name in places.others or name in beside.values():
            continue
        cells = frame[name]
        symbol = frame[beside[name]] if name in beside else None
        column, symbols, unread = read_cells(cells, decimal, symbol)
        if unread.sum() > (~np.isnan(column)).sum():
            texts.append(name)
            continue
        problems += [
            {"row": frame.index[at], "column": name, "given": str(cells.iloc[at])}
            for at in np.flatnonzero(unread)
        ]
        values[name], marks[name] = column, symbols
    if problems:
        cells_shown = [f"{one['column']}, {one['row']}: {one['given']}" for one in problems]
        raise TableError("readers.not_numbers", problems, name=path.name, cells=cells_shown)
    if not values:
        raise TableError("readers.no_numbers", name=path.name, columns=list(frame.columns))
    notes = []
    if texts:
        notes.append(finding("readers.texts", "note", path.name, columns=texts))
    symbols = pd.DataFrame(marks, index=frame.index)
    symbols = symbols.loc[:, symbols.ne("").any()]
    return pd.DataFrame(values, index=frame.index), symbols, notes


def _symbol_columns(frame: pd.DataFrame) -> dict[str, str]:
    """Return the column of symbols of each column that has one."""
    columns = list(frame.columns)
    by_key = {fold(name): name for name in columns}
    found = {
        name: by_key[fold(name) + ending]
        for name in columns
        for ending in _SYMBOL_ENDINGS
        if fold(name) + ending in by_key
    }
    for at, name in enumerate(columns[1:]):
        # a repeated SYMBOL column belongs to the one before it
        if fold(name).rstrip("0123456789") in _SYMBOL_ENDINGS:
            found.setdefault(columns[at], name)
    return found


def _once(
    numbers: pd.DataFrame, symbols: pd.DataFrame, rows: pd.Index, path: Path
) -> tuple[npt.NDArray[np.bool_], list[Finding]]:
    """Return which rows to keep: a unit that stands twice with equal rows is kept once."""
    first: npt.NDArray[np.bool_] = ~numbers.index.duplicated()
    if first.all():
        return first, []
    whole = pd.concat([numbers.reset_index(), symbols.reset_index(drop=True)], axis=1)
    whole.columns = range(whole.shape[1])
    same = whole.duplicated().to_numpy()
    differing = ~first & ~same
    if differing.any():
        units = numbers.index[numbers.index.isin(numbers.index[differing])]
        at = numbers.index.isin(units)
        problems = [
            {"row": row, "unit_id": unit} for row, unit in zip(rows[at], units, strict=True)
        ]
        shown = [f"{one['unit_id']} ({one['row']})" for one in problems]
        raise TableError("readers.twice", problems, name=path.name, units=shown)
    again = list(numbers.index[~first])
    return first, [finding("readers.same_twice", "warning", path.name, units=again)]


def _values_of_units(
    values: pd.Series | None,
    kept: pd.Series,
    there: pd.Series,
    units: pd.Index,
    first: npt.NDArray[np.bool_],
) -> pd.Series | None:
    return None if values is None else values[kept][there].set_axis(units)[first]


def _tracts(
    places: Places,
    frame: pd.DataFrame,
    there: pd.Series,
    units: pd.Index,
    first: npt.NDArray[np.bool_],
) -> pd.Series | None:
    if places.parents is None or places.vintage is None:
        return None
    tracts = restore_ids(frame.loc[there, places.parents], "CT", places.vintage)
    return tracts.ids.set_axis(units)[first]
