"""``Plan``: which counts of a long table are summed, for whom, and by what weights.

Sums of counts over a table in long form, as one expression that a database engine runs.

The table has one row a unit and characteristic. Most of the sums need no weights: a unit wholly in
a target gives it what it holds. So units are summed by the target they lie in (*home*), and only
those along outlines are multiplied by weights (*links*). What is 0 adds nothing and is passed over;
what is missing is summed apart, so that only there anybody looks for the reason. That makes
three aggregates, two small ones for groups that are no targets, and their union is the expression.

What the expression over a long table gave, as what was gathered of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.arrays import Floats, Ints
from lipgeo.tables.columns import Reader, rounding_of
from lipgeo.tables.pairs import Family, Pairs
from lipgeo.tables.sums import Gathered, Overall, Parents, Totals, spread_of, variance_of
from lipgeo.tables.variables import Variable, sampling_factor

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["BRANCHES", "SUMS", "Cell", "Plan", "counts_expression", "gathered_counts", "groups_of"]

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
        Homes and links together, as lost cells are summed: ``once`` is 1 for homes alone.
    kin
        ``unit, group_id, share`` of groups that are no targets: parents, splits, units of none.
    pairs, family
        The crosswalk.
    kinds
        Measure by source, one a kind: people, dwellings, what the crosswalk weighs by.
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
    kin: pd.DataFrame
    pairs: Pairs
    family: Family | None
    kinds: Mapping[str, Floats]
    absent: npt.NDArray[np.bool_]
    level: str | None
    vintage: int | None

    @classmethod
    def of(
        cls,
        variables: Sequence[Variable],
        cells: Sequence[Cell],
        units: Ints,
        reader: Reader,
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
        held = [reader.held_kind(one) or _WEIGHT for one in variables]
        ceilings = [
            one.ceiling
            if one.ceiling is not None and reader.counted(one.ceiling) is not None
            else None
            for one in variables
        ]
        kinds = {
            kind: pairs.held if kind == _WEIGHT else np.asarray(reader.counted(kind))
            for kind in dict.fromkeys([*held, *(c for c in ceilings if c is not None)])
        }
        number = {kind: at for at, kind in enumerate(kinds)}
        table = reader.table
        rules: dict[_Rule, int] = {}
        rule = [
            rules.setdefault(
                _Rule(
                    cell.characteristic,
                    cell.whole,
                    rounding_of(one, table.level).limit,
                    number[measure],
                    -1 if ceiling is None else number[ceiling],
                ),
                len(rules),
            )
            for one, cell, measure, ceiling in zip(variables, cells, held, ceilings, strict=True)
        ]
        frame = pd.DataFrame(list(rules), columns=list(_Rule._fields))
        frame.insert(0, "v", np.arange(len(frame), dtype=np.int32))
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
            links=links.drop(columns=["touching", *_held(links)]),
            places=_places(homes, links),
            kin=_kin(pairs, family, units, measures),
            pairs=pairs,
            family=family,
            kinds=kinds,
            absent=units < 0,
            level=table.level,
            vintage=table.vintage,
        )

    @property
    def by_whole(self) -> bool:
        """Whether some denominator is a ceiling."""
        return bool(self.rules["whole"].notna().any())


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
    kept = pairs.kept - (_home(pairs) < 0)
    linked = np.zeros(len(kept), dtype=bool)
    linked[pairs.source[rest]] = True
    source = np.flatnonzero((kept != 0) & ~linked)
    parts.append(pd.DataFrame({"source": source, "group_id": 0, "share": 0.0}))
    links = pd.concat(parts, ignore_index=True).fillna(0.0)
    links["square"] = links["share"] ** 2
    links["kept"] = np.where(links["source"].duplicated(), 0.0, kept[links["source"]])
    links["unit"] = units[links["source"]].astype(np.int32)
    for at, held in enumerate(kinds):
        links[f"held_{at}"] = held[links["source"]]
    links = links[links["unit"] >= 0].drop(columns="source")
    return links.astype({"group_id": "int32"}).reset_index(drop=True)


def _held(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame.columns if name.startswith("held_")]


def _places(homes: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Return homes and links as one frame of weights."""
    whole = homes[["unit", "once", *_held(homes)]].assign(
        group_id=homes["target"], share=1.0, square=1.0, inside=1.0, straddling=0.0, touching=1.0
    )
    part = links.drop(columns=["doubt", "kept"]).assign(once=0.0)
    return pd.concat([whole, part[whole.columns]], ignore_index=True)


