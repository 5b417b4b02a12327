"""Read the tables to order, and say what of them is likely to come back suppressed."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lipgeo.errors import OrderError, tell_damage
from lipgeo.files import read_sealed_parquet
from lipgeo.geography.floors import floor_universes, floors_of_universe
from lipgeo.geography.hierarchy import fold
from lipgeo.order.content import Content
from lipgeo.readers.numbers import read_numbers
from lipgeo.report import Faults
from lipgeo.words import say

__all__ = [
    "UNIVERSES",
    "Asked",
    "read_estimates",
    "read_tables",
    "table_frame",
    "write_estimates",
]

#: who a table counts: which floor holds
UNIVERSES = ("population", *floor_universes(), "place_of_work")
#: words that tell the universe where a list does not
_WORDS = {
    "income": ("income", "revenu", "earning", "wage", "salaire", "gain"),
    "place_of_work": ("place of work", "lieu de travail", "commut", "navett"),
}
#: weighted counts of the long form below this come back as 0 or 10
_ROUNDED_BELOW = 10.0
#: ... and below half of it as 0 more often than not
_NOTHING_BELOW = 5.0
_KEYS = ("table", "title", "universe", "variables")
#: what a portal's list of wishes says beside: nothing of it is ordered
_BESIDE = (
    *("cost", "priority", "wanted_by", "places", "released", "suppressed", "unknown"),
    *("indicators", "ask"),
)
#: what the cells beyond the header are called while a CSV is read
_BEYOND = "beyond the header"


@dataclass(frozen=True)
class Asked:
    """One table to order.

    Attributes
    ----------
    table, title
        Its code, and what it is called (may be empty).
    universe
        One of :data:`UNIVERSES`.
    variables
        Variables of estimates that its cells are.
    """

    table: str
    title: str
    universe: str
    variables: tuple[str, ...]

    def to_record(self) -> dict[str, Any]:
        """Return plain values for the manifest."""
        return {
            "table": self.table,
            "title": self.title,
            "universe": self.universe,
            "variables": list(self.variables),
        }


def read_tables(given: str | Path | Sequence[Any] | None) -> list[Asked]:
    """Read a list of tables to order.

    Parameters
    ----------
    given
        A CSV file (columns ``table, title, universe, variables``; only ``table`` is needed,
        variables joined by ``;``; the columns that ``lipgeo portal wishlist`` writes beside them
        are passed over), a TOML file (array of tables ``tables``), or a list of names
        or mappings. ``universe`` is ``population``, ``income`` or ``place_of_work``; where it is
        not given the table's words decide.

    Raises
    ------
    OrderError
        The file cannot be read, a column is unknown, a table has no name or stands twice, or a
        universe is unknown.

    Examples
    --------
    >>> from lipgeo.order.tables import read_tables
    >>> [one.universe for one in read_tables(["T1 Income by age and sex", "TGP immigrants"])]
    ['income', 'population']
    """
    if given is None:
        return []
    path = Path(given) if isinstance(given, str | Path) else None
    rows = list(given) if not isinstance(given, str | Path) else _from_file(Path(given))
    records = [{"table": row} if isinstance(row, str) else dict(row) for row in rows]
    faults = Faults()
    unknown = sorted({str(key) for row in records for key in row} - {*_KEYS, *_BESIDE})
    if unknown:
        faults.add_as_told("order.tables_unknown", columns=unknown, known=" ".join(_KEYS))
    names = [str(row.get("table") or "").strip() for row in records]
    if not names or "" in names:
        nameless = [n + 1 for n, t in enumerate(names) if not t]
        faults.add_as_told("order.tables_nameless", rows=nameless)
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        faults.add_as_told("order.tables_twice", tables=twice)
    universes = [str(row.get("universe") or "").strip() for row in records]
    if wrong := sorted(set(universes) - {"", *UNIVERSES}):
        faults.add_as_told("order.tables_universe", found=wrong, known=" ".join(UNIVERSES))
    faults.raise_if_any("order.tables_refused", error=OrderError, path=path or "tables")
    return [
        Asked(
            name,
            str(row.get("title") or "").strip(),
            universe or _guess_universe(f"{name} {row.get('title') or ''}"),
            _variables(row.get("variables")),
        )
        for name, universe, row in zip(names, universes, records, strict=True)
    ]


def _from_file(path: Path) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.casefold() == ".toml":
            return list(tomllib.loads(text)["tables"])
        first = text.splitlines()[0] if text.strip() else ""
        separator = ";" if first.count(";") > first.count(",") and "table" in first else ","
        lines = csv.DictReader(text.splitlines(), delimiter=separator, restkey=_BEYOND)
        read = [(lines.line_num, row) for row in lines]
    except FileNotFoundError as error:
        raise OrderError("readers.layers.missing", path=path) from error
    except (OSError, ValueError, KeyError, RecursionError, csv.Error) as error:
        raise OrderError("order.tables_unreadable", path=path, reason=error) from error
    longer = [number for number, row in read if _BEYOND in row]
    if longer:
        fault = say("order.tables_ragged", rows=longer, sign=separator)
        problems = [{"line": number} for number in longer]
        raise OrderError("order.tables_refused", problems, path=path, faults=fault)
    return [row for _, row in read]


def _variables(given: Any) -> tuple[str, ...]:
    parts = given.split(";") if isinstance(given, str) else (given or ())
    return tuple(str(part).strip() for part in parts if str(part).strip())


def _guess_universe(text: str) -> str:
    plain = fold(text)
    for universe, words in _WORDS.items():
        if any(fold(word) in plain for word in words):
            return universe
    return "population"


def read_estimates(given: Any) -> pd.DataFrame | None:
    """Return estimates as a frame: from ``weight_table``'s result, a frame, or a file of them.

    A file is any that ``lipgeo weight --out`` writes: a workbook, CSV, Parquet, a GeoPackage.

    Raises
    ------
    OrderError
        Columns ``area_id, variable, value`` are missing, or a Parquet file is damaged.
    FileError, TableError
        Another file is not there, damaged or none of these, or a value in it is no number.
    """
    if given is None:
        return None
    if isinstance(given, str | Path):
        path = Path(given)
        if path.suffix.casefold() in (".parquet", ".pq"):
            with tell_damage(OrderError, "order.estimates_unreadable", path=path):
                frame = read_sealed_parquet(path)[0].to_pandas()
        else:
            frame = read_numbers(path).frame
    else:
        frame = given if isinstance(given, pd.DataFrame) else given.frame
    missing = [name for name in ("area_id", "variable", "value") if name not in frame]
    if missing:
        raise OrderError("order.estimates_columns", missing=missing, found=list(frame.columns))
    return frame.assign(area_id=frame["area_id"].astype("string"))


def write_estimates(estimates: pd.DataFrame, content: Content, folder: Path) -> Path:
    """Write the estimates of the areas ordered: what comes back is held against them."""
    columns = ("area_id", "variable", "value", "likely_lower", "likely_upper")
    own = estimates["area_id"].isin(content.areas["area_id"].astype("string"))
    frame = estimates.loc[own, [name for name in columns if name in estimates]]
    frame = frame.astype({"area_id": "string", "variable": "string"}).reset_index(drop=True)
    path = folder / "estimates.parquet"
    said = {"vintage": str(content.vintage), "source": content.attribution}
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(said), path)
    return path


def table_frame(
    content: Content,
    asked: Sequence[Asked],
    estimates: pd.DataFrame | None,
    households: pd.Series,
) -> pd.DataFrame:
    """Return one row a table and area: what is likely to come back.

    Returns
    -------
    pandas.DataFrame
        ``TABLE, TITLE, UNIVERSE, CUSTOM_ID, AREA_NAME_EN, AREA_NAME_FR, VINTAGE`` (text),
        ``EXPECTED``: ``released``, ``suppressed`` (the whole table), ``unknown`` (who works there
        is not known here; or the population is not known); ``REASON`` (English and French words
        are in the README; here the name of the rule); ``CELLS_LOOKED_AT, CELLS_ROUNDED,
        CELLS_NOTHING``: of the variables named, how many have an estimate, how many are below 10
        (weighted counts that come back as 0 or 10), how many below 5 (more likely 0).
    """
    areas = content.areas
    rows = []
    for one in asked:
        expected, reason = _expect_suppression(
            content, one.universe, households.to_numpy(np.float64)
        )
        cells = _cells(areas, one, estimates)
        rows.append(
            pd.DataFrame(
                {
                    "TABLE": one.table,
                    "TITLE": one.title,
                    "UNIVERSE": one.universe,
                    "CUSTOM_ID": areas["custom_id"],
                    "AREA_NAME_EN": areas["name_en"],
                    "AREA_NAME_FR": areas["name_fr"],
                    "VINTAGE": areas["vintage"].astype(str),
                    "EXPECTED": expected,
                    "REASON": reason,
                    **cells,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _expect_suppression(content: Content, universe: str, households: Any) -> tuple[Any, Any]:
    areas = content.areas
    people = areas["population_union"].to_numpy(np.float64)
    # households unknown: there are at most as many as private dwellings
    dwellings = areas["dwellings_union"].to_numpy(np.float64)
    homes = np.where(np.isnan(households), dwellings, households)
    expected = np.full(len(areas), "released", dtype=object)
    reason = np.full(len(areas), "", dtype=object)

    def suppress(where: Any, why: str) -> None:
        expected[where], reason[where] = "suppressed", why

    if universe == "place_of_work":
        expected[:], reason[:] = "unknown", "employed_at_workplace_not_known"
    unknown = np.isnan(people)
    expected[unknown], reason[unknown] = "unknown", "population_not_known"
    counted = {"persons": people, "private households": homes}
    # the first floor named is the reason, so it is looked at last
    for name, floor in reversed(floors_of_universe(universe, content.vintage).items()):
        suppress(counted[floor.counts] < floor.value, name)
    if universe != "place_of_work":
        suppress(people < areas["floor_persons"].to_numpy(np.float64), "floor_persons")
    return expected, reason


def _cells(
    areas: pd.DataFrame, one: Asked, estimates: pd.DataFrame | None
) -> Mapping[str, np.ndarray[Any, Any]]:
    names = ("CELLS_LOOKED_AT", "CELLS_ROUNDED", "CELLS_NOTHING")
    if estimates is None or not one.variables:
        return dict.fromkeys(names, np.zeros(len(areas), dtype=np.int64))
    found = estimates[estimates["variable"].isin(one.variables)]
    if "rule" in found:
        found = found[found["rule"].isin(["count"])]
    value = found["value"].astype("float64")
    tally = pd.DataFrame(
        {
            "area_id": found["area_id"],
            names[0]: value.notna(),
            names[1]: value < _ROUNDED_BELOW,
            names[2]: value < _NOTHING_BELOW,
        }
    )
    sums = tally.groupby("area_id")[list(names)].sum().reindex(areas["area_id"]).fillna(0)
    return {name: sums[name].to_numpy(np.int64) for name in names}
