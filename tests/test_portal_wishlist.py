"""What to order next: empty places by the partnerships' own priorities, as an order takes them."""

from __future__ import annotations

import numpy as np
import openpyxl
import pandas as pd
import pytest
from commands import run

import lipgeo
from lipgeo.errors import InputError
from lipgeo.order.tables import read_tables
from lipgeo.portal.observations import make_observations
from lipgeo.portal.pages.blocks import area_blocks
from lipgeo.portal.pages.site_state import state_of
from lipgeo.portal.sources.intake import Intake
from lipgeo.portal.wishlist import make_wishlist
from lipgeo.words import speaking


def _write(folder, sheet, rows):
    book = openpyxl.load_workbook(folder / "portal.xlsx")
    page = book[sheet]
    heads = {cell.value: cell.column for cell in page[1]}
    page.delete_rows(2, page.max_row)
    for at, row in enumerate(rows, start=2):
        for name, value in row.items():
            page.cell(at, heads[name], value)
    book.save(folder / "portal.xlsx")


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    """Calgary with a few numbers, Ottawa with none, and a village of 60 people."""
    folder = tmp_path_factory.mktemp("wishes") / "portal"
    made = lipgeo.open_portal(folder, create=True, areas="ab-calgary@city,on-ottawa")
    areas = made.book["areas"].to_dict("records")
    _write(folder, "areas", [*areas, {"area_id": "village", "definition": "main",
                                      "name_en": "Village", "name_fr": "Village"}])  # fmt: skip
    _write(folder, "wishes", [
        {"area_id": "village", "indicator": "outcomes", "priority": "2"},
        {"area_id": "on-ottawa", "indicator": "imdb_retention_5y", "priority": "1"},
        {"area_id": "ab-calgary@city", "indicator": "immigrants", "priority": "1"},
    ])  # fmt: skip
    made = made.reopen()
    rows = [
        ("ab-calgary", "city", "population", 1300000.0, "", "published"),
        ("ab-calgary", "city", "immigrants", 31.0, "", "published"),
        ("ab-calgary", "city", "npr", np.nan, "x", "ordered"),
        ("ab-calgary", "city", "renters", np.nan, "not_ordered", "ordered"),
        ("ab-calgary", "city", "median_age", 38.0, "", "estimated"),
        ("village", "main", "population", 60.0, "", "published"),
    ]
    frame = pd.DataFrame(
        rows, columns=["area_id", "definition", "indicator", "value", "symbol", "origin"]
    ).assign(period="2021", source="Census")
    with made.store.locked():
        made.write_release(
            Intake(make_observations(frame), "published"), "one", licence="statcan-open"
        )
    return made.reopen()


def test_every_place_has_one_state(portal):
    """Told, suppressed, estimated and empty are four things; each area has every indicator once."""
    places = make_wishlist(portal).places
    assert not places.duplicated(["area_id", "definition", "indicator"]).any()
    calgary = places[places["area_id"].eq("ab-calgary")].set_index("indicator")["status"]
    assert calgary[["immigrants", "npr", "renters", "median_age", "born_asia"]].tolist() == [
        "have", "suppressed", "empty", "estimated", "empty",
    ]  # fmt: skip
    assert places["area_id"].value_counts().nunique() == 1


def test_tables_come_by_priority_and_a_filled_place_is_not_wanted(portal):
    """A wish of priority 1 that is filled counts nothing; tables nobody asked for come last."""
    made = make_wishlist(portal)
    tables = made.tables.set_index("table")
    # the village asks for all outcomes at 2, Ottawa for one place of T2 at 1
    first = made.tables["table"].tolist()
    assert set(first[:4]) == {"OUTCOMES", "OUTCOMES-INCOME", "IMDB-T1", "IMDB-T2"}
    assert tables.loc["IMDB-T2", "priority"] == "1"
    assert tables.loc["IMDB-T2", "wanted_by"] == 2
    assert tables.loc["PROFILE", ["priority", "wanted_by"]].tolist() == ["", 0]
    counted = made.places[made.places["status"].isin(["empty", "estimated"])]
    assert made.tables["places"].sum() == len(counted)
    sums = made.tables[["released", "suppressed", "unknown"]].sum(axis=1)
    assert (sums == made.tables["places"]).all()


def test_suppression_is_predicted_by_the_floors(portal):
    """Sixty people are above the floor of blocks in no table; a place without people is unknown."""
    places = make_wishlist(portal).places
    village = places[places["area_id"].eq("village")]
    assert set(village["expected"]) == {"suppressed"}
    ottawa = places[places["area_id"].eq("on-ottawa")]
    assert set(ottawa["expected"]) == {"unknown"}
    calgary = places[places["area_id"].eq("ab-calgary")]
    assert set(calgary["expected"]) == {"released"}


def test_whom_to_ask_is_said(portal):
    """A consortium is named where one serves the area; the tax tables come by the programme."""
    places = make_wishlist(portal).places.set_index(["area_id", "indicator"])
    assert "calgary" in places.loc[("ab-calgary", "overqualified"), "ask"]
    assert "not known" in places.loc[("village", "overqualified"), "ask"]
    assert "T1 and T2" in places.loc[("on-ottawa", "imdb_retention_5y"), "ask"]


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", ("confirmed: Education and work", "calgary", "T1 and T2")),
     ("fr", ("confirmé : Scolarité et travail", "calgary", "T1 et T2"))],
)  # fmt: skip
def test_the_page_of_an_unconfirmed_area_says_what_to_order_and_of_whom(portal, lang, words):
    """No number is shown; what will bring one is, and who can be asked."""
    areas = portal.areas
    area = areas[areas["area_id"].eq("ab-calgary")].iloc[0]
    area = area.to_dict() | {"extent_status": "assumed", "confirmed_by": ""}
    with speaking(lang):
        notices = " ".join(area_blocks(state_of(portal, "public").material(), area).notices)
    assert all(one in notices for one in words)


def test_the_list_is_what_an_order_takes(portal, tmp_path):
    """The file that the command writes is read as a list of tables, in French too."""
    done = run("portal", "wishlist", portal.folder, "--out", tmp_path / "w.csv", "--lang", "fr")
    assert done.returncode == 0, done.stderr
    asked = read_tables(tmp_path / "w.csv")
    assert [one.table for one in asked] == make_wishlist(portal).tables["table"].tolist()
    assert {one.universe for one in asked} == {"income", "population"}
    frame = pd.read_csv(tmp_path / "w.csv", keep_default_na=False)
    assert set(frame["cost"]) == {""}
    assert "Programme de données communautaires" in frame["ask"].iloc[0]
    assert (tmp_path / "w-places.csv").is_file()
    again = run("portal", "wishlist", portal.folder, "--out", tmp_path / "w.csv")
    assert again.returncode == 2


def test_wishes_that_cannot_be_are_refused_all_at_once(tmp_path):
    """An unknown area, indicator and priority are each named with their row."""
    made = lipgeo.open_portal(tmp_path / "portal", create=True, areas="on-ottawa")
    _write(made.folder, "wishes", [
        {"area_id": "nowhere", "indicator": "*"},
        {"area_id": "*", "indicator": "happiness"},
        {"area_id": "*", "indicator": "renters", "priority": "9"},
    ])  # fmt: skip
    with pytest.raises(InputError) as refused:
        make_wishlist(made.reopen())
    assert [one["row"] for one in refused.value.rows] == [2, 3, 4]
