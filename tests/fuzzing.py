"""Damage files of every kind and read them: nothing but an error of lipgeo's tree may come out.

    python tests/fuzzing.py --count 50000 --seed 1     a long run; ``python3 dev.py fuzz`` is this

Workers are forked warm and read one damaged input after the other, each under a limit of memory.
A worker that is silent too long is ended, and one that dies is counted: the input that did it is
the fault. An input is made from its number and the seed alone, so each can be made again.
"""
# ruff: noqa: E501, PERF401, PLW0108, C416

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import io
import json
import os
import random
import re
import resource
import selectors
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: seconds of processor an input may take, and memory in MB it may need
TIME_LIMIT, MEMORY_LIMIT = 20.0, 2_048
#: seconds by the clock: a worker that waits takes no processor, one on a busy machine little
_WAIT = 10 * TIME_LIMIT
#: inputs a worker reads before a fresh one takes its place
_SPELL = 1_500


@dataclass(frozen=True)
class Seed:
    """A whole input of one kind.

    Attributes
    ----------
    kind
        What it is called in the report.
    files
        Its files, by path inside its folder.
    opened
        Path of what is handed to the reader; ``.`` is the folder.
    read
        Reads it.
    damaged
        The files that may be damaged; all by default.
    """

    kind: str
    files: dict[str, bytes]
    opened: str
    read: Callable[[Path], object]
    damaged: tuple[str, ...] = ()
    #: whether sums are made to fit again, so that what stands behind them is tried
    sealed: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one input; ``what`` is ``read``, ``refused``, or a kind of fault."""

    number: int
    kind: str
    how: str
    what: str
    where: str = ""
    seconds: float = 0.0
    peak_mb: int = 0

    @property
    def is_fault(self) -> bool:
        """Whether something came out that must not."""
        return self.what not in ("read", "refused")


# ------------------------------------------------------------------------------- damage

_HOSTILE = [
    b"", b"-1", b"0", b"1e308", b"1e999", b"inf", b"nan", b"NULL", b"\0", b"\xff\xfe", b'"', b"'",
    b"99999999999999999999999", b"{", b"[" * 3_000, b'{"a":' * 2_000, b"<", b"&", b"%", b"../../x",
    b"null", b"true", b"\xc3\x28", b"\r", b"\n", b",", b";", b"\t", b"9" * 5_000, b"x" * 140_000,
    b" " * 40_000, b"9" * 40_000, b"(" * 40_000, b"\\" * 40_000, b"- " * 20_000, b"(1)" * 4_000,
    b"2021", b"NaN", "é".encode("cp1252"), "\u200b".encode(), b"]]>", b"<!DOCTYPE x>",
]  # fmt: skip


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)


def _bytes(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 2, 4, 16))):
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _block(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data))
    size = rng.choice((4, 16, 64, 512, 4_096))
    turn = rng.randrange(4)
    if turn == 0:
        del data[start : start + size]
    elif turn == 1:
        data[start : start + size] = bytes(len(data[start : start + size]))
    elif turn == 2:
        other = rng.randrange(len(data))
        data[start:start] = data[other : other + size]
    else:
        data[start : start + size] = rng.randbytes(len(data[start : start + size]))


def _truncate(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _header(data: bytearray, rng: random.Random) -> None:
    """Change the first or last bytes, where formats keep sizes, versions and offsets."""
    reach = min(len(data), rng.choice((16, 64, 256)))
    tail = rng.random() < 0.4
    for _ in range(rng.choice((1, 2, 4))):
        at = rng.randrange(reach)
        width = rng.choice((1, 2, 4, 8))
        value = rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x8000, rng.getrandbits(32)))
        spot = len(data) - reach + at if tail else at
        data[spot : spot + width] = (value & (256**width - 1)).to_bytes(
            width, rng.choice(("little", "big"))
        )[: len(data) - spot]


def _tokens(data: bytearray, rng: random.Random) -> None:
    """Put a hostile piece in the place of a word or number of a text."""
    found = list(re.finditer(rb"[\w.+-]+", bytes(data[:200_000])))
    if not found:
        return _block(data, rng)
    for match in sorted(rng.sample(found, min(len(found), rng.choice((1, 1, 3)))), reverse=True,
                        key=lambda one: one.start()):  # fmt: skip
        data[match.start() : match.end()] = rng.choice(_HOSTILE)
    return None


def _lines(data: bytearray, rng: random.Random) -> None:
    """Drop, double, swap or join lines; add fields."""
    rows = bytes(data).split(b"\n")
    at = rng.randrange(len(rows))
    turn = rng.randrange(6)
    if turn == 0:
        del rows[at]
    elif turn == 1:
        rows[at:at] = [rows[at]] * rng.choice((1, 3, 50))
    elif turn == 2:
        other = rng.randrange(len(rows))
        rows[at], rows[other] = rows[other], rows[at]
    elif turn == 3:
        rows[at] += rng.choice((b",", b";", b"\t", b',"')) * rng.choice((1, 2, 40))
    elif turn == 4:
        rows = rows[: rng.randrange(3)]
    else:
        mark = rng.choice((b",", b";", b"\t"))
        column = rng.randrange(5)
        cut = [row.split(mark) for row in rows]
        rows = [mark.join([*row[:column], rng.choice((b"", *_HOSTILE)), *row[column + 1 :]])
                for row in cut]  # fmt: skip
    data[:] = b"\n".join(rows)


def _json(data: bytearray, rng: random.Random) -> None:
    """Put another type, a hostile value or nothing in the place of a node of a JSON document."""
    try:
        document = json.loads(bytes(data))
    except ValueError:
        return _tokens(data, rng)
    nodes: list[tuple[Any, Any]] = []
    stack = [document]
    while stack and len(nodes) < 20_000:
        held = stack.pop()
        keys = list(held) if isinstance(held, dict) else range(len(held))
        for key in keys:
            nodes.append((held, key))
            if isinstance(held[key], dict | list):
                stack.append(held[key])
    # nodes near the top matter more than the thousandth coordinate
    for _ in range(rng.choice((1, 1, 2))):
        if not nodes:
            break
        held, key = nodes[rng.randrange(min(len(nodes), rng.choice((5, 30, 20_000))))]
        if (isinstance(held, list) and key >= len(held)) or (
            isinstance(held, dict) and key not in held
        ):
            continue
        value = rng.choice(
            (None, True, -1, 0, 1e308, 10**30, "", "x", "../../x", [], {}, [[]], {"a": 1}, "\ud800",
             float("inf"), float("nan"), 2021, "2021", [None], ["x", 1], copy.deepcopy(document))
        )  # fmt: skip
        if rng.random() < 0.25:
            del held[key]
        else:
            held[key] = value
    data[:] = json.dumps(document).encode("utf-8", "surrogatepass")
    return None


def _zip(data: bytearray, rng: random.Random, depth: int = 0) -> None:
    """Damage a member of a zip and pack it anew; or its flags, methods, sizes and names."""
    try:
        with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
            held = {one: archive.read(one) for one in archive.namelist()}
    except Exception:
        return _block(data, rng)
    if not held:
        return None
    turn = rng.random()
    if turn < 0.2:
        # the fields of a directory entry: flags (locked), method, sizes
        spots = [m.start() for m in re.finditer(rb"PK\x01\x02|PK\x03\x04", bytes(data))]
        spot = rng.choice(spots)
        shift = 6 if data[spot + 2] == 3 else 8
        field_at = spot + shift + rng.choice((0, 2, 8, 12, 16, 20))
        if field_at + 2 <= len(data):
            data[field_at : field_at + 2] = rng.choice((b"\1\0", b"\x63\0", b"\xff\xff", b"\x0c\0"))
        return None
    if turn < 0.35:
        names = list(held)
        name = rng.choice(names)
        change = rng.randrange(4)
        if change == 0:
            del held[name]
        elif change == 1:
            held[rng.choice(("../" + name, "a/" + name, name.upper(), "é" + name))] = held.pop(name)
        elif change == 2:
            held[name] = b""
        else:
            other = rng.choice(names)
            held[name], held[other] = held[other], held[name]
    else:
        name = rng.choice(list(held))
        inner = bytearray(held[name])
        if inner:
            damage(inner, rng, name, depth + 1)
        held[name] = bytes(inner)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in held.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    data[:] = packed.getvalue()
    return None


def _parquet(data: bytearray, rng: random.Random) -> None:
    """Write a table anew with a column, some cells or what the schema says otherwise."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(bytes(data)))
        written = io.BytesIO()
        pq.write_table(_other_table(table, rng), written, write_page_checksum=rng.random() < 0.5)
    except Exception:  # of Arrow: the cast is none it knows
        return _flip(data, rng)
    data[:] = written.getvalue()
    return None


