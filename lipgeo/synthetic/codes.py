"""Make the identifiers of units: right in length, composition and order for their level."""

from __future__ import annotations

import numpy as np

from lipgeo.arrays import Floats, Ints, Texts
from lipgeo.census.data import hilbert
from lipgeo.synthetic.earlier import new_districts
from lipgeo.synthetic.forming import RESERVE, RURAL, TWO_PROVINCES, count_within, value_of
from lipgeo.synthetic.units import Units

__all__ = ["Codes", "codes_before", "make_codes"]

Codes = dict[str, Texts]

#: first letters of the postal codes of a province
_LETTERS = {
    10: "A", 11: "C", 12: "B", 13: "E", 24: "GHJ", 35: "KLMNP", 46: "R", 47: "S", 48: "T",
    59: "V", 60: "Y", 61: "X", 62: "X",
}  # fmt: skip
_LAST = "ABCEGHJKLMNPRSTVWXYZ"
#: first number of the metropolitan areas of a province, and the step (ids tell their province)
_CMA_RANGE = {
    10: (1, 99), 11: (105, 199), 12: (205, 299), 13: (305, 399), 24: (403, 499), 35: (507, 599),
    46: (602, 699), 47: (705, 799), 48: (805, 899), 59: (905, 979), 60: (990, 994), 61: (995, 995),
}  # fmt: skip


def make_codes(units: Units, xy: Floats) -> Codes:
    """Return the ids of each level but DA and DB, in the order of the labels.

    Parameters
    ----------
    units
        The hierarchy.
    xy
        Place of each block (m); (blocks, 2).

    Returns
    -------
    dict
        Level to ids (text).
    """
    place = {
        level: _place(xy, units.of_blocks(level))
        for level in ("CSD", "CD", "POPCTR", "DPL", "CT", "ADA", "CCS", "ER", "CAR")
    }
    codes: Codes = {"PR": np.unique(units.pr).astype(str).astype(object)}
    pr = units.pr
    codes["CD"] = _join(pr, count_within(pr, place["CD"]) + 1, 2)
    cd_number = pr * 100 + count_within(pr, place["CD"]) + 1
    csd_cd = cd_number[units.cd]
    codes["CSD"] = _join(csd_cd, _csd_numbers(units, place["CSD"]), 3)
    # a consolidated subdivision takes the number of one of its subdivisions
    first = np.full(int(units.ccs.max()) + 1, len(units.ccs), dtype=np.int64)
    np.minimum.at(first, units.ccs, np.arange(len(units.ccs)))
    codes["CCS"] = codes["CSD"][first]
    da_cd = csd_cd[units.csd]
    ada_cd = value_of(units.ada, da_cd)
    codes["ADA"] = _join(ada_cd, count_within(ada_cd, place["ADA"]) + 1, 4)
    codes["FED"] = _district_codes(units, xy)
    ccs_pr = value_of(units.ccs, pr[units.cd])
    er_pr = value_of(units.er, ccs_pr)
    codes["ER"] = _join(er_pr, 10 + _spread(er_pr, place["ER"], 5, 89), 2)
    car_pr = value_of(units.car, pr)
    codes["CAR"] = _join(car_pr, count_within(car_pr, place["CAR"]), 2)
    codes["CMA"] = _cma_codes(units)
    codes["CT"] = _tract_codes(units, codes["CMA"], place["CT"])
    codes["POPCTR"] = _join(None, count_within(place["POPCTR"] * 0, place["POPCTR"]) + 1, 4)
    codes["UA"] = codes["POPCTR"]
    block_pr = pr[units.cd[units.csd[units.da]]]
    dpl_pr = value_of(units.dpl, block_pr)
    codes["DPL"] = _join(dpl_pr, 5 * count_within(dpl_pr, place["DPL"]) + 5, 4)
    fsa_pr = value_of(units.fsa, block_pr[units.block])
    fsa_place = _place(xy[units.block], units.fsa)
    codes["FSA"] = _postal(fsa_pr, count_within(fsa_pr, fsa_place))
    return codes


def codes_before(codes: Codes, units: Units, xy: Floats, year: int) -> Codes:
    """Return the ids of an earlier census from those of the census after it.

    Subdivisions that have merged since come last in the labels: they get numbers given up since.
    Electoral districts are others where the order is another.
    """
    codes = dict(codes)
    known = codes["CSD"]
    cd = codes["CD"][units.cd[len(known) :]]
    used = set(known)
    for prefix in cd:
        number = next(n for n in range(2, 800) if f"{prefix}{n:03d}" not in used)
        used.add(f"{prefix}{number:03d}")
        known = np.append(known, f"{prefix}{number:03d}")
    codes["CSD"] = known
    if new_districts(year):
        codes["FED"] = _district_codes(units, xy)
    return codes


