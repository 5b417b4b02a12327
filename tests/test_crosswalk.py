"""Crosswalks: shares by area and people, lists by ids, overlaps, quality, composing, saving."""

from __future__ import annotations

import base64
import json
import pickle

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from toytown import DA_IDS, DB_IDS, areas, blocks, census, draw

from lipgeo import Crosswalk, ServiceAreas, Zones, build_crosswalk, read_crosswalk, write_crosswalk
from lipgeo.census import Census, MemoryCensus
from lipgeo.errors import CrosswalkError, CRSError, FileError, OutputError, ZoneError
from lipgeo.words import speaking

P, Q, R, S = DA_IDS.values()


@pytest.fixture(scope="module")
def town() -> Census:
    """Return the toy town."""
    return census()


@pytest.fixture(scope="module")
def drawn() -> ServiceAreas:
    """Return its three service areas."""
    return ServiceAreas.from_frame(areas(), id="area_id")


def shares(crosswalk: Crosswalk, column: str = "share") -> dict[tuple[str, str], float]:
    """Return a crosswalk's shares by source and target."""
    frame = crosswalk.frame
    return dict(zip(zip(frame["source_id"], frame["target_id"], strict=True), frame[column],
                    strict=True))  # fmt: skip


def left(crosswalk: Crosswalk) -> dict[str, float]:
    """Return the remainder by source."""
    return crosswalk.remainder.set_index("source_id")["share"].to_dict()


def flat(frame: gpd.GeoDataFrame) -> Zones:
    """Return a drawing as zones."""
    return Zones.from_frame(frame, id="zone_id")


def squares(*boxes: tuple[float, float, float, float], ids: str = "abcdefgh", **data) -> Zones:
    """Return boxes near Ottawa on UTM 18, metres from one corner."""
    shapes = [shapely.box(5e5 + w, 5e6 + s, 5e5 + e, 5e6 + n) for w, s, e, n in boxes]
    frame = gpd.GeoDataFrame({"id": list(ids[: len(boxes)]), **data}, geometry=shapes, crs=26918)
    return Zones.from_frame(frame, id="id")


# ---------------------------------------------------------------- by area and by people


def test_by_area(town, drawn):
    """Shares by area of the toy town, and what is outside."""
    crosswalk = build_crosswalk(town.zones("DA"), drawn)
    assert shares(crosswalk) == pytest.approx(
        {(P, "1"): 0.5, (P, "2"): 0.5, (Q, "1"): 0.125, (Q, "3"): 0.25, (R, "2"): 0.5}
    )
    assert left(crosswalk) == pytest.approx({P: 0, Q: 0.625, R: 0.5, S: 1})
    assert crosswalk.frame["weight"].tolist() == pytest.approx([8e4, 8e4, 2e4, 4e4, 4e4])
    assert crosswalk.check().ok


def test_by_population(town, drawn):
    """People are those of the blocks: P's lie five to one in area 1, half of c's 80 in area 1."""
    crosswalk = build_crosswalk(town.zones("DA"), drawn, weight="population")
    people = shares(crosswalk, "weight")
    assert people == pytest.approx(
        {(P, "1"): 300, (P, "2"): 60, (Q, "1"): 40, (Q, "3"): 40, (R, "2"): 100}
    )
    assert set(crosswalk.frame["share_basis"]) == {"population"}
    assert left(crosswalk)[Q] == pytest.approx(50 / 130)
    assert shares(crosswalk, "area_share")[Q, "1"] == pytest.approx(0.125)
    assert crosswalk.check().ok


def test_by_point(town, drawn):
    """A block is in or out by its representative point; its polygon may be cut."""
    shifted = ServiceAreas.from_frame(
        areas().assign(geometry=lambda f: f.geometry.translate(10, 10)), id="area_id"
    )
    crosswalk = build_crosswalk(town.zones("DA"), shifted, weight="population", placement="point")
    # the points lie in the upper half of the blocks: i and j are in, though half of each is out
    people = shares(crosswalk, "weight")
    assert people[P, "1"] == 300
    assert people[Q, "1"] == 80
    assert people[R, "2"] == 200
    assert people[Q, "2"] == 0
    assert shares(crosswalk, "area_share")[R, "2"] < 0.5
    assert crosswalk.placement == "point"


