"""Form units out of smaller ones: blocks of cells, areas of blocks, and so on upward.

Neighbours are grouped into larger units: connected groups, grown around seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from lipgeo.arrays import Flags, Floats, Ints
from lipgeo.synthetic.land import Land, chance, noise

__all__ = [
    "BLOCKS_PER_DA",
    "CITY",
    "DA_PER",
    "RESERVE",
    "RURAL",
    "TOWN",
    "TWO_PROVINCES",
    "Links",
    "Sites",
    "connect",
    "contract",
    "count_within",
    "dense",
    "form_areas",
    "form_blocks",
    "form_centres",
    "form_divisions",
    "form_metropolitan",
    "form_subdivisions",
    "grow",
    "main_parts",
    "means",
    "parts_of",
    "peaks",
    "renumber",
    "value_of",
]

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


#: dissemination areas to one unit, as in Canada in 2021
DA_PER = {"CSD": 11.2, "CD": 198.0, "ADA": 10.7, "CT": 9.3, "FED": 171.0, "FSA": 36.0}
BLOCKS_PER_DA = 8.6
#: ids of the metropolitan areas in two provinces: the province that numbers it, and the other
TWO_PROVINCES = {"505": (35, 24), "840": (48, 47), "330": (24, 13), "502": (35, 24)}
#: kinds of census subdivision
CITY, TOWN, RURAL, RESERVE = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Sites:
    """Where the members to be grouped are.

    Attributes
    ----------
    xy
        Place (m); (n, 2).
    links
        Neighbours.
    wet
        Whether a member touches water.
    settlement, remote
        The settlement nearest, and the distance from it in its radii.
    province
        Province by the layout (its code).
    """

    xy: Floats
    links: Links
    wet: Flags
    settlement: Ints
    remote: Floats
    province: Ints


def means(xy: Floats, group: Ints) -> Floats:
    """Return the mean place of each group."""
    size = np.bincount(group)
    return np.column_stack([np.bincount(group, xy[:, k]) / size for k in (0, 1)])


def value_of(group: Ints, value: Ints) -> Ints:
    """Return the value of each group: that of one of its members (-1 is no group)."""
    held = group >= 0
    result = np.zeros(int(group.max(initial=-1)) + 1, dtype=np.int64)
    result[group[held]] = value[held]
    return result


def renumber(labels: Ints) -> Ints:
    """Close the gaps in labels, leaving -1 as it is."""
    return np.asarray(dense(np.append(labels, -1))[:-1] - 1, dtype=np.int64)


def _around(inner: Ints, links: Links, count: int) -> tuple[Ints, Ints]:
    """Return the members around each inner member: (place in ``inner``, member)."""
    number = np.full(count, -1, dtype=np.int64)
    number[inner] = np.arange(len(inner))
    one, two = np.concatenate(links), np.concatenate(links[::-1])
    near = number[one] >= 0
    return number[one[near]], two[near]


def form_blocks(
    coast: Flags, links: Links, wanted: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Merge cells into ``wanted`` blocks: most of one cell, some of several, a few with a hole.

    Returns
    -------
    tuple
        Block of each cell, and the cell each block stands around.
    """
    count = len(coast)
    seat = np.arange(count)
    courts = peaks(~coast, links, max(2, wanted // 400), rng)
    court, ring = _around(courts, links, count)
    first = np.zeros(len(courts), dtype=np.int64)
    first[court] = ring
    seat[ring] = first[court]
    locked = np.zeros(count, dtype=bool)
    locked[ring] = locked[courts] = True
    spare = len(np.unique(seat)) - wanted
    # the rest join a neighbour that joins nobody, so blocks are connected
    order = rng.permutation(np.flatnonzero(~locked))
    joins = np.zeros(count, dtype=bool)
    joins[order[: int(spare * 1.2)]] = True
    one, two = np.concatenate(links), np.concatenate(links[::-1])
    fits = joins[one] & ~joins[two] & ~locked[two]
    one, two = one[fits], two[fits]
    pick = np.lexsort((rng.random(len(one)), one))
    one, two = one[pick], two[pick]
    new = np.append(True, one[1:] != one[:-1])[: len(one)]
    one, two = one[new], two[new]
    chosen = rng.permutation(len(one))[:spare]
    seat[one[chosen]] = two[chosen]
    seats, block = np.unique(seat, return_inverse=True)
    return np.asarray(block, dtype=np.int64), seats


def form_areas(xy: Floats, links: Links, wet: Flags, rng: np.random.Generator) -> Ints:
    """Group blocks into dissemination areas, a few of them wholly enclosed in another."""
    da = grow(xy, 1 / BLOCKS_PER_DA, links, rng)
    inner = peaks(~wet, links, max(2, int(0.003 * da.max())), rng)
    place, ring = _around(inner, links, len(xy))
    top = int(da.max()) + 1
    da[ring] = top + place
    da[inner] = top + len(inner) + np.arange(len(inner))
    return dense(connect(da, links))


def form_subdivisions(
    land: Land, sites: Sites, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """Group areas into census subdivisions: cities, towns, the country between, reserves.

    Returns
    -------
    tuple
        Subdivision of each area; kind and province (by the layout) of each subdivision.
    """
    settlement, links = sites.settlement, sites.links
    is_city = land.settlements["city"].to_numpy()[settlement]
    ragged = 1 + 0.3 * noise(sites.xy[:, 0], sites.xy[:, 1], 30e3, land.seed * 97 + 51)
    heart = np.where(is_city, 1.5, 1.1)
    own = chance(settlement, 1, land.seed * 97 + 52) < 0.5  # half of the towns are municipalities
    core = (sites.remote < heart * ragged) & (is_city | own)
    key = np.where(core, (settlement + 1) * 100 + sites.province, sites.province)
    wanted = len(key) / DA_PER["CSD"] - len(np.unique(key[core]))
    share = np.where(core, 0.0, max(4.0, float(wanted)) / max(1, int(np.sum(~core))))
    csd = dense(connect(grow(sites.xy, share, links, rng, key), links))
    kind = value_of(csd, np.where(core, np.where(is_city, CITY, TOWN), RURAL))
    province = value_of(csd, sites.province)
    # reserves: some enclosed in another subdivision, some small rural ones
    border = np.zeros(len(csd), dtype=bool)
    border[np.concatenate(links)[np.tile(csd[links[0]] != csd[links[1]], 2)]] = True
    inner = peaks(~border & ~sites.wet, links, max(2, int(0.05 * len(kind))), rng)
    host = csd[inner]
    csd[inner] = len(kind) + np.arange(len(inner))
    kind = np.append(kind, np.full(len(inner), RESERVE))
    province = np.append(province, province[host])
    small = (np.bincount(csd, minlength=len(kind)) <= 3) & (kind == RURAL)
    kind[small & (rng.random(len(kind)) < 0.4)] = RESERVE
    kept, csd = np.unique(csd, return_inverse=True)
    return np.asarray(csd, dtype=np.int64), kind[kept], province[kept]


def form_divisions(
    xy: Floats, share: float, province: Ints, links: Links, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Group subdivisions into census divisions, and give each division its province."""
    size = np.bincount(province)
    cd = grow(xy, np.minimum(share, 70 / size[province]), links, rng, province)
    pr = value_of(cd, province)
    kept, cd = np.unique(connect(cd, links), return_inverse=True)
    cd = np.asarray(cd, dtype=np.int64)
    return cd, connect(pr[kept], contract(cd, links))


def form_metropolitan(
    land: Land, sites: Sites, csd: Ints, csd_pr: Ints, kind: Ints
) -> tuple[Ints, npt.NDArray[np.object_], Ints]:
    """Gather subdivisions around cities, one of them in two provinces; the largest have tracts.

    Returns
    -------
    tuple
        Metropolitan area or agglomeration of each subdivision (-1 for none); class (B, K, D) and
        province of each.
    """
    places = land.settlements
    city = places["city"].to_numpy()[sites.settlement] & (sites.remote < 3.2)
    size = np.bincount(csd)
    tally = np.zeros((len(size), int(places["city"].sum())))
    np.add.at(tally, (csd[city], sites.settlement[city]), 1)
    cma = np.where(tally.max(axis=1) > 0.5 * size, tally.argmax(axis=1), -1)
    cma = np.where((csd_pr == 62) | (kind == RESERVE) & (tally.max(axis=1) < size), -1, cma)
    found = np.unique(cma[cma >= 0])
    home = np.array([np.bincount(csd_pr[cma == k]).argmax() for k in found], dtype=np.int64)
    number = np.full(len(places) + 1, -1, dtype=np.int64)
    number[found] = np.arange(len(found))
    cma = number[cma]
    abroad = (cma >= 0) & (csd_pr != np.append(home, -1)[cma])
    cma = _across(np.where(abroad, -1, cma), cma, home, csd_pr, contract(csd, sites.links))
    share = found / found.max(initial=1)
    kinds = np.where(share < 0.3, "B", np.where(share < 0.5, "K", "D")).astype(object)
    # as in Canada: no tracts in Prince Edward Island, and one tracted area in Newfoundland
    small = (home == 11) | (home == 10) & (count_within(home, np.arange(len(home))) > 0)
    kinds[small] = "D"
    return cma, kinds, home


def _across(cma: Ints, loose: Ints, home: Ints, pr: Ints, links: Links) -> Ints:
    """Let one metropolitan area lie in two provinces that share one in Canada.

    ``loose`` are the areas as they fell; ``cma`` the same cut off at provincial borders.
    """
    if not len(home):  # a country too small for a metropolitan area
        return cma
    u, v = np.concatenate(links), np.concatenate(links[::-1])
    for one, other in TWO_PROVINCES.values():
        there = np.flatnonzero((loose >= 0) & (pr == other) & (home[loose] == one))
        if len(there):
            best = np.bincount(loose[there]).argmax()
            return np.where((loose == best) & (pr == other), best, cma)
    for one, other in TWO_PROVINCES.values():
        near = np.flatnonzero((pr[u] == one) & (pr[v] == other) & (cma[v] < 0))
        near = near[np.argsort(cma[u[near]] < 0, kind="stable")]
        own = np.flatnonzero(home == one)
        if len(near) and len(own):
            inside, outside = u[near[0]], v[near[0]]
            cma = cma.copy()
            if cma[inside] < 0:
                cma[inside] = own[0]
            cma[outside] = cma[inside]
            return cma
    return cma


def form_centres(land: Land, xy: Floats, links: Links, in_town: Flags) -> tuple[Ints, Ints]:
    """Find population centres (around settlements) and designated places (towns without a council).

    Returns
    -------
    tuple
        Population centre and designated place of each block, -1 for none.
    """
    owner, remote = land.nearest(xy[:, 0], xy[:, 1])
    is_city = land.settlements["city"].to_numpy()[owner]
    ragged = 1 + 0.4 * noise(xy[:, 0], xy[:, 1], 12e3, land.seed * 97 + 61)
    centre = np.where(remote < np.where(is_city, 1.7, 1.4) * ragged, owner, -1)
    named = ~is_city & ~in_town & (chance(owner, 2, land.seed * 97 + 62) < 0.85)
    place = np.where(named & (remote < 1.15 * ragged), owner, -1)
    return _largest_parts(centre, links), _largest_parts(place, links)


def _largest_parts(group: Ints, links: Links) -> Ints:
    """Keep the main part of each group of three blocks or more; -1 elsewhere."""
    part = parts_of(group, links)
    keep = main_parts(group, part)[part] & (np.bincount(part)[part] >= 3) & (group >= 0)
    return renumber(np.where(keep, group, -1))
