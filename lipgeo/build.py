"""The build directory: what ``lipgeo build`` leaves, and reading it back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import pyarrow.parquet as pq

from lipgeo import __version__
from lipgeo.arguments import require_kind, require_path
from lipgeo.atomic import folder_in_one_step
from lipgeo.crosswalk_file import read_crosswalk, write_crosswalk
from lipgeo.errors import FileError
from lipgeo.report import CheckReport, Finding
from lipgeo.spreadsheets import CsvStyle, write_csv

if TYPE_CHECKING:
    from lipgeo.areas import ServiceAreas
    from lipgeo.boundary import Boundaries

__all__ = ["BUILD_VERSION", "read_build", "write_build"]

#: layout of the directory; a reader refuses a newer one
BUILD_VERSION = 1
_FILES = (
    "areas.parquet",
    "units.csv",
    "cover.csv",
    "crosswalk.parquet",
    "membership.parquet",
    "shapes.parquet",
    "context.parquet",
    "land.parquet",
    "service_areas.parquet",
    "service_area_units.parquet",
    "checks.json",
)


def _hash(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _write_geo(frame: gpd.GeoDataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False, schema_version="1.1.0", write_covering_bbox=True)


def _write_json(value: Any, path: Path) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_build(
    boundaries: Boundaries, folder: str | Path, *, csv: CsvStyle = "en", replace: bool = False
) -> Path:
    """Write a build directory, whole or not at all.

    Parameters
    ----------
    boundaries
        What :func:`lipgeo.fit_boundaries` gave.
    folder
        Where to write.
    csv
        Form of the CSV files: ``"en"`` or ``"fr"`` (semicolon, decimal comma).
    replace
        Whether an existing directory gives way.

    Returns
    -------
    pathlib.Path
        The folder, with

        ==============================  ==========================================================
        ``areas.parquet``               GeoParquet 1.1, EPSG:3347: ``b.areas``
        ``units.csv, cover.csv``        for people: the units chosen, the fewest units
        ``crosswalk.parquet``           shares of the units in the areas as drawn
        ``membership.parquet``          0 or 1 for the units of the union
        ``shapes.parquet``              units chosen and units cut but left out, with polygons
        ``context.parquet``             census subdivisions around, simplified, for maps only
        ``land.parquet``                the census around in pieces, to subtract areas by
        ``service_areas.parquet``       the areas as they came, in EPSG:3347
        ``service_area_units.parquet``  the unit lists as they came, exclusions applied
        ``checks.json``                 every finding
        ``manifest.json``               parameters, vintage, sources, sha256 of each file
        ==============================  ==========================================================

    Raises
    ------
    OutputError
        The folder exists and ``replace`` is false, or it cannot be written.
    """
    from lipgeo.boundary import Boundaries

    require_kind(boundaries, Boundaries, "arguments.boundaries", "boundaries")
    require_path(folder, "folder")
    given = boundaries.service_areas
    with folder_in_one_step(folder, replace=replace) as made:
        _write_geo(boundaries.areas, made / "areas.parquet")
        write_csv(boundaries.units, made / "units.csv", csv)
        write_csv(boundaries.cover, made / "cover.csv", csv)
        write_crosswalk(boundaries.crosswalk, made / "crosswalk.parquet")
        write_crosswalk(boundaries.membership, made / "membership.parquet")
        _write_geo(boundaries.shapes, made / "shapes.parquet")
        _write_geo(boundaries.context, made / "context.parquet")
        boundaries.land.to_parquet(made / "land.parquet", index=False)
        drawn = given.frame.assign(as_drawn=given.as_drawn.reindex(given.frame.index).to_wkb())
        _write_geo(drawn.reset_index(), made / "service_areas.parquet")
        given.units.to_parquet(made / "service_area_units.parquet", index=False)
        _write_json(
            {
                "findings": boundaries.report.to_records(),
                "service_areas": given.report.to_records(),
            },
            made / "checks.json",
        )
        manifest = {
            "build_version": BUILD_VERSION,
            "lipgeo": __version__,
            "csv": csv,
            "parameters": dict(boundaries.meta),
            "files": {name: _hash(made / name) for name in _FILES},
        }
        _write_json(manifest, made / "manifest.json")
    return Path(folder)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.is_file():
        raise FileError("build.no_manifest", folder=folder)
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if "order_version" in found and "build_version" not in found:
            raise FileError("build.an_order", folder=folder)
        version = int(found["build_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise FileError("build.bad_manifest", path=path, reason=error) from error
    if version > BUILD_VERSION:
        raise FileError("build.newer", folder=folder, found=version, known=BUILD_VERSION)
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise FileError("build.missing_files", folder=folder, files=missing)
    return found


def _read_csv(path: Path, csv: CsvStyle) -> pd.DataFrame:
    frame = pd.read_csv(path, sep=";" if csv == "fr" else ",", dtype="string", encoding="utf-8-sig")
    for name in frame.columns:
        if name in ("population", "dwellings", "households", "share"):
            plain = frame[name].str.replace(",", ".") if csv == "fr" else frame[name]
            frame[name] = pd.to_numeric(plain).astype("float64")
        else:  # the apostrophe that keeps a formula text is the file's, not the name's
            frame[name] = frame[name].str.replace(r"^'(?=[=+\-@\t\r])", "", regex=True)
    return frame


def read_build(folder: str | Path) -> Boundaries:
    """Read a build directory back into the boundaries it was written from.

    Parameters
    ----------
    folder
        What :func:`write_build` wrote.

    Returns
    -------
    Boundaries
        With everything but an opened census.

    Raises
    ------
    FileError
        The folder is no build directory, lacks files, is of a newer lipgeo, or a file was
        changed since it was written (``problems`` lists which).
    """
    from lipgeo.boundary import Boundaries

    place = require_path(folder, "folder")
    manifest = _manifest(place)
    changed = [name for name, digest in manifest["files"].items() if _hash(place / name) != digest]
    if changed:
        raise FileError(
            "build.changed", [{"file": name} for name in changed], folder=place, files=changed
        )
    checks = json.loads((place / "checks.json").read_text(encoding="utf-8"))
    shapes = gpd.read_parquet(place / "shapes.parquet")
    return Boundaries(
        areas=gpd.read_parquet(place / "areas.parquet"),
        units=_units_of(shapes),
        cover=_read_csv(place / "cover.csv", manifest["csv"]),
        crosswalk=read_crosswalk(place / "crosswalk.parquet"),
        membership=read_crosswalk(place / "membership.parquet"),
        service_areas=_service_areas(place, manifest, checks),
        shapes=shapes,
        context=gpd.read_parquet(place / "context.parquet"),
        land=pq.read_table(place / "land.parquet").to_pandas(),
        meta=manifest["parameters"],
        report=CheckReport(Finding(**row) for row in checks["findings"]),
    )


def _units_of(shapes: gpd.GeoDataFrame) -> pd.DataFrame:
    chosen = shapes[shapes["status"] != "left_out"].drop(columns=shapes.geometry.name)
    return pd.DataFrame(chosen).reset_index(drop=True)


def _service_areas(place: Path, manifest: dict[str, Any], checks: dict[str, Any]) -> ServiceAreas:
    from lipgeo.areas import ServiceAreas

    frame = gpd.read_parquet(place / "service_areas.parquet").set_index("area_id")
    drawn = gpd.GeoSeries.from_wkb(frame.pop("as_drawn"), crs=frame.crs).dropna()
    return ServiceAreas(
        frame,
        pq.read_table(place / "service_area_units.parquet").to_pandas(),
        as_drawn=drawn,
        vintage=manifest["parameters"].get("vintage"),
        report=CheckReport(Finding(**row) for row in checks["service_areas"]),
    )
