"""The census: units and counts by level, rows in one order, membership by ids."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
import toytown
from hypothesis import given
from hypothesis import strategies as st

from lipgeo import ServiceAreas, fit_boundaries, synthetic
from lipgeo.census import Census, MemoryCensus
from lipgeo.census.data import child_index, expand, hierarchical_order, hilbert
from lipgeo.errors import InputError, MissingLevelError, UnknownUnitError


@pytest.fixture(scope="module")
def census() -> Census:
    """Return the toy town."""
    return toytown.census()


def test_units_have_names_counts_and_parents(census: Census):
    """Every level has the columns of the contract, whatever the census holds."""
    for level in census.levels:
        units = census.units(level)
        assert units.index.name == "unit_id"
        assert {"unit_name", "unit_type", "dguid", "population", "dwellings", "households"} < set(
            units.columns
        )
        assert "grid_m2" not in units


def test_units_are_a_copy(census: Census):
    """Changing what was handed out changes nothing in the census."""
    units = census.units("DA")
    units["population"] = -1.0
    assert (census.units("DA")["population"] >= 0).all()


def test_absent_columns_are_missing_not_absent():
    """A census without counts has them, missing in every row."""
    frame = pd.DataFrame({"unit_id": ["3506008"], "CD": ["3506"]})
    counts = Census(MemoryCensus(2021, {"CSD": frame}, {})).counts("CSD")
    assert counts.columns.tolist() == ["population", "dwellings", "households"]
    assert counts.isna().all().all()


def test_a_level_that_is_not_held(census: Census):
    """The message says what is held and how to get the level."""
    with pytest.raises(MissingLevelError, match=r"needs the level CT, and the store holds DB, DA"):
        census.units("CT")
    with pytest.raises(MissingLevelError, match="census need"):
        census.zones("CT")


def test_unknown_units_are_listed(census: Census):
    """Ids that are not there are named together, each a row of the problems."""
    given = ["35060001", "35069999", "24010001"]
    with pytest.raises(UnknownUnitError, match="35069999, 24010001") as caught:
        census.rows("DA", given)
    assert caught.value.problems["unit_id"].tolist() == given[1:]
    assert census.rows("DA", given[:1]).shape == (1,)


def test_membership_that_no_file_gives():
    """Asking for children by a parent that the children do not name is no empty answer."""
    das = pd.DataFrame({"unit_id": ["35060001"], "PR": ["35"]})
    fed = pd.DataFrame({"unit_id": ["35075"], "PR": ["35"]})
    data = MemoryCensus(2021, {"DA": das, "FED": fed}, {})
    with pytest.raises(MissingLevelError, match="do not say in which FED they are"):
        data.children("FED", np.array([0]), "DA")


def test_atoms_of_a_unit(census: Census):
    """A unit is the set of finest units inside it; the finest are themselves."""
    rows = census.rows("DA", [toytown.DA_IDS["P"]])
    owner, atoms = census.atoms("DA", rows)
    ids = census.units("DB").index[atoms]
    assert set(ids) == {toytown.DB_IDS[letter] for letter in "abef"}
    assert owner.tolist() == [0] * 4
    assert census.atoms("DB", rows)[1].tolist() == rows.tolist()


def test_zones_read_polygons_when_asked(census: Census):
    """Zones of a level have its ids, boxes, counts and polygons, in the level's order."""
    zones = census.zones("DB")
    assert (len(zones), zones.level, zones.vintage) == (12, "DB", 2021)
    assert np.array_equal(zones.boxes, shapely.bounds(zones.geometry))
    assert zones.data.loc[list(zones.ids), "population"].sum() == 1000


def test_a_line_that_says_what_is_held(census: Census):
    """The first look in a notebook names the levels and how many units each has."""
    assert repr(census) == "<Census 2021: 12 DB, 4 DA, 2 CSD, 1 CD, 1 PR>"


def test_a_name_in_work_and_a_code_in_memory(census: Census):
    """Text columns have one dtype whatever they were given as."""
    frame = census.data.attributes("DB")
    assert str(frame["DA"].dtype) == "string"
    assert frame["population"].dtype == np.float64


# -- the order of rows ---------------------------------------------------------------------------

_UNITS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 50), st.integers(0, 50)),
    min_size=1,
    max_size=40,
    unique=True,
)


def _levels(units: list[tuple[int, int, int, int]]) -> tuple[dict, dict]:
    blocks = pd.DataFrame(units, columns=["csd", "da", "x", "y"])
    blocks["CSD"] = "350600" + blocks["csd"].astype(str)
    blocks["DA"] = "3506" + blocks["csd"].astype(str) + blocks["da"].astype(str).str.zfill(3)
    number = blocks.groupby("DA").cumcount().astype(str).str.zfill(3)
    blocks["unit_id"] = blocks["DA"] + number
    x, y = 7.4e6 + blocks["x"] * 1000.0, 1.2e6 + blocks["y"] * 1000.0
    boxes = {"DB": np.column_stack([x, y, x + 900, y + 900])}
    frames = {"DB": blocks[["unit_id", "DA", "CSD"]]}
    for level in ("DA", "CSD"):
        parents = [p for p in ("CSD",) if level == "DA"]
        units_of = blocks[[level, *parents]].drop_duplicates().reset_index(drop=True)
        frames[level] = units_of.rename(columns={level: "unit_id"})
        boxes[level] = np.full((len(units_of), 4), np.nan)
    return frames, boxes


