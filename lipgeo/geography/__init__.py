"""Own the vocabulary of census geography: years, levels, ids, DGUIDs and floors.

Census years, levels and what nests in what come from one table (``hierarchy``), and so do the
floors (``floors``). Ids and DGUIDs are checked, built and taken apart by it (``identifiers``,
``dguids``) and, where damage leaves one reading, restored (``restoring``). A level and an id
always travel with the census year: equal digits of two censuses need not be the same land, and a
DA id and an ADA id have one shape.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from lipgeo.errors import IdError, InputError
from lipgeo.geography.dguids import Dguid, dguid, dguids, parse_dguid, parse_dguids
from lipgeo.geography.floors import Classification, classify, floor_persons, floors
from lipgeo.geography.hierarchy import (
    Certainty,
    Fact,
    Level,
    Purpose,
    Trait,
    all_levels,
    censuses_among,
    facts,
    fold,
    geography_years,
    has_trait,
    id_form,
    id_length,
    level,
    levels,
    levels_for,
    national_count,
    nests_in,
    parents_by_id,
    part_level,
    province,
    require_level,
    require_vintage,
    usual_vintage,
    vintages,
    will_be_census,
)
from lipgeo.geography.identifiers import IdColumn, are_ids, id_column, parent_ids
from lipgeo.geography.restoring import RestoredIds, require_ids, restore_ids
from lipgeo.words import say

__all__ = [
    "Certainty",
    "Classification",
    "Dguid",
    "Fact",
    "IdColumn",
    "Level",
    "Purpose",
    "RestoredIds",
    "Trait",
    "all_levels",
    "are_ids",
    "censuses_among",
    "classify",
    "dguid",
    "dguids",
    "floor_persons",
    "floors",
    "fold",
    "geography_years",
    "has_trait",
    "id_column",
    "id_form",
    "id_length",
    "level",
    "levels",
    "levels_for",
    "national_count",
    "nests_in",
    "parent_ids",
    "parents_by_id",
    "parse_dguid",
    "parse_dguids",
    "parse_unit",
    "parse_units",
    "part_level",
    "province",
    "require_ids",
    "require_level",
    "require_vintage",
    "restore_ids",
    "usual_vintage",
    "vintages",
    "will_be_census",
]


def parse_units(values: Any, vintage: int) -> pd.DataFrame:
    """Read units written ``LEVEL:code`` (or as DGUIDs), as a service area is made of them.

    Stricter than :func:`restore_ids` in one thing: the provincial part of a CMA stands for the
    CMA only where the CMA is known to lie in one province, since a unit is taken exactly.

    Parameters
    ----------
    values
        Texts such as ``CSD:4806016``, ``SDR:4806016``, ``2021A00054806016``.
    vintage
        Census year.

    Returns
    -------
    pandas.DataFrame
        On the index given: ``level`` (code), ``unit_id``.

    Raises
    ------
    IdError
        Texts that are no unit of that census; ``problems`` has every row with its reason.

    Examples
    --------
    >>> from lipgeo.geography import parse_units
    >>> parse_units(["CSD:4806016", "RMR:5", "2021A00033506"], 2021).to_numpy().tolist()
    [['CSD', '4806016'], ['CMA', '005'], ['CD', '3506']]
    """
    given = pd.Series(values, dtype="string").reset_index(drop=True)
    index = values.index if isinstance(values, pd.Series) else given.index
    halves = given.str.split(":", n=1)
    codes = halves.str[0].astype("string").str.strip()
    ids = halves.str[1].astype("string").str.strip()  # not text where no unit has a colon
    reasons: dict[int, str] = {}
    for name in codes[ids.notna()].unique():
        try:
            codes[ids.notna() & (codes == name)] = require_level(name, vintage).code
        except InputError as error:
            reasons |= dict.fromkeys(codes.index[codes == name], str(error))
    for row in ids.index[ids.isna()]:
        try:
            whole = parse_dguid(given[row])
            codes[row], ids[row] = require_level(whole.level, vintage).code, given[row]
        except InputError as error:
            to_come = error.key == "geography.dguids_to_come"
            reasons[row] = say(f"geography.reason_{'to_come' if to_come else 'unit_form'}")
    sound = ~codes.index.isin(list(reasons))
    for name, group in ids[sound].groupby(codes[sound]):
        done = restore_ids(group, name, vintage)
        ids[done.ids.index] = done.ids
        reasons |= dict(zip(done.refused["row"], done.refused["reason"], strict=True))
        empty = done.ids.index[done.ids.isna()].difference(done.refused["row"])
        reasons |= dict.fromkeys(empty, say("geography.reason_missing"))
        parts = done.restored[done.restored["kind"].str.contains("part")]
        whole_in_one = _in_one_province(parts["restored"], vintage)
        reasons |= dict.fromkeys(parts["row"][~whole_in_one], say("geography.reason_part"))
    if reasons:
        rows = sorted(reasons)
        raise IdError(
            "geography.not_units",
            [{"row": index[n], "given": given[n], "reason": reasons[n]} for n in rows],
            vintage=vintage,
            units=given[rows],
            reasons=list(dict.fromkeys(reasons[n].rstrip(".") for n in rows)),
        )
    return pd.DataFrame({"level": codes, "unit_id": ids}).set_axis(index)


def _in_one_province(cmas: pd.Series, vintage: int) -> pd.Series:
    crossing = facts()["cma_in_two_provinces"].get(str(vintage))
    return cmas.isna() if crossing is None else ~cmas.isin(crossing)


def parse_unit(text: str, vintage: int) -> tuple[str, str]:
    """Read one unit written ``LEVEL:code``; see :func:`parse_units`.

    Examples
    --------
    >>> from lipgeo.geography import parse_unit
    >>> parse_unit("CSD:4806016", 2021)
    ('CSD', '4806016')
    """
    row = parse_units([text], vintage).iloc[0]
    return str(row["level"]), str(row["unit_id"])
