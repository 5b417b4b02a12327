"""Grouping neighbours into larger units: connected groups, grown around seeds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

__all__ = [
    "Links",
    "connect",
    "contract",
    "count_within",
    "dense",
    "grow",
    "main_parts",
    "parts_of",
    "peaks",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: pairs of neighbours: first and second members
Links = tuple[Ints, Ints]


def dense(labels: npt.NDArray[np.generic]) -> Ints:
    """Return labels as 0, 1, 2 ... without gaps."""
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.int64)


def contract(group: Ints, links: Links) -> Links:
    """Return the pairs of neighbouring groups, each once, from pairs of neighbouring members."""
    u, v = group[links[0]], group[links[1]]
    apart = u != v
    low, high = np.minimum(u, v)[apart], np.maximum(u, v)[apart]
    span = int(group.max()) + 1
    key = np.sort(low * span + high)
    key = key[np.append(True, key[1:] != key[:-1])[: len(key)]]
    return key // span, key % span


def parts_of(group: Ints, links: Links) -> Ints:
    """Return a number for each connected part of each group; (n,)."""
    a, b = links
    same = group[a] == group[b]
    graph = csr_matrix(
        (np.ones(same.sum(), dtype=np.int8), (a[same], b[same])), shape=(len(group), len(group))
    )
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def main_parts(group: Ints, part: Ints) -> npt.NDArray[np.bool_]:
    """Return, by part, whether it is the largest of its group."""
    size = np.bincount(part)
    owner = np.empty(len(size), dtype=np.int64)
    owner[part] = group
    order = np.lexsort((size, owner))
    last = np.append(owner[order][1:] != owner[order][:-1], True)
    main = np.zeros(len(size), dtype=bool)
    main[order[last]] = True
    return main


def connect(group: Ints, links: Links, within: Ints | None = None) -> Ints:
    """Give every stray part of a group to the neighbouring group it touches most.

    Parts without a neighbour (islands) stay: their group is of several parts.

    Parameters
    ----------
    group
        Group of each member.
    links
        Neighbouring members.
    within
        Members change groups only inside the same one of these.
    """
    a, b = links
    group = group.copy()
    for _ in range(12):
        part = parts_of(group, links)
        stray = ~main_parts(group, part)
        border = group[a] != group[b]
        if within is not None:
            border &= within[a] == within[b]
        one, two = (
            np.concatenate([a, b])[np.tile(border, 2)],
            np.concatenate([b, a])[np.tile(border, 2)],
        )
        moves = stray[part[one]] & ~stray[part[two]]
        if not moves.any():
            return group
        span = int(group.max()) + 1
        key, touches = np.unique(part[one[moves]] * span + group[two[moves]], return_counts=True)
        order = np.lexsort((key, touches))
        new = np.full(len(stray), -1, dtype=np.int64)
        new[key[order] // span] = key[order] % span  # the last written touches most
        group = np.where(new[part] >= 0, new[part], group)
    return group


def grow(
    xy: Floats,
    share: float | Floats,
    links: Links,
    rng: np.random.Generator,
    within: Ints | None = None,
) -> Ints:
    """Group members around seeds drawn among them; every group is connected but for islands.

    Parameters
    ----------
    xy
        Place of each member; (n, 2).
    share
        Share of the members that are seeds.
    links
        Neighbouring members.
    rng
        Source of chance.
    within
        Groups keep inside one of these; each has at least one.

    Returns
    -------
    numpy.ndarray
        Group of each member, 0, 1, 2 ... without gaps.
    """
    within = np.zeros(len(xy), dtype=np.int64) if within is None else within
    chance = rng.random(len(xy))
    seeds = chance < share
    order = np.lexsort((chance, within))
    seeds[order[np.append(True, within[order][1:] != within[order][:-1])]] = True
    # a third coordinate keeps groups apart
    place = np.column_stack([xy, within * 1e9])
    rows = np.flatnonzero(seeds)
    _, nearest = cKDTree(place[rows]).query(place, workers=-1)
    return dense(connect(np.asarray(nearest, dtype=np.int64), links, within))


def peaks(
    allowed: npt.NDArray[np.bool_], links: Links, wanted: int, rng: np.random.Generator
) -> Ints:
    """Return up to ``wanted`` allowed members, no two of them nearer than four steps."""
    height = rng.permutation(len(allowed)).astype(np.int64)
    height[~allowed] = -1
    reach = height.copy()
    a, b = links
    for _ in range(3):
        wider = reach.copy()
        np.maximum.at(wider, a, reach[b])
        np.maximum.at(wider, b, reach[a])
        reach = wider
    found = np.flatnonzero((reach == height) & allowed)
    return np.asarray(found[np.argsort(-height[found])][:wanted], dtype=np.int64)


def count_within(group: npt.NDArray[np.generic], order: npt.NDArray[np.generic]) -> Ints:
    """Return the place of each member in its group, 0, 1, 2 ..., along ``order``."""
    rows = np.lexsort((order, group))
    starts = np.flatnonzero(np.append(True, group[rows][1:] != group[rows][:-1]))
    place = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    result = np.empty(len(rows), dtype=np.int64)
    result[rows] = place
    return result
