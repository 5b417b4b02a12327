"""A portal of real numbers: wards of Ottawa and Calgary estimated, Vancouver as it was ordered.

Run from the checkout, with the real data beside it (../shared/data)::

    python benchmarks/portal_real.py [DATA] [--out FOLDER]

Wards are weighted from the dissemination areas of the 2021 Census Profile; the order of the City of
Vancouver (2016, local areas) is taken in as a delivery. The site and the Fast Facts of three areas
are left in the folder. Everything printed is measured in this run.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

import lipgeo
from lipgeo.files import write_manifest
from lipgeo.order.manifest import ORDER
from lipgeo.portal.book import BOOK, add_rows
from lipgeo.portal.pages.facts_of_areas import facts_files, write_facts_of_areas
from lipgeo.store import add_census

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE / "tests"))
import made_deliveries as made_files  # noqa: E402

DATA = HERE.parent / "shared" / "data"
VARIABLES = ["population", "immigrants_pct", "non_permanent_residents_pct", "median_income"]


def wards(data: Path, city: str, work: Path) -> lipgeo.Estimates:
    """Return estimates for the wards of a city, people of cut areas placed by density."""
    if city == "ottawa":
        folder = data / "ottawa_2021"
        files = [folder / name for name in ("lda_000b21a_e.zip", "ldb_000b21a_e.zip",
                                            "db_counts_2021.csv")]  # fmt: skip
        add_census(work / "ottawa", files)
        census = lipgeo.open_census(work / "ottawa")
        shapes = folder / "wards" / "Wards_2022-2026.shp"
    else:
        folder = data / "calgary_2021"
        files = [folder / name for name in ("da.gpkg", "da_profile_2021.csv")]
        add_census(work / "calgary", files, vintage=2021)
        census = lipgeo.open_census(work / "calgary")
        shapes = next((folder / "wards").glob("*.shp"))
    id = "WARD" if city == "ottawa" else "ward_num"
    areas = lipgeo.read_service_areas(shapes, id=id)
    frame = areas.frame.to_crs(census.crs)
    frame.index = [f"{city}-ward-{int(float(one)):02d}" for one in frame.index.astype(str)]
    frame.index.name = "area_id"
    areas = lipgeo.ServiceAreas.from_frame(frame.reset_index()[["area_id", "geometry"]],
                                           id="area_id")  # fmt: skip
    table = profile(folder / "da_profile_2021.csv")
    return lipgeo.weight_areas(census, areas, table, variables=VARIABLES)


def profile(path: Path) -> lipgeo.CensusTable:
    """Return the profile's counts, with the total of immigrant status from its three parts."""
    table = lipgeo.read_table(path, level="DA", vintage=2021)
    frame, symbols = table.frame.copy(), table.symbols.copy()
    parts = ["non_immigrants", "immigrants", "non_permanent_residents"]
    frame["immigrant_status_total"] = frame[parts].sum(axis=1, skipna=False)
    return lipgeo.CensusTable(
        frame, level="DA", vintage=2021, symbols=symbols, sources=table.sources
    )


def vancouver_order(path: Path, folder: Path) -> tuple[Path, list[dict[str, object]]]:
    """Write the order that the city's file answers: its 22 local areas, by name."""
    with path.open(encoding="latin-1", newline="") as stream:
        rows = list(csv.reader(stream))
    names = [name.strip() for name in rows[0][2:24]]
    total = next(row for row in rows if "Age groups and average age" in "".join(row))
    people = [float(cell.replace(",", "")) for cell in total[2:24]]
    areas: list[dict[str, object]] = [
        {
            "custom_id": f"V{at + 1:02d}", "area_id": f"vancouver-{at + 1:02d}", "name_en": name,
            "name_fr": None, "definition": "units", "vintage": 2016, "population": count,
            "dwellings": None, "misfit_share": 0.0, "floor_persons": 40, "flags": "", "cover": {},
            "units": {"DA": {f"5915{at + 1:04d}": count}}, "valid_from": None, "valid_to": None,
            "file": f"areas/area_V{at + 1:02d}.geojson",
        }
        for at, (name, count) in enumerate(zip(names, people, strict=True))
    ]  # fmt: skip
    folder.mkdir(parents=True)
    manifest = made_files._manifest(areas) | {"vintage": 2016}
    write_manifest(folder, ORDER, manifest, {})
    return folder, areas


