"""What every crosswalk must be: its columns and types, its shares, nothing lost or made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.areas.faults import finding
from lipgeo.crosswalk.quality import counted
from lipgeo.errors import CrosswalkError
from lipgeo.report import Finding

if TYPE_CHECKING:
    from lipgeo.crosswalk.table import Crosswalk

__all__ = [
    "EXACT",
    "FRAME",
    "OVERLAPS",
    "QUALITY",
    "REMAINDER",
    "SOURCES",
    "SUM",
    "left",
    "lost_or_made",
    "require_sound",
    "require_sums",
    "whole",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FRAME = ("source_id", "target_id", "share", "area_share", "weight", "share_basis")
REMAINDER = ("source_id", "share")
OVERLAPS = ("target_id", "other_id", "source_id", "share", "area_share")
QUALITY = ("target_id", "quality_index", "best_fit_pct", "coverage", "straddling_share")
SOURCES = ("weight", "share_basis")
_TEXTS = {"source_id", "target_id", "other_id", "share_basis"}
#: shares of a source add up to 1 within this
SUM = 1e-9
#: sums and products of exact shares are exact to this
EXACT = 1e-12


def left(covered: Floats) -> Floats:
    """Return what is left of a source, 0 where nothing is but rounding."""
    rest = np.maximum(1.0 - covered, 0.0)
    return np.where(rest <= EXACT, 0.0, rest)


def whole(share: Floats) -> Floats:
    """Return shares, 1 where nothing is missing but rounding."""
    return np.where(share >= 1 - EXACT, 1.0, share)


def require_sound(crosswalk: Crosswalk) -> None:
    """Raise unless columns, types and shares are a crosswalk's."""
    parts = {
        "frame": (crosswalk._frame, FRAME),
        "remainder": (crosswalk._remainder, REMAINDER),
        "overlaps": (crosswalk._overlaps, OVERLAPS),
        "quality": (crosswalk._quality, QUALITY),
        "sources": (crosswalk._sources, SOURCES),
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
    require_sums(row, share, overlapped, lambda rows: index[rows].to_numpy(dtype=object))


def require_sums(
    row: Ints,
    share: Floats,
    overlapped: Ints,
    ids: Callable[[Ints], npt.NDArray[np.object_]],
) -> None:
    """Raise where the shares of a source in targets that do not overlap are more than all of it."""
    summed = np.bincount(row, weights=share)
    more = np.setdiff1d(np.flatnonzero(summed > 1 + SUM), overlapped)
    if len(more):
        named = ids(more)
        raise CrosswalkError(
            "crosswalk.sums",
            [{"source_id": i, "sum": float(s)} for i, s in zip(named, summed[more], strict=True)],
            ids=named,
        )


def lost_or_made(crosswalk: Crosswalk) -> list[Finding]:
    """Return what speaks against conservation; see :meth:`Crosswalk.check`."""
    count = len(crosswalk._sources)
    rows, _ = crosswalk._positions()
    summed = np.bincount(rows, weights=crosswalk._frame["share"], minlength=count)
    at = crosswalk._sources.index.get_indexer(pd.Index(crosswalk._overlaps["source_id"]))
    twice = np.bincount(at, weights=crosswalk._overlaps["share"], minlength=count)
    crowded = np.bincount(at, minlength=count) > 2
    rest = crosswalk._remainder["share"].to_numpy()
    total = summed - twice + rest
    wrong = np.abs(total - 1) > SUM
    # in three overlapping targets the sum over pairs takes off too much
    wrong &= ~(crowded & (total < 1) & (summed + rest >= 1 - SUM))
    findings = [
        finding(
            "crosswalk.not_conserved",
            "error",
            crosswalk._sources.index[row],
            value=float(total[row]),
            total=float(total[row]),
            id=crosswalk._sources.index[row],
        )
        for row in np.flatnonzero(wrong)
    ]
    held = counted(crosswalk._sources, crosswalk.weight)
    if not len(crosswalk._overlaps):
        given, kept = held.sum(), (held * (summed + rest)).sum()
        if abs(kept - given) > SUM * max(given, 1.0):
            findings.append(
                finding("crosswalk.total_not_conserved", "error", "", kept=kept, given=given)
            )
    return findings
