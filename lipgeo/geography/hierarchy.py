"""Read the table of census geography: years, levels, what nests in what.

The table is ``geography.toml`` beside this module, with the facts of one's own over it (see
:mod:`lipgeo.facts`); nothing of it is written twice. Users reach these names through
:mod:`lipgeo.geography`, which adds the identifiers themselves.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from lipgeo.errors import InputError
from lipgeo.facts import fact_table
from lipgeo.words import language

__all__ = [
    "Certainty",
    "Fact",
    "Level",
    "Purpose",
    "Trait",
    "censuses_among",
    "fold",
    "geography_years",
    "has_trait",
    "id_length",
    "level",
    "levels",
    "levels_for",
    "levels_of_totals",
    "national_count",
    "nests_in",
    "parents_by_id",
    "part_level",
    "province",
    "require_vintage",
    "usual_vintage",
    "vintages",
    "will_be_census",
]

Certainty = Literal["verified", "carried forward", "general knowledge", "expected"]
Trait = Literal[
    "zeros_may_be_suppressed",
    "collectives_in_long_form",
    "reserves_not_asked",
    "voluntary_long_form",
    "small_counts_hidden",
]
Purpose = Literal["chain", "cover", "profile", "municipality", "map", "workbook", "tradeoff"]


@cache
def facts() -> dict[str, Any]:
    """Return the table of ``geography.toml``, whole for every census in it.

    Raises
    ------
    InputError
        A census stands in it without something that is said census by census.
    """
    table = fact_table("geography")
    lacking = [
        {"vintage": year, "needed": f"{where}.{year}"}
        for year in table["vintages"]
        for where, row in _by_census(table)
        if year not in row
    ]
    if lacking:
        raise InputError(
            "geography.facts_lacking", lacking, needed=[row["needed"] for row in lacking]
        )
    return table


def _by_census(table: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Go through the rows that must say something of every census."""
    for code, row in table["levels"].items():
        for key in ("form", "years"):
            if isinstance(row.get(key), Mapping):
                yield f"levels.{code}.{key}", row[key]
    for name, row in table["floors"].items():
        yield f"floors.{name}.certainty", row["certainty"]


@dataclass(frozen=True)
class Level:
    """A level of census geography.

    Attributes
    ----------
    code
        Short code (``DA``), the one lipgeo uses everywhere.
    name_en, name_fr
        Full name in each language, singular.
    aliases
        Other names and codes it is known by, in either language.
    columns
        Every name of its id column met in Statistics Canada's files (``DAUID``, ``ADIDU``), without
        a year.
    schemas
        Type and schema of its DGUID (``S0512``) by unit type; the unit type is empty except for
        CMA and CA, which share their ids and differ in schema.
    kind
        ``standard``, ``part`` (the part of a unit in one province) or ``other`` (known by DGUID
        only, no service area is made of it).
    stems
        What the names of its columns begin with, pairs of English and French (``DA``, ``AD``);
        empty where it has no columns but its id.
    letters
        How its boundary file is named, English and French (``da_``); empty where it has none.
    blocks_by
        What links blocks to its units: ``attributes`` (the attribute file), ``relationship`` (the
        relationship file alone) or ``polygons`` (no table does).
    """

    code: str
    name_en: str
    name_fr: str
    aliases: tuple[str, ...]
    columns: tuple[str, ...]
    schemas: tuple[tuple[str, str], ...]
    kind: str
    stems: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    blocks_by: str = "attributes"

    @property
    def name(self) -> str:
        """The name in the language in force."""
        return self.name_fr if language() == "fr" else self.name_en


@dataclass(frozen=True)
class Fact:
    """A number and how far it may be trusted.

    Attributes
    ----------
    value
        The number.
    counts
        What it counts (``persons``, ``private households``, ``units``).
    certainty
        ``verified``, ``carried forward`` (from an earlier census), ``general knowledge`` or
        ``expected`` (census not yet published).
    """

    value: int
    counts: str
    certainty: Certainty


