"""A made census of any size, in Statistics Canada's layouts, with known truth."""

from lipgeo.synthetic.correspondence import correspondence, write_correspondence
from lipgeo.synthetic.figures import MadeTable, table
from lipgeo.synthetic.files import write_files
from lipgeo.synthetic.made import census
from lipgeo.synthetic.people import People, people
from lipgeo.synthetic.places import service_areas, unit_lists
from lipgeo.synthetic.profile import write_profile

__all__ = [
    "MadeTable",
    "People",
    "census",
    "correspondence",
    "people",
    "service_areas",
    "table",
    "unit_lists",
    "write_correspondence",
    "write_files",
    "write_profile",
]
