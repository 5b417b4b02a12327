"""What a page, a share file and Fast Facts say of one area: the same blocks for all of them.

Blocks are texts in the language in force, and one frame for workbooks. Only rows that
:meth:`Portal.view <lipgeo.portal.portal.Portal.view>` lets an audience see come in.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.portal.areas import UNCONFIRMED
from lipgeo.portal.dictionary import Dictionary
from lipgeo.portal.differences import Measured, difference
from lipgeo.words import catalogue, language, number, say

__all__ = [
    "HEADS",
    "AreaBlocks",
    "Topic",
    "area_blocks",
    "area_name",
    "form_of",
    "measured",
    "period_text",
    "range_text",
    "slug_of",
    "source_text",
    "subject_text",
    "topic_name",
    "value_text",
    "written",
]

#: columns of every table of numbers
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
#: flags of numbers that are kept small on purpose
_SMALL = ("fewer_than_10", "small_denominator", "small_base")
#: told first and large, where there is a number that may stand alone
_LEADING = ("population", "immigrants", "recent_immigrants")
_TOLD = (*_LEADING, "npr")
#: names of the site's own pages
_PAGES = ("index", "releases", "methods", "glossary", "indicators", "compare", "changes", "search")


@dataclass(frozen=True)
class Topic:
    """One table.

    Attributes
    ----------
    title
        Its heading.
    rows
        Texts in the order of :data:`HEADS`.
    frame
        The same for a workbook: numbers as numbers.
    """

    title: str
    rows: Sequence[Sequence[str]]
    frame: pd.DataFrame


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
    heads: Sequence[str] = field(default=())


def area_name(area: pd.Series) -> str:
    """Return the name of an area in the language in force; its id where it has none."""
    other = "fr" if language() == "en" else "en"
    named = area[f"name_{language()}"] or area[f"name_{other}"]
    return str(named or area["area_id"])


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
    >>> from lipgeo.portal.blocks import slug_of
    >>> slug_of("ab-calgary", "city"), slug_of("west", "main")
    ('ab-calgary--city', 'west')
    """
    parts = [area_id] if definition in ("", "main") else [area_id, definition]
    if all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", part) for part in parts):
        # two hyphens stand in no part, so "a-b" and "a" as "b" differ
        plain = "--".join(parts)
        free = plain not in _PAGES and not plain.startswith("indicator--")
        if len(plain) <= _LONGEST_SLUG and free:
            return plain
    whole = "-".join(parts)
    bare = unicodedata.normalize("NFKD", whole).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:_LONGEST_SLUG]
    mark = hashlib.sha256(f"{area_id}@{definition}".encode()).hexdigest()[:8]
    return f"{plain}-{mark}".strip("-")


# ---------------------------------------------------------------------- one number in words


def _bounds(row: Any) -> tuple[float, float, bool]:
    """Return the range of a number, and whether it is the likely one."""
    if pd.notna(row["likely_lower"]) and pd.notna(row["likely_upper"]):
        return float(row["likely_lower"]), float(row["likely_upper"]), True
    return float(row["lower"]), float(row["upper"]), False


def written(value: float, rule: str, decimals: int) -> str:
    """Return a value as its rule is written."""
    text = number(value, decimals)
    return say("site.percent", value=text) if rule in ("percent", "rate", "change") else text


def _alone(row: Any) -> bool:
    """Whether a number may stand without its range: in sentences and large.

    The coverage of an estimate's range is not known to a portal, so no estimate stands alone.
    """
    return bool(
        pd.notna(row["value"])
        and row["origin"] != "estimated"
        and row["symbol"] in ("", "r")
        and not _small(row)
    )


def _small(row: Any) -> str:
    return next((one for one in str(row["flags"]).split(";") if one in _SMALL), "")


def value_text(row: Any, rule: str, decimals: int) -> str:
    """Return a number in words, or why there is none; an estimate is told by its range alone."""
    small = _small(row)
    if small:
        return say(f"site.{small}")
    symbol = str(row["symbol"])
    words = say(f"site.symbol_{_SYMBOL_KEYS.get(symbol, symbol)}") if symbol else ""
    if pd.isna(row["value"]):
        return words or say("site.no_number")
    if row["origin"] == "estimated":
        low, high, _ = _bounds(row)
        known = pd.notna(low) and pd.notna(high)
        return say("site.only_range") if known else say("site.no_range")
    text = written(float(row["value"]), rule, decimals)
    return say("site.beside", value=text, words=words) if words else text


