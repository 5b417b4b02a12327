"""Define the options that commands share, each once.

The help texts are sentences of the catalogue, read when this module is first imported:
:func:`lipgeo.cli.main` sets the language before that.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from lipgeo.cli.groups import WholeSummaries
from lipgeo.words import catalogue, say

__all__ = [
    "AREAS",
    "NOT_GIVEN",
    "READING",
    "BuildDir",
    "By",
    "Contact",
    "Contiguous",
    "ControlWeight",
    "Controls",
    "ControlsColumn",
    "Csv",
    "CsvStyleChoice",
    "Draft",
    "Exclusive",
    "Floor",
    "Gap",
    "Json",
    "Keep",
    "Lang",
    "MaxUnits",
    "MinShare",
    "Name",
    "OrderTables",
    "Out",
    "Province",
    "Quiet",
    "Reading",
    "Replace",
    "ReplaceTable",
    "Rule",
    "RuleChoice",
    "Since",
    "Store",
    "TableLevel",
    "TableName",
    "Tables",
    "Template",
    "TimeLimit",
    "To",
    "Variables",
    "Vintage",
    "WeightChoice",
    "Yes",
    "files_by_census",
    "is_there",
    "new_group",
    "with_options_of",
    "with_reading_options",
]

DEFAULT_STORE = Path("lipgeo-store")


class CsvStyleChoice(StrEnum):
    """How CSV files for people are written."""

    EN = "en"
    FR = "fr"


class LangChoice(StrEnum):
    """Languages of the messages."""

    EN = "en"
    FR = "fr"


class RuleChoice(StrEnum):
    """Rules by which units are chosen: those that have a sentence.

    The sentences and not ``boundary.rules.RULES`` name them here, so that help loads no fitting
    code; a test holds the two equal.
    """

    _ignore_ = "members key"
    members = vars()
    for key in catalogue():
        if key.startswith("boundary.rule_"):
            members[key.removeprefix("boundary.rule_").upper()] = key.removeprefix("boundary.rule_")


DEFAULT_RULE = RuleChoice("majority")


class WeightChoice(StrEnum):
    """What shares are made of."""

    POPULATION = "population"
    DWELLINGS = "dwellings"
    HOUSEHOLDS = "households"
    AREA = "area"


class PlacementChoice(StrEnum):
    """How people of cut units are placed."""

    AUTO = "auto"
    DENSITY = "density"
    SURFACE = "surface"
    POINT = "point"


AREAS = Annotated[str, typer.Argument(metavar="AREAS", help=say("cli.arg_areas"))]
Store = Annotated[
    Path,
    typer.Option("--store", metavar="DIR", envvar="LIPGEO_STORE", help=say("cli.opt_store")),
]


def is_there(path: str | Path) -> bool:
    """Whether something is at a path; a name too long, or a folder one may not enter, is not."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _require_vintage(given: int | None) -> int | None:
    """Refuse a year that is no census lipgeo knows before anything is looked for."""
    if given is not None:
        from lipgeo.geography.hierarchy import require_vintage

        require_vintage(given)
    return given


Vintage = Annotated[
    int | None,
    typer.Option("--vintage", help=say("cli.opt_vintage"), callback=_require_vintage),
]
Lang = Annotated[LangChoice, typer.Option("--lang", envvar="LIPGEO_LANG", help=say("cli.opt_lang"))]


def new_group(help: str) -> typer.Typer:
    """Return a group of commands that takes ``--lang`` itself: its help is in the language too."""
    app = typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None, cls=WholeSummaries)

    @app.callback()
    def take(lang: Lang = LangChoice.EN) -> None:  # read before any sentence is made
        pass

    return app


