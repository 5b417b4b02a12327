"""Long tables of a delivery: which dimension is what, and the rows of the long table they are.

A long table has a column a dimension. One names characteristics, as the rows of the other layouts
do; others are a period, men and women, immigrant status; what is left is a category.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.errors import InputError
from lipgeo.portal.indicators.dictionary import Dictionary, is_rate
from lipgeo.portal.observations import make_observations
from lipgeo.portal.sources.imdb import edition_of, served_share
from lipgeo.portal.sources.intake import Known
from lipgeo.portal.sources.local import local_code
from lipgeo.readers.deliveries import Delivery, plain_words, structure_of_rows

__all__ = ["as_characteristics", "of_dimensions", "roles_of", "rule_of"]

#: indicators that carry a table name in ordered IMDB tables
_IMDB_YEARS = {1: "imdb_median_wage_1y", 5: "imdb_median_wage_5y"}
_IMDB_RETENTION = "imdb_retention_5y"
_TOTALS = re.compile(r"total\b|both sexes|les deux sexes|ensemble", re.IGNORECASE)


def rule_of(words: str, unit: str) -> str:
    """Return how a row that no indicator is made of counts, from its words and unit."""
    low = words.casefold()
    if "median" in low or "médian" in low:
        return "median"
    if unit == "$" or "average" in low or "moyen" in low:
        return "average"
    return "rate" if unit == "%" or is_rate(words) else "count"


def of_dimensions(  # noqa: PLR0917
    delivery: Delivery,
    values: Any,
    symbols: Any,
    common: Mapping[str, Any],
    known: Known,
    source: str,
    table: str | None,
    *,
    level: str = "A",
    provinces: Mapping[tuple[str, str], str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return the rows of a long table, its own indicators, and what product it is."""
    rows = delivery.rows
    roles = roles_of(delivery.dimensions)
    period, first, last = _periods(rows, roles)
    newest = max((one for one in last if one), default="")
    imdb = "admission" in roles
    measure = rows[roles["measure"]] if "measure" in roles else pd.Series("", index=rows.index)
    gender = [_gender_of(one) for one in rows[roles["gender"]]] if "gender" in roles else None
    if gender is not None and None in gender:
        # a word that is neither everybody, men nor women stays a category
        del roles["gender"]
        gender = None
    others = [one for one in delivery.dimensions if one not in roles.values()]
    category = [
        "; ".join(f"{name}: {row[name]}" for name in others if not _TOTALS.match(str(row[name])))
        for row in rows.to_dict("records")
    ]
    group = ["total"] * len(rows)
    if "group" in roles:
        group, category = _groups(rows[roles["group"]], category)
    money = (rows["unit"] == "$") | measure.str.contains(
        r"income|wage|earning|revenu|salaire|gain|\$", case=False
    )
    # the product gives every old figure anew in the dollars of its newest year
    dollars = np.where(money, newest if imdb else "current", "")
    codes, own = _measures(measure, rows, money, imdb, first, last, known)
    count, width = values.shape
    hidden = ~np.isin(symbols, ("", "E", "r", "-"))

    def spread(column: Any) -> Any:
        return np.tile(np.asarray(column, dtype=object), count)

    frame = make_observations(
        {
            **{name: np.repeat(column, width) for name, column in common.items()},
            "indicator": spread(codes),
            "category": spread(category),
            "group": spread(group),
            "gender": spread(gender or ["total"] * width),
            "period": spread(period),
            "period_from": spread(first),
            "period_to": spread(last),
            "value": np.where(hidden, np.nan, values).ravel(),
            "symbol": symbols.ravel(),
            "origin": "ordered",
            "universe": "tax_filers" if imdb else "",
            "dollars": spread(dollars),
            "source": source,
        }
    )
    # a combination that no row of the file has was not ordered, and says nothing
    frame = frame[~(frame["symbol"].eq("not_ordered"))].reset_index(drop=True)
    if not imdb:
        return frame, own, {}
    counts = set(own.loc[own["rule"].eq("count"), "code"])
    frame = pd.concat([frame, served_share(frame, counts, provinces or {})], ignore_index=True)
    named = table or delivery.path.stem
    return frame, own, edition_of(named, list(dict.fromkeys(measure)), newest, level)


