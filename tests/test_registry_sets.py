"""Many submissions made one set: what is taken, what is asked back, what overlaps and changes."""

from __future__ import annotations

import json
import re
import shutil

import geopandas as gpd
import made_submissions as made
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
import toytown
from hypothesis import given
from hypothesis import strategies as st

import lipgeo
from lipgeo import compile_set, diff_sets, read_set, synthetic, write_set, write_template
from lipgeo.errors import AreaError, FileError, OutputError, RegistryError
from lipgeo.readers import read_service_areas
from lipgeo.registry.intake import question_for
from lipgeo.registry.overlaps import AreaIndex
from lipgeo.registry.template import read_template
from lipgeo.words import speaking


@pytest.fixture(scope="module")
def censuses():
    """Return the made country in 2016 and in 2021."""
    return synthetic.census(5000, vintage=2016), synthetic.census(5000, vintage=2021)


@pytest.fixture(scope="module")
def compiled(censuses, tmp_path_factory):
    """Return a folder of good, broken and stray files, and the set made of it."""
    folder = tmp_path_factory.mktemp("sent") / "in"
    earlier, census = censuses
    ids = made.write_good(census, folder, 12)
    made.write_broken(census, earlier, folder)
    clutter = made.write_clutter(folder)
    result = compile_set(folder, name="lip-2026", census=census, earlier=earlier)
    return folder, ids, clutter, result


def intake(result) -> pd.DataFrame:
    """Return the intake by file."""
    return result.intake.set_index("file")


# -- the intake --------------------------------------------------------------------------------


