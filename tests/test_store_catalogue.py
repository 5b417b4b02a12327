"""What Statistics Canada publishes, what a name says, and what a job needs."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import shapely

from lipgeo import geography
from lipgeo.census import Census, MemoryCensus
from lipgeo.errors import InputError
from lipgeo.store.catalogue import (
    Holdings,
    boundary_file,
    holdings_of,
    need,
    need_profile,
    profile_regions,
    published_files,
    table_file,
)
from lipgeo.words import speaking

#: names and addresses typed from the public lists, not made from sources.toml
OLD = "https://www12.statcan.gc.ca/census-recensement/2011/geo/bound-limit/files-fichiers/"
NEW = (
    "https://www12.statcan.gc.ca/census-recensement/2021/geo/sip-pis/boundary-limites/"
    "files-fichiers/"
)
LISTED = [
    ("DA", 2006, "digital", f"{OLD}gda_000a06a_e.zip"),
    ("UA", 2006, "digital", f"{OLD}gua_000a06a_e.zip"),
    ("DA", 2011, "cartographic", f"{OLD}gda_000b11a_e.zip"),
    ("POPCTR", 2011, "digital", f"{OLD}gpc_000a11a_e.zip"),
    ("FSA", 2011, "cartographic", f"{OLD}gfsa000b11a_e.zip"),
    ("ADA", 2016, "digital", f"{OLD}2016/lada000a16a_e.zip"),
    ("CSD", 2016, "cartographic", f"{OLD}2016/lcsd000b16a_e.zip"),
    ("CT", 2021, "cartographic", f"{NEW}lct_000b21a_e.zip"),
    ("DB", 2021, "digital", f"{NEW}ldb_000a21a_e.zip"),
    ("DPL", 2021, "digital", f"{NEW}ldpl000a21a_e.zip"),
    ("FED", 2021, "digital", f"{NEW}lfed000a21a_e.zip"),
]


@pytest.mark.parametrize(("level", "vintage", "kind", "address"), LISTED)
def test_addresses_are_those_of_the_public_lists(level, vintage, kind, address):
    """Every piece of a name: projection, level, kind, year, language; and its folder."""
    file = boundary_file(level, vintage, kind)
    assert file.address == address
    assert file.crs == ("EPSG:4269" if vintage < 2016 else "EPSG:3347")
    assert address.endswith(f"/{file.name}")


@pytest.mark.parametrize(
    ("level", "name"),
    [("DA", "lad_000b21a_f.zip"), ("CD", "ldr_000b21a_f.zip"), ("DB", "lid_000b21a_f.zip")],
)
def test_french_files_of_2021(level, name):
    """French names have French level letters; earlier censuses fall back to English files."""
    assert boundary_file(level, 2021, lang="fr").name == name
    assert boundary_file(level, 2016, lang="fr").lang == "en"


def test_every_file_has_its_own_name():
    """No two published files of the table bear one name, in either language."""
    for lang in ("en", "fr"):
        listed = [file.name for file in published_files(lang=lang)]
        assert len(listed) == len(set(listed))


def test_every_level_of_a_census_has_a_boundary_file():
    """What geography calls a standard level of a census, sources can name the outlines of."""
    for vintage in geography.vintages():
        listed = {file.levels[0] for file in published_files(vintage) if file.role == "boundary"}
        assert listed == set(geography.levels(vintage))


def test_sizes_are_known_or_left_open():
    """A size is one that a server told; the others are not guessed."""
    sizes = {file.name: file.size_bytes for file in published_files(2021)}
    assert sizes["lda_000b21a_e.zip"] == 197_042_003
    assert sizes["2021_92-151_X.zip"] is None
    assert boundary_file("DA", 2021).size_mb == pytest.approx(197.042003)
    assert all(re.fullmatch(r"verified|one source|general knowledge", file.certainty)
               for file in published_files())  # fmt: skip


def names(needed) -> list[str]:
    """Return the files' names."""
    return [one.file.name for one in needed]


def test_drawn_areas_by_population_need_three_files():
    """Outlines of the units, outlines of the blocks, and their counts: each with its reason."""
    needed = need(["DA"], 2021)
    assert names(needed) == ["lda_000b21a_e.zip", "ldb_000b21a_e.zip", "2021_92-151_X.zip"]
    assert [one.size_mb for one in needed] == [
        pytest.approx(197.042003), pytest.approx(317.391964), None,
    ]  # fmt: skip
    assert "where in a unit its people are" in needed[1].reason
    assert all(one.address.startswith("https://www12.statcan.gc.ca/") for one in needed)
    with speaking("fr"):
        assert "habitants" in need(["DA"], 2021)[1].reason


