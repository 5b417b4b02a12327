"""Own an opened census: its levels, hierarchy and counts; read only what is asked."""

from __future__ import annotations

from lipgeo.census.census import Census, CensusZones
from lipgeo.census.data import CensusData, MemoryCensus

__all__ = ["Census", "CensusData", "CensusZones", "MemoryCensus"]
