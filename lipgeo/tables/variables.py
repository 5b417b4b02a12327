"""Say what a column of a census table is (``Variable``), and find it in the dictionary.

The dictionary is ``variables.toml`` beside this module. What it says of a characteristic carries
its certainty: ``verified`` where its id was checked against a published file, ``by name`` where
only the words of its row are known, and they may be worded otherwise in the file at hand;
``unverified`` where no file of that census has been seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from lipgeo.areas.fields import name_nearest, nearest_words
from lipgeo.census.data import COUNTS, Measure
from lipgeo.errors import TableError
from lipgeo.facts import fact_table
from lipgeo.geography.hierarchy import fold, vintages
from lipgeo.words import Language, language, say, speaking

__all__ = [
    "MISSING",
    "Characteristic",
    "Group",
    "Rule",
    "Variable",
    "as_percent_of",
    "find_variables",
    "known_variables",
    "missing_symbols",
    "sampling_factor",
    "variable",
]

Rule = Literal["count", "rate", "percent", "average", "median", "index"]
Known = Literal["verified", "by name", "unverified"]

#: symbols that stand where there is no value; others (``E``, ``r``) stand beside one
MISSING = ("x", "F", "..", "...")
#: ending of a name that asks for a count as a percentage of its denominator
PERCENT = "_pct"
#: what the dictionary says of a variable in the words of ``Variable``
_FACTS = (
    "rule",
    "denominator",
    "numerator",
    "per",
    "part",
    "within",
    "basis",
    "universe",
    "rounding",
    "sampled",
)
_WORD = re.compile(r"\w{4,}")
_PER = {"percent": 100.0}
#: what a count counts that its unit's own people, households or dwellings cannot exceed
_COUNTED = {
    "population": "population",
    "not_institutional": "population",
    "private_households": "population",
    "aged_15": "population",
    "aged_25_64": "population",
    "households": "households",
    "dwellings": "dwellings",
}


@dataclass(frozen=True)
class Group:
    """One class of a grouped count, from which a median is interpolated.

    Attributes
    ----------
    variable
        Name of the count.
    low, high
        Its class: ``low`` up to but not including ``high``; ``high`` may be infinite.
    """

    variable: str
    low: float
    high: float


@dataclass(frozen=True)
class Characteristic:
    """Where a variable stands in the Census Profile of one census.

    Attributes
    ----------
    vintage
        Census year.
    id
        Characteristic id, ``None`` where none is known.
    name
        Words of the row.
    heading
        Words of the total it stands under, empty where it is not under one.
    certainty
        ``verified`` (the id was checked against the file), ``by name`` or ``unverified``.
    name_fr
        Words of the row in files in French, empty where none was seen that differ from the label.
    """

    vintage: int
    id: str | None
    name: str
    heading: str
    certainty: Known
    name_fr: str = ""


@dataclass(frozen=True)
class Variable:
    """What a column is, hence how it is brought to other areas.

    Attributes
    ----------
    name
        Column name in a table.
    rule
        ``count`` adds. ``percent`` and ``rate`` are N of D: weighted by D, masked where N or D is
        missing. ``average`` the same, of a quantity. ``median`` is interpolated from the counts
        of ``groups``, else only its range is known. ``index`` cannot be weighted.
    denominator
        Name of the count a rate, percentage or average is over; of a count, what it is part of.
    numerator
        Name of the count N where the column is not published but taken as N / D.
    per
        What a rate is per: 100 for ``percent``, else 1.
    part
        Whether N is part of D, so that a rate lies between 0 and ``per``.
    within
        Of a count, a smaller count than the denominator that it is part of too (of
        ``south_asian``, ``visible_minority``), where there is one.
    basis
        What straddling units are best shared out by: ``population``, ``dwellings``,
        ``households`` or ``area``.
    universe
        Who or what is counted: ``population``, ``not_institutional``, ``private_households``
        (people in them), ``aged_15``, ``aged_25_64``, ``households``, ``dwellings``, or empty
        where not known: then no unit's count has a ceiling.
    rounding
        Base of random rounding, 0 where counts are exact.
    sampled
        Whether it comes from the long form, sent to a sample.
    groups
        Classes of a median, in order; empty where none are known.
    symbols
        Symbols that may stand instead of a value.
    parts
        Names of the counts that add up to this one, nobody left out and nobody in two; empty where
        none are known.
    name_en, name_fr
        What people call it.
    characteristics
        Where it stands in the Census Profile, one a census.

    Raises
    ------
    TableError
        The rule is unknown, or a rate, percentage or average has no denominator.

    Examples
    --------
    >>> from lipgeo.tables import variable
    >>> variable("immigrants").rule, variable("immigrants").denominator
    ('count', 'immigrant_status_total')
    >>> variable("immigrants_pct").numerator
    'immigrants'
    """

    name: str
    rule: Rule
    denominator: str | None = None
    numerator: str | None = None
    per: float = 0.0
    part: bool = True
    within: str | None = None
    basis: Measure = "population"
    universe: str = ""
    rounding: float = 5.0
    sampled: bool = False
    groups: tuple[Group, ...] = ()
    symbols: tuple[str, ...] = MISSING
    parts: tuple[str, ...] = ()
    name_en: str = ""
    name_fr: str = ""
    characteristics: tuple[Characteristic, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise TableError(
                "tables.unknown_rule",
                variable=self.name,
                rule=self.rule,
                rules=list(get_args(Rule)),
            )
        if self.basis not in get_args(Measure):
            raise TableError(
                "tables.unknown_basis",
                variable=self.name,
                basis=self.basis,
                known=[*COUNTS, "area"],
            )
        if self.rule in ("rate", "percent", "average") and not self.denominator:
            raise TableError("tables.no_denominator", variable=self.name, rule=self.rule)
        if not self.per:
            object.__setattr__(self, "per", _PER.get(self.rule, 1.0))

    @property
    def is_ratio(self) -> bool:
        """Whether it is a numerator over a denominator."""
        return self.rule in ("rate", "percent", "average")

    @property
    def ceiling(self) -> str | None:
        """What a unit's count cannot exceed: its people, households or dwellings, if any."""
        return _COUNTED.get(self.universe)

    @property
    def label(self) -> str:
        """Its name in the language in force, else the other, else the column name."""
        first, second = self.name_en, self.name_fr
        if language() == "fr":
            first, second = second, first
        return first or second or self.name


