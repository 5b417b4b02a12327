"""A crosswalk on disk: one Parquet file, its shares as rows, the rest in its schema."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lipgeo.arguments import require_path
from lipgeo.atomic import file_in_one_step
from lipgeo.crosswalk import Crosswalk
from lipgeo.errors import FileError
from lipgeo.report import CheckReport, Finding

__all__ = ["read_crosswalk", "write_crosswalk"]

#: of the layout of the file, raised when an older lipgeo could not read it
VERSION = 2
_PARTS = ("overlaps", "quality", "sources")


def write_crosswalk(crosswalk: Crosswalk, path: str | Path) -> None:
    """Write a crosswalk to one Parquet file.

    Any Parquet reader sees the shares (``crosswalk.frame``); remainder, overlaps, quality,
    sources, what it was built from and its report stand in the schema under ``lipgeo``.

    Raises
    ------
    OutputError
        The file cannot be written; what was there stays.
    """
    remainder, sources = crosswalk.remainder, crosswalk.sources
    # both have one row a source: its id, the most of them, stands once
    rest = remainder.set_index("source_id")["share"].reindex(sources.index)
    parts = {
        "overlaps": crosswalk.overlaps,
        "quality": crosswalk.quality,
        "sources": sources.assign(remainder=rest.to_numpy(np.float64)),
    }
    document = {
        "version": VERSION,
        "meta": dict(crosswalk.meta),
        "report": crosswalk.report.to_records(),
        "parts": {name: _packed(parts[name]) for name in _PARTS},
    }
    table = pa.Table.from_pandas(crosswalk.frame, preserve_index=False, nthreads=1)
    schema = {**(table.schema.metadata or {}), b"lipgeo": json.dumps(document).encode()}
    with file_in_one_step(path) as temporary:
        pq.write_table(table.replace_schema_metadata(schema), temporary, compression="zstd")


def read_crosswalk(path: str | Path) -> Crosswalk:
    """Read a crosswalk that :func:`write_crosswalk` or :meth:`Crosswalk.save` wrote.

    Raises
    ------
    FileError
        The file is missing, is no crosswalk, is damaged, or was written by a newer lipgeo.
    """
    place = require_path(path)
    if not place.is_file():
        raise FileError("crosswalk_file.missing", path=place)
    try:
        table = pq.read_table(place)
        document: dict[str, Any] = json.loads((table.schema.metadata or {})[b"lipgeo"])
        version = int(document["version"])
    except (pa.ArrowInvalid, KeyError, ValueError, OSError) as error:
        raise FileError("crosswalk_file.not_one", path=place) from error
    if version > VERSION:
        raise FileError("crosswalk_file.newer", path=place, found=version, known=VERSION)
    parts = {name: _unpacked(text) for name, text in document["parts"].items()}
    if version > 1:
        rest = parts["sources"].pop("remainder")
        parts["remainder"] = rest.rename("share").reset_index()
    return Crosswalk(
        table.replace_schema_metadata({b"pandas": table.schema.metadata[b"pandas"]}).to_pandas(),
        **parts,
        meta=document["meta"],
        report=CheckReport(Finding(**row) for row in document["report"]),
    )


def _packed(frame: pd.DataFrame) -> str:
    """Return a frame as text: Parquet, which keeps a million ordered ids small, in base64."""
    table = pa.Table.from_pandas(frame, nthreads=1)
    # ids differ little from one to the next; nothing steers by statistics here
    ids = {"source_id": "DELTA_BYTE_ARRAY"} if "source_id" in table.column_names else {}
    repeated = [name for name in table.column_names if name not in (*ids, "weight")]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=repeated,
        column_encoding=ids or None,
        write_statistics=False,
    )
    return base64.b64encode(sink.getvalue().to_pybytes()).decode("ascii")


def _unpacked(text: str) -> pd.DataFrame:
    return pq.read_table(pa.BufferReader(base64.b64decode(text))).to_pandas()
