"""Hold, check, follow and prove a crosswalk: which share of each source lies in each target.

``Crosswalk`` comes first; below it what every crosswalk must be (columns, types, shares), how well
sources fit targets, and the small arithmetic of shares. :mod:`lipgeo.crosswalk.build` makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from lipgeo.arrays import Floats, Ints, distinct
from lipgeo.census.census import CensusZones
from lipgeo.crosswalk.inputs import Targets, planar_area
from lipgeo.crosswalk.overlay.measure import DUST
from lipgeo.crosswalk.shares import Shares, owners_of_atoms
from lipgeo.errors import CrosswalkError, require_kind
from lipgeo.report import Card, CheckReport, Finding, Shown, finding, heads
from lipgeo.words import say
from lipgeo.zones.validity import SLIVER_SHARE
from lipgeo.zones.zones import Zones

__all__ = [
    "EXACT",
    "FRAME",
    "OVERLAPS",
    "QUALITY",
    "REMAINDER",
    "SOURCES",
    "SUM_TOLERANCE",
    "SURROUNDINGS",
    "TRIALS",
    "Crosswalk",
    "Placement",
    "check_crosswalk",
    "fit_of",
    "held_amounts",
    "remaining_share",
    "require_sums",
    "snap_to_whole",
    "target_coverage",
]

FRAME = ("source_id", "target_id", "share", "area_share", "weight", "share_basis")
REMAINDER = ("source_id", "share")
OVERLAPS = ("target_id", "other_id", "source_id", "share", "area_share")
#: columns of the splits of joined neighbours
TRIALS = ("source_id", "other_id", "target_id", "share", "area_share")
#: columns of the whole sources near cut ones
SURROUNDINGS = ("source_id", "target_id", "near_id", "distance")
QUALITY = ("target_id", "quality_index", "best_fit_pct", "coverage", "straddling_share")
SOURCES = ("weight", "share_basis")
_TEXTS = {"source_id", "target_id", "other_id", "share_basis"}
#: shares of a source add up to 1 within this
SUM_TOLERANCE = 1e-9
#: sums and products of exact shares are exact to this
EXACT = 1e-12
#: where the people of a block are taken to be
Placement = Literal["auto", "density", "surface", "point"]


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
        coarse: Floats | Callable[[], Floats] | None = None,
        trials: pd.DataFrame | Callable[[], pd.DataFrame] | None = None,
        surroundings: pd.DataFrame | Callable[[], pd.DataFrame] | None = None,
    ) -> None:
        self._coarse, self._trials, self._surroundings = coarse, trials, surroundings
        self._frame, self._overlaps, self._quality = frame, overlaps, quality
        self._every = (remainder, sources)
        self.meta: Mapping[str, Any] = MappingProxyType(dict(meta))
        self.report = CheckReport() if report is None else report
        check_crosswalk(frame, remainder, overlaps, quality, sources)

    #: makes :attr:`_every`
    _make: Callable[[], tuple[pd.DataFrame, pd.DataFrame]]

    @classmethod
    def from_met_sources(
        cls,
        frame: pd.DataFrame,
        overlaps: pd.DataFrame,
        quality: pd.DataFrame,
        every: Callable[[], tuple[pd.DataFrame, pd.DataFrame]],
        *,
        meta: Mapping[str, Any],
        report: CheckReport,
        coarse: Callable[[], Floats] | None = None,
        trials: Callable[[], pd.DataFrame] | None = None,
        surroundings: Callable[[], pd.DataFrame] | None = None,
    ) -> Crosswalk:
        """Make a crosswalk of which only the sources that targets meet are known yet.

        ``every`` gives :attr:`remainder` and :attr:`sources` when they are first asked for: one
        area must not cost what naming a whole country costs.
        """
        made = object.__new__(cls)
        made._frame, made._overlaps, made._quality = frame, overlaps, quality
        made._make = every
        made._coarse, made._trials, made._surroundings = coarse, trials, surroundings
        made.meta, made.report = MappingProxyType(dict(meta)), report
        return made

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_every": self._every, "meta": dict(self.meta)}
        state |= {"_coarse": self.coarse, "_trials": self.trials}
        state["_surroundings"] = self.surroundings
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
    def coarse(self) -> Floats | None:
        """Shares by the density of the sources themselves, one a row of :attr:`frame`.

        What an estimate would have to go by if it knew no blocks: beside :attr:`frame` it shows how
        far densities miss, one level up. ``None`` where people were not placed by density.
        """
        if callable(self._coarse):
            self._coarse = self._coarse()
        return self._coarse

    @property
    def trials(self) -> pd.DataFrame | None:
        """Whole sources on either side of an outline, joined and split as cut ones are.

        ``source_id`` lies in ``target_id`` and ``other_id`` does not; ``share`` is the share of the
        two in the target as they would be placed if they were one, ``area_share`` that by surface.
        What they hold says how far such shares miss. ``None`` where sources have parts (blocks)
        that people were placed by.
        """
        if callable(self._trials):
            self._trials = self._trials()
        return self._trials

    @property
    def surroundings(self) -> pd.DataFrame | None:
        """Whole sources near those that outlines cut, each on the side of its part of them.

        ``source_id`` is cut and has a part in ``target_id`` (empty: in none); ``near_id`` lies
        there with all of it but a sliver; ``distance`` from the middle of the cut one, in distances
        to its eighth neighbour. What they hold says how the parts may differ. ``None`` where
        nobody is counted, or the crosswalk was composed.
        """
        if callable(self._surroundings):
            self._surroundings = self._surroundings()
        return self._surroundings

    @property
    def weight(self) -> str:
        """The weight asked for."""
        return str(self.meta["weight"])

    @property
    def placement(self) -> str:
        """How people of cut units were to be placed: ``auto``, ``density``, ``surface`` ..."""
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
        return _pair_positions(self._frame, self._sources, self._quality)

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
        frame, remainder, overlaps, quality = self._compose_frames(other)
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

    def _compose_frames(
        self, other: Crosswalk
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Return frame, remainder, overlaps and quality of :meth:`compose`."""
        require_kind(other, Crosswalk, "errors.crosswalk", "other")
        if len(self._overlaps):
            raise CrosswalkError(
                "crosswalk.compose_overlaps", targets=self._overlaps["target_id"].unique()
            )
        between = pd.Index(self._quality["target_id"])
        lost = between.difference(other._sources.index)
        if len(lost):
            raise CrosswalkError(
                "crosswalk.compose_unknown", [{"target_id": one} for one in lost], zones=lost
            )
        at = other._sources.index.get_indexer(between)
        # pairs there are, also where the product of shares is 0
        joint = (self._pattern() @ other._pattern()[at]).tocsr()
        joint.sort_indices()
        row = np.repeat(np.arange(joint.shape[0]), np.diff(joint.indptr))
        column = joint.indices
        # the products of shares, and what is left
        share = _entries_at(self.matrix @ other.matrix[at], row, column)
        surface = _entries_at(
            self._sparse("area_share") @ other._sparse("area_share")[at], row, column
        )
        covered = self.matrix @ (1 - other._remainder["share"].to_numpy()[at])
        sources, targets = self.sources, other._quality["target_id"]
        frame = pd.DataFrame(
            {
                "source_id": sources.index.to_numpy()[row],
                "target_id": targets.to_numpy()[column],
                "share": share,
                "area_share": surface,
                "weight": share * sources["weight"].to_numpy()[row],
                "share_basis": sources["share_basis"].to_numpy()[row],
            }
        )
        remainder = self._remainder.assign(share=remaining_share(snap_to_whole(covered)))
        fit = fit_of(
            row,
            column,
            share,
            surface,
            remainder=remainder["share"].to_numpy(),
            held=self.held,
            coverage=other._quality["coverage"].to_numpy(),
        )
        quality = fit.assign(target_id=targets)[list(QUALITY)]
        return frame, remainder, self._compose_overlaps(other, at), quality

    def _compose_overlaps(self, other: Crosswalk, at: Ints) -> pd.DataFrame:
        """Return what composed targets have in common: overlaps of the second, met by the self."""
        # one column a couple of targets: what both hold of each zone between
        twice = other._overlaps
        couples = pd.MultiIndex.from_frame(twice[["target_id", "other_id"]]).unique().sort_values()
        column = couples.get_indexer(pd.MultiIndex.from_frame(twice[["target_id", "other_id"]]))
        row = other._sources.index.get_indexer(pd.Index(twice["source_id"]))
        shape = (len(other._sources), len(couples))
        parts = []
        for name in ("share", "area_share"):
            matrix = self.matrix if name == "share" else self._sparse(name)
            values = scipy.sparse.csr_matrix((twice[name].to_numpy(), (row, column)), shape=shape)
            parts.append((matrix @ values[at]).tocoo())
        share, surface = parts
        keys = surface.col.astype(np.int64) * len(self._sources) + surface.row
        place = np.argsort(keys, kind="stable")
        names = couples.to_frame(index=False).take(surface.col[place])
        return pd.DataFrame(
            {
                "target_id": names["target_id"].to_numpy(),
                "other_id": names["other_id"].to_numpy(),
                "source_id": self._sources.index.to_numpy()[surface.row[place]],
                "share": _entries_at(share, surface.row[place], surface.col[place]),
                "area_share": snap_to_whole(surface.data[place]),
            }
        )

    @cached_property
    def held(self) -> Floats:
        """What each source holds of the weight asked for, 0 where it is unknown or another."""
        return held_amounts(self._sources, self.weight)

    def with_shares(
        self, share: Floats, remainder: Floats, *, meta: Mapping[str, Any], report: CheckReport
    ) -> Crosswalk:
        """Return a crosswalk of the same pairs with other shares.

        Sources whose shares change no longer lie in two targets at once; others stay as they are.

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
        moved = self._frame["source_id"][share != self._frame["share"].to_numpy()].unique()
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
            self._overlaps[~self._overlaps["source_id"].isin(moved)].reset_index(drop=True),
            fit.assign(target_id=self._quality["target_id"])[list(QUALITY)],
            self.sources,
            meta={**self.meta, **meta},
            report=self.report + report,
            coarse=self._coarse,
            trials=self._trials,
            surroundings=self._surroundings,
        )

    def check(self) -> CheckReport:
        """Prove that nothing is lost or made: an empty report says all is conserved.

        Looks at every source: its shares less what targets have in common, plus the remainder,
        is 1 (to 1e-9 and 1e-9 more for each couple of targets that overlap in it; between bounds
        where three targets meet); and at the totals: what the
        sources hold is what the targets and the remainder hold (1e-9 relative). Findings:
        ``not_conserved`` (error, by source), ``total_not_conserved`` (error).
        """
        return CheckReport(self._conservation_findings())

    def _conservation_findings(self) -> list[Finding]:
        """Return what speaks against conservation; see :meth:`check`."""
        # shares of each source, less what targets have in common, plus what is in none
        count = len(self._sources)
        rows, _ = self._positions()
        summed = np.bincount(rows, weights=self._frame["share"], minlength=count)
        at = self._sources.index.get_indexer(pd.Index(self._overlaps["source_id"]))
        twice = np.bincount(at, weights=self._overlaps["share"], minlength=count)
        couples = np.bincount(at, minlength=count)
        crowded = couples > 2
        rest = self._remainder["share"].to_numpy()
        total = summed - twice + rest
        # what lies in both of a couple is known to dust, as what lies in none is: each may miss it
        wrong = np.abs(total - 1) > SUM_TOLERANCE * (1 + couples)
        # in three overlapping targets the sum over pairs takes off too much
        wrong &= ~(crowded & (total < 1) & (summed + rest >= 1 - SUM_TOLERANCE))
        findings = [
            finding(
                "crosswalk.not_conserved",
                "error",
                self._sources.index[row],
                value=float(total[row]),
                total=float(total[row]),
                id=self._sources.index[row],
            )
            for row in np.flatnonzero(wrong)
        ]
        # and the totals
        held = self.held
        if not len(self._overlaps):
            given, kept = held.sum(), (held * (summed + rest)).sum()
            if abs(kept - given) > SUM_TOLERANCE * max(given, 1.0):
                findings.append(
                    finding("crosswalk.total_not_conserved", "error", "", kept=kept, given=given)
                )
        return findings

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
        held = self.held
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


def check_crosswalk(
    frame: pd.DataFrame,
    remainder: pd.DataFrame,
    overlaps: pd.DataFrame,
    quality: pd.DataFrame,
    sources: pd.DataFrame,
) -> None:
    """Raise unless columns, types and shares are a crosswalk's; see :class:`Crosswalk`."""
    parts = {
        "frame": (frame, FRAME),
        "remainder": (remainder, REMAINDER),
        "overlaps": (overlaps, OVERLAPS),
        "quality": (quality, QUALITY),
        "sources": (sources, SOURCES),
    }
    # columns and their types, all faults at once
    problems = [
        {"part": part, "problem": "columns", "needed": list(columns), "given": list(given.columns)}
        for part, (given, columns) in parts.items()
        if tuple(given.columns) != columns
    ]
    if problems:
        raise CrosswalkError("crosswalk.columns", problems, parts=[p["part"] for p in problems])
    problems = [
        {"part": part, "problem": "type", "column": name, "given": str(given[name].dtype)}
        for part, (given, columns) in parts.items()
        for name in columns
        if name not in _TEXTS and given[name].dtype != np.float64
    ]
    if problems:
        names = [f"{p['part']}.{p['column']} ({p['given']})" for p in problems]
        raise CrosswalkError("crosswalk.types", problems, columns=names)
    # shares are shares, and pairs are of known sources and targets, each once
    outside = ~(frame["share"].between(0, 1) & frame["area_share"].between(0, 1))
    if outside.any():
        bad = frame.loc[outside, ["source_id", "target_id", "share", "area_share"]]
        raise CrosswalkError(
            "crosswalk.range", bad.to_dict("records"), ids=bad["source_id"].unique()
        )
    row, column = _pair_positions(frame, sources, quality)
    if (row < 0).any() or (column < 0).any():
        bad = frame.loc[(row < 0) | (column < 0), ["source_id", "target_id"]]
        raise CrosswalkError("crosswalk.strangers", bad.to_dict("records"), ids=bad["source_id"])
    twice = frame.duplicated(["source_id", "target_id"])
    if twice.any():
        bad = frame.loc[twice, ["source_id", "target_id"]]
        raise CrosswalkError("crosswalk.twice", bad.to_dict("records"), ids=bad["source_id"])
    if len(remainder) != len(sources):
        raise CrosswalkError("crosswalk.remainder", remainder=len(remainder), sources=len(sources))
    index = sources.index
    overlapped = index.get_indexer(pd.Index(overlaps["source_id"].unique()))
    share = frame["share"].to_numpy(dtype=np.float64)
    require_sums(row, share, overlapped, lambda rows: index[rows].to_numpy(dtype=object))


