"""Define the commands of a portal: make, take in, check, build, tell, take back."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lipgeo.cli import network
from lipgeo.cli import options as o
from lipgeo.cli.network import Audience, AudienceChoice, Folder
from lipgeo.cli.reporting import (
    exit_status,
    open_store,
    print_findings,
    print_frame,
    print_json,
    progress,
)
from lipgeo.words import Language, say

if TYPE_CHECKING:
    from lipgeo.census.census import Census
    from lipgeo.portal.portal import Portal

__all__ = ["app"]

app = o.new_group(say("cli.portal"))


class FactsLang(StrEnum):
    """Languages of Fast Facts."""

    EN = "en"
    FR = "fr"
    BOTH = "both"


Licence = Annotated[str | None, typer.Option("--licence", help=say("cli.opt_licence"))]
Store = Annotated[
    Path | None, typer.Option("--store", metavar="DIR", help=say("cli.opt_portal_store"))
]


def _census(store: Path | None, vintage: int | None) -> Census | None:
    return None if store is None else open_store(store, vintage)


@app.command(help=say("cli.help_portal_new"))
def new(
    folder: Folder,
    areas: Annotated[str, typer.Option("--areas", help=say("cli.opt_portal_areas"))] = "",
    lang: o.Lang = o.LangChoice.EN,
) -> None:
    from lipgeo.errors import OutputError
    from lipgeo.portal.book import BOOK
    from lipgeo.portal.portal import open_portal

    if (folder / BOOK).exists():
        raise OutputError("portal.exists", folder=folder)
    print(repr(open_portal(folder, create=True, areas=areas)))


@app.command(help=say("cli.help_portal_add"))
def add(
    folder: Folder,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help=say("cli.arg_portal_files"))
    ] = None,
    tables: o.Tables = None,
    store: Store = None,
    level: o.TableLevel = None,
    licence: Licence = None,
    lang: o.Lang = o.LangChoice.EN,
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.errors import InputError, OutputError
    from lipgeo.portal.book import OPEN_LICENCE
    from lipgeo.portal.portal import open_portal
    from lipgeo.portal.update import list_new_areas

    if not files and not tables:
        raise InputError("cli.nothing_to_add")
    by_census = o.files_by_census(tables or [])
    portal = open_portal(folder)
    known = _area_names(portal)
    waits = False
    for file in files or []:
        try:
            release = portal.add(file, licence=licence)
        except InputError as error:
            if error.key != "portal.mapping_written":
                raise
            # no fault: a legacy workbook waits for somebody to look and sign
            print(error)
            waits = True
            continue
        _say_taken(portal, file, release)
    for year, paths in by_census.items():
        census = None if store is None else open_store(store, year, quiet=quiet)
        releases = portal.add_profile(
            paths, census=census, level=level,
            licence=OPEN_LICENCE if licence is None else licence,
            defined_in=_definition_censuses(portal, store, year),
        )  # fmt: skip
        for release in releases:
            told = _told_by(portal, release)
            print(say("cli.portal_taken_table", year=str(year), release=release, **told))
        if left := _left_out(portal, releases):
            print(say("cli.portal_left_out", year=str(year), count=len(left), areas=left))
    if fresh := sorted(_area_names(portal.reopen()) - known):
        print(say("cli.portal_new_areas", count=len(fresh), areas=fresh))
        try:
            list_new_areas(portal.reopen())
        except OutputError as error:
            print(error)  # Excel holds the workbook: the areas are in their releases all the same
    raise typer.Exit(1 if waits else 0)


def _definition_censuses(portal: Portal, store: Path | None, year: int) -> list[Census]:
    """Open the other censuses of a store in which a portal's areas were listed."""
    if store is None:
        return []
    from lipgeo.store.layout import stored_vintages
    from lipgeo.store.read import open_census

    listed = set(portal.areas["vintage"]) - {"", str(year)}
    return [open_census(store, one) for one in stored_vintages(store) if str(one) in listed]


