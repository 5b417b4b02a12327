"""The end of an import: what is left to write, and the table put in its place in one step."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lipgeo import geography
from lipgeo.areas.faults import finding
from lipgeo.atomic import sync
from lipgeo.report import CheckReport
from lipgeo.stored_tables.intake import Intake
from lipgeo.stored_tables.layout import (
    CHARACTERISTICS,
    MANIFEST,
    RANGES,
    TABLES,
    UNITS,
    old_folder,
    table_folder,
    write_manifest,
)

__all__ = ["finish", "put_right"]


def finish(intake: Intake, work: Path, table: Path) -> CheckReport:
    """Write units, characteristics and, last, the manifest; put the table in its place.

    Parameters
    ----------
    intake
        What was taken in.
    work
        The folder it stands in.
    table
        Where it goes; a table there gives way.

    Returns
    -------
    CheckReport
        What came in.
    """
    manifest = _manifest(intake, table.name)
    members = intake.characteristics
    known = intake.variables().set_index("id").reindex(list(map(str, members.ids)))
    pq.write_table(
        pa.table(
            {
                "characteristic": pa.array(members.ids, pa.int32()),
                "name": pa.array(members.names, pa.string()),
                "depth": pa.array(members.depths, pa.int16()),
                "variable": pa.array(known["variable"], pa.string(), from_pandas=True),
                "certainty": pa.array(known["certainty"], pa.string(), from_pandas=True),
            }
        ),
        work / CHARACTERISTICS,
        compression="zstd",
    )
    levels, ids, names, origins = zip(*intake.units, strict=True)
    pq.write_table(
        pa.table(
            {
                "unit": pa.array(range(len(ids)), pa.int32()),
                "level": pa.array(levels, pa.string()),
                "unit_id": pa.array(ids, pa.string()),
                "name": pa.array(names, pa.string()),
                "origin": pa.array(origins, pa.int32()),
            }
        ),
        work / UNITS,
        compression="zstd",
    )
    ranges = _whole_ranges(work, intake)
    pq.write_table(ranges, work / RANGES, compression="zstd")
    for one in intake.ranges:
        (work / one["file"]).unlink()
    (work / intake.ranges[0]["file"]).parent.rmdir()
    write_manifest(work, manifest)
    for path in work.glob("*"):
        sync(path)  # parts are on disk since they were written
    old = old_folder(table)
    if table.exists():
        table.rename(old)
    work.rename(table)
    sync(table.parent)
    shutil.rmtree(old, ignore_errors=True)
    return _summary(intake, manifest)


def put_right(store: Path) -> None:
    """Put back a table that was moved aside and never replaced; clear one that was."""
    for old in (store / TABLES).glob("*/.*-old"):
        name = old.name[1:].removesuffix("-old")
        home = table_folder(store, int(old.parent.name), name)
        if home.exists() or not (old / MANIFEST).is_file():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(home)


def _manifest(intake: Intake, name: str) -> dict[str, Any]:
    units = Counter(unit.level for unit in intake.units)
    rows: Counter[str] = Counter()
    for part in intake.parts:
        rows[part["file"].split("level=")[1].split("/")[0]] += part["rows"]
    levels = [level for level in geography.levels(intake.vintage) if level in units]
    return {
        "name": name,
        "vintage": intake.vintage,
        "levels": levels,
        "values": intake.values,
        "units": {level: units[level] for level in levels},
        "rows": {level: rows[level] for level in levels},
        "characteristics": len(intake.characteristics),
        "sources": intake.sources,
        "dropped": intake.dropped,
        "not_believed": intake.not_believed,
        "parts": sorted(intake.parts, key=lambda part: part["file"]),
        "finished": True,
    }


def _whole_ranges(work: Path, intake: Intake) -> pa.Table:
    """Return ``level, characteristic, column, least, greatest, missing, cells`` of the table."""
    found = []
    for level in sorted({_level_of(one["file"]) for one in intake.ranges}):
        parts = pa.concat_tables(
            pq.ParquetFile(work / one["file"]).read()
            for one in intake.ranges
            if _level_of(one["file"]) == level
        )
        for name in intake.values:
            sums = parts.group_by("characteristic", use_threads=False).aggregate(
                [
                    (f"{name}_least", "min"),
                    (f"{name}_greatest", "max"),
                    (f"{name}_missing", "sum"),
                    ("cells", "sum"),
                ]
            )
            members, least, greatest, missing, cells = sums.columns
            same = {"level": level, "column": name}
            texts = {key: pa.repeat(pa.scalar(text), len(sums)) for key, text in same.items()}
            found.append(
                pa.table(
                    {
                        "level": texts["level"],
                        "characteristic": members,
                        "column": texts["column"],
                        "least": least,
                        "greatest": greatest,
                        "missing": missing,
                        "cells": cells,
                    }
                )
            )
    keys = [(key, "ascending") for key in ("level", "characteristic", "column")]
    return pa.concat_tables(found).sort_by(keys)


def _level_of(ranges: str) -> str:
    return PurePosixPath(ranges).name.split("-")[0]


def _summary(intake: Intake, manifest: dict[str, Any]) -> CheckReport:
    name = manifest["name"]
    findings = [
        finding(
            "stored_tables.came_in",
            "note",
            level,
            level=level,
            units=manifest["units"][level],
            rows=manifest["rows"][level],
            value=manifest["rows"][level],
        )
        for level in manifest["levels"]
    ]
    if "country" in intake.dropped:
        rows = intake.dropped["country"]
        findings.append(finding("stored_tables.country", "note", name, rows=rows))
    if "unknown_level" in intake.dropped:
        rows = intake.dropped["unknown_level"]
        findings.append(finding("stored_tables.unknown_level", "warning", name, rows=rows))
    if intake.not_believed:
        findings.append(
            finding("stored_tables.not_believed", "warning", name, cells=intake.not_believed)
        )
    if intake.twice:
        findings.append(finding("readtable.same_twice", "note", name, units=intake.twice))
    for file, unit in intake.short.items():
        findings.append(finding("stored_tables.short", "warning", unit, file=file, unit=unit))
    return CheckReport(findings)
