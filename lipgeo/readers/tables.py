"""Read a census table as people have it, in any of its usual forms, into a ``CensusTable``.

One form is a Beyond 20/20 export: the browser saves the view on screen, units down or across,
their codes inside labels (``Toronto (3520005) 00000 (4.2%)``), totals of other dimensions above
the table, notes below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.errors import FileError, TableError, require_path
from lipgeo.files import sha256_of
from lipgeo.geography.hierarchy import fold
from lipgeo.geography.identifiers import holds_codes
from lipgeo.geography.restoring import restore_ids
from lipgeo.readers.columns import (
    ID_COLUMNS,
    Places,
    are_coded,
    codes_in_labels,
    find_places,
    is_variable,
    known_units,
    name_columns,
    only_level,
)
from lipgeo.readers.components import compose_ids, require_composed
from lipgeo.readers.deliveries import read_delivery
from lipgeo.readers.ivt import is_ivt
from lipgeo.readers.long_tables import long_form, select_rows
from lipgeo.readers.own_areas import is_table_of_areas, table_of_areas
from lipgeo.readers.sheets import column_names, refuse_merged
from lipgeo.readers.sniff import decimal_mark
from lipgeo.readers.statcan.cells import read_cells
from lipgeo.readers.statcan.profile import read_profile
from lipgeo.readers.statcan.profile_files import has_profile_header, is_profile
from lipgeo.readers.table_files import (
    as_text,
    magic_of,
    plain_file,
    read_any_sheet,
    read_headers,
)
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.variables import known_variables

__all__ = ["as_units_by_rows", "read_table"]

#: the mark the browser leaves on a header of a blank corner
_BLANK = re.compile(r"^column_\d+$")


def as_units_by_rows(
    frame: pd.DataFrame, name: str, *, level: str | None = None, vintage: int | None = None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return a table with one row a unit, turned where its headers bear the units' codes.

    Parameters
    ----------
    frame
        As the file stands.
    name
        How messages call it.
    level, vintage
        What the units are, where it is known; without it nearly all headers need a code that can
        be nothing else (see :func:`~lipgeo.readers.columns.are_coded`).

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
    known = any(map(is_id_column, frame.columns))
    year_like = others.str.fullmatch(r"\d{4}").all()
    if known or year_like or not are_coded(others, level, vintage):
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
_SYMBOL_ENDINGS = ("symbol", "symbole", "symbols", "symboles", "flag", "indicateur")
#: cells of a column looked at for its decimal mark
_SAMPLE = 2_000
_NINES_FROM = 99_999
#: what systems write for nothing where a number is asked for: nines, all of them
_NINES = re.compile(r"9{5,}")
#: by how much random rounding may lift a part above its whole
_ROUNDING = 10
_IN_NAME = re.compile(r"(?<!\d)[12]\d{3}(?!\d)")


def read_table(
    path: str | Path,
    *,
    id: str | None = None,
    level: str | None = None,
    vintage: int | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    where: Mapping[str, str] | None = None,
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
        one column a unit where its header bears the unit's code. Of a zip of several tables
        (GeoSuite) the one that is named for ``level``.
    id
        Column of the units' ids; needed where no name gives it away.
    level, vintage
        What the ids are; needed where nothing says it. With ``id`` and ids of no census level
        the rows are zones of your own.
    sheet
        Worksheet.
    encoding
        Encoding of a text, where the one found is wrong.
    decimal
        Decimal mark, ``"."`` or ``","``, where the one found, column by column, is wrong.
    where
        Which member of a dimension of a long table is wanted: ``{"Sex": "Total"}``. "Total" means
        the one total of a dimension, whatever its words.

    Returns
    -------
    CensusTable
        Of units of a level; or of your own areas (``level`` is ``None``) where labels are all
        there is, as custom orders have them: no number is taken for a code because its digits
        fit. Ids whole again, as text; columns called as the dictionary of variables calls them
        where their words leave no doubt, else as in the file; missing as NaN, the symbol beside it.

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
    if id is None and level is None and not where:
        with plain_file(path, level) as plain:
            own = _own_areas(plain, path, vintage, sheet)
        if own is not None:
            return own
    with plain_file(path, level) as plain:
        held = read_any_sheet(plain, sheet, encoding)
    if has_profile_header([str(name) for name in held.frame.columns]):
        return _profile_saved_otherwise(held.frame, path, level)
    frame = held.frame.set_axis(column_names(held.frame.columns), axis=1)
    form = None if id is not None else long_form(list(frame.columns))
    beside, plain_words, notes = None, True, list(held.notes)
    if form is not None:
        vintage = vintage or form.vintage or _census_year(frame)
        frame, beside, plain_words, found = select_rows(frame, form, where or {}, path.name, level)
        notes += found
        level = level or form.level
        if not _is_unit(frame[form.unit], form.unit):
            id = form.unit  # labels of areas of no census
    elif where:
        raise TableError("readers.no_dimensions", name=path.name, where=list(where))
    else:
        frame, turned = as_units_by_rows(frame, path.name, level=level, vintage=vintage)
        notes += turned
    frame, composed, found = _whole_ids(frame, id, vintage, path.name)
    notes += found
    percents = _signed_columns(frame)
    places = find_places(frame, path, id=id, level=level, vintage=vintage)
    kept = only_level(places.ids, places.level)
    frame = frame[kept]
    ids, found = known_units(_rows(places, kept), path)
    findings = [*notes, *places.findings, *found, *_other_levels(kept, places, path)]
    require_composed(ids, frame[composed], places.level, places.vintage, path.name)
    numbers, symbols, found = _numbers(frame, places, held.decimal, path, beside, decimal)
    refuse_merged(held, set(numbers.columns), path)
    findings += found
    named: dict[str, str] = {}
    if plain_words:
        named, found = name_columns(
            list(numbers.columns), places.vintage, path.name, percents=percents, level=places.level
        )
        findings += found
    there = ids.notna()
    units = pd.Index(ids[there].astype(object), name="unit_id")
    numbers = numbers[there].rename(columns=named).set_axis(units)
    symbols = symbols[there].rename(columns=named).set_axis(units)
    first, found = _once(numbers, symbols, frame.index[there], path)
    findings += found
    if not len(numbers):
        raise _without_rows(places, path)
    findings += _implausible(numbers[first], places.vintage, path.name)
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


def _profile_saved_otherwise(frame: pd.DataFrame, path: Path, level: str | None) -> CensusTable:
    """Return a Census Profile that somebody saved as a workbook, Parquet or another text."""
    with as_text(frame, path) as text:
        table = read_profile(text, level=level)
    note = finding("readers.profile_saved", "note", path.name, name=path.name)
    return table.with_sources(sources_of([path]), CheckReport([note]))


def _whole_ids(
    frame: pd.DataFrame, id: str | None, vintage: int | None, name: str
) -> tuple[pd.DataFrame, list[str], list[Finding]]:
    """Return a table without parts of ids, and the columns of ids composed of them."""
    whole, found = compose_ids(frame, vintage, name)
    composed = [column for column in whole.columns if column not in frame.columns]
    if id is not None and id in frame.columns and id not in whole.columns:
        whole = whole.assign(**{id: frame[id]})  # what the user calls ids is no part of one
    return whole, composed, found


def _own_areas(
    path: Path, given: Path, vintage: int | None, sheet: str | None
) -> CensusTable | None:
    """Return a delivery as a table of the user's own areas; ``None`` where it is something else."""
    if sheet is not None or is_ivt(path):
        return None
    try:
        headers = list(read_headers(path))
        if any(map(is_id_column, headers)) or long_form(headers) is not None:
            return None
        if magic_of(path) == b"PAR1":
            with as_text(read_any_sheet(path).frame, path) as text:
                delivery = read_delivery(text)
        else:
            delivery = read_delivery(path)
    except (FileError, TableError):
        return None  # the table reader says what is the matter
    labels = delivery.labels["label"].astype("string")
    bare = labels.str.fullmatch(r"[\d.,\s]*|[A-Za-z]\d[A-Za-z]").all()
    other = delivery.layout == "long" or (delivery.layout == "down" and bare)
    if other or are_coded(labels, None, vintage) or not is_table_of_areas(delivery, headers):
        return None
    years = {int(year) for year in _IN_NAME.findall(path.name)} & set(geography.vintages())
    year = vintage or (years.pop() if len(years) == 1 else None)
    return table_of_areas(delivery, year, sources_of([given]))


