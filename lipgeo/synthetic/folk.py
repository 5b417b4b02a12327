"""How many people live in each cell, and in how many dwellings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lipgeo.synthetic.land import Land, chance, noise
from lipgeo.synthetic.plane import Plane
from lipgeo.synthetic.units import Units

__all__ = ["cell_counts"]

Ints = npt.NDArray[np.int64]


def cell_counts(land: Land, plane: Plane, units: Units, vintage: int) -> dict[str, Ints]:
    """Return the counts of each land cell.

    Returns
    -------
    dict
        ``population``, ``dwellings`` (private) and ``households`` (dwellings occupied by usual
        residents). A third of the cells has nobody, a few have a tower; a cell keeps its nature
        from census to census and grows or shrinks a little.
    """
    rng = np.random.default_rng([land.seed, 4])
    count = len(units.cells)
    xy = plane.centres[units.cells]
    remote = units.remote[units.da[units.block]]
    dense = 18 + 62 / (1 + (remote / 2.5) ** 2)
    dense *= np.exp(0.7 * noise(xy[:, 0], xy[:, 1], 4e3, land.seed * 97 + 71))
    lived = rng.random(count) > 0.22 + 0.2 * (remote < 1.2)
    people = rng.gamma(1.1, dense) * lived
    people *= np.where(rng.random(count) < 0.012, 6.0, 1.0)
    drift = 1 + 0.11 * noise(xy[:, 0], xy[:, 1], 60e3, land.seed * 97 + 72) + 0.06
    people *= drift ** ((vintage - 2021) / 5)
    population = np.floor(people + rng.random(count)).astype(np.int64)
    size = 1.9 + 0.9 * rng.random(count)
    households = np.ceil(population / size).astype(np.int64)
    empty = chance(units.cells, 3, land.seed * 97 + 73)
    dwellings = households + rng.binomial(households + 1, 0.05) + (empty < 0.01) * 7
    return {"population": population, "dwellings": dwellings, "households": households}
