"""``add_table``: Census Profile files into a store, streaming, a batch of units at a time."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lipgeo.areas.faults import finding
from lipgeo.atomic import explained
from lipgeo.errors import FileError, InputError, LipgeoError, StoreError, TableError
from lipgeo.readers.profile_files import Layout, layouts_of, text_bytes, words_of
from lipgeo.report import CheckReport, Finding
from lipgeo.store.lock import import_lock
from lipgeo.stored_tables.blocks import BLOCK, Blocks, ChangedError, sha256_of
from lipgeo.stored_tables.cells import Figured
from lipgeo.stored_tables.finishing import finish, put_right
from lipgeo.stored_tables.intake import Intake
from lipgeo.stored_tables.journal import Journal
from lipgeo.stored_tables.layout import (
    FORMAT,
    held_tables,
    read_manifest,
    table_folder,
    work_folder,
)
from lipgeo.stored_tables.rows import Reader, Rows
from lipgeo.words import say

__all__ = ["add_table"]

Progress = Callable[[str, int, int], None]

#: units of a batch: one part a level
UNITS = 256
_PRODUCT = re.compile(r"98-?40\d-?X\d{7}", re.IGNORECASE)
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
        Census Profile CSVs of 2021 or 2016 (98-401-X...), zipped or not; regional files are given
        together.
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
        A file is no Census Profile, the files are of several censuses, a cell is neither number
        nor symbol, a unit stands in two files with different figures.
    FileError
        A file cannot be read or breaks off.
    StoreError, OutputError
        The store is in use; a table of this name holds other files; the disk is full.
    InputError
        The name cannot be a folder's.
    """
    paths = [Path(one) for one in ([files] if isinstance(files, str | Path) else files)]
    layouts = layouts_of(paths)
    vintage = layouts[0].vintage
    name = _name(name, paths)
    folder = Path(store)
    table = table_folder(folder, vintage, name)
    with import_lock(folder):
        put_right(folder)
        held = held_tables(folder).get((vintage, name))
        if held is not None and not replace:
            if _same_files(read_manifest(held), paths, progress):
                note = finding("stored_tables.already_in", "note", name, name=name, vintage=vintage)
                return CheckReport([note])
            raise StoreError(
                "stored_tables.taken",
                name=name,
                vintage=vintage,
                held=[one["file"] for one in read_manifest(held)["sources"]],
            )
        try:
            return _imported(table, paths, layouts, progress)
        except OSError as error:
            if isinstance(error, LipgeoError):
                raise
            raise explained(table, error) from error


