"""Leave files and folders whole or not at all, sealed by a manifest, and fit for Excel.

A write leaves a whole old file or a whole new one, never half of either. The manifest of a folder
says what it is, who made it, and the bytes of every file and of itself. Tables written for people
are CSV that Excel opens right, and workbooks whose ids stay text.
"""

from __future__ import annotations

import csv
import datetime
import errno
import hashlib
import json
import math
import os
import re
import shutil
import string
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
import xlsxwriter.exceptions

from lipgeo._version import __version__
from lipgeo.errors import LipgeoError, OutputError
from lipgeo.report import Faults
from lipgeo.sealing import NO_SUM, OWN_SUM, has_seal, is_sealed, is_stamped, seal, stamp
from lipgeo.words import say
from lipgeo.workplace import KEPT, MOVES, NEW, OLD, clear_litter, exchange, roll_back, workplace

__all__ = [
    "MAKER",
    "MANIFEST",
    "WORKBOOK_PROPERTIES",
    "CsvStyle",
    "FolderFormat",
    "Sheet",
    "as_numbers",
    "changed_files",
    "close_workbook",
    "file_entries",
    "file_in_one_step",
    "files_in_one_move",
    "folder_in_one_step",
    "free_name",
    "is_as_written",
    "is_ours",
    "json_text",
    "listed_files",
    "output_error",
    "read_manifest",
    "read_sealed_parquet",
    "require_as_written",
    "require_free",
    "require_free_file",
    "require_inside",
    "require_manifest",
    "sealed_json",
    "sha256_of",
    "sums_text",
    "sync",
    "unguard_csv",
    "whole_counts",
    "write_csv",
    "write_csv_rows",
    "write_manifest",
    "write_sealed_parquet",
    "write_workbook",
    "write_zip",
]

#: date of every member of a zip we write: equal contents give equal bytes (1980 is zip's first)
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


#: bytes that GDAL and SQLite write at once, and their journals
_PAGE = 1 << 16
#: characters of what a writer says of itself
_REASON = 300


def output_error(path: Path, error: OSError) -> OutputError:
    """Return what an error of the operating system means to who wanted to write ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError("files.disk_full", path=path)
    if isinstance(error, PermissionError) or error.errno in (errno.EBUSY, errno.ETXTBSY):
        return OutputError("files.in_use" if path.exists() else "files.closed", path=path)
    return OutputError("files.cannot_write", path=path, reason=error.strerror or str(error))


def _folder_of(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
    return path.parent


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on disk before going on."""
    # Windows opens no folders for fsync; the rename itself is still atomic there
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


#: files that are waited for at once
_WAITING = 8


def _sync_all(paths: Sequence[Path]) -> None:
    """Have files on disk before going on: a disk writes many together nearly as soon as one."""
    with ThreadPoolExecutor(_WAITING) as waiting:
        for _ in waiting.map(sync, paths):
            pass


@contextmanager
def _tell_writing(target: Path) -> Iterator[None]:
    """Tell what stops a write as an error of ours; GDAL and SQLite have errors of their own."""
    try:
        yield
    except LipgeoError:
        raise
    except OSError as error:
        raise output_error(target, error) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("pyogrio", "fiona", "sqlite3"):
            raise
        # what they say of a full disk is anything: "no such table"
        if any(_is_full(folder) for folder in (target.parent, Path(tempfile.gettempdir()))):
            raise OutputError("files.disk_full", path=target) from error
        reason = str(error)[:_REASON]
        raise OutputError("files.cannot_write", path=target, reason=reason) from error


def _is_full(folder: Path) -> bool:
    """Whether a disk has less room than a page of what is written."""
    try:
        return shutil.disk_usage(folder).free < _PAGE
    except OSError:
        return False


