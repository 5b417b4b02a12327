"""Gather what an order says, once, from boundaries; every file of the package is written from it.

Areas are ordered under custom ids: ASCII, stable from order to order, never given to another.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import shapely

from lipgeo.errors import OrderError
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.words import say, speaking

if TYPE_CHECKING:
    from lipgeo.boundary.boundaries import Boundaries

__all__ = ["Content", "custom_ids", "gather"]


def custom_ids(area_ids: Iterable[str], used: Mapping[str, str] | None = None) -> pd.Series:
    """Return the id each area is ordered under: its own in capital letters, without odd marks.

    Parameters
    ----------
    area_ids
        Area ids (text).
    used
        Every custom id ever given, to the area it was given to. An area keeps the id it has; an
        id that another area has or had is not given again: the newcomer's ends in ``-2``, ``-3``.

    Returns
    -------
    pandas.Series
        Index ``area_id``, values the custom ids (``A-Z 0-9 - _``, text).

    Raises
    ------
    OrderError
        Two new areas would share an id, or one would have none; ``problems`` lists them.

    Examples
    --------
    >>> from lipgeo.order import custom_ids
    >>> custom_ids(["nb-péninsule acadienne"]).tolist()
    ['NB-PENINSULE-ACADIENNE']
    >>> custom_ids(["a b", "b"], {"A-B": "a-b", "B": "b"}).tolist()
    ['A-B-2', 'B']
    """
    given = dict(used or {})
    kept = {area: custom for custom, area in given.items()}
    ids = [str(area) for area in area_ids]
    plain = {area: _plain(area) for area in ids if area not in kept}
    texts = pd.Series(plain, dtype=object)
    clash = texts[texts.duplicated(keep=False) | (texts == "")]
    if len(clash):
        raise OrderError(
            "order.custom_id_clash",
            [{"area_id": area, "custom_id": custom} for area, custom in clash.items()],
            areas=clash.index,
        )
    taken = set(given) | set(plain.values())
    made = {}
    for area in ids:
        custom = kept.get(area)
        if custom is None:
            custom, turn = plain[area], 2
            while custom in given or (turn > 2 and custom in taken):
                custom, turn = f"{plain[area]}-{turn}", turn + 1
            taken.add(custom)
        made[area] = custom
    index = pd.Index(ids, name="area_id", dtype=object)
    return pd.Series([made[area] for area in ids], index=index, name="custom_id", dtype=object)


#: letters of a custom id made from an area id; a later one may end in a number
_LONGEST = 90
#: a custom id: it is a file name too, so never longer than one may be
CUSTOM_ID = re.compile(r"[A-Z0-9_][A-Z0-9_-]{0,99}")


def _plain(area: str) -> str:
    text = unicodedata.normalize("NFKD", area).encode("ascii", "ignore").decode().upper()
    return re.sub(r"[^A-Z0-9_-]+", "-", text).strip("-")[:_LONGEST].rstrip("-")


#: characters no DBF, XML or worksheet can hold
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]"


@dataclass(frozen=True)
class Content:
    """An order before it is written.

    Attributes
    ----------
    areas
        ``custom_id``, then the columns of ``Boundaries.areas``; names filled, one row an area,
        ordered by custom id.
    units, cover
        As in ``Boundaries``, with ``custom_id`` first; ordered by custom id, then as they stood.
    shapes
        ``units`` with their polygons (EPSG:3347, ``None`` where a unit has none).
    drawn
        ``custom_id, area_id, name_en, name_fr`` and the outline as it came; areas that came
        without one are left out.
    left_out
        Areas that are not ordered: ``area_id, name_en, name_fr, flags, reason`` (``no_units,
        no_people, below_floor``), ``population, floor_persons``.
    meta
        Parameters of the build.
    report
        Findings of the build and of gathering.
    """

    areas: gpd.GeoDataFrame
    units: pd.DataFrame
    cover: pd.DataFrame
    shapes: gpd.GeoDataFrame
    drawn: gpd.GeoDataFrame
    left_out: pd.DataFrame
    meta: Mapping[str, Any]
    report: CheckReport

    @property
    def vintage(self) -> int:
        """Census year."""
        return int(self.meta["vintage"])

    @property
    def attribution(self) -> str:
        """The sentence the licence asks for, in the language in force."""
        key = "order.attribution_made" if self.meta.get("made") else "order.attribution"
        return say(key, vintage=str(self.vintage))

    @property
    def attribution_both(self) -> str:
        """The sentence in English and in French."""
        return " / ".join(self.attribution_in(lang) for lang in ("en", "fr"))

    def attribution_in(self, lang: str) -> str:
        """Return the sentence in one language."""
        with speaking("fr" if lang == "fr" else "en"):
            return self.attribution

    def with_findings(self, more: CheckReport) -> Content:
        """Return the content with more findings, none twice."""
        return replace(self, report=CheckReport(dict.fromkeys([*self.report, *more])))


def gather(
    boundaries: Boundaries,
    *,
    used: Mapping[str, str] | None = None,
    leave_out_empty: bool = False,
    keep: Iterable[str] = (),
) -> Content:
    """Gather what an order says from saved or fitted boundaries; nothing is solved again.

    An area without people or below its confidentiality floor is left out unless it is kept.

    Parameters
    ----------
    boundaries
        What was fitted, or read from a build directory.
    used
        Custom ids ever given, to the area each was given to.
    leave_out_empty
        Whether areas without units are left out (and listed) instead of refused.
    keep
        Ids of areas that are ordered all the same.

    Raises
    ------
    OrderError
        Areas without units or polygon, ids that clash, names that no file can hold; areas to
        keep that are not there, or no area that is left.
    """
    every = boundaries.areas
    reasons = _reasons_left_out(every, keep)
    empty = reasons.eq("no_units").to_numpy(bool)
    if empty.any() and (not leave_out_empty or empty.all()):
        ids = list(every.loc[empty, "area_id"])
        raise OrderError("order.no_units", [{"area_id": area} for area in ids], areas=ids)
    out = reasons.ne("").to_numpy(bool)
    if out.all():
        problems = [
            {"area_id": area, "reason": reason}
            for area, reason in zip(every["area_id"], reasons, strict=True)
        ]
        raise OrderError("order.nothing_to_order", problems, areas=list(every["area_id"]))
    areas = every[~out].reset_index(drop=True)
    geometry = areas.geometry.to_numpy()
    bare = pd.isna(geometry) | shapely.is_empty(geometry)
    if bare.any():
        ids = list(areas.loc[bare, "area_id"])
        raise OrderError("order.no_polygon", [{"area_id": area} for area in ids], areas=ids)
    names, findings = _names(every)
    areas["name_en"], areas["name_fr"] = (names[c][~out].to_numpy() for c in names)
    _require_writable(areas)
    custom = custom_ids(areas["area_id"], used)
    areas.insert(0, "custom_id", custom.astype("string").to_numpy())
    areas = areas.sort_values("custom_id", ignore_index=True)
    chosen = boundaries.shapes
    chosen = chosen[chosen["status"] != "left_out"]
    drawn = boundaries.service_areas.as_drawn
    outlines = boundaries.service_areas.frame.geometry
    outlines = outlines[outlines.notna()]
    outlines = pd.concat([outlines, drawn[~drawn.index.isin(outlines.index)]])
    label = areas[["custom_id", "area_id", "name_en", "name_fr"]]
    came = label[label["area_id"].isin(outlines.index)].reset_index(drop=True)
    left = pd.DataFrame(every.loc[out, ["area_id", "flags", "floor_persons"]])
    left["population"] = every.loc[out, "population_union"]
    left["reason"] = reasons[out].astype("string")
    for column in names:
        left[column] = names[column][out].to_numpy()
    gone = set(left["area_id"])
    kept_findings = [found for found in boundaries.report if found.subject not in gone]
    return Content(
        areas=areas,
        units=_by_custom_id(boundaries.units, custom),
        cover=_by_custom_id(boundaries.cover, custom),
        shapes=_by_custom_id(chosen, custom),
        drawn=gpd.GeoDataFrame(
            came, geometry=outlines.reindex(came["area_id"]).to_numpy(), crs=areas.crs
        ),
        left_out=left[list(_LEFT_OUT)].reset_index(drop=True),
        meta=boundaries.meta,
        report=CheckReport(dict.fromkeys([*_left_out_findings(left), *kept_findings, *findings])),
    )


_LEFT_OUT = ("area_id", "name_en", "name_fr", "flags", "reason", "population", "floor_persons")


def _reasons_left_out(areas: pd.DataFrame, keep: Iterable[str]) -> pd.Series:
    """Return why each area is not ordered unasked: ``no_units, no_people, below_floor`` or empty.

    An area without units cannot be kept: there is nothing to order.
    """
    kept = list(dict.fromkeys(str(area).strip() for area in keep))
    unknown = [area for area in kept if area not in set(areas["area_id"])]
    if unknown:
        problems = [{"area_id": area} for area in unknown]
        raise OrderError("order.keep_unknown", problems, areas=unknown, known=areas["area_id"])
    asked = areas["area_id"].isin(kept)
    reasons = pd.Series("", index=areas.index, dtype=object)
    reasons[areas["below_floor"].astype(bool) & ~asked] = "below_floor"
    reasons[areas["population_union"].eq(0) & ~asked] = "no_people"
    reasons[areas["unit_count"].eq(0)] = "no_units"
    return reasons


def _left_out_findings(left: pd.DataFrame) -> Iterable[Finding]:
    for reason, rows in left.groupby("reason", sort=True):
        ids = list(rows["area_id"])
        subject = ids[0] if len(ids) == 1 else ""
        yield finding(
            f"order.left_out_{reason}", "warning", subject, check="left_out", value=len(ids),
            areas=ids, count=len(ids),
        )  # fmt: skip


def _by_custom_id(frame: Any, custom: pd.Series) -> Any:
    made = frame[frame["area_id"].isin(custom.index)].copy()
    made.insert(0, "custom_id", made["area_id"].map(custom).astype("string").to_numpy())
    return made.sort_values("custom_id", kind="stable", ignore_index=True)


def _names(areas: pd.DataFrame) -> tuple[dict[str, pd.Series], list[Any]]:
    """Fill names: the other language's where one is missing, the id where both are."""
    text = {c: areas[c].astype("string").replace(r"^\s*$", pd.NA, regex=True) for c in _NAMES}
    ids = areas["area_id"].astype("string")
    findings = []
    for column, other in (("name_fr", "name_en"), ("name_en", "name_fr")):
        shown = list(ids[text[column].isna() & text[other].notna()])
        if shown:
            key = f"order.no_{column}"
            findings.append(
                finding(key, "note", "", value=len(shown), count=len(shown), areas=shown)
            )
    nameless = list(ids[text["name_en"].isna() & text["name_fr"].isna()])
    if nameless:
        findings.append(
            finding(
                "order.no_name", "note", "", value=len(nameless), count=len(nameless),
                areas=nameless,
            )
        )  # fmt: skip
    filled = {
        "name_en": text["name_en"].fillna(text["name_fr"]).fillna(ids),
        "name_fr": text["name_fr"].fillna(text["name_en"]).fillna(ids),
    }
    return filled, findings


_NAMES = ("name_en", "name_fr")


def _require_writable(areas: pd.DataFrame) -> None:
    problems = [
        {"area_id": area, "field": column, "text": ascii(text)}
        for column in ("area_id", *_NAMES)
        for area, text in areas.loc[
            areas[column].astype(object).str.contains(_CONTROL, regex=True, na=False),
            ["area_id", column],
        ].itertuples(index=False)
    ]
    if problems:
        raise OrderError(
            "order.not_writable",
            problems,
            places=[f"{p['area_id']!a}.{p['field']}" for p in problems],
        )
