"""The demonstration: the whole chain on files of a made census."""

from __future__ import annotations

import fiona
import openpyxl
import pytest

import lipgeo
from lipgeo import synthetic
from lipgeo.errors import CensusError
from lipgeo.store import add_census
from lipgeo.synthetic.demo import _write_facts, has_documents
from lipgeo.words import say


@pytest.fixture(scope="module")
def shown(demonstration):
    """Folder and results of one demonstration."""
    return demonstration["store"].parent, demonstration


def test_everything_named_is_there(shown):
    """Each result the demonstration prints exists."""
    _, results = shown
    assert [name for name, path in results.items() if not path.exists()] == []


def test_a_partnership_of_units_is_taken_exactly(shown):
    """Unit-list areas keep their own levels and have no misfit; drawn ones state theirs."""
    folder, _ = shown
    fitted = lipgeo.read_build(folder / "build")
    listed = fitted.areas[fitted.areas["definition"] == "units"]
    assert len(listed) == 2
    assert (listed["misfit_share"] == 0).all()
    levels = fitted.units.merge(listed[["area_id"]])["level"].unique()
    assert {"CSD", "DPL"} <= set(levels)
    drawn = fitted.areas[fitted.areas["definition"] == "drawn"]
    assert drawn["misfit_share"].between(0, 1).all()


def test_files_agree_with_each_other(shown):
    """Shapefile, workbook and build name the same areas."""
    folder, results = shown
    fitted = lipgeo.read_build(folder / "build")
    shapes = next(path for path in results.values() if path.suffix == ".zip")
    with fiona.open(f"zip://{shapes}") as source:
        ids = {feature["properties"]["AREA_ID"] for feature in source}
    assert ids == set(fitted.areas["area_id"])
    book = openpyxl.load_workbook(next(p for p in results.values() if p.suffix == ".xlsx"))
    cells = list(book.worksheets[0].iter_rows(min_row=2))
    assert len(cells) >= len(fitted.units)
    assert all(isinstance(cell.value, str) for row in cells for cell in row if cell.value)


def test_the_results_say_that_the_census_is_made(shown):
    """No made number can be taken for a real one, and no real total is held against it."""
    folder, _ = shown
    fitted = lipgeo.read_build(folder / "build")
    assert fitted.meta["made"] is True
    assert "Not Statistics Canada data" in (folder / "map.html").read_text(encoding="utf-8")


def test_a_made_store_takes_no_real_file(shown):
    """Made and real ids look alike: they may not meet in one store."""
    folder, _ = shown
    file = next((folder / "census-files").glob("lda_*"))
    with pytest.raises(CensusError, match="cannot hold a made census and a real one of 2021"):
        add_census(folder / "store", file)


def test_the_portal_has_every_origin_and_two_censuses(shown):
    """What was ordered goes before estimates; the city's own numbers are published."""
    folder, _ = shown
    shown_rows = lipgeo.open_portal(folder / "portal").shown(audience="public")
    own = shown_rows[shown_rows["indicator"].eq("immigrants") & shown_rows["gender"].eq("total")]
    origins = own.set_index(["area_id", "period"])["origin"].to_dict()
    assert origins["northeast", "2021"] == "ordered"
    assert origins["northeast", "2016"] == "estimated"
    assert origins["city", "2016"] == "published"
    assert origins["province", "2021"] == "published"


def test_the_site_and_fast_facts_are_in_both_languages_and_say_that_they_are_made(shown):
    """Every page of an area and every document bears the word."""
    folder, _ = shown
    for lang, page, word in (
        ("en", "site/city.html", "made"),
        ("fr", "site/fr/city.html", "invent"),
    ):
        assert word in (folder / page).read_text(encoding="utf-8")
        assert word in (folder / f"facts/city-{lang}.html").read_text(encoding="utf-8")
    endings = {path.suffix for path in (folder / "facts").iterdir()}
    assert endings == {".html", ".xlsx", *({".docx", ".pdf"} if has_documents() else ())}


def test_without_the_extra_the_rest_is_written_and_said(monkeypatch, tmp_path):
    """Word and PDF are left out, and the sentence says what to install."""
    monkeypatch.setattr("lipgeo.synthetic.demo.has_documents", lambda: False)
    written = []
    monkeypatch.setattr(
        "lipgeo.synthetic.demo.write_facts", lambda *a, **k: written.append(a[2].suffix)
    )
    _write_facts(None, "city", tmp_path / "facts", None)
    assert set(written) == {".html", ".xlsx"}
    assert ".[documents]" in say("site.no_documents")


def test_a_level_that_nothing_belongs_to_is_no_level(tmp_path):
    """An attribute file whose blocks lie in no designated place is imported without that level."""
    country = synthetic.census(blocks=800, seed=3)
    files = synthetic.write_files(country, tmp_path / "files", levels=["DA", "DB"])
    add_census(tmp_path / "store", files, made=True)
    assert "DPL" not in lipgeo.open_census(tmp_path / "store").levels