def test_by_area_needs_no_blocks():
    """Shares of land need the units alone, and the table that knows their parents and people."""
    assert names(need(["DA"], 2016, by="area")) == [
        "lda_000b16a_e.zip", "2016_92-151_XBB_csv.zip",
    ]  # fmt: skip


def test_blocks_are_asked_for_once():
    """Fitting with blocks themselves needs their file once; levels come coarse to fine."""
    assert names(need(["DB", "CSD"], 2011)) == [
        "gcsd000b11a_e.zip", "gdb_000b11a_e.zip", "2011_92-151_XBB_txt.zip",
    ]  # fmt: skip


def test_unit_lists_need_their_own_outlines_and_the_table():
    """A list of municipalities is drawn from their outlines; no block outline is downloaded."""
    assert names(need(["CSD", "DPL"], 2021, drawn=False)) == [
        "lcsd000b21a_e.zip", "ldpl000b21a_e.zip", "2021_92-151_X.zip",
    ]  # fmt: skip


def test_what_the_store_has_is_left_out():
    """Polygons, counts and parents that are there are not asked for again."""
    held = Holdings(
        polygons=frozenset(["DA", "DB"]),
        counts=frozenset(["DB"]),
        parents=frozenset(["DB", "DA", "CD", "PR"]),
    )
    assert need(["DA"], 2021, have=held) == []
    assert names(need(["CSD"], 2021, have=held)) == ["lcsd000b21a_e.zip", "2021_92-151_X.zip"]
    by_name = Holdings(files=frozenset(["lda_000b21a_e.zip", "2021_92-151_X.zip"]))
    assert names(need(["DA"], 2021, have=by_name)) == ["ldb_000b21a_e.zip"]


def test_levels_the_attribute_file_leaves_out():
    """Agricultural regions come with the relationship file of 2021, FSA by their outlines alone."""
    assert names(need(["CAR"], 2021, drawn=False))[-1] == "2021_98260004.zip"
    assert "2021_98260004.zip" not in names(need(["FSA"], 2021, drawn=False))


def test_digital_files_on_request():
    """Areas drawn to their limits in the water may ask for the files that hold the water."""
    assert names(need(["DA"], 2021, by="area", boundary_type="digital"))[0] == "lda_000a21a_e.zip"


@pytest.mark.parametrize(
    ("levels", "vintage", "options", "message"),
    [
        (["ADA"], 2011, {}, "ADA"),
        (["DA"], 2021, {"by": "income"}, "by population, dwellings, households, area; income"),
        (["DA"], 2026, {}, r"census of 2026 is not published yet.*2006, 2011, 2016, 2021"),
        (["DA"], 2021, {"boundary_type": "pretty"}, "digital, cartographic; pretty"),
        (["ward"], 2021, {}, "ward"),
    ],
)
def test_what_cannot_be_had_says_what_can(levels, vintage, options, message):
    """A level the census lacks, an unknown basis, a census not published yet."""
    with pytest.raises(InputError, match=message):
        need(levels, vintage, **options)


def test_what_an_opened_census_has():
    """Polygons where any are finite, counts where any is known, parents of the finest units."""
    blocks = pd.DataFrame(
        {
            "unit_id": ["35060001001", "35060001002"],
            "DA": ["35060001", "35060001"],
            "CSD": ["3506008", "3506008"],
            "population": [5.0, np.nan],
        }
    )
    areas = pd.DataFrame({"unit_id": ["35060001"], "population": [np.nan]})
    census = Census(
        MemoryCensus(
            2021,
            {"DB": blocks, "DA": areas},
            {"DB": shapely.box([0, 1], 0, [1, 2], 1)},
            {"sources": [{"name": "ldb_000b21a_e.zip", "sha256": "", "bytes": 1}]},
        )
    )
    held = holdings_of(census)
    assert (held.polygons, held.counts) == ({"DB"}, {"DB"})
    assert held.parents == {"DB", "DA", "CSD"}
    assert held.files == {"ldb_000b21a_e.zip"}
    assert names(need(["DA"], 2021, have=held)) == ["lda_000b21a_e.zip"]


