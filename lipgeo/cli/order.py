"""Define ``lipgeo order``, ``verify`` and ``diff``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lipgeo.cli import options as o
from lipgeo.cli.reporting import (
    SHOWN,
    exit_status,
    print_findings,
    print_json,
    print_table,
    progress,
)
from lipgeo.words import say

__all__ = ["diff", "order", "verify"]

_OrderDir = Annotated[Path, typer.Argument(metavar="DIR", help=say("cli.arg_order"))]


def order(
    build_dir: o.BuildDir,
    out: o.Out,
    replace: o.Replace = False,
    since: o.Since = None,
    template: o.Template = None,
    tables: o.OrderTables = None,
    estimates: Annotated[
        Path | None, typer.Option("--estimates", metavar="FILE", help=say("cli.opt_estimates"))
    ] = None,
    contact: o.Contact = None,
    leave_out_empty: Annotated[
        bool, typer.Option("--leave-out-empty", help=say("cli.opt_leave_out_empty"))
    ] = False,
    keep: o.Keep = None,
    lang: o.Lang = o.LangChoice.EN,
    csv: o.Csv = o.CsvStyleChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.files import require_free
    from lipgeo.order.manifest import ORDER, checks_path, read_checks
    from lipgeo.order.package import write_order
    from lipgeo.report import CheckReport
    from lipgeo.store.results import read_build

    require_free(out, ORDER, replace=replace)
    with progress(quiet or as_json) as show:
        show(say("cli.step_order"), 0.0)
        fitted = read_build(build_dir)
        written = write_order(
            fitted,
            out,
            since=since,
            template=template,
            tables=tables,
            contact=contact,
            csv=csv.value,
            estimates=estimates,
            leave_out_empty=leave_out_empty,
            replace=replace,
            keep=[one.strip() for one in (keep or "").split(",") if one.strip()],
        )
        show(say("cli.step_order"), 1.0)
    report = read_checks(written)
    if as_json:
        print_json({"folder": written, "findings": report.to_records()})
    else:
        print(say("cli.ordered", folder=written), flush=True)
        if not quiet:
            known = set(fitted.report)
            new = CheckReport(found for found in report if found not in known)
            print_findings(new, where=checks_path(written))
            if repeated := CheckReport(found for found in report if found in known):
                told = say("cli.findings_of_build", counted=repeated.counted)
                print(told, file=sys.stderr)
    raise typer.Exit(exit_status(report))


def _change_words(change: str) -> str:
    return ", ".join(say(f"cli.change_{one}") for one in change.split(";"))


def verify(
    folder: _OrderDir,
    store: Annotated[
        Path | None,
        typer.Option("--store", metavar="DIR", help=say("cli.opt_verify_store")),
    ] = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.order.manifest import read_order
    from lipgeo.order.verify import verify_order
    from lipgeo.store.read import open_census

    census = None if store is None else open_census(store, read_order(folder).vintage)
    report = verify_order(folder, census)
    if as_json:
        print_json({"folder": folder, "ok": report.ok, "findings": report.to_records()})
    else:
        print_findings(report)
        print(say("cli.verified" if report.ok else "cli.not_verified", folder=folder))
    raise typer.Exit(exit_status(report))


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help=say("cli.arg_old"))],
    new: Annotated[Path, typer.Argument(metavar="NEW", help=say("cli.arg_new"))],
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.cli.registry import print_changes
    from lipgeo.order.diff import diff_orders

    if print_changes(old, new, as_json=as_json):  # sets that `lipgeo compile` wrote
        return
    found = diff_orders(old, new)
    shown = found.areas[found.areas["change"] != "same"]
    if as_json:
        print_json(
            {
                "changed": found.changed,
                "same": len(found.areas) - len(found),
                "areas": shown.to_dict("records"),
                "units": found.units.to_dict("records"),
            }
        )
        return
    if len(shown):
        changes = shown.assign(
            change=[_change_words(one) for one in shown["change"]],
            people_before=shown["population_before"],
            people_now=shown["population"],
        )
        names = ["area_id", "change", "units_kept", "units_added", "units_removed",
                 "people_before", "people_now"]  # fmt: skip
        more = len(changes) - SHOWN
        print_table(changes, names, more=say("cli.more_areas", more=more) if more > 0 else "")
    print(repr(found))
