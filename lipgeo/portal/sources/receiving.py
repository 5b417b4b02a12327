"""``receive``: a delivery against its order, from the file to a release.

Read, matched, checked; then every cell is a row of the long table: rows that an indicator is made
of as that indicator, all rows as they were delivered.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.errors import OrderError
from lipgeo.files import MANIFEST, file_in_one_step, require_free_file, sha256_of, write_csv
from lipgeo.order.manifest import FOR_YOU, OldOrder, read_order
from lipgeo.order.tables import read_estimates
from lipgeo.portal.areas import UNIT_COLUMNS, unit_rows
from lipgeo.portal.indicators.dictionary import Dictionary
from lipgeo.portal.observations import make_observations
from lipgeo.portal.releases import ReleaseStore
from lipgeo.portal.sources.dimensions import as_characteristics, of_dimensions, rule_of
from lipgeo.portal.sources.expecting import (
    Expected,
    finding_frame,
    look_at,
    look_at_exchanges,
    look_at_units,
    other_census,
    signed,
)
from lipgeo.portal.sources.intake import Intake, Known, codes_of
from lipgeo.portal.sources.levels import known_before, rows_before
from lipgeo.portal.sources.matching import MATCHED, match_labels, match_rows, read_mapping, row_code
from lipgeo.readers.deliveries import Delivery, plain_words, read_delivery
from lipgeo.readers.sheets import read_sheet
from lipgeo.report import Card, CheckReport, Finding, Shown, finding, heads
from lipgeo.words import say

__all__ = ["Receipt", "Receiver", "receive"]


@dataclass(frozen=True)
class Receipt(Shown):
    """What came of a delivery.

    Attributes
    ----------
    release
        The release it became; ``None`` where findings wait or it was a trial.
    labels
        One row a label: ``label, area_id, how, candidates``.
    findings
        What was found to look at: ``id, check, area_id, row, message, accept, by, reason``; those
        that wait have an empty ``accept``.
    report
        The same as findings of a report, with notes: what was not found, what was left out.
    indicators
        Which indicators were found, and for which genders.
    rows
        Rows of the file: characteristics, or combinations of dimensions.
    """

    release: str | None
    labels: pd.DataFrame
    findings: pd.DataFrame
    report: CheckReport
    indicators: pd.DataFrame
    rows: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many areas of the order, rows of the file and indicators were found."""
        return {
            "areas": int(self.labels["area_id"].ne("").sum()),
            "rows": self.rows,
            "indicators": int(self.indicators["indicator"].nunique()),
        }

    @property
    def waiting(self) -> int:
        """How many findings nobody has accepted yet."""
        return int(self.findings["accept"].eq("").sum())

    def write(self, path: str | Path, *, replace: bool = False) -> Path:
        """Write the findings as the file that somebody fills in: ``accept, by, reason``.

        Parameters
        ----------
        path
            The CSV file.
        replace
            Whether an earlier one gives way in which nobody wrote.

        Raises
        ------
        OutputError
            Something stands there, or the file cannot be written.
        """
        with file_in_one_step(require_free_file(path, replace=replace)) as temporary:
            write_csv(self.findings, temporary)
        return Path(path)

    def _card(self) -> Card:
        columns = heads("check", "area_id", "message")
        return Card(self._summary(), self.findings, columns, of=len(self.findings))

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _summary(self) -> str:
        return say(
            "portal.receipt",
            release=self.release or "-",
            labels=int(self.labels["area_id"].ne("").sum()),
            waiting=self.waiting,
        )


class Receiver(Protocol):
    """What takes a delivery in: a portal."""

    store: ReleaseStore

    @property
    def dictionary(self) -> Dictionary:
        """Its indicators."""

    @property
    def areas(self) -> pd.DataFrame:
        """Its areas."""

    @property
    def book(self) -> Mapping[str, pd.DataFrame]:
        """The sheets of its workbook."""

    def frame(self) -> pd.DataFrame:
        """Return its long table."""

    def known(self) -> Known:
        """Return its areas and indicators."""

    def write_release(
        self,
        taken: Intake,
        release: str | None,
        *,
        licence: str,
        more: Mapping[str, Any] | None,
    ) -> str:
        """Check what was taken in and write it."""


