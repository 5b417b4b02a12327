"""``lipgeo compare``: areas followed through censuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipgeo.cli import options as o
from lipgeo.cli.areas import read_areas
from lipgeo.cli.reporting import exit_status, print_findings, print_frame, print_json, progress
from lipgeo.words import say

if TYPE_CHECKING:
    from lipgeo.census import Census
    from lipgeo.tables import CensusTable

__all__ = ["compare"]


def compare(
    areas: o.AREAS,
    tables: Annotated[
        list[str] | None,
        typer.Option("--table", metavar="YEAR=FILE", help=say("comparison.opt_table")),
    ] = None,
    years: Annotated[
        str | None,
        typer.Option("--years", metavar="YEAR,YEAR,...", help=say("comparison.opt_years")),
    ] = None,
    correspondence: Annotated[
        list[Path] | None,
        typer.Option("--correspondence", metavar="FILE", help=say("comparison.opt_links")),
    ] = None,
    variables: Annotated[
        str | None, typer.Option("--variables", metavar="NAME,...", help=say("cli.opt_variables"))
    ] = None,
    level: Annotated[str | None, typer.Option("--level", help=say("cli.opt_table_level"))] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help=say("comparison.opt_out"))
    ] = None,
    store: o.Store = o.DEFAULT_STORE,
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
    from lipgeo.atomic import file_in_one_step
    from lipgeo.comparison import compare as compared
    from lipgeo.errors import OutputError
    from lipgeo.readers import read_correspondence
    from lipgeo.spreadsheets import write_csv

    if out is not None and out.exists():
        raise OutputError("cli.out_exists", path=out)
    files = _files(tables or [], years)
    with progress(quiet or as_json) as show:
        show(say("cli.step_read"), 0.0)
        newest = max(files)
        opened = {year: _opened(store, year, needed=year == newest) for year in files}
        census = opened[newest]
        given = read_areas(
            areas,
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
        listed = list(given.units["level"].unique())
        legs = {
            year: (opened[year], _tables(paths, year, level, listed))
            for year, paths in files.items()
        }
        links = [read_correspondence(path) for path in correspondence or ()]
        show(say("cli.step_weight"), 0.0)
        names = None if variables is None else [one.strip() for one in variables.split(",")]
        found = compared(given, legs, names, correspondences=links)
        show(say("cli.step_weight"), 1.0)
        if out is not None:
            with file_in_one_step(out) as temporary:
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
        if not quiet:
            print_findings(found.report)
        columns = ["area_id", "variable", "year", "baseline", "current", "change", "margin"]
        print_frame(found.frame[[*columns, "exceeds", "status", "flags"]])
        print(repr(found).strip("<>"))
        if out is not None:
            print(say("cli.weighted", files=[str(out)]))
    raise typer.Exit(exit_status(found.report))


def _files(tables: Sequence[str], years: str | None) -> dict[int, list[Path]]:
    """Return the files of each census asked for."""
    from lipgeo.errors import InputError
    from lipgeo.geography import require_vintage

    files: dict[int, list[Path]] = {}
    wrong = []
    for text in tables:
        year, mark, path = text.partition("=")
        if not mark or not year.strip().isdigit() or not path.strip():
            wrong.append(text)
            continue
        files.setdefault(require_vintage(int(year)), []).append(Path(path.strip()))
    if wrong:
        raise InputError("comparison.bad_table", given=wrong)
    if years is None:
        if not files:
            raise InputError("comparison.two_years", years="0")
        return files
    asked = [one.strip() for one in years.split(",") if one.strip()]
    strange = [one for one in asked if not one.isdigit()]
    if strange:
        raise InputError("comparison.bad_years", given=strange)
    # a year without a table is not comparable, and said so
    return {require_vintage(int(one)): files.get(int(one), []) for one in asked}


def _opened(store: Path, year: int, *, needed: bool) -> Census | None:
    """Open a census; an earlier one need not be there."""
    from lipgeo.errors import LipgeoError
    from lipgeo.store import open_census

    if needed:
        return open_census(store, year)
    try:
        return open_census(store, year)
    except LipgeoError:  # followed by the correspondence alone
        return None


def _tables(
    paths: Sequence[Path], year: int, level: str | None, listed: Sequence[str]
) -> list[CensusTable]:
    """Read a census's table, and its rows of the levels that areas list where it has them."""
    from lipgeo.errors import TableError
    from lipgeo.readers import read_profile, read_table
    from lipgeo.readers.profile import is_profile

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
