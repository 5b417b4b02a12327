"""Weighting by rule: values, certain bounds, what is missing, what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_crosswalk import count, crosswalk, source_ids, table, target_ids

import lipgeo
from lipgeo.errors import TableError
from lipgeo.tables import CensusTable, Group, Variable, weight_table
from lipgeo.tables.estimates import COLUMNS
from lipgeo.tables.results import FLAGS

#: three units inside, two cut, one outside; the second area takes the rest of the cut ones
SHARES = np.array([[1, 0], [1, 0], [0.25, 0.75], [0.6, 0.1], [0, 1], [0, 0]])


def one(est, variable: str, area: str = "t0") -> pd.Series:
    """Return the row of one number."""
    frame = est.frame
    return frame[frame["area_id"].eq(area) & frame["variable"].eq(variable)].iloc[0]


def random_shares(rng: np.random.Generator, sources: int, targets: int) -> np.ndarray:
    """Return shares of which some are whole, some none, and each source's add up to 1 at most."""
    shares = rng.dirichlet(np.ones(targets + 1), sources)[:, :targets]
    whole = rng.random(sources) < 0.5
    shares[whole] = np.eye(targets + 1)[rng.integers(0, targets + 1, whole.sum())][:, :targets]
    return shares


# ---------------------------------------------------------------- counts


def test_the_frame_has_the_columns_of_the_contract():
    """Columns, order, types: ids and flags text, numbers float64, one row an area and variable."""
    est = weight_table(table({"n": [1.0] * 6}, {"n": count("n")}), crosswalk(SHARES))
    assert tuple(est.frame.columns) == COLUMNS
    assert est.frame[["area_id", "variable"]].to_numpy().tolist() == [["t0", "n"], ["t1", "n"]]
    assert (est.frame.dtypes[list(COLUMNS[2:11])] == np.float64).all()
    assert est.frame["rule"].tolist() == ["count", "count"]


def test_counts_add_by_share_between_whole_units_and_all_touched():
    """The value is the sum of shares; the bounds leave out, or take whole, what straddles."""
    est = weight_table(
        table({"n": [10.0, 20, 40, 100, 5, 7]}, {"n": count("n")}), crosswalk(SHARES)
    )
    row = one(est, "n")
    assert row[["value", "lower", "upper"]].tolist() == [100.0, 30.0, 170.0]
    assert row["flag"] == ""
    assert row["observed_share"] == 1.0


def test_straddling_goes_by_surface_and_not_by_people():
    """A cut unit straddles wherever its people live; a sliver does not, but for people in it."""
    shares = np.array([[1.0, 0], [0.004, 0.996], [0.2, 0.8]])
    surface = np.array([[0.5, 0.5], [0.003, 0.997], [0.003, 0.997]])
    est = weight_table(
        table({"n": [100.0, 10, 1000]}, {"n": count("n")}), crosswalk(shares, surface)
    )
    assert one(est, "n")[["lower", "upper"]].tolist() == [0.0, 1100.0]
    assert one(est, "n", "t1")[["lower", "upper"]].tolist() == [10.0, 1110.0]
    assert one(est, "n")["value"] == pytest.approx(300.04)


def test_no_bound_excludes_the_value():
    """Slivers count in the value, and so the bounds make room for them."""
    surface = np.array([[1.0], [0.004]])
    est = weight_table(table({"n": [10.0, 10]}, {"n": count("n")}), crosswalk(surface))
    assert one(est, "n")[["lower", "value", "upper"]].tolist() == [10.0, 10.04, 10.04]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 4))
def test_areas_and_remainder_hold_what_the_units_hold(seed, sources, targets):
    """Conservation: nothing is lost or made, whatever the shares, to 1e-9 relative."""
    rng = np.random.default_rng(seed)
    shares = random_shares(rng, sources, targets)
    xw = crosswalk(shares)
    values = rng.integers(0, 1000, sources).astype(float)
    est = weight_table(table({"n": values}, {"n": count("n")}), xw)
    kept = est.frame["value"].fillna(0).sum() + xw.remainder["share"].to_numpy() @ values
    assert kept == pytest.approx(values.sum(), rel=1e-9)
    assert est.meta["conserved"]


def test_a_crosswalk_that_makes_people_is_found_out():
    """The proof is taken on every call: a remainder that is too large is an error, with sums."""
    xw = crosswalk(SHARES, remainder=np.array([0, 0, 0.5, 0.3, 0, 1]))
    with pytest.raises(TableError, match="not what the units hold") as caught:
        weight_table(table({"n": [10.0] * 6}, {"n": count("n")}), xw)
    assert caught.value.problems["kept"].tolist() == [65.0]


