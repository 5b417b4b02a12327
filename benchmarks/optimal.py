"""Ottawa by integer programming: error, misfit, time and gap along lambda, contiguity, floors.

Run from the checkout, with the real data beside it (../shared/data)::

    python benchmarks/optimal.py [DATA]

The 116 neighbourhoods of 2021, dissemination areas, exclusive. Controls are Statistics Canada's
custom counts of people (SF_TotalPop); dwellings (SF_PTDWELL) took no part and show whether the
fit got better or only bent to the controls.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import shapely

import lipgeo
from lipgeo.errors import FitError
from lipgeo.store import add_census

HERE = Path(__file__).resolve().parents[1]
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 2.0, 4.0, 16.0)
HEAD = (
    "fit                          error  misfit  dwellings  least share  units  parts  in parts"
    "  empty  below   proven  gap        s"
)


def line(
    census: lipgeo.Census,
    areas: lipgeo.ServiceAreas,
    truth: pd.DataFrame,
    name: str,
    **options: Any,
) -> lipgeo.Boundaries | None:
    """Fit and print one line."""
    start = time.perf_counter()
    try:
        b = lipgeo.fit_boundaries(census, areas, exclusive=True, **options)
    except FitError as error:
        print(f"{name:27} {error}  {time.perf_counter() - start:.1f} s")
        return None
    spent = time.perf_counter() - start
    frame = b.areas.set_index("area_id")
    people, homes = truth["SF_TotalPop"], truth["SF_PTDWELL"]
    error = (frame["population_union"] - people).abs().sum() / people.sum()
    dwellings = (frame["dwellings_union"] - homes).abs().sum() / homes.sum()
    wrong = frame["population_omitted"].sum() + frame["population_added"].sum()
    misfit = wrong / frame["population_drawn"].sum()
    sure = "" if b.proven is None else str(b.proven)
    gap = "" if b.gap is None else f"{b.gap:.3%}"
    print(
        f"{name:27} {error:6.2%} {misfit:7.2%} {dwellings:10.2%} {b.units['share'].min():12.3f}"
        f" {len(b.units):6d} {frame['part_count'].sum():6d} {(frame['part_count'] > 1).sum():9d}"
        f" {frame['unit_count'].eq(0).sum():6d} {frame['below_floor'].sum():6d}"
        f" {sure:>8} {gap:>7} {spent:6.1f}"
    )
    return b


def main() -> None:
    """Import what is published, fit, print."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared" / "data"
    ottawa = data / "ottawa_2021"
    areas = lipgeo.read_service_areas(
        ottawa / "neighbourhoods.gpkg", id="ONS_ID", name_en="ONS_Name"
    )
    truth = pd.read_csv(ottawa / "neighbourhood_counts_2021.csv", dtype={"ONS_ID": str})
    truth = truth.set_index("ONS_ID")
    known = truth["SF_TotalPop"]
    drawn = shapely.get_num_geometries(areas.frame.geometry.to_numpy())
    with tempfile.TemporaryDirectory(prefix="lipgeo-") as folder:
        names = ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")
        add_census(folder, [ottawa / name for name in names])
        census = lipgeo.open_census(folder)
        print(f"{census}; {len(areas)} areas in {drawn.sum()} parts as drawn\n\n{HEAD}")
        given: dict[str, Any] = {"rule": "optimal", "controls": known}
        line(census, areas, truth, "majority")
        for weight in WEIGHTS:
            line(
                census, areas, truth, f"optimal, lambda {weight:g}", control_weight=weight, **given
            )
        free = {"control_weight": 16, "min_share": 0, "time_limit": 20}
        line(census, areas, truth, "no min_share, lambda 16", **free, **given)
        print()
        for weight in (0.0, 0.5, 1.0):
            name = f"contiguous, lambda {weight:g}"
            b = line(census, areas, truth, name, control_weight=weight, contiguous=True, **given)
            if b is not None:
                more = b.areas.loc[b.areas["part_count"].to_numpy() > drawn, "area_id"]
                print(f"    in more parts than drawn, unavoidably: {', '.join(more) or 'none'}")
        line(census, areas, truth, "floor 40", floor=40, **given)
        line(census, areas, truth, "at most 20 units", max_units=20, **given)
        line(census, areas, truth, "floor 40,000", floor=40_000, **given)
        line(census, areas, truth, "in 0.01 s", time_limit=0.01, **given)
        for unit in ("DB", "mixed"):
            line(census, areas, truth, f"{unit}, lambda 1", unit=unit, **given)
        made = lipgeo.tradeoff(census, areas, units=["DA", "mixed"], controls=known, exclusive=True)
        print(f"\n{made.frame.to_string(index=False)}")


if __name__ == "__main__":
    main()
