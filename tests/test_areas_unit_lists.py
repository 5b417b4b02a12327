"""Service areas as lists of census units: resolved, made a partition, refused with the reason."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from toytown import DA_IDS, DB_IDS, DWELLINGS, POPULATION, areas, census, draw

from lipgeo import ServiceAreas, synthetic
from lipgeo.census import Census, MemoryCensus
from lipgeo.errors import AmbiguousNameError, AreaError
from lipgeo.words import speaking

TOWN = census()
P, Q, R, S = (f"DA:{DA_IDS[letter]}" for letter in "PQRS")


def lettered(found: ServiceAreas, area: str, town: Census = TOWN) -> str:
    """Return the letters of the blocks an area is made of."""
    letters = {unit: letter for letter, unit in DB_IDS.items()}
    atoms = found.atoms(town)
    rows = atoms.loc[atoms["area_id"] == area, "row"]
    return "".join(sorted(letters[unit] for unit in town.units("DB").index[rows]))


def listed(found: ServiceAreas, area: str) -> list[str]:
    """Return the units of an area, written."""
    units = found.units[found.units["area_id"] == area]
    return list(units["level"] + ":" + units["unit_id"])


def refused(match: str, units: object, town: Census = TOWN, **options: object) -> pd.DataFrame:
    """List units that must be refused, and return the error's problems."""
    with pytest.raises(AreaError, match=match) as caught:
        ServiceAreas.from_units(units, town, **options)
    return caught.value.problems


def tracted() -> Census:
    """Return the toy town with tracts that cross its areas: a-e-i-j, b-f, c-d-g-h-k; l in none.

    CT 5050001.00 holds half of P and all of R; 5050002.00 the other half of P; 5050003.00 Q and
    half of S. The populations of the tracts are published: they are held whole.
    """
    frames, geometry = {}, {}
    tract = dict.fromkeys("aeij", "5050001.00") | dict.fromkeys("bf", "5050002.00")
    tract |= dict.fromkeys("cdghk", "5050003.00")
    for level in ("DB", "DA", "CT", "CSD", "CD", "PR"):
        if level == "CT":
            frames[level] = pd.DataFrame({"unit_id": sorted(set(tract.values()))})
            continue
        frames[level] = TOWN.data.attributes(level)
        geometry[level] = TOWN.data.geometry(level)
    frames["DB"]["CT"] = frames["DB"]["unit_name"].map(tract)
    people = pd.Series(POPULATION).groupby(pd.Series(tract)).sum()
    known = {"CT": {unit: {"population": int(count)} for unit, count in people.items()}}
    return Census(MemoryCensus(2021, frames, geometry, {"published": known}))


def test_a_name_without_its_level_among_others_is_refused_in_a_sentence():
    """What has no level is a fault of its own, beside units that have one."""
    rows = refused("Somewhere .* has none", {"west": ["CSD:3506008", "Somewhere"]})
    assert rows["given"].tolist() == ["Somewhere"]


# ------------------------------------------------------------------------------- taken exactly


def test_a_list_is_taken_at_its_own_levels():
    """A subdivision stays a subdivision, an area an area; names and vintage come along."""
    found = ServiceAreas.from_units(
        {"west": ["CSD:3506008", R], "east": [S]}, TOWN, names={"west": ("West", "Ouest")}
    )
    assert found.units.to_dict("list") == {
        "area_id": ["west", "west", "east"],
        "level": ["CSD", "DA", "DA"],
        "unit_id": ["3506008", "35060003", "35060004"],
        "unit_name": ["CSD 3506008", "DA 35060003", "DA 35060004"],
    }
    assert found.frame.loc["west", ["name_en", "name_fr"]].tolist() == ["West", "Ouest"]
    assert found.frame["definition"].tolist() == ["units", "units"]
    assert found.frame.geometry.isna().all()
    assert found.vintage == 2021
    assert len(found.report) == 0
    assert lettered(found, "west") == "abcdefghij"
    assert lettered(found, "east") == "kl"


