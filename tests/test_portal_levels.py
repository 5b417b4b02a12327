"""Columns under another's heading, percentages for counts, one number everywhere: all are told."""

from __future__ import annotations

import csv

import made_deliveries as made_files
import numpy as np
import pandas as pd
import pytest

import lipgeo
from lipgeo.portal.book import BOOK, add_rows
from lipgeo.portal.sources import families
from lipgeo.portal.sources.levels import BEFORE, far_off, known_before


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A made order of 12 areas, one of them too small for any table."""
    return made_files.made_order(tmp_path_factory.mktemp("levels") / "order", 12)


@pytest.fixture
def portal(tmp_path):
    """An empty portal."""
    return lipgeo.open_portal(tmp_path / "portal", create=True)


def checks(portal, made, path):
    """Return the checks a delivery has findings of, all of which wait for a signature."""
    receipt = portal.receive(path, order=made.order, table="T1", dry_run=True)
    assert receipt.waiting == len(receipt.findings)
    return set(receipt.findings["check"])


def exchange(frame, one, other):
    """Return a frame with the numbers of two columns exchanged, for each gender."""
    changed = frame.copy()
    for end in ("", " men", " women"):
        pair = [f"{one}{end}", f"{other}{end}"]
        changed[pair] = frame[pair[::-1]].to_numpy()
    return changed


def with_numbers(portal, made, period, values, area=None):
    """Add a share of those of 65 and more to a portal, by area or of one place."""
    rows = {"area_id": area or made.ids, "indicator": "age_65", "period": period, "value": values}
    rows |= {"origin": "published", "source": "made", "definition": "main"}
    rows |= {"denominator_value": 1000.0, "universe": "population"}
    portal.add(pd.DataFrame(rows, index=range(np.size(values))), licence="statcan-open")


@pytest.mark.parametrize(
    ("one", "other"), [("immigrants", "non_immigrants"), ("npr", "non_immigrants")]
)
def test_numbers_under_anothers_heading_are_held_against_the_estimates(
    portal, made, tmp_path, one, other
):
    """Parts still add up to their whole, and only the order's estimates tell."""
    path = made_files.write_down(made, tmp_path / "a.csv", exchange(made.printed, one, other))
    assert "level_unlike_estimate" in checks(portal, made, path)


def test_a_whole_percentage_for_a_count_is_held_against_the_estimates(portal, made, tmp_path):
    """Rounded to 5 it looks like a count of few people."""
    printed = made.printed.copy()
    printed["npr"] = (100 * printed["npr"] / printed["private"] / 5).round() * 5
    path = made_files.write_down(made, tmp_path / "a.csv", printed)
    assert "level_unlike_estimate" in checks(portal, made, path)


def test_a_median_of_another_unit_is_held_against_the_estimates(portal, made, tmp_path):
    """Thousands of dollars where dollars are expected."""
    printed = made.printed.copy()
    printed["median_income"] = (printed["median_income"] / 1000).round(1)
    path = made_files.write_down(made, tmp_path / "a.csv", printed)
    assert "level_unlike_estimate" in checks(portal, made, path)


def test_one_number_everywhere_is_told(portal, made, tmp_path):
    """A cell copied to all areas; noughts everywhere are no finding."""
    printed = made.printed.copy()
    seen = printed["median_income"].notna()
    printed.loc[seen, "median_income"] = printed["median_income"].median()
    printed.loc[seen, ["Syria", "Syria men", "Syria women"]] = 0
    path = made_files.write_down(made, tmp_path / "a.csv", printed)
    receipt = portal.receive(path, order=made.order, table="T1", dry_run=True)
    told = receipt.findings[receipt.findings["check"].eq("same_everywhere")]
    assert told["message"].str.contains("Median total income").all()
    assert len(told) >= 1


def test_headings_exchanged_among_periods_are_told(portal, made, tmp_path):
    """Years go up among their siblings; nothing else is known of them here."""
    path = made_files.write_down(made, tmp_path / "a.csv")
    assert checks(portal, made, path) == set()
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    words = [one.strip() for one in rows[0]]
    one, other = words.index("Before 1980"), words.index("2001 to 2010")
    rows[0][one], rows[0][other] = rows[0][other], rows[0][one]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    # the words are those of other men and women, too
    assert checks(portal, made, path) == {"rows_out_of_order", "genders_unlike"}


def test_numbers_are_held_against_an_earlier_delivery(portal, made, tmp_path):
    """The same file again is no finding; the same with two columns exchanged is."""
    path = made_files.write_down(made, tmp_path / "a.csv")
    portal.receive(path, order=made.order, table="T1", licence="statcan-open")
    assert "level_unlike_before" not in checks(portal, made, path)
    exchanged = exchange(made.printed, "age_65", "age_15_64")
    path = made_files.write_down(made, tmp_path / "b.csv", exchanged)
    assert "level_unlike_before" in checks(portal, made, path)


def test_numbers_are_held_against_the_census_before(portal, made, tmp_path):
    """A change of five points since 2016 is none to tell, two columns exchanged are."""
    share = 100 * made.truth["age_65"] / made.truth["ages"]
    with_numbers(portal, made, "2016", np.maximum(share.to_numpy() - 5, 2))
    path = made_files.write_down(made, tmp_path / "a.csv")
    assert checks(portal, made, path) == set()
    exchanged = exchange(made.printed, "age_65", "age_15_64")
    path = made_files.write_down(made, tmp_path / "b.csv", exchanged)
    assert "level_unlike_before" in checks(portal, made, path)


