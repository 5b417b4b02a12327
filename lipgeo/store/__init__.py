"""``store``: the census on disk: import, layout, integrity."""

from __future__ import annotations

from lipgeo.store.add import add_files
from lipgeo.store.read import StoreData, describe_store, open_census

__all__ = ["StoreData", "add_census", "add_files", "describe_store", "open_census"]

#: the name it has as ``lipgeo.add_census``
add_census = add_files