@cache
def _file() -> dict[str, Any]:
    return fact_table("variables")


def _by_year(given: Any, year: int, default: Any) -> Any:
    """Return what a table says of one census: one value for all, or one a year."""
    if isinstance(given, Mapping):
        return given.get(str(year), default)
    return default if given is None else given


def _characteristics(
    name_of: str, entry: Mapping[str, Any], group: Mapping[str, Any]
) -> tuple[Any, ...]:
    found = []
    for year in vintages():
        heading = _by_year(entry.get("heading", group.get("heading")), year, None)
        name = _by_year(entry.get("name"), year, None)
        if heading is None or name is None:
            continue
        id = _file().get("ids", {}).get(str(year), {}).get(name_of)
        id = entry.get("id", {}).get(str(year), id)
        found.append(
            Characteristic(
                vintage=year,
                id=id,
                name=name or heading,
                heading=heading if name else "",
                certainty="verified" if id is not None else _certainty(year),
                name_fr=_by_year(entry.get("row_fr"), year, ""),
            )
        )
    return tuple(found)


def _certainty(year: int) -> Known:
    """Return how sure the words of a row are in a census: of some no file has been seen."""
    return "unverified" if year in _file()["unverified"] else "by name"


@cache
def known_variables(vintage: int | None = None) -> Mapping[str, Variable]:
    """Return the dictionary: name to variable, as of one census.

    Parameters
    ----------
    vintage
        Census year; the newest where not given. Only whether a variable is sampled depends on it.
    """
    found: dict[str, Variable] = {}
    for group in _file()["group"].values():
        common = {key: value for key, value in group.items() if key not in ("variables", "heading")}
        for name, entry in group["variables"].items():
            facts = {**common, **entry}
            if facts.get("denominator") == name:
                del facts["denominator"]
            facts["sampled"] = _is_sampled(facts.get("sampled", False), vintage)
            groups = tuple(
                Group(str(of), float(low), float(high)) for of, low, high in facts.get("groups", ())
            )
            names = {f"name_{lang}": facts[lang] for lang in ("en", "fr")}
            kept = {key: facts[key] for key in _FACTS if key in facts}
            found[name] = Variable(
                name=name,
                groups=groups,
                parts=tuple(facts.get("parts", ())),
                characteristics=_characteristics(name, entry, group),
                **names,
                **kept,
            )
    return found


def _is_sampled(given: bool | list[int], vintage: int | None) -> bool:
    if isinstance(given, bool):
        return given
    return (vintages()[-1] if vintage is None else vintage) in given


def variable(name: str, vintage: int | None = None) -> Variable:
    """Return a variable of the dictionary.

    Parameters
    ----------
    name
        Its name; with ``_pct`` at the end, a count as a percentage of its denominator.
    vintage
        Census year.

    Raises
    ------
    TableError
        The dictionary does not know it; the message names the nearest.
    """
    known = known_variables(vintage)
    one = _variable_among(name, known)
    if one is None:
        raise TableError(
            "tables.unknown_variable",
            [{"variable": name}],
            variables=[name],
            near=name_nearest([name], _names_of(known)),
        )
    return one


