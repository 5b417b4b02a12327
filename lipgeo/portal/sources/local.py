"""Local data and survey results: plain tables, with the rules of small counts.

A number without unit, universe, date or source is refused. Of a survey, a question with fewer than
five answers is withheld, and any category of 1 to 4 with what would give it away; no cross-table
where fewer than twenty answered. What is withheld is not stored.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.errors import InputError
from lipgeo.geography.hierarchy import fold
from lipgeo.portal.indicators.dictionary import RULES
from lipgeo.portal.observations import COLUMNS, NUMBERS, make_observations
from lipgeo.portal.sources.intake import Intake, Known
from lipgeo.readers.statcan.cells import read_cells
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.words import say

__all__ = [
    "FEWEST_ANSWERS",
    "FEWEST_CROSSED",
    "from_frame",
    "from_local",
    "from_survey",
    "local_code",
    "numbers_of",
]

#: answers a question needs to be shown at all; a category has either none or as many
FEWEST_ANSWERS = 5
#: people who answered that a cross-table needs (a council under twenty is known by name)
FEWEST_CROSSED = 20
#: what a reported frame may carry beside the columns of the long table
_BESIDE = ("name_en", "name_fr", "topic", "unit", "rule", "decimals", "date")
_UNIT_RULES = {"%": "percent", "percent": "percent", "pct": "percent", "pourcentage": "percent"}


def local_code(name: str, prefix: str = "local") -> str:
    """Return the code of an indicator of one's own: its words, and a mark that keeps it apart.

    Examples
    --------
    >>> from lipgeo.portal.sources.local import local_code
    >>> local_code("Newcomers served").startswith("local-newcomersserved-")
    True
    """
    mark = hashlib.sha256(fold(name).encode("utf-8")).hexdigest()[:8]
    return f"{prefix}-{fold(name)[:24]}-{mark}"


def numbers_of(values: pd.Series, name: str) -> tuple[Any, Any]:
    """Return numbers and symbols of cells, refusing what is neither."""
    text = values.astype("string").str.strip().replace("", pd.NA)
    numbers, symbols, unread = read_cells(text.str.removesuffix("%").str.strip())
    if unread.any():
        problems = [
            {"row": values.index[at], "column": values.name, "given": str(values.iloc[at])}
            for at in np.flatnonzero(unread)
        ]
        cells = [f"{one['column']} {one['row']}: {one['given']}" for one in problems]
        raise InputError("portal.not_numbers", problems, name=name, cells=cells)
    return numbers, symbols


def _require(frame: pd.DataFrame, columns: tuple[str, ...], name: str) -> None:
    """Refuse rows that lack what a number needs to mean anything; one error lists them all."""
    problems = [
        {"row": row, "column": column, "problem": say("portal.cell_missing", column=column)}
        for column in columns
        for row in frame.index[frame[column].fillna("").astype(str).str.strip().eq("")]
    ]
    if problems:
        rows = [f"{one['row']}: {one['column']}" for one in problems]
        raise InputError("portal.cells_missing", problems, name=name, rows=rows)


def _codes(frame: pd.DataFrame, column: str, known: Known, prefix: str) -> dict[str, str]:
    """Return the indicator each name stands for: a code of the portal, else one of its own."""
    found = {}
    for given in dict.fromkeys(frame[column]):
        code = given if given in known.dictionary else local_code(given, prefix)
        found[given] = code
    return found


def _own(frame: pd.DataFrame, column: str, codes: dict[str, str], known: Known) -> pd.DataFrame:
    """Return the indicators that a local table brings."""
    first = frame.drop_duplicates(column)
    rows = []
    for one in first.to_dict("records"):
        code = codes[one[column]]
        if code in known.dictionary:
            continue
        unit = str(one.get("unit", "")).strip()
        rows.append(
            {
                "code": code,
                "topic": one.get("topic") or "local",
                "name_en": one.get("name_en") or str(one[column]),
                "name_fr": one.get("name_fr") or one.get("name_en") or str(one[column]),
                "definition_en": unit,
                "definition_fr": unit,
                "rule": one.get("rule") or _UNIT_RULES.get(unit.casefold(), "count"),
                "universe": one.get("universe", ""),
                "status": "local",
                "needs": "local",
                "certainty": "local",
            }
        )
    return pd.DataFrame(rows)


def from_local(frame: pd.DataFrame, known: Known, name: str) -> Intake:
    """Return what a plain local table brings.

    Parameters
    ----------
    frame
        ``area_id, indicator, date, value, unit, universe, source`` are needed; ``name_en,
        name_fr, category, group, gender, licence`` are read where they are there.
    known
        What the portal knows.
    name
        How messages call it.

    Raises
    ------
    InputError
        A unit, universe, date, source or area is missing, or a value is no number.
    """
    frame = _columns(frame, ("area_id", "indicator", "date", "unit", "universe", "source"), name)
    _require(frame, ("area_id", "indicator", "date", "unit", "universe", "source"), name)
    values, symbols = numbers_of(frame["value"], name)
    codes = _codes(frame, "indicator", known, "local")
    places, more = known.places(frame["area_id"])
    rows = _reported(frame, frame["indicator"].map(codes), places, value=values, symbol=symbols)
    own = _own(frame, "indicator", codes, known)
    rows, hidden = _few(rows, _counted(rows, own, known))
    return Intake(
        rows=rows,
        kind="reported",
        areas=more,
        indicators=own,
        report=CheckReport(hidden),
    )


def _reported(
    frame: pd.DataFrame, indicator: pd.Series, places: pd.DataFrame, **numbers: Any
) -> pd.DataFrame:
    """Return rows of the long table from what local data and surveys say alike, and numbers."""
    place = places.loc[frame["area_id"]]
    told = ("category", "group", "gender", "universe", "source", "licence")
    return make_observations(
        {
            "area_id": place["area_id"].to_numpy(),
            "definition": place["definition"].to_numpy(),
            "indicator": indicator.to_numpy(),
            **{key: frame[key].to_numpy() for key in told},
            "period": frame["date"].to_numpy(),
            "origin": "reported",
            **numbers,
        }
    )


def _columns(frame: pd.DataFrame, needed: tuple[str, ...], name: str) -> pd.DataFrame:
    frame = frame.rename(columns={one: str(one).strip().casefold() for one in frame.columns})
    lacking = [one for one in needed if one not in frame]
    if lacking:
        raise InputError(
            "portal.columns_missing", name=name, missing=lacking, found=list(frame.columns)
        )
    optional = (
        *("name_en", "name_fr", "topic", "category", "group", "gender", "licence", "rule"),
        *("value", "answers", "responses", "unit"),
    )
    for one in optional:
        if one not in frame:
            frame[one] = ""
    return frame.astype("string").fillna("").astype(object)


def _few(rows: pd.DataFrame, counts: Any) -> tuple[pd.DataFrame, list[Finding]]:
    """Withhold counts of 1 to 4 in a category of local data, and what would give them away."""
    value = rows["value"]
    few = counts & value.between(0.5, FEWEST_ANSWERS - 0.5) & rows["category"].ne("")
    return _withhold(rows, few, value.where(counts).to_numpy())


def _withhold(rows: pd.DataFrame, few: Any, people: Any) -> tuple[pd.DataFrame, list[Finding]]:
    """Take numbers out, and with them the next smallest until subtraction tells nothing.

    Of one question, one number alone is what is left of the total; and several that together are
    fewer than five are as telling as one.
    """
    few = np.asarray(few, dtype=bool).copy()
    keys = ["area_id", "definition", "indicator", "group", "gender", "period"]
    for place in rows.groupby(keys, sort=False).indices.values():
        if not few[place].any():
            continue
        there = np.nan_to_num(people[place])
        for at in np.argsort(np.where(there > 0, there, np.inf), kind="stable"):
            hidden = few[place] & (there > 0)
            if hidden.sum() > 1 and there[hidden].sum() >= FEWEST_ANSWERS:
                break
            if there[at] > 0:
                few[place[at]] = True
    found = []
    if few.any():
        rows = rows.copy()
        rows.loc[few, list(NUMBERS)] = np.nan
        rows.loc[few, "flags"] = "withheld_few"
        found.append(
            finding("portal.withheld_few", "note", "", value=float(few.sum()), count=int(few.sum()))
        )
    return rows, found


def _counted(rows: pd.DataFrame, own: pd.DataFrame, known: Known) -> Any:
    """Return which rows are counts, by the rule of their indicator."""
    rules = known.dictionary.frame["rule"]
    if len(own):
        rules = pd.concat([rules, own.set_index("code")["rule"]])
    return rows["indicator"].map(rules).eq("count")


def from_survey(frame: pd.DataFrame, known: Known, name: str) -> Intake:
    """Return what a table of survey results brings: each answer as a percentage of responses.

    Parameters
    ----------
    frame
        ``area_id, question, category, date, answers, responses, universe, source`` are needed;
        ``name_en, name_fr, group, gender, licence`` are read where they are there.
    known
        What the portal knows.
    name
        How messages call it.

    Returns
    -------
    Intake
        ``value`` in percent and ``denominator_value`` the responses. Withheld (flag
        ``withheld_few``): questions with fewer than five responses, categories of 1 to 4 and
        their complement, cross-tables where fewer than twenty answered.

    Raises
    ------
    InputError
        Something needed is missing, or a count is no whole number, or above the responses.
    """
    needed = ("area_id", "question", "date", "answers", "responses", "universe", "source")
    frame = _columns(frame, needed, name)
    _require(frame, needed, name)
    answers, _ = numbers_of(frame["answers"], name)
    responses, _ = numbers_of(frame["responses"], name)
    wrong = ~((answers >= 0) & (answers <= responses) & (answers % 1 == 0) & (responses % 1 == 0))
    if wrong.any():
        problems = [
            {"row": frame.index[at], "answers": frame["answers"].iloc[at],
             "responses": frame["responses"].iloc[at]}
            for at in np.flatnonzero(wrong)
        ]  # fmt: skip
        shown = [f"{one['row']}: {one['answers']} / {one['responses']}" for one in problems]
        raise InputError("portal.survey_counts", problems, name=name, rows=shown)
    codes = _codes(frame, "question", known, "survey")
    places, more = known.places(frame["area_id"])
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 100 * answers / responses
    rows = _reported(
        frame, frame["question"].map(codes), places, value=share, denominator_value=responses
    )
    few = _few_answers(rows, answers, responses)
    rows, found = _withhold(rows, few, answers)
    # how many answered is always shown, but where the question itself is withheld
    told = responses >= FEWEST_ANSWERS
    rows["denominator_value"] = np.where(told, responses, np.nan)
    own = _own(frame.assign(rule="percent"), "question", codes, known)
    return Intake(rows=rows, kind="reported", areas=more, indicators=own, report=CheckReport(found))


def _few_answers(rows: pd.DataFrame, answers: Any, responses: Any) -> Any:
    few = (answers > 0) & (answers < FEWEST_ANSWERS)
    # all but 1 to 4 who answered tells as much as the 1 to 4
    rest = responses - answers
    few |= (rest > 0) & (rest < FEWEST_ANSWERS)
    few |= responses < FEWEST_ANSWERS
    crossed = (rows["group"].ne("total") | rows["gender"].ne("total")).to_numpy()
    whole = ["area_id", "definition", "indicator", "period"]
    asked = pd.Series(responses).groupby([rows[key] for key in whole]).transform("max").to_numpy()
    return few | (crossed & (asked < FEWEST_CROSSED))


def from_frame(frame: pd.DataFrame, known: Known, name: str) -> Intake:
    """Return what a frame in the long table's own columns brings, ``reported`` by default.

    Parameters
    ----------
    frame
        ``area_id, indicator, period, value`` and any other columns of the long table; beside them
        ``name_en, name_fr, topic, unit, rule`` of indicators the portal does not know.
    known
        What the portal knows.
    name
        How messages call it.

    Raises
    ------
    InputError
        A column is unknown or missing; an indicator is unknown and has no name; a reported number
        has no universe or source.
    """
    strange = [one for one in frame.columns if one not in (*COLUMNS, *_BESIDE)]
    lacking = [one for one in ("area_id", "indicator", "period", "value") if one not in frame]
    if strange or lacking:
        raise InputError("portal.frame_columns", name=name, missing=lacking, strange=strange)
    # rows of a file are told by their line
    lines, frame = frame.index, frame.reset_index(drop=True)
    origin = frame["origin"] if "origin" in frame else pd.Series("reported", index=frame.index)
    reported = origin.fillna("reported").eq("reported")
    told = {one: frame[one] if one in frame else pd.Series("", index=frame.index)
            for one in ("universe", "source")}  # fmt: skip
    bare = pd.DataFrame({"area_id": frame["area_id"], **told})[reported]
    _require(bare.set_index(lines[reported]), ("area_id", "universe", "source"), name)
    given = frame["indicator"].astype(str)
    unknown = [one for one in dict.fromkeys(given) if one not in known.dictionary]
    names = frame["name_en"] if "name_en" in frame else pd.Series("", index=frame.index)
    names = names.astype("string").fillna("")
    nameless = [one for one in unknown if not names[given.eq(one)].iloc[0]]
    if nameless:
        problems = [{"indicator": one} for one in nameless]
        raise InputError("portal.unknown_indicators", problems, name=name, codes=nameless)
    rules = [one for one in frame.get("rule", pd.Series(dtype=object)).dropna().unique() if one]
    if wrong := [one for one in rules if one not in RULES]:
        raise InputError("portal.bad_rules", name=name, rules=wrong, known=list(RULES))
    places, more = known.places(frame["area_id"])
    place = places.loc[frame["area_id"].astype(str)]
    columns = {
        one: frame[one] for one in COLUMNS if one in frame and one not in ("release", "supersedes")
    }
    for one in NUMBERS:
        # cells of a file are text: what is neither number nor symbol is refused, never left out
        if one in columns and not pd.api.types.is_numeric_dtype(columns[one]):
            columns[one], symbols = numbers_of(columns[one].set_axis(lines), name)
            if one == "value" and "symbol" not in columns:
                columns["symbol"] = symbols
    columns |= {"area_id": place["area_id"].to_numpy(), "origin": origin.fillna("reported")}
    if "definition" not in frame:
        columns["definition"] = place["definition"].to_numpy()
    codes = {one: one for one in dict.fromkeys(given)}
    words = {one: frame[one].astype("string").fillna("") for one in frame if one not in NUMBERS}
    own = _own(pd.DataFrame({**words, "indicator": given}), "indicator", codes, known)
    rows = make_observations(pd.DataFrame(columns))
    # Statistics Canada has looked at its own small counts
    mine = rows["origin"].eq("reported") & _counted(rows, own, known)
    rows, hidden = _few(rows, mine)
    return Intake(
        rows=rows,
        kind="reported",
        areas=more,
        indicators=own,
        report=CheckReport(hidden),
    )