def test_blocks_as_sources(town, drawn):
    """Blocks are their own blocks: by people they are cut by area, or wholly in or out by point."""
    surface = build_crosswalk(town.zones("DB"), drawn, weight="population")
    assert shares(surface)[DB_IDS["c"], "1"] == 0.5
    # block f has dwellings and no people
    assert surface.sources.loc[DB_IDS["f"], "share_basis"] == "dwellings"
    point = build_crosswalk(town.zones("DB"), drawn, weight="population", placement="point")
    assert set(shares(point).values()) <= {0.0, 1.0}


def test_no_people_then_dwellings_then_area(drawn):
    """A unit without people goes by dwellings, one without those by area; never silently 0."""
    frame = draw("aabb\naabb\nccdd\nccdd")
    counts = pd.DataFrame({"population": [0.0, 0, 0, 0], "dwellings": [3.0, 1, 0, 0]})
    blocks_ = flat(frame.join(counts))
    sources = flat(draw("nnnn\nnnnn\nssss\nssss"))
    target = flat(draw("tt..\ntt..\ntt..\ntt..").rename(columns={}))
    crosswalk = build_crosswalk(sources, target, weight="population", blocks=blocks_)
    assert shares(crosswalk) == pytest.approx({("n", "t"): 0.75, ("s", "t"): 0.5})
    assert crosswalk.frame["share_basis"].tolist() == ["dwellings", "area"]


def test_missing_counts_fall_back_and_are_said(town, drawn):
    """A block without a count makes its unit fall back, and the report names the unit."""
    frames = {level: town.data.attributes(level) for level in town.levels}
    polygons = {level: town.data.geometry(level) for level in town.levels}
    frames["DB"].loc[frames["DB"]["unit_id"] == DB_IDS["c"], "population"] = np.nan
    damaged = Census(MemoryCensus(2021, frames, polygons))
    crosswalk = build_crosswalk(damaged.zones("DA"), drawn, weight="population")
    basis = crosswalk.sources["share_basis"]
    assert basis[Q] == "dwellings"
    assert basis[P] == "population"
    found = crosswalk.report.only("missing_counts")
    assert [finding.subject for finding in found] == [Q]
    assert "population of some of its blocks is missing" in found.findings[0].message


def test_without_blocks_people_are_area_and_flagged(drawn):
    """Flat zones without blocks: shares by people are shares by area, and every row says so."""
    sources = flat(blocks())
    crosswalk = build_crosswalk(sources, drawn, weight="population")
    assert set(crosswalk.frame["share_basis"]) == {"area"}
    assert (crosswalk.frame["share"] == crosswalk.frame["area_share"]).all()
    assert crosswalk.report.only("no_blocks", "warning")


def test_flat_zones_cut_blocks_three_ways(town, drawn):
    """Flat zones with blocks given equal the census that knows its blocks by id."""
    das = town.zones("DA")
    sources = Zones(das.ids, das.geometry, "EPSG:3347")
    for placement in ("surface", "point"):
        by_id = build_crosswalk(das, drawn, weight="population", placement=placement)
        cut = build_crosswalk(
            sources, drawn, weight="population", placement=placement, blocks=flat(blocks())
        )
        assert shares(cut) == pytest.approx(shares(by_id))
        assert left(cut) == pytest.approx(left(by_id))
        assert cut.frame["weight"].tolist() == pytest.approx(by_id.frame["weight"].tolist())


def test_a_block_without_polygon_is_placed_by_its_point(town, drawn):
    """Block a has a point and no polygon: its people are where the point is, not lost."""
    frames = {level: town.data.attributes(level) for level in town.levels}
    polygons = {level: town.data.geometry(level) for level in town.levels}
    a = np.flatnonzero(frames["DB"]["unit_id"] == DB_IDS["a"])
    polygons["DB"] = polygons["DB"].copy()
    polygons["DB"][a] = None
    bare = Census(MemoryCensus(2021, frames, polygons))
    crosswalk = build_crosswalk(bare.zones("DA"), drawn, weight="population")
    assert shares(crosswalk, "weight")[P, "1"] == pytest.approx(300)
    by_block = build_crosswalk(bare.zones("DB"), drawn)
    assert shares(by_block)[DB_IDS["a"], "1"] == 1.0
    assert by_block.sources.loc[DB_IDS["a"], "share_basis"] == "point"


