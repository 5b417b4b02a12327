"""The grids lipgeo computes in, the datum rule, and the way from a drawn edge to the grid."""

from __future__ import annotations

import pyproj

__all__ = ["CANADA_ALBERS", "STATCAN_LAMBERT"]

#: the census's own grid: conformal, so shares within a unit, never square kilometres
STATCAN_LAMBERT = pyproj.CRS.from_epsg(3347)
#: equal-area, for square kilometres where Statistics Canada's land area is not to be had
CANADA_ALBERS = pyproj.CRS.from_user_input("ESRI:102001")
