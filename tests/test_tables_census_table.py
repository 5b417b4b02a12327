"""``CensusTable`` at its door, and the dictionary of variables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from made_crosswalk import crosswalk, table

from lipgeo import CensusTable, Zones, build_crosswalk, weight_table
from lipgeo.errors import TableError
from lipgeo.tables import (
    Variable,
    find_variables,
    known_variables,
    missing_symbols,
    search_variables,
    variable,
)
from lipgeo.words import speaking

IDS = ["35060001", "35060002", "35060003"]

#: characteristic ids of 2021 that were checked against a published file before all were
VERIFIED = {
    1, 6, 7, 115, 345, *range(384, 388), 1402, 1403, 1522, 1523, 1526, 1527, 1528, 1529, 1536,
    1537, 1544, 1545, 1557, 1574, 1585, 1603, 1604, 1665, 1666, 1667, 1668, 1669, 1670, 1673, 1674,
    1675, 1683, 1684, 1697, 1976, 1998, 2014, 2226, 2227,
}  # fmt: skip


def made(frame: dict[str, list[object]], index=IDS, **more) -> CensusTable:
    """Make a table of dissemination areas of 2021."""
    more = {"level": "DA", "vintage": 2021, **more}
    return CensusTable(pd.DataFrame(frame, index=index), **more)


# ---------------------------------------------------------------- the table


def test_a_table_knows_the_rules_of_known_columns():
    """Columns of the dictionary need no rule; a name may be given one; others have none."""
    table = made(
        {"immigrants": [1, 2, 3], "cats": [1, 1, 1], "dogs": [1, 1, 1]}, variables={"cats": "count"}
    )
    assert set(table.variables) == {"immigrants", "cats"}
    assert table.variables["immigrants"].sampled
    assert (table.frame.dtypes == np.float64).all()
    assert "3 units, 3 variables" in repr(table)


def test_a_table_never_changes():
    """Frames handed out are copies."""
    table = made({"immigrants": [1, 2, 3]})
    frame = table.frame
    frame.loc["35060001", "immigrants"] = 99
    assert table.frame["immigrants"].tolist() == [1, 2, 3]
    with pytest.raises(TypeError):
        table.variables["immigrants"] = Variable("immigrants", "count")


def test_what_stands_beside_values_follows_the_units():
    """Symbols, names, origins and parents are brought to the order of the rows."""
    table = made(
        {"immigrants": [1, None, 3]},
        symbols=pd.DataFrame({"immigrants": ["", "x", "E"]}, index=IDS),
        names=pd.Series(["c", "a"], index=[IDS[2], IDS[0]]),
        sources=pd.DataFrame({"file": ["f.csv"], "sha256": ["00"]}),
        parents=pd.Series(["5050001.00"] * 2, index=IDS[:2]),
    )
    assert table.symbols["immigrants"].tolist() == ["", "x", "E"]
    assert table.names.tolist()[::2] == ["a", "c"]
    assert table.origin.tolist() == [0, 0, 0]
    assert table.parents.isna().tolist() == [False, False, True]
    assert table.is_observed("immigrants").tolist() == [True, False, True]
    assert table.only(lambda ids: ids != IDS[1]).unit_ids.tolist() == [IDS[0], IDS[2]]


@pytest.mark.parametrize(
    ("frame", "index", "message"),
    [
        ({"n": [1, 2, 3]}, [35060001, 35060002, 35060003], "ids need to be text"),
        ({"n": [1, 2, 3]}, [IDS[0], IDS[0], IDS[2]], "more than once: 35060001"),
        ({"n": [1, 2, 3]}, [IDS[0], None, ""], "Rows 2, 3 have no id"),
        ({"n": [1, 2, 3]}, [IDS[0], "3506", "35"], r"another form than these: 3506, 35"),
        ({"n": [1, "two", 3]}, IDS, r"35060002 n \(two\)"),
        ({"n": [1, np.inf, 3]}, IDS, r"35060002 n \(inf\)"),
        ({"immigrants": [1, -5, 3]}, IDS, r"below 0.*35060002 immigrants \(-5\)"),
    ],
)
def test_what_cannot_be_a_table_is_refused(frame, index, message):
    """Numbers for ids, duplicates, mixed levels, words, infinities, negative counts."""
    with pytest.raises(TableError, match=message):
        made(frame, index)


def test_all_faults_of_the_ids_come_at_once():
    """Problems has one row a fault, with its row number."""
    with pytest.raises(TableError) as caught:
        made({"n": [1, 2, 3, 4]}, [IDS[0], IDS[0], "", "3506"])
    found = caught.value.problems
    assert found["row"].tolist() == [3, 1, 2, 4]
    assert found["problem"].tolist() == [
        "missing_id", "duplicate_id", "duplicate_id", "other_level",
    ]  # fmt: skip


def test_repeated_columns_and_strange_symbols_are_refused():
    """A column name stands once; symbols are of the table's own cells."""
    frame = pd.DataFrame([[1, 2]], index=IDS[:1], columns=["n", "n"])
    with pytest.raises(TableError, match="repeated: n"):
        CensusTable(frame, level="DA", vintage=2021)
    with pytest.raises(TableError, match="columns m, units 99"):
        made({"n": [1, 2, 3]}, symbols=pd.DataFrame({"m": ["x"]}, index=["99"]))
    with pytest.raises(TableError, match="needs its census year"):
        made({"n": [1, 2, 3]}, vintage=None)