def _district_codes(units: Units, xy: Floats) -> Texts:
    fed_pr = value_of(units.fed, units.pr[units.cd[units.csd[units.da]]])
    return _join(fed_pr, count_within(fed_pr, _place(xy, units.fed)) + 1, 3)


def _place(xy: Floats, group: Ints) -> Floats:
    """Return the place of each group along a curve that keeps neighbours close."""
    held = group >= 0
    size = np.bincount(group[held])
    mean = [np.bincount(group[held], xy[held, k]) / np.maximum(size, 1) for k in (0, 1)]
    return hilbert(np.column_stack(mean * 2))


def _join(prefix: Ints | None, number: Ints, width: int) -> Texts:
    """Write ids: prefix, then the number with leading zeros."""
    if prefix is None:
        return np.array([f"{n:0{width}d}" for n in number.tolist()], dtype=object)
    pairs = zip(prefix.tolist(), number.tolist(), strict=True)
    return np.array([f"{p}{n:0{width}d}" for p, n in pairs], dtype=object)


def _spread(group: Ints, place: Floats, step: int, last: int) -> Ints:
    """Return the number of each member in its group, ``step`` apart where ``last`` allows."""
    count = np.maximum(1, np.bincount(group))
    apart = np.maximum(1, np.minimum(step, last // count))
    return np.asarray(count_within(group, place) * apart[group], dtype=np.int64)


def _csd_numbers(units: Units, place: Floats) -> Ints:
    """Return the numbers of subdivisions: municipalities from 1, unorganized 801, reserves 901.

    Where a division has more of them than a range holds they are numbered on end.
    """
    other = np.where(units.kind == RESERVE, 2, 0)
    other = np.where((units.kind == RURAL) & (count_within(units.cd, place) % 7 == 3), 1, other)
    key = units.cd * 3 + other
    size = np.bincount(key, minlength=3 * (int(units.cd.max()) + 1)).reshape(-1, 3)
    crowded = np.any(size > np.array([790, 98, 98]), axis=1)[units.cd]
    ranged = np.array([1, 801, 901])[other] + _spread(key, place, 3, 98)
    return np.where(crowded, count_within(units.cd, place) + 1, ranged)


def _cma_codes(units: Units) -> Texts:
    """Return ids by province; an area in two provinces has the id it has in Canada."""
    codes = np.empty(len(units.cma_pr), dtype=object)
    csd_pr = units.pr[units.cd]
    for k in range(len(codes)):
        found = np.unique(csd_pr[units.cma == k])
        if len(found) > 1:
            home, away = units.cma_pr[k], found[found != units.cma_pr[k]][0]
            codes[k] = next(c for c, pair in TWO_PROVINCES.items() if pair == (home, away))
    for pr, (first, last) in _CMA_RANGE.items():
        mine = [k for k in np.flatnonzero(units.cma_pr == pr) if codes[k] is None]
        free = [n for n in range(first, last + 1) if f"{n:03d}" not in TWO_PROVINCES]
        step = max(1, min(3, len(free) // max(1, len(mine))))
        for place, mine_k in enumerate(mine):
            codes[mine_k] = f"{free[place * step]:03d}"
    return codes


def _tract_codes(units: Units, cma: Texts, place: Floats) -> Texts:
    """Return the ids of tracts: in each area 0001.00, then 0002.01 and 0002.02, and so on."""
    of_da = np.append(units.cma, -1)[units.csd]
    owner = value_of(units.ct, of_da)
    nth = count_within(owner, place)
    base, split = 1 + 2 * (nth // 3) + (nth % 3 > 0), nth % 3
    rows = zip(owner.tolist(), base.tolist(), split.tolist(), strict=True)
    return np.array([f"{cma[o]}{n:04d}.{s:02d}" for o, n, s in rows], dtype=object)


def _postal(pr: Ints, nth: Ints) -> Texts:
    """Name forward sortation areas: letter of the province, digit (0 is rural), letter."""
    codes = []
    for province, n in zip(pr.tolist(), nth.tolist(), strict=True):
        letters = _LETTERS[province]
        rest = n // len(letters) + (120 if province == 62 else 0)
        digit, last = (rest // len(_LAST) + 1) % 10, rest % len(_LAST)
        codes.append(f"{letters[n % len(letters)]}{digit}{_LAST[last]}")
    return np.array(codes, dtype=object)
