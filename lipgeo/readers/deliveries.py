"""``read_delivery``: what comes back of an order, in any of its layouts, read without guessing.

Four layouts: areas down and characteristics across (custom tabulations saved by the Beyond 20/20
browser), areas across by name, the same with codes in a row and topics beside, and long tables
with a column a dimension. Depth stands in leading blanks; the same words come again for men and
women; notes stand on top and separator rows between.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.errors import FileError, TableError
from lipgeo.geography import id_column as geography_column
from lipgeo.geography.hierarchy import fold
from lipgeo.readers.sheets import choose_page, refuse_bare_formulas, text_of_cell
from lipgeo.readers.sniff import sniff
from lipgeo.readers.statcan.cells import read_cells
from lipgeo.readers.workbooks import cells_of, open_workbook

__all__ = [
    "FOOTNOTES",
    "Delivery",
    "Layout",
    "plain_label",
    "plain_words",
    "read_delivery",
    "structure_of_rows",
]

Layout = Literal["down", "across", "long"]

#: headers of the column of areas
_GEOGRAPHY = {"geography", "geographie", "geo", "geographicname", "nomgeographique", "geoname"}
_VALUE = {"value", "valeur", "val"}
_SYMBOL = {"status", "symbol", "statut", "symbole"}
#: columns of a data table that say nothing of what is counted
_ASIDE = {
    *("dguid", "idugd", "uomid", "scalarfactor", "scalarid", "vector", "coordinate", "terminated"),
    *("decimals", "vecteur", "coordonnee", "facteurscalaire", "uniteid", "identificateurscalaire"),
    *("decimales", "termine", "identificateurdesunites"),
}
#: ... and the one that says in what
_UNIT = {"uom", "unitedemesure"}
#: ... and the one that says how many of them a number is
_SCALE = {"scalarfactor", "facteurscalaire"}
_FACTORS = {
    **dict.fromkeys(("", "units", "unites"), 1.0),
    **dict.fromkeys(("tens", "dizaines"), 10.0),
    **dict.fromkeys(("hundreds", "centaines"), 100.0),
    **dict.fromkeys(("thousands", "milliers"), 1e3),
    **dict.fromkeys(("tensofthousands", "dizainesdemilliers"), 1e4),
    **dict.fromkeys(("hundredsofthousands", "centainesdemilliers"), 1e5),
    **dict.fromkeys(("millions",), 1e6),
    **dict.fromkeys(("billions", "milliards"), 1e9),
}
#: words that stand for men and women: sex up to 2016, gender from 2021
_GENDER = {
    "men": r"males?|men\+?|hommes\+?|masculin|boys",
    "women": r"females?|women\+?|femmes\+?|féminin|girls",
}
_ALONE = {
    gender: re.compile(rf"(?:total\s*[-–]\s*)?(?:{words})(?:\s*\(\d+\))*", re.IGNORECASE)
    for gender, words in _GENDER.items()
}
_INSIDE = {
    gender: re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE)
    for gender, words in _GENDER.items()
}
#: numbers of footnotes at the end of words
FOOTNOTES = re.compile(r"(?<!\s)(\s*\(\d+\)|\s*\[\d+\])+\s*$")
_SAMPLE = re.compile(r"(?<!\d)(\d+)\s*%\s*(?:sample|data|échantillon|données)", re.IGNORECASE)
_SAMPLE_FR = re.compile(r"(?:échantillon|données)[^\d%]{0,12}(\d+)\s*%", re.IGNORECASE)
#: "25% Data Below" alone in a row; "Tenure - 25% sample data" is a heading
_SEPARATOR = re.compile(
    r"\W*(?:\d+\s*%\s*(?:sample\s+)?data(?:\s+below)?"
    r"|données[^\d%]{0,12}\d+\s*%(?:\s+ci-dessous)?)\W*",
    re.IGNORECASE,
)
_NON_RESPONSE = re.compile(r"\(\s*(\d+(?:[.,]\d+)?)\s*%\s*\)\s*$")
_QUALITY = re.compile(r"(?<!\s)\s+\d{5}\s*$")
#: a dash printed for nothing
_DASH = re.compile(r"(?<!\s)\s*[-–—]\s*")
#: a total that others stand under ("Total visible minority population" stands under one itself)
_HEADING = re.compile(r"total\s*(?:[-–]|$)|total\b.*\b(?:by|selon)\b", re.IGNORECASE)
#: what is told of each row, whatever the layout
_OF_ROWS = ("place", "words", "depth", "heading", "parent", "gender", "sample", "unit", "key",
            "whole")  # fmt: skip
#: rows looked at to tell what a column holds
_LOOKED_AT = 400
#: rows looked at before the table
_TOP = 60


@dataclass(frozen=True)
class Delivery:
    """A delivery as it stands: labels of areas, characteristics, cells.

    Attributes
    ----------
    path
        The file.
    layout
        ``down``, ``across`` or ``long``.
    labels
        One row an area: ``label`` (as printed, trimmed), ``code`` (a row of codes, or DGUID; empty
        where there is none), ``non_response`` (percent, missing where not printed).
    rows
        One row a characteristic: ``place`` (line or column of the file, 1 the first), ``words``
        (as printed, trimmed), ``depth``, ``heading`` (the total it stands under), ``parent`` (the
        row it is a part of), ``gender``, ``sample`` (``25%``, empty where not said), ``unit``
        (``$``, ``%`` or empty), ``key`` (the same in every delivery with these words), ``whole``
        (position of the parent's row, -1 for none); of long tables also the dimensions.
    values
        Labels by rows.
    symbols
        The same: what stood instead of or beside a number.
    dimensions
        Names of the columns of ``rows`` that are dimensions of a long table.
    unread
        Cells that are neither numbers nor symbols: ``label, place, given``.
    sha256
        Of the file.
    """

    path: Path
    layout: Layout
    labels: pd.DataFrame
    rows: pd.DataFrame
    values: npt.NDArray[np.float64]
    symbols: npt.NDArray[np.object_]
    dimensions: tuple[str, ...] = ()
    unread: list[dict[str, Any]] = field(default_factory=list)
    sha256: str = ""


def read_delivery(path: str | Path) -> Delivery:
    r"""Read a delivery: a CSV, or a workbook with the same on its first sheet.

    Parameters
    ----------
    path
        The file, in any of its layouts; the layout is told from its headers, never guessed from
        its numbers.

    Returns
    -------
    Delivery
        Cells that cannot be read are listed in ``unread``, not refused here.

    Raises
    ------
    TableError
        The file has none of the layouts; the message says what was looked for.
    FileError
        It cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from lipgeo.readers.deliveries import read_delivery
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "t.csv")
    ...     _ = path.write_text("Geography,Total - Immigrant status (79),  Immigrants\n"
    ...                         "LIP - A1 ( 4.0%),1000,x\n", encoding="utf-8")
    ...     found = read_delivery(path)
    >>> found.layout, found.rows["parent"].tolist(), found.symbols.tolist()
    ('down', ['', 'Total - Immigrant status (79)'], [['', 'x']])
    """
    place = Path(path)
    grid, indents, lines, decimal, digest = _grid(place)
    head = _header(grid, place)
    folded = [fold(FOOTNOTES.sub("", cell)) for cell in grid[head]]
    geography = [at for at, name in enumerate(folded) if name in _GEOGRAPHY]
    value = [at for at, name in enumerate(folded) if name in _VALUE]
    if geography and value:
        found = _long(grid, lines, head, folded, geography[0], value[-1], decimal, place)
    elif (geography and geography[0] == 0) or geography_column(grid[head][0]):
        found = _down(grid, lines, head, decimal, place)
    else:
        found = _across(grid, indents, lines, head, decimal, place)
    return Delivery(path=place, sha256=digest, **found)


# ---------------------------------------------------------------------- the file as a grid


def _grid(
    path: Path,
) -> tuple[list[list[str]], list[list[int]] | None, list[int], str, str]:
    """Return cells with their leading blanks, indents of a workbook, lines, decimal and hash."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileError("readers.missing", path=path) from error
    except PermissionError as error:
        raise FileError("readers.locked", path=path) from error
    except OSError as error:
        raise FileError("readers.unreadable", path=path, reason=error.strerror) from error
    digest = hashlib.sha256(content).hexdigest()
    if content.startswith(b"PK\x03\x04"):
        grid, indents, lines = _workbook(path)
        return grid, indents, lines, ".", digest
    form = sniff(path)
    try:
        text = content.decode(form.encoding).lstrip("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise FileError(
            "readers.wrong_encoding", path=path, encoding=form.encoding, reason=str(error)
        ) from error
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    grid, lines = [], []
    for row in reader:
        if any(cell.strip() for cell in row):
            grid.append(row)
            lines.append(reader.line_num)
    if not grid:
        raise TableError("readers.delivery_empty", name=path.name)
    width = max(len(row) for row in grid)
    grid = [row + [""] * (width - len(row)) for row in grid]
    return grid, None, lines, "," if delimiter == ";" else ".", digest


