"""Census Profile files of Statistics Canada into a table in memory: ``read_profile``.

They are streamed, never held whole; what is shared with the import of whole profiles into a store
(files and layouts, rows, cells) stands in ``profile_files``, ``profile_rows`` and ``cells``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

from lipgeo import geography
from lipgeo.errors import TableError, require_paths
from lipgeo.readers.statcan.cells import Vocabulary
from lipgeo.readers.statcan.profile_files import (
    ProfileLayout,
    file_digest,
    find_layouts,
)
from lipgeo.readers.statcan.profile_rows import Characteristics, Reader, Unread
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.variables import find_variables, known_variables

__all__ = ["plain_counts", "read_profile", "units_of", "variables_of"]


#: levels that files of any level hold beside their own
_ALWAYS = ("PR", "CMA", "CD", "CSD")
#: the bounds of confidence intervals, and what their columns end with
_INTERVALS = {"low": "_low", "high": "_high"}


def _place_of_side(side: str) -> int:
    """Return the place of a column of values among totals and the bounds of their intervals."""
    return ("total", *_INTERVALS).index(side)


def read_profile(
    path: str | Path | Sequence[str | Path],
    *,
    characteristics: Iterable[str | int] | Mapping[str, str | int] | None = None,
    level: str | None = None,
) -> CensusTable:
    """Read Census Profile files (98-401-X): one level, the characteristics wanted.

    A file is read once, from end to end, and only the rows wanted are kept: the memory needed is
    that of the result, not of the file.

    Parameters
    ----------
    path
        A CSV or TAB file as published (98-401-X2021006 ..., 98-401-X2016044 ...), zipped or not;
        or several, which are put together (regional files).
    characteristics
        Variables of the dictionary, characteristic ids, or words of rows; every variable of the
        dictionary that the file has by default. A mapping says what each column is to be called:
        name to id (ids tell rows apart whose words are the same).
    level
        Level wanted; the finest in the files by default.

    Returns
    -------
    CensusTable
        Totals (never one sex), ids as text; from the edition with confidence intervals also the
        bounds, as columns ``immigrants_low`` and ``immigrants_high``; symbols beside values;
        ``notes`` says which characteristic was taken for which variable, and how sure that is.

    Raises
    ------
    TableError
        No file is a Census Profile; they are of several censuses, or of one whose profiles are
        not known; a characteristic is not in them; a level is not; a unit stands in two files
        with different numbers.
    FileError
        A file cannot be read, or breaks off.
    """
    paths = require_paths(path)
    layouts = find_layouts(paths)
    vintage = layouts[0].vintage
    wanted, findings = _choose_characteristics(paths, layouts, characteristics)
    code = None if level is None else geography.require_level(level, vintage).code
    wanted_rows = _WantedRows(wanted, vintage)
    for one, layout in zip(paths, layouts, strict=True):
        wanted_rows.read(one, layout, code)
    there = set(wanted_rows.units()["level"])
    # levels that serve no purpose of their own, as health regions, come last
    order = dict.fromkeys(
        (*geography.levels(vintage), *(o.code for o in geography.all_levels(vintage)))
    )
    held = [one for one in order if one in there]
    if not held:
        if code is None:
            raise TableError("readers.no_rows", name=paths[0].name)
        raise TableError("readers.level_absent", name=paths[0].name, level=code)
    # the level that a file is named for, else the finest
    named = [one for one in layouts[0].levels[-1:] if one in held and one not in _ALWAYS]
    code = code or (named or held)[0]
    findings.append(finding("readers.profile", "note", paths[0].name, vintage=vintage, level=code))
    return wanted_rows.table(code, vintage, findings)


# ------------------------------------------------------------------------------- what is wanted


def _choose_characteristics(
    paths: list[Path],
    layouts: list[ProfileLayout],
    asked: Iterable[str | int] | Mapping[str, str | int] | None,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return ``id, variable`` of the characteristics wanted, those of all files together."""
    path, layout = paths[0], layouts[0]
    several = [_characteristics(*one) for one in zip(paths, layouts, strict=True)]
    rows = pd.concat(several).drop_duplicates("id", ignore_index=True)
    found = variables_of(rows, layout)
    findings = []
    unsure = found.loc[found["certainty"] != "verified"]
    if len(unsure):
        shown = (unsure["variable"] + " = " + unsure["name"].str.strip()).tolist()
        findings.append(finding("readers.by_name", "note", path.name, rows=shown))
    wanted = found[["id", "variable"]]
    if asked is None:
        if not len(wanted):
            raise TableError("readers.nothing_known", name=path.name)
        return wanted.drop_duplicates("id"), findings
    variables = dict(zip(found["variable"], found["id"], strict=True))
    by_id = {str(id): name for name, id in variables.items()}
    words = {geography.fold(name): id for name, id in zip(rows["name"], rows["id"], strict=True)}
    called: dict[str, str] = {}
    if isinstance(asked, Mapping):
        called = {str(one).strip(): name for name, one in asked.items()}
        asked = list(called)
    known = set(rows["id"])
    picked, lost = [], []
    for one in asked:
        text = str(one).strip()
        if text in variables:
            picked.append((variables[text], called.get(text, text)))
        elif text in known:
            name = rows.loc[rows["id"] == text, "name"].iloc[0].strip()
            picked.append((text, called.get(text) or by_id.get(text, name)))
        elif geography.fold(text) in words:
            id = words[geography.fold(text)]
            picked.append((id, called.get(text) or by_id.get(id, text)))
        else:
            lost.append(text)
    if lost:
        raise TableError(
            "readers.no_characteristics",
            [{"characteristic": text} for text in lost],
            name=path.name,
            lost=lost,
            known=sorted(variables),
        )
    return pd.DataFrame(picked, columns=["id", "variable"]).drop_duplicates("id"), findings