def test_every_good_submission_is_in_the_set(compiled):
    """Outlines in four formats and lists in four: all are areas of the set."""
    _, ids, _, result = compiled
    assert sorted(result.areas.ids) == sorted(ids)
    good = intake(result)[lambda rows: rows["status"].isin(["accepted", "question"])]
    assert len(good) == len(ids)
    assert good["sha256"].str.len().eq(64).all()
    assert good["received"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()


def test_a_question_leaves_out_advice_for_us_however_long_a_word_is():
    """What the partner cannot do is not asked of it; a word of 140,000 letters takes no time."""
    word = "x" * 140_000
    asked = question_for("no_such", f"There is no unit {word}. Use --id {word}. Or as_one={word}.")
    assert f"There is no unit {word}." in asked
    assert "--id" not in asked
    assert "as_one" not in asked


@pytest.mark.parametrize(("file", "fault"), made.BROKEN.items())
def test_a_bad_file_is_a_row_that_says_what_to_ask_back(compiled, file, fault):
    """Each of ten broken files is refused for its own reason, and stops no other."""
    row = intake(compiled[-1]).loc[file]
    assert (row["status"], row["fault"]) == ("refused", fault)
    assert len(row["question"]) > 20
    assert "Traceback" not in row["question"]
    assert "/" not in row["question"].split(file)[0] or "http" in row["question"]
    assert len(row["question_other"]) > 20
    assert row["question_other"] != row["question"]
    assert not re.search(r"\b(the|Please|which)\b", row["question_other"])
    # a partnership has no lipgeo: nothing of its options, names or calls
    assert not re.search(r"--\w|lipgeo|\w=|\(\)", row["question"] + row["question_other"])


def test_a_misspelt_name_comes_back_with_suggestions(compiled, censuses):
    """The nearest names are shown with their population and province."""
    question = intake(compiled[-1]).loc["misspelt.csv", "question"]
    assert "Which municipality do you mean?" in question
    assert " people)" in question


def test_a_ceased_unit_comes_back_with_what_it_became(compiled):
    """A code of 2016 is answered with the units of 2021 in its place."""
    question = intake(compiled[-1]).loc["ceased.csv", "question"]
    assert "no longer exist" in question
    assert "(2016) ceased to exist; in 2021 its land is in CSD:" in question


def test_clutter_is_named_and_not_read(compiled):
    """Temporary files, shortcuts and system files are rows, neither taken nor refused."""
    _, _, clutter, result = compiled
    rows = intake(result).loc[clutter]
    assert rows["status"].eq("ignored").all()
    assert rows["question"].eq("").all()
    assert "temporary" in rows.loc["~$lst-001.xlsx", "problems"]
    assert "shortcut" in rows.loc["area - Shortcut.lnk", "problems"]


def test_questions_are_french_in_french(tmp_path):
    """What to ask back is in the language in force."""
    _town(tmp_path, {"on-one.csv": _list(toytown.census(), 0)})
    (tmp_path / "plan.docx").write_bytes(b"x")
    with speaking("fr"):
        result = compile_set(tmp_path, name="x", census=toytown.census())
    assert intake(result).loc["plan.docx", "question"].startswith("Veuillez envoyer")


def test_nothing_to_compile_is_an_error(tmp_path):
    """No folder, an empty one, or one in which nothing can be used."""
    census = toytown.census()
    with pytest.raises(FileError, match="folder of submissions is needed"):
        compile_set(tmp_path / "none", name="x", census=census)
    with pytest.raises(FileError, match="is empty"):
        compile_set(tmp_path, name="x", census=census)
    (tmp_path / "plan.docx").write_bytes(b"x")
    with pytest.raises(AreaError, match=r"Not one submission could be used: plan\.docx"):
        compile_set(tmp_path, name="x", census=census)


# -- ids ---------------------------------------------------------------------------------------


def _list(census, *rows: int, area: str = "on-one", level: str = "CSD") -> pd.DataFrame:
    """Return a list of units of a census, by position."""
    ids = census.units(level).index[[*rows]]
    return pd.DataFrame({"area_id": area, "level": level, "unit_id": ids})


def _town(folder, files) -> None:
    folder.mkdir(exist_ok=True)
    for name, frame in files.items():
        frame.to_csv(folder / name, index=False)


def test_two_partnerships_with_one_id_are_both_asked(tmp_path):
    """Neither is taken: lipgeo cannot know whose the id is."""
    census = toytown.census()
    _town(tmp_path, {
        "a.csv": _list(census, 0), "b.csv": _list(census, 1),
        "c.csv": _list(census, 1, area="on-two"),
    })  # fmt: skip
    result = compile_set(tmp_path, name="x", census=census)
    rows = intake(result)
    assert rows.loc[["a.csv", "b.csv"], "fault"].tolist() == ["one_id", "one_id"]
    assert "which of them is yours" in rows.loc["a.csv", "question"]
    assert result.areas.ids.tolist() == ["on-two"]


def test_the_same_file_twice_counts_once(tmp_path):
    """A copy of a submission is set aside without a conflict."""
    census = toytown.census()
    _town(tmp_path, {"a.csv": _list(census, 0), "copy of a.csv": _list(census, 0)})
    result = compile_set(tmp_path, name="x", census=census)
    assert intake(result)["fault"].tolist() == ["", "sent_twice"]
    assert result.areas.ids.tolist() == ["on-one"]


def test_an_id_is_never_used_for_another_place(tmp_path):
    """An area that lies nowhere in its place of last year is refused."""
    census = toytown.census()
    _town(tmp_path / "old", {"a.csv": _list(census, 0), "b.csv": _list(census, 0, area="on-b")})
    old = compile_set(tmp_path / "old", name="x", census=census)
    _town(tmp_path / "new", {"a.csv": _list(census, 1), "b.csv": _list(census, 0, area="on-b")})
    new = compile_set(tmp_path / "new", name="x", census=census, since=old)
    row = intake(new).loc["a.csv"]
    assert (row["status"], row["fault"]) == ("refused", "id_reused")
    assert "Did your area move" in row["question"]
    assert "on-one" not in new.index
    assert new.changes[["area_id", "change"]].to_numpy().tolist() == [["on-one", "removed"]]


def test_an_id_of_the_registry_keeps_its_place(tmp_path):
    """A file named as an entry of the registry, drawn elsewhere, is refused."""
    census = toytown.census()
    first, second = census.units("CSD").index[:2]
    lips = lipgeo.registry.open_registry().lips.iloc[[0]].assign(
        lip_id="on-known", units=f"CSD:{first}", missing_units="", units_status="resolved"
    )  # fmt: skip
    (tmp_path / "own").mkdir()
    lips.to_csv(tmp_path / "own" / "lips.csv", index=False)
    elsewhere = census.zones("CSD").geometry[[1]]
    (tmp_path / "in").mkdir()
    frame = gpd.GeoDataFrame({"x": [1]}, geometry=elsewhere, crs=3347)
    frame.to_file(tmp_path / "in" / "on-known.gpkg")
    _town(tmp_path / "in", {"b.csv": _list(census, 1, area="on-b")})
    result = compile_set(tmp_path / "in", name="x", census=census, registry=tmp_path / "own")
    assert intake(result).loc["on-known.gpkg", "fault"] == "id_reused"
    assert second in result.areas.units["unit_id"].tolist()


def test_a_place_inside_a_listed_place_is_counted_once_and_asked(censuses, tmp_path):
    """A list with a subdivision and a designated place inside it is taken, with a question."""
    census = censuses[1]
    csd, dpl = census.units("DB").dropna(subset=["DPL"]).iloc[0][["CSD", "DPL"]]
    frame = pd.DataFrame({"area_id": "on-one", "unit": [f"CSD:{csd}", f"DPL:{dpl}"]})
    _town(tmp_path, {"a.csv": frame})
    result = compile_set(tmp_path, name="x", census=census)
    row = intake(result).loc["a.csv"]
    assert row["status"] == "question"
    assert f"DPL:{dpl} inside CSD:{csd}" in row["question"]
    assert result.people["on-one"] == census.counts("CSD").loc[csd, "population"]


# -- the workbook ------------------------------------------------------------------------------


def test_the_workbook_is_bilingual_and_its_cells_are_text(tmp_path):
    """Sheets, headers and instructions stand in both languages; codes cannot become numbers."""
    path = write_template(tmp_path / "t.xlsx", lip_id="nb-moncton")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Units - Unités", "Partnership - Partenariat", "Instructions"]
    assert [cell.value for cell in book.worksheets[0][1]] == [
        "Level / Niveau", "Unit code / Code de l'unité", "Unit name / Nom de l'unité",
        "Province", "Mode / Inclure exclure",
    ]  # fmt: skip
    assert {cell.number_format for cell in book.worksheets[0][3]} == {"@"}
    card = {row[0].value: row[1].value for row in book.worksheets[1].iter_rows()}
    assert card["Id of the partnership (nb-moncton) / Identifiant du partenariat"] == "nb-moncton"
    codes = [[cell.value for cell in row[:2]] for row in book.worksheets[0].iter_rows(2, 4)]
    assert codes == [["CSD", "1307022"], ["CSD", "1307045"], ["CSD", "1306020"]]
    assert "Moncton" in next(text for label, text in card.items() if "What we know" in label)
    steps = list(book.worksheets[2].iter_rows(max_row=8))
    assert all(row[0].value and row[1].value for row in steps)
    assert all(book.worksheets[2].row_dimensions[at].height >= 30 for at in range(1, 9))
    example = [row[0].value for row in book.worksheets[2].iter_rows(min_row=11, max_row=14)]
    assert example == ["Level / Niveau", "CMA", "CSD", "DPL"]
    again = write_template(tmp_path / "again.xlsx", lip_id="nb-moncton")
    assert again.read_bytes() == path.read_bytes()
    with pytest.raises(RegistryError, match="no nb-nowhere"):
        write_template(tmp_path / "u.xlsx", lip_id="nb-nowhere")


def test_what_the_registry_knows_is_read_back_and_named(tmp_path):
    """Units filled in for a partnership come back as its area; a census gives their names."""
    census = toytown.census()
    code = census.units("CSD").index[0]
    lips = lipgeo.registry.open_registry().lips.iloc[[0, 1]].assign(
        lip_id=["on-known", "on-unsure"], units=f"CSD:{code}", missing_units="",
        units_status=["resolved", "choose"],
    )  # fmt: skip
    lips.to_csv(tmp_path / "lips.csv", index=False)
    options = {"census": census, "folder": tmp_path, "vintage": census.vintage}
    path = write_template(tmp_path / "in.xlsx", lip_id="on-known", **options)
    sheet, about = read_template(path)
    name, province = census.find(code, level="CSD")[["name", "province"]].iloc[0]
    assert sheet.frame.iloc[0, :4].tolist() == ["CSD", code, name, province]
    assert about["lip_id"] == "on-known"
    areas = read_service_areas(path, census=census, as_one="on-known")
    assert areas.units["unit_id"].tolist() == [code]
    unsure = write_template(tmp_path / "unsure.xlsx", lip_id="on-unsure", **options)
    with pytest.raises(FileError, match="is empty"):
        read_template(unsure)


def test_reading_back_tolerates_what_excel_does(censuses, tmp_path):
    """Numbers, lost zeros, blanks around and formula texts are the codes they were."""
    census = censuses[1]
    csd, cma = census.units("CSD").index[3], census.units("CMA").index[0]
    units = pd.DataFrame(
        {
            "level": ["CSD ", "sdr", " Census Subdivision", "RMR"],
            "unit_id": [int(csd), f'="{census.units("CSD").index[4]}"',
                        f"  {census.units('CSD').index[5]}.0 ", int(cma)],
        }
    )  # fmt: skip
    path = tmp_path / "filled.xlsx"
    about = {"vintage": 2021.0, "valid_from": pd.Timestamp("2026-04-01"), "contact": " A. Person "}
    made.fill_template(path, "on-filled", units, about)
    result = compile_set(tmp_path, name="x", census=census)
    held = result.areas.units
    listed = set(held["level"] + ":" + held["unit_id"])
    assert {f"CSD:{code}" for code in census.units("CSD").index[3:6]} | {f"CMA:{cma}"} >= listed
    assert f"CMA:{cma}" in listed
    row = intake(result).loc["filled.xlsx"]
    assert row[["area_ids", "kind", "name", "contact"]].tolist() == [
        "on-filled", "LIP", "Partnership on-filled", "A. Person",
    ]  # fmt: skip
    assert result.areas.frame.loc["on-filled", "valid_from"] == "2026-04-01"
    alone = read_service_areas(path, census=census, as_one="on-filled")
    assert set(alone.units["unit_id"]) == set(held["unit_id"])


def test_a_code_and_a_name_that_disagree_are_asked(censuses, tmp_path):
    """The name beside a code is held against the census's."""
    census = censuses[1]
    csd = census.units("CSD").index[3]
    path = tmp_path / "filled.xlsx"
    made.fill_template(path, "on-filled", pd.DataFrame({"level": ["CSD"], "unit_id": [csd]}))
    book = openpyxl.load_workbook(path)
    book.worksheets[0].cell(2, 3).value = "Somewhere Else"
    book.save(path)
    row = intake(compile_set(tmp_path, name="x", census=census)).loc["filled.xlsx"]
    assert row["status"] == "question"
    assert "the sheet calls it Somewhere Else" in row["question"]


@pytest.mark.parametrize(
    ("about", "fault"),
    [({"vintage": "2016"}, "template_vintage"), ({"lip_id": "?"}, "template_id")],
)
def test_a_workbook_of_another_census_or_without_id_is_refused(tmp_path, about, fault):
    """The sheet about the partnership decides whether its units can be read at all."""
    census = toytown.census()
    _town(tmp_path, {"b.csv": _list(census, 1, area="on-b")})
    units = _list(census, 0)[["level", "unit_id"]]
    made.fill_template(tmp_path / "filled.xlsx", "on-filled", units, about)
    row = intake(compile_set(tmp_path, name="x", census=census)).loc["filled.xlsx"]
    assert (row["status"], row["fault"]) == ("refused", fault)


def test_other_workbooks_are_no_templates(tmp_path):
    """A workbook of one's own is read as any sheet."""
    pd.DataFrame({"a": [1]}).to_excel(tmp_path / "own.xlsx")
    assert read_template(tmp_path / "own.xlsx") is None


# -- overlaps and gaps -------------------------------------------------------------------------


def _boxes(**boxes: tuple[float, float, float, float]) -> dict[str, shapely.Geometry]:
    """Return boxes in blocks of the toy town (100 m), from its south-west corner."""
    west, south, *_ = toytown.census().zones("CD").geometry[0].bounds
    return {
        name: shapely.box(west + 100 * a, south + 100 * b, west + 100 * c, south + 100 * d)
        for name, (a, b, c, d) in boxes.items()
    }


def _compile_boxes(folder, shapes, **kwargs):
    folder.mkdir(exist_ok=True)
    for name, shape in shapes.items():
        frame = gpd.GeoDataFrame({"area_id": [name]}, geometry=[shape], crs=3347)
        frame.to_file(folder / f"{name}.gpkg")
    return compile_set(folder, name="x", census=toytown.census(), **kwargs)


def test_overlaps_by_design_are_told_from_unexpected_ones(tmp_path):
    """Quadrants in their city and networks over partnerships are meant; two neighbours are not."""
    shapes = _boxes(**{
        "on-toronto-city": (0, 0, 4, 4), "on-toronto-east": (2, 0, 4, 4),
        "on-toronto-west": (0, 0, 2, 4), "rif-on-nord": (0, 0, 4, 4), "on-next": (3, 0, 6, 4),
    })  # fmt: skip
    result = _compile_boxes(tmp_path, shapes)
    pairs = result.overlaps.set_index(["one", "other"])["intended"]
    assert pairs[("on-toronto-city", "on-toronto-east")]
    assert pairs[("on-toronto-city", "rif-on-nord")]
    assert ("on-toronto-east", "on-toronto-west") not in pairs.index
    unexpected = pairs.index[~pairs]
    assert set(unexpected) == {("on-next", "on-toronto-city"), ("on-next", "on-toronto-east")}
    assert "RIF" in result.kinds.values()
    assert result.kinds["rif-on-nord"] == "RIF"


def test_people_in_two_areas_are_counted_twice_and_once(tmp_path):
    """The sum over areas less the people in any of them is what overlaps hold."""
    census = toytown.census()
    csd = census.units("CSD")["population"]
    both = pd.concat([_list(census, 0, area="on-a"), _list(census, 0, 1, area="on-b")])
    _town(tmp_path, {"a.csv": both})
    result = compile_set(tmp_path, name="x", census=census)
    assert result.meta["people_counted"] == 2 * csd.iloc[0] + csd.iloc[1]
    assert result.meta["people"] == csd.iloc[:2].sum()
    (overlap,) = result.overlaps.itertuples()
    assert (overlap.people, overlap.share_of_smaller) == (csd.iloc[0], 1.0)


def test_a_declared_overlap_is_intended(tmp_path):
    """A partnership that names the other in its workbook is not asked about the overlap."""
    census = toytown.census()
    units = _list(census, 0)[["level", "unit_id"]]
    made.fill_template(tmp_path / "a.xlsx", "on-a", units, {"overlaps": "on-b; on-c"})
    _town(tmp_path, {"b.csv": _list(census, 0, area="on-b")})
    result = compile_set(tmp_path, name="x", census=census)
    assert result.overlaps[["intended", "reason"]].to_numpy().tolist() == [[True, "declared"]]


def test_a_strip_between_neighbours_and_a_place_shut_in_are_gaps(censuses, tmp_path):
    """A strip of 200 m and a hole that two areas surround are found, with their land."""
    census = censuses[1]
    divisions = census.data.geometry("CD")
    largest = divisions[np.argmax(shapely.area(divisions))]
    x, y = shapely.point_on_surface(largest).coords[0]
    km = 1000.0
    left = shapely.box(x - 40 * km, y - 40 * km, x, y + 40 * km)
    right = shapely.box(x + 200, y - 40 * km, x + 40 * km, y + 40 * km)
    hole = shapely.box(x - 60 * km, y - 60 * km, x + 60 * km, y + 60 * km)
    round_ = hole.difference(shapely.box(x - 45 * km, y - 45 * km, x + 45 * km, y + 45 * km))
    tmp_path.joinpath("in").mkdir()
    for name, shape in {"on-left": left, "on-right": right, "on-round": round_}.items():
        frame = gpd.GeoDataFrame({"area_id": [name]}, geometry=[shape], crs=3347)
        frame.to_file(tmp_path / "in" / f"{name}.gpkg")
    result = compile_set(tmp_path / "in", name="x", census=census)
    gaps = result.gaps.set_index("neighbours")
    between = gaps.loc["on-left;on-right;on-round"].geometry
    strip = shapely.box(x, y - 40 * km, x + 200, y + 40 * km)
    ring = shapely.box(x - 45 * km, y - 45 * km, x + 45 * km, y + 45 * km)
    expected = ring.difference(left).difference(right)
    assert between.area == pytest.approx(expected.area, rel=1e-3)
    assert between.intersection(strip).area == pytest.approx(strip.area, rel=1e-3)


def test_neighbours_that_touch_leave_no_gap(tmp_path):
    """Two areas with a common edge have neither overlap nor gap."""
    result = _compile_boxes(tmp_path, _boxes(**{"on-a": (0, 0, 2, 4), "on-b": (2, 0, 4, 4)}))
    assert len(result.overlaps) == 0
    assert len(result.gaps) == 0


_Corner = st.integers(0, 20)
_Box = st.tuples(_Corner, _Corner, _Corner, _Corner).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]) + 1, max(c[1], c[3]) + 1)
)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | _Box), max_size=12), _Box)
def test_the_index_is_a_list_of_boxes(steps, box):
    """After any insertions and deletions, it gives what looking at every box gives."""
    index, plain = AreaIndex(), {}
    for name, given_box in steps:
        if given_box is None:
            index.delete(name)
            plain.pop(name, None)
        else:
            index.insert(name, shapely.box(*given_box))
            plain[name] = given_box
    met = [
        name
        for name, (a, b, c, d) in plain.items()
        if a <= box[2] and c >= box[0] and b <= box[3] and d >= box[1]
    ]
    assert index.ids_touching(box) == sorted(met)
    assert len(index) == len(plain)
    if plain:
        near = {n: shapely.distance(shapely.box(*b), shapely.box(*box)) for n, b in plain.items()}
        assert near[index.nearest(box)[0]] == min(near.values())


