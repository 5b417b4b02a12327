"""Check the registry's rows, row by row, against each other and against a census."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.census.census import Census
from lipgeo.errors import IdError, InputError
from lipgeo.geography import parse_units
from lipgeo.geography.hierarchy import parents_by_id, province, usual_vintage
from lipgeo.geography.identifiers import parent_ids
from lipgeo.registry.resolving import ceased_sentence
from lipgeo.registry.table import COLUMNS, KINDS, STATUSES, Registry, listed_codes, open_registry
from lipgeo.report import CheckReport, Finding, Severity, finding

__all__ = ["check", "check_rows"]

_ID = r"[a-z]{2,3}(?:-[a-z0-9]+)+"
_EXTENTS = ("unknown", "assumed", "sourced")
#: which of units, alternatives and missing_units each status needs, and which it excludes
_NEEDS = {
    "resolved": ({"units"}, {"missing_units"}),
    "choose": ({"alternatives"}, {"units"}),
    "missing": ({"missing_units"}, set()),
    "placeholder": (set(), {"units"}),
    "unknown": (set(), {"units", "alternatives"}),
}
_KEYS = {"lips": "lip_id", "consortia": "consortium_id", "definitions": "lip_id"}


def check(
    folder: str | Path | None = None,
    *,
    census: Census | None = None,
    earlier: Census | None = None,
) -> CheckReport:
    """Look at every row of the registry.

    Parameters
    ----------
    folder
        A registry of one's own; the one lipgeo carries by default.
    census
        A census to hold the units against.
    earlier
        An older census: says what units that ceased to exist became.

    Returns
    -------
    CheckReport
        Findings whose subject is the id; messages name the row of the file.
    """
    registry = open_registry(folder)
    report = CheckReport()
    for name in COLUMNS:
        rows = getattr(registry, name)
        report += check_rows(name, rows, registry=registry, census=census, earlier=earlier)
    return report


def check_rows(
    name: str,
    frame: pd.DataFrame,
    *,
    registry: Registry | None = None,
    census: Census | None = None,
    earlier: Census | None = None,
) -> CheckReport:
    """Look at the rows of one table of the registry.

    Parameters
    ----------
    name
        ``"lips"``, ``"definitions"``, ``"overlaps"`` or ``"consortia"``.
    frame
        The rows, every cell text, index ``row``: the line in the file.
    registry
        The other tables: which ids exist, and which statuses stood before. The ones lipgeo
        carries by default.
    census, earlier
        See :func:`check`.
    """
    missing = [column for column in COLUMNS[name] if column not in frame]
    if missing:
        return CheckReport(
            [finding("registry.columns_missing", "error", name, name=name, columns=missing)]
        )
    known = open_registry() if registry is None else registry
    found: list[Finding] = []
    if name in _KEYS:
        found += _sources(frame, _KEYS[name])
        found += _units(frame, _KEYS[name], census, earlier)
    if name == "lips":
        found += [*_lips(frame), *_raised_extents(frame), *_nested_units(frame, census)]
    elif name == "definitions":
        found += _definitions(frame, set(known.lips["lip_id"]))
    elif name == "consortia":
        found += _once(frame, "consortium_id")
        found += _strangers(frame, "matching_lip_ids", set(known.lips["lip_id"]))
    else:
        allowed = {*known.lips["lip_id"], *KINDS}
        found += _strangers(frame, "one", allowed) + _strangers(frame, "other", allowed)
    return CheckReport(found)


def _row_findings(
    key: str, severity: Severity, frame: pd.DataFrame, column: str, /, subject: str
) -> list[Finding]:
    """Return one finding a row: what stands in ``column``."""
    return [
        finding(key, severity, name, row=row, area=name, given=given, column=column)
        for row, name, given in zip(frame.index, frame[subject], frame[column], strict=True)
    ]


def _sources(frame: pd.DataFrame, key: str) -> list[Finding]:
    found = _row_findings(
        "registry.row_no_source", "error", frame[frame["source"].eq("")], "source", key
    )
    for column in ("existence", "confidence"):
        if column in frame:
            bare = frame[frame[column].eq("")]
            found += _row_findings("registry.row_no_status", "error", bare, column, key)
    return found


def _once(frame: pd.DataFrame, key: str) -> list[Finding]:
    found = []
    for name, rows in frame[frame[key].duplicated(keep=False)].groupby(key, sort=False):
        places = len(set(rows["units"])) > 1
        check = "registry.id_of_two_places" if places else "registry.id_twice"
        found.append(
            finding(check, "error", name, area=name, rows=list(rows.index), units=rows["units"])
        )
    return found


def _lips(frame: pd.DataFrame) -> list[Finding]:
    bad = frame[~frame["lip_id"].str.fullmatch(_ID).fillna(False).astype(bool)]
    found = _row_findings("registry.bad_id", "error", bad, "lip_id", "lip_id") + _once(
        frame, "lip_id"
    )
    nameless = frame[frame["name_en"].eq("") & frame["name_fr"].eq("")]
    found += _row_findings("registry.row_no_name", "error", nameless, "name_en", "lip_id")
    for column, known in (
        ("kind", KINDS),
        ("units_status", STATUSES),
        ("extent_status", _EXTENTS),
    ):
        for row, entry in frame[~frame[column].isin(known)].iterrows():
            found.append(
                finding(
                    "registry.not_known", "error", entry["lip_id"],
                    row=row, area=entry["lip_id"], column=column, given=entry[column], known=known,
                )
            )  # fmt: skip
    for row, entry in frame.iterrows():
        needs, excludes = _NEEDS.get(entry["units_status"], (set(), set()))
        lacking = sorted(column for column in needs if not entry[column])
        over = sorted(column for column in excludes if entry[column])
        if lacking or over:
            found.append(
                finding(
                    "registry.status_against_units", "error", entry["lip_id"],
                    row=row, area=entry["lip_id"], status=entry["units_status"],
                    lacking=lacking or ["-"], over=over or ["-"],
                )
            )  # fmt: skip
    return found


def _raised_extents(frame: pd.DataFrame) -> list[Finding]:
    """Find extents called surer than lipgeo carries them while the source is the same."""
    carried = open_registry().lips.drop_duplicates("lip_id").set_index("lip_id")
    found = []
    for row, entry in frame[frame["lip_id"].isin(carried.index)].iterrows():
        before = carried.loc[entry["lip_id"]]
        if before["source"] != entry["source"] or entry["extent_status"] not in _EXTENTS:
            continue
        was, now = before["extent_status"], entry["extent_status"]
        if _EXTENTS.index(now) > _EXTENTS.index(was):
            found.append(
                finding(
                    "registry.status_raised", "error", entry["lip_id"],
                    row=row, area=entry["lip_id"], was=was, now=now,
                )
            )  # fmt: skip
    return found


def _units(
    frame: pd.DataFrame, key: str, census: Census | None, earlier: Census | None
) -> list[Finding]:
    """Look at every unit: its form, its province, and whether the census has it."""
    cells = frame["units"]
    if "alternatives" in frame:
        cells = cells + ";" + frame["alternatives"]
    codes = cells.astype(object).map(listed_codes).explode().dropna()
    years = frame.get("codes_vintage", pd.Series("", index=frame.index))
    years = pd.to_numeric(years, errors="coerce").fillna(usual_vintage()).astype(int)
    found = []
    for vintage, group in codes.groupby(years.reindex(codes.index).to_numpy()):
        parsed, notes = _parse_units(group, int(vintage), frame[key])
        found += notes
        for row, units in parsed.groupby(level=0, sort=False):
            entry = frame.loc[row]
            strange = list(_elsewhere(units, str(entry.get("province", "")), int(vintage)))
            if strange:
                found.append(
                    finding(
                        "registry.other_province", "error", entry[key],
                        row=row, area=entry[key], units=strange, province=entry["province"],
                    )
                )  # fmt: skip
            if census is not None:
                found += _against(units, row, entry[key], census, earlier)
    return found


def _parse_units(
    codes: pd.Series, vintage: int, names: pd.Series
) -> tuple[pd.DataFrame, list[Finding]]:
    """Read units of one census; those that are none are told row by row and left out."""
    try:
        return parse_units(codes, vintage), []
    except IdError as error:
        problems = error.problems
    except InputError as error:  # no such census
        found = [
            finding("registry.bad_units", "error", names[row], row=row, area=names[row],
                    reason=str(error))
            for row in codes.index.unique()
        ]  # fmt: skip
        return pd.DataFrame({"level": [], "unit_id": []}), found
    found = [
        finding("registry.bad_units", "error", names[one.row], row=one.row, area=names[one.row],
                reason=f"{one.given}: {one.reason}")
        for one in problems.itertuples(index=False)
    ]  # fmt: skip
    return parse_units(codes[~codes.isin(problems["given"])], vintage), found


def _elsewhere(parsed: pd.DataFrame, provinces: str, vintage: int) -> Iterator[str]:
    """Return the units whose id begins with another province than the row says."""
    if not provinces:
        return
    said = {province(part) for part in provinces.split(";")}
    for level, unit_id in parsed[["level", "unit_id"]].itertuples(index=False):
        if level == "PR":
            home = unit_id
        elif "PR" in parents_by_id(level, vintage):
            home = parent_ids([unit_id], level, vintage, "PR").iloc[0]
        else:
            continue
        if home not in said:
            yield f"{level}:{unit_id}"


def _against(
    parsed: pd.DataFrame, row: object, name: str, census: Census, earlier: Census | None
) -> list[Finding]:
    gone = [
        f"{level}:{unit_id}"
        for level, unit_id in parsed.drop_duplicates().itertuples(index=False)
        if level in census.levels and unit_id not in census.units(level).index
    ]
    if not gone:
        return []
    became = ceased_sentence(gone, census, earlier)
    return [
        finding(
            "registry.not_in_census", "error", name,
            row=row, area=name, units=gone, vintage=str(census.vintage), became=became,
        )
    ]  # fmt: skip


def _nested_units(frame: pd.DataFrame, census: Census | None) -> list[Finding]:
    """Find units listed inside others, in unions whose units the census holds."""
    if census is None:
        return []
    found: list[Finding] = []
    several = frame[frame["units"].str.contains(";") & ~frame["lip_id"].duplicated()]
    for _, entry in several.iterrows():
        try:
            areas = ServiceAreas.from_units({entry["lip_id"]: listed_codes(entry["units"])}, census)
        except InputError:  # said above, or of a province that is not held
            continue
        found += [one for one in areas.report if one.severity != "note"]
    return found


def _definitions(frame: pd.DataFrame, ids: set[str]) -> list[Finding]:
    found = _strangers(frame, "lip_id", ids)
    dates = frame[["valid_from", "valid_to"]].map(_is_day).astype(bool)
    for column in dates:
        found += _row_findings(
            "registry.bad_date", "error", frame[~dates[column]], str(column), "lip_id"
        )
    begins = frame["valid_from"]
    ends = frame["valid_to"].where(frame["valid_to"].ne(""), "9999-12-31")
    sound = dates.all(axis=1)
    backward = frame[sound & begins.gt(ends)]
    found += _row_findings("registry.dates_backward", "error", backward, "valid_from", "lip_id")
    for name, rows in frame[sound].groupby("lip_id", sort=False):
        found += _of_one(str(name), rows, begins, ends)
    return found


def _of_one(name: str, rows: pd.DataFrame, begins: pd.Series, ends: pd.Series) -> list[Finding]:
    """Look at the definitions of one partnership: versions, order, dates that overlap."""
    found = []
    again = rows[rows["version"].duplicated()]
    found += _row_findings("registry.version_twice", "error", again, "version", "lip_id")
    lost = rows[rows["follows"].ne("") & ~rows["follows"].isin(rows["version"])]
    found += _row_findings("registry.follows_nothing", "error", lost, "follows", "lip_id")
    dated = rows[rows["valid_from"].ne("") | rows["valid_to"].ne("")]
    order = dated.index[begins[dated.index].argsort(kind="stable")]
    for first, second in pairwise(order):
        if begins[second] <= ends[first]:
            found.append(
                finding(
                    "registry.dates_overlap", "error", name,
                    area=name, rows=[first, second],
                    versions=list(rows.loc[[first, second], "version"]),
                )
            )  # fmt: skip
    if len(rows) > 1 and dated.empty:
        found.append(
            finding("registry.undated", "note", name, area=name, versions=list(rows["version"]))
        )
    return found


def _strangers(frame: pd.DataFrame, column: str, known: Iterable[str]) -> list[Finding]:
    allowed = set(known)
    found = []
    for row, cell in frame[column].items():
        lost = [name for name in listed_codes(cell) if name not in allowed]
        if lost:
            found.append(
                finding("registry.no_such_partner", "error", lost[0], row=row, ids=lost,
                        column=column)
            )  # fmt: skip
    return found


def _is_day(text: str) -> bool:
    if not text:
        return True
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
