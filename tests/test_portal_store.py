"""Releases: written once, whole or not at all; keys, origins, history, withdrawal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import lipgeo
from lipgeo.errors import (
    AmbiguousNameError,
    InputError,
    KindError,
    OutputError,
    RegistryError,
    StoreError,
)
from lipgeo.portal.areas import join_of, realisation_hash, registry_areas
from lipgeo.portal.observations import (
    COLUMNS,
    KEY,
    ORIGINS,
    current,
    make_observations,
    no_observations,
    shown,
)


def numbers(**columns) -> pd.DataFrame:
    """Return rows that a portal takes: one area, the population of 2021, ordered."""
    base = {
        "area_id": ["west"], "indicator": "population", "period": "2021", "value": [1000.0],
        "origin": "ordered",
    }  # fmt: skip
    return pd.DataFrame({**base, **columns})


@pytest.fixture
def portal(tmp_path):
    """An empty portal."""
    return lipgeo.open_portal(tmp_path / "portal", create=True)


def test_a_new_portal_is_a_folder_with_a_workbook(tmp_path):
    """It is made once, opened again, and not made over something else."""
    place = tmp_path / "portal"
    with pytest.raises(StoreError, match="create=True"):
        lipgeo.open_portal(place)
    made = lipgeo.open_portal(place, create=True, areas="ab-calgary@city,nb-moncton")
    assert {one.name for one in place.iterdir()} == {"portal.xlsx", "incoming", "releases"}
    assert list(made.areas["definition"]) == ["city", "main"]
    assert made.areas["units"].iloc[0] == "CSD:4806016"
    assert lipgeo.open_portal(place, create=True).areas.equals(made.areas)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(StoreError, match="something else"):
        lipgeo.open_portal(tmp_path / "other", create=True)


def test_an_area_with_several_definitions_needs_one(tmp_path, portal):
    """The registry's two Calgaries are listed, never picked; a bare id with one is that one."""
    with pytest.raises(AmbiguousNameError, match="ab-calgary@city, ab-calgary@cma"):
        registry_areas("ab-calgary")
    with pytest.raises(RegistryError, match="ab-calgary@town"):
        registry_areas("ab-calgary@town")
    both = lipgeo.open_portal(
        tmp_path / "both", create=True, areas="ab-calgary@city,ab-calgary@cma"
    )
    with pytest.raises(InputError, match="ab-calgary@cma"):
        both.add(numbers(area_id=["ab-calgary"]))
    id = both.add(numbers(area_id=["ab-calgary"]), definitions={"ab-calgary": "cma"})
    assert both.frame()["definition"].tolist() == ["cma"]
    assert both.history("ab-calgary@cma", "population")["release"].tolist() == [id]
    with pytest.raises(AmbiguousNameError):
        both.history("ab-calgary", "population")


def test_the_long_table_has_its_columns_and_comes_back_as_it_went_in(portal):
    """Every column is there, numbers are float64, text is text, missing is not zero."""
    portal.add(numbers(value=[None], symbol="x", category="a;b", flags="=1+1"), release="one")
    frame = portal.reopen().frame()
    assert tuple(frame.columns) == COLUMNS
    assert frame["value"].isna().all()
    assert frame.loc[0, ["symbol", "category", "flags", "period_from"]].tolist() == [
        "x", "a;b", "=1+1", "2021",
    ]  # fmt: skip
    assert tuple(no_observations().columns) == COLUMNS


def test_within_a_key_the_newest_release_wins_and_history_says_why(portal):
    """A correction is a new release; what it replaced is in the history, an earlier state too."""
    portal.add(numbers(), release="first")
    portal.add(numbers(value=[1010.0]), release="second")
    assert portal.frame()["value"].tolist() == [1010.0]
    assert portal.frame(release="first")["value"].tolist() == [1000.0]
    told = portal.history("west", "population")
    assert told["status"].tolist() == ["replaced", "current"]
    assert told["why"].iloc[1] == "newer numbers came with second"
    changed = portal.changes("first", "second")
    assert changed[["change", "old_value", "new_value"]].values.tolist() == [
        ["changed", 1000.0, 1010.0]
    ]
    with pytest.raises(StoreError, match="never change"):
        portal.add(numbers(), release="First")