def test_what_lies_in_two_areas_is_proved_once():
    """Areas that overlap count their common people in both, and the proof knows it."""
    shares = np.array([[0.8, 0.6]])
    overlaps = pd.DataFrame(
        {"target_id": ["t0"], "other_id": ["t1"], "source_id": ["s00"], "share": [0.4],
         "area_share": [0.4]}
    )  # fmt: skip
    xw = crosswalk(shares, overlaps=overlaps, remainder=np.array([0.0]))
    est = weight_table(table({"n": [50.0]}, {"n": count("n")}), xw)
    assert est.frame["value"].tolist() == [40.0, 30.0]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_two_steps_are_the_composed_step(seed):
    """Weighting over a composed crosswalk gives what weighting twice gives."""
    rng = np.random.default_rng(seed)
    first, second = random_shares(rng, 9, 5), random_shares(rng, 5, 3)
    between = crosswalk(second)
    # sources of the second are the targets of the first
    frame, remainder = between.frame, between.remainder
    names = dict(zip(source_ids(5), target_ids(5), strict=True))
    onward = lipgeo.Crosswalk(
        frame.assign(source_id=frame["source_id"].map(names)),
        remainder.assign(source_id=remainder["source_id"].map(names)),
        between.overlaps,
        between.quality,
        between.sources.rename(index=names),
        meta=between.meta,
    )
    xw = crosswalk(first)
    values = rng.integers(0, 500, 9).astype(float)
    given_table = table({"n": values}, {"n": count("n")})
    once = weight_table(given_table, xw)
    middle = CensusTable(once.wide().fillna(0.0), {"n": count("n")}, level=None, vintage=None)
    twice = weight_table(middle, onward).wide()["n"].fillna(0.0)
    composed = weight_table(given_table, xw.compose(onward)).wide()["n"].fillna(0.0)
    np.testing.assert_allclose(composed, twice, rtol=1e-12, atol=1e-9)


def test_order_and_names_change_nothing():
    """Shuffled rows, and units under other names, give the same numbers."""
    values = np.array([10.0, 20, 40, 100, 5, 7])
    plain = table({"n": values}, {"n": count("n")})
    shuffled = CensusTable(
        plain.frame.iloc[[4, 2, 0, 5, 1, 3]], {"n": count("n")}, level=None, vintage=None
    )
    assert weight_table(shuffled, crosswalk(SHARES)).frame.equals(
        weight_table(plain, crosswalk(SHARES)).frame
    )


# ---------------------------------------------------------------- missing


def test_a_missing_unit_is_never_a_zero():
    """What was not observed is put in at the rate of what was; how much was seen is said."""
    people = np.array([100.0, 100, 100, 200, 50, 50])
    values = np.array([10.0, np.nan, 10, 20, 5, 5])  # one in ten everywhere
    est = weight_table(table({"n": values}, {"n": count("n")}), crosswalk(SHARES, held=people))
    row = one(est, "n")
    whole = 10 + 10 + 2.5 + 12
    assert row["value"] == pytest.approx(whole)
    assert row["observed_share"] == pytest.approx(1 - 100 / 345)
    assert row["flag"] == "partly_observed"
    # the unit may hold nobody of the kind, or everybody
    assert row[["lower", "upper"]].tolist() == [10.0, 10 + 100 + 10 + 20]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.6))
def test_masking_leaves_a_constant_rate_as_it_is(seed, masked):
    """Where every unit has the same rate, hiding some of them moves no value: no silent zero."""
    rng = np.random.default_rng(seed)
    shares = random_shares(rng, 30, 3)
    people = rng.integers(1, 500, 30).astype(float)
    hidden = rng.random(30) < masked
    n = np.where(hidden, np.nan, people * 0.125)
    columns = {"n": n, "d": people, "average": np.where(hidden, np.nan, 7.0)}
    rules = {
        "n": count("n", denominator="d"),
        "d": count("d"),
        "average": Variable("average", "average", denominator="d", rounding=0.0),
    }
    est = weight_table(table(columns, rules), crosswalk(shares, held=people), min_observed=0.1)
    wide = est.wide()
    seen = wide["n"].notna()
    np.testing.assert_allclose(wide["n"][seen], 0.125 * wide["d"][seen], rtol=1e-12)
    np.testing.assert_allclose(wide["average"].dropna(), 7.0, rtol=1e-12)
    lost = est.frame[est.frame["value"].isna()]
    assert lost["flag"].ne("").all()


def test_reasons_stay_apart():
    """x, F, .., ... , an empty cell and a unit without a row are told apart, by area and unit."""
    values = [1.0, np.nan, np.nan, np.nan, np.nan, np.nan]
    symbols = {"n": ["", "x", "F", "..", "...", ""]}
    given_table = table({"n": values}, {"n": count("n")}, symbols=symbols)
    shares = np.full((7, 1), 1.0)
    est = weight_table(given_table, crosswalk(shares), min_observed=0.1)
    missing = est.missing
    assert missing["reason"].tolist() == ["x", "F", "..", "...", "blank", "not_in_table"]
    assert missing["symbol"].tolist() == ["x", "F", "..", "...", "", ""]
    assert missing["held"].tolist() == [100.0] * 6
    assert one(est, "n")["value"] == pytest.approx(7.0)


