"""One import at a time, and what a killed import left behind."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lipgeo.errors import StoreError
from lipgeo.store.layout import MANIFEST, no_store, read_manifest

__all__ = ["import_lock"]

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
        if not _take(handle):
            raise StoreError("store.busy", path=store, process=_holder(path))
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0) if hasattr(os, "pwrite") else None
        _put_right(store)
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _holder(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="ascii", errors="replace").strip() or "?"
    return "?"  # Windows: a locked file cannot be read


def _put_right(store: Path) -> None:
    """Put back a vintage that was moved aside and never replaced; clear what was half written."""
    for aside in store.glob(".lipgeo-*"):
        old = aside / "old"
        if (old / MANIFEST).is_file():
            home = store / str(read_manifest(old)["vintage"])
            if not home.exists():
                old.rename(home)
        shutil.rmtree(aside, ignore_errors=True)
