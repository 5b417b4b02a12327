"""A made census of any size, in Statistics Canada's layouts, with known truth."""

from lipgeo.synthetic.files import write_files
from lipgeo.synthetic.made import census
from lipgeo.synthetic.places import service_areas, unit_lists

__all__ = ["census", "service_areas", "unit_lists", "write_files"]
