"""Build a crosswalk on Spark: the same one, the overlay worked by a cluster.

A session fit for lipgeo has Java, workers that run the same Python, and tables that go as Arrow.
A worker lays the units of its partition over the areas, batch by batch.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import shapely

from lipgeo import geography
from lipgeo._version import __version__
from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.arrays import Floats, Ints
from lipgeo.census.census import CensusZones
from lipgeo.census.data import CensusData, Measure
from lipgeo.crosswalk.build import build_with_overlay
from lipgeo.crosswalk.crosswalk import Crosswalk, Placement
from lipgeo.crosswalk.overlay.descent import LevelUnits, Outlines, group_by_order
from lipgeo.crosswalk.overlay.kernel import Overlay, overlay
from lipgeo.errors import EngineError, MissingExtraError
from lipgeo.store.layout import level_file
from lipgeo.store.read import StoreData
from lipgeo.store.tables.opening import spark_address
from lipgeo.zones.zones import Zones

__all__ = [
    "COLUMNS",
    "JAVA",
    "SCHEMA",
    "Areas",
    "build_crosswalk",
    "engine",
    "failures",
    "merge_overlays",
    "open_session",
    "reason_of",
    "require_fit",
    "shares",
]

#: the oldest Java that Spark 4 runs on
JAVA = 17
#: the variables that say which Python Spark's processes run
_PYTHONS = ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
_ARROW = "spark.sql.execution.arrow.pyspark.enabled"
_SETTINGS = {
    _ARROW: "true",
    # a number taken for a date would stand in the time zone of whoever looks
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
}
#: one machine needs no page to watch it, and no name that others could reach it by
_LOCAL = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


def open_session(
    master: str = "local[*]", *, memory: str = "2g", settings: Mapping[str, str] | None = None
) -> Any:
    """Start Spark, or take the session that runs in this process already.

    Spark's workers take whatever ``python3`` comes first on their path unless they are told; here
    they are told to run the Python of this process, where the environment variables
    ``PYSPARK_PYTHON`` and ``PYSPARK_DRIVER_PYTHON`` do not name another.

    Parameters
    ----------
    master
        Where to run: ``"local[2]"`` two cores of this machine, ``"local[*]"`` all of them,
        ``"spark://host:7077"``, ``"yarn"`` or ``"k8s://..."`` a cluster.
    memory
        What Spark may take of this machine beside its Python workers; too late where a session
        runs already.
    settings
        Spark's own settings; they stand over those made here.

    Returns
    -------
    pyspark.sql.SparkSession
        Stop it with ``session.stop()``.

    Raises
    ------
    MissingExtraError
        pyspark is not installed.
    EngineError
        There is no Java, it is older than 17, or Spark did not start.
    """
    spark = _pyspark()
    if spark.SparkSession.getActiveSession() is None:
        _require_java()
    chosen = {**_SETTINGS, **(_LOCAL if master.startswith("local") else {})}
    chosen |= {"spark.driver.memory": memory, **(settings or {})}
    builder = spark.SparkSession.builder.master(master).appName("lipgeo")
    for name, value in chosen.items():
        builder = builder.config(name, value)
    with _same_python():
        try:
            session = builder.getOrCreate()
        except Exception as error:  # Py4J wraps whatever the JVM says
            reason = reason_of(error)
            raise EngineError("spark.not_started", master=master, reason=reason) from error
    return require_fit(session)


def engine(session: Any) -> Any:
    """Return a session as an ibis backend: what sums a stored table on Spark.

    Parameters
    ----------
    session
        From :func:`open_session`, or your own. ibis sets its time zone to UTC; results come back
        as Arrow.

    Returns
    -------
    ibis.backends.pyspark.Backend
        For ``lipgeo.open_table(..., engine=...)``.

    Raises
    ------
    MissingExtraError
        pyspark or ibis is not installed.
    EngineError
        The session is stopped, is one of Spark Connect, or its workers run another Python.
    """
    require_fit(session)
    try:
        import ibis

        connect = ibis.pyspark.connect
    except (ImportError, AttributeError) as error:
        raise MissingExtraError("spark.no_ibis") from error
    # without Arrow every row of a result would be pickled on its own
    return connect(session, **{_ARROW: "true"})


def require_fit(session: Any) -> Any:
    """Return the session, or say why it cannot be worked with.

    Raises
    ------
    MissingExtraError
        pyspark is not installed.
    EngineError
        It is no session, stopped, one of Spark Connect, or its workers run another Python.
    """
    spark = _pyspark()
    if type(session).__module__.startswith("pyspark.sql.connect"):
        raise EngineError("spark.connect")
    if not isinstance(session, spark.SparkSession):
        raise EngineError("spark.not_a_session", given=type(session).__name__)
    context = session.sparkContext
    if context._jsc is None:
        raise EngineError("spark.stopped")
    # on a cluster the workers' Python is not to be seen from here; a wish already said stands
    if str(context.master).startswith("local") and _PYTHONS[0] not in os.environ:
        worker = shutil.which(context.pythonExec)
        if worker is None or Path(worker).absolute() != Path(sys.executable).absolute():
            raise EngineError(
                "spark.other_python", worker=worker or context.pythonExec, here=sys.executable
            )
    return session


def reason_of(error: Exception) -> str:
    """Return the one line that says what went wrong, out of the pages that Spark prints.

    A worker's traceback says it last, Java by the last of its causes or after a colon.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    java = [line.removeprefix(": ") for line in lines if line.startswith(": ")]
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        frames = ("at ", "File ", "Caused by: ", "...")
        return [line for line in lines if not line.startswith(frames)][-1]
    # the last cause is often half of what the one before says
    told = [one for one in causes if one.endswith(causes[-1].partition(": ")[2])]
    return ([*lines[:1], *java[:1], *told[:1]] or [type(error).__name__])[-1]


