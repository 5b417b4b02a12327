"""How objects show themselves: notebooks, terminals, both languages, everything escaped."""

from __future__ import annotations

import io

import pandas as pd
import pytest
import toytown
from rich.console import Console

import lipgeo
from lipgeo.report import Card, Finding, flag_words
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
    }


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
    assert "Écart d&#x27;ajustement" in shown["fitted"]
    assert "Défini par" in shown["areas"]
    assert "À cheval" in shown["crosswalk"]
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
