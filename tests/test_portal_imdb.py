"""Tables T1 and T2 of the longitudinal database: years, dollars, services, three levels."""

from __future__ import annotations

import csv

import numpy as np
import openpyxl
import pandas as pd
import pytest

import lipgeo
from lipgeo.errors import InputError
from lipgeo.portal.changes import page_changes
from lipgeo.portal.pages.blocks import period_text
from lipgeo.portal.sources.recognising import kind_of
from lipgeo.words import speaking

HEADS = ("Geography", "Sex", "Admission year", "Tax year", "Settlement services", "Measure",
         "Value")  # fmt: skip
AREAS = [
    {"area_id": "west", "name_en": "West", "name_fr": "Ouest", "province": "AB",
     "units": "CSD:4806016"},
    {"area_id": "est", "name_en": "Est", "name_fr": "Est", "province": "QC", "units": "CD:2466"},
    {"area_id": "land", "name_en": "Land", "name_fr": "Terre", "province": "AB",
     "kind": "community", "units": "CD:4806"},
]  # fmt: skip
ANY = "Received a settlement service at any time"


@pytest.fixture
def portal(tmp_path):
    """A portal of a partnership in Alberta, one in Quebec, and a census division."""
    made = lipgeo.open_portal(tmp_path / "portal", create=True)
    book = openpyxl.load_workbook(made.folder / "portal.xlsx")
    page = book["areas"]
    heads = {cell.value: cell.column for cell in page[1]}
    for at, area in enumerate(AREAS, start=2):
        for name, value in {"definition": "main", "kind": "partnership", **area}.items():
            page.cell(at, heads[name], value)
    book.save(made.folder / "portal.xlsx")
    return made.reopen()


def write_t1(path, labels, newest):
    """Write T1 of an edition: each old wage anew, 3 % more a year of dollars."""
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(HEADS)
        for label in labels:
            for year in (2017, 2018):
                for tax in range(year + 1, newest + 1):
                    wage = round(30_000 * 1.03 ** (newest - 2019) + 1_000 * (tax - year))
                    out.writerow([label, "Total", year, tax, "Total", "Median wages ($)", wage])
    return path


def write_t2(path, labels):
    """Write T2: taxfilers with and without settlement services, and who stayed."""
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(HEADS)
        for label in labels:
            for year in (2010, 2014):
                for services, count in (("Total", 400), (ANY, 100), ("Did not receive any", 300)):
                    out.writerow([label, "Total", year, year + 5, services,
                                  "Number of immigrant taxfilers", count])  # fmt: skip
                out.writerow([label, "Total", year, year + 5, "Total", "Retention rate", 81.5])
    return path


def test_a_newer_edition_puts_the_older_aside_whole_and_says_why(portal, tmp_path):
    """No line has dollars of two years, and history gives a reason for each old figure."""
    for newest in (2019, 2020):
        path = write_t1(tmp_path / f"T1A-{newest}.csv", ["West", "Elsewhere"], newest)
        assert kind_of(path) == "imdb"
        portal.add(path, release=f"t1-{newest}")
        portal = portal.reopen()
        wages = portal.frame("west")
        wages = wages[wages["dollars"].ne("")]
        assert set(wages["dollars"]) == {str(newest)}
        assert set(wages["release"]) == {f"t1-{newest}"}
    assert portal.record("t1-2020")["supersedes"] == ["t1-2019"]
    assert portal.record("t1-2020")["edition"] == "2020"
    told = portal.history("west", "imdb_median_wage_1y")
    old = told[told["release"].eq("t1-2019")]
    assert set(old["status"]) == {"restated"}
    assert old["why"].str.contains("in dollars of 2020; this one is in dollars of 2019").all()
    new = told[told["release"].eq("t1-2020")].set_index("period")["why"]
    assert "before in dollars of 2019" in new["AY2018-TY2019"]
    moved = page_changes(portal, "t1-2019", "t1-2020", audience="members")
    changed = moved[moved["change"].eq("changed")]
    assert len(changed) == len(wages) - moved["change"].eq("added").sum() > 0
    assert changed["why"].str.contains("dollars of 2020").all()


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", "admitted in 2018, tax year 2019, in dollars of 2020"),
     ("fr", "admission en 2018, année d'imposition 2019, en dollars de 2020")],
)  # fmt: skip
def test_a_page_says_a_period_in_words(lang, words):
    """Admission and tax year are no codes for who reads."""
    with speaking(lang):
        told = period_text({"period": "AY2018-TY2019", "dollars": "2020", "origin": "ordered"})
    assert told == words


