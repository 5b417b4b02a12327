"""``Estimates``: numbers for areas, what each is made of, and what was missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.errors import TableError
from lipgeo.report import CheckReport, Finding
from lipgeo.show import Card, Shown, flag_words, heads
from lipgeo.tables.explaining import EXPLAIN as _EXPLAIN
from lipgeo.tables.explaining import ROWS, added_up, missing_of, tail_of, units_of
from lipgeo.tables.family import Family
from lipgeo.tables.gathered import Gathered
from lipgeo.tables.long import AnyTable
from lipgeo.tables.outcome import FLAGS, Outcome
from lipgeo.tables.pairs import Pairs
from lipgeo.tables.variables import Variable
from lipgeo.words import say

__all__ = ["COLUMNS", "Estimates", "Leg", "result_frame"]

Floats = npt.NDArray[np.float64]

#: columns of ``Estimates.frame``
COLUMNS = (
    "area_id",
    "variable",
    "value",
    "lower",
    "upper",
    "likely_lower",
    "likely_upper",
    "rounding_max",
    "rounding_sd",
    "sampling_se",
    "observed_share",
    "flag",
    "rule",
    "basis",
)


@dataclass(frozen=True)
class Leg:
    """One table and the crosswalks it is brought by.

    Attributes
    ----------
    table
        The table.
    pairs
        By the weight of the crosswalk, the first the one that others fall back to.
    families
        By the same, the parents that areas cut.
    notes
        What was met when they were matched.
    """

    table: AnyTable
    pairs: dict[str, Pairs]
    families: dict[str, Family | None]
    notes: list[Finding] = field(default_factory=list)

    @property
    def areas(self) -> pd.Index:
        """Ids of the targets, in their order."""
        return next(iter(self.pairs.values())).targets

    def pairs_of(self, one: Variable) -> Pairs:
        """Return the pairs a variable goes by: its own basis, else the first."""
        return self.pairs.get(one.basis, next(iter(self.pairs.values())))

    def gather(self, variables: Sequence[Variable]) -> Gathered:
        """Take all sums of variables that go by the same pairs."""
        pairs = self.pairs_of(variables[0])
        return self.table.gather(variables, pairs, self.families[pairs.crosswalk.weight])


class Estimates(Shown):
    """Numbers for areas. Made by :func:`weight_table`; never changes.

    Attributes
    ----------
    frame
        One row an area and variable, areas in the crosswalk's order: ``area_id, variable`` (text);
        ``value``; ``lower, upper``, the certain bounds; ``likely_lower, likely_upper``, the 90 %
        range; ``rounding_max, rounding_sd``, how far random rounding can move it, and its standard
        deviation; ``sampling_se``, 0 where all were asked; ``observed_share`` in [0, 1]; ``flag``
        (``;``-joined, empty where there is nothing to say); ``rule``; ``basis``: ``drawn`` or
        ``union``. Numbers are float64, in the variable's own unit (percent in percent), missing
        where they cannot be told:

        ===========================  ==========================================================
        ``no_source``                no unit lies in the area
        ``not_applicable``           the symbol says that there is no such thing in any unit
        ``too_little_observed``      less than ``min_observed`` was observed; no value
        ``no_denominator``           the denominator is 0; no value
        ``index_refused``            an index cannot be weighted; no value
        ``range_only``               a median without grouped counts: ``lower`` and ``upper``
                                     are the least and greatest of the units' medians
        ``open_class``               the median lies in a class without an end; no value
        ``partly_observed``          scaled up from what was observed
        ``partly_outside``           part of the area lies in no unit; it is not in the number
        ``no_bounds``                an average, whose parts are not known
        ``upper_unknown``            units not observed have no known ceiling
        ``sampling_unknown``         the sampling error of an average is not known
        ``other_basis``              straddling units were shared by another weight than fits best
        ``shared_by_area``           straddling units were shared by area for want of people
        ``zero_may_be_suppression``  holds published zeros of 2006, which may be suppressed cells
        ===========================  ==========================================================
    missing
        One row a cell that was not observed, for each area it would count in: ``area_id, variable,
        source_id, name, symbol, reason, share, held`` (people, dwellings or households of the unit,
        land where none are known). Reasons: the symbols ``x``, ``F``, ``..``, ``...`` as they
        stood; ``blank``, an empty cell; ``not_in_table``; ``zero``, a zero of 2006 that stands for
        suppression; ``denominator``, its denominator is missing.
    error_model
        Index ``variable``: ``phi, tau2, width`` of the model of how units split
        (:mod:`lipgeo.tables.spread`), ``splits, targets`` it was learned from, 0 where borrowed.
    official
        Totals known otherwise, areas by variables.
    report
        What was met (:class:`~lipgeo.report.CheckReport`).
    meta
        Options, plain values.
    """

    def __init__(
        self,
        *,
        frame: pd.DataFrame,
        legs: Sequence[Leg],
        variables: Sequence[Variable],
        error_model: pd.DataFrame,
        official: pd.DataFrame,
        report: CheckReport,
        meta: Mapping[str, Any],
    ) -> None:
        self._frame = frame
        self._legs = tuple(legs)
        self.variables = {one.name: one for one in variables}
        self.error_model = error_model
        self.official = official
        self.report = report
        self.meta = dict(meta)
        self._missing: pd.DataFrame | None = None

    @property
    def frame(self) -> pd.DataFrame:
        """The numbers; a copy."""
        return self._frame.copy()

    @property
    def area_ids(self) -> list[str]:
        """Ids of the areas, in order."""
        return list(dict.fromkeys(self._frame["area_id"]))

    @property
    def sources(self) -> pd.DataFrame:
        """Files the tables came from: ``file, sha256``, each once."""
        found = pd.concat([leg.table.sources for leg in self._legs], ignore_index=True)
        return found.drop_duplicates(ignore_index=True)

    def wide(self, column: str = "value") -> pd.DataFrame:
        """Return one column of the frame as areas by variables."""
        wide = self._frame.pivot_table(
            index="area_id", columns="variable", values=column, aggfunc="first", dropna=False
        )
        return wide.reindex(index=self.area_ids, columns=list(self.variables))

    @property
    def missing(self) -> pd.DataFrame:
        """What was not observed, and why; a copy."""
        if self._missing is None:
            numbers = [one for one in self.variables.values() if one.rule != "index"]
            parts = [
                missing_of(leg.table, [one for one in numbers if leg.pairs_of(one) is pairs], pairs)
                for leg in self._legs
                for pairs in leg.pairs.values()
            ]
            found = pd.concat(parts, ignore_index=True)
            order = {area: at for at, area in enumerate(self.area_ids)}
            place = found["area_id"].map(order)
            found = found.assign(place=place).sort_values(["place", "variable"], kind="stable")
            self._missing = found.drop(columns="place").reset_index(drop=True)
        return self._missing.copy()

    def ordered(self, areas: Sequence[str] | pd.Index, notes: Sequence[Finding] = ()) -> Estimates:
        """Return the same numbers with the areas in another order, and more notes."""
        place = pd.Index(areas).get_indexer(pd.Index(self._frame["area_id"]))
        return Estimates(
            frame=self._frame.iloc[np.argsort(place, kind="stable")].reset_index(drop=True),
            legs=self._legs,
            variables=list(self.variables.values()),
            error_model=self.error_model,
            official=self.official,
            report=CheckReport([*notes, *self.report]),
            meta=self.meta,
        )

    def explain(self, area_id: str, variable: str) -> pd.DataFrame:
        """Show what a number is made of.

        Parameters
        ----------
        area_id, variable
            Which number.

        Returns
        -------
        pandas.DataFrame
            ``row`` (what the row is), ``source_id, name``, ``published`` (the value as published,
            missing where it is), ``symbol``, ``share``, ``contribution`` (share times value; for
            rates and averages, share times numerator), ``denominator,
            denominator_contribution`` (for rates and averages), ``status`` (``inside``,
            ``straddling``, ``sliver``), ``reason`` (why there is no value), ``file, sha256``.

            One row a unit (``row`` is ``unit``), largest contribution first; for a grouped median
            one a class (``class``, the people in it); then ``sum`` (of what was observed),
            ``not_observed`` (what was put in for the rest of a count, where something was),
            ``value``, ``rounding`` (the most that rounding can move it), and ``official`` (a total
            known otherwise, where one is).

        Raises
        ------
        TableError
            There is no such area or variable.
        """
        known = self._frame["area_id"].eq(str(area_id)) & self._frame["variable"].eq(variable)
        if not known.any():
            raise TableError(
                "tables.no_such_number",
                [{"area_id": area_id, "variable": variable}],
                area=area_id,
                variable=variable,
                areas=self.area_ids,
                variables=list(self.variables),
            )
        found = self.explained([variable], [str(area_id)])
        return found[list(_EXPLAIN)].reset_index(drop=True)

    def explained(
        self, variables: Sequence[str] | None = None, areas: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Show what many numbers are made of: ``area_id, variable`` and the columns of `explain`.

        Parameters
        ----------
        variables, areas
            Which; all by default.
        """
        wanted = list(self.variables) if variables is None else list(variables)
        strange = [name for name in wanted if name not in self.variables]
        if strange:
            raise TableError(
                "tables.not_weighted",
                [{"variable": name} for name in strange],
                variables=strange,
                weighted=list(self.variables),
            )
        parts = []
        for name in wanted:
            one = self.variables[name]
            rows = self._frame[self._frame["variable"].eq(name)]
            if areas is not None:
                rows = rows[rows["area_id"].isin(areas)]
            units = pd.concat(
                [
                    units_of(leg.table, one, leg.pairs_of(one), rows["area_id"])
                    for leg in self._legs
                ],
                ignore_index=True,
            )
            units = added_up(units) if len(self._legs) > 1 else units
            made = pd.concat([units, tail_of(one, units, rows, self.official)], ignore_index=True)
            place = pd.Index(rows["area_id"]).get_indexer(pd.Index(made["area_id"]))
            kind = pd.Index(ROWS).get_indexer(pd.Index(made["row"]))
            size = -made["contribution"].fillna(-np.inf)
            order = np.lexsort((made["source_id"].fillna(""), size, kind, place))
            parts.append(made.iloc[order].assign(variable=name))
        found = pd.concat(parts, ignore_index=True)
        return found[["area_id", "variable", *_EXPLAIN]]

    def explained_rows(self) -> int:
        """Return about how many rows explaining everything takes."""
        pairs = sum(len(leg.pairs_of(one).source) for leg in self._legs for one in self._all)
        return pairs + 4 * len(self._frame)

    @property
    def _all(self) -> list[Variable]:
        return list(self.variables.values())

    def __len__(self) -> int:
        return len(self._frame)

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _card(self) -> Card:
        table = self._frame.head(50).copy()
        table["flag"] = table["flag"].map(flag_words)
        columns = heads(
            "area_id", "variable", "value", "likely_lower", "likely_upper", "observed_share", "flag"
        )
        return Card(self._summary(), table, columns, ("observed_share",), of=len(self._frame))

    def _summary(self) -> str:
        return say(
            "tables.estimates",
            areas=len(self.area_ids),
            variables=len(self.variables),
            numbers=int(self._frame["value"].notna().sum()),
            flagged=int(self._frame["flag"].ne("").sum()),
        )


