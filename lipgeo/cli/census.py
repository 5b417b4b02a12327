"""``lipgeo census``: which files a job needs, download, import, what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lipgeo.cli import options as o
from lipgeo.cli.reporting import exit_status, print_findings, print_frame, print_json, progress
from lipgeo.errors import InputError
from lipgeo.words import say

__all__ = ["app"]

app = typer.Typer(help=say("cli.help_census"), no_args_is_help=True, rich_markup_mode=None)


def _mapping(pairs: list[str]) -> dict[str, str] | None:
    """Read ``--map CSD=CSD_UID`` pairs."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise InputError("cli.bad_mapping", given=wrong)
    return {name.strip(): column.strip() for name, _, column in (p.partition("=") for p in pairs)}


@app.command("add", help=say("cli.help_census_add"))
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=say("cli.arg_files"))],
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    level: Annotated[str | None, typer.Option("--level", help=say("cli.opt_file_level"))] = None,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="NAME=COLUMN", help=say("cli.opt_map"))
    ] = None,
    attributes_only: Annotated[
        bool, typer.Option("--attributes-only", help=say("cli.opt_attributes_only"))
    ] = False,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.store import add_files

    with progress(quiet or as_json) as show:
        report = add_files(
            store,
            files,
            vintage=vintage,
            level=level,
            mapping=_mapping(mapping or []),
            attributes_only=attributes_only,
            progress=lambda step, done, total: show(step, done / total),
        )
    if as_json:
        print_json({"store": store, "findings": report.to_records()})
    else:
        print_findings(
            report.only(severity="warning") + report.only(severity="error") if quiet else report
        )
        print(say("cli.added", files=[file.name for file in files], store=store))
    raise typer.Exit(exit_status(report))


@app.command("list", help=say("cli.help_census_list"))
def list_(
    store: o.Store = o.DEFAULT_STORE,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.store import describe_store

    levels = describe_store(store)
    if as_json:
        print_json(levels.to_dict("records"))
    else:
        print_frame(levels, say("cli.held", store=store))
