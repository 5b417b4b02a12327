"""Calibration: least change that meets known totals; what it refuses and what it reports."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_crosswalk import count, crosswalk, source_ids, table, target_ids

from lipgeo import calibrate, weight_table
from lipgeo.errors import CalibrationError
from lipgeo.tables import residuals

SHARES = np.array([[1, 0], [0.5, 0.5], [0.3, 0.2], [0, 0.6], [0, 1]])
PEOPLE = np.array([100.0, 80, 60, 50, 40])


def held(**columns) -> pd.DataFrame:
    """Return what sources hold."""
    return pd.DataFrame(columns, index=source_ids(len(next(iter(columns.values())))))


def controls(**columns) -> pd.DataFrame:
    """Return controls by target, in order."""
    return pd.DataFrame(columns, index=target_ids(len(next(iter(columns.values())))))


def matrix(xw) -> np.ndarray:
    """Return shares as a dense matrix."""
    return xw.matrix.toarray()


def raked(shares, rest, people, totals, rounds=4000) -> np.ndarray:
    """Rake people to totals and back to what each source has, the remainder free: slow and sure."""
    people_by = np.c_[shares, rest] * people[:, None]
    fixed = (shares >= 1 - 0.005).any(axis=1)
    for _ in range(rounds):
        for column, total in enumerate(totals):
            if not np.isnan(total):
                sure = people_by[fixed, column].sum()
                free = people_by[~fixed, column].sum()
                people_by[~fixed, column] *= (total - sure) / free
        back = people / people_by.sum(axis=1)
        people_by *= back[:, None]
    return people_by[:, :-1] / people[:, None]


def test_controls_are_met_with_the_least_change():
    """The result is raking's, found by a slow oracle; shares and remainder add up to 1."""
    xw = crosswalk(SHARES, held=PEOPLE)
    totals = [170.0, 130.0]
    done = calibrate(xw, controls(n=totals), held(n=PEOPLE))
    np.testing.assert_allclose(PEOPLE @ matrix(done), totals, rtol=1e-9)
    rest = xw.remainder["share"].to_numpy()
    np.testing.assert_allclose(matrix(done), raked(SHARES, rest, PEOPLE, totals), atol=1e-9)
    whole = matrix(done).sum(axis=1) + done.remainder["share"].to_numpy()
    np.testing.assert_allclose(whole, 1.0, rtol=1e-12)
    assert done.check().ok
    assert len(done.report) == 0


def test_units_wholly_inside_keep_their_shares():
    """Only what straddles may move, and a share of 0 stays 0."""
    done = calibrate(crosswalk(SHARES, held=PEOPLE), controls(n=[150.0, 120.0]), held(n=PEOPLE))
    assert matrix(done)[[0, 4]].tolist() == [[1, 0], [0, 1]]
    assert matrix(done)[3, 0] == 0


def test_one_lone_area_moves_and_the_rest_gives():
    """An area with a control meets it; areas without one, and the remainder, give what it takes."""
    xw = crosswalk(SHARES, held=PEOPLE)
    done = calibrate(xw, controls(n=[180.0]), held(n=PEOPLE))
    before, after = PEOPLE @ SHARES, PEOPLE @ matrix(done)
    assert after[0] == pytest.approx(180.0, rel=1e-9)
    assert after[1] < before[1]
    assert done.remainder["share"].to_numpy() @ PEOPLE < xw.remainder["share"].to_numpy() @ PEOPLE
    missing = controls(n=[180.0, np.nan])
    np.testing.assert_allclose(matrix(calibrate(xw, missing, held(n=PEOPLE))), matrix(done))


