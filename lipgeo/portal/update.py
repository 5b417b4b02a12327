"""``update_portal``: the everyday one. What lies in ``incoming/`` is taken in, checked and told.

The sheets *local* and *survey* of the workbook are taken in when they changed. What was taken in
moves to ``taken/``; what waits for somebody stays where it is, with a file that says for what.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.errors import InputError, LipgeoError, OrderError, OutputError
from lipgeo.files import MANIFEST, free_name, output_error, sha256_of
from lipgeo.order.manifest import read_order
from lipgeo.portal.book import BOOK, add_areas
from lipgeo.portal.portal import INCOMING, TAKEN, Portal, open_portal
from lipgeo.portal.sources.intake import Intake
from lipgeo.portal.sources.legacy import mapping_path
from lipgeo.portal.sources.local import from_local, from_survey
from lipgeo.portal.sources.matching import match_labels
from lipgeo.portal.sources.receiving import Receipt
from lipgeo.portal.sources.recognising import kind_of
from lipgeo.readers.deliveries import read_delivery
from lipgeo.readers.sheets import read_sheet
from lipgeo.report import CheckReport
from lipgeo.words import say
from lipgeo.workplace import clear_litter

__all__ = ["Update", "list_new_areas", "update_portal"]

#: lines that are read
_LINES = 10
_FINDINGS = ".findings.csv"
_SHEETS = ("local", "survey")


@dataclass
class Update:
    """What an update did.

    Attributes
    ----------
    lines
        What changed and what to do next, at most ten sentences.
    releases
        Releases made.
    waiting
        Files of ``incoming/`` that wait for somebody, and why.
    report
        What the check of the public side found.
    unbuilt
        Why no site was built; empty where one was, or none was asked for.
    """

    lines: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    report: CheckReport = field(default_factory=CheckReport)
    unbuilt: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing waits, a site was built and the check found nothing to be seen."""
        return not self.waiting and not self.unbuilt and self.report.ok

    def __repr__(self) -> str:
        return "\n".join(self.lines)


def update_portal(
    folder: str | Path | Portal, *, build: Callable[[Portal], str] | None = None
) -> Update:
    """Take in what lies in ``incoming/``, check, build, and say what changed and what to do.

    Parameters
    ----------
    folder
        The portal.
    build
        Called once all is taken in; returns a sentence on what was built.

    Returns
    -------
    Update
        ``lines`` has at most ten sentences. A file that cannot be taken in is told and left where
        it is; the others are taken in all the same.

    Raises
    ------
    StoreError
        There is no portal, or another process writes to it.
    """
    portal = folder if isinstance(folder, Portal) else open_portal(folder)
    for place in (portal.folder, portal.store.folder):
        clear_litter(place)
    done = Update()
    before = len(portal.areas)
    for name in _SHEETS:
        _take_sheet(portal, name, done)
    for path in sorted((portal.folder / INCOMING).glob("*")):
        if path.is_file() and not _aside(path):
            try:
                _take_file(portal, path, done)
            except LipgeoError as error:
                done.waiting[path.name] = str(error)
    portal = portal.reopen()
    done.report = portal.check("public")
    try:
        built = build(portal) if build is not None else ""
    except OutputError as error:
        # what was taken in is told all the same
        built = done.unbuilt = str(error)
    done.lines = _told(portal, done, new_areas=len(portal.areas) - before, built=built)
    return done


def _aside(path: Path) -> bool:
    """Say whether a file goes with another: a mapping, findings, Excel's own lock."""
    name = path.name.casefold()
    return name.startswith((".", "~$")) or name.endswith((".mapping.xlsx", _FINDINGS))


# ---------------------------------------------------------------------- the workbook's own sheets


def _take_sheet(portal: Portal, name: str, done: Update) -> None:
    frame = portal.book[name]
    text = frame.to_csv(index=False)
    mark = hashlib.sha256(text.encode("utf-8")).hexdigest()
    product = f"sheet-{name}"
    held = [one for one in portal.store.releases if one.record.get("product") == product]
    if (frame.empty and not held) or (held and held[-1].record.get("sheet_sha256") == mark):
        return
    reader = from_local if name == "local" else from_survey
    try:
        with portal.store.locked():
            taken = reader(frame, portal.known(), f"{BOOK}, {name}")
            whole = Intake(
                rows=taken.rows,
                kind="reported",
                sources=[{"file": BOOK, "sha256": mark}],
                areas=taken.areas,
                indicators=taken.indicators,
                report=taken.report,
                # a row that was taken out of the sheet is not told any more
                extra={"product": product, "restates": True, "sheet_sha256": mark},
            )
            id = portal.free_id(name)
            done.releases.append(portal.write_release(whole, id, licence=""))
    except InputError as error:
        done.waiting[f"{BOOK}, {name}"] = str(error)


# ---------------------------------------------------------------------- files


def _take_file(portal: Portal, path: Path, done: Update) -> None:
    mark = sha256_of(path)
    known = {
        source["sha256"]: one.id
        for one in portal.store.releases
        for source in one.record["sources"]
    }
    if mark in known:
        # taken in before, or a crash came between the release and the move
        _move(portal, path, known[mark])
        return
    row = _ordered(portal, path)
    if row is not None or _is_delivery(portal, path):
        _take_delivery(portal, path, row, done)
        return
    release = portal.add(path)
    done.releases.append(release)
    _move(portal, path, release)
    if mapping_path(path).is_file():
        _move(portal, mapping_path(path), release)