# -- from year to year -------------------------------------------------------------------------


def test_next_year_only_the_changes_differ(compiled, censuses, tmp_path):
    """Of a folder sent again with a unit more, one new and one gone, those three are the diff."""
    folder, _, _, old = compiled
    census = censuses[1]
    new = tmp_path / "next"
    shutil.copytree(folder, new)
    listed = next(path for path in sorted(new.glob("lst-*.csv")))
    frame = pd.read_csv(listed, dtype=str, sep=None, engine="python", encoding="utf-8-sig")
    csd = census.units("CSD").index.difference(frame["unit_id"])[-1]
    more = frame.iloc[[0]].assign(level="CSD", unit_id=csd, mode="include")
    pd.concat([frame, more]).to_csv(listed, index=False)
    gone = new / "lip-001.gpkg"
    gone.unlink()
    _town(new, {"fresh.csv": _list(census, 2, area="on-fresh")})
    made_new = compile_set(new, name="lip-2027", census=census, since=old)
    changes = made_new.changes.set_index("area_id")
    assert changes["change"].to_dict() == {
        "lip-001": "removed",
        listed.stem: "changed",
        "on-fresh": "added",
    }
    assert changes.loc[listed.stem, ["what", "units_added"]].tolist() == ["units", f"CSD:{csd}"]
    assert made_new.meta["version"] == 2
    assert made_new.since == old.meta["fingerprint"]


