"""The one long table: its columns, its key, what may stand in it, and which number counts.

Every source becomes rows of this table. Within a key the newest release wins; between origins a
page shows ordered, then published, then estimated, then reported, never by date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.errors import InputError
from lipgeo.portal.indicators.dictionary import GENDERS, GROUPS, Dictionary
from lipgeo.words import say

__all__ = [
    "COLUMNS",
    "HIDDEN",
    "KEY",
    "NUMBERS",
    "ORIGINS",
    "QUANTITY",
    "SYMBOLS",
    "check_observations",
    "current",
    "make_observations",
    "no_observations",
    "shown",
]

COLUMNS = (
    *("area_id", "definition", "realisation_hash", "indicator", "category", "group", "gender"),
    *("period", "period_from", "period_to", "value", "lower", "upper", "likely_lower"),
    *("likely_upper", "truth_lower", "truth_upper", "symbol", "origin", "universe", "sample"),
    *("dollars", "denominator_value", "source", "release", "supersedes", "licence", "flags"),
)
NUMBERS = (
    *("value", "lower", "upper", "likely_lower", "likely_upper", "truth_lower", "truth_upper"),
    "denominator_value",
)
#: what makes an observation the one it is; within it the newest release wins
KEY = (
    *("area_id", "definition", "indicator", "category", "group", "gender", "period", "origin"),
    *("sample", "dollars"),
)
#: what a page shows one number of
QUANTITY = (
    *("area_id", "definition", "indicator", "category", "group", "gender", "period", "dollars"),
)
#: in the order a page prefers them
ORIGINS = ("ordered", "published", "estimated", "reported")
#: Statistics Canada's, the printed dash, and ours
SYMBOLS = (
    *("", "x", "F", "..", "...", "E", "r", "-", "not_ordered", "not_asked", "not_comparable"),
    *("expected", "withdrawn"),
)
#: symbols of a number that is kept from us on purpose: nothing else may fill the place
HIDDEN = ("x", "F", "withdrawn")
#: symbols of a place that has nothing yet: another origin may fill it
EMPTY = ("not_ordered", "expected")
#: symbols that stand beside a value
_BESIDE = ("", "E", "r", "-")
_DEFAULTS = {"group": "total", "gender": "total"}


def no_observations() -> pd.DataFrame:
    """Return the long table without rows, each column of its type."""
    return _typed(pd.DataFrame(columns=list(COLUMNS)))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    texts = {name: object for name in COLUMNS if name not in NUMBERS}
    return frame.astype(texts | dict.fromkeys(NUMBERS, "float64"))


def make_observations(given: Mapping[str, Any] | pd.DataFrame) -> pd.DataFrame:
    """Return rows of the long table from those columns that are known.

    Columns not given are empty; ``group`` and ``gender`` are ``total``; a census period spans its
    year.

    Returns
    -------
    pandas.DataFrame
        RangeIndex; :data:`COLUMNS`, numbers float64, all else text.
    """
    frame = pd.DataFrame(given)
    strange = [name for name in frame.columns if name not in COLUMNS]
    if strange:
        raise InputError("portal.strange_columns", columns=strange, known=list(COLUMNS))
    frame = frame.reset_index(drop=True)
    made: dict[str, Any] = {}
    for name in COLUMNS:
        if name in NUMBERS:
            values = frame.get(name, np.nan)
            made[name] = pd.Series(values, index=frame.index, dtype="float64")
        else:
            made[name] = (
                _text(frame[name], _DEFAULTS.get(name, ""))
                if name in frame
                else pd.Series(_DEFAULTS.get(name, ""), index=frame.index, dtype=object)
            )
    year = made["period"].str.fullmatch(r"\d{4}").astype(bool)
    for end in ("period_from", "period_to"):
        blank = made[end].eq("") & year
        made[end] = made[end].mask(blank, made["period"])
    return pd.DataFrame(made)[list(COLUMNS)]


def _text(values: pd.Series, default: str) -> pd.Series:
    # a category costs one pass over what is distinct instead of one over every cell
    kinds = values.astype("category")
    names = [str(one).strip() for one in kinds.cat.categories]
    codes = kinds.cat.codes.to_numpy()
    words = np.array([*(name or default for name in names), default], dtype=object)
    return pd.Series(words[codes], index=values.index, dtype=object)


def check_observations(frame: pd.DataFrame, dictionary: Dictionary, name: str) -> None:
    """Raise unless rows may stand in the long table.

    Raises
    ------
    InputError
        An area or period is missing, an indicator, group, gender, origin or symbol unknown, a
        value stands beside a symbol that says there is none, a key stands twice, bounds do not
        hold the value, or one indicator has dollars of two years. ``problems`` lists every row.
    """
    problems: list[dict[str, Any]] = []

    def refuse(rows: Any, key: str, column: str) -> None:
        at = np.flatnonzero(np.asarray(rows, dtype=bool))
        for row in at[:_LISTED]:
            given = frame[column].iloc[row]
            problems.append(
                {
                    "row": int(row),
                    "area_id": frame["area_id"].iloc[row],
                    "indicator": frame["indicator"].iloc[row],
                    "problem": say(key, given=str(given)),
                }
            )

    refuse(frame["area_id"].eq(""), "portal.row_no_area", "area_id")
    refuse(frame["definition"].eq(""), "portal.row_no_definition", "definition")
    refuse(frame["period"].eq(""), "portal.row_no_period", "period")
    refuse(~frame["indicator"].isin(dictionary.frame.index), "portal.row_indicator", "indicator")
    refuse(~frame["group"].isin(GROUPS), "portal.row_group", "group")
    refuse(~frame["gender"].isin(GENDERS), "portal.row_gender", "gender")
    refuse(~frame["origin"].isin(ORIGINS), "portal.row_origin", "origin")
    refuse(~frame["symbol"].isin(SYMBOLS), "portal.row_symbol", "symbol")
    value = frame["value"].to_numpy()
    beside = frame["symbol"].isin(_BESIDE).to_numpy()
    refuse(~beside & ~np.isnan(value), "portal.row_value_and_symbol", "symbol")
    refuse(np.isinf(value), "portal.row_infinite", "value")
    for low, high in (("lower", "upper"), ("likely_lower", "likely_upper")):
        slack = 1e-6 * (1 + np.abs(np.nan_to_num(value)))
        refuse(frame[low].to_numpy() > value + slack, "portal.row_bounds", low)
        refuse(frame[high].to_numpy() < value - slack, "portal.row_bounds", high)
    refuse(frame.duplicated(list(KEY)), "portal.row_twice_key", "indicator")
    constant = frame[frame["dollars"].str.fullmatch(r"\d{4}").astype(bool)]
    years = constant.groupby("indicator")["dollars"].agg(lambda of: sorted(set(of)))
    for code, several in years[years.map(len) > 1].items():
        problems.append(
            {
                "row": None,
                "area_id": "",
                "indicator": code,
                "problem": say("portal.two_dollars", years=several),
            }
        )
    if problems:
        shown_rows = [f"{one['area_id']} {one['indicator']}: {one['problem']}" for one in problems]
        raise InputError(
            "portal.rows_refused", problems, name=name, count=len(problems), rows=shown_rows
        )


#: rows of one kind of fault that a message can still be read with
_LISTED = 200


def current(frame: pd.DataFrame, order: Mapping[str, int]) -> pd.DataFrame:
    """Return what counts of all releases: the newest of each key.

    Parameters
    ----------
    frame
        Rows of all releases.
    order
        Release to its place in time.

    Notes
    -----
    A release that restates a product (``supersedes`` names releases) puts aside those whole, so
    that dollars of two years never stand in one series.
    """
    gone: set[str] = set()
    for cell in frame["supersedes"].unique():
        gone |= set(filter(None, str(cell).split(";")))
    rank = frame["release"].map(order).to_numpy()
    kept = frame[~frame["release"].isin(gone).to_numpy()]
    rank = rank[~frame["release"].isin(gone).to_numpy()]
    newest = kept.iloc[np.argsort(rank, kind="stable")]
    newest = newest[~newest.duplicated(list(KEY), keep="last")]
    return _sorted(newest)


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    origin = frame["origin"].map({name: at for at, name in enumerate(ORIGINS)})
    keys = [*QUANTITY[:2], "indicator", "category", "group", "gender", "period"]
    keyed = frame.assign(_origin=origin).sort_values(
        [*keys, "_origin", "sample", "dollars"], kind="stable"
    )
    return keyed.drop(columns="_origin").reset_index(drop=True)


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the one number of each quantity that a page shows: by origin, never by date.

    A suppressed or withdrawn number stays: nothing else fills its place. A place that has nothing
    yet (``not_ordered``, ``expected``) gives way.

    Examples
    --------
    >>> from lipgeo.portal.observations import make_observations, shown
    >>> rows = make_observations({"area_id": ["a", "a"], "indicator": "immigrants",
    ...     "period": "2021", "value": [25.0, None], "symbol": ["", "x"],
    ...     "origin": ["estimated", "ordered"]})
    >>> shown(rows)[["origin", "symbol"]].values.tolist()
    [['ordered', 'x']]
    """
    rank = frame["origin"].map({name: at for at, name in enumerate(ORIGINS)}).astype("int64")
    rank = rank + len(ORIGINS) * frame["symbol"].isin(EMPTY)
    best = frame.assign(_rank=rank).sort_values("_rank", kind="stable")
    best = best[~best.duplicated(list(QUANTITY))].drop(columns="_rank")
    return best.sort_index().reset_index(drop=True)


def described(keys: Iterable[Any]) -> str:
    """Return a key in words: its parts that say something."""
    return " · ".join(str(one) for one in keys if str(one) not in ("", "total"))