def test_a_level_without_polygons_goes_by_its_blocks(town, drawn):
    """Census divisions without polygons are the union of their blocks."""
    frames = {level: town.data.attributes(level) for level in town.levels}
    polygons = {level: town.data.geometry(level) for level in ("DB", "DA")}
    bare = Census(MemoryCensus(2021, frames, polygons))
    for weight in ("area", "population"):
        expected = build_crosswalk(town.zones("CSD"), drawn, weight=weight)
        assert shares(build_crosswalk(bare.zones("CSD"), drawn, weight=weight)) == pytest.approx(
            shares(expected)
        )


def test_neither_polygon_nor_point_is_said():
    """A zone that can be placed nowhere has remainder 1, and the report names it."""
    sources = Zones(["a", "b"], [shapely.box(0, 0, 1, 1), None], "EPSG:3347")
    crosswalk = build_crosswalk(sources, Zones(["t"], [shapely.box(0, 0, 9, 9)], "EPSG:3347"))
    assert left(crosswalk) == {"a": 0.0, "b": 1.0}
    assert [finding.subject for finding in crosswalk.report.only("unplaced")] == ["b"]


# ---------------------------------------------------------------- lists, by ids


def test_lists_are_exact(town):
    """Unit lists are matched by ids: 1 where whole, a fraction where the source is coarser."""
    lists = ServiceAreas.from_units(
        {"east": [f"DB:{DB_IDS['c']}", f"DA:{R}"], "west": [f"DA:{P}"]}, town
    )
    crosswalk = build_crosswalk(town.zones("DA"), lists, weight="population")
    assert shares(crosswalk) == {(P, "west"): 1, (Q, "east"): 80 / 130, (R, "east"): 1}
    assert crosswalk.quality.set_index("target_id")["coverage"].tolist() == [1, 1]
    assert crosswalk.check().ok


def test_lists_and_drawn_areas_overlap_exactly(town, drawn):
    """A listed and a drawn area over one unit: union and overlap by the blocks they share."""
    lists = ServiceAreas.from_units({"z": [f"DB:{DB_IDS[b]}" for b in "bc"]}, town)
    both = ServiceAreas.concat([drawn, lists])
    crosswalk = build_crosswalk(town.zones("DA"), both, weight="population")
    overlaps = crosswalk.overlaps.set_index(["target_id", "other_id", "source_id"])["share"]
    assert overlaps.to_dict() == pytest.approx({("1", "z", P): 200 / 360, ("1", "z", Q): 40 / 130})
    assert left(crosswalk) == pytest.approx({P: 0, Q: 10 / 130, R: 0.5, S: 1})
    assert crosswalk.check().ok


def test_one_level_to_another_goes_by_ids(town):
    """DA to CSD by ids: every share is 1; CSD to DA by people."""
    up = build_crosswalk(town.zones("DA"), town.zones("CSD"))
    assert set(up.frame["share"]) == {1.0}
    down = build_crosswalk(town.zones("CSD"), town.zones("DA"), weight="population")
    assert shares(down)["3506008", P] == pytest.approx(360 / 490)
    assert (down.quality["coverage"] == 1).all()


def test_lists_need_a_census_or_an_outline(town):
    """Lists over flat zones have no outline: the error says to draw them."""
    lists = ServiceAreas.from_units({"west": [f"DA:{P}"]}, town)
    with pytest.raises(CrosswalkError, match=r"no outline.*west.*areas\.draw"):
        build_crosswalk(flat(blocks()), lists)
    crosswalk = build_crosswalk(flat(blocks()), lists.draw(town))
    assert set(crosswalk.frame["source_id"]) == set("abef")


# ---------------------------------------------------------------- faults of others, not ours


