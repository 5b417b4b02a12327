"""Checks on fitted areas: each finds what was planted, and only that."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import toytown

from lipgeo.areas import ServiceAreas
from lipgeo.boundary import fit_boundaries
from lipgeo.boundary.checks import check_conservation, check_coverage, check_floors, check_overlaps
from lipgeo.census import Census
from lipgeo.crosswalk import Crosswalk, build_crosswalk
from lipgeo.words import speaking


@pytest.fixture(scope="module")
def town() -> Census:
    """Return the toy town."""
    return toytown.census()


def _areas(people: list[float], floor: list[int], units: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "area_id": [f"a{n}" for n in range(len(people))],
            "unit_count": units,
            "population_union": people,
            "floor_persons": floor,
            "below_floor": np.array(people) < np.array(floor),
        }
    )


def test_floors_by_what_an_area_is_built_of() -> None:
    """39 of 40 and 99 of 100 are found, 40 of 40 is not; an unknown population is said."""
    report = check_floors(_areas([39, 40, 99, 100, np.nan], [40, 40, 100, 100, 40]), 2016)
    below = report.only("below_floor").frame
    assert below[["subject", "value", "limit"]].to_numpy().tolist() == [
        ["a0", 39.0, 40.0],
        ["a2", 99.0, 100.0],
    ]
    assert report.only("floor_unknown").frame["subject"].tolist() == ["a4"]
    assert len(report) == 3


def test_floors_carried_forward_are_said() -> None:
    """The numbers of 2021 are those of earlier censuses: a note, once."""
    report = check_floors(_areas([500], [40]), 2021)
    assert [f.check for f in report] == ["floor_certainty"]
    assert report.ok


def test_an_area_without_units_is_not_below_a_floor() -> None:
    """Nothing is released for nothing: that is another finding."""
    assert not check_floors(_areas([0], [40], units=0), 2016)


def test_people_counted_twice(town) -> None:
    """Two unions with blocks b and f in common: 200 people; f alone would be a note."""
    blocks = {letter: town.rows("DB", [unit])[0] for letter, unit in toytown.DB_IDS.items()}

    def unions(*letters: str) -> pd.DataFrame:
        pairs = [(n, blocks[x]) for n, area in enumerate(letters) for x in area]
        return pd.DataFrame(pairs, columns=["area", "atom"])

    ids = pd.Index(["x", "y", "z"])
    report = check_overlaps(town, unions("abf", "bf", "f"), ids).frame
    assert report[["subject", "severity", "value"]].to_numpy().tolist() == [
        ["x", "warning", 200.0],
        ["x", "note", 0.0],
        ["y", "note", 0.0],
    ]
    assert "x and y share 2 DB units: 200 people" in report["message"].iloc[0]
    assert not check_overlaps(town, unions("ab", "cd"), ids)


def test_conservation_is_proved_and_a_loss_is_found(town) -> None:
    """Sums of areas are sums of units; a person too many, or a share torn, is an error."""
    areas = ServiceAreas.from_frame(toytown.areas(), id="area_id")
    shares = build_crosswalk(town.zones("DB"), areas, weight="population")
    units = pd.DataFrame({"area": [0, 0], "level": "DB", "census_row": town.rows("DB", _ids("ab"))})
    whole = pd.DataFrame({"population_union": [300.0, 0.0]})
    assert not check_conservation(town, units, whole, [shares])
    report = check_conservation(town, units, whole + 1, [shares])
    assert [f.check for f in report] == ["union_not_conserved"]
    assert report.worst == "error"
    torn = Crosswalk(
        shares.frame,
        shares.remainder.assign(share=0.0),
        shares.overlaps,
        shares.quality,
        shares.sources,
        meta=shares.meta,
    )
    found = check_conservation(town, units, whole, [torn])
    assert {"not_conserved", "total_not_conserved"} >= {f.check for f in found} != set()


def _ids(letters: str) -> list[str]:
    return [toytown.DB_IDS[letter] for letter in letters]


def test_a_unit_in_two_areas_counts_in_both(town) -> None:
    """The sum over areas may exceed the town: each area holds all of its people."""
    units = pd.DataFrame({"area": [0, 1], "level": "DB", "census_row": town.rows("DB", _ids("aa"))})
    assert not check_conservation(town, units, pd.DataFrame({"population_union": [100.0] * 2}), [])


def test_areas_partly_outside_the_census(town) -> None:
    """Half a percent is the sea's; more is said."""
    areas = ServiceAreas.from_frame(toytown.areas(), id="area_id")
    coverage = pd.Series({"1": 0.996, "2": 0.9, "3": 1.0})
    report = check_coverage(town, areas, coverage)
    assert report.frame[["subject", "check", "severity"]].to_numpy().tolist() == [
        ["2", "partly_outside", "warning"]
    ]
    assert report.findings[0].value == pytest.approx(0.1)


def test_findings_speak_french() -> None:
    """The sentence is in the language in force."""
    with speaking("fr"):
        report = check_floors(_areas([39], [40]), 2016)
    assert "sous le seuil de 40" in report.findings[0].message


def test_areas_that_fit_poorly_are_judged_and_a_finer_level_is_named() -> None:
    """Misfit of people by hand: 1 holds 340 and gets P of 360, 2 holds 160 and gets R of 200."""
    areas = ServiceAreas.from_frame(toytown.areas(), id="area_id").select(["1", "2"])
    fitted = fit_boundaries(toytown.census(), areas, unit="DA")
    found = {one.subject: one for one in fitted.report.only("poor_fit")}
    assert {one.severity for one in found.values()} == {"warning"}
    # P: half of c (40) is left out, e and f (60) come from outside
    assert found["1"].value == pytest.approx(100 / 340)
    assert "leave out 40 and add 60" in found["1"].sentence
    # by blocks only the other half of c would come in
    assert "Fitted from DB units instead, the misfit would be about 11.8%" in found["1"].sentence
    # R: block e (60) is left out, the other halves of i and j (100) come in; by blocks only these
    assert found["2"].value == pytest.approx(160 / 160)
    assert "Fitted from DB units instead, the misfit would be about 62.5%" in found["2"].sentence
    assert fitted.areas["flags"].str.contains("poor_fit").all()
    assert not fitted.report.ok


def test_where_nothing_finer_helps_it_is_said() -> None:
    """From blocks area 1 is looked at (a note), area 2 fits poorly, and no level is named."""
    areas = ServiceAreas.from_frame(toytown.areas(), id="area_id")
    fitted = fit_boundaries(toytown.census(), areas, unit="DB")
    found = {one.subject: one for one in fitted.report.only("poor_fit")}
    assert {name: one.severity for name, one in found.items()} == {"2": "warning", "1": "note"}
    assert found["1"].value == pytest.approx(40 / 340)
    assert not any("Fitted from" in one.sentence for one in found.values())
    flagged = fitted.areas.set_index("area_id")["flags"].str.contains("poor_fit")
    assert flagged["2"]
    assert not flagged[["1", "3"]].any()