# ---------------------------------------------------------------- the dictionary


def test_the_dictionary_covers_the_family_of_immigration_in_four_censuses():
    """Status, recent immigrants, non-permanent residents, languages ... in every census asked."""
    known = known_variables()
    everywhere = (
        "immigrants", "non_immigrants", "non_permanent_residents", "recent_immigrants",
        "immigrated_1991_to_2000", "canadian_citizens", "visible_minority",
        "english_only", "population", "dwellings", "households", "age_0_to_4",
    )  # fmt: skip
    for name in everywhere:
        assert [place.vintage for place in known[name].characteristics] == [2006, 2011, 2016, 2021]
    later = ("economic_immigrants", "born_asia", "median_income", "bachelor_or_higher_25_to_64")
    for name in later:
        assert {2016, 2021} <= {place.vintage for place in known[name].characteristics}


def test_what_a_census_asked_of_others_is_another_variable():
    """In 2006: generations of 15 and over, cut-offs for low income, no schooling of 15 and over."""
    known = known_variables()
    years = {name: [one.vintage for one in known[name].characteristics] for name in known}
    assert years["first_generation"] == [2011, 2016, 2021]
    assert years["first_generation_15"] == [2006]
    assert known["first_generation_15"].universe == "aged_15"
    assert (
        2006 not in years["low_income"] + years["low_income_prevalence"] + years["no_certificate"]
    )
    assert 2006 in years["no_certificate_25_to_64"]


def test_the_survey_of_2011_has_words_of_its_own():
    """Birthplaces stand among everybody's, low income under words of its own; no id is sure."""
    words = [
        "Total population in private households by immigrant status and selected places of birth",
        "Non-immigrants", "Immigrants", "Americas", "Asia",
        "Total recent immigrant population in private households by selected places of birth",
        "Asia",
        "Knowledge of official languages - Total population excluding institutional residents",
        "Neither English nor French",
        "In low income in 2010 based on after-tax low-income measure (LIM-AT)",
        "Prevalence of low income in 2010 based on after-tax low-income measure %",
    ]  # fmt: skip
    rows = pd.DataFrame({"id": [str(at) for at in range(len(words))], "name": words})
    found = find_variables(rows, 2011).set_index("variable")
    wanted = {
        "birthplace_total": 2, "born_asia": 4, "recent_birthplace_total": 5, "recent_born_asia": 6,
        "official_languages_total": 7, "neither_language": 8, "low_income": 9,
        "low_income_prevalence": 10,
    }  # fmt: skip
    assert found.loc[list(wanted), "row"].to_dict() == wanted
    assert set(found["certainty"]) == {"by name"}


