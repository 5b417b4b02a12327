"""Following one crosswalk by another: products of shares, as sparse matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from lipgeo.arguments import require_kind
from lipgeo.crosswalk.quality import counted, fit_of
from lipgeo.crosswalk.sound import QUALITY, left, whole
from lipgeo.errors import CrosswalkError

if TYPE_CHECKING:
    from lipgeo.crosswalk.table import Crosswalk

__all__ = ["followed"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def followed(
    first: Crosswalk, other: Crosswalk
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return frame, remainder, overlaps and quality from the first's sources to other's targets.

    See :meth:`lipgeo.crosswalk.Crosswalk.compose`.
    """
    require_kind(other, type(first), "arguments.crosswalk", "other")
    if len(first._overlaps):
        raise CrosswalkError(
            "crosswalk.compose_overlaps", targets=first._overlaps["target_id"].unique()
        )
    between = pd.Index(first._quality["target_id"])
    lost = between.difference(other._sources.index)
    if len(lost):
        raise CrosswalkError(
            "crosswalk.compose_unknown", [{"target_id": one} for one in lost], zones=lost
        )
    at = other._sources.index.get_indexer(between)
    joint = (first._pattern() @ other._pattern()[at]).tocsr()
    joint.sort_indices()
    row = np.repeat(np.arange(joint.shape[0]), np.diff(joint.indptr))
    column = joint.indices
    share = _entries(first.matrix @ other.matrix[at], row, column)
    surface = _entries(first._sparse("area_share") @ other._sparse("area_share")[at], row, column)
    covered = first.matrix @ (1 - other._remainder["share"].to_numpy()[at])
    sources, targets = first.sources, other._quality["target_id"]
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
    remainder = first._remainder.assign(share=left(whole(covered)))
    fit = fit_of(
        row,
        column,
        share,
        surface,
        remainder=remainder["share"].to_numpy(),
        held=counted(sources, first.weight),
        coverage=other._quality["coverage"].to_numpy(),
    )
    quality = fit.assign(target_id=targets)[list(QUALITY)]
    return frame, remainder, _composed_overlaps(first, other, at), quality


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
            "area_share": whole(surface.data[place]),
        }
    )


def _entries(matrix: Any, row: Ints, column: Ints) -> Floats:
    """Return entries of a sparse matrix."""
    if not len(row):
        return np.empty(0)
    return whole(np.asarray(matrix.tocsr()[row, column], dtype=np.float64).ravel())
