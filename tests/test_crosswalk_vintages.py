"""Areas through censuses: correspondences, vintage crosswalks, continuity and comparison."""

from __future__ import annotations

import json
import zipfile
from itertools import pairwise

import numpy as np
import openpyxl
import pandas as pd
import pytest

from lipgeo import (
    CensusTable,
    Correspondence,
    ServiceAreas,
    Zones,
    build_crosswalk,
    compare,
    fit_boundaries,
    open_census,
    read_correspondence,
    read_service_areas,
    synthetic,
    vintage_crosswalk,
    weight_table,
    words,
)
from lipgeo.cli import main
from lipgeo.errors import CrosswalkError, FileError, IdError, InputError, TableError
from lipgeo.store import add_census

BLOCKS = 900


@pytest.fixture(scope="module")
def country():
    """The made country at four censuses."""
    return {year: synthetic.census(BLOCKS, vintage=year) for year in (2006, 2011, 2016, 2021)}


@pytest.fixture(scope="module")
def files(country, tmp_path_factory):
    """Correspondence files from each census to the one before."""
    folder = tmp_path_factory.mktemp("links")
    years = (2021, 2016, 2011, 2006)
    return [
        synthetic.write_correspondence(country[a], country[b], folder) for a, b in pairwise(years)
    ]


@pytest.fixture(scope="module")
def links(files):
    """The same, read."""
    return [read_correspondence(path) for path in files]


@pytest.fixture(scope="module")
def areas(country):
    """Areas over the newest census, drawn and listed."""
    newest = country[2021]
    drawn = ServiceAreas.from_frame(synthetic.service_areas(newest, count=3), id="area_id")
    units = newest.units("CSD")["population"].dropna().sort_values().index[-2:]
    lists = ServiceAreas.from_units(
        {"one": [f"CSD:{units[0]}"], "two": [f"CSD:{units[1]}"]}, newest
    )
    return ServiceAreas.concat([drawn, lists])


@pytest.fixture(scope="module")
def tables(country):
    """A table of each census by dissemination area, and the older ones by subdivision."""
    made = {}
    for year, census in country.items():
        for level in ("DA", "CSD"):
            table = synthetic.table(census, level, incomes=False)
            made[year, level] = CensusTable(
                table.frame, level=level, vintage=year, symbols=table.symbols
            )
    return made


# ------------------------------------------------------------------------------- correspondence


def test_classes_are_those_of_the_official_flags(country, links):
    """One to one, split, merge and redrawn, told by all units that hang together."""
    truth = synthetic.correspondence(country[2021], country[2016])
    kinds = {"1": "intact", "2": "merge", "3": "split", "4": "redrawn"}
    expected = truth.drop_duplicates(["new_id", "old_id"]).set_index(["new_id", "old_id"])["flag"]
    found = links[0].pairs().set_index(["new_id", "old_id"])["change"]
    assert expected.map(kinds).sort_index().tolist() == found.sort_index().tolist()
    assert not links[0].report.only("flags")
    assert set(found) == set(kinds.values())


def test_a_lying_flag_is_said():
    """Links count; a flag that says otherwise is a finding with its units."""
    frame = pd.DataFrame(
        {"new_id": ["35060001", "35060002"], "old_id": ["35060001", "35060001"], "flag": ["1", "3"]}
    )
    both = Correspondence(frame, level="DA", vintage=2021, old_level="DA", old_vintage=2016)
    assert both.changes()["change"].tolist() == ["split"]
    assert "35060001 - 35060001" in both.report.only("flags").findings[0].message


def test_weights_of_a_chain_add_up(links):
    """Every block lies once in the older units it is linked with, whatever the chain."""
    chain = links[0].chain(links[1]).chain(links[2])
    assert (chain.old_vintage, chain.old_level, chain.block_level) == (2006, "DA", "DB")
    assert np.allclose(chain.frame.groupby("block_id")["weight"].sum(), 1)


