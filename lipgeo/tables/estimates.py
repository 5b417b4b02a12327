"""Hold numbers for areas, and show what each is made of: ``Estimates``.

A number is explained unit by unit, and what was missing from it is listed cell by cell. Nothing of
that is kept: it is read again from the tables and crosswalks (:class:`TableShares`) when asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.errors import TableError
from lipgeo.report import Card, CheckReport, Finding, Shown, flag_words, heads
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.columns import REASONS, HiddenCells, OwnShares, classes_of, columns_of
from lipgeo.tables.long_table import AnyTable, LongTable
from lipgeo.tables.pairs import Family, Pairs
from lipgeo.tables.results import FLAGS, Outcome
from lipgeo.tables.sums import TableSums, sum_table
from lipgeo.tables.variables import Variable
from lipgeo.words import say

__all__ = [
    "COLUMNS",
    "EXPLAIN",
    "ROWS",
    "Estimates",
    "TableShares",
    "add_up_classes",
    "find_missing",
    "result_frame",
    "tail_of",
    "units_of",
]

#: columns of ``Estimates.frame``
COLUMNS = (
    "area_id",
    "variable",
    "value",
    "lower",
    "upper",
    "likely_lower",
    "likely_upper",
    "truth_lower",
    "truth_upper",
    "rounding_max",
    "rounding_sd",
    "sampling_se",
    "observed_share",
    "hidden_share",
    "flag",
    "rule",
    "basis",
)
#: columns of an explanation
EXPLAIN = (
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
#: kinds of rows, in their order
ROWS = ("unit", "class", "sum", "not_observed", "value", "rounding", "official")
_MISSING = ("area_id", "variable", "source_id", "name", "symbol", "reason", "share", "held")
_TEXTS = ("area_id", "row", "source_id", "name", "symbol", "status", "reason", "file", "sha256")


@dataclass(frozen=True)
class TableShares:
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
    hidden
        What the zeros of the table stand for.
    own
        By the weight of the crosswalk, the shares of counts that follow their own geography.
    """

    table: AnyTable
    pairs: dict[str, Pairs]
    families: dict[str, Family | None]
    notes: list[Finding] = field(default_factory=list)
    hidden: HiddenCells = field(default_factory=HiddenCells)
    own: Mapping[str, OwnShares] = field(default_factory=dict)

    @property
    def areas(self) -> pd.Index:
        """Ids of the targets, in their order."""
        return next(iter(self.pairs.values())).targets

    def pairs_of(self, one: Variable) -> Pairs:
        """Return the pairs a variable goes by: its own basis, else the first."""
        return self.pairs.get(one.basis, next(iter(self.pairs.values())))

    def own_of(self, one: Variable) -> OwnShares:
        """Return the shares of counts by the pairs a variable goes by."""
        return self.own.get(self.pairs_of(one).crosswalk.weight, OwnShares())

    def sums(self, variables: Sequence[Variable]) -> TableSums:
        """Sum variables that go by the same pairs: in memory, or by the engine of a long table."""
        pairs = self.pairs_of(variables[0])
        family, own = self.families[pairs.crosswalk.weight], self.own_of(variables[0])
        if isinstance(self.table, LongTable):
            return self.table.sums(variables, pairs, family, self.hidden, own=own)
        return sum_table(self.table, variables, pairs, family, self.hidden, own=own)


