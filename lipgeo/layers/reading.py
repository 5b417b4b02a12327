"""Read a layer of polygons from any vector file, as it comes."""

from __future__ import annotations

import codecs
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from lipgeo.arguments import require_path
from lipgeo.crs import accept_crs, same_crs
from lipgeo.errors import CRSError, FileError, InputError
from lipgeo.layers.files import Dataset, existing, members, on_disk, require_parts, sniff_dbf
from lipgeo.report import CheckReport, Finding, Severity, keep_notes
from lipgeo.words import say
from lipgeo.zones.door import axis_problems, refuse

__all__ = ["members", "read_layer"]


def read_layer(
    path: str | Path,
    *,
    layer: str | None = None,
    encoding: str | None = None,
    crs: Any = None,
) -> gpd.GeoDataFrame:
    """Read a layer from a shapefile, GeoPackage, GeoJSON, KML, KMZ, file geodatabase, GML, MapInfo.

    The file may be in a zip, with or without folders. What had to be assumed (the encoding of the
    text, the layer, the coordinate reference system) is noted; ``lipgeo.report.notes_of(frame)``
    returns the notes.

    Parameters
    ----------
    path
        The file, or the folder of a file geodatabase.
    layer
        Which layer, where the file has several; in a zip also the name of a file in it.
    encoding
        Encoding of the text, where the file states none or a wrong one. Left out, text of a
        shapefile without a ``.cpg`` is taken as UTF-8 if it can be, else as Windows-1252.
    crs
        The coordinate reference system, where the file states none or a wrong one.

    Returns
    -------
    geopandas.GeoDataFrame
        One row a feature, RangeIndex, in the order of the file; two-dimensional geometry, ``None``
        where a feature has none, in ``geometry``; the file's columns.

    Raises
    ------
    FileError
        The file is missing, empty, truncated, unreadable, no vector file, or a part of it is
        missing; there is no such layer, or several and none was named; it has no rows.
    CRSError, DatumError
        There is no coordinate reference system, or it is refused.
    ZoneError
        Axes are swapped, or degrees declared as metres; ``problems`` lists the rows.
    InputError
        The encoding is unknown.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from lipgeo.layers import read_layer
    >>> from lipgeo.report import notes_of
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "a.geojson")
    ...     _ = path.write_text('''{"type": "Feature", "properties": {"name": "Hull"},
    ...         "geometry": {"type": "Polygon",
    ...         "coordinates": [[[-76, 45], [-75, 45], [-75, 46], [-76, 45]]]}}''')
    ...     frame = read_layer(path)
    >>> frame["name"].tolist(), len(notes_of(frame))
    (['Hull'], 0)
    """
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as err:
            raise InputError("layers.unknown_encoding", encoding=encoding) from err
    given = None if crs is None else accept_crs(crs).crs
    source = existing(require_path(path).expanduser())
    with on_disk(source) as datasets:
        chosen = _choose(datasets, layer, source)
        notes = chosen.notes
        require_parts(chosen.dataset)
        text, found = _encoding(chosen.dataset, encoding)
        frame, warned = _read(chosen, text)
        notes = [*notes, *found, *warned]
        if source.parent == require_path(path).expanduser().absolute():
            notes.insert(0, _note("only_file", "note", chosen, folder=source.parent))
    if not len(frame):
        raise FileError("layers.no_rows", name=chosen.dataset.name, layer=chosen.layer)
    if given is not None and frame.crs is not None and not same_crs(given, frame.crs):
        notes.append(_note("crs", "warning", chosen, said=frame.crs.name, given=given.name))
    declared = given if given is not None else frame.crs
    if declared is None:
        raise CRSError(
            "layers.no_crs" if chosen.dataset.path.suffix.lower() != ".shp" else "layers.no_prj",
            name=chosen.dataset.name,
        )
    accepted = accept_crs(declared).crs
    shapes = np.asarray(shapely.force_2d(frame.geometry.array), dtype=object)
    refuse(axis_problems(np.full(len(frame), None, dtype=object), shapes, accepted))
    result = frame.drop(columns="geometry").set_geometry(shapes, crs=accepted)
    keep_notes(result, CheckReport(notes))
    return result


