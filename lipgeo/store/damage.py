"""Read every file of a store whole against the sums that its manifests keep.

Opening a census reads a small part of it, so damage elsewhere stays unseen until it is read. This
reads all of it: censuses, what their sources said, and imported tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lipgeo.errors import LipgeoError, StoreError, require_path
from lipgeo.files import MANIFEST, FolderFormat, listed_files, read_manifest, sha256_of
from lipgeo.report import CheckReport, Finding, finding, finding_of
from lipgeo.store.layout import CENSUS, no_store
from lipgeo.store.tables.layout import TABLE, find_tables
from lipgeo.words import say

__all__ = ["verify_store"]

#: called with a sentence, bytes done and bytes in all
Progress = Callable[[str, int, int], None]


def verify_store(store: str | Path, *, progress: Progress | None = None) -> CheckReport:
    r"""Read every file of a store whole and hold it against the sum its manifest keeps.

    Parameters
    ----------
    store
        The store's folder.
    progress
        Called with a sentence, bytes done and bytes in all.

    Returns
    -------
    CheckReport
        ``file_damaged, file_missing`` (errors) and ``file_unknown`` (warning), the file's path in
        the store as subject; an error for each census or table whose manifest cannot be read;
        ``no_sums`` (warning) for files written before there were sums; ``intact`` (note) for each
        census and table that is as it was written, ``value`` its bytes.

    Raises
    ------
    StoreError
        There is no store, or it holds neither census nor table.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import lipgeo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = Path(folder)
    ...     _ = (place / "csd.csv").write_text("CSDUID,CSDNAME\n3506008,Ottawa\n")
    ...     _ = lipgeo.add_census(place / "store", place / "csd.csv", vintage=2021)
    ...     _ = (place / "store" / "2021" / "CSD.parquet").write_bytes(b"")
    ...     for found in lipgeo.verify_store(place / "store"):
    ...         print(found.check, found.subject)
    file_damaged 2021/CSD.parquet
    """
    place = require_path(store, "store")
    if not place.is_dir():
        raise no_store(place)
    folders = _folders(place)
    if not folders:
        raise StoreError("store.empty", path=place)
    watch = _Watch(progress, sum(_size(path) for folder in folders for path in _paths(folder)))
    findings = [
        found
        for folder, form in folders.items()
        for found in _verify_folder(place, folder, form, watch)
    ]
    return CheckReport(findings)


def _folders(store: Path) -> dict[Path, FolderFormat]:
    """Return the folders that are a census or a table, whole or not."""
    vintages = [
        path
        for path in sorted(store.iterdir())
        if path.is_dir() and path.name.isdigit() and len(path.name) == 4
    ]
    return {
        **dict.fromkeys(vintages, CENSUS),
        **dict.fromkeys(find_tables(store).values(), TABLE),
    }


def _verify_folder(
    store: Path, folder: Path, form: FolderFormat, watch: _Watch
) -> Iterator[Finding]:
    subject = folder.relative_to(store).as_posix()
    try:
        manifest = read_manifest(folder, form)
    except LipgeoError as error:
        yield finding_of(error)
        return
    # of tables and censuses from before their files had sums: sizes alone
    sums = manifest.get("files", {})
    unsealed = [] if sums else [name for name in listed_files(folder) if name != MANIFEST]
    wrong = False
    for name in sorted({*sums, *listed_files(folder)} - {MANIFEST, *unsealed}):
        path = folder / name
        watch.say_file(path)
        found = _fault(path, sums.get(name))
        watch.add(_size(path))
        if found is not None:
            wrong = True
            key, severity = found
            yield finding(
                key, severity, f"{subject}/{name}", file=path, again=say(f"files.again_{form.name}")
            )
    if unsealed:
        yield finding("store.no_sums", "warning", subject, files=len(unsealed), folder=folder)
    elif not wrong:
        size = sum(_size(path) for path in _paths(folder))
        yield finding(
            "store.intact", "note", subject, value=size, files=len(sums), mb=size / 1e6,
            folder=folder,
        )  # fmt: skip


def _fault(path: Path, entry: dict[str, Any] | None) -> tuple[str, Any] | None:
    """Return what is wrong with a file: the key of its sentence and how grave it is."""
    if entry is None:
        return ("store.file_unknown", "warning")
    try:
        if not path.is_file():
            return ("store.file_missing", "error")
        if path.stat().st_size != entry.get("bytes") or sha256_of(path) != entry["sha256"]:
            return ("store.file_damaged", "error")
    except OSError:  # a sector that cannot be read
        return ("store.file_damaged", "error")
    return None


def _paths(folder: Path) -> list[Path]:
    return [folder / name for name in listed_files(folder)]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


class _Watch:
    """How far the reading is, for whoever watches."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def say_file(self, path: Path) -> None:
        """Say which file is read."""
        if self._progress is not None:
            self._progress(say("store.reading", file=path.name), self._done, self._total)

    def add(self, size: int) -> None:
        """Add what was read."""
        self._done += size
