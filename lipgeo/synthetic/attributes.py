"""A census as Statistics Canada's attribute files have it: one row a block, every parent named.

The layouts are those of ``layouts.toml``, the table the readers read by.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj

from lipgeo import geography
from lipgeo.attributes.layouts import Layout, layouts
from lipgeo.census import Census
from lipgeo.geography.hierarchy import facts

__all__ = ["block_fields", "write_layout"]

#: census year -> the layout its attribute file is written in
GAF = {2006: "gaf_2011", 2011: "gaf_2011", 2016: "gaf_2016", 2021: "gaf_2021"}
DGRF = {2021: "dgrf_2021"}
#: parents named in the files, by the name the files use
_NAMED = {
    "FED": "fed",
    "ER": "er",
    "CD": "cd",
    "CSD": "csd",
    "CCS": "ccs",
    "DPL": "dpl",
    "CMA": "cma",
    "POPCTR": "popctrra",
    "UA": "popctrra",
}
_RURAL = "9999"  # stands for no population centre; the class says so too
_OUTSIDE = {True: "000", False: "998"}  # no metropolitan area: in the territories, elsewhere


def block_fields(census: Census) -> pd.DataFrame:
    """Return what an attribute file says of each block, all text.

    Returns
    -------
    pandas.DataFrame
        One row a block; columns are the English field names of the layouts without year and
        punctuation, in lower case (``dbuid``, ``csdname``, ``popctrradguid``); empty text where a
        block has no such unit.
    """
    vintage = census.vintage
    blocks = census.units("DB")
    found: dict[str, npt.NDArray[np.object_] | pd.Series] = {
        "dbuid": blocks.index.to_series(),
        "dbdguid": blocks["dguid"],
        "dbpop": _whole(blocks["population"].fillna(0)),
        "dbtdwell": _whole(blocks["dwellings"].fillna(0)),
        "dburdwell": _whole(blocks["households"].fillna(0)),
        "dbarea": blocks["land_km2"].map("{:.4f}".format),
        "dbir": blocks["incomplete_reserve"].map({True: "T", False: "F"}),
        "dauid": blocks["DA"],
    }
    found |= _areas(census, blocks["DA"])
    for level, name in _NAMED.items():
        if level in blocks:
            units = census.units(level)
            found[f"{name}uid"] = blocks[level]
            found |= {
                f"{name}{end}": _of(units[column], blocks[level])
                for end, column in (("name", "unit_name"), ("type", "unit_type"))
            }
            found[f"{name}dguid"] = _of(units["dguid"], blocks[level])
    found |= _provinces(census, blocks["PR"])
    for level in ("CAR", "ADA", "CT"):
        if level in blocks:
            found[f"{level.lower()}uid"] = blocks[level]
            found[f"{level.lower()}dguid"] = _of(census.units(level)["dguid"], blocks[level])
    if "ADA" in blocks:
        found["adacode"] = blocks["ADA"].str[4:]
    found |= _metropolitan(blocks, found, vintage)
    found |= _centres(census, blocks, vintage)
    frame = pd.DataFrame({name: np.asarray(values, dtype=object) for name, values in found.items()})
    return frame.where(frame.notna(), "")


def _whole(values: pd.Series) -> pd.Series:
    return values.round().astype("int64").astype(str)


def _of(values: pd.Series, ids: pd.Series) -> npt.NDArray[np.object_]:
    """Return the value of each block's parent."""
    found = values.reindex(pd.Index(ids)).to_numpy(dtype=object, na_value="")
    return np.asarray(found, dtype=object)


def _areas(census: Census, da: pd.Series) -> dict[str, npt.NDArray[np.object_]]:
    """Return what is said of the dissemination area: DGUID and representative point."""
    units = census.units("DA")
    to_degrees = pyproj.Transformer.from_crs(census.crs, 4269, always_xy=True)
    longitude, latitude = to_degrees.transform(units["x"].to_numpy(), units["y"].to_numpy())
    said = {"dadguid": units["dguid"]}
    for end, values, form in (
        ("lamx", units["x"].to_numpy(), "{:.6f}"),
        ("lamy", units["y"].to_numpy(), "{:.6f}"),
        ("lat", latitude, "{:.6f}"),
        ("long", longitude, "{:.6f}"),
    ):
        said[end] = pd.Series([form.format(value) for value in values], index=units.index)
    rows = {"dadguid": _of(said.pop("dadguid"), da)}
    for end, values in said.items():
        rows[f"da{end}"] = rows[f"darp{end}"] = _of(values, da)
    return rows


