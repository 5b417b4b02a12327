"""Read one published file for an import: its level and vintage, its polygons, its columns."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo.errors import CensusError, FileError, tell_damage
from lipgeo.files import sha256_of
from lipgeo.readers.layers import read_layer
from lipgeo.readers.statcan.attributes import AttributeTable, from_frame, read_attributes
from lipgeo.report import CheckReport, notes_of
from lipgeo.store.levels import ImportFinding, Piece, Role
from lipgeo.zones.crs import accept_crs, on_grid, to_grid

__all__ = ["SourceFile", "files_to_add", "read_source_file"]

#: what can be added: vector files, and tables
_VECTOR = frozenset(
    {".shp", ".gpkg", ".gml", ".gdb", ".geojson", ".json", ".tab", ".mif", ".kml", ".kmz"}
)
_TABLE = frozenset({".csv", ".txt", ".tsv", ".xlsx", ".dbf", ".parquet"})
#: `000b21` in `lda_000b21a_e`: a digital, b cartographic
_KIND = re.compile(r"000([ab])\d\d[agm]", re.IGNORECASE)
#: outlines thinned for display
_GENERALISED = re.compile(r"generali[sz]ed|generalis[eé]e?s?|simplif", re.IGNORECASE)
_KINDS = {"a": "digital", "b": "cartographic"}


@dataclass
class SourceFile:
    """What one source file says.

    Attributes
    ----------
    file, path, sha256, bytes
        The file.
    level
        Level of its rows.
    vintage
        Census year it is of, ``None`` where it does not say.
    role
        See :class:`~lipgeo.store.levels.Piece`.
    kind
        ``digital`` or ``cartographic`` for boundary files whose name says so.
    pieces
        What it says, level by level.
    polygons
        (unit ids, polygons in EPSG:3347) of a boundary file.
    checks, notes
        What was found in it; what was assumed to read it.
    """

    file: str
    path: Path
    sha256: str
    bytes: int
    level: str
    vintage: int | None
    role: Role
    kind: str | None
    pieces: list[Piece]
    polygons: tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]] | None = None
    checks: list[ImportFinding] = field(default_factory=list)
    notes: CheckReport = field(default_factory=CheckReport)

    @property
    def record(self) -> dict[str, Any]:
        """How the manifest names it."""
        return {
            "name": self.file,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "role": self.role,
            "level": self.level,
            "rows": len(self.pieces[0].frame),
            "boundary_type": self.kind,
        }


def files_to_add(files: Sequence[str | Path]) -> list[Path]:
    """Return the files to add: those named, and for a folder the vector files and tables in it.

    Raises
    ------
    FileError
        Some are not there, or a folder holds nothing to add.
    """
    given = [Path(file) for file in files]
    missing = [path for path in given if not path.exists()]
    if missing:
        raise FileError(
            "store.files_missing", [{"file": str(path)} for path in missing], files=missing
        )
    found: list[Path] = []
    for path in given:
        if path.is_dir() and path.suffix.lower() != ".gdb":
            inside = sorted(_inside(path))
            if not inside:
                raise FileError("store.nothing_to_add", folder=path)
            found += inside
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _inside(folder: Path) -> Iterator[Path]:
    shapes = {path.with_suffix("") for path in folder.rglob("*.shp")}
    for path in folder.rglob("*"):
        suffix = path.suffix.lower()
        if suffix == ".dbf" and path.with_suffix("") in shapes:
            continue
        if suffix in _VECTOR | _TABLE | {".zip"} and not path.name.startswith("."):
            yield path


def read_source_file(
    path: Path,
    *,
    vintage: int | None,
    level: str | None,
    mapping: Mapping[str, str] | None,
    attributes_only: bool,
) -> SourceFile:
    """Read one file.

    Parameters
    ----------
    path
        A boundary file or a table, as published.
    vintage, level, mapping
        What the caller says of it, where it does not say so itself.
    attributes_only
        Whether a vector file's polygons are left out: its columns fill and prove units that
        other files bring.

    Raises
    ------
    FileError, CensusError, CRSError, DatumError, IdError
        The file cannot be read, or is not what a census needs.
    """
    sha256, size = fingerprint(path)
    is_layer = _is_layer(path)
    polygons: gpd.GeoDataFrame | None = None
    notes = CheckReport()
    if is_layer:
        layer = read_layer(path)
        notes += notes_of(layer)
        table = from_frame(
            pd.DataFrame(layer.drop(columns=layer.geometry.name)),
            path.name,
            mapping=mapping,
            level=level,
            vintage=vintage,
        )
        generalised = attributes_only or bool(_GENERALISED.search(path.name))
        points = not generalised and table.level == "DB" and _are_points(layer)
        role: Role = "published" if generalised else "attributes" if points else "boundary"
        polygons = None if generalised or points else layer
    else:
        table = read_attributes(path, mapping=mapping, level=level, vintage=vintage)
        role = "published" if attributes_only else "attributes"
    source = SourceFile(
        file=path.name,
        path=path,
        sha256=sha256,
        bytes=size,
        level=table.level,
        vintage=table.vintage,
        role=role,
        kind=_kind(path.name) if role == "boundary" else None,
        pieces=[],
        notes=notes + table.notes,
    )
    if is_layer and role == "published":
        source.checks.append(
            ImportFinding("outlines_left_out", "note", path.name, "store.outlines_left_out")
        )
    if is_layer and role == "attributes":
        _add_points(source, table, layer.iloc[table.rows])
    if polygons is not None:
        source.polygons = _polygons(source, table, polygons.iloc[table.rows])
    frame = _once(source, table)
    source.pieces.append(Piece(sha256, path.name, role, table.level, frame))
    kind = "named" if role != "published" else role
    for other, names in table.names.items():
        if len(names):  # a place small enough has no tract, no designated place
            source.pieces.append(Piece(sha256, path.name, kind, other, _drop_empty_columns(names)))
    return source


def _is_layer(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix != ".zip":
        return suffix in _VECTOR
    with tell_damage(FileError, "store.bad_zip", file=path), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return any(part.lower() in _VECTOR for name in names for part in _suffixes(name))


def _suffixes(member: str) -> Iterator[str]:
    """Return the suffixes along a member's path: a geodatabase in a zip is a folder."""
    return (part.suffix for part in (PurePosixPath(member), *PurePosixPath(member).parents))


