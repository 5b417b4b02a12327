"""What a page, a share file and Fast Facts say of one area: the same blocks for all of them.

Blocks are texts in the language in force, and one frame for workbooks. Only rows that
:meth:`Portal.view <lipgeo.portal.portal.Portal.view>` lets an audience see come in.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import pandas as pd
from markupsafe import Markup

from lipgeo.portal.areas import UNCONFIRMED, join_between, misfit_reason, worse
from lipgeo.portal.indicators.dictionary import (
    GENDERS,
    GROUPS,
    VERDICTS,
    Dictionary,
    universe_words,
)
from lipgeo.portal.observations import EMPTY, ORIGINS, QUANTITY
from lipgeo.portal.pages.alike import alike_count, alike_in_size
from lipgeo.portal.pages.certainty import bounds, is_missing, is_told, small_flag
from lipgeo.portal.pages.charts import Bar, BarGroup, Chart
from lipgeo.portal.pages.differences import Measured, difference
from lipgeo.portal.pages.places import in_place, than_in_place
from lipgeo.portal.wishlist import sentences_of_orders
from lipgeo.words import catalogue, language, number, say

__all__ = [
    "HEADS",
    "RECORD",
    "AreaBlocks",
    "Cell",
    "Line",
    "Material",
    "Topic",
    "area_blocks",
    "area_name",
    "boundary_notices",
    "cell_of",
    "count_text",
    "facts_lines",
    "form_of",
    "measured",
    "name_order",
    "part_order",
    "period_text",
    "range_text",
    "remark_text",
    "rows_in_order",
    "slug_of",
    "source_in_force",
    "source_text",
    "subject_text",
    "topic_name",
    "value_text",
    "written",
]

#: columns of a table with a number a row
HEADS = ("indicator", "place", "period", "value", "range", "out_of", "origin", "source")
#: how symbols are named in keys of sentences
_SYMBOL_KEYS = {
    "x": "suppressed",
    "F": "unreliable",
    "..": "not_available",
    "...": "not_applicable",
    "E": "caution",
    "r": "revised",
    "-": "dash",
}
#: told first and large, where there is a number that may stand alone
_LEADING = ("population", "immigrants", "recent_immigrants")
_TOLD = (*_LEADING, "npr")
#: names of the site's own pages
_PAGES = (
    *("index", "gaps", "releases", "methods", "glossary", "indicators", "compare", "changes"),
    "search",
)
#: periods named on every printed page
_RUNNING = 3
#: sources that we name ourselves, in the language in force when they came in
_NAMED_SOURCES = (
    *("portal.source_comparison", "portal.source_estimates", "portal.source_file"),
    *("portal.source_imdb", "portal.source_order", "portal.source_published"),
    "dashboard.coming",
)
#: rules of numbers that are shares of a whole
_SHARES = ("percent", "rate")
#: "one in n" is said where the share is as near to it, of itself
_NEAR_ONE_IN = 0.05
_ONE_IN = range(2, 11)
_YEAR = re.compile(r"\d{4}")
#: a period of the longitudinal database: admission year and tax year
_ADMITTED = re.compile(r"AY(\d{4})-TY(\d{4})")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One number in words.

    Attributes
    ----------
    value
        The number, or why there is none.
    details
        Its count, its range, where it is from, what else is known of it.
    number
        The number itself, where it is told as one.
    """

    value: str = ""
    details: Sequence[str] = ()
    number: float | None = None

    @cached_property
    def html(self) -> Markup:
        """The cell of a page: a place's numbers stand on its page and on all held against it."""
        return Markup(" <br>").join([Markup("<b>{}</b>").format(self.value), *self.details])


@dataclass(frozen=True)
class Line:
    """One row of a table: an indicator in one period, over places.

    Attributes
    ----------
    subject
        What is measured.
    universe
        Of whom.
    period
        When.
    remark
        Whether it can be held against the next newer period.
    cells
        One a place.
    code
        The indicator.
    decimals
        Of its numbers.
    """

    subject: str
    universe: str
    period: str
    remark: str
    cells: Sequence[Cell]
    code: str
    decimals: int


@dataclass(frozen=True)
class Topic:
    """One table.

    Attributes
    ----------
    title
        Its heading.
    places
        The area and what it is held against: the columns.
    lines
        Its rows, the newest period first.
    sources
        Where its numbers are from.
    records
        The area's own numbers, a row each, in the order of :data:`RECORD`: numbers as numbers.
    chart
        Its newest shares as bars, where there are any.
    """

    title: str
    places: Sequence[str]
    lines: Sequence[Line]
    sources: Sequence[str]
    records: Sequence[Sequence[Any]]
    chart: Chart | None = None


