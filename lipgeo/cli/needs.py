"""Say what AREAS of a command line need of the census: levels, and where in the country they lie.

AREAS are looked at before there is a store, or with one that holds another place: units are not
looked up, and a file of outlines is read for its outlines alone.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lipgeo.cli.areas import listed_units
from lipgeo.cli.options import is_there
from lipgeo.cli.registry import registered_units
from lipgeo.errors import FileError, InputError, LipgeoError
from lipgeo.words import say

if TYPE_CHECKING:
    from lipgeo.census.census import Census
    from lipgeo.store.catalogue import NeededFile

__all__ = ["Wanted", "census_files", "look_at", "profile_files", "regions_of"]


@dataclass(frozen=True)
class Wanted:
    """What AREAS ask of a census.

    Attributes
    ----------
    units
        Units of a list as they stand there (:func:`lipgeo.areas.unit_lists.entries`), ``None``
        for drawn areas.
    outlines
        Outlines of drawn areas on the grid, ``None`` for a list or where they cannot be read.
    """

    units: Any = None
    outlines: Any = None

    def levels(self, vintage: int) -> tuple[str, ...] | None:
        """Return the levels a list names; ``None`` for drawn areas."""
        from lipgeo.areas.unit_lists import levels_named

        return None if self.units is None else levels_named(self.units, vintage)

    def coded(self, vintage: int) -> dict[str, list[str]]:
        """Return the codes that a list names, by level; names of units are passed over."""
        from lipgeo import geography

        found: dict[str, list[str]] = {}
        for level, unit in zip(self.units["level"], self.units["unit"], strict=True):
            try:
                one = geography.parse_dguid(unit) if not level else None
                code = one.level if one else geography.require_level(level, vintage).code
            except LipgeoError:
                continue
            found.setdefault(code, []).append(one.unit_id if one else unit)
        return found

    def elsewhere(self, census: Census) -> list[str]:
        """Return the levels that a census holds, but not where these areas lie."""
        from lipgeo.areas.outlines import levels_elsewhere

        if self.units is None:
            shapes = self.outlines
            return [] if shapes is None else levels_elsewhere(shapes, census, census.levels)
        return [
            level
            for level, units in self.coded(census.vintage).items()
            if level in census.levels and (census.find_rows(level, units) < 0).any()
        ]

    def provinces(self, census: Census | None, vintage: int) -> set[str]:
        """Return the ids of the provinces these areas lie in, as far as can be told."""
        from lipgeo import geography
        from lipgeo.areas.outlines import provinces_met

        if self.units is None:
            if census is None or self.outlines is None:
                return set()
            return provinces_met(self.outlines, census)
        found = set()
        for level, units in self.coded(vintage).items():
            if level == "PR" or geography.nests_in(level, vintage).get("PR") == "id":
                found |= {unit[:2] for unit in units}
            elif census is not None and level in census.levels:
                rows = census.find_rows(level, units)
                _, atoms = census.atoms(level, rows[rows >= 0])
                found |= {str(atom)[:2] for atom in census.ids(census.atom_level)[atoms]}
        return found


def look_at(areas: str, vintage: int) -> Wanted:
    """Look at AREAS: registry ids, units, a file.

    Raises
    ------
    FileError
        There is no such file.
    """
    from lipgeo.areas.unit_lists import entries
    from lipgeo.readers.areas import listed_entries

    listed = listed_units(areas)
    if listed is not None:
        return Wanted(entries({"-": [*listed[0], *listed[1]]}))
    known = registered_units(areas)
    if known is not None:
        return Wanted(entries({"-": known}))
    if not is_there(areas):
        raise FileError("readers.layers.missing", path=areas)
    found = listed_entries(areas, vintage)
    return Wanted(found) if found is not None else Wanted(outlines=_outlines(areas))


def _outlines(path: str) -> Any:
    """Read outlines on the grid; where they cannot be, say why and go on without."""
    import numpy as np

    from lipgeo.readers.layers import read_layer
    from lipgeo.zones.crs import accept_crs, to_grid
    from lipgeo.zones.validity import make_valid_polygons, polygon_parts

    try:
        frame = read_layer(path)
        shapes = polygon_parts(np.asarray(frame.geometry.array, dtype=object))
        there = np.array([shape is not None and not shape.is_empty for shape in shapes], dtype=bool)
        on_grid, *_ = make_valid_polygons(to_grid(shapes[there], accept_crs(frame.crs).crs))
    except LipgeoError as error:
        print(say("cli.place_unknown", path=path, reason=error), file=sys.stderr)
        return None
    return on_grid


def opened(store: Path, vintage: int | None) -> tuple[Census | None, int]:
    """Open the census asked for where the store holds it; return also its year, or the usual."""
    from lipgeo.geography.hierarchy import usual_vintage
    from lipgeo.store.layout import stored_vintages
    from lipgeo.store.read import open_census

    held = set(stored_vintages(store)) if is_there(store) else set()
    year = int(vintage or (max(held) if held else usual_vintage()))
    return (open_census(store, year) if year in held else None), year


def census_files(
    areas: str, unit: str, by: str, store: Path, vintage: int | None, lang: str
) -> list[NeededFile]:
    """Say which files of the census AREAS need that the store has not where they lie.

    Units to choose from and blocks for drawn areas, the units named for lists, and municipalities
    for the map.
    """
    from lipgeo.store.catalogue import holdings_of, need

    census, year = opened(store, vintage)
    wanted = look_at(areas, year)
    have = None if census is None else holdings_of(census, wanted.elsewhere(census))
    named = wanted.levels(year)
    levels = named if named is not None else ("DA", "DB") if unit.casefold() == "mixed" else (unit,)
    return need(levels, year, by, have, lang, drawn=named is None, context=True)


def regions_of(places: list[str], store: Path, vintage: int | None) -> list[str]:
    """Return the regions of the profile that places lie in.

    Parameters
    ----------
    places
        Regions, provinces, or AREAS.
    store, vintage
        The census in which AREAS are looked up.

    Raises
    ------
    InputError
        A place is none, or a province of some AREAS cannot be told.
    """
    from lipgeo.geography.hierarchy import fold, province
    from lipgeo.store.catalogue import profile_regions

    census, year = opened(store, vintage)
    regions = profile_regions(year)
    spoken = {
        fold(name): region for region in regions for name in (region, say(f"store.region_{region}"))
    }
    names = ", ".join(say(f"store.region_{region}") for region in regions)
    found: list[str] = []
    for place in places:
        if fold(place) in spoken:
            found.append(spoken[fold(place)])
            continue
        try:
            provinces = {province(place)}
        except InputError:
            try:
                wanted = look_at(place, year)
            except FileError as error:
                if is_there(place):
                    raise
                raise InputError("cli.no_such_place", place=place, regions=names) from error
            provinces = wanted.provinces(census, year)
        if not provinces:
            raise InputError("cli.which_region", place=place, regions=names)
        found += [region for region, of in regions.items() if provinces & set(of)]
    return [region for region in regions if region in found]


def profile_files(
    places: list[str], level: str, store: Path, vintage: int | None, lang: str
) -> list[NeededFile]:
    """Say which files of the Census Profile places need that the store has not imported."""
    from lipgeo.store.catalogue import need_profile
    from lipgeo.store.tables.layout import find_tables
    from lipgeo.store.tables.opening import describe_tables

    _, year = opened(store, vintage)
    have: list[str] = []
    if is_there(store) and find_tables(store):
        tables = describe_tables(store)
        have = [
            name
            for names in tables.loc[tables["vintage"] == year, "sources"]
            for name in names.split(", ")
        ]
    return need_profile(level, year, regions_of(places, store, vintage), have, lang)
