"""The gate: what an audience may see. Every public writer goes through it.

Licences, unconfirmed areas, estimates over suppressed numbers, lone suppressed cells, small counts
and differencing: what may not be shown is taken out of the rows, and every reason is a finding. A
row of the sheet *exceptions* lets one through, with who allowed it and why.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd

from lipgeo.census.census import Census
from lipgeo.errors import InputError
from lipgeo.order.differencing import Difference
from lipgeo.portal.areas import UNCONFIRMED
from lipgeo.portal.ground import Ground, ground_of
from lipgeo.portal.indicators.dictionary import Dictionary
from lipgeo.portal.observations import HIDDEN, NUMBERS, shown
from lipgeo.portal.regional import withhold_regions
from lipgeo.portal.releases import ReleaseStore
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.words import say

__all__ = ["LEAST_BASE", "LEAST_DENOMINATOR", "Guarded", "check_portal", "gate"]

#: people a percentage is told of
LEAST_DENOMINATOR = 50
#: ... and a change in percent, in either year
LEAST_BASE = 100
_STATED = ("ordered", "published")
#: groups that together are the whole, and no two of which overlap
_PARTS = {
    "group": ("non_immigrants", "immigrants", "npr"),
    "gender": ("men", "women"),
}
_CELL = ["area_id", "definition", "period"]
_MARKUP = ("<", ">", "{{", "{%", "\x00")
_FORMULA = ("=", "+", "@")


class Guarded(Protocol):
    """What the gate asks of a portal: who is there, what was said and what has been seen."""

    store: ReleaseStore

    @property
    def book(self) -> Mapping[str, pd.DataFrame]:
        """The sheets of its workbook."""

    @property
    def areas(self) -> pd.DataFrame:
        """Its areas."""

    @property
    def units(self) -> pd.DataFrame:
        """What its areas are made of."""

    @property
    def dictionary(self) -> Dictionary:
        """Its indicators."""

    def frame(self) -> pd.DataFrame:
        """Return its long table as it is now."""


def gate(
    portal: Guarded, frame: pd.DataFrame, audience: str, census: Census | None = None
) -> tuple[pd.DataFrame, CheckReport]:
    """Return the rows an audience may see, and why others were kept from it.

    Parameters
    ----------
    portal
        Whose licences, areas and exceptions hold.
    frame
        Rows of the long table.
    audience
        ``public`` or ``members``.
    census
        Says what areas listed at different levels have in common.

    Returns
    -------
    pandas.DataFrame
        The same columns. A number that is too small to be told stays as a row without its number
        and with a flag (``small_denominator``, ``small_base``); all else that may not be shown is
        not there at all.
    CheckReport
        One finding a reason and subject; what an exception lets through is a note.

    Raises
    ------
    InputError
        The audience is none.
    """
    if audience not in ("public", "members"):
        raise InputError("portal.no_audience", audience=audience)
    dictionary = portal.dictionary
    frame, found = _small(frame, dictionary)
    frame, more = withhold_regions(frame, portal.book["regions"], dictionary)
    found += more
    if audience == "members":
        return frame.reset_index(drop=True), CheckReport(found)
    allowed = _exceptions(portal.book["exceptions"])
    # a suppressed number closes its place whether or not it may itself be shown
    whole = frame
    frame, more = _licensed(frame, portal.book["licences"], dictionary)
    found += more
    frame, more = _confirmed(frame, portal.areas)
    found += more
    grounds = {
        vintage: ground_of(portal.units, vintage, census)
        for vintage in sorted(set(portal.units["vintage"]))
    }
    frame, more = _no_estimates(frame, whole, dictionary, grounds)
    found += more
    frame, more = _once_rounded(frame, dictionary)
    found += more
    frame, more = _lone(frame, dictionary, allowed)
    found += more
    frame, more = _differenced(frame, portal, grounds, allowed)
    found += more
    return frame.reset_index(drop=True), CheckReport(found)


def _exceptions(sheet: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return what somebody let through: check and subject to who and why."""
    signed = sheet[sheet[["check", "subject", "allowed_by", "reason"]].ne("").all(axis=1)]
    return {
        (one.check, one.subject): f"{one.allowed_by}: {one.reason}" for one in signed.itertuples()
    }


