"""``read_profile``: Census Profile files of Statistics Canada, streamed, never held whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lipgeo import geography
from lipgeo.areas.faults import finding
from lipgeo.arguments import require_paths
from lipgeo.errors import FileError, TableError
from lipgeo.readers.cells import read_cells
from lipgeo.readers.profile_files import Layout, batches, layout_of, layouts_of, opened, words_of
from lipgeo.report import CheckReport, Finding
from lipgeo.tables.table import CensusTable
from lipgeo.tables.variables import find_variables, known_variables

__all__ = ["is_profile", "read_profile", "units_of", "variables_of"]

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
        raise TableError("readtable.level_absent", name=paths[0].name, level=code or "", held="")
    code = code or held[0]
    rows = rows[rows["level"] == code]
    findings.append(
        finding("readtable.profile", "note", paths[0].name, vintage=vintage, level=code)
    )
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
        findings.append(finding("readtable.by_name", "note", path.name, rows=shown))
    wanted = found[["id", "variable"]]
    if asked is None:
        if not len(wanted):
            raise TableError("readtable.nothing_known", name=path.name)
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
            "readtable.no_characteristics",
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
        raise TableError("readtable.no_rows", name=path.name)
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
            "readtable.not_numbers", problems, name=", ".join(sources["file"]), cells=shown
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
            "readtable.twice",
            differing[["unit_id", "member", "value"]].to_dict("records"),
            name=", ".join(sources["file"]),
            units=list(units),
        )
    return same.copy()
