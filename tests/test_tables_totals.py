"""Totals that a table lacks: summed of parts that add up to them, or refused."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from longtables import assert_equal, long_of
from made_crosswalk import count, crosswalk, table

from lipgeo import CensusTable, ServiceAreas, build_crosswalk, synthetic, weight_table
from lipgeo.errors import TableError
from lipgeo.tables.variables import as_percent_of, known_variables, variable

PARTS = ["non_immigrants", "immigrants", "non_permanent_residents"]
SHARES = np.array([[1, 0], [0.25, 0.75], [0, 1]])


def units(**columns) -> CensusTable:
    """Return a table of three zones, its columns those of the dictionary."""
    return table(columns, {name: variable(name) for name in columns})


@pytest.fixture(scope="module")
def town():
    """Return a made census's table, whole and with suppressed cells, and shares of its units."""
    census = synthetic.census(1_500, seed=3)
    areas = ServiceAreas.from_frame(synthetic.service_areas(census, count=4, seed=3), id="area_id")
    tables = [synthetic.table(census, "DA", suppressed=share, seed=3) for share in (0.0, 0.05)]
    return *tables, build_crosswalk(census.zones("DA"), areas, weight="population")


def without(made: CensusTable, *names: str) -> CensusTable:
    """Return a table without some of its columns."""
    symbols = made.symbols.drop(columns=[*names], errors="ignore")
    return CensusTable(
        made.frame.drop(columns=[*names]), level=made.level, vintage=made.vintage, symbols=symbols
    )


def test_a_total_is_summed_of_the_parts_that_partition_it():
    """The percentage is that of the ready total, and a note says that the total was summed."""
    columns = {"immigrants": [30.0, 40, 50], "non_immigrants": [60.0, 50, 40],
               "non_permanent_residents": [10.0, 10, 10]}  # fmt: skip
    ready = units(**columns, immigrant_status_total=[100.0, 100, 100])
    xw = crosswalk(SHARES)
    expected = weight_table(ready, xw, variables=["immigrants_pct"])
    found = weight_table(units(**columns), xw, variables=["immigrants_pct"])
    assert found.frame["value"].tolist() == expected.frame["value"].tolist()
    assert (found.frame["lower"] <= expected.frame["lower"]).all()  # rounded three times, not once
    assert (found.frame["upper"] >= expected.frame["upper"]).all()
    (told,) = [one for one in found.report if one.key == "tables.total_summed"]
    assert all(name in told.message for name in ["immigrant_status_total", *PARTS])


def test_summed_and_ready_totals_agree_within_rounding(town):
    """On a made census; and in long form as in memory, with hidden and suppressed cells."""
    made, holed, xw = town
    names = ["immigrants_pct", "immigrants", "non_immigrants_pct"]
    ready = weight_table(without(made), xw, variables=names, hidden="as_published").frame
    short = without(made, "immigrant_status_total")
    found = weight_table(short, xw, variables=names, hidden="as_published").frame
    assert found["value"].notna().sum() >= 10
    apart = (ready["value"] - found["value"]).abs()
    assert (apart <= found["rounding_max"] + ready["rounding_max"]).all()
    assert 0 < apart[ready["rule"].eq("percent")].max() < 1
    assert (apart[ready["rule"].eq("count")] == 0).all()
    holed = without(holed, "immigrant_status_total")
    assert_equal(
        weight_table(holed, xw, variables=names).frame,
        weight_table(long_of(holed), xw, variables=names).frame,
    )


def test_a_total_is_missing_where_a_part_is():
    """A unit of which one part is suppressed has no total, and the symbol of the part stands."""
    given = units(
        immigrants=[30.0, 40, 50], non_immigrants=[60.0, np.nan, 40],
        non_permanent_residents=[10.0, 10, 10],
    )  # fmt: skip
    symbols = pd.DataFrame({"non_immigrants": ["", "x", ""]}, index=given.unit_ids)
    marked = CensusTable(given.frame, given.variables, level=None, vintage=None, symbols=symbols)
    summed = marked.with_totals({"immigrant_status_total": PARTS})
    assert summed.frame["immigrant_status_total"].isna().tolist() == [False, True, False]
    assert summed.symbols["immigrant_status_total"].tolist() == ["", "x", ""]
    assert summed.only([True, True, False]).parts_summed("immigrant_status_total") == tuple(PARTS)