@dataclass(frozen=True)
class AreaBlocks:
    """All that is said of an area, in one language.

    Attributes
    ----------
    title
        Name of the area.
    lead
        What the area is.
    notices
        What a reader has to know first.
    large
        Value and what it is, at most three.
    sentences
        Written from the numbers.
    topics
        Tables.
    series
        Censuses that cannot be held against each other, and why.
    sources
        Where the numbers come from.
    citation
        How to name the source.
    """

    title: str
    lead: str
    notices: Sequence[str] = ()
    large: Sequence[tuple[str, str]] = ()
    sentences: Sequence[str] = ()
    topics: Sequence[Topic] = ()
    series: Sequence[str] = ()
    sources: Sequence[str] = ()
    citation: str = ""

    @property
    def running(self) -> str:
        """What stands on every printed page: the name and the periods of most of the numbers."""
        lines = Counter(line.period for topic in self.topics for line in topic.lines)
        told = [period for period, _ in lines.most_common(_RUNNING)]
        return say("site.running", name=self.title, of=told) if told else self.title

    @property
    def codes(self) -> set[str]:
        """The indicators of which something is told."""
        return {line.code for topic in self.topics for line in topic.lines}


def area_name(area: Any) -> str:
    """Return the name of an area in the language in force; its id where it has none."""
    other = "fr" if language() == "en" else "en"
    named = area[f"name_{language()}"] or area[f"name_{other}"]
    return str(named or area["area_id"])


def name_order(name: str) -> tuple[Any, ...]:
    """Return what sorts names as people look them up: without accents, ward 2 before ward 10.

    Examples
    --------
    >>> from lipgeo.portal.pages.blocks import name_order
    >>> sorted(["Ward 10", "Zone", "Élan", "Ward 2"], key=name_order)
    ['Élan', 'Ward 2', 'Ward 10', 'Zone']
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    parts = [
        # digits go by how many there are, then by themselves: no number is too long
        (0, len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", bare)
        if part
    ]
    return (*parts, (-1, 0, name))


def part_order(group: str, gender: str) -> tuple[int, int]:
    """Return what sorts the parts of a whole after it: groups, then genders, as they are listed."""
    return GROUPS.index(group), GENDERS.index(gender)


def rows_in_order(rows: Iterable[Row], rule: str = "") -> list[Row]:
    """Return rows of an indicator: the whole before its parts, each with its newest period first.

    A list is told as one: in each period the greatest number first.

    Examples
    --------
    >>> from lipgeo.portal.pages.blocks import rows_in_order
    >>> parts = [("men", "2021"), ("total", "2016"), ("women", "2021"), ("total", "2021")]
    >>> rows = [{"category": "", "group": "total", "gender": gender, "period": period,
    ...          "dollars": ""} for gender, period in parts]
    >>> [(row["gender"], row["period"]) for row in rows_in_order(rows)]
    [('total', '2021'), ('total', '2016'), ('men', '2021'), ('women', '2021')]
    """
    ordered = sorted(rows, key=lambda row: str(row["dollars"]))
    ordered.sort(key=lambda row: str(row["period"]), reverse=True)
    ordered.sort(key=lambda row: (row["category"], part_order(row["group"], row["gender"])))
    if rule == "list":
        ordered.sort(key=lambda row: _list_order(str(row["period"]), row))
    return ordered


def _list_order(period: str, row: Row | None) -> tuple[Any, ...]:
    """Return what sorts the rows of a list: the newest period first, in it the greatest number."""
    return _backwards(period), -float(row["value"]) if row is not None and is_told(row) else 0.0


def topic_name(topic: str) -> str:
    """Return the name of a topic; a portal's own topics stand as they were written."""
    return say(f"site.topic_{topic}") if f"site.topic_{topic}" in catalogue() else topic


#: characters of a file name before its mark
_LONGEST_SLUG = 60


def slug_of(area_id: str, definition: str) -> str:
    """Return the file name of an area: small letters, digits and hyphens.

    Names that lose something on the way get a mark made from the whole, so that two areas never
    share a page.

    Examples
    --------
    >>> from lipgeo.portal.pages.blocks import slug_of
    >>> slug_of("ab-calgary", "city"), slug_of("west", "main")
    ('ab-calgary--city', 'west')
    """
    parts = [area_id] if definition in ("", "main") else [area_id, definition]
    if all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", part) for part in parts):
        # two hyphens stand in no part, so "a-b" and "a" as "b" differ
        plain = "--".join(parts)
        free = plain not in _PAGES and not plain.startswith(("indicator--", "region--"))
        if len(plain) <= _LONGEST_SLUG and free:
            return plain
    whole = "-".join(parts)
    bare = unicodedata.normalize("NFKD", whole).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:_LONGEST_SLUG]
    mark = hashlib.sha256(f"{area_id}@{definition}".encode()).hexdigest()[:8]
    return f"{plain}-{mark}".strip("-")


# ---------------------------------------------------------------------- one number in words


def written(value: float, rule: str, decimals: int) -> str:
    """Return a value as its rule is written."""
    text = number(value, decimals)
    if rule not in ("percent", "rate", "change"):
        return text
    before, after = _around_percent(language())
    return f"{before}{text}{after}"


