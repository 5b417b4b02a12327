"""What a portal takes in beside deliveries: estimates, published rows, local data, surveys."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import toytown
from commands import run
from hypothesis import given, settings

import lipgeo
from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.boundary.fit import fit_boundaries
from lipgeo.errors import InputError
from lipgeo.portal.areas import realisation_hash
from lipgeo.portal.indicators.dictionary import shipped_dictionary
from lipgeo.portal.sources.intake import (
    Known,
    from_table,
    indicator_columns,
    indicator_table,
    indicator_variables,
)
from lipgeo.portal.sources.local import from_survey
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.weight import weight_table

IDS = [toytown.DA_IDS[letter] for letter in "PQRS"]


def da_table(**columns) -> CensusTable:
    """Return a table of the toy town's dissemination areas."""
    frame = pd.DataFrame(
        {
            "population": [360.0, 130.0, 200.0, 310.0],
            "immigrants": [90.0, 20.0, 50.0, 100.0],
            "immigrant_status_total": [350.0, 125.0, 195.0, 300.0],
            **columns,
        },
        index=IDS,
    )
    return CensusTable(frame, level="DA", vintage=2021)


@pytest.fixture(scope="module")
def fitted():
    """Boundaries of the toy town's areas, fitted to dissemination areas."""
    areas = ServiceAreas.from_frame(toytown.areas(), id="area_id")
    return fit_boundaries(toytown.census(), areas, unit="DA", rule="touching")


@pytest.fixture
def portal(tmp_path):
    """An empty portal."""
    return lipgeo.open_portal(tmp_path / "portal", create=True)


def test_estimates_bring_their_ranges_and_what_they_are_made_of(portal, fitted):
    """Value, bounds and denominator of an indicator are those of the estimates; others are said."""
    est = weight_table(
        da_table(), fitted.membership,
        variables=["population", "immigrants_pct", "immigrant_status_total"],
    )  # fmt: skip
    id = portal.add(est, release="est")
    frame = portal.frame(indicators="immigrants").set_index("area_id")
    wanted = est.frame.set_index(["variable", "area_id"])
    for area in frame.index:
        told = wanted.loc[("immigrants_pct", area)]
        assert frame.loc[area, ["value", "lower", "upper"]].tolist() == pytest.approx(
            told[["value", "lower", "upper"]].tolist(), nan_ok=True
        )
        total = wanted.loc[("immigrant_status_total", area), "value"]
        assert frame.loc[area, "denominator_value"] == pytest.approx(total)
    assert set(frame["origin"]) == {"estimated"}
    assert set(frame["licence"]) == {"statcan-open"}
    checks = [one["check"] for one in portal.record(id)["checks"]]
    assert checks == ["no_such_indicator"]  # the denominator itself
    units = portal.units
    for area, own in units.groupby("area_id"):
        listed = (own["level"] + ":" + own["unit_id"]).tolist()
        assert own["realisation_hash"].iloc[0] == realisation_hash(listed, 2021)
        assert set(own["unit_id"]) == set(
            fitted.units.loc[fitted.units["area_id"].eq(area), "unit_id"]
        )


def test_a_comparison_brings_each_census_and_says_what_could_not_be_followed(portal):
    """Numbers of the census there is are its estimates; of the other there is a reason."""
    areas = ServiceAreas.from_frame(toytown.areas(), id="area_id")
    legs = {2021: (toytown.census(), da_table()), 2016: (None, None)}
    made = lipgeo.compare(areas, legs, ["immigrants_pct"])
    id = portal.add(made, release="both")
    frame = portal.frame(indicators="immigrants").set_index(["area_id", "period"])
    wanted = made.estimates[2021][0].frame.set_index(["variable", "area_id"])
    for area in areas.ids:
        assert frame.loc[(area, "2021"), "value"] == pytest.approx(
            wanted.loc[("immigrants_pct", area), "value"], nan_ok=True
        )
        lost = frame.loc[(area, "2016")]
        assert (lost["symbol"], np.isnan(lost["value"])) == ("not_comparable", True)
    assert set(frame["origin"]) == {"estimated"}
    assert portal.record(id)["kind"] == "comparison"
    # the areas were drawn for this census: its units are the definition's own
    own = portal.realisations
    assert set(own["vintage"]) == {"2021"}
    assert own["misfit"].tolist() == [0.0] * len(own)


