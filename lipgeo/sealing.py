"""Let a file hold the SHA-256 of itself: of its bytes with 64 zeros in the place of that sum.

JSON and Parquet files alike: the sum stands in JSON under ``own_sha256``, in Parquet that of the
schema. It is checked with no more than a text editor and ``sha256sum``.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["NO_SUM", "OWN_SUM", "has_seal", "is_sealed", "seal"]

#: the key, and what stands there while the sum is taken
OWN_SUM = "own_sha256"
NO_SUM = "0" * 64
_MARK = f'"{OWN_SUM}": "'.encode()
_SUM = re.compile(rb"[0-9a-f]{64}")


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
