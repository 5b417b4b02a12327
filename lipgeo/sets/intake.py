"""One submission at a time: read, its areas named, and what to ask back where it cannot be."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.areas import ServiceAreas
from lipgeo.areas.faults import finding
from lipgeo.census import Census
from lipgeo.census.names import key, spellings
from lipgeo.errors import AreaError, FileError, LipgeoError
from lipgeo.geography import id_length
from lipgeo.readers import read_service_areas
from lipgeo.readers.lists import list_of_sheet
from lipgeo.registry import Registry
from lipgeo.registry.succession import ceased_sentence
from lipgeo.report import CheckReport, Finding, notes_of
from lipgeo.sets.submissions import Submission
from lipgeo.sets.template import About, read_template
from lipgeo.words import catalogue, say

__all__ = ["Taken", "question_for", "take"]

#: findings that a partnership must be asked about, though its area can be used
_ASK = {
    "nested_units", "opened_for_overlap", "names_disagree", "partly_outside", "fewer_people",
    "fewer_units", "nothing_held", "repaired", "excluded_whole", "exclusion_elsewhere",
    "names_differ",
}  # fmt: skip
_ID = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]+)+")


@dataclass
class Taken:
    """What became of one submission.

    Attributes
    ----------
    submission
        What was sent.
    areas
        Its areas, or ``None`` where it was refused.
    about
        What its workbook says of the partnership.
    problems
        Sentences: what is wrong or was assumed.
    question
        What to ask back, or empty.
    """

    submission: Submission
    areas: ServiceAreas | None = None
    about: About = field(default_factory=About)
    problems: list[str] = field(default_factory=list)
    question: str = ""
    fault: str = ""

    @property
    def status(self) -> str:
        """``accepted``, ``question`` (accepted, something to ask), ``refused`` or ``ignored``."""
        if self.submission.clutter:
            return "ignored"
        if self.areas is None:
            return "refused"
        return "question" if self.question else "accepted"

    def refuse(self, fault: str, problem: str, question: str) -> None:
        """Take its areas out of the set."""
        self.areas = None
        self.fault = fault
        self.problems.append(problem)
        self.question = question


def take(
    submission: Submission, census: Census, registry: Registry, earlier: Census | None
) -> Taken:
    """Read one submission; whatever is wrong with it is written down and stops no other.

    Parameters
    ----------
    submission
        What was sent.
    census, earlier
        The census whose units are meant, and an older one that tells what old codes became.
    registry
        Which ids partnerships have.
    """
    taken = Taken(submission)
    if submission.clutter:
        taken.problems.append(say(f"sets.is_{submission.clutter}"))
        return taken
    if not submission.readable:
        ending = submission.path.suffix
        problem = say("sets.not_readable", file=submission.name, ending=ending)
        taken.refuse("not_readable", problem, say("sets.ask_not_readable"))
        return taken
    try:
        areas = _read(taken, census, registry)
        report = areas.report + areas.against(census)
        _require_inside(report)
    except LipgeoError as error:
        _explain(taken, error, census, earlier)
        return taken
    except Exception as error:  # one bad file never stops the others
        problem = say("sets.unexpected", kind=type(error).__name__, reason=str(error))
        taken.refuse("unexpected", problem, say("sets.ask_again"))
        return taken
    taken.areas = areas
    taken.problems += [one.message for one in report if one.severity != "note"]
    asked = [one.message for one in report if one.check in _ASK]
    if asked:
        taken.question = say("sets.ask_confirm", problems=" ".join(dict.fromkeys(asked)))
    return taken


def _read(taken: Taken, census: Census, registry: Registry) -> ServiceAreas:
    path = taken.submission.path
    filled = read_template(path)
    if filled is not None:
        sheet, taken.about = filled
        said = taken.about["vintage"]
        if said and said != str(census.vintage):
            raise FileError("sets.template_vintage", came=said, vintage=str(census.vintage))
        name = taken.about["lip_id"].lower() or _slug(path.stem)
        if not _ID.fullmatch(name):
            raise AreaError("sets.template_id", given=name)
        nothing = dict.fromkeys(("id", "name_en", "name_fr", "group_by"))
        units = list_of_sheet(sheet, path, census.vintage, as_one=name, **nothing)
        for column in ("name_en", "name_fr", "valid_from", "valid_to"):
            units[column] = taken.about[column] or pd.NA
        return _checked(ServiceAreas.from_units(units, census), sheet.frame, units, census)
    try:
        return read_service_areas(path, census=census, **_id_of(path, registry))
    except AreaError as error:
        if error.key not in ("areas.which_id", "readers.list_columns"):
            raise
        # no column of ids: the file is one area, and its name says which
        if not _ID.fullmatch(_slug(path.stem)):
            raise
        return read_service_areas(path, census=census, as_one=_slug(path.stem))


def _require_inside(report: CheckReport) -> None:
    outside = report.only("outside_census")
    if len(outside):
        raise AreaError("sets.outside", reasons=" ".join(one.message for one in outside))


def _id_of(path: Path, registry: Registry) -> dict[str, Any]:
    """Take a file named as an entry of the registry for that one area."""
    slug = _slug(path.stem)
    return {"as_one": slug} if slug in set(registry.lips["lip_id"]) else {}


def _slug(stem: str) -> str:
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _checked(
    areas: ServiceAreas, sheet: pd.DataFrame, units: pd.DataFrame, census: Census
) -> ServiceAreas:
    """Hold names written beside codes against the census's: one of the two may be mistyped."""
    if not {"unit_id", "unit_name"} <= set(units):
        return areas
    both = units[units["unit_id"].notna() & units["unit_name"].notna()]
    found: list[Finding] = []
    for row in both.itertuples():
        code = areas.units[areas.units["unit_id"].eq(str(row.unit_id))]
        if len(code) == 0 or pd.isna(code["unit_name"].iloc[0]):
            continue
        known = str(code["unit_name"].iloc[0])
        if key(str(row.unit_name)) not in {key(one) for one in spellings(known)}:
            found.append(
                finding(
                    "sets.names_disagree", "warning", areas.ids[0],
                    row=row.Index, code=f"{code['level'].iloc[0]}:{row.unit_id}",
                    said=row.unit_name, known=known,
                )
            )  # fmt: skip
    areas.report = areas.report + CheckReport([*found, *notes_of(sheet)])
    return areas


