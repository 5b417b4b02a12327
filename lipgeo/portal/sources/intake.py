"""``Intake``: what one source brings to a portal, whatever it was; and estimates and tables as one.

Estimates, a comparison of censuses, published rows of whole standard units: each becomes rows of
the long table, with the areas, realisations and units they are of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.errors import InputError
from lipgeo.portal.areas import (
    REALISATION_COLUMNS,
    UNIT_COLUMNS,
    new_areas,
    realisation_hash,
    split_area,
)
from lipgeo.portal.indicators.dictionary import Dictionary, row_ids
from lipgeo.portal.observations import make_observations, no_observations
from lipgeo.report import CheckReport, finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.comparison import Comparison
from lipgeo.tables.estimates import Estimates
from lipgeo.tables.variables import MISSING, Variable
from lipgeo.words import say

__all__ = [
    "Intake",
    "from_comparison",
    "from_estimates",
    "from_table",
    "indicator_table",
    "indicator_variables",
]

#: how a column of a table made for indicators is called, so that no variable is mistaken for one
_OF_INDICATOR = "@"
_ROUNDED_TO = 5.0


@dataclass(frozen=True)
class Intake:
    """What one source brings.

    Attributes
    ----------
    rows
        Observations, the column ``release`` empty.
    kind
        ``estimates``, ``comparison``, ``published``, ``delivery``, ``legacy``, ``reported``.
    sources
        ``file, sha256`` of each file behind them.
    areas
        Areas the portal did not know.
    realisations, units
        What the areas are made of (:data:`~lipgeo.portal.areas.REALISATION_COLUMNS`,
        :data:`~lipgeo.portal.areas.UNIT_COLUMNS`).
    indicators
        Indicators of its own.
    report
        What was met.
    extra
        What else the release's record keeps, plain values.
    """

    rows: pd.DataFrame
    kind: str
    sources: list[dict[str, str]] = field(default_factory=list)
    areas: pd.DataFrame | None = None
    realisations: pd.DataFrame | None = None
    units: pd.DataFrame | None = None
    indicators: pd.DataFrame | None = None
    report: CheckReport = field(default_factory=CheckReport)
    extra: Mapping[str, Any] = field(default_factory=dict)


def join_intakes(several: Sequence[Intake]) -> Intake:
    """Put what several parts of one source bring into one."""

    def frames(name: str) -> pd.DataFrame | None:
        parts = [getattr(one, name) for one in several]
        parts = [part for part in parts if part is not None and len(part)]
        return pd.concat(parts, ignore_index=True).drop_duplicates() if parts else None

    rows = [one.rows for one in several if len(one.rows)]
    sources = {one["sha256"] + one["file"]: one for part in several for one in part.sources}
    return Intake(
        rows=pd.concat(rows, ignore_index=True) if rows else no_observations(),
        kind=several[0].kind,
        sources=list(sources.values()),
        areas=frames("areas"),
        realisations=frames("realisations"),
        units=frames("units"),
        indicators=frames("indicators"),
        report=CheckReport(one for part in several for one in part.report),
        extra={key: value for part in several for key, value in part.extra.items()},
    )


@dataclass(frozen=True)
class Known:
    """What a portal knows when a source comes: its areas, and which definition an id stands for.

    Attributes
    ----------
    areas
        The areas of the portal.
    definitions
        Area id to the definition a source means, where the portal has several.
    dictionary
        Its indicators.
    """

    areas: pd.DataFrame
    dictionary: Dictionary
    definitions: Mapping[str, str] = field(default_factory=dict)

    def places(self, ids: Iterable[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return area and definition of each id of a source, and the areas that are new.

        Returns
        -------
        pandas.DataFrame
            Index the id as it stands in the source; ``area_id, definition``.
        pandas.DataFrame
            The areas the portal does not know.

        Raises
        ------
        InputError
            Ids have several definitions; one error lists them all.
        """
        found: dict[str, tuple[str, str]] = {}
        strangers: list[str] = []
        problems = []
        for given in dict.fromkeys(str(one) for one in ids):
            name, definition = split_area(given)
            definition = definition or self.definitions.get(name, "")
            there = list(self.areas.loc[self.areas["area_id"].eq(name), "definition"])
            if not there or (definition and definition not in there):
                strangers.append(f"{name}@{definition}" if definition else name)
                found[given] = (name, definition)
            elif not definition and len(there) > 1:
                problems.append({"area_id": name, "definitions": there})
            else:
                found[given] = (name, definition or there[0])
        if problems:
            listed = [f"{one['area_id']}@{d}" for one in problems for d in one["definitions"]]
            raise InputError("portal.choose_definitions", problems, areas=listed)
        more = new_areas(strangers) if strangers else self.areas.iloc[:0]
        for name, definition in zip(more["area_id"], more["definition"], strict=True):
            for given, (area, said) in found.items():
                if area == name and said in ("", definition):
                    found[given] = (area, definition)
        frame = pd.DataFrame.from_dict(found, orient="index", columns=["area_id", "definition"])
        return frame, more


