"""Say what published zeros hide: counts of the 2021 long form under 10 are published as 0.

In the dissemination areas of 2021 a sampled count under 10 stands as 0, where earlier censuses
rounded it to 0 or 10 at random. So sums of units fall short: of a small group by half. Which it is
can be seen in the table itself: where small counts are hidden, tens are missing.

How many people a zero hides is estimated from the table's own cells. Counts of a variable are taken
to be negative binomial, ``mean = rate x universe of the unit``, one rate and one spread a variable;
the cells are what rounding and hiding make of them; both are found by maximum likelihood. A zero
then stands for the mean of what is under 10, and has its variance. Published totals of larger
units, where they are given, say how much all the zeros in them hide together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import scipy.optimize
import scipy.special

from lipgeo.arrays import Flags, Floats, Ints
from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import has_trait
from lipgeo.report import finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.columns import HiddenCells
from lipgeo.tables.long_table import AnyTable
from lipgeo.tables.variables import Variable

__all__ = ["Hidden", "evidence_of_hiding", "find_hidden"]

#: what is done with zeros that hide small counts
Hidden = Literal["impute", "as_published"]

#: counts below this are hidden
LIMIT = 10
#: cells with a number that a variable needs before its zeros are read
_FEWEST = 20
#: variables that are asked whether the table hides small counts
_ASKED = 12
#: how much likelier (log) hiding must be than rounding where the census is not known to hide, and
#: how much likelier rounding must be to be believed where it is
_PROOF = 10.0
#: counts from which the probability is smooth enough to be taken at the number itself
_SMOOTH = 40.0
#: variables of a long table that are read into memory for it
_LONG = 64


@dataclass(frozen=True)
class _Cells:
    """Cells of one variable: published values and universes, each pair once and how often."""

    value: Floats
    universe: Floats
    times: Floats


@dataclass(frozen=True)
class _Model:
    """A negative binomial: people per person of the universe, and the shape."""

    rate: float
    shape: float
    likelihood: float


def find_hidden(
    table: AnyTable,
    variables: Sequence[Variable],
    totals: pd.DataFrame | pd.Series | None = None,
    membership: pd.Series | None = None,
) -> HiddenCells:
    """Estimate what the zeros of sampled counts stand for.

    Parameters
    ----------
    table
        The table.
    variables
        What is weighted; their numerators, denominators and classes are looked at.
    totals
        Published totals of larger units: index unit ids, columns variables.
    membership
        The larger unit of each unit of the table; by the table's parents, or by the digits an id
        begins with, where not given.

    Raises
    ------
    TableError
        Totals are of units that none of the table is part of, or of no variable of the table.
    """
    counts = _sampled_counts(table, variables)
    if not counts:
        return HiddenCells()
    if not isinstance(table, CensusTable):
        if len(counts) > _LONG:
            note = finding(
                "tables.hidden_many",
                "note",
                "",
                count=len(counts),
                most=_LONG,
                variables=list(counts),
            )
            return HiddenCells(notes=[note] if _known_to_hide(table.vintage) else [])
        needed = [*counts, *(str(name) for name in counts.values() if name)]
        table = table.part([*dict.fromkeys(needed)])
    cells = {
        name: one
        for name, universe in counts.items()
        if (one := _cells_of(table, name, universe)) is not None
    }
    known = _known_to_hide(table.vintage)
    sums = {name: table.parts_summed(name) for name in table.columns}
    proof = evidence_of_hiding(cells)
    if not cells or not (proof > -_PROOF if known else proof > _PROOF):
        notes = []
        if known and cells:
            notes.append(finding("tables.hidden_not_found", "note", "", value=proof))
        return HiddenCells(notes=notes)
    values, variances = {}, {}
    groups = None if totals is None else _groups(table, totals, membership)
    for name, one in cells.items():
        value, universe, seen = _columns(table, name, counts[name])
        zero = seen & (value == 0) & (universe > 0)
        if not zero.any():
            continue
        model = _fit(one, hides=True)
        mean, variance = np.zeros(len(value)), np.zeros(len(value))
        mean[zero], variance[zero] = _under_limit(model, universe[zero])
        # nobody can be more than there are
        most = np.minimum(universe, LIMIT - 1)
        mean = np.minimum(mean, most)
        if groups is not None and name in groups[1]:
            factor = _factors(value, universe, seen, mean, most, model, groups[0], groups[1][name])
            mean, variance = np.minimum(mean * factor, most), variance * np.minimum(factor, 1) ** 2
        values[name], variances[name] = mean, variance
    hidden = {name: float(one.sum()) for name, one in values.items()}
    for total, parts in sums.items():
        put_in = [name for name in parts if name in values]
        if put_in:  # what its parts hide a total that was summed of them hides
            values[total] = np.sum([values[name] for name in put_in], axis=0)
            variances[total] = np.sum([variances[name] for name in put_in], axis=0)
    note = finding(
        "tables.hidden_imputed" if known else "tables.hidden_imputed_here",
        "note",
        "",
        value=float(sum(hidden.values())),
        variables=[f"{name} ({people:,.0f})" for name, people in hidden.items()],
        count=len(hidden),
    )
    return HiddenCells(values, variances, [note] if hidden else [])


def _known_to_hide(vintage: int | None) -> bool:
    return has_trait(vintage, "small_counts_hidden")


def _sampled_counts(table: AnyTable, variables: Sequence[Variable]) -> dict[str, str | None]:
    """Return the sampled counts that variables are made of, each with its universe's column."""
    found: dict[str, str | None] = {}
    for one in variables:
        names = [one.name, one.numerator, one.denominator, *(g.variable for g in one.groups)]
        # a total that was summed hides what its parts hide
        parts = [part for name in names for part in table.parts_summed(str(name)) or [name]]
        for name in parts:
            known = table.variables.get(str(name))
            if known is None and name == one.name and name in table.columns:
                known = one
            if known is None or known.rule != "count" or not known.sampled or not known.rounding:
                continue
            whole = next(
                (
                    universe
                    for universe in (known.denominator, known.ceiling, "population")
                    if universe in table.columns and universe != name
                ),
                None,
            )
            if whole is not None:
                found[str(name)] = whole
    return found


