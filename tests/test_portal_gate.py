"""The gate: what the public may not see, over made portals, against a slow oracle."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings

import lipgeo
from lipgeo.errors import InputError
from lipgeo.portal.areas import UNIT_COLUMNS, new_areas, realisation_hash
from lipgeo.portal.book import SHEETS
from lipgeo.portal.gate import allowance, gate
from lipgeo.portal.ground import ground_of
from lipgeo.portal.indicators.dictionary import shipped_dictionary
from lipgeo.portal.observations import HIDDEN, KEY, make_observations
from lipgeo.portal.sources.intake import Intake

#: people of the ground's dissemination areas
PEOPLE = {f"3506{n:04d}": people for n, people in enumerate([500, 30, 400, 20, 900, 35, 60, 300])}
DAS = list(PEOPLE)


def add(portal, name, rows, *, units=None, licence="statcan-open"):
    """Write rows as a release, with what the areas are made of."""
    frame = pd.DataFrame(rows)
    frame["definition"] = "main"
    listed = units or {}
    hashes = {
        area: realisation_hash([f"DA:{da}" for da in das], 2021) for area, das in listed.items()
    }
    frame["realisation_hash"] = [hashes.get(area, "") for area in frame["area_id"]]
    made = [
        pd.DataFrame(
            {
                "area_id": area, "definition": "main", "vintage": "2021",
                "realisation_hash": hashes[area], "level": "DA", "unit_id": list(das),
                "share": 1.0, "population": [float(PEOPLE[da]) for da in das],
            },
            columns=list(UNIT_COLUMNS),
        )
        for area, das in listed.items()
    ]  # fmt: skip
    taken = Intake(
        make_observations(frame), "delivery", areas=new_areas(sorted(set(frame["area_id"]))),
        units=pd.concat(made) if made else None,
    )  # fmt: skip
    with portal.store.locked():
        portal.write_release(taken, name, licence=licence)


def row(area, value=100.0, *, origin="ordered", indicator="population", symbol="", **more):
    """Return one row of the long table."""
    return {
        "area_id": area, "indicator": indicator, "period": "2021", "origin": origin,
        "value": np.nan if symbol in HIDDEN else value, "symbol": symbol, **more,
    }  # fmt: skip


@pytest.fixture
def portal(tmp_path):
    """An empty portal."""
    return lipgeo.open_portal(tmp_path / "portal", create=True)


def edit(portal, sheet, **cells):
    """Add a row to a sheet of the workbook."""
    path = portal.folder / "portal.xlsx"
    book = openpyxl.load_workbook(path)
    page = book[sheet]
    heads = {cell.value: cell.column for cell in page[1]}
    at = page.max_row + 1
    for name, value in cells.items():
        page.cell(at, heads[name], value)
    book.save(path)
    return portal.reopen()


def public(portal):
    """Return what the public sees, and the checks that kept things from it."""
    frame, report = portal.view("public")
    return frame, {one.check for one in report}


# ---------------------------------------------------------------------- licence


def test_an_empty_licence_means_no(portal):
    """Without a licence row nothing is public, and the members see it all the same."""
    add(portal, "a", [row("west")], licence="")
    add(portal, "b", [row("east")], licence="cdp")
    frame, checks = public(portal)
    assert frame.empty
    assert "licence_no" in checks
    assert len(portal.view("members")[0]) == 2
    portal = edit(portal, "licences", licence="cdp", may_publish="table")
    assert public(portal)[0].empty  # nobody signed it
    portal = edit(portal, "licences", licence="cdp2", may_publish="table", who="x", document="y")
    assert public(portal)[0].empty


def test_a_licence_holds_until_its_day_and_for_what_it_says():
    """No row, no permission or a past day is no; several licences allow what all allow."""
    sheet = pd.DataFrame(
        [
            ("open", "table", "S", "D", ""),
            ("sum", "aggregate", "S", "D", "2027-01-01"),
            ("unsigned", "table", "", "D", ""),
            ("no", "no", "S", "D", ""),
        ],
        columns=["licence", "may_publish", "who", "document", "expiry"],
    )
    told = {
        one: allowance(one, sheet, "2026-12-01")
        for one in ("open", "sum", "unsigned", "no", "", "open;sum", "open;none")
    }
    assert told == {
        "open": "table", "sum": "aggregate", "unsigned": "no", "no": "no", "": "no",
        "open;sum": "aggregate", "open;none": "no",
    }  # fmt: skip
    assert allowance("sum", sheet, "2027-01-02") == "no"


def test_aggregates_are_percentages_without_their_counts(portal):
    """Counts, breakdowns and delivered rows stay back; a percentage loses its denominator."""
    rows = [
        row("west"),
        row("west", 25.0, indicator="immigrants", denominator_value=4000.0),
        row("west", 30.0, indicator="immigrants", denominator_value=400.0, gender="men"),
    ]
    add(portal, "a", rows, licence="sum")
    portal = edit(portal, "licences", licence="sum", may_publish="aggregate", who="S", document="D")
    frame, checks = public(portal)
    assert frame[["indicator", "gender"]].values.tolist() == [["immigrants", "total"]]
    assert frame["denominator_value"].isna().all()
    assert "licence_aggregate" in checks


def test_what_is_computed_from_a_members_source_inherits_its_licence(portal):
    """A number made from a release needs that release's licence too."""
    add(portal, "order", [row("west", indicator="immigrants", value=5.0)], licence="cdp")
    rows = pd.DataFrame([row("east", origin="estimated")])
    portal.add(rows, release="estimate", licence="statcan-open", made_from=["order"])
    assert portal.frame("east")["licence"].tolist() == ["statcan-open;cdp"]
    assert public(portal)[0].empty


