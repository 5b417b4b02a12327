"""Run the demonstration: a made city region, from its census files to Fast Facts, offline.

Two partnerships ignore census units, one is of municipalities and places, one of the whole city
over its quadrants. They are fitted, ordered, weighted in two censuses; what was ordered is
delivered and taken in; the portal, its site and Fast Facts in both languages come last.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from lipgeo import synthetic
from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.boundary.boundaries import Boundaries
from lipgeo.boundary.fit import fit_boundaries
from lipgeo.census.census import Census
from lipgeo.errors import FileError
from lipgeo.files import (
    CsvStyle,
    FolderFormat,
    file_entries,
    folder_in_one_step,
    listed_files,
    require_free,
    write_manifest,
)
from lipgeo.geography.dguids import dguids
from lipgeo.geography.hierarchy import vintages
from lipgeo.maps.preview import preview
from lipgeo.order.package import write_order
from lipgeo.portal.book import BOOK, add_rows
from lipgeo.portal.pages.fast_facts import write_facts
from lipgeo.portal.pages.site import build_site
from lipgeo.portal.portal import Portal, open_portal
from lipgeo.readers.statcan.correspondence import read_correspondence
from lipgeo.store.add import add_census
from lipgeo.store.read import open_census
from lipgeo.store.results import write_build
from lipgeo.synthetic.figures import MadeTable
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.comparison import compare
from lipgeo.tables.weight_areas import weight_areas
from lipgeo.words import LANGUAGES, say, speaking

__all__ = ["DEMO", "run_demo"]

#: the folder of a demonstration: it says so, that a later one may take its place
DEMO = FolderFormat("demo", 1, FileError, "files.no_manifest")

_BLOCKS = 4_000
_VARIABLES = (
    *("population", "immigrants_pct", "recent_immigrants_pct", "non_permanent_residents_pct"),
    *("neither_language_pct", "low_income_prevalence", "median_income"),
)
_LINKED: tuple[Literal["DA", "DB"], ...] = ("DA", "DB")
#: the areas whose Fast Facts are written
_SHOWN = ("city", "northeast")
_ENDINGS = ("html", "xlsx", "docx", "pdf")
_NEED_DOCUMENTS = ("docx", "pdf")
_LICENCE = "made"


def run_demo(
    folder: str | Path,
    *,
    csv: CsvStyle = "en",
    progress: Callable[[str, float], None] = lambda step, done: None,
    replace: bool = False,
) -> dict[str, Path]:
    """Run the whole chain on a made city region: files, areas, order, delivery, portal, site.

    Without the extra ``documents`` Fast Facts are pages and workbooks only.

    Parameters
    ----------
    folder
        Where to leave everything.
    csv
        Form of the CSV files.
    progress
        Called with a sentence and how far that step is, 0 to 1.
    replace
        Whether an earlier demonstration gives way, if nothing was put there since.

    Returns
    -------
    dict
        Name of each result, in the language in force, to its path.

    Raises
    ------
    OutputError
        The folder holds something, which is not to give way, or it cannot be written.
    """
    target = require_free(folder, DEMO, replace=replace)
    with folder_in_one_step(target, replace=replace) as made:
        progress(say("synthetic.making"), 0.0)
        region = _make_region()
        files = synthetic.write_files(region.newest, made / "census-files")
        progress(say("synthetic.making"), 1.0)

        progress(say("synthetic.importing"), 0.0)
        add_census(made / "store", files, made=True)
        census = open_census(made / "store")
        progress(say("synthetic.importing"), 1.0)

        progress(say("synthetic.fitting"), 0.0)
        outlines, lists = synthetic.partnerships(region.newest)
        outlines.to_file(made / "service-areas.gpkg", layer="service_areas")
        lists.to_csv(made / "unit-lists.csv", index=False)
        _write_table(region, made / "immigration.csv")
        drawn = ServiceAreas.from_frame(outlines, id="area_id")
        areas = ServiceAreas.concat([drawn, ServiceAreas.from_units(lists, census)])
        fitted = fit_boundaries(census, areas, unit="DA")
        progress(say("synthetic.fitting"), 1.0)

        progress(say("synthetic.writing"), 0.0)
        write_build(fitted, made / "build", csv=csv)
        given = [region.table(level, region.newest) for level in ("DA", "CSD")]
        estimates = weight_areas(census, areas, given, variables=list(_VARIABLES))
        tables = made / "tables.csv"
        tables.write_text(_TABLES, encoding="utf-8")
        write_order(
            fitted, made / "order", csv=csv, leave_out_empty=True, estimates=estimates,
            tables=tables,
        )  # fmt: skip
        preview(fitted).save(made / "map.html")
        progress(say("synthetic.writing"), 1.0)

        progress(say("synthetic.telling"), 0.0)
        delivery = synthetic.write_delivery(
            region.newest, made / "order", made / "delivery.csv", people=region.people
        )
        portal = _fill_portal(made, region, areas, fitted, delivery)
        progress(say("synthetic.telling"), 0.5)
        build_site(portal, made / "site", census=census)
        for area in _SHOWN:
            _write_facts(portal, area, made / "facts", census)
        progress(say("synthetic.telling"), 1.0)
        content = {"vintage": census.vintage}
        write_manifest(made, DEMO, content, file_entries(made, listed_files(made)))
    return {
        say("synthetic.site"): target / "site" / "index.html",
        say("synthetic.facts"): target / "facts",
        say("synthetic.portal"): target / "portal",
        say("synthetic.delivery"): target / "delivery.csv",
        say("synthetic.order"): target / "order" / "send" / "README.html",
        say("synthetic.shapefile"): target / "order" / "send" / f"areas_{census.vintage}.zip",
        say("synthetic.concordance"): target / "order" / "send" / "concordance.xlsx",
        say("synthetic.map"): target / "map.html",
        say("synthetic.build"): target / "build",
        say("synthetic.table"): target / "immigration.csv",
        say("synthetic.files"): target / "census-files",
        say("synthetic.store"): target / "store",
    }


#: the one table of the order
_TABLES = """table,title,universe,variables
T1,Profile of immigrants,population,"population,immigrants,recent_immigrants,\
non_permanent_residents"
"""


def has_documents() -> bool:
    """Say whether what Word and PDF files need is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("docx", "typst"))


