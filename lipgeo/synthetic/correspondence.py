"""The correspondence file 92-156 between two censuses of one made country."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from lipgeo import geography
from lipgeo.atomic import file_in_one_step, write_zip
from lipgeo.census import Census
from lipgeo.errors import InputError
from lipgeo.sources import table_file
from lipgeo.synthetic.made import Country, country_of

__all__ = ["correspondence", "write_correspondence"]

Ints = npt.NDArray[np.int64]


def correspondence(newer: Census, older: Census, level: Literal["DA", "DB"] = "DA") -> pd.DataFrame:
    """Say which units of an older census the land of each newer block was in.

    Parameters
    ----------
    newer, older
        Two censuses of one made country (same blocks, same seed).
    level
        Level that is compared.

    Returns
    -------
    pandas.DataFrame
        One row a newer block and older unit that share land: ``new_id, old_id, db_id`` (text) and
        ``flag`` (1 one to one, 2 one new unit from several old, 3 several new from one old,
        4 several to several: told by all units that hang together).

    Raises
    ------
    InputError
        A census is not a made one, or they are of two countries.

    Examples
    --------
    >>> from lipgeo import synthetic
    >>> now, then = synthetic.census(500), synthetic.census(500, vintage=2016)
    >>> bool((synthetic.correspondence(now, then)["flag"] == "1").mean() > 0.5)
    True
    """
    now, then = country_of(newer), country_of(older)
    if now.land != then.land:
        raise InputError("synthetic.two_countries")
    block, old = _pairs(now, then, level)
    new = block if level == "DB" else now.units.da[block]
    flag = _flags(new, old)
    ids = {name: country.ids[level].to_numpy(dtype=object) for name, country in _named(now, then)}
    frame = pd.DataFrame(
        {
            "new_id": ids["new"][new],
            "old_id": ids["old"][old],
            "db_id": now.ids["DB"].to_numpy(dtype=object)[block],
            "flag": flag,
        }
    )
    return frame.sort_values(["new_id", "db_id", "old_id"], ignore_index=True)


def _named(now: Country, then: Country) -> tuple[tuple[str, Country], tuple[str, Country]]:
    return ("new", now), ("old", then)


def _pairs(now: Country, then: Country, level: str) -> tuple[Ints, Ints]:
    """Return the pairs of newer block and older unit that share a cell, or the same water."""
    wet_now, wet_then = (np.flatnonzero(c.units.water >= 0) for c in (now, then))
    block = np.concatenate([now.units.block, wet_now])
    old_block = np.concatenate([then.units.block, wet_then])
    old = old_block if level == "DB" else then.units.da[old_block]
    pairs = np.unique(np.column_stack([block, old]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _flags(new: Ints, old: Ints) -> npt.NDArray[np.object_]:
    """Return the kind of change of each pair, by the units that hang together."""
    span = int(new.max()) + 1
    size = span + int(old.max()) + 1
    links = csr_matrix((np.ones(len(new)), (new, span + old)), shape=(size, size))
    group = connected_components(links, directed=False)[1]
    news = np.bincount(group[:span], minlength=size)
    olds = np.bincount(group[span:], minlength=size)
    here = group[new]
    single_new, single_old = news[here] == 1, olds[here] == 1
    kinds = np.select([single_new & single_old, single_new, single_old], ["1", "2", "3"], "4")
    return np.asarray(kinds, dtype=object)


def write_correspondence(
    newer: Census, older: Census, folder: str | Path, level: Literal["DA", "DB"] = "DA"
) -> Path:
    """Write the correspondence file 92-156 of two made censuses, zipped, under its name.

    In 2021 the columns carry DGUIDs and names joined by ``_``; before, names joined by ``/``
    (files before 2016 were published in another form, which is not known here: these are
    written as that of 2016).

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        See :func:`correspondence`.
    OutputError
        The folder cannot be written.
    """
    frame = correspondence(newer, older, level)
    year, before = newer.vintage, older.vintage
    french = {"DA": "AD", "DB": "ID"}[level]
    mark = "_" if year >= 2021 else "/"
    heads = {
        "new_id": f"{level}UID{year}{mark}{french}IDU{year}",
        "old_id": f"{level}UID{before}{mark}{french}IDU{before}",
        "db_id": f"DBUID{year}{mark}IDIDU{year}",
    }
    flag = (
        f"{level}RELFLAG_{french}INDREL" if year >= 2021 else f"{level}_rel_flag/{french}_ind_rel"
    )
    columns = ["new_id", "old_id"] if level == "DB" else ["new_id", "old_id", "db_id"]
    named = frame[[*columns, "flag"]].rename(columns=heads | {"flag": flag})
    if level == "DB":
        named = named.drop_duplicates(ignore_index=True)
    if year >= 2021:
        for column, of, vintage in (("new_id", level, year), ("old_id", level, before)):
            head = f"{of}DGUID{vintage}_{french}IDUGD{vintage}"
            named[head] = geography.dguids(of, frame[column], vintage).to_numpy(dtype=object)
        if level == "DA":
            guids = geography.dguids("DB", frame["db_id"], year)
            named[f"DBDGUID{year}_IDIDUGD{year}"] = guids.to_numpy(dtype=object)
    known = table_file("correspondence", year, level)
    name = known.name if known is not None else f"{year}_92-156_{level}_{french}_csv.zip"
    path = Path(folder) / name
    stem = path.stem.removesuffix("_txt").removesuffix("_csv")
    member = f"{stem}/{stem}.csv" if year >= 2021 else f"{stem}.csv"
    with file_in_one_step(path) as zipped, tempfile.TemporaryDirectory() as place:
        text = Path(place) / "table.csv"
        named.to_csv(text, index=False, encoding="utf-8", lineterminator="\r\n")
        write_zip(zipped, {member: text})
    return path
