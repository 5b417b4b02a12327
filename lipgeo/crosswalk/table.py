"""``Crosswalk``: which share of each source lies in each target; build, check, compose, save."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse
import shapely

from lipgeo import __version__
from lipgeo.areas import ServiceAreas
from lipgeo.areas.faults import finding
from lipgeo.census import CensusZones
from lipgeo.crosswalk.kernel import DUST, overlay
from lipgeo.crosswalk.quality import counted, coverage_of, fit_of
from lipgeo.crosswalk.shares import Held, Lay, Shares, by_area, by_weight
from lipgeo.crosswalk.targets import Targets, on_one_grid, targets_of
from lipgeo.errors import CrosswalkError
from lipgeo.report import CheckReport, Finding
from lipgeo.show import Card, Shown, heads
from lipgeo.words import say
from lipgeo.zones import Zones

__all__ = ["Crosswalk", "Placement", "Weight", "build_crosswalk", "laid_out"]

Weight = Literal["area", "population", "dwellings", "households"]
Placement = Literal["surface", "point"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_FRAME = ("source_id", "target_id", "share", "area_share", "weight", "share_basis")
_REMAINDER = ("source_id", "share")
_OVERLAPS = ("target_id", "other_id", "source_id", "share", "area_share")
_QUALITY = ("target_id", "quality_index", "best_fit_pct", "coverage", "straddling_share")
_SOURCES = ("weight", "share_basis")
_TEXTS = {"source_id", "target_id", "other_id", "share_basis"}
#: shares of a source add up to 1 within this
_SUM = 1e-9
#: sums and products of exact shares are exact to this
_EXACT = 1e-12
#: a target covered more often than this says that sources overlap
_OVER = 1e-6


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
        _require_sound(self)

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
        left, right = self._pattern(), other._pattern()[at]
        joint = (left @ right).tocsr()
        joint.sort_indices()
        row = np.repeat(np.arange(joint.shape[0]), np.diff(joint.indptr))
        column = joint.indices
        share = _entries(self.matrix @ other.matrix[at], row, column)
        surface = _entries(
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
        remainder = self._remainder.assign(share=_left(_whole(covered)))
        fit = fit_of(
            row,
            column,
            share,
            surface,
            remainder=remainder["share"].to_numpy(),
            held=counted(sources, self.weight),
            coverage=other._quality["coverage"].to_numpy(),
        )
        meta = {
            **self.meta,
            "target_level": other.target_level,
            "target_kind": other.meta["target_kind"],
            "listed": other.meta["listed"],
            "targets": len(targets),
            "pairs": len(frame),
        }
        return Crosswalk(
            frame,
            remainder,
            _composed_overlaps(self, other, at),
            fit.assign(target_id=targets)[list(_QUALITY)],
            sources,
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
            fit.assign(target_id=self._quality["target_id"])[list(_QUALITY)],
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
        count = len(self._sources)
        rows, _ = self._positions()
        summed = np.bincount(rows, weights=self._frame["share"], minlength=count)
        at = self._sources.index.get_indexer(pd.Index(self._overlaps["source_id"]))
        twice = np.bincount(at, weights=self._overlaps["share"], minlength=count)
        crowded = np.bincount(at, minlength=count) > 2
        rest = self._remainder["share"].to_numpy()
        total = summed - twice + rest
        wrong = np.abs(total - 1) > _SUM
        # in three overlapping targets the sum over pairs takes off too much
        wrong &= ~(crowded & (total < 1) & (summed + rest >= 1 - _SUM))
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
        held = counted(self._sources, self.weight)
        if not len(self._overlaps):
            given, kept = held.sum(), (held * (summed + rest)).sum()
            if abs(kept - given) > _SUM * max(given, 1.0):
                findings.append(
                    finding("crosswalk.total_not_conserved", "error", "", kept=kept, given=given)
                )
        return CheckReport(findings)

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
        columns = heads(*_QUALITY)
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


def build_crosswalk(
    source: Zones,
    target: Zones | ServiceAreas,
    *,
    weight: Weight = "area",
    placement: Placement = "surface",
    blocks: Zones | None = None,
) -> Crosswalk:
    """Share out source zones among targets.

    Parameters
    ----------
    source
        Zones, or a level of a census (``census.zones("DA")``).
    target
        Zones, a level of a census, or service areas. Drawn targets are overlaid; units of the
        source's own census and unit-list areas are matched by ids, exactly.
    weight
        What is shared: ``"area"``, or the people, dwellings or households of the blocks.
    placement
        Where a block's people are: evenly on its ``"surface"``, or at its representative
        ``"point"``, as Statistics Canada retrieves areas.
    blocks
        Zones with columns ``population``, ``dwellings`` or ``households``; only those of
        sources that an outline crosses are looked at. The census's own blocks where the source
        is census zones and its blocks are held.

    Returns
    -------
    Crosswalk
        Exact shares: shares and remainder of each source add up to 1. A source is shared out by
        the weight asked for; where its blocks hold none of it, or the count of some is missing,
        by dwellings, else by area, and ``share_basis`` says which. Without blocks every share is
        by area.

    Raises
    ------
    CrosswalkError
        An option is not one of the above, an area is a list and the source is no census of its
        vintage, or ``blocks`` holds no counts.
    CRSError, DatumError
        Zones do not share a projected coordinate reference system. With a census or service areas
        everything is brought to EPSG:3347 first.

    Notes
    -----
    The share of a source without people is not 0: it is that of its dwellings, else of its area.
    An overlap below 1e-9 of both the source and the target is numeric dust and no overlap.

    Examples
    --------
    >>> import shapely
    >>> from lipgeo import Zones, build_crosswalk
    >>> fields = Zones(["a", "b"], shapely.box([0, 2], 0, [2, 4], 2), "EPSG:26917")
    >>> town = Zones(["t"], [shapely.box(1, 0, 4, 2)], "EPSG:26917")
    >>> build_crosswalk(fields, town).frame[["source_id", "share"]].to_numpy().tolist()
    [['a', 0.5], ['b', 1.0]]
    """
    return laid_out(source, target, weight=weight, placement=placement, blocks=blocks, lay=overlay)


def laid_out(
    source: Zones,
    target: Zones | ServiceAreas,
    *,
    weight: Weight,
    placement: Placement,
    blocks: Zones | None,
    lay: Lay,
) -> Crosswalk:
    """Share out as :func:`build_crosswalk`, with ``lay`` to lay a census level over targets."""
    _require_option("weight", weight, Weight)
    _require_option("placement", placement, Placement)
    source, target, blocks = on_one_grid(source, target, blocks)
    targets = targets_of(source, target)
    area = by_area(source, targets, lay)
    findings = [*target.report, *_met(source, targets, area)]
    if blocks is None and isinstance(source, CensusZones) and "DB" in source.census.levels:
        blocks = source.census.zones("DB")
    weighted, held, notes = by_weight(
        source, targets, area, weight=weight, placement=placement, blocks=blocks, lay=lay
    )
    meta = {
        "source_level": source.level,
        "target_level": None if isinstance(target, ServiceAreas) else target.level,
        "target_kind": "areas" if isinstance(target, ServiceAreas) else "zones",
        "listed": _listed(source, target),
        "vintage": source.vintage,
        "weight": weight,
        "placement": placement,
    }
    return _assembled(
        source, targets, area, weighted, held, meta=meta, findings=[*findings, *notes]
    )


def _listed(source: Zones, target: Zones | ServiceAreas) -> list[str]:
    """Return the targets that are sets of units of the source's own census, by id."""
    if not isinstance(source, CensusZones):
        return []
    if isinstance(target, ServiceAreas):
        units = target.frame["definition"].eq("units")
        return sorted(str(area) for area in target.frame.index[units])
    own = isinstance(target, CensusZones) and target.census.data is source.census.data
    return sorted(map(str, target.ids)) if own else []


