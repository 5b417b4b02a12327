"""Name the made units, level by level, and give them types.

Names come in two languages, with accents, apostrophes and namesakes.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from lipgeo.arrays import Ints, Texts
from lipgeo.geography.hierarchy import facts
from lipgeo.synthetic.earlier import new_districts
from lipgeo.synthetic.forming import RESERVE, RURAL, count_within
from lipgeo.synthetic.land import Land
from lipgeo.synthetic.units import Units

__all__ = ["name_units", "names_before", "place_names", "stems", "words"]


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


Columns = dict[str, Texts]


def name_units(units: Units, ids: dict[str, Texts], land: Land) -> dict[str, Columns]:
    """Return ``unit_name``, ``name_fr`` and ``unit_type`` of the levels that have them."""
    rng = np.random.default_rng([land.seed, 6])
    csd_pr = units.pr[units.cd]
    csd = place_names(csd_pr, units.kind == RESERVE, rng)
    in_cd = stems(len(units.pr), units.pr == 24, rng)
    where = {level: _province(ids[level]) for level in ("ER", "CAR", "DPL")}
    centres = _main_csd(units, units.popctr)
    metropolitan = csd[_largest(units.cma, units, csd_pr)]
    across = [k for k in range(len(ids["CMA"])) if len(np.unique(csd_pr[units.cma == k])) > 1]
    for k in across:
        members = np.flatnonzero((units.cma == k) & (csd_pr != units.cma_pr[k]))
        metropolitan[k] = f"{metropolitan[k]} - {csd[members[0]]}"
    provinces = facts()["provinces"]
    french = np.array([provinces[code]["fr"] for code in ids["PR"]], dtype=object)
    english = np.array([provinces[code]["en"] for code in ids["PR"]], dtype=object)
    two = {level: stems(len(ids[level]), where[level] == 24, rng) for level in where}
    named: dict[str, Columns] = {
        "PR": {"unit_name": english, "name_fr": french},
        "CD": {"unit_name": in_cd, "unit_type": _cd_types(units.pr)},
        "CSD": {"unit_name": csd, "unit_type": _csd_types(units, csd_pr, rng)},
        "CCS": {"unit_name": csd[_first_csd(units)]},
        "CMA": {"unit_name": metropolitan, "unit_type": units.cma_class},
        "FED": {"unit_name": _districts(ids["FED"], rng)},
        "ER": {"unit_name": two["ER"]},
        "CAR": {"unit_name": _number_names("Agricultural Region ", where["CAR"])},
        "DPL": {
            "unit_name": two["DPL"],
            "unit_type": np.full(len(ids["DPL"]), "DPL", dtype=object),
        },
        "POPCTR": {"unit_name": csd[centres]},
        "CT": {"unit_name": np.array([code[3:] for code in ids["CT"]], dtype=object)},
        "FSA": {"unit_name": ids["FSA"].copy()},
    }
    named["UA"] = named["POPCTR"]
    return named


def names_before(
    named: dict[str, Columns], units: Units, ids: dict[str, Texts], land: Land, year: int
) -> dict[str, Columns]:
    """Return the names of an earlier census: some subdivisions were called otherwise."""
    rng = np.random.default_rng([land.seed, 8, year])
    csd = named["CSD"]["unit_name"]
    types = named["CSD"]["unit_type"]
    pr = units.pr[units.cd]
    new = np.arange(len(csd), len(pr))
    csd = np.concatenate([csd, stems(len(new), pr[new] == 24, rng)])
    types = np.concatenate([types, [words()["csd_types"][str(code)][2] for code in pr[new]]])
    renamed = rng.permutation(np.flatnonzero(units.kind == RURAL))[: max(1, len(csd) // 100)]
    csd[renamed] = stems(len(renamed), pr[renamed] == 24, rng)
    before = dict(named)
    before["CSD"] = {"unit_name": csd, "unit_type": types.astype(object)}
    before["CMA"] = {**named["CMA"], "unit_type": units.cma_class}
    if new_districts(year):
        before["FED"] = {"unit_name": _districts(ids["FED"], rng)}
    return before


def _districts(ids: Texts, rng: np.random.Generator) -> Texts:
    """Name electoral districts as they are named: two places and two hyphens."""
    french = _province(ids) == 24
    return np.asarray(stems(len(ids), french, rng) + "--" + stems(len(ids), french, rng))


def _province(ids: Texts) -> Ints:
    return np.array([int(code[:2]) for code in ids], dtype=np.int64)


def _number_names(word: str, group: Ints) -> Texts:
    number = count_within(group, np.arange(len(group))) + 1
    return np.array([f"{word}{n}" for n in number.tolist()], dtype=object)


def _first_csd(units: Units) -> Ints:
    first = np.zeros(int(units.ccs.max()) + 1, dtype=np.int64)
    first[units.ccs[::-1]] = np.arange(len(units.ccs))[::-1]
    return first


def _largest(group: Ints, units: Units, csd_pr: Ints) -> Ints:
    """Return the largest subdivision of each metropolitan area, in its own province."""
    size = np.bincount(units.csd, minlength=len(group)).astype(np.float64)
    home = np.append(units.cma_pr, -1)[group]
    size[csd_pr != home] = 0
    order = np.argsort(size, kind="stable")
    order = order[group[order] >= 0]
    best = np.zeros(len(units.cma_pr), dtype=np.int64)
    best[group[order]] = order
    return best


def _main_csd(units: Units, group: Ints) -> Ints:
    """Return the subdivision that holds most blocks of each group of blocks."""
    held = group >= 0
    span = len(units.kind)
    key, size = np.unique(group[held] * span + units.csd[units.da][held], return_counts=True)
    order = np.argsort(size, kind="stable")
    best = np.zeros(int(group.max()) + 1, dtype=np.int64)
    best[key[order] // span] = key[order] % span
    return best


def _cd_types(pr: Ints) -> Texts:
    return np.array([words()["cd_types"][str(code)] for code in pr.tolist()], dtype=object)


def _csd_types(units: Units, pr: Ints, rng: np.random.Generator) -> Texts:
    table = np.array([words()["csd_types"][str(code)] for code in pr.tolist()], dtype=object)
    unorganized = (units.kind == RURAL) & (rng.random(len(pr)) < 0.1)
    column = np.where(unorganized, 3, np.minimum(units.kind, 2))
    types = table[np.arange(len(pr)), column]
    reserve = np.where(rng.random(len(pr)) < 0.06, "S-É", "IRI").astype(object)
    types = np.where(units.kind == RESERVE, reserve, types)
    return np.asarray(types, dtype=object)
