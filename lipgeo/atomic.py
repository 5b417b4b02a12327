"""Writing that leaves a whole old file or a whole new one, never half of either."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from lipgeo.errors import OutputError

__all__ = ["explained", "file_in_one_step", "folder_in_one_step", "sync", "write_zip"]

#: date of every member of a zip we write: equal contents give equal bytes (1980 is zip's first)
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def explained(path: Path, error: OSError) -> OutputError:
    """Return what an error of the operating system means to who wanted to write ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError("atomic.disk_full", path=path)
    if isinstance(error, PermissionError) or error.errno in (errno.EBUSY, errno.ETXTBSY):
        return OutputError("atomic.in_use", path=path)
    return OutputError("atomic.cannot_write", path=path, reason=error.strerror or str(error))


def _folder_of(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(path, error) from error
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
    try:
        with tempfile.TemporaryDirectory(prefix=".lipgeo-", dir=_folder_of(target)) as folder:
            temporary = Path(folder) / target.name
            yield temporary
            sync(temporary)
            temporary.replace(target)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise explained(target, error) from error


@contextmanager
def folder_in_one_step(path: str | Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; move it into place when the block ends well.

    Parameters
    ----------
    path
        The folder to make.
    replace
        Whether a folder that exists gives way (it is moved aside first and put back on failure).

    Raises
    ------
    OutputError
        The folder exists and may not give way, the disk is full, or the place cannot be written.
    """
    target = Path(path)
    if target.exists() and not replace and (not target.is_dir() or any(target.iterdir())):
        raise OutputError("atomic.exists", path=target)
    try:
        with tempfile.TemporaryDirectory(prefix=".lipgeo-", dir=_folder_of(target)) as aside:
            made = Path(aside) / "new"
            made.mkdir()
            yield made
            for member in made.rglob("*"):
                if member.is_file():
                    sync(member)
            old = Path(aside) / "old"
            if target.exists():
                target.rename(old)
            try:
                made.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
            sync(target.parent)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise explained(target, error) from error


def write_zip(path: Path, members: Mapping[str, Path]) -> None:
    """Write a zip whose bytes depend only on the members' names and contents."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # the same on every platform
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name].read_bytes())
