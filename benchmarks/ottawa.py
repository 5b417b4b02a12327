"""Ottawa against Statistics Canada's custom counts, and covers of Ottawa and Calgary.

Run from the checkout, with the real data beside it (../shared/data)::

    python benchmarks/ottawa.py [DATA]

Prints, for the 116 neighbourhoods of 2021, the error of each rule's unions (sum of absolute
differences between a union's population and the published custom count, over the total), the
misfit beside it, and the covers of whole cities and wards.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

import lipgeo
from lipgeo.store import add_census

HERE = Path(__file__).resolve().parents[1]
FITS = (
    ("DA", "majority", "population"),
    ("DA", "largest", "population"),
    ("DA", "largest", "area"),
    ("DA", "majority", "area"),
    ("DA", "point", "population"),
    ("DA", "within", "population"),
    ("DA", "touching", "population"),
    ("DB", "majority", "population"),
    ("DB", "point", "population"),
    ("mixed", "majority", "population"),
)


def neighbourhoods(data: Path, census: lipgeo.Census) -> None:
    """Print the error and the misfit of each rule."""
    ottawa = data / "ottawa_2021"
    areas = lipgeo.read_service_areas(
        ottawa / "neighbourhoods.gpkg", id="ONS_ID", name_en="ONS_Name"
    )
    truth = pd.read_csv(ottawa / "neighbourhood_counts_2021.csv", dtype={"ONS_ID": str})
    known = truth.set_index("ONS_ID")["SF_TotalPop"]
    print(f"\n{len(areas)} neighbourhoods, truth SF_TotalPop, {known.sum():,.0f} people")
    print("unit   rule      by          error  misfit  exclusive  below  parts>1  valid      s")
    for unit, rule, by in FITS:
        for exclusive in (False, True):
            if exclusive and rule != "touching":
                continue
            start = time.perf_counter()
            b = lipgeo.fit_boundaries(
                census, areas, unit=unit, rule=rule, by=by, exclusive=exclusive
            )
            spent = time.perf_counter() - start
            frame = b.areas.set_index("area_id")
            error = (frame["population_union"] - known).abs().sum() / known.sum()
            wrong = frame["population_omitted"].sum() + frame["population_added"].sum()
            misfit = wrong / frame["population_drawn"].sum()
            print(
                f"{unit:6} {rule:9} {by:10} {error:6.2%} {misfit:7.2%}  {exclusive!s:9}"
                f"  {frame['below_floor'].sum():5d}  {(frame['part_count'] > 1).sum():7d}"
                f"  {b.areas.geometry.is_valid.all()!s:5} {spent:6.2f}"
            )


def covers(name: str, b: lipgeo.Boundaries) -> None:
    """Print how each area is told with the fewest units."""
    count = b.cover["level"].value_counts()
    joined = b.cover["level"] + ":" + b.cover["unit_id"]
    shown = ", ".join(joined.head(3)) + (" ..." if len(joined) > 3 else "")
    flags = sorted(set(";".join(b.areas["flags"]).split(";")) - {""})
    print(
        f"{name}: {len(b)} areas, {len(b.units)} units; cover {len(b.cover)} "
        f"({', '.join(f'{n} {level}' for level, n in count.items())}): {shown}; "
        f"misfit {b.areas['misfit_share'].max():.2%} at most; flags {', '.join(flags) or 'none'}"
    )


def main() -> None:
    """Import what is published, fit, print."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared" / "data"
    ottawa, calgary = data / "ottawa_2021", data / "calgary_2021"
    with tempfile.TemporaryDirectory(prefix="lipgeo-") as folder:
        store = Path(folder) / "ottawa"
        start = time.perf_counter()
        add_census(
            store,
            [
                ottawa / "lda_000b21a_e.zip",
                ottawa / "ldb_000b21a_e.zip",
                ottawa / "db_counts_2021.csv",
            ],
        )
        print(f"import of the three files of Ottawa: {time.perf_counter() - start:.1f} s")
        census = lipgeo.open_census(store)
        print(census)
        neighbourhoods(data, census)

        print()
        wards = sorted((ottawa / "wards").glob("*.shp"))[0]
        hoods = ottawa / "neighbourhoods.gpkg"
        city = lipgeo.read_service_areas(hoods, id="ONS_ID", as_one="ottawa")
        covers("Ottawa's neighbourhoods as one", lipgeo.fit_boundaries(census, city))
        each = lipgeo.read_service_areas(wards, id="WARD", name_en="NAME", name_fr="NAME_FR")
        covers("Ottawa's wards", lipgeo.fit_boundaries(census, each))
        city = lipgeo.read_service_areas(wards, as_one="ottawa")
        covers("Ottawa's wards as one", lipgeo.fit_boundaries(census, city))

        add_census(store, ottawa / "da_profile_2021.csv", vintage=2021)
        census = lipgeo.open_census(store)
        print(f"with the profile's parents: {census}")
        covers("Ottawa's wards as one", lipgeo.fit_boundaries(census, city))
        covers("Ottawa's wards", lipgeo.fit_boundaries(census, each))
        covers("Ottawa's wards, mixed", lipgeo.fit_boundaries(census, each, unit="mixed"))

        store = Path(folder) / "calgary"
        add_census(store, [calgary / "da.gpkg", calgary / "da_profile_2021.csv"], vintage=2021)
        census = lipgeo.open_census(store)
        print(census)
        wards = sorted((calgary / "wards").glob("*.shp"))[0]
        city = lipgeo.read_service_areas(wards, as_one="calgary")
        covers("Calgary as one", lipgeo.fit_boundaries(census, city))
        each = lipgeo.read_service_areas(wards, id="ward_num")
        covers("Calgary's wards", lipgeo.fit_boundaries(census, each))


if __name__ == "__main__":
    main()
