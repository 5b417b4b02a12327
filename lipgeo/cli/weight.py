"""Define ``lipgeo weight`` (also ``estimate``) and ``lipgeo compare``.

The first brings census tables to areas, the second follows areas through censuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from lipgeo.cli import options as o
from lipgeo.cli.areas import read_areas
from lipgeo.cli.options import is_there
from lipgeo.cli.reporting import (
    exit_status,
    open_store,
    print_findings,
    print_json,
    print_numbers,
    progress,
)
from lipgeo.words import say

if TYPE_CHECKING:
    import pandas as pd

    from lipgeo.census.census import Census
    from lipgeo.files import Sheet
    from lipgeo.report import CheckReport
    from lipgeo.tables.census_table import CensusTable
    from lipgeo.tables.comparison import Comparison
    from lipgeo.tables.estimates import Estimates
    from lipgeo.tables.long_table import AnyTable
    from lipgeo.tables.variables import Variable

__all__ = ["compare", "weight"]

#: variables that a terminal shows beside each other
_COLUMNS = 6


@o.with_reading_options
def compare(
    areas: o.AREAS,
    tables: o.Tables = None,
    years: Annotated[
        str | None,
        typer.Option("--years", metavar="YEAR,YEAR,...", help=say("tables.opt_years")),
    ] = None,
    correspondence: Annotated[
        list[Path] | None,
        typer.Option("--correspondence", metavar="FILE", help=say("tables.opt_links")),
    ] = None,
    variables: o.Variables = None,
    level: o.TableLevel = None,
    placement: o.Placement = o.PlacementChoice.AUTO,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help=say("tables.opt_out"))
    ] = None,
    replace: o.Replace = False,
    store: o.Store = o.DEFAULT_STORE,
    reading: o.Reading = o.NOT_GIVEN,
    draft: o.Draft = False,
    lang: o.Lang = o.LangChoice.EN,
    csv: o.Csv = o.CsvStyleChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.files import file_in_one_step, require_free_file, write_csv, write_workbook
    from lipgeo.readers.statcan.correspondence import read_correspondence
    from lipgeo.tables.comparison import compare as compared

    if out is not None:
        require_free_file(out, replace=replace, endings=[".csv", ".xlsx"])
    files = _files(tables or [], years)
    with progress(quiet or as_json) as show:
        show(say("cli.step_read"), 0.0)
        newest = max(files)
        opened = {year: _open_census(store, year, needed=year == newest) for year in files}
        census = opened[newest]
        given = read_areas(
            areas,
            census,
            reading,
            draft=draft,
        )
        listed = list(given.units["level"].unique())
        legs = {
            year: (opened[year], _editions(paths, year, level, listed))
            for year, paths in files.items()
        }
        links = [read_correspondence(path) for path in correspondence or ()]
        show(say("cli.step_weight"), 0.0)
        names = None if variables is None else [one.strip() for one in variables.split(",")]
        found = compared(given, legs, names, correspondences=links, placement=placement.value)
        show(say("cli.step_weight"), 1.0)
        if out is not None:
            with file_in_one_step(out) as temporary:
                if out.suffix.lower() == ".xlsx":
                    write_workbook(_sheets_of(found, given.labels), temporary)
                else:
                    write_csv(found.frame, temporary, style=csv.value)
    if as_json:
        print_json(
            {
                "comparison": found.frame.to_dict("records"),
                "followed": found.followed.to_dict("records"),
                "findings": found.report.to_records(),
            }
        )
    else:
        from lipgeo.tables.wide import table_of_changes

        table, reasons = table_of_changes(found, given.labels).with_notes()
        print_numbers(table)
        for at, reason in enumerate(reasons, 1):
            print(say("cli.why_below", number=str(at), reason=reason))
        print(repr(found).strip("<>"))
        if out is not None:
            print(say("cli.weighted", files=[str(out)]), flush=True)
        if not quiet:
            print_findings(found.report)
    raise typer.Exit(exit_status(found.report))


def _sheets_of(found: Comparison, labels: pd.Series) -> list[Sheet]:
    """Return the sheets of a comparison: the table for people, details behind."""
    from lipgeo.files import Sheet
    from lipgeo.store.results import describe_columns
    from lipgeo.tables.wide import table_of_changes

    table = table_of_changes(found, labels)
    details = [
        Sheet(say("store.results"), found.frame),
        Sheet(say("store.findings"), found.report.frame),
    ]
    first = Sheet(say("store.table"), table.frame, formats=table.formats)
    return [first, describe_columns(details), *details]


def _files(tables: Sequence[str], years: str | None) -> dict[int, list[Path]]:
    """Return the files of each census asked for."""
    from lipgeo.errors import InputError
    from lipgeo.geography.hierarchy import require_vintage

    files = o.files_by_census(tables)
    if years is None:
        if not files:
            raise InputError("tables.two_years", years="0")
        return files
    asked = [one.strip() for one in years.split(",") if one.strip()]
    strange = [one for one in asked if not one.isdigit()]
    if strange:
        raise InputError("tables.bad_years", given=strange)
    # a year without a table is not comparable, and said so
    return {require_vintage(int(one)): files.get(int(one), []) for one in asked}


def _open_census(store: Path, year: int, *, needed: bool) -> Census | None:
    """Open a census; an earlier one need not be there."""
    from lipgeo.errors import LipgeoError
    from lipgeo.store.read import open_census

    if needed:
        return open_census(store, year)
    try:
        return open_census(store, year)
    except LipgeoError:  # followed by the correspondence alone
        return None


def _editions(
    paths: Sequence[Path], year: int, level: str | None, listed: Sequence[str]
) -> list[CensusTable]:
    """Read a census's table, and its rows of the levels that areas list where it has them."""
    from lipgeo.errors import TableError
    from lipgeo.readers.statcan.profile import read_profile
    from lipgeo.readers.statcan.profile_files import is_profile
    from lipgeo.readers.tables import read_table

    if not paths:
        return []
    if not is_profile(paths[0]):
        return [read_table(path, level=level, vintage=year) for path in paths]
    found = [read_profile(list(paths), level=level)]
    for other in listed:
        if other != found[0].level:
            try:
                found.append(read_profile(list(paths), level=other))
            except TableError:  # the file has no rows of that level
                continue
    return found