def range_text(row: Any, rule: str, decimals: int) -> str:
    """Return the range of a number in words, empty where it has none."""
    low, high, likely = _bounds(row)
    if pd.isna(low) or pd.isna(high) or pd.isna(row["value"]) or _small(row):
        return ""
    texts = {"low": written(low, rule, decimals), "high": written(high, rule, decimals)}
    return say("site.range_likely", **texts) if likely else say("site.range", **texts)


def period_text(row: Any) -> str:
    """Return what a number is of: a census, a period, and the year of its dollars."""
    period = str(row["period"])
    census = row["origin"] != "reported" and re.fullmatch(r"\d{4}", period)
    text = say("site.census", year=period) if census else period
    if row["dollars"] and row["dollars"] != "current":
        text = say("site.in_dollars", period=text, year=row["dollars"])
    return text


def subject_text(row: Any, name: str) -> str:
    """Return the indicator's name with category, group and gender."""
    parts = [name, str(row["category"])]
    parts += [
        say(f"site.{kind}_{row[kind]}")
        for kind in ("group", "gender")
        if row[kind] not in ("", "total")
    ]
    return say("site.joined_by", parts=" – ".join(one for one in parts if one))


def source_text(row: Any) -> str:
    """Return where a number comes from."""
    parts = {"source": row["source"] or say("site.no_source"), "release": row["release"]}
    return say("site.source", **parts)


# ---------------------------------------------------------------------- sentences


def _newest(rows: pd.DataFrame, code: str) -> pd.Series | None:
    mine = rows[
        rows["indicator"].eq(code)
        & rows["category"].eq("")
        & rows["group"].eq("total")
        & rows["gender"].eq("total")
    ]
    mine = mine[[_alone(row) for _, row in mine.iterrows()]]
    return None if mine.empty else mine.sort_values("period", kind="stable").iloc[-1]


def measured(row: Any) -> Measured:
    """Return a number with its range: NaN where it is missing, marked or kept small."""
    if row["symbol"] not in ("", "r") or _small(row):
        return Measured(np.nan)
    low, high, likely = _bounds(row)
    return Measured(float(row["value"]), low, high, likely)


def _sentences(
    rows: pd.DataFrame, others: Sequence[tuple[str, pd.DataFrame]], dictionary: Dictionary
) -> tuple[list[str], list[tuple[str, str]]]:
    told: list[str] = []
    large: list[tuple[str, str]] = []
    for code in _TOLD:
        if code not in dictionary:
            continue
        row = _newest(rows, code)
        if row is None:
            continue
        rule, decimals = form_of(dictionary, code)
        value = written(float(row["value"]), rule, decimals)
        when, origin = period_text(row), say(f"site.origin_{row['origin']}")
        told.append(say(f"site.says_{code}", value=value, period=when, origin=origin))
        if code in _LEADING:
            label = say("site.large", name=dictionary.name(code), period=when, origin=origin)
            large.append((value, label))
        if rule != "percent":
            continue
        for name, theirs in others:
            other = _newest(theirs[theirs["period"].eq(row["period"])], code)
            if other is not None:
                beside = written(float(other["value"]), rule, decimals)
                verdict = difference(measured(row), measured(other)).verdict
                told.append(say(f"site.{verdict}", place=name, value=beside))
    return told, large


def form_of(dictionary: Dictionary, code: str) -> tuple[str, int]:
    """Return the rule and the decimals of an indicator."""
    entry = dictionary[code]
    return str(entry["rule"]), int(entry["decimals"])


def _series(rows: pd.DataFrame, dictionary: Dictionary) -> list[str]:
    told: dict[str, None] = {}
    for code, mine in rows[rows["origin"].ne("reported")].groupby("indicator", sort=True):
        periods = sorted({one for one in mine["period"] if re.fullmatch(r"\d{4}", one)})
        for first, second in itertools.pairwise(periods):
            verdict, *reasons = dictionary.compare(str(code), first, second)
            if verdict != "yes":
                reason = reasons[0 if language() == "en" else 1]
                told[say(f"site.series_{verdict}", name=dictionary.name(str(code)), first=first,
                         second=second, reason=reason)] = None  # fmt: skip
    return list(told)


# ---------------------------------------------------------------------- an area


def _comparators(area: pd.Series, areas: pd.DataFrame, listed: pd.DataFrame) -> Iterable[pd.Series]:
    mine = listed[
        listed["area_id"].isin([area["area_id"], f"{area['area_id']}@{area['definition']}", "*"])
    ]
    for named in dict.fromkeys(mine["comparator"]):
        id, _, definition = str(named).partition("@")
        found = areas[areas["area_id"].eq(id)]
        if definition:
            found = found[found["definition"].eq(definition)]
        yield from (row for _, row in found.iterrows())


