"""Put labels, polygons and people together as a made :class:`~lipgeo.census.census.Census`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyproj
import shapely

from lipgeo import geography
from lipgeo.arrays import Floats, Ints, Shapes, Texts
from lipgeo.census.census import Census
from lipgeo.census.data import MemoryCensus
from lipgeo.errors import InputError
from lipgeo.synthetic.codes import Codes, codes_before, make_codes
from lipgeo.synthetic.earlier import earlier
from lipgeo.synthetic.forming import RESERVE
from lipgeo.synthetic.land import Land, Region
from lipgeo.synthetic.names import name_units, names_before
from lipgeo.synthetic.plane import Plane, make_plane
from lipgeo.synthetic.units import Units, cell_counts, make_units
from lipgeo.zones.crs import STATCAN_LAMBERT

__all__ = ["Country", "MadeData", "census", "country_of"]

_FEWEST = 500
#: people who live on boats in the first block that is all in water
AFLOAT = 12


@dataclass(frozen=True, eq=False)
class Country:
    """What a made census was made from, kept so that its truth can be asked for.

    Attributes
    ----------
    land, plane, units
        Ground and hierarchy.
    vintage
        Census year.
    cell_counts
        People and dwellings of each land cell.
    silent
        Whether a block is on a reserve that was not enumerated; (blocks,).
    ids
        Level to the ids of its units, in the order of the labels.
    """

    land: Land
    plane: Plane
    units: Units
    vintage: int
    cell_counts: dict[str, Ints]
    silent: npt.NDArray[np.bool_]
    ids: dict[str, pd.Series]


class MadeData(MemoryCensus):
    """A made census in memory, with the country it was made from."""

    country: Country


def country_of(census: Census) -> Country:
    """Return the country of a made census.

    Raises
    ------
    InputError
        The census was not made by :func:`census` in this session.
    """
    if not isinstance(census.data, MadeData):
        raise InputError("synthetic.not_made")
    return census.data.country


_USUAL = geography.usual_vintage()


def census(
    blocks: int = 10_000,
    *,
    vintage: int = _USUAL,
    seed: int = 1,
    settled: bool = False,
    region: bool = False,
) -> Census:
    """Make a census of a country that does not exist.

    Parameters
    ----------
    blocks
        Dissemination blocks, at least 500; half a million is a country of Canada's size.
    vintage
        Census year, one of :func:`lipgeo.geography.vintages`. Censuses of one seed and size are of
        one country: most of their units are the same.
    seed
        The same seed gives the same census.
    settled
        Let towns end at a line, as real ones do: settled and empty ground stand side by side inside
        blocks and areas. Otherwise people thin out evenly.
    region
        Make one city region instead of a country: a city on the border of two provinces and towns
        around it, 110 km across.

    Returns
    -------
    Census
        In memory, EPSG:3347, all standard levels of the year. ``meta["made"]`` is true and
        ``meta["published"]`` holds the totals of PR, CD and CSD; ``meta["planted"]`` names the
        units that are awkward on purpose: ``invalid`` (bow-ties), ``no_polygon``,
        ``incomplete_reserve``.

    Raises
    ------
    InputError
        Fewer than 500 blocks, or no such census.

    Examples
    --------
    >>> from lipgeo import synthetic
    >>> made = synthetic.census(1_000)
    >>> made.vintage, made.levels[0], len(made.units("DB"))
    (2021, 'DB', 1000)
    """
    if blocks < _FEWEST:
        raise InputError("synthetic.too_few_blocks", blocks=blocks, fewest=_FEWEST)
    vintage = geography.require_vintage(vintage)
    land = Region(blocks, seed) if region else Land(blocks, seed)
    plane = make_plane(land)
    units = make_units(land, plane, blocks)
    codes = make_codes(units, _places(units, plane))
    named = name_units(units, codes, land)
    for year in sorted(geography.vintages(), reverse=True)[1:]:
        if vintage <= year:
            units = earlier(units, land, plane, year)
            codes = codes_before(codes, units, _places(units, plane), year)
            named = names_before(named, units, codes, land, year)
    counts = cell_counts(land, plane, units, vintage, settled=settled)
    silent = _silent(units, np.random.default_rng([land.seed, 9]))
    ids = _ids(units, codes, vintage)
    return Census(_assemble(Country(land, plane, units, vintage, counts, silent, ids), named))


def _places(units: Units, plane: Plane) -> Floats:
    """Return the representative point of each block."""
    return plane.centres[np.where(units.water >= 0, units.water, units.cells[units.seat])]


def _assemble(country: Country, named: dict[str, dict[str, Texts]]) -> MadeData:
    plane, units, vintage, ids = country.plane, country.units, country.vintage, country.ids
    counts, silent = country.cell_counts, country.silent
    shapes, frames = {}, {}
    for level in (level for level in geography.levels(vintage) if level in ids):
        label = np.full(len(plane.dry), -1, dtype=np.int64)
        label[units.cells] = units.of_cells(level)
        shapes[level] = plane.outlines(label, len(ids[level]))
        if level == "DB":
            blocks = _block_members(plane, units, counts, silent, shapes[level])
        members = blocks if level != "FSA" else _cell_members(plane, units, counts, silent)
        own = units.fsa if level == "FSA" else units.of_blocks(level)
        frame = _totals(own, len(ids[level]), members)
        main = frame.pop("main").to_numpy()
        frame.insert(0, "unit_id", ids[level])
        for parent in geography.nests_in(level, vintage):
            if parent in ids:
                row = units.of_blocks(parent)[main]
                values = pa.array(ids[parent].array, pa.string())
                frame[parent] = _text(values.take(pa.array(row, mask=row < 0)))
        frames[level] = frame
    plain = {level: series.to_numpy(dtype=object) for level, series in ids.items()}
    for level, unnamed in frames.items():
        frame = frames[level] = unnamed.assign(**named.get(level, {}))
        types = frame["unit_type"] if level == "CMA" else None
        frame["dguid"] = geography.dguids(level, frame["unit_id"], vintage, types)
    frames["DB"]["incomplete_reserve"] = silent
    rng = np.random.default_rng([country.land.seed, 5])
    crossed = _plant_bow_ties(shapes["DB"], rng)
    meta = {
        "published": _published_totals(frames, units, plain),
        "planted": {
            "invalid": plain["DB"][crossed].tolist(),
            "no_polygon": {
                level: plain[level][shapely.is_missing(shapes[level])].tolist()
                for level in ("DB", "DA")
            },
            "incomplete_reserve": plain["CSD"][frames["CSD"]["population"].isna()].tolist(),
        },
    }
    data = MadeData(vintage, frames, shapes, meta)
    data.country = country
    return data


@dataclass(frozen=True, eq=False)
class _Members:
    """What units are summed from: counts, silence and place of each block or cell."""

    counts: dict[str, Floats]
    silent: npt.NDArray[np.bool_]
    xy: Floats


def _block_members(
    plane: Plane,
    units: Units,
    counts: dict[str, Ints],
    silent: npt.NDArray[np.bool_],
    shapes: Shapes,
) -> _Members:
    xy = _places(units, plane)
    sums: dict[str, Floats] = {
        name: np.bincount(units.block, values, minlength=len(xy)).astype(np.float64)
        for name, values in counts.items()
    }
    sums["population"][np.flatnonzero(units.water >= 0)[0]] = AFLOAT
    sums["land_km2"] = np.nan_to_num(shapely.area(shapes)) / 1e6 / _areal_scale(xy)
    return _Members(sums, silent, xy)


def _cell_members(
    plane: Plane, units: Units, counts: dict[str, Ints], silent: npt.NDArray[np.bool_]
) -> _Members:
    xy = plane.centres[units.cells]
    sums = {name: values.astype(np.float64) for name, values in counts.items()}
    return _Members(sums, silent[units.block], xy)


def _totals(own: Ints, count: int, members: _Members) -> pd.DataFrame:
    """Sum members by unit; ``main`` is the member with most people, which stands for the unit.

    A unit of silent members only has no counts; a few silent ones are left out of a sum, as
    Statistics Canada leaves them out.
    """
    held = np.flatnonzero(own >= 0)
    unit, silent = own[held], members.silent[held]
    heard = np.bincount(unit, ~silent, minlength=count) > 0
    frame = pd.DataFrame(index=pd.RangeIndex(count))
    for name, values in members.counts.items():
        if name == "land_km2":
            frame[name] = np.bincount(unit, values[held], minlength=count)
        else:
            total = np.bincount(unit, np.where(silent, 0, values[held]), minlength=count)
            frame[name] = np.where(heard, total, np.nan)
    order = np.argsort(members.counts["population"][held], kind="stable")
    main = np.zeros(count, dtype=np.int64)
    main[unit[order]] = held[order]
    frame["x"], frame["y"] = members.xy[main].T
    return frame.assign(main=main)


def _text(values: Any) -> pd.Series:
    return pd.Series(pd.array(pa.array(values, pa.string(), from_pandas=True), dtype="string"))


def _ids(units: Units, codes: Codes, vintage: int) -> dict[str, pd.Series]:
    """Return the ids of every level: those of DA and DB are built of their parents'."""
    da = codes["CD"][units.cd[units.csd]].astype(np.int64) * 10_000 + units.da_number
    digits = geography.id_length("DB", vintage) - geography.id_length("DA", vintage)
    db = da[units.da] * 10**digits + units.db_number
    ids = {level: _text(values) for level, values in codes.items()}
    ids["DA"] = _text(pa.array(da).cast(pa.string()))
    ids["DB"] = _text(pa.array(db).cast(pa.string()))
    return ids


