"""Deliveries as files: four layouts, depth, gender, symbols, units; and the real one."""

from __future__ import annotations

import hypothesis.strategies as st
import made_deliveries as made_files
import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings

from lipgeo.errors import FileError, TableError
from lipgeo.readers.deliveries import plain_label, plain_words, read_delivery


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A made order of a few areas, the last too small for any table."""
    return made_files.made_order(tmp_path_factory.mktemp("made") / "order", 6)


@pytest.mark.parametrize(
    ("write", "layout"),
    [
        (made_files.write_down, "down"),
        (made_files.write_across, "across"),
        (made_files.write_coded, "across"),
    ],
)
def test_the_same_numbers_come_out_of_every_layout(made, tmp_path, write, layout):
    """Areas down or across, dollars, commas, dashes and Latin-1 give the same cells."""
    found = read_delivery(write(made, tmp_path / "file.csv"))
    wanted = np.array(
        [made.printed[column].to_numpy() for _, _, column in made_files.columns_of(made)]
    ).T
    assert found.layout == layout
    assert found.unread == []
    values = found.values[: len(made.ids)]
    np.testing.assert_allclose(values, wanted)
    assert (found.symbols[len(made.ids) - 1] == "x").all()
    assert found.rows["words"].tolist()[1] == made_files.AGES


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("Geography,Immigrants,Others\n\n,1,2\n", "headers in line 1 and below them no area"),
        ("Geography,Immigrants,Others\nNorth,,\n", "no area with a cell"),
        ('GEO,Measure,VALUE,"\nNorth,Wages,1\n', None),
        ("GEO,Measure,VALUE\n,Wages,1\n", "no area with a cell"),
        ("GEO,VALUE\nNorth,1\nSouth,2\n", "no column that says what they count"),
    ],
)
def test_a_table_without_areas_or_words_is_refused_in_every_layout(tmp_path, content, told):
    """Nothing below the headers, or values of nothing."""
    path = tmp_path / "file.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TableError, match=told):
        read_delivery(path)


def test_headers_of_a_long_table_may_stand_twice_or_be_called_as_rows_are(tmp_path):
    """No dimension is lost for its name: two of one name, or one that is called ``gender``."""
    path = tmp_path / "long.csv"
    path.write_text(
        "GEO,gender,place,Age,Age,VALUE\nNorth,Men+,Home,0,1,5\nNorth,Women+,Home,0,1,6\n",
        encoding="utf-8",
    )
    found = read_delivery(path)
    assert found.dimensions == ("Gender", "Place", "Age", "Age (2)")
    assert found.values.tolist() == [[5.0, 6.0]]
    assert found.rows["place"].tolist() == [2, 3]


def test_numbers_of_a_long_table_are_in_what_its_scalar_factor_says(tmp_path):
    """Thousands are read as such; a factor nobody knows leaves its cell unread."""
    path = tmp_path / "long.csv"
    path.write_text(
        "REF_DATE,GEO,Measure,SCALAR_FACTOR,VALUE\n2021,North,Wages,thousands,45.2\n"
        "2021,North,People,units ,120\n2021,South,Wages,milliers,x\n2021,South,People,dozens,9\n",
        encoding="utf-8",
    )
    found = read_delivery(path)
    np.testing.assert_allclose(found.values[0], [45_200, 120])
    assert [(one["label"], one["given"]) for one in found.unread] == [("South", "9")]


def test_words_that_come_again_for_men_and_women_are_a_dimension(made, tmp_path):
    """A row deeper under Men+ has the same key as everybody's, and another gender."""
    rows = read_delivery(made_files.write_down(made, tmp_path / "file.csv")).rows
    immigrants = rows[rows["words"].eq("Immigrants (81)")]
    assert immigrants["gender"].tolist() == ["total", "men", "women"]
    assert immigrants["key"].nunique() == 1
    assert immigrants["parent"].tolist() == [made_files.STATUS] * 3
    assert set(immigrants["sample"]) == {"25%"}
    assert not rows.duplicated(["key", "gender"]).any()


def test_a_separator_says_the_sample_of_the_rows_below(tmp_path):
    """``25% Data Below`` holds for rows whose own words do not say their sample."""
    path = tmp_path / "city.csv"
    path.write_text(
        "ID,Variable,North ,South \n1,Total - Age groups,100,200\n,,,\n25% Data Below,,,\n"
        '2,Total - Tenure,50," -   "\n3,  Renter,"1,310","$2,000"\n',
        encoding="latin-1",
    )
    found = read_delivery(path)
    assert found.rows["sample"].tolist() == ["", "25%", "25%"]
    assert found.values.tolist() == [[100, 50, 1310], [200, 0, 2000]]
    assert found.symbols[1].tolist() == ["", "-", ""]
    assert found.rows["unit"].tolist() == ["", "", "$"]
    assert found.labels["label"].tolist() == ["North", "South"]


def test_codes_in_a_row_and_percent_signs_in_cells(tmp_path):
    """Layout three: the areas' codes under their names, a percentage is a unit and no symbol."""
    path = tmp_path / "coded.csv"
    path.write_text(
        "Category,Topic,Characteristic,Source,North,South\n,,GeoUID,,3001,3002\n"
        "Rates,Work,Unemployment rate,Census,5.6%,7.0%\n"
        "Rates,Work,In the labour force,Census,5,x\n",
        encoding="utf-8",
    )
    found = read_delivery(path)
    assert found.labels["code"].tolist() == ["3001", "3002"]
    assert found.rows["unit"].tolist() == ["%", ""]
    assert found.values[0].tolist() == [5.6, 5.0]
    assert found.rows["beside_topic"].tolist() == ["Work", "Work"]


