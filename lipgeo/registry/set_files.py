"""Write a set to disk whole or not at all, and read it back."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.errors import FileError, tell_damage
from lipgeo.files import (
    FolderFormat,
    Sheet,
    changed_files,
    file_entries,
    folder_in_one_step,
    is_ours,
    json_text,
    load_json,
    read_manifest,
    require_free,
    unguard_csv,
    write_csv,
    write_manifest,
    write_workbook,
)
from lipgeo.registry.compile import CompiledSet
from lipgeo.registry.overlaps import AreaIndex
from lipgeo.report import CheckReport

__all__ = ["SET", "is_set", "read_set", "write_set"]

#: layout of the folder; a reader refuses a newer one; since 2 files have their bytes too
SET_VERSION = 2
SET = FolderFormat(
    "set",
    SET_VERSION,
    FileError,
    "registry.not_a_set",
    {"meta": {"set": str}, "files": {"*": {"sha256": str}}},
)
_FILES = (
    "areas.parquet", "units.parquet", "intake.csv", "intake.xlsx", "overlaps.csv",
    "gaps.parquet", "changes.csv", "checks.json",
)  # fmt: skip
_NUMBERS = ("people", "share_of_smaller", "units", "people_before", "people_now")


def write_set(made: CompiledSet, folder: str | Path, *, replace: bool = False) -> Path:
    """Write a set into a folder, whole or not at all.

    Parameters
    ----------
    made
        What :func:`lipgeo.compile_set` gave.
    folder
        Where to write.
    replace
        Whether an earlier set gives way; nothing else does.

    Returns
    -------
    pathlib.Path
        The folder: ``areas.parquet`` (GeoParquet, EPSG:3347, with ``kind`` and ``people``),
        ``units.parquet`` (the lists), ``intake.xlsx`` and ``intake.csv``, ``overlaps.csv``,
        ``gaps.parquet``, ``changes.csv``, ``checks.json``, ``manifest.json``. It is AREAS for the
        other commands.

    Raises
    ------
    OutputError
        The folder holds something that is no set or was put there since, or a set and ``replace``
        is false; or it cannot be written.
    """
    require_free(folder, SET, replace=replace)
    frame = made.areas.frame
    kinds = [made.kinds[str(area)] for area in frame.index]
    people = [made.people[str(area)] for area in frame.index]
    drawn = frame.assign(
        kind=pd.array(kinds, dtype="string"),
        people=people,
        as_drawn=made.areas.as_drawn.reindex(frame.index).to_wkb(),
    )
    with folder_in_one_step(folder, replace=replace) as place:
        drawn.reset_index().to_parquet(
            place / "areas.parquet", index=False, schema_version="1.1.0", write_covering_bbox=True
        )
        made.areas.units.to_parquet(place / "units.parquet", index=False)
        made.gaps.to_parquet(place / "gaps.parquet", index=False, schema_version="1.1.0")
        write_csv(made.intake, place / "intake.csv")
        write_csv(made.overlaps, place / "overlaps.csv")
        write_csv(made.changes, place / "changes.csv")
        listed = made.areas.frame[["name_en", "name_fr", "definition", "valid_from", "valid_to"]]
        areas = pd.DataFrame(listed).reset_index().assign(kind=kinds, people=people)
        write_workbook(
            [
                Sheet("intake", made.intake),
                Sheet("areas", areas),
                Sheet("overlaps", made.overlaps),
                Sheet("gaps", pd.DataFrame(made.gaps.drop(columns="geometry"))),
                Sheet("changes", made.changes),
            ],
            place / "intake.xlsx",
        )
        checks = {
            "findings": made.report.to_records(),
            "areas": made.areas.report.to_records(),
        }
        (place / "checks.json").write_text(json_text(checks), encoding="utf-8", newline="\n")
        write_manifest(place, SET, {"meta": made.meta}, file_entries(place, _FILES))
    return Path(folder)


def is_set(folder: str | Path) -> bool:
    """Whether a folder is a set that :func:`write_set` wrote."""
    return is_ours(folder, SET)


def read_set(folder: str | Path) -> CompiledSet:
    """Read a set back.

    Raises
    ------
    FileError
        The folder is no set, lacks files, is of a newer lipgeo, or a file was changed since it
        was written (``problems`` lists which).
    """
    place = Path(folder)
    manifest = read_manifest(place, SET)
    files = manifest["files"]
    changed = [*changed_files(place, files), *(name for name in _FILES if name not in files)]
    if changed:
        problems = [{"file": name} for name in changed]
        raise FileError("registry.changed", problems, folder=place, files=changed)
    with tell_damage(FileError, "registry.set_damaged", folder=place):
        checks = load_json((place / "checks.json").read_bytes())
        frame = gpd.read_parquet(place / "areas.parquet").set_index("area_id")
        as_drawn = gpd.GeoSeries.from_wkb(frame.pop("as_drawn"), crs=frame.crs).dropna()
        kinds, people = frame.pop("kind"), frame.pop("people")
        areas = ServiceAreas(
            frame,
            pd.read_parquet(place / "units.parquet").astype("string"),
            as_drawn=as_drawn,
            vintage=manifest["meta"]["vintage"] if frame["definition"].eq("units").any() else None,
            report=CheckReport.from_records(checks["areas"]),
        )
        index = AreaIndex()
        for area, outline in frame.geometry.items():
            index.insert(str(area), outline)
        return CompiledSet(
            name=manifest["meta"]["set"],
            areas=areas,
            kinds={str(area): str(kind) for area, kind in kinds.items()},
            people={str(area): float(count) for area, count in people.items()},
            intake=_read_csv(place / "intake.csv"),
            overlaps=_read_csv(place / "overlaps.csv"),
            gaps=gpd.read_parquet(place / "gaps.parquet"),
            changes=_read_csv(place / "changes.csv"),
            report=CheckReport.from_records(checks["findings"]),
            meta=manifest["meta"],
            index=index,
        )


def _read_csv(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype="string", encoding="utf-8-sig")
    for name in frame.columns:
        if name in _NUMBERS:
            frame[name] = pd.to_numeric(frame[name]).astype("float64")
        elif name == "intended":
            frame[name] = frame[name].eq("True").astype(bool)
        else:
            frame[name] = unguard_csv(frame[name])
    return frame