def test_a_value_beside_a_symbol_of_suppression_is_not_believed():
    """2006 files print 0 where they suppress; E and r stand beside good values."""
    given_table = table({"n": [0.0, 8.0, 6.0]}, {"n": count("n")}, symbols={"n": ["x", "E", "r"]})
    est = weight_table(given_table, crosswalk(np.ones((3, 1))))
    assert one(est, "n")["value"] == pytest.approx(14 * 3 / 2)
    assert est.missing["source_id"].tolist() == ["s00"]


def test_too_little_observed_gives_a_flag_and_no_number():
    """Below the threshold there is no value, whatever the threshold; bounds may still stand."""
    given_table = table({"n": [5.0, np.nan, np.nan]}, {"n": count("n")})
    xw = crosswalk(np.ones((3, 1)))
    row = one(weight_table(given_table, xw), "n")
    assert np.isnan(row["value"])
    assert row["flag"] == "too_little_observed"
    assert row[["lower", "upper"]].tolist() == [5.0, 205.0]
    assert one(weight_table(given_table, xw, min_observed=0.3), "n")["value"] == 15.0


def test_all_suppressed_is_no_zero():
    """Where nothing was observed there is no number, no range, and the report says where."""
    given_table = table({"n": [np.nan] * 6}, {"n": count("n")}, symbols={"n": ["x"] * 6})
    est = weight_table(given_table, crosswalk(SHARES))
    assert est.frame["value"].isna().all()
    assert est.frame["likely_upper"].isna().all()
    assert est.frame["flag"].tolist() == ["too_little_observed"] * 2
    assert est.report.only("too_little_observed").frame["value"].tolist() == [2.0]


def test_an_area_without_units_has_no_number():
    """An area that no unit lies in is flagged, not given 0."""
    est = weight_table(
        table({"n": [5.0, 5]}, {"n": count("n")}), crosswalk(np.array([[1.0, 0], [1, 0]]))
    )
    row = one(est, "n", "t1")
    assert row["flag"] == "no_source"
    assert row[["value", "lower", "upper"]].isna().all()
    assert not est.report.ok


def test_a_unit_nobody_lives_in_costs_nothing():
    """A suppressed unit without people leaves the share observed at 1."""
    given_table = table({"n": [5.0, np.nan]}, {"n": count("n")})
    row = one(weight_table(given_table, crosswalk(np.ones((2, 1)), held=[50, 0])), "n")
    assert row["observed_share"] == 1.0
    assert row["value"] == 5.0
    assert row["upper"] == 5.0


def test_zeros_of_2006_that_stand_for_suppression_are_missing():
    """A long-form total of 0 in a unit with people was suppressed; other zeros are flagged."""
    frame = pd.DataFrame(
        {"immigrant_status_total": [100.0, 0.0, 80.0], "immigrants": [10.0, 0.0, 0.0]},
        index=["35060001", "35060002", "35060003"],
    )
    given_table = CensusTable(frame, level="DA", vintage=2006)
    xw = crosswalk(np.ones((3, 1)))
    names = dict(zip(source_ids(3), frame.index, strict=True))
    xw = lipgeo.Crosswalk(
        xw.frame.replace({"source_id": names}),
        xw.remainder.replace({"source_id": names}),
        xw.overlaps,
        xw.quality,
        xw.sources.rename(index=names),
        meta=xw.meta,
    )
    est = weight_table(given_table, xw)
    row = one(est, "immigrants")
    assert row["value"] == pytest.approx(15.0)
    assert row["flag"] == "partly_observed;zero_may_be_suppression"
    assert est.missing["reason"].unique().tolist() == ["zero"]


# ---------------------------------------------------------------- rates


PERCENT = Variable("share", "percent", numerator="n", denominator="d")


def rates(n, d, shares, **more):
    """Weight a percentage made from two counts."""
    rules = {"n": count("n", denominator="d"), "d": count("d")}
    return weight_table(
        table({"n": n, "d": d}, rules), crosswalk(shares, **more), variables=[PERCENT]
    )


def test_a_rate_is_weighted_by_its_own_denominator():
    """Numerators over denominators, never the mean of rates."""
    est = rates([10.0, 90], [100.0, 100], np.array([[1.0], [0.5]]))
    assert one(est, "share")["value"] == pytest.approx(100 * 55 / 150)


def test_a_published_rate_is_weighted_as_its_counts_would_be():
    """A percentage column with its denominator gives what numerator and denominator give."""
    d = np.array([100.0, 300, 50])
    n = np.array([10.0, 150, 5])
    shares = np.array([[1.0], [0.4], [0.2]])
    published = Variable("rate", "percent", denominator="d")
    est = weight_table(
        table({"rate": 100 * n / d, "d": d}, {"rate": published, "d": count("d")}),
        crosswalk(shares),
        variables=["rate"],
    )
    both = rates(n, d, shares)
    for column in ("value", "lower", "upper"):
        assert one(est, "rate")[column] == pytest.approx(one(both, "share")[column])


