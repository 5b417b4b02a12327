"""Own census tables: variables, weighting to areas, explanation of a number, calibration."""

from __future__ import annotations

from lipgeo.tables.calibrate import calibrate, residuals
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.comparison import Comparison, compare
from lipgeo.tables.estimates import Estimates
from lipgeo.tables.long_table import LongTable
from lipgeo.tables.variables import (
    Characteristic,
    Group,
    Variable,
    find_variables,
    known_variables,
    missing_symbols,
    search_variables,
    variable,
)
from lipgeo.tables.weight import weight_table
from lipgeo.tables.weight_areas import weight_areas

__all__ = [
    "CensusTable",
    "Characteristic",
    "Comparison",
    "Estimates",
    "Group",
    "LongTable",
    "Variable",
    "calibrate",
    "compare",
    "find_variables",
    "known_variables",
    "missing_symbols",
    "residuals",
    "search_variables",
    "variable",
    "weight_areas",
    "weight_table",
]
