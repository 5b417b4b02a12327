"""Write and read the manifest of an order: what it is made of, byte by byte and unit by unit.

It says the units of each area, and the areas of earlier orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.errors import OrderError
from lipgeo.files import (
    MANIFEST,
    FolderFormat,
    load_json,
    require_as_written,
    require_inside,
    require_manifest,
)
from lipgeo.order.content import CUSTOM_ID, Content
from lipgeo.report import CheckReport

__all__ = [
    "FOR_YOU",
    "ORDER",
    "ORDER_VERSION",
    "SEND",
    "SUMS",
    "ZIP",
    "OldOrder",
    "area_records",
    "checks_path",
    "earlier_areas",
    "read_changed_order",
    "read_checks",
    "read_order",
    "same_area",
]

#: what makes an area the area it is: with these the same, it did not change
_IDENTITY = (
    "custom_id", "area_id", "name_en", "name_fr", "definition", "vintage", "units", "population",
    "dwellings",
)  # fmt: skip


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    plain = value.item() if hasattr(value, "item") else value
    # a whole number is one in every file
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain


def _nest_populations(units: pd.DataFrame) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return custom id -> level -> unit id -> population (``None`` where unknown)."""
    made: dict[str, dict[str, dict[str, float | None]]] = {}
    for custom, level, unit, people in zip(
        units["custom_id"], units["level"], units["unit_id"], units["population"], strict=True
    ):
        made.setdefault(custom, {}).setdefault(level, {})[unit] = _plain(people)
    return made


def area_records(content: Content) -> list[dict[str, Any]]:
    """Return one record an area: identity, dates, chosen units, the fewest units, its own file."""
    units, cover = _nest_populations(content.units), _nest_populations(content.cover)
    return [
        {
            "custom_id": area.custom_id,
            "area_id": str(area.area_id),
            "name_en": area.name_en,
            "name_fr": area.name_fr,
            "definition": str(area.definition),
            "valid_from": _date(area.valid_from),
            "valid_to": _date(area.valid_to),
            "vintage": content.vintage,
            "population": _plain(area.population_union),
            "dwellings": _plain(area.dwellings_union),
            "misfit_share": _plain(area.misfit_share),
            "floor_persons": int(area.floor_persons),
            "flags": str(area.flags),
            "units": units.get(area.custom_id, {}),
            "cover": cover.get(area.custom_id, {}),
            "file": f"{FOR_YOU}/areas/area_{area.custom_id}.geojson",
        }
        for area in content.areas.itertuples()
    ]


def _date(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


def same_area(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two records are of an area that did not change."""
    return all(one.get(key) == other.get(key) for key in _IDENTITY)


def earlier_areas(content: Content, old: OldOrder | None) -> list[dict[str, Any]]:
    """Return the areas of earlier orders that this order does not repeat unit by unit.

    They were published: what they leave of an area of a later order can be found by subtraction.
    """
    if old is None:
        return []
    now = {str(record["units"]) for record in area_records(content)}
    known = [*old.manifest.get("earlier", []), *old.manifest["areas"]]
    kept: dict[str, dict[str, Any]] = {}
    for area in known:
        if str(area["units"]) not in now:
            keep = ("custom_id", "area_id", "name_en", "name_fr", "vintage", "population", "units")
            kept[f"{area['vintage']} {area['units']}"] = {key: area[key] for key in keep}
    return list(kept.values())


#: layout of the package; a reader refuses a newer one
ORDER_VERSION = 2
#: what goes to the receiver, and what stays with the sender
SEND = "send"
FOR_YOU = "for-you"
_COUNT = (int, float, type(None))
_UNITS = {"*": {"*": _COUNT}}
#: sha256 of every other file, in the form of ``sha256sum -c``
SUMS = "SHA256SUMS"
ORDER = FolderFormat(
    "order",
    ORDER_VERSION,
    OrderError,
    "order.no_manifest",
    {
        "vintage": int,
        "custom_ids": {"*": str},
        "areas": [
            {
                "area_id": str,
                "custom_id": str,
                "name_en": (str, type(None)),
                "name_fr": (str, type(None)),
                "definition": str,
                "valid_from": (str, type(None)),
                "valid_to": (str, type(None)),
                "vintage": int,
                "population": _COUNT,
                "dwellings": _COUNT,
                "units": _UNITS,
                "file": str,
            }
        ],
        "files": {"*": {"sha256": str, "bytes": int}},
    },
    sums=SUMS,
)
#: orders of the first version: every file in one, itself and the sums left out
ZIP = "package.zip"


@dataclass(frozen=True)
class OldOrder:
    """An order read back.

    Attributes
    ----------
    folder
        Where it is.
    manifest
        What its manifest says.
    """

    folder: Path
    manifest: dict[str, Any]

    @property
    def vintage(self) -> int:
        """Census year."""
        return int(self.manifest["vintage"])

    @property
    def areas(self) -> dict[str, dict[str, Any]]:
        """What was ordered, by area id."""
        return {area["area_id"]: area for area in self.manifest["areas"]}

    @property
    def used_ids(self) -> dict[str, str]:
        """Every custom id given in this order or before it, to its area."""
        return dict(self.manifest["custom_ids"])

    @property
    def has_zip(self) -> bool:
        """Whether it is of the first version, which had all files in one as well."""
        return int(self.manifest[ORDER.version_key]) < 2

    def path_of(self, name: str) -> Path:
        """Return where a file of this name is; orders of the first version have no folders."""
        found = [at for at in self.manifest["files"] if at.rpartition("/")[2] == name]
        return self.folder / (found[0] if found else name)

    def file_of(self, area: Mapping[str, Any]) -> Path:
        """Return the file an area has of its own."""
        return self.folder / str(area["file"])


def read_order(folder: str | Path) -> OldOrder:
    """Read an order's manifest, whole and unchanged.

    Raises
    ------
    OrderError
        The folder holds no manifest, one of a newer lipgeo, one that cannot be read or was
        changed since it was written, one with paths that leave the folder,
        or with custom ids that are none.
    """
    order = read_changed_order(folder)
    require_as_written(order.folder, ORDER, order.manifest)
    return order


def read_changed_order(folder: str | Path) -> OldOrder:
    """Read an order's manifest as it stands: whoever asks looks for changes next.

    Raises
    ------
    OrderError
        As :func:`read_order`, but for a manifest that was changed and still is one.
    """
    place = Path(folder)
    found = require_manifest(place, ORDER)
    require_inside(place / MANIFEST, ORDER, [area["file"] for area in found["areas"]])
    used = [*found["custom_ids"], *(area["custom_id"] for area in found["areas"])]
    odd = [one for one in dict.fromkeys(used) if not CUSTOM_ID.fullmatch(one)]
    if odd:
        rows = [{"custom_id": one} for one in odd]
        raise OrderError("order.bad_custom_ids", rows, path=place / MANIFEST, ids=odd)
    return OldOrder(place, found)


def checks_path(folder: str | Path) -> Path:
    """Return the file of an order that has all findings."""
    here = Path(folder) / FOR_YOU / "checks.json"
    before = Path(folder) / "checks.json"  # of the first version
    return before if before.is_file() else here


def read_checks(folder: str | Path) -> CheckReport:
    """Return the findings an order was written with.

    Raises
    ------
    OrderError
        There is no ``checks.json``, or it cannot be read.
    """
    path = checks_path(folder)
    try:
        rows = load_json(path.read_bytes())["findings"]
        return CheckReport.from_records(rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OrderError("order.bad_manifest", path=path, reason=error) from error
