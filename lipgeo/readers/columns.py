"""Find which columns of a person's table hold its units, and which variable each other one is.

Units come with their level and their census; variables are those of the dictionary, known by their
words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lipgeo import geography
from lipgeo.errors import InputError, TableError
from lipgeo.geography.hierarchy import fold
from lipgeo.readers.statcan.columns import SAMPLE, Column, counts_in, has_sign
from lipgeo.report import Finding, finding
from lipgeo.tables.variables import PERCENT, known_variables

__all__ = [
    "ID_COLUMNS",
    "Places",
    "are_coded",
    "find_places",
    "is_variable",
    "known_units",
    "name_columns",
    "only_level",
    "vector_year",
]

#: a census vector before the words of a column: "v_CA21_4410: Immigrants, - Total"
_VECTOR = re.compile(r"^\s*v_(CA\d{2}[A-Z]?|CA\d{2}[A-Z]{1,2})_[\w]+\s*:\s*")
#: what says that the column is everybody, or one sex
_EVERYBODY = re.compile(r"(?<![\s,])[\s,]*[-–]\s*total\s*$", re.IGNORECASE)
_ONE_SEX = re.compile(
    r"(?<![\s,])[\s,]*[-–]\s*(male|female|men|women|men\+|women\+|hommes\+?|femmes\+?)\s*$",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"^\s*total\s*[-–]\s*", re.IGNORECASE)
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
}
_YEAR = re.compile(r"^(pop)(20\d\d)$")


def vector_year(columns: Iterable[str]) -> set[int]:
    """Return the census years that census vectors and counts in column names speak of.

    Examples
    --------
    >>> from lipgeo.readers.columns import vector_year
    >>> vector_year(["v_CA21_4410: Immigrants, - Total", "v_CA16_3405: Total"])
    {2016, 2021}
    """
    vectors = (re.match(r"\s*v_CA(\d{2})", name) for name in columns)
    plain = (_YEAR.match(fold(name)) for name in columns)
    counts = (_count_of(name) for name in columns)
    return (
        {2000 + int(match.group(1)) for match in vectors if match}
        | {int(match.group(2)) for match in plain if match}
        | {one.vintage for one in counts if one and one.vintage}
    )


def name_columns(
    columns: Sequence[str],
    vintage: int | None,
    subject: str,
    percents: Collection[str] = (),
    level: str | None = None,
) -> tuple[dict[str, str], list[Finding]]:
    """Say which column is which variable of the dictionary.

    A column is taken for a variable where its words are the variable's name, its English or
    French label, or the words of its row in the Census Profile of the year, and no other
    variable's; or a count of units of the ``level`` in Statistics Canada's headers
    (``DApop_2021``, ``ADpop2021``). Columns of one sex are never taken for everybody, nor those
    of another year for the table's, nor a percentage (by the header's sign, or in ``percents``)
    for a count.

    Returns
    -------
    dict
        Column to variable; columns not in it keep their own words.
    list of Finding
        One note of what was taken for what, one of words that several variables share.
    """
    words = _words(vintage)
    known = known_variables(vintage)
    named: dict[str, str] = {}
    unclear: list[str] = []
    no_counts: list[str] = []
    other_years: list[str] = []
    for column in columns:
        counted = _count_of(column)
        if _ONE_SEX.search(column) or (counted and counted.level != level):
            continue
        of_year = _YEAR.match(fold(column))
        year = int(of_year.group(2)) if of_year else counted and counted.vintage
        if year and vintage is not None and year != vintage:
            other_years.append(column)
            continue
        # "Population, 2021", "2021 Population" in a table of 2021
        bare = re.sub(rf"(?<!\d){vintage}(?!\d)", " ", column) if vintage else column
        held = words.get(_key(column)) or words.get(_key(bare), set())
        held = {counted.role} if counted else held
        if column in percents or has_sign(column):
            counts = {name for name in held if name in known and known[name].rule == "count"}
            if counts:
                no_counts.append(column)
            held -= counts
        if len(held) > 1:
            unclear.append(column)
        free = held - set(named.values())
        if len(held) == 1 and free:
            named[column] = next(iter(free))
    renamed = [f"{column} = {name}" for column, name in named.items() if column != name]
    findings = []
    if renamed:
        findings.append(finding("readers.named", "note", subject, columns=renamed))
    if unclear:
        findings.append(finding("readers.unclear", "warning", subject, columns=unclear))
    if no_counts:
        findings.append(finding("readers.no_counts", "warning", subject, columns=no_counts))
    if other_years:
        findings.append(
            finding("readers.other_years", "note", subject, columns=other_years, vintage=vintage)
        )
    return named, findings


def is_variable(column: str) -> bool:
    """Say whether the words of a header are those of a variable of the dictionary."""
    return _count_of(column) is not None or bool(_words(None).get(_key(column)))


def _count_of(column: str) -> Column | None:
    """Return what a header of attribute files says, where it is a count of units of a level."""
    found = next(iter(counts_in([column])), None)
    return found if found is not None and found.level else None


def _key(column: str) -> str:
    bare = SAMPLE.sub("", _EVERYBODY.sub("", _VECTOR.sub("", column)))
    return _YEAR.sub(r"\1", fold(SAMPLE.sub("", _TOTAL.sub("", bare))))


def _words(vintage: int | None) -> dict[str, set[str]]:
    """Return folded words to the variables they may mean."""
    words: dict[str, set[str]] = {}
    exact: dict[str, str] = dict(_ALIASES)
    for name, one in known_variables(vintage).items():
        exact[fold(name)] = name
        exact[fold(name + PERCENT)] = name + PERCENT
        said = [one.name_en, one.name_fr]
        places = [place for place in one.characteristics if vintage in (None, place.vintage)]
        said += [text for place in places for text in (place.name, place.name_fr)]
        for text in said:
            if text:
                words.setdefault(_key(text), set()).add(name)
    # a variable's own name leaves no doubt
    return words | {key: {name} for key, name in exact.items()}


_DGUIDS = {"dguid", "idugd", "geodguid"}
_CODES = {"geouid", "geocode", "geocodepor", "altgeocode", "codegeo", "codegeoalt", "geoid"}
_CODES |= {"unitid", "unitcode", "codeunite", "idunite", "geographiccode", "codegeographique"}
_LEVELS = {"type", "geolevel", "level", "niveau", "niveaugeo", "unitlevel", "geographiclevel"}
_NAMES = {"regionname", "geoname", "unitname", "nomgeo", "nomunite", "name", "nom"}
_NAMES |= {
    "geo",
    "geodesc",
    "geography",
    "geographie",
    "geographyname",
    "geographicname",
    "nomgeographique",
}
#: headers of columns of ids that say no level
ID_COLUMNS = _DGUIDS | _CODES
#: headers of columns of labels
_LABELS = {"geography", "geographie", "geographyname", "geo", "geographic", "geographique"}
_YEARS = {"censusyear", "vintage", "anneerecensement", "anneederecensement", "recensement"}
#: how a label carries its code: "Toronto (3520005) 00000 (4.2%)", "35060001   00000"
_IN_LABEL = re.compile(r"\(([0-9]{2,11}(?:\.[0-9]{2})?|[A-Z][0-9][A-Z])\)(?!\s*%)")
_BARE_LABEL = re.compile(r"^\s*([0-9]{2,11}(?:\.[0-9]{2})?)(?:\s|$)")
_COUNTED = re.compile(r"^Population, (\d{4})\b")
_IN_NAME = re.compile(r"(?<!\d)[12]\d{3}(?!\d)")
#: share of rows above which an id column cannot be the right one
_TOO_MANY = 0.5
#: share of rows that need an id where nothing but their form says that they are ids
_NEARLY_ALL = 0.95
#: shorter codes are anybody's: row numbers, areas of an order, counts
_TELLING = 6


@dataclass(frozen=True)
class Places:
    """Where a table's units stand.

    Attributes
    ----------
    column
        The column of ids.
    level, vintage
        What they are ids of; ``None`` where they are zones of no census.
    ids
        As they stand, on the table's index.
    names
        Names, ``None`` where there is no such column.
    parents
        Column of the census tract a unit lies in, ``None`` where there is none.
    others
        Columns that say where a unit lies, and hold no variable.
    findings
        What was assumed.
    """

    column: str
    level: str | None
    vintage: int | None
    ids: pd.Series
    names: pd.Series | None = None
    parents: str | None = None
    others: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)


def codes_in_labels(labels: pd.Series) -> pd.Series:
    """Return the codes that labels carry, missing where they carry none.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.readers.columns import codes_in_labels
    >>> codes_in_labels(pd.Series(["Toronto (C) (3520005) 00000 (4.2%)", "35060001  20000"])).tolist()
    ['3520005', '35060001']
    """  # noqa: E501
    text = labels.astype("string")
    inside = text.str.extractall(_IN_LABEL)[0].groupby(level=0, sort=False).last()
    bare = text.str.extract(_BARE_LABEL)[0]
    return inside.reindex(text.index).fillna(bare).astype("string")


def are_coded(labels: pd.Series, level: str | None, vintage: int | None) -> bool:
    """Say whether labels carry codes of census units, and not of anything else with digits.

    Where a level is said most labels need a code of its form. Where none is, nearly all need a
    code of the form of one level, and one long enough to be no row number, no custom area's own
    number and no amount.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.readers.columns import are_coded
    >>> are_coded(pd.Series(["Toronto (3520005) 00000", "Ottawa (3506008) 20000"]), None, 2021)
    True
    >>> are_coded(pd.Series(["NORTH SIDE (3001) 00000", "SOUTH SIDE (3002) 00000"]), None, 2021)
    False
    """
    codes = codes_in_labels(labels)
    if level is not None:
        return bool(codes.notna().mean() > _TOO_MANY)
    if codes.notna().mean() < _NEARLY_ALL or codes.str.len().min() < _TELLING:
        return False
    return bool(_levels_of_form(codes, vintage))


def _levels_of_form(ids: pd.Series, vintage: int | None) -> set[str]:
    """Return the levels whose form nearly all ids have."""
    years = (vintage,) if vintage else geography.vintages()
    return {
        code
        for year in years
        for code in geography.levels(year)
        if geography.are_ids(ids.dropna(), code, year).mean() >= _NEARLY_ALL
    }


def find_places(
    frame: pd.DataFrame, path: Path, *, id: str | None, level: str | None, vintage: int | None
) -> Places:
    """Find a table's units.

    Raises
    ------
    TableError
        No column of ids can be told; or the level or the census cannot, or there are several.
    """
    columns = [str(name) for name in frame.columns]
    folded = {name: geography.fold(name) for name in columns}
    by_level = {name: geography.id_column(name) for name in columns}
    column = _id_column(frame, columns, folded, by_level, path, id, level, vintage)
    findings: list[Finding] = []
    ids = frame[column].astype("string").str.strip()
    dguids = ids.str.fullmatch(r"\d{4}[AS]\d{4}.+").fillna(False)
    from_label = column != id and by_level[column] is None and not dguids.any()
    if from_label and not ids.str.fullmatch(r"[\w.,=\"']{2,14}").fillna(True).all():
        codes = codes_in_labels(ids)
        if codes.notna().mean() > _TOO_MANY:
            findings.append(finding("readers.from_labels", "note", column, column=column))
            ids = codes
    levels = [
        name
        for name in columns
        if folded[name] in _LEVELS and name != column and _levels_in(frame[name])
    ]
    said_by_type = {one for name in levels for one in _levels_in(frame[name])}
    year = _vintage(frame, columns, folded, by_level, ids[dguids], column, path, vintage, findings)
    code = _level(ids, dguids, by_level[column], said_by_type, column, path, level, year, id)
    if code is not None and year is None:
        raise TableError("readers.no_vintage", name=path.name, level=code)
    findings.append(
        finding(
            "readers.units" if code else "readers.zones",
            "note",
            column,
            column=column,
            level=code or "",
            vintage=year or "",
        )
    )
    names = next((n for n in columns if folded[n] in _NAMES and n != column), None)
    tract = next(
        (
            n
            for n in columns
            if n != column and (c := by_level[n]) and c.level == "CT" and not c.dguid
        ),
        None,
    )
    others = [
        name
        for name in columns
        if name != column
        and (
            by_level[name] is not None
            or name == names
            or folded[name] in {*_DGUIDS, *_CODES, *_LEVELS, *_YEARS}
        )
    ]
    labels = frame[column] if from_label and ids is not frame[column] else None
    return Places(
        column=column,
        level=code,
        vintage=year,
        ids=ids,
        names=frame[names] if names else labels,
        parents=tract if code in ("DA", "DB") else None,
        others=tuple(others),
        findings=findings,
    )


def _id_column(  # noqa: PLR0917
    frame: pd.DataFrame,
    columns: list[str],
    folded: dict[str, str],
    by_level: dict[str, geography.IdColumn | None],
    path: Path,
    asked: str | None,
    level: str | None,
    vintage: int | None,
) -> str:
    if asked is not None:
        if asked not in columns:
            raise TableError("readers.no_column", name=path.name, column=asked, columns=columns)
        return asked
    for known in (_DGUIDS, _CODES):
        found = [name for name in columns if folded[name] in known]
        if found:
            return found[0]
    order = [one.code for one in geography.all_levels()]
    levelled = [
        (order.index(place.level), place.dguid, name)
        for name, place in by_level.items()
        if place is not None and frame[name].notna().any()
    ]
    if levelled:
        return min(levelled)[2]
    for name in columns:
        text = frame[name].astype("string")
        if _most(text.str.fullmatch(r"\d{4}[AS]\d{4}.+")):
            return name
    # labels stand first, or under a header that says so; numbers elsewhere are no codes
    for at, name in enumerate(columns):
        text = frame[name].astype("string")
        labelled = folded[name] in _LABELS or (at == 0 and _most(text.str.contains(r"[A-Za-z(]")))
        if labelled and are_coded(text, level, vintage):
            return name
    raise TableError("readers.no_geography", name=path.name, columns=columns)


def _most(marks: pd.Series) -> bool:
    """Whether most cells that hold something are marked; of none, none are."""
    held = marks.dropna()
    return len(held) > 0 and bool(held.mean() > _TOO_MANY)


def _levels_in(values: pd.Series) -> set[str]:
    """Return the levels a column of level names speaks of; empty where it is none such."""
    found = set()
    for text in values.dropna().astype(str).unique()[:50]:
        try:
            found.add(geography.level(text).code)
        except InputError:
            if geography.fold(text) not in ("country", "pays", "canada"):
                return set()
    return found


def _vintage(  # noqa: PLR0917
    frame: pd.DataFrame,
    columns: list[str],
    folded: dict[str, str],
    by_level: dict[str, geography.IdColumn | None],
    dguids: pd.Series,
    column: str,
    path: Path,
    asked: int | None,
    findings: list[Finding],
) -> int | None:
    """Return the census year; what says it is looked through from the surest on."""
    place = by_level[column]
    year = next((name for name in columns if folded[name] in _YEARS), None)
    said: dict[str, set[int]] = {
        column: _census_of(dguids),
        "column": {place.vintage} if place is not None and place.vintage else set(),
        "vector": vector_year(columns),
        "year": set()
        if year is None
        else {int(v) for v in pd.to_numeric(frame[year], errors="coerce").dropna().unique()},
    }
    years = geography.censuses_among(set().union(*said.values()))
    if asked is not None:
        geography.require_vintage(asked)
        if years and asked not in years:
            raise TableError(
                "readers.tables.other_vintage",
                name=path.name,
                vintage=asked,
                found=sorted(map(str, years)),
            )
        return int(asked)
    if len(years) > 1:
        raise TableError("readers.mixed_vintages", name=path.name, vintages=sorted(map(str, years)))
    if years:
        return years.pop()
    # "Population, 2021" beside "Population, 2016": a table is of the newest census it counts
    told = {int(year) for name in columns for year in _COUNTED.findall(name)}
    told &= set(geography.vintages())
    named = {int(year) for year in _IN_NAME.findall(path.name)} & set(geography.vintages())
    if told and not named:
        named = {max(told)}
    if len(named) == 1:
        guess = named.pop()
        findings.append(
            finding("readers.vintage_of_name", "warning", path.name, name=path.name, vintage=guess)
        )
        return guess
    return None


def _census_of(dguids: pd.Series) -> set[int]:
    """Return the censuses that every DGUID may be of."""
    return geography.censuses_among(int(year) for year in dguids.str.slice(0, 4).unique())


def _level(  # noqa: PLR0917
    ids: pd.Series,
    dguids: pd.Series,
    place: geography.IdColumn | None,
    said_by_type: set[str],
    column: str,
    path: Path,
    asked: str | None,
    vintage: int | None,
    id: str | None,
) -> str | None:
    """Return the level; of several, the one asked for."""
    if asked is not None:
        return geography.level(asked).code
    held: set[str] = set()
    if dguids.any():
        held = set(geography.parse_dguids(ids[dguids])["level"].dropna())
    elif said_by_type:
        held = said_by_type
    elif place is not None:
        held = {place.level}
    if len(held) > 1:
        raise TableError("readers.mixed_levels", name=path.name, levels=sorted(held))
    if held:
        return held.pop()
    if id is not None and geography.fold(id) not in _CODES:
        return None  # four digits fit five levels and anybody's own numbering
    ids = _with_points(ids)
    fitting = _levels_of_form(ids, vintage)
    if len(fitting) == 1 and all(map(_is_telling, fitting)):
        return fitting.pop()
    if not fitting:
        shown = ids.dropna().unique()
        several = _levels_by_form(ids, vintage)
        if len(several) > 1:
            told = [f"{id} ({' / '.join(levels)})" for id, levels in several.items()]
            raise TableError("readers.several_forms", name=path.name, column=column, ids=told)
        raise TableError("readers.no_level", name=path.name, column=column, ids=list(shown))
    raise TableError("readers.unclear_level", name=path.name, column=column, levels=sorted(fitting))


def _with_points(ids: pd.Series) -> pd.Series:
    """Return ids with the point back in tracts of nine digits: no other level has as many."""
    return ids.str.replace(r"^(\d{7})(\d{2})$", r"\1.\2", regex=True)


#: Canada, in a column of codes of several levels
_COUNTRY = ("01", "1")


def _levels_by_form(ids: pd.Series, vintage: int | None) -> dict[str, list[str]]:
    """Return the levels that ids of each length may be of, by an example; empty where one is none.

    A table of several levels says in its codes what it holds, not which is wanted.
    """
    there = ids.dropna()
    there = there[~there.isin(_COUNTRY)]
    found: dict[str, list[str]] = {}
    for _, alike in there.groupby(there.str.len(), sort=True):
        of_form = _levels_of_form(alike, vintage)
        if not of_form:
            return {}
        order = [one.code for one in geography.all_levels() if one.code in of_form]
        found[str(alike.iloc[0])] = order
    return found


def _is_telling(code: str) -> bool:
    """Say whether the form of a level's ids says what they are: a province stands in them."""
    year = max(year for year in geography.vintages() if code in geography.levels(year))
    return code == "FSA" or "PR" in geography.parents_by_id(code, year) or code == "CT"