def test_chain_by_blocks_is_as_exact_as_the_files(country, tmp_path):
    """With block files every link of the chain is one that the land itself has."""
    a = read_correspondence(
        synthetic.write_correspondence(country[2021], country[2016], tmp_path, "DB")
    )
    b = read_correspondence(synthetic.write_correspondence(country[2016], country[2011], tmp_path))
    chain = a.chain(b)
    truth = synthetic.correspondence(country[2021], country[2011])
    linked = set(map(tuple, chain.frame[["block_id", "old_id"]].to_numpy()))
    real = set(map(tuple, truth[["db_id", "old_id"]].to_numpy()))
    assert real <= linked
    assert len(linked - real) < 0.01 * len(real)


def test_several_files_are_chained_in_any_order(files):
    """Newest first, whatever the order given."""
    assert read_correspondence([files[1], files[0]]).old_vintage == 2011


def test_a_broken_chain(links):
    """The next correspondence must begin where this one ends."""
    with pytest.raises(
        CrosswalkError, match="begin at the census of 2016; this one begins at 2011"
    ):
        links[0].chain(links[2])


def test_raised_to_what_units_lie_in(country, links):
    """Divisions stand in the ids; subdivisions need the older census, and the message says so."""
    assert links[0].raised("CD").frame["old_id"].str.len().eq(4).all()
    with pytest.raises(CrosswalkError, match="To go from DA to CSD of 2016"):
        links[0].raised("CSD")
    parents = country[2016].units("DA")["CSD"]
    assert set(links[0].raised("CSD", parents).frame["old_id"]) <= set(
        country[2016].units("CSD").index
    )


def test_ids_that_are_none():
    """Ids of another form are all listed."""
    frame = pd.DataFrame({"new_id": ["35060001", "3506"], "old_id": ["35060001", "x"]})
    with pytest.raises(IdError, match="new_id 3506, old_id x"):
        Correspondence(frame, level="DA", vintage=2021, old_level="DA", old_vintage=2016)
    with pytest.raises(CrosswalkError, match="to an earlier one"):
        Correspondence(frame, level="DA", vintage=2016, old_level="DA", old_vintage=2021)


def test_a_file_that_is_no_correspondence(tmp_path):
    """The columns found are named."""
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("t.csv", "DAUID2021,population\n35060001,5\n")
    with pytest.raises(FileError, match="DAUID2021, population"):
        read_correspondence(path)
    with pytest.raises(FileError, match="nothing is there"):
        read_correspondence(tmp_path / "none.zip")


# ------------------------------------------------------------------------------- vintage crosswalk


def test_intact_units_have_the_shares_of_today(country, links, areas):
    """Where nothing changed, an older area lies in the areas exactly as today's does."""
    newest = country[2021]
    drawn = areas.select(areas.drawn)
    xw = vintage_crosswalk(newest, links[0], drawn)
    today = build_crosswalk(newest.zones("DA"), drawn, weight="population")
    pairs = links[0].pairs()
    same = pairs.loc[pairs["change"].eq("intact")].set_index("old_id")["new_id"]
    mine = xw.frame[xw.frame["source_id"].isin(same.index)]
    mine = mine.assign(new=mine["source_id"].map(same))
    both = mine.merge(
        today.frame,
        left_on=["new", "target_id"],
        right_on=["source_id", "target_id"],
        suffixes=("", "_now"),
    )
    assert len(both) == len(mine)
    assert np.abs(both["share"] - both["share_now"]).max() < 1e-9
    # but for slivers by area that people live in
    seen = both["area_share_now"].between(0.005, 0.995)
    assert np.abs(both["area_share"] - both["area_share_now"])[seen].max() < 1e-6
    assert xw.check().ok