# ---------------------------------------------------------------------- a table made for indicators


def indicator_columns(dictionary: Dictionary, vintage: int) -> dict[str, str]:
    """Return the characteristic ids that the indicators of a census need, by column name."""
    rows = dictionary.rows[dictionary.rows["census"].eq(str(vintage))]
    ids: dict[str, str] = {}
    for expression in [*rows["numerator"], *rows["denominator"]]:
        ids |= {f"c{one}": one for one in row_ids(expression)}
    return ids


def indicator_table(table: CensusTable, dictionary: Dictionary) -> CensusTable:
    """Return a table whose columns are what indicators are made of.

    Parameters
    ----------
    table
        Columns :func:`indicator_columns`, read from a Census Profile.
    dictionary
        The indicators.

    Returns
    -------
    CensusTable
        Numerators and denominators (sums of rows where an indicator needs several), and counts
        and medians under the name of their indicator after ``@``. A cell of a sum is missing where
        a part is, with that part's symbol.
    """
    vintage = int(table.vintage or 0)
    frame, marks = table.frame, table.symbols.reindex(columns=table.columns, fill_value="")
    values: dict[str, pd.Series] = {}
    symbols: dict[str, pd.Series] = {}
    variables: dict[str, Variable] = {}

    def put(name: str, expression: str, rule: str, **facts: Any) -> None:
        columns = [f"c{one}" for one in row_ids(expression)]
        values[name] = frame[columns].sum(axis=1, skipna=False)
        symbol = marks[columns[0]].copy()
        for column in columns[1:]:
            symbol = symbol.mask(symbol.eq(""), marks[column])
        symbols[name] = symbol
        variables[name] = Variable(name, rule, **facts)  # type: ignore[arg-type]

    for one in _rows_held(dictionary, table):
        sampled = one.sample not in ("", "100%")
        exact = one.code == "population"
        rounding = 0.0 if exact else _ROUNDED_TO
        if one.denominator:
            bottom = _name_of(one.denominator)
            put(bottom, one.denominator, "count", sampled=sampled)
            put(_name_of(one.numerator), one.numerator, "count", denominator=bottom,
                sampled=sampled)  # fmt: skip
        else:
            rule = dictionary.frame.loc[one.code, "rule"]
            facts: dict[str, Any] = {"sampled": sampled, "rounding": rounding}
            if exact:
                facts["universe"] = "population"
            rule = rule if rule in ("count", "median") else "index"
            put(_OF_INDICATOR + one.code, one.numerator, rule, **facts)
    made = pd.DataFrame(values, index=frame.index)
    told = pd.DataFrame(symbols, index=frame.index)
    return CensusTable(
        made,
        variables,
        level=table.level,
        vintage=vintage,
        symbols=told.loc[:, told.ne("").any()],
        names=table.names,
        sources=table.sources,
        origin=table.origin,
        notes=table.notes,
    )


