"""A delivery of a custom order as a table of the user's own areas."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from lipgeo.errors import TableError
from lipgeo.geography.hierarchy import fold, vintages
from lipgeo.readers.columns import name_columns
from lipgeo.readers.deliveries import FOOTNOTES, Delivery, plain_label, plain_words
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.variables import find_variables

__all__ = ["is_table_of_areas", "table_of_areas"]

#: the code an order gives an area, at the end of its label
_CODE = re.compile(r"^(?P<name>.*?)(?<!\s)\s*\((?P<code>(?=[^()]*\d)[A-Za-z0-9._-]+)\)(?:\s+T)?$")
_VARIABLE = {"variable", "variables", "characteristic", "characteristics", "caracteristique"}
_VARIABLE |= {"caracteristiques", "indicator", "indicateur", "title", "description"}
#: "Age (33P)", "Profile (2247)": a dimension of a table, with how many members it has
_DIMENSION = re.compile(r"\(\d+\w?\)\s*$")
#: the label of an area of an order ends with its non-response
_RATED = re.compile(r"\(\s*\d+(?:[.,]\d+)?\s*%\s*\)\s*$")


def is_table_of_areas(delivery: Delivery, headers: list[str]) -> bool:
    """Say whether a file says that it is a delivery; rows and columns alone do not tell it."""
    if delivery.layout == "down":
        return True
    if any(fold(one) in _VARIABLE or _DIMENSION.search(one) for one in headers[:3]):
        return True
    if sum(bool(_RATED.search(one)) for one in headers) > 0.5 * len(delivery.labels):
        return True
    words = delivery.rows["words"].astype(str)
    return bool((delivery.rows["depth"] > 1).any() or words.str.match(r"Total\b").any())


def table_of_areas(delivery: Delivery, vintage: int | None, sources: pd.DataFrame) -> CensusTable:
    """Return the table of a delivery: areas by characteristics, of no census level.

    An area's id is the code that its label ends with, or that stands in a row of codes; else its
    label without non-response and quality flag: the same in every table of an order.

    Raises
    ------
    TableError
        Cells that are neither numbers nor symbols; an area stands twice.
    """
    name = delivery.path.name
    if delivery.unread:
        cells = [f"{one['label']}, {one['place']}: {one['given']}" for one in delivery.unread]
        raise TableError("readers.not_numbers", delivery.unread, name=name, cells=cells)
    bare = [plain_label(one) for one in delivery.labels["label"]]
    found = [_CODE.match(one) for one in bare]
    codes = [one["code"] if one else "" for one in found]
    given = [str(one) for one in delivery.labels["code"]]
    ids = [row or code or label for row, code, label in zip(given, codes, bare, strict=True)]
    if len(set(ids)) < len(ids):
        ids = bare
    if len(set(ids)) < len(ids):
        twice = [one for one in dict.fromkeys(ids) if ids.count(one) > 1]
        raise TableError(
            "readers.twice", [{"unit_id": one} for one in twice], name=name, units=twice
        )
    names = [one["name"] if one and id != one[0] else one_label
             for one, id, one_label in zip(found, ids, bare, strict=True)]  # fmt: skip
    columns, findings = _columns(delivery, vintage)
    index = pd.Index(ids, dtype=object, name="unit_id")
    symbols = pd.DataFrame(delivery.symbols, index=index, columns=columns)
    uncoded = [
        one for one, code, row in zip(bare, codes, given, strict=True) if not code and not row
    ]
    if uncoded and len(uncoded) < len(ids):
        findings.append(finding("readers.areas_without_code", "note", name, areas=uncoded))
    findings.append(finding("readers.own_areas", "note", name, name=name, areas=ids))
    dashes = int((delivery.symbols == "-").sum())
    if dashes:
        findings.append(finding("readers.dashes", "note", name, value=dashes, count=dashes))
    return CensusTable(
        pd.DataFrame(delivery.values, index=index, columns=columns),
        level=None,
        vintage=vintage,
        symbols=symbols.loc[:, symbols.ne("").any().to_numpy()],
        names=pd.Series(names, index=index),
        sources=sources,
        notes=CheckReport(findings),
    )


def _columns(delivery: Delivery, vintage: int | None) -> tuple[list[str], list[Finding]]:
    """Return what each characteristic is called: variables where nothing is in doubt.

    The same words stand in several places (by age, of men): those found under the heading that
    the dictionary names are its variables, and those that stand once; others keep their words.
    """
    rows = delivery.rows
    words = [FOOTNOTES.sub("", one).strip() for one in rows["words"].astype(str)]
    everybody = (rows["gender"] == "total").to_numpy()
    year = vintages()[-1] if vintage is None else vintage
    at = np.flatnonzero(everybody)
    frame = pd.DataFrame({"id": "", "name": [words[one] for one in at]})
    variables = {
        int(at[row]): name
        for name, row in zip(
            *(find_variables(frame, year)[c] for c in ("variable", "row")), strict=True
        )
    }
    plain = pd.Series([plain_words(one) for one in words])
    once = ~plain.duplicated(keep=False).to_numpy() & everybody
    loose, findings = name_columns(
        [words[one] for one in np.flatnonzero(once)], year, delivery.path.name
    )
    taken = set(variables.values())
    names = []
    for place, word in enumerate(words):
        if place in variables:
            names.append(variables[place])
            continue
        named = loose.get(word) if once[place] else None
        if named is not None and named not in taken:
            taken.add(named)
            names.append(named)
            continue
        gender = str(rows["gender"].iloc[place])
        names.append(word if gender == "total" else f"{word} - {gender}")
    # words that stand again are told apart by what they stand under, then by number
    seen = pd.Series(names).duplicated(keep=False).to_numpy()
    heads = [FOOTNOTES.sub("", one) for one in rows["heading"].astype(str)]
    known = set(variables.values()) | taken
    full = [
        f"{head}: {name}" if again and head and name not in known else name
        for name, head, again in zip(names, heads, seen, strict=True)
    ]
    count: dict[str, int] = {}
    result = []
    for name in full:
        count[name] = count.get(name, 0) + 1
        result.append(name if count[name] == 1 else f"{name} ({count[name]})")
    return result, findings
