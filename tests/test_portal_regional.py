"""A region of partnerships: one workbook in, who has reported, small counts of all of them."""

from __future__ import annotations

import re

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lipgeo
from lipgeo.portal.areas import registry_areas
from lipgeo.portal.book import BOOK, add_rows
from lipgeo.portal.indicators.dictionary import shipped_dictionary
from lipgeo.portal.pages.alike import alike_in_size
from lipgeo.portal.pages.regional_pages import region_parts
from lipgeo.portal.pages.site_state import state_of
from lipgeo.portal.regional import regions_of, status_of, withhold_regions
from lipgeo.portal.sources.intake import Known
from lipgeo.portal.sources.local import from_survey, local_code
from lipgeo.portal.sources.recognising import kind_of

MEMBERS = [f"lip-{at:02d}" for at in range(1, 20)]
QUESTION = "Do newcomers find work?"


def _sheet(book, name, rows):
    page = book[name] if name in book.sheetnames else book.create_sheet(name)
    if page.max_row == 1 and page.cell(1, 1).value is None:
        for at, head in enumerate(rows[0], start=1):
            page.cell(1, at, head)
    heads = {cell.value: cell.column for cell in page[1]}
    for at, row in enumerate(rows, start=2):
        for head, value in row.items():
            page.cell(at, heads[head], value)


def survey_rows(members, counts):
    """Return rows of a survey: three answers a member."""
    return [
        {"area_id": area, "question": QUESTION, "category": category, "date": "2025-26",
         "answers": count, "responses": sum(told), "universe": "members of the council",
         "source": "Annual survey"}
        for area, told in zip(members, counts, strict=True)
        for category, count in zip(("yes", "no", "partly"), told, strict=True)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    """Nineteen partnerships of a region: eighteen have sent the survey, one is small."""
    place = tmp_path_factory.mktemp("regional")
    made = lipgeo.open_portal(place / "portal", create=True)
    book = openpyxl.load_workbook(made.folder / "portal.xlsx")
    _sheet(book, "areas", [
        {"area_id": one, "definition": "main", "kind": "partnership", "name_en": one.upper(),
         "name_fr": one.upper(), "extent_status": "confirmed"} for one in (*MEMBERS, "whole")
    ])  # fmt: skip
    _sheet(book, "regions", [
        {"region": "whole", "name_en": "The Region", "name_fr": "La Région", "area_id": one}
        for one in MEMBERS
    ])  # fmt: skip
    _sheet(book, "framework", [
        {"region": "whole", "indicator": QUESTION, "name_fr": "Trouvent-ils du travail?",
         "period": "2025-26", "due": "2026-06-30"},
        {"region": "*", "indicator": "Clients served", "period": "2025"},
    ])  # fmt: skip
    _sheet(book, "licences", [{"licence": "survey", "may_publish": "table", "who": "The region",
                               "document": "agreement"}])  # fmt: skip
    book.save(made.folder / "portal.xlsx")
    sent = openpyxl.Workbook()
    counts = [(20 + at, 10, 30) for at in range(17)] + [(3, 12, 30)]
    whole = tuple(sum(column) for column in zip(*counts, strict=True))
    rows = survey_rows([*MEMBERS[:18], "whole"], [*counts, whole])
    _sheet(sent, "survey", rows)
    _sheet(sent, "local", [
        {"area_id": one, "indicator": "Clients served", "date": "2025", "value": 100 + at,
         "unit": "people", "universe": "clients", "source": "Agency"}
        for at, one in enumerate(MEMBERS[:5])
    ])  # fmt: skip
    sent.save(place / "region.xlsx")
    assert kind_of(place / "region.xlsx") == "regional"
    made = made.reopen()
    made.add(place / "region.xlsx", release="region", licence="survey")
    return made.reopen()


def test_one_workbook_brings_survey_and_local_data(portal):
    """Both sheets are one release; each member's status says what has come."""
    region, *others = regions_of(portal.book, portal.dictionary)
    assert others == []
    assert region.members == tuple(MEMBERS)
    assert [one.code for one in region.items] == [
        local_code(QUESTION, "survey"), local_code("Clients served", "local"),
    ]  # fmt: skip
    frame = portal.shown(audience="public")
    states = [[status_of(frame, one, item) for item in region.items] for one in MEMBERS]
    assert states[0] == ["reported", "reported"]
    assert states[17] == ["reported", "waits"]
    assert states[18] == ["waits", "waits"]


def test_a_region_s_total_does_not_tell_what_a_member_withholds(portal):
    """Three people of the last member are withheld; the region's numbers of these answers too."""
    frame = portal.shown(audience="public").set_index(["area_id", "category"])["value"]
    assert frame["lip-18"][["yes", "no"]].isna().all()
    assert frame["whole"][["yes", "no"]].isna().all()
    assert frame["whole"]["partly"] > 0
    assert "withheld_region" in {one.check for one in portal.check("public")}


def test_the_page_of_a_region_says_who_has_reported(portal, tmp_path):
    """Nineteen rows of status in name order, with the day that is due, in both languages."""
    site = lipgeo.build_site(portal, tmp_path / "site")
    for folder, waits, few in (
        (site, "Not reported yet; due 2026-06-30", "too few people to be shown"),
        (site / "fr", "Pas encore déclaré; attendu pour le 2026-06-30", "trop peu de personnes"),
    ):
        text = (folder / "region--whole.html").read_text("utf-8")
        first = text[: text.index("</table>")]
        names = re.findall(r'scope="row"><a href="[^"]+">([^<]+)</a>', first)
        assert names == [one.upper() for one in MEMBERS]
        assert first.count(waits) == 1
        assert few in text
        assert "region--whole.html" in (folder / "search.html").read_text("utf-8")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.integers(0, 14)] * 3), min_size=2, max_size=6,
    )
)  # fmt: skip
def test_no_member_s_small_answer_follows_from_the_region(counts):
    """What the region's number leaves of withheld members is five or more people of several."""
    counts = [told for told in counts if sum(told)]
    if len(counts) < 2:
        return
    members = MEMBERS[: len(counts)]
    whole = tuple(sum(column) for column in zip(*counts, strict=True))
    known = Known(registry_areas([]).reindex(range(0)), shipped_dictionary())
    rows = pd.DataFrame(survey_rows([*members, "whole"], [*counts, whole]))
    taken = from_survey(rows, known, "survey")
    dictionary = shipped_dictionary().with_local(taken.indicators)
    sheet = pd.DataFrame({"region": "whole", "area_id": members})
    frame, _ = withhold_regions(taken.rows, sheet, dictionary)
    truth = dict(zip(members, counts, strict=True))
    told = frame.set_index(["area_id", "category"])["value"]
    for at, category in enumerate(("yes", "no", "partly")):
        hidden = [one for one in members if np.isnan(told[one, category])]
        if np.isnan(told["whole", category]) or not hidden:
            continue
        assert len(hidden) > 1
        assert sum(truth[one][at] for one in hidden) >= 5


