"""Define the commands of the registry: its tables, gaps, sets and the intake workbook."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lipgeo.cli import options as o
from lipgeo.cli.options import is_there
from lipgeo.cli.reporting import (
    SHOWN,
    cell_words,
    column_head,
    exit_status,
    open_store,
    print_findings,
    print_frame,
    print_json,
    print_table,
    progress,
)
from lipgeo.words import say

if TYPE_CHECKING:
    from lipgeo.areas.service_areas import ServiceAreas
    from lipgeo.census.census import Census
    from lipgeo.registry.compile import CompiledSet
    from lipgeo.report import CheckReport

__all__ = [
    "app",
    "check_registered",
    "compile_",
    "gaps",
    "print_changes",
    "registered_areas",
    "registered_units",
    "template",
]

app = o.new_group(say("cli.help_registry"))

_KIND = typer.Option("--kind", help=say("cli.opt_kind"))
#: characters of a submission's area ids that a table shows
_IDS_SHOWN = 40

_Folder = Annotated[
    Path | None, typer.Option("--registry", metavar="DIR", help=say("cli.opt_registry"))
]


def _censuses(store: Path, vintage: int | None) -> tuple[Census | None, Census | None]:
    """Open the census asked for and the one before it, where the store holds them."""
    from lipgeo.store.read import describe_store, open_census

    if not is_there(store):
        return None, None
    opened = open_store(store, vintage)
    years = sorted(set(describe_store(store)["vintage"]))
    before = [year for year in years if year < opened.vintage]
    return opened, open_census(store, before[-1]) if before else None


def _are_ids(areas: str) -> bool:
    from lipgeo.registry.table import looks_like_ids

    return not is_there(areas) and looks_like_ids(areas)


def registered_areas(
    areas: str, opened: Census | None, *, draft: bool = False
) -> ServiceAreas | None:
    """Return AREAS that are registry ids or a compiled set; ``None`` where they are a file."""
    if _are_ids(areas):
        from lipgeo.errors import AreaError
        from lipgeo.registry.resolving import resolve

        if opened is None:
            raise AreaError("readers.needs_census", path=areas)
        return resolve(areas, opened, draft=draft)
    if Path(areas).is_dir():
        from lipgeo.registry.set_files import is_set, read_set

        return read_set(areas).areas if is_set(areas) else None
    return None


def registered_units(areas: str) -> list[str] | None:
    """Return the units that registry ids stand for; ``None`` where AREAS are a file."""
    if not _are_ids(areas):
        return None
    from lipgeo.registry.resolving import units

    return [str(unit) for unit in units(areas, draft=True)["unit"]]


def check_registered(
    areas: str, store: Path, vintage: int | None, *, draft: bool = False
) -> CheckReport | None:
    """Check registry ids, registry rows or a compiled set; ``None`` where AREAS are a file."""
    from lipgeo.registry.table import is_registry_table

    path = Path(areas)
    if _are_ids(areas):
        return _check_ids(areas, store, vintage, draft=draft)
    if is_registry_table(path) or (path / "lips.csv").is_file():
        return _check_rows(path, store, vintage)
    known = registered_areas(areas, None)
    if known is None:
        return None
    opened, _ = _censuses(store, vintage)
    return known.report if opened is None else known.report + known.against(opened)


def _check_rows(path: Path, store: Path, vintage: int | None) -> CheckReport:
    from lipgeo.registry.checking import check, check_rows
    from lipgeo.registry.table import is_registry_table, open_registry, read_rows

    opened, earlier = _censuses(store, vintage)
    table = is_registry_table(path)
    if table is None:
        return check(path, census=opened, earlier=earlier)
    beside = path.parent if (path.parent / "lips.csv").is_file() else None
    others = open_registry(beside if table != "lips" else None)
    return check_rows(table, read_rows(path), registry=others, census=opened, earlier=earlier)


def _check_ids(ids: str, store: Path, vintage: int | None, *, draft: bool) -> CheckReport:
    from lipgeo.errors import LipgeoError
    from lipgeo.registry.resolving import resolve, units
    from lipgeo.report import CheckReport, finding, finding_of, notes_of

    opened, earlier = _censuses(store, vintage)
    try:
        if opened is not None:
            found = resolve(ids, opened, draft=draft, earlier=earlier)
            return found.report + found.against(opened)
        notes = notes_of(units(ids, draft=draft))
    except LipgeoError as error:
        return CheckReport([finding_of(error)])
    no_store = finding("cli.no_store", "note", store, store=store)
    return notes + CheckReport([no_store])


@app.command("list", help=say("cli.help_registry_list"))
def list_(
    kind: Annotated[str | None, _KIND] = None,
    province: o.Province = None,
    status: Annotated[str | None, typer.Option("--status", help=say("cli.opt_status"))] = None,
    folder: _Folder = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo import registry

    found = registry.list(kind=kind, province=province, status=status, folder=folder)
    if as_json:
        print_json(found.to_dict("records"))
    else:
        columns = ["lip_id", "kind", f"name_{lang.value}", "units", "alternatives", "units_status"]
        print_frame(found[columns], say("cli.registry_found", count=len(found)))


@app.command(help=say("cli.help_registry_search"))
def search(
    name: o.Name,
    folder: _Folder = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo import registry

    found = registry.search(name, folder=folder)
    if as_json:
        print_json(found.to_dict("records"))
    else:
        columns = [
            "lip_id",
            "kind",
            f"name_{lang.value}",
            "units",
            "alternatives",
            "units_status",
            "match",
        ]
        title = say("cli.registry_found", count=len(found))
        if len(found):
            print_frame(found[columns], title)
        else:
            print(title)
            print(say("cli.registry_nothing"), file=sys.stderr)
    if not len(found):
        raise typer.Exit(1)


@app.command(help=say("cli.help_registry_show"))
def show(
    lip_id: Annotated[str, typer.Argument(metavar="ID", help=say("cli.arg_lip_id"))],
    folder: _Folder = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo import registry

    entry = registry.show(lip_id, folder=folder)
    if as_json:
        print_json(entry)
        return
    definitions: Any = entry.pop("definitions")
    _print_fields(entry, lip_id)
    for definition in definitions:
        _print_fields(definition, f"{lip_id}@{definition['version']}")


def _print_fields(entry: Mapping[str, Any], title: str) -> None:
    """Print what is known of one thing, a line a field."""
    import pandas as pd

    rows = [
        {"field": column_head(name), "value": cell_words(name, value)}
        for name, value in entry.items()
        if value
    ]
    print_frame(pd.DataFrame(rows), title)


def _write_gaps(found: Any, out: Path) -> Path:
    """Write the table of gaps, reasons and all, as CSV or workbook."""
    from lipgeo.files import Sheet, file_in_one_step, write_csv, write_workbook

    with file_in_one_step(out) as place:
        if out.suffix.lower() == ".csv":
            write_csv(found, place)
        else:
            write_workbook([Sheet("gaps", found)], place)
    return out


def gaps(
    kind: Annotated[str, _KIND] = "LIP",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=say("cli.opt_gaps_out"))
    ] = None,
    replace: o.Replace = False,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    folder: _Folder = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    import numpy as np
    import pandas as pd

    from lipgeo.files import require_free_file
    from lipgeo.registry.coverage import gaps as find_gaps

    if out is not None:
        require_free_file(out, replace=replace, endings=[".csv", ".xlsx"])
    opened, _ = _censuses(store, vintage)
    found = find_gaps(opened, kind=kind, folder=folder)
    totals = pd.DataFrame(found.attrs["totals"])
    if as_json:
        records = found.to_dict("records")
        alone = found.attrs["consortia_without_partnership"]
        if out is not None:
            _write_gaps(found, out)
        print_json({"partnerships": records, "totals": totals.to_dict("records"), "alone": alone})
        return
    counted = ["population", "population_covered"] if opened is not None else []
    names = ["lip_id", "status", "consortia", *counted]
    grave = {status: at for at, status in enumerate(("not_covered", "unknown", "partly"))}
    rank = found["status"].map(grave).fillna(len(grave))
    worst = found.iloc[np.lexsort([-found["population"].fillna(0), rank])]
    print_table(worst, names, more=say("cli.more_gaps", more=len(found) - SHOWN))
    sums = ["people_counted", "people"] if counted else []
    print_table(totals, ["status", "partnerships", *sums])
    if out is not None:
        print(say("cli.gaps_written", path=_write_gaps(found, out)))
    else:
        print(say("cli.gaps_reasons"))
    print(say("cli.gaps_alone", consortia=found.attrs["consortia_without_partnership"]))
    if opened is None:
        print(say("cli.gaps_no_store", store=store))


def template(
    out: o.Out = Path("lipgeo-intake.xlsx"),
    replace: o.Replace = False,
    lip_id: Annotated[str | None, typer.Option("--for", help=say("cli.opt_for"))] = None,
    folder: _Folder = None,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.files import require_free_file
    from lipgeo.geography.hierarchy import usual_vintage
    from lipgeo.registry.template import write_template

    require_free_file(out, replace=replace, endings=[".xlsx"])
    opened, _ = _censuses(store, vintage)
    year = opened.vintage if opened is not None else vintage or usual_vintage()
    written = write_template(
        out, vintage=year, lip_id=lip_id, census=opened, folder=folder, replace=replace
    )
    if as_json:
        print_json({"template": written})
    else:
        print(say("cli.template_written", path=written))


def compile_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help=say("cli.arg_submissions"))],
    name: Annotated[str, typer.Option("--set", metavar="NAME", help=say("cli.opt_set"))],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help=say("cli.opt_set_out"))
    ] = None,
    replace: o.Replace = False,
    since: Annotated[
        Path | None, typer.Option("--since", metavar="OLD", help=say("cli.opt_set_since"))
    ] = None,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    registry: _Folder = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.errors import StoreError
    from lipgeo.files import require_free
    from lipgeo.registry.compile import compile_set
    from lipgeo.registry.set_files import SET, read_set, write_set

    target = require_free(out or Path(name), SET, replace=replace)
    opened, earlier = _censuses(store, vintage)
    if opened is None:
        raise StoreError("registry.needs_store", path=store)
    before = None if since is None else read_set(since)
    with progress(quiet or as_json) as show_step:
        made = compile_set(
            folder,
            name=name,
            census=opened,
            earlier=earlier,
            since=before,
            registry=registry,
            progress=show_step,
        )
        written = write_set(made, target, replace=replace)
    _print_set(made, written, as_json=as_json, quiet=quiet)
    raise typer.Exit(exit_status(made.report))


def print_changes(old: Path, new: Path, *, as_json: bool) -> bool:
    """Print what differs between two compiled sets; false where they are none."""
    from lipgeo.registry.compile import diff_sets
    from lipgeo.registry.set_files import is_set, read_set

    if not (is_set(old) and is_set(new)):
        return False
    changes = diff_sets(read_set(old), read_set(new))
    if as_json:
        print_json({"changes": changes.to_dict("records")})
    else:
        print_frame(changes, say("cli.set_changes", count=len(changes)))
    return True


def _print_set(made: CompiledSet, written: Path, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json(
            {
                "folder": written,
                "set": made.meta,
                "intake": made.intake.to_dict("records"),
                "overlaps": made.overlaps.to_dict("records"),
                "gaps": made.gaps.drop(columns="geometry").to_dict("records"),
                "changes": made.changes.to_dict("records"),
                "findings": made.report.to_records(),
            }
        )
        return
    if not quiet:
        print_findings(made.report)
    _print_intake(made, written)
    if len(made.overlaps):
        worst = made.overlaps.sort_values("people", ascending=False, kind="stable")
        print_table(
            worst,
            ["one", "other", "intended", "people", "share_of_smaller"],
            percent=["share_of_smaller"],
            more=say("cli.more_in", more=len(worst) - SHOWN, path=written / "overlaps.csv"),
        )
    if made.since:
        print(say("cli.set_changes", count=len(made.changes)))
        print_table(
            made.changes,
            list(made.changes.columns),
            more=say("cli.more_in", more=len(made.changes) - SHOWN, path=written / "changes.csv"),
        )
    print(say("cli.compiled", folder=written, areas=len(made.areas)))


def _print_intake(made: CompiledSet, written: Path) -> None:
    """Print the submissions, those to be asked about first; what to ask stands in the workbook."""
    grave = {status: at for at, status in enumerate(("refused", "question", "ignored"))}
    rank = made.intake["status"].map(grave).fillna(len(grave))
    worst = made.intake.iloc[rank.argsort(kind="stable")]
    table = worst.assign(area_ids=worst["area_ids"].str.replace(";", ", ").str.slice(0, _IDS_SHOWN))
    print_table(
        table,
        ["file", "area_ids", "kind", "status"],
        more=say("cli.more_in", more=len(table) - SHOWN, path=written / "intake.xlsx"),
    )
    if rank.lt(2).any():
        print(say("cli.questions_in", path=written / "intake.xlsx"))
