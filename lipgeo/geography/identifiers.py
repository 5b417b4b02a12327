"""Check the form of identifiers over whole columns, and tell the columns that hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lipgeo.errors import InputError
from lipgeo.geography.hierarchy import (
    Level,
    all_levels,
    facts,
    id_form,
    parents_by_id,
    require_level,
)
from lipgeo.words import say

__all__ = ["IdColumn", "are_ids", "id_column", "parent_ids"]


@dataclass(frozen=True)
class IdColumn:
    """What the name of an id column says.

    Attributes
    ----------
    level
        Code of the level.
    vintage
        Census year in the name, ``None`` where there is none.
    dguid
        Whether it holds DGUIDs rather than ids.
    """

    level: str
    vintage: int | None
    dguid: bool


@cache
def _columns() -> dict[str, str]:
    return {column.upper(): found.code for found in all_levels() for column in found.columns}


def id_column(name: str) -> IdColumn | None:
    """Say which ids a column holds, by its name in a published file.

    English, French and bilingual names, with or without a year, ids or DGUIDs; ``None`` where the
    name says no level (``DGUID`` alone, ``GeoUID``).

    Examples
    --------
    >>> from lipgeo.geography import id_column
    >>> id_column("DADGUID2016_ADIDUGD2016")
    IdColumn(level='DA', vintage=2016, dguid=True)
    >>> id_column("CMA_UID").level, id_column("SDRIDU").level, id_column("DGUID")
    ('CMA', 'CSD', None)
    """
    upper = name.strip().upper()
    for half in (re.sub(r"[_/\s]", "", upper), *re.split(r"[_/\s]+", upper)):
        match = re.fullmatch(r"(.*?)(\d{4})?", half)
        if match is None:
            continue
        stem, year = match.groups()
        # CSDDGUID holds the DGUIDs of what CSDUID holds the ids of; SDRIDUGD those of SDRIDU
        plain = re.sub(r"DGUID$", "UID", re.sub(r"IDUGD$", "IDU", stem))
        if plain in _columns():
            return IdColumn(_columns()[plain], int(year) if year else None, plain != stem)
    return None


@cache
def _stems() -> str:
    """Return what headers of ids begin with, as a pattern: ``CSD``, ``SDR``, ``CT``, ..."""
    stems = {re.sub(r"(UID|IDU)$", "", column) for column in _columns()}
    return "|".join(sorted(map(re.escape, stems), key=len, reverse=True))


def holds_codes(name: str) -> bool:
    """Say whether a header is that of ids or codes of units, however it is put.

    As :func:`id_column`, and headers that no published file has: ``ct_id``, ``CSD code``.

    Examples
    --------
    >>> from lipgeo.geography.identifiers import holds_codes
    >>> holds_codes("ct_id"), holds_codes("CSD code"), holds_codes("code_SDR_2021")
    (True, True, True)
    >>> holds_codes("CTUID"), holds_codes("population"), holds_codes("CSD")
    (True, False, False)
    """
    bare = re.sub(r"[^0-9A-Z]", "", name.upper())
    ends = r"(?:ID|CODE|UID|DGUID)"
    pattern = rf"(?:(?:{_stems()}){ends}|{ends}(?:{_stems()}))(?:\d{{4}})?"
    return id_column(name) is not None or re.fullmatch(pattern, bare) is not None


def as_series(values: Any) -> pd.Series:
    """Return ids given as a Series, array, index or list as a Series."""
    if isinstance(values, pd.Series):
        return values
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise InputError("geography.ids_not_a_list", given=repr(values))
    items = values if isinstance(values, np.ndarray) else list(values)
    return pd.Series(items, dtype=object if len(items) == 0 else None)


def to_arrow(values: pd.Series) -> pa.Array:
    """Return values as Arrow text, null where missing; (n,)."""
    if values.dtype in (np.float32, np.float16):
        # exactly the same number; Arrow would write it 3.506008e+06
        values = values.astype(np.float64)
    if values.dtype == np.float64:
        number, missing = values.to_numpy(), np.asarray(values.isna())
        known = number[~missing]
        # whole floats by way of integers: the same text in a fifth of the time
        if (np.trunc(known) == known).all() and (np.abs(known) < 1e15).all():
            whole = pa.array(np.where(missing, 0, number).astype(np.int64), mask=missing)
            return pc.binary_join_element_wise(whole.cast(pa.string()), ".0", "")
    text = pa.array(values.astype("string").array, type=pa.string())
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text


def to_series(text: pa.Array, like: pd.Series) -> pd.Series:
    """Return Arrow text as a ``string`` Series on the index and name of another."""
    array = pd.array(text.to_numpy(zero_copy_only=False), dtype="string")
    return pd.Series(array, index=like.index, name=like.name)


def matches(text: pa.Array, pattern: str) -> npt.NDArray[np.bool_]:
    """Say where text matches a regular expression; false where null; (n,)."""
    found = pc.fill_null(pc.match_substring_regex(text, pattern), False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def shape_pattern(form: str) -> str:
    """Return the regular expression of a form (9 a digit, A a capital letter)."""
    marks = {"9": "[0-9]", "A": "[A-Z]", ".": r"\."}
    return f"^{''.join(marks[mark] for mark in form)}$"


@cache
def id_pattern(code: str, vintage: int) -> str:
    """Return the regular expression of a level's ids: their form, and their province if in it."""
    form = id_form(code, vintage)
    prefix = facts()["levels"][code].get("prefix", {})
    if code == "PR" or prefix.get("PR") == [0, 2]:
        return f"^(?:{'|'.join(facts()['provinces'])}){shape_pattern(form[2:])[1:]}"
    return shape_pattern(form)


def describe_form(code: str, vintage: int) -> str:
    """Say what an id of a level looks like, in the language in force."""
    form = id_form(code, vintage)
    if set(form) == {"9"}:
        return say("geography.needs_digits", n=len(form))
    return say("geography.needs_form", form=form)


def are_ids(values: Any, name: str | Level, vintage: int) -> pd.Series:
    """Say of each value whether it has the form of an id of the level, exactly as it stands.

    Parameters
    ----------
    values
        A Series, array or list.
    name, vintage
        Level and census year.

    Returns
    -------
    pandas.Series
        Booleans on the index given; false where missing.

    Examples
    --------
    >>> from lipgeo.geography import are_ids
    >>> are_ids(["35060001", "3506001", "99060001"], "DA", 2021).tolist()
    [True, False, False]
    """
    series = as_series(values)
    code = require_level(name, vintage).code
    return pd.Series(matches(to_arrow(series), id_pattern(code, vintage)), index=series.index)


def parent_ids(ids: Any, name: str | Level, vintage: int, parent: str | Level) -> pd.Series:
    """Return the parents' ids that stand in the ids of a level; missing where the id is.

    Raises
    ------
    InputError
        An id of this level does not hold the parent's.

    Examples
    --------
    >>> from lipgeo.geography import parent_ids
    >>> parent_ids(["35060001001"], "DB", 2021, "DA").tolist()
    ['35060001']
    """
    found, wanted = require_level(name, vintage), require_level(parent, vintage).code
    where = parents_by_id(found, vintage).get(wanted)
    if where is None:
        holding = ", ".join(parents_by_id(found, vintage)) or "-"
        raise InputError(
            "geography.parent_not_in_id", level=found.code, parent=wanted, holding=holding
        )
    series = as_series(ids)
    part = pc.utf8_slice_codeunits(to_arrow(series), start=where.start, stop=where.stop)
    return to_series(part, series)
