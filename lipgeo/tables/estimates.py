"""``Estimates``: numbers for areas, what each is made of, and what was missing."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.errors import TableError
from lipgeo.report import CheckReport, Finding
from lipgeo.tables.columns import REASONS, columns_of
from lipgeo.tables.outcome import FLAGS, Outcome
from lipgeo.tables.pairs import Pairs
from lipgeo.tables.table import CensusTable
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
_EXPLAIN = (
    "row",
    "source_id",
    "name",
    "published",
    "symbol",
    "share",
    "contribution",
    "denominator",
    "denominator_contribution",
    "status",
    "reason",
    "file",
    "sha256",
)
_MISSING = ("area_id", "variable", "source_id", "name", "symbol", "reason", "share", "held")


@dataclass(frozen=True)
class Leg:
    """One table and the crosswalks it is brought by.

    Attributes
    ----------
    table
        The table.
    pairs
        By the weight of the crosswalk, the first the one that others fall back to.
    notes
        What was met when they were matched.
    """

    table: CensusTable
    pairs: dict[str, Pairs]
    notes: list[Finding] = field(default_factory=list)

    @property
    def areas(self) -> pd.Index:
        """Ids of the targets, in their order."""
        return next(iter(self.pairs.values())).targets

    def pairs_of(self, one: Variable) -> Pairs:
        """Return the pairs a variable goes by: its own basis, else the first."""
        return self.pairs.get(one.basis, next(iter(self.pairs.values())))


class Estimates:
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
        source_id, name, symbol, reason, share, held`` (what the unit holds of the crosswalk's
        weight). Reasons: the symbols ``x``, ``F``, ``..``, ``...`` as they stood; ``blank``, an
        empty cell; ``not_in_table``; ``zero``, a zero of 2006 that stands for suppression;
        ``denominator``, its denominator is missing.
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
            parts = [
                _missing_of(leg, pairs, [one])
                for leg in self._legs
                for one in self.variables.values()
                if one.rule != "index"
                for pairs in [leg.pairs_of(one)]
            ]
            found = pd.concat(parts, ignore_index=True)
            order = {area: at for at, area in enumerate(self.area_ids)}
            place = found["area_id"].map(order)
            found = found.assign(place=place).sort_values(["place", "variable"], kind="stable")
            self._missing = found.drop(columns="place").reset_index(drop=True)
        return self._missing.copy()

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

            One row a unit (``row`` is ``unit``), largest contribution first, or a class of a
            grouped median (``class``); then ``sum`` (of what was observed), ``not_observed`` (what
            was put in for the rest, where something was), ``value``, ``rounding`` (the most that
            rounding can move it), and ``official`` (a total known otherwise, where one is).

        Raises
        ------
        TableError
            There is no such area or variable.
        """
        one = self.variables.get(variable)
        rows = self._frame[
            self._frame["area_id"].eq(str(area_id)) & self._frame["variable"].eq(variable)
        ]
        if one is None or rows.empty:
            raise TableError(
                "tables.no_such_number",
                [{"area_id": area_id, "variable": variable}],
                area=area_id,
                variable=variable,
                areas=self.area_ids,
                variables=list(self.variables),
            )
        result = rows.iloc[0]
        units = pd.concat(
            [_units_of(leg, one, str(area_id)) for leg in self._legs], ignore_index=True
        ).sort_values(
            ["contribution", "source_id"],
            ascending=[False, True],
            kind="stable",
            na_position="last",
        )
        tail = self._tail(one, units, result)
        parts = [part for part in (units, tail) if len(part)]
        return pd.concat(parts, ignore_index=True)[list(_EXPLAIN)]

    def _tail(self, one: Variable, units: pd.DataFrame, result: pd.Series) -> pd.DataFrame:
        """Return the sum, what was put in, the value, rounding, and the official total."""
        adds = one.rule == "count"
        whole = float(units["contribution"].sum())
        rows: list[dict[str, Any]] = []
        if one.rule != "median":
            rows.append({"row": "sum", "contribution": whole})
            if one.is_ratio:
                rows[-1]["denominator_contribution"] = float(
                    units["denominator_contribution"].sum()
                )
        put_in = float(result["value"]) - whole
        if adds and result["observed_share"] < 1 and not np.isnan(put_in):
            rows.append({"row": "not_observed", "contribution": put_in})
        rows.append({"row": "value", "published": float(result["value"])})
        if adds:
            rows[-1]["contribution"] = float(result["value"])
        rows.append({"row": "rounding", "published": float(result["rounding_max"])})
        if one.name in self.official:
            known = self.official[one.name].get(result["area_id"], np.nan)
            if not pd.isna(known):
                rows.append({"row": "official", "published": float(known)})
        frame = pd.DataFrame(rows).reindex(columns=list(_EXPLAIN))
        return frame.astype(units.dtypes.to_dict())

    def __len__(self) -> int:
        return len(self._frame)

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _repr_html_(self) -> str:
        shown = [name for name in COLUMNS if name not in ("rounding_max", "rounding_sd")]
        return f"<p>{html.escape(self._summary())}</p>{self._frame[shown].head(50).to_html()}"

    def _summary(self) -> str:
        return say(
            "tables.estimates",
            areas=len(self.area_ids),
            variables=len(self.variables),
            numbers=int(self._frame["value"].notna().sum()),
            flagged=int(self._frame["flag"].ne("").sum()),
        )


