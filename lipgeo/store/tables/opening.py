"""Open an imported table where it lies, with the engine that adds it up; list those of a store."""

from __future__ import annotations

import glob
import re
import tempfile
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet

from lipgeo import geography
from lipgeo.errors import MissingExtraError, StoreError, tell_damage
from lipgeo.files import read_manifest, sha256_of
from lipgeo.store.checked_file import is_whole
from lipgeo.store.layout import STATES, no_store, other_sizes
from lipgeo.store.tables.layout import (
    CHARACTERISTICS,
    DATA,
    RANGES,
    TABLE,
    UNITS,
    find_tables,
)
from lipgeo.tables.long_table import LongTable
from lipgeo.tables.variables import Variable, known_variables
from lipgeo.words import Language, say, speaking

__all__ = ["describe_tables", "open_table", "spark_address"]


def describe_tables(store: str | Path) -> pd.DataFrame:
    """Return the tables that a store holds, one row a level of each, and whether they look whole.

    Manifests alone are read: ``lipgeo.verify_store`` reads all.

    Parameters
    ----------
    store
        The store's folder.

    Returns
    -------
    pandas.DataFrame
        ``vintage`` (int), ``name, level`` (text), ``unit_count, characteristic_count, row_count``
        (int), ``sources`` (text; names of the files), ``state`` (``whole``, or ``damaged`` where
        a file of the table is missing or of another size).

    Raises
    ------
    StoreError
        There is no store, or a table is damaged or was written by a newer lipgeo.
    """
    folder = Path(store)
    if not folder.is_dir():
        raise no_store(folder)
    rows = []
    for (vintage, name), table in find_tables(folder).items():
        manifest = read_manifest(table, TABLE)
        files = ", ".join(source["file"] for source in manifest["sources"])
        state = STATES[not other_sizes(table, manifest, manifest.get("files", ()))]
        rows += [
            {
                "vintage": vintage,
                "name": name,
                "level": level,
                "unit_count": manifest["units"][level],
                "characteristic_count": manifest["characteristics"],
                "row_count": manifest["rows"][level],
                "sources": files,
                "state": state,
            }
            for level in manifest["levels"]
        ]
    columns = [
        "vintage", "name", "level", "unit_count", "characteristic_count", "row_count", "sources",
        "state",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


#: what DuckDB may hold
_MEMORY = "250MB"
_TOTAL = "total"


def open_table(
    store: str | Path,
    name: str | None = None,
    *,
    level: str | None = None,
    vintage: int | None = None,
    engine: Any = None,
) -> LongTable:
    """Open a table that :func:`lipgeo.add_table` (``lipgeo census table add``) imported.

    Nothing but names is read. :func:`lipgeo.weight_table` takes what is returned as it takes a
    table in memory and gives the same numbers, in bounded memory whatever its size.

    Parameters
    ----------
    store
        The store's folder.
    name
        Name of the table; may be left out where the store holds one.
    level
        Level of its units; the finest it holds unless given.
    vintage
        Census year; needed where tables of several bear the name.
    engine
        An ibis backend that reads Parquet: DuckDB in this process unless given (extra ``tables``);
        for Apache Spark see :func:`lipgeo.spark.engine`.

    Returns
    -------
    LongTable
        Columns: each characteristic by its name in the dictionary of variables, by its id
        (``"1527"``) where the dictionary does not know it; men's and women's counts with
        ``_men`` and ``_women`` at the end, where there are any. Only the dictionary's have a rule:
        give others theirs with :meth:`~lipgeo.LongTable.with_variables`.

    Raises
    ------
    StoreError
        There is no store or table, several answer, the level is not in it, or it is damaged.
    MissingExtraError
        The extra ``tables`` is not installed.
    """
    if vintage is not None:
        geography.require_vintage(int(vintage))
    found, folder = _find_folder(Path(store), name, vintage)
    manifest = read_manifest(folder, TABLE)
    if found != (manifest["vintage"], manifest["name"]):
        raise StoreError(
            "store.tables.renamed",
            folder=folder,
            needed=f"{found[1]} ({found[0]})",
            found=f"{manifest['name']} ({manifest['vintage']})",
        )
    levels = manifest["levels"]
    code = levels[0] if level is None else geography.require_level(level, manifest["vintage"]).code
    if code not in levels:
        raise StoreError("store.no_level", name=folder.name, level=code, held=levels)
    sums = manifest.get("files", {})
    units = _read(folder, UNITS, sums)
    units = units[units["level"].eq(code)].set_index("unit_id")[["unit", "name", "origin"]]
    columns = _columns(_read(folder, CHARACTERISTICS, sums), manifest["values"])
    ranges = _ranges(_read(folder, RANGES, sums), code, columns)
    # what is not told apart by gender has no cells of men and women
    told = ranges["least"].notna()
    columns = {name: at for name, at in columns.items() if at[1] == _TOTAL or told[name]}
    parts = _parts(folder, manifest, code)

    backend = _duckdb() if engine is None else engine
    reopen = partial(
        open_table, Path(store).resolve(), found[1], level=code, vintage=manifest["vintage"]
    )

    whole = _WholeParts(sums)

    def guard() -> None:
        if read_manifest(folder, TABLE) != manifest:
            raise StoreError("store.tables.replaced", name=folder.name)
        whole.require(folder, _parts(folder, manifest, code))

    try:
        cells = _cells(backend, [path.resolve() for path in parts])
    except Exception:
        # engines look at the footers: is it a damaged one that this one stumbled over?
        whole.require(folder, parts)
        raise

    return LongTable(
        cells,
        units=units,
        columns=columns,
        variables=_variables(columns, manifest["vintage"]),
        ranges=ranges,
        guard=guard,
        reopen=None if engine is not None else reopen,
        level=code,
        vintage=manifest["vintage"],
        sources=pd.DataFrame(manifest["sources"])[["file", "sha256"]].astype("string"),
    )


def _find_folder(
    store: Path, name: str | None, vintage: int | None
) -> tuple[tuple[int, str], Path]:
    """Return year, name and folder of the one table that answers."""
    if not store.is_dir():
        raise no_store(store)
    held = find_tables(store)
    answering = {
        key: folder
        for key, folder in held.items()
        if (vintage is None or key[0] == int(vintage)) and (name is None or key[1] == name)
    }
    if len(answering) != 1:
        raise StoreError(
            "store.several" if answering else "store.no_table",
            path=store,
            asked=" ".join(str(one) for one in (vintage, name) if one is not None) or "-",
            held=[f"{name} ({year})" for year, name in answering or held],
        )
    return next(iter(answering.items()))


def _duckdb() -> Any:
    """Return DuckDB in this process, with bounds to its memory; beyond them it spills to disk."""
    try:
        import ibis

        backend = ibis.duckdb.connect()
    except ImportError as error:
        raise MissingExtraError("store.no_ibis") from error
    backend.raw_sql(f"SET memory_limit = '{_MEMORY}'")
    backend.raw_sql("SET preserve_insertion_order = false")
    spilled = Path(tempfile.gettempdir(), f"lipgeo-{uuid.uuid4().hex}")
    backend.raw_sql(f"SET temp_directory = '{str(spilled).replace(chr(39), chr(39) * 2)}'")
    return backend


def _parts(folder: Path, manifest: Mapping[str, Any], level: str) -> list[Path]:
    """Return the parts of one level; refuse a table whose parts are not those it was made of."""
    held = f"{DATA}/level={level}/"
    listed = {
        one["file"]: one["bytes"] for one in manifest["parts"] if one["file"].startswith(held)
    }
    there = {
        f"{held}{path.name}": path.stat().st_size for path in (folder / held).glob("*.parquet")
    }
    wrong = sorted(
        name for name in listed.keys() | there.keys() if listed.get(name) != there.get(name)
    )
    if wrong:
        raise StoreError(
            "store.parts", [{"file": name} for name in wrong], folder=folder, files=wrong
        )
    return [folder / name for name in sorted(listed)]


def _cells(backend: Any, parts: list[Path]) -> Any:
    """Return the parts of one level as one table of an engine, whatever the folder is called."""
    if backend.name == "pyspark":
        return backend.read_parquet(spark_address(parts[0].parent))
    return backend.read_parquet([glob.escape(str(path)) for path in parts])


def spark_address(path: Path) -> str:
    """Return a path as Spark addresses it: on the machines themselves, not in their default store.

    Spark takes a name as it stands (no ``%20``), and brackets and stars for patterns.
    """
    escaped = re.sub(r"([\\\[\]{}*?])", r"\\\1", path.resolve().as_posix())
    return f"file://{escaped}" if escaped.startswith("/") else f"file:///{escaped}"


def _read(folder: Path, name: str, sums: Mapping[str, Any]) -> pd.DataFrame:
    """Read a small file of a table whole, held against its sum."""
    path = folder / name
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise StoreError("store.tables.half_written", folder=folder, missing=name) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError("store.tables.damaged", file=path, reason=reason) from error
    if name in sums and not is_whole(raw, sums[name]):
        raise StoreError("store.tables.damaged", file=path, reason=say("store.sum_differs"))
    with tell_damage(StoreError, "store.tables.damaged", file=path):
        parquet = pyarrow.parquet.ParquetFile(
            pyarrow.BufferReader(raw), page_checksum_verification=True
        )
        return parquet.read().to_pandas()


class _WholeParts:
    """Which parts of a table were read whole against their sums: the engine checks nothing.

    Parameters
    ----------
    sums
        ``sha256`` by file; none of tables from before there were any.
    """

    def __init__(self, sums: Mapping[str, Any]) -> None:
        self._sums = sums
        # size, time and number of each file when it was found whole
        self._found: dict[Path, tuple[int, ...]] = {}

    def require(self, folder: Path, parts: list[Path]) -> None:
        """Read parts that are new or were touched since they were read.

        Raises
        ------
        StoreError
            Some are not as they were written; all of them are named.
        """
        states = {}
        for path in parts:
            state = path.stat()
            states[path] = (state.st_size, state.st_mtime_ns, state.st_ino)
        new = [
            path
            for path in parts
            if self._found.get(path) != states[path]
            and path.relative_to(folder).as_posix() in self._sums
        ]
        names = [path.relative_to(folder).as_posix() for path in new]
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(sha256_of, new))
        wrong = [
            name
            for name, digest in zip(names, found, strict=True)
            if digest != self._sums[name]["sha256"]
        ]
        if wrong:
            raise StoreError(
                "store.tables.parts_damaged",
                [{"file": name} for name in wrong],
                folder=folder,
                files=wrong,
            )
        self._found.update({path: states[path] for path in new})


