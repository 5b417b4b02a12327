"""What of a census that comes in parts has not come yet: places marked ``expected``.

A portal that keeps rows of a new census in its folder ``dictionary`` says what will come. Once the
first numbers of that census are there, the places that are still empty say so: expected, and not
missing. A number that is there and may not be shown is no expected one.
"""

from __future__ import annotations

import pandas as pd

from lipgeo.portal.indicators.dictionary import Dictionary
from lipgeo.portal.observations import make_observations
from lipgeo.words import say

__all__ = ["add_expected"]

_PLACE = ["area_id", "definition", "indicator", "period"]


def add_expected(
    seen: pd.DataFrame, whole: pd.DataFrame, coming: pd.DataFrame, dictionary: Dictionary
) -> pd.DataFrame:
    """Return what is seen, with a row ``expected`` for each place that has not come yet.

    Parameters
    ----------
    seen
        Rows an audience may see.
    whole
        All rows of the portal: what is kept back is there, and is not expected.
    coming
        The portal's own rows of censuses.
    dictionary
        The indicators; lists and those of a portal's own are never expected.
    """
    told = whole[whole["value"].notna() & whole["period"].isin(coming["census"])]
    # the release that began it: what is still empty is told since then
    begun = told.drop_duplicates("period").set_index("period")["release"]
    facts = dictionary.frame
    usual = facts["status"].isin(["core", "extended"]) & facts["rule"].ne("list")
    wanted = coming[coming["census"].isin(begun.index) & coming["code"].isin(facts.index[usual])]
    if wanted.empty:
        return seen
    there = set(whole[_PLACE].itertuples(index=False, name=None))
    universe, money = facts["universe"], facts["name_en"].str.contains("$", regex=False)
    rows = [
        {
            "area_id": area,
            "definition": definition,
            "indicator": code,
            "period": census,
            "symbol": "expected",
            "origin": "published",
            "universe": universe[code],
            # as the number will have it, so that it takes this row's place
            "dollars": "current" if money[code] else "",
            "source": say("dashboard.coming", census=census),
            "release": begun[census],
        }
        for area, definition in dict.fromkeys(zip(seen["area_id"], seen["definition"], strict=True))
        for code, census in zip(wanted["code"], wanted["census"], strict=True)
        if (area, definition, code, census) not in there
    ]
    if not rows:
        return seen
    return pd.concat([seen, make_observations(pd.DataFrame(rows))], ignore_index=True)