def test_long_tables_have_a_column_a_dimension(made, tmp_path):
    """Dimensions are columns of rows; a symbol stands where no number does."""
    found = read_delivery(made_files.write_long(made, tmp_path / "long.csv"))
    assert found.layout == "long"
    assert found.dimensions[:3] == ("Sex", "Admission year", "Tax year")
    assert found.values.shape == (6, len(found.rows))
    assert (found.symbols[-1] == "x").all()
    path = tmp_path / "twice.csv"
    path.write_text("GEO,REF_DATE,VALUE\nA,2021,1\nA,2021,2\n", encoding="utf-8")
    assert [one["given"] for one in read_delivery(path).unread] == ["2"]


def test_french_headers_semicolons_and_decimal_commas(tmp_path):
    """A delivery in French reads as its English twin."""
    path = tmp_path / "fr.csv"
    path.write_text(
        "Géographie;Total - Statut d'immigrant - Données-échantillon (25 %);  Immigrants\n"
        "OTT - A1 ( 15,6 %);1 234,5;x\n",
        encoding="cp1252",
    )
    found = read_delivery(path)
    assert found.values[0, 0] == 1234.5
    assert found.rows["sample"].tolist() == ["25%", "25%"]
    assert found.labels["non_response"].tolist() == [15.6]


def test_cells_that_are_neither_numbers_nor_symbols_are_listed(tmp_path):
    """Nothing unreadable becomes missing in silence."""
    path = tmp_path / "bad.csv"
    path.write_text("Geography,Total - A,  B\nLIP A1,12b,3\nLIP A2,4,n.d\n", encoding="utf-8")
    found = read_delivery(path)
    assert [(one["label"], one["given"]) for one in found.unread] == [
        ("LIP A1", "12b"), ("LIP A2", "n.d"),
    ]  # fmt: skip


def test_a_workbook_with_indents_reads_as_its_csv(tmp_path):
    """Depth may stand in the cell's indent instead of leading blanks."""
    book = openpyxl.Workbook()
    page = book.active
    page.append(["", "Variable", "North", "South"])
    page.append(["", "Total - Tenure", 10, 20])
    page.append(["", "Renter", 5, "x"])
    page["B3"].alignment = openpyxl.styles.Alignment(indent=1)
    book.save(tmp_path / "city.xlsx")
    found = read_delivery(tmp_path / "city.xlsx")
    assert found.rows["parent"].tolist() == ["", "Total - Tenure"]
    assert found.symbols.tolist() == [["", ""], ["", "x"]]


@pytest.mark.parametrize("text", ["", "a\n1\n2\n", "only words,here\nand,here\n"])
def test_what_is_no_delivery_is_refused(tmp_path, text):
    """A file of none of the layouts is refused with what was looked for."""
    path = tmp_path / "file.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((TableError, FileError)):
        read_delivery(path)


def test_labels_lose_non_response_and_quality():
    """What is not the area's name goes; what is stays."""
    assert plain_label("MADE - Reserve (Part) 59 (3801) 09999 (  0.0%)") == (
        "MADE - Reserve (Part) 59 (3801)"
    )
    assert plain_words("Total - Citizenship - 25% sample data (76)") == plain_words("Citizenship")


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=25),
    st.integers(1, 4),
)
def test_parents_follow_from_depth(depths, step):
    """A slow look upwards for the first shallower row finds the same whole."""
    from lipgeo.readers.deliveries import structure_of_rows

    words = [f"Row {at}" for at in range(len(depths))]
    depth = [step * d for d in depths]
    rows = structure_of_rows(
        words, depth, list(range(len(words))), [""] * len(words), [""] * len(words)
    )
    for at in range(len(words)):
        above = next((b for b in range(at - 1, -1, -1) if depth[b] < depth[at]), -1)
        assert rows["whole"].iloc[at] == above


@pytest.mark.realdata
def test_vancouver_reads_whole(realdata):
    """The real order of 2016: 22 areas by name, the city, the metropolitan area; no cell lost."""
    found = read_delivery(realdata / "deliveries" / "vancouver_local_areas_2016.csv")
    assert found.values.shape == (24, 5493)
    assert found.unread == []
    assert not np.isnan(found.values).any()
    assert set(found.rows["sample"]) >= {"25%", "100%"}
    assert (
        found.rows["gender"].value_counts()["men"] == found.rows["gender"].value_counts()["women"]
    )
    assert not found.rows.duplicated(["key", "gender"]).any()


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "layout", "shape"),
    [
        ("cdp_custom_2021_shape.csv", "down", (3, 2)),
        ("cdp_custom_nhs_2011_shape.csv", "down", (3, 3)),
        ("cdp_first_column_suppressed.csv", "down", (3, 3)),
        ("cdp_none_suppressed.csv", "down", (2, 3)),
        ("cdp_lip_long_shape.csv", "long", (2, 2)),
        ("wds_long_shape.csv", "long", (2, 2)),
        ("accounting_zero.csv", "down", (3, 1)),
        ("dollar_cells.csv", "down", (2, 1)),
    ],
)
def test_every_layout_at_hand_reads(realdata, name, layout, shape):
    """The made files in the layouts in which orders and data tables come back."""
    found = read_delivery(realdata / "deliveries" / name)
    assert (found.layout, found.values.shape, found.unread) == (layout, shape, [])
