"""Import Census Profile files into a store as a table, a batch of units at a time: ``add_table``.

A journal says line by line what is done, so that a killed import goes on; at the end the table is
put in its place in one step.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lipgeo import geography
from lipgeo.errors import InputError, LipgeoError, StoreError, TableError
from lipgeo.files import (
    MANIFEST,
    changed_files,
    file_entries,
    output_error,
    read_manifest,
    sha256_of,
    sync,
    write_manifest,
)
from lipgeo.readers.statcan import profile_files
from lipgeo.readers.statcan.profile_files import (
    PRODUCT,
    ChangedError,
    ProfileLayout,
    file_digest,
    find_layouts,
    text_bytes,
)
from lipgeo.readers.statcan.profile_rows import Reader, Rows
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.store.add import import_lock
from lipgeo.store.tables.intake import Intake
from lipgeo.store.tables.layout import (
    CHARACTERISTICS,
    FORMAT,
    RANGES,
    TABLE,
    TABLES,
    UNITS,
    find_tables,
    old_folder,
    table_folder,
    work_folder,
)
from lipgeo.words import say

__all__ = ["Journal", "add_table", "finish", "put_right"]

_JOURNAL = "journal.jsonl"
#: raised when a place in a file is written otherwise: what was left half done is begun anew
_JOURNAL_FORMAT = 3


class Journal:
    """The journal of an import: what it is of, then one entry a batch or file that is done.

    An entry is written when the parts it names are whole; a line cut short by a kill is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _JOURNAL

    def start(self, about: Mapping[str, Any]) -> None:
        """Begin anew."""
        self._path.write_text(_line(about), encoding="utf-8", newline="\n")

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add what was done."""
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(_line(entry))

    def read(self) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """Return what the import is of and what was done, ``None`` where nothing can be used.

        Parts that no entry names are removed; entries end before the first whose parts are not
        as they were written.
        """
        try:
            about, *entries = self._lines()
        except (OSError, ValueError, RecursionError):
            return None
        kept: list[dict[str, Any]] = []
        for entry in entries:
            parts = [*entry.get("parts", []), *entry.get("ranges", [])]
            if changed_files(self._folder, {part["file"]: part for part in parts}):
                break
            kept.append(entry)
        named = {
            part["file"]
            for entry in kept
            for part in (*entry.get("parts", []), *entry.get("ranges", []))
        }
        for path in self._folder.rglob("*.parquet"):
            if path.relative_to(self._folder).as_posix() not in named:
                path.unlink()
        self._path.write_text("".join(map(_line, [about, *kept])), encoding="utf-8", newline="\n")
        return about, kept

    def remove(self) -> None:
        """Remove it: the import is done."""
        self._path.unlink()

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self._path.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n"):
                return
            yield json.loads(line)


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=True, separators=(",", ":")) + "\n"


def finish(intake: Intake, work: Path, table: Path) -> CheckReport:
    """Write units, characteristics and, last, the manifest; put the table in its place.

    Parameters
    ----------
    intake
        What was taken in.
    work
        The folder it stands in.
    table
        Where it goes; a table there gives way.

    Returns
    -------
    CheckReport
        What came in.
    """
    manifest = _manifest(intake, table.name)
    members = intake.characteristics
    known = intake.variables().set_index("id").reindex(list(map(str, members.ids)))
    pq.write_table(
        pa.table(
            {
                "characteristic": pa.array(members.ids, pa.int32()),
                "name": pa.array(members.names, pa.string()),
                "depth": pa.array(members.depths, pa.int16()),
                "variable": pa.array(known["variable"], pa.string(), from_pandas=True),
                "certainty": pa.array(known["certainty"], pa.string(), from_pandas=True),
            }
        ),
        work / CHARACTERISTICS,
        compression="zstd",
        write_page_checksum=True,
    )
    levels, ids, names, origins = zip(*intake.units, strict=True)
    pq.write_table(
        pa.table(
            {
                "unit": pa.array(range(len(ids)), pa.int32()),
                "level": pa.array(levels, pa.string()),
                "unit_id": pa.array(ids, pa.string()),
                "name": pa.array(names, pa.string()),
                "origin": pa.array(origins, pa.int32()),
            }
        ),
        work / UNITS,
        compression="zstd",
        write_page_checksum=True,
    )
    ranges = _whole_ranges(work, intake)
    pq.write_table(ranges, work / RANGES, compression="zstd", write_page_checksum=True)
    for one in intake.ranges:
        (work / one["file"]).unlink()
    (work / intake.ranges[0]["file"]).parent.rmdir()
    # sums of parts were taken when they were written: what befell them since is noticed
    files = {part["file"]: {key: part[key] for key in ("bytes", "sha256")} for part in intake.parts}
    files |= file_entries(work, (CHARACTERISTICS, RANGES, UNITS))
    write_manifest(work, TABLE, manifest, {name: files[name] for name in sorted(files)})
    for path in work.glob("*"):
        sync(path)  # parts are on disk since they were written
    old = old_folder(table)
    if table.exists():
        table.rename(old)
    work.rename(table)
    sync(table.parent)
    shutil.rmtree(old, ignore_errors=True)
    return _summary(intake, manifest)


def put_right(store: Path) -> None:
    """Put back a table that was moved aside and never replaced; clear one that was."""
    for old in (store / TABLES).glob("*/.*-old"):
        name = old.name[1:].removesuffix("-old")
        home = table_folder(store, int(old.parent.name), name)
        if home.exists() or not (old / MANIFEST).is_file():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(home)


def _manifest(intake: Intake, name: str) -> dict[str, Any]:
    units = Counter(unit.level for unit in intake.units)
    rows: Counter[str] = Counter()
    for part in intake.parts:
        rows[part["file"].split("level=")[1].split("/")[0]] += part["rows"]
    levels = [level for level in geography.levels(intake.vintage) if level in units]
    return {
        "name": name,
        "vintage": intake.vintage,
        "levels": levels,
        "values": intake.values,
        "units": {level: units[level] for level in levels},
        "rows": {level: rows[level] for level in levels},
        "characteristics": len(intake.characteristics),
        "sources": intake.sources,
        "dropped": intake.dropped,
        "not_believed": intake.not_believed,
        "parts": sorted(
            ({key: part[key] for key in ("file", "bytes", "rows")} for part in intake.parts),
            key=lambda part: part["file"],
        ),
        "finished": True,
    }


def _whole_ranges(work: Path, intake: Intake) -> pa.Table:
    """Return ``level, characteristic, column, least, greatest, missing, cells`` of the table."""
    found = []
    for level in sorted({_level_of(one["file"]) for one in intake.ranges}):
        parts = pa.concat_tables(
            pq.ParquetFile(work / one["file"], page_checksum_verification=True).read()
            for one in intake.ranges
            if _level_of(one["file"]) == level
        )
        for name in intake.values:
            sums = parts.group_by("characteristic", use_threads=False).aggregate(
                [
                    (f"{name}_least", "min"),
                    (f"{name}_greatest", "max"),
                    (f"{name}_missing", "sum"),
                    ("cells", "sum"),
                ]
            )
            members, least, greatest, missing, cells = sums.columns
            same = {"level": level, "column": name}
            texts = {key: pa.repeat(pa.scalar(text), len(sums)) for key, text in same.items()}
            found.append(
                pa.table(
                    {
                        "level": texts["level"],
                        "characteristic": members,
                        "column": texts["column"],
                        "least": least,
                        "greatest": greatest,
                        "missing": missing,
                        "cells": cells,
                    }
                )
            )
    keys = [(key, "ascending") for key in ("level", "characteristic", "column")]
    return pa.concat_tables(found).sort_by(keys)


def _level_of(ranges: str) -> str:
    return PurePosixPath(ranges).name.split("-")[0]


def _summary(intake: Intake, manifest: dict[str, Any]) -> CheckReport:
    name = manifest["name"]
    findings = [
        finding(
            "store.came_in",
            "note",
            level,
            level=level,
            units=manifest["units"][level],
            rows=manifest["rows"][level],
            value=manifest["rows"][level],
        )
        for level in manifest["levels"]
    ]
    if "country" in intake.dropped:
        rows = intake.dropped["country"]
        findings.append(finding("store.country", "note", name, rows=rows))
    if "unknown_level" in intake.dropped:
        rows = intake.dropped["unknown_level"]
        findings.append(finding("store.unknown_level", "warning", name, rows=rows))
    if intake.not_believed:
        findings.append(finding("store.not_believed", "warning", name, cells=intake.not_believed))
    if intake.twice:
        findings.append(finding("readers.same_twice", "note", name, units=intake.twice))
    for file, unit in intake.short.items():
        findings.append(finding("store.short", "warning", unit, file=file, unit=unit))
    return CheckReport(findings)


Progress = Callable[[str, int, int], None]

#: units of a batch: one part a level
BATCH_UNITS = 256
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: cells that are neither number nor symbol, remembered one by one
_REMEMBERED = 1000


def add_table(
    store: str | Path,
    files: Sequence[str | Path] | str | Path,
    *,
    name: str | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> CheckReport:
    """Add Census Profile files, as published, to a store as one table.

    A file is read once, some megabytes at a time, whatever its size; what it holds of units and
    characteristics goes into Parquet, split by level. An import that was killed goes on where it
    stopped when it is called again with the same files; until it is done the table is not seen.

    Parameters
    ----------
    store
        The store's folder; made if absent.
    files
        Census Profile CSVs (98-401-X...), zipped or not; regional files are given together.
    name
        Name of the table; the product's number in the files' names (``98-401-X2021006``) or the
        first file's name unless given.
    replace
        Whether another table of this name gives way.
    progress
        Called with a sentence, bytes done and bytes in all.

    Returns
    -------
    CheckReport
        What came in: units and rows by level; rows left out and why; units that stand in several
        files with the same figures (kept once); units with fewer characteristics than others;
        whether an earlier import went on.

    Raises
    ------
    TableError
        A file is no Census Profile, the files are of several censuses or of one whose profiles
        are not known, a cell is neither number nor symbol, a unit stands in two files with
        different figures.
    FileError
        A file cannot be read or breaks off.
    StoreError, OutputError
        The store is in use; a table of this name holds other files; the disk is full.
    InputError
        The name cannot be a folder's.
    """
    paths = [Path(one) for one in ([files] if isinstance(files, str | Path) else files)]
    layouts = find_layouts(paths)
    vintage = layouts[0].vintage
    name = _name(name, paths)
    folder = Path(store)
    table = table_folder(folder, vintage, name)
    with import_lock(folder):
        put_right(folder)
        held = find_tables(folder).get((vintage, name))
        if held is not None and not replace:
            if _same_files(read_manifest(held, TABLE), paths, progress):
                note = finding("store.already_in", "note", name, name=name, vintage=vintage)
                return CheckReport([note])
            raise StoreError(
                "store.taken",
                name=name,
                vintage=vintage,
                held=[one["file"] for one in read_manifest(held, TABLE)["sources"]],
            )
        try:
            return _import_files(table, paths, layouts, progress)
        except OSError as error:
            if isinstance(error, LipgeoError):
                raise
            raise output_error(table, error) from error


def _import_files(
    table: Path, paths: list[Path], layouts: list[ProfileLayout], progress: Progress | None
) -> CheckReport:
    """Import files into the folder of a table; begin anew where one changed since it was left."""
    work = work_folder(table)
    try:
        intake, findings = _Import(work, paths, layouts, progress).run()
    except ChangedError:
        intake, findings = _Import(work, paths, layouts, progress).run(anew=True)
    return finish(intake, work, table) + CheckReport(findings)


def _name(given: str | None, paths: list[Path]) -> str:
    """Return the name of a table, its own or that of its files."""
    if given is None:
        product = PRODUCT.search(paths[0].name)
        given = product.group() if product else re.sub(r"[^A-Za-z0-9._-]+", "-", paths[0].stem)
        given = given.strip("-._") or "profile"
    if not _NAME.fullmatch(given):
        raise InputError("store.bad_name", name=given)
    return given


def _same_files(manifest: dict[str, Any], paths: list[Path], progress: Progress | None) -> bool:
    """Say whether a table was made of these files: their sizes, then their SHA-256."""
    held = sorted((one["bytes"], one["sha256"]) for one in manifest["sources"])
    sizes = sorted(path.stat().st_size for path in paths)
    if sizes != [size for size, _ in held]:
        return False
    total, done, found = sum(sizes), 0, []
    for path in paths:
        if progress is not None:
            progress(say("store.comparing"), done, total)
        found.append((path.stat().st_size, sha256_of(path)))
        done += found[-1][0]
    return sorted(found) == held


class _Import:
    """One import: the files, the folder they go to, and how far it is."""

    def __init__(
        self,
        folder: Path,
        paths: list[Path],
        layouts: list[ProfileLayout],
        progress: Progress | None,
    ) -> None:
        self._folder = folder
        self._paths = paths
        self._layouts = layouts
        self._progress = progress
        self._sizes = [text_bytes(path) for path in paths]
        self._journal = Journal(folder)
        self._intake = Intake(folder, layouts[-1])
        self._bad: list[dict[str, Any]] = []
        self._bad_count = 0

    def run(self, *, anew: bool = False) -> tuple[Intake, list[Finding]]:
        """Import what is not yet in.

        Raises
        ------
        ChangedError
            A file changed after a part of it was imported.
        """
        findings = []
        if anew or not self._resume():
            if self._folder.exists():
                shutil.rmtree(self._folder)
                findings.append(finding("store.anew", "note", ""))
            self._folder.mkdir(parents=True)
            self._journal.start(self._about())
        else:
            rows = sum(part["rows"] for part in self._intake.parts)
            findings.append(finding("store.continued", "note", "", rows=rows))
        with ThreadPoolExecutor(1) as writer:
            for place in range(len(self._intake.sources), len(self._paths)):
                self._file(place, writer)
        if self._bad_count:
            cells = [
                f"{one['file']}:{one['line']} {one['unit_id']} {one['characteristic']}: "
                f"{one['given']}"
                for one in self._bad
            ]
            raise TableError("store.not_numbers", self._bad, cells=cells, count=self._bad_count)
        if not self._intake.units:
            names = ", ".join(path.name for path in self._paths)
            raise TableError("readers.no_rows", name=names)
        self._journal.remove()
        return self._intake, findings

    def _about(self) -> dict[str, Any]:
        """Return what must be the same for an import to go on."""
        return {
            "format": FORMAT,
            "batch": BATCH_UNITS,
            "block": profile_files.BLOCK,
            "journal": _JOURNAL_FORMAT,
            "files": [[path.name, path.stat().st_size] for path in self._paths],
        }

    def _resume(self) -> bool:
        """Take up what the journal says is done; false where there is nothing to take up."""
        read = self._journal.read()
        if read is None or read[0] != self._about() or not read[1]:
            return False
        for entry in read[1]:
            if "source" in entry:
                path = self._paths[len(self._intake.sources)]
                if path.stat().st_mtime_ns != entry["changed"] and (
                    sha256_of(path) != entry["source"]["sha256"]
                ):
                    raise ChangedError
                self._intake.sources.append(entry["source"])
            else:
                self._intake.take_up(entry)
        return True

    def _file(self, place: int, writer: ThreadPoolExecutor) -> None:
        """Import a file, from where the journal left it."""
        path, layout = self._paths[place], self._layouts[place]
        intake = self._intake
        intake.open(place, path.name, layout)
        reader = Reader(
            path,
            layout,
            intake.characteristics,
            intake.vocabulary,
            learn=intake.learn,
        )
        writing: Future[None] | None = None
        waiting: list[Rows] = []
        with closing(reader.read(intake.end, intake.check)) as parts:
            # nothing more, at the end: what waits is written
            for rows in chain(parts, [None]):
                self._remember(path, reader)
                waiting += [] if rows is None else [rows]
                batches, waiting = _batches(waiting, last=rows is None)
                for batch in batches:
                    assert reader.block is not None
                    if writing is not None:
                        writing.result()
                    job = intake.batch(batch, (reader.block.end, reader.block.digest))
                    if not self._bad_count:
                        writing = writer.submit(self._write, job)
                    self._tell(place)
        if writing is not None:
            writing.result()
        assert reader.block is not None
        size = path.stat().st_size
        digest = file_digest(path, reader.block.digest)
        source = {"file": path.name, "sha256": digest, "bytes": size, "rows": intake.rows_read}
        intake.sources.append(source)
        if not self._bad_count:
            self._journal.add({"source": source, "changed": path.stat().st_mtime_ns})

    def _write(self, job: Callable[[], dict[str, Any]]) -> None:
        self._journal.add(job())

    def _remember(self, path: Path, reader: Reader) -> None:
        """Remember the cells that are neither number nor symbol."""
        self._bad_count += len(reader.unread)
        self._bad += [
            {
                "file": path.name,
                "line": one.line,
                "unit_id": one.id,
                "characteristic": one.characteristic,
                "column": one.column,
                "given": one.given,
            }
            for one in reader.unread[: _REMEMBERED - len(self._bad)]
        ]
        reader.unread = []

    def _tell(self, place: int) -> None:
        if self._progress is not None:
            done = sum(self._sizes[:place]) + (self._intake.check or (0, ""))[0]
            sentence = say("store.reading", file=self._paths[place].name)
            self._progress(sentence, min(done, sum(self._sizes)), sum(self._sizes))


def _batches(waiting: list[Rows], *, last: bool) -> tuple[list[Rows], list[Rows]]:
    """Cut rows into batches of :data:`BATCH_UNITS` units; what is left waits for more."""
    found = []
    while waiting and (last or sum(len(rows.ids) for rows in waiting) >= BATCH_UNITS):
        rows = Rows.concat(waiting)
        first, rest = rows.split(BATCH_UNITS)
        found.append(first)
        waiting = [rest] if rest.ids else []
    return found, waiting
