"""Verify an order: every byte as it was written, and the same again from the census."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from lipgeo.errors import OrderError, require_path
from lipgeo.files import (
    MANIFEST,
    changed_files,
    is_as_written,
    json_text,
    listed_files,
    sha256_of,
    sums_text,
)
from lipgeo.order.manifest import SUMS, ZIP, OldOrder, read_changed_order
from lipgeo.readers.vector_files import Dataset, read_vector
from lipgeo.report import CheckReport, Finding, finding

if TYPE_CHECKING:
    from lipgeo.census.census import Census

__all__ = ["verify_order"]

#: what is said of a manifest that cannot be one
_DAMAGED = (
    "files.manifest_not_json",
    "files.manifest_too_deep",
    "files.manifest_unfit",
    "files.manifest_unreadable",
)
_LINE = re.compile(r"([0-9a-f]{64})  (\S[^\n]*)")
#: of an area's size: outlines made again by another GEOS may differ in the last digits
_SAME_SHAPE = 1e-9


def verify_order(folder: str | Path, census: Census | None = None) -> CheckReport:
    """Verify an order: no byte changed, no file missing or extra; with a census, made again.

    Parameters
    ----------
    folder
        What :func:`lipgeo.write_order` wrote.
    census
        The census the order was made from: each area's units are looked up in it, joined and
        counted again, and compared with the package.

    Returns
    -------
    CheckReport
        ``changed, missing, extra`` (errors; the file's path is the subject), ``unit_unknown,
        shape_differs, count_differs`` (errors; the area's id is the subject); ``intact`` and
        ``made_again`` (notes) say what was proven.

    Raises
    ------
    OrderError
        The folder is no order, was written by a newer lipgeo, names paths that leave the folder,
        or is of another census year than ``census``.
    """
    place = require_path(folder, "folder")
    findings, accused, unpaired = _against_sums(place)
    try:
        order = read_changed_order(place)
    except OrderError as error:
        # a damaged manifest is a finding where the sums prove the damage
        if error.key in _DAMAGED and MANIFEST in accused:
            return CheckReport([*findings, *(_changed_finding(name) for name in accused)])
        raise
    findings += _against_manifest(place, order, accused)
    known = {*order.manifest["files"], MANIFEST, *([ZIP] if order.has_zip else [])}
    if any((name in known) == (place / name).exists() for name in unpaired):
        findings.append(_changed_finding(SUMS))
    findings += [_changed_finding(name) for name in _guilty(place, order, accused)]
    findings = list(dict.fromkeys(findings))
    if not findings:
        count = len(order.manifest["files"])
        findings.append(finding("order.intact", "note", "", value=count, files=count))
    if census is not None:
        findings += _check_against_census(order, census)
    return CheckReport(findings)


def _changed_finding(name: str) -> Finding:
    return finding("order.changed", "error", name, path=name)


def _missing_finding(name: str) -> Finding:
    return finding("order.missing", "error", name, path=name)


def _against_sums(place: Path) -> tuple[list[Finding], list[str], list[str]]:
    """Hold the files against ``SHA256SUMS``, and it against its own form.

    Returns findings; files whose digest is not the one it gives: one of the two was changed; and
    names that stand in only one of the two.
    """
    path = place / SUMS
    if not path.is_file():
        return ([_missing_finding(SUMS)] if (place / MANIFEST).exists() else []), [], []
    raw = path.read_bytes()
    found = {name: value for value, name in _LINE.findall(raw.decode("utf-8", errors="replace"))}
    present = set(listed_files(place)) - {SUMS}
    if sums_text(found).encode() != raw or not present & set(found):
        return [_changed_finding(SUMS)], [], []
    accused = [n for n in sorted(present & set(found)) if sha256_of(place / n) != found[n]]
    return [], accused, sorted(present ^ set(found))


def _guilty(place: Path, order: OldOrder, accused: list[str]) -> list[str]:
    """Return which files were changed: those accused, or the sums that accuse them.

    A second witness decides: the manifest for the files it lists, for itself its own sum; where
    it has a zip beside it (the first version), the zip. For the zip itself there is none: then both
    are named.
    """
    names: list[str] = []
    files = order.manifest["files"]
    for name in accused:
        if name in files:
            names.append(name if sha256_of(place / name) != files[name]["sha256"] else SUMS)
        elif not order.has_zip:
            raw = (place / MANIFEST).read_bytes()
            names.append(SUMS if is_as_written(raw, order.manifest) else name)
        elif name == ZIP:
            names += [ZIP, SUMS] if _zip_holds(place, files) else [ZIP]
        else:
            names.append(SUMS if _zip_holds(place, files) else name)
    return list(dict.fromkeys(names))


def _extra(name: str) -> Finding:
    return finding("order.extra", "error", name, path=name)


def _against_manifest(place: Path, order: OldOrder, accused: list[str]) -> list[Finding]:
    files: Mapping[str, Any] = order.manifest["files"]
    findings = []
    raw = (place / MANIFEST).read_bytes()
    if not is_as_written(raw, order.manifest) or json_text(order.manifest).encode() != raw:
        findings.append(_changed_finding(MANIFEST))
    present = set(listed_files(place))
    known = {*files, MANIFEST, SUMS, *([ZIP] if order.has_zip else [])}
    findings += [_missing_finding(name) for name in sorted(known - present)]
    findings += [_extra(name) for name in sorted(present - known)]
    listed = {name: files[name] for name in sorted(present & set(files))}
    findings += [_changed_finding(name) for name in changed_files(place, listed)]
    # a changed manifest is no witness against the zip
    if (
        order.has_zip
        and ZIP in present
        and MANIFEST not in accused
        and not _zip_holds(place, files)
    ):
        findings.append(_changed_finding(ZIP))
    return findings


def _zip_holds(place: Path, files: Mapping[str, Any]) -> bool:
    """Whether the zip holds the files as they were written, and this very manifest."""
    try:
        with zipfile.ZipFile(place / ZIP) as archive:
            if set(archive.namelist()) != {*files, MANIFEST}:
                return False
            held = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in files}
            return archive.read(MANIFEST) == (place / MANIFEST).read_bytes() and all(
                held[name] == files[name]["sha256"] for name in files
            )
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, KeyError):
        return False
    except Exception as error:  # zlib.error and whatever else a torn archive provokes
        if type(error).__module__ not in ("zlib", "lzma", "zipfile"):
            raise
        return False


def _check_against_census(order: OldOrder, census: Census) -> list[Finding]:
    """Look the units up in the census, join and count them again."""
    from lipgeo.boundary.measures import dissolve_units, unit_totals
    from lipgeo.errors import UnknownUnitError

    if census.vintage != order.vintage:
        raise OrderError(
            "order.other_vintage", order=str(order.vintage), census=str(census.vintage)
        )
    findings: list[Finding] = []
    rows = []
    for place, area in enumerate(order.manifest["areas"]):
        for level, units in area["units"].items():
            try:
                found = census.rows(level, list(units))
            except (UnknownUnitError, LookupError) as error:
                findings.append(
                    finding(
                        "order.unit_unknown", "error", area["area_id"], area=area["area_id"],
                        reason=error,
                    )
                )  # fmt: skip
                continue
            rows.append(
                pd.DataFrame(
                    {"area": place, "level": level, "census_row": found, "unit_id": list(units)}
                )
            )
    if findings or not rows:
        return findings
    units = pd.concat(rows, ignore_index=True)
    ids = pd.Index([area["area_id"] for area in order.manifest["areas"]])
    for level, group in units.groupby("level", sort=False):
        totals = unit_totals(census, str(level), group["census_row"].to_numpy(np.int64))
        units.loc[group.index, ["population", "dwellings"]] = totals[
            ["population", "dwellings"]
        ].to_numpy()
    sums = units.groupby("area")[["population", "dwellings"]].sum(min_count=1)
    for place, area in enumerate(order.manifest["areas"]):
        for name in ("population", "dwellings"):
            then, now = area[name], sums.loc[place, name]
            given = np.nan if then is None else float(then)
            if not (np.isclose(given, now, rtol=1e-12, atol=1e-6, equal_nan=True)):
                findings.append(
                    finding(
                        "order.count_differs", "error", area["area_id"], value=now, limit=given,
                        area=area["area_id"], what=name, then=given, now=now,
                    )
                )  # fmt: skip
    findings += _shapes_differ(order, ids, dissolve_units(census, units, ids).geometry)
    if not findings:
        findings.append(
            finding(
                "order.made_again", "note", "", value=len(ids), areas=len(ids), units=len(units)
            )
        )
    return findings


def _shapes_differ(order: OldOrder, ids: pd.Index, again: Any) -> list[Finding]:
    layer = order.path_of(f"areas_{order.vintage}.gpkg")
    held = read_vector(Dataset(layer.name, layer), layer="areas", columns=["area_id"])
    held = held.set_index("area_id")
    then = held.geometry.reindex(ids).to_numpy()
    apart = shapely.area(shapely.symmetric_difference(then, again))
    size = np.maximum(shapely.area(again), 1.0)
    return [
        finding("order.shape_differs", "error", ids[n], value=apart[n], area=ids[n], m2=apart[n])
        for n in np.flatnonzero(~(apart <= _SAME_SHAPE * size))
    ]
