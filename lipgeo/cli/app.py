"""Define the commands; each parses, calls one or two library functions, and reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lipgeo.cli import census, portal, registry
from lipgeo.cli import options as o
from lipgeo.cli import order as orders
from lipgeo.cli.areas import read_areas
from lipgeo.cli.groups import WorkOrder
from lipgeo.cli.make import make
from lipgeo.cli.reporting import (
    SHOWN,
    exit_status,
    open_store,
    print_areas,
    print_findings,
    print_json,
    print_table,
    progress,
)
from lipgeo.cli.usage import speak_help
from lipgeo.cli.variables import variables
from lipgeo.cli.weight import compare, weight
from lipgeo.words import say

__all__ = ["app"]

speak_help()
app = typer.Typer(
    help=say("cli.app"),
    epilog=say("cli.app_epilog"),
    no_args_is_help=True,
    cls=WorkOrder,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(census.app, name="census")
app.add_typer(registry.app, name="registry")
app.add_typer(portal.app, name="portal")
app.command(help=say("cli.help_gaps"))(registry.gaps)
app.command("compile", help=say("cli.help_compile"))(registry.compile_)
app.command(help=say("cli.help_template"))(registry.template)
for _command in (orders.order, orders.verify, orders.diff):
    app.command(help=say(f"cli.help_{_command.__name__}"))(_command)

app.command(help=say("cli.help_make"))(make)
app.command(help=say("cli.help_variables"))(variables)
app.command(help=say("tables.help"))(compare)
app.command("weight", help=say("cli.help_weight"))(weight)
app.command("estimate", help=say("cli.help_weight"), hidden=True)(weight)


def _version(asked: bool) -> None:
    if asked:
        from lipgeo._version import __version__

        print(f"lipgeo {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help=say("cli.opt_version")),
    ] = False,
    lang: o.Lang = o.LangChoice.EN,
) -> None:
    pass


@app.command(help=say("cli.help_demo"))
def demo(
    out: o.Out = Path("lipgeo-demo"),
    replace: o.Replace = False,
    lang: o.Lang = o.LangChoice.EN,
    csv: o.Csv = o.CsvStyleChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.synthetic.demo import has_documents, run_demo

    with progress(quiet or as_json) as show:
        results = run_demo(out, csv=csv.value, progress=show, replace=replace)
    if not has_documents():
        print(say("site.no_documents"), file=sys.stderr)
    if as_json:
        print_json({name: str(path) for name, path in results.items()})
        return
    for name, path in results.items():
        print(say("usage.heading", name=name), path)


@app.command(help=say("cli.help_find"))
def find(
    name: o.Name,
    level: Annotated[str | None, typer.Option("--level", help=say("cli.opt_level"))] = None,
    province: o.Province = None,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.errors import InputError

    if not name.strip():
        raise InputError("cli.no_name")
    found = open_store(store, vintage).find(name, level=level, province=province)
    if as_json:
        print_json(found.to_dict("records"))
    else:
        print(say("cli.found", name=name, count=len(found)))
        if len(found):
            more = say("cli.more_found", more=len(found) - SHOWN)
            print_table(found, list(found.columns), more=more)
        else:
            print(say("cli.found_nothing"), file=sys.stderr)
    if not len(found):
        raise typer.Exit(1)


@app.command(help=say("cli.help_check"))
@o.with_reading_options
def check(
    areas: o.AREAS,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    reading: o.Reading = o.NOT_GIVEN,
    draft: o.Draft = False,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.cli.areas import check_areas

    known = registry.check_registered(areas, store, vintage, draft=draft)
    report = check_areas(areas, store, vintage, reading) if known is None else known
    if as_json:
        print_json({"areas": areas, "findings": report.to_records()})
    else:
        print_findings(report)
        print(say("cli.checked", areas=areas, findings=len(report)))
    raise typer.Exit(exit_status(report))


@app.command(help=say("cli.help_build"))
@o.with_reading_options
def build(
    areas: o.AREAS,
    out: o.Out,
    replace: o.Replace = False,
    unit: o.Unit = "DA",
    rule: o.Rule = o.DEFAULT_RULE,
    by: o.By = o.WeightChoice.POPULATION,
    placement: o.Placement = o.PlacementChoice.AUTO,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.0, max=1.0, help=say("cli.opt_threshold"))
    ] = 0.5,
    exclusive: o.Exclusive = False,
    contiguous: o.Contiguous = False,
    controls: o.Controls = None,
    controls_column: o.ControlsColumn = None,
    control_weight: o.ControlWeight = 1.0,
    min_share: o.MinShare = 0.1,
    max_units: o.MaxUnits = None,
    floor: o.Floor = None,
    time_limit: o.TimeLimit = None,
    gap: o.Gap = 0.0,
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
    from lipgeo.files import require_free
    from lipgeo.readers.controls import read_controls
    from lipgeo.store.results import BUILD, write_build

    require_free(out, BUILD, replace=replace)
    with progress(quiet or as_json) as show:
        show(say("cli.step_read"), 0.0)
        opened = open_store(store, vintage, quiet=quiet)
        given = read_areas(
            areas,
            opened,
            reading,
            draft=draft,
        )
        known = None
        if controls is not None:
            known = read_controls(controls, id=reading["id"], column=controls_column)
        show(say("cli.step_read"), 1.0)
        show(say("cli.step_fit"), 0.0)
        fitted = fit_boundaries(
            opened,
            given,
            unit=unit,
            rule=rule.value,
            by=by.value,
            placement=placement.value,
            threshold=threshold,
            exclusive=exclusive,
            contiguous=contiguous,
            controls=known,
            control_weight=control_weight,
            min_share=min_share,
            max_units=max_units,
            floor=floor,
            time_limit=time_limit,
            gap=gap,
        )
        show(say("cli.step_fit"), 1.0)
        show(say("cli.step_write"), 0.0)
        written = write_build(fitted, out, csv=csv.value, replace=replace)
        show(say("cli.step_write"), 1.0)
    if as_json:
        frame = fitted.areas.drop(columns="geometry")
        print_json(
            {
                "folder": written,
                "areas": frame.to_dict("records"),
                "findings": fitted.report.to_records(),
            }
        )
    else:
        print_areas(fitted.areas, fitted.service_areas.labels, more="cli.more_areas")
        print(say("cli.built", folder=written), flush=True)
        if not quiet:
            print_findings(fitted.report, where=written / "checks.json")
    raise typer.Exit(exit_status(fitted.report))


@app.command(help=say("cli.help_preview"))
def preview(
    build_dir: o.BuildDir,
    out: o.Out = Path("map.html"),
    replace: o.Replace = False,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help=say("cli.opt_png"))
    ] = None,
    pdf: Annotated[
        Path | None, typer.Option("--pdf", metavar="FILE", help=say("cli.opt_pdf"))
    ] = None,
    beside: Annotated[
        Path | None, typer.Option("--beside", metavar="BUILD_DIR", help=say("cli.opt_beside"))
    ] = None,
    numbers: Annotated[
        Path | None, typer.Option("--numbers", metavar="FILE", help=say("cli.opt_numbers"))
    ] = None,
    variable: Annotated[
        str | None, typer.Option("--variable", metavar="NAME", help=say("cli.opt_variable"))
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help=say("cli.opt_title"))] = None,
    date: Annotated[str | None, typer.Option("--date", help=say("cli.opt_date"))] = None,
    basemap: Annotated[bool, typer.Option("--basemap", help=say("cli.opt_basemap"))] = False,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.errors import InputError
    from lipgeo.files import require_free_file
    from lipgeo.maps.preview import PAGE_ENDINGS
    from lipgeo.maps.preview import preview as draw
    from lipgeo.readers.numbers import read_numbers
    from lipgeo.store.results import read_build

    pictures = {name: path for name, path in (("png", png), ("pdf", pdf)) if path}
    asked = out.suffix.lower().lstrip(".")
    page_wanted = asked not in ("png", "pdf")
    if page_wanted:
        require_free_file(out, replace=replace, endings=(*PAGE_ENDINGS, ".png", ".pdf"))
    else:  # the ending says what is wanted
        pictures.setdefault(asked, out)
    for name, path in pictures.items():
        require_free_file(path, replace=replace, endings=[f".{name}"])
    if variable is not None and numbers is None:
        raise InputError("cli.variable_needs_numbers")
    fitted = read_build(build_dir)
    shown: Any = None if numbers is None else read_numbers(numbers, vintage=fitted.vintage)
    written = {}
    if page_wanted:
        other = read_build(beside) if beside else None
        page = draw(
            fitted, beside=other, estimates=shown, variable=variable, title=title, basemap=basemap
        )
        written["map"] = page.save(out, replace=replace)
        for note in page.notes:
            print(note, file=sys.stderr)
    if pictures:
        sheet = fitted.plot(estimates=shown, variable=variable, title=title, date=date)
        for name, path in pictures.items():
            written[name] = sheet.save(path, kind=name, replace=replace)
    if as_json:
        print_json(written)
    else:
        for path in written.values():
            print(say("cli.drawn", path=path))