def _kin(pairs: Pairs, family: Family | None, units: Ints, kinds: Sequence[Floats]) -> pd.DataFrame:
    """Return what is summed for groups that are no targets."""
    groups = groups_of(pairs, family, len(kinds))
    parts = []
    if family is not None:
        for name, matrix in (("parent", family.unions), ("split", family.fine)):
            held = matrix.tocoo()
            parts.append((family.rows[held.col], groups[name].start + held.row, held.data))
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


#: relative size below which a difference of sums is their rounding
_ROUNDING = 1e-12


class _Result:
    """Sums by aggregate, group and variable."""

    def __init__(self, result: pa.Table, plan: Plan) -> None:
        self.plan = plan
        self.groups = groups_of(plan.pairs, plan.family, len(plan.kinds))
        columns = {name: result[name].to_numpy() for name in ("branch", "group_id", "v")}
        order = np.argsort(columns["branch"], kind="stable")
        ends = np.searchsorted(columns["branch"][order], np.arange(len(BRANCHES) + 1))
        self.rows = {name: order[ends[at] : ends[at + 1]] for at, name in enumerate(BRANCHES)}
        self.group, self.v, self.result = columns["group_id"], columns["v"], result
        place = {name: at for at, name in enumerate(plan.columns)}
        self.column = np.array([place[cell.column] for cell in plan.cells], dtype=np.int64)

    def sums(self, branch: str, name: str, groups: range) -> Floats:
        """Return one sum of one aggregate; groups by variables."""
        names = SUMS[branch]
        rows = self.rows[branch]
        there = rows[(self.group[rows] >= groups.start) & (self.group[rows] < groups.stop)]
        group, v = self.group[there] - groups.start, self.v[there]
        found = np.zeros((len(groups), len(self.plan.variables)))
        for at in range(len(self.plan.columns)):
            mine = np.flatnonzero(self.column == at)
            held = np.zeros((len(groups), len(self.plan.rules)))
            values = self.result[f"s{at * len(names) + names.index(name)}"].to_numpy()
            held[group, v] = values[there]
            found[:, mine] = held[:, self.plan.rule[mine]]
        return found


def gathered_counts(result: pa.Table, plan: Plan) -> Gathered:
    """Make what was gathered of the expression's result."""
    got = _Result(result, plan)
    targets, pairs = got.groups["target"], plan.pairs
    everywhere = range(-1, len(targets))

    def home(name: str) -> Floats:
        return got.sums("home", name, targets) + got.sums("home", name, got.groups["again"])

    def links(name: str) -> Floats:
        return got.sums("links", name, targets)

    def lost(name: str) -> Floats:
        return got.sums("lost", name, targets)

    absent = _absent(plan)
    n = home("n")
    measure = _measures(plan)
    ones = np.ones(len(pairs.sources))
    share_lost = lost("lost") + absent.share
    square_lost = lost("lost_square") + absent.square
    share, square = _column(pairs.by_share @ ones), _column(pairs.by_square @ ones)
    seen, seen_square = _left(share, share_lost), _left(square, square_lost)
    roundings = [rounding_of(one, plan.level) for one in plan.variables]
    base, small = (np.array([getattr(r, of) for r in roundings]) for of in ("base", "small"))
    limited = np.array([one.limit >= 0 for one in roundings])
    little = np.where(limited, _left(seen, home("big") + links("big")), 0.0)
    big_square = home("big") + links("big_square")
    little_square = np.where(limited, _left(seen_square, big_square), 0.0)
    shape = n.shape
    nothing = np.zeros(shape)
    touching = pairs.by_touching
    totals = Totals(
        n=n + links("n"),
        d=nothing,
        n_in=n + links("n_in"),
        n_str=links("n_str"),
        d_in=nothing,
        d_str=nothing,
        n_square=n + links("n_square"),
        d_square=nothing,
        held=(pairs.by_share @ measure.held)[:, measure.kind],
        held_observed=_left(
            (pairs.by_share @ measure.held)[:, measure.kind], lost("held") + absent.held
        ),
        share=np.broadcast_to(share, shape),
        share_observed=seen,
        missing_in=lost("ceiling_in") + absent.ceiling_in,
        missing_str=lost("ceiling_str") + absent.ceiling_str,
        unbounded=lost("unbounded") + absent.unbounded,
        lost_square=lost("held_square") + absent.held_square,
        doubt_size=links("q"),
        doubt_square=links("qq"),
        n_max=(seen - little) * np.maximum(base - 1, 0) + little * np.maximum(small - 1, 0),
        d_max=nothing,
        n_var=(seen_square - little_square) * variance_of(base)
        + little_square * variance_of(small),
        d_var=nothing,
        units=np.broadcast_to(_column(touching @ ones), shape),
        straddling=np.broadcast_to(_column(pairs.by_straddling @ ones), shape),
        area_based=np.broadcast_to(
            _column(pairs.by_straddling @ pairs.shared_by_area.astype(np.float64)), shape
        ),
        not_applicable=lost("na"),
        zeros=nothing,
    )
    given = got.sums("home", "n", everywhere).sum(axis=0)
    outside = got.sums("home", "n", range(-1, 0))[0]
    empty = got.sums("kin", "n", got.groups["empty"])
    count = len(plan.variables)
    held = measure.held.sum(axis=0)[measure.kind]
    held = held - got.sums("lost", "held_once", everywhere).sum(axis=0) - absent.held_all
    return Gathered(
        variables=plan.variables,
        ratio=np.zeros(count, dtype=bool),
        sampling=np.array(
            [sampling_factor(plan.vintage) if one.sampled else 0.0 for one in plan.variables]
        ),
        totals=totals,
        overall=Overall(
            given=given,
            kept=outside + got.sums("links", "kept", targets).sum(axis=0),
            rate_sd=np.zeros(count),
            rate_range=np.zeros(count),
            variance=spread_of(
                held,
                given - empty[measure.kind, np.arange(count)],
                got.sums("home", "square", everywhere).sum(axis=0),
            ),
        ),
        parents=_parents(got, plan),
    )