def _require_option(name: str, value: str, options: Any) -> None:
    if value not in get_args(options):
        raise CrosswalkError(
            "crosswalk.option", name=name, value=value, options=list(get_args(options))
        )


def _met(source: Zones, targets: Targets, area: Shares) -> list[Finding]:
    """Return what must be said about the overlay itself."""
    findings = [
        finding("crosswalk.repaired_source", "note", source.ids[row], id=source.ids[row])
        for row in area.repaired
    ]
    findings += [
        finding("crosswalk.repaired_target", "note", targets.ids[row], id=targets.ids[row])
        for row in targets.outlines.repaired
    ]
    findings += [
        finding("crosswalk.unplaced", "warning", source.ids[row], id=source.ids[row])
        for row in area.unplaced
    ]
    empty = np.setdiff1d(np.arange(len(targets)), area.pairs.area)
    findings += [
        finding("crosswalk.no_overlap", "warning", targets.ids[row], id=targets.ids[row])
        for row in empty
    ]
    return findings


def _assembled(
    source: Zones,
    targets: Targets,
    area: Shares,
    weighted: Shares,
    held: Held,
    *,
    meta: dict[str, Any],
    findings: list[Finding],
) -> Crosswalk:
    """Put ids to positions; order everything by ids."""
    pairs, surface = weighted.pairs, area.pairs
    met = np.unique(pairs.unit)
    named, rank = _ranked(_ids(source, met))
    amount, basis = held(met)
    code, bases = pd.factorize(basis)
    targeted, based = _texts(targets.ids), _texts(bases).take(code)
    at = np.searchsorted(met, pairs.unit)
    place = np.lexsort((pairs.area, rank[at]))
    at, column = at[place], pairs.area[place]
    frame = pd.DataFrame(
        {
            "source_id": named.take(rank[at]),
            "target_id": targeted.take(column),
            "share": pairs.share[place],
            "area_share": surface.share[place],
            "weight": pairs.share[place] * amount[at],
            "share_basis": based.take(at),
        }
    )
    both = np.searchsorted(met, pairs.shared_unit)
    place = np.lexsort((rank[both], pairs.shared_other, pairs.shared_area))
    overlaps = pd.DataFrame(
        {
            "target_id": targeted.take(pairs.shared_area[place]),
            "other_id": targeted.take(pairs.shared_other[place]),
            "source_id": named.take(rank[both[place]]),
            "share": pairs.shared[place],
            "area_share": surface.shared[place],
        }
    )
    _require_sums(pairs.unit, pairs.share, pairs.shared_unit, lambda rows: _ids(source, rows))
    outside = np.ones(len(source))
    outside[pairs.covered_unit] = _left(pairs.covered)

    def every() -> tuple[pd.DataFrame, pd.DataFrame]:
        named, rank = _ranked(np.asarray(source.ids, dtype=object))
        order = np.argsort(rank)
        amount, basis = held(np.arange(len(source), dtype=np.int64))
        code, bases = pd.factorize(basis)
        remainder = pd.DataFrame({"source_id": named, "share": outside[order]})
        sources = pd.DataFrame(
            {"weight": amount[order], "share_basis": _texts(bases).take(code[order])},
            index=pd.Index(named, name="source_id"),
        )
        return remainder, sources

    coverage = coverage_of(source, targets, area)
    fit = fit_of(
        pairs.unit,
        pairs.area,
        pairs.share,
        surface.share,
        remainder=outside,
        held=_counted_here(met, (amount, basis), meta["weight"], len(source), every),
        coverage=coverage,
    )
    quality = fit.assign(target_id=targets.ids)[list(_QUALITY)]
    findings += [
        finding("crosswalk.sources_overlap", "warning", one, value=share, id=one, share=share)
        for one, share in zip(targets.ids, coverage, strict=True)
        if share > 1 + _OVER
    ]
    meta |= {
        "sources": len(source),
        "targets": len(quality),
        "pairs": len(frame),
        "lipgeo": __version__,
        "shapely": shapely.__version__,
        "geos": shapely.geos_version_string,
        "dust": DUST,
    }
    return Crosswalk._met(frame, overlaps, quality, every, meta=meta, report=CheckReport(findings))