class BasisChoice(StrEnum):
    """What numbers are for: areas as drawn, or the unions of units chosen for them."""

    DRAWN = "drawn"
    UNION = "union"


class HiddenChoice(StrEnum):
    """What is done with counts under 10 that are published as 0."""

    IMPUTE = "impute"
    AS_PUBLISHED = "as_published"


class OwnGeographyChoice(StrEnum):
    """Whether counts follow their own geography inside cut units."""

    AUTO = "auto"
    OFF = "off"


@o.with_reading_options
def weight(
    table: Annotated[list[Path], typer.Argument(metavar="TABLE...", help=say("cli.arg_table"))],
    out: o.Out,
    replace: o.Replace = False,
    areas: Annotated[
        str | None, typer.Option("--areas", metavar="AREAS", help=say("cli.opt_areas"))
    ] = None,
    build: Annotated[
        Path | None, typer.Option("--build", metavar="DIR", help=say("cli.opt_build"))
    ] = None,
    basis: Annotated[
        BasisChoice, typer.Option("--basis", help=say("cli.opt_basis"))
    ] = BasisChoice.DRAWN,
    variables: o.Variables = None,
    percent_of: Annotated[
        str | None, typer.Option("--percent-of", metavar="COLUMN", help=say("cli.opt_percent_of"))
    ] = None,
    rule_of: Annotated[
        list[str] | None,
        typer.Option("--rule-of", metavar="COLUMN=RULE", help=say("cli.opt_rule_of")),
    ] = None,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="NAME,...", help=say("cli.opt_explain"))
    ] = None,
    min_observed: Annotated[
        float,
        typer.Option("--min-observed", min=0.0, max=1.0, help=say("cli.opt_min_observed")),
    ] = 0.5,
    placement: o.Placement = o.PlacementChoice.AUTO,
    hidden: Annotated[
        HiddenChoice, typer.Option("--hidden", help=say("cli.opt_hidden"))
    ] = HiddenChoice.IMPUTE,
    own_geography: Annotated[
        OwnGeographyChoice, typer.Option("--own-geography", help=say("cli.opt_own_geography"))
    ] = OwnGeographyChoice.AUTO,
    controls: Annotated[
        Path | None,
        typer.Option("--controls", metavar="FILE", help=say("cli.opt_controls_of_shares")),
    ] = None,
    controls_column: o.ControlsColumn = None,
    level: o.TableLevel = None,
    table_id: Annotated[
        str | None, typer.Option("--table-id", metavar="COLUMN", help=say("cli.opt_table_id"))
    ] = None,
    sheet: Annotated[
        str | None, typer.Option("--sheet", metavar="NAME", help=say("cli.opt_sheet"))
    ] = None,
    decimal: Annotated[
        str | None, typer.Option("--decimal", metavar="MARK", help=say("cli.opt_decimal"))
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="DIMENSION=MEMBER", help=say("cli.opt_where")),
    ] = None,
    store: o.Store = o.DEFAULT_STORE,
    vintage: o.Vintage = None,
    reading: o.Reading = o.NOT_GIVEN,
    draft: o.Draft = False,
    lang: o.Lang = o.LangChoice.EN,
    csv: o.Csv = o.CsvStyleChoice.EN,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.errors import InputError
    from lipgeo.readers.controls import read_controls
    from lipgeo.report import CheckReport
    from lipgeo.store.results import read_build, require_free_estimates, write_estimates
    from lipgeo.tables.calibrate import calibrate
    from lipgeo.tables.weight import weight_table
    from lipgeo.tables.weight_areas import values_of_controls, weight_areas

    if (areas is None) == (build is None):
        raise InputError("cli.areas_or_build")
    if areas is not None and basis is BasisChoice.UNION:
        raise InputError("cli.union_needs_build")
    require_free_estimates(out, replace=replace)
    wanted, rules = _names(variables), _rules(rule_of)
    from_file = _Reading(table_id, _members(where), sheet, decimal)
    known = None
    if controls is not None:
        known = read_controls(controls, id=reading["id"], column=controls_column)
    drafted = CheckReport()
    with progress(quiet or as_json) as show:
        show(say("cli.step_read"), 0.0)
        if build is not None:
            fitted = read_build(build)
            xw = fitted.membership if basis is BasisChoice.UNION else fitted.crosswalk
            tables = _read_tables(
                table, store, level or xw.source_level, xw.vintage, (), from_file, rules
            )
            labels = fitted.service_areas.labels
            shapes = fitted.areas.set_index("area_id").geometry
            if basis is BasisChoice.DRAWN:  # a list is its union
                came = fitted.service_areas.frame.geometry
                shapes = came.where(came.notna(), shapes.reindex(came.index))
            show(say("cli.step_weight"), 0.0)
            if known is not None:
                xw = calibrate(xw, known, values_of_controls(tables[0], known))
            found = weight_table(
                tables[0],
                xw,
                variables=wanted,
                min_observed=min_observed,
                hidden=hidden.value,
                own_geography=own_geography.value,
                percent_of=percent_of,
            )
        else:
            census = open_store(store, vintage, quiet=quiet)
            given = read_areas(
                str(areas),
                census,
                reading,
                draft=draft,
            )
            listed = [one for one in given.units["level"].unique() if one in census.levels]
            tables = _read_tables(table, store, level, census.vintage, listed, from_file, rules)
            shapes = given.frame.geometry
            labels, drafted = given.labels, given.report.only("draft")
            show(say("cli.step_weight"), 0.0)
            found = weight_areas(
                census,
                given,
                tables,
                variables=wanted,
                min_observed=min_observed,
                placement=placement.value,
                hidden=hidden.value,
                controls=known,
                own_geography=own_geography.value,
                percent_of=percent_of,
            )
        show(say("cli.step_weight"), 1.0)
        written = write_estimates(
            found, out, names=labels, explain=_names(explain), csv=csv.value, replace=replace,
            shapes=shapes,
        )  # fmt: skip
    _print(found, tables, written, drafted, labels=labels, as_json=as_json, quiet=quiet)


