"""Census tables: what a variable is, weighting to areas, explanation of a number, calibration."""

from lipgeo.tables.calibration import calibrate, residuals
from lipgeo.tables.estimates import Estimates
from lipgeo.tables.long import LongTable
from lipgeo.tables.own_rows import weight_areas
from lipgeo.tables.table import CensusTable
from lipgeo.tables.variables import (
    Characteristic,
    Group,
    Variable,
    find_variables,
    known_variables,
    missing_symbols,
    variable,
)
from lipgeo.tables.weighting import weight_table

__all__ = [
    "CensusTable",
    "Characteristic",
    "Estimates",
    "Group",
    "LongTable",
    "Variable",
    "calibrate",
    "find_variables",
    "known_variables",
    "missing_symbols",
    "residuals",
    "variable",
    "weight_areas",
    "weight_table",
]