Csv = Annotated[CsvStyleChoice, typer.Option("--csv", help=say("cli.opt_csv"))]
Json = Annotated[bool, typer.Option("--json", help=say("cli.opt_json"))]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help=say("cli.opt_quiet"))]
Replace = Annotated[bool, typer.Option("--replace", help=say("cli.opt_replace"))]
Out = Annotated[Path, typer.Option("--out", metavar="PATH", help=say("cli.opt_out"))]
#: how a file of AREAS is read: keyword of :func:`lipgeo.read_service_areas` to its option; a
#: command takes them all with :func:`with_reading_options` and names none
READING: Mapping[str, Any] = {
    "id": Annotated[str | None, typer.Option("--id", help=say("cli.opt_id"))],
    "name_en": Annotated[str | None, typer.Option("--name-en", help=say("cli.opt_name_en"))],
    "name_fr": Annotated[str | None, typer.Option("--name-fr", help=say("cli.opt_name_fr"))],
    "crs": Annotated[str | None, typer.Option("--crs", help=say("cli.opt_crs"))],
    "layer": Annotated[str | None, typer.Option("--layer", help=say("cli.opt_layer"))],
    "encoding": Annotated[str | None, typer.Option("--encoding", help=say("cli.opt_encoding"))],
    "as_one": Annotated[
        str | None, typer.Option("--as-one", metavar="ID", help=say("cli.opt_as_one"))
    ],
    "as_one_name_en": Annotated[
        str | None,
        typer.Option("--as-one-name-en", metavar="TEXT", help=say("cli.opt_as_one_name_en")),
    ],
    "as_one_name_fr": Annotated[
        str | None,
        typer.Option("--as-one-name-fr", metavar="TEXT", help=say("cli.opt_as_one_name_fr")),
    ],
    "group_by": Annotated[
        str | None, typer.Option("--group-by", metavar="COLUMN", help=say("cli.opt_group_by"))
    ],
}
#: the reading options as given, by keyword
Reading = Mapping[str, Any]
NOT_GIVEN: Reading = MappingProxyType(dict.fromkeys(READING))
Draft = Annotated[bool, typer.Option("--draft", help=say("cli.opt_draft"))]
Unit = Annotated[str, typer.Option("--unit", help=say("cli.opt_unit"))]
Rule = Annotated[RuleChoice, typer.Option("--rule", help=say("cli.opt_rule"))]
Controls = Annotated[
    Path | None, typer.Option("--controls", metavar="FILE", help=say("cli.opt_controls"))
]
ControlsColumn = Annotated[
    str | None, typer.Option("--controls-column", help=say("cli.opt_controls_column"))
]
ControlWeight = Annotated[
    float, typer.Option("--control-weight", help=say("cli.opt_control_weight"))
]
MinShare = Annotated[float, typer.Option("--min-share", help=say("cli.opt_min_share"))]
MaxUnits = Annotated[int | None, typer.Option("--max-units", help=say("cli.opt_max_units"))]
Floor = Annotated[float | None, typer.Option("--floor", help=say("cli.opt_floor"))]
Contiguous = Annotated[bool, typer.Option("--contiguous", help=say("cli.opt_contiguous"))]
TimeLimit = Annotated[float | None, typer.Option("--time-limit", help=say("cli.opt_time_limit"))]
Gap = Annotated[float, typer.Option("--gap", help=say("cli.opt_gap"))]
By = Annotated[WeightChoice, typer.Option("--by", help=say("cli.opt_by"))]
Placement = Annotated[PlacementChoice, typer.Option("--placement", help=say("cli.opt_placement"))]

Name = Annotated[str, typer.Argument(metavar="NAME", help=say("cli.arg_name"))]
Province = Annotated[str | None, typer.Option("--province", help=say("cli.opt_province"))]
Exclusive = Annotated[bool, typer.Option("--exclusive", help=say("cli.opt_exclusive"))]
BuildDir = Annotated[Path, typer.Argument(metavar="BUILD_DIR", help=say("cli.arg_build"))]
Since = Annotated[Path | None, typer.Option("--since", metavar="OLD", help=say("cli.opt_since"))]
Template = Annotated[
    Path | None, typer.Option("--template", metavar="FILE", help=say("cli.opt_template"))
]
OrderTables = Annotated[
    Path | None, typer.Option("--tables", metavar="FILE", help=say("cli.opt_tables"))
]
Contact = Annotated[str | None, typer.Option("--contact", help=say("cli.opt_contact"))]
Keep = Annotated[str | None, typer.Option("--keep", metavar="AREA,...", help=say("cli.opt_keep"))]
Variables = Annotated[
    str | None, typer.Option("--variables", metavar="NAME,...", help=say("cli.opt_variables"))
]
TableLevel = Annotated[str | None, typer.Option("--level", help=say("cli.opt_table_level"))]
TableName = Annotated[str | None, typer.Option("--name", help=say("store.opt_name"))]
ReplaceTable = Annotated[bool, typer.Option("--replace", help=say("store.opt_replace"))]
To = Annotated[Path, typer.Option("--to", metavar="DIR", help=say("cli.opt_to"))]
Yes = Annotated[bool, typer.Option("--yes", "-y", help=say("cli.opt_yes"))]


Tables = Annotated[
    list[str] | None,
    typer.Option("--table", metavar="YEAR=FILE", help=say("tables.opt_table")),
]


def files_by_census(tables: Sequence[str]) -> dict[int, list[Path]]:
    """Return the files of each census, of the texts given with ``--table``.

    Raises
    ------
    InputError
        Some are not YEAR=FILE, or a year is no census's; all of them at once.
    """
    from lipgeo.errors import InputError
    from lipgeo.geography.hierarchy import require_vintage

    files: dict[int, list[Path]] = {}
    wrong = []
    for text in tables:
        year, mark, path = text.partition("=")
        if not mark or not year.strip().isdigit() or not path.strip():
            wrong.append(text)
            continue
        files.setdefault(require_vintage(int(year)), []).append(Path(path.strip()))
    if wrong:
        raise InputError("tables.bad_table", given=wrong)
    return files


def with_options_of(
    source: Callable[..., Any], name: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a function where its parameter ``name`` stands.

    Typer makes options of a signature: it sees one with the parameters of ``source`` in the place
    of ``name``; the command gets what ``source`` makes of them. A parameter that both have is the
    command's, and both are given it.
    """
    shared = inspect.signature(source, eval_str=True).parameters

    def change(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [parameter for parameter in signature.parameters if parameter != name]
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.name == name:
                parameters += [one for one in shared.values() if one.name not in own]
            else:
                parameters.append(parameter)

        @functools.wraps(command)
        def run(**given: Any) -> None:
            made = source(**{one: given[one] for one in shared})
            command(**{one: given[one] for one in own}, **{name: made})

        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return change


def with_reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of :data:`READING` where its parameter ``reading`` stands."""

    def reading(**given: Any) -> Reading:
        return given

    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    reading.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, either, annotation=option, default=None)
            for name, option in READING.items()
        ]
    )
    return with_options_of(reading, "reading")(command)