def _delimiter(text: str) -> str:
    """Return the separator that stands most often outside quotes in the first lines."""
    head = re.sub(r'"[^"]*"', "", "\n".join(text.splitlines()[:_TOP]))
    return max(",;\t", key=head.count)


def _workbook(path: Path) -> tuple[list[list[str]], list[list[int]], list[int]]:
    """Return the cells of the sheet that holds the table, as a person sees them, and indents."""
    book = open_workbook(path)
    page, _ = choose_page(book.values, None, path)
    held = list(cells_of(page))
    places = {(cell.row, cell.column): cell for cell in held}
    refuse_bare_formulas(book.formulas[page.title], places, path)
    width = max(cell.column for cell in held)
    rows: dict[int, list[str]] = {}
    indents: dict[int, list[int]] = {}
    for cell in held:
        blanks = cell.value if isinstance(cell.value, str) else text_of_cell(cell)
        rows.setdefault(cell.row, [""] * width)[cell.column - 1] = blanks
        depth = indents.setdefault(cell.row, [0] * width)
        depth[cell.column - 1] = int(cell.alignment.indent or 0)
    lines = [row for row, cells in rows.items() if any(cell.strip() for cell in cells)]
    return [rows[row] for row in lines], [indents[row] for row in lines], lines


def _header(grid: list[list[str]], path: Path) -> int:
    """Return the row of headers: the first that is as wide as the table and holds no numbers."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in grid[:_TOP]]
    widest = max(filled)
    for at, count in enumerate(filled):
        if count < 2 or count < 0.6 * widest:
            continue
        numbers, _, _ = read_cells(pd.Series(grid[at][1:], dtype=object).replace("", pd.NA))
        if np.isnan(numbers).mean() > 0.5 and len(grid) > at + 1:
            return at
    raise TableError("readers.delivery_no_header", name=path.name)


# ---------------------------------------------------------------------- cells


def _cells(
    grid: Sequence[Sequence[str]], decimal: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.object_], npt.NDArray[np.bool_], Any]:
    """Return numbers, symbols, what could not be read, and the unit of each column of cells."""
    flat = np.array([cell for row in grid for cell in row], dtype=object)
    shape = (len(grid), len(grid[0]) if grid else 0)
    # most cells repeat: what is distinct is read once
    where, kinds = pd.factorize(flat)
    text = pd.Series(kinds, dtype="string").str.strip()
    dollars = text.str.contains("$", regex=False).to_numpy(dtype=bool)
    percent = text.str.endswith("%").to_numpy(dtype=bool)
    bare = text.str.replace("$", "", regex=False).str.removesuffix("%").str.strip()
    dash = bare.str.fullmatch(_DASH).to_numpy(dtype=bool)
    values, symbols, unread = read_cells(bare.mask(bare.eq(""), pd.NA), decimal)
    values[dash], symbols[dash], unread[dash] = 0.0, "-", False
    unit = np.where(percent, "%", np.where(dollars, "$", ""))
    return (
        values[where].reshape(shape),
        symbols[where].reshape(shape),
        unread[where].reshape(shape),
        unit[where].reshape(shape),
    )


def _unread(unread: Any, labels: Any, places: Any, cells: Any) -> list[dict[str, Any]]:
    found = []
    for label, row in zip(*np.nonzero(unread), strict=True):
        found.append(
            {
                "label": str(labels[label]),
                "place": int(places[row]),
                "given": str(cells[label][row]).strip(),
            }
        )
    return found


def _units(unit: Any) -> list[str]:
    """Return the unit of each characteristic: that of any of its cells; labels by rows."""
    return [
        "%" if (column == "%").any() else "$" if (column == "$").any() else "" for column in unit.T
    ]


def _labels(labels: Sequence[str], codes: Sequence[str] | None = None) -> pd.DataFrame:
    trimmed = [" ".join(str(one).split()) for one in labels]
    said = [_NON_RESPONSE.search(one) for one in trimmed]
    return pd.DataFrame(
        {
            "label": trimmed,
            "code": [""] * len(trimmed) if codes is None else [one.strip() for one in codes],
            "non_response": [
                float(one.group(1).replace(",", ".")) if one else np.nan for one in said
            ],
        }
    )


def plain_label(label: str) -> str:
    """Return a label without its non-response rate and quality flag.

    Examples
    --------
    >>> from lipgeo.readers.deliveries import plain_label
    >>> plain_label("WAT - PD - C10 ( 15.6%)"), plain_label("ALTA VISTA (3002) 00000 ( 2.8%)")
    ('WAT - PD - C10', 'ALTA VISTA (3002)')
    """
    return _QUALITY.sub("", _NON_RESPONSE.sub("", label).strip()).strip()


# ---------------------------------------------------------------------- layouts


def _down(
    grid: list[list[str]], lines: list[int], head: int, decimal: str, path: Path
) -> dict[str, Any]:
    """Areas down, a column a characteristic."""
    headers = grid[head][1:]
    keep = [at for at, name in enumerate(headers) if name.strip()]
    body = [row for row in grid[head + 1 :] if row[0].strip() and any(c.strip() for c in row[1:])]
    if not body or not keep:
        raise TableError("readers.delivery_no_rows", name=path.name, line=lines[head])
    labels = [row[0] for row in body]
    cells = [[row[at + 1] for at in keep] for row in body]
    values, symbols, unread, unit = _cells(cells, decimal)
    words = [headers[at] for at in keep]
    depth = [len(one) - len(one.lstrip()) for one in words]
    rows = structure_of_rows(words, depth, [at + 2 for at in keep], [""] * len(words), _units(unit))
    return {
        "layout": "down",
        "labels": _labels(labels),
        "rows": rows,
        "values": values,
        "symbols": symbols,
        "unread": _unread(unread, labels, rows["place"], cells),
    }


def _across(  # noqa: PLR0917
    grid: list[list[str]],
    indents: list[list[int]] | None,
    lines: list[int],
    head: int,
    decimal: str,
    path: Path,
) -> dict[str, Any]:
    """Areas across, a row a characteristic, with columns of text before or beside."""
    body = grid[head + 1 :]
    width = len(grid[head])
    # the first rows tell columns of words from columns of numbers
    sample = body[:_LOOKED_AT]
    filled = np.array([[bool(cell.strip()) for cell in row] for row in sample])
    _, _, unread, _ = _cells(sample, decimal)
    # a column of an area holds numbers and symbols; a column of words does not
    worded = np.array(
        [
            filled[:, at].any() and unread[:, at].sum() > 0.5 * filled[:, at].sum()
            for at in range(width)
        ]
    )
    texts = np.flatnonzero(worded)
    if not len(texts):
        raise TableError("readers.delivery_no_words", name=path.name, headers=_shown(grid[head]))
    # what is counted is said in the words that differ most
    words_at = int(max(texts, key=lambda at: len({row[at].strip() for row in body})))
    areas = [at for at in range(words_at + 1, width) if not worded[at] and grid[head][at].strip()]
    if not areas:
        raise TableError("readers.delivery_no_areas", name=path.name, headers=_shown(grid[head]))
    codes, kept, samples, note = None, [], [], ""
    for at, row in enumerate(body):
        cells = [row[one] for one in areas]
        told = row[words_at].strip() or row[0].strip()
        if not any(cell.strip() for cell in cells):
            found = _SAMPLE.search(told) or _SAMPLE_FR.search(told)
            if found and (not row[words_at].strip() or _SEPARATOR.fullmatch(told)):
                note = f"{found.group(1)}%"
            elif row[words_at].strip():
                kept.append(at)  # a heading without numbers of its own
                samples.append(note)
            continue
        if codes is None and not kept and _are_codes(row, words_at, cells):
            codes = cells
            continue
        kept.append(at)
        samples.append(note)
    if not kept:
        raise TableError("readers.delivery_no_rows", name=path.name, line=lines[head])
    chosen = [body[at] for at in kept]
    cells_by_row = [[row[one] for one in areas] for row in chosen]
    values, symbols, unread, unit = _cells(cells_by_row, decimal)
    words = [row[words_at] for row in chosen]
    depth = [len(one) - len(one.lstrip()) for one in words]
    if indents is not None:
        depth = [
            blanks + 2 * indents[head + 1 + at][words_at]
            for blanks, at in zip(depth, kept, strict=True)
        ]
    rows = structure_of_rows(
        words, depth, [lines[head + 1 + at] for at in kept], samples, _units(unit.T)
    )
    for column in map(int, texts):
        name = fold(grid[head][column])
        if column != words_at and name:
            rows[f"beside_{name}"] = [row[column].strip() for row in chosen]
    labels = [grid[head][at] for at in areas]
    return {
        "layout": "across",
        "labels": _labels(labels, codes),
        "rows": rows,
        "values": values.T,
        "symbols": symbols.T,
        "unread": _unread(unread.T, labels, rows["place"], list(zip(*cells_by_row, strict=True))),
    }


def _shown(headers: Sequence[str]) -> list[str]:
    return [one.strip() for one in headers if one.strip()]


def _are_codes(row: Sequence[str], words_at: int, cells: Sequence[str]) -> bool:
    """Say whether a row bears the areas' codes: distinct, and called so or left unsaid."""
    called = fold(row[words_at])
    codes = [cell.strip() for cell in cells]
    if not all(codes) or len(set(codes)) < len(codes):
        return False
    named = called in {"", "code", "codes", "geouid", "dguid", "geocode", "codegeo", "id", "uid"}
    return named and not any("," in code or "." in code for code in codes)