def _pair_positions(
    frame: pd.DataFrame, sources: pd.DataFrame, quality: pd.DataFrame
) -> tuple[Ints, Ints]:
    """Return the positions of each pair's source and target, -1 where it is none of them."""
    rows = sources.index.get_indexer(pd.Index(frame["source_id"]))
    columns = pd.Index(quality["target_id"]).get_indexer(frame["target_id"])
    return np.asarray(rows, np.int64), np.asarray(columns, np.int64)


def require_sums(
    row: Ints,
    share: Floats,
    overlapped: Ints,
    ids: Callable[[Ints], npt.NDArray[np.object_]],
) -> None:
    """Raise where the shares of a source in targets that do not overlap are more than all of it."""
    summed = np.bincount(row, weights=share)
    more = np.flatnonzero(summed > 1 + SUM_TOLERANCE)
    more = more[~np.isin(more, overlapped)]
    if len(more):
        named = ids(more)
        raise CrosswalkError(
            "crosswalk.sums",
            [{"source_id": i, "sum": float(s)} for i, s in zip(named, summed[more], strict=True)],
            ids=named,
        )


def fit_of(
    unit: Ints,
    area: Ints,
    share: Floats,
    area_share: Floats,
    *,
    remainder: Floats,
    held: Floats,
    coverage: Floats,
) -> pd.DataFrame:
    """Return one row a target: how well the sources fit it.

    Parameters
    ----------
    unit, area, share, area_share
        Pairs of source and target, ordered, with the share by the weight asked for and by area.
    remainder
        Share of each source outside all targets; (sources,).
    held
        What each source holds, 0 where unknown; (sources,).
    coverage
        Share of each target that lies in some source; (targets,).

    Returns
    -------
    pandas.DataFrame
        ``quality_index, best_fit_pct, coverage, straddling_share``; see
        :class:`lipgeo.crosswalk.Crosswalk`.
    """
    # sums over the sources of each target
    targets = len(coverage)
    amount = share * held[unit]
    total = np.bincount(area, weights=amount, minlength=targets)
    squares = np.bincount(area, weights=share * amount, minlength=targets)

    # each source counts for the target that holds most of it, if that is more than the rest
    largest = remainder.copy()
    np.maximum.at(largest, unit, share)
    # the first of equals: pairs are ordered by unit, then target
    best = np.flatnonzero((share > 0) & (share >= largest[unit]))
    best = best[np.unique(unit[best], return_index=True)[1]]
    truly = np.bincount(area[best], weights=amount[best], minlength=targets)
    given = np.bincount(area[best], weights=held[unit[best]], minlength=targets)

    # sources that an outline cuts, slivers aside
    units = area_share > SLIVER_SHARE
    straddling = units & (area_share < 1 - SLIVER_SHARE)
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.DataFrame(
            {
                "quality_index": squares / total,
                "best_fit_pct": 100 * truly / given,
                "coverage": np.where(np.abs(coverage - 1) <= DUST, 1.0, coverage),
                "straddling_share": np.bincount(area[straddling], minlength=targets)
                / np.bincount(area[units], minlength=targets),
            }
        )


