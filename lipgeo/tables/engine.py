"""Sum the counts of a long table in a database engine, by one expression.

The table has one row a unit and characteristic. Most of the sums need no weights: a unit wholly in
a target gives it what it holds. So units are summed by the target they lie in (*home*), and only
those along outlines are multiplied by weights (*links*). What is 0 adds nothing and is passed over;
what is missing is summed apart (*missing*), so that only there anybody looks for the reason. That
makes three aggregates, two small ones for groups that are no targets (*others*,
*others_missing*), and their union is the expression.

Three steps: :class:`Plan` says which counts are summed, for whom, and by what weights;
:func:`counts_expression` is the expression; :func:`sums_from_engine` makes of its result the same
sums that :func:`lipgeo.tables.sums.sum_table` takes in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.arrays import Floats, Ints
from lipgeo.tables.columns import ColumnReader, rounding_of
from lipgeo.tables.pairs import Family, Pairs
from lipgeo.tables.sums import (
    BASE,
    Overall,
    Parents,
    TableSums,
    Totals,
    spread_of,
    variance_of,
)
from lipgeo.tables.variables import Variable, sampling_factor

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BRANCHES", "SUMS", "Cell", "Plan", "counts_expression", "groups_of", "sums_from_engine"]

#: measure of what nothing else is known of: what the crosswalk weighs by
_WEIGHT = "weight"


class Cell(NamedTuple):
    """Where a variable stands in the long table, and what no cell of it can exceed.

    Attributes
    ----------
    characteristic
        Its characteristic.
    column
        Its column of values (``total``).
    whole
        Characteristic of its denominator, ``None`` where that is no ceiling.
    """

    characteristic: int
    column: str
    whole: int | None


class _Rule(NamedTuple):
    """What cells of one characteristic are summed by."""

    characteristic: int
    whole: int | None
    limit: float
    base: float
    small: float
    held: int
    ceiling: int


@dataclass(frozen=True)
class Plan:
    """What the expression joins the table with, and how its result is read.

    Attributes
    ----------
    variables, cells
        The counts asked for, and where they stand.
    columns
        Columns of values that are summed.
    rules
        ``v, characteristic, whole, limit, held, ceiling``: one row a way of summing.
    rule
        Row of ``rules`` by variable.
    homes
        One row a source in the table: ``unit, group_id`` (the target it lies in wholly, else -1)
        and for each kind of measure ``held, inverse``, numbered.
    links
        ``unit, group_id`` and weights of units that give less than all, or to more than one;
        ``kept`` on the first of a unit's.
    places
        Homes and links together, as missing cells are summed: ``once`` is 1 for homes alone.
    others
        ``unit, group_id, share`` of groups that are no targets: parents, splits, units that hold
        nothing of a kind of measure.
    pairs, family
        The crosswalk.
    kinds
        Measure by source, one a kind: people, dwellings, what the crosswalk weighs by.
    scaled
        Which counts may be scaled to what was not observed (:attr:`Columns.scaled`).
    absent
        Sources that the table does not hold.
    level, vintage
        Of the table.
    """

    variables: tuple[Variable, ...]
    cells: tuple[Cell, ...]
    columns: tuple[str, ...]
    rules: pd.DataFrame
    rule: Ints
    homes: pd.DataFrame
    links: pd.DataFrame
    places: pd.DataFrame
    others: pd.DataFrame
    pairs: Pairs
    family: Family | None
    kinds: Mapping[str, Floats]
    scaled: npt.NDArray[np.bool_]
    absent: npt.NDArray[np.bool_]
    level: str | None
    vintage: int | None

    @classmethod
    def of(
        cls,
        variables: Sequence[Variable],
        cells: Sequence[Cell],
        units: Ints,
        reader: ColumnReader,
        family: Family | None,
    ) -> Plan:
        """Plan the sums of some counts.

        Parameters
        ----------
        variables, cells
            The counts, and where each stands.
        units
            Number of each source in the long table, -1 where it is not in it.
        reader
            The table's people, dwellings and households by source, as far as it has them.
        family
            Parents to sum besides.
        """
        pairs = reader.pairs
        # what measures what was observed of each count, and what no unit's count can exceed
        held = [reader.measure_of(one) or _WEIGHT for one in variables]
        ceilings = [
            one.ceiling
            if one.ceiling is not None and reader.counts_of(one.ceiling) is not None
            else None
            for one in variables
        ]
        kinds = {
            kind: pairs.amounts if kind == _WEIGHT else np.asarray(reader.counts_of(kind))
            for kind in dict.fromkeys([*held, *(c for c in ceilings if c is not None)])
        }
        # counts that are summed alike share a rule
        number = {kind: at for at, kind in enumerate(kinds)}
        table = reader.table
        rules: dict[_Rule, int] = {}
        rule = [
            rules.setdefault(
                _Rule(
                    cell.characteristic,
                    cell.whole,
                    *_rounding(one, table.level),
                    number[measure],
                    -1 if ceiling is None else number[ceiling],
                ),
                len(rules),
            )
            for one, cell, measure, ceiling in zip(variables, cells, held, ceilings, strict=True)
        ]
        frame = pd.DataFrame(list(rules), columns=list(_Rule._fields))
        frame.insert(0, "v", np.arange(len(frame), dtype=np.int32))
        # who is summed for whom: at home, along outlines, and groups that are no targets
        measures = list(kinds.values())
        homes = _homes(pairs, units, measures)
        links = _links(pairs, units, measures)
        return cls(
            variables=tuple(variables),
            cells=tuple(cells),
            columns=tuple(dict.fromkeys(cell.column for cell in cells)),
            rules=frame.astype({"characteristic": "int32", "whole": "Int32"}),
            rule=np.array(rule, dtype=np.int64),
            homes=homes.drop(columns=["target", "once"]),
            links=links.drop(columns=[*_measure_columns(links)]),
            places=_places(homes, links),
            others=_others(pairs, family, units, measures),
            pairs=pairs,
            family=family,
            kinds=kinds,
            scaled=np.array([reader.may_scale(one) for one in variables], dtype=bool),
            absent=units < 0,
            level=table.level,
            vintage=table.vintage,
        )

    @property
    def by_whole(self) -> bool:
        """Whether some denominator is a ceiling."""
        return bool(self.rules["whole"].notna().any())


def _rounding(one: Variable, level: str | None) -> tuple[float, float, float]:
    """Return limit, base above it and base up to it."""
    rounding = rounding_of(one, level)
    return rounding.limit, rounding.base, rounding.small


def _whole(pairs: Pairs) -> npt.NDArray[np.bool_]:
    """Return the pairs that give all a source holds."""
    return np.asarray(pairs.inside & (pairs.share == 1.0))


def _home(pairs: Pairs) -> Ints:
    """Return the first target each source lies in wholly, -1 where in none."""
    rows = np.flatnonzero(_whole(pairs))[::-1]
    home = np.full(len(pairs.sources), -1, dtype=np.int64)
    home[pairs.source[rows]] = pairs.target[rows]
    return home


def _homes(pairs: Pairs, units: Ints, kinds: Sequence[Floats]) -> pd.DataFrame:
    """Return each source at home, and again for every other target it lies in wholly."""
    home = _home(pairs)
    rows = np.flatnonzero(_whole(pairs))
    # where targets overlap, a source lies wholly in several
    again = rows[pairs.target[rows] != home[pairs.source[rows]]]
    source = np.concatenate([np.arange(len(home)), pairs.source[again]])
    target = np.concatenate([home, pairs.target[again]])
    once = np.arange(len(source)) < len(home)
    frame = pd.DataFrame(
        {
            "unit": units[source].astype(np.int32),
            "target": target.astype(np.int32),
            "once": once.astype(np.float64),
            # apart, so that a sum of homes counts nothing twice
            "group_id": np.where(once, target, target + len(pairs.targets)).astype(np.int32),
        }
    )
    for at, held in enumerate(kinds):
        frame[f"held_{at}"] = held[source]
        inverse = np.divide(1.0, held, out=np.zeros(len(held)), where=held > 0)
        frame[f"inverse_{at}"] = inverse[source]
    return frame[frame["unit"] >= 0].reset_index(drop=True)


def groups_of(pairs: Pairs, family: Family | None, kinds: int) -> dict[str, range]:
    """Return the numbers of the groups: targets, once more, parents, splits, and units of none."""
    sizes = {
        "target": len(pairs.targets),
        "again": len(pairs.targets),
        "parent": 0 if family is None else family.unions.shape[0],
        "split": 0 if family is None else family.fine.shape[0],
        "empty": kinds,
    }
    starts = np.concatenate([[0], np.cumsum(list(sizes.values()))])
    return {name: range(starts[at], starts[at + 1]) for at, name in enumerate(sizes)}


def _links(pairs: Pairs, units: Ints, kinds: Sequence[Floats]) -> pd.DataFrame:
    """Return the pairs that give less than all."""
    # pairs along outlines, with their shares
    rest = np.flatnonzero(~_whole(pairs))
    touching = pairs.inside | pairs.straddling | (pairs.share > 0)
    parts = [
        pd.DataFrame(
            {
                "source": pairs.source[rest],
                "group_id": pairs.target[rest],
                "share": pairs.share[rest],
                "inside": pairs.inside[rest].astype(np.float64),
                "straddling": pairs.straddling[rest].astype(np.float64),
                "touching": touching[rest].astype(np.float64),
                "doubt": pairs.doubt[rest],
            }
        )
    ]

    # what lies at home nowhere is kept but for what is shared out, which its first link says
    kept = pairs.shares_outside - (_home(pairs) < 0)
    linked = np.zeros(len(kept), dtype=bool)
    linked[pairs.source[rest]] = True
    source = np.flatnonzero((kept != 0) & ~linked)
    parts.append(pd.DataFrame({"source": source, "group_id": 0, "share": 0.0}))
    links = pd.concat(parts, ignore_index=True).fillna(0.0)
    # weights of the sums, and the number of each unit in the table
    links["square"] = links["share"] ** 2
    links["kept"] = np.where(links["source"].duplicated(), 0.0, kept[links["source"]])
    links["unit"] = units[links["source"]].astype(np.int32)
    for at, held in enumerate(kinds):
        links[f"held_{at}"] = held[links["source"]]
    links = links[links["unit"] >= 0].drop(columns="source")
    return links.astype({"group_id": "int32"}).reset_index(drop=True)


def _measure_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame.columns if name.startswith("held_")]


def _places(homes: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Return homes and links as one frame of weights."""
    whole = homes[["unit", "once", *_measure_columns(homes)]].assign(
        group_id=homes["target"], share=1.0, square=1.0, inside=1.0, straddling=0.0, touching=1.0
    )
    part = links.drop(columns=["doubt", "kept"]).assign(once=0.0)
    return pd.concat([whole, part[whole.columns]], ignore_index=True)