def test_correspondence_files_may_need_a_browser():
    """What one public reader could not download without a browser is marked."""
    file = table_file("correspondence", 2021, "DB")
    assert file is not None
    assert (file.name, file.browser) == ("2021_92-156-X_DB_ID.zip", True)
    assert table_file("attributes", 2016).address.endswith(
        "/census-recensement/2016/geo/ref/gaf/files-fichiers/2016_92-151_XBB_csv.zip"
    )


def test_profiles_by_region():
    """A set by region needs the parts of the places, the whole where no address of one is known."""
    at = "https://www12.statcan.gc.ca/census-recensement/2021/dp-pd/prof/details/" \
         "download-telecharger/comp/GetFile.cfm?Lang=E&FILETYPE=CSV&GEONO=006_Prairies"  # fmt: skip
    (prairies,) = need_profile("DA", 2021, ["prairies"])
    assert (prairies.address, prairies.file.certainty) == (at, "one source")
    assert names(need_profile("CSD", 2016, ["quebec"], lang="fr")) == [
        "98-401-X2016044_QUEBEC_fra_CSV.zip"
    ]
    (atlantic,) = need_profile("DA", 2021, ["atlantic"])
    assert atlantic.size_mb == pytest.approx(189.830329)
    assert names(need_profile("DA", 2021, ["ontario", "territories"])) == [
        "98-401-X2021006_eng_CSV.zip"
    ]
    assert len(need_profile("DA", 2021)) == 6
    assert names(need_profile("CT", 2021)) == ["98-401-X2021007_eng_CSV.zip"]
    provinces = [one for region in profile_regions(2021).values() for one in region]
    assert sorted(provinces) == sorted(geography.hierarchy.facts()["provinces"])


ONTARIO = "98-401-X2021006_Ontario_eng_CSV.zip"


@pytest.mark.parametrize(
    ("level", "have", "left"),
    [
        ("DA", "98-401-X2021006_English_CSV_data_Prairies.csv", [ONTARIO]),
        ("DA", "98-401-X2021006_Prairies_eng_CSV.zip", [ONTARIO]),
        ("DA", "98-401-X2021006_eng_CSV.zip", []),
        ("CT", "98-401-X2021007_English_CSV_data.csv", []),
        ("CT", "98-401-X2021006_eng_CSV.zip", ["98-401-X2021007_eng_CSV.zip"]),
    ],
)  # fmt: skip
def test_profiles_that_are_there_are_left_out(level, have, left):
    """What was imported, zipped or not, by region or whole, is not asked for again."""
    assert names(need_profile(level, 2021, ["prairies", "ontario"], [have])) == left


@pytest.mark.parametrize(
    ("level", "vintage", "regions", "message"),
    [
        ("DA", 2011, [], "2021, 2016"),
        ("DB", 2021, [], "no address|No address"),
        ("DA", 2021, ["west"], "atlantic.*west"),
    ],
)
def test_profiles_without_address_say_so(level, vintage, regions, message):
    """A census, a level or a region of which no address is known."""
    with pytest.raises(InputError, match=message):
        need_profile(level, vintage, regions)


def test_what_a_store_holds_elsewhere_is_needed_here():
    """Levels held away from the areas count as not held, with the files that bring them."""
    meta = {"sources": [{"name": name, "sha256": "", "bytes": 1}
                        for name in ("lda_000b21a_e.zip", "2021_92-151_X.zip")]}  # fmt: skip
    units = pd.DataFrame({"unit_id": ["35060001"], "population": [5.0]})
    boxes = {"DA": np.array([shapely.box(0, 0, 1, 1)])}
    census = Census(MemoryCensus(2021, {"DA": units}, boxes, meta))
    there = names(need(["DA"], 2021, by="area", have=holdings_of(census)))
    assert there == []
    away = holdings_of(census, ["DA"])
    assert names(need(["DA"], 2021, by="area", have=away)) == [
        "lda_000b21a_e.zip", "2021_92-151_X.zip",
    ]  # fmt: skip


def test_municipalities_are_the_ground_of_the_map():
    """The municipalities come last, once, and only where they are wanted and not there."""
    asked = names(need(["DA"], 2021, by="area", context=True))
    assert asked == ["lda_000b21a_e.zip", "2021_92-151_X.zip", "lcsd000b21a_e.zip"]
    assert names(need(["CSD"], 2021, drawn=False, context=True)).count("lcsd000b21a_e.zip") == 1
    held = Holdings(polygons=frozenset(["CSD"]))
    assert "lcsd000b21a_e.zip" not in names(need(["DA"], 2021, have=held, context=True))