@cache
def _around_percent(_lang: str) -> tuple[str, str]:
    before, _, after = say("site.percent", value="?").partition("?")
    return before, after


def value_text(row: Row, rule: str, decimals: int) -> str:
    """Return a number in words, or why there is none; most estimates are told by range alone."""
    small = small_flag(row)
    if small:
        return say(f"site.{small}")
    symbol = str(row["symbol"])
    words = say(f"site.symbol_{_SYMBOL_KEYS.get(symbol, symbol)}") if symbol else ""
    if _no_number(row):
        return words or say("site.no_number")
    if not is_told(row):
        return say("site.only_range" if range_text(row, rule, decimals) else "site.no_range")
    text = written(float(row["value"]), rule, decimals)
    return say("site.beside", value=text, words=words) if words else text


def range_text(row: Row, rule: str, decimals: int) -> str:
    """Return the range of a number in words, empty where it has none."""
    low, high, likely = bounds(row)
    if is_missing(low) or is_missing(high) or _no_number(row):
        return ""
    texts = {"low": written(low, rule, decimals), "high": written(high, rule, decimals)}
    return say("site.range_likely", **texts) if likely else say("site.range", **texts)


def told_text(row: Row, rule: str, decimals: int) -> str:
    """Return a number in words, its range where that is all there is, or why there is none."""
    only = not _no_number(row) and not is_told(row)
    return (only and range_text(row, rule, decimals)) or value_text(row, rule, decimals)


def _no_number(row: Row) -> bool:
    """Whether a row has neither number nor range; a median of several units has a range alone."""
    bare = row["origin"] != "estimated" or row["symbol"] or is_missing(bounds(row)[0])
    return bool(small_flag(row) or (is_missing(row["value"]) and bare))


def measured(row: Row) -> Measured:
    """Return a number with its range: NaN where it is missing, marked or kept small."""
    if row["symbol"] not in ("", "r") or small_flag(row):
        return Measured(math.nan)
    low, high, likely = bounds(row)
    return Measured(float(row["value"]), low, high, likely)


def count_text(row: Row, rule: str) -> str:
    """Return the count behind a share and what it is of, empty where they are not told."""
    base = row["denominator_value"]
    if rule not in _SHARES or is_missing(base) or row["origin"] == "estimated" or not is_told(row):
        return ""
    count = float(row["value"]) * float(base) / 100
    # a share that was rounded gives its count back only nearly
    exact = abs(count - round(count)) < 1e-4
    key = "site.count_of" if exact else "site.about_count_of"
    return say(key, count=number(round(count)), base=number(float(base)))


def period_text(row: Row) -> str:
    """Return what a number is of: a census, a period, and the year of its dollars."""
    reported = row["origin"] == "reported"
    return _period_words(str(row["period"]), str(row["dollars"]), language(), reported=reported)


@cache
def _period_words(period: str, dollars: str, _lang: str, *, reported: bool) -> str:
    text = say("site.census", year=period) if not reported and _YEAR.fullmatch(period) else period
    if years := _ADMITTED.fullmatch(period):
        text = say("site.admitted_and_taxed", admitted=years[1], tax=years[2])
    if dollars and dollars != "current":
        text = say("site.in_dollars", period=text, year=dollars)
    return text


def subject_text(row: Row, name: str) -> str:
    """Return the indicator's name with category, group and gender."""
    parts = [name, str(row["category"])]
    parts += [
        say(f"site.{kind}_{row[kind]}")
        for kind in ("group", "gender")
        if row[kind] not in ("", "total")
    ]
    return say("site.joined_by", parts=" – ".join(one for one in parts if one))


def source_text(row: Row) -> str:
    """Return where a number comes from."""
    return _source_words(str(row["source"]), str(row["release"]), language())


@cache
def _source_words(source: str, release: str, _lang: str) -> str:
    told = source_in_force(source) or say("site.no_source")
    return say("site.source", source=told, release=release)


@cache
def _own_sources() -> list[tuple[str, re.Pattern[str]]]:
    """Return how sources that are named by us read in each language."""
    return [
        (key, re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(text))))
        for key in _NAMED_SOURCES
        for text in catalogue()[key].values()
    ]


def source_in_force(source: str) -> str:
    """Return the name of a source; one that we gave it, in the language in force.

    Examples
    --------
    >>> from lipgeo.portal.pages.blocks import source_in_force
    >>> from lipgeo.words import speaking
    >>> with speaking("fr"):
    ...     source_in_force("Statistics Canada, Census Profile, 2021"), source_in_force("Agency")
    ('Statistique Canada, Profil du recensement, 2021', 'Agency')
    """
    for key, form in _own_sources():
        if found := form.fullmatch(source):
            return say(key, **found.groupdict())
    return source


@cache
def _word(key: str, lang: str) -> str:
    return say(key)