def _name_of(expression: str) -> str:
    return "c" + expression.replace("+", "_").replace(":", "_to_")


def _rows_held(dictionary: Dictionary, table: CensusTable) -> Iterable[Any]:
    """Yield the dictionary's rows of a table's census that the table holds all parts of."""
    rows = dictionary.rows[dictionary.rows["census"].eq(str(table.vintage))]
    held = set(table.columns)
    for one in rows.itertuples():
        needed = {f"c{id}" for id in row_ids(one.numerator) + row_ids(one.denominator)}
        if one.numerator and needed <= held:
            yield one


def indicator_variables(table: CensusTable, dictionary: Dictionary) -> list[Variable]:
    """Return what to weight of an :func:`indicator_table`: each indicator, and its denominator."""
    found: dict[str, Variable] = {}
    rows = dictionary.rows[dictionary.rows["census"].eq(str(table.vintage))]
    held = set(table.columns)
    for one in rows.itertuples():
        if one.numerator and one.denominator:
            top, bottom = _name_of(one.numerator), _name_of(one.denominator)
            if {top, bottom} <= held:
                found[bottom] = table.variables[bottom]
                name = _OF_INDICATOR + one.code
                sampled = one.sample not in ("", "100%")
                found[name] = Variable(
                    name, "percent", denominator=bottom, numerator=top, sampled=sampled
                )
        elif _OF_INDICATOR + one.code in held:
            one_variable = table.variables[_OF_INDICATOR + one.code]
            if one_variable.rule != "index":
                found[one_variable.name] = one_variable
    return list(found.values())


# ---------------------------------------------------------------------- estimates


def codes_of(names: Iterable[str], dictionary: Dictionary) -> dict[str, str]:
    """Return the indicator that each variable is, where it is one."""
    same = dictionary.frame["variable"]
    known = {name: code for code, name in same[same.ne("")].items()}
    found = {}
    for name in names:
        code = (
            name.removeprefix(_OF_INDICATOR) if name.startswith(_OF_INDICATOR) else known.get(name)
        )
        if code in dictionary:
            found[name] = str(code)
    return found


def from_estimates(
    est: Estimates,
    known: Known,
    *,
    misfit: Mapping[str, float] | None = None,
    source: str = "",
) -> Intake:
    """Return what estimates bring: one row an area and indicator, with its range.

    Variables that are no indicator are left out, and said. The range of a number that has none
    is empty; ``range_only`` medians keep their range without a middle.
    """
    made = est.units
    vintage = _vintage_of(est)
    places, more = known.places(est.area_ids)
    codes = codes_of(est.variables, known.dictionary)
    frame = est.frame
    kept = frame[frame["variable"].isin(codes)]
    findings = []
    left = [name for name in est.variables if name not in codes]
    if left:
        findings.append(finding("portal.no_such_indicator", "note", "", variables=left))
    if kept.empty:
        raise InputError("portal.nothing_for_portal", variables=list(est.variables))
    bottoms = {name: est.variables[name].denominator for name in codes}
    denominators = frame.set_index(["area_id", "variable"])["value"]
    wanted = pd.MultiIndex.from_arrays(
        [kept["area_id"], [bottoms[name] or "" for name in kept["variable"]]]
    )
    universe = known.dictionary.frame["universe"]
    indicator = kept["variable"].map(codes)
    place = places.loc[kept["area_id"].astype(str)]
    hashes, realisations, units = _realised(made, places, vintage, misfit or {})
    rows = make_observations(
        {
            "area_id": place["area_id"].to_numpy(),
            "definition": place["definition"].to_numpy(),
            "realisation_hash": [hashes.get(area, "") for area in kept["area_id"]],
            "indicator": indicator.to_numpy(),
            "period": vintage,
            **{
                name: kept[name].to_numpy()
                for name in (
                    *("value", "lower", "upper", "likely_lower", "likely_upper"),
                    *("truth_lower", "truth_upper"),
                )
                if name in kept
            },
            "origin": "estimated",
            "universe": indicator.map(universe).to_numpy(),
            "sample": _samples(indicator, vintage, known.dictionary).to_numpy(),
            "dollars": _dollars(indicator, known.dictionary, vintage),
            "denominator_value": denominators.reindex(wanted).to_numpy(),
            "source": source or say("portal.source_estimates", vintage=vintage),
            "flags": _flags_of(kept),
        }
    )
    return Intake(
        rows=rows,
        kind="estimates",
        sources=est.sources.to_dict("records"),
        areas=more,
        realisations=realisations,
        units=units,
        report=CheckReport(findings),
    )