def test_older_people_come_near_the_truth(country, links, areas):
    """Through the newest blocks as near as from the older census's own blocks."""
    drawn = areas.select(areas.drawn)
    people = country[2016].counts("DA")["population"]
    own = build_crosswalk(country[2016].zones("DA"), drawn, weight="population")
    xw = vintage_crosswalk(country[2021], links[0], drawn, held=people)

    def total(one):
        return (
            (one.frame["share"] * people.reindex(one.frame["source_id"]).to_numpy())
            .groupby(one.frame["target_id"])
            .sum()
        )

    assert np.abs(total(xw) / total(own) - 1).max() < 0.03
    mine = xw.sources[xw.sources["share_basis"].eq("population")]
    known = people.reindex(mine.index).dropna()
    assert mine["weight"][known.index].eq(known).all()
    assert xw.vintage == 2016


def test_units_of_the_union_are_followed(country, links, areas):
    """A membership of 2021 areas goes back whole where its areas are intact."""
    newest = country[2021]
    fitted = fit_boundaries(newest, areas.select(areas.drawn), unit="DA")
    xw = vintage_crosswalk(newest, links[0], fitted.membership)
    pairs = links[0].pairs()
    same = pairs.loc[pairs["change"].eq("intact"), "old_id"]
    mine = xw.frame[xw.frame["source_id"].isin(same)]
    assert np.allclose(mine["share"], 1)
    assert max(xw.meta["unplaced"].values()) < 0.5
    table = CensusTable(
        country[2016].counts("DA")[["population"]].dropna(), level="DA", vintage=2016
    )
    assert set(weight_table(table, xw).frame["basis"]) == {"union"}


def test_unplaced_people_by_hand(country):
    """An older unit of two blocks, one on each side, cannot be placed; a whole one can."""
    newest = country[2021]
    das = newest.units("DA").query("population > 100").index[:2]
    frame = pd.DataFrame({"new_id": das, "old_id": [das[0], das[0]]})
    both = Correspondence(frame, level="DA", vintage=2021, old_level="DA", old_vintage=2016)
    inside = ServiceAreas.from_units({"in": [f"DA:{das[0]}"]}, newest)
    whole = ServiceAreas.from_units({"all": [f"DA:{one}" for one in das]}, newest)
    people = newest.counts("DA")["population"]
    frame = newest.units("DB")
    blocks = frame[frame["DA"].isin(das)]
    links = pd.DataFrame({"block_id": blocks.index, "new_id": blocks["DA"], "old_id": das[0]})
    both = Correspondence(links, level="DA", vintage=2021, old_level="DA", old_vintage=2016)
    xw = vintage_crosswalk(newest, both, inside)
    assert xw.meta["unplaced"] == {"in": 1.0}
    assert xw.frame["share"].tolist() == pytest.approx([people[das[0]] / people[das].sum()])
    assert xw.meta["changes"] == {"split": 1}
    assert vintage_crosswalk(newest, both, whole).meta["unplaced"] == {"all": 0.0}


def test_blocks_beyond_the_store(country, links):
    """What lies in blocks that are not held is outside every area, and said."""
    newest = country[2021]
    frame = links[0].frame
    das = newest.units("DA").query("population > 100").index
    extra = frame.iloc[[0]].assign(
        block_id="10019999001", new_id="10019999", old_id=das[0], weight=1.0
    )
    old = frame[frame["old_id"].eq(das[0])]
    joined = Correspondence(
        pd.concat([frame, extra]), level="DA", vintage=2021, old_level="DA", old_vintage=2016
    )
    assert len(old)
    cd = newest.units("CD").index
    xw = vintage_crosswalk(newest, joined, newest.zones("CD"))
    left = xw.remainder.set_index("source_id")["share"][das[0]]
    assert left == pytest.approx(1 / (len(old) + 1))
    assert das[0] in xw.report.only("blocks_absent").findings[0].message
    assert len(cd)


def test_another_census(country, links, areas):
    """A correspondence from another census than the one opened is refused."""
    with pytest.raises(CrosswalkError, match="begins at 2016"):
        vintage_crosswalk(country[2021], links[1], areas)


# ------------------------------------------------------------------------------- comparison


