"""Open one census vintage: its levels, hierarchy and counts, read only as far as asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo import geography
from lipgeo.census.data import (
    COUNTS,
    GRID,
    CensusData,
    Rows,
)
from lipgeo.census.search import Search
from lipgeo.census.units import UnitRows
from lipgeo.errors import MissingLevelError, UnknownUnitError, require_kind
from lipgeo.report import Card, CheckReport, Shown, heads
from lipgeo.words import say
from lipgeo.zones.crs import STATCAN_LAMBERT
from lipgeo.zones.zones import Zones

__all__ = ["Census", "CensusZones"]


class CensusZones(Zones):
    """A census level as zones; polygons are read when first asked for.

    Attributes
    ----------
    census
        The census they come from: the crosswalk descends its hierarchy and reads only the
        units along an outline.
    """

    def __init__(self, census: Census, level: str) -> None:
        self.census = census
        self.level = level
        self.vintage = census.vintage
        self.crs = census.crs

    @cached_property
    def ids(self) -> npt.NDArray[np.object_]:  # type: ignore[override]
        """Unit ids; unique by construction of the store, read when first asked for."""
        return self.census.ids(str(self.level))

    def __len__(self) -> int:
        return self.census.size(str(self.level))

    @property
    def geometry(self) -> npt.NDArray[np.object_]:
        """Polygons, read when first asked for."""
        return self._read

    @cached_property
    def _read(self) -> npt.NDArray[np.object_]:
        return self.census.data.geometry(str(self.level))

    @cached_property
    def boxes(self) -> npt.NDArray[np.float64]:
        """Boxes, read without the polygons."""
        return self.census.data.boxes(str(self.level))

    @cached_property
    def data(self) -> pd.DataFrame:
        """Attributes by id, read when first asked for."""
        return self.census.units(str(self.level)).rename_axis("zone_id")


class Census(Shown):
    """One census vintage, opened.

    Parameters
    ----------
    data
        Where it is read from.
    report
        What was taken for granted when it was opened.

    Notes
    -----
    A level goes by its code or name, English or French, in any case (``"DA"``, ``"da"``).
    Coordinates are EPSG:3347 metres. That grid is conformal, not equal-area: land area comes from
    the ``land_km2`` column (Statistics Canada's own figure), never from the polygons.
    """

    def __init__(self, data: CensusData, report: CheckReport | None = None) -> None:
        self.data = data
        self.report = CheckReport() if report is None else report
        self.crs = STATCAN_LAMBERT
        self._units: dict[str, pd.DataFrame] = {}

    @property
    def vintage(self) -> int:
        """Census year."""
        return self.data.vintage

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels held, finest first."""
        return self.data.levels

    @property
    def atom_level(self) -> str:
        """The finest level held: every unit of every level is a set of these."""
        return self.levels[0]

    def require_level(self, level: str) -> str:
        """Return the code of a level that is held.

        Raises
        ------
        InputError
            No level is called that.
        MissingLevelError
            The census does not hold the level.
        """
        if level in self.levels:  # asked in every step: most say the code
            return level
        code = geography.level(level).code
        if code not in self.levels:
            raise MissingLevelError(
                "census.missing_level", level=code, vintage=self.vintage, held=self.levels
            )
        return code

    def units(self, level: str) -> pd.DataFrame:
        """Return all units of a level.

        Returns
        -------
        pandas.DataFrame
            Index ``unit_id`` (text); columns ``unit_name, unit_type, dguid`` (text),
            ``population, dwellings, households, land_km2, x, y`` (float64, NaN where missing;
            x and y the representative point in EPSG:3347 metres), and one column a parent level
            named by its code (``PR``, ``CD``, ``CSD``, ``CT`` ...; text, missing where the unit
            has no such parent). Columns the census does not hold are absent, except ids, names
            and counts, which are then missing in every row.
        """
        level = self.require_level(level)
        if level not in self._units:
            wanted = [column for column in self.data.columns(level) if column != GRID]
            frame = self.data.attributes(level, wanted)
            for column in ("unit_name", "unit_type", "dguid"):
                if column not in frame:
                    frame[column] = pd.Series(pd.NA, index=frame.index, dtype="string")
            for column in (*COUNTS, "land_km2"):
                if column not in frame:
                    frame[column] = np.nan
            self._units[level] = frame.set_index("unit_id")
        return self._units[level].copy()

    def size(self, level: str) -> int:
        """Return the number of units of a level; no unit is read."""
        return int(self.data.group_boxes(self.require_level(level))[0][-1])

    def ids(self, level: str) -> npt.NDArray[np.object_]:
        """Return the unit ids of a level in its order, text; not to be changed; (n,)."""
        return self._unit_rows.ids(self.require_level(level))

    def rows(self, level: str, unit_ids: Sequence[str] | pd.Index) -> Rows:
        """Return the positions of units in their level.

        Raises
        ------
        UnknownUnitError
            Some ids are not in this census; ``problems`` lists them.
        """
        wanted = pd.Index(unit_ids, dtype=object)
        found = self.find_rows(level, wanted)
        missing = wanted[found < 0]
        if len(missing):
            raise UnknownUnitError(
                "census.unknown_units",
                [{"level": level, "unit_id": unit} for unit in missing],
                level=level,
                vintage=self.vintage,
                units=missing,
            )
        return found

    def find_rows(self, level: str, unit_ids: Any) -> Rows:
        """Return the positions of units in their level, -1 where an id is missing or no unit; (n,).

        For ids that may be unknown; :meth:`rows` is for those that may not.
        """
        return self._unit_rows.find(self.require_level(level), unit_ids)

    @cached_property
    def _unit_rows(self) -> UnitRows:
        return UnitRows(self.data)

    def find(
        self, name: str, level: str | None = None, province: str | None = None
    ) -> pd.DataFrame:
        """Return the units that may bear a name; never picks one.

        Accents, case, spacing and punctuation do not count, St. is Saint and Ste is Sainte, and
        either half of a bilingual name will do. A name may end in a province or a type that tells
        units apart (``"Windsor, ON"``, ``"Langley (DM)"``). A code, ``CSD:3537039`` or a DGUID
        finds its unit.

        Parameters
        ----------
        name
            A name, or a code.
        level, province
            Keep to one level, or one province or territory (code, abbreviation or name).

        Returns
        -------
        pandas.DataFrame
            Best first: ``level, unit_id, name, type, province`` (text; the province's abbreviation,
            several joined by ``;``), ``population`` (float64, the published figure where one is
            known, NaN where missing) and ``match``: ``code``, ``exact``, ``starts``,
            ``contains`` or ``close`` (spelt nearly so; only where no name is the one given).

        Raises
        ------
        InputError
            No such level or province.
        MissingLevelError
            The census does not hold the level, or no names at all.
        """
        require_kind(name, str, "errors.text", "name")
        if level is not None:
            self.require_level(level)
        found = self._search.find(name, level, province)
        if found.empty and not self._search.has_names:
            raise MissingLevelError("census.no_names", vintage=self.vintage, name=name)
        return found

    @cached_property
    def _search(self) -> Search:
        return Search(self.data, self._unit_rows)

    def counts(self, level: str) -> pd.DataFrame:
        """Return the counts of a level.

        Returns
        -------
        pandas.DataFrame
            Index ``unit_id``; columns ``population, dwellings`` (private dwellings) and
            ``households`` (private dwellings occupied by usual residents); float64, NaN where
            missing.
        """
        level = self.require_level(level)
        held = [name for name in COUNTS if name in self.data.columns(level)]
        frame = self.data.attributes(level, ["unit_id", *held]).set_index("unit_id")
        return frame.reindex(columns=list(COUNTS))

    def atoms(self, level: str, rows: Rows) -> tuple[Rows, Rows]:
        """Pairs (position in ``rows``, row of the finest level): what each unit is made of."""
        level = self.require_level(level)
        if level == self.atom_level:
            return np.arange(len(rows), dtype=np.int64), rows
        return self.data.children(level, rows, self.atom_level)

    def zones(self, level: str) -> CensusZones:
        """Return a level as zones; polygons are read on demand."""
        return CensusZones(self, self.require_level(level))

    def __repr__(self) -> str:
        parts = ", ".join(f"{self.size(level):,} {level}" for level in self.levels)
        return f"<Census {self.vintage}: {parts}>"

    def _card(self) -> Card:
        sizes = [self.size(level) for level in self.levels]
        people = [self.counts(level)["population"].sum(min_count=1) for level in self.levels]
        table = pd.DataFrame({"level": self.levels, "units": sizes, "population": people})
        title = say("report.census", vintage=str(self.vintage), levels=" ".join(self.levels))
        return Card(title, table, heads("level", "units", "population"))
