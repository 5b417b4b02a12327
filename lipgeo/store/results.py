"""Write builds, crosswalks and estimates to disk, and read builds and crosswalks back.

A build is a folder, as ``lipgeo build`` leaves it. A crosswalk is one Parquet file: its shares as
rows, the rest in its schema. Estimates are a workbook for people, CSV files, or one Parquet file.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lipgeo.arrays import Floats
from lipgeo.crosswalk.crosswalk import Crosswalk
from lipgeo.errors import (
    FileError,
    LipgeoError,
    OutputError,
    require_kind,
    require_path,
    tell_damage,
)
from lipgeo.files import (
    XLSX_ROWS,
    CsvStyle,
    FolderFormat,
    Sheet,
    as_numbers,
    changed_files,
    file_entries,
    file_in_one_step,
    files_in_one_move,
    folder_in_one_step,
    json_text,
    load_json,
    read_manifest,
    read_sealed_parquet,
    require_free,
    require_free_file,
    unguard_csv,
    whole_counts,
    write_csv,
    write_manifest,
    write_sealed_parquet,
    write_workbook,
)
from lipgeo.geopackages import geopackage_in_one_step
from lipgeo.report import CheckReport
from lipgeo.tables.estimates import Estimates
from lipgeo.tables.results import FLAGS
from lipgeo.tables.variables import missing_symbols
from lipgeo.tables.wide import table_of_numbers
from lipgeo.words import say

if TYPE_CHECKING:
    from lipgeo.areas.service_areas import ServiceAreas
    from lipgeo.boundary.boundaries import Boundaries

__all__ = [
    "BUILD",
    "BUILD_VERSION",
    "describe_columns",
    "read_build",
    "read_crosswalk",
    "require_free_estimates",
    "write_build",
    "write_crosswalk",
    "write_estimates",
]

#: results, what they are made of, what was missing: what the files of one result end in
_CSV_PARTS = ("", "_explain", "_missing")
#: rows of explanations written unasked; more are written for the variables asked for
EXPLAINED = 100_000


def write_estimates(
    estimates: Estimates,
    path: str | Path,
    *,
    names: pd.Series | None = None,
    explain: Sequence[str] | None = None,
    csv: CsvStyle = "en",
    replace: bool = False,
    shapes: gpd.GeoSeries | None = None,
) -> list[Path]:
    """Write estimates, what they are made of and what was missing; all of it or nothing.

    Parameters
    ----------
    estimates
        What :func:`lipgeo.weight_table` gave.
    path
        ``.xlsx``: a workbook with the sheets *table* (areas by variables, for people), *results,
        explain, missing, variables, flags, sources, findings*; ``.gpkg``: the table with the
        areas' shapes and the likely ranges, for a map; ``.csv``: the results, and beside
        them ``NAME_explain.csv`` and ``NAME_missing.csv``; ``.parquet``: the results alone.
        Results are the columns of ``Estimates.frame``, with ``area_name`` and, where all tables
        are of one census, its year in ``vintage``.
    names
        What areas are called, by id.
    explain
        Variables to explain; all where that is no more than 100,000 rows, else none.
    csv
        Form of CSV files: ``"en"`` or ``"fr"`` (semicolon, decimal comma).
    replace
        Whether earlier estimates give way; nothing else does.
    shapes
        Outlines of the areas, by id; a ``.gpkg`` needs them.

    Returns
    -------
    list of pathlib.Path
        The files written, results first.

    Raises
    ------
    OutputError
        The ending is none of these, something stands there, a sheet would be too long, or a file
        cannot be written.
    """
    target = require_free_estimates(path, replace=replace)
    results = _name_areas(estimates.frame, names)
    if len(estimates.vintages) == 1:  # a portal asks which census a file is of
        results = results.assign(vintage=estimates.vintages[0])
    if target.suffix.lower() == ".parquet":
        with file_in_one_step(target) as temporary:
            table = pa.Table.from_pandas(results, preserve_index=False)
            write_sealed_parquet(table, temporary, {"kind": "lipgeo estimates"})
        return [target]
    if target.suffix.lower() == ".gpkg":
        _write_shapes(estimates, target, names, shapes)
        return [target]
    missing = _name_areas(estimates.missing, names)
    made_of = _contributions(estimates, explain, names)
    if target.suffix.lower() == ".csv":
        # one that there is none of leaves no earlier one beside the results
        frames = (results, made_of, missing)
        files = [target.with_name(target.stem + part + target.suffix) for part in _CSV_PARTS]
        with files_in_one_move(files) as temporary:
            for frame, place in zip(frames, temporary, strict=True):
                if frame is not None:
                    write_csv(frame, place, csv)
        return [file for frame, file in zip(frames, files, strict=True) if frame is not None]
    table = table_of_numbers(estimates, names)
    sheets = [
        Sheet(say("store.table"), table.frame, formats=table.formats),
        Sheet(say("store.results"), results, _title(estimates)),
    ]
    if made_of is not None:
        starts = range(0, max(len(made_of), 1), XLSX_ROWS - 2)
        for number, start in enumerate(starts, start=1):
            name = say("store.explain") + (f" {number}" if number > 1 else "")
            sheets.append(Sheet(name, made_of.iloc[start : start + XLSX_ROWS - 2]))
    sheets += [
        Sheet(say("store.missing_sheet"), missing, say("store.missing_title")),
        Sheet(say("store.variables"), _variables(estimates)),
        Sheet(say("store.flags"), _flags()),
        Sheet(say("store.sources"), estimates.sources),
        Sheet(say("store.findings"), estimates.report.frame),
    ]
    with file_in_one_step(target) as temporary:
        write_workbook([sheets[0], describe_columns(sheets[1:]), *sheets[1:]], temporary)
    return [target]


def describe_columns(sheets: Sequence[Sheet]) -> Sheet:
    """Return a sheet that says in plain words what the columns of other sheets are."""
    rows = [
        {"sheet": sheet.name, "column": str(name), "meaning": say(f"store.column_{name}")}
        for sheet in sheets
        for name in sheet.frame
    ]
    heads = {name: say(f"store.head_{name}") for name in ("sheet", "column", "meaning")}
    return Sheet(say("store.columns"), pd.DataFrame(rows).rename(columns=heads))


def require_free_estimates(path: str | Path, *, replace: bool = False) -> Path:
    """Return where estimates may be written; look before the work begins.

    Raises
    ------
    OutputError
        The ending is none that estimates have, or something stands there, or beside it where the
        files of a CSV go.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in (".xlsx", ".csv", ".parquet", ".gpkg"):
        raise OutputError("store.ending", path=target)
    require_free_file(target, replace=replace)
    if ending == ".csv":
        for part in _CSV_PARTS[1:]:
            beside = target.with_name(target.stem + part + target.suffix)
            require_free_file(beside, replace=replace)
    return target


