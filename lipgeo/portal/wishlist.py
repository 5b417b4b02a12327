"""What to order next: the most-wanted empty places, by the partnerships' own priorities.

A place is an area and an indicator. The sheet *wishes* of ``portal.xlsx`` says what each
partnership wants first; the tables that would fill the places are listed as ``lipgeo order`` takes
them, the cost left blank, with what is likely to come back suppressed and whom to ask.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lipgeo.errors import InputError, OrderError
from lipgeo.files import MANIFEST, files_in_one_move, require_free_file, write_csv
from lipgeo.geography.floors import floor_persons, floors_of_universe
from lipgeo.geography.hierarchy import vintages
from lipgeo.order.manifest import read_order
from lipgeo.portal.areas import resolve_area
from lipgeo.portal.coming import add_expected
from lipgeo.portal.observations import EMPTY, HIDDEN, shown
from lipgeo.registry.coverage import gaps
from lipgeo.words import language, say

if TYPE_CHECKING:
    from lipgeo.portal.indicators.dictionary import Dictionary
    from lipgeo.portal.portal import Portal

__all__ = ["STATES", "Wishlist", "make_wishlist", "sentences_of_orders"]

#: what a place can be
STATES = ("have", "suppressed", "ordered", "estimated", "expected", "empty")
#: ... and still be wanted
_WANTED = ("estimated", "empty")
#: priorities a partnership may give, and what a place counts then
_WEIGHTS = {"1": 3, "2": 2, "3": 1}
_INCOME = ("wage", "income")
PLACE_COLUMNS = (
    *("area_id", "definition", "indicator", "table", "status", "priority", "population"),
    *("expected", "reason", "consortia", "coverage", "ask"),
)
TABLE_COLUMNS = (
    *("table", "title", "universe", "variables", "cost", "priority", "wanted_by", "places"),
    *("released", "suppressed", "unknown", "indicators", "ask"),
)


@dataclass(frozen=True)
class Wishlist:
    """The tables to order next, and the places they would fill.

    Attributes
    ----------
    tables
        One row a table, the most wanted first: ``table, title, universe, variables`` as
        ``lipgeo order`` takes them; ``cost`` (empty), ``priority`` (the first any partnership
        gave, empty where none did), ``wanted_by`` (areas), ``places`` (empty ones),
        ``released, suppressed, unknown`` (of these, what is likely to come back), ``indicators``,
        ``ask``.
    places
        One row an area and indicator: ``area_id, definition, indicator, table``; ``status``:
        one of :data:`STATES`; ``priority`` (``1`` to ``3``, empty where nobody asked);
        ``population`` (people, missing where unknown); ``expected`` (``released``,
        ``suppressed``, ``unknown``) and ``reason`` (the name of the floor); ``consortia``,
        ``coverage`` (``covered, partly, not_covered, unknown``), ``ask`` (a sentence).
    """

    tables: pd.DataFrame
    places: pd.DataFrame

    def write(self, path: str | Path, *, replace: bool = False) -> tuple[Path, Path]:
        """Write the list of tables, and the places beside it (``NAME-places.csv``); both or none.

        Parameters
        ----------
        path
            The CSV file of tables.
        replace
            Whether earlier ones give way in which nobody wrote.

        Raises
        ------
        OutputError
            Something stands there, or a file cannot be written.
        """
        target, beside = require_free_wishlist(path, replace=replace)
        with files_in_one_move([target, beside]) as temporary:
            write_csv(self.tables, temporary[0])
            write_csv(self.places, temporary[1])
        return target, beside


def require_free_wishlist(path: str | Path, *, replace: bool = False) -> tuple[Path, Path]:
    """Return where a wishlist and its places may be written; look before the work begins.

    Raises
    ------
    OutputError
        Something stands at either.
    """
    target = Path(path)
    beside = target.with_name(f"{target.stem}-places.csv")
    for file in (target, beside):
        require_free_file(file, replace=replace)
    return target, beside


def make_wishlist(portal: Portal) -> Wishlist:
    """Return what to order next for a portal.

    Places are of the newest census the portal has numbers of; of tables by tax years any year
    fills a place. Places of an order in the portal's folder ``orders`` that has not come yet are
    ``ordered``. Suppression is predicted from the population and the floors of persons; the floor
    of households is not tested, as a portal does not know them.

    Raises
    ------
    InputError
        Rows of the sheet *wishes* name areas, indicators or priorities there are none of; all at
        once.
    """
    areas = portal.areas
    areas = areas[areas["kind"].isin(["", "partnership", "community"])]
    facts = portal.dictionary.frame
    facts = facts[facts["status"].isin(["core", "extended"]) & facts["needs"].ne("local")]
    whole = portal.frame()
    frame = shown(add_expected(whole, whole, portal.coming, portal.dictionary))
    newest = _newest(frame)
    wanted = _wishes(portal, areas, facts)
    held = _held(frame, newest)
    ordered = _ordered(portal)
    people = _people(portal, frame)
    coverage = _coverage()
    tables = {str(code): _table_of(str(code), fact) for code, fact in facts.iterrows()}
    rows = []
    for area in areas.to_dict("records"):
        key = (str(area["area_id"]), str(area["definition"]))
        levels = [one.partition(":")[0] for one in str(area["units"]).split(";") if one.strip()]
        named = coverage.loc[key[0]] if key[0] in coverage.index else None
        for code, table in tables.items():
            status = held.get((*key, code), "empty")
            if status in _WANTED and (*key, table["table"]) in ordered:
                status = "ordered"
            likely, why = _expected(people.get(key, np.nan), levels, table["universe"], newest)
            rows.append(
                {
                    "area_id": key[0],
                    "definition": key[1],
                    "indicator": code,
                    "table": table["table"],
                    "status": status,
                    "priority": wanted.get((*key, code), ""),
                    "population": people.get(key, np.nan),
                    "expected": likely,
                    "reason": why,
                    "consortia": "" if named is None else named["consortia"],
                    "coverage": "unknown" if named is None else named["status"],
                    "ask": _whom(table["needs"], named),
                }
            )
    places = pd.DataFrame(rows, columns=list(PLACE_COLUMNS))
    return Wishlist(_tables(places, facts), places)


# ---------------------------------------------------------------------- what there is


def _newest(frame: pd.DataFrame) -> int:
    """Return the newest census there are numbers of, else the newest there is."""
    years = {int(one) for one in frame["period"].unique() if re.fullmatch(r"\d{4}", one)}
    known = years & set(vintages())
    return max(known) if known else max(vintages())


def _held(frame: pd.DataFrame, newest: int) -> dict[tuple[str, str, str], str]:
    """Return what places are filled with, those without a row left out."""
    rows = frame[~frame["period"].str.fullmatch(r"\d{4}") | frame["period"].eq(str(newest))]
    found: dict[tuple[str, str, str], str] = {}
    for row in rows.itertuples():
        if row.symbol in HIDDEN:
            state = "suppressed"
        elif row.symbol in EMPTY:
            state = "expected" if row.symbol == "expected" else "empty"
        else:
            state = "estimated" if row.origin == "estimated" else "have"
        key = (row.area_id, row.definition, row.indicator)
        if key not in found or STATES.index(state) < STATES.index(found[key]):
            found[key] = state
    return found


def _ordered(portal: Portal) -> set[tuple[str, str, str]]:
    """Return area, definition and table of the orders that lie in the portal's folder."""
    found = set()
    areas = portal.areas
    for place in sorted((portal.folder / "orders").glob("*")):
        if not (place / MANIFEST).is_file():
            continue
        try:
            manifest = read_order(place).manifest
        except OrderError:
            continue
        for area in manifest["areas"]:
            try:
                key = resolve_area(str(area["area_id"]), areas)
            except InputError:
                continue
            found |= {(*key, str(one["table"])) for one in manifest.get("tables", [])}
    return found


