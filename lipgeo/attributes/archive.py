"""Members of a zip, opened where they are or copied out for readers that need a file."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from lipgeo.errors import FileError

__all__ = ["extracted", "open_member"]


class _Member:
    """A member of a zip that takes its archive with it when closed, and tells damage plainly."""

    def __init__(self, path: Path, member: str) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
            self._stream: IO[bytes] = self._archive.open(member)
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
            raise FileError("attributes.bad_zip", path=path, reason=str(error)) from error
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise FileError("attributes.bad_zip", path=self._path, reason=str(error)) from error
        except Exception as error:  # zlib.error is no OSError
            raise FileError("attributes.bad_zip", path=self._path, reason=str(error)) from error

    def close(self) -> None:
        self._stream.close()
        self._archive.close()
        self.closed = True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def __enter__(self) -> _Member:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_member(path: Path, member: str) -> BinaryIO:
    """Open a member of a zip for reading; damage met on the way is a FileError."""
    return _Member(path, member)  # type: ignore[return-value]  # the part of IO that is used


@contextmanager
def extracted(path: Path, member: str) -> Iterator[Path]:
    """Give a copy of a member, with its ``.cpg``, for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="lipgeo-") as folder:
        # a .dbf takes its .cpg along, whatever the case of its ending
        stem = str(PurePosixPath(member).with_suffix("")).lower()
        with zipfile.ZipFile(path) as archive:
            kept = [
                name
                for name in archive.namelist()
                if name == member or name.lower() == f"{stem}.cpg"
            ]
        for name in kept:
            with _Member(path, name) as source, (Path(folder) / _last(name)).open("wb") as target:
                shutil.copyfileobj(source, target)
        yield Path(folder) / _last(member)


def _last(name: str) -> str:
    return PurePosixPath(name).name