@pytest.mark.parametrize(
    "unit",
    [
        "CSD:3506008",
        " csd : 3506008 ",
        "SDR:3506008",
        "census subdivision:3506008",
        "subdivision de recensement: 3506008",
        "2021A00053506008",
        "CSD:3506008.0",
        "CSD:2021A00053506008",
    ],
)
def test_ways_to_write_a_unit(unit):
    """Level codes and names in both languages, DGUIDs, and ids that a spreadsheet touched."""
    assert listed(ServiceAreas.from_units({"x": [unit]}, TOWN), "x") == ["CSD:3506008"]


def test_lists_as_frames():
    """A frame takes levels and codes in columns, several units in a cell, modes, names, dates."""
    frame = pd.DataFrame(
        {
            "area_id": [7.0, 7.0, 8.0],
            "level": ["CSD", None, "DA"],
            "unit_id": [3506008, None, 35060004],
            "unit": [None, f"{P}; {R}|2021S051235060004", None],
            "mode": ["inclure", "EXCLUDE", ""],
            "name_en": ["Seven", "Seven", "Eight"],
            "valid_from": ["2019-04-01", None, None],
        }
    )
    before = frame.copy(deep=True)
    found = ServiceAreas.from_units(frame, TOWN)
    pd.testing.assert_frame_equal(frame, before)
    assert found.ids.tolist() == ["7", "8"]
    assert listed(found, "7") == [Q]
    assert listed(found, "8") == [S]
    assert found.frame.loc["7", ["name_en", "valid_from"]].tolist() == ["Seven", "2019-04-01"]


def test_names_are_found_and_never_picked():
    """A name resolves when one unit of its level bears it; else its candidates are listed."""
    frames = {"CSD": pd.DataFrame({
        "unit_id": ["3537039", "2442088", "5915001", "5915002", "3506008"],
        "unit_name": ["Windsor", "Windsor", "Langley", "Langley", "Québec-Ouest / Quebec West"],
        "unit_type": ["CY", "V", "CY", "DM", "CY"],
        "PR": ["35", "24", "59", "59", "35"],
    })}  # fmt: skip
    towns = Census(MemoryCensus(2021, frames, {}))

    def take(unit: str) -> list[str]:
        return ServiceAreas.from_units({"x": [unit]}, towns).units["unit_id"].tolist()

    assert take("CSD: windsor, ON") == ["3537039"]
    assert take("CSD: Windsor (Québec)") == ["2442088"]
    assert take("municipality: LANGLEY (DM)") == ["5915002"]
    assert take("SDR:quebec ouest") == ["3506008"]
    in_column = pd.DataFrame(
        {"area_id": ["x"], "level": ["CSD"], "unit_name": ["Windsor"], "province": ["Ontario"]}
    )
    assert ServiceAreas.from_units(in_column, towns).units["unit_id"].tolist() == ["3537039"]
    with pytest.raises(
        AmbiguousNameError,
        match=r"Several CSD units bear the name CSD:Windsor \(row 1\): "
        r"CSD:2442088 Windsor \(V, QC\), CSD:3537039 Windsor \(CY, ON\)",
    ) as caught:
        ServiceAreas.from_units({"x": ["CSD:Windsor"], "y": ["CSD:Langley, BC"]}, towns)
    assert [len(shown) for shown in caught.value.problems["candidates"]] == [2, 2]
    near = {"x": ["CSD:Windsr"]}
    refused(r"No CSD unit is called CSD:Windsr \(row 1\)\. Nearest: .*Windsor", near, towns)
    refused(
        r"No CSD unit of the 2021 census held is called CSD:Xanadu", {"x": ["CSD:Xanadu"]}, towns
    )
    in_column["province"] = "Ruritania"
    refused("Ruritania", in_column, towns)


# ------------------------------------------------------------------------------- a partition


