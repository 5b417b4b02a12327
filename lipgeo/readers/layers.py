"""Read a layer of polygons from any vector format, its parts and the encoding of its DBF.

Behind the name of a vector file lie its parts, in a folder or in a zip: they are found, brought on
disk where a driver needs that, and missing ones are named.
"""

from __future__ import annotations

import codecs
import difflib
import lzma
import re
import shutil
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from lipgeo.errors import CRSError, FileError, InputError, require_path, tell_damage
from lipgeo.readers.vector_files import (
    AWKWARD,
    LAYER_FORMATS,
    PARTS,
    Dataset,
    belongs,
    copy_dataset,
    count_features,
    list_layers,
    read_vector,
    require_content,
    safe_name,
)
from lipgeo.report import CheckReport, Finding, Severity, finding, keep_notes
from lipgeo.words import say
from lipgeo.workplace import scratch_folder
from lipgeo.zones.crs import accept_crs, same_crs
from lipgeo.zones.zones import axis_problems, refuse

__all__ = [
    "members",
    "on_disk",
    "one_byte_encoding",
    "read_attribute_table",
    "read_layer",
    "require_existing",
    "require_parts",
    "sniff_dbf",
]

_ZIP_START, _PARQUET = b"PK", b"PAR1"
_FRENCH = set("àâäçéèêëîïôöùûüÿœæÀÂÇÉÈÊËÎÏÔÙÛÜŒ")
#: what the language byte of a .dbf means where it is not the Windows code page
_DBF_LANGUAGES = {0x01: "cp437", 0x02: "cp850"}


def require_existing(path: Path) -> Path:
    """Return the absolute path of a file, or of a file geodatabase's folder, that can be read.

    A folder that holds one vector file stands for that file.

    Raises
    ------
    FileError
        It does not exist (the message shows names near it), is empty or a folder with none or
        several, or refuses to open.
    """
    try:
        there = path.exists()
    except OSError as err:  # a name too long, a drive gone
        reason = err.strerror or str(err)
        raise FileError("readers.layers.unreadable", path=str(path), reason=reason) from err
    if not there:
        folder = path.parent
        if not folder.is_dir():
            raise FileError("readers.no_folder", path=str(path), folder=str(folder))
        names = sorted(entry.name for entry in folder.iterdir())
        by_fold = {name.casefold(): name for name in names}
        near = difflib.get_close_matches(path.name.casefold(), list(by_fold), n=3, cutoff=0.6)
        if near:
            near = [by_fold[name] for name in near]
            raise FileError("readers.missing_near", path=str(path), near=near)
        raise FileError("readers.layers.missing", path=str(path))
    path = path.absolute()
    if path.is_dir():
        if path.suffix.lower() != ".gdb":
            held = sorted(
                e.name for e in path.iterdir() if e.suffix.lower() in (*LAYER_FORMATS, ".zip")
            )
            if len(held) == 1:
                return require_existing(path / held[0])
            key = "readers.layers.folder" if held else "readers.folder_empty"
            raise FileError(key, path=str(path), names=held)
        return path
    try:
        with path.open("rb") as file:
            started = file.read(1)
    except OSError as err:
        reason = err.strerror or str(err)
        raise FileError("readers.layers.unreadable", path=str(path), reason=reason) from err
    if not started:
        raise FileError("readers.layers.empty", path=str(path))
    return path


@contextmanager
def on_disk(path: Path) -> Iterator[list[Dataset]]:
    """Give the datasets behind a path, as files that GDAL can open by their plain name.

    A zip is unpacked to a temporary folder, whatever its folders and names, for GDAL neither finds
    sidecars of another case nor takes all names inside a zip; so is a path that holds ``!``, which
    pyogrio takes for the way into an archive, or a line break, which it drops, and a GML file,
    beside which GDAL writes another.

    Raises
    ------
    FileError
        The zip is truncated, locked by a password or holds no vector file; or there is no room.
    """
    suffix = path.suffix.lower()
    zipped = path.is_file() and _starts_as_zip(path)
    if suffix == ".zip" and not zipped:
        raise FileError("readers.not_a_zip", path=str(path))
    if suffix == ".kmz" and not zipfile.is_zipfile(path):
        raise FileError("readers.broken_zip", path=str(path), reason=say("readers.no_directory"))
    if not zipped and not AWKWARD.search(str(path)) and suffix != ".gml":
        yield [Dataset(path.name, path)]
        return
    with scratch_folder() as folder:
        try:
            found = _unzip(path, Path(folder)) if zipped else [copy_dataset(path, Path(folder))]
        except (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, UnicodeError) as err:
            raise FileError("readers.broken_zip", path=str(path), reason=str(err)) from err
        except (RuntimeError, NotImplementedError) as err:  # a password, an unknown compression
            raise FileError("readers.locked_zip", path=str(path), reason=str(err)) from err
        except OSError as err:
            if isinstance(err, FileError):
                raise
            reason = err.strerror or str(err)
            raise FileError("readers.no_room", path=str(path), reason=reason) from err
        yield found