def _columns(characteristics: pd.DataFrame, values: list[str]) -> dict[str, tuple[int, str]]:
    """Return the names of columns: characteristic by characteristic, as they are stored."""
    ordered = characteristics.sort_values("characteristic")
    ids = ordered["characteristic"].astype(int)
    names = ordered["variable"].fillna(ids.astype(str)).astype(str)
    return {
        _name_column(name, kind): (id, kind)
        for name, id in zip(names, ids, strict=True)
        for kind in values
    }


def _name_column(name: str, kind: str) -> str:
    return name if kind == _TOTAL else f"{name}_{kind}"


def _variables(columns: Mapping[str, tuple[int, str]], vintage: int) -> dict[str, Variable]:
    """Return what the dictionary knows of the columns; men and women as the total."""
    known = known_variables(vintage)
    found = {}
    for name, (_, kind) in columns.items():
        one = known.get(name if kind == _TOTAL else name.removesuffix(f"_{kind}"))
        if one is None:
            continue
        if kind == _TOTAL:
            found[name] = one
            continue
        found[name] = replace(
            one,
            name=name,
            denominator=None if one.denominator is None else _name_column(one.denominator, kind),
            groups=tuple(
                replace(of, variable=_name_column(of.variable, kind)) for of in one.groups
            ),
            characteristics=(),
            name_en=_label(one.name_en, kind, "en"),
            name_fr=_label(one.name_fr, kind, "fr"),
        )
    return found


def _label(name: str, kind: str, lang: Language) -> str:
    if not name:
        return name
    with speaking(lang):
        return say(f"store.{kind}_of", name=name)


def _ranges(
    ranges: pd.DataFrame, level: str, columns: Mapping[str, tuple[int, str]]
) -> pd.DataFrame:
    """Return ``least, greatest, cells`` by column of one level."""
    mine = ranges[ranges["level"].eq(level)].set_index(["characteristic", "column"])
    at = pd.MultiIndex.from_tuples(list(columns.values()), names=["characteristic", "column"])
    found = mine.reindex(at)[["least", "greatest", "cells"]]
    return found.fillna({"cells": 0}).set_axis(pd.Index(list(columns)), axis=0)
