"""Long tables, a row or a column of values for each member of their dimensions, to one row a unit.

Data tables of Statistics Canada (98-10, 17-10, 43-10), cross-tabulations (98-400), profiles of
2011, the CSV of the profile's API and tables of the CDP. A unit stands in them as often as their
dimensions have members; what is wanted is said, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pandas as pd

from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import fold, levels, vintages
from lipgeo.geography.hierarchy import level as level_of_name
from lipgeo.geography.identifiers import are_ids
from lipgeo.readers.statcan.columns import facts
from lipgeo.report import Finding, finding

__all__ = ["LongForm", "long_form", "select_rows"]

_UNITS = ("dguid", "idugd", "refarea", "geocodepor", "codegeoldr", "geocode")
_LABELS = ("geo", "geography", "geographie", "geoname", "nomgeo", "geodesc")
_VALUE = ("value", "valeur", "obsvalue")
_SYMBOL = ("status", "symbol", "symbols", "statut", "symbole", "symboles", "flag")
_TIME = ("refdate", "periodedereference", "timeperiod")
_UNIT_OF = ("uom", "unitedemesure")
#: columns that say nothing of what is counted
_ASIDE = {
    *("uomid", "scalarfactor", "scalarid", "vector", "coordinate", "terminated", "decimals"),
    *("coordonnee", "vecteur", "facteurscalaire", "identificateurscalaire", "decimales", "termine"),
    *("identificateurdesunites", "dataflow", "freq", "topic", "note", "releasedate", "provterr"),
    *("dataqualityflag", "tnrlf", "tnrsf", "altgeocode", "codegeoalt", "gnr", "gnrlf", "tgn"),
    *("tgnfl", "indicateurqualitedonnees", "csdtypename", "genresdr", "geolevel", "niveaugeo"),
    *("censusyear", "anneerecensement", "geotype", "provname", "cdname", "csdname", "csdtype"),
    *("cmacaname", "georef", "classification", "quality"),
}
_CHARACTERISTIC = ("characteristic", "characteristics", "caracteristique", "caracteristiques")
#: a column of values that is a member of a dimension: "Age (8D):0 to 4 years[2]"
_MEMBER = re.compile(
    r"^(?:dim\s*:\s*)?(?P<dimension>.+?)\s*\(\d+\w?\)\s*:\s*"
    r"(?:(?:member|membre) id\s*:\s*)?(?:\[\d+\]\s*:\s*)?(?P<member>.+?)\s*(?:\[\d+\])?$",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"(total|both sexes|all ages|les deux sexes|tous les âges)\b", re.IGNORECASE)
#: the finest level that the headers of a profile of 2011 name
_FINEST = (("ctname", "CT"), ("csdname", "CSD"), ("cmacaname", "CMA"), ("cdname", "CD"))
#: members a message shows of a dimension
_SHOWN = 6


@dataclass(frozen=True)
class LongForm:
    """Where a long table keeps what.

    Attributes
    ----------
    unit
        Column of DGUIDs, codes or labels.
    label
        Column of names; empty where there is none.
    dimensions
        Columns whose members part a unit's rows, and what they are called.
    values
        Columns of values.
    symbols
        The column of symbols of each, where it has one.
    members
        The dimension and the member that each column of values is; empty for a single one.
    pivot
        The dimension whose members become columns; empty for none.
    aside
        Columns that hold nothing that is counted.
    level, vintage
        What the headers say of the units; ``None`` where they do not.
    """

    unit: str
    label: str
    dimensions: Mapping[str, str]
    values: Sequence[str]
    symbols: Mapping[str, str]
    members: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    pivot: str = ""
    aside: Sequence[str] = ()
    level: str | None = None
    vintage: int | None = None


def _plain(name: str) -> str:
    """Return how a dimension is called: no "DIM:", no number of members."""
    bare = re.sub(r"^dim\s*:\s*", "", name.strip(), flags=re.IGNORECASE)
    return re.sub(r"(?<!\s)\s*\(\d+\w?\)\s*$", "", bare)


def _key(name: str) -> str:
    return fold(re.sub(r"(?<!\s)\s*\((?:\d+|POR|LDR|S|s)\)\s*$", lambda m: m[0].strip(" ()"), name))


def long_form(columns: Sequence[str]) -> LongForm | None:
    """Return where a long table keeps what, by its headers; ``None`` where it is none.

    Examples
    --------
    >>> from lipgeo.readers.long_tables import long_form
    >>> found = long_form(["REF_DATE", "GEO", "DGUID", "Sex", "COORDINATE", "VALUE", "STATUS"])
    >>> found.unit, dict(found.dimensions), found.symbols
    ('DGUID', {'REF_DATE': 'REF_DATE', 'Sex': 'Sex'}, {'VALUE': 'STATUS'})
    >>> long_form(["DAUID", "Immigrants"])
    """
    keys = {name: re.sub(r"(?<!\d)\d+$", "", _key(name)) for name in columns}
    first: dict[str, str] = {}
    for name, key in keys.items():
        first.setdefault(key, name)

    def named(known: Iterable[str]) -> str:
        return next((first[key] for key in known if key in first), "")

    unit, label, time = named(_UNITS), named(_LABELS), named(_TIME)
    symbols = {name for name, key in keys.items() if key in _SYMBOL or key.startswith("flag")}
    counted = [name for name, key in keys.items() if key in _VALUE]
    topic = named(_CHARACTERISTIC)
    members: dict[str, tuple[str, str]] = {}
    pivot, of_level, year = "", None, None
    if counted and (unit or label):
        values = counted[-1:]
        marks = [name for name in columns if name in symbols]
        beside = {values[0]: marks[0]} if marks else {}
        pivot = "CHARACTERISTIC" if "obsvalue" in first and topic else ""
    elif topic and "total" in first and unit:
        # the profile of 2011: totals, men and women, each with its flag
        values = [first["total"]]
        beside = {first["total"]: first["flagtotal"]} if "flagtotal" in first else {}
        pivot, year = topic, int(facts()["topic_profile"]["vintage"])
        of_level = next((level for key, level in _FINEST if key in first), None)
    else:
        found = {name: match for name in columns if (match := _MEMBER.match(name))}
        dims = [n for n in columns if re.match(r"dim\s*:", n, re.IGNORECASE) and n not in found]
        if not found or not unit or not (time or dims):
            return None
        values = list(found)
        members = {n: (m["dimension"].strip(), m["member"].strip()) for n, m in found.items()}
        members = {n: (_plain(d), m) for n, (d, m) in members.items()}
        order = list(columns)
        beside = {
            name: after for name, after in pairwise(order) if name in found and after in symbols
        }
    aside = [
        name
        for name, key in keys.items()
        if key in _ASIDE
        or name in symbols
        or key.startswith(("memberid", "membreid", "notes", "male", "female", "cilow", "cihigh"))
    ]
    taken = {unit, label, *values, *aside}
    taken |= {name for name, key in keys.items() if key in (*_UNITS, *_LABELS)}
    dimensions = {name: _plain(name) for name in columns if name not in taken}
    return LongForm(
        unit=unit or label,
        label=label if unit else "",
        dimensions=dimensions,
        values=values,
        symbols=beside,
        members=members,
        pivot=pivot,
        aside=aside,
        level=of_level,
        vintage=year,
    )


def select_rows(
    frame: pd.DataFrame,
    form: LongForm,
    where: Mapping[str, str],
    name: str,
    level: str | None = None,
) -> tuple[pd.DataFrame, dict[str, str], bool, list[Finding]]:
    """Choose members of dimensions, until a unit has one value a column.

    Returns
    -------
    pandas.DataFrame
        One row a unit: the columns of ``unit`` and ``label``, the values under their members'
        words, each with its column of symbols behind it.
    dict
        Column of values to its column of symbols.
    bool
        Whether nothing but totals was chosen, so that words mean everybody.
    list of Finding
        What was chosen.

    Raises
    ------
    TableError
        ``where`` names no dimension or no member; or units still stand several times: the message
        names the dimensions and their members.
    """
    columns = dict(form.dimensions)
    if fold(form.values[0]) == "obsvalue":
        flags = facts()["sdmx_flags"]
        given = {mark: frame[mark].astype("string").str.strip() for mark in form.symbols.values()}
        frame = frame.assign(**{mark: text.replace(flags) for mark, text in given.items()})
    if level is not None:
        # rows of other levels may have other members; without a level the next step asks for it
        frame = frame[_of_level(frame[form.unit], level)]
    frame, kept, chosen = _choose(frame, form, where, name)
    across = {dimension for dimension, _ in form.members.values()}
    pivot = next((one for one in columns if form.pivot and fold(one) == fold(form.pivot)), "")
    # a dimension with one member leaves no choice
    varying = {}
    for column, called in columns.items():
        members = frame[column].dropna().unique()
        if len(members) == 1:
            chosen.setdefault(called, str(members[0]))
        elif len(members) > 1 and _parts_units(frame, form.unit, column):
            varying[column] = called
    _require_choice(frame, {one: c for one, c in varying.items()
                            if one != pivot and fold(one) != "topic"}, name)  # fmt: skip
    times = {called for column, called in columns.items() if _key(column) in (*_TIME, *_UNIT_OF)}
    chosen.pop(columns.get(pivot, ""), None)
    parts = [m for d, m in chosen.items() if d not in times and not _is_total(m)]
    plain = not [
        m
        for d, m in chosen.items()
        if d not in times
        and not _is_total(m)
        and d not in across
        and fold(d) not in _CHARACTERISTIC
    ]
    notes = []
    if chosen:
        shown = [f"{called}={member}" for called, member in chosen.items()]
        notes.append(finding("readers.chosen_members", "note", name, chosen=shown))
    if pivot:
        result, beside = _pivot(frame, form, pivot, name)
        return result, beside, plain and "obsvalue" not in map(fold, form.values), notes
    result, beside = _columns_of(frame, form, kept, parts)
    return result, beside, plain and bool(form.members), notes


def _columns_of(
    frame: pd.DataFrame, form: LongForm, kept: Sequence[str], parts: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Name columns of values by their member and by all that is no total."""
    names: dict[str, str] = {}
    for one in kept:
        word = form.members[one][1] if one in form.members else ""
        extra = [part for part in parts if part != word]
        names[one] = " - ".join([*([word] if word else []), *extra]) or one
    heads = [form.unit, *([form.label] if form.label else [])]
    pieces = {head: frame[head] for head in heads}
    beside = {}
    for one, called in _unique(names).items():
        pieces[called] = frame[one]
        if one in form.symbols:
            mark = f"{called}\u0000symbol"
            pieces[mark] = frame[form.symbols[one]]
            beside[called] = mark
    return pd.DataFrame(pieces), beside