def test_a_missing_rate_keeps_its_area_out():
    """Peers make the missing rate of two equal areas 0; shares are by area alone and stay 0.5."""
    sources = squares((0, 0, 1, 1), (1, 0, 2, 1), population=[50.0, np.nan])
    crosswalk = build_crosswalk(sources, squares((0.5, 0, 1.5, 1), ids="t"))
    assert crosswalk.frame["share"].tolist() == pytest.approx([0.5, 0.5])


def test_different_crs_is_an_error_not_none():
    """Two flat layers in two systems: a peer prints a line and returns nothing."""
    other = Zones(["t"], [shapely.box(3e5, 5e6, 3.1e5, 5.1e6)], "EPSG:26917")
    with pytest.raises(CRSError, match=r"UTM zone 18N.*UTM zone 17N"):
        build_crosswalk(squares((0, 0, 1, 1)), other)


def test_other_systems_come_to_the_census_grid(town, drawn):
    """Zones in degrees meet the census on its grid: the same shares to 1e-6."""
    degrees = areas().to_crs(4326)
    crosswalk = build_crosswalk(town.zones("DA"), Zones.from_frame(degrees, id="area_id"))
    assert shares(crosswalk) == pytest.approx(
        shares(build_crosswalk(town.zones("DA"), drawn)), abs=1e-6
    )


def test_a_target_nobody_meets_stays_visible():
    """A peer gives it 0; here it has no share, a row of quality with coverage 0, and a warning."""
    target = squares((0, 0, 1, 1), (50, 50, 51, 51), ids="tu")
    crosswalk = build_crosswalk(squares((0, 0, 2, 2)), target)
    quality = crosswalk.quality.set_index("target_id")
    assert quality.loc["u", "coverage"] == 0
    assert np.isnan(quality.loc["u", "quality_index"])
    assert [finding.subject for finding in crosswalk.report.only("no_overlap", "warning")] == ["u"]


def test_a_tenth_is_a_tenth():
    """A target over a tenth of one source gets a tenth (peers: all of it, or float32)."""
    crosswalk = build_crosswalk(squares((0, 0, 10, 1)), squares((0, 0, 1, 1), ids="t"))
    assert crosswalk.frame["share"].item() == pytest.approx(0.1, abs=1e-12)
    assert left(crosswalk)["a"] == pytest.approx(0.9, abs=1e-12)
    assert crosswalk.frame["share"].dtype == np.float64


def test_one_polygon_twice_is_said():
    """The same polygon under two ids counts twice, and the report says the sources overlap."""
    sources = squares((0, 0, 1, 1), (0, 0, 1, 1))
    crosswalk = build_crosswalk(sources, squares((0, 0, 2, 1), ids="t"))
    assert crosswalk.quality["coverage"].item() == pytest.approx(1.0)
    crosswalk = build_crosswalk(sources, squares((0, 0, 1, 1), ids="t"))
    (found,) = crosswalk.report.only("sources_overlap")
    assert (found.subject, found.value) == ("t", pytest.approx(2.0))


def test_one_id_twice_is_refused():
    """A duplicate id never reaches the crosswalk."""
    with pytest.raises(ZoneError, match="a"):
        squares((0, 0, 1, 1), (1, 0, 2, 1), ids="aa")


def test_what_overlaps_is_counted_once_in_the_remainder():
    """Two targets over the same half: the remainder is a half, the overlap stands beside it."""
    targets = squares((0, 0, 1, 1), (0, 0, 1, 1), (0.5, 0, 1, 1), ids="tuv")
    crosswalk = build_crosswalk(squares((0, 0, 2, 1)), targets)
    assert crosswalk.frame["share"].tolist() == pytest.approx([0.5, 0.5, 0.25])
    assert left(crosswalk)["a"] == pytest.approx(0.5)
    overlaps = crosswalk.overlaps.set_index(["target_id", "other_id"])["share"]
    assert overlaps.to_dict() == pytest.approx(
        {("t", "u"): 0.5, ("t", "v"): 0.25, ("u", "v"): 0.25}
    )
    assert crosswalk.check().ok


