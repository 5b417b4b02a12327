"""Own what lies on disk: the census as imported, its large tables, builds and results."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lipgeo.store.add import add_census
    from lipgeo.store.read import StoreData, describe_store, open_census

__all__ = ["StoreData", "add_census", "describe_store", "open_census"]

#: public name -> file: who reads a store loads no reader of published files
_FILES = {
    "StoreData": "read",
    "add_census": "add",
    "describe_store": "read",
    "open_census": "read",
}


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_FILES[name]}"), name)
    globals()[name] = value
    return value