def test_what_is_listed_twice_counts_once():
    """The same unit twice, and one inside another, are said and counted once."""
    found = ServiceAreas.from_units({"x": [P, "CSD:3506008", P, f"DB:{DB_IDS['c']}"]}, TOWN)
    assert listed(found, "x") == ["CSD:3506008"]
    assert [(f.check, f.severity) for f in found.report] == [
        ("unit_listed_twice", "note"),
        ("nested_units", "warning"),
    ]
    assert found.report.findings[1].message == (
        f"x: {P}, DB:{DB_IDS['c']} inside CSD:3506008, also listed: counted once."
    )
    atoms = found.atoms(TOWN)
    assert not atoms.duplicated().any()


def test_an_exclusion_opens_what_holds_it_and_no_more():
    """Out of a division without a block: the other subdivision, area and blocks."""
    found = ServiceAreas.from_units({"x": ["CD:3506"]}, TOWN, exclude={"x": [f"DB:{DB_IDS['b']}"]})
    assert listed(found, "x") == [
        "CSD:3506012", Q, *(f"DB:{DB_IDS[letter]}" for letter in "aef")
    ]  # fmt: skip
    assert lettered(found, "x") == "acdefghijkl"
    assert found.report.findings[0].message == (
        "x: CD:3506 holds excluded units and was opened into 1 CSD, 1 DA, 3 DB."
    )


def test_exclusions_keep_the_level_excluded():
    """Out of a division without a tract: the other tracts stay tracts where they are whole."""
    town = tracted()
    found = ServiceAreas.from_units({"x": ["CD:3506"]}, town, exclude={"x": ["CT:5050003.00"]})
    # the second subdivision holds part of the excluded tract; R and l are all that is left of it
    assert listed(found, "x") == ["CT:5050001.00", "CT:5050002.00", f"DB:{DB_IDS['l']}"]
    assert lettered(found, "x", town) == "abefijl"


def test_an_extract_never_stands_for_a_unit_it_may_not_hold_whole():
    """Of a metropolitan area over a division held in part, what is left is told by blocks.

    The store holds all that is left of the area in one division, but may lack others of that
    division; with the published figure that proves the division whole, it may stand.
    """
    frames = {
        "DB": pd.DataFrame({
            "unit_id": ["35060001001", "35060002001", "35070001001"],
            "population": [10.0, 20.0, 30.0],
            "CD": ["3506", "3506", "3507"],
            "CMA": ["505"] * 3,
            "PR": ["35"] * 3,
        }),
        "CD": pd.DataFrame({"unit_id": ["3506", "3507"], "PR": ["35", "35"]}),
        "CMA": pd.DataFrame({"unit_id": ["505"]}),
    }  # fmt: skip
    lists, without = {"x": ["CMA:505"]}, {"x": ["DB:35070001001"]}
    part = Census(MemoryCensus(2021, frames, {}))
    found = ServiceAreas.from_units(lists, part, exclude=without)
    assert listed(found, "x") == ["DB:35060001001", "DB:35060002001"]
    known = {"CD": {"3506": {"population": 30}}}
    whole = Census(MemoryCensus(2021, frames, {}, {"published": known}))
    found = ServiceAreas.from_units(lists, whole, exclude=without)
    assert listed(found, "x") == ["CD:3506"]


def test_exclusions_that_do_nothing_or_everything_are_said():
    """One beside the area, one that is a whole listed unit, and one that leaves nothing."""
    found = ServiceAreas.from_units({"x": [P, Q]}, TOWN, exclude={"x": [Q, R]})
    assert listed(found, "x") == [P]
    assert [f.check for f in found.report] == ["excluded_whole", "exclusion_elsewhere"]
    problems = refused("of x nothing is left", {"x": [P], "y": [Q]}, exclude={"x": ["CSD:3506008"]})
    assert problems["area_id"].tolist() == ["x"]


def test_units_that_overlap_in_part_are_opened_at_the_atoms():
    """A tract across two areas and one of the two: the larger stays whole, the rest is opened."""
    town = tracted()
    found = ServiceAreas.from_units({"x": ["CT:5050003.00", S]}, town)
    assert listed(found, "x") == ["CT:5050003.00", f"DB:{DB_IDS['l']}"]
    assert lettered(found, "x", town) == "cdghkl"
    remark = found.report.findings[0]
    assert (remark.check, remark.severity) == ("opened_for_overlap", "warning")
    assert remark.message == (
        f"x: {S} overlaps CT:5050003.00 in part; the part outside was taken as 1 DB."
    )


