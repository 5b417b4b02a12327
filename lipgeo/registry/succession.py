"""What units that ceased to exist between two censuses became."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import shapely

from lipgeo.census import Census
from lipgeo.errors import IdError
from lipgeo.geography import parse_unit
from lipgeo.words import listing, say
from lipgeo.zones.preflight import make_valid_polygons

__all__ = ["became", "ceased_sentence"]

#: a successor holds at least this share of the old unit's surface
_LEAST = 0.005


def became(level: str, unit_id: str, earlier: Census, census: Census) -> pd.DataFrame:
    """Return the units of a census that lie where a unit of an earlier one lay.

    By polygons where both hold them, else by name.

    Parameters
    ----------
    level, unit_id
        The unit, in the earlier census.
    earlier, census
        The two.

    Returns
    -------
    pandas.DataFrame
        Most first: ``unit_id, unit_name`` (text), ``population`` (persons in ``census``, NaN where
        missing), ``share`` of the old unit's surface now in it (NaN where found by name).

    Raises
    ------
    UnknownUnitError, MissingLevelError
        The earlier census does not hold the unit, or one of them not the level.
    """
    row = earlier.rows(level, [unit_id])
    now = census.units(level)
    old, *_ = make_valid_polygons(earlier.data.geometry(level, row))
    boxes = census.data.boxes(level)
    if old[0] is None or np.isnan(boxes).all():
        name = earlier.units(level)["unit_name"].iloc[int(row[0])]
        found = census.find(name, level=level) if pd.notna(name) else pd.DataFrame()
        ids = found["unit_id"] if len(found) else pd.Series(dtype="string")
        shares = pd.Series(np.nan, index=pd.Index(ids))
    else:
        west, south, east, north = np.nan_to_num(boxes, nan=np.inf).T
        x0, y0, x1, y1 = old[0].bounds
        near = np.flatnonzero((west <= x1) & (east >= x0) & (south <= y1) & (north >= y0))
        new, *_ = make_valid_polygons(census.data.geometry(level, near.astype(np.int64)))
        inside = shapely.area(shapely.intersection(new, old[0])) / old[0].area
        shares = pd.Series(inside, index=now.index[near])
        shares = shares[shares >= _LEAST].sort_values(ascending=False, kind="stable")
    frame = now.reindex(shares.index)[["unit_name", "population"]]
    return frame.assign(share=shares.to_numpy()).rename_axis("unit_id").reset_index()


def ceased_sentence(codes: Iterable[str], census: Census, earlier: Census | None) -> str:
    """Say of each unit that only the earlier census holds what it became; empty where none is.

    Parameters
    ----------
    codes
        Units as people write them, ``CSD:1301006``; what is no unit of the earlier census is
        passed over.
    """
    if earlier is None:
        return ""
    said = []
    for code in dict.fromkeys(codes):
        try:
            level, unit_id = parse_unit(str(code), earlier.vintage)
        except IdError:
            continue
        if level not in earlier.levels or level not in census.levels:
            continue
        before = earlier.units(level)
        if unit_id in census.units(level).index or unit_id not in before.index:
            continue
        heirs = became(level, unit_id, earlier, census)
        shown = [
            say(
                "registry.heir" if pd.notna(heir.share) else "registry.heir_by_name",
                unit=f"{level}:{heir.unit_id}",
                name=heir.unit_name if pd.notna(heir.unit_name) else "",
                share=heir.share,
            )
            for heir in heirs.itertuples(index=False)
        ]
        name = before.loc[unit_id, "unit_name"]
        said.append(
            say(
                "registry.became" if shown else "registry.became_nothing",
                unit=f"{level}:{unit_id}",
                name="" if pd.isna(name) else name,
                vintage=str(earlier.vintage),
                now=str(census.vintage),
                heirs=listing(shown),
            )
        )
    return " ".join(said)