def main() -> None:
    """Make the portal, its site and Fast Facts, and say what is in them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    work = asked.out or Path(tempfile.mkdtemp(prefix="lipgeo-portal-"))
    work.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    portal = lipgeo.open_portal(work / "portal", create=True)
    order, ordered = vancouver_order(
        asked.data / "deliveries" / "vancouver_local_areas_2016.csv", work / "order"
    )
    allowed = {"licence": "city", "may_publish": "table", "who": "City of Vancouver",
               "document": "open data"}  # fmt: skip
    names = [
        {"area_id": one["area_id"], "definition": "main", "kind": "community",
         "name_en": one["name_en"], "name_fr": one["name_en"], "extent_status": "published"}
        for one in ordered
    ]  # fmt: skip
    for city in ("ottawa", "calgary"):
        estimates = wards(asked.data, city, work)
        names += [
            {"area_id": id, "definition": "main", "kind": "community",
             "name_en": f"{city.capitalize()}, ward {int(id[-2:])}",
             "name_fr": f"{city.capitalize()}, quartier {int(id[-2:])}",
             "extent_status": "published"}
            for id in estimates.area_ids
        ]  # fmt: skip
        portal.add(estimates, f"{city}-wards", name=f"Census Profile 2021, wards of {city}")
        spent = time.perf_counter() - start
        print(f"{city}: {len(estimates.area_ids)} wards estimated, {spent:.0f} s")
    rows = {"areas": pd.DataFrame(names), "licences": pd.DataFrame([allowed])}
    add_rows(portal.folder / BOOK, rows)
    portal = portal.reopen()
    path = asked.data / "deliveries" / "vancouver_local_areas_2016.csv"
    trial = portal.receive(path, order=order, dry_run=True)
    labels = trial.labels["how"].value_counts().to_dict()
    found = trial.findings["check"].value_counts().to_dict()
    print(f"Vancouver: labels {labels}, to look at {found}")
    signed = trial.findings.assign(accept="yes", by="benchmark", reason="the city's own file")
    portal.receive(path, order=order, accept=signed, release="vancouver-2016", licence="city")
    start = time.perf_counter()
    site = lipgeo.build_site(portal, work / "site", replace=True)
    pages = len(list(site.glob("*.html")))
    print(f"site: {pages} pages a language, {time.perf_counter() - start:.0f} s, {site}")
    start = time.perf_counter()
    wanted = facts_files(
        portal, ["ottawa-ward-12", "calgary-ward-08", "vancouver-22"], work / "facts",
        langs=("en", "fr"),
    )  # fmt: skip
    written = write_facts_of_areas(portal, wanted, replace=True)
    print(f"Fast Facts: {len(written)} files, {time.perf_counter() - start:.0f} s")
    shown = portal.shown(audience="public")
    for city in ("ottawa", "calgary", "vancouver"):
        own = shown[shown["area_id"].str.startswith(city) & shown["gender"].eq("total")]
        share = own[own["indicator"].eq("immigrants")]["value"]
        people = own[own["indicator"].eq("population")]["value"].sum()
        print(f"{city}: {own['area_id'].nunique()} areas, {own['indicator'].nunique()} indicators, "
              f"origins {own['origin'].value_counts().to_dict()}, {people:,.0f} people, immigrants "
              f"{share.min():.1f} to {share.max():.1f} %")  # fmt: skip


if __name__ == "__main__":
    main()
