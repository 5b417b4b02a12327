"""Areas compared between censuses, on the areas of today."""

from lipgeo.comparison.comparing import compare
from lipgeo.comparison.result import Comparison

__all__ = ["Comparison", "compare"]
