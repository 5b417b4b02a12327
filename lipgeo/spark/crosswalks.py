"""``build_crosswalk`` on Spark: the same crosswalk, the overlay worked by a cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely

from lipgeo import geography
from lipgeo.areas import ServiceAreas
from lipgeo.census import CensusData, CensusZones
from lipgeo.crosswalk.building import laid_out
from lipgeo.crosswalk.descent import LevelUnits, Outlines
from lipgeo.crosswalk.kernel import Overlay, overlay
from lipgeo.crosswalk.table import Crosswalk, Placement, Weight
from lipgeo.errors import EngineError
from lipgeo.spark.parts import COLUMNS, SCHEMA, Areas, merged, shares
from lipgeo.spark.sessions import failures, reason_of, require_fit
from lipgeo.store.layout import level_file
from lipgeo.store.read import StoreData
from lipgeo.stored_tables.opening import spark_address
from lipgeo.zones import Zones

__all__ = ["build_crosswalk"]

_SIDES = COLUMNS[1:5]


def build_crosswalk(
    session: Any,
    source: CensusZones,
    target: Zones | ServiceAreas,
    *,
    weight: Weight = "area",
    placement: Placement = "surface",
    by: str | None = "PR",
    folder: str | None = None,
) -> Crosswalk:
    """Share out a census level among targets, the overlay worked on Spark.

    Spark reads the level's polygons from the store, partitions them by province, and lays them
    over the targets with lipgeo's own kernel (``mapInPandas``); the targets are broadcast. Where
    people are asked for, the blocks of the units that an outline crosses follow in a second job.
    All else (ids, counts, what falls back to dwellings or area, the checks) is done here, by the
    code of :func:`lipgeo.build_crosswalk`.

    Parameters
    ----------
    session
        A Spark session, best from :func:`open_session`.
    source
        A level of a census: ``census.zones("DA")``. The store must stand where every worker sees
        it under the same path, or ``folder`` says where. A census in memory is sent to the workers.
    target, weight, placement
        As in :func:`lipgeo.build_crosswalk`; blocks are the census's own.
    by
        Level by which units are partitioned. Ontario holds more than a third of the country;
        ``"CD"`` cuts finer where many cores would wait for it. With ``None``, and where units do
        not say what they are part of, they are taken as their file lies. The result does not
        depend on it: no unit's shares depend on another unit.
    folder
        The folder of the census's files as Spark addresses it (``"s3a://bucket/store/2021"``),
        where that is not the path it was opened by.

    Returns
    -------
    Crosswalk
        The one :func:`lipgeo.build_crosswalk` gives, to rounding.

    Raises
    ------
    MissingExtraError
        pyspark is not installed.
    EngineError
        ``source`` is no census level, the session is not fit, or the work failed on the workers;
        the message says what Spark said.
    InputError
        ``by`` is no level.
    CrosswalkError, CRSError, DatumError
        As :func:`lipgeo.build_crosswalk`.
    """
    require_fit(session)
    if not isinstance(source, CensusZones):
        raise EngineError("spark.not_a_level", given=type(source).__name__)
    lay = OnWorkers(session, None if by is None else geography.level(by).code, folder)
    try:
        return laid_out(source, target, weight=weight, placement=placement, blocks=None, lay=lay)
    finally:
        lay.close()


class OnWorkers:
    """Lays the units of a census level over areas on Spark's workers.

    Parameters
    ----------
    session, by, folder
        As in :func:`build_crosswalk`.
    """

    def __init__(self, session: Any, by: str | None, folder: str | None) -> None:
        self._session, self._by, self._folder = session, by, folder
        self._outlines: Outlines | None = None
        self._areas: Any = None

    def __call__(self, units: LevelUnits, outlines: Outlines) -> Overlay:
        """Return what :func:`lipgeo.crosswalk.kernel.overlay` returns."""
        if units.rows is not None and not len(units.rows):
            return overlay(units, outlines)
        if self._outlines is not outlines:
            self.close()
            sent = Areas.of(outlines, uuid.uuid4().hex)
            self._areas, self._outlines = self._session.sparkContext.broadcast(sent), outlines
        areas = self._areas

        def work(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            return shares(batches, areas.value)

        try:
            frame = _units(self._session, units, self._by, self._folder)
            found = frame.mapInPandas(work, SCHEMA).toArrow()
        except failures() as error:
            reason = reason_of(error)
            raise EngineError("spark.failed", level=units.level, reason=reason) from error
        what, unit, area, other = (
            found.column(name).to_numpy().astype(np.int64) for name in found.column_names[:4]
        )
        return merged(what, unit, area, other, found.column("share").to_numpy())

    def close(self) -> None:
        """Take the areas back from the workers."""
        if self._areas is not None:
            self._areas.destroy()
        self._outlines = self._areas = None


def _units(session: Any, units: LevelUnits, by: str | None, folder: str | None) -> Any:
    """Return units with a polygon as a Spark frame of :data:`COLUMNS`, partitioned."""
    from pyspark.sql import functions

    data, level = units.data, units.level
    key = "unit_id" if level == by else by if by in data.columns(level) else None
    held = ["row", *([key] if key else []), *_SIDES, "geometry"]
    if isinstance(data, StoreData):
        file = level_file(data.folder, level)
        address = f"{folder.rstrip('/')}/{file.name}" if folder else spark_address(file)
        frame = session.read.parquet(address).filter("geometry is not null")
        # the place in the file is the unit's row: nothing need be looked up by id
        frame = frame.withColumn("row", functions.col("_metadata.row_index"))
        for side in _SIDES:
            frame = frame.withColumn(side, functions.col(f"bbox.{side}"))
        frame = frame.select(*held)
        if units.rows is not None:
            wanted = session.createDataFrame(pa.table({"row": pa.array(units.rows, pa.int64())}))
            frame = frame.join(functions.broadcast(wanted), "row", "left_semi")
    else:
        frame = session.createDataFrame(_in_memory(data, units, key).select(held))
    return (frame.repartition(key) if key else frame).select(*COLUMNS)


def _in_memory(data: CensusData, units: LevelUnits, key: str | None) -> pa.Table:
    """Return the units of a census in memory as they would stand in a store's file."""
    level = units.level
    count = int(data.group_boxes(level)[0][-1])
    rows = np.arange(count, dtype=np.int64) if units.rows is None else units.rows
    boxes = data.boxes(level, rows)
    drawn = ~np.isnan(boxes[:, 0])
    rows, boxes = rows[drawn], boxes[drawn]
    columns: dict[str, Any] = {"row": rows}
    if key:
        columns[key] = pa.array(data.attributes(level, [key], rows)[key], pa.string())
    columns |= dict(zip(_SIDES, boxes.T, strict=True))
    columns["geometry"] = pa.array(shapely.to_wkb(data.geometry(level, rows)), pa.binary())
    return pa.table(columns)
