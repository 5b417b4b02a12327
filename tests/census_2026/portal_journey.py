"""The way of a census that comes in parts through a portal: data files only, no code for 2026.

``journey.py`` leaves files, stores and areas of a made census of 2026; here they go into a portal:
the definitions of 2021 realised in both censuses, the rows of 2026 proposed from its list of
members, its profile in two tranches, and a site between them.
"""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl

import lipgeo
from lipgeo.cli import main

MEMBERS = Path(__file__).parent / "meta_2026.txt"
#: rows of the first tranche: population and dwellings
FIRST = ("1", "2", "4", "5")


def run(*words):
    """Run one command; what it found is no failure, a wrong call is."""
    try:
        main([str(word) for word in words])
    except SystemExit as ended:
        if ended.code not in (None, 0, 1):
            raise


def in_two_tranches(profiles, folder):
    """Write the rows of the first tranche of each file; return first and whole."""
    folder.mkdir()
    first = []
    for path in profiles:
        with path.open(encoding="utf-8", newline="") as stream:
            head, *rows = list(csv.reader(stream))
        at = head.index("CHARACTERISTIC_ID")
        with (folder / path.name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([head, *(row for row in rows if row[at] in FIRST)])
        first.append(folder / path.name)
    return first, list(profiles)


def through_a_portal(folder, censuses, tables, links):
    """Leave a portal, and its site as it was after the first tranche."""
    older = censuses[1]
    place = folder / "portal"
    portal = lipgeo.open_portal(place, create=True)
    _list_town(place, older)
    # the definitions of 2021 and their realisations in both censuses
    areas = lipgeo.read_service_areas(folder / "areas.gpkg", id="area_id")
    legs = {
        census.vintage: (census, lipgeo.read_profile(tables[census.vintage], level="DA"))
        for census in censuses
    }
    found = lipgeo.compare(areas, legs, ["population"], correspondences=links)
    portal = portal.reopen()
    portal.add(found, release="realisations")
    town = [path for path in tables[2021] if "Ontario" in path.name]
    portal.add_profile(town, "profile-2021", level="CSD")
    run("portal", "indicators", "--propose", 2026, MEMBERS, "--out", place / "dictionary")
    first, whole = in_two_tranches(
        [path for path in tables[2026] if "Ontario" in path.name], folder / "tranche"
    )
    for name, files in (("first", first), ("second", whole)):
        portal = portal.reopen()
        portal.add_profile(
            files, f"profile-2026-{name}", level="CSD", census=censuses[0], defined_in=[older]
        )
        if name == "first":
            run("portal", "build", place, "--out", folder / "site", "--audience", "members")


def _list_town(place, census):
    """Write one subdivision of 2021 into the workbook as an area."""
    units = census.units("CSD").index
    town = next(one for one in units if one.startswith("35"))
    book = openpyxl.load_workbook(place / "portal.xlsx")
    page = book["areas"]
    heads = {cell.value: cell.column for cell in page[1]}
    row = {"area_id": "town", "definition": "main", "name_en": "Town", "name_fr": "Ville",
           "vintage": "2021", "units": f"CSD:{town}", "extent_status": "confirmed",
           "kind": "partnership"}  # fmt: skip
    for name, value in row.items():
        page.cell(2, heads[name], value)
    book.save(place / "portal.xlsx")
