"""The page that compares: up to four areas side by side, and the numbers it loads.

Without a script it is a list of the areas and of the indicators, each of whose pages has all areas
in one table. Only numbers that the audience may see are written; an estimate has its range alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from lipgeo.portal.indicators.dictionary import Dictionary
from lipgeo.portal.observations import QUANTITY
from lipgeo.portal.pages.blocks import (
    Material,
    Row,
    boundary_notices,
    count_text,
    form_of,
    measured,
    period_text,
    range_text,
    rows_in_order,
    subject_text,
    value_text,
)
from lipgeo.portal.pages.differences import CLOSE_POINTS, LEAST_POINTS, Measured
from lipgeo.report import fill_template, script_json
from lipgeo.words import language, say

if TYPE_CHECKING:
    from lipgeo.portal.pages.site_state import SiteState

__all__ = ["DATA", "write_compare_page"]

#: the folder of the numbers that the page loads, a file an area and language
DATA = "data"
#: areas side by side
_PLACES = 4
#: rules whose numbers of two areas may be held against each other
_COMPARED = ("percent", "rate")


def _subjects(frame: pd.DataFrame, known: Dictionary) -> list[Row]:
    """Return the numbers there are to compare, one row each, in the order of the dictionary."""
    told = frame[frame["indicator"].map(known.frame["status"]).ne("delivered")]
    order = {code: at for at, code in enumerate(known.frame.index)}
    keys = list(QUANTITY[2:])
    # of a list, the place where a row is greatest says where it stands
    rows = told.sort_values("value", ascending=False, kind="stable").drop_duplicates(keys)
    mine: dict[str, list[Row]] = {}
    for row in rows.to_dict("records"):
        mine.setdefault(row["indicator"], []).append(row)
    return [
        row
        for code in sorted(mine, key=order.__getitem__)
        for row in rows_in_order(mine[code], form_of(known, code)[0])
    ]


def _numbers(
    mine: Iterable[Row], at: Mapping[tuple[str, ...], int], dictionary: Dictionary
) -> list[Any]:
    """Return a cell for each subject: value, range, origin, what a difference is of, count."""
    cells: list[Any] = [None] * len(at)
    for row in mine:
        place = at.get(tuple(row[key] for key in QUANTITY[2:]))
        if place is None:
            continue
        rule, decimals = form_of(dictionary, row["indicator"])
        guess = row["origin"] == "estimated"
        held = _held(measured(row), guess=guess) if rule in _COMPARED else None
        texts = [value_text(row, rule, decimals), range_text(row, rule, decimals)]
        origin, count = say(f"site.origin_{row['origin']}"), count_text(row, rule)
        cells[place] = [*texts, origin, held, int(guess), count]
    return cells


def _held(one: Measured, *, guess: bool) -> list[float | None] | None:
    """Return what the script makes a difference of, ``None`` where there is nothing to hold."""
    # of an estimate the middle of its range stands for it: its value is not told
    middle = (one.low + one.high) / 2 if guess else one.value
    if np.isnan(middle):
        return None
    low, high = (one.low, one.high) if one.ranged else (None, None)
    return [middle, low, high, int(one.likely)]


def write_compare_page(
    state: SiteState,
    material: Material,
    made: Path,
    areas: list[tuple[str, str, pd.Series]],
    **parts: Any,
) -> str:
    """Write the numbers that the page loads, and return the page in the language in force.

    Parameters
    ----------
    state, material
        What the site is made from, and what its areas are told from in the language in force.
    made
        The site's folder.
    areas
        Slug, name and row of each area.
    parts
        ``links, lists, texts`` of the page.
    """
    lang = language()
    known = state.portal.dictionary
    subjects = _subjects(state.frame, known)
    at = {tuple(row[key] for key in QUANTITY[2:]): place for place, row in enumerate(subjects)}
    told = []
    for row in subjects:
        rule, _ = form_of(known, row["indicator"])
        name = subject_text(row, known.name(row["indicator"]))
        told.append([name, period_text(row), int(rule in _COMPARED)])
    listed = []
    for slug, name, area in areas:
        mine = state.rows_by_area.get((area["area_id"], area["definition"]))
        if mine is None:
            continue
        listed.append((slug, name))
        said = {"name": name, "numbers": _numbers(mine, at, known)}
        if notices := boundary_notices(material, area):
            said["notices"] = [
                say("dashboard.compare_notice", place=name, notice=one) for one in notices
            ]
        text = script_json(said)
        file = made / DATA / state.name(f"{slug}-{lang}", "js")
        file.write_text(
            f"lipgeoCompare.area({script_json(slug)},{text});\n", encoding="utf-8", newline="\n"
        )
    start = {
        "lang": lang,
        "data": f"{DATA}/" if lang == "en" else f"../{DATA}/",
        "end": state.name(f"-{lang}", "js"),
        "areas": listed,
        "subjects": told,
        "rule": {"least": LEAST_POINTS, "close": CLOSE_POINTS},
        "words": _words(),
    }
    places = [say("dashboard.compare_place", which=one) for one in range(1, _PLACES + 1)]
    words = {
        "nav": say("site.nav"),
        "skip": say("site.skip"),
        "choose": say("dashboard.compare_choose"),
        "nobody": say("dashboard.compare_nobody"),
        "places": places,
    }
    return fill_template(
        "portal/pages/compare_page.html.jinja",
        title=say("dashboard.page_compare"),
        words=words,
        areas=listed,
        start=Markup(script_json(start)),
        footer=say("dashboard.footer"),
        running=say("site.running", name=say("dashboard.page_compare"), of=[state.title]),
        **parts,
    )


def _words() -> dict[str, str]:
    """Return the words the script says, with its own marks for what it fills in."""
    blank = {"place": "{place}", "value": "{value}"}
    return {
        "indicator": say("site.head_indicator"),
        "period": say("site.head_period"),
        "none": say("site.no_number"),
        "close": say("dashboard.compare_close", place="{place}"),
        "higher": say("dashboard.compare_higher", place="{place}"),
        "lower": say("dashboard.compare_lower", place="{place}"),
        "higher_by": say("dashboard.compare_higher_by", **blank),
        "lower_by": say("dashboard.compare_lower_by", **blank),
    }