@contextmanager
def file_in_one_step(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; move it into place when the block ends well.

    Raises
    ------
    OutputError
        The disk is full, the target is open in another program, or the place cannot be written;
        the old file is as it was.
    """
    target = Path(path)
    with _tell_writing(target):
        _folder_of(target)
        with workplace(target) as place:
            (place / NEW).mkdir()
            temporary = place / NEW / target.name
            yield temporary
            stamp(temporary)
            sync(temporary)
            temporary.replace(target)


@contextmanager
def files_in_one_move(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Give temporary paths for files of one folder; all take their places, or none does.

    Parameters
    ----------
    paths
        Where they go. One that the block does not write is not there afterwards either.

    Raises
    ------
    OutputError
        As for :func:`file_in_one_step`; every old file is as it was.

    Notes
    -----
    No file system moves several files at once. What gives way is kept until the last is in place,
    and a list of the moves with it: a process that is killed between them is undone by the next
    that writes there.
    """
    target = paths[0]
    with _tell_writing(target):
        folder = _folder_of(target)
        with workplace(target) as place:
            (place / NEW).mkdir()
            (place / KEPT).mkdir()
            made = [place / NEW / path.name for path in paths]
            yield made
            there = [path for path in made if path.is_file()]
            for path in there:
                stamp(path)
                sync(path)
            moves = {path.name: sha256_of(path) if path in there else None for path in made}
            listed = place / NEW / MOVES
            listed.write_text(json_text(moves), encoding="utf-8")
            sync(listed)
            listed.replace(place / MOVES)
            try:
                # the first of them last: who finds it finds the others too
                for path in reversed(paths):
                    _move_in(place, path)
            except OSError:
                roll_back(place, folder)
                raise
            sync(folder)
            (place / MOVES).unlink()


def _move_in(place: Path, target: Path) -> None:
    """Move a file from a workplace to its target, whose old file is kept in the workplace."""
    new, old = place / NEW / target.name, place / KEPT / target.name
    if os.path.lexists(target):
        try:
            os.link(target, old)
        except OSError:  # a file system without links
            target.rename(old)
    if new.exists():
        new.replace(target)
    else:  # nothing comes after it
        target.unlink(missing_ok=True)


@contextmanager
def folder_in_one_step(path: str | Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; move it into place when the block ends well.

    Parameters
    ----------
    path
        The folder to make.
    replace
        Whether a folder that exists gives way.

    Raises
    ------
    OutputError
        The folder exists and may not give way, the disk is full, or the place cannot be written.

    Notes
    -----
    Where the operating system exchanges folders the old one or the new one is there at any moment.
    Elsewhere the old one is moved aside first, and put back on failure: by this process, or, where
    it is killed, by the next that reads or writes there.
    """
    target = Path(path)
    if target.exists() and not replace and (not target.is_dir() or any(target.iterdir())):
        raise OutputError("files.exists", path=target)
    with _tell_writing(target):
        _folder_of(target)
        with workplace(target) as place:
            made, old = place / NEW, place / OLD
            made.mkdir()
            yield made
            _sync_all([member for member in made.rglob("*") if member.is_file()])
            if not target.exists():
                made.rename(target)
            elif not exchange(made, target):
                target.rename(old)
                try:
                    made.rename(target)
                except OSError:
                    old.rename(target)
                    raise
            sync(target.parent)


def write_zip(path: Path, members: Mapping[str, Path], comment: str = "") -> None:
    """Write a zip whose bytes depend only on the members' names and contents, and a comment."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.comment = comment.encode()
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # the same on every platform
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name].read_bytes())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_number(text: str) -> Any:
    raise ValueError(say("files.no_number", given=text))


def load_json(data: bytes) -> Any:
    """Return a JSON document in UTF-8; half a character, or a number that is none, is an error."""
    document = json.loads(data.decode("utf-8"), parse_constant=_refuse_number)
    if b"\\ud" in data or b"\\uD" in data:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    return document


def json_text(value: Any, *, sort: bool = True) -> str:
    """Return JSON with one spelling only; equal values give equal bytes.

    Parameters
    ----------
    value
        What to write; a number that is not finite is refused, as JSON has none.
    sort
        Whether keys are ordered by name, or stand as they were given.
    """
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=sort, allow_nan=False)
    return text + "\n"


def listed_files(folder: Path) -> list[str]:
    """Return every file in a folder, by its path inside it, ordered."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )


#: the file that says what a folder is; it is written last: a folder without it is half written
MANIFEST = "manifest.json"
#: every folder format lipgeo writes, and the key under which its manifest gives the version
_VERSION_KEYS = {
    "census": "layout",
    "table": "format",
    "build": "build_version",
    "order": "order_version",
    "set": "set_version",
    "demo": "demo_version",
    "make": "make_version",
    "site": "site_version",
}
#: what the folder is; a manifest says it and holds a sum of itself or, if it is older than they
#: are, neither: so a damaged key of one does not hide behind the other
_KIND = "kind"
#: how JSON's types are called in a sentence
_JSON_TYPES: dict[type, str] = {
    str: "text", bool: "yes_no", int: "number", float: "number", list: "list", dict: "object",
    type(None): "nothing",
}  # fmt: skip


@dataclass(frozen=True)
class FolderFormat:
    """One of the formats of folders that lipgeo writes and reads back.

    Attributes
    ----------
    name
        ``census, table, build, order, set, demo`` or ``make``.
    version
        Raised whenever an older lipgeo could no longer read what is written.
    error
        What is raised where a manifest is refused.
    absent
        Key of the sentence for a folder that has no manifest; it gets ``folder`` and ``missing``.
    needs
        What a manifest needs to hold: key to type, to several types, to ``[shape]`` (a list of
        such), to a mapping of keys, or to ``{"*": shape}`` (any keys, each such).
    sort
        Whether keys stand by name; else as they were given.
    sums
        A file with the sums of all others, which the manifest cannot list; empty where none is.
    """

    name: str
    version: int
    error: type[LipgeoError]
    absent: str
    needs: Mapping[str, Any] = field(default_factory=dict)
    sort: bool = True
    sums: str = ""

    @property
    def version_key(self) -> str:
        """Key under which the version stands."""
        return _VERSION_KEYS[self.name]

    @property
    def kind(self) -> str:
        """What the manifest says the folder is."""
        return f"lipgeo {self.name}"

    def refusal(self, key: str, /, **values: Any) -> LipgeoError:
        """Return the error for a manifest of this format; it says what to do."""
        return self.error(
            key,
            format=say(f"files.format_{self.name}"),
            again=say(f"files.again_{self.name}"),
            **values,
        )


def sums_text(digests: Mapping[str, str]) -> str:
    """Return the SHA-256 of files in the form that ``sha256sum -c`` reads, ordered by name."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))


