"""Recognise the columns of an attribute table by their names in English or French.

The layouts of the census attribute files come from ``layouts.toml``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from lipgeo import geography
from lipgeo.census.data import COUNTS
from lipgeo.errors import CensusError, InputError
from lipgeo.facts import fact_table

__all__ = ["Column", "Layout", "facts", "layout", "layouts", "recognise"]


@dataclass(frozen=True)
class Layout:
    """The layout of one published file.

    Attributes
    ----------
    name
        Its name in ``layouts.toml`` (``gaf_2011``).
    product
        Catalogue number (``92-151``).
    form
        ``fixed`` or ``delimited``.
    vintages
        Census years it was published for.
    encoding, delimiter
        As published; ``delimiter`` is empty for fixed width.
    columns
        Column names in order, ``{year}`` standing for the census year.
    widths
        Characters of each column, in order; empty for a delimited file.
    line
        Characters of a line; ``None`` where it is not known or not fixed.
    certainty
        Census year to ``verified``, ``one source`` or ``general knowledge``.
    """

    name: str
    product: str
    form: str
    vintages: tuple[int, ...]
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    widths: tuple[int, ...]
    line: int | None
    certainty: tuple[tuple[int, str], ...]

    def names(self, vintage: int) -> tuple[str, ...]:
        """Return the column names of a census year."""
        return tuple(column.format(year=vintage) for column in self.columns)

    def slices(self, vintage: int) -> dict[str, tuple[int, int]]:
        """Return column name to its start (first character 0) and width."""
        found, start = {}, 0
        for name, width in zip(self.names(vintage), self.widths, strict=True):
            found[name] = (start, width)
            start += width
        return found


@cache
def facts() -> dict[str, Any]:
    """Return the table as it stands in ``layouts.toml``."""
    return fact_table("layouts")


@cache
def layouts() -> dict[str, Layout]:
    """Return all layouts by name.

    Examples
    --------
    >>> from lipgeo.readers.statcan.columns import layouts
    >>> gaf = layouts()["gaf_2011"]
    >>> sum(gaf.widths), gaf.slices(2011)["CTuid"]
    (940, (807, 10))
    """
    found = {}
    for name, row in facts()["files"].items():
        fixed = row["form"] == "fixed"
        fields = row["fields"]
        found[name] = Layout(
            name=name,
            product=row["product"],
            form=row["form"],
            vintages=tuple(row["vintages"]),
            encoding=row["encoding"],
            delimiter=row.get("delimiter", ""),
            columns=tuple(field[0] for field in fields) if fixed else tuple(fields),
            widths=tuple(field[1] for field in fields) if fixed else (),
            line=row.get("line"),
            certainty=tuple((int(year), text) for year, text in row["certainty"].items()),
        )
    return found


def layout(product: str, vintage: int) -> Layout:
    """Return the layout in which a product of a census year is written (the first one listed).

    Raises
    ------
    KeyError
        The product was not published for that year.
    """
    for found in layouts().values():
        if found.product == product and vintage in found.vintages:
            return found
    raise KeyError(f"{product} {vintage}")


#: what a mapping may name besides the levels
ROLES = (
    "unit_id",
    "dguid",
    "unit_name",
    "name_fr",
    "unit_type",
    "population",
    "dwellings",
    "households",
    "land_km2",
    "x",
    "y",
    "incomplete_reserve",
)
_ROLE_WORDS = {"name": "unit_name", "type": "unit_type"}


@dataclass(frozen=True)
class Column:
    """One recognised column.

    Attributes
    ----------
    at
        Position in the file.
    name
        Its name there.
    level
        Code of the level it speaks of; empty where the name says none (the table's own units).
    role
        ``id``, ``dguid``, ``unit_name``, ``name_en``, ``name_fr``, ``unit_type``, ``class``,
        ``level`` (names the row's level), a count, ``land_km2``, ``x``, ``y`` or
        ``incomplete_reserve``.
    vintage
        Census year in the name, ``None`` where there is none.
    """

    at: int
    name: str
    level: str
    role: str
    vintage: int | None = None


#: words after a name that are none of it: footnotes, the sample
SAMPLE = re.compile(
    r"(?<!\s)(?:\s*[-–]\s*\d+\s*%\s*(sample\s+)?data\s*$|(?:\s*\[\d+\]|\s*\(\d{1,3}\))+\s*$)",
    re.IGNORECASE,
)
#: what says that numbers are no counts
_SIGN = re.compile(
    r"%|‰|±|\+\s*/\s*-|\$|\b(per ?cent(age)?|pour ?cent(age)?|proportion|rate|taux)\b"
    r"|\bmargin of error\b|\bmarge d.erreur\b",
    re.IGNORECASE,
)
#: what is counted, or measured, of a unit
_COUNTED = (*COUNTS, "land_km2")


def has_sign(column: str) -> bool:
    """Whether a header says that its numbers are no counts: percent, per mille, error, dollars.

    Examples
    --------
    >>> from lipgeo.readers.statcan.columns import has_sign
    >>> has_sign("% Immigrants"), has_sign("Immigrants (+/-)"), has_sign("Immigrants - 25% data")
    (True, True, False)
    """
    return bool(_SIGN.search(SAMPLE.sub("", column)))


@cache
def _words() -> dict[str, tuple[str, str]]:
    """Folded name without a year -> (level, role)."""
    found: dict[str, tuple[str, str]] = {}
    table = facts()
    # coarse first: ADANOM is the name of an ADA, not the English name of an AD
    for level in reversed(geography.all_levels()):
        for at, stem in enumerate(level.stems):
            for word, both in table["words"].items():
                role = _ROLE_WORDS.get(word, word)
                for suffix in both[at % 2]:
                    found.setdefault(stem + suffix, (level.code, role))
    return found


@cache
def _usual() -> dict[str, tuple[str, int]]:
    """Folded name -> (role, how far down the list it stands)."""
    return {
        name: ("id" if word == "unit_id" else _ROLE_WORDS.get(word, word), rank)
        for word, names in facts()["usual"].items()
        for rank, name in enumerate(names)
    }


def _fold(text: str) -> tuple[str, int | None]:
    """Return a name's key and the census year at its end."""
    key = geography.fold(text).upper()
    match = re.fullmatch(r"(.+?)((?:19|20)\d\d)", key)
    return (match.group(1), int(match.group(2))) if match else (key, None)


def _parts(name: str) -> list[str]:
    # "DBPOP2021_IDPOP2021" is two names; "DB_ir2011" and "CSD_UID" are one
    return [name, *re.split(r"[/_]", name)] if re.search(r"[/_]", name) else [name]


def _one(at: int, name: str) -> tuple[Column, int] | None:
    found = geography.id_column(name)
    if found is not None:
        role = "dguid" if found.dguid else "id"
        return Column(at, name, found.level, role, found.vintage), 0
    for part in _parts(name):
        key, vintage = _fold(part)
        if key in _words():
            level, role = _words()[key]
            return Column(at, name, level, role, vintage), 0
        if part == name and key in _usual():
            role, rank = _usual()[key]
            return Column(at, name, "", role, vintage), rank
    return None


def counts_in(names: Sequence[str]) -> list[Column]:
    """Return every column whose words are those of a count, of whatever year, signed or not."""
    found = (_one(at, name) for at, name in enumerate(names))
    return [one[0] for one in found if one is not None and one[0].role in _COUNTED]


def recognise(
    names: Sequence[str],
    mapping: Mapping[str, str] | None = None,
    file: str = "",
    leave: Collection[str] = (),
) -> list[Column]:
    """Say what each column holds; those that say nothing we know are left out.

    Parameters
    ----------
    names
        Column names as in the file.
    mapping
        What the caller says: a role (see :data:`ROLES`) or a level code, to a column name.
    file
        How messages call the file.
    leave
        Columns that are nothing, whatever their words.

    Raises
    ------
    InputError
        The mapping names a column the file lacks, or a role there is not.
    CensusError
        Two columns hold ids of one level in two years: a correspondence file, not attributes.
    """
    mapped = _mapped_columns(names, mapping or {}, file)
    taken = {column.at for column in mapped}
    roles = {(column.level, column.role) for column in mapped}
    best: dict[tuple[str, str], tuple[int, Column]] = {}
    years: dict[str, set[int]] = {}
    for at, name in enumerate(names):
        found = _one(at, name) if at not in taken and name not in leave else None
        if found is None:
            continue
        column, rank = found
        if column.role in ("id", "dguid") and column.vintage:
            years.setdefault(column.level, set()).add(column.vintage)
        slot = (column.level, column.role)
        if slot not in roles and (slot not in best or rank < best[slot][0]):
            best[slot] = (rank, column)
    for level, found_years in years.items():
        if len(found_years) > 1:
            raise CensusError(
                "readers.correspondence",
                name=file,
                level=level,
                years=[str(year) for year in sorted(found_years)],
            )
    kept = [column for _, column in best.values()]
    return sorted([*mapped, *kept], key=lambda column: column.at)


def _mapped_columns(names: Sequence[str], mapping: Mapping[str, str], file: str) -> list[Column]:
    mapped, missing = [], []
    for role, name in mapping.items():
        if name not in names:
            missing.append({"role": role, "column": name})
            continue
        at = list(names).index(name)
        if role in ROLES:
            mapped.append(Column(at, name, "", "id" if role == "unit_id" else role))
        else:
            try:
                level = geography.level(role).code
            except InputError as error:
                raise InputError(
                    "readers.mapping_role", role=role, roles=", ".join(ROLES)
                ) from error
            mapped.append(Column(at, name, level, "id"))
    if missing:
        raise InputError(
            "readers.mapping_column",
            missing,
            name=file,
            columns=[row["column"] for row in missing],
            present=", ".join(names),
        )
    return mapped