def test_a_set_comes_back_as_it_was_written(compiled, tmp_path):
    """Areas, kinds, people and intake survive the disk; a changed byte is found."""
    result = compiled[-1]
    folder = write_set(result, tmp_path / "set")
    back = read_set(folder)
    assert len(diff_sets(result, back)) == 0
    assert back.meta == json.loads(json.dumps(result.meta))
    assert back.kinds == result.kinds
    np.testing.assert_allclose([*back.people.values()], [*result.people.values()])
    assert back.intake["status"].tolist() == result.intake["status"].tolist()
    box = tuple(result.areas.frame.geometry.iloc[0].bounds)
    assert back.index.ids_touching(box) == result.index.ids_touching(box)
    book = openpyxl.load_workbook(folder / "intake.xlsx")
    assert book.sheetnames == ["intake", "areas", "overlaps", "gaps", "changes"]
    with pytest.raises(OutputError, match="exists"):
        write_set(result, folder)
    (folder / "overlaps.csv").write_bytes(b"x")
    with pytest.raises(FileError, match=r"changed since it was written: overlaps\.csv"):
        read_set(folder)
    with pytest.raises(FileError, match="needs to be a set"):
        read_set(tmp_path)


def test_equal_folders_give_equal_sets(tmp_path):
    """The same files compiled twice have the same fingerprint, and one unit more another."""
    census = toytown.census()
    prints = []
    for name, rows in (("a", (0,)), ("b", (0,)), ("c", (0, 1))):
        _town(tmp_path / name, {"x.csv": _list(census, *rows)})
        prints.append(compile_set(tmp_path / name, name="x", census=census).meta["fingerprint"])
    assert prints[0] == prints[1] != prints[2]


