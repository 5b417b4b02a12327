"""Define ``lipgeo census``: say which files a job needs, download, import, list, verify them.

``lipgeo census table`` does the same for Census Profiles of any size.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lipgeo.cli import options as o
from lipgeo.cli.needs import census_files, profile_files
from lipgeo.cli.reporting import (
    exit_status,
    print_findings,
    print_frame,
    print_import,
    print_json,
    print_table,
    progress,
)
from lipgeo.cli.usage import ask
from lipgeo.errors import InputError
from lipgeo.words import number, say

if TYPE_CHECKING:
    import pandas as pd

    from lipgeo.report import CheckReport
    from lipgeo.store.catalogue import NeededFile
    from lipgeo.store.download import Fetched

__all__ = ["app"]

table_app = o.new_group(say("store.help"))


@table_app.command("add", help=say("store.help_add"))
def add_table_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=say("store.arg_files"))],
    store: o.Store = o.DEFAULT_STORE,
    name: o.TableName = None,
    replace: o.ReplaceTable = False,
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
        print_frame(_whole(tables.drop(columns="sources")), say("store.held", store=store))
    _say_damage(tables, store)


def _say_damage(listed: pd.DataFrame, store: Path) -> None:
    """End with findings where something listed is damaged, and say what tells which file."""
    damaged = int(listed["state"].eq("damaged").sum())
    if damaged:
        print(say("cli.listed_damaged", count=damaged, store=store), file=sys.stderr)
        raise typer.Exit(1)


def _with_names(levels: pd.DataFrame) -> pd.DataFrame:
    """Put beside each level what it is, in the language in force."""
    from lipgeo.geography.hierarchy import level

    shown = _whole(levels)
    names = [level(code).name for code in shown["level"]]
    shown.insert(int(shown.columns.get_indexer(["level"])[0]) + 1, "level_name", names)
    return shown


def _whole(levels: pd.DataFrame) -> pd.DataFrame:
    """Let counts be written as people write them, ``4,000``: other whole numbers are codes."""
    counts = [name for name in levels.columns if name.endswith("_count")]
    return levels.astype(dict.fromkeys(counts, "float64"))


DEFAULT_DOWNLOADS = Path("lipgeo-downloads")

app = o.new_group(say("cli.help_census"))
app.add_typer(table_app, name="table")


def _parse_mapping(pairs: list[str]) -> dict[str, str] | None:
    """Read ``--map CSD=CSD_UID`` pairs."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise InputError("cli.bad_mapping", given=wrong)
    return {name.strip(): column.strip() for name, _, column in (p.partition("=") for p in pairs)}


def _files_of_census(
    areas: o.AREAS,
    unit: o.Unit = "DA",
    by: o.By = o.WeightChoice.POPULATION,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    lang: o.Lang = o.LangChoice.EN,
) -> Any:
    """Return the files a job needs: what ``need`` lists and ``fetch`` downloads."""
    return census_files(areas, unit, by.value, store, vintage, lang.value)