def few(count, responses):
    """Whether an answer is one to four people, or leaves as few who gave another."""
    return 0 < count < 5 or 0 < responses - count < 5


def test_the_page_of_a_region_keeps_the_rules_of_small_counts_in_twenty_seeds(tmp_path):
    """Every rule is read back from what stands on the pages of twenty made regions."""
    rows, listed, truth = [], [], {}
    for seed in range(20):
        made = np.random.default_rng(seed)
        region, members = f"region-{seed}", [f"m-{seed}-{at}" for at in range(3)]
        listed += [{"region": region, "name_en": region, "area_id": one} for one in members]
        for area in members:
            # few and many answers: councils under five, under twenty and above
            men, women = made.integers(0, made.choice([3, 9, 40]), (2, 3))
            for gender, counts in (("total", men + women), ("men", men), ("women", women)):
                if counts.sum():
                    rows += survey_rows([area], [tuple(int(one) for one in counts)])
                    for row in rows[-3:]:
                        row["gender"] = gender
                        truth[area, gender, row["category"]] = (row["answers"], row["responses"])
    portal = lipgeo.open_portal(tmp_path / "portal", create=True)
    due = [{"region": "*", "indicator": QUESTION, "period": "2025-26"}]
    allowed = [{"licence": "survey", "may_publish": "table", "who": "All", "document": "a"}]
    sheets = {"regions": listed, "framework": due, "licences": allowed}
    add_rows(portal.folder / BOOK, {name: pd.DataFrame(of) for name, of in sheets.items()})
    portal = portal.reopen()
    taken = from_survey(pd.DataFrame(rows), portal.known(), "survey")
    with portal.store.locked():
        portal.write_release(taken, "survey", licence="survey")
    portal = portal.reopen()
    state = state_of(portal, "public")
    areas = [(one["area_id"], one["area_id"], one) for one in state.areas.to_dict("records")]
    seen, told = 0, {"shown": 0, "withheld": 0}
    for region in regions_of(portal.book, portal.dictionary):
        _, heads, lines = region_parts(state, region, areas)["tables"][-1]
        assert len(heads) == 6
        for (_, area), who, _, value, answers, _ in lines:
            words = who.split(" – ")
            gender = next((one for one in words if one in ("men", "women")), "total")
            category = next(one for one in words if one in ("yes", "no", "partly"))
            count, responses = truth[area, gender, category]
            seen += 1
            whole = max(truth[area, "total", one][1] for one in ("yes", "no", "partly"))
            shut = responses < 5 or few(count, responses) or (gender != "total" and whole < 20)
            number = bool(re.fullmatch(r"[\d.]+%", value))
            told["shown" if number else "withheld"] += 1
            assert not (shut and number), (area, gender, category)
            # how many answered is always shown, but where the whole question is withheld
            assert answers == (str(responses) if responses >= 5 else "")
    assert seen == len(truth)
    assert min(told.values()) > 20


def test_places_alike_in_size_are_the_nearest_by_ratio():
    """Half as large is as near as twice as large; an area of its own id is no other place."""
    people = {("a", "city"): 100.0, ("a", "cma"): 101.0, ("b", ""): 200.0, ("c", ""): 49.0,
              ("d", ""): np.nan, ("e", ""): 0.0}  # fmt: skip
    assert alike_in_size(people, ("a", "city"), 3) == [("b", ""), ("c", "")]
    assert alike_in_size(people, ("d", ""), 3) == []
