"""Define the commands of a portal that serve the whole network: what moved, what to order next."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lipgeo.cli import options as o
from lipgeo.cli.reporting import print_frame, print_json
from lipgeo.words import say

if TYPE_CHECKING:
    import pandas as pd

    from lipgeo.portal.indicators.dictionary import Dictionary

__all__ = [
    "Audience",
    "AudienceChoice",
    "Folder",
    "Propose",
    "changes",
    "propose_census",
    "wishlist",
]


class AudienceChoice(StrEnum):
    """Who reads it."""

    PUBLIC = "public"
    MEMBERS = "members"


Folder = Annotated[Path, typer.Argument(metavar="DIR", help=say("cli.arg_portal"))]
Audience = Annotated[AudienceChoice, typer.Option("--audience", help=say("cli.opt_audience"))]
Propose = Annotated[
    tuple[str, Path],
    typer.Option("--propose", metavar="CENSUS META.txt", help=say("cli.opt_propose")),
]


def changes(
    folder: Folder,
    old: Annotated[str | None, typer.Argument(metavar="OLD", help=say("cli.arg_release_old"))] = (
        None
    ),
    new: Annotated[str | None, typer.Argument(metavar="NEW", help=say("cli.arg_release_new"))] = (
        None
    ),
    audience: Audience = AudienceChoice.PUBLIC,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.portal.changes import last_two, page_changes
    from lipgeo.portal.portal import open_portal

    portal = open_portal(folder)
    if old is None or new is None:
        before, newest = last_two(portal)
        old, new = (before, newest) if old is None else (old, newest)
    moved = page_changes(portal, old, new, audience=audience.value)
    if as_json:
        print_json(moved.to_dict("records"))
        return
    areas = moved[["area_id", "definition"]].drop_duplicates()
    print(say("cli.portal_moved", old=old, new=new, count=len(moved), areas=len(areas)))
    if len(moved):
        print_frame(_lines(moved, portal.dictionary))


def _lines(moved: pd.DataFrame, known: Dictionary) -> pd.DataFrame:
    """Return what moved as a table for a person: new numbers counted, the others one by one."""
    import pandas as pd

    from lipgeo.portal.pages.blocks import subject_text
    from lipgeo.portal.pages.changes_page import side_text

    rows = []
    fresh = moved["change"].eq("added")
    for (area, definition, why), own in moved[fresh].groupby(
        ["area_id", "definition", "why"], sort=True
    ):
        told = say("dashboard.numbers_added", count=len(own))
        rows.append((f"{area}@{definition}", told, "", "", "", why))
    for row in moved[~fresh].to_dict("records"):
        name = subject_text(row, known.name(str(row["indicator"])))
        ends = (side_text(row, end, known) for end in ("old", "new"))
        area = f"{row['area_id']}@{row['definition']}"
        rows.append((area, name, row["period"], *ends, row["why"]))
    heads = [
        *(say(f"site.head_{one}") for one in ("place", "indicator", "period")),
        *(say(f"dashboard.head_{one}") for one in ("before", "now", "why")),
    ]
    return pd.DataFrame(rows, columns=heads)


def wishlist(
    folder: Folder,
    out: o.Out,
    replace: o.Replace = False,
    lang: o.Lang = o.LangChoice.EN,
) -> None:
    from lipgeo.portal.portal import open_portal
    from lipgeo.portal.wishlist import make_wishlist, require_free_wishlist

    require_free_wishlist(out, replace=replace)
    made = make_wishlist(open_portal(folder))
    shown = made.tables[["table", "title", "priority", "wanted_by", "places", "suppressed"]]
    heads = {name: say(f"dashboard.head_{name}") for name in shown.columns}
    if len(shown):
        print_frame(shown.rename(columns=heads))
    for path in made.write(out, replace=replace):
        print(say("cli.portal_built", path=path))


def propose_census(census: str, members: Path, folder: Path) -> None:
    """Write the rows of a census that were found by their words, and list those that were not."""
    from lipgeo.errors import InputError
    from lipgeo.portal.indicators.dictionary import shipped_dictionary
    from lipgeo.portal.indicators.proposing import propose_rows
    from lipgeo.readers.statcan.members import read_members

    if not (census.isdigit() and len(census) == 4):
        raise InputError("portal.bad_census", given=census)
    made = propose_rows(shipped_dictionary(), read_members(members), int(census))
    found = int(made.rows["numerator"].ne("").sum())
    print(say("cli.portal_proposed", found=found, of=len(made.rows), census=census))
    if len(made.unsure):
        shown = made.unsure[["code", "part", "words", "nearest"]]
        print_frame(shown, say("cli.portal_unsure"))
    for path in made.write(folder, int(census)):
        print(say("cli.portal_built", path=path))