def test_several_variables_at_once():
    """People and dwellings are both met where both can be."""
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.ones(4), 40)[:, :3]
    people = rng.integers(50, 500, 40).astype(float)
    homes = np.round(people / rng.uniform(1.5, 3, 40))
    truth = np.clip(shares * rng.uniform(0.7, 1.3, shares.shape), 0, None)
    truth = truth / np.maximum(truth.sum(axis=1, keepdims=True), 1)
    wanted = controls(n=people @ truth, homes=homes @ truth)
    done = calibrate(
        crosswalk(shares, held=people), wanted, held(n=people, homes=homes), tolerance=0
    )
    np.testing.assert_allclose(people @ matrix(done), wanted["n"], rtol=1e-8)
    np.testing.assert_allclose(homes @ matrix(done), wanted["homes"], rtol=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_calibrating_to_what_is_there_changes_nothing(seed):
    """Controls that the shares meet already leave them as they are."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(4), 15)[:, :3]
    people = rng.integers(0, 300, 15).astype(float)
    xw = crosswalk(shares, held=people)
    done = calibrate(xw, controls(n=people @ shares), held(n=people))
    np.testing.assert_allclose(matrix(done), shares, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_what_can_be_met_is_met(seed):
    """Controls made from any other shares of the same pairs are met, and nothing is lost."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(4), 25)[:, :3]
    people = rng.integers(1, 300, 25).astype(float)
    truth = rng.dirichlet(np.ones(4), 25)[:, :3]
    done = calibrate(crosswalk(shares, held=people), controls(n=people @ truth), held(n=people))
    np.testing.assert_allclose(people @ matrix(done), people @ truth, rtol=1e-7)
    assert done.check().ok
    assert residuals(done)["residual"].abs().max() < 1e-4


def test_residuals_say_control_before_and_after():
    """One row a control; the crosswalk carries them, also through its file."""
    done = calibrate(crosswalk(SHARES, held=PEOPLE), controls(n=[170.0, 130.0]), held(n=PEOPLE))
    found = residuals(done)
    assert found.columns.tolist() == [
        "target_id", "variable", "control", "before", "after", "residual",
    ]  # fmt: skip
    assert found["before"].tolist() == pytest.approx(list(PEOPLE @ SHARES))
    assert found["after"].tolist() == pytest.approx([170.0, 130.0])
    assert residuals(crosswalk(SHARES)).empty


def test_a_calibrated_crosswalk_weights_and_says_so():
    """Estimates over it meet the controls, and conservation is proved as ever."""
    done = calibrate(crosswalk(SHARES, held=PEOPLE), controls(n=[170.0, 130.0]), held(n=PEOPLE))
    est = weight_table(table({"n": PEOPLE}, {"n": count("n")}), done)
    np.testing.assert_allclose(est.frame["value"], [170.0, 130.0], rtol=1e-9)
    assert (est.frame["likely_upper"] - est.frame["value"] >= 0).all()


def test_what_no_share_can_reach_is_reported():
    """A control below the units wholly inside, or above all that touch, is missed and named."""
    xw = crosswalk(SHARES, held=PEOPLE)
    done = calibrate(xw, controls(n=[40.0, np.nan]), held(n=PEOPLE))
    assert PEOPLE @ matrix(done)[:, 0] == pytest.approx(100.0, abs=1e-3)
    found = done.report.only("control_unreachable")
    assert found.frame["subject"].tolist() == ["t0"]
    assert "from 100.0 to 240.0" in found.frame["message"].iloc[0]
    more = calibrate(xw, controls(n=[300.0, np.nan]), held(n=PEOPLE))
    assert PEOPLE @ matrix(more)[:, 0] == pytest.approx(240.0, abs=1e-3)
    assert not more.report.ok


def controls_that_disagree(seed):
    """Return true shares, those to start from, sources, controls off by 0.3 %, and others.

    Dwellings of sources are rounded to 5. ``other`` is held by no control.
    """
    rng = np.random.default_rng(seed)
    truth = np.zeros((60, 12))
    for row in truth:
        some = rng.uniform(0.1, 0.9)
        row[rng.choice(12, 2, replace=False)] = [some, 1 - some]
    people = rng.integers(200, 900, 60).astype(float)
    homes = people / rng.uniform(1.8, 2.6, 60)
    lived = homes * rng.uniform(0.93, 0.98, 60)
    other = people * rng.uniform(0.1, 0.6, 60)
    start = truth * np.exp(rng.normal(0, 0.4, truth.shape))
    start /= start.sum(axis=1, keepdims=True)
    wanted = controls(
        population=people @ truth,
        homes=(homes @ truth) * np.exp(rng.normal(0, 0.003, 12)),
        lived=(lived @ truth) * np.exp(rng.normal(0, 0.003, 12)),
    )
    given = held(population=people, homes=5 * np.round(homes / 5), lived=5 * np.round(lived / 5))
    return truth, crosswalk(start, held=people), given, wanted, other


def test_more_controls_make_it_better():
    """Controls that disagree by rounding and definition bring more than people alone.

    Met to the last digit they would cost what people brought: shares go to 0 and 1, and what
    nobody controlled is missed several times as much.
    """
    missed = {1: 0.0, 3: 0.0}
    for seed in (1, 2, 3):
        truth, xw, given, wanted, other = controls_that_disagree(seed)
        for known in missed:
            names = list(given)[:known]
            done = calibrate(xw, wanted[names], given[names])
            missed[known] += np.abs(other @ (matrix(done) - truth)).sum()
            # people, by whom shares go, are met as they are rounded, whatever stands beside them
            left = residuals(done).set_index("variable")["residual"]
            assert left.loc[["population"]].abs().max() < 2
    assert missed[3] < 0.9 * missed[1]


def test_controls_that_no_shares_meet_are_not_forced():
    """Asked to the last digit, contradicting controls are met as by default, and it is said."""
    _, xw, given, wanted, _ = controls_that_disagree(1)
    forced = calibrate(xw, wanted, given, tolerance=0)
    np.testing.assert_array_equal(matrix(forced), matrix(calibrate(xw, wanted, given)))
    (told,) = [one for one in forced.report if one.key == "tables.controls_contradict"]
    assert "population, homes" in told.message


def test_controls_that_contradict_share_the_gap():
    """Two areas that together ask for more than there is are both missed, by the same."""
    shares = np.array([[0.5, 0.5]])
    wanted = controls(n=[50.5, 50.0])
    done = calibrate(crosswalk(shares, held=[100.0]), wanted, held(n=[100.0]))
    np.testing.assert_allclose(residuals(done)["residual"], [-0.25, -0.25], atol=1e-4)
    assert done.report.only("controls_missed").frame["severity"].tolist() == ["note"]


def test_overlapping_targets_are_refused():
    """People in two areas would be moved twice; an overlap that is a sliver is let be."""
    shares = np.array([[0.8, 0.6]])
    overlap = pd.DataFrame(
        {"target_id": ["t0"], "other_id": ["t1"], "source_id": ["s00"], "share": [0.4],
         "area_share": [0.4]}
    )  # fmt: skip
    with pytest.raises(CalibrationError, match=r"do not overlap.*t0/t1"):
        calibrate(
            crosswalk(shares, overlaps=overlap, remainder=np.array([0.0])),
            controls(n=[50.0, 40.0]),
            held(n=[100.0]),
        )
    dust = overlap.assign(share=1e-8, area_share=1e-7)
    shares = np.array([[0.5, 0.5 + 1e-8]])
    done = calibrate(
        crosswalk(shares, overlaps=dust, remainder=np.array([0.0])),
        controls(n=[60.0, 40.0]),
        held(n=[100.0]),
    )
    assert matrix(done).sum() == pytest.approx(1.0, abs=1e-12)
    assert done.overlaps.empty


@pytest.mark.parametrize(
    ("wanted", "sources", "message"),
    [
        (
            pd.DataFrame({"n": [1.0]}, index=["t9"]),
            held(n=PEOPLE),
            "areas of the crosswalk.*t9",
        ),
        (
            pd.DataFrame({"n": [1.0, 2.0]}, index=["t0", "t0"]),
            held(n=PEOPLE),
            "one row an id.*t0",
        ),
        (controls(n=[-5.0, 1.0]), held(n=PEOPLE), "0 or more.*t0 n"),
        (controls(n=["many", 1.0]), held(n=PEOPLE), "0 or more.*many"),
        (controls(n=[np.inf, 1.0]), held(n=PEOPLE), "0 or more.*inf"),
        (controls(n=[np.nan, np.nan]), held(n=PEOPLE), "no control"),
        (controls(n=[100.0, 100.0]), held(m=PEOPLE), "columns of the controls.*n"),
        (controls(n=[9e5, 100.0]), held(n=PEOPLE), "more than all sources hold"),
        (controls(n=[100.0, 100.0]), held(n=[100, np.nan, 60, 50, 40]), "known.*s01"),
        (controls(n=[100.0, 100.0]), held(n=PEOPLE).iloc[:3], "known.*s03"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(wanted, sources, message):
    """Unknown areas, repeated or impossible controls, sources not known: one clear error each."""
    with pytest.raises(CalibrationError, match=message):
        calibrate(crosswalk(SHARES, held=PEOPLE), wanted, sources)


def test_what_is_given_is_not_changed():
    """Crosswalk, controls and sources are as they were."""
    xw = crosswalk(SHARES, held=PEOPLE)
    wanted, sources = controls(n=[170.0, 130.0]), held(n=PEOPLE)
    before = xw.frame, wanted.copy(), sources.copy()
    calibrate(xw, wanted, sources)
    pd.testing.assert_frame_equal(xw.frame, before[0])
    pd.testing.assert_frame_equal(wanted, before[1])
    pd.testing.assert_frame_equal(sources, before[2])