def test_estimates_without_an_indicator_are_refused(portal, fitted):
    """Nothing to show is an error that names what came."""
    est = weight_table(da_table(), fitted.membership, variables=["immigrant_status_total"])
    with pytest.raises(InputError, match="immigrant_status_total"):
        portal.add(est)


def portal_of(tmp_path, units: dict[str, str], vintage="2021"):
    """Return a portal whose areas are lists of units."""
    portal = lipgeo.open_portal(tmp_path / "units", create=True)
    from lipgeo.portal.book import BOOK, add_areas

    frame = pd.DataFrame(
        [
            {"area_id": area, "definition": "main", "vintage": vintage, "units": listed}
            for area, listed in units.items()
        ]
    )
    add_areas(portal.folder / BOOK, frame)
    return portal.reopen()


def csd_table(**marks) -> CensusTable:
    """Return a table of two census subdivisions, some cells suppressed."""
    frame = pd.DataFrame(
        {
            "population": [490.0, 510.0],
            "immigrants": [110.0, 150.0],
            "immigrant_status_total": [475.0, 495.0],
            "median_age": [41.0, 38.0],
        },
        index=["3506008", "3506012"],
    )
    symbols = pd.DataFrame("", index=frame.index, columns=list(marks)) if marks else None
    for name, unit in marks.items():
        symbols.loc[unit, name] = "x"
        frame.loc[unit, name] = np.nan
    return CensusTable(frame, level="CSD", vintage=2021, symbols=symbols)


def test_published_rows_of_whole_units_are_sums_of_numerators_and_denominators(tmp_path):
    """A percentage of two units is not the mean of two; a median of two is not available."""
    portal = portal_of(tmp_path, {"one": "CSD:3506008", "two": "CSD:3506008;CSD:3506012"})
    portal.add(csd_table(), release="published")
    frame = portal.frame().set_index(["area_id", "indicator"])
    assert frame.loc[("two", "immigrants"), "value"] == pytest.approx(100 * 260 / 970)
    assert frame.loc[("two", "immigrants"), "flags"] == "sum_of_units"
    assert frame.loc[("one", "median_age"), "value"] == 41.0
    assert frame.loc[("two", "median_age"), "symbol"] == "not_ordered"
    assert set(frame["origin"]) == {"published"}
    assert portal.realisations.set_index("area_id")["misfit"].to_dict() == {"one": 0.0, "two": 0.0}


def test_a_region_is_the_sum_of_published_provinces_and_never_of_partnerships(tmp_path):
    """Prairies and territories: numerators and denominators of five rows, whatever lies inside."""
    provinces = ["47", "48", "60", "61", "62"]
    inside = {"one": "CSD:3506008", "two": "CSD:3506012"}
    whole = ";".join(f"PR:{one}" for one in provinces)
    portal = portal_of(tmp_path, {"pnt": whole, **inside})
    made = np.random.default_rng(47)
    frame = pd.DataFrame(
        {
            "population": 5.0 * made.integers(9_000, 900_000, 5),
            "immigrants": 5.0 * made.integers(100, 9_000, 5),
            "immigrant_status_total": 5.0 * made.integers(9_000, 90_000, 5),
            "median_age": made.uniform(25, 45, 5).round(1),
        },
        index=provinces,
    )
    portal.add(CensusTable(frame, level="PR", vintage=2021), release="provinces")
    portal.add(csd_table(), release="partnerships")
    told = portal.shown(audience="public").set_index(["area_id", "indicator"])
    sums = frame.sum()
    assert told.loc[("pnt", "population"), "value"] == sums["population"]
    row = told.loc[("pnt", "immigrants")]
    share = 100 * sums["immigrants"] / sums["immigrant_status_total"]
    assert row["value"] == pytest.approx(share)
    assert row["denominator_value"] == sums["immigrant_status_total"]
    assert row["value"] != pytest.approx((100 * frame["immigrants"] / frame.iloc[:, 2]).mean())
    assert told.loc[("pnt", "median_age"), "symbol"] == "not_ordered"
    parts = [told.loc[(one, "population"), "value"] for one in inside]
    assert told.loc[("pnt", "population"), "value"] != sum(parts)
    assert set(told.loc["pnt", "release"]) == {"provinces"}


