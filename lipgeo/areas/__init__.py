"""Own service areas: drawn outlines and lists of units, with their names and dates."""

from __future__ import annotations

from lipgeo.areas.service_areas import ServiceAreas

__all__ = ["ServiceAreas"]