def _names(given: str | None) -> list[str] | None:
    """Return names parted by commas."""
    if given is None:
        return None
    return [name.strip() for name in given.split(",") if name.strip()]


def _rules(given: Sequence[str] | None) -> dict[str, Variable]:
    """Return columns and what each is: a rule, and after a stroke the column it is over."""
    from lipgeo.errors import InputError
    from lipgeo.tables.variables import Variable

    parts = {text: text.partition("=") for text in given or ()}
    wrong = [text for text, (name, _, rule) in parts.items() if not name.strip() or not rule]
    if wrong:
        raise InputError("cli.bad_rule_of", given=wrong)
    found = {}
    for name, _, text in parts.values():
        rule, _, whole = (part.strip() for part in text.partition("/"))
        found[name.strip()] = Variable(name.strip(), rule, denominator=whole or None)  # type: ignore[arg-type]
    return found


def _members(given: Sequence[str] | None) -> dict[str, str]:
    """Return dimensions and the member of each that is wanted."""
    from lipgeo.errors import InputError

    pairs = [one.partition("=") for one in given or ()]
    wrong = ["".join(one) for one in pairs if not all(part.strip() for part in one)]
    if wrong:
        raise InputError("cli.bad_where", given=wrong)
    return {dimension.strip(): member.strip() for dimension, _, member in pairs}


