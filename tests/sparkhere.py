"""Apache Spark for the tests: here, or not and why; and a JVM that goes when the tests are done."""

from __future__ import annotations

import gc
import os
import shutil

import pytest

#: one JVM: tests with these marks run one after the other in one process (xdist: loadfile).
#: pyspark leaves its sockets to the garbage collector, and pandas 3 deprecated a keyword and an
#: option that pyspark 4.0 and ibis 12 still use.
MARKS = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
    pytest.mark.filterwarnings("ignore:The 'future.infer_string' option is deprecated"),
]


def require_spark() -> None:
    """Skip, saying so, where Spark cannot run; fail where ``CI`` is true."""
    why = ""
    try:
        import pyspark  # noqa: F401
    except ImportError:
        why = "pyspark is not installed: nothing was run on Spark (pip install '.[spark]')"
    if not why and shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        why = "no Java on this machine: nothing was run on Spark (apt install openjdk-17-jre)"
    if why and os.environ.get("CI", "").lower() == "true":
        pytest.fail(why)
    if why:
        pytest.skip(why)


def end_spark() -> None:
    """Stop Spark in this process, and its JVM, which would stay until the process ends."""
    from pyspark import SparkContext

    context, gateway = SparkContext._active_spark_context, SparkContext._gateway
    if context is not None:
        context.stop()
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()  # the JVM ends with its standard input
        gateway.proc.wait(timeout=20)
    SparkContext._gateway = SparkContext._jvm = None
    gc.collect()