def test_one_suppressed_unit_leaves_the_sum_suppressed(tmp_path):
    """A sum never tells the part that is not told."""
    portal = portal_of(tmp_path, {"two": "CSD:3506008;CSD:3506012"})
    portal.add(csd_table(immigrants="3506012"))
    row = portal.frame(indicators="immigrants").iloc[0]
    assert row["symbol"] == "x"
    assert np.isnan(row["value"])
    assert np.isnan(row["denominator_value"])
    with pytest.raises(InputError, match="whole units of level DA"):
        portal.add(da_table())


def test_a_profile_is_read_for_what_indicators_are_made_of():
    """Ids of numerators and denominators become columns, sums of rows one column, shares one."""
    known = shipped_dictionary()
    columns = indicator_columns(known, 2021)
    assert columns["c1529"] == "1529"
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {name: 5.0 * rng.integers(10, 99, 2) for name in columns}, index=["3506008", "3506012"]
    )
    table = indicator_table(CensusTable(frame, level="CSD", vintage=2021), known)
    names = [one.name for one in indicator_variables(table, known)]
    assert {"@immigrants", "@age_25_64", "@median_income", "@population"} <= set(names)
    areas = pd.DataFrame(
        [{"area_id": "one", "definition": "main", "units": "CSD:3506008", "vintage": "2021"}]
    )
    rows = from_table(table, Known(areas, known)).rows.set_index("indicator")
    ages = frame.loc["3506008", [f"c{id}" for id in range(16, 24)]].sum()
    assert rows.loc["age_25_64", "value"] == pytest.approx(100 * ages / frame.loc["3506008", "c8"])
    assert rows.loc["french", "value"] == pytest.approx(
        100 * frame.loc["3506008", ["c385", "c386"]].sum() / frame.loc["3506008", "c383"]
    )
    assert rows.loc["immigrants", "sample"] == "25%"


def test_the_low_income_measure_of_2016_is_not_told_with_territories(tmp_path):
    """A region with territories has no low income of 2016: the measure leaves them out."""
    portal = portal_of(tmp_path, {"north": "PR:48;PR:61"})
    known = portal.dictionary
    columns = indicator_columns(known, 2016)
    frame = pd.DataFrame({name: [500.0, 400.0] for name in columns}, index=["48", "61"])
    table = indicator_table(CensusTable(frame, level="PR", vintage=2016), known)
    portal.add(table)
    told = portal.frame().set_index("indicator")
    assert told.loc["low_income_lim", "symbol"] == "not_comparable"
    assert told.loc["immigrants", "value"] == 100.0
    # the codes are of 2021: whether the ground is the same nobody has said
    assert portal.realisations["misfit"].isna().all()


def test_estimates_of_a_file_are_read_in_either_notation(portal, fitted, tmp_path):
    """Decimal commas are numbers; what is none is refused with its row, never left out."""
    est = weight_table(da_table(), fitted.membership, variables=["population", "immigrants_pct"])
    frame = est.frame.astype({"area_id": str})
    frame.to_csv(tmp_path / "en_2021.csv", index=False)
    frame.to_csv(tmp_path / "fr_2021.csv", index=False, sep=";", decimal=",")
    told = []
    for name in ("en", "fr"):
        id = portal.add(tmp_path / f"{name}_2021.csv", release=name)
        rows = portal.frame(indicators="immigrants")
        told.append(rows[rows["release"].eq(id)].set_index("area_id")["value"])
    assert told[0].notna().any()
    pd.testing.assert_series_equal(*told)
    frame.assign(value="twelve").to_csv(tmp_path / "odd_2021.csv", index=False)
    with pytest.raises(InputError, match="twelve"):
        portal.add(tmp_path / "odd_2021.csv")


def test_numbers_of_a_table_in_the_portals_own_columns_are_read_or_refused(portal, tmp_path):
    """A symbol is kept as one; a word is refused with its cell, as in every other kind of file."""
    row = {
        "area_id": ["west"], "indicator": ["population"], "period": ["2021"],
        "origin": ["estimated"], "universe": ["population"], "source": ["x"],
    }  # fmt: skip
    for value, told in (("12.5", 12.5), ("x", "x")):
        path = tmp_path / "rows.csv"
        pd.DataFrame({**row, "value": [value]}).to_csv(path, index=False)
        release = portal.add(path, release=f"of-{value}")
        last = portal.frame()[lambda frame, id=release: frame["release"].eq(id)].iloc[0]
        assert (last["value"] if value != "x" else last["symbol"]) == told
    pd.DataFrame({**row, "value": ["twelve"]}).to_csv(path, index=False)
    with pytest.raises(InputError, match="twelve"):
        portal.add(path)


