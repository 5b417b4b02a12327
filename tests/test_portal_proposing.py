"""Rows of a new census found by their words; what is not certain stays empty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from commands import run

from lipgeo.errors import FileError, InputError
from lipgeo.portal.coming import add_expected
from lipgeo.portal.indicators.dictionary import read_census_rows, row_ids, shipped_dictionary
from lipgeo.portal.indicators.proposing import propose_rows
from lipgeo.portal.observations import make_observations
from lipgeo.readers.statcan.members import read_members

LISTS = Path(__file__).parents[2] / "shared" / "data" / "members"
MADE = Path(__file__).parent / "census_2026" / "meta_2026.txt"
TOTAL = (
    "Total - Immigrant status and period of immigration for the population in private households"
)


def _found(members):
    rows = propose_rows(shipped_dictionary(), members, 2026).rows
    return rows[rows["numerator"].ne("")].set_index("code")


def test_both_layouts_of_a_list_of_members_are_read(tmp_path):
    """Numbers with a tab or a point, notes, samples and depth; numbered notes are no members."""
    lines = ["1. A note that is numbered.", "", "Member"]
    rows = [("1", 0, "Total - Ages - 100% data (3)"), ("2", 1, "0 to 14 years (1)(2)"),
            ("3", 2, "0 to 4 years"), ("4", 0, "Movers")]  # fmt: skip
    tabs = [f"{id}\t{'  ' * depth}{words}" for id, depth, words in rows]
    points = [f"   {id}. {'  ' * depth}{words}" for id, depth, words in rows]
    frames = []
    for name, several in (("tabs", tabs), ("points", points)):
        path = tmp_path / f"{name}.txt"
        path.write_text("\n".join([*lines, *several, "", "1. Another note."]), "latin-1")
        frames.append(read_members(path))
    pd.testing.assert_frame_equal(*frames)
    assert frames[0]["words"].tolist() == [
        "Total - Ages",
        "0 to 14 years",
        "0 to 4 years",
        "Movers",
    ]
    assert frames[0]["parent"].tolist() == ["", "Total - Ages", "0 to 14 years", ""]
    assert frames[0]["sample"].tolist() == ["100%", "100%", "100%", ""]
    (tmp_path / "none.txt").write_text("nothing")
    with pytest.raises(FileError, match="no list of members"):
        read_members(tmp_path / "none.txt")


def test_what_was_counted_before_is_never_taken_for_now():
    """The row "Population, 2021" of a list of 2026 is of the census before and never taken."""
    found = _found(read_members(MADE))
    assert found.loc["population", "numerator"] == "1"
    assert found.loc["immigrants", ["numerator", "denominator"]].tolist() == ["1529", "1527"]
    assert set(found.index) == {"population", "immigrants", "npr"}


@pytest.mark.parametrize("lost", ["twice", "elsewhere", "gone"])
def test_an_unsure_row_stays_empty_and_is_listed(lost):
    """Words that stand twice, under another total or not at all are named, never picked."""
    members = read_members(MADE)
    row = members["words"].eq("Immigrants")
    if lost == "twice":
        members = pd.concat([members, members[row].assign(id="9999")], ignore_index=True)
    elif lost == "elsewhere":
        members.loc[row, ["heading", "parent"]] = "Total - Citizenship"
    else:
        members = members[~row].reset_index(drop=True)
    made = propose_rows(shipped_dictionary(), members, 2026)
    rows = made.rows.set_index("code")
    assert rows.loc["immigrants", ["numerator", "certainty"]].tolist() == ["", "expected"]
    told = made.unsure[made.unsure["code"].eq("immigrants") & made.unsure["part"].eq("numerator")]
    assert len(told) == 1
    assert ("9999" in told["nearest"].iloc[0]) == (lost == "twice")
    assert "immigrants" not in set(made.comparability["code"])
    # the same words in a pair are proposed with caution, and nothing else
    assert set(made.comparability["verdict"]) == {"caution"}


@pytest.mark.realdata
def test_the_rows_of_2021_are_found_by_the_words_of_2016():
    """Statistics Canada's own list: every row that is proposed is the verified one."""
    path = LISTS / "98-401-X2021003_meta.txt"
    if not path.is_file():
        pytest.skip("the lists of members of 2016 and 2021 are not at hand")
    known = shipped_dictionary()
    older = replace(known, rows=known.rows[known.rows["census"].ne("2021")])
    made = propose_rows(older, read_members(path), 2021).rows.set_index("code")
    truth = known.rows[known.rows["census"].eq("2021")].set_index("code")
    found = made[made["numerator"].ne("")]
    assert len(found) >= 28
    for code, row in found.iterrows():
        for part in ("numerator", "denominator"):
            assert row_ids(row[part]) == row_ids(truth.loc[code, part]), code


def test_the_portal_reads_what_the_command_wrote(tmp_path):
    """The written tables are rows of the dictionary; a year or number that is none is refused."""
    done = run("portal", "indicators", "--propose", "2026", MADE, "--out", tmp_path, "--lang", "fr")
    assert done.returncode == 0, done.stderr
    assert "3 indicateurs trouvés" in done.stdout
    known = shipped_dictionary().with_census(*read_census_rows(tmp_path))
    assert known.compare("immigrants", 2021, 2026)[0] == "caution"
    assert known.compare("renters", 2021, 2026)[0] == "no"
    path = tmp_path / "indicator_rows_2026.csv"
    text = path.read_text("utf-8-sig")
    path.write_text(text.replace("immigrants,2026,1529", "immigrants,2026,row 9"), "utf-8")
    with pytest.raises(InputError, match="row 9"):
        read_census_rows(tmp_path)
    assert run("portal", "indicators", "--propose", "soon", MADE).returncode == 2


def test_a_number_that_is_kept_back_is_not_expected():
    """Only a place that the portal has no row of is expected, and only once the census began."""
    known = shipped_dictionary()
    coming = known.rows[known.rows["census"].eq("2021")].assign(census="2026")
    told = [("population", "2026", 5.0), ("immigrants", "2026", 7.0), ("npr", "2021", 3.0)]
    whole = make_observations(
        pd.DataFrame(told, columns=["indicator", "period", "value"]).assign(
            area_id="west", definition="main", origin="published", release="one"
        )
    )
    seen = whole[whole["indicator"].ne("immigrants")]
    made = add_expected(seen, whole, coming, known)
    expected = set(made.loc[made["symbol"].eq("expected"), "indicator"])
    assert "immigrants" not in expected
    assert "population" not in expected
    assert "npr" in expected
    older = whole[whole["period"].eq("2021")]
    assert add_expected(older, older, coming, known) is older