# ---------------------------------------------------------------------- small counts


def _small(frame: pd.DataFrame, dictionary: Dictionary) -> tuple[pd.DataFrame, list[Finding]]:
    """Flag zeros of the long form; withhold percentages of few people."""
    rules = frame["indicator"].map(dictionary.frame["rule"])
    stated = frame["origin"].isin(_STATED)
    asked = frame["sample"].ne("") & frame["sample"].ne("100%")
    nought = stated & asked & frame["value"].eq(0) & rules.isin(["count", "percent"])
    under = frame["denominator_value"] < LEAST_DENOMINATOR
    few = rules.isin(["percent", "rate"]) & under & frame["origin"].ne("reported")
    base = rules.eq("change") & (frame["denominator_value"] < LEAST_BASE)
    if not (nought.any() or few.any() or base.any()):
        return frame, []
    frame = frame.copy()
    for rows, flag in (
        (nought, "fewer_than_10"),
        (few, "small_denominator"),
        (base, "small_base"),
    ):
        told = frame.loc[rows, "flags"]
        frame.loc[rows, "flags"] = (told + ";" + flag).str.strip(";")
    numbers = [name for name in NUMBERS if name != "denominator_value"]
    frame.loc[few | base, numbers] = np.nan
    found = []
    if few.any():
        found.append(finding("portal.small_denominator", "note", "", value=float(few.sum()),
                             count=int(few.sum()), least=LEAST_DENOMINATOR))  # fmt: skip
    if base.any():
        found.append(finding("portal.small_base", "note", "", value=float(base.sum()),
                             count=int(base.sum()), least=LEAST_BASE))  # fmt: skip
    return frame, found


# ---------------------------------------------------------------------- licence


def allowance(licence: str, sheet: pd.DataFrame, today: str | None = None) -> str:
    """Return what all of a number's licences allow: ``no``, ``aggregate`` or ``table``.

    A licence without a row, without permission or past its day allows nothing.
    """
    names = [one.strip() for one in licence.split(";") if one.strip()]
    rows = sheet.drop_duplicates("licence").set_index("licence")
    day = today or datetime.date.today().isoformat()
    order = ("no", "aggregate", "table")
    granted = []
    for name in names:
        may = "no"
        if name in rows.index:
            row = rows.loc[name]
            expired = bool(row["expiry"]) and pd.Timestamp(row["expiry"]) < pd.Timestamp(day)
            signed = bool(row["who"]) and bool(row["document"])
            may = str(row["may_publish"] or "no") if signed and not expired else "no"
        granted.append(may)
    return min(granted, key=order.index, default="no")


def _licensed(
    frame: pd.DataFrame, sheet: pd.DataFrame, dictionary: Dictionary
) -> tuple[pd.DataFrame, list[Finding]]:
    may = {one: allowance(one, sheet) for one in frame["licence"].unique()}
    granted = frame["licence"].map(may)
    rules = frame["indicator"].map(dictionary.frame["rule"])
    status = frame["indicator"].map(dictionary.frame["status"])
    # the table itself: counts, breakdowns and rows as they were delivered
    table = (
        rules.isin(["count", "list"])
        | frame["category"].ne("")
        | frame["group"].ne("total")
        | frame["gender"].ne("total")
        | status.eq("delivered")
    )
    shut = granted.eq("no") | (granted.eq("aggregate") & table)
    found = []
    for name, count in frame.loc[shut, "licence"].value_counts().sort_index().items():
        key = "portal.licence_aggregate" if may[str(name)] == "aggregate" else "portal.licence_no"
        # nobody has said anything yet, which is often forgotten
        said = str(name) or say("portal.licence_unnamed")
        found.append(finding(key, "note", name or "-", value=float(count), licence=said,
                             count=int(count)))  # fmt: skip
    kept = frame[~shut]
    only = granted[~shut].eq("aggregate")
    if only.any():
        # a percentage and the count it is of are the table again
        kept = kept.copy()
        kept.loc[only, "denominator_value"] = np.nan
    return kept, found


