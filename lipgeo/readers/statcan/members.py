"""Read the list of members that comes with a Census Profile: every row's number, words and depth.

Statistics Canada puts a ``..._meta.txt`` beside each profile. Of 2021 a member is a number, a tab,
two blanks a level and its words; of 2016 the number has a point. Footnotes stand in brackets.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from lipgeo.errors import FileError

__all__ = ["read_members"]

_MEMBER = re.compile(r"\s*(\d+)(?:\.|\t)(\t? *)(\S.*)")
_NOTES = re.compile(r"(?<!\s)(\s*\(\d+\))+\s*$")
_SAMPLE = re.compile(r"(?<!\s)\s*[-–]\s*(\d+)\s*%.*$")


def read_members(path: str | Path) -> pd.DataFrame:
    """Read the members of a Census Profile's list.

    Parameters
    ----------
    path
        The ``_meta.txt`` file, UTF-8 or Windows-1252.

    Returns
    -------
    pandas.DataFrame
        RangeIndex, in the list's order: ``id`` (text), ``words`` (without footnotes and sample),
        ``depth`` (int64, 0 for a total), ``parent, heading`` (words of the member one level up,
        and of the total above all; empty for a total), ``sample`` (``25%``, ``100%``, empty where
        the total does not say).

    Raises
    ------
    FileError
        The file cannot be read, or has no list of members.
    """
    place = Path(path)
    try:
        raw = place.read_bytes()
    except OSError as error:
        raise FileError("readers.members_unreadable", path=place, reason=error) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    found = _longest_run(text.splitlines())
    if not found:
        raise FileError("readers.no_members", path=place)
    rows = []
    above: list[str] = []
    sample = ""
    for id, blanks, told in found:
        bare = _NOTES.sub("", told).strip()
        said = _SAMPLE.search(bare)
        words = _SAMPLE.sub("", bare).strip()
        depth = min(len(blanks) // 2, len(above))
        if depth == 0:
            sample = f"{said[1]}%" if said else ""
        above = [*above[:depth], words]
        rows.append(
            {
                "id": id,
                "words": words,
                "depth": depth,
                "parent": above[depth - 1] if depth else "",
                "heading": above[0] if depth else "",
                "sample": sample,
            }
        )
    return pd.DataFrame(rows).astype({"depth": "int64"})


def _longest_run(lines: list[str]) -> list[tuple[str, str, str]]:
    """Return the longest list of members, their numbers rising: notes are numbered too."""
    best: list[tuple[str, str, str]] = []
    run: list[tuple[str, str, str]] = []
    for line in lines:
        member = _MEMBER.fullmatch(line.rstrip())
        number = int(member[1]) if member else 0
        if member and number > (int(run[-1][0]) if run else 0):
            # the point of 2016 has one blank after it that is no depth
            blanks = member[2].removeprefix("\t")
            blanks = blanks[1:] if "." in line[: member.start(3)] else blanks
            run.append((member[1], blanks, member[3]))
        elif line.strip():
            best = max(best, run, key=len)
            run = [(member[1], "", member[3])] if member else []
    return max(best, run, key=len)