def _vintage_of(est: Estimates) -> str:
    """Return the census of estimates.

    Raises
    ------
    InputError
        Their tables are of no census, or of several.
    """
    years = est.vintages
    if len(years) != 1:
        raise InputError("portal.no_one_census", years=[str(one) for one in years])
    return str(years[0])


def _flags_of(kept: pd.DataFrame) -> Any:
    """Return the flags of estimates; ``hidden_cells`` where suppressed cells were filled in."""
    flags = kept["flag"].fillna("").astype(str)
    if "hidden_share" in kept:
        hidden = kept["hidden_share"].fillna(0).gt(0)
        flags = flags.where(~hidden, flags.str.cat(["hidden_cells"] * len(flags), sep=";"))
    return flags.str.strip(";").to_numpy()


def _samples(indicator: pd.Series, vintage: str, dictionary: Dictionary) -> pd.Series:
    rows = dictionary.rows[dictionary.rows["census"].eq(vintage)].set_index("code")["sample"]
    return indicator.map(rows).astype(object).fillna("")


def _dollars(indicator: pd.Series, dictionary: Dictionary, vintage: str) -> Any:
    """Return ``current`` for amounts of money, which a census gives in its own year's dollars."""
    money = dictionary.frame["name_en"].str.contains(r"\$", regex=True)
    return np.where(indicator.map(money).fillna(False).astype(bool), "current", "")


def _realised(
    made: pd.DataFrame, places: pd.DataFrame, vintage: str, misfit: Mapping[str, float]
) -> tuple[dict[str, str], pd.DataFrame, pd.DataFrame]:
    """Return the hash, the realisation and the units of each area of estimates."""
    hashes, realisations, units = {}, [], []
    for area, own in made.groupby("area_id", sort=False):
        place = places.loc[str(area)]
        # a unit that is cut is another unit list: its share is part of what the area is
        cut = own["share"].lt(1 - 1e-9)
        texts = own["level"] + ":" + own["unit_id"]
        texts = texts.where(~cut, texts + "=" + own["share"].round(6).astype(str))
        hashes[area] = realisation_hash(texts, vintage)
        realisations.append(
            {
                "area_id": place["area_id"],
                "definition": place["definition"],
                "vintage": vintage,
                "realisation_hash": hashes[area],
                "misfit": misfit.get(str(area), np.nan),
                "unit_count": len(own),
            }
        )
        units.append(
            own.assign(
                area_id=place["area_id"],
                definition=place["definition"],
                vintage=vintage,
                realisation_hash=hashes[area],
            )[list(UNIT_COLUMNS)]
        )
    frame = pd.DataFrame(realisations).reindex(columns=list(REALISATION_COLUMNS[:-1]))
    whole = pd.concat(units, ignore_index=True) if units else pd.DataFrame(columns=UNIT_COLUMNS)
    return hashes, frame, whole


