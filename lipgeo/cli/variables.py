"""Define ``lipgeo variables``: search the dictionary of variables."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lipgeo.cli import options as o
from lipgeo.cli.reporting import print_frame, print_json
from lipgeo.words import say

__all__ = ["variables"]


def variables(
    word: Annotated[
        list[str] | None, typer.Argument(metavar="[WORD]...", help=say("cli.arg_variable_word"))
    ] = None,
    vintage: o.Vintage = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    import pandas as pd

    from lipgeo.tables.variables import search_variables

    asked = " ".join(word or ())
    found = search_variables(asked, vintage)
    rows = [
        {
            "variable": one.name,
            "label": one.label,
            "rule": one.rule,
            "denominator": one.denominator or "",
        }
        for one in found
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_frame(pd.DataFrame(rows))
        print(say("cli.variables_found", count=len(rows)))
    else:
        print(say("cli.variables_nothing", word=asked), file=sys.stderr)
    if not rows:
        raise typer.Exit(1)