def _explain(taken: Taken, error: LipgeoError, census: Census, earlier: Census | None) -> None:
    fault = next((str(row["fault"]) for row in error.rows if "fault" in row), "")
    fault = fault or error.key.partition(".")[2]
    # the partnership knows its file by its name, not by where it lies here
    path = taken.submission.path
    message = str(error.values.get("faults", error)).replace(str(path), path.name)
    became = ceased_sentence(_codes_of(error, earlier), census, earlier)
    if became:
        fault, message = "ceased", f"{message} {became}"
    taken.refuse(fault, message, question_for(fault, message))


def _codes_of(error: LipgeoError, earlier: Census | None) -> list[str]:
    """Return the units an error names, at each level of the earlier census they may be of."""
    given = [str(row["given"]) for row in error.rows if row.get("fault") == "not_in_vintage"]
    if earlier is None:
        return []
    return [
        code if ":" in code else f"{level}:{code}"
        for code in given
        for level in earlier.levels
        if ":" in code or len(code) == id_length(level, earlier.vintage)
    ]


def question_for(fault: str, problem: str) -> str:
    """Return what to ask back for a fault; its own question where there is one."""
    name = f"sets.ask_{fault}"
    if name in catalogue():
        return say(f"sets.ask_{fault}", problem=problem)
    return say("sets.ask_anything", problem=problem)