# ---------------------------------------------------------------------- local data


LOCAL = {
    "area_id": ["west", "west"], "indicator": ["Library cards", "Newcomers served"],
    "date": ["2025-26", "2025"], "value": ["1,310", "85"], "unit": ["cards", "people"],
    "universe": ["residents", "clients"], "source": ["City", "Agency"],
}  # fmt: skip


def local_file(tmp_path, **changes):
    """Write a plain local table and return its path."""
    path = tmp_path / "local.csv"
    pd.DataFrame({**LOCAL, **changes}).to_csv(path, index=False)
    return path


def test_local_data_become_indicators_of_ones_own(portal, tmp_path):
    """Unit, universe, date and source stay with the number."""
    portal.add(local_file(tmp_path))
    frame = portal.frame()
    assert set(frame["period"]) == {"2025-26", "2025"}
    assert set(frame["origin"]) == {"reported"}
    own = portal.dictionary
    assert own[frame["indicator"].iloc[0]]["status"] == "local"
    assert frame["value"].sum() == 1395.0


@pytest.mark.parametrize("column", ["unit", "universe", "date", "source", "area_id"])
def test_a_local_number_without_what_it_means_is_refused(portal, tmp_path, column):
    """A missing unit, universe, date or source is refused with its row."""
    with pytest.raises(InputError, match=f"3: {column}"):
        portal.add(local_file(tmp_path, **{column: [LOCAL[column][0], ""]}))
    with pytest.raises(InputError, match="twelve"):
        portal.add(local_file(tmp_path, value=["1", "twelve"]))


def survey(answers, responses, **more):
    """Return a survey table: one question, answers in categories."""
    count = len(answers)
    return pd.DataFrame(
        {
            "area_id": ["west"] * count, "question": ["Feel at home"] * count,
            "category": [f"c{at}" for at in range(count)], "date": ["2026"] * count,
            "answers": answers, "responses": [responses] * count,
            "universe": ["newcomers"] * count, "source": ["Survey"] * count, **more,
        }
    )  # fmt: skip


def taken(frame):
    """Return what a survey brings to an empty portal."""
    areas = pd.DataFrame([{"area_id": "west", "definition": "main"}])
    return from_survey(frame, Known(areas, shipped_dictionary()), "survey").rows


def test_a_question_with_fewer_than_five_answers_is_withheld():
    """Not even how many answered is told."""
    rows = taken(survey([2, 2], 4))
    assert rows["value"].isna().all()
    assert rows["denominator_value"].isna().all()
    assert set(rows["flags"]) == {"withheld_few"}


def test_a_small_category_and_its_complement_are_withheld():
    """Yes 3 of 40 tells no 37; the response count is shown all the same."""
    rows = taken(survey([3, 37], 40))
    assert rows["value"].isna().all()
    assert rows["denominator_value"].tolist() == [40, 40]
    assert taken(survey([12, 28], 40))["value"].tolist() == [30.0, 70.0]


def test_no_cross_table_where_fewer_than_twenty_answered():
    """Of a council of eighteen, men and women are not told apart."""
    frame = survey([9, 6, 9], 18, gender=["total", "men", "women"], category=["Yes"] * 3)
    rows = taken(frame)
    assert rows["value"].notna().tolist() == [True, False, False]


def test_counts_of_a_survey_are_whole_and_fit():
    """More answers than responses, and half a person, are refused with their rows."""
    with pytest.raises(InputError, match=r"41 / 40"):
        taken(survey([41, 2], 40))
    with pytest.raises(InputError, match=r"2.5 / 40"):
        taken(survey([20, 2.5], 40))


