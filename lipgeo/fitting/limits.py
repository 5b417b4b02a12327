"""What an optimal fit is held to: known totals and limits, checked, all faults in one error."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.errors import FitError
from lipgeo.words import say

__all__ = ["DEFAULTS", "Limits", "limits_of"]

#: options of ``rule="optimal"`` where nothing is asked
DEFAULTS: dict[str, Any] = {
    "contiguous": False,
    "controls": None,
    "control_weight": 1.0,
    "min_share": 0.1,
    "max_units": None,
    "floor": None,
    "time_limit": None,
    "gap": 0.0,
}
_MEASURES = ("population", "dwellings", "households")


@dataclass(frozen=True)
class Limits:
    """The options of :func:`lipgeo.fit_boundaries` that belong to the optimal rule.

    Attributes
    ----------
    controls
        Known totals: one row an area, by position; columns ``population, dwellings, households``
        or ``area``; float64, missing where unknown.
    control_weight, min_share, max_units, floor, contiguous, time_limit, gap
        As there.
    """

    controls: pd.DataFrame = field(default_factory=pd.DataFrame)
    control_weight: float = 1.0
    min_share: float = 0.1
    max_units: int | None = None
    floor: float | None = None
    contiguous: bool = False
    time_limit: float | None = None
    gap: float = 0.0


def limits_of(areas: ServiceAreas, by: str, options: dict[str, Any]) -> Limits:
    """Check the options; ``options`` has the names of :data:`DEFAULTS`."""
    faults: list[str] = []
    rows: list[dict[str, Any]] = []
    ranges = {
        "control_weight": (0.0, math.inf, False),
        "min_share": (0.0, 1.0, False),
        "floor": (0.0, math.inf, False),
        "time_limit": (0.0, math.inf, True),
        "gap": (0.0, 1.0, False),
    }
    for name, (low, high, above) in ranges.items():
        value = options[name]
        if value is None and DEFAULTS[name] is None:
            continue
        number = _number(value)
        if not (low <= number <= high and number < math.inf and (number > low or not above)):
            faults.append(say(f"optimal.bad_{name}", value=value))
            rows.append({"option": name, "given": value})
    most = options["max_units"]
    whole = not isinstance(most, bool) and _number(most) >= 1 and _number(most) % 1 == 0
    if most is not None and not whole:
        faults.append(say("optimal.bad_max_units", value=most))
        rows.append({"option": "max_units", "given": most})
    controls = _controls(areas, by, options["controls"], faults, rows)
    if faults:
        raise FitError("boundary.bad_options", rows, faults=" ".join(faults))
    return Limits(
        controls=controls,
        control_weight=float(options["control_weight"]),
        min_share=float(options["min_share"]),
        max_units=None if most is None else int(most),
        floor=None if options["floor"] is None else float(options["floor"]),
        contiguous=bool(options["contiguous"]),
        time_limit=None if options["time_limit"] is None else float(options["time_limit"]),
        gap=float(options["gap"]),
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return math.nan
    return float(value)


def _controls(
    areas: ServiceAreas, by: str, given: Any, faults: list[str], rows: list[dict[str, Any]]
) -> pd.DataFrame:
    """Return the totals by position of the area; faults are added to the lists."""
    if given is None:
        return pd.DataFrame(index=pd.RangeIndex(len(areas)))
    if not isinstance(given, pd.Series | pd.DataFrame):
        faults.append(say("optimal.not_controls", given=type(given).__name__))
        return pd.DataFrame()
    frame = given.to_frame(by) if isinstance(given, pd.Series) else given
    if "area_id" in frame.columns:
        frame = frame.set_index("area_id")
    if frame.shape[1] == 1:
        frame = frame.set_axis([by], axis=1)
    known = [name for name in (*_MEASURES, "area") if name in frame.columns]
    other = [str(name) for name in frame.columns if name not in known]
    if other:
        faults.append(say("optimal.controls_columns", columns=other, known=list(_MEASURES)))
        rows += [{"column": name} for name in other]
    ids = frame.index.astype("string").str.strip()
    unknown = ids[~ids.isin(areas.ids)]
    if len(unknown):
        faults.append(say("optimal.controls_unknown", areas=list(unknown), given=list(areas.ids)))
        rows += [{"area_id": name} for name in unknown]
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        faults.append(say("optimal.controls_twice", areas=list(twice)))
        rows += [{"area_id": name} for name in twice]
    values = frame[known].apply(pd.to_numeric, errors="coerce").astype("float64")
    unread = (values.isna() & frame[known].notna()) | np.isinf(values) | (values < 0)
    bad = ids[unread.any(axis=1).to_numpy(dtype=bool)]
    if len(bad):
        faults.append(say("optimal.controls_values", areas=list(bad)))
        rows += [{"area_id": name} for name in bad]
    if faults:
        return pd.DataFrame()
    return values.set_axis(ids, axis=0).reindex(areas.ids).reset_index(drop=True)


def scales(
    controls: pd.DataFrame, held: npt.NDArray[np.float64], by: str
) -> npt.NDArray[np.float64]:
    """Return what one unit of each control weighs in units of ``by``; (k,).

    Misfit is counted in ``by`` (people). A total of dwellings is brought to that size by the sum
    of the known totals, so that one per cent of either weighs the same.
    """
    sums = controls.sum().to_numpy(np.float64)
    scale = np.divide(held, sums, out=np.ones(len(sums)), where=sums > 0)
    return np.where(controls.columns == by, 1.0, scale)
