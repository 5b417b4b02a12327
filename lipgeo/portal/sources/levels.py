"""Whether the level of a delivered number is that of its area: columns under another's heading.

A row whose numbers are far from what is known of most of its areas is likely another row, another
unit or another measure. Margins are wide: one area may well be unlike, most of them are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.portal.indicators.dictionary import Dictionary, is_rate
from lipgeo.portal.sources.matching import row_code
from lipgeo.readers.deliveries import Delivery, plain_words

__all__ = ["BEFORE", "Margin", "far_off", "find_exchanged_rows", "find_rows_out_of_order",
           "find_same_everywhere", "hold_levels", "known_before", "most_are_far",
           "rows_before"]  # fmt: skip

Floats = npt.NDArray[np.float64]
Note = Callable[..., None]


@dataclass(frozen=True)
class Margin:
    """How far a number may be from what is known of it.

    Attributes
    ----------
    points
        Percentage points a share may differ.
    factor
        ... and times as much as the lesser of the two; of other numbers the factor alone counts.
    errors
        Standard errors it may differ in any case.
    """

    points: float
    factor: float
    errors: float = 5.0


#: the order's own estimate
ESTIMATE = Margin(points=8.0, factor=1.4)
#: what a portal has, from the nearest to the farthest: an earlier delivery or published number of
#: the same census, an estimate of it, an earlier census, the places an area is compared with
BEFORE = {
    "same": Margin(points=3.0, factor=1.2),
    "estimate": ESTIMATE,
    "census": Margin(points=25.0, factor=2.5),
    "comparator": Margin(points=35.0, factor=4.0),
}
#: a share so many times too small is a percentage where a count should stand
_COUNT_FACTOR, _COUNT_POINTS = 15.0, 1.5
#: areas there must be, and the share of them that must be far
_AREAS, _MOST = 3, 0.5
#: how many times one row is another at least, before and turned round now, for them to be
#: exchanged; of numbers of the same census, of others
_TURNED_SAME, _TURNED = 1.3, 3.0
#: people of both rows from which their ratio says something
_BOTH = 40.0
#: areas from which numbers that are the same everywhere are told, and the least such number
_SAME_AREAS, _SAME_COUNT, _SAME_RATE = 5, 50.0, 20.0


class Holder(Protocol):
    """What knows earlier numbers: a portal."""

    @property
    def areas(self) -> pd.DataFrame:
        """Its areas."""

    @property
    def book(self) -> Mapping[str, pd.DataFrame]:
        """Its sheets."""

    @property
    def dictionary(self) -> Dictionary:
        """Its indicators."""

    def frame(self) -> pd.DataFrame:
        """Return its long table."""


def far_off(
    came: Floats, known: Floats, error: Floats, margin: Margin, *, share: bool
) -> npt.NDArray[np.bool_]:
    """Say which numbers are far from what is known of them; missing is not far.

    Parameters
    ----------
    came, known, error
        Numbers of the same areas, what is known of them, its standard error.
    margin
        How far they may be.
    share
        They are percentages.

    Examples
    --------
    >>> import numpy as np
    >>> from lipgeo.portal.sources.levels import BEFORE, far_off
    >>> came, known = np.array([97.0, 14.0]), np.array([12.0, 12.0])
    >>> far_off(came, known, np.zeros(2), BEFORE["census"], share=True).tolist()
    [True, False]
    """
    apart = np.abs(came - known)
    with np.errstate(invalid="ignore", divide="ignore"):
        times = np.maximum(came, known) / np.minimum(came, known)
    # a nought beside a number is as far as can be
    times = np.where(np.minimum(came, known) <= 0, np.inf, times)
    far = (times > margin.factor) & (apart > margin.errors * np.nan_to_num(error))
    if share:
        # nobody doubts a small share for its factor, unless it is no share of people at all
        tiny = (known / np.maximum(came, 1e-9) > _COUNT_FACTOR) & (known - came > _COUNT_POINTS)
        far &= (apart > margin.points) | tiny
    return far & ~np.isnan(came) & ~np.isnan(known) & (apart > 0)


def most_are_far(far: npt.NDArray[np.bool_], seen: npt.NDArray[np.bool_]) -> bool:
    """Say whether most areas that can be held against something are far from it."""
    return bool(seen.sum() >= _AREAS and (far & seen).sum() > _MOST * seen.sum())


def known_before(portal: Holder, ids: Sequence[str], vintage: int) -> pd.DataFrame:
    """Return what a portal has that a delivery of a census can be held against.

    Parameters
    ----------
    portal
        The portal.
    ids
        Areas of the order.
    vintage
        Census of the delivery.

    Returns
    -------
    pandas.DataFrame
        ``id, indicator, kind, value``: one row each, of the nearest kind there is
        (:data:`BEFORE`); of an earlier census only where it compares.
    """
    columns = ["id", "indicator", "kind", "value"]
    frame = portal.frame()
    plain = frame["gender"].eq("total") & frame["group"].eq("total") & frame["category"].eq("")
    frame = frame[plain & frame["value"].notna() & frame["indicator"].isin(_coded(portal))]
    if frame.empty:
        return pd.DataFrame(columns=columns)
    census = str(vintage)
    older = sorted({one for one in frame["period"] if re.fullmatch(r"\d{4}", one) and one < census})
    frame = frame[frame["period"].isin([census, *older])]
    places = _places(portal, ids)
    own = places.merge(frame, on=["area_id", "definition"])
    same = own["period"].eq(census)
    guessed = own["origin"].isin(["estimated", "reported"])
    own["kind"] = np.where(~same, "census", np.where(guessed, "estimate", "same"))
    parts = [
        own[same | _comparable(own, portal.dictionary, census)],
        _beside(portal, places, frame),
    ]
    whole = pd.concat(parts, ignore_index=True)
    # the nearest kind first, of earlier censuses the newest
    whole["rank"] = whole["kind"].map({name: at for at, name in enumerate(BEFORE)})
    whole = whole.sort_values(["rank", "period"], ascending=[True, False], kind="stable")
    return whole.drop_duplicates(["id", "indicator"])[columns].reset_index(drop=True)


def rows_before(
    portal: Holder, delivery: Delivery, ids: Sequence[str], vintage: int
) -> pd.DataFrame:
    """Return what a portal has of the rows of a delivery: delivered before, or in a list.

    Parameters
    ----------
    portal, ids, vintage
        As in :func:`known_before`.
    delivery
        The delivery; rows are known by their words.

    Returns
    -------
    pandas.DataFrame
        ``id, at`` (position of the row), ``kind`` (``same``: of the same census, ``other``: of
        another, or of the places an area is compared with), ``value``.
    """
    columns = ["id", "at", "kind", "value"]
    frame, wanted = portal.frame(), _rows_known(portal.dictionary, delivery)
    plain = frame["gender"].eq("total") & frame["group"].eq("total") & frame["value"].ge(0)
    frame = frame[plain & frame["indicator"].isin({code for code, _ in wanted})]
    if frame.empty:
        return pd.DataFrame(columns=columns)
    words = frame["category"].map(plain_words)
    frame = frame.assign(
        at=[wanted.get(one, -1) for one in zip(frame["indicator"], words, strict=True)]
    )
    frame = frame[frame["at"].ge(0) & frame["period"].le(str(vintage))]
    places = _places(portal, ids)
    own = places.merge(frame, on=["area_id", "definition"])
    # places alike come last, and of several censuses the newest first
    own["kind"] = np.where(own["period"].eq(str(vintage)), "same", "other")
    own = own.sort_values("period", ascending=False, kind="stable")
    pairs = places[["id", "area_id"]].merge(portal.book["comparators"][["area_id", "comparator"]])
    beside = pairs.merge(frame, left_on="comparator", right_on="area_id", suffixes=("", "_of"))
    beside = beside.assign(kind="other").sort_values("period", ascending=False, kind="stable")
    whole = pd.concat([own[columns], beside[columns]], ignore_index=True)
    return whole.drop_duplicates(["id", "at"]).reset_index(drop=True)


def _rows_known(dictionary: Dictionary, delivery: Delivery) -> dict[tuple[str, str], int]:
    """Return the position of each row by its own code, and by list and category."""
    rows = delivery.rows[delivery.rows["gender"].eq("total") & delivery.rows["unit"].eq("")]
    known = {(row_code(key), ""): int(at) for at, key in rows["key"].items()}
    lists = dictionary.rows[dictionary.rows["code"].isin(
        dictionary.frame.index[dictionary.frame["rule"].eq("list")])]  # fmt: skip
    headings = rows["heading"].map(plain_words)
    for one in lists.itertuples():
        under = rows[headings.eq(plain_words(one.words)) & headings.ne("")]
        known |= {(one.code, plain_words(words)): int(at) for at, words in under["words"].items()}
    return known


def _coded(portal: Holder) -> list[str]:
    """Return the indicators whose level means something: shares and medians, no counts."""
    facts = portal.dictionary.frame
    return list(facts.index[facts["rule"].isin(["percent", "median", "average", "rate"])])


def _places(portal: Holder, ids: Sequence[str]) -> pd.DataFrame:
    """Return area and definition of each id; one of several definitions is nobody's guess."""
    areas = portal.areas[["area_id", "definition"]]
    rows = []
    for id in ids:
        name, _, definition = id.partition("@")
        there = areas[areas["area_id"].eq(name)]
        if definition:
            there = there[there["definition"].eq(definition)]
        if len(there) == 1:
            rows.append({"id": id, "area_id": name, "definition": there["definition"].iloc[0]})
    return pd.DataFrame(rows, columns=["id", "area_id", "definition"])


