"""``read_attributes``: a census attribute table as it comes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lipgeo import geography
from lipgeo.attributes.columns import Column, recognise
from lipgeo.attributes.raw import Raw, raw_of_frame, read_raw
from lipgeo.attributes.reading import Reading
from lipgeo.attributes.rows import find_level
from lipgeo.errors import CensusError
from lipgeo.report import CheckReport

__all__ = ["AttributeTable", "from_frame", "read_attributes"]


@dataclass(frozen=True)
class AttributeTable:
    """What a census attribute file says.

    Attributes
    ----------
    level
        Code of the level of its rows (``DB``).
    vintage
        Census year, ``None`` where neither the file nor the caller said one.
    frame
        One row a unit, RangeIndex, in the file's order: ``unit_id`` (text); ``unit_name``,
        ``name_fr``, ``unit_type``, ``dguid`` (text) where the file gives its own units those;
        ``population, dwellings, households`` (float64, NaN where missing; those the file lacks
        are NaN throughout); ``land_km2``; ``x, y`` (representative point of the unit itself, in
        metres of Statistics Canada's Lambert grid, NaN where not given); ``incomplete_reserve``
        (bool); and one text column a parent level the file or the id gives, named by its code,
        missing where the unit lies in no such parent. An id that stands twice is left as it is,
        with a finding.
    names
        Level code to what the file says of the parents: ``unit_id`` and those of ``unit_name,
        name_fr, unit_type, dguid`` (text), ``x, y`` (float64) that it gives; one row a parent.
    notes
        What was assumed, restored and left out.
    """

    level: str
    vintage: int | None
    frame: pd.DataFrame
    names: dict[str, pd.DataFrame]
    notes: CheckReport

    def __repr__(self) -> str:
        parents = ", ".join(self.names) or "-"
        year = self.vintage if self.vintage is not None else "?"
        return (
            f"<AttributeTable {self.level} {year}: {len(self.frame):,} units; names of {parents}>"
        )


def read_attributes(
    path: str | Path,
    *,
    vintage: int | None = None,
    level: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> AttributeTable:
    r"""Read a census attribute table as it comes.

    The geographic attribute file 92-151 (2006 and 2011 fixed width, 2016, 2021), the relationship
    file 98-26-0004, the attribute table of a boundary file, or any table of units with usual
    column names, English or French; zipped or not; delimited text, workbook, ``.dbf``,
    GeoPackage.

    Parameters
    ----------
    path
        The file.
    vintage
        Census year; needed where the file says none (the fixed-width files serve two censuses).
    level
        Level of the rows; needed where neither columns nor the file's name say it.
    mapping
        Columns with unusual names: ``unit_id``, a count, ``land_km2``, ``x``, ``y``,
        ``unit_name``, ``unit_type``, ``dguid``, ``incomplete_reserve`` or a level code, to the
        name of its column, such as ``{"unit_id": "GeoUID", "CSD": "CSD_UID"}``.

    Returns
    -------
    AttributeTable
        Units, counts, parents and names.

    Raises
    ------
    FileError
        The file is missing, damaged, or in no form known.
    CensusError
        The columns are not those of one level, ids are blank, parents contradict the ids, the
        year is another, or numbers cannot be read.
    IdError
        Ids that are none of their level and year and cannot be restored with certainty.
    InputError
        The mapping names a column that is not there.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from lipgeo.attributes import read_attributes
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "blocks.csv"
    >>> _ = path.write_text("DBUID,dbpop2021\n35060001001,94.0\n35060001002,23.0\n")
    >>> table = read_attributes(path)
    >>> table.level, table.vintage, float(table.frame["population"].sum()), table.frame["DA"][0]
    ('DB', 2021, 117.0, '35060001')
    """
    path = Path(path)
    said = None if vintage is None else geography.require_vintage(vintage)
    return _table(read_raw(path, said), path.name, said, level, mapping)


def from_frame(
    frame: pd.DataFrame,
    name: str,
    *,
    vintage: int | None = None,
    level: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> AttributeTable:
    """Read the attributes of a layer already in memory, without its geometry.

    Parameters
    ----------
    frame
        Its columns, of any type.
    name
        File or layer name; it may say the year and the level (``lda_000b21a_e``).
    vintage, level, mapping
        As for :func:`read_attributes`.

    Raises
    ------
    CensusError, IdError, InputError
        As :func:`read_attributes`.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.attributes import from_frame
    >>> table = from_frame(pd.DataFrame({"DRIDU": ["3506"], "SUPTERRE": [2778.0]}), "ldr_000b21a_f")
    >>> table.level, table.vintage, float(table.frame["land_km2"][0])
    ('CD', 2021, 2778.0)
    """
    said = None if vintage is None else geography.require_vintage(vintage)
    return _table(raw_of_frame(frame, name), name, said, level, mapping)


def _table(
    raw: Raw, name: str, said: int | None, level: str | None, mapping: Mapping[str, str] | None
) -> AttributeTable:
    columns = recognise(raw.columns, mapping, raw.name)
    vintage = _vintage(raw, columns, name, said)
    reading = Reading(raw, columns, name, vintage)
    if reading.text.empty:
        raise CensusError("attributes.no_rows", name=raw.name)
    code = find_level(reading, None if level is None else geography.level(level).code)
    frame, names = reading.read(code)
    return AttributeTable(code, vintage, frame, names, CheckReport(reading.notes))


def _vintage(raw: Raw, columns: Iterable[Column], name: str, said: int | None) -> int | None:
    """Return the census year, from the caller, the columns, the layout or the file's name."""
    known = set(geography.vintages(expected=True))
    # a column of ids may carry another year (that of a Representation Order)
    named = {column.vintage for column in columns if column.vintage is not None} & known
    named |= {raw.vintage} if raw.vintage is not None else set()
    if not named:
        stem = name.lower()
        match = re.match(r"[gl](?:[a-z]{2}_|[a-z]{3})000[a-h](\d\d)[a-z]_[ef]", stem)
        years = (
            {2000 + int(match.group(1))}
            if match
            else {int(text) for text in re.findall(r"(?<!\d)20\d\d(?!\d)", stem)}
        )
        named = years & known
    found = [str(year) for year in sorted(named)]
    if said is not None and named and said not in named:
        raise CensusError("attributes.other_vintage", name=raw.name, said=str(said), found=found)
    if said is None and len(named) > 1:
        raise CensusError("attributes.two_vintages", name=raw.name, found=found)
    return said if said is not None else next(iter(named), None)
