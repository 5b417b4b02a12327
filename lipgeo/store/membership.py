"""Who lies in whom: by ids and files, never by polygons."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lipgeo import geography
from lipgeo.store.levels import Levels, empty

__all__ = ["complete_membership"]


def complete_membership(levels: Levels) -> None:
    """Give every unit the parents of its parents, and those all its units agree on."""
    _inherit_all(levels)
    _agree_all(levels)
    _inherit_all(levels)


def _inherit_all(levels: Levels) -> None:
    for child in reversed(levels.held()):
        for parent in levels.held():
            if parent in levels.tables[child]:
                for above in levels.parents(parent):
                    if above != child:
                        _inherit(levels, child, parent, above)


def _inherit(levels: Levels, child: str, parent: str, above: str) -> None:
    have = levels.tables[child].get(above)
    missing = np.ones(levels.size(child), bool) if have is None else pd.isna(have)
    if not missing.any():
        return
    place = levels.link(child, parent)
    values = levels.tables[parent][above][place]
    values[place < 0] = None
    if pd.isna(values[missing]).all():
        return
    levels.set_parent(child, above, values if have is None else np.where(missing, values, have))


def _agree_all(levels: Levels) -> None:
    """Give a unit the parent in which all its units lie, where by definition it lies in one."""
    for level in levels.held():
        for above in geography.nests_in(level, levels.vintage):
            if above in levels.tables:
                for child in levels.finer(level):
                    if level in levels.tables[child] and above in levels.tables[child]:
                        _agree(levels, level, above, child)


def _agree(levels: Levels, level: str, above: str, child: str) -> None:
    columns = levels.tables[level]
    have = columns.get(above, empty(above, levels.size(level)))
    missing = pd.isna(have)
    if not missing.any():
        return
    place, inside = levels.link(child, level), levels.link(child, above)
    low = np.full(len(have), np.iinfo(np.int64).max)
    high = np.full(len(have), -1)
    np.minimum.at(low, place[place >= 0], inside[place >= 0])
    np.maximum.at(high, place[place >= 0], inside[place >= 0])
    one = missing & (low == high) & (high >= 0)
    if one.any():
        have[one] = levels.tables[above]["unit_id"][high[one]]
        levels.set_parent(level, above, have)
