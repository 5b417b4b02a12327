"""Define ``lipgeo make``: from a file of areas to order and map in one go."""

from __future__ import annotations

import typer

from lipgeo.cli import options as o
from lipgeo.cli.areas import read_areas
from lipgeo.cli.reporting import (
    exit_status,
    open_store,
    print_areas,
    print_findings,
    print_json,
    progress,
)
from lipgeo.words import say

__all__ = ["make"]


@o.with_reading_options
def make(
    areas: o.AREAS,
    out: o.Out,
    replace: o.Replace = False,
    unit: o.Unit = "DA",
    rule: o.Rule = o.DEFAULT_RULE,
    by: o.By = o.WeightChoice.POPULATION,
    placement: o.Placement = o.PlacementChoice.AUTO,
    exclusive: o.Exclusive = False,
    since: o.Since = None,
    template: o.Template = None,
    tables: o.OrderTables = None,
    contact: o.Contact = None,
    keep: o.Keep = None,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    reading: o.Reading = o.NOT_GIVEN,
    draft: o.Draft = False,
    lang: o.Lang = o.LangChoice.EN,
    csv: o.Csv = o.CsvStyleChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.boundary.fit import fit_boundaries
    from lipgeo.errors import FileError
    from lipgeo.files import (
        FolderFormat,
        file_entries,
        folder_in_one_step,
        listed_files,
        require_free,
        write_manifest,
    )
    from lipgeo.maps.preview import preview
    from lipgeo.order.manifest import checks_path, read_checks
    from lipgeo.order.package import write_order
    from lipgeo.report import CheckReport
    from lipgeo.store.results import write_build

    # it says what it is, that a later one may take its place
    form = FolderFormat("make", 1, FileError, "files.no_manifest")
    target = require_free(out, form, replace=replace)
    with progress(quiet or as_json) as show:
        show(say("cli.step_read"), 0.0)
        census = open_store(store, vintage, quiet=quiet)
        given = read_areas(areas, census, reading, draft=draft)
        show(say("cli.step_read"), 1.0)
        show(say("cli.step_fit"), 0.0)
        fitted = fit_boundaries(
            census, given, unit=unit, rule=rule.value, by=by.value, placement=placement.value,
            exclusive=exclusive,
        )  # fmt: skip
        show(say("cli.step_fit"), 1.0)
        show(say("cli.step_write"), 0.0)
        with folder_in_one_step(target, replace=replace) as made:
            write_build(fitted, made / "build", csv=csv.value)
            order = write_order(
                fitted, made / "order", since=since, template=template, tables=tables,
                contact=contact, csv=csv.value, leave_out_empty=True,
                keep=[one.strip() for one in (keep or "").split(",") if one.strip()],
            )  # fmt: skip
            ordered = read_checks(order)
            checks = target / checks_path(order).relative_to(made)
            preview(fitted).save(made / "map.html")
            content = {"vintage": fitted.vintage}
            write_manifest(made, form, content, file_entries(made, listed_files(made)))
        show(say("cli.step_write"), 1.0)
    known = set(fitted.report)
    report = fitted.report + CheckReport(found for found in ordered if found not in known)
    places = {name: target / name for name in ("build", "order", "map.html")}
    if as_json:
        frame = fitted.areas.drop(columns="geometry")
        print_json(
            {
                "folder": target,
                "files": list(places.values()),
                "areas": frame.to_dict("records"),
                "findings": report.to_records(),
            }
        )
    else:
        print_areas(fitted.areas, fitted.service_areas.labels, more="cli.more_areas")
        print(say("cli.built", folder=places["build"]))
        print(say("cli.ordered", folder=places["order"]))
        print(say("cli.drawn", path=places["map.html"]), flush=True)
        if not quiet:
            print_findings(report, where=checks)
    raise typer.Exit(exit_status(report))
