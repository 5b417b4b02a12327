"""Hold service areas fitted to census units, measured, covered and checked: ``Boundaries``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.arrays import Floats
from lipgeo.census.around import ground, no_ground, no_surroundings, surroundings
from lipgeo.census.census import Census
from lipgeo.crosswalk.crosswalk import Crosswalk
from lipgeo.report import Card, CheckReport, Shown, flag_words, heads
from lipgeo.words import say

__all__ = ["Boundaries"]


def outer_box(areas: gpd.GeoDataFrame, given: ServiceAreas) -> Floats | None:
    """Return west, south, east, north of areas chosen and as drawn; ``None`` without outlines."""
    outlines = [areas.total_bounds, given.frame.total_bounds]
    held = np.array([box for box in outlines if np.isfinite(box).all()])
    if not len(held):
        return None
    return np.array([*held[:, :2].min(axis=0), *held[:, 2:].max(axis=0)])


class Boundaries(Shown):
    """Semi-custom boundaries: what each area is made of, how well it fits, what it is called.

    Made by :func:`fit_boundaries`, or by ``lipgeo.read_build`` from a build directory.

    Attributes
    ----------
    areas
        GeoDataFrame in EPSG:3347, one row an area in the order given, RangeIndex:

        ``area_id, name_en, name_fr, valid_from, valid_to``
            text, missing where not given;
        ``vintage, definition, classification``
            census year; ``drawn`` (fitted) or ``units`` (taken as listed); ``standard`` (one
            standard unit exactly), ``semi-custom`` (a union of standard units) or ``custom``
            (blocks are needed), missing where the area has no unit;
        ``unit_count``
            units of the union;
        ``population, population_union``
            people of the union by its units' own counts, missing where no unit has any;
        ``population_omitted, population_added, population_drawn``
            people inside the area as drawn but not in the union, in the union but outside the
            area, and inside the area, estimated from the finest units held;
        ``dwellings_*, land_km2_*``
            the same for private dwellings, and for square kilometres of land (Statistics
            Canada's own; measured in ESRI:102001 where missing, and flagged);
        ``misfit_share``
            (omitted + added) / drawn, by population; 0 for unit lists;
        ``quality_index, best_fit_pct, coverage, straddling_share``
            as :attr:`lipgeo.Crosswalk.quality`, of the units in the area as drawn;
        ``part_count, hole_count``
            of the union's polygon;
        ``floor_persons, below_floor``
            40, or 100 when the cover holds blocks; whether the union has fewer people;
        ``flags``
            text, ``;``-joined in this order, empty where there is nothing to say:

            ======================  ==============================================================
            ``draft``               the registry does not settle the area; it is a draft
            ``no_units``            the rule admitted no unit; the union is empty
            ``poor_fit``            misfit above 20 % of the people of the area as drawn
            ``not_proven``          ``optimal``: a better choice is not ruled out
            ``below_min_share``     ``optimal``: units below ``min_share`` were needed for the floor
            ``parts_unavoidable``   ``contiguous``: more parts than drawn, which none could join
            ``below_floor``         fewer people than the confidentiality floor
            ``population_unknown``  no unit of the union has a population
            ``counts_missing``      people or dwellings of some blocks are not known
            ``share_by_area``       units cut by the outline are shared by area: no block counts
            ``misfit_by_land``      nobody lives in the area as drawn: misfit is by land
            ``overlap``             the union has units in common with another area's
            ``partly_outside``      over 5 % of the area as drawn is in no unit held
            ``unit_incomplete``     the census holds less of a listed unit than is published
            ``parent_incomplete``   a larger unit could stand in the cover if it were proven whole
            ``unit_repaired``       a unit's polygon was invalid and was repaired
            ``edges_disagree``      edges of neighbours differ; joined by the general union
            ``no_polygon``          a unit has no polygon: in the union by id only
            ``land_measured``       some land area is not published and was measured
            ======================  ==============================================================
        ``geometry``
            the union, valid; an empty polygon where there is no unit.
    units
        One row a unit of a union, ordered by area, level (coarse first) and id: ``area_id,
        level, unit_id, unit_name, unit_type, dguid`` (text), ``share`` (by the basis of the
        fit), ``status`` (``inside``, or ``straddling``: more than ``sliver_share`` of its
        polygon is outside), ``population, dwellings`` (its own counts, missing where unknown).
    cover
        The fewest standard units that are each union exactly: ``area_id, level, unit_id,
        unit_name, unit_type, dguid, population``. For a unit list, the list.
    crosswalk
        Shares of the units in the areas as they came (unit lists: 0 or 1, by ids). With
        ``unit="mixed"`` the shares of the finest units.
    membership
        Shares of units in the unions, 0 or 1: at the level fitted, or the finest where some
        union is not made of whole units of it.
    service_areas
        The areas as they came.
    census
        The census, ``None`` when read from a build directory.
    meta
        ``vintage, unit, rule, by, threshold, exclusive`` and what else the result hangs on.
    report
        Everything met on the way and every check (:class:`~lipgeo.report.CheckReport`).
    """

    def __init__(
        self,
        *,
        areas: gpd.GeoDataFrame,
        units: pd.DataFrame,
        cover: pd.DataFrame,
        crosswalk: Crosswalk,
        membership: Crosswalk,
        service_areas: ServiceAreas,
        meta: Mapping[str, Any],
        report: CheckReport,
        shapes: gpd.GeoDataFrame | Callable[[], gpd.GeoDataFrame],
        census: Census | None = None,
        context: gpd.GeoDataFrame | Callable[[], gpd.GeoDataFrame] | None = None,
        land: pd.DataFrame | None = None,
    ) -> None:
        self.areas = areas
        self.units = units
        self.cover = cover
        self.crosswalk = crosswalk
        self.membership = membership
        self.service_areas = service_areas
        self.meta = dict(meta)
        self.report = report
        self.census = census
        self._shapes = shapes
        self._context = context
        self._land = land

    @property
    def rule(self) -> str:
        """The rule the units were chosen by."""
        return str(self.meta["rule"])

    @property
    def proven(self) -> bool | None:
        """Whether no choice of units is better; ``None`` but for the rule ``optimal``."""
        return (self.meta.get("optimal") or {}).get("proven")

    @property
    def gap(self) -> float | None:
        """How much better a choice might be, as a share; ``None`` but for ``optimal``."""
        return (self.meta.get("optimal") or {}).get("gap")

    @property
    def vintage(self) -> int:
        """Census year."""
        return int(self.meta["vintage"])

    @property
    def shapes(self) -> gpd.GeoDataFrame:
        """The units with their polygons, and those cut but left out; read when first asked for.

        Columns as :attr:`units`, ``status`` also ``left_out``, and ``geometry`` (EPSG:3347,
        ``None`` where a unit's level has no polygon).
        """
        if callable(self._shapes):
            self._shapes = self._shapes()
        return self._shapes

    @property
    def context(self) -> gpd.GeoDataFrame:
        """The census subdivisions around, for maps only; read when first asked for.

        Columns as :func:`lipgeo.census.around.surroundings`; empty where none is held.
        """
        if self._context is None:
            box = outer_box(self.areas, self.service_areas)
            if self.census is None or box is None:
                self._context = no_surroundings(self.areas.crs)
            else:
                self._context = surroundings(self.census, box)
        elif callable(self._context):
            self._context = self._context()
        return self._context

    @property
    def has_context(self) -> bool:
        """Whether :attr:`context` was made before: asking for it simplifies no outline."""
        return isinstance(self._context, gpd.GeoDataFrame)

    @property
    def land(self) -> pd.DataFrame:
        """The census around in pieces, to subtract areas by; read when first asked for.

        Columns as :func:`lipgeo.census.around.ground`; empty where no census is held.
        """
        if self._land is None:
            self._land = no_ground() if self.census is None else ground(self.census, self.units)
        return self._land

    def select(self, ids: Iterable[str]) -> Boundaries:
        """Return some of the areas, in the order asked for: their units, cover and findings.

        :attr:`crosswalk` and :attr:`membership` stay those of all areas.

        Raises
        ------
        AreaError
            Some ids are not here; the message names the nearest.
        """
        given = self.service_areas.select(ids)
        kept, gone = set(given.ids), set(self.areas["area_id"]) - set(given.ids)
        areas = self.areas.set_index("area_id").loc[given.ids].reset_index()
        units, cover, shapes = (
            frame[frame["area_id"].isin(kept)].reset_index(drop=True)
            for frame in (self.units, self.cover, self.shapes)
        )
        return Boundaries(
            areas=areas[list(self.areas.columns)],
            units=units,
            cover=cover,
            crosswalk=self.crosswalk,
            membership=self.membership,
            service_areas=given,
            meta=self.meta,
            report=CheckReport(found for found in self.report if found.subject not in gone),
            shapes=shapes,
            census=self.census,
            # of all areas, as a build on disk has it; made when it is first drawn
            context=self._context if self.has_context else partial(getattr, self, "context"),
            land=self.land,
        )

    def explore(self, **options: Any) -> Any:
        """Return the map as one HTML page: :func:`lipgeo.preview` of these boundaries."""
        # an arrow back, as geopandas has it; the contract lists it by name
        from lipgeo.maps.preview import preview

        return preview(self, **options)

    def plot(self, **options: Any) -> Any:
        """Return the map as a matplotlib figure: :func:`lipgeo.maps.picture.figure` of these."""
        from lipgeo.maps.picture import figure

        return figure(self, **options)

    def __len__(self) -> int:
        return len(self.areas)

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _card(self) -> Card:
        columns = heads("area_id", "name", "unit_count", "population", "misfit_share", "flags")
        table = pd.DataFrame(self.areas.drop(columns="geometry"))
        table["name"] = self.service_areas.labels.reindex(table["area_id"]).to_numpy()
        table["flags"] = table["flags"].map(flag_words)
        return Card(self._summary(), table, columns, shares=("misfit_share",))

    def _summary(self) -> str:
        fitted = self.areas[self.areas["definition"].eq("drawn")]
        wrong = fitted["population_omitted"].sum() + fitted["population_added"].sum()
        total = fitted["population_drawn"].sum()
        return say(
            "boundary.summary" if len(fitted) else "boundary.summary_lists",
            vintage=str(self.vintage),
            areas=len(self.areas),
            fitted=len(fitted),
            listed=len(self.areas) - len(fitted),
            units=len(self.units),
            unit=self.meta["unit"],
            rule=self.rule,
            by=say(f"boundary.by_{self.meta['by']}"),
            misfit=float(wrong / total) if total > 0 else 0.0,
            below=int(self.areas["below_floor"].sum()),
            people=float(self.areas["population_union"].sum()),
        )