def target_coverage(source: Zones, targets: Targets, area: Shares) -> Floats:
    """Return the share of each target's surface that lies in sources; (targets,)."""
    # drawn targets: what of their surface lies in sources
    pairs = area.pairs
    met = distinct(pairs.unit)
    size = np.zeros(len(source))
    size[met] = np.nan_to_num(planar_area(source, met))
    inside = np.bincount(pairs.area, weights=pairs.share * size[pairs.unit], minlength=len(targets))
    whole = targets.outlines.size
    if len(targets.atom) and isinstance(source, CensusZones):
        # sets: which of their atoms belong to a source
        held = _size_of_atoms(source, targets)
        everywhere = np.arange(len(source), dtype=np.int64)
        listed = np.bincount(targets.area, weights=held, minlength=len(targets))
        owned = owners_of_atoms(source.census, str(source.level), everywhere)[targets.atom] >= 0
        within = np.bincount(targets.area, weights=held * owned, minlength=len(targets))
        inside, whole = np.where(listed > 0, within, inside), np.where(listed > 0, listed, whole)
    share = np.divide(inside, whole, out=np.zeros(len(targets)), where=whole > 0)
    return np.asarray(share, dtype=np.float64)


def _size_of_atoms(source: CensusZones, targets: Targets) -> Floats:
    """Return the land of the finest units that targets list, or 1 each where it is not known."""
    data, level = source.census.data, source.census.atom_level
    if "land_km2" not in data.columns(level):
        return np.ones(len(targets.atom))
    land = data.attributes(level, ["land_km2"], targets.atom)["land_km2"]
    held = np.nan_to_num(land.to_numpy(dtype=np.float64, na_value=np.nan))
    return held if held.any() else np.ones(len(held))


