"""Own the reading of what people and Statistics Canada hand out: areas, tables, layers, lists."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lipgeo.readers.areas import named_levels, read_service_areas
    from lipgeo.readers.layers import read_layer
    from lipgeo.readers.sheets import Sheet, read_sheet
    from lipgeo.readers.statcan.correspondence import read_correspondence
    from lipgeo.readers.statcan.profile import read_profile
    from lipgeo.readers.tables import read_table

__all__ = [
    "Sheet",
    "named_levels",
    "read_correspondence",
    "read_layer",
    "read_profile",
    "read_service_areas",
    "read_sheet",
    "read_table",
]

#: public name -> file: who reads an outline loads no reader of census tables
_FILES = {
    "Sheet": "sheets",
    "named_levels": "areas",
    "read_correspondence": "statcan.correspondence",
    "read_layer": "layers",
    "read_profile": "statcan.profile",
    "read_service_areas": "areas",
    "read_sheet": "sheets",
    "read_table": "tables",
}


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_FILES[name]}"), name)
    globals()[name] = value
    return value