def test_a_masked_numerator_masks_its_denominator():
    """A unit whose numerator is missing is in neither: no rate shrinks towards 0."""
    est = rates([10.0, np.nan], [100.0, 100], np.ones((2, 1)))
    row = one(est, "share")
    assert row["value"] == pytest.approx(10.0)
    assert row["flag"] == "partly_observed"
    assert row[["lower", "upper"]].tolist() == pytest.approx([100 * 10 / 200, 100 * 110 / 200])


def test_a_missing_denominator_is_a_reason_of_its_own():
    """A known numerator without its denominator cannot count."""
    est = rates([10.0, 20], [100.0, np.nan], np.ones((2, 1)))
    assert est.missing["reason"].tolist() == ["denominator"]
    assert one(est, "share")["value"] == pytest.approx(10.0)


def test_units_without_a_denominator_have_no_say():
    """Nobody in the denominator: no rate there, and none is missing."""
    est = rates([0.0, 20], [0.0, 100], np.ones((2, 1)))
    assert one(est, "share")["observed_share"] == 1.0
    assert one(est, "share")["value"] == 20.0
    nobody = one(rates([0.0, 0], [0.0, 0], np.ones((2, 1))), "share")
    assert nobody["flag"] == "no_denominator"
    assert np.isnan(nobody["value"])


def brute(n, d, inside, straddling) -> tuple[float, float]:
    """Try each straddling unit in every extreme way: all or none of its N, and of the others."""
    best = []
    rows = np.flatnonzero(straddling)
    for choice in itertools.product(range(4), repeat=len(rows)):
        top, bottom = n[inside].sum(), d[inside].sum()
        for row, way in zip(rows, choice, strict=True):
            top += n[row] * (way & 1)
            bottom += n[row] * (way & 1) + (d[row] - n[row]) * (way >> 1)
        if bottom > 0:
            best.append(top / bottom)
    return min(best), max(best)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_bounds_of_proportions_are_those_of_brute_force(seed):
    """However straddling units split, the proportion stays within the bounds, and reaches them."""
    rng = np.random.default_rng(seed)
    d = rng.integers(1, 60, 6).astype(float)
    n = np.floor(d * rng.random(6))
    shares = np.where(rng.random(6) < 0.4, 1.0, rng.uniform(0.01, 0.99, 6))[:, None]
    row = one(rates(n, d, shares), "share")
    least, most = brute(n, d, shares[:, 0] == 1, shares[:, 0] < 1)
    assert row["lower"] == pytest.approx(100 * least)
    assert row["upper"] == pytest.approx(100 * most)


def test_a_ratio_whose_parts_are_apart_has_wider_bounds():
    """A density's people may be on one side and its land on the other."""
    density = Variable("density", "rate", denominator="km2", part=False, rounding=0.0)
    rules = {"density": density, "km2": count("km2")}
    est = weight_table(
        table({"density": [10.0, 30], "km2": [1.0, 2]}, rules),
        crosswalk(np.array([[1.0], [0.5]])),
        variables=["density"],
    )
    row = one(est, "density")
    assert row[["value", "lower", "upper"]].tolist() == [20.0, 10 / 3, 70.0]


def test_a_rate_above_its_whole_is_taken_as_a_ratio():
    """A rate of 50 per 1 cannot be a share: it is still weighted, its bounds are a ratio's."""
    rules = {"rate": Variable("rate", "rate", denominator="d"), "d": count("d")}
    est = weight_table(
        table({"rate": [50.0, np.nan], "d": [10.0, 10]}, rules),
        crosswalk(np.ones((2, 1))),
        variables=["rate"],
    )
    row = one(est, "rate")
    assert row["value"] == 50.0
    assert row["flag"] == "partly_observed;no_bounds"
    assert est.report.only("above_whole").frame["severity"].tolist() == ["note"]


def test_the_voluntary_survey_is_named():
    """Numbers of the 2011 long form come with a warning that no range can hold."""
    frame = pd.DataFrame({"immigrants": [100.0], "population": [200.0]}, index=["35060001"])
    xw = crosswalk(np.ones((1, 1)))
    names = {"s00": "35060001"}
    xw = lipgeo.Crosswalk(
        xw.frame.replace({"source_id": names}), xw.remainder.replace({"source_id": names}),
        xw.overlaps, xw.quality, xw.sources.rename(index=names), meta=xw.meta,
    )  # fmt: skip
    est = weight_table(CensusTable(frame, level="DA", vintage=2011), xw)
    message = est.report.only("voluntary").frame["message"].iloc[0]
    assert message.endswith("immigrants.")