def test_crossed_outlines_are_repaired_and_said():
    """A bow-tie among the sources and one among the targets: both lobes count, both are named."""
    tie = shapely.Polygon([(5e5, 5e6), (5e5 + 2, 5e6 + 2), (5e5 + 2, 5e6), (5e5, 5e6 + 2)])
    bow = Zones(["bow"], [tie], 26918)
    half = squares((0, 0, 1, 2), ids="t")
    there, back = build_crosswalk(bow, half), build_crosswalk(half, bow)
    assert there.frame["share"].item() == pytest.approx(0.5)
    assert back.frame["share"].item() == pytest.approx(0.5)
    assert there.report.only("repaired_source").findings[0].subject == "bow"
    assert back.report.only("repaired_target").findings[0].subject == "bow"


# ---------------------------------------------------------------- quality, check, compose


def test_quality_formulas(town, drawn):
    """The quality index and best fit are their formulas, by hand."""
    quality = build_crosswalk(town.zones("DA"), drawn, weight="population").quality
    one, two, three = quality.set_index("target_id").itertuples()
    assert one.quality_index == pytest.approx((300 / 360) * (300 / 340) + (40 / 130) * (40 / 340))
    assert two.quality_index == pytest.approx((60 / 360) * (60 / 160) + (100 / 200) * (100 / 160))
    # P lies mostly in 1; R lies half in 2, half outside; Q mostly outside
    assert one.best_fit_pct == pytest.approx(100 * 300 / 360)
    assert two.best_fit_pct == pytest.approx(50)
    assert np.isnan(three.best_fit_pct)
    assert quality["coverage"].tolist() == pytest.approx([1, 1, 1])
    assert quality["straddling_share"].tolist() == [1, 1, 1]


def test_union_of_sources_has_perfect_quality(town):
    """A target that is a union of sources: index 1, best fit 100, nothing straddles."""
    crosswalk = build_crosswalk(town.zones("DA"), town.zones("CSD"), weight="population")
    assert crosswalk.quality["quality_index"].tolist() == pytest.approx([1, 1])
    assert crosswalk.quality["best_fit_pct"].tolist() == pytest.approx([100, 100])
    assert crosswalk.quality["straddling_share"].tolist() == [0, 0]


def test_coverage_outside_the_census(town):
    """Half of a target lies where there are no sources: coverage 0.5."""
    target = flat(draw("tttttttttttttttt")).data.index
    wide = draw("t" * 16)
    crosswalk = build_crosswalk(town.zones("DA"), Zones(target, wide.geometry.to_numpy(), 3347))
    assert crosswalk.quality["coverage"].item() == pytest.approx(0.5)


def test_down_and_up_again(town, drawn):
    """People by DA -> DB, then blocks into areas, are people by DA -> areas."""
    das, dbs = town.zones("DA"), town.zones("DB")
    down = build_crosswalk(das, dbs, weight="population")
    into = build_crosswalk(dbs, drawn, weight="population")
    straight = build_crosswalk(das, drawn, weight="population")
    through = down.compose(into)
    assert shares(through) == pytest.approx(shares(straight))
    assert left(through) == pytest.approx(left(straight))
    assert through.frame["weight"].tolist() == pytest.approx(straight.frame["weight"].tolist())
    assert through.check().ok
    # and the people of an area are the same whichever level they are counted from
    total = straight.frame.groupby("target_id")["weight"].sum()
    assert into.frame[into.frame["share_basis"] == "population"].groupby("target_id")[
        "weight"
    ].sum().to_dict() == pytest.approx(total.to_dict())


def test_compose_keeps_overlaps(town):
    """Targets that overlap in blocks overlap in what is composed of them."""
    twice = flat(draw("11111...\n11112222"))
    twice = Zones(["1", "2"], [*twice.geometry[:1], twice.geometry[0]], 3347)
    into = build_crosswalk(town.zones("DB"), twice, weight="population")
    through = build_crosswalk(town.zones("DA"), town.zones("DB"), weight="population").compose(into)
    straight = build_crosswalk(town.zones("DA"), twice, weight="population")
    assert through.overlaps["share"].tolist() == pytest.approx(straight.overlaps["share"].tolist())
    assert left(through) == pytest.approx(left(straight))


