"""Let a file hold the SHA-256 of itself: of its bytes with 64 zeros in the place of that sum.

JSON and Parquet files alike: the sum stands in JSON under ``own_sha256``, in Parquet that of the
schema. It is checked with no more than a text editor and ``sha256sum``.

A CSV, a picture or a GeoPackage has no such place. What is written for people is stamped: the
microseconds of its time of change are told by its bytes. Whoever works in it leaves another time,
other bytes, or both; one that was copied without its time is no longer known either.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

__all__ = ["NO_SUM", "OWN_SUM", "has_seal", "is_sealed", "is_stamped", "seal", "stamp"]

#: the key, and what stands there while the sum is taken
OWN_SUM = "own_sha256"
NO_SUM = "0" * 64
_MARK = f'"{OWN_SUM}": "'.encode()
_SUM = re.compile(rb"[0-9a-f]{64}")
#: microseconds of a second: file systems and what copies files keep no finer times everywhere
_SECOND = 1_000_000


def _place(raw: bytes) -> int:
    """Return where the sum begins, -1 where there is none.

    From behind: before the footer of a Parquet file stand the data, which may be anything.
    """
    at = raw.rfind(_MARK)
    return at if at < 0 else at + len(_MARK)


def _digest(raw: bytes, at: int) -> bytes:
    view = memoryview(raw)
    digest = hashlib.sha256(view[:at])
    digest.update(NO_SUM.encode())
    digest.update(view[at + len(NO_SUM) :])
    return digest.hexdigest().encode()


def seal(raw: bytes) -> bytes:
    """Return the bytes of a file with the sum in the place of :data:`NO_SUM`.

    Examples
    --------
    >>> import json
    >>> from lipgeo.sealing import NO_SUM, OWN_SUM, is_sealed, seal
    >>> raw = seal(json.dumps({"areas": 90, OWN_SUM: NO_SUM}).encode())
    >>> is_sealed(raw), is_sealed(raw.replace(b"90", b"91"))
    (True, False)
    """
    at = _place(raw)
    return raw[:at] + _digest(raw, at) + raw[at + len(NO_SUM) :]


def has_seal(raw: bytes) -> bool:
    """Whether a file has a place for a sum of itself."""
    return _place(raw) >= 0


def is_sealed(raw: bytes) -> bool:
    """Whether a file holds a sum of itself, and it fits."""
    at = _place(raw)
    given = raw[at : at + len(NO_SUM)] if at >= 0 else b""
    return _SUM.fullmatch(given) is not None and given == _digest(raw, at)


def _microseconds(path: Path) -> int:
    """Return the part of a second that the bytes of a file tell."""
    with path.open("rb") as stream:
        return int(hashlib.file_digest(stream, "sha256").hexdigest(), 16) % _SECOND


def stamp(path: Path) -> None:
    """Let the time of change of a file say what its bytes are; it is less than a second ago.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from lipgeo.sealing import is_stamped, stamp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "numbers.csv")
    ...     _ = path.write_text("area_id,value")
    ...     stamp(path)
    ...     as_written = is_stamped(path)
    ...     _ = path.write_text("area_id,value,notes")
    ...     as_written, is_stamped(path)
    (True, False)
    """
    now, part = time.time_ns() // 1000, _microseconds(path)
    when = (now - part) // _SECOND * _SECOND + part
    os.utime(path, ns=(when * 1000, when * 1000))


def is_stamped(path: Path) -> bool:
    """Whether a file is as it was when it was stamped."""
    return path.stat().st_mtime_ns // 1000 % _SECOND == _microseconds(path)