def _comparable(rows: pd.DataFrame, dictionary: Dictionary, census: str) -> pd.Series:
    """Say which rows are of a census that compares with the delivery's; dollars never do."""
    facts = dictionary.frame["name_en"]
    return pd.Series(
        [
            "$" not in facts[code] and dictionary.compare(code, period, census)[0] != "no"
            for code, period in zip(rows["indicator"], rows["period"], strict=True)
        ],
        index=rows.index,
        dtype=bool,
    )


def _beside(portal: Holder, places: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return what the places have that an area is compared with: of several, the middle."""
    sheet = portal.book["comparators"]
    if places.empty or sheet.empty:
        return pd.DataFrame(columns=["id", "indicator", "period", "value", "kind"])
    pairs = places[["id", "area_id"]].merge(sheet[["area_id", "comparator"]])
    now = frame[frame["period"].eq(frame["period"].max())]
    found = pairs.merge(now, left_on="comparator", right_on="area_id", suffixes=("", "_of"))
    middle = found.groupby(["id", "indicator", "period"], as_index=False)["value"].median()
    return middle.assign(kind="comparator")


# ---------------------------------------------------------------------- findings


def hold_levels(  # noqa: PLR0917
    delivery: Delivery,
    areas: Sequence[str],
    values: Floats,
    matched: pd.DataFrame,
    estimates: Mapping[str, tuple[pd.Series, pd.Series]],
    before: pd.DataFrame | None,
    note: Note,
) -> None:
    """Find rows of another level than the order's estimates or the portal's numbers have.

    Parameters
    ----------
    delivery, areas, values, matched
        As in :func:`lipgeo.portal.sources.expecting.look_at`.
    estimates
        Indicator to the order's estimate and its standard error, by area.
    before
        Of :func:`known_before`; ``None`` where nothing is known.
    note
        Takes a finding.
    """
    for one in matched[matched["gender"].eq("total")].itertuples():
        if one.indicator == "population":
            continue  # held against the order's own count
        came, noise = _level(values, one.numerator, one.denominator)
        row, share = one.numerator[0], bool(one.denominator)
        found = None
        if one.indicator in estimates:
            known, sd = (
                part.reindex(areas).to_numpy(dtype=float) for part in estimates[one.indicator]
            )
            far = far_off(came, known, np.hypot(sd, noise), ESTIMATE, share=share)
            if most_are_far(far, ~np.isnan(came) & ~np.isnan(known)):
                found = ("portal.level_unlike_estimate", far, known)
        if found is None and before is not None:
            own = before[before["indicator"].eq(one.indicator)].set_index("id").reindex(areas)
            known = own["value"].to_numpy(dtype=float)
            far = np.zeros(len(areas), dtype=bool)
            for kind, margin in BEFORE.items():
                here = own["kind"].eq(kind).to_numpy()
                far |= here & far_off(came, known, noise, margin, share=share)
            if most_are_far(far, ~np.isnan(came) & ~np.isnan(known)):
                found = ("portal.level_unlike_before", far, known)
        if found is not None:
            key, far, known = found
            first = int(np.flatnonzero(far)[0])
            note(key, "", int(delivery.rows["place"].iloc[row]), other=one.indicator,
                 words=str(delivery.rows["words"].iloc[row]).strip(), count=int(far.sum()),
                 example=areas[first], came=float(came[first]),
                 known=float(known[first]))  # fmt: skip


def _level(values: Floats, tops: list[int], bottoms: list[int]) -> tuple[Floats, Floats]:
    """Return an indicator by area, and what rounding and the sample do to it."""
    top = values[:, tops].sum(axis=1)
    if not bottoms:
        return top, np.zeros(len(top))
    bottom = values[:, bottoms[0]]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(bottom > 0, 100 * top / bottom, np.nan)
        spread = np.maximum(top, 5) * np.maximum(bottom - top, 1)
        noise = 100 * np.sqrt(3 * spread / bottom**3)
    return share, np.where(bottom > 0, noise, 0.0)


def find_same_everywhere(
    delivery: Delivery, areas: Sequence[str], values: Floats, note: Note
) -> None:
    """Find rows that say one number of all areas; small counts may well be the same."""
    if len(areas) < _SAME_AREAS:
        return
    rows = delivery.rows
    seen = ~np.isnan(values)
    top = np.where(seen, values, -np.inf).max(axis=0)
    low = np.where(seen, values, np.inf).min(axis=0)
    for row in np.flatnonzero((seen.sum(axis=0) >= _SAME_AREAS) & (top == low)):
        words, unit = str(rows["words"].iloc[row]), str(rows["unit"].iloc[row])
        rate = bool(unit) or is_rate(words)
        # all of everybody is no news
        if top[row] < (_SAME_RATE if rate else _SAME_COUNT) or (rate and top[row] == 100):
            continue
        note("portal.same_everywhere", "", int(rows["place"].iloc[row]), words=words.strip(),
             came=float(top[row]), count=int(seen[:, row].sum()))  # fmt: skip


#: a row of years, ages or amounts: what stands before its first number
_CLASS = re.compile(
    r"(?:before |avant |under |less than |moins de |de |from )?\$?(\d[\d,\u00a0\u202f]*)"
)
#: languages as every census prints them
_LANGUAGES = (("englishonly", "frenchonly"), ("anglaisseulement", "francaisseulement"))


def find_rows_out_of_order(delivery: Delivery, note: Note) -> None:
    """Find headings that do not stand in the order of a census: some of them may be exchanged.

    Classes of years, of ages and of amounts go up (or down) among their siblings; English stands
    before French.
    """
    rows = delivery.rows
    if delivery.layout == "long":
        return
    inside = rows[rows["whole"].ge(0)]
    for _, own in inside.groupby(["whole", "depth", "gender"], sort=False):
        words = [str(one).strip() for one in own["words"]]
        hits = [(at, _CLASS.match(one.casefold())) for at, one in enumerate(words)]
        classes = [(at, float(re.sub(r"\D", "", hit[1]))) for at, hit in hits if hit]
        starts = np.diff([start for _, start in classes])
        mixed = len(classes) >= 3 and (starts < 0).any() and (starts > 0).any()
        plain = [plain_words(one) for one in words]
        turned = any(
            {first, second} <= set(plain) and plain.index(second) < plain.index(first)
            for first, second in _LANGUAGES
        )
        if mixed or turned:
            shown = [words[at] for at, _ in classes] if mixed else words
            note("portal.rows_out_of_order", "", int(own["place"].iloc[0]), rows=shown)


def find_exchanged_rows(
    delivery: Delivery,
    areas: Sequence[str],
    values: Floats,
    earlier: pd.DataFrame,
    note: Note,
) -> None:
    """Find pairs of siblings that stand to each other the other way round than they did.

    Parameters
    ----------
    delivery, areas, values
        As in :func:`lipgeo.portal.sources.expecting.look_at`.
    earlier
        Of :func:`rows_before`.
    note
        Takes a finding.

    Notes
    -----
    Two rows are told where, in most areas that both are known of, one was at least so many times
    the other and is as many times smaller now, and exchanging them brings the ratio back.
    """
    if earlier.empty:
        return
    rows = delivery.rows
    known = np.full(values.shape, np.nan)
    limit = np.full(len(areas), np.log(_TURNED))
    place = {area: at for at, area in enumerate(areas)}
    where = earlier["id"].map(place).to_numpy(dtype=int)
    known[where, earlier["at"].to_numpy(dtype=int)] = earlier["value"].to_numpy(dtype=float)
    same = earlier.groupby("id")["kind"].agg(lambda one: one.eq("same").all())
    limit[[place[one] for one in same.index[same]]] = np.log(_TURNED_SAME)
    family = rows.groupby(["heading", "parent", "depth", "gender"], sort=False).indices
    for own in family.values():
        told = own[(~np.isnan(known[:, own])).sum(axis=0) >= _AREAS]
        for one, other in _turned_in_all(values, known, told):
            both = values[:, one] + values[:, other] >= _BOTH
            now, before = _times(values, one, other), _times(known, one, other)
            seen = both & ~np.isnan(now) & ~np.isnan(before) & (np.abs(before) > limit)
            turned = seen & (now * before < 0) & (np.abs(now) > limit)
            turned &= np.abs(now + before) < np.minimum(limit, np.abs(now))
            if most_are_far(turned, seen):
                first = int(np.flatnonzero(turned)[0])
                note("portal.rows_exchanged", "", int(rows["place"].iloc[one]),
                     other=int(rows["place"].iloc[other]),
                     words=str(rows["words"].iloc[one]).strip(),
                     beside=str(rows["words"].iloc[other]).strip(),
                     count=int(turned.sum()), example=areas[first],
                     came=float(values[first, one]),
                     known=float(known[first, one]))  # fmt: skip


def _times(numbers: Floats, one: int, other: int) -> Floats:
    """Return the logarithm of how many times a row is another; of nought, half a person."""
    return np.log(np.maximum(numbers[:, one], 0.5) / np.maximum(numbers[:, other], 0.5))


def _turned_in_all(
    values: Floats, known: Floats, rows: npt.NDArray[np.intp]
) -> list[tuple[int, int]]:
    """Return the pairs of rows whose sums over all areas stand the other way round now."""
    there = ~np.isnan(known[:, rows])
    now = np.nansum(np.where(there, values[:, rows], np.nan), axis=0)
    before = np.nansum(known[:, rows], axis=0)
    turned = np.triu(np.sign(now[:, None] - now) * np.sign(before[:, None] - before) < 0)
    return [(int(rows[one]), int(rows[other])) for one, other in np.argwhere(turned)]