class _Reading(NamedTuple):
    """How a table in a file is read."""

    id: str | None
    where: Mapping[str, str]
    sheet: str | None
    decimal: str | None


def _read_tables(
    paths: Sequence[Path],
    store: Path,
    level: str | None,
    vintage: int | None,
    listed: Sequence[str],
    reading: _Reading,
    rules: Mapping[str, Variable],
) -> list[AnyTable]:
    """Open the table of the store that is named, else read it from its file; at all its levels."""
    found = _open_stored_tables(paths, store, level, vintage, listed)
    found = found or _tables(paths, level, vintage, listed, reading)
    return [one.with_variables(rules) for one in found] if rules else found


def _open_stored_tables(
    paths: Sequence[Path],
    store: Path,
    level: str | None,
    vintage: int | None,
    listed: Sequence[str],
) -> list[AnyTable]:
    """Open the table of the store that is named, at its levels; nothing where a file is meant."""
    from lipgeo.errors import InputError
    from lipgeo.store.tables.opening import describe_tables, open_table

    if len(paths) > 1 or paths[0].is_file() or not store.is_dir():
        return []
    name = str(paths[0])
    known = held = describe_tables(store)
    held = held[held["name"].eq(name) & ((vintage is None) | held["vintage"].eq(vintage))]
    if held.empty:
        if len(known) and not is_there(paths[0]):
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
    reading: _Reading,
) -> list[AnyTable]:
    """Read the table, and its rows of the levels that areas list where it has them."""
    from lipgeo.errors import TableError
    from lipgeo.readers.statcan.profile import read_profile
    from lipgeo.readers.statcan.profile_files import is_profile
    from lipgeo.readers.tables import read_table

    if len(paths) == 1 and not is_profile(paths[0]):
        return [read_table(paths[0], level=level, vintage=vintage, **reading._asdict())]
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
    labels: pd.Series,
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
        from lipgeo.tables.wide import table_of_numbers

        print_numbers(table_of_numbers(found, labels), columns=_COLUMNS)
        print(say("cli.weighted", files=[str(path) for path in written]), flush=True)
        if not quiet:
            print_findings(report)
    raise typer.Exit(exit_status(report))
