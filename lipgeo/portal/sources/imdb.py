"""What the tables of the longitudinal immigration database tell beside their cells.

Two tables are made for partnerships: T1, income of immigrant taxfilers, and T2, their mobility;
each at three levels: A partnerships, B census subdivisions, C census divisions. Settlement services
are counted "at any time", from 2013 on and not in Quebec. Each edition gives every old figure anew
in the dollars of its newest tax year, so an edition puts aside the earlier ones whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.portal.indicators.dictionary import services_since
from lipgeo.portal.observations import NUMBERS, make_observations

__all__ = ["edition_of", "served_share"]

SERVICES = "imdb_services_any"
_SERVED = re.compile(
    r"[^:;]*(?:services?|établissement)[^:;]*: [^;]*(?:any time|tout moment|quelconque)[^;]*",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:no|not|never|did not|without|aucun|jamais|sans|pas)\b", re.IGNORECASE)
_KEYS = ["area_id", "definition", "realisation_hash", "indicator", "group", "gender", "period"]


def edition_of(table: str, measures: Sequence[str], newest: str, level: str) -> dict[str, Any]:
    """Return what a release keeps of an edition: which product, of which year, at which level.

    Parameters
    ----------
    table
        Name of the table or file.
    measures
        Words of its measures: a table of wages or income is T1.
    newest
        Its newest year.
    level
        ``A``, ``B`` or ``C``.
    """
    named = re.search(r"(?<![a-z0-9])t([12])(?![0-9])", table, re.IGNORECASE)
    money = any(re.search(r"income|wage|revenu|salaire|\$", one, re.I) for one in measures)
    number = named[1] if named else "1" if money else "2"
    return {"product": f"imdb-t{number}", "restates": True, "edition": newest, "level": level}


def served_share(
    frame: pd.DataFrame, counts: set[str], provinces: Mapping[tuple[str, str], str]
) -> pd.DataFrame:
    """Return who received a settlement service at any time, as a percentage of all.

    Parameters
    ----------
    frame
        Rows of a table; the services stand in their category.
    counts
        Codes of its measures that are counts of people.
    provinces
        Area and definition to its province.

    Returns
    -------
    pandas.DataFrame
        Rows of ``imdb_services_any`` with the count of all as denominator. Those admitted before
        services were on record are ``not_comparable``, and areas of Quebec ``...``: neither has a
        number.
    """
    people = frame[frame["indicator"].isin(counts)]
    told = [
        bool(_SERVED.fullmatch(text)) and not _NOT.search(text.partition(":")[2])
        for text in people["category"]
    ]
    served = people[np.array(told, dtype=bool)]
    everybody = people[people["category"].eq("")]
    both = served.merge(everybody, on=_KEYS, suffixes=("", "_all"))
    if both.empty:
        return make_observations(pd.DataFrame({"area_id": []}))
    top, bottom = both["value"].to_numpy(), both["value_all"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(bottom > 0, 100 * top / bottom, np.nan)
    symbol = both["symbol"].where(both["symbol"].ne(""), both["symbol_all"]).to_numpy(dtype=object)
    symbol = np.where((symbol == "") & (bottom == 0), "...", symbol)
    early = pd.to_numeric(both["period_from"], errors="coerce").lt(services_since()).to_numpy()
    places = zip(both["area_id"], both["definition"], strict=True)
    outside = np.array([provinces.get(place, "") in _QUEBEC for place in places], dtype=bool)
    symbol = np.where(outside, "...", np.where(early, "not_comparable", symbol))
    none = ~np.isin(symbol, ("", "E", "r", "-"))
    made = both[[name for name in frame.columns if name in both]].copy()
    made[list(NUMBERS)] = np.nan
    made["indicator"], made["category"], made["dollars"] = SERVICES, "", ""
    made["value"] = np.where(none, np.nan, share)
    made["denominator_value"] = np.where(none, np.nan, bottom)
    made["symbol"] = symbol
    return made.drop_duplicates([one for one in _KEYS if one != "indicator"])[list(frame.columns)]


_QUEBEC = ("QC", "24")