def test_comparison_of_three_censuses(country, links, areas, tables):
    """Blocks where there is a correspondence, points for 2006, own rows for listed units."""
    legs = {
        2006: (country[2006], tables[2006, "DA"]),
        2016: (country[2016], [tables[2016, "DA"], tables[2016, "CSD"]]),
        2021: (country[2021], [tables[2021, "DA"], tables[2021, "CSD"]]),
    }
    found = compare(
        areas, legs, ["population", "immigrants", "immigrants_pct"], correspondences=links[0]
    )
    frame = found.frame
    how = found.followed.set_index(["year", "area_id"])["how"]
    assert set(how[2006]) == {"points"}
    assert set(how[2016][areas.drawn]) == {"blocks"}
    assert set(how[2016][areas.listed]) <= {"own rows", "blocks"}
    assert "own rows" in set(how[2016][areas.listed])
    people = frame[frame["variable"].eq("population")]
    # the made country grows at every census
    assert people["change"].gt(0).mean() > 0.9
    assert (
        frame["flags"][frame["year"].eq(2006) & frame["variable"].eq("immigrants")]
        .str.contains("universe_2006")
        .all()
    )
    assert list(found.wide().columns) == [2006, 2016, 2021]


def test_own_rows_are_the_published_ones(country, links, areas, tables):
    """A listed subdivision that did not change has its own row, to the unit."""
    legs = {
        2016: (country[2016], tables[2016, "CSD"]),
        2021: (country[2021], tables[2021, "CSD"]),
    }
    listed = areas.select(areas.listed)
    found = compare(listed, legs, ["population", "immigrants"], correspondences=links[0])
    units = listed.units.set_index("area_id")["unit_id"]
    rows = found.frame[found.frame["how"].eq("own rows")]
    assert len(rows)
    for row in rows.itertuples():
        published = tables[2016, "CSD"].frame.loc[units[row.area_id], row.variable]
        assert row.baseline == pytest.approx(published)


def test_a_boundary_that_moved_is_not_its_own_row(country, tables):
    """A code that goes on over other land is shared out by blocks, and that is said."""
    newest = country[2021]
    blocks = newest.units("DB")
    unit = newest.units("CSD")["population"].dropna().sort_values().index[-1]
    other = newest.units("CSD")["population"].dropna().sort_values().index[-2]
    mine = blocks["CSD"].eq(unit)
    half = blocks.index[mine][: int(mine.sum() / 2)]
    old = blocks["CSD"].astype(object).copy()
    old[half] = other
    links = pd.DataFrame({"new_id": blocks["DA"], "block_id": blocks.index, "old_id": old})
    both = Correspondence(links, level="DA", vintage=2021, old_level="CSD", old_vintage=2016)
    area = ServiceAreas.from_units({"a": [f"CSD:{unit}"]}, newest)
    legs = {2016: (None, tables[2016, "CSD"]), 2021: (newest, tables[2021, "CSD"])}
    found = compare(area, legs, ["population"], correspondences=both)
    assert found.followed["how"].tolist() == ["blocks"]
    assert found.report.only("moved")


def test_a_missing_leg_is_not_comparable_and_says_why(country, areas, tables):
    """No correspondence and no older census: no number, and the reason."""
    drawn = areas.select(areas.drawn)
    legs = {
        2011: (None, tables[2011, "DA"]),
        2016: (None, None),
        2021: (country[2021], tables[2021, "DA"]),
    }
    found = compare(drawn, legs, ["population"])
    assert set(found.frame["status"]) == {"not comparable"}
    reasons = found.frame.groupby("year")["reason"].first()
    assert "No correspondence leads back from 2021 towards 2011" in reasons[2011]
    assert "needs a table" in reasons[2016]
    assert found.frame["exceeds"].isna().all()
    with words.speaking("fr"):
        found = compare(drawn, legs, ["population"])
        assert "Aucune correspondance" in found.frame["reason"].iloc[0]


