"""The kernel against slow loops: areas of intersections, unions, what boxes settle, points."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from toytown import draw

from lipgeo.crosswalk.overlay import descent, edges
from lipgeo.crosswalk.overlay import measure as along
from lipgeo.crosswalk.overlay.descent import ArrayUnits, Outlines
from lipgeo.crosswalk.overlay.kernel import locate, overlay, pieces
from lipgeo.crosswalk.overlay.measure import DUST

RNG = np.random.default_rng(7)


def blob(x: float, y: float, radius: float, corners: int, rng: np.random.Generator):
    """Return a jagged star-shaped polygon."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = radius * rng.uniform(0.5, 1.3, corners)
    shape = shapely.Polygon(np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)]))
    return shapely.make_valid(shape, method="structure", keep_collapsed=False)


def blobs(count: int, seed: int, size: float = 1.0) -> np.ndarray:
    """Return polygons, multipolygons and polygons with holes, strewn over ten by ten."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        x, y = rng.uniform(0, 10, 2)
        shape = blob(x, y, size * rng.uniform(0.3, 2), int(rng.integers(3, 80)), rng)
        if number % 3 == 0:
            shape = shape.difference(blob(x, y, 0.2 * size, 12, rng))
        if number % 4 == 0:
            shape = shape.union(blob(x + 2 * size, y, 0.4 * size, 9, rng))
        made.append(shape)
    return np.array(made, dtype=object)


def slow(units: np.ndarray, areas: np.ndarray) -> dict[tuple[int, int], float]:
    """Return shares by a loop over all pairs."""
    found = {}
    for i, unit in enumerate(units):
        for j, area in enumerate(areas):
            common = unit.intersection(area).area
            if common > DUST * min(unit.area, area.area):
                found[i, j] = common / unit.area
    return found


def fast(units: np.ndarray, areas: np.ndarray) -> dict[tuple[int, int], float]:
    """Return shares by the kernel."""
    result = overlay(ArrayUnits(units), Outlines(areas))
    return dict(zip(zip(result.unit.tolist(), result.area.tolist(), strict=True), result.share,
                    strict=True))  # fmt: skip


def assert_same(units: np.ndarray, areas: np.ndarray) -> None:
    """Hold the kernel against the loop: the same pairs, the same shares."""
    one, two = slow(units, areas), fast(units, areas)
    assert one.keys() == two.keys()
    np.testing.assert_allclose([two[pair] for pair in one], list(one.values()), atol=2 * DUST)


@pytest.mark.parametrize("seed", range(4))
def test_shares_equal_the_loop(seed):
    """Polygons with holes and parts, of all sizes: pairs and shares are those of the loop."""
    assert_same(blobs(120, seed, 0.4), blobs(9, 100 + seed, 2.5))


def test_large_units_and_small_areas():
    """It works as well the other way round: an area inside a unit, an outline inside a unit."""
    assert_same(blobs(6, 1, 3.0), blobs(80, 2, 0.3))


def test_union_and_overlaps_equal_the_loop():
    """The share in the union, and in two areas at once, are those of the loop."""
    units, areas = blobs(60, 3, 0.5), blobs(8, 4, 3.0)
    result = overlay(ArrayUnits(units), Outlines(areas))
    whole = shapely.union_all(areas)
    for unit, share in zip(result.covered_unit, result.covered, strict=True):
        expected = units[unit].intersection(whole).area / units[unit].area
        assert share == pytest.approx(expected, abs=1e-8)
    for unit, one, two, share in zip(
        result.shared_unit, result.shared_area, result.shared_other, result.shared, strict=True
    ):
        common = units[unit].intersection(areas[one]).intersection(areas[two])
        assert one < two
        assert share == pytest.approx(common.area / units[unit].area, abs=1e-8)


def test_three_areas_over_one_spot():
    """Where three areas meet in one unit the union is exact, not a sum over pairs."""
    unit = np.array([shapely.box(0, 0, 10, 10)], dtype=object)
    areas = shapely.box([-1, 4, 2], [-1, -1, 3], [6, 11, 8], [6, 7, 11])
    result = overlay(ArrayUnits(unit), Outlines(areas))
    assert result.covered[0] == pytest.approx(
        shapely.union_all(areas).intersection(unit[0]).area / 100
    )
    assert len(result.shared) == 3


def test_nested_areas_add_nothing_to_the_union():
    """Areas one in another along one outline: the union is the largest."""
    unit = np.array([shapely.box(0, 0, 10, 10)], dtype=object)
    areas = np.array([shapely.box(-9, 0, w, 10) for w in (5, 5, 3, 2)], dtype=object)
    result = overlay(ArrayUnits(unit), Outlines(areas))
    assert result.covered.tolist() == [0.5]


def test_shared_edges_make_no_pairs():
    """Squares of one grid: a unit equal to an area is wholly inside, its neighbours are outside."""
    x, y = np.meshgrid(np.arange(12.0), np.arange(9.0))
    cells = shapely.box(x.ravel(), y.ravel(), x.ravel() + 1, y.ravel() + 1)
    areas = np.array([shapely.union_all(cells[:40]), shapely.union_all(cells[40:71]), cells[-1]])
    result = overlay(ArrayUnits(cells), Outlines(areas))
    assert result.unit.tolist() == [*range(71), 107]
    assert (result.share == 1.0).all()
    assert len(result.shared) == 0


def test_neighbours_through_another_projection_do_not_touch():
    """Edges that went through rounding overlap by dust: no pair comes of it."""
    units = draw("aabb\naabb")["geometry"].to_numpy()
    areas = shapely.transform(units, lambda points: points + 1e-9 * np.sin(points * 1234))
    result = overlay(ArrayUnits(units), Outlines(areas))
    assert list(zip(result.unit, result.area, result.share, strict=True)) == [(0, 0, 1), (1, 1, 1)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 6)] * 4), min_size=1, max_size=6),
       st.lists(st.tuples(*[st.integers(0, 6)] * 4), min_size=1, max_size=6))  # fmt: skip
def test_corners_and_edges_that_coincide(unit_boxes, area_boxes):
    """Boxes on whole numbers coincide everywhere they can; shares are still those of the loop."""
    units, areas = (
        np.array([shapely.box(x, y, x + w + 1, y + h + 1) for x, y, w, h in boxes], dtype=object)
        for boxes in (unit_boxes, area_boxes)
    )
    assert_same(units, areas)


def test_an_edge_through_the_base_point_is_handed_to_geos():
    """The one point whose winding number is asked lies on the outline: the share is still right."""
    unit = np.array([shapely.box(0, 0, 1, 1)], dtype=object)
    for turned in (False, True):
        x, y = edges.base_points(np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([turned]))[0]
        through = shapely.Polygon([(x, y), (0.4, 0.3), (2, 1.5), (2, 3), (x - 1, 3)])
        assert_same(unit, np.array([through.convex_hull, through.buffer(0)], dtype=object))


def test_the_doubtful_pair_is_found():
    """An edge through the base point is reported as doubtful, so that somebody else decides."""
    unit = np.array([shapely.box(0, 0, 1, 1)], dtype=object)
    x, y = edges.base_points(np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([False]))[0]
    area = edges.edges_of(np.array([shapely.Polygon([(x, y - 1), (x, y + 1), (3, 0.5)])]))
    pairs = edges.Pairs(
        np.array([0]), np.array([1.0]), np.array([[0.0, 0, 1, 1]]), np.array([0, 3]),
        np.array([0, 1, 2]), np.array([False]),
    )  # fmt: skip
    _, doubt = edges.shares_of(pairs, np.array([0.0]), edges.edges_of(unit), area)
    assert doubt.tolist() == [True]


def test_a_bow_tie_is_repaired_where_it_is_cut():
    """A unit that crosses itself counts with both lobes, and is reported."""
    tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    units = np.array([tie, shapely.box(5, 5, 6, 6)], dtype=object)
    result = overlay(ArrayUnits(units), Outlines(np.array([shapely.box(1, -1, 7, 7)])))
    assert result.share.tolist() == [pytest.approx(0.5), 1.0]
    assert result.repaired.tolist() == [0]


def test_none_and_empty_are_nowhere():
    """Units and areas without polygon have no pairs and break nothing."""
    units = np.array([None, shapely.box(0, 0, 1, 1), shapely.Polygon()], dtype=object)
    areas = np.array([None, shapely.box(0, 0, 1, 0.5), shapely.Polygon()], dtype=object)
    result = overlay(ArrayUnits(units), Outlines(areas))
    assert (result.unit.tolist(), result.area.tolist(), result.share.tolist()) == ([1], [1], [0.5])
    nothing = overlay(ArrayUnits(units[:0]), Outlines(areas))
    assert len(nothing.unit) == len(nothing.covered) == 0
    assert len(overlay(ArrayUnits(units), Outlines(areas[:0])).unit) == 0


def test_far_units_are_never_opened():
    """Polygons of units that no outline comes near are not asked for: the cost is the outline's."""

    class Counting(ArrayUnits):
        asked = 0

        def polygons(self, rows):
            self.asked += len(rows)
            return super().polygons(rows)

    x, y = np.meshgrid(np.arange(60.0), np.arange(60.0))
    cells = shapely.box(x.ravel(), y.ravel(), x.ravel() + 1, y.ravel() + 1)
    units = Counting(cells)
    result = overlay(units, Outlines(np.array([shapely.box(10.5, 10.5, 50.5, 50.5)])))
    assert len(result.unit) == 41 * 41
    assert units.asked < 4 * 45


