"""What an order's areas say about few people: every check of confidentiality, for the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lipgeo.confidentiality import (
    check_cells,
    check_differences,
    check_income,
    check_reserves,
    margins,
)
from lipgeo.order.content import Content
from lipgeo.order.manifest import OldOrder
from lipgeo.order.records import earlier_areas
from lipgeo.report import CheckReport

if TYPE_CHECKING:
    from lipgeo.boundary import Boundaries

__all__ = ["confidentiality"]


def confidentiality(
    b: Boundaries, content: Content, old: OldOrder | None, estimates: pd.DataFrame | None
) -> tuple[CheckReport, pd.DataFrame]:
    """Return the findings of all checks of confidentiality, and each area's margins.

    The floor on persons itself was held against the areas when they were fitted.
    """
    land, vintage = b.land, content.vintage
    made = margins(content.areas, land, vintage)
    report = (
        check_income(made, vintage=vintage)
        + check_reserves(land, vintage)
        + check_differences(land, vintage, earlier_areas(content, old))
    )
    if estimates is not None:
        report += check_cells(content.areas["area_id"], estimates)
    return report, made
