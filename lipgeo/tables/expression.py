"""Sums of counts over a table in long form, as one expression that a database engine runs.

The table has one row a unit and characteristic. Most of the sums need no weights: a unit wholly in
a target gives it what it holds. So units are summed by the target they lie in (*home*), and only
those along outlines are multiplied by weights (*links*). What is 0 adds nothing and is passed over;
what is missing is summed apart, so that only there anybody looks for the reason. That makes
three aggregates, two small ones for groups that are no targets, and their union is the expression.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lipgeo.tables.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BRANCHES", "SUMS", "counts_expression"]

#: the aggregates
BRANCHES = ("home", "links", "lost", "kin", "kin_lost")
#: sums of each, in the order they stand in the union
SUMS = {
    "home": ("n", "square", "big"),
    "links": ("n", "n_in", "n_str", "n_square", "q", "qq", "big", "big_square", "kept"),
    "lost": (
        "lost",
        "lost_square",
        "held",
        "held_square",
        "ceiling_in",
        "ceiling_str",
        "unbounded",
        "na",
        "held_once",
    ),
    "kin": ("n",),
    "kin_lost": ("lost",),
}
#: what the column ``content`` says of rows with a number other than 0, and of rows with a gap
_COUNTED = (1, 2)
_LOST = 2
_WIDTH = max(len(names) for names in SUMS.values())


def counts_expression(table: Any, plan: Plan) -> Any:
    """Return the sums of counts as one ibis expression.

    Parameters
    ----------
    table
        An ibis table: ``unit``, ``characteristic`` (integers), and for each column of values the
        values, null where there is none, and ``NAME_symbol``; ``content`` (integer) where it is
        known: 0 where all values of a row are 0, 1 where some is not and none is missing, 2 where
        some is not and some is missing, 3 where some is missing and none is other than 0.
    plan
        What to sum.

    Returns
    -------
    ibis.expr.types.Table
        ``branch, group_id, v`` and sums ``s0`` to ``sN``: for each of the four aggregates its own
        (see ``SUMS``), column of values by column of values; null where the aggregate has no such
        sum. In no order.
    """
    import ibis

    rules, homes, links, places, kin = (
        _beside(table, frame)
        for frame in (plan.rules, plan.homes, plan.links, plan.places, plan.kin)
    )
    counted, lost = _rows(table, plan)
    counted, lost = (rows.join(rules, "characteristic") for rows in (counted, lost))
    if plan.by_whole:
        lost = _with_wholes(lost, table, plan)
    sums = _Sums(plan)
    parts = [
        _aggregate(counted.join(homes, "unit"), "home", plan, sums.of_home),
        _aggregate(counted.join(links, "unit"), "links", plan, sums.of_links),
        _aggregate(lost.join(places, "unit"), "lost", plan, sums.of_lost),
    ]
    if len(plan.kin):
        parts += [
            _aggregate(counted.join(kin, "unit"), "kin", plan, sums.of_kin),
            _aggregate(lost.join(kin, "unit"), "kin_lost", plan, sums.of_kin_lost),
        ]
    return ibis.union(*parts)


def _beside(table: Any, frame: pd.DataFrame) -> Any:
    """Return a frame for the engine; a key of another width would be slow to join by."""
    import ibis
    import pyarrow as pa

    given = ibis.memtable(pa.Table.from_pandas(frame, preserve_index=False))
    keys = [name for name in ("unit", "characteristic") if name in frame]
    return given.cast({name: table[name].type() for name in keys})


def _rows(table: Any, plan: Plan) -> tuple[Any, Any]:
    """Return rows with a number other than 0, and rows with a gap; no more is read than that."""
    import ibis

    low, high = int(plan.rules["characteristic"].min()), int(plan.rules["characteristic"].max())
    cells = table.filter(table["characteristic"].between(low, high))
    names = list(plan.columns)
    if "content" in table.columns:
        counted = cells.filter(cells["content"].between(*_COUNTED))
        lost = cells.filter(cells["content"] >= _LOST)
    else:
        counted = cells.filter(ibis.or_(*(cells[name] != 0 for name in names)))
        lost = cells.filter(ibis.or_(*(cells[name].isnull() for name in names)))
    symbols = [f"{name}_symbol" for name in names]
    return (
        counted.select("unit", "characteristic", *names),
        lost.select("unit", "characteristic", *names, *symbols),
    )


def _aggregate(rows: Any, branch: str, plan: Plan, sums: Callable[[Any, str], list[Any]]) -> Any:
    """Return the sums of one aggregate, null in the places that others fill."""
    import ibis

    values = [value for name in plan.columns for value in sums(rows, name)]
    filled = {f"s{at}": ibis.coalesce(one.sum(), 0.0) for at, one in enumerate(values)}
    width = _WIDTH * len(plan.columns)
    blank = {f"s{at}": ibis.null("float64") for at in range(len(values), width)}
    found = rows.group_by("group_id", "v").aggregate(**filled)
    return found.select(
        branch=ibis.literal(BRANCHES.index(branch), "int8"),
        group_id=found["group_id"],
        v=found["v"],
        **{name: found[name] for name in filled},
        **blank,
    )


class _Sums:
    """What is summed of a row, in the order of ``SUMS``: by aggregate, for one column of values."""

    def __init__(self, plan: Plan) -> None:
        self.kinds = len(plan.kinds)
        self.by_whole = plan.by_whole

    def of_home(self, row: Any, name: str) -> list[Any]:
        value = row[name]
        return [
            value,
            value * value * self._picked(row, "held", "inverse"),
            (value > row["limit"]).cast("float64"),
        ]

    def of_links(self, row: Any, name: str) -> list[Any]:
        value, share, square, doubt = row[name], row["share"], row["square"], row["doubt"]
        big = (value > row["limit"]).cast("float64")
        return [
            share * value,
            row["inside"] * value,
            row["straddling"] * value,
            square * value,
            doubt * value,
            doubt * value * value,
            share * big,
            square * big,
            row["kept"] * value,
        ]

    def of_lost(self, row: Any, name: str) -> list[Any]:
        gone = row[name].isnull().cast("float64")
        held = self._picked(row, "held", "held") * gone
        ceiling, unbounded = self._ceiling(row, name)
        applies = (row[f"{name}_symbol"] == "...").fill_null(False).cast("float64")
        share, square = row["share"], row["square"]
        return [
            share * gone,
            square * gone,
            share * held,
            square * held * held,
            row["inside"] * ceiling,
            row["straddling"] * ceiling,
            row["touching"] * unbounded,
            row["touching"] * gone * applies,
            row["once"] * held,
        ]

    def of_kin(self, row: Any, name: str) -> list[Any]:
        return [row["share"] * row[name]]

    def of_kin_lost(self, row: Any, name: str) -> list[Any]:
        return [row["share"] * row[name].isnull().cast("float64")]

    def _picked(self, row: Any, kind: str, prefix: str) -> Any:
        """Return the measure that a row's rule names."""
        import ibis

        if self.kinds == 1:
            return row[f"{prefix}_0"]
        branches = [(row[kind] == at, row[f"{prefix}_{at}"]) for at in range(self.kinds)]
        return ibis.cases(*branches, else_=0.0)

    def _ceiling(self, row: Any, name: str) -> tuple[Any, Any]:
        """Return what a missing cell cannot exceed, 0 where unknown, and whether it is unknown."""
        import ibis

        gone = row[name].isnull()
        measure = self._picked(row, "ceiling", "held")
        known = ibis.ifelse(row["ceiling"] >= 0, measure, ibis.null("float64"))
        if self.by_whole:
            known = ibis.coalesce(row[f"{name}_whole"], known)
        return (
            ibis.ifelse(gone, ibis.coalesce(known, 0.0), 0.0),
            (gone & known.isnull()).cast("float64"),
        )


def _with_wholes(lost: Any, table: Any, plan: Plan) -> Any:
    """Set beside lost cells what the cell of their denominator holds."""
    wanted = [int(one) for one in plan.rules["whole"].dropna().unique()]
    wholes = table.filter(table["characteristic"].isin(wanted)).select(
        whole_unit=table["unit"],
        whole_of=table["characteristic"].cast("int32"),
        **{f"{name}_whole": table[name] for name in plan.columns},
    )
    found = lost.left_join(
        wholes, [lost["unit"] == wholes["whole_unit"], lost["whole"] == wholes["whole_of"]]
    )
    return found.drop("whole_unit", "whole_of")
