"""Build DGUIDs, Statistics Canada's identifiers across levels, and take them apart by columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lipgeo.errors import IdError, InputError
from lipgeo.geography.hierarchy import (
    Level,
    all_levels,
    facts,
    fold,
    geography_years,
    level,
    require_level,
    vintages,
    will_be_census,
)
from lipgeo.geography.identifiers import (
    as_series,
    describe_form,
    id_pattern,
    matches,
    to_arrow,
    to_series,
)

__all__ = ["Dguid", "dguid", "dguids", "parse_dguid", "parse_dguids"]

DGUID = r"^(?P<year>[0-9]{4})(?P<schema>[AS][0-9]{4})(?P<id>.+)$"


@dataclass(frozen=True)
class Dguid:
    """A dissemination geography unique identifier, taken apart; ``str`` puts it together.

    Attributes
    ----------
    vintage
        The year it begins with: that of the geography, which for federal electoral districts is
        the Representation Order's (2013), not the census's.
    level
        Code of the level.
    unit_id
        The unit's id.
    unit_type
        ``CMA`` or ``CA`` where the level is one of those (or a part of one); else empty.
    """

    vintage: int
    level: str
    unit_id: str
    unit_type: str = ""

    def __str__(self) -> str:
        return f"{self.vintage}{dict(level(self.level).schemas)[self.unit_type]}{self.unit_id}"

    @property
    def censuses(self) -> tuple[int, ...]:
        """The census years whose geography this is, oldest first; empty for other years."""
        return _censuses(self.level, self.vintage)


def _censuses(code: str, year: int) -> tuple[int, ...]:
    return tuple(
        vintage
        for vintage in vintages()
        if level(code) in all_levels(vintage) and year in geography_years(code, vintage)
    )


@cache
def schemas() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Return type and schema of a DGUID -> the level codes and unit types that have it.

    Urban areas share the schema of the population centres that took their place.
    """
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for one in all_levels():
        for unit_type, schema in one.schemas:
            found[schema] = (*found.get(schema, ()), (one.code, unit_type))
    return found


def level_of(schema: str, year: int) -> tuple[str, str] | None:
    """Return level code and unit type of a DGUID's schema in a year, ``None`` where unknown.

    Of several levels with one schema it is the one that the census of that year has, else the one
    that the newest has.
    """
    having = schemas().get(schema, ())
    if len(having) < 2:
        return next(iter(having), None)
    census = year if year in vintages() else vintages()[-1]
    return next((one for one in having if level(one[0]) in all_levels(census)), having[-1])


@cache
def _cma_types() -> dict[str, str]:
    return {fold(word): kind for kind, words in facts()["cma_types"].items() for word in words}


def dguids(
    name: str | Level,
    ids: Any,
    vintage: int,
    types: Any = None,
    *,
    year: int | None = None,
) -> pd.Series:
    """Build the DGUIDs of units.

    DGUIDs of 2006 and 2011 are derived: the files of those censuses carry none.

    Parameters
    ----------
    name, vintage
        Level and census year.
    ids
        Ids as text, right in form.
    types
        Unit types, needed for CMA and CA, which differ in schema: the letters of the files
        (``B``; ``D``, ``K``) or ``CMA`` and ``CA``.
    year
        The geography's own year where a census has two (FED: 2013 or 2023); the one in use
        unless given.

    Returns
    -------
    pandas.Series
        Text on the index of ``ids``; missing where the id is, or the type of a CMA or CA.

    Raises
    ------
    IdError
        Ids that are no ids of the level, types that are neither; ``problems`` has the rows.

    Examples
    --------
    >>> from lipgeo.geography import dguids
    >>> dguids("CMA", ["505", "527"], 2016, ["B", "D"]).tolist()
    ['2016S0503505', '2016S0504527']
    """
    found = require_level(name, vintage)
    series = as_series(ids)
    text = to_arrow(series)
    bad = ~matches(text, id_pattern(found.code, vintage)) & np.asarray(text.is_valid())
    if bad.any():
        raise IdError(
            "geography.not_ids",
            [{"row": series.index[n], "given": text[n].as_py()} for n in np.flatnonzero(bad)],
            level=found.code,
            vintage=vintage,
            needed=describe_form(found.code, vintage),
            ids=text.filter(pa.array(bad)).unique().to_pylist(),
        )
    schema = pa.scalar(found.schemas[0][1])
    if len(found.schemas) > 1:
        schema = _schema_by_type(found, series, types)
    prefix = pc.binary_join_element_wise(str(_geography_year(found, vintage, year)), schema, "")
    return to_series(pc.binary_join_element_wise(prefix, text, ""), series)


def _geography_year(found: Level, vintage: int, year: int | None) -> int:
    known = geography_years(found, vintage)
    if year is None and known:
        return known[0]
    # levels with a calendar of their own: any year, but it must be said
    if year is None or (known and year not in known):
        raise InputError(
            "geography.year",
            level=found.code,
            vintage=vintage,
            year=year if year is not None else "-",
            known=", ".join(map(str, known)) or "-",
        )
    return year


