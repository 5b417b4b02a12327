"""The grids lipgeo computes in, the datum rule, and the way from a drawn edge to the grid."""

from lipgeo.crs.grid import (
    CANADA_ALBERS,
    STATCAN_LAMBERT,
    AcceptedCRS,
    accept_crs,
    area_km2,
    lonlat,
    on_grid,
    require_same_projected,
    same_crs,
    to_grid,
)

__all__ = [
    "CANADA_ALBERS",
    "STATCAN_LAMBERT",
    "AcceptedCRS",
    "accept_crs",
    "area_km2",
    "lonlat",
    "on_grid",
    "require_same_projected",
    "same_crs",
    "to_grid",
]