def _starts_as_zip(path: Path) -> bool:
    return _starts_with(path, _ZIP_START)


def _starts_with(path: Path, sign: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(sign)) == sign


def _read_parquet(path: Path) -> gpd.GeoDataFrame:
    """Read GeoParquet, which lipgeo writes too."""
    with tell_damage(FileError, "readers.bad_parquet", path=path):
        pyarrow.parquet.read_table(path).validate(full=True)  # text that is no UTF-8
        frame = gpd.read_parquet(path)
        shapely.bounds(frame.geometry.array)
    if frame.index.name is not None:
        frame = frame.reset_index()
    named = frame.active_geometry_name == "geometry"
    return frame if named else frame.rename_geometry("geometry")


def members(path: str | Path) -> list[str]:
    """Return the names of the files in a zip, in its order, with ``/`` between folders.

    Raises
    ------
    FileError
        The file is missing, empty or no whole zip.
    """
    path = require_existing(Path(path))
    with (
        tell_damage(FileError, "readers.broken_zip", path=str(path)),
        zipfile.ZipFile(path) as archive,
    ):
        return list(_names(archive))


def _names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the files of a zip: name with ``/`` to name as stored, the Mac's shadows left out."""
    named = {name.replace("\\", "/"): name for name in archive.namelist()}
    return {
        name: stored
        for name, stored in named.items()
        if not name.endswith("/")
        and not name.startswith("__MACOSX")
        and not PurePosixPath(name).name.startswith(".")
    }


def _unzip(path: Path, folder: Path) -> list[Dataset]:
    with zipfile.ZipFile(path) as archive:
        stored = _names(archive)
        leads = _leads(stored)
        if not leads:
            raise FileError("readers.layers.nothing_in_zip", path=str(path), names=list(stored))
        found = []
        for number, lead in enumerate(leads):
            target = folder / str(number)
            for member, placed in _members(lead, stored):
                destination = target / placed
                destination.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(stored[member]) as source, destination.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
            found.append(Dataset(lead.as_posix(), target / safe_name(lead.name)))
    return found


def _leads(names: Iterable[str]) -> list[PurePosixPath]:
    """Return the files, and geodatabase folders, of a zip that can be opened."""
    paths = [PurePosixPath(name) for name in names]
    folders = {
        parent for path in paths for parent in path.parents if parent.suffix.lower() == ".gdb"
    }
    files = {
        path
        for path in paths
        if path.suffix.lower() in LAYER_FORMATS and not folders.intersection(path.parents)
    }
    return sorted(folders | files)