def _people(portal: Portal, frame: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return how many people live in each area: as told, else the sum over its units."""
    units = portal.units
    sums = units.groupby(["area_id", "definition", "vintage"])["population"].sum(min_count=1)
    found: dict[tuple[str, str], float] = {}
    for (area, definition, _), value in sums.dropna().items():
        found[area, definition] = float(value)
    total = {"indicator": "population", "category": "", "group": "total", "gender": "total"}
    told = frame[frame["value"].notna()]
    for name, of in total.items():
        told = told[told[name].eq(of)]
    for row in told.sort_values("period", kind="stable").itertuples():
        found[row.area_id, row.definition] = float(row.value)
    return found


# ---------------------------------------------------------------------- what is wanted


def _wishes(
    portal: Portal, areas: pd.DataFrame, facts: pd.DataFrame
) -> dict[tuple[str, str, str], str]:
    """Return the priority of each place that a partnership asked for."""
    found: dict[tuple[str, str, str], str] = {}
    problems: list[dict[str, Any]] = []
    topics = facts["topic"]
    for at, row in enumerate(portal.book["wishes"].to_dict("records"), start=2):
        priority = row["priority"] or "3"
        asked = row["indicator"]
        every = asked == "*"
        codes = list(facts.index[every | topics.eq(asked) | (facts.index == asked)])
        places = _places(row["area_id"], areas)
        for wrong, problem in (
            (not places, "portal.wish_area"),
            (not codes, "portal.wish_indicator"),
            (priority not in _WEIGHTS, "portal.wish_priority"),
        ):
            if wrong:
                told = say(problem, area=row["area_id"], indicator=asked, priority=priority)
                problems.append({"row": at, "problem": told})
        for area, definition in places:
            for code in codes:
                key = (area, definition, str(code))
                found[key] = min(found.get(key, priority), priority)
    if problems:
        lines = [f"{one['row']}: {one['problem']}" for one in problems]
        raise InputError("portal.wishes_refused", problems, rows=lines)
    return found


def _places(given: str, areas: pd.DataFrame) -> list[tuple[str, str]]:
    name, _, definition = given.partition("@")
    mine = areas if given == "*" else areas[areas["area_id"].eq(name)]
    if definition and given != "*":
        mine = mine[mine["definition"].eq(definition)]
    return list(zip(mine["area_id"], mine["definition"], strict=True))


@cache
def _known_tables() -> tuple[dict[str, str], ...]:
    with (resources.files("lipgeo.portal") / "wish_tables.csv").open(encoding="utf-8") as stream:
        return tuple(csv.DictReader(stream))


def _table_of(code: str, fact: pd.Series) -> dict[str, str]:
    """Return the table that brings an indicator."""
    fitting = [one for one in _known_tables() if one["needs"] == fact["needs"]]
    money = fact["topic"] == "income" or any(word in code for word in _INCOME)
    universe = "income" if money else "population"
    return next((one for one in fitting if one["universe"] == universe), fitting[0])


def _expected(people: float, levels: list[str], universe: str, vintage: int) -> tuple[str, str]:
    """Return what is likely to come back of a table, and the floor that says so."""
    if np.isnan(people):
        return "unknown", "population_not_known"
    floor = floor_persons(levels or ["DB"], vintage)
    if people < floor.value:
        return "suppressed", "floor_persons"
    for name, one in floors_of_universe(universe, vintage).items():
        if one.counts == "persons" and people < one.value:
            return "suppressed", name
    return "released", ""


def _whom(needs: str, named: pd.Series | None) -> str:
    """Return whom to ask for a table, in the language in force."""
    if needs == "profile":
        return say("dashboard.ask_profile")
    if needs == "imdb":
        return say("dashboard.ask_imdb")
    if named is None:
        return say("dashboard.ask_unknown")
    if named["consortia"]:
        names = str(named["consortia"]).replace(";", ", ")
        return say("dashboard.ask_consortium", consortia=names)
    return say("dashboard.ask_nobody")


@cache
def _coverage() -> pd.DataFrame:
    return gaps(kind=None).set_index("lip_id")


def sentences_of_orders(area_id: str, dictionary: Dictionary) -> list[str]:
    """Return what to order for an area that has nothing yet, and of whom, in the language in force.

    Parameters
    ----------
    area_id
        The area.
    dictionary
        The indicators; tables that bring the core ones are told.

    Returns
    -------
    list of str
        One sentence each of those that can be asked; the published Census Profile is not ordered.
    """
    facts = dictionary.frame
    facts = facts[facts["status"].eq("core")]
    named = _coverage().loc[area_id] if area_id in _coverage().index else None
    titles: dict[str, list[str]] = {}
    for code, fact in facts[
        facts["needs"].isin([one["needs"] for one in _known_tables()])
    ].iterrows():
        table = _table_of(str(code), fact)
        if table["needs"] != "profile":
            titles.setdefault(_whom(table["needs"], named), []).append(table[f"title_{language()}"])
    return [
        say("dashboard.to_order", tables=list(dict.fromkeys(several)), ask=ask)
        for ask, several in titles.items()
    ]


# ---------------------------------------------------------------------- the tables


def _tables(places: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    open_ = places[places["status"].isin(_WANTED)]
    weight = open_["priority"].map(_WEIGHTS).fillna(0)
    rows = [_table_row(one, open_, weight, facts) for one in _known_tables()]
    rows = [row for row in rows if row["places"]]
    rows.sort(key=lambda row: (-row["_score"], -row["places"], row["table"]))
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))


def _table_row(
    table: dict[str, str], open_: pd.DataFrame, weight: pd.Series, facts: pd.DataFrame
) -> dict[str, Any]:
    mine = open_[open_["table"].eq(table["table"])]
    asked = mine[mine["priority"].ne("")]
    codes = list(dict.fromkeys(mine["indicator"]))
    variables = [facts.loc[code, "variable"] for code in codes]
    expected = mine["expected"].value_counts()
    return {
        "table": table["table"],
        "title": table[f"title_{language()}"],
        "universe": table["universe"],
        "variables": ";".join(dict.fromkeys(one for one in variables if one)),
        "cost": "",
        "priority": min(asked["priority"], default=""),
        "wanted_by": len(asked[["area_id", "definition"]].drop_duplicates()),
        "places": len(mine),
        **{name: int(expected.get(name, 0)) for name in ("released", "suppressed", "unknown")},
        "indicators": ";".join(codes),
        "ask": " ".join(_several(mine["ask"])),
        "_score": int(weight[mine.index].sum()),
    }


def _several(asks: Iterable[str]) -> list[str]:
    """Return whom to ask, the most frequent first, at most three."""
    counts = pd.Series(list(asks), dtype=object).value_counts()
    return [str(one) for one in counts.index[:3]]
