"""A made census of any size, in Statistics Canada's layouts, with known truth."""

from lipgeo.synthetic.made import census

__all__ = ["census"]
