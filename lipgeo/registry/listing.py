"""List, search and show what the registry holds."""

from __future__ import annotations

import difflib
from pathlib import Path

import pandas as pd

from lipgeo.census.search import key
from lipgeo.geography.hierarchy import fold
from lipgeo.geography.hierarchy import province as province_code
from lipgeo.registry.table import KINDS, STATUSES, open_registry, require_one_of

__all__ = ["consortia", "list_", "search", "show"]

_SHOWN = (
    "lip_id", "kind", "name_en", "name_fr", "province", "units", "alternatives", "missing_units",
    "units_status", "extent_status", "existence", "source",
)  # fmt: skip
_SEARCHED = ("lip_id", "name_en", "name_fr", "service_area_text", "lead_org")
#: likeness of a close spelling (difflib's ratio)
_CLOSE = 0.8


def list_(
    *,
    kind: str | None = None,
    province: str | None = None,
    status: str | None = None,
    folder: str | Path | None = None,
) -> pd.DataFrame:
    """List partnerships and networks.

    Parameters
    ----------
    kind
        ``"LIP"``, ``"ZIP"`` (zonal) or ``"RIF"`` (francophone network).
    province
        Two letters, code or name, in either language.
    status
        ``"resolved"``, ``"choose"``, ``"missing"``, ``"placeholder"`` or ``"unknown"``.
    folder
        A registry of one's own; see :func:`lipgeo.registry.open_registry`.

    Returns
    -------
    pandas.DataFrame
        RangeIndex; ``lip_id, kind, name_en, name_fr, province, units, alternatives,
        missing_units, units_status, extent_status, existence, source`` (text, empty where nothing
        is said; units ``;``-joined: a union; alternatives: other readings, never a union).

    Raises
    ------
    RegistryError
        No such kind or status.

    Examples
    --------
    >>> from lipgeo import registry
    >>> registry.list(status="missing")["lip_id"].tolist()
    ['ab-bow-valley', 'ab-jasper']
    """
    frame = open_registry(folder).lips
    if kind is not None:
        frame = frame[frame["kind"].eq(require_one_of(kind.upper(), KINDS, "kind"))]
    if status is not None:
        frame = frame[frame["units_status"].eq(require_one_of(status.lower(), STATUSES, "status"))]
    if province is not None:
        wanted = province_code(province)
        here = frame["province"].map(lambda cell: wanted in map(province_code, _several(cell)))
        frame = frame[here.astype(bool)]
    return frame[list(_SHOWN)].reset_index(drop=True)


def _several(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]


def search(text: str, *, folder: str | Path | None = None) -> pd.DataFrame:
    """Find partnerships by name, id, place or lead organisation; accents and case do not count.

    Parameters
    ----------
    text
        What to look for.
    folder
        A registry of one's own.

    Returns
    -------
    pandas.DataFrame
        As :func:`lipgeo.registry.list`, with ``match``: ``exact``, ``contains`` or, only where
        nothing contains the text, ``close`` (a word of the name spelt nearly so).

    Examples
    --------
    >>> from lipgeo import registry
    >>> registry.search("ILE DU PRINCE EDOUARD")["lip_id"].tolist()
    ['rif-pe']
    """
    frame = open_registry(folder).lips
    wanted = key(text)
    found = pd.Series("", index=frame.index, dtype="string")
    if wanted:
        for column in _SEARCHED:
            keys = frame[column].map(key)
            found = found.mask(found.eq("") & keys.str.contains(wanted, regex=False), "contains")
            found = found.mask(keys.eq(wanted), "exact")
        if found.eq("").all():
            near = frame["name_en"].str.cat([frame["name_fr"], frame["lip_id"]], sep=" ")
            found = found.mask(near.map(lambda name: _resembles(text, name)).astype(bool), "close")
    hits = frame.loc[found.ne(""), list(_SHOWN)].assign(match=found[found.ne("")])
    order = hits["match"].map(["exact", "contains", "close"].index).argsort(kind="stable")
    return hits.iloc[order].reset_index(drop=True)


def _resembles(text: str, name: str) -> bool:
    words = {fold(word) for word in name.replace("-", " ").split()}
    return bool(difflib.get_close_matches(fold(text), words, 1, _CLOSE))


def show(lip_id: str, *, folder: str | Path | None = None) -> dict[str, object]:
    """Return all that is known of one partnership.

    Returns
    -------
    dict
        The columns of its row, ``definitions`` (one dictionary a further definition, oldest
        first) and ``consortia`` (ids of the data consortia the facts match it with).

    Raises
    ------
    RegistryError
        It is not in the registry; the message names the nearest.

    Examples
    --------
    >>> from lipgeo import registry
    >>> entry = registry.show("ab-calgary")
    >>> entry["units_status"], [d["version"] for d in entry["definitions"]], entry["consortia"]
    ('choose', ['city', 'cma'], ['calgary'])
    """
    registry = open_registry(folder)
    row = registry.entries([lip_id]).iloc[0]
    definitions = registry.definitions[registry.definitions["lip_id"].eq(lip_id)]
    matches = registry.consortia["matching_lip_ids"].map(lambda cell: lip_id in _several(cell))
    return {
        "lip_id": lip_id,
        **{str(column): str(value) for column, value in row.items()},
        "definitions": definitions.to_dict("records"),
        "consortia": registry.consortia.loc[matches.astype(bool), "consortium_id"].tolist(),
    }


def consortia(*, folder: str | Path | None = None) -> pd.DataFrame:
    """Return the data consortia named in public pages.

    Returns
    -------
    pandas.DataFrame
        RangeIndex; the columns of ``consortia.csv`` (text). ``units`` and ``alternatives`` are
        general knowledge (``codes_status``); a consortium with alternatives has no units.
    """
    return open_registry(folder).consortia.reset_index(drop=True)