def result_frame(
    blocks: Sequence[tuple[list[Variable], Outcome]],
    areas: pd.Index,
    order: Mapping[str, int],
    listed: set[str],
) -> pd.DataFrame:
    """Put blocks of results into one long frame, area by area."""
    parts = []
    for variables, outcome in blocks:
        shape = outcome.value.shape
        numbers = {
            name: getattr(outcome, name).ravel()
            for name in COLUMNS
            if name in Outcome.__dataclass_fields__
        }
        parts.append(
            pd.DataFrame(
                {
                    "area_id": np.repeat(areas.to_numpy(dtype=object), shape[1]),
                    "variable": np.tile([one.name for one in variables], shape[0]),
                    **numbers,
                    "flag": _joined(outcome).ravel(),
                    "rule": np.tile([one.rule for one in variables], shape[0]),
                    "place": np.repeat(np.arange(shape[0]), shape[1]),
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    frame["basis"] = np.where(frame["area_id"].isin(listed), "union", "drawn")
    frame["order"] = frame["variable"].map(order)
    frame = frame.sort_values(["place", "order"], kind="stable", ignore_index=True)
    return frame[list(COLUMNS)]


def _joined(outcome: Outcome) -> npt.NDArray[np.object_]:
    """Join the names of the flags that stand, in their order."""
    text = np.full(outcome.value.shape, "", dtype=object)
    for name in FLAGS:
        if name in outcome.flags:
            rows = outcome.flags[name]
            text[rows] = text[rows] + np.where(text[rows] == "", name, ";" + name)
    return text


def _missing_of(leg: Leg, pairs: Pairs, variables: list[Variable]) -> pd.DataFrame:
    """Return the cells of some variables that were not observed, for each area they count in."""
    columns = columns_of(leg.table, variables, pairs)
    met = pairs.share > 0
    parts = []
    for at, one in enumerate(variables):
        rows = np.flatnonzero(met & (columns.reason[pairs.source, at] > 0))
        source = pairs.source[rows]
        ids = pairs.sources[source]
        parts.append(
            pd.DataFrame(
                {
                    "area_id": pairs.targets[pairs.target[rows]],
                    "variable": one.name,
                    "source_id": ids,
                    "name": leg.table.names.reindex(ids).to_numpy(),
                    "symbol": _symbols_of(leg.table, one, ids),
                    "reason": np.array(REASONS, dtype=object)[columns.reason[source, at]],
                    "share": pairs.share[rows],
                    "held": pairs.held[source],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[list(_MISSING)]


def _symbols_of(table: CensusTable, one: Variable, ids: pd.Index) -> npt.NDArray[np.object_]:
    """Return the symbols that stood in the cells of a variable, empty where none did."""
    symbols = table.symbols
    name = one.numerator or one.name
    if name not in symbols:
        return np.full(len(ids), "", dtype=object)
    return np.asarray(symbols[name].reindex(ids).fillna(""), dtype=object)


def _units_of(leg: Leg, one: Variable, area: str) -> pd.DataFrame:
    """Return the units of an area with what each gives to a variable."""
    pairs = leg.pairs_of(one)
    rows = np.flatnonzero(pairs.targets[pairs.target] == area)
    rows = rows[(pairs.share[rows] > 0) | (pairs.area_share[rows] > pairs.sliver)]
    source, share = pairs.source[rows], pairs.share[rows]
    ids = pairs.sources[source]
    columns = columns_of(leg.table, [one], pairs)
    table = leg.table
    values = table.frame.reindex(ids)
    name = one.numerator or one.name
    published = (
        values[name].to_numpy(dtype=np.float64) if name in values else np.full(len(ids), np.nan)
    )
    seen = columns.observed[source, 0]
    ratio = one.is_ratio or bool(one.groups)
    nothing = np.full(len(ids), np.nan)
    origin = table.origin.reindex(ids).fillna(-1).astype("int64").to_numpy()
    files = table.sources.reindex(origin)
    inside, straddling = pairs.inside[rows], pairs.straddling[rows]
    adds = one.rule != "median" or bool(one.groups)
    frame = pd.DataFrame(
        {
            "row": "unit",
            "source_id": ids.to_numpy(dtype=object),
            "name": table.names.reindex(ids).to_numpy(),
            "published": published,
            "symbol": _symbols_of(table, one, ids),
            "share": share,
            "contribution": np.where(seen & adds, share * columns.n[source, 0], np.nan),
            "denominator": np.where(seen, columns.d[source, 0], np.nan) if ratio else nothing,
            "denominator_contribution": (
                np.where(seen, share * columns.d[source, 0], np.nan) if ratio else nothing
            ),
            "status": np.select([inside, straddling], ["inside", "straddling"], "sliver"),
            "reason": np.array(REASONS, dtype=object)[columns.reason[source, 0]],
            "file": files["file"].to_numpy(),
            "sha256": files["sha256"].to_numpy(),
        }
    )
    texts = ("row", "source_id", "name", "symbol", "status", "reason", "file", "sha256")
    return frame.astype(dict.fromkeys(texts, "string"))
