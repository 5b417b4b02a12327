"""Try the placement of people where the answer is known: on neighbours across an outline.

Nobody says where in a cut unit its people are. But a whole unit on one side of an outline and a
whole one on the other make, joined, a unit that the outline cuts, and how that one is to be split
is known. So each cut unit asks the nearest whole units of its two largest parts, the second
nearest and so on: what do the densities of the two grounds, the pair left out, say of the pair?

They say too much where density thins out gradually: two halves of a unit stand nearer to each
other than their neighbours do, and are more alike. They say enough where settled ground ends at
the outline. Which it is shows in pairs that stand farther apart: there the difference grows with
the distance, here it does not. The share of the first unit of a pair is taken to be::

    logit(share) = log(surface ratio) + (a + b * distance) * log(density ratio)

``a`` and ``b`` are found by likelihood, drawn to what is believed beforehand (strength by level, no
growth) as by an estimate of that standard error. Cut units are placed with the strength at the
distance of their own halves; the pairs nearest to the outlines show how far such estimates miss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lipgeo.arrays import Floats, Ints

__all__ = [
    "FLOOR",
    "Belief",
    "Splits",
    "Strength",
    "Trials",
    "learn_strength",
    "splits_of",
    "trials_of",
]

#: pairs asked of each cut unit: nearest, second nearest ...; several distances are needed
RINGS = 4
#: share of a unit's own density that is added to all densities: no ground is empty for certain, and
#: ratios stay finite
FLOOR = 0.02
#: people above which a unit says no more: beyond it density is uneven in large (phi over tau2 of
#: the error model)
_ENOUGH = 2300.0
#: people come in clumps: misses of fewer than about forty people say nothing (phi of the model)
_CLUMP = 37.0
_STEPS = 30


@dataclass(frozen=True)
class Trials:
    """Pairs of whole units on either side of an outline; one entry a pair, ordered.

    Attributes
    ----------
    first, second
        The units.
    ring
        0 of the nearest pair of a cut unit, 1 of the next ...
    held
        What the two hold together.
    share, surface
        Share of the first in that, and in the surface of both.
    contrast
        Logarithm of the density of the first one's ground over that of the second one's, the two
        left out.
    apart
        How far they stand apart, in bandwidths.
    half
        How far apart the halves of cut units stand, in bandwidths: half their width; one number.
    """

    first: Ints
    second: Ints
    ring: Ints
    held: Floats
    share: Floats
    surface: Floats
    contrast: Floats
    apart: Floats
    half: float


@dataclass(frozen=True)
class Belief:
    """What is believed of a strength before anything is learned, and its standard error."""

    power: float
    error: float


@dataclass(frozen=True)
class Strength:
    """How far densities are taken at their word.

    Attributes
    ----------
    at_once
        Power of the density ratio where settled ground ends at the outline.
    by_distance
        What a bandwidth of distance adds.
    of_cut
        Power for the halves of cut units, from 0 to 1.
    pairs
        Pairs it was learned from.
    """

    at_once: float
    by_distance: float
    of_cut: float
    pairs: int

    def at(self, apart: Floats) -> Floats:
        """Return the power at distances."""
        return np.clip(self.at_once + self.by_distance * apart, 0.0, 1.0)


def trials_of(  # noqa: PLR0917
    near: tuple[Ints, Ints],
    kernel: tuple[Floats, Floats],
    place: Floats,
    surface: Floats,
    people: Floats,
    number: Ints,
    *,
    least: int,
    fewest: int,
    bandwidth: Floats,
    size: Floats,
    weight: Floats,
) -> Trials:
    """Pair the neighbours of cut units on either side.

    Parameters
    ----------
    near, kernel
        Neighbours in the grounds of the two parts of each cut unit, nearest first, as positions,
        and their weights in the density, 0 beyond reach; (cut, k) each.
    place, surface, people, number
        Where units are, their surface, what they hold, and their numbers; by position.
    least
        Position from which units are whole.
    fewest
        Neighbours that make a density, the pair left out.
    bandwidth, size, weight
        Of the cut units: bandwidth, width, and what their split moves; (cut,) each.
    """
    # of whole units alone, for parts of others hold what is yet to be found
    weights = [np.where(one >= least, k, 0.0) for one, k in zip(near, kernel, strict=True)]
    whole = [k > 0 for k in weights]
    rank = [np.cumsum(one, axis=1) for one in whole]
    rows = np.arange(len(bandwidth))
    inner = [
        ((k * people[one]).sum(axis=1), (k * surface[one]).sum(axis=1), (k > 0).sum(axis=1))
        for one, k in zip(near, weights, strict=True)
    ]
    found: list[Floats] = []
    for ring in range(RINGS):
        units, dense = [], []
        there = np.ones(len(rows), dtype=bool)
        for side in (0, 1):
            hit = whole[side] & (rank[side] == ring + 1)
            at = hit.argmax(axis=1)
            unit = near[side][rows, at]
            k = weights[side][rows, at]
            held, ground, count = inner[side]
            held, ground = held - k * people[unit], ground - k * surface[unit]
            there &= hit.any(axis=1) & (count - 1 >= fewest) & (ground > 0)
            units.append(unit)
            dense.append(np.divide(held, ground, out=np.zeros(len(rows)), where=ground > 0))
        u, v = units
        both, ground = people[u] + people[v], surface[u] + surface[v]
        there &= (both > 0) & ((dense[0] > 0) | (dense[1] > 0))
        floor = FLOOR * both[there] / ground[there]
        u, v = u[there], v[there]
        high, low = (np.maximum(one[there], 0.0) + floor for one in dense)
        found.append(
            np.column_stack(
                [
                    number[u],
                    number[v],
                    np.full(len(u), ring),
                    both[there],
                    people[u] / both[there],
                    surface[u] / ground[there],
                    np.log(high / low),
                    np.hypot(*(place[u] - place[v]).T) / bandwidth[there],
                ]
            )
        )
    table = np.concatenate(found)
    # neighbours of several cut units are one pair: the nearest of its rings; ordered by numbers
    table = table[np.lexsort((table[:, 2], table[:, 1], table[:, 0]))]
    ends = np.minimum(table[:, 0], table[:, 1]), np.maximum(table[:, 0], table[:, 1])
    _, once = np.unique(np.column_stack(ends), axis=0, return_index=True)
    table = table[once]
    total = float(weight.sum())
    known = np.isfinite(bandwidth) & (bandwidth > 0)
    halves = np.divide(size, 2 * bandwidth, out=np.zeros(len(size)), where=known)
    return Trials(
        first=table[:, 0].astype(np.int64),
        second=table[:, 1].astype(np.int64),
        ring=table[:, 2].astype(np.int64),
        held=table[:, 3],
        share=table[:, 4],
        surface=table[:, 5],
        contrast=table[:, 6],
        apart=table[:, 7],
        half=float(halves @ weight) / total if total > 0 else 0.0,
    )


def learn_strength(trials: Trials, prior: Belief) -> Strength:
    """Find the strength that splits joined neighbours best, by quasi-likelihood (Newton)."""
    weight = trials.held / (_CLUMP * (1 + trials.held / _ENOUGH))
    offset = np.log(trials.surface / (1 - trials.surface))
    terms = np.column_stack([trials.contrast, trials.contrast * trials.apart])
    belief = np.eye(2) / prior.error**2
    believed = np.array([prior.power, 0.0])
    found = believed.copy()
    for _ in range(_STEPS):
        share = estimated_share(offset, terms @ found)
        open_ = share * (1 - share)
        miss = trials.share - share
        # misses are wider than clumps of people make them: so much less is each worth
        spread = float(np.mean(weight * miss**2 / np.maximum(open_, FLOOR))) if len(share) else 1.0
        worth = weight / max(spread, 1.0)
        slope = terms.T @ (worth * miss) - belief @ (found - believed)
        curve = terms.T @ (terms * (worth * open_)[:, None]) + belief
        step = np.clip(np.linalg.solve(curve, slope), -0.5, 0.5)
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    at_once, by_distance = (float(one) for one in found)
    of_cut = min(max(at_once + by_distance * trials.half, 0.0), 1.0)
    return Strength(at_once, by_distance, of_cut, len(trials.held))


def estimated_share(offset: Floats, contrast: Floats) -> Floats:
    """Return the share of the first of two units, by the logarithms of their ratios."""
    return np.asarray(1 / (1 + np.exp(-np.clip(offset + contrast, -50, 50))))


@dataclass(frozen=True)
class Splits:
    """Joined neighbours split again among areas; one entry a split, ordered.

    Attributes
    ----------
    unit, other
        The unit that lies in the area, and the one joined to it, which does not.
    area
        The area.
    share, surface
        Share of the joined in the area: as cut units are placed, and by surface.
    """

    unit: Ints
    other: Ints
    area: Ints
    share: Floats
    surface: Floats


def splits_of(
    trials: Trials, strength: Strength, placement: str, lying: tuple[Ints, Ints]
) -> Splits:
    """Split the pairs nearest to the outlines, as cut units were.

    Parameters
    ----------
    trials, strength
        The pairs, and how far densities are taken at their word.
    placement
        How cut units were placed: by ``density``, by ``surface``, or whole by ``point``: on the
        side of the larger.
    lying
        Pairs (unit, area): the areas that hold whole units, ordered.
    """
    use = trials.ring == 0
    first, second, surface = trials.first[use], trials.second[use], trials.surface[use]
    offset = np.log(surface / (1 - surface))
    if placement == "density":
        share = estimated_share(offset, strength.at(trials.apart[use]) * trials.contrast[use])
    else:
        share = surface if placement == "surface" else np.round(surface)
    parts = []
    for unit, other, mine, ground in (
        (first, second, share, surface),
        (second, first, 1 - share, 1 - surface),
    ):
        starts = np.searchsorted(lying[0], unit, side="left")
        ends = np.searchsorted(lying[0], unit, side="right")
        at = np.repeat(np.arange(len(unit)), ends - starts)
        within = np.arange(len(at)) - np.repeat(
            np.cumsum(ends - starts) - (ends - starts), ends - starts
        )
        area = lying[1][starts[at] + within]
        # an area that holds both splits nothing
        span = int(lying[1].max(initial=0)) + 1
        both = np.isin(other[at] * span + area, lying[0] * span + lying[1])
        at, area = at[~both], area[~both]
        parts.append((unit[at], other[at], area, mine[at], ground[at]))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((joined[1], joined[0], joined[2]))
    return Splits(*(column[order] for column in joined))
