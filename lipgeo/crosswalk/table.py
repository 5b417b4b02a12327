"""``Crosswalk``: which share of each source lies in each target; build, check, compose, save."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from lipgeo.crosswalk.composing import followed
from lipgeo.crosswalk.quality import counted, fit_of
from lipgeo.crosswalk.sound import QUALITY, lost_or_made, require_sound
from lipgeo.report import CheckReport
from lipgeo.show import Card, Shown, heads
from lipgeo.words import say

__all__ = ["Crosswalk", "Placement", "Weight"]

Weight = Literal["area", "population", "dwellings", "households"]
Placement = Literal["surface", "point"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Crosswalk(Shown):
    """Shares of sources in targets. Made by :func:`build_crosswalk`; never changes.

    Parameters
    ----------
    frame, remainder, overlaps, quality, sources, meta, report
        As the attributes; checked here.

    Attributes
    ----------
    frame
        One row a pair of positive area, ordered by ids: ``source_id, target_id`` (text);
        ``share`` in [0, 1] by the weight asked for; ``area_share`` in (0, 1], exactly 1 where the
        source is wholly inside; ``weight``, what the source holds of ``share_basis`` in the
        target (people, dwellings, households, or square metres of land for ``area``), missing
        where the source's total is unknown; ``share_basis``: ``population``, ``dwellings``,
        ``households``, ``area`` or ``point``.
    remainder
        One row a source: ``source_id``, ``share`` = 1 minus its share in the union of the targets.
    overlaps
        One row a source and two targets that overlap in it: ``target_id, other_id``
        (``target_id < other_id``), ``source_id, share, area_share``.
    quality
        One row a target, also those no source meets: ``target_id``; ``quality_index``, the sum
        over sources f of (w_ft / w_f)(w_ft / w_t), 1 where targets are unions of sources;
        ``best_fit_pct``, of what the sources that lie mostly in the target hold, the percentage
        truly inside; ``coverage``, the share of the target's surface that lies in some source;
        ``straddling_share``, of the sources with more than 0.005 of their polygon inside, the
        share that has more than 0.005 outside. Missing where nothing is held.
    sources
        One row a source, index ``source_id``: ``weight``, all it holds of its ``share_basis``,
        missing where unknown; the frame's weight is the share times this.
    meta
        Levels, vintage, weight, placement, versions and counts; plain values, no clock.
    report
        What was met while building (:class:`~lipgeo.report.CheckReport`).

    Raises
    ------
    CrosswalkError
        Columns or types are not these, a share is outside [0, 1], a pair stands twice, or the
        shares of a source in targets that do not overlap add up to more than 1.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        remainder: pd.DataFrame,
        overlaps: pd.DataFrame,
        quality: pd.DataFrame,
        sources: pd.DataFrame,
        *,
        meta: Mapping[str, Any],
        report: CheckReport | None = None,
    ) -> None:
        self._frame, self._overlaps, self._quality = frame, overlaps, quality
        self._every = (remainder, sources)
        self.meta: Mapping[str, Any] = MappingProxyType(dict(meta))
        self.report = CheckReport() if report is None else report
        require_sound(self)

    #: makes :attr:`_every`
    _make: Callable[[], tuple[pd.DataFrame, pd.DataFrame]]

    @classmethod
    def _met(
        cls,
        frame: pd.DataFrame,
        overlaps: pd.DataFrame,
        quality: pd.DataFrame,
        every: Callable[[], tuple[pd.DataFrame, pd.DataFrame]],
        *,
        meta: Mapping[str, Any],
        report: CheckReport,
    ) -> Crosswalk:
        """Make a crosswalk of which only the sources that targets meet are known yet.

        ``every`` gives :attr:`remainder` and :attr:`sources` when they are first asked for: one
        area must not cost what naming a whole country costs.
        """
        made = object.__new__(cls)
        made._frame, made._overlaps, made._quality = frame, overlaps, quality
        made._make = every
        made.meta, made.report = MappingProxyType(dict(meta)), report
        return made

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_every": self._every, "meta": dict(self.meta)}
        state.pop("_make", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, meta=MappingProxyType(state["meta"]))

    @cached_property
    def _every(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Remainder and sources."""
        every = self._make()
        del self._make  # and with it all it was made from
        return every

    @property
    def _remainder(self) -> pd.DataFrame:
        return self._every[0]

    @property
    def _sources(self) -> pd.DataFrame:
        return self._every[1]

    @property
    def frame(self) -> pd.DataFrame:
        """The pairs; a copy."""
        return self._frame.copy()

    @property
    def remainder(self) -> pd.DataFrame:
        """What lies outside all targets; a copy."""
        return self._remainder.copy()

    @property
    def overlaps(self) -> pd.DataFrame:
        """What lies in two targets at once; a copy."""
        return self._overlaps.copy()

    @property
    def quality(self) -> pd.DataFrame:
        """How well the sources fit each target; a copy."""
        return self._quality.copy()

    @property
    def sources(self) -> pd.DataFrame:
        """What each source holds; a copy."""
        return self._sources.copy()

    @property
    def weight(self) -> str:
        """The weight asked for."""
        return str(self.meta["weight"])

    @property
    def placement(self) -> str:
        """How people are placed inside a block: over its surface or at its point."""
        return str(self.meta["placement"])

    @property
    def source_level(self) -> str | None:
        """Census level of the sources, ``None`` where they are other zones."""
        return self.meta.get("source_level")

    @property
    def target_level(self) -> str | None:
        """Census level of the targets, ``None`` where they are areas or other zones."""
        return self.meta.get("target_level")

    @property
    def vintage(self) -> int | None:
        """Census year of the sources, ``None`` where they are other zones."""
        return self.meta.get("vintage")

    @cached_property
    def matrix(self) -> scipy.sparse.csr_matrix:
        """Shares as a sparse matrix: rows as :attr:`sources`, columns as :attr:`quality`."""
        return self._sparse("share")

    def _sparse(self, column: str) -> scipy.sparse.csr_matrix:
        rows, columns = self._positions()
        shape = (len(self._sources), len(self._quality))
        values = self._frame[column].to_numpy(dtype=np.float64)
        return scipy.sparse.csr_matrix((values, (rows, columns)), shape=shape)

    def _pattern(self) -> scipy.sparse.csr_matrix:
        """Which pairs there are, as ones: a product of shares may be 0 where areas meet."""
        pattern = self.matrix.copy()
        pattern.data = np.ones(len(pattern.data))
        return pattern

    def _positions(self) -> tuple[Ints, Ints]:
        rows = self._sources.index.get_indexer(pd.Index(self._frame["source_id"]))
        columns = pd.Index(self._quality["target_id"]).get_indexer(self._frame["target_id"])
        return np.asarray(rows, np.int64), np.asarray(columns, np.int64)

    def compose(self, other: Crosswalk) -> Crosswalk:
        """Follow this crosswalk by another: from these sources to those targets.

        A source's share is the sum, over the zones between, of its share in the zone times the
        zone's share in the target. Exact where each zone between is one whole: people by
        DA → DB, then blocks into areas, gives people by DA → areas. A zone between that is itself
        cut is taken as evenly filled by all its sources.

        Parameters
        ----------
        other
            A crosswalk whose sources are the targets of this one.

        Raises
        ------
        CrosswalkError
            Targets of this crosswalk are not sources of the other, or overlap.
        """
        frame, remainder, overlaps, quality = followed(self, other)
        meta = {
            **self.meta,
            "target_level": other.target_level,
            "target_kind": other.meta["target_kind"],
            "listed": other.meta["listed"],
            "targets": len(quality),
            "pairs": len(frame),
        }
        return Crosswalk(
            frame,
            remainder,
            overlaps,
            quality,
            self.sources,
            meta=meta,
            report=self.report + other.report,
        )

    @cached_property
    def held(self) -> Floats:
        """What each source holds of the weight asked for, 0 where it is unknown or another."""
        return counted(self._sources, self.weight)

    def with_shares(
        self, share: Floats, remainder: Floats, *, meta: Mapping[str, Any], report: CheckReport
    ) -> Crosswalk:
        """Return a crosswalk of the same pairs with other shares; targets no longer overlap.

        Parameters
        ----------
        share
            One a row of :attr:`frame`.
        remainder
            One a row of :attr:`remainder`.
        meta, report
            What is said of it besides.
        """
        rows, columns = self._positions()
        frame = self._frame.assign(
            share=share, weight=share * self._sources["weight"].to_numpy()[rows]
        )
        fit = fit_of(
            rows,
            columns,
            share,
            self._frame["area_share"].to_numpy(),
            remainder=remainder,
            held=self.held,
            coverage=self._quality["coverage"].to_numpy(),
        )
        return Crosswalk(
            frame,
            self._remainder.assign(share=remainder),
            self._overlaps.iloc[:0],
            fit.assign(target_id=self._quality["target_id"])[list(QUALITY)],
            self.sources,
            meta={**self.meta, **meta},
            report=self.report + report,
        )

    def check(self) -> CheckReport:
        """Prove that nothing is lost or made: an empty report says all is conserved.

        Looks at every source: its shares less what targets have in common, plus the remainder,
        is 1 (to 1e-9; between bounds where three targets meet); and at the totals: what the
        sources hold is what the targets and the remainder hold (1e-9 relative). Findings:
        ``not_conserved`` (error, by source), ``total_not_conserved`` (error).
        """
        return CheckReport(lost_or_made(self))

    def save(self, path: Any) -> None:
        """Write to one Parquet file; :func:`lipgeo.read_crosswalk` gives an equal crosswalk."""
        # the core names no room of the edge: the writer is found when it is asked for
        importlib.import_module("lipgeo.crosswalk_file").write_crosswalk(self, path)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Crosswalk)
            and dict(self.meta) == dict(other.meta)
            and self.report == other.report
            and all(
                getattr(self, name).equals(getattr(other, name))
                for name in ("_frame", "_remainder", "_overlaps", "_quality", "_sources")
            )
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _card(self) -> Card:
        columns = heads(*QUALITY)
        return Card(self._summary(), self._quality, columns, ("coverage", "straddling_share"))

    def _summary(self) -> str:
        held = counted(self._sources, self.weight)
        outside = self._remainder["share"].to_numpy()
        return say(
            "crosswalk.summary",
            vintage=f"{self.vintage} " if self.vintage else "",
            source=self.source_level or say("crosswalk.zones"),
            target=self.target_level or say(f"crosswalk.{self.meta.get('target_kind', 'zones')}"),
            sources=len(self._sources),
            targets=len(self._quality),
            pairs=len(self._frame),
            uncovered=float((outside * held).sum() / max(held.sum(), 1e-300)),
            weight=say(f"crosswalk.{self.weight}"),
        )