def origin_text(row: Row) -> str:
    """Return where a number is from, in a word or two."""
    # asked for once a number: the sentence is the same each time
    return _word(f"site.origin_{row['origin']}", language())


def cell_of(rows: Sequence[Row], rule: str, decimals: int) -> Cell:
    """Return the numbers of one quantity in words: the first counts, others are told after it."""
    row, *others = rows
    value = told_text(row, rule, decimals)
    # the word alone: the line under the table says from whom
    origin = _word(f"site.short_origin_{row['origin']}", language())
    ranged = range_text(row, rule, decimals) if is_told(row) else ""
    # a place that waits is from nowhere yet
    details = [count_text(row, rule), ranged, "" if row["symbol"] in EMPTY else origin]
    details += [
        say("site.also", origin=_word(f"site.short_origin_{one['origin']}", language()),
            value=told_text(one, rule, decimals))
        for one in others
    ]  # fmt: skip
    told = float(row["value"]) if is_told(row) else None
    return Cell(value, [one for one in details if one], told)


def form_of(dictionary: Dictionary, code: str) -> tuple[str, int]:
    """Return the rule and the decimals of an indicator."""
    return dictionary.forms[code]


# ---------------------------------------------------------------------- what areas are told from


@dataclass(frozen=True)
class _Indicator:
    """An indicator as pages need it."""

    name: str
    rule: str
    decimals: int
    topic: str
    universe: str
    core: bool
    order: int


Key = tuple[Any, ...]


@dataclass(frozen=True)
class _Column:
    """The numbers of one place: asked for by its own page and by all that are held against it."""

    area: Row
    rows: Sequence[Row]
    held: Mapping[Key, Sequence[Row]]
    cells: dict[Key, Cell] = field(default_factory=dict)

    def cell(self, key: Key, entry: _Indicator) -> Cell | None:
        """Return the cell of a quantity, ``None`` where the place has no such row."""
        if key not in self.held:
            return None
        if key not in self.cells:
            self.cells[key] = cell_of(self.held[key], entry.rule, entry.decimals)
        return self.cells[key]

    @property
    def first(self) -> list[Row]:
        """The one number of each quantity that counts."""
        return [several[0] for several in self.held.values()]