@app.command("need", help=say("cli.help_census_need"))
@o.with_options_of(_files_of_census, "needed")
def need_(
    needed: Any,
    store: o.Store = o.DEFAULT_STORE,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    _print_needed(needed, say("cli.nothing_needed", store=store), as_json=as_json)


def _print_needed(needed: Sequence[NeededFile], nothing: str, *, as_json: bool) -> None:
    """Print files: names, sizes, addresses, how sure those are, why."""
    rows = [
        {
            "file": one.file.name,
            "size_mb": one.size_mb,
            "reason": one.reason,
            "certainty": one.file.certainty,
            "address": one.address,
        }
        for one in needed
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        print(nothing)
        return
    import pandas as pd

    table = pd.DataFrame(rows)
    unknown = say("cli.size_unknown")
    table["size_mb"] = [
        unknown if one.size_mb is None else number(one.size_mb, 1) for one in needed
    ]
    table["certainty"] = [
        say(f"store.certainty_{one.file.certainty.replace(' ', '_')}") for one in needed
    ]
    print_table(table, list(table.columns))
    print(say("cli.needed", files=len(rows)))


def _fetch(
    needed: Sequence[NeededFile], to: Path, take_in: Any, *, yes: bool, quiet: bool
) -> tuple[list[Fetched], CheckReport | None]:
    """Download files once somebody agrees, and have them taken in."""
    from lipgeo.store.download import fetch

    def confirm(coming: Sequence[tuple[NeededFile, int | None]]) -> bool:
        known = sum(size or 0 for _, size in coming) / 1e6
        unknown = sum(size is None for _, size in coming)
        question = say("cli.confirm_fetch", files=len(coming), mb=known, unknown=unknown)
        return yes or ask(question)

    with progress(quiet or not yes) as show:
        report = lambda step, done, total: show(step, done / total if total else 0.0)  # noqa: E731
        fetched = fetch(needed, to, confirm=confirm, progress=report)
        found = take_in([one.path for one in fetched], report) if fetched else None
    return fetched, found


def _print_fetched(
    fetched: Sequence[Fetched], findings: CheckReport | None, store: Path, *, as_json: bool
) -> int:
    """Print what came and what was found in it; return the exit status."""
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
    return exit_status(findings) if findings else 0


@app.command("fetch", help=say("cli.help_census_fetch"))
@o.with_options_of(_files_of_census, "needed")
def fetch_(
    needed: Any,
    to: o.To = DEFAULT_DOWNLOADS,
    yes: o.Yes = False,
    store: o.Store = o.DEFAULT_STORE,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.store.add import add_census

    fetched, findings = _fetch(
        needed,
        to,
        lambda paths, report: add_census(store, paths, progress=report),
        yes=yes,
        quiet=quiet or as_json,
    )
    raise typer.Exit(_print_fetched(fetched, findings, store, as_json=as_json))


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
        # a terminal is narrow: the files each level came from, and their kind, are in --json
        shown = _with_names(levels.drop(columns=["sources", "boundary_type"]))
        for vintage, census in shown.groupby("vintage", sort=True):
            title = say("cli.held", store=store, vintage=str(vintage))
            print_frame(census.drop(columns="vintage"), title)
    _say_damage(levels, store)


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


_Places = Annotated[
    list[str] | None, typer.Argument(metavar="[PLACE]...", help=say("store.arg_places"))
]


def _files_of_profile(
    places: _Places = None,
    level: Annotated[str, typer.Option("--level", help=say("store.opt_table_level"))] = "DA",
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    lang: o.Lang = o.LangChoice.EN,
) -> Any:
    """Return the files of the Census Profile of some places, all regions where none is named."""
    return profile_files(places or [], level, store, vintage, lang.value)


@table_app.command("need", help=say("store.help_need"))
@o.with_options_of(_files_of_profile, "needed")
def need_table(
    needed: Any,
    store: o.Store = o.DEFAULT_STORE,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    _print_needed(needed, say("store.nothing_needed", store=store), as_json=as_json)


@table_app.command("fetch", help=say("store.help_fetch"))
@o.with_options_of(_files_of_profile, "needed")
def fetch_table(
    needed: Any,
    places: _Places = None,
    to: o.To = DEFAULT_DOWNLOADS,
    name: o.TableName = None,
    replace: o.ReplaceTable = False,
    yes: o.Yes = False,
    store: o.Store = o.DEFAULT_STORE,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.store.tables.importing import add_table

    if not places:
        raise InputError("store.no_place")
    fetched, findings = _fetch(
        needed,
        to,
        lambda paths, report: add_table(store, paths, name=name, replace=replace, progress=report),
        yes=yes,
        quiet=quiet or as_json,
    )
    raise typer.Exit(_print_fetched(fetched, findings, store, as_json=as_json))