# ---------------------------------------------------------------------- confirmation


def test_an_unconfirmed_area_shows_no_number_until_somebody_confirms(tmp_path):
    """An extent that is only assumed is not public; a name and a day unlock it."""
    portal = lipgeo.open_portal(tmp_path / "p", create=True)
    path = portal.folder / "portal.xlsx"
    portal = edit(portal, "areas", area_id="west", definition="main", name_en="West",
                  name_fr="Ouest", extent_status="assumed")  # fmt: skip
    add(portal, "a", [row("west")])
    frame, checks = public(portal)
    assert frame.empty
    assert "unconfirmed" in checks
    book = openpyxl.load_workbook(path)
    heads = {cell.value: cell.column for cell in book["areas"][1]}
    book["areas"].cell(2, heads["confirmed_by"], "Coordinator")
    book["areas"].cell(2, heads["confirmed_on"], "2026-11-01")
    book.save(path)
    assert len(public(portal.reopen())[0]) == 1


# ---------------------------------------------------------------------- suppression


@pytest.mark.parametrize("licence", ["statcan-open", "secret"])
@pytest.mark.parametrize("symbol", HIDDEN)
def test_an_estimate_never_fills_a_suppressed_cell(portal, licence, symbol):
    """Whether or not the order itself is public, its suppressed number closes the place."""
    add(portal, "o", [row("west", symbol=symbol, indicator="immigrants")], licence=licence)
    estimates = [
        row("west", 25.0, origin="estimated", indicator="immigrants"),
        row("east", 30.0, origin="estimated", indicator="immigrants"),
    ]
    add(portal, "e", estimates)
    frame, checks = public(portal)
    assert set(frame.loc[frame["origin"].eq("estimated"), "area_id"]) == {"east"}
    assert "estimate_over_hidden" in checks


def test_indicators_of_one_numerator_are_one_quantity(portal):
    """Recent immigrants among all people and among immigrants tell the same count."""
    add(portal, "o", [row("west", symbol="x", indicator="recent_immigrants")])
    add(portal, "e", [row("west", 9.0, origin="estimated", indicator="recent_of_immigrants")])
    assert public(portal)[0]["origin"].tolist() == ["ordered"]


