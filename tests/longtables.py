"""A table in memory as a long table of DuckDB, and what it takes for results to be equal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lipgeo import CensusTable, LongTable

ibis = pytest.importorskip("ibis", reason="needs the extra tables")


def long_of(
    table: CensusTable, more: dict[str, CensusTable] | None = None, *, ragged: bool = False
) -> LongTable:
    """Return a table in long form.

    ``more``: the same table of other columns of values; ``ragged``: rows of blank cells are not
    there at all.
    """
    held = {"total": table, **(more or {})}
    ids, names = table.unit_ids, list(table.columns)
    cells: dict[str, pa.Array] = {
        "unit": pa.array(np.tile(np.arange(len(ids), dtype=np.int32), len(names))),
        "characteristic": pa.array(
            np.repeat(np.arange(1, len(names) + 1, dtype=np.int32), len(ids))
        ),
    }
    for kind, one in held.items():
        values, marks = [], []
        for name in names:
            mark = one.marks(name)
            mark = np.full(len(ids), "", dtype=object) if mark is None else mark
            values.append(np.where(one.is_observed(name), one.values(name), np.nan))
            marks += [text or None for text in mark]
        cells[kind] = pa.array(np.concatenate(values), from_pandas=True)
        cells[f"{kind}_symbol"] = pa.array(marks, pa.string())
    engine = ibis.duckdb.connect()
    rows = pa.table(cells)
    if ragged:
        blank = np.array([mark is None for mark in marks])
        rows = rows.filter(pa.array(~(np.isnan(values_of(rows["total"])) & blank)))
    engine.con.register("given", rows)
    there = np.bincount(rows["characteristic"].to_numpy(), minlength=len(names) + 1)
    engine.con.execute("CREATE TABLE cells AS SELECT * FROM given")
    ending = {kind: "" if kind == "total" else f"_{kind}" for kind in held}
    columns = {name + ending[kind]: (at, kind) for at, name in enumerate(names, 1) for kind in held}
    ranges = pd.DataFrame(
        [
            (name + ending[kind], one.frame[name].min(), one.frame[name].max(), there[at])
            for kind, one in held.items()
            for at, name in enumerate(names, 1)
        ],
        columns=["name", "least", "greatest", "cells"],
    ).set_index("name")
    return LongTable(
        engine.table("cells"),
        units=pd.DataFrame(
            {"unit": np.arange(len(ids)), "name": table.names, "origin": table.origin}, index=ids
        ),
        columns=columns,
        variables=table.variables,
        ranges=ranges,
        level=table.level,
        vintage=table.vintage,
        sources=table.sources,
        parents=table.parents,
        notes=table.notes,
    )


def values_of(column: pa.ChunkedArray) -> np.ndarray:
    """Return numbers, NaN where there is none."""
    return column.to_pandas().to_numpy(dtype=float)


def assert_equal(one: pd.DataFrame, two: pd.DataFrame, tolerance: float = 1e-12) -> None:
    """Assert equal texts, and numbers equal to a relative tolerance, missing where missing."""
    assert one.columns.tolist() == two.columns.tolist()
    assert len(one) == len(two)
    for name in one:
        if one[name].dtype.kind == "f":
            np.testing.assert_allclose(
                one[name], two[name], rtol=tolerance, atol=1e-13, err_msg=name
            )
        else:
            assert one[name].astype(str).tolist() == two[name].astype(str).tolist(), name