def _long(  # noqa: PLR0917
    grid: list[list[str]],
    lines: list[int],
    head: int,
    folded: list[str],
    geography: int,
    value: int,
    decimal: str,
    path: Path,
) -> dict[str, Any]:
    """One row a cell: a column of areas, a column a dimension, one of values."""
    body = grid[head + 1 :]
    body = [row for row in body if row[geography].strip()]
    if not body:
        raise TableError("readers.delivery_no_rows", name=path.name, line=lines[head])
    names = _distinct(grid[head])
    symbol = next((at for at, name in enumerate(folded) if name in _SYMBOL), None)
    dguid = next((at for at, name in enumerate(folded) if name in ("dguid", "idugd")), None)
    measured = next((at for at, name in enumerate(folded) if name in _UNIT), None)
    said = {geography, value, symbol, dguid, measured}
    dimensions = [
        at
        for at, name in enumerate(folded)
        if at not in said and name and name not in _ASIDE and name not in _SYMBOL
    ]
    if not dimensions:
        raise TableError("readers.delivery_no_dimensions", name=path.name,
                         headers=_shown(grid[head]))  # fmt: skip
    numbers, marks, unread, unit = _cells([[row[value]] for row in body], decimal)
    numbers, marks = numbers[:, 0], marks[:, 0]
    scaled = next((at for at, name in enumerate(folded) if name in _SCALE), None)
    if scaled is not None:
        # numbers are printed in units, thousands, millions: as the column beside them says
        factor = np.array([_FACTORS.get(fold(row[scaled]), np.nan) for row in body])
        unread[:, 0] |= np.isnan(factor) & ~np.isnan(numbers)
        numbers *= factor
    if symbol is not None:
        _, beside, _, _ = _cells([[row[symbol]] for row in body], decimal)
        marks = np.where(beside[:, 0] != "", beside[:, 0], marks)
    frame = pd.DataFrame(
        {names[at]: [row[at].strip() for row in body] for at in dimensions}, dtype=object
    )
    labels = pd.Series([" ".join(row[geography].split()) for row in body])
    label_at, label_names = pd.factorize(labels)
    row_at, combos = pd.factorize(pd.MultiIndex.from_frame(frame))
    shape = (len(label_names), len(combos))
    values = np.full(shape, np.nan)
    symbols = np.full(shape, "", dtype=object)
    held = np.zeros(shape, dtype=bool)
    twice = pd.Series(list(zip(label_at, row_at, strict=True))).duplicated().to_numpy()
    values[label_at, row_at], symbols[label_at, row_at] = numbers, marks
    held[label_at, row_at] = True
    symbols[~held] = "not_ordered"
    rows = pd.DataFrame(list(combos), columns=[names[at] for at in dimensions], dtype=object)
    first = pd.Series(np.arange(len(body))).groupby(row_at).first().to_numpy()
    rows["place"] = [lines[head + 1 + int(at)] for at in first]
    rows["words"] = rows[[names[at] for at in dimensions]].agg(" · ".join, axis=1)
    rows["key"] = [_key([word]) for word in rows["words"]]
    told = [body[int(at)][measured] if measured is not None else "" for at in first]
    units = [
        unit[int(at), 0]
        or ("$" if "dollar" in fold(word) else "%" if "percent" in fold(word) else "")
        for at, word in zip(first, told, strict=True)
    ]
    rows = rows.assign(
        depth=[_blanks(body[int(at)], dimensions) for at in first],
        heading="", parent="", gender="total", sample="", unit=units, whole=-1,
    )  # fmt: skip
    faults = [
        {
            "label": str(labels.iloc[at]),
            "place": lines[head + 1 + int(at)],
            "given": body[at][value],
        }
        for at in np.flatnonzero(unread[:, 0] | twice)
    ]
    codes = None
    if dguid is not None:
        code_of = dict(zip(labels, (row[dguid] for row in body), strict=True))
        codes = [code_of[one] for one in label_names]
    return {
        "layout": "long",
        "labels": _labels(list(label_names), codes),
        "rows": rows,
        "values": values,
        "symbols": symbols,
        "dimensions": tuple(names[at] for at in dimensions),
        "unread": faults,
    }


