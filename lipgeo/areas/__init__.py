"""``ServiceAreas``: drawn areas and unit-list areas, with their names and dates."""

from lipgeo.areas.service_areas import (
    ServiceAreas,
)

__all__ = [
    "ServiceAreas",
]
