"""Read the registry's tables (partnerships, definitions, overlaps, consortia) as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable
from io import StringIO
from pathlib import Path

import pandas as pd

from lipgeo.areas.fields import name_nearest
from lipgeo.errors import FileError, RegistryError
from lipgeo.store.published import boundaries

__all__ = [
    "COLUMNS",
    "KINDS",
    "STATUSES",
    "Registry",
    "is_registry_table",
    "listed_codes",
    "looks_like_ids",
    "open_registry",
    "read_rows",
    "require_one_of",
]

KINDS = ("LIP", "ZIP", "RIF")
STATUSES = ("resolved", "choose", "missing", "placeholder", "unknown")
_LIPS = """lip_id kind name_en name_fr province ircc_region service_area_text codes_vintage units
    alternatives missing_units units_status extent_status note existence lead_org website
    source"""
_DEFINITIONS = """lip_id version follows valid_from valid_to codes_vintage units extent_status
    note source"""
_CONSORTIA = """consortium_id name_en name_fr province lead_org codes_general_knowledge units
    alternatives codes_status matching_lip_ids listed_2011_page listed_2006_release source
    confidence"""
#: the columns each file needs; others are kept
COLUMNS: dict[str, tuple[str, ...]] = {
    "lips": tuple(_LIPS.split()),
    "definitions": tuple(_DEFINITIONS.split()),
    "overlaps": ("one", "other", "reason", "status", "source"),
    "consortia": tuple(_CONSORTIA.split()),
}
#: columns by which a table is known as one of the registry's
_SIGNS = {
    "lips": {"lip_id", "units_status"},
    "definitions": {"lip_id", "version"},
    "overlaps": {"one", "other", "reason"},
    "consortia": {"consortium_id", "matching_lip_ids"},
}
_ID = r"[a-z]{2,3}(?:-[a-z0-9]+)+"
#: registry ids, each with an optional choice: ab-calgary@cma, ab-brooks
_IDS = re.compile(rf"\s*{_ID}(?:@[^,\s]+)?(?:\s*,\s*{_ID}(?:@[^,\s]+)?)*\s*")


@dataclass(frozen=True)
class Registry:
    """The registry's tables, every cell text, empty where nothing is said.

    Attributes
    ----------
    lips
        One row a partnership or network; index ``row``, its line in the file.
    definitions
        Further definitions of a partnership's area, one row each, with their dates if known.
    overlaps
        Pairs of ids, or of kinds, whose overlap is intended, and why.
    consortia
        One row a data consortium.
    """

    lips: pd.DataFrame
    definitions: pd.DataFrame
    overlaps: pd.DataFrame
    consortia: pd.DataFrame

    def entries(self, ids: Iterable[str]) -> pd.DataFrame:
        """Return the rows of some partnerships, index ``lip_id``, in the order asked for.

        Raises
        ------
        RegistryError
            Some are not in the registry; the message names the nearest.
        """
        wanted = list(ids)
        known = self.lips.drop_duplicates("lip_id").set_index("lip_id")
        strangers = [one for one in wanted if one not in known.index]
        if strangers:
            raise RegistryError(
                "registry.no_such_id",
                [{"area_id": one} for one in strangers],
                ids=strangers,
                near=name_nearest(strangers, known.index),
            )
        return known.loc[wanted]


def require_one_of(given: str, known: tuple[str, ...], name: str) -> str:
    """Return a word of the registry that is known.

    Raises
    ------
    RegistryError
        It is not; ``name`` is what it was given for.
    """
    if given not in known:
        raise RegistryError("registry.not_one_of", given=given, name=name, known=list(known))
    return given


def open_registry(folder: str | Path | None = None) -> Registry:
    """Read the registry: the one lipgeo carries, or a folder of one's own.

    Parameters
    ----------
    folder
        Folder with ``lips.csv`` and, if wanted, ``definitions.csv``, ``overlaps.csv`` and
        ``consortia.csv``; by default the one lipgeo carries.

    Raises
    ------
    FileError
        ``lips.csv`` is missing, or a table is no UTF-8 CSV.
    RegistryError
        A table lacks columns.
    """
    if folder is None:
        return _packaged_registry()
    return _read(Path(folder))


@cache
def _packaged_registry() -> Registry:
    return _read(boundaries())


def _read(folder: Traversable) -> Registry:
    tables = {}
    for name, columns in COLUMNS.items():
        path = folder / f"{name}.csv"
        if not path.is_file():
            if name == "lips":
                raise FileError("registry.no_table", path=str(path))
            tables[name] = pd.DataFrame(columns=[*columns], dtype="string").rename_axis("row")
            continue
        frame = read_rows(path)
        missing = [column for column in columns if column not in frame]
        if missing:
            raise RegistryError(
                "registry.no_columns", path=path.name, columns=missing, found=list(frame.columns)
            )
        tables[name] = frame
    return Registry(**tables)


def read_rows(path: Traversable) -> pd.DataFrame:
    """Read one table of the registry as text, index ``row``: its line in the file.

    Raises
    ------
    FileError
        It is no UTF-8 CSV.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        frame = pd.read_csv(StringIO(text), dtype="string", keep_default_na=False)
    except (UnicodeDecodeError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise FileError("registry.not_a_table", path=str(path), reason=str(error)) from error
    frame = frame.apply(lambda column: column.str.strip())
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="row")
    return frame


def is_registry_table(path: Path) -> str | None:
    """Return which of the registry's tables a CSV is, known by its columns; ``None`` for others."""
    if path.suffix.casefold() != ".csv" or not path.is_file():
        return None
    with path.open("rb") as lines:
        head = lines.readline().decode("utf-8-sig", errors="replace")
    columns = set(head.strip().split(","))
    return next((name for name, signs in _SIGNS.items() if signs <= columns), None)


def looks_like_ids(text: str) -> bool:
    """Whether a text is one or more registry ids, with or without a choice.

    Examples
    --------
    >>> from lipgeo.registry.table import looks_like_ids
    >>> [looks_like_ids(t) for t in ("ab-calgary@cma, nb-moncton", "areas.gpkg", "demo")]
    [True, False, False]
    """
    return _IDS.fullmatch(text) is not None


def listed_codes(cell: str) -> list[str]:
    """Return the units of a cell: ``CSD:1;CSD:2``."""
    return [code.strip() for code in str(cell).split(";") if code.strip()]
