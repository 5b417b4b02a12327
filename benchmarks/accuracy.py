"""Estimates against known truth, old placement beside new: one table.

Run from the checkout, with the real data beside it (../shared/data)::

    python benchmarks/accuracy.py [DATA]

Error is the sum of absolute differences over the total. *held* is the share of areas whose truth
lies in the 90 % range, *width* the median width of the range over the value: one without the other
says nothing. Prints, for Ottawa's 116 neighbourhoods against Statistics Canada's custom counts,
people, dwellings, households and people in private households by placement, from blocks, from
dissemination areas with blocks, and from dissemination areas alone; after calibration; by points as
blocks; the city's wards against block sums; tracts with the finer level hidden, in both cities;
what fits hold; what zeros hide; what a count's own geography gains inside cut units (``own``); how
strongly densities were taken; what Ottawa's blocks teach of
areas other than the neighbourhoods (the constants of the error model for units without blocks); and
made censuses: errors by placement, and fifty groups by size, of which both ranges are asked, the
order's against the same sample and the other against all people. Nothing is learned from the truth
it is judged by: of the made censuses no constant comes, of the neighbourhoods' counts neither.

``python benchmarks/accuracy.py ottawa`` (or ``others``, ``calgary``, ``controls``, ``own``,
``made``, ``groups``) prints a part.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.spatial
import shapely

import lipgeo
from lipgeo import synthetic
from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.census.data import MemoryCensus
from lipgeo.store.add import add_census
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.pairs import Pairs
from lipgeo.tables.variables import Variable
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


def outside(est: lipgeo.Estimates, truth: pd.DataFrame, name: str) -> None:
    """Print the areas whose truth lies outside the certain bounds, and by how much."""
    rows = est.frame[est.frame["variable"].eq(name)].set_index("area_id")
    known = truth[name].reindex(rows.index)
    rounded = "multiples of 5" if (known.dropna() % 5 == 0).all() else "not rounded to 5"
    for area in rows.index[~known.between(rows["lower"] - 1e-9, rows["upper"] + 1e-9)]:
        print(
            f"    outside: {area}, truth {known[area]:,.0f}, bounds {rows.loc[area, 'lower']:,.0f} "
            f"to {rows.loc[area, 'upper']:,.0f} (all truths are {rounded})"
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


def ottawa_census(data: Path, folder: Path) -> lipgeo.Census:
    """Read Ottawa's units and blocks."""
    home = data / "ottawa_2021"
    names = ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")
    add_census(folder, [home / name for name in names])
    return lipgeo.open_census(folder)


def ottawa(data: Path, folder: Path) -> None:
    """Print Ottawa's neighbourhoods, wards, tracts, fits and hidden cells."""
    home = data / "ottawa_2021"
    census = ottawa_census(data, folder)
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
        est = weight_table(blocks, by_weights(census, "DB", areas, placement))
        line(f"blocks, by {placement}", est, truth, PEOPLE)
        outside(est, truth, "population")
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
        points = points_of_blocks(units, columns, census)
        for placement in ("point", "surface", "density"):
            xw = lipgeo.build_crosswalk(
                alone.zones("DA"), areas, weight="population", placement=placement, blocks=points
            )
            line(
                f"points {label}, by {placement}", weight_table(profile, xw), truth, ["population"]
            )

    print("\nhow strongly densities are taken, learned from whole neighbours across the outlines")
    for label, source in (("blocks", census.zones("DB")), ("DA alone", alone.zones("DA"))):
        xw = lipgeo.build_crosswalk(source, areas, weight="population")
        print(f"    {label:10} {xw.meta['strength']}")
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


#: counts whose own geography is tried
OWN = [
    "age_0_to_4", "english_only", "french_only", "english_and_french", "non_immigrants",
    "immigrants", "non_permanent_residents",
]  # fmt: skip