def _write_shapes(
    estimates: Estimates, target: Path, names: pd.Series | None, shapes: gpd.GeoSeries | None
) -> None:
    """Write areas with their shapes: id, name, basis, each variable and its likely range."""
    ids = estimates.area_ids
    held = None if shapes is None else shapes.reindex(ids)
    bare = ids if held is None else list(held.index[held.isna() | held.is_empty])
    if held is None or bare:
        raise OutputError("store.no_shapes", path=target, areas=bare)
    frame = _name_areas(pd.DataFrame({"area_id": ids}), names)
    basis = estimates.frame.drop_duplicates("area_id").set_index("area_id")["basis"]
    frame["basis"] = basis.loc[ids].to_numpy()
    if len(estimates.vintages) == 1:
        frame["vintage"] = estimates.vintages[0]
    parts = {"": "value", "_likely_lower": "likely_lower", "_likely_upper": "likely_upper"}
    numbers = [
        estimates.wide(column).loc[ids].astype(np.float64).add_suffix(ending)
        for ending, column in parts.items()
    ]
    frame = pd.concat([frame, *(wide.reset_index(drop=True) for wide in numbers)], axis=1)
    _require_apart(frame.columns, target)
    layer = gpd.GeoDataFrame(frame, geometry=held.to_numpy(), crs=held.crs)
    with geopackage_in_one_step(target) as draft:
        # before 3.7 GDAL warns of 1.4
        layer.to_file(draft, layer="numbers", driver="GPKG", VERSION="1.3")