def as_characteristics(delivery: Delivery, dictionary: Dictionary, vintage: int) -> Delivery:
    """Return a long table of a census as the other layouts are, to be matched and checked.

    Parameters
    ----------
    delivery
        A delivery of any layout; what is no long table, or one of no characteristics that the
        dictionary knows (the longitudinal database), comes back as it is.
    dictionary
        The indicators.
    vintage
        Census of the order.

    Returns
    -------
    Delivery
        The same cells. Each row has the words of its characteristic, the heading and the parent it
        stands under, and its gender; the gender is empty where another dimension is no total.
    """
    if delivery.layout != "long":
        return delivery
    rows, roles = delivery.rows, roles_of(delivery.dimensions)
    told = _characteristic(delivery, roles, dictionary)
    if "admission" in roles or told is None:
        return delivery
    others = [name for name in delivery.dimensions if name != told]
    gender = [_gender_of(one) for one in rows[roles["gender"]]] if "gender" in roles else None
    parts = []
    # every combination of the other dimensions has all characteristics, one after the other
    grouped = rows.groupby(others, sort=False).indices if others else {(): np.arange(len(rows))}
    for at in grouped.values():
        own = rows.iloc[at]
        made = structure_of_rows(
            list(own[told]), list(own["depth"]), list(own["place"]), [""] * len(own),
            list(own["unit"]),
        )  # fmt: skip
        made["whole"] = np.where(made["whole"].ge(0), at[made["whole"].to_numpy()], -1)
        made.index = own.index
        first = own.iloc[0]
        if not all(_is_everybody(rows, name, first[name], roles, vintage) for name in others):
            made["gender"] = ""
        elif gender is not None:
            made["gender"] = gender[int(at[0])] or ""
        parts.append(made)
    whole = pd.concat(parts).sort_index()
    return replace(delivery, layout="across", rows=whole)


def _characteristic(
    delivery: Delivery, roles: Mapping[str, str], dictionary: Dictionary
) -> str | None:
    """Return the dimension whose words the dictionary knows best."""
    known = {
        plain_words(word)
        for column in ("words", "denominator_words")
        for several in dictionary.rows[column]
        for word in several.split(" | ")
    } - {""}
    free = [one for one in delivery.dimensions
            if one not in {roles.get(role) for role in ("gender", "period", "tax")}]  # fmt: skip
    hits = {one: sum(plain_words(w) in known for w in set(delivery.rows[one])) for one in free}
    best = max(hits, key=lambda one: hits[one], default=None)
    return best if best is not None and hits[best] else None


_COUNTED = re.compile(r"(?:number|count|nombre|chiffre|compte)s?\b", re.IGNORECASE)


def _is_everybody(
    rows: pd.DataFrame, name: str, given: str, roles: Mapping[str, str], vintage: int
) -> bool:
    """Say whether a dimension leaves nobody out here: its total, a count, the order's census."""
    if name == roles.get("gender"):
        return True
    if name == roles.get("period"):
        return given[:4] == str(vintage)
    plain = _TOTALS.match(given) or _COUNTED.match(given)
    return bool(plain) or bool(rows[name].eq(given).all())


_ROLES = {
    "admission": {"admissionyear", "anneedadmission", "landingyear", "yearofadmission"},
    "tax": {"taxyear", "anneedimposition", "anneefiscale"},
    "period": {"refdate", "perioddereference", "referenceperiod", "year", "annee", "censusyear"},
    "gender": {"sex", "sexe", "gender", "genre"},
    "group": {"immigrantstatus", "statutdimmigrant"},
    "measure": {"measure", "measures", "mesure", "statistics", "statistiques", "characteristic",
                "characteristics", "caracteristiques", "indicator", "estimates"},
}  # fmt: skip


