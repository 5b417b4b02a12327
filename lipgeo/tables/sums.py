"""``Sums``: every sum over sources that a result needs, as sparse products.

All that is said of an area is made from these sums, and each is one product of a matrix of the
crosswalk with columns of the table: whatever else computes them (one SQL statement over pairs and
columns) gives the same results. Sums of several tables add up.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.errors import TableError
from lipgeo.tables.columns import REASONS, Columns
from lipgeo.tables.pairs import Pairs
from lipgeo.tables.spread import Spread

__all__ = ["EXACT", "Sums", "prove_conserved", "sums_of"]

Floats = npt.NDArray[np.float64]

#: totals are conserved to this, relative
EXACT = 1e-9


@dataclass(frozen=True)
class Sums:
    """Sums over the sources of each target; arrays are targets by variables.

    Attributes
    ----------
    n, d
        What was observed, by shares.
    n_in, n_str, d_in, d_str
        What was observed in units wholly inside, and in straddling units, whole.
    held, held_observed
        What the crosswalk's weight holds, and where the variable was observed.
    share, share_observed
        The same of the shares themselves: for areas where nobody lives.
    missing_in, missing_str
        What units not observed could hold at most, whole.
    unbounded
        Units not observed of which not even that is known; a number.
    missing
        Variance of what is put in for units not observed.
    split
        Variance of how straddling units split.
    n_max, d_max, n_var, d_var
        Greatest sum of rounding, and its variance, of numerators and denominators.
    n_samp, d_samp
        Variance of sampling of counts, and of denominators.
    units, straddling, area_based
        Units met, those that straddle, and those that straddle and were shared by area only for
        want of people; numbers.
    not_applicable
        Units whose symbol says that there is no such thing; a number.
    zeros
        Published zeros of a census whose suppressed cells are zeros; a number.
    """

    n: Floats
    d: Floats
    n_in: Floats
    n_str: Floats
    d_in: Floats
    d_str: Floats
    held: Floats
    held_observed: Floats
    share: Floats
    share_observed: Floats
    missing_in: Floats
    missing_str: Floats
    unbounded: Floats
    missing: Floats
    split: Floats
    n_max: Floats
    d_max: Floats
    n_var: Floats
    d_var: Floats
    n_samp: Floats
    d_samp: Floats
    units: Floats
    straddling: Floats
    area_based: Floats
    not_applicable: Floats
    zeros: Floats

    def at(self, rows: npt.NDArray[np.int64], count: int) -> Sums:
        """Return the sums of more targets: these at ``rows``, nothing elsewhere."""
        spread = {}
        for one in fields(self):
            values = getattr(self, one.name)
            spread[one.name] = np.zeros((count, values.shape[1]))
            spread[one.name][rows] = values
        return Sums(**spread)

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def sums_of(pairs: Pairs, columns: Columns, spread: Spread, vintage: int | None) -> Sums:
    """Take all sums of one table over one crosswalk.

    Raises
    ------
    TableError
        What targets and remainder hold is not what the sources hold (to 1e-9): never expected.
    """
    by_share, by_square, doubt = pairs.by_share, pairs.by_square, pairs.by_doubt
    inside, straddling, touching = pairs.by_inside, pairs.by_straddling, pairs.by_touching
    n, d, seen = columns.n, columns.d, columns.observed
    held = columns.held
    lost = ~seen
    ceiling = np.where(lost, np.nan_to_num(columns.ceiling), 0.0)
    size = np.where(columns.ratio, d, n)
    var_n, var_d = (_variance(base) for base in (columns.n_base, columns.d_base))
    ones = np.ones_like(n)
    by_area = pairs.crosswalk.sources["share_basis"].eq("area").to_numpy()
    by_area = by_area & (pairs.crosswalk.weight != "area")
    zero = seen & (n == 0) & (columns.sampling > 0)
    sums = Sums(
        n=by_share @ n,
        d=by_share @ d,
        n_in=inside @ n,
        n_str=straddling @ n,
        d_in=inside @ d,
        d_str=straddling @ d,
        held=by_share @ held,
        held_observed=by_share @ (held * seen),
        share=by_share @ ones,
        share_observed=by_share @ (ones * seen),
        missing_in=inside @ ceiling,
        missing_str=straddling @ ceiling,
        unbounded=touching @ (lost & np.isnan(columns.ceiling)).astype(np.float64),
        missing=(by_square @ (held**2 * lost)) * spread.missing,
        split=(doubt @ size) * spread.phi + (doubt @ size**2) * spread.tau2,
        n_max=by_share @ np.maximum(columns.n_base - 1, 0),
        d_max=by_share @ np.maximum(columns.d_base - 1, 0),
        n_var=by_square @ var_n,
        d_var=by_square @ var_d,
        n_samp=(by_square @ n) * columns.sampling,
        d_samp=(by_square @ d) * columns.sampling,
        units=touching @ ones,
        straddling=straddling @ ones,
        area_based=straddling @ (ones * by_area[:, None]),
        not_applicable=touching @ (columns.reason == REASONS.index("...")).astype(np.float64),
        zeros=touching @ (zero * float(vintage is not None and vintage <= 2006)),
    )
    prove_conserved(pairs, columns, sums.n)
    return sums


def _variance(base: Floats) -> Floats:
    """Return the variance of unbiased random rounding to a base, over all last digits alike."""
    return np.where(base > 0, (base**2 - 1) / 6, 0.0)


def prove_conserved(pairs: Pairs, columns: Columns, n: Floats) -> None:
    """Raise unless targets and remainder hold what the sources hold.

    What lies in two targets is counted once; sources in three targets at once, where pairs of
    overlaps count too much, are proved by their own sum of shares.
    """
    count = len(pairs.sources)
    crosswalk = pairs.crosswalk
    overlaps = crosswalk.overlaps
    at = pairs.sources.get_indexer(pd.Index(overlaps["source_id"]))
    twice = np.bincount(at, weights=overlaps["share"], minlength=count)
    shared = np.bincount(pairs.source, weights=pairs.share, minlength=count)
    crowded = np.bincount(at, minlength=count) > 2
    rest = crosswalk.remainder["share"].to_numpy()
    rest = np.where(crowded, twice + 1 - shared, rest)
    kept = n.sum(axis=0) - twice @ columns.n + rest @ columns.n
    given = columns.n.sum(axis=0)
    wrong = np.abs(kept - given) > EXACT * np.maximum(np.abs(given), 1.0)
    if wrong.any():
        names = [columns.variables[row].name for row in np.flatnonzero(wrong)]
        raise TableError(
            "tables.not_conserved",
            [
                {"variable": name, "kept": float(k), "given": float(g)}
                for name, k, g in zip(names, kept[wrong], given[wrong], strict=True)
            ],
            variables=names,
        )