#: columns that a GeoPackage has of itself
_OWN_COLUMNS = ("fid", "geom", "geometry")


def _require_apart(columns: Iterable[str], target: Path) -> None:
    """Raise where two columns of a GeoPackage would be one: it knows no capitals."""
    known: dict[str, str] = {name: name for name in _OWN_COLUMNS}
    clashes = []
    for name in columns:
        other = known.setdefault(name.casefold(), name)
        if other is not name:
            clashes.append({"column": name, "other": other})
    if clashes:
        shown = [f"{one['column']} ({one['other']})" for one in clashes]
        raise OutputError("store.columns_clash", clashes, path=target, columns=shown)


def _name_areas(frame: pd.DataFrame, names: pd.Series | None) -> pd.DataFrame:
    """Return a frame with what its areas are called beside their ids."""
    if names is None:
        return frame
    labels = pd.Series(names.to_numpy(), index=names.index.astype(str))
    given = frame.copy()
    given.insert(1, "area_name", frame["area_id"].astype(str).map(labels).astype("string"))
    return given


def _contributions(
    estimates: Estimates, asked: Sequence[str] | None, names: pd.Series | None
) -> pd.DataFrame | None:
    """Return what numbers are made of: those asked for, else all where they are not too many."""
    if asked is None and estimates.explain_size() > EXPLAINED:
        return None
    return _name_areas(estimates.explain_all(asked), names)


def _title(estimates: Estimates) -> str:
    return say(
        "store.title",
        summary=repr(estimates).strip("<>"),
        likely=estimates.meta["likely"],
        observed=estimates.meta["min_observed"],
    )


def _variables(estimates: Estimates) -> pd.DataFrame:
    """Return what the variables are, and the error model of each."""
    rows = [
        {
            "variable": one.name,
            "label": one.label,
            "rule": one.rule,
            "denominator": one.denominator,
            "basis": one.basis,
            "universe": one.universe,
            "rounding": one.rounding,
            "sampled": say("store.yes" if one.sampled else "store.no"),
        }
        for one in estimates.variables.values()
    ]
    table = pd.DataFrame(rows).join(estimates.error_model, on="variable")
    origin = [
        say("store.range_learned", splits=int(splits), targets=int(targets))
        if splits > 0
        else say("store.range_borrowed")
        for splits, targets in zip(
            table["splits"].fillna(0), table["targets"].fillna(0), strict=True
        )
    ]
    table.insert(table.columns.get_loc("phi"), "likely_range_is", origin)
    return table


def _flags() -> pd.DataFrame:
    """Return what flags and symbols mean."""
    flags = [(name, say(f"store.flag_{name}")) for name in FLAGS]
    return pd.DataFrame([*flags, *missing_symbols().items()], columns=["flag", "meaning"])


#: of the layout of the file, raised when an older lipgeo could not read it
VERSION = 2
_PARTS = ("overlaps", "quality", "sources")