@settings(max_examples=40)
@given(st.permutations(ORIGINS), st.sampled_from(["", "x", "F", "expected", "not_ordered"]))
def test_between_origins_a_page_shows_by_origin_never_by_date(order, symbol):
    """Ordered, published, estimated, reported; a suppressed place stays, an empty one gives way."""
    rows = make_observations(
        {
            "area_id": "west", "definition": "main", "indicator": "immigrants", "period": "2021",
            "origin": list(order), "release": list("abcd"),
            "value": [np.nan if o == "ordered" and symbol else 1.0 for o in order],
            "symbol": [symbol if o == "ordered" else "" for o in order],
        }
    )  # fmt: skip
    best = shown(rows)
    assert len(best) == 1
    empty = symbol in ("expected", "not_ordered")
    assert best["origin"].iloc[0] == ("published" if empty else "ordered")
    again = shown(rows.iloc[::-1].reset_index(drop=True))
    assert again["origin"].tolist() == best["origin"].tolist()


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.integers(0, 9)), max_size=25)
)
def test_the_current_view_is_the_newest_of_each_key(cells):
    """A slow loop over releases in order agrees, whatever order rows stand in."""
    frame = make_observations(
        {
            "area_id": [area for _, area, _ in cells], "definition": "main",
            "indicator": "population", "period": "2021", "origin": "ordered",
            "value": [float(v) for _, _, v in cells], "release": [f"r{n}" for n, _, _ in cells],
        }
    ).drop_duplicates(["area_id", "release"])  # fmt: skip
    order = {f"r{n}": n for n in range(4)}
    newest: dict[str, float] = {}
    for row in sorted(frame.to_dict("records"), key=lambda one: order[one["release"]]):
        newest[row["area_id"]] = row["value"]
    view = current(frame.sample(frac=1, random_state=1), order)
    assert dict(zip(view["area_id"], view["value"], strict=True)) == newest
    assert not view.duplicated(list(KEY)).any()


def test_a_product_that_restates_its_past_supersedes_it_whole():
    """Rows of releases that a newer one supersedes count no more, other keys included."""
    frame = make_observations(
        {
            "area_id": ["a", "b", "a"], "definition": "main", "indicator": "imdb_median_wage_1y",
            "period": ["AY2018-TY2019", "AY2018-TY2019", "AY2018-TY2019"], "origin": "ordered",
            "value": [1.0, 2.0, 3.0], "dollars": ["2019", "2019", "2020"],
            "release": ["old", "old", "new"], "supersedes": ["", "", "old"],
        }
    )  # fmt: skip
    view = current(frame, {"old": 1, "new": 2})
    assert view[["area_id", "dollars", "value"]].values.tolist() == [["a", "2020", 3.0]]


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"indicator": "imigrants"}, "no name_en"),
        ({"period": ""}, "no period"),
        ({"origin": "guessed"}, "no origin"),
        ({"symbol": "?"}, "no symbol"),
        ({"symbol": "x"}, "stands beside"),
        ({"gender": "m"}, "no gender"),
        ({"group": "youth"}, "no group"),
        ({"lower": [1001.0], "upper": [1002.0]}, "outside its range"),
        ({"value": [np.inf]}, "finite"),
        ({"area_id": [""]}, "no area"),
    ],
)
def test_what_cannot_stand_in_the_table_is_refused(portal, columns, problem):
    """Nothing of a bad source is added, and the message says which rows and why."""
    with pytest.raises(InputError, match=problem.replace("no name_en", "have no name_en")):
        portal.add(numbers(**columns))
    assert portal.releases.empty


def test_dollars_of_two_years_in_one_source_are_refused(portal):
    """One indicator is told in the dollars of one year."""
    rows = pd.DataFrame(
        {
            "area_id": "west", "indicator": "imdb_median_wage_1y", "origin": "ordered",
            "period": ["AY2018-TY2019", "AY2019-TY2020"], "value": [1.0, 2.0],
            "dollars": ["2019", "2020"],
        }
    )  # fmt: skip
    with pytest.raises(InputError, match="dollars of two years"):
        portal.add(rows)