def failures() -> tuple[type[Exception], ...]:
    """Return what Spark raises: its own errors, and those of the bridge to Java."""
    own = importlib.import_module("pyspark.errors").PySparkException
    return (own, importlib.import_module("py4j.protocol").Py4JError)


def _pyspark() -> Any:
    try:
        from pyspark import sql
    except ImportError as error:
        raise MissingExtraError("spark.no_pyspark") from error
    return sql


def _require_java() -> None:
    """Raise unless the Java that Spark will start is there and new enough."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else "java"
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError as error:
        key = "spark.no_java_home" if home else "spark.no_java"
        raise EngineError(key, needed=str(JAVA), home=home) from error
    text = (said.stderr or said.stdout).strip()
    # 17.0.15, 21, and 1.8.0_402 before Java 9
    version = re.search(r'"(?:1\.)?(\d+)', text)
    if said.returncode or version is None:
        raise EngineError("spark.bad_java", java=java, said=text.splitlines()[:1] or ["?"])
    if int(version[1]) < JAVA:
        raise EngineError("spark.old_java", java=java, found=version[1], needed=str(JAVA))


@contextmanager
def _same_python() -> Iterator[None]:
    """Have Spark's processes run this Python while they are started, unless they are told."""
    added = [name for name in _PYTHONS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, sys.executable))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


#: what Spark hands over: the unit's row in its level, its box and its polygon
COLUMNS = ("row", "xmin", "ymin", "xmax", "ymax", "geometry")
#: what comes back: one row a pair, a union, two areas at once, or a repaired unit
SCHEMA = "what tinyint, unit bigint, area int, other int, share double"
PAIR, COVERED, SHARED, REPAIRED = range(4)


@dataclass(frozen=True)
class Areas:
    """The areas as they are broadcast.

    Attributes
    ----------
    token
        Differs from one broadcast to the next; areas are equal where it is.
    version
        Of the lipgeo that sent them.
    polygons
        WKB, ``None`` where an area has no outline.
    """

    token: str
    version: str = field(compare=False)
    polygons: tuple[bytes | None, ...] = field(compare=False)

    @classmethod
    def of(cls, outlines: Outlines, token: str) -> Areas:
        """Return the areas of some outlines."""
        return cls(token, __version__, tuple(shapely.to_wkb(outlines.areas).tolist()))


class BatchUnits:
    """Units of one batch, decoded as far as an outline comes near them.

    Parameters
    ----------
    frame
        Columns :data:`COLUMNS`.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        row = frame["row"].to_numpy(dtype=np.int64)
        # neighbours stand together in a level; a shuffle brings them in pieces
        order = np.argsort(row, kind="stable")
        self._row: Ints = row[order]
        self._boxes: Floats = frame[list(COLUMNS[1:5])].to_numpy(dtype=np.float64)[order]
        self._wkb = frame["geometry"].to_numpy(dtype=object)[order]

    def group_boxes(self) -> tuple[Ints, Floats]:
        """Give starts and boxes of the groups."""
        return group_by_order(self._boxes)

    def boxes(self, places: Ints) -> Floats:
        """Boxes of units."""
        return self._boxes[places]

    def polygons(self, places: Ints) -> npt.NDArray[np.object_]:
        """Polygons of units."""
        return np.asarray(shapely.from_wkb(self._wkb[places]), dtype=object)

    def original(self, places: Ints) -> Ints:
        """Rows of the level."""
        return self._row[places]


@lru_cache(maxsize=1)
def _outlines(areas: Areas) -> Outlines:
    """Cut the areas' outlines once a process, however many partitions it works on."""
    wkb = np.empty(len(areas.polygons), dtype=object)
    wkb[:] = areas.polygons
    return Outlines(shapely.from_wkb(wkb))


