"""Readers of what people keep: service areas, spreadsheets, census tables as they come."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lipgeo.readers.areas import named_levels, read_service_areas
    from lipgeo.readers.correspondence import read_correspondence
    from lipgeo.readers.profile import read_profile
    from lipgeo.readers.sheets import Sheet, read_sheet
    from lipgeo.readers.tables import read_table

__all__ = [
    "Sheet",
    "named_levels",
    "read_correspondence",
    "read_profile",
    "read_service_areas",
    "read_sheet",
    "read_table",
]

#: public name -> room: who reads an outline loads no reader of census tables
_ROOMS = {
    "Sheet": "sheets",
    "named_levels": "areas",
    "read_correspondence": "correspondence",
    "read_profile": "profile",
    "read_service_areas": "areas",
    "read_sheet": "sheets",
    "read_table": "tables",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