def from_comparison(comparison: Comparison, known: Known, *, source: str = "") -> Intake:
    """Return what a comparison brings: the estimates of each census, as they were followed.

    An area that could not be followed to a census has there a row ``not_comparable``.
    """
    followed = comparison.followed
    parts = []
    for year, several in sorted(comparison.estimates.items()):
        there = followed[followed["year"].eq(year)].set_index("area_id")
        moved = there[["moved", "unplaced"]].max(axis=1) if len(there) else pd.Series(dtype=float)
        misfit = {str(area): float(share) for area, share in moved.items()}
        if there.empty:
            # the census the areas were built on: the definition itself
            misfit = dict.fromkeys((str(a) for one in several for a in one.area_ids), 0.0)
        parts += [
            from_estimates(one, known, misfit=misfit, source=source) for one in several if len(one)
        ]
    parts.append(_not_comparable(comparison, known, source))
    whole = join_intakes(parts)
    return Intake(
        rows=whole.rows,
        kind="comparison",
        sources=whole.sources,
        areas=whole.areas,
        realisations=whole.realisations,
        units=whole.units,
        report=whole.report + comparison.report,
    )


def _not_comparable(comparison: Comparison, known: Known, source: str) -> Intake:
    frame = comparison.frame
    codes = codes_of(dict.fromkeys(frame["variable"]), known.dictionary)
    lost = frame[frame["how"].eq("") & frame["variable"].isin(codes)]
    places, more = known.places(lost["area_id"])
    place = places.loc[lost["area_id"].astype(str)]
    rows = make_observations(
        {
            "area_id": place["area_id"].to_numpy(),
            "definition": place["definition"].to_numpy(),
            "indicator": lost["variable"].map(codes).to_numpy(),
            "period": lost["year"].astype(str).to_numpy(),
            "symbol": "not_comparable",
            "origin": "estimated",
            "source": source or say("portal.source_comparison"),
        }
    )
    return Intake(rows=rows, kind="comparison", areas=more)


# ---------------------------------------------------------------------- published rows


def from_table(table: CensusTable, known: Known, *, source: str = "") -> Intake:
    """Return the published numbers of areas that are whole standard units of a table.

    Parameters
    ----------
    table
        An :func:`indicator_table`, or a table whose variables the dictionary knows.
    known
        What the portal knows; areas with a list of units of the table's level are taken.

    Returns
    -------
    Intake
        Counts and percentages of several units are sums of published numerators and
        denominators (flag ``sum_of_units``); medians of several units are not available. A
        suppressed part leaves the sum missing, with its symbol.

    Raises
    ------
    InputError
        No area of the portal is made of whole units of the table.
    """
    vintage, level = str(table.vintage), str(table.level)
    parts = [
        part
        for area in known.areas.itertuples()
        if (part := _published(area, table, known, level, vintage, source)) is not None
    ]
    if not parts:
        raise InputError("portal.no_standard_area", level=level, vintage=vintage)
    whole = join_intakes(parts)
    return Intake(
        rows=whole.rows,
        kind="published",
        sources=table.sources.to_dict("records"),
        realisations=whole.realisations,
        units=whole.units,
        report=whole.report,
    )


