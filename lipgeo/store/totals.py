"""Add up the counts of units from the units inside them, and hold them against the published."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.census.data import COUNTS
from lipgeo.report import Severity
from lipgeo.store.levels import FLAG, ImportFinding, Levels, Piece

__all__ = ["PROOFS", "compare", "fill_counts", "published_totals_of"]

#: totals that prove a unit complete
PROOFS = (*COUNTS, "da_count", "db_count")
#: a block's population below 15 is rounded to base 5 under control; sums stay within this
_ROUNDING = 5.0
_SIDES: tuple[tuple[str, Severity, int], ...] = (
    ("sum_above_published", "warning", 1),
    ("sum_below_published", "note", -1),
)


def fill_counts(levels: Levels) -> None:
    """Fill counts that no source gives with sums over the finest units that have all of them.

    A reserve flagged as incompletely enumerated has no count and adds nothing, as in Statistics
    Canada's own totals; the units around it carry the flag. Any other missing count leaves the
    sum missing.
    """
    for level in levels.with_units()[1:]:
        columns = levels.tables[level]
        for child in levels.finer(level):
            _flag(levels, level, child)
        for name in (*COUNTS, "land_km2"):
            values = columns.get(name, np.full(levels.size(level), np.nan))
            for child in levels.finer(level):
                open_ = np.isnan(values)
                table = levels.tables[child]
                if open_.any() and level in table and name in table:
                    values = np.where(open_, _sums(levels, level, child, name), values)
            if not np.isnan(values).all():
                columns[name] = values
    _report_missing(levels)


def _sums(levels: Levels, level: str, child: str, name: str) -> npt.NDArray[np.float64]:
    """Sum a count of ``child`` by unit; NaN where one is missing, or none is known."""
    columns = levels.tables[child]
    values = columns[name]
    known = ~np.isnan(values)
    if FLAG in columns and name in COUNTS:
        values = np.where(columns[FLAG] & np.isnan(values), 0.0, values)
    place = levels.link(child, level)
    inside = place >= 0
    size = levels.size(level)
    total = np.bincount(place[inside], weights=values[inside], minlength=size)
    return np.where(np.bincount(place[inside & known], minlength=size) > 0, total, np.nan)


def _flag(levels: Levels, level: str, child: str) -> None:
    columns = levels.tables[child]
    if FLAG in columns and level in columns:
        flags = levels.tables[level].setdefault(FLAG, np.zeros(levels.size(level), dtype=bool))
        place = levels.link(child, level)
        flags[place[columns[FLAG] & (place >= 0)]] = True


def _report_missing(levels: Levels) -> None:
    """Say which of the finest units have no counts: every sum above them is then missing."""
    level, columns = levels.finest, levels.tables[levels.finest]
    size = levels.size(level)
    if "population" not in columns:
        levels.checks.append(
            ImportFinding("no_counts", "warning", level, "store.no_counts", held=size)
        )
    for name in COUNTS:
        missing = np.isnan(columns.get(name, np.empty(0)))
        if FLAG in columns and name in columns:
            missing &= ~columns[FLAG]
        if missing.any():
            levels.checks.append(
                ImportFinding(
                    "counts_missing", "warning", level, "store.counts_missing",
                    units=tuple(columns["unit_id"][missing]), column=name, held=size,
                )
            )  # fmt: skip


def published_totals_of(
    pieces: Sequence[Piece], outside: pd.DataFrame, finest: str
) -> pd.DataFrame:
    """Return the totals known independently of the finest units: own files first.

    Parameters
    ----------
    pieces
        What the sources say; counts of levels above ``finest`` are totals.
    outside
        Totals that come with lipgeo: ``level, unit_id`` and any of :data:`PROOFS`.
    finest
        The finest level held.

    Returns
    -------
    pandas.DataFrame
        ``level, unit_id`` and :data:`PROOFS` (float64, NaN where not known), sorted; also units
        that are not held.
    """
    columns = ["level", "unit_id", *PROOFS]
    own = [
        piece.frame.assign(level=piece.level)
        for piece in sorted(pieces, key=lambda piece: piece.order)
        if piece.level != finest and set(PROOFS) & set(piece.frame.columns)
    ]
    parts = [
        frame.reindex(columns=columns).astype(dict.fromkeys(PROOFS, np.float64))
        for frame in (*own, outside)
        if len(frame)
    ]
    if not parts:
        kinds = {name: "float64" if name in PROOFS else "str" for name in columns}
        return pd.DataFrame(columns=columns).astype(kinds)
    # first() passes over what is missing, column by column
    known = pd.concat(parts).groupby(["level", "unit_id"], sort=True).first().reset_index()
    return known[known[list(PROOFS)].notna().any(axis=1)].reset_index(drop=True)


def compare(levels: Levels, published: pd.DataFrame) -> None:
    """Hold the sums over the finest units against the totals published for the units above."""
    finest = levels.finest
    for level in levels.with_units()[1:]:
        totals = published[published["level"] == level].set_index("unit_id")
        if not len(totals) or level not in levels.tables[finest]:
            continue
        totals = totals.reindex(levels.tables[level]["unit_id"])
        for name in COUNTS:
            if name in levels.tables[finest]:
                _compare(levels, level, name, totals[name].to_numpy())


def _compare(levels: Levels, level: str, name: str, totals: npt.NDArray[np.float64]) -> None:
    stored = _sums(levels, level, levels.finest, name)
    units = levels.tables[level]["unit_id"]
    for check, severity, side in _SIDES:
        gap = side * (stored - totals)
        wrong = gap > _ROUNDING
        if wrong.any():
            worst = int(np.nanargmax(gap))
            levels.checks.append(
                ImportFinding(
                    check, severity, level, f"store.{check}", units=tuple(units[wrong]),
                    limit=_ROUNDING, column=name, finest=levels.finest, worst=units[worst],
                    stored=stored[worst], published=totals[worst],
                )
            )  # fmt: skip
