"""A delivery against its order: matched, checked, refused or accepted, and what it becomes."""

from __future__ import annotations

import csv

import hypothesis.strategies as st
import made_deliveries as made_files
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import lipgeo
from lipgeo.errors import OrderError
from lipgeo.files import write_manifest
from lipgeo.order.manifest import ORDER
from lipgeo.portal.pages.site_state import state_of
from lipgeo.portal.sources.dimensions import as_characteristics
from lipgeo.portal.sources.expecting import swapped_rows
from lipgeo.portal.sources.matching import match_labels
from lipgeo.readers.deliveries import read_delivery
from lipgeo.words import speaking


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A made order of 24 areas, two of them too small for any table."""
    return made_files.made_order(tmp_path_factory.mktemp("made") / "order", 24, small=2)


@pytest.fixture
def portal(tmp_path):
    """An empty portal."""
    return lipgeo.open_portal(tmp_path / "portal", create=True)


def rewrite(path, change):
    """Change the cells of a CSV: ``change`` gets all rows."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    rows = change(rows) or rows
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


@pytest.mark.parametrize(
    "write", [made_files.write_down, made_files.write_across, made_files.write_coded]
)
def test_a_clean_delivery_becomes_a_release_in_every_layout(portal, made, tmp_path, write):
    """Counts, percentages, genders and ten largest places come out as they were released."""
    receipt = portal.receive(write(made, tmp_path / "T1.csv"), order=made.order, table="T1")
    assert receipt.release is not None
    assert receipt.findings.empty
    frame = portal.frame(indicators="immigrants")
    printed = made.printed
    for gender, end in (("total", ""), ("men", " men"), ("women", " women")):
        own = frame[frame["gender"].eq(gender)].set_index("area_id").loc[made.ids]
        wanted = 100 * printed[f"immigrants{end}"] / printed[f"private{end}"]
        np.testing.assert_allclose(own["value"], wanted)
        np.testing.assert_allclose(own["denominator_value"], printed[f"private{end}"])
    small = frame[frame["area_id"].isin(made.ids[-2:])]
    assert set(small["symbol"]) == {"x"}
    assert set(frame["origin"]) == {"ordered"}
    assert set(frame["sample"]) == {"25%"}
    counts = portal.frame(indicators="population").set_index("area_id")["value"]
    np.testing.assert_allclose(counts.loc[made.ids], printed["population"])
    places = portal.frame(areas=made.ids[0], indicators="top_birthplaces_recent")
    named = printed.loc[made.ids[0], made_files.PLACES[:-1]].astype(float)
    largest = named[named > 0].sort_values(ascending=False, kind="stable").head(10)
    assert dict(zip(places["category"], places["value"], strict=True)) == largest.to_dict()
    assert portal.frame(indicators="median_income")["dollars"].unique().tolist() == ["current"]
    # every cell is kept, under the code of its own row
    rows = portal.frame()
    delivered = rows[rows["indicator"].str.startswith("row-")]
    assert len(delivered) == len(made.ids) * len(made_files.columns_of(made))
    # those are in the table to take away, counted on a page and told on none
    state = state_of(portal, "members")
    seen = state.whole["indicator"].str.startswith("row-")
    assert sum(state.delivered.values()) == seen.sum() > 0
    for frame in (state.frame, state.material().frame):
        assert not frame.empty
        assert not frame["indicator"].str.startswith("row-").any()
    assert portal.realisations["misfit"].eq(0.004).all()


def test_names_in_either_language_match_and_standard_areas_stand_apart(portal, made, tmp_path):
    """City layouts have names only; the city itself is kept apart and said."""
    path = made_files.write_across(made, tmp_path / "city.csv")
    receipt = portal.receive(path, order=made.order, dry_run=True)
    assert receipt.labels["how"].value_counts().to_dict() == {"name": 24, "standard": 1}
    french = [str(area["name_fr"]).upper() for area in made.areas]
    path = made_files.write_across(made, tmp_path / "fr.csv", names=french)
    assert portal.receive(path, order=made.order, dry_run=True).labels["area_id"].ne("").sum() == 24