def _confirmed(frame: pd.DataFrame, areas: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    open_ = areas["extent_status"].isin(UNCONFIRMED) & ~(
        areas["confirmed_by"].ne("") & areas["confirmed_on"].ne("")
    )
    shut = pd.MultiIndex.from_frame(areas.loc[open_, ["area_id", "definition"]])
    here = pd.MultiIndex.from_frame(frame[["area_id", "definition"]]).isin(shut)
    found = [
        finding("portal.unconfirmed", "warning", f"{name}@{definition}",
                area=f"{name}@{definition}")
        for name, definition in dict.fromkeys(
            zip(frame.loc[here, "area_id"], frame.loc[here, "definition"], strict=True)
        )
    ]  # fmt: skip
    return frame[~here], found


# ---------------------------------------------------------------------- suppression


def _same_cell(frame: pd.DataFrame, dictionary: Dictionary) -> pd.Series:
    """Return what number lies behind each row: indicators of one numerator tell the same count."""
    rows = dictionary.rows[dictionary.rows["numerator"].ne("")]
    behind = {
        (code, census): f"={numerator}"
        for code, census, numerator in zip(
            rows["code"], rows["census"], rows["numerator"], strict=True
        )
    }
    keys = list(zip(frame["indicator"], frame["period"], strict=True))
    return pd.Series([behind.get(key, key[0]) for key in keys], index=frame.index, dtype=object)


def _no_estimates(
    frame: pd.DataFrame,
    whole: pd.DataFrame,
    dictionary: Dictionary,
    grounds: Mapping[str, Ground],
) -> tuple[pd.DataFrame, list[Finding]]:
    """Take out estimates where the number itself is suppressed, of the area or its complement.

    No exception opens what Statistics Canada has closed.
    """
    hidden = whole[whole["origin"].isin(_STATED) & whole["symbol"].isin(HIDDEN)]
    guess = frame[frame["origin"].eq("estimated")]
    if hidden.empty or guess.empty:
        return frame, []
    places = _Places(pd.concat([hidden, guess]), grounds)
    shut: set[tuple[str, ...]] = set()
    for row, code in zip(hidden.itertuples(), _same_cell(hidden, dictionary), strict=True):
        groups = {row.group, *(_GROUPS_APART if row.group in _GROUPS_APART else ())}
        genders = {row.gender, *(_GENDERS_APART if row.gender in _GENDERS_APART else ())}
        if row.group == "total":
            groups |= _GROUPS_APART
        if row.gender == "total":
            genders |= _GENDERS_APART
        for place in places.around(row):
            shut |= {(place, code, row.category, one, row.gender) for one in groups}
            shut |= {(place, code, row.category, row.group, one) for one in genders}
    mine = [
        any((place, code, row.category, row.group, row.gender) in shut for place in places.of(row))
        for row, code in zip(guess.itertuples(), _same_cell(guess, dictionary), strict=True)
    ]
    gone = guess[np.array(mine, dtype=bool)]
    found = {}
    for row in gone.itertuples():
        area = f"{row.area_id}@{row.definition}"
        subject = f"{area} {row.indicator} {row.period}"
        found[subject] = finding("portal.estimate_over_hidden", "note", subject, area=area,
                                 indicator=row.indicator, period=row.period)  # fmt: skip
    return frame.drop(index=gone.index), list(found.values())


#: parts that give each other away: with the total, or all together
_GROUPS_APART = {"non_immigrants", "immigrants", "npr", "recent", "established"}
_GENDERS_APART = {"men", "women"}


class _Places:
    """Which rows are of the same ground, and which are the rest of a larger area."""

    def __init__(self, frame: pd.DataFrame, grounds: Mapping[str, Ground]) -> None:
        self.grounds = grounds
        hashes = frame.drop_duplicates(["period", "realisation_hash"])
        self._name = {
            (period, hashed): self._ground(period, hashed)
            for period, hashed in zip(hashes["period"], hashes["realisation_hash"], strict=True)
            if hashed
        }

    def _ground(self, period: str, hashed: str) -> str:
        ground = self.grounds.get(period)
        if ground is None or hashed not in ground.cells:
            return hashed
        # realisations of the same pieces bear the name of the first of them
        return min(name for name in ground.cells if ground.same(name, hashed))

    def of(self, row: Any) -> list[str]:
        """Return what the place of a row is called: its area in its period, and its ground."""
        names = [f"{row.period} {row.area_id}@{row.definition}"]
        hashed = self._name.get((row.period, row.realisation_hash))
        return [*names, f"{row.period} {hashed}"] if hashed else names

    def around(self, row: Any) -> Iterable[str]:
        """Yield the place of a row, and the places of every complement of it."""
        yield from self.of(row)
        ground = self.grounds.get(row.period)
        if ground is not None:
            for other in ground.complements(row.realisation_hash):
                yield f"{row.period} {self._ground(row.period, other)}"


def _once_rounded(
    frame: pd.DataFrame, dictionary: Dictionary
) -> tuple[pd.DataFrame, list[Finding]]:
    """Take out all but the first of several tabulations of one quantity that were rounded apart.

    Two roundings of one count leave fewer numbers that it can be than one does. Another sample is
    another quantity.
    """
    rules = frame["indicator"].map(dictionary.frame["rule"])
    stated = frame["origin"].isin(_STATED) & frame["value"].notna()
    mine = frame[stated & rules.isin(["count", "percent"])]
    rank = mine["origin"].map({name: at for at, name in enumerate(_STATED)})
    keys = [*_CELL, "indicator", "category", "group", "gender", "sample"]
    ordered = mine.iloc[np.argsort(rank.to_numpy(), kind="stable")]
    again = ordered.duplicated(keys)
    first = ordered[~again].set_index(keys)["value"]
    later = ordered[again]
    if later.empty:
        return frame, []
    kept = first.loc[pd.MultiIndex.from_frame(later[keys])].to_numpy()
    gone = later[~np.isclose(kept, later["value"].to_numpy(), rtol=1e-9)]
    found = {}
    for row in gone.itertuples():
        area = f"{row.area_id}@{row.definition}"
        subject = f"{area} {row.indicator} {row.period}"
        found[subject] = finding("portal.two_tabulations", "note", subject, area=area,
                                 indicator=row.indicator, period=row.period,
                                 origin=_STATED[0])  # fmt: skip
    return frame.drop(index=gone.index), list(found.values())


def _lone(
    frame: pd.DataFrame,
    dictionary: Dictionary,
    allowed: Mapping[tuple[str, str], str],
) -> tuple[pd.DataFrame, list[Finding]]:
    """Take out a number where it would tell the one suppressed part of a whole by subtraction."""
    stated = frame["origin"].isin(_STATED)
    rules = frame["indicator"].map(dictionary.frame["rule"])
    adds = stated & rules.isin(["count", "percent"])
    keep = pd.Series(True, index=frame.index)
    found = []
    for axis, parts in _PARTS.items():
        other = "gender" if axis == "group" else "group"
        keys = [*_CELL, "indicator", "category", other, "origin"]
        mine = frame[adds & frame[axis].isin(["total", *parts])]
        # few wholes have a suppressed part: the others are not looked at one by one
        closed = mine.loc[mine["symbol"].isin(HIDDEN), keys]
        if closed.empty:
            continue
        near = pd.MultiIndex.from_frame(mine[keys]).isin(pd.MultiIndex.from_frame(closed))
        for _, rows in mine[near].groupby(keys, sort=False):
            if len(rows) != len(parts) + 1 or rows[axis].nunique() != len(rows):
                continue
            hidden = rows["symbol"].isin(HIDDEN)
            if hidden.sum() != 1 or rows.loc[~hidden, "value"].isna().any():
                continue
            counts = _counts(rows[~hidden])
            spare = counts[rows.loc[counts.index, axis].ne("total")]
            gone = spare.idxmin() if len(spare) else counts.idxmin()
            row = frame.loc[gone]
            subject = f"{row['area_id']}@{row['definition']} {row['indicator']} {row['period']}"
            if ("lone_hidden", subject) in allowed:
                found.append(_let_through("lone_hidden", subject, allowed))
                continue
            keep[gone] = False
            found.append(finding("portal.lone_hidden", "warning", subject,
                                 area=f"{row['area_id']}@{row['definition']}",
                                 indicator=row["indicator"], period=row["period"],
                                 part=row[axis]))  # fmt: skip
    return frame[keep], found


def _counts(rows: pd.DataFrame) -> pd.Series:
    """Return the count behind each row: of a percentage, its share of its denominator."""
    return rows["value"].where(
        rows["denominator_value"].isna(), rows["value"] * rows["denominator_value"] / 100
    )


def _let_through(check: str, subject: str, allowed: Mapping[tuple[str, str], str]) -> Finding:
    return finding("portal.exception", "note", subject, kind=check, subject=subject,
                   why=allowed[check, subject])  # fmt: skip


# ---------------------------------------------------------------------- differencing


def _differenced(
    frame: pd.DataFrame,
    portal: Guarded,
    grounds: Mapping[str, Ground],
    allowed: Mapping[tuple[str, str], str],
) -> tuple[pd.DataFrame, list[Finding]]:
    """Take out numbers of ordered areas that, with others, tell of too few people.

    Published figures alone tell nothing new, and an estimate is made of them; so only differences
    with an ordered area count. What was public once counts for ever.
    """
    rules = frame["indicator"].map(portal.dictionary.frame["rule"])
    # medians and averages do not subtract
    adds = rules.isin(["count", "percent", "list"])
    stated = frame[frame["origin"].isin(_STATED) & frame["value"].notna() & adds]
    seen = portal.store.seen
    seen = seen[seen["origin"].isin(_STATED)]
    found: list[Finding] = []
    gone: set[Any] = set()
    names = _names_of(portal.units)
    topics = portal.dictionary.frame["topic"]
    for vintage, ground in grounds.items():
        now, past = (
            rows[rows["period"].eq(vintage) & rows["realisation_hash"].isin(ground.cells)]
            for rows in (stated, seen)
        )
        if not now["origin"].eq("ordered").any():
            continue
        apart = sorted(ground.apart & set(now["realisation_hash"]))
        found += [
            finding("portal.not_compared", "note", area, area=area, vintage=vintage)
            for area in (names.get(name, name) for name in apart)
        ]
        both = pd.concat([now, past])[["indicator", "realisation_hash", "origin"]]
        told = both.groupby("indicator")["realisation_hash"].agg(frozenset)
        ordered = set(both.loc[both["origin"].eq("ordered"), "realisation_hash"])
        # indicators told of the same areas have the same differences
        for hashes, codes in _alike(told):
            kinds = {one: "order" if one in ordered else "standard" for one in sorted(hashes)}
            income = [code for code in codes if topics.get(code) == "income"]
            for chosen, floor in ((income, True), (sorted(set(codes) - set(income)), False)):
                if chosen:
                    rests, cut = ground.residuals(kinds, income=floor)
                    found += [
                        finding("portal.search_cut", "warning", area, area=area)
                        for area in (names.get(one, one) for one in cut)
                    ]
                    rows, more = _kept_back(
                        rests, now, ordered, allowed, names=names, vintage=vintage, codes=chosen
                    )
                    gone |= rows
                    found += more
    return frame.drop(index=list(gone)), list({(f.check, f.subject): f for f in found}.values())


def _kept_back(
    rests: Iterable[Difference],
    now: pd.DataFrame,
    ordered: set[str],
    allowed: Mapping[tuple[str, str], str],
    *,
    names: Mapping[str, str],
    vintage: str,
    codes: list[str],
) -> tuple[set[Any], list[Finding]]:
    """Return the rows that small rests take out, and a finding a rest."""
    gone: set[Any] = set()
    found = []
    for rest in rests:
        back = _which(rest, now, ordered)
        if back is None:
            continue
        parts = sorted(names.get(part.name, part.name) for part in rest.parts)
        whole = names.get(rest.whole.name, rest.whole.name)
        subject = f"{vintage} {whole} - {', '.join(parts)}"
        if ("differencing", subject) in allowed:
            found.append(_let_through("differencing", subject, allowed))
            continue
        mine = now["realisation_hash"].eq(back) & now["origin"].eq("ordered")
        gone |= set(now.index[mine & now["indicator"].isin(codes)])
        found.append(finding("portal.differencing", "warning", subject, value=rest.people,
                             limit=rest.floor, whole=whole, parts=parts, people=rest.people,
                             floor=rest.floor, indicators=codes,
                             gone=names.get(back, back)))  # fmt: skip
    return gone, found


def _alike(told: pd.Series) -> Iterable[tuple[frozenset[str], list[str]]]:
    groups: dict[frozenset[str], list[str]] = {}
    for code, hashes in told.items():
        groups.setdefault(hashes, []).append(str(code))
    return groups.items()


def _which(rest: Any, now: pd.DataFrame, ordered: set[str]) -> str | None:
    """Return which of the areas is kept back: the newest ordered one, the parts before the whole.

    ``None`` where nothing ordered that is shown now takes part.
    """
    mine = [part.name for part in rest.parts if part.name in ordered]
    mine += [rest.whole.name] if rest.whole.name in ordered else []
    here = now[now["origin"].eq("ordered")]
    there = [one for one in mine if here["realisation_hash"].eq(one).any()]
    return there[0] if there else None


def _names_of(units: pd.DataFrame) -> dict[str, str]:
    first = units.drop_duplicates("realisation_hash")
    return {
        hashed: f"{area}@{definition}"
        for hashed, area, definition in zip(
            first["realisation_hash"], first["area_id"], first["definition"], strict=True
        )
    }


# ---------------------------------------------------------------------- checking


def check_portal(portal: Guarded, audience: str, census: Census | None = None) -> CheckReport:
    """Check a portal for an audience: what the gate keeps back, comparability, names."""
    frame = portal.frame()
    seen, report = gate(portal, frame, audience, census)
    found = [*report, *_names(portal), *_breaks(portal, seen)]
    return CheckReport(found)


def _names(portal: Guarded) -> list[Finding]:
    """Say which names lack a language, or hold what a page or a workbook would obey."""
    found = []
    areas = portal.areas
    for one in areas.to_dict("records"):
        area = f"{one['area_id']}@{one['definition']}"
        missing = [lang for lang in ("en", "fr") if not one[f"name_{lang}"]]
        if missing:
            found.append(finding("portal.name_missing", "warning", area, area=area,
                                 languages=missing))  # fmt: skip
        for lang in ("en", "fr"):
            name = one[f"name_{lang}"]
            if any(mark in name for mark in _MARKUP) or name.startswith(_FORMULA):
                found.append(finding("portal.name_markup", "note", area, area=area, name=name))
    return found


def _breaks(portal: Guarded, frame: pd.DataFrame) -> list[Finding]:
    """Say how many indicators have neighbouring censuses that do not compare."""
    censuses = frame[frame["period"].str.fullmatch(r"\d{4}").astype(bool)]
    periods = shown(censuses).groupby("indicator")["period"].agg(lambda of: sorted(set(of)))
    known = portal.dictionary
    broken = {
        code
        for code, several in periods.items()
        for first, second in itertools.pairwise(several)
        if known.compare(str(code), first, second)[0] == "no"
    }
    if not broken:
        return []
    return [finding("portal.not_joined", "note", "", value=float(len(broken)),
                    indicators=sorted(broken))]  # fmt: skip