def _other_table(table: Any, rng: random.Random) -> Any:
    import pyarrow as pa

    said = dict(table.schema.metadata or {})
    turn = rng.randrange(7)
    if turn == 0 and said:
        name = rng.choice(list(said))
        text = bytearray(said[name])
        _json(text, rng)
        if name == b"lipgeo" and b'"own_sha256": "' not in text and text.rstrip().endswith(b"}"):
            zeros = b', "own_sha256": "' + b"0" * 64 + b'"}'
            text[:] = text.rstrip()[:-1] + zeros
        return table.replace_schema_metadata({**said, name: bytes(text)})
    if turn == 1 or not table.num_columns:
        return table.slice(rng.randrange(3), rng.randrange(3))
    at = rng.randrange(table.num_columns)
    name, column = table.column_names[at], table.column(at)
    if turn == 2:
        return table.drop_columns([name])
    if turn == 3:
        other = rng.choice([*table.column_names, "", "geometry", name.upper()])
        return table.rename_columns([other if one == name else one for one in table.column_names])
    if turn == 4:
        kind = rng.choice([pa.string(), pa.float32(), pa.int8(), pa.binary(), pa.bool_(),
                           pa.list_(column.type), pa.dictionary(pa.int8(), column.type)])  # fmt: skip
        made = (
            pa.array([[one] for one in column.to_pylist()], kind)
            if pa.types.is_list(kind)
            else column.cast(kind, safe=False)
        )
        return table.set_column(at, name, made)
    cells = column.to_pylist()
    kinds: list[Any] = {
        float: [None, float("nan"), float("inf"), -1.0, 1e308, 0.0],
        int: [None, -1, 0, 2**31 - 1],
        str: [None, "", "x" * 70_000, "\0", "=1", "../..", "\u202e", *cells[:3]],
        bytes: [None, b"", b"\0" * 9, b"x" * 64, *cells[:3]],
    }.get(type(next((one for one in cells if one is not None), None)), [None])
    for _ in range(rng.choice((1, 3, len(cells)))):
        if cells:
            cells[rng.randrange(len(cells))] = rng.choice(kinds)
    return table.set_column(at, name, pa.array(cells, column.type))