def test_the_survey_of_2011_is_flagged(country, links, areas, tables):
    """The voluntary survey is flagged for what it asked, not for the population."""
    legs = {2011: (country[2011], tables[2011, "DA"]), 2021: (country[2021], tables[2021, "DA"])}
    found = compare(areas, legs, ["population", "immigrants"], correspondences=links[:2])
    flags = found.frame.groupby("variable")["flags"].agg(set)
    assert all("nhs_voluntary" in one for one in flags["immigrants"])
    assert not any("nhs_voluntary" in one for one in flags["population"])


def test_2006_from_points_alone(country, areas, tables, tmp_path):
    """The attribute file of 2006 alone places its areas; without polygons there is no margin."""
    written = synthetic.write_files(country[2006], tmp_path / "files", levels=[])
    add_census(tmp_path / "store", written[:1])
    older = open_census(tmp_path / "store", 2006)
    legs = {2006: (older, tables[2006, "DA"]), 2021: (country[2021], tables[2021, "DA"])}
    drawn = areas.select(areas.drawn)
    found = compare(drawn, legs, ["population"])
    whole = compare(drawn, {**legs, 2006: (country[2006], tables[2006, "DA"])}, ["population"])
    assert found.frame["flags"].str.contains("points_only").all()
    assert found.frame["margin"].isna().all()
    assert found.frame["exceeds"].isna().all()
    assert whole.frame["margin"].notna().all()
    assert np.abs(found.frame["baseline"] / whole.frame["baseline"] - 1).max() < 0.15


def test_no_change_is_no_change(country, areas):
    """The same land and numbers twice: nothing exceeds what noise can explain."""
    newest = country[2021]
    made = synthetic.table(newest, "DA", incomes=False)
    old = synthetic.table(newest, "DA", incomes=False, seed=5)
    blocks = newest.units("DB")
    links = pd.DataFrame({"new_id": blocks["DA"], "block_id": blocks.index, "old_id": blocks["DA"]})
    both = Correspondence(links, level="DA", vintage=2021, old_level="DA", old_vintage=2016)
    legs = {
        2016: (None, CensusTable(old.frame, level="DA", vintage=2016, symbols=old.symbols)),
        2021: (newest, CensusTable(made.frame, level="DA", vintage=2021, symbols=made.symbols)),
    }
    found = compare(
        areas, legs, ["population", "immigrants", "non_immigrants"], correspondences=both
    )
    assert found.frame["exceeds"].fillna(False).mean() <= 0.1


def test_wrong_calls(country, areas, tables):
    """One census, a closed newest one, a table of another census, an unknown variable."""
    newest = (country[2021], tables[2021, "DA"])
    with pytest.raises(InputError, match="at least two censuses"):
        compare(areas, {2021: newest})
    with pytest.raises(InputError, match="needs to be opened"):
        compare(areas, {2016: (None, tables[2016, "DA"]), 2021: (None, tables[2021, "DA"])})
    with pytest.raises(TableError, match="2016: 2021 DA"):
        compare(areas, {2016: (None, tables[2021, "DA"]), 2021: newest})
    with pytest.raises(TableError, match="No table holds happiness"):
        compare(areas, {2016: (None, tables[2016, "DA"]), 2021: newest}, ["happiness"])


def test_a_variable_that_one_census_lacks(country, links, areas, tables):
    """It is not comparable where its table lacks it; the others are."""
    frame = tables[2021, "DA"].frame.assign(bicycles=5.0)
    newest = CensusTable(frame, {"bicycles": "count"}, level="DA", vintage=2021)
    legs = {2016: (country[2016], tables[2016, "DA"]), 2021: (country[2021], newest)}
    found = compare(areas, legs, ["population", "bicycles"], correspondences=links)
    status = found.frame.groupby("variable")["status"].agg(set)
    assert status["bicycles"] == {"not comparable"}
    assert status["population"] == {"comparable"}
    assert "do not both hold it" in found.frame.query("variable == 'bicycles'")["reason"].iloc[0]


