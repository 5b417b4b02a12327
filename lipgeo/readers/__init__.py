"""Readers of what people keep: service areas as files or lists, and their spreadsheets."""

from __future__ import annotations

from lipgeo.readers.areas import named_levels, read_service_areas
from lipgeo.readers.sheets import Sheet, read_sheet

__all__ = ["Sheet", "named_levels", "read_service_areas", "read_sheet"]
