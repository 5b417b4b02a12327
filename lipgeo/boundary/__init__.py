"""Own semi-custom boundaries: units chosen for service areas, measured, covered and checked."""

from __future__ import annotations

from lipgeo.boundary.boundaries import Boundaries
from lipgeo.boundary.fit import fit_boundaries
from lipgeo.boundary.tradeoff import Tradeoff, tradeoff

__all__ = ["Boundaries", "Tradeoff", "fit_boundaries", "tradeoff"]
