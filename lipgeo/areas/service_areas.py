"""Hold drawn areas and unit-list areas with their names and dates: ``ServiceAreas``."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.areas.fields import (
    TEXTS,
    describe,
    id_faults,
    name_nearest,
    obvious_id,
    require_columns,
    text_ids,
)
from lipgeo.areas.outlines import (
    incomplete_units,
    list_and_outline,
    outlines_on_grid,
    outside_census,
    unite,
)
from lipgeo.areas.unit_lists import codes_of, entries, partition, polygons_of, resolve
from lipgeo.census.census import Census
from lipgeo.census.units import unit_atoms
from lipgeo.errors import AreaError
from lipgeo.report import Card, CheckReport, Faults, Finding, Shown, finding, heads, notes_of
from lipgeo.words import language, say
from lipgeo.zones.crs import STATCAN_LAMBERT, accept_crs
from lipgeo.zones.dissolve import dissolve

__all__ = ["ServiceAreas"]

_UNITS = ("area_id", "level", "unit_id", "unit_name")


class ServiceAreas(Shown):
    """Service areas: polygons to be fitted, lists of census units to be taken exactly, or both.

    Build them with :meth:`from_frame` (drawn), :meth:`from_units` (lists) or
    ``lipgeo.read_service_areas``. Areas may overlap, straddle provinces, have holes and parts.
    An area that has both a list and an outline is its list; the outline is kept in
    :attr:`as_drawn` for comparison.

    Attributes
    ----------
    vintage
        Census year of the unit codes, ``None`` when every area is drawn.
    report
        What was assumed, repaired or found on the way in (:class:`~lipgeo.report.CheckReport`).
    """

    def __init__(
        self,
        frame: gpd.GeoDataFrame,
        units: pd.DataFrame | None = None,
        *,
        as_drawn: gpd.GeoSeries | None = None,
        vintage: int | None = None,
        report: CheckReport | None = None,
    ) -> None:
        self._frame = frame
        self._units = _no_units() if units is None else units
        self._as_drawn = frame.geometry.iloc[:0] if as_drawn is None else as_drawn
        self.vintage = vintage
        self.report = report or CheckReport()

    @classmethod
    def from_frame(
        cls,
        frame: gpd.GeoDataFrame,
        id: str | None = None,
        *,
        name_en: str | None = None,
        name_fr: str | None = None,
        valid_from: str | None = None,
        valid_to: str | None = None,
        as_one: str | None = None,
        group_by: str | None = None,
    ) -> ServiceAreas:
        """Take drawn areas.

        Parameters
        ----------
        frame
            GeoDataFrame of polygons in any CRS on NAD83, NAD83(CSRS) or WGS84.
        id
            Column of the areas' ids: unique text or whole numbers. Without it an obvious id
            column is taken, and named in the report.
        name_en, name_fr, valid_from, valid_to
            Columns of the names and of the days (ISO dates) between which the area holds. Usual
            column names are recognised, and named in the report.
        as_one
            Id of the one area that all rows together are.
        group_by
            Column whose values are the ids: rows that share one are parts of one area.

        Returns
        -------
        ServiceAreas
            Outlines in EPSG:3347, edges densified to a sagitta of 1 m before projection. An
            outline that crosses itself is repaired, and ``report`` says how its area changed.

        Raises
        ------
        AreaError
            A column does not exist, or no id column is obvious; or ids are missing or duplicate,
            geometry is missing, empty, without area, not a polygon or outside Canada, or dates
            are none: all in one error, one row of ``problems`` a fault.
        CRSError, DatumError
            The CRS is missing or stands on NAD27.

        Examples
        --------
        >>> import geopandas, shapely
        >>> from lipgeo.areas import ServiceAreas
        >>> west, east = shapely.box(75e5, 12e5, 76e5, 13e5), shapely.box(76e5, 12e5, 77e5, 13e5)
        >>> wards = geopandas.GeoDataFrame({"ward": [1, 2]}, geometry=[west, east], crs="EPSG:3347")
        >>> ServiceAreas.from_frame(wards, id="ward").ids.tolist()
        ['1', '2']
        >>> ServiceAreas.from_frame(wards, as_one="city").ids.tolist()
        ['city']
        """
        if not isinstance(frame, gpd.GeoDataFrame):
            raise AreaError("areas.not_a_geoframe", given=type(frame).__name__)
        if frame.active_geometry_name is None:
            raise AreaError("areas.no_geometry_column", columns=", ".join(map(str, frame.columns)))
        if frame.empty:
            raise AreaError("areas.no_rows")
        if as_one is not None and group_by is not None:
            raise AreaError("areas.one_or_groups")
        accepted = accept_crs(frame.crs)
        findings: list[Finding] = [*notes_of(frame), *accepted.report]
        data = pd.DataFrame(frame.drop(columns=frame.geometry.name)).reset_index(drop=True)
        asked = {
            "name_en": name_en,
            "name_fr": name_fr,
            "valid_from": valid_from,
            "valid_to": valid_to,
        }
        require_columns(data, [id, group_by, *asked.values()])

        faults = Faults()
        lines = pd.DataFrame({"line": np.arange(1, len(data) + 1)})
        if as_one is not None:
            ids = pd.Series(as_one.strip() or pd.NA, index=data.index, dtype="string")
            id_faults(ids, lines["line"], "as_one", faults, unique=False)
        else:
            column = group_by or id
            if column is None:
                column = obvious_id(data)
                findings.append(finding("areas.id_taken", "note", column, column=column))
            ids, notes = text_ids(data[column], column)
            findings += notes
            id_faults(ids, lines["line"], column, faults, unique=group_by is None)
        lines["area_id"] = ids
        outlines, notes = outlines_on_grid(frame.geometry.array, accepted.crs, lines, faults)
        findings += notes
        texts, notes = describe(ids, data, asked, lines["line"], faults)
        findings += notes
        faults.raise_if_any("areas.bad_layer", count=len(data))
        if as_one is not None or group_by is not None:
            outlines, notes = unite(ids, outlines)
            findings += notes
        return cls(_frame(texts, "drawn", outlines), report=CheckReport(findings))

    @classmethod
    def from_units(
        cls,
        units: Mapping[str, Sequence[str]] | pd.DataFrame,
        census: Census,
        *,
        exclude: Mapping[str, Sequence[str]] | None = None,
        names: Mapping[str, str | tuple[str, str]] | None = None,
    ) -> ServiceAreas:
        """Take areas that are lists of census units, exactly, at their own levels.

        Parameters
        ----------
        units
            Area id to its units; or a DataFrame, one row a unit, with ``area_id`` and either
            ``unit``, or ``level`` with ``unit_id`` or ``unit_name`` (and ``province``); further
            ``mode`` (``include`` or ``exclude``) and ``name_en, name_fr, valid_from, valid_to``.
            A unit is written ``"CSD:4806016"``, as a DGUID, or by its name with its level and,
            where several share it, the province or type: ``"CSD: Windsor, ON"``. Levels are codes
            or names, English or French.
        census
            The census whose codes these are.
        exclude
            Area id to units to leave out, written alike. An included unit that holds an excluded
            one is opened into the largest units that avoid it.
        names
            Area id to its English name, or to its English and French names.

        Returns
        -------
        ServiceAreas
            ``units`` is a partition of each area. A unit listed twice or inside another listed
            one is counted once; where two overlap in part, the larger stays whole and the other
            is opened. ``report`` says so for each.

        Raises
        ------
        AreaError
            Levels, codes or names that are not in this census (the message says when a code is
            of another level, province or vintage), missing ids, or nothing left after exclusion.
        AmbiguousNameError
            Names that several units bear; ``problems`` lists the candidates.

        Examples
        --------
        >>> from lipgeo import ServiceAreas, synthetic
        >>> census = synthetic.census(blocks=1_000)
        >>> unit = census.units("CSD").index[0]
        >>> areas = ServiceAreas.from_units({"east": [f"CSD:{unit}"]}, census)
        >>> areas.units["level"].tolist()
        ['CSD']
        """
        if not isinstance(census, Census):
            raise AreaError("areas.list_needs_census", given=type(census).__name__)
        faults = Faults()
        findings = [*notes_of(units)] if isinstance(units, pd.DataFrame) else []
        given = entries(units, exclude, names)
        ids, notes = text_ids(given["area_id"], "area_id")
        given["area_id"] = ids
        findings += notes
        id_faults(ids, given["line"], "area_id", faults, unique=False)
        texts, notes = describe(ids, given[[*TEXTS]], dict.fromkeys(TEXTS), given["line"], faults)
        findings += notes
        listed, notes = resolve(given, census, faults)
        findings += notes
        faults.raise_if_any("areas.bad_list", count=len(given))
        members, notes = partition(listed, census)
        findings += notes
        bare = texts.index.difference(members["area_id"].unique(), sort=False)
        if len(bare):
            raise AreaError("areas.nothing_left", [{"area_id": area} for area in bare], areas=bare)
        nothing = np.full(len(texts), None, dtype=object)
        return cls(
            _frame(texts, "units", nothing),
            members[list(_UNITS)],
            vintage=census.vintage,
            report=CheckReport(findings),
        )

    @classmethod
    def concat(cls, parts: Iterable[ServiceAreas]) -> ServiceAreas:
        """Put several sets together; an id drawn in one and listed in another is both.

        Raises
        ------
        AreaError
            An id is drawn twice or listed twice, or the lists are codes of different vintages.
        """
        parts = list(parts)
        if not parts:
            raise AreaError("areas.no_rows")
        vintages = sorted({part.vintage for part in parts if part.vintage is not None})
        if len(vintages) > 1:
            raise AreaError("areas.mixed_vintages", vintages=[str(year) for year in vintages])
        frame = pd.concat([part._frame for part in parts])
        twice = frame.index[frame.set_index("definition", append=True).index.duplicated()].unique()
        if len(twice):
            raise AreaError("areas.same_area", [{"area_id": area} for area in twice], areas=twice)
        listed = frame[frame["definition"].eq("units")]
        drawn = frame[frame["definition"].eq("drawn")]
        both = drawn.index.intersection(listed.index, sort=False)
        texts = listed[list(TEXTS)].fillna(drawn.loc[both, list(TEXTS)])
        order = frame.index.unique()
        frame = pd.concat([drawn.drop(both), listed.assign(**texts)]).loc[order]
        findings = [found for part in parts for found in part.report]
        findings += [finding("areas.both", "note", area, area=area) for area in both]
        return cls(
            gpd.GeoDataFrame(frame, geometry="geometry", crs=STATCAN_LAMBERT),
            pd.concat([part._units for part in parts], ignore_index=True),
            as_drawn=pd.concat([*(part._as_drawn for part in parts), drawn.geometry.loc[both]]),
            vintage=vintages[0] if vintages else None,
            report=CheckReport(findings),
        )

    def __len__(self) -> int:
        return len(self._frame)

    @property
    def frame(self) -> gpd.GeoDataFrame:
        """The areas, as a copy.

        Returns
        -------
        geopandas.GeoDataFrame
            EPSG:3347, one row an area, index ``area_id`` (text, unique, in the order given);
            columns ``name_en, name_fr`` (text, missing where not given), ``definition``
            (``"drawn"`` or ``"units"``), ``valid_from, valid_to`` (ISO dates as text, missing
            where open), ``geometry`` (``None`` for a unit list until :meth:`draw`).
        """
        return self._frame.copy()

    @property
    def units(self) -> pd.DataFrame:
        """What the unit-list areas are made of, as a copy.

        Returns
        -------
        pandas.DataFrame
            Columns ``area_id, level, unit_id, unit_name`` (``string``): a partition of each area
            into units at their own levels, exclusions applied.
        """
        return self._units.copy()

    @property
    def as_drawn(self) -> gpd.GeoSeries:
        """Outlines that came with a unit list: index ``area_id``, EPSG:3347, a copy."""
        return self._as_drawn.copy()

    @property
    def ids(self) -> pd.Index:
        """Area ids, in order."""
        return self._frame.index

    @property
    def drawn(self) -> pd.Index:
        """Ids of the areas that are outlines only."""
        return self.ids[self._frame["definition"].eq("drawn")]

    @property
    def listed(self) -> pd.Index:
        """Ids of the areas that are lists of census units."""
        return self.ids[self._frame["definition"].eq("units")]

    @property
    def labels(self) -> pd.Series:
        """What to call each area in the language in force: that name, the other, else the id."""
        first, second = ("name_fr", "name_en") if language() == "fr" else ("name_en", "name_fr")
        ids = pd.Series(self.ids, index=self.ids, dtype="string")
        return self._frame[first].fillna(self._frame[second]).fillna(ids).rename("label")

    def __repr__(self) -> str:
        return say(
            "areas.repr",
            count=len(self),
            drawn=len(self.drawn),
            listed=len(self.listed),
            ids=self.ids,
        )

    def _card(self) -> Card:
        table = pd.DataFrame(self._frame.drop(columns="geometry")).reset_index()
        table["name"] = self.labels.to_numpy()
        table["definition"] = [say(f"report.definition_{kind}") for kind in table["definition"]]
        columns = heads("area_id", "name", "definition", "valid_from", "valid_to")
        return Card(repr(self).strip("<>"), table, columns)

    def select(self, ids: Iterable[str]) -> ServiceAreas:
        """Return some areas, in the order asked for.

        Raises
        ------
        AreaError
            Some ids are not here; the message names the nearest.
        """
        wanted = pd.Index(list(ids), name="area_id", dtype=self.ids.dtype)
        self._require_ids(wanted)
        others = set(self.ids.difference(wanted))
        return ServiceAreas(
            self._frame.loc[wanted],
            self._units[self._units["area_id"].isin(wanted)].reset_index(drop=True),
            as_drawn=self._as_drawn[self._as_drawn.index.isin(wanted)],
            vintage=self.vintage,
            report=CheckReport(found for found in self.report if found.subject not in others),
        )

    def _require_ids(self, wanted: pd.Index) -> None:
        missing = wanted.difference(self.ids, sort=False)
        if len(missing):
            raise AreaError(
                "areas.no_such_area",
                [{"area_id": area} for area in missing],
                areas=missing,
                near=name_nearest(missing, self.ids),
            )

    def with_names(
        self, names: Mapping[str, str | tuple[str | None, str | None] | None]
    ) -> ServiceAreas:
        """Return the areas with other names for some of them.

        Parameters
        ----------
        names
            Area id to its English name, or to its English and French names; a name that is
            ``None`` stays as it was.

        Raises
        ------
        AreaError
            Some ids are not here; the message names the nearest.

        Examples
        --------
        >>> from lipgeo import ServiceAreas, synthetic
        >>> census = synthetic.census(blocks=1_000)
        >>> unit = census.units("CSD").index[0]
        >>> areas = ServiceAreas.from_units({"east": [f"CSD:{unit}"]}, census)
        >>> areas.with_names({"east": ("East", "Est")}).frame["name_fr"].tolist()
        ['Est']
        """
        self._require_ids(pd.Index(list(names), dtype=self.ids.dtype))
        frame = self._frame.copy()
        settled = set()
        for area, given in names.items():
            both = given if isinstance(given, tuple) else (given, None)
            for column, name in zip(("name_en", "name_fr"), both, strict=True):
                if name is not None:
                    frame.loc[area, column] = name.strip() or pd.NA
                    settled.add((area, column))
        report = CheckReport(
            found
            for found in self.report
            if found.key != "areas.names_differ"
            or (found.subject, found.values["column"]) not in settled
        )
        return ServiceAreas(
            frame, self._units, as_drawn=self._as_drawn, vintage=self.vintage, report=report
        )

    def on(self, day: str) -> ServiceAreas:
        """Return the areas that hold on a day (ISO date), first and last day included.

        Raises
        ------
        AreaError
            The day is none.
        """
        try:
            date = datetime.date.fromisoformat(day).isoformat()
        except ValueError as error:
            raise AreaError("areas.bad_day", given=day) from error
        begun = self._frame["valid_from"].fillna("").le(date)
        lasting = self._frame["valid_to"].fillna("9999-12-31").ge(date)
        return self.select(self.ids[(begun & lasting).to_numpy(dtype=bool)])

    def atoms(self, census: Census) -> pd.DataFrame:
        """Return what the unit-list areas are made of, at the finest level held.

        Returns
        -------
        pandas.DataFrame
            ``area_id`` and ``row`` (position in ``census.atom_level``), each pair once, ordered
            by area and row. Drawn areas have no rows: their shares are a crosswalk's matter.

        Raises
        ------
        AreaError
            The census is of another vintage than the codes.
        """
        self._require_vintage(census)
        owner, census_row = unit_atoms(census, self._units)
        area = self.ids.get_indexer(self._units["area_id"])[owner]
        pairs = pd.DataFrame({"area": area, "row": census_row}).drop_duplicates()
        pairs = pairs.sort_values(["area", "row"], ignore_index=True)
        return pd.DataFrame({"area_id": self.ids[pairs["area"]], "row": pairs["row"]})

    def draw(self, census: Census) -> ServiceAreas:
        """Return the same areas with the unit lists drawn from the census's polygons.

        A unit without a polygon at its own level is drawn from its atoms; what has none there
        either is missing from the outline, and ``report`` says so.

        Raises
        ------
        AreaError
            The census is of another vintage than the codes.
        """
        self._require_vintage(census)
        polygons, owner = polygons_of(self._units, census)
        area = self.ids.get_indexer(self._units["area_id"])
        made = dissolve(polygons, area[owner], np.arange(len(polygons)), len(self))
        has = np.zeros(len(self._units), dtype=bool)
        has[owner[~shapely.is_missing(polygons)]] = True
        findings = [
            finding("areas.not_drawn", "warning", name, area=name, units=codes_of(bare))
            for name, bare in self._units[~has].groupby("area_id", sort=False)
        ]
        outlines = self._frame.geometry.to_numpy().copy()
        listed = self._frame["definition"].eq("units").to_numpy()
        outlines[listed] = made.geometry[listed]
        outlines[shapely.is_empty(outlines)] = None
        frame = self._frame.set_geometry(
            gpd.GeoSeries(outlines, index=self.ids, crs=STATCAN_LAMBERT)
        )
        return ServiceAreas(
            frame,
            self._units,
            as_drawn=self._as_drawn,
            vintage=self.vintage,
            report=self.report + CheckReport(findings),
        )

    def against(self, census: Census) -> CheckReport:
        """Hold the areas against a census: what lies outside of what it holds.

        Returns
        -------
        CheckReport
            ``outside_census`` (error: a drawn area that meets no polygon of the census),
            ``partly_outside`` (warning, ``value`` the share of the outline's surface, sea and
            lakes included, that no unit covers; beyond 0.005), ``other_vintage_held`` (error),
            ``nothing_held, fewer_people, fewer_units`` (warnings: a listed unit of which the census
            holds less than Statistics Canada publishes), ``list_and_outline`` (note, where
            an area came as both: the share of the outline outside the listed units, and of them
            outside it).
        """
        findings = outside_census(self._frame.geometry.loc[self.drawn], census)
        if not len(self.listed):
            return CheckReport(findings)
        if self.vintage != census.vintage:
            mixed = finding(
                "areas.other_vintage_held",
                "error",
                "",
                came=str(self.vintage),
                vintage=str(census.vintage),
                areas=self.listed,
            )
            return CheckReport([*findings, mixed])
        findings += incomplete_units(self._units, census)
        if len(self._as_drawn):
            unions = self.select(self._as_drawn.index).draw(census).frame.geometry
            findings += list_and_outline(unions, self._as_drawn)
        return CheckReport(findings)

    def _require_vintage(self, census: Census) -> None:
        if self.vintage is not None and self.vintage != census.vintage:
            raise AreaError(
                "areas.other_vintage_held",
                came=str(self.vintage),
                vintage=str(census.vintage),
                areas=self.listed,
            )


def _no_units() -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype="string") for column in _UNITS})


def _frame(
    texts: pd.DataFrame, definition: str, outlines: npt.NDArray[np.object_]
) -> gpd.GeoDataFrame:
    frame = texts.assign(definition=definition)
    frame.index = pd.Index(frame.index.astype("str"), name="area_id")
    columns = ["name_en", "name_fr", "definition", "valid_from", "valid_to"]
    geometry = gpd.GeoSeries(outlines, index=frame.index, crs=STATCAN_LAMBERT)
    return gpd.GeoDataFrame(frame[columns], geometry=geometry, crs=STATCAN_LAMBERT)
