"""The options that commands share, each said once.

The help texts are sentences of the catalogue, read when this module is first imported:
:func:`lipgeo.cli.main` sets the language before that.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lipgeo.words import catalogue, say

__all__ = [
    "AREAS",
    "AsOne",
    "By",
    "Contiguous",
    "ControlWeight",
    "Controls",
    "ControlsColumn",
    "Crs",
    "Csv",
    "CsvStyleChoice",
    "Draft",
    "Encoding",
    "Floor",
    "Gap",
    "GroupBy",
    "IdColumn",
    "Json",
    "Lang",
    "Layer",
    "MaxUnits",
    "MinShare",
    "NameEn",
    "NameFr",
    "Out",
    "Quiet",
    "Rule",
    "RuleChoice",
    "Store",
    "TimeLimit",
    "Vintage",
    "WeightChoice",
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

    _ignore_ = ("members", "key")
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


AREAS = Annotated[str, typer.Argument(metavar="AREAS", help=say("cli.arg_areas"))]
Store = Annotated[
    Path,
    typer.Option("--store", metavar="DIR", envvar="LIPGEO_STORE", help=say("cli.opt_store")),
]
Vintage = Annotated[int | None, typer.Option("--vintage", help=say("cli.opt_vintage"))]
Lang = Annotated[LangChoice, typer.Option("--lang", envvar="LIPGEO_LANG", help=say("cli.opt_lang"))]
Csv = Annotated[CsvStyleChoice, typer.Option("--csv", help=say("cli.opt_csv"))]
Json = Annotated[bool, typer.Option("--json", help=say("cli.opt_json"))]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help=say("cli.opt_quiet"))]
Out = Annotated[Path, typer.Option("--out", metavar="PATH", help=say("cli.opt_out"))]
IdColumn = Annotated[str | None, typer.Option("--id", help=say("cli.opt_id"))]
NameEn = Annotated[str | None, typer.Option("--name-en", help=say("cli.opt_name_en"))]
NameFr = Annotated[str | None, typer.Option("--name-fr", help=say("cli.opt_name_fr"))]
Crs = Annotated[str | None, typer.Option("--crs", help=say("cli.opt_crs"))]
Layer = Annotated[str | None, typer.Option("--layer", help=say("cli.opt_layer"))]
Encoding = Annotated[str | None, typer.Option("--encoding", help=say("cli.opt_encoding"))]
AsOne = Annotated[str | None, typer.Option("--as-one", metavar="ID", help=say("cli.opt_as_one"))]
GroupBy = Annotated[
    str | None, typer.Option("--group-by", metavar="COLUMN", help=say("cli.opt_group_by"))
]
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
