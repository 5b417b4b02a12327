"""Define every error lipgeo raises: one tree, each also the builtin a caller would expect.

A message answers four questions: what was needed, what came, which rows, what to do.
Messages live in the catalogue (:mod:`lipgeo.words`); an error is raised with the key of
its sentence and the values that fill it, so every error exists in both languages.

The main functions first require arguments of the right kind, so that ``None`` or a number in place
of a path, a census or boundaries ends in one sentence and not somewhere inside.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lipgeo.words import say

__all__ = [
    "AmbiguousNameError",
    "AreaError",
    "CRSError",
    "CalibrationError",
    "CensusError",
    "CrosswalkError",
    "DatumError",
    "DownloadError",
    "EngineError",
    "FileError",
    "FitError",
    "IdError",
    "InputError",
    "KindError",
    "LipgeoError",
    "MissingExtraError",
    "MissingLevelError",
    "OrderError",
    "OutputError",
    "RegistryError",
    "StoreError",
    "TableError",
    "UnknownUnitError",
    "ZoneError",
    "require_kind",
    "require_path",
    "require_paths",
    "tell_damage",
]


class LipgeoError(Exception):
    """Base of every error lipgeo raises.

    Parameters
    ----------
    key
        Key of the sentence in the catalogue, ``room.name``.
    problems
        One mapping a problem (row, id, what is wrong), kept in order.
    **values
        What fills the sentence. A list is shown as its first five and a count.

    Attributes
    ----------
    key, values
        As given.
    rows
        The problems as a tuple of dictionaries.
    """

    def __init__(
        self, key: str, /, problems: Iterable[Mapping[str, Any]] = (), **values: Any
    ) -> None:
        self.key = key
        self.values = values
        self.rows = tuple(dict(problem) for problem in problems)
        super().__init__(say(key, **values))

    def __str__(self) -> str:  # KeyError would show the repr of its argument
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:  # keyword arguments survive a worker process
        return (_rebuild, (type(self), self.key, self.rows, self.values))

    @property
    def problems(self) -> Any:
        """The problems as a :class:`pandas.DataFrame`, one row each (empty when there is one)."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))


def _rebuild(
    kind: type[LipgeoError], key: str, rows: tuple[Any, ...], values: dict[str, Any]
) -> LipgeoError:
    return kind(key, rows, **values)


class InputError(LipgeoError, ValueError):
    """What was given cannot be used as it is."""


class KindError(InputError, TypeError):
    """An argument is of the wrong kind: nothing where a path is needed, text for a census."""


class FileError(LipgeoError, OSError):
    """A file is missing, unreadable, incomplete or not what its name says."""


class OutputError(LipgeoError, OSError):
    """A result cannot be written where it was asked for."""


class DownloadError(LipgeoError, OSError):
    """A download failed, or what came is not what was promised."""


class CRSError(InputError):
    """A layer has no coordinate reference system, or one that cannot be used here."""


class DatumError(CRSError):
    """A layer stands on a datum that cannot be brought to NAD83 without grids (NAD27)."""


class ZoneError(InputError):
    """A layer of polygons is not fit for work: ids, geometry types, validity."""


class AreaError(InputError):
    """A service area cannot be understood or does not meet the census."""


class IdError(InputError):
    """Census identifiers or DGUIDs that are not what their level and vintage require."""


class AmbiguousNameError(InputError):
    """A name fits several census units; lipgeo never picks."""


class UnknownUnitError(LipgeoError, KeyError):
    """Census units that are not in the opened census."""


class CensusError(InputError):
    """Census data do not fit together: duplicates, orphans, mixed vintages."""


class StoreError(LipgeoError, OSError):
    """The store on disk is missing, half written, damaged or of a newer version."""


class MissingLevelError(LipgeoError, LookupError):
    """A job needs a census level, or counts, that the store does not hold."""


class CrosswalkError(InputError):
    """A crosswalk cannot be built, read or composed from what was given."""


class FitError(InputError):
    """A boundary cannot be fitted under the rule and options asked for."""


class TableError(InputError):
    """A census table cannot be read or weighted as it stands."""


class CalibrationError(InputError):
    """Controls and sources cannot be reconciled."""


class OrderError(LipgeoError, ValueError):
    """An order package cannot be written, verified or compared."""


class RegistryError(LipgeoError, LookupError):
    """A registry entry does not exist or cannot be resolved to units."""


class MissingExtraError(LipgeoError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


class EngineError(LipgeoError, RuntimeError):
    """An engine that works beyond this process (Spark) is not there, not fit, or failed."""


@contextmanager
def tell_damage(error: type[LipgeoError], key: str, /, **values: Any) -> Iterator[None]:
    """Tell whatever a parser of somebody else's stumbles over as one error of ours.

    A damaged file ends in errors of every kind, from ``KeyError`` to ``zlib.error``: what a parser
    raises of it is no contract. So the block holds the call of the parser and nothing else.

    Parameters
    ----------
    error
        What is raised; errors of ours, and memory that ran out, pass as they are.
    key, **values
        Its sentence; ``reason`` is put in.

    Raises
    ------
    LipgeoError
        Of the kind asked for.

    Examples
    --------
    >>> import json
    >>> from lipgeo.errors import FileError, tell_damage
    >>> with tell_damage(FileError, "readers.bad_parquet", path="a.parquet"):
    ...     json.loads("[")
    Traceback (most recent call last):
    ...
    lipgeo.errors.FileError: a.parquet cannot be read as Parquet: Expecting value: line 1 column 2 (char 1). Copy or write it again.
    """  # noqa: E501
    try:
        yield
    except (LipgeoError, MemoryError):
        raise
    except Exception as found:
        reason = getattr(found, "strerror", None) or str(found) or type(found).__name__
        shown = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
        raise error(key, reason=shown, **values) from found


_LONGEST = 40
_LONGEST_REASON = 300


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
    >>> from lipgeo.errors import require_kind
    >>> require_kind(None, str, "errors.text", "name")
    Traceback (most recent call last):
    ...
    lipgeo.errors.KindError: name needs to be text; None was given.
    """
    if not isinstance(value, kind):
        raise KindError(key, argument=argument, given=_describe(value))


def require_path(value: Any, argument: str = "path") -> Path:
    """Return a path given as text or :class:`pathlib.Path`.

    Raises
    ------
    KindError
        It is neither.
    """
    require_kind(value, (str, os.PathLike), "errors.path", argument)
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
        require_kind(one, (str, os.PathLike), "errors.paths", argument)
    return [Path(one) for one in paths]


def _describe(value: Any) -> str:
    """Return how a message names what came: a plain value as written, else its type."""
    if value is None or isinstance(value, str | bytes | bool | int | float):
        shown = repr(value)
        return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
    return type(value).__name__
