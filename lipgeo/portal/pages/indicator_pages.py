"""A page an indicator: all areas, a map, what it is, its rows in each census, what compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from lipgeo.portal.indicators.dictionary import Dictionary, universe_words
from lipgeo.portal.pages.blocks import (
    HEADS,
    Material,
    Row,
    count_text,
    measured,
    name_order,
    period_text,
    range_text,
    remark_text,
    rows_in_order,
    source_text,
    subject_text,
    value_text,
    written,
)
from lipgeo.words import language, number, say

if TYPE_CHECKING:
    from lipgeo.portal.pages.site_state import SiteState

__all__ = ["Told", "class_edges", "indicator_parts", "indicator_slug", "told_indicators"]

#: how a page of an indicator is called; no area's page begins so
INDICATOR = "indicator--"
#: classes of the map: a colour and a size each, so that neither tells alone
_MARKS = (
    'r="5" fill="#c6dbef" stroke="#08306b"',
    'r="7" fill="#6baed6" stroke="#08306b"',
    'r="9" fill="#2171b5" stroke="#08306b"',
    'r="11" fill="#08306b" stroke="#08306b"',
)
_NO_MARK = 'r="5" fill="#fff" stroke="#555" stroke-dasharray="2"'


def indicator_slug(code: str) -> str:
    """Return the file name of an indicator's page."""
    return INDICATOR + code


@dataclass(frozen=True)
class Told:
    """What pages of indicators are made from, gathered once a language.

    Attributes
    ----------
    dictionary
        The indicators.
    listed
        Codes of the indicators that are told of, in the dictionary's order.
    numbers
        Code to its rows of the long table.
    rows
        Code to its rows in the censuses.
    pairs
        Code to its pairs of censuses; ``*`` is for all.
    """

    dictionary: Dictionary
    listed: list[str]
    numbers: Mapping[str, list[Row]]
    rows: Mapping[str, list[Row]]
    pairs: Mapping[str, list[Row]]


def told_indicators(state: SiteState) -> Told:
    """Return the indicators that are told of: agreed ones, and those there are numbers of."""
    known = state.portal.dictionary
    frame = known.frame
    told = frame["status"].isin(["core", "extended"]) | frame.index.isin(state.frame["indicator"])
    return Told(
        known,
        [str(code) for code in frame.index[told & frame["status"].ne("delivered")]],
        state.rows_by_indicator,
        _by_code(known.rows.sort_values("census", kind="stable")),
        _by_code(known.comparability),
    )


def _by_code(frame: pd.DataFrame) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in frame.to_dict("records"):
        found.setdefault(str(row["code"]), []).append(row)
    return found


def indicator_parts(  # noqa: PLR0917
    state: SiteState,
    material: Material,
    told: Told,
    code: str,
    areas: list[tuple[str, str, pd.Series]],
    places: Mapping[tuple[str, str], tuple[str, str]],
) -> dict[str, Any]:
    """Return what stands on the page of an indicator, in the language in force.

    Parameters
    ----------
    state, material
        What the site is made from, and what its areas are told from.
    told
        The indicators and their numbers.
    code
        The indicator.
    areas
        Slug, name and row of each area; the table has them by name, never by their numbers.
    places
        Area and definition to its point on the map.
    """
    fact = told.dictionary[code]
    mine = told.numbers[code]
    universe = universe_words().get(str(fact["universe"]))
    texts = [str(fact[f"definition_{language()}"])]
    if universe is not None:
        texts.append(say("dashboard.counted", who=universe[0 if language() == "en" else 1]))
    texts.append(say(f"dashboard.rule_{fact['rule']}"))
    form = (str(fact["rule"]), int(fact["decimals"]))
    marks, legend, note = _marks(form, mine, areas, places)
    return {
        "texts": [one for one in [*texts, note] if one],
        "marks": marks,
        "legend": legend,
        "tables": [*_all_areas(state, material, form, mine, areas), *_pairs(told, code)],
        "foreign": _rows(told.rows.get(code, [])),
    }