def test_a_withdrawal_takes_values_out_of_every_stored_file(portal):
    """The values are in no file any more; the tombstone says which, when and why."""
    rows = numbers(area_id=["west", "east"], value=[1234567.0, 7654321.0])
    portal.add(rows, release="recalled")
    portal.add(numbers(area_id=["north"]), release="made", made_from=["recalled"])
    taken = portal.folder / "taken" / "recalled" / "delivery.csv"
    taken.parent.mkdir(parents=True)
    taken.write_text("west,1234567", encoding="utf-8")
    made = portal.withdraw("recalled", reason="Statistics Canada recalled the table")
    assert made.values.tolist() == [["release", "made"], ["file", "taken/recalled/delivery.csv"]]
    again = portal.reopen()
    view = again.frame("west,east")
    assert view["symbol"].tolist() == ["withdrawn", "withdrawn"]
    assert view["value"].isna().all()
    for number in (1234567.0, 7654321.0):
        for path in portal.folder.rglob("*"):
            if path.is_file():
                assert np.float64(number).tobytes() not in path.read_bytes(), path
    assert not taken.exists()
    entry = again.store.withdrawals[0]
    assert (entry["release"], entry["keys"], entry["done"]) == ("recalled", None, True)
    told = again.history("west", "population")
    assert told["why"].iloc[0] == "withdrawn: Statistics Canada recalled the table"
    with pytest.raises(InputError, match="needs a reason"):
        portal.withdraw("made", reason=" ")


def test_single_cells_are_withdrawn_and_others_stay(portal):
    """Cells are named by columns of the key; cells that are not there are refused."""
    portal.add(numbers(area_id=["west", "east"], value=[1.0, 2.0]), release="r")
    with pytest.raises(InputError, match="no numbers that fit"):
        portal.withdraw("r", pd.DataFrame({"area_id": ["south"]}), reason="x")
    portal.withdraw("r", pd.DataFrame({"area_id": ["west"]}), reason="x")
    view = portal.reopen().frame().set_index("area_id")
    assert view["symbol"].to_dict() == {"east": "", "west": "withdrawn"}
    assert view.loc["east", "value"] == 2.0


def test_a_withdrawn_correction_does_not_bring_the_old_number_back(portal):
    """The newest of a key wins, withdrawn or not."""
    portal.add(numbers(), release="first")
    portal.add(numbers(value=[2.0]), release="second")
    portal.withdraw("second", reason="wrong")
    assert portal.reopen().frame()["symbol"].tolist() == ["withdrawn"]


def test_a_withdrawal_broken_off_is_finished_by_the_next_writer(portal, monkeypatch):
    """After a crash between ledger and file nobody reads the value; the next writer removes it."""
    portal.add(numbers(value=[4242424.0]), release="r")
    from lipgeo.portal import releases

    def crash(*_):
        raise OSError("killed")

    monkeypatch.setattr(releases, "_write_rows", crash)
    with pytest.raises((OSError, OutputError)):
        portal.withdraw("r", reason="recalled")
    monkeypatch.undo()
    again = portal.reopen()
    assert again.frame()["symbol"].tolist() == ["withdrawn"]
    again.add(numbers(area_id=["east"]), release="next")
    data = (portal.folder / "releases" / "r" / "observations.parquet").read_bytes()
    assert np.float64(4242424.0).tobytes() not in data
    assert portal.reopen().store.withdrawals[0]["done"]


def test_a_file_that_was_changed_is_noticed(portal):
    """One other byte in a release is refused, and the message says that releases never change."""
    portal.add(numbers(), release="r")
    path = portal.folder / "releases" / "r" / "observations.parquet"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(StoreError, match="not as it was written"):
        portal.reopen().frame()
    (path.parent / "release.json").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be read"):
        _ = portal.reopen().releases


def test_a_release_of_a_newer_lipgeo_is_refused(portal):
    """A layout that is not known yet is not guessed at."""
    portal.add(numbers(), release="r")
    path = portal.folder / "releases" / "r" / "release.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, "version": 99}), encoding="utf-8")
    with pytest.raises(StoreError, match="Update lipgeo"):
        _ = portal.reopen().releases