def test_compose_refuses_what_it_would_lose(town, drawn):
    """Targets that are no sources, or overlap, cannot be followed."""
    first = build_crosswalk(town.zones("DA"), drawn)
    with pytest.raises(CrosswalkError, match=r"every target of the first.*1, 2, 3"):
        first.compose(first)
    twice = squares((0, 0, 1, 1), (0, 0, 1, 1), ids="tu")
    overlapping = build_crosswalk(squares((0, 0, 2, 1)), twice)
    with pytest.raises(CrosswalkError, match=r"overlap cannot be followed.*t"):
        overlapping.compose(build_crosswalk(twice, twice))


def test_check_finds_what_was_lost(town, drawn):
    """A crosswalk whose remainder was tampered with does not pass."""
    sound = build_crosswalk(town.zones("DA"), drawn)
    broken = Crosswalk(
        sound.frame, sound.remainder.assign(share=lambda f: f["share"] * 0.5), sound.overlaps,
        sound.quality, sound.sources, meta=sound.meta,
    )  # fmt: skip
    report = broken.check()
    assert {finding.subject for finding in report.only("not_conserved")} == {Q, R, S}
    assert len(report.only("total_not_conserved")) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="weight"), "do not have the columns"),
        (lambda frame: frame.assign(share=frame["share"].astype("float32")), "float64"),
        (lambda frame: frame.assign(share=frame["share"] + 0.7), "between 0 and 1"),
        (lambda frame: frame.assign(share=np.nan), "between 0 and 1"),
        (lambda frame: frame.assign(source_id="nobody"), "not in the crosswalk's own lists"),
        (lambda frame: pd.concat([frame, frame]), "stand once"),
        (lambda frame: frame.assign(share=0.9), "cannot add up to more than 1"),
    ],
)
def test_the_constructor_refuses(town, drawn, change, message):
    """Columns, types, ranges, strangers, duplicates and sums are checked at the door."""
    sound = build_crosswalk(town.zones("DA"), drawn)
    with pytest.raises(CrosswalkError, match=message):
        Crosswalk(
            change(sound.frame), sound.remainder, sound.overlaps, sound.quality, sound.sources,
            meta=sound.meta,
        )  # fmt: skip


def test_options_are_named_in_the_error(town, drawn):
    """A weight or placement that does not exist: the message lists those that do."""
    with pytest.raises(CrosswalkError, match=r"weight.*area, population, dwellings, households"):
        build_crosswalk(town.zones("DA"), drawn, weight="people")
    with pytest.raises(CrosswalkError, match=r"placement.*surface, point"):
        build_crosswalk(town.zones("DA"), drawn, placement="middle")
    with pytest.raises(CrosswalkError, match=r"Zones\.from_frame"):
        build_crosswalk(areas(), drawn)
    with pytest.raises(CrosswalkError, match="column population"):
        build_crosswalk(flat(blocks()), drawn, weight="population", blocks=flat(draw("aabb")))


# ---------------------------------------------------------------- what it is, and on disk


def test_nothing_given_is_changed_and_nothing_taken_changes_it(town, drawn):
    """Frames handed out are copies."""
    crosswalk = build_crosswalk(town.zones("DA"), drawn)
    for name, column in (("frame", "share"), ("remainder", "share"), ("quality", "coverage")):
        taken = getattr(crosswalk, name)
        taken[column] = 0.25
        assert not getattr(crosswalk, name).equals(taken)
    with pytest.raises(TypeError):
        crosswalk.meta["weight"] = "population"


def test_the_matrix_is_the_frame(town, drawn):
    """The sparse matrix has the sources as rows and the targets as columns, in their order."""
    crosswalk = build_crosswalk(town.zones("DA"), drawn, weight="population")
    dense = crosswalk.matrix.toarray()
    assert dense.shape == (4, 3)
    assert (dense.sum(axis=1) + crosswalk.remainder["share"]).tolist() == pytest.approx([1] * 4)


def test_repr_answers_the_first_question(town, drawn):
    """Level, counts and what is uncovered, in both languages."""
    crosswalk = build_crosswalk(town.zones("DA"), drawn, weight="population")
    assert repr(crosswalk) == (
        "<Crosswalk 2021 DA → service areas: 4 sources, 3 targets, 5 shares; "
        "46.0% of population uncovered>"
    )
    with speaking("fr"):
        assert "Table de passage 2021 DA → territoires de service" in repr(crosswalk)
    assert "46.0%" in crosswalk._repr_html_()