def _counted_here(
    met: Ints,
    told: tuple[Floats, npt.NDArray[np.object_]],
    weight: str,
    count: int,
    every: Callable[[], tuple[pd.DataFrame, pd.DataFrame]],
) -> Floats:
    """Return :func:`counted` by position, 0 for sources that were not met."""
    amount, basis = told
    mine = pd.DataFrame({"weight": amount, "share_basis": pd.Series(basis, dtype=object)})
    if weight != "area" and not np.isin(basis, [weight, "point"]).any():
        # by land only where nobody is counted anywhere: the rest of the sources says so
        others = every()[1]["share_basis"]
        if (others.eq(weight) | others.eq("point")).any():
            mine["weight"] = 0.0
    held = np.zeros(count)
    held[met] = counted(mine, weight)
    return held


def _ids(source: Zones, rows: Ints) -> npt.NDArray[np.object_]:
    """Return the ids of some sources; a census is asked for no others."""
    if isinstance(source, CensusZones):
        held = source.census.data.attributes(str(source.level), ["unit_id"], rows)
        return np.asarray(held["unit_id"].to_numpy(dtype=object))
    return np.asarray(source.ids[rows], dtype=object)


def _ranked(ids: npt.NDArray[np.object_]) -> tuple[Any, Ints]:
    """Return ids in their order, as pandas keeps texts, and the place of each in it."""
    order = np.argsort(ids.astype(str), kind="stable")
    rank = np.empty(len(ids), dtype=np.int64)
    rank[order] = np.arange(len(ids))
    return _texts(ids[order]), rank


def _texts(values: npt.NDArray[np.object_]) -> Any:
    """Return texts as pandas keeps them."""
    return pd.Series(values).array


def _left(covered: Floats) -> Floats:
    """Return what is left of a source, 0 where nothing is but rounding."""
    rest = np.maximum(1.0 - covered, 0.0)
    return np.where(rest <= _EXACT, 0.0, rest)