def _silent(units: Units, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Choose the reserves that were not enumerated: some, at least one."""
    reserves = np.flatnonzero(units.kind == RESERVE)
    chosen = rng.choice(reserves, max(1, len(reserves) // 25), replace=False)
    return np.isin(units.csd[units.da], chosen)


def _areal_scale(xy: Floats) -> Floats:
    """Return how much larger areas are in EPSG:3347 than on the ground (it varies by latitude)."""
    to_grid = pyproj.Transformer.from_crs(4269, STATCAN_LAMBERT, always_xy=True)
    projection = pyproj.Proj(STATCAN_LAMBERT)
    latitude = np.linspace(40, 85, 200)
    longitude = np.full(200, -91.866666667)
    factor = projection.get_factors(longitude, latitude).areal_scale
    pole = np.array(to_grid.transform(0, 90))
    radius = np.hypot(*(np.column_stack(to_grid.transform(longitude, latitude)) - pole).T)
    away = np.hypot(*(xy - pole).T)
    return np.asarray(np.interp(away, radius[::-1], np.asarray(factor)[::-1]))


def _plant_bow_ties(shapes: Shapes, rng: np.random.Generator) -> Ints:
    """Cross two neighbouring vertices of a few outlines, as some published outlines cross."""
    surface = np.nan_to_num(shapely.area(shapes))
    fit = (shapely.get_num_coordinates(shapes) > 12) & (surface < np.median(surface))
    rows = rng.permutation(np.flatnonzero(fit))
    wanted = max(2, len(shapes) // 900)
    planted: list[int] = []
    for row in rows.tolist():
        outline = shapely.get_exterior_ring(shapes[row])
        if outline is None:
            continue
        ring = shapely.get_coordinates(outline)
        ring[[3, 4]] = ring[[4, 3]]
        crossed = shapely.polygons(ring, list(shapes[row].interiors) or None)
        if not shapely.is_valid(crossed):
            shapes[row] = crossed
            planted.append(row)
        if len(planted) == wanted:
            break
    return np.array(planted, dtype=np.int64)


def _published_totals(
    frames: dict[str, pd.DataFrame], units: Units, ids: dict[str, Texts]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the totals known from outside: population, dwellings, and how many units."""
    published: dict[str, dict[str, dict[str, Any]]] = {}
    first = np.unique(units.da, return_index=True)[1]
    for level in ("PR", "CD", "CSD"):
        of_block, count = units.of_blocks(level), len(ids[level])
        frame = frames[level][["population", "dwellings"]].assign(
            da_count=np.bincount(of_block[first], minlength=count),
            db_count=np.bincount(of_block, minlength=count),
        )
        published[level] = dict(zip(ids[level], frame.to_dict("records"), strict=True))
    return published