def look_up_variable(
    name: str, known: Mapping[str, Variable], vintage: int | None
) -> Variable | None:
    """Return what a name asks for: a variable of a table, its percentage, or the dictionary's.

    ``None`` where neither knows it.
    """
    one = _variable_among(name, known)
    return _variable_among(name, known_variables(vintage)) if one is None else one


def resolve_variables(
    names: Iterable[str],
    known: Mapping[str, Variable],
    columns: Iterable[str],
    vintage: int | None,
) -> dict[str, Variable]:
    """Return what each name asks for, see :func:`look_up_variable`.

    Raises
    ------
    TableError
        Neither table nor dictionary know some of them; all are named, with the nearest.
    """
    found = {name: look_up_variable(name, known, vintage) for name in names}
    lost = [name for name, one in found.items() if one is None]
    if lost:
        held = list(columns)
        near = [*held, *_names_of(known), *_names_of(known_variables(vintage))]
        raise TableError(
            "tables.variables_nowhere",
            [{"variable": name} for name in lost],
            variables=lost,
            near=name_nearest(lost, near),
            columns=held,
        )
    return {name: one for name, one in found.items() if one is not None}


def search_variables(words: str = "", vintage: int | None = None) -> list[Variable]:
    """Search the dictionary by name or label, in English or French.

    Parameters
    ----------
    words
        Words that must all stand in the name or one label; accents, case and order do not matter.
        Nothing gives the whole dictionary.
    vintage
        Census year; the newest where not given.

    Returns
    -------
    list of Variable
        In the order of the dictionary; where nothing has all the words, the nearest by name.

    Examples
    --------
    >>> from lipgeo.tables.variables import search_variables
    >>> [one.name for one in search_variables("réfugiés")]
    ['refugees']
    >>> [one.name for one in search_variables("imigrants")][:3]
    ['immigrant_status_total', 'non_immigrants', 'immigrants']
    """
    known = known_variables(vintage)
    wanted = [fold(word) for word in words.split()]
    found = [
        one
        for one in known.values()
        if any(
            all(word in fold(text) for word in wanted)
            for text in (one.name, one.name_en, one.name_fr)
        )
    ]
    if found:
        return found
    near = nearest_words([words], [*known, *_words_of(known)])
    return [one for one in known.values() if {one.name, *_words_of({"": one})} & set(near)]


def _words_of(known: Mapping[str, Variable]) -> list[str]:
    """Return the words of labels that are long enough to be looked for."""
    texts = (f"{one.name_en} {one.name_fr}" for one in known.values())
    return list(dict.fromkeys(word for text in texts for word in _WORD.findall(text)))


def _names_of(known: Mapping[str, Variable]) -> list[str]:
    """Return names, those of percentages too."""
    return [*known, *(name + PERCENT for name, one in known.items() if _can_be_percent(one))]


def _variable_among(name: str, known: Mapping[str, Variable]) -> Variable | None:
    """Return a variable by its name, or a count as a percentage; ``None`` where it is neither."""
    if name in known:
        return known[name]
    whole = known.get(name.removesuffix(PERCENT))
    if name.endswith(PERCENT) and whole is not None and _can_be_percent(whole):
        return percentage(whole)
    return None


def _can_be_percent(one: Variable) -> bool:
    """Say whether it is a count of a part; what is a rate or an average already has none."""
    return one.rule == "count" and one.denominator is not None


def rules_for(columns: Iterable[str], given: Mapping[str, Variable | str]) -> dict[str, Variable]:
    """Return variables by the column they are of.

    Raises
    ------
    TableError
        There is no such column, or the variable bears another name.
    """
    held = set(columns)
    rules = {
        name: rule if isinstance(rule, Variable) else Variable(name, rule)  # type: ignore[arg-type]
        for name, rule in given.items()
    }
    wrong = [name for name, one in rules.items() if name not in held or one.name != name]
    if wrong:
        raise TableError(
            "tables.rules_elsewhere",
            [{"column": name, "variable": rules[name].name} for name in wrong],
            names=[
                name if rules[name].name == name else f"{name} ({rules[name].name})"
                for name in wrong
            ],
            columns=sorted(held),
        )
    return rules


def percentage(count: Variable) -> Variable:
    """Return a count as a percentage of its denominator."""
    return replace(
        count,
        name=count.name + PERCENT,
        rule="percent",
        per=100.0,
        numerator=count.name,
        groups=(),
        parts=(),
        name_en=f"{count.name_en} (%)" if count.name_en else "",
        name_fr=f"{count.name_fr} (%)" if count.name_fr else "",
        characteristics=(),
    )