def file_entries(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return ``bytes`` and ``sha256`` of files, by their paths inside the folder."""
    return {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
        for name in names
    }


def changed_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the files that are missing or not as their entries say."""
    return [
        name
        for name, entry in files.items()
        if not (folder / name).is_file()
        or entry.get("bytes", (folder / name).stat().st_size) != (folder / name).stat().st_size
        or sha256_of(folder / name) != entry["sha256"]
    ]


def write_manifest(
    folder: Path, form: FolderFormat, content: Mapping[str, Any], files: Mapping[str, Any]
) -> None:
    """Write the manifest, the last of a folder's files; equal contents give equal bytes.

    Parameters
    ----------
    folder
        Where to write.
    form
        What the folder is.
    content
        What the format itself needs to say.
    files
        What :func:`file_entries` gave.

    Notes
    -----
    ``own_sha256`` is the SHA-256 of the manifest's own bytes with 64 zeros in its place: it is
    checked with no more than a text editor and ``sha256sum``.
    """
    manifest = {
        form.version_key: form.version,
        _KIND: form.kind,
        "lipgeo": __version__,
        **content,
        "files": dict(files),
    }
    (folder / MANIFEST).write_bytes(sealed_json(manifest, sort=form.sort))


def sealed_json(content: Mapping[str, Any], *, sort: bool = True) -> bytes:
    """Return JSON that holds a sum of itself (:mod:`lipgeo.sealing`)."""
    return seal(json_text({**content, OWN_SUM: NO_SUM}, sort=sort).encode())


def write_sealed_parquet(
    table: pa.Table, path: Path, about: Mapping[str, Any], **options: Any
) -> None:
    """Write a Parquet file that holds a sum of itself, in the schema under ``lipgeo``.

    Parameters
    ----------
    table
        What to write.
    path
        The file to write (an edge caller moves it into place).
    about
        What else stands under ``lipgeo``; ``kind`` says what the file is.
    **options
        As :func:`pyarrow.parquet.write_table` takes them.
    """
    held = {b"lipgeo": json.dumps({**about, OWN_SUM: NO_SUM}).encode()}
    schema = {**(table.schema.metadata or {}), **held}
    pq.write_table(table.replace_schema_metadata(schema), path, write_page_checksum=True, **options)
    path.write_bytes(seal(path.read_bytes()))


def read_sealed_parquet(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Read a Parquet file and what stands under ``lipgeo``; one without a sum is read as it is.

    Raises
    ------
    ValueError
        The file is not as it was written.
    """
    raw = path.read_bytes()
    # Arrow's own copy of the schema stands in the file too: the footer is what is summed
    footer = pq.read_metadata(pa.BufferReader(raw)).metadata or {}
    about = json.loads(footer.get(b"lipgeo", b"{}"))
    # one from before files held a sum of themselves says neither its kind nor a sum
    if (has_seal(raw) or _KIND in about) and not is_sealed(raw):
        raise ValueError(say("files.own_sum"))
    return pq.read_table(pa.BufferReader(raw), page_checksum_verification=True), about


def is_as_written(raw: bytes, manifest: Mapping[str, Any], mark: str = _KIND) -> bool:
    """Whether the sum that a file of JSON holds of itself fits; one from before there was any does.

    Parameters
    ----------
    raw
        Bytes of the file.
    manifest
        What they hold.
    mark
        Key that stands in it whenever the sum does.
    """
    if OWN_SUM not in manifest and mark not in manifest:
        return True
    return is_sealed(raw) and f'"{manifest.get(OWN_SUM)}"'.encode() in raw


def read_manifest(folder: Path, form: FolderFormat) -> dict[str, Any]:
    """Read the manifest of a folder, whole and unchanged.

    Raises
    ------
    LipgeoError
        Of the format's own class: see :func:`require_manifest`; or the manifest was changed since
        it was written.
    """
    manifest = require_manifest(folder, form)
    require_as_written(folder, form, manifest)
    return manifest


def require_as_written(folder: Path, form: FolderFormat, manifest: Mapping[str, Any]) -> None:
    """Raise where the sum that a manifest keeps of itself does not fit."""
    path = folder / MANIFEST
    if not is_as_written(path.read_bytes(), manifest):
        raise form.refusal("files.manifest_changed", path=path)


def require_manifest(folder: Path, form: FolderFormat) -> dict[str, Any]:
    """Read the manifest of a folder; its own sum is not looked at.

    Returns
    -------
    dict
        ``files`` has one entry a file, ``sha256`` and, but for folders of before, ``bytes``.

    Raises
    ------
    LipgeoError
        Of the format's own class. There is no manifest; it cannot be read, is no JSON or is nested
        too deep; the folder is of another format; a newer lipgeo wrote it; keys are missing or of
        another type (all of them, as rows); files are named that lie outside the folder.
    """
    path = folder / MANIFEST
    if not folder.exists():
        clear_litter(folder.parent)  # a writer that was killed may have moved it aside
    if not path.is_file():
        raise form.error(form.absent, folder=folder, missing=MANIFEST)
    try:
        manifest = load_json(path.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
        raise form.refusal("files.manifest_unreadable", path=path, reason=reason) from error
    except RecursionError as error:
        raise form.refusal("files.manifest_too_deep", path=path) from error
    except ValueError as error:
        raise form.refusal("files.manifest_not_json", path=path, reason=str(error)) from error
    known = manifest if isinstance(manifest, dict) else {}
    found = _format_of(known)
    if found not in (None, form.name) and form.version_key not in known:
        raise form.refusal(
            "files.manifest_other",
            folder=folder,
            found=say(f"files.format_{found}"),
            maker=say(f"files.maker_{form.name}"),
        )
    version = known.get(form.version_key)
    if isinstance(version, int) and version > form.version:
        raise form.refusal("files.manifest_newer", folder=folder, found=version, known=form.version)
    if isinstance(known.get("files"), dict):
        # of a build or set from before their second version: sums alone
        known["files"] = {
            name: {"sha256": entry} if isinstance(entry, str) else entry
            for name, entry in known["files"].items()
        }
    _require_shape(path, form, manifest)
    require_inside(path, form, known.get("files", ()))
    return known


def require_inside(path: Path, form: FolderFormat, names: Iterable[str]) -> None:
    """Raise where paths named by a manifest leave its folder, on whatever platform."""
    outside = [name for name in names if not _inside(name)]
    if outside:
        raise form.error(
            "files.path_outside", [{"path": name} for name in outside], path=path, paths=outside
        )


def _inside(name: str) -> bool:
    if not name or "\\" in name or ":" in name or "\0" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def is_ours(folder: str | Path, form: FolderFormat) -> bool:
    """Whether lipgeo made a folder as this format, and not somebody by hand.

    Examples
    --------
    >>> import tempfile
    >>> from lipgeo.files import is_ours
    >>> from lipgeo.store.results import BUILD
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     is_ours(folder, BUILD)
    False
    """
    try:
        manifest = load_json((Path(folder) / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and _format_of(manifest) == form.name


def require_free(folder: str | Path, form: FolderFormat, *, replace: bool = False) -> Path:
    """Return a folder that may be written; look before the work begins.

    Parameters
    ----------
    folder
        Where a result is to go.
    form
        What it will be.
    replace
        Whether an earlier result of the same format gives way.

    Raises
    ------
    OutputError
        Something stands there that lipgeo did not make; or an earlier result, and ``replace`` is
        false; or an earlier result with files in it that somebody else put there or changed.
    """
    target = Path(folder)
    clear_litter(target.parent)
    try:
        if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
            return target
    except OSError as error:
        raise output_error(target, error) from error
    if target.is_symlink() or not target.is_dir() or not is_ours(target, form):
        raise OutputError("files.not_ours", path=target)
    if not replace:
        raise OutputError("files.exists", path=target)
    manifest = load_json((target / MANIFEST).read_bytes())
    known = {MANIFEST, form.sums, *manifest.get("files", ())}
    strange = [name for name in listed_files(target) if name not in known]
    if strange:
        rows = [{"file": name} for name in strange]
        raise OutputError("files.strangers", rows, path=target, files=strange)
    changed = _worked_in(target, form, manifest)
    if changed:
        rows = [{"file": name} for name in changed]
        raise OutputError("files.worked_in", rows, path=target, files=changed)
    return target


def _worked_in(folder: Path, form: FolderFormat, manifest: Mapping[str, Any]) -> list[str]:
    """Return the files of a folder of ours that are there and not as its manifest says."""
    entries = manifest.get("files", {})
    # of a build or set from before their second version: sums alone
    sums = {
        name: entry.get("sha256") if isinstance(entry, dict) else entry
        for name, entry in (entries.items() if isinstance(entries, dict) else ())
    }
    there = [name for name in sums if _inside(name) and (folder / name).is_file()]
    changed = changed_files(folder, {name: {"sha256": sums[name]} for name in there})
    raw = (folder / MANIFEST).read_bytes()
    if not is_as_written(raw, manifest):
        return [MANIFEST, *changed]
    path = folder / form.sums
    if path.is_file():
        digests = {name: str(digest) for name, digest in sums.items()}
        digests[MANIFEST] = hashlib.sha256(raw).hexdigest()
        changed += [form.sums] if path.read_bytes() != sums_text(digests).encode() else []
    return changed


#: what a file of ours says it was made by
MAKER = "lipgeo"


def require_free_file(
    path: str | Path, *, replace: bool = False, endings: Sequence[str] = ()
) -> Path:
    """Return a file that may be written; look before the work begins.

    Parameters
    ----------
    path
        Where a result is to go.
    replace
        Whether an earlier result gives way.
    endings
        The endings the result may have (``.html``); any where none are given.

    Raises
    ------
    OutputError
        The ending is another; something stands there that is not known to be what lipgeo wrote,
        byte for byte; or an earlier result, and ``replace`` is false.
    """
    target = Path(path)
    if endings and target.suffix.lower() not in endings:
        raise OutputError("files.ending", path=target, endings=" ".join(endings))
    clear_litter(target.parent)
    try:
        if not os.path.lexists(target):
            return target
        ours = not target.is_symlink() and target.is_file() and _is_as_left(target)
    except OSError as error:
        raise output_error(target, error) from error
    if not ours:
        raise OutputError("files.not_ours", path=target)
    if not replace:
        raise OutputError("files.exists", path=target)
    return target


def free_name(path: Path) -> Path:
    """Return a path; where somebody worked in the file there, the first free ``NAME-2``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from lipgeo.files import free_name
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "findings.csv")
    ...     _ = path.write_text("signed by me")
    ...     free_name(path).name
    'findings-2.csv'
    """
    number = 1
    target = path
    name, dot, endings = path.name.partition(".")
    while os.path.lexists(target) and not (target.is_file() and _is_as_left(target)):
        number += 1
        target = path.with_name(f"{name}-{number}{dot}{endings}")
    return target


def _is_as_left(path: Path) -> bool:
    """Whether a file is known to be what lipgeo wrote, byte for byte."""
    if is_stamped(path):
        return True
    with path.open("rb") as stream:
        # a Parquet file of ours holds its sum itself: it is known when copied, too
        return stream.read(4) == b"PAR1" and is_sealed(path.read_bytes())


def _format_of(manifest: Mapping[str, Any]) -> str | None:
    """Return the format a manifest says it is of; by its version's key where it does not say."""
    kind = manifest.get(_KIND)
    if kind is not None:
        return next((name for name in _VERSION_KEYS if kind == f"lipgeo {name}"), None)
    return next((name for name, key in _VERSION_KEYS.items() if key in manifest), None)


def _require_shape(path: Path, form: FolderFormat, manifest: Any) -> None:
    """Raise one error that tells every key that is missing and every value of another type."""
    has_files = isinstance(manifest, dict) and "files" in manifest
    needs = {form.version_key: int, **({"files": dict} if has_files else {}), **form.needs}
    found = list(_unfit(manifest, needs, MANIFEST))
    missing = [row for row in found if row["given"] == ""]
    strange = [row for row in found if row["given"] != ""]
    faults = Faults()
    faults.add("files.keys_missing", missing, keys=[row["key"] for row in missing])
    faults.add(
        "files.keys_strange",
        strange,
        keys=[f"{row['key']} ({row['needed']} <> {row['given']})" for row in strange],
    )
    faults.raise_if_any(
        "files.manifest_unfit",
        error=form.error,
        path=path,
        format=say(f"files.format_{form.name}"),
        again=say(f"files.again_{form.name}"),
    )


def _unfit(value: Any, shape: Any, at: str) -> Iterator[dict[str, str]]:
    """Yield ``key, needed, given`` of what is missing (``given`` empty) or of another type."""
    kinds = dict if isinstance(shape, Mapping) else list if isinstance(shape, list) else shape
    if not _is(value, kinds):
        several = kinds if isinstance(kinds, tuple) else (kinds,)
        needed = " | ".join(dict.fromkeys(_type_word(kind) for kind in several))
        yield {"key": at, "needed": needed, "given": _type_word(type(value))}
        return
    inside = "" if at == MANIFEST else f"{at}."
    if isinstance(shape, list):
        for place, item in enumerate(value):
            yield from _unfit(item, shape[0], f"{at}[{place}]")
    elif isinstance(shape, Mapping) and "*" in shape:
        for key, item in value.items():
            yield from _unfit(item, shape["*"], f"{inside}{key}")
    elif isinstance(shape, Mapping):
        for key, wanted in shape.items():
            if key in value:
                yield from _unfit(value[key], wanted, f"{inside}{key}")
            else:
                yield {"key": f"{inside}{key}", "needed": "", "given": ""}


def _is(value: Any, kinds: Any) -> bool:
    """Whether a value is of a type; true and false are no numbers."""
    several = kinds if isinstance(kinds, tuple) else (kinds,)
    return type(value) in several


def _type_word(kind: type) -> str:
    return say(f"files.json_{_JSON_TYPES[kind]}")


CsvStyle = Literal["en", "fr"]
#: what columns of counts begin with
_COUNTED = ("population", "dwellings", "households")
#: separator and decimal mark: Excel in French reads the semicolon and the comma
_CSV: dict[str, tuple[str, str]] = {"en": (",", "."), "fr": (";", ",")}
#: rows of a worksheet, header included
XLSX_ROWS = 1_048_576
#: letters a cell of a worksheet holds
XLSX_TEXT = 32_767
#: what a spreadsheet would take for the start of a formula (the wide ones in an East Asian Excel),
#: after apostrophes too: one is put before and one taken away, so that every text comes back
_FORMULA = r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_RISKY = re.compile(_FORMULA)
_PLAIN = frozenset(string.ascii_letters + string.digits)
#: workbooks carry a creation date; a fixed one keeps equal contents equal bytes
_CREATED = datetime.datetime(1980, 1, 1)
#: how a workbook says who made it, and that nobody saved it since
WORKBOOK_PROPERTIES = {"created": _CREATED, "comments": MAKER}


@dataclass(frozen=True)
class Bars:
    """What a chart of bars says of itself.

    Attributes
    ----------
    title, axis
        Over it, and along its numbers.
    alt
        All of it in words, for who does not see it.
    """

    title: str
    axis: str
    alt: str


@dataclass(frozen=True)
class Sheet:
    """One worksheet.

    Attributes
    ----------
    name
        Tab name, at most 31 characters.
    frame
        What it shows; text columns become text cells, numbers number cells, missing empty cells.
        Where many small sheets are written, plain columns instead: name to cells, each a text, a
        float or ``None``; a column without texts is one of numbers.
    title
        A line above the header (units, source), or empty.
    formats
        Column to the number format of its numbers; other cells of it are text.
    row_formats
        The number format of each row, where rows and not columns are alike.
    wrap
        Letters a column may be wide, longer text is wrapped; such a sheet prints on its side. 0:
        columns up to 60 letters, nothing wrapped.
    bars
        A chart of the program's own under the table, drawn from its columns of numbers: one group
        of bars a row, named by the first column.
    """

    name: str
    frame: pd.DataFrame | Mapping[str, Sequence[str | float | None]]
    title: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)
    row_formats: Sequence[str] = ()
    wrap: int = 0
    bars: Bars | None = None


