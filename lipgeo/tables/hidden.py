"""Say what published zeros hide: counts of the 2021 long form under 10 are published as 0.

In the dissemination areas of 2021 a sampled count under 10 stands as 0, where earlier censuses
rounded it to 0 or 10 at random. So sums of units fall short: of a small group by half. Which it is
can be seen in the table itself: where small counts are hidden, tens are missing.

How many people a zero hides is estimated from the table's own cells
(:mod:`lipgeo.tables.small_counts`). Published totals of larger units, where they are given, say how
much all the zeros in them hide together (:mod:`lipgeo.tables.larger_units`).

A long table is read some columns at a time, and of each column no more is kept than its model: what
a zero stands for is worked out where the column is summed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import pandas as pd

from lipgeo.geography.hierarchy import has_trait
from lipgeo.report import Finding, finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.larger_units import LargerUnits, PublishedTotals
from lipgeo.tables.long_table import AnyTable
from lipgeo.tables.small_counts import (
    HiddenCells,
    PublishedCells,
    SmallCounts,
    cells_of,
    evidence_of_hiding,
    expect,
    fit_small_counts,
    read_count,
    small_of,
)
from lipgeo.tables.variables import Variable

__all__ = ["Hidden", "find_hidden"]

#: what is done with zeros that hide small counts
Hidden = Literal["impute", "as_published"]

#: variables that may be asked whether the table hides small counts, and those of most small counts
#: that are
_MAY_BE_ASKED = 64
_ASKED = 12
#: how much likelier (log) hiding must be than rounding where the census is not known to hide, and
#: how much likelier rounding must be to be believed where it is
_PROOF = 10.0
#: columns of a long table that are read into memory at a time
_COLUMNS_AT_A_TIME = 64


def find_hidden(
    tables: Sequence[AnyTable],
    variables: Sequence[Variable],
    totals: PublishedTotals | None = None,
    membership: pd.Series | None = None,
    *,
    beside: Sequence[Sequence[Variable]] = (),
) -> list[HiddenCells]:
    """Estimate what the zeros of sampled counts stand for, table by table.

    Parameters
    ----------
    tables
        The tables.
    variables
        What is weighted; their numerators, denominators and classes are looked at.
    totals, membership
        Published totals of larger units, and the larger unit by unit (:class:`LargerUnits`).
    beside
        By table, counts that are read with these; of them nothing is told.

    Raises
    ------
    TableError
        Totals are of another census, of no column or of no unit of the tables; or below what
        their units are published to hold.
    """
    asked = [_sampled_counts(table, variables) for table in tables]
    more = beside or [()] * len(tables)
    counts = [
        {**_sampled_counts(table, some), **one}
        for table, some, one in zip(tables, more, asked, strict=True)
    ]
    larger: list[LargerUnits | None] = [None] * len(tables)
    if totals is not None and any(counts):
        larger = [
            LargerUnits.of(table, totals, membership, [*one, *one.values()]) if one else None
            for table, one in zip(tables, counts, strict=True)
        ]
    found = [
        _find_hidden(table, one, held, told)
        for table, one, held, told in zip(tables, counts, larger, asked, strict=True)
    ]
    if totals is not None and not any(held.brought for held in larger if held):
        notes = [*found[0].notes, finding("tables.totals_unused", "warning", "")]
        found[0] = replace(found[0], notes=notes)
    return found


def _find_hidden(
    table: AnyTable,
    counts: dict[str, str],
    larger: LargerUnits | None,
    told: Collection[str],
) -> HiddenCells:
    if not counts:
        return HiddenCells()
    known = has_trait(table.vintage, "small_counts_hidden")
    # the table is asked, not what of it is weighted
    every = _sampled_counts(table, list(table.variables.values()))
    asked = _cells_to_ask(table, every or counts)
    proof = evidence_of_hiding(asked)
    if not asked or not (proof > -_PROOF if known else proof > _PROOF):
        refuted = known and bool(asked)
        return HiddenCells(
            notes=[finding("tables.hidden_not_found", "note", "", value=proof)] if refuted else []
        )
    models: dict[str, SmallCounts] = {}
    people: dict[str, float] = {}
    group = None if larger is None else larger.group
    for name, universe, part in _read(table, counts):
        cells = cells_of(part, name, universe)
        if cells is None:
            continue
        value, whole, seen = read_count(part, name, universe)
        if not (seen & (value == 0) & (whole > 0)).any():
            continue
        model = replace(fit_small_counts(cells, hides=True), universe=universe)
        if larger is not None:
            mean, _, most = expect(model, value, whole, seen)
            factor = larger.factor_of(name, model, value, whole, seen, mean, most)
            model = replace(model, factor=factor)
        models[name] = model
        if name in told:
            people[name] = float(HiddenCells({name: model}, group).of(part, name)[0].sum())
    notes = _notes(people, known=known)
    if larger is not None:
        larger.brought = {name: n for name, n in larger.brought.items() if name in told}
        notes += larger.notes()
    # what its parts hide a total that was summed of them hides
    sums = {
        str(name): [part for part in table.parts_summed(str(name)) if part in models]
        for name in table.columns
    }
    return HiddenCells(models, group, notes, {name: of for name, of in sums.items() if of})


def _notes(people: dict[str, float], *, known: bool) -> list[Finding]:
    if not people:
        return []
    note = finding(
        "tables.hidden_imputed" if known else "tables.hidden_imputed_here",
        "note",
        "",
        value=float(sum(people.values())),
        variables=[f"{name} ({count:,.0f})" for name, count in people.items()],
        count=len(people),
    )
    return [note]


def _sampled_counts(table: AnyTable, variables: Sequence[Variable]) -> dict[str, str]:
    """Return the sampled counts that variables are made of, each with its universe's column."""
    found: dict[str, str] = {}
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
                found[str(name)] = str(whole)
    return found


def _read(table: AnyTable, counts: dict[str, str]) -> Iterator[tuple[str, str, CensusTable]]:
    """Yield each count with its universe and a table in memory that holds both."""
    if isinstance(table, CensusTable):
        for name, universe in counts.items():
            yield name, universe, table
        return
    names = list(counts)
    for start in range(0, len(names), _COLUMNS_AT_A_TIME):
        some = names[start : start + _COLUMNS_AT_A_TIME]
        part = table.part([*dict.fromkeys([*some, *(counts[name] for name in some)])])
        for name in some:
            yield name, counts[name], part


def _cells_to_ask(table: AnyTable, counts: dict[str, str]) -> list[PublishedCells]:
    """Return the cells that tell most about hiding: those of most small counts, of the first."""
    found: list[PublishedCells] = []
    for name, universe, part in _read(table, counts):
        cells = cells_of(part, name, universe)
        if cells is not None:
            found.append(cells)
        if len(found) == _MAY_BE_ASKED:
            break
    return sorted(found, key=small_of, reverse=True)[:_ASKED]
