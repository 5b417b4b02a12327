"""The order: a package a data-order clerk can use as it is; write, verify, compare."""

from lipgeo.order.concordance import area_list, concordance, write_lists
from lipgeo.order.content import Content, gather
from lipgeo.order.diff import OrderDiff, diff_orders
from lipgeo.order.identity import custom_ids
from lipgeo.order.manifest import read_checks, read_order
from lipgeo.order.package import write_order
from lipgeo.order.shapefile import FIELDS, write_shapefile
from lipgeo.order.tables import read_tables
from lipgeo.order.template import Template, read_template
from lipgeo.order.verify import verify_order

__all__ = [
    "FIELDS",
    "Content",
    "OrderDiff",
    "Template",
    "area_list",
    "concordance",
    "custom_ids",
    "diff_orders",
    "gather",
    "read_checks",
    "read_order",
    "read_tables",
    "read_template",
    "verify_order",
    "write_lists",
    "write_order",
    "write_shapefile",
]