def _left_out(portal: Portal, releases: list[str]) -> list[str]:
    """Return the areas with a list of units of which none of some releases tells anything."""
    rows = [portal.store.rows(portal.store.named(one)) for one in releases]
    told = {place for own in rows for place in zip(own["area_id"], own["definition"], strict=True)}
    listed = portal.areas[portal.areas["units"].ne("")]
    return [
        f"{id}@{definition}"
        for id, definition in zip(listed["area_id"], listed["definition"], strict=True)
        if (id, definition) not in told
    ]


def _area_names(portal: Portal) -> set[str]:
    return {f"{one.area_id}@{one.definition}" for one in portal.areas.itertuples()}


def _told_by(portal: Portal, release: str) -> dict[str, Any]:
    """Return how many areas a release tells of, how many numbers, and where they are from."""
    rows = portal.store.rows(portal.store.named(release))
    rows = rows[rows["value"].notna() | rows["likely_lower"].notna()]
    areas = rows[["area_id", "definition"]].drop_duplicates()
    origins = [say(f"site.origin_{one}") for one in dict.fromkeys(rows["origin"])]
    return {"areas": len(areas), "numbers": len(rows), "origins": origins}


def _say_taken(portal: Portal, file: Path, release: str) -> None:
    """Say that a file is a release now, and where only members will see its numbers."""
    print(say("cli.portal_taken", file=file, release=release))
    if portal.store.rows(portal.store.named(release))["licence"].eq("").any():
        print(say("cli.portal_no_licence", release=release))


@app.command(help=say("cli.help_portal_receive"))
def receive(
    folder: Folder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("cli.arg_delivery"))],
    order: Annotated[Path, typer.Option("--order", metavar="DIR", help=say("cli.opt_order"))],
    table: Annotated[str | None, typer.Option("--table", help=say("cli.opt_table"))] = None,
    accept: Annotated[
        Path | None, typer.Option("--accept", metavar="FILE", help=say("cli.opt_accept"))
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("cli.opt_dry_run"))] = False,
    licence: Licence = None,
    lang: o.Lang = o.LangChoice.EN,
) -> None:
    from lipgeo.files import free_name
    from lipgeo.portal.portal import open_portal

    portal = open_portal(folder)
    receipt = portal.receive(
        file, order=order, table=table, accept=accept, dry_run=dry_run, licence=licence or ""
    )
    print_findings(receipt.report)
    if receipt.release is not None:
        _say_taken(portal, file, receipt.release)
    elif dry_run and receipt.waiting:
        print(say("cli.portal_trial_waits", file=file, findings=receipt.waiting))
    elif dry_run:
        print(say("cli.portal_trial", file=file, **receipt.counts))
    else:
        # what somebody signed so far stays
        signed = free_name(file.with_name(f"{file.stem}.findings.csv"))
        receipt.write(signed, replace=True)
        print(say("cli.portal_sign", path=signed))
    waits = receipt.release is None and not dry_run
    raise typer.Exit(1 if waits else exit_status(receipt.report))


@app.command(help=say("cli.help_portal_update"))
def update(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="SITE", help=say("cli.opt_portal_site"))
    ] = None,
    lang: o.Lang = o.LangChoice.EN,
) -> None:
    from lipgeo.portal.pages.site import build_site
    from lipgeo.portal.update import update_portal

    target = folder / "site" if out is None else out

    def make(portal: Portal) -> str:
        return say("cli.portal_built", path=build_site(portal, target, replace=True))

    done = update_portal(folder, build=make)
    print(*done.lines, sep="\n")
    raise typer.Exit(0 if done.ok else 1)


