"""``Family``: parents of a table's units that areas cut, and how the areas split them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from lipgeo.tables.pairs import Pairs

__all__ = ["Family"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Family:
    """Parents that areas cut, and how they are split: what learning needs of a crosswalk.

    Attributes
    ----------
    rows
        Sources that are members of such parents.
    unions
        1 where a source is part of a parent; parents by ``rows``, sparse.
    fine
        Shares of sources; splits by ``rows``, sparse. A split is a parent and a target.
    parent, target
        Positions; one a split.
    share
        Share of the parent in the target, taken as a unit's is; one a split.
    doubt
        How open the split is; 0 where it does not straddle.
    peopled
        Whether the parent holds anything; one a split.
    """

    rows: npt.NDArray[np.int64]
    unions: Any
    fine: Any
    parent: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    share: Floats
    doubt: Floats
    peopled: npt.NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of parents and of splits."""
        return int(self.unions.shape[0]), int(self.fine.shape[0])

    @classmethod
    def of(cls, pairs: Pairs, parents: pd.Series) -> Family | None:
        """Find the parents that targets cut; ``None`` where there is nothing to learn."""
        if not pairs.straddling.any() or not parents.notna().any():
            return None
        codes, known = pd.factorize(parents.reindex(pairs.sources))
        cut = np.zeros(len(known), dtype=bool)
        owner = codes[pairs.source]
        cut[owner[(owner >= 0) & (pairs.area_share < 1)]] = True
        whole = pd.Series(pairs.target[owner >= 0]).groupby(owner[owner >= 0]).nunique()
        cut[whole.index[whole > 1]] = True
        member = (codes >= 0) & cut[codes]
        rows = np.flatnonzero(member)
        place = np.cumsum(member) - 1
        code, count = pd.factorize(codes[rows])[0], int(cut.sum())
        unions = scipy.sparse.csr_matrix(
            (np.ones(len(rows)), (code, np.arange(len(rows)))), shape=(count, len(rows))
        )
        mine = member[pairs.source]
        at = place[pairs.source[mine]]
        key = code[at] * len(pairs.targets) + pairs.target[mine]
        split, which = np.unique(key, return_inverse=True)
        parent, target = np.divmod(split, len(pairs.targets))
        shape = (len(split), len(rows))

        def gather(values: Floats) -> Any:
            return scipy.sparse.csr_matrix((values[mine], (which, at)), shape)

        held = pairs.held[rows]
        total = (unions @ held)[parent]
        calibrated = "calibration" in pairs.crosswalk.meta
        part = gather(pairs.share if calibrated else pairs.area_share) @ held
        share = np.divide(part, total, out=np.zeros(len(split)), where=total > 0)
        surface = np.asarray(gather(pairs.area_share).sum(axis=1)).ravel()
        surface = surface / np.asarray(unions.sum(axis=1)).ravel()[parent]
        if pairs.by_area and pairs.counts_held:
            # units are themselves shared by area: so are their parents, of units alike in size
            share = surface
        straddling = (surface > pairs.sliver) & (surface < 1 - pairs.sliver)
        return cls(
            rows=rows,
            unions=unions,
            fine=gather(pairs.share),
            parent=parent,
            target=target,
            share=share,
            doubt=np.where(straddling, share * (1 - share) + (share - surface) ** 2, 0.0),
            peopled=total > 0,
        )