def variables_of(rows: pd.DataFrame, layout: ProfileLayout) -> pd.DataFrame:
    """Return the variables of the dictionary among ``id, name`` of characteristics."""
    if layout.french:
        return _by_id(rows, layout.vintage)
    return find_variables(rows, layout.vintage)


def _by_id(rows: pd.DataFrame, vintage: int) -> pd.DataFrame:
    """Return the variables of a French file: its words are not the dictionary's, its ids are."""
    found = []
    for name, one in known_variables(vintage).items():
        for place in one.characteristics:
            if place.vintage != vintage or place.id is None:
                continue
            at = np.flatnonzero(rows["id"] == place.id)
            if len(at):
                found.append((name, place.id, rows["name"].iloc[at[0]], at[0], "verified"))
    return pd.DataFrame(found, columns=["variable", "id", "name", "row", "certainty"])


def plain_counts(found: pd.DataFrame, vintage: int) -> set[str]:
    """Return the ids that the dictionary knows as plain counts, of ``id, variable``.

    The count of such a characteristic may be missing; its rate says something else.
    """
    known = known_variables(vintage)
    return {
        id
        for id, variable in zip(found["id"], found["variable"], strict=True)
        if variable in known and known[variable].rule == "count"
    }


def _characteristics(path: Path, layout: ProfileLayout) -> pd.DataFrame:
    """Return ``id, name`` of the characteristics, from the rows of the first unit."""
    members = Characteristics()
    reader = Reader(path, layout, members, Vocabulary(), columns=())
    with closing(reader.read()) as parts:
        rows = next(parts, None)
    if rows is None:
        raise TableError("readers.no_rows", name=path.name)
    places = rows.places[: rows.counts[0]].tolist()
    return pd.DataFrame(
        {
            "id": [str(members.ids[place]) for place in places],
            "name": [members.names[place] for place in places],
        }
    )


def units_of(ids: Sequence[str], layout: ProfileLayout) -> pd.DataFrame:
    """Return ``unit_id, level, country`` of ids as they stand in a file, in their order.

    ``level`` is missing for the country, and for bare ids that are of no level known.

    Raises
    ------
    IdError
        An id is no DGUID.
    """
    given = pd.Series(list(dict.fromkeys(ids)), dtype="string")
    bare = given.str.strip()
    if layout.dguids:
        country = bare.str.slice(4, 9).isin(layout.country)
        units = geography.parse_dguids(given.mask(country))[["unit_id", "level"]]
    else:
        country = bare.isin(layout.country)
        levels = pd.Series(pd.NA, index=given.index, dtype="string")
        for code in layout.levels:
            levels = levels.mask(geography.are_ids(bare, code, layout.vintage), code)
        units = pd.DataFrame({"unit_id": bare, "level": levels})
    units = units.assign(country=country).set_axis(pd.Index(given.astype(object)))
    return units.loc[list(ids)]


# -------------------------------------------------------------------------------- what is there