def test_numbers_are_held_against_the_places_compared_with(portal, made, tmp_path):
    """Where an area has no number yet, its comparators say what level to expect."""
    against = pd.DataFrame({"area_id": made.ids, "comparator": "province"})
    facts = {"extent_status": "published", "name_en": "x", "name_fr": "x"}
    places = pd.DataFrame(
        [{"area_id": one, "definition": "main", "kind": "partnership", **facts}
         for one in made.ids]
        + [{"area_id": "province", "definition": "main", "kind": "province", **facts}]
    )  # fmt: skip
    add_rows(portal.folder / BOOK, {"areas": places, "comparators": against})
    portal = portal.reopen()
    with_numbers(portal, made, "2021", [14.0], area="province")
    found = known_before(portal, made.ids, 2021)
    assert set(found["kind"]) == {"comparator"}
    assert found["value"].eq(14.0).all()
    assert len(found) == len(made.ids)
    path = made_files.write_down(made, tmp_path / "a.csv")
    assert checks(portal, made, path) == set()
    exchanged = exchange(made.printed, "age_65", "age_15_64")
    path = made_files.write_down(made, tmp_path / "b.csv", exchanged)
    assert "level_unlike_before" in checks(portal, made, path)


def noughts(frame, column):
    """Return a frame with 0 wherever a number stood."""
    return frame.assign(**{column: frame[column].where(frame[column].isna(), 0.0)})


def percentages(frame, column, whole, to):
    """Return a frame with a column in percentages, rounded to 1 or to 5."""
    return frame.assign(**{column: (100 * frame[column] / frame[whole] / to).round() * to})


def test_a_row_is_held_against_its_own_family(portal, made, tmp_path):
    """Without estimates or earlier numbers: men and women, parts, noughts, rounding."""
    frame = made.printed
    turned = {"from_1980": frame["from_2001"], "from_2001": frame["from_1980"]}
    frame = percentages(percentages(frame, "Ukraine", "recent", 1), "age_65", "ages", 5)
    path = made_files.write_down(made, tmp_path / "a.csv", frame.assign(**turned))
    found = checks(portal, made, path)
    assert {"genders_unlike", "row_not_rounded", "percentage_of_whole"} <= found
    frame = percentages(noughts(made.printed, "npr"), "age_65", "ages", 1)
    path = made_files.write_down(made, tmp_path / "b.csv", frame)
    assert {"nought_everywhere", "percentage_of_whole"} <= checks(portal, made, path)


def test_nobody_is_counted_below_nought_and_no_cell_is_empty(portal, made, tmp_path):
    """A minus sign in one cell, a line cut short, a column of nothing: each is told once."""
    path = made_files.write_down(made, tmp_path / "whole.csv")
    lines = path.read_text("utf-8").splitlines()
    cells = lines[3].split(",")

    def found(name, *rows):
        changed = tmp_path / name
        changed.write_text("\n".join([*lines[:3], *rows]) + "\n", encoding="utf-8")
        told = portal.receive(changed, order=made.order, table="T1", dry_run=True).findings
        return told["check"].tolist()

    assert not {"below_nought", "cells_empty", "row_empty"} & set(found("a.csv", *lines[3:]))
    one = next(at for at, cell in enumerate(cells) if at > 5 and cell.isdigit() and cell != "0")
    below = ",".join([*cells[:one], f"-{cells[one]}", *cells[one + 1 :]])
    assert found("b.csv", below, *lines[4:]).count("below_nought") == 1
    assert found("c.csv", ",".join(cells[:-9]), *lines[4:]).count("cells_empty") == 1
    # a column of nothing is told where an indicator is made of it, and once
    lost = [",".join([*row.split(",")[:1], "", *row.split(",")[2:]]) for row in lines[3:]]
    told = found("d.csv", *lost)
    assert told.count("row_empty") == 1
    assert "cells_empty" not in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Median income ($000)", True), ("Median income (k$)", True),
        ("Revenu médian (en milliers de dollars)", True), ("Income in thousands of dollars", True),
        ("$100,000 and over", False), ("Under $1,000", False), ("Median income ($)", False),
        ("Thousand Islands", False),
    ],
)  # fmt: skip
def test_amounts_in_thousands_are_told_by_their_heading(words, told):
    """Nobody guesses the unit of a number whose heading says it is no dollar."""
    assert bool(families._MULTIPLE.search(words)) is told


def test_rows_exchanged_are_held_against_an_earlier_delivery(portal, made, tmp_path):
    """Two birthplaces of everybody, men and women: only what came before tells."""
    exchanged = exchange(made.printed, "India", "Eritrea")
    turned = made_files.write_down(made, tmp_path / "b.csv", exchanged)
    assert checks(portal, made, turned) == set()
    path = made_files.write_down(made, tmp_path / "a.csv")
    portal.receive(path, order=made.order, table="T1", licence="statcan-open")
    assert checks(portal, made, path) == set()
    receipt = portal.receive(turned, order=made.order, table="T1", dry_run=True)
    assert set(receipt.findings["check"]) == {"rows_exchanged"}
    assert receipt.findings["message"].str.contains("India.*Eritrea|Eritrea.*India").all()
    # the layouts have the same rows: words, no places
    coded = made_files.write_census_long(made, tmp_path / "c.csv", exchanged)
    assert checks(portal, made, coded) == {"rows_exchanged"}


def test_what_is_missing_is_never_far():
    """Nor is a nought beside a nought; a nought beside a large share is."""
    came, known = np.array([np.nan, 5.0, 0.0, 0.0]), np.array([5.0, np.nan, 0.0, 60.0])
    far = far_off(came, known, np.zeros(4), BEFORE["census"], share=True)
    assert far.tolist() == [False, False, False, True]