def fold(text: str) -> str:
    """Return a search key: no accents, case, punctuation or spacing.

    Examples
    --------
    >>> from lipgeo.geography import fold
    >>> fold("Trois-Rivières"), fold("ST. JOHN'S"), fold("Cœur  du  Québec")
    ('troisrivieres', 'stjohns', 'coeurduquebec')
    """
    plain = text
    if not plain.isascii():
        # twice: a compatibility letter may come apart into capitals, a small one into accents
        for _ in range(2):
            plain = unicodedata.normalize("NFKD", plain).casefold()
        plain = plain.replace("œ", "oe").replace("æ", "ae")
    plain = plain.lower()
    return "".join(mark for mark in plain if mark.isalnum())


# -- census years ------------------------------------------------------------------------------


def vintages() -> tuple[int, ...]:
    """Return the census years known, oldest first.

    Examples
    --------
    >>> from lipgeo.geography import vintages
    >>> vintages()
    (2006, 2011, 2016, 2021)
    """
    return tuple(sorted(int(year) for year in facts()["vintages"]))


def usual_vintage() -> int:
    """Return the census that is meant where none is named and no store says one."""
    return int(facts()["censuses"]["usual"])


def will_be_census(year: int) -> bool:
    """Return whether a year is that of a census to come, of which nothing is known here.

    Examples
    --------
    >>> from lipgeo.geography import vintages, will_be_census
    >>> newest = vintages()[-1]
    >>> will_be_census(newest), will_be_census(newest + 4), will_be_census(newest + 5)
    (False, False, True)
    """
    later = year - vintages()[-1]
    return later > 0 and later % int(facts()["censuses"]["every_years"]) == 0


def require_vintage(vintage: int) -> int:
    """Return the census year, if lipgeo knows that census.

    Raises
    ------
    InputError
        It is no census year, or that of a census of which nothing is known here yet.
    """
    known = [str(year) for year in vintages()]
    if will_be_census(vintage):
        raise InputError("geography.not_published", vintage=str(vintage), known=known)
    if vintage not in vintages():
        raise InputError("geography.vintage", vintage=vintage, known=known)
    return int(vintage)


def censuses_among(years: Iterable[int]) -> set[int]:
    """Return those of some years, as a file names them, that are census years.

    Raises
    ------
    InputError
        One is that of a census to come: what is of it must not be taken for another's.
    """
    named = set(years)
    return {require_vintage(year) for year in named if year in vintages() or will_be_census(year)}


def has_trait(vintage: int | None, trait: Trait) -> bool:
    """Return whether a census has what sets its numbers apart; no where it is not known which.

    Examples
    --------
    >>> from lipgeo.geography import has_trait
    >>> has_trait(2011, "voluntary_long_form"), has_trait(None, "voluntary_long_form")
    (True, False)
    """
    return trait in facts()["vintages"].get(str(vintage), {}).get("traits", ())


# -- levels ------------------------------------------------------------------------------------


@cache
def _levels() -> dict[str, Level]:
    found = {}
    for code, row in facts()["levels"].items():
        schema = row["schema"]
        found[code] = Level(
            code=code,
            name_en=row["name_en"],
            name_fr=row["name_fr"],
            aliases=tuple(row["aliases"]),
            columns=tuple(row["columns"]),
            schemas=(("", schema),) if isinstance(schema, str) else tuple(schema.items()),
            kind=row.get("kind", "standard"),
            stems=tuple(row.get("stems", ())),
            letters=tuple(row.get("letters", ())),
            blocks_by=row.get("blocks_by", "attributes"),
        )
    return found


@cache
def _names() -> dict[str, str]:
    named: dict[str, str] = {}
    # codes last: a code is never shadowed by another level's alias
    for found in _levels().values():
        for name in (found.name_en, found.name_fr, *found.aliases):
            named.setdefault(fold(name), found.code)
            named.setdefault(_singular(name), found.code)
    return named | {fold(code): code for code in _levels()}