def _columns(table: CensusTable, name: str, universe: str | None) -> tuple[Floats, Floats, Flags]:
    """Return a count, its universe, and where both are known."""
    value, whole = table.values(name), table.values(str(universe))
    seen = table.is_observed(name) & table.is_observed(str(universe))
    return np.nan_to_num(value), np.nan_to_num(whole), seen


def _cells_of(table: CensusTable, name: str, universe: str | None) -> _Cells | None:
    """Return the cells of a variable, ``None`` where too few hold a number or none is 0."""
    value, whole, seen = _columns(table, name, universe)
    seen &= whole > 0
    # rounded to base 5 and never 5: another count is no such count
    used = value[seen]
    if (used >= LIMIT).sum() < _FEWEST or not (used == 0).any() or ((used % 5) != 0).any():
        return None
    if ((used > 0) & (used < LIMIT)).any():
        return None
    # universes in steps of 3 percent: nothing hangs on less
    steps = np.round(np.log(whole[seen]) / 0.03)
    pairs, times = np.unique(np.column_stack([used, steps]), axis=0, return_counts=True)
    return _Cells(pairs[:, 0], np.exp(pairs[:, 1] * 0.03), times.astype(np.float64))


def evidence_of_hiding(cells: Mapping[str, _Cells]) -> float:
    """Return how much likelier (log) the cells are if small counts are hidden than if rounded.

    Above 0 tens are missing beside fifteens: small counts were published as 0. Below, small counts
    were rounded to 0 or 10 at random.
    """
    ranked = sorted(cells, key=lambda name: -float(_small(cells[name])))[:_ASKED]
    return float(
        sum(
            _fit(cells[name], hides=True).likelihood - _fit(cells[name], hides=False).likelihood
            for name in ranked
        )
    )


def _small(cells: _Cells) -> float:
    return float(cells.times[(cells.value > 0) & (cells.value <= 2 * LIMIT)].sum())


# ---------------------------------------------------------------- the model


def _log_probability(count: Floats, mean: Floats, shape: float) -> Floats:
    """Return the logarithm of the negative binomial."""
    count = np.maximum(count, 0.0)
    return np.asarray(
        scipy.special.gammaln(count + shape)
        - scipy.special.gammaln(shape)
        - scipy.special.gammaln(count + 1)
        + shape * np.log(shape / (shape + mean))
        + count * np.log(mean / (shape + mean))
    )


def _fit(cells: _Cells, *, hides: bool) -> _Model:
    """Find rate and shape by maximum likelihood."""
    start = max(float((cells.times * cells.value).sum() / (cells.times @ cells.universe)), 1e-7)

    def loss(point: Floats) -> float:
        rate, shape = np.exp(np.clip(point, -18, 8))
        return -_likelihood(cells, rate, shape, hides=hides)

    found = scipy.optimize.minimize(
        loss,
        np.log([start, 0.5]),
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-3, "maxiter": 200},
    )
    rate, shape = np.exp(np.clip(found.x, -18, 8))
    return _Model(float(rate), float(shape), -float(found.fun))


