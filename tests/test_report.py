"""How objects show themselves: notebooks, terminals, both languages, everything escaped."""

from __future__ import annotations

import html
import io
from pathlib import Path

import pandas as pd
import pytest
import toytown
from rich.console import Console

import lipgeo
from lipgeo.errors import FitError, ZoneError
from lipgeo.order.diff import OrderDiff
from lipgeo.report import Card, Faults, Finding, flag_words
from lipgeo.words import speaking

EVIL = "<script>alert(1)</script>[bold red]x[/bold red] [link=http://x]y[/link] \\"


@pytest.fixture(scope="module")
def objects():
    """One of each object a person meets."""
    census = toytown.census()
    areas = lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id")
    fitted = lipgeo.fit_boundaries(census, areas, unit="DB")
    table = lipgeo.CensusTable(
        census.counts("DB")[["population"]].rename_axis("unit_id"), level="DB", vintage=2021
    )
    return {
        "census": census,
        "areas": areas,
        "fitted": fitted,
        "crosswalk": fitted.crosswalk,
        "estimates": lipgeo.weight_table(table, fitted.crosswalk),
        "report": fitted.report,
        "table": table,
        "comparison": comparison(),
        "correspondence": correspondence(),
        "orders": changed_orders(),
    }


def comparison(area: str = "east") -> lipgeo.Comparison:
    """Return one number of one area at two censuses."""
    frame = pd.DataFrame(
        {
            "area_id": [area], "variable": ["immigrants"], "year": [2016], "current_year": [2021],
            "baseline": [40.0], "current": [55.0], "change": [15.0], "change_pct": [37.5],
            "exceeds": pd.array([True], dtype="boolean"), "status": ["comparable"],
        }
    )  # fmt: skip
    return lipgeo.Comparison(frame, pd.DataFrame(), {}, lipgeo.CheckReport())


def correspondence() -> lipgeo.Correspondence:
    """Return one area that two older ones became."""
    links = pd.DataFrame({"new_id": ["35060001", "35060001"], "old_id": ["35060001", "35060002"]})
    return lipgeo.Correspondence(links, level="DA", vintage=2021, old_level="DA", old_vintage=2016)


def changed_orders(name: str = "East") -> OrderDiff:
    """Return one area that lost a unit and one that is the same."""
    areas = pd.DataFrame(
        {
            "area_id": ["east", "west"], "change": ["units", "same"], "name_en": [name, "West"],
            "units_removed": [1, 0], "people_added": [0.0, 0.0], "people_lost": [12.0, 0.0],
        }
    )  # fmt: skip
    return OrderDiff(areas, pd.DataFrame())


def terminal(thing) -> str:
    """Return what rich prints."""
    held = io.StringIO()
    Console(file=held, width=200).print(thing)
    return held.getvalue()


def test_every_object_shows_itself(objects):
    """A table in a notebook and its lines in a terminal, for each object."""
    for name, thing in objects.items():
        page, lines = thing._repr_html_(), terminal(thing)
        assert page.startswith("<p><strong>"), name
        assert "<table>" in page, name
        assert lines.count("\n") >= 3, name


def test_french_speaks_french(objects):
    """Headings and numbers follow the language in force when shown, not when made."""
    with speaking("fr"):
        shown = {name: thing._repr_html_() for name, thing in objects.items()}
    assert "Recensement de 2021" in shown["census"]
    assert "Unités" in shown["fitted"]
    assert "écart d'ajustement" in html.unescape(shown["fitted"])
    assert "Défini par" in shown["areas"]
    assert "(à cheval)" in shown["crosswalk"]
    assert "Gravité" in shown["report"]
    assert "Probable de" in shown["estimates"]


def test_names_are_shown_and_never_obeyed():
    """HTML and rich markup in a name stay text, in a notebook and in a terminal."""
    report = lipgeo.CheckReport([Finding("x", "warning", EVIL, EVIL)])
    assert "<script>" not in report._repr_html_()
    assert "&lt;script&gt;" in report._repr_html_()
    line = terminal(report)
    assert "[bold red]x[/bold red]" in line
    assert "[link=http://x]y[/link]" in line


def test_names_of_compared_things_are_never_obeyed():
    """An area's id or name that is markup stays text in a comparison and between two orders."""
    for thing in (comparison(EVIL), changed_orders(EVIL)):
        assert "<script>" not in thing._repr_html_()
        assert "&lt;script&gt;" in thing._repr_html_()
        assert "[bold red]" in terminal(thing)


def test_years_are_written_as_years(objects):
    """A census year is a name and has no thousands separator."""
    assert ">2016</td>" in objects["comparison"]._repr_html_()


def test_nothing_writes_its_own_view_for_a_notebook():
    """Objects give a card; the only hand-written view is the map, which is a page of its own."""
    package = Path(lipgeo.__file__).parent
    by_hand = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "def _repr_html_" in path.read_text(encoding="utf-8")
    }
    assert by_hand == {"maps/preview.py", "report.py"}


def test_a_table_with_a_variable_called_as_its_ids_is_shown():
    """Columns are shown by position, so names that clash stay apart."""
    frame = pd.DataFrame({"unit_id": [1.0]}, index=pd.Index(["35060001"], name="unit_id"))
    shown = lipgeo.CensusTable(frame, level="DA", vintage=2021)._repr_html_()
    assert shown.count(">unit_id</th>") == 2


def test_long_tables_are_counted():
    """Twelve rows are shown, and how many more there are; empty columns are not."""
    table = pd.DataFrame({"a": range(20), "b": pd.NA, "c": 0.25, "d": True})
    card = Card("t", table, {"a": "A", "b": "B", "c": "C", "d": "D"}, shares=("c",))
    assert card.text().splitlines() == [
        "t",
        " A      C  D",
        *(f"{k:>2}  25.0%  yes" for k in range(12)),
        "and 8 more",
    ]
    assert ">B<" not in card.html()
    assert Card("only a title").text() == "only a title"


def test_flags_are_words_in_both_languages():
    """Every flag of boundaries and of estimates has words; an unknown one stays as it is."""
    from lipgeo.boundary.checks import FLAGS
    from lipgeo.tables.results import FLAGS as NUMBERS

    for flag in (*FLAGS, *NUMBERS):
        with speaking("fr"):
            french = flag_words(flag)
        assert flag not in (flag_words(flag), french)
        assert french != flag_words(flag)
    assert flag_words("strange") == "strange"


def test_faults_are_gathered_once_and_raised_as_one_error():
    """Rows that name themselves keep their name; a fault of no row is one; the class is asked."""
    faults = Faults()
    assert not faults
    faults.raise_if_any("zones.unfit", error=ZoneError)
    faults.add("areas.missing_ids", [], lines=[], column="WARD")
    assert not faults
    faults.add_as_told("boundary.bad_accept", value=2)
    faults.add_as_told("boundary.bad_gap", [{"option": "gap", "given": 7}], value=7)
    with pytest.raises(FitError) as caught:
        faults.raise_if_any("boundary.bad_options", error=FitError)
    assert caught.value.rows == ({"fault": faults.sentences[0]}, {"option": "gap", "given": 7})
    assert all(sentence in str(caught.value) for sentence in faults.sentences)
