"""The demonstration: the whole chain on files of a made census."""

from __future__ import annotations

import fiona
import openpyxl
import pytest

import lipgeo
from lipgeo import synthetic
from lipgeo.errors import CensusError
from lipgeo.store import add_census
from lipgeo.synthetic.demo import run_demo


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Folder and results of one demonstration."""
    folder = tmp_path_factory.mktemp("demo") / "démo d'été"
    return folder, run_demo(folder)


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


def test_a_level_that_nothing_belongs_to_is_no_level(tmp_path):
    """An attribute file whose blocks lie in no designated place is imported without that level."""
    country = synthetic.census(blocks=800, seed=3)
    files = synthetic.write_files(country, tmp_path / "files", levels=["DA", "DB"])
    add_census(tmp_path / "store", files, made=True)
    assert "DPL" not in lipgeo.open_census(tmp_path / "store").levels