def _members(lead: PurePosixPath, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give the members that belong to a dataset, and the name each gets on disk."""
    safe = safe_name(lead.name)
    for name in names:
        path = PurePosixPath(name)
        if lead in path.parents:
            inner = [part for part in path.relative_to(lead).parts if part not in ("..", "/")]
            yield name, "/".join([safe, *inner])
        elif path.parent == lead.parent and belongs(path.name, lead.name):
            # the name of the file to open, so that a sidecar of another case is found
            tail = path.name[len(PurePosixPath(lead.name).stem) :]
            yield name, PurePosixPath(safe).stem + (tail if path == lead else tail.lower())


def require_parts(dataset: Dataset) -> None:
    """Raise unless the files that must stand beside a file do, and none is cut short.

    A shapefile cut short is not noticed by GDAL, which gives the rows that are left without
    polygons.

    Raises
    ------
    FileError
        A part is missing or truncated, or the file is itself a part of another.
    """
    path = dataset.path
    suffix = path.suffix.lower()
    beside = _sibling_files(path)
    if suffix in PARTS:
        lead = beside.get(PARTS[suffix])
        if lead is None:
            raise FileError("readers.a_part_alone", name=dataset.name, lead=PARTS[suffix])
        raise FileError("readers.a_part", name=dataset.name, lead=lead.name)
    missing = [part for part in LAYER_FORMATS.get(suffix, ()) if part not in beside]
    if suffix == ".shp":
        for part in missing:
            key = "readers.no_shx" if part == ".shx" else "readers.no_dbf"
            raise FileError(key, name=dataset.name)
        for part in (".shp", ".shx", ".dbf"):
            _require_whole(beside.get(part, path), dataset)
        _require_equal_rows(beside, dataset)
    elif path.suffix.lower() == ".gpkg":
        _require_whole(path, dataset)
    elif missing:
        raise FileError("readers.no_part", name=dataset.name, parts=missing)


def _require_equal_rows(beside: dict[str, Path], dataset: Dataset) -> None:
    """Raise where the table of a shapefile has not one row a shape: GDAL reads the fewer."""
    with beside[".dbf"].open("rb") as file:
        rows = _dbf_shape(file.read(32))[0]
    with beside[".shx"].open("rb") as file:
        shapes = max(0, (2 * int.from_bytes(file.read(28)[24:28], "big") - 100) // 8)
    if rows != shapes:
        raise FileError("readers.other_rows", name=dataset.name, rows=rows, shapes=shapes)


def _sibling_files(path: Path) -> dict[str, Path]:
    """Return the files of a dataset in the same folder, by suffix in lower case."""
    if path.is_dir():
        return {}
    return {
        entry.suffix.lower(): entry
        for entry in path.parent.iterdir()
        if entry.stem.casefold() == path.stem.casefold()
    }


def _sqlite_size(head: bytes) -> int:
    """Return the bytes that the header of a SQLite file promises, 0 where it does not say."""
    # the count of pages holds only where the change counter is the one it was written with
    if not head.startswith(b"SQLite format 3\0") or head[24:28] != head[92:96]:
        return 0
    page = int.from_bytes(head[16:18], "big")
    return (65_536 if page == 1 else page) * int.from_bytes(head[28:32], "big")


def _require_whole(part: Path, dataset: Dataset) -> None:
    size = part.stat().st_size
    with part.open("rb") as file:
        head = file.read(100)
    if part.suffix.lower() == ".dbf":
        rows, start, width = _dbf_shape(head)
        promised = start + rows * width
    elif part.suffix.lower() == ".gpkg":
        promised = _sqlite_size(head)
    else:  # .shp and .shx give their length in 16-bit words
        promised = 2 * int.from_bytes(head[24:28], "big")
    if size < promised or (len(head) < 32 and part.suffix.lower() != ".gpkg"):
        raise FileError(
            "readers.cut_short",
            name=dataset.name,
            part=part.suffix.lower(),
            size=size,
            promised=promised,
        )


def _dbf_shape(head: bytes) -> tuple[int, int, int]:
    """Return rows, start of the first row, and width of a row in bytes, from a .dbf header."""
    little = [int.from_bytes(head[a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12))]
    return little[0], little[1], little[2]


def sniff_dbf(dataset: Dataset) -> tuple[str | None, bool, str | None]:
    """Tell in which encoding the text of a shapefile, or of a ``.dbf`` alone, is.

    Returns
    -------
    encoding
        ``utf-8``, ``cp1252``, ``mac_roman`` or an older code page; ``None`` when it is no shapefile
        or all text is plain ASCII, so that it does not matter.
    declared
        Whether the file's ``.cpg`` says so; if not, it is an assumption.
    wrong
        What the ``.cpg`` says, where the text cannot be in it.
    """
    if dataset.path.suffix.lower() not in (".shp", ".dbf"):
        return None, True, None
    beside = _sibling_files(dataset.path)
    raw = np.fromfile(beside[".dbf"], dtype=np.uint8)
    text = raw[_dbf_shape(raw[:32].tobytes())[1] :]
    if not (text >= 0x80).any():
        return None, True, None
    declared = ""
    if ".cpg" in beside:
        declared = beside[".cpg"].read_text(encoding="ascii", errors="replace").strip()
    valid = _is_utf8(text)
    if not declared:
        assumed = "utf-8" if valid else _DBF_LANGUAGES.get(int(raw[29]), one_byte_encoding(text))
        return assumed, False, None
    says_utf8 = declared.upper().replace("-", "") in ("UTF8", "65001")
    # bytes above 127 that form UTF-8 are UTF-8, whatever the label
    if valid and not says_utf8:
        return "utf-8", False, declared
    if says_utf8 and not valid:
        return one_byte_encoding(text), False, declared
    return None, True, None


def one_byte_encoding(text: npt.NDArray[np.uint8]) -> str:
    """Return Windows-1252, or Mac OS Roman where that alone makes French of the bytes.

    Examples
    --------
    >>> import numpy as np
    >>> from lipgeo.readers.layers import one_byte_encoding
    >>> [one_byte_encoding(np.frombuffer("Québec".encode(one), np.uint8))
    ...  for one in ("cp1252", "mac_roman")]
    ['cp1252', 'mac_roman']
    """
    high = text[text >= 0x80].tobytes()
    french = {
        name: sum(letter in _FRENCH for letter in high.decode(name, errors="replace"))
        for name in ("cp1252", "mac_roman")
    }
    return "mac_roman" if french["mac_roman"] > french["cp1252"] else "cp1252"


def _is_utf8(text: npt.NDArray[np.uint8]) -> bool:
    try:
        text.tobytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


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
    >>> from lipgeo.readers import read_layer
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
            raise InputError("readers.unknown_encoding", encoding=encoding) from err
    given = None if crs is None else accept_crs(crs).crs
    source = require_existing(require_path(path).expanduser())
    if _starts_with(source, _PARQUET):
        chosen = _Chosen(Dataset(source.name, source), source.stem, [])
        frame, notes = _read_parquet(source), []
    else:
        with on_disk(source) as datasets:
            for dataset in datasets:
                require_content(dataset)
            chosen = _choose(datasets, layer, source)
            notes = chosen.notes
            require_parts(chosen.dataset)
            text, found = _choose_encoding(chosen.dataset, encoding)
            frame, warned = _read(chosen, text)
            notes = [*notes, *found, *warned, *_losses(chosen)]
            if source.parent == require_path(path).expanduser().absolute():
                notes.insert(0, _note("only_file", "note", chosen, folder=source.parent))
    if not len(frame):
        raise FileError("readers.layers.no_rows", name=chosen.dataset.name, layer=chosen.layer)
    if given is not None and frame.crs is not None and not same_crs(given, frame.crs):
        notes.append(_note("crs", "warning", chosen, said=frame.crs.name, given=given.name))
    declared = given if given is not None else frame.crs
    if declared is None:
        raise CRSError(
            "readers.no_crs" if chosen.dataset.path.suffix.lower() != ".shp" else "readers.no_prj",
            name=chosen.dataset.name,
        )
    accepted = accept_crs(declared).crs
    shapes = np.asarray(shapely.force_2d(frame.geometry.array), dtype=object)
    refuse(axis_problems(np.full(len(frame), None, dtype=object), shapes, accepted))
    result = frame.drop(columns="geometry").set_geometry(shapes, crs=accepted)
    keep_notes(result, CheckReport(notes))
    return result


def _losses(chosen: _Chosen) -> list[Finding]:
    """Say what a file itself tells is not in it: a server's limit, places linked to."""
    suffix = chosen.dataset.path.suffix.lower()
    if suffix not in (".json", ".geojson", ".kml"):
        return []
    content = chosen.dataset.path.read_bytes()
    found = []
    if suffix == ".kml" and b"<NetworkLink" in content:
        found.append(_note("linked", "warning", chosen))
    if suffix != ".kml" and re.search(rb'"exceededTransferLimit"\s*:\s*true', content):
        found.append(_note("limit", "warning", chosen))
    return found


@dataclass(frozen=True)
class _Chosen:
    dataset: Dataset
    layer: str
    notes: list[Finding]


def _note(check: str, severity: Severity, chosen: _Chosen, **values: Any) -> Finding:
    name = chosen.dataset.name
    return finding(f"readers.note_{check}", severity, name, check=check, name=name, **values)


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
            raise FileError("readers.no_layer", path=str(source), layer=layer, layers=shown)
    else:
        fits = [(dataset, str(name)) for dataset, name, kind in held if kind is not None]
        if not fits:
            raise FileError("readers.a_table", path=str(source), layers=shown)
    if len(fits) > 1 and source.suffix.lower() == ".kmz":
        # a document of nothing but links to the others in the archive
        fits = [one for one in fits if _has_features(*one)] or fits
    if len(fits) > 1:
        titles = [f"{dataset.name}: {name}" if several else name for dataset, name in fits]
        raise FileError("readers.several", path=str(source), layers=titles)
    dataset, name = fits[0]
    chosen = _Chosen(dataset, name, [])
    if layer is None and len(held) > 1:
        chosen.notes.append(_note("layer", "note", chosen, layer=name, layers=shown))
    return chosen


def _has_features(dataset: Dataset, layer: str) -> bool:
    with tell_damage(FileError, "readers.damaged", name=dataset.name):
        return count_features(dataset, layer) > 0


def _layers(dataset: Dataset, source: Path, alone: bool) -> list[tuple[str, str | None]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # told when the layer is read
            return list_layers(dataset)
    except (DataSourceError, DataLayerError, UnicodeDecodeError) as err:
        require_parts(dataset)
        if not alone and dataset.path.suffix.lower() == ".json":
            return []  # a zip may hold a description beside the data
        raise FileError("readers.not_vector", path=str(source), reason=_reason(err)) from err


def read_attribute_table(path: Path, name: str) -> tuple[pd.DataFrame, list[Finding]]:
    """Read the attributes of a ``.dbf``, a shapefile or another vector file, without its shapes.

    Raises
    ------
    FileError
        It is damaged, or not what its name says.
    """
    require_content(Dataset(name, path))
    with on_disk(path.absolute()) as (found,):
        dataset = Dataset(name, found.path)
        if path.suffix.lower() == ".dbf":
            _require_whole(found.path, dataset)
        else:
            require_parts(dataset)
        encoding, notes = _choose_encoding(dataset, None)
        frame, warned = _read(_Chosen(dataset, "", []), encoding, read_geometry=False)
    return frame, [*notes, *warned]


def _choose_encoding(dataset: Dataset, given: str | None) -> tuple[str | None, list[Finding]]:
    """Return the encoding to ask for, and a note where it is an assumption."""
    if given is not None:
        return given, []
    encoding, declared, wrong = sniff_dbf(dataset)
    if declared or encoding is None:
        return None, []
    key = "readers.note_encoding_wrong" if wrong else "readers.note_encoding"
    severity: Severity = "warning" if wrong else "note"
    values: dict[str, Any] = {"name": dataset.name, "encoding": encoding, "wrong": wrong}
    return encoding, [finding(key, severity, dataset.name, check="encoding", **values)]


def _read(
    chosen: _Chosen, encoding: str | None, **options: Any
) -> tuple[gpd.GeoDataFrame, list[Finding]]:
    name = chosen.dataset.name
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        try:
            # GDAL does not know the Mac's: its bytes are taken as Latin-1, then for what they are
            asked = "ISO-8859-1" if encoding == "mac_roman" else encoding
            frame = read_vector(
                chosen.dataset, layer=chosen.layer or None, encoding=asked, **options
            )
            if encoding == "mac_roman":
                frame = frame.rename(columns=_from_mac)
                for column in frame.select_dtypes(include=["object", "string"]).columns:
                    frame[column] = frame[column].map(_from_mac)
        except UnicodeDecodeError as err:
            tried = encoding or err.encoding
            raise FileError("readers.layers.wrong_encoding", name=name, encoding=tried) from err
        except MemoryError:
            raise
        except Exception as err:  # GDAL's errors, and what pyogrio stumbles over in a broken .prj
            raise FileError("readers.damaged", name=name, reason=_reason(err)) from err
    if not options and not isinstance(frame, gpd.GeoDataFrame):
        raise FileError("readers.a_table", path=name, layers=[chosen.layer])
    said = dict.fromkeys(str(warning.message) for warning in caught)
    return frame, [_note("gdal", "warning", chosen, reason=reason) for reason in said]


def _from_mac(value: Any) -> Any:
    """Return a text that was read as Latin-1 as Mac OS Roman; anything else as it is."""
    return value.encode("latin-1").decode("mac_roman") if isinstance(value, str) else value


def _reason(err: BaseException) -> str:
    """Return what GDAL said, without its advice on drivers."""
    return str(err).split("; It might help")[0].rstrip(".")