def test_a_long_table_of_a_census_tells_indicators_and_swapped_areas(portal, made, tmp_path):
    """Its characteristics are matched as rows of the other layouts are, gender by gender."""
    path = made_files.write_census_long(made, tmp_path / "long.csv")
    printed = made.printed.copy()
    printed.iloc[[3, 9]] = printed.iloc[[9, 3]].to_numpy()
    swapped = made_files.write_census_long(made, tmp_path / "swapped.csv", printed)
    assert "looks_swapped" in look(portal, made, swapped)
    receipt = portal.receive(path, order=made.order, table="T1")
    assert receipt.findings.empty
    frame = portal.frame(indicators="immigrants")
    for gender, end in (("total", ""), ("men", " men"), ("women", " women")):
        own = frame[frame["gender"].eq(gender)].set_index("area_id").loc[made.ids]
        wanted = 100 * made.printed[f"immigrants{end}"] / made.printed[f"private{end}"]
        np.testing.assert_allclose(own["value"], wanted)

    def older(rows):
        for row in rows[1:]:
            row[3] = row[3].replace("Population, 2021", "Population, 2016")

    # of a year that is no census nothing is taken for the census of the order
    path.write_bytes(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    path = rewrite(path, lambda rows: [rows[0], *(["2019", *one[1:]] for one in rows[1:])])
    told = read_delivery(path)
    assert not as_characteristics(told, portal.dictionary, 2021).rows["gender"].any()
    with pytest.raises(OrderError) as refused:
        portal.receive(rewrite(path, older), order=made.order, table="T1")
    assert {one["problem"] for one in refused.value.rows} == {"another_census"}


AREAS = [
    {"custom_id": "C10", "area_id": "north", "name_en": "North Side", "name_fr": "Nord"},
    {"custom_id": "C101", "area_id": "south", "name_en": "South Side", "name_fr": "Sud"},
    {"custom_id": "C3", "area_id": "park-a", "name_en": "Park", "name_fr": None},
    {"custom_id": "C4", "area_id": "park-b", "name_en": "PARK", "name_fr": None},
]


@pytest.mark.parametrize(
    ("label", "area", "how"),
    [
        ("WAT - PD - C10 ( 15.6%)", "north", "custom_id"),
        ("WAT - PD - C101 ( 15.6%)", "south", "custom_id"),
        ("north", "north", "custom_id"),
        ("Waterloo Region - Nord", "north", "name"),
        ("SOUTH  SIDE", "south", "name"),
        ("North Side (part)", "north", "name"),
        ("Park", "", "several"),
        ("Ottawa CSD", "", "standard"),
        ("Ontario", "", "standard"),
        ("Somewhere", "", "none"),
    ],
)
def test_labels_are_matched_and_never_picked(label, area, how):
    """A token, the code after the last dash, a name; several candidates are listed."""
    labels = pd.DataFrame({"label": [label], "code": [""]})
    found = match_labels(labels, AREAS).iloc[0]
    assert (found["area_id"], found["how"]) == (area, how)
    if how == "several":
        assert found["candidates"] == "park-a;park-b"


def test_a_mapping_settles_what_words_do_not():
    """A label is an area by hand, or by hand none of the order's."""
    labels = pd.DataFrame({"label": ["Park", "Elsewhere"], "code": ["", ""]})
    found = match_labels(labels, AREAS, {"Park": "park-b", "Elsewhere": ""})
    assert found[["area_id", "how"]].values.tolist() == [["park-b", "mapping"], ["", "standard"]]


def structural(portal, made, path, **options):
    """Return the kinds of structural findings a delivery is refused for."""
    with pytest.raises(OrderError) as refused:
        portal.receive(path, order=made.order, **options)
    assert portal.releases.empty
    return {one["problem"] for one in refused.value.rows}


def test_structural_findings_are_refused_all_at_once(portal, made, tmp_path):
    """An area dropped, one renamed, one doubled and an unreadable cell are one error."""

    def damage(rows):
        rows[1][0], rows[2][0] = "OTT - ONS - Somewhere", rows[3][0]
        rows[5][4] = "12b"

    path = rewrite(made_files.write_down(made, tmp_path / "a.csv"), damage)
    found = structural(portal, made, path)
    assert found == {"areas_missing", "labels_extra", "area_doubled", "cells_unread"}


def test_another_order_and_another_census_are_told_as_such(portal, made, tmp_path):
    """Labels of another order are no missing areas; years in words tell another census."""
    labels = [f"OTT - ONS - {9000 + at} ( 2.0%)" for at in range(24)]
    path = made_files.write_down(made, tmp_path / "a.csv", labels=labels)
    assert structural(portal, made, path) == {"another_order"}

    def older(rows):
        for at, printed in enumerate(rows[0]):
            cell = printed
            for new, old in (("2021 (1)", "2016 (1)"), ("Before 1980", "Before 1981"),
                             ("2016 to 2021", "2011 to 2016"), ("in 2020", "in 2015")):  # fmt: skip
                cell = cell.replace(new, old)
            rows[0][at] = cell

    path = rewrite(made_files.write_down(made, tmp_path / "b.csv"), older)
    assert structural(portal, made, path) == {"another_census"}

    def counted_before(rows):
        rows[0] = [cell.replace("Population, 2021", "Population, 2016") for cell in rows[0]]

    path = rewrite(made_files.write_down(made, tmp_path / "d.csv"), counted_before)
    assert structural(portal, made, path) == {"another_census"}
    assert structural(
        portal, made, made_files.write_down(made, tmp_path / "c.csv"), table="T9"
    ) == {"no_such_table"}


def look(portal, made, path):
    """Return the checks a delivery has findings of."""
    receipt = portal.receive(path, order=made.order, table="T1")
    assert receipt.release is None
    assert portal.releases.empty
    return set(receipt.findings["check"])


@pytest.mark.parametrize("pair", [(0, 1), (3, 17), (10, 20)])
def test_two_swapped_rows_are_noticed(portal, made, tmp_path, pair):
    """Their numbers fit each other's area; both names stand in the finding."""
    printed = made.printed.copy()
    printed.iloc[list(pair)] = printed.iloc[list(pair)[::-1]].to_numpy()
    path = made_files.write_down(made, tmp_path / "a.csv", printed)
    receipt = portal.receive(path, order=made.order, table="T1")
    swaps = receipt.findings[receipt.findings["check"].eq("looks_swapped")]
    assert len(swaps) == 1
    assert made.ids[pair[0]] in swaps["message"].iloc[0]
    assert made.ids[pair[1]] in swaps["message"].iloc[0]


def test_suppression_unlike_predicted_is_told_both_ways(portal, made, tmp_path):
    """Numbers of an area that should be suppressed, and nothing where numbers were predicted."""
    printed = made.printed.copy()
    printed.iloc[-1] = made.truth.iloc[-1] // 5 * 5
    printed.iloc[0] = np.nan
    found = look(portal, made, made_files.write_down(made, tmp_path / "a.csv", printed))
    assert {"should_be_suppressed", "suppressed_unlike"} <= found


def test_parts_rounding_and_percentages_for_counts_are_told(portal, made, tmp_path):
    """A part above its whole, a count no multiple of five, and a row of percentages."""
    printed = made.printed.copy()
    printed.loc[made.ids[2], "recent"] = printed.loc[made.ids[2], "from_2011"] + 50
    printed.loc[made.ids[3], "immigrants"] += 2
    found = look(portal, made, made_files.write_down(made, tmp_path / "a.csv", printed))
    assert {"part_above_whole", "rounding_broken"} <= found
    printed = made.printed.copy()
    printed["immigrants"] = (100 * printed["immigrants"] / printed["private"]).round(1)
    assert "not_counts" in look(
        portal, made, made_files.write_down(made, tmp_path / "b.csv", printed)
    )

    def shifted(rows):
        for row in rows[1:]:
            row[4:] = row[3:-1]

    path = rewrite(made_files.write_down(made, tmp_path / "c.csv"), shifted)
    assert {"part_above_whole", "not_counts"} <= look(portal, made, path)


@pytest.mark.parametrize(("word", "unit"), [("Immigrants (81)", "%"), ("0 to 14 years", "$")])
def test_a_unit_where_people_are_counted_makes_no_number(portal, made, tmp_path, word, unit):
    """One such cell is enough; signed for, the row stays as delivered and no indicator is made."""

    def percents(rows):
        at = [cell.strip() for cell in rows[0]].index(word)
        for row in rows[1:9]:
            row[at] = f"{unit}12" if unit == "$" else "12.5%"

    path = rewrite(made_files.write_down(made, tmp_path / "a.csv"), percents)
    receipt = portal.receive(path, order=made.order, table="T1")
    told = receipt.findings
    assert "unit_unlike" in set(told["check"])
    assert word.split(" (")[0] in told.loc[told["check"].eq("unit_unlike"), "message"].iloc[0]
    signed = told.assign(accept="yes", by="A. Tester", reason="asked for anew")
    portal.receive(path, order=made.order, table="T1", accept=signed, licence="statcan-open")
    made_of_it = {"Immigrants (81)": "immigrants", "0 to 14 years": "age_0_14"}[word]
    assert not portal.frame(indicators=made_of_it)["gender"].eq("total").any()
    assert not portal.frame(indicators="population").empty


def test_a_file_taken_in_before_is_told(portal, made, tmp_path):
    """The same bytes again are a release again, and the report says of which."""
    path = made_files.write_down(made, tmp_path / "a.csv")
    first = portal.receive(path, order=made.order, table="T1", licence="statcan-open")
    again = portal.receive(path, order=made.order, table="T1", licence="statcan-open")
    assert not first.report.only("same_file")
    # a notebook shows what came of it
    assert first.release in first._repr_html_()
    assert portal._repr_html_()
    assert first.release in str(again.report.only("same_file"))


def test_findings_are_accepted_row_by_row_by_somebody_who_signs(portal, made, tmp_path):
    """Without a name and a reason nothing counts; once signed the release keeps who and why."""
    printed = made.printed.copy()
    printed.loc[made.ids[3], "immigrants"] += 2
    printed.loc[made.ids[5], "private"] += 1
    path = made_files.write_down(made, tmp_path / "a.csv", printed)
    receipt = portal.receive(path, order=made.order, table="T1")
    assert receipt.waiting == len(receipt.findings) > 1
    signed = receipt.write(tmp_path / "findings.csv")
    table = pd.read_csv(signed, dtype=str, encoding="utf-8-sig").fillna("")
    half = table.assign(accept="yes", by="A. Clerk", reason="as released")
    half.loc[half.index[0], "reason"] = ""
    half.to_csv(signed, index=False)
    again = portal.receive(path, order=made.order, table="T1", accept=signed)
    assert (again.release, again.waiting) == (None, 1)
    table.assign(accept="oui", by="A. Clerk", reason="as released").to_csv(signed, index=False)
    done = portal.receive(path, order=made.order, table="T1", accept=signed, release="t1")
    assert done.release == "t1"
    kept = portal.record("t1")["accepted"]
    assert {one["by"] for one in kept} == {"A. Clerk"}
    assert len(kept) == len(receipt.findings)
    assert portal.releases["accepted"].tolist() == [len(kept)]


def test_a_trial_writes_nothing(portal, made, tmp_path):
    """``dry_run`` reads and checks, and leaves the portal as it is."""
    path = made_files.write_down(made, tmp_path / "a.csv")
    receipt = portal.receive(path, order=made.order, table="T1", dry_run=True)
    assert receipt.release is None
    assert portal.releases.empty


def test_findings_speak_french(portal, made, tmp_path):
    """What somebody signs is in the language in force."""
    printed = made.printed.copy()
    printed.loc[made.ids[3], "immigrants"] += 2
    path = made_files.write_down(made, tmp_path / "a.csv", printed)
    with speaking("fr"):
        told = portal.receive(path, order=made.order, table="T1").findings["message"].iloc[0]
    assert "arrondi" in told


def test_long_tables_keep_admission_and_tax_year_and_the_newest_dollars(portal, made, tmp_path):
    """A wage one year after admission is that indicator; a newer release restates the product."""
    path = made_files.write_long(made, tmp_path / "T1-2021.csv")
    first = portal.receive(path, order=made.order, table="T1")
    frame = portal.frame(areas=made.ids[0], indicators="imdb_median_wage_1y")
    assert set(frame["period"]) == {"AY2019-TY2020", "AY2020-TY2021"}
    assert set(frame["gender"]) == {"total", "men", "women"}
    assert set(frame["dollars"]) == {"2021"}
    newer = made_files.write_long(made, tmp_path / "T1-2022.csv", newest=2022)
    second = portal.receive(newer, order=made.order, table="T1")
    frame = portal.frame(indicators="imdb_median_wage_1y")
    assert set(frame["dollars"]) == {"2022"}
    assert set(frame["release"]) == {second.release}
    assert portal.record(second.release)["supersedes"] == [first.release]
    told = portal.history(made.ids[0], "imdb_median_wage_1y")
    assert set(told["status"]) == {"restated", "current"}


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(4, 25), st.integers(1, 4))
def test_a_clear_swap_is_found_and_only_it(seed, count, variables):
    """Where areas are far apart in one variable at least, the pair is found and nothing else."""
    rng = np.random.default_rng(seed)
    known = rng.permutation(count)[:, None] * 100.0 + rng.normal(size=(count, variables))
    error = np.ones_like(known)
    came = known + rng.normal(scale=0.3, size=known.shape)
    assert swapped_rows(came, known, error) == []
    one, other = sorted(rng.choice(count, 2, replace=False).tolist())
    came[[one, other]] = came[[other, one]]
    assert swapped_rows(came, known, error) == [(one, other)]


