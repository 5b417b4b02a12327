"""The ids areas are ordered under: ASCII, stable from order to order, never given to another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

import pandas as pd

from lipgeo.errors import OrderError

__all__ = ["custom_ids"]


def custom_ids(area_ids: Iterable[str], used: Mapping[str, str] | None = None) -> pd.Series:
    """Return the id each area is ordered under: its own in capital letters, without odd marks.

    Parameters
    ----------
    area_ids
        Area ids (text).
    used
        Every custom id ever given, to the area it was given to. An area keeps the id it has; an
        id that another area has or had is not given again: the newcomer's ends in ``-2``, ``-3``.

    Returns
    -------
    pandas.Series
        Index ``area_id``, values the custom ids (``A-Z 0-9 - _``, text).

    Raises
    ------
    OrderError
        Two new areas would share an id, or one would have none; ``problems`` lists them.

    Examples
    --------
    >>> from lipgeo.order import custom_ids
    >>> custom_ids(["nb-péninsule acadienne"]).tolist()
    ['NB-PENINSULE-ACADIENNE']
    >>> custom_ids(["a b", "b"], {"A-B": "a-b", "B": "b"}).tolist()
    ['A-B-2', 'B']
    """
    given = dict(used or {})
    kept = {area: custom for custom, area in given.items()}
    ids = [str(area) for area in area_ids]
    plain = {area: _plain(area) for area in ids if area not in kept}
    texts = pd.Series(plain, dtype=object)
    clash = texts[texts.duplicated(keep=False) | (texts == "")]
    if len(clash):
        raise OrderError(
            "order.custom_id_clash",
            [{"area_id": area, "custom_id": custom} for area, custom in clash.items()],
            areas=clash.index,
        )
    taken = set(given) | set(plain.values())
    made = {}
    for area in ids:
        custom = kept.get(area)
        if custom is None:
            custom, turn = plain[area], 2
            while custom in given or (turn > 2 and custom in taken):
                custom, turn = f"{plain[area]}-{turn}", turn + 1
            taken.add(custom)
        made[area] = custom
    index = pd.Index(ids, name="area_id", dtype=object)
    return pd.Series([made[area] for area in ids], index=index, name="custom_id", dtype=object)


def _plain(area: str) -> str:
    text = unicodedata.normalize("NFKD", area).encode("ascii", "ignore").decode().upper()
    return re.sub(r"[^A-Z0-9_-]+", "-", text).strip("-")
