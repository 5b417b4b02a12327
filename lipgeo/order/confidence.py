"""What the order's areas say about single people: brought together for the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lipgeo.order.content import Content
from lipgeo.order.manifest import OldOrder
from lipgeo.report import CheckReport

if TYPE_CHECKING:
    from lipgeo.boundary import Boundaries

__all__ = ["confidentiality"]


def confidentiality(
    b: Boundaries, content: Content, old: OldOrder | None, estimates: pd.DataFrame | None
) -> CheckReport:
    """Return the findings of the confidentiality checks for an order."""
    return CheckReport()