def shares(batches: Iterable[pd.DataFrame], areas: Areas) -> Iterator[pd.DataFrame]:
    """Yield, for each batch of units, the rows of :data:`SCHEMA`.

    No unit's shares depend on another unit, so it does not matter how units are cut into
    partitions and batches.

    Raises
    ------
    RuntimeError
        The worker runs another lipgeo than the program that sent the areas.
    """
    if areas.version != __version__:
        raise RuntimeError(f"lipgeo {areas.version} sent work to lipgeo {__version__}")
    outlines = _outlines(areas)
    for batch in batches:
        yield _rows(overlay(BatchUnits(batch), outlines))


def _rows(found: Overlay) -> pd.DataFrame:
    kinds = (found.unit, found.covered_unit, found.shared_unit, found.repaired)
    count = [len(kind) for kind in kinds]
    what = np.repeat(np.arange(len(kinds), dtype=np.int8), count)
    frame = pd.DataFrame({"what": what, "unit": np.concatenate(kinds)})
    frame["area"] = frame["other"] = np.full(len(frame), -1, dtype=np.int32)
    frame["share"] = 0.0
    for kind, column, values in (
        (PAIR, "area", found.area),
        (PAIR, "share", found.share),
        (COVERED, "share", found.covered),
        (SHARED, "area", found.shared_area),
        (SHARED, "other", found.shared_other),
        (SHARED, "share", found.shared),
    ):
        frame.loc[what == kind, column] = values.astype(frame[column].dtype)
    return frame


def merge_overlays(what: Ints, unit: Ints, area: Ints, other: Ints, share: Floats) -> Overlay:
    """Put the rows of all workers, in any order, together as the kernel would have given them."""
    pair, covered, shared, repaired = (
        place[what[place] == kind]
        for place in (np.lexsort((other, area, unit)),)
        for kind in (PAIR, COVERED, SHARED, REPAIRED)
    )
    return Overlay(
        unit=unit[pair],
        area=area[pair],
        share=share[pair],
        covered_unit=unit[covered],
        covered=share[covered],
        shared_unit=unit[shared],
        shared_area=area[shared],
        shared_other=other[shared],
        shared=share[shared],
        repaired=unit[repaired],
    )


_SIDES = COLUMNS[1:5]


def build_crosswalk(
    session: Any,
    source: CensusZones,
    target: Zones | ServiceAreas,
    *,
    weight: Measure = "area",
    placement: Placement = "auto",
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
        return build_with_overlay(
            source, target, weight=weight, placement=placement, blocks=None, overlay_with=lay
        )
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
        """Return what :func:`lipgeo.crosswalk.overlay.kernel.overlay` returns."""
        if units.census_rows is not None and not len(units.census_rows):
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
        return merge_overlays(what, unit, area, other, found.column("share").to_numpy())

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
        if units.census_rows is not None:
            rows = pa.array(units.census_rows, pa.int64())
            wanted = session.createDataFrame(pa.table({"row": rows}))
            frame = frame.join(functions.broadcast(wanted), "row", "left_semi")
    else:
        frame = session.createDataFrame(_in_memory(data, units, key).select(held))
    return (frame.repartition(key) if key else frame).select(*COLUMNS)


def _in_memory(data: CensusData, units: LevelUnits, key: str | None) -> pa.Table:
    """Return the units of a census in memory as they would stand in a store's file."""
    level = units.level
    count = int(data.group_boxes(level)[0][-1])
    rows = np.arange(count, dtype=np.int64) if units.census_rows is None else units.census_rows
    boxes = data.boxes(level, rows)
    drawn = ~np.isnan(boxes[:, 0])
    rows, boxes = rows[drawn], boxes[drawn]
    columns: dict[str, Any] = {"row": rows}
    if key:
        columns[key] = pa.array(data.attributes(level, [key], rows)[key], pa.string())
    columns |= dict(zip(_SIDES, boxes.T, strict=True))
    columns["geometry"] = pa.array(shapely.to_wkb(data.geometry(level, rows)), pa.binary())
    return pa.table(columns)
