"""Text files as people send them: what is found, what is said, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipgeo.errors import FileError
from lipgeo.readers.sniff import TextForm, sniff
from lipgeo.readers.text import MISSING, read_fixed_table, read_text_table, to_numbers
from lipgeo.report import notes_of

TABLE = "Unité;Nom;Part\n1;Trois-Rivières;1,5\n2;Lévis;2,25\n"


@pytest.mark.parametrize(
    ("codec", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "cp1252"),
    ],
)
def test_every_encoding_is_found_said_and_read(codec, said):
    """The same table reads the same from UTF-8, UTF-16 with and without mark, and Windows-1252."""
    data = TABLE.encode(codec)
    form = sniff(data, name="parts.csv")
    assert form.encoding == said
    assert form.notes.only("encoding").findings[0].message == f"parts.csv: read as {said}."
    frame = read_text_table(data, form)
    assert frame.columns.tolist() == ["Unité", "Nom", "Part"]
    assert frame["Nom"].tolist() == ["Trois-Rivières", "Lévis"]


def test_one_late_byte_decides_the_encoding(tmp_path):
    """An accent after the first quarter megabyte still makes the file Windows-1252."""
    path = tmp_path / "late.csv"
    body = "DBUID,name\n" + "35060001001,Ottawa\n" * 40_000
    path.write_bytes(body.encode() + "24660001001,Montréal\n".encode("cp1252"))
    form = sniff(path)
    assert form.encoding == "cp1252"
    assert read_text_table(path, form)["name"].iloc[-1] == "Montréal"


def test_an_accent_on_a_block_edge_is_no_fault(tmp_path):
    """A two-byte letter cut by the reading block is still UTF-8."""
    for shift in range(2):
        path = tmp_path / f"edge{shift}.csv"
        path.write_bytes(b"a,b\n" + b"x" * ((1 << 18) - 5 - shift) + "é,1\n".encode())
        assert sniff(path).encoding == "utf-8"


def test_bytes_no_code_page_has_are_warned_of():
    """A byte that Windows-1252 leaves undefined is read as Latin-1, with a warning."""
    form = sniff(b"a,b\n\xe9\x81,1\n")
    assert form.encoding == "latin-1"
    assert form.notes.only("odd_bytes").worst == "warning"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_delimiter_is_found(delimiter):
    """Comma, semicolon, tab and bar; quoted cells may hold the delimiter and newlines."""
    text = f'id{delimiter}name{delimiter}n\n1{delimiter}"a{delimiter} b"{delimiter}2\n' * 1
    text += f'2{delimiter}"c"{delimiter}3\n'
    form = sniff(text.encode())
    assert (form.delimiter, form.width, form.header) == (delimiter, 3, True)
    assert read_text_table(text.encode(), form)["name"].tolist() == [f"a{delimiter} b", "c"]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("1,5;2,5\n3,5;4,5\n", ";"),  # as many commas as semicolons, and more
        ("a;b\n1;2,5\n3;4,5\n", ";"),
        ("name,note\nA,x;y\nB,z;t\n", ","),  # a semicolon in every note
        ("a,b;c,d\n1,2;3,4\n", ","),
        ("sep=;\nid;part\n1;1,5\n", ";"),
    ],
)
def test_decimal_commas_do_not_pass_for_delimiters(text, delimiter):
    """The delimiter is the mark that leaves numbers in the cells."""
    assert sniff(text.encode()).delimiter == delimiter


def test_titles_above_the_table_are_passed_over_and_said():
    """Two lines of title, as spreadsheets export them, and a footnote below."""
    text = "Population by ward,,\n2021 census,,\nWARD,population,dwellings\n1,100,40\n2,200,80\n"
    text = text.replace(",,", "") + "Source: Statistics Canada\n"
    form = sniff(text.encode(), name="wards.csv")
    assert (form.skip, form.columns) == (2, ("WARD", "population", "dwellings"))
    assert "2 lines above the table" in form.notes.only("titles").findings[0].message
    frame = read_text_table(text.encode(), form, name="wards.csv")
    assert frame["population"].tolist() == ["100", "200"]
    assert "Source: Statistics Canada" in notes_of(frame).findings[0].message


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("DBUID,pop\n35060001001,5\n", True),
        ("35060001001,5\n35060001002,6\n", False),
        ("area,2016,2021\nA,5,6\n", True),  # years are names
        ("2016,2021\n5,6\n", False),
        ("id,name\na,b\n", True),
        ("24,Montréal\n35,Ottawa\n", False),
    ],
)
def test_header(text, header):
    """A first line without numbers names the columns; years beside a word are names too."""
    form = sniff(text.encode())
    assert form.header is header
    frame = read_text_table(text.encode(), form)
    assert len(frame) == text.count("\n") - header


def test_equal_names_are_kept_apart():
    """The census profile repeats SYMBOL: no column is lost."""
    text = b"ID,COUNT,SYMBOL,RATE,SYMBOL\n1,5,x,2.5,F\n"
    frame = read_text_table(text, sniff(text))
    assert frame.columns.tolist() == ["ID", "COUNT", "SYMBOL", "RATE", "SYMBOL (2)"]
    assert frame["SYMBOL (2)"].tolist() == ["F"]


def test_empty_cells_are_missing_and_blanks_trimmed():
    """A cell of blanks, also no-break ones, is missing; every cell is text."""
    text = "id, name ,n\n001,\u00a0 Ottawa\u00a0,\u00a0\n".encode()
    frame = read_text_table(text, sniff(text))
    assert frame.iloc[0].tolist()[:2] == ["001", "Ottawa"]
    assert frame["n"].isna().all()
    assert frame.columns.tolist() == ["id", "name", "n"]
    assert sniff(text).notes.only("no_break_spaces")


def test_lines_with_another_number_of_fields_are_listed():
    """A stray delimiter is an error that names the lines, not a shifted row."""
    text = b"id,name\n" + b"1,a\n" * 50 + b"2,b,c\n3,d\n4,e,f,g\n"
    with pytest.raises(FileError, match=r"2 fields on every line.*: 52, 54") as error:
        read_text_table(text, sniff(text), name="odd.csv")
    assert error.value.problems["fields"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "is empty"),
        (b"PK\x03\x04\x00\x00\x08\x00", "binary data"),
        (b"just one column\nno delimiter\n", "needs a delimiter"),
    ],
)
def test_what_is_no_text_table_is_refused(data, message):
    """Empty, binary and undelimited files each say what is the matter and what to do."""
    with pytest.raises(FileError, match=message):
        read_text_table(data, sniff(data, name="x"), name="x")


def test_a_missing_file_is_named(tmp_path):
    """The path is in the message."""
    with pytest.raises(FileError, match=r"nothing is there"):
        sniff(tmp_path / "où est-ce #1.csv")


def test_a_source_may_be_opened_anew():
    """A member of a zip is given as a function that opens it; it is opened and read to its end."""
    opened = []

    def opener():
        opened.append(True)
        return io.BytesIO(b"a,b\n1,2\n")

    assert read_text_table(opener, sniff(opener))["b"].tolist() == ["2"]
    assert len(opened) == 2


@pytest.mark.parametrize(
    ("cells", "decimal", "doubtful"),
    [
        ("1.5;2.25", ".", False),
        ("1,5;2,25", ",", False),
        ("1,234;5,678", ".", True),  # thousands, or three decimals: nothing tells
        ("0,123;5,678", ",", False),
        ("1.234,5;2", ",", False),
        ("1 234,5;2", ",", False),
        ("12;40", ".", False),
        ("1,5;2.5", ".", True),
    ],
)
def test_decimal_mark(cells, decimal, doubtful):
    """The decimal mark is what the cells prove; where nothing proves it, the note warns."""
    form = sniff(f"a;b\n{cells}\n".encode())
    assert form.decimal == decimal
    assert bool(form.notes.only("decimal_doubtful")) is doubtful


@pytest.mark.parametrize(
    ("cell", "decimal", "number"),
    [
        ("94.0", ".", 94.0),
        ("1,017,449", ".", 1017449.0),
        ("1\u202f017\u202f449,5", ",", 1017449.5),
        ("1 017 449", ".", 1017449.0),
        ("1.017.449", ",", 1017449.0),
        ("2'500", ".", 2500.0),
        ("-75.5", ".", -75.5),
        ("1.5E+03", ".", 1500.0),
    ],
)
def test_numbers_of_both_languages(cell, decimal, number):
    """Groups of three, decimal points and commas, no-break spaces."""
    numbers, unread = to_numbers(pd.Series([cell]), decimal)
    assert numbers.tolist() == [number]
    assert not unread.any()


@pytest.mark.parametrize("cell", ["3,4777", "1,2", "12 34", "dix", "1.2.3", "1e", "0x10", "inf"])
def test_what_is_no_number_is_pointed_at(cell):
    """A comma that groups no thousands is not dropped: the cell is unread, never another number."""
    numbers, unread = to_numbers(pd.Series([cell, "5"]), ".")
    assert unread.tolist() == [True, False]
    assert np.isnan(numbers[0])


def test_symbols_are_missing_not_unread():
    """Statistics Canada's symbols and what spreadsheets leave are missing."""
    numbers, unread = to_numbers(pd.Series(sorted(MISSING)))
    assert np.isnan(numbers).all()
    assert not unread.any()