def test_an_older_edition_is_refused(portal, tmp_path):
    """Dollars of an earlier year never come back."""
    portal.add(write_t1(tmp_path / "T1A-2020.csv", ["West"], 2020), release="new")
    with pytest.raises(InputError, match="a newer one is there"):
        portal.reopen().add(write_t1(tmp_path / "T1A-2019.csv", ["West"], 2019))
    with pytest.raises(InputError, match="none of the portal's areas"):
        portal.reopen().add(write_t1(tmp_path / "T1A-b.csv", ["Nowhere"], 2020))


def test_levels_of_one_edition_stand_side_by_side(portal, tmp_path):
    """A by name, B and C by the code of the one unit; the next edition puts all three aside."""
    for name, label in (("T1A", "Est"), ("T1B", "Calgary 4806016"), ("T1C", "Division 4806")):
        portal.add(write_t1(tmp_path / f"{name}.csv", [label], 2019), release=name)
        portal = portal.reopen()
    assert set(portal.frame()["area_id"]) == {"est", "west", "land"}
    assert [portal.record(one)["level"] for one in ("T1A", "T1B", "T1C")] == ["A", "B", "C"]
    again = portal.add(write_t1(tmp_path / "T1B-again.csv", ["Calgary 4806016"], 2019))
    assert portal.record(again)["supersedes"] == ["T1B"]
    portal = portal.reopen()
    portal.add(write_t1(tmp_path / "T1A-next.csv", ["Est"], 2020), release="next")
    portal = portal.reopen()
    assert set(portal.frame()["area_id"]) == {"est"}
    assert set(portal.frame()["dollars"]) == {"2020"}


def test_services_are_counted_at_any_time_and_where_they_are_on_record(portal, tmp_path):
    """A quarter received one; none is told of admission before 2013, nor of Quebec."""
    portal.add(write_t2(tmp_path / "T2A.csv", ["West", "Est"]), release="t2")
    portal = portal.reopen()
    told = portal.frame(indicators="imdb_services_any").set_index(["area_id", "period"])
    late, early = "AY2014-TY2019", "AY2010-TY2015"
    row = told.loc[("west", late)]
    assert (row["value"], row["denominator_value"], row["symbol"]) == (25.0, 400.0, "")
    assert told.loc[("west", early), "symbol"] == "not_comparable"
    assert set(told.loc["est", "symbol"]) == {"..."}
    assert told.drop(index=("west", late))["value"].isna().all()
    stayed = portal.frame("west", "imdb_retention_5y")
    assert stayed["value"].tolist() == [81.5, 81.5]
    assert portal.record("t2")["product"] == "imdb-t2"


def test_a_name_of_several_definitions_is_not_picked(portal, tmp_path):
    """A label that could be two areas is left and named."""
    book = openpyxl.load_workbook(portal.folder / "portal.xlsx")
    page = book["areas"]
    heads = {cell.value: cell.column for cell in page[1]}
    for name, value in {**AREAS[0], "definition": "cma", "units": ""}.items():
        page.cell(5, heads[name], value)
    book.save(portal.folder / "portal.xlsx")
    portal = portal.reopen()
    portal.add(write_t1(tmp_path / "T1A.csv", ["West", "Est"], 2019), release="one")
    portal = portal.reopen()
    assert set(portal.frame()["area_id"]) == {"est"}
    checks = {one["check"] for one in portal.record("one")["checks"]}
    assert "imdb_several" in checks
    frame = portal.frame()
    assert not np.isnan(frame["value"]).any()
    assert isinstance(frame, pd.DataFrame)
