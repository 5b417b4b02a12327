"""Take in a table of the longitudinal immigration database that answers no order of the portal.

The Community Data Program orders T1 and T2 for all partnerships, subdivisions and divisions, so a
file has many areas that a portal does not keep. An area is taken by its unit's code, its id or its
name; what several areas could be is left, and said.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from lipgeo.errors import InputError, LipgeoError
from lipgeo.geography.hierarchy import fold
from lipgeo.portal.sources.dimensions import of_dimensions, roles_of
from lipgeo.portal.sources.intake import Intake, Known
from lipgeo.readers.deliveries import Delivery, plain_label, read_delivery
from lipgeo.report import CheckReport, finding
from lipgeo.words import say

__all__ = ["from_imdb", "is_imdb"]

_UNIT = {"CSD": 7, "CD": 4}
_LEVELS = {"A": "", "B": "CSD", "C": "CD"}


def is_imdb(path: Path) -> bool:
    """Say whether a file is a long table by admission year."""
    try:
        delivery = read_delivery(path)
    except LipgeoError:
        return False
    return delivery.layout == "long" and "admission" in roles_of(delivery.dimensions)


def from_imdb(path: Path, known: Known) -> Intake:
    """Return what a table of the longitudinal database brings for the areas of a portal.

    Raises
    ------
    InputError
        None of its areas is one of the portal's, or cells cannot be read.
    """
    delivery = read_delivery(path)
    if delivery.unread:
        cells = [f"{one['label']} {one['place']}: {one['given']}" for one in delivery.unread]
        raise InputError("portal.not_numbers", delivery.unread, name=path.name, cells=cells)
    level = _level_of(path.stem, delivery)
    places = [_place(row, level, known) for row in delivery.labels.to_dict("records")]
    at = np.array([n for n, found in enumerate(places) if len(found) == 1], dtype=np.intp)
    if not len(at):
        raise InputError("portal.imdb_no_area", name=path.name, level=level)
    several = [
        str(delivery.labels["label"].iloc[n]) for n, found in enumerate(places) if len(found) > 1
    ]
    taken = [places[n][0] for n in at]
    twice = sorted({"@".join(one) for one in taken if taken.count(one) > 1})
    if twice:
        raise InputError("portal.imdb_twice", name=path.name, areas=twice)
    areas = known.areas.set_index(["area_id", "definition"])
    common: dict[str, Any] = {
        "area_id": np.array([one[0] for one in taken], dtype=object),
        "definition": np.array([one[1] for one in taken], dtype=object),
        "realisation_hash": np.array([""] * len(taken), dtype=object),
    }
    rows, own, extra = of_dimensions(
        delivery,
        delivery.values[at],
        delivery.symbols[at],
        common,
        known,
        say("portal.source_imdb", name=path.stem),
        path.stem,
        level=level,
        provinces=areas["province"].to_dict(),
    )
    notes = []
    left = len(places) - len(at) - len(several)
    if left:
        notes.append(finding("portal.imdb_left", "note", path.name, value=float(left), count=left))
    if several:
        notes.append(finding("portal.imdb_several", "warning", path.name, labels=several))
    return Intake(
        rows=rows,
        kind="delivery",
        sources=[{"file": path.name, "sha256": delivery.sha256}],
        indicators=own[~own["code"].isin(known.dictionary.frame.index)],
        report=CheckReport(notes),
        extra=extra,
    )


def _level_of(name: str, delivery: Delivery) -> str:
    """Return the level of a table: its name says it (T1B), else the form of its codes."""
    named = re.search(r"(?<![a-z0-9])t[12][ _-]?([abc])(?![a-z])", name, re.IGNORECASE)
    if named:
        return named[1].upper()
    codes = [_code_of(row) for row in delivery.labels.to_dict("records")]
    for level, unit in _LEVELS.items():
        if unit and codes and all(len(code) == _UNIT[unit] for code in codes):
            return level
    return "A"


def _code_of(row: dict[str, Any]) -> str:
    """Return the code of a standard area in a label: digits of a DGUID, else of the label."""
    dguid = re.fullmatch(r"\d{4}A\d{4}(\d+)", str(row["code"]))
    if dguid:
        return dguid[1]
    found = re.findall(r"(?<!\d)(\d{7}|\d{4})(?!\d)", f"{row['code']} {row['label']}")
    return found[0] if found else ""


def _place(row: dict[str, Any], level: str, known: Known) -> list[tuple[str, str]]:
    """Return the areas a label may be: by code of their one unit, else by id or name."""
    areas = known.areas
    unit = _LEVELS[level]
    if unit:
        mine = areas[areas["units"].eq(f"{unit}:{_code_of(row)}")]
        return list(zip(mine["area_id"], mine["definition"], strict=True))
    plain = plain_label(str(row["label"]))
    given = [plain, str(row["code"]), plain.rpartition(" - ")[2]]
    keys = {fold(one) for one in given if one}
    full = areas["area_id"] + "@" + areas["definition"]
    for column in (full, areas["area_id"], areas["name_en"], areas["name_fr"]):
        mine = areas[[fold(str(one)) in keys and bool(one) for one in column]]
        if len(mine):
            return list(zip(mine["area_id"], mine["definition"], strict=True))
    return []