def test_numbers_stay_numbers():
    """A column that is numeric already is passed through."""
    numbers, unread = to_numbers(pd.Series([1, None, 3], dtype="Int64"))
    assert numbers[[0, 2]].tolist() == [1.0, 3.0]
    assert np.isnan(numbers[1])
    assert not unread.any()


@settings(deadline=None)  # a busy machine is no fault
@given(st.floats(-1e12, 1e12).map(lambda x: round(x, 4)), st.sampled_from(["en", "fr"]))
def test_a_number_written_in_either_language_comes_back(number, language):
    """Whatever is written with groups and decimals is read back to the same number."""
    text = f"{number:,.4f}"
    decimal = "."
    if language == "fr":
        text, decimal = text.replace(",", "\u202f").replace(".", ","), ","
    numbers, unread = to_numbers(pd.Series([text]), decimal)
    assert numbers[0] == pytest.approx(number, abs=1e-4)
    assert not unread.any()


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.lists(
        st.lists(st.text("abcé ,;.\"'0123456789", max_size=8), min_size=3, max_size=3),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
)
def test_what_is_written_by_a_form_is_read_by_it(rows, delimiter, encoding):
    """Any cells, quoted as CSV quotes, come back cell by cell by the form they were written in."""
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    data = frame.to_csv(index=False, sep=delimiter, lineterminator="\n", quoting=1).encode(encoding)
    form = sniff(("a;b;c\n" if delimiter == ";" else "a,b,c\n").encode())
    form = TextForm(
        encoding, delimiter, ".", True, form.notes, columns=("a", "b", "c"), width=3, header_lines=1
    )
    back = read_text_table(data, form)
    cells = [[None if pd.isna(cell) else cell for cell in row] for row in back.to_numpy()]
    assert cells == [[cell.strip() or None for cell in row] for row in rows]


