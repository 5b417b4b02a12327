"""The commands of a portal, as people type them: taking in, refusing in words, taking back."""

from __future__ import annotations

import made_deliveries as made_files
import made_legacy
import pandas as pd
import pytest
from commands import run

import lipgeo
from lipgeo.cli.portal import _say_taken
from lipgeo.portal.book import BOOK, add_rows


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A made order of eight areas, one too small for any table."""
    return made_files.made_order(tmp_path_factory.mktemp("commands") / "order", 8)


@pytest.fixture
def place(tmp_path):
    """A folder with an empty portal that allows to show what it was sent."""
    portal = lipgeo.open_portal(tmp_path / "portal", create=True)
    allowed = {"licence": "sent", "may_publish": "table", "who": "Clerk", "document": "letter"}
    add_rows(portal.folder / BOOK, {"licences": pd.DataFrame([allowed])})
    return tmp_path


def test_a_delivery_goes_in_is_built_told_and_taken_back(place, made):
    """Receive, build, facts of several areas, withdraw: each says where its result is."""
    made_files.write_down(made, place / "T1.csv")
    told = run("portal", "receive", "portal", "T1.csv", "--order", made.order, "--table", "T1",
               "--licence", "sent", cwd=place)  # fmt: skip
    assert told.returncode == 0, told.stderr
    release = lipgeo.open_portal(place / "portal").releases["release"].iloc[0]
    assert release in told.stdout
    assert "no licence" not in told.stdout
    told = run("portal", "facts", "portal", *made.ids[:2], "--out", "f.html", "--lang", "both",
               cwd=place)  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert len(list(place.glob("f-*-??.html"))) == 4
    told = run("portal", "withdraw", "portal", release, "--reason", "recalled", cwd=place)
    assert "Fast Facts" in told.stdout
    assert lipgeo.open_portal(place / "portal").frame()["value"].isna().all()


def test_a_release_without_a_licence_is_told_of(place, capsys):
    """Whichever command took it in: only members see its numbers."""
    portal = lipgeo.open_portal(place / "portal")
    rows = {"area_id": ["here"], "indicator": ["population"], "period": ["2021"], "value": [50.0]}
    more = {"origin": ["published"], "source": ["made"], "definition": ["main"]}
    for licence, words in (("sent", False), ("", True)):
        release = portal.add(pd.DataFrame({**rows, **more}), licence=licence)
        _say_taken(portal, place / "a.csv", release)
        assert ("no licence" in capsys.readouterr().out) is words


def test_what_is_wrong_is_told_in_sentences(place, made):
    """Unknown areas and files, a used release, another order: no traceback, status 2."""
    made_files.write_down(made, place / "T1.csv", labels=[f"A - B - 99{at}" for at in range(8)])
    (place / "odd.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    for arguments, words in (
        (("add", "portal", "odd.csv"), "odd.csv"),
        (("add", "portal"), "--table"),
        (("add", "portal", "--table", "2021"), "YEAR=FILE"),
        (("facts", "portal", "nowhere", "neither", "--out", "x.html"), "neither"),
        (("withdraw", "portal", "none", "--reason", "x"), "none"),
        (("receive", "portal", "T1.csv", "--order", made.order, "--table", "T1"), "order"),
    ):
        told = run("portal", *arguments, cwd=place)
        assert told.returncode == 2, (arguments, told.stdout)
        assert words in told.stderr
        assert "Traceback" not in told.stderr
    assert lipgeo.open_portal(place / "portal").releases.empty


def test_facts_are_whole_or_not_begun(place, made):
    """A file in the way is seen before the first is written."""
    made_files.write_down(made, place / "T1.csv")
    portal = lipgeo.open_portal(place / "portal")
    portal.receive(place / "T1.csv", order=made.order, table="T1", licence="sent")
    second = place / f"f-{made.ids[1]}.html"
    second.write_text("mine", encoding="utf-8")
    told = run("portal", "facts", "portal", *made.ids[:3], "--out", "f.html", cwd=place)
    assert told.returncode == 2
    assert sorted(path.name for path in place.glob("f-*")) == [second.name]


def test_nineteen_partnerships_by_two_censuses_come_over(place):
    """An old workbook as people make them: proposed, signed, taken in, told of."""
    made_legacy.write_legacy(place / "old.xlsx")
    told = run("portal", "add", "portal", "old.xlsx", cwd=place)
    assert (told.returncode, "old.mapping.xlsx" in told.stdout) == (1, True)
    mapping = pd.read_excel(place / "old.mapping.xlsx", "columns", dtype=str).fillna("")
    assert set(mapping["code"]) >= {"population", "immigrants", "npr", "median_age"}
    assert mapping.loc[mapping["heading"].eq("Total population"), "guess"].tolist() == ["x"]
    areas = pd.read_excel(place / "old.mapping.xlsx", "areas", dtype=str).fillna("")
    assert areas["note"].str.contains("ab-calgary@cma").any()
    # unsigned, then with areas of several definitions: every one of them is named
    made_legacy.sign_mapping(place / "old.mapping.xlsx", "sent", choose=False)
    told = run("portal", "add", "portal", "old.xlsx", cwd=place)
    assert told.returncode == 2
    assert all(one in told.stderr for one in ("ab-calgary@cma", "ab-edmonton@city"))
    made_legacy.sign_mapping(place / "old.mapping.xlsx", "sent")
    told = run("portal", "add", "portal", "old.xlsx", cwd=place)
    assert told.returncode == 0, told.stderr
    frame = lipgeo.open_portal(place / "portal").frame()
    for year in (2006, 2016):
        told = frame[frame["indicator"].eq("immigrants") & frame["period"].eq(str(year))]["value"]
        wanted = 100 * made_legacy.numbers(year)["immigrants"]
        assert sorted(told) == pytest.approx(sorted(wanted))
    # one cell is suppressed, one is not there: neither is a number
    npr = frame[frame["indicator"].eq("npr") & frame["period"].eq("2016")]["value"]
    assert npr.notna().sum() == len(made_legacy.NAMES) - 2
    assert frame["area_id"].nunique() == len(made_legacy.NAMES)
    assert set(frame["origin"]) == {"reported"}
