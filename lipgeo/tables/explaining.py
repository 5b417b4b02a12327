"""What a number is made of, unit by unit, and what was missing from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.tables.columns import REASONS, columns_of
from lipgeo.tables.long import AnyTable
from lipgeo.tables.medians import classes_of
from lipgeo.tables.pairs import Pairs
from lipgeo.tables.table import CensusTable
from lipgeo.tables.variables import Variable

__all__ = ["EXPLAIN", "ROWS", "added_up", "missing_of", "tail_of", "units_of"]

#: columns of an explanation
EXPLAIN = (
    "row",
    "source_id",
    "name",
    "published",
    "symbol",
    "share",
    "contribution",
    "denominator",
    "denominator_contribution",
    "status",
    "reason",
    "file",
    "sha256",
)
#: kinds of rows, in their order
ROWS = ("unit", "class", "sum", "not_observed", "value", "rounding", "official")
_MISSING = ("area_id", "variable", "source_id", "name", "symbol", "reason", "share", "held")
_TEXTS = ("area_id", "row", "source_id", "name", "symbol", "status", "reason", "file", "sha256")


def units_of(given: AnyTable, one: Variable, pairs: Pairs, areas: Iterable[str]) -> pd.DataFrame:
    """Return what each unit gives to a variable in some areas: ``area_id`` and ``EXPLAIN``."""
    _, table = next(iter(given.pieces([one])))
    wanted = np.flatnonzero(pairs.targets.isin(list(areas)))
    met = (pairs.share > 0) | (pairs.area_share > pairs.sliver)
    rows = np.flatnonzero(np.isin(pairs.target, wanted) & met)
    source, share = pairs.source[rows], pairs.share[rows]
    ids = pairs.sources[source]
    columns = columns_of(table, [one], pairs)
    n, d, seen = columns.n[source, 0], columns.d[source, 0], columns.observed[source, 0]
    name = one.numerator or one.name
    nothing = np.full(len(ids), np.nan)
    over = one.is_ratio or bool(one.groups)
    files = table.sources.reindex(table.origin.reindex(ids).fillna(-1).astype("int64"))
    inside, straddling = pairs.inside[rows], pairs.straddling[rows]
    frame = pd.DataFrame(
        {
            "area_id": pairs.targets[pairs.target[rows]],
            "row": "unit",
            "source_id": ids.to_numpy(dtype=object),
            "name": table.names.reindex(ids).to_numpy(),
            "published": _values_of(table, name, ids) if name in table.columns else nothing,
            "symbol": _symbols_of(table, one, ids),
            "share": share,
            "contribution": np.where(seen, share * n, np.nan) if one.rule != "median" else nothing,
            "denominator": np.where(seen, d, np.nan) if over else nothing,
            "denominator_contribution": np.where(seen, share * d, np.nan) if over else nothing,
            "status": np.select([inside, straddling], ["inside", "straddling"], "sliver"),
            "reason": np.array(REASONS, dtype=object)[columns.reason[source, 0]],
            "file": files["file"].to_numpy(),
            "sha256": files["sha256"].to_numpy(),
        }
    )
    if one.groups:
        frame = pd.concat([frame, _classes(table, one, pairs, wanted)], ignore_index=True)
    return frame.astype(dict.fromkeys(_TEXTS, "string"))


def _values_of(table: CensusTable, name: str, ids: pd.Index) -> npt.NDArray[np.float64]:
    """Return values as published, NaN where there is no row."""
    at = table.unit_ids.get_indexer(ids)
    return np.where(at >= 0, table.values(name)[at], np.nan)


def _classes(
    table: CensusTable, one: Variable, pairs: Pairs, wanted: npt.NDArray[np.intp]
) -> pd.DataFrame:
    """Return the people of each class of a median in some areas."""
    columns = columns_of(table, [one], pairs)
    counts = classes_of(table, one, pairs, columns.observed[:, 0]).by_share[wanted]
    names = [group.variable for group in one.groups]
    labels = [table.variables[name].label if name in table.variables else name for name in names]
    frame = pd.DataFrame(
        {
            "area_id": np.repeat(pairs.targets[wanted].to_numpy(dtype=object), len(names)),
            "row": "class",
            "source_id": np.tile(names, len(wanted)),
            "name": np.tile(labels, len(wanted)),
            "contribution": counts.ravel(),
        }
    )
    return frame.reindex(columns=["area_id", *EXPLAIN])


def added_up(units: pd.DataFrame) -> pd.DataFrame:
    """Add up the classes that several tables gave, units as they are."""
    classes = units[units["row"].eq("class")]
    if classes.empty:
        return units
    keys = ["area_id", "row", "source_id", "name"]
    whole = classes.groupby(keys, sort=False)["contribution"].sum().reset_index()
    whole = whole.reindex(columns=units.columns).astype(units.dtypes)
    return pd.concat([units[units["row"].ne("class")], whole], ignore_index=True)


def tail_of(
    one: Variable, units: pd.DataFrame, results: pd.DataFrame, official: pd.DataFrame
) -> pd.DataFrame:
    """Return the closing rows: sum, what was put in, value, rounding, official total."""
    results = results.set_index("area_id")
    areas = results.index
    by_area = units[units["row"].eq("unit")].groupby("area_id")
    sums = by_area[["contribution", "denominator_contribution"]].sum().reindex(areas).fillna(0.0)
    value = results["value"]
    parts = []
    if one.rule != "median":
        over = sums["denominator_contribution"] if one.is_ratio else np.nan
        parts.append(
            _rows("sum", areas, contribution=sums["contribution"], denominator_contribution=over)
        )
    if one.rule == "count":
        put_in = (value - sums["contribution"])[(results["observed_share"] < 1) & value.notna()]
        parts.append(_rows("not_observed", put_in.index, contribution=put_in))
    adds = value if one.rule == "count" else np.nan
    parts.append(_rows("value", areas, published=value, contribution=adds))
    parts.append(_rows("rounding", areas, published=results["rounding_max"]))
    if one.name in official:
        known = official[one.name].reindex(areas).dropna()
        parts.append(_rows("official", known.index, published=known))
    return pd.concat([part for part in parts if len(part)], ignore_index=True).astype(units.dtypes)


def _rows(row: str, areas: pd.Index, **columns: pd.Series | float) -> pd.DataFrame:
    given = {
        name: values.to_numpy() if isinstance(values, pd.Series) else values
        for name, values in columns.items()
    }
    frame = pd.DataFrame({"area_id": areas.to_numpy(dtype=object), "row": row, **given})
    return frame.reindex(columns=["area_id", *EXPLAIN])


def missing_of(table: AnyTable, variables: Sequence[Variable], pairs: Pairs) -> pd.DataFrame:
    """Return the cells of variables that were not observed, for each area they count in."""
    parts = [_missing_of(piece, chunk, pairs) for chunk, piece in table.pieces(variables)]
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(_MISSING))
    texts = ("area_id", "variable", "source_id", "name", "symbol", "reason")
    return found.astype(dict.fromkeys(texts, "string") | {"share": "float64", "held": "float64"})


def _missing_of(table: CensusTable, chunk: Sequence[Variable], pairs: Pairs) -> pd.DataFrame:
    columns = columns_of(table, chunk, pairs)
    met = np.flatnonzero(pairs.share > 0)
    pair, at = np.nonzero(columns.reason[pairs.source[met]] > 0)
    pair = met[pair]
    source = pairs.source[pair]
    names = np.array([one.name for one in chunk], dtype=object)
    symbols = np.full(len(source), "", dtype=object)
    for place, one in enumerate(chunk):
        rows = np.flatnonzero(at == place)
        symbols[rows] = _symbols_of(table, one, pairs.sources[source[rows]])
    return pd.DataFrame(
        {
            "area_id": pairs.targets[pairs.target[pair]],
            "variable": names[at],
            "source_id": pairs.sources[source],
            "name": table.names.reindex(pairs.sources[source]).to_numpy(),
            "symbol": symbols,
            "reason": np.array(REASONS, dtype=object)[columns.reason[source, at]],
            "share": pairs.share[pair],
            "held": columns.held[source, at],
        }
    )


def _symbols_of(table: CensusTable, one: Variable, ids: pd.Index) -> npt.NDArray[np.object_]:
    """Return the symbols that stood in the cells of a variable, empty where none did."""
    marks = table.marks(one.numerator or one.name)
    found = np.full(len(ids), "", dtype=object)
    if marks is not None:
        at = table.unit_ids.get_indexer(ids)
        found[at >= 0] = marks[at[at >= 0]]
    return found
