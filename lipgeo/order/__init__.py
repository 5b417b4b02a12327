"""Own the order: a package a data-order clerk can use as it is; write, verify, compare."""

from __future__ import annotations

from lipgeo.order.content import Content, custom_ids, gather
from lipgeo.order.diff import OrderDiff, diff_orders
from lipgeo.order.lists import Template, area_list, concordance, read_template, write_lists
from lipgeo.order.manifest import read_checks, read_order
from lipgeo.order.package import write_order
from lipgeo.order.shapefile import FIELDS, write_shapefile
from lipgeo.order.tables import read_tables
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
