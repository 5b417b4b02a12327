"""``Sums``: what all tables together say of each target; all that is said is made from it.

What was gathered of a table, and variances by its own error model; sums of several tables add up.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from lipgeo.errors import TableError
from lipgeo.tables.gathered import Gathered, Totals
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


def sums_of(gathered: Gathered, spread: Spread) -> Sums:
    """Return the sums of one table, variances by its error model.

    Raises
    ------
    TableError
        What targets and remainder hold is not what the sources hold (to 1e-9): never expected.
    """
    prove_conserved(gathered)
    totals = gathered.totals
    as_gathered = {
        one.name: getattr(totals, one.name)
        for one in fields(Sums)
        if one.name in Totals.__dataclass_fields__
    }
    return Sums(
        **as_gathered,
        missing=totals.lost_square * spread.missing,
        split=totals.doubt_size * spread.phi + totals.doubt_square * spread.tau2,
        n_samp=totals.n_square * gathered.sampling,
        d_samp=totals.d_square * gathered.sampling,
    )


def prove_conserved(gathered: Gathered) -> None:
    """Raise unless targets and remainder hold what the sources hold."""
    kept = gathered.totals.n.sum(axis=0) + gathered.overall.kept
    given = gathered.overall.given
    wrong = np.abs(kept - given) > EXACT * np.maximum(np.abs(given), 1.0)
    if wrong.any():
        names = [gathered.variables[row].name for row in np.flatnonzero(wrong)]
        raise TableError(
            "tables.not_conserved",
            [
                {"variable": name, "kept": float(k), "given": float(g)}
                for name, k, g in zip(names, kept[wrong], given[wrong], strict=True)
            ],
            variables=names,
        )