def test_averages_have_no_bounds_unless_every_unit_is_whole():
    """Totals alone do not tell who of a cut unit is inside; the flag says so."""
    average = Variable("mean", "average", denominator="d", rounding=0.0)
    given_table = table({"mean": [10.0, 40], "d": [100.0, 50]}, {"mean": average, "d": count("d")})
    cut = one(
        weight_table(given_table, crosswalk(np.array([[1.0], [0.5]])), variables=["mean"]), "mean"
    )
    assert cut["value"] == pytest.approx((1000 + 1000) / 125)
    assert cut["flag"] == "no_bounds"
    assert cut[["lower", "upper"]].isna().all()
    whole = one(weight_table(given_table, crosswalk(np.ones((2, 1))), variables=["mean"]), "mean")
    assert whole[["value", "lower", "upper"]].tolist() == [20.0, 20.0, 20.0]


# ---------------------------------------------------------------- medians and indexes


AGES = Variable(
    "age",
    "median",
    rounding=0.0,
    groups=(Group("young", 0, 20), Group("middle", 20, 60), Group("old", 60, np.inf)),
)
CLASSES = {name: count(name) for name in ("young", "middle", "old")}


def test_medians_are_interpolated_from_grouped_counts():
    """The value that half the people lie below, in the class where it lies."""
    columns = {"young": [10.0, 0], "middle": [20.0, 40], "old": [10.0, 0], "age": [1.0, 1]}
    est = weight_table(
        table(columns, {**CLASSES, "age": AGES}), crosswalk(np.ones((2, 1))), variables=["age"]
    )
    row = one(est, "age")
    assert row["value"] == pytest.approx(20 + 40 * (40 - 10) / 60)
    assert row[["lower", "upper"]].tolist() == [20.0, 60.0]


def test_bounds_of_medians_hold_however_units_split():
    """Edges of classes that no split takes the median across, against every split tried."""
    rng = np.random.default_rng(4)
    for _ in range(40):
        counts = rng.integers(0, 30, (3, 3)).astype(float)
        shares = np.array([[1.0], [0.5], [0.3]])
        columns = dict(zip(CLASSES, counts.T, strict=True)) | {"age": [0.0] * 3}
        est = weight_table(
            table(columns, {**CLASSES, "age": AGES}), crosswalk(shares), variables=["age"]
        )
        row = one(est, "age")
        for keep in itertools.product((0.0, 1.0), repeat=6):
            part = counts[0] + counts[1] * keep[:3] + counts[2] * keep[3:]
            upto = np.cumsum(part)
            if upto[-1] == 0:
                continue
            middle = int(np.argmax(upto >= upto[-1] / 2))
            low, high = ((0, 20), (20, 60), (60, np.inf))[middle]
            assert row["lower"] <= low
            assert np.isnan(row["upper"]) or row["upper"] >= high


def test_medians_without_groups_have_only_a_range():
    """The least and greatest of the units' medians, and never their average."""
    income = Variable("income", "median", rounding=0.0)
    given_table = table({"income": [40_000.0, 60_000, 20_000]}, {"income": income})
    cut = one(weight_table(given_table, crosswalk(np.array([[1.0], [0.4], [0]]))), "income")
    assert np.isnan(cut["value"])
    assert cut[["lower", "upper"]].tolist() == [40_000.0, 60_000.0]
    assert cut["flag"] == "range_only"
    alone = one(weight_table(given_table, crosswalk(np.array([[1.0], [0], [0]]))), "income")
    assert alone["value"] == 40_000.0
    assert alone["flag"] == ""


def test_a_median_in_an_open_class_is_told_by_the_units_own():
    """The last class has no end: the units' own medians say where in it the middle is."""
    columns = {"young": [1.0], "middle": [1.0], "old": [8.0], "age": [70.0]}
    est = weight_table(
        table(columns, {**CLASSES, "age": AGES}), crosswalk(np.ones((1, 1))), variables=["age"]
    )
    row = one(est, "age")
    assert row["flag"] == "open_class;upper_unknown"
    # the units' own medians say where in it the middle lies
    assert row["value"] == 70.0
    assert row["likely_lower"] <= 70.0 <= row["likely_upper"]


def test_an_index_is_refused():
    """Asked for, it is an error; in a table with others, a flag and a line of the report."""
    rules = {"index": Variable("index", "index"), "n": count("n")}
    given_table = table({"index": [1.0, 2], "n": [1.0, 2]}, rules)
    xw = crosswalk(np.ones((2, 1)))
    with pytest.raises(TableError, match="index cannot be weighted"):
        weight_table(given_table, xw, variables=["index"])
    est = weight_table(given_table, xw)
    assert one(est, "index")["flag"] == "index_refused"
    assert one(est, "index").loc["value":"observed_share"].isna().all()
    assert est.report.only("index_refused").frame["severity"].tolist() == ["warning"]


# ---------------------------------------------------------------- rounding, sampling, ranges