def test_the_complement_is_closed_too(portal):
    """Of the same ground under another name, of the rest of a larger area, of the other gender."""
    add(
        portal, "o",
        [row("west", symbol="x"), row("all", 1200.0), row("men", symbol="x", gender="men")],
        units={"west": DAS[:2], "all": DAS[:4]},
    )  # fmt: skip
    add(
        portal, "e",
        [
            row("rest", origin="estimated"), row("same", origin="estimated"),
            row("other", origin="estimated"), row("men", origin="estimated", gender="women"),
        ],
        units={"rest": DAS[2:4], "same": DAS[:2], "other": DAS[4:6]},
    )  # fmt: skip
    frame, _ = public(portal)
    assert set(frame.loc[frame["origin"].eq("estimated"), "area_id"]) == {"other"}


def test_one_suppressed_part_is_not_told_by_the_others(portal):
    """Total and men would give women: the smaller of the two is kept back, unless allowed."""
    rows = [
        row("west", 100.0),
        row("west", 40.0, gender="men"),
        row("west", symbol="x", gender="women"),
    ]
    add(portal, "a", rows)
    frame, checks = public(portal)
    assert "lone_hidden" in checks
    assert set(frame["gender"]) == {"total", "women"}
    portal = edit(portal, "exceptions", check="lone_hidden", subject="west@main population 2021",
                  allowed_by="Privacy officer", reason="published elsewhere")  # fmt: skip
    frame, checks = public(portal)
    assert set(frame["gender"]) == {"total", "men", "women"}
    assert checks == {"exception"}


def test_two_tabulations_of_one_quantity_are_not_shown_beside_each_other(portal):
    """Ordered 105 and published 110 narrow what was rounded; another sample is something else."""
    rows = [
        row("west", 105.0, sample="25%"), row("west", 110.0, origin="published", sample="25%"),
        row("west", 112.0, origin="published", sample="100%"),
        row("east", 50.0, sample="25%"), row("east", 50.0, origin="published", sample="25%"),
    ]  # fmt: skip
    add(portal, "a", rows)
    frame, checks = public(portal)
    told = sorted(zip(frame["area_id"], frame["origin"], frame["value"], strict=True))
    assert told == [
        ("east", "ordered", 50.0), ("east", "published", 50.0), ("west", "ordered", 105.0),
        ("west", "published", 112.0),
    ]  # fmt: skip
    assert "two_tabulations" in checks


# ---------------------------------------------------------------------- small counts


def test_zeros_and_small_denominators_are_flagged_not_shown_as_numbers(portal):
    """A long-form 0 is flagged; no percentage under 50, no change from under 100."""
    rows = [
        row("west", 0.0, indicator="renters", denominator_value=400.0, sample="25%"),
        row("east", 50.0, indicator="renters", denominator_value=45.0, sample="25%"),
        row("west", 50.0, indicator="population_change", denominator_value=90.0),
        row("east", 0.0, sample="100%"),
    ]
    add(portal, "a", rows)
    for audience in ("public", "members"):
        frame, _ = portal.view(audience)
        told = frame.set_index(["area_id", "indicator"])
        assert told.loc[("west", "renters"), "flags"] == "fewer_than_10"
        assert told.loc[("east", "renters"), "flags"] == "small_denominator"
        assert np.isnan(told.loc[("east", "renters"), "value"])
        assert np.isnan(told.loc[("west", "population_change"), "value"])
        assert told.loc[("east", "population"), "flags"] == ""
    with pytest.raises(InputError, match="public or members"):
        portal.view("everybody")


# ---------------------------------------------------------------------- differencing