def test_a_very_large_unit_against_a_long_outline():
    """50,000 vertices against 30,000: exact, and in a blink (the oracle is GEOS once)."""
    angle = np.linspace(0, 2 * np.pi, 50_000, endpoint=False)
    unit = shapely.Polygon(np.column_stack([np.cos(angle), np.sin(angle)])
                           * (1 + 0.01 * np.sin(997 * angle))[:, None])  # fmt: skip
    angle = angle[::2]
    area = shapely.Polygon(np.column_stack([0.7 + np.cos(angle), np.sin(angle)])
                           * (1 + 0.01 * np.sin(1501 * angle))[:, None])  # fmt: skip
    result = overlay(ArrayUnits(np.array([unit])), Outlines(np.array([area])))
    assert result.share[0] == pytest.approx(unit.intersection(area).area / unit.area, abs=1e-12)


def test_pieces_add_up_to_shares():
    """The pieces of units are the intersections, and their areas the shares."""
    units, areas = blobs(30, 8, 0.6), blobs(5, 9, 2.5)
    unit, area, shape, share = pieces(ArrayUnits(units), Outlines(areas))
    np.testing.assert_allclose(shapely.area(shape), share * shapely.area(units[unit]), rtol=1e-8)
    assert set(zip(unit.tolist(), area.tolist(), strict=True)) == slow(units, areas).keys()


