"""Find the totals that percentages are of: sum those a table lacks, or take another column.

Tables often hold the parts of a total and not the total itself. Where the dictionary knows that
parts add up to it, nobody left out and nobody in two, and the table has them all, their sum is the
total. A unit of which one part is not known has none.
"""

from __future__ import annotations

from collections.abc import Sequence

from lipgeo.errors import TableError
from lipgeo.report import Finding, finding
from lipgeo.tables.long_table import AnyTable
from lipgeo.tables.variables import (
    PERCENT,
    Variable,
    as_percent_of,
    known_variables,
    look_up_variable,
)
from lipgeo.words import say

__all__ = ["sum_totals", "variables_as_percent_of"]


def sum_totals(
    table: AnyTable, asked: Sequence[str | Variable] | None
) -> tuple[AnyTable, list[Finding]]:
    """Return the table with the totals that it lacks, as far as its columns add up to them.

    All totals of its counts are summed, whichever are asked for: what zeros hide and where a count
    lives is read by its total, so a number does not depend on what it is asked with. Only those
    that a percentage is of are told.

    Parameters
    ----------
    table
        The table.
    asked
        What is to be weighted: names or variables; all the table knows where not given.

    Raises
    ------
    TableError
        A percentage that was asked for has its numerator in the table, and no total that is there
        or can be summed.
    """
    held = set(table.columns)
    needed: dict[str, list[str]] = {}
    for one in _wanted(table, asked):
        whole = one.denominator
        if one.is_ratio and whole not in held and (one.numerator or one.name) in held:
            needed.setdefault(str(whole), []).append(one.name)
    known = known_variables(table.vintage)
    counts = [one for one in table.variables.values() if one.rule == "count"]
    lacked = [one.denominator for one in counts if one.denominator not in held]
    wholes = dict.fromkeys([*needed, *(str(whole) for whole in lacked if whole is not None)])
    parts = {whole: known[whole].parts for whole in wholes if whole in known}
    summed = {whole: of for whole, of in parts.items() if of and held.issuperset(of)}
    lacking = {whole: names for whole, names in needed.items() if whole not in summed}
    if lacking and asked is not None:
        _refuse(table, lacking, parts)
    if not summed:
        return table, []
    notes = [
        finding("tables.total_summed", "note", "", total=whole, parts=list(of), variables=names)
        for whole, names in needed.items()
        for of in [summed.get(whole)]
        if of
    ]
    return table.with_totals(summed), notes


def variables_as_percent_of(
    table: AnyTable, asked: Sequence[str | Variable] | None, whole: str
) -> list[str | Variable]:
    """Return what is asked for, its percentages taken of another column.

    Parameters
    ----------
    table
        The table.
    asked
        Names or variables; percentages among the names are those that end in ``_pct``.
    whole
        The column of a count that percentages are to be of.

    Raises
    ------
    TableError
        The table has no such column, or no percentage is among what is asked for.
    """
    if whole not in table.columns:
        raise TableError(
            "tables.no_such_columns", [{"column": whole}], lost=[whole], columns=list(table.columns)
        )
    rule = table.variables.get(whole, Variable(whole, "count"))
    if rule.rule != "count":
        raise TableError("tables.percent_of_no_count", given=whole, rule=rule.rule)
    found: list[str | Variable] = []
    for name in asked or ():
        one = None if isinstance(name, Variable) else _percentage(table, str(name))
        found.append(name if one is None else as_percent_of(one, rule))
    if not any(isinstance(one, Variable) and one.denominator == whole for one in found):
        raise TableError("tables.percent_of_nothing", given=whole)
    return found


def _percentage(table: AnyTable, name: str) -> Variable | None:
    """Return the percentage that a name asks for, of a count of the table or the dictionary."""
    one = look_up_variable(name, table.variables, table.vintage)
    if one is not None:
        return one if one.rule == "percent" and one.numerator else None
    count = table.variables.get(name.removesuffix(PERCENT))
    if not name.endswith(PERCENT) or count is None or count.rule != "count":
        return None
    return count  # a count that is part of no total yet


def _wanted(table: AnyTable, asked: Sequence[str | Variable] | None) -> list[Variable]:
    """Return the variables that are known of what is asked for."""
    if asked is None:
        return list(table.variables.values())
    found = (
        name
        if isinstance(name, Variable)
        else look_up_variable(str(name), table.variables, table.vintage)
        for name in asked
    )
    return [one for one in found if one is not None]


def _refuse(
    table: AnyTable, lacking: dict[str, list[str]], parts: dict[str, tuple[str, ...]]
) -> None:
    """Raise the error that says of each total what of its parts is there, and what is not."""
    held = set(table.columns)
    rows = []
    told = []
    for whole, names in lacking.items():
        there = [one for one in parts.get(whole, ()) if one in held]
        absent = [one for one in parts.get(whole, ()) if one not in held]
        rows += [{"variable": name, "needed": whole, "found": ", ".join(there)} for name in names]
        key = "tables.total_of_parts" if absent else "tables.total_of_none"
        told.append(say(key, variables=names, total=whole, found=there, absent=absent))
    raise TableError(
        "tables.total_absent", rows, totals=" ".join(told), columns=list(table.columns)
    )
