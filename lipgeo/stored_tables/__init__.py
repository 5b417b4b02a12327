"""``stored_tables``: census tables too large to be held, imported once, as Parquet in a store."""

from __future__ import annotations

from lipgeo.stored_tables.importing import add_table
from lipgeo.stored_tables.listing import describe_tables
from lipgeo.stored_tables.opening import open_table

__all__ = ["add_table", "describe_tables", "open_table"]
