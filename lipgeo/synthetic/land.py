"""Lay out the made land: its coasts, its provinces, its towns, and how fine blocks are where.

All lengths are EPSG:3347 metres. Nothing here knows of census units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from lipgeo.arrays import Floats, Ints

__all__ = ["Land", "Region", "chance", "noise"]

#: discs that make up the land: province, centre (EPSG:3347, km), radius (km)
_DISCS = np.array(
    [
        (10, 8668, 2111, 170),
        (10, 8184, 2392, 260),
        (10, 7852, 2628, 160),
        (11, 8356, 1627, 60),
        (12, 8325, 1394, 95),
        (12, 8451, 1542, 70),
        (12, 8545, 1704, 60),
        (13, 8111, 1547, 130),
        (24, 7742, 1432, 150),
        (24, 7530, 1332, 130),
        (24, 7896, 1677, 110),
        (24, 7510, 1675, 280),
        (24, 7244, 2116, 330),
        (24, 7283, 2637, 300),
        (24, 7878, 2100, 240),
        (35, 7135, 906, 130),
        (35, 7387, 1097, 120),
        (35, 7132, 1227, 150),
        (35, 6781, 1409, 220),
        (35, 6402, 1600, 300),
        (35, 6619, 1914, 250),
        (46, 5768, 1616, 240),
        (46, 5869, 1994, 270),
        (46, 5912, 2373, 220),
        (47, 5248, 1709, 240),
        (47, 5296, 2081, 270),
        (47, 5392, 2507, 230),
        (48, 4747, 1872, 220),
        (48, 4771, 2237, 280),
        (48, 4888, 2636, 240),
        (59, 4362, 1953, 200),
        (59, 4062, 2100, 170),
        (59, 4250, 2424, 280),
        (59, 4298, 2885, 270),
        (60, 4172, 3565, 280),
        (60, 4342, 3987, 260),
        (61, 4909, 3119, 320),
        (61, 5233, 3282, 330),
        (61, 4768, 3676, 320),
        (61, 5120, 3976, 220),
        (62, 5910, 3080, 380),
        (62, 6195, 3499, 300),
        (62, 6934, 3380, 300),
        (62, 6432, 3946, 320),
        (62, 5926, 3951, 250),
        (62, 6430, 4615, 330),
    ],
    dtype=np.float64,
)  # fmt: skip
_DISCS[:, 1:] *= 1e3

#: share of the cities each province gets
_CITIES = {
    "10": 2, "11": 1, "12": 4, "13": 5, "24": 30, "35": 45, "46": 6, "47": 8, "48": 17, "59": 24,
    "60": 1, "61": 1, "62": 1,
}  # fmt: skip

CORE_M = 130.0  # spacing of cells in the heart of a city
_GROWTH = 1.75  # spacing grows with distance from the heart to this power


def noise(x: Floats, y: Floats, wavelength: float, seed: int) -> Floats:
    """Return smooth noise in [-1, 1]: random values on a square grid, blended between."""
    gx, gy = x / wavelength, y / wavelength
    ix, iy = np.floor(gx).astype(np.int64), np.floor(gy).astype(np.int64)
    tx, ty = gx - ix, gy - iy
    tx, ty = tx * tx * (3 - 2 * tx), ty * ty * (3 - 2 * ty)

    def corner(dx: int, dy: int) -> Floats:
        return 2 * chance(ix + dx, iy + dy, seed) - 1

    south = corner(0, 0) * (1 - tx) + corner(1, 0) * tx
    north = corner(0, 1) * (1 - tx) + corner(1, 1) * tx
    return np.asarray(south * (1 - ty) + north * ty)


def chance(a: Ints, b: Ints | int, seed: int) -> Floats:
    """Return a number in [0, 1) that depends on nothing but ``a``, ``b`` and ``seed``."""
    h = np.asarray(a, dtype=np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    h = h + np.asarray(b, dtype=np.int64).astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    h = h + np.uint64(seed * 0x165667B19E3779F9 & 0xFFFFFFFFFFFFFFFF)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        h = (h ^ (h >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((h ^ (h >> np.uint64(31))) >> np.uint64(11), dtype=np.float64) / 2.0**53


@dataclass(frozen=True)
class Land:
    """Coasts, provinces and settlements of one made country.

    Attributes
    ----------
    blocks
        How many blocks it is to hold; a larger country has more and larger cities, not more land.
    seed
        The same seed gives the same country.
    """

    blocks: int
    seed: int
    #: west, south and side of the square it lies in (m): Canada with a margin
    square: ClassVar[tuple[float, float, float]] = (3.2e6, 0.2e6, 6.4e6)
    #: fewest census divisions
    divisions: ClassVar[int] = 26
    #: how far from shore islands lie (m)
    islands: ClassVar[float] = 60e3

    def inside(self, x: Floats, y: Floats) -> Floats:
        """Return roughly how far inside the land a point lies (metres, negative in water)."""
        best = np.full(len(x), -np.inf)
        for _, cx, cy, radius in _DISCS:
            np.maximum(best, radius - np.hypot(x - cx, y - cy), out=best)
        for octave, wavelength in enumerate((400e3, 150e3, 55e3, 20e3, 7e3)):
            best += 0.22 * wavelength * noise(x, y, wavelength, self.seed * 97 + octave)
        lakes = 0.45 * 120e3 * (0.8 - noise(x, y, 120e3, self.seed * 97 + 11))
        return np.asarray(np.minimum(best, lakes))

    def province(self, x: Floats, y: Floats) -> npt.NDArray[np.object_]:
        """Return the province a point belongs to by the layout (its code)."""
        wx = x + 60e3 * noise(x, y, 220e3, self.seed * 97 + 21)
        wy = y + 60e3 * noise(x, y, 220e3, self.seed * 97 + 22)
        best, owner = np.full(len(x), -np.inf), np.zeros(len(x), dtype=np.int64)
        for code, cx, cy, radius in _DISCS:
            depth = radius - np.hypot(wx - cx, wy - cy)
            owner = np.where(depth > best, int(code), owner)
            np.maximum(best, depth, out=best)
        return owner.astype(str).astype(object)

    @cached_property
    def settlements(self) -> pd.DataFrame:
        """Cities, then towns, largest first: ``x, y, radius`` (m), ``city``, ``province``.

        The fourth city stands on the border of two provinces.
        """
        rng = np.random.default_rng([self.seed, 1])
        cities = int(np.clip(round(0.21 * self.blocks**0.5), 8, 150))
        towns = (3 if self.blocks < 50_000 else 5) * cities
        x, y = self._sites(rng, 40 * (cities + towns))
        province = self.province(x, y)
        south = np.exp(-(y - 1.0e6) / 500e3)
        order = np.argsort(-np.log(rng.random(len(x))) / south, kind="stable")
        x, y, province = x[order], y[order], province[order]
        quota = pd.Series(_CITIES, dtype=np.float64)
        quota = np.maximum(1, (quota / quota.sum() * (cities - 13)).round()).astype(int)
        border = self._border(rng)
        chosen: list[tuple[float, float]] = []
        is_city: list[bool] = []
        gap = 2.2e6 / cities**0.5 * 0.25
        left = quota.to_dict()
        for want_city, room in ((True, gap), (False, gap / 4)):
            for i in range(len(x)):
                if sum(is_city) >= cities if want_city else len(chosen) >= cities + towns:
                    break
                if want_city and left[province[i]] <= 0:
                    continue
                spot = border if len(chosen) == 3 else (float(x[i]), float(y[i]))
                near = np.hypot(*(np.array(chosen).reshape(-1, 2) - spot).T)
                if spot is not border and len(near) and near.min() < room:
                    continue
                chosen.append(spot)
                is_city.append(want_city)
                left[province[i]] -= want_city
        frame = pd.DataFrame(chosen, columns=["x", "y"])
        frame["city"] = is_city
        rank = np.arange(len(frame), dtype=np.float64)
        n_city = int(frame["city"].sum())
        weight = np.where(frame["city"], 1 / (rank + 2), 0)
        weight = 0.12 * weight / weight.sum()
        small = np.where(frame["city"], 0, 0.5 + rng.random(len(frame)))
        weight = weight + 0.025 * small / max(small.sum(), 1)
        frame["radius"] = CORE_M * np.sqrt(weight * 1.4 * self.blocks / np.pi)
        frame["province"] = self.province(frame["x"].to_numpy(), frame["y"].to_numpy())
        frame["rank"] = np.where(frame["city"], rank, rank - n_city).astype(np.int64)
        return frame

    #: how far from water settlements stand (m)
    _dry: ClassVar[float] = 12e3

    def _sites(self, rng: np.random.Generator, wanted: int) -> tuple[Floats, Floats]:
        west, south, side = self.square
        x, y = (rng.random((2, 6 * wanted)) * side + np.array([[west], [south]])).astype(np.float64)
        dry = self.inside(x, y) > self._dry
        return x[dry], y[dry]

    def _border(self, rng: np.random.Generator) -> tuple[float, float]:
        """Find a dry place on the border of provinces 35 and 24."""
        for _ in range(200):
            ends = np.array([[7387e3, 1130e3], [7560e3, 1350e3]]) + rng.uniform(-80e3, 80e3, (2, 2))
            x, y = np.linspace(ends[0], ends[1], 200).T
            code = self.province(x, y)
            turns = np.flatnonzero((code[1:] != code[:-1]) & (self.inside(x, y)[1:] > 15e3))
            if len(turns):
                ends = np.array([[x[turns[0]], y[turns[0]]], [x[turns[0] + 1], y[turns[0] + 1]]])
                for _ in range(20):  # halve until the border is known to the metre
                    middle = ends.mean(axis=0)
                    same = self.province(*middle[:, None])[0] == code[turns[0]]
                    ends[0 if same else 1] = middle
                return float(ends[0, 0]), float(ends[0, 1])
        return 7400e3, 1215e3

    @cached_property
    def _trees(self) -> list[tuple[cKDTree, Ints]]:
        places = self.settlements
        rows = [np.flatnonzero(places["city"]), np.flatnonzero(~places["city"])]
        return [(cKDTree(places[["x", "y"]].to_numpy()[r]), r) for r in rows if len(r)]

    def nearest(self, x: Floats, y: Floats, slack: Floats | float = 0.0) -> tuple[Ints, Floats]:
        """Return the settlement that marks a point most, and the distance in its radii.

        ``slack`` (m) is taken off every distance first: the nearest a square can come.
        """
        radius = self.settlements["radius"].to_numpy()
        owner = np.zeros(len(x), dtype=np.int64)
        best = np.full(len(x), np.inf)
        slack = np.broadcast_to(slack, x.shape)
        for (tree, rows), k in zip(self._trees, (4, 2), strict=False):
            distance, found = tree.query(
                np.column_stack([x, y]), k=list(range(1, min(k, len(rows)) + 1)), workers=-1
            )
            who = rows[found]
            ratio = np.maximum(distance - slack[:, None], 0) / radius[who]
            first = ratio.argmin(axis=1)
            at = np.arange(len(x))
            better = ratio[at, first] < best
            owner = np.where(better, who[at, first], owner)
            best = np.where(better, ratio[at, first], best)
        return owner, best

    def spacing(self, x: Floats, y: Floats, slack: Floats | float = 0.0) -> Floats:
        """Return how far apart cells stand at a point (m)."""
        thin = max(1.0, (500_000 / self.blocks) ** 0.5)
        country = 4.5e3 * thin * np.exp(np.clip((y - 1.4e6) / 650e3, -0.5, 4))
        country = np.minimum(country, 60e3 * thin**0.5)
        _, ratio = self.nearest(x, y, slack)
        town = CORE_M * np.maximum(1.0, ratio) ** _GROWTH
        sea = -self.inside(x, y) - 30e3 - slack
        return np.asarray(np.maximum(np.minimum(country, town), 0.6 * sea))

    def points(self) -> Floats:
        """Return the cells' centres, about 1.4 on land for each block; (n, 2)."""
        scale = float(
            np.interp(np.log10(self.blocks), [3.0, 4.0, 5.0, 5.7], [1.6, 1.3, 1.22, 1.16])
        )
        for _ in range(4):
            points = self._points(scale)
            found = np.count_nonzero(self.inside(points[:, 0], points[:, 1]) > 0) / self.blocks
            if 1.18 < found < 1.7:
                break
            scale *= (found / 1.42) ** 0.6
        return points

    def _points(self, scale: float) -> Floats:
        """One point in each square of a tree that is split where cells stand closer."""
        west, south, side = self.square
        keys = np.zeros((1, 2), dtype=np.int64)
        leaves: list[Floats] = []
        step = side
        for level in range(20):
            centre = np.asarray((keys + 0.5) * step + (west, south), dtype=np.float64)
            wanted = scale * self.spacing(centre[:, 0], centre[:, 1], 0.5 * step)
            dither = 2.0 ** (chance(keys[:, 0] * 1_000_003 + level, keys[:, 1], self.seed) - 0.5)
            split = step > wanted * dither
            done = keys[~split]
            shift = np.column_stack(
                [chance(done[:, 0] * 64 + level, done[:, 1], self.seed * 97 + k) for k in (31, 32)]
            )
            leaves.append((done + 0.15 + 0.7 * shift) * step + (west, south))
            keys = (2 * keys[split][:, None, :] + _QUARTERS).reshape(-1, 2)
            step /= 2
            if not len(keys):
                break
        return np.concatenate(leaves)