@dataclass(frozen=True)
class Material:
    """What the blocks of every area are made from, in one language.

    Attributes
    ----------
    frame
        The long table as an audience may see it, all origins.
    areas
        All areas that are told of.
    comparators
        The sheet *comparators*.
    dictionary
        The indicators.
    realisations
        Hash and misfit of each area in each census.
    dates
        Release to its day.
    title
        Name of the portal.
    contact
        Whom to write to.
    public
        Whether everybody reads it.
    compared
        Which censuses were found to compare: the same in both languages.
    held
        The rows of areas that were asked for already: the same in both languages.
    """

    frame: pd.DataFrame
    areas: pd.DataFrame
    comparators: pd.DataFrame
    dictionary: Dictionary
    realisations: pd.DataFrame
    dates: Mapping[str, str]
    title: str
    contact: str
    public: bool
    compared: dict[tuple[str, str, str], tuple[str, str, str]] = field(default_factory=dict)
    held: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    _columns: dict[tuple[str, str], _Column] = field(default_factory=dict)

    def column(self, area: Any) -> _Column:
        """Return the numbers of an area."""
        key = (area["area_id"], area["definition"])
        if key not in self._columns:
            rows = self.rows(area)
            self._columns[key] = _Column(area, rows, _quantities(rows))
        return self._columns[key]

    def columns(self, area: Any) -> list[tuple[str, _Column]]:
        """Return an area and what it is held against, each under a name of its own."""
        found: dict[str, _Column] = {}
        for one in (area, *self.others(area)):
            name = area_name(one)
            if name in found:
                name = say("site.place_defined", name=name, definition=one["definition"])
            if name in found:
                # two places of one name and one definition: the id tells them apart
                id = f"{one['area_id']}@{one['definition']}"
                name = say("site.place_defined", name=area_name(one), definition=id)
            found.setdefault(name, self.column(one))
        return list(found.items())

    @cached_property
    def indicators(self) -> Mapping[str, _Indicator]:
        """Code to indicator."""
        lang = language()
        words = {name: both[0 if lang == "en" else 1] for name, both in universe_words().items()}
        return {
            str(code): _Indicator(
                str(one[f"name_{lang}"]), str(one["rule"]), int(one["decimals"]),
                str(one["topic"]), words.get(str(one["universe"]), str(one["universe"])),
                one["status"] == "core", at,
            )
            for at, (code, one) in enumerate(self.dictionary.frame.to_dict("index").items())
        }  # fmt: skip

    @cached_property
    def _places(self) -> Mapping[tuple[str, str], Any]:
        """Area and definition to the places of its rows."""
        grouped = self.frame.groupby(["area_id", "definition"], sort=False)
        return {(str(area), str(of)): at for (area, of), at in grouped.indices.items()}

    def rows(self, area: Any) -> list[Row]:
        """Return the rows of an area."""
        key = (str(area["area_id"]), str(area["definition"]))
        if key not in self.held:
            mine = self.frame.take(self._places.get(key, []))
            cells = (mine[name].tolist() for name in mine.columns)
            names = list(mine.columns)
            self.held[key] = [
                dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)
            ]
        return self.held[key]

    def others(self, area: Any) -> list[Row]:
        """Return the areas that an area is held against."""
        names = [area["area_id"], f"{area['area_id']}@{area['definition']}", "*"]
        listed = self.comparators
        found = []
        for named in dict.fromkeys(listed.loc[listed["area_id"].isin(names), "comparator"]):
            if count := alike_count(str(named)):
                place = (str(area["area_id"]), str(area["definition"]))
                alike = alike_in_size(self._people, place, count)
                found += [
                    one
                    for key in alike
                    for one in self._by_id.get(key[0], ())
                    if one["definition"] == key[1]
                ]
                continue
            id, _, definition = str(named).partition("@")
            for one in self._by_id.get(id, ()):
                own = (one["area_id"], one["definition"]) == (area["area_id"], area["definition"])
                if not own and definition in ("", one["definition"]):
                    found.append(one)
        return found

    @cached_property
    def _people(self) -> Mapping[tuple[str, str], float]:
        """People of each partnership and community, of the newest census, as stated."""
        kinds = {
            (str(one["area_id"]), str(one["definition"]))
            for one in self.areas.to_dict("records")
            if one["kind"] in ("", "partnership", "community")
        }
        rows = self.frame[self.frame["indicator"].eq("population")]
        rows = rows[rows["origin"].isin(["ordered", "published"]) & rows["value"].notna()]
        rows = rows[rows["group"].eq("total") & rows["gender"].eq("total")]
        found: dict[tuple[str, str], float] = {}
        for row in rows.sort_values(["period", "origin"], kind="stable").itertuples():
            if (row.area_id, row.definition) in kinds:
                found[row.area_id, row.definition] = float(row.value)
        return found

    @cached_property
    def _by_id(self) -> Mapping[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for one in self.areas.to_dict("records"):
            found.setdefault(one["area_id"], []).append(one)
        return found

    @cached_property
    def _realised(self) -> Mapping[tuple[str, str, str, str], pd.Series]:
        return {
            (
                str(row["area_id"]), str(row["definition"]), str(row["vintage"]),
                str(row["realisation_hash"]),
            ): row
            for _, row in self.realisations.iterrows()
        }  # fmt: skip

    def compare(self, code: str, first: str, second: str) -> tuple[str, str]:
        """Return the verdict of the dictionary on two periods of an indicator, and its reason."""
        key = (code, first, second)
        if key not in self.compared:
            self.compared[key] = self.dictionary.compare(code, first, second)
        told, *reasons = self.compared[key]
        return told, reasons[0 if language() == "en" else 1]

    def ground(self, area: Any, first: Row, second: Row) -> tuple[str, str]:
        """Return whether two censuses are of the same ground of an area, and why not."""
        if any(row["symbol"] in EMPTY for row in (first, second)):
            return "yes", ""
        found = (
            self._realised.get(
                (area["area_id"], area["definition"], row["period"], row["realisation_hash"])
            )
            for row in (first, second)
        )
        told, filled = join_between(*found)
        return told, misfit_reason(filled["misfit"]) if filled else ""


# ---------------------------------------------------------------------- sentences


def _newest(rows: Iterable[Row], code: str, period: str = "") -> Row | None:
    """Return the newest number of an indicator that may stand alone."""
    mine = [
        row
        for row in rows
        if row["indicator"] == code
        and not row["category"]
        and row["group"] == row["gender"] == "total"
        and period in ("", row["period"])
        and is_told(row)
        and row["symbol"] in ("", "r")
    ]
    return max(mine, key=lambda row: row["period"], default=None)


def _sentences(
    material: Material, first: Iterable[Row], others: Sequence[tuple[Row, list[Row]]]
) -> tuple[list[str], list[tuple[str, str]]]:
    told: list[str] = []
    large: list[tuple[str, str]] = []
    rows = list(first)
    for code in _TOLD:
        row = _newest(rows, code)
        if code not in material.indicators or row is None:
            continue
        entry = material.indicators[code]
        value = written(float(row["value"]), entry.rule, entry.decimals)
        parts = [count_text(row, entry.rule), range_text(row, entry.rule, entry.decimals)]
        parts += [period_text(row), origin_text(row)]
        details = "; ".join(one for one in parts if one)
        told.append(_says(code, row, entry.rule, value, details))
        if code in _LEADING:
            large.append((value, say("site.large", name=entry.name, details=details)))
        if entry.rule == "percent":
            told += _held_against(row, entry, others)
    return told, large


def _says(code: str, row: Row, rule: str, value: str, details: str) -> str:
    """Return the sentence of a number; of a share near one in n that it is about that."""
    share = float(row["value"])
    for several in _ONE_IN if rule == "percent" else ():
        if abs(share * several / 100 - 1) <= _NEAR_ONE_IN:
            one_in = say(f"site.one_in_{several}")
            return say(f"site.says_{code}_one_in", one_in=one_in, value=value, details=details)
    return say(f"site.says_{code}", value=value, details=details)


def _held_against(
    row: Row, entry: _Indicator, others: Sequence[tuple[Row, list[Row]]]
) -> Iterable[str]:
    for area, theirs in others:
        other = _newest(theirs, row["indicator"], row["period"])
        if other is None:
            continue
        told = difference(measured(row), measured(other)).verdict
        value = written(float(other["value"]), entry.rule, entry.decimals)
        phrase = in_place(area)
        if not phrase:
            yield say(f"site.{told}", place=area_name(area), value=value)
        elif told == "close":
            yield say("site.close_in", place=phrase, value=value)
        else:
            yield say(f"site.{told}_in", place=than_in_place(phrase), value=value)


# ---------------------------------------------------------------------- an area


def area_blocks(material: Material, area: Any) -> AreaBlocks:
    """Return what is said of one area, in the language in force.

    Parameters
    ----------
    material
        What all areas are told from.
    area
        Its row of the areas.
    """
    columns = material.columns(area)
    rows = columns[0][1].rows
    name = area_name(area)
    shut = area["extent_status"] in UNCONFIRMED and not (
        area["confirmed_by"] and area["confirmed_on"]
    )
    notices = [] if material.public else [say("site.members_only")]
    if shut:
        notices.append(say("site.unconfirmed" if material.public else "site.unconfirmed_members"))
        notices += [say("site.contact", contact=material.contact)] if material.contact else []
        notices += sentences_of_orders(area["area_id"], material.dictionary)
    elif not rows:
        notices.append(say("site.nothing_yet"))
    notices += boundary_notices(material, area)
    others = [(one.area, one.first) for _, one in columns[1:]]
    told, large = _sentences(material, columns[0][1].first, others)
    topics = _topics(material, area, columns, missing=_missing_words(shut=shut))
    releases = sorted({row["release"] for row in rows})
    whole = [row for _, own in columns for row in own.rows]
    return AreaBlocks(
        title=name,
        lead=_lead(area, name),
        notices=notices,
        large=large,
        sentences=told,
        topics=topics,
        series=_series(material, rows),
        sources=sorted({source_text(row) for row in whole}),
        citation=_citation(material, name, releases),
    )


def _citation(material: Material, name: str, releases: Sequence[str]) -> str:
    if not releases:
        return ""
    dated = [
        say("site.release_dated", release=one, date=material.dates.get(one, "")) for one in releases
    ]
    return say("site.citation", title=material.title, area=name, releases=", ".join(dated))


def _missing_words(*, shut: bool) -> str:
    return say("site.not_confirmed") if shut else say("site.no_number")


def _quantities(rows: Iterable[Row]) -> dict[Key, list[Row]]:
    """Return the numbers of each quantity, in the order in which a page prefers them."""
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in QUANTITY[2:]), []).append(row)
    return {key: sorted(several, key=_rank) for key, several in found.items()}