def _blanks(row: Sequence[str], dimensions: Sequence[int]) -> int:
    """Return the leading blanks of the dimension that has any: the others are flat."""
    return max(len(row[at]) - len(row[at].lstrip()) for at in dimensions)


def _distinct(headers: Sequence[str]) -> list[str]:
    """Return names for the columns of a long table: none twice, none that rows have themselves."""
    names: list[str] = []
    for header in headers:
        name = " ".join(header.split())
        name = name.capitalize() if name in _OF_ROWS else name
        tries = [name, *(f"{name} ({number})" for number in range(2, len(headers) + 2))]
        names.append(next(one for one in tries if one not in names))
    return names


# ---------------------------------------------------------------------- what a row is


def structure_of_rows(
    words: Sequence[str],
    depth: Sequence[int],
    places: Sequence[int],
    notes: Sequence[str],
    units: Sequence[str],
) -> pd.DataFrame:
    """Tell the heading, the parent, the gender and the sample of each characteristic.

    Parameters
    ----------
    words, depth, places, notes, units
        Of each row, in the order of the file: its words, its leading blanks, its line or column,
        the sample a separator above it says, the unit of its cells.

    Returns
    -------
    pandas.DataFrame
        As :attr:`Delivery.rows`.
    """
    stack: list[dict[str, Any]] = []
    heading: dict[str, Any] = {"words": "", "sample": ""}
    made = []
    for at, (given, blanks) in enumerate(zip(words, depth, strict=True)):
        text = " ".join(given.split())
        if at and notes[at] != notes[at - 1]:  # no total reaches over a separator
            stack, heading = [], {"words": "", "sample": ""}
        total = bool(_HEADING.match(text)) or (blanks == 0 and text.casefold().startswith("total "))
        # rows may stand no deeper than the total they belong to
        level = blanks - 0.5 if total else blanks
        while stack and stack[-1]["depth"] >= level:
            stack.pop()
        above = stack[-1] if stack else None
        alone = next((gender for gender, rule in _ALONE.items() if rule.fullmatch(text)), None)
        if alone is not None and above is not None:
            # "Men+" alone is the total above it, of men; what is deeper is of men too
            one = {**above, "depth": blanks, "gender": alone, "at": at}
            record = {"heading": above["heading"], "parent": above["parent"],
                      "words": above["words"], "gender": alone, "path": above["path"]}  # fmt: skip
            whole = above["at"]
        else:
            gender, plain = _neutral(text, above)
            path = [*(above["path"] if above else []), plain]
            if total and above is not None and _same(plain, above["words"]):
                # the same total once more, of men or of women, a level deeper
                path, parent, whole = above["path"], above["parent"], above["at"]
            else:
                parent = above["words"] if above else ""
                whole = above["at"] if above else -1
            under = plain if total else (above["heading"] if above else heading["words"])
            record = {"heading": "" if total else under, "parent": parent, "words": plain,
                      "gender": gender, "path": path}  # fmt: skip
            one = {"depth": level, "words": plain, "heading": under, "parent": parent,
                   "gender": gender, "path": path, "at": at}  # fmt: skip
            if total:
                heading = {**one, "sample": _sample(text)}
        sample = _sample(text) or heading.get("sample", "") or notes[at]
        stack.append(one)
        made.append(
            {
                "place": places[at],
                "words": record["words"],
                "depth": blanks,
                "heading": record["heading"],
                "parent": record["parent"],
                "gender": record["gender"],
                "sample": sample,
                "unit": units[at],
                "key": _key([record["heading"], *record["path"]]),
                "whole": whole if whole >= 0 and depth[whole] < blanks else -1,
            }
        )
    frame = pd.DataFrame(made, columns=list(_OF_ROWS))
    frame["key"] = _numbered(frame["key"], frame["gender"])
    return frame