@settings(max_examples=80)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=6))
def test_no_withheld_answer_can_be_found_by_subtraction(answers):
    """What is hidden of a question is nothing, or at least two answers that are five together."""
    responses = sum(answers)
    rows = taken(survey(answers, responses))
    hidden = rows["value"].isna().to_numpy()
    told = np.array(answers)
    if responses < 5:
        assert rows["value"].isna().all()
        return
    small = (told > 0) & (told < 5)
    assert hidden[small].all()
    gone = told[hidden & (told > 0)]
    if len(gone) and not hidden[told > 0].all():
        assert len(gone) > 1
        assert gone.sum() >= 5


def test_small_counts_of_local_data_are_withheld(portal):
    """A category of 1 to 4 and the next smallest are not stored."""
    rows = pd.DataFrame(
        {
            "area_id": "west", "indicator": "clients", "name_en": "Clients", "period": "2025",
            "category": ["Syria", "Iran", "India"], "value": [3.0, 12.0, 90.0],
            "universe": "clients", "source": "Agency",
        }
    )  # fmt: skip
    portal.add(rows)
    told = portal.frame().set_index("category")["value"]
    assert told.isna().to_dict() == {"India": False, "Iran": True, "Syria": True}


# ---------------------------------------------------------------------- profiles


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    """A made census, and its profile by subdivision and by dissemination area as published."""
    from lipgeo import synthetic

    census = synthetic.census(600)
    tables = [synthetic.table(census, level, incomes=False) for level in ("CSD", "DA")]
    return census, synthetic.write_profile(census, tables, tmp_path_factory.mktemp("profile"))


def test_a_profile_is_published_where_it_can_be_and_weighted_where_it_must(tmp_path, profile):
    """Areas of whole units take the rows; others, given the census, estimates with ranges."""
    census, files = profile
    people = census.units("CSD")["population"]
    csd = str(people.dropna().sort_values().index[-1])
    da = census.units("DA")
    some = [str(one) for one in da.index[da["population"] > 40][:3]]
    portal = portal_of(
        tmp_path, {"whole": f"CSD:{csd}", "small": ";".join(f"DA:{one}" for one in some)}
    )
    releases = portal.add_profile(files, "2021", census=census, level="DA")
    assert releases == ["2021", "2021-estimated"]
    frame = portal.frame(indicators="immigrants").set_index("area_id")
    assert frame["origin"].to_dict() == {"small": "published", "whole": "estimated"}
    row = frame.loc["whole"]
    assert row["likely_lower"] <= row["value"] <= row["likely_upper"]
    assert row["denominator_value"] > 0
    own = portal.reopen().realisations.set_index("area_id")
    assert own.loc["whole", "misfit"] == 0.0


def test_a_list_of_another_census_is_realised_with_its_own_hash_and_misfit(tmp_path, profile):
    """Codes that go on are measured by where people lived; codes that have gone, by the outline."""
    from lipgeo import synthetic
    from lipgeo.tables.earlier import misfit_by_points

    census, files = profile
    older = synthetic.census(600, vintage=2016)
    da = older.units("DA")
    lost = da.index.difference(census.units("DA").index)
    csd = str(da.loc[lost[0], "CSD"])
    listed = {
        "kept": f"CSD:{csd}",
        "gone": ";".join(f"DA:{one}" for one in da.index[da["CSD"].eq(csd)]),
    }
    portal = portal_of(tmp_path, listed, vintage="2016")
    tables = [word for file in files for word in ("--table", f"2021={file}")]
    done = run("portal", "add", portal.folder, *tables, "--level", "CSD")
    assert "gone@main" in done.stdout.splitlines()[-1]
    assert "kept@main" not in done.stdout.splitlines()[-1]
    # nobody has measured it: that is no misfit of zero
    assert portal.reopen().realisations["misfit"].isna().all()
    portal.add_profile(files, "2021", census=census, defined_in=[older])
    own = portal.reopen().realisations.set_index("area_id")
    # the subdivision took in a neighbour: its code goes on, its ground does not
    assert own.loc["kept", "misfit"] == misfit_by_points(older, census, "CSD", [csd]) > 0.03
    assert own.loc["gone", "misfit"] < 0.01
    for area, units in listed.items():
        assert own.loc[area, "vintage"] == "2021"
        assert own.loc[area, "realisation_hash"] != realisation_hash(units.split(";"), 2016)
    frame = portal.frame(indicators="immigrants").set_index("area_id")
    assert frame["origin"].to_dict() == {"gone": "estimated", "kept": "published"}
