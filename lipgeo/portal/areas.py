"""Areas of a portal: an id and a definition, and the unit lists that realise it in each census.

A definition is fixed in one census. Its unit list in another census is a realisation of it, with a
hash and a misfit of its own. A boundary changed only where the definition did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lipgeo.errors import AmbiguousNameError, RegistryError
from lipgeo.portal.indicators.dictionary import VERDICTS
from lipgeo.registry.resolving import units as registry_units
from lipgeo.registry.table import looks_like_ids, open_registry
from lipgeo.words import say

__all__ = [
    "AREA_COLUMNS",
    "JOINED_UP_TO",
    "MARKED_UP_TO",
    "REALISATION_COLUMNS",
    "UNIT_COLUMNS",
    "join_of",
    "realisation_hash",
    "registry_areas",
    "resolve_area",
    "split_area",
    "unit_rows",
]

AREA_COLUMNS = (
    *("area_id", "definition", "kind", "name_en", "name_fr", "province", "vintage", "units"),
    *("extent_status", "confirmed_by", "confirmed_on", "outline", "follows", "note"),
    # the name with its preposition, as sentences put it: "in Durham Region", "à Calgary"
    *("in_en", "in_fr"),
)
#: what an area is: a partnership, or something to hold it against
KINDS = ("partnership", "province", "cma", "canada", "region", "community")
REALISATION_COLUMNS = (
    *("area_id", "definition", "vintage", "realisation_hash", "misfit", "unit_count", "release"),
)
UNIT_COLUMNS = (
    *("area_id", "definition", "vintage", "realisation_hash", "level", "unit_id", "share"),
    "population",
)
#: the definition of an area that has only one
MAIN = "main"
#: misfit between two realisations of a definition up to which their numbers are one series
JOINED_UP_TO = 0.01
#: ... and up to which they are, with a mark
MARKED_UP_TO = 0.03
#: extents nobody has confirmed
UNCONFIRMED = ("assumed", "unknown")


def split_area(area: str) -> tuple[str, str]:
    """Part ``ab-calgary@city`` into id and definition, the latter empty where not said."""
    name, _, definition = str(area).strip().partition("@")
    return name.strip(), definition.strip()


def resolve_area(area: str, known: pd.DataFrame) -> tuple[str, str]:
    """Return id and definition of an area of a portal.

    A bare id with one definition is that one.

    Raises
    ------
    AmbiguousNameError
        The area has several definitions; the message lists them.
    RegistryError
        The portal has no such area or definition.
    """
    name, definition = split_area(area)
    here = known[known["area_id"].eq(name)]
    there = list(dict.fromkeys(here["definition"]))
    if not there:
        raise RegistryError("portal.no_area", [{"area_id": area}], area=area,
                            known=list(dict.fromkeys(known["area_id"])))  # fmt: skip
    if definition and definition not in there:
        listed = [f"{name}@{one}" for one in there]
        raise RegistryError("portal.no_definition", [{"area_id": area}], area=area, known=listed)
    if not definition and len(there) > 1:
        listed = [f"{name}@{one}" for one in there]
        problems = [{"area_id": area, "definition": one} for one in there]
        raise AmbiguousNameError("portal.several_definitions", problems, area=area, known=listed)
    return name, definition or there[0]


def registry_areas(ids: str | Iterable[str], folder: str | Path | None = None) -> pd.DataFrame:
    """Return areas of the registry as rows of a portal: :data:`AREA_COLUMNS`, all text.

    Raises
    ------
    RegistryError
        An id or definition is not in the registry.
    AmbiguousNameError
        An id has several definitions and none is said; the message lists them.
    """
    asked = ids.split(",") if isinstance(ids, str) else list(ids)
    registry = open_registry(folder)
    parted = [split_area(one) for one in asked if str(one).strip()]
    entries = registry.entries([name for name, _ in parted])
    rows = []
    for (name, choice), (_, entry) in zip(parted, entries.iterrows(), strict=True):
        own = registry.definitions[registry.definitions["lip_id"].eq(name)]
        versions = list(own["version"])
        if not choice and len(versions) > 1:
            listed = [f"{name}@{one}" for one in versions]
            problems = [{"area_id": name, "definition": one} for one in versions]
            raise AmbiguousNameError(
                "portal.several_definitions", problems, area=name, known=listed
            )
        if choice and versions and choice not in versions:
            listed = [f"{name}@{one}" for one in versions]
            raise RegistryError(
                "portal.no_definition", [{"area_id": name}], area=f"{name}@{choice}", known=listed
            )
        told = own[own["version"].eq(choice or (versions[0] if versions else ""))]
        base = told.iloc[0] if len(told) else entry
        # an extent that is only assumed is shown once somebody has confirmed it
        rows.append(
            {
                "area_id": name,
                "definition": str(told.iloc[0]["version"]) if len(told) else MAIN,
                "kind": "partnership",
                "name_en": entry["name_en"],
                "name_fr": entry["name_fr"] or entry["name_en"],
                "province": entry["province"],
                "vintage": base["codes_vintage"],
                "units": base["units"] if len(told) else _listed(name, entry),
                "extent_status": base["extent_status"],
                "follows": told.iloc[0]["follows"] if len(told) else "",
                "note": base["note"],
            }
        )
    return _filled(pd.DataFrame(rows))


def _listed(name: str, entry: pd.Series) -> str:
    """Return the units of an entry that is resolved, else nothing."""
    if entry["units_status"] != "resolved":
        return ""
    return ";".join(registry_units(name)["unit"])


def _filled(areas: pd.DataFrame) -> pd.DataFrame:
    """Return areas with every column, as text, empty where nothing is said."""
    frame = areas.reindex(columns=list(AREA_COLUMNS)).astype("string").fillna("")
    return frame.apply(lambda column: column.str.strip()).astype(object).reset_index(drop=True)


def new_areas(ids: Sequence[str], definition: str = "") -> pd.DataFrame:
    """Return rows for areas that a source brings and the portal does not know yet.

    Ids of the registry take its names and its word on how sure their extent is.

    Raises
    ------
    AmbiguousNameError
        Ids have several definitions and none is said; one error lists them all.
    """
    rows = []
    wrong: list[AmbiguousNameError] = []
    registry = open_registry()
    for one in ids:
        name, version = split_area(one)
        version = version or definition
        if looks_like_ids(name) and registry.lips["lip_id"].eq(name).any():
            asked = f"{name}@{version}" if version else name
            try:
                rows.append(registry_areas([asked]).iloc[0].to_dict())
            except AmbiguousNameError as error:
                wrong.append(error)
            continue
        rows.append(
            {
                "area_id": name,
                "definition": version or MAIN,
                "kind": "partnership",
                "name_en": name,
                "name_fr": name,
                "extent_status": "own",
            }
        )
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        problems = [row for one in wrong for row in one.rows]
        listed = [f"{row['area_id']}@{row['definition']}" for row in problems]
        raise AmbiguousNameError("portal.several_have_definitions", problems, areas=listed)
    return _filled(pd.DataFrame(rows))


def realisation_hash(units: Iterable[str], vintage: int | str) -> str:
    """Return the hash of a unit list in a census; the order of the list does not count.

    Examples
    --------
    >>> from lipgeo.portal.areas import realisation_hash
    >>> one = realisation_hash(["CSD:4806016", "DA:48060001"], 2021)
    >>> one == realisation_hash(["DA:48060001", "CSD:4806016"], "2021")
    True
    """
    text = "\n".join([str(vintage), *sorted(set(units))])
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def unit_rows(
    area: str, definition: str, vintage: int, nested: Mapping[str, Mapping[str, float | None]]
) -> pd.DataFrame:
    """Return the units of an area, from level to unit id to people, as :data:`UNIT_COLUMNS`."""
    listed = [(level, unit, people) for level, of in nested.items() for unit, people in of.items()]
    hashed = realisation_hash((f"{level}:{unit}" for level, unit, _ in listed), vintage)
    return pd.DataFrame(
        {
            "area_id": area,
            "definition": definition,
            "vintage": str(vintage),
            "realisation_hash": hashed,
            "level": [level for level, _, _ in listed],
            "unit_id": [unit for _, unit, _ in listed],
            "share": 1.0,
            "population": [np.nan if people is None else people for _, _, people in listed],
        },
        columns=list(UNIT_COLUMNS),
    )


def join_of(misfit: float | None) -> str:
    """Say whether numbers of two realisations are one series: ``yes``, ``caution`` or ``no``.

    Parameters
    ----------
    misfit
        Share of the people that are in one of the two and not in the other; where nobody has
        measured it, the series is marked.

    Examples
    --------
    >>> from lipgeo.portal.areas import join_of
    >>> [join_of(share) for share in (0.0, 0.02, 0.05, None)]
    ['yes', 'caution', 'no', 'caution']
    """
    if misfit is None or np.isnan(misfit):
        return "caution"
    if misfit <= JOINED_UP_TO:
        return "yes"
    return "caution" if misfit <= MARKED_UP_TO else "no"


def join_between(first: pd.Series | None, second: pd.Series | None) -> tuple[str, dict[str, Any]]:
    """Return the verdict on two realisations of one definition, and what fills its reason.

    Two numbers without a list of units go by the definition alone; where one of them has a list,
    nobody has measured what lies between them.
    """
    if first is None and second is None:
        return "yes", {}
    if first is None or second is None:
        return join_of(None), {"misfit": None}
    if first["realisation_hash"] == second["realisation_hash"]:
        return "yes", {}
    misfits = [float(one["misfit"]) for one in (first, second)]
    known = [one for one in misfits if not np.isnan(one)]
    if len(known) < len(misfits) and (not known or max(known) <= MARKED_UP_TO):
        return join_of(None), {"misfit": None}
    worst = max(known)
    return join_of(worst), {"misfit": worst}


def worse(*verdicts: str) -> str:
    """Return the worst of several verdicts."""
    return max(verdicts, key=VERDICTS.index)


def misfit_reason(misfit: float | None) -> str:
    """Return why two realisations are not simply one series."""
    if misfit is None:
        return say("portal.misfit_unknown")
    return say("portal.misfit_is", misfit=misfit)