def _of_area(frame: pd.DataFrame, area: pd.Series) -> pd.DataFrame:
    return frame[frame["area_id"].eq(area["area_id"]) & frame["definition"].eq(area["definition"])]


def area_blocks(
    frame: pd.DataFrame,
    area: pd.Series,
    areas: pd.DataFrame,
    *,
    comparators: pd.DataFrame,
    dictionary: Dictionary,
    title: str,
    public: bool,
) -> AreaBlocks:
    """Return what is said of one area, in the language in force.

    Parameters
    ----------
    frame
        One number of each quantity, as an audience may see it.
    area
        Its row of ``areas``.
    areas
        All areas that are told of.
    comparators
        The sheet *comparators*.
    dictionary
        The indicators.
    title
        Name of the portal.
    public
        Whether everybody reads it.
    """
    rows = _of_area(frame, area)
    others = [
        (area_name(one), _of_area(frame, one)) for one in _comparators(area, areas, comparators)
    ]
    name = area_name(area)
    parts = [(name, rows), *others]
    whole = pd.concat([part.assign(_place=place, _at=at) for at, (place, part) in enumerate(parts)])
    shut = area["extent_status"] in UNCONFIRMED and not (
        area["confirmed_by"] and area["confirmed_on"]
    )
    notices = [] if public else [say("site.members_only")]
    if shut:
        notices.append(say("site.unconfirmed" if public else "site.unconfirmed_members"))
    elif rows.empty:
        notices.append(say("site.nothing_yet"))
    told, large = _sentences(rows, others, dictionary)
    topics = _topics(whole, dictionary)
    sources = sorted({source_text(row) for _, row in whole.iterrows()})
    releases = sorted(set(rows["release"]))
    return AreaBlocks(
        title=name,
        lead=_lead(area, name),
        notices=notices,
        large=large,
        sentences=told,
        topics=topics,
        series=_series(rows, dictionary),
        sources=sources,
        citation=say("site.citation", title=title, area=name, releases=", ".join(releases))
        if releases
        else "",
        heads=[say(f"site.head_{one}") for one in HEADS],
    )


def _lead(area: pd.Series, name: str) -> str:
    kind = say(f"site.kind_{area['kind'] or 'partnership'}")
    if area["definition"] in ("", "main"):
        return say("site.lead", name=name, kind=kind)
    return say("site.lead_definition", name=name, kind=kind, definition=area["definition"])


def _topics(whole: pd.DataFrame, dictionary: Dictionary) -> list[Topic]:
    order = {code: at for at, code in enumerate(dictionary.frame.index)}
    whole = whole.assign(
        _order=whole["indicator"].map(order),
        _topic=whole["indicator"].map(dictionary.frame["topic"]),
    ).sort_values(
        ["_order", "category", "group", "gender", "period", "dollars", "_at"], kind="stable"
    )
    made = []
    for topic in dict.fromkeys(whole["_topic"]):
        texts, cells = [], []
        for _, row in whole[whole["_topic"].eq(topic)].iterrows():
            rule, decimals = form_of(dictionary, row["indicator"])
            subject = subject_text(row, dictionary.name(row["indicator"]))
            value = value_text(row, rule, decimals)
            plain = pd.notna(row["value"]) and not _small(row)
            over = row["denominator_value"] if plain else np.nan
            low, high, _ = _bounds(row) if plain else (np.nan, np.nan, False)
            origin = say(f"site.origin_{row['origin']}")
            texts.append(
                [
                    *(subject, row["_place"], period_text(row), value),
                    range_text(row, rule, decimals),
                    "" if pd.isna(over) else number(float(over)),
                    *(origin, source_text(row)),
                ]
            )
            middle = row["value"] if plain and row["origin"] != "estimated" else np.nan
            cells.append(
                [
                    *(row["indicator"], subject, row["_place"], row["period"], middle, low, high),
                    *(over, origin, value if pd.isna(middle) or row["symbol"] else ""),
                    *(row["source"], row["release"]),
                ]
            )
        made.append(Topic(topic_name(str(topic)), texts, _cells_frame(cells)))
    return made


def _cells_frame(cells: list[list[Any]]) -> pd.DataFrame:
    names = (
        *("code", "indicator", "place", "period", "value", "low", "high", "out_of", "origin"),
        *("symbol", "source", "release"),
    )
    frame = pd.DataFrame(cells, columns=list(names))
    numbers = ["value", "low", "high", "out_of"]
    frame[numbers] = frame[numbers].astype("float64")
    return frame.rename(columns={one: say(f"site.head_{one}") for one in names})
