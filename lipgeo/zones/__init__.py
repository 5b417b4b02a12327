"""``Zones``: a layer of polygons fit for work."""

from lipgeo.zones.polygons import (
    Zones,
    check_layer,
)

__all__ = [
    "Zones",
    "check_layer",
]
