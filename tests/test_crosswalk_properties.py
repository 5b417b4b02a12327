"""What must hold for every crosswalk, whatever is drawn: Hypothesis draws it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from toytown import AREAS, census, draw

from lipgeo import Crosswalk, ServiceAreas, Zones, build_crosswalk

ROWS, COLUMNS = 6, 8
TOWN = census()
WEIGHTS = st.sampled_from(["area", "population", "dwellings", "households"])
PLACEMENTS = st.sampled_from(["surface", "point"])
#: a drawing of the toy town's size: each square one of three areas or none
DRAWINGS = hnp.arrays("U1", (ROWS, COLUMNS), elements=st.sampled_from([".", "1", "2", "3"]))
#: metres by which a drawing misses the town's own streets
SHIFTS = st.tuples(st.floats(-150, 150), st.floats(-150, 150))
fewer = settings(max_examples=25, deadline=None)
#: a piece of area 1 and area 2 in common that is a line and nothing else
LINES = np.array([list(row) for row in ("11111111", "21211111", "11111111", "11111111",
                                        "11111111", "11111121")])  # fmt: skip


def service_areas(drawing: np.ndarray, shift: tuple[float, float] = (0, 0)) -> ServiceAreas | None:
    """Return a drawing as service areas, ``None`` where nothing is drawn."""
    if set(drawing.ravel()) == {"."}:
        return None
    frame = draw("\n".join("".join(row) for row in drawing), id="area_id")
    return ServiceAreas.from_frame(
        frame.set_geometry(frame.geometry.translate(*shift)), id="area_id"
    )


def pairs(crosswalk: Crosswalk, column: str = "share") -> pd.Series:
    """Return a column of the frame by source and target."""
    return crosswalk.frame.set_index(["source_id", "target_id"])[column]


def assert_alike(one: pd.Series, two: pd.Series, tolerance: float = 1e-9) -> None:
    """Compare two columns of shares; a pair one of them lacks counts as 0."""
    first, second = one.align(two, fill_value=0.0)
    np.testing.assert_allclose(first, second, atol=tolerance)


@fewer
@given(DRAWINGS, SHIFTS, WEIGHTS, PLACEMENTS, st.sampled_from(["DB", "DA", "CSD"]))
@example(LINES, (0.0, 0.0), "population", "surface", "DA")
@example(np.array([list(row) for row in AREAS.split()]), (0.0, 0.0), "population", "surface", "DA")
def test_shares_and_remainder_are_one(drawing, shift, weight, placement, level):
    """Shares lie in 0 to 1; those of a source and its remainder add up to 1; totals are kept."""
    areas = service_areas(drawing, shift)
    if areas is None:
        return
    crosswalk = build_crosswalk(TOWN.zones(level), areas, weight=weight, placement=placement)
    frame = crosswalk.frame
    assert frame["share"].between(0, 1).all()
    assert (frame["area_share"] > 0).all()
    assert len(crosswalk.overlaps) == 0  # letters of one drawing never overlap
    total = frame.groupby("source_id")["share"].sum()
    rest = crosswalk.remainder.set_index("source_id")["share"]
    np.testing.assert_allclose(rest + total.reindex(rest.index, fill_value=0), 1, atol=1e-9)
    assert crosswalk.check().ok
    # counts spread by the shares are conserved to 1e-9 relative
    held = crosswalk.sources["weight"].fillna(0)
    spread = (crosswalk.matrix.T @ held.to_numpy()).sum() + (rest.to_numpy() * held).sum()
    assert spread == pytest.approx(held.sum(), rel=1e-9)


FULL = np.full((6, 8), "1")
NOTCHED = np.array([list(row) for row in ("1111111.", *["11111111"] * 5)])


@fewer
@given(DRAWINGS, SHIFTS, DRAWINGS, SHIFTS, st.sampled_from(["area", "population"]))
# what neither holds of a block is dust, what one of them lacks of it is more
@example(FULL, (-1e-06, 0.0), NOTCHED, (0.0, -30.0), "population")
def test_overlapping_targets_count_once(one, shift, two, other, weight):
    """With overlaps too: inclusion and exclusion over two layers gives the remainder."""
    first, second = service_areas(one, shift), service_areas(two, other)
    if first is None or second is None:
        return
    both = ServiceAreas.concat([renamed(first, "a"), renamed(second, "b")])
    crosswalk = build_crosswalk(TOWN.zones("DA"), both, weight=weight)
    assert crosswalk.check().ok
    by_area = build_crosswalk(TOWN.zones("DA"), both)
    union = shapely.union_all(both.frame.geometry.to_numpy())
    das = TOWN.zones("DA")
    expected = pd.Series(
        1 - shapely.area(shapely.intersection(das.geometry, union)) / shapely.area(das.geometry),
        index=das.ids,
    )
    rest = by_area.remainder.set_index("source_id")["share"]
    np.testing.assert_allclose(rest, expected.loc[rest.index], atol=1e-8)


def renamed(areas: ServiceAreas, mark: str) -> ServiceAreas:
    """Return areas with a mark before every id."""
    frame = areas.frame.copy()
    frame.index = pd.Index([mark + str(i) for i in frame.index], name="area_id")
    return ServiceAreas(frame)


@fewer
@given(DRAWINGS, SHIFTS)
@example(np.array([list(row) for row in (".1......", *["........"] * 5)]), (1.2e-7, 0.0))
def test_equal_to_the_slow_loop(drawing, shift):
    """Area shares are those of a loop over all pairs, and dust is no pair.

    Near the limit of dust both sides round as they may: a pair that only one of them has may hold
    no more than rounding.
    """
    areas = service_areas(drawing, shift)
    if areas is None:
        return
    das = TOWN.zones("DB")
    rows = [
        (unit, area, polygon.intersection(outline).area / polygon.area, outline.area / polygon.area)
        for unit, polygon in zip(das.ids, das.geometry, strict=True)
        for area, outline in areas.frame.geometry.items()
    ]
    expected = pd.DataFrame(rows, columns=["source_id", "target_id", "share", "size"])
    expected = expected.set_index(["source_id", "target_id"])
    found = pairs(build_crosswalk(das, areas))
    assert_alike(found, expected["share"], 2e-9)
    # an overlap below 1e-9 of the smaller of unit and area is no overlap
    dust = 1e-9 * expected["size"].clip(upper=1)
    assert (found > dust.reindex(found.index) * (1 - 1e-6)).all()
    assert set(expected.index[expected["share"] > dust + 1e-9]) <= set(found.index)


@fewer
@given(DRAWINGS, SHIFTS, WEIGHTS)
def test_down_to_blocks_and_into_areas_is_straight_into_areas(drawing, shift, weight):
    """Composing DA -> DB by a weight with DB -> areas is DA -> areas by it."""
    areas = service_areas(drawing, shift)
    if areas is None or weight == "area":
        return
    das, dbs = TOWN.zones("DA"), TOWN.zones("DB")
    through = build_crosswalk(das, dbs, weight=weight).compose(
        build_crosswalk(dbs, areas, weight=weight)
    )
    straight = build_crosswalk(das, areas, weight=weight)
    same = straight.sources["share_basis"].eq(weight)
    keep = straight.sources.index[same]
    one, two = pairs(through), pairs(straight)
    assert_alike(one[one.index.isin(keep, level=0)], two[two.index.isin(keep, level=0)])


def test_zones_onto_themselves_are_the_identity():
    """Every level over itself, by ids and by polygons: all shares exactly 1."""
    for level in ("DB", "DA", "CSD"):
        zones = TOWN.zones(level)
        drawn = Zones(zones.ids, zones.geometry, zones.crs)
        for source, target in ((zones, zones), (drawn, drawn), (zones, drawn)):
            crosswalk = build_crosswalk(source, target)
            frame = crosswalk.frame
            assert (frame["source_id"] == frame["target_id"]).all()
            assert set(frame["share"]) == {1.0}
            assert set(crosswalk.remainder["share"]) == {0.0}


@fewer
@given(DRAWINGS, st.permutations(range(12)), st.tuples(*[st.integers(-30_000, 30_000)] * 2))
def test_names_order_and_place_change_nothing(drawing, order, move):
    """Renaming, reordering and moving all layers together leave the shares as they were."""
    areas = service_areas(drawing)
    if areas is None:
        return
    blocks = TOWN.zones("DB")
    plain = pairs(build_crosswalk(Zones(blocks.ids, blocks.geometry, 3347), areas))
    order = list(order)
    names = {unit: f"x{11 - i:02d}" for i, unit in enumerate(blocks.ids)}
    moved = shapely.transform(blocks.geometry[order], lambda points: points + move)
    frame = areas.frame.set_geometry(areas.frame.geometry.translate(*move)).iloc[::-1]
    sources = Zones([names[unit] for unit in blocks.ids[order]], moved, 3347)
    other = pairs(build_crosswalk(sources, ServiceAreas(frame)))
    back = {new: old for old, new in names.items()}
    other.index = pd.MultiIndex.from_tuples(
        [(back[source], target) for source, target in other.index], names=other.index.names
    )
    assert_alike(plain, other)


@fewer
@given(DRAWINGS, SHIFTS, WEIGHTS, PLACEMENTS)
def test_census_zones_and_flat_zones_agree(drawing, shift, weight, placement):
    """One code path, two doors: a census level and the same polygons as plain zones."""
    areas = service_areas(drawing, shift)
    if areas is None:
        return
    das, dbs = TOWN.zones("DA"), TOWN.zones("DB")
    counts = TOWN.units("DB")[["population", "dwellings", "households", "x", "y"]]
    blocks = Zones(dbs.ids, dbs.geometry, 3347, data=counts)
    plain = Zones(das.ids, das.geometry, 3347, data=TOWN.units("DA")[["population"]])
    options = {"weight": weight, "placement": placement}
    one = build_crosswalk(das, areas, **options)
    two = build_crosswalk(plain, areas, blocks=blocks, **options)
    assert_alike(pairs(one), pairs(two), 1e-8)
    assert one.frame["share_basis"].tolist() == two.frame["share_basis"].tolist()


@settings(max_examples=15, deadline=None)
@given(DRAWINGS, SHIFTS, WEIGHTS)
@example(np.array([list(row) for row in ("1.......", *["........"] * 5)]), (-100.0, 0.0), "area")
def test_written_and_read_it_is_equal(tmp_path_factory, drawing, shift, weight):
    """Save and read give back an equal crosswalk, report included; also one without pairs."""
    from lipgeo import read_crosswalk, write_crosswalk

    areas = service_areas(drawing, shift)
    if areas is None:
        return
    path = tmp_path_factory.mktemp("crosswalk") / "one.parquet"
    crosswalk = build_crosswalk(TOWN.zones("DA"), areas, weight=weight)
    write_crosswalk(crosswalk, path)
    assert read_crosswalk(path) == crosswalk