def test_a_rest_of_few_people_keeps_a_number_back(portal):
    """An area less one inside it leaves 30 people: the part is kept back and said."""
    units = {"all": DAS[:2], "part": DAS[:1]}
    add(portal, "a", [row("all", 530.0), row("part", 500.0)], units=units)
    frame, report = portal.view("public")
    assert frame["area_id"].tolist() == ["all"]
    told = report.only(check="differencing").findings[0]
    assert (told.value, told.limit) == (30.0, 40.0)
    portal = edit(portal, "exceptions", check="differencing", subject=told.subject,
                  allowed_by="Officer", reason="agreed")  # fmt: skip
    assert len(portal.view("public")[0]) == 2


def test_income_needs_more_people_in_the_rest(portal):
    """A rest of 60 people is enough for others, not for income (250)."""
    units = {"all": [DAS[0], DAS[6]], "part": [DAS[0]]}
    rows = [
        row(area, 40.0, indicator=code, denominator_value=400.0)
        for area in units
        for code in ("low_income_lim", "immigrants")
    ]
    add(portal, "a", rows, units=units)
    frame, _ = public(portal)
    assert frame.groupby("indicator")["area_id"].nunique().to_dict() == {
        "immigrants": 2, "low_income_lim": 1,
    }  # fmt: skip


def test_what_was_public_once_counts_for_ever(portal):
    """A part that was shown, though no longer, keeps the whole back."""
    units = {"all": DAS[:2], "part": DAS[:1]}
    add(portal, "a", [row("part", 500.0)], units={"part": units["part"]})
    seen, _ = portal.view("public")
    portal.record_build("site", "site-1", "public", seen)
    add(portal, "b", [row("part", np.nan, symbol="..")], units={"part": units["part"]})
    add(portal, "c", [row("all", 530.0)], units={"all": units["all"]})
    frame, checks = public(portal)
    assert "differencing" in checks
    assert frame["value"].notna().sum() == 0
    assert portal.withdraw("a", reason="recalled").values.tolist() == [["site", "site-1"]]


def test_published_figures_alone_tell_nothing_new(portal):
    """Standard areas may leave what they leave: that is published already."""
    rows = [row("all", 530.0, origin="published"), row("part", 500.0, origin="published")]
    add(portal, "a", rows, units={"all": DAS[:2], "part": DAS[:1]})
    assert len(public(portal)[0]) == 2


AREA = st.sets(st.sampled_from(DAS), min_size=1, max_size=6)
KINDS = st.sampled_from(["ordered", "published", "estimated"])


def made(areas, indicator):
    """Return what the gate asks of a portal, without a folder, and its rows."""
    rows, units = [], []
    for at, (das, origin, hidden, secret) in enumerate(areas):
        symbol = "x" if hidden and origin != "estimated" else ""
        people = float(sum(PEOPLE[da] for da in das))
        hashed = realisation_hash([f"DA:{da}" for da in das], 2021)
        share = indicator == "immigrants"
        rows.append(
            row(f"a{at}", 20.0 if share else people, origin=origin, symbol=symbol,
                indicator=indicator, denominator_value=people if share else np.nan)
            | {"definition": "main", "realisation_hash": hashed, "release": f"r{at}",
               "licence": "secret" if secret else "statcan-open"}
        )  # fmt: skip
        units += [(f"a{at}", hashed, da, float(PEOPLE[da])) for da in das]
    listed = pd.DataFrame(units, columns=["area_id", "realisation_hash", "unit_id", "population"])
    listed = listed.assign(definition="main", vintage="2021", level="DA", share=1.0)
    portal = SimpleNamespace(
        dictionary=shipped_dictionary(),
        areas=new_areas([f"a{at}" for at in range(len(areas))]),
        units=listed[list(UNIT_COLUMNS)],
        store=SimpleNamespace(seen=pd.DataFrame(columns=[*KEY, "realisation_hash"], dtype=object)),
        book={
            "regions": pd.DataFrame(columns=SHEETS["regions"], dtype=object),
            "licences": pd.DataFrame(
                [("statcan-open", "table", "S", "D", "")],
                columns=["licence", "may_publish", "who", "document", "expiry"],
            ),
            "exceptions": pd.DataFrame(columns=["check", "subject", "allowed_by", "reason"]),
        },
    )
    return portal, make_observations(pd.DataFrame(rows))