def receive(
    portal: Receiver,
    file: Path,
    *,
    order: Path,
    table: str | None,
    accept: str | Path | pd.DataFrame | None,
    release: str | None,
    licence: str,
    mapping: str | Path | pd.DataFrame | None,
    estimates: Any,
    dry_run: bool,
) -> Receipt:
    """Take in a delivery; see :meth:`lipgeo.portal.portal.Portal.receive`."""
    ordered = read_order(order)
    delivery = read_delivery(file)
    dictionary = portal.dictionary
    areas = ordered.manifest["areas"]
    labels = match_labels(delivery.labels, areas, read_mapping(mapping))
    told = as_characteristics(delivery, dictionary, ordered.vintage)
    _refuse(delivery, told, labels, ordered, dictionary, table)
    at = np.flatnonzero(labels["area_id"].ne(""))
    ids = list(labels["area_id"].iloc[at])
    every = _matched(told, dictionary, ordered.vintage)
    # a percentage where people are counted makes no number, whoever signs for it
    matched = every[~every["foreign"].astype(bool)]
    expected = Expected(
        areas,
        _estimates(order, estimates),
        _predicted(ordered, table),
    )
    variables = (
        [] if expected.estimates is None else list(dict.fromkeys(expected.estimates["variable"]))
    )
    found = look_at(
        told,
        ids,
        at,
        matched,
        expected,
        codes_of(variables, dictionary),
        known_before(portal, ids, ordered.vintage),
    )
    found += look_at_exchanges(told, ids, at, rows_before(portal, told, ids, ordered.vintage))
    found += look_at_units(told, every)
    accepted, waiting = signed(found, _acceptance(accept))
    notes = _notes(delivery, labels, matched, dictionary, ordered)
    notes += _earlier(portal.store, delivery)
    report = CheckReport(
        [*(one["finding"] for one in waiting), *(_kept(one) for one in accepted), *notes]
    )
    frame = finding_frame(waiting, accepted)
    if waiting or dry_run:
        return Receipt(None, labels, frame, report, matched, len(delivery.rows))
    with portal.store.locked():
        taken = _intake(portal, delivery, told, ids, at, matched, ordered, table, report)
        record = {
            "accepted": frame.to_dict("records"),
            "order": {"folder": order.name, "manifest_sha256": sha256_of(order / MANIFEST)},
            "table": table or "",
            "labels": labels.to_dict("records"),
            "received": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }
        name = portal.write_release(taken, release, licence=licence, more=record)
    return Receipt(name, labels, frame, report, matched, len(delivery.rows))


def _kept(one: Mapping[str, Any]) -> Finding:
    """Return a finding somebody accepted, as a note with who and why."""
    told: Finding = one["finding"]
    return finding("portal.accepted", "note", told.subject, message=told.message, by=one["by"],
                   reason=one["reason"])  # fmt: skip


def _acceptance(given: str | Path | pd.DataFrame | None) -> pd.DataFrame | None:
    if given is None or isinstance(given, pd.DataFrame):
        return given
    return read_sheet(given).frame


def _matched(delivery: Delivery, dictionary: Dictionary, vintage: int) -> pd.DataFrame:
    if delivery.layout == "long":
        return pd.DataFrame(columns=list(MATCHED))
    return match_rows(delivery, dictionary, vintage)


def _estimates(order: Path, given: Any) -> pd.DataFrame | None:
    """Return the estimates an order was written with, where they are known."""
    if given is not None:
        return read_estimates(given)
    kept = order / FOR_YOU / "estimates.parquet"
    return read_estimates(kept) if kept.is_file() else None


def _predicted(ordered: OldOrder, table: str | None) -> dict[str, str]:
    """Return what the order predicted of a table for each area, where it says so."""
    path = ordered.folder / FOR_YOU / "tables.csv"
    if table is None or not path.is_file():
        return {}
    frame = read_sheet(path).frame
    if not {"TABLE", "CUSTOM_ID", "EXPECTED"} <= set(frame.columns):
        return {}
    area = {str(one["custom_id"]): str(one["area_id"]) for one in ordered.manifest["areas"]}
    own = frame[frame["TABLE"].eq(table)]
    return {
        area[custom]: str(told)
        for custom, told in zip(own["CUSTOM_ID"].astype(str), own["EXPECTED"], strict=True)
        if custom in area
    }


# ---------------------------------------------------------------------- structural