def test_rounding_and_sampling_go_by_the_variable():
    """Base 5 moves a count by 4 at most, with a deviation of 2; the long form adds 3 a person."""
    rules = {
        "exact": count("exact"),
        "rounded": count("rounded", rounding=5.0),
        "sampled": count("sampled", rounding=5.0, sampled=True),
    }
    values = {name: [100.0, 40.0] for name in rules}
    est = weight_table(table(values, rules), crosswalk(np.array([[1.0], [0.5]])))
    numbers = est.frame.set_index("variable")[["rounding_max", "rounding_sd", "sampling_se"]]
    assert numbers.loc["exact"].tolist() == [0, 0, 0]
    assert numbers.loc["rounded"].tolist() == pytest.approx([6.0, np.sqrt(5), 0])
    assert numbers.loc["sampled"].tolist() == pytest.approx([6.0, np.sqrt(5), np.sqrt(3 * 110)])


def test_small_long_form_counts_and_small_blocks_are_rounded_more():
    """Long-form counts below 10 go to 0 or 10; blocks below 15 people to base 5."""
    sampled = count("n", rounding=5.0, sampled=True)
    est = weight_table(table({"n": [10.0]}, {"n": sampled}), crosswalk(np.ones((1, 1))))
    assert one(est, "n")["rounding_max"] == 9.0
    frame = pd.DataFrame({"population": [10.0, 90.0]}, index=["35060001001", "35060001002"])
    blocks = CensusTable(frame, level="DB", vintage=2021)
    xw = crosswalk(np.ones((2, 1)))
    names = dict(zip(source_ids(2), frame.index, strict=True))
    xw = lipgeo.Crosswalk(
        xw.frame.replace({"source_id": names}), xw.remainder.replace({"source_id": names}),
        xw.overlaps, xw.quality, xw.sources.rename(index=names), meta=xw.meta,
    )  # fmt: skip
    assert one(weight_table(blocks, xw), "population")["rounding_max"] == 4.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_ranges_hold_the_value_and_lie_where_they_must(seed):
    """The bounds and the likely range hold the value, and counts are not negative."""
    rng = np.random.default_rng(seed)
    shares = random_shares(rng, 20, 3)
    surface = np.clip(shares * rng.uniform(0.8, 1.2, shares.shape), 0, 1)
    d = rng.integers(0, 300, 20).astype(float)
    n = np.floor(d * rng.random(20))
    rules = {
        "n": count("n", denominator="d", rounding=5.0, sampled=True),
        "d": count("d", rounding=5.0),
        "share": PERCENT,
    }
    hidden = rng.random(20) < 0.2
    given_table = table({"n": np.where(hidden, np.nan, n), "d": d}, rules)
    frame = weight_table(
        given_table, crosswalk(shares, surface), variables=["n", "d", PERCENT]
    ).frame.dropna(subset=["value"])
    slack = 1e-9 * frame["value"].abs()
    assert (frame["lower"] <= frame["value"] + slack).all()
    assert (frame["upper"].isna() | (frame["value"] <= frame["upper"] + slack)).all()
    assert (frame["likely_lower"] <= frame["value"] + slack).all()
    assert (frame["likely_upper"] + slack >= frame["value"]).all()
    assert (frame["likely_lower"] >= 0).all()


def test_whole_units_have_no_doubt_but_rounding():
    """Where no unit is cut bounds are what rounding can have moved, the range is rounding alone."""
    est = weight_table(
        table({"n": [20.0, 30]}, {"n": count("n", rounding=5.0)}), crosswalk(np.ones((2, 1)))
    )
    row = one(est, "n")
    assert row[["lower", "value", "upper"]].tolist() == [42.0, 50.0, 58.0]
    half = 1.6449 * np.sqrt(8)
    assert row["likely_upper"] - row["value"] == pytest.approx(half)


def test_what_parents_teach_narrows_the_range():
    """Where parents split as their people do, the range is narrower than the borrowed one."""
    rng = np.random.default_rng(1)
    shares = np.repeat(rng.uniform(0.1, 0.9, 60), 4)[:, None]
    shares = np.hstack([shares, 1 - shares])[:, :1].repeat(1, axis=1)
    people = np.full(240, 100.0)
    plain = table({"n": people}, {"n": count("n")})
    parents = pd.Series(np.repeat(np.arange(60), 4).astype(str), index=source_ids(240))
    xw = crosswalk(shares, held=people)
    borrowed = one(weight_table(plain, xw), "n")
    taught = weight_table(plain.with_parents(parents), xw)
    assert taught.error_model.loc["n", "splits"] == 60
    assert (
        one(taught, "n")["likely_upper"] - one(taught, "n")["value"]
        < borrowed["likely_upper"] - borrowed["value"]
    )


# ---------------------------------------------------------------- several tables and crosswalks


