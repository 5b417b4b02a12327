"""lipgeo: from a service area to a semi-custom census boundary, its order and its numbers.

Names load on first use, so ``import lipgeo`` costs nothing and loads no pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: public name -> the room it lives in
_ROOMS = {
    "Boundaries": "boundary",
    "Census": "census",
    "CensusTable": "tables",
    "CheckReport": "report",
    "Comparison": "comparison",
    "Correspondence": "correspondence",
    "Crosswalk": "crosswalk",
    "Estimates": "tables",
    "LongTable": "tables",
    "ServiceAreas": "areas",
    "Tradeoff": "tradeoffs",
    "Zones": "zones",
    "add_census": "store",
    "add_table": "stored_tables",
    "build_crosswalk": "crosswalk",
    "calibrate": "tables",
    "compare": "comparison",
    "compile_set": "sets",
    "diff_orders": "order",
    "diff_sets": "sets",
    "fit_boundaries": "boundary",
    "gaps": "registry",
    "open_census": "store",
    "open_table": "stored_tables",
    "preview": "maps",
    "read_build": "build",
    "read_correspondence": "readers",
    "read_crosswalk": "crosswalk_file",
    "read_layer": "layers",
    "read_profile": "readers",
    "read_set": "sets",
    "read_service_areas": "readers",
    "read_table": "readers",
    "tradeoff": "tradeoffs",
    "verify_order": "order",
    "vintage_crosswalk": "vintages",
    "weight_areas": "tables",
    "weight_table": "tables",
    "write_build": "build",
    "write_order": "order",
    "write_set": "sets",
    "write_template": "sets",
}
#: rooms reachable as ``lipgeo.room``
_MODULES = ("errors", "geography", "registry", "spark", "synthetic", "words")

__all__ = ["__version__", *_MODULES, *sorted(_ROOMS)]  # noqa: PLE0604

if TYPE_CHECKING:
    from lipgeo import errors as errors
    from lipgeo import geography as geography


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        value = getattr(importlib.import_module(f"lipgeo.{_ROOMS[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"lipgeo.{name}")
    raise AttributeError(f"module 'lipgeo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
