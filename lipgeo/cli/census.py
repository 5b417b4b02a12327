"""Define ``lipgeo census``: say which files a job needs, download, import, list, verify them.

``lipgeo census table`` imports Census Profiles of any size into the store and lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipgeo.cli import options as o
from lipgeo.cli.groups import WholeSummaries
from lipgeo.cli.options import is_there
from lipgeo.cli.reporting import (
    exit_status,
    print_findings,
    print_frame,
    print_import,
    print_json,
    progress,
)
from lipgeo.errors import FileError, InputError
from lipgeo.words import say

if TYPE_CHECKING:
    from lipgeo.store.catalogue import NeededFile

__all__ = ["app"]

table_app = typer.Typer(
    help=say("store.help"), no_args_is_help=True, rich_markup_mode=None, cls=WholeSummaries
)


@table_app.command("add", help=say("store.help_add"))
def add_table_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=say("store.arg_files"))],
    store: o.Store = o.DEFAULT_STORE,
    name: Annotated[str | None, typer.Option("--name", help=say("store.opt_name"))] = None,
    replace: Annotated[bool, typer.Option("--replace", help=say("store.opt_replace"))] = False,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.store.tables.importing import add_table

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


@table_app.command("list", help=say("store.help_list"))
def list_tables(
    store: o.Store = o.DEFAULT_STORE,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.store.tables.opening import describe_tables

    tables = describe_tables(store)
    if as_json:
        print_json(tables.to_dict("records"))
    elif tables.empty:
        print(say("store.none_held", store=store))
    else:
        print_frame(tables.drop(columns="sources"), say("store.held", store=store))


DEFAULT_DOWNLOADS = Path("lipgeo-downloads")

app = typer.Typer(
    help=say("cli.help_census"), no_args_is_help=True, rich_markup_mode=None, cls=WholeSummaries
)
app.add_typer(table_app, name="table")


def _parse_mapping(pairs: list[str]) -> dict[str, str] | None:
    """Read ``--map CSD=CSD_UID`` pairs."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise InputError("cli.bad_mapping", given=wrong)
    return {name.strip(): column.strip() for name, _, column in (p.partition("=") for p in pairs)}


def _needed_files(
    areas: str, unit: str, by: str, store: Path, vintage: int | None, lang: str
) -> list[NeededFile]:
    """Say which files AREAS need: units to choose from if drawn, the units named if listed."""
    from lipgeo.areas.unit_lists import entries, levels_named
    from lipgeo.cli.areas import listed_units
    from lipgeo.cli.registry import registered_levels
    from lipgeo.geography.hierarchy import usual_vintage
    from lipgeo.readers.areas import named_levels
    from lipgeo.store.catalogue import holdings_of, need
    from lipgeo.store.read import describe_store, open_census

    held = describe_store(store) if is_there(store) else None
    years = set() if held is None else set(held["vintage"])
    year = vintage or (max(years) if years else usual_vintage())
    have = holdings_of(open_census(store, year)) if year in years else None
    named: tuple[str, ...] | None
    listed = listed_units(areas)
    if listed is not None:
        named = levels_named(entries({"-": [*listed[0], *listed[1]]}), year)
    else:
        named = registered_levels(areas) or named_levels(areas, year)
    if named is None and not is_there(areas):
        raise FileError("readers.layers.missing", path=areas)
    levels = named if named is not None else ("DA", "DB") if unit.casefold() == "mixed" else (unit,)
    return need(levels, year, by, have, lang, drawn=named is None)


@app.command("need", help=say("cli.help_census_need"))
def need_(
    areas: o.AREAS,
    unit: o.Unit = "DA",
    by: o.By = o.WeightChoice.POPULATION,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    needed = _needed_files(areas, unit, by.value, store, vintage, lang.value)
    rows = [
        {
            "file": one.file.name,
            "size_mb": one.size_mb,
            "address": one.address,
            "reason": one.reason,
        }
        for one in needed
    ]
    if as_json:
        print_json(rows)
    elif rows:
        import pandas as pd

        print_frame(pd.DataFrame(rows), say("cli.needed", files=len(rows)))
    else:
        print(say("cli.nothing_needed", store=store))


@app.command("fetch", help=say("cli.help_census_fetch"))
def fetch_(
    areas: o.AREAS,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help=say("cli.opt_to"))
    ] = DEFAULT_DOWNLOADS,
    unit: o.Unit = "DA",
    by: o.By = o.WeightChoice.POPULATION,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=say("cli.opt_yes"))] = False,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.store.add import add_census
    from lipgeo.store.download import fetch

    needed = _needed_files(areas, unit, by.value, store, vintage, lang.value)

    def confirm(coming: Sequence[tuple[NeededFile, int | None]]) -> bool:
        known = sum(size or 0 for _, size in coming) / 1e6
        unknown = sum(size is None for _, size in coming)
        question = say("cli.confirm_fetch", files=len(coming), mb=known, unknown=unknown)
        return yes or typer.confirm(question, err=True)

    with progress(quiet or as_json or not yes) as show:
        report = lambda step, done, total: show(step, done / total if total else 0.0)  # noqa: E731
        fetched = fetch(needed, to, confirm=confirm, progress=report)
        findings = (
            add_census(store, [one.path for one in fetched], progress=report) if fetched else None
        )
    if as_json:
        print_json(
            {
                "files": [
                    {"path": one.path, "bytes": one.size_bytes, "sha256": one.sha256}
                    for one in fetched
                ],
                "findings": findings.to_records() if findings else [],
            }
        )
    elif findings is None:
        print(say("cli.nothing_fetched"))
    else:
        print_findings(findings)
        print(say("cli.added", files=[one.path.name for one in fetched], store=store))
    raise typer.Exit(exit_status(findings) if findings else 0)


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
    from lipgeo.store.add import add_census

    with progress(quiet or as_json) as show:
        report = add_census(
            store,
            files,
            vintage=vintage,
            level=level,
            mapping=_parse_mapping(mapping or []),
            attributes_only=attributes_only,
            progress=lambda step, done, total: show(step, done / total),
        )
    raise typer.Exit(print_import(report, files, store, as_json=as_json, quiet=quiet))


@app.command("list", help=say("cli.help_census_list"))
def list_(
    store: o.Store = o.DEFAULT_STORE,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.store.read import describe_store

    levels = describe_store(store)
    if as_json:
        print_json(levels.to_dict("records"))
    else:
        print_frame(levels, say("cli.held", store=store))


@app.command("verify", help=say("cli.help_census_verify"))
def verify(
    store: o.Store = o.DEFAULT_STORE,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.store.damage import verify_store

    with progress(quiet or as_json) as show:
        report = verify_store(
            store,
            progress=lambda _, done, total: show(say("store.verifying"), done / max(total, 1)),
        )
    if as_json:
        print_json({"store": store, "ok": report.ok, "findings": report.to_records()})
    else:
        print_findings(
            report.only(severity="warning") + report.only(severity="error") if quiet else report
        )
        print(say("cli.store_whole" if report.ok else "cli.store_not_whole", store=store))
    raise typer.Exit(exit_status(report))
