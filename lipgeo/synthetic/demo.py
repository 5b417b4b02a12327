"""Run the demonstration: the whole chain on a made census, offline, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd

from lipgeo import synthetic
from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.boundary.fit import fit_boundaries
from lipgeo.census.census import Census
from lipgeo.errors import FileError
from lipgeo.files import (
    CsvStyle,
    FolderFormat,
    file_entries,
    folder_in_one_step,
    listed_files,
    require_free,
    write_manifest,
)
from lipgeo.geography.dguids import dguids
from lipgeo.maps.preview import preview
from lipgeo.order.package import write_order
from lipgeo.store.add import add_census
from lipgeo.store.read import open_census
from lipgeo.store.results import write_build
from lipgeo.words import say

__all__ = ["DEMO", "run_demo"]

#: the folder of a demonstration: it says so, that a later one may take its place
DEMO = FolderFormat("demo", 1, FileError, "files.no_manifest")

_BLOCKS = 4_000
_DRAWN = 4
_LISTED = 2


def run_demo(
    folder: str | Path,
    *,
    csv: CsvStyle = "en",
    progress: Callable[[str, float], None] = lambda step, done: None,
    replace: bool = False,
) -> dict[str, Path]:
    """Run the whole chain on a made census: files, store, areas, fit, order files, map.

    Parameters
    ----------
    folder
        Where to leave everything.
    csv
        Form of the CSV files.
    progress
        Called with a sentence and how far that step is, 0 to 1.
    replace
        Whether an earlier demonstration gives way, if nothing was put there since.

    Returns
    -------
    dict
        Name of each result, in the language in force, to its path.

    Raises
    ------
    OutputError
        The folder holds something, which is not to give way, or it cannot be written.
    """
    target = require_free(folder, DEMO, replace=replace)
    with folder_in_one_step(target, replace=replace) as made:
        progress(say("synthetic.making"), 0.0)
        invented = synthetic.census(blocks=_BLOCKS)
        files = synthetic.write_files(invented, made / "census-files")
        progress(say("synthetic.making"), 1.0)

        progress(say("synthetic.importing"), 0.0)
        add_census(made / "store", files, made=True)
        census = open_census(made / "store")
        progress(say("synthetic.importing"), 1.0)

        progress(say("synthetic.fitting"), 0.0)
        outlines: gpd.GeoDataFrame = synthetic.service_areas(invented, _DRAWN, seed=1)
        outlines.to_file(made / "service-areas.gpkg", layer="service_areas")
        drawn = ServiceAreas.from_frame(outlines, id="area_id")
        lists = synthetic.unit_lists(invented, _LISTED, seed=1)
        lists.to_csv(made / "unit-lists.csv", index=False)
        _write_table(invented, made / "immigration.csv")
        listed = ServiceAreas.from_units(lists, census)
        fitted = fit_boundaries(census, ServiceAreas.concat([drawn, listed]), unit="DA")
        progress(say("synthetic.fitting"), 1.0)

        progress(say("synthetic.writing"), 0.0)
        write_build(fitted, made / "build", csv=csv)
        write_order(fitted, made / "order", csv=csv, leave_out_empty=True)
        preview(fitted).save(made / "map.html")
        content = {"vintage": census.vintage}
        write_manifest(made, DEMO, content, file_entries(made, listed_files(made)))
        progress(say("synthetic.writing"), 1.0)
    return {
        say("synthetic.order"): target / "order" / "send" / "README.html",
        say("synthetic.shapefile"): target / "order" / "send" / f"areas_{census.vintage}.zip",
        say("synthetic.concordance"): target / "order" / "send" / "concordance.xlsx",
        say("synthetic.map"): target / "map.html",
        say("synthetic.build"): target / "build",
        say("synthetic.table"): target / "immigration.csv",
        say("synthetic.files"): target / "census-files",
        say("synthetic.store"): target / "store",
    }


def _write_table(census: Census, path: Path) -> None:
    """Write a table of dissemination areas as a spreadsheet would: DGUIDs say what its rows are."""
    made = synthetic.table(census, "DA")
    cells = made.frame.convert_dtypes().astype(object).where(made.symbols == "", made.symbols)
    codes = dguids("DA", pd.Series(cells.index), census.vintage)
    cells.set_index(pd.Index(codes, name="DGUID")).to_csv(path)
