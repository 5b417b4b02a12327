"""Own a made census of any size, in Statistics Canada's layouts, with known truth."""

from __future__ import annotations

from lipgeo.synthetic.areas import service_areas, unit_lists
from lipgeo.synthetic.census import census
from lipgeo.synthetic.delivery import write_delivery
from lipgeo.synthetic.figures import MadeTable, table
from lipgeo.synthetic.files import correspondence, write_correspondence, write_files, write_profile
from lipgeo.synthetic.people import People, people
from lipgeo.synthetic.region import partnerships

__all__ = [
    "MadeTable",
    "People",
    "census",
    "correspondence",
    "partnerships",
    "people",
    "service_areas",
    "table",
    "unit_lists",
    "write_correspondence",
    "write_delivery",
    "write_files",
    "write_profile",
]