@pytest.mark.parametrize("weight", ["area", "population", "dwellings", "households"])
def test_read_gives_back_what_was_saved(tmp_path, town, drawn, weight):
    """Everything survives the file: shares, remainder, overlaps, quality, sources, meta, report."""
    lists = ServiceAreas.from_units({"z": [f"DB:{DB_IDS['b']}"]}, town)
    saved = build_crosswalk(
        town.zones("DA"), ServiceAreas.concat([drawn, lists]), weight=weight, placement="point"
    )
    write_crosswalk(saved, tmp_path / "é crosswalk.parquet")
    found = read_crosswalk(tmp_path / "é crosswalk.parquet")
    assert found == saved
    for name in ("frame", "remainder", "overlaps", "quality", "sources"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(saved, name))
    assert dict(found.meta) == dict(saved.meta)
    assert found.report == saved.report
    # and any Parquet reader sees the shares
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "é crosswalk.parquet"), saved.frame)


def test_one_flipped_bit_of_a_saved_crosswalk_is_noticed(tmp_path, town, drawn):
    """Pairs, parts, footer, sum: whatever bit is damaged, no share is read."""
    made = build_crosswalk(town.zones("DA"), drawn, weight="population")
    path = tmp_path / "one.parquet"
    write_crosswalk(made, path)
    whole = path.read_bytes()
    for place in [*range(8), *range(20, len(whole), 997), *range(len(whole) - 9, len(whole))]:
        bent = bytearray(whole)
        bent[place] ^= 1 << place % 8
        path.write_bytes(bent)
        with pytest.raises(FileError):
            read_crosswalk(path)


def test_a_crosswalk_gives_way_only_when_asked(tmp_path, town, drawn):
    """An earlier one stays unless replace is said, and what is not lipgeo's stays in any case."""
    made = build_crosswalk(town.zones("DA"), drawn)
    path = tmp_path / "one.parquet"
    write_crosswalk(made, path)
    with pytest.raises(OutputError, match="already exists"):
        write_crosswalk(made, path)
    write_crosswalk(made, path, replace=True)
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(OutputError, match="never writes over it"):
        write_crosswalk(made, path, replace=True)


