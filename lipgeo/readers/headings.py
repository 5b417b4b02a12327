"""``name_columns``: which variable of the dictionary each column of a table is, by its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lipgeo.areas.faults import finding
from lipgeo.geography import fold
from lipgeo.report import Finding
from lipgeo.tables.variables import PERCENT, known_variables

__all__ = ["name_columns", "vector_year"]

#: a census vector before the words of a column: "v_CA21_4410: Immigrants, - Total"
_VECTOR = re.compile(r"^\s*v_(CA\d{2}[A-Z]?|CA\d{2}[A-Z]{1,2})_[\w]+\s*:\s*")
#: what says that the column is everybody, or one sex
_EVERYBODY = re.compile(r"[\s,]*[-–]\s*total\s*$", re.IGNORECASE)
_ONE_SEX = re.compile(
    r"[\s,]*[-–]\s*(male|female|men|women|men\+|women\+|hommes\+?|femmes\+?)\s*$", re.IGNORECASE
)
_TOTAL = re.compile(r"^\s*total\s*[-–]\s*", re.IGNORECASE)
_SAMPLE = re.compile(r"\s*[-–]\s*\d+\s*%\s*(sample\s+)?data\s*$|\s*\[\d+\]\s*$", re.IGNORECASE)
#: other words for what every file has
_ALIASES = {
    "areasqkm": "land_km2",
    "areakm2": "land_km2",
    "landarea": "land_km2",
    "superficie": "land_km2",
    "pop": "population",
    "totalpopulation": "population",
    "populationtotale": "population",
    "logements": "dwellings",
    "totalprivatedwellings": "dwellings",
    "occupieddwellings": "households",
    "menages": "households",
    "dbpop": "population",
    "dbtdwell": "dwellings",
    "dburdwell": "households",
    "dbarea": "land_km2",
}
_YEAR = re.compile(r"^(db(?:pop|tdwell|urdwell|area)|pop)(20\d\d)$")


def vector_year(columns: Iterable[str]) -> set[int]:
    """Return the census years that census vectors and counts in column names speak of.

    Examples
    --------
    >>> from lipgeo.readers.headings import vector_year
    >>> vector_year(["v_CA21_4410: Immigrants, - Total", "v_CA16_3405: Total"])
    {2016, 2021}
    """
    vectors = (re.match(r"\s*v_CA(\d{2})", name) for name in columns)
    counts = (_YEAR.match(fold(name)) for name in columns)
    return {2000 + int(match.group(1)) for match in vectors if match} | {
        int(match.group(2)) for match in counts if match
    }


def name_columns(
    columns: Sequence[str], vintage: int | None, subject: str
) -> tuple[dict[str, str], list[Finding]]:
    """Say which column is which variable of the dictionary.

    A column is taken for a variable where its words are the variable's name, its English or
    French label, or the words of its row in the Census Profile of the year, and no other
    variable's. Columns of one sex are never taken for everybody.

    Returns
    -------
    dict
        Column to variable; columns not in it keep their own words.
    list of Finding
        One note of what was taken for what, one of words that several variables share.
    """
    words = _words(vintage)
    named: dict[str, str] = {}
    unclear: list[str] = []
    for column in columns:
        if _ONE_SEX.search(column):
            continue
        held = words.get(_key(column), set())
        if len(held) > 1:
            unclear.append(column)
        free = held - set(named.values())
        if len(held) == 1 and free:
            named[column] = next(iter(free))
    renamed = [f"{column} = {name}" for column, name in named.items() if column != name]
    findings = []
    if renamed:
        findings.append(finding("readtable.named", "note", subject, columns=renamed))
    if unclear:
        findings.append(finding("readtable.unclear", "warning", subject, columns=unclear))
    return named, findings


def _key(column: str) -> str:
    bare = _SAMPLE.sub("", _EVERYBODY.sub("", _VECTOR.sub("", column)))
    return _YEAR.sub(r"\1", fold(_SAMPLE.sub("", _TOTAL.sub("", bare))))


def _words(vintage: int | None) -> dict[str, set[str]]:
    """Return folded words to the variables they may mean."""
    words: dict[str, set[str]] = {}
    exact: dict[str, str] = dict(_ALIASES)
    for name, one in known_variables(vintage).items():
        exact[fold(name)] = name
        exact[fold(name + PERCENT)] = name + PERCENT
        said = [one.name_en, one.name_fr]
        said += [c.name for c in one.characteristics if vintage in (None, c.vintage)]
        for text in said:
            if text:
                words.setdefault(_key(text), set()).add(name)
    # a variable's own name leaves no doubt
    return words | {key: {name} for key, name in exact.items()}