def test_parts_that_do_not_add_up_are_no_total():
    """The error lists what was found and what was not, and says how another column is named."""
    given = units(immigrants=[30.0, 40, 50], non_immigrants=[60.0, 50, 40], population=[100.0] * 3)
    with pytest.raises(TableError, match="it not") as caught:
        weight_table(given, crosswalk(SHARES), variables=["immigrants_pct", "population"])
    said = str(caught.value)
    for word in ("non_immigrants", "not non_permanent_residents", "--percent-of", "population"):
        assert word in said
    assert caught.value.problems["found"].tolist() == ["non_immigrants, immigrants"]


def test_percentages_may_be_of_a_column_that_is_named():
    """The value is over that column, and the label says so; a count and a stranger are refused."""
    given = units(immigrants=[30.0, 40, 50], population=[100.0, 200, 50])
    xw = crosswalk(SHARES)
    found = weight_table(given, xw, variables=["immigrants_pct"], percent_of="population")
    assert found.frame["value"].iloc[0] == pytest.approx(100 * (30 + 10) / (100 + 50))
    named = as_percent_of(variable("immigrants_pct"), variable("population"))
    assert (named.label, named.denominator) == ("Immigrants (% of Population)", "population")
    with pytest.raises(TableError, match="no percentage is among"):
        weight_table(given, xw, variables=["immigrants"], percent_of="population")
    with pytest.raises(TableError, match="not in the table: people"):
        weight_table(given, xw, variables=["immigrants_pct"], percent_of="people")
    own = table({"newcomers": [1.0, 2, 3], "all": [4.0] * 3},
                {"newcomers": count("newcomers"), "all": count("all")})  # fmt: skip
    found = weight_table(own, xw, variables=["newcomers_pct"], percent_of="all")
    assert found.frame["value"].iloc[0] == pytest.approx(100 * 1.5 / 5)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("vintage", "name"),
    [(2016, "98-401-X2016058_meta.txt"), (2021, "98-401-X2021003_meta.txt")],
)
def test_parts_of_the_dictionary_partition_their_totals_as_published(realdata, vintage, name):
    """In Statistics Canada's own list each member under a total is in one part, and only one."""
    text = (realdata / "members" / name).read_text(encoding="utf-8", errors="replace")
    under: dict[str, list[str]] = {}
    path: list[tuple[int, str]] = []
    seen: list[str] = []
    for line in text.splitlines():
        row = re.match(r"^ *(\d+)(?:\t|\.)( *)\S", line)
        if row is None or int(row[1]) != len(seen) + 1:  # footnotes have numbers, too
            continue
        seen.append(row[1])
        depth = len(row[2])
        path = [one for one in path if one[0] < depth]
        if path:
            under.setdefault(path[-1][1], []).append(row[1])
        path.append((depth, row[1]))

    def is_covered(member: str, parts: set[str]) -> bool:
        below = under.get(member, [])
        if member in parts:
            return not any(touches(one, parts) for one in below)
        return bool(below) and all(is_covered(one, parts) for one in below)

    def touches(member: str, parts: set[str]) -> bool:
        return member in parts or any(touches(one, parts) for one in under.get(member, []))

    known = known_variables(vintage)
    ids = {
        one.name: place.id
        for one in known.values()
        for place in one.characteristics
        if place.vintage == vintage and place.id
    }
    looked = 0
    for one in known.values():
        if one.parts and one.name in ids:
            assert set(one.parts) <= set(ids), one.name
            parts = {ids[part] for part in one.parts}
            assert all(is_covered(child, parts) for child in under[ids[one.name]]), one.name
            looked += 1
    assert looked == 10