def only_level(ids: pd.Series, level: str | None) -> pd.Series:
    """Return which rows are of a level, where DGUIDs say so; all where they do not."""
    if level is None:
        return pd.Series(True, index=ids.index)
    schemas = {schema for _, schema in geography.level(level).schemas}
    held = ids.str.extract(r"^\d{4}([AS]\d{4})")[0]
    return held.isna() | held.isin(schemas)


def known_units(places: Places, path: Path) -> tuple[pd.Series, list[Finding]]:
    """Return whole ids on the table's rows, missing where a row has none.

    Raises
    ------
    TableError
        Most ids are none of the level, or a unit stands twice with different rows.
    """
    if places.level is None or places.vintage is None:
        return places.ids, []
    done = geography.restore_ids(places.ids, places.level, places.vintage)
    findings = [f for f in done.report if f.check != "id_refused"]
    given = places.ids.notna().sum()
    if len(done.refused) > _TOO_MANY * max(given, 1):
        raise TableError(
            "readers.ids_refused",
            done.refused.to_dict("records"),
            name=path.name,
            column=places.column,
            level=places.level,
            vintage=places.vintage,
            count=len(done.refused),
            total=int(given),
            ids=(done.refused["row"].astype(str) + ": " + done.refused["given"]).tolist(),
            reasons=done.refused["reason"].unique().tolist(),
        )
    if len(done.refused):
        rows = (done.refused["row"].astype(str) + ": " + done.refused["given"]).tolist()
        findings.append(
            finding(
                "readers.rows_left_out",
                "warning",
                path.name,
                value=len(rows),
                level=places.level,
                rows=rows,
                reasons=done.refused["reason"].unique().tolist(),
            )
        )
    blank = done.ids.index[
        places.ids.isna() | (done.ids.isna() & ~done.ids.index.isin(done.refused["row"]))
    ]
    if len(blank):
        findings.append(
            finding("readers.no_id", "warning", path.name, value=len(blank), rows=list(blank))
        )
    return done.ids, findings
