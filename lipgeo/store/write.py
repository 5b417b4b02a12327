"""Write a vintage: one GeoParquet 1.1 file a level, and the manifest last."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

from lipgeo.census.data import CHAIN, COUNTS, GRID, GROUP_ROWS, boxes_around
from lipgeo.census.units import find_rows
from lipgeo.files import file_entries, listed_files, write_manifest
from lipgeo.store.assemble import Assembled
from lipgeo.store.checked_file import block_sums
from lipgeo.store.layout import (
    CENSUS,
    LAYOUT,
    PUBLISHED,
    SUMS,
    level_file,
    rows_of,
    sums_name,
)
from lipgeo.store.read import SIZES, is_addressable
from lipgeo.zones.crs import STATCAN_LAMBERT

__all__ = ["write_table", "write_vintage"]

_BOX = pa.struct([(side, pa.float64()) for side in ("xmin", "ymin", "xmax", "ymax")])
_SIDES = [f"bbox.{side.name}" for side in _BOX]
#: texts that differ little from row to row, and numbers that hardly repeat
_ALIKE = ("unit_id", "dguid")
_UNLIKE = (*_ALIKE, "x", "y", "land_km2", GRID)
#: more than a group of rows ever holds
_ONE_PAGE = 1 << 30
#: first rows and numbers of rows
_Range = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]
#: polygons turned to WKB and written at a time: a census is never held twice in memory
_CHUNK_GROUPS = 16


def write_vintage(
    folder: Path, manifest: Mapping[str, Any], census: Assembled, step: Callable[[str], None]
) -> None:
    """Write the levels, the published totals and, last, the manifest.

    Parameters
    ----------
    folder
        The folder; what already stands in it is sealed with what is written here.
    manifest
        ``vintage``, ``store``, ``boundary_type``, ``sources``, ``checks``: kept as given.
    census
        What to write.
    step
        Called with a level's code before it is written.
    """
    levels: dict[str, Any] = {}
    store = str(manifest["store"])
    (folder / SUMS).mkdir()
    for level, frame in census.frames.items():
        step(level)
        ranges = row_ranges(level, census.frames)
        path = level_file(folder, level)
        _write_level(path, level, census, ranges, store)
        block_sums(path).tofile(folder / sums_name(level))
        levels[level] = {
            "rows": len(frame),
            "polygons": int((~np.isnan(census.boxes[level][:, 0])).sum()),
            "columns": list(frame.columns),
            "ranges": list(ranges),
            "addressable": _addressable(path),
            **_bare(level, census),
            "sums": {
                name: _sum(frame[name]) for name in (*COUNTS, "land_km2") if name in frame.columns
            },
        }
    write_table(folder / PUBLISHED, census.published, {"store": store})
    files = file_entries(folder, listed_files(folder))
    for level in levels:  # a lipgeo from before `files` looks for them here
        levels[level] |= files[level_file(folder, level).name]
    content = {**manifest, "crs": STATCAN_LAMBERT.to_string(), "levels": levels}
    write_manifest(folder, CENSUS, content, files)


def write_table(path: Path, frame: pd.DataFrame, metadata: Mapping[str, Any]) -> None:
    """Write a plain table as Parquet; equal tables give equal bytes."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    about = {b"lipgeo": json.dumps(metadata, ensure_ascii=False).encode()}
    pq.write_table(
        table.replace_schema_metadata(about), path, compression="zstd", write_page_checksum=True
    )


def row_ranges(level: str, frames: Mapping[str, pd.DataFrame]) -> dict[str, _Range]:
    """Return which rows of each finer level of the chain a unit holds: firsts and counts.

    A child level is left out where the units of some parent do not stand together (a source that
    contradicts itself); it is then looked up by ids.
    """
    found: dict[str, _Range] = {}
    if level not in CHAIN:
        return found
    parents = pd.Index(frames[level]["unit_id"].to_numpy(dtype=object))
    for child in CHAIN[CHAIN.index(level) + 1 :]:
        if child not in frames or level not in frames[child].columns:
            continue
        codes = parents.get_indexer(pd.Index(frames[child][level].to_numpy(dtype=object)))
        firsts = np.flatnonzero(np.diff(codes, prepend=-2) != 0)
        runs = codes[firsts]
        counts = np.diff(np.append(firsts, len(codes)))
        firsts, counts, runs = firsts[runs >= 0], counts[runs >= 0], runs[runs >= 0]
        if len(np.unique(runs)) != len(runs):
            continue
        first, count = np.zeros((2, len(parents)), dtype=np.int32)
        first[runs], count[runs] = firsts, counts
        found[child] = (first, count)
    return found


