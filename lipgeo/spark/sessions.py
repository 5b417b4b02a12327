"""Spark sessions fit for lipgeo: Java is there, workers run the same Python, tables go as Arrow."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lipgeo.errors import EngineError, MissingExtraError

__all__ = ["JAVA", "engine", "failures", "open_session", "reason_of", "require_fit"]

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
