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
class Sums(Totals):
    """What is said of the targets by all tables; arrays are targets by variables.

    Attributes
    ----------
    missing
        Variance of what is put in for units not observed.
    split
        Variance of how straddling units split.
    n_samp, d_samp
        Variance of sampling of counts, and of denominators.
    """

    missing: Floats
    split: Floats
    n_samp: Floats
    d_samp: Floats

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
    return Sums(
        **{one.name: getattr(totals, one.name) for one in fields(Totals)},
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