@given(units=_UNITS, seed=st.integers(0, 100))
def test_the_order_of_input_rows_does_not_count(units: list, seed: int):
    """Shuffled rows come out in the same order."""
    frames, boxes = _levels(units)
    order = hierarchical_order(frames, boxes)
    rng = np.random.default_rng(seed)
    mixed = {level: rng.permutation(len(frame)) for level, frame in frames.items()}
    again = hierarchical_order(
        {level: frame.iloc[mixed[level]].reset_index(drop=True) for level, frame in frames.items()},
        {level: box[mixed[level]] for level, box in boxes.items()},
    )
    for level, frame in frames.items():
        ids = frame["unit_id"].to_numpy()
        assert ids[order[level]].tolist() == ids[mixed[level]][again[level]].tolist()


@given(units=_UNITS)
def test_children_stand_together(units: list):
    """Blocks of an area, areas and blocks of a subdivision are each one run of rows."""
    frames, boxes = _levels(units)
    order = hierarchical_order(frames, boxes)
    for child, parent in (("DB", "DA"), ("DB", "CSD"), ("DA", "CSD")):
        values = frames[child][parent].to_numpy()[order[child]]
        runs = 1 + (values[1:] != values[:-1]).sum()
        assert runs == len(set(values))


@given(st.lists(st.tuples(st.floats(3e6, 1e7), st.floats(0, 7e6)), min_size=2, max_size=30))
def test_a_place_on_the_curve_is_in_range(points: list):
    """Every place in Canada has a position; none is negative, missing boxes come last."""
    boxes = np.array([(x, y, x, y) for x, y in points])
    boxes[0] = np.nan
    place = hilbert(boxes)
    assert np.isinf(place[0])
    assert ((place[1:] >= 0) & (place[1:] < 4.0**16)).all()


def test_the_curve_visits_each_cell_once():
    """On a grid of one cell a step, positions are all different and steps are to a neighbour."""
    side = 7.0e6 / 65536
    column, row = (part.ravel() for part in np.meshgrid(np.arange(8), np.arange(8)))
    x, y = 3.0e6 + (column + 0.5) * side, (row + 0.5) * side
    order = np.argsort(hilbert(np.column_stack([x, y, x, y])))
    assert (np.abs(np.diff(column[order])) + np.abs(np.diff(row[order])) == 1).all()


@given(
    parents=st.lists(st.integers(0, 5), max_size=30),
    rows=st.lists(st.integers(0, 5), max_size=8),
)
def test_children_against_a_slow_loop(parents: list[int], rows: list[int]):
    """The index of children gives what a loop over all pairs gives."""
    ids = pd.Series([str(unit) for unit in range(6)])
    of_child = pd.Series([str(unit) if unit < 5 else pd.NA for unit in parents], dtype="string")
    owner, child = expand(*child_index(ids, of_child), np.array(rows, dtype=np.int64))
    slow = [
        (position, k)
        for position, row in enumerate(rows)
        for k, parent in enumerate(parents)
        if parent == row and parent < 5
    ]
    assert list(zip(owner.tolist(), child.tolist(), strict=True)) == slow


def test_levels_go_by_code_or_name_in_any_case(tmp_path):
    """Every door that takes a level takes ``da``, ``DA`` and its names; what is none is told."""
    census = synthetic.census(blocks=600, seed=3)
    areas = ServiceAreas.from_frame(synthetic.service_areas(census, 1), id="area_id")
    ids = census.ids("DA")
    for name in ("da", "Da", "dissemination area", "aires de diffusion"):
        assert census.zones(name).level == "DA"
        assert census.units(name).index.equals(census.units("DA").index)
        assert census.size(name) == len(ids)
        assert census.rows(name, ids[:3]).tolist() == [0, 1, 2]
        assert census.ids(name) is ids
        assert census.counts(name).equals(census.counts("DA"))
        assert len(census.atoms(name, census.rows("DA", ids[:1]))[0])
        assert synthetic.table(census, name, incomes=False).frame.index.name == "unit_id"
        assert fit_boundaries(census, areas, unit=name).meta["unit"] == "DA"
    assert fit_boundaries(census, areas, unit="Mixed").meta["unit"] == "mixed"
    assert synthetic.write_files(census, tmp_path, levels=["csd"])[0].name == "lcsd000b21a_e.zip"
    with pytest.raises(InputError, match="'QQ' was given"):
        census.zones("QQ")
    with pytest.raises(MissingLevelError, match="needs the level FED"):
        Census(toytown.census().data).zones("fed")