def test_the_incomes_of_2006_are_found_by_their_words():
    """Incomes of everybody and not of one sex; cut-offs before and after tax, of all or some."""
    words = [
        "Total income in 2005 of population 15 years and over - 20% sample data",
        "Median income $", "Average income $",
        "Total income in 2005 of males 15 years and over - 20% sample data",
        "Median income $", "Average income $",
        "After-tax income in 2005 of population 15 years and over - 20% sample data",
        "Median after-tax income $",
        "Total persons in private households - 20% sample data",
        "Prevalence of low income before tax in 2005 %",
        "Prevalence of low income after tax in 2005 %",
        "Total persons less than 6 years of age",
        "Prevalence of low income before tax in 2005 %",
        "Prevalence of low income after tax in 2005 %",
        "Household income in 2005 of private households - 20% sample data",
        "Median household income $",
    ]  # fmt: skip
    rows = pd.DataFrame({"id": [str(at) for at in range(len(words))], "name": words})
    found = find_variables(rows, 2006).set_index("variable")
    assert found["row"].to_dict() == {
        "median_income": 1, "average_income": 2, "median_after_tax_income": 7, "lico_total": 8,
        "lico_before_tax_prevalence": 9, "lico_after_tax_prevalence": 10,
        "lico_under_6_total": 11, "lico_before_tax_under_6_prevalence": 12,
        "lico_after_tax_under_6_prevalence": 13, "median_household_income": 15,
    }  # fmt: skip
    assert set(found["certainty"]) == {"unverified"}
    assert variable("lico_after_tax_prevalence").denominator == "lico_total"


def test_a_change_of_people_may_be_negative_and_is_over_those_of_before():
    """A change is weighted by the people of the census before, and no share of a whole."""
    change = variable("population_change")
    assert (change.per, change.denominator, change.part) == (100, "population_before", False)
    columns = {"population_before": [100, 300], "population_change": [-20.0, 40.0]}
    given = table(columns, {"population_change": change})
    found = weight_table(given, crosswalk([[1.0], [1.0]]), variables=["population_change"]).frame
    assert found["value"].tolist() == [25.0]


def test_only_checked_ids_are_called_verified():
    """No certainty is raised: an id is there only where it was checked, else words are."""
    checked = {
        int(place.id)
        for one in known_variables().values()
        for place in one.characteristics
        if place.vintage == 2021 and place.id is not None
    }
    assert checked >= VERIFIED
    for one in known_variables().values():
        for place in one.characteristics:
            if place.id is None:
                # of 2006 no file was seen
                unsure = "unverified" if place.vintage == 2006 else "by name"
                assert place.certainty == unsure
            else:
                # each is held against the published list in the tests on real data
                assert place.vintage in {2016, 2021}
                assert place.certainty == "verified"


def test_admission_categories_have_their_own_denominator():
    """Refugees are of immigrants admitted since 1980, never of all immigrants or of everybody."""
    known = known_variables()
    for name in ("economic_immigrants", "family_immigrants", "refugees", "other_immigrants"):
        assert known[name].denominator == "admission_total"
    assert {place.id for place in known["admission_total"].characteristics} == {"1282", "1669"}


def test_every_variable_is_named_in_both_languages_and_whole():
    """Names, known denominators, known classes of medians."""
    known = known_variables()
    for one in known.values():
        assert one.name_en
        assert one.name_fr
        assert one.denominator is None or one.denominator in known
        assert all(group.variable in known for group in one.groups)
    with speaking("fr"):
        assert known["refugees"].label == "Réfugiés"
        assert missing_symbols()["x"].startswith("supprimé")


def test_what_is_sampled_depends_on_the_census():
    """Languages were asked of everybody but in 2006; income comes from tax files since 2016."""
    assert not variable("english_only", 2021).sampled
    assert variable("english_only", 2006).sampled
    assert variable("average_income", 2006).sampled
    assert not variable("average_income", 2021).sampled
    assert variable("immigrants", 2016).sampled


def test_a_count_as_a_percentage_is_made_on_demand():
    """NAME_pct is the count over its own denominator; an unknown name is refused."""
    share = variable("recent_immigrants_pct")
    assert (share.rule, share.numerator, share.denominator, share.per) == (
        "percent", "recent_immigrants", "immigrants", 100.0,
    )  # fmt: skip
    with pytest.raises(TableError, match="no variable happiness"):
        variable("happiness")
    with pytest.raises(TableError, match="rule that is one of count"):
        Variable("n", "sum")
    with pytest.raises(TableError, match="weight basis"):
        Variable("n", "count", basis="people")


