"""Dissolving units into areas: right where they form a coverage, and where they do not."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toytown import draw

from lipgeo.zones.dissolve import _union, dissolve, join_by_edges, parts_and_holes
from lipgeo.zones.validity import make_valid_polygons


def _grid(side: int) -> np.ndarray:
    """Return side x side squares, row by row."""
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    return shapely.box(x.ravel(), y.ravel(), x.ravel() + 1, y.ravel() + 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 24)), unique=True, max_size=40))
def test_equals_the_plain_union(pairs: list[tuple[int, int]]) -> None:
    """Whatever units an area has, in parts, with holes, shared with others: the plain union."""
    squares = _grid(5)
    made = dissolve(squares, [a for a, _ in pairs], [u for _, u in pairs], count=3)
    for area in range(3):
        plain = shapely.union_all(squares[[u for a, u in pairs if a == area]])
        assert made.geometry[area].is_valid
        assert made.geometry[area].area == pytest.approx(plain.area, rel=1e-9)
        assert shapely.symmetric_difference(made.geometry[area], plain).area < 1e-9
    assert made.faults.empty
    assert made.missing.empty


def _plain(shapes: np.ndarray) -> shapely.Geometry:
    """Return the union by the slow and general way, of polygons made valid."""
    return shapely.union_all(make_valid_polygons(np.asarray(shapes, dtype=object))[0])


def _pinned(union: shapely.Geometry) -> bool:
    """Whether two parts of a union touch at more than one point."""
    parts = shapely.get_parts(union)
    one, other = np.triu_indices(len(parts), 1)
    return bool(
        (shapely.get_num_geometries(shapely.intersection(parts[one], parts[other])) > 1).any()
    )


@settings(max_examples=150, deadline=None)
@example([int(one) for one in "0" * 25 + "100000101000001" + "0" * 9], {0}, 0)
@given(
    st.lists(st.integers(0, 5), min_size=49, max_size=49),
    st.sets(st.integers(0, 5), min_size=1),
    st.integers(0, 2**32 - 1),
)
def test_a_coverage_is_joined_by_its_edges_alone(
    owner: list[int], members: set[int], seed: int
) -> None:
    """Units in parts, with holes, in holes of others, touching at corners, jittered: no fault.

    The union is that of the general way, and the same whatever the order of the units and the
    direction of their rings.
    """
    random = np.random.default_rng(seed)
    nodes = np.moveaxis(np.mgrid[:8, :8], 0, -1) * 100.0 + random.uniform(-30, 30, (8, 8, 2))
    units = []
    for unit in sorted(members):
        cells = [divmod(k, 7) for k in np.flatnonzero(np.array(owner) == unit)]
        rings = [[nodes[i, j], nodes[i + 1, j], nodes[i + 1, j + 1], nodes[i, j + 1]]
                 for i, j in cells]  # fmt: skip
        if rings:
            units.append(shapely.coverage_union_all(shapely.polygons(np.array(rings))))
    if not units:
        return
    shapes = np.array(units, dtype=object)
    joined, border = join_by_edges(shapes)
    plain = _plain(shapes)
    if joined is None:
        # an island that touches its lake's shore at several points: left to the general way
        assert _pinned(plain)
        union, wrong, _ = _union(shapes)
        assert not len(wrong)
        assert union.area == pytest.approx(plain.area, rel=1e-12)
        return
    assert joined.is_valid
    assert joined.area == pytest.approx(plain.area, rel=1e-12)
    assert shapely.symmetric_difference(joined, plain).area < 1e-6
    assert shapely.get_num_geometries(joined) == shapely.get_num_geometries(plain)
    assert set(border) <= set(range(len(shapes)))
    other = random.permutation(len(shapes))
    turned = np.where(random.random(len(shapes)) < 0.5, shapely.reverse(shapes), shapes)[other]
    assert join_by_edges(turned)[0].equals_exact(joined)


_CORNER = st.tuples(st.integers(0, 6), st.integers(0, 6))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(_CORNER, min_size=3, max_size=6), min_size=1, max_size=7))
def test_whatever_the_polygons_the_union_is_right(rings: list[list[tuple[int, int]]]) -> None:
    """Overlapping, crossing themselves, doubled, with spikes, touching within an edge: as slow."""
    shapes = np.array([shapely.Polygon(ring) for ring in rings], dtype=object)
    # a polygon that crosses itself has parts walked backwards: its repair says what it is
    valid = make_valid_polygons(shapes)[0]
    for given_shapes in (shapes, valid[~shapely.is_missing(valid)]):
        if not len(given_shapes):
            continue
        members = np.arange(len(given_shapes))
        made = dissolve(given_shapes, members * 0, members, count=1)
        plain = _plain(given_shapes)
        assert made.geometry[0].is_valid
        assert shapely.symmetric_difference(made.geometry[0], plain).area < 1e-9


def test_more_than_two_units_at_one_edge() -> None:
    """Two units drawn twice overlap everywhere, though all their common edges cancel out."""
    twice = np.array([*shapely.box([0, 1], 0, [1, 2], 1)] * 2, dtype=object)
    assert join_by_edges(twice)[0] is None
    made = dissolve(twice, [0] * 4, range(4), count=1)
    assert made.geometry[0].equals(shapely.box(0, 0, 2, 1))
    assert made.faults["unit"].tolist() == [0, 1, 2, 3]


def test_spikes_doubled_points_and_negative_zeros_are_no_fault() -> None:
    """What takes up no place does not keep neighbours apart."""
    left = shapely.Polygon([(-1, 0), (0.0, 0), (0, 0), (0, 1), (0, 2), (0, 1), (-1, 1)])
    right = shapely.Polygon([(-0.0, 1), (-0.0, -0.0), (1, 0), (1, 1)])
    assert join_by_edges(np.array([left, right]))[0].equals(shapely.box(-1, 0, 1, 1))


def test_edges_that_do_not_run_together_are_reported_and_still_joined_right() -> None:
    """A neighbour with an extra vertex off the edge is no coverage: named, and no wrong shape."""
    left = shapely.box(0, 0, 1, 1)
    bulging = shapely.Polygon([(1, 0), (2, 0), (2, 1), (1, 1), (0.99, 0.5)])
    far = shapely.box(2, 0, 3, 1)
    made = dissolve([left, bulging, far], [0, 0, 0], [0, 1, 2], count=1)
    assert made.faults["unit"].tolist() == [0, 1]
    assert (made.faults["edge_m"] > 0.9).all()
    assert made.geometry[0].is_valid
    assert made.geometry[0].area == pytest.approx(3.0, rel=1e-12)


def test_a_fault_in_one_area_leaves_the_others_alone() -> None:
    """Only the area that holds both units at fault takes the general union."""
    overlapping = shapely.box(0.5, 0, 1.5, 1)
    made = dissolve([*_grid(1), overlapping], [0, 0, 1], [0, 1, 1], count=2)
    assert made.faults["area"].unique().tolist() == [0]
    assert made.geometry[0].area == pytest.approx(1.5)
    assert made.geometry[1].equals(overlapping)


def test_invalid_units_are_repaired_and_said() -> None:
    """A bow tie is repaired on a copy, and the change of its area stated."""
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    given_shapes = np.array([bow_tie, shapely.box(5, 5, 6, 6)], dtype=object)
    made = dissolve(given_shapes, [0, 0], [0, 1], count=1)
    assert made.geometry[0].is_valid
    assert made.repaired["unit"].tolist() == [0]
    assert made.repaired["area_change"].iloc[0] > 0
    assert given_shapes[0] is bow_tie


def test_units_without_polygon_are_named_and_an_area_without_any_is_empty() -> None:
    """A unit without polygon is in `missing`; an area of only such is an empty, valid polygon."""
    made = dissolve([None, shapely.box(0, 0, 1, 1)], [0, 1, 1], [0, 0, 1], count=3)
    assert made.missing.to_dict("list") == {"area": [0, 1], "unit": [0, 0]}
    assert made.geometry[0].is_empty
    assert made.geometry[1].area == 1
    assert made.geometry[2].is_empty
    assert shapely.is_valid(made.geometry).all()


def test_parts_and_holes() -> None:
    """Parts and holes are counted over all parts; a corner touch does not join."""
    frame = draw("""
        aaa.b
        a.ab.
        aaa..
    """)
    made = dissolve(frame.geometry.to_numpy(), [0, 1], [0, 1], count=3)
    parts, holes = parts_and_holes(made.geometry)
    assert parts.tolist() == [1, 2, 0]
    assert holes.tolist() == [1, 0, 0]


@pytest.mark.realdata
def test_calgary_has_two_units_at_fault(realdata) -> None:
    """Calgary's DAs are no coverage at two units; the union is still exact and valid."""
    frame = gpd.read_file(realdata / "calgary_2021" / "da.gpkg").to_crs(3347)
    shapes = frame.geometry.to_numpy()
    made = dissolve(shapes, np.zeros(len(shapes), int), np.arange(len(shapes)), count=1)
    assert len(made.faults) == 2
    assert made.geometry[0].is_valid
    assert made.geometry[0].area == pytest.approx(shapely.union_all(shapes).area, rel=1e-12)