_RAW: dict[str, Callable[[bytearray, random.Random], None]] = {
    "bit": _flip, "byte": _bytes, "block": _block, "truncation": _truncate, "header": _header,
}  # fmt: skip


def damage(data: bytearray, rng: random.Random, name: str, depth: int = 0) -> str:
    """Damage bytes in place in one way that fits them; return which."""
    structured: Callable[[bytearray, random.Random], None] | None = None
    if data[:4] == b"PAR1" and len(data) > 12:
        structured = _parquet
    elif data[:2] == b"PK" and depth < 2:
        structured = lambda d, r: _zip(d, r, depth)  # noqa: E731
    elif data[:1] in (b"{", b"["):
        structured = _json
    elif b"\0" not in data[:512] and data[:4] not in (b"PAR1", b"%PDF"):
        structured = rng.choice((_tokens, _lines))
    if structured is not None and rng.random() < 0.6:
        structured(data, rng)
        return "structure"
    how = rng.choice(list(_RAW))
    _RAW[how](data, rng)
    return how


def damaged_files(seed: Seed, rng: random.Random) -> tuple[dict[str, bytes], str]:
    """Return the files of an input, one or two of them damaged, and how."""
    files = dict(seed.files)
    meant = [name for name in files if Path(name).name in seed.damaged or name in seed.damaged]
    choice = meant or list(files)
    names = rng.sample(choice, min(len(choice), rng.choice((1, 1, 1, 2))))
    how = []
    for name in names:
        if rng.random() < 0.02:
            del files[name]
            how.append("absence")
            continue
        data = bytearray(files[name])
        if not data:
            data += b"\0"
        how.append(damage(data, rng, name))
        files[name] = bytes(data)
    if seed.sealed:
        reseal(files)
    elif "manifest.json" in files and rng.random() < 0.7:
        _seal(files)
    return files, "+".join(sorted(set(how)))