def _published(  # noqa: PLR0917
    area: Any, table: CensusTable, known: Known, level: str, vintage: str, source: str
) -> Intake | None:
    listed = [one.strip() for one in str(area.units).split(";") if one.strip()]
    units = [one.partition(":")[2] for one in listed if one.startswith(f"{level}:")]
    at = table.unit_ids.get_indexer(pd.Index(units))
    if not listed or len(units) != len(listed) or (at < 0).any():
        return None
    hashed = realisation_hash(listed, vintage)
    records = [
        {
            "indicator": code,
            **_published_value(table, one, at),
            "universe": known.dictionary.frame.loc[code, "universe"],
        }
        for code, one in _measured(table, known.dictionary)
    ]
    if not records:
        return None
    frame = pd.DataFrame(records)
    rows = known.dictionary.rows
    apart = rows.loc[rows["census"].eq(vintage)].set_index("code")["leaves_out"]
    told = [set(apart.get(code, "").split(";")) & set(listed) for code in frame["indicator"]]
    # the measure leaves out a part of the area: nothing is told of it
    lost = np.array([bool(one) for one in told])
    frame.loc[lost, ["value", "denominator_value"]] = np.nan
    frame.loc[lost, "symbol"] = "not_comparable"
    rows = make_observations(
        {
            **{name: frame[name].to_numpy() for name in frame},
            "area_id": area.area_id,
            "definition": area.definition,
            "realisation_hash": hashed,
            "period": vintage,
            "origin": "published",
            "sample": _samples(frame["indicator"], vintage, known.dictionary).to_numpy(),
            "dollars": _dollars(frame["indicator"], known.dictionary, vintage),
            "source": source or say("portal.source_published", vintage=vintage),
        }
    )
    people = table.values("@population")[at] if "@population" in table.columns else None
    if people is None and "population" in table.columns:
        people = table.values("population")[at]
    realisation = {
        "area_id": area.area_id,
        "definition": area.definition,
        "vintage": vintage,
        "realisation_hash": hashed,
        # the same codes in another census need not be the same ground
        "misfit": 0.0 if str(area.vintage) == vintage else np.nan,
        "unit_count": len(units),
    }
    return Intake(
        rows=rows,
        kind="published",
        realisations=pd.DataFrame([realisation]),
        units=pd.DataFrame(
            {
                "area_id": area.area_id,
                "definition": area.definition,
                "vintage": vintage,
                "realisation_hash": hashed,
                "level": level,
                "unit_id": units,
                "share": 1.0,
                "population": np.nan if people is None else people,
            }
        ),
    )


def _measured(table: CensusTable, dictionary: Dictionary) -> Iterable[tuple[str, Variable]]:
    """Yield each indicator that a table can tell, and the variable it is."""
    held = set(table.columns)
    own = indicator_variables(table, dictionary)
    if any(one.name.startswith(_OF_INDICATOR) for one in own):
        for one in own:
            if one.name.startswith(_OF_INDICATOR):
                yield one.name.removeprefix(_OF_INDICATOR), one
        return
    from lipgeo.tables.variables import look_up_variable

    for code, name in dictionary.frame["variable"].items():
        found = look_up_variable(str(name), table.variables, table.vintage) if name else None
        if found is None:
            continue
        needed = [found.numerator or found.name, *([found.denominator] if found.is_ratio else [])]
        if set(needed) <= held:
            yield str(code), found


def _published_value(table: CensusTable, one: Variable, at: Any) -> dict[str, Any]:
    top = one.numerator or one.name
    symbol = _symbol(table, top, at)
    flags = "sum_of_units" if len(at) > 1 else ""
    nothing = {"value": np.nan, "denominator_value": np.nan, "symbol": symbol, "flags": flags}
    if one.is_ratio and one.numerator and one.denominator:
        symbol = symbol or _symbol(table, one.denominator, at)
        over = table.values(one.denominator)[at].sum()
        if symbol in MISSING or not over > 0:
            return {**nothing, "symbol": symbol or "..."}
        # rounded apart, a part may come out above its whole
        value = one.per * table.values(top)[at].sum() / over
        return {"value": value, "denominator_value": over, "symbol": symbol, "flags": flags}
    if one.rule != "count" and len(at) > 1:
        return {**nothing, "symbol": "not_ordered"}
    value = table.values(top)[at].sum()
    if np.isnan(value):
        return {**nothing, "symbol": symbol or ".."}
    return {
        "value": value,
        "denominator_value": np.nan,
        "symbol": "" if symbol in MISSING else symbol,
        "flags": flags,
    }


def _symbol(table: CensusTable, name: str, at: Any) -> str:
    """Return the first symbol of some cells that says there is no value, else one beside it."""
    marks = table.marks(name)
    if marks is None:
        return ""
    told = [str(one) for one in marks[at] if one]
    return next((one for one in told if one in MISSING), told[0] if told else "")
