"""Own census tables too large to be held: imported once, as Parquet in a store."""

from __future__ import annotations

from lipgeo.store.tables.importing import add_table
from lipgeo.store.tables.opening import describe_tables, open_table

__all__ = ["add_table", "describe_tables", "open_table"]
