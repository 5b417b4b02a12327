"""Published totals: what they hold, where they come from, how they are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lipgeo.errors import FileError, InputError
from lipgeo.geography import are_ids, national_count, vintages
from lipgeo.store import published
from lipgeo.store.published import TOTALS, published_facts, published_totals

ROOT = Path(__file__).resolve().parents[1]


def test_ottawa_is_provable_and_ontario_is_not_by_it():
    """Ottawa's division has as many areas, blocks and people as published; its province more."""
    totals = published_totals(2021)
    assert totals["CD"]["3506"] == {"da_count": 1392, "db_count": 8559, "population": 1017449}
    assert totals["PR"]["35"]["da_count"] > 1392


def test_calgary_is_provable_by_population_and_its_division_by_nothing_stored():
    """The city's population is known; its division has more areas than the city's 1,675."""
    totals = published_totals(2021)
    assert totals["CSD"]["4806016"] == {"population": 1306784}
    assert totals["CD"]["4806"]["da_count"] == 2059


@pytest.mark.parametrize("vintage", [2011, 2016, 2021])
def test_divisions_add_to_provinces_and_areas_to_the_country(vintage):
    """Counts by division add to those by province, and dissemination areas to the country's."""
    facts = published_facts()
    counted = facts[(facts["vintage"] == vintage) & facts["da_count"].notna()]
    by_level = counted.groupby("level")[["da_count", "db_count"]].sum()
    assert by_level.loc["CD"].tolist() == by_level.loc["PR"].tolist()
    divisions = counted[counted["level"] == "CD"]
    province = divisions["unit_id"].str[:2]
    provinces = counted[counted["level"] == "PR"].set_index("unit_id")["da_count"]
    assert (divisions.groupby(province)["da_count"].sum() == provinces).all()
    assert by_level.loc["CD", "da_count"] == national_count("DA", vintage).value
    assert len(divisions) == national_count("CD", vintage).value


def test_blocks_are_sure_only_where_they_add_to_the_country():
    """2021 blocks add to the country's number; those of 2011 and 2016 do not and are marked."""
    facts = published_facts()
    for vintage, mark in ((2021, "verified"), (2016, "DB listed"), (2011, "DB listed")):
        rows = facts[(facts["vintage"] == vintage) & (facts["level"] == "CD")]
        assert rows["certainty"].str.contains(mark).all()
        agrees = rows["db_count"].sum() == national_count("DB", vintage).value
        assert agrees == (vintage == 2021)


def test_every_row_has_a_right_id_a_source_and_something_known():
    """Ids have the form of their level and census; no row is empty or without a source."""
    facts = published_facts()
    for (vintage, level), rows in facts.groupby(["vintage", "level"]):
        assert are_ids(rows["unit_id"], level, vintage).all()
    assert not facts.duplicated(["vintage", "level", "unit_id"]).any()
    assert facts[list(TOTALS)].notna().any(axis=1).all()
    assert (facts["source"].notna() & facts["certainty"].notna()).all()


def test_nothing_is_known_of_2006_and_2026_is_refused():
    """A census without published totals proves nothing, and is no error; one to come is."""
    assert published_totals(2006) == {}
    with pytest.raises(InputError, match="census of 2026 is not published yet"):
        published_totals(2026)
    with pytest.raises(InputError, match=r"needs to be one of 2006.*; 2020 was given"):
        published_totals(2020)
    assert set(vintages()) > set(published_facts()["vintage"])


def test_the_caller_cannot_change_the_table():
    """What is handed out is a copy."""
    published_totals(2021)["CD"].clear()
    facts = published_facts()
    facts["da_count"] = 0
    assert published_totals(2021)["CD"]["3506"]["da_count"] == 1392


def test_a_missing_table_says_where_it_should_be(monkeypatch, tmp_path):
    """An installation without the facts names the path and what to do."""
    monkeypatch.setattr(published, "boundaries", lambda: tmp_path)
    published._table.cache_clear()
    try:
        with pytest.raises(FileError, match=r"needs to be at .*published_counts\.csv .*Install"):
            published_totals(2021)
    finally:
        published._table.cache_clear()


def test_an_installed_package_finds_its_own_facts(monkeypatch, tmp_path):
    """In a wheel the folder stands inside the package and is taken before any other."""
    (tmp_path / "lipgeo" / "boundaries").mkdir(parents=True)
    monkeypatch.setattr(published.resources, "files", lambda _: tmp_path / "lipgeo")
    assert published.boundaries() == tmp_path / "lipgeo" / "boundaries"


@pytest.mark.realdata
def test_the_script_makes_the_same_table_from_the_official_files(realdata, tmp_path):
    """The kept table is what the script counts today, byte for byte."""
    script = tmp_path / "make_published_counts.py"
    script.write_text((ROOT / "boundaries" / script.name).read_text("utf-8"), "utf-8")
    subprocess.run([sys.executable, str(script), str(realdata)], check=True, capture_output=True)
    kept = ROOT / "boundaries" / "published_counts.csv"
    assert (tmp_path / kept.name).read_bytes() == kept.read_bytes()
