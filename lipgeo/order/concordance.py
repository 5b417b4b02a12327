"""The concordance: which standard units each custom area is made of, and the list of areas."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from lipgeo.errors import OrderError
from lipgeo.spreadsheets import CsvStyle, Sheet, write_csv, write_workbook

if TYPE_CHECKING:
    from lipgeo.boundary import Boundaries

__all__ = ["area_list", "concordance", "custom_ids", "write_lists"]


def custom_ids(area_ids: pd.Series) -> pd.Series:
    """Return the ASCII id each area is ordered under: its own, without accents or odd marks.

    Parameters
    ----------
    area_ids
        Area ids (text).

    Returns
    -------
    pandas.Series
        Index the area ids, values the custom ids: upper case, ``A-Z 0-9 - _`` only.

    Raises
    ------
    OrderError
        Two areas would share a custom id; ``problems`` lists them.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.order import custom_ids
    >>> custom_ids(pd.Series(["nb-péninsule acadienne"])).tolist()
    ['NB-PENINSULE-ACADIENNE']
    """
    made = [
        re.sub(
            r"[^A-Z0-9_-]+",
            "-",
            unicodedata.normalize("NFKD", str(area)).encode("ascii", "ignore").decode().upper(),
        ).strip("-")
        for area in area_ids
    ]
    ids = pd.Series(made, index=pd.Index(area_ids, name="area_id"), name="custom_id", dtype=object)
    clash = ids[ids.duplicated(keep=False) | (ids == "")]
    if len(clash):
        raise OrderError(
            "order.custom_id_clash",
            [{"area_id": area, "custom_id": custom} for area, custom in clash.items()],
            areas=clash.index,
        )
    return ids


def concordance(boundaries: Boundaries, *, cover: bool = False) -> pd.DataFrame:
    """Return one row a unit of each area: only units that are in, no shares.

    Parameters
    ----------
    boundaries
        Fitted boundaries.
    cover
        Whether to list the fewest, largest units that are exactly the area instead of the units
        the fit chose.

    Returns
    -------
    pandas.DataFrame
        Columns ``VINTAGE, LEVEL, UNIT_CODE, UNIT_NAME, DGUID, CUSTOM_ID, AREA_NAME_EN,
        AREA_NAME_FR``, all text; a missing French area name shows the English one.
    """
    units = boundaries.cover if cover else boundaries.units
    areas = boundaries.areas.set_index("area_id")
    return pd.DataFrame(
        {
            "VINTAGE": units["area_id"].map(areas["vintage"].astype("string")),
            "LEVEL": units["level"],
            "UNIT_CODE": units["unit_id"],
            "UNIT_NAME": units["unit_name"],
            "DGUID": units["dguid"],
            "CUSTOM_ID": units["area_id"].map(custom_ids(boundaries.areas["area_id"])),
            "AREA_NAME_EN": units["area_id"].map(areas["name_en"]),
            "AREA_NAME_FR": units["area_id"].map(areas["name_fr"].fillna(areas["name_en"])),
        },
        dtype="string",
    ).reset_index(drop=True)


def area_list(boundaries: Boundaries) -> pd.DataFrame:
    """Return one row an area: its ids, names, level, counts and flags.

    Returns
    -------
    pandas.DataFrame
        ``CUSTOM_ID, AREA_ID, AREA_NAME_EN, AREA_NAME_FR, VINTAGE, LEVELS, UNIT_COUNT`` (text and
        counts), ``POPULATION, DWELLINGS`` (persons, dwellings of the union; missing stays empty),
        ``LAND_KM2``, ``MISFIT_SHARE`` (0 to 1), ``FLOOR_PERSONS, BELOW_FLOOR, FLAGS``.
    """
    areas = boundaries.areas
    levels = boundaries.units.groupby("area_id")["level"].agg(
        lambda found: " ".join(sorted(set(found)))
    )
    return pd.DataFrame(
        {
            "CUSTOM_ID": areas["area_id"].map(custom_ids(areas["area_id"])).astype("string"),
            "AREA_ID": areas["area_id"].astype("string"),
            "AREA_NAME_EN": areas["name_en"].astype("string"),
            "AREA_NAME_FR": areas["name_fr"].fillna(areas["name_en"]).astype("string"),
            "VINTAGE": areas["vintage"].astype("string"),
            "LEVELS": areas["area_id"].map(levels).astype("string"),
            "UNIT_COUNT": areas["unit_count"],
            "POPULATION": areas["population_union"],
            "DWELLINGS": areas["dwellings_union"],
            "LAND_KM2": areas["land_km2_union"],
            "MISFIT_SHARE": areas["misfit_share"],
            "FLOOR_PERSONS": areas["floor_persons"],
            "BELOW_FLOOR": areas["below_floor"].astype("string"),
            "FLAGS": areas["flags"].astype("string"),
        }
    ).reset_index(drop=True)


def write_lists(boundaries: Boundaries, folder: Path, *, csv: CsvStyle = "en") -> list[Path]:
    """Write ``concordance.csv``, ``concordance.xlsx`` and ``areas.csv`` into a folder.

    The workbook holds three sheets: the units the fit chose, the fewest units, the areas.

    Returns
    -------
    list of pathlib.Path
        The files written.
    """
    full, fewest, areas = (
        concordance(boundaries),
        concordance(boundaries, cover=True),
        area_list(boundaries),
    )
    write_csv(full, folder / "concordance.csv", csv)
    write_csv(areas, folder / "areas.csv", csv)
    write_workbook(
        [
            Sheet("concordance", full),
            Sheet("fewest_units", fewest),
            Sheet("areas", areas),
        ],
        folder / "concordance.xlsx",
    )
    return [folder / name for name in ("concordance.csv", "concordance.xlsx", "areas.csv")]