def test_points_lie_in_one_of_two_neighbours():
    """A point on a common edge goes to the first; in overlapping areas it lies in both."""
    areas = np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(0.5, 0, 3, 1)])
    x = np.array([0.25, 1.0, 0.75, 2.5, 9.0, np.nan, 0.0])
    point, area = locate(x, np.full(len(x), 0.5), Outlines(areas))
    found = {i: area[point == i].tolist() for i in range(len(x))}
    assert found == {0: [0], 1: [2], 2: [0, 2], 3: [2], 4: [], 5: [], 6: [0]}
    point, area = locate(np.array([1.0]), np.array([0.5]), Outlines(areas[:2]))
    assert area.tolist() == [0]


def test_chunks_and_cores_change_nothing(monkeypatch):
    """However the work is cut, results are the same bit by bit."""
    units, areas = blobs(150, 5, 0.4), blobs(9, 6, 2.5)
    whole = overlay(ArrayUnits(units), Outlines(areas))
    monkeypatch.setattr(along, "CHUNK_VERTICES", 64)
    monkeypatch.setattr(descent, "TOGETHER", 1)
    parts = overlay(ArrayUnits(units), Outlines(areas))
    assert whole.share.tobytes() == parts.share.tobytes()
    assert whole.unit.tobytes() == parts.unit.tobytes()