def write_crosswalk(crosswalk: Crosswalk, path: str | Path, *, replace: bool = False) -> None:
    """Write a crosswalk to one Parquet file.

    Any Parquet reader sees the shares (``crosswalk.frame``); remainder, overlaps, quality,
    sources, what it was built from and its report stand in the schema under ``lipgeo``.

    Parameters
    ----------
    crosswalk
        What to write.
    path
        Where to write.
    replace
        Whether an earlier result of lipgeo gives way; nothing else does.

    Raises
    ------
    OutputError
        Something stands there, or the file cannot be written; what was there stays.

    Notes
    -----
    The file holds a sum of itself, as manifests do (:mod:`lipgeo.sealing`).
    """
    require_free_file(require_path(path), replace=replace)
    remainder, sources = crosswalk.remainder, crosswalk.sources
    # both have one row a source: its id, the most of them, stands once
    rest = remainder.set_index("source_id")["share"].reindex(sources.index)
    parts = {
        "overlaps": crosswalk.overlaps,
        "quality": crosswalk.quality,
        "sources": sources.assign(remainder=rest.to_numpy(np.float64)),
    }
    document = {
        "kind": "lipgeo crosswalk",
        "version": VERSION,
        "meta": dict(crosswalk.meta),
        "report": crosswalk.report.to_records(),
        "parts": {name: _pack_frame(parts[name]) for name in _PARTS},
    }
    if crosswalk.coarse is not None:
        document["coarse"] = _pack_frame(pd.DataFrame({"share": crosswalk.coarse}))
    if crosswalk.trials is not None:
        document["trials"] = _pack_frame(crosswalk.trials)
    if crosswalk.surroundings is not None:
        document["surroundings"] = _pack_frame(crosswalk.surroundings)
    table = pa.Table.from_pandas(crosswalk.frame, preserve_index=False, nthreads=1)
    with file_in_one_step(path) as temporary:
        write_sealed_parquet(table, temporary, document, compression="zstd")


def read_crosswalk(path: str | Path) -> Crosswalk:
    """Read a crosswalk that :func:`write_crosswalk` wrote.

    Raises
    ------
    FileError
        The file is missing, is no crosswalk, is damaged, or was written by a newer lipgeo.
    """
    place = require_path(path)
    if not place.is_file():
        raise FileError("store.crosswalk.missing", path=place)
    with tell_damage(FileError, "store.not_one", path=place):
        table, document = read_sealed_parquet(place)
        version = int(document["version"])
    if version > VERSION:
        raise FileError("store.crosswalk.newer", path=place, found=version, known=VERSION)
    with tell_damage(FileError, "store.not_one", path=place):
        parts = {name: _unpack_frame(text) for name, text in document["parts"].items()}
        if version > 1:
            rest = parts["sources"].pop("remainder")
            parts["remainder"] = rest.rename("share").reset_index()
        coarse = None
        if "coarse" in document:
            coarse = _unpack_frame(document["coarse"])["share"].to_numpy(np.float64)
        beside = {
            name: _unpack_frame(document[name])
            for name in ("trials", "surroundings")
            if name in document
        }
        pairs = table.replace_schema_metadata({b"pandas": table.schema.metadata[b"pandas"]})
        return Crosswalk(
            pairs.to_pandas(),
            **parts,
            meta=document["meta"],
            report=CheckReport.from_records(document["report"]),
            coarse=coarse,
            **beside,
        )


def _pack_frame(frame: pd.DataFrame) -> str:
    """Return a frame as text: Parquet, which keeps a million ordered ids small, in base64."""
    table = pa.Table.from_pandas(frame, nthreads=1)
    # ids differ little from one to the next; nothing steers by statistics here
    ids = {
        field.name: "DELTA_BYTE_ARRAY"
        for field in table.schema
        # a column without any text has no type
        if field.name == "source_id" and not pa.types.is_null(field.type)
    }
    repeated = [name for name in table.column_names if name not in (*ids, "weight")]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=repeated,
        column_encoding=ids or None,
        write_statistics=False,
        write_page_checksum=True,
    )
    return base64.b64encode(sink.getvalue().to_pybytes()).decode("ascii")


def _unpack_frame(text: str) -> pd.DataFrame:
    return pq.read_table(
        pa.BufferReader(base64.b64decode(text)), page_checksum_verification=True
    ).to_pandas()


