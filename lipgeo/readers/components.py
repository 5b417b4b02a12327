"""Compose ids from their parts: GeoSuite gives ``CDcode`` 06 beside ``PRuid`` 35, not 3506.

A part alone is the code of no unit, and no number either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import pandas as pd

from lipgeo import geography
from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import fold
from lipgeo.report import Finding, finding

__all__ = ["compose_ids", "composing_columns", "require_composed"]


@cache
def _words() -> dict[str, str]:
    """Folded header of a column of parts -> level."""
    found: dict[str, str] = {}
    for level in geography.all_levels():
        for stem in level.stems:
            found.setdefault(f"{stem}CODE", level.code)
        if level.code == "CT":  # its code lacks what follows the point; its name has all
            found |= {f"{stem}{end}": "CT" for stem in level.stems for end in ("NAME", "NOM")}
    return found


def _parts(columns: Sequence[str]) -> dict[str, str]:
    """Return the columns that hold parts of ids, and the level of each."""
    keys = {name: re.sub(r"(?:19|20)\d\d$", "", fold(str(name)).upper()) for name in columns}
    return {name: _words()[key] for name, key in keys.items() if key in _words()}


def _id_columns(columns: Sequence[str]) -> dict[str, str]:
    """Return the column of ids of each level that has one."""
    found: dict[str, str] = {}
    for name in columns:
        place = geography.id_column(str(name))
        if place is not None and not place.dguid:
            found.setdefault(place.level, name)
    return found


def composing_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns that :func:`compose_ids` needs of a table; empty where it has no parts.

    Examples
    --------
    >>> from lipgeo.readers.components import composing_columns
    >>> composing_columns(["DBuid", "DBpop_2021", "PRuid", "CDcode"])
    ['DBuid', 'PRuid', 'CDcode']
    >>> composing_columns(["DAUID", "Immigrants"])
    []
    """
    parts, ids = _parts(columns), _id_columns(columns)
    if not parts:
        return []
    return [name for name in columns if name in parts or name in ids.values()]


def compose_ids(
    frame: pd.DataFrame, vintage: int | None, subject: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Replace columns of parts of ids by columns of ids.

    Parameters
    ----------
    frame
        Any index; the columns of parts (``CDcode``, ``CSDcode``, ``CTname``) and of the ids that
        they are parts of (``PRuid``, ``CMAuid``).
    vintage
        Census year; without it the newest forms.
    subject
        How messages call the table.

    Returns
    -------
    pandas.DataFrame
        Without the columns of parts; beside the others, as text, the ids of the levels that had
        none, under the published name of their column (``CDUID``), missing where a part is blank.
    list of Finding
        What was composed of what, and which parts could not be.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.readers.components import compose_ids
    >>> frame = pd.DataFrame({"PRuid": ["35"], "CDcode": ["06"], "CSDcode": ["8"]})
    >>> compose_ids(frame, 2021, "DB.csv")[0].iloc[0].to_dict()
    {'PRuid': '35', 'CDUID': '3506', 'CSDUID': '3506008'}
    """
    parts = _parts([str(name) for name in frame.columns])
    if not parts:
        return frame, []
    year = vintage if vintage is not None else geography.vintages()[-1]
    held = {level: _text(frame[name]) for level, name in _id_columns(list(frame.columns)).items()}
    composed: dict[str, pd.Series] = {}
    of: list[str] = []
    # coarse to fine: what is composed first is a part of the next
    for code in _coarse_first(year):
        for name in (name for name, level in parts.items() if level == code):
            if code in held:
                break
            ids = _compose(_text(frame[name]), code, year, held)
            if ids is not None:
                held[code] = composed[code] = ids
                of.append(f"{name} → {geography.level(code).columns[0]}")
    left = [
        name for name, level in parts.items() if level not in held and frame[name].notna().any()
    ]
    findings = []
    if composed:
        findings.append(finding("readers.composed_ids", "note", subject, columns=of))
    if left:
        findings.append(finding("readers.parts_left", "warning", subject, columns=left))
    kept = frame.drop(columns=list(parts))
    whole = {geography.level(code).columns[0]: ids for code, ids in composed.items()}
    return kept.assign(**whole), findings


def _coarse_first(year: int) -> list[str]:
    return sorted(geography.levels(year), key=lambda code: len(geography.parents_by_id(code, year)))


def _text(values: pd.Series) -> pd.Series:
    text = values.astype("string").str.strip()
    if pd.api.types.is_float_dtype(values):
        text = text.str.removesuffix(".0")
    return text.mask(text == "")


def _compose(part: pd.Series, code: str, year: int, held: dict[str, pd.Series]) -> pd.Series | None:
    """Return ids of a level; ``None`` where the parts are none, or the unit above is unknown."""
    there = part.dropna()
    if not len(there):
        return None
    if there.str.len().eq(geography.id_length(code, year)).all():
        return part  # whole ids under the header of a part
    parents = geography.parents_by_id(code, year)
    parent = max(parents, key=lambda one: parents[one].stop - parents[one].start, default="")
    if parent not in held:
        return None
    start = parents[parent].stop
    if code == "CT":
        end = _ends_of_tracts(part)
    else:
        rest = geography.id_length(code, year) - start
        end = part.where(part.str.fullmatch(rf"\d{{1,{rest}}}")).str.zfill(rest)
    if end[there.index].isna().any():
        return None
    return held[parent].str.zfill(start - parents[parent].start) + end


def _ends_of_tracts(names: pd.Series) -> pd.Series:
    """Return names of tracts as they end an id; missing all where none has a point."""
    if not names.str.contains(".", regex=False).any():
        return names.where(names.isna())
    split = names.str.extract(r"^(\d{1,4})(?:\.(\d{1,2}))?$")
    return split[0].str.zfill(4) + "." + split[1].fillna("").str.ljust(2, "0")


def require_composed(
    ids: pd.Series, parents: pd.DataFrame, level: str | None, vintage: int | None, subject: str
) -> None:
    """Refuse a table whose composed ids contradict the ids of its units.

    Parameters
    ----------
    ids
        Whole ids of the rows, missing where a row has none.
    parents
        The composed ids, on the same rows, each column under its published name.
    level, vintage
        What the rows are; ``None`` for areas of no census, which contradict nothing.
    subject
        How messages call the table.

    Raises
    ------
    TableError
        A part says another unit than the row's own id.
    """
    if level is None or vintage is None:
        return
    by_id = geography.parents_by_id(level, vintage)
    problems = []
    for name in parents.columns:
        place = geography.id_column(str(name))
        if place is None or place.level not in by_id:
            continue
        held = geography.parent_ids(ids, level, vintage, place.level)
        differ = parents[name].ne(held).fillna(False).to_numpy(dtype=bool)
        problems += [
            {"row": row, "unit_id": unit, "level": place.level, "given": given}
            for row, unit, given in zip(
                ids.index[differ], ids[differ], parents[name][differ], strict=True
            )
        ]
    if problems:
        units = [f"{row['unit_id']}: {row['level']} {row['given']}" for row in problems]
        raise TableError("readers.contradictions", problems, name=subject, units=units)
