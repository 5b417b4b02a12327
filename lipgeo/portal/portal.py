"""``Portal``: a folder of releases, and everything it is asked: numbers, history, checks.

``open_portal``: open one, or make it.
"""

from __future__ import annotations

import datetime
import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from lipgeo.census.census import Census
from lipgeo.errors import InputError, StoreError, require_kind, require_path
from lipgeo.files import folder_in_one_step
from lipgeo.portal.areas import (
    AREA_COLUMNS,
    REALISATION_COLUMNS,
    UNIT_COLUMNS,
    join_between,
    misfit_reason,
    registry_areas,
    resolve_area,
    worse,
)
from lipgeo.portal.book import BOOK, OPEN_LICENCE, PortalBook, read_book, write_book
from lipgeo.portal.gate import check_portal, gate
from lipgeo.portal.indicators.dictionary import Dictionary, read_census_rows, shipped_dictionary
from lipgeo.portal.observations import (
    KEY,
    check_observations,
    current,
    described,
    shown,
)
from lipgeo.portal.releases import Release, ReleaseStore
from lipgeo.portal.sources.intake import (
    Intake,
    Known,
    from_comparison,
    from_estimates,
    from_table,
)
from lipgeo.portal.sources.local import from_frame
from lipgeo.portal.sources.receiving import Receipt, receive
from lipgeo.report import Card, CheckReport, Shown, heads
from lipgeo.tables.census_table import CensusTable
from lipgeo.tables.comparison import Comparison
from lipgeo.tables.estimates import Estimates
from lipgeo.words import LANGUAGES, say, speaking
from lipgeo.workplace import clear_litter

__all__ = ["AUDIENCES", "INCOMING", "Audience", "Portal", "open_portal"]

Audience = Literal["public", "members"]
AUDIENCES: tuple[Audience, ...] = ("public", "members")
INCOMING = "incoming"
#: where files go once they are taken in, a folder a release
TAKEN = "taken"
RELEASES = "releases"
#: rows of a new census: tables that are read beside those lipgeo has
DICTIONARY = "dictionary"
_HISTORY = (
    *("release", "date", "value", "symbol", "origin", "period", "category", "group", "gender"),
    *("sample", "dollars", "source", "status", "why"),
)


def open_portal(
    path: str | Path, create: bool = False, *, areas: str | Iterable[str] = ()
) -> Portal:
    """Open a portal, or make one.

    Parameters
    ----------
    path
        Its folder.
    create
        Make it where there is none.
    areas
        For a new one: ids of the registry (``ab-calgary@city``), one text with commas or several.

    Returns
    -------
    Portal
        With ``portal.xlsx``, ``incoming/`` and ``releases/`` in its folder.

    Raises
    ------
    StoreError
        There is no portal, or something else is in the folder.
    RegistryError
        An area is not in the registry.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> import lipgeo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     portal = lipgeo.open_portal(pathlib.Path(folder, "portal"), create=True)
    ...     _ = portal.add(pd.DataFrame({"area_id": ["west"], "indicator": "population",
    ...         "period": "2021", "value": [1200.0], "universe": "population",
    ...         "source": "Town of West, 2021"}), release="first")
    ...     portal.frame()[["area_id", "value", "origin", "release"]].values.tolist()
    [['west', 1200.0, 'reported', 'first']]
    """
    place = require_path(path)
    if create:
        clear_litter(place.parent)
    if (place / BOOK).is_file():
        return Portal(place)
    if not create:
        raise StoreError("portal.no_portal", folder=place)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise StoreError("portal.other_folder", folder=place)
    asked = areas.split(",") if isinstance(areas, str) else list(areas)
    listed = (
        registry_areas([one for one in asked if one.strip()])
        if asked
        else pd.DataFrame(columns=list(AREA_COLUMNS), dtype=object)
    )
    with folder_in_one_step(place) as made:
        write_book(made / BOOK, listed)
        (made / INCOMING).mkdir()
        (made / RELEASES).mkdir()
    return Portal(place)