def _all_areas(
    state: SiteState,
    material: Material,
    form: tuple[str, int],
    mine: list[Row],
    areas: list[tuple[str, str, pd.Series]],
) -> Iterable[tuple[str, list[str], list[Any]]]:
    several = len({(row["category"], row["group"], row["gender"]) for row in mine}) > 1
    by_area: dict[tuple[str, str], list[Row]] = {}
    for row in mine:
        by_area.setdefault((row["area_id"], row["definition"]), []).append(row)
    rows = []
    for slug, name, area in sorted(areas, key=lambda one: (name_order(one[1]), one[0])):
        newer: dict[tuple[str, ...], Any] = {}
        for row in rows_in_order(by_area.get((area["area_id"], area["definition"]), ()), form[0]):
            part = (row["category"], row["group"], row["gender"])
            remark = remark_text(material, area, row, newer.get(part))
            newer[part] = row
            period = period_text(row)
            out_of = row["denominator_value"]
            # what an estimate is of is an estimate too, and its middle is not told
            shut = row["origin"] == "estimated" or np.isnan(out_of) or np.isnan(row["value"])
            whole = count_text(row, form[0]) or ("" if shut else number(float(out_of)))
            who = [subject_text(row, "")] if several else []
            rows.append(
                [
                    (state.name(slug), name),
                    *who,
                    say("site.beside", value=period, words=remark) if remark else period,
                    value_text(row, *form),
                    *(range_text(row, *form), whole),
                    *(say(f"site.origin_{row['origin']}"), source_text(row)),
                ]
            )
    names = [*HEADS[1:2], *(["who"] if several else []), *HEADS[2:]]
    heads = [say("dashboard.head_who") if one == "who" else say(f"site.head_{one}")
             for one in names]  # fmt: skip
    if rows:
        yield say("dashboard.all_areas"), heads, rows


def _pairs(told: Told, code: str) -> Iterable[tuple[str, list[str], list[Any]]]:
    rows = [
        [
            say("dashboard.pair", first=one["from_census"], second=one["to_census"]),
            say(f"dashboard.verdict_{one['verdict']}"),
            one[f"reason_{language()}"],
        ]
        for one in [*told.pairs.get(code, ()), *told.pairs.get("*", ())]
    ]
    heads = [say(f"dashboard.head_{one}") for one in ("censuses", "comparable", "reason")]
    if rows:
        yield say("dashboard.comparability"), heads, rows


def _rows(mine: list[Row]) -> list[tuple[str, list[str], list[Any], str]]:
    """Return where the indicator stands in each census, in the profile's own English words."""
    cells = ("census", "words", "numerator", "denominator_words", "sample", "certainty")
    rows = [[one[name] for name in cells] for one in mine]
    names = ("census", "words", "row", "denominator", "sample", "certainty")
    heads = [say(f"dashboard.head_{one}") for one in names]
    note = say("dashboard.rows_note")
    return [(say("dashboard.rows"), heads, rows, note)] if rows else []


def _marks(
    form: tuple[str, int],
    mine: list[Row],
    areas: list[tuple[str, str, pd.Series]],
    places: Mapping[tuple[str, str], tuple[str, str]],
) -> tuple[list[tuple[str, str, Markup, str]], list[tuple[Markup, str]], str]:
    """Return a mark an area for the newest census, their legend, and what the map is of."""
    total = {"category": "", "group": "total", "gender": "total"}
    whole = [row for row in mine if all(row[key] == of for key, of in total.items())]
    if not places or not whole or form[0] == "list":
        return [], [], ""
    newest = max(row["period"] for row in whole)
    rows = {(row["area_id"], row["definition"]): row for row in whole if row["period"] == newest}
    values = {key: measured(row).value for key, row in rows.items() if row["origin"] != "estimated"}
    values = {key: value for key, value in values.items() if not np.isnan(value)}
    edges = class_edges(list(values.values()))
    marks = []
    for _, name, area in areas:
        key = (area["area_id"], area["definition"])
        if key not in places:
            continue
        if key in values:
            at = int(np.clip(np.searchsorted(edges, values[key], side="right") - 1, 0, 3))
            mark, text = _MARKS[at], value_text(rows[key], *form)
        else:
            mark, text = _NO_MARK, say("site.no_number")
        # packaged marks only: no text of a user is in them
        title = say("dashboard.mark", name=name, value=text)
        marks.append((*places[key], Markup(mark), title))
    legend = [
        (
            Markup(mark),
            say("site.range", low=written(low, *form), high=written(high, *form)),
        )
        for mark, low, high in zip(_MARKS, edges[:-1], edges[1:], strict=False)
    ]
    legend.append((Markup(_NO_MARK), say("dashboard.no_mark")))
    period = period_text(next(iter(rows.values())))
    return marks, legend, say("dashboard.map_of", period=period)


def class_edges(values: list[float]) -> list[float]:
    """Return the bounds of classes of one width, rounded outwards."""
    if not values:
        return []
    low, high, count = min(values), max(values), len(_MARKS)
    step = max((high - low) / count, 10.0 ** np.floor(np.log10(max(abs(high), 1.0)) - 2))
    unit = 10.0 ** np.floor(np.log10(step))
    step = float(np.ceil(step / unit) * unit)
    first = float(np.floor(low / step) * step)
    while first + step * count < high:
        # the first bound was rounded down, so the last may fall short
        step = float(step + unit)
        first = float(np.floor(low / step) * step)
    return [first + step * at for at in range(count + 1)]
