"""Read the official correspondence files 92-156, zipped or not, into a ``Correspondence``."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from functools import partial, reduce
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from lipgeo.crosswalk.correspondence import Correspondence
from lipgeo.errors import FileError, require_paths, tell_damage
from lipgeo.geography.identifiers import id_column
from lipgeo.geography.restoring import require_ids
from lipgeo.readers.sniff import TextForm, sniff
from lipgeo.readers.statcan.columns import facts
from lipgeo.readers.statcan.raw import open_member
from lipgeo.readers.text import read_fixed_table, read_text_table
from lipgeo.report import CheckReport, finding, notes_of

__all__ = ["read_correspondence"]

#: one file has no header: newer block, older block, flag, one character between
_HEADLESS = re.compile(r"\d{10}[^\d]\d{10}[^\d][1-4]\s*")
_HEADLESS_FIELDS = {"new_id": (0, 10), "old_id": (11, 10), "flag": (22, 1)}


def read_correspondence(path: str | Path | Sequence[str | Path]) -> Correspondence:
    """Read correspondence files; several are chained, newest first.

    Parameters
    ----------
    path
        A file 92-156 as published (CSV or text, zipped or not), by dissemination areas or blocks,
        the one of blocks of 2011 without a header too; or several of consecutive censuses, in any
        order.

    Returns
    -------
    Correspondence

    Raises
    ------
    FileError
        A file cannot be read, or is no correspondence file.
    IdError
        Ids that are none.
    CrosswalkError
        The files do not follow on each other.

    Examples
    --------
    >>> import tempfile
    >>> from lipgeo import read_correspondence, synthetic
    >>> now, then = synthetic.census(500), synthetic.census(500, vintage=2016)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     links = read_correspondence(synthetic.write_correspondence(now, then, folder))
    >>> links.vintage, links.old_vintage, links.level, links.block_level
    (2021, 2016, 'DA', 'DB')
    """
    paths = require_paths(path)
    read = sorted((_one(one) for one in paths), key=lambda link: -link.vintage)
    if not read:
        raise FileError("crosswalk.no_files")
    return reduce(lambda first, second: first.chain(second), read)


def _one(path: Path) -> Correspondence:
    opener = _opener(path)
    form = sniff(opener, name=path.name)
    if _is_headless(form):
        return _without_header(opener, form, path)
    places = [id_column(name) for name in form.columns]
    columns: dict[tuple[str, int], int] = {}
    for at, place in enumerate(places):
        if place is not None and place.vintage is not None and not place.dguid:
            columns.setdefault((place.level, place.vintage), at)
    years = sorted({year for _, year in columns}, reverse=True)
    old = [key for key in columns if years and key[1] == years[-1]]
    new = [key for key in columns if years and key[1] == years[0]]
    if not form.columns:
        raise FileError("crosswalk.headless", path=path, line=form.head[form.skip].strip())
    if len(years) != 2 or len(old) != 1:
        raise FileError("crosswalk.not_one", path=path, columns=list(form.columns))
    level = next((one for one in new if one[0] == old[0][0]), new[0])
    flag = next((at for at, name in enumerate(form.columns) if _is_flag(name)), None)
    wanted = {"new_id": columns[level], "old_id": columns[old[0]]}
    if ("DB", years[0]) in columns and level[0] != "DB":
        wanted["block_id"] = columns["DB", years[0]]
    if flag is not None:
        wanted["flag"] = flag
    names = sorted(wanted, key=lambda name: wanted[name])
    table = read_text_table(opener, form, columns=[wanted[name] for name in names], name=path.name)
    notes = notes_of(table)
    table.columns = names
    kinds = {
        "new_id": (level[0], years[0]),
        "old_id": (old[0][0], years[-1]),
        "block_id": ("DB", years[0]),
    }
    return _linked(table, kinds, path, notes)


def _linked(
    table: pd.DataFrame, kinds: dict[str, tuple[str, int]], path: Path, notes: CheckReport
) -> Correspondence:
    """Return the links of a table with a level and a census a column of ids."""
    ids = {
        name: require_ids(table[name].astype("string"), *kinds[name])
        for name in table.columns
        if name != "flag"
    }
    frame = pd.DataFrame({name: done.ids for name, done in ids.items()})
    if "flag" in table:
        frame["flag"] = table["flag"].astype("string")
    restored = [note for done in ids.values() for note in done.report]
    (level, year), (old_level, old_year) = kinds["new_id"], kinds["old_id"]
    said = finding(
        "crosswalk.read",
        "note",
        path.name,
        level=level,
        new=str(year),
        old=str(old_year),
        links=len(frame),
    )
    return Correspondence(
        frame,
        level=level,
        vintage=year,
        old_level=old_level,
        old_vintage=old_year,
        report=CheckReport([said, *restored, *notes]),
    )


def _is_headless(form: TextForm) -> bool:
    """Say whether all lines are those of the file without header, whatever parts its fields."""
    lines = [line.rstrip("\r\n") for line in form.head if line.strip()]
    return bool(lines) and all(map(_HEADLESS.fullmatch, lines))


def _without_header(opener: partial[BinaryIO], form: TextForm, path: Path) -> Correspondence:
    new, old = facts()["headless_correspondence"]["vintages"]
    body = TextForm(form.encoding, None, ".", False, CheckReport())
    length = max(len(line.rstrip()) for line in form.head)
    table = read_fixed_table(opener, body, _HEADLESS_FIELDS, max(length, 23), name=path.name)
    note = finding("crosswalk.read_headless", "note", path.name, name=path.name, new=new, old=old)
    return _linked(table, {"new_id": ("DB", new), "old_id": ("DB", old)}, path, CheckReport([note]))


def _is_flag(name: str) -> bool:
    folded = name.casefold().replace("_", "")
    return "relflag" in folded or "indrel" in folded


def _opener(path: Path) -> partial[BinaryIO]:
    """Return a function that opens the table of a file, zipped or not."""
    if not path.exists():
        raise FileError("readers.missing", path=path)
    if not zipfile.is_zipfile(path):
        return partial(path.open, "rb")
    with (
        tell_damage(FileError, "readers.broken_zip", path=str(path)),
        zipfile.ZipFile(path) as held,
    ):
        names = [name for name in held.namelist() if name.lower().endswith((".csv", ".txt"))]
        names.sort(key=lambda name: held.getinfo(name).file_size)
    if not names:
        raise FileError("crosswalk.not_one", path=path, columns=[])
    return partial(open_member, path, names[-1])
