"""Import published files into a store: the engine under ``lipgeo census add``.

A vintage is always put together anew from what every source said, so the order in which files
are added does not matter, and a killed import leaves what was there. One import runs at a time;
what a killed one left behind is cleared by the next.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from lipgeo import geography
from lipgeo.errors import (
    CensusError,
    InputError,
    StoreError,
    require_path,
    require_paths,
    tell_damage,
)
from lipgeo.files import (
    MANIFEST,
    folder_in_one_step,
    is_ours,
    listed_files,
    read_manifest,
    require_free,
)
from lipgeo.report import CheckReport
from lipgeo.store import published
from lipgeo.store.assemble import assemble
from lipgeo.store.layout import (
    CENSUS,
    SOURCES,
    no_store,
    read_vintage,
    store_id,
    stored_vintages,
)
from lipgeo.store.levels import ImportFinding, Piece
from lipgeo.store.read import StoreData
from lipgeo.store.source_file import SourceFile, files_to_add, read_source_file
from lipgeo.store.totals import PROOFS
from lipgeo.store.verify import verify
from lipgeo.store.write import write_table, write_vintage
from lipgeo.words import say
from lipgeo.workplace import clear_litter, lock_file

__all__ = ["add_census", "import_lock"]

_LOCK = ".lock"


@contextmanager
def import_lock(store: Path) -> Iterator[None]:
    """Hold the store for one import; first put right what a killed import left.

    The lock is the operating system's, on ``STORE/.lock``: it is gone when its process is.

    Raises
    ------
    StoreError
        Another import is at work in this store, or the folder cannot be written.
    """
    if store.is_file():
        raise no_store(store)
    path = store / _LOCK
    try:
        store.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise StoreError(
            "store.cannot_write", path=store, reason=error.strerror or str(error)
        ) from error
    try:
        if not lock_file(handle):
            raise StoreError("store.busy", path=store, process=_holder(path))
        with suppress(OSError):  # who holds it is only told to others; the disk may be full
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0) if hasattr(os, "pwrite") else None
        _recover(store)
        yield
    finally:
        os.close(handle)


def _holder(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="ascii", errors="replace").strip() or "?"
    return "?"  # Windows: a locked file cannot be read


def _recover(store: Path) -> None:
    """Put back a vintage that was moved aside and never replaced; clear what was half written."""
    clear_litter(store)
    for aside in store.glob(".lipgeo-????????"):  # of a lipgeo from before they had owners
        old = aside / "old"
        if is_ours(old, CENSUS):
            home = store / str(read_manifest(old, CENSUS)["vintage"])
            if not home.exists():
                old.rename(home)
        shutil.rmtree(aside, ignore_errors=True)


Progress = Callable[[str, int, int], None]
Polygons = dict[str, tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]]


def add_census(
    store: str | Path,
    files: Sequence[str | Path] | str | Path,
    *,
    vintage: int | None = None,
    mapping: Mapping[str, str] | None = None,
    level: str | None = None,
    attributes_only: bool = False,
    made: bool = False,
    progress: Progress | None = None,
) -> CheckReport:
    """Add files, as Statistics Canada publishes them, to a store.

    Boundary files (zipped or not; shapefile, GML, GeoPackage; English or French columns) and
    tables of attributes or counts, in any order and over any number of calls: the census is put
    together anew from all of them each time. A boundary file replaces an earlier one of its level
    where units of the two overlap; a table replaces an earlier one of its name.

    Parameters
    ----------
    store
        The store's folder; made if absent.
    files
        One file, or several of one census year; a folder stands for the files in it.
    vintage
        Census year, where the files do not say it.
    mapping
        lipgeo's column name to the file's, for tables with unusual headers:
        ``{"unit_id": "GeoUID", "population": "Population", "CSD": "CSD_UID"}``.
    level
        Level of the files' rows, where they do not say it.
    attributes_only
        Take the columns of the files and leave their polygons (generalised outlines): they fill
        and prove units that other files bring, and bring none themselves.
    made
        The files are of a made census (:mod:`lipgeo.synthetic`): its ids look like real ones, so
        the totals that lipgeo knows of the real census are left aside and every result says so.
    progress
        Called with a sentence, steps done and steps in all.

    Returns
    -------
    CheckReport
        What was assumed and found: nesting, sums, duplicates, orphans, units without polygon or
        counts, invalid polygons (kept as published), areas. Also kept in the manifest.

    Raises
    ------
    FileError, CRSError, DatumError, IdError
        A file cannot be read as census geography.
    CensusError
        The files do not fit together: two vintages, one unit with two values in a file, a made
        census and a real one.
    StoreError, OutputError
        The store is in use, damaged or of a newer layout; the disk is full. Nothing was changed.
    """
    folder = require_path(store, "store")
    paths = files_to_add(require_paths(files, "files"))
    steps = _Steps(progress, len(paths))
    reader = _SourceReader(vintage, level, mapping, attributes_only)
    found = []
    for path in paths:
        steps.begin(say("store.reading", file=path.name))
        found.append(reader.file(path))
    reader.require_mapping_used()
    year = _one_vintage(found, vintage)
    # ids are read by the forms of their year: a file that says none is read again as of this one
    found = [one if one.vintage else reader.file(one.path, year) for one in found]
    with import_lock(folder):
        return _rebuild(folder, year, found, steps, made=made)


class _SourceReader:
    """How the files of one call are to be read."""

    def __init__(
        self,
        vintage: int | None,
        level: str | None,
        mapping: Mapping[str, str] | None,
        attributes_only: bool,
    ) -> None:
        self._vintage = vintage
        self._level = level
        self._mapping = mapping
        self._attributes_only = attributes_only
        self._unused: InputError | None = None
        self._used = False

    def file(self, path: Path, vintage: int | None = None) -> SourceFile:
        """Read a file, with the mapping unless none of its columns are there."""
        try:
            found = self._read(path, vintage, self._mapping)
        except InputError as error:
            if error.key != "readers.mapping_column" or len(error.rows) < len(self._mapping or ()):
                raise
            self._unused = error
            return self._read(path, vintage, None)
        self._used = True
        return found

    def _read(
        self, path: Path, vintage: int | None, mapping: Mapping[str, str] | None
    ) -> SourceFile:
        return read_source_file(
            path,
            vintage=vintage or self._vintage,
            level=self._level,
            mapping=mapping,
            attributes_only=self._attributes_only,
        )

    def require_mapping_used(self) -> None:
        """Raise what the last file said of the mapping when no file has its columns."""
        if self._unused is not None and not self._used:
            raise self._unused


def _one_vintage(files: Sequence[SourceFile], vintage: int | None) -> int:
    """Return the census year of the files; refuse two, ask where none is said."""
    found = {one.file: one.vintage for one in files if one.vintage is not None}
    if vintage is not None:
        found = {"vintage": geography.require_vintage(vintage), **found}
    if len(set(found.values())) > 1:
        rows = [{"file": file, "vintage": year} for file, year in found.items()]
        listed = [f"{file}: {year}" for file, year in found.items()]
        raise CensusError("store.mixed_vintages", rows, files=listed)
    if not found:
        raise CensusError("store.which_vintage", files=[one.file for one in files])
    return next(iter(found.values()))


def _rebuild(
    store: Path, vintage: int, files: Sequence[SourceFile], steps: _Steps, *, made: bool
) -> CheckReport:
    home = store / str(vintage)
    if vintage not in stored_vintages(store) or not (home / MANIFEST).is_file():
        require_free(home, CENSUS, replace=True)
    before = _Before.read(home if vintage in stored_vintages(store) else None, vintage)
    if before.sources and before.made != made:
        raise CensusError("store.made_and_real", store=store, vintage=vintage)
    checks = [check for one in files for check in one.checks]
    notes = CheckReport()
    for one in files:
        notes += one.notes
    for one in files:
        checks += before.give_way(one)
    pieces = [*before.pieces, *(piece for one in files for piece in one.pieces)]
    sources = [*before.sources, *(one.record for one in files)]
    sources.sort(key=lambda source: [source[k] for k in ("level", "role", "name", "sha256")])
    pieces.sort(key=lambda piece: (piece.level, *piece.order))
    if all(piece.role == "published" for piece in pieces):
        raise CensusError("store.no_units", files=[one.file for one in files], vintage=vintage)
    polygons = before.polygons()
    for one in files:
        if one.polygons is not None:
            polygons[one.level] = _append_polygons(polygons.get(one.level), one.polygons)
    steps.begin(say("store.assembling", vintage=vintage))
    census = assemble(pieces, polygons, vintage, _outside_totals(vintage, made=made))
    steps.expect(len(census.frames))
    steps.begin(say("store.verifying"))
    sourced = frozenset(piece.level for piece in pieces if piece.role == "boundary")
    described = frozenset(piece.level for piece in pieces if piece.role == "attributes")
    checks += [*census.checks, *verify(census, vintage, sourced, described, made=made)]
    kinds = sorted({source["boundary_type"] for source in sources} - {None})
    if len(kinds) > 1:
        checks.append(ImportFinding("mixed_boundaries", "warning", "", "store.mixed_boundaries"))
    bound = store_id([vintage, made, sources])
    manifest = {
        "vintage": vintage,
        "store": bound,
        "made": made,
        "boundary_type": "mixed" if len(kinds) > 1 else next(iter(kinds), None),
        "sources": sources,
        "checks": [check.record() for check in checks],
    }
    with folder_in_one_step(home, replace=True) as new:
        (new / SOURCES).mkdir()
        for piece in pieces:
            _write_piece(new / SOURCES, piece, bound)
        write_vintage(
            new, manifest, census, lambda level: steps.begin(say("store.writing", level=level))
        )
    steps.done()
    return notes + CheckReport(check.finding for check in checks)


class _Before:
    """What a vintage held before this import."""

    def __init__(
        self,
        folder: Path | None,
        sources: list[dict[str, Any]],
        pieces: list[Piece],
        *,
        made: bool = False,
    ) -> None:
        self._folder = folder
        self.made = made
        self.sources = sources
        self.pieces = pieces

    @classmethod
    def read(cls, folder: Path | None, vintage: int) -> _Before:
        """Read what the sources so far said.

        Raises
        ------
        StoreError
            The vintage is half written, damaged, or of a newer layout.
        """
        if folder is None:
            return cls(None, [], [])
        manifest = read_vintage(folder, vintage)
        data = StoreData(folder)
        pieces = [
            _read_piece(folder / name, data.read_small(name))
            for name in listed_files(folder)
            if name.startswith(f"{SOURCES}/") and name.endswith(".parquet")
        ]
        read = {piece.source for piece in pieces}
        if {source["sha256"] for source in manifest["sources"]} != read:
            raise StoreError("store.half_written", folder=folder, missing=SOURCES)
        return cls(folder, list(manifest["sources"]), pieces, made=bool(manifest["made"]))

    def give_way(self, new: SourceFile) -> list[ImportFinding]:
        """Drop the sources that a new one replaces, and say so."""
        units = set(new.pieces[0].frame["unit_id"])
        dropped = []
        for source in self.sources:
            mine = [p for p in self.pieces if p.source == source["sha256"] and p.level == new.level]
            same_role = source["role"] == new.role and source["level"] == new.level
            alike = new.role == "boundary" or source["name"] == new.file
            overlaps = any(not units.isdisjoint(piece.frame["unit_id"]) for piece in mine)
            if source["sha256"] == new.sha256 or (same_role and alike and overlaps):
                dropped.append(source)
        gone = {source["sha256"] for source in dropped}
        lost = {
            unit
            for piece in self.pieces
            if piece.source in gone and piece.level == new.level
            for unit in piece.frame["unit_id"]
        } - units
        self.sources = [source for source in self.sources if source["sha256"] not in gone]
        self.pieces = [piece for piece in self.pieces if piece.source not in gone]
        checks = []
        for source in dropped:
            same = source["sha256"] == new.sha256
            key = "store.added_again" if same else "store.replaced"
            checks.append(
                ImportFinding("replaced", "note", new.level, key, old=source["name"], new=new.file)
            )
        if lost:
            checks.append(
                ImportFinding("units_gone", "warning", new.level, "store.units_gone",
                      units=tuple(sorted(lost)), new=new.file)
            )  # fmt: skip
        return checks

    def polygons(self) -> Polygons:
        """Read the polygons of the boundary files that stay."""
        found: Polygons = {}
        if self._folder is None:
            return found
        data = StoreData(self._folder)
        for piece in self.pieces:
            if piece.role == "boundary" and piece.level not in found:
                ids = data.attributes(piece.level, ["unit_id"])["unit_id"]
                found[piece.level] = (ids.to_numpy(dtype=object), data.geometry(piece.level))
        for level, (ids, shapes) in found.items():
            stay = pd.concat(
                [
                    p.frame["unit_id"]
                    for p in self.pieces
                    if p.level == level and p.role == "boundary"
                ]
            )
            keep = pd.Index(ids).isin(stay) & ~shapely.is_missing(shapes)
            found[level] = (ids[keep], shapes[keep])
        return found


def _append_polygons(
    old: tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]] | None,
    new: tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]],
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    if old is None:
        return new
    return np.concatenate([old[0], new[0]]), np.concatenate([old[1], new[1]])


def _write_piece(folder: Path, piece: Piece, store: str) -> None:
    about = {
        "store": store,
        "source": piece.source,
        "file": piece.file,
        "role": piece.role,
        "level": piece.level,
    }
    name = f"{piece.level}-{piece.role}-{piece.source[:12]}.parquet"
    write_table(folder / name, piece.frame, about)


def _read_piece(path: Path, raw: bytes) -> Piece:
    with tell_damage(StoreError, "store.damaged", file=path):
        table = pq.read_table(pa.BufferReader(raw), page_checksum_verification=True)
        about = json.loads(table.schema.metadata[b"lipgeo"])
        frame = table.to_pandas()
        return Piece(about["source"], about["file"], about["role"], about["level"], frame)


def _outside_totals(vintage: int, *, made: bool) -> pd.DataFrame:
    """Return the totals that come with lipgeo, one row a unit; none are of a made census."""
    rows = [
        {"level": level, "unit_id": unit, **totals}
        for level, units in ({} if made else published.published_totals(vintage)).items()
        for unit, totals in units.items()
    ]
    return pd.DataFrame(rows, columns=["level", "unit_id", *PROOFS])


class _Steps:
    """Where an import stands, for whoever watches."""

    def __init__(self, progress: Progress | None, files: int) -> None:
        self._progress = progress
        self._total = files + 2
        self._done = 0

    def expect(self, levels: int) -> None:
        """Make known how many levels will be written."""
        self._total += levels

    def begin(self, sentence: str) -> None:
        """Say what is being done."""
        if self._progress is not None:
            self._progress(sentence, self._done, self._total)
        self._done += 1

    def done(self) -> None:
        """Say that all is done."""
        if self._progress is not None:
            self._progress(say("store.done"), self._total, self._total)