def _parents(got: _Result, plan: Plan) -> Parents | None:
    family = plan.family
    if family is None:
        return None
    parents, splits = got.groups["parent"], got.groups["split"]
    n, fine = got.sums("kin", "n", parents), got.sums("kin", "n", splits)
    absent = family.unions @ plan.absent[family.rows].astype(np.float64)
    return Parents(
        n=n,
        d=np.zeros_like(n),
        lost=got.sums("kin_lost", "lost", parents) + _column(absent),
        fine_n=fine,
        fine_d=np.zeros_like(fine),
    )


class _Measures(NamedTuple):
    """Measures by source, one column a kind, and the kind of each variable."""

    held: Floats
    kind: Ints


def _measures(plan: Plan) -> _Measures:
    held = np.stack(list(plan.kinds.values()), axis=1)
    return _Measures(held, plan.rules["held"].to_numpy(dtype=np.int64)[plan.rule])


class _Absent(NamedTuple):
    """What sources that the table does not hold add to the sums of lost cells."""

    share: Floats
    square: Floats
    held: Floats
    held_square: Floats
    ceiling_in: Floats
    ceiling_str: Floats
    unbounded: Floats
    held_all: Floats


def _absent(plan: Plan) -> _Absent:
    pairs, measure = plan.pairs, _measures(plan)
    gone = plan.absent.astype(np.float64)
    held = measure.held * gone[:, None]
    ceiling = plan.rules["ceiling"].to_numpy(dtype=np.int64)[plan.rule]
    known = ceiling >= 0

    def by_kind(matrix: Any, values: Floats, kind: Ints) -> Floats:
        return np.asarray(matrix @ values)[:, kind]

    return _Absent(
        share=_column(pairs.by_share @ gone),
        square=_column(pairs.by_square @ gone),
        held=by_kind(pairs.by_share, held, measure.kind),
        held_square=by_kind(pairs.by_square, held * measure.held, measure.kind),
        ceiling_in=by_kind(pairs.by_inside, held, ceiling) * known,
        ceiling_str=by_kind(pairs.by_straddling, held, ceiling) * known,
        unbounded=_column(pairs.by_touching @ gone) * ~known,
        held_all=held.sum(axis=0)[measure.kind],
    )


def _left(whole: Floats, gone: Floats) -> Floats:
    """Return what is left, 0 where it is no more than the rounding of such a difference."""
    left = whole - gone
    return np.asarray(np.where(left > _ROUNDING * np.abs(whole), left, 0.0))


def _column(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)[:, None]