@dataclass(frozen=True)
class _SheetColumn:
    """A column of a worksheet: its cells, ``None`` where missing, and whether it is of numbers."""

    name: str
    cells: Sequence[Any]
    number: bool


def _sheet_columns(sheet: Sheet) -> list[_SheetColumn]:
    """Return the columns of a worksheet as plain cells: asking pandas for each takes longer."""
    if isinstance(sheet.frame, pd.DataFrame):
        return [
            _SheetColumn(
                str(name),
                [
                    None if missing else value
                    for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)
                ],
                _is_number(column),
            )
            for name, column in sheet.frame.items()
        ]
    return [
        _SheetColumn(name, cells, not any(isinstance(one, str) for one in cells))
        for name, cells in sheet.frame.items()
    ]


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _shortest(value: float, decimal: str) -> str:
    """Return a number in the fewest digits that read back as it; a whole one without a point."""
    # pandas leaves the decimal mark to whoever formats
    whole = float(value).is_integer()
    return str(int(value)) if whole else repr(float(value)).replace(".", decimal)


def whole_counts(frame: Any) -> Any:
    """Return a frame whose counts of people, dwellings and households are whole numbers.

    Columns that begin with ``population, dwellings, households`` and hold whole numbers alone
    become ``Int64`` (missing stays missing): a file then says 8387, not 8387.0. Others stay.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.files import whole_counts
    >>> frame = pd.DataFrame({"population": [5.0, None], "population_added": [1.5, 2.0]})
    >>> whole_counts(frame).dtypes.astype(str).tolist()
    ['Int64', 'float64']
    """
    whole = {
        name: "Int64"
        for name in frame.columns
        if str(name).startswith(_COUNTED)
        and frame[name].dtype == np.float64
        and frame[name].dropna().mod(1).eq(0).all()
    }
    return frame.astype(whole) if whole else frame


