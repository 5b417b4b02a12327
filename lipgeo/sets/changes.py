"""What differs between two sets: only that."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from lipgeo.areas import ServiceAreas

if TYPE_CHECKING:
    from lipgeo.sets.compiled import CompiledSet

__all__ = ["COLUMNS", "diff_sets", "fingerprints"]

COLUMNS = (
    "area_id", "change", "what", "units_added", "units_removed", "people_before", "people_now",
)  # fmt: skip
_TEXTS = ("name_en", "name_fr", "valid_from", "valid_to")
#: outlines are compared on a grid of this many metres
_GRID_M = 0.01


def fingerprints(areas: ServiceAreas, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Return what an area is, in columns that can be compared: ``units, outline``, names, kind.

    Index ``area_id``; texts, empty where nothing is said; an outline is the hash of its points.
    """
    frame = areas.frame
    listed = areas.units
    codes = (listed["level"] + ":" + listed["unit_id"]).groupby(listed["area_id"])
    units = codes.agg(lambda held: ";".join(sorted(held))).reindex(frame.index, fill_value="")
    texts = frame[[*_TEXTS]].fillna("").astype(str)
    drawn = frame["definition"].eq("drawn")
    outlines = [
        _digest(shape) if is_drawn and shape is not None else ""
        for shape, is_drawn in zip(frame.geometry, drawn, strict=True)
    ]
    return texts.assign(
        units=units.to_numpy(),
        outline=outlines,
        kind=[kinds.get(area, "") for area in frame.index],
    )


def _digest(shape: shapely.Geometry) -> str:
    plain = shapely.normalize(shapely.set_precision(shape, _GRID_M, mode="pointwise"))
    return hashlib.sha256(shapely.to_wkb(plain)).hexdigest()


def diff_sets(old: CompiledSet, new: CompiledSet) -> pd.DataFrame:
    """Return what changed from one set to the next, and only that.

    Parameters
    ----------
    old, new
        Sets, as compiled or read back.

    Returns
    -------
    pandas.DataFrame
        One row an area that changed, in order of ids: ``area_id``; ``change``: ``added``,
        ``removed`` or ``changed``; ``what`` changed, ``;``-joined (``units, outline, name_en,
        name_fr, valid_from, valid_to, kind``); ``units_added, units_removed`` (``;``-joined
        units); ``people_before, people_now`` (NaN where not known).
    """
    before = fingerprints(old.areas, old.kinds)
    now = fingerprints(new.areas, new.kinds)
    rows = []
    for area in sorted({*before.index, *now.index}):
        gone, come = area not in now.index, area not in before.index
        was = set() if come else _codes(before.loc[area, "units"])
        held = set() if gone else _codes(now.loc[area, "units"])
        if gone or come:
            change, what = ("removed" if gone else "added"), ""
        else:
            differing = before.columns[before.loc[area].ne(now.loc[area])]
            if differing.empty:
                continue
            change, what = "changed", ";".join(differing)
        rows.append(
            {
                "area_id": area,
                "change": change,
                "what": what,
                "units_added": ";".join(sorted(held - was)),
                "units_removed": ";".join(sorted(was - held)),
                "people_before": old.people.get(area, np.nan),
                "people_now": new.people.get(area, np.nan),
            }
        )
    frame = pd.DataFrame(rows, columns=[*COLUMNS])
    numbers = dict.fromkeys(("people_before", "people_now"), "float64")
    return frame.astype(dict.fromkeys(COLUMNS[:5], "string") | numbers)


def _codes(cell: str) -> set[str]:
    return {code for code in cell.split(";") if code}
