"""The registry against the list of subdivisions, the gaps, and ninety made submissions.

Run from the checkout, with the real data beside it (../shared/data)::

    python benchmarks/registry.py [DATA]

Prints how many entries resolve and why the others do not; every code held against the 2016 list
of census subdivisions, by code and by name; the people of resolved entries in 2021; the gaps to
the data consortia; and a made folder of ninety submissions, ten of them broken in ten ways, sent
again the year after with three changes.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyogrio

import lipgeo
from lipgeo import registry, synthetic
from lipgeo.census import Census, MemoryCensus
from lipgeo.census.search import key
from lipgeo.errors import RegistryError

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE / "tests"))
import made_submissions as made  # noqa: E402


def states(data: Path) -> None:
    """Print how many entries resolve, and hold every code against the list of 2016."""
    entries = registry.list()
    print(f"{len(entries)} entries: {entries['units_status'].value_counts().to_dict()}")
    print(f"extent: {entries['extent_status'].value_counts().to_dict()}")
    tried = {}
    for lip in entries["lip_id"]:
        try:
            registry.units(lip)
            tried[lip] = "resolves"
        except RegistryError as error:
            tried[lip] = f"refused: {error.problems['status'].item()}"
    print(f"by resolving each: {pd.Series(tried).value_counts().to_dict()}")
    print(f"registry.check(): {registry.check()!r}".splitlines()[0])

    known = pyogrio.read_dataframe(data / "canada" / "lcsd000b16a_e.dbf")
    names = {
        level: known.dropna(subset=[f"{level}UID"])
        .drop_duplicates(f"{level}UID")
        .set_index(f"{level}UID")[f"{level}NAME"]
        for level in ("CSD", "CD", "CMA", "PR")
    }
    rows = registry.open_registry().lips
    by_code, unknown, other_name = 0, [], []
    for row in rows.itertuples(index=False):
        said = key(f"{row.name_en} {row.service_area_text} {row.note}")
        for code in [*row.units.split(";"), *row.alternatives.split(";")]:
            level, _, unit = code.partition(":")
            if not unit:
                continue
            if unit not in names[level].index:
                unknown.append(f"{row.lip_id} {code}")
                continue
            by_code += 1
            bare = str(names[level][unit]).split(" (")[0].split(" / ")[0]
            # a word of the unit's name has to stand in what the source says
            words = [key(word) for word in bare.replace("-", " ").replace("/", " ").split()]
            if not any(len(word) > 3 and word in said for word in words):
                other_name.append(f"{row.lip_id}: {code} is {names[level][unit]}")
    print(f"codes in the 2016 list: {by_code}; not in it: {unknown or 'none'}")
    print(f"codes whose name does not stand in the source's words: {len(other_name)}")
    for line in other_name:
        print(f"  {line}")


def country(data: Path) -> Census:
    """Return all subdivisions with their 2021 people, divisions, metropolitan areas, provinces."""
    read = pyogrio.read_dataframe(
        data / "canada" / "csd_2021_generalised.gpkg", read_geometry=False
    )
    csd = pd.DataFrame(
        {
            "unit_id": read["rmapshaperid"].astype(str),
            "unit_name": read["CDNAME"].str.replace(r" \([^()]*\)$", "", regex=True),
            "CMA": read["CMAUID"].astype("string").str[-3:],
            "CD": read["CDUID"].astype(str),
            "PR": read["PRUID"].astype(str),
            "population": read["population_2021"],
        }
    )
    above = {
        level: pd.DataFrame({"unit_id": sorted(csd[level].dropna().unique())})
        for level in ("CMA", "CD", "PR")
    }
    return Census(MemoryCensus(2021, {"CSD": csd, **above}, {}))


def people(census: Census) -> None:
    """Print what is refused by name, and the people of what resolves."""
    quadrants = [f"on-toronto-{side}" for side in ("east", "north", "south", "west")]
    for lip in ("ab-bow-valley", "ab-jasper", *quadrants):
        try:
            registry.resolve(lip, census)
            print(f"{lip}: resolved, which it should not be")
        except RegistryError as error:
            print(f"refused: {error.problems['reason'].item()}")
    areas = registry.resolve("nb-moncton,ab-sk-lloydminster", census)
    held = areas.units.assign(people=areas.units["unit_id"].map(census.counts("CSD")["population"]))
    print(held.to_string(index=False))
    print(held.groupby("area_id")["people"].sum().to_string())


def gaps(census: Census) -> None:
    """Print the gaps with the people concerned."""
    found = lipgeo.gaps(census)
    shown = found.drop(columns=["name_en", "name_fr", "province", "reason"])
    print(shown.to_string(index=False, na_rep="", float_format="{:,.0f}".format))
    totals = pd.DataFrame(found.attrs["totals"])
    print(totals.to_string(index=False, na_rep="", float_format="{:,.0f}".format))
    print(f"consortia without a partnership: {found.attrs['consortia_without_partnership']}")
    ids = lipgeo.gaps()["status"].value_counts().to_dict()
    print(f"without a census, by ids alone: {ids}")


def submissions() -> None:
    """Compile ninety made submissions, then those of the next year."""
    earlier, census = (synthetic.census(10_000, vintage=year) for year in (2016, 2021))
    print(census)
    with tempfile.TemporaryDirectory(prefix="lipgeo-") as place:
        folder = Path(place) / "2026"
        made.write_good(census, folder, 80)
        made.write_broken(census, earlier, folder)
        made.write_clutter(folder)
        start = time.perf_counter()
        old = lipgeo.compile_set(folder, name="lip-2026", census=census, earlier=earlier)
        print(f"{old!r}, {time.perf_counter() - start:.1f} s")
        print(old.intake["status"].value_counts().to_dict())
        for row in old.intake[old.intake["status"].eq("refused")].itertuples(index=False):
            print(f"  {row.file} [{row.fault}]: {row.question}")
        counted, once = old.meta["people_counted"], old.meta["people"]
        print(f"people: {counted:,.0f} summed over areas, {once:,.0f} each once")
        meant = int(old.overlaps["intended"].sum())
        print(f"overlaps: {len(old.overlaps)}, {meant} intended; gaps: {len(old.gaps)}")

        new = Path(place) / "2027"
        shutil.copytree(folder, new)
        listed = sorted(new.glob("lst-*.csv"))[0]
        frame = pd.read_csv(listed, dtype=str, sep=None, engine="python", encoding="utf-8-sig")
        csd = census.units("CSD").index.difference(frame["unit_id"])[-1]
        more = frame.iloc[[0]].assign(level="CSD", unit_id=csd, mode="include")
        pd.concat([frame, more]).to_csv(listed, index=False)
        (new / "lip-001.gpkg").unlink()
        fresh = pd.DataFrame({"area_id": ["on-fresh"], "unit": [f"CSD:{csd}"]})
        fresh.to_csv(new / "fresh.csv", index=False)
        again = lipgeo.compile_set(new, name="lip-2027", census=census, since=old)
        print(f"next year: {again!r}")
        print(again.changes.to_string(index=False))


def main() -> None:
    """Print the four parts."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared" / "data"
    print("-- 1. the registry")
    states(data)
    census = country(data)
    print("\n-- 2. refused and resolved")
    people(census)
    print("\n-- 3. gaps")
    gaps(census)
    print("\n-- 4. ninety submissions")
    submissions()


if __name__ == "__main__":
    main()