def _refuse(  # noqa: PLR0917
    delivery: Delivery,
    told: Delivery,
    labels: pd.DataFrame,
    ordered: OldOrder,
    dictionary: Dictionary,
    table: str | None,
) -> None:
    """Refuse a delivery that is not the order's, all reasons at once."""
    problems: list[dict[str, Any]] = []

    def put(key: str, subject: str, **values: Any) -> None:
        kind = key.partition(".")[2]
        problems.append({"problem": kind, "subject": subject, "message": say(key, **values)})

    ids = [str(area["area_id"]) for area in ordered.manifest["areas"]]
    there = labels.loc[labels["area_id"].ne(""), "area_id"]
    unknown = labels[labels["how"].eq("none")]
    strangers = sorted(set(there) - set(ids))
    for one in strangers:
        put("portal.mapped_elsewhere", one, area=one)
    if not there.isin(ids).any():
        put("portal.another_order", ordered.folder.name, labels=list(labels["label"]),
            order=ordered.folder.name)  # fmt: skip
    else:
        lost = [one for one in ids if one not in set(there)]
        if lost:
            put("portal.areas_missing", ";".join(lost), areas=lost)
        if len(unknown):
            put("portal.labels_extra", ";".join(unknown["label"]), labels=list(unknown["label"]))
    for one in labels[labels["how"].eq("several")].itertuples():
        put("portal.label_ambiguous", one.label, label=one.label, areas=one.candidates.split(";"))
    for area, own in labels[labels["area_id"].ne("")].groupby("area_id"):
        if len(own) > 1:
            put("portal.area_doubled", str(area), area=area, labels=list(own["label"]))
    # a long table tells its census by a column, or as the others do by words
    census = other_census(delivery, dictionary, ordered.vintage) or other_census(
        told, dictionary, ordered.vintage
    )
    if census is not None:
        put("portal.another_census", str(census), found=str(census), vintage=str(ordered.vintage))
    if delivery.unread:
        cells = [f"{one['label']} {one['place']}: {one['given']}" for one in delivery.unread]
        put("portal.cells_unread", "", count=len(cells), cells=cells)
    known = [str(one["table"]) for one in ordered.manifest.get("tables", [])]
    if table is not None and known and table not in known:
        put("portal.no_such_table", table, table=table, known=known)
    if problems:
        raise OrderError(
            "portal.delivery_refused",
            problems,
            name=delivery.path.name,
            order=ordered.folder.name,
            problems_shown=" ".join(one["message"] for one in problems),
        )


def _notes(
    delivery: Delivery,
    labels: pd.DataFrame,
    matched: pd.DataFrame,
    dictionary: Dictionary,
    ordered: OldOrder,
) -> list[Finding]:
    notes = []
    standard = labels[labels["how"].eq("standard")]
    if len(standard):
        notes.append(finding("portal.labels_standard", "note", "", value=float(len(standard)),
                             labels=list(standard["label"])))  # fmt: skip
    if delivery.layout != "long":
        rows = dictionary.rows
        known = rows[rows["census"].eq(str(ordered.vintage)) & rows["numerator"].ne("")]
        lost = [one for one in known["code"] if one not in set(matched["indicator"])]
        if lost:
            notes.append(finding("portal.indicators_not_there", "note", "", value=float(len(lost)),
                                 indicators=lost))  # fmt: skip
    return notes


def _earlier(store: ReleaseStore, delivery: Delivery) -> list[Finding]:
    """Say which releases were made of the very same bytes."""
    known = [
        one.id
        for one in store.releases
        if any(source.get("sha256") == delivery.sha256 for source in one.record["sources"])
    ]
    return [finding("portal.same_file", "warning", "", releases=known)] if known else []


# ---------------------------------------------------------------------- to the long table


def _intake(  # noqa: PLR0917
    portal: Receiver,
    delivery: Delivery,
    told: Delivery,
    ids: list[str],
    at: npt.NDArray[np.intp],
    matched: pd.DataFrame,
    ordered: OldOrder,
    table: str | None,
    report: CheckReport,
) -> Intake:
    known = portal.known()
    places, more = known.places(ids)
    place = places.loc[ids]
    realised, units = _realised(ordered, places)
    common = {
        "area_id": place["area_id"].to_numpy(),
        "definition": place["definition"].to_numpy(),
        "realisation_hash": realised.loc[ids, "realisation_hash"].to_numpy(),
    }
    source = say("portal.source_order", table=table or delivery.path.stem)
    values, symbols = delivery.values[at], delivery.symbols[at]
    if delivery.layout == "long":
        provinces = known.areas.set_index(["area_id", "definition"])["province"].to_dict()
        rows, own, extra = of_dimensions(
            delivery, values, symbols, common, known, source, table, provinces=provinces
        )
        made = _of_indicators(values, symbols, told, matched, common, known, ordered, source)
        rows = pd.concat([*made, rows], ignore_index=True)
    else:
        parts = [
            *_of_indicators(values, symbols, delivery, matched, common, known, ordered, source),
            _as_delivered(values, symbols, delivery, common, ordered, source),
        ]
        rows = pd.concat(parts, ignore_index=True)
        own, extra = _delivered(delivery), {}
    return Intake(
        rows=rows,
        kind="delivery",
        sources=[{"file": delivery.path.name, "sha256": delivery.sha256}],
        areas=more,
        realisations=realised.reset_index(drop=True),
        units=units,
        indicators=own[~own["code"].isin(known.dictionary.frame.index)],
        report=report,
        extra=extra,
    )