def _provinces(census: Census, pr: pd.Series) -> dict[str, npt.NDArray[np.object_]]:
    known = facts()["provinces"]
    said = {
        "prname": {
            code: " / ".join(dict.fromkeys([row["en"], row["fr"]])) for code, row in known.items()
        },
        "prename": {code: row["en"] for code, row in known.items()},
        "prfname": {code: row["fr"] for code, row in known.items()},
        "preabbr": {code: row["abbr"][1] for code, row in known.items()},
        "prfabbr": {code: row["abbr"][-1] for code, row in known.items()},
    }
    rows = {name: _of(pd.Series(values), pr) for name, values in said.items()}
    return rows | {
        "pruid": pr.to_numpy(dtype=object),
        "prdguid": _of(census.units("PR")["dguid"], pr),
    }


def _metropolitan(
    blocks: pd.DataFrame, found: dict[str, npt.NDArray[np.object_] | pd.Series], vintage: int
) -> dict[str, npt.NDArray[np.object_]]:
    """Return what is said of metropolitan areas, their provincial parts and tracts.

    Outside them the code is that of the zone of influence, and a tract is all zeros.
    """
    inside = blocks["CMA"].notna().to_numpy()
    north = blocks["PR"].isin(["60", "61", "62"]).to_numpy()
    outside = np.where(north, _OUTSIDE[True], _OUTSIDE[False])
    code = np.where(inside, blocks["CMA"].fillna("").to_numpy(dtype=object), outside)
    kind = np.asarray(found["cmatype"], dtype=object)
    sac = np.select(
        [kind == "B", kind == "K", kind == "D", north], ["1", "2", "3", "8"], default="6"
    )
    part = blocks["PR"].to_numpy(dtype=object) + code
    part_guid = np.full(len(blocks), "", dtype=object)
    part_guid[inside] = geography.dguids("CMAP", part[inside], vintage, kind[inside]).to_numpy(
        dtype=object
    )
    tract = blocks["CT"].fillna("").to_numpy(dtype=object)
    none = (tract == "") & inside
    tract = np.where(none, code + "0000.00", tract)
    return {
        "cmauid": code.astype(object),
        "sactype": sac.astype(object),
        "saccode": code.astype(object),
        "cmapuid": np.where(inside, part, ""),
        "cmapdguid": part_guid,
        "ctuid": tract,
        "ctcode": np.array([text[3:7] for text in tract], dtype=object),
        "ctname": np.array([text[3:] for text in tract], dtype=object),
    }


def _centres(
    census: Census, blocks: pd.DataFrame, vintage: int
) -> dict[str, npt.NDArray[np.object_]]:
    """Return what is said of population centres: their class by size, class 1 for rural areas."""
    level = "POPCTR" if "POPCTR" in blocks else "UA"
    people = census.units(level)["population"].reindex(pd.Index(blocks[level]))
    inside = blocks[level].notna().to_numpy()
    size = people.fillna(0).to_numpy()
    grade = np.select([~inside, size < 30_000, size < 100_000], ["1", "2", "3"], default="4")
    code = blocks[level].fillna(_RURAL).to_numpy(dtype=object)
    part = blocks["PR"].to_numpy(dtype=object) + code
    part_guid = np.full(len(blocks), "", dtype=object)
    if level == "POPCTR":
        part_guid[inside] = geography.dguids("POPCTRP", part[inside], vintage).to_numpy(object)
    name = _of(census.units(level)["unit_name"], blocks[level])
    dguid = _of(census.units(level)["dguid"], blocks[level])
    return {
        "popctrrauid": code,
        "popctrrapuid": part,
        "popctrraname": np.where(inside, name, "Rural area / Région rurale"),
        "popctrradguid": dguid,
        "popctrrapdguid": part_guid,
        "popctrdguid": dguid,
        "popctrpdguid": part_guid,
        "popctrratype": np.where(inside, "4", "5").astype(object),
        "popctrraclass": grade.astype(object),
    }


def write_layout(fields: pd.DataFrame, name: str, vintage: int, path: Path) -> None:
    """Write blocks in a layout of ``layouts.toml``: fixed width or delimited, Windows-1252."""
    found = layouts()[name]
    names = found.names(vintage)
    columns = [fields[_key(column)].astype(str) for column in names]
    if found.form == "fixed":
        _write_fixed(columns, found, path)
    else:
        table = pd.concat(columns, axis=1, keys=list(names))
        table.to_csv(
            path, index=False, encoding=found.encoding, sep=found.delimiter, lineterminator="\r\n"
        )


def _key(column: str) -> str:
    """Return the key of a column: its English half without year and punctuation."""
    english = column.split("/", maxsplit=1)[0]
    bilingual = "_" in english and not english.startswith("DB_")
    english = english.split("_")[0] if bilingual else english
    return re.sub(r"\d{4}$", "", english.replace("_", "").lower())


def _write_fixed(columns: list[pd.Series], layout: Layout, path: Path) -> None:
    line: pd.Series | None = None
    for column, width in zip(columns, layout.widths, strict=True):
        cut = column.str.slice(0, width).str.ljust(width)
        line = cut if line is None else line + cut
    if line is not None:
        text = "\r\n".join(line.tolist()) + "\r\n"
        path.write_bytes(text.encode(layout.encoding, errors="replace"))