#: layout of the directory; a reader refuses a newer one; since 2 files have their bytes too
BUILD_VERSION = 2
BUILD = FolderFormat(
    "build",
    BUILD_VERSION,
    FileError,
    "store.no_manifest",
    {"csv": str, "parameters": dict, "files": {"*": {"sha256": str}}},
)
_FILES = (
    "areas.parquet",
    "units.csv",
    "cover.csv",
    "crosswalk.parquet",
    "membership.parquet",
    "shapes.parquet",
    "land.parquet",
    "service_areas.parquet",
    "service_area_units.parquet",
    "checks.json",
)
#: not of areas as wide as a country: their surroundings are made from the store when first drawn
_CONTEXT = "context.parquet"


def _write_geo(frame: gpd.GeoDataFrame, path: Path) -> None:
    whole_counts(frame).to_parquet(
        path, index=False, schema_version="1.1.0", write_covering_bbox=True
    )


def _read_geo(path: Path) -> gpd.GeoDataFrame:
    return as_numbers(gpd.read_parquet(path))


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
        Whether an earlier build gives way; nothing else does.

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
        ``context.parquet``             census subdivisions around, simplified, for maps only; not
                                        around areas as wide as a country: a map of those reads
                                        them from the store named in the manifest
        ``land.parquet``                the census around in pieces, to subtract areas by
        ``service_areas.parquet``       the areas as they came, in EPSG:3347
        ``service_area_units.parquet``  the unit lists as they came, exclusions applied
        ``checks.json``                 every finding
        ``manifest.json``               parameters, vintage, sources, sha256 of each file
        ==============================  ==========================================================

    Raises
    ------
    OutputError
        The folder holds something that is no build or was put there since, or a build and
        ``replace`` is false; or it cannot be written.
    """
    from lipgeo.boundary.boundaries import Boundaries

    require_kind(boundaries, Boundaries, "errors.boundaries", "boundaries")
    require_free(require_path(folder, "folder"), BUILD, replace=replace)
    given = boundaries.service_areas
    with folder_in_one_step(folder, replace=replace) as made:
        _write_geo(boundaries.areas, made / "areas.parquet")
        write_csv(boundaries.units, made / "units.csv", csv)
        write_csv(boundaries.cover, made / "cover.csv", csv)
        write_crosswalk(boundaries.crosswalk, made / "crosswalk.parquet")
        write_crosswalk(boundaries.membership, made / "membership.parquet")
        _write_geo(boundaries.shapes, made / "shapes.parquet")
        store = _store_of(boundaries)
        if store is None:
            _write_geo(boundaries.context, made / _CONTEXT)
        whole_counts(boundaries.land).to_parquet(made / "land.parquet", index=False)
        drawn = given.frame.assign(as_drawn=given.as_drawn.reindex(given.frame.index).to_wkb())
        _write_geo(drawn.reset_index(), made / "service_areas.parquet")
        given.units.to_parquet(made / "service_area_units.parquet", index=False)
        checks = {
            "findings": boundaries.report.to_records(),
            "service_areas": given.report.to_records(),
        }
        (made / "checks.json").write_text(json_text(checks), encoding="utf-8", newline="\n")
        content: dict[str, Any] = {"csv": csv, "parameters": dict(boundaries.meta)}
        names = [*_FILES, *([_CONTEXT] if store is None else [])]
        if store is not None:
            content["census"] = str(store)
        write_manifest(made, BUILD, content, file_entries(made, names))
    return Path(folder)


def _store_of(boundaries: Boundaries) -> Path | None:
    """Return the folder of the census from which a map can make what is around; else ``None``.

    What is around a few municipalities is made at once: the build then needs no store.
    """
    from lipgeo.boundary.boundaries import outer_box
    from lipgeo.census.around import is_crowded
    from lipgeo.store.read import StoreData

    census, box = boundaries.census, outer_box(boundaries.areas, boundaries.service_areas)
    if census is None:  # read back: a census that is not where it was is named on, not lost
        gone = boundaries.context.attrs.get("gone")
        return None if gone is None else Path(gone)
    if boundaries.has_context or box is None:
        return None
    if not isinstance(census.data, StoreData) or not is_crowded(census, box):
        return None
    return census.data.folder.resolve()


def _context_from(folder: Path, box: Floats, crs: Any) -> gpd.GeoDataFrame:
    """Return what is around areas, from a census on disk; nothing, with ``gone``, without it."""
    from lipgeo.census.around import no_surroundings, surroundings
    from lipgeo.census.census import Census
    from lipgeo.store.read import StoreData

    try:
        return surroundings(Census(StoreData(folder)), box)
    except LipgeoError:
        nothing = no_surroundings(crs)
        nothing.attrs["gone"] = str(folder)
        return nothing


def _read_csv(path: Path, csv: CsvStyle) -> pd.DataFrame:
    frame = pd.read_csv(path, sep=";" if csv == "fr" else ",", dtype="string", encoding="utf-8-sig")
    for name in frame.columns:
        if name in ("population", "dwellings", "households", "share"):
            plain = frame[name].str.replace(",", ".") if csv == "fr" else frame[name]
            frame[name] = pd.to_numeric(plain).astype("float64")
        else:  # the apostrophe that keeps a formula text is the file's, not the name's
            frame[name] = unguard_csv(frame[name])
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
    from lipgeo.boundary.boundaries import Boundaries, outer_box

    place = require_path(folder, "folder")
    manifest = read_manifest(place, BUILD)
    files = manifest["files"]
    needed = _FILES if "census" in manifest else (*_FILES, _CONTEXT)
    missing = [name for name in needed if name not in files or not (place / name).is_file()]
    if missing:
        raise FileError("store.missing_files", folder=place, files=missing)
    changed = changed_files(place, files)
    if changed:
        raise FileError(
            "store.build.changed", [{"file": name} for name in changed], folder=place, files=changed
        )
    with tell_damage(FileError, "store.build.damaged", folder=place):
        checks = load_json((place / "checks.json").read_bytes())
        shapes = _read_geo(place / "shapes.parquet")
        areas = _read_geo(place / "areas.parquet")
        given = _service_areas(place, manifest, checks)
        context: Any = _read_geo(place / _CONTEXT) if _CONTEXT in files else None
        box = outer_box(areas, given)
        if context is None and box is not None:
            context = partial(_context_from, Path(str(manifest["census"])), box, areas.crs)
        return Boundaries(
            areas=areas,
            units=_units_of(shapes),
            cover=_read_csv(place / "cover.csv", manifest["csv"]),
            crosswalk=read_crosswalk(place / "crosswalk.parquet"),
            membership=read_crosswalk(place / "membership.parquet"),
            service_areas=given,
            shapes=shapes,
            context=context,
            land=as_numbers(pq.read_table(place / "land.parquet").to_pandas()),
            meta=manifest["parameters"],
            report=CheckReport.from_records(checks["findings"]),
        )


def _units_of(shapes: gpd.GeoDataFrame) -> pd.DataFrame:
    chosen = shapes[shapes["status"] != "left_out"].drop(columns=shapes.geometry.name)
    return pd.DataFrame(chosen).reset_index(drop=True)


def _service_areas(place: Path, manifest: dict[str, Any], checks: dict[str, Any]) -> ServiceAreas:
    from lipgeo.areas.service_areas import ServiceAreas

    frame = gpd.read_parquet(place / "service_areas.parquet").set_index("area_id")
    drawn = gpd.GeoSeries.from_wkb(frame.pop("as_drawn"), crs=frame.crs).dropna()
    return ServiceAreas(
        frame,
        pq.read_table(place / "service_area_units.parquet").to_pandas(),
        as_drawn=drawn,
        vintage=manifest["parameters"].get("vintage"),
        report=CheckReport.from_records(checks["service_areas"]),
    )