def test_each_variable_goes_by_its_own_basis():
    """Dwellings are shared by dwellings where that crosswalk is there; else the flag says so."""
    rules = {"n": count("n"), "homes": count("homes", basis="dwellings", universe="dwellings")}
    given_table = table({"n": [10.0], "homes": [10.0]}, rules)
    people = crosswalk(np.array([[0.5]]))
    homes = crosswalk(np.array([[0.2]]), weight="dwellings")
    both = weight_table(given_table, {"population": people, "dwellings": homes}).wide().loc["t0"]
    assert both.tolist() == [5.0, 2.0]
    alone = weight_table(given_table, people)
    assert one(alone, "homes")["flag"] == "other_basis"


def test_tables_that_share_no_ground_add_up():
    """A published row for one part and shares for the rest are one number, explained as such."""
    rules = {"n": count("n")}
    first = table({"n": [10.0, 20]}, rules)
    second = CensusTable(
        pd.DataFrame({"n": [100.0]}, index=["city"]), rules, level=None, vintage=None
    )
    xw = crosswalk(np.array([[1.0, 0], [0.5, 0.5]]))
    one_city = crosswalk(np.array([[1.0]]))
    city = lipgeo.Crosswalk(
        one_city.frame.assign(source_id="city"),
        one_city.remainder.assign(source_id="city"),
        one_city.overlaps,
        one_city.quality,
        one_city.sources.rename(index={"s00": "city"}),
        meta=one_city.meta,
    )
    est = weight_table([first, second], [xw, city])
    assert est.wide()["n"].tolist() == [120.0, 10.0]
    shown = est.explain("t0", "n")
    assert shown["source_id"].tolist()[:3] == ["city", "s00", "s01"]
    assert shown.set_index("row").loc["sum", "contribution"] == 120.0


def test_basis_is_told_by_area():
    """Areas that are sets of units are unions, the others as drawn."""
    est = weight_table(
        table({"n": [1.0]}, {"n": count("n")}),
        crosswalk(np.array([[0.5, 0.5]]), listed=("t1",)),
    )
    assert est.frame["basis"].tolist() == ["drawn", "union"]


# ---------------------------------------------------------------- explanation


def test_explain_shows_each_unit_and_adds_up():
    """Each unit with its file, then sum, what was put in, value, rounding, official total."""
    given_table = CensusTable(
        pd.DataFrame({"n": [10.0, 20, np.nan]}, index=source_ids(3)),
        {"n": count("n", rounding=5.0)},
        level=None,
        vintage=None,
        symbols=pd.DataFrame({"n": ["", "E", "x"]}, index=source_ids(3)),
        names=pd.Series(["Un", "Deux", "Trois"], index=source_ids(3)),
        sources=pd.DataFrame({"file": ["a.csv", "b.csv"], "sha256": ["aa", "bb"]}),
        origin=pd.Series([0, 1, 1], index=source_ids(3)),
    )
    official = pd.DataFrame({"n": [31.0]}, index=["t0"])
    est = weight_table(given_table, crosswalk(np.array([[1.0], [0.5], [0.25]])), official=official)
    shown = est.explain("t0", "n")
    units = shown[shown["row"].eq("unit")]
    assert units["source_id"].tolist() == ["s00", "s01", "s02"]
    assert units["name"].tolist() == ["Un", "Deux", "Trois"]
    assert units["published"].tolist()[:2] == [10.0, 20.0]
    assert units["symbol"].tolist() == ["", "E", "x"]
    assert units["share"].tolist() == [1.0, 0.5, 0.25]
    assert units["contribution"].tolist()[:2] == [10.0, 10.0]
    assert pd.isna(units["contribution"].iloc[2])
    assert units["status"].tolist() == ["inside", "straddling", "straddling"]
    assert units["reason"].tolist() == ["", "", "x"]
    assert units["file"].tolist() == ["a.csv", "b.csv", "b.csv"]
    assert units["sha256"].tolist() == ["aa", "bb", "bb"]
    tail = shown.set_index("row")
    assert tail.loc["sum", "contribution"] == 20.0
    assert tail.loc["not_observed", "contribution"] == pytest.approx(20 * 175 / 150 - 20)
    assert tail.loc["value", "published"] == pytest.approx(20 * 175 / 150)
    assert tail.loc["rounding", "published"] == pytest.approx(4 * 1.5 * 175 / 150)
    assert tail.loc["official", "published"] == 31.0


def test_explain_of_a_rate_gives_numerator_and_denominator():
    """Contributions to both add up to the value."""
    est = rates([10.0, 90], [100.0, 100], np.array([[1.0], [0.5]]))
    tail = est.explain("t0", "share").set_index("row")
    assert tail.loc["sum", "contribution"] == 55.0
    assert tail.loc["sum", "denominator_contribution"] == 150.0
    assert tail.loc["value", "published"] == pytest.approx(100 * 55 / 150)


