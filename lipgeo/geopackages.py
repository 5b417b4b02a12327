"""Write a GeoPackage whole or not at all, and equal contents as equal bytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyogrio

from lipgeo.files import file_in_one_step
from lipgeo.workplace import scratch_folder

__all__ = ["THEN", "geopackage_in_one_step"]

#: a GeoPackage notes when each layer was last changed; a fixed time keeps equal contents equal
THEN = "1980-01-01T00:00:00.000Z"
#: how GDAL drafts: at a fixed time, and without waiting for the disk (the move does that)
_DRAFTING = {"OGR_CURRENT_DATE": THEN, "OGR_SQLITE_SYNCHRONOUS": "OFF"}


@contextmanager
def _draft_options() -> Iterator[None]:
    before = {name: pyogrio.get_gdal_config_option(name) for name in _DRAFTING}
    pyogrio.set_gdal_config_options(_DRAFTING)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


@contextmanager
def geopackage_in_one_step(path: Path) -> Iterator[Path]:
    """Give a path for the draft of a GeoPackage; put it in its place when the block ends well.

    Raises
    ------
    OutputError
        The disk is full, or the place cannot be written; the old file is as it was.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import geopandas as gpd, shapely
    >>> from lipgeo.geopackages import geopackage_in_one_step
    >>> frame = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:3347")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "areas.gpkg")
    ...     with geopackage_in_one_step(path) as draft:
    ...         frame.to_file(draft, layer="areas", driver="GPKG")
    ...     len(gpd.read_file(path))
    1
    """
    # a folder of its own: SQLite leaves journals beside what it writes
    with file_in_one_step(path) as target, scratch_folder() as folder:
        # GDAL goes by the ending, and takes not every name
        draft = folder / "draft.gpkg"
        with _draft_options():
            yield draft
        with closing(sqlite3.connect(draft)) as base:
            base.execute("UPDATE gpkg_contents SET last_change = ?", (THEN,))
            base.commit()
            # rewritten page by page: counters and free pages no longer tell how it came to be
            base.execute("VACUUM INTO ?", (str(target),))
