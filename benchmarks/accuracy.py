"""Estimates against known truth, old placement beside new: one table.

Run from the checkout, with the real data beside it (../shared/data)::

    python benchmarks/accuracy.py [DATA]

Error is the sum of absolute differences over the total. *held* is the share of areas whose truth
lies in the 90 % range, *width* the median width of the range over the value: one without the other
says nothing. Prints, for Ottawa's 116 neighbourhoods against Statistics Canada's custom counts,
people, dwellings, households and people in private households by placement, from blocks, from
dissemination areas with blocks, and from dissemination areas alone; after calibration; by points as
blocks; the city's wards against block sums; tracts with the finer level hidden, in both cities;
what fits hold; what zeros hide; and a made census by kind of variable and size of group.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

import lipgeo
from lipgeo import synthetic
from lipgeo.census.data import MemoryCensus
from lipgeo.store.add import add_census
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.weight import weight_table
from lipgeo.zones.zones import Zones

HERE = Path(__file__).resolve().parents[1]
#: variable -> the custom count that is its truth
TRUTH = {
    "population": "SF_TotalPop",
    "dwellings": "SF_PTDWELL",
    "households": "LF_Households",
    "immigrant_status_total": "LF_POP_PRIV",
}
PEOPLE = ["population", "dwellings", "households"]


def error(value: pd.Series, known: pd.Series) -> float:
    """Return the sum of absolute differences over the total."""
    return float((value - known).abs().sum() / known.sum())


def held_and_width(rows: pd.DataFrame, known: pd.Series, kind: str) -> tuple[float, float]:
    """Return the share of areas whose truth a range holds, and its median width."""
    low, high = rows[f"{kind}_lower"], rows[f"{kind}_upper"]
    value = rows["value"].where(rows["value"] > 0)
    return (
        float(known.between(low - 1e-9, high + 1e-9).mean()),
        float(((high - low) / value).median()),
    )


def line(label: str, est: lipgeo.Estimates, truth: pd.DataFrame, names: list[str]) -> None:
    """Print error, and what the ranges hold, of some variables."""
    for name in names:
        rows = est.frame[est.frame["variable"].eq(name)].set_index("area_id")
        known = truth[name].reindex(rows.index).dropna()
        rows = rows.reindex(known.index)
        likely, true, certain = (
            held_and_width(rows.rename(columns={"lower": "bound_lower", "upper": "bound_upper"}),
                           known, kind)
            for kind in ("likely", "truth", "bound")
        )  # fmt: skip
        print(
            f"{label:36} {name:22} {error(rows['value'], known):7.2%}"
            f"   {likely[0]:6.1%} {likely[1]:7.1%}   {true[0]:6.1%} {true[1]:7.1%}"
            f"   {certain[0]:6.1%} {certain[1]:7.1%}"
        )


def heading(text: str) -> None:
    """Print what comes, and the heads of its columns."""
    print(f"\n{text}")
    print(" " * 59 + "  error   order: held width   true: held width   bounds: held width")


def profile_of(path: Path) -> CensusTable:
    """Read a profile extract; the people asked their status are the sum of its three parts."""
    table = lipgeo.read_table(path, level="DA", vintage=2021)
    parts = ["non_immigrants", "immigrants", "non_permanent_residents"]
    frame = table.frame
    frame["immigrant_status_total"] = frame[parts].sum(axis=1, min_count=3)
    return CensusTable(
        frame, level="DA", vintage=2021, symbols=table.symbols, parents=table.parents,
        sources=table.sources, names=table.names,
    )  # fmt: skip


def without_blocks(census: lipgeo.Census) -> lipgeo.Census:
    """Return the census as if nobody had its blocks."""
    data = census.data
    return lipgeo.Census(
        MemoryCensus(
            census.vintage, {"DA": data.attributes("DA")}, {"DA": data.geometry("DA")}, data.meta
        )
    )


def by_weights(census: lipgeo.Census, level: str, areas: object, placement: str) -> dict:
    """Return the crosswalks by people, dwellings and households."""
    return {
        weight: lipgeo.build_crosswalk(
            census.zones(level), areas, weight=weight, placement=placement
        )
        for weight in PEOPLE
    }


def ottawa(data: Path, folder: Path) -> None:
    """Print Ottawa's neighbourhoods, wards, tracts, fits and hidden cells."""
    home = data / "ottawa_2021"
    add_census(
        folder,
        [home / name for name in ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")],
    )
    census = lipgeo.open_census(folder)
    areas = lipgeo.read_service_areas(home / "neighbourhoods.gpkg", id="ONS_ID")
    given = pd.read_csv(home / "neighbourhood_counts_2021.csv", dtype={"ONS_ID": str})
    given = given.set_index("ONS_ID")
    truth = pd.DataFrame({name: given[column] for name, column in TRUTH.items()})
    profile = profile_of(home / "da_profile_2021.csv")
    units = census.units("DB")
    blocks = CensusTable(units[PEOPLE], level="DB", vintage=2021).with_parents(units["DA"])
    alone = without_blocks(census)

    heading(f"Ottawa, {len(areas)} neighbourhoods, truth: custom counts")
    names = list(TRUTH)
    for placement in ("surface", "point", "density"):
        line(
            f"blocks, by {placement}",
            weight_table(blocks, by_weights(census, "DB", areas, placement)),
            truth,
            PEOPLE,
        )
    for placement in ("surface", "density"):
        line(
            f"DA with blocks, by {placement}",
            weight_table(profile, by_weights(census, "DA", areas, placement)),
            truth,
            names,
        )
    bare = profile.with_parents(profile.parents.iloc[:0])
    line(
        "the same, spread borrowed",
        weight_table(bare, by_weights(census, "DA", areas, "density")),
        truth,
        names,
    )
    for placement in ("surface", "density"):
        line(
            f"DA alone, by {placement}",
            weight_table(profile, by_weights(alone, "DA", areas, placement)),
            truth,
            names,
        )
    one = lipgeo.ServiceAreas.from_frame(areas.frame.reset_index(), id="area_id")
    lone = {}
    for area in one.ids:
        xw = lipgeo.build_crosswalk(census.zones("DA"), one.select([area]), weight="population")
        counts = profile.frame["population"].reindex(xw.frame["source_id"]).to_numpy()
        lone[area] = float((xw.frame["share"] * counts).sum())
    print(
        "each area alone, without its neighbours: people "
        f"{error(pd.Series(lone), truth['population']):.2%}"
    )

    heading("calibrated, DA with blocks by density")
    both = by_weights(census, "DA", areas, "density")
    frame = profile.frame.fillna(0.0)
    for controls in (["population"], ["population", "dwellings"], PEOPLE):
        known = truth[controls]
        done = lipgeo.calibrate(both["population"], known, frame[controls])
        others = [name for name in names if name not in controls]
        line(f"to {', '.join(controls)}", weight_table(profile, done), truth, others)
        if len(controls) > 1:
            exact = lipgeo.calibrate(both["population"], known, frame[controls], tolerance=0)
            line("    met to the last digit", weight_table(profile, exact), truth, others)
    weighed = lipgeo.calibrate(both["dwellings"], truth[["population"]], frame[["population"]])
    line("by dwellings, to population", weight_table(profile, weighed), truth, ["dwellings"])

    heading("Ottawa, points as blocks (the representative points, DA polygons)")
    for label, columns in (("with counts", PEOPLE), ("without counts", [])):
        points = Zones(
            units.index, np.full(len(units), None), census.crs,
            data=units[["x", "y", *columns]].rename_axis("zone_id"),
        )  # fmt: skip
        for placement in ("point", "surface", "density"):
            xw = lipgeo.build_crosswalk(
                alone.zones("DA"), areas, weight="population", placement=placement, blocks=points
            )
            line(
                f"points {label}, by {placement}", weight_table(profile, xw), truth, ["population"]
            )

    wards(home, census, alone, profile)
    print("\nfits of DA, misfit and deviation of people (no totals known; optimal: people known)")
    for rule, controls in (("majority", None), ("optimal", truth[["population"]])):
        for placement in ("surface", "auto"):
            start = time.perf_counter()
            b = lipgeo.fit_boundaries(
                census, areas, unit="DA", rule=rule, exclusive=True, controls=controls,
                placement=placement,
            )  # fmt: skip
            union = b.areas.set_index("area_id")["population_union"]
            print(
                f"{rule:10} {placement:8} people {error(union, truth['population']):6.2%}"
                f"  ({time.perf_counter() - start:.1f} s)"
            )
    hidden(profile, both["population"])
    print("\nwhat tracts taught (surface and density; the borrowed values)")
    for placement in ("surface", "density"):
        model = weight_table(profile, by_weights(census, "DA", areas, placement)).error_model
        print(f"{placement}:\n{model.loc[[*TRUTH]].round(4).to_string()}")


def wards(home: Path, census: lipgeo.Census, alone: lipgeo.Census, profile: CensusTable) -> None:
    """Print wards against block sums, and tracts with the finer level hidden."""
    drawn = lipgeo.read_service_areas(next((home / "wards").glob("*.shp")), id="WARD")
    blocks = lipgeo.build_crosswalk(
        census.zones("DB"), drawn, weight="population", placement="surface"
    )
    held = census.counts("DB")["population"]
    pairs = blocks.frame
    people = pairs["share"] * held.reindex(pairs["source_id"]).to_numpy()
    truth = people.groupby(pairs["target_id"]).sum().to_frame("population")
    cut = pairs[pairs["area_share"].between(1e-6, 1 - 1e-6)]["source_id"].unique()
    heading(
        f"Ottawa, {len(drawn)} wards, truth: block sums; {held.reindex(cut).sum() / held.sum():.1%}"
        " of people live in cut blocks, split by surface in the truth"
    )
    for placement in ("surface", "density"):
        xw = lipgeo.build_crosswalk(
            alone.zones("DA"), drawn, weight="population", placement=placement
        )
        line(f"DA alone, by {placement}", weight_table(profile, xw), truth, ["population"])
    tracts(alone, profile, drawn, "Ottawa")


def tracts(census: lipgeo.Census, profile: CensusTable, drawn: object, city: str) -> None:
    """Hide the DAs: estimate unions of whole DAs from tracts."""
    units = census.units("DA")
    shapes = pd.Series(census.data.geometry("DA"), index=units.index)
    parent = profile.parents.reindex(units.index)
    people = units["population"].groupby(parent).sum()
    land = shapes.groupby(parent).agg(lambda one: shapely.union_all(one.to_numpy()))
    source = Zones(
        land.index, land.to_numpy(), census.crs, data=people.to_frame().rename_axis("zone_id")
    )
    majority = lipgeo.fit_boundaries(census, drawn, unit="DA", rule="largest", exclusive=True)
    unions = Zones(majority.areas["area_id"], majority.areas.geometry.to_numpy(), census.crs)
    truth = majority.areas.set_index("area_id")["population_union"]
    print(f"{city}: {len(source)} tracts to {len(unions)} unions of DAs, the DAs hidden")
    for placement in ("surface", "density"):
        xw = lipgeo.build_crosswalk(source, unions, weight="population", placement=placement)
        pairs = xw.frame
        value = (pairs["share"] * people.reindex(pairs["source_id"]).to_numpy()).groupby(
            pairs["target_id"]
        )
        print(f"    tracts by {placement:8} {error(value.sum(), truth):7.2%}")


def hidden(profile: CensusTable, xw: lipgeo.Crosswalk) -> None:
    """Print what the zeros of sampled counts hide."""
    names = ["immigrants", "non_permanent_residents"]
    left = weight_table(profile, xw, variables=names, hidden="as_published").wide()
    put = weight_table(profile, xw, variables=names)
    print("\nzeros that hide counts under 10")
    for name in names:
        rows = put.frame[put.frame["variable"].eq(name)]
        print(
            f"    {name:26} {left[name].sum():9,.0f} published, {rows['value'].sum():9,.0f} with "
            f"what zeros hide (+{rows['value'].sum() / left[name].sum() - 1:.1%}); "
            f"median hidden share of an area {rows['hidden_share'].median():.1%}"
        )


def calgary(data: Path, folder: Path) -> None:
    """Print Calgary: totals conserved, tracts with the DAs hidden, hidden cells."""
    home = data / "calgary_2021"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        add_census(folder, [home / "da.gpkg", home / "da_profile_2021.csv"], vintage=2021)
    census = lipgeo.open_census(folder)
    drawn = lipgeo.read_service_areas(next((home / "wards").glob("*.shp")), id="ward_num")
    profile = profile_of(home / "da_profile_2021.csv")
    est = lipgeo.weight_areas(census, drawn, profile, variables=["population"])
    held = profile.frame["population"].sum()
    print(f"\nCalgary, {len(drawn)} wards: {est.wide()['population'].sum():,.1f} of {held:,.0f}")
    tracts(without_blocks(census), profile, drawn, "Calgary")
    xw = lipgeo.build_crosswalk(census.zones("DA"), drawn, weight="population")
    hidden(profile, xw)


def made() -> None:
    """Print made censuses: truth of all they count, by size of group."""
    for label, settled, kind in (
        ("people thin out evenly", False, "freehand"),
        ("towns end at a line", True, "streets"),
    ):
        census = synthetic.census(10_000, seed=3, settled=settled)
        people = synthetic.people(census)
        drawn = synthetic.service_areas(census, 40, seed=2, kind=kind)
        areas = lipgeo.ServiceAreas.from_frame(drawn[drawn.geometry.area > 0], id="area_id")
        truth = people.truth(areas)
        truth = truth[truth["population"] > 0]
        areas = areas.select(list(truth.index))
        parents = census.units("DA")["CT"].fillna(census.units("DA")["CSD"])
        made = synthetic.table(census, "DA", people=people)
        table = CensusTable(made.frame, level="DA", vintage=2021, symbols=made.symbols)
        table = table.with_parents(parents)
        heading(f"made census, {label}, {len(areas)} areas by {kind}, truth: its people")
        names = [
            name for name in truth.columns
            if name in table.columns and table.variables[name].rule == "count"
        ]  # fmt: skip
        for placement in ("surface", "density"):
            by = by_weights(census, "DA", areas, placement)
            line(f"by {placement}", weight_table(table, by, variables=names), truth, names)
        left = weight_table(table, by, variables=names, hidden="as_published")
        line("zeros as published", left, truth, ["immigrants", "non_permanent_residents"])


def main() -> None:
    """Print all figures."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared" / "data"
    with tempfile.TemporaryDirectory() as folder:
        ottawa(data, Path(folder) / "ottawa")
        calgary(data, Path(folder) / "calgary")
    made()


if __name__ == "__main__":
    main()
