"""Names and types for the made units: two languages, accents, apostrophes, and namesakes."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["place_names", "stems", "words"]

Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


@cache
def words() -> dict[str, Any]:
    """Return the words names are made of, and the types by province."""
    text = resources.files("lipgeo.synthetic").joinpath("names.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _pick(key: str, count: int, rng: np.random.Generator) -> Texts:
    known = np.array(words()[key], dtype=object)
    return np.asarray(known[rng.integers(0, len(known), count)], dtype=object)


def stems(count: int, french: npt.NDArray[np.bool_], rng: np.random.Generator) -> Texts:
    """Return ``count`` place names, French where asked; a name may come more than once."""
    english = (
        _pick("en_first", count, rng) + _pick("en_stem", count, rng) + _pick("en_last", count, rng)
    )
    other = (
        _pick("fr_first", count, rng) + _pick("fr_stem", count, rng) + _pick("fr_last", count, rng)
    )
    return np.asarray(np.where(french, other, english), dtype=object)


def place_names(pr: Ints, reserve: npt.NDArray[np.bool_], rng: np.random.Generator) -> Texts:
    """Return the names of census subdivisions: unique in their province but for a few namesakes.

    Parameters
    ----------
    pr
        Province of each.
    reserve
        Whether it is a reserve (named as reserves are: ``Amisk 12A``).
    rng
        Source of chance.
    """
    french = (pr == 24) | (pr == 13) & (rng.random(len(pr)) < 0.4)
    names = stems(len(pr), french, rng)
    number = rng.integers(1, 260, len(pr)).astype(str).astype(object)
    letter = np.array(["", "", "", "A", "B"], dtype=object)[rng.integers(0, 5, len(pr))]
    nation = np.array(words()["nation"], dtype=object)[
        rng.integers(0, len(words()["nation"]), len(pr))
    ]
    names = np.where(reserve, nation + " " + number + letter, names)
    # a city called Windsor in three provinces, and one with a township of the same name
    for province, name in ((35, "Windsor"), (24, "Windsor"), (12, "Windsor"), (59, "St. John's")):
        rows = np.flatnonzero((pr == province) & ~reserve)
        if len(rows):
            names[rows[0]] = name
            if province == 35 and len(rows) > 1:
                names[rows[1]] = name
    seen: dict[tuple[int, str], int] = {}
    for row in np.flatnonzero(~np.isin(names, ["Windsor"])):
        key = (int(pr[row]), str(names[row]))
        seen[key] = again = seen.get(key, 0) + 1
        if again > 1:
            names[row] = f"{names[row]}-{'Nord' if pr[row] == 24 else 'North'} {again}"
    return names