@dataclass(frozen=True)
class _Region:
    """A made city region in two censuses."""

    newest: Census
    older: Census
    people: synthetic.People
    people_before: synthetic.People

    def table(self, level: str, census: Census) -> CensusTable:
        people = self.people if census is self.newest else self.people_before
        return _as_published(synthetic.table(census, level, people=people))


def _make_region() -> _Region:
    newest = synthetic.census(_BLOCKS, region=True)
    before = [year for year in vintages() if year < newest.vintage][-1]
    older = synthetic.census(_BLOCKS, vintage=before, region=True)
    return _Region(newest, older, synthetic.people(newest), synthetic.people(older))


def _write_table(region: _Region, path: Path) -> None:
    """Write a table of dissemination areas as a spreadsheet would: DGUIDs say what its rows are."""
    made = synthetic.table(region.newest, "DA", people=region.people)
    cells = made.frame.convert_dtypes().astype(object).where(made.symbols == "", made.symbols)
    codes = dguids("DA", pd.Series(cells.index), made.vintage)
    cells.set_index(pd.Index(codes, name="DGUID")).to_csv(path)


def _as_published(made: MadeTable) -> CensusTable:
    return CensusTable(made.frame, level=made.level, vintage=made.vintage, symbols=made.symbols)


# ---------------------------------------------------------------------- the portal


def _fill_portal(
    made: Path, region: _Region, areas: ServiceAreas, fitted: Boundaries, delivery: Path
) -> Portal:
    """Make the portal: its workbook filled in, and four releases one after the other."""
    portal = open_portal(made / "portal", create=True)
    add_rows(portal.folder / BOOK, _workbook_rows(region.newest, areas))
    portal = portal.reopen()
    for census in (region.older, region.newest):
        for level in ("PR", "CMA", "CSD"):
            portal.add(
                region.table(level, census),
                f"{census.vintage}-published-{level.lower()}",
                name=say("synthetic.source", vintage=census.vintage),
            )
    legs = {one.vintage: (one, region.table("DA", one)) for one in (region.older, region.newest)}
    links = [
        read_correspondence(
            synthetic.write_correspondence(region.newest, region.older, made / "links", level)
        )
        for level in _LINKED
    ]
    compared = compare(areas, legs, list(_VARIABLES), correspondences=links)
    portal.add(compared, "estimates", name=say("synthetic.estimated"))
    portal.receive(
        delivery, order=made / "order", table="T1", release="delivery-t1", licence=_LICENCE
    )
    return portal


def _workbook_rows(census: Census, areas: ServiceAreas) -> dict[str, pd.DataFrame]:
    """Return what somebody would fill in: areas, what to hold them against, licence, title."""
    city = census.units("CSD")["population"].idxmax()
    metropolis = census.units("CSD").loc[city, "CMA"]
    province = census.units("CSD").loc[city, "PR"]
    own = areas.frame.reset_index()
    rows = [
        {
            "area_id": area["area_id"],
            "definition": "main",
            "kind": "partnership",
            **_called({lang: area[f"name_{lang}"] for lang in LANGUAGES}),
            "vintage": str(census.vintage),
            "units": f"CSD:{city}" if area["area_id"] == "city" else "",
            "extent_status": "published",
        }
        for area in own.to_dict("records")
    ]
    others = (("cma", "CMA", metropolis), ("province", "PR", province))
    rows += [
        {
            "area_id": kind,
            "definition": "main",
            "kind": kind,
            **_called(dict.fromkeys(LANGUAGES, census.units(level).loc[code, "unit_name"])),
            "vintage": str(census.vintage),
            "units": f"{level}:{code}",
            "extent_status": "published",
        }
        for kind, level, code in others
    ]
    against = [
        {"area_id": area, "comparator": kind} for area in own["area_id"] for kind, _, _ in others
    ]
    titles = {}
    for lang in LANGUAGES:
        with speaking(lang):
            titles[f"value_{lang}"] = say("synthetic.title")
    return {
        "areas": pd.DataFrame(rows),
        "comparators": pd.DataFrame(against),
        "licences": pd.DataFrame(
            [{"licence": _LICENCE, "may_publish": "table", "who": "lipgeo", "document": _LICENCE}]
        ),
        "settings": pd.DataFrame([{"setting": "title", **titles}]),
    }


def _called(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names of an area, which say that it is made: pages go from hand to hand."""
    found = {}
    for lang in LANGUAGES:
        with speaking(lang):
            found[f"name_{lang}"] = say("synthetic.made_area", name=names[lang])
    return found


def _write_facts(portal: Portal, area: str, folder: Path, census: Census) -> None:
    folder.mkdir(exist_ok=True)
    for ending in _ENDINGS:
        if ending in _NEED_DOCUMENTS and not has_documents():
            continue
        for lang in LANGUAGES:
            path = folder / f"{area}-{lang}.{ending}"
            write_facts(portal, area, path, lang=lang, census=census)