def as_percent_of(one: Variable, whole: Variable) -> Variable:
    """Return a count, or a percentage of one, as a percentage of another count.

    Its label says of what: ``Immigrants (% of Population)``.
    """
    count = one.numerator or one.name

    def label(lang: Language, part: str, of: str) -> str:
        with speaking(lang):
            part = part.removesuffix(" (%)") or count
            return say("tables.percent_of", part=part, whole=of or whole.name)

    return replace(
        one,
        name=count + PERCENT,
        rule="percent",
        per=100.0,
        numerator=count,
        denominator=whole.name,
        groups=(),
        parts=(),
        characteristics=(),
        name_en=label("en", one.name_en, whole.name_en),
        name_fr=label("fr", one.name_fr, whole.name_fr),
    )


def sampling_factor(vintage: int | None) -> float:
    """Return the variance of a long-form count over the count itself.

    A sample of one in k gives k - 1: the standard error of a count is about the square root of
    3 times the count for one in four.
    """
    factors = _file()["sampling"]
    return float(factors.get(str(vintage), factors["other"]))


def missing_symbols() -> Mapping[str, str]:
    """Return what each symbol that stands instead of a value means, in the language in force."""
    return {symbol: meaning[language()] for symbol, meaning in _file()["symbols"].items()}


_ENDINGS = re.compile(
    r"(?<!\s)(\s*-\s*\d+\s*%\s*(sample\s+)?data|\s*-\s*données(-échantillon)?.*|\s*\(\d+\)"
    r"|\s*\[\d+\])+\s*$",
    re.IGNORECASE,
)


#: a total that others stand under ("Total visible minority population" stands under one itself)
_HEADING = re.compile(r"^\s*total\s+(?:[-–]\s|.*\s(?:by|selon)\s)", re.IGNORECASE)


def _row_key(name: Any) -> str:
    """Return the words of a row without footnote numbers and ``- 25% sample data``."""
    return fold(_ENDINGS.sub("", str(name).strip()))


def find_variables(characteristics: pd.DataFrame, vintage: int) -> pd.DataFrame:
    """Find variables of the dictionary among the characteristics of a Census Profile.

    An id is believed where the words of its row agree; else a row is looked for by its words
    under its heading: the row with the heading's words, up to the next heading of the dictionary.

    Parameters
    ----------
    characteristics
        ``id`` and ``name`` of each row, as text, in the order of the file.
    vintage
        Census year.

    Returns
    -------
    pandas.DataFrame
        One row a variable found: ``variable, id, name`` (as in the file), ``row`` (position) and
        ``certainty`` (``verified``, ``by name`` or ``unverified``). Variables not found are left
        out.
    """
    ids = characteristics["id"].astype("string").str.strip()
    keys = np.array([_row_key(name) for name in characteristics["name"]], dtype=object)
    known = [
        (name, place)
        for name, one in known_variables(vintage).items()
        for place in one.characteristics
        if place.vintage == vintage
    ]
    headings = {_row_key(place.heading) for _, place in known if place.heading}
    totals = characteristics["name"].astype("string").str.contains(_HEADING).fillna(False)
    starts = np.flatnonzero([key in headings for key in keys] | totals.to_numpy(dtype=bool))
    rows = []
    for name, place in known:
        row = _place_of(place, ids, keys, starts)
        if row is not None:
            at, certainty = row
            rows.append((name, ids.iloc[at], characteristics["name"].iloc[at], at, certainty))
    return pd.DataFrame(rows, columns=["variable", "id", "name", "row", "certainty"])


def _place_of(
    place: Characteristic, ids: pd.Series, keys: Any, starts: Any
) -> tuple[int, str] | None:
    """Return the row of a characteristic and how sure it is; ``None`` where it is not there."""
    words = _row_key(place.name)
    if place.id is not None:
        at = np.flatnonzero(ids.eq(place.id).fillna(False).to_numpy(dtype=bool))
        if len(at) == 1 and keys[at[0]] == words:
            return int(at[0]), "verified"
    if not place.heading:
        at = np.flatnonzero(keys == words)
        return (int(at[0]), _certainty(place.vintage)) if len(at) else None
    for head in np.flatnonzero(keys == _row_key(place.heading)):
        later = starts[starts > head]
        end = later[0] if len(later) else len(keys)
        at = head + 1 + np.flatnonzero(keys[head + 1 : end] == words)
        if len(at):
            return int(at[0]), _certainty(place.vintage)
    return None
