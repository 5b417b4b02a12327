"""``Crosswalk``: which share of each source lies in each target; build, check, compose, save."""

from lipgeo.crosswalk.table import (
    Crosswalk,
    Placement,
    Weight,
    build_crosswalk,
)

__all__ = [
    "Crosswalk",
    "Placement",
    "Weight",
    "build_crosswalk",
]