def _likelihood(cells: _Cells, rate: float, shape: float, *, hides: bool) -> float:
    """Return the log likelihood of cells: small counts hidden, or rounded to 0 or 10."""
    mean = rate * cells.universe
    zero, large = cells.value == 0, cells.value >= _SMOOTH
    middle = ~zero & ~large
    found = np.empty(len(mean))
    under = np.arange(LIMIT, dtype=np.float64)[:, None]
    small = np.exp(_log_probability(under, mean[None, zero], shape))
    found[zero] = (small if hides else small * (1 - under / LIMIT)).sum(axis=0)
    # a count is rounded to base 5, up or down at random, so that its mean stays
    moved = np.arange(-4, 5, dtype=np.float64)[:, None]
    count = cells.value[None, middle] + moved
    each = np.exp(_log_probability(count, mean[None, middle], shape)) * (1 - np.abs(moved) / 5)
    found[middle] = np.where(count >= LIMIT, each, 0.0).sum(axis=0)
    if not hides:
        ten = middle & (cells.value == LIMIT)
        each = np.exp(_log_probability(under, mean[None, ten], shape))
        found[ten] += (each * under / LIMIT).sum(axis=0)
    found[large] = 5 * np.exp(_log_probability(cells.value[large], mean[large], shape))
    return float(cells.times @ np.log(np.maximum(found, 1e-300)))


def _under_limit(model: _Model, universe: Floats) -> tuple[Floats, Floats]:
    """Return mean and variance of a count under the limit."""
    under = np.arange(LIMIT, dtype=np.float64)[:, None]
    weight = np.exp(_log_probability(under, model.rate * universe[None, :], model.shape))
    weight /= weight.sum(axis=0)
    mean = (under * weight).sum(axis=0)
    return mean, (under**2 * weight).sum(axis=0) - mean**2


# ---------------------------------------------------------------- published totals


def _groups(
    table: CensusTable, totals: pd.DataFrame | pd.Series, membership: pd.Series | None
) -> tuple[Ints, pd.DataFrame]:
    """Return the row of the totals each unit is part of, -1 where none, and the totals."""
    frame = totals.to_frame() if isinstance(totals, pd.Series) else totals
    frame = frame.set_axis(frame.index.astype(str), axis=0)
    frame.columns = frame.columns.astype(str)
    strange = [name for name in frame.columns if name not in table.columns]
    if strange:
        raise TableError(
            "tables.totals_unknown",
            [{"variable": name} for name in strange],
            variables=strange,
            held=list(table.columns),
        )
    ids = table.unit_ids
    given = table.parents if membership is None else membership.reindex(ids)
    named = given.astype("string").str.replace(r"^[A-Z]+:", "", regex=True)
    row = np.asarray(frame.index.get_indexer(pd.Index(named.fillna(""))), dtype=np.int64)
    # ids of divisions and provinces begin those of their units
    text = ids.to_series().astype("string")
    for length in sorted({len(one) for one in frame.index}, reverse=True):
        begins = frame.index.get_indexer(pd.Index(text.str[:length]))
        row = np.where((row < 0) & (text.str.len().to_numpy() > length), begins, row)
    if not (row >= 0).any():
        raise TableError(
            "tables.totals_of_others",
            [{"unit_id": one} for one in frame.index],
            units=list(frame.index),
        )
    return row, frame


def _factors(  # noqa: PLR0917
    value: Floats,
    universe: Floats,
    seen: Flags,
    mean: Floats,
    most: Floats,
    model: _Model,
    group: Ints,
    totals: pd.Series,
) -> Floats:
    """Return by unit what brings its group to its published total; 1 where none is known."""
    count = len(totals)
    ours = group >= 0

    def by_group(values: Floats) -> Floats:
        return np.bincount(group[ours], values[ours], minlength=count).astype(np.float64)

    # what is published, and what units without a value may hold
    told = by_group(np.where(seen, value, 0.0))
    lost = by_group(np.where(seen, 0.0, model.rate * universe))
    hidden, bound = by_group(mean), by_group(np.where(mean > 0, most, 0.0))
    wanted = totals.to_numpy(dtype=np.float64) - told - lost
    wanted = np.clip(wanted, 0.0, bound)
    factor = np.divide(wanted, hidden, out=np.ones(count), where=(hidden > 0) & ~np.isnan(wanted))
    result = np.ones(len(value))
    result[ours] = factor[group[ours]]
    return result
