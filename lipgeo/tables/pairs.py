"""Take a crosswalk apart into the matrices that sum over sources: ``Pairs``, ``Family``.

``Pairs`` are the units and targets themselves. A ``Family`` is the parents of the units that
targets cut (census tracts): units alike one level up, whose true split is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from lipgeo.arrays import Flags, Floats, Ints
from lipgeo.crosswalk.crosswalk import Crosswalk
from lipgeo.zones.validity import SLIVER_SHARE

__all__ = ["Family", "Pairs", "openness"]

#: splits of joined neighbours that teach anything
FEWEST_TRIALS = 20
#: shares by people and by area that differ by less are the same
_SAME = 1e-9


#: how much a disagreement of people and surface opens a split: hardly, for where people live is
#: better known than that; but no split that an outline makes is beyond doubt
_DISAGREED = 0.02


def openness(share: Floats, area_share: Floats) -> Floats:
    """Return how open splits are, from shares by people and by area."""
    return np.asarray(share * (1 - share) + _DISAGREED * (share - area_share) ** 2)


@dataclass(frozen=True)
class Pairs:
    """Pairs of a source and a target, by position.

    Attributes
    ----------
    crosswalk
        Where they come from.
    sliver
        Share of a source's polygon below which it counts as outside, or what is left as inside.
    sources, targets
        Ids.
    source, target
        Positions; one a pair.
    share, area_share
        Shares of the source in the target, by the weight asked for and by area; one a pair.
    """

    crosswalk: Crosswalk
    sliver: float
    sources: pd.Index
    targets: pd.Index
    source: Ints
    target: Ints
    share: Floats
    area_share: Floats

    @classmethod
    def of(cls, crosswalk: Crosswalk, sliver: float = SLIVER_SHARE) -> Pairs:
        """Take a crosswalk apart."""
        frame = crosswalk.frame
        sources = crosswalk.sources.index
        targets = pd.Index(crosswalk.quality["target_id"].to_numpy(dtype=object))
        return cls(
            crosswalk=crosswalk,
            sliver=sliver,
            sources=sources,
            targets=targets,
            source=np.asarray(sources.get_indexer(pd.Index(frame["source_id"])), np.int64),
            target=np.asarray(targets.get_indexer(pd.Index(frame["target_id"])), np.int64),
            share=frame["share"].to_numpy(dtype=np.float64),
            area_share=frame["area_share"].to_numpy(dtype=np.float64),
        )

    @cached_property
    def inside(self) -> Flags:
        """Pairs whose source lies wholly in the target, but for a sliver that nobody lives in."""
        least = 1 - self.sliver
        return np.asarray((self.area_share >= least) & (self.share >= least))

    @cached_property
    def straddling(self) -> Flags:
        """Pairs whose source lies partly in the target, by more than a sliver.

        By surface, whatever side its people seem to live on, for nobody knows where in the unit
        they do. A sliver of surface counts too where people live in it: of a unit the size of a
        county it may hold a town.
        """
        touched = (self.area_share > self.sliver) | (self.share > self.sliver)
        return np.asarray(touched & ~self.inside)

    @cached_property
    def doubt(self) -> Floats:
        """How open the split of a straddling source is: s(1 - s) + (s - a)² / 50; 0 where whole.

        ``s`` is its share by people, ``a`` by area. Greatest where it is cut in half. Where the two
        disagree, what is known of where people live may be wrong, too.
        """
        return np.where(self.straddling, openness(self.share, self.area_share), 0.0)

    @cached_property
    def by_atoms(self) -> bool:
        """Whether sources are blocks: neighbours, cut by one outline, are misplaced together."""
        level = self.crosswalk.source_level
        return level == "DB" and self.crosswalk.weight != "area"

    @cached_property
    def amounts(self) -> Floats:
        """What each source holds of the crosswalk's weight: people, dwellings, households, m²."""
        return np.asarray(self.crosswalk.held, dtype=np.float64)

    @cached_property
    def counts_held(self) -> bool:
        """Whether that is counts, and not land for want of them."""
        basis = self.crosswalk.sources["share_basis"]
        weight = self.crosswalk.weight
        return weight != "area" and bool((basis.eq(weight) | basis.eq("point")).any())

    @cached_property
    def by_area(self) -> bool:
        """Whether straddling sources are shared by area, asked for or for want of counts."""
        apart = np.abs(self.share - self.area_share)[self.straddling]
        return self.crosswalk.weight == "area" or bool(apart.max(initial=0.0) <= _SAME)

    @cached_property
    def shares_outside(self) -> Floats:
        """Share of each source outside all targets, less what lies in two of them.

        Sources in three targets at once, where pairs of overlaps count too much, are taken by
        their own sum of shares.
        """
        count = len(self.sources)
        overlaps = self.crosswalk.overlaps
        at = self.sources.get_indexer(pd.Index(overlaps["source_id"]))
        twice = np.bincount(at, weights=overlaps["share"], minlength=count)
        shared = np.bincount(self.source, weights=self.share, minlength=count)
        crowded = np.bincount(at, minlength=count) > 2
        rest = self.crosswalk.remainder["share"].to_numpy()
        return np.asarray(np.where(crowded, 1 - shared, rest - twice))

    @cached_property
    def is_shared_by_area(self) -> Flags:
        """Sources that were shared by area for want of people; one a source."""
        basis = self.crosswalk.sources["share_basis"].eq("area").to_numpy(dtype=bool)
        return np.asarray(basis & (self.crosswalk.weight != "area"))

    @cached_property
    def is_touched(self) -> Flags:
        """Sources of which some share is in a target."""
        hit = np.zeros(len(self.sources), dtype=bool)
        hit[self.source[(self.share > 0) | (self.area_share > self.sliver)]] = True
        return hit

    @cached_property
    def by_share(self) -> Any:
        """Shares, targets by sources."""
        return self.matrix(self.share)

    @cached_property
    def by_square(self) -> Any:
        """Squares of shares."""
        return self.matrix(self.share**2)

    @cached_property
    def by_inside(self) -> Any:
        """1 where the source is wholly inside."""
        return self.matrix(self.inside)

    @cached_property
    def by_straddling(self) -> Any:
        """1 where it straddles."""
        return self.matrix(self.straddling)

    @cached_property
    def by_touching(self) -> Any:
        """1 where it counts at all."""
        return self.matrix(self.inside | self.straddling | (self.share > 0))

    @cached_property
    def by_doubt(self) -> Any:
        """How open its split is."""
        return self.matrix(self.doubt)

    def matrix(self, values: Floats | Flags) -> Any:
        """Return values of the pairs as a sparse matrix, targets by sources."""
        shape = (len(self.targets), len(self.sources))
        data = np.asarray(values, dtype=np.float64)
        keep = data != 0
        return scipy.sparse.csr_matrix(
            (data[keep], (self.target[keep], self.source[keep])), shape=shape
        )


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
    held
        What the parent holds of what it was split by; one a split.
    tried
        Whether parents are neighbours joined across outlines, and not what units are part of.
    """

    rows: npt.NDArray[np.int64]
    unions: Any
    fine: Any
    parent: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    share: Floats
    doubt: Floats
    held: Floats
    tried: bool

    @property
    def peopled(self) -> npt.NDArray[np.bool_]:
        """Whether the parent holds anything; one a split."""
        return np.asarray(self.held > 0)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of parents and of splits."""
        return int(self.unions.shape[0]), int(self.fine.shape[0])

    @classmethod
    def of(cls, pairs: Pairs, parents: pd.Series, met: Floats | None = None) -> Family | None:
        """Find the parents that targets cut; ``None`` where there is nothing to learn.

        Parameters
        ----------
        pairs
            The crosswalk.
        parents
            What each source is part of, by id.
        met
            What each source holds of a variable that shares were calibrated to: parents are split
            by that, for nothing of it is missed. What the crosswalk weighs by where not given.
        """
        if not pairs.straddling.any():
            return None
        calibrated = "calibration" in pairs.crosswalk.meta
        if not calibrated or not parents.notna().any():
            tried = cls._of_trials(pairs, met if calibrated else None)
            if tried is not None:
                return tried
        if not parents.notna().any():
            return None
        # parents that a target cuts: a member is cut, or members lie in several targets
        codes, known = pd.factorize(parents.reindex(pairs.sources))
        if not len(known):  # the parents that are known are those of other units
            return None
        cut = np.zeros(len(known), dtype=bool)
        owner = codes[pairs.source]
        cut[owner[(owner >= 0) & (pairs.area_share < 1)]] = True
        whole = pd.Series(pairs.target[owner >= 0]).groupby(owner[owner >= 0]).nunique()
        cut[whole.index[whole > 1]] = True
        # their members, numbered, and which parent each is of
        member = (codes >= 0) & cut[codes]
        rows = np.flatnonzero(member)
        place = np.cumsum(member) - 1
        code, count = pd.factorize(codes[rows])[0], int(cut.sum())
        unions = scipy.sparse.csr_matrix(
            (np.ones(len(rows)), (code, np.arange(len(rows)))), shape=(count, len(rows))
        )
        # splits: pairs of a parent and a target that some member gives to
        mine = member[pairs.source]
        at = place[pairs.source[mine]]
        key = code[at] * len(pairs.targets) + pairs.target[mine]
        split, which = np.unique(key, return_inverse=True)
        parent, target = np.divmod(split, len(pairs.targets))
        shape = (len(split), len(rows))

        def by_split(values: Floats) -> Any:
            return scipy.sparse.csr_matrix((values[mine], (which, at)), shape)

        # the share of each parent, as a unit's is taken: its members cut by area
        held = (pairs.amounts if met is None else met)[rows]
        total = (unions @ held)[parent]
        coarse = pairs.crosswalk.coarse
        by = pairs.area_share if coarse is None else coarse
        # blocks have no parts of their own: their parents stand for them
        part = by_split(pairs.share if calibrated or pairs.by_atoms else by) @ held
        share = np.divide(part, total, out=np.zeros(len(split)), where=total > 0)
        # and by surface, members as if of one size
        surface = np.asarray(by_split(pairs.area_share).sum(axis=1)).ravel()
        surface = surface / np.asarray(unions.sum(axis=1)).ravel()[parent]
        if pairs.by_area and pairs.counts_held:
            # units are themselves shared by area: so are their parents, of units alike in size
            share = surface
        straddling = (surface > pairs.sliver) & (surface < 1 - pairs.sliver)
        return cls(
            rows=rows,
            unions=unions,
            fine=by_split(pairs.share),
            parent=parent,
            target=target,
            share=share,
            doubt=np.where(straddling, openness(share, surface), 0.0),
            held=total,
            tried=False,
        )

    @classmethod
    def _of_trials(cls, pairs: Pairs, met: Floats | None) -> Family | None:
        """Take joined neighbours across outlines for parents; ``None`` where there are too few."""
        trials = pairs.crosswalk.trials
        if trials is None or len(trials) < FEWEST_TRIALS:
            return None
        one = pairs.sources.get_indexer(pd.Index(trials["source_id"]))
        other = pairs.sources.get_indexer(pd.Index(trials["other_id"]))
        # the two of a couple, in one order, are a parent
        couple, parent = np.unique(
            np.column_stack([np.minimum(one, other), np.maximum(one, other)]),
            axis=0,
            return_inverse=True,
        )
        parent = np.asarray(parent, dtype=np.int64).ravel()
        rows, place = np.unique(couple, return_inverse=True)
        place = place.reshape(couple.shape)
        count = len(couple)
        unions = scipy.sparse.csr_matrix(
            (np.ones(2 * count), (np.repeat(np.arange(count), 2), place.ravel())),
            shape=(count, len(rows)),
        )
        splits = len(trials)
        fine = scipy.sparse.csr_matrix(
            (np.ones(splits), (np.arange(splits), np.searchsorted(rows, one))),
            shape=(splits, len(rows)),
        )
        held = (pairs.amounts if met is None else met)[rows]
        total = (unions @ held)[parent]
        surface = trials["area_share"].to_numpy(np.float64)
        share = trials["share"].to_numpy(np.float64)
        if met is not None:
            share = np.divide(fine @ held, total, out=surface.copy(), where=total > 0)
        return cls(
            rows=rows,
            unions=unions,
            fine=fine,
            parent=parent,
            target=np.asarray(
                pairs.targets.get_indexer(pd.Index(trials["target_id"])), dtype=np.int64
            ),
            share=share,
            doubt=openness(share, surface),
            held=total,
            tried=True,
        )