def own(data: Path, folder: Path) -> None:
    """Print what a count's own geography gains inside cut units, where the truth is known."""
    print(
        "\nown geography of counts: dissemination areas joined in pairs across outlines, which then"
        " cut them\n(truth: the two as they are published; error and ranges, shared as people are,"
        " then by own geography)"
    )
    print(
        f"{'':44} {'count':24} strength  as people   by own     gain"
        "   held width, as people   held width, by own"
    )
    found = []
    for city in ("ottawa", "calgary"):
        home = data / f"{city}_2021"
        names = ["lda_000b21a_e.zip"] if city == "ottawa" else ["da.gpkg"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            add_census(folder / city, [home / one for one in [*names, "da_profile_2021.csv"]],
                       vintage=2021)  # fmt: skip
        census = lipgeo.open_census(folder / city)
        profile = profile_of(home / "da_profile_2021.csv")
        drawn = {
            "wards": lipgeo.read_service_areas(
                next((home / "wards").glob("*.shp")), id="WARD" if city == "ottawa" else "ward_num"
            )
        }
        if city == "ottawa":
            drawn["neighbourhoods"] = lipgeo.read_service_areas(
                home / "neighbourhoods.gpkg", id="ONS_ID"
            )
        homes = {
            kind: lipgeo.fit_boundaries(
                census, areas, unit="DA", rule="largest", exclusive=True
            ).units.set_index("unit_id")["area_id"]
            for kind, areas in drawn.items()
        }
        homes["tracts"] = profile.parents.str.replace(r"^[A-Z]+:", "", regex=True).dropna()
        for kind, home_of in homes.items():
            for seed in range(3):
                found += own_of_pairs(census, profile, home_of, f"{city}, {kind}, {seed}", seed)
    own_of_halves(data, folder / "blocks")
    for seed in (6, 7):
        own_of_made(seed)
    by = pd.DataFrame(found, columns=["count", "way", "people", "own", "truth"])
    print("\nall of these together, and the worst of them")
    for (name, way), rows in by.groupby(["count", "way"], sort=False):
        change = rows["own"] / rows["people"] - 1
        moved = (rows["own"] - rows["people"]) / rows["truth"]
        print(
            f"    {name:26} {way:11} {rows['own'].sum() / rows['people'].sum() - 1:+7.1%}"
            f"   worst {change.max():+7.1%} (of all there are {moved.max():+.3%}),"
            f" best {change.min():+7.1%}"
        )


def own_of_halves(data: Path, folder: Path) -> None:
    """Print dwellings and households of real halves of units, shared out as if they were people."""
    home = data / "ottawa_2021"
    census = ottawa_census(data, folder)
    given = pd.read_csv(home / "neighbourhood_counts_2021.csv", dtype={"ONS_ID": str})
    given = given.set_index("ONS_ID")
    truth = pd.DataFrame({name: given[TRUTH[name]] for name in PEOPLE})
    areas = lipgeo.read_service_areas(home / "neighbourhoods.gpkg", id="ONS_ID")
    rules = {
        name: Variable(name, "count", denominator="population", universe="population", rounding=0)
        for name in PEOPLE[1:]
    }
    counts = census.units("DA")[PEOPLE]
    table = CensusTable(
        counts, rules, level="DA", vintage=2021,
        parents=profile_of(home / "da_profile_2021.csv").parents,
    )  # fmt: skip
    drawn = lipgeo.build_crosswalk(census.zones("DA"), areas, weight="population")
    met = lipgeo.calibrate(drawn, truth[["population"]], counts[["population"]])
    print("\nhalves of units: Ottawa's 116 neighbourhoods, truth: custom counts, shared as people")
    for way, xw in (("estimated", drawn), ("calibrated", met)):
        both = [
            weight_table(table, xw, variables=PEOPLE[1:], own_geography=choice)
            for choice in ("off", "auto")
        ]
        for name in PEOPLE[1:]:
            missed = [error(one.wide()[name], truth[name]) for one in both]
            strength = both[1].meta["own_geography"].get(name, 0.0)
            print(
                f"    {way:11} {name:12} strength {strength:.2f}"
                f"  {missed[0]:.2%} to {missed[1]:.2%} ({missed[1] / missed[0] - 1:+.1%})"
            )


def own_of_made(seed: int) -> None:
    """Print fifty groups of made people: how many are moved, and what that gains."""
    census, people, areas, _ = made_country(seed, True, "freehand")
    areas = without_overlaps(areas)
    truth = people.truth(areas)
    areas = areas.select(list(truth.index[truth["population"] > 200]))
    truth = truth.reindex(list(areas.ids))
    table, order, _ = made_groups(census, people, areas, seed)
    drawn = lipgeo.build_crosswalk(census.zones("DA"), areas, weight="population")
    met = lipgeo.calibrate(drawn, truth[["population"]], table.frame[["population"]].fillna(0.0))
    for way, xw in (("estimated", drawn), ("calibrated", met)):
        off, on = (
            weight_table(table, xw, variables=list(order.columns), own_geography=choice)
            for choice in ("off", "auto")
        )
        miss = pd.DataFrame(
            {
                kind: (est.wide() - order).abs().sum() / order.sum()
                for kind, est in (("people", off), ("own", on))
            }
        )
        moved = pd.Series(on.meta["own_geography"], dtype=float).reindex(order.columns).fillna(0.0)
        for low, high in SIZES:
            some = (low < RATES) & (high >= RATES)
            change = miss["own"][some].sum() / miss["people"][some].sum() - 1
            each = (miss["own"] / miss["people"] - 1)[some]
            held = [
                held_and_width(
                    rows.set_index(["variable", "area_id"]),
                    pd.concat({one: order[one] for one in order.columns[some]}).reindex(
                        pd.MultiIndex.from_frame(rows[["variable", "area_id"]])
                    ),
                    "likely",
                )
                for rows in (
                    est.frame[est.frame["variable"].isin(order.columns[some])] for est in (off, on)
                )
            ]
            print(
                f"made {seed}, {way:11} {some.sum():2} groups of {low:4.0%} to {high:4.0%}:"
                f" {int((moved[some] > 0).sum())} moved, strength {moved[some].mean():.2f},"
                f" error {miss['people'][some].mean():.2%} to {miss['own'][some].mean():.2%}"
                f" ({change:+.1%}; worst {each.max():+.1%}); held and width"
                + "".join(f" {one:.1%} {two:.1%}" for one, two in held)
            )


def own_of_pairs(
    census: lipgeo.Census, profile: CensusTable, home_of: pd.Series, label: str, seed: int
) -> list[tuple[str, str, float, float, float]]:
    """Print the errors of one way to join, and return them: absolute, by count."""
    units = census.units("DA")
    frame = profile.frame.reindex(units.index)
    frame = frame[frame[OWN].notna().all(axis=1)]
    ids = frame.index.intersection(home_of.index)
    shapes = pd.Series(census.data.geometry("DA"), index=units.index).reindex(ids)
    home_of = home_of.reindex(ids)
    other = neighbours_across(shapes, home_of, np.random.default_rng([seed, 14]))
    leader = pd.Series(ids, index=ids).where(~ids.isin(other.index), other.reindex(ids))
    joined = shapes.groupby(leader).agg(lambda one: shapely.union_all(one.to_numpy()))
    held = frame.reindex(ids).drop(columns="median_income").groupby(leader).sum()
    attributes = census.data.attributes("DA")
    attributes = attributes[attributes["unit_id"].isin(joined.index)].reset_index(drop=True)
    order = attributes["unit_id"]
    for name in PEOPLE:
        attributes[name] = held[name].reindex(order).to_numpy()
    made = lipgeo.Census(
        MemoryCensus(
            census.vintage, {"DA": attributes}, {"DA": joined.reindex(order).to_numpy()},
            census.data.meta,
        )
    )  # fmt: skip
    outlines = shapes.groupby(home_of).agg(lambda one: shapely.union_all(one.to_numpy()))
    areas = Zones(outlines.index, outlines.to_numpy(), census.crs)
    truth = frame.reindex(ids).groupby(home_of).sum()
    table = CensusTable(held.rename_axis("unit_id"), profile.variables, level="DA", vintage=2021)
    drawn = lipgeo.build_crosswalk(made.zones("DA"), areas, weight="population")
    ways = {
        "estimated": drawn,
        "calibrated": lipgeo.calibrate(drawn, truth[["population"]], held[["population"]]),
    }
    found = []
    for way, xw in ways.items():
        both = [
            weight_table(table, xw, variables=OWN, hidden="as_published", own_geography=choice)
            for choice in ("off", "auto")
        ]
        for name in OWN:
            rows = [one.frame[one.frame["variable"].eq(name)].set_index("area_id") for one in both]
            known = truth[name].reindex(rows[0].index)
            miss = [float((one["value"] - known).abs().sum()) for one in rows]
            held_by = [held_and_width(one, known, "likely") for one in rows]
            strength = both[1].meta["own_geography"].get(name, 0.0)
            print(
                f"{label + ', ' + way:44} {name:24} {strength:8.2f}"
                f"  {miss[0] / known.sum():9.2%} {miss[1] / known.sum():8.2%}"
                f" {miss[1] / miss[0] - 1:+8.1%}"
                + "".join(f"   {held:13.1%} {width:7.1%}" for held, width in held_by)
            )
            found.append((name, way, *miss, float(known.sum())))
    return found


def neighbours_across(shapes: pd.Series, home_of: pd.Series, rng: np.random.Generator) -> pd.Series:
    """Return, by unit, the unit in another area that it is joined to: half of all there could be.

    Nearest first, each unit once.
    """
    middle = shapely.centroid(shapes.to_numpy())
    place = np.column_stack([shapely.get_x(middle), shapely.get_y(middle)])
    distance, near = scipy.spatial.cKDTree(place).query(place, k=9)
    area = pd.factorize(home_of)[0]
    row, rank = np.nonzero(area[:, None] != area[near])
    order = np.argsort(distance[row, rank], kind="stable")
    used = np.zeros(len(place), dtype=bool)
    found = {}
    for one, other in zip(row[order], near[row, rank][order], strict=True):
        if not (used[one] or used[other]):
            used[[one, other]] = True
            if rng.random() < 0.5:
                found[shapes.index[one]] = shapes.index[other]
    return pd.Series(found, dtype=object)


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


def regions(census: lipgeo.Census, count: int, seed: int, *, straight: bool) -> ServiceAreas:
    """Return areas around random blocks: unions of the blocks nearest each, or straight-sided."""
    units = census.units("DB")
    shapes = pd.Series(census.data.geometry("DB"), index=units.index).dropna()
    units = units.reindex(shapes.index)
    rng = np.random.default_rng(seed)
    place = units[["x", "y"]].to_numpy()
    held = units["population"].fillna(0).to_numpy()
    seats = place[rng.choice(len(place), count, replace=False, p=held / held.sum())]
    if straight:
        around = shapely.box(*shapely.total_bounds(shapes.to_numpy()))
        drawn = shapely.get_parts(
            shapely.voronoi_polygons(shapely.multipoints(seats), extend_to=around)
        )
    else:
        nearest = scipy.spatial.cKDTree(seats).query(place)[1]
        drawn = shapes.groupby(nearest).agg(lambda one: shapely.union_all(one.to_numpy()))
    frame = gpd.GeoDataFrame(
        {"area_id": [f"r{at:03d}" for at in range(len(drawn))]},
        geometry=np.asarray(drawn, dtype=object), crs=census.crs,
    )  # fmt: skip
    return ServiceAreas.from_frame(frame, id="area_id")


def others(data: Path, folder: Path) -> None:
    """Print what Ottawa's blocks teach of units without blocks, in areas other than the 116.

    *factor* is the variance of what units miss over that of the model borrowed from tracts
    (140 x + 0.014 x squared; of points 37 x + 0.016 x squared), *width* how many of its standard
    errors hold nine areas in ten; the error model takes what stands between these areas.
    """
    census = ottawa_census(data, folder)
    alone = without_blocks(census)
    units = census.units("DB")
    held = census.counts("DA")["population"]
    ward = lipgeo.read_service_areas(
        next((data / "ottawa_2021" / "wards").glob("*.shp")), id="WARD"
    )
    kinds = [("wards", ward)]
    for count, seed in ((120, 1), (120, 2), (30, 1)):
        for straight in (False, True):
            label = f"{count} {'straight-sided' if straight else 'unions of blocks'} {seed}"
            kinds.append((label, regions(census, count, seed, straight=straight)))
    print("\nOttawa, areas other than the neighbourhoods; truth: block counts")
    print(f"{'':30} {'':26} strength   error  factor  width")
    for label, areas in kinds:
        fine = lipgeo.build_crosswalk(
            census.zones("DA"), areas, weight="population", placement="surface"
        )
        tries: list[tuple[str, dict, tuple[float, float]]] = [
            (f"DA alone, by {one}", {"placement": one}, (140.0, 0.014))
            for one in ("surface", "density")
        ]
        for counted, columns in (("with", PEOPLE), ("without", [])):
            points = points_of_blocks(units, columns, census)
            tries.append((f"points {counted} counts", {"blocks": points}, (37.0, 0.016)))
        for name, options, model in tries:
            xw = lipgeo.build_crosswalk(alone.zones("DA"), areas, weight="population", **options)
            told = misses(xw, fine, held, model)
            power = xw.meta.get("strength", {}).get("power", 0.0)
            print(f"{label:30} {name:26} {power:8.2f} {told[0]:7.2%} {told[1]:7.2f} {told[2]:6.2f}")


def misses(
    xw: lipgeo.Crosswalk, fine: lipgeo.Crosswalk, held: pd.Series, model: tuple[float, float]
) -> tuple[float, float, float]:
    """Return error, factor of the variance and width that a model asks."""
    pairs = Pairs.of(xw)
    known = fine.frame.set_index(["source_id", "target_id"])["share"]
    keys = pd.MultiIndex.from_arrays([pairs.sources[pairs.source], pairs.targets[pairs.target]])
    size = held.reindex(pairs.sources).fillna(0).to_numpy()[pairs.source]
    miss = (pairs.share - known.reindex(keys).fillna(0).to_numpy()) * size
    expected = pairs.doubt * (model[0] * size + model[1] * size**2)
    use = expected > 0
    factor = float((miss[use] ** 2).sum() / expected[use].sum())
    by = pd.DataFrame({"miss": miss, "expected": expected * factor}).groupby(pairs.target).sum()
    by = by[by["expected"] > 0]
    width = float(np.quantile(by["miss"].abs() / np.sqrt(by["expected"]), 0.9))
    error_ = pd.Series(miss).groupby(pairs.target).sum().abs().sum() / held.sum()
    return float(error_), factor, width


def second_controls(
    census: lipgeo.Census,
    areas: ServiceAreas,
    profile: CensusTable,
    truth: pd.DataFrame,
    held: pd.DataFrame,
) -> None:
    """Print unions led by people known, and by estimated immigrants too, at some weights.

    ``truth``: of the areas, ``held``: of the units; immigrants as far as they are known.
    """
    known = truth[["population"]]
    estimated = lipgeo.weight_areas(
        census, areas, profile, variables=["immigrants"], controls=known
    ).wide()
    both = known.assign(immigrants=estimated["immigrants"].reindex(known.index))
    names = [name for name in ("population", "immigrants") if name in truth and name in held]
    for weight in (0.0, 0.1, 0.3, 1.0):
        b = lipgeo.fit_boundaries(
            census, areas, unit="DA", rule="optimal", exclusive=True, controls=both,
            control_weight={"immigrants": weight}, control_sources=profile.frame[["immigrants"]],
        )  # fmt: skip
        units = b.units.set_index("unit_id")
        union = held.reindex(units.index).groupby(units["area_id"].to_numpy()).sum()
        errors = "  ".join(
            f"{name} {error(union[name].reindex(truth.index).fillna(0), truth[name]):6.2%}"
            for name in names
        )
        off = b.meta["optimal"]["deviation"]["immigrants"]
        print(
            f"    immigrants at {weight:3.1f}: {errors}; from their estimate "
            f"{off['sum'] / off['of']:6.2%}; misfit {b.meta['optimal']['misfit']:,.0f}"
        )


def controls(data: Path, folder: Path) -> None:
    """Print optimal unions with estimated immigrants as a second control, at some weights."""
    heading("optimal unions of DAs, people known, immigrants estimated as a second control")
    home = data / "ottawa_2021"
    census = ottawa_census(data, folder)
    areas = lipgeo.read_service_areas(home / "neighbourhoods.gpkg", id="ONS_ID")
    given = pd.read_csv(home / "neighbourhood_counts_2021.csv", dtype={"ONS_ID": str})
    truth = pd.DataFrame({"population": given.set_index("ONS_ID")[TRUTH["population"]]})
    profile = profile_of(home / "da_profile_2021.csv")
    print("Ottawa, 116 neighbourhoods (no truth of immigrants here)")
    second_controls(census, areas, profile, truth, profile.frame)
    for seed in (3, 4, 5):
        for settled, kind in ((False, "freehand"), (True, "streets")):
            country, people, drawn, _ = made_country(seed, settled, kind)
            drawn = without_overlaps(drawn)
            known = people.truth(drawn)
            known = known[known["population"] > 200]
            drawn = drawn.select(list(known.index))
            made_table = synthetic.table(country, "DA", people=people, incomes=False)
            frame = made_table.frame.assign(population=country.counts("DA")["population"])
            table = CensusTable(
                frame.fillna({"population": 0.0}), level="DA", vintage=2021,
                symbols=made_table.symbols.drop(columns="population", errors="ignore"),
                parents=tracts_of(country),
            )  # fmt: skip
            print(f"made, seed {seed}, {'towns' if settled else 'even'}, {kind}")
            second_controls(country, drawn, table, known, made_table.truth)


def made() -> None:
    """Print made censuses: error by placement, strength learned, and what ranges hold."""
    heading("made censuses, truth: their people")
    for seed in (3, 4, 5):
        for settled, kind in ((False, "freehand"), (True, "freehand"), (True, "streets")):
            census, _, areas, truth = made_country(seed, settled, kind)
            counted = CensusTable(census.units("DB")[PEOPLE], level="DB", vintage=2021)
            units = CensusTable(
                census.units("DA")[PEOPLE], level="DA", vintage=2021, parents=tracts_of(census)
            )
            alone = without_blocks(census)
            where = f"{seed} {'towns' if settled else 'even'}, {kind}"
            for placement in ("surface", "point", "density"):
                xw = by_weights(census, "DB", areas, placement)["population"]
                line(f"{where}: blocks, {placement}", weight_table(counted, xw), truth, PEOPLE[:1])
            print(f"    strength {xw.meta['strength']}")
            for placement in ("surface", "density"):
                xw = by_weights(census, "DA", areas, placement)["population"]
                line(f"{where}: DA, {placement}", weight_table(units, xw), truth, PEOPLE[:1])
            xw = by_weights(alone, "DA", areas, "density")["population"]
            line(f"{where}: DA alone, density", weight_table(units, xw), truth, PEOPLE[:1])


def made_country(
    seed: int, settled: bool, kind: str
) -> tuple[lipgeo.Census, synthetic.People, ServiceAreas, pd.DataFrame]:
    """Return a made census, its people, and areas that hold some, with the truth."""
    census = synthetic.census(10_000, seed=seed, settled=settled)
    people = synthetic.people(census)
    drawn = synthetic.service_areas(census, 40, seed=seed + 1, kind=kind)
    areas = ServiceAreas.from_frame(drawn[drawn.geometry.area > 0], id="area_id")
    truth = people.truth(areas)
    truth = truth[truth["population"] > 0]
    return census, people, areas.select(list(truth.index)), truth


def tracts_of(census: lipgeo.Census) -> pd.Series:
    """Return the tract of each dissemination area, its subdivision where there is none."""
    units = census.units("DA")
    return units["CT"].fillna(units["CSD"])


#: share of its people that each of fifty groups has
RATES = np.geomspace(0.003, 0.6, 50)
#: their sizes
SIZES = [(0.0, 0.01), (0.01, 0.03), (0.03, 0.1), (0.1, 0.3), (0.3, 1.0)]


def groups() -> None:
    """Print fifty groups of made people: a quarter is asked, and small counts are hidden."""
    print("\nfifty groups of made people: one in four asked, counts under 10 hidden as 0")
    print("order: against the same sample in the area; true: against everybody")
    print(f"{'':44} error   order: held width   true: held width")
    for seed, kind in ((6, "freehand"), (7, "freehand")):
        census, people, areas, _ = made_country(seed, True, kind)
        areas = without_overlaps(areas)
        truth = people.truth(areas)
        areas = areas.select(list(truth.index[truth["population"] > 200]))
        truth = truth.reindex(list(areas.ids))
        table, order, everybody = made_groups(census, people, areas, seed)
        ways: dict[str, lipgeo.Crosswalk] = {
            placement: lipgeo.build_crosswalk(
                census.zones("DA"), areas, weight="population", placement=placement
            )
            for placement in ("surface", "density")
        }
        ways["calibrated"] = lipgeo.calibrate(
            ways["density"], truth[["population"]], table.frame[["population"]].fillna(0.0)
        )
        for way, xw in ways.items():
            est = weight_table(table, xw, variables=list(order.columns))
            for low, high in SIZES:
                names = [
                    name for name, rate in zip(order.columns, RATES, strict=True)
                    if low < rate <= high
                ]  # fmt: skip
                rows = est.frame[est.frame["variable"].isin(names)]
                rows = rows.set_index(["variable", "area_id"])
                said, true = (
                    pd.concat({name: one[name] for name in names}).reindex(rows.index)
                    for one in (order, everybody)
                )
                held, width = held_and_width(rows, said, "likely")
                held_true, width_true = held_and_width(rows, true, "truth")
                print(
                    f"{seed} {kind}, {way:10} {len(names):2} groups of {low:4.0%} to {high:4.0%}"
                    f" {error(rows['value'], said):7.2%}   {held:9.1%} {width:7.1%}"
                    f"   {held_true:8.1%} {width_true:7.1%}"
                )


def without_overlaps(areas: ServiceAreas) -> ServiceAreas:
    """Cut from each area what the ones before it hold, so that they can be calibrated."""
    frame = areas.frame.reset_index()[["area_id", "geometry"]]
    kept: list[shapely.Geometry] = []
    for shape in frame.geometry:
        kept.append(shapely.difference(shape, shapely.union_all(kept)))
    frame["geometry"] = kept
    return ServiceAreas.from_frame(frame[frame.geometry.area > 1], id="area_id")


def made_groups(
    census: lipgeo.Census, people: synthetic.People, areas: ServiceAreas, seed: int
) -> tuple[CensusTable, pd.DataFrame, pd.DataFrame]:
    """Draw groups of people; return their table, and by area what the sample and all say."""
    rng = np.random.default_rng([seed, 50])
    x, y = people.xy.T / 1000.0
    persons = people.counts["population"].to_numpy()
    drawn = {}
    for at, rate in enumerate(RATES):
        # each group lives together in its own way: waves of 2 to 12 km
        turn, phase = rng.uniform(0, np.pi, 3), rng.uniform(0, 2 * np.pi, 3)
        length = rng.uniform(2, 12, 3)
        wave = sum(
            np.sin(2 * np.pi * (x * np.cos(a) + y * np.sin(a)) / one + p)
            for a, p, one in zip(turn, phase, length, strict=True)
        )
        pull = np.log(rate / (1 - rate)) + rng.uniform(0.1, 0.6) * wave
        drawn[f"group_{at:02d}"] = rng.binomial(persons, 1 / (1 + np.exp(-pull)))
    everybody = pd.DataFrame(drawn)
    asked = 4.0 * pd.DataFrame({name: rng.binomial(one, 0.25) for name, one in drawn.items()})
    inside = [people.within(shape) for shape in areas.frame.geometry.to_crs(3347)]
    ids = pd.Index(areas.ids, name="area_id")
    order, true = (
        pd.DataFrame([one[rows].sum() for rows in inside], index=ids) for one in (asked, everybody)
    )
    unit = units_of_points(census, people)
    held = asked.groupby(unit).sum()
    luck = rng.random(held.shape)
    down = np.floor(held / 5) * 5
    held = (down + 5 * (luck < (held - down) / 5)).where(held >= 10, 0.0)
    counted = census.units("DA")["population"].fillna(0.0)
    held = held.reindex(counted.index, fill_value=0.0).assign(population=counted)
    rules = {
        name: Variable(name, "count", denominator="population", universe="population", sampled=True)
        for name in drawn
    }
    table = CensusTable(
        held.rename_axis("unit_id"), rules, level="DA", vintage=2021, parents=tracts_of(census)
    )
    return table, order, true


def units_of_points(census: lipgeo.Census, people: synthetic.People) -> pd.Series:
    """Return the dissemination area of each point, missing where it was not enumerated."""
    data = census.data
    unit = data.attributes("DB", ["unit_id", "DA"])
    shapes = data.geometry("DB")
    held = np.array([shape is not None for shape in shapes])
    tree = shapely.STRtree(shapes[held])
    point, block = tree.query(shapely.points(people.xy), predicate="within")
    found = pd.Series(pd.NA, index=range(len(people.xy)), dtype=object)
    found.iloc[point] = unit["DA"].to_numpy(dtype=object)[np.flatnonzero(held)[block]]
    return found.mask(people.silent)


def points_of_blocks(units: pd.DataFrame, columns: list[str], census: lipgeo.Census) -> Zones:
    """Return the representative points of blocks, with some counts."""
    return Zones(
        units.index, np.full(len(units), None), census.crs,
        data=units[["x", "y", *columns]].rename_axis("zone_id"),
    )  # fmt: skip


def main() -> None:
    """Print all figures, or those of a part."""
    parts = {"ottawa": ottawa, "others": others,
             "calgary": calgary, "own": own, "made": made,
             "groups": groups, "controls": controls}  # fmt: skip
    chosen = [one for one in sys.argv[1:] if one in parts] or list(parts)
    rest = [one for one in sys.argv[1:] if one not in parts]
    data = Path(rest[0]) if rest else HERE.parent / "shared" / "data"
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            if name in ("made", "groups"):
                parts[name]()
            else:
                parts[name](data, Path(folder) / name)


if __name__ == "__main__":
    main()
