"""``read_service_areas``: service areas from any vector file, any unit list, or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import shapely

from lipgeo.areas import ServiceAreas
from lipgeo.areas.faults import finding
from lipgeo.areas.fields import near
from lipgeo.areas.unit_lists import entries, levels_named
from lipgeo.arguments import require_paths
from lipgeo.census import Census
from lipgeo.errors import AreaError
from lipgeo.layers import read_layer
from lipgeo.readers.lists import GEOMETRY, list_of_sheet, list_of_toml
from lipgeo.readers.sheets import Sheet, read_sheet
from lipgeo.report import CheckReport, keep_notes

__all__ = ["named_levels", "read_service_areas"]

_SHEETS = {".csv", ".tsv", ".tab", ".txt", ".xlsx", ".xlsm", ".xls"}
_COLUMNS = ("id", "name_en", "name_fr", "group_by")


def read_service_areas(
    path: str | Path | Sequence[str | Path],
    *,
    id: str | None = None,
    name_en: str | None = None,
    name_fr: str | None = None,
    crs: str | None = None,
    layer: str | None = None,
    encoding: str | None = None,
    as_one: str | None = None,
    group_by: str | None = None,
    census: Census | None = None,
) -> ServiceAreas:
    """Read service areas.

    Parameters
    ----------
    path
        A vector file in any format (zipped or not), or a unit list as CSV, workbook or TOML; or
        several of them: an area drawn in one and listed in another is both.
    id
        Column of the areas' ids. Without it an obvious one is taken, and named in the report.
    name_en, name_fr
        Columns of the names.
    crs
        The coordinate reference system, where the file does not say it.
    layer
        Layer of the file, or worksheet of the workbook.
    encoding
        Encoding of the texts, where the file does not say it or says it wrong.
    as_one
        Id of the one area that all rows together are.
    group_by
        Column whose values are the ids: rows that share one are parts of one area.
    census
        The census whose codes a unit list uses.

    Returns
    -------
    ServiceAreas

    Raises
    ------
    FileError
        A file is missing, unreadable or not what its name says.
    AreaError, AmbiguousNameError
        See :meth:`ServiceAreas.from_frame` and :meth:`ServiceAreas.from_units`; or a list's
        columns cannot be told, or it came without ``census``.
    CRSError, DatumError
        The CRS is missing or stands on NAD27.

    Notes
    -----
    **A sheet** has one row a unit. Its columns are known by their usual headers, English or
    French: the area (``area_id``, ``territoire``, ...), and either ``unit`` (``CSD:4806016``, a
    DGUID, or ``CSD: Windsor, ON``), or ``level`` (``CSD``, ``SDR``, ``census subdivision``, ...)
    with ``unit_code`` or ``unit_name``, or one column of ids as Statistics Canada calls them
    (``CSDUID``, ``SDRIDU``); further ``province``, ``mode`` (include or exclude), ``name_en``,
    ``name_fr``, ``valid_from``, ``valid_to``, ``vintage``. A concordance that lipgeo wrote is such
    a sheet. A sheet with a column of outlines as WKT is read as drawn areas.

    **TOML** holds any number of areas::

        vintage = 2021                       # optional: refused with another census

        [area.ab-calgary]
        name_en = "Calgary"                  # optional, as are name_fr, valid_from, valid_to
        name_fr = "Calgary"
        valid_from = 2019-04-01
        units = ["CSD:4806016"]

        [area.ab-bow-valley]
        units = ["CSD: Canmore", "CSD: Banff", "DPL: Exshaw"]
        exclude = ["DA:48150123"]            # optional
    """
    paths = require_paths(path)
    if not paths:
        raise AreaError("areas.no_rows")
    given = [(one, _open(one, layer=layer, encoding=encoding, crs=crs)) for one in paths]
    asked = {"id": id, "name_en": name_en, "name_fr": name_fr, "group_by": group_by}
    _require_somewhere(asked, [content for _, content in given])
    parts = []
    for one, content in given:
        if isinstance(content, gpd.GeoDataFrame):
            here = {key: c if c in content.columns else None for key, c in asked.items()}
            parts.append(ServiceAreas.from_frame(content, as_one=as_one, **here))
            continue
        if census is None:
            raise AreaError("readers.needs_census", path=one)
        if content is None:
            units = list_of_toml(one, census.vintage)
            if as_one is not None:
                units["area_id"] = as_one
        else:
            here = {key: c if c in content.frame else None for key, c in asked.items()}
            units = list_of_sheet(content, one, census.vintage, as_one=as_one, **here)
        parts.append(ServiceAreas.from_units(units, census))
    return parts[0] if len(parts) == 1 else ServiceAreas.concat(parts)


def named_levels(
    path: str | Path, vintage: int, *, layer: str | None = None, encoding: str | None = None
) -> tuple[str, ...] | None:
    """Return the census levels that a unit list names, finest first; ``None`` for a drawn file.

    No census is needed: it tells which files a job needs before there is one.

    Raises
    ------
    FileError, AreaError
        As for :func:`read_service_areas`, as far as the file alone can tell.
    """
    one = Path(path)
    if one.suffix.casefold() not in (*_SHEETS, ".toml"):
        return None
    content = _open(one, layer=layer, encoding=encoding, crs=None)
    if isinstance(content, gpd.GeoDataFrame):
        return None
    if content is None:
        units = list_of_toml(one, vintage)
    else:
        # which area a unit belongs to does not matter here
        nothing = dict.fromkeys(_COLUMNS)
        units = list_of_sheet(content, one, vintage, as_one="-", **nothing)
    return levels_named(entries(units), vintage)


def _open(
    path: Path, *, layer: str | None, encoding: str | None, crs: str | None
) -> gpd.GeoDataFrame | Sheet | None:
    """Read a file: a layer, a sheet, or ``None`` for TOML, which is read with the vintage known."""
    suffix = path.suffix.casefold()
    if suffix == ".toml":
        return None
    if suffix not in _SHEETS:
        return read_layer(path, layer=layer, encoding=encoding, crs=crs)
    sheet = read_sheet(path, layer, encoding=encoding)
    column = next((c for c in sheet.frame if str(c).casefold() in GEOMETRY), None)
    if column is None:
        return sheet
    written = sheet.frame[column]
    outlines = shapely.from_wkt(written.to_numpy(dtype=object, na_value=None), on_invalid="ignore")
    bad = written.index[shapely.is_missing(outlines) & written.notna()]
    if len(bad):
        problems = [{"row": row} for row in bad]
        raise AreaError("readers.bad_wkt", problems, path=path, column=column, rows=bad)
    frame = gpd.GeoDataFrame(sheet.frame.drop(columns=column), geometry=outlines, crs=crs)
    note = finding("readers.wkt", "note", path.name, column=column)
    keep_notes(frame, sheet.notes + CheckReport([note]))
    return frame


def _require_somewhere(
    asked: dict[str, str | None], contents: Sequence[gpd.GeoDataFrame | Sheet | None]
) -> None:
    """Raise unless each column asked for is in one of the files at least."""
    columns = [
        str(column)
        for content in contents
        if content is not None
        for column in (content.frame if isinstance(content, Sheet) else content)
        if column != "geometry"
    ]
    missing = [column for column in asked.values() if column is not None and column not in columns]
    if missing:
        raise AreaError(
            "areas.no_such_column",
            [{"column": column} for column in missing],
            missing=missing,
            near=near(missing, columns),
            columns=", ".join(dict.fromkeys(columns)) or "-",
        )
