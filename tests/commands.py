"""Commands as people type them: each in a process of its own, forked from one that is warm.

A process of Python that imports pandas and geopandas takes a second before it does anything; two
hundred commands would take minutes. So one process imports them, and is forked for each command:
standard output, standard error, exit status, folder, environment and code page are those of a
process started anew. Where processes cannot be forked, each is started anew.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["run"]

_WARM = r"""
import io, json, os, sys
import fiona, geopandas, openpyxl, pandas, pyarrow.parquet, pyogrio, rich.console, rich.table
import scipy.optimize, scipy.sparse, shapely, typer, xlsxwriter
import lipgeo.boundary, lipgeo.order, lipgeo.readers.areas, lipgeo.readers.tables, lipgeo.store.read
import lipgeo.tables
# not lipgeo.cli.app: its helps are said in the language of the command that imports it

def work(job):
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(job[name], os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    encoding = job["env"].get("PYTHONIOENCODING", "utf-8")
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(
        io.FileIO(1, "w", closefd=False), encoding
    )
    err = io.FileIO(2, "w", closefd=False)
    sys.stderr = io.TextIOWrapper(err, encoding, "backslashreplace", write_through=True)
    sys.argv = ["lipgeo", *job["arguments"]]
    from lipgeo.cli import run_and_exit
    run_and_exit()

for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        sys.stdin = open(os.devnull)
        status = 1
        try:
            work(job)
            status = 0
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else int(left.code is not None)
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except (OSError, ValueError):
                    pass
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(ended), flush=True)
"""


@functools.cache
def _warm() -> subprocess.Popen[str]:
    """Start the process that is forked for each command; it ends with this one."""
    warm = subprocess.Popen(
        [sys.executable, "-c", _WARM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(_end, warm)
    return warm


def _end(warm: subprocess.Popen[str]) -> None:
    warm.stdin.close()
    warm.stdout.close()
    warm.wait(timeout=20)


def run(
    *arguments: object,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
) -> subprocess.CompletedProcess[str]:
    """Run ``lipgeo ARGUMENTS`` as a process and return what it printed and its exit status."""
    words = [str(argument) for argument in arguments]
    everything = {**os.environ, "PYTHONIOENCODING": encoding, **(env or {})}
    # facts of one's own are read when lipgeo is imported
    if not hasattr(os, "fork") or "LIPGEO_FACTS" in everything:
        return subprocess.run(
            [sys.executable, "-m", "lipgeo", *words],
            capture_output=True, text=True, encoding=encoding, cwd=cwd, env=everything, check=False,
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "arguments": words, "cwd": str(cwd or Path.cwd()), "env": everything,
            "out": f"{folder}/out", "err": f"{folder}/err",
        }  # fmt: skip
        warm = _warm()
        warm.stdin.write(json.dumps(job) + "\n")
        warm.stdin.flush()
        status = int(warm.stdout.readline())
        out, err = (
            Path(job[name]).read_bytes().decode(encoding).replace("\r\n", "\n")
            for name in ("out", "err")
        )
    return subprocess.CompletedProcess(words, status, out, err)