def test_order_of_units_changes_nothing():
    """Shuffled units get the same shares."""
    units, areas = blobs(80, 11, 0.5), blobs(6, 12, 2.5)
    order = RNG.permutation(len(units))
    straight, shuffled = fast(units, areas), fast(units[order], areas)
    assert {(int(order[i]), j): share for (i, j), share in shuffled.items()} == pytest.approx(
        straight
    )


def on_squares(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return polygons of whole squares of one grid: they share edges, corners and long lines."""
    made = []
    for _ in range(count):
        cells = [tuple(rng.integers(0, 8, 2))]
        for _ in range(rng.integers(1, 12)):
            x, y = cells[rng.integers(len(cells))]
            dx, dy = [(0, 1), (1, 0), (0, -1), (-1, 0)][rng.integers(4)]
            cells.append((x + dx, y + dy))
        x, y = np.array(cells).T
        made.append(shapely.union_all(shapely.box(x, y, x + 1, y + 1)))
    return np.array(made, dtype=object)


def turned(shapes: np.ndarray, angle: float) -> np.ndarray:
    """Return shapes turned, enlarged and put where Canada is: what coincided still nearly does."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return shapely.transform(shapes, lambda points: points @ turn * 1234.567 + [7.4e6, 1.2e6])


def shaken(shapes: np.ndarray, by: float) -> np.ndarray:
    """Return shapes with every corner moved a little, the same corner in all of them alike."""
    return shapely.transform(shapes, lambda points: points + by * np.sin(1e3 * points[:, ::-1]))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["straight", "turned", "shaken", "jagged"])
def test_areas_that_touch_and_overlap_in_every_way(kind, seed):
    """In both of two areas, and in all together: as GEOS says, with edges common or nearly so."""
    rng = np.random.default_rng([seed, len(kind)])
    units, areas = on_squares(20, rng), on_squares(7, rng)
    if kind == "turned":
        angle = rng.uniform(0, 6)
        units, areas = turned(units, angle), turned(areas, angle)
    elif kind == "shaken":
        areas = np.concatenate([areas, shaken(areas[:3], 10.0 ** rng.integers(-14, -5))])
    elif kind == "jagged":
        areas = np.concatenate([areas[:3], blobs(4, seed, 2.0)])
    result = overlay(ArrayUnits(units), Outlines(areas))
    size = shapely.area(units)
    covered = np.zeros(len(units))
    covered[result.covered_unit] = result.covered
    whole = shapely.area(shapely.intersection(units, shapely.union_all(areas)))
    np.testing.assert_allclose(covered, whole / size, atol=1e-8)
    shared = np.zeros((len(units), len(areas), len(areas)))
    shared[result.shared_unit, result.shared_area, result.shared_other] = result.shared
    for one in range(len(areas)):
        for other in range(one + 1, len(areas)):
            lens = shapely.intersection(areas[one], areas[other])
            expected = shapely.area(shapely.intersection(units, lens)) / size
            np.testing.assert_allclose(shared[:, one, other], expected, atol=1e-8)


def test_overlaps_with_an_edge_through_the_base_point_go_to_geos():
    """Of overlapping areas too: where the point asked about lies on an outline, GEOS decides."""
    unit = np.array([shapely.box(0, 0, 1, 1)], dtype=object)
    for facing in range(4):
        x, y = edges.base_points(np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([facing]))[0]
        through = shapely.Polygon([(x, y), (0.4, 0.3), (2, 1.5), (2, 3), (x - 1, 3)]).convex_hull
        areas = np.array([through, shapely.box(0.2, -1, 3, 0.9), shapely.box(-1, 0.1, 0.7, 2)])
        result = overlay(ArrayUnits(unit), Outlines(areas))
        expected = [
            unit[0].intersection(areas[i]).intersection(areas[j]).area
            for i, j in zip(result.shared_area, result.shared_other, strict=True)
        ]
        assert len(expected) == 3
        np.testing.assert_allclose(result.shared, expected, atol=1e-9)
        covered = unit[0].intersection(shapely.union_all(areas)).area
        assert result.covered[0] == pytest.approx(covered, abs=1e-9)
