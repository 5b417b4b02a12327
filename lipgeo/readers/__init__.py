"""Readers of what people keep: service areas, spreadsheets, census tables as they come."""

from __future__ import annotations

from lipgeo.readers.areas import named_levels, read_service_areas
from lipgeo.readers.correspondence import read_correspondence
from lipgeo.readers.profile import read_profile
from lipgeo.readers.sheets import Sheet, read_sheet
from lipgeo.readers.tables import read_table

__all__ = [
    "Sheet",
    "named_levels",
    "read_correspondence",
    "read_profile",
    "read_service_areas",
    "read_sheet",
    "read_table",
]
