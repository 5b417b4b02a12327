"""``lipgeo weight``, also called ``estimate``: census tables brought to areas."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipgeo.cli import options as o
from lipgeo.cli.areas import read_areas
from lipgeo.cli.reporting import exit_status, print_findings, print_frame, print_json, progress
from lipgeo.words import say

if TYPE_CHECKING:
    import pandas as pd

    from lipgeo.report import CheckReport
    from lipgeo.tables import Estimates
    from lipgeo.tables.long import AnyTable

__all__ = ["weight"]


class BasisChoice(StrEnum):
    """What numbers are for: areas as drawn, or the unions of units chosen for them."""

    DRAWN = "drawn"
    UNION = "union"


def weight(
    table: Annotated[list[Path], typer.Argument(metavar="TABLE...", help=say("cli.arg_table"))],
    out: o.Out,
    areas: Annotated[
        str | None, typer.Option("--areas", metavar="AREAS", help=say("cli.opt_areas"))
    ] = None,
    build: Annotated[
        Path | None, typer.Option("--build", metavar="DIR", help=say("cli.opt_build"))
    ] = None,
    basis: Annotated[
        BasisChoice, typer.Option("--basis", help=say("cli.opt_basis"))
    ] = BasisChoice.DRAWN,
    variables: Annotated[
        str | None, typer.Option("--variables", metavar="NAME,...", help=say("cli.opt_variables"))
    ] = None,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="NAME,...", help=say("cli.opt_explain"))
    ] = None,
    min_observed: Annotated[
        float,
        typer.Option("--min-observed", min=0.0, max=1.0, help=say("cli.opt_min_observed")),
    ] = 0.5,
    level: Annotated[str | None, typer.Option("--level", help=say("cli.opt_table_level"))] = None,
    table_id: Annotated[
        str | None, typer.Option("--table-id", metavar="COLUMN", help=say("cli.opt_table_id"))
    ] = None,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    id_column: o.IdColumn = None,
    name_en: o.NameEn = None,
    name_fr: o.NameFr = None,
    crs: o.Crs = None,
    layer: o.Layer = None,
    encoding: o.Encoding = None,
    as_one: o.AsOne = None,
    group_by: o.GroupBy = None,
    draft: o.Draft = False,
    lang: o.Lang = o.LangChoice.EN,
    csv: o.Csv = o.CsvStyleChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.build import read_build
    from lipgeo.errors import InputError, OutputError
    from lipgeo.estimates_file import write_estimates
    from lipgeo.report import CheckReport
    from lipgeo.store import open_census
    from lipgeo.tables import weight_areas, weight_table

    if (areas is None) == (build is None):
        raise InputError("cli.areas_or_build")
    if areas is not None and basis is BasisChoice.UNION:
        raise InputError("cli.union_needs_build")
    if out.exists():
        raise OutputError("cli.out_exists", path=out)
    wanted = _names(variables)
    drafted = CheckReport()
    with progress(quiet or as_json) as show:
        show(say("cli.step_read"), 0.0)
        if build is not None:
            fitted = read_build(build)
            xw = fitted.membership if basis is BasisChoice.UNION else fitted.crosswalk
            tables = _stored(table, store, level or xw.source_level, xw.vintage, ()) or _tables(
                table, level or xw.source_level, xw.vintage, (), table_id
            )
            labels = fitted.service_areas.labels
            show(say("cli.step_weight"), 0.0)
            found = weight_table(tables[0], xw, variables=wanted, min_observed=min_observed)
        else:
            census = open_census(store, vintage)
            given = read_areas(
                str(areas),
                census,
                {
                    "id": id_column,
                    "name_en": name_en,
                    "name_fr": name_fr,
                    "layer": layer,
                    "encoding": encoding,
                    "crs": crs,
                    "as_one": as_one,
                    "group_by": group_by,
                },
                draft=draft,
            )
            listed = [one for one in given.units["level"].unique() if one in census.levels]
            tables = _stored(table, store, level, census.vintage, listed) or _tables(
                table, level, census.vintage, listed, table_id
            )
            labels, drafted = given.labels, given.report.only("draft")
            show(say("cli.step_weight"), 0.0)
            found = weight_areas(census, given, tables, variables=wanted, min_observed=min_observed)
        show(say("cli.step_weight"), 1.0)
        written = write_estimates(found, out, names=labels, explain=_names(explain), csv=csv.value)
    _print(found, tables, written, drafted, as_json=as_json, quiet=quiet)


def _names(given: str | None) -> list[str] | None:
    """Return names parted by commas."""
    if given is None:
        return None
    return [name.strip() for name in given.split(",") if name.strip()]


def _stored(
    paths: Sequence[Path],
    store: Path,
    level: str | None,
    vintage: int | None,
    listed: Sequence[str],
) -> list[AnyTable]:
    """Open the table of the store that is named, at its levels; nothing where a file is meant."""
    from lipgeo.errors import InputError
    from lipgeo.stored_tables import describe_tables, open_table

    if len(paths) > 1 or paths[0].is_file() or not store.is_dir():
        return []
    name = str(paths[0])
    known = held = describe_tables(store)
    held = held[held["name"].eq(name) & ((vintage is None) | held["vintage"].eq(vintage))]
    if held.empty:
        if len(known) and not paths[0].exists():
            raise InputError("cli.no_such_table", given=name, held=list(known["name"].unique()))
        return []
    first = open_table(store, name, level=level, vintage=vintage)
    others = [one for one in listed if one in set(held["level"]) and one != first.level]
    return [first, *(open_table(store, name, level=one, vintage=vintage) for one in others)]


def _tables(
    paths: Sequence[Path],
    level: str | None,
    vintage: int | None,
    listed: Sequence[str],
    id: str | None,
) -> list[AnyTable]:
    """Read the table, and its rows of the levels that areas list where it has them."""
    from lipgeo.errors import TableError
    from lipgeo.readers import read_profile, read_table
    from lipgeo.readers.profile import is_profile

    if len(paths) == 1 and not is_profile(paths[0]):
        return [read_table(paths[0], id=id, level=level, vintage=vintage)]
    first = read_profile(list(paths), level=level)
    tables: list[AnyTable] = [first]
    for other in listed:
        if other != first.level:
            try:
                tables.append(read_profile(list(paths), level=other))
            except TableError:  # the file has no rows of that level: shares it is
                continue
    return tables


def _print(
    found: Estimates,
    tables: Sequence[AnyTable],
    written: Sequence[Path],
    drafted: CheckReport,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print the result for a program or a person, and end with the status it asks for."""
    report = sum((one.notes for one in tables), drafted + found.report)
    frame: pd.DataFrame = found.frame
    if as_json:
        print_json(
            {
                "files": list(written),
                "estimates": frame.to_dict("records"),
                "findings": report.to_records(),
            }
        )
    else:
        if not quiet:
            print_findings(report)
        columns = ["area_id", "variable", "value", "likely_lower", "likely_upper", "flag"]
        print_frame(frame[columns])
        print(say("cli.weighted", files=[str(path) for path in written]))
    raise typer.Exit(exit_status(report))