def _composed_overlaps(first: Crosswalk, other: Crosswalk, at: Ints) -> pd.DataFrame:
    """Return what composed targets have in common: overlaps of the second, met by the first."""
    twice = other._overlaps
    couples = pd.MultiIndex.from_frame(twice[["target_id", "other_id"]]).unique().sort_values()
    column = couples.get_indexer(pd.MultiIndex.from_frame(twice[["target_id", "other_id"]]))
    row = other._sources.index.get_indexer(pd.Index(twice["source_id"]))
    shape = (len(other._sources), len(couples))
    parts = []
    for name in ("share", "area_share"):
        matrix = first.matrix if name == "share" else first._sparse(name)
        values = scipy.sparse.csr_matrix((twice[name].to_numpy(), (row, column)), shape=shape)
        parts.append((matrix @ values[at]).tocoo())
    share, surface = parts
    keys = surface.col.astype(np.int64) * len(first._sources) + surface.row
    place = np.argsort(keys, kind="stable")
    names = couples.to_frame(index=False).take(surface.col[place])
    return pd.DataFrame(
        {
            "target_id": names["target_id"].to_numpy(),
            "other_id": names["other_id"].to_numpy(),
            "source_id": first._sources.index.to_numpy()[surface.row[place]],
            "share": _entries(share, surface.row[place], surface.col[place]),
            "area_share": _whole(surface.data[place]),
        }
    )


def _entries(matrix: Any, row: Ints, column: Ints) -> Floats:
    """Return entries of a sparse matrix."""
    if not len(row):
        return np.empty(0)
    return _whole(np.asarray(matrix.tocsr()[row, column], dtype=np.float64).ravel())


def _whole(share: Floats) -> Floats:
    """Return shares, 1 where nothing is missing but rounding."""
    return np.where(share >= 1 - _EXACT, 1.0, share)


def _require_sound(crosswalk: Crosswalk) -> None:
    """Raise unless columns, types and shares are a crosswalk's."""
    parts = {
        "frame": (crosswalk._frame, _FRAME),
        "remainder": (crosswalk._remainder, _REMAINDER),
        "overlaps": (crosswalk._overlaps, _OVERLAPS),
        "quality": (crosswalk._quality, _QUALITY),
        "sources": (crosswalk._sources, _SOURCES),
    }
    problems = [
        {"part": part, "problem": "columns", "needed": list(columns), "given": list(frame.columns)}
        for part, (frame, columns) in parts.items()
        if tuple(frame.columns) != columns
    ]
    if problems:
        raise CrosswalkError("crosswalk.columns", problems, parts=[p["part"] for p in problems])
    problems = [
        {"part": part, "problem": "type", "column": name, "given": str(frame[name].dtype)}
        for part, (frame, columns) in parts.items()
        for name in columns
        if name not in _TEXTS and frame[name].dtype != np.float64
    ]
    if problems:
        names = [f"{p['part']}.{p['column']} ({p['given']})" for p in problems]
        raise CrosswalkError("crosswalk.types", problems, columns=names)
    frame = crosswalk._frame
    outside = ~(frame["share"].between(0, 1) & frame["area_share"].between(0, 1))
    if outside.any():
        bad = frame.loc[outside, ["source_id", "target_id", "share", "area_share"]]
        raise CrosswalkError(
            "crosswalk.range", bad.to_dict("records"), ids=bad["source_id"].unique()
        )
    row, column = crosswalk._positions()
    if (row < 0).any() or (column < 0).any():
        bad = frame.loc[(row < 0) | (column < 0), ["source_id", "target_id"]]
        raise CrosswalkError("crosswalk.strangers", bad.to_dict("records"), ids=bad["source_id"])
    twice = frame.duplicated(["source_id", "target_id"])
    if twice.any():
        bad = frame.loc[twice, ["source_id", "target_id"]]
        raise CrosswalkError("crosswalk.twice", bad.to_dict("records"), ids=bad["source_id"])
    if len(crosswalk._remainder) != len(crosswalk._sources):
        raise CrosswalkError(
            "crosswalk.remainder",
            remainder=len(crosswalk._remainder),
            sources=len(crosswalk._sources),
        )
    index = crosswalk._sources.index
    overlapped = index.get_indexer(pd.Index(crosswalk._overlaps["source_id"].unique()))
    share = frame["share"].to_numpy(dtype=np.float64)
    _require_sums(row, share, overlapped, lambda rows: index[rows].to_numpy(dtype=object))


def _require_sums(
    row: Ints,
    share: Floats,
    overlapped: Ints,
    ids: Callable[[Ints], npt.NDArray[np.object_]],
) -> None:
    """Raise where the shares of a source in targets that do not overlap are more than all of it."""
    summed = np.bincount(row, weights=share)
    more = np.setdiff1d(np.flatnonzero(summed > 1 + _SUM), overlapped)
    if len(more):
        named = ids(more)
        raise CrosswalkError(
            "crosswalk.sums",
            [{"source_id": i, "sum": float(s)} for i, s in zip(named, summed[more], strict=True)],
            ids=named,
        )