@settings(max_examples=80)
@given(
    st.lists(st.tuples(AREA, KINDS, st.booleans(), st.booleans()), min_size=1, max_size=6),
    st.sampled_from(["population", "immigrants"]),
)
def test_nothing_public_breaks_a_rule(areas, indicator):
    """No members' number, no estimate over a suppressed one, no small rest of two public areas."""
    portal, whole = made(areas, indicator)
    frame, _ = gate(portal, whole, "public")
    ground = {f"a{at}": frozenset(das) for at, (das, *_) in enumerate(areas)}
    assert set(frame["licence"]) <= {"statcan-open"}
    hidden = {
        ground[f"a{at}"]
        for at, (_, origin, told, _) in enumerate(areas)
        if told and origin != "estimated"
    }
    wholes = set(ground.values())
    for area in frame.loc[frame["origin"].eq("estimated"), "area_id"]:
        mine = ground[area]
        assert mine not in hidden
        assert not any(not (mine & other) and (mine | other) in wholes for other in hidden)
    told = frame[frame["value"].notna() & frame["origin"].isin(["ordered", "published"])]
    origin = dict(zip(told["area_id"], told["origin"], strict=True))
    for one, other in itertools.permutations(origin, 2):
        if ground[other] < ground[one] and "ordered" in (origin[one], origin[other]):
            sizes = [sum(PEOPLE[da] for da in ground[area]) for area in (one, other)]
            if min(sizes) >= 40:  # smaller ones would not have been released
                assert not 0 < sizes[0] - sizes[1] < 40
    # nothing is invented: every public row is a row of the members' side
    members = gate(portal, whole, "members")[0].set_index("release")["value"].to_dict()
    for release, value in frame.set_index("release")["value"].items():
        assert value == members[release] or (np.isnan(value) and np.isnan(members[release]))


def test_units_of_two_levels_are_held_together_by_their_ids():
    """A division holds the dissemination areas of its number; a subdivision cannot be told."""
    units = pd.DataFrame(
        [
            ("cd", "CD", "3506", 2245.0), ("a", "DA", DAS[0], 500.0), ("b", "DA", DAS[1], 30.0),
            ("csd", "CSD", "3506008", 800.0),
        ],
        columns=["realisation_hash", "level", "unit_id", "population"],
    ).assign(area_id="x", definition="main", vintage="2021", share=1.0)  # fmt: skip
    ground = ground_of(units, "2021")
    assert ground.cells["a"] < ground.cells["cd"]
    assert "csd" in ground.apart
    rest = ground.cells["cd"] - ground.cells["a"] - ground.cells["b"]
    assert sum(ground.people[list(rest)]) >= 0
    assert "cd" not in ground_of(units[units["level"].ne("CSD")], "2021").apart


def test_what_lies_in_what_is_the_table_s_of_geography():
    """A metropolitan area holds the tracts of its number, as the table of geography has it."""
    units = pd.DataFrame(
        [("cma", "CMA", "505", 900.0), ("tract", "CT", "5050001.00", 600.0)],
        columns=["realisation_hash", "level", "unit_id", "population"],
    ).assign(area_id="x", definition="main", vintage="2021", share=1.0)
    ground = ground_of(units, "2021")
    assert ground.apart == frozenset()
    assert ground.cells["tract"] < ground.cells["cma"]
    assert sorted(ground.people) == [300.0, 600.0]


def test_names_with_markup_are_told(portal):
    """A name that a page or a workbook would obey is shown as it stands, and said."""
    portal = edit(portal, "areas", area_id="west", definition="main", name_en="<b>{{ x }}</b>")
    checks = {one.check for one in portal.check("public")}
    assert {"name_markup", "name_missing"} <= checks
