"""Labels of a delivery to areas of its order, and its rows to indicators; nothing is picked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.errors import InputError
from lipgeo.geography.hierarchy import fold, province
from lipgeo.portal.indicators.dictionary import Dictionary
from lipgeo.readers.deliveries import Delivery, plain_label, plain_words
from lipgeo.readers.sheets import read_sheet

__all__ = ["MATCHED", "match_labels", "match_rows", "read_mapping", "row_code"]

#: labels that name a standard area, kept apart from those of the order
_STANDARD = re.compile(
    r"\b(CSD|CMA|CA|CD|SDR|RMR|AR|DR|census (sub)?division|census metropolitan area"
    r"|(sub)?division de recensement|région métropolitaine|province|territor(y|ies)|canada)\b",
    re.IGNORECASE,
)
#: the age total stands for the population where an order has no row of it
_AGES = re.compile(r"^total\s*[-–]\s*age groups", re.IGNORECASE)


def read_mapping(given: str | Path | pd.DataFrame | None) -> dict[str, str]:
    """Return label to area id from a table with ``label, area_id``.

    Raises
    ------
    InputError
        The columns are missing, or a label stands twice.
    """
    if given is None:
        return {}
    frame = given if isinstance(given, pd.DataFrame) else read_sheet(given).frame
    frame = frame.rename(columns={one: str(one).strip().casefold() for one in frame.columns})
    if not {"label", "area_id"} <= set(frame.columns):
        raise InputError(
            "portal.mapping_columns", missing=["label", "area_id"], found=list(frame.columns)
        )
    labels = frame["label"].astype(str).map(lambda one: " ".join(one.split()))
    twice = sorted(set(labels[labels.duplicated()]))
    if twice:
        raise InputError("portal.mapping_twice", labels=twice)
    return dict(zip(labels, frame["area_id"].fillna("").astype(str), strict=True))


def match_labels(
    labels: pd.DataFrame,
    areas: Sequence[Mapping[str, Any]],
    mapping: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Match the labels of a delivery to the areas of an order.

    Parameters
    ----------
    labels
        As :attr:`lipgeo.readers.deliveries.Delivery.labels`.
    areas
        Areas of the order's manifest.
    mapping
        Labels to area ids by hand; empty is an area that is none of the order's.

    Returns
    -------
    pandas.DataFrame
        One row a label, in its order: ``label, area_id`` (empty where not matched), ``how``
        (``mapping``, ``custom_id``: a token is one; ``code``: after the last `` - ``; ``name``;
        ``standard``: a standard area, kept apart; ``several``; ``none``), ``candidates``
        (``;``-joined).
    """
    by_custom: dict[str, list[str]] = {}
    by_name: dict[str, list[str]] = {}
    by_id: dict[str, list[str]] = {}
    for area in areas:
        id = str(area["area_id"])
        by_custom.setdefault(str(area["custom_id"]).casefold(), []).append(id)
        by_id[id.casefold()] = [id]
        for name in dict.fromkeys((fold(area["name_en"] or ""), fold(area["name_fr"] or ""))):
            if name:
                by_name.setdefault(name, []).append(id)
    rows = []
    for label, code in zip(labels["label"], labels["code"], strict=True):
        id, how, candidates = _match(label, code, by_custom, by_id, by_name, mapping or {})
        rows.append({"label": label, "area_id": id, "how": how, "candidates": ";".join(candidates)})
    return pd.DataFrame(rows, columns=["label", "area_id", "how", "candidates"])


def _match(  # noqa: PLR0917
    label: str,
    code: str,
    by_custom: Mapping[str, list[str]],
    by_id: Mapping[str, list[str]],
    by_name: Mapping[str, list[str]],
    mapping: Mapping[str, str],
) -> tuple[str, str, list[str]]:
    if label in mapping:
        return (mapping[label], "mapping", []) if mapping[label] else ("", "standard", [])
    plain = plain_label(label)
    tokens = [code, *re.split(r"[\s(),;]+", plain)]
    found = [id for token in dict.fromkeys(tokens) for id in by_custom.get(token.casefold(), [])]
    tail = plain.rpartition(" - ")[2]
    for how, ids in (
        ("custom_id", found),
        # the portal's own id of an area, as the whole label: a word of a name may be one too
        ("custom_id", by_id.get(code.casefold(), []) or by_id.get(plain.casefold(), [])),
        ("code", by_custom.get(tail.strip().casefold(), [])),
        ("name", by_name.get(fold(plain), []) or by_name.get(fold(tail), [])),
        ("name", by_name.get(fold(re.sub(r"(?<!\s)\s*\([^()]*\)\s*$", "", tail)), [])),
    ):
        several = list(dict.fromkeys(ids))
        if len(several) == 1:
            return several[0], how, []
        if several:
            return "", "several", several
    # a name with words before or after it: a code, a consortium
    inside = [ids for name, ids in by_name.items() if len(name) > 5 and fold(plain).endswith(name)]
    several = list(dict.fromkeys(id for ids in inside for id in ids))
    if len(several) == 1:
        return several[0], "name", []
    if several:
        return "", "several", several
    return "", ("standard" if _is_standard(plain, code) else "none"), []