def _singular(name: str) -> str:
    """Key of a name without the plural s of its longer words, in both languages."""
    words = [fold(word) for word in re.split(r"[\s'’-]+", name)]
    return "".join(word.removesuffix("s") if len(word) > 3 else word for word in words)


def level(name: str | Level) -> Level:
    """Return the level of a code, a name or an alias, English or French, singular or plural.

    Raises
    ------
    InputError
        No level is called that; the message lists the codes.

    Examples
    --------
    >>> from lipgeo.geography import level
    >>> level("aires de diffusion").code, level("SDR").code, level("da").name_fr
    ('DA', 'CSD', 'aire de diffusion')
    """
    if isinstance(name, Level):
        return name
    code = _names().get(fold(str(name))) or _names().get(_singular(str(name)))
    if code is None:
        known = [found.code for found in _levels().values() if found.kind == "standard"]
        raise InputError("geography.level", given=name, known=", ".join(known))
    return _levels()[code]


def all_levels(vintage: int | None = None) -> tuple[Level, ...]:
    """Return every level, also parts and those known by DGUID only, fine to coarse."""
    return tuple(
        found
        for found in reversed(_levels().values())
        if vintage is None or _has(found.code, require_vintage(vintage))
    )


def levels(vintage: int) -> tuple[str, ...]:
    """Return the codes of the standard levels of a census, fine to coarse.

    Examples
    --------
    >>> from lipgeo.geography import levels
    >>> "ADA" in levels(2016), "ADA" in levels(2011), levels(2021)[0]
    (True, False, 'DB')
    """
    return tuple(found.code for found in all_levels(vintage) if found.kind == "standard")


def levels_for(purpose: Purpose) -> tuple[str, ...]:
    """Return the codes of the levels that serve a purpose, in its order (see ``geography.toml``).

    Examples
    --------
    >>> from lipgeo.geography import levels_for
    >>> levels_for("chain")
    ('PR', 'CD', 'CSD', 'DA', 'DB')
    """
    placed = {
        code: row["orders"][purpose]
        for code, row in facts()["levels"].items()
        if purpose in row.get("orders", {})
    }
    return tuple(sorted(placed, key=lambda code: placed[code]))


def part_level(name: str | Level) -> str | None:
    """Return the level of the parts, by province, of a level's units; ``None`` where it has none.

    Examples
    --------
    >>> from lipgeo.geography import part_level
    >>> part_level("CMA"), part_level("CSD")
    ('CMAP', None)
    """
    part = facts()["levels"][level(name).code].get("part")
    return None if part is None else str(part)


def levels_of_totals(code: str | None) -> tuple[str, ...]:
    """Return what a level's units are part of, best first: unions whose own totals are known.

    Empty where none are, and for units that are of no level.
    """
    return tuple(facts()["levels"].get(code, {}).get("totals", ()))


def _has(code: str, vintage: int) -> bool:
    row = facts()["levels"][code]
    return bool(row.get("from", vintage) <= vintage <= row.get("to", vintage))


def require_level(name: str | Level, vintage: int) -> Level:
    """Return a level that the census has.

    Raises
    ------
    InputError
        No such level, no such census, or a census without that level.
    """
    found = level(name)
    if not _has(found.code, require_vintage(vintage)):
        having = [str(year) for year in vintages() if _has(found.code, year)]
        raise InputError(
            "geography.level_vintage",
            level=found.code,
            vintage=vintage,
            having=", ".join(having),
            known=", ".join(levels(vintage)),
        )
    return found


def id_form(name: str | Level, vintage: int) -> str:
    """Return the form of an id: 9 a digit, A a capital letter (``9999999.99`` for a CT)."""
    form = facts()["levels"][require_level(name, vintage).code]["form"]
    return str(form if isinstance(form, str) else form[str(vintage)])


