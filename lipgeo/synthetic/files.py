"""Writing a made census as Statistics Canada publishes one: boundary files and tables."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import shapely

from lipgeo.atomic import file_in_one_step, write_zip
from lipgeo.attributes.layouts import facts as layout_facts
from lipgeo.census import Census
from lipgeo.sources import boundary_file, table_file
from lipgeo.synthetic.attributes import DGRF, GAF, block_fields, write_layout

__all__ = ["write_files"]

Language = Literal["en", "fr"]

#: columns of the files that are not made of a level's stem
_COMMON = {
    "en": {"dguid": "DGUID", "land": "LANDAREA", "x": "DBRPLAMX", "y": "DBRPLAMY"},
    "fr": {"dguid": "IDUGD", "land": "SUPTERRE", "x": "IDRPLAMX", "y": "IDRPLAMY"},
}
_WORDS = {"en": ("NAME", "TYPE"), "fr": ("NOM", "GENRE")}
#: stem of the columns of population centres and urban areas
_STEMS = {"POPCTR": ("PC", "CP"), "UA": ("UA", "RU")}
_PARENTS = ("PR", "CD", "CCS", "CSD", "ER", "CMA", "CT", "ADA")


def write_files(
    census: Census,
    folder: str | Path,
    *,
    levels: Sequence[str] | None = None,
    boundary_type: Literal["cartographic", "digital"] = "cartographic",
    language: Language = "en",
) -> list[Path]:
    """Write a census in the files Statistics Canada publishes, under their names.

    A zipped shapefile a level (``lda_000b21a_e.zip``: EPSG:3347 from 2016, degrees of NAD83
    before; in 2021 own id, DGUID, name, type and land area, with French columns if asked; before
    2021 the parents too), the geographic attribute file 92-151 of the year (fixed width for 2006
    and 2011, text between commas after), for 2021 the relationship file 98-26-0004, and plain
    tables of the population and dwellings of provinces, divisions and subdivisions, which prove
    a store of them complete.

    Parameters
    ----------
    census
        A made census, or any with names and parents.
    folder
        Where to write; made if it is not there.
    levels
        Levels whose boundaries are written; all of the year unless given.
    boundary_type
        The kind the names say. The polygons are the census's own.
    language
        Language of names and columns of the boundary files; French exists for 2021.

    Returns
    -------
    list of pathlib.Path
        The files, boundaries first, as the census lists its levels.

    Raises
    ------
    MissingLevelError
        A level the census does not hold.
    OutputError
        The folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from lipgeo import synthetic
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = synthetic.write_files(synthetic.census(500), folder, levels=["DA"])
    ...     [path.name for path in made[:3]]
    ['lda_000b21a_e.zip', '2021_92-151_X.zip', '2021_98260004.zip']
    """
    target = Path(folder)
    vintage = census.vintage
    written: list[Path] = []
    for level in census.levels if levels is None else levels:
        census.require_level(level)
        published = boundary_file(level, vintage, boundary_type, language)
        layer = _layer(census, level, published.lang)
        written.append(_write_shapefile(layer, target / published.name, published.crs, vintage))
    fields = block_fields(census)
    for role, layout in (("attributes", GAF), ("relationship", DGRF)):
        table = table_file(role, vintage)
        if table is not None and vintage in layout:
            written.append(_write_table(fields, layout[vintage], vintage, target / table.name))
    return written + [_write_totals(census, level, target) for level in ("CSD", "CD", "PR")]


def _write_totals(census: Census, level: str, folder: Path) -> Path:
    """Write the population and dwelling counts of a level, a plain table."""
    units = census.units(level)
    counts = units[["population", "dwellings", "households"]].round().astype("Int64")
    table = counts.rename_axis(_id_column(level, "en")).reset_index()
    path = folder / f"population_dwellings_{level.lower()}_{census.vintage}.csv"
    with file_in_one_step(path) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    return path


def _layer(census: Census, level: str, lang: str) -> gpd.GeoDataFrame:
    """Return a level with the columns its boundary file has; units without polygon left out."""
    units = census.units(level)
    polygons = census.data.geometry(level)
    held = ~shapely.is_missing(polygons)
    units = units[held]
    columns: dict[str, npt.NDArray[np.object_] | pd.Series] = {}
    columns[_id_column(level, lang)] = units.index.to_numpy(dtype=object)
    common = _COMMON[lang]
    if census.vintage >= 2021:
        columns[common["dguid"]] = units["dguid"]
    _add_names(columns, level, units, lang)
    if level == "DB" and census.vintage >= 2021:
        columns[common["x"]], columns[common["y"]] = units["x"], units["y"]
    if census.vintage >= 2021:
        columns[common["land"]] = units["land_km2"]
        if level != "PR" and "PR" in units:
            columns[_id_column("PR", lang)] = units["PR"]
    else:
        _add_parents(columns, census, units)
    frame = pd.DataFrame(
        {name: np.asarray(values, dtype=object) for name, values in columns.items()}
    )
    numbers = [name for name in (common["land"], common["x"], common["y"]) if name in frame]
    frame[numbers] = frame[numbers].astype(np.float64)
    texts = frame.columns.difference(numbers)
    frame[texts] = frame[texts].astype("string")
    return gpd.GeoDataFrame(frame, geometry=polygons[held], crs=census.crs)


def _stem(level: str, lang: str) -> str:
    pair = _STEMS.get(level, tuple(layout_facts()["stems"][level][:2]))
    return str(pair[lang == "fr"])


def _id_column(level: str, lang: str) -> str:
    return _stem(level, lang) + ("IDU" if lang == "fr" else "UID")


def _add_names(
    columns: dict[str, npt.NDArray[np.object_] | pd.Series],
    level: str,
    units: pd.DataFrame,
    lang: str,
) -> None:
    name, kind = _WORDS[lang]
    stem = _stem(level, lang)
    if level == "PR":
        both = units["unit_name"].astype(str) + " / " + units["name_fr"].astype(str)
        same = units["unit_name"] == units["name_fr"]
        columns[stem + name] = both.mask(same, units["unit_name"])
        english, french = ("PRANOM", "PRFNOM") if lang == "fr" else ("PRENAME", "PRFNAME")
        columns[english], columns[french] = units["unit_name"], units["name_fr"]
        return
    if level not in ("DA", "DB", "ADA", "FSA") and units["unit_name"].notna().any():
        columns[stem + name] = units["unit_name"]
    if units["unit_type"].notna().any():
        columns[stem + kind] = units["unit_type"]


def _add_parents(
    columns: dict[str, npt.NDArray[np.object_] | pd.Series],
    census: Census,
    units: pd.DataFrame,
) -> None:
    """Add the parents of a unit as files before 2021 have them: id, name and type of each."""
    for parent in _PARENTS:
        if parent not in units:
            continue
        above = census.units(parent)
        columns[_id_column(parent, "en")] = units[parent]
        parents = pd.Index(units[parent])
        if parent == "PR":
            columns["PRNAME"] = above["unit_name"].reindex(parents).to_numpy(dtype=object)
        elif parent not in ("CT", "ADA"):
            for word, column in zip(_WORDS["en"], ("unit_name", "unit_type"), strict=True):
                if above[column].notna().any():
                    values = above[column].reindex(parents).to_numpy(dtype=object)
                    columns[_stem(parent, "en") + word] = values


def _write_shapefile(layer: gpd.GeoDataFrame, path: Path, crs: str, vintage: int) -> Path:
    """Write a zipped shapefile; before 2016 in Windows-1252 without a word about it."""
    if crs != layer.crs.to_string():
        layer = layer.to_crs(crs)
    with file_in_one_step(path) as zipped, tempfile.TemporaryDirectory() as folder:
        shape = Path(folder) / f"{path.stem}.shp"
        encoding = "UTF-8" if vintage >= 2016 else "CP1252"
        pyogrio.write_dataframe(layer, shape, driver="ESRI Shapefile", encoding=encoding)
        members = {file.name: file for file in Path(folder).iterdir()}
        if vintage < 2016:
            members.pop(f"{path.stem}.cpg", None)
        write_zip(zipped, members)
    return path


def _write_table(fields: pd.DataFrame, layout: str, vintage: int, path: Path) -> Path:
    """Write a zipped table."""
    ending = ".txt" if layout.startswith("gaf_2011") else ".csv"
    name = path.stem.removesuffix("_txt").removesuffix("_csv") + ending
    with file_in_one_step(path) as zipped, tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / name
        write_layout(fields, layout, vintage, table)
        write_zip(zipped, {name: table})
    return path