def as_numbers(frame: Any) -> Any:
    """Return a frame read from a file with the counts of :func:`whole_counts` as float64 again."""
    counted = [
        name
        for name in frame.columns
        if str(name).startswith(_COUNTED) and pd.api.types.is_integer_dtype(frame[name].dtype)
    ]
    return frame.astype(dict.fromkeys(counted, "float64")) if counted else frame


def write_csv(frame: pd.DataFrame, path: Path, style: CsvStyle = "en") -> None:
    """Write a CSV for people: UTF-8 with a byte-order mark, missing cells empty.

    Parameters
    ----------
    frame
        What to write; its index is left out.
    path
        The file to write (an edge caller moves it into place).
    style
        ``"en"``: comma and decimal point; ``"fr"``: semicolon and decimal comma.

    Notes
    -----
    A text that a spreadsheet would run as a formula (``=``, ``+``, ``-``, ``@`` first) gets an
    apostrophe before it, as Excel itself writes such text.
    """
    write_csv_rows(list(frame.columns), _plain_rows(frame), path, style)


#: rows of a frame that are turned into plain cells at a time
_ROWS_AT_A_TIME = 50_000


def _plain_rows(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a frame: numbers as numbers, all else as text, ``None`` where missing."""
    for start in range(0, len(frame), _ROWS_AT_A_TIME):
        part = frame.iloc[start : start + _ROWS_AT_A_TIME]
        columns = []
        for name in part.columns:
            column = part[name]
            cells = column if _is_number(column) else column.astype("string")
            columns.append(
                [
                    None if missing else value
                    for value, missing in zip(cells.tolist(), cells.isna().tolist(), strict=True)
                ]
            )
        yield from zip(*columns, strict=True)


def write_csv_rows(
    heads: Sequence[Any], rows: Iterable[Sequence[Any]], path: Path, style: CsvStyle = "en"
) -> None:
    """Write plain rows as :func:`write_csv` writes a frame.

    Parameters
    ----------
    heads
        The name of each column.
    rows
        Cells of each row: text, a number, or ``None`` (also NaN) where missing.
    path, style
        As for :func:`write_csv`.
    """
    separator, decimal = _CSV[style]
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        out = csv.writer(stream, delimiter=separator, lineterminator="\r\n")
        out.writerow([_csv_cell(str(name), decimal) for name in heads])
        out.writerows([_csv_cell(one, decimal) for one in row] for row in rows)


def _csv_cell(value: Any, decimal: str) -> str:
    if isinstance(value, str):
        # most texts begin with a letter: the pattern is asked about the few others
        return f"'{value}" if value[:1] not in _PLAIN and _RISKY.match(value) else value
    return "" if value is None or math.isnan(value) else _shortest(value, decimal)


def unguard_csv(texts: pd.Series) -> pd.Series:
    """Return texts of a file of :func:`write_csv` without the apostrophe put before formulas."""
    return texts.str.replace(f"^'(?={_FORMULA})", "", regex=True)


def _require_short_texts(sheet: Sheet, columns: Sequence[_SheetColumn], path: Path) -> None:
    """Raise where a cell would hold more than the format does: it would stay empty."""
    top = 2 + bool(sheet.title)
    problems = []
    for column in columns:
        cells = () if column.number else column.cells
        problems += [
            {"column": column.name[:40], "row": top + at, "letters": len(text)}
            for at, text in enumerate((column.name, *cells), start=-1)
            if isinstance(text, str) and len(text) > XLSX_TEXT
        ]
    if problems:
        told = [f"{one['column']} {one['row']} ({one['letters']:,})" for one in problems]
        raise OutputError("files.long_text", problems, path=path, sheet=sheet.name, cells=told)


def write_workbook(sheets: Sequence[Sheet], path: Path) -> None:
    """Write an ``.xlsx`` whose text cells are text: no number, date, link or formula is guessed.

    Raises
    ------
    OutputError
        A sheet has more rows than the format holds (1,048,576 with the header), or texts longer
        than a cell holds (32,767), which would be left out.
    """
    whole = [(sheet, _sheet_columns(sheet)) for sheet in sheets]
    for sheet, columns in whole:
        rows = max((len(one.cells) for one in columns), default=0)
        if rows + 1 + bool(sheet.title) > XLSX_ROWS:
            raise OutputError("files.too_long", path=path, sheet=sheet.name, rows=rows)
        _require_short_texts(sheet, columns, path)
    book = xlsxwriter.Workbook(
        str(path),
        {
            "strings_to_numbers": False,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "in_memory": True,  # its parts never lie in files of their own
        },
    )
    book.set_properties(WORKBOOK_PROPERTIES)
    formats: Mapping[str, xlsxwriter.format.Format] = {
        "head": book.add_format({"bold": True, "bottom": 1, "num_format": "@"}),
        "text": book.add_format({"num_format": "@"}),
        "note": book.add_format({"italic": True}),
    }
    wrapped = {
        key: book.add_format(
            {"num_format": "@", "text_wrap": True, "valign": "top", "bold": key == "head"}
        )
        for key in ("head", "text")
        if any(sheet.wrap for sheet in sheets)
    }
    numbers = {
        form: book.add_format({"num_format": form, "valign": "top"})
        for form in sorted({form for sheet in sheets for form in sheet.row_formats})
    }
    for sheet, columns in whole:
        texts = {**formats, **wrapped} if sheet.wrap else formats
        _write_sheet(book, sheet, columns, texts, numbers)
    close_workbook(book)


def _write_sheet(
    book: xlsxwriter.Workbook,
    sheet: Sheet,
    columns: Sequence[_SheetColumn],
    texts: Mapping[str, xlsxwriter.format.Format],
    numbers: Mapping[str, xlsxwriter.format.Format],
) -> None:
    page = book.add_worksheet(sheet.name[:31])
    top = 0
    if sheet.title:
        page.write_string(0, 0, sheet.title, texts["note"])
        top = 1
    widest = sheet.wrap or 60
    rows = max((len(one.cells) for one in columns), default=0)
    longest = [0] * (rows + 1)
    alike = [numbers[form] for form in sheet.row_formats]
    for at, column in enumerate(columns):
        page.write_string(top, at, column.name, texts["head"])
        longest[0] = max(longest[0], len(column.name))
        form = sheet.formats.get(column.name)
        shown = book.add_format({"num_format": form}) if form else None
        width = len(column.name)
        for row, value in enumerate(column.cells):
            if value is None:
                continue
            if column.number or (shown is not None and not isinstance(value, str)):
                page.write_number(top + 1 + row, at, value, alike[row] if alike else shown)
            else:
                text = str(value)
                page.write_string(top + 1 + row, at, text, texts["text"])
                size = len(text)
                width = max(width, size)
                longest[row + 1] = max(longest[row + 1], size)
        page.set_column(at, at, min(width + 2, widest), None if column.number else texts["text"])
    page.freeze_panes(top + 1, 0)
    if sheet.wrap:
        page.set_landscape()
        page.repeat_rows(top)
        _set_heights(page, longest, sheet.wrap, top)
    page.autofilter(top, 0, top + rows, max(len(columns) - 1, 0))
    if sheet.bars is not None:
        _draw_bars(book, page, columns, sheet.bars, top)


def _draw_bars(
    book: xlsxwriter.Workbook, page: Any, columns: Sequence[_SheetColumn], bars: Bars, top: int
) -> None:
    """Draw the numbers of a sheet under it, by reference to its cells."""
    chart = book.add_chart({"type": "bar"})
    rows = len(columns[0].cells)
    first, last = top + 1, top + rows
    numbers = [at for at, column in enumerate(columns) if column.number]
    for at in numbers:
        chart.add_series(
            {
                "name": [page.name, top, at],
                "categories": [page.name, first, 0, last, 0],
                "values": [page.name, first, at, last, at],
                "data_labels": {"value": True, "num_format": "0.0"},
            }
        )
    chart.set_title({"name": bars.title, "overlay": False})
    chart.set_x_axis({"name": bars.axis, "min": 0})
    # the first row on top, as it stands in the table
    chart.set_y_axis({"reverse": True, "crossing": "max"})
    chart.set_legend({"position": "bottom"} if len(numbers) > 1 else {"none": True})
    room = rows * (len(numbers) + 1)
    chart.set_size({"width": 600, "height": 160 + 16 * room})
    page.insert_chart(last + 2, 0, chart, {"description": bars.alt})


def close_workbook(book: xlsxwriter.Workbook) -> None:
    """Write a workbook out.

    Raises
    ------
    OSError
        The disk is full, or the place cannot be written.
    """
    try:
        book.close()
    except xlsxwriter.exceptions.FileCreateError as error:
        found = error.args[0] if error.args else error
        raise found if isinstance(found, OSError) else OSError(str(found)) from error


#: height of a line of a worksheet, in points
_LINE = 15.0


def _set_heights(page: Any, longest: Sequence[int], wrap: int, top: int) -> None:
    """Make rows as high as their longest wrapped text: not every program does so by itself."""
    for at, length in enumerate(longest):
        # words that do not fit go to the next line whole
        lines = -(-length * 12 // (wrap * 10))
        if lines > 1:
            page.set_row(top + at, _LINE * lines)