@pytest.mark.skipif(os.name == "nt", reason="kills a process with a signal of POSIX")
def test_two_processes_and_a_killed_one(portal, tmp_path):
    """A second writer is refused while the first writes; a killed writer leaves nothing behind."""
    code = f"""
        import sys, time
        from pathlib import Path
        from lipgeo.files import folder_in_one_step
        from lipgeo.portal.releases import ReleaseStore
        store = ReleaseStore(Path({str(portal.folder / "releases")!r}))
        with store.locked(), folder_in_one_step(store.folder / "half") as half:
            (half / "observations.parquet").write_text("half")
            print("locked", flush=True)
            time.sleep(60)
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(lipgeo.__file__).parents[1])}
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, env=environment
    )
    try:
        assert other.stdout.readline().strip() == b"locked"
        with pytest.raises(StoreError, match="Another process"):
            portal.add(numbers())
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    portal.add(numbers(), release="after")
    assert not list((portal.folder / "releases").glob(".lipgeo-*"))
    assert portal.reopen().releases["release"].tolist() == ["after"]


def test_a_full_disk_leaves_the_portal_as_it_was(portal, monkeypatch):
    """A release that cannot be written whole is not there at all."""
    portal.add(numbers(), release="r")
    from lipgeo.portal import releases

    def full(*_):
        import errno

        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(releases, "_write_rows", full)
    with pytest.raises(OutputError, match="disk"):
        portal.add(numbers(value=[2.0]), release="s")
    monkeypatch.undo()
    assert portal.reopen().releases["release"].tolist() == ["r"]
    assert portal.reopen().frame()["value"].tolist() == [1000.0]


def test_a_release_id_used_before_is_refused(portal):
    """Releases never change: the second of a name is refused and the first stands."""
    portal.add(numbers(), release="r")
    with pytest.raises(StoreError, match="There is a release r already"):
        portal.add(numbers(value=[2.0]), release="r")
    assert portal.reopen().frame()["value"].tolist() == [1000.0]


def test_equal_state_is_equal_bytes(tmp_path):
    """The same rows give the same file, so that a copy can be compared."""
    made = []
    for name in ("one", "two"):
        portal = lipgeo.open_portal(tmp_path / name, create=True)
        portal.add(numbers(), release="r")
        made.append((portal.folder / "releases" / "r" / "observations.parquet").read_bytes())
    assert made[0] == made[1]


def test_series_are_joined_by_misfit_and_by_comparability(portal):
    """Up to 1 % joined, to 3 % marked, above not; the worse of boundary and question holds."""
    assert [join_of(x) for x in (0.0, 0.01, 0.011, 0.03, 0.031, None)] == [
        "yes", "yes", "caution", "caution", "no", "caution",
    ]  # fmt: skip
    one, other = realisation_hash(["DA:1"], 2016), realisation_hash(["DA:2"], 2021)
    from lipgeo.portal.sources.intake import Intake

    rows = make_observations(
        {
            "area_id": "west", "definition": "main", "indicator": ["renters"] * 2,
            "period": ["2016", "2021"], "value": [10.0, 20.0], "origin": "ordered",
            "realisation_hash": [one, other],
        }
    )  # fmt: skip

    def realised(misfit):
        return pd.DataFrame(
            {
                "area_id": "west", "definition": "main", "vintage": ["2016", "2021"],
                "realisation_hash": [one, other], "misfit": [misfit, 0.0], "unit_count": 1,
            }
        )  # fmt: skip

    from lipgeo.portal.areas import new_areas

    for name, misfit, verdict in (("a", 0.005, "yes"), ("b", 0.02, "caution"), ("c", 0.2, "no")):
        taken = Intake(rows, "delivery", areas=new_areas(["west"]), realisations=realised(misfit))
        with portal.store.locked():
            portal.write_release(taken, name, licence="")
        joins = portal.joins("west", "renters")
        assert joins["verdict"].tolist() == [verdict]
    assert "20.0%" in joins["reason_en"].iloc[0]
    assert "20,0" in joins["reason_fr"].iloc[0]


def test_what_is_added_must_be_a_source(portal):
    """A number, nothing or a mapping is refused by name."""
    for wrong in (None, 3, {"a": 1}):
        with pytest.raises(KindError, match="needs to be estimates"):
            portal.add(wrong)
