"""Own the crosswalk: which share of each source zone lies in each target zone."""

from __future__ import annotations

from lipgeo.crosswalk.build import build_crosswalk
from lipgeo.crosswalk.correspondence import Correspondence
from lipgeo.crosswalk.crosswalk import Crosswalk
from lipgeo.crosswalk.vintages import vintage_crosswalk

__all__ = ["Correspondence", "Crosswalk", "build_crosswalk", "vintage_crosswalk"]
