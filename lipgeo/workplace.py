"""Work beside a target in a hidden folder that says whose it is; clear those of dead processes.

What is written stands in ``.lipgeo-NAME-...`` until it is whole and moved into place. A process
that is killed leaves that folder behind; the next that writes there removes it, and first puts back
what the dead one had moved aside. Whether a process lives the operating system says: it holds a
lock on a file in the folder, and lets go when the process ends, however it ends. Only folders of
this make are ever looked at.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = [
    "KEPT",
    "MOVES",
    "NEW",
    "OLD",
    "clear_litter",
    "exchange",
    "lock_file",
    "roll_back",
    "scratch_folder",
    "workplace",
]

#: in a workplace: what is to take its place; the folder that gave way; files that gave way, and
#: the list of the moves; whose it is
NEW, OLD, KEPT, MOVES, _OWNER = "new", "old", "kept", "moves.json", "owner.json"
_NAME = re.compile(
    r"\.lipgeo-.{0,24}-(?P<host>[0-9a-f]{6})-(?P<process>\d{1,10})-[a-z0-9_]{8}", re.DOTALL
)
#: seconds after which a workplace without an owner's file is nobody's: it is made at once
_MADE_BY_NOW = 3600.0


@contextmanager
def workplace(target: Path) -> Iterator[Path]:
    """Give a folder beside a target, for this process alone; it is gone when the block ends.

    Parameters
    ----------
    target
        What is written; its name stands in the folder's. Its folder is there already.
    """
    clear_litter(target.parent)
    # 24 characters are fewer than 100 bytes of the 255 a name may have
    prefix = f".lipgeo-{target.name[:24]}-{_host()}-{os.getpid()}-"
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    handle = os.open(folder / _OWNER, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with suppress(OSError):  # a file system that knows no locks: nobody will clear it
            while not lock_file(handle):  # who looks whether somebody lives holds it for a moment
                time.sleep(0.001)
        os.write(handle, json.dumps({"target": target.name}).encode())
        yield folder
    finally:
        _remove(folder, handle)


def _remove(place: Path, handle: int) -> None:
    """Remove a workplace, the file that says whose it is last, and let go of it."""
    try:
        for one in os.scandir(place):
            if one.is_dir(follow_symlinks=False):
                shutil.rmtree(one, ignore_errors=True)
            elif one.name != _OWNER:
                Path(one).unlink(missing_ok=True)
    finally:
        os.close(handle)  # Windows removes no file that is open
    with suppress(OSError):
        (place / _OWNER).unlink(missing_ok=True)
        place.rmdir()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder among the system's temporary ones; it is gone when the block ends."""
    with workplace(Path(tempfile.gettempdir(), "scratch")) as folder:
        inside = folder / NEW
        inside.mkdir()
        yield inside


def clear_litter(folder: Path) -> None:
    """Put back what dead processes had moved aside in a folder, and remove their workplaces.

    Parameters
    ----------
    folder
        Where workplaces may stand; nothing happens where it cannot be read.
    """
    with suppress(OSError):
        left = [Path(one) for one in os.scandir(folder) if _NAME.fullmatch(one.name)]
        for place in left:
            with suppress(OSError):
                _clear(place)


def _clear(place: Path) -> None:
    """Remove a workplace whose process is dead."""
    if place.is_symlink() or not place.is_dir():
        return
    try:
        handle = os.open(place / _OWNER, os.O_RDWR)
    except FileNotFoundError:
        if _is_nobodys(place):
            place.rmdir()
        return
    dead = False
    try:
        dead = lock_file(handle)
        said = os.read(handle, 1 << 16) if dead else b""
        dead = dead and (bool(said) or _is_nobodys(place))
        target = _target_of(place, said)
        if dead and target is not None:
            roll_back(place, target.parent)
            # killed between the two renames of a folder
            if (place / OLD).is_dir() and (place / NEW).is_dir() and not os.path.lexists(target):
                (place / OLD).rename(target)
    finally:
        if dead:
            _remove(place, handle)
        else:
            os.close(handle)


def _target_of(place: Path, said: bytes) -> Path | None:
    """Return the target that an owner's file names, ``None`` where it was not written whole."""
    try:
        name = json.loads(said)["target"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return place.with_name(name) if isinstance(name, str) and name == Path(name).name else None


def _is_nobodys(place: Path) -> bool:
    """Say whether who made a workplace that holds nothing died before it could say so."""
    named = _NAME.fullmatch(place.name)
    if named is None or {one.name for one in os.scandir(place)} - {_OWNER}:
        return False
    if named["host"] == _host() and sys.platform != "win32":
        try:
            os.kill(int(named["process"]), 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):
            return False
    return time.time() - place.stat().st_mtime > _MADE_BY_NOW


@functools.cache
def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def roll_back(place: Path, folder: Path) -> None:
    """Undo moves of files that did not all come to be; nothing where all did or none was begun.

    Parameters
    ----------
    place
        The workplace.
    folder
        Where the files were moved to.
    """
    try:
        moves: dict[str, Any] = json.loads((place / MOVES).read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    for name, digest in moves.items():
        target, new, old = folder / name, place / NEW / name, place / KEPT / name
        moved = digest is not None and not new.exists()
        # what somebody put there since stays
        if os.path.lexists(target) and moved and _digest(target) != digest:
            continue
        if old.exists():
            old.replace(target)
        elif moved:
            target.unlink(missing_ok=True)


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


if sys.platform == "win32":
    import msvcrt

    def lock_file(handle: int) -> bool:
        """Lock an open file for this process; ``False`` where another has it."""
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def lock_file(handle: int) -> bool:
        """Lock an open file for this process; ``False`` where another has it.

        Raises
        ------
        OSError
            The file system knows no locks.
        """
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True


def exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, where the operating system can; say whether it did."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), swap) == 0)
