"""The files an order is made of: boundaries, concordance, list of areas."""

from lipgeo.order.concordance import area_list, concordance, custom_ids, write_lists
from lipgeo.order.shapefile import FIELDS, write_shapefile

__all__ = ["FIELDS", "area_list", "concordance", "custom_ids", "write_lists", "write_shapefile"]