def _is_standard(label: str, code: str) -> bool:
    """Say whether a label names a standard area: by its level, its DGUID, or a province."""
    if re.fullmatch(r"\d{4}[A-Z]\d{4}.*", code) or _STANDARD.search(label):
        return True
    try:
        province(label)
    except (LookupError, ValueError):
        return False
    return True


# ---------------------------------------------------------------------- rows


def match_rows(delivery: Delivery, dictionary: Dictionary, vintage: int) -> pd.DataFrame:
    """Find the rows of a delivery that indicators are made of.

    Parameters
    ----------
    delivery
        A delivery whose rows stand under headings.
    dictionary
        The indicators.
    vintage
        Census of the order.

    Returns
    -------
    pandas.DataFrame
        One row an indicator and gender that was found: ``indicator, gender, numerator`` and
        ``denominator`` (lists of positions in the delivery's rows), ``foreign`` (those of them
        whose cells bear a unit that is not the indicator's, ``%`` where people are counted);
        ``check_row`` is not looked for. An indicator some of whose rows are missing or stand twice
        is not found.
    """
    rows = delivery.rows
    known = dictionary.rows[
        dictionary.rows["census"].eq(str(vintage)) & dictionary.rows["numerator"].ne("")
    ]
    words = [plain_words(one) for told in known["words"] for one in told.split(" | ")]
    finder = _Finder(rows, {one for one in words if words.count(one) == 1 and len(one) >= _PLAIN})
    made = []
    for one in known.itertuples():
        if dictionary.frame.loc[one.code, "rule"] == "list":
            continue
        for gender in ("total", "men", "women"):
            parents = one.parent.split(" | ")
            words = one.words.split(" | ")
            if len(parents) != len(words):
                parents = [one.parent] * len(words)
            tops = [
                finder.find(word, one.heading, parent, gender)
                for word, parent in zip(words, parents, strict=True)
            ]
            if one.code == "population" and tops == [None]:
                tops = [finder.ages(gender)]
            bottom = None
            if one.denominator:
                bottom = finder.find(
                    one.denominator_words, one.heading, one.denominator_parent, gender
                )
            if any(top is None for top in tops) or (one.denominator and bottom is None):
                continue
            made.append(
                {
                    "indicator": one.code,
                    "gender": gender,
                    "numerator": tops,
                    "denominator": [] if bottom is None else [bottom],
                }
            )
            used = [*tops, *made[-1]["denominator"]]
            own = _UNITS.get(dictionary.frame.loc[one.code, "rule"], {""})
            made[-1]["foreign"] = [at for at in used if rows["unit"].iloc[at] not in own]
    return pd.DataFrame(made, columns=list(MATCHED))


#: columns of matched rows
MATCHED = ("indicator", "gender", "numerator", "denominator", "foreign")
#: units that the cells of an indicator may bear; elsewhere they are people, and bear none
_UNITS = {"rate": {"", "%"}, "average": {"", "$"}, "median": {"", "$"}}


class _Finder:
    """Rows of a delivery by their words."""

    def __init__(self, rows: pd.DataFrame, plain: set[str]) -> None:
        self.plain = plain
        self.words = np.array([plain_words(one) for one in rows["words"]], dtype=object)
        self.heading = np.array([plain_words(one) for one in rows["heading"]], dtype=object)
        self.parent = np.array([plain_words(one) for one in rows["parent"]], dtype=object)
        self.gender = rows["gender"].to_numpy(dtype=object)
        self.text = rows["words"].to_numpy(dtype=object)
        self._at: dict[tuple[str, str], list[int]] = {}
        for at, key in enumerate(zip(self.words, self.gender, strict=True)):
            self._at.setdefault(key, []).append(at)

    def find(self, words: str, heading: str, parent: str, gender: str) -> int | None:
        """Return the one row with these words in this place, ``None`` where none or several."""
        key, under, above = plain_words(words), plain_words(heading), plain_words(parent)
        there = self._at.get((key, gender), [])
        if not there:
            return None
        own = key == under or not under
        placed = [at for at in there if (own and not self.heading[at]) or self.heading[at] == under]
        if not placed:
            # a shorter heading of the same total: "Total - Immigrant status"
            placed = [
                at
                for at in there
                if len(self.heading[at]) >= _SHORTEST
                and (under.startswith(self.heading[at]) or self.heading[at].startswith(under))
            ]
        if not placed and len(there) == 1 and (not under or key in self.plain):
            # words that say all by themselves: "Median age of the population"
            placed = there
        if len(placed) > 1:
            placed = [at for at in placed if self.parent[at] == above]
        return placed[0] if len(placed) == 1 else None

    def ages(self, gender: str) -> int | None:
        """Return the total of the age groups, which counts everybody."""
        there = [
            at
            for at, text in enumerate(self.text)
            if _AGES.match(text) and self.gender[at] == gender
        ]
        return there[0] if there else None


#: letters of words that say what they count without a heading
_PLAIN = 18
#: letters of a heading that tell which it is
_SHORTEST = 12


def row_code(key: str) -> str:
    """Return the code of a delivered row."""
    return f"row-{key}"
