"""Made tables written as the Census Profile of 2021 is published."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.atomic import file_in_one_step
from lipgeo.census import Census
from lipgeo.errors import InputError
from lipgeo.synthetic.figures import MadeTable

__all__ = ["write_profile"]

Texts = npt.NDArray[np.object_]

#: the 23 columns; SYMBOL stands six times
COLUMNS = (
    "CENSUS_YEAR", "DGUID", "ALT_GEO_CODE", "GEO_LEVEL", "GEO_NAME", "TNR_SF", "TNR_LF",
    "DATA_QUALITY_FLAG", "CHARACTERISTIC_ID", "CHARACTERISTIC_NAME", "CHARACTERISTIC_NOTE",
    "C1_COUNT_TOTAL", "SYMBOL", "C2_COUNT_MEN+", "SYMBOL", "C3_COUNT_WOMEN+", "SYMBOL",
    "C10_RATE_TOTAL", "SYMBOL", "C11_RATE_MEN+", "SYMBOL", "C12_RATE_WOMEN+", "SYMBOL",
)  # fmt: skip
_ORDER = ("PR", "CD", "CSD", "DA")


@cache
def _facts() -> dict[str, Any]:
    text = resources.files("lipgeo.synthetic").joinpath("profile.toml").read_text("utf-8")
    return tomllib.loads(text)


def write_profile(census: Census, tables: Sequence[MadeTable], folder: str | Path) -> list[Path]:
    """Write tables as the Census Profile of 2021 by PR, CD, CSD and DA (98-401-X2021006).

    One file a region, Windows-1252, 23 columns of which ``SYMBOL`` stands six times; a unit's
    rows stand together, characteristic after characteristic. Men and women are halves of the
    total, rounded on their own.

    Parameters
    ----------
    census
        The census the tables are of.
    tables
        Tables of PR, CD, CSD or DA (:func:`~lipgeo.synthetic.table`).
    folder
        Where to write.

    Returns
    -------
    list of pathlib.Path
        The files of regions that have units.

    Raises
    ------
    InputError
        A table of another level, or a census other than 2021.
    OutputError
        The folder cannot be written.
    """
    strange = [made.level for made in tables if made.level not in _ORDER]
    if census.vintage != 2021 or strange:
        raise InputError("synthetic.no_profile", levels=strange, vintage=str(census.vintage))
    parts = [_rows(census, made) for made in sorted(tables, key=lambda m: _ORDER.index(m.level))]
    whole = pd.concat(parts, ignore_index=True)
    paths = []
    for region, provinces in _facts()["regions"].items():
        mine = whole[whole["ALT_GEO_CODE"].str[:2].isin(provinces)]
        if mine.empty:
            continue
        path = Path(folder) / f"98-401-X2021006_English_CSV_data_{region}.csv"
        with file_in_one_step(path) as temporary:
            mine.to_csv(
                temporary, index=False, header=list(COLUMNS), encoding="cp1252",
                errors="replace", lineterminator="\r\n",
            )  # fmt: skip
        paths.append(path)
    return paths


def _rows(census: Census, made: MadeTable) -> pd.DataFrame:
    units = census.units(made.level).reindex(made.frame.index)
    land = made.frame.assign(land_km2=units["land_km2"].round(4))
    signs = made.symbols.assign(land_km2="")
    known = [row for row in _facts()["rows"] if row["variable"] in land]
    variables = [row["variable"] for row in known]
    per_unit = len(known)
    names = units["unit_name"].fillna(units.index.to_series()).to_numpy(dtype=object)
    head = {
        "CENSUS_YEAR": "2021",
        "DGUID": units["dguid"].to_numpy(dtype=object),
        "ALT_GEO_CODE": units.index.to_numpy(dtype=object),
        "GEO_LEVEL": _facts()["geo_level"][made.level],
        "GEO_NAME": names,
        "TNR_SF": "3.1",
        "TNR_LF": "4.3",
        "DATA_QUALITY_FLAG": "00000",
    }
    frame = pd.DataFrame(head).loc[np.repeat(np.arange(len(units)), per_unit)]
    frame = frame.reset_index(drop=True)
    frame["id"] = np.tile([str(row["id"]) for row in known], len(units))
    frame["name"] = np.tile(np.array([row["name"] for row in known], dtype=object), len(units))
    frame["note"] = ""
    values = land[variables].to_numpy()
    symbols = signs[variables].to_numpy(dtype=object)
    halves = np.where(np.isin(variables, ["dwellings", "households", "land_km2"]), np.nan, 0.49)
    bases = _bases(known, values)
    counts = (values, np.round(values * halves / 5) * 5, np.round(values * (1 - halves) / 5) * 5)
    for place, count in enumerate(counts):
        frame[f"count{place}"], frame[f"sign{place}"] = _cells(count, symbols)
    for place, _ in enumerate(counts):
        rate = np.round(100 * values / np.where(bases > 0, bases, np.nan), 1)
        told = np.where(np.isnan(bases), "...", symbols)
        frame[f"rate{place}"], frame[f"ratesign{place}"] = _cells(rate, told)
    return frame


def _bases(known: list[dict[str, Any]], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the total each value is a share of, missing where it is a share of none."""
    bases = np.full(values.shape, np.nan)
    at = {row["id"]: column for column, row in enumerate(known)}
    for column, row in enumerate(known):
        if "of" in row:
            bases[:, column] = values[:, at[row["of"]]]
    return bases


def _cells(values: npt.NDArray[np.float64], symbols: Texts) -> tuple[Texts, Texts]:
    """Return the texts of values, empty where there is none, and of the symbols beside them."""
    flat = values.ravel()
    text = np.array([f"{v:.4f}".rstrip("0").rstrip(".") for v in flat.tolist()], dtype=object)
    text[np.isnan(flat)] = ""
    signs = np.where(np.isnan(values) & (symbols == ""), "...", symbols).ravel()
    text[signs != ""] = ""
    return text, signs.astype(object)