def held_amounts(sources: pd.DataFrame, weight: str) -> Floats:
    """Return what sources hold of one and the same thing, 0 where it is unknown or another.

    That is the weight asked for, or land where every source was shared out by area.
    """
    basis = sources["share_basis"]
    mine = basis.eq(weight).to_numpy(dtype=bool) | basis.eq("point").to_numpy(dtype=bool)
    if not mine.any():
        mine = basis.eq("area").to_numpy(dtype=bool)
    held: Floats = np.where(mine, sources["weight"].to_numpy(dtype=np.float64), 0.0)
    return np.asarray(np.nan_to_num(held), dtype=np.float64)


def remaining_share(covered: Floats) -> Floats:
    """Return what is left of a source, 0 where nothing is but rounding."""
    rest = np.maximum(1.0 - covered, 0.0)
    return np.where(rest <= EXACT, 0.0, rest)


def snap_to_whole(share: Floats) -> Floats:
    """Return shares, 1 where nothing is missing but rounding."""
    return np.where(share >= 1 - EXACT, 1.0, share)


def _entries_at(matrix: Any, row: Ints, column: Ints) -> Floats:
    """Return entries of a sparse matrix."""
    if not len(row):
        return np.empty(0)
    return snap_to_whole(np.asarray(matrix.tocsr()[row, column], dtype=np.float64).ravel())