UNITS = [
    *(f"DB:{unit}" for unit in DB_IDS.values()), P, Q, R, S, "CSD:3506008", "CSD:3506012",
    "CD:3506", "PR:35", "CT:5050001.00", "CT:5050002.00", "CT:5050003.00",
]  # fmt: skip
TRACTED = tracted()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(UNITS), min_size=1, max_size=6),
    st.lists(st.sampled_from(UNITS), max_size=3),
)
def test_a_list_is_exactly_its_union_less_its_exclusions(included, excluded):
    """Whatever is listed, the result is the union minus the exclusions, and no block stands twice.

    The oracle walks the blocks one by one.
    """
    blocks = TRACTED.units("DB")

    def holds(unit: str, block: str) -> bool:
        level, _, code = unit.partition(":")
        if level == "DB":
            return block == code
        return not pd.isna(blocks.loc[block, level]) and blocks.loc[block, level] == code

    expected = {
        block for block in blocks.index
        if any(holds(unit, block) for unit in included)
        and not any(holds(unit, block) for unit in excluded)
    }  # fmt: skip
    if not expected:
        with pytest.raises(AreaError, match="nothing is left"):
            ServiceAreas.from_units({"x": included}, TRACTED, exclude={"x": excluded})
        return
    found = ServiceAreas.from_units({"x": included}, TRACTED, exclude={"x": excluded})
    units = found.units["level"] + ":" + found.units["unit_id"]
    members = [block for unit in units for block in blocks.index if holds(unit, block)]
    assert len(members) == len(set(members))
    assert set(members) == expected
    rows = found.atoms(TRACTED)["row"]
    assert set(blocks.index[rows]) == expected


@settings(max_examples=10, deadline=None)
@given(st.permutations([P, "CSD:3506012", S, f"DB:{DB_IDS['c']}", "CT:5050001.00"]))
def test_the_order_of_a_list_changes_nothing(order):
    """A list in any order gives the same units."""
    first = ServiceAreas.from_units({"x": sorted(order)}, TRACTED).units
    again = ServiceAreas.from_units({"x": list(order)}, TRACTED).units
    key = ["level", "unit_id"]
    assert set(map(tuple, first[key].to_numpy())) == set(map(tuple, again[key].to_numpy()))


# ------------------------------------------------------------------------------- refused


def test_every_fault_of_a_list_is_told_at_once():
    """Unknown levels and codes, other provinces, levels and vintages come in one error."""
    town = tracted()
    problems = refused(
        r"The unit list \(11 rows\) cannot be used",
        {
            "x": ["XX:12", "35060001", "ADA:35060001", "DA:24010001", "DA:35060009", P],
            "y": ["CD:3506008", "2016A00053506008", "CT:9990001.00", "CSD:35060001", "DA:"],
        },
        town,
    )
    told = dict(zip(problems["given"], problems["fault"], strict=True))
    assert told == {
        "XX:12": "unknown_level",
        "35060001": "no_level",
        "ADA:35060001": "level_not_held",
        "DA:24010001": "province_not_held",
        "DA:35060009": "not_in_vintage",
        "CD:3506008": "refused_codes",
        "2016A00053506008": "other_vintage",
        "CT:9990001.00": "not_in_vintage",
        "CSD:35060001": "refused_codes",
        "DA:": "no_unit",
    }


