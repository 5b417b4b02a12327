"""Crosswalks and tables made from plain arrays, for tests of what is done with them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lipgeo.crosswalk import Crosswalk
from lipgeo.tables import CensusTable, Variable


def crosswalk(
    shares: np.ndarray,
    area_shares: np.ndarray | None = None,
    *,
    held: np.ndarray | None = None,
    weight: str = "population",
    listed: tuple[str, ...] = (),
    overlaps: pd.DataFrame | None = None,
    remainder: np.ndarray | None = None,
    ids: list[str] | None = None,
    placed: str = "surface",
) -> Crosswalk:
    """Make a crosswalk from a matrix of shares, sources ``s00`` .. (or ``ids``) by targets ``t0``.

    Area shares are the shares where not given; sources hold 100 people each.
    """
    shares = np.asarray(shares, dtype=float)
    surface = shares if area_shares is None else np.asarray(area_shares, dtype=float)
    count, width = shares.shape
    held = np.full(count, 100.0) if held is None else np.asarray(held, dtype=float)
    sources = source_ids(count) if ids is None else np.array(ids, dtype=object)
    targets = target_ids(width)
    row, column = np.nonzero(surface > 0)
    frame = pd.DataFrame(
        {
            "source_id": sources[row],
            "target_id": targets[column],
            "share": shares[row, column],
            "area_share": surface[row, column],
            "weight": shares[row, column] * held[row],
            "share_basis": weight,
        }
    )
    rest = np.maximum(1 - shares.sum(axis=1), 0.0) if remainder is None else remainder
    empty = pd.DataFrame(
        {
            "target_id": pd.Series(dtype=object),
            "other_id": pd.Series(dtype=object),
            "source_id": pd.Series(dtype=object),
            "share": pd.Series(dtype=float),
            "area_share": pd.Series(dtype=float),
        }
    )
    quality = pd.DataFrame(
        {
            "target_id": targets,
            "quality_index": 1.0,
            "best_fit_pct": 100.0,
            "coverage": 1.0,
            "straddling_share": 0.0,
        }
    )
    return Crosswalk(
        frame,
        pd.DataFrame({"source_id": sources, "share": rest}),
        empty if overlaps is None else overlaps,
        quality,
        pd.DataFrame(
            {"weight": held, "share_basis": weight}, index=pd.Index(sources, name="source_id")
        ),
        meta={
            "source_level": None,
            "target_level": None,
            "target_kind": "areas",
            "vintage": None,
            "weight": weight,
            "placement": placed,
            "placed": {placed: 1.0},
            "listed": list(listed),
        },
    )


def source_ids(count: int) -> np.ndarray:
    """Return ids of sources, in order."""
    return np.array([f"s{i:02d}" for i in range(count)], dtype=object)


def target_ids(count: int) -> np.ndarray:
    """Return ids of targets, in order."""
    return np.array([f"t{i}" for i in range(count)], dtype=object)


def count(name: str, **changes: object) -> Variable:
    """Return a plain count of people, exact and not sampled."""
    return Variable(name, "count", **{"rounding": 0.0, "universe": "population", **changes})


def table(columns: dict[str, object], variables: dict[str, Variable | str], **more: object):
    """Return a table of zones ``s00`` .. from columns."""
    length = len(next(iter(columns.values())))
    frame = pd.DataFrame(columns, index=source_ids(length))
    symbols = more.pop("symbols", None)
    if symbols is not None:
        symbols = pd.DataFrame(symbols, index=frame.index)
    return CensusTable(frame, variables, level=None, vintage=None, symbols=symbols, **more)