def _others(
    pairs: Pairs, family: Family | None, units: Ints, kinds: Sequence[Floats]
) -> pd.DataFrame:
    """Return what is summed for groups that are no targets."""
    groups = groups_of(pairs, family, len(kinds))
    parts = []
    # parents that targets cut, and their splits
    if family is not None:
        for name, matrix in (("parent", family.unions), ("split", family.fine)):
            held = matrix.tocoo()
            parts.append((family.rows[held.col], groups[name].start + held.row, held.data))
    # units that hold nothing of a kind of measure: the variance of a value leaves them out
    for at, held in enumerate(kinds):
        source = np.flatnonzero(~(held > 0))
        group = np.full(len(source), groups["empty"].start + at)
        parts.append((source, group, np.ones(len(source))))
    source, group, share = (np.concatenate(some) for some in zip(*parts, strict=True))
    frame = pd.DataFrame(
        {"unit": units[source], "group_id": group, "share": share.astype(np.float64)}
    )
    kept = frame[frame["unit"] >= 0].reset_index(drop=True)
    return kept.astype({"unit": "int32", "group_id": "int32"})


# ------------------------------------------------------------------- the expression

#: the aggregates
BRANCHES = ("home", "links", "missing", "others", "others_missing")
#: sums of each, in the order they stand in the union
SUMS = {
    "home": ("numerator", "square", "above_limit", "rounded_down"),
    "links": (
        "numerator",
        "numerator_inside",
        "numerator_straddling",
        "numerator_square",
        "doubt_size",
        "doubt_size_square",
        "above_limit",
        "above_limit_square",
        "above_limit_touching",
        "rounded_down",
        "kept",
    ),
    "missing": (
        "share",
        "share_square",
        "amount",
        "amount_square",
        "ceiling_inside",
        "ceiling_straddling",
        "unbounded",
        "not_applicable",
        "touching",
        "amount_once",
    ),
    "others": ("numerator",),
    "others_missing": ("missing",),
}
#: what the column ``content`` says of rows with a number other than 0, and of rows with a gap
_WITH_NUMBER = (1, 2)
_WITH_GAP = 2
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
        ``branch, group_id, v`` and sums ``s0`` to ``sN``: for each of the aggregates its own
        (see ``SUMS``), column of values by column of values; null where the aggregate has no such
        sum. In no order.
    """
    import ibis

    rules, homes, links, places, others = (
        _memtable(table, frame)
        for frame in (plan.rules, plan.homes, plan.links, plan.places, plan.others)
    )
    # rows with numbers and rows with gaps, each with the rule it is summed by
    numbers, gaps = _read_rows(table, plan)
    numbers, gaps = (rows.join(rules, "characteristic") for rows in (numbers, gaps))
    if plan.by_whole:
        gaps = _with_wholes(gaps, table, plan)
    # each joined with whom it is summed for, and aggregated
    terms = _Terms(plan)
    parts = [
        _aggregate(numbers.join(homes, "unit"), "home", plan, terms.of_home),
        _aggregate(numbers.join(links, "unit"), "links", plan, terms.of_links),
        _aggregate(gaps.join(places, "unit"), "missing", plan, terms.of_missing),
    ]
    if len(plan.others):
        parts += [
            _aggregate(numbers.join(others, "unit"), "others", plan, terms.of_others),
            _aggregate(gaps.join(others, "unit"), "others_missing", plan, terms.of_others_missing),
        ]
    return ibis.union(*parts)


def _memtable(table: Any, frame: pd.DataFrame) -> Any:
    """Return a frame for the engine; a key of another width would be slow to join by."""
    import ibis
    import pyarrow as pa

    given = ibis.memtable(pa.Table.from_pandas(frame, preserve_index=False))
    keys = [name for name in ("unit", "characteristic") if name in frame]
    return given.cast({name: table[name].type() for name in keys})


def _read_rows(table: Any, plan: Plan) -> tuple[Any, Any]:
    """Return rows with a number other than 0, and rows with a gap; no more is read than that."""
    import ibis

    low, high = int(plan.rules["characteristic"].min()), int(plan.rules["characteristic"].max())
    cells = table.filter(table["characteristic"].between(low, high))
    names = list(plan.columns)
    if "content" in table.columns:
        numbers = cells.filter(cells["content"].between(*_WITH_NUMBER))
        gaps = cells.filter(cells["content"] >= _WITH_GAP)
    else:
        numbers = cells.filter(ibis.or_(*(cells[name] != 0 for name in names)))
        gaps = cells.filter(ibis.or_(*(cells[name].isnull() for name in names)))
    symbols = [f"{name}_symbol" for name in names]
    return (
        numbers.select("unit", "characteristic", *names),
        gaps.select("unit", "characteristic", *names, *symbols),
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


class _Terms:
    """Terms that a row adds to the sums, in the order of ``SUMS``, for one column of values."""

    def __init__(self, plan: Plan) -> None:
        self.kinds = len(plan.kinds)
        self.by_whole = plan.by_whole

    def of_home(self, row: Any, name: str) -> list[Any]:
        """Return the terms of a unit at home: what it holds, and its square over the measure."""
        value = row[name]
        return [
            value,
            value * value * self._pick(row, "held", "inverse"),
            (value > row["limit"]).cast("float64"),
            self._rounded_down(row, value),
        ]

    def of_links(self, row: Any, name: str) -> list[Any]:
        """Return the terms of a unit along an outline: what it holds, times each weight."""
        value, share, square, doubt = row[name], row["share"], row["square"], row["doubt"]
        above = (value > row["limit"]).cast("float64")
        return [
            share * value,
            row["inside"] * value,
            row["straddling"] * value,
            square * value,
            doubt * value,
            doubt * value * value,
            share * above,
            square * above,
            row["touching"] * above,
            row["inside"] * self._rounded_down(row, value),
            row["kept"] * value,
        ]

    def of_missing(self, row: Any, name: str) -> list[Any]:
        """Return the terms of a unit, 0 unless its cell is missing: shares, measure, ceiling."""
        gone = row[name].isnull().cast("float64")
        held = self._pick(row, "held", "held") * gone
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
            row["touching"] * gone,
            row["once"] * held,
        ]

    def of_others(self, row: Any, name: str) -> list[Any]:
        """Return the term of a group that is no target: what a member holds of it."""
        return [row["share"] * row[name]]

    def of_others_missing(self, row: Any, name: str) -> list[Any]:
        """Return the term of a group that is no target: members whose cell is missing."""
        return [row["share"] * row[name].isnull().cast("float64")]

    def _rounded_down(self, row: Any, value: Any) -> Any:
        """Return how much less there can be than a count, as :func:`rounded_down`."""
        import ibis

        above = value > row["limit"]
        least = ibis.ifelse(row["small"] > BASE, value, ibis.greatest(row["small"] - 1.0, 0.0))
        most = ibis.ifelse(above, ibis.greatest(row["base"] - 1.0, 0.0), least)
        return ibis.coalesce(ibis.least(value, most), 0.0)

    def _pick(self, row: Any, kind: str, prefix: str) -> Any:
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
        measure = self._pick(row, "ceiling", "held")
        known = ibis.ifelse(row["ceiling"] >= 0, measure, ibis.null("float64"))
        if self.by_whole:
            known = ibis.coalesce(row[f"{name}_whole"], known)
        return (
            ibis.ifelse(gone, ibis.coalesce(known, 0.0), 0.0),
            (gone & known.isnull()).cast("float64"),
        )


def _with_wholes(gaps: Any, table: Any, plan: Plan) -> Any:
    """Set beside missing cells what the cell of their denominator holds."""
    wanted = [int(one) for one in plan.rules["whole"].dropna().unique()]
    wholes = table.filter(table["characteristic"].isin(wanted)).select(
        whole_unit=table["unit"],
        whole_of=table["characteristic"].cast("int32"),
        **{f"{name}_whole": table[name] for name in plan.columns},
    )
    found = gaps.left_join(
        wholes, [gaps["unit"] == wholes["whole_unit"], gaps["whole"] == wholes["whole_of"]]
    )
    return found.drop("whole_unit", "whole_of")


# ------------------------------------------------------------------- the result

#: relative size below which a difference of sums is their rounding
_ROUNDING = 1e-12


class _Result:
    """The sums that the engine gave: by aggregate, group and variable."""

    def __init__(self, result: pa.Table, plan: Plan) -> None:
        self.plan = plan
        self.groups = groups_of(plan.pairs, plan.family, len(plan.kinds))
        columns = {name: result[name].to_numpy() for name in ("branch", "group_id", "v")}
        # rows of each aggregate
        order = np.argsort(columns["branch"], kind="stable")
        ends = np.searchsorted(columns["branch"][order], np.arange(len(BRANCHES) + 1))
        self.rows = {name: order[ends[at] : ends[at + 1]] for at, name in enumerate(BRANCHES)}
        self.group, self.v, self.result = columns["group_id"], columns["v"], result
        # column of values of each variable
        place = {name: at for at, name in enumerate(plan.columns)}
        self.column = np.array([place[cell.column] for cell in plan.cells], dtype=np.int64)

    def sums(self, branch: str, name: str, groups: range) -> Floats:
        """Return one sum of one aggregate, 0 where it has no row; groups by variables."""
        names = SUMS[branch]
        rows = self.rows[branch]
        there = rows[(self.group[rows] >= groups.start) & (self.group[rows] < groups.stop)]
        group, v = self.group[there] - groups.start, self.v[there]
        found = np.zeros((len(groups), len(self.plan.variables)))
        for at in range(len(self.plan.columns)):
            mine = np.flatnonzero(self.column == at)
            by_rule = np.zeros((len(groups), len(self.plan.rules)))
            values = self.result[f"s{at * len(names) + names.index(name)}"].to_numpy()
            by_rule[group, v] = values[there]
            found[:, mine] = by_rule[:, self.plan.rule[mine]]
        return found

    def at_home(self, name: str) -> Floats:
        """Return a sum of whole units by target, the same unit in every target it lies in."""
        once = self.sums("home", name, self.groups["target"])
        return once + self.sums("home", name, self.groups["again"])

    def of_links(self, name: str) -> Floats:
        """Return a sum of units along outlines by target."""
        return self.sums("links", name, self.groups["target"])

    def of_missing(self, name: str) -> Floats:
        """Return a sum of units whose cell is missing by target."""
        return self.sums("missing", name, self.groups["target"])

    def of_all(self, branch: str, name: str) -> Floats:
        """Return a sum over all units, each once; one a variable."""
        targets = self.groups["target"]
        found = self.sums(branch, name, range(-1, len(targets)))
        return np.asarray(found.sum(axis=0))


def sums_from_engine(result: pa.Table, plan: Plan) -> TableSums:
    """Return the sums of a table from the result of its expression, as ``sum_table`` does."""
    got = _Result(result, plan)
    absent = _absent_sums(plan)
    count = len(plan.variables)
    sampled = [sampling_factor(plan.vintage) if one.sampled else 0.0 for one in plan.variables]
    return TableSums(
        variables=plan.variables,
        ratio=np.zeros(count, dtype=bool),
        sampling=np.array(sampled),
        scaled=plan.scaled,
        left=np.ones(count),
        totals=_totals(got, absent, plan),
        overall=_overall(got, absent, plan),
        parents=_parents(got, plan),
    )


def _totals(got: _Result, absent: _AbsentSums, plan: Plan) -> Totals:
    pairs, measure = plan.pairs, _measures(plan)
    ones = np.ones(len(pairs.sources))
    # what is held and seen: all, less missing cells, less units that are not in the table
    share, square = _column(pairs.by_share @ ones), _column(pairs.by_square @ ones)
    share_seen = _difference(share, got.of_missing("share") + absent.share)
    square_seen = _difference(square, got.of_missing("share_square") + absent.share_square)
    amount = (pairs.by_share @ measure.amount)[:, measure.kind]
    amount_seen = _difference(amount, got.of_missing("amount") + absent.amount)
    # how the counts were rounded: up to a limit by one base, above it by another
    roundings = [rounding_of(one, plan.level) for one in plan.variables]
    base, small = (np.array([getattr(r, of) for r in roundings]) for of in ("base", "small"))
    limited = np.array([one.limit >= 0 for one in roundings])
    above = got.at_home("above_limit") + got.of_links("above_limit")
    above_square = got.at_home("above_limit") + got.of_links("above_limit_square")
    little = np.where(limited, _difference(share_seen, above), 0.0)
    little_square = np.where(limited, _difference(square_seen, above_square), 0.0)
    rounding_max = (share_seen - little) * np.maximum(base - 1, 0)
    rounding_max = rounding_max + little * np.maximum(small - 1, 0)
    rounding_variance = (square_seen - little_square) * variance_of(base)
    rounding_variance = rounding_variance + little_square * variance_of(small)
    # how much more all that is touched can hold: by the base of each count, small or not
    ones_touching = _column(pairs.by_touching @ ones)
    seen_touching = _difference(ones_touching, got.of_missing("touching") + absent.touching)
    above_touching = got.at_home("above_limit") + got.of_links("above_limit_touching")
    little_touching = np.where(limited, _difference(seen_touching, above_touching), 0.0)
    rounded_up = (seen_touching - little_touching) * np.maximum(base - 1, 0)
    rounded_up = rounded_up + little_touching * np.maximum(small - 1, 0)
    # counts have no denominator
    whole = got.at_home("numerator")
    nothing = np.zeros(whole.shape)
    shared_by_area = pairs.is_shared_by_area.astype(np.float64)
    return Totals(
        numerator=whole + got.of_links("numerator"),
        denominator=nothing,
        numerator_inside=whole + got.of_links("numerator_inside"),
        numerator_straddling=got.of_links("numerator_straddling"),
        denominator_inside=nothing,
        denominator_straddling=nothing,
        numerator_square=whole + got.of_links("numerator_square"),
        denominator_square=nothing,
        amount=amount,
        amount_observed=amount_seen,
        share=np.broadcast_to(share, whole.shape),
        share_observed=share_seen,
        missing_inside=got.of_missing("ceiling_inside") + absent.ceiling_inside,
        missing_straddling=got.of_missing("ceiling_straddling") + absent.ceiling_straddling,
        unbounded=got.of_missing("unbounded") + absent.unbounded,
        missing_square=got.of_missing("amount_square") + absent.amount_square,
        doubt_size=got.of_links("doubt_size"),
        doubt_size_square=got.of_links("doubt_size_square"),
        numerator_rounding_max=rounding_max,
        denominator_rounding_max=nothing,
        numerator_rounding_variance=rounding_variance,
        denominator_rounding_variance=nothing,
        units=np.broadcast_to(_column(pairs.by_touching @ ones), whole.shape),
        straddling=np.broadcast_to(_column(pairs.by_straddling @ ones), whole.shape),
        shared_by_area_count=np.broadcast_to(
            _column(pairs.by_straddling @ shared_by_area), whole.shape
        ),
        not_applicable=got.of_missing("not_applicable"),
        zeros=nothing,
        hidden=nothing,
        hidden_variance=nothing,
        rounded_down=got.at_home("rounded_down") + got.of_links("rounded_down"),
        rounded_up=rounded_up,
        denominator_rounded_down=nothing,
        denominator_rounded_up=nothing,
    )


def _overall(got: _Result, absent: _AbsentSums, plan: Plan) -> Overall:
    measure, count = _measures(plan), len(plan.variables)
    total = got.of_all("home", "numerator")
    outside = got.sums("home", "numerator", range(-1, 0))[0]
    shared_out = got.of_links("kept").sum(axis=0)
    # the variance of a value leaves out units that hold nothing, and units not observed
    empty = got.sums("others", "numerator", got.groups["empty"])
    amount = measure.amount.sum(axis=0)[measure.kind]
    amount = amount - got.of_all("missing", "amount_once") - absent.amount_of_all
    return Overall(
        total=total,
        outside=outside + shared_out,
        rate_sd=np.zeros(count),
        rate_range=np.zeros(count),
        variance=spread_of(
            amount,
            total - empty[measure.kind, np.arange(count)],
            got.of_all("home", "square"),
        ),
    )


def _parents(got: _Result, plan: Plan) -> Parents | None:
    family = plan.family
    if family is None:
        return None
    parents, splits = got.groups["parent"], got.groups["split"]
    held = got.sums("others", "numerator", parents)
    split = got.sums("others", "numerator", splits)
    absent = family.unions @ plan.absent[family.rows].astype(np.float64)
    return Parents(
        numerator=held,
        denominator=np.zeros_like(held),
        missing=got.sums("others_missing", "missing", parents) + _column(absent),
        split_numerator=split,
        split_denominator=np.zeros_like(split),
    )


class _Measures(NamedTuple):
    """Measures by source, one column a kind, and the kind of each variable."""

    amount: Floats
    kind: Ints


def _measures(plan: Plan) -> _Measures:
    amount = np.stack(list(plan.kinds.values()), axis=1)
    return _Measures(amount, plan.rules["held"].to_numpy(dtype=np.int64)[plan.rule])


class _AbsentSums(NamedTuple):
    """What sources that the table does not hold add to the sums of missing cells."""

    share: Floats
    share_square: Floats
    amount: Floats
    amount_square: Floats
    ceiling_inside: Floats
    ceiling_straddling: Floats
    unbounded: Floats
    touching: Floats
    amount_of_all: Floats


def _absent_sums(plan: Plan) -> _AbsentSums:
    pairs, measure = plan.pairs, _measures(plan)
    gone = plan.absent.astype(np.float64)
    amount = measure.amount * gone[:, None]
    ceiling = plan.rules["ceiling"].to_numpy(dtype=np.int64)[plan.rule]
    known = ceiling >= 0

    def by_kind(matrix: Any, values: Floats, kind: Ints) -> Floats:
        return np.asarray(matrix @ values)[:, kind]

    return _AbsentSums(
        share=_column(pairs.by_share @ gone),
        share_square=_column(pairs.by_square @ gone),
        amount=by_kind(pairs.by_share, amount, measure.kind),
        amount_square=by_kind(pairs.by_square, amount * measure.amount, measure.kind),
        ceiling_inside=by_kind(pairs.by_inside, amount, ceiling) * known,
        ceiling_straddling=by_kind(pairs.by_straddling, amount, ceiling) * known,
        unbounded=_column(pairs.by_touching @ gone) * ~known,
        touching=_column(pairs.by_touching @ gone),
        amount_of_all=amount.sum(axis=0)[measure.kind],
    )


def _difference(whole: Floats, gone: Floats) -> Floats:
    """Return what is left, 0 where it is no more than the rounding of such a difference."""
    left = whole - gone
    return np.asarray(np.where(left > _ROUNDING * np.abs(whole), left, 0.0))


def _column(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)[:, None]