class Estimates(Shown):
    """Numbers for areas. Made by :func:`weight_table`; never changes.

    Attributes
    ----------
    frame
        One row an area and variable, areas in the crosswalk's order: ``area_id, variable`` (text);
        ``value``; ``lower, upper``, the certain bounds; ``likely_lower, likely_upper``, the 90 %
        range of what an order of the area would say; ``truth_lower, truth_upper``, that of what is
        true, sampling in it; ``rounding_max, rounding_sd``, how far random rounding can
        move it, and its standard deviation; ``sampling_se``, 0 where all were asked;
        ``observed_share`` in [0, 1]; ``hidden_share``,
        what of a count (or of a numerator) was published as 0 and put in, in [0, 1]; ``flag``
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
        ``not_scaled``               not scaled up: of units not observed only land is known
        ``hidden_imputed``           holds what counts under 10, published as 0, are expected to be
        ===========================  ==========================================================
    missing
        One row a cell that was not observed, for each area it would count in: ``area_id, variable,
        source_id, name, symbol, reason, share, held`` (people, dwellings or households of the unit,
        land where none are known). Reasons: the symbols ``x``, ``F``, ``..``, ``...`` as they
        stood; ``blank``, an empty cell; ``not_in_table``; ``zero``, a zero of 2006 that stands for
        suppression; ``denominator``, its denominator is missing.
    error_model
        Index ``variable``: ``phi, tau2, width`` of the model of how units split
        (:mod:`lipgeo.tables.error_model`), ``splits, targets`` learned from, 0 where borrowed.
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
        table_shares: Sequence[TableShares],
        variables: Sequence[Variable],
        error_model: pd.DataFrame,
        official: pd.DataFrame,
        report: CheckReport,
        meta: Mapping[str, Any],
    ) -> None:
        self._frame = frame
        self._table_shares = tuple(table_shares)
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
        found = pd.concat(
            [shares.table.sources for shares in self._table_shares], ignore_index=True
        )
        return found.drop_duplicates(ignore_index=True)

    @property
    def vintages(self) -> list[int]:
        """Censuses the tables are of, each once; a table of no census has none."""
        years = {shares.table.vintage for shares in self._table_shares}
        return sorted(year for year in years if year is not None)

    @property
    def units(self) -> pd.DataFrame:
        """What the areas are made of, one row a unit that an area has a share of.

        ``area_id, level, unit_id`` (text; the level is empty for zones of no census), ``share`` by
        the weight of the crosswalk, ``population`` (people of the unit; missing where the crosswalk
        shares by something else).
        """
        parts = []
        for shares in self._table_shares:
            pairs = next(iter(shares.pairs.values()))
            rows = np.flatnonzero(pairs.share > 0)
            source = pairs.source[rows]
            known = pairs.crosswalk.weight == "population"
            parts.append(
                pd.DataFrame(
                    {
                        "area_id": pairs.targets[pairs.target[rows]].astype(str),
                        "level": shares.table.level or "",
                        "unit_id": pairs.sources[source].astype(str),
                        "share": pairs.share[rows],
                        "population": pairs.amounts[source] if known else np.nan,
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

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
                find_missing(
                    shares.table, [one for one in numbers if shares.pairs_of(one) is pairs], pairs
                )
                for shares in self._table_shares
                for pairs in shares.pairs.values()
            ]
            found = pd.concat(parts, ignore_index=True)
            order = {area: at for at, area in enumerate(self.area_ids)}
            place = found["area_id"].map(order)
            found = found.assign(place=place).sort_values(["place", "variable"], kind="stable")
            self._missing = found.drop(columns="place").reset_index(drop=True)
        return self._missing.copy()

    def reorder(self, areas: Sequence[str] | pd.Index, notes: Sequence[Finding] = ()) -> Estimates:
        """Return the same numbers with the areas in another order, and more notes."""
        place = pd.Index(areas).get_indexer(pd.Index(self._frame["area_id"]))
        return Estimates(
            frame=self._frame.iloc[np.argsort(place, kind="stable")].reset_index(drop=True),
            table_shares=self._table_shares,
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
        found = self.explain_all([variable], [str(area_id)])
        return found[list(EXPLAIN)].reset_index(drop=True)

    def explain_all(
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
                    units_of(
                        shares.table,
                        one,
                        shares.pairs_of(one),
                        rows["area_id"],
                        shares.hidden,
                        own=shares.own_of(one),
                    )
                    for shares in self._table_shares
                ],
                ignore_index=True,
            )
            units = add_up_classes(units) if len(self._table_shares) > 1 else units
            made = pd.concat([units, tail_of(one, units, rows, self.official)], ignore_index=True)
            place = pd.Index(rows["area_id"]).get_indexer(pd.Index(made["area_id"]))
            kind = pd.Index(ROWS).get_indexer(pd.Index(made["row"]))
            size = -made["contribution"].fillna(-np.inf)
            order = np.lexsort((made["source_id"].fillna(""), size, kind, place))
            parts.append(made.iloc[order].assign(variable=name))
        found = pd.concat(parts, ignore_index=True)
        return found[["area_id", "variable", *EXPLAIN]]

    def explain_size(self) -> int:
        """Return about how many rows explaining everything takes."""
        pairs = sum(
            len(shares.pairs_of(one).source) for shares in self._table_shares for one in self._all
        )
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
        flags[:, at] = _join_flags(outcome)
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


def _join_flags(outcome: Outcome) -> npt.NDArray[np.object_]:
    """Join the names of the flags that stand, in their order."""
    text = np.full(outcome.value.shape, "", dtype=object)
    for name in FLAGS:
        if name in outcome.flags:
            rows = outcome.flags[name]
            text[rows] = text[rows] + np.where(text[rows] == "", name, ";" + name)
    return text


# ------------------------------------------------------------------- what a number is made of


def units_of(
    given: AnyTable,
    one: Variable,
    pairs: Pairs,
    areas: Iterable[str],
    hidden: HiddenCells | None = None,
    *,
    own: OwnShares | None = None,
) -> pd.DataFrame:
    """Return what each unit gives to a variable in some areas: ``area_id`` and ``EXPLAIN``."""
    _, table = next(iter(given.pieces([one])))
    wanted = np.flatnonzero(pairs.targets.isin(list(areas)))
    met = (pairs.share > 0) | (pairs.area_share > pairs.sliver)
    rows = np.flatnonzero(np.isin(pairs.target, wanted) & met)
    own = OwnShares() if own is None else own
    name = one.numerator or one.name
    source, share = pairs.source[rows], own.share_of(name, pairs)[rows]
    below = own.share_of(str(one.denominator) if one.numerator else "", pairs)[rows]
    ids = pairs.sources[source]
    columns = columns_of(table, [one], pairs, hidden)
    put_in = columns.hidden[source, 0] > 0
    n, d, seen = (
        columns.numerator[source, 0],
        columns.denominator[source, 0],
        columns.observed[source, 0],
    )
    nothing = np.full(len(ids), np.nan)
    over = one.is_ratio or bool(one.groups)
    files = table.sources.reindex(table.origin.reindex(ids).fillna(-1).astype("int64"))
    inside, straddling = pairs.inside[rows], pairs.straddling[rows]
    frame = pd.DataFrame(
        {
            "area_id": pairs.targets[pairs.target[rows]],
            "row": "unit",
            "source_id": ids.to_numpy(dtype=object),
            "name": table.names.reindex(ids).to_numpy(),
            "published": _values_of(table, name, ids) if name in table.columns else nothing,
            "symbol": _symbols_of(table, one, ids),
            "share": share,
            "contribution": np.where(seen, share * n, np.nan) if one.rule != "median" else nothing,
            "denominator": np.where(seen, d, np.nan) if over else nothing,
            "denominator_contribution": np.where(seen, below * d, np.nan) if over else nothing,
            "status": np.select([inside, straddling], ["inside", "straddling"], "sliver"),
            "reason": np.where(
                put_in, "hidden", np.array(REASONS, dtype=object)[columns.reason[source, 0]]
            ),
            "file": files["file"].to_numpy(),
            "sha256": files["sha256"].to_numpy(),
        }
    )
    if one.groups:
        frame = pd.concat(
            [frame, _classes(table, one, pairs, wanted, hidden, own=own)], ignore_index=True
        )
    return frame.astype(dict.fromkeys(_TEXTS, "string"))


def _values_of(table: CensusTable, name: str, ids: pd.Index) -> npt.NDArray[np.float64]:
    """Return values as published, NaN where there is no row."""
    at = table.unit_ids.get_indexer(ids)
    return np.where(at >= 0, table.values(name)[at], np.nan)


def _symbols_of(table: CensusTable, one: Variable, ids: pd.Index) -> npt.NDArray[np.object_]:
    """Return the symbols that stood in the cells of a variable, empty where none did."""
    marks = table.marks(one.numerator or one.name)
    found = np.full(len(ids), "", dtype=object)
    if marks is not None:
        at = table.unit_ids.get_indexer(ids)
        found[at >= 0] = marks[at[at >= 0]]
    return found


def _classes(
    table: CensusTable,
    one: Variable,
    pairs: Pairs,
    wanted: npt.NDArray[np.intp],
    hidden: HiddenCells | None,
    *,
    own: OwnShares,
) -> pd.DataFrame:
    """Return the people of each class of a median in some areas."""
    columns = columns_of(table, [one], pairs, hidden)
    counts = classes_of(table, one, pairs, columns.observed[:, 0], hidden, own=own).by_share[wanted]
    names = [group.variable for group in one.groups]
    labels = [table.variables[name].label if name in table.variables else name for name in names]
    frame = pd.DataFrame(
        {
            "area_id": np.repeat(pairs.targets[wanted].to_numpy(dtype=object), len(names)),
            "row": "class",
            "source_id": np.tile(names, len(wanted)),
            "name": np.tile(labels, len(wanted)),
            "contribution": counts.ravel(),
        }
    )
    return frame.reindex(columns=["area_id", *EXPLAIN])


def add_up_classes(units: pd.DataFrame) -> pd.DataFrame:
    """Add up the classes that several tables gave, units as they are."""
    classes = units[units["row"].eq("class")]
    if classes.empty:
        return units
    keys = ["area_id", "row", "source_id", "name"]
    whole = classes.groupby(keys, sort=False)["contribution"].sum().reset_index()
    whole = whole.reindex(columns=units.columns).astype(units.dtypes)
    return pd.concat([units[units["row"].ne("class")], whole], ignore_index=True)


def tail_of(
    one: Variable, units: pd.DataFrame, results: pd.DataFrame, official: pd.DataFrame
) -> pd.DataFrame:
    """Return the closing rows: sum, what was put in, value, rounding, official total."""
    results = results.set_index("area_id")
    areas = results.index
    by_area = units[units["row"].eq("unit")].groupby("area_id")
    sums = by_area[["contribution", "denominator_contribution"]].sum().reindex(areas).fillna(0.0)
    value = results["value"]
    parts = []
    if one.rule != "median":
        over = sums["denominator_contribution"] if one.is_ratio else np.nan
        parts.append(
            _rows("sum", areas, contribution=sums["contribution"], denominator_contribution=over)
        )
    if one.rule == "count":
        put_in = (value - sums["contribution"])[(results["observed_share"] < 1) & value.notna()]
        parts.append(_rows("not_observed", put_in.index, contribution=put_in))
    adds = value if one.rule == "count" else np.nan
    parts.append(_rows("value", areas, published=value, contribution=adds))
    parts.append(_rows("rounding", areas, published=results["rounding_max"]))
    if one.name in official:
        known = official[one.name].reindex(areas).dropna()
        parts.append(_rows("official", known.index, published=known))
    return pd.concat([part for part in parts if len(part)], ignore_index=True).astype(units.dtypes)


def _rows(row: str, areas: pd.Index, **columns: pd.Series | float) -> pd.DataFrame:
    given = {
        name: values.to_numpy() if isinstance(values, pd.Series) else values
        for name, values in columns.items()
    }
    frame = pd.DataFrame({"area_id": areas.to_numpy(dtype=object), "row": row, **given})
    return frame.reindex(columns=["area_id", *EXPLAIN])


# ------------------------------------------------------------------- what was missing


def find_missing(table: AnyTable, variables: Sequence[Variable], pairs: Pairs) -> pd.DataFrame:
    """Return the cells of variables that were not observed, for each area they count in."""
    parts = [_find_missing(piece, chunk, pairs) for chunk, piece in table.pieces(variables)]
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(_MISSING))
    texts = ("area_id", "variable", "source_id", "name", "symbol", "reason")
    return found.astype(dict.fromkeys(texts, "string") | {"share": "float64", "held": "float64"})


def _find_missing(table: CensusTable, chunk: Sequence[Variable], pairs: Pairs) -> pd.DataFrame:
    columns = columns_of(table, chunk, pairs)
    met = np.flatnonzero(pairs.share > 0)
    pair, at = np.nonzero(columns.reason[pairs.source[met]] > 0)
    pair = met[pair]
    source = pairs.source[pair]
    names = np.array([one.name for one in chunk], dtype=object)
    symbols = np.full(len(source), "", dtype=object)
    for place, one in enumerate(chunk):
        rows = np.flatnonzero(at == place)
        symbols[rows] = _symbols_of(table, one, pairs.sources[source[rows]])
    return pd.DataFrame(
        {
            "area_id": pairs.targets[pairs.target[pair]],
            "variable": names[at],
            "source_id": pairs.sources[source],
            "name": table.names.reindex(pairs.sources[source]).to_numpy(),
            "symbol": symbols,
            "reason": np.array(REASONS, dtype=object)[columns.reason[source, at]],
            "share": pairs.share[pair],
            "held": columns.amount[source, at],
        }
    )
