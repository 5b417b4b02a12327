"""Files of an earlier site that the same state would make again: taken over and not made anew.

What the files of an area are made from is summed up in one mark. A site keeps the marks of its
areas; where a mark is the same, and the files are as they were written, they are copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lipgeo.errors import LipgeoError
from lipgeo.files import FolderFormat, read_manifest

__all__ = ["MARKS", "EarlierSite", "mark_of", "read_earlier"]

#: where the marks stand in a site's manifest: an area and language to its mark and files
MARKS = "made_from"
#: programs whose bytes a file has, beside our own
_WRITERS = ("jinja2", "markupsafe", "pandas", "xlsxwriter")


@cache
def _program() -> str:
    """Return a mark of all that writes: another program may make other bytes of the same state."""
    found = hashlib.sha256(repr([(one, version(one)) for one in _WRITERS]).encode())
    package = Path(__file__).parents[2]
    for path in sorted(one for one in package.rglob("*") if one.is_file()):
        if "__pycache__" not in path.parts:
            found.update(path.relative_to(package).as_posix().encode() + b"\0")
            found.update(path.read_bytes())
    return found.hexdigest()


def mark_of(parts: Iterable[Any]) -> str:
    """Return the mark of what something is made from: plain values, equal where they are equal."""
    return hashlib.sha256(repr([_program(), *parts]).encode()).hexdigest()


@dataclass(frozen=True)
class EarlierSite:
    """A site that is about to give way.

    Attributes
    ----------
    folder
        Where it stands.
    marks
        Area and language to mark and files.
    files
        Each of its files with its sum.
    """

    folder: Path
    marks: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict)

    def take_over(self, name: str, mark: str, made: Path) -> Sequence[str]:
        """Copy the files of an area where its mark is the same; empty where none were.

        A file that somebody changed or took away is made anew, and all its neighbours.
        """
        known = self.marks.get(name)
        if not isinstance(known, dict) or known.get("mark") != mark:
            return ()
        contents = {}
        for file in known["files"]:
            path = self.folder / file
            if file not in self.files or not path.is_file():
                return ()
            contents[file] = path.read_bytes()
            if hashlib.sha256(contents[file]).hexdigest() != self.files[file]["sha256"]:
                return ()
        for file, content in contents.items():
            (made / file).write_bytes(content)
        return list(contents)


def read_earlier(folder: Path, form: FolderFormat) -> EarlierSite:
    """Return the site that stands in a folder; one without marks where none does."""
    try:
        manifest = read_manifest(folder, form)
    except LipgeoError:
        return EarlierSite(folder)
    marks = manifest.get(MARKS)
    return EarlierSite(folder, marks if isinstance(marks, dict) else {}, manifest["files"])
