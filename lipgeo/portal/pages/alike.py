"""Places alike in size: the areas whose population is nearest to an area's own."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

__all__ = ["alike_count", "alike_in_size"]

Place = tuple[str, str]
#: what the sheet *comparators* says for them: ``alike`` or ``alike:5``
_ALIKE = re.compile(r"alike(?::([1-9]\d?))?")
_USUAL = 3


def alike_count(comparator: str) -> int:
    """Return how many places alike in size a comparator asks for, 0 where it asks for another.

    Examples
    --------
    >>> from lipgeo.portal.pages.alike import alike_count
    >>> alike_count("alike"), alike_count("alike:5"), alike_count("ab-calgary")
    (3, 5, 0)
    """
    found = _ALIKE.fullmatch(comparator.strip())
    return int(found[1] or _USUAL) if found else 0


def alike_in_size(people: Mapping[Place, float], place: Place, count: int) -> list[Place]:
    """Return the places nearest in population, by ratio; another definition of an area is none.

    Parameters
    ----------
    people
        Area and definition to its population.
    place
        Which one they are alike to; without a population it has none.
    count
        How many at most.

    Examples
    --------
    >>> from lipgeo.portal.pages.alike import alike_in_size
    >>> people = {("a", ""): 100.0, ("b", ""): 210.0, ("c", ""): 55.0, ("d", ""): 9000.0}
    >>> alike_in_size(people, ("a", ""), 2)
    [('c', ''), ('b', '')]
    """
    own = people.get(place, math.nan)
    if not own > 0:
        return []
    others = [
        (abs(math.log(size / own)), other)
        for other, size in people.items()
        if size > 0 and other[0] != place[0]
    ]
    return [other for _, other in sorted(others)[:count]]
