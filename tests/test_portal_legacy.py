"""The legacy workbook: proposed, signed, taken in; made as people make them."""

from __future__ import annotations

import openpyxl
import pandas as pd
import pytest

import lipgeo
from lipgeo.errors import FileError, InputError
from lipgeo.portal.sources.legacy import mapping_path

NAMES = ["Bow Valley Immigration Partnership", "Calgary Local Immigration Partnership (CLIP)",
         "Wood Buffalo", "Our Own Town"]  # fmt: skip


def workbook(path, *, years=("2006", "2016")):
    """Write a workbook as people make them: titles, merged cells, percent formats, notes."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for year in years:
        page = book.create_sheet(f"Census {year}")
        page.append(["Immigration dashboard", None, None, None, None, None])
        page.merge_cells("A1:F1")
        page.append([])
        page.append(["Partnership", "Population", "Immigrants (%)", "Unemployment Rate %",
                     "Median household income ($)", "Number of parks", "Notes"])  # fmt: skip
        for at, name in enumerate(NAMES):
            row = page.max_row + 1
            cells = [name, 1000 * (at + 1), 0.254, 6.5 + at, "$71,000", 3 + at, "checked"]
            for column, cell in enumerate(cells, start=1):
                page.cell(row, column, cell)
            page.cell(row, 3).number_format = "0.0%"
        page.cell(4, 4, "x")
        page.append([])
        page.append(["Source: our own compilation"])
    book.save(path)
    return path


@pytest.fixture
def portal(tmp_path):
    """A portal that has one of the areas."""
    return lipgeo.open_portal(tmp_path / "portal", create=True, areas="ab-bow-valley")


@pytest.fixture
def old(tmp_path):
    """A legacy workbook of two censuses."""
    return workbook(tmp_path / "old.xlsx")


def sign(path, **changes):
    """Sign a mapping, and change some of its cells: (sheet, row, column) to value."""
    book = openpyxl.load_workbook(path)
    book["confirm"].cell(2, 1, "A. Analyst")
    book["confirm"].cell(2, 2, "2026-11-30")
    for (sheet, row, column), value in changes.get("cells", {}).items():
        heads = {cell.value: cell.column for cell in book[sheet][1]}
        book[sheet].cell(row, heads[column]).value = value
    book.save(path)
    return path


def test_the_first_time_a_mapping_is_written_with_guesses_marked(portal, old):
    """Equal words are no guess; likenesses are; what is no indicator stays one's own."""
    with pytest.raises(InputError, match=r"old\.mapping\.xlsx"):
        portal.add(old)
    assert portal.releases.empty
    columns = pd.read_excel(mapping_path(old), "columns", dtype=str).fillna("")
    first = columns[columns["sheet"].eq("Census 2006")].set_index("heading")
    assert first["code"].to_dict() == {
        "Population": "population", "Immigrants (%)": "immigrants",
        "Unemployment Rate %": "unemployment_rate",
        "Median household income ($)": "median_hh_income", "Number of parks": "",
    }  # fmt: skip
    assert first.loc["Population", ["census", "guess"]].tolist() == ["2006", ""]
    assert first.loc["Immigrants (%)", ["scale", "guess"]].tolist() == ["1", ""]
    assert set(columns["census"]) == {"2006", "2016"}
    areas = pd.read_excel(mapping_path(old), "areas", dtype=str).fillna("").set_index("label")
    assert areas.loc[NAMES[0], ["area_id", "guess"]].tolist() == ["ab-bow-valley@main", ""]
    assert areas.loc["Our Own Town", ["area_id", "guess"]].tolist() == ["our-own-town", "x"]
    assert areas.loc["Wood Buffalo", "area_id"] == "ab-wood-buffalo"


def test_unsigned_it_is_not_taken_in(portal, old):
    """A mapping counts once somebody's name and a day stand in it."""
    with pytest.raises(InputError):
        portal.add(old)
    with pytest.raises(InputError, match="not been signed"):
        portal.add(old)


def test_signed_it_becomes_a_release(portal, old):
    """Percent formats are percent, dollars numbers, symbols symbols; words are left out."""
    with pytest.raises(InputError):
        portal.add(old)
    sign(mapping_path(old), cells={("areas", 3, "area_id"): "ab-calgary@city"})
    portal.add(old, release="old")
    frame = portal.frame()
    told = frame.set_index(["area_id", "indicator", "period"])
    assert told.loc[("ab-bow-valley", "immigrants", "2006"), "value"] == pytest.approx(25.4)
    assert told.loc[("ab-bow-valley", "unemployment_rate", "2006"), "symbol"] == "x"
    assert told.loc[("our-own-town", "median_hh_income", "2016"), "value"] == 71_000
    assert told.loc[("ab-calgary", "population", "2016"), "definition"] == "city"
    assert set(frame["origin"]) == {"reported"}
    own = portal.dictionary
    parks = [code for code in set(frame["indicator"]) if code.startswith("local-")]
    assert own[parks[0]]["name_en"] == "Number of parks"
    names = portal.areas.set_index("area_id")["name_en"]
    assert names["our-own-town"] == "Our Own Town"
    assert names["ab-wood-buffalo"] != "Wood Buffalo"  # the registry's own name
    checks = {one["check"] for one in portal.record("old")["checks"]}
    assert {"columns_of_words", "merged_cells"} <= checks
    assert portal.record("old")["confirmed_by"] == "A. Analyst"


def test_a_mapping_that_cannot_be_used_is_told_cell_by_cell(portal, old):
    """An unknown code, no census, another origin and one area twice are one error."""
    with pytest.raises(InputError):
        portal.add(old)
    sign(
        mapping_path(old),
        cells={
            ("columns", 2, "code"): "imigrants", ("columns", 3, "census"): None,
            ("columns", 4, "origin"): "guess", ("columns", 5, "scale"): "7",
            ("areas", 3, "area_id"): "ab-bow-valley@main",
        },
    )  # fmt: skip
    with pytest.raises(InputError) as refused:
        portal.add(old)
    assert len(refused.value.rows) == 5


def test_a_workbook_that_changed_needs_its_mapping_anew(portal, old):
    """A heading the mapping does not know is refused and named."""
    with pytest.raises(InputError):
        portal.add(old)
    sign(mapping_path(old))
    book = openpyxl.load_workbook(old)
    book["Census 2016"].cell(3, 6, "Number of libraries")
    book.save(old)
    with pytest.raises(InputError, match="Number of libraries"):
        portal.add(old)


def test_formulas_that_were_never_calculated_are_refused(portal, tmp_path):
    """A workbook without values tells nothing; the cells are named."""
    path = tmp_path / "formulas.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["Partnership", "Population"])
    book.active.append(["West", "=1+1"])
    book.save(path)
    with pytest.raises(FileError, match="B2"):
        portal.add(path)
