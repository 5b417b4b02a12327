"""The steps of a fit: what was asked, the units of drawn areas, the cover."""

from lipgeo.fitting.steps import (
    Asked,
    By,
    Fit,
    Rule,
    as_lists,
    asked_of,
    covered,
    fitted,
    ordered,
    prepared,
    require_held,
    require_vintage,
)

__all__ = [
    "Asked",
    "By",
    "Fit",
    "Rule",
    "as_lists",
    "asked_of",
    "covered",
    "fitted",
    "ordered",
    "prepared",
    "require_held",
    "require_vintage",
]