def id_length(name: str | Level, vintage: int) -> int:
    """Return how many characters an id of a level has.

    Examples
    --------
    >>> from lipgeo.geography import id_length
    >>> id_length("DB", 2011), id_length("DB", 2016), id_length("CT", 2021)
    (10, 11, 10)
    """
    return len(id_form(name, vintage))


def parents_by_id(name: str | Level, vintage: int) -> dict[str, slice]:
    """Return the levels whose ids stand in an id, and where.

    Returns
    -------
    dict
        Code of the parent level to the slice of the id that is the parent's id.

    Examples
    --------
    >>> from lipgeo.geography import parents_by_id
    >>> {code: "35060001001"[part] for code, part in parents_by_id("DB", 2021).items()}
    {'DA': '35060001', 'CD': '3506', 'PR': '35'}
    """
    found = require_level(name, vintage)
    return {
        parent: slice(*where)
        for parent, where in facts()["levels"][found.code].get("prefix", {}).items()
    }


def nests_in(name: str | Level, vintage: int) -> dict[str, str]:
    """Return the levels in which each unit of a level lies wholly (where it lies in one at all).

    Returns
    -------
    dict
        Code of the outer level to what says so: ``id`` (the unit's id holds the parent's) or
        ``file`` (the official attribute files give each unit one parent). Polygons are never
        assumed to nest: the import verifies it.

    Examples
    --------
    >>> from lipgeo.geography import nests_in
    >>> nests_in("CT", 2021), "CSD" in nests_in("DA", 2021)
    ({'CMA': 'id'}, True)
    """
    found = require_level(name, vintage)
    nested = facts()["nests"].get(found.code, {})
    return {parent: why for parent, why in nested.items() if _has(parent, vintage)}


def geography_years(name: str | Level, vintage: int) -> tuple[int, ...]:
    """Return the year of a level's geography in a census, the one in use first.

    It is the census year except for federal electoral districts (the Representation Order; the
    2021 census is also published on the 2023 order). Empty where the geography has a calendar of
    its own (health regions).

    Examples
    --------
    >>> from lipgeo.geography import geography_years
    >>> geography_years("FED", 2021), geography_years("DA", 2021)
    ((2013, 2023), (2021,))
    """
    years = facts()["levels"][require_level(name, vintage).code].get("years")
    if years == "own":
        return ()
    return (vintage,) if years is None else tuple(years[str(vintage)])


def province(text: str) -> str:
    """Return the id of a province or territory from its id, abbreviation or name.

    Raises
    ------
    InputError
        It is none of the thirteen.

    Examples
    --------
    >>> from lipgeo.geography import province
    >>> province("AB"), province("Île-du-Prince-Édouard"), province("35")
    ('48', '11', '35')
    """
    found = _provinces().get(fold(str(text)))
    if found is None:
        known = [f"{row['abbr'][0]} {code}" for code, row in facts()["provinces"].items()]
        raise InputError("geography.province", given=text, known=", ".join(known))
    return found


@cache
def _provinces() -> dict[str, str]:
    named: dict[str, str] = {}
    rows: Mapping[str, Mapping[str, Any]] = facts()["provinces"]
    # two-letter codes first: French Nt is Nunavut and NT the Northwest Territories, so the
    # fold of the longer abbreviations never replaces a postal code
    for code, row in rows.items():
        named |= {code: code, fold(row["abbr"][0]): code}
    for code, row in rows.items():
        for name in (row["en"], row["fr"], *row["abbr"][1:]):
            named.setdefault(fold(name), code)
    return named


def national_count(name: str | Level, vintage: int) -> Fact | None:
    """Return how many units of a level the country has, ``None`` where not known.

    For a warning that a file may be cut; never a proof.
    """
    counts = facts()["national_counts"]
    value = counts.get(require_level(name, vintage).code, {}).get(str(vintage))
    return None if value is None else Fact(value, "units", counts["certainty"][str(vintage)])
