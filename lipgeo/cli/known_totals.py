"""What leads the units chosen together, on the command line: totals known, and estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.census.census import Census
from lipgeo.errors import InputError

__all__ = ["KnownTotals"]


@dataclass(frozen=True)
class KnownTotals:
    """Options of :func:`lipgeo.fit_boundaries`: controls, what each weighs, what units hold."""

    controls: pd.DataFrame | None
    weight: float | dict[str, float]
    sources: pd.DataFrame | None

    @classmethod
    def read(
        cls,
        census: Census,
        areas: ServiceAreas,
        *,
        file: Path | None,
        id: str | None,
        column: str | None,
        by: str,
        weight: float,
        estimated: Sequence[str],
        table: str | None,
        unit: str,
        store: Path,
    ) -> KnownTotals:
        """Read the totals known, and estimate further ones from a table.

        The estimates go by the totals known (:func:`lipgeo.calibrate`), where the table has these.

        Raises
        ------
        InputError
            A further control without a weight, or without a table to estimate it from.
        """
        from lipgeo.cli.weight import read_tables
        from lipgeo.readers.controls import read_controls
        from lipgeo.tables.census_table import CensusTable
        from lipgeo.tables.weight_areas import weight_areas

        known = None if file is None else read_controls(file, id=id, column=column)
        if not estimated:
            return cls(known, weight, None)
        weights = _weights(estimated)
        if table is None:
            raise InputError("cli.estimated_needs_table", names=list(weights))
        (held, *_) = read_tables([Path(table)], store, unit, census.vintage)
        drawn = areas.select(areas.drawn)
        if known is not None and known.shape[1] == 1:
            known = known.set_axis([by], axis=1)
        shared = [] if known is None else [name for name in known if name in held.columns]
        found = weight_areas(
            census,
            drawn,
            held,
            variables=list(weights),
            controls=None if known is None or not shared else known.reindex(drawn.ids)[shared],
        ).wide()
        names = list(weights)
        units = held.frame[names] if isinstance(held, CensusTable) else held.part(names).frame
        controls = found[names] if known is None else known.join(found[names])
        first = {} if known is None else dict.fromkeys(map(str, known), weight)
        return cls(controls, {**first, **weights}, units)


def _weights(given: Sequence[str]) -> dict[str, float]:
    """Return the weight of each further control: ``NAME=WEIGHT``."""
    found: dict[str, float] = {}
    wrong = []
    for text in given:
        name, _, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            wrong.append(text)
    if wrong or "" in found:
        raise InputError("cli.bad_estimated", given=wrong or list(given))
    return found
