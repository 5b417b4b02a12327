"""Own layers of polygons fit for work, the grid they stand on, and what can be wrong with them."""

from __future__ import annotations

from lipgeo.zones.zones import Zones, check_layer

__all__ = ["Zones", "check_layer"]
