"""What the manifest says of each area, and of the areas of earlier orders."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lipgeo.order.content import Content
from lipgeo.order.manifest import OldOrder

__all__ = ["area_records", "earlier_areas", "same_area"]

#: what makes an area the area it is: with these the same, it did not change
_IDENTITY = (
    "custom_id", "area_id", "name_en", "name_fr", "definition", "vintage", "units", "population",
    "dwellings",
)  # fmt: skip


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _nested(units: pd.DataFrame) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return custom id -> level -> unit id -> population (``None`` where unknown)."""
    made: dict[str, dict[str, dict[str, float | None]]] = {}
    for custom, level, unit, people in zip(
        units["custom_id"], units["level"], units["unit_id"], units["population"], strict=True
    ):
        made.setdefault(custom, {}).setdefault(level, {})[unit] = _plain(people)
    return made


def area_records(content: Content) -> list[dict[str, Any]]:
    """Return one record an area: identity, dates, chosen units, the fewest units, its own file."""
    units, cover = _nested(content.units), _nested(content.cover)
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
            "file": f"areas/area_{area.custom_id}.geojson",
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
