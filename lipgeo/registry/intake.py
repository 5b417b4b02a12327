"""Read what partnerships sent, one submission at a time, and say what to ask back.

A folder is taken apart into submissions; clutter is named, not read.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.census.census import Census
from lipgeo.census.search import key, spellings
from lipgeo.errors import AreaError, FileError, LipgeoError
from lipgeo.files import sha256_of
from lipgeo.geography.hierarchy import id_length
from lipgeo.readers.areas import AREA_FORMATS, list_of_sheet, read_service_areas
from lipgeo.readers.vector_files import SIDECARS
from lipgeo.registry.resolving import ceased_sentence
from lipgeo.registry.table import Registry
from lipgeo.registry.template import About, read_template
from lipgeo.report import CheckReport, Finding, finding, notes_of
from lipgeo.words import LANGUAGES, Language, Sentence, catalogue, name_of, say, speaking

__all__ = ["ReadSubmission", "Submission", "question_for", "read_submission", "submissions"]

_CLUTTER_NAMES = {"thumbs.db", "desktop.ini", ".ds_store", "__macosx"}
_CLUTTER_SUFFIXES = {".lnk", ".url", ".webloc", ".tmp", ".bak", ".part", ".crdownload"}


@dataclass(frozen=True)
class Submission:
    """One thing a partnership sent.

    Attributes
    ----------
    name
        Its path below the folder, ``/`` between.
    path
        Where it is.
    sha256
        Of its bytes; of a file with sidecars, of all of them.
    received
        Day the file was last changed (UTC, ISO).
    clutter
        Why it is not read (``temporary``, ``shortcut``, ``hidden``), or empty.
    readable
        Whether its kind of file can hold service areas.
    """

    name: str
    path: Path
    sha256: str
    received: str
    clutter: str = ""
    readable: bool = True


def submissions(folder: str | Path) -> list[Submission]:
    """Return what is in a folder and its sub-folders, in order of names.

    Raises
    ------
    FileError
        There is no such folder, or nothing in it.
    """
    top = Path(folder)
    if not top.is_dir():
        raise FileError("registry.no_folder", path=top)
    found = [_submission(path, top) for path in _walk(top)]
    if not found:
        raise FileError("registry.empty_folder", path=top)
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """Yield files, and folders that are one data set, without what belongs to another file."""
    entries = sorted(folder.iterdir(), key=lambda path: path.name.casefold())
    owned = set(_sidecars(entries))
    for path in entries:
        if path.is_dir() and not path.is_symlink():
            if path.suffix.casefold() == ".gdb":
                yield path
            elif not _clutter(path):
                yield from _walk(path)
        elif path not in owned:
            yield path


def _sidecars(entries: list[Path]) -> Iterator[Path]:
    for main in entries:
        endings = SIDECARS.get(main.suffix.casefold(), ())
        for path in entries if endings else ():
            same = path.stem.casefold() in (main.stem.casefold(), main.name.casefold())
            if path != main and same and path.suffix.casefold() in endings:
                yield path


def _clutter(path: Path) -> str:
    name = path.name.casefold()
    if name.startswith("~") or path.suffix.casefold() in {".tmp", ".bak", ".part", ".crdownload"}:
        return "temporary"
    if path.is_symlink() or path.suffix.casefold() in _CLUTTER_SUFFIXES:
        return "shortcut"
    if name in _CLUTTER_NAMES or name.startswith("."):
        return "hidden"
    return ""


def _submission(path: Path, top: Path) -> Submission:
    name = path.relative_to(top).as_posix()
    clutter = _clutter(path)
    if clutter:
        return Submission(name, path, "", "", clutter)
    if path.is_dir():
        parts = sorted(part for part in path.rglob("*") if part.is_file())
    else:
        parts = [path, *_sidecars_of(path)]
    changed = max((part.stat().st_mtime for part in parts), default=path.stat().st_mtime)
    day = datetime.datetime.fromtimestamp(changed, datetime.UTC).date().isoformat()
    readable = path.suffix.casefold() in AREA_FORMATS
    return Submission(name, path, _hash(parts), day, readable=readable)


def _sidecars_of(path: Path) -> list[Path]:
    endings = SIDECARS.get(path.suffix.casefold())
    if not endings:
        return []
    beside = sorted(path.parent.iterdir())
    return sorted(set(_sidecars(beside)) & {p for p in beside if _belongs(p, path)})


def _belongs(path: Path, main: Path) -> bool:
    return path.stem.casefold() in (main.stem.casefold(), main.name.casefold())


def _hash(parts: list[Path]) -> str:
    digests = [sha256_of(part) for part in parts]
    if len(digests) == 1:
        return digests[0]
    named = sorted(zip((part.name.casefold() for part in parts), digests, strict=True))
    return hashlib.sha256("\n".join(f"{n} {d}" for n, d in named).encode()).hexdigest()


#: findings that a partnership must be asked about, though its area can be used
_ASK = {
    "nested_units", "opened_for_overlap", "names_disagree", "partly_outside", "fewer_people",
    "fewer_units", "nothing_held", "repaired", "excluded_whole", "exclusion_elsewhere",
    "names_differ",
}  # fmt: skip
_ID = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]+)+")


@dataclass
class ReadSubmission:
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
        What to ask back in each language, or empty.
    """

    submission: Submission
    areas: ServiceAreas | None = None
    about: About = field(default_factory=About)
    problems: list[str] = field(default_factory=list)
    question: Mapping[Language, str] = field(default_factory=dict)
    fault: str = ""

    @property
    def status(self) -> str:
        """``accepted``, ``question`` (accepted, something to ask), ``refused`` or ``ignored``."""
        if self.submission.clutter:
            return "ignored"
        if self.areas is None:
            return "refused"
        return "question" if self.question else "accepted"

    def refuse(self, fault: str, problem: Callable[[], str]) -> None:
        """Take its areas out of the set; the problem is told in each language."""
        self.areas = None
        self.fault = fault
        self.problems.append(problem())
        self.question = _in_each(lambda: question_for(fault, problem()))


