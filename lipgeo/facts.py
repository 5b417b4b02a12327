"""Read a table of facts: the one lipgeo carries, and over it the one of a folder of one's own.

What Statistics Canada publishes is data, never code: census years, levels, file names, layouts
and variables stand in TOML tables beside the rooms that use them. The environment variable
``LIPGEO_FACTS`` names a folder of tables of the same names, whose facts are put over those: a
census that lipgeo does not know yet is such a folder. Facts do not change while a process runs.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lipgeo.errors import FileError
from lipgeo.words import say

__all__ = ["FACTS_FOLDER", "FACT_TABLES", "fact_table"]

#: the environment variable that names the folder
FACTS_FOLDER = "LIPGEO_FACTS"
#: table -> the package it stands in
FACT_TABLES = {
    "geography": "lipgeo.geography",
    "sources": "lipgeo.store",
    "layouts": "lipgeo.readers.statcan",
    "variables": "lipgeo.tables",
    "made_profile": "lipgeo.synthetic",
    "made_delivery": "lipgeo.synthetic",
}


@cache
def fact_table(name: str) -> dict[str, Any]:
    """Return a table of facts: as lipgeo carries it, with one's own facts over it.

    Tables are merged key by key, lists of tables are put on end, everything else is replaced.

    Parameters
    ----------
    name
        One of :data:`FACT_TABLES`.

    Raises
    ------
    FileError
        The folder of one's own facts is not there, or a table in it cannot be read; all of them.

    Examples
    --------
    >>> from lipgeo.facts import fact_table
    >>> fact_table("geography")["provinces"]["48"]["en"]
    'Alberta'
    """
    text = resources.files(FACT_TABLES[name]).joinpath(f"{name}.toml").read_text("utf-8")
    return _put_over(tomllib.loads(text), _own_tables().get(name, {}))


def _put_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _put_over(old, value)
        elif _are_tables(old) and _are_tables(value):
            merged[key] = [*(old or ()), *value]
        else:
            merged[key] = value
    return merged


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


@cache
def _own_tables() -> dict[str, dict[str, Any]]:
    """Return the tables of the folder that the environment names."""
    named = os.environ.get(FACTS_FOLDER)
    if not named:
        return {}
    folder = Path(named)
    if not folder.is_dir():
        raise FileError("facts.no_folder", folder=folder, variable=FACTS_FOLDER)
    found: dict[str, dict[str, Any]] = {}
    problems: list[dict[str, str]] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            if path.stem not in FACT_TABLES:
                # a misspelt name would be passed over and its facts lost
                problems.append({"file": path.name, "reason": say("facts.unknown_table")})
            else:
                found[path.stem] = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            problems.append({"file": path.name, "reason": str(error)})
    if problems:
        raise FileError(
            "facts.unread",
            problems,
            folder=folder,
            files=[f"{problem['file']} ({problem['reason']})" for problem in problems],
            known=", ".join(f"{name}.toml" for name in FACT_TABLES),
        )
    return found