def _realised(ordered: OldOrder, places: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the realisation of each area of an order, index its id there, and its units."""
    records, units = [], []
    for area in ordered.manifest["areas"]:
        id = str(area["area_id"])
        if id not in places.index:
            continue
        name, definition = places.loc[id]
        own = unit_rows(name, definition, ordered.vintage, area["units"])
        units.append(own)
        misfit = area.get("misfit_share")
        records.append(
            {
                "id": id,
                "area_id": name,
                "definition": definition,
                "vintage": str(ordered.vintage),
                "realisation_hash": own["realisation_hash"].iloc[0] if len(own) else "",
                "misfit": np.nan if misfit is None else float(misfit),
                "unit_count": len(own),
            }
        )
    frame = pd.DataFrame(records).set_index("id")
    whole = pd.concat(units, ignore_index=True) if units else pd.DataFrame(columns=UNIT_COLUMNS)
    return frame, whole


def _of_indicators(  # noqa: PLR0917
    values: Any,
    symbols: Any,
    delivery: Delivery,
    matched: pd.DataFrame,
    common: Mapping[str, Any],
    known: Known,
    ordered: OldOrder,
    source: str,
) -> list[pd.DataFrame]:
    """Return the indicators a delivery tells, gender by gender."""
    facts = known.dictionary.frame
    count = len(values)
    parts = []
    for one in matched.itertuples():
        fact = facts.loc[one.indicator]
        value, bottom, symbol = _told(values, symbols, one.numerator, one.denominator)
        age = "age_total" if _is_age(delivery, one) else ""
        parts.append(
            {
                "value": value,
                "denominator_value": bottom,
                "symbol": symbol,
                "indicator": one.indicator,
                "gender": one.gender,
                "universe": fact["universe"],
                # the heading of ages names its sample, the count of everybody has none: one key
                "sample": "" if age else str(delivery.rows["sample"].iloc[one.numerator[0]]),
                "dollars": "current" if "$" in fact["name_en"] else "",
                "flags": age,
            }
        )
    if not parts:
        return _top_ten(values, delivery, common, known, ordered, source)
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in _PER_CELL}
    same = {
        name: np.repeat(np.array([part[name] for part in parts], dtype=object), count)
        for name in parts[0]
        if name not in _PER_CELL
    }
    places = {name: np.tile(column, len(parts)) for name, column in common.items()}
    made = make_observations(
        {
            **places,
            **arrays,
            **same,
            "period": str(ordered.vintage),
            "origin": "ordered",
            "source": source,
        }
    )
    return [made, *_top_ten(values, delivery, common, known, ordered, source)]


_PER_CELL = ("value", "denominator_value", "symbol")


def _told(values: Any, symbols: Any, tops: list[int], bottoms: list[int]) -> tuple[Any, Any, Any]:
    """Return the value, the denominator and the symbol of an indicator, area by area."""
    top = values[:, tops].sum(axis=1)
    symbol = _first_hidden(symbols[:, [*tops, *bottoms]])
    bottom = np.full(len(top), np.nan)
    value = top
    if bottoms:
        bottom = values[:, bottoms[0]]
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.where(bottom > 0, 100 * top / bottom, np.nan)
        # nobody in the whole: there is no percentage of it
        symbol = np.where((symbol == "") & (bottom == 0), "...", symbol)
    hidden = ~np.isin(symbol, ("", "E", "r", "-"))
    return np.where(hidden, np.nan, value), np.where(hidden, np.nan, bottom), symbol


def _is_age(delivery: Delivery, one: Any) -> bool:
    """Say whether the population was taken from the total of the age groups, which is rounded."""
    return one.indicator == "population" and "age" in plain_words(
        delivery.rows["words"].iloc[one.numerator[0]]
    )


def _first_hidden(symbols: Any) -> Any:
    """Return the gravest symbol of several cells, row by row."""
    found = np.full(len(symbols), "", dtype=object)
    for mark in ("r", "E", "-", "not_ordered", "...", "..", "F", "x"):
        found[(symbols == mark).any(axis=1)] = mark
    # a dash beside numbers is a nought, not a mark of the sum
    return np.where((found == "-") & (symbols.shape[1] > 1), "", found)


def _top_ten(  # noqa: PLR0917
    values: Any,
    delivery: Delivery,
    common: Mapping[str, Any],
    known: Known,
    ordered: OldOrder,
    source: str,
) -> list[pd.DataFrame]:
    """Return the ten largest rows under the heading of each indicator that is a list."""
    rows = known.dictionary.rows
    lists = known.dictionary.frame.index[known.dictionary.frame["rule"].eq("list")]
    wanted = rows[rows["code"].isin(lists) & rows["census"].eq(str(ordered.vintage))]
    parents = set(delivery.rows["whole"])
    leaf = np.array([at not in parents for at in range(len(delivery.rows))])
    named = ~delivery.rows["words"].str.match(r"(?:other|autres?)\b", case=False).to_numpy()
    usable = leaf & named & delivery.rows["gender"].eq("total").to_numpy()
    usable &= delivery.rows["unit"].eq("").to_numpy()  # people are ranked, no percentages
    headings = np.array([plain_words(one) for one in delivery.rows["heading"]], dtype=object)
    made = []
    for one in wanted[wanted["numerator"].ne("")].itertuples():
        chosen = np.flatnonzero(usable & (headings == plain_words(one.words)))
        if not len(chosen):
            continue
        counts = np.nan_to_num(values[:, chosen], nan=0.0)
        best = np.argsort(-counts, axis=1, kind="stable")[:, :10]
        area, rank = np.nonzero(np.take_along_axis(counts, best, axis=1) > 0)
        row = best[area, rank]
        words = delivery.rows["words"].to_numpy(dtype=object)[chosen]
        made.append(
            make_observations(
                {
                    **{name: column[area] for name, column in common.items()},
                    "indicator": one.code,
                    "category": words[row],
                    "period": str(ordered.vintage),
                    "value": counts[area, row],
                    "origin": "ordered",
                    "universe": known.dictionary.frame.loc[one.code, "universe"],
                    "sample": one.sample,
                    "source": source,
                }
            )
        )
    return made


def _delivered(delivery: Delivery) -> pd.DataFrame:
    """Return the rows of a delivery as indicators of their own: what no page shows by itself."""
    rows = delivery.rows.drop_duplicates("key")
    path = (rows["heading"] + " | " + rows["words"]).str.strip(" |")
    return pd.DataFrame(
        {
            "code": [row_code(key) for key in rows["key"]],
            "topic": "delivered",
            "name_en": rows["words"].to_numpy(),
            "name_fr": rows["words"].to_numpy(),
            "definition_en": path.to_numpy(),
            "definition_fr": path.to_numpy(),
            "rule": [rule_of(w, u) for w, u in zip(rows["words"], rows["unit"], strict=True)],
            "universe": "",
            "decimals": 0,
            "status": "delivered",
            "needs": "ordered",
            "variable": "",
            "certainty": "delivered",
        }
    )


def _as_delivered(  # noqa: PLR0917
    values: Any,
    symbols: Any,
    delivery: Delivery,
    common: Mapping[str, Any],
    ordered: OldOrder,
    source: str,
) -> pd.DataFrame:
    """Return every cell as a row of the long table, under the code of its own row."""
    count, width = values.shape
    rows = delivery.rows
    codes = np.array([row_code(key) for key in rows["key"]], dtype=object)
    hidden = ~np.isin(symbols, ("", "E", "r", "-"))
    return make_observations(
        {
            **{name: np.repeat(column, width) for name, column in common.items()},
            "indicator": np.tile(codes, count),
            "gender": np.tile(rows["gender"].to_numpy(dtype=object), count),
            "period": str(ordered.vintage),
            "value": np.where(hidden, np.nan, values).ravel(),
            "symbol": symbols.ravel(),
            "origin": "ordered",
            "sample": np.tile(rows["sample"].to_numpy(dtype=object), count),
            "dollars": np.tile(np.where(rows["unit"].eq("$"), "current", ""), count),
            "source": source,
        }
    )