def _choose(
    frame: pd.DataFrame, form: LongForm, where: Mapping[str, str], name: str
) -> tuple[pd.DataFrame, list[str], dict[str, str]]:
    """Keep the rows and the columns of values of the members that are wanted."""
    columns = dict(form.dimensions)
    across = sorted({dimension for dimension, _ in form.members.values()})
    chosen: dict[str, str] = {}
    kept = list(form.values)
    wrong: list[str] = []
    for asked, member in where.items():
        column = _dimension(asked, columns)
        if column is not None:
            found = _member(member, frame[column].dropna().unique())
            if found is None:
                wrong.append(f"{columns[column]}={member} ({_some(frame[column])})")
                continue
            frame = frame[frame[column].eq(found).fillna(False).astype(bool)]
            chosen[columns[column]] = found
            continue
        side = next((one for one in across if _same(one, asked)), None)
        if side is None:
            wrong.append(f"{asked}={member} ({', '.join([*columns.values(), *across])})")
            continue
        found = _member(
            member, [form.members[one][1] for one in kept if form.members[one][0] == side]
        )
        if found is None:
            wrong.append(f"{side}={member}")
            continue
        kept = [one for one in kept if form.members[one] == (side, found)]
        chosen[side] = found
    if wrong:
        raise TableError("readers.no_such_member", name=name, asked=wrong)
    return frame, kept, chosen


