"""Print what commands found: results on stdout, findings and progress on stderr.

A table for a person has names, whole people, percentages, a total and at most twenty rows, the
worst first. Findings come after it, gravest first, counted, with the file that has them all.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lipgeo.cli.layout import column_widths
from lipgeo.words import catalogue, say, visible

if TYPE_CHECKING:
    from lipgeo.census.census import Census
    from lipgeo.report import CheckReport

__all__ = [
    "SHOWN",
    "cell_words",
    "column_head",
    "exit_status",
    "open_store",
    "print_areas",
    "print_findings",
    "print_frame",
    "print_json",
    "print_numbers",
    "print_table",
    "progress",
]

#: findings, and rows of a table, shown before the rest is counted
SHOWN = 20
#: findings of one kind shown before the rest of the kind is counted
_ALIKE = 3


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if type(value).__name__ == "NAType" else value


def print_json(result: Any) -> None:
    """Print a result for a program: one JSON document on stdout, missing as null."""
    # ASCII only: a redirected Windows code page cannot spoil it
    print(json.dumps(_plain(result), ensure_ascii=True, indent=2))


def print_frame(frame: Any, title: str = "") -> None:
    """Print all of a table, its columns and their words in plain ones; missing is empty."""
    columns = [
        [column_head(str(name)), *(cell_words(name, value) for value in frame[name])]
        for name in frame.columns
    ]
    numeric = [frame[name].dtype.kind in "iuf" for name in frame.columns]
    _print_columns(columns, numeric, title=title)


#: columns whose cells are words of lipgeo, not of a census
_WORDED = frozenset(
    {
        *("boundary_type", "change", "extent_status", "kind", "match", "part", "state", "status"),
        "units_status",
    }
)


def column_head(column: str) -> str:
    """Return the heading of a column in plain words; a column of somebody else's keeps its name."""
    return say(f"heads.{column}") if f"heads.{column}" in catalogue() else _cell(column)


def cell_words(column: str, value: Any) -> str:
    """Return a cell as a person reads it: words in the place of codes; missing is empty."""
    if _plain(value) is None:
        return ""
    if isinstance(value, list | tuple):
        return ";".join(map(_cell, value))
    if isinstance(_plain(value), bool):
        return say("report.yes") if value else say("report.no")
    key = f"site.topic_{value}" if column == "topic" else f"heads.{column}_{value}"
    worded = column == "topic" or column in _WORDED
    return say(key) if worded and key in catalogue() else _cell(value)


def _cell(value: Any) -> str:
    from lipgeo.words import number

    value = _plain(value)
    if isinstance(value, float):
        return number(value, 0 if value.is_integer() else 3)
    # one line a cell: a line break in a name would look like a row
    return visible(str(value)).replace("\n", "\\n")


def print_table(
    frame: Any,
    heads: Mapping[str, str] | Sequence[str],
    *,
    percent: Sequence[str] = (),
    total: Mapping[str, Any] | None = None,
    more: str = "",
) -> None:
    """Print the first twenty rows of a table for a person: whole numbers, percentages, a total.

    Parameters
    ----------
    frame
        The rows, worst first.
    heads
        Columns shown, in order; or the heading of each, where it is not that of every table
        (:func:`column_head`).
    percent
        Columns of shares.
    total
        Last line, by column; of all rows.
    more
        What is said of rows not shown, ``{more}`` their number.
    """
    import pandas as pd

    from lipgeo.words import number

    def shown(name: str, value: Any) -> str:
        if value is None or (not isinstance(value, str) and pd.isna(value)):
            return ""
        if name in percent:
            return say("report.percent", share=float(value))
        worded = isinstance(value, str | bool)
        return cell_words(name, value) if worded else number(float(value), 0)

    if not isinstance(heads, Mapping):
        heads = {name: column_head(name) for name in heads}
    first = frame.head(SHOWN)
    rows = [[shown(name, value) for name, value in zip(heads, row, strict=True)]
            for row in first[list(heads)].itertuples(index=False)]  # fmt: skip
    if total is not None:
        rows.append([shown(name, total.get(name)) for name in heads])
    columns = [[head, *(row[at] for row in rows)] for at, head in enumerate(heads.values())]
    numeric = [frame[name].dtype.kind in "iuf" or name in percent for name in heads]
    _print_columns(columns, numeric, has_total=total is not None)
    if len(frame) > SHOWN and more:
        print(more)