def _kind(name: str) -> str | None:
    match = _KIND.search(name)
    return _KINDS[match[1].lower()] if match else None


def _are_points(layer: gpd.GeoDataFrame) -> bool:
    """Return whether a layer holds points and nothing else."""
    kinds = set(layer.geometry.geom_type.dropna())
    return kinds == {"Point"}


def _add_points(source: SourceFile, table: AttributeTable, layer: gpd.GeoDataFrame) -> None:
    """Give each row of a table its point on the grid, as columns ``x`` and ``y``.

    A row without a point keeps what its own columns say, and is told where they say nothing.
    """
    shapes = np.asarray(_on_grid(source, layer), dtype=object)
    for axis, read in (("x", shapely.get_x), ("y", shapely.get_y)):
        found = np.asarray(read(shapes), dtype=np.float64)
        own = table.frame.get(axis, pd.Series(np.nan, index=table.frame.index))
        own = own.to_numpy(dtype=np.float64, na_value=np.nan)
        table.frame[axis] = np.where(np.isnan(found), own, found)
    nowhere = table.frame["x"].isna() | table.frame["y"].isna()
    source.checks.append(
        ImportFinding("points_taken", "note", source.file, "store.points_taken", rows=len(layer))
    )
    if nowhere.any():
        source.checks.append(
            ImportFinding(
                "no_point", "warning", source.file, "store.no_point",
                units=tuple(table.frame.loc[nowhere, "unit_id"]),
            )
        )  # fmt: skip


def _on_grid(source: SourceFile, layer: gpd.GeoDataFrame) -> npt.NDArray[np.object_]:
    """Return the shapes of a layer on the census grid, and say where they were brought there."""
    shapes = np.asarray(layer.geometry, dtype=object)
    accepted = accept_crs(layer.crs)
    if on_grid(layer.crs):
        return shapes
    source.notes += accepted.report
    source.checks.append(
        ImportFinding("projected", "note", source.file, "store.projected", crs=accepted.crs.name)
    )
    return np.asarray(to_grid(shapes, accepted.crs), dtype=object)


