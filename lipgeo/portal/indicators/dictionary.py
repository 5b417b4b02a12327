"""The dictionary of indicators: what is measured, where it stands in each census, what compares.

Three tables lie beside this module: ``indicators.csv``, ``indicator_rows.csv`` (where the rows of
an indicator stand in the Census Profile of each census) and ``comparability.csv`` (each pair of
censuses, with the reason). All are a proposal, and say so. A new census is new rows, not code. A
portal adds indicators of its own and hides others in its workbook.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.errors import InputError
from lipgeo.geography.hierarchy import fold
from lipgeo.readers.sheets import read_sheet
from lipgeo.words import Language, language, say, speaking

__all__ = [
    "GENDERS",
    "GROUPS",
    "INDICATOR_COLUMNS",
    "RULES",
    "Dictionary",
    "indicators",
    "read_census_rows",
    "row_ids",
    "services_since",
    "shipped_dictionary",
]

#: what an indicator can be
RULES = ("count", "percent", "rate", "average", "median", "change", "list")
#: who an indicator is told of: a dimension of a number, never a part of an indicator's code
GROUPS = ("total", "non_immigrants", "immigrants", "recent", "established", "npr")
#: sex up to 2016, gender from 2021
GENDERS = ("total", "men", "women")
INDICATOR_COLUMNS = (
    *("code", "topic", "name_en", "name_fr", "definition_en", "definition_fr", "rule"),
    *("universe", "decimals", "status", "needs", "variable", "certainty"),
)
ROW_COLUMNS = (
    *("code", "census", "numerator", "denominator", "check_row", "heading", "parent", "words"),
    *("denominator_parent", "denominator_words", "sample", "leaves_out", "certainty"),
)
COMPARABILITY_COLUMNS = (
    *("code", "from_census", "to_census", "verdict", "reason_en", "reason_fr", "certainty"),
)
#: certainty of a row of a census that has not come
EXPECTED = "expected"
STATUSES = ("core", "extended", "local", "delivered")
VERDICTS = ("yes", "caution", "no")
#: words of a row that is a rate already; a number before % is a limit ("30% or more of income")
_RATE = re.compile(
    r"\b(rates?|prevalence|medians?|averages?|percent(age)?|taux|prévalence|médian\w*|moyenn?e?s?)\b"
    r"|(?<![\d\s])\s*%|^\s*%",
    re.IGNORECASE,
)
_FOOTNOTES = re.compile(r"(?<!\s)(\s*[\(\[]\d+[\)\]])+\s*$")
_SAMPLE = re.compile(
    r"(?<!\s)\s*[-–]\s*(?:données(?:[- ]échantillon)?\s*\(?)?(\d+)\s*%.*$", re.IGNORECASE
)
_CODE = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Dictionary:
    """Indicators, their rows by census and which pairs of censuses compare.

    Attributes
    ----------
    frame
        Index ``code``; ``topic, name_en, name_fr, definition_en, definition_fr, rule, universe``
        (text), ``decimals`` (int64), ``status`` (``core``, ``extended``, ``local``: a portal's
        own, ``delivered``: a row of a delivery that no indicator takes), ``needs`` (``profile``,
        ``ordered``, ``imdb``, ``local``), ``variable`` (lipgeo's variable that is the same),
        ``certainty``.
    rows
        One row an indicator and census: ids and words of numerator and denominator in the Census
        Profile, ``check_row`` (the published rate), ``sample``, ``leaves_out`` (units it does not
        count, so that nothing is told of an area with one), ``certainty``.
    comparability
        One row an indicator and pair of censuses: ``verdict`` (``yes``, ``caution``, ``no``) and
        the reason in both languages. Code ``*`` holds for all.

    Raises
    ------
    InputError
        What the tables say cannot be: a code twice or unknown, a rule, verdict or status that is
        none, a name missing in a language, a row that is a rate as numerator of a percentage.
        ``problems`` lists every row.
    """

    frame: pd.DataFrame
    rows: pd.DataFrame
    comparability: pd.DataFrame

    def __post_init__(self) -> None:
        problems = [*self._of_indicators(), *self._of_rows(), *self._of_pairs()]
        if problems:
            shown = [f"{one['code']}: {one['problem']}" for one in problems]
            raise InputError("portal.dictionary_refused", problems, problems_shown=shown)

    def _of_indicators(self) -> Iterable[dict[str, Any]]:
        twice = self.frame.index[self.frame.index.duplicated()]
        for code in dict.fromkeys(twice):
            yield {"code": code, "problem": say("portal.code_twice")}
        for one in self.frame.reset_index().itertuples():
            if not _CODE.fullmatch(str(one.code)):
                yield {"code": one.code, "problem": say("portal.bad_code")}
            if one.rule not in RULES:
                problem = say("portal.bad_rule", rule=one.rule, rules=list(RULES))
                yield {"code": one.code, "problem": problem}
            if one.status not in STATUSES:
                yield {"code": one.code, "problem": say("portal.bad_status", status=one.status)}
            if not one.name_en or not one.name_fr:
                yield {"code": one.code, "problem": say("portal.no_name")}

    def _of_rows(self) -> Iterable[dict[str, Any]]:
        rules = self.frame["rule"][~self.frame.index.duplicated()]
        keys = self.rows[["code", "census"]]
        for one in self.rows[keys.duplicated()].itertuples():
            yield {"code": one.code, "problem": say("portal.row_twice", census=one.census)}
        for one in self.rows.itertuples():
            if one.code not in rules.index:
                yield {"code": one.code, "problem": say("portal.no_indicator")}
                continue
            rate = [w for w in str(one.words).split(" | ") if _RATE.search(_SAMPLE.sub("", w))]
            if rules[one.code] == "percent" and rate:
                problem = say("portal.rate_as_numerator", census=one.census, words=rate)
                yield {"code": one.code, "problem": problem}
            if rules[one.code] == "percent" and one.numerator and not one.denominator:
                problem = say("portal.no_row_denominator", census=one.census)
                yield {"code": one.code, "problem": problem}

    def _of_pairs(self) -> Iterable[dict[str, Any]]:
        for one in self.comparability.itertuples():
            if one.code != "*" and one.code not in self.frame.index:
                yield {"code": one.code, "problem": say("portal.no_indicator")}
            if one.verdict not in VERDICTS:
                yield {"code": one.code, "problem": say("portal.bad_verdict", verdict=one.verdict)}
            if one.verdict != "yes" and not (one.reason_en and one.reason_fr):
                pair = f"{one.from_census}-{one.to_census}"
                yield {"code": one.code, "problem": say("portal.no_reason", pair=pair)}

    # ------------------------------------------------------------------ asking

    def __contains__(self, code: object) -> bool:
        return code in self.frame.index

    def __getitem__(self, code: str) -> pd.Series:
        return self._by_code[code]

    @cached_property
    def _by_code(self) -> dict[str, pd.Series]:
        return {str(code): row for code, row in self.frame.iterrows()}

    def name(self, code: str) -> str:
        """Return the name of an indicator in the language in force."""
        return str(self._by_code[code][f"name_{language()}"])

    def compare(self, code: str, first: str | int, second: str | int) -> tuple[str, str, str]:
        """Return the verdict on two censuses and its reason in English and French.

        Censuses that are not next to each other compare as badly as the worst step between them.
        A pair that nobody has looked at does not compare.
        """
        one, other = sorted((str(first), str(second)))
        if one == other:
            return "yes", "", ""
        # asked of every number of every page
        pair = (code, one, other)
        if pair not in self._compared:
            self._compared[pair] = self._compare(*pair)
        return self._compared[pair]

    @cached_property
    def _compared(self) -> dict[tuple[str, str, str], tuple[str, str, str]]:
        return {}

    @cached_property
    def forms(self) -> dict[str, tuple[str, int]]:
        """Code to rule and decimals: asked of every number of every page."""
        columns = (self.frame.index, self.frame["rule"], self.frame["decimals"])
        return {str(code): (str(rule), int(of)) for code, rule, of in zip(*columns, strict=True)}

    @cached_property
    def _pairs(self) -> list[dict[str, Any]]:
        return [
            {str(key): of for key, of in row.items()}
            for row in self.comparability.to_dict("records")
        ]

    def _compare(self, code: str, one: str, other: str) -> tuple[str, str, str]:
        rows = [row for row in self._pairs if row["code"] in (code, "*")]
        direct = [row for row in rows if (row["from_census"], row["to_census"]) == (one, other)]
        if direct:
            return self._worst(direct)
        # a way over the censuses between, by the indicator's own pairs
        own = [row for row in rows if row["code"] == code]
        steps: list[dict[str, Any]] = []
        at = one
        while at != other:
            step = [row for row in own if row["from_census"] == at and row["to_census"] <= other]
            if not step:
                return "no", _in("en", "portal.not_looked_at"), _in("fr", "portal.not_looked_at")
            steps += step
            at = max(str(row["to_census"]) for row in step)
        return self._worst(steps)

    @staticmethod
    def _worst(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
        verdict = max((str(row["verdict"]) for row in rows), key=VERDICTS.index)
        told = [row for row in rows if row["verdict"] == verdict]
        english, french = (
            " ".join(dict.fromkeys(str(row[f"reason_{lang}"]) for row in told)).strip()
            for lang in ("en", "fr")
        )
        return verdict, english, french

    # ------------------------------------------------------------------ a portal's own

    def with_local(
        self, added: pd.DataFrame | None = None, hidden: Iterable[str] = ()
    ) -> Dictionary:
        """Return the dictionary with a portal's own indicators, and without those it hides.

        Raises
        ------
        InputError
            An indicator stands twice, or is no indicator; one to hide is unknown.
        """
        gone = [code for code in hidden if code not in self.frame.index]
        if gone:
            problems = [{"code": code, "problem": say("portal.no_indicator")} for code in gone]
            raise InputError("portal.hidden_unknown", problems, codes=gone)
        frame = self.frame
        if added is not None and len(added):
            more = _filled(added).set_index("code")
            frame = pd.concat([frame, more])
        kept = frame[~frame.index.isin(list(hidden))]
        return replace(
            self,
            frame=kept,
            rows=self.rows[self.rows["code"].isin(kept.index)].reset_index(drop=True),
            comparability=self.comparability[
                self.comparability["code"].isin([*kept.index, "*"])
            ].reset_index(drop=True),
        )

    def with_census(self, rows: pd.DataFrame, pairs: pd.DataFrame) -> Dictionary:
        """Return the dictionary with a portal's own rows of censuses and pairs of them.

        A row or pair of the portal stands in place of the one that was known.

        Raises
        ------
        InputError
            Rows or pairs cannot be: all of them, as for the dictionary itself.
        """
        if rows.empty and pairs.empty:
            return self
        known = list(self.frame.index)
        parts = []
        for own, there, keys in (
            (rows, self.rows, ["code", "census"]),
            (pairs, self.comparability, ["code", "from_census", "to_census"]),
        ):
            # rows of indicators the portal hides are passed over
            mine = own[own["code"].isin([*known, "*"])]
            again = pd.MultiIndex.from_frame(there[keys]).isin(pd.MultiIndex.from_frame(mine[keys]))
            parts.append(pd.concat([there[~again], mine], ignore_index=True))
        return replace(self, rows=parts[0], comparability=parts[1])


def read_census_rows(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of censuses and pairs of them that a folder adds to the dictionary.

    Parameters
    ----------
    folder
        ``indicator_rows*.csv`` and ``comparability*.csv`` are read; none need be there.

    Raises
    ------
    InputError
        A file lacks columns, or a census or row is no number; all of a file at once.
    """
    found = []
    for start, columns in (
        ("indicator_rows", ROW_COLUMNS),
        ("comparability", COMPARABILITY_COLUMNS),
    ):
        parts = [pd.DataFrame(columns=list(columns), dtype=object)]
        for path in sorted(folder.glob(f"{start}*.csv")):
            part = read_sheet(path).frame.astype("string").fillna("").astype(object)
            missing = [one for one in columns if one not in part]
            if missing:
                raise InputError("portal.columns_missing", name=path.name, missing=missing,
                                 found=list(part.columns))  # fmt: skip
            _check_numbers(part, path.name)
            parts.append(part[list(columns)])
        found.append(pd.concat(parts, ignore_index=True))
    return found[0], found[1]


_ROW_NUMBERS = re.compile(r"(\d+(:\d+)?(\+\d+(:\d+)?)*)?")


def _check_numbers(part: pd.DataFrame, name: str) -> None:
    checks = {"census": _A_YEAR, "from_census": _A_YEAR, "to_census": _A_YEAR,
              "numerator": _ROW_NUMBERS, "denominator": _ROW_NUMBERS}  # fmt: skip
    problems = [
        {"row": at, "column": column, "given": str(value)}
        for column, form in checks.items()
        if column in part
        for at, value in enumerate(part[column], start=2)
        if not form.fullmatch(str(value).strip())
    ]
    if problems:
        cells = [f"{one['column']} {one['row']}: {one['given']}" for one in problems]
        raise InputError("portal.not_numbers", problems, name=name, cells=cells)


_A_YEAR = re.compile(r"(19|20)\d\d")


def _in(lang: Language, key: str) -> str:
    with speaking(lang):
        return say(key)


def _filled(added: pd.DataFrame) -> pd.DataFrame:
    """Return local indicators with what they leave unsaid filled in."""
    frame = added.reindex(columns=list(INDICATOR_COLUMNS)).copy()
    for column in INDICATOR_COLUMNS:
        if column != "decimals":
            frame[column] = frame[column].astype("string").fillna("").str.strip()
    frame["name_fr"] = frame["name_fr"].mask(frame["name_fr"].eq(""), frame["name_en"])
    frame["name_en"] = frame["name_en"].mask(frame["name_en"].eq(""), frame["name_fr"])
    for column, default in (
        *(("topic", "local"), ("rule", "count"), ("status", "local"), ("needs", "local")),
        ("certainty", "local"),
    ):
        frame[column] = frame[column].mask(frame[column].eq(""), default)
    decimals = pd.to_numeric(frame["decimals"], errors="coerce")
    frame["decimals"] = decimals.fillna(frame["rule"].isin(["percent", "rate"]) * 1).astype("int64")
    return frame.astype(dict.fromkeys([c for c in INDICATOR_COLUMNS if c != "decimals"], object))


@cache
def shipped_dictionary() -> Dictionary:
    """Return the dictionary that comes with lipgeo."""
    frame = _table("indicators.csv", INDICATOR_COLUMNS)
    frame["decimals"] = frame["decimals"].astype("int64")
    return Dictionary(
        frame.set_index("code"),
        _table("indicator_rows.csv", ROW_COLUMNS),
        _table("comparability.csv", COMPARABILITY_COLUMNS),
    )


def _table(name: str, columns: Iterable[str]) -> pd.DataFrame:
    with (resources.files("lipgeo.portal.indicators") / name).open("r", encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=str, keep_default_na=False)[list(columns)]


@cache
def services_since() -> int:
    """Return the first admission year whose settlement services are all on record."""
    frame = _table("imdb.csv", ("fact", "year"))
    return int(frame.set_index("fact").loc["services_since", "year"])


@cache
def universe_words() -> Mapping[str, tuple[str, str]]:
    """Return who is counted, in English and French, by the name of the universe."""
    frame = _table("universes.csv", ("universe", "name_en", "name_fr"))
    return {
        name: (en, fr)
        for name, en, fr in zip(frame["universe"], frame["name_en"], frame["name_fr"], strict=True)
    }


def indicators(topic: str | None = None) -> pd.DataFrame:
    """Return the indicators lipgeo knows: a proposal, drafted from public profiles.

    Parameters
    ----------
    topic
        One topic only (``immigration``), or a word of a name or code in either language.

    Returns
    -------
    pandas.DataFrame
        RangeIndex; ``code, topic, name_en, name_fr, definition_en, definition_fr, rule, universe``
        (text), ``decimals`` (int64), ``status, needs, variable, certainty`` (text), ``censuses``:
        the censuses in which its rows are known, ``;``-joined.

    Raises
    ------
    InputError
        No topic, name or code has that word.

    Examples
    --------
    >>> import lipgeo
    >>> lipgeo.indicators("mobility")["code"].tolist()
    ['movers_1', 'external_5']
    """
    known = shipped_dictionary()
    frame = known.frame.reset_index()
    held = known.rows[known.rows["numerator"].ne("")]
    years = held.groupby("code")["census"].agg(lambda of: ";".join(sorted(set(of))))
    frame["censuses"] = frame["code"].map(years).fillna("")
    if topic is None:
        return frame
    chosen = frame["topic"].eq(topic)
    if not chosen.any():
        wanted = fold(topic)
        texts = frame[["code", "name_en", "name_fr"]].agg(" ".join, axis=1)
        chosen = texts.map(lambda text: wanted in fold(text)) if wanted else chosen
    if not chosen.any():
        topics = list(dict.fromkeys(frame["topic"]))
        raise InputError("portal.no_topic", topic=topic, topics=topics)
    return frame[chosen].reset_index(drop=True)


# ---------------------------------------------------------------------- words of rows


def row_ids(given: str) -> list[str]:
    """Return the characteristic ids of a row: ``1679+1680``, ``16:23`` or one.

    Examples
    --------
    >>> from lipgeo.portal.indicators.dictionary import row_ids
    >>> row_ids("16:18+24")
    ['16', '17', '18', '24']
    """
    found: list[str] = []
    for part in filter(None, given.split("+")):
        first, _, last = part.partition(":")
        found += [str(one) for one in range(int(first), int(last or first) + 1)]
    return found


def is_rate(words: str) -> bool:
    """Say whether the words of a row are of a rate, average, median or percentage."""
    text = _SAMPLE.sub("", _FOOTNOTES.sub("", str(words).strip()))
    return bool(_RATE.search(text)) or "($)" in text or "index" in fold(text)