def _in_each(tell: Callable[[], str]) -> dict[Language, str]:
    """Return what is said in each language."""
    told = {}
    for language in LANGUAGES:
        with speaking(language):
            told[language] = tell()
    return told


def read_submission(
    submission: Submission, census: Census, registry: Registry, earlier: Census | None
) -> ReadSubmission:
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
    taken = ReadSubmission(submission)
    if submission.clutter:
        taken.problems.append(say(f"registry.is_{submission.clutter}"))
        return taken
    if not submission.readable:
        ending = submission.path.suffix
        taken.refuse(
            "not_readable",
            lambda: say("registry.not_readable", file=submission.name, ending=ending),
        )
        return taken
    try:
        areas = _read(taken, census, registry)
        report = areas.report + areas.against(census)
        _require_inside(report)
    except LipgeoError as error:
        _explain(taken, error, census, earlier)
        return taken
    except Exception as error:  # one bad file never stops the others
        told = {"kind": type(error).__name__, "reason": str(error)}
        taken.refuse("unexpected", lambda: say("registry.unexpected", **told))
        return taken
    taken.areas = areas
    taken.problems += [one.message for one in report if one.severity != "note"]
    asked = [one for one in report if one.check in _ASK]
    if asked:
        taken.question = _in_each(
            lambda: say(
                "registry.ask_confirm",
                problems=" ".join(dict.fromkeys(_for_partner(one.sentence) for one in asked)),
            )
        )
    return taken


def _read(taken: ReadSubmission, census: Census, registry: Registry) -> ServiceAreas:
    path = taken.submission.path
    filled = read_template(path)
    if filled is not None:
        sheet, taken.about = filled
        said = taken.about["vintage"]
        if said and said != str(census.vintage):
            raise FileError("registry.template_vintage", came=said, vintage=str(census.vintage))
        name = taken.about["lip_id"].lower() or _slug(path.stem)
        if not _ID.fullmatch(name):
            raise AreaError("registry.template_id", given=name)
        nothing = dict.fromkeys(("id", "name_en", "name_fr", "group_by"))
        units = list_of_sheet(sheet, path, census.vintage, as_one=name, **nothing)
        for column in ("name_en", "name_fr", "valid_from", "valid_to"):
            units[column] = taken.about[column] or pd.NA
        return _check_names(ServiceAreas.from_units(units, census), sheet.frame, units, census)
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
        raise AreaError("registry.outside", reasons=" ".join(one.message for one in outside))


def _id_of(path: Path, registry: Registry) -> dict[str, Any]:
    """Take a file named as an entry of the registry for that one area."""
    slug = _slug(path.stem)
    return {"as_one": slug} if slug in set(registry.lips["lip_id"]) else {}


def _slug(stem: str) -> str:
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _check_names(
    areas: ServiceAreas, sheet: pd.DataFrame, units: pd.DataFrame, census: Census
) -> ServiceAreas:
    """Hold names written beside codes against the census's: one of the two may be mistyped."""
    if not {"unit_id", "unit_name"} <= set(units):
        return areas
    both = units[units["unit_id"].notna() & units["unit_name"].notna()]
    found: list[Finding] = []
    for line in both.itertuples():
        code = areas.units[areas.units["unit_id"].eq(str(line.unit_id))]
        if len(code) == 0 or pd.isna(code["unit_name"].iloc[0]):
            continue
        known = str(code["unit_name"].iloc[0])
        if key(str(line.unit_name)) not in {key(one) for one in spellings(known)}:
            found.append(
                finding(
                    "registry.names_disagree", "warning", areas.ids[0],
                    row=line.Index, code=f"{code['level'].iloc[0]}:{line.unit_id}",
                    said=line.unit_name, known=known,
                )
            )  # fmt: skip
    areas.report = areas.report + CheckReport([*found, *notes_of(sheet)])
    return areas


def _explain(
    taken: ReadSubmission, error: LipgeoError, census: Census, earlier: Census | None
) -> None:
    fault = next((str(row["fault"]) for row in error.rows if "fault" in row), "")
    fault = fault or name_of(error.key)
    # the partnership knows its file by its name, not by where it lies here
    path = taken.submission.path
    codes = _codes_of(error, earlier)

    def message() -> str:
        told = (
            error.values["faults"]
            if "faults" in error.values
            else Sentence(error.key, error.values)
        )
        became = ceased_sentence(codes, census, earlier)
        return f"{told} {became}".replace(str(path), path.name).strip()

    if ceased_sentence(codes, census, earlier):
        fault = "ceased"
    taken.refuse(fault, message)


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


#: what only somebody at the command line can do: no partnership has lipgeo
_OURS = re.compile(r"--\w|\blipgeo\b|\w=\S|\(\)")


def question_for(fault: str, problem: str) -> str:
    """Return what to ask back for a fault; its own question where there is one."""
    theirs = _for_partner(problem)
    name = f"registry.ask_{fault}"
    if name in catalogue():
        return say(f"registry.ask_{fault}", problem=theirs).strip()
    return say("registry.ask_anything" if theirs else "registry.ask_unexpected", problem=theirs)


def _for_partner(problem: str) -> str:
    """Return sentences without what only lipgeo's own user can do about it."""
    sentences = re.split(r"(?<=[.?!;]) ", problem)
    return " ".join(one for one in sentences if not _OURS.search(one))