def _print_columns(
    columns: Sequence[Sequence[str]],
    numeric: Sequence[bool],
    *,
    title: str = "",
    has_total: bool = False,
    keep: int = 0,
) -> int:
    """Print columns, each its heading and cells; return how many there was room for."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    terminal = sys.stdout.isatty()
    # a file or pipe gets the whole width: cut cells would lose codes
    console = Console(width=None if terminal else 10_000, markup=False, highlight=False)
    widths: list[int | None] = [None] * len(columns)
    if terminal:
        widths = [*column_widths(columns, numeric, console.width, keep=keep)]
    # plain signs into a file or pipe: its code page may hold no lines
    lines = box.SIMPLE_HEAD if terminal else box.ASCII2
    table = Table(title=visible(title) or None, title_justify="left", box=lines)
    shown = list(zip(columns, numeric, widths, strict=False))
    for (head, *_), number, width in shown:
        side: Any = "right" if number else "left"
        table.add_column(head, justify=side, overflow="fold", width=width)
    rows = list(zip(*(column[1:] for column, *_ in shown), strict=True))
    for at, row in enumerate(rows):
        table.add_row(*row, end_section=has_total and at == len(rows) - 2)
    console.print(table, soft_wrap=not terminal, crop=False)
    return len(shown)


def print_numbers(table: Any, *, columns: int = 0) -> None:
    """Print a :class:`~lipgeo.tables.wide.NumberTable`: twenty rows of it at most.

    Parameters
    ----------
    table
        The table.
    columns
        How many columns of numbers are shown; all where 0.
    """
    heads = [head for head in table.frame.columns if head in table.formats]
    left_out = heads[columns:] if columns else []
    text = table.text().drop(columns=left_out)
    cells = [[head, *text[head].head(SHOWN)] for head in text.columns]
    numeric = [head in table.formats for head in text.columns]
    # whose numbers they are is never left out
    names = len(text.columns) - len(heads) + len(left_out)
    shown = _print_columns(cells, numeric, keep=names + 1)
    if len(text) > SHOWN:
        print(say("cli.more_rows", more=len(text) - SHOWN))
    unseen = len(left_out) + len(text.columns) - shown
    if unseen:
        print(say("cli.more_variables", more=unseen))


def print_areas(areas: Any, labels: Any, *, more: str) -> None:
    """Print fitted areas: names, people, misfit; areas without units and the worst misfit first.

    Parameters
    ----------
    areas
        Columns of ``Boundaries.areas``.
    labels
        Name of each area id.
    more
        Key of what is said of areas not shown.
    """
    from lipgeo.report import flag_words

    table = areas.assign(
        name=labels.reindex(areas["area_id"]).to_numpy(),
        # without units there is nobody: that it is below the floor too says nothing
        words=[
            flag_words("no_units" if "no_units" in str(flags) else str(flags)) if flags else ""
            for flags in areas["flags"]
        ],
    )
    # one without units is worst of all; those that fit alike stay as they came
    order = table["misfit_share"].where(table["unit_count"] > 0, math.inf)
    table = table.iloc[order.fillna(0).mul(-1).argsort(kind="stable")]
    wrong = table["population_omitted"].sum() + table["population_added"].sum()
    drawn = table["population_drawn"].where(table["definition"].eq("drawn")).sum()
    total = {
        "area_id": say("cli.total"),
        "unit_count": table["unit_count"].sum(),
        "population": table["population"].sum(),
        "misfit_share": wrong / drawn if drawn > 0 else math.nan,
    }
    names = ("area_id", "name", "unit_count", "population", "misfit_share")
    heads = {name: say(f"report.head_{name}") for name in names}
    if (table["part_count"] > 1).any():
        heads["part_count"] = say("cli.head_parts")
    heads["misfit_share"] = say("cli.head_misfit")
    heads["words"] = say("report.head_flags")
    said = say(more, more=len(table) - SHOWN) if len(table) > SHOWN else ""
    print_table(
        table, heads, percent=["misfit_share"], more=said, total=total if len(table) > 1 else None
    )


def print_findings(report: CheckReport, *, where: Path | None = None) -> None:
    """Print findings on stderr, gravest first, and how many there are.

    Three of a kind are shown before the rest of the kind is counted, twenty in all. Where a file
    has them all, notes are for it alone.

    Parameters
    ----------
    report
        What was found.
    where
        The file that has all of them.
    """
    ordered = report.gravest_first
    found = [one for one in ordered if where is None or one.severity != "note"]
    kinds = Counter((one.check, one.severity) for one in found)
    alike: Counter[tuple[str, str]] = Counter()
    lines = []
    for one in found:
        kind = (one.check, one.severity)
        alike[kind] += 1
        if alike[kind] <= _ALIKE:
            head = say("usage.heading", name=say(f"cli.severity_{one.severity}"))
            lines.append(f"{head} {visible(one.sentence)}")
        elif alike[kind] == _ALIKE + 1:
            lines.append(say("cli.more_alike", more=kinds[kind] - _ALIKE))
    shown = lines[:SHOWN]
    print(*shown, sep="\n", end="\n" if shown else "", file=sys.stderr)
    if where is not None and len(ordered):
        print(say("cli.findings_in", counted=ordered.counted, path=where), file=sys.stderr)
    elif len(lines) < len(found):
        print(say("cli.findings_counted", counted=ordered.counted), file=sys.stderr)


def open_store(store: Path, vintage: int | None, *, quiet: bool = False) -> Census:
    """Open a census; say on stderr which, where none is named and several are there."""
    from lipgeo.store.read import open_census

    census = open_census(store, vintage)
    if not quiet:
        print_findings(census.report)
    return census


def exit_status(report: CheckReport) -> int:
    """Return 1 when the user must see something, else 0."""
    return 0 if report.ok else 1


def print_import(
    report: CheckReport, added: Sequence[Path], store: Path, *, as_json: bool, quiet: bool
) -> int:
    """Print what an import into a store found and added; return the exit status."""
    if as_json:
        print_json({"store": store, "findings": report.to_records()})
    else:
        grave = report.only(severity="warning") + report.only(severity="error")
        print_findings(grave if quiet else report)
        if added:
            print(say("cli.added", files=[file.name for file in added], store=store))
    return exit_status(report)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """Give a function that shows how far a step is (0 to 1); silent unless stderr is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda step, done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(step: str, done: float) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=1.0)
            bars.update(tasks[step], completed=done)

        yield show