def is_id_column(name: object) -> bool:
    """Say whether a header says that a column holds ids of census units."""
    text = str(name)
    return geography.id_column(text) is not None or geography.fold(text) in ID_COLUMNS


def _census_year(frame: pd.DataFrame) -> int | None:
    """Return the census that a column of census years says of all rows."""
    for name in frame.columns:
        if fold(str(name)) in ("censusyear", "anneerecensement"):
            years = frame[name].dropna().unique()
            if len(years) == 1 and str(years[0]).isdecimal():
                return int(years[0])
    return None


def _is_unit(ids: pd.Series, column: str) -> bool:
    """Say whether the units of a long table are census units, by their DGUIDs or their header."""
    dguids = ids.astype("string").str.fullmatch(r"\d{4}[AS]\d{4}.+").fillna(False).astype(bool)
    return is_id_column(column) or bool(dguids.mean() > 0.5)


def _other_levels(kept: pd.Series, places: Places, path: Path) -> list[Finding]:
    """Count the rows of other levels, which are left out."""
    if kept.all():
        return []
    count = int((~kept).sum())
    return [
        finding("readers.other_levels", "note", path.name, value=count, count=count,
                level=places.level or "")
    ]  # fmt: skip


def _signed_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns with cells of percent or dollars ("20 %", "$20"): they are no counts."""
    texts = frame.loc[:, [not pd.api.types.is_numeric_dtype(one) for one in frame.dtypes]]
    if texts.empty:
        return []
    # most cells repeat: what is distinct is looked at once
    codes, kinds = pd.factorize(texts.to_numpy(dtype=object, na_value=None).ravel())
    found = pd.Series([*kinds, ""], dtype="string").str.contains(r"\d[^%$]*[%$]|[%$][^%$]*\d")
    signed = found.to_numpy(dtype=bool)[codes].reshape(texts.shape).any(axis=0)
    return [str(name) for name in texts.columns[signed]]


def _implausible(numbers: pd.DataFrame, vintage: int | None, name: str) -> list[Finding]:
    """Say parts above their whole by more than rounding, and nines that stand for nothing."""
    known = known_variables(vintage)
    found = []
    for column in numbers.columns:
        values = numbers[column]
        large = values[values.abs() >= _NINES_FROM]
        nines = large[large.abs().map(lambda one: bool(_NINES.fullmatch(f"{one:.0f}")))]
        if len(nines):
            units = list(map(str, nines.index))
            found.append(finding("readers.sentinels", "warning", name, column=column, units=units))
        part = known.get(column)
        if part is None or part.rule != "count":
            continue
        wholes = {part.denominator, "population" if part.basis == "population" else part.basis}
        for whole in sorted(one for one in wholes if one in set(numbers) - {column} and one):
            above = values > numbers[whole] + _ROUNDING
            if above.any():
                units = list(map(str, numbers.index[above]))
                found.append(
                    finding(
                        "readers.above_whole", "warning", name,
                        part=column, whole=whole, units=units, value=len(units),
                    )
                )  # fmt: skip
    return found


def sources_of(paths: list[Path]) -> pd.DataFrame:
    """Return ``file, sha256`` of files read."""
    hashes = [sha256_of(path) for path in paths]
    return pd.DataFrame({"file": [path.name for path in paths], "sha256": hashes})


def _without_rows(places: Places, path: Path) -> TableError:
    """Return the error that says what the column of units has instead of units of the level."""
    there = list(dict.fromkeys(places.ids.dropna().astype(str)))
    key = "readers.no_rows_of_level" if there and places.level else "readers.no_rows"
    return TableError(
        key, name=path.name, column=places.column, level=places.level or "", places=there
    )


def _rows(places: Places, kept: pd.Series) -> Places:
    return Places(places.column, places.level, places.vintage, places.ids[kept])


def _numbers(  # noqa: PLR0917
    frame: pd.DataFrame,
    places: Places,
    decimal: str,
    path: Path,
    beside: Mapping[str, str] | None = None,
    decimal_given: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, list[Finding]]:
    """Return numbers and symbols of the columns that hold numbers, and which do not.

    Raises
    ------
    TableError
        Cells of a column of numbers that are neither numbers nor symbols.
    """
    beside = _symbol_columns(frame) if beside is None else dict(beside)
    aside = {places.column, *places.others, *beside.values(), *_not_counted(frame)}
    codes = [name for name in frame.columns if name not in aside and _is_code(frame[name])]
    aside |= {*codes}
    names = [name for name in frame.columns if name not in aside]
    if not names:
        raise TableError("readers.no_numbers", name=path.name, columns=list(frame.columns))
    values, marks, unread = _cells(frame[names], decimal)
    for at, name in enumerate(names):
        # each column has its own mark: the points of tract ids say nothing of a rate
        own = _decimal_of(frame[name], decimal) if decimal_given is None else decimal_given
        if own != decimal:
            values[:, at], marks[:, at], unread[:, at] = read_cells(frame[name], own)
    nothing = pd.Series(pd.NA, index=frame.index, dtype="string")
    for at, name in enumerate(names):
        if name in beside:
            _, given, _ = read_cells(nothing, decimal, frame[beside[name]])
            marks[:, at] = np.where(given != "", given, marks[:, at])
    bad, good = unread.sum(axis=0), (~np.isnan(values)).sum(axis=0)
    # a column with neither is one of numbers that are all missing, unless it has no symbol
    texts = bad > good
    problems = [
        {"row": frame.index[row], "column": names[at], "given": str(frame[names[at]].iloc[row])}
        for at in np.flatnonzero(~texts & (bad > 0))
        for row in np.flatnonzero(unread[:, at])
    ]
    if problems:
        cells_shown = [f"{one['column']}, {one['row']}: {one['given']}" for one in problems]
        raise TableError("readers.not_numbers", problems, name=path.name, cells=cells_shown)
    if texts.all():
        raise TableError("readers.no_numbers", name=path.name, columns=list(frame.columns))
    notes = []
    if texts.any() or codes:
        left = [*codes, *(names[at] for at in np.flatnonzero(texts))]
        notes.append(finding("readers.texts", "note", path.name, columns=left))
    kept = [names[at] for at in np.flatnonzero(~texts)]
    marks = marks[:, ~texts]
    dashes = int((marks == "-").sum())
    if dashes:
        notes.append(finding("readers.dashes", "note", path.name, value=dashes, count=dashes))
    symbols = pd.DataFrame(marks, index=frame.index, columns=kept)
    symbols = symbols.loc[:, (marks != "").any(axis=0)]
    return pd.DataFrame(values[:, ~texts], index=frame.index, columns=kept), symbols, notes


#: zeros before another digit: a number has none
_ZEROS = re.compile(r"0\d+")
#: rows at either end of a column that are looked at for them
_ENDS = 200


def _is_code(cells: pd.Series) -> bool:
    """Say whether a column holds codes: its header says ids of units, or zeros stand before.

    A column of counts may be padded with zeros; then its header is that of a count.
    """
    name = str(cells.name)
    if holds_codes(name):
        return True
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return False
    # plain lists: thousands of columns are asked
    texts = [*cells.iloc[:_ENDS].tolist(), *cells.iloc[-_ENDS:].tolist()]
    padded = any(isinstance(text, str) and _ZEROS.fullmatch(text.strip()) for text in texts)
    return padded and not is_variable(name)


def _decimal_of(cells: pd.Series, usual: str) -> str:
    """Return the decimal mark of one column; the file's usual one where nothing decides."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return usual
    text = cells.astype("string").dropna()
    marked = text[text.str.contains(",", regex=False)]
    if not len(marked):
        return usual
    mark, doubtful = decimal_mark([list(text.unique()[:_SAMPLE])])
    return usual if doubtful else mark