def _schema_by_type(found: Level, series: pd.Series, types: Any) -> pa.Array:
    if types is None:
        raise InputError("geography.type_needed", level=found.code)
    given = as_series(types)
    if len(given) != len(series):
        raise InputError("geography.types_length", ids=len(series), types=len(given))
    folded = given.astype("string").map(fold, na_action="ignore")
    kinds = folded.map(_cma_types())
    unknown = np.asarray(folded.notna() & kinds.isna())
    if unknown.any():
        raise IdError(
            "geography.type_unknown",
            [{"row": series.index[n], "given": given.iloc[n]} for n in np.flatnonzero(unknown)],
            level=found.code,
            types=given[unknown].unique(),
        )
    return to_arrow(kinds.map(dict(found.schemas)))


def dguid(
    name: str | Level,
    unit_id: str,
    vintage: int,
    unit_type: str | None = None,
    *,
    year: int | None = None,
) -> str:
    """Build one DGUID; see :func:`dguids`.

    Examples
    --------
    >>> from lipgeo.geography import dguid
    >>> dguid("DA", "35060001", 2021), dguid("FED", "35076", 2021)
    ('2021S051235060001', '2013A000435076')
    """
    types = None if unit_type is None else [unit_type]
    return str(dguids(name, [unit_id], vintage, types, year=year).iloc[0])


def parse_dguids(values: Any) -> pd.DataFrame:
    """Take DGUIDs apart.

    Returns
    -------
    pandas.DataFrame
        On the index given: ``vintage`` (Int64, the year in the DGUID), ``level``, ``unit_id``,
        ``unit_type`` (text; the type empty except for CMA and CA); missing where the value is.

    Raises
    ------
    IdError
        Values that are no DGUIDs: not of the form, a schema unknown, an id that is none of its
        level, a year without that geography. ``problems`` has every row.

    Examples
    --------
    >>> from lipgeo.geography import parse_dguids
    >>> parse_dguids(["2021S05073050002.00"]).to_numpy().tolist()
    [[2021, 'CT', '3050002.00', '']]
    """
    series = as_series(values)
    text = to_arrow(series)
    parts = pc.extract_regex(text, DGUID)
    year, schema, unit = (pc.struct_field(parts, part) for part in ("year", "schema", "id"))
    head = pc.binary_join_element_wise(year, schema, "").dictionary_encode()
    codes = head.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    n = len(text)
    levels_, types = np.full(n, None, dtype=object), np.full(n, None, dtype=object)
    good = np.zeros(n, dtype=bool)
    for code, start in enumerate(head.dictionary.to_pylist()):
        here, found = codes == code, level_of(start[4:], int(start[:4]))
        pattern = None if found is None else _pattern_in_year(found[0], int(start[:4]))
        if found is not None and pattern is not None:
            levels_[here], types[here] = found
            good[here] = matches(unit.filter(pa.array(here)), pattern)
    bad = ~good & np.asarray(text.is_valid())
    if bad.any():
        rows = [{"row": series.index[n], "given": text[n].as_py()} for n in np.flatnonzero(bad)]
        wrong = text.filter(pa.array(bad)).unique().to_pylist()
        to_come = [v for v in wrong if re.match(DGUID, v) and will_be_census(int(v[:4]))]
        if len(to_come) == len(wrong):
            years, known = {v[:4] for v in wrong}, map(str, vintages())
            raise IdError(
                "geography.dguids_to_come", rows, values=wrong,
                years=", ".join(sorted(years)), known=", ".join(known),
            )  # fmt: skip
        raise IdError("geography.not_dguids", rows, values=wrong)
    return pd.DataFrame(
        {
            "vintage": pd.array(year.cast(pa.int64()).to_pandas(), dtype="Int64"),
            "level": pd.array(levels_, dtype="string"),
            "unit_id": pd.array(unit.to_numpy(zero_copy_only=False), dtype="string"),
            "unit_type": pd.array(types, dtype="string"),
        },
        index=series.index,
    )


@cache
def _pattern_in_year(code: str, year: int) -> str | None:
    """Pattern of a level's ids in a year, ``None`` where the level cannot have that year."""
    censuses = _censuses(code, year)
    if censuses:
        return id_pattern(code, censuses[0])
    # administrative areas are also issued between censuses (subdivisions yearly); statistical
    # areas exist for censuses only, and of a census to come not even the form is known
    issued = all(schema.startswith("A") for _, schema in level(code).schemas)
    if issued and not any(map(will_be_census, range(vintages()[-1], year + 1))):
        return id_pattern(code, vintages()[-1])
    return None


def parse_dguid(text: str) -> Dguid:
    """Take one DGUID apart; see :func:`parse_dguids`.

    Examples
    --------
    >>> from lipgeo.geography import parse_dguid
    >>> parse_dguid("2021A00054806016")
    Dguid(vintage=2021, level='CSD', unit_id='4806016', unit_type='')
    >>> parse_dguid("2013A000435076").censuses
    (2016, 2021)
    """
    row = parse_dguids([text]).iloc[0]
    if pd.isna(row["level"]):
        raise IdError("geography.not_dguids", values=[text])
    return Dguid(int(row["vintage"]), row["level"], row["unit_id"], row["unit_type"])