def test_explain_of_a_median_gives_its_classes():
    """A grouped median shows the people of each class; one without, the units' own medians."""
    columns = {"young": [10.0, 0], "middle": [20.0, 40], "old": [10.0, 0], "age": [1.0, 1]}
    est = weight_table(
        table(columns, {**CLASSES, "age": AGES}), crosswalk(np.ones((2, 1))), variables=["age"]
    )
    shown = est.explain("t0", "age")
    classes = shown[shown["row"].eq("class")].set_index("source_id")["contribution"]
    assert classes.to_dict() == {"young": 10.0, "middle": 60.0, "old": 10.0}


def test_explain_of_what_is_not_there_says_what_is():
    """An unknown area or variable is an error that lists those there are."""
    est = weight_table(table({"n": [1.0]}, {"n": count("n")}), crosswalk(np.ones((1, 1))))
    with pytest.raises(TableError, match=r"no number for area 't9'.*Areas: t0"):
        est.explain("t9", "n")


# ---------------------------------------------------------------- bad input


def test_a_column_without_a_rule_is_not_guessed():
    """Asked for it is an error; else a line of the report, and the others are weighted."""
    given_table = table({"n": [1.0], "mystery": [2.0]}, {"n": count("n")})
    xw = crosswalk(np.ones((1, 1)))
    with pytest.raises(TableError, match=r"no rule.*mystery"):
        weight_table(given_table, xw, variables=["n", "mystery"])
    est = weight_table(given_table, xw)
    assert est.frame["variable"].tolist() == ["n"]
    assert "mystery" in est.report.only("no_rule").frame["message"].iloc[0]
    with pytest.raises(TableError, match="No column"):
        weight_table(table({"mystery": [2.0]}, {}), xw)


def test_a_rate_without_its_denominator_is_not_weighted():
    """A rule needs a denominator, and the table needs its column."""
    with pytest.raises(TableError, match="needs the name of its denominator"):
        Variable("share", "percent")
    given_table = table(
        {"share": [5.0], "n": [1.0]},
        {"share": Variable("share", "percent", denominator="d"), "n": count("n")},
    )
    xw = crosswalk(np.ones((1, 1)))
    with pytest.raises(TableError, match=r"share: the total d is not there"):
        weight_table(given_table, xw, variables=["share"])
    est = weight_table(given_table, xw)
    assert est.report.only("no_part").frame["severity"].tolist() == ["warning"]


def test_ids_half_unknown_are_counted_in_the_report():
    """Units the crosswalk does not know, and units without a row, are said with their number."""
    frame = pd.DataFrame({"n": [1.0, 2, 3, 4]}, index=["s00", "s01", "zz", "yy"])
    given_table = CensusTable(frame, {"n": count("n")}, level=None, vintage=None)
    est = weight_table(given_table, crosswalk(np.ones((4, 1))))
    assert est.report.only("unknown_units").frame["value"].tolist() == [2.0]
    assert est.report.only("absent_units").frame["value"].tolist() == [2.0]
    assert one(est, "n")["value"] == pytest.approx(6.0)
    stranger = CensusTable(frame.iloc[2:], {"n": count("n")}, level=None, vintage=None)
    with pytest.raises(TableError, match="no unit in common"):
        weight_table(stranger, crosswalk(np.ones((4, 1))))


def test_another_level_or_census_is_refused():
    """Equal ids of another census need not be the same land."""
    frame = pd.DataFrame({"population": [1.0]}, index=["35060001"])
    xw = crosswalk(np.ones((1, 1)))
    of = {**xw.meta, "source_level": "DA", "vintage": 2021}
    xw = lipgeo.Crosswalk(xw.frame, xw.remainder, xw.overlaps, xw.quality, xw.sources, meta=of)
    with pytest.raises(TableError, match="census of 2016 and the crosswalk of 2021"):
        weight_table(CensusTable(frame, level="DA", vintage=2016), xw)
    with pytest.raises(TableError, match="level ADA and the crosswalk shares out DA"):
        weight_table(CensusTable(frame, level="ADA", vintage=2021), xw)


def test_what_is_no_table_or_crosswalk_is_refused():
    """Frames, numbers of tables and crosswalks that differ: a clear error."""
    xw = crosswalk(np.ones((1, 1)))
    good = table({"n": [1.0]}, {"n": count("n")})
    with pytest.raises(TableError, match="needs a CensusTable"):
        weight_table([good, good], [xw])
    with pytest.raises(TableError, match="needs a CensusTable"):
        weight_table([good.frame], [xw])
    with pytest.raises(TableError, match="needs a crosswalk"):
        weight_table(good, {"population": "xw"})
    with pytest.raises(TableError, match="Official totals"):
        weight_table(good, xw, official=pd.DataFrame({"n": [1.0]}, index=["elsewhere"]))


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, (5,), elements=st.integers(0, 1_000_000).map(float)))
def test_flags_are_always_known_ones(values):
    """Every flag that can stand is in the list the documentation gives."""
    est = weight_table(table({"n": values}, {"n": count("n")}), crosswalk(SHARES[:5]))
    flags = set(";".join(est.frame["flag"]).split(";")) - {""}
    assert flags <= set(FLAGS)