@app.command(help=say("cli.help_portal_check"))
def check(
    folder: Folder,
    audience: Audience = AudienceChoice.PUBLIC,
    store: Store = None,
    vintage: o.Vintage = None,
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.portal.portal import open_portal

    report = open_portal(folder).check(audience.value, census=_census(store, vintage))
    if as_json:
        print_json({"folder": folder, "findings": report.to_records()})
    else:
        print_findings(report)
        print(say("cli.checked", areas=folder, findings=len(report)))
    raise typer.Exit(exit_status(report))


@app.command(help=say("cli.help_portal_build"))
def build(
    folder: Folder,
    out: o.Out,
    audience: Audience = AudienceChoice.PUBLIC,
    replace: o.Replace = False,
    store: Store = None,
    vintage: o.Vintage = None,
    lang: o.Lang = o.LangChoice.EN,
) -> None:
    from lipgeo.portal.pages.site import build_site
    from lipgeo.portal.portal import open_portal

    census = _census(store, vintage)
    portal = open_portal(folder)
    path = build_site(portal, out, audience.value, census=census, replace=replace)
    print(say("cli.portal_built", path=path))


@app.command(help=say("cli.help_portal_facts"))
def facts(
    folder: Folder,
    areas: Annotated[
        list[str] | None, typer.Argument(metavar="AREA...", help=say("cli.arg_portal_area"))
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="PATH", help=say("cli.opt_facts_out"))
    ] = Path("facts"),
    audience: Audience = AudienceChoice.PUBLIC,
    replace: o.Replace = False,
    store: Store = None,
    vintage: o.Vintage = None,
    lang: Annotated[FactsLang, typer.Option("--lang", help=say("cli.opt_facts_lang"))] = (
        FactsLang.EN
    ),
    quiet: o.Quiet = False,
) -> None:
    from lipgeo.portal.pages.facts_of_areas import facts_files, write_facts_of_areas
    from lipgeo.portal.portal import open_portal

    portal = open_portal(folder)
    both: tuple[Language, ...] = ("en", "fr")
    langs = [one for one in both if lang.value in (one, "both")]
    wanted = facts_files(portal, areas or [], out, langs=langs, audience=audience.value)
    with progress(quiet) as show:
        written = write_facts_of_areas(
            portal, wanted, audience=audience.value, census=_census(store, vintage),
            replace=replace, progress=show,
        )  # fmt: skip
    for path in written:
        print(say("cli.portal_built", path=path))


@app.command(help=say("cli.help_portal_withdraw"))
def withdraw(
    folder: Folder,
    release: Annotated[str, typer.Argument(metavar="RELEASE", help=say("cli.arg_release"))],
    reason: Annotated[str, typer.Option("--reason", help=say("cli.opt_reason"))],
    lang: o.Lang = o.LangChoice.EN,
) -> None:
    from lipgeo.portal.portal import open_portal

    made = open_portal(folder).withdraw(release, reason=reason)
    print(say("cli.portal_withdrawn", release=release))
    if len(made):
        print_frame(made.rename(columns={"what": "name"}), say("cli.portal_made_with"))


@app.command(help=say("cli.help_portal_indicators"))
def indicators(
    word: Annotated[
        str | None, typer.Argument(metavar="WORD", help=say("cli.arg_indicator_word"))
    ] = None,
    propose: network.Propose = ("", Path()),
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help=say("cli.opt_propose_out"))
    ] = Path("dictionary"),
    lang: o.Lang = o.LangChoice.EN,
    as_json: o.Json = False,
) -> None:
    from lipgeo.portal.indicators.dictionary import indicators as listed

    if propose[0]:
        network.propose_census(*propose, out)
        return
    frame = listed(word)
    if "code" not in frame:
        frame = frame.reset_index()
    if as_json:
        print_json(frame.to_dict("records"))
    else:
        print_frame(frame[["code", "topic", f"name_{lang.value}"]])


app.command(help=say("cli.help_portal_changes"))(network.changes)
app.command(help=say("cli.help_portal_wishlist"))(network.wishlist)
