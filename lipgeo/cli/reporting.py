"""Print what commands found: results on stdout, findings and progress on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lipgeo.report import CheckReport
from lipgeo.words import say, visible

__all__ = ["exit_status", "print_findings", "print_frame", "print_json", "progress"]

#: findings shown before the rest is counted
_SHOWN = 20


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
    """Print a table for a person; missing cells are empty."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    # plain signs into a file or pipe: its code page may hold no lines
    lines = box.SIMPLE_HEAD if sys.stdout.isatty() else box.ASCII2
    table = Table(title=visible(title) or None, title_justify="left", box=lines)
    for name in frame.columns:
        numeric = frame[name].dtype.kind in "iuf"
        table.add_column(_cell(str(name)), justify="right" if numeric else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*("" if _plain(cell) is None else _cell(cell) for cell in row))
    # a file or pipe gets the whole width: cut cells would lose codes
    width = None if sys.stdout.isatty() else 10_000
    console = Console(width=width, markup=False, highlight=False, safe_box=True)
    console.print(table, soft_wrap=not sys.stdout.isatty(), crop=False)


def _cell(value: Any) -> str:
    from lipgeo.words import number

    value = _plain(value)
    if isinstance(value, float):
        return number(value, 0 if value.is_integer() else 3)
    # one line a cell: a line break in a name would look like a row
    return visible(str(value)).replace("\n", "\\n")


def print_findings(report: CheckReport) -> None:
    """Print findings on stderr, gravest first, the first twenty and how many more."""
    rank = {"error": 0, "warning": 1, "note": 2}
    found = sorted(report, key=lambda finding: rank[finding.severity])
    for finding in found[:_SHOWN]:
        severity = say(f"cli.severity_{finding.severity}")
        print(f"{severity}: {visible(finding.message)}", file=sys.stderr)
    if len(found) > _SHOWN:
        print(say("cli.more_findings", more=len(found) - _SHOWN), file=sys.stderr)


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
