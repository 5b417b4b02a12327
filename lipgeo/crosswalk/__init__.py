"""``Crosswalk``: which share of each source lies in each target; build, check, compose, save."""

from lipgeo.crosswalk.building import build_crosswalk
from lipgeo.crosswalk.table import Crosswalk, Placement, Weight

__all__ = [
    "Crosswalk",
    "Placement",
    "Weight",
    "build_crosswalk",
]