def _require_choice(frame: pd.DataFrame, varying: Mapping[str, str], name: str) -> None:
    """Raise where units still stand several times."""
    if not varying:
        return
    first = next(iter(varying))
    raise TableError(
        "readers.several_members",
        [{"dimension": called} for called in varying.values()],
        name=name,
        dimensions=[f"{called}: {_some(frame[one])}" for one, called in varying.items()],
        example=f"{varying[first]}={_example(frame[first])}",
    )


def _of_level(ids: pd.Series, name: str) -> Any:
    """Return which rows are of a level: by their DGUID, else by the form of bare ids."""
    found = level_of_name(name)
    schemas = {schema for _, schema in found.schemas}
    held = ids.astype("string").str.extract(r"^\d{4}([AS]\d{4})")[0]
    if held.notna().any():
        return held.isin(schemas).to_numpy(dtype=bool)
    # tracts come without their point
    text = ids.astype("string").str.replace(r"^(\d{7})(\d{2})$", r"\1.\2", regex=True)
    fits = [are_ids(text, found, year) for year in vintages()
            if found.code in levels(year)]  # fmt: skip
    return pd.concat(fits, axis=1).any(axis=1).to_numpy(dtype=bool)


def _pivot(
    frame: pd.DataFrame, form: LongForm, pivot: str, name: str
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Make a column of each member of a dimension; words that stand again are numbered."""
    value = form.values[0]
    given, frame = frame, frame[frame[form.unit].notna()]
    if frame.empty:
        raise TableError("readers.no_units", column=form.unit)
    heads = [form.unit, *([form.label] if form.label else [])]
    words = frame[pivot].astype("string").fillna("")
    # the same words under another heading are another row: they are told apart by their place
    again = words.groupby([frame[form.unit], words]).cumcount()
    columns = words.where(again.eq(0), words + " (" + (again + 1).astype("string") + ")")
    order = list(dict.fromkeys(columns))
    keys = [frame[form.unit], columns]
    wide = frame[value].groupby(keys, sort=False).first().unstack()[order]  # noqa: PD010 - a series has no pivot_table
    pieces: dict[str, Any] = {}
    # rows without a unit stay, for whoever counts them
    first = given.drop_duplicates(form.unit)
    rows = first[form.unit]
    for head in heads:
        pieces[head] = first[head]
    beside = {}
    marks = None
    if value in form.symbols:
        marks = frame[form.symbols[value]].groupby(keys, sort=False).first().unstack()[order]  # noqa: PD010 - a series has no pivot_table
    for one in order:
        called = one if one not in heads else f"{one} (value)"
        pieces[called] = pd.Series(wide[one].reindex(rows).to_numpy(), index=first.index)
        if marks is not None and marks[one].notna().any():
            beside[called] = f"{called}\u0000symbol"
            pieces[beside[called]] = pd.Series(marks[one].reindex(rows).to_numpy(), first.index)
    return pd.DataFrame(pieces), beside


def _parts_units(frame: pd.DataFrame, unit: str, column: str) -> bool:
    """Say whether a unit has several members of a dimension."""
    return bool(frame.groupby(unit, sort=False)[column].nunique().max() > 1)


def _same(one: str, other: str) -> bool:
    return fold(_plain(one)) == fold(_plain(other))


def _dimension(asked: str, columns: Mapping[str, str]) -> str | None:
    return next((column for column in columns if _same(column, asked)), None)


def _is_total(member: str) -> bool:
    return bool(_TOTAL.match(member.strip()))


def _member(asked: str, members: Iterable[Any]) -> str | None:
    """Return the member that is meant: the same words, or the one total for "Total"."""
    given = [str(one) for one in members]
    same = [one for one in given if fold(one) == fold(asked)]
    if same:
        return same[0]
    if fold(asked) == "total":
        totals = [one for one in given if _is_total(one)]
        return totals[0] if len(totals) == 1 else None
    return None


def _example(values: pd.Series) -> str:
    members = [str(one) for one in values.dropna().unique()]
    return next((one for one in members if _is_total(one)), members[0])


def _some(values: pd.Series) -> str:
    members = [str(one) for one in values.dropna().unique()]
    return " / ".join(members[:_SHOWN]) + (" ..." if len(members) > _SHOWN else "")


def _unique(names: Mapping[str, str]) -> dict[str, str]:
    seen: dict[str, int] = {}
    found = {}
    for column, name in names.items():
        seen[name] = seen.get(name, 0) + 1
        found[column] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return found
