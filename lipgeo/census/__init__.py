"""``Census``: one opened vintage: its levels, hierarchy and counts; reads only what is asked."""

from lipgeo.census.opened import (
    CHAIN,
    COUNTS,
    GRID,
    GROUP_ROWS,
    MEASURES,
    NAMES,
    TEXT,
    Census,
    CensusData,
    CensusZones,
    MemoryCensus,
    Rows,
    hilbert,
)

__all__ = [
    "CHAIN",
    "COUNTS",
    "GRID",
    "GROUP_ROWS",
    "MEASURES",
    "NAMES",
    "TEXT",
    "Census",
    "CensusData",
    "CensusZones",
    "MemoryCensus",
    "Rows",
    "hilbert",
]