@pytest.mark.parametrize(
    ("match", "unit"),
    [
        (r"XX:12 \(row 1\): A level needs to be one of PR", "XX:12"),
        (r"35060001 \(row 1\) has none\. Write CSD:4806016", "35060001"),
        (r"is of level ADA, and the census opened holds DB, DA, CSD, CD, PR", "ADA:35060001"),
        (
            r"a code of the level DA, of province 24, and the census opened holds only 35",
            "DA:24010001",
        ),
        (r"not in the 2021 census held: it may be of another vintage", "DA:35060009"),
        (r"is a DGUID of 2016, and the census opened is 2021", "2016A00053506008"),
        (r"is no CSD code of 2021: .*7 digits.*DA, ADA", "CSD:35060001"),
        (r"is no DB code of 2021: .*11", "DB:3506000101"),
        (r"is no CSD code of 2021", "CSD:3.506008E+06X9"[:15]),
        (r"DGUID CD:2021A00053506008 \(row 1\) is of level CSD, and the list says CD",
         "CD:2021A00053506008"),
        (r"row 1 has none\. Fill it in", "CSD: "),
    ],
)  # fmt: skip
def test_a_code_that_is_none_is_told_why(match, unit):
    """Level, province, vintage, length: the message says which is wrong and what to do."""
    refused(match, {"x": [unit]})


def test_a_code_of_another_level_is_recognised():
    """A code that another level has is told with that level's name."""
    frames = {
        "DA": pd.DataFrame({"unit_id": ["35060001"], "ADA": ["35060002"]}),
        "ADA": pd.DataFrame({"unit_id": ["35060002"]}),
    }
    held = Census(MemoryCensus(2021, frames, {}))
    refused(
        r"DA:35060002 \(row 1\) is given as DA, and this census has it as ADA",
        {"x": ["DA:35060002"]},
        held,
    )


def test_a_level_that_no_file_ties_to_blocks_is_refused():
    """A forward sortation area has polygons and no table of its blocks: it is drawn, not listed."""
    frames = {
        "DA": pd.DataFrame({"unit_id": ["35060001"]}),
        "FSA": pd.DataFrame({"unit_id": ["K1A"]}),
    }
    held = Census(MemoryCensus(2021, frames, {}))
    refused(r"FSA:K1A \(row 1\): no file of this census says which DA", {"x": ["FSA:K1A"]}, held)


def test_six_bad_codes_are_shown_as_five_and_one_more():
    """The message shows five codes and counts the rest; problems has every row."""
    codes = [f"DA:350699{n:02}" for n in range(6)]
    problems = refused(r"DA:35069904 and 1 more \(rows 1, 2, 3, 4, 5 and 1 more\)", {"x": codes})
    assert problems["row"].tolist() == [1, 2, 3, 4, 5, 6]


def test_lists_that_are_none_are_refused():
    """Empty lists, missing columns and ids, strange modes and names of nobody."""
    refused("there are no rows", {})
    refused("x have none", {"x": [], "y": [P]})
    refused(
        r"needs the column area_id.*it has area, code", pd.DataFrame({"area": [1], "code": [2]})
    )
    frame = pd.DataFrame({"area_id": [None, "x"], "unit": [P, Q], "mode": ["", "perhaps"]})
    problems = refused("column area_id is empty in row 1.*mode is include or exclude", frame)
    assert problems["fault"].tolist() == ["missing_ids", "unknown_modes"]
    refused("Names were given for y, which are not in the list", {"x": [P]}, names={"y": "Y"})


def test_messages_in_french():
    """The same faults are told in French."""
    with speaking("fr"):
        refused("est un code DA de la province 24", {"x": ["DA:24010001"]})


# ------------------------------------------------------------------------------- drawn on request


def test_lists_are_drawn_from_the_census():
    """The outline is the union of the units; the areas given stay without one."""
    found = ServiceAreas.from_units({"x": ["CSD:3506008", R], "y": [S]}, TOWN)
    drawn = found.draw(TOWN)
    assert drawn.frame.area.tolist() == [400_000.0, 80_000.0]
    assert drawn.frame.geometry["x"].geom_type == "Polygon"
    assert drawn.frame["definition"].tolist() == ["units", "units"]
    assert found.frame.geometry.isna().all()
    assert drawn.units.equals(found.units)


