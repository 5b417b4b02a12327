"""The rows of a new census, found by their words: what the dictionary needs, proposed.

The newest census that the dictionary knows gives the words; the new census's list of members is
searched for the same words in the same place, then for the same words with their years moved on.
What is not found for certain is listed with its nearest and stays empty: it is ``expected``, and
nobody's guess becomes a number.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.errors import InputError
from lipgeo.files import files_in_one_move, require_free_file, write_csv
from lipgeo.geography.hierarchy import fold
from lipgeo.portal.indicators.dictionary import (
    COMPARABILITY_COLUMNS,
    EXPECTED,
    ROW_COLUMNS,
    Dictionary,
    row_ids,
)
from lipgeo.words import LANGUAGES, say, speaking

__all__ = ["Proposal", "propose_rows"]

#: how alike words must be to be listed as the nearest
_NEAR = 0.8
#: nearest listed of each row
_LISTED = 3
_YEAR = re.compile(r"(?<!\d)(19|20)\d\d(?!\d)")
#: a class of years: "2016 to 2021"
_SPAN = re.compile(r"((?:19|20)\d\d) (?:to|à) ((?:19|20)\d\d)")
#: how words were found, the surest first
_HOW = ("same", "years_moved")


@dataclass(frozen=True)
class Proposal:
    """What is proposed for a census.

    Attributes
    ----------
    rows
        As ``indicator_rows.csv``: a row an indicator; numerator and denominator are empty where
        they were not found for certain, and ``certainty`` is then ``expected``.
    comparability
        As ``comparability.csv``: each found indicator and the census its words are from, with
        caution, as nobody has looked at the questions.
    unsure
        One row a part that was not found: ``code, part`` (``numerator``, ``denominator``),
        ``words, heading``, ``nearest`` (ids and words), ``why`` (``several``, ``elsewhere``,
        ``near``, ``none``).
    """

    rows: pd.DataFrame
    comparability: pd.DataFrame
    unsure: pd.DataFrame

    def write(self, folder: str | Path, census: int) -> list[Path]:
        """Write the three tables into a folder, named by the census; all or none.

        Raises
        ------
        OutputError
            Earlier ones stand there in which somebody wrote, or a file cannot be written.
        """
        tables = {
            "indicator_rows": self.rows,
            "comparability": self.comparability,
            "unsure": self.unsure,
        }
        files = [Path(folder) / f"{name}_{census}.csv" for name in tables]
        for file in files:
            require_free_file(file, replace=True)
        with files_in_one_move(files) as temporary:
            for frame, place in zip(tables.values(), temporary, strict=True):
                write_csv(frame, place)
        return files


def propose_rows(dictionary: Dictionary, members: pd.DataFrame, census: int) -> Proposal:
    """Propose the rows of a census by its list of members.

    Parameters
    ----------
    dictionary
        The indicators and their rows in earlier censuses.
    members
        As :func:`lipgeo.readers.statcan.members.read_members`.
    census
        The new census.

    Raises
    ------
    InputError
        The dictionary knows no earlier census.
    """
    rows = dictionary.rows
    older = rows[rows["numerator"].ne("") & (rows["census"].astype(int) < census)]
    if older.empty:
        raise InputError("portal.no_earlier_census", census=str(census))
    newest = older.sort_values("census", kind="stable").drop_duplicates("code", keep="last")
    order = {code: at for at, code in enumerate(dictionary.frame.index)}
    newest = newest.iloc[newest["code"].map(order).argsort(kind="stable")]
    search = _Search(members)
    made, pairs, unsure = [], [], []
    for row in newest.to_dict("records"):
        shift = census - int(row["census"])
        parts = {name: _parts(row, name) for name in ("numerator", "denominator")}
        found: dict[str, list[tuple[str, str]]] = {}
        for name, several in parts.items():
            looked = [search.find(one, int(row["census"]), shift) for one in several]
            found[name] = [(one.id, one.how) for one in looked if one.id]
            unsure += [
                {"code": row["code"], "part": name, "words": part["words"],
                 "heading": part["heading"], "nearest": one.nearest, "why": one.how}
                for part, one in zip(several, looked, strict=True)
                if not one.id
            ]  # fmt: skip
        sure = all(len(found[name]) == len(parts[name]) for name in parts)
        made.append(_row(row, census, found, members, sure=sure))
        if sure:
            pairs.append(_pair(row, census))
    return Proposal(
        pd.DataFrame(made, columns=list(ROW_COLUMNS)),
        pd.DataFrame(pairs, columns=list(COMPARABILITY_COLUMNS)),
        pd.DataFrame(
            unsure, columns=["code", "part", "words", "heading", "nearest", "why"]
        ),
    )  # fmt: skip


def _parts(row: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    """Return the rows that a numerator or denominator is made of: words, parent, heading."""
    ids = row_ids(str(row[name]))
    if not ids:
        return []
    top = name == "numerator"
    words = str(row["words" if top else "denominator_words"]).split(" | ")
    parents = str(row["parent" if top else "denominator_parent"]).split(" | ")
    if len(words) != len(ids):
        # a range of rows is told by one text: its rows cannot be looked for one by one
        words = [" | ".join(words)] * len(ids)
    if len(parents) != len(words):
        parents = [" | ".join(parents)] * len(words)
    return [
        {"words": word, "parent": parent, "heading": str(row["heading"])}
        for word, parent in zip(words, parents, strict=True)
    ]


def _row(
    row: Mapping[str, Any],
    census: int,
    found: Mapping[str, list[tuple[str, str]]],
    members: pd.DataFrame,
    *,
    sure: bool,
) -> dict[str, Any]:
    made = {**row, "census": str(census), "check_row": ""}
    if not sure:
        return {**made, "numerator": "", "denominator": "", "certainty": EXPECTED}
    told = members.set_index("id")
    top, bottom = ([id for id, _ in found[name]] for name in ("numerator", "denominator"))
    first = told.loc[top[0]]
    how = max((how for part in found.values() for _, how in part), key=_HOW.index)
    return {
        **made,
        "numerator": "+".join(top),
        "denominator": "+".join(bottom),
        "heading": first["heading"],
        "parent": " | ".join(told.loc[top, "parent"]),
        "words": " | ".join(told.loc[top, "words"]),
        "denominator_parent": " | ".join(told.loc[bottom, "parent"]),
        "denominator_words": " | ".join(told.loc[bottom, "words"]),
        "sample": first["sample"] or row["sample"],
        "certainty": f"proposed: {how}",
    }


def _pair(row: Mapping[str, Any], census: int) -> dict[str, str]:
    reasons = {}
    for lang in LANGUAGES:
        with speaking(lang):
            reasons[lang] = say("portal.pair_proposed")
    return {
        "code": row["code"],
        "from_census": row["census"],
        "to_census": str(census),
        "verdict": "caution",
        "reason_en": reasons["en"],
        "reason_fr": reasons["fr"],
        "certainty": "proposed",
    }


# ---------------------------------------------------------------------- searching


@dataclass(frozen=True)
class _Found:
    id: str
    how: str
    nearest: str = ""


class _Search:
    """Members by their words."""

    def __init__(self, members: pd.DataFrame) -> None:
        self.records = members.to_dict("records")
        self.by_words: dict[str, list[int]] = {}
        for at, one in enumerate(self.records):
            self.by_words.setdefault(_plain(one["words"]), []).append(at)

    def find(self, part: Mapping[str, str], census: int, shift: int) -> _Found:
        """Return the one member with these words in this place, else why there is none.

        Words with a year of their census never stay as they are: "Population, 2016" of a list of
        2021 is what was counted before.
        """
        ways = [("years_moved", shift)]
        if not any(int(year[0]) >= census - 1 for year in _YEAR.finditer(part["words"])):
            ways.insert(0, ("same", 0))
        for how, by in ways:
            words, parent, heading = (
                _plain(_moved(part[name], census, by)) for name in ("words", "parent", "heading")
            )
            there = self.by_words.get(words, [])
            placed = [at for at in there if self._under(at, words, heading)]
            if len(placed) > 1:
                placed = [at for at in placed if self._below(at, parent)]
            if not placed and len(there) == 1 and not self.records[there[0]]["heading"]:
                # words that stand under no total and once: they say all by themselves
                placed = there
            if len(placed) == 1:
                return _Found(str(self.records[placed[0]]["id"]), how)
            if placed:
                return _Found("", "several", self._told(placed))
            if there:
                return _Found("", "elsewhere", self._told(there))
        near = self._near(_plain(_moved(part["words"], census, shift)))
        return _Found("", "near" if near else "none", self._told(near))

    def _under(self, at: int, words: str, heading: str) -> bool:
        """Say whether a member stands under a heading, or is the heading itself."""
        own = _plain(self.records[at]["heading"])
        return own == heading or (not own and words == heading) or (not own and not heading)

    def _below(self, at: int, parent: str) -> bool:
        one = self.records[at]
        return _plain(one["parent"]) == parent

    def _near(self, words: str) -> list[int]:
        alike = difflib.get_close_matches(words, list(self.by_words), n=_LISTED, cutoff=_NEAR)
        return [at for key in alike for at in self.by_words[key]][:_LISTED]

    def _told(self, places: Iterable[int]) -> str:
        shown = [self.records[at] for at in list(places)[:_LISTED]]
        return "; ".join(f"{one['id']} {one['words']}" for one in shown)


def _plain(words: str) -> str:
    return fold(str(words))


def _moved(words: str, census: int, by: int) -> str:
    """Return words with the years of their census moved on, and both ends of a span that has one.

    Other years stay: "1980" of "between 1980 and 2021" bounds what is asked, not when.
    """
    if not by:
        return words
    spans = [one for one in _SPAN.finditer(words) if int(one[2]) >= census - 1]

    def move(year: re.Match[str]) -> str:
        spanned = any(one.start() <= year.start() < one.end() for one in spans)
        return str(int(year[0]) + by) if spanned or int(year[0]) >= census - 1 else year[0]

    return _YEAR.sub(move, words)