# ------------------------------------------------------------------------------- command line


def test_the_command_compares(country, files, tables, tmp_path, capsys):
    """Files in, a table and JSON out; a year without a table is said, not left out."""
    store = tmp_path / "store"
    add_census(store, synthetic.write_files(country[2021], tmp_path / "files", levels=["DB", "DA"]))
    for year in (2016, 2021):
        frame = tables[year, "DA"].frame[["population", "immigrants"]]
        frame.rename_axis(f"DAUID{year}").to_csv(tmp_path / f"t{year}.csv")
    areas = tmp_path / "areas.gpkg"
    synthetic.service_areas(country[2021], count=3).to_file(areas)
    arguments = [
        "compare", str(areas), "--id", "area_id", "--years", "2011,2016,2021",
        "--table", f"2016={tmp_path / 't2016.csv'}", "--table", f"2021={tmp_path / 't2021.csv'}",
        "--correspondence", str(files[0]), "--store", str(store), "--variables", "population",
    ]  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    result = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1  # a year without a table must be seen
    by_year = {row["year"]: row for row in result["comparison"]}
    assert by_year[2016]["status"] == "comparable"
    assert by_year[2011]["status"] == "not comparable"
    out = tmp_path / "comparison.csv"
    with words.speaking("en"), pytest.raises(SystemExit):
        main([*arguments, "--out", str(out), "--csv", "fr", "--lang", "fr"])
    assert out.read_bytes().startswith(b"\xef\xbb\xbfarea_id;")
    book = tmp_path / "comparison.xlsx"
    with words.speaking("en"), pytest.raises(SystemExit):
        main([*arguments, "--out", str(book)])
    table, _, results, *_ = openpyxl.load_workbook(book)
    rows = list(table.iter_rows())
    heads = [str(cell.value) for cell in rows[0]]
    area, year = heads.index("Id"), heads.index("Census before")
    change = next(at for at, head in enumerate(heads) if "%" in head)
    (row,) = [
        one
        for one in rows
        if one[year].value == "2016" and one[area].value == by_year[2016]["area_id"]
    ]
    assert row[change].number_format == "#,##0.0"
    assert row[change].value == pytest.approx(by_year[2016]["change_pct"])
    assert [cell.value for cell in results[1]] == list(result["comparison"][0])
    assert results.max_row == 1 + len(result["comparison"])
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(areas), "--table", "nonsense"])
    assert ended.value.code == 2
    assert "YEAR=FILE" in capsys.readouterr().err


# ------------------------------------------------------------------------------- real files


@pytest.mark.realdata
def test_ottawa_back_to_2016_and_2011(realdata, tmp_path):
    """The official files: their flags are the classes found; Ottawa's are those printed."""
    ottawa, canada = realdata / "ottawa_2021", realdata / "canada"
    names = ("lda_000b21a_e.zip", "ldb_000b21a_e.zip", "db_counts_2021.csv")
    add_census(tmp_path / "store", [ottawa / name for name in names])
    census = open_census(tmp_path / "store")
    first = read_correspondence(canada / "2021_92-156-X_DA_AD.zip")
    second = read_correspondence(canada / "2016_92-156_DA_AD_csv.zip")
    assert not first.report.only("flags")
    assert not second.report.only("flags")
    people = census.counts("DA")["population"]
    for links, intact, split, redrawn in (
        (first, 1355, 28, 9),
        (first.chain(second), 1346, 35, 11),
    ):
        change = links.changes("new").reindex(people.index)["change"]
        counted = change.value_counts().to_dict()
        assert counted == {"intact": intact, "split": split, "redrawn": redrawn}
    assert people[~change.eq("intact")].sum() == 103_952
    wards = read_service_areas(ottawa / "neighbourhoods.gpkg", id="ONS_ID")
    xw = vintage_crosswalk(census, first, wards)
    assert xw.check().ok
    assert len(xw.sources) == 1372
    assert isinstance(census.zones("DA"), Zones)