def reseal(files: dict[str, bytes]) -> None:
    """Make every sum fit again: of blocks, of files of themselves, of manifests and their files."""
    import hashlib

    from lipgeo.sealing import NO_SUM, OWN_SUM, seal
    from lipgeo.store.checked_file import BLOCK_BYTES

    zeroed = re.compile(rf'"{OWN_SUM}": "[^"]{{64}}"'.encode())
    for name, data in files.items():
        found = list(zeroed.finditer(data))
        if found and not name.endswith("manifest.json"):
            files[name] = seal(data)
        place = name.rpartition("/")[0]
        sums = f"{place}/sums/{Path(name).stem}.crc32".lstrip("/")
        if name.endswith(".parquet") and sums in files:
            size = BLOCK_BYTES
            blocks = [data[at : at + size] for at in range(0, len(data), size)]
            files[sums] = b"".join(zlib.crc32(one).to_bytes(4, "little") for one in blocks)
    for name in [one for one in files if one.endswith("release.json")]:
        place = name.rpartition("release.json")[0]
        record = json.loads(files[name])
        for key, file in (("sha256", "observations"), ("units_sha256", "units")):
            held = files.get(f"{place}{file}.parquet")
            if key in record and held is not None:
                record[key] = hashlib.sha256(held).hexdigest()
        record[OWN_SUM] = NO_SUM
        files[name] = seal((json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode())
    for name in [one for one in files if one.endswith("manifest.json")]:
        place = name.rpartition("manifest.json")[0]
        try:
            manifest = json.loads(files[name])
            for file, entry in manifest["files"].items():
                held = files.get(place + file)
                if held is not None:
                    entry.update(bytes=len(held), sha256=hashlib.sha256(held).hexdigest())
            for level, entry in manifest.get("levels", {}).items():
                if f"{place}{level}.parquet" in files:
                    entry["bytes"] = len(files[f"{place}{level}.parquet"])
            manifest[OWN_SUM] = NO_SUM
            files[name] = seal((json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode())
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _seal(files: dict[str, bytes]) -> None:
    """Make the sums of a manifest fit again, so that what reads the files is tried as well."""
    import hashlib

    try:
        manifest = json.loads(files["manifest.json"])
        for name, entry in manifest["files"].items():
            if name in files:
                entry["bytes"] = len(files[name])
                entry["sha256"] = hashlib.sha256(files[name]).hexdigest()
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    manifest.pop("own_sha256", None)
    manifest.pop("kind", None)
    files["manifest.json"] = json.dumps(manifest).encode()


# ------------------------------------------------------------------------------- whole inputs


def _files_of(folder: Path, only: Iterable[str] | None = None) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (only is None or path.name in only)
    }


def make_seeds(work: Path) -> list[Seed]:
    """Make one whole input of every kind that lipgeo reads, on a small made census."""
    import geopandas as gpd
    import pandas as pd
    import shapely
    from made_layouts import made_files, profile_2021
    from made_submissions import fill_template

    import lipgeo
    from lipgeo import synthetic
    from lipgeo.order.lists import read_template as read_order_template
    from lipgeo.order.tables import read_estimates, read_tables
    from lipgeo.readers.controls import read_controls
    from lipgeo.readers.deliveries import read_delivery
    from lipgeo.readers.numbers import read_numbers
    from lipgeo.registry.intake import read_submission, submissions
    from lipgeo.registry.table import open_registry
    from lipgeo.registry.template import read_template
    from lipgeo.store.results import write_estimates
    from lipgeo.store.source_file import read_source_file

    census = synthetic.census(blocks=500)
    frame = census.zones("DA").frame
    frame = frame[~frame.geometry.isna() & frame["population"].notna()].sort_index()
    ids = list(frame.index[:24])
    people = frame.loc[ids, "population"].astype(int).to_numpy()
    outline = shapely.union_all(frame.loc[ids[:5]].geometry.to_numpy())
    other = shapely.union_all(frame.loc[ids[5:9]].geometry.to_numpy())
    drawn = gpd.GeoDataFrame(
        {"id": ["A", "B"], "name_en": ["Québec", "North"]}, geometry=[outline, other], crs=3347
    )
    seeds: list[Seed] = []

    # drawn areas
    def areas(path: Path) -> object:
        return lipgeo.read_service_areas(path, id="id", census=census)

    def kml_areas(path: Path) -> object:
        return lipgeo.read_service_areas(path, id="Name", census=census)

    for suffix, driver in (
        (".shp", None), (".gpkg", None), (".geojson", None), (".fgb", None), (".gml", "GML"),
        (".tab", "MapInfo File"), (".mif", "MapInfo File"),
    ):  # fmt: skip
        folder = work / f"layer{suffix}"
        folder.mkdir()
        layer = drawn.to_crs(4326) if suffix == ".geojson" else drawn
        layer.to_file(folder / f"a{suffix}", **({"driver": driver} if driver else {}))
        held = _files_of(folder)
        if suffix == ".gml":
            held = {name: data for name, data in held.items() if name.endswith(".gml")}
        seeds.append(Seed(f"areas {suffix}", held, f"a{suffix}", areas))
        if suffix in (".shp", ".tab", ".gpkg"):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, data in held.items():
                    archive.writestr(f"in/{name}", data)
            seeds.append(Seed(f"areas {suffix} zip", {"a.zip": packed.getvalue()}, "a.zip", areas))
    marks = []
    for name, shape in zip(("A", "B"), drawn.to_crs(4326).geometry, strict=True):
        part = max(shapely.get_parts(shape), key=lambda one: one.area)
        points = " ".join(f"{x:.6f},{y:.6f}" for x, y in part.exterior.coords)
        marks.append(
            f"<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
            f"{points}</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        )
    kml = (
        '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        + "".join(marks) + "</Document></kml>"
    ).encode()  # fmt: skip
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", kml)
    seeds.append(Seed("areas .kml", {"a.kml": kml}, "a.kml", kml_areas))
    seeds.append(Seed("areas .kmz", {"a.kmz": packed.getvalue()}, "a.kmz", kml_areas))
    (work / "geoparquet").mkdir()
    drawn.to_parquet(work / "geoparquet" / "a.parquet")
    seeds.append(Seed("areas .parquet", _files_of(work / "geoparquet"), "a.parquet", areas))
    wkt = pd.DataFrame({"id": drawn["id"], "wkt": drawn.geometry.to_wkt(rounding_precision=0)})
    as_csv = wkt.to_csv(index=False).encode()
    seeds.append(
        Seed("areas wkt csv", {"a.csv": as_csv}, "a.csv",
             lambda path: lipgeo.read_service_areas(path, id="id", crs="EPSG:3347"))
    )  # fmt: skip

    # lists of units
    listed = pd.DataFrame(
        {"area_id": ["A"] * 5 + ["B"] * 4, "level": "DA", "unit_id": ids[:9], "name_en": "Town",
         "name_fr": "Ville"}
    )  # fmt: skip
    seeds.append(
        Seed("list csv", {"u.csv": listed.to_csv(index=False).encode()}, "u.csv", areas_of(census))
    )
    semi = listed.to_csv(index=False, sep=";").replace("Ville", "Vallée").encode("cp1252")
    seeds.append(Seed("list csv fr", {"u.csv": semi}, "u.csv", areas_of(census)))
    (work / "list").mkdir()
    listed.to_excel(work / "list" / "u.xlsx", index=False)
    seeds.append(Seed("list xlsx", _files_of(work / "list"), "u.xlsx", areas_of(census)))
    units = ", ".join(f'"DA:{one}"' for one in ids[:5])
    toml = f'vintage = 2021\n[area.A]\nname_en = "Town"\nunits = [{units}]\n'
    seeds.append(Seed("list toml", {"u.toml": toml.encode()}, "u.toml", areas_of(census)))

    # tables, controls
    def table(path: Path) -> object:
        return lipgeo.read_table(path, level="DA", vintage=2021)

    counts = pd.DataFrame(
        {"DAUID": ids, "Population": people, "Immigrants": people // 5, "Rate": people / 7}
    )
    plain = counts.to_csv(index=False).encode()
    seeds.append(Seed("table csv", {"t.csv": plain}, "t.csv", table))
    french = counts.to_csv(index=False, sep=";", decimal=",").replace("Rate", "Taux é")
    seeds.append(Seed("table csv fr", {"t.csv": french.encode("cp1252")}, "t.csv", table))
    seeds.append(Seed("table csv utf-16", {"t.csv": french.encode("utf-16")}, "t.csv", table))
    (work / "table").mkdir()
    counts.to_excel(work / "table" / "t.xlsx", index=False)
    counts.to_parquet(work / "table" / "t.parquet")
    seeds.append(Seed("table xlsx", _files_of(work / "table", ["t.xlsx"]), "t.xlsx", table))
    seeds.append(
        Seed("table parquet", _files_of(work / "table", ["t.parquet"]), "t.parquet", table)
    )
    known = b"area_id;Population\nA;315\nB;20\n"
    seeds.append(Seed("controls csv", {"c.csv": known}, "c.csv", read_controls))

    # Statistics Canada's files
    made = work / "census-files"
    synthetic.write_files(census, made, levels=["DA", "CSD"])
    for path in sorted(made.iterdir()):
        seeds.append(
            Seed(f"census {path.suffix} {path.stem[:9]}", {path.name: path.read_bytes()}, path.name,
                 lambda one: read_source_file(one, vintage=None, level=None, mapping=None,
                                              attributes_only=False))
        )  # fmt: skip
    figures = synthetic.table(census, "DA")
    for path in synthetic.write_profile(census, [figures], work / "profile")[:2]:
        data = path.read_bytes()
        if path.suffix != ".zip" and len(data) <= 3_000_000:
            seeds.append(Seed("profile csv", {path.name: data}, path.name, lipgeo.read_profile))

    def import_table(path: Path) -> object:
        store = path.parent / "tables"
        return lipgeo.add_table(store, path), lipgeo.open_table(store)

    seeds.append(
        Seed("table import", {"98-401-X2021003.csv": profile_2021().encode("cp1252")},
             "98-401-X2021003.csv", import_table)
    )  # fmt: skip
    for one in made_files():
        seeds.append(
            Seed(f"layout {Path(one.name).stem[:16]}", {one.name: one.content}, one.name,
                 partial(lipgeo.read_table, **one.asked))
        )  # fmt: skip
    for name in ("cdp_2021.csv", "city_2016.csv", "imdb.csv"):
        one = next(made for made in made_files() if made.name == name)
        seeds.append(Seed(f"delivery {name[:4]}", {name: one.content}, name, read_delivery))
    book = io.BytesIO()
    counts.rename(columns={"Rate": "Dwellings"}).to_excel(book, index=False)
    seeds.append(
        Seed("census xlsx", {"da_2021.xlsx": book.getvalue()}, "da_2021.xlsx",
             lambda one: read_source_file(one, vintage=2021, level="DA", mapping=None,
                                          attributes_only=False))
    )  # fmt: skip
    older = synthetic.census(blocks=500, vintage=2016)
    bridge = synthetic.write_correspondence(census, older, work / "bridge")
    for path in [bridge] if isinstance(bridge, Path) else list(bridge):
        seeds.append(
            Seed("correspondence", {path.name: path.read_bytes()}, path.name,
                 lambda one: lipgeo.read_correspondence(one))
        )  # fmt: skip

    # what lipgeo itself wrote
    given = lipgeo.ServiceAreas.from_frame(drawn, id="id")
    fitted = lipgeo.fit_boundaries(census, given, unit="DA")
    lipgeo.write_build(fitted, work / "build")
    lipgeo.write_order(fitted, work / "order")
    lipgeo.write_crosswalk(fitted.membership, work / "x.parquet")
    build = _files_of(work / "build")
    seeds.append(Seed("build", build, ".", lipgeo.read_build))
    seeds.append(
        Seed("build manifest", build, ".", lipgeo.read_build, ("manifest.json", "checks.json"))
    )
    order = _files_of(work / "order")
    seeds.append(Seed("order", order, ".", lipgeo.verify_order))
    seeds.append(
        Seed("order manifest", order, ".", lipgeo.verify_order, ("manifest.json", "checks.json"))
    )
    whole_order = work / "order"
    seeds.append(
        Seed("order diff", {k: v for k, v in order.items()}, ".",
             lambda path: lipgeo.diff_orders(path, whole_order), ("manifest.json", "areas_2021.geojson"))
    )  # fmt: skip
    seeds.append(
        Seed(
            "crosswalk",
            {"x.parquet": (work / "x.parquet").read_bytes()},
            "x.parquet",
            lipgeo.read_crosswalk,
        )
    )
    read = lipgeo.read_table(_put(work / "t.csv", plain), vintage=2021)
    estimates = lipgeo.weight_table(read, fitted.membership)
    outlines = fitted.areas.set_index("area_id").geometry
    for ending in ("parquet", "csv", "xlsx", "gpkg"):
        shapes = outlines if ending == "gpkg" else None
        write_estimates(estimates, work / f"e.{ending}", shapes=shapes)
        held = {f"e.{ending}": (work / f"e.{ending}").read_bytes()}
        if ending in ("parquet", "csv"):
            seeds.append(Seed(f"estimates {ending}", held, f"e.{ending}", read_estimates))
        seeds.append(Seed(f"numbers {ending}", held, f"e.{ending}", read_numbers))
    asked = b'[[tables]]\ntable = "T1"\ntitle = "Income by age"\nuniverse = "income"\nvariables = ["a"]\n'
    seeds.append(Seed("tables toml", {"t.toml": asked}, "t.toml", read_tables))
    seeds.append(
        Seed(
            "tables csv",
            {"t.csv": b"table;title;universe\nT1;Income;income\nT2;X;\n"},
            "t.csv",
            read_tables,
        )
    )
    seeds.append(
        Seed(
            "order template",
            {"t.toml": (ROOT / "lipgeo" / "order" / "template.toml").read_bytes()},
            "t.toml",
            read_order_template,
        )
    )

    # a store
    store = work / "store"
    lipgeo.add_census(store, sorted(made.iterdir()), made=True)

    def whole_store(path: Path) -> object:
        opened = lipgeo.open_census(path)
        opened.find("a")
        return opened.zones("DA").frame, opened.zones("CSD").frame

    held = {k: v for k, v in _files_of(store).items() if "said/" not in k}
    seeds.append(Seed("census store", held, ".", whole_store))
    manifest = next(name for name in held if name.endswith("manifest.json"))
    seeds.append(Seed("census manifest", held, ".", whole_store, (manifest,)))

    # a registry, a set, a filled-in template
    registry = {
        name: data
        for name, data in _files_of(ROOT / "lipgeo" / "registry").items()
        if name.endswith(".csv")
    } or _files_of(
        ROOT / "boundaries", ["lips.csv", "definitions.csv", "overlaps.csv", "consortia.csv"]
    )
    if registry:
        flat = {Path(name).name: data for name, data in registry.items()}
        seeds.append(Seed("registry", flat, ".", open_registry))
    (work / "sent").mkdir()
    for name, data in (("a.geojson", "areas .geojson"), ("u.csv", "list csv")):
        seed = next(one for one in seeds if one.kind == data)
        (work / "sent" / name).write_bytes(next(iter(seed.files.values())))
    made_set = lipgeo.compile_set(work / "sent", census=census, name="made")
    lipgeo.write_set(made_set, work / "set")
    held = _files_of(work / "set")
    seeds.append(Seed("set", held, ".", lipgeo.read_set))
    seeds.append(Seed("set manifest", held, ".", lipgeo.read_set, ("manifest.json", "checks.json")))
    filled = work / "template.xlsx"
    fill_template(filled, "ab-calgary", pd.DataFrame({"level": "DA", "unit_id": ids[:9]}))
    seeds.append(
        Seed("template", {"template.xlsx": filled.read_bytes()}, "template.xlsx", read_template)
    )
    books = open_registry()

    def submission(path: Path) -> object:
        taken = [read_submission(one, census, books, None) for one in submissions(path)]
        unexpected = [one for one in taken if one.fault == "unexpected"]
        if unexpected:
            raise AssertionError(unexpected[0].problems[-1][:160])
        return taken

    # what has a sum, damaged behind it: Parquet and what manifests hold
    portal = work / "portal"
    rows = pd.DataFrame({"area_id": ["west", "east"], "indicator": "population", "period": "2021",
                         "value": [1000.0, 900.0], "origin": "ordered"})  # fmt: skip
    lipgeo.open_portal(portal, create=True).add(rows, release="first")

    def whole_portal(path: Path) -> object:
        opened = lipgeo.open_portal(path)
        return opened.frame(), opened.releases

    seeds.append(Seed("portal", _files_of(portal), ".", whole_portal))
    behind = {"crosswalk", "numbers parquet", "estimates parquet", "census store", "build", "set",
              "portal"}  # fmt: skip
    for seed in list(seeds):
        if seed.kind in behind:
            files = tuple(one for one in seed.files if one.endswith(".parquet"))
            seeds.append(
                dataclasses.replace(
                    seed, kind=f"{seed.kind} behind its sum", damaged=files, sealed=True
                )
            )
    for seed in list(seeds):
        if seed.kind in ("areas .geojson", "list csv", "list xlsx", "areas .shp zip"):
            seeds.append(Seed(f"submission {seed.kind.split()[-1]}", seed.files, ".", submission))
    return seeds


def areas_of(census: Any) -> Callable[[Path], object]:
    """Return what reads a list of units of a census."""
    from lipgeo.readers.areas import read_service_areas

    return lambda path: read_service_areas(path, census=census)


def _put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# ------------------------------------------------------------------------------- reading


def write_input(seeds: list[Seed], seed: int, number: int, folder: Path) -> tuple[Seed, str]:
    """Write input ``number`` of a run into an empty folder; return its whole input and how."""
    rng = random.Random(f"{seed}-{number}")
    whole = seeds[number % len(seeds)]
    files, how = damaged_files(whole, rng)
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return whole, how


def try_input(seeds: list[Seed], seed: int, number: int, folder: Path) -> Outcome:
    """Make one input, read it, and say what became of it."""
    from lipgeo.errors import LipgeoError

    place = folder / "in"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    whole, how = write_input(seeds, seed, number, place)
    what, where = "read", ""
    started = time.process_time()
    try:
        whole.read(place / whole.opened)
    except LipgeoError:
        what = "refused"
    except MemoryError as error:
        what, where = "MemoryError", _where(error)
    except Exception as error:
        what, where = type(error).__name__, _where(error)
    seconds = time.process_time() - started
    if what in ("read", "refused") and seconds > TIME_LIMIT:
        what = "slow"
    return Outcome(number, whole.kind, how, what, where, round(seconds, 3), _peak_mb())


def _where(error: BaseException) -> str:
    frames = [
        one for one in traceback.extract_tb(error.__traceback__) if "/lipgeo/" in one.filename
    ]
    own = [one for one in frames if "site-packages" not in one.filename]
    at = (
        f"{own[-1].filename.rsplit('/lipgeo/', 1)[1]}:{own[-1].lineno} {own[-1].name}"
        if own
        else "?"
    )
    return f"{at} | {str(error)[:100]}"


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _work(seeds: list[Seed], seed: int, numbers: Iterator[int], pipe: int, folder: Path) -> None:
    """Read inputs one after the other and tell the parent of each; never returns."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + 2 * MEMORY_LIMIT * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    base = _peak_mb()
    for done, number in enumerate(numbers):
        os.write(pipe, f"{json.dumps({'start': number})}\n".encode())
        outcome = try_input(seeds, seed, number, folder)
        if outcome.peak_mb - base > MEMORY_LIMIT and not outcome.is_fault:
            outcome = dataclasses.replace(outcome, what="memory")
        os.write(pipe, f"{json.dumps(dataclasses.asdict(outcome))}\n".encode())
        if done >= _SPELL or outcome.peak_mb - base > MEMORY_LIMIT // 2:
            break
    os._exit(0)


@dataclass
class _Worker:
    pid: int
    pipe: int
    turn: int
    folder: Path
    next: int
    rest: bytes = b""
    since: float = 0.0
    used: float = 0.0
    reading: int | None = None

    @property
    def hangs(self) -> bool:
        """Whether its input takes more than its time."""
        if self.reading is None:
            return False
        waited = time.monotonic() - self.since
        return waited > _WAIT or (
            waited > TIME_LIMIT and _processor(self.pid) - self.used > TIME_LIMIT
        )


def _processor(pid: int) -> float:
    """Return the seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(
    seeds: list[Seed], *, seed: int, count: int, workers: int, folder: Path,
    seconds: float | None = None, show: Callable[[Outcome], None] = lambda one: None,
    first: int = 0,
) -> list[Outcome]:  # fmt: skip
    """Read ``count`` damaged inputs in forked workers; return what became of each."""
    outcomes: list[Outcome] = []
    chosen = selectors.DefaultSelector()
    until = None if seconds is None else time.monotonic() + seconds
    last = first + count

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        show(outcome)

    def start(turn: int, number: int) -> None:
        if number >= last or (until is not None and time.monotonic() > until):
            return
        here = folder / f"worker-{turn}"
        here.mkdir(exist_ok=True)
        ours, theirs = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(ours)
            try:
                _work(seeds, seed, iter(range(number, last, workers)), theirs, here)
            finally:
                os._exit(3)
        os.close(theirs)
        worker = _Worker(pid, ours, turn, here, number, since=time.monotonic())
        chosen.register(ours, selectors.EVENT_READ, worker)

    def end(worker: _Worker, what: str) -> None:
        """Let go of a worker; what it was reading when it ended is a fault."""
        chosen.unregister(worker.pipe)
        os.close(worker.pipe)
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
        _, status = os.waitpid(worker.pid, 0)
        if worker.reading is not None and what != "stopped":
            kind = seeds[worker.reading % len(seeds)].kind
            said = what or f"ended by signal {os.waitstatus_to_exitcode(status)}"
            tell(Outcome(worker.reading, kind, "?", said, seconds=time.monotonic() - worker.since))
        if what != "stopped":
            start(worker.turn, worker.next)

    for turn in range(workers):
        start(turn, first + turn)
    while chosen.get_map():
        for key, _ in chosen.select(timeout=1.0):
            worker: _Worker = key.data
            received = os.read(worker.pipe, 1 << 16)
            if not received:
                end(worker, "")
                continue
            *lines, worker.rest = (worker.rest + received).split(b"\n")
            for line in lines:
                told = json.loads(line)
                worker.since = time.monotonic()
                if "start" in told:
                    worker.used = _processor(worker.pid)
                    worker.reading = told["start"]
                    worker.next = told["start"] + workers
                else:
                    worker.reading = None
                    tell(Outcome(**told))
        now = time.monotonic()
        for key in list(chosen.get_map().values()):
            worker = key.data
            if worker.hangs:
                end(worker, "hang")
            elif until is not None and now > until:
                end(worker, "stopped")
    return outcomes


# ------------------------------------------------------------------------------- report


def report_of(outcomes: list[Outcome]) -> str:
    """Return inputs by kind and outcome, faults by class and place, slowest and largest."""
    lines = []
    by_kind: dict[str, Counter[str]] = {}
    for one in outcomes:
        what = one.what if not one.is_fault else "fault"
        by_kind.setdefault(one.kind, Counter()).update([what])
    lines.append(f"{'kind':<32}{'inputs':>8}{'read':>8}{'refused':>9}{'faults':>8}")
    for kind, held in sorted(by_kind.items()):
        row = (sum(held.values()), held["read"], held["refused"], held["fault"])
        lines.append(f"{kind:<32}{row[0]:>8}{row[1]:>8}{row[2]:>9}{row[3]:>8}")
    total = Counter("fault" if one.is_fault else one.what for one in outcomes)
    lines.append(
        f"{'all':<32}{len(outcomes):>8}{total['read']:>8}{total['refused']:>9}{total['fault']:>8}"
    )
    faults = [one for one in outcomes if one.is_fault]
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in faults:
        groups.setdefault((one.what, one.where.split(" | ")[0]), []).append(one)
    for (what, where), held in sorted(groups.items(), key=lambda item: -len(item[1])):
        kinds = ", ".join(sorted({one.kind for one in held})[:4])
        lines.append(f"{len(held):>6}  {what}  {where}  [{kinds}]  e.g. {held[0].number}"
                     f"  {held[0].where.split(' | ')[-1][:80]}")  # fmt: skip
    if outcomes:
        slow = max(outcomes, key=lambda one: one.seconds)
        large = max(outcomes, key=lambda one: one.peak_mb)
        lines.append(f"slowest {slow.seconds:.1f} s ({slow.kind}, {slow.number})")
        lines.append(f"largest process {large.peak_mb} MB ({large.kind}, {large.number})")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run from the command line; exit 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--kinds", help="only kinds that hold this")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--log", type=Path, help="one JSON line a fault")
    parser.add_argument(
        "--keep", type=int, help="write input NUMBER to ./fuzz-input, read it, raise"
    )
    given = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        started = time.monotonic()
        (Path(folder) / "whole").mkdir()
        seeds = make_seeds(Path(folder) / "whole")
        if given.kinds:
            seeds = [one for one in seeds if given.kinds in one.kind]
        if given.keep is not None:
            kept = Path("fuzz-input")
            kept.mkdir()
            whole, how = write_input(seeds, given.seed, given.keep, kept)
            print(whole.kind, how)
            print(whole.read(kept / whole.opened))
            return 0
        made = time.monotonic() - started
        print(f"{len(seeds)} kinds made in {made:.0f} s", file=sys.stderr)
        log = given.log.open("a") if given.log else None

        def show(one: Outcome) -> None:
            if log is not None and one.is_fault:
                print(json.dumps(dataclasses.asdict(one)), file=log, flush=True)

        started = time.monotonic()
        outcomes = run(
            seeds, seed=given.seed, count=given.count, workers=given.workers, first=given.first,
            folder=Path(folder), seconds=given.seconds, show=show,
        )  # fmt: skip
        took = time.monotonic() - started
        print(report_of(outcomes))
        print(
            f"{len(outcomes)} inputs in {took:.0f} s, {len(outcomes) / max(took, 1e-9):.1f} a second"
        )
    return int(any(one.is_fault for one in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
