"""Ottawa's dissemination areas from 2021 back to 2016 and 2011, through the official files.

Run from the checkout, with the real data beside it (../shared/data)::

    python benchmarks/vintages.py [DATA]

Prints how many areas are intact, split, merged or redrawn since each earlier census, how many
people of 2021 live in them, how many live in blocks that are linked with several older areas, and
for how much of the people of 116 neighbourhoods the older area lies in it only in part.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import lipgeo
from lipgeo.store import add_census

HERE = Path(__file__).resolve().parents[1]
KINDS = ("intact", "split", "merge", "redrawn")


def classes(census: lipgeo.Census, links: lipgeo.Correspondence) -> None:
    """Print areas and people by what became of the areas."""
    people = census.counts("DA")["population"]
    new = links.changes("new").reindex(people.index)
    here = links.frame.loc[links.frame["new_id"].isin(people.index), "old_id"].unique()
    old = links.changes("old").reindex(here)
    total = people.sum()
    blocks = census.counts("DB")["population"]
    unsure = blocks.reindex(links.unsure()).dropna()
    print(f"\n{links.vintage} to {links.old_vintage}: {len(new):,} areas now, {len(old):,} then")
    print("change    areas now  areas then   people of 2021")
    for kind in KINDS:
        mine = people[new["change"].eq(kind)]
        print(
            f"{kind:8} {len(mine):10,} {old['change'].eq(kind).sum():11,} {mine.sum():12,.0f}"
            f" {mine.sum() / total:7.2%}"
        )
    moved = people[~new["change"].eq("intact")].sum()
    print(f"not intact: {moved:,.0f} people ({moved / total:.2%})")
    whole = links.frame[links.frame["new_id"].isin(people.index)]
    several = whole.groupby("new_id")["old_id"].nunique() > 1
    cut = people.reindex(several.index[several])
    print(f"areas now that hold land of several areas then: {len(cut):,}, {cut.sum():,.0f} people")
    print(
        f"blocks linked with several areas then, so that nobody says in which their people were: "
        f"{len(unsure):,}, {unsure.sum():,.0f} people ({unsure.sum() / total:.3%})"
    )


def shares(
    census: lipgeo.Census, links: lipgeo.Correspondence, target: object, called: str
) -> None:
    """Print how much of the people of areas cannot be placed exactly."""
    start = time.perf_counter()
    xw = lipgeo.vintage_crosswalk(census, links, target)
    spent = time.perf_counter() - start
    people = xw.frame[xw.frame["share_basis"].eq("population")]
    held = people.groupby("target_id")["weight"].sum()
    part = (held * [xw.meta["unplaced"][one] for one in held.index]).sum()
    print(
        f"{links.old_vintage} areas to {called}: {len(xw.sources):,} sources, {len(xw.frame):,} "
        f"shares; {part:,.0f} people ({part / held.sum():.2%}) came with areas that lie in one "
        f"only in part; conserved: {xw.check().ok}; {spent:.1f} s"
    )


def main() -> None:
    """Read, chain, count, print."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared" / "data"
    ottawa, canada = data / "ottawa_2021", data / "canada"
    start = time.perf_counter()
    to_2016 = lipgeo.read_correspondence(canada / "2021_92-156-X_DA_AD.zip")
    by_area = lipgeo.read_correspondence(canada / "2016_92-156_DA_AD_csv.zip")
    by_block = lipgeo.read_correspondence(canada / "2016_92-156_DB_ID_csv.zip")
    print(f"three correspondence files read in {time.perf_counter() - start:.1f} s")
    for links in (to_2016, by_area, by_block):
        print(links)
        wrong = len(links.report.only("flags"))
        print(f"  official flags that say otherwise than the links: {'some' if wrong else 'none'}")
    start = time.perf_counter()
    to_2011 = to_2016.chain(by_area)
    print(f"{to_2011}, chained in {time.perf_counter() - start:.1f} s")
    with tempfile.TemporaryDirectory(prefix="lipgeo-") as folder:
        store = Path(folder) / "ottawa"
        names = ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")
        add_census(store, [ottawa / name for name in names])
        census = lipgeo.open_census(store)
        areas = lipgeo.read_service_areas(ottawa / "neighbourhoods.gpkg", id="ONS_ID")
        unions = lipgeo.fit_boundaries(census, areas, unit="DA", exclusive=True).membership
        for links in (to_2016, to_2011):
            classes(census, links)
            shares(census, links, areas, "116 neighbourhoods as drawn")
            shares(census, links, unions, "their unions of 2021 areas")
        now = lipgeo.build_crosswalk(census.zones("DA"), areas, weight="population")
        people = now.frame[now.frame["share_basis"].eq("population")]
        partly = people["area_share"].between(0.005, 0.995)
        share = people.loc[partly, "weight"].sum() / people["weight"].sum()
        print(
            f"\n2021 areas that lie in a neighbourhood only in part hold {share:.2%} of the people"
        )


if __name__ == "__main__":
    main()