def result_frame(
    blocks: Iterable[tuple[Sequence[Variable], Outcome]],
    areas: pd.Index,
    order: Mapping[str, int],
    listed: set[str],
) -> pd.DataFrame:
    """Put blocks of results into one long frame, area by area; blocks are used up one by one."""
    shape = (len(areas), len(order))
    numbers = {
        name: np.full(shape, np.nan) for name in COLUMNS if name in Outcome.__dataclass_fields__
    }
    flags, rules = np.full(shape, "", dtype=object), np.full(shape[1], "", dtype=object)
    for variables, outcome in blocks:
        at = [order[one.name] for one in variables]
        for name, values in numbers.items():
            values[:, at] = getattr(outcome, name)
        flags[:, at] = _joined(outcome)
        rules[at] = [one.rule for one in variables]
    ids = areas.to_numpy(dtype=object)
    basis = np.where(areas.isin(listed), "union", "drawn").astype(object)
    columns = {
        "area_id": np.repeat(ids, shape[1]),
        "variable": np.tile(np.array(list(order), dtype=object), shape[0]),
        **{name: values.ravel() for name, values in numbers.items()},
        "flag": flags.ravel(),
        "rule": np.tile(rules, shape[0]),
        "basis": np.repeat(basis, shape[1]),
    }
    # three quarters of a million numbers are not copied once more
    return pd.DataFrame({name: columns.pop(name) for name in COLUMNS}, copy=False)


def _joined(outcome: Outcome) -> npt.NDArray[np.object_]:
    """Join the names of the flags that stand, in their order."""
    text = np.full(outcome.value.shape, "", dtype=object)
    for name in FLAGS:
        if name in outcome.flags:
            rows = outcome.flags[name]
            text[rows] = text[rows] + np.where(text[rows] == "", name, ";" + name)
    return text
