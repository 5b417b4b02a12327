"""Every layout in which tables are handed out: its right values, the same in every kind of file."""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_layouts import MadeFile, made_files, profile_2016, profile_2021

import lipgeo
from lipgeo.errors import LipgeoError, TableError
from lipgeo.tables import CensusTable
from lipgeo.tables.variables import known_variables

FILES = made_files()


@pytest.mark.parametrize("made", FILES, ids=[one.name for one in FILES])
def test_every_layout_has_its_right_value(tmp_path, made: MadeFile):
    """Level, census, a number and the symbols; a sentence asks for what has to be told."""
    path = tmp_path / made.name
    path.write_bytes(made.content)
    if made.without:
        with pytest.raises(TableError) as caught:
            lipgeo.read_table(path)
        assert made.without in str(caught.value)
    table = lipgeo.read_table(path, **made.asked)
    assert (table.level, table.vintage) == (made.level, made.vintage)
    assert table.frame.loc[made.unit, made.column] == made.value
    assert {place: table.symbols.loc[place] for place in made.symbols} == made.symbols


# ---------------------------------------------------------------------- the same in every form


def rows_of(content: bytes) -> list[list[str]]:
    """Return the cells of a text in any of the encodings of these files."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252")
    mark = ";" if text.count(";") > text.count(",") else ","
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))


def as_number(cell: str) -> object:
    """Return a cell as Excel keeps what is typed: a number where it is one, but for codes."""
    try:
        return float(cell) if cell and not cell.startswith("0") else cell or None
    except ValueError:
        return cell


def write_forms(folder: Path, name: str, content: bytes) -> list[Path]:
    """Write a text as itself, in a zip, between tabs in UTF-16, as two workbooks, as Parquet."""
    folder.mkdir(exist_ok=True)
    rows, stem = rows_of(content), Path(name).stem
    paths = [folder / name, folder / f"{stem}.zip", folder / f"{stem}.tsv"]
    paths[0].write_bytes(content)
    with zipfile.ZipFile(paths[1], "w") as archive:
        archive.writestr(name, content)
    text = io.StringIO()
    csv.writer(text, delimiter="\t").writerows(rows)
    paths[2].write_bytes(text.getvalue().encode("utf-16"))
    for kind, cell in (("texts", lambda one: one or None), ("numbers", as_number)):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append([cell(one) for one in row])
        (folder / kind).mkdir(exist_ok=True)
        paths.append(folder / kind / f"{stem}.xlsx")
        book.save(paths[-1])
    header, *body = rows
    if len(set(map(len, rows))) == 1 and len(set(header)) == len(header):
        paths.append(folder / f"{stem}.parquet")
        pd.DataFrame(body, columns=header).replace("", None).to_parquet(paths[-1])
    return paths


def outcome(path: Path, asked: dict[str, object]) -> CensusTable | str:
    """Return a table, or the key of the sentence that refuses it."""
    try:
        return lipgeo.read_table(path, **asked)
    except LipgeoError as error:
        return error.key


def require_same(first: CensusTable | str, other: CensusTable | str, path: Path) -> None:
    """Raise where two tables, or two refusals, differ."""
    if isinstance(first, str) or isinstance(other, str):
        assert first == other, path
        return
    assert (first.level, first.vintage) == (other.level, other.vintage), path
    pd.testing.assert_frame_equal(first.frame, other.frame, obj=path.name)
    pd.testing.assert_frame_equal(first.symbols, other.symbols, obj=path.name)


TEXTS = [one for one in FILES if not one.name.endswith(".zip")]


@pytest.mark.parametrize("made", TEXTS, ids=[one.name for one in TEXTS])
def test_a_layout_reads_the_same_in_every_kind_of_file(tmp_path, made: MadeFile):
    """CSV, zip, tabs in UTF-16, workbooks and Parquet: the same cells, or the same refusal."""
    first, *others = write_forms(tmp_path, made.name, made.content)
    for asked in [made.asked] + [{}] * bool(made.asked):
        plain = outcome(first, asked)
        for path in others:
            require_same(plain, outcome(path, asked), path)


def test_a_profile_in_french_gives_the_numbers_of_the_english_one(tmp_path):
    """Both languages, both censuses: the same variables, numbers and symbols."""
    pairs = itertools.pairwise(FILES)
    couples = [(one, two) for one, two in pairs if "English" in one.name and "Francais" in two.name]
    assert len(couples) == 2
    for couple in couples:
        found = []
        for made in couple:
            (tmp_path / made.name).write_bytes(made.content)
            found.append(lipgeo.read_profile(tmp_path / made.name))
        require_same(*found, tmp_path)


@pytest.mark.parametrize("vintage", [2016, 2021])
def test_every_variable_is_read_from_french_as_from_english(tmp_path, vintage):
    """All the dictionary knows of a census, rows between them, each number its own."""
    places = {
        int(place.id): (place.name, one.name_fr)
        for one in known_variables(vintage).values()
        for place in one.characteristics
        if place.vintage == vintage and place.id is not None
    }
    rows = [
        (at, *places.get(at, (f"Row {at}", f"Ligne {at}")), str(at * 7), "")[
            : 5 if vintage == 2021 else 4
        ]
        for at in range(1, max(places) + 1)
        if at in places or at % 40 == 0
    ]
    made = {2016: profile_2016, 2021: profile_2021}[vintage]
    found = []
    for language in ("en", "fr"):
        path = tmp_path / f"{language}.csv"
        path.write_text(made(language, rows_of=rows), encoding="utf-8-sig")
        found.append(lipgeo.read_profile(path))
    require_same(*found, tmp_path)
    assert len(found[0].columns) == len(places)


@settings(max_examples=5)
@given(
    st.lists(
        st.tuples(st.integers(0, 99_999), st.sampled_from(["", "x", "..", "r"])),
        min_size=2,
        max_size=4,
    )
)
def test_a_long_table_is_the_same_in_every_form_and_language(tmp_path_factory, cells):
    """Numbers and symbols as drawn: one table in two languages and five kinds of file."""
    folder = tmp_path_factory.mktemp("long")
    units = ["3506008", "3520005", "3525005", "2466023"][: len(cells)]
    rows = [
        (2021, f"2021A0005{unit}", at, number if sign != "x" else "", sign)
        for at, (unit, (number, sign)) in enumerate(zip(units, cells, strict=True), 1)
    ]
    heads = {
        ",": "REF_DATE,DGUID,Coordinate,Counts (2): Total private dwellings [4],Symbols",
        ";": "PÉRIODE DE RÉFÉRENCE;DGUID;Coordonnée;Chiffres (2) : Total des logements privés [4];"
        "Symboles",
    }
    found = []
    for mark, head in heads.items():
        text = "\r\n".join([head, *(mark.join(map(str, row)) for row in rows), ""])
        paths = write_forms(folder / str(len(found)), "98100002.csv", text.encode("utf-8-sig"))
        found += [(path, outcome(path, {})) for path in paths]
    for path, one in found[1:]:
        require_same(found[0][1], one, path)
    assert list(found[0][1].columns) == ["dwellings"]


def test_a_long_table_without_a_unit_in_any_row_is_refused(tmp_path):
    """Empty cells are no DGUIDs; it was a traceback."""
    path = tmp_path / "t_2021.csv"
    path.write_text(
        "DATAFLOW,TIME_PERIOD,REF_AREA,GENDER,CHARACTERISTIC,OBS_VALUE,FLAG\n"
        "D,2021,,1,1,1016,\nD,2021,,1,1,5,\n",
        encoding="utf-8",
    )
    with pytest.raises(TableError):
        lipgeo.read_table(path)


def test_a_bad_cell_of_a_profile_under_no_unit_is_a_sentence(tmp_path):
    """The level of such a row is not known; it was a traceback."""
    text = profile_2016().replace('"24660001"', '"zz"').replace('"600"', '"abc"')
    path = tmp_path / "98-401-X2016044_English_CSV_data.csv"
    path.write_text(text, encoding="utf-8-sig")
    with pytest.raises(LipgeoError):
        lipgeo.read_profile(path)