def _rank(row: Row) -> int:
    # as observations.shown has it: a place that has nothing yet gives way
    return ORIGINS.index(row["origin"]) + len(ORIGINS) * (row["symbol"] in EMPTY)


def _lead(area: Any, name: str) -> str:
    kind = say(f"site.kind_{area['kind'] or 'partnership'}")
    units = [one.strip() for one in str(area["units"]).split(";") if one.strip()]
    made = (
        say("site.made_of", count=len(units), vintage=area["vintage"], units=units)
        if units and area["vintage"]
        else ""
    )
    if area["definition"] in ("", "main"):
        lead = say("site.lead", name=name, kind=kind)
    else:
        lead = say("site.lead_definition", name=name, kind=kind, definition=area["definition"])
    return f"{lead} {made}".strip()


def _censuses(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """Return a row of each list of units of each census, by its year, oldest first."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        waits = row["symbol"] in EMPTY
        if row["origin"] != "reported" and not waits and _YEAR.fullmatch(row["period"]):
            found.setdefault(row["period"], {}).setdefault(row["realisation_hash"], row)
    return sorted((period, list(lists.values())) for period, lists in found.items())


def boundary_notices(material: Material, area: Any) -> list[str]:
    """Say where the units of an area in two censuses are not the same ground."""
    notices = []
    shown = material.column(area).first
    for (first, ones), (second, others) in itertools.pairwise(_censuses(shown)):
        pairs = [material.ground(area, one, other) for one in ones for other in others]
        told, why = max(pairs, key=lambda pair: VERDICTS.index(pair[0]))
        if told != "yes":
            notices.append(say(f"site.boundary_{told}", first=first, second=second, reason=why))
    return notices


def _series(material: Material, rows: Iterable[Row]) -> list[str]:
    told: dict[tuple[str, ...], list[str]] = {}
    periods: dict[str, set[str]] = {}
    for row in rows:
        if row["origin"] != "reported" and _YEAR.fullmatch(row["period"]):
            periods.setdefault(row["indicator"], set()).add(row["period"])
    for code in sorted(periods):
        for first, second in itertools.pairwise(sorted(periods[code])):
            found, reason = material.compare(code, first, second)
            if found != "yes":
                told.setdefault((found, first, second, reason), []).append(
                    material.indicators[code].name
                )
    # what holds of several indicators is told once: their names have commas, so semicolons part
    return [
        say(f"site.series_{found}", name="; ".join(names), first=first, second=second,
            reason=reason)
        for (found, first, second, reason), names in told.items()
    ]  # fmt: skip


def _pair(material: Material, area: Any, older: Row, newer: Row) -> str:
    """Return whether a number can be held against the one of a newer census."""
    both = (older, newer)
    if any(one["origin"] == "reported" or not _YEAR.fullmatch(one["period"]) for one in both):
        return "yes"
    told, _ = material.compare(older["indicator"], older["period"], newer["period"])
    ground, _ = material.ground(area, older, newer)
    return worse(told, ground)


def remark_text(material: Material, area: Any, row: Row, newer: Row | None) -> str:
    """Return what is said of a number beside the one of a newer census, empty where it is well."""
    worst = "yes" if newer is None else _pair(material, area, row, newer)
    if newer is None or worst == "yes":
        return ""
    return say(f"site.beside_{worst}", period=newer["period"])


Columns = Sequence[tuple[str, _Column]]


def _topics(material: Material, area: Any, columns: Columns, *, missing: str) -> list[Topic]:
    known = material.indicators
    keys = sorted(
        {key for _, one in columns for key in one.held},
        key=lambda key: _line_order(key, known[key[0]], columns[0][1].held.get(key)),
    )
    made = []
    for topic in dict.fromkeys(known[key[0]].topic for key in keys):
        lines: list[Line] = []
        records: list[list[Any]] = []
        sources: dict[str, None] = {}
        newer: dict[Key, Row] = {}
        mine = [key for key in keys if known[key[0]].topic == topic]
        for key in mine:
            entry = known[key[0]]
            several = [one.held.get(key, ()) for _, one in columns]
            row = next(one[0] for one in several if one)
            own = several[0][0] if several[0] else None
            remark = remark_text(material, area, own, newer.get(key[:4])) if own else ""
            if own:
                newer[key[:4]] = own
            cells = [
                one.cell(key, entry) or Cell(missing if at == 0 else say("site.no_number"))
                for at, (_, one) in enumerate(columns)
            ]
            subject = subject_text(row, entry.name)
            lines.append(
                Line(subject, entry.universe, period_text(row), remark, cells, key[0],
                     entry.decimals)
            )  # fmt: skip
            records += [_record(each, columns[0][0], subject, entry) for each in several[0]]
            for one in several:
                sources |= dict.fromkeys(_source_line(each) for each in one)
        chart = _chart(material, mine, columns)
        places = [place for place, _ in columns]
        made.append(Topic(topic_name(topic), places, lines, sorted(sources), records, chart))
    return made


def _line_order(key: Key, entry: _Indicator, own: Sequence[Row] | None) -> tuple[Any, ...]:
    """Return what sorts the lines of a table: the whole before its parts, the newest first.

    A list is told as one: in each period the greatest number of the area first.
    """
    ranked: tuple[Any, ...] = ((), 0.0)
    if entry.rule == "list":
        ranked = _list_order(key[4], own[0] if own else None)
    return (entry.order, *ranked, key[1], part_order(key[2], key[3]), _backwards(key[4]), key[5])


def _backwards(period: str) -> tuple[int, ...]:
    """Return what sorts the newest period first."""
    return tuple(-ord(letter) for letter in period)


def _source_line(row: Row) -> str:
    return _line_words(str(row["origin"]), str(row["source"]), str(row["release"]), language())


@cache
def _line_words(origin: str, source: str, release: str, lang: str) -> str:
    words = _word(f"site.origin_{origin}", lang)
    return say("site.origin_and_source", origin=words,
               source=_source_words(source, release, lang))  # fmt: skip


def _record(row: Row, place: str, subject: str, entry: _Indicator) -> list[Any]:
    told = is_told(row)
    low, high, _ = bounds(row) if not _no_number(row) else (float("nan"), float("nan"), False)
    base = row["denominator_value"] if told and row["origin"] != "estimated" else float("nan")
    return [
        *(row["indicator"], subject, place, row["period"]),
        *(row["value"] if told else float("nan"), low, high, base),
        origin_text(row),
        "" if told and not row["symbol"] else told_text(row, entry.rule, entry.decimals),
        *(source_in_force(str(row["source"])), row["release"]),
    ]


#: what stands in a record of a number
RECORD = (
    *("code", "indicator", "place", "period", "value", "low", "high", "out_of", "origin"),
    *("symbol", "source", "release"),
)


# ---------------------------------------------------------------------- pictures and short tables


def _chart(material: Material, keys: Iterable[Key], columns: Columns) -> Chart | None:
    """Return the newest shares of a topic as bars: the area's and those it is held against."""
    groups: dict[Key, BarGroup] = {}
    for key in keys:
        entry = material.indicators[key[0]]
        whole = not key[1] and key[2] == key[3] == "total"
        # keys come newest first: the first that the area has a bar in counts
        if entry.rule != "percent" or not whole or key[:4] in groups:
            continue
        rows = [(place, one.held[key][0]) for place, one in columns if key in one.held]
        if key not in columns[0][1].held or (own := _bar(rows[0][1], entry)) is None:
            continue
        beside = [bar for place, row in rows[1:] if (bar := _bar(row, entry, place)) is not None]
        label = say("site.chart_label", name=entry.name, period=period_text(rows[0][1]))
        groups[key[:4]] = BarGroup(label, [own, *beside])
    return Chart(say("site.chart"), list(groups.values())) if groups else None


def _bar(row: Row, entry: _Indicator, place: str = "") -> Bar | None:
    if _no_number(row):
        return None
    low, high, _ = bounds(row)
    value = float(row["value"]) if is_told(row) else None
    ranged = (low, high) if not is_missing(low) and not is_missing(high) else None
    if value is None and ranged is None:
        return None
    text = told_text(row, entry.rule, entry.decimals)
    if value is None:
        low_text, high_text = (written(one, entry.rule, entry.decimals) for one in (low, high))
        text = say("site.range", low=low_text, high=high_text)
    return Bar(place or say("site.this_area"), value, ranged, text)


def facts_lines(material: Material, area: Any) -> tuple[list[str], list[Line]]:
    """Return the core indicators in short: the area now and before, and others beside it.

    What all numbers of a column have alike, census and origin, stands in its head alone.

    Returns
    -------
    list of str
        Heads of the columns: the indicator, the area, its census before, the others.
    list of Line
        A row an indicator, in the order of the dictionary.
    """
    (_, own), *others = material.columns(area)
    codes: dict[str, list[Key]] = {}
    for key in own.held:
        if not key[1] and key[2] == key[3] == "total" and material.indicators[key[0]].core:
            codes.setdefault(key[0], []).append(key)
    places = [say("site.this_area"), say("site.this_area"), *(place for place, _ in others)]
    grid: list[tuple[str, list[Row | None]]] = []
    for code in sorted(codes, key=lambda one: material.indicators[one].order):
        key, *older = sorted(codes[code], key=lambda one: one[4], reverse=True)
        wanted = [(own, [key]), (own, older[:1]), *((one, [key]) for _, one in others)]
        rows = [
            next((one.held[at][0] for at in keys if at in one.held), None) for one, keys in wanted
        ]
        grid.append((code, rows))
    # a census or place without any number has no column
    kept = [at for at in range(len(places)) if at == 0 or any(rows[at] for _, rows in grid)]
    places = [places[at] for at in kept]
    grid = [(code, [rows[at] for at in kept]) for code, rows in grid]
    usual = [_usual(rows[at] for _, rows in grid) for at in range(len(places))]
    lines = []
    for code, rows in grid:
        entry = material.indicators[code]
        cells = [_short_cell(row, of, entry) for row, of in zip(rows, usual, strict=True)]
        newest, before = rows[0], rows[1] if 1 in kept else None
        if newest is not None and before is not None:
            worst = _pair(material, area, before, newest)
            mark = [] if worst == "yes" else [say(f"site.short_{worst}")]
            cells[1] = Cell(cells[1].value, [*cells[1].details, *mark], cells[1].number)
        lines.append(Line(entry.name, "", "", "", cells, code, entry.decimals))
    heads = [
        say("site.place_of", place=place, details="; ".join(of)) if of else place
        for place, of in zip(places, usual, strict=True)
    ]
    return [say("site.head_indicator"), *heads], lines


def _usual(rows: Iterable[Row | None]) -> tuple[str, ...]:
    """Return period and origin of most of some numbers."""
    told = [(period_text(row), origin_text(row)) for row in rows if row is not None]
    return max(dict.fromkeys(told), key=told.count, default=())


def _short_cell(row: Row | None, usual: Sequence[str], entry: _Indicator) -> Cell:
    """Return a number with its count, and of its period and origin what is not as usual."""
    if row is None:
        return Cell(say("site.no_number"))
    cell = cell_of([row], entry.rule, entry.decimals)
    ranged = range_text(row, entry.rule, entry.decimals) if is_told(row) else ""
    details = [count_text(row, entry.rule), ranged]
    details += [one for one in (period_text(row), origin_text(row)) if one not in usual]
    return Cell(cell.value, [one for one in details if one], cell.number)
