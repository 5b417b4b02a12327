"""``store``: the census on disk: import, layout, integrity."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lipgeo.store.add import add_files
    from lipgeo.store.add import add_files as add_census
    from lipgeo.store.read import StoreData, describe_store, open_census

__all__ = ["StoreData", "add_census", "add_files", "describe_store", "open_census"]

#: public name -> room and name there: who reads a store loads no reader of published files
_ROOMS = {
    "StoreData": ("read", "StoreData"),
    "add_census": ("add", "add_files"),
    "add_files": ("add", "add_files"),
    "describe_store": ("read", "describe_store"),
    "open_census": ("read", "open_census"),
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room, there = _ROOMS[name]
    value = getattr(importlib.import_module(f"{__name__}.{room}"), there)
    globals()[name] = value
    return value