def _neutral(text: str, above: dict[str, Any] | None) -> tuple[str, str]:
    """Return the gender a row is of, and its words as they are for everybody.

    A gender that stands in a row's own words counts only in totals and in "of males": a row that
    counts male lone parents is not the row of lone parents, of men.
    """
    inherited = above["gender"] if above else "total"
    for gender, rule in _INSIDE.items():
        found = rule.search(text)
        if not found:
            continue
        total = re.match(r"total\b", text, re.IGNORECASE)
        plural = found.group(0).casefold() in ("males", "females", "men+", "women+", "hommes+",
                                               "femmes+")  # fmt: skip
        led = re.search(
            r"\b(of|for|des|chez les|pour les)\s+$", text[: found.start()], re.IGNORECASE
        )
        if not (total or (plural and led)):
            continue
        if plural and not re.match(r"\s+population", text[found.end() :]):
            plain = text[: found.start()] + "the population" + text[found.end() :]
        else:
            plain = text[: found.start()] + text[found.end() :].lstrip()
        return gender, " ".join(plain.split())
    return inherited, text


def _same(one: str, other: str) -> bool:
    return plain_words(one) == plain_words(other)


@cache
def plain_words(words: str) -> str:
    """Return the words of a row as they are compared: no footnotes, sample, case or "total".

    Examples
    --------
    >>> from lipgeo.readers.deliveries import plain_words
    >>> plain_words("Total - Citizenship for the population - 25% sample data (76)")
    'citizenshipforthepopulation'
    """
    text = FOOTNOTES.sub("", words)
    text = re.sub(r"(?<!\s)\s*[-–]\s*\d+\s*%.*$", "", text)
    # "the total population" and "the population" are one once men and women are told apart
    return (
        fold(FOOTNOTES.sub("", text)).replace("totalpopulation", "population").removeprefix("total")
    )


def _sample(text: str) -> str:
    found = _SAMPLE.search(text) or _SAMPLE_FR.search(text)
    return f"{found.group(1)}%" if found else ""


def _numbered(keys: Sequence[str], genders: Sequence[str]) -> list[str]:
    """Return keys with a number after those whose words stand again in the same place."""
    seen: dict[tuple[str, str], int] = {}
    made = []
    for key, gender in zip(keys, genders, strict=True):
        count = seen.get((key, gender), 0) + 1
        seen[key, gender] = count
        made.append(key if count == 1 else f"{key}-{count}")
    return made


def _key(path: Sequence[str]) -> str:
    """Return what a row is called in every delivery with these words."""
    text = "|".join(plain_words(one) for one in path)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:10]