def _ordered(portal: Portal, path: Path) -> pd.Series | None:
    """Return the row of the sheet *orders* that speaks of a file."""
    for _, row in portal.book["orders"].iterrows():
        if fnmatch.fnmatch(path.name.casefold(), str(row["file"]).casefold()):
            return row
    return None


def _is_delivery(portal: Portal, path: Path) -> bool:
    """Say whether a file is a delivery and nothing that a portal takes in by itself."""
    try:
        # tables of tax years come for all partnerships at once, or for an order
        if kind_of(path) == "imdb":
            return bool(_fitting(portal, path))
    except LipgeoError:
        try:
            read_delivery(path)
        except LipgeoError:
            return False
        return True
    return False


def _lay_out(receipt: Receipt, path: Path) -> Path | None:
    """Write findings to sign; where somebody began to in a file that lacks some, keep it beside."""
    kept = free_name(path)
    if kept == path:
        receipt.write(path, replace=True)
        return None
    there = read_sheet(path).frame.rename(columns=str.casefold).reindex(columns=["id"])["id"]
    if receipt.findings["id"].isin(there).all():
        return None  # what is to be signed stands in it, half signed as it is
    path.rename(kept)
    receipt.write(path)
    return kept


def _take_delivery(portal: Portal, path: Path, row: pd.Series | None, done: Update) -> None:
    order = _order_of(portal, path, row)
    signed = path.with_name(path.stem + _FINDINGS)
    given: dict[str, Any] = {}
    if row is not None:
        given = {"table": row["table"] or None, "licence": row["licence"]}
        if row["mapping"]:
            given["mapping"] = _within(portal, row["mapping"])
    accept = signed if signed.is_file() else None
    receipt = portal.receive(path, order=order, accept=accept, **given)
    if receipt.release is None:
        told = say("portal.update_sign", count=receipt.waiting, file=signed.name)
        kept = _lay_out(receipt, signed)
        if kept is not None:
            told = f"{told}. {say('portal.update_kept', file=signed.name, kept=kept.name)}"
        done.waiting[path.name] = told
        return
    done.releases.append(receipt.release)
    _move(portal, path, receipt.release)
    if signed.is_file():
        _move(portal, signed, receipt.release)


def _within(portal: Portal, name: str) -> Path:
    """Return a path of the workbook: as it stands, else inside the portal."""
    path = Path(name)
    return path if path.is_absolute() else portal.folder / path


def _order_of(portal: Portal, path: Path, row: pd.Series | None) -> Path:
    """Return the order a delivery answers: the workbook's word, else the one whose areas fit."""
    if row is not None and row["order"]:
        return _within(portal, row["order"])
    fitting = _fitting(portal, path)
    if len(fitting) != 1:
        raise InputError(
            "portal.which_order", name=path.name, orders=[place.name for place in fitting]
        )
    return fitting[0]


def _fitting(portal: Portal, path: Path) -> list[Path]:
    """Return the orders in the portal's folder whose areas a delivery has, all and no other."""
    fitting = []
    labels = read_delivery(path).labels
    for place in sorted((portal.folder / "orders").glob("*")):
        if not (place / MANIFEST).is_file():
            continue
        try:
            areas = read_order(place).manifest["areas"]
        except OrderError:
            continue
        matched = match_labels(labels, areas)
        if {str(area["area_id"]) for area in areas} == set(matched["area_id"]) - {""}:
            fitting.append(place)
    return fitting


def _move(portal: Portal, path: Path, release: str) -> None:
    target = portal.folder / TAKEN / release / path.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    except OSError as error:
        raise output_error(target, error) from error


# ---------------------------------------------------------------------- telling it


def _told(portal: Portal, done: Update, *, new_areas: int, built: str) -> list[str]:
    lines = [
        say("portal.update_done", releases=len(done.releases), names=done.releases)
        if done.releases
        else say("portal.update_nothing")
    ]
    if new_areas:
        lines.append(say("portal.update_areas", count=new_areas))
        try:
            list_new_areas(portal)
        except OutputError as error:
            # Excel holds the workbook: the areas are in their releases all the same
            lines.append(str(error))
    lines += [say("portal.update_waits", file=name, why=why) for name, why in done.waiting.items()]
    kept = done.report.only(severity="warning")
    if len(kept):
        lines.append(say("portal.update_findings", count=len(kept), first=kept.findings[0].message))
    no = done.report.only(check="licence_no")
    if len(no):
        names = [found.subject for found in no]
        lines.append(say("portal.update_licence", licences=names))
    if built:
        lines.append(built)
    if len(lines) > _LINES:
        rest = len(lines) - _LINES + 1
        lines = [*lines[: _LINES - 1], say("portal.update_more", count=rest)]
    return lines


def list_new_areas(portal: Portal) -> None:
    """Write areas that releases brought into the workbook, so that somebody can name them.

    Raises
    ------
    OutputError
        The workbook cannot be written: it is open in another program.
    """
    listed = portal.book["areas"][["area_id", "definition"]]
    known = set(zip(listed["area_id"], listed["definition"], strict=True))
    areas = portal.areas
    fresh = [
        (id, definition) not in known
        for id, definition in zip(areas["area_id"], areas["definition"], strict=True)
    ]
    if any(fresh):
        add_areas(portal.folder / BOOK, areas[fresh])
