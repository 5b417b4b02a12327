"""The order of a level's rows: along the hierarchy, then by place, so that reads touch little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["CHAIN", "hierarchical_order", "hilbert"]

#: the chain that nests by definition, coarse to fine; rows are ordered along it
CHAIN = ("PR", "CD", "CSD", "DA", "DB")


def hierarchical_order(
    frames: Mapping[str, pd.DataFrame], boxes: Mapping[str, npt.NDArray[np.float64]]
) -> dict[str, npt.NDArray[np.int64]]:
    """Return, for each level, the order of its rows: along the chain, then by place, then by id.

    A unit's place is the position of its box's centre on a Hilbert curve; a unit without a polygon
    comes after its neighbours of the same parent. Whatever the order of the frames given, equal
    units get the same order.
    """
    orders: dict[str, npt.NDArray[np.int64]] = {}
    ranks: dict[str, tuple[pd.Index, npt.NDArray[np.int64]]] = {}
    chain = [level for level in CHAIN if level in frames]
    for level in (*chain, *(level for level in frames if level not in chain)):
        frame = frames[level]
        ids = frame["unit_id"].to_numpy(dtype=object)
        above = chain[: chain.index(level)] if level in chain else ["PR"]
        keys: list[npt.NDArray[Any]] = [ids, hilbert(boxes[level])]
        for parent in reversed(above):
            if parent not in frame:
                continue
            values = frame[parent].to_numpy(dtype=object)
            if parent in ranks and len(ranks[parent][1]):
                index, rank = ranks[parent]
                found = index.get_indexer(pd.Index(values))
                keys.append(np.where(found < 0, len(index), rank[found]))
            else:
                codes = pd.factorize(values, sort=True)[0]
                keys.append(np.where(codes < 0, len(codes), codes))
        # the last key of a lexsort is the first to sort by
        order = np.lexsort([pd.factorize(key, sort=True)[0] for key in keys])
        orders[level] = np.asarray(order, dtype=np.int64)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        ranks[level] = (pd.Index(ids), rank)
    return orders


def hilbert(boxes: npt.NDArray[np.float64], bits: int = 16) -> npt.NDArray[np.float64]:
    """Return the position of each box's centre on a Hilbert curve over EPSG:3347's extent.

    The extent is fixed (Canada with a margin), so a unit keeps its place whatever else is held;
    infinite where the box is missing. Shape (n,).
    """
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    missing = np.isnan(centre).any(axis=1)
    side = 1 << bits
    cells = np.clip((np.nan_to_num(centre) - (3.0e6, 0.0)) / 7.0e6 * side, 0, side - 1)
    x, y = cells.astype(np.int64).T
    position = np.zeros(len(boxes), dtype=np.int64)
    step = side >> 1
    while step:
        right, upper = ((x & step) > 0).astype(np.int64), ((y & step) > 0).astype(np.int64)
        position += step * step * ((3 * right) ^ upper)
        flip = (upper == 0) & (right == 1)
        x, y = np.where(flip, side - 1 - x, x), np.where(flip, side - 1 - y, y)
        turn = upper == 0
        x, y = np.where(turn, y, x), np.where(turn, x, y)
        step >>= 1
    return np.where(missing, np.inf, position.astype(np.float64))