def test_two_builds_give_one_file(tmp_path, town, drawn):
    """Built and written twice, the bytes are the same."""
    for name in "ab":
        made = build_crosswalk(town.zones("DA"), drawn, weight="population")
        write_crosswalk(made, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_of_the_first_layout_is_still_read(tmp_path, town, drawn):
    """The first layout kept the remainder as a part of its own, ids and all."""
    made = build_crosswalk(town.zones("DA"), drawn, weight="population")
    path = tmp_path / "old.parquet"
    write_crosswalk(made, path)
    table = pq.read_table(path)
    document = json.loads(table.schema.metadata[b"lipgeo"])
    del document["kind"], document["own_sha256"]
    parts = {name: pq.read_table(_opened(text)) for name, text in document["parts"].items()}
    parts["sources"] = parts["sources"].drop_columns("remainder")
    parts["remainder"] = pa.Table.from_pandas(made.remainder)
    document |= {"version": 1, "parts": {name: _closed(one) for name, one in parts.items()}}
    about = {**table.schema.metadata, b"lipgeo": json.dumps(document).encode()}
    pq.write_table(table.replace_schema_metadata(about), path)
    assert read_crosswalk(path) == made


def _opened(text):
    return pa.BufferReader(base64.b64decode(text))


def _closed(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return base64.b64encode(sink.getvalue().to_pybytes()).decode()


@pytest.mark.parametrize("weight", ["area", "population", "dwellings"])
def test_sources_are_named_when_they_are_asked_for(town, weight):
    """A crosswalk of one area is the same whether all its sources were named at once or later."""
    one = ServiceAreas.from_frame(areas(), id="area_id").select(["1"])
    made = build_crosswalk(town.zones("DA"), one, weight=weight)
    assert "_every" not in vars(made)
    again = build_crosswalk(town.zones("DA"), one, weight=weight)
    parts = ("frame", "remainder", "overlaps", "quality", "sources")
    told = Crosswalk(
        *(getattr(again, name) for name in parts), meta=again.meta, report=again.report
    )
    assert made == told
    assert "_make" not in vars(made)
    assert pickle.loads(pickle.dumps(build_crosswalk(town.zones("DA"), one, weight=weight))) == told


def test_quality_asks_all_sources_what_they_are_counted_by():
    """An area where nobody lives has no quality by people, though its land could be measured."""
    frame = areas()
    where = frame.geometry.iloc[0].centroid
    empty = shapely.box(where.x, where.y, where.x + 1, where.y + 1)
    blocks = pd.DataFrame({"unit_id": ["b1", "b2"], "DA": ["d1", "d2"], "population": [0.0, 9.0]})
    above = pd.DataFrame({"unit_id": ["d1", "d2"], "population": [0.0, 9.0]})
    shapes = np.array([empty, shapely.box(where.x + 1, where.y, where.x + 2, where.y + 1)])
    level = {"DB": blocks, "DA": above}
    country = Census(MemoryCensus(2021, level, dict.fromkeys(level, shapes)))
    cut = gpd.GeoDataFrame(
        {"id": ["half"]}, geometry=[shapely.box(where.x, where.y, where.x + 0.5, where.y + 1)],
        crs=3347,
    )  # fmt: skip
    made = build_crosswalk(country.zones("DA"), ServiceAreas.from_frame(cut), weight="population")
    assert made.frame["share_basis"].tolist() == ["area"]
    assert made.sources["share_basis"].tolist() == ["area", "population"]
    assert made.quality["quality_index"].isna().all()
    assert made.check().findings == ()


def test_files_that_are_no_crosswalk(tmp_path, town, drawn):
    """Missing, something else, damaged, newer: each is said."""
    with pytest.raises(FileError, match="There is no crosswalk at"):
        read_crosswalk(tmp_path / "none.parquet")
    areas().drop(columns="geometry").to_parquet(tmp_path / "other.parquet")
    with pytest.raises(FileError, match="is no crosswalk"):
        read_crosswalk(tmp_path / "other.parquet")
    write_crosswalk(build_crosswalk(town.zones("DA"), drawn), tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "half.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="was damaged"):
        read_crosswalk(tmp_path / "half.parquet")


# ---------------------------------------------------------------- real data


@pytest.mark.realdata
def test_ottawa_equals_geopandas_overlay(realdata):
    """1,392 real dissemination areas, 116 neighbourhoods: shares and remainders to 1e-9."""
    folder = realdata / "ottawa_2021"
    das = gpd.read_file(f"/vsizip/{folder}/lda_000b21a_e.zip").set_crs(3347, allow_override=True)
    around = gpd.read_file(folder / "neighbourhoods.gpkg")
    targets = ServiceAreas.from_frame(around, id="ONS_ID")
    crosswalk = build_crosswalk(Zones.from_frame(das, id="DAUID"), targets)

    outlines = targets.frame.reset_index()[["area_id", "geometry"]]
    outlines.geometry = shapely.make_valid(outlines.geometry.to_numpy(), method="structure")
    sizes = pd.Series(das.area.to_numpy(), index=das["DAUID"])
    common = gpd.overlay(das[["DAUID", "geometry"]], outlines, keep_geom_type=True)
    expected = common.area.groupby([common["DAUID"], common["area_id"]]).sum()
    expected /= sizes.loc[expected.index.get_level_values(0)].to_numpy()
    found = crosswalk.frame.set_index(["source_id", "target_id"])["share"]
    found, expected = found.align(expected, fill_value=0.0)
    assert (found - expected).abs().max() < 1e-9

    outside = gpd.overlay(
        das[["DAUID", "geometry"]], outlines, how="difference", keep_geom_type=False
    )
    rest = outside.area.groupby(outside["DAUID"]).sum().reindex(sizes.index, fill_value=0) / sizes
    mine = crosswalk.remainder.set_index("source_id")["share"]
    assert (mine - rest.loc[mine.index]).abs().max() < 1e-9
    assert crosswalk.check().ok
