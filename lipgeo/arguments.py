"""Arguments of a wrong kind are refused by name: what was needed, what came.

The main functions ask here first, so that ``None`` or a number in place of a path, a census or
boundaries ends in one sentence and not somewhere inside.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lipgeo.errors import KindError

__all__ = ["require_kind", "require_path", "require_paths"]

_LONGEST = 40


def require_kind(
    value: Any, kind: type[Any] | tuple[type[Any], ...], key: str, argument: str
) -> None:
    """Raise unless a value is of a kind; ``key`` is the sentence that says what is needed.

    Raises
    ------
    KindError
        It is of another kind.

    Examples
    --------
    >>> from lipgeo.arguments import require_kind
    >>> require_kind(None, str, "arguments.text", "name")
    Traceback (most recent call last):
    ...
    lipgeo.errors.KindError: name needs to be text; None was given.
    """
    if not isinstance(value, kind):
        raise KindError(key, argument=argument, given=_named(value))


def require_path(value: Any, argument: str = "path") -> Path:
    """Return a path given as text or :class:`pathlib.Path`.

    Raises
    ------
    KindError
        It is neither.
    """
    require_kind(value, (str, os.PathLike), "arguments.path", argument)
    return Path(value)


def require_paths(value: Any, argument: str = "path") -> list[Path]:
    """Return one path, or several, as a list.

    Raises
    ------
    KindError
        It is neither a path nor a list of paths.
    """
    if isinstance(value, str | os.PathLike):
        return [Path(value)]
    several = isinstance(value, list | tuple | set | frozenset) or hasattr(value, "__next__")
    paths = list(value) if several else [value]
    for one in paths:
        require_kind(one, (str, os.PathLike), "arguments.paths", argument)
    return [Path(one) for one in paths]


def _named(value: Any) -> str:
    """Return how a message names what came: a plain value as written, else its type."""
    if value is None or isinstance(value, str | bytes | bool | int | float):
        shown = repr(value)
        return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
    return type(value).__name__
