"""Algebra of pairs: whole units joined, particles summed to their owners, results replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from lipgeo.crosswalk.kernel import Overlay, couples

__all__ = ["gathered", "joined", "replaced", "revalued"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: sums of counts are exact to this, relative
_EXACT = 1e-12


class _Shared(TypedDict):
    shared_unit: Ints
    shared_area: Ints
    shared_other: Ints
    shared: Floats


def joined(pairs: Overlay, unit: Ints, area: Ints, targets: int) -> Overlay:
    """Add units that lie wholly in areas; what they share with other areas follows."""
    if not len(unit):
        return pairs
    new_unit = np.concatenate([pairs.unit, unit])
    new_area = np.concatenate([pairs.area, area])
    added = np.arange(len(new_unit)) >= len(pairs.unit)
    order = np.lexsort((new_area, new_unit))
    new_unit, new_area, added = new_unit[order], new_area[order], added[order]
    share = np.concatenate([pairs.share, np.ones(len(unit))])[order]
    first, second = couples(new_unit)
    news = added[first] | added[second]
    first, second = first[news], second[news]
    shared = _sorted_shared(
        np.concatenate([pairs.shared_unit, new_unit[first]]),
        np.concatenate([pairs.shared_area, new_area[first]]),
        np.concatenate([pairs.shared_other, new_area[second]]),
        np.concatenate([pairs.shared, np.where(share[first] == 1, share[second], share[first])]),
    )
    old = ~np.isin(pairs.covered_unit, unit)
    inside = np.unique(unit)
    covered_unit = np.concatenate([pairs.covered_unit[old], inside])
    covered = np.concatenate([pairs.covered[old], np.ones(len(inside))])
    place = np.argsort(covered_unit, kind="stable")
    return replace(
        pairs,
        unit=new_unit,
        area=new_area,
        share=share,
        covered_unit=covered_unit[place],
        covered=covered[place],
        **shared,
    )


def gathered(pairs: Overlay, owner: Ints, weight: Floats, total: Floats, targets: int) -> Overlay:
    """Sum particles to their owners: shares of a weight of which each owner has ``total``.

    Owners with a total of 0 get no pair.
    """

    def summed(unit: Ints, key: Ints, share: Floats, span: int) -> tuple[Ints, Ints, Floats]:
        own = owner[unit]
        use = own >= 0
        use[use] = total[own[use]] > 0
        group, of = np.unique(own[use] * span + key[use], return_inverse=True)
        amount = np.bincount(of, weights=(weight[unit] * share)[use], minlength=len(group))
        own, key = np.divmod(group, span)
        value = amount / total[own]
        return own, key, np.where(value >= 1 - _EXACT, 1.0, value)

    unit, area, share = summed(pairs.unit, pairs.area, pairs.share, targets)
    covered_unit, _, covered = summed(
        pairs.covered_unit, np.zeros(len(pairs.covered_unit), dtype=np.int64), pairs.covered, 1
    )
    two = pairs.shared_area * targets + pairs.shared_other
    shared_unit, two, shared = summed(pairs.shared_unit, two, pairs.shared, targets * targets)
    shared_area, shared_other = np.divmod(two, targets)
    none = np.empty(0, dtype=np.int64)
    return Overlay(
        unit=unit,
        area=area,
        share=share,
        covered_unit=covered_unit,
        covered=covered,
        shared_unit=shared_unit,
        shared_area=shared_area,
        shared_other=shared_other,
        shared=shared,
        repaired=none,
    )


def replaced(pairs: Overlay, units: Ints, other: Overlay) -> Overlay:
    """Take the pairs of ``units`` from another result."""
    keep = ~np.isin(pairs.unit, units)
    keep_covered = ~np.isin(pairs.covered_unit, units)
    keep_shared = ~np.isin(pairs.shared_unit, units)
    unit = np.concatenate([pairs.unit[keep], other.unit])
    area = np.concatenate([pairs.area[keep], other.area])
    order = np.lexsort((area, unit))
    covered_unit = np.concatenate([pairs.covered_unit[keep_covered], other.covered_unit])
    place = np.argsort(covered_unit, kind="stable")
    return replace(
        pairs,
        unit=unit[order],
        area=area[order],
        share=np.concatenate([pairs.share[keep], other.share])[order],
        covered_unit=covered_unit[place],
        covered=np.concatenate([pairs.covered[keep_covered], other.covered])[place],
        **_sorted_shared(
            np.concatenate([pairs.shared_unit[keep_shared], other.shared_unit]),
            np.concatenate([pairs.shared_area[keep_shared], other.shared_area]),
            np.concatenate([pairs.shared_other[keep_shared], other.shared_other]),
            np.concatenate([pairs.shared[keep_shared], other.shared]),
        ),
    )


def revalued(pairs: Overlay, units: Ints, other: Overlay, targets: int) -> Overlay:
    """Give the pairs of ``units`` the shares of another result; pairs at 1 stay at 1."""
    mine = np.isin(pairs.unit, units) & (pairs.share < 1)
    share = pairs.share.copy()
    share[mine] = _looked_up(
        pairs.unit[mine] * targets + pairs.area[mine],
        other.unit * targets + other.area,
        other.share,
    )
    mine = np.isin(pairs.covered_unit, units) & (pairs.covered < 1)
    covered = pairs.covered.copy()
    covered[mine] = _looked_up(pairs.covered_unit[mine], other.covered_unit, other.covered)
    mine = np.isin(pairs.shared_unit, units)
    shared = pairs.shared.copy()
    shared[mine] = _looked_up(_triple(pairs, targets)[mine], _triple(other, targets), other.shared)
    return replace(pairs, share=share, covered=covered, shared=shared)


def _triple(pairs: Overlay, targets: int) -> Ints:
    """Return one number for a unit and two areas."""
    return (pairs.shared_unit * targets + pairs.shared_area) * targets + pairs.shared_other


def _looked_up(keys: Ints, held: Ints, values: Floats) -> Floats:
    """Return the value of each key, 0 where it is not held; ``held`` is ordered."""
    if not len(held):
        return np.zeros(len(keys))
    at = np.minimum(np.searchsorted(held, keys), len(held) - 1)
    return np.where(held[at] == keys, values[at], 0.0)


def _sorted_shared(unit: Ints, area: Ints, other: Ints, shared: Floats) -> _Shared:
    order = np.lexsort((other, area, unit))
    return {
        "shared_unit": unit[order],
        "shared_area": area[order],
        "shared_other": other[order],
        "shared": shared[order],
    }