@pytest.mark.realdata
def test_vancouver_is_taken_in_as_ordered(portal, tmp_path, realdata):
    """The city's real order of 2016: every area by name, 44 indicators, known figures."""
    path = realdata / "deliveries" / "vancouver_local_areas_2016.csv"
    with path.open(encoding="latin-1", newline="") as stream:
        rows = list(csv.reader(stream))
    names = [name.strip() for name in rows[0][2:24]]
    total = next(row for row in rows if "Age groups and average age" in "".join(row))
    people = [float(cell.replace(",", "")) for cell in total[2:24]]
    areas = [
        {
            "custom_id": f"V{at + 1:02d}", "area_id": f"v{at + 1:02d}", "name_en": name,
            "name_fr": None, "definition": "units", "vintage": 2016, "population": count,
            "dwellings": None, "misfit_share": 0.0, "floor_persons": 40, "flags": "", "cover": {},
            "units": {"DA": {f"5915{at + 1:04d}": count}}, "valid_from": None, "valid_to": None,
            "file": f"areas/area_V{at + 1:02d}.geojson",
        }
        for at, (name, count) in enumerate(zip(names, people, strict=True))
    ]  # fmt: skip
    order = tmp_path / "order"
    order.mkdir()
    write_manifest(order, ORDER, made_files._manifest(areas) | {"vintage": 2016}, {})
    trial = portal.receive(path, order=order, dry_run=True)
    assert (trial.labels["how"].eq("name").sum(), trial.labels["how"].eq("standard").sum()) == (
        22,
        2,
    )
    assert not trial.findings["check"].isin(["looks_swapped", "total_unlike"]).any()
    signed = trial.findings.assign(accept="yes", by="test", reason="as published by the city")
    done = portal.receive(path, order=order, accept=signed)
    frame = portal.frame(indicators="immigrants")
    count = (frame["value"] * frame["denominator_value"] / 100)[frame["gender"].eq("total")].sum()
    assert count == pytest.approx(262_765, rel=0.005)  # the city's own column of the same file
    assert done.indicators["indicator"].nunique() >= 44


def test_an_order_keeps_the_estimates_its_delivery_is_held_against(tmp_path):
    """What ``write_order`` was given stands in the package, for the areas ordered alone."""
    from test_order import boundaries

    from lipgeo.portal.sources.receiving import _estimates

    told = pd.DataFrame(
        {
            "area_id": ["1", "2", "9"], "variable": "immigrants_pct", "value": [4.0, 3.0, 2.0],
            "likely_lower": [3.0, 2.0, 1.0], "likely_upper": [5.0, 4.0, 3.0], "rule": "percent",
        }
    )  # fmt: skip
    order = lipgeo.write_order(boundaries(), tmp_path / "order", estimates=told)
    kept = _estimates(order, None)
    assert kept["area_id"].tolist() == ["1", "2"]
    assert kept["likely_upper"].tolist() == [5.0, 4.0]
    assert lipgeo.verify_order(order).worst != "error"