@dataclass(frozen=True)
class _Chosen:
    dataset: Dataset
    layer: str
    notes: list[Finding]


def _note(check: str, severity: Severity, chosen: _Chosen, **values: Any) -> Finding:
    name = chosen.dataset.name
    return Finding(check, severity, name, say(f"layers.note_{check}", name=name, **values))


def _choose(datasets: list[Dataset], layer: str | None, source: Path) -> _Chosen:
    """Find the layer to read: the one named, or the only one that has polygons."""
    if len(datasets) == 1 and layer is None:
        require_parts(datasets[0])  # its own message, before GDAL's
    several = len(datasets) > 1
    held = [
        (dataset, *row)
        for dataset in datasets
        for row in _layers(dataset, source, alone=not several)
    ]
    shown = [f"{dataset.name}: {name}" if several else str(name) for dataset, name, _ in held]
    if layer is not None:
        fits = [
            (dataset, str(name))
            for (dataset, name, _), title in zip(held, shown, strict=True)
            if layer in (name, title, dataset.name, Path(dataset.name).name)
        ]
        if not fits:
            raise FileError("layers.no_layer", path=str(source), layer=layer, layers=shown)
    else:
        fits = [(dataset, str(name)) for dataset, name, kind in held if kind is not None]
        if not fits:
            raise FileError("layers.a_table", path=str(source), layers=shown)
    if len(fits) > 1:
        titles = [f"{dataset.name}: {name}" if several else name for dataset, name in fits]
        raise FileError("layers.several", path=str(source), layers=titles)
    dataset, name = fits[0]
    chosen = _Chosen(dataset, name, [])
    if layer is None and len(held) > 1:
        chosen.notes.append(_note("layer", "note", chosen, layer=name, layers=shown))
    return chosen


def _layers(dataset: Dataset, source: Path, alone: bool) -> list[tuple[str, str | None]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # told when the layer is read
            return [(name, kind) for name, kind in pyogrio.list_layers(dataset.path)]
    except (DataSourceError, DataLayerError, UnicodeDecodeError) as err:
        require_parts(dataset)
        if not alone and dataset.path.suffix.lower() == ".json":
            return []  # a zip may hold a description beside the data
        raise FileError("layers.not_vector", path=str(source), reason=_reason(err)) from err


def _encoding(dataset: Dataset, given: str | None) -> tuple[str | None, list[Finding]]:
    """Return the encoding to ask for, and a note where it is an assumption."""
    if given is not None:
        return given, []
    encoding, declared, wrong = sniff_dbf(dataset)
    if declared or encoding is None:
        return None, []
    key = "layers.note_encoding_wrong" if wrong else "layers.note_encoding"
    message = say(key, name=dataset.name, encoding=encoding, wrong=wrong)
    severity: Severity = "warning" if wrong else "note"
    return encoding, [Finding("encoding", severity, dataset.name, message)]


def _read(chosen: _Chosen, encoding: str | None) -> tuple[gpd.GeoDataFrame, list[Finding]]:
    name = chosen.dataset.name
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        try:
            frame = pyogrio.read_dataframe(
                chosen.dataset.path, layer=chosen.layer, encoding=encoding
            )
        except UnicodeDecodeError as err:
            tried = encoding or err.encoding
            raise FileError("layers.wrong_encoding", name=name, encoding=tried) from err
        except (DataSourceError, DataLayerError, shapely.errors.ShapelyError) as err:
            raise FileError("layers.damaged", name=name, reason=_reason(err)) from err
    if not isinstance(frame, gpd.GeoDataFrame):
        raise FileError("layers.a_table", path=name, layers=[chosen.layer])
    said = dict.fromkeys(str(warning.message) for warning in caught)
    return frame, [_note("gdal", "warning", chosen, reason=reason) for reason in said]


def _reason(err: BaseException) -> str:
    """Return what GDAL said, without its advice on drivers."""
    return str(err).split("; It might help")[0].rstrip(".")
