"""Estimates against known truth: Ottawa, Calgary, and a made census.

Run from the checkout, with the real data beside it (../shared/data)::

    python benchmarks/estimates.py [DATA]

Prints, for Ottawa's 116 neighbourhoods of 2021 against Statistics Canada's custom counts, the
error of each estimate (sum of absolute differences over the total); for certain bounds and for the
90 % range, how many areas hold the truth and the median width; the error before and after
calibration; Calgary's wards and city; what parents of units taught, beside what is borrowed where
there are none; and on a made census the error by rule and the bounds under suppression.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import lipgeo
from lipgeo import synthetic
from lipgeo.store import add_census
from lipgeo.tables import CensusTable, residuals, weight_table
from lipgeo.tables import error_model as spread

HERE = Path(__file__).resolve().parents[1]
#: variable -> the custom count that is its truth
TRUTH = {
    "population": "SF_TotalPop",
    "dwellings": "SF_PTDWELL",
    "households": "LF_Households",
    "immigrant_status_total": "LF_POP_PRIV",
}


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


def line(label: str, est: lipgeo.Estimates, truth: pd.DataFrame, only: list[str]) -> None:
    """Print error, truths held and median widths of some variables."""
    for name in only:
        rows = est.frame[est.frame["variable"].eq(name)].set_index("area_id")
        known = truth[TRUTH[name]].reindex(rows.index)
        error = (rows["value"] - known).abs().sum() / known.sum()
        value = rows["value"].where(rows["value"] > 0)
        held, width = [], []
        for low, high in (("lower", "upper"), ("likely_lower", "likely_upper")):
            inside = known.between(rows[low] - 1e-9, rows[high] + 1e-9)
            held.append(int(inside.sum()))
            width.append(float(((rows[high] - rows[low]) / value).median()))
        print(
            f"{label:34} {name:22} {error:7.2%}  {held[0]:4d} {width[0]:8.1%}"
            f"   {held[1]:4d} ({held[1] / len(rows):5.1%}) {width[1]:7.1%}"
        )


def ottawa(data: Path, folder: Path) -> None:
    """Print Show 1 and 2."""
    home = data / "ottawa_2021"
    names = ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")
    add_census(folder, [home / name for name in names])
    census = lipgeo.open_census(folder)
    areas = lipgeo.read_service_areas(home / "neighbourhoods.gpkg", id="ONS_ID")
    truth = pd.read_csv(home / "neighbourhood_counts_2021.csv", dtype={"ONS_ID": str})
    truth = truth.set_index("ONS_ID")
    profile = profile_of(home / "da_profile_2021.csv")
    blocks = CensusTable(
        census.units("DB")[["population", "dwellings", "households"]], level="DB", vintage=2021
    )
    blocks = blocks.with_parents(census.units("DB")["DA"])
    counts = ["population", "dwellings", "households"]

    print(f"\nOttawa, {len(areas)} areas. held = areas whose truth lies in the bounds, and width")
    print(" " * 58 + "error   certain bounds     90 % range")
    both = {
        weight: lipgeo.build_crosswalk(census.zones("DA"), areas, weight=weight)
        for weight in ("population", "dwellings", "households")
    }
    start = time.perf_counter()
    est = weight_table(profile, both)
    spent = time.perf_counter() - start
    line("DA, block weights, tracts teach", est, truth, list(TRUTH))
    line(
        "DA, block weights, spread borrowed",
        weight_table(profile.with_parents(profile.parents.iloc[:0]), both),
        truth,
        list(TRUTH),
    )
    at = lipgeo.build_crosswalk(census.zones("DB"), areas, weight="population")
    line("DB, by surface", weight_table(blocks, at), truth, counts)
    at = lipgeo.build_crosswalk(census.zones("DB"), areas, weight="population", placement="point")
    line("DB, by point", weight_table(blocks, at), truth, counts)
    at = lipgeo.build_crosswalk(census.zones("DA"), areas, weight="area")
    line("DA, area weights", weight_table(profile, at), truth, counts)
    print(f"{len(est.frame):,} numbers in {spent:.2f} s")
    print("\nwhat tracts taught (borrowed where there are none: counts phi, tau2 =", end=" ")
    print(f"{spread.COUNT}, ratios {spread.RATIO} of the variance of rates, width {spread.WIDTH})")
    print(est.error_model.round(4).to_string())

    print("\ncalibrated; only SF_TotalPop, then SF_PTDWELL as well")
    people = truth[["SF_TotalPop"]].set_axis(["population"], axis=1)
    homes = truth[["SF_TotalPop", "SF_PTDWELL"]].set_axis(["population", "dwellings"], axis=1)
    xw = both["population"]
    frame = profile.frame
    line("before", weight_table(profile, xw), truth, list(TRUTH))
    for label, controls in (("to population", people), ("to population and dwellings", homes)):
        start = time.perf_counter()
        done = lipgeo.calibrate(xw, controls, frame[list(controls.columns)])
        spent = time.perf_counter() - start
        line(label, weight_table(profile, done), truth, list(TRUTH))
        left = residuals(done)["residual"].abs()
        print(
            f"    {spent:.2f} s; {(left > 0.5).sum()} of {len(left)} controls missed by more than "
            f"half a unit, {left.max():.1f} at most; {len(done.report.only(severity='warning'))} "
            "warnings"
        )
    lone = lipgeo.calibrate(xw, people.loc[["3110"]], frame[["population"]])
    before, after = (weight_table(profile, one).wide()["population"] for one in (xw, lone))
    rest = [
        float(
            one.remainder["share"]
            @ frame["population"].reindex(one.remainder["source_id"]).to_numpy()
        )
        for one in (xw, lone)
    ]
    print(
        f"one lone area, 3110: {before['3110']:,.0f} -> {after['3110']:,.0f} (control "
        f"{people.loc['3110', 'population']:,.0f}); {int(((after - before).abs() > 0.5).sum()) - 1}"
        f" neighbours give {before.drop('3110').sum() - after.drop('3110').sum():,.0f}, the "
        f"outside {rest[0] - rest[1]:,.0f}"
    )
    shown = est.explain("3001", "immigrants")
    print("\nest.explain('3001', 'immigrants'):")
    columns = ["row", "source_id", "published", "share", "contribution", "status", "file"]
    print(shown[columns].fillna({"source_id": "", "status": "", "file": ""}).to_string(index=False))


def calgary(data: Path, folder: Path) -> None:
    """Print Show 3."""
    home = data / "calgary_2021"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        add_census(folder, [home / "da.gpkg", home / "da_profile_2021.csv"], vintage=2021)
    census = lipgeo.open_census(folder)
    wards = lipgeo.read_service_areas(next((home / "wards").glob("*.shp")), id="ward_num")
    city = lipgeo.ServiceAreas.from_units(
        {"calgary": [f"DA:{unit}" for unit in census.units("DA").index]}, census
    )
    profile = profile_of(home / "da_profile_2021.csv")
    names = ["population", "dwellings", "immigrants", "non_permanent_residents"]
    frame = profile.frame
    by_ward = lipgeo.weight_areas(census, wards, profile, variables=names)
    whole = lipgeo.weight_areas(census, city, profile, variables=names).wide().loc["calgary"]
    print(
        f"\nCalgary, {len(wards)} wards, {len(profile)} DAs (shared by area: there are no blocks)"
    )
    table = pd.DataFrame(
        {
            "sum of DAs": frame[names].sum(),
            "city": whole,
            "sum of wards": by_ward.wide()[names].sum(),
            "not observed (people)": [
                float(frame["population"][frame[name].isna()].sum()) for name in names
            ],
        }
    )
    print(table.round(1).to_string())
    likely = by_ward.frame[by_ward.frame["variable"].eq("immigrants")]
    width = (likely["likely_upper"] - likely["likely_lower"]) / likely["value"]
    print(f"immigrants by ward: median width of the 90 % range {width.median():.1%}")


def made() -> None:
    """Print Show 4."""
    census = synthetic.census(10_000, seed=3)
    people = synthetic.people(census)
    areas = lipgeo.ServiceAreas.from_frame(
        synthetic.service_areas(census, 40, seed=2, kind="freehand"), id="area_id"
    )
    truth = people.truth(areas, incomes=True)
    known = truth.stack().rename("truth")  # noqa: PD013
    parents = census.units("DA")["CT"].fillna(census.units("DA")["CSD"])
    print(f"\nmade census, {len(areas)} areas drawn freehand; error by rule and basis")
    print("table              basis         suppressed  count  percent  average  numbers  "
          "certain bounds hold   90 % range holds   width")  # fmt: skip
    crosswalks = {
        basis: {
            weight: lipgeo.build_crosswalk(census.zones("DA"), areas, weight=weight)
            for weight in weights
        }
        for basis, weights in (
            ("own weights", ("population", "dwellings", "households")),
            ("people", ("population",)),
            ("area", ("area",)),
        )
    }
    cases = [("exact", basis, 0.0) for basis in crosswalks]
    cases += [("exact", "own weights", share) for share in (0.05, 0.2, 0.6)]
    cases += [("as published", "own weights", share) for share in (0.0, 0.05, 0.2, 0.6)]
    for kind, basis, suppressed in cases:
        exact = kind == "exact"
        made = synthetic.table(
            census, "DA", people=people, suppressed=suppressed, rounded=not exact,
            floors=not exact,
        )  # fmt: skip
        table = CensusTable(made.frame, level="DA", vintage=2021, symbols=made.symbols)
        est = weight_table(table.with_parents(parents), crosswalks[basis])
        rows = est.frame.join(known, on=["area_id", "variable"]).dropna(subset=["truth"])
        given = rows.dropna(subset=["value"])
        errors = {
            rule: (group["value"] - group["truth"]).abs().sum() / group["truth"].sum()
            for rule, group in given.groupby("rule")
        }
        counts = rows[rows["rule"].isin(["count", "percent"])]
        slack = 1e-9 * counts["truth"]
        bound = (counts["lower"] <= counts["truth"] + slack) & (
            counts["truth"] <= counts["upper"] + slack
        )
        number = given[given["rule"].eq("count")]
        likely = number["truth"].between(
            number["likely_lower"] - 1e-9, number["likely_upper"] + 1e-9
        )
        width = ((number["likely_upper"] - number["likely_lower"]) / number["value"]).median()
        print(
            f"{kind:18} {basis:12} {suppressed:9.0%} "
            + " ".join(
                f"{errors.get(rule, np.nan):8.2%}" for rule in ("count", "percent", "average")
            )
            + f" {len(given) / len(rows):8.0%}  {bound.sum():6d} of {len(bound)}"
            f"      {likely.mean():10.1%}  {width:12.1%}"
        )


def main() -> None:
    """Print all figures."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared" / "data"
    with tempfile.TemporaryDirectory() as folder:
        ottawa(data, Path(folder) / "ottawa")
        calgary(data, Path(folder) / "calgary")
    made()


if __name__ == "__main__":
    main()
