"""lipgeo: from a service area to a semi-custom census boundary, its order and its numbers.

Names load on first use, so ``import lipgeo`` costs nothing and loads no pandas. Their types stand
in ``__init__.pyi``.
"""

from __future__ import annotations

import importlib
from typing import Any

from lipgeo._version import __version__

#: public name -> the file it lives in
_FILES = {
    "Boundaries": "boundary.boundaries",
    "Census": "census.census",
    "CensusTable": "tables.census_table",
    "CheckReport": "report",
    "Comparison": "tables.comparison",
    "Correspondence": "crosswalk.correspondence",
    "Crosswalk": "crosswalk.crosswalk",
    "Estimates": "tables.estimates",
    "LongTable": "tables.long_table",
    "ServiceAreas": "areas.service_areas",
    "Tradeoff": "boundary.tradeoff",
    "Zones": "zones.zones",
    "add_census": "store.add",
    "add_table": "store.tables.importing",
    "build_crosswalk": "crosswalk.build",
    "build_site": "portal.pages.site",
    "calibrate": "tables.calibrate",
    "compare": "tables.comparison",
    "compile_set": "registry.compile",
    "diff_orders": "order.diff",
    "diff_sets": "registry.compile",
    "fit_boundaries": "boundary.fit",
    "gaps": "registry.coverage",
    "indicators": "portal.indicators.dictionary",
    "open_census": "store.read",
    "open_portal": "portal.portal",
    "open_table": "store.tables.opening",
    "preview": "maps.preview",
    "read_build": "store.results",
    "read_correspondence": "readers.statcan.correspondence",
    "read_crosswalk": "store.results",
    "read_layer": "readers.layers",
    "read_profile": "readers.statcan.profile",
    "read_service_areas": "readers.areas",
    "read_set": "registry.set_files",
    "read_table": "readers.tables",
    "tradeoff": "boundary.tradeoff",
    "verify_order": "order.verify",
    "verify_store": "store.damage",
    "vintage_crosswalk": "crosswalk.vintages",
    "weight_areas": "tables.weight_areas",
    "weight_table": "tables.weight",
    "write_build": "store.results",
    "write_crosswalk": "store.results",
    "write_facts": "portal.pages.fast_facts",
    "write_order": "order.package",
    "write_set": "registry.set_files",
    "write_template": "registry.template",
}
#: rooms reachable as ``lipgeo.room``
_MODULES = ("errors", "geography", "registry", "spark", "synthetic", "words")

__all__ = ["__version__", *_MODULES, *sorted(_FILES)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _FILES:
        value = getattr(importlib.import_module(f"lipgeo.{_FILES[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"lipgeo.{name}")
    raise AttributeError(f"module 'lipgeo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