class Portal(Shown):
    """A portal's folder, opened by :func:`open_portal`.

    Attributes
    ----------
    folder
        Where it is.
    book
        What ``portal.xlsx`` says, as read when the portal was opened (:meth:`reopen` reads it
        again).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ReleaseStore(folder / RELEASES)
        self._dictionary: tuple[tuple[tuple[str, str], ...], Dictionary] | None = None
        self._viewed: tuple[Any, Census | None, tuple[pd.DataFrame, CheckReport]] | None = None

    @cached_property
    def book(self) -> PortalBook:
        """The sheets of ``portal.xlsx``."""
        return read_book(self.folder / BOOK)

    def reopen(self) -> Portal:
        """Return the portal read anew."""
        return Portal(self.folder)

    # ------------------------------------------------------------------ what there is

    @property
    def releases(self) -> pd.DataFrame:
        """One row a release, oldest first.

        ``release, number, date, kind, rows, licence, files, product, supersedes`` (files and
        superseded releases ``;``-joined), ``accepted`` (findings that somebody accepted),
        ``withdrawn`` (rows without their number).
        """
        rows = []
        for one in self.store.releases:
            record = one.record
            gone = self.store.rows(one)["symbol"].eq("withdrawn").sum()
            rows.append(
                {
                    "release": one.id,
                    "number": one.number,
                    "date": one.date,
                    "kind": record["kind"],
                    "rows": record["rows"],
                    "licence": record["licence"],
                    "files": ";".join(source["file"] for source in record["sources"]),
                    "product": record.get("product", ""),
                    "supersedes": ";".join(record.get("supersedes", ())),
                    "accepted": len(record.get("accepted", ())),
                    "withdrawn": int(gone),
                }
            )
        columns = (
            *("release", "number", "date", "kind", "rows", "licence", "files", "product"),
            *("supersedes", "accepted", "withdrawn"),
        )
        return pd.DataFrame(rows, columns=list(columns))

    def record(self, release: str) -> dict[str, Any]:
        """Return what a release's record says: sources and hashes, checks, acceptances, areas."""
        return dict(self.store.named(release).record)

    @property
    def areas(self) -> pd.DataFrame:
        """One row an area and definition: the workbook's, then those that releases brought.

        ``area_id, definition, kind, name_en, name_fr, province, vintage, units, extent_status,
        confirmed_by, confirmed_on, outline, follows, note, in_en, in_fr`` (text, empty where
        nothing is said).
        """
        return self._areas_of(self.store.releases)

    def _areas_of(self, releases: Sequence[Release]) -> pd.DataFrame:
        parts = [self.book["areas"][list(AREA_COLUMNS)]]
        for one in releases:
            brought = one.record.get("areas") or []
            if brought:
                frame = pd.DataFrame(brought).reindex(columns=list(AREA_COLUMNS))
                parts.append(frame.astype("string").fillna("").astype(object))
        whole = pd.concat(parts, ignore_index=True)
        whole["definition"] = whole["definition"].mask(whole["definition"].eq(""), "main")
        return whole.drop_duplicates(["area_id", "definition"], ignore_index=True)

    @property
    def dictionary(self) -> Dictionary:
        """The indicators: lipgeo's, with those the portal adds and without those it hides."""
        state = tuple((one.id, str(one.record["sha256"])) for one in self.store.releases)
        if self._dictionary is None or self._dictionary[0] != state:
            self._dictionary = (state, self._make_dictionary())
        return self._dictionary[1]

    def _make_dictionary(self) -> Dictionary:
        sheet = self.book["indicators"]
        hide = sheet["hide"].str.casefold().isin(["x", "yes", "oui", "1", "true"])
        hidden = list(sheet.loc[hide, "code"])
        added = sheet[~hide].drop(columns="hide")
        brought = [
            pd.DataFrame(one.record["indicators"])
            for one in self.store.releases
            if one.record.get("indicators")
        ]
        own = pd.concat([added, *brought], ignore_index=True) if brought else added
        own = own.drop_duplicates("code") if len(own) else own
        shipped = shipped_dictionary()
        # a portal that names a shipped indicator anew adds nothing: its row is only for hiding
        own = own[~own["code"].isin(shipped.frame.index)]
        return shipped.with_local(own, hidden).with_census(*self._own_rows)

    @cached_property
    def _own_rows(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Rows and pairs of censuses that lie in the portal's folder ``dictionary``."""
        return read_census_rows(self.folder / DICTIONARY)

    @property
    def coming(self) -> pd.DataFrame:
        """The rows of censuses that the portal itself adds: their numbers come in parts."""
        return self._own_rows[0]

    def indicators(self, *, delivered: bool = False) -> pd.DataFrame:
        """Return the portal's indicators, one row each.

        Parameters
        ----------
        delivered
            Also the rows of deliveries that no indicator takes.
        """
        frame = self.dictionary.frame.reset_index()
        return frame if delivered else frame[frame["status"].ne("delivered")].reset_index(drop=True)

    @property
    def realisations(self) -> pd.DataFrame:
        """One row an area, definition and census: its unit list's hash, misfit and count.

        ``area_id, definition, vintage, realisation_hash`` (text), ``misfit`` (share of people,
        missing where nobody has measured it), ``unit_count, release``: the newest that says so.
        """
        parts = []
        for one in self.store.releases:
            held = one.record.get("realisations") or []
            if held:
                parts.append(pd.DataFrame(held).assign(release=one.id))
        if not parts:
            return pd.DataFrame(columns=list(REALISATION_COLUMNS))
        whole = pd.concat(parts, ignore_index=True)
        whole["misfit"] = whole["misfit"].astype("float64")
        keys = ["area_id", "definition", "vintage", "realisation_hash"]
        return whole.drop_duplicates(keys, keep="last", ignore_index=True)

    @property
    def units(self) -> pd.DataFrame:
        """What areas are made of, one row a unit of a realisation.

        ``area_id, definition, vintage, realisation_hash, level, unit_id`` (text), ``share`` (1 but
        for units that are cut), ``population`` (people, missing where unknown).
        """
        parts = []
        for one in self.store.releases:
            held = self.store.units(one)
            if held is not None:
                parts.append(held)
        columns = list(UNIT_COLUMNS)
        if not parts:
            return pd.DataFrame(columns=columns)
        keys = ["area_id", "definition", "realisation_hash", "level", "unit_id"]
        return pd.concat(parts, ignore_index=True).drop_duplicates(keys, ignore_index=True)

    # ------------------------------------------------------------------ taking in

    def add(
        self,
        source: Any,
        release: str | None = None,
        *,
        licence: str | None = None,
        definitions: Mapping[str, str] | None = None,
        misfit: Mapping[str, float] | None = None,
        name: str = "",
        made_from: Sequence[str] = (),
    ) -> str:
        """Take in a source as a new release.

        Parameters
        ----------
        source
            :class:`~lipgeo.Estimates`, :class:`~lipgeo.Comparison`, a
            :class:`~lipgeo.CensusTable` (published rows: areas of whole standard units), a frame in
            the columns of the long table, or the path of a file: a legacy workbook with its
            mapping, or estimates that ``lipgeo weight`` wrote.
        release
            Its name; by default the day and the kind of source.
        licence
            Names of rows of the sheet *licences*, ``;``-joined: what may be done with numbers made
            from several sources is what all of them allow. By default Statistics Canada's open
            licence for estimates and published rows, none for others: not to be shown publicly.
        definitions
            Area id to definition, where the portal has several of an area.
        misfit
            Area id to the share of people by which the unit list misses the definition.
        name
            What pages call the source.
        made_from
            Releases the numbers were computed from or calibrated to; their licences hold too.

        Returns
        -------
        str
            The name of the release.

        Raises
        ------
        InputError
            The source holds what no long table can, or the name of the release was used.
        StoreError
            Another process writes to the portal, or a release of that name exists.
        """
        with self.store.locked():
            taken = self._read(source, self.known(definitions), misfit=misfit, name=name)
            usual = OPEN_LICENCE if taken.kind in _OPEN else ""
            return self.write_release(
                taken,
                release,
                licence=usual if licence is None else licence,
                made_from=made_from,
            )

    def add_profile(
        self,
        path: str | Path | Sequence[str | Path],
        release: str | None = None,
        *,
        census: Census | None = None,
        level: str | None = None,
        licence: str = OPEN_LICENCE,
        defined_in: Sequence[Census] = (),
    ) -> list[str]:
        """Take in Census Profile files: published where an area is whole units, else weighted.

        Parameters
        ----------
        path
            Files of one census (98-401-X), zipped or not.
        release
            Name of the release of published rows; estimates have it with ``-estimated`` after it.
        census
            The opened census of the files: brings the numbers to areas whose units are of another
            level than the files. Without it those areas are left as they are.
        level
            Level of the rows wanted; the finest in the files by default.
        licence
            As for :meth:`add`.
        defined_in
            Opened censuses in which areas' units were listed, where that is another than the
            files' own. With ``census`` they tell how far an area's units miss its definition, and
            bring areas over whose codes have gone; without them the first is not known, and the
            second are left as they are.

        Returns
        -------
        list of str
            The releases made: published rows, estimates.

        Raises
        ------
        InputError
            No area of the portal has units that the files can tell of.
        TableError
            The files are no Census Profiles, or of several censuses.
        """
        from lipgeo.portal.sources.profiles import from_profile

        with self.store.locked():
            made = []
            for taken in from_profile(
                path, self.known(), census=census, level=level, defined_in=defined_in
            ):
                end = "-estimated" if taken.kind == "estimates" and release else ""
                name = f"{release}{end}" if release else None
                made.append(self.write_release(taken, name, licence=licence))
            return made

    def known(self, definitions: Mapping[str, str] | None = None) -> Known:
        """Return what a reader of sources asks: areas, indicators, chosen definitions."""
        return Known(self.areas, self.dictionary, dict(definitions or {}))

    def _read(
        self, source: Any, known: Known, *, misfit: Mapping[str, float] | None, name: str
    ) -> Intake:
        if isinstance(source, Estimates):
            return from_estimates(source, known, misfit=misfit, source=name)
        if isinstance(source, Comparison):
            return from_comparison(source, known, source=name)
        if isinstance(source, CensusTable):
            return from_table(source, known, source=name)
        if isinstance(source, pd.DataFrame):
            return from_frame(source, known, name or say("portal.a_frame"))
        require_kind(source, (str, Path), "portal.what_to_add", "source")
        from lipgeo.portal.sources.recognising import read_source

        return read_source(Path(source), known)

    def write_release(
        self,
        taken: Intake,
        release: str | None,
        *,
        licence: str,
        made_from: Sequence[str] = (),
        more: Mapping[str, Any] | None = None,
    ) -> str:
        """Check what was taken in and write it; the caller holds the lock.

        Parameters
        ----------
        taken
            What a reader made of a source.
        release
            Its name; by default the day and the source.
        licence, made_from
            As for :meth:`add`.
        more
            What else its record says.

        Returns
        -------
        str
            The name of the release.
        """
        id = release or self._default_id(taken)
        known = self.known()
        dictionary = known.dictionary
        if taken.indicators is not None and len(taken.indicators):
            fresh = taken.indicators[~taken.indicators["code"].isin(dictionary.frame.index)]
            dictionary = dictionary.with_local(fresh.drop_duplicates("code"))
        inherited = [self.store.named(one).record["licence"] for one in made_from]
        licences = ";".join(dict.fromkeys(_parted(";".join([licence, *inherited]))))
        supersedes = self._restated(taken)
        rows = taken.rows.assign(supersedes=";".join(supersedes))
        own = rows["licence"].eq("")
        rows["licence"] = rows["licence"].mask(own, licences)
        check_observations(rows, dictionary, id)
        record = {
            "date": _today(),
            "kind": taken.kind,
            "licence": licences,
            "sources": [
                {"file": str(one["file"]), "sha256": str(one["sha256"])} for one in taken.sources
            ],
            "areas": _records(taken.areas),
            "realisations": _records(taken.realisations),
            "indicators": _records(taken.indicators),
            "checks": taken.report.to_records(),
            "supersedes": supersedes,
            "made_from": list(made_from),
            **taken.extra,
            **(more or {}),
        }
        self.store.write(id, rows, record, taken.units)
        return id

    def _restated(self, taken: Intake) -> list[str]:
        """Return the releases a product that restates its past puts aside."""
        extra = taken.extra
        product = extra.get("product")
        if not product or not extra.get("restates"):
            return []
        mine = [one for one in self.store.releases if one.record.get("product") == product]
        edition = str(extra.get("edition", ""))
        newer = [one.id for one in mine if str(one.record.get("edition", "")) > edition]
        if edition and newer:
            raise InputError("portal.older_edition", product=product, edition=edition,
                             releases=newer)  # fmt: skip
        # another level of the same edition stands beside it
        return [
            one.id
            for one in mine
            if str(one.record.get("edition", "")) != edition
            or one.record.get("level", "") == extra.get("level", "")
        ]

    def _default_id(self, taken: Intake) -> str:
        """Return the day and the source, numbered where that name is taken."""
        return self.free_id(Path(taken.sources[0]["file"]).stem if taken.sources else taken.kind)

    def free_id(self, source: str) -> str:
        """Return a name for a release: the day and a source, numbered where it is taken."""
        word = re.sub(r"[^a-z0-9]+", "-", source.casefold()).strip("-")[:40]
        base = f"{_today()}-{word or 'release'}"
        used = {one.id.casefold() for one in self.store.releases}
        number = 2
        id = base
        while id in used:
            id = f"{base}-{number}"
            number += 1
        return id

    def receive(
        self,
        file: str | Path,
        *,
        order: str | Path,
        table: str | None = None,
        accept: str | Path | pd.DataFrame | None = None,
        release: str | None = None,
        licence: str = "",
        mapping: str | Path | pd.DataFrame | None = None,
        estimates: Any = None,
        dry_run: bool = False,
    ) -> Receipt:
        """Take in a delivery: read, match to its order, check, and write a release if all is well.

        Parameters
        ----------
        file
            What came back, in any of the layouts of orders and data tables.
        order
            The folder of the order it answers.
        table
            Which table of the order it is.
        accept
            Findings somebody accepts, each with ``accept, by, reason``: the frame or file that
            an earlier try left (:attr:`Receipt.findings`).
        release
            Name of the release; by default the day and the file.
        licence
            Its licence row; empty is not to be shown publicly.
        mapping
            Labels to areas where the file's words do not tell: columns ``label, area_id``.
        estimates
            What was estimated when the order was written, where the order does not hold it.
        dry_run
            Read and check only.

        Returns
        -------
        Receipt
            ``release`` (``None`` where findings wait to be accepted), ``labels`` (one row a
            label: how it was matched), ``findings``, ``report``.

        Raises
        ------
        OrderError
            Structural findings: areas missing, extra or doubled, another order, another census,
            rows that cannot be read. All at once; ``problems`` lists them.
        """
        return receive(
            self,
            require_path(file, "file"),
            order=require_path(order, "order"),
            table=table,
            accept=accept,
            release=release,
            licence=licence,
            mapping=mapping,
            estimates=estimates,
            dry_run=dry_run,
        )

    # ------------------------------------------------------------------ asking

    def frame(
        self,
        areas: str | Iterable[str] | None = None,
        indicators: str | Iterable[str] | None = None,
        release: str | None = None,
    ) -> pd.DataFrame:
        """Return the long table as it is now, or as it was at a release.

        Parameters
        ----------
        areas
            Areas, each an id or ``id@definition``; all by default. A bare id stands for all its
            definitions here.
        indicators
            Codes; all by default.
        release
            As it was when this release was the newest. What was withdrawn since has no number.

        Returns
        -------
        pandas.DataFrame
            RangeIndex; the columns of PORTAL's long table; within a key the newest release. All
            origins are there; :meth:`shown` takes one of each quantity. This is what the members'
            side holds: nothing public is written from it but through :meth:`view`.
        """
        return self._narrow(self._all(release), areas, indicators)

    def _all(self, release: str | None) -> pd.DataFrame:
        releases = self.store.releases
        upto = None if release is None else self.store.named(release).number
        order = {one.id: one.number for one in releases if upto is None or one.number <= upto}
        return current(self.store.all_rows(upto), order)

    def _narrow(
        self,
        frame: pd.DataFrame,
        areas: str | Iterable[str] | None,
        indicators: str | Iterable[str] | None,
    ) -> pd.DataFrame:
        if areas is not None:
            wanted = areas.split(",") if isinstance(areas, str) else list(areas)
            known = self.areas
            keep = np.zeros(len(frame), dtype=bool)
            for one in wanted:
                name, _, definition = one.strip().partition("@")
                if definition:
                    name, definition = resolve_area(one.strip(), known)
                elif not known["area_id"].eq(name).any():
                    resolve_area(name, known)  # says which there are
                here = frame["area_id"].eq(name)
                keep |= here & frame["definition"].eq(definition) if definition else here
            frame = frame[keep]
        if indicators is not None:
            codes = [indicators] if isinstance(indicators, str) else list(indicators)
            strange = [code for code in codes if code not in self.dictionary]
            if strange:
                raise InputError(
                    "portal.unknown_codes", [{"indicator": code} for code in strange], codes=strange
                )
            frame = frame[frame["indicator"].isin(codes)]
        return frame.reset_index(drop=True)

    def shown(
        self,
        areas: str | Iterable[str] | None = None,
        indicators: str | Iterable[str] | None = None,
        release: str | None = None,
        *,
        audience: Audience = "members",
    ) -> pd.DataFrame:
        """Return the one number of each quantity that a page shows to an audience.

        Ordered, then published, then estimated, then reported; never by date.
        """
        frame, _ = self.view(audience, release=release)
        return shown(self._narrow(frame, areas, indicators))

    def view(
        self,
        audience: Audience = "public",
        *,
        release: str | None = None,
        census: Census | None = None,
    ) -> tuple[pd.DataFrame, CheckReport]:
        """Return what an audience may see, and what was kept from it and why.

        Every writer of something public goes through here.

        Parameters
        ----------
        audience
            ``public`` or ``members``.
        release
            As the portal was when this release was the newest.
        census
            Says what areas listed at different levels have in common; without it such pairs are
            told as not compared (``not_compared``).
        """
        # what may be shown is asked for once a document: it stays while nothing behind it changes
        state = (audience, release, _today(), self.store.state)
        kept = self._viewed
        if kept is None or kept[0] != state or kept[1] is not census:
            kept = (state, census, gate(self, self._all(release), audience, census))
            self._viewed = kept
        frame, report = kept[2]
        return frame.copy(), report

    def check(self, audience: Audience = "public", *, census: Census | None = None) -> CheckReport:
        """Check what would be shown to an audience: disclosure, licence, comparability, names.

        Parameters
        ----------
        audience, census
            As for :meth:`view`.
        """
        return check_portal(self, audience, census)

    def history(self, area: str, indicator: str) -> pd.DataFrame:
        """Return every release's value of a number, and why it changed.

        Parameters
        ----------
        area
            ``id@definition``, or an id with one definition.
        indicator
            Its code.

        Returns
        -------
        pandas.DataFrame
            Oldest first, one row a release and key: ``release, date, value, symbol, origin, period,
            category, group, gender, sample, dollars, source, status`` (``current``, ``replaced``,
            ``restated``, ``withdrawn``) and ``why``: a sentence.
        """
        name, definition = resolve_area(area, self.areas)
        if indicator not in self.dictionary:
            raise InputError("portal.unknown_codes", [{"indicator": indicator}], codes=[indicator])
        releases = {one.id: one for one in self.store.releases}
        rows = self.store.all_rows()
        rows = rows[
            rows["area_id"].eq(name)
            & rows["definition"].eq(definition)
            & rows["indicator"].eq(indicator)
        ].reset_index(drop=True)
        order = {id: one.number for id, one in releases.items()}
        now = current(rows, order)
        here = set(zip(now["release"], *(now[key] for key in KEY), strict=True))
        gone = {id for cell in self._superseded() for id in cell}
        recalled = {one["release"]: one for one in self.store.withdrawals}
        rows = rows.assign(_number=rows["release"].map(order)).sort_values(
            ["period", "origin", "_number"], kind="stable"
        )
        earlier: dict[tuple[Any, ...], float] = {}
        dollars: dict[tuple[Any, ...], str] = {}
        told = []
        for one in rows.to_dict("records"):
            key = tuple(one[column] for column in KEY)
            if one["symbol"] == "withdrawn":
                entry = recalled.get(one["release"], {})
                status = "withdrawn"
                why = say("portal.why_withdrawn", reason=entry.get("reason", ""))
            elif one["release"] in gone:
                status, why = "restated", self._why_restated(one["release"], one["dollars"])
            elif (one["release"], *key) in here:
                status = "current"
                why = _why_current(one, earlier.get(key), dollars.get(key[:-1]))
            else:
                status, why = "replaced", say("portal.why_replaced")
            earlier[key] = one["value"]
            dollars[key[:-1]] = one["dollars"]
            told.append(
                {**one, "date": releases[one["release"]].date, "status": status, "why": why}
            )
        return pd.DataFrame(told, columns=list(_HISTORY))

    def _why_restated(self, release: str, dollars: str) -> str:
        """Return why the figures of a release that was put aside whole are not the ones now."""
        later = [one for one in self.store.releases if release in one.record.get("supersedes", ())]
        edition = str(later[0].record.get("edition", "")) if later else ""
        if edition and dollars not in ("", "current"):
            return say("portal.why_dollars", release=later[0].id, old=dollars, new=edition)
        return say("portal.why_restated")

    def _superseded(self) -> list[list[str]]:
        return [list(one.record.get("supersedes", ())) for one in self.store.releases]

    def joins(self, area: str, indicator: str) -> pd.DataFrame:
        """Return which neighbouring periods of a number are one series.

        Returns
        -------
        pandas.DataFrame
            One row a pair of neighbouring censuses: ``from_period, to_period, verdict`` (``yes``:
            joined, ``caution``: joined with a mark, ``no``: no line joins them), ``reason_en,
            reason_fr``. The verdict is the worse of the indicator's and the boundary's.
        """
        name, definition = resolve_area(area, self.areas)
        rows = self.shown(f"{name}@{definition}", indicator)
        periods = sorted({p for p in rows["period"] if re.fullmatch(r"\d{4}", p)})
        realised = self.realisations
        realised = realised[
            realised["area_id"].eq(name) & realised["definition"].eq(definition)
        ].set_index(["vintage", "realisation_hash"])
        behind = rows.drop_duplicates("period").set_index("period")["realisation_hash"]
        told = []
        for first, second in itertools.pairwise(periods):
            verdict, en, fr = self.dictionary.compare(indicator, first, second)
            ground, filled = join_between(
                *(_row(realised, (one, behind.get(one, ""))) for one in (first, second))
            )
            reasons = {"en": en, "fr": fr}
            if ground != "yes":
                for lang in LANGUAGES:
                    with speaking(lang):
                        reason = misfit_reason(filled["misfit"])
                    reasons[lang] = f"{reasons[lang]} {reason}".strip()
            told.append(
                {
                    "from_period": first,
                    "to_period": second,
                    "verdict": worse(verdict, ground),
                    "reason_en": reasons["en"],
                    "reason_fr": reasons["fr"],
                }
            )
        columns = ["from_period", "to_period", "verdict", "reason_en", "reason_fr"]
        return pd.DataFrame(told, columns=columns)

    def changes(self, old: str, new: str) -> pd.DataFrame:
        """Return what differs between two states of the portal.

        Returns
        -------
        pandas.DataFrame
            ``area_id, definition, indicator, category, group, gender, period, origin``, ``change``
            (``added``, ``gone``, ``changed``), ``old_value, new_value, old_symbol, new_symbol``.
        """
        before, after = self._all(old), self._all(new)
        both = before.merge(
            after, on=list(KEY), how="outer", suffixes=("_old", "_new"), indicator=True
        )
        same = np.isclose(both["value_old"], both["value_new"], equal_nan=True) & both[
            "symbol_old"
        ].fillna("").eq(both["symbol_new"].fillna(""))
        change = both["_merge"].map({"left_only": "gone", "right_only": "added", "both": "changed"})
        kept = both[~(both["_merge"].eq("both") & same)]
        frame = pd.DataFrame(
            {
                **{key: kept[key] for key in KEY[:8]},
                "change": change[kept.index].astype(object),
                "old_value": kept["value_old"],
                "new_value": kept["value_new"],
                "old_symbol": kept["symbol_old"].fillna(""),
                "new_symbol": kept["symbol_new"].fillna(""),
            }
        )
        return frame.reset_index(drop=True)

    # ------------------------------------------------------------------ taking back

    def withdraw(
        self,
        release: str,
        cells: pd.DataFrame | None = None,
        *,
        reason: str,
        by: str = "",
    ) -> pd.DataFrame:
        """Take values out of a release for good, because who published them recalled them.

        Parameters
        ----------
        release
            Which release.
        cells
            Which numbers: any columns of the key (``area_id, indicator, period ...``), one row a
            set of numbers; all of the release by default.
        reason
            Why; it is kept and shown.
        by
            Who asked for it.

        Returns
        -------
        pandas.DataFrame
            What was made with them and has to be made again or recalled: ``kind`` (``release``,
            ``file``, ``site``, ``facts``), ``what``.

        Raises
        ------
        InputError
            No reason is given, or cells fit nothing in the release.
        """
        if not reason.strip():
            raise InputError("portal.no_reason_given", release=release)
        with self.store.locked():
            found = self.store.named(release)
            rows = self.store.rows(found)
            keys = None if cells is None else self._keys_of(rows, cells, release)
            made = self._made_with(release)
            files = [
                str(path.relative_to(self.folder).as_posix())
                for path in sorted((self.folder / TAKEN / release).glob("*"))
                if path.is_file()
            ]
            self.store.withdraw(
                {
                    "release": release,
                    "keys": keys,
                    "date": _today(),
                    "reason": reason.strip(),
                    "by": by,
                    "files": files,
                    "made_with": made,
                }
            )
        listed = [*made, *({"kind": "file", "what": name} for name in files)]
        return pd.DataFrame(listed, columns=["kind", "what"])

    def _keys_of(self, rows: pd.DataFrame, cells: pd.DataFrame, release: str) -> list[list[str]]:
        strange = [name for name in cells.columns if name not in KEY]
        if strange or not len(cells.columns) or not len(cells):
            raise InputError("portal.cells_columns", columns=strange, known=list(KEY))
        wanted = cells.astype(str).drop_duplicates()
        found = rows[list(KEY)].merge(wanted, on=list(cells.columns), how="inner")
        lost = wanted.merge(rows[list(KEY)], on=list(cells.columns), how="left", indicator=True)
        lost = lost[lost["_merge"].eq("left_only")]
        if len(lost):
            problems = lost[list(cells.columns)].to_dict("records")
            shown_cells = [described(one.values()) for one in problems]
            raise InputError("portal.no_such_cells", problems, release=release, cells=shown_cells)
        return [list(key) for key in found.drop_duplicates().itertuples(index=False)]

    def _made_with(self, release: str) -> list[dict[str, str]]:
        """Return releases computed from one, and sites and documents built while it counted."""
        made = [
            {"kind": "release", "what": one.id}
            for one in self.store.releases
            if release in one.record.get("made_from", ())
        ]
        number = self.store.named(release).number
        made += [
            {"kind": str(one["kind"]), "what": str(one["path"])}
            for one in self.store.builds
            if int(one["number"]) >= number
        ]
        return made

    def record_build(self, kind: str, path: str | Path, audience: Audience, frame: Any) -> None:
        """Remember that something was built, and what of it the public has seen.

        Parameters
        ----------
        kind
            ``site`` or ``facts``.
        path
            Where it was written.
        audience
            For whom.
        frame
            The rows of the long table that are in it: what was public once counts for every later
            check of disclosure.
        """
        with self.store.locked():
            newest = max((one.number for one in self.store.releases), default=0)
            self.store.remember_build(
                {
                    "kind": kind,
                    "path": _beside(path, self.folder),
                    "audience": audience,
                    "number": newest,
                    "date": _today(),
                },
                frame if audience == "public" else None,
            )

    # ------------------------------------------------------------------ showing itself

    def _card(self) -> Card:
        table = self.releases
        columns = heads("release", "date", "kind", "rows", "licence")
        return Card(self._summary(), table, columns, of=len(table))

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _summary(self) -> str:
        return say(
            "portal.summary",
            folder=self.folder,
            areas=len(self.areas),
            releases=len(self.store.releases),
        )


def _why_current(row: Mapping[str, Any], before: float | None, dollars: str | None) -> str:
    """Return why a number is the one that counts: first, the same, newer, in other dollars."""
    if before is None:
        if dollars is not None and dollars != row["dollars"]:
            return say("portal.why_new_dollars", old=dollars, new=row["dollars"])
        return say("portal.why_first")
    if before == row["value"] or (pd.isna(before) and pd.isna(row["value"])):
        return say("portal.why_same")
    return say("portal.why_newer", release=row["release"])


#: kinds of sources whose numbers come from what Statistics Canada publishes openly
_OPEN = ("estimates", "comparison", "published")


def _row(realised: pd.DataFrame, key: tuple[str, str]) -> pd.Series | None:
    if key not in realised.index:
        return None
    row = realised.loc[[key]].iloc[-1].copy()
    row["realisation_hash"] = key[1]
    return row


def _records(frame: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Return a frame as plain records, missing as nothing."""
    if frame is None or not len(frame):
        return []
    plain = frame.astype(object).where(frame.notna(), None)
    return [
        {key: (value.item() if hasattr(value, "item") else value) for key, value in row.items()}
        for row in plain.to_dict("records")
    ]


def _beside(path: str | Path, folder: Path) -> str:
    """Return a path as it is told from a portal: relative where both may move together."""
    whole, home = Path(path).resolve(), folder.resolve()
    near = whole.is_relative_to(home.parent)
    return Path(os.path.relpath(whole, home)).as_posix() if near else str(path)


def _parted(text: str) -> list[str]:
    return [one.strip() for one in text.split(";") if one.strip()]


def _today() -> str:
    return datetime.date.today().isoformat()
