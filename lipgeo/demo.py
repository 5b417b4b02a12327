"""The demonstration: the whole chain on a made census, offline, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd

from lipgeo import synthetic
from lipgeo.areas import ServiceAreas
from lipgeo.atomic import folder_in_one_step
from lipgeo.boundary import fit_boundaries
from lipgeo.build import write_build
from lipgeo.census import Census
from lipgeo.maps import preview
from lipgeo.order import write_lists, write_shapefile
from lipgeo.spreadsheets import CsvStyle
from lipgeo.store import add_files, open_census
from lipgeo.words import say

__all__ = ["run_demo"]

_BLOCKS = 4_000
_DRAWN = 4


def _listed(census: Census) -> pd.DataFrame:
    """Return a partnership that is a list: two municipalities and a designated place of a third."""
    places = census.units("DPL").dropna(subset=["population"])
    towns = census.units("CSD")
    towns = towns[(towns["population"] > 0) & towns["PR"].eq(places["PR"].iloc[0])]
    blocks = census.units(census.atom_level)
    around = set(blocks.loc[blocks["DPL"].eq(places.index[0]), "CSD"])
    units = [f"CSD:{town}" for town in towns.index if town not in around][:2]
    return pd.DataFrame(
        {
            "area_id": "listed-partnership",
            "unit": [*units, f"DPL:{places.index[0]}"],
            "name_en": "Listed Partnership",
            "name_fr": "Partenariat en liste",
        }
    )


def run_demo(
    folder: str | Path,
    *,
    csv: CsvStyle = "en",
    progress: Callable[[str, float], None] = lambda step, done: None,
) -> dict[str, Path]:
    """Run the whole chain on a made census: files, store, areas, fit, order files, map.

    Parameters
    ----------
    folder
        Where to leave everything; an earlier demonstration there gives way.
    csv
        Form of the CSV files.
    progress
        Called with a sentence and how far that step is, 0 to 1.

    Returns
    -------
    dict
        Name of each result, in the language in force, to its path.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    target = Path(folder)
    with folder_in_one_step(target, replace=True) as made:
        progress(say("demo.making"), 0.0)
        invented = synthetic.census(blocks=_BLOCKS)
        files = synthetic.write_files(invented, made / "census-files")
        progress(say("demo.making"), 1.0)

        progress(say("demo.importing"), 0.0)
        add_files(made / "store", files)
        census = open_census(made / "store")
        progress(say("demo.importing"), 1.0)

        progress(say("demo.fitting"), 0.0)
        outlines: gpd.GeoDataFrame = synthetic.service_areas(invented, _DRAWN, seed=1)
        outlines.to_file(made / "service-areas.gpkg", layer="service_areas")
        drawn = ServiceAreas.from_frame(outlines, id="area_id")
        listed = ServiceAreas.from_units(_listed(census), census)
        fitted = fit_boundaries(census, ServiceAreas.concat([drawn, listed]), unit="DA")
        progress(say("demo.fitting"), 1.0)

        progress(say("demo.writing"), 0.0)
        write_build(fitted, made / "build", csv=csv)
        write_shapefile(fitted, made / "lipgeo_areas.zip")
        write_lists(fitted, made, csv=csv)
        preview(fitted).save(made / "map.html")
        progress(say("demo.writing"), 1.0)
    return {
        say("demo.shapefile"): target / "lipgeo_areas.zip",
        say("demo.concordance"): target / "concordance.xlsx",
        say("demo.map"): target / "map.html",
        say("demo.build"): target / "build",
        say("demo.files"): target / "census-files",
        say("demo.store"): target / "store",
    }