@dataclass(frozen=True)
class Region(Land):
    """Land of one city region: a city on a river that parts two provinces, and towns around it."""

    square: ClassVar[tuple[float, float, float]] = (7.37e6, 1.11e6, 0.26e6)
    divisions: ClassVar[int] = 5
    islands: ClassVar[float] = 3e3
    _dry: ClassVar[float] = 3e3

    @property
    def _heart(self) -> tuple[float, float]:
        west, south, side = self.square
        return west + side / 2, south + side / 2

    def inside(self, x: Floats, y: Floats) -> Floats:
        """Return roughly how far inside the land a point lies (metres, negative in water)."""
        heart_x, heart_y = self._heart
        shore = 55e3 + 7e3 * noise(x, y, 30e3, self.seed * 97 + 1)
        away = (
            shore + 2e3 * noise(x, y, 9e3, self.seed * 97 + 2) - np.hypot(x - heart_x, y - heart_y)
        )
        lakes = 8e3 * (0.75 - noise(x, y, 11e3, self.seed * 97 + 11))
        # no lake in the middle of the city
        near = np.hypot(x - heart_x, y - heart_y) < 14e3
        return np.asarray(np.minimum(away, np.where(near, away, lakes)))

    def province(self, x: Floats, y: Floats) -> npt.NDArray[np.object_]:
        """Return the province a point belongs to: 24 north of the river, 35 south of it."""
        river = self._heart[1] + 9e3 + 4e3 * noise(x, y, 20e3, self.seed * 97 + 21)
        return np.where(y > river, "24", "35").astype(object)

    @cached_property
    def settlements(self) -> pd.DataFrame:
        """The city, then towns: ``x, y, radius`` (m), ``city``, ``province, rank``."""
        rng = np.random.default_rng([self.seed, 1])
        x, y = self._sites(rng, 400)
        chosen = [self._heart]
        for spot in zip(x.tolist(), y.tolist(), strict=True):
            if len(chosen) < 15 and np.hypot(*(np.array(chosen) - spot).T).min() > 11e3:
                chosen.append(spot)
        frame = pd.DataFrame(chosen, columns=["x", "y"])
        frame["city"] = frame.index == 0
        weight = np.where(frame["city"], 0.55, 0.01 + 0.03 * rng.random(len(frame)))
        frame["radius"] = CORE_M * np.sqrt(weight * 1.4 * self.blocks / np.pi)
        frame["province"] = self.province(frame["x"].to_numpy(), frame["y"].to_numpy())
        frame["rank"] = np.maximum(frame.index - 1, 0)
        return frame

    def spacing(self, x: Floats, y: Floats, slack: Floats | float = 0.0) -> Floats:
        """Return how far apart cells stand at a point (m)."""
        _, ratio = self.nearest(x, y, slack)
        country = 2.2e3 * max(1.0, (4_000 / self.blocks) ** 0.5)
        town = CORE_M * np.maximum(1.0, ratio) ** _GROWTH
        sea = -self.inside(x, y) - 3e3 - slack
        return np.asarray(np.maximum(np.minimum(country, town), 0.6 * sea))


_QUARTERS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=np.int64)
