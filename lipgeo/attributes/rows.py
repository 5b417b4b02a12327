"""``find_level``: of which level the rows of an attribute file are."""

from __future__ import annotations

import re

from lipgeo import geography
from lipgeo.attributes.reading import Reading
from lipgeo.errors import CensusError, IdError, InputError

__all__ = ["find_level"]


def find_level(reading: Reading, said: str | None) -> str:
    """Return the level of the rows.

    Parameters
    ----------
    reading
        The file.
    said
        The level the caller names, ``None`` to find it.

    Raises
    ------
    CensusError
        Nothing says it, or rows are of several.
    """
    held = {column.level for column in reading.columns if column.role in ("id", "dguid")}
    everything = ", ".join(reading.raw.columns)
    if said is not None:
        if not held & {said, ""}:
            raise CensusError(
                "attributes.no_id_column", name=reading.raw.name, level=said, columns=everything
            )
        return said
    if not held:
        raise CensusError("attributes.no_ids", name=reading.raw.name, columns=everything)
    fine = [code for code in geography.levels(reading.year) if code in held]
    if reading.column("", "id") is None and fine:
        return str(fine[0])
    found = _level_of_rows(reading) or _level_of_dguids(reading) or _level_of_name(reading)
    if found is None:
        column = reading.column("", "id") or reading.column("", "dguid")
        raise CensusError(
            "attributes.which_level", name=reading.raw.name, column=column.name if column else ""
        )
    return found


def _level_of_rows(reading: Reading) -> str | None:
    kinds, column = reading.values("", "level"), reading.column("", "level")
    if kinds is None or column is None:
        return None
    try:
        found: set[str] = {geography.level(str(kind)).code for kind in kinds.dropna().unique()}
    except InputError:  # a column of that name that holds something else
        return None
    if len(found) > 1:
        raise CensusError(
            "attributes.several_levels",
            name=reading.raw.name,
            column=column.name,
            levels=sorted(found),
        )
    return next(iter(found), None)


def _level_of_dguids(reading: Reading) -> str | None:
    given = reading.values("", "dguid")
    if given is None or given.isna().all():
        return None
    try:
        return str(geography.parse_dguids(given.dropna().head(1))["level"].iloc[0])
    except IdError:
        return None


def _level_of_name(reading: Reading) -> str | None:
    ids = reading.values("", "id")
    if ids is None:
        return None
    for word in re.split(r"[^a-z]+", reading.name.lower()):
        try:
            code: str = geography.level(word).code if word else ""
        except InputError:
            continue
        if code not in geography.levels(reading.year):
            continue
        if geography.are_ids(ids.dropna().astype("string"), code, reading.year).mean() > 0.5:
            reading.note("level_from_name", "warning", level=code)
            return code
    return None
