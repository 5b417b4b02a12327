"""What moved between two releases, told for people: every number, and why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from commands import run

import lipgeo
from lipgeo.errors import InputError
from lipgeo.portal.areas import new_areas
from lipgeo.portal.changes import last_two, page_changes
from lipgeo.portal.observations import make_observations
from lipgeo.portal.sources.intake import Intake


def _release(portal, name, rows, **extra):
    columns = ["indicator", "period", "value", "symbol", "origin", "dollars"]
    frame = pd.DataFrame(rows, columns=columns)
    frame = frame.assign(area_id="west", definition="main", source="Office")
    taken = Intake(make_observations(frame), "published", areas=new_areas(["west"]), extra=extra)
    with portal.store.locked():
        portal.write_release(taken, name, licence="statcan-open")


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    """A portal whose second state restates a product, corrects, orders and withdraws."""
    made = lipgeo.open_portal(tmp_path_factory.mktemp("changes") / "portal", create=True)
    wage = "imdb_median_wage_1y"
    imdb = {"product": "imdb-t1", "restates": True}
    _release(made, "a", [
        ("population", "2021", 5000.0, "", "published", ""),
        ("npr", "2021", 4.0, "", "published", ""),
        ("median_age", "2021", 41.0, "", "published", ""),
        ("renters", "2021", np.nan, "not_ordered", "ordered", ""),
    ])  # fmt: skip
    _release(made, "b", [
        (wage, "AY2018-TY2019", 30000.0, "", "ordered", "2019"),
        (wage, "AY2017-TY2018", 29000.0, "", "ordered", "2019"),
    ], **imdb)  # fmt: skip
    _release(made, "c", [
        (wage, "AY2018-TY2019", 31000.0, "", "ordered", "2020"),
        (wage, "AY2019-TY2020", 33000.0, "", "ordered", "2020"),
    ], **imdb)  # fmt: skip
    _release(made, "d", [
        ("population", "2021", 5005.0, "", "published", ""),
        ("median_age", "2021", 41.0, "", "published", ""),
        ("npr", "2021", 4.1, "", "ordered", ""),
        ("renters", "2021", 30.0, "", "ordered", ""),
    ])  # fmt: skip
    return made.reopen()


def test_every_moved_number_is_told_once_with_its_reason(portal):
    """Corrected, ordered in place of published, arrived, restated, gone; the same is not told."""
    told = page_changes(portal, "b", "d")
    why = {(one.indicator, one.period): (one.change, one.why) for one in told.itertuples()}
    assert len(why) == len(told) == 6
    assert ("median_age", "2021") not in why
    assert why["population", "2021"][1] == "A newer release corrects it: Office."
    assert "before it was published" in why["npr", "2021"][1]
    assert why["renters", "2021"][1] == "It arrived: Office."
    restated = why["imdb_median_wage_1y", "AY2018-TY2019"]
    assert restated[0] == "changed"
    assert "in dollars of 2020, before in dollars of 2019" in restated[1]
    # a product put aside whole takes what its successor does not have with it
    assert why["imdb_median_wage_1y", "AY2017-TY2018"][0] == "gone"
    assert why["imdb_median_wage_1y", "AY2019-TY2020"][0] == "added"


def test_no_line_holds_dollars_of_two_years(portal):
    """Whatever state is asked for, each indicator has constant dollars of one year."""
    for release in ("b", "c", "d", None):
        frame = portal.frame(release=release)
        years = frame[frame["dollars"].ne("")].groupby("indicator")["dollars"].nunique()
        assert (years == 1).all()
        assert len(years)


def test_a_state_held_against_itself_moves_nothing(portal):
    """Nothing is told of a release and itself; one release alone is refused."""
    for release in "abcd":
        assert page_changes(portal, release, release).empty
    assert last_two(portal) == ("c", "d")


def test_one_release_has_nothing_to_be_held_against(tmp_path):
    """The message says that there is nothing yet."""
    made = lipgeo.open_portal(tmp_path / "portal", create=True)
    with pytest.raises(InputError, match="fewer than two releases"):
        last_two(made)


def test_the_command_and_the_page_say_the_same(portal, tmp_path):
    """Each reason stands on the page; the command prints it in French too."""
    site = lipgeo.build_site(portal, tmp_path / "site")
    text = (site / "changes.html").read_text("utf-8")
    told = page_changes(portal, "c", "d")
    assert len(told) == 3
    for row in told.itertuples():
        assert row.why in text
    done = run("portal", "changes", portal.folder, "b", "d", "--lang", "fr")
    assert "De b à d" in done.stdout
    assert "en dollars de 2020" in done.stdout
