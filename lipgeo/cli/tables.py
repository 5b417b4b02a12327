"""``lipgeo census table``: Census Profiles of any size into the store, and what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lipgeo.cli import options as o
from lipgeo.cli.reporting import print_frame, print_import, print_json, progress
from lipgeo.words import say

__all__ = ["app"]

app = typer.Typer(help=say("stored_tables.help"), no_args_is_help=True, rich_markup_mode=None)


@app.command("add", help=say("stored_tables.help_add"))
def add(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help=say("stored_tables.arg_files"))
    ],
    store: o.Store = o.DEFAULT_STORE,
    name: Annotated[str | None, typer.Option("--name", help=say("stored_tables.opt_name"))] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help=say("stored_tables.opt_replace"))
    ] = False,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.stored_tables import add_table

    with progress(quiet or as_json) as show:
        report = add_table(
            store,
            files,
            name=name,
            replace=replace,
            progress=lambda step, done, total: show(step, done / max(total, 1)),
        )
    added = [] if report.only("already_in") else files
    raise typer.Exit(print_import(report, added, store, as_json=as_json, quiet=quiet))


@app.command("list", help=say("stored_tables.help_list"))
def list_(
    store: o.Store = o.DEFAULT_STORE,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.stored_tables import describe_tables

    tables = describe_tables(store)
    if as_json:
        print_json(tables.to_dict("records"))
    elif tables.empty:
        print(say("stored_tables.none_held", store=store))
    else:
        print_frame(tables.drop(columns="sources"), say("stored_tables.held", store=store))
