"""What the expression over a long table gave, as what was gathered of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lipgeo.tables.columns import rounding_of
from lipgeo.tables.expression import BRANCHES, SUMS
from lipgeo.tables.gathered import Gathered, Overall, Parents, Totals, spread_of, variance_of
from lipgeo.tables.plan import Plan, groups_of
from lipgeo.tables.variables import sampling_factor

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["gathered_counts"]

#: relative size below which a difference of sums is their rounding
_ROUNDING = 1e-12

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


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