class _WantedRows:
    """Rows wanted of the files of one profile: units, and a number and symbol a row."""

    def __init__(self, wanted: pd.DataFrame, vintage: int) -> None:
        self._variables = wanted["variable"].tolist()
        self._members = Characteristics()
        counts = plain_counts(wanted, vintage)
        for id, name in zip(wanted["id"], self._variables, strict=True):
            self._members.add(int(id), name, 0)
            self._members.counts.append(id in counts)
        self._vocabulary = Vocabulary()
        self._sources: list[tuple[str, str]] = []
        self._units: list[pd.DataFrame] = []
        self._rows: list[pd.DataFrame] = []
        self._unread: list[tuple[str, str, Unread]] = []

    def units(self) -> pd.DataFrame:
        """Return ``unit_id, level, name, origin`` by number; a unit again where it comes again."""
        columns = ["unit_id", "level", "name", "origin"]
        return pd.concat([pd.DataFrame(columns=columns), *self._units], ignore_index=True)

    def read(self, path: Path, layout: ProfileLayout, code: str | None) -> None:
        """Read the rows of a file, of one level where one is asked for."""
        sides = [side for side in ("total", *_INTERVALS) if side in layout.values]
        reader = Reader(path, layout, self._members, self._vocabulary, columns=sides, only=True)
        done = sum(map(len, self._units))
        with closing(reader.read()) as parts:
            for rows in parts:
                units = units_of(rows.ids, layout)
                kept = units["level"].notna() & ((code is None) | units["level"].eq(code))
                mine = kept.to_numpy(dtype=bool)
                # units are numbered on; rows keep their unit's number
                numbers = done + np.cumsum(mine) - 1
                done += int(mine.sum())
                chosen = np.repeat(mine, rows.counts)
                for side in sides:
                    cells = rows.values[side].take(chosen)
                    held = np.ones(len(cells.numbers), dtype=bool)
                    if side in _INTERVALS:  # most rows have none, and a mark that says so
                        held = ~np.isnan(cells.numbers)
                    shift = len(self._variables) * _place_of_side(side)
                    self._rows.append(
                        pd.DataFrame(
                            {
                                "unit": np.repeat(numbers, rows.counts)[chosen][held],
                                "variable": rows.places[chosen][held] + shift,
                                "value": cells.numbers[held],
                                "symbol": cells.symbols[held],
                            }
                        )
                    )
                units = units.assign(name=rows.names, origin=len(self._sources))
                self._units.append(units.loc[mine, ["unit_id", "level", "name", "origin"]])
                if reader.unread:
                    self._remember(reader, layout)
        assert reader.block is not None
        self._sources.append((path.name, file_digest(path, reader.block.digest)))

    def _remember(self, reader: Reader, layout: ProfileLayout) -> None:
        """Take over the cells that are neither numbers nor symbols, and the level of each."""
        units = units_of([one.id for one in reader.unread], layout)
        self._unread += zip(units["unit_id"], units["level"], reader.unread, strict=True)
        reader.unread = []

    def table(self, code: str, vintage: int, findings: list[Finding]) -> CensusTable:
        """Return the table of one level, units by variables."""
        sources = pd.DataFrame(self._sources, columns=["file", "sha256"])
        files = ", ".join(sources["file"])
        bad = [
            (unit_id, one)
            for unit_id, level, one in self._unread
            if not pd.isna(level) and level == code
        ]
        if bad:
            names = dict(zip(self._members.ids, self._variables, strict=True))
            problems = [
                {"unit_id": id, "variable": names[one.characteristic], "value": one.given}
                for id, one in bad
            ]
            shown = ["{unit_id} {variable}: {value}".format(**one) for one in problems]
            raise TableError("readers.not_numbers", problems, name=files, cells=shown)
        # one row a unit, in the order they came
        units = self.units()
        units = units[units["level"].eq(code)]
        first = units.drop_duplicates("unit_id").set_index("unit_id")
        rows = pd.concat(self._rows, ignore_index=True)
        rows = rows[rows["unit"].isin(units.index)]
        place = pd.Series(first.index.get_indexer(units["unit_id"]), index=units.index)
        rows = rows.assign(unit=rows["unit"].map(place))
        rows = _without_doubles(rows, first.index, self._members.ids * 3, files)
        # one column a variable that any row is of, in the order wanted
        there = np.unique(rows["variable"])
        at = (rows["unit"].to_numpy(), np.searchsorted(there, rows["variable"]))
        numbers = np.full((len(first), len(there)), np.nan)
        numbers[at] = rows["value"]
        signs = np.zeros(numbers.shape, dtype=np.int16)
        signs[at] = rows["symbol"]
        many = len(self._variables)
        columns = [
            self._variables[one % many] + ("", *_INTERVALS.values())[one // many]
            for one in there.tolist()
        ]
        index = first.index.astype(object)
        marks = pd.DataFrame(
            np.array(self._vocabulary.symbols, dtype=object)[signs], index=index, columns=columns
        )
        return CensusTable(
            pd.DataFrame(numbers, index=index, columns=columns),
            level=code,
            vintage=vintage,
            symbols=marks.loc[:, (signs != 0).any(axis=0)],
            names=first["name"].str.strip(),
            sources=sources,
            origin=first["origin"],
            notes=CheckReport(findings),
        )


def _without_doubles(
    rows: pd.DataFrame, units: Sequence[str], members: Sequence[int], files: str
) -> pd.DataFrame:
    """Drop rows that several files repeat (the country's, a province's)."""
    keys = ["unit", "variable"]
    same = rows.drop_duplicates()
    differing = same[same.duplicated(keys, keep=False)]
    if len(differing):
        problems = pd.DataFrame(
            {
                "unit_id": [units[unit] for unit in differing["unit"]],
                "member": [str(members[place]) for place in differing["variable"]],
                "value": differing["value"],
            }
        )
        raise TableError(
            "readers.twice",
            problems.to_dict("records"),
            name=files,
            units=list(problems["unit_id"].unique()),
        )
    return same
