"""Own the registry of partnerships, networks and consortia, and the sets compiled from them."""

from __future__ import annotations

from lipgeo.registry.checking import check, check_rows
from lipgeo.registry.coverage import gaps
from lipgeo.registry.listing import consortia, search, show
from lipgeo.registry.listing import list_ as list
from lipgeo.registry.resolving import became, resolve, units
from lipgeo.registry.table import Registry, is_registry_table, looks_like_ids, open_registry

__all__ = [
    "Registry",
    "became",
    "check",
    "check_rows",
    "consortia",
    "gaps",
    "is_registry_table",
    "list",
    "looks_like_ids",
    "open_registry",
    "resolve",
    "search",
    "show",
    "units",
]