def roles_of(dimensions: tuple[str, ...]) -> dict[str, str]:
    """Return which dimension plays which part, told by its name."""
    found: dict[str, str] = {}
    for name in dimensions:
        key = re.sub(r"(?<!\d)\d+$", "", plain_words(re.sub(r"\([^)]*\)", "", name)))
        for role, names in _ROLES.items():
            if key in names:
                found.setdefault(role, name)
    return found


def _periods(
    rows: pd.DataFrame, roles: Mapping[str, str]
) -> tuple[list[str], list[str], list[str]]:
    if "admission" in roles:
        admitted = list(rows[roles["admission"]])
        taxed = list(rows[roles["tax"]]) if "tax" in roles else [""] * len(rows)
        period = [
            f"AY{one}-TY{other}" if other else f"AY{one}"
            for one, other in zip(admitted, taxed, strict=True)
        ]
        return period, admitted, [o or a for a, o in zip(admitted, taxed, strict=True)]
    name = roles.get("period") or roles.get("tax")
    if name is None:
        raise InputError("portal.no_period_column", columns=list(rows.columns))
    years = list(rows[name])
    return years, years, years


def _gender_of(given: str) -> str | None:
    text = given.casefold()
    if _TOTALS.match(text):
        return "total"
    if re.match(r"(women|females?|femmes)", text):
        return "women"
    return "men" if re.match(r"(men|males?|hommes)", text) else None


_GROUP_WORDS = (
    ("non_immigrants", r"non[- ]?immigrants?"),
    ("npr", r"non[- ]permanent|résidents? non permanents?"),
    ("recent", r"recent immigrants?|immigrants? récents?"),
    ("established", r"established immigrants?|immigrants? établis"),
    ("immigrants", r"immigrants?"),
)


def _groups(given: pd.Series, category: list[str]) -> tuple[list[str], list[str]]:
    """Return the group of each row; what is none of them stays a category."""
    groups, told = [], []
    for text, beside in zip(given, category, strict=True):
        words, kind = str(text).strip(), beside
        found = next(
            (code for code, rule in _GROUP_WORDS if re.fullmatch(rf"(?:{rule}).*", words, re.I)),
            None,
        )
        if found is None and not _TOTALS.match(words):
            kind = "; ".join(filter(None, [f"{given.name}: {words}", kind]))
        groups.append(found or "total")
        told.append(kind)
    return groups, told


def _years_between(start: str, end: str) -> int:
    return int(end) - int(start) if start.isdigit() and end.isdigit() else -1


def _measures(  # noqa: PLR0917
    measure: pd.Series,
    rows: pd.DataFrame,
    money: pd.Series,
    imdb: bool,
    first: list[str],
    last: list[str],
    known: Known,
) -> tuple[list[str], pd.DataFrame]:
    """Return the indicator of each row: one of the dictionary, else one of the table's own."""
    codes, own = [], {}
    for words, dollar, start, end in zip(measure, money, first, last, strict=True):
        text = str(words) or "Value"
        code = ""
        if imdb and re.search(r"median.*(wage|salary|salaries)|salaire.*médian", text, re.I):
            code = _IMDB_YEARS.get(_years_between(start, end), "")
        elif imdb and re.search(r"retention rate|taux de rétention", text, re.I):
            code = _IMDB_RETENTION if _years_between(start, end) == 5 else ""
        if not code or code not in known.dictionary:
            code = local_code(text, "table")
            own[code] = {
                "code": code,
                "topic": "delivered",
                "name_en": text,
                "name_fr": text,
                "definition_en": text,
                "definition_fr": text,
                "rule": rule_of(text, "$" if dollar else ""),
                "universe": "",
                "decimals": 0,
                "status": "delivered",
                "needs": "imdb" if imdb else "ordered",
                "variable": "",
                "certainty": "delivered",
            }
        codes.append(code)
    columns = ["code", "topic", "name_en", "name_fr", "definition_en", "definition_fr", "rule",
               "universe", "decimals", "status", "needs", "variable", "certainty"]  # fmt: skip
    return codes, pd.DataFrame(list(own.values()), columns=columns)