def test_units_without_polygons_are_drawn_from_their_atoms_or_said():
    """A tract without a polygon is drawn from its blocks; a block without one is said."""
    town = tracted()
    found = ServiceAreas.from_units({"x": ["CT:5050002.00"]}, town).draw(town)
    assert found.frame.area.tolist() == [80_000.0]
    frames = {level: town.data.attributes(level) for level in town.levels}
    polygons = town.data.geometry("DB").copy()
    polygons[frames["DB"]["unit_name"] == "a"] = None
    bare = Census(MemoryCensus(2021, frames, {"DB": polygons}))
    lists = {"x": [f"DB:{DB_IDS['a']}", f"DB:{DB_IDS['b']}"], "y": [f"DB:{DB_IDS['a']}"]}
    found = ServiceAreas.from_units(lists, bare).draw(bare)
    assert found.frame.geometry["x"].area == 40_000.0
    assert found.frame.geometry["y"] is None
    assert [f.subject for f in found.report.only("not_drawn")] == ["x", "y"]


# ------------------------------------------------------------------------------- the census


def test_an_area_listed_and_drawn_is_its_list():
    """The list decides, the outline is kept for comparison, what only the outline names stays."""
    outlines = areas().assign(name_en=["One", "Two", "Three"])
    drawn = ServiceAreas.from_frame(outlines, id="area_id")
    lists = ServiceAreas.from_units({"1": [P], "9": [S]}, TOWN)
    both = ServiceAreas.concat([drawn, lists])
    assert both.ids.tolist() == ["1", "2", "3", "9"]
    assert both.frame["definition"].tolist() == ["units", "drawn", "drawn", "units"]
    assert both.frame.geometry["1"] is None
    assert both.frame["name_en"].tolist()[:3] == ["One", "Two", "Three"]
    assert both.as_drawn.index.tolist() == ["1"]
    assert [f.check for f in both.report] == ["both"]
    report = both.against(TOWN)
    remark = report.only("list_and_outline").findings[0]
    assert remark.message == (
        "1: 20.0% of the outline is outside the listed units, and 50.0% of the units is outside"
        " the outline."
    )
    assert remark.value == pytest.approx(0.5)
    kept = both.select(["9", "1"])
    assert kept.as_drawn.index.tolist() == ["1"]
    assert sorted(kept.units["area_id"]) == ["1", "9"]


def test_codes_belong_to_their_census():
    """Lists of 2021 are refused with the census of 2016, and lists of both are not put together."""
    found = ServiceAreas.from_units({"x": [P]}, TOWN)
    frames = {level: TOWN.data.attributes(level) for level in TOWN.levels}
    earlier = Census(MemoryCensus(2016, frames, {}))
    with pytest.raises(AreaError, match="x are of the 2021 census and the census opened is 2016"):
        found.atoms(earlier)
    with pytest.raises(AreaError, match="Open the 2021 census"):
        found.draw(earlier)
    assert [f.severity for f in found.against(earlier)] == ["error"]
    other = ServiceAreas.from_units({"y": [P]}, earlier)
    with pytest.raises(AreaError, match="codes of 2016, 2021"):
        ServiceAreas.concat([found, other])


def test_a_unit_of_which_the_census_holds_a_part_is_told():
    """Fewer people than published, or no block at all, is a warning with both figures."""
    frames = {level: TOWN.data.attributes(level) for level in TOWN.levels}
    frames["CSD"] = pd.concat(
        [frames["CSD"], pd.DataFrame({"unit_id": ["3506099"], "CD": ["3506"], "PR": ["35"]})]
    )
    geometry = {"DB": TOWN.data.geometry("DB")}
    known = {
        "PR": {"35": {"db_count": 137_867}},
        "CD": {"3506": {"population": 1_500, "db_count": 12}},
        "CSD": {"3506008": {"population": 492}, "3506012": {"db_count": 4}},
    }
    town = Census(MemoryCensus(2021, frames, geometry, {"published": known}))
    found = ServiceAreas.from_units(
        {
            "x": ["CD:3506"],
            "y": ["CSD:3506008", "CSD:3506012"],
            "z": ["CSD:3506099"],
            "p": ["PR:35"],
        },
        town,
    )
    report = found.against(town)
    assert [(f.check, f.subject, f.value, f.limit) for f in report] == [
        ("fewer_people", "x", 1_000.0, 1_500.0),
        ("nothing_held", "z", None, None),
        ("fewer_units", "p", 12.0, 137_867.0),
    ]
    assert "count 1,000 of its 1,500 published people" in report.findings[0].message


