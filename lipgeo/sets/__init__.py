"""Sets of areas: many partnerships' submissions compiled into one, with what to ask back."""

from __future__ import annotations

from lipgeo.sets.changes import diff_sets
from lipgeo.sets.compiled import CompiledSet, compile_set
from lipgeo.sets.files import is_set, read_set, write_set
from lipgeo.sets.index import AreaIndex
from lipgeo.sets.template import read_template, write_template

__all__ = [
    "AreaIndex",
    "CompiledSet",
    "compile_set",
    "diff_sets",
    "is_set",
    "read_set",
    "read_template",
    "write_set",
    "write_template",
]