def _imported(
    table: Path, paths: list[Path], layouts: list[Layout], progress: Progress | None
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
        product = _PRODUCT.search(paths[0].name)
        given = product.group() if product else re.sub(r"[^A-Za-z0-9._-]+", "-", paths[0].stem)
        given = given.strip("-._") or "profile"
    if not _NAME.fullmatch(given):
        raise InputError("stored_tables.bad_name", name=given)
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
            progress(say("stored_tables.comparing"), done, total)
        found.append((path.stat().st_size, sha256_of(path)))
        done += found[-1][0]
    return sorted(found) == held


class _Import:
    """One import: the files, the folder they go to, and how far it is."""

    def __init__(
        self, folder: Path, paths: list[Path], layouts: list[Layout], progress: Progress | None
    ) -> None:
        self._folder = folder
        self._paths = paths
        self._layouts = layouts
        self._progress = progress
        self._sizes = [text_bytes(path) for path in paths]
        self._journal = Journal(folder)
        self._intake = Intake(folder, layouts[0].vintage)
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
                findings.append(finding("stored_tables.anew", "note", ""))
            self._folder.mkdir(parents=True)
            self._journal.start(self._about())
        else:
            rows = sum(part["rows"] for part in self._intake.parts)
            findings.append(finding("stored_tables.continued", "note", "", rows=rows))
        with ThreadPoolExecutor(1) as writer:
            for place in range(len(self._intake.sources), len(self._paths)):
                self._file(place, writer)
        if self._bad_count:
            cells = [
                f"{one['file']}:{one['line']} {one['unit_id']} {one['characteristic']}: "
                f"{one['given']}"
                for one in self._bad
            ]
            raise TableError(
                "stored_tables.not_numbers", self._bad, cells=cells, count=self._bad_count
            )
        if not self._intake.units:
            names = ", ".join(path.name for path in self._paths)
            raise TableError("readtable.no_rows", name=names)
        self._journal.remove()
        return self._intake, findings

    def _about(self) -> dict[str, Any]:
        """Return what must be the same for an import to go on."""
        return {
            "format": FORMAT,
            "batch": UNITS,
            "block": BLOCK,
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
        blocks = Blocks(path, intake.end, intake.check)
        reader = Reader(path, layout, intake.characteristics, intake.learn)
        writing: Future[None] | None = None
        waiting: list[Rows] = []
        with closing(blocks.__iter__()) as texts:
            for text, newlines in texts:
                done = 0
                for rows in reader.read(text, newlines, blocks.at, last=blocks.last):
                    done = int(rows.ends[-1]) - blocks.at
                    waiting.append(rows)
                blocks.leave(text[done:])
                batches, waiting = _batches(waiting, last=blocks.last)
                for rows in batches:
                    figured = self._figured(rows, path, layout)
                    if writing is not None:
                        writing.result()
                    job = intake.batch(rows, figured, blocks.seen)
                    if not self._bad_count:
                        writing = writer.submit(self._write, job)
                    self._tell(place)
        if writing is not None:
            writing.result()
        size = path.stat().st_size
        digest = blocks.digest if self._sizes[place] == size else sha256_of(path)
        source = {"file": path.name, "sha256": digest, "bytes": size, "rows": intake.rows_read}
        intake.sources.append(source)
        if not self._bad_count:
            self._journal.add({"source": source, "changed": path.stat().st_mtime_ns})

    def _write(self, job: Callable[[], dict[str, Any]]) -> None:
        self._journal.add(job())

    def _figured(self, rows: Rows, path: Path, layout: Layout) -> Figured:
        """Read figures; remember the cells that are neither number nor symbol."""
        intake = self._intake
        try:
            figured = intake.vocabulary.read(
                rows.tails, layout, rows.places, intake.characteristics.counts
            )
        except pa.ArrowInvalid as error:
            raise FileError("readtable.breaks_off", path=path, reason=str(error)) from error
        for name, one in figured.columns.items():
            if one.bad is None:
                continue
            bad = one.bad[figured.codes]
            for row in np.flatnonzero(bad).tolist():
                self._bad_count += 1
                if len(self._bad) < _REMEMBERED:
                    unit = int(np.searchsorted(np.cumsum(rows.counts), row, side="right"))
                    self._bad.append(
                        {
                            "file": path.name,
                            "line": intake.rows_read + row + 2,
                            "unit_id": words_of([rows.ids[unit]])[0],
                            "characteristic": intake.characteristics.ids[rows.each[row]],
                            "column": name,
                            "given": intake.vocabulary.unread[bad[row]],
                        }
                    )
        return figured

    def _tell(self, place: int) -> None:
        if self._progress is not None:
            done = sum(self._sizes[:place]) + self._intake.end
            sentence = say("stored_tables.reading", file=self._paths[place].name)
            self._progress(sentence, min(done, sum(self._sizes)), sum(self._sizes))


def _batches(waiting: list[Rows], *, last: bool) -> tuple[list[Rows], list[Rows]]:
    """Cut rows into batches of :data:`UNITS` units; what is left waits for more."""
    found = []
    while waiting and (last or sum(len(rows.ids) for rows in waiting) >= UNITS):
        rows = Rows.joined(waiting)
        first, rest = rows.split(UNITS)
        found.append(first)
        waiting = [rest] if rest.ids else []
    return found, waiting