def _bare(level: str, census: Assembled) -> dict[str, Any]:
    """Return the rows without polygon and the boxes of what they hold, where they are few.

    ``None`` stands for a side that is not known, as JSON has no NaN.
    """
    bare = np.flatnonzero(np.isnan(census.boxes[level][:, 0]))
    finest = next(iter(census.frames))
    boxes = np.full((len(bare), 4), np.nan)
    if len(bare) > GROUP_ROWS:
        return {}
    if level != finest and level in census.frames[finest]:
        ids = census.frames[level]["unit_id"].iloc[bare]
        owner = find_rows(ids, census.frames[finest][level])
        held = np.flatnonzero(owner >= 0)
        boxes = boxes_around(census.boxes[finest][held], owner[held], len(bare))
    sides = [[None if np.isnan(side) else side for side in box] for box in boxes.tolist()]
    return {"bare": [[row, *box] for row, box in zip(bare.tolist(), sides, strict=True)]}


def _write_level(
    path: Path, level: str, census: Assembled, ranges: Mapping[str, _Range], store: str
) -> None:
    frame, geometry, boxes = census.frames[level], census.geometry[level], census.boxes[level]
    columns = {name: _column(frame[name]) for name in frame.columns}
    for child, pair in ranges.items():
        columns |= dict(zip(rows_of(child), map(pa.array, pair), strict=True))
    missing = np.isnan(boxes[:, 0])
    columns["bbox"] = pa.StructArray.from_arrays(
        [pa.array(side) for side in boxes.T], fields=list(_BOX), mask=pa.array(missing)
    )
    schema = pa.schema(
        [
            *((name, values.type) for name, values in columns.items()),
            (SIZES, pa.int32()),
            ("geometry", pa.binary()),
        ],
        metadata={
            b"geo": json.dumps(_geo(geometry, boxes)).encode(),
            b"lipgeo": json.dumps({"layout": LAYOUT, "level": level, "store": store}).encode(),
        },
    )
    packed = [*(name for name in columns if name != "bbox"), *_SIDES, SIZES]
    # bookkeeping of every column in every group is most of a footer: keep what steers a read;
    # dictionaries only where values repeat; the geometry as lipgeo.store.read needs it
    with pq.ParquetWriter(
        path,
        schema,
        compression={**dict.fromkeys(packed, "zstd"), "geometry": "none"},
        write_statistics=_SIDES,
        use_dictionary=[name for name in packed if name not in (*_SIDES, *_UNLIKE, SIZES)],
        column_encoding={name: "DELTA_BYTE_ARRAY" for name in _ALIKE if name in columns},
        data_page_size=_ONE_PAGE,
        write_page_checksum=True,
    ) as writer:
        step = GROUP_ROWS * _CHUNK_GROUPS
        for start in range(0, max(len(frame), 1), step):
            part = slice(start, start + step)
            wkb = pa.array(shapely.to_wkb(geometry[part], output_dimension=2), pa.binary())
            sizes = pc.fill_null(pc.binary_length(wkb), 0)
            arrays = [values[part] for values in columns.values()]
            writer.write_table(
                pa.Table.from_arrays([*arrays, sizes, wkb], schema=schema),
                row_group_size=GROUP_ROWS,
            )


def _addressable(path: Path) -> bool:
    with path.open("rb") as file:

        def read_at(offset: int, size: int) -> bytes:
            file.seek(offset)
            return file.read(size)

        return is_addressable(pq.ParquetFile(path), read_at)


def _column(values: pd.Series) -> pa.Array:
    array = pa.array(values, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.cast(pa.string()) if pa.types.is_large_string(array.type) else array


def _geo(geometry: npt.NDArray[np.object_], boxes: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Return the ``geo`` metadata of GeoParquet 1.1, with the box column as covering."""
    kinds = np.unique(shapely.get_type_id(geometry))
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": [
            {3: "Polygon", 6: "MultiPolygon"}.get(int(kind), "GeometryCollection")
            for kind in kinds
            if kind >= 0
        ],
        "crs": STATCAN_LAMBERT.to_json_dict(),
        "edges": "planar",
        "covering": {"bbox": {side.name: ["bbox", side.name] for side in _BOX}},
    }
    if not np.isnan(boxes).all():
        column["bbox"] = [*np.nanmin(boxes[:, :2], axis=0), *np.nanmax(boxes[:, 2:], axis=0)]
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def _sum(values: pd.Series) -> float | None:
    """Return the sum of what is known, ``None`` where nothing is."""
    known = values.dropna()
    return float(known.sum()) if len(known) else None