PROFILE = [
    ("1", "Population, 2021"),
    ("383", "Total - Knowledge of official languages for the total population excluding "
            "institutional residents - 100% data (45)"),
    ("384", "  English only"),
    ("1527", "Total - Immigrant status and period of immigration for the population in private "
             "households - 25% sample data (79)"),
    ("1528", "  Non-immigrants"),
    ("1529", "  Immigrants (80)"),
    ("1533", "    2001 to 2010"),
    ("1536", "      2016 to 2021"),
    ("1537", "  Non-permanent residents"),
    ("1544", "Total - Place of birth for the immigrant population in private households - 25% "
             "sample data"),
    ("1585", "  Asia"),
    ("1604", "Total - Place of birth for the recent immigrant population in private households - "
             "25% sample data"),
    ("1640", "  Asia"),
    ("1683", "Total - Visible minority for the population in private households - 25% sample data"),
    ("1684", "  Total visible minority population"),
    ("1697", "  Not a visible minority"),
]  # fmt: skip


def test_variables_are_found_by_id_where_the_words_agree():
    """Footnotes and the sample's size do not count; what has no checked id is by name."""
    rows = pd.DataFrame(PROFILE, columns=["id", "name"])
    found = find_variables(rows, 2021).set_index("variable")
    sure = found[found["certainty"].eq("verified")]["id"].to_dict()
    assert sure["immigrants"] == "1529"
    assert sure["recent_immigrants"] == "1536"
    assert sure["visible_minority"] == "1684"
    assert sure["born_asia"] == "1585"
    assert sure["immigrated_2001_to_2010"] == "1533"
    assert sure["official_languages_total"] == "383"
    by_name = found[found["certainty"].eq("by name")]["id"].to_dict()
    assert by_name == {"recent_born_asia": "1640"}


def test_an_id_with_other_words_is_not_believed():
    """Where ids have moved, rows are found by their words under their heading."""
    moved = [(str(int(id) + 7), name) for id, name in PROFILE]
    found = find_variables(pd.DataFrame(moved, columns=["id", "name"]), 2021)
    found = found.set_index("variable")
    assert (found["certainty"] == "by name").all()
    assert found.loc["immigrants", "id"] == "1536"
    assert found.loc["born_asia", "id"] == "1592"
    assert found.loc["recent_born_asia", "id"] == "1647"


def test_the_dictionary_is_searched_by_words_of_either_language():
    """All words must be there, in any order; nothing gives all; a slip gives the nearest."""
    assert [one.name for one in search_variables("recipients AFTER-tax")] == [
        "median_after_tax_income"
    ]
    assert [one.name for one in search_variables("refugies")] == ["refugees"]
    assert [one.name for one in search_variables()] == list(known_variables())
    assert "immigrants" in [one.name for one in search_variables("imigrants")]
    assert search_variables("qqqqqq") == []


def test_names_that_nobody_knows_are_told_at_once_with_the_nearest():
    """Every door that takes names of variables says all wrong ones, and what the table has."""
    table = made(
        {"population": [10, 20], "immigrants": [5, 5], "immigrant_status_total": [10, 10]}, IDS[:2]
    )
    ground = Zones(IDS[:2], [shapely.box(at, 0, at + 1, 1) for at in (0, 1)], "EPSG:3347")
    whole = Zones(["all"], [shapely.box(0, 0, 2, 1)], "EPSG:3347")
    crosswalk = build_crosswalk(ground, whole)
    table = CensusTable(table.frame, table.variables, level=None, vintage=None)
    with pytest.raises(TableError) as told:
        weight_table(table, crosswalk, variables=["imigrants_pct", "population", "incom"])
    said = str(told.value)
    assert "imigrants_pct, incom" in said
    assert "immigrants_pct" in said
    assert "The table has population, immigrants" in said
    assert [one["variable"] for one in told.value.problems.to_dict("records")] == [
        "imigrants_pct",
        "incom",
    ]
    with pytest.raises(TableError, match="immigrants"):
        variable("imigrants")
