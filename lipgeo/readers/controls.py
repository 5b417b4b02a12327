"""Read a person's table of known totals by area."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import fold
from lipgeo.readers.sheets import read_sheet, refuse_merged
from lipgeo.readers.statcan.columns import has_sign
from lipgeo.readers.text import to_numbers

__all__ = ["read_controls"]

#: what a total may be called, folded
_NAMES = {
    "population": "population",
    "people": "population",
    "personnes": "population",
    "dwellings": "dwellings",
    "logements": "dwellings",
    "households": "households",
    "menages": "households",
}
_IDS = ("area_id", "areaid", "id", "code", "territoire")


def read_controls(
    path: str | Path,
    *,
    id: str | None = None,
    column: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    r"""Read known totals of areas, for ``controls`` of :func:`lipgeo.fit_boundaries`.

    Parameters
    ----------
    path
        A CSV or workbook, one row an area.
    id
        Column of area ids; by default the one named ``area_id``, else the first.
    column
        Column of the totals; by default those named ``population, dwellings, households`` (or in
        French), else the only other column.
    encoding
        Encoding of a text, where the one found is wrong.

    Returns
    -------
    pandas.DataFrame
        Index ``area_id`` (text, as it stands); one float64 column a total, missing where empty.

    Raises
    ------
    FileError
        The file cannot be read.
    TableError
        The columns cannot be told, or a total is no number: ``problems`` has the rows.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from lipgeo.readers.controls import read_controls
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "known.csv")
    ...     _ = path.write_text("ONS_ID;Population\n3001;315\n3002;\n", encoding="utf-8")
    ...     read_controls(path)["population"].tolist()
    [315.0, nan]
    """
    sheet = read_sheet(path, encoding=encoding)
    frame = sheet.frame
    ids = id if id in frame.columns else _id_column(list(frame.columns))
    others = [name for name in frame.columns if name != ids]
    counts = [name for name in others if not has_sign(name)]
    chosen = {name: _NAMES[fold(name)] for name in counts if fold(name) in _NAMES}
    if column is not None:
        chosen = {column: _NAMES.get(fold(column), column)} if column in others else {}
    elif not chosen and len(others) == 1:
        chosen = {others[0]: others[0]}
    if ids is None or not chosen or len(set(chosen.values())) < len(chosen):
        raise TableError(
            "readers.controls_columns",
            [{"column": name} for name in frame.columns],
            path=path,
            columns=list(frame.columns),
            column=column or "",
        )
    refuse_merged(sheet, chosen, Path(path))
    table, problems = {}, []
    for name, measure in chosen.items():
        numbers, unread = to_numbers(frame[name], sheet.decimal)
        table[measure] = numbers
        problems += [
            {"row": int(row), "column": name, "given": str(frame[name].loc[row])}
            for row in frame.index[unread]
        ]
    if problems:
        raise TableError(
            "readers.controls_numbers",
            problems,
            path=path,
            rows=[problem["row"] for problem in problems],
            given=[problem["given"] for problem in problems],
        )
    index = pd.Index(frame[ids].astype("string"), name="area_id")
    return pd.DataFrame(table, index=index)[pd.notna(index)]


def _id_column(columns: list[str]) -> str | None:
    named = [name for name in columns if fold(name) in {fold(one) for one in _IDS}]
    return named[0] if named else next(iter(columns), None)
