"""What an import has taken in: units, characteristics, parts; a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.errors import TableError
from lipgeo.readers.profile import units_of, variables_of
from lipgeo.readers.profile_files import Layout, words_of
from lipgeo.stored_tables.cells import Figured, Vocabulary
from lipgeo.stored_tables.parts import Long, earlier_rows, write_parts
from lipgeo.stored_tables.rows import Characteristics, Rows
from lipgeo.tables.variables import known_variables

__all__ = ["Intake", "Unit"]

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


#: the country's id in files of 2016; its DGUIDs are known from 2021 on
_COUNTRY, _COUNTRY_BY_DGUID = "01", 2021


class Unit(NamedTuple):
    """A unit of a table; its place in the list is its number."""

    level: str
    unit_id: str
    name: str
    origin: int


class Intake:
    """The table as far as it is taken in.

    Attributes
    ----------
    characteristics, units
        In the order they came.
    sources
        Files that are done: ``file, sha256, bytes, rows``.
    parts, ranges
        Parts written, and the ranges of their values: ``file, bytes, rows``.
    not_believed
        Numbers beside a symbol that says there is none.
    dropped
        Rows left out, by reason.
    twice
        Ids of units that came again with the same figures.
    short
        Files whose last unit has fewer rows than the one before it, and that unit's id.
    rows_read, end, check
        Of the file being read: rows so far, the byte after them, and what was read with its hash.
    """

    def __init__(self, folder: Path, vintage: int) -> None:
        self.vintage = vintage
        self.vocabulary = Vocabulary()
        self.characteristics = Characteristics()
        self.units: list[Unit] = []
        self.sources: list[dict[str, Any]] = []
        self.parts: list[dict[str, Any]] = []
        self.ranges: list[dict[str, Any]] = []
        self.not_believed = 0
        self.values: list[str] = []
        self.dropped: dict[str, int] = {}
        self.twice: list[str] = []
        self.short: dict[str, str] = {}
        self.rows_read = 0
        self.end = 0
        self.check: tuple[int, str] | None = None
        self._folder = folder
        self._numbers: dict[tuple[str, str], int] = {}
        self._origin = -1
        self._batches = 0
        self._told = 0
        self._layout: Layout | None = None
        self._file = ""

    def open(self, origin: int, file: str, layout: Layout) -> None:
        """Begin or take up a file."""
        self._layout, self._file = layout, file
        self.learn()
        if origin != self._origin:
            self._origin, self.rows_read, self.end, self.check = origin, 0, 0, None

    def learn(self) -> None:
        """Say of characteristics that came last whether the dictionary knows them as counts."""
        mine = self.characteristics
        if len(mine.counts) == len(mine) or self._layout is None:
            return
        found = self.variables()
        known = known_variables(self.vintage)
        counts = {
            id
            for id, variable in zip(found["id"], found["variable"], strict=True)
            if known[variable].rule == "count"
        }
        mine.counts += [str(id) in counts for id in mine.ids[len(mine.counts) :]]

    def variables(self) -> pd.DataFrame:
        """Return the variables of the dictionary: ``id, variable, certainty``, an id once."""
        assert self._layout is not None
        mine = self.characteristics
        rows = pd.DataFrame({"id": list(map(str, mine.ids)), "name": mine.names})
        return variables_of(rows, self._layout).drop_duplicates("id")

    def take_up(self, entry: dict[str, Any]) -> None:
        """Take up a batch that an earlier run imported."""
        for member, name, depth in entry["characteristics"]:
            self.characteristics.add(member, name, depth)
        self._told = len(self.characteristics)
        for level, unit_id, name in entry["units"]:
            self._numbers[level, unit_id] = len(self.units)
            self.units.append(Unit(level, unit_id, name, entry["origin"]))
        self._origin, self.rows_read = entry["origin"], entry["rows_read"]
        self.end, self.check = entry["end"], (entry["check"][0], entry["check"][1])
        self._batches += 1
        self.values = entry["values"]
        self._written(entry)

    def _written(self, entry: dict[str, Any]) -> None:
        self.parts += entry["parts"]
        self.ranges += entry["ranges"]
        self.not_believed += entry["not_believed"]
        self.twice += entry["twice"]
        for reason, rows in entry["dropped"].items():
            self.dropped[reason] = self.dropped.get(reason, 0) + rows

    def batch(
        self, rows: Rows, figured: Figured, check: tuple[int, str]
    ) -> Callable[[], dict[str, Any]]:
        """Return what writes a batch and says what it is; its units are numbered.

        Raises
        ------
        IdError
            An id is no DGUID.
        TableError
            A unit came before with other figures.
        """
        assert self._layout is not None
        ids = pd.Series(words_of(rows.ids), dtype="string")
        places = units_of(ids, self._layout).reindex(ids.astype(object))
        levels = places["level"].to_numpy(dtype=object, na_value="")
        unit_ids = places["unit_id"].to_numpy(dtype=object, na_value="")
        numbers, new, again = self._number(levels, unit_ids, words_of(rows.names))
        self._look_at_last(rows, unit_ids)
        long = Long(rows, figured, numbers, self.characteristics.ids)
        out = numbers < 0
        dropped = self._reasons(unit_ids[out], rows.counts[out])
        spare: Bools | None = None
        twice: list[str] = []
        if again.any() or not rows.alike:
            spare, twice = self._settle(long, again, unit_ids)
        self.rows_read += len(rows)
        self.end, self.check = int(rows.ends[-1]), check
        added = slice(self._told, len(self.characteristics))
        self._told = len(self.characteristics)
        self.values = list(figured.columns)
        entry = {
            "origin": self._origin,
            "end": self.end,
            "check": list(check),
            "rows_read": self.rows_read,
            "values": self.values,
            "characteristics": [
                *zip(
                    self.characteristics.ids[added],
                    self.characteristics.names[added],
                    self.characteristics.depths[added],
                    strict=True,
                )
            ],
            "units": [[unit.level, unit.unit_id, unit.name] for unit in new],
            "dropped": dropped,
            "not_believed": figured.not_believed,
            "twice": twice,
        }
        number, self._batches = self._batches, self._batches + 1

        def write() -> dict[str, Any]:
            parts, ranges = write_parts(
                self._folder, number, long, levels=levels, spare=spare, vocabulary=self.vocabulary
            )
            entry["parts"], entry["ranges"] = parts, ranges
            self._written(entry)
            return entry

        return write

    def _number(
        self, levels: npt.NDArray[np.object_], unit_ids: npt.NDArray[np.object_], names: list[str]
    ) -> tuple[Ints, list[Unit], Bools]:
        """Return the number of each unit (-1: left out), the new units, and which came before."""
        numbers = np.full(len(levels), -1, dtype=np.int32)
        again = np.zeros(len(levels), dtype=bool)
        before = len(self.units)
        for place, key in enumerate(zip(levels, unit_ids, strict=True)):
            if not key[0]:
                continue
            again[place] = key in self._numbers
            if not again[place]:
                self._numbers[key] = len(self.units)
                self.units.append(Unit(*key, names[place].strip(), self._origin))
            numbers[place] = self._numbers[key]
        return numbers, self.units[before:], again

    def _reasons(self, unit_ids: npt.NDArray[np.object_], counts: Ints) -> dict[str, int]:
        """Return how many rows are left out for what."""
        found: dict[str, int] = {}
        for unit_id, rows in zip(unit_ids, counts.tolist(), strict=True):
            country = self.vintage >= _COUNTRY_BY_DGUID or unit_id == _COUNTRY
            reason = "country" if country else "unknown_level"
            found[reason] = found.get(reason, 0) + rows
        return found

    def _look_at_last(self, rows: Rows, unit_ids: npt.NDArray[np.object_]) -> None:
        """Remember the last unit where it has fewer rows than the one before it."""
        self.short.pop(self._file, None)
        if len(rows.counts) > 1 and rows.counts[-1] < rows.counts[-2]:
            self.short[self._file] = unit_ids[-1]

    def _settle(
        self, long: Long, again: Bools, unit_ids: npt.NDArray[np.object_]
    ) -> tuple[Bools | None, list[str]]:
        """Return which rows repeat earlier ones, and of which units.

        Raises
        ------
        TableError
            Figures differ.
        """
        here = long.numbers >= 0
        if long.rows.alike:
            here &= np.isin(long.numbers, long.numbers[again])
        mine = long.frame(here, self.vocabulary.symbols)
        before = earlier_rows(self._folder, np.unique(long.numbers[again]), list(mine.columns))
        keys = ["unit", "characteristic"]
        both = pd.concat([before.set_axis([-1] * len(before)), mine]) if len(before) else mine
        twice = both.duplicated(keys, keep="first").to_numpy()
        if not twice.any():
            return None, []
        met = both[both.duplicated(keys, keep=False)]
        differing = met[~met.duplicated(keep=False)]
        if len(differing):
            units = [self.units[unit].unit_id for unit in differing["unit"].unique()]
            problems = differing.assign(
                unit_id=[self.units[unit].unit_id for unit in differing["unit"]]
            )
            raise TableError(
                "readtable.twice",
                problems[["unit_id", "characteristic", "total"]].to_dict("records"),
                name=", ".join([*(one["file"] for one in self.sources), self._file]),
                units=units,
            )
        spare = np.zeros(len(long.rows), dtype=bool)
        spare[both.index.to_numpy()[twice]] = True
        return spare, [self.units[unit].unit_id for unit in both["unit"][twice].unique()]
