"""Sums of counts over a table in long form, as one expression that a database engine runs.

The table has one row a unit and characteristic. Most of the sums need no weights: a unit wholly in
a target gives it what it holds. So units are summed by the target they lie in (*home*), and only
those along outlines are multiplied by weights (*links*). What is 0 adds nothing and is passed over;
what is missing is summed apart, so that only there anybody looks for the reason. That makes three
aggregates of one shape, and their union is the expression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lipgeo.tables.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BRANCHES", "SUMS", "counts_expression"]

#: the three aggregates
BRANCHES = ("home", "links", "lost")
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
}
_WIDTH = max(len(names) for names in SUMS.values())


def counts_expression(table: Any, plan: Plan) -> Any:
    """Return the sums of counts as one ibis expression.

    Parameters
    ----------
    table
        An ibis table: ``unit``, ``characteristic`` (integers), and for each column of values the
        values, null where there is none, and ``NAME_symbol``.
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
    import pyarrow as pa

    keys = {name: table[name].type() for name in ("unit", "characteristic")}

    def beside(frame: pd.DataFrame) -> Any:
        """Return a frame for the engine; a key of another width would be slow to join by."""
        given = ibis.memtable(pa.Table.from_pandas(frame, preserve_index=False))
        return given.cast({name: kind for name, kind in keys.items() if name in frame})

    rules, homes, links, places = map(beside, (plan.rules, plan.homes, plan.links, plan.places))
    low, high = int(plan.rules["characteristic"].min()), int(plan.rules["characteristic"].max())
    names = list(plan.columns)
    symbols = [f"{name}_symbol" for name in names]
    cells = table.select("unit", "characteristic", *names, *symbols)
    # groups of rows that hold none of the characteristics are not even read
    cells = cells.filter(cells["characteristic"].between(low, high))
    counted = cells.filter(ibis.or_(*(cells[name] != 0 for name in names)))
    counted = counted.drop(*symbols).join(rules, "characteristic")
    lost = cells.filter(ibis.or_(*(cells[name].isnull() for name in names)))
    lost = lost.join(rules, "characteristic")
    if plan.by_whole:
        lost = _with_wholes(lost, table, plan)
    kinds = len(plan.kinds)

    def picked(row: Any, kind: str, prefix: str) -> Any:
        """Return the measure that a row's rule names."""
        if kinds == 1:
            return row[f"{prefix}_0"]
        branches = [(row[kind] == at, row[f"{prefix}_{at}"]) for at in range(kinds)]
        return ibis.cases(*branches, else_=0.0)

    def lost_of(row: Any, name: str) -> tuple[Any, Any, Any]:
        """Return whether a cell is lost, its ceiling (0 where unknown), and whether unknown."""
        gone = row[name].isnull()
        known = ibis.ifelse(row["ceiling"] >= 0, picked(row, "ceiling", "held"), ibis.null(float))
        if plan.by_whole:
            known = ibis.coalesce(row[f"{name}_whole"], known)
        return (
            gone.cast("float64"),
            ibis.ifelse(gone, ibis.coalesce(known, 0.0), 0.0),
            (gone & known.isnull()).cast("float64"),
        )

    def of_home(row: Any, name: str) -> list[Any]:
        value = row[name]
        return [
            value,
            value * value * picked(row, "held", "inverse"),
            (value > row["limit"]).cast("float64"),
        ]

    def of_links(row: Any, name: str) -> list[Any]:
        value, share, doubt = row[name], row["share"], row["doubt"]
        big = (value > row["limit"]).cast("float64")
        return [
            share * value,
            row["inside"] * value,
            row["straddling"] * value,
            row["square"] * value,
            doubt * value,
            doubt * value * value,
            share * big,
            row["square"] * big,
            row["kept"] * value,
        ]

    def of_lost(row: Any, name: str) -> list[Any]:
        gone, ceiling, unbounded = lost_of(row, name)
        held = picked(row, "held", "held")
        share, square = row["share"], row["square"]
        applies = (row[f"{name}_symbol"] == "...").fill_null(False)
        return [
            share * gone,
            square * gone,
            share * held * gone,
            square * held * held * gone,
            row["inside"] * ceiling,
            row["straddling"] * ceiling,
            row["touching"] * unbounded,
            row["touching"] * gone * applies.cast("float64"),
            row["once"] * held * gone,
        ]

    def aggregate(rows: Any, groups: Any, branch: str, sums: Any) -> Any:
        joined = rows.join(groups, "unit")
        values = [value for name in names for value in sums(joined, name)]
        filled = {f"s{at}": ibis.coalesce(one.sum(), 0.0) for at, one in enumerate(values)}
        blank = {f"s{at}": ibis.null("float64") for at in range(len(values), _WIDTH * len(names))}
        found = joined.group_by("group_id", "v").aggregate(**filled)
        return found.select(
            branch=ibis.literal(BRANCHES.index(branch), "int8"),
            group_id=found["group_id"],
            v=found["v"],
            **{name: found[name] for name in filled},
            **blank,
        )

    return ibis.union(
        aggregate(counted, homes, "home", of_home),
        aggregate(counted, links, "links", of_links),
        aggregate(lost, places, "lost", of_lost),
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
