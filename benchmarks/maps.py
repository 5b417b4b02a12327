"""How heavy the maps are and how long they take: pages, sheets and a browser's time to open them.

    python benchmarks/maps.py                     the table below
    python benchmarks/maps.py --picture FILE      make the picture of the README anew

Real data are read beside the checkout (../shared/data) and left out where they are absent; a
browser's time is left out where there is no Chromium.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import lipgeo
from lipgeo import synthetic

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def made(blocks: int, count: int) -> lipgeo.Boundaries:
    census = synthetic.census(blocks=blocks)
    areas = lipgeo.ServiceAreas.from_frame(synthetic.service_areas(census, count), id="area_id")
    return lipgeo.fit_boundaries(census, areas)


def largest(blocks: int, count: int) -> lipgeo.Boundaries:
    census = synthetic.census(blocks=blocks)
    drawn = synthetic.service_areas(census, count)
    one = drawn[drawn.area == drawn.area.max()]
    areas = lipgeo.ServiceAreas.from_frame(one, id="area_id")
    return lipgeo.fit_boundaries(census, areas)


def ottawa(folder: Path) -> tuple[lipgeo.Boundaries, lipgeo.Estimates]:
    files = ["lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv"]
    lipgeo.add_census(folder / "ottawa", [REAL / "ottawa_2021" / name for name in files])
    census = lipgeo.open_census(folder / "ottawa")
    areas = lipgeo.read_service_areas(
        REAL / "ottawa_2021" / "neighbourhoods.gpkg", id="ONS_ID", name_en="ONS_Name"
    )
    fitted = lipgeo.fit_boundaries(census, areas)
    profile = REAL / "ottawa_2021" / "da_profile_2021.csv"
    table = lipgeo.read_table(profile, vintage=2021, level="DA")
    return fitted, lipgeo.weight_table(table, fitted.crosswalk, variables=["immigrants"])


def calgary(folder: Path) -> lipgeo.Boundaries:
    files = ["da.gpkg", "da_profile_2021.csv"]
    lipgeo.add_census(
        folder / "calgary", [REAL / "calgary_2021" / name for name in files],
        level="DA", vintage=2021,
    )  # fmt: skip
    wards = next((REAL / "calgary_2021" / "wards").glob("*.shp"))
    areas = lipgeo.read_service_areas(wards, id="ward_num")
    return lipgeo.fit_boundaries(lipgeo.open_census(folder / "calgary"), areas)


def cases(folder: Path) -> Iterator[tuple[str, lipgeo.Boundaries, dict]]:
    """Give name, boundaries and the map's options."""
    yield "made, 3 areas", made(4_000, 3), {}
    yield "made, largest of 6 areas", largest(20_000, 6), {}
    yield "made, 60 areas", made(76_000, 60), {}
    yield "made, 60 areas, more units", made(100_000, 60), {}
    if (REAL / "README.md").exists():
        fitted, numbers = ottawa(folder)
        yield "Ottawa, 116 neighbourhoods", fitted, {}
        yield "Ottawa, immigrants", fitted, {"estimates": numbers}
        yield "Calgary, 14 wards", calgary(folder), {}


@contextlib.contextmanager
def opener() -> Iterator:
    """Give a function that opens a page and returns seconds and shapes, if there is a browser."""
    path = shutil.which("chromium")
    if path is None:
        yield lambda page: (float("nan"), 0)
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)

        def opened(page: Path) -> tuple[float, int]:
            window = browser.new_page()
            begun = time.perf_counter()
            window.goto(page.as_uri())
            window.wait_for_load_state("load")
            window.evaluate("() => new Promise(done => requestAnimationFrame(done))")
            spent = time.perf_counter() - begun
            count = window.locator("path.leaflet-interactive").count()
            window.close()
            return spent, count

        yield opened
        browser.close()


def measure() -> None:
    head = (
        "map",
        "units",
        "page MB",
        "made s",
        "opened s",
        "shapes",
        "PNG kB",
        "PDF kB",
        "sheet s",
    )
    print("| " + " | ".join(head) + " |")
    print("| --- |" + " ---: |" * (len(head) - 1))
    with tempfile.TemporaryDirectory() as place, opener() as opened:
        folder = Path(place)
        for name, fitted, options in cases(folder):
            units = len(fitted.shapes)  # reading polygons is not the map's time
            len(fitted.context)
            begun = time.perf_counter()
            page = lipgeo.preview(fitted, **options)
            spent = time.perf_counter() - begun
            path = page.save(folder / "map.html")
            seconds, shapes = opened(path)
            begun = time.perf_counter()
            sheet = fitted.plot(**options)
            png, pdf = sheet.save(folder / "a.png"), sheet.save(folder / "a.pdf")
            drawn = time.perf_counter() - begun
            kilobytes = [file.stat().st_size / 1e3 for file in (png, pdf)]
            print(
                f"| {name} | {units:,} | {path.stat().st_size / 1e6:.2f} | {spent:.2f} | "
                f"{seconds:.2f} | {shapes:,} | {kilobytes[0]:.0f} | {kilobytes[1]:.0f} | "
                f"{drawn:.2f} |",
                flush=True,
            )


def picture(path: Path) -> None:
    """Draw the README's picture: a made partnership whose outline ignores the units."""
    census = synthetic.census(blocks=8_000)
    drawn = synthetic.service_areas(census, 16)
    one = drawn[drawn["area_id"].eq("lip-016")]
    sheet = lipgeo.fit_boundaries(census, lipgeo.ServiceAreas.from_frame(one, id="area_id")).plot()
    # as wide as a page of the README, not as wide as paper
    sheet.savefig(path, dpi=72, metadata={"Software": None})
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    if "--picture" in sys.argv:
        picture(Path(sys.argv[sys.argv.index("--picture") + 1]))
    else:
        measure()