def test_thousands_of_blocks_in_one_list():
    """A list of many blocks and the subdivision over them is taken in a moment, in arrays."""
    count = 20_000
    frames = {
        "DB": pd.DataFrame(
            {"unit_id": [f"350600{n // 900:02}{n % 900 + 1:03}" for n in range(count)]}
        ),
        "CSD": pd.DataFrame({"unit_id": ["3506008", "3506012"]}),
    }
    frames["DB"]["CSD"] = np.where(np.arange(count) < count // 2, "3506008", "3506012")
    held = Census(MemoryCensus(2021, frames, {}))
    blocks = ("DB:" + frames["DB"]["unit_id"]).tolist()
    found = ServiceAreas.from_units({"x": ["CSD:3506008", *blocks]}, held)
    assert found.units["level"].value_counts().to_dict() == {"DB": count // 2, "CSD": 1}
    assert len(found.atoms(held)) == count


def test_the_toy_town_adds_up():
    """The people of an area are those of its blocks: the numbers of the toy town's docstring."""
    found = ServiceAreas.from_units({"x": ["CSD:3506008"], "y": ["CSD:3506012"]}, TOWN)
    people = TOWN.units("DB")["population"].to_numpy()
    atoms = found.atoms(TOWN)
    sums = atoms.assign(people=people[atoms["row"]]).groupby("area_id")["people"].sum()
    assert sums.to_dict() == {"x": 490.0, "y": 510.0}
    assert sum(POPULATION.values()) == 1000
    assert sum(DWELLINGS.values()) == 492


def test_a_drawing_is_no_list():
    """A layer given for a list is refused with its columns."""
    with pytest.raises(AreaError, match="needs the column area_id"):
        ServiceAreas.from_units(gpd.GeoDataFrame(draw("x")), TOWN)
    assert shapely.is_valid(draw("x").geometry).all()


def test_a_partnership_of_subdivisions_and_designated_places():
    """On the made census: a place inside a listed subdivision counts once, others stay places."""
    made = synthetic.census(blocks=2_000)
    blocks = made.units("DB")
    pairs = blocks[["CSD", "DPL"]].dropna().drop_duplicates()
    inside = pairs.iloc[0]
    other = pairs[pairs["CSD"] != inside["CSD"]].iloc[0]
    found = ServiceAreas.from_units(
        {"x": [f"CSD:{inside['CSD']}", f"DPL:{inside['DPL']}", f"DPL:{other['DPL']}"]}, made
    )
    whole = blocks["CSD"].eq(inside["CSD"]) | blocks["DPL"].isin([inside["DPL"], other["DPL"]])
    assert set(found.atoms(made)["row"]) == set(np.flatnonzero(whole.fillna(False)))
    assert f"CSD:{inside['CSD']}" in listed(found, "x")
    assert f"DPL:{other['DPL']}" in listed(found, "x")
    assert f"DPL:{inside['DPL']}" not in listed(found, "x")
    people = made.units("CSD")["population"][inside["CSD"]]
    people += made.units("DPL")["population"][other["DPL"]]
    rows = found.atoms(made)["row"]
    assert blocks["population"].iloc[rows].sum() == pytest.approx(people)


def test_a_list_in_the_wrong_python_form_is_named():
    """Numbers, blanks, a bare number or no census are told in words, never by an AttributeError."""
    refused("A unit needs its level", {"east": [4806016]})
    refused("Every row of a list needs a unit: row 1", {"east": [None]})
    refused("east came with int", {"east": 4806016})
    refused("mapping of area ids to units.*list was given", [("east", P)])
    refused("need the census they are of; NoneType was given", {"east": [P]}, None)
