"""Hold units against published totals of the larger units they are part of: ``LargerUnits``.

What is published of a municipality is exact but for its own rounding. Its dissemination areas, of
which counts under 10 stand as 0, add up to less; the difference is what their zeros hide together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pandas as pd

from lipgeo.arrays import Flags, Floats, Ints
from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import parents_by_id
from lipgeo.report import Finding, finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.long_table import AnyTable
from lipgeo.tables.small_counts import LIMIT, SmallCounts

__all__ = ["LargerUnits", "PublishedTotals"]

#: published totals of larger units: a frame (index unit ids, columns variables) or a table
PublishedTotals: TypeAlias = pd.DataFrame | pd.Series | AnyTable

#: standard deviation of a count rounded to base 5
_ROUNDING_SD = 2.0
#: so many standard deviations of all the rounding of a sum are no rounding any more
_BEYOND = 5.0
#: share of a larger unit that the table must hold for its total to say what zeros hide
_HELD = 0.9


@dataclass
class LargerUnits:
    """Published totals of larger units, and which of them each unit of a table is part of.

    Attributes
    ----------
    totals
        The totals: a table of the larger units.
    group
        Position in ``totals`` by unit of the table, -1 where in none.
    whole
        Share of the units known to be in each larger unit that the table has; 1 where not known.
    people
        People by unit of the table, ``None`` where it does not say.
    level
        Level of the larger units, empty where not known.
    brought, left
        By variable, of how many larger units the zeros were brought to totals; and those that could
        say nothing, for want of a total or of most of their units.
    """

    totals: CensusTable
    group: Ints
    whole: Floats
    people: Floats | None
    level: str
    brought: dict[str, int] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        table: AnyTable,
        totals: PublishedTotals,
        membership: pd.Series | None,
        names: Sequence[str],
    ) -> LargerUnits | None:
        """Place a table's units in larger ones.

        ``None`` where the larger units are its own, or where the membership knows none of its
        units: it is of published rows beside the units shared out.

        Parameters
        ----------
        table
            The table.
        totals
            The totals.
        membership
            The larger unit by unit id. Without it by the table's parents, or by the digits an id
            begins with.
        names
            Columns that may be asked for.

        Raises
        ------
        TableError
            Totals are of another census, of no column of the table, or of no unit that one of the
            table's is part of.
        """
        known = _totals_table(table, totals, names)
        ids = table.unit_ids
        if known.unit_ids.isin(ids).any():
            return None
        if membership is not None and not membership.index.isin(ids).any():
            return None
        given = table.parents if membership is None else membership
        named = given.astype("string").str.replace(r"^[A-Z]+:", "", regex=True).fillna("")
        index = known.unit_ids
        row = index.get_indexer(pd.Index(named.reindex(ids).fillna("")))
        # an id may begin with that of its division and province
        text = ids.to_series().astype("string")
        for level, where in _prefixes(table).items():
            if known.level in (None, level):
                begins = index.get_indexer(pd.Index(text.str[where]))
                row = np.where(row < 0, begins, row)
        if not (row >= 0).any():
            raise TableError(
                "tables.totals_of_others",
                [{"unit_id": one} for one in index],
                units=list(index),
            )
        whole = np.ones(len(index))
        if membership is not None:
            at = index.get_indexer(pd.Index(named))
            here = named.index.isin(ids)
            count = np.bincount(at[at >= 0], minlength=len(index))
            kept = np.bincount(at[(at >= 0) & here], minlength=len(index))
            whole = np.divide(kept, count, out=np.ones(len(index)), where=count > 0)
        people = None
        if "population" in table.columns:
            held = table if isinstance(table, CensusTable) else table.part(["population"])
            people = np.nan_to_num(held.values("population"))
        return cls(known, np.asarray(row, dtype=np.int64), whole, people, known.level or "")

    def factor_of(  # noqa: PLR0917
        self,
        name: str,
        model: SmallCounts,
        value: Floats,
        universe: Floats,
        seen: Flags,
        mean: Floats,
        most: Floats,
    ) -> Floats | None:
        """Return by larger unit what brings its zeros to its total; 1 where that is not known.

        Raises
        ------
        TableError
            A total is below what its units are published to hold, by more than rounding.
        """
        if name not in self.totals.columns:
            return None
        total = np.where(self.totals.is_observed(name), self.totals.values(name), np.nan)
        ours = self.group >= 0

        def by_group(values: Floats) -> Floats:
            return np.bincount(self.group[ours], values[ours], minlength=len(total)).astype(float)

        # what is published; units without a value hold what the larger unit holds on average
        told = by_group(np.where(seen, value, 0.0))
        self._require_enough(name, total, told, by_group((seen & (value > 0)).astype(np.float64)))
        share = self._share_seen(model, universe, seen)
        hidden, bound = by_group(mean), by_group(np.where(mean > 0, most, 0.0))
        known = ~np.isnan(total) & (hidden > 0) & (share >= _HELD)
        wanted = np.clip(np.nan_to_num(total) * share - told, 0.0, bound)
        # a total may hide as much itself
        wanted = np.where(total == 0, np.minimum(hidden, LIMIT - 1), wanted)
        here = np.bincount(self.group[ours], minlength=len(total)) > 0
        self.brought[name] = int(known.sum())
        self.left |= set(self.totals.unit_ids[here & (hidden > 0) & ~known])
        return np.divide(wanted, hidden, out=np.ones(len(total)), where=known)

    def _share_seen(self, model: SmallCounts, universe: Floats, seen: Flags) -> Floats:
        """Return what share of each larger unit has a value: of its universe, or of its people."""
        ours = self.group >= 0

        def share_of(amount: Floats, whole: Floats | None = None) -> Floats:
            some = np.where(seen, amount, 0.0)[ours]
            part = np.bincount(self.group[ours], some, minlength=len(self.whole))
            every = np.bincount(self.group[ours], amount[ours], minlength=len(self.whole))
            of = np.asarray(every if whole is None else whole, dtype=np.float64)
            found: Floats = np.divide(part, of, out=np.full(len(part), np.nan), where=of > 0)
            return np.asarray(np.minimum(found, 1.0), dtype=np.float64)

        measure = universe if self.people is None else self.people
        share = np.nan_to_num(share_of(measure)) * self.whole
        if model.universe in self.totals.columns:
            by_universe = share_of(universe, self.totals.values(model.universe))
            share = np.where(np.isnan(by_universe), share, by_universe)
        return share

    def _require_enough(self, name: str, total: Floats, told: Floats, cells: Floats) -> None:
        """Refuse totals that are below what their units are published to hold."""
        # all cells and the total itself are rounded
        slack = _BEYOND * _ROUNDING_SD * np.sqrt(cells + 1)
        below = np.flatnonzero(told - total > slack)
        if len(below):
            ids = self.totals.unit_ids
            rows = [
                {
                    "unit_id": ids[at],
                    "variable": name,
                    "total": float(total[at]),
                    "parts": float(told[at]),
                }
                for at in below
            ]
            raise TableError(
                "tables.totals_below",
                rows,
                variable=name,
                cells=[f"{ids[at]} ({total[at]:,.0f} < {told[at]:,.0f})" for at in below],
            )

    def notes(self) -> list[Finding]:
        """Say what was brought to totals, and which of them could say nothing."""
        brought = {name: count for name, count in self.brought.items() if count}
        found = []
        if brought:
            found.append(
                finding(
                    "tables.totals_met",
                    "note",
                    "",
                    value=float(max(brought.values())),
                    count=max(brought.values()),
                    level=self.level,
                    variables=list(brought),
                )
            )
        if self.left:
            left = sorted(self.left)
            found.append(finding("tables.totals_left", "note", "", units=left, count=len(left)))
        return found


def _prefixes(table: AnyTable) -> dict[str, slice]:
    """Return the levels whose ids begin the ids of a table's units, finest first."""
    if table.level is None or table.vintage is None:
        return {}
    found = parents_by_id(table.level, table.vintage)
    begins = {level: where for level, where in found.items() if not where.start}
    return dict(sorted(begins.items(), key=lambda one: -int(one[1].stop)))


def _totals_table(table: AnyTable, totals: PublishedTotals, names: Sequence[str]) -> CensusTable:
    """Return the totals as a table in memory; refuse those of another census or of no column."""
    if isinstance(totals, pd.DataFrame | pd.Series):
        frame = totals.to_frame() if isinstance(totals, pd.Series) else totals
        frame = frame.set_axis(frame.index.astype(str), axis=0)
        frame.columns = frame.columns.astype(str)
        strange = [name for name in frame.columns if name not in table.columns]
        rules = dict.fromkeys(frame.columns, "count")
        known = CensusTable(frame, rules, level=None, vintage=None)
    else:
        if totals.vintage != table.vintage:
            raise TableError(
                "tables.totals_of_census", totals=str(totals.vintage), table=str(table.vintage)
            )
        shared = [name for name in names if name in totals.columns]
        strange = [] if shared else list(totals.columns)
        known = totals if isinstance(totals, CensusTable) else totals.part(shared)
    if strange:
        raise TableError(
            "tables.totals_unknown",
            [{"variable": name} for name in strange],
            variables=strange,
            held=list(table.columns),
        )
    return known