def test_fixed_width_counts_characters_not_bytes():
    """Accents take one column in any encoding; blanks lost at a line's end are put back."""
    lines = "35Québec    12\n35Lévis      5\n35Ottawa\n"
    for codec in ("utf-8", "cp1252", "utf-16"):
        data = lines.encode(codec)
        frame = read_fixed_table(
            data, sniff(data), {"pr": (0, 2), "name": (2, 10), "n": (12, 2)}, 14
        )
        assert frame["name"].tolist() == ["Québec", "Lévis", "Ottawa"]
        assert frame["n"].tolist()[:2] == ["12", "5"]
        assert frame["n"].isna().tolist() == [False, False, True]


def test_a_line_too_long_for_its_layout_is_refused():
    """A longer line would shift its columns: it is an error with its number."""
    data = b"35Ottawa  \n24Montreal and beyond\n"
    with pytest.raises(FileError, match=r"at most 10 characters.*\(up to 21\): 2"):
        read_fixed_table(data, sniff(data), {"pr": (0, 2)}, 10, name="x.txt")


def test_padded_names_with_a_comma_are_no_delimited_file():
    """Lines of equal length that are mostly blanks are fixed width, though each holds a comma."""
    lines = [f"3506{at:06d}{'Division No. 1, Subd. C':55}{'':30}" for at in range(20)]
    form = sniff("\n".join(lines).encode())
    assert form.delimiter is None
    assert form.line_length == 95
