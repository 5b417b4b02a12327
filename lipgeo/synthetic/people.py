"""Place the people of a made census as points, so that the truth of any area is a count."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.arrays import Floats, Ints
from lipgeo.census.census import Census
from lipgeo.errors import InputError
from lipgeo.synthetic.census import AFLOAT, Country, country_of
from lipgeo.synthetic.land import noise

__all__ = ["COUNTED", "People", "people"]

#: what is counted, in tables and truth alike
COUNTED = (
    "population",
    "dwellings",
    "households",
    "immigrant_status_total",
    "non_immigrants",
    "immigrants",
    "recent_immigrants",
    "non_permanent_residents",
    "official_languages_total",
    "english_only",
    "french_only",
    "english_and_french",
    "neither_language",
    "low_income_total",
    "low_income",
    "income_recipients",
)
_DOORS = 3  # points a cell
_REACH = 0.5  # how far a point may stand from a cell's centre towards its corners
#: most people whose incomes are kept one by one
_MOST_INCOMES = 4_000_000


@dataclass(frozen=True, eq=False)
class People:
    """The people of a made census.

    Attributes
    ----------
    xy
        Where they are: clustered in parts of each block, never evenly (EPSG:3347 m); (n, 2).
    counts
        How many are there, one column each of :data:`COUNTED` (int64), RangeIndex; (n,).
    block, cell
        Block (label of the country) of each point; land cell, -1 on water.
    silent
        Whether the point is on a reserve that was not enumerated: no table has it.
    seed
        Seed of the incomes.
    """

    xy: Floats
    counts: pd.DataFrame
    block: Ints
    cell: Ints
    silent: npt.NDArray[np.bool_]
    seed: int

    @cached_property
    def incomes(self) -> tuple[Ints, Floats]:
        """Income of each recipient (whole dollars) and the point it is at, along the points.

        Raises
        ------
        InputError
            The country has too many people for their incomes to be kept one by one.
        """
        recipients = self.counts["income_recipients"].to_numpy()
        if recipients.sum() > _MOST_INCOMES:
            raise InputError(
                "synthetic.too_many_incomes", people=int(recipients.sum()), most=_MOST_INCOMES
            )
        rng = np.random.default_rng([self.seed, 22])
        level = 42_000 * np.exp(
            0.35 * noise(self.xy[:, 0], self.xy[:, 1], 5e3, self.seed * 97 + 91)
        )
        point = np.repeat(np.arange(len(recipients)), recipients)
        return point, np.round(level[point] * rng.lognormal(0.0, 0.75, len(point)), -1)

    def within(self, area: object) -> npt.NDArray[np.bool_]:
        """Return which enumerated points are inside a polygon (EPSG:3347); (n,)."""
        inside = np.zeros(len(self.xy), dtype=bool)
        west, south, east, north = shapely.bounds(area)
        first, last = np.searchsorted(self._x, [west, east])
        near = self._order[first : last + 1]
        y = self.xy[near, 1]
        near = near[(y >= south) & (y <= north)]
        shapely.prepare(area)
        inside[near] = shapely.contains_xy(area, self.xy[near, 0], self.xy[near, 1])
        return inside & ~self.silent

    @cached_property
    def _order(self) -> Ints:
        return np.argsort(self.xy[:, 0], kind="stable")

    @cached_property
    def _x(self) -> Floats:
        return np.asarray(self.xy[self._order, 0])

    def truth(
        self, areas: ServiceAreas | gpd.GeoDataFrame, *, incomes: bool = False
    ) -> pd.DataFrame:
        """Count the people in areas, point by point.

        Parameters
        ----------
        areas
            Drawn areas: a GeoDataFrame with ``area_id`` as a column or index, or ServiceAreas.
        incomes
            Whether the median and the average income are wanted too.

        Returns
        -------
        pandas.DataFrame
            Index ``area_id``; the columns of :data:`COUNTED` (float64), ``low_income_prevalence``
            (percent), and if asked ``median_income`` and ``average_income`` (dollars; missing
            where nobody has one). Reserves that were not enumerated are left out, as they are of
            every table.
        """
        frame = areas.frame if isinstance(areas, ServiceAreas) else areas
        if "area_id" in frame.columns:
            frame = frame.set_index("area_id")
        shapes = frame.geometry.to_crs(3347)
        groups = [np.flatnonzero(self.within(shape)) for shape in shapes]
        return self._figures(groups, pd.Index(frame.index, name="area_id"), incomes)

    def of_groups(self, group: Ints, index: pd.Index, *, incomes: bool = False) -> pd.DataFrame:
        """Return the figures of groups of points: group of each point, -1 for none."""
        held = np.flatnonzero((group >= 0) & ~self.silent)
        held = held[np.argsort(group[held], kind="stable")]
        ends = np.searchsorted(group[held], np.arange(len(index) + 1))
        groups = [held[a:b] for a, b in pairwise(ends)]
        return self._figures(groups, index, incomes)

    def _figures(self, groups: list[Ints], index: pd.Index, incomes: bool) -> pd.DataFrame:
        values = self.counts.to_numpy()
        owner = np.repeat(np.arange(len(groups)), [len(rows) for rows in groups])
        rows = np.concatenate([*groups, np.zeros(0, dtype=np.int64)]).astype(np.int64)
        frame = pd.DataFrame(
            {
                name: np.bincount(owner, values[rows, column], minlength=len(groups))
                for column, name in enumerate(COUNTED)
            },
            index=index,
            dtype="float64",
        )
        base = frame["low_income_total"].where(frame["low_income_total"] > 0)
        frame["low_income_prevalence"] = 100 * frame["low_income"] / base
        if incomes:
            point, income = self.incomes
            starts = np.searchsorted(point, np.arange(len(values) + 1))
            per_group = [
                np.concatenate([income[starts[r] : starts[r + 1]] for r in rows] or [income[:0]])
                for rows in groups
            ]
            frame["median_income"] = [np.median(i) if len(i) else np.nan for i in per_group]
            frame["average_income"] = [i.mean() if len(i) else np.nan for i in per_group]
        return frame


def people(census: Census) -> People:
    """Return the people of a made census as points.

    The points add up to the counts of every unit, exactly. Immigrants live together by city and
    neighbourhood, so that areas differ.

    Parameters
    ----------
    census
        A census made by :func:`~lipgeo.synthetic.census`.

    Raises
    ------
    InputError
        The census is not a made one.

    Examples
    --------
    >>> from lipgeo import synthetic
    >>> census = synthetic.census(500)
    >>> counted = synthetic.people(census).truth(synthetic.service_areas(census, 2))
    >>> counted[["population", "immigrants"]].gt(0).to_numpy().tolist()
    [[True, True], [True, True]]
    """
    country = country_of(census)
    rng = np.random.default_rng([country.land.seed, 21, country.vintage])
    cell = np.repeat(np.arange(len(country.units.cells)), _DOORS)
    xy = _doors(country, cell, rng)
    counts = _split(country, cell, rng)
    block = country.units.block[cell]
    afloat = np.flatnonzero(country.units.water >= 0)[:1]
    xy = np.vstack([xy, country.plane.centres[country.units.water[afloat]]])
    cell = np.append(cell, -1)
    block = np.append(block, afloat)
    counts = {
        name: np.append(v, AFLOAT if name == "population" else 0) for name, v in counts.items()
    }
    lived = (counts["population"] > 0) | (counts["dwellings"] > 0)
    counts = {name: values[lived] for name, values in counts.items()}
    xy, cell, block = xy[lived], cell[lived], block[lived]
    counts |= _kinds(country, xy, block, counts["population"], rng)
    frame = pd.DataFrame({name: counts[name] for name in COUNTED})
    return People(xy, frame, block, cell, country.silent[block], country.land.seed)


def _doors(country: Country, cell: Ints, rng: np.random.Generator) -> Floats:
    """Return where the points of cells are: each towards one corner of its cell.

    What lies on the way from the centre to a corner, and not too far, is inside the cell however
    its edges are drawn.
    """
    plane = country.plane
    sides = np.flatnonzero(plane.dry[plane.left])
    sides = sides[np.argsort(plane.left[sides], kind="stable")]
    centre = country.units.cells[cell]
    starts = np.searchsorted(plane.left[sides], centre)
    ends = np.searchsorted(plane.left[sides], centre, side="right")
    chosen = sides[starts + (rng.random(len(cell)) * (ends - starts)).astype(np.int64)]
    corner = plane.points[plane.bends[-1] + chosen // 3]
    share = _REACH * rng.random(len(cell)) ** 0.5
    return np.asarray(plane.centres[centre] + share[:, None] * (corner - plane.centres[centre]))


def _split(country: Country, cell: Ints, rng: np.random.Generator) -> dict[str, Ints]:
    """Split the counts of cells over their points, most to the first."""
    total = country.cell_counts
    shares = np.array([0.62, 0.28, 0.10])
    empty = total["dwellings"] - total["households"]
    households, vacant, population = (
        rng.multinomial(number, shares).ravel().astype(np.int64)
        for number in (total["households"], empty, total["population"])
    )
    return {
        "households": households,
        "dwellings": households + vacant,
        "population": population,
    }


def _kinds(
    country: Country, xy: Floats, block: Ints, persons: Ints, rng: np.random.Generator
) -> dict[str, Ints]:
    """Draw who the people at each point are."""
    units, seed = country.units, country.land.seed * 97
    da = units.da[block]
    places = country.land.settlements
    rank = places["rank"].to_numpy()[units.settlement[da]]
    city = places["city"].to_numpy()[units.settlement[da]]
    near = np.exp(-np.minimum(units.remote[da], 50) / 4) * np.where(city, 1.0, 0.3)
    pull = -3.1 + near * (2.8 / (1 + rank / 6) + 0.4)
    pull = pull + 0.9 * noise(xy[:, 0], xy[:, 1], 2.5e3, seed + 81)
    pull = pull + 0.5 * rng.standard_normal(len(xy))
    immigrants = rng.binomial(persons, 1 / (1 + np.exp(-pull)))
    rest = persons - immigrants
    temporary = rng.binomial(rest, np.clip(0.008 + 0.06 * near, 0, 1))
    recent = rng.binomial(immigrants, np.clip(0.1 + 0.15 * rng.random(len(xy)), 0, 1))
    pr = units.pr[units.cd[units.csd[da]]]
    french = np.select([pr == 24, pr == 13], [0.48, 0.1], default=0.003)
    both = np.select([pr == 24, pr == 13], [0.44, 0.33], default=0.12)
    neither = 0.002 + 0.06 * immigrants / np.maximum(persons, 1)
    neither_language = rng.binomial(persons, neither)
    left = persons - neither_language
    french_only = rng.binomial(left, french)
    left = left - french_only
    english_and_french = rng.binomial(left, both / (1 - french))
    return {
        "immigrant_status_total": persons,
        "non_immigrants": rest - temporary,
        "immigrants": immigrants,
        "recent_immigrants": recent,
        "non_permanent_residents": temporary,
        "official_languages_total": persons,
        "english_only": left - english_and_french,
        "french_only": french_only,
        "english_and_french": english_and_french,
        "neither_language": neither_language,
        "low_income_total": persons,
        "low_income": rng.binomial(persons, np.clip(0.08 + 0.1 * rng.random(len(xy)), 0, 1)),
        "income_recipients": rng.binomial(persons, 0.8),
    }