def _polygons(
    source: SourceFile, table: AttributeTable, layer: gpd.GeoDataFrame
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Return unit ids and polygons on the grid; the parts of a unit in several rows together."""
    ids, shapes = table.frame["unit_id"], np.asarray(layer.geometry, dtype=object)
    kinds = shapely.get_type_id(shapes)
    wrong = np.flatnonzero(~np.isin(kinds, (-1, 3, 6)))
    if len(wrong):
        lines = table.lines(wrong)
        rows = [
            {"row": line, "unit_id": ids.iloc[row]} for row, line in zip(wrong, lines, strict=True)
        ]
        raise CensusError("store.not_polygons", rows, file=source.file, rows=lines)
    shapes = _on_grid(source, layer)
    units = ids.to_numpy(dtype=object)
    keep = ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
    units, shapes = units[keep], shapes[keep]
    repeated = pd.Index(units).duplicated(keep=False)
    if repeated.any():
        source.checks.append(
            ImportFinding(
                "several_rows", "warning", source.level, "store.several_rows",
                units=tuple(dict.fromkeys(units[repeated])), file=source.file,
            )
        )  # fmt: skip
        codes, unique = pd.factorize(units, sort=True)
        order = np.argsort(codes, kind="stable")
        parts, owner = shapely.get_parts(shapes[order], return_index=True)
        shapes = shapely.multipolygons(parts, indices=codes[order][owner])
        alone = shapely.get_num_geometries(shapes) == 1
        shapes[alone] = shapely.get_geometry(shapes[alone], 0)
        units = unique
    return units, shapes


def _drop_empty_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out the columns that say nothing in any row."""
    kept = frame.loc[:, frame.notna().any()]
    if "incomplete_reserve" in kept and not kept["incomplete_reserve"].any():
        kept = kept.drop(columns="incomplete_reserve")
    return kept


def _once(source: SourceFile, table: AttributeTable) -> pd.DataFrame:
    """Return one row a unit; refuse rows of one unit that say different things."""
    level, frame = table.level, _drop_empty_columns(table.frame)
    repeated = frame["unit_id"].duplicated(keep=False)
    if not repeated.any():
        return frame
    if source.role != "boundary":
        differ = frame[repeated].drop_duplicates()
        differ = differ[differ["unit_id"].duplicated(keep=False)]
        if len(differ):
            lines = table.lines(differ.index)
            rows = [
                {"row": line, "level": level, "unit_id": unit}
                for line, unit in zip(lines, differ["unit_id"], strict=True)
            ]
            shown = [f"{row['unit_id']} ({row['row']})" for row in rows]
            raise CensusError("store.duplicates", rows, file=source.file, level=level, units=shown)
        units = tuple(frame.loc[repeated, "unit_id"].unique())
        source.checks.append(
            ImportFinding(
                "same_row_twice", "note", level, "store.same_row_twice",
                units=units, file=source.file,
            )
        )  # fmt: skip
    return frame.drop_duplicates("unit_id").reset_index(drop=True)


def fingerprint(path: Path) -> tuple[str, int]:
    """Return SHA-256 and bytes of a source: of a shapefile its parts, of a folder all in it."""
    if path.is_dir():
        parts = sorted(member for member in path.rglob("*") if member.is_file())
    elif path.suffix.lower() == ".shp":
        # the name up to the suffix, taken literally: it may hold marks that mean something in glob
        parts = sorted(
            member
            for member in path.parent.iterdir()
            if member.stem == path.stem and member.suffix.lower() in _SHAPEFILE
        )
    else:
        parts = [path]
    total, size = hashlib.sha256(), 0
    try:
        for part in parts:
            size += part.stat().st_size
            digest = sha256_of(part)
            if len(parts) == 1:
                return digest, size
            total.update(bytes.fromhex(digest))
    except OSError as error:
        raise FileError(
            "store.unreadable", file=path, reason=error.strerror or str(error)
        ) from error
    return total.hexdigest(), size


_SHAPEFILE = frozenset({".shp", ".dbf", ".shx", ".prj", ".cpg"})
