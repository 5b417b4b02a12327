"""``read_profile``: Census Profile files of Statistics Canada, streamed, never held whole.

``read_cells``: cells of a census table as numbers and the symbols that stood with them.

Census Profile files as they lie on disk: layout, encoding, zip; read batch by batch.
"""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lipgeo import geography
from lipgeo.errors import FileError, InputError, TableError, require_paths
from lipgeo.readers.text import to_numbers
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.variables import find_variables, known_variables

__all__ = [
    "SYMBOLS",
    "TEXTS",
    "Layout",
    "batches",
    "is_profile",
    "layout_of",
    "layouts_of",
    "opened",
    "read_cells",
    "read_profile",
    "text_bytes",
    "units_of",
    "variables_of",
    "words_of",
]

#: how the symbols are written, and how lipgeo writes them
SYMBOLS = {
    "x": "x",
    "X": "x",
    "F": "F",
    "f": "F",
    "..": "..",
    "...": "...",
    "…": "...",
    "‥": "..",
    "E": "E",
    "r": "r",
}
#: a number with its mark: "120 E", "120r"
_MARKED = r"^(.*\d)\s*([Er])$"


def read_cells(
    cells: pd.Series, decimal: str = ".", beside: pd.Series | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    """Part cells into numbers and symbols.

    Parameters
    ----------
    cells
        Text, or numbers.
    decimal
        Decimal mark of numbers in text.
    beside
        Symbols in a column of their own, same index.

    Returns
    -------
    values : numpy.ndarray of float64
        NaN where the cell holds no number.
    symbols : numpy.ndarray of str
        ``x``, ``F``, ``..``, ``...``, ``E``, ``r`` or empty; text of a column of symbols that is
        none of them is kept as it stands.
    unread : numpy.ndarray of bool
        Cells that hold something that is neither a number nor a symbol.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.readers.statcan.profile import read_cells
    >>> values, symbols, unread = read_cells(pd.Series(["1 250,5", "x", "40 E", "..."]), ",")
    >>> values.tolist()[:3], symbols.tolist(), unread.any()
    ([1250.5, nan, 40.0], ['', 'x', 'E', '...'], np.False_)
    """
    symbols = np.full(len(cells), "", dtype=object)
    if pd.api.types.is_numeric_dtype(cells.dtype):
        values, unread = to_numbers(cells)
    else:
        text = cells.astype("string").str.strip()
        alone = text.map(SYMBOLS)
        has = alone.notna().to_numpy(dtype=bool)
        symbols[has] = alone[has].to_numpy(dtype=object)
        marked = text.mask(has).str.extract(_MARKED)
        tail = marked[1].notna().to_numpy(dtype=bool)
        symbols[tail] = marked.loc[tail, 1].to_numpy(dtype=object)
        values, unread = to_numbers(text.mask(has).where(~tail, marked[0]), decimal)
    if beside is not None:
        given = beside.astype("string").str.strip()
        held = (given.notna() & given.ne("")).to_numpy(dtype=bool)
        symbols[held] = given[held].map(SYMBOLS).fillna(given[held]).to_numpy(dtype=object)
    return values, symbols, unread


_BLOCK = 1 << 22
_HEAD = 1 << 16
#: columns by position; the files repeat the name SYMBOL, and French ones differ in names only
_2021 = {
    "year": 0,
    "id": 1,
    "level": 3,
    "name": 4,
    "member": 8,
    "words": 9,
    "value": 11,
    "symbol": 12,
    "rate": 17,
    "rate_symbol": 18,
}
_2021_WIDTH = 23
#: columns that may hold accents
TEXTS = ("name", "words")
_FRENCH = "IDUGD"


@dataclass(frozen=True)
class Layout:
    """Where a profile file keeps what; by position.

    ``sexes`` says where the counts of men and of women stand, beside the totals of ``columns``.
    """

    vintage: int
    columns: dict[str, int]
    width: int
    level: str | None
    delimiter: str
    french: bool
    sexes: dict[str, int]


@contextmanager
def opened(path: Path, digest: Any = None) -> Iterator[BinaryIO]:
    """Open a file, or the one data file of a zip."""
    if path.is_dir():
        raise FileError("readers.folder", path=path)
    try:
        if zipfile.is_zipfile(path) and path.suffix.casefold() != ".xlsx":
            with (
                zipfile.ZipFile(path) as archive,
                archive.open(_data_file(archive, path)) as stream,
            ):
                yield stream  # type: ignore[misc]
        else:
            with path.open("rb") as stream:
                yield stream
    except FileNotFoundError as error:
        raise FileError("readers.missing", path=path) from error
    except FileError:
        raise
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise FileError("readers.unreadable", path=path, reason=str(error)) from error
    if digest is not None:
        with path.open("rb") as whole:
            while chunk := whole.read(_BLOCK):
                digest.update(chunk)


def text_bytes(path: Path) -> int:
    """Return the bytes of a file's text, unzipped."""
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(_data_file(archive, path)).file_size


def _data_file(archive: zipfile.ZipFile, path: Path) -> str:
    """Return the name of the table in a zip: the largest text that is no guide."""
    aside = ("meta", "geo_starting", "readme", "lisez")
    names = [
        name
        for name in archive.namelist()
        if name.lower().endswith((".csv", ".tab", ".txt"))
        and not any(word in name.lower() for word in aside)
    ]
    if not names:
        raise FileError("readers.tables.nothing_in_zip", path=path)
    return max(names, key=lambda name: archive.getinfo(name).file_size)


def layout_of(path: Path) -> Layout | None:
    """Return the layout a header tells, ``None`` where it is no Census Profile."""
    with opened(path) as stream:
        head = stream.read(_HEAD)
    text = head.decode("cp1252", errors="replace").removeprefix("ï»¿")
    line = text.splitlines()[0] if text.strip() else ""
    delimiter = "\t" if line.count("\t") > line.count(",") else ","
    header = next(csv.reader([line], delimiter=delimiter), [])
    names = [str(name).strip().upper() for name in header]
    if len(names) == _2021_WIDTH and names[1] in ("DGUID", _FRENCH):
        sexes = {"men": _2021["value"] + 2, "women": _2021["value"] + 4}
        return Layout(2021, _2021, len(names), None, delimiter, names[1] == _FRENCH, sexes)
    if (
        len(names) > 9
        and names[1].startswith("GEO_CODE")
        and any("MEMBER ID: PROFILE" in n for n in names)
    ):
        member = next(at for at, name in enumerate(names) if name.startswith("MEMBER ID: PROFILE"))
        total = next((at for at, name in enumerate(names) if "TOTAL - SEX" in name), None)
        if total is None:
            return None
        words = header[member].split("Profile of", 1)[-1].split("(")[0]
        at = {
            "year": 0,
            "id": 1,
            "level": 2,
            "name": 3,
            "member": member,
            "words": member - 1,
            "value": total,
        }
        sexes = {
            sex: place
            for sex, word in (("men", ": MALE"), ("women", ": FEMALE"))
            for place, name in enumerate(names)
            if name.startswith("DIM: SEX") and name.endswith(word)
        }
        return Layout(2016, at, len(names), _level_of(words), delimiter, False, sexes)
    return None


def layouts_of(paths: Sequence[Path]) -> list[Layout]:
    """Return the layouts of the files of one Census Profile.

    Raises
    ------
    TableError
        A file is none, or they are of several censuses.
    """
    layouts = [layout_of(path) for path in paths]
    strangers = [one.name for one, layout in zip(paths, layouts, strict=True) if layout is None]
    if strangers or not paths:
        raise TableError("readers.no_profile", names=strangers)
    known = [layout for layout in layouts if layout is not None]
    years = sorted({layout.vintage for layout in known})
    if len(years) > 1:
        names = ", ".join(path.name for path in paths)
        raise TableError("readers.mixed_vintages", name=names, vintages=list(map(str, years)))
    return known


def words_of(cells: Iterable[bytes | None]) -> list[str]:
    """Return texts of a profile: UTF-8 in some files, Windows-1252 in others.

    Examples
    --------
    >>> from lipgeo.readers.statcan.profile import words_of
    >>> words_of(["Montréal".encode("cp1252"), "Montréal".encode(), None])
    ['Montréal', 'Montréal', '']
    """
    texts = []
    for cell in cells:
        try:
            texts.append((cell or b"").decode("utf-8"))
        except UnicodeDecodeError:
            texts.append((cell or b"").decode("cp1252", errors="replace"))
    return texts


def _level_of(words: str) -> str:
    """Return the level that the header of 2016 names (``Census Metropolitan Areas/...``)."""
    for text in (words, words.partition("/")[0], words.partition(" and ")[0]):
        try:
            return geography.level(text.strip()).code
        except InputError:
            continue
    return "DA"


def batches(
    stream: IO[bytes], layout: Layout, path: Path, names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Read columns of a file, by what they hold, some megabytes at a time.

    Raises
    ------
    FileError
        A line has another number of fields: the file breaks off or is damaged.
    """
    positions = {name: layout.columns[name] for name in names}
    try:
        reader = pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(
                column_names=[str(at) for at in range(layout.width)],
                skip_rows=1,
                block_size=_BLOCK,
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=layout.delimiter,
                newlines_in_values=False,
                invalid_row_handler=lambda row: "skip" if row.actual_columns <= 1 else "error",
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                # texts stay bytes until they are wanted: decoding a file costs more than reading it
                column_types={
                    str(at): pa.binary() if name in TEXTS else pa.string()
                    for name, at in positions.items()
                },
                include_columns=[str(at) for at in positions.values()],
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
        for batch in reader:
            yield batch.rename_columns(list(positions))
    except pa.ArrowInvalid as error:
        raise FileError("readers.breaks_off", path=path, reason=str(error)) from error


#: ids shorter than those of the level the 2016 header names: the levels above it
_ABOVE = {2: "PR", 3: "CMA", 4: "CD", 7: "CSD"}


def read_profile(
    path: str | Path | Sequence[str | Path],
    *,
    characteristics: Iterable[str | int] | None = None,
    level: str | None = None,
) -> CensusTable:
    """Read Census Profile files of 2021 or 2016: one level, the characteristics wanted.

    A file is read once, from end to end, and only the rows wanted are kept: the memory needed is
    that of the result, not of the file.

    Parameters
    ----------
    path
        A CSV or TAB file as published (98-401-X2021006 ..., 98-401-X2016044 ...), zipped or not;
        or several, which are put together (regional files).
    characteristics
        Variables of the dictionary, characteristic ids, or words of rows; every variable of the
        dictionary that the file has by default.
    level
        Level wanted; the finest in the files by default.

    Returns
    -------
    CensusTable
        Totals (never one sex), ids as text; symbols beside values; ``notes`` says which
        characteristic was taken for which variable, and how sure that is.

    Raises
    ------
    TableError
        No file is a Census Profile; they are of several censuses; a characteristic is not in
        them; a level is not; a unit stands in two files with different numbers.
    FileError
        A file cannot be read, or breaks off.
    """
    paths = require_paths(path)
    known = layouts_of(paths)
    vintage = known[0].vintage
    wanted, findings = _wanted(paths, known, characteristics)
    code = None if level is None else geography.require_level(level, vintage).code
    parts, hashes = [], []
    for place, (one, layout) in enumerate(zip(paths, known, strict=True)):
        rows, digest = _rows(one, layout, wanted, code)
        parts.append(rows.assign(origin=place))
        hashes.append(digest)
    rows = pd.concat(parts, ignore_index=True)
    held = [one for one in geography.levels(vintage) if one in set(rows["level"])]
    if not held:
        raise TableError("readers.level_absent", name=paths[0].name, level=code or "", held="")
    code = code or held[0]
    rows = rows[rows["level"] == code]
    findings.append(finding("readers.profile", "note", paths[0].name, vintage=vintage, level=code))
    return _table(
        rows,
        wanted,
        code=code,
        vintage=vintage,
        sources=pd.DataFrame({"file": [p.name for p in paths], "sha256": hashes}),
        findings=findings,
    )


def is_profile(path: Path) -> bool:
    """Say whether a file is a Census Profile whose layout is known."""
    try:
        return layout_of(path) is not None
    except FileError:
        return False


# ------------------------------------------------------------------------------- what is wanted


def _wanted(
    paths: list[Path], layouts: list[Layout], asked: Iterable[str | int] | None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return ``id, variable`` of the characteristics wanted, those of all files together."""
    path, layout = paths[0], layouts[0]
    several = [_characteristics(*one) for one in zip(paths, layouts, strict=True)]
    rows = pd.concat(several).drop_duplicates("id", ignore_index=True)
    found = variables_of(rows, layout)
    findings = []
    unsure = found.loc[found["certainty"] != "verified"]
    if len(unsure):
        shown = (unsure["variable"] + " = " + unsure["name"].str.strip()).tolist()
        findings.append(finding("readers.by_name", "note", path.name, rows=shown))
    wanted = found[["id", "variable"]]
    if asked is None:
        if not len(wanted):
            raise TableError("readers.nothing_known", name=path.name)
        return wanted.drop_duplicates("id"), findings
    variables = dict(zip(found["variable"], found["id"], strict=True))
    by_id = {str(id): name for name, id in variables.items()}
    words = {geography.fold(name): id for name, id in zip(rows["name"], rows["id"], strict=True)}
    picked, lost = [], []
    for one in asked:
        text = str(one).strip()
        if text in variables:
            picked.append((variables[text], text))
        elif text in set(rows["id"]):
            name = rows.loc[rows["id"] == text, "name"].iloc[0].strip()
            picked.append((text, by_id.get(text, name)))
        elif geography.fold(text) in words:
            id = words[geography.fold(text)]
            picked.append((id, by_id.get(id, text)))
        else:
            lost.append(text)
    if lost:
        raise TableError(
            "readers.no_characteristics",
            [{"characteristic": text} for text in lost],
            name=path.name,
            lost=lost,
            known=sorted(variables),
        )
    return pd.DataFrame(picked, columns=["id", "variable"]).drop_duplicates("id"), findings


def variables_of(rows: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Return the variables of the dictionary among ``id, name`` of characteristics."""
    if layout.french:
        return _by_id(rows, layout.vintage)
    return find_variables(rows, layout.vintage)


def _by_id(rows: pd.DataFrame, vintage: int) -> pd.DataFrame:
    """Return the variables of a French file: its words are not the dictionary's, its ids are."""
    found = []
    for name, one in known_variables(vintage).items():
        for place in one.characteristics:
            if place.vintage != vintage or place.id is None:
                continue
            at = np.flatnonzero(rows["id"] == place.id)
            if len(at):
                found.append((name, place.id, rows["name"].iloc[at[0]], at[0], "verified"))
    return pd.DataFrame(found, columns=["variable", "id", "name", "row", "certainty"])


def _characteristics(path: Path, layout: Layout) -> pd.DataFrame:
    """Return ``id, name`` of the characteristics, from the rows of the first unit."""
    parts: list[pa.Table] = []
    with opened(path) as stream:
        for batch in batches(stream, layout, path, ("id", "member", "words")):
            table = pa.table(batch)
            first = parts[0]["id"][0] if parts else table["id"][0]
            mine = table.filter(pc.equal(table["id"], first))
            parts.append(mine)
            if len(mine) < len(table):
                break
    if not parts:
        raise TableError("readers.no_rows", name=path.name)
    rows = pa.concat_tables(parts)
    return pd.DataFrame(
        {
            "id": [str(one).strip() for one in rows["member"].to_pylist()],
            "name": words_of(rows["words"].to_pylist()),
        }
    )


def _rows(
    path: Path, layout: Layout, wanted: pd.DataFrame, code: str | None
) -> tuple[pd.DataFrame, str]:
    """Return the rows wanted (``unit_id, level, name, id, value, symbol, ...``) and the hash."""
    members = pa.array(wanted["id"].tolist(), type=pa.string())
    names = [name for name in layout.columns if name not in ("year", "words")]
    parts: list[pd.DataFrame] = []
    digest = hashlib.sha256()
    with opened(path, digest) as stream:
        for batch in batches(stream, layout, path, names):
            table = pa.table(batch)
            table = table.filter(
                pc.is_in(pc.utf8_trim_whitespace(table["member"]), value_set=members)
            )
            if not len(table):
                continue
            frame = table.to_pandas()
            places = units_of(frame["id"], layout)
            frame = frame.assign(
                **{name: places[name].reindex(frame["id"]).to_numpy() for name in places}
            )
            frame = frame[frame["level"].notna() & ((code is None) | frame["level"].eq(code))]
            if len(frame):
                parts.append(frame.drop(columns="id").assign(name=words_of(frame["name"])))
    columns = [*(set(names) - {"id"}), "unit_id", "level"]
    empty = pd.DataFrame(columns=list(dict.fromkeys(columns)))
    return (pd.concat(parts, ignore_index=True) if parts else empty), digest.hexdigest()


def units_of(ids: pd.Series, layout: Layout) -> pd.DataFrame:
    """Return ``unit_id, level`` by id as it stands in the file; missing for the country."""
    given = pd.Series(ids.unique(), dtype="string")
    if layout.vintage >= 2021:
        country = given.str.slice(4, 9).isin(["A0000", "A0001"])
        parsed = geography.parse_dguids(given.mask(country))
        return parsed[["unit_id", "level"]].set_axis(pd.Index(given.astype(object)))
    levels = pd.Series(pd.NA, index=given.index, dtype="string")
    bare = given.str.strip()
    for code in (*_ABOVE.values(), str(layout.level)):
        levels = levels.mask(geography.are_ids(bare, code, layout.vintage), code)
    return pd.DataFrame({"unit_id": bare, "level": levels}).set_axis(pd.Index(given.astype(object)))


def _table(
    rows: pd.DataFrame,
    wanted: pd.DataFrame,
    *,
    code: str,
    vintage: int,
    sources: pd.DataFrame,
    findings: list[Finding],
) -> CensusTable:
    """Make a table, units by variables, of long rows."""
    rows = rows.assign(member=rows["member"].str.strip())
    rows = _without_doubles(rows, sources)
    rows["variable"] = rows["member"].map(dict(zip(wanted["id"], wanted["variable"], strict=True)))
    beside = rows.get("symbol")
    values, symbols, unread = read_cells(rows["value"].replace("", pd.NA), ".", beside)
    if "rate" in rows:
        # medians and counts stand in the first column, rates in the one of rates
        rates, marks, _ = read_cells(rows["rate"].replace("", pd.NA), ".", rows["rate_symbol"])
        known = known_variables(vintage)
        ratio = rows["variable"].map(lambda name: name in known and known[name].rule != "count")
        take = np.isnan(values) & ~np.isnan(rates) & ratio.to_numpy(dtype=bool)
        values, symbols = np.where(take, rates, values), np.where(take, marks, symbols)
    if unread.any():
        bad = rows[unread]
        problems = bad[["unit_id", "variable", "value"]].to_dict("records")
        shown = (bad["unit_id"] + " " + bad["variable"] + ": " + bad["value"]).tolist()
        raise TableError(
            "readers.not_numbers", problems, name=", ".join(sources["file"]), cells=shown
        )
    rows = rows.assign(number=values, mark=symbols)
    order = pd.Index(rows["unit_id"].unique(), name="unit_id").astype(object)
    columns = [name for name in wanted["variable"] if name in set(rows["variable"])]
    cells = rows.set_index(["unit_id", "variable"])
    frame, marks = cells["number"].unstack(), cells["mark"].unstack()  # noqa: PD010
    first = rows.drop_duplicates("unit_id").set_index("unit_id")
    marks = marks.reindex(index=order, columns=columns).fillna("")
    return CensusTable(
        frame.reindex(index=order, columns=columns).rename_axis(columns=None),
        level=code,
        vintage=vintage,
        symbols=marks.loc[:, marks.ne("").any()].rename_axis(columns=None),
        names=first["name"].str.strip(),
        sources=sources,
        origin=first["origin"],
        notes=CheckReport(findings),
    )


def _without_doubles(rows: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """Drop rows that several files repeat (the country's, a province's)."""
    twice = rows.duplicated(["unit_id", "member"], keep=False)
    if not twice.any():
        return rows.copy()
    cells = [name for name in ("value", "symbol", "rate") if name in rows]
    same = rows.drop_duplicates(["unit_id", "member", *cells])
    differing = same[same.duplicated(["unit_id", "member"], keep=False)]
    if len(differing):
        units = differing["unit_id"].unique()
        raise TableError(
            "readers.twice",
            differing[["unit_id", "member", "value"]].to_dict("records"),
            name=", ".join(sources["file"]),
            units=list(units),
        )
    return same.copy()