def test_a_set_is_areas_for_the_other_commands(compiled, censuses, tmp_path):
    """A compiled set feeds the fit, and is checked as areas are."""
    from lipgeo.cli.registry import check_registered, registered_areas

    folder = write_set(compiled[-1], tmp_path / "set")
    areas = registered_areas(str(folder), censuses[1])
    fitted = lipgeo.fit_boundaries(censuses[1], areas.select(areas.listed[:2]))
    assert fitted.areas["area_id"].tolist() == areas.listed[:2].tolist()
    report = check_registered(str(folder), tmp_path / "no-store", None)
    assert len(report.only("refused")) == 0  # the areas' own findings, not the folder's


def test_the_command_compiles_and_writes(tmp_path, capsys, monkeypatch):
    """`lipgeo compile` needs a store, writes the set, and exits 1 when it must ask back."""
    from lipgeo.cli import main

    monkeypatch.chdir(tmp_path)
    census = synthetic.census(1500)
    synthetic.write_files(census, tmp_path / "files", levels=["DA", "DB", "CSD"])
    lipgeo.add_census(tmp_path / "store", sorted((tmp_path / "files").glob("*.zip")))
    held = lipgeo.open_census(tmp_path / "store")
    _town(tmp_path / "in", {"a.csv": _list(held, 0), "b.csv": _list(held, 1, area="on-b")})
    (tmp_path / "in" / "plan.pdf").write_bytes(b"x")
    command = ["compile", "in", "--set", "lip-x", "--store", "store", "--json"]
    with pytest.raises(SystemExit) as end:
        main(command)
    said = json.loads(capsys.readouterr().out)
    assert end.value.code == 1
    assert said["set"]["set"] == "lip-x"
    assert [row["status"] for row in said["intake"]] == ["accepted", "accepted", "refused"]
    assert (tmp_path / "lip-x" / "manifest.json").is_file()
    with pytest.raises(SystemExit) as end:
        main(["diff", "lip-x", "lip-x", "--json"])
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out) == {"changes": []}
    with pytest.raises(SystemExit) as end:
        main(["compile", "in", "--set", "y", "--store", "nowhere"])
    assert end.value.code == 2
    assert "needs a census" in capsys.readouterr().err
