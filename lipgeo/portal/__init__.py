"""Own the portal: agreed indicators of every area, each number with where it came from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lipgeo.portal.indicators.dictionary import Dictionary, indicators
    from lipgeo.portal.observations import COLUMNS, make_observations, shown
    from lipgeo.portal.portal import Portal, open_portal
    from lipgeo.portal.sources.receiving import Receipt
    from lipgeo.portal.update import Update, update_portal

__all__ = [
    "COLUMNS",
    "Dictionary",
    "Portal",
    "Receipt",
    "Update",
    "indicators",
    "make_observations",
    "open_portal",
    "shown",
    "update_portal",
]

#: public name -> file: who asks for the dictionary loads no reader of deliveries
_FILES = {
    "COLUMNS": "observations",
    "Dictionary": "indicators.dictionary",
    "Portal": "portal",
    "Receipt": "sources.receiving",
    "Update": "update",
    "indicators": "indicators.dictionary",
    "make_observations": "observations",
    "open_portal": "portal",
    "shown": "observations",
    "update_portal": "update",
}


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lipgeo.portal.{_FILES[name]}"), name)
    globals()[name] = value
    return value