def _cells(
    frame: pd.DataFrame, decimal: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    """Return numbers, symbols and what is neither; a text is read once however often it stands."""
    if any(pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes):
        read = [read_cells(frame[name], decimal) for name in frame.columns]
        return (
            np.column_stack([one[0] for one in read]),
            np.column_stack([one[1] for one in read]),
            np.column_stack([one[2] for one in read]),
        )
    flat = frame.to_numpy(dtype=object, na_value=None).ravel()
    where, kinds = pd.factorize(flat)
    # one more text, which is none: its code is -1
    text = pd.Series([*kinds, None], dtype="string")
    values, marks, unread = read_cells(text, decimal)
    return (
        values[where].reshape(frame.shape),
        marks[where].reshape(frame.shape),
        unread[where].reshape(frame.shape),
    )


#: columns of a data table that say where a value stands, not what it is
_NOT_COUNTED = {"refdate", "coordinate", "coordonnee", "vector", "vecteur", "uomid", "scalarid"}
_NOT_COUNTED |= {"decimals", "periodedereference", "dataqualityflag", "cartodbid", "objectid"}
#: flags of reserves that were not enumerated completely
_RESERVE = re.compile(r"(?:db|da|csd|id|ad|sdr)ir(?:20\d\d)?$")
_NOT_COUNTED |= {"geo", "geodesc", "gnr", "gnrlf", "tnrsf", "tnrlf", "ogcfid", "globalid"}


def _not_counted(frame: pd.DataFrame) -> list[str]:
    return [
        name
        for name in frame.columns
        if fold(str(name)) in _NOT_COUNTED or _RESERVE.match(fold(str(name)))
    ]


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
